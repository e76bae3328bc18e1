//! CORAL: give the source rows the covariance of the target rows.
//!
//! Sun, Feng & Saenko, "Return of Frustratingly Easy Domain Adaptation", AAAI 2016, Alg. 1.
//! ```text
//! A = C_s^(−½) C_t^(½)        C = (X − 1x̄ᵀ)ᵀ(X − 1x̄ᵀ) / (n − 1) + λ I
//! x ↦ Aᵀ x                     as the paper's algorithm, or
//! x ↦ Aᵀ (x − x̄_s) + x̄_t       centred
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`; target rows stay. The mapped source rows have covariance C_t
//! where λ = 0 and C_s is invertible. For λ = 0 and a singular C_s the inverse is the
//! pseudo-inverse: directions in which the source does not vary, or less than 10⁻¹² of its largest
//! variance, are left empty, and the rows take on C_t^(½) P C_t^(½), where P projects on the others. The
//! paper's λ = 1 gives those directions a variance of 1, at which rows of unit variance stay moderate.
//!
//! With the r axes V `(d, r)` along which a domain varies, and its variances s above rounding,
//! ```text
//! f(C) = f(λ) I + V diag(f(s + λ) − f(λ)) Vᵀ
//! ```
//! so that a domain of n < d rows costs a decomposition of an n × n matrix. Where 2 (n_s + n_t) ≤ d, A is
//! made and kept as a multiple of the identity and a matrix of low rank: time and memory are linear in d.
//!
//! Differences from the paper:
//! 1. `centre` moves the mean as well. The paper normalises its features to zero mean beforehand,
//!    where both forms are the same.
//! 2. `shrinkage` takes shrunk covariances, as skada's `CORALAdapter(reg="auto")` does with λ = 0.

use ndarray::Array1;
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

/// The options of CORAL; the defaults are the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Coral {
    /// λ ≥ 0, in squared feature units.
    pub regularisation: f64,
    /// Whether the mean moves too.
    pub centre: bool,
    /// How C is shrunk before λ is added. No map of low rank is made of a shrunk one.
    pub shrinkage: Shrinkage,
}

impl Default for Coral {
    fn default() -> Self {
        Self { regularisation: 1.0, centre: false, shrinkage: Shrinkage::None }
    }
}

impl Described for Coral {
    const NAME: &'static str = "coral";
    const ABOUT: &'static str = "gives the source the covariance of the target";
    const PAPER: &'static str =
        "Sun, Feng & Saenko, Return of Frustratingly Easy Domain Adaptation, AAAI 2016";
    const NEEDS: Needs = Needs { least_rows: 2, ..Needs::ROWS };
}

impl Align for Coral {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        let lambda = self.regularisation;
        check::non_negative(Self::NAME, "regularisation", lambda)?;
        domains.need_rows(Self::NAME, 2)?;
        let estimate = Estimate { ddof: 1, centred: true, shrinkage: self.shrinkage };
        let pair = Covariances::of(Self::NAME, domains, estimate, lambda)?;

        let colour = pair.target.function(f64::sqrt);
        let matrix = linalg::dot(&pair.source.function(inverse_sqrt), &colour);

        // Aᵀ C_s A = C_t, but for the directions that the source lacks.
        let c_t = pair.target.function(|v| v);
        let attained = linalg::dot(&colour, &linalg::dot(&pair.source.range(), &colour));
        let rest = match lambda > 0.0 {
            true => "in the others the regularisation stands in",
            false => "the others are left empty",
        };
        let c_s = pair.source.function(|v| v);
        let certificate = pair.certify(&matrix, &c_s, [&attained, &c_t], rest)?;
        let d = domains.features();
        let (shift, offset) = match self.centre {
            true => (pair.source.mean.clone(), pair.target.mean.clone()),
            false => (Array1::zeros(d), Array1::zeros(d)),
        };
        let source = pair.map(matrix, shift, offset, lambda > 0.0)?;
        Alignment::new(Self::NAME, source, Map::Identity, certificate)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::{error::Error, math::moments, shallow::testing::levels};

    #[test]
    fn diagonal_covariances_by_hand() {
        // Covariances diag(2, 2) and diag(8, 18): factors 2 and 3.
        let xs =
            array![[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]] * 2f64.sqrt();
        let xt = &xs * &array![2.0, 3.0] + 5.0;
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fit = |centre| {
            let method = Coral { regularisation: 0.0, centre, ..Coral::default() };
            method.fit(&domains).unwrap()
        };
        let scaled = &xs * &array![2.0, 3.0];
        assert_abs_diff_eq!(fit(false).source(xs.view()).unwrap(), scaled, epsilon = 1e-12);
        assert_abs_diff_eq!(fit(true).source(xs.view()).unwrap(), xt, epsilon = 1e-12);
        assert!(fit(true).certificate.converged);
    }

