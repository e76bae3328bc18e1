//! Getting the files of registered data sets, and checking those that are there.
//!
//! A download grows in `NAME.part` in the data set's folder, goes on where it stopped (HTTP Range)
//! and moves to the next address when one fails. A file appears under its own name only when its
//! content has the registered SHA-256, in one step, so that a file that is there is whole.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use ureq::Agent;
use ureq::http::{StatusCode, header};

use super::registry::{Entry, Origin, locate};
use super::{DataDir, DataError, digest, raw};

mod convert;
pub(super) use convert::Convert;

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The name of the download.
    pub file: &'a str,
    /// Bytes that are on disk.
    pub bytes: u64,
    /// Bytes in all, where the server says so.
    pub total: Option<u64>,
}

/// What [`fetch`] did for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there already.
    Present,
    /// It was downloaded.
    Fetched,
}

/// How a file of a data set is.
#[derive(Debug)]
pub enum State {
    /// Its content is the registered one.
    Good,
    /// It is not there.
    Missing,
    /// It has another content.
    WrongHash {
        /// The registered SHA-256 of the content.
        expected: &'static str,
        /// That of the file.
        got: String,
    },
    /// It cannot be read or unpacked.
    Unreadable(DataError),
}

/// Checks every file of a data set against its SHA-256; the name of each comes with its state.
pub fn verify(entry: &Entry, dir: &DataDir) -> Vec<(&'static str, State)> {
    let state = |path: &str, expected| match locate(dir, path).map(|found| digest::of_file(&found))
    {
        None => State::Missing,
        Some(Ok(got)) if got == expected => State::Good,
        Some(Ok(got)) => State::WrongHash { expected, got },
        Some(Err(e)) => State::Unreadable(e),
    };
    entry.files().map(|file| (file.path, state(file.path, file.sha256))).collect()
}

/// Downloads what is missing of a data set, or has another content. `progress` is called for every
/// piece that arrives.
///
/// Errors: [`DataError::Fetch`] with every address's reason and the steps by hand; a folder or file
/// that cannot be written.
pub fn fetch(
    entry: &Entry,
    dir: &DataDir,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<(&'static str, Outcome)>, DataError> {
    let agent = agent();
    let mut outcomes = Vec::new();
    for origin in entry.origins {
        let present = origin.files.iter().all(|file| {
            let digest = locate(dir, file.path).map(|found| digest::of_file(&found));
            matches!(digest, Some(Ok(got)) if got == file.sha256)
        });
        let outcome = if present { Outcome::Present } else { Outcome::Fetched };
        if !present {
            let download = Download { agent: &agent, origin, dir };
            download.run(progress).map_err(|failed| match failed {
                Failed::Here(e) => e,
                Failed::There(reasons) => {
                    DataError::Fetch { name: entry.name, reasons, by_hand: entry.by_hand }
                }
            })?;
        }
        outcomes.extend(origin.files.iter().map(|file| (file.path, outcome)));
    }
    Ok(outcomes)
}

fn agent() -> Agent {
    let seconds = |n| Some(Duration::from_secs(n));
    Agent::config_builder()
        .http_status_as_error(false)
        // A packed transfer could not be resumed by byte positions.
        .accept_encoding("identity")
        .timeout_connect(seconds(20))
        .timeout_recv_response(seconds(60))
        .timeout_per_read(seconds(60))
        .build()
        .new_agent()
}

/// How often one address is asked, for a connection that breaks.
const ATTEMPTS: usize = 5;

enum Failed {
    /// On this machine: no other address helps.
    Here(DataError),
    /// At an address, or all of them.
    There(String),
}

impl From<DataError> for Failed {
    fn from(e: DataError) -> Self {
        Self::Here(e)
    }
}

/// How one request ended.
enum Ended {
    /// The download is complete; it was resumed or not.
    Complete { resumed: bool },
    /// The connection broke; asking again may go on.
    Broken(String),
    /// The server has no such file.
    Refused(String),
}

/// One origin's download into a data directory.
struct Download<'a> {
    agent: &'a Agent,
    origin: &'a Origin,
    dir: &'a DataDir,
}

