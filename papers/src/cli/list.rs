//! `transduct list`.

use anyhow::Result;
use clap::{Args, ValueEnum};
use comfy_table::Table;
use dfdx::prelude::Cpu;
use serde_json::{Value, json};
use transduct_adapt::{
    catalogue::Entry,
    learn::{classifiers, regressors},
    registry::methods,
    reweight::reweighters,
    shallow::{adapting_classifiers, aligners},
    validate::validators,
};
use transduct_core::{InputShape, backbone::backbones};

use super::{Global, Output, Status, data, output};
use crate::{config::table::from_json, experiments::experiments};

const EXAMPLES: &str = "\
Examples:
  transduct list
  transduct list methods
  transduct list methods --json | jq '.methods[].defaults'";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ListArgs {
    /// What to list. By default everything.
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Deep methods that `transduct run` trains, with their papers and options.
    Methods,
    /// Alignment methods of `transduct align`.
    Align,
    /// Weighting methods of `transduct weights`.
    Weights,
    /// Methods that label the target rows themselves.
    AdaptingClassifiers,
    /// Learners that take a weight for every row.
    Learners,
    /// Networks, with their options.
    Backbones,
    /// Registered data sets, and whether their files are here.
    Data,
    /// What chooses among models without target labels.
    Validators,
    /// Published tables that `transduct reproduce` computes again.
    Experiments,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Methods,
        Self::Align,
        Self::Weights,
        Self::AdaptingClassifiers,
        Self::Learners,
        Self::Backbones,
        Self::Data,
        Self::Validators,
        Self::Experiments,
    ];

    /// The entries for programs, and as a table with a title.
    fn list(self, global: &Global) -> Result<(&'static str, Value, Table)> {
        Ok(match self {
            Self::Methods => {
                let all = methods::<Cpu>();
                let value = |m: &_| -> Value {
                    let m: &transduct_adapt::registry::MethodEntry<Cpu> = m;
                    json!({
                        "name": m.name, "about": m.about, "paper": m.paper, "defaults": m.defaults,
                        "defaults_on_features": (m.defaults_for)(FEATURES), "ranges": m.ranges,
                    })
                };
                let row = |m: &transduct_adapt::registry::MethodEntry<Cpu>| {
                    let mut about = with_options(m.about, &m.defaults);
                    let others = differing(&(m.defaults_for)(FEATURES), &m.defaults);
                    if !others.is_empty() {
                        about += &format!("\non features: {}", others.join(", "));
                    }
                    [m.name.to_owned(), about, m.paper.to_owned()]
                };
                let table = output::table(["Method", "What it does", "Paper"], all.iter().map(row));
                ("methods", all.iter().map(value).collect(), table)
            }
            Self::Align => {
                let (value, rows) = described(&aligners());
                ("align", value, output::table(["Alignment", "What it does", "Paper"], rows))
            }
            Self::Weights => {
                let (value, rows) = described(&reweighters());
                ("weights", value, output::table(["Weighting", "What it does", "Paper"], rows))
            }
            Self::AdaptingClassifiers => {
                let (value, rows) = described(&adapting_classifiers());
                let columns = ["Adapting classifier", "What it does", "Paper"];
                ("adapting-classifiers", value, output::table(columns, rows))
            }
            Self::Learners => {
                let (classify, mut rows) = described(&classifiers());
                let (regress, more) = described(&regressors());
                rows.extend(more);
                let value = json!({"classifiers": classify, "regressors": regress});
                ("learners", value, output::table(["Learner", "What it is", "Paper"], rows))
            }
            Self::Backbones => {
                let all = backbones::<Cpu>();
                let value = all
                    .iter()
                    .map(|b| json!({"name": b.name, "about": b.about, "defaults": b.defaults}));
                let rows =
                    all.iter().map(|b| [b.name.to_owned(), with_options(b.about, &b.defaults)]);
                ("backbones", value.collect(), output::table(["Backbone", "What it is"], rows))
            }
            Self::Data => data::list(global)?,
            Self::Validators => {
                let all = validators();
                let value = all
                    .iter()
                    .map(|v| json!({"name": v.name(), "about": v.about(), "paper": v.paper()}));
                let rows = all.iter().map(|v| [v.name(), v.about(), v.paper()].map(str::to_owned));
                let table = output::table(["Validator", "Scores high", "Paper"], rows);
                ("validators", value.collect(), table)
            }
            Self::Experiments => {
                let all: Vec<_> = experiments().into_iter().map(|e| e.description).collect();
                let value = all.iter().map(|d| {
                    let cells: Vec<String> = d.cells.iter().map(|cell| cell.id()).collect();
                    json!({"name": d.name, "title": d.title, "paper": d.paper, "cells": cells})
                });
                let rows = all.iter().map(|d| {
                    let paper = format!("{}, {}", d.paper.authors, d.paper.venue);
                    let what = format!("{}\n{} cells", d.title, d.cells.len());
                    [d.name.clone(), what, paper]
                });
                let table = output::table(["Experiment", "What it computes", "Paper"], rows);
                ("experiments", value.collect(), table)
            }
        })
    }
}

/// The entries of a registry for programs, and as rows.
fn described<T: ?Sized>(all: &[Entry<T>]) -> (Value, Vec<[String; 3]>) {
    let value = all.iter().map(|e| {
        json!({
            "name": e.name, "about": e.about, "paper": e.paper, "needs": e.needs,
            "defaults": e.defaults,
        })
    });
    let rows = all
        .iter()
        .map(|e| [e.name.to_owned(), with_options(e.about, &e.defaults), e.paper.to_owned()]);
    (value.collect(), rows.collect())
}

/// `about` and, on a line of their own, the options with their defaults as TOML.
/// Rows of this kind have defaults of their own; how long they are does not matter.
const FEATURES: InputShape = InputShape::Features { d: 1 };

/// The options that have another value among the others.
fn differing(options: &Value, others: &Value) -> Vec<String> {
    let others = from_json(others);
    let options = from_json(options);
    let differ = options.iter().filter(|(key, value)| others.get(*key) != Some(value));
    differ.map(|(key, value)| format!("{key} = {value}")).collect()
}

fn with_options(about: &str, defaults: &Value) -> String {
    let options = differing(defaults, &Value::Null);
    if options.is_empty() { about.to_owned() } else { format!("{about}\n{}", options.join(", ")) }
}

pub(super) fn execute(args: ListArgs, global: &Global, output: &Output) -> Result<Status> {
    let kinds = args.kind.map_or(Kind::ALL.to_vec(), |kind| vec![kind]);
    let mut values = serde_json::Map::new();
    let mut tables = Vec::new();
    for kind in kinds {
        let (name, value, table) = kind.list(global)?;
        values.insert(name.to_owned(), value);
        tables.push(table.trim_fmt());
    }
    output.answer(&values, tables.join("\n\n"))?;
    Ok(Status::Done)
}
