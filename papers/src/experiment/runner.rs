//! Computes the cells of an experiment, several at a time, by the engine that runs have too.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use transduct_core::{
    DeviceChoice,
    data::{
        DataDir,
        fetch::{State, verify},
        registry::data_set,
    },
};

use super::{
    Cell, Description, Experiment, Score, Series, Trial,
    plan::Selection,
    progress::Progress,
    record::{ExperimentDir, ExperimentRecord, FORMAT, TrialRecord},
};
use crate::{
    cli::Output,
    engine::{
        Attempt, End, Outcome, Queue, RESUMABLE, Shard, Task, Unit, check_free, lock, settle,
    },
    record::{now, remove, write_json},
};

const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// An experiment to compute or to go on with.
pub(crate) struct Request {
    /// The experiment.
    pub(crate) experiment: Experiment,
    /// What was asked for; with `resume`, what an earlier call asked for is computed too.
    pub(crate) selection: Selection,
    /// Where it is recorded.
    pub(crate) dir: ExperimentDir,
    /// Whether there is one in `dir` to go on with.
    pub(crate) resume: bool,
    /// The units that this process does; all when it is none. Processes of other shards may have
    /// begun the experiment.
    pub(crate) shard: Option<Shard>,
    /// Trials at a time, at least 1.
    pub(crate) jobs: usize,
    /// Where data sets are.
    pub(crate) data: DataDir,
    /// Where to compute.
    pub(crate) device: DeviceChoice,
}

/// Computes what was requested.
///
/// # Errors
/// The request cannot be met at all: data that is missing or another, a directory that is taken or
/// cannot be written, another configuration there. What fails later, in one trial, is recorded there.
pub(crate) fn run(request: Request, output: &Output) -> Result<End> {
    let Request { experiment, selection, dir, resume, shard, jobs, data, device } = request;
    let description = &experiment.description;
    // With what is there to go on with; another shard may have begun it.
    let with_saved = || -> Result<(Selection, String)> {
        if resume || (shard.is_some() && dir.exists()) {
            let saved = check_same(&dir, description)?;
            Ok((selection.joined(&saved.selection(), description), saved.started))
        } else {
            check_free(dir.root(), RESUMABLE)?;
            Ok((selection.clone(), now()))
        }
    };
    // What is wrong with the directory is told before data are read, and with those before one is made.
    let checked = if resume || shard.is_none() { with_saved()?.0 } else { selection.clone() };
    check_data(description, &checked, &data)?;
    let selection = {
        let _alone = lock(dir.root())?;
        let (selection, started) = with_saved()?;
        if selection != checked {
            check_data(description, &selection, &data)?;
        }
        let record = ExperimentRecord {
            format: FORMAT,
            program: PROGRAM.to_owned(),
            started,
            jobs,
            cells: selection.cells.clone(),
            seeds: selection.seeds,
            description: description.clone(),
        };
        write_json(&dir.experiment(), &record)?;
        selection
    };
    let work = Work { experiment: &experiment, dir: &dir, data: &data, device };
    Ok(work.execute(&work.groups(&selection), shard, jobs, output))
}

/// Checks that the experiment in `dir` is this one, cell by cell, and gives its record.
fn check_same(dir: &ExperimentDir, description: &Description) -> Result<ExperimentRecord> {
    let place = dir.root().display();
    ensure!(dir.exists(), "{place}: there is no experiment to resume");
    let saved = ExperimentRecord::read(dir)?;
    let (there, name) = (&saved.description.name, &description.name);
    ensure!(there == name, "{place}: cannot resume {name}: the experiment there is {there}");
    let mut changed = Vec::new();
    if saved.description.protocol != description.protocol {
        changed.push("the protocol is another".to_owned());
    }
    for task in &saved.description.tasks {
        let now = description.tasks.iter().find(|now| now.id == task.id);
        if now.is_some_and(|now| now.data != task.data) {
            changed.push(format!("the data of {} are others", task.id));
        }
    }
    for id in &saved.cells {
        match (saved.description.cell(id), description.cell(id)) {
            (Some(there), Some(now)) if there.settings == now.settings => {}
            (Some(there), Some(now)) => {
                changed.push(format!("{id} is {} there, {} now", there.settings, now.settings));
            }
            _ => changed.push(format!("there is no cell {id} any more")),
        }
    }
    if changed.is_empty() {
        return Ok(saved);
    }
    bail!("{place}: cannot resume with another configuration: {}", changed.join("; "))
}

