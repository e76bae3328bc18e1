//! Weighted logistic regression, binary and multinomial.
//!
//! ```text
//! minimise  Σ_i w_i ℓ_i + λ/2 ‖B‖²_F       ℓ_i = −log p(y_i | x_i)       Σ_i w_i = n
//! two classes       p(1 | x) = 1 / (1 + exp(−βᵀx − b))                    B = βᵀ, (1, d)
//! k > 2 classes     p(c | x) = exp(β_cᵀx + b_c) / Σ_j exp(β_jᵀx + b_j)    B, (k, d)
//! ```
//! X `(n, d)`, w `(n,)`, of the n rows whose weight is above 0. Intercepts bear no penalty; of k > 2
//! classes they sum to 0. λ is 1/C of scikit-learn's `LogisticRegression`, whose weights are then
//! w. Bishop, "Pattern Recognition and Machine Learning", 2006, Sec. 4.3.
//!
//! Up to 512 parameters are found by Newton's method (Sec. 4.3.3) with Cholesky, more by L-BFGS.
//! Columns are centred and scaled for the solver, which changes its path and not the answer: the
//! certificate's gradient is with respect to the scaled columns. Classes without rows have
//! probability 0. Where λ = 0 and a hyperplane separates the classes there is no answer.

mod objective;
mod solve;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};

use transduct_core::data::sparse::{Moments, Sparse};

use self::objective::{Design, Objective, log_probabilities};
use super::{
    Classifier, Classify,
    rows::{ABSENT, Rows, Weights, kept_classes, present_classes},
};
use crate::{
    catalogue::Described,
    certificate::Certificate,
    check,
    domains::check_query,
    error::{Error, Result},
    math::{linalg, moments},
};

/// The options of logistic regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logistic {
    /// λ ≥ 0. 1 is scikit-learn's default.
    pub penalty: f64,
    /// The gradient's largest component at which to stop, relative to max(1, objective), > 0.
    pub tolerance: f64,
    /// The most iterations, ≥ 1.
    pub iterations: usize,
}

impl Default for Logistic {
    fn default() -> Self {
        Self { penalty: 1.0, tolerance: 1e-9, iterations: 1000 }
    }
}

impl Described for Logistic {
    const NAME: &'static str = "logistic";
    const ABOUT: &'static str = "logistic regression with a ridge penalty, binary or multinomial";
    const PAPER: &'static str = "Cox, The Regression Analysis of Binary Sequences, JRSS B 1958";
}

/// A fitted logistic regression.
#[derive(Clone, Debug)]
pub struct LogisticModel {
    /// B `(1, d)` for two classes that occur, `(k, d)` for more of them.
    pub coefficients: Array2<f64>,
    /// b `(1,)` or `(k,)`.
    pub intercepts: Array1<f64>,
    /// The classes that occur, ascending; of two the second is the one that B speaks for.
    pub present: Vec<usize>,
    classes: usize,
    certificate: Certificate,
}

