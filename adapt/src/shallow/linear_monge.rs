//! The linear Monge map: the optimal transport between two Gaussians, fitted to the domains.
//!
//! Flamary, Lounici & Ferrari, "Concentration Bounds for Linear Monge Mapping Estimation and
//! Optimal Transport Domain Adaptation", arXiv:1905.10155, 2019.
//! ```text
//! x ↦ A (x − x̄_s) + x̄_t        A = C_s^(−½) (C_s^(½) C_t C_s^(½))^(½) C_s^(−½)
//! C = (X − 1x̄ᵀ)ᵀ(X − 1x̄ᵀ) / n + λ I
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`; target rows stay. Among the affine maps that give the source the
//! mean and covariance of the target this one moves the rows least; CORAL is another of them. For
//! λ = 0 and a singular C_s the inverse is the pseudo-inverse.
//!
//! Differences from the paper:
//! 1. The ridge λ, for domains with fewer rows than features; λ = 0 is the paper's.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{Affine, Align, Alignment, Map};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::Domains,
    error::Result,
    math::{gram, linalg, moments},
};

/// The options of the linear Monge map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearMonge {
    /// λ ≥ 0, in squared feature units. 1e-6 is ours.
    pub regularisation: f64,
}

impl Default for LinearMonge {
    fn default() -> Self {
        Self { regularisation: 1e-6 }
    }
}

impl Described for LinearMonge {
    const NAME: &'static str = "linear-monge";
    const ABOUT: &'static str = "transports a Gaussian of the source to one of the target";
    const PAPER: &'static str = "Flamary, Lounici & Ferrari, Concentration Bounds for Linear Monge \
                                 Mapping Estimation and Optimal Transport Domain Adaptation, 2019";
    const NEEDS: Needs = Needs { least_rows: 2, ..Needs::ROWS };
}

impl Align for LinearMonge {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        let lambda = self.regularisation;
        check::non_negative(Self::NAME, "regularisation", lambda)?;
        domains.need_rows(Self::NAME, 2)?;
        let d = domains.features();
        gram::check_size(Self::NAME, d, d, "reduce the features first, for instance by `pca`")?;
        let (xs, xt) = (domains.source(), domains.target());
        let ridge = Array2::<f64>::eye(d) * lambda;
        let c_s = moments::covariance(xs, 0) + &ridge;
        let c_t = moments::covariance(xt, 0) + &ridge;

        let matrix = monge(&c_s, &c_t)?;

        let residual = moved_covariance_gap(&matrix, &c_s, &c_t);
        let certificate = Certificate::new("closed form", 0, Measure::LinearSystem, residual, 1e-8);
        let source = Affine { shift: moments::mean(xs), matrix, offset: moments::mean(xt) };
        Ok(Alignment { source: Map::Affine(source), target: Map::Identity, certificate })
    }
}

/// A, symmetric `(d, d)`.
fn monge(c_s: &Array2<f64>, c_t: &Array2<f64>) -> Result<Array2<f64>> {
    let half = linalg::sqrt(c_s)?;
    let inverse_half = linalg::inverse_sqrt(c_s)?;
    let mut middle = linalg::dot(&half, &linalg::dot(c_t, &half));
    linalg::symmetrise(&mut middle);
    let middle = linalg::sqrt(&middle)?;
    let mut a = linalg::dot(&inverse_half, &linalg::dot(&middle, &inverse_half));
    linalg::symmetrise(&mut a);
    Ok(a)
}

/// ‖Mᵀ C_s M − C_t‖_F / ‖C_t‖_F of a map with Mᵀ in front of x.
pub(super) fn moved_covariance_gap(
    matrix: &Array2<f64>,
    c_s: &Array2<f64>,
    c_t: &Array2<f64>,
) -> f64 {
    let got = linalg::dot(&matrix.t(), &linalg::dot(c_s, matrix));
    let size = linalg::frobenius(c_t.view()).max(f64::MIN_POSITIVE);
    linalg::frobenius((got - c_t).view()) / size
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn commuting_covariances_by_hand() {
        // Covariances diag(2, 2) and diag(8, 18): factors 2 and 3.
        let xs = array![[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]] * 2f64.sqrt();
        let xt = &xs * &array![2.0, 3.0] + 5.0;
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = LinearMonge { regularisation: 0.0 }.fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.source(xs.view()).unwrap(), xt, epsilon = 1e-12);
        assert!(fitted.certificate.converged);
    }

    #[test]
    fn the_map_of_a_linear_image_by_a_positive_matrix_is_that_matrix() {
        let xs = array![[1.0, 0.0], [2.0, 1.0], [-1.0, 3.0], [0.5, -2.0], [4.0, 1.0]];
        let a = array![[2.0, 0.5], [0.5, 1.0]];
        let xt = xs.dot(&a) + array![3.0, -1.0];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = LinearMonge { regularisation: 0.0 }.fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.source(xs.view()).unwrap(), xt, epsilon = 1e-10);
    }
}
