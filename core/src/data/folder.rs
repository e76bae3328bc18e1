//! Image folders: `root/class/*.png`, one folder a class, as `ImageFolder` of torchvision reads
//! them.
//!
//! PNG and JPEG are recognised by their content. Alpha is dropped, 16 bits are kept, an
//! orientation in the metadata is not applied: all as Pillow's `convert("RGB")` does.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ImageReader, Limits};
use ndarray::{Array3, Array4, ArrayViewMut3, Axis};
#[cfg(feature = "threads")]
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{DataError, Dataset, Samples, classes, name_of, raw};
use crate::data::resize::{Filter, pad, resize, to_grey, to_rgb};

/// The most bytes that one picture may decode to, so that a small file cannot fill the memory.
const MAX_DECODED: u64 = 256 << 20;

/// The longest side that a picture is scaled to.
const MAX_SIDE: usize = 4096;

/// The most values that the pictures of one folder may become, 16 GiB of them.
const MAX_VALUES: u64 = 1 << 32;

/// What becomes of a picture whose shape is not the wanted one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Height and width are scaled each by its own factor.
    #[default]
    Stretch,
    /// Both are scaled by one factor; what is left of the wanted size is black, half on each side.
    Pad,
}

/// How pictures become images of one shape. Their size is changed by [`Filter::Triangle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FolderOptions {
    /// (h, w), each from 1 to 4096; 32 × 32 by default.
    pub size: (usize, usize),
    /// 3, the default, or 1: the luma of [`to_grey`].
    pub channels: usize,
    /// How the size is reached.
    pub fit: Fit,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self { size: (32, 32), channels: 3, fit: Fit::Stretch }
    }
}

impl FolderOptions {
    fn check(&self) -> Result<(), DataError> {
        let Self { size: (h, w), channels, .. } = *self;
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&h) || !sides.contains(&w) || !matches!(channels, 1 | 3) {
            let reason = format!(
                "{channels} channels of {h}×{w}: expected 1 or 3 channels and sides from 1 to \
                 {MAX_SIDE}"
            );
            return Err(DataError::unusable("images", reason));
        }
        Ok(())
    }
}

/// Reads the pictures of every class folder in `root`, the classes in the order of
/// [`classes::sort`] and their pictures by name, into images `(n, c, h, w)` in [0, 1]. Hidden
/// files and files of other kinds are passed over, and so are folders within class folders.
///
/// Errors: no class folder, one alone, one without a picture, a picture that cannot be decoded.
pub fn read(root: &Path, options: &FolderOptions) -> Result<Dataset, DataError> {
    options.check()?;
    let unusable = |reason: String| Err(DataError::unusable(root.display().to_string(), reason));
    let Listing { folders, pictures } = list(root)?;
    let mut classes = folders.iter().map(|f| class_name(f)).collect::<Result<Vec<_>, _>>()?;
    classes::sort(&mut classes);
    match &classes[..] {
        [] => {
            return unusable(format!(
                "no class folder: expected one folder of pictures for each class, found {} \
                 pictures and no folder",
                pictures.len()
            ));
        }
        [class] => {
            let within = root.join(class);
            let hint = if list(&within)?.folders.is_empty() {
                String::new()
            } else {
                format!("; are the classes in `{}`?", within.display())
            };
            return unusable(format!(
                "one class folder alone, `{class}`: expected two or more{hint}"
            ));
        }
        _ => {}
    }
    let mut paths = Vec::new();
    let mut labels = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let pictures = list(&root.join(class))?.pictures;
        if pictures.is_empty() {
            return unusable(format!("class folder `{class}` has no .png, .jpg or .jpeg picture"));
        }
        labels.resize(labels.len() + pictures.len(), label);
        paths.extend(pictures);
    }
    let samples = Samples::Images(read_pictures(&paths, options)?);
    Ok(Dataset { name: name_of(root), samples, labels, classes })
}

fn class_name(folder: &Path) -> Result<String, DataError> {
    let name = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| {
        DataError::unusable(folder.display().to_string(), "the name of the class is not UTF-8 text")
    })
}

/// Reads one picture, or all pictures in a folder and the folders in it, in the order of their
/// paths, into images `(n, c, h, w)` in [0, 1].
///
/// Errors: no picture, a picture that cannot be decoded.
pub fn read_unlabelled(
    path: &Path,
    options: &FolderOptions,
) -> Result<(Vec<PathBuf>, Array4<f32>), DataError> {
    options.check()?;
    let mut paths = Vec::new();
    if path.is_dir() {
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            let listing = list(&folder)?;
            paths.extend(listing.pictures);
            // A linked folder may lead back up.
            folders.extend(listing.folders.into_iter().filter(|f| !f.is_symlink()));
        }
        paths.sort();
    } else {
        paths.push(path.to_owned());
    }
    if paths.is_empty() {
        return Err(DataError::unusable(
            path.display().to_string(),
            "no .png, .jpg or .jpeg picture in the folder",
        ));
    }
    let images = read_pictures(&paths, options)?;
    Ok((paths, images))
}

