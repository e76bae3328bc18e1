//! Whether and how two domains differ, and which family of methods that calls for. One test a file.
//!
//! | question | answer |
//! |---|---|
//! | do the domains differ? | [`ClassifierTest`], [`MmdTest`] |
//! | in which columns, and does one alone tell them apart? | [`FeatureTest`], [`Separation`] |
//! | do the tests hold, or do rows depend on those before them? | [`SerialDependence`] |
//! | are only the proportions of the classes different? | [`LabelShiftEstimate`] |
//! | what would a method gain? | [`PredictedGain`] |
//! | what then? | [`Recommendation`] |
//!
//! All but the tests of single columns see standardised columns ([`Standardise`]), without those that have one value in both domains, and without those that can say nothing but which
//! domain a row is from ([`Separation::Constant`], [`Separation::Ordered`]): these are set aside, and
//! named. Of more than [`WIDE`] columns they see the [`COMPONENTS`] leading principal components of the
//! rows that were drawn, which is a test as exact, and minutes faster.

mod balance;
mod classifier;
mod correction;
mod features;
mod gain;
mod label_shift;
mod mmd;
mod recommend;
mod serial;

pub use balance::feature_balance;
pub use classifier::ClassifierTest;
pub use correction::{benjamini_hochberg, holm};
pub use features::{FeatureTest, SEPARATE, Separation, kolmogorov_smirnov};
pub use gain::{Gain, Outcome, PredictedGain};
pub use label_shift::LabelShiftEstimate;
pub use mmd::MmdTest;
pub use recommend::{APART, Basis, Family, OVERLAP, Recommendation};
pub use serial::SerialDependence;

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use transduct_core::{Stream, rng};

use crate::{
    check,
    domains::Domains,
    error::{Error, Result},
    math::moments,
    reweight::{LogisticRatio, Reweight},
    shallow::{Align, Pca},
    standard::Standardise,
};

/// How to diagnose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Diagnose {
    /// α, the level of the tests, in (0, 1). The classifier test, the kernel test and the columns get a
    /// third of it each.
    pub level: f64,
    /// The folds in which gains are predicted, ≥ 2.
    pub folds: usize,
    /// B, the permutations of the MMD test, ≥ 1.
    pub permutations: usize,
    /// The most rows of each domain that the joint tests and the predictions of gains look at, ≥ 4; of
    /// more, that many are drawn without replacement. The tests of single columns take all.
    pub most_rows: usize,
    /// The learner whose gain is predicted; by default `logistic` for classes, `ridge` for measurements.
    pub learner: Option<String>,
    /// Of the draws, the folds and the permutations.
    pub seed: u64,
}

impl Default for Diagnose {
    fn default() -> Self {
        Self { level: 0.05, folds: 5, permutations: 999, most_rows: 1000, learner: None, seed: 0 }
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
    /// The columns: those that were set aside first, then the most different.
    pub features: Vec<FeatureTest>,
    /// The columns that all but the tests of single columns did without, from 0, ascending.
    pub set_aside: Vec<usize>,
    /// The principal components that the joint tests and the predictions of gains saw in place of the
    /// columns, where these are many.
    pub components: Option<usize>,
    /// Domains whose rows depend on those before them: all p-values are too small then.
    pub serial_dependence: Vec<SerialDependence>,
    /// The proportions of the classes, where there are source classes and only these differ.
    pub label_shift: Option<LabelShiftEstimate>,
    /// Why there is no estimate of the proportions in spite of classes.
    pub no_label_shift: Option<String>,
    /// The learner whose gains are predicted, where source rows are labelled.
    pub learner: Option<String>,
    /// What methods would gain it.
    pub gains: Vec<PredictedGain>,
    /// Why no gain is predicted in spite of labels.
    pub no_gains: Option<String>,
    /// What the numbers call for.
    pub recommendation: Recommendation,
}

impl Diagnose {
    /// Runs all tests; the labels of the domains, if there are any, are the outcome.
    ///
    /// # Errors
    /// Options out of range; fewer rows of a domain than folds, or than 4; rows that are all equal.
    pub fn run(&self, domains: &Domains<'_>) -> Result<Diagnosis> {
        let labels = domains.labels();
        self.run_for(domains, labels.map(|labels| Outcome::Classes(labels.of, labels.classes)))
    }

