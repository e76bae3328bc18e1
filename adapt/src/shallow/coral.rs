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
//! Differences from the paper:
//! 1. `centre` moves the mean as well. The paper normalises its features to zero mean beforehand,
//!    where both forms are the same.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::{Affine, Align, Alignment, Map};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    domains::Domains,
    error::{Error, Result},
    math::{linalg, moments},
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
        if !(lambda.is_finite() && lambda >= 0.0) {
            return Err(Error::config(Self::NAME, "regularisation", lambda, "a finite number ≥ 0"));
        }
        domains.need_rows(Self::NAME, 2)?;
        let (xs, xt) = (domains.source(), domains.target());
        let ridge = Array2::<f64>::eye(domains.features()) * lambda;
        let c_s = moments::covariance(xs, 1) + &ridge;
        let c_t = moments::covariance(xt, 1) + &ridge;

        let matrix = linalg::dot(&linalg::inverse_sqrt(&c_s)?, &linalg::sqrt(&c_t)?);

        // Aᵀ C_s A = C_t, up to the directions that the source lacks.
        let got = linalg::dot(&matrix.t(), &linalg::dot(&c_s, &matrix));
        let residual = linalg::frobenius((&got - &c_t).view())
            / linalg::frobenius(c_t.view()).max(f64::MIN_POSITIVE);
        let certificate = Certificate::new("closed form", 0, Measure::LinearSystem, residual, 1e-8);
        let d = domains.features();
        let (shift, offset) = match self.centre {
            true => (moments::mean(xs), moments::mean(xt)),
            false => (Array1::zeros(d), Array1::zeros(d)),
        };
        Ok(Alignment {
            source: Map::Affine(Affine { shift, matrix, offset }),
            target: Map::Identity,
            certificate,
        })
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

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
}
