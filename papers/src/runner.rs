//! Runs: every method with every seed, recorded so that a stop at any moment loses little and
//! changes nothing.

use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow, bail};
use ndarray::Array4;
use serde::{Deserialize, Serialize};
use transduct_adapt::registry::MethodDevice;
use transduct_core::{
    DeviceChoice, Error,
    checkpoint::Checkpoint,
    data::{DataDir, Samples, TestSet, pictures::Skipped, read::InputFile},
    observe::MetricsFile,
};

use crate::{
    claim::{Asked, Claim, Owner, Shard},
    cli::{Output, one_line},
    config::{BASELINE, RunConfig, table::differences},
    device::{on_device, recorded},
    evaluate::{Evaluator, EvidenceRows},
    interrupt,
    observer::PartObserver,
    plan::Plan,
    progress::Progress,
    record::{
        DomainRecord, Done, FORMAT, Failure, Inputs, PartDir, RunDir, RunRecord, SampleImages,
        read_json, read_metrics, write_atomic, write_json,
    },
};

/// The most images of a domain that the report can show.
const SAMPLE_IMAGES: usize = 40;

/// The file that keeps other processes out of an experiment's directory. It stays, unlocked.
pub(crate) const LOCK: &str = ".lock";

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

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every method has a result for every seed.
    Complete,
    /// Some have none; why is recorded, and was told.
    Failed,
    /// What this process has to do is done; other processes are at work on the rest, or it is
    /// theirs to do.
    Shared,
    /// Somebody asked to stop; it can be resumed.
    Interrupted,
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
    let resume = resume || (shard.is_some() && dir.config().exists());
    if !resume {
        check_free(dir.root())?;
    }
    on_device!(device, |dev| {
        let plan = Plan::new(config, &data)?;
        if resume {
            check_same(&dir, &plan)?;
        }
        let notes = plan.notes.iter().chain(&plan.data.notes);
        notes.for_each(|note| output.note(format!("note: {note}")));
        fs::create_dir_all(dir.root()).with_context(|| dir.root().display().to_string())?;
        start_record(&dir, &plan, device, command)?;
        let mut run = Run::new(&dev, &plan, &dir, output);
        let end = run.execute(shard)?;
        run.elsewhere.iter().for_each(|note| output.note(format!("note: {note}")));
        Ok::<_, anyhow::Error>(Ended { end, told: plan.data.notes })
    })
}

/// Checks that there is nothing in the directory `root`.
pub(crate) fn check_free(root: &Path) -> Result<()> {
    let taken = match fs::read_dir(root) {
        Ok(entries) => entries.flatten().any(|entry| entry.file_name() != LOCK),
        Err(_) if !root.exists() => false,
        Err(error) => return Err(error).context(root.display().to_string()),
    };
    if taken {
        bail!(
            "{}: exists and is not empty; give --resume to go on with the run in it, or another --out",
            root.display()
        );
    }
    Ok(())
}

/// Checks that the run in `dir` is of this plan's configuration.
fn check_same(dir: &RunDir, plan: &Plan) -> Result<()> {
    let saved = saved_config(dir.root())?.to_text()?.parse()?;
    let asked = plan.config.to_text()?.parse()?;
    let of_path = |key: &str| {
        // Where the data lie is no part of what they are: their digests decide.
        matches!(key, "source" | "target") || key.ends_with("_files.labels_file")
    };
    let differences: Vec<_> = differences(&saved, &asked)
        .into_iter()
        .filter(|(key, ..)| !of_path(key) || !dir.inputs().exists())
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
        let path = path.as_deref().unwrap_or_default();
        let file = |name: &str| match name {
            "" => path.to_owned(),
            name => format!("{name} of {path}"),
        };
        let refuse = |name: &str, how: &str| {
            let (dir, file) = (dir.root().display(), file(name));
            bail!(
                "{dir}: cannot resume with other data: {file}, of the {what}, {how}; give --{what} \
                 where the old file is, or another --out for a new run"
            )
        };
        let (old, new) = (by_name(saved), by_name(now));
        for (name, digest) in &old {
            match new.get(name) {
                None => return refuse(name, "was there when the run began"),
                Some(now) if now != digest => {
                    return refuse(name, "has changed since the run began");
                }
                Some(_) => {}
            }
        }
        if let Some(name) = new.keys().find(|name| !old.contains_key(*name)) {
            return refuse(name, "was not there when the run began");
        }
    }
    Ok(())
}

