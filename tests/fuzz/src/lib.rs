//! Mutated files before every reader of files: none may panic, take more than ten seconds, or more
//! than a gibibyte of memory beyond the size of the file. A typed error is the right answer to most.
//!
//! A [`Reader`] has small valid files ([`Reader::seeds`]) and does with a file what the program does
//! ([`Reader::read`]): it goes through the door, then touches the rows, so that what is decoded when it
//! is needed is decoded. Two drivers call it: `mutate`, which changes the seeds blindly ([`Mutator`]),
//! and libFuzzer (`libfuzzer/`), which looks for inputs that reach new code.

mod mutator;
mod readers;

use std::cell::OnceCell;
use std::io;
use std::path::{Path, PathBuf};

pub use mutator::{LARGEST, Mutator};
pub use readers::READERS;

/// A reader of files.
pub struct Reader {
    /// Its name.
    pub name: &'static str,
    /// The name of a file of its kind: readers go by endings.
    pub file: &'static str,
    /// Small valid files that differ in their kinds.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Reads a file as the program does.
    ///
    /// # Errors
    /// The reader's own.
    pub read: fn(&Path) -> anyhow::Result<()>,
}

impl Reader {
    /// The reader of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        READERS.iter().find(|reader| reader.name == name)
    }
}

/// A folder for one file at a time, in memory where the system has such a place.
pub struct Place {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Place {
    /// A new folder for files named `file`.
    ///
    /// # Errors
    /// The system's.
    pub fn new(file: &str) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("transduct-mutated-");
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => builder.tempdir_in(memory).or_else(|_| builder.tempdir())?,
            false => builder.tempdir()?,
        };
        let file = folder.path().join(file);
        Ok(Self { folder, file })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Gives the file these bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, bytes: &[u8]) -> io::Result<&Path> {
        std::fs::write(&self.file, bytes)?;
        Ok(&self.file)
    }

    /// Removes the folder.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(self) -> io::Result<()> {
        self.folder.close()
    }
}

/// Reads these bytes by the reader of this name, for a driver that takes a panic for a finding.
///
/// Panics where the reader does, where there is none of this name, and where the system gives no file.
pub fn try_out(name: &str, bytes: &[u8]) {
    thread_local! {
        static PLACE: OnceCell<Place> = const { OnceCell::new() };
    }
    let reader = Reader::named(name).expect("a reader of this name");
    PLACE.with(|place| {
        let place = place.get_or_init(|| {
            // A driver's hook may end the process, even where a decoder's panic becomes an error.
            std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
            pool.build_global().expect("the first pool");
            Place::new(reader.file).expect("a folder")
        });
        // An error is an answer.
        let _ = (reader.read)(place.write(bytes).expect("a file"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A seed that is refused teaches the mutations little.
    #[test]
    fn every_seed_is_read() {
        for reader in READERS {
            let seeds = (reader.seeds)();
            assert!(!seeds.is_empty(), "{}", reader.name);
            let place = Place::new(reader.file).unwrap();
            for (i, seed) in seeds.iter().enumerate() {
                let result = (reader.read)(place.write(seed).unwrap());
                assert!(result.is_ok(), "{} seed {i}: {:#}", reader.name, result.unwrap_err());
                assert!(seed.len() < LARGEST / 2, "{} seed {i}: {} bytes", reader.name, seed.len());
            }
        }
    }

    #[test]
    fn mutations_depend_on_the_seed_alone() {
        let run = |seed: u64| -> Vec<Vec<u8>> {
            let mut mutator = Mutator::new((READERS[0].seeds)(), seed);
            (0..50).map(|_| mutator.next().to_vec()).collect()
        };
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
        assert!(run(3).iter().all(|bytes| bytes.len() <= LARGEST));
    }
}
