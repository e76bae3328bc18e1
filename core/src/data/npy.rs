//! NumPy's `.npy` (one array) and `.npz` (a zip archive of them).
//!
//! NumPy, "numpy.lib.format", format versions 1.0 to 3.0. Every integer type, the floats of 16, 32 and
//! 64 bits and `bool` as 0 and 1 are read, in either byte order and either memory order.
//!
//! The header is a Python literal in full generality only on paper: NumPy writes a dictionary of
//! three keys, and that is what is parsed here. A general literal parser in front of untrusted
//! files would have to be fenced against deep nesting.

use std::path::Path;

use ndarray::{Array2, ArrayD, Dimension, Ix1, Ix2, Ix4, IxDyn, ShapeBuilder};

use super::range::{self, Known, Stored, Understood};
use super::{DataError, Samples};

mod element;
mod header;
#[cfg(feature = "files")]
mod labels;

use element::Element;
use header::{Header, Kind};
#[cfg(feature = "files")]
pub use labels::parse_label_texts;

/// Parses a matrix `(n, d)`. `path` serves the messages only, here and below.
///
/// Errors: another format, another rank, an element type that is no number, fewer or more
/// elements than the header promises.
pub fn parse_matrix(bytes: &[u8], path: &Path) -> Result<Array2<f64>, DataError> {
    parse_rows(bytes, path)
}

fn parse_rows<T: Element>(bytes: &[u8], path: &Path) -> Result<Array2<T>, DataError> {
    let array: ArrayD<T> = parse(bytes, path)?;
    let shape = array.shape().to_vec();
    array.into_dimensionality::<Ix2>().map_err(|_| {
        DataError::malformed(
            path,
            format!(
                "the array has rank {}, shape {shape:?}: expected one row per sample, (n, d)",
                shape.len()
            ),
        )
    })
}

/// Parses feature vectors `(n, d)` or images `(n, c, h, w)`, c = 1 or 3. Images come into [0, 1] as
/// [`super::range`] says; features stay as they are stored.
///
/// Errors: as [`parse_matrix`]; images whose range has to be given.
pub fn parse_samples(bytes: &[u8], path: &Path) -> Result<Samples, DataError> {
    Ok(parse_pictures(bytes, path, Known::default())?.0)
}

/// As [`parse_samples`], with what is known of the range of images; says how they were understood.
///
/// Errors: as [`parse_samples`].
pub fn parse_pictures(
    bytes: &[u8],
    path: &Path,
    known: Known,
) -> Result<(Samples, Option<Understood>), DataError> {
    let (header, _) = Header::parse(bytes).map_err(|e| DataError::malformed(path, e))?;
    let hint = match header.shape[..] {
        // A shape alone could promise any number of images that have no pixel.
        [_, 1 | 3, _, _] if header.shape.contains(&0) => ", each at least 1",
        [_, 1 | 3, _, _] => return parse_images(bytes, path, header.kind, known),
        [_, _] => {
            let x = parse_matrix(bytes, path)?;
            return Ok((Samples::Features(x), None));
        }
        [_, _, _, 1 | 3] => ": the channels come second, not last",
        [_, _, _] => "; images of one channel are (n, 1, h, w)",
        _ => "",
    };
    Err(DataError::malformed(
        path,
        format!(
            "the array has rank {}, shape {:?}: expected one row per sample, (n, d), or images \
             (n, c, h, w) with c = 1 or 3{hint}",
            header.shape.len(),
            header.shape
        ),
    ))
}

fn parse_images(
    bytes: &[u8],
    path: &Path,
    kind: Kind,
    known: Known,
) -> Result<(Samples, Option<Understood>), DataError> {
    let stored = match kind {
        Kind::Bool => Stored::Bool,
        Kind::U8 => Stored::Byte,
        Kind::U16 => Stored::Word,
        Kind::F16 | Kind::F32 | Kind::F64 => Stored::Float,
        Kind::I8 | Kind::I16 | Kind::I32 | Kind::U32 | Kind::I64 | Kind::U64 => Stored::Integer,
    };
    // Every number of the smaller types is an f32.
    let small = kind.width() <= 2 || kind == Kind::F32;
    let (x, understood) = match small {
        true => in_range::<f32>(parse(bytes, path)?, stored, known),
        false => in_range::<f64>(parse(bytes, path)?, stored, known),
    }
    .map_err(|e| DataError::malformed(path, e))?;
    let x = x.into_dimensionality::<Ix4>();
    let x = x.map_err(|e| DataError::malformed(path, e.to_string()))?;
    Ok((Samples::Images(x), Some(understood)))
}

