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
//! pseudo-inverse: directions in which the source does not vary are left empty.
//!
//! With the r axes V `(d, r)` along which a domain varies, and its variances s above rounding,
//! ```text
//! f(C) = f(λ) I + V diag(f(s + λ) − f(λ)) Vᵀ
//! ```
//! so that a domain of n < d rows costs a decomposition of an n × n matrix.
//!
//! Differences from the paper:
//! 1. `centre` moves the mean as well. The paper normalises its features to zero mean beforehand,
//!    where both forms are the same.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::{Affine, Align, Alignment, Map, linear_monge::moved_covariance_gap, pca::Principal};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::Domains,
    error::Result,
    math::{gram, linalg, parallel},
};

/// The options of CORAL; the defaults are the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Coral {
    /// λ ≥ 0, in squared feature units.
    pub regularisation: f64,
    /// Whether the mean moves too.
    pub centre: bool,
}

impl Default for Coral {
    fn default() -> Self {
        Self { regularisation: 1.0, centre: false }
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
        let d = domains.features();
        gram::check_size(Self::NAME, d, d, "reduce the features first, for instance by `pca`")?;
        let principal = |rows| Principal::of(Self::NAME, rows, 1);
        let (source, target) =
            parallel::join(|| principal(domains.source()), || principal(domains.target()));
        let (source, target) = (source?, target?);

        let whiten = covariance_function(&source, lambda, inverse_sqrt);
        let matrix = linalg::dot(&whiten, &covariance_function(&target, lambda, f64::sqrt));

        // Aᵀ C_s A = C_t, up to the directions that the source lacks.
        let c_s = covariance_function(&source, lambda, |v| v);
        let c_t = covariance_function(&target, lambda, |v| v);
        let residual = moved_covariance_gap(&matrix, &c_s, &c_t);
        let certificate = Certificate::new("closed form", 0, Measure::LinearSystem, residual, 1e-8);
        let (shift, offset) = match self.centre {
            true => (source.mean, target.mean),
            false => (Array1::zeros(d), Array1::zeros(d)),
        };
        Ok(Alignment {
            source: Map::Affine(Affine { shift, matrix, offset }),
            target: Map::Identity,
            certificate,
        })
    }
}

/// f(C), f(0) = 0 for directions in which the rows do not vary, where λ = 0.
fn covariance_function(rows: &Principal, lambda: f64, f: impl Fn(f64) -> f64) -> Array2<f64> {
    let (d, r) = rows.axes.dim();
    // Without a complement, its share would add rounding of the size of f(λ) alone.
    let outside = if r == d { 0.0 } else { f(lambda) };
    let inside = rows.variances.mapv(|s| f(s + lambda) - outside);
    let mut function = linalg::dot(&(&rows.axes * &inside), &rows.axes.t());
    function.diag_mut().mapv_inplace(|v| v + outside);
    function
}

/// v^(−½), 0 for 0: the pseudo-inverse.
fn inverse_sqrt(v: f64) -> f64 {
    if v > 0.0 { v.sqrt().recip() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array2, array};

    use super::*;
    use crate::math::moments;

    #[test]
    fn diagonal_covariances_by_hand() {
        // Covariances diag(2, 2) and diag(8, 18): factors 2 and 3.
        let xs =
            array![[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]] * 2f64.sqrt();
        let xt = &xs * &array![2.0, 3.0] + 5.0;
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fit = |centre| Coral { regularisation: 0.0, centre }.fit(&domains).unwrap();
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
        let fitted = Coral { regularisation: 0.0, centre: true }.fit(&domains).unwrap();
        assert!(fitted.source(xs.view()).unwrap().iter().all(|v| v.is_finite()));
        assert!(!fitted.certificate.converged);
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
        let c_s = moments::covariance(xs.view(), 1) + Array2::<f64>::eye(7);
        let c_t = moments::covariance(xt.view(), 1) + Array2::<f64>::eye(7);
        let a = linalg::inverse_sqrt(&c_s).unwrap().dot(&linalg::sqrt(&c_t).unwrap());
        assert_abs_diff_eq!(fitted.matrix, a, epsilon = 1e-12);
    }
}
