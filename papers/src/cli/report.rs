//! `transduct report`.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::{Output, Status, UsageError, run::quoted};
use crate::{
    experiment::{self, record::ExperimentDir},
    record::{RunDir, write_atomic},
    report::{self, Written, terminal},
    sweep::SweepDir,
};

const EXAMPLES: &str = "\
Examples:
  transduct report runs/quickstart
  transduct report runs/mine --json | jq .methods
  transduct report runs/jda-2013 runs/office-caltech10-surf --markdown papers/README.md
      One page of the tables of several experiments.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ReportArgs {
    /// Directories of runs, of sweeps or of experiments.
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// Write the tables of these experiments to one Markdown file.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

pub(super) fn execute(args: ReportArgs, output: &Output) -> Result<Status> {
    if output.is_json() && args.dirs.len() > 1 {
        bail!(UsageError("--json: give one directory".to_owned()));
    }
    let mut experiments = Vec::new();
    for dir in &args.dirs {
        if ExperimentDir::new(dir).exists() {
            let written = experiment::report::write(dir)?;
            conclude_experiment(&written, output)?;
            experiments.push(written.summary);
        } else if SweepDir::new(dir).exists() && args.markdown.is_none() {
            super::sweep::conclude(dir, output)?;
        } else if args.markdown.is_some() {
            bail!("{}: no experiment is recorded there", dir.display());
        } else {
            conclude(&report::write(RunDir::new(dir).root())?, &[], output)?;
        }
    }
    if let Some(path) = &args.markdown {
        let text = experiment::report::document(&experiments, &command(&args.dirs, path));
        write_atomic(path, |file| file.write_all(text.as_bytes()))?;
        output.note(format!("wrote {}", path.display()));
    }
    Ok(Status::Done)
}

/// The command line that writes the page, as a reader can type it.
fn command(dirs: &[PathBuf], markdown: &Path) -> String {
    let words = dirs.iter().map(|dir| quoted(&dir.display().to_string()));
    let dirs = words.collect::<Vec<_>>().join(" ");
    format!("transduct report {dirs} --markdown {}", quoted(&markdown.display().to_string()))
}

/// Prints the results of a run and where they are, without the notes that were told before.
pub(super) fn conclude(written: &Written, told: &[String], output: &Output) -> io::Result<()> {
    let Written { summary, headline, results, table, report } = written;
    let value = json!({
        "headline": headline.title,
        "results": summary,
        "files": {"results": results, "table": table, "report": report},
    });
    // `terminal` ends with the notes.
    let table_text = terminal(summary, told);
    let mut text = format!("{table_text}\n\n{}. {}\n", headline.title, headline.basis);
    text += &format!("\nresults  {}\nreport   {}", table.display(), report.display());
    output.conclude(&value, text)
}

/// Prints the table of an experiment and where it is.
pub(super) fn conclude_experiment(
    written: &experiment::report::Written,
    output: &Output,
) -> io::Result<()> {
    let experiment::report::Written { summary, results, table, markdown, report } = written;
    let value = json!({
        "results": summary,
        "files": {"results": results, "table": table, "markdown": markdown, "report": report},
    });
    let text = format!(
        "{}\n\n{}\n\nresults  {}\nreport   {}",
        experiment::report::terminal(summary),
        summary.verdicts(),
        table.display(),
        report.display()
    );
    output.conclude(&value, text)
}
