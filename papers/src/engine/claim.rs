//! Who works on what, where several processes and machines share a directory.
//!
//! A unit of work is claimed by creating a file, which names its owner. While the owner lives it writes the
//! file anew every few seconds: that is the heartbeat. Another process takes the unit over when the owner is
//! dead: on the owner's own machine the lock on the file tells at once, elsewhere a heartbeat that has been
//! silent for a minute by the file system's own clock. An owner that was only slow, a machine that slept for
//! instance, hears from its next heartbeat that the claim is lost.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, Write},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use same_file::Handle;
use serde::{Deserialize, Serialize};

/// Between two heartbeats.
const BEAT: Duration = Duration::from_secs(10);
/// An owner on another machine that has been silent for so long is dead.
const SILENCE: Duration = Duration::from_secs(60);

/// Who works on a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// The machine's name.
    pub(crate) host: String,
    /// The process on it.
    pub(crate) process: u32,
}

impl Owner {
    fn this() -> Self {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        Self { host, process: process::id() }
    }

    /// Somebody, who has not said who.
    pub(crate) fn unknown() -> Self {
        Self { host: "?".to_owned(), process: 0 }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.process, self.host)
    }
}

/// The right to work on a unit, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    lost: Arc<AtomicBool>,
    beating: Option<(Sender<()>, JoinHandle<File>)>,
}

/// What came of asking for a unit.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It is this process's.
    Ours(Claim),
    /// Somebody alive works on it.
    Theirs(Owner),
}