fn by_name(files: &[InputFile]) -> BTreeMap<&str, &str> {
    files.iter().map(|file| (file.name.as_str(), file.sha256.as_str())).collect()
}

/// Writes what describes the run, where it is not there yet.
fn start_record(
    dir: &RunDir,
    plan: &Plan,
    device: DeviceChoice,
    command: Vec<String>,
) -> Result<()> {
    let data = &plan.data;
    if !dir.samples().exists()
        && let Some(samples) = sample_images(plan)?
    {
        samples.write(&dir.samples())?;
    }
    let truth = data.truth.as_ref();
    if !dir.run().exists() {
        let record = RunRecord {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            command,
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
            started: utc(SystemTime::now()),
            notes: data.notes.clone(),
        };
        write_json(&dir.run(), &record)?;
        write_json(&dir.inputs(), &data.inputs)?;
    }
    if !dir.config().exists() {
        let text = plan.config.to_text()?;
        write_atomic(&dir.config(), |file| std::io::Write::write_all(file, text.as_bytes()))?;
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

fn sample_images(plan: &Plan) -> Result<Option<SampleImages>> {
    let some = |samples: &Samples| {
        let n = samples.len();
        let shown = n.min(SAMPLE_IMAGES);
        // Evenly from all rows: files are often in the order of the classes.
        let index: Vec<usize> = (0..shown).map(|i| i * n / shown).collect();
        let images = samples.images(&index)?;
        Ok::<_, anyhow::Error>(images.map(|images| (visible(&images), index)))
    };
    let source = some(plan.data.source_validation.samples())?;
    let target = some(&plan.data.test)?;
    Ok(source.zip(target).map(|((source, source_index), (target, target_index))| SampleImages {
        source,
        source_index,
        target,
        target_index,
    }))
}

/// Grey levels of images that should lie in [0, 1]; where a normalisation has moved them, each
/// image's own range becomes 0 to 255.
fn visible(images: &Array4<f32>) -> Array4<u8> {
    let mut visible = Array4::zeros(images.raw_dim());
    for (image, mut visible) in images.outer_iter().zip(visible.outer_iter_mut()) {
        let low = image.fold(0f32, |low, &v| low.min(v));
        let high = image.fold(1f32, |high, &v| high.max(v));
        visible.zip_mut_with(&image, |level: &mut u8, &v| {
            *level = (255.0 * (v - low) / (high - low)).round() as u8;
        });
    }
    visible
}

/// `2026-11-24T07:00:00Z`. The days are counted as in Howard Hinnant's `civil_from_days`, from
/// 1 March of year 0, so that leap days end a year.
pub(crate) fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Between two looks at what other processes have finished.
const PATIENCE: Duration = Duration::from_secs(1);

/// A method with a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part<'a> {
    method: &'a str,
    seed: u64,
}

/// What came of a part.
enum Attempt {
    /// It has a result.
    Done,
    /// It has none, and why is recorded.
    Failed,
    /// Another process works on it.
    Theirs,
    /// Another process works on the model that it begins with.
    Waits,
    /// Somebody asked to stop.
    Interrupted,
}

/// What came of asking for a part.
enum Claimed {
    Ours(Claim),
    Theirs(Owner),
    /// Another process works on the model that it begins with.
    Waits,
    Done,
}

/// A run under way.
struct Run<'a, D: MethodDevice> {
    dev: &'a D,
    plan: &'a Plan,
    dir: &'a RunDir,
    evidence: EvidenceRows,
    progress: Progress,
    /// Who is at work on what this process has left to others.
    elsewhere: Vec<String>,
}

