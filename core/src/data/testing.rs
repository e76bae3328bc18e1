//! What the tests of several readers need.

use std::io::Write;
#[cfg(feature = "files")]
use std::path::PathBuf;

use flate2::{Compression, write::GzEncoder};

/// `bytes` as a gzip stream.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The folder of real data sets, or `None` with a note that the test was skipped.
#[cfg(feature = "files")]
pub(crate) fn data_root(what: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TRANSDUCT_DATA").map(PathBuf::from);
    if root.is_none() {
        eprintln!("skipped: TRANSDUCT_DATA is not set, so there are no {what} to read");
    }
    root
}
