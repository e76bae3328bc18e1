//! `transduct export`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use transduct_core::{
    cpu,
    model::Model,
    tensors::{Precision, write_atomically},
};

use super::{Output, Status, predict::ModelArgs};
use crate::{predict::Selected, record::FINAL};

const EXAMPLES: &str = "\
Examples:
  transduct export runs/mine --out model.safetensors
      The model that the run recommends, chosen without target labels.
  transduct export runs/quickstart --method source-only --seed 0 --half --out small.safetensors
      Another model of the run, in half the bytes.
  transduct predict --model small.safetensors --input new-images --out predictions.csv
      Such a file predicts without the run. Other programs read it too: papers/MODEL-FILES.md in the
      repository says what is in it.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ExportArgs {
    /// The run directory.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The file to write, in the safetensors format: weights, and in its metadata the architecture,
    /// the normalisation, the classes and where the model comes from.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    /// Write 16-bit numbers: half the size, each weight right to about three decimal digits.
    #[arg(long)]
    half: bool,
}

pub(super) fn execute(args: ExportArgs, output: &Output) -> Result<Status> {
    let Selected { method, seed, checkpoint, path } = args.model.select(args.run)?;
    if args.out.is_dir() {
        bail!("{}: is a folder, expected a file name to write", args.out.display());
    }
    let model = Model::load(&cpu(), &path)?;
    let precision = if args.half { Precision::Half } else { Precision::Single };
    let bytes = model.to_bytes(precision)?;
    write_atomically(&args.out, &bytes)?;
    let card = model.card();
    let value = json!({
        "method": method, "seed": seed, "checkpoint": checkpoint, "precision": precision,
        "bytes": bytes.len(), "card": card, "out": args.out,
    });
    let chosen = match checkpoint.as_str() {
        FINAL => "at the end of training".to_owned(),
        name => format!("chosen by {name}"),
    };
    let text = format!(
        "{method}, seed {seed}, {chosen}: {} of {} → {} classes, {:.1} kB → {}",
        card.backbone,
        card.input,
        card.classes.len(),
        bytes.len() as f64 / 1e3,
        args.out.display()
    );
    output.conclude(&value, text)?;
    Ok(Status::Done)
}
