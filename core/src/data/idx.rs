//! IDX, the format of MNIST: a big-endian header and one array, often gzipped.
//!
//! LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats":
//! two zero bytes, the type of the elements, the rank, then the dimensions as `u32`, then the
//! elements in row-major order.

use std::path::Path;

use ndarray::Array4;

use super::{DataError, raw};

/// An array of any rank.
#[derive(Clone, Debug, PartialEq)]
pub struct IdxArray {
    /// The length of every axis.
    pub dims: Vec<usize>,
    /// The elements in row-major order, as they are stored: bytes stay 0–255. `i32` and `f64` are
    /// rounded to the nearest `f32`.
    pub values: Vec<f32>,
}

/// Parses `bytes`, gzipped or not. `path` serves the messages only.
///
/// Errors: another format, a header that promises more or fewer elements than there are, a
/// damaged gzip stream.
pub fn parse(bytes: &[u8], path: &Path) -> Result<IdxArray, DataError> {
    let bytes = raw::gunzip(bytes, path)?;
    let malformed = |reason: String| Err(DataError::malformed(path, reason));
    let [0, 0, code, rank, rest @ ..] = &*bytes else {
        return malformed("not an IDX file: it must start with two zero bytes".into());
    };
    let width: usize = match code {
        0x08 | 0x09 => 1,
        0x0b => 2,
        0x0c | 0x0d => 4,
        0x0e => 8,
        _ => {
            return malformed(format!(
                "element type 0x{code:02x} in the IDX header: expected 0x08 (u8), 0x09 (i8), \
                 0x0b (i16), 0x0c (i32), 0x0d (f32) or 0x0e (f64)"
            ));
        }
    };
    let Some((dims, data)) = rest.split_at_checked(4 * usize::from(*rank)) else {
        return malformed(format!("the IDX header of {rank} dimensions is cut short"));
    };
    let (dims, _) = dims.as_chunks::<4>();
    let dims: Vec<usize> = dims.iter().map(|b| u32::from_be_bytes(*b) as usize).collect();
    let expected = dims.iter().try_fold(width, |n, &d| n.checked_mul(d));
    if expected != Some(data.len()) {
        return malformed(format!(
            "the IDX header promises {dims:?} elements of {width} bytes, and {} bytes follow it",
            data.len()
        ));
    }
    let values = match code {
        0x08 => values(data, |b| f32::from(u8::from_be_bytes(b))),
        0x09 => values(data, |b| f32::from(i8::from_be_bytes(b))),
        0x0b => values(data, |b| f32::from(i16::from_be_bytes(b))),
        0x0c => values(data, |b| i32::from_be_bytes(b) as f32),
        0x0d => values(data, f32::from_be_bytes),
        _ => values(data, |b| f64::from_be_bytes(b) as f32),
    };
    Ok(IdxArray { dims, values })
}

/// The number of each N bytes. With a loop for each type, the usual one of bytes is a vector one.
fn values<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
}

/// Parses images: rank 3, `(n, h, w)` → `(n, 1, h, w)`, values as stored.
pub fn parse_images(bytes: &[u8], path: &Path) -> Result<Array4<f32>, DataError> {
    let IdxArray { dims, values } = parse(bytes, path)?;
    let &[n, h, w] = &dims[..] else {
        return Err(DataError::malformed(
            path,
            format!("expected images (n, h, w), found an array of rank {}: {dims:?}", dims.len()),
        ));
    };
    // A header alone could promise any number of images that have no pixel.
    if dims.contains(&0) {
        let reason = format!("images (n, h, w) of {dims:?}: expected at least one pixel each");
        return Err(DataError::malformed(path, reason));
    }
    Array4::from_shape_vec((n, 1, h, w), values)
        .map_err(|e| DataError::malformed(path, e.to_string()))
}

/// Parses labels: rank 1, `(n,)`, integers ≥ 0.
pub fn parse_labels(bytes: &[u8], path: &Path) -> Result<Vec<usize>, DataError> {
    let IdxArray { dims, values } = parse(bytes, path)?;
    if dims.len() != 1 {
        return Err(DataError::malformed(
            path,
            format!("expected labels (n,), found an array of rank {}: {dims:?}", dims.len()),
        ));
    }
    // Beyond 2²⁴ neighbouring integers share one f32.
    let label = |(i, &v): (usize, &f32)| match v {
        v if v.fract() == 0.0 && (0.0..=16_777_216.0).contains(&v) => Ok(v as usize),
        v => Err(DataError::malformed(
            path,
            format!("label {} is {v}: expected an integer from 0 to 2^24", i + 1),
        )),
    };
    values.iter().enumerate().map(label).collect()
}

/// [`parse`] on a file; gzip is recognised by its content, whatever the name.
#[cfg(feature = "files")]
pub fn read(path: &Path) -> Result<IdxArray, DataError> {
    parse(&raw::read(path)?, path)
}

/// [`parse_images`] on a file.
#[cfg(feature = "files")]
pub fn read_images(path: &Path) -> Result<Array4<f32>, DataError> {
    parse_images(&raw::read(path)?, path)
}

