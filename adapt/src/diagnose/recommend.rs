//! From findings to a family of methods, by rules with thresholds in sight.

use serde::Serialize;

use super::{ClassifierTest, FeatureTest, LabelShiftEstimate, MmdTest};
use crate::{reweight::reweighters, shallow::aligners};

/// The least change of a class's proportion that counts.
pub const CLASS_CHANGE: f64 = 0.05;
/// The most of the gap between the means that class weights may leave.
pub const EXPLAINED: f64 = 0.5;
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

    /// The methods to begin with, of those that there are.
    fn methods(self) -> Vec<&'static str> {
        let wanted: &[&str] = match self {
            Self::None => &[],
            Self::LabelShift => &["bbse", "rlls", "mmd-tars"],
            Self::Weighting => &["ulsif", "rulsif", "logistic", "kmm", "kliep", "gaussian"],
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

/// What to do, and why.
///
/// | rule, the first that holds | family |
/// |---|---|
/// | neither joint test rejects at α/2 and no column at α after Holm's correction | [`Family::None`] |
/// | labels: a class's proportion moves by at least [`CLASS_CHANGE`], and class weights leave at most [`EXPLAINED`] of the gap between the means | [`Family::LabelShift`] |
/// | a joint test rejects and no column does: columns alike one by one, not together | [`Family::Correlation`] |
/// | the classifier's odds leave less than [`OVERLAP`] of the source rows, or its AUC is at least [`APART`] | [`Family::Alignment`] |
/// | else | [`Family::Weighting`] |
///
/// The thresholds are ours, rules of thumb and no theorems. What no test on unlabelled targets can
/// see is whether p(y | x) is the same on both domains, which weighting takes for granted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recommendation {
    /// The family of methods.
    pub family: Family,
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
    pub(super) features: &'a [FeatureTest],
    pub(super) label_shift: Option<&'a LabelShiftEstimate>,
}

pub(super) fn recommend(findings: &Findings<'_>) -> Recommendation {
    let (family, reason) = decide(findings);
    Recommendation { family, reason, methods: family.methods() }
}

fn decide(findings: &Findings<'_>) -> (Family, String) {
    let Findings { level, classifier, mmd, features, label_shift } = *findings;
    let joint = classifier.p.min(mmd.p) <= level / 2.0;
    let columns = features.iter().filter(|test| test.p_adjusted <= level).count();
    let d = features.len();
    if !joint && columns == 0 {
        let reason = format!(
            "no test tells the domains apart (classifier p = {:.2}, MMD p = {:.2}, no column of \
             {d}), so that adapting would add noise and no information",
            classifier.p, mmd.p
        );
        return (Family::None, reason);
    }
    if let Some(shift) = label_shift {
        let (change, Balances { before, left }) = (shift.largest_change(), Balances::of(shift));
        if change >= CLASS_CHANGE && left <= EXPLAINED {
            let reason = format!(
                "the proportion of a class moves by {change:.2}, and weighting the classes brings \
                 the gap between the means from {before:.2} to {:.2} standard deviations",
                shift.balance.after
            );
            return (Family::LabelShift, reason);
        }
    }
    if columns == 0 {
        let reason = format!(
            "the domains differ (classifier p = {:.2e}, MMD p = {:.2e}) and no single column \
             does: what changed is how columns go together",
            classifier.p, mmd.p
        );
        return (Family::Correlation, reason);
    }
    let share = classifier.effective_share;
    if share < OVERLAP || classifier.auc >= APART {
        let reason = format!(
            "the domains hardly overlap: a classifier tells them apart with AUC {:.3}, and \
             weighting would leave {:.1} % of the source rows, so that rows must be moved",
            classifier.auc,
            100.0 * share
        );
        return (Family::Alignment, reason);
    }
    let reason = format!(
        "{columns} of {d} columns differ, and the domains overlap: AUC {:.2}, and weighting would \
         leave {:.0} % of the source rows. It is right if p(y | x) is the same on both domains",
        classifier.auc,
        100.0 * share
    );
    (Family::Weighting, reason)
}

struct Balances {
    before: f64,
    /// after / before; 1 where the means agree before.
    left: f64,
}

impl Balances {
    fn of(shift: &LabelShiftEstimate) -> Self {
        let before = shift.balance.before;
        Self { before, left: if before > 0.0 { shift.balance.after / before } else { 1.0 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reweight::Balance;

    fn family(
        change: impl Fn(&mut ClassifierTest, &mut MmdTest, &mut Vec<FeatureTest>),
        shift: Option<LabelShiftEstimate>,
    ) -> Recommendation {
        let mut classifier =
            ClassifierTest { accuracy: 0.5, p: 0.5, auc: 0.5, effective_share: 0.9 };
        let mut mmd = MmdTest { statistic: 0.0, p: 0.5, permutations: 99, sigma: 1.0 };
        let column = FeatureTest {
            column: 0,
            statistic: 0.1,
            p: 0.5,
            p_adjusted: 0.5,
            mean_shift: 0.0,
            spread_ratio: None,
        };
        let mut features = vec![column];
        change(&mut classifier, &mut mmd, &mut features);
        recommend(&Findings {
            level: 0.05,
            classifier: &classifier,
            mmd: &mmd,
            features: &features,
            label_shift: shift.as_ref(),
        })
    }

    #[test]
    fn each_rule_by_its_threshold() {
        assert_eq!(family(|_, _, _| {}, None).family, Family::None);
        // α is halved between the joint tests.
        assert_eq!(family(|_, m, _| m.p = 0.03, None).family, Family::None);
        assert_eq!(family(|_, m, _| m.p = 0.02, None).family, Family::Correlation);
        let moved = |f: &mut Vec<FeatureTest>| f[0].p_adjusted = 0.01;
        let weighting = family(|_, _, f| moved(f), None);
        assert_eq!(weighting.family, Family::Weighting);
        assert!(weighting.methods.contains(&"gaussian"), "{weighting:?}");
        let apart = |c: &mut ClassifierTest| c.auc = 0.99;
        let alignment = family(|c, _, f| (apart(c), moved(f)).1, None);
        assert_eq!((alignment.family, alignment.methods[0]), (Family::Alignment, "coral"));
        let thin = family(|c, _, f| (c.effective_share = 0.05, moved(f)).1, None);
        assert_eq!(thin.family, Family::Alignment);
    }

    #[test]
    fn label_shift_must_explain_the_gap() {
        let shift = |target: [f64; 2], after| LabelShiftEstimate {
            source: vec![0.5, 0.5],
            target: target.to_vec(),
            balance: Balance { before: 1.0, after },
            notes: vec![],
        };
        let of = |shift| family(|_, _, f| f[0].p_adjusted = 0.01, Some(shift)).family;
        assert_eq!(of(shift([0.9, 0.1], 0.2)), Family::LabelShift);
        assert_eq!(of(shift([0.9, 0.1], 0.9)), Family::Weighting);
        assert_eq!(of(shift([0.52, 0.48], 0.1)), Family::Weighting);
    }
}
