//! Which files in a folder are its pictures: one walk for every command.
//!
//! A file counts by its name's extension and is then decoded by its content. A class is a folder
//! directly in the root, and its pictures are those in it and in the folders below, at any depth, as
//! `ImageFolder` of torchvision has it. Names that begin with a dot are hidden; what operating
//! systems, archives and network storage leave behind is passed over like them. Linked folders are
//! followed, and none is walked twice. Whatever is passed over is counted, with a few names.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::{DataError, classes};

/// Extensions of the formats that are read.
const READ: [&str; 19] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "bmp", "dib", "gif", "webp", "tif", "tiff", "pnm", "ppm",
    "pgm", "pbm", "pam", "tga", "qoi", "ff",
];

/// Extensions of other pictures: nobody wants them to be missing unnoticed.
const UNREAD: [&str; 22] = [
    "heic", "heif", "avif", "jp2", "j2k", "jxl", "svg", "ico", "hdr", "exr", "dds", "psd", "pcx",
    "apng", "dng", "cr2", "nef", "arw", "raw", "dcm", "eps", "emf",
];

/// Files and folders of operating systems, archives and network storage, in lower case.
const LITTER: [&str; 12] = [
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "@eadir",
    "#recycle",
    "@recycle",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "__pycache__",
];

/// Names that are kept of what was passed over for one reason.
const EXAMPLES: usize = 3;

/// What a walk passed over, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Skipped(pub Vec<SkippedFiles>);

/// What was passed over for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFiles {
    /// The reason, as `.heic pictures, a format that is not read`.
    pub what: String,
    /// Files, or folders with all that is in them.
    pub count: usize,
    /// The first three of their paths below the root.
    pub examples: Vec<String>,
}

impl Skipped {
    /// Whether nothing was passed over.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of files and folders passed over.
    pub fn count(&self) -> usize {
        self.0.iter().map(|files| files.count).sum()
    }
}

/// `3 hidden (.DS_Store, cat/._1.png, …), 1 .txt (cat/notes.txt)`.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, SkippedFiles { what, count, examples }) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            let more = if *count > examples.len() { ", …" } else { "" };
            write!(f, "{comma}{count} {what} ({}{more})", examples.join(", "))?;
        }
        Ok(())
    }
}

/// The pictures of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The pictures in the order of their paths, or class by class.
    pub files: Vec<PathBuf>,
    /// What is no picture.
    pub skipped: Skipped,
}

/// The pictures of a folder of class folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// The names of the classes, in the order of [`classes::sort`].
    pub names: Vec<String>,
    /// The class index of every picture.
    pub labels: Vec<usize>,
    /// The pictures: class by class, and within a class in the order of their paths.
    pub listing: Listing,
    /// What a reader of the folder should be told, if it can be understood in two ways.
    pub note: Option<String>,
}

/// All pictures in `root` and the folders below it, in the order of their paths.
///
/// Errors: a folder that cannot be read.
pub fn list(root: &Path) -> Result<Listing, DataError> {
    let mut walk = Walk::new(root);
    walk.descend(root.to_owned())?;
    walk.files.sort();
    Ok(walk.finish())
}

