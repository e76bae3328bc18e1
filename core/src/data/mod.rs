//! Data on the host: what readers give, and what becomes a [`crate::Input`] on a device.
//!
//! Everything here is independent of devices: `ndarray` arrays, images in single precision, features in
//! double precision until a batch of them goes to a device.

use ndarray::{Array2, Array4, Axis};

pub mod classes;
#[cfg(feature = "files")]
mod digest;
#[cfg(feature = "files")]
mod dir;
mod domain;
pub mod embedded;
mod error;
#[cfg(feature = "files")]
pub mod fetch;
#[cfg(feature = "files")]
pub mod folder;
mod framing;
pub mod idx;
#[cfg(feature = "files")]
mod labels;
pub mod mat;
pub mod normalise;
pub mod npy;
mod optdigits;
mod pair;
#[cfg(feature = "files")]
pub mod pictures;
mod protocol;
pub mod range;
mod raw;
#[cfg(feature = "files")]
pub mod read;
#[cfg(feature = "files")]
pub mod registry;
pub mod resize;
pub mod sparse;
mod sparse_rows;
pub mod split;
pub mod svmlight;
pub mod synthetic;
#[cfg(feature = "files")]
pub mod table;
#[cfg(test)]
mod testing;
mod texts;

#[cfg(feature = "files")]
pub use digest::sha256;
#[cfg(feature = "files")]
pub use dir::DataDir;
pub use domain::{LabelledDomain, PartlyLabelled, TestSet, UnlabelledDomain};
pub use error::DataError;
pub use framing::{Channels, Framing};
#[cfg(feature = "files")]
pub use labels::Labels;
pub use pair::DomainPair;
pub use protocol::{NormalisedBy, Preparation, Protocol, TargetTest};
pub use sparse_rows::SparseRows;
pub use split::Split;
pub use texts::Texts;

/// The rows of a data set, without labels.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// `(n, c, h, w)`, c = 1 or 3, as read in [0, 1]; normalisation is a later, named step.
    Images(Array4<f32>),
    /// `(n, d)`.
    Features(Array2<f64>),
    /// `(n, d)` of which most numbers are 0: dense in a batch alone.
    Sparse(SparseRows),
    /// Images in files, which are decoded when they are needed.
    #[cfg(feature = "files")]
    Pictures(pictures::Pictures),
}

impl Samples {
    /// The number of rows n.
    pub fn len(&self) -> usize {
        match self {
            Self::Images(x) => x.len_of(Axis(0)),
            Self::Features(x) => x.len_of(Axis(0)),
            Self::Sparse(x) => x.len(),
            #[cfg(feature = "files")]
            Self::Pictures(x) => x.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one row: `[c, h, w]` or `[d]`.
    pub fn row_shape(&self) -> Vec<usize> {
        match self {
            Self::Images(x) => x.shape()[1..].to_vec(),
            Self::Features(x) => x.shape()[1..].to_vec(),
            Self::Sparse(x) => vec![x.columns()],
            #[cfg(feature = "files")]
            Self::Pictures(x) => x.shape().to_vec(),
        }
    }

    /// The rows at `index`, in that order. Panics when an index is out of range.
    pub fn select(&self, index: &[usize]) -> Self {
        match self {
            Self::Images(x) => Self::Images(x.select(Axis(0), index)),
            Self::Features(x) => Self::Features(x.select(Axis(0), index)),
            Self::Sparse(x) => Self::Sparse(x.select(index)),
            #[cfg(feature = "files")]
            Self::Pictures(x) => Self::Pictures(x.select(index)),
        }
    }

    /// The images at `index`, `(index.len(), c, h, w)`; none of feature vectors. Panics when an index
    /// is out of range.
    ///
    /// Errors: a picture that cannot be decoded.
    pub fn images(&self, index: &[usize]) -> Result<Option<Array4<f32>>, DataError> {
        match self {
            Self::Images(x) => Ok(Some(x.select(Axis(0), index))),
            #[cfg(feature = "files")]
            Self::Pictures(x) => x.images(index).map(Some),
            _ => Ok(None),
        }
    }
}

/// A data set as it lies on disk, labels included. Training code never gets one: see
/// `domain` for the views that it gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Its name in messages and reports.
    pub name: String,
    /// n rows.
    pub samples: Samples,
    /// n class indices, each below `classes.len()`.
    pub labels: Vec<usize>,
    /// The names of the classes, by index.
    pub classes: Vec<String>,
}

/// The name of a data set that lies at `path`: the last part of it, without an extension.
#[cfg(feature = "files")]
fn name_of(path: &std::path::Path) -> String {
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
