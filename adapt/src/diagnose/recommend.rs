//! From findings to a family of methods, by rules with thresholds in sight.

use serde::Serialize;

use super::{ClassifierTest, FeatureTest, Gain, MmdTest, PredictedGain};
use crate::{reweight::reweighters, shallow::aligners};

/// The least share of the source rows that weighting must leave.
pub const OVERLAP: f64 = 0.1;
/// The classifier's AUC from which on the domains lie apart.
pub const APART: f64 = 0.98;

/// A family of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Train on the source as it is.
    None,
    /// Weight the classes.
    LabelShift,
    /// Weight the rows.
    Weighting,
    /// Move the rows: second moments, subspaces.
    Correlation,
    /// Move the rows: any map.
    Alignment,
}

impl Family {
    /// In words.
    pub fn title(self) -> &'static str {
        match self {
            Self::None => "no adaptation",
            Self::LabelShift => "label-shift correction",
            Self::Weighting => "importance weighting",
            Self::Correlation => "alignment of correlations or subspaces",
            Self::Alignment => "alignment",
        }
    }

    /// The methods whose gain is predicted: quick ones that need no choice.
    pub(super) fn tried(self) -> &'static [&'static str] {
        match self {
            Self::LabelShift => &["bbse"],
            Self::Weighting => &["logistic", "rulsif"],
            Self::Alignment => &["coral", "linear-monge", "subspace-alignment"],
            Self::None | Self::Correlation => &[],
        }
    }

    /// The methods to begin with where no gain can be predicted, of those that there are.
    fn methods(self) -> Vec<&'static str> {
        let wanted: &[&str] = match self {
            Self::None => &[],
            Self::LabelShift => &["bbse", "rlls", "mmd-tars"],
            Self::Weighting => &["logistic", "rulsif", "ulsif", "kmm", "kliep", "gaussian"],
            Self::Correlation => &["coral", "subspace-alignment", "gfk"],
            Self::Alignment => &["coral", "linear-monge", "tca", "ot-sinkhorn", "jda"],
        };
        let names: Vec<&str> = match self {
            Self::LabelShift | Self::Weighting => reweighters().iter().map(|e| e.name).collect(),
            _ => aligners().iter().map(|e| e.name).collect(),
        };
        wanted.iter().copied().filter(|name| names.contains(name)).collect()
    }
}

/// What a recommendation rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// No test tells the domains apart.
    NoDifference,
    /// Gains that were predicted from source labels.
    PredictedGain,
    /// How the rows differ, alone: that a method of the family helps is not shown by anything.
    Shape,
}

/// What to do, and why.
///
/// | rule, the first that holds | family |
/// |---|---|
/// | none of the classifier test, the kernel test and the columns (by Holm's correction) rejects at α/3 | [`Family::None`] |
/// | gains were predicted, and that of a method is above 0 with its whole interval | the family of the method whose interval begins highest |
/// | gains were predicted | [`Family::None`]: no method is predicted to help |
/// | a joint test rejects and no column does: columns alike one by one, not together | [`Family::Correlation`] |
/// | logistic weights leave less than [`OVERLAP`] of the source rows, or the classifier's AUC is at least [`APART`] | [`Family::Alignment`] |
/// | else | [`Family::Weighting`] |
///
/// The last three go by the rows alone, where there are no source labels. Their thresholds are ours,
/// rules of thumb and no theorems. What no test on unlabelled targets can see is whether p(y | x) is the
/// same on both domains, which weighting takes for granted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recommendation {
    /// The family of methods.
    pub family: Family,
    /// What it rests on.
    pub basis: Basis,
    /// Why, with the numbers that decided.
    pub reason: String,
    /// Methods of the family to begin with, by their names.
    pub methods: Vec<&'static str>,
}

/// What the rules look at.
pub(super) struct Findings<'a> {
    pub(super) level: f64,
    pub(super) classifier: &'a ClassifierTest,
    pub(super) mmd: &'a MmdTest,
    /// Of the columns that were not set aside.
    pub(super) features: &'a [&'a FeatureTest],
    pub(super) gains: &'a [PredictedGain],
    /// n_eff / n_s of logistic weights.
    pub(super) effective_share: f64,
}