/// [`parse_labels`] on a file.
#[cfg(feature = "files")]
pub fn read_labels(path: &Path) -> Result<Vec<usize>, DataError> {
    parse_labels(&raw::read(path)?, path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::testing::gzip;

    fn idx(code: u8, dims: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, code, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<IdxArray, DataError> {
        super::parse(bytes, Path::new("x.idx"))
    }

    #[test]
    fn every_type_keeps_its_values() {
        let cases: [(u8, Vec<u8>, [f32; 2]); 6] = [
            (0x08, vec![0, 255], [0.0, 255.0]),
            (0x09, vec![0x80, 0x7f], [-128.0, 127.0]),
            (0x0b, [-300i16, 301].iter().flat_map(|v| v.to_be_bytes()).collect(), [-300.0, 301.0]),
            (0x0c, [-70000i32, 7].iter().flat_map(|v| v.to_be_bytes()).collect(), [-70000.0, 7.0]),
            (0x0d, [0.5f32, -1.25].iter().flat_map(|v| v.to_be_bytes()).collect(), [0.5, -1.25]),
            (0x0e, [0.5f64, -1.25].iter().flat_map(|v| v.to_be_bytes()).collect(), [0.5, -1.25]),
        ];
        for (code, data, expected) in cases {
            let array = parse(&idx(code, &[2], &data)).unwrap();
            assert_eq!(array.dims, [2]);
            assert_eq!(array.values, expected, "type 0x{code:02x}");
        }
    }

    #[test]
    fn images_gain_a_channel_and_labels_become_indices() {
        let path = Path::new("x");
        let images = parse_images(&idx(8, &[2, 1, 2], &[1, 2, 3, 4]), path).unwrap();
        assert_eq!(images.shape(), [2, 1, 1, 2]);
        assert_eq!(images[[1, 0, 0, 1]], 4.0);
        assert_eq!(parse_labels(&gzip(&idx(8, &[3], &[7, 0, 9])), path).unwrap(), [7, 0, 9]);
    }

    #[test]
    fn messages_say_what_is_wrong() {
        let path = Path::new("x.idx");
        let message = |r: Result<IdxArray, DataError>| r.unwrap_err().to_string();
        assert_eq!(
            message(parse(b"\x89PNG")),
            "x.idx: not an IDX file: it must start with two zero bytes"
        );
        assert!(message(parse(&idx(7, &[1], &[0]))).contains("element type 0x07"));
        assert!(message(parse(&[0, 0, 8, 3, 0, 0])).contains("3 dimensions is cut short"));
        assert!(message(parse(&idx(8, &[2, 2], &[1, 2, 3]))).contains("promises [2, 2]"));
        assert!(message(parse(&idx(8, &[2], &[1, 2, 3]))).contains("3 bytes follow"));
        assert!(message(parse(&idx(8, &[u32::MAX; 5], &[1]))).contains("promises"));
        let none = parse_images(&idx(8, &[u32::MAX, 0, 4], &[]), path).unwrap_err().to_string();
        assert!(none.contains("expected at least one pixel each"), "{none}");
        assert!(message(parse(&gzip(&[0; 40])[..20])).contains("gzip stream is damaged"));
        let rank = parse_images(&idx(8, &[2], &[1, 2]), path).unwrap_err().to_string();
        assert!(
            rank.contains("expected images (n, h, w), found an array of rank 1: [2]"),
            "{rank}"
        );
        let negative = parse_labels(&idx(9, &[2], &[1, 0xff]), path).unwrap_err().to_string();
        assert!(negative.contains("label 2 is -1"), "{negative}");
    }

    proptest! {
        #[test]
        fn bytes_round_trip(n in 0usize..5, h in 0usize..6, w in 0usize..6, zipped: bool) {
            let data: Vec<u8> = (0..n * h * w).map(|i| (37 * i) as u8).collect();
            let bytes = idx(8, &[n as u32, h as u32, w as u32], &data);
            let array = parse(&if zipped { gzip(&bytes) } else { bytes }).unwrap();
            prop_assert_eq!(array.dims, vec![n, h, w]);
            prop_assert!(array.values.iter().map(|&v| v as u8).eq(data));
        }
    }

    #[cfg(feature = "files")]
    #[test]
    fn real_digits_have_the_published_counts() {
        let Some(root) = crate::data::testing::data_root("IDX files") else {
            return;
        };
        let path = root.join("mnist/t10k-labels-idx1-ubyte.gz");
        let labels = read_labels(&path).unwrap();
        let count = |k| labels.iter().filter(|&&y| y == k).count();
        assert_eq!(
            (0..10).map(count).collect::<Vec<_>>(),
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        );
        let images = read_images(&root.join("mnist/t10k-images-idx3-ubyte.gz")).unwrap();
        assert_eq!(images.shape(), [10000, 1, 28, 28]);
        let rounded = read_images(&root.join("usps/test-images-idx3-ubyte.gz")).unwrap();
        let original = read_images(&root.join("usps/test-images-i16-idx3.gz")).unwrap();
        assert_eq!(original.shape(), rounded.shape());
        assert_eq!(rounded.shape(), [2007, 1, 16, 16]);
    }
}
