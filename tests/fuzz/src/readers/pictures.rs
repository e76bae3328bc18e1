//! Pictures: the format is that of the content.

use std::io::Cursor;
use std::path::Path;

use anyhow::Result;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::pnm::{PnmEncoder, PnmSubtype, SampleEncoding};
use image::codecs::webp::WebPEncoder;
use image::{
    DynamicImage, ExtendedColorType, GrayImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage,
};
use transduct_core::data::{
    folder::{Fit, FolderOptions},
    read::{LabelSearch, ReadOptions},
    resize::Filter,
};

use super::{at_the_door, choice};
use crate::Reader;

/// The content has no mark of a format in TGA alone, which goes by the name.
pub(super) const PICTURES: Reader = Reader { name: "pictures", file: "input.tga", seeds, read };

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("a format that has such pictures");
    bytes.into_inner()
}

fn seeds() -> Vec<Vec<u8>> {
    let grey = GrayImage::from_fn(9, 7, |x, y| Luma([(x * 20 + y) as u8]));
    let rgb = RgbImage::from_fn(8, 6, |x, y| Rgb([(x * 30) as u8, (y * 40) as u8, (x * y) as u8]));
    let rgba = RgbaImage::from_fn(5, 5, |x, y| Rgba([(x * 50) as u8, (y * 50) as u8, 7, 200]));
    let (grey, rgb, rgba) =
        (DynamicImage::from(grey), DynamicImage::from(rgb), DynamicImage::from(rgba));
    let (deep, floats) = (DynamicImage::from(rgb.to_rgb16()), DynamicImage::from(rgb.to_rgb32f()));
    use ImageFormat::{Bmp, Farbfeld, Gif, Jpeg, Png, Pnm, Qoi, Tga, Tiff, WebP};
    let mut seeds = Vec::new();
    for format in [Png, Jpeg, Bmp, Gif, WebP, Tiff, Pnm, Tga, Qoi] {
        seeds.push(encoded(&rgb, format));
    }
    for format in [Png, Jpeg, Bmp, Tiff, Pnm, Tga] {
        seeds.push(encoded(&grey, format));
    }
    for format in [Png, Gif, WebP, Tga, Qoi, Tiff] {
        seeds.push(encoded(&rgba, format));
    }
    seeds.extend([encoded(&deep, Png), encoded(&deep, Tiff), encoded(&floats, Tiff)]);
    seeds.push(encoded(&DynamicImage::from(rgba.to_rgba16()), Farbfeld));
    for (subtype, bytes) in [
        (PnmSubtype::Graymap(SampleEncoding::Ascii), grey.as_bytes()),
        (PnmSubtype::Pixmap(SampleEncoding::Ascii), rgb.as_bytes()),
    ] {
        let mut out = Vec::new();
        let (picture, colour) = match subtype {
            PnmSubtype::Graymap(_) => (&grey, ExtendedColorType::L8),
            _ => (&rgb, ExtendedColorType::Rgb8),
        };
        let encoder = PnmEncoder::new(&mut out).with_subtype(subtype);
        let (w, h) = (picture.width(), picture.height());
        image::ImageEncoder::write_image(encoder, bytes, w, h, colour).expect("memory");
        seeds.push(out);
    }
    // Another quality has other tables.
    let mut fine = Vec::new();
    rgb.write_with_encoder(JpegEncoder::new_with_quality(&mut fine, 100)).expect("memory");
    seeds.push(with_orientation(&fine, 6));
    let mut lossless = Vec::new();
    grey.to_rgb8().write_with_encoder(WebPEncoder::new_lossless(&mut lossless)).expect("memory");
    seeds.push(lossless);
    seeds
}

/// A JPEG with a segment of metadata that says how the camera was held.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xff, 0xe1]);
    bytes.extend((exif.len() as u16 + 2).to_be_bytes());
    bytes.extend(exif);
    bytes.extend(&jpeg[2..]);
    bytes
}

fn read(path: &Path) -> Result<()> {
    let default = FolderOptions { size: (8, 8), ..FolderOptions::default() };
    let pictures = match choice(path, 8)? {
        0 => FolderOptions { channels: 1, ..default },
        1 => FolderOptions { fit: Fit::Pad, ..default },
        2 => FolderOptions { filter: Filter::Area, ..default },
        3 => FolderOptions { filter: Filter::Nearest, ..default },
        4 => FolderOptions { filter: Filter::Bilinear, channels: 1, ..default },
        _ => default,
    };
    let options = ReadOptions { pictures, ..ReadOptions::default() };
    at_the_door(path, &options, LabelSearch::Unread)
}
