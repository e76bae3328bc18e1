//! Runs: every method with every seed, recorded so that a stop at any moment loses little and
//! changes nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use transduct_adapt::registry::MethodDevice;
use transduct_core::{
    DeviceChoice,
    checkpoint::Checkpoint,
    data::{DataDir, Samples, TestSet, pictures::Skipped},
    observe::MetricsFile,
};

use crate::{
    cli::Output,
    config::{BASELINE, RunConfig, table::differences},
    device::{on_device, recorded},
    engine::{
        Attempt, End, Outcome, Queue, RESUMABLE, Shard, Task, Unit, check_free, lock, settle,
    },
    evaluate::{Evaluator, EvidenceRows},
    observer::PartObserver,
    plan::Plan,
    progress::Progress,
    record::{
        Change, DomainRecord, Done, FORMAT, Inputs, PartDir, RunDir, RunRecord, SampleImages,
        first_change, now, read_json, read_metrics, remove, write_atomic, write_json,
    },
    thumbnails::thumbnails,
};

/// A run to start or to go on with.
pub(crate) struct Request {
    /// What to run; not completed yet.
    pub(crate) config: RunConfig,
    /// Where it is recorded.
    pub(crate) dir: RunDir,
    /// Whether there is a run in `dir` to go on with.
    pub(crate) resume: bool,
    /// The parts that this process does; all when it is none. Processes of other shards may have
    /// begun the run.
    pub(crate) shard: Option<Shard>,
    /// Where data sets are.
    pub(crate) data: DataDir,
    /// Where to compute.
    pub(crate) device: DeviceChoice,
    /// The command line, for the record.
    pub(crate) command: Vec<String>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How it ended.
    pub(crate) end: End,
    /// The notes of its data, which were told when it began.
    pub(crate) told: Vec<String>,
}

/// Seconds spent on an unfinished (method, seed), all attempts together.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) seconds: f64,
}

/// The configuration of the run in `dir`.
///
/// # Errors
/// There is no run, or its configuration cannot be read.
pub(crate) fn saved_config(dir: &Path) -> Result<RunConfig> {
    let path = RunDir::new(dir).config();
    if !path.exists() {
        bail!("{}: there is no run to resume", dir.display());
    }
    RunConfig::read(&path)
}

/// Runs what was requested.
///
/// # Errors
/// The request cannot be met at all: a configuration or data that cannot be used, a directory that
/// is taken or cannot be written. What fails later, in one method and seed, is recorded there.
pub(crate) fn run(request: Request, output: &Output) -> Result<Ended> {
    let Request { config, dir, resume, shard, data, device, command } = request;
    // What is wrong with the directory is told before data are read.
    if resume {
        saved_config(dir.root())?;
    } else if shard.is_none() {
        check_free(dir.root(), RESUMABLE)?;
    }
    on_device!(device, |dev| {
        let plan = Plan::new(config, &data)?;
        {
            let _alone = lock(dir.root())?;
            // Another shard may have begun the run.
            if resume || (shard.is_some() && dir.config().exists()) {
                check_same(&dir, &plan)?;
            } else {
                check_free(dir.root(), RESUMABLE)?;
            }
            let samples = if dir.samples().exists() { None } else { thumbnails(&plan.data)? };
            start_record(&dir, &plan, samples.as_ref(), device, &command)?;
        }
        let notes = plan.notes.iter().chain(&plan.data.notes);
        notes.for_each(|note| output.note(format!("note: {note}")));
        let end =
            Training::new(&dev, &plan, output).execute(&Part::all(&plan, &dir), shard, output);
        Ok::<_, anyhow::Error>(Ended { end, told: plan.data.notes.clone() })
    })
}

/// Checks that the run in `dir` is of this plan's configuration.
pub(crate) fn check_same(dir: &RunDir, plan: &Plan) -> Result<()> {
    let saved = saved_config(dir.root())?.to_text()?.parse()?;
    let asked = plan.config.to_text()?.parse()?;
    // Where the data lie is no part of what they are: their digests decide.
    let inputs = match dir.inputs().exists() {
        true => read_json(&dir.inputs())?,
        false => Inputs::default(),
    };
    let differences: Vec<_> = differences(&saved, &asked)
        .into_iter()
        .filter(|(key, ..)| !inputs.identify(key))
        .map(|(key, saved, asked)| format!("{key} is {saved} there, {asked} now"))
        .collect();
    if differences.is_empty() {
        return check_inputs(dir, plan);
    }
    bail!(
        "{}: cannot resume with another configuration: {}",
        dir.root().display(),
        differences.join("; ")
    )
}

