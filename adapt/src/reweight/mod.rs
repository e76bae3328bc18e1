//! Importance weighting: w(x) ≈ p_t(x) / p_s(x) on the source rows, so that a learner that is
//! trained on the weighted source fits the target. One method a file.

mod bbse;
mod discriminative;
mod gaussian;
mod kde;
mod kernel_model;
mod kliep;
mod kmm;
mod label_shift;
mod least_squares;
mod leave_one_out;
mod log_kernels;
mod logistic_ratio;
mod mixture;
mod mmd_tars;
mod nearest_neighbour;
mod registry;
mod rlls;
mod rows;
mod rulsif;
mod selection_bias;
mod ulsif;
mod weighting;

pub use bbse::Bbse;
pub use discriminative::Discriminative;
pub use gaussian::GaussianRatio;
pub use kde::{Bandwidth, KdeRatio};
pub use kernel_model::Widths;
pub use kliep::Kliep;
pub use kmm::{Kmm, KmmSolver};
pub use label_shift::LabelShift;
pub use logistic_ratio::LogisticRatio;
pub use mmd_tars::MmdTars;
pub use nearest_neighbour::NearestNeighbour;
pub use registry::{reweighter, reweighters};
pub use rlls::Rlls;
pub use rulsif::Rulsif;
pub use selection_bias::{Selection, SelectionBias};
pub use ulsif::Ulsif;
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
