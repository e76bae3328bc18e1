//! The linear Monge map: the optimal transport between two Gaussians, fitted to the domains.
//!
//! Flamary, Lounici & Ferrari, "Concentration Bounds for Linear Monge Mapping Estimation and
//! Optimal Transport Domain Adaptation", arXiv:1905.10155, 2019.
//! ```text
//! x ↦ A (x − x̄_s) + x̄_t        A = C_s^(−½) (C_s^(½) C_t C_s^(½))^(½) C_s^(−½)
//! C = (X − 1x̄ᵀ)ᵀ(X − 1x̄ᵀ) / n + λ I
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`; target rows stay. Among the affine maps that give the source the
//! mean and covariance of the target this one moves the rows least; CORAL is another of them. Where
//! 2 (n_s + n_t) ≤ d, A is made and kept as a multiple of the identity and a matrix of low rank: time and
//! memory are linear in d.
//!
//! A is computed without a root of products, which would know small directions beside large ones to half
//! of the digits only:
//! ```text
//! A = C_t^(½) U Vᵀ C_s^(−½)        C_t^(½) C_s^(½) = U diag(σ) Vᵀ
//! ```
//!
//! Differences from the paper:
//! 1. It takes C_s to be invertible. For λ = 0 the inverse is that on the directions in which the source
//!    varies, by at least 10⁻¹² of its largest variance; in the others the mean moves alone, A = I. With a
//!    small ridge instead (POT's `reg`) A grows there like λ^(−½), and any row that leaves the source's
//!    subspace is thrown far. Where the source varies in fewer directions than the target, the rows
//!    take on the part of C_t that is nearest to them, C_t^(½) U Uᵀ C_t^(½) over the σ > 0.
//! 2. The ridge λ, for whoever wants it; λ = 0, the default, is the paper's.
//! 3. `centre = false` leaves the means out, as POT's `bias=False` does.

use ndarray::{Array2, s};
use serde::{Deserialize, Serialize};

use super::{
    Align, Alignment, Map,
    covariances::{Covariances, Estimate, inverse_sqrt},
};
use crate::{
    catalogue::{Described, Needs},
    check,
    domains::Domains,
    error::Result,
    math::{linalg, shrinkage::Shrinkage},
};

/// The options of the linear Monge map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearMonge {
    /// λ ≥ 0, in squared feature units.
    pub regularisation: f64,
    /// Whether the mean moves too; false is the map x ↦ A x between Gaussians around 0, of C = XᵀX / n.
    pub centre: bool,
}

impl Default for LinearMonge {
    fn default() -> Self {
        Self { regularisation: 0.0, centre: true }
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
        let (centred, shrinkage) = (self.centre, Shrinkage::None);
        let estimate = Estimate { ddof: 0, centred, shrinkage };
        let pair = Covariances::of(Self::NAME, domains, estimate, lambda)?;
        let (root, colour) = (pair.source.function(f64::sqrt), pair.target.function(f64::sqrt));
        let Polar { turn, full } = Polar::of(&linalg::dot(&colour, &root))?;
        let image = linalg::dot(&colour, &turn);
        let matrix = linalg::dot(&image, &pair.source.function(inverse_sqrt)).reversed_axes();

        let [c_s, c_t] = pair.matrices(domains, 0);
        let attained = if full { c_t.clone() } else { linalg::dot(&image, &image.t()) };
        let rest = match lambda > 0.0 {
            true => "in the others the regularisation stands in",
            false => "in the others the mean moves alone",
        };
        let certificate = pair.certify(&matrix, &c_s, [&attained, &c_t], rest)?;
        let (shift, offset) = (pair.source.mean.clone(), pair.target.mean.clone());
        let source = pair.map(matrix, shift, offset, true)?;
        Alignment::new(Self::NAME, source, Map::Identity, certificate)
    }
}

/// The nearest turn to a matrix.
struct Polar {
    /// U Vᵀ `(q, q)` of B = U diag(σ) Vᵀ, without the directions in which σ is rounding.
    turn: Array2<f64>,
    /// Whether there are none of those.
    full: bool,
}

