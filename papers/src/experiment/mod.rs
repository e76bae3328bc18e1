//! Experiments: published tables that one command computes again.
//!
//! An experiment is a [`Description`], which is data alone, and one function that computes the
//! number of one cell with one seed. Everything else is the same for all of them: which cells to
//! compute (`plan`), computing them by the one engine (`runner`), what stays
//! on disk ([`record`]), what a number is worth beside the published one ([`summary`]), and how that
//! is shown ([`report`]). Nothing here knows what a cell computes.

pub(crate) mod plan;
mod progress;
pub mod record;
pub mod report;
pub(crate) mod runner;
pub mod summary;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use transduct_core::{
    DeviceChoice,
    data::{DataDir, registry},
};

use crate::{engine::Shared, record::Named};

/// A published table, and how to compute it.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// What is computed, and what was published.
    pub description: Description,
    /// Cells with the same key look at the same things, which are made once for a seed
    /// ([`Trial::shared`]); none where every cell stands for itself.
    pub shares: Option<fn(&Cell) -> String>,
    /// The number of one cell with one seed. It must depend on nothing but the trial.
    pub compute: fn(&Trial<'_>) -> anyhow::Result<Score>,
}

/// Everything about an experiment but its code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// What it is asked for by, words joined by hyphens.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Where the numbers were published.
    pub paper: Paper,
    /// What the number of a cell is.
    pub measure: Measure,
    /// Splits, subsampling, normalisation, learners: a sentence each.
    pub protocol: Vec<String>,
    /// What is not as in the paper, numbered from 1 in this order.
    pub differences: Vec<String>,
    /// How far a number may lie from the published one.
    pub tolerance: Tolerance,
    /// How many seeds a cell has.
    pub seeds: Seeds,
    /// In the order of the table.
    pub tasks: Vec<Task>,
    /// In the order of the table.
    pub methods: Vec<MethodUse>,
    /// A number each; a task need not have all methods.
    pub cells: Vec<Cell>,
    /// Methods whose mean over the tasks is shown, with what was published of it.
    pub averages: Vec<Average>,
    /// Figures over tasks that differ in one number.
    pub curves: Vec<Curves>,
}

/// A publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paper {
    /// Its authors.
    pub authors: String,
    /// Its title.
    pub title: String,
    /// Venue and year.
    pub venue: String,
    /// Which table or figure the experiment repeats.
    pub table: String,
}

/// What the number of a cell is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// For instance `accuracy`.
    pub name: String,
    /// For instance `%`; empty for a plain number.
    pub unit: String,
    /// Which numbers are better.
    pub better: Better,
    /// Digits after the point.
    pub decimals: usize,
}

/// Which numbers are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// As accuracies.
    Higher,
    /// As errors.
    Lower,
}

/// How far the mean of a cell may lie from the published number, and why that far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tolerance {
    /// In the unit of the measure; a cell may have its own.
    pub within: f64,
    /// Why.
    pub why: String,
}

/// How many seeds a cell has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seeds {
    /// Nothing is drawn: one computation says all.
    Deterministic,
    /// Seeds 0, 1, … of this number, unless another is asked for.
    Random(u64),
}

/// A row of the table: data to work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Letters, digits and hyphens: a part of file names and of `--cells`.
    pub id: String,
    /// As it is shown.
    pub title: String,
    /// The registered data sets that it reads.
    pub data: Vec<DataUse>,
    /// Whether it looks back at all the others, and stands in front of them.
    #[serde(default)]
    pub overall: bool,
}

/// A data set with what tells that it is the right one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataUse {
    /// Its registered name.
    pub name: String,
    /// Its files with their SHA-256.
    pub files: Vec<(String, String)>,
}

/// A column of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodUse {
    /// Letters, digits and hyphens: a part of file names and of `--cells`.
    pub id: String,
    /// As it is shown.
    pub title: String,
}

