//! Runs side by side: what each method reached in each, and the paired differences to the first run.

mod table;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::Serialize;
use toml::Table;
use transduct_core::{data::read::InputFile, suggest};

pub use table::{csv, markdown, terminal};

use super::{
    load::{Method, Run},
    run_dir,
};
use crate::{
    config::table::{NOT_SET, differences},
    record::{Done, Inputs, ModelOutputs, RunDir, first_change, read_json},
    stats::{PairedDifference, Spread},
};

/// Runs side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The runs; the others are compared with the first.
    pub runs: Vec<ComparedRun>,
    /// What each method reached in each run.
    pub methods: Vec<ComparedMethod>,
    /// What could not be read.
    pub notes: Vec<String>,
}

/// One run of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedRun {
    /// Its directory.
    pub dir: PathBuf,
    /// The labelled domain.
    pub source: String,
    /// The domain adapted to.
    pub target: String,
    /// Whether accuracies on the target are known.
    pub target_labelled: bool,
    /// The number of its parts, of a method and a seed each, that have a result.
    pub finished: usize,
    /// The number of all its parts.
    pub parts: usize,
    /// Its default validator, whose choices are compared.
    pub validator: Option<String>,
    /// The keys of its configuration that have another value than in the first run.
    pub configuration: Vec<Difference>,
    /// Why its accuracies are not comparable with those of the first run; empty where they are.
    pub not_comparable: Vec<String>,
}

/// A key of the configuration that two runs do not share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its dotted path.
    pub key: String,
    /// Its value in the first run.
    pub first: String,
    /// Its value in this run.
    pub here: String,
}

/// One method over the runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedMethod {
    /// The method.
    pub method: String,
    /// What it reached, a run each; none where it was not asked for.
    pub runs: Vec<Option<Reached>>,
}

/// What a method reached in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reached {
    /// The seeds that have a result.
    pub seeds: Vec<u64>,
    /// The final model.
    #[serde(rename = "final")]
    pub last: Accuracy,
    /// The model that the run's default validator chose.
    pub chosen: Accuracy,
    /// The model that target labels chose.
    pub oracle: Accuracy,
}

/// Target accuracy over the seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// A share in [0, 1]; none where no seed has one.
    pub target_accuracy: Option<Spread>,
    /// Its difference to the first run over the seeds that both finished; none for the first run, where
    /// no seed is in both, and where the runs are not comparable.
    pub difference: Option<PairedDifference>,
}

/// A run, and where it lies.
struct Read {
    dir: RunDir,
    run: Run,
    config: Option<Table>,
}

impl Comparison {
    /// Compares the runs in these directories, with the first, on all their methods or on `methods`.
    ///
    /// # Errors
    /// A directory holds no run, or one of another format; or no run has a method of `methods`.
    pub fn of(dirs: &[PathBuf], methods: &[String]) -> Result<Self> {
        let mut notes = Vec::new();
        let runs: Vec<Read> =
            dirs.iter().map(|dir| Read::new(dir, &mut notes)).collect::<Result<_>>()?;
        let Some((first, _)) = runs.split_first() else { bail!("there is nothing to compare") };
        let compared: Vec<_> = runs
            .iter()
            .enumerate()
            .map(|(i, read)| ComparedRun::of(read, (i > 0).then_some(first), &mut notes))
            .collect();
        let names = names(&runs, methods)?;
        let methods = names.iter().map(|name| ComparedMethod {
            method: name.clone(),
            runs: runs
                .iter()
                .zip(&compared)
                .enumerate()
                .map(|(i, (read, run))| {
                    let method = read.method(name)?;
                    let reference = if i > 0 && run.not_comparable.is_empty() {
                        first.method(name).map(|method| (method, first.validator()))
                    } else {
                        None
                    };
                    Some(Reached::of(method, read.validator(), reference))
                })
                .collect(),
        });
        Ok(Self { methods: methods.collect(), runs: compared, notes })
    }
}