    #[test]
    fn bad_options_and_single_rows_are_errors() {
        let x = array![[1.0, 2.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let message = Coral::default().fit(&domains).unwrap_err().to_string();
        assert_eq!(message, "coral needs at least 2 source rows, got 1");
        let bad = Coral { regularisation: f64::NAN, ..Coral::default() };
        let message = bad.fit(&domains).unwrap_err().to_string();
        assert_eq!(message, "coral.regularisation = NaN: expected a finite number ≥ 0");
    }

    #[test]
    fn directions_that_the_source_lacks_stay_empty() {
        let xs = array![[1.0, 0.0], [-1.0, 0.0], [3.0, 0.0]];
        let xt = array![[1.0, 1.0], [0.0, 3.0], [2.0, 5.0]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let method = Coral { regularisation: 0.0, centre: true, ..Coral::default() };
        let fitted = method.fit(&domains).unwrap();
        // C_t = [[1, 1], [1, 4]]: the first column of C_t^½ has the length 1.
        let moved = fitted.source(xs.view()).unwrap();
        let variance = moments::covariance(moved.view(), 1).diag().sum();
        assert_abs_diff_eq!(variance, 1.0, epsilon = 1e-12);
        assert_eq!(
            fitted.certificate.notes,
            [
                "the source's variance is more than rounding, and than 1e-12 of its largest, in 1 of 2 directions (the target's in 2): the others are left empty"
            ]
        );
        let new = fitted.source(array![[1.0, 1e6]].view()).unwrap();
        assert_abs_diff_eq!(new, fitted.source(array![[1.0, 0.0]].view()).unwrap(), epsilon = 1e-9);
    }

    #[test]
    fn all_levels_of_a_category_are_one_direction_too_many() {
        let (xs, xt) = (levels(&[5, 9, 6]), levels(&[12, 1, 8]));
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        for regularisation in [0.0, 1e-6, 1.0] {
            let method = Coral { regularisation, centre: true, ..Coral::default() };
            let fitted = method.fit(&domains).unwrap();
            assert!(fitted.certificate.converged, "{:?}", fitted.certificate);
            assert!(fitted.certificate.notes[0].contains("in 2 of 3 directions"));
            let moved = fitted.source(xs.view()).unwrap();
            assert!(moved.iter().all(|v| v.abs() < 3.0), "{moved}");
        }
    }

    #[test]
    fn fewer_rows_than_features_and_constant_columns_by_whole_matrices() {
        let entry = |(i, j): (usize, usize)| ((i * i * 5 + j * 3 + i * j * 7) % 11) as f64;
        let mut xs = Array2::from_shape_fn((4, 7), entry);
        let mut xt = Array2::from_shape_fn((5, 7), |(i, j)| entry((j + 2, i)));
        xs.column_mut(2).fill(0.1);
        xt.column_mut(5).fill(-3.0);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let Map::Affine(fitted) = Coral::default().fit(&domains).unwrap().source else {
            panic!("an affine map")
        };
        assert_abs_diff_eq!(fitted.matrix, by_whole_matrices(&xs, &xt, 1.0), epsilon = 1e-12);
    }

    fn by_whole_matrices(xs: &Array2<f64>, xt: &Array2<f64>, lambda: f64) -> Array2<f64> {
        let ridge = Array2::<f64>::eye(xs.ncols()) * lambda;
        let c_s = moments::covariance(xs.view(), 1) + &ridge;
        let c_t = moments::covariance(xt.view(), 1) + &ridge;
        linalg::inverse_sqrt(&c_s).unwrap().dot(&linalg::sqrt(&c_t).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_shape_equals_whole_matrices(
            (n, m, d) in (2usize..6, 2usize..6, 1usize..40),
            values in prop::collection::vec(-3.0..3.0f64, 2 * 6 * 40),
            lambda in 0.01..3.0f64,
            centre in any::<bool>(),
        ) {
            let xs = Array2::from_shape_fn((n, d), |(i, j)| values[i * 40 + j]);
            let xt = Array2::from_shape_fn((m, d), |(i, j)| values[240 + i * 40 + j] + 1.0);
            let domains = Domains::new(xs.view(), xt.view()).unwrap();
            let method = Coral { regularisation: lambda, centre, ..Coral::default() };
            let fitted = method.fit(&domains).unwrap();
            let low_rank = matches!(fitted.source, Map::LowRank(_));
            prop_assert_eq!(low_rank, 2 * (n + m) <= d);
            prop_assert!(fitted.certificate.converged, "{:?}", fitted.certificate);
            let a = by_whole_matrices(&xs, &xt, lambda);
            let new = xt.slice(ndarray::s![..2, ..]).to_owned() * 2.0;
            for x in [&xs, &new] {
                let expected = match centre {
                    true => (x - &moments::mean(xs.view())).dot(&a) + moments::mean(xt.view()),
                    false => x.dot(&a),
                };
                let got = fitted.source(x.view()).unwrap();
                assert_abs_diff_eq!(got, expected, epsilon = 1e-10);
            }
        }

        #[test]
        fn rows_in_another_unit_move_alike(
            power in prop::sample::select(vec![-900i32, -517, -150, 150, 517, 900]),
            d in prop::sample::select(vec![2usize, 30]),
        ) {
            let entry = |i: usize, j: usize| ((i * i * 5 + j * 3 + i * j * 7) % 11) as f64;
            let xs = Array2::from_shape_fn((5, d), |(i, j)| entry(i, j));
            let xt = Array2::from_shape_fn((6, d), |(i, j)| entry(j + 2, i));
            let fit = |power: i32| {
                let unit = 2f64.powi(power);
                let (xs, xt) = (&xs * unit, &xt * unit);
                let domains = Domains::new(xs.view(), xt.view()).unwrap();
                let method = Coral { regularisation: 0.0, centre: true, ..Coral::default() };
                let fitted = method.fit(&domains).unwrap();
                (fitted.source(xs.view()).unwrap() / unit, fitted.certificate.residual)
            };
            prop_assert_eq!(fit(power), fit(0));
        }
    }

    #[test]
    fn shrunk_covariances_are_exchanged() {
        let entry = |i: usize, j: usize| ((i * i * 5 + j * 3 + i * j * 7) % 11) as f64;
        let xs = Array2::from_shape_fn((9, 3), |(i, j)| entry(i, j));
        let xt = Array2::from_shape_fn((8, 3), |(i, j)| 3.0 * entry(j + 2, i));
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let shrinkage = Shrinkage::LedoitWolf;
        let method = Coral { regularisation: 0.0, centre: false, shrinkage };
        let Map::Affine(map) = method.fit(&domains).unwrap().source else {
            panic!("an affine map")
        };
        let [c_s, c_t] = [&xs, &xt].map(|x| crate::math::shrinkage::ledoit_wolf(x.view()));
        let moved = map.matrix.t().dot(&c_s).dot(&map.matrix);
        assert_abs_diff_eq!(moved, c_t, epsilon = 1e-10);
        // More columns than rows, in which a plain covariance would be singular.
        let (xs, xt) = (xs.reversed_axes(), xt.slice(ndarray::s![..3, ..]).to_owned());
        let wide = ndarray::concatenate![ndarray::Axis(1), xt.clone(), xt.clone(), xt];
        let domains = Domains::new(xs.view(), wide.view()).unwrap();
        let fitted = method.fit(&domains).unwrap();
        assert!(fitted.certificate.converged && fitted.certificate.notes.is_empty());
    }

    #[test]
    fn tens_of_thousands_of_columns_need_no_matrix_of_their_square() {
        // As a whole, A would have 200 GiB.
        let d = 160_000;
        let entry = |i: usize, j: usize| ((i * 31 + j * 17 + i * j) % 101) as f64;
        let xs = Array2::from_shape_fn((4, d), |(i, j)| entry(i, j));
        let xt = Array2::from_shape_fn((3, d), |(i, j)| entry(i + 5, j));
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = Coral::default().fit(&domains).unwrap();
        assert_eq!(fitted.source(xs.view()).unwrap().dim(), (4, d));
        assert!(fitted.certificate.converged, "{:?}", fitted.certificate);
    }

    #[test]
    fn a_ridge_that_squares_drown_is_an_error_where_it_is_needed() {
        // The second feature needs λ, and 1 is no number beside 1e400.
        let xs = array![[1e200, 0.0], [-1e200, 0.0], [3e200, 0.0]];
        let xt = array![[1e200, 1e200], [0.0, 3e200], [2e200, 5e200]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let error = Coral::default().fit(&domains).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
        let method = Coral { regularisation: 0.0, centre: true, ..Coral::default() };
        assert!(method.fit(&domains).is_ok());
    }
}