/// One number of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The task's id.
    pub task: String,
    /// The method's id.
    pub method: String,
    /// All that the number depends on besides the data and the seed; the experiment reads it.
    pub settings: Value,
    /// What was published.
    pub published: Option<Published>,
    /// What nobody published, and another program gives on the same setting.
    pub reference: Option<Reference>,
    /// Its own tolerance.
    pub tolerance: Option<f64>,
}

/// A published number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The number, in the unit of the measure.
    pub value: f64,
    /// Where it stands.
    pub source: String,
    /// How ours comes to stand beside it.
    pub protocol: Protocol,
}

/// Where the settings of a cell with a published number come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// From the publication, or from programs released for it.
    Stated,
    /// Settings were tried until published numbers came out, as the difference of this number says.
    Recovered {
        /// From 1.
        difference: usize,
    },
    /// They do not give the published number: a deviation that is known, and told by a difference.
    Deviates {
        /// From 1.
        difference: usize,
        /// What the cell gives instead. A check holds the cell to it.
        value: f64,
    },
    /// The published number is not of what it names, as a difference tells: ours is of that.
    Corrects {
        /// From 1.
        difference: usize,
        /// What the cell gives. A check holds the cell to it.
        value: f64,
    },
}

/// A number of another program, which is no published one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The number, in the unit of the measure.
    pub value: f64,
    /// Which program gave it.
    pub source: String,
}

/// The mean over the tasks of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// The method's id.
    pub method: String,
    /// What was published of it.
    pub published: Option<Published>,
}

/// A figure with a line a method over tasks that differ in one number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// Its title.
    pub title: String,
    /// What the number is.
    pub x: String,
    /// Task ids with their numbers, in ascending order.
    pub points: Vec<(String, f64)>,
}

/// One cell with one seed.
#[derive(Clone, Copy)]
pub struct Trial<'a> {
    /// What to compute.
    pub cell: &'a Cell,
    /// What to draw with.
    pub seed: u64,
    /// Where data sets are; those of the task are there and have the right content.
    pub data: &'a DataDir,
    /// Where to compute.
    pub device: DeviceChoice,
    /// What it shares with the other trials of its unit.
    pub shared: &'a Shared,
    /// A folder of its own for checkpoints, which need not exist. It goes when the trial is finished.
    pub scratch: &'a Path,
    /// Whether to stop: a long trial asks now and then, and ends with [`Error::Interrupted`].
    ///
    /// [`Error::Interrupted`]: transduct_core::Error::Interrupted
    pub stopped: &'a (dyn Fn() -> bool + Sync),
}

/// What a trial found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// The number of the cell, finite.
    pub value: f64,
    /// More that it measured, for instance an effective sample size.
    pub extras: Named<f64>,
    /// What a reader of the number should know, a sentence each.
    pub notes: Vec<String>,
    /// What the trial looks like, for figures. One trial of a cell is enough.
    pub series: Vec<Series>,
}

/// Something that a trial shows in a figure. Series of the same figure share its axes, whichever
/// cells they come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Its figure.
    pub figure: Axes,
    /// What it is.
    pub name: String,
    /// Whether it is the method's, in its colour, or of the data, in grey.
    pub of: Origin,
    /// How it is drawn.
    pub mark: SeriesMark,
    /// (x, y), finite; those of a line in ascending order of x.
    pub points: Vec<[f64; 2]>,
}

/// A figure's title and what stands along its axes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axes {
    /// The title.
    pub title: String,
    /// What the first coordinate is.
    pub x: String,
    /// What the second coordinate is.
    pub y: String,
}

/// Whose a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The data's: all methods share it.
    Data,
    /// The method's.
    Method,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeriesMark {
    /// One line through all points.
    Line,
    /// A mark a point.
    Points,
}

impl Description {
    /// The cell of this id.
    pub fn cell(&self, id: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.id() == id)
    }

    /// The title of a task.
    pub fn task_title<'a>(&'a self, id: &'a str) -> &'a str {
        self.tasks.iter().find(|task| task.id == id).map_or(id, |task| &task.title)
    }

    /// The title of a method.
    pub fn method_title<'a>(&'a self, id: &'a str) -> &'a str {
        self.methods.iter().find(|method| method.id == id).map_or(id, |method| &method.title)
    }
}

