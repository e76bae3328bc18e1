//! Two-stage TrAdaBoost.R2: regression that lets go of the source step by step, as far as the few
//! *labelled* target rows ask for.
//!
//! Pardoe & Stone, "Boosting for Regression Transfer", ICML 2010, Alg. 3. First stage, for
//! t = 1 … S, with h_t fitted with weights w^t and e_i = |y_i − h_t(x_i)| / max_j |y_j − h_t(x_j)|:
//! ```text
//! source: w_i^{t+1} ∝ w_i^t β_t^{e_i}        target: w_i^{t+1} ∝ w_i^t
//! β_t such that the target's share of the weight is m/(n + m) + t/(S − 1) · (1 − m/(n + m))
//! ```
//! Second stage: AdaBoost.R2 (Drucker, ICML 1997) from w^t, in which the source's weights stand
//! still; t is the one with the least squared error in F-fold cross-validation on the target rows.
//! Source `(n, d)`, target `(m, d)`.
//!
//! Differences from the paper:
//! 1. AdaBoost.R2 keeps the target's share of the weight, so that the source's weights stand still
//!    to the last bit and not up to the common normaliser.
//! 2. The largest error is that of the rows that have weight: what has none decides nothing.
//! 3. A first round of AdaBoost.R2 whose loss is ½ or more is kept, since no other is there.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{Labelled, check_length, check_values, stacked};
use crate::{
    certificate::{Certificate, Measure},
    check,
    error::{Error, Result},
    learn::{Regress, Regressor, folds},
    math::parallel,
};

const OWNER: &str = "two-stage-tradaboost-r2";

/// The options of two-stage TrAdaBoost.R2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwoStageTrAdaBoostR2 {
    /// S ≥ 2. 10 is ours.
    pub steps: usize,
    /// Rounds of AdaBoost.R2, ≥ 1. 10 is ours.
    pub rounds: usize,
    /// F ≥ 2. 5 is ours.
    pub folds: usize,
    /// Of the folds.
    pub seed: u64,
}

impl Default for TwoStageTrAdaBoostR2 {
    fn default() -> Self {
        Self { steps: 10, rounds: 10, folds: 5, seed: 0 }
    }
}

/// The weighted median of boosted regressors.
#[derive(Debug)]
pub struct BoostedRegressor {
    /// h_t with ln(1/β_t).
    rounds: Vec<(Box<dyn Regressor>, f64)>,
    /// Cross-validated mean squared error on the target rows of every first-stage step, `(S,)`.
    pub errors: Vec<f64>,
    /// The step that was chosen, counted from 0: 0 keeps all of the source's weight, S − 1 none.
    pub step: usize,
    certificate: Certificate,
}

/// Source over target rows.
struct Rows {
    x: Array2<f64>,
    y: Array1<f64>,
    /// Source rows.
    n: usize,
}

impl TwoStageTrAdaBoostR2 {
    /// Boosts `learner` on source and target rows.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Shape`], [`Error::NotFinite`]; [`Error::TooFewRows`] for fewer
    /// target rows than folds; those of the learner.
    pub fn fit(
        &self,
        learner: &dyn Regress,
        source: Labelled<'_, ArrayView1<'_, f64>>,
        target: Labelled<'_, ArrayView1<'_, f64>>,
    ) -> Result<BoostedRegressor> {
        for (field, value, least) in
            [("steps", self.steps, 2), ("rounds", self.rounds, 1), ("folds", self.folds, 2)]
        {
            check::at_least(OWNER, field, value, least)?;
        }
        let x = stacked(source.x, target.x)?;
        check_length("source values", source.x, source.y.len())?;
        check_length("target values", target.x, target.y.len())?;
        check_values("source values", source.y)?;
        check_values("target values", target.y)?;
        let (need, got) = (self.folds, target.y.len());
        if got < need {
            return Err(Error::TooFewRows { method: OWNER, what: "labelled target", need, got });
        }
        let y = source.y.iter().chain(&target.y).copied().collect();
        let rows = Rows { x, y, n: source.y.len() };

        let stages = self.first_stage(learner, &rows)?;
        let errors = self.cross_validate(learner, &rows, &stages)?;
        let step =
            (0..errors.len()).fold(0, |best, t| if errors[t] < errors[best] { t } else { best });
        let rounds = self.second_stage(learner, &rows, &stages[step])?;
        let certificate = Certificate::new("boosting", rounds.len(), Measure::Change, 0.0, 0.0);
        Ok(BoostedRegressor { rounds, errors, step, certificate })
    }

