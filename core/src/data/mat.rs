//! MATLAB `.mat` files of version 5 (MATLAB's `-v6` and `-v7`), the numeric matrices in them.
//!
//! MathWorks, "MAT-File Format", chapter 1: a header of 128 bytes, then elements of a tag (type,
//! length) and data; a matrix is an element that holds its flags, dimensions, name and values as
//! elements; `-v7` wraps each matrix into a zlib stream. Values may be stored in a smaller type
//! than the matrix's class, and either byte order may be met.
//!
//! Read: classes double, single, the eight integer classes and logical, all as `f64` (64-bit
//! integers beyond 2⁵³ are rounded), of two dimensions. Everything else — text, cells, structures,
//! sparse or complex matrices, more dimensions — is passed over until it is asked for by name.

use std::path::Path;

use flate2::bufread::ZlibDecoder;
use ndarray::{Array2, ShapeBuilder};

use super::{DataError, raw};

/// Every matrix of numbers with its name, in the file's order. `path` serves the messages only.
///
/// Errors: another format, a damaged or truncated file.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<(String, Array2<f64>)>, DataError> {
    let variables = variables(bytes).map_err(|e| DataError::malformed(path, e))?;
    Ok(variables.into_iter().filter_map(|v| Some((v.name, v.content.ok()?))).collect())
}

/// The matrix `name`.
///
/// Errors: as [`parse`]; a variable of a kind that is not read, which is named; no such variable,
/// where the message lists those that there are.
pub fn find(bytes: &[u8], path: &Path, name: &str) -> Result<Array2<f64>, DataError> {
    Variables::parse(bytes, path)?.take(name)
}

/// The variables of one file, for whoever wants several of them.
pub struct Variables<'a> {
    path: &'a Path,
    variables: Vec<Variable>,
}

impl<'a> Variables<'a> {
    /// Reads all of `bytes`; `path` serves the messages.
    ///
    /// # Errors
    /// As [`parse`].
    pub fn parse(bytes: &[u8], path: &'a Path) -> Result<Self, DataError> {
        let variables = variables(bytes).map_err(|e| DataError::malformed(path, e))?;
        Ok(Self { path, variables })
    }

    /// Whether there is a variable `name`, of whatever kind.
    pub fn has(&self, name: &str) -> bool {
        self.variables.iter().any(|v| v.name == name)
    }

    /// The matrix `name`, which is gone then.
    ///
    /// # Errors
    /// As [`find`].
    pub fn take(&mut self, name: &str) -> Result<Array2<f64>, DataError> {
        let reason = match self.variables.iter().position(|v| v.name == name) {
            Some(index) => match self.variables.remove(index).content {
                Ok(matrix) => return Ok(matrix),
                Err(kind) => {
                    format!("variable `{name}` is {kind}: expected a real, full matrix of numbers")
                }
            },
            None => {
                let names: Vec<&str> = self.variables.iter().map(|v| v.name.as_str()).collect();
                format!("no variable `{name}`; the file has: {}", names.join(", "))
            }
        };
        Err(DataError::malformed(self.path, reason))
    }
}

/// [`parse`] on a file.
#[cfg(feature = "files")]
pub fn read(path: &Path) -> Result<Vec<(String, Array2<f64>)>, DataError> {
    parse(&raw::read(path)?, path)
}

/// [`find`] on a file.
#[cfg(feature = "files")]
pub fn get(path: &Path, name: &str) -> Result<Array2<f64>, DataError> {
    find(&raw::read(path)?, path, name)
}

struct Variable {
    name: String,
    /// The matrix, or what the variable is instead.
    content: Result<Array2<f64>, String>,
}

fn variables(bytes: &[u8]) -> Result<Vec<Variable>, String> {
    const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";
    if bytes.starts_with(HDF5) || bytes.get(512..).is_some_and(|b| b.starts_with(HDF5)) {
        return Err("a MATLAB v7.3 file (HDF5) is not supported: save it with `-v7`".into());
    }
    let Some((header, body)) = bytes.split_at_checked(128) else {
        return Err("not a MATLAB v5 file: the header of 128 bytes is cut short".into());
    };
    let big_endian = match &header[124..] {
        [_, 1, b'I', b'M'] => false,
        [1, _, b'M', b'I'] => true,
        _ => {
            return Err("not a MATLAB v5 file: the byte order mark is missing (files of v4 are \
                        not supported either: save them with `-v7`)"
                .into());
        }
    };
    let mut elements = Elements { bytes: body, big_endian };
    let mut variables = Vec::new();
    let budget = raw::Budget::of(bytes);
    while !elements.bytes.is_empty() {
        let at = bytes.len() - elements.bytes.len();
        let found =
            top_level(&mut elements, &budget).map_err(|e| format!("element at byte {at}: {e}"))?;
        // The nameless ones are MATLAB's own, such as the data behind function handles.
        variables.extend(found.filter(|v| !v.name.is_empty()));
    }
    Ok(variables)
}

