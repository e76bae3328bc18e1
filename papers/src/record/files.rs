//! Reading and replacing whole files.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use transduct_core::tensors::replace_file;

/// A file of the run directory that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The content is not what the file should hold.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The place in it and what is wrong there.
        reason: String,
    },
}

impl RecordError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn malformed(path: &Path, reason: impl ToString) -> Self {
        Self::Malformed { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// Replaces the file at `path` by what `write` writes: the old content or the new one is there at
/// every moment, and the new one is on disk when this returns. Missing directories are made.
///
/// # Errors
/// What the operating system reports, a full disk for instance. The old file is then intact.
pub fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), RecordError> {
    let replace = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        replace_file(path, write)
    };
    replace().map_err(|e| RecordError::io(path, e))
}

/// Removes a file that need not be there.
///
/// # Errors
/// What the operating system reports.
pub fn remove(path: &Path) -> Result<(), RecordError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(RecordError::io(path, error)),
        _ => Ok(()),
    }
}

/// The record at `path`, which must say in its field `format` that its layout is `format`.
///
/// # Errors
/// The file is missing, malformed, or of another layout.
pub(crate) fn read_record<T: DeserializeOwned>(path: &Path, format: u32) -> Result<T, RecordError> {
    let record: Value = read_json(path)?;
    match record.get("format").and_then(Value::as_u64) {
        // By the text, so that an error names its line.
        Some(there) if there == u64::from(format) => read_json(path),
        there => {
            let there = there.map_or("no format".to_owned(), |n| format!("format {n}"));
            let reason = format!("{there}: this program reads format {format}");
            Err(RecordError::malformed(path, reason))
        }
    }
}

/// The time, UTC, as in `2026-11-24T07:00:00Z`.
pub(crate) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// [`write_atomic`] of a value as indented JSON.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), RecordError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| RecordError::malformed(path, e))?;
    text.push(b'\n');
    write_atomic(path, |file| file.write_all(&text))
}

/// The value that a JSON file holds.
///
/// # Errors
/// The file cannot be read, or a field is missing or of another type; the message names the field
/// or the place.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, RecordError> {
    let text = fs::read(path).map_err(|e| RecordError::io(path, e))?;
    serde_json::from_slice(&text).map_err(|e| RecordError::malformed(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/a.json");
        write_json(&path, &[1, 2]).unwrap();
        let error = write_atomic(&path, |file| {
            file.write_all(b"[3")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(error.unwrap_err().to_string().contains("a.json: "));
        assert_eq!(read_json::<Vec<u32>>(&path).unwrap(), [1, 2]);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn reading_errors_name_file_and_field() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("done.json");
        write_json(&path, &serde_json::json!({"steps": 3})).unwrap();
        let message = read_json::<super::super::Done>(&path).unwrap_err().to_string();
        assert!(message.contains("done.json: missing field `"), "{message}");
    }
}
