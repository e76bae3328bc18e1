//! The directory of an experiment: everything that it leaves on disk.
//!
//! ```text
//! DIR/experiment.json                          ExperimentRecord: the description, what was asked for
//! DIR/cells/<task>/<method>/seed-<n>.json      TrialRecord: there only when the trial is finished
//! DIR/cells/<task>/<method>/seed-<n>.failed.json     Failure: why the last attempt stopped
//! DIR/cells/<task>/<method>/seed-<n>.claim.json      the process that works on this trial and on those
//!                                                    that share things with it, while it does
//! DIR/cells/<task>/<method>/seed-<n>.scratch/        what a trial keeps until it is finished
//! DIR/results.json, results.csv, results.md, report.html
//! ```
//! Whole files are replaced atomically. Reading errors name the file and the field.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cell, Description, Series, plan::Selection};
use crate::record::{Named, RecordError, read_record};

/// The layout that this program writes. A directory of another one is refused.
pub const FORMAT: u32 = 2;

/// The paths of an experiment's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExperimentDir(PathBuf);

impl ExperimentDir {
    /// The directory at `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Whether an experiment was recorded there.
    pub fn exists(&self) -> bool {
        self.experiment().is_file()
    }

    /// `experiment.json`.
    pub fn experiment(&self) -> PathBuf {
        self.0.join("experiment.json")
    }

    /// `seed-<n>.json` of a cell.
    pub fn trial(&self, cell: &Cell, seed: u64) -> PathBuf {
        self.cell(cell).join(format!("seed-{seed}.json"))
    }

    /// `seed-<n>.failed.json` of a cell.
    pub fn failure(&self, cell: &Cell, seed: u64) -> PathBuf {
        self.cell(cell).join(format!("seed-{seed}.failed.json"))
    }

    /// `seed-<n>.claim.json` of a cell.
    pub fn claim(&self, cell: &Cell, seed: u64) -> PathBuf {
        self.cell(cell).join(format!("seed-{seed}.claim.json"))
    }

    /// `seed-<n>.scratch` of a cell, a folder.
    pub fn scratch(&self, cell: &Cell, seed: u64) -> PathBuf {
        self.cell(cell).join(format!("seed-{seed}.scratch"))
    }

    /// `results.json`, `results.csv`, `results.md` or another file beside them.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn cell(&self, cell: &Cell) -> PathBuf {
        self.0.join("cells").join(&cell.task).join(&cell.method)
    }
}

/// `experiment.json`: what is computed, and by what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The program's version.
    pub program: String,
    /// Start, UTC, as in `2026-11-24T07:00:00Z`.
    pub started: String,
    /// Cells that are computed at a time.
    pub jobs: usize,
    /// The ids of the cells that were asked for.
    pub cells: Vec<String>,
    /// Seeds 0, 1, … of this number.
    pub seeds: u64,
    /// The experiment as this program has it.
    pub description: Description,
}

/// `seed-<n>.json`: a finished trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The program's version.
    pub program: String,
    /// The cell's id.
    pub cell: String,
    /// What it drew with.
    pub seed: u64,
    /// The cell's settings.
    pub settings: Value,
    /// The number.
    pub value: f64,
    /// More that was measured.
    pub extras: Named<f64>,
    /// What a reader of the number should know.
    pub notes: Vec<String>,
    /// What it looks like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<Series>,
    /// Wall time.
    pub seconds: f64,
}

impl TrialRecord {
    /// How two results of the same trial differ in what does not depend on time; not at all, as they
    /// should.
    pub(crate) fn differs(&self, other: &Self) -> Option<String> {
        let timeless = |record: &Self| Self { seconds: 0.0, ..record.clone() };
        (timeless(self) != timeless(other)).then(|| format!("{} and {}", self.value, other.value))
    }
}

impl ExperimentRecord {
    /// Reads `experiment.json`.
    ///
    /// # Errors
    /// The file is missing, malformed, or of another [`FORMAT`].
    pub fn read(dir: &ExperimentDir) -> Result<Self, RecordError> {
        read_record(&dir.experiment(), FORMAT)
    }

    /// What was asked for.
    pub(crate) fn selection(&self) -> Selection {
        Selection { cells: self.cells.clone(), seeds: self.seeds }
    }
}
