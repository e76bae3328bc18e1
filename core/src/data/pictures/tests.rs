use std::fs;
use std::io::Cursor;

use image::{DynamicImage, ImageBuffer, ImageEncoder, ImageFormat, Rgb, RgbImage, RgbaImage};
use ndarray::{Array3, Array4, s};

use super::*;
use crate::data::folder::{self, Fit};
use crate::data::normalise::Normalisation;
use crate::data::resize::{Filter, resize};
use crate::data::{Channels, Dataset};

const SMALL: FolderOptions =
    FolderOptions { size: (6, 5), channels: 3, fit: Fit::Stretch, filter: Filter::Triangle };

/// A picture without symmetry.
fn photo(seed: u32) -> RgbImage {
    ImageBuffer::from_fn(9, 7, |x, y| {
        Rgb([0, 1, 2].map(|c| ((x * 37 + y * 91 + c * 53 + seed * 17) % 251) as u8))
    })
}

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Two classes of five PNG files.
fn tree() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for class in 0..2 {
        fs::create_dir(root.path().join(["cat", "dog"][class])).unwrap();
        for i in 0..5 {
            let path = root.path().join(format!("{}/{i}.png", ["cat", "dog"][class]));
            fs::write(path, encoded(&photo((5 * class + i) as u32), ImageFormat::Png)).unwrap();
        }
    }
    root
}

fn read(root: &tempfile::TempDir) -> Pictures {
    let Dataset { samples: Samples::Pictures(x), .. } = folder::read(root.path(), &SMALL).unwrap()
    else {
        panic!("a folder has pictures")
    };
    x
}

const ROWS: [usize; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

#[test]
fn every_format_is_read_by_its_content() {
    let options = FolderOptions { size: (7, 9), ..SMALL };
    let exact = |bytes: &[u8], path: &str| {
        let image = folder::parse(bytes, Path::new(path), &options).unwrap();
        image.mapv(|v| (v * 255.0).round() as u8)
    };
    let wanted = Array3::from_shape_fn((3, 7, 9), |(c, y, x)| photo(1)[(x as u32, y as u32)].0[c]);
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::WebP,
        ImageFormat::Tiff,
        ImageFormat::Pnm,
        ImageFormat::Qoi,
    ] {
        assert_eq!(exact(&encoded(&photo(1), format), "x.jpg"), wanted, "{format:?}");
    }
    assert_eq!(exact(&encoded(&photo(1), ImageFormat::Tga), "x.tga"), wanted);
    let jpeg = exact(&encoded(&photo(1), ImageFormat::Jpeg), "x.png");
    let gif = {
        let rgba = DynamicImage::ImageRgb8(photo(1)).into_rgba8();
        let mut bytes = Vec::new();
        image::codecs::gif::GifEncoder::new(&mut bytes)
            .encode(&rgba, 9, 7, image::ColorType::Rgba8.into())
            .unwrap();
        exact(&bytes, "x.gif")
    };
    for near in [jpeg, gif] {
        let mean = |x: &Array3<u8>| x.iter().map(|&v| f64::from(v)).sum::<f64>() / x.len() as f64;
        assert!((mean(&near) - mean(&wanted)).abs() < 8.0);
    }
}

#[test]
fn alpha_is_dropped_and_orientation_applied() {
    let options = FolderOptions { size: (9, 7), ..SMALL };
    let picture = photo(3);
    let rgba = RgbaImage::from_fn(9, 7, |x, y| {
        let [r, g, b] = picture[(x, y)].0;
        image::Rgba([r, g, b, (x * 20) as u8])
    });
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    // Orientation 6, as a phone held upright has it: the sensor's left is the picture's top.
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&rgba, 9, 7, image::ExtendedColorType::Rgba8).unwrap();
    let image = folder::parse(&bytes, Path::new("x.png"), &options).unwrap();
    for ((c, y, x), v) in image.indexed_iter() {
        // Turned clockwise: what was at the bottom left is now at the top left.
        let from = picture[(y as u32, 6 - x as u32)].0[c];
        assert_eq!((v * 255.0).round() as u8, from, "{c} {y} {x}");
    }
}

/// Every proper prefix of a file is refused, whatever the format.
#[test]
fn a_picture_that_ends_early_is_an_error() {
    let progressive = include_bytes!("progressive.jpg").to_vec();
    let formats = [
        ("png", encoded(&photo(1), ImageFormat::Png)),
        ("jpg", encoded(&photo(1), ImageFormat::Jpeg)),
        ("jpg", progressive),
        ("bmp", encoded(&photo(1), ImageFormat::Bmp)),
        ("webp", encoded(&photo(1), ImageFormat::WebP)),
        ("tif", encoded(&photo(1), ImageFormat::Tiff)),
        ("ppm", encoded(&photo(1), ImageFormat::Pnm)),
        ("qoi", encoded(&photo(1), ImageFormat::Qoi)),
        ("tga", encoded(&photo(1), ImageFormat::Tga)),
    ];
    for (name, bytes) in formats {
        let path = format!("x.{name}");
        folder::parse(&bytes, Path::new(&path), &SMALL).unwrap();
        for end in 0..bytes.len() {
            let result = folder::parse(&bytes[..end], Path::new(&path), &SMALL);
            // What is left out at the very end may be padding that is no part of the picture.
            assert!(result.is_err() || end + 8 >= bytes.len() && name != "jpg", "{name} {end}");
        }
        // What follows the end is no part of it.
        let longer = [&bytes[..], b"\0\0more"].concat();
        folder::parse(&longer, Path::new(&path), &SMALL).unwrap();
    }
}

