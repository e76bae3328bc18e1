//! Pictures that are decoded when they are needed.
//!
//! A folder may be larger than the memory. So [`Pictures`] are names of files with what is to be done
//! to each: the shape of [`FolderOptions`], frames, a normalisation. An image is decoded by the thread
//! that needs it, or ahead of it by a worker (`Pictures::ahead`), and is kept as long as the
//! [cache](set_limit) has room. It is kept in its frame and before the normalisation, in steps of
//! 1/65535, 2 bytes a value: pictures of 8 or 16 bits that keep their size are exact, and what resizing
//! adds is 256 times below the rounding to bytes that is usual. The steps are the same whether an image
//! is kept or not, so that neither threads nor cache change a bit.
//!
//! A file that is no picture, that ends early or that would fill the memory is an error with its path:
//! before anything else for folders of up to 4 GiB, which are read once for it, else when its turn
//! comes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array4;

mod cache;
mod complete;
mod decode;
mod store;
mod walk;

pub use cache::{limit, set_limit};
pub use walk::{
    Classes, Listing, Skipped, SkippedFiles, has_classes, is_picture, list, list_classes,
};

pub(super) use decode::Raster;
pub(super) use store::value;

use super::digest::InputFile;
use super::folder::FolderOptions;
use super::normalise::Fitted;
use super::{DataError, Framing, Samples};
use store::Store;

/// Images `(c, h, w)` in [0, 1] that lie in files until they are needed.
#[derive(Clone, Debug)]
pub struct Pictures {
    store: Arc<Store>,
    /// Which files are the rows.
    rows: Arc<[usize]>,
    /// Normalisations, in this order; they are applied at every use.
    fitted: Arc<[Fitted]>,
}

impl Pictures {
    /// The pictures of a listing of `root`, `note` with them.
    ///
    /// Errors: options out of range; of a folder of up to 4 GiB, a file that is no picture or not all
    /// of one.
    pub(super) fn open(
        root: &Path,
        listing: Listing,
        note: Option<String>,
        options: &FolderOptions,
    ) -> Result<Self, DataError> {
        let Listing { files, skipped } = listing;
        let rows = (0..files.len()).collect();
        let store = Arc::new(Store::open(root, files, skipped, note, *options)?);
        Ok(Self { store, rows, fitted: Arc::new([]) })
    }

    /// The number of pictures n.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// `[c, h, w]`.
    pub fn shape(&self) -> [usize; 3] {
        self.store.shape
    }

    /// The file of a row. Panics when it is out of range.
    pub fn path(&self, row: usize) -> &Path {
        &self.store.about.files[self.rows[row]]
    }