impl Polar {
    fn of(b: &Array2<f64>) -> Result<Self> {
        let linalg::Svd { u, singular, v } = linalg::svd(b)?;
        let rounding =
            singular.first().copied().unwrap_or_default() * b.nrows() as f64 * f64::EPSILON;
        let kept = singular.iter().filter(|&&s| s > rounding).count();
        let first = s![.., ..kept];
        Ok(Self {
            turn: linalg::dot(&u.slice(first), &v.slice(first).t()),
            full: kept == singular.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Axis, array, concatenate};
    use proptest::prelude::*;

    use super::*;
    use crate::{error::Error, math::moments, shallow::testing::levels};

    #[test]
    fn commuting_covariances_by_hand() {
        // Covariances diag(2, 2) and diag(8, 18): factors 2 and 3.
        let xs = array![[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]] * 2f64.sqrt();
        let xt = &xs * &array![2.0, 3.0] + 5.0;
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = LinearMonge::default().fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.source(xs.view()).unwrap(), xt, epsilon = 1e-12);
        assert!(fitted.certificate.converged);
    }

    #[test]
    fn the_map_of_a_linear_image_by_a_positive_matrix_is_that_matrix() {
        let xs = array![[1.0, 0.0], [2.0, 1.0], [-1.0, 3.0], [0.5, -2.0], [4.0, 1.0]];
        let a = array![[2.0, 0.5], [0.5, 1.0]];
        let xt = xs.dot(&a) + array![3.0, -1.0];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = LinearMonge::default().fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.source(xs.view()).unwrap(), xt, epsilon = 1e-10);
    }

    /// A by the paper's formula.
    fn monge(c_s: &Array2<f64>, c_t: &Array2<f64>) -> Array2<f64> {
        let (half, inverse) = (linalg::sqrt(c_s).unwrap(), linalg::inverse_sqrt(c_s).unwrap());
        let middle = linalg::sqrt(&half.dot(c_t).dot(&half)).unwrap();
        inverse.dot(&middle).dot(&inverse)
    }

