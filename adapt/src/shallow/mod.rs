//! Shallow alignment: maps that bring source rows to the target, or both domains to a common space,
//! fitted in closed form or by a solver that says how right its answer is. One method a file.

mod bda;
mod coral;
mod jda;
mod map;
mod mmd_projection;
mod pseudo_labels;
mod registry;
mod sstca;
mod tca;
mod tjm;

pub use bda::{Balance, Bda};
pub use coral::Coral;
pub use jda::Jda;
pub use map::{Affine, Map};
pub use mmd_projection::Representation;
pub use registry::{aligner, aligners};
pub use sstca::SemiSupervisedTca;
pub use tca::Tca;
pub use tjm::Tjm;

use ndarray::{Array2, ArrayView2};

use crate::{certificate::Certificate, domains::Domains, error::Result};

/// A method that aligns two domains.
pub trait Align: std::fmt::Debug + Send + Sync {
    /// The maps for these domains.
    ///
    /// # Errors
    /// Options out of range; domains on which the method is not defined; a matrix past the limit of
    /// memory.
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment>;
}

/// Fitted maps for the rows of each domain, old and new ones.
#[derive(Clone, Debug)]
pub struct Alignment {
    /// For source rows.
    pub source: Map,
    /// For target rows; [`Map::Identity`] for methods that leave the target where it is.
    pub target: Map,
    /// How right the solver's answer is.
    pub certificate: Certificate,
}

impl Alignment {
    /// Aligned source rows: `(n, d)` → `(n, k)`.
    ///
    /// # Errors
    /// As [`Map::apply`].
    pub fn source(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        self.source.apply(x)
    }

    /// Aligned target rows: `(n, d)` → `(n, k)`.
    ///
    /// # Errors
    /// As [`Map::apply`].
    pub fn target(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        self.target.apply(x)
    }
}