impl Findings<'_> {
    /// The part of α that each of the three tests gets.
    fn part(&self) -> f64 {
        self.level / 3.0
    }

    fn joint(&self) -> bool {
        self.classifier.p.min(self.mmd.p) <= self.part()
    }

    fn columns(&self) -> usize {
        self.features.iter().filter(|test| test.p_adjusted <= self.part()).count()
    }
}

pub(super) fn recommend(findings: &Findings<'_>) -> Recommendation {
    let Findings { classifier, mmd, .. } = findings;
    if !findings.joint() && findings.columns() == 0 {
        let reason = format!(
            "no test tells the domains apart (classifier p = {:.2}, MMD p = {:.2}, no column of \
             {}), so that adapting would add noise and no information",
            classifier.p,
            mmd.p,
            findings.features.len()
        );
        let (family, basis) = (Family::None, Basis::NoDifference);
        return Recommendation { family, basis, reason, methods: Vec::new() };
    }
    match findings.gains {
        [] => by_shape(findings),
        gains => by_gain(gains),
    }
}

fn by_gain(gains: &[PredictedGain]) -> Recommendation {
    let basis = Basis::PredictedGain;
    let mut helpful: Vec<(&PredictedGain, (f64, [f64; 2]))> =
        gains.iter().filter_map(|gain| Some((gain, gain.help()?))).collect();
    helpful.sort_by(|(_, (_, a)), (_, (_, b))| b[0].total_cmp(&a[0]));
    let Some(&(best, (gain, [low, high]))) = helpful.first() else {
        let known = gains.iter().filter(|gain| matches!(gain.gain, Gain::Predicted { .. }));
        let reason = format!(
            "the domains differ, and no method is predicted to help: of {} that were tried, the gain \
             of {} could be predicted, and no interval lies above 0 without being contradicted",
            gains.len(),
            known.count()
        );
        return Recommendation { family: Family::None, basis, reason, methods: Vec::new() };
    };
    let family = best.family;
    let of_family = helpful.iter().filter(|(gain, _)| gain.family == family);
    let methods = of_family.map(|(gain, _)| gain.method).collect();
    let assumption = match family {
        Family::LabelShift => "if only the proportions of the classes differ",
        Family::Weighting => "if p(y | x) is the same on both domains",
        _ => "by reverse validation",
    };
    let reason = format!(
        "{} is predicted to gain {:.1} points [{:.1}, {:.1}] {assumption}",
        best.method,
        100.0 * gain,
        100.0 * low,
        100.0 * high
    );
    Recommendation { family, basis, reason, methods }
}

