//! The run directory: everything a run leaves on disk, and how it is read back.
//!
//! ```text
//! DIR/config.toml                        the full configuration, every default written out
//! DIR/run.json                           RunRecord: data, classes, program, device
//! DIR/inputs.json                        Inputs: the files that were read, by digest
//! DIR/samples.npz                        SampleImages, for images only
//! DIR/results.json, results.csv          the summary of the report
//! DIR/report.html
//! DIR/<method>/seed-<n>/metrics.jsonl    one Line a line; no wall time, so that it can be compared
//! DIR/<method>/seed-<n>/checkpoint.safetensors       to resume
//! DIR/<method>/seed-<n>/spent.json       the time spent until the checkpoint
//! DIR/<method>/seed-<n>/claim.json       the process that works on this part, while it does
//! DIR/<method>/seed-<n>/model-<choice>.safetensors   choice: final, oracle or a validator
//! DIR/<method>/seed-<n>/outputs.npz      ModelOutputs of the final model
//! DIR/<method>/seed-<n>/done.json        Done: there only when this part is finished
//! DIR/<method>/seed-<n>/failed.json      Failure: why the last attempt stopped
//! ```
//! Whole files are replaced atomically, so that an interruption at any moment leaves each of them
//! old or new. Reading errors name the file and, inside it, the line or field.

mod arrays;
mod files;
mod inputs;
mod metrics;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use transduct_core::{InputShape, data::pictures::Skipped};

pub use arrays::{DomainOutputs, ModelOutputs, SampleImages};
pub use files::{RecordError, read_json, remove, write_atomic, write_json};
pub(crate) use files::{now, read_record};
pub use inputs::Inputs;
pub(crate) use inputs::{Change, first_change};
pub use metrics::{Evaluation, Line, Named, Oracle, StepMeans, read_metrics};

/// The layout that this program writes. A directory of another one is refused.
pub const FORMAT: u32 = 1;

/// The name of the choice that keeps the last model.
pub const FINAL: &str = "final";
/// The name of the choice by target accuracy, which no practitioner has.
pub const ORACLE: &str = "oracle";

type Result<T, E = RecordError> = std::result::Result<T, E>;

/// The paths of a run directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// The directory at `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// `config.toml`.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// `run.json`.
    pub fn run(&self) -> PathBuf {
        self.0.join("run.json")
    }

    /// `inputs.json`.
    pub fn inputs(&self) -> PathBuf {
        self.0.join("inputs.json")
    }

    /// `samples.npz`.
    pub fn samples(&self) -> PathBuf {
        self.0.join("samples.npz")
    }

    /// `results.json`.
    pub fn results(&self) -> PathBuf {
        self.0.join("results.json")
    }

    /// `results.csv`.
    pub fn table(&self) -> PathBuf {
        self.0.join("results.csv")
    }

    /// `report.html`.
    pub fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }

    /// The directory of one method and seed.
    pub fn part(&self, method: &str, seed: u64) -> PartDir {
        PartDir(self.0.join(method).join(format!("seed-{seed}")))
    }
}

/// The paths of one (method, seed) in a run directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartDir(PathBuf);

impl PartDir {
    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// `metrics.jsonl`.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// `checkpoint.safetensors`.
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint.safetensors")
    }

    /// `spent.json`.
    pub fn spent(&self) -> PathBuf {
        self.0.join("spent.json")
    }

    /// `model-<choice>.safetensors`; the choice is [`FINAL`], [`ORACLE`] or a validator.
    pub fn model(&self, choice: &str) -> PathBuf {
        self.0.join(format!("model-{choice}.safetensors"))
    }

    /// `claim.json`.
    pub fn claim(&self) -> PathBuf {
        self.0.join("claim.json")
    }

    /// `outputs.npz`.
    pub fn outputs(&self) -> PathBuf {
        self.0.join("outputs.npz")
    }

    /// `done.json`.
    pub fn done(&self) -> PathBuf {
        self.0.join("done.json")
    }

    /// `failed.json`.
    pub fn failed(&self) -> PathBuf {
        self.0.join("failed.json")
    }
}

/// `run.json`: what was run, on what, where and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The program's version.
    pub program: String,
    /// The command line that started the run.
    pub command: Vec<String>,
    /// The labelled domain.
    pub source: DomainRecord,
    /// The domain to adapt to.
    pub target: DomainRecord,
    /// What the user was told of the data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The names of the k classes, by index.
    pub classes: Vec<String>,
    /// The shape of one row, after framing.
    pub input: InputShape,
    /// The methods, in the order they were asked for.
    pub methods: Vec<String>,
    /// The seeds, likewise.
    pub seeds: Vec<u64>,
    /// The validators, the default one first.
    pub validators: Vec<String>,
    /// Where it ran, for instance `cpu, avx2`: the device and the processor's instruction set.
    pub device: String,
    /// Start, UTC, as in `2026-11-24T07:00:00Z`.
    pub started: String,
}

