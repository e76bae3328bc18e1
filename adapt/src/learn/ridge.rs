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
//! the singular value decomposition, of one feature in closed form: where the rows leave β open
//! (fewer rows than features, columns that depend on each other) it is the one of least ‖β‖, and the
//! certificate says so.

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

    /// The line through one feature's values x `(n,)`: [`LeastSquares::fit_model`] for a program that
    /// has no other use for a singular value decomposition, and has to be small.
    ///
    /// # Errors
    /// As [`Regress::fit`].
    pub fn fit_line(
        &self,
        x: ArrayView1<'_, f64>,
        y: ArrayView1<'_, f64>,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<LinearModel> {
        centred(x.insert_axis(Axis(1)), y, w, |a, b| Ok(line(a.column(0), b)))
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
        centred(x, y, w, |a, b| match lambda == 0.0 {
            true => least_squares(a, b),
            false => ridge(a, b, lambda),
        })
    }
}

/// The model whose β `solve` finds from centred rows √w_i (x_i − x̄) and values √w_i (y_i − ȳ): the best
/// intercept sends the mean row to the mean value.
fn centred(
    x: ArrayView2<'_, f64>,
    y: ArrayView1<'_, f64>,
    w: Option<ArrayView1<'_, f64>>,
    solve: impl FnOnce(&Array2<f64>, &Array1<f64>) -> Result<(Array1<f64>, Certificate)>,
) -> Result<LinearModel> {
    let rows = Rows::new(x, w)?;
    let y = rows.values(y)?;
    let x_mean = moments::weighted_mean(rows.x.view(), rows.w.view());
    let y_mean = y.dot(&rows.w) / rows.w.sum();
    let root = rows.w.mapv(f64::sqrt);
    let a = (&rows.x - &x_mean) * root.view().insert_axis(Axis(1));
    let b = (y - y_mean) * &root;
    let (coefficients, certificate) = solve(&a, &b)?;
    let intercept = y_mean - coefficients.dot(&x_mean);
    Ok(LinearModel { coefficients, intercept, certificate })
}

/// A⁺ b: of all β that make ‖A β − b‖ least, the one of least ‖β‖.
fn least_squares(a: &Array2<f64>, b: &Array1<f64>) -> Result<(Array1<f64>, Certificate)> {
    if a.ncols() == 1 {
        return Ok(line(a.column(0), b));
    }
    let linalg::Svd { u, singular, v } = linalg::svd(a)?;
    let rounding = singular[0] * a.nrows().max(a.ncols()) as f64 * f64::EPSILON;
    let inverse = singular.mapv(|s| if s > rounding { 1.0 / s } else { 0.0 });
    let beta = v.dot(&(u.t().dot(b) * inverse));
    let certificate = certificate("singular values", a.view(), b, &beta, 0.0);
    let rank = singular.iter().filter(|&&s| s > rounding).count();
    Ok((beta, with_rank(certificate, rank, a.ncols())))
}

/// A⁺ b of one column: aᵀb / aᵀa.
fn line(a: ArrayView1<'_, f64>, b: &Array1<f64>) -> (Array1<f64>, Certificate) {
    let square = a.dot(&a);
    let varies = square > 0.0;
    let slope = if varies { a.dot(b) / square } else { 0.0 };
    let beta = Array1::from_elem(1, slope);
    let certificate = certificate("closed form", a.insert_axis(Axis(1)), b, &beta, 0.0);
    (beta, with_rank(certificate, usize::from(varies), 1))
}

/// Says of rows of rank below d that they leave coefficients open.
fn with_rank(certificate: Certificate, rank: usize, d: usize) -> Certificate {
    match rank < d {
        false => certificate,
        true => certificate.with_note(format!(
            "the rows vary in {rank} of {d} directions: of all coefficients that fit best these are \
             the smallest"
        )),
    }
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
    let certificate = certificate("cholesky", a.view(), b, &beta, lambda);
    Ok((beta, certificate))
}

/// How well (AᵀA + λI) β = Aᵀb is met.
fn certificate(
    solver: &str,
    a: ArrayView2<'_, f64>,
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
        let same = LeastSquares {}.fit_line(x.column(0), y.view(), Some(w.view())).unwrap();
        assert_eq!((same.coefficients, same.intercept), (line.coefficients, line.intercept));
    }

    #[test]
    fn one_feature_is_one_of_several() {
        let x = array![0.3, -1.0, 2.5, 0.4];
        let y = array![1.0, 0.2, -0.5, 3.0];
        let line = LeastSquares {}.fit_line(x.view(), y.view(), None).unwrap();
        let beside_nothing = ndarray::stack![Axis(1), x, Array1::zeros(4)];
        let model = LeastSquares {}.fit_model(beside_nothing.view(), y.view(), None).unwrap();
        assert_abs_diff_eq!(line.coefficients[0], model.coefficients[0], epsilon = 1e-14);
        assert_abs_diff_eq!(line.intercept, model.intercept, epsilon = 1e-14);
        let (x, y) = (array![2.0, 2.0], array![1.0, 3.0]);
        let still = LeastSquares {}.fit_line(x.view(), y.view(), None).unwrap();
        assert_eq!((still.coefficients, still.intercept), (array![0.0], 2.0));
        assert!(still.certificate.notes[0].contains("0 of 1 directions"));
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
