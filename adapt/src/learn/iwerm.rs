//! Importance-weighted empirical risk minimisation with flattened weights.
//!
//! Shimodaira, "Improving Predictive Inference under Covariate Shift by Weighting the
//! Log-likelihood Function", JSPI 2000: train on w^τ, where τ = 1 is unbiased under covariate shift
//! and τ = 0, equal weights, varies least. τ is chosen by importance-weighted cross-validation:
//! Sugiyama, Krauledat & Müller, "Covariate Shift Adaptation by Importance Weighted Cross
//! Validation", JMLR 2007, Eq. 8:
//! ```text
//! R(τ) = 1/n Σ_f Σ_{i ∈ fold f} w_i ℓ(y_i, ŷ^(−f, τ)(x_i))
//! ```
//! ℓ: 0 or 1 for classes, (y − ŷ)² for values. X `(n, d)`, w `(n,)`, scaled to mean 1. The held-out
//! rows keep their whole weights. Of equal risks the first τ of the list wins.
//!
//! Differences from the paper:
//! 1. Folds are dealt class by class, so that no class is missing from a training part that has two
//!    rows of it.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{Classifier, Classify, Regress, Regressor, folds};
use crate::{
    check,
    domains::{check_rows, check_weights},
    error::{Error, Result},
    math::parallel,
};

/// How the flattening is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Iwerm {
    /// The τ to choose from, each between 0 and 1.
    pub taus: Vec<f64>,
    /// Folds, ≥ 2.
    pub folds: usize,
    /// Of the folds.
    pub seed: u64,
}

impl Default for Iwerm {
    /// τ = 0, 0.1, …, 1 and ten folds: the paper's.
    fn default() -> Self {
        Self { taus: (0..=10).map(|i| f64::from(i) / 10.0).collect(), folds: 10, seed: 0 }
    }
}

/// A model with its flattening.
#[derive(Debug)]
pub struct Flattened<M> {
    /// Fitted on all rows with w^τ.
    pub model: M,
    /// The τ of the least risk.
    pub tau: f64,
    /// R(τ) of every τ, in the order of the list.
    pub risks: Vec<f64>,
}

impl Iwerm {
    /// The classifier of x `(n, d)`, y `(n,)`, each below `classes`, and w ≥ 0 `(n,)`.
    ///
    /// # Errors
    /// Options out of range; arrays that do not fit; [`Error::TooFewRows`] for fewer rows than
    /// folds; those of the learner, for instance when a training part has one class.
    pub fn classifier(
        &self,
        learner: &dyn Classify,
        x: ArrayView2<'_, f64>,
        y: &[usize],
        classes: usize,
        w: ArrayView1<'_, f64>,
    ) -> Result<Flattened<Box<dyn Classifier>>> {
        check_labels(y.len(), x)?;
        let fit = |rows: &[usize], w: ArrayView1<'_, f64>| {
            let labels: Vec<usize> = rows.iter().map(|&i| y[i]).collect();
            learner.fit(x.select(Axis(0), rows).view(), &labels, classes, Some(w))
        };
        let losses = |model: Box<dyn Classifier>, rows: &[usize]| -> Result<Vec<f64>> {
            let predicted = model.predict(x.select(Axis(0), rows).view())?;
            let wrong = |(&i, c): (&usize, usize)| f64::from(u8::from(y[i] != c));
            Ok(rows.iter().zip(predicted).map(wrong).collect())
        };
        self.choose(x, y, w, fit, losses)
    }

    /// The regressor of x `(n, d)`, y `(n,)` and w ≥ 0 `(n,)`.
    ///
    /// # Errors
    /// As [`Self::classifier`].
    pub fn regressor(
        &self,
        learner: &dyn Regress,
        x: ArrayView2<'_, f64>,
        y: ArrayView1<'_, f64>,
        w: ArrayView1<'_, f64>,
    ) -> Result<Flattened<Box<dyn Regressor>>> {
        check_labels(y.len(), x)?;
        let fit = |rows: &[usize], w: ArrayView1<'_, f64>| {
            let values = y.select(Axis(0), rows);
            learner.fit(x.select(Axis(0), rows).view(), values.view(), Some(w))
        };
        let losses = |model: Box<dyn Regressor>, rows: &[usize]| -> Result<Vec<f64>> {
            let predicted = model.predict(x.select(Axis(0), rows).view())?;
            Ok(rows.iter().zip(predicted).map(|(&i, value)| (y[i] - value).powi(2)).collect())
        };
        self.choose(x, &vec![0; x.nrows()], w, fit, losses)
    }

    fn choose<M: Send>(
        &self,
        x: ArrayView2<'_, f64>,
        groups: &[usize],
        w: ArrayView1<'_, f64>,
        fit: impl Fn(&[usize], ArrayView1<'_, f64>) -> Result<M> + Sync,
        losses: impl Fn(M, &[usize]) -> Result<Vec<f64>> + Sync,
    ) -> Result<Flattened<M>> {
        let n = x.nrows();
        self.check(n)?;
        check_rows("rows", x)?;
        check_weights(w, n)?;
        let largest = w.iter().copied().fold(0.0, f64::max);
        let w = w.mapv(|w| w / largest);
        let w = &w * (n as f64 / w.sum());
        let of = folds::stratified(groups, self.folds, self.seed);
        let flattened: Vec<Array1<f64>> =
            self.taus.iter().map(|&tau| w.mapv(|w| w.powf(tau))).collect();

        let parts = parallel::map(self.taus.len() * self.folds, |part| -> Result<f64> {
            let (tau, fold) = (part / self.folds, part % self.folds);
            let (train, test) = folds::split(&of, fold);
            let model = fit(&train, flattened[tau].select(Axis(0), &train).view())?;
            let losses = losses(model, &test)?;
            Ok(test.iter().zip(losses).map(|(&i, loss)| w[i] * loss).sum())
        });
        let parts = parts.into_iter().collect::<Result<Vec<f64>>>()?;
        let risks: Vec<f64> =
            parts.chunks(self.folds).map(|folds| folds.iter().sum::<f64>() / n as f64).collect();
        let best =
            (0..risks.len()).fold(0, |best, i| if risks[i] < risks[best] { i } else { best });
        let all: Vec<usize> = (0..n).collect();
        let model = fit(&all, flattened[best].view())?;
        Ok(Flattened { model, tau: self.taus[best], risks })
    }

    fn check(&self, n: usize) -> Result<()> {
        const OWNER: &str = "iwerm";
        if self.taus.is_empty() {
            return Err(Error::config(OWNER, "taus", "[]", "at least one"));
        }
        if let Some(tau) = self.taus.iter().find(|tau| !(0.0..=1.0).contains(*tau)) {
            return Err(Error::config(OWNER, "taus", tau, "numbers between 0 and 1"));
        }
        check::at_least(OWNER, "folds", self.folds, 2)?;
        match n < self.folds {
            false => Ok(()),
            true => {
                let need = self.folds;
                Err(Error::TooFewRows { method: OWNER, what: "training", need, got: n })
            }
        }
    }
}