    fn by_whole_matrices(xs: &Array2<f64>, xt: &Array2<f64>, lambda: f64) -> Array2<f64> {
        let ridge = Array2::<f64>::eye(xs.ncols()) * lambda;
        let c_s = moments::covariance(xs.view(), 0) + &ridge;
        let c_t = moments::covariance(xt.view(), 0) + &ridge;
        let a = monge(&c_s, &c_t);
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
            let fitted = LinearMonge { regularisation: lambda, ..LinearMonge::default() }.fit(&domains).unwrap();
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
                let fitted = LinearMonge::default().fit(&domains).unwrap();
                (fitted.source(xs.view()).unwrap() / unit, fitted.certificate.residual)
            };
            prop_assert_eq!(fit(power), fit(0));
        }
    }

    /// The second column has 10⁻¹⁴ of the first one's variance, the third none: the note says what it counts.
    #[test]
    fn directions_of_little_variance_count_as_those_of_none() {
        let xs = array![[1.0, 1e-7, 0.0], [-1.0, 1e-7, 0.0], [1.0, -1e-7, 0.0], [-1.0, -1e-7, 0.0]];
        let domains = Domains::new(xs.view(), xs.view()).unwrap();
        let fitted = LinearMonge::default().fit(&domains).unwrap();
        let note = "the source's variance is more than rounding, and than 1e-12 of its largest, in 1 of 3 \
                    directions (the target's in 1): in the others the mean moves alone";
        assert_eq!(fitted.certificate.notes, [note]);
        let fitted =
            LinearMonge { regularisation: 0.1, ..LinearMonge::default() }.fit(&domains).unwrap();
        let note = "the source's variance is more than rounding in 2 of 3 directions (the target's in 2): \
                    in the others the regularisation stands in";
        assert_eq!(fitted.certificate.notes, [note]);
    }

    #[test]
    fn around_zero_second_moments_are_exchanged() {
        let xs = array![[1.0, 0.0], [2.0, 1.0], [-1.0, 3.0], [0.5, -2.0], [4.0, 1.0]];
        let a = array![[2.0, 0.5], [0.5, 1.0]];
        let xt = xs.dot(&a);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let method = LinearMonge { regularisation: 0.0, centre: false };
        let fitted = method.fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.source(xs.view()).unwrap(), xt, epsilon = 1e-10);
        // Wide rows go by a map of low rank: that of the whole matrices.
        let entry = |(i, j): (usize, usize)| ((i * i * 5 + j * 3 + i * j * 7) % 11) as f64;
        let xs = Array2::from_shape_fn((3, 20), entry);
        let xt = Array2::from_shape_fn((4, 20), |(i, j)| entry((j + 2, i)));
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = LinearMonge { regularisation: 0.3, ..method }.fit(&domains).unwrap();
        assert!(matches!(fitted.source, Map::LowRank(_)) && fitted.certificate.converged);
        let second =
            |x: &Array2<f64>| x.t().dot(x) / x.nrows() as f64 + Array2::<f64>::eye(20) * 0.3;
        let expected = xs.dot(&monge(&second(&xs), &second(&xt)));
        assert_abs_diff_eq!(fitted.source(xs.view()).unwrap(), expected, epsilon = 1e-8);
    }

    #[test]
    fn directions_without_variance_are_moved_and_not_stretched() {
        // The source lies on a line, the target does not.
        let xs = array![[1.0, 0.0], [-1.0, 0.0], [3.0, 0.0]];
        let xt = array![[1.0, 1.0], [0.0, 3.0], [2.0, 5.0]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = LinearMonge::default().fit(&domains).unwrap();
        assert_eq!(
            fitted.certificate.notes,
            [
                "the source's variance is more than rounding, and than 1e-12 of its largest, in 1 of 2 directions (the target's in 2): in the others the mean moves alone"
            ]
        );
        let at = |x: f64, y: f64| fitted.source(array![[x, y]].view()).unwrap();
        let by = at(1.0, 1e3) - at(1.0, 0.0);
        assert_abs_diff_eq!(by, array![[0.0, 1e3]], epsilon = 1e-9);
        // The part of C_t nearest to the line: its first column over the root of its first entry.
        let slope = at(1.0, 0.0) - at(0.0, 0.0);
        let (s, c) = (8.0 / 3.0, array![[2.0 / 3.0, 2.0 / 3.0]]);
        assert_abs_diff_eq!(slope, c / (2f64 / 3.0 * s).sqrt(), epsilon = 1e-12);
    }

    #[test]
    fn all_levels_of_a_category_beside_a_column_of_large_numbers() {
        let with_size = |x: Array2<f64>| {
            let size = Array2::from_shape_fn((x.nrows(), 1), |(i, _)| ((i * 7) % 20) as f64 * 1e4);
            concatenate![Axis(1), x, size]
        };
        let (xs, xt) = (with_size(levels(&[5, 9, 6])), with_size(levels(&[12, 1, 8])));
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = LinearMonge::default().fit(&domains).unwrap();
        assert!(fitted.certificate.converged, "{:?}", fitted.certificate);
        assert!(fitted.certificate.notes[0].contains("in 3 of 4 directions"));
        let moved = fitted.source(xs.view()).unwrap();
        assert!(moved.slice(s![.., ..3]).iter().all(|v| v.abs() < 3.0), "{moved}");
        let covariance = |x: &Array2<f64>| moments::covariance(x.slice(s![.., ..3]), 0);
        assert_abs_diff_eq!(covariance(&moved), covariance(&xt), epsilon = 1e-6);
        let error = LinearMonge { regularisation: 1e-9, ..LinearMonge::default() }
            .fit(&domains)
            .unwrap_err();
        assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
    }

    #[test]
    fn domains_of_units_far_apart_and_further() {
        let xs = array![[1.0, 0.0], [2.0, 1.0], [-1.0, 3.0], [0.5, -2.0]];
        let fit = |source: f64, target: f64| {
            let (xs, xt) = (&xs * source, &xs * target);
            let domains = Domains::new(xs.view(), xt.view()).unwrap();
            let fitted = LinearMonge::default().fit(&domains)?;
            fitted.source(xs.view()).map(|x| x / target)
        };
        for (source, target) in [(1.0, 1e200), (1e200, 1.0), (1e-200, 1e100)] {
            assert_abs_diff_eq!(fit(source, target).unwrap(), xs, epsilon = 1e-9);
        }
        let error = fit(1e-200, 1e200).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
    }
}
