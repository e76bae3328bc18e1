//! How often the two-sample tests of `diagnose` reject where both halves are of one domain.
//!
//! Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017, measure type-I errors so. Halves
//! that are drawn at random are equal in distribution: a test of level α rejects α of them. Halves of a
//! window in the order of the file are so for independent rows alone; where they are not, a diagnosis
//! is to say so.
//!
//! Differences from the paper:
//! 1. The tables are others, and so are the tests: ranks of the scores, MMD by permutation, and
//!    columns adjusted by Holm.

use anyhow::{Context, Result};
use ndarray::Axis;
use rand::{Rng as _, seq::SliceRandom};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use statrs::distribution::{Binomial, DiscreteCDF};
use transduct_adapt::{
    diagnose::{Basis, Diagnose},
    domains::Domains,
};
use transduct_core::{
    Stream,
    data::{Split, registry},
    rng,
};

use super::{
    natural_shifts::{PAIRS, WIDE},
    pipeline::features,
};
use crate::{
    experiment::{
        Better, Cell, Description, Experiment, Measure, MethodUse, Paper, Score, Seeds, Task,
        Tolerance, Trial,
    },
    record::Named,
    stats::CONFIDENCE,
};

/// Splits of a seed.
const SPLITS: u64 = 200;
/// The most rows of a half.
const MOST: usize = 300;
/// The same of a table of more than [`WIDE`] columns.
const MOST_OF_WIDE: usize = 100;
/// α.
const LEVEL: f64 = 0.05;
const PERMUTATIONS: usize = 199;

/// How two halves come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Cut {
    /// Rows are drawn, and the first half of them is held against the second.
    Random,
    /// The first half of a window of neighbouring rows against the second.
    InTime,
}

/// What rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Test {
    Classifier,
    Mmd,
    Columns,
    /// One of them, at a third of the level each: what a recommendation rests on.
    Together,
}

/// What a cell computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    table: String,
    cut: Cut,
    test: Test,
}

/// The experiment.
pub(super) fn experiment() -> Experiment {
    let tests = [
        (Test::Classifier, MethodUse::new("classifier", "classifier test")),
        (Test::Mmd, MethodUse::new("mmd", "MMD test")),
        (Test::Columns, MethodUse::new("columns", "columns, by Holm")),
        (Test::Together, MethodUse::new("together", "the three together")),
    ];
    let cuts = [(Cut::Random, "random", "at random"), (Cut::InTime, "in-time", "in time")];
    let (mut tasks, mut cells) = (Vec::new(), Vec::new());
    for (id, _, [table, _]) in PAIRS {
        for (cut, part, title) in cuts {
            let task = format!("{id}-{part}");
            cells.extend(tests.iter().map(|(test, method)| {
                let setting = Setting { table: table.to_owned(), cut, test: *test };
                Cell::new(&task, &method.id, json!(setting))
            }));
            tasks.push(Task::new(task, format!("{table}, cut {title}"), &[table]));
        }
    }
    let [low, high] = binomial_interval();
    let description = Description {
        name: "two-sample-level".into(),
        title: "How often equal halves are told apart".into(),
        paper: Paper::new(
            "D. Lopez-Paz, M. Oquab",
            "Revisiting Classifier Two-Sample Tests",
            "ICLR 2017",
            "In the manner of its type-I errors; no number of it is repeated.",
        ),
        measure: Measure {
            name: "rejections".into(),
            unit: "%".into(),
            better: Better::Lower,
            decimals: 1,
        },
        protocol: vec![
            format!(
                "{SPLITS} splits a seed of one domain in two halves of equal size, of at most {MOST} \
                 rows each, {MOST_OF_WIDE} of tables of more than {WIDE} columns. At random: rows are drawn, the first half of them against the second. In \
                 time: a window of neighbouring rows at a random place of the file, its first half \
                 against its second."
            ),
            format!(
                "The tests of `diagnose` without labels, {PERMUTATIONS} permutations. A test rejects \
                 where p ≤ {LEVEL}, the columns where the least p adjusted by Holm is; the three \
                 together where one rejects at a third of the level, which is what a recommendation \
                 rests on."
            ),
            format!(
                "At level {LEVEL} a test that holds it exactly rejects between {low} and {high} % of \
                 {SPLITS} splits with probability {CONFIDENCE}, so that one in 40 lies above by \
                 chance. Serial dependence is what `diagnose` finds and says of rows that follow each \
                 other; p-values do not hold there. The documents of Reuters are sorted by class: \
                 their order is no time."
            ),
        ],
        differences: vec![
            "The tables are others, and so are the tests: ranks of the scores, MMD by permutation, \
             and columns adjusted by Holm."
                .into(),
        ],
        tolerance: Tolerance { within: 0.0, why: "nothing is compared".into() },
        seeds: Seeds::Random(1),
        tasks,
        cells,
        methods: tests.into_iter().map(|(_, method)| method).collect(),
        averages: Vec::new(),
        curves: Vec::new(),
    };
    Experiment { description, shares: Some(|cell| cell.task.clone()), compute }
}

fn compute(trial: &Trial<'_>) -> Result<Score> {
    let setting: Setting =
        serde_json::from_value(trial.cell.settings.clone()).context("settings of the cell")?;
    let splits = trial.shared.get(|| run(&setting.table, setting.cut, trial))?;
    let percent = |of: &dyn Fn(&Found) -> bool| {
        100.0 * splits.iter().filter(|found| of(found)).count() as f64 / splits.len() as f64
    };
    let value = percent(&|found| found.rejects(setting.test));
    let serial = percent(&|found| found.serial);
    Ok(Score {
        value,
        extras: Named(vec![("serial dependence found, %".into(), serial)]),
        notes: vec![verdict(value, setting.cut, serial)],
        ..Score::default()
    })
}