/// The methods to compare: those that were asked for, else all, as the runs name them one after another.
fn names(runs: &[Read], asked: &[String]) -> Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for name in runs.iter().flat_map(|read| &read.run.record.methods) {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    if asked.is_empty() {
        return Ok(all);
    }
    for name in asked {
        if !all.contains(name) {
            let near = match suggest::nearest(name, all.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("they have `{}`", all.join("`, `")),
            };
            bail!("--method {name}: none of the runs has it; {near}");
        }
    }
    Ok(all.into_iter().filter(|name| asked.contains(name)).collect())
}

impl Read {
    fn new(root: &Path, notes: &mut Vec<String>) -> Result<Self> {
        let dir = run_dir(root)?;
        let mut run = Run::outline(&dir)?;
        let told = |note: &String| format!("{}: {note}", root.display());
        notes.extend(run.notes.iter().map(told));
        let parsed = run.config.take().map(|text| text.parse::<Table>());
        let config = parsed.and_then(|parsed| {
            let told = |e: toml::de::Error| {
                notes.push(format!("{}: {}", dir.config().display(), e.message()));
            };
            parsed.map_err(told).ok()
        });
        Ok(Self { dir, run, config })
    }

    fn method(&self, name: &str) -> Option<&Method> {
        self.run.methods.iter().find(|method| method.name == name)
    }

    fn validator(&self) -> Option<&str> {
        self.run.record.validators.first().map(String::as_str)
    }
}

impl ComparedRun {
    /// `first` is the run that this one is compared with; none for that run itself.
    fn of(read: &Read, first: Option<&Read>, notes: &mut Vec<String>) -> Self {
        let record = &read.run.record;
        let configuration = match first.map(|first| (&first.config, &read.config)) {
            Some((Some(first), Some(here))) => differences(first, here)
                .into_iter()
                .filter(|(key, first, here)| !of_one_run(key, [first, here]))
                .map(|(key, first, here)| Difference { key, first, here })
                .collect(),
            _ => Vec::new(),
        };
        Self {
            dir: read.dir.root().to_owned(),
            source: record.source.name.clone(),
            target: record.target.name.clone(),
            target_labelled: record.target.labelled,
            finished: read.run.methods.iter().map(|method| method.finished().count()).sum(),
            parts: record.methods.len() * record.seeds.len(),
            validator: read.validator().map(str::to_owned),
            configuration,
            not_comparable: first.map_or(Vec::new(), |first| not_comparable(first, read, notes)),
        }
    }
}

/// Whether a key holds the options of a method that only one of the runs has, which `methods` says.
fn of_one_run(key: &str, values: [&str; 2]) -> bool {
    let whole = key.strip_prefix("method.").is_some_and(|method| !method.contains('.'));
    (whole || key == "method") && values.contains(&NOT_SET)
}

/// What makes accuracies of two runs no measurement of one thing.
fn not_comparable(first: &Read, here: &Read, notes: &mut Vec<String>) -> Vec<String> {
    let mut reasons = Vec::new();
    let (a, b) = (&first.run.record, &here.run.record);
    if a.classes != b.classes {
        reasons.push(format!("its classes {}", classes(&a.classes, &b.classes)));
    }
    let of_target = |read: &Read| -> Vec<InputFile> {
        let inputs: Result<Inputs, _> = read_json(&read.dir.inputs());
        inputs.map(|inputs| inputs.target).unwrap_or_default()
    };
    let (files_a, files_b) = (of_target(first), of_target(here));
    if files_a.is_empty() || files_b.is_empty() {
        // Registered data have no digests here: their names stand for them.
        if a.target.name != b.target.name {
            reasons.push(format!("its target is {}, not {}", b.target.name, a.target.name));
        }
    } else if let Some(how) = files(&files_a, &files_b) {
        reasons.push(format!("its target has other files: {how}"));
    }
    match (a.target.labelled, b.target.labelled) {
        (true, false) => reasons.push("its target has no labels".to_owned()),
        (false, true) => reasons.push("its target has labels, that of A has none".to_owned()),
        _ => {}
    }
    for (what, a, b) in [
        ("", Some(a.target.evaluation_rows), Some(b.target.evaluation_rows)),
        (" that are scored", a.target.scored_rows, b.target.scored_rows),
    ] {
        let number = |n: Option<usize>| n.map_or("all".to_owned(), |n| n.to_string());
        if a != b {
            let (a, b) = (number(a), number(b));
            reasons.push(format!("its target rows for evaluation{what} are {b}, not {a}"));
        }
    }
    if reasons.is_empty()
        && let Some(reason) = other_labels(first, here, notes)
    {
        reasons.push(reason);
    }
    reasons
}

