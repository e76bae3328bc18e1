//! Weighted least squares and ridge regression.
//!
//! ```text
//! minimise  Σ_i w_i (y_i − βᵀx_i − b)² + λ ‖β‖²        Σ_i w_i = n
//! ```
//! X `(n, d)`, y `(n,)`, w `(n,)`, of the n rows whose weight is above 0. The intercept bears no
//! penalty. λ is `alpha` of scikit-learn's `Ridge`, whose weights are then w. Hoerl & Kennard,
//! "Ridge Regression", Technometrics 1970.
//!
//! λ > 0 is solved by Cholesky, in d or n unknowns, whichever are fewer; λ = 0, least squares, by
//! the singular value decomposition: where the rows leave β open (fewer rows than features, columns
//! that depend on each other) it is the one of least ‖β‖, and the certificate says so.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{Regress, Regressor, rows::Rows};
use crate::{
    catalogue::Described,
    certificate::{Certificate, Measure},
    check,
    domains::check_query,
    error::Result,
    math::{
        linalg::{self, Cholesky},
        moments,
    },
};

/// Least squares: it has no options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeastSquares {}

/// The options of ridge regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ridge {
    /// λ ≥ 0; 0 is least squares. 1 is scikit-learn's default.
    pub penalty: f64,
}

impl Default for Ridge {
    fn default() -> Self {
        Self { penalty: 1.0 }
    }
}

impl Described for LeastSquares {
    const NAME: &'static str = "least-squares";
    const ABOUT: &'static str = "linear least squares with an intercept";
    const PAPER: &'static str = "–";
}

impl Described for Ridge {
    const NAME: &'static str = "ridge";
    const ABOUT: &'static str = "linear least squares with a ridge penalty";
    const PAPER: &'static str = "Hoerl & Kennard, Ridge Regression: Biased Estimation for \
                                 Nonorthogonal Problems, Technometrics 1970";
}

/// A fitted linear model.
#[derive(Clone, Debug)]
pub struct LinearModel {
    /// β `(d,)`.
    pub coefficients: Array1<f64>,
    /// b.
    pub intercept: f64,
    certificate: Certificate,
}

impl LeastSquares {
    /// As [`Regress::fit`], with the coefficients in sight.
    ///
    /// # Errors
    /// As [`Regress::fit`].
    pub fn fit_model(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView1<'_, f64>,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<LinearModel> {
        Ridge { penalty: 0.0 }.fit_model(x, y, w)
    }
}

impl Ridge {
    /// As [`Regress::fit`], with the coefficients in sight.
    ///
    /// # Errors
    /// As [`Regress::fit`].
    pub fn fit_model(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView1<'_, f64>,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<LinearModel> {
        let lambda = self.penalty;
        check::non_negative(Self::NAME, "penalty", lambda)?;
        let rows = Rows::new(x, w)?;
        let y = rows.values(y)?;
        let x_mean = moments::weighted_mean(rows.x.view(), rows.w.view());
        let y_mean = y.dot(&rows.w) / rows.w.sum();
        // The best intercept sends the mean row to the mean value; β is that of centred rows.
        let root = rows.w.mapv(f64::sqrt);
        let a = (&rows.x - &x_mean) * root.view().insert_axis(Axis(1));
        let b = (y - y_mean) * &root;
        let (coefficients, certificate) = match lambda == 0.0 {
            true => least_squares(&a, &b)?,
            false => ridge(&a, &b, lambda)?,
        };
        let intercept = y_mean - coefficients.dot(&x_mean);
        Ok(LinearModel { coefficients, intercept, certificate })
    }
}

/// A⁺ b: of all β that make ‖A β − b‖ least, the one of least ‖β‖.
fn least_squares(a: &Array2<f64>, b: &Array1<f64>) -> Result<(Array1<f64>, Certificate)> {
    let linalg::Svd { u, singular, v } = linalg::svd(a)?;
    let rounding = singular[0] * a.nrows().max(a.ncols()) as f64 * f64::EPSILON;
    let inverse = singular.mapv(|s| if s > rounding { 1.0 / s } else { 0.0 });
    let beta = v.dot(&(u.t().dot(b) * inverse));
    let certificate = certificate("singular values", a, b, &beta, 0.0);
    let rank = singular.iter().filter(|&&s| s > rounding).count();
    Ok((beta, match rank < a.ncols() {
        false => certificate,
        true => certificate.with_note(format!(
            "the rows vary in {rank} of {} directions: of all coefficients that fit best these are \
             the smallest",
            a.ncols()
        )),
    }))
}

