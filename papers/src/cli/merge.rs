//! `transduct merge`.

use std::{ffi::OsString, path::PathBuf};

use anyhow::Result;
use clap::Args;

use super::{Output, Status, run::quoted, tables::words};
use crate::merge::{Merged, UnfinishedPart, merge};

const EXAMPLES: &str = "\
Examples:
  transduct merge runs/seeds-0-2 runs/seeds-3-5 --out runs/all
      Runs of one configuration with different seeds, or methods, become one.
  transduct report runs/all
  transduct run --out runs/all --resume
      Do what is not finished in any of them.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct MergeArgs {
    /// Run directories of one configuration, apart from methods and seeds, and of the same data.
    #[arg(value_name = "DIR", required = true, num_args = 2..)]
    dirs: Vec<PathBuf>,
    /// The new run directory, which must be empty or new.
    ///
    /// Finished parts are copied to it; what several runs have finished must be the same in each.
    #[arg(long, visible_alias = "into", value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn execute(args: MergeArgs, output: &Output, arguments: &[OsString]) -> Result<Status> {
    let merged = merge(&args.dirs, &args.out, words(arguments))?;
    output.conclude(&merged, text(&merged, args.dirs.len()))?;
    Ok(Status::Done)
}

fn text(merged: &Merged, runs: usize) -> String {
    let Merged { dir, methods, seeds, merged, unfinished, notes } = merged;
    let mut lines = vec![format!(
        "{runs} runs → {}: {} of {} parts finished ({} methods × {} seeds)",
        dir.display(),
        merged.len(),
        merged.len() + unfinished.len(),
        methods.len(),
        seeds.len()
    )];
    let several = merged.iter().filter(|part| !part.also.is_empty()).count();
    if several > 0 {
        lines.push(format!("{several} of them in several runs, with the same results"));
    }
    let begun = unfinished.iter().filter(|part| !part.left_out.is_empty()).count();
    if begun > 0 {
        lines.push(format!("{begun} unfinished left out:"));
    }
    for UnfinishedPart { method, seed, left_out } in unfinished {
        if !left_out.is_empty() {
            lines.push(format!("  {method} seed {seed}: {}", left_out.join("; ")));
        }
    }
    let never: Vec<_> = unfinished
        .iter()
        .filter(|part| part.left_out.is_empty())
        .map(|part| format!("{} seed {}", part.method, part.seed))
        .collect();
    if !never.is_empty() {
        lines.push(format!("{} not begun in any: {}", never.len(), never.join(", ")));
    }
    lines.extend(notes.iter().map(|note| format!("note: {note}")));
    let dir = quoted(&dir.display().to_string());
    lines.push(format!("\nreport   transduct report {dir}"));
    if !unfinished.is_empty() {
        lines.push(format!("go on    transduct run --out {dir} --resume"));
    }
    lines.join("\n")
}
