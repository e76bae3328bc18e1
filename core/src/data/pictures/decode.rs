//! One file to one picture.
//!
//! The format is that of the content. An orientation in the metadata is applied, alpha is dropped,
//! CMYK becomes RGB, of an animation or several pages the first counts: as Pillow's `open`,
//! `exif_transpose` and `convert("RGB")` have it. 16 bits are kept. Colour profiles are not applied.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U16, U16x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use ndarray::Array4;

use super::complete;
use super::store::{level, value};
use crate::data::resize::{Filter, resize};

/// The most bytes that one picture may decode to, so that a small file cannot fill the memory.
const MAX_DECODED: u64 = 256 << 20;

/// A picture of levels from 0 to 65535. A byte v is 257 v, so that v / 255 stays exact.
pub(in crate::data) struct Raster {
    pub(in crate::data) h: usize,
    pub(in crate::data) w: usize,
    pixels: Pixels,
}

/// Row by row.
enum Pixels {
    Grey(Vec<U16>),
    Rgb(Vec<U16x3>),
}

impl Raster {
    /// One channel where the picture has no colour. `path` is asked for its extension where the
    /// content has no mark of a format, as in TGA.
    pub(in crate::data) fn decode(bytes: &[u8], path: &Path) -> Result<Self, String> {
        guarded(|| Self::decode_unguarded(bytes, path))
    }

    fn decode_unguarded(bytes: &[u8], path: &Path) -> Result<Self, String> {
        let format = format(bytes, path)?;
        complete::check(bytes, format)?;
        let mut decoder = decoder(bytes, format)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| told(&e, format))?;
        picture.apply_orientation(orientation);
        let (h, w) = (picture.height() as usize, picture.width() as usize);
        Ok(Self { h, w, pixels: pixels(picture)? })
    }

    /// One channel: the luma of ITU-R BT.601, Y = 0.299 R + 0.587 G + 0.114 B, as
    /// [`crate::data::resize::to_grey`] has it.
    pub(in crate::data) fn grey(self) -> Self {
        let luma = |p: &U16x3| {
            let [r, g, b] = p.0.map(u32::from);
            U16::new(((299 * r + 587 * g + 114 * b + 500) / 1000) as u16)
        };
        let pixels = match self.pixels {
            Pixels::Rgb(pixels) => Pixels::Grey(pixels.iter().map(luma).collect()),
            grey => grey,
        };
        Self { pixels, ..self }
    }

    /// Another size. In integers, so that every instruction set gives the same.
    pub(in crate::data) fn resized(
        self,
        (h, w): (usize, usize),
        filter: Filter,
    ) -> Result<Self, String> {
        if (h, w) == (self.h, self.w) {
            return Ok(self);
        }
        let from = (self.h, self.w);
        let pixels = match self.pixels {
            Pixels::Grey(pixels) => Pixels::Grey(match filter {
                Filter::Area => {
                    let values = pixels.iter().map(|p| value(p.0)).collect();
                    by_area(values, (1, from), (h, w))?
                        .iter()
                        .map(|&v| U16::new(level(v)))
                        .collect()
                }
                _ => resized(&pixels, from, (h, w), filter)?,
            }),
            Pixels::Rgb(pixels) => Pixels::Rgb(match filter {
                Filter::Area => {
                    let channel = |c| pixels.iter().map(move |p: &U16x3| value(p.0[c]));
                    let values = (0..3).flat_map(channel).collect();
                    let x = by_area(values, (3, from), (h, w))?;
                    let pixel = |i| U16x3::new([0, 1, 2].map(|c| level(x[c * h * w + i])));
                    (0..h * w).map(pixel).collect()
                }
                _ => resized(&pixels, from, (h, w), filter)?,
            }),
        };
        Ok(Self { h, w, pixels })
    }

    /// The levels `(c, h, w)` in the middle of `size` of black, of `channels` = 1 or 3, the one or three
    /// that there are; an odd pixel goes below and to the right.
    pub(in crate::data) fn levels(self, size: (usize, usize), channels: usize) -> Vec<u16> {
        let mut levels = vec![0; channels * size.0 * size.1];
        let (top, left) = ((size.0 - self.h) / 2, (size.1 - self.w) / 2);
        for (c, plane) in levels.chunks_exact_mut(size.0 * size.1).enumerate() {
            for (i, row) in plane.chunks_exact_mut(size.1).skip(top).take(self.h).enumerate() {
                let row = &mut row[left..left + self.w];
                let from = i * self.w..(i + 1) * self.w;
                match &self.pixels {
                    Pixels::Grey(pixels) => {
                        row.iter_mut().zip(&pixels[from]).for_each(|(v, p)| *v = p.0);
                    }
                    Pixels::Rgb(pixels) => {
                        row.iter_mut().zip(&pixels[from]).for_each(|(v, p)| *v = p.0[c]);
                    }
                }
            }
        }
        levels
    }
}

