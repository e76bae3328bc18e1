//! The files behind [`super::Pictures`], and what of them is decoded.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use ndarray::Array4;

use super::decode::{self, Raster};
use super::{Skipped, cache};
use crate::data::digest::{self, InputFile};
use crate::data::folder::FolderOptions;
use crate::data::{DataError, Framing, Samples, raw};

/// Folders of up to this many bytes are read once before anything else, so that a file that is no
/// picture, or not all of one, is found before training begins.
const CHECKED: u64 = 4 << 30;

/// Files of one folder, and how they become images.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) about: Arc<About>,
    pub(super) options: FolderOptions,
    /// Frames to apply after `options`, in this order.
    pub(super) framings: Vec<Framing>,
    /// `[c, h, w]` of an image.
    pub(super) shape: [usize; 3],
    slots: Vec<Mutex<Slot>>,
    /// Told whenever a slot is no longer [`Slot::Running`].
    done: Condvar,
    waiting: Mutex<()>,
}

/// What does not depend on how pictures are framed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) files: Vec<PathBuf>,
    pub(super) skipped: Skipped,
    pub(super) note: Option<String>,
    pub(super) digests: Vec<InputFile>,
}

/// The levels of an image `(c, h, w)`, from 0 to 65535.
pub(super) type Levels = Arc<[u16]>;

#[derive(Debug)]
enum Slot {
    Empty,
    /// A worker will decode it, unless somebody needs it before.
    Queued,
    /// Some thread decodes it now, and waits for nobody; `forgotten` if nobody is to come for it.
    Running {
        forgotten: bool,
    },
    /// Decoded; `kept` in the cache, or for the next who asks.
    Ready {
        levels: Levels,
        kept: bool,
    },
    /// For the next who asks.
    Failed(DataError),
}

impl Store {
    /// The files of `root`, checked where they are not too many.
    pub(super) fn open(
        root: &Path,
        files: Vec<PathBuf>,
        skipped: Skipped,
        note: Option<String>,
        options: FolderOptions,
    ) -> Result<Self, DataError> {
        options.check()?;
        let digests = inspect(root, &files)?;
        let about = Arc::new(About { files, skipped, note, digests });
        let shape = [options.channels, options.size.0, options.size.1];
        Ok(Self::new(about, options, Vec::new(), shape))
    }

    fn new(
        about: Arc<About>,
        options: FolderOptions,
        framings: Vec<Framing>,
        shape: [usize; 3],
    ) -> Self {
        let slots = about.files.iter().map(|_| Mutex::new(Slot::Empty)).collect();
        let (done, waiting) = (Condvar::new(), Mutex::new(()));
        Self { about, options, framings, shape, slots, done, waiting }
    }

    /// The same files in another frame.
    pub(super) fn framed(&self, framing: &Framing) -> Result<Self, DataError> {
        let [c, h, w] = self.shape;
        let none = Samples::Images(Array4::zeros((0, c, h, w)));
        let [c, h, w] = framing.apply(none)?.row_shape()[..] else {
            return Err(DataError::unusable("framing", "images became feature vectors"));
        };
        let framings = self.framings.iter().chain([framing]).cloned().collect();
        Ok(Self::new(self.about.clone(), self.options, framings, [c, h, w]))
    }

    /// The numbers of an image.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The image of one file, from the cache or decoded.
    pub(super) fn get(&self, file: usize) -> Result<Levels, DataError> {
        let mut slot = self.slot(file);
        loop {
            match std::mem::replace(&mut *slot, Slot::Empty) {
                Slot::Ready { levels, kept } => {
                    if kept {
                        *slot = Slot::Ready { levels: levels.clone(), kept };
                    }
                    return Ok(levels);
                }
                Slot::Failed(error) => return Err(error),
                running @ Slot::Running { .. } => {
                    *slot = running;
                    drop(slot);
                    let guard = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    // Whoever ends a decoding takes `waiting` after the slot: none is missed.
                    if matches!(*self.slot(file), Slot::Running { .. }) {
                        drop(self.done.wait(guard).unwrap_or_else(PoisonError::into_inner));
                    }
                    slot = self.slot(file);
                }
                Slot::Empty | Slot::Queued => {
                    *slot = Slot::Running { forgotten: false };
                    drop(slot);
                    let result = self.decode(file);
                    self.end(file, |kept| match &result {
                        Ok(levels) if kept => Slot::Ready { levels: levels.clone(), kept },
                        _ => Slot::Empty,
                    });
                    return result;
                }
            }
        }
    }

    /// Marks `files` for [`Store::ahead`], and gives those that nobody has begun.
    #[cfg(feature = "threads")]
    pub(super) fn queue(&self, files: &[usize]) -> Vec<usize> {
        let mut queued = Vec::new();
        for &file in files {
            let mut slot = self.slot(file);
            if matches!(*slot, Slot::Empty) {
                *slot = Slot::Queued;
                queued.push(file);
            }
        }
        queued
    }