/// One element of the file: a matrix, plain or compressed; anything else gives none.
fn top_level(
    elements: &mut Elements<'_>,
    budget: &raw::Budget,
) -> Result<Option<Variable>, String> {
    let big_endian = elements.big_endian;
    match elements.next()? {
        (types::MATRIX, data) if !data.is_empty() => matrix(data, big_endian).map(Some),
        (types::COMPRESSED, data) => {
            let bytes = budget
                .unpack(ZlibDecoder::new(data))
                .map_err(|e| format!("the zlib stream is damaged: {e}"))?;
            match (Elements { bytes: &bytes, big_endian }).next()? {
                (types::MATRIX, data) if !data.is_empty() => matrix(data, big_endian).map(Some),
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// Types of elements.
mod types {
    pub(super) const INT8: u32 = 1;
    pub(super) const UINT8: u32 = 2;
    pub(super) const INT16: u32 = 3;
    pub(super) const UINT16: u32 = 4;
    pub(super) const INT32: u32 = 5;
    pub(super) const UINT32: u32 = 6;
    pub(super) const SINGLE: u32 = 7;
    pub(super) const DOUBLE: u32 = 9;
    pub(super) const INT64: u32 = 12;
    pub(super) const UINT64: u32 = 13;
    pub(super) const MATRIX: u32 = 14;
    pub(super) const COMPRESSED: u32 = 15;
}

/// The elements that are left.
struct Elements<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Elements<'a> {
    /// Type and data of the next element.
    fn next(&mut self) -> Result<(u32, &'a [u8]), String> {
        let Some((tag, rest)) = self.bytes.split_at_checked(8) else {
            return Err("the tag of 8 bytes is cut short".into());
        };
        let word = |i: usize| u32::from_bytes([tag[i], tag[i + 1], tag[i + 2], tag[i + 3]], self);
        // A short element has its length in the tag's upper half, its data in the tag.
        let (kind, len) = (word(0) & 0xffff, (word(0) >> 16) as usize);
        if len > 0 {
            let data = tag[4..].get(..len).ok_or_else(|| {
                format!("a short element of type {kind} has {len} bytes, more than 4")
            })?;
            self.bytes = rest;
            return Ok((kind, data));
        }
        let len = word(4) as usize;
        let Some((data, rest)) = rest.split_at_checked(len) else {
            return Err(format!("type {kind} promises {len} bytes, and {} follow", rest.len()));
        };
        // Compressed elements alone are not padded to 8 bytes; the last one may lack its padding.
        let padding = if kind == types::COMPRESSED { 0 } else { len.wrapping_neg() % 8 };
        self.bytes = rest.get(padding..).unwrap_or_default();
        Ok((kind, data))
    }

    fn numbers(&mut self) -> Result<Vec<f64>, String> {
        let (kind, data) = self.next()?;
        macro_rules! each {
            ($ty:ty) => {{
                let (chunks, rest) = data.as_chunks();
                if !rest.is_empty() {
                    return Err(format!("{} bytes are no whole number of elements", data.len()));
                }
                chunks.iter().map(|b| <$ty>::from_bytes(*b, self) as f64).collect()
            }};
        }
        Ok(match kind {
            types::INT8 => each!(i8),
            types::UINT8 => each!(u8),
            types::INT16 => each!(i16),
            types::UINT16 => each!(u16),
            types::INT32 => each!(i32),
            types::UINT32 => each!(u32),
            types::SINGLE => each!(f32),
            types::DOUBLE => each!(f64),
            types::INT64 => each!(i64),
            types::UINT64 => each!(u64),
            _ => return Err(format!("elements of type {kind} are no numbers")),
        })
    }
}

/// A number from bytes in the file's order.
trait FromBytes<const N: usize> {
    fn from_bytes(bytes: [u8; N], elements: &Elements<'_>) -> Self;
}

macro_rules! from_bytes {
    ($($ty:ty)*) => {$(
        impl FromBytes<{ size_of::<$ty>() }> for $ty {
            fn from_bytes(bytes: [u8; size_of::<$ty>()], elements: &Elements<'_>) -> Self {
                if elements.big_endian { Self::from_be_bytes(bytes) } else { Self::from_le_bytes(bytes) }
            }
        }
    )*};
}
from_bytes!(i8 u8 i16 u16 i32 u32 i64 u64 f32 f64);

/// The content of a matrix element.
fn matrix(bytes: &[u8], big_endian: bool) -> Result<Variable, String> {
    let mut parts = Elements { bytes, big_endian };
    let (_, flags) = parts.next()?;
    let &[a, b, c, d, ..] = flags else {
        return Err("the array flags are cut short".into());
    };
    let flags = u32::from_bytes([a, b, c, d], &parts);
    let class = flags & 0xff;
    let unread = match class {
        1 => "a cell array",
        2 => "a structure",
        3 | 17 => "an object",
        4 => "text",
        5 => "a sparse matrix",
        6..=15 if flags & 0x800 != 0 => "complex",
        6..=15 => "",
        16 => "a function handle",
        _ => "of an unknown class",
    };
    // Objects of MATLAB's newer kind have no dimensions before their name.
    let dims = if class == 17 { Vec::new() } else { parts.numbers()? };
    let name = name(&mut parts)?;
    let content = match dims[..] {
        _ if !unread.is_empty() => Err(unread.to_owned()),
        [rows, cols] => {
            let values = parts.numbers().map_err(|e| format!("variable `{name}`: {e}"))?;
            if rows * cols != values.len() as f64 {
                return Err(format!(
                    "variable `{name}` is {rows} × {cols} and has {} values",
                    values.len()
                ));
            }
            let shape = (rows as usize, cols as usize).f();
            let matrix = Array2::from_shape_vec(shape, values)
                .map_err(|e| format!("variable `{name}`: {e}"))?;
            Ok(matrix.as_standard_layout().into_owned())
        }
        _ => Err(format!("an array of {} dimensions", dims.len())),
    };
    Ok(Variable { name, content })
}

fn name(parts: &mut Elements<'_>) -> Result<String, String> {
    let (_, name) = parts.next()?;
    Ok(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests;