/// The pictures of every class folder in `root`.
///
/// Errors: no class folder, one alone, one without a picture, a folder that cannot be read.
pub fn list_classes(root: &Path) -> Result<Classes, DataError> {
    let unusable = |reason: String| Err(DataError::unusable(root.display().to_string(), reason));
    let mut walk = Walk::new(root);
    let Entries { folders, files: loose } = walk.entries(root)?;
    let mut names = folders.iter().map(|f| class_name(f)).collect::<Result<Vec<_>, _>>()?;
    classes::sort(&mut names);
    match &names[..] {
        [] => {
            return unusable(format!(
                "no class folder: expected one folder of pictures for each class, found {} \
                 pictures and no folder",
                loose.len()
            ));
        }
        [class] => {
            let within = root.join(class);
            let hint = match has_classes(&within)? {
                true => format!("; are the classes in `{}`?", within.display()),
                false => String::new(),
            };
            return unusable(format!(
                "one class folder alone, `{class}`: expected two or more{hint}"
            ));
        }
        _ => {}
    }
    for picture in &loose {
        walk.skip(Reason::Loose, picture);
    }
    let mut labels = Vec::new();
    let mut inner = Vec::with_capacity(names.len());
    for (label, class) in names.iter().enumerate() {
        let start = walk.files.len();
        let before = walk.skipped.clone();
        walk.walked.clear();
        walk.descend(root.join(class))?;
        walk.files[start..].sort();
        if walk.files.len() == start {
            let found = difference(walk.skipped, &before);
            let found = match found.is_empty() {
                true => "nothing".to_owned(),
                false => Walk { skipped: found, ..Walk::new(root) }.finish().skipped.to_string(),
            };
            return unusable(format!(
                "class folder `{class}` has no picture: expected .png, .jpg, .bmp, .gif, .webp, \
                 .tif, .ppm, .tga or .qoi files, found {found}"
            ));
        }
        labels.resize(walk.files.len(), label);
        inner.push(Inner::of(&root.join(class), &walk.files[start..]));
    }
    let note = Inner::note(&names, &inner);
    Ok(Classes { names, labels, listing: walk.finish(), note })
}

/// Whether there is a folder in `root` that could be a class.
///
/// Errors: `root` cannot be read.
pub fn has_classes(root: &Path) -> Result<bool, DataError> {
    Ok(!Walk::new(root).entries(root)?.folders.is_empty())
}

/// Whether the name ends as a picture's does that is read.
pub fn is_picture(path: &Path) -> bool {
    extension(path).is_some_and(|e| READ.contains(&&*e))
}

fn extension(path: &Path) -> Option<String> {
    path.extension().map(|e| e.to_string_lossy().to_lowercase())
}

fn class_name(folder: &Path) -> Result<String, DataError> {
    let name = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| {
        DataError::unusable(folder.display().to_string(), "the name of the class is not UTF-8 text")
    })
}

/// The folders directly in a class folder, if all its pictures lie in them.
struct Inner(Option<HashSet<PathBuf>>);

impl Inner {
    fn of(class: &Path, files: &[PathBuf]) -> Self {
        let folder = |file: &PathBuf| {
            let mut parts = file.strip_prefix(class).ok()?.components();
            let first = parts.next()?;
            parts.next().map(|_| PathBuf::from(first.as_os_str()))
        };
        Self(files.iter().map(folder).collect())
    }

    /// `root/train/cat`, `root/test/cat` … look like this, and make classes of `train` and `test`.
    fn note(names: &[String], inner: &[Self]) -> Option<String> {
        let mut folders = inner.iter().map(|Self(folders)| folders.as_ref());
        let first = folders.next()??;
        if first.len() < 2 || !folders.all(|f| f == Some(first)) {
            return None;
        }
        let mut common: Vec<_> = first.iter().map(|f| format!("`{}`", f.display())).collect();
        common.sort();
        common.truncate(EXAMPLES);
        Some(format!(
            "the folders directly below are the classes, {} here; each of them has the same folders, \
             {}: if those are the classes, name one of the folders above them",
            names.iter().take(EXAMPLES).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "),
            common.join(", ")
        ))
    }
}

/// Why something is passed over; the order is that of a [`Skipped`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    UnreadPicture(String),
    Loose,
    OtherFile(String),
    NoExtension,
    NoFile,
    Linked,
    Litter,
    Hidden,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnreadPicture(extension) => {
                write!(f, ".{extension}, a format of pictures that is not read")
            }
            Self::Loose => f.write_str("beside the class folders"),
            Self::OtherFile(extension) => write!(f, ".{extension}"),
            Self::NoExtension => f.write_str("without an extension"),
            Self::NoFile => f.write_str("neither file nor folder"),
            Self::Linked => f.write_str("linked folders that were walked already"),
            Self::Litter => f.write_str("of an operating system or archive"),
            Self::Hidden => f.write_str("hidden"),
        }
    }
}

type Counts = BTreeMap<Reason, (usize, Vec<String>)>;

fn difference(after: Counts, before: &Counts) -> Counts {
    let new = |(reason, (count, examples)): (Reason, (usize, Vec<String>))| {
        let (had, shown) = before.get(&reason).map_or((0, 0), |(n, e)| (*n, e.len()));
        (count > had).then(|| (reason, (count - had, examples[shown..].to_vec())))
    };
    after.into_iter().filter_map(new).collect()
}

