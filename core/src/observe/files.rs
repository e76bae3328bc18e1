//! The files of a training.

use std::{
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Observer, StepMeans};
use crate::{Dev, Error, Result, checkpoint::Checkpoint};

/// `metrics.jsonl`: one JSON object a line, each written at once and on the disk before a
/// checkpoint is. It holds nothing but what seed and configuration determine, so that equal runs
/// have equal files.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    file: File,
}

/// What every line has.
#[derive(Deserialize)]
struct At {
    step: u64,
}

impl MetricsFile {
    /// The file of a training that starts (`step` = 0: what is there is removed) or goes on after
    /// `step` steps: lines of later steps, which a stopped training may have written after its last
    /// checkpoint, are cut off, and so is a last line that was not written to its end.
    ///
    /// # Errors
    /// [`Error::File`] when the system refuses, the file of a training that goes on is missing, or
    /// a line other than the last is damaged.
    pub fn open(path: &Path, step: u64) -> Result<Self> {
        let wrong = |reason: String| Error::File { path: path.display().to_string(), reason };
        let system = |e: std::io::Error| wrong(e.to_string());
        let kept = match step {
            0 => 0,
            _ => {
                let text = std::fs::read(path).map_err(system)?;
                kept(&text, step).map_err(wrong)?
            }
        };
        let mut options = OpenOptions::new();
        let options = options.write(true).create(step == 0).truncate(false);
        let mut file = options.open(path).map_err(system)?;
        file.set_len(kept as u64).map_err(system)?;
        file.seek(SeekFrom::End(0)).map_err(system)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends a line; `record` is an object with a field `step`.
    ///
    /// # Errors
    /// [`Error::File`] when the system refuses.
    pub fn write(&mut self, record: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_string(record).map_err(|e| self.wrong(&e))?;
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|e| self.wrong(&e))
    }

    fn wrong(&self, reason: &dyn std::fmt::Display) -> Error {
        Error::File { path: self.path.display().to_string(), reason: reason.to_string() }
    }
}

/// The bytes of the lines up to `step`.
fn kept(text: &[u8], step: u64) -> Result<usize, String> {
    let mut end = 0;
    for (i, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        match serde_json::from_slice::<At>(line) {
            Ok(at) if at.step <= step && line.ends_with(b"\n") => end += line.len(),
            Ok(_) => break,
            Err(_) if end + line.len() == text.len() => break,
            Err(e) => return Err(format!("line {}: {e}", i + 1)),
        }
    }
    Ok(end)
}

impl<D: Dev> Observer<D> for MetricsFile {
    fn on_means(&mut self, means: &StepMeans) -> Result<()> {
        self.write(means)
    }

    fn on_checkpoint(&mut self, _: &Checkpoint) -> Result<()> {
        self.file.sync_data().map_err(|e| self.wrong(&e))
    }
}

/// The file of the last checkpoint.
#[derive(Clone, Debug)]
pub struct CheckpointFile(PathBuf);

impl CheckpointFile {
    /// Checkpoints go to `path`, each replacing the one before it atomically.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl<D: Dev> Observer<D> for CheckpointFile {
    fn on_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.save(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LINES: &str = "{\"event\":\"step\",\"step\":2}\n{\"event\":\"evaluation\",\"step\":2}\n\
                         {\"event\":\"step\",\"step\":4}\n";

    fn reopened(before: &str, step: u64) -> Result<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, before).unwrap();
        let mut file = MetricsFile::open(&path, step)?;
        file.write(&json!({"step": 9})).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        Ok(text.strip_suffix("{\"step\":9}\n").unwrap().to_owned())
    }

    #[test]
    fn lines_after_the_checkpoint_are_cut_off() {
        let first_two: String = LINES.split_inclusive('\n').take(2).collect();
        assert_eq!(reopened(LINES, 4).unwrap(), LINES);
        assert_eq!(reopened(LINES, 3).unwrap(), first_two);
        assert_eq!(reopened(LINES, 2).unwrap(), first_two);
        assert_eq!(reopened(LINES, 1).unwrap(), "");
        assert_eq!(reopened(LINES, 0).unwrap(), "");
    }

    #[test]
    fn a_partly_written_last_line_is_cut_off() {
        let first_two: String = LINES.split_inclusive('\n').take(2).collect();
        for end in first_two.len()..LINES.len() {
            assert_eq!(reopened(&LINES[..end], 4).unwrap(), first_two, "{end}");
        }
    }

    #[test]
    fn a_damaged_or_missing_file_is_an_error() {
        let error = reopened(&LINES.replacen("step\":2", "stop\":2", 1), 4).unwrap_err();
        assert!(error.to_string().contains("metrics.jsonl: line 1: missing field `step`"));
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("metrics.jsonl");
        assert!(MetricsFile::open(&missing, 3).is_err());
        assert!(!missing.exists());
        MetricsFile::open(&missing, 0).unwrap();
    }
}