    /// The same with a measurement for every source row, finite.
    ///
    /// # Errors
    /// As [`Diagnose::run`]; [`Error::Shape`] unless there are n_s numbers.
    pub fn run_measured(&self, domains: &Domains<'_>, y: &[f64]) -> Result<Diagnosis> {
        let n = domains.source().nrows();
        match y.len() == n {
            true => self.run_for(domains, Some(Outcome::Measured(y))),
            false => Err(Error::shape("measurements", format!("{n}, one a source row"), y.len())),
        }
    }

    fn run_for(&self, domains: &Domains<'_>, outcome: Option<Outcome<'_>>) -> Result<Diagnosis> {
        self.check()?;
        domains.need_rows(NAME, self.folds.max(LEAST_ROWS))?;
        let features = features::test(domains);
        let standard = Standard::of(domains, &features)?;
        let labelled = |source, target| {
            let rows = Domains::new(source, target)?;
            match domains.labels() {
                Some(labels) => rows.with_classes(labels.of, labels.classes),
                None => Ok(rows),
            }
        };
        let columns = labelled(standard.source.view(), standard.target.view())?;
        let reduced = self.components(&columns)?;
        let rows = match &reduced {
            Some([source, target]) => labelled(source.view(), target.view())?,
            None => columns,
        };
        let joint = Joint::of(&rows, self.most_rows, self.seed)?;
        let classifier = classifier::test(&joint, self.seed)?;
        let mmd = mmd::test(&joint, self.permutations, self.seed)?;
        let estimate =
            rows.labels().map(|_| label_shift::estimate(&rows, &joint, self.level, self.seed));
        let (label_shift, no_label_shift) = match estimate {
            None => (None, None),
            Some(Ok(estimate)) => (Some(estimate), None),
            Some(Err(reason)) => (None, Some(reason)),
        };
        let only_classes = match &no_label_shift {
            None => Ok(()),
            Some(reason) => Err(reason.as_str()),
        };
        let learner = outcome
            .map(|outcome| self.learner.as_deref().unwrap_or(outcome.default_learner()).to_owned());
        let predicted = outcome.map(|outcome| {
            gain::predict(&joint, &columns, outcome, classifier.auc, only_classes, self)
        });
        let (gains, no_gains) = match predicted {
            None => (Vec::new(), None),
            Some(Ok(gains)) => (gains, None),
            // A learner that there is not is the caller's mistake, the rest the data's.
            Some(Err(e @ Error::Unknown { .. })) => return Err(e),
            Some(Err(e)) => (Vec::new(), Some(e.to_string())),
        };
        let of_share = gains.iter().find_map(|gain| gain.effective_share);
        let effective_share = match of_share {
            Some(share) => share,
            None => {
                let weighting = LogisticRatio::default().fit(&columns)?;
                weighting.effective_sample_size / weighting.weights.len() as f64
            }
        };
        let looked_at: Vec<&FeatureTest> =
            features.iter().filter(|test| !standard.set_aside.contains(&test.column)).collect();
        let recommendation = recommend::recommend(&recommend::Findings {
            level: self.level,
            classifier: &classifier,
            mmd: &mmd,
            features: &looked_at,
            gains: &gains,
            effective_share,
        });
        let joint_rows = joint.rows.each_ref().map(Vec::len);
        Ok(Diagnosis {
            level: self.level,
            joint_rows,
            classifier,
            mmd,
            set_aside: standard.set_aside,
            components: reduced.as_ref().map(|[source, _]| source.ncols()),
            serial_dependence: serial::test(domains, self.level),
            features,
            label_shift,
            no_label_shift,
            learner,
            gains,
            no_gains,
            recommendation,
        })
    }

    /// All rows in the leading principal components of those that are drawn; nothing for few columns.
    fn components(&self, rows: &Domains<'_>) -> Result<Option<[Array2<f64>; 2]>> {
        if rows.features() <= WIDE {
            return Ok(None);
        }
        let joint = Joint::of(rows, self.most_rows, self.seed)?;
        let drawn = Domains::new(joint.source(), joint.target())?;
        let leading = Pca { components: COMPONENTS }.fit(&drawn)?;
        Ok(Some([leading.source(rows.source())?, leading.target(rows.target())?]))
    }

    fn check(&self) -> Result<()> {
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::config(NAME, "level", self.level, "a number between 0 and 1"));
        }
        for (field, value, least) in [
            ("folds", self.folds, 2),
            ("permutations", self.permutations, 1),
            ("most_rows", self.most_rows, self.folds.max(LEAST_ROWS)),
        ] {
            check::at_least(NAME, field, value, least)?;
        }
        Ok(())
    }
}