impl<'a, D: MethodDevice> Run<'a, D> {
    fn new(dev: &'a D, plan: &'a Plan, dir: &'a RunDir, output: &Output) -> Self {
        let config = &plan.config;
        let evidence = EvidenceRows::new(&plan.data, &config.evaluation);
        let progress = Progress::new(output.shows_progress());
        Self { dev, plan, dir, evidence, progress, elsewhere: Vec::new() }
    }

    /// Every method with every seed, seed by seed, so that what is there after a stop compares
    /// the methods; those that begin with the model of another come last. Parts on which another
    /// process is at work are left to it.
    fn execute(&mut self, shard: Option<Shard>) -> Result<End> {
        let mut parts = self.parts(shard)?;
        let open = |part: &&Part<'_>| !self.dir.part(part.method, part.seed).done().exists();
        let steps = self.plan.config.training.steps * parts.iter().filter(open).count() as u64;
        self.progress.expect(steps);
        let (all, mut begun, mut failed) = (parts.len(), 0, false);
        while !parts.is_empty() {
            let mut waiting = Vec::new();
            for part in parts {
                match self.attempt(part, &mut begun, all) {
                    Attempt::Done | Attempt::Theirs => {}
                    Attempt::Failed => failed = true,
                    Attempt::Waits => waiting.push(part),
                    Attempt::Interrupted => {
                        self.progress.close();
                        return Ok(End::Interrupted);
                    }
                }
            }
            parts = waiting;
            if !parts.is_empty() {
                thread::sleep(PATIENCE);
            }
        }
        self.progress.close();
        let config = &self.plan.config;
        let unfinished = config.seeds.iter().any(|&seed| {
            config.methods.iter().any(|method| !self.dir.part(method, seed).done().exists())
        });
        Ok(match (failed, unfinished) {
            (true, _) => End::Failed,
            (false, true) => End::Shared,
            (false, false) => End::Complete,
        })
    }