#[test]
fn rows_are_the_same_whatever_the_cache_and_the_threads() {
    let root = tree();
    let first = read(&root).images(&ROWS).unwrap();
    let eager: Vec<_> = {
        let pictures = read(&root);
        let parse = |p: &PathBuf| folder::parse(&fs::read(p).unwrap(), p, &SMALL).unwrap();
        pictures.paths().map(parse).collect()
    };
    for (a, b) in first.outer_iter().zip(&eager) {
        assert_eq!(a, b);
    }
    let on = |n, f: &(dyn Fn() -> Array4<f32> + Sync)| {
        rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(f)
    };
    for threads in [1, 2, 3] {
        let pictures = read(&root);
        assert_eq!(on(threads, &|| pictures.images(&ROWS).unwrap()), first);
        let ahead = || {
            let _ahead = pictures.ahead(&ROWS[3..]);
            pictures.images(&ROWS).unwrap()
        };
        assert_eq!(on(threads, &ahead), first);
        let picked = pictures.select(&[7, 2, 2]);
        let images = on(threads, &|| picked.images(&[2, 0]).unwrap());
        assert_eq!(images.index_axis(ndarray::Axis(0), 0), eager[2]);
        assert_eq!(images.index_axis(ndarray::Axis(0), 1), eager[7]);
    }
}

#[test]
fn preparation_is_that_of_images_in_memory() {
    let root = tree();
    let lazy = Samples::Pictures(read(&root));
    let eager = Samples::Images(lazy.images(&ROWS).unwrap().unwrap());
    let rows = |samples: &Samples| samples.images(&ROWS).unwrap().unwrap();
    let grey = Framing { channels: Some(Channels::Grey), ..Framing::boxed(4, 8) };
    let framed = [lazy.clone(), eager.clone()].map(|x| grey.apply(x).unwrap());
    assert_eq!(framed[0].row_shape(), [1, 8, 8]);
    let gap = (&rows(&framed[0]) - &rows(&framed[1])).mapv(f32::abs);
    assert!(gap.iter().all(|&gap| gap <= 0.51 / 65535.0), "{gap}");
    let stats = Normalisation::channel_stats(&lazy).unwrap();
    assert_eq!(stats, Normalisation::channel_stats(&eager).unwrap());
    for step in [stats, Normalisation::PerImageMean, Normalisation::L2Rows] {
        let both = [lazy.clone(), eager.clone()].map(|x| step.fit(&x).unwrap().apply(x).unwrap());
        assert_eq!(rows(&both[0]), rows(&both[1]));
    }
    assert!(Normalisation::ZScore { ddof: 0 }.fit(&lazy).is_err());
    assert_eq!(Framing::default().apply(lazy.clone()).unwrap(), lazy);
    assert_ne!(framed[0], lazy);
    assert_ne!(lazy.select(&[1, 0]), lazy.select(&[0, 1]));
}

#[test]
fn a_file_that_spoils_later_is_an_error_with_its_path() {
    let root = tree();
    let pictures = read(&root);
    fs::write(root.path().join("dog/2.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let message = pictures.images(&ROWS).unwrap_err().to_string();
    assert!(message.contains("dog/2.png: the file ends early"), "{message}");
    {
        let _ahead = pictures.ahead(&ROWS);
        assert!(pictures.images(&[7]).is_err());
    }
    // Mended, it is read.
    fs::write(root.path().join("dog/2.png"), encoded(&photo(7), ImageFormat::Png)).unwrap();
    assert_eq!(pictures.images(&ROWS).unwrap(), read(&root).images(&ROWS).unwrap());
}

#[test]
fn what_was_read_has_a_hash() {
    let root = tree();
    let before = read(&root);
    assert_eq!(before.digests(), read(&root).digests());
    fs::write(root.path().join("cat/0.png"), encoded(&photo(99), ImageFormat::Png)).unwrap();
    let after = read(&root);
    let changed = before.digests().iter().zip(after.digests()).filter(|(old, new)| old != new);
    assert_eq!(changed.map(|(old, _)| old.name.as_str()).collect::<Vec<_>>(), ["cat/0.png"]);
}

#[test]
fn a_padded_picture_keeps_its_proportions() {
    let root = tree();
    let options = FolderOptions { size: (9, 9), fit: Fit::Pad, ..SMALL };
    let x = folder::read_unlabelled(root.path(), &options).unwrap().images(&[0]).unwrap();
    assert_eq!(x.slice(s![.., .., 0, ..]).sum() + x.slice(s![.., .., 8, ..]).sum(), 0.0);
    let pixel = photo(0)[(4, 3)].0.map(|v| f32::from(v) / 255.0);
    assert_eq!(x.slice(s![0, .., 4, 4]).to_vec(), pixel);
}

/// The resizing of files agrees with that of arrays within the steps that are kept.
#[test]
fn every_filter_is_that_of_arrays() {
    for filter in [Filter::Triangle, Filter::Bilinear, Filter::Nearest, Filter::Area] {
        for (c, h, w) in [(1, 5, 13), (3, 7, 3), (3, 7, 9), (3, 30, 4), (1, 2, 31)] {
            let options = FolderOptions { size: (h, w), channels: c, filter, ..SMALL };
            let whole = FolderOptions { size: (7, 9), ..options };
            let png = encoded(&photo(2), ImageFormat::Png);
            let image = |options| folder::parse(&png, Path::new("x.png"), options).unwrap();
            let array = image(&whole).insert_axis(ndarray::Axis(0));
            let wanted = resize(&array, (h, w), filter).unwrap();
            let gap = (image(&options).insert_axis(ndarray::Axis(0)) - wanted).mapv(f32::abs);
            let gap = gap.iter().copied().fold(0.0, f32::max);
            assert!(gap <= 1.01 / 65535.0, "{filter:?} {h} × {w}: {}", gap * 65535.0);
        }
    }
}
