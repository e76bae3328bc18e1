//! `transduct data`.

use std::io::{self, IsTerminal};

use anyhow::Result;
use clap::{Args, Subcommand};
use comfy_table::Table;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use transduct_core::data::{
    DataDir,
    fetch::{Outcome, State, fetch, verify},
    registry::{Entry, Parts, data_set, data_sets},
};

use super::{Global, Output, Status, output};

const EXAMPLES: &str = "\
Examples:
  transduct data list
  transduct data fetch mnist usps
  transduct data verify --data /srv/data
      Check every registered data set in a directory.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct DataArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the registered data sets, and which of them are here.
    #[command(after_long_help = "Example:\n  transduct data list --json | jq '.data[].licence'")]
    List,
    /// Download data sets from their public homes, and check them.
    ///
    /// Downloads go on where they stopped. Where no address answers, it says how to get the files
    /// by hand.
    #[command(after_long_help = "Example:\n  transduct data fetch mnist usps")]
    Fetch {
        /// The data sets; the name before a slash means all its domains.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Check the files of data sets against their hashes.
    #[command(after_long_help = "Example:\n  transduct data verify office-caltech10")]
    Verify {
        /// The data sets. By default all; those without any file here are then passed over.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
}

/// The registered data sets, for programs and for people.
pub(super) fn list(global: &Global) -> Result<(&'static str, Value, Table)> {
    let dir = global.data_dir()?;
    let value = |entry: &Entry| {
        json!({
            "name": entry.name,
            "title": entry.title,
            "about": entry.about,
            "licence": entry.licence,
            "citation": entry.citation,
            "home": entry.home,
            "protocol": entry.protocol,
            "rows": rows(entry),
            "row": entry.row,
            "classes": entry.classes,
            "files": place(entry, &dir),
        })
    };
    let row = |entry: &Entry| {
        [
            entry.name.to_owned(),
            format!("{}\n{}", entry.about, entry.licence),
            rows(entry),
            entry.row.to_string(),
            entry.classes.len().to_string(),
            place(entry, &dir).to_owned(),
        ]
    };
    let header = ["Data set", "What it is, and its terms", "Rows", "Row", "Classes", "Files"];
    let table = output::table(header, data_sets().map(row));
    Ok(("data", data_sets().map(value).collect(), table))
}

fn rows(entry: &Entry) -> String {
    match entry.parts {
        Parts::TrainTest { train, test } => format!("{train} + {test}"),
        Parts::Whole(n) => n.to_string(),
    }
}

/// Where the files of a data set are, without looking into them.
fn place(entry: &Entry, dir: &DataDir) -> &'static str {
    let present = |path: &str| {
        let unpacked = path.strip_suffix(".gz").unwrap_or(path);
        [path, unpacked].iter().any(|path| dir.path().join(path).is_file())
    };
    match (entry.files().count(), entry.files().filter(|file| present(file.path)).count()) {
        (0, _) => "inside",
        (all, here) if all == here => "here",
        (_, 0) => "to fetch",
        _ => "incomplete",
    }
}

/// The entries of these names; a name without its domain stands for all domains.
fn entries(names: &[String]) -> Result<Vec<&'static Entry>> {
    let mut found: Vec<&Entry> = Vec::new();
    for name in names {
        let of_set = |entry: &&Entry| entry.name.split('/').next() == Some(name);
        let mut named: Vec<_> = data_sets().filter(of_set).collect();
        if named.is_empty() {
            named.push(data_set(name)?);
        }
        for entry in named {
            if !found.iter().any(|f| f.name == entry.name) {
                found.push(entry);
            }
        }
    }
    Ok(found)
}

pub(super) fn execute(args: DataArgs, global: &Global, output: &Output) -> Result<Status> {
    let dir = global.data_dir()?;
    match args.command {
        Command::List => {
            let (name, value, table) = list(global)?;
            output.answer(
                &json!({name: value, "directory": dir.path()}),
                format!("{}\ndata directory: {}", table.trim_fmt(), dir.path().display()),
            )?;
            Ok(Status::Done)
        }
        Command::Fetch { names } => fetch_all(&entries(&names)?, &dir, output),
        Command::Verify { names } => verify_all(&entries(&names)?, &dir, output),
    }
}

fn fetch_all(entries: &[&'static Entry], dir: &DataDir, output: &Output) -> Result<Status> {
    let mut values = Vec::new();
    for entry in entries {
        let bar = download_bar(output);
        let outcomes = fetch(entry, dir, &mut |progress| {
            if bar.message() != progress.file {
                bar.set_message(progress.file.to_owned());
                if bar.is_hidden() {
                    output.note(format!("downloading {}", progress.file));
                }
            }
            bar.set_length(progress.total.unwrap_or(progress.bytes));
            bar.set_position(progress.bytes);
        });
        bar.finish_and_clear();
        for (path, outcome) in outcomes? {
            let state = match outcome {
                Outcome::Present => "was here",
                Outcome::Fetched => "fetched",
            };
            output.note(format!("{}: {state}", dir.path().join(path).display()));
            values.push(json!({"data_set": entry.name, "file": path, "state": state}));
        }
        if entry.origins.is_empty() {
            output.note(format!("{}: is inside the program", entry.name));
        }
    }
    let licences: Vec<_> =
        entries.iter().map(|e| format!("{}: {}; cite {}", e.name, e.licence, e.citation)).collect();
    output.conclude(&json!({"files": values}), licences.join("\n"))?;
    Ok(Status::Done)
}

fn download_bar(output: &Output) -> ProgressBar {
    let target = match output.shows_progress() && io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {wide_bar:.cyan/dim} {bytes}/{total_bytes}, {eta} left")
    {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar
}

fn verify_all(entries: &[&'static Entry], dir: &DataDir, output: &Output) -> Result<Status> {
    let all = entries.is_empty();
    let entries: Vec<_> = match all {
        true => data_sets().filter(|entry| place(entry, dir) != "to fetch").collect(),
        false => entries.to_vec(),
    };
    let (mut rows, mut values, mut bad) = (Vec::new(), Vec::new(), false);
    for entry in entries {
        for (path, state) in verify(entry, dir) {
            bad |= !matches!(state, State::Good);
            let text = match state {
                State::Good => "good".to_owned(),
                State::Missing => "missing".to_owned(),
                State::WrongHash { expected, got } => {
                    format!("has SHA-256 {got}, expected {expected}")
                }
                State::Unreadable(error) => error.to_string(),
            };
            values.push(json!({"data_set": entry.name, "file": path, "state": text}));
            rows.push([entry.name.to_owned(), path.to_owned(), text]);
        }
    }
    let table = output::table(["Data set", "File", "State"], rows);
    output.answer(
        &json!({"directory": dir.path(), "files": values}),
        format!("{}\ndata directory: {}", table.trim_fmt(), dir.path().display()),
    )?;
    Ok(if bad { Status::Failed } else { Status::Done })
}