impl Logistic {
    /// As [`Classify::fit`], with the coefficients in sight.
    ///
    /// # Errors
    /// As [`Classify::fit`]; [`Error::OneClass`]; [`Error::Degenerate`] for λ = 0 and separable
    /// classes.
    pub fn fit_model(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[usize],
        classes: usize,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<LogisticModel> {
        self.check()?;
        let rows = Rows::new(x, w)?;
        let (present, y) = present_classes(Self::NAME, &rows.classes(y, classes)?)?;

        let (mean, scale) = standardisation(&rows, self.penalty);
        let n = rows.x.nrows();
        let standard = (&rows.x - &mean) / &scale;
        let ones = Array2::ones((n, 1));
        let objective = Objective {
            x: Design::Dense(concatenate![Axis(1), standard, ones]),
            y,
            w: rows.w,
            penalty: self.penalties(&scale),
            outputs: outputs(&present),
        };
        self.solve(&objective, &mean, &scale, present, classes)
    }

    /// [`Logistic::fit_model`] on sparse rows x `(n, d)`: the same answer, with time and memory that go
    /// with the entries, and not with n d.
    ///
    /// # Errors
    /// As [`Logistic::fit_model`].
    pub fn fit_sparse(
        &self,
        x: &Sparse,
        y: &[usize],
        classes: usize,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<LogisticModel> {
        /// Rows for which Newton's method on dense columns is cheap.
        const ROWS: usize = 1 << 16;
        self.check()?;
        let n = x.rows();
        if n == 0 || x.columns() == 0 {
            let got = format!("{n} × {}", x.columns());
            return Err(Error::shape("rows", "at least 1 row and 1 column", got));
        }
        let weights = Weights::new(w, n)?;
        let y = kept_classes(weights.kept.as_deref(), n, y, classes)?;
        let (present, places) = present_classes(Self::NAME, &y)?;
        if outputs(&present) * (x.columns() + 1) <= solve::NEWTON && n <= ROWS {
            let kept = weights.kept.as_ref().map(|kept| x.select(kept));
            let dense = kept.as_ref().unwrap_or(x);
            let dense = dense.dense_rows(0, dense.rows());
            return self.fit_model(dense.view(), &y, classes, Some(weights.w.view()));
        }
        let kept = weights.kept.as_ref().map(|kept| x.select(kept));
        let x = kept.as_ref().unwrap_or(x);
        let total = x.rows() as f64;
        let Some(Moments { mean, deviation }) = x.moments(Some(weights.w.view()), 0.0) else {
            return Err(Error::shape("weights", "a positive sum", 0));
        };
        let scale = scales(deviation.mapv(|s| s * s), self.penalty, total);
        let objective = Objective {
            x: Design::Sparse { x, mean: mean.clone(), scale: scale.clone() },
            y: places,
            w: weights.w,
            penalty: self.penalties(&scale),
            outputs: outputs(&present),
        };
        self.solve(&objective, &mean, &scale, present, classes)
    }

    /// λ of the scaled columns and of the intercept.
    fn penalties(&self, scale: &Array1<f64>) -> Array1<f64> {
        concatenate![Axis(0), scale.mapv(|s| self.penalty / (s * s)), [0.0]]
    }

    fn solve(
        &self,
        objective: &Objective<'_>,
        mean: &Array1<f64>,
        scale: &Array1<f64>,
        present: Vec<usize>,
        classes: usize,
    ) -> Result<LogisticModel> {
        let (theta, certificate) = solve::minimise(objective, self.tolerance, self.iterations)?;
        if self.penalty == 0.0 && objective.separates(&theta) {
            let reason = "a hyperplane separates the classes, so that no finite coefficients fit \
                          best";
            return Err(Error::degenerate(Self::NAME, reason, "set `penalty` above 0"));
        }

        // θᵀ(x − x̄)/s + b = βᵀx + (b − βᵀx̄).
        let coefficients = &theta.slice(s![.., ..-1]) / scale;
        let intercepts = &theta.slice(s![.., -1]) - &coefficients.dot(mean);
        Ok(LogisticModel { coefficients, intercepts, present, classes, certificate })
    }

    fn check(&self) -> Result<()> {
        let Self { penalty, tolerance, iterations } = *self;
        check::non_negative(Self::NAME, "penalty", penalty)?;
        check::positive(Self::NAME, "tolerance", tolerance)?;
        check::at_least(Self::NAME, "iterations", iterations, 1)
    }
}

/// x̄ and s `(d,)` with s² = the weighted variance + 4λ/n: the diagonal of the Hessian at 0 is then
/// the same for all columns, penalty included.
fn standardisation(rows: &Rows<'_>, penalty: f64) -> (Array1<f64>, Array1<f64>) {
    let n = rows.x.nrows() as f64;
    let mean = moments::weighted_mean(rows.x.view(), rows.w.view());
    let variance = (&rows.x - &mean).mapv(|v| v * v).t().dot(&rows.w) / n;
    (mean, scales(variance, penalty, n))
}

fn scales(variance: Array1<f64>, penalty: f64, n: f64) -> Array1<f64> {
    variance.mapv_into(|v| match v + 4.0 * penalty / n {
        v if v > 0.0 => v.sqrt(),
        _ => 1.0,
    })
}

/// m: 1 for two classes, otherwise k.
fn outputs(present: &[usize]) -> usize {
    if present.len() == 2 { 1 } else { present.len() }
}

impl LogisticModel {
    /// βᵀx + b: the log-odds of the second class `(n, 1)`, or one column a class that occurs.
    fn logits(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_query(x, self.coefficients.ncols())?;
        Ok(linalg::dot(&x, &self.coefficients.t()) + &self.intercepts)
    }

    /// log p(class | x) of logits.
    fn scores_of(&self, logits: Array2<f64>) -> Array2<f64> {
        let log_p = log_probabilities(logits);
        let mut scores = Array2::from_elem((log_p.nrows(), self.classes), ABSENT);
        for (column, &class) in log_p.columns().into_iter().zip(&self.present) {
            scores.column_mut(class).assign(&column);
        }
        scores
    }

    /// [`Classifier::scores`] of sparse rows.
    ///
    /// # Errors
    /// Rows of another d.
    pub fn scores_sparse(&self, x: &Sparse) -> Result<Array2<f64>> {
        let d = self.coefficients.ncols();
        if x.columns() != d {
            return Err(Error::shape("rows", format!("{d} columns"), x.columns()));
        }
        let slopes = self.coefficients.t();
        Ok(self.scores_of(x.dot(slopes.as_standard_layout().view()) + &self.intercepts))
    }
}

impl Classify for Logistic {
    fn learn(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[usize],
        classes: usize,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Classifier>> {
        Ok(Box::new(self.fit_model(x, y, classes, w)?))
    }
}

impl Classifier for LogisticModel {
    /// log p(class | x); [`f64::MIN`] for classes that do not occur.
    fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        Ok(self.scores_of(self.logits(x)?))
    }

    fn probabilities(&self, x: ArrayView2<'_, f64>) -> Result<Option<Array2<f64>>> {
        Ok(Some(self.scores(x)?.mapv(f64::exp)))
    }

    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

#[cfg(test)]
mod tests;
