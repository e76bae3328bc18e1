//! uLSIF: the density ratio by least squares, with an analytic leave-one-out choice of its numbers.
//!
//! Kanamori, Hido & Sugiyama, "A Least-squares Approach to Direct Importance Estimation", JMLR 2009,
//! Sec. 3.
//! ```text
//! w(x) = Σ_l θ_l k(x, c_l)     k(x, c) = exp(−‖x − c‖² / 2σ²)
//! θ = max(0, (H + λI)⁻¹ h)     H = Φ_sᵀΦ_s / n_s,  h = Φ_tᵀ1 / n_t
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`, b = min(100, n_t) centres among the target rows. w estimates the
//! ratio itself and is not scaled: its mean over the source is near 1, not 1. σ and λ are those of
//! the smallest leave-one-out mean of ½ w(x_s)² − w(x_t), exact, over min(n_s, n_t) pairs.
//!
//! Time O(n b² · widths + min(n_s, n_t) b² · widths · ridges), memory O(n b).
//!
//! Differences from the paper:
//! 1. The default widths are multiples of the median distance, so that they follow the units of the
//!    features; the ridges are those of the authors' program.
//! 2. Pairs to leave out are drawn by seed rather than by place, and do not depend on the order of
//!    the rows: files are often sorted, and the first n_s rows of the target would be one class.

use serde::{Deserialize, Serialize};

use super::{Reweight, Weighting, Widths, least_squares::LeastSquares};
use crate::{
    catalogue::{Described, Needs},
    domains::Domains,
    error::Result,
};

/// The options of uLSIF.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ulsif {
    /// σ to choose from. By default 2^(k/2) median distances, k = −6 … 2.
    pub sigma: Widths,
    /// λ > 0 to choose from. By default 10^(k/2), k = −6 … 2.
    pub lambda: Vec<f64>,
    /// b ≥ 1, at most n_t are used. The paper's is 100.
    pub centres: usize,
    /// Of the centres and of the pairs to leave out.
    pub seed: u64,
}

impl Default for Ulsif {
    fn default() -> Self {
        let powers = |base: f64| (-6..=2).map(|k| base.powf(f64::from(k) / 2.0)).collect();
        Self { sigma: Widths::Median(powers(2.0)), lambda: powers(10.0), centres: 100, seed: 0 }
    }
}

impl Described for Ulsif {
    const NAME: &'static str = "ulsif";
    const ABOUT: &'static str = "fits the density ratio by least squares";
    const PAPER: &'static str = "Kanamori, Hido & Sugiyama, A Least-squares Approach to Direct \
                                 Importance Estimation, JMLR 2009";
    const NEEDS: Needs = Needs { least_rows: 2, ..Needs::ROWS };
}

impl Reweight for Ulsif {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        LeastSquares {
            method: Self::NAME,
            alpha: 0.0,
            sigma: &self.sigma,
            lambda: &self.lambda,
            centres: self.centres,
            seed: self.seed,
        }
        .fit(domains)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array2, array};
    use rand::Rng;
    use transduct_core::{Stream, rng};

    use super::*;
    use crate::error::Error;

    #[test]
    fn one_centre_by_hand() {
        let (xs, xt) = (array![[0.0], [2.0]], array![[0.0], [0.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let sigma = Widths::Fixed(vec![1.0]);
        let method = Ulsif { sigma, lambda: vec![0.5], centres: 1, seed: 0 };
        // φ_s = (1, e⁻²), h = 1, θ = 1 / (mean φ_s² + λ).
        let k = (-2.0f64).exp();
        let theta = 1.0 / ((1.0 + k * k) / 2.0 + 0.5);
        let fitted = method.fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.weights, array![theta, theta * k], epsilon = 1e-12);
        assert!(fitted.certificate.converged);
        let other = fitted.ratio.unwrap().ratio(array![[-2.0]].view()).unwrap();
        assert_abs_diff_eq!(other, array![theta * k], epsilon = 1e-12);
    }

    #[test]
    fn the_ratio_of_two_normals_is_found() {
        let mut rng = rng(5, Stream::Init);
        let mut normal = |n: usize, mean: f64, deviation: f64| {
            let draw = |_| mean + deviation * rng.sample::<f64, _>(rand_distr::StandardNormal);
            Array2::from_shape_fn((n, 1), draw)
        };
        let (xs, xt) = (normal(400, 0.0, 1.0), normal(400, 0.5, 0.7));
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = Ulsif::default().fit(&domains).unwrap();
        let density = |x: f64, m: f64, s: f64| (-((x - m) / s).powi(2) / 2.0).exp() / s;
        let truth = xs.column(0).mapv(|x| density(x, 0.5, 0.7) / density(x, 0.0, 1.0));
        let error = (&fitted.weights - &truth).mapv(|e| e * e).mean().unwrap();
        let of_equal_weights = (1.0 - &truth).mapv(|e| e * e).mean().unwrap();
        assert!(error < 0.1 * of_equal_weights, "{error} against {of_equal_weights}");
    }

    #[test]
    fn bad_options_are_named() {
        let x = array![[0.0], [1.0], [3.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let fails = |method: Ulsif| method.fit(&domains).unwrap_err().to_string();
        let message = fails(Ulsif { lambda: vec![1.0, 0.0], ..Ulsif::default() });
        assert_eq!(message, "ulsif.lambda = 0: expected one or more finite numbers > 0");
        let message = fails(Ulsif { sigma: Widths::Fixed(vec![]), ..Ulsif::default() });
        assert_eq!(message, "ulsif.sigma = []: expected one or more finite numbers > 0");
        let message = fails(Ulsif { centres: 0, ..Ulsif::default() });
        assert_eq!(message, "ulsif.centres = 0: expected at least 1");
        let same = array![[1.0], [1.0]];
        let domains = Domains::new(same.view(), same.view()).unwrap();
        let error = Ulsif::default().fit(&domains).unwrap_err();
        assert!(matches!(error, Error::Degenerate { .. }), "{error}");
    }
}
