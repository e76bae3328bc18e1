//! `transduct tensorboard`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{Output, Status, run::quoted};
use crate::tensorboard::{Exported, export};

const EXAMPLES: &str = "\
Examples:
  transduct tensorboard runs/a --out logs/a
  tensorboard --logdir logs
      Each method and seed is a run there: a/dann/seed-0.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct TensorboardArgs {
    /// The run directory.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn execute(args: TensorboardArgs, output: &Output) -> Result<Status> {
    let exported = export(&args.run, &args.out)?;
    let Exported { logs, files, notes } = &exported;
    let events: usize = files.iter().map(|file| file.events).sum();
    let mut lines: Vec<_> = notes.iter().map(|note| format!("note: {note}")).collect();
    lines.push(format!("{events} events in {} files → {}", files.len(), logs.display()));
    lines.push(format!("show     tensorboard --logdir {}", quoted(&logs.display().to_string())));
    output.conclude(&exported, lines.join("\n"))?;
    Ok(Status::Done)
}
