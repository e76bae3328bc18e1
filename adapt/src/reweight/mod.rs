//! Importance weighting: w(x) ≈ p_t(x) / p_s(x) on the source rows, so that a learner that is
//! trained on the weighted source fits the target. One method a file.

mod gaussian;
mod registry;
mod weighting;

pub use gaussian::GaussianRatio;
pub use registry::{reweighter, reweighters};
pub use weighting::{Balance, Weighting, effective_sample_size};

use ndarray::{Array1, ArrayView2};

use crate::{domains::Domains, error::Result};

/// A method that weights source rows.
pub trait Reweight: std::fmt::Debug + Send + Sync {
    /// The weights for these domains.
    ///
    /// # Errors
    /// Options out of range; domains on which the method is not defined; a matrix past the limit of
    /// memory.
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting>;
}

/// w(x) ≈ p_t(x) / p_s(x), anywhere. Methods that weight the given rows alone have none.
pub trait DensityRatio: std::fmt::Debug + Send + Sync {
    /// w for every row of x `(n, d)`, `(n,)`, each ≥ 0 and finite.
    ///
    /// # Errors
    /// [`crate::error::Error::Shape`] when it was fitted on another d,
    /// [`crate::error::Error::NotFinite`] for bad rows.
    fn ratio(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>>;
}
