//! The bytes of a file, unpacked.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use super::DataError;

/// The most bytes that one compressed stream may unpack to, 4 GiB: a guard against files made to
/// fill the memory.
pub(super) const MAX_UNPACKED: u64 = 4 << 30;

/// The whole file.
#[cfg(feature = "files")]
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    std::fs::read(path).map_err(|e| DataError::io(path, e))
}

/// `bytes` themselves, or what they unpack to when they start as a gzip stream.
pub(super) fn gunzip<'a>(bytes: &'a [u8], path: &Path) -> Result<Cow<'a, [u8]>, DataError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(bytes));
    }
    unpack(flate2::bufread::MultiGzDecoder::new(bytes))
        .map(Cow::Owned)
        .map_err(|e| DataError::malformed(path, format!("the gzip stream is damaged: {e}")))
}

/// Everything `stream` yields, at most [`MAX_UNPACKED`].
pub(super) fn unpack(stream: impl Read) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let n = stream.take(MAX_UNPACKED + 1).read_to_end(&mut out)?;
    if n as u64 > MAX_UNPACKED {
        return Err(std::io::Error::other("it unpacks to more than 4 GiB"));
    }
    Ok(out)
}