/// Checks that the files that the run in `dir` read are those that this plan read.
fn check_inputs(dir: &RunDir, plan: &Plan) -> Result<()> {
    if !dir.inputs().exists() {
        return Ok(());
    }
    let saved: Inputs = read_json(&dir.inputs())?;
    let now = &plan.data.inputs;
    for (what, path, saved, now) in [
        ("source", &plan.config.source, &saved.source, &now.source),
        ("target", &plan.config.target, &saved.target, &now.target),
    ] {
        let Some((name, change)) = first_change(saved, now) else { continue };
        let path = path.as_deref().unwrap_or_default();
        let file = match name {
            "" => path.to_owned(),
            name => format!("{name} of {path}"),
        };
        let how = match change {
            Change::Missing => "was there when the run began",
            Change::Changed => "has changed since the run began",
            Change::Added => "was not there when the run began",
        };
        bail!(
            "{}: cannot resume with other data: {file}, of the {what}, {how}; give --{what} where \
             the old file is, or another --out for a new run",
            dir.root().display()
        );
    }
    Ok(())
}

/// Writes what describes the run, where it is not there yet.
pub(crate) fn start_record(
    dir: &RunDir,
    plan: &Plan,
    samples: Option<&SampleImages>,
    device: DeviceChoice,
    command: &[String],
) -> Result<()> {
    // First: it says that there is a run, the rest of whose record is written when it is missing.
    if !dir.config().exists() {
        let text = plan.config.to_text()?;
        write_atomic(&dir.config(), |file| std::io::Write::write_all(file, text.as_bytes()))?;
    }
    let data = &plan.data;
    if !dir.samples().exists()
        && let Some(samples) = samples
    {
        samples.write(&dir.samples())?;
    }
    let truth = data.truth.as_ref();
    if !dir.run().exists() {
        let record = RunRecord {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            command: command.to_vec(),
            source: DomainRecord {
                name: data.source.name().to_owned(),
                training_rows: data.source.len(),
                evaluation_rows: data.source_validation.len(),
                labelled: true,
                scored_rows: None,
                unknown_classes: Vec::new(),
                absent_classes: Vec::new(),
                skipped: skipped(data.source.samples()),
            },
            target: DomainRecord {
                name: data.target.name().to_owned(),
                training_rows: data.target.len(),
                evaluation_rows: data.test.len(),
                labelled: data.truth.is_some(),
                scored_rows: truth.map(TestSet::scored).filter(|&n| n < data.test.len()),
                unknown_classes: truth.map(TestSet::unknown).unwrap_or_default(),
                absent_classes: truth.map(TestSet::absent).unwrap_or_default(),
                skipped: skipped(&data.test),
            },
            classes: data.source.classes().to_vec(),
            input: data.input(),
            methods: plan.config.methods.clone(),
            seeds: plan.config.seeds.clone(),
            validators: plan.config.evaluation.validators.clone(),
            device: recorded(device)?,
            started: now(),
            notes: data.notes.clone(),
        };
        write_json(&dir.inputs(), &data.inputs)?;
        write_json(&dir.run(), &record)?;
    }
    Ok(())
}

/// What lay beside the pictures of a domain.
fn skipped(samples: &Samples) -> Skipped {
    match samples {
        Samples::Pictures(pictures) => pictures.skipped().clone(),
        _ => Skipped::default(),
    }
}

/// A method with a seed, which has a result of its own.
pub(crate) struct Part<'a> {
    /// As a person calls it.
    pub(crate) name: String,
    /// What is run.
    pub(crate) plan: &'a Plan,
    /// Where its run is recorded.
    pub(crate) dir: &'a RunDir,
    /// The run whose baseline it begins with, if it begins with a model.
    pub(crate) first: &'a RunDir,
    /// The method.
    pub(crate) method: &'a str,
    /// The seed.
    pub(crate) seed: u64,
}

impl<'a> Part<'a> {
    /// The parts of a run, seed by seed, so that what is there after a stop compares the methods; those
    /// that begin with the model of another come last.
    fn all(plan: &'a Plan, dir: &'a RunDir) -> Vec<Self> {
        let config = &plan.config;
        let mut methods: Vec<&str> = config.methods.iter().map(String::as_str).collect();
        methods.sort_by_key(|method| plan.starts_from_model(method));
        let part = |seed, method| {
            let name = format!("{method} seed {seed}");
            Part { name, plan, dir, first: dir, method, seed }
        };
        let seeds = config.seeds.iter();
        seeds.flat_map(|&seed| methods.iter().map(move |&method| part(seed, method))).collect()
    }