/// Checks the files of the tasks that are computed against their SHA-256.
fn check_data(description: &Description, selection: &Selection, data: &DataDir) -> Result<()> {
    let cells = || selection.cells.iter().filter_map(|id| description.cell(id));
    let mut names: Vec<&str> = description
        .tasks
        .iter()
        .filter(|task| cells().any(|cell| cell.task == task.id))
        .flat_map(|task| task.data.iter().map(|data| data.name.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        for (path, state) in verify(data_set(name)?, data) {
            let trouble = match state {
                State::Good => continue,
                State::Missing => "is missing".to_owned(),
                State::WrongHash { expected, got } => {
                    format!("has SHA-256 {got}, the experiment wants {expected}")
                }
                State::Unreadable(error) => error.to_string(),
            };
            let place = data.path().join(path);
            bail!(
                "data set {name}: {} {trouble}; `transduct data fetch {name}` gets it or says how",
                place.display()
            );
        }
    }
    Ok(())
}

/// The trials that share a unit.
type Group<'a> = Vec<(&'a Cell, u64)>;

/// Trials under way.
struct Work<'a> {
    experiment: &'a Experiment,
    dir: &'a ExperimentDir,
    data: &'a DataDir,
    device: DeviceChoice,
}

impl<'a> Work<'a> {
    /// Seed by seed, so that what is there after a stop compares the methods.
    fn groups(&self, selection: &Selection) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for seed in 0..selection.seeds {
            let mut numbers = BTreeMap::new();
            let cells = selection.cells.iter();
            for cell in cells.filter_map(|id| self.experiment.description.cell(id)) {
                let next = groups.len();
                let number = match self.experiment.shares {
                    Some(key) => *numbers.entry(key(cell)).or_insert(next),
                    None => next,
                };
                if number == next {
                    groups.push(Vec::new());
                }
                groups[number].push((cell, seed));
            }
        }
        groups
    }

    fn units(&self, groups: &[Group<'_>]) -> Vec<Unit> {
        let unit = |group: &Group<'_>| {
            let (cell, seed) = group[0];
            Unit {
                name: format!("{} seed {seed}", cell.id()),
                claim: self.dir.claim(cell, seed),
                parts: group.iter().map(|(cell, seed)| self.dir.trial(cell, *seed)).collect(),
                after: None,
            }
        };
        groups.iter().map(unit).collect()
    }

    fn execute(
        &self,
        groups: &[Group<'_>],
        shard: Option<Shard>,
        jobs: usize,
        output: &Output,
    ) -> End {
        let units = self.units(groups);
        let queue = Queue::new(&units, shard);
        let left = queue.left();
        let progress = Mutex::new(Progress::new(output.shows_progress(), left.len() as u64));
        let seeds = left.iter().any(|&(unit, _)| groups[unit][0].1 > 0);
        thread::scope(|scope| {
            for _ in 0..jobs.min(left.len()) {
                scope.spawn(|| {
                    queue.work(|task| {
                        let (cell, seed) = groups[task.unit][task.part];
                        let name = match seeds {
                            true => format!("{} seed {seed}", cell.id()),
                            false => cell.id(),
                        };
                        self.attempt((cell, seed), &name, &units[task.unit], task, &progress)
                    });
                });
            }
        });
        held(&progress).close();
        let others = queue.elsewhere();
        others.iter().for_each(|note| output.note(format!("note: {note}")));
        queue.end()
    }

    fn attempt(
        &self,
        (cell, seed): (&Cell, u64),
        name: &str,
        unit: &Unit,
        task: &mut Task,
        progress: &Mutex<Progress>,
    ) -> Outcome {
        held(progress).start(name.to_owned());
        let failed = self.dir.failure(cell, seed);
        match task.attempt(unit, &failed, |task| self.trial(cell, seed, task)) {
            Attempt::Done(done) => {
                held(progress).finish(name, &done, &self.experiment.description.measure);
                Outcome::Done
            }
            Attempt::Failed(message) => {
                held(progress).fail(name, &message);
                Outcome::Failed
            }
            Attempt::Stopped => Outcome::Stopped,
        }
    }

    /// Computes and records a trial.
    fn trial(&self, cell: &Cell, seed: u64, task: &Task) -> Result<TrialRecord> {
        let start = Instant::now();
        let stopped = || task.stopped();
        let scratch = self.dir.scratch(cell, seed);
        let trial = Trial {
            cell,
            seed,
            data: self.data,
            device: self.device,
            shared: &task.shared,
            scratch: &scratch,
            stopped: &stopped,
        };
        let score = (self.experiment.compute)(&trial)?;
        let record = recorded(&trial, score, start.elapsed().as_secs_f64())?;
        settle(&self.dir.trial(cell, seed), &record, TrialRecord::differs)?;
        remove(&self.dir.failure(cell, seed))?;
        if scratch.exists() {
            fs::remove_dir_all(&scratch).with_context(|| scratch.display().to_string())?;
        }
        Ok(record)
    }
}

