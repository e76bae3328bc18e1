//! The ratio of two fitted Gaussians: the simplest estimate, right where both domains are Gaussian.
//!
//! ```text
//! w(x) = N(x; x̄_t, C_t) / N(x; x̄_s, C_s)        C = (X − 1x̄ᵀ)ᵀ(X − 1x̄ᵀ) / n + λ tr(C)/d · I
//! ```
//! The maximum-likelihood plug-in of Shimodaira, "Improving Predictive Inference under Covariate
//! Shift by Weighting the Log-likelihood Function", JSPI 2000, Sec. 2. Where C_t is wider than C_s
//! in some direction, w grows without bound there. Where a domain does not vary in some direction (all
//! levels of a category, more features than rows) the ridge is its variance there, and the certificate
//! says of how many directions that holds: source rows that leave the target's subspace then have next to
//! no weight, and a target outside of the source's subspace leaves none.
//!
//! Differences from the paper:
//! 1. The ridge λ, for domains with fewer rows than features; λ = 0 is the paper's. `shrinkage` is another
//!    way, which skada's `GaussianReweightAdapter(reg="auto")` takes.

use ndarray::{Array1, Array2, ArrayView2, CowArray, Ix2};
use serde::{Deserialize, Serialize};

use super::{DensityRatio, Reweight, Weighting};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::{Domains, check_query},
    error::{Error, Result},
    math::{
        distances::safe_factor,
        linalg::{Cholesky, eigh},
        moments,
        shrinkage::{self, Shrinkage},
    },
};

/// The options of the Gaussian ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianRatio {
    /// λ ≥ 0, relative to the mean variance. 1e-6 is ours.
    pub ridge: f64,
    /// How C is shrunk before λ is added.
    pub shrinkage: Shrinkage,
}

impl Default for GaussianRatio {
    fn default() -> Self {
        Self { ridge: 1e-6, shrinkage: Shrinkage::None }
    }
}

impl Described for GaussianRatio {
    const NAME: &'static str = "gaussian";
    const ABOUT: &'static str = "divides two Gaussians that are fitted to the domains";
    const PAPER: &'static str = "Shimodaira, Improving Predictive Inference under Covariate Shift \
                                 by Weighting the Log-likelihood Function, JSPI 2000";
    const NEEDS: Needs = Needs { least_rows: 2, ..Needs::ROWS };
}

impl Reweight for GaussianRatio {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        check::non_negative(Self::NAME, "ridge", self.ridge)?;
        domains.need_rows(Self::NAME, 2)?;
        let (xs, xt) = (domains.source(), domains.target());
        let factor = safe_factor(moments::largest(xs).max(moments::largest(xt)));
        let fitted = FittedRatio {
            source: Gaussian::fit(scaled(xs, factor).view(), self)?,
            target: Gaussian::fit(scaled(xt, factor).view(), self)?,
            factor,
        };
        let weights = fitted.ratio(domains.source())?;
        let mut certificate = Certificate::new("closed form", 0, Measure::LinearSystem, 0.0, 0.0);
        let (source, target) = (fitted.source.lifted, fitted.target.lifted);
        if source + target > 0 {
            certificate.notes.push(format!(
                "the source varies less than the ridge in {source} of {} directions, the target in \
                 {target}: the ridge is their variance",
                domains.features()
            ));
        }
        Weighting::new(Self::NAME, domains, weights, Some(Box::new(fitted)), certificate)
    }
}

#[derive(Debug)]
struct FittedRatio {
    source: Gaussian,
    target: Gaussian,
    /// What rows are multiplied by, so that variances neither overflow nor vanish.
    factor: f64,
}