impl Claim {
    /// Asks for the unit whose claim is the file at `path`, in a folder that exists.
    ///
    /// # Errors
    /// What the system reports.
    pub(crate) fn ask(path: &Path) -> io::Result<Asked> {
        loop {
            match OpenOptions::new().read(true).write(true).create_new(true).open(path) {
                Ok(file) => {
                    // Where there are no locks the heartbeat alone tells that this process is alive.
                    let _ = file.try_lock();
                    return Self::hold(path, file).map(Asked::Ours);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let mut file = match OpenOptions::new().read(true).write(true).open(path) {
                Ok(file) => file,
                // Its owner has finished in between.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            let owner = serde_json::from_str::<Owner>(&text).ok();
            if owner.as_ref().is_some_and(|owner| owner.host == Owner::this().host) {
                match file.try_lock() {
                    // Whoever has the lock may take the file over, if it still is the claim: what its
                    // owner, or the one before this process, removed is none.
                    Ok(()) if !is_at(&file, path)? => continue,
                    Ok(()) => return Self::hold(path, file).map(Asked::Ours),
                    Err(fs::TryLockError::WouldBlock) => return Ok(Asked::theirs(owner)),
                    // A file system without locks.
                    Err(fs::TryLockError::Error(_)) => {}
                }
            }
            if !silent(&file, path)? {
                return Ok(Asked::theirs(owner));
            }
            bury(&file, path)?;
        }
    }

    /// Writes the owner and begins to beat.
    fn hold(path: &Path, mut file: File) -> io::Result<Self> {
        let text = serde_json::to_string(&Owner::this()).map_err(io::Error::other)?;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        let (stop, stopped) = channel();
        let lost = Arc::new(AtomicBool::new(false));
        let (place, told) = (path.to_owned(), Arc::clone(&lost));
        let beat = thread::spawn(move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // Writing moves the time of change by the file system's clock. What fails now may
                // succeed at the next beat.
                let _ = file.rewind().and_then(|()| file.write_all(text.as_bytes()));
                if is_at(&file, &place).is_ok_and(|still| !still) {
                    told.store(true, Ordering::SeqCst);
                    break;
                }
            }
            file
        });
        Ok(Self { path: path.to_owned(), lost, beating: Some((stop, beat)) })
    }

    /// Tells when another process has taken the unit over: what this one has not finished is not its own
    /// any more.
    pub(crate) fn lost(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.lost)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some((stop, beat)) = self.beating.take() else { return };
        drop(stop);
        // The lock goes with the file, after the file's name.
        if let Ok(file) = beat.join()
            && is_at(&file, &self.path).unwrap_or(false)
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Asked {
    /// A claim that is just being written names nobody yet.
    fn theirs(owner: Option<Owner>) -> Self {
        Self::Theirs(owner.unwrap_or_else(Owner::unknown))
    }
}

/// Whether `path` names this file, and no other or none.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match Handle::from_path(path) {
        Ok(there) => Ok(there == Handle::from_file(file.try_clone()?)?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes the claim of a dead owner away from `path`. Of those who saw that it is dead one succeeds.
fn bury(dead: &File, path: &Path) -> io::Result<()> {
    let aside = path.with_extension(format!("dead-{}", process::id()));
    match fs::rename(path, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    if !is_at(dead, &aside)? {
        // Another process was faster, and this is its claim. Where it cannot be put back, its owner will
        // hear that it is lost.
        let _ = fs::hard_link(&aside, path);
    }
    fs::remove_file(&aside)
}

/// Whether the file has not been written for [`SILENCE`].
fn silent(file: &File, path: &Path) -> io::Result<bool> {
    let written = file.metadata()?.modified()?;
    Ok(now_of(path)?.duration_since(written).is_ok_and(|age| age > SILENCE))
}

/// The time by the clock of the file system that `path` is on, which may be another machine's.
fn now_of(path: &Path) -> io::Result<SystemTime> {
    let probe = path.with_extension(format!("now-{}", process::id()));
    let now = File::create(&probe).and_then(|file| file.metadata()?.modified());
    let _ = fs::remove_file(&probe);
    now
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn owner(asked: io::Result<Asked>) -> Option<Owner> {
        match asked.unwrap() {
            Asked::Ours(_) => None,
            Asked::Theirs(owner) => Some(owner),
        }
    }

    #[test]
    fn a_unit_has_one_owner_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claim.json");
        let Asked::Ours(claim) = Claim::ask(&path).unwrap() else { panic!("nobody has it") };
        assert_eq!(owner(Claim::ask(&path)), Some(Owner::this()));
        drop(claim);
        assert!(!path.exists());
        assert_eq!(owner(Claim::ask(&path)), None);
    }

    /// A process of this machine that left its claim behind holds no lock on it.
    #[test]
    fn a_dead_owner_of_this_machine_is_followed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claim.json");
        fs::write(&path, serde_json::to_string(&Owner::this()).unwrap()).unwrap();
        assert_eq!(owner(Claim::ask(&path)), None);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert!(names.is_empty(), "nothing is left: {names:?}");
    }

    #[test]
    fn an_owner_elsewhere_is_dead_when_its_heart_has_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claim.json");
        let elsewhere = Owner { host: "another-machine".to_owned(), process: 7 };
        fs::write(&path, serde_json::to_string(&elsewhere).unwrap()).unwrap();
        assert_eq!(owner(Claim::ask(&path)), Some(elsewhere));
        let long_ago = SystemTime::now() - SILENCE - Duration::from_secs(1);
        File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(owner(Claim::ask(&path)), None);
    }

    /// A claim that is just being written has no owner yet.
    #[test]
    fn an_empty_claim_is_somebodys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claim.json");
        fs::write(&path, "").unwrap();
        assert_eq!(owner(Claim::ask(&path)).unwrap().host, "?");
    }

    /// Of many that find a dead owner's claim, one has the unit at a time.
    #[test]
    fn a_dead_owner_is_followed_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claim.json");
        let (held, begun) = (AtomicBool::new(false), AtomicUsize::new(0));
        for _ in 0..50 {
            fs::write(&path, serde_json::to_string(&Owner::this()).unwrap()).unwrap();
            thread::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|| {
                        if let Asked::Ours(_claim) = Claim::ask(&path).unwrap() {
                            assert!(!held.swap(true, Ordering::SeqCst), "two at once");
                            begun.fetch_add(1, Ordering::SeqCst);
                            thread::yield_now();
                            held.store(false, Ordering::SeqCst);
                        }
                    });
                }
            });
        }
        assert!(begun.into_inner() >= 50);
    }

    #[test]
    fn a_claim_that_was_taken_away_leaves_its_follower_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claim.json");
        let Asked::Ours(slow) = Claim::ask(&path).unwrap() else { panic!("nobody has it") };
        fs::remove_file(&path).unwrap();
        let Asked::Ours(follower) = Claim::ask(&path).unwrap() else { panic!("nobody has it") };
        drop(slow);
        assert!(path.exists());
        drop(follower);
        assert!(!path.exists());
    }
}
