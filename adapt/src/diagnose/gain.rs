//! What a method would gain on the target, predicted without its labels.
//!
//! For every source row that was held out in one of K folds, the loss of a learner without adaptation
//! less that of the same learner with the method, δ_i; the gain is a weighted mean of these:
//! ```text
//! g = Σ_i w_i δ_i / Σ_i w_i        se² = (1 + Σ_i (w_i / w̄)² (δ_i − g)²) / n²        g ± z se
//! ```
//! Which w, and which loss, is the assumption under which a family of methods is right:
//!
//! | family | assumption | w_i | δ_i |
//! |---|---|---|---|
//! | weighting of rows | p(y \| x) is the same | p_t(x) / p_s(x), cross-fitted | losses of the models for the target on the held-out rows |
//! | weighting of classes | p(x \| y) is the same | p_t(y) / p_s(y) | the same |
//! | alignment | what was learned on the target leads back | 1 | losses of the reverse models |
//!
//! The first is importance-weighted cross-validation (Sugiyama, Krauledat & Müller, JMLR 2007) in its
//! self-normalised form, the third reverse validation ([`crate::validate::ReverseValidation`]). Losses are
//! 0 or 1 for classes, and squared errors in units of the source's variance for measurements. z is the
//! normal quantile of the level, shared among the candidates by Bonferroni. The 1 in se² stands for two
//! half rows of which the method gains and loses one: an interval of differences that are all 0 has a
//! width, too (Agresti & Min, "Simple Improved Confidence Intervals for Comparing Matched Proportions",
//! Statistics in Medicine 2005). That folds share training rows is not in it.
//!
//! Reverse validation does not see a method that is wrong in the same way in both directions, and takes
//! the source's proportions of the classes for a gain. An alignment is therefore *contradicted* where the
//! first rule, from enough overlapping rows, has it lose, and its gain is *unknown* where the domains overlap
//! and these rows are too few to judge by; it is believed alone where the domains lie apart, so that a
//! model of the source says little of the target.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde::Serialize;
use serde_json::Value;
use statrs::distribution::{ContinuousCDF, Normal};

use super::{APART, Family, Joint, NAME};
use crate::{
    domains::Domains,
    error::{Error, Result},
    learn::{Classify, Regress, classifier, folds, regressor},
    math::parallel,
    reweight::{LogisticRatio, Reweight, effective_sample_size, reweighter},
    shallow::{Map, aligner},
};

/// The least effective number of rows that an importance-weighted mean is taken of.
const LEAST_ROWS: f64 = 30.0;

/// What is predicted for one method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PredictedGain {
    /// Its family.
    pub family: Family,
    /// Its name.
    pub method: &'static str,
    /// The gain, or why none can be predicted.
    #[serde(flatten)]
    pub gain: Gain,
    /// For weightings of rows: n_eff / n_s of the weights that the method gives the source rows.
    pub effective_share: Option<f64>,
}

/// The gain of a method.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Gain {
    /// In accuracy, or in shares of the variance.
    Predicted {
        /// g.
        gain: f64,
        /// The interval, at a level that all candidates share.
        interval: [f64; 2],
        /// For alignments: the interval by importance weights, which lies below 0.
        contradicted: Option<[f64; 2]>,
    },
    /// None.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl PredictedGain {
    /// Whether the method is predicted to help.
    pub fn helps(&self) -> bool {
        self.least() > 0.0
    }

    /// The lower end of the interval; −∞ where nothing is predicted or what is predicted is contradicted.
    pub(super) fn least(&self) -> f64 {
        match self.gain {
            Gain::Predicted { interval, contradicted: None, .. } => interval[0],
            _ => f64::NEG_INFINITY,
        }
    }
}