    /// w¹ … w^S, each of sum 1.
    fn first_stage(&self, learner: &dyn Regress, rows: &Rows) -> Result<Vec<Array1<f64>>> {
        let (n, all) = (rows.n, rows.y.len());
        let share = (all - n) as f64 / all as f64;
        let mut w = Array1::from_elem(all, 1.0 / all as f64);
        let mut stages = vec![w.clone()];
        for t in 1..self.steps {
            let model = learner.fit(rows.x.view(), rows.y.view(), Some(w.view()))?;
            let losses = adjusted_losses(model.as_ref(), rows, &w)?;
            let goal = share + t as f64 / (self.steps - 1) as f64 * (1.0 - share);
            shrink_source(&mut w, &losses, n, goal);
            stages.push(w.clone());
        }
        Ok(stages)
    }

    /// The squared errors on the target rows of every stage.
    fn cross_validate(
        &self,
        learner: &dyn Regress,
        rows: &Rows,
        stages: &[Array1<f64>],
    ) -> Result<Vec<f64>> {
        let (n, m) = (rows.n, rows.y.len() - rows.n);
        let of = folds::plain(m, self.folds, self.seed);
        let parts = parallel::map(stages.len() * self.folds, |part| -> Result<f64> {
            let (stage, fold) = (part / self.folds, part % self.folds);
            let (train, test) = folds::split(&of, fold);
            let kept: Vec<usize> = (0..n).chain(train.iter().map(|i| n + i)).collect();
            let part =
                Rows { x: rows.x.select(Axis(0), &kept), y: rows.y.select(Axis(0), &kept), n };
            let w = stages[stage].select(Axis(0), &kept);
            let rounds = self.second_stage(learner, &part, &w)?;
            let held_out: Vec<usize> = test.iter().map(|i| n + i).collect();
            let predicted = weighted_median(&rounds, rows.x.select(Axis(0), &held_out).view())?;
            Ok(held_out.iter().zip(predicted).map(|(&i, value)| (rows.y[i] - value).powi(2)).sum())
        });
        let parts = parts.into_iter().collect::<Result<Vec<f64>>>()?;
        Ok(parts.chunks(self.folds).map(|folds| folds.iter().sum::<f64>() / m as f64).collect())
    }

    /// AdaBoost.R2 with linear losses, the source's weights standing still.
    fn second_stage(
        &self,
        learner: &dyn Regress,
        rows: &Rows,
        w: &Array1<f64>,
    ) -> Result<Vec<(Box<dyn Regressor>, f64)>> {
        let mut w = w / w.sum();
        let share: f64 = w.iter().skip(rows.n).sum();
        let mut rounds: Vec<(Box<dyn Regressor>, f64)> = Vec::new();
        for _ in 0..self.rounds {
            let model = learner.fit(rows.x.view(), rows.y.view(), Some(w.view()))?;
            let losses = adjusted_losses(model.as_ref(), rows, &w)?;
            let loss = w.dot(&losses);
            if loss >= 0.5 {
                if rounds.is_empty() {
                    rounds.push((model, 1.0));
                }
                break;
            }
            // A perfect fit has the last word.
            let beta = (loss / (1.0 - loss)).max(1e-10);
            rounds.push((model, -beta.ln()));
            if loss <= 1e-10 {
                break;
            }
            let target = rows.n..w.len();
            target.clone().for_each(|i| w[i] *= beta.powf(1.0 - losses[i]));
            let sum: f64 = target.clone().map(|i| w[i]).sum();
            if sum > 0.0 {
                target.for_each(|i| w[i] *= share / sum);
            }
        }
        Ok(rounds)
    }
}

/// |y_i − h(x_i)| over the largest of a row with weight, between 0 and 1; 0 for a perfect fit.
fn adjusted_losses(model: &dyn Regressor, rows: &Rows, w: &Array1<f64>) -> Result<Array1<f64>> {
    let errors = (model.predict(rows.x.view())? - &rows.y).mapv(f64::abs);
    let weighted = errors.iter().zip(w).filter(|(_, w)| **w > 0.0);
    let largest = weighted.map(|(&error, _)| error).fold(0.0, f64::max);
    Ok(if largest > 0.0 { errors.mapv(|e| (e / largest).min(1.0)) } else { errors * 0.0 })
}

/// w_i ← w_i β^{e_i} for source rows, and scaled to sum 1, with β by bisection such that the target
/// has `goal` of the weight. β = 0 where rows without loss keep more than that.
fn shrink_source(w: &mut Array1<f64>, losses: &Array1<f64>, n: usize, goal: f64) {
    let target: f64 = w.iter().skip(n).sum();
    let source_at = |beta: f64| -> f64 { (0..n).map(|i| w[i] * beta.powf(losses[i])).sum() };
    // The target's weights stand still before scaling: the source is to keep so much.
    let keep = target * (1.0 - goal).max(0.0) / goal;
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if source_at(middle) > keep { high = middle } else { low = middle }
    }
    for i in 0..n {
        // The last step takes all, those without loss included.
        w[i] *= if keep > 0.0 { low.powf(losses[i]) } else { 0.0 };
    }
    *w /= w.sum();
}