    /// The files of all rows.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.rows.iter().map(|&file| &self.store.about.files[file])
    }

    /// What in the folder is no picture.
    pub fn skipped(&self) -> &Skipped {
        &self.store.about.skipped
    }

    /// What should be told about the folder, which can be understood in two ways.
    pub fn note(&self) -> Option<&str> {
        self.store.about.note.as_deref()
    }

    /// The files of the folder by their paths below it, with the SHA-256 of their bytes; in a folder
    /// beyond 4 GiB, of their lengths alone.
    pub fn digests(&self) -> &[InputFile] {
        &self.store.about.digests
    }

    /// The rows at `index`, in that order. Nothing is decoded. Panics when one is out of range.
    pub fn select(&self, index: &[usize]) -> Self {
        Self { rows: index.iter().map(|&row| self.rows[row]).collect(), ..self.clone() }
    }

    /// The pictures in a frame, before any normalisation.
    ///
    /// Errors: those of [`Framing::apply`].
    pub(super) fn framed(&self, framing: &Framing) -> Result<Self, DataError> {
        if !self.fitted.is_empty() {
            let reason = "pictures are framed before they are normalised";
            return Err(DataError::unusable("framing", reason));
        }
        let store = self.store.framed(framing)?;
        Ok(match store.shape == self.store.shape && framing.content.is_none() {
            // Filters leave an image of the wanted size as it is.
            true => self.clone(),
            false => Self { store: Arc::new(store), ..self.clone() },
        })
    }

    /// The pictures after one more normalisation.
    ///
    /// Errors: a normalisation for something else.
    pub(super) fn normalised(&self, fitted: &Fitted) -> Result<Self, DataError> {
        let [c, h, w] = self.shape();
        fitted.apply(Samples::Images(Array4::zeros((0, c, h, w))))?;
        if *fitted == Fitted::Sequence(Vec::new()) {
            return Ok(self.clone());
        }
        let fitted = self.fitted.iter().chain([fitted]).cloned().collect();
        Ok(Self { fitted, ..self.clone() })
    }

    /// The rows at `index`, `(index.len(), c, h, w)`, decoded where they are not in the cache. Panics
    /// when one is out of range.
    ///
    /// Errors: the first of them that cannot be decoded.
    pub fn images(&self, index: &[usize]) -> Result<Array4<f32>, DataError> {
        let [c, h, w] = self.shape();
        let mut values = vec![0.0; index.len() * c * h * w];
        self.gather(index, &mut values)?;
        Array4::from_shape_vec((index.len(), c, h, w), values)
            .map_err(|e| DataError::unusable("pictures", e.to_string()))
    }

    /// As [`Pictures::images`], into a slice.
    pub(crate) fn gather(&self, index: &[usize], values: &mut [f32]) -> Result<(), DataError> {
        let fill = |(values, &row): (&mut [f32], &usize)| self.fill(row, values);
        let images = values.chunks_exact_mut(self.store.len());
        let pairs: Vec<_> = images.zip(index).collect();
        #[cfg(feature = "threads")]
        let results: Vec<_> = {
            use rayon::prelude::*;
            pairs.into_par_iter().map(fill).collect()
        };
        #[cfg(not(feature = "threads"))]
        let results: Vec<_> = pairs.into_iter().map(fill).collect();
        results.into_iter().collect()
    }

    fn fill(&self, row: usize, values: &mut [f32]) -> Result<(), DataError> {
        let levels = self.store.get(self.rows[row])?;
        if self.fitted.is_empty() {
            values.iter_mut().zip(levels.iter()).for_each(|(v, &level)| *v = value(level));
            return Ok(());
        }
        let [c, h, w] = self.shape();
        let image = levels.iter().map(|&level| value(level)).collect();
        let image = Array4::from_shape_vec((1, c, h, w), image);
        let image = image.map_err(|e| DataError::unusable("pictures", e.to_string()))?;
        let mut image = Samples::Images(image);
        for fitted in self.fitted.iter() {
            image = fitted.apply(image)?;
        }
        if let Samples::Images(image) = image {
            values.iter_mut().zip(&image).for_each(|(v, &x)| *v = x);
        }
        Ok(())
    }

    /// Has the worker threads decode the rows at `index`, which will be asked for soon, until what is
    /// given back is dropped. Does nothing without worker threads.
    pub(crate) fn ahead(&self, index: &[usize]) -> Ahead {
        #[cfg(feature = "threads")]
        if rayon::current_num_threads() > 1 {
            let files: Vec<usize> = index.iter().map(|&row| self.rows[row]).collect();
            let files = self.store.queue(&files);
            for &file in &files {
                let store = self.store.clone();
                rayon::spawn(move || store.ahead(file));
            }
            return Ahead { store: self.store.clone(), files };
        }
        let _ = index;
        Ahead { store: self.store.clone(), files: Vec::new() }
    }
}

/// Pictures that are decoded ahead of their use.
#[derive(Debug)]
pub(crate) struct Ahead {
    store: Arc<Store>,
    files: Vec<usize>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        #[cfg(feature = "threads")]
        self.store.forget(&self.files);
        #[cfg(not(feature = "threads"))]
        let _ = (&self.store, &self.files);
    }
}

/// Whether they are the same rows: of the same files, prepared alike.
impl PartialEq for Pictures {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.store, &other.store);
        let same = Arc::ptr_eq(a, b)
            || (a.about == b.about && a.options == b.options && a.framings == b.framings);
        same && self.rows == other.rows && self.fitted == other.fitted
    }
}

#[cfg(test)]
mod tests;