fn resized<P: PixelTrait>(
    pixels: &[P],
    from: (usize, usize),
    (h, w): (usize, usize),
    filter: Filter,
) -> Result<Vec<P>, String> {
    let algorithm = match filter {
        Filter::Nearest => ResizeAlg::Nearest,
        Filter::Bilinear => ResizeAlg::Interpolation(FilterType::Bilinear),
        Filter::Triangle | Filter::Area => ResizeAlg::Convolution(FilterType::Bilinear),
    };
    let from =
        TypedImageRef::new(from.1 as u32, from.0 as u32, pixels).map_err(|e| e.to_string())?;
    let mut to = TypedImage::new(w as u32, h as u32);
    let options = ResizeOptions::new().resize_alg(algorithm);
    Resizer::new().resize_typed(&from, &mut to, &options).map_err(|e| e.to_string())?;
    Ok(to.pixels().to_vec())
}

/// `(c, h, w)` to `(c, size)` by [`Filter::Area`], which has weights that the others' code has not.
fn by_area(
    values: Vec<f32>,
    (c, (h, w)): (usize, (usize, usize)),
    size: (usize, usize),
) -> Result<Vec<f32>, String> {
    let image = Array4::from_shape_vec((1, c, h, w), values).map_err(|e| e.to_string())?;
    let image = resize(&image, size, Filter::Area).map_err(|e| e.to_string())?;
    Ok(image.into_raw_vec_and_offset().0)
}

/// Whether the file is a picture that is all there, as far as that is known without decoding it:
/// the answer is false where it is not.
pub(super) fn check(bytes: &[u8], path: &Path) -> Result<bool, String> {
    guarded(|| {
        let format = format(bytes, path)?;
        complete::check(bytes, format)?;
        decoder(bytes, format)?;
        Ok(complete::knows_its_end(format))
    })
}

/// A decoder's mistake costs its picture alone: others wait for the thread that it runs on.
fn guarded<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let result = catch_unwind(AssertUnwindSafe(decode));
    result.unwrap_or_else(|_| Err("its decoder failed: a mistake in the program".into()))
}

fn format(bytes: &[u8], path: &Path) -> Result<ImageFormat, String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    let by_name = || ImageFormat::from_path(path).ok().filter(|&f| f == ImageFormat::Tga);
    image::guess_format(bytes).ok().or_else(by_name).ok_or_else(|| {
        "its content is of no known format: expected PNG, JPEG, BMP, GIF, WebP, TIFF, PNM, TGA, QOI \
         or farbfeld"
            .into()
    })
}

fn decoder(bytes: &[u8], format: ImageFormat) -> Result<impl ImageDecoder + '_, String> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let decoder = reader.into_decoder().map_err(|e| told(&e, format))?;
    let bytes = decoder.total_bytes();
    if bytes > MAX_DECODED {
        let (w, h) = decoder.dimensions();
        return Err(format!(
            "{w} × {h} pixels take {} MiB, beyond the limit of {} MiB",
            bytes >> 20,
            MAX_DECODED >> 20
        ));
    }
    Ok(decoder)
}

fn told(error: &image::ImageError, format: ImageFormat) -> String {
    let name = format.extensions_str().first().map_or_else(String::new, |e| e.to_uppercase());
    format!("not a readable {name} picture: {error}")
}

fn pixels(picture: DynamicImage) -> Result<Pixels, String> {
    let grey = |levels: &mut dyn Iterator<Item = u16>| Pixels::Grey(levels.map(U16::new).collect());
    let byte = |&v: &u8| u16::from(v) * 257;
    Ok(match picture {
        DynamicImage::ImageLuma8(x) => grey(&mut x.iter().map(byte)),
        DynamicImage::ImageLumaA8(x) => grey(&mut x.iter().step_by(2).map(byte)),
        DynamicImage::ImageRgb8(x) => rgb::<_, 3>(&x, byte),
        DynamicImage::ImageRgba8(x) => rgb::<_, 4>(&x, byte),
        DynamicImage::ImageLuma16(x) => grey(&mut x.iter().copied()),
        DynamicImage::ImageLumaA16(x) => grey(&mut x.iter().step_by(2).copied()),
        DynamicImage::ImageRgb16(x) => rgb::<_, 3>(&x, |&v| v),
        DynamicImage::ImageRgba16(x) => rgb::<_, 4>(&x, |&v| v),
        DynamicImage::ImageRgb32F(x) => {
            in_unit(&x)?;
            rgb::<_, 3>(&x, |&v| level(v))
        }
        DynamicImage::ImageRgba32F(x) => {
            in_unit(&x)?;
            rgb::<_, 4>(&x, |&v| level(v))
        }
        other => return Err(format!("pixels of type {:?} are not read", other.color())),
    })
}

/// The first three of every `N` values.
fn rgb<T, const N: usize>(values: &[T], level: impl Fn(&T) -> u16) -> Pixels {
    let pixel = |p: &[T; N]| U16x3::new([level(&p[0]), level(&p[1]), level(&p[2])]);
    Pixels::Rgb(values.as_chunks::<N>().0.iter().map(pixel).collect())
}

fn in_unit(values: &[f32]) -> Result<(), String> {
    match values.iter().find(|v| !(0.0..=1.0).contains(*v)) {
        Some(v) => Err(format!("a pixel is {v}: expected 0 to 1 in a picture of floats")),
        None => Ok(()),
    }
}