    /// What this process does, in order. A part goes with the one whose model it begins with.
    fn parts(&self, shard: Option<Shard>) -> Result<Vec<Part<'a>>> {
        let config = &self.plan.config;
        let mut methods: Vec<&str> = config.methods.iter().map(String::as_str).collect();
        methods.sort_by_key(|method| self.plan.starts_from_model(method));
        let all: Vec<Part<'a>> = (config.seeds.iter())
            .flat_map(|&seed| methods.iter().map(move |&method| Part { method, seed }))
            .collect();
        let unit = |i: usize, part: &Part<'_>| match self.begins_with(part) {
            Some(first) => all.iter().position(|other| *other == first).unwrap_or(i),
            None => i,
        };
        let ours = |i: usize, part: &Part<'_>| shard.is_none_or(|shard| shard.has(unit(i, part)));
        let parts = all.iter().enumerate().filter(|(i, part)| ours(*i, part));
        Ok(parts.map(|(_, part)| *part).collect())
    }

    /// The part of this run whose model this one begins with.
    fn begins_with(&self, part: &Part<'_>) -> Option<Part<'static>> {
        let own = self.plan.starts_from_model(part.method) && self.plan.config.start.is_none();
        own.then_some(Part { method: BASELINE, seed: part.seed })
    }

    /// Does a part, unless somebody else does. `all` is the number of parts of this process, of which
    /// `begun` are done or were begun.
    fn attempt(&mut self, unit: Part<'a>, begun: &mut usize, all: usize) -> Attempt {
        if interrupt::requested() {
            return Attempt::Interrupted;
        }
        let Part { method, seed } = unit;
        let part = self.dir.part(method, seed);
        let claim = match self.claim(&unit) {
            Ok(Claimed::Ours(claim)) => Ok(claim),
            Ok(Claimed::Waits) => return Attempt::Waits,
            Ok(Claimed::Theirs(owner)) => {
                self.elsewhere.push(format!("{method} seed {seed}: {owner} is at work on it"));
                return Attempt::Theirs;
            }
            Ok(Claimed::Done) => {
                *begun += 1;
                return Attempt::Done;
            }
            Err(error) => Err(error),
        };
        *begun += 1;
        self.progress.start((method, seed), (*begun, all));
        match claim.and_then(|_claim| self.part(&part, method, seed)) {
            Ok(done) => {
                self.progress.finish(&done);
                Attempt::Done
            }
            Err(error) if is_interruption(&error) => Attempt::Interrupted,
            Err(error) => {
                let message = one_line(&error);
                self.progress.fail(&message);
                // Where nothing can be written, the line on the screen is all there is.
                let _ = write_json(&part.failed(), &Failure { message });
                Attempt::Failed
            }
        }
    }

    /// Asks for a part.
    fn claim(&self, unit: &Part<'_>) -> Result<Claimed> {
        if let Some(Part { method, seed }) = self.begins_with(unit) {
            let first = self.dir.part(method, seed);
            if !first.done().exists() && at_work(&first.claim())? {
                return Ok(Claimed::Waits);
            }
        }
        let part = self.dir.part(unit.method, unit.seed);
        if part.done().exists() {
            return Ok(Claimed::Done);
        }
        fs::create_dir_all(part.root()).with_context(|| part.root().display().to_string())?;
        let path = part.claim();
        Ok(match Claim::ask(&path).with_context(|| path.display().to_string())? {
            // Another process may have finished it since.
            Asked::Ours(_) if part.done().exists() => Claimed::Done,
            Asked::Ours(claim) => Claimed::Ours(claim),
            Asked::Theirs(owner) => Claimed::Theirs(owner),
        })
    }

    /// One method with one seed. A panic, which only a mistake in the program can cause, costs
    /// this part alone.
    fn part(&mut self, part: &PartDir, method: &str, seed: u64) -> Result<Done> {
        catch_unwind(AssertUnwindSafe(|| self.train(part, method, seed)))
            .unwrap_or_else(|_| Err(anyhow!("this is a mistake in the program, see above")))
    }

    fn train(&mut self, part: &PartDir, method: &str, seed: u64) -> Result<Done> {
        fs::create_dir_all(part.root()).with_context(|| part.root().display().to_string())?;
        remove(&part.failed())?;
        let start = self.plan.start(self.dir, method, seed)?;
        let mut trainer = self.plan.trainer(self.dev, method, seed, start.as_deref())?;
        let mut evaluator = Evaluator::new(
            self.dev,
            &self.plan.data,
            &self.evidence,
            &self.plan.config.evaluation,
            part.clone(),
            self.plan.card(method, seed)?,
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
        trainer.run(&mut [&mut observer], &interrupt::requested)?;
        let done = observer.done.context("a training that did not end")?;
        write_json(&part.done(), &done)?;
        remove(&part.spent())?;
        Ok(done)
    }
}

/// Whether somebody alive holds the claim at `path`.
fn at_work(path: &Path) -> Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    // Asking takes a dead owner's claim away.
    let asked = Claim::ask(path).with_context(|| path.display().to_string())?;
    Ok(matches!(asked, Asked::Theirs(_)))
}

fn is_interruption(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Interrupted { .. }))
}

/// Removes a file that need not be there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context(path.display().to_string())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn times_are_utc() {
        let at = |seconds| utc(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn images_beyond_their_range_are_stretched() {
        let image = array![[[[0.0f32, 1.0]]], [[[-1.0, 1.0]]], [[[0.5, 3.0]]]];
        let wanted = array![[[[0u8, 255]]], [[[0, 255]]], [[[43, 255]]]];
        assert_eq!(visible(&image), wanted);
    }
}
