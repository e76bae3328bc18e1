//! Whether and how two domains differ, and which family of methods that calls for. One test a file.
//!
//! | question | answer |
//! |---|---|
//! | do the domains differ? | [`ClassifierTest`], [`MmdTest`] |
//! | in which columns? | [`FeatureTest`] |
//! | do they overlap? | the classifier's AUC, and the effective sample size of its odds |
//! | do the proportions of the classes differ? | [`LabelShiftEstimate`] |
//! | what then? | [`Recommendation`] |
//!
//! Both joint tests see columns that are scaled to pooled mean 0 and variance 1, without those that
//! have one value in both domains.

mod balance;
mod classifier;
mod correction;
mod features;
mod label_shift;
mod mmd;
mod recommend;

pub use balance::feature_balance;
pub use classifier::ClassifierTest;
pub use correction::{benjamini_hochberg, holm};
pub use features::{FeatureTest, kolmogorov_smirnov};
pub use label_shift::LabelShiftEstimate;
pub use mmd::MmdTest;
pub use recommend::{APART, CLASS_CHANGE, EXPLAINED, Family, OVERLAP, Recommendation};

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use transduct_core::{Stream, rng};

use crate::{
    check,
    domains::Domains,
    error::{Error, Result},
    math::moments,
};

/// How to diagnose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Diagnose {
    /// α, the level of the tests, in (0, 1). The two joint tests get half of it each.
    pub level: f64,
    /// The folds of the classifier test, ≥ 2.
    pub folds: usize,
    /// B, the permutations of the MMD test, ≥ 1.
    pub permutations: usize,
    /// The most rows of each domain that the joint tests look at, ≥ 2; of more, that many are
    /// drawn without replacement. The tests of single columns take all.
    pub most_rows: usize,
    /// Of the draws, the folds and the permutations.
    pub seed: u64,
}

impl Default for Diagnose {
    fn default() -> Self {
        Self { level: 0.05, folds: 5, permutations: 999, most_rows: 1000, seed: 0 }
    }
}

/// What the tests say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnosis {
    /// α.
    pub level: f64,
    /// Rows of each domain that the joint tests looked at.
    pub joint_rows: [usize; 2],
    /// Whether a classifier tells the domains apart.
    pub classifier: ClassifierTest,
    /// Whether the domains' kernel means differ.
    pub mmd: MmdTest,
    /// The columns, the most different first.
    pub features: Vec<FeatureTest>,
    /// The proportions of the classes, where source labels are given and allow an estimate.
    pub label_shift: Option<LabelShiftEstimate>,
    /// Why there is no estimate in spite of labels.
    pub no_label_shift: Option<String>,
    /// What the numbers call for.
    pub recommendation: Recommendation,
}

impl Diagnose {
    /// Runs all tests.
    ///
    /// # Errors
    /// Options out of range; fewer rows of a domain than folds, or than 2; rows that are all equal.
    pub fn run(&self, domains: &Domains<'_>) -> Result<Diagnosis> {
        self.check()?;
        domains.need_rows(NAME, self.folds.max(2))?;
        let features = features::test(domains);
        let joint = Joint::of(domains, self.most_rows, self.seed)?;
        let classifier = classifier::test(&joint, self.folds, self.seed)?;
        let mmd = mmd::test(&joint, self.permutations, self.seed)?;
        let (label_shift, no_label_shift) = match label_shift::estimate(domains, self.seed) {
            None => (None, None),
            Some(Ok(estimate)) => (Some(estimate), None),
            Some(Err(reason)) => (None, Some(reason)),
        };
        let recommendation = recommend::recommend(&recommend::Findings {
            level: self.level,
            classifier: &classifier,
            mmd: &mmd,
            features: &features,
            label_shift: label_shift.as_ref(),
        });
        let joint_rows = [joint.n_source, joint.pooled.nrows() - joint.n_source];
        Ok(Diagnosis {
            level: self.level,
            joint_rows,
            classifier,
            mmd,
            features,
            label_shift,
            no_label_shift,
            recommendation,
        })
    }

    fn check(&self) -> Result<()> {
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::config(NAME, "level", self.level, "a number between 0 and 1"));
        }
        for (field, value, least) in [
            ("folds", self.folds, 2),
            ("permutations", self.permutations, 1),
            ("most_rows", self.most_rows, self.folds.max(2)),
        ] {
            check::at_least(NAME, field, value, least)?;
        }
        Ok(())
    }
}

/// The tests as messages name them.
const NAME: &str = "diagnose";

/// Source rows over target rows, scaled together.
struct Joint {
    /// `(n_source + n_target, d)`, of pooled mean 0 and variance 1 in every column.
    pooled: Array2<f64>,
    n_source: usize,
}

impl Joint {
    fn of(domains: &Domains<'_>, most_rows: usize, seed: u64) -> Result<Self> {
        let source = drawn(domains.source(), most_rows, seed, Stream::Source);
        let target = drawn(domains.target(), most_rows, seed, Stream::Target);
        let n_source = source.nrows();
        let pooled = concatenate(Axis(0), &[source.view(), target.view()])
            .map_err(|e| Error::shape("pooled rows", "one width", e))?;
        let constant = moments::constant_columns(pooled.view());
        let varying: Vec<usize> =
            (0..pooled.ncols()).filter(|column| !constant.contains(column)).collect();
        if varying.is_empty() {
            let reason = "all rows of both domains are equal";
            return Err(Error::degenerate(NAME, reason, "give columns that vary"));
        }
        let mut pooled = pooled.select(Axis(1), &varying);
        // In two passes: columns of any size stay exact, and their squares do not overflow.
        let sizes = pooled.map_axis(Axis(0), |c| c.fold(0.0, |m: f64, x| m.max(x.abs())));
        pooled /= &sizes;
        pooled -= &moments::mean(pooled.view());
        let deviations = moments::deviations(pooled.view(), 0);
        pooled /= &deviations.mapv(|s| if s > 0.0 { s } else { 1.0 });
        Ok(Self { pooled, n_source })
    }

    /// 0 for source rows, 1 for target rows.
    fn domain(&self) -> Vec<usize> {
        (0..self.pooled.nrows()).map(|row| usize::from(row >= self.n_source)).collect()
    }
}

/// At most `most` rows, drawn without replacement, in their order.
fn drawn(x: ArrayView2<'_, f64>, most: usize, seed: u64, stream: Stream) -> Array2<f64> {
    if x.nrows() <= most {
        return x.to_owned();
    }
    let mut all: Vec<usize> = (0..x.nrows()).collect();
    let (rows, _) = all.partial_shuffle(&mut rng(seed, stream), most);
    rows.sort_unstable();
    x.select(Axis(0), rows)
}

#[cfg(test)]
mod tests;