/// For every row the least prediction at which half of the votes' weight is reached.
fn weighted_median(
    rounds: &[(Box<dyn Regressor>, f64)],
    x: ArrayView2<'_, f64>,
) -> Result<Array1<f64>> {
    let predictions =
        rounds.iter().map(|(model, _)| model.predict(x)).collect::<Result<Vec<_>>>()?;
    let half = rounds.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let median = |row: usize| {
        let mut order: Vec<usize> = (0..rounds.len()).collect();
        order.sort_by(|&a, &b| predictions[a][row].total_cmp(&predictions[b][row]));
        let mut reached = 0.0;
        let at = order.iter().find(|&&round| {
            reached += rounds[round].1;
            reached >= half
        });
        predictions[*at.unwrap_or(&order[order.len() - 1])][row]
    };
    Ok((0..x.nrows()).map(median).collect())
}

impl Regressor for BoostedRegressor {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        weighted_median(&self.rounds, x)
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
    use crate::learn::{LeastSquares, Ridge};

    #[test]
    fn the_source_shrinks_to_its_share() {
        let mut w = array![0.2, 0.2, 0.2, 0.2, 0.2];
        let losses = array![1.0, 0.5, 0.0, 0.3, 0.9];
        shrink_source(&mut w, &losses, 3, 0.5);
        assert_abs_diff_eq!(w[3] + w[4], 0.5, epsilon = 1e-12);
        // β + √β + 1 = 2.
        let root = (5f64.sqrt() - 1.0) / 2.0;
        assert_abs_diff_eq!(w[1] / w[2], root, epsilon = 1e-9);
        assert_abs_diff_eq!(w[0] / w[2], root * root, epsilon = 1e-9);
        shrink_source(&mut w, &losses, 3, 1.0);
        assert_abs_diff_eq!(w, array![0.0, 0.0, 0.0, 0.5, 0.5], epsilon = 1e-12);
    }

    #[test]
    fn the_median_is_weighted() {
        let constant = |value: f64| -> Box<dyn Regressor> {
            Regress::fit(&LeastSquares {}, array![[0.0]].view(), array![value].view(), None)
                .unwrap()
        };
        let rounds = vec![(constant(5.0), 1.0), (constant(1.0), 1.0), (constant(3.0), 2.5)];
        assert_eq!(weighted_median(&rounds, array![[7.0]].view()).unwrap(), array![3.0]);
    }

    /// The source's line is y = x, the target's y = 3 − x: only steps without the source fit.
    #[test]
    fn a_source_that_misleads_is_let_go() {
        let xs = Array1::linspace(-3.0, 3.0, 60).insert_axis(Axis(1));
        let xt = array![[-2.0], [-1.0], [0.0], [1.0], [2.0], [2.5]];
        let (ys, yt) = (xs.column(0).to_owned(), xt.column(0).mapv(|x| 3.0 - x));
        let fit = |ys: &Array1<f64>| {
            TwoStageTrAdaBoostR2::default()
                .fit(
                    &Ridge { penalty: 1e-6 },
                    Labelled { x: xs.view(), y: ys.view() },
                    Labelled { x: xt.view(), y: yt.view() },
                )
                .unwrap()
        };
        let misled = fit(&ys);
        assert_eq!(misled.step, 9);
        assert_abs_diff_eq!(
            misled.predict(array![[1.5]].view()).unwrap(),
            array![1.5],
            epsilon = 1e-3
        );
        let helped = fit(&xs.column(0).mapv(|x| 3.0 - x));
        assert_eq!(helped.errors.len(), 10);
        assert_abs_diff_eq!(
            helped.predict(array![[-3.0]].view()).unwrap(),
            array![6.0],
            epsilon = 1e-3
        );
    }

    #[test]
    fn bad_input_is_an_error() {
        let x = array![[0.0], [1.0]];
        let fit = |folds, yt: Array1<f64>| {
            let options = TwoStageTrAdaBoostR2 { folds, ..TwoStageTrAdaBoostR2::default() };
            let source = Labelled { x: x.view(), y: x.column(0) };
            let target = Labelled { x: x.view(), y: yt.view() };
            options.fit(&LeastSquares {}, source, target).map(|_| ())
        };
        assert!(matches!(fit(1, array![0.0, 1.0]), Err(Error::Config { .. })));
        assert!(matches!(fit(5, array![0.0, 1.0]), Err(Error::TooFewRows { need: 5, .. })));
        assert!(matches!(fit(2, array![0.0]), Err(Error::Shape { .. })));
        assert!(matches!(fit(2, array![0.0, f64::INFINITY]), Err(Error::NotFinite { .. })));
    }
}
