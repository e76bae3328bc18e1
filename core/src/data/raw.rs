//! The bytes of a file, unpacked.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{Error, Read};
use std::path::Path;

use super::DataError;

/// What a file may unpack to, all its streams together: 32 MiB and 256 times its size, at most 4 GiB.
/// Deflate reaches 1032 times, which only files made to fill the memory come near. A small file may have
/// a table of zeros all the same; and bytes become numbers of eight, which the 32 MiB allow for.
pub(super) struct Budget {
    limit: u64,
    left: Cell<u64>,
}

impl Budget {
    /// That of the file that has these bytes.
    pub(super) fn of(file: &[u8]) -> Self {
        const FREE: u64 = 32 << 20;
        const RATIO: u64 = 256;
        const MOST: u64 = 4 << 30;
        let limit = (file.len() as u64).saturating_mul(RATIO).saturating_add(FREE).min(MOST);
        Self { limit, left: Cell::new(limit) }
    }

    /// Everything that `stream` yields.
    pub(super) fn unpack(&self, stream: impl Read) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut stream = self.bound(stream);
        stream.read_to_end(&mut out)?;
        Ok(out)
    }

    /// `stream`, which fails where the budget ends.
    pub(super) fn bound<R: Read>(&self, stream: R) -> Bounded<'_, R> {
        Bounded { stream, budget: self }
    }
}

/// A stream within a [`Budget`].
pub(super) struct Bounded<'a, R> {
    stream: R,
    budget: &'a Budget,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.stream.read(buffer)?;
        let Some(left) = self.budget.left.get().checked_sub(n as u64) else {
            let limit = self.budget.limit >> 20;
            return Err(Error::other(format!(
                "it unpacks to more than {limit} MiB, which are far more than its size allows for: \
                 save it without compression"
            )));
        };
        self.budget.left.set(left);
        Ok(n)
    }
}

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
    Budget::of(bytes)
        .unpack(flate2::bufread::MultiGzDecoder::new(bytes))
        .map(Cow::Owned)
        .map_err(|e| DataError::malformed(path, format!("the gzip stream is damaged: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::gzip;

    #[test]
    fn what_unpacks_far_beyond_its_size_is_refused() {
        let bomb = gzip(&vec![0; 64 << 20]);
        let message = gunzip(&bomb, Path::new("x.gz")).unwrap_err().to_string();
        assert!(message.contains("it unpacks to more than 4"), "{message}");
        let small = gzip(&vec![0; 16 << 20]);
        assert_eq!(gunzip(&small, Path::new("x.gz")).unwrap().len(), 16 << 20);
    }

    #[test]
    fn streams_of_one_file_share_its_budget() {
        let budget = Budget::of(&[0; 100]);
        let half = (17u64 << 20).min(budget.limit);
        assert_eq!(budget.unpack(std::io::repeat(0).take(half)).unwrap().len() as u64, half);
        assert!(budget.unpack(std::io::repeat(0).take(half)).is_err());
    }
}