fn in_range<T: Element + Into<f64>>(
    x: ArrayD<T>,
    stored: Stored,
    known: Known,
) -> Result<(ArrayD<f32>, Understood), String> {
    let ends = |(least, most): (f64, f64), &v: &T| {
        let v = v.into();
        (least.min(v), most.max(v))
    };
    let ends = x.iter().fold((f64::INFINITY, f64::NEG_INFINITY), ends);
    let understood = range::understand(stored, ends, known)?;
    let range = understood.range;
    Ok((x.mapv(|v| range.value(v.into())), understood))
}

/// Parses integer labels `(n,)`. Floats that are whole numbers are taken.
pub fn parse_labels(bytes: &[u8], path: &Path) -> Result<Vec<i64>, DataError> {
    let array: ArrayD<i64> = parse(bytes, path)?;
    let shape = array.shape().to_vec();
    let labels = array.into_dimensionality::<Ix1>().map_err(|_| {
        DataError::malformed(
            path,
            format!(
                "the array has rank {}, shape {shape:?}: expected one label per sample, (n,)",
                shape.len()
            ),
        )
    })?;
    Ok(labels.to_vec())
}

/// Parses one array of any rank into row-major order.
fn parse<T: Element>(bytes: &[u8], path: &Path) -> Result<ArrayD<T>, DataError> {
    array(bytes).map_err(|reason| DataError::malformed(path, reason))
}

fn array<T: Element>(bytes: &[u8]) -> Result<ArrayD<T>, String> {
    let (Header { kind, big_endian, fortran, shape }, data) = Header::parse(bytes)?;
    let dim = IxDyn(&shape);
    let n_bytes = dim.size_checked().and_then(|n| n.checked_mul(kind.width()));
    if n_bytes != Some(data.len()) {
        return Err(format!(
            "the header promises an array {shape:?} of {} bytes an element, and {} bytes follow",
            kind.width(),
            data.len()
        ));
    }
    let values = element::decode::<T>(data, kind, big_endian)?;
    // A length of zero beside huge ones passes the product above and not ndarray's own check.
    let array = ArrayD::from_shape_vec(dim.set_f(fortran), values)
        .map_err(|e| format!("the shape {shape:?} cannot be used: {e}"))?;
    Ok(if fortran { array.as_standard_layout().into_owned() } else { array })
}

#[cfg(feature = "files")]
mod files {
    use std::io::Cursor;

    use zip::ZipArchive;
    use zip::result::ZipError;

    use super::*;
    use crate::data::{Texts, raw};

    /// [`parse_matrix`] on a file.
    pub fn read_matrix(path: &Path) -> Result<Array2<f64>, DataError> {
        parse_matrix(&raw::read(path)?, path)
    }

    /// [`parse_samples`] on a file.
    pub fn read_samples(path: &Path) -> Result<Samples, DataError> {
        parse_samples(&raw::read(path)?, path)
    }

    /// [`parse_pictures`] on a file.
    pub fn read_pictures(
        path: &Path,
        known: Known,
    ) -> Result<(Samples, Option<Understood>), DataError> {
        parse_pictures(&raw::read(path)?, path, known)
    }

    /// [`parse_labels`] on a file.
    pub fn read_labels(path: &Path) -> Result<Vec<i64>, DataError> {
        parse_labels(&raw::read(path)?, path)
    }

    /// Every array of numbers in an `.npz` file with its name, in the file's order. Arrays of
    /// other types (text, objects) are left out; [`get_npz`] says so when one is asked for.
    pub fn read_npz(path: &Path) -> Result<Vec<(String, ArrayD<f64>)>, DataError> {
        parse_npz(&raw::read(path)?, path)
    }

    /// [`read_npz`] on bytes.
    pub fn parse_npz(bytes: &[u8], path: &Path) -> Result<Vec<(String, ArrayD<f64>)>, DataError> {
        let (mut archive, budget) = (open(bytes, path)?, raw::Budget::of(bytes));
        let mut arrays = Vec::new();
        for index in 0..archive.len() {
            let (name, npy) = unpack(archive.by_index(index), path, &budget)?;
            if !npy.starts_with(header::MAGIC) || header::is_not_numeric(&npy) {
                continue;
            }
            let array = parse(&npy, path).map_err(|e| within(&name, e, path))?;
            arrays.push((name, array));
        }
        Ok(arrays)
    }

    /// The array `name` of an `.npz` file. The error lists the names that there are.
    pub fn get_npz(path: &Path, name: &str) -> Result<ArrayD<f64>, DataError> {
        let bytes = raw::read(path)?;
        let npy = npz_entry(&bytes, path, name, &raw::Budget::of(&bytes))?;
        parse(&npy, path).map_err(|e| within(name, e, path))
    }

