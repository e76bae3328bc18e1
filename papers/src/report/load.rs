//! What a run directory still holds. Whatever is missing or damaged becomes a note, not an error,
//! since the rest of the run is worth a report.

use std::{fmt::Display, fs};

use crate::record::{
    Done, Evaluation, Failure, Line, ModelOutputs, PartDir, RecordError, RunDir, RunRecord,
    SampleImages, StepMeans, read_json,
};

/// A run, as far as it can be read.
pub(crate) struct Run {
    pub(crate) record: RunRecord,
    /// The text of `config.toml`.
    pub(crate) config: Option<String>,
    pub(crate) samples: Option<SampleImages>,
    pub(crate) methods: Vec<Method>,
    /// What could not be read, one line each.
    pub(crate) notes: Vec<String>,
}

/// The seeds of one method, in the run's order.
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) parts: Vec<Part>,
}

/// One (method, seed).
pub(crate) struct Part {
    pub(crate) seed: u64,
    pub(crate) state: State,
    pub(crate) steps: Vec<StepMeans>,
    pub(crate) evaluations: Vec<Evaluation>,
    pub(crate) outputs: Option<ModelOutputs>,
}

/// How far a (method, seed) came.
pub(crate) enum State {
    Finished(Done),
    Failed(Failure),
    Unfinished,
}

impl Part {
    fn new(seed: u64, state: State) -> Self {
        Self { seed, state, steps: Vec::new(), evaluations: Vec::new(), outputs: None }
    }

    pub(crate) fn done(&self) -> Option<&Done> {
        match &self.state {
            State::Finished(done) => Some(done),
            _ => None,
        }
    }

    /// The last step that the metrics know of.
    pub(crate) fn last_step(&self) -> Option<u64> {
        let step = self.steps.last().map(|line| line.step);
        step.max(self.evaluations.last().map(|line| line.step))
    }
}

impl Method {
    pub(crate) fn finished(&self) -> impl Iterator<Item = (u64, &Done)> {
        self.parts.iter().filter_map(|part| Some((part.seed, part.done()?)))
    }

    /// The outputs that could be read, by seed.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (u64, &ModelOutputs)> {
        self.parts.iter().filter_map(|part| Some((part.seed, part.outputs.as_ref()?)))
    }
}

impl Run {
    /// Reads a run directory.
    ///
    /// # Errors
    /// `run.json`, without which nothing else can be understood, is missing, malformed or of another
    /// format.
    pub(crate) fn read(dir: &RunDir) -> Result<Self, RecordError> {
        let mut run = Self::curves(dir)?;
        let mut notes = Notes::of(dir, std::mem::take(&mut run.notes));
        if dir.samples().exists() {
            run.samples = notes.keep(SampleImages::read(&dir.samples()));
        }
        let known = run.record.classes.len();
        let classes = (known, known + run.record.target.unknown_classes.len());
        for method in &mut run.methods {
            for part in &mut method.parts {
                if part.done().is_some() {
                    let paths = dir.part(&method.name, part.seed);
                    part.outputs = read_outputs(&paths, classes, &mut notes);
                }
            }
        }
        run.notes = notes.notes;
        Ok(run)
    }

    /// Reads the curves too, without outputs and pictures.
    ///
    /// # Errors
    /// As [`Run::read`].
    pub(crate) fn curves(dir: &RunDir) -> Result<Self, RecordError> {
        let mut run = Self::outline(dir)?;
        let mut notes = Notes::of(dir, std::mem::take(&mut run.notes));
        for method in &mut run.methods {
            for part in &mut method.parts {
                read_curves(part, &dir.part(&method.name, part.seed), &mut notes);
            }
        }
        run.notes = notes.notes;
        Ok(run)
    }

    /// Reads the configuration and how far each part came, without curves, outputs and pictures.
    ///
    /// # Errors
    /// As [`Run::read`].
    pub(crate) fn outline(dir: &RunDir) -> Result<Self, RecordError> {
        let record = RunRecord::read(dir)?;
        let mut notes = Notes::of(dir, Vec::new());
        let config = fs::read_to_string(dir.config())
            .map_err(|e| notes.add(format!("{}: {e}", dir.config().display())))
            .ok();
        let methods = record.methods.iter().map(|name| Method {
            name: name.clone(),
            parts: record
                .seeds
                .iter()
                .map(|&seed| Part::new(seed, read_state(&dir.part(name, seed), &mut notes)))
                .collect(),
        });
        let methods = methods.collect();
        Ok(Self { record, config, samples: None, methods, notes: notes.notes })
    }
}

/// Collects what could not be read; paths are given relative to the run directory.
struct Notes {
    root: String,
    notes: Vec<String>,
}

impl Notes {
    fn of(dir: &RunDir, notes: Vec<String>) -> Self {
        Self { root: dir.root().display().to_string(), notes }
    }

    fn add(&mut self, note: impl Display) {
        let note = note.to_string();
        let inside = note.strip_prefix(&self.root).map(|n| n.trim_start_matches(['/', '\\']));
        self.notes.push(inside.unwrap_or(&note).to_owned());
    }

    fn keep<T>(&mut self, result: Result<T, RecordError>) -> Option<T> {
        result.map_err(|e| self.add(e)).ok()
    }
}

fn read_state(paths: &PartDir, notes: &mut Notes) -> State {
    let done = match paths.done().exists() {
        true => notes.keep(read_json(&paths.done())),
        false => None,
    };
    match done {
        Some(done) => State::Finished(done),
        None if paths.failed().exists() => State::Failed(
            notes
                .keep(read_json(&paths.failed()))
                .unwrap_or(Failure { message: "the reason is unreadable".to_owned() }),
        ),
        None => State::Unfinished,
    }
}

fn read_curves(part: &mut Part, paths: &PartDir, notes: &mut Notes) {
    let path = paths.metrics();
    match fs::read_to_string(&path) {
        Ok(text) => {
            for (i, line) in text.lines().enumerate() {
                match serde_json::from_str(line) {
                    Ok(Line::Step(step)) => part.steps.push(step),
                    Ok(Line::Evaluation(evaluation)) => part.evaluations.push(evaluation),
                    Err(e) => {
                        let reason = "the curves end before it";
                        notes.add(format!("{}: line {}: {e}; {reason}", path.display(), i + 1));
                        break;
                    }
                }
            }
        }
        Err(e) if part.done().is_some() => notes.add(format!("{}: {e}", path.display())),
        Err(_) => {}
    }
}

/// `classes` are those of the models, and those of the target's rows.
fn read_outputs(
    paths: &PartDir,
    (classes, labelled): (usize, usize),
    notes: &mut Notes,
) -> Option<ModelOutputs> {
    notes.keep(ModelOutputs::read(&paths.outputs())).filter(|outputs| {
        let domains = [(&outputs.source, classes), (&outputs.target, labelled)];
        let known = domains.iter().all(|(domain, labelled)| {
            let mut labels = domain.labels.iter().flatten().flatten();
            domain.predictions.iter().all(|&class| class < classes)
                && labels.all(|&class| class < *labelled)
        });
        if !known {
            let path = paths.outputs();
            notes.add(format!("{}: a class that run.json does not name", path.display()));
        }
        known
    })
}