/// (AᵀA + λI)⁻¹ Aᵀb = Aᵀ (AAᵀ + λI)⁻¹ b.
fn ridge(a: &Array2<f64>, b: &Array1<f64>, lambda: f64) -> Result<(Array1<f64>, Certificate)> {
    let (n, d) = a.dim();
    let lifted = |mut gram: Array2<f64>| {
        gram.diag_mut().mapv_inplace(|v| v + lambda);
        Cholesky::new(&gram)
    };
    let beta = match d <= n {
        true => lifted(linalg::dot(&a.t(), a))?.solve_vector(a.t().dot(b).view()),
        false => a.t().dot(&lifted(linalg::dot(a, &a.t()))?.solve_vector(b.view())),
    };
    let certificate = certificate("cholesky", a, b, &beta, lambda);
    Ok((beta, certificate))
}

/// How well (AᵀA + λI) β = Aᵀb is met.
fn certificate(
    solver: &str,
    a: &Array2<f64>,
    b: &Array1<f64>,
    beta: &Array1<f64>,
    lambda: f64,
) -> Certificate {
    let largest = |x: &Array1<f64>| x.fold(0.0, |m: f64, v| m.max(v.abs()));
    let right = a.t().dot(b);
    let gap = a.t().dot(&a.dot(beta)) + beta * lambda - &right;
    let residual = largest(&gap) / largest(&right).max(1.0);
    Certificate::new(solver, 0, Measure::LinearSystem, residual, 1e-8)
}

impl Regress for LeastSquares {
    fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView1<'_, f64>,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Regressor>> {
        Ok(Box::new(self.fit_model(x, y, w)?))
    }
}

impl Regress for Ridge {
    fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView1<'_, f64>,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Regressor>> {
        Ok(Box::new(self.fit_model(x, y, w)?))
    }
}

impl Regressor for LinearModel {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        check_query(x, self.coefficients.len())?;
        Ok(x.dot(&self.coefficients) + self.intercept)
    }

    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;
    use crate::error::Error;

    #[test]
    fn a_line_is_found() {
        let x = array![[0.0], [1.0], [2.0], [9.0]];
        let y = array![1.0, 3.0, 5.0, -4.0];
        let w = array![2.0, 1.0, 5.0, 0.0];
        let line = LeastSquares {}.fit_model(x.view(), y.view(), Some(w.view())).unwrap();
        assert_abs_diff_eq!(line.coefficients, array![2.0], epsilon = 1e-12);
        assert_abs_diff_eq!(line.intercept, 1.0, epsilon = 1e-12);
        assert!(line.certificate.converged && line.certificate.notes.is_empty());
    }

    /// Centred x = ±1, y = ±3: β = 6 / (2 + λ).
    #[test]
    fn a_penalty_by_hand_in_both_forms() {
        let y = array![0.0, 6.0];
        let fit =
            |x: &Array2<f64>| Ridge { penalty: 4.0 }.fit_model(x.view(), y.view(), None).unwrap();
        let primal = fit(&array![[4.0], [6.0]]);
        assert_abs_diff_eq!(primal.coefficients, array![1.0], epsilon = 1e-12);
        assert_abs_diff_eq!(primal.intercept, -2.0, epsilon = 1e-12);
        let dual = fit(&array![[4.0, 0.0, 1.0], [6.0, 0.0, 1.0]]);
        assert_abs_diff_eq!(dual.coefficients, array![1.0, 0.0, 0.0], epsilon = 1e-12);
    }

    #[test]
    fn what_the_rows_leave_open_is_smallest() {
        let x = array![[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]];
        let y = array![0.0, 4.0, 8.0];
        let model = LeastSquares {}.fit_model(x.view(), y.view(), None).unwrap();
        assert_abs_diff_eq!(model.coefficients, array![2.0, 2.0], epsilon = 1e-12);
        assert!(model.certificate.notes[0].contains("1 of 2 directions"));
        // One row fixes the intercept alone.
        let x = array![[3.0, 1.0]];
        let model = LeastSquares {}.fit_model(x.view(), array![7.0].view(), None).unwrap();
        assert_eq!((model.coefficients, model.intercept), (array![0.0, 0.0], 7.0));
    }

    #[test]
    fn bad_input_is_an_error() {
        let x = array![[0.0], [1.0]];
        let fit = |penalty, y: Array1<f64>| {
            Ridge { penalty }.fit_model(x.view(), y.view(), None).map(|_| ())
        };
        assert!(matches!(fit(-1.0, array![0.0, 1.0]), Err(Error::Config { .. })));
        assert!(matches!(fit(1.0, array![0.0]), Err(Error::Shape { .. })));
        assert!(matches!(fit(1.0, array![0.0, f64::NAN]), Err(Error::NotFinite { .. })));
    }
}