struct Walk<'a> {
    root: &'a Path,
    files: Vec<PathBuf>,
    skipped: Counts,
    /// Folders as they are without links.
    walked: HashSet<PathBuf>,
}

struct Entries {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Path) -> Self {
        Self { root, files: Vec::new(), skipped: Counts::new(), walked: HashSet::new() }
    }

    fn skip(&mut self, reason: Reason, path: &Path) {
        let (count, examples) = self.skipped.entry(reason).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            let below = path.strip_prefix(self.root).unwrap_or(path);
            examples.push(below.display().to_string());
        }
    }

    /// Adds the pictures in `folder` and below.
    fn descend(&mut self, folder: PathBuf) -> Result<(), DataError> {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            let place = folder.canonicalize().map_err(|e| DataError::io(&folder, e))?;
            if !self.walked.insert(place) {
                self.skip(Reason::Linked, &folder);
                continue;
            }
            let Entries { folders: inner, files } = self.entries(&folder)?;
            self.files.extend(files);
            // What lies here comes before what is linked to, so that the link is the one left out.
            let (links, own): (Vec<_>, Vec<_>) = inner.into_iter().partition(|f| f.is_symlink());
            folders.extend(links.into_iter().rev().chain(own.into_iter().rev()));
        }
        Ok(())
    }

    /// What lies directly in `folder`, sorted by name: folders and pictures. The rest is counted.
    fn entries(&mut self, folder: &Path) -> Result<Entries, DataError> {
        let failed = |e| DataError::io(folder, e);
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            paths.push((entry.path(), entry.file_name(), entry.file_type().map_err(failed)?));
        }
        paths.sort_by(|a, b| a.0.cmp(&b.0));
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        for (path, name, kind) in paths {
            let name = name.to_string_lossy().to_lowercase();
            if LITTER.contains(&&*name) {
                self.skip(Reason::Litter, &path);
                continue;
            }
            if name.starts_with('.') {
                self.skip(Reason::Hidden, &path);
                continue;
            }
            // A link that leads nowhere is a file that cannot be read, which its reader tells.
            let kind = match kind.is_symlink() {
                true => fs::metadata(&path).map(|m| m.file_type()).ok(),
                false => Some(kind),
            };
            if kind.is_some_and(|k| k.is_dir()) {
                folders.push(path);
            } else if kind.is_some_and(|k| !k.is_file()) {
                self.skip(Reason::NoFile, &path);
            } else {
                match extension(&path) {
                    Some(e) if READ.contains(&&*e) => files.push(path),
                    Some(e) if UNREAD.contains(&&*e) => self.skip(Reason::UnreadPicture(e), &path),
                    Some(e) => self.skip(Reason::OtherFile(e), &path),
                    None => self.skip(Reason::NoExtension, &path),
                }
            }
        }
        Ok(Entries { folders, files })
    }

    fn finish(self) -> Listing {
        let skipped = self.skipped.into_iter().map(|(reason, (count, examples))| SkippedFiles {
            what: reason.to_string(),
            count,
            examples,
        });
        Listing { files: self.files, skipped: Skipped(skipped.collect()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    fn below(root: &Path, files: &[PathBuf]) -> Vec<String> {
        let name = |f: &PathBuf| f.strip_prefix(root).unwrap().display().to_string();
        files.iter().map(name).collect()
    }

    #[test]
    fn classes_have_the_pictures_at_any_depth() {
        let root = tree(&[
            "10/b.png",
            "10/a/z.PNG",
            "10/a/deep/x.jfif",
            "9/x.jpg",
            "2/y.webp",
            "2/y.heic",
            "top.png",
        ]);
        let classes = list_classes(root.path()).unwrap();
        assert_eq!(classes.names, ["2", "9", "10"]);
        assert_eq!(classes.labels, [0, 1, 2, 2, 2]);
        let files = below(root.path(), &classes.listing.files);
        assert_eq!(files, ["2/y.webp", "9/x.jpg", "10/a/deep/x.jfif", "10/a/z.PNG", "10/b.png"]);
        assert_eq!(
            classes.listing.skipped.to_string(),
            "1 .heic, a format of pictures that is not read (2/y.heic), \
             1 beside the class folders (top.png)"
        );
        let all = list(root.path()).unwrap();
        assert_eq!(all.files.len(), 6);
        assert_eq!(below(root.path(), &all.files)[0], "10/a/deep/x.jfif");
    }

    #[test]
    fn litter_is_no_class_and_no_picture() {
        let root = tree(&[
            "cat/1.png",
            "cat/Thumbs.db",
            "cat/desktop.ini",
            "cat/notes.txt",
            "cat/README",
            "cat/.ipynb_checkpoints/1-checkpoint.png",
            "dog/1.png",
            "dog/._1.png",
            "__MACOSX/cat/._1.png",
            "@eaDir/x.png",
            ".DS_Store",
        ]);
        let classes = list_classes(root.path()).unwrap();
        assert_eq!(classes.names, ["cat", "dog"]);
        assert_eq!(below(root.path(), &classes.listing.files), ["cat/1.png", "dog/1.png"]);
        let skipped = &classes.listing.skipped;
        assert_eq!(skipped.count(), 9);
        assert_eq!(
            skipped.to_string(),
            "1 .txt (cat/notes.txt), 1 without an extension (cat/README), \
             4 of an operating system or archive (@eaDir, __MACOSX, cat/Thumbs.db, …), \
             3 hidden (.DS_Store, cat/.ipynb_checkpoints, dog/._1.png)"
        );
        let text = serde_json::to_string(skipped).unwrap();
        assert_eq!(serde_json::from_str::<Skipped>(&text).unwrap(), *skipped);
        assert_eq!(list(root.path()).unwrap().files, classes.listing.files);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_never_in_circles() {
        use std::os::unix::fs::symlink;
        let root = tree(&["cat/1.png", "dog/in/2.png"]);
        let elsewhere = tree(&["3.png"]);
        let at = |name: &str| root.path().join(name);
        symlink(root.path(), at("cat/up")).unwrap();
        symlink(at("dog/in"), at("dog/again")).unwrap();
        symlink(elsewhere.path(), at("owl")).unwrap();
        symlink("/nonexistent/4.png", at("dog/4.png")).unwrap();
        let all = list(root.path()).unwrap();
        let files = below(root.path(), &all.files);
        assert_eq!(files, ["cat/1.png", "dog/4.png", "dog/in/2.png", "owl/3.png"]);
        let linked = &all.skipped.0[0];
        assert_eq!((linked.what.as_str(), linked.count), (&*Reason::Linked.to_string(), 2));
    }

    #[test]
    fn what_cannot_be_a_folder_of_classes_is_an_error() {
        let message = |files: &[&str]| {
            let root = tree(files);
            list_classes(root.path()).unwrap_err().to_string()
        };
        assert!(message(&["a.png"]).contains("found 1 pictures and no folder"));
        assert!(message(&["only/a.png"]).ends_with("`only`: expected two or more"));
        assert!(message(&["all/cat/a.png"]).contains("are the classes in `"));
        let empty = message(&["cat/a.png", "dog/a.heic", "dog/b.txt"]);
        assert!(empty.contains("class folder `dog` has no picture: expected .png"), "{empty}");
        assert!(empty.contains("1 .heic, a format of pictures that is not read"), "{empty}");
        let hidden = message(&["cat/a.png", "dog/.a.png"]);
        assert!(hidden.ends_with("found 1 hidden (dog/.a.png)"), "{hidden}");
    }

    #[test]
    fn folders_of_splits_are_told_from_folders_of_classes() {
        let splits =
            tree(&["train/cat/1.png", "train/dog/1.png", "val/cat/2.png", "val/dog/2.png"]);
        let note = list_classes(splits.path()).unwrap().note.unwrap();
        assert!(note.contains("`train`, `val` here") && note.contains("`cat`, `dog`"), "{note}");
        let cameras =
            tree(&["cat/1.png", "cat/c/1.png", "cat/d/1.png", "dog/c/1.png", "dog/d/1.png"]);
        assert_eq!(list_classes(cameras.path()).unwrap().note, None);
    }
}