/// One domain of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRecord {
    /// The data set's name, or the user's path.
    pub name: String,
    /// Rows that training sees (of the target: without labels).
    pub training_rows: usize,
    /// Rows of the source validation or the target test set.
    pub evaluation_rows: usize,
    /// Whether the evaluation rows have labels; a target need not.
    pub labelled: bool,
    /// The evaluation rows that are scored, where it is not all of them: those with a label of a class
    /// of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scored_rows: Option<usize>,
    /// The classes of evaluation rows that the source lacks, each with the number of its rows, which
    /// are not scored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_classes: Vec<(String, usize)>,
    /// The classes of the source that no evaluation row has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent_classes: Vec<String>,
    /// What in its folder is no picture.
    #[serde(default, skip_serializing_if = "Skipped::is_empty")]
    pub skipped: Skipped,
}

/// `done.json`: the final numbers of one (method, seed).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Steps done.
    pub steps: u64,
    /// Of the final model, in [0, 1]; none for a target without labels.
    pub target_accuracy: Option<f64>,
    /// Of the final model, in [0, 1].
    pub source_validation_accuracy: f64,
    /// Whether the final model does no better than guessing on the source validation rows; none
    /// where they are too few to tell, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collapsed: Option<bool>,
    /// What each validator would have chosen.
    pub chosen: Named<Chosen>,
    /// The evaluation with the best target accuracy.
    pub oracle: Option<OracleChoice>,
    /// Time spent, all attempts together.
    pub seconds: f64,
}

impl Done {
    /// How two results of the same part differ in what does not depend on time; not at all, as they should.
    pub(crate) fn differs(&self, other: &Self) -> Option<String> {
        let timeless = |done: &Self| Self { seconds: 0.0, ..done.clone() };
        (timeless(self) != timeless(other)).then(|| {
            let accuracy = |done: &Self| done.target_accuracy.unwrap_or(f64::NAN);
            format!(
                "source accuracy {} and {}, target accuracy {} and {}",
                self.source_validation_accuracy,
                other.source_validation_accuracy,
                accuracy(self),
                accuracy(other)
            )
        })
    }
}

/// The evaluation that a validator scored highest, the earliest among equals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// Its step.
    pub step: u64,
    /// The validator's score.
    pub score: f64,
    /// The target accuracy there.
    pub target_accuracy: Option<f64>,
}

/// The evaluation with the best target accuracy, the earliest among equals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OracleChoice {
    /// Its step.
    pub step: u64,
    /// The target accuracy there.
    pub target_accuracy: f64,
}

/// `failed.json`: why a (method, seed) has no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error, on one line.
    pub message: String,
}

impl RunRecord {
    /// Reads `run.json`.
    ///
    /// # Errors
    /// The file is missing, malformed, or of another [`FORMAT`].
    pub fn read(dir: &RunDir) -> Result<Self> {
        read_record(&dir.run(), FORMAT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_record() -> RunRecord {
        let domain = |name: &str| DomainRecord {
            name: name.to_owned(),
            training_rows: 80,
            evaluation_rows: 20,
            labelled: true,
            scored_rows: None,
            unknown_classes: vec![],
            absent_classes: vec![],
            skipped: Skipped::default(),
        };
        RunRecord {
            format: FORMAT,
            program: "0.1.0".to_owned(),
            command: vec!["transduct".to_owned(), "quickstart".to_owned()],
            source: domain("a"),
            target: domain("b"),
            notes: Vec::new(),
            classes: vec!["cat".to_owned(), "dog".to_owned()],
            input: InputShape::Features { d: 2 },
            methods: vec!["source-only".to_owned(), "dann".to_owned()],
            seeds: vec![0, 1],
            validators: vec!["im".to_owned()],
            device: "cpu".to_owned(),
            started: "2026-11-24T07:00:00Z".to_owned(),
        }
    }

    #[test]
    fn another_format_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let dir = RunDir::new(temp.path());
        write_json(&dir.run(), &run_record()).unwrap();
        assert_eq!(RunRecord::read(&dir).unwrap(), run_record());
        write_json(&dir.run(), &RunRecord { format: 9, ..run_record() }).unwrap();
        let message = RunRecord::read(&dir).unwrap_err().to_string();
        assert!(message.ends_with("run.json: format 9: this program reads format 1"), "{message}");
    }
}