/// Decodes one picture into an image `(c, h, w)` in [0, 1]; `path` serves the messages only.
pub fn parse(bytes: &[u8], path: &Path, options: &FolderOptions) -> Result<Array3<f32>, DataError> {
    options.check()?;
    let full = decode(bytes)
        .map_err(|e| DataError::malformed(path, format!("not a readable PNG or JPEG: {e}")))?;
    let image = if options.channels == 1 { to_grey(&full)? } else { full };
    let (_, _, h, w) = image.dim();
    let (to_h, to_w) = options.size;
    let image = match options.fit {
        Fit::Stretch => resize(&image, options.size, Filter::Triangle)?,
        Fit::Pad => {
            let scale = (to_h as f64 / h as f64).min(to_w as f64 / w as f64);
            let side = |n: usize, to: usize| ((n as f64 * scale).round() as usize).clamp(1, to);
            let inner = resize(&image, (side(h, to_h), side(w, to_w)), Filter::Triangle)?;
            pad(&inner, options.size, 0.0)?
        }
    };
    let image = if options.channels == 3 { to_rgb(&image)? } else { image };
    Ok(image.index_axis_move(Axis(0), 0))
}

/// `(1, c, h, w)`, one channel where the picture has no colour.
fn decode(bytes: &[u8]) -> Result<Array4<f32>, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader = reader.with_guessed_format().map_err(|e| e.to_string())?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| e.to_string())?;
    let (h, w) = (picture.height() as usize, picture.width() as usize);
    let (c, values) = if picture.color().has_color() {
        (3, picture.into_rgb32f().into_raw())
    } else {
        (1, picture.to_luma32f().into_raw())
    };
    let image = Array4::from_shape_vec((1, h, w, c), values).map_err(|e| e.to_string())?;
    Ok(image.permuted_axes([0, 3, 1, 2]).as_standard_layout().into_owned())
}

/// `(n, c, h, w)`, decoded in parallel; the error is that of the first bad picture.
fn read_pictures(paths: &[PathBuf], options: &FolderOptions) -> Result<Array4<f32>, DataError> {
    let (h, w) = options.size;
    if (paths.len() * options.channels) as u64 * (h * w) as u64 > MAX_VALUES {
        let reason = format!("{} of {h}×{w} exceed 16 GiB: expected a smaller size", paths.len());
        return Err(DataError::unusable("pictures", reason));
    }
    let mut images = Array4::zeros((paths.len(), options.channels, h, w));
    let read = |(mut image, path): (ArrayViewMut3<'_, f32>, &PathBuf)| {
        image.assign(&parse(&raw::read(path)?, path, options)?);
        Ok(())
    };
    let pairs: Vec<_> = images.outer_iter_mut().zip(paths).collect();
    #[cfg(feature = "threads")]
    let results: Vec<Result<(), DataError>> = pairs.into_par_iter().map(read).collect();
    #[cfg(not(feature = "threads"))]
    let results: Vec<Result<(), DataError>> = pairs.into_iter().map(read).collect();
    results.into_iter().collect::<Result<(), DataError>>()?;
    Ok(images)
}

/// What lies in a folder, without hidden files, sorted by name.
pub(super) struct Listing {
    pub(super) folders: Vec<PathBuf>,
    pictures: Vec<PathBuf>,
}

