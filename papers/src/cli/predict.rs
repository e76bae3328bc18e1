//! `transduct predict`.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use transduct_core::data::read::ReadOptions;

use super::{Global, Output, Status, UsageError, reading::FileArgs};
use crate::{
    predict::{Choice, Predictions, Selected},
    record::{ORACLE, RunDir},
};

const EXAMPLES: &str = "\
Examples:
  transduct predict --run runs/mine --input new-photos --out predictions.csv
      A folder of images, or one image, with the model that the run recommends.
  transduct predict --run runs/mine --method dann --seed 2 --checkpoint final --input x.npy
      Another model of the run; the predictions go to standard output.
  transduct predict --model model.safetensors --input new.csv --out predictions.csv
      A file that `transduct export` wrote, without the run that it comes from.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct PredictArgs {
    #[command(flatten)]
    origin: Origin,
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
    #[command(flatten)]
    file: FileArgs,
}

/// Where the model is: the one or the other.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Origin {
    /// The run directory.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// A model file, as `transduct export` writes it, in either precision.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["method", "seed", "checkpoint"])]
    model: Option<PathBuf>,
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
    let mut files = ReadOptions::default();
    args.file.apply(&mut files);
    let Origin { run, model } = args.origin;
    let (model, predictions) = match (run, model) {
        (Some(run), _) => {
            let selected = args.model.select(run)?;
            let by = match selected.checkpoint.as_str() {
                ORACLE => "the oracle's choice, by target labels".to_owned(),
                name => format!("model-{name}"),
            };
            output.note(format!("using {} seed {}, {by}", selected.method, selected.seed));
            let predictions = Predictions::of(&selected.path, &args.input, &files, global.device)?;
            let model = json!({
                "method": selected.method,
                "seed": selected.seed,
                "checkpoint": selected.checkpoint,
                "model": selected.path,
            });
            (model, predictions)
        }
        (None, Some(path)) => {
            let predictions = Predictions::of(&path, &args.input, &files, global.device)?;
            output.note(format!("using {}", told(predictions.provenance())));
            (described(&path, predictions.provenance()), predictions)
        }
        (None, None) => return Err(UsageError("give --run or --model".to_owned()).into()),
    };
    predictions.notes().iter().for_each(|note| output.note(format!("note: {note}")));
    let Some(out) = args.out else {
        predictions.write(io::stdout().lock())?;
        return Ok(Status::Done);
    };
    predictions.save(&out)?;
    let counts = predictions.counts();
    let mut value = model;
    value["rows"] = json!(predictions.len());
    value["predicted"] = json!(counts.iter().cloned().collect::<BTreeMap<_, _>>());
    value["notes"] = json!(predictions.notes());
    value["out"] = json!(out);
    let counts: Vec<_> = counts.iter().map(|(class, n)| format!("{class} {n}")).collect();
    let text =
        format!("{} rows → {}\npredicted: {}", predictions.len(), out.display(), counts.join(", "));
    output.conclude(&value, text)?;
    Ok(Status::Done)
}

/// Where the model of a file comes from, for people.
fn told(provenance: &BTreeMap<String, String>) -> String {
    let known = |key: &str| provenance.get(key).map(String::as_str);
    let Some(method) = known("method") else {
        return "a model that does not say where it comes from".to_owned();
    };
    let mut text = method.to_owned();
    if let Some(seed) = known("seed") {
        text += &format!(" seed {seed}");
    }
    match known("choice") {
        Some(ORACLE) => text += ", the oracle's choice, by target labels",
        Some(choice) => text += &format!(", model-{choice}"),
        None => {}
    }
    if let (Some(source), Some(target)) = (known("source"), known("target")) {
        text += &format!(", trained on {source} and adapted to {target}");
    }
    text
}

/// The same for programs, in the words that a run's model has.
fn described(path: &Path, provenance: &BTreeMap<String, String>) -> Value {
    let seed = provenance.get("seed").and_then(|seed| seed.parse::<u64>().ok());
    json!({
        "method": provenance.get("method"),
        "seed": seed,
        "checkpoint": provenance.get("choice"),
        "model": path,
        "provenance": provenance,
    })
}
