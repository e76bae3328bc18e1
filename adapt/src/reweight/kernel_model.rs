//! w(x) = Σ_l θ_l exp(−‖x − c_l‖² / 2σ²) with centres c_l among the target rows: the model of
//! uLSIF, RuLSIF and KLIEP.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use transduct_core::Stream;

use super::{DensityRatio, rows};
use crate::{
    check,
    domains::{Domains, check_query},
    error::{Error, Result},
    math::gram::{self, Kernel},
};

/// The kernel widths σ to choose from, in the order in which ties are decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Widths {
    /// Multiples > 0 of the median distance between distinct rows of both domains.
    Median(Vec<f64>),
    /// σ > 0 themselves, in units of the features.
    Fixed(Vec<f64>),
}

impl Widths {
    /// All σ.
    ///
    /// # Errors
    /// [`Error::Config`] for a list that is empty or has a number that is not > 0;
    /// [`Error::Degenerate`] when the median is asked for and all rows are equal, and when squared
    /// distances or widths leave the range of numbers.
    pub(super) fn resolve(&self, method: &'static str, domains: &Domains<'_>) -> Result<Vec<f64>> {
        let (Self::Fixed(factors) | Self::Median(factors)) = self;
        check_grid(method, "sigma", factors)?;
        let bound = rows::check_magnitude(method, domains)?;
        let unit = match self {
            Self::Fixed(_) => 1.0,
            Self::Median(_) => median_distance(method, domains)?,
        };
        let sigmas: Vec<f64> = factors.iter().map(|f| f * unit).collect();
        sigmas.iter().try_for_each(|&sigma| rows::check_width(method, sigma, bound))?;
        Ok(sigmas)
    }
}

/// A width or bandwidth as notes show it: four decimals, or powers of ten where these say little.
pub(super) fn length(v: f64) -> String {
    if (9.9e-4..1e7).contains(&v) { format!("{v:.4}") } else { format!("{v:.4e}") }
}

/// The median distance between distinct rows of both domains.
///
/// # Errors
/// [`Error::Degenerate`] when all rows are equal.
fn median_distance(method: &'static str, domains: &Domains<'_>) -> Result<f64> {
    let both = ndarray::concatenate(Axis(0), &[domains.source(), domains.target()])
        .map_err(|e| Error::shape("target", "the source's columns", e))?;
    gram::median_distance(both.view()).ok_or_else(|| {
        let reason = "all rows are equal, so that no kernel width follows from them";
        Error::degenerate(method, reason, "give fixed widths, or rows that differ")
    })
}

/// Checks that there are numbers to choose from, all finite and > 0.
///
/// # Errors
/// [`Error::Config`].
pub(super) fn check_grid(method: &'static str, field: &'static str, values: &[f64]) -> Result<()> {
    let expected = "one or more finite numbers > 0";
    match values.iter().find(|v| !(v.is_finite() && **v > 0.0)) {
        Some(value) => Err(Error::config(method, field, value, expected)),
        None if values.is_empty() => Err(Error::config(method, field, "[]", expected)),
        None => Ok(()),
    }
}

/// min(b, n_t) of the target rows by seed, `(min(b, n_t), d)`.
///
/// # Errors
/// [`Error::Config`] for b = 0.
pub(super) fn centres(
    method: &'static str,
    target: ArrayView2<'_, f64>,
    b: usize,
    seed: u64,
) -> Result<Array2<f64>> {
    check::at_least(method, "centres", b, 1)?;
    let mut chosen = rows::shuffled(target, seed, Stream::Target);
    chosen.truncate(b);
    Ok(target.select(Axis(0), &chosen))
}

/// A fitted model.
#[derive(Debug)]
pub(super) struct KernelModel {
    /// The method that fitted it.
    pub(super) method: &'static str,
    /// c `(b, d)`.
    pub(super) centres: Array2<f64>,
    /// σ.
    pub(super) sigma: f64,
    /// θ ≥ 0 `(b,)`.
    pub(super) theta: Array1<f64>,
}

impl DensityRatio for KernelModel {
    fn ratio(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        check_query(x, self.centres.ncols())?;
        let kernel = Kernel::Gaussian { sigma: self.sigma };
        Ok(kernel.gram(self.method, x, self.centres.view())?.dot(&self.theta))
    }
}