impl Paper {
    /// From its parts.
    pub fn new(authors: &str, title: &str, venue: &str, table: &str) -> Self {
        let [authors, title, venue, table] = [authors, title, venue, table].map(str::to_owned);
        Self { authors, title, venue, table }
    }
}

impl Task {
    /// From its parts; the data sets are looked up in the registry.
    pub fn new(id: impl Into<String>, title: impl Into<String>, data: &[&str]) -> Self {
        let data = data.iter().map(|name| DataUse::of(name)).collect();
        Self { id: id.into(), title: title.into(), data, overall: false }
    }

    /// One that looks back at all the others.
    #[must_use]
    pub fn overall(self) -> Self {
        Self { overall: true, ..self }
    }
}

impl DataUse {
    /// A registered data set; without files if no such one is registered.
    pub fn of(name: &str) -> Self {
        let entry = registry::data_sets().find(|entry| entry.name == name);
        let files = entry.iter().flat_map(|entry| entry.files());
        Self {
            name: name.to_owned(),
            files: files.map(|file| (file.path.to_owned(), file.sha256.to_owned())).collect(),
        }
    }
}

impl MethodUse {
    /// From its parts.
    pub fn new(id: &str, title: &str) -> Self {
        Self { id: id.to_owned(), title: title.to_owned() }
    }
}

impl Cell {
    /// A cell without a published number.
    pub fn new(task: &str, method: &str, settings: Value) -> Self {
        Self {
            task: task.to_owned(),
            method: method.to_owned(),
            settings,
            published: None,
            reference: None,
            tolerance: None,
        }
    }

    /// `task/method`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.task, self.method)
    }
}

impl Published {
    /// A number and where it stands, with the settings that stand there too.
    pub fn new(value: f64, source: &str) -> Self {
        Self { value, source: source.to_owned(), protocol: Protocol::Stated }
    }

    /// With settings of another origin.
    pub fn by(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }
}

impl Protocol {
    /// The difference that tells of it.
    pub fn difference(self) -> Option<usize> {
        match self {
            Self::Stated => None,
            Self::Recovered { difference }
            | Self::Deviates { difference, .. }
            | Self::Corrects { difference, .. } => Some(difference),
        }
    }
}

impl Protocol {
    /// What the cell is known to give, where that is not the published number.
    pub fn known(self) -> Option<f64> {
        match self {
            Self::Stated | Self::Recovered { .. } => None,
            Self::Deviates { value, .. } | Self::Corrects { value, .. } => Some(value),
        }
    }
}

impl Measure {
    /// Accuracy in per cent with two decimals.
    pub fn accuracy() -> Self {
        Self { name: "accuracy".into(), unit: "%".into(), better: Better::Higher, decimals: 2 }
    }

    /// `x` with the measure's decimals.
    pub fn number(&self, x: f64) -> String {
        format!("{x:.*}", self.decimals).replace('-', "−")
    }

    /// `x` with its sign.
    pub fn signed(&self, x: f64) -> String {
        let text = format!("{x:+.*}", self.decimals);
        // What rounds to zero has no sign.
        match text.chars().any(|c| ('1'..='9').contains(&c)) {
            true => text.replace('-', "−"),
            false => text.trim_start_matches(['+', '-']).to_owned(),
        }
    }

    /// `accuracy, %`.
    pub fn heading(&self) -> String {
        match self.unit.as_str() {
            "" => self.name.clone(),
            unit => format!("{}, {unit}", self.name),
        }
    }
}

impl Seeds {
    /// How many there are, where `asked` were asked for.
    pub fn count(self, asked: Option<u64>) -> u64 {
        match self {
            Self::Deterministic => 1,
            Self::Random(default) => asked.unwrap_or(default),
        }
    }
}
