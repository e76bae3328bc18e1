//! `transduct predict`.

use std::{io, path::PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::{Global, Output, Status};
use crate::{
    predict::{Choice, Predictions, Selected},
    record::{ORACLE, RunDir},
};

const EXAMPLES: &str = "\
Examples:
  transduct predict --run runs/mine --input new-photos --out predictions.csv
      A folder of images, or one image, with the model that the run recommends.
  transduct predict --run runs/mine --method dann --seed 2 --checkpoint final --input x.npy
      Another model of the run; the predictions go to standard output.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct PredictArgs {
    /// The run directory.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// The data: an image, a folder of images, or a file of the target's kind.
    #[arg(long, value_name = "PATH")]
    input: PathBuf,
    /// The CSV file to write. By default standard output.
    ///
    /// It has a row's name (the path of a picture, else its number from 0), the predicted class,
    /// its probability, and a column p_CLASS with the probability of each class.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
}

/// Which model of a run.
#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// The method. By default the one that the run's first validator scores highest on average.
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// The seed. By default the one that the run's first validator scores highest.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Which model of the training: `final`, the choice of a validator, as `im`, or `oracle`.
    ///
    /// By default the choice of the run's first validator, which sees no target label. The
    /// oracle's choice is the best on the labelled target test rows.
    #[arg(long, value_name = "NAME")]
    checkpoint: Option<String>,
}

impl ModelArgs {
    /// # Errors
    /// Those of [`Choice::select`].
    pub(super) fn select(self, run: PathBuf) -> Result<Selected> {
        let Self { method, seed, checkpoint } = self;
        Choice { method, seed, checkpoint }.select(&RunDir::new(run))
    }
}

pub(super) fn execute(args: PredictArgs, global: &Global, output: &Output) -> Result<Status> {
    let selected = args.model.select(args.run)?;
    let by = match selected.checkpoint.as_str() {
        ORACLE => "the oracle's choice, by target labels".to_owned(),
        name => format!("model-{name}"),
    };
    output.note(format!("using {} seed {}, {by}", selected.method, selected.seed));
    let predictions = Predictions::of(&selected.path, &args.input, global.device)?;
    predictions.notes().iter().for_each(|note| output.note(format!("note: {note}")));
    let Some(out) = args.out else {
        predictions.write(io::stdout().lock())?;
        return Ok(Status::Done);
    };
    predictions.save(&out)?;
    let counts = predictions.counts();
    let value = json!({
        "method": selected.method,
        "seed": selected.seed,
        "checkpoint": selected.checkpoint,
        "model": selected.path,
        "rows": predictions.len(),
        "predicted": counts.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "out": out,
    });
    let counts: Vec<_> = counts.iter().map(|(class, n)| format!("{class} {n}")).collect();
    let text =
        format!("{} rows → {}\npredicted: {}", predictions.len(), out.display(), counts.join(", "));
    output.conclude(&value, text)?;
    Ok(Status::Done)
}
