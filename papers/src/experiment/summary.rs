//! What the numbers of an experiment are worth beside the published ones.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{
    Better, Cell, Description, Protocol, Published, Reference, Series,
    record::{ExperimentDir, ExperimentRecord, TrialRecord},
};
use crate::{
    record::{Failure, RecordError, read_json},
    stats::Spread,
};

/// The id of the row of means over tasks.
pub const AVERAGE: &str = "average";

/// The table of an experiment, as far as it came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// What was asked for, with the description.
    pub record: ExperimentRecord,
    /// The cells that were asked for, in the order of the table, then the means over tasks.
    pub cells: Vec<CellSummary>,
    /// Wall time of all finished trials, one after the other.
    pub seconds: f64,
    /// Files that could not be read, and the like.
    pub notes: Vec<String>,
}

/// One number of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CellSummary {
    /// The task's id, or [`AVERAGE`].
    pub task: String,
    /// The method's id.
    pub method: String,
    /// The finished trials: seed and number.
    pub values: Vec<(u64, f64)>,
    /// Their mean and standard deviation; none without a finished trial.
    pub ours: Option<Spread>,
    /// What else was measured, over the seeds that have it.
    pub extras: Vec<(String, Spread)>,
    /// What was published.
    pub published: Option<Published>,
    /// What another program gives.
    pub reference: Option<Reference>,
    /// What a check holds ours to: the number of a known deviation, else what stands above.
    pub expected: Option<f64>,
    /// How far ours may lie from it.
    pub tolerance: f64,
    /// What that says.
    pub verdict: Verdict,
    /// Wall time of its finished trials.
    pub seconds: f64,
    /// What its trials noted, with the number of trials that did; of notes that differ in numbers
    /// alone, the first.
    pub notes: Vec<(String, usize)>,
    /// What its first trial that has any looks like.
    #[serde(skip)]
    pub series: Vec<Series>,
    /// Seeds that failed, and why.
    pub failures: Vec<(u64, String)>,
    /// How many seeds were asked for.
    pub seeds: u64,
}

/// A number beside the one that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No further from the published number than the tolerance, by settings that are stated.
    Within,
    /// So too, by settings that were tried until such numbers came out: the difference of this number.
    Recovered(usize),
    /// Better than expected by more than the tolerance.
    Better,
    /// Worse than expected by more than the tolerance.
    Worse,
    /// Another number than the published one, the one that the difference of this number tells of.
    Deviates(usize),
    /// Another number than the published one, which is not of what it names, as the difference of this
    /// number tells.
    Corrects(usize),
    /// Nothing was published; no further from another program's number than the tolerance.
    Agrees,
    /// There is nothing to compare with.
    NotPublished,
    /// No trial is finished.
    NotComputed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within => f.write_str("within tolerance"),
            Self::Better => f.write_str("better"),
            Self::Worse => f.write_str("worse"),
            Self::Recovered(n) => write!(f, "recovered protocol, difference {n}"),
            Self::Deviates(n) => write!(f, "known deviation, difference {n}"),
            Self::Corrects(n) => write!(f, "differs: the reference is wrong, difference {n}"),
            Self::Agrees => f.write_str("agrees with another program"),
            Self::NotPublished => f.write_str("not published"),
            Self::NotComputed => f.write_str("not computed"),
        }
    }
}

impl Verdict {
    /// Of `ours` against what is expected of `cell`: the number of its known deviation, the published
    /// one, or that of another program.
    fn of(ours: Option<Spread>, cell: &Cell, tolerance: f64, better: Better) -> Self {
        let Some(ours) = ours else { return Self::NotComputed };
        let (expected, met) = match (cell.expected(), &cell.published) {
            (None, _) => return Self::NotPublished,
            (Some(expected), None) => (expected, Self::Agrees),
            (Some(expected), Some(published)) => match published.protocol {
                Protocol::Stated => (expected, Self::Within),
                Protocol::Recovered { difference } => (expected, Self::Recovered(difference)),
                Protocol::Deviates { difference, .. } => (expected, Self::Deviates(difference)),
                Protocol::Corrects { difference, .. } => (expected, Self::Corrects(difference)),
            },
        };
        let beyond = ours.mean - expected;
        // Half a unit of the sixth decimal: numbers at the edge are inside on every machine.
        match (beyond.abs() <= tolerance + 5e-7, better, beyond > 0.0) {
            (true, ..) => met,
            (_, Better::Higher, true) | (_, Better::Lower, false) => Self::Better,
            _ => Self::Worse,
        }
    }