pub(super) fn list(folder: &Path) -> Result<Listing, DataError> {
    let failed = |e| DataError::io(folder, e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    let (folders, mut pictures): (Vec<_>, Vec<_>) = paths.into_iter().partition(|p| p.is_dir());
    pictures.retain(|path| is_picture(path));
    Ok(Listing { folders, pictures })
}

/// Whether the name ends as a picture's does.
pub(super) fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["png", "jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};
    use ndarray::s;

    use super::*;

    const GREY: FolderOptions = FolderOptions { size: (2, 2), channels: 1, fit: Fit::Stretch };

    fn grey(value: u8) -> GrayImage {
        GrayImage::from_pixel(4, 2, Luma([value]))
    }

    /// Three classes, among them numbers, hidden files and files of other kinds.
    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, value) in
            [("10/b.png", 51), ("10/a.PNG", 0), ("9/x.jpg", 255), ("2/y.jpeg", 255)]
        {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let format = if name.starts_with("10") { ImageFormat::Png } else { ImageFormat::Jpeg };
            grey(value).save_with_format(path, format).unwrap();
        }
        fs::create_dir(root.path().join(".cache")).unwrap();
        fs::create_dir(root.path().join("10/more")).unwrap();
        for name in [".DS_Store", "README.txt", "10/.hidden.png", "10/Thumbs.db"] {
            fs::write(root.path().join(name), "none of ours").unwrap();
        }
        root
    }

    fn message<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn classes_and_pictures_come_in_order() {
        let root = tree();
        let dataset = read(root.path(), &GREY).unwrap();
        assert_eq!(dataset.classes, ["2", "9", "10"]);
        assert_eq!(dataset.labels, [0, 1, 2, 2]);
        assert_eq!(dataset.name, root.path().file_name().unwrap().to_string_lossy());
        let Samples::Images(x) = dataset.samples else { panic!("expected images") };
        assert_eq!(x.dim(), (4, 1, 2, 2));
        let mean = |i| x.index_axis(Axis(0), i).mean().unwrap();
        assert_eq!([mean(0), mean(1), mean(2), mean(3)], [1.0, 1.0, 0.0, 0.2]);
    }

    #[test]
    fn unlabelled_pictures_flat_nested_or_alone() {
        let root = tree();
        let (paths, x) = read_unlabelled(root.path(), &GREY).unwrap();
        let names: Vec<_> = paths.iter().map(|p| p.strip_prefix(root.path()).unwrap()).collect();
        assert_eq!(names, ["10/a.PNG", "10/b.png", "2/y.jpeg", "9/x.jpg"].map(Path::new));
        assert_eq!(x.dim(), (4, 1, 2, 2));
        let one = root.path().join("10/b.png");
        let (paths, x) = read_unlabelled(&one, &FolderOptions { channels: 3, ..GREY }).unwrap();
        assert_eq!((paths, x), (vec![one], Array4::from_elem((1, 3, 2, 2), 0.2)));
        let empty = tempfile::tempdir().unwrap();
        assert!(message(read_unlabelled(empty.path(), &GREY)).contains("no .png, .jpg or .jpeg"));
    }

    #[test]
    fn channels_and_shapes_are_as_asked() {
        let mut bytes = Cursor::new(Vec::new());
        let red = RgbImage::from_pixel(4, 2, Rgb([255, 0, 0]));
        red.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let parse = |options| parse(bytes.get_ref(), Path::new("x.png"), &options).unwrap();
        let luma = parse(GREY);
        assert!(luma.iter().all(|v| (v - 0.299).abs() < 1e-6), "{luma}");
        let padded = parse(FolderOptions { size: (4, 4), channels: 3, fit: Fit::Pad });
        let red = padded.index_axis(Axis(0), 0);
        assert_eq!(red.sum(), 8.0);
        assert_eq!(red.slice(s![1..3, ..]).sum(), 8.0);
        assert_eq!(padded.slice(s![1.., .., ..]).sum(), 0.0);
        let narrow = parse(FolderOptions { size: (4, 1), channels: 3, fit: Fit::Pad });
        assert_eq!((narrow.dim(), narrow.sum()), ((3, 4, 1), 1.0));
    }

    #[test]
    fn sixteen_bits_are_kept() {
        let mut bytes = Cursor::new(Vec::new());
        let deep = image::ImageBuffer::<Luma<u16>, _>::from_pixel(1, 1, Luma([1u16]));
        deep.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let x = parse(bytes.get_ref(), Path::new("x.png"), &FolderOptions { size: (1, 1), ..GREY });
        assert_eq!(x.unwrap()[[0, 0, 0]], 1.0 / 65535.0);
    }

    #[test]
    fn messages_say_what_is_wrong() {
        let root = tempfile::tempdir().unwrap();
        let fails = |part: &str| {
            let message = message(read(root.path(), &GREY));
            assert!(message.contains(part), "{message}");
        };
        fails("no class folder: expected one folder of pictures for each class, found 0 pictures");
        grey(0).save(root.path().join("a.png")).unwrap();
        fails("found 1 pictures and no folder");
        fs::create_dir_all(root.path().join("images/cat")).unwrap();
        fails("one class folder alone, `images`: expected two or more; are the classes in `");
        fs::create_dir(root.path().join("dog")).unwrap();
        grey(0).save(root.path().join("dog/a.png")).unwrap();
        fails("class folder `images` has no .png, .jpg or .jpeg picture");
        fs::write(root.path().join("images/spoilt.jpg"), b"\xff\xd8\xff\xe0 not much").unwrap();
        fails("spoilt.jpg: not a readable PNG or JPEG: ");
        assert!(message(read(&root.path().join("none"), &GREY)).contains("none: "));
        let no_size = FolderOptions { size: (0, 2), ..GREY };
        assert!(message(read(root.path(), &no_size)).contains("1 channels of 0×2: expected"));
        assert!(
            message(read(root.path(), &FolderOptions { channels: 2, ..GREY })).contains("1 or 3")
        );
    }

    #[test]
    fn a_small_file_cannot_ask_for_much() {
        let mut png = Cursor::new(Vec::new());
        grey(0).write_to(&mut png, ImageFormat::Png).unwrap();
        let mut png = png.into_inner();
        // Width and height of the header, with its checksum.
        png[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        let mut crc = flate2::Crc::new();
        crc.update(&png[12..29]);
        png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        let message = message(parse(&png, Path::new("x.png"), &GREY));
        assert!(message.contains("limit"), "{message}");
    }
}
