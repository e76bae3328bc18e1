//! `transduct report`.

use std::{io, path::PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::{Output, Status};
use crate::{
    record::RunDir,
    report::{self, Written, terminal},
};

const EXAMPLES: &str = "\
Examples:
  transduct report runs/quickstart
  transduct report runs/mine --json | jq .methods";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ReportArgs {
    /// The run directory.
    #[arg(value_name = "DIR")]
    run: PathBuf,
}

pub(super) fn execute(args: ReportArgs, output: &Output) -> Result<Status> {
    let written = report::write(RunDir::new(args.run).root())?;
    conclude(&written, output)?;
    Ok(Status::Done)
}

/// Prints the results and where they are.
pub(super) fn conclude(written: &Written, output: &Output) -> io::Result<()> {
    let Written { summary, headline, results, table, report } = written;
    let value = json!({
        "headline": headline.title,
        "results": summary,
        "files": {"results": results, "table": table, "report": report},
    });
    // `terminal` ends with the notes.
    let mut text = format!("{}\n\n{}. {}\n", terminal(summary), headline.title, headline.basis);
    text += &format!("\nresults  {}\nreport   {}", table.display(), report.display());
    output.conclude(&value, text)
}
