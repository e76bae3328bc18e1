//! Who works on what, where several processes and machines share a directory.
//!
//! A unit of work is claimed by creating a file, which names its owner. While the owner lives it writes the
//! file anew every few seconds: that is the heartbeat. Another process takes the unit over when the owner is
//! dead: on the owner's own machine the lock on the file tells at once, elsewhere a heartbeat that has been
//! silent for a minute by the file system's own clock.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, Write},
    path::{Path, PathBuf},
    process,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

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
    beating: Option<(Sender<()>, JoinHandle<()>)>,
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
                Ok(file) => return Self::hold(path, file).map(Asked::Ours),
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
            let dead = match &owner {
                Some(owner) if owner.host == Owner::this().host => match file.try_lock() {
                    Ok(()) => true,
                    Err(fs::TryLockError::WouldBlock) => false,
                    // A file system without locks.
                    Err(fs::TryLockError::Error(_)) => silent(&file, path)?,
                },
                _ => silent(&file, path)?,
            };
            if !dead {
                let unknown = Owner { host: "?".to_owned(), process: 0 };
                return Ok(Asked::Theirs(owner.unwrap_or(unknown)));
            }
            // A rename succeeds for one of those who saw that the owner is dead.
            let aside = path.with_extension(format!("dead-{}", process::id()));
            match fs::rename(path, &aside) {
                Ok(()) => fs::remove_file(&aside)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the owner and begins to beat.
    fn hold(path: &Path, mut file: File) -> io::Result<Self> {
        let text = serde_json::to_string(&Owner::this()).map_err(io::Error::other)?;
        // Where there are no locks the heartbeat alone tells that this process is alive.
        let _ = file.try_lock();
        file.write_all(text.as_bytes())?;
        let (stop, stopped) = channel();
        let beat = thread::spawn(move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // Writing moves the time of change by the file system's clock. What fails now may
                // succeed at the next beat.
                let _ = file.rewind().and_then(|()| file.write_all(text.as_bytes()));
            }
        });
        Ok(Self { path: path.to_owned(), beating: Some((stop, beat)) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        if let Some((stop, beat)) = self.beating.take() {
            drop(stop);
            let _ = beat.join();
        }
    }
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

/// A part of all units: those whose number, divided by `of`, leaves `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// I, from 0 to N − 1.
    pub index: usize,
    /// N.
    pub of: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}`: expected I/N, with I from 0 to N − 1, as 0/4");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let shard = Self {
            index: index.trim().parse().map_err(|_| wrong())?,
            of: of.trim().parse().map_err(|_| wrong())?,
        };
        if shard.index < shard.of { Ok(shard) } else { Err(wrong()) }
    }
}

impl Shard {
    /// The part that a task of a Slurm array should do, by its environment; nothing outside of one.
    ///
    /// # Errors
    /// The variables are there and are no numbers.
    pub fn of_slurm(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let number = |name: &str| match variable(name) {
            None => Ok(None),
            Some(text) => match text.trim().parse::<usize>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(format!("{name}={text}: expected a number")),
            },
        };
        let (Some(task), Some(of)) =
            (number("SLURM_ARRAY_TASK_ID")?, number("SLURM_ARRAY_TASK_COUNT")?)
        else {
            return Ok(None);
        };
        let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
        match task.checked_sub(first) {
            Some(index) if index < of => Ok(Some(Self { index, of })),
            _ => Err(format!(
                "SLURM_ARRAY_TASK_ID={task}: expected one of the {of} numbers from {first} on, \
                 without gaps; give --shard I/N"
            )),
        }
    }

    /// Whether unit number `unit` is part of it.
    pub fn has(self, unit: usize) -> bool {
        unit % self.of == self.index
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn shards_are_read_and_cover_everything_once() {
        assert_eq!("1/4".parse(), Ok(Shard { index: 1, of: 4 }));
        for wrong in ["4/4", "1", "a/4", "1/0", "-1/2"] {
            assert!(wrong.parse::<Shard>().unwrap_err().contains("expected I/N"), "{wrong}");
        }
        for unit in 0..10 {
            let owners = (0..3).filter(|&index| Shard { index, of: 3 }.has(unit)).count();
            assert_eq!(owners, 1);
        }
    }

    #[test]
    fn an_array_of_slurm_is_a_set_of_shards() {
        let of = |values: &[(&str, &str)]| {
            Shard::of_slurm(|name| {
                values.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
            })
        };
        assert_eq!(of(&[]), Ok(None));
        let task = |id| {
            of(&[
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_COUNT", "3"),
                ("SLURM_ARRAY_TASK_MIN", "1"),
            ])
        };
        assert_eq!(task("3"), Ok(Some(Shard { index: 2, of: 3 })));
        assert!(task("7").unwrap_err().contains("without gaps"));
        assert!(task("x").unwrap_err().contains("SLURM_ARRAY_TASK_ID=x: expected a number"));
    }
}