/// What the rate says of the test.
fn verdict(rate: f64, cut: Cut, serial: f64) -> String {
    let [low, high] = binomial_interval();
    let within = format!("the binomial interval of the level, {low} to {high} %");
    match (cut, rate) {
        (_, rate) if rate < low => format!("below {within}: the test is careful"),
        (_, rate) if rate <= high => format!("within {within}"),
        (Cut::Random, _) => format!("above {within}: the test rejects too often"),
        (Cut::InTime, _) => format!(
            "above {within}: neighbouring rows are alike or the table moves; serial dependence was \
             found in {serial} % of the splits"
        ),
    }
}

/// Between which per cent of [`SPLITS`] a test of level α rejects, with probability [`CONFIDENCE`].
fn binomial_interval() -> [f64; 2] {
    // A level and a number of splits make a binomial distribution.
    let count = |p| Binomial::new(LEVEL, SPLITS).map_or(0, |binomial| binomial.inverse_cdf(p));
    let outside = (1.0 - CONFIDENCE) / 2.0;
    [outside, 1.0 - outside].map(|p| 100.0 * count(p) as f64 / SPLITS as f64)
}

/// What one diagnosis found.
#[derive(Clone, Copy, Debug)]
struct Found {
    classifier: f64,
    mmd: f64,
    columns: f64,
    together: bool,
    serial: bool,
}

impl Found {
    fn rejects(&self, test: Test) -> bool {
        match test {
            Test::Classifier => self.classifier <= LEVEL,
            Test::Mmd => self.mmd <= LEVEL,
            Test::Columns => self.columns <= LEVEL,
            Test::Together => self.together,
        }
    }
}

/// The splits of a task and a seed, which each test looks at. Other tasks do not wait for them.
/// All splits of a seed.
fn run(table: &str, cut: Cut, trial: &Trial<'_>) -> Result<Vec<Found>> {
    let x = features(&registry::load(table, trial.data, Split::All)?.samples)?;
    let most = if x.ncols() > WIDE { MOST_OF_WIDE } else { MOST };
    let split = |split: u64| {
        let seed = trial.seed * SPLITS + split;
        let [a, b] = halves(x.nrows(), most, cut, seed).map(|rows| x.select(Axis(0), &rows));
        let options = Diagnose {
            level: LEVEL,
            permutations: PERMUTATIONS,
            most_rows: MOST,
            seed,
            ..Diagnose::default()
        };
        let found = options.run(&Domains::new(a.view(), b.view())?)?;
        let columns = found.features.iter().filter(|f| !found.set_aside.contains(&f.column));
        Ok(Found {
            classifier: found.classifier.p,
            mmd: found.mmd.p,
            columns: columns.map(|f| f.p_adjusted).fold(1.0, f64::min),
            together: found.recommendation.basis != Basis::NoDifference,
            serial: !found.serial_dependence.is_empty(),
        })
    };
    (0..SPLITS).into_par_iter().map(split).collect()
}

/// Which of n rows are in each half, at most `most` in one.
fn halves(n: usize, most: usize, cut: Cut, seed: u64) -> [Vec<usize>; 2] {
    let half = most.min(n / 2);
    let mut rng = rng(seed, Stream::Split);
    let mut rows: Vec<usize> = match cut {
        Cut::Random => {
            let mut all: Vec<usize> = (0..n).collect();
            all.shuffle(&mut rng);
            all.truncate(2 * half);
            all
        }
        Cut::InTime => {
            let start = rng.gen_range(0..=n - 2 * half);
            (start..start + 2 * half).collect()
        }
    };
    let second = rows.split_off(half);
    [rows, second]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_equal_and_share_no_row() {
        for (n, size) in [(1599, MOST), (41, 20)] {
            for cut in [Cut::Random, Cut::InTime] {
                let [a, b] = halves(n, MOST, cut, 5);
                assert_eq!((a.len(), b.len()), (size, size));
                assert!(a.iter().all(|row| !b.contains(row)));
                assert!(a.iter().chain(&b).all(|&row| row < n));
                assert_ne!([a, b], halves(n, MOST, cut, 9));
            }
        }
    }

    #[test]
    fn a_window_is_cut_in_time() {
        let [a, b] = halves(10_000, MOST_OF_WIDE, Cut::InTime, 1);
        assert_eq!([a.len(), b.len()], [MOST_OF_WIDE; 2]);
        let window: Vec<usize> = a.iter().chain(&b).copied().collect();
        assert!(window.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        let [a, _] = halves(10_000, MOST, Cut::Random, 1);
        assert!(!a.is_sorted());
    }

    /// Of 200 at 0.05: P(≤ 3) = 0.009, P(≤ 4) = 0.026, P(≤ 15) = 0.956, P(≤ 16) = 0.976.
    #[test]
    fn the_interval_of_the_level() {
        assert_eq!(binomial_interval(), [2.0, 8.0]);
        assert!(verdict(1.5, Cut::Random, 0.0).contains("careful"));
        assert!(verdict(2.0, Cut::Random, 0.0).starts_with("within"));
        assert!(verdict(8.5, Cut::Random, 0.0).contains("too often"));
        assert!(verdict(8.5, Cut::InTime, 99.0).ends_with("found in 99 % of the splits"));
    }

    #[test]
    fn what_rejects() {
        let found =
            Found { classifier: 0.05, mmd: 0.06, columns: 0.01, together: false, serial: false };
        let tests = [Test::Classifier, Test::Mmd, Test::Columns, Test::Together];
        assert_eq!(tests.map(|test| found.rejects(test)), [true, false, true, false]);
    }
}