    fn place(&self) -> PartDir {
        self.dir.part(self.method, self.seed)
    }

    /// The result that it begins with, of those that the run has.
    fn begins_with(&self) -> Option<PathBuf> {
        let own = self.plan.config.start.is_none() && self.plan.starts_from_model(self.method);
        own.then(|| self.first.part(BASELINE, self.seed).done())
    }
}

/// What parts are to the engine.
pub(crate) fn units(parts: &[Part<'_>]) -> Vec<Unit> {
    let unit = |part: &Part<'_>| {
        let first = part.begins_with();
        Unit {
            name: part.name.clone(),
            claim: part.place().claim(),
            parts: vec![part.place().done()],
            after: parts.iter().position(|other| first.as_ref() == Some(&other.place().done())),
        }
    };
    parts.iter().map(unit).collect()
}

/// Trains parts of runs on the same data.
pub(crate) struct Training<'a, D: MethodDevice> {
    dev: &'a D,
    evidence: EvidenceRows,
    progress: Progress,
}

impl<'a, D: MethodDevice> Training<'a, D> {
    /// On the data of `plan`.
    pub(crate) fn new(dev: &'a D, plan: &Plan, output: &Output) -> Self {
        let evidence = EvidenceRows::new(&plan.data, &plan.config.evaluation);
        Self { dev, evidence, progress: Progress::new(output.shows_progress()) }
    }

    /// Trains what this process has to do of `parts`, and says who is at work on the rest.
    pub(crate) fn execute(
        &mut self,
        parts: &[Part<'_>],
        shard: Option<Shard>,
        output: &Output,
    ) -> End {
        let units = units(parts);
        let queue = Queue::new(&units, shard);
        let left = queue.left();
        let steps = left.iter().map(|&(unit, _)| parts[unit].plan.config.training.steps);
        self.progress.expect(steps.sum());
        let mut begun = 0;
        queue.work(|task| {
            begun += 1;
            self.attempt(&parts[task.unit], &units[task.unit], task, (begun, left.len()))
        });
        self.progress.close();
        queue.elsewhere().iter().for_each(|note| output.note(format!("note: {note}")));
        queue.end()
    }

    /// Does a part, the `index`th of `all`.
    fn attempt(
        &mut self,
        part: &Part<'_>,
        unit: &Unit,
        task: &mut Task,
        (index, all): (usize, usize),
    ) -> Outcome {
        self.progress.start(&part.name, (index, all));
        let failed = part.place().failed();
        match task.attempt(unit, &failed, |task| self.train(part, task)) {
            Attempt::Done(done) => {
                self.progress.finish(&done);
                Outcome::Done
            }
            Attempt::Failed(message) => {
                self.progress.fail(&message);
                Outcome::Failed
            }
            Attempt::Stopped => Outcome::Stopped,
        }
    }

    /// One method with one seed.
    fn train(&mut self, of: &Part<'_>, task: &Task) -> Result<Done> {
        let (&Part { plan, method, seed, .. }, part) = (of, &of.place());
        remove(&part.failed())?;
        let start = plan.start(of.first, method, seed)?;
        let mut trainer = plan.trainer(self.dev, method, seed, start.as_deref())?;
        let mut evaluator = Evaluator::new(
            self.dev,
            &plan.data,
            &self.evidence,
            &plan.config.evaluation,
            part.clone(),
            plan.card(method, seed)?,
            trainer.config().steps,
        )?;
        let mut spent = Spent::default();
        let path = part.checkpoint();
        if path.exists() {
            trainer.restore(&path.display().to_string(), &Checkpoint::load(&path)?)?;
            spent = read_json(&part.spent()).unwrap_or_default();
        }
        let step = trainer.step();
        let steps = trainer.config().steps;
        self.progress.resume(step, steps);
        let metrics = MetricsFile::open(&part.metrics(), step)?;
        evaluator.restore(&read_metrics(&part.metrics())?);
        let mut observer =
            PartObserver::new(part, seed, metrics, evaluator, &mut self.progress, spent);
        trainer.run(&mut [&mut observer], &|| task.stopped())?;
        let done = observer.done.context("a training that did not end")?;
        settle(&part.done(), &done, Done::differs)?;
        remove(&part.spent())?;
        Ok(done)
    }
}
