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

mod fold;
mod learner;

pub use learner::Outcome;

use ndarray::Array1;
use serde::Serialize;
use serde_json::Value;
use statrs::distribution::{ContinuousCDF, Normal};

use self::{
    fold::{Candidate, Fold, Problem, Tried, gather},
    learner::Learner,
};
use super::{APART, Family, Joint};
use crate::{
    domains::Domains,
    error::Result,
    reweight::{effective_sample_size, reweighter},
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
    /// g and its interval, where the method is predicted to help: all of it lies above 0, and nothing
    /// contradicts it.
    pub fn help(&self) -> Option<(f64, [f64; 2])> {
        match self.gain {
            Gain::Predicted { gain, interval, contradicted: None } if interval[0] > 0.0 => {
                Some((gain, interval))
            }
            _ => None,
        }
    }
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
    let problem = Problem {
        joint,
        learner: Learner::new(options.learner.as_deref(), outcome)?,
        y: outcome.numbers(&joint.rows[0]),
        outcome,
    };
    let families = [Family::LabelShift, Family::Weighting, Family::Alignment];
    let candidates: Vec<Candidate> = families
        .into_iter()
        .filter(|&family| outcome.classes().is_some() || family != Family::LabelShift)
        .flat_map(|family| family.tried().iter().map(move |method| Candidate { family, method }))
        .collect();
    let folds = problem.folds(&candidates, options.folds, options.seed)?;

    let share = options.level / candidates.len() as f64;
    let odds = gather(&folds, folds.iter().map(|fold| &fold.odds));
    let left = effective_sample_size(odds.view());
    let evidence = Evidence {
        plain: gather(&folds, folds.iter().map(|fold| &fold.plain)),
        plain_reverse: gather(&folds, folds.iter().map(|fold| &fold.plain_reverse)),
        z: Normal::standard().inverse_cdf(1.0 - share / 2.0),
        overlap: match auc >= APART || left < LEAST_ROWS {
            false => Ok(()),
            true => Err(format!(
                "the domains overlap too little: a classifier tells them apart with AUC {auc:.3}, and \
                 importance weights leave {left:.0} rows to judge by"
            )),
        },
        label_shift: label_shift.map_err(str::to_owned),
        folds,
        odds,
        auc,
    };
    let of = |(place, &Candidate { family, method }): (usize, &Candidate)| PredictedGain {
        family,
        method,
        gain: evidence.gain(family, place).unwrap_or_else(|reason| Gain::Unknown { reason }),
        effective_share: (family == Family::Weighting)
            .then(|| (reweighter(method)?.build)(&Value::Null)?.fit(domains))
            .and_then(Result::ok)
            .map(|w| w.effective_sample_size / w.weights.len() as f64),
    };
    Ok(candidates.iter().enumerate().map(of).collect())
}

/// What the folds say, of every source row that was drawn.
struct Evidence {
    folds: Vec<Fold>,
    /// p_t(x) / p_s(x).
    odds: Array1<f64>,
    /// Losses without adaptation.
    plain: Array1<f64>,
    /// Losses of what is learned on the target without adaptation.
    plain_reverse: Array1<f64>,
    z: f64,
    auc: f64,
    /// Why importance weights cannot judge.
    overlap: Result<(), String>,
    /// Why classes may not be weighted.
    label_shift: Result<(), String>,
}

impl Evidence {
    /// The gain of the candidate at this place, or why there is none.
    fn gain(&self, family: Family, place: usize) -> Result<Gain, String> {
        if family == Family::LabelShift {
            self.label_shift.clone()?;
        }
        let tried = self.folds.iter().map(|fold| fold.tried[place].as_ref().map_err(String::clone));
        let tried: Vec<&Tried> = tried.collect::<Result<_, _>>()?;
        let gathered = |of: fn(&Tried) -> Option<&Array1<f64>>| {
            gather(&self.folds, tried.iter().filter_map(|tried| of(tried)))
        };
        let delta = &self.plain - &gathered(|tried| Some(&tried.losses));
        let weighted = || interval(&self.odds, &delta, self.z);
        Ok(match family {
            Family::LabelShift => {
                interval(&gathered(|tried| tried.class_weights.as_ref()), &delta, self.z)
            }
            Family::Weighting => self.overlap.clone().map(|()| weighted())?,
            _ => {
                let delta = &self.plain_reverse - &gathered(|tried| tried.reverse.as_ref());
                let found = interval(&Array1::ones(delta.len()), &delta, self.z);
                supported(found, self.overlap.as_ref().map(|()| weighted()), self.auc)
            }
        })
    }
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
}