/// The tests as messages name them.
const NAME: &str = "diagnose";

/// More columns than these are reduced to their principal components.
pub const WIDE: usize = 512;
/// As many.
pub const COMPONENTS: usize = 256;

/// The least rows of a domain: two to learn from, two to judge by.
const LEAST_ROWS: usize = 4;

/// All rows, standardised, without the columns that are set aside or have one value.
struct Standard {
    /// `(n_s, d)`.
    source: Array2<f64>,
    /// `(n_t, d)`.
    target: Array2<f64>,
    /// Of the columns of the domains, ascending.
    set_aside: Vec<usize>,
}

impl Standard {
    fn of(domains: &Domains<'_>, features: &[FeatureTest]) -> Result<Self> {
        let pooled = concatenate(Axis(0), &[domains.source(), domains.target()])
            .map_err(|e| Error::shape("pooled rows", "one width", e))?;
        let constant = moments::constant_columns(pooled.view());
        let says_nothing =
            |test: &&FeatureTest| test.separation.is_some_and(Separation::says_nothing_else);
        let mut set_aside: Vec<usize> =
            features.iter().filter(says_nothing).map(|test| test.column).collect();
        set_aside.sort_unstable();
        let varying = |column: &usize| !constant.contains(column);
        let mut kept: Vec<usize> = (0..pooled.ncols()).filter(varying).collect();
        if kept.is_empty() {
            let reason = "all rows of both domains are equal";
            return Err(Error::degenerate(NAME, reason, "give columns that vary"));
        }
        // Where nothing else is left they are looked at after all.
        match kept.iter().all(|column| set_aside.contains(column)) {
            true => set_aside.clear(),
            false => kept.retain(|column| !set_aside.contains(column)),
        }
        let (source, target) =
            (domains.source().select(Axis(1), &kept), domains.target().select(Axis(1), &kept));
        let scale = Standardise::fit(&Domains::new(source.view(), target.view())?);
        let [source, target] = [&source, &target].map(|x| scale.rows(x.view()));
        Ok(Self { source, target, set_aside })
    }
}

/// Rows of both domains that were drawn.
struct Joint {
    /// `(n_source + n_target, d)`.
    pooled: Array2<f64>,
    n_source: usize,
    /// Which rows of each domain they are, ascending.
    rows: [Vec<usize>; 2],
}

impl Joint {
    /// At most `most` rows of each domain.
    fn of(domains: &Domains<'_>, most: usize, seed: u64) -> Result<Self> {
        let (source, target) = (domains.source(), domains.target());
        let rows = [
            drawn(source.nrows(), most, seed, Stream::Source),
            drawn(target.nrows(), most, seed, Stream::Target),
        ];
        let [s, t] = [source.select(Axis(0), &rows[0]), target.select(Axis(0), &rows[1])];
        let pooled = concatenate(Axis(0), &[s.view(), t.view()])
            .map_err(|e| Error::shape("pooled rows", "one width", e))?;
        Ok(Self { pooled, n_source: s.nrows(), rows })
    }

    /// Those of these rows, ascending.
    fn select(&self, rows: &[usize]) -> Self {
        let n_source = rows.iter().filter(|&&row| row < self.n_source).count();
        let (source, target) = rows.split_at(n_source);
        let source = source.iter().map(|&row| self.rows[0][row]).collect();
        let target = target.iter().map(|&row| self.rows[1][row - self.n_source]).collect();
        Self { pooled: self.pooled.select(Axis(0), rows), n_source, rows: [source, target] }
    }

    fn source(&self) -> ArrayView2<'_, f64> {
        self.pooled.slice(s![..self.n_source, ..])
    }

    fn target(&self) -> ArrayView2<'_, f64> {
        self.pooled.slice(s![self.n_source.., ..])
    }

    /// 0 for source rows, 1 for target rows.
    fn domain(&self) -> Vec<usize> {
        (0..self.pooled.nrows()).map(|row| usize::from(row >= self.n_source)).collect()
    }
}

/// At most `most` of n rows, drawn without replacement, ascending.
fn drawn(n: usize, most: usize, seed: u64, stream: Stream) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    if n <= most {
        return all;
    }
    let (rows, _) = all.partial_shuffle(&mut rng(seed, stream), most);
    rows.sort_unstable();
    rows.to_vec()
}

#[cfg(test)]
mod tests;