fn held(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

fn recorded(trial: &Trial<'_>, score: Score, seconds: f64) -> Result<TrialRecord> {
    let Score { value, extras, notes, series } = score;
    for (name, value) in [("the result", &value)].into_iter().chain(extras.iter()) {
        ensure!(value.is_finite(), "{name} is {value}");
    }
    for Series { name, points, .. } in &series {
        ensure!(points.as_flattened().iter().all(|x| x.is_finite()), "{name} has no finite points");
    }
    let Cell { settings, .. } = trial.cell;
    Ok(TrialRecord {
        format: FORMAT,
        program: PROGRAM.to_owned(),
        cell: trial.cell.id(),
        seed: trial.seed,
        settings: Value::clone(settings),
        value,
        extras,
        notes,
        series,
        seconds,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        experiment::{
            Better, Measure, MethodUse, Paper, Protocol, Published, Seeds, Task, Tolerance,
        },
        record::{Failure, Named, read_json},
    };

    /// Numbers that can be told without computing: x², 2x of x = 1 and 2, plus a tenth of the seed.
    pub(crate) fn squares() -> Experiment {
        let cell = |task: &str, method: &str, x: u64, published: Option<f64>| Cell {
            published: published.map(|value| Published::new(value, "Table 1")),
            ..Cell::new(task, method, json!({ "x": x, "method": method }))
        };
        let mut cells = vec![
            cell("one", "square", 1, Some(1.2)),
            cell("one", "twice", 1, None),
            cell("two", "square", 2, Some(3.0)),
            cell("two", "twice", 2, None),
        ];
        let known = Protocol::Deviates { difference: 1, value: 2.0 };
        cells[1].published = Some(Published::new(5.0, "Table 1").by(known));
        Experiment {
            description: Description {
                name: "squares".into(),
                title: "Squares".into(),
                paper: Paper::new("A. Author", "On <squares>", "Journal 1900", "Table 1"),
                measure: Measure {
                    name: "value".into(),
                    unit: String::new(),
                    better: Better::Higher,
                    decimals: 2,
                },
                protocol: vec!["Whole numbers.".into()],
                differences: vec!["Twice is not | thrice.".into()],
                tolerance: Tolerance { within: 0.25, why: "rounding".into() },
                seeds: Seeds::Random(2),
                tasks: vec![Task::new("one", "One", &[]), Task::new("two", "Two", &[])],
                methods: vec![MethodUse::new("square", "Square"), MethodUse::new("twice", "Twice")],
                cells,
                averages: Vec::new(),
                curves: Vec::new(),
            },
            shares: None,
            compute: |trial| {
                let x = trial.cell.settings["x"].as_f64().context("no x")?;
                let value = if trial.cell.method == "square" { x * x } else { 2.0 * x };
                Ok(Score {
                    value: value + 0.1 * trial.seed as f64,
                    extras: Named(vec![("size".into(), x)]),
                    notes: vec!["by hand".into()],
                    series: Vec::new(),
                })
            },
        }
    }

    pub(crate) fn compute(
        experiment: &Experiment,
        dir: &ExperimentDir,
        resume: bool,
    ) -> Result<End> {
        let request = Request {
            experiment: experiment.clone(),
            selection: Selection::new(&experiment.description, &[], &[], None)?,
            dir: dir.clone(),
            resume,
            shard: None,
            jobs: 3,
            data: DataDir::at("nowhere"),
            device: DeviceChoice::default(),
        };
        run(request, &Output::new(true, false))
    }

    #[test]
    fn a_failure_costs_its_trial_alone_and_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let dir = ExperimentDir::new(folder.path().join("a"));
        let mut experiment = squares();
        let sound = experiment.compute;
        experiment.compute = |trial| match (trial.cell.id().as_str(), trial.seed) {
            ("one/square", 0) => bail!("no\nsquare"),
            ("one/square", _) => panic!("a panic that this test makes"),
            ("two/square", 1) => Ok(Score { value: f64::NAN, ..Score::default() }),
            _ => (squares().compute)(trial),
        };
        assert_eq!(compute(&experiment, &dir, false).unwrap(), End::Failed);
        let cell = |i: usize| &experiment.description.cells[i];
        let failure: Failure = read_json(&dir.failure(cell(0), 0)).unwrap();
        assert_eq!(failure.message, "no square");
        let failure: Failure = read_json(&dir.failure(cell(2), 1)).unwrap();
        assert_eq!(failure.message, "the result is NaN");
        assert!(dir.failure(cell(0), 1).exists() && dir.trial(cell(2), 0).exists());
        let kept: TrialRecord = read_json(&dir.trial(cell(3), 1)).unwrap();
        assert_eq!((kept.value, kept.seed, kept.cell.as_str()), (4.1, 1, "two/twice"));

        experiment.compute = sound;
        assert_eq!(compute(&experiment, &dir, true).unwrap(), End::Complete);
        assert!(!dir.failure(cell(0), 1).exists() && dir.trial(cell(0), 1).exists());
        // What was finished was left alone, wall time and all.
        assert_eq!(read_json::<TrialRecord>(&dir.trial(cell(3), 1)).unwrap(), kept);
    }

    #[test]
    fn another_configuration_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let dir = ExperimentDir::new(folder.path().join("a"));
        let mut experiment = squares();
        let message = compute(&experiment, &dir, true).unwrap_err().to_string();
        assert!(message.ends_with("there is no experiment to resume"), "{message}");
        compute(&experiment, &dir, false).unwrap();
        let message = compute(&experiment, &dir, false).unwrap_err().to_string();
        assert!(message.contains("give --resume"), "{message}");
        // A better wording of a difference is no other configuration.
        experiment.description.differences[0] += " Nor half.";
        compute(&experiment, &dir, true).unwrap();
        experiment.description.cells[0].settings["x"] = 3.into();
        let message = compute(&experiment, &dir, true).unwrap_err().to_string();
        let expected =
            r#"one/square is {"method":"square","x":1} there, {"method":"square","x":3} now"#;
        assert!(message.ends_with(expected), "{message}");
        experiment.description.name = "cubes".into();
        let message = compute(&experiment, &dir, true).unwrap_err().to_string();
        assert!(message.ends_with("cannot resume cubes: the experiment there is squares"));
    }

    #[test]
    fn data_that_is_missing_stops_before_anything_is_computed() {
        let mut experiment = squares();
        experiment.description.tasks[1] = Task::new("two", "Two", &["jda/usps"]);
        let folder = tempfile::tempdir().unwrap();
        let dir = ExperimentDir::new(folder.path().join("a"));
        let message = compute(&experiment, &dir, false).unwrap_err().to_string();
        assert!(message.starts_with("data set jda/usps: "), "{message}");
        assert!(message.contains("is missing; `transduct data fetch jda/usps`"), "{message}");
        assert!(!dir.exists());
    }
}
