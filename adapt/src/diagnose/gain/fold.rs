//! What each method does in one fold: models that are trained on the other source rows and the target,
//! and their losses on the rows that were held out.

use ndarray::{Array1, ArrayView2, Axis};
use serde_json::Value;

use super::{
    super::{Family, Joint, NAME},
    learner::{Learner, Outcome, Predict, as_classes},
};
use crate::{
    domains::Domains,
    error::{Error, Result},
    learn::folds,
    math::parallel,
    reweight::{LogisticRatio, Reweight, reweighter},
    shallow::aligner,
};

/// A method that is tried.
pub(super) struct Candidate {
    pub(super) family: Family,
    pub(super) method: &'static str,
}

/// What one fold says of one candidate, of its held-out rows.
pub(super) struct Tried {
    /// Losses of the model for the target.
    pub(super) losses: Array1<f64>,
    /// Those of the model that was learned on the target, of alignments.
    pub(super) reverse: Option<Array1<f64>>,
    /// Weights of the classes, of methods that give them.
    pub(super) class_weights: Option<Array1<f64>>,
}

/// What one fold says, of its held-out rows.
pub(super) struct Fold {
    /// The rows, among the source rows that were drawn.
    rows: Vec<usize>,
    /// p_t(x) / p_s(x), by a model that has not seen them.
    pub(super) odds: Array1<f64>,
    /// Losses without adaptation.
    pub(super) plain: Array1<f64>,
    /// Losses of the model that was learned on the target without adaptation.
    pub(super) plain_reverse: Array1<f64>,
    /// One a candidate, or why there is none.
    pub(super) tried: Vec<Result<Tried, String>>,
}

/// Values of the held-out rows of each fold, one a row.
pub(super) fn gather<'a>(
    folds: &[Fold],
    values: impl Iterator<Item = &'a Array1<f64>>,
) -> Array1<f64> {
    let mut all = Array1::zeros(folds.iter().map(|fold| fold.rows.len()).sum::<usize>());
    for (fold, values) in folds.iter().zip(values) {
        fold.rows.iter().zip(values).for_each(|(&row, &value)| all[row] = value);
    }
    all
}

/// What candidates are tried on.
pub(super) struct Problem<'a> {
    pub(super) joint: &'a Joint,
    pub(super) learner: Learner,
    /// The outcomes of the source rows that were drawn, as numbers.
    pub(super) y: Array1<f64>,
    pub(super) outcome: Outcome<'a>,
}

impl Problem<'_> {
    /// All folds, classes spread evenly.
    pub(super) fn folds(
        &self,
        candidates: &[Candidate],
        folds: usize,
        seed: u64,
    ) -> Result<Vec<Fold>> {
        let of = match self.outcome {
            Outcome::Classes(..) => folds::stratified(&as_classes(&self.y), folds, seed),
            Outcome::Measured(_) => folds::plain(self.y.len(), folds, seed),
        };
        let found = parallel::map(folds, |fold| self.fold(candidates, folds::split(&of, fold)));
        found.into_iter().collect()
    }

    fn fold(
        &self,
        candidates: &[Candidate],
        (train, held): (Vec<usize>, Vec<usize>),
    ) -> Result<Fold> {
        let Self { joint, learner, .. } = self;
        let (source, target) = (joint.source(), joint.target());
        let (x, x_held) = (source.select(Axis(0), &train), source.select(Axis(0), &held));
        let (y, y_held) = (self.y.select(Axis(0), &train), self.y.select(Axis(0), &held));
        let labels = as_classes(&y);
        let domains = Domains::new(x.view(), target)?;
        let labelled = match self.outcome {
            Outcome::Classes(_, k) => domains.with_classes(&labels, k)?,
            Outcome::Measured(_) => domains,
        };
        let losses = |predict: &Predict, rows: ArrayView2<'_, f64>| {
            Ok::<_, Error>(learner.losses(&predict(rows)?, &y_held))
        };
        let weighted = |method: &str| {
            let fitted = (reweighter(method)?.build)(&Value::Null)?.fit(&labelled)?;
            let predict = learner.fit(x.view(), &y, Some(fitted.weights.view()))?;
            Ok::<_, Error>((losses(&predict, x_held.view())?, fitted.weights))
        };
        let tried = |&Candidate { family, method }: &Candidate| match family {
            Family::LabelShift => {
                let (losses, weights) = weighted(method)?;
                let of_class = |class: &f64| {
                    let row = y.iter().position(|label| label == class);
                    row.map_or(0.0, |row| weights[row])
                };
                let class_weights = Some(y_held.iter().map(of_class).collect());
                Ok(Tried { losses, reverse: None, class_weights })
            }
            Family::Weighting => {
                let (losses, _) = weighted(method)?;
                Ok(Tried { losses, reverse: None, class_weights: None })
            }
            _ => {
                let method = (aligner(method)?.build)(&Value::Null)?;
                let there = method.fit(&domains)?;
                let predict = learner.fit(there.source.apply(x.view())?.view(), &y, None)?;
                let y_target = predict(there.target.apply(target)?.view())?;
                // All source rows tell where back is; the labels of those that judge are not looked at.
                let back = method.fit(&Domains::new(target, source)?)?;
                let reverse = learner.fit(back.source.apply(target)?.view(), &y_target, None)?;
                Ok(Tried {
                    losses: losses(&predict, there.target.apply(x_held.view())?.view())?,
                    reverse: Some(losses(&reverse, back.target.apply(x_held.view())?.view())?),
                    class_weights: None,
                })
            }
        };
        let odds = LogisticRatio::default().fit(&domains)?.ratio;
        let odds =
            odds.ok_or_else(|| Error::degenerate(NAME, "no ratio of densities", "give more rows"))?;
        let forward = learner.fit(x.view(), &y, None)?;
        let back = learner.fit(target, &forward(target)?, None)?;
        let tried = candidates.iter().map(|c| tried(c).map_err(|e: Error| e.to_string())).collect();
        Ok(Fold {
            odds: odds.ratio(x_held.view())?,
            plain: losses(&forward, x_held.view())?,
            plain_reverse: losses(&back, x_held.view())?,
            tried,
            rows: held,
        })
    }
}
