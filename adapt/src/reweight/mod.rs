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
pub use registry::{reweighter, reweighters, sparse_reweighter, sparse_reweighters};
pub use rlls::Rlls;
pub use rulsif::Rulsif;
pub use selection_bias::{Selection, SelectionBias};
pub use ulsif::Ulsif;
pub use weighting::{Balance, Weighting, effective_sample_size};

use ndarray::{Array1, ArrayView2};

use serde_json::Value;

use crate::{domains::Domains, error::Result, sparse_domains::SparseDomains};

/// A method that weights source rows.
pub trait Reweight: std::fmt::Debug + Send + Sync {
    /// The weights for these domains.
    ///
    /// # Errors
    /// Options out of range; domains on which the method is not defined; a matrix past the limit of
    /// memory.
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting>;
}

/// A method that weights sparse rows as they are. A trait of its own, so that a program that has none does
/// not link them.
pub trait ReweightSparse: Reweight {
    /// As [`Reweight::fit`], without making rows dense. [`fit_rows`] does either.
    ///
    /// # Errors
    /// As [`Reweight::fit`].
    fn fit_sparse(&self, domains: &SparseDomains<'_>) -> Result<Weighting>;
}

/// The weights that the method of this name and these options gives sparse rows: by itself where it
/// takes them, otherwise of dense rows, and then with a sentence that says so.
///
/// # Errors
/// [`Unknown`](crate::error::Error::Unknown), [`Options`](crate::error::Error::Options);
/// [`TooLarge`](crate::error::Error::TooLarge) for dense rows past 4 GiB; those of the method.
pub fn fit_rows(
    name: &str,
    options: &Value,
    domains: &SparseDomains<'_>,
) -> Result<(Weighting, Option<String>)> {
    if let Some(entry) = sparse_reweighter(name) {
        return Ok(((entry.build)(options)?.fit_sparse(domains)?, None));
    }
    let entry = reweighter(name)?;
    let method = (entry.build)(options)?;
    let dense = domains.to_dense(entry.name)?;
    let bytes = (dense.source.len() + dense.target.len()) * size_of::<f64>();
    let note = format!(
        "{} takes no sparse rows: {} and {} rows of {} columns were made dense ({:.0} MiB)",
        entry.name,
        dense.source.nrows(),
        dense.target.nrows(),
        domains.features(),
        bytes as f64 / f64::from(1 << 20)
    );
    Ok((method.fit(&dense.domains(domains)?)?, Some(note)))
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