/// What the source rows are labelled with.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// A class below k for every row, `(n_s,)`.
    Classes(&'a [usize], usize),
    /// A measurement for every row, `(n_s,)`, finite.
    Measured(&'a [f64]),
}

/// A learner of one kind of outcome, which are numbers here.
enum Learner {
    Classes(Box<dyn Classify>, usize),
    Measured(Box<dyn Regress>, f64),
}

/// A fitted learner.
type Predict = Box<dyn Fn(ArrayView2<'_, f64>) -> Result<Array1<f64>>>;

impl Learner {
    fn new(name: Option<&str>, outcome: Outcome<'_>) -> Result<Self> {
        Ok(match outcome {
            Outcome::Classes(_, k) => {
                Self::Classes((classifier(name.unwrap_or("logistic"))?.build)(&Value::Null)?, k)
            }
            Outcome::Measured(y) => {
                let y = ArrayView1::from(y);
                let learner = (regressor(name.unwrap_or("ridge"))?.build)(&Value::Null)?;
                Self::Measured(learner, y.var(0.0))
            }
        })
    }

    fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: &Array1<f64>,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Predict> {
        // One value teaches nothing else, and learners refuse it.
        if y.iter().all(|&value| value == y[0]) {
            let value = y[0];
            return Ok(Box::new(move |x| Ok(Array1::from_elem(x.nrows(), value))));
        }
        match self {
            Self::Classes(learner, k) => {
                let y: Vec<usize> = y.iter().map(|&class| class as usize).collect();
                let fitted = learner.fit(x, &y, *k, w)?;
                Ok(Box::new(move |x| {
                    Ok(fitted.predict(x)?.into_iter().map(|c| c as f64).collect())
                }))
            }
            Self::Measured(learner, _) => {
                let fitted = learner.fit(x, y.view(), w)?;
                Ok(Box::new(move |x| fitted.predict(x)))
            }
        }
    }

    fn losses(&self, predicted: &Array1<f64>, y: &Array1<f64>) -> Array1<f64> {
        let pairs = predicted.iter().zip(y);
        match self {
            Self::Classes(..) => pairs.map(|(p, y)| f64::from(u8::from(p != y))).collect(),
            Self::Measured(_, variance) => {
                pairs.map(|(p, y)| (p - y).powi(2) / variance.max(f64::MIN_POSITIVE)).collect()
            }
        }
    }
}

/// A method that is tried.
struct Candidate {
    family: Family,
    method: &'static str,
}

/// What one fold says of one candidate, of its held-out rows.
struct Tried {
    /// Losses on the held-out rows of the model for the target.
    losses: Array1<f64>,
    /// Those of the model that was learned on the target, of alignments.
    reverse: Option<Array1<f64>>,
    /// Weights of the classes, of methods that give them.
    class_weights: Option<Array1<f64>>,
}

/// What one fold says.
struct Fold {
    rows: Vec<usize>,
    odds: Array1<f64>,
    plain: Tried,
    tried: Vec<Result<Tried, String>>,
}

/// The predicted gains of the methods that one begins with; `auc` is the classifier test's, and
/// `label_shift` says why classes may not be weighted.
pub(super) fn predict(
    joint: &Joint,
    domains: &Domains<'_>,
    outcome: Outcome<'_>,
    auc: f64,
    label_shift: Result<(), &str>,
    options: &super::Diagnose,
) -> Result<Vec<PredictedGain>> {
    let learner = Learner::new(options.learner.as_deref(), outcome)?;
    let y: Array1<f64> = joint.rows[0]
        .iter()
        .map(|&row| match outcome {
            Outcome::Classes(of, _) => of[row] as f64,
            Outcome::Measured(y) => y[row],
        })
        .collect();
    let classes = matches!(outcome, Outcome::Classes(..));
    let families = [Family::LabelShift, Family::Weighting, Family::Alignment];
    let candidates: Vec<Candidate> = families
        .into_iter()
        .filter(|&family| classes || family != Family::LabelShift)
        .flat_map(|family| family.tried().iter().map(move |method| Candidate { family, method }))
        .collect();

    let groups: Vec<usize> =
        if classes { y.iter().map(|&c| c as usize).collect() } else { vec![0; y.len()] };
    let of = folds::stratified(&groups, options.folds, options.seed);
    let folds = parallel::map(options.folds, |fold| {
        let (train, held) = folds::split(&of, fold);
        Split { joint, learner: &learner, y: &y, outcome, train, held }.run(&candidates)
    });
    let folds: Vec<Fold> = folds.into_iter().collect::<Result<_>>()?;

    let share = options.level / candidates.len() as f64;
    let z = Normal::standard().inverse_cdf(1.0 - share / 2.0);
    let n = y.len();
    let gathered = |of: &dyn Fn(&Fold) -> Array1<f64>| {
        let mut all = Array1::zeros(n);
        for fold in &folds {
            fold.rows.iter().zip(of(fold)).for_each(|(&row, value)| all[row] = value);
        }
        all
    };
    let odds = gathered(&|fold| fold.odds.clone());
    let left = effective_sample_size(odds.view());
    let overlap = match auc >= APART || left < LEAST_ROWS {
        false => Ok(()),
        true => Err(format!(
            "the domains overlap too little: a classifier tells them apart with AUC {auc:.3}, and \
             importance weights leave {left:.0} rows to judge by"
        )),
    };
    let plain = gathered(&|fold| fold.plain.losses.clone());
    let plain_reverse =
        gathered(&|fold| fold.plain.reverse.clone().unwrap_or_else(|| fold.plain.losses.clone()));
    let even = Array1::ones(n);

    let of = |(place, candidate): (usize, &Candidate)| {
        let Candidate { family, method } = *candidate;
        let effective_share = (family == Family::Weighting)
            .then(|| (reweighter(method)?.build)(&Value::Null)?.fit(domains))
            .and_then(Result::ok)
            .map(|w| w.effective_sample_size / w.weights.len() as f64);
        let unknown = |reason: String| Gain::Unknown { reason };
        let failed = folds.iter().find_map(|fold| fold.tried[place].as_ref().err());
        let tried = |fold: &Fold, of: fn(&Tried) -> Option<&Array1<f64>>| {
            fold.tried[place]
                .as_ref()
                .ok()
                .and_then(of)
                .cloned()
                .unwrap_or_else(|| Array1::zeros(fold.rows.len()))
        };
        let losses = || gathered(&|fold| tried(fold, |t| Some(&t.losses)));
        let gain = match (family, failed) {
            (Family::LabelShift, _) if label_shift.is_err() => {
                unknown(label_shift.err().unwrap_or_default().to_owned())
            }
            (_, Some(reason)) => unknown(reason.clone()),
            (Family::LabelShift, _) => {
                let w = gathered(&|fold| tried(fold, |t| t.class_weights.as_ref()));
                interval(&w, &(&plain - &losses()), z)
            }
            (Family::Weighting, _) => match &overlap {
                Err(reason) => unknown(reason.clone()),
                Ok(()) => interval(&odds, &(&plain - &losses()), z),
            },
            _ => {
                let reverse = gathered(&|fold| tried(fold, |t| t.reverse.as_ref()));
                let found = interval(&even, &(&plain_reverse - &reverse), z);
                let weighted = overlap.as_ref().map(|()| interval(&odds, &(&plain - &losses()), z));
                supported(found, weighted, auc)
            }
        };
        PredictedGain { family, method, gain, effective_share }
    };
    Ok(candidates.iter().enumerate().map(of).collect())
}

/// What reverse validation found of an alignment, beside what importance weights say of it, if they can.
fn supported(found: Gain, weighted: Result<Gain, &String>, auc: f64) -> Gain {
    let Gain::Predicted { gain, interval, .. } = found else { return found };
    let [low, high] = interval;
    match weighted {
        Ok(Gain::Predicted { interval: weighted, .. }) => {
            let contradicted = (weighted[1] < 0.0).then_some(weighted);
            Gain::Predicted { gain, interval, contradicted }
        }
        _ if low > 0.0 && auc < APART => Gain::Unknown {
            reason: format!(
                "reverse validation says {:+.1} [{:+.1}, {:+.1}], and nothing supports it: the domains \
                 overlap (AUC {auc:.3}), and importance weights leave too few rows to judge by",
                100.0 * gain,
                100.0 * low,
                100.0 * high
            ),
        },
        _ => found,
    }
}

/// g and its interval.
fn interval(w: &Array1<f64>, delta: &Array1<f64>, z: f64) -> Gain {
    let n = w.len() as f64;
    let w = w / (w.sum() / n);
    let gain = w.dot(delta) / n;
    let squares: f64 = w.iter().zip(delta).map(|(w, d)| (w * (d - gain)).powi(2)).sum();
    let half = z * (1.0 + squares).sqrt() / n;
    match (gain - half).is_finite() && (gain + half).is_finite() {
        true => Gain::Predicted { gain, interval: [gain - half, gain + half], contradicted: None },
        false => Gain::Unknown { reason: "the weights are no finite numbers".to_owned() },
    }
}

/// Rows to train on, and rows that are held out.
struct Split<'a> {
    joint: &'a Joint,
    learner: &'a Learner,
    y: &'a Array1<f64>,
    outcome: Outcome<'a>,
    train: Vec<usize>,
    held: Vec<usize>,
}

impl Split<'_> {
    fn run(self, candidates: &[Candidate]) -> Result<Fold> {
        let (source, target) = (self.joint.source(), self.joint.target());
        let (x, held) = (source.select(Axis(0), &self.train), source.select(Axis(0), &self.held));
        let (y, y_held) = (self.y.select(Axis(0), &self.train), self.y.select(Axis(0), &self.held));
        let domains = Domains::new(x.view(), target)?;
        let odds = LogisticRatio::default().fit(&domains)?;
        let odds = odds.ratio.as_ref().map(|ratio| ratio.ratio(held.view())).transpose()?;

        let forward = self.learner.fit(x.view(), &y, None)?;
        let losses = |predict: &Predict, rows: ArrayView2<'_, f64>| {
            Ok::<_, Error>(self.learner.losses(&predict(rows)?, &y_held))
        };
        let back = self.learner.fit(target, &forward(target)?, None)?;
        let plain = Tried {
            losses: losses(&forward, held.view())?,
            reverse: Some(losses(&back, held.view())?),
            class_weights: None,
        };
        let labels: Vec<usize> = match self.outcome {
            Outcome::Classes(..) => y.iter().map(|&class| class as usize).collect(),
            Outcome::Measured(_) => vec![0; y.len()],
        };
        let labelled = match self.outcome {
            Outcome::Classes(_, k) => domains.with_classes(&labels, k)?,
            Outcome::Measured(_) => domains,
        };
        let try_one = |candidate: &Candidate| -> Result<Tried> {
            if candidate.family != Family::Alignment {
                let fitted = (reweighter(candidate.method)?.build)(&Value::Null)?.fit(&labelled)?;
                let predict = self.learner.fit(x.view(), &y, Some(fitted.weights.view()))?;
                let of_class = |class: usize| {
                    let row = labels.iter().position(|&label| label == class);
                    row.map_or(0.0, |row| fitted.weights[row])
                };
                let class_weights = (candidate.family == Family::LabelShift)
                    .then(|| y_held.iter().map(|&class| of_class(class as usize)).collect());
                return Ok(Tried {
                    losses: losses(&predict, held.view())?,
                    reverse: None,
                    class_weights,
                });
            }
            let method = (aligner(candidate.method)?.build)(&Value::Null)?;
            let there = method.fit(&domains)?;
            let predict = self.learner.fit(there.source.apply(x.view())?.view(), &y, None)?;
            let onto = |map: &Map, x: ArrayView2<'_, f64>| map.apply(x);
            let y_target = predict(onto(&there.target, target)?.view())?;
            // All source rows tell where back is; the labels of those that judge are not looked at.
            let back = method.fit(&Domains::new(target, source)?)?;
            let reverse = self.learner.fit(onto(&back.source, target)?.view(), &y_target, None)?;
            Ok(Tried {
                losses: losses(&predict, onto(&there.target, held.view())?.view())?,
                reverse: Some(losses(&reverse, onto(&back.target, held.view())?.view())?),
                class_weights: None,
            })
        };
        let tried = candidates.iter().map(|c| try_one(c).map_err(|e| e.to_string())).collect();
        let odds =
            odds.ok_or_else(|| Error::degenerate(NAME, "no ratio of densities", "give more rows"))?;
        Ok(Fold { rows: self.held, odds, plain, tried })
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn an_interval_by_hand() {
        let (w, delta) = (array![1.0, 1.0, 2.0, 0.0], array![1.0, 0.0, 0.5, -9.0]);
        // g = (1 + 0 + 1) / 4; squares ½², ½², 0, 0.
        let Gain::Predicted { gain, interval, .. } = interval(&w, &delta, 2.0) else { panic!() };
        assert_eq!(gain, 0.5);
        let half = 2.0 * 1.5f64.sqrt() / 4.0;
        assert_abs_diff_eq!(interval[0], 0.5 - half, epsilon = 1e-15);
        assert_abs_diff_eq!(interval[1], 0.5 + half, epsilon = 1e-15);
    }

    #[test]
    fn differences_that_are_all_nought_have_an_interval_of_some_width() {
        let zeros = Array1::zeros(100);
        let Gain::Predicted { gain, interval, .. } = interval(&Array1::ones(100), &zeros, 2.0)
        else {
            panic!()
        };
        assert_eq!((gain, interval), (0.0, [-0.02, 0.02]));
    }

    #[test]
    fn reverse_validation_is_believed_alone_where_the_domains_lie_apart() {
        let gain = |low: f64, high: f64| Gain::Predicted {
            gain: f64::midpoint(low, high),
            interval: [low, high],
            contradicted: None,
        };
        let few = "too few rows".to_owned();
        assert_eq!(supported(gain(0.01, 0.1), Err(&few), 0.99), gain(0.01, 0.1));
        let alone = supported(gain(0.01, 0.1), Err(&few), 0.9);
        assert!(matches!(alone, Gain::Unknown { reason } if reason.contains("+5.5 [+1.0, +10.0]")));
        // A loss needs no support.
        assert_eq!(supported(gain(-0.2, -0.1), Err(&few), 0.9), gain(-0.2, -0.1));
        let against = supported(gain(0.01, 0.1), Ok(gain(-0.2, -0.1)), 0.9);
        assert!(matches!(against, Gain::Predicted { contradicted: Some([-0.2, -0.1]), .. }));
        assert_eq!(supported(gain(0.01, 0.1), Ok(gain(-0.2, 0.1)), 0.9), gain(0.01, 0.1));
    }

    #[test]
    fn one_value_teaches_that_value() {
        let learner = Learner::new(None, Outcome::Classes(&[0, 1], 2)).unwrap();
        let x = array![[1.0], [2.0]];
        let predict = learner.fit(x.view(), &array![1.0, 1.0], None).unwrap();
        assert_eq!(predict(x.view()).unwrap(), array![1.0, 1.0]);
        assert!(Learner::new(Some("nonesuch"), Outcome::Measured(&[0.0])).is_err());
    }
}