    /// Whether a check fails on it.
    pub fn is_unexpected(self) -> bool {
        matches!(self, Self::Better | Self::Worse | Self::NotComputed)
    }
}

impl Cell {
    /// What a check holds the cell to.
    pub(crate) fn expected(&self) -> Option<f64> {
        match (&self.published, &self.reference) {
            (Some(Published { protocol, .. }), _) if protocol.known().is_some() => protocol.known(),
            (Some(published), _) => Some(published.value),
            (None, reference) => reference.as_ref().map(|reference| reference.value),
        }
    }
}

impl CellSummary {
    /// Ours minus the published number.
    pub fn difference(&self) -> Option<f64> {
        Some(self.ours?.mean - self.published.as_ref()?.value)
    }
}

impl Summary {
    /// Of the experiment in `dir`.
    ///
    /// # Errors
    /// `experiment.json` is missing, malformed or of another format.
    pub fn read(dir: &ExperimentDir) -> Result<Self, RecordError> {
        let record = ExperimentRecord::read(dir)?;
        let mut notes = Vec::new();
        let cells: Vec<&Cell> =
            record.cells.iter().filter_map(|id| record.description.cell(id)).collect();
        let mut summaries: Vec<CellSummary> =
            cells.iter().map(|cell| summarise(dir, cell, &record, &mut notes)).collect();
        // An empty sum is −0.
        let seconds = summaries.iter().map(|cell| cell.seconds).fold(0.0, |a, b| a + b);
        summaries.extend(averages(&record.description, &summaries));
        Ok(Self { record, cells: summaries, seconds, notes })
    }

    /// Whether there is anything to compare a number with.
    pub fn compares(&self) -> bool {
        self.cells.iter().any(|cell| cell.published.is_some() || cell.reference.is_some())
    }

    /// The cell of a task and a method.
    pub fn cell(&self, task: &str, method: &str) -> Option<&CellSummary> {
        self.cells.iter().find(|cell| cell.task == task && cell.method == method)
    }

    /// The tasks that were asked for, in order, and the mean over tasks where there is one.
    pub fn tasks(&self) -> Vec<&str> {
        let mut tasks: Vec<&str> = Vec::new();
        for cell in &self.cells {
            if !tasks.contains(&cell.task.as_str()) {
                tasks.push(&cell.task);
            }
        }
        tasks
    }

    /// As it is shown.
    pub fn task_title<'a>(&'a self, id: &'a str) -> &'a str {
        if id == AVERAGE { "mean over tasks" } else { self.record.description.task_title(id) }
    }

    /// The cells that are not what is expected of them.
    pub fn unexpected(&self) -> impl Iterator<Item = &CellSummary> {
        self.cells.iter().filter(|cell| cell.verdict.is_unexpected())
    }

    /// How many cells there are of each verdict, in words.
    pub fn verdicts(&self) -> String {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for cell in &self.cells {
            let verdict = cell.verdict.to_string();
            let kind = verdict.split(',').next().unwrap_or_default();
            match counts.iter_mut().find(|(k, _)| k == kind) {
                Some((_, n)) => *n += 1,
                None => counts.push((kind.to_owned(), 1)),
            }
        }
        counts.iter().map(|(kind, n)| format!("{n} {kind}")).collect::<Vec<_>>().join(", ")
    }

    /// The result in one sentence. A number of another program is no published one, and one that a
    /// recovered protocol gives was not predicted.
    pub fn headline(&self) -> String {
        let count = |of: &dyn Fn(&CellSummary) -> bool| self.cells.iter().filter(|c| of(c)).count();
        let published = count(&|cell| cell.published.is_some());
        let stated = count(&|cell| cell.verdict == Verdict::Within);
        let recovered = count(&|cell| matches!(cell.verdict, Verdict::Recovered(_)));
        let unpublished = count(&|cell| cell.published.is_none() && cell.reference.is_some());
        let agree = count(&|cell| cell.verdict == Verdict::Agrees);
        let mut headline = match (published, recovered) {
            (0, _) => "There are no published numbers to compare with".to_owned(),
            (all, 0) => format!("{stated} of {all} published numbers are met"),
            (all, _) => format!(
                "Of {all} published numbers {stated} are met by stated settings, and {recovered} by a \
                 protocol recovered from the numbers"
            ),
        };
        if unpublished > 0 {
            headline += &format!("; {agree} of {unpublished} agree with another program");
        }
        headline
    }
}

