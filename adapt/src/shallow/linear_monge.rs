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
//! λ = 0 and a singular C_s the inverse is the pseudo-inverse. Where 2 (n_s + n_t) ≤ d, A is made and kept
//! as a multiple of the identity and a matrix of low rank: time and memory are linear in d.
//!
//! Differences from the paper:
//! 1. The ridge λ, for domains with fewer rows than features; λ = 0 is the paper's.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{Align, Alignment, Map, covariances::Covariances};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::Domains,
    error::Result,
    math::linalg,
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
        let pair = Covariances::of(Self::NAME, domains, 0, lambda)?;
        let [c_s, c_t] = pair.matrices(domains, 0);

        let matrix = monge(&c_s, &c_t)?;

        let residual = pair.gap(&matrix, &c_s, &c_t);
        let certificate = Certificate::new("closed form", 0, Measure::LinearSystem, residual, 1e-8);
        let (shift, offset) = (pair.source.mean.clone(), pair.target.mean.clone());
        let source = pair.map(matrix, shift, offset)?;
        Alignment::new(Self::NAME, source, Map::Identity, certificate)
    }
}

/// A, symmetric, of covariances `(q, q)`.
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

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::{error::Error, math::moments};

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

    fn by_whole_matrices(xs: &Array2<f64>, xt: &Array2<f64>, lambda: f64) -> Array2<f64> {
        let ridge = Array2::<f64>::eye(xs.ncols()) * lambda;
        let c_s = moments::covariance(xs.view(), 0) + &ridge;
        let c_t = moments::covariance(xt.view(), 0) + &ridge;
        let a = monge(&c_s, &c_t).unwrap();
        (xs - &moments::mean(xs.view())).dot(&a) + moments::mean(xt.view())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_shape_equals_whole_matrices(
            (n, m, d) in (2usize..6, 2usize..6, 1usize..40),
            values in prop::collection::vec(-3.0..3.0f64, 2 * 6 * 40),
            lambda in 0.01..3.0f64,
        ) {
            let xs = Array2::from_shape_fn((n, d), |(i, j)| values[i * 40 + j]);
            let xt = Array2::from_shape_fn((m, d), |(i, j)| values[240 + i * 40 + j] + 1.0);
            let domains = Domains::new(xs.view(), xt.view()).unwrap();
            let fitted = LinearMonge { regularisation: lambda }.fit(&domains).unwrap();
            prop_assert_eq!(matches!(fitted.source, Map::LowRank(_)), 2 * (n + m) <= d);
            prop_assert!(fitted.certificate.converged, "{:?}", fitted.certificate);
            let got = fitted.source(xs.view()).unwrap();
            assert_abs_diff_eq!(got, by_whole_matrices(&xs, &xt, lambda), epsilon = 1e-9);
        }

        #[test]
        fn rows_in_another_unit_move_alike(
            power in prop::sample::select(vec![-900i32, -517, -256, -150, 150, 256, 517, 900]),
            d in prop::sample::select(vec![2usize, 30]),
        ) {
            // Features of 1e77 gave NaN: their fourth powers overflow.
            let entry = |i: usize, j: usize| ((i * i * 5 + j * 3 + i * j * 7) % 11) as f64;
            let xs = Array2::from_shape_fn((5, d), |(i, j)| entry(i, j));
            let xt = Array2::from_shape_fn((6, d), |(i, j)| entry(j + 2, i));
            let fit = |power: i32| {
                let unit = 2f64.powi(power);
                let (xs, xt) = (&xs * unit, &xt * unit);
                let domains = Domains::new(xs.view(), xt.view()).unwrap();
                let fitted = LinearMonge { regularisation: 0.0 }.fit(&domains).unwrap();
                (fitted.source(xs.view()).unwrap() / unit, fitted.certificate.residual)
            };
            prop_assert_eq!(fit(power), fit(0));
        }
    }

    #[test]
    fn domains_of_units_far_apart_and_further() {
        let xs = array![[1.0, 0.0], [2.0, 1.0], [-1.0, 3.0], [0.5, -2.0]];
        let fit = |source: f64, target: f64| {
            let (xs, xt) = (&xs * source, &xs * target);
            let domains = Domains::new(xs.view(), xt.view()).unwrap();
            let fitted = LinearMonge { regularisation: 0.0 }.fit(&domains)?;
            fitted.source(xs.view()).map(|x| x / target)
        };
        for (source, target) in [(1.0, 1e200), (1e200, 1.0), (1e-200, 1e100)] {
            assert_abs_diff_eq!(fit(source, target).unwrap(), xs, epsilon = 1e-9);
        }
        let error = fit(1e-200, 1e200).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
    }
}
