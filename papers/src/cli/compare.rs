//! `transduct compare`.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::Args;

use super::{Output, Status};
use crate::{
    record::write_atomic,
    report::compare::{Comparison, csv, markdown, terminal},
};

const EXAMPLES: &str = "\
Examples:
  transduct compare runs/a runs/b
      Both runs by method, and what B gains over A on the seeds that both have.
  transduct compare runs/a runs/b runs/c --method dann,dan --csv comparison.csv
  transduct compare runs/a runs/b --json | jq '.methods[].runs[1].final.difference'";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct CompareArgs {
    /// Run directories, finished or not; the others are compared with the first.
    #[arg(value_name = "DIR", required = true, num_args = 2..)]
    dirs: Vec<PathBuf>,
    /// The methods to show, joined by commas. By default all that a run has.
    #[arg(long = "method", visible_alias = "methods", value_name = "NAMES", value_delimiter = ',')]
    methods: Vec<String>,
    /// Write a row for each method and run to a CSV file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the tables to a Markdown file.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

pub(super) fn execute(args: CompareArgs, output: &Output) -> Result<Status> {
    for path in [&args.csv, &args.markdown].into_iter().flatten() {
        if path.is_dir() {
            bail!("{}: is a folder, expected a file name to write", path.display());
        }
    }
    let comparison = Comparison::of(&args.dirs, &args.methods)?;
    let write = |path: &Path, bytes: &[u8]| -> Result<()> {
        write_atomic(path, |file| file.write_all(bytes))?;
        output.note(format!("wrote {}", path.display()));
        Ok(())
    };
    if let Some(path) = &args.csv {
        write(path, &csv(&comparison)?)?;
    }
    if let Some(path) = &args.markdown {
        write(path, markdown(&comparison).as_bytes())?;
    }
    output.conclude(&comparison, terminal(&comparison))?;
    Ok(Status::Done)
}
