//! The ratio by a logistic regression that tells the domains apart.
//!
//! Bickel, Brückner & Scheffer, "Discriminative Learning Under Covariate Shift", JMLR 2009
//! (the two-stage variant); Qin, "Inferences for Case-Control and Semiparametric Two-Sample Density
//! Ratio Models", Biometrika 1998.
//! ```text
//! w(x) = (n_s / n_t) p(target | x) / p(source | x) = (n_s / n_t) exp(βᵀx + b)
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`. Right where log p_t / p_s is linear in x, for instance of two
//! Gaussians of equal covariance. The penalty is ½λ‖β‖² on the summed loss, in the features' units,
//! and leaves b free.
//!
//! Differences from the papers: none.

use ndarray::{Array1, ArrayView2, Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::{DensityRatio, Reweight, ReweightSparse, Weighting, rows};
use crate::{
    catalogue::Described,
    certificate::Certificate,
    domains::{Domains, check_query},
    error::{Error, Result},
    learn::{Classifier as _, Logistic, LogisticModel},
    sparse_domains::SparseDomains,
};

/// The options of the logistic ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticRatio {
    /// λ ≥ 0. The papers print none; 1 is ours.
    pub penalty: f64,
}

impl Default for LogisticRatio {
    fn default() -> Self {
        Self { penalty: 1.0 }
    }
}

impl Described for LogisticRatio {
    const NAME: &'static str = "logistic";
    const ABOUT: &'static str = "the odds of a logistic regression between the domains";
    const PAPER: &'static str =
        "Bickel, Brückner & Scheffer, Discriminative Learning Under Covariate Shift, JMLR 2009";
}

impl Reweight for LogisticRatio {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        rows::check_squares(Self::NAME, domains)?;
        let (xs, xt) = (domains.source(), domains.target());
        let (x, y) = both(xs, xt)?;
        let model = self.learner().fit_model(x.view(), &y, 2, None)?;
        let (odds, certificate) = Odds::of(&model, xs.nrows(), xt.nrows());
        let weights = odds.ratio(xs)?;
        Weighting::new(Self::NAME, domains, weights, Some(Box::new(odds)), certificate)
    }
}

impl ReweightSparse for LogisticRatio {
    fn fit_sparse(&self, domains: &SparseDomains<'_>) -> Result<Weighting> {
        let (xs, xt) = (domains.source(), domains.target());
        let x = xs.stacked(xt);
        let x = x.map_err(|e| Error::shape("target", "the source's columns", e))?;
        let y = domain_of(x.rows(), xs.rows());
        let model = self.learner().fit_sparse(&x, &y, 2, None)?;
        let (odds, certificate) = Odds::of(&model, xs.rows(), xt.rows());
        let weights = odds.exponential(xs.dot_vector(odds.beta.view()));
        Weighting::new(Self::NAME, domains, weights, Some(Box::new(odds)), certificate)
    }
}

impl LogisticRatio {
    fn learner(&self) -> Logistic {
        Logistic { penalty: self.penalty, ..Logistic::default() }
    }
}

/// All rows, the source's first, and their domain: 0 source, 1 target.
///
/// # Errors
/// [`Error::Shape`] for other columns.
pub(super) fn both(
    xs: ArrayView2<'_, f64>,
    xt: ArrayView2<'_, f64>,
) -> Result<(ndarray::Array2<f64>, Vec<usize>)> {
    let x = concatenate(Axis(0), &[xs, xt])
        .map_err(|e| Error::shape("target", "the source's columns", e))?;
    let y = domain_of(x.nrows(), xs.nrows());
    Ok((x, y))
}

/// 0 for each of the first `source` of n rows, 1 for the others.
fn domain_of(n: usize, source: usize) -> Vec<usize> {
    (0..n).map(|i| usize::from(i >= source)).collect()
}

/// exp(βᵀx + b).
#[derive(Debug)]
struct Odds {
    beta: Array1<f64>,
    offset: f64,
}

impl Odds {
    fn of(model: &LogisticModel, n_s: usize, n_t: usize) -> (Self, Certificate) {
        let odds = Self {
            beta: model.coefficients.row(0).to_owned(),
            offset: model.intercepts[0] + (n_s as f64 / n_t as f64).ln(),
        };
        (odds, model.certificate().clone())
    }

    fn exponential(&self, products: Array1<f64>) -> Array1<f64> {
        (products + self.offset).mapv_into(|l| l.exp().min(f64::MAX))
    }
}

impl DensityRatio for Odds {
    fn ratio(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        check_query(x, self.beta.len())?;
        Ok(self.exponential(x.dot(&self.beta)))
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn shares_by_hand() {
        // Without penalty one binary column has its empirical ratio: (1/4)/(2/3) and (3/4)/(1/3).
        let (xs, xt) = (array![[0.0], [0.0], [1.0]], array![[1.0], [0.0], [1.0], [1.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = LogisticRatio { penalty: 0.0 }.fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.weights, array![0.375, 0.375, 2.25], epsilon = 1e-6);
        assert!(fitted.certificate.converged);
    }

    #[test]
    fn domains_apart_have_no_unpenalised_ratio() {
        let (xs, xt) = (array![[0.0], [1.0]], array![[2.0], [3.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let error = LogisticRatio { penalty: 0.0 }.fit(&domains).unwrap_err();
        assert!(matches!(error, Error::Degenerate { .. }), "{error}");
        assert!(LogisticRatio::default().fit(&domains).is_ok());
    }
}