fn scaled(x: ArrayView2<'_, f64>, factor: f64) -> CowArray<'_, f64, Ix2> {
    if factor == 1.0 { x.into() } else { (&x * factor).into() }
}

impl DensityRatio for FittedRatio {
    fn ratio(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        check_query(x, self.source.mean.len())?;
        let x = scaled(x, self.factor);
        let log_ratio = self.target.log_density(x.view()) - self.source.log_density(x.view());
        // Far outside both domains the exponential overflows; the largest finite weight says so.
        // Where both densities are 0, even in logarithms, nothing is known of the target.
        Ok(log_ratio.mapv(|l| if l.is_nan() { 0.0 } else { l.exp().min(f64::MAX) }))
    }
}

#[derive(Debug)]
struct Gaussian {
    mean: Array1<f64>,
    /// L⁻¹ᵀ with C = L Lᵀ.
    whiten: Array2<f64>,
    /// −½ log |C|.
    log_normaliser: f64,
    /// The directions in which the ridge is more than the variance.
    lifted: usize,
}

impl Gaussian {
    fn fit(x: ArrayView2<'_, f64>, options: &GaussianRatio) -> Result<Self> {
        let &GaussianRatio { ridge, shrinkage } = options;
        let d = x.ncols();
        let mut c = match shrinkage {
            Shrinkage::None => moments::covariance(x, 0),
            Shrinkage::LedoitWolf => shrinkage::ledoit_wolf(x),
        };
        let lift = ridge * c.diag().sum() / d as f64;
        let lifted = match lift > 0.0 {
            true => eigh(&c)?.values.iter().filter(|&&v| v < lift).count(),
            false => 0,
        };
        c.diag_mut().mapv_inplace(|v| v + lift);
        let cholesky = Cholesky::new(&c).map_err(|_| {
            let reason = "the rows do not vary in every direction, so that they have no density";
            Error::degenerate(GaussianRatio::NAME, reason, "raise `ridge` or drop columns")
        })?;
        let whiten = cholesky.solve_lower(&Array2::eye(d)).reversed_axes();
        let log_normaliser = whiten.diag().mapv(f64::ln).sum();
        Ok(Self { mean: moments::mean(x), whiten, log_normaliser, lifted })
    }

    /// log N(x; mean, C) without the constant − d/2 log 2π, which cancels in a ratio.
    fn log_density(&self, x: ArrayView2<'_, f64>) -> Array1<f64> {
        let z = crate::math::linalg::dot(&(&x - &self.mean), &self.whiten);
        z.map_axis(ndarray::Axis(1), |row| self.log_normaliser - row.dot(&row) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn one_dimension_by_hand() {
        // N(0, 1) against N(1, 4).
        let (xs, xt) = (array![[-1.0], [1.0]], array![[-1.0], [3.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted =
            GaussianRatio { ridge: 0.0, ..GaussianRatio::default() }.fit(&domains).unwrap();
        let w = |x: f64| (-(x - 1.0).powi(2) / 8.0).exp() / 2.0 / (-x * x / 2.0).exp();
        assert_abs_diff_eq!(fitted.weights, array![w(-1.0), w(1.0)], epsilon = 1e-12);
        let other = fitted.ratio.unwrap().ratio(array![[0.5], [7.0]].view()).unwrap();
        assert_abs_diff_eq!(other, array![w(0.5), w(7.0)], epsilon = 1e-6);
    }

    #[test]
    fn shrunk_covariances_by_hand() {
        // All of the correlation goes (see `shrinkage`): two independent columns.
        let z = array![[1., 1.], [1., -1.], [-1., 1.], [-1., -1.], [1., 1.], [-1., -1.]];
        let (xs, xt) = (&z * &array![2.0, 1.0], &z + &array![1.0, 0.0]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let method = GaussianRatio { ridge: 0.0, shrinkage: Shrinkage::LedoitWolf };
        let fitted = method.fit(&domains).unwrap();
        let w = |x: f64| 2.0 * (-(x - 1.0).powi(2) / 2.0 + x * x / 8.0).exp();
        assert_abs_diff_eq!(fitted.weights, xs.column(0).mapv(w), epsilon = 1e-12);
    }

    #[test]
    fn the_unit_of_the_features_changes_nothing() {
        let xs = array![[-1.0, 0.3], [1.0, 2.0], [0.4, -0.7], [0.0, 1.1]];
        let xt = array![[0.5, 0.1], [1.5, 1.0], [0.2, 0.7]];
        let weights = |unit: f64| {
            let (xs, xt) = (&xs * unit, &xt * unit);
            let domains = Domains::new(xs.view(), xt.view()).unwrap();
            GaussianRatio::default().fit(&domains).unwrap().weights
        };
        for power in [-1000, -570, 530, 1000] {
            assert_abs_diff_eq!(weights(2f64.powi(power)), weights(1.0), epsilon = 1e-12);
        }
    }

    #[test]
    fn directions_without_variance_are_counted_and_change_no_weight() {
        let of = |x: &[f64]| Array2::from_shape_fn((x.len(), 1), |(i, _)| x[i]);
        let (xs, xt) = (of(&[-1.0, 1.0, 0.5, -0.5]), of(&[-0.2, 0.1, 1.2]));
        let expected = {
            let domains = Domains::new(xs.view(), xt.view()).unwrap();
            GaussianRatio::default().fit(&domains).unwrap().weights
        };
        // The column again, and one of one value.
        let wide = |x: &Array2<f64>| {
            Array2::from_shape_fn((x.nrows(), 3), |(i, j)| [x[(i, 0)], 1.0 - x[(i, 0)], 0.3][j])
        };
        let (xs, xt) = (wide(&xs), wide(&xt));
        let fitted =
            GaussianRatio::default().fit(&Domains::new(xs.view(), xt.view()).unwrap()).unwrap();
        assert!(fitted.certificate.notes[0].starts_with(
            "the source varies less than the ridge in 2 of 3 directions, the target in 2"
        ));
        let [found, expected] = [fitted.weights, expected].map(|w| &w / w.sum());
        assert_abs_diff_eq!(found, expected, epsilon = 1e-5);
    }

    #[test]
    fn rows_that_do_not_vary_have_no_density() {
        let x = array![[1.0, 2.0], [1.0, 3.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let error =
            GaussianRatio { ridge: 0.0, ..GaussianRatio::default() }.fit(&domains).unwrap_err();
        assert!(matches!(error, Error::Degenerate { .. }), "{error}");
    }
}