fn summarise(
    dir: &ExperimentDir,
    cell: &Cell,
    record: &ExperimentRecord,
    trouble: &mut Vec<String>,
) -> CellSummary {
    let (mut trials, mut failures) = (Vec::new(), Vec::new());
    for seed in 0..record.seeds {
        let (done, failed) = (dir.trial(cell, seed), dir.failure(cell, seed));
        if done.exists() {
            match read_json::<TrialRecord>(&done) {
                Ok(trial) => trials.push(trial),
                Err(error) => trouble.push(error.to_string()),
            }
        } else if failed.exists() {
            let message = read_json::<Failure>(&failed).map(|failure| failure.message);
            failures.push((seed, message.unwrap_or_else(|error| error.to_string())));
        }
    }
    let versions = trials.iter().filter(|trial| trial.program != record.program).count();
    if versions > 0 {
        trouble.push(format!("{}: {versions} trials are of another version", cell.id()));
    }
    let values: Vec<(u64, f64)> = trials.iter().map(|trial| (trial.seed, trial.value)).collect();
    let ours = spread(values.iter().map(|(_, value)| *value));
    let description = &record.description;
    let tolerance = cell.tolerance.unwrap_or(description.tolerance.within);
    let mut notes: BTreeMap<String, (&String, usize)> = BTreeMap::new();
    for note in trials.iter().flat_map(|trial| &trial.notes) {
        notes.entry(without_numbers(note)).or_insert((note, 0)).1 += 1;
    }
    CellSummary {
        task: cell.task.clone(),
        method: cell.method.clone(),
        ours,
        extras: extras(&trials),
        published: cell.published.clone(),
        reference: cell.reference.clone(),
        expected: cell.expected(),
        tolerance,
        verdict: Verdict::of(ours, cell, tolerance, description.measure.better),
        seconds: trials.iter().map(|trial| trial.seconds).sum(),
        series: trials.iter().find(|t| !t.series.is_empty()).map_or(vec![], |t| t.series.clone()),
        notes: notes.into_values().map(|(note, n)| (note.clone(), n)).collect(),
        values,
        failures,
        seeds: record.seeds,
    }
}

