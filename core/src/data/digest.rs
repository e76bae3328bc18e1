//! What identifies the content of a data file, however it was packed.
//!
//! The same data circulates under many gzip and zip encodings, so the SHA-256 of a registered file
//! is that of its content:
//! ```text
//! *.gz    what the gzip stream unpacks to
//! *.npz   the numbers of all arrays, in the order of their names, as little-endian f64
//! other   the file's bytes
//! ```
//! For an `.npz` file, `sha256(b"".join(z[k].astype("<f8").tobytes() for k in sorted(z)))` with
//! numpy's `z = load(file)`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{DataError, npy, raw};

/// A file that was read, and the digest of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    /// Its name below the path that was given; nothing where it is that path.
    pub name: String,
    /// SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}

/// The SHA-256 of the content of the file at `path`, in lower-case hexadecimal.
///
/// Errors: a file that cannot be read or unpacked.
pub(super) fn of_file(path: &Path) -> Result<String, DataError> {
    of_content(&raw::read(path)?, path)
}

/// The SHA-256 of the content of `bytes`, which lie or are to lie at `path`.
///
/// Errors: bytes that cannot be unpacked.
pub(super) fn of_content(bytes: &[u8], path: &Path) -> Result<String, DataError> {
    let is = |extension: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
    if is("npz") {
        let mut arrays = npy::parse_npz(bytes, path)?;
        arrays.sort_by(|a, b| a.0.cmp(&b.0));
        let mut hash = Sha256::new();
        for value in arrays.iter().flat_map(|(_, array)| array) {
            hash.update(value.to_le_bytes());
        }
        Ok(hexadecimal(hash))
    } else {
        // A `.gz` file that was unpacked by hand keeps its content.
        Ok(sha256(&raw::gunzip(bytes, path)?))
    }
}

/// The SHA-256 of `bytes` as they are.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::gzip;

    /// The digest of "abc": FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn packing_does_not_matter() {
        assert_eq!(of_content(b"abc", Path::new("x")).unwrap(), ABC);
        assert_eq!(of_content(b"abc", Path::new("x.gz")).unwrap(), ABC);
        assert_eq!(of_content(&gzip(b"abc"), Path::new("x.gz")).unwrap(), ABC);
    }

    #[test]
    fn arrays_are_taken_by_name_as_doubles() {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut npz = ndarray_npy::NpzWriter::new(&mut bytes);
        npz.add_array("b", &ndarray::array![2_u8]).unwrap();
        npz.add_array("a", &ndarray::array![[0.5_f32], [1.0]]).unwrap();
        npz.finish().unwrap();
        let numbers = [0.5_f64, 1.0, 2.0].map(f64::to_le_bytes).concat();
        let got = of_content(bytes.get_ref(), Path::new("x.npz")).unwrap();
        assert_eq!(got, sha256(&numbers));
    }

    #[test]
    fn damaged_files_are_errors() {
        let message = of_content(&gzip(b"abc")[..12], Path::new("x.gz")).unwrap_err().to_string();
        assert!(message.starts_with("x.gz: the gzip stream is damaged"), "{message}");
        assert!(of_content(b"abc", Path::new("x.npz")).is_err());
    }
}