impl Download<'_> {
    fn run(&self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), Failed> {
        let mut reasons = Vec::new();
        for url in self.origin.urls {
            match self.from(url, progress) {
                Ok(()) => return Ok(()),
                Err(Failed::There(reason)) => reasons.push(format!("{url}: {reason}")),
                Err(here) => return Err(here),
            }
        }
        if reasons.is_empty() {
            reasons.push("it has no public address".to_owned());
        }
        Err(Failed::There(reasons.join("; ")))
    }

    /// Downloads from one address and installs the files.
    fn from(&self, url: &str, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), Failed> {
        let name = url.rsplit('/').next().unwrap_or(url);
        let folder = self.origin.files.first().map(|file| self.dir.path().join(file.path));
        let folder = folder.as_deref().and_then(Path::parent).unwrap_or(self.dir.path());
        fs::create_dir_all(folder).map_err(|e| DataError::io(folder, e))?;
        let part = folder.join(format!("{name}.part"));
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match self.request(url, &part, name, progress)? {
                Ended::Complete { resumed } => match self.unpack(&part) {
                    Ok(files) => return Ok(self.install(files, &part)?),
                    Err(reason) => {
                        fs::remove_file(&part).map_err(|e| DataError::io(&part, e))?;
                        // The first bytes may have been another address's, packed another way.
                        if !resumed {
                            return Err(Failed::There(reason));
                        }
                        last = reason;
                    }
                },
                Ended::Broken(reason) => last = reason,
                Ended::Refused(reason) => return Err(Failed::There(reason)),
            }
        }
        Err(Failed::There(last))
    }

    /// Asks for what is missing of `part` and appends it.
    fn request(
        &self,
        url: &str,
        part: &Path,
        name: &str,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Ended, DataError> {
        let here = |e| DataError::io(part, e);
        let mut have = fs::metadata(part).map_or(0, |meta| meta.len());
        let mut request = self.agent.get(url);
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(e @ (ureq::Error::Io(_) | ureq::Error::Timeout(_))) => {
                return Ok(Ended::Broken(e.to_string()));
            }
            Err(e) => return Ok(Ended::Refused(e.to_string())),
        };
        let resumed = match response.status() {
            StatusCode::OK => false,
            StatusCode::PARTIAL_CONTENT if range(&response).map(|r| r.0) == Some(Some(have)) => {
                true
            }
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT if have > 0 => {
                // Either nothing is missing, or what is here belongs to another file.
                if range(&response) == Some((None, Some(have))) {
                    return Ok(Ended::Complete { resumed: true });
                }
                fs::remove_file(part).map_err(here)?;
                return Ok(Ended::Broken(
                    "the server cannot go on where the download stopped".into(),
                ));
            }
            status => return Ok(Ended::Refused(format!("the server answers {status}"))),
        };
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .append(resumed)
            .truncate(!resumed)
            .open(part)
            .map_err(here)?;
        have = if resumed { have } else { 0 };
        let total = response.body().content_length().map(|rest| have + rest);
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            progress(Progress { file: name, bytes: have, total });
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    file.write_all(&buffer[..n]).map_err(here)?;
                    have += n as u64;
                }
                Err(e) => return Ok(Ended::Broken(format!("the transfer broke off: {e}"))),
            }
        }
        Ok(Ended::Complete { resumed })
    }

    /// The files of a complete download as they are to lie on disk; the error is a reason.
    fn unpack(&self, part: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
        let download = raw::read(part).map_err(|e| e.to_string())?;
        let content = raw::gunzip(&download, part).map_err(|e| e.to_string())?;
        let mut files = Vec::new();
        for file in self.origin.files {
            let path = self.dir.path().join(file.path);
            let converted = file.convert.apply(&content)?;
            let got = digest::of_content(&converted, &path).map_err(|e| e.to_string())?;
            if got != file.sha256 {
                let (path, expected) = (file.path, file.sha256);
                return Err(format!("{path} would have SHA-256 {got}, expected {expected}"));
            }
            let packed = path.extension().is_some_and(|e| e == "gz");
            let bytes =
                if packed { gzip(&converted).map_err(|e| e.to_string())? } else { converted };
            files.push((path, bytes));
        }
        Ok(files)
    }

    /// Puts every file in its place in one step, then drops the download.
    fn install(&self, files: Vec<(PathBuf, Vec<u8>)>, part: &Path) -> Result<(), DataError> {
        for (path, bytes) in files {
            let mut new = path.clone().into_os_string();
            new.push(".new");
            let new = PathBuf::from(new);
            let write = || {
                let mut file = fs::File::create(&new)?;
                file.write_all(&bytes)?;
                file.sync_all()?;
                fs::rename(&new, &path)
            };
            write().map_err(|e| DataError::io(&path, e))?;
        }
        fs::remove_file(part).map_err(|e| DataError::io(part, e))
    }
}

/// First byte and total of a `Content-Range: bytes FIRST-LAST/TOTAL` header; `*` is none.
fn range<B>(response: &ureq::http::Response<B>) -> Option<(Option<u64>, Option<u64>)> {
    let value = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (bytes, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let first = bytes.split('-').next()?;
    Some((first.parse().ok(), total.parse().ok()))
}

fn gzip(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

#[cfg(test)]
mod tests;