/// What notes have in common that tell the same of several seeds.
fn without_numbers(note: &str) -> String {
    note.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn spread(values: impl Iterator<Item = f64>) -> Option<Spread> {
    Spread::of(&values.collect::<Vec<_>>())
}

/// Of every name that some trial has, in the order in which they come.
fn extras(trials: &[TrialRecord]) -> Vec<(String, Spread)> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in trials.iter().flat_map(|trial| trial.extras.iter()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let of = |name: &str| {
        let values = trials.iter().filter_map(|trial| trial.extras.get(name).copied());
        Some((name.to_owned(), spread(values)?))
    };
    names.into_iter().filter_map(of).collect()
}

/// The means over all tasks of the description, of methods that finished all of them.
fn averages(description: &Description, cells: &[CellSummary]) -> Vec<CellSummary> {
    let of = |average: &super::Average| {
        let tasks = description.cells.iter().filter(|cell| cell.method == average.method).count();
        let means: Vec<f64> = cells
            .iter()
            .filter(|cell| cell.method == average.method)
            .filter_map(|cell| Some(cell.ours?.mean))
            .collect();
        if means.len() < tasks || tasks == 0 {
            return None;
        }
        let ours = Spread::of(&means).map(|spread| Spread { std: None, n: 1, ..spread });
        let cell = Cell {
            published: average.published.clone(),
            ..Cell::new(AVERAGE, &average.method, serde_json::Value::Null)
        };
        let tolerance = description.tolerance.within;
        Some(CellSummary {
            task: AVERAGE.to_owned(),
            method: average.method.clone(),
            values: Vec::new(),
            ours,
            extras: Vec::new(),
            verdict: Verdict::of(ours, &cell, tolerance, description.measure.better),
            expected: cell.expected(),
            published: cell.published,
            reference: None,
            tolerance,
            seconds: 0.0,
            notes: Vec::new(),
            series: Vec::new(),
            failures: Vec::new(),
            seeds: 0,
        })
    };
    description.averages.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{
        Average,
        runner::tests::{compute, squares},
    };

    fn summary(experiment: &crate::experiment::Experiment) -> Summary {
        let folder = tempfile::tempdir().unwrap();
        let dir = ExperimentDir::new(folder.path().join("a"));
        compute(experiment, &dir, false).unwrap();
        Summary::read(&dir).unwrap()
    }

    #[test]
    fn verdicts_by_hand() {
        let mut experiment = squares();
        let verdicts = |experiment: &crate::experiment::Experiment| -> Vec<Verdict> {
            summary(experiment).cells.iter().map(|cell| cell.verdict).collect()
        };
        // Ours are 1.05, 2.05, 4.05 and 4.05; published 1.2, 5 (2 is known instead), 3 and nothing.
        use Verdict::{Agrees, Better, Deviates, NotPublished, Recovered, Within, Worse};
        assert_eq!(verdicts(&experiment), [Within, Deviates(1), Better, NotPublished]);
        experiment.description.cells[3].reference =
            Some(Reference { value: 4.0, source: "P".into() });
        assert_eq!(verdicts(&experiment)[3], Agrees);
        experiment.description.cells[3].reference =
            Some(Reference { value: 5.0, source: "P".into() });
        assert_eq!(verdicts(&experiment)[3], Worse);
        experiment.description.measure.better = super::Better::Lower;
        assert_eq!(verdicts(&experiment)[2], Worse);
        let by = |experiment: &mut crate::experiment::Experiment, cell: usize, protocol| {
            let published = experiment.description.cells[cell].published.take().unwrap();
            experiment.description.cells[cell].published = Some(published.by(protocol));
        };
        by(&mut experiment, 0, Protocol::Recovered { difference: 1 });
        assert_eq!(verdicts(&experiment)[0], Recovered(1));
        experiment.description.cells[0].tolerance = Some(0.1);
        assert_eq!(verdicts(&experiment)[0], Better);
        // A known deviation is the number that it names, whichever way ours moves: to the published
        // number too.
        by(&mut experiment, 1, Protocol::Deviates { difference: 1, value: 2.4 });
        assert_eq!(verdicts(&experiment)[1], Better);
        by(&mut experiment, 2, Protocol::Deviates { difference: 1, value: 3.5 });
        experiment.description.cells[2].published.as_mut().unwrap().value = 4.05;
        assert_eq!(verdicts(&experiment)[2], Worse);
    }

    #[test]
    fn the_headline_counts_published_numbers_alone() {
        let mut experiment = squares();
        let headline = |e: &crate::experiment::Experiment| summary(e).headline();
        assert_eq!(headline(&experiment), "1 of 3 published numbers are met");
        let cells = &mut experiment.description.cells;
        cells[3].reference = Some(Reference { value: 4.0, source: "P".into() });
        cells[0].published.as_mut().unwrap().protocol = Protocol::Recovered { difference: 1 };
        assert_eq!(
            headline(&experiment),
            "Of 3 published numbers 0 are met by stated settings, and 1 by a protocol recovered from \
             the numbers; \
             1 of 1 agree with another program"
        );
        experiment.description.cells.iter_mut().for_each(|cell| cell.published = None);
        assert_eq!(
            headline(&experiment),
            "There are no published numbers to compare with; 1 of 1 agree with another program"
        );
    }

    #[test]
    fn what_the_first_seed_lacks_is_shown_with_its_number_of_seeds() {
        let mut experiment = squares();
        experiment.compute = |trial| {
            let mut score = (squares().compute)(trial)?;
            if trial.seed > 0 {
                score.extras.0.push(("gain".into(), -0.25));
            }
            Ok(score)
        };
        let summary = summary(&experiment);
        let names = summary.cells[0].extras.iter().map(|(name, s)| (name.as_str(), s.n));
        assert_eq!(names.collect::<Vec<_>>(), [("size", 2), ("gain", 1)]);
    }

    #[test]
    fn numbers_are_means_over_seeds_and_tasks() {
        let mut experiment = squares();
        experiment.description.averages = vec![Average {
            method: "square".into(),
            published: Some(Published::new(2.5, "Table 1")),
        }];
        let summary = summary(&experiment);
        let cell = summary.cell("two", "square").unwrap();
        assert_eq!(cell.values, [(0, 4.0), (1, 4.1)]);
        let ours = cell.ours.unwrap();
        assert!((ours.mean - 4.05).abs() < 1e-12 && (ours.std.unwrap() - 0.005f64.sqrt()) < 1e-12);
        assert_eq!(cell.extras[0].1.mean, 2.0);
        assert_eq!(cell.notes, [("by hand".to_owned(), 2)]);
        let average = summary.cell(AVERAGE, "square").unwrap();
        assert!((average.ours.unwrap().mean - 2.55).abs() < 1e-12);
        assert_eq!(average.verdict, Verdict::Within);
        assert_eq!(summary.unexpected().count(), 1);
        assert_eq!(
            summary.verdicts(),
            "2 within tolerance, 1 known deviation, 1 better, 1 not published"
        );
    }
}
