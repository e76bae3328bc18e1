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

use self::objective::{Objective, log_probabilities};
use super::{
    Classifier, Classify,
    rows::{ABSENT, Rows, present_classes},
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
            x: concatenate![Axis(1), standard, ones],
            y,
            w: rows.w,
            penalty: concatenate![Axis(0), scale.mapv(|s| self.penalty / (s * s)), [0.0]],
            outputs: if present.len() == 2 { 1 } else { present.len() },
        };
        let (theta, certificate) = solve::minimise(&objective, self.tolerance, self.iterations)?;
        if self.penalty == 0.0 && objective.separates(&theta) {
            let reason = "a hyperplane separates the classes, so that no finite coefficients fit \
                          best";
            return Err(Error::degenerate(Self::NAME, reason, "set `penalty` above 0"));
        }

        // θᵀ(x − x̄)/s + b = βᵀx + (b − βᵀx̄).
        let coefficients = &theta.slice(s![.., ..-1]) / &scale;
        let intercepts = &theta.slice(s![.., -1]) - &coefficients.dot(&mean);
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
    let scale = variance.mapv(|v| match v + 4.0 * penalty / n {
        v if v > 0.0 => v.sqrt(),
        _ => 1.0,
    });
    (mean, scale)
}

impl LogisticModel {
    /// βᵀx + b: the log-odds of the second class `(n, 1)`, or one column a class that occurs.
    fn logits(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_query(x, self.coefficients.ncols())?;
        Ok(linalg::dot(&x, &self.coefficients.t()) + &self.intercepts)
    }
}

impl Classify for Logistic {
    fn fit(
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
        let log_p = log_probabilities(self.logits(x)?);
        let mut scores = Array2::from_elem((x.nrows(), self.classes), ABSENT);
        for (column, &class) in log_p.columns().into_iter().zip(&self.present) {
            scores.column_mut(class).assign(&column);
        }
        Ok(scores)
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
