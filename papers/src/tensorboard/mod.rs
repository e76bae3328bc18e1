//! The metrics of a run as event files, which TensorBoard shows.
//!
//! Each method and seed has a folder with one file, so that TensorBoard takes it for a run of its own. The
//! files depend on the metrics alone: these have no times, so that the time of an event is its step, in
//! seconds.

mod event;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::Serialize;

use crate::{
    record::{Evaluation, Line, StepMeans, write_atomic},
    report::{Run, run_dir},
};
use event::{Events, Scalar};

/// The name of every event file: TensorBoard looks for `tfevents`, and orders files by the number.
const FILE: &str = "events.out.tfevents.0.transduct";

/// What was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Exported {
    /// The folder that TensorBoard is given.
    pub(crate) logs: PathBuf,
    /// The files, each of a method and a seed.
    pub(crate) files: Vec<ExportedFile>,
    /// What could not be read.
    pub(crate) notes: Vec<String>,
}

/// An event file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ExportedFile {
    pub(crate) method: String,
    pub(crate) seed: u64,
    /// Its path.
    pub(crate) file: PathBuf,
    /// The number of its events, each of one step.
    pub(crate) events: usize,
}

/// Writes an event file for each method and seed of the run in `dir` that has metrics, in
/// `logs`/method/seed-n, instead of that of an earlier export.
///
/// # Errors
/// `dir` holds no run, or one without metrics; or a file cannot be written.
pub(crate) fn export(dir: &Path, logs: &Path) -> Result<Exported> {
    let dir = run_dir(dir)?;
    let run = Run::curves(&dir)?;
    let mut exported = Exported { logs: logs.to_owned(), files: Vec::new(), notes: run.notes };
    for method in &run.methods {
        for part in &method.parts {
            let lines = lines(&part.steps, &part.evaluations);
            if lines.is_empty() {
                continue;
            }
            let mut events = Events::new();
            for line in &lines {
                let (step, scalars) = scalars(line);
                events.add(step, &scalars);
            }
            let folder = logs.join(&method.name).join(format!("seed-{}", part.seed));
            let file = folder.join(FILE);
            write_atomic(&file, |out| std::io::Write::write_all(out, events.bytes()))?;
            let (method, seed) = (method.name.clone(), part.seed);
            exported.files.push(ExportedFile { method, seed, file, events: lines.len() });
        }
    }
    if exported.files.is_empty() {
        bail!("{}: the run has no metrics yet", dir.root().display());
    }
    Ok(exported)
}

/// The lines of a part in the order of their steps.
fn lines(steps: &[StepMeans], evaluations: &[Evaluation]) -> Vec<Line> {
    let steps = steps.iter().cloned().map(Line::Step);
    let mut lines: Vec<Line> =
        steps.chain(evaluations.iter().cloned().map(Line::Evaluation)).collect();
    lines.sort_by_key(|line| match line {
        Line::Step(means) => means.step,
        Line::Evaluation(evaluation) => evaluation.step,
    });
    lines
}

/// What a line measured, by names that TensorBoard groups by what is before the slash.
fn scalars(line: &Line) -> (u64, Vec<Scalar>) {
    let mut scalars = Vec::new();
    let mut add = |group: &str, name: &str, value: f64| {
        scalars.push(Scalar { tag: format!("{group}/{name}"), value: value as f32 });
    };
    let step = match line {
        Line::Step(means) => {
            means.losses.iter().for_each(|(name, value)| add("loss", name, *value));
            add("training", "rate", means.rate);
            if let Some(norm) = means.gradient_norm {
                add("training", "gradient-norm", norm);
            }
            means.step
        }
        Line::Evaluation(evaluation) => {
            add("accuracy", "source-validation", evaluation.source_validation_accuracy);
            evaluation.validators.iter().for_each(|(name, value)| add("validator", name, *value));
            evaluation.readings.iter().for_each(|(name, value)| add("reading", name, *value));
            if let Some(oracle) = evaluation.oracle {
                add("oracle", "target-accuracy", oracle.target_accuracy);
            }
            evaluation.step
        }
    };
    (step, scalars)
}