    /// Decodes a file that waits in the queue.
    #[cfg(feature = "threads")]
    pub(super) fn ahead(&self, file: usize) {
        {
            let mut slot = self.slot(file);
            if !matches!(*slot, Slot::Queued) {
                return;
            }
            *slot = Slot::Running { forgotten: false };
        }
        match self.decode(file) {
            Ok(levels) => self.end(file, |kept| Slot::Ready { levels, kept }),
            Err(error) => self.end(file, |_| Slot::Failed(error)),
        }
    }

    /// Drops what [`Store::ahead`] decoded and nobody asked for.
    #[cfg(feature = "threads")]
    pub(super) fn forget(&self, files: &[usize]) {
        for &file in files {
            let mut slot = self.slot(file);
            match &mut *slot {
                Slot::Running { forgotten } => *forgotten = true,
                Slot::Queued | Slot::Failed(_) | Slot::Ready { kept: false, .. } => {
                    *slot = Slot::Empty;
                }
                Slot::Empty | Slot::Ready { .. } => {}
            }
        }
    }

    /// Ends a [`Slot::Running`]; `slot` is told whether the cache has room.
    fn end(&self, file: usize, slot: impl FnOnce(bool) -> Slot) {
        let bytes = self.bytes();
        let room = cache::take(bytes);
        let next = slot(room);
        if room && !matches!(next, Slot::Ready { kept: true, .. }) {
            cache::give_back(bytes);
        }
        let mut slot = self.slot(file);
        let forgotten = matches!(*slot, Slot::Running { forgotten: true });
        *slot = match next {
            Slot::Failed(_) | Slot::Ready { kept: false, .. } if forgotten => Slot::Empty,
            next => next,
        };
        drop(slot);
        drop(self.waiting.lock());
        self.done.notify_all();
    }

    fn bytes(&self) -> u64 {
        2 * self.len() as u64
    }

    fn slot(&self, file: usize) -> MutexGuard<'_, Slot> {
        // A slot is whole at every moment.
        self.slots[file].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decode(&self, file: usize) -> Result<Levels, DataError> {
        let path = &self.about.files[file];
        let malformed = |reason| DataError::malformed(path, reason);
        let bytes = raw::read(path)?;
        let raster = Raster::decode(&bytes, path).map_err(malformed)?;
        let mut levels = self.options.image(raster).map_err(malformed)?;
        if !self.framings.is_empty() {
            let (c, (h, w)) = (self.options.channels, self.options.size);
            let values = levels.iter().map(|&v| value(v)).collect();
            let image = Array4::from_shape_vec((1, c, h, w), values);
            let mut image = Samples::Images(image.map_err(|e| malformed(e.to_string()))?);
            for framing in &self.framings {
                image = framing.apply(image)?;
            }
            let Samples::Images(image) = image else {
                return Err(malformed("an image became features".into()));
            };
            levels = image.iter().map(|&v| level(v)).collect();
        }
        Ok(levels.into())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let kept = |slot: &mut Mutex<Slot>| {
            let slot = slot.get_mut().unwrap_or_else(PoisonError::into_inner);
            matches!(slot, Slot::Ready { kept: true, .. })
        };
        let kept = self.slots.iter_mut().map(kept).filter(|kept| *kept).count();
        cache::give_back(kept as u64 * self.bytes());
    }
}

/// A level as a number in [0, 1].
pub(in crate::data) fn value(level: u16) -> f32 {
    f32::from(level) / 65535.0
}

/// The nearest level.
pub(in crate::data) fn level(value: f32) -> u16 {
    (value * 65535.0).round() as u16
}

/// Looks at every file, and gives the SHA-256 of its bytes: of a folder that is not looked at, that of
/// its length. The error is that of the first bad file.
fn inspect(root: &Path, files: &[PathBuf]) -> Result<Vec<InputFile>, DataError> {
    let length = |path: &PathBuf| std::fs::metadata(path).map_or(0, |m| m.len());
    let lengths: Vec<u64> = files.iter().map(length).collect();
    let all = lengths.iter().sum::<u64>() <= CHECKED;
    let look = |(path, length): (&PathBuf, &u64)| -> Result<InputFile, DataError> {
        let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
        if !all {
            return Ok(InputFile { name, sha256: digest::sha256(&length.to_le_bytes()) });
        }
        let bytes = raw::read(path)?;
        let malformed = |reason| DataError::malformed(path, reason);
        if !decode::check(&bytes, path).map_err(malformed)? {
            Raster::decode(&bytes, path).map_err(malformed)?;
        }
        Ok(InputFile { name, sha256: digest::sha256(&bytes) })
    };
    #[cfg(feature = "threads")]
    let found: Vec<_> = {
        use rayon::prelude::*;
        (files, &lengths).into_par_iter().map(look).collect()
    };
    #[cfg(not(feature = "threads"))]
    let found: Vec<_> = files.iter().zip(&lengths).map(look).collect();
    found.into_iter().collect()
}