fn by_shape(findings: &Findings<'_>) -> Recommendation {
    let Findings { classifier, mmd, effective_share: share, .. } = *findings;
    let (columns, d) = (findings.columns(), findings.features.len());
    let (family, reason) = if columns == 0 {
        let reason = format!(
            "the domains differ (classifier p = {:.2e}, MMD p = {:.2e}) and no single column \
             does: what changed is how columns go together",
            classifier.p, mmd.p
        );
        (Family::Correlation, reason)
    } else if share < OVERLAP || classifier.auc >= APART {
        let reason = format!(
            "the domains hardly overlap: a classifier tells them apart with AUC {:.3}, and weights by \
             `logistic` leave {:.1} % of the source rows, so that rows must be moved",
            classifier.auc,
            100.0 * share
        );
        (Family::Alignment, reason)
    } else {
        let reason = format!(
            "{columns} of {d} columns differ, and the domains overlap: AUC {:.2}, and weights by \
             `logistic` leave {:.0} % of the source rows. It is right if p(y | x) is the same on both \
             domains",
            classifier.auc,
            100.0 * share
        );
        (Family::Weighting, reason)
    };
    let reason = format!(
        "{reason}. This goes by the rows alone: whether a method helps can be predicted with source \
         labels only"
    );
    Recommendation { family, basis: Basis::Shape, reason, methods: family.methods() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gain(family: Family, method: &'static str, interval: [f64; 2]) -> PredictedGain {
        let gain = Gain::Predicted {
            gain: f64::midpoint(interval[0], interval[1]),
            interval,
            contradicted: None,
        };
        PredictedGain { family, method, gain, effective_share: None }
    }

    fn found(
        change: impl Fn(&mut ClassifierTest, &mut MmdTest, &mut FeatureTest, &mut f64),
        gains: &[PredictedGain],
    ) -> Recommendation {
        let mut classifier = ClassifierTest { accuracy: 0.5, p: 0.5, auc: 0.5, held_out: [9, 9] };
        let mut mmd = MmdTest { statistic: 0.0, p: 0.5, permutations: 99, sigma: 1.0 };
        let mut column = FeatureTest {
            column: 0,
            statistic: 0.1,
            p: 0.5,
            p_adjusted: 0.5,
            mean_shift: 0.0,
            spread_ratio: None,
            separation: None,
        };
        let mut effective_share = 0.9;
        change(&mut classifier, &mut mmd, &mut column, &mut effective_share);
        recommend(&Findings {
            level: 0.05,
            classifier: &classifier,
            mmd: &mmd,
            features: &[&column],
            gains,
            effective_share,
        })
    }

    #[test]
    fn without_labels_each_rule_by_its_threshold() {
        assert_eq!(found(|_, _, _, _| {}, &[]).basis, Basis::NoDifference);
        // α is shared by the three tests.
        assert_eq!(found(|_, m, _, _| m.p = 0.02, &[]).family, Family::None);
        assert_eq!(found(|_, m, _, _| m.p = 0.01, &[]).family, Family::Correlation);
        assert_eq!(found(|_, _, f, _| f.p_adjusted = 0.02, &[]).family, Family::None);
        let moved = |f: &mut FeatureTest| f.p_adjusted = 0.01;
        let weighting = found(|_, _, f, _| moved(f), &[]);
        assert_eq!((weighting.family, weighting.basis), (Family::Weighting, Basis::Shape));
        assert!(weighting.methods.contains(&"gaussian"), "{weighting:?}");
        let alignment = found(|c, _, f, _| (c.auc = 0.99, moved(f)).1, &[]);
        assert_eq!((alignment.family, alignment.methods[0]), (Family::Alignment, "coral"));
        let thin = found(|_, _, f, share| (*share = 0.05, moved(f)).1, &[]);
        assert_eq!(thin.family, Family::Alignment);
    }

    #[test]
    fn with_labels_the_highest_lower_end_above_nought_decides() {
        let moved = |_: &mut ClassifierTest, _: &mut MmdTest, f: &mut FeatureTest, _: &mut f64| {
            f.p_adjusted = 0.01;
        };
        let unsure = gain(Family::Weighting, "logistic", [-0.01, 0.3]);
        let small = gain(Family::Alignment, "linear-monge", [0.01, 0.02]);
        let large = gain(Family::Alignment, "coral", [0.02, 0.03]);
        let all = [unsure.clone(), small, large.clone()];
        let best = found(moved, &all);
        assert_eq!(best.family, Family::Alignment);
        assert_eq!(best.methods, ["coral", "linear-monge"]);
        assert!(best.reason.starts_with("coral is predicted to gain 2.5 points [2.0, 3.0]"));
        let none = found(moved, &[unsure]);
        assert_eq!((none.family, none.basis), (Family::None, Basis::PredictedGain));
        let mut against = large;
        if let Gain::Predicted { contradicted, .. } = &mut against.gain {
            *contradicted = Some([-0.2, -0.1]);
        }
        assert_eq!(found(moved, &[against.clone()]).family, Family::None);
        // Domains that no test tells apart are left alone, whatever is predicted.
        assert_eq!(found(|_, _, _, _| {}, &all).basis, Basis::NoDifference);
    }
}