fn classes(first: &[String], here: &[String]) -> String {
    let alone = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|class| !b.contains(class)).cloned().collect()
    };
    let (missing, added) = (alone(first, here), alone(here, first));
    let told = |what: &str, classes: &[String]| {
        (!classes.is_empty()).then(|| format!("{what} {}", listed(classes)))
    };
    let told: Vec<_> =
        [told("lack", &missing), told("have", &added)].into_iter().flatten().collect();
    match told.is_empty() {
        true => "are in another order".to_owned(),
        false => told.join(" and "),
    }
}

/// The first few names.
fn listed(names: &[String]) -> String {
    const MOST: usize = 5;
    let some = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        n if n > MOST => format!("{some} and {} more", n - MOST),
        _ => some,
    }
}

/// How two lists of input files differ.
fn files(first: &[InputFile], here: &[InputFile]) -> Option<String> {
    let (name, change) = first_change(first, here)?;
    let name = if name.is_empty() { "the file" } else { name };
    Some(format!("{name} {change}"))
}

/// Whether the labels of the target rows differ where both runs kept them, for one method and seed: rows
/// that were held out otherwise.
fn other_labels(first: &Read, here: &Read, notes: &mut Vec<String>) -> Option<String> {
    let both = first.run.methods.iter().find_map(|method| {
        let other = here.method(&method.name)?;
        let (seed, _) =
            method.finished().find(|(seed, _)| other.finished().any(|(s, _)| s == *seed))?;
        Some((method.name.as_str(), seed))
    });
    let (method, seed) = both?;
    let [a, b] = [first, here].map(|read| {
        let outputs = ModelOutputs::read(&read.dir.part(method, seed).outputs());
        outputs.map_err(|e| e.to_string())
    });
    match (a, b) {
        (Ok(a), Ok(b)) => (a.target.labels != b.target.labels).then(|| {
            format!("the labels of its target rows for evaluation differ, {method} seed {seed}")
        }),
        (a, b) => {
            notes.extend([a.err(), b.err()].into_iter().flatten());
            None
        }
    }
}

impl Reached {
    /// `reference` is the same method in the first run, with that run's validator.
    fn of(
        method: &Method,
        validator: Option<&str>,
        reference: Option<(&Method, Option<&str>)>,
    ) -> Self {
        let accuracy = |of: &dyn Fn(&Done, Option<&str>) -> Option<f64>| {
            let values = |method: &Method, validator: Option<&str>| -> Vec<(u64, f64)> {
                let finished = method.finished();
                finished.filter_map(|(seed, done)| Some((seed, of(done, validator)?))).collect()
            };
            let here = values(method, validator);
            let difference = reference.and_then(|(method, validator)| {
                PairedDifference::of(&here, &values(method, validator))
            });
            let here: Vec<f64> = here.iter().map(|value| value.1).collect();
            Accuracy { target_accuracy: Spread::of(&here), difference }
        };
        Self {
            seeds: method.finished().map(|(seed, _)| seed).collect(),
            last: accuracy(&|done, _| done.target_accuracy),
            chosen: accuracy(&|done, validator| done.chosen.get(validator?)?.target_accuracy),
            oracle: accuracy(&|done, _| Some(done.oracle?.target_accuracy)),
        }
    }
}
