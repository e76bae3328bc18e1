//! Whether a picture's file is all there.
//!
//! Decoders fill what is missing at the end with grey or repeat the last line, and browsers like it.
//! Training on it is wrong in silence. The formats below say where they end, so that it is known
//! without decoding; the others' decoders refuse a file that is cut.

use image::ImageFormat;

/// An error where the file of this format ends early.
pub(super) fn check(bytes: &[u8], format: ImageFormat) -> Result<(), String> {
    let complete = match format {
        ImageFormat::Jpeg => jpeg(bytes),
        ImageFormat::Png => png(bytes),
        ImageFormat::Gif => gif(bytes),
        ImageFormat::WebP => webp(bytes),
        _ => return Ok(()),
    };
    match complete {
        Some(()) => Ok(()),
        None => Err("the file ends early: part of the picture is missing".into()),
    }
}

/// Whether the format says where it ends, so that [`check`] is an answer.
pub(super) fn knows_its_end(format: ImageFormat) -> bool {
    matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Gif | ImageFormat::WebP)
}

fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)))
}

/// Segments by their lengths, entropy-coded data by its stuffing, up to the marker EOI
/// (ITU-T T.81, Annex B). Thumbnails lie inside segments; what follows EOI is no part of it. Of what the
/// frame promises, each block of 8 × 8 pixels takes a bit or more: less is filled with grey for long.
fn jpeg(bytes: &[u8]) -> Option<()> {
    let mut at = 2;
    loop {
        // To the next marker: a stuffed zero and the restarts are no markers here.
        at += bytes.get(at..)?.iter().position(|&b| b == 0xff)?;
        while *bytes.get(at)? == 0xff {
            at += 1;
        }
        let marker = bytes[at];
        at += 1;
        match marker {
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            0xd9 => return Some(()),
            // Baseline, extended and progressive frames with Huffman codes.
            0xc0..=0xc2 => {
                let (h, w) = (be16(bytes, at + 3)?, be16(bytes, at + 5)?);
                if h.div_ceil(8) * w.div_ceil(8) > 8 * bytes.len() {
                    return None;
                }
                at += be16(bytes, at)?.max(2);
            }
            _ => at += be16(bytes, at)?.max(2),
        }
    }
}

/// Chunks by their lengths, up to IEND.
fn png(bytes: &[u8]) -> Option<()> {
    let mut at = 8;
    loop {
        let length = u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?) as usize;
        let end = at.checked_add(length)?.checked_add(12)?;
        bytes.get(..end)?;
        if &bytes[at + 4..at + 8] == b"IEND" {
            return Some(());
        }
        at = end;
    }
}

/// Blocks by their lengths, up to the end of the first frame.
fn gif(bytes: &[u8]) -> Option<()> {
    let table = |flags: u8| if flags & 0x80 != 0 { 3 << ((flags & 7) + 1) } else { 0 };
    let mut at = 13 + table(*bytes.get(10)?);
    loop {
        let frame = match *bytes.get(at)? {
            0x21 => {
                at += 2;
                false
            }
            0x2c => {
                at += 11 + table(*bytes.get(at + 9)?);
                true
            }
            // The trailer, or nonsense: the decoder's to judge.
            _ => return Some(()),
        };
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
        if frame {
            return Some(());
        }
    }
}

/// The length of the RIFF container, which an odd last byte may lack.
fn webp(bytes: &[u8]) -> Option<()> {
    let length = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?) as usize;
    (bytes.len() >= length.checked_add(7)?).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_without_its_blocks_is_incomplete() {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::GrayImage::new(512, 256).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        let mut bytes = bytes.into_inner();
        check(&bytes, ImageFormat::Jpeg).unwrap();
        let frame = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        bytes[frame + 5..frame + 9].copy_from_slice(&[0xff, 0, 0xff, 0]);
        let message = check(&bytes, ImageFormat::Jpeg).unwrap_err();
        assert!(message.contains("part of the picture is missing"), "{message}");
    }
}