fn check_labels(got: usize, x: ArrayView2<'_, f64>) -> Result<()> {
    match got == x.nrows() {
        true => Ok(()),
        false => Err(Error::shape("labels", format!("{}, one a row", x.nrows()), got)),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::learn::{LeastSquares, Logistic};

    /// A line is fitted to a parabola. The target lies right, where only whole weights give its
    /// slope.
    #[test]
    fn a_wrong_model_wants_whole_weights_and_a_right_one_does_not_care() {
        let x = Array1::<f64>::linspace(-1.0, 1.0, 60).insert_axis(Axis(1));
        let parabola = x.column(0).mapv(|x| x * x);
        let w = x.column(0).mapv(|x: f64| (4.0 * x).exp());
        let fit = |y: Array1<f64>| {
            Iwerm::default().regressor(&LeastSquares {}, x.view(), y.view(), w.view()).unwrap()
        };
        let wrong = fit(parabola);
        assert_eq!(wrong.tau, 1.0);
        let at = |x: f64| wrong.model.predict(array![[x]].view()).unwrap()[0];
        // Of the density e^{4x} the slope is about 1; of equal weights it is 0.
        assert!(at(1.0) - at(0.9) > 0.08);
        assert!(wrong.risks.windows(2).all(|pair| pair[1] < pair[0]));
        let right = fit(x.column(0).mapv(|x| 3.0 * x + 1.0));
        assert!(right.risks.iter().all(|&risk| risk < 1e-20));
    }

    /// R by hand: two folds of two rows each, so that each model is the mean of the other fold.
    #[test]
    fn the_risk_by_hand() {
        let x = array![[0.0], [0.0], [0.0], [0.0]];
        let (y, w) = (array![1.0, 3.0, 5.0, 11.0], array![1.0, 2.0, 4.0, 1.0]);
        let iwerm = Iwerm { taus: vec![1.0], folds: 2, seed: 5 };
        let fitted = iwerm.regressor(&LeastSquares {}, x.view(), y.view(), w.view()).unwrap();
        let of = folds::plain(4, 2, 5);
        let mean = |fold: usize| {
            let rows: Vec<usize> = (0..4).filter(|&i| of[i] != fold).collect();
            rows.iter().map(|&i| w[i] * y[i]).sum::<f64>() / rows.iter().map(|&i| w[i]).sum::<f64>()
        };
        let risk: f64 =
            (0..4).map(|i| w[i] / 2.0 * (y[i] - mean(of[i])).powi(2)).sum::<f64>() / 4.0;
        assert!((fitted.risks[0] - risk).abs() < 1e-12);
    }

    #[test]
    fn classes_and_bad_input() {
        let x = Array1::linspace(0.0, 1.0, 20).insert_axis(Axis(1));
        let y: Vec<usize> = (0..20).map(|i| usize::from(i > 9)).collect();
        let w = Array1::ones(20);
        let fit = |iwerm: Iwerm, y: &[usize]| {
            iwerm.classifier(&Logistic::default(), x.view(), y, 2, w.view()).map(|f| f.tau)
        };
        assert_eq!(fit(Iwerm { folds: 5, ..Iwerm::default() }, &y).unwrap(), 0.0);
        let bad = [
            Iwerm { taus: vec![], ..Iwerm::default() },
            Iwerm { taus: vec![1.5], ..Iwerm::default() },
            Iwerm { folds: 1, ..Iwerm::default() },
        ];
        for iwerm in bad {
            assert!(matches!(fit(iwerm, &y), Err(Error::Config { .. })));
        }
        let many = Iwerm { folds: 21, ..Iwerm::default() };
        assert!(matches!(fit(many, &y), Err(Error::TooFewRows { need: 21, .. })));
        assert!(matches!(fit(Iwerm::default(), &[0; 20]), Err(Error::OneClass { .. })));
        assert!(matches!(fit(Iwerm::default(), &y[1..]), Err(Error::Shape { .. })));
    }
}