    /// The samples `name` of an `.npz` file, as [`parse_samples`] takes them.
    pub fn get_npz_samples(path: &Path, name: &str) -> Result<Samples, DataError> {
        let bytes = raw::read(path)?;
        let npy = npz_entry(&bytes, path, name, &raw::Budget::of(&bytes))?;
        parse_samples(&npy, path).map_err(|e| within(name, e, path))
    }

    /// The samples `name` of an `.npz` file, as [`parse_pictures`] takes them.
    pub fn parse_npz_pictures(
        bytes: &[u8],
        path: &Path,
        name: &str,
        known: Known,
    ) -> Result<(Samples, Option<Understood>), DataError> {
        let npy = npz_entry(bytes, path, name, &raw::Budget::of(bytes))?;
        parse_pictures(&npy, path, known).map_err(|e| within(name, e, path))
    }

    /// The labels `name` of an `.npz` file, as [`parse_label_texts`] takes them.
    pub fn parse_npz_labels(bytes: &[u8], path: &Path, name: &str) -> Result<Texts, DataError> {
        let npy = npz_entry(bytes, path, name, &raw::Budget::of(bytes))?;
        parse_label_texts(&npy, path).map_err(|e| within(name, e, path))
    }

    /// Whether an `.npz` file has an array `name`.
    pub fn has_array(bytes: &[u8], path: &Path, name: &str) -> Result<bool, DataError> {
        Ok(open(bytes, path)?.index_for_name(&format!("{name}.npy")).is_some())
    }

    /// The names of all arrays of an `.npz` file, in the file's order.
    pub fn npz_names(bytes: &[u8], path: &Path) -> Result<Vec<String>, DataError> {
        Ok(open(bytes, path)?.file_names().map(|name| array_name(name).to_owned()).collect())
    }

    /// The `.npy` file behind `name`.
    pub(super) fn npz_entry(
        bytes: &[u8],
        path: &Path,
        name: &str,
        budget: &raw::Budget,
    ) -> Result<Vec<u8>, DataError> {
        let mut archive = open(bytes, path)?;
        let file_name = format!("{name}.npy");
        let Some(index) = archive.index_for_name(&file_name) else {
            let names: Vec<&str> = archive.file_names().map(array_name).collect();
            return Err(DataError::malformed(
                path,
                format!("no array `{name}`; the file has: {}", names.join(", ")),
            ));
        };
        Ok(unpack(archive.by_index(index), path, budget)?.1)
    }

    fn open<'a>(bytes: &'a [u8], path: &Path) -> Result<ZipArchive<Cursor<&'a [u8]>>, DataError> {
        if let Some(n) = promised(bytes).filter(|n| n.saturating_mul(46) > bytes.len() as u64) {
            let reason =
                format!("not an .npz archive: it promises {n} files and has no room for them");
            return Err(DataError::malformed(path, reason));
        }
        ZipArchive::new(Cursor::new(bytes))
            .map_err(|e| DataError::malformed(path, format!("not an .npz archive: {e}")))
    }

    /// How many files a large archive (ZIP64) promises: memory for all of them is taken before the first
    /// is read, each of which has 46 bytes or more.
    fn promised(bytes: &[u8]) -> Option<u64> {
        const LONGEST_END: usize = (1 << 16) + 200;
        let end = &bytes[bytes.len().saturating_sub(LONGEST_END)..];
        let at = end.windows(4).rposition(|mark| mark == b"PK\x06\x06")?;
        Some(u64::from_le_bytes(*end.get(at + 32..)?.first_chunk()?))
    }

    fn unpack(
        entry: Result<zip::read::ZipFile<'_, Cursor<&[u8]>>, ZipError>,
        path: &Path,
        budget: &raw::Budget,
    ) -> Result<(String, Vec<u8>), DataError> {
        let entry = entry.map_err(|e| DataError::malformed(path, e.to_string()))?;
        let name = array_name(entry.name()).to_owned();
        match budget.unpack(entry) {
            Ok(npy) => Ok((name, npy)),
            Err(e) => Err(DataError::malformed(path, format!("array `{name}` is damaged: {e}"))),
        }
    }

    fn array_name(file_name: &str) -> &str {
        file_name.strip_suffix(".npy").unwrap_or(file_name)
    }

    /// Says in which array of the archive `error` arose.
    fn within(name: &str, error: DataError, path: &Path) -> DataError {
        match error {
            DataError::Malformed { reason, .. } => {
                DataError::malformed(path, format!("array `{name}`: {reason}"))
            }
            other => other,
        }
    }
}
#[cfg(feature = "files")]
mod sparse;
#[cfg(feature = "files")]
pub use files::*;
#[cfg(feature = "files")]
pub use sparse::{find_npz_sparse, parse_npz_sparse};

#[cfg(test)]
mod tests;
