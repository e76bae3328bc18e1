//! Image folders: `root/class/*.png`, one folder a class, as `ImageFolder` of torchvision reads
//! them. Which files count is said in [`pictures`], how they are decoded too: nothing is, before it
//! is needed.

use std::path::Path;

use ndarray::Array3;
use serde::{Deserialize, Serialize};

use super::pictures::{self, Classes, Listing, Pictures, Raster, value};
use super::{DataError, Dataset, Samples, name_of};
use crate::data::resize::Filter;
#[cfg(doc)]
use crate::data::resize::to_grey;

/// The longest side that a picture is scaled to.
const MAX_SIDE: usize = 4096;

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

/// How pictures become images of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FolderOptions {
    /// (h, w), each from 1 to 4096; 32 × 32 by default.
    pub size: (usize, usize),
    /// 3, the default, or 1: the luma of [`to_grey`].
    pub channels: usize,
    /// How the size is reached.
    pub fit: Fit,
    /// How pixels are made when the size changes.
    pub filter: Filter,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self { size: (32, 32), channels: 3, fit: Fit::Stretch, filter: Filter::Triangle }
    }
}

impl FolderOptions {
    pub(super) fn check(&self) -> Result<(), DataError> {
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

    /// The levels `(c, h, w)` of a picture.
    pub(super) fn image(&self, picture: Raster) -> Result<Vec<u16>, String> {
        let picture = if self.channels == 1 { picture.grey() } else { picture };
        let (to_h, to_w) = self.size;
        let inner = match self.fit {
            Fit::Stretch => self.size,
            Fit::Pad => {
                let (h, w) = (picture.h, picture.w);
                let scale = (to_h as f64 / h as f64).min(to_w as f64 / w as f64);
                let side = |n: usize, to: usize| ((n as f64 * scale).round() as usize).clamp(1, to);
                (side(h, to_h), side(w, to_w))
            }
        };
        Ok(picture.resized(inner, self.filter)?.levels(self.size, self.channels))
    }
}

/// The pictures of every class folder in `root`, at any depth below it: the classes in the order of
/// [`classes::sort`](super::classes::sort), their pictures by path.
///
/// Errors: no class folder, one alone, one without a picture, and those of [`Pictures`].
pub fn read(root: &Path, options: &FolderOptions) -> Result<Dataset, DataError> {
    options.check()?;
    let Classes { names: classes, labels, listing, note } = pictures::list_classes(root)?;
    let samples = Samples::Pictures(Pictures::open(root, listing, note, options)?);
    Ok(Dataset { name: name_of(root), samples, labels, classes })
}

/// One picture, or all pictures in a folder and the folders in it, in the order of their paths.
///
/// Errors: no picture, and those of [`Pictures`].
pub fn read_unlabelled(path: &Path, options: &FolderOptions) -> Result<Pictures, DataError> {
    options.check()?;
    let listing = match path.is_dir() {
        true => pictures::list(path)?,
        false => Listing { files: vec![path.to_owned()], ..Listing::default() },
    };
    if listing.files.is_empty() {
        let found = match listing.skipped.is_empty() {
            true => "nothing".to_owned(),
            false => listing.skipped.to_string(),
        };
        return Err(DataError::unusable(
            path.display().to_string(),
            format!(
                "no picture in the folder: expected .png, .jpg, .bmp, .gif, .webp, .tif, .ppm, .tga \
                 or .qoi files, found {found}"
            ),
        ));
    }
    Pictures::open(path, listing, None, options)
}

/// Decodes one picture into an image `(c, h, w)` in [0, 1]; `path` serves the messages, and tells a
/// TGA file.
pub fn parse(bytes: &[u8], path: &Path, options: &FolderOptions) -> Result<Array3<f32>, DataError> {
    options.check()?;
    let picture = Raster::decode(bytes, path).map_err(|e| DataError::malformed(path, e))?;
    let levels = options.image(picture).map_err(|e| DataError::malformed(path, e))?;
    let values = levels.into_iter().map(value).collect();
    let (h, w) = options.size;
    Array3::from_shape_vec((options.channels, h, w), values)
        .map_err(|e| DataError::malformed(path, e.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;

    use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};
    use ndarray::{Array4, Axis, s};

    use super::*;

    const GREY: FolderOptions =
        FolderOptions { size: (2, 2), channels: 1, fit: Fit::Stretch, filter: Filter::Triangle };

    fn grey(value: u8) -> GrayImage {
        GrayImage::from_pixel(4, 2, Luma([value]))
    }

    /// Three classes, among them numbers, a folder within one, hidden files and files of other kinds.
    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, value) in
            [("10/in/b.png", 51), ("10/a.PNG", 0), ("9/x.jpg", 255), ("2/y.jpeg", 255)]
        {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let format = if name.starts_with("10") { ImageFormat::Png } else { ImageFormat::Jpeg };
            grey(value).save_with_format(path, format).unwrap();
        }
        fs::create_dir(root.path().join(".cache")).unwrap();
        fs::create_dir(root.path().join("10/none")).unwrap();
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
        assert_eq!(dataset.samples.row_shape(), [1, 2, 2]);
        let x = dataset.samples.images(&[0, 1, 2, 3]).unwrap().unwrap();
        let mean = |i| x.index_axis(Axis(0), i).mean().unwrap();
        assert_eq!([mean(0), mean(1), mean(2), mean(3)], [1.0, 1.0, 0.0, 0.2]);
    }

