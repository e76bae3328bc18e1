//! RuLSIF: the ratio to a mixture of both domains, which stays bounded where the plain one does not.
//!
//! Yamada, Suzuki, Kanamori, Hachiya & Sugiyama, "Relative Density-Ratio Estimation for Robust
//! Distribution Comparison", NIPS 2011, Sec. 2.
//! ```text
//! w_α(x) = p_t(x) / (α p_t(x) + (1 − α) p_s(x)) ≤ 1/α
//! w(x) = Σ_l θ_l k(x, c_l)     k(x, c) = exp(−‖x − c‖² / 2σ²)
//! θ = (H + λI)⁻¹ h             H = α Φ_tᵀΦ_t / n_t + (1 − α) Φ_sᵀΦ_s / n_s,  h = Φ_tᵀ1 / n_t
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`, b = min(100, n_t) centres among the target rows. α = 0 is uLSIF.
//! The weights are the relative ratio as it is, not scaled: Σ w = n_s holds for the mixture alone.
//!
//! Differences from the paper:
//! 1. Negative θ are rounded to 0, as in uLSIF: weights have to be ≥ 0.
//! 2. σ and λ are chosen by exact leave-one-out, as uLSIF's are, and not by k folds. One row of each
//!    domain is left out, since both are in H.
//! 3. The grid is that of [`super::Ulsif`], wider than the paper's.

use serde::{Deserialize, Serialize};

use super::{Reweight, Ulsif, Weighting, Widths, least_squares::LeastSquares};
use crate::{
    catalogue::{Described, Needs},
    domains::Domains,
    error::{Error, Result},
};

/// The options of RuLSIF.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rulsif {
    /// 0 ≤ α < 1: the target's share of the mixture. 0.1 is ours; the paper studies 0, 0.5 and 0.95.
    pub alpha: f64,
    /// σ to choose from, as in [`Ulsif::sigma`].
    pub sigma: Widths,
    /// λ > 0 to choose from, as in [`Ulsif::lambda`].
    pub lambda: Vec<f64>,
    /// b ≥ 1, at most n_t are used. The paper's is 100.
    pub centres: usize,
    /// Of the centres and of the pairs to leave out.
    pub seed: u64,
}

impl Default for Rulsif {
    fn default() -> Self {
        let Ulsif { sigma, lambda, centres, seed } = Ulsif::default();
        Self { alpha: 0.1, sigma, lambda, centres, seed }
    }
}

impl Described for Rulsif {
    const NAME: &'static str = "rulsif";
    const ABOUT: &'static str = "fits the ratio to a mixture of both domains by least squares";
    const PAPER: &'static str = "Yamada et al., Relative Density-Ratio Estimation for Robust \
                                 Distribution Comparison, NIPS 2011";
    const NEEDS: Needs = Needs { least_rows: 2, ..Needs::ROWS };
}

impl Reweight for Rulsif {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        if !(0.0..1.0).contains(&self.alpha) {
            return Err(Error::config(Self::NAME, "alpha", self.alpha, "a number in [0, 1)"));
        }
        LeastSquares {
            method: Self::NAME,
            alpha: self.alpha,
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
    use ndarray::array;

    use super::*;

    #[test]
    fn one_centre_by_hand() {
        let (xs, xt) = (array![[0.0], [2.0]], array![[0.0], [0.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let sigma = Widths::Fixed(vec![1.0]);
        let method = Rulsif { alpha: 0.25, sigma, lambda: vec![0.5], centres: 1, seed: 0 };
        // φ_s = (1, e⁻²), φ_t = (1, 1).
        let k = (-2.0f64).exp();
        let theta = 1.0 / (0.25 + 0.75 * (1.0 + k * k) / 2.0 + 0.5);
        let fitted = method.fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.weights, array![theta, theta * k], epsilon = 1e-12);
    }

    #[test]
    fn nothing_of_the_target_is_ulsif() {
        let xs = array![[0.0, 0.1], [1.0, -1.0], [2.0, 0.3], [0.5, 0.5], [-1.0, 0.0]];
        let xt = array![[0.2, 0.0], [0.4, -0.3], [1.0, 0.2]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let relative = Rulsif { alpha: 0.0, ..Rulsif::default() }.fit(&domains).unwrap();
        assert_eq!(relative.weights, Ulsif::default().fit(&domains).unwrap().weights);
        let bad = Rulsif { alpha: 1.0, ..Rulsif::default() };
        let message = bad.fit(&domains).unwrap_err().to_string();
        assert_eq!(message, "rulsif.alpha = 1: expected a number in [0, 1)");
    }
}
