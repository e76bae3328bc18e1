//! Computes the cells of an experiment, several at a time. A finished trial is on disk at once and
//! never computed again; what stops in between loses the trials that were running, and nothing else.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Instant, SystemTime},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use transduct_core::data::{
    DataDir,
    fetch::{State, verify},
    registry::data_set,
};

use super::{
    Cell, Description, Experiment, Score, Series, Trial,
    plan::Selection,
    progress::Progress,
    record::{ExperimentDir, ExperimentRecord, FORMAT, TrialRecord},
};
use crate::{
    cli::{Output, one_line},
    interrupt,
    record::{Failure, write_json},
    runner::{End, LOCK, check_free, remove, utc},
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
    /// Trials at a time, at least 1.
    pub(crate) jobs: usize,
    /// Where data sets are.
    pub(crate) data: DataDir,
}

/// Computes what was requested.
///
/// # Errors
/// The request cannot be met at all: data that is missing or another, a directory that is taken or
/// cannot be written, another configuration there. What fails later, in one trial, is recorded there.
pub(crate) fn run(request: Request, output: &Output) -> Result<End> {
    let Request { experiment, mut selection, dir, resume, jobs, data } = request;
    let description = &experiment.description;
    let mut started = utc(SystemTime::now());
    if resume {
        let saved = check_same(&dir, description)?;
        selection = selection.joined(&saved.selection(), description);
        started = saved.started;
    } else {
        check_free(dir.root())?;
    }
    check_data(description, &selection, &data)?;
    let _lock = lock(dir.root())?;
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
    // Seed by seed, so that what is there after a stop compares the methods.
    let trials: Vec<Trial<'_>> = (0..selection.seeds)
        .flat_map(|seed| selection.cells.iter().map(move |id| (seed, id)))
        .filter_map(|(seed, id)| Some(Trial { cell: description.cell(id)?, seed, data: &data }))
        .filter(|trial| !dir.trial(trial.cell, trial.seed).exists())
        .collect();
    Ok(Work::new(&experiment, &dir, &trials, output).execute(jobs))
}

/// Keeps other processes out of the directory `root` until it is dropped, or the process ends in
/// whatever way.
fn lock(root: &Path) -> Result<fs::File> {
    fs::create_dir_all(root).with_context(|| root.display().to_string())?;
    let path = root.join(LOCK);
    let file = fs::File::create(&path).with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            bail!("{}: another transduct is at work in it", root.display())
        }
        // Some network file systems have no locks; the run is not worth losing for that.
        Err(fs::TryLockError::Error(_)) => Ok(file),
    }
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

/// Trials under way.
struct Work<'a> {
    experiment: &'a Experiment,
    dir: &'a ExperimentDir,
    trials: &'a [Trial<'a>],
    progress: Mutex<Progress>,
    next: AtomicUsize,
    failed: AtomicBool,
}

impl<'a> Work<'a> {
    fn new(
        experiment: &'a Experiment,
        dir: &'a ExperimentDir,
        trials: &'a [Trial<'a>],
        output: &Output,
    ) -> Self {
        Self {
            experiment,
            dir,
            trials,
            progress: Mutex::new(Progress::new(output.shows_progress(), trials.len() as u64)),
            next: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        }
    }

    fn execute(&self, jobs: usize) -> End {
        thread::scope(|scope| {
            for _ in 0..jobs.min(self.trials.len()) {
                scope.spawn(|| self.worker());
            }
        });
        self.progress().close();
        if self.next.load(Ordering::SeqCst) < self.trials.len() {
            return End::Interrupted;
        }
        if self.failed.load(Ordering::SeqCst) { End::Failed } else { End::Complete }
    }

    fn worker(&self) {
        while !interrupt::requested() {
            let next = self.next.fetch_add(1, Ordering::SeqCst);
            let Some(trial) = self.trials.get(next) else { break };
            let name = match self.trials.iter().any(|trial| trial.seed > 0) {
                true => format!("{} seed {}", trial.cell.id(), trial.seed),
                false => trial.cell.id(),
            };
            self.progress().start(name.clone());
            match self.trial(trial) {
                Ok(done) => {
                    let measure = &self.experiment.description.measure;
                    self.progress().finish(&name, &done, measure);
                }
                Err(error) => {
                    self.failed.store(true, Ordering::SeqCst);
                    let message = one_line(&error);
                    self.progress().fail(&name, &message);
                    // Where nothing can be written, the line on the screen is all there is.
                    let path = self.dir.failure(trial.cell, trial.seed);
                    let _ = write_json(&path, &Failure { message });
                }
            }
        }
    }

    /// Computes and records a trial. A panic, which only a mistake in the program can cause, costs
    /// this trial alone.
    fn trial(&self, trial: &Trial<'_>) -> Result<TrialRecord> {
        let start = Instant::now();
        let compute = AssertUnwindSafe(|| (self.experiment.compute)(trial));
        let score = catch_unwind(compute)
            .unwrap_or_else(|_| Err(anyhow!("this is a mistake in the program, see above")))?;
        let record = recorded(trial, score, start.elapsed().as_secs_f64())?;
        let path = self.dir.trial(trial.cell, trial.seed);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        write_json(&path, &record)?;
        remove(&self.dir.failure(trial.cell, trial.seed))?;
        Ok(record)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        record::{Named, read_json},
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
            jobs: 3,
            data: DataDir::at("nowhere"),
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