    #[test]
    fn unlabelled_pictures_flat_nested_or_alone() {
        let root = tree();
        let x = read_unlabelled(root.path(), &GREY).unwrap();
        let names: Vec<_> = x.paths().map(|p| p.strip_prefix(root.path()).unwrap()).collect();
        assert_eq!(names, ["10/a.PNG", "10/in/b.png", "2/y.jpeg", "9/x.jpg"].map(Path::new));
        assert_eq!(x.skipped().count(), 5);
        let one = root.path().join("10/in/b.png");
        let x = read_unlabelled(&one, &FolderOptions { channels: 3, ..GREY }).unwrap();
        assert_eq!((x.len(), x.path(0)), (1, &*one));
        assert_eq!(x.images(&[0]).unwrap(), Array4::from_elem((1, 3, 2, 2), 0.2));
        let empty = tempfile::tempdir().unwrap();
        assert!(message(read_unlabelled(empty.path(), &GREY)).contains("found nothing"));
    }

    #[test]
    fn channels_and_shapes_are_as_asked() {
        let mut bytes = Cursor::new(Vec::new());
        let red = RgbImage::from_pixel(4, 2, Rgb([255, 0, 0]));
        red.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let parse = |options| parse(bytes.get_ref(), Path::new("x.png"), &options).unwrap();
        let luma = parse(GREY);
        assert!(luma.iter().all(|v| (v - 0.299).abs() < 1e-6), "{luma}");
        let padded = parse(FolderOptions { size: (4, 4), channels: 3, fit: Fit::Pad, ..GREY });
        let red = padded.index_axis(Axis(0), 0);
        assert_eq!(red.sum(), 8.0);
        assert_eq!(red.slice(s![1..3, ..]).sum(), 8.0);
        assert_eq!(padded.slice(s![1.., .., ..]).sum(), 0.0);
        let narrow = parse(FolderOptions { size: (4, 1), channels: 3, fit: Fit::Pad, ..GREY });
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
        fails("class folder `images` has no picture: expected .png");
        fs::write(root.path().join("images/spoilt.jpg"), b"\xff\xd8\xff\xe0 not much").unwrap();
        fails("spoilt.jpg: the file ends early");
        fs::write(root.path().join("images/spoilt.jpg"), b"<html>").unwrap();
        fails("spoilt.jpg: its content is of no known format: expected PNG, JPEG,");
        fs::write(root.path().join("images/spoilt.jpg"), b"").unwrap();
        fails("spoilt.jpg: the file is empty");
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
