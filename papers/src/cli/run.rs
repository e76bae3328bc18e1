//! `transduct run`.

use std::{ffi::OsString, path::PathBuf};

use anyhow::Result;
use clap::Args;
use transduct_core::backbone::Freeze;

use super::{Global, Output, Status, UsageError};
use crate::{
    config::{RunConfig, Seeds},
    runner,
};

const EXAMPLES: &str = "\
Examples:
  transduct run --source mnist --target usps --method source-only,dann --out runs/mnist-usps
      Registered data sets (`transduct list data`), three seeds.
  transduct run --source photos/shop --target photos/phone --size 32x32 --epochs 20 --out runs/a
      Image folders: photos/shop has a folder of images for each class, photos/phone may have.
  transduct run --source train.csv --target new.csv --label-column species --out runs/b
      Tables of features; also .npy, .npz, .mat and .svmlight files.
  transduct run --config runs/b/config.toml --set method.dann.weight=0.5 --out runs/c
      The same again with another option; every key of a config.toml can be set.
  transduct run --out runs/b --resume
      Go on with a run that was interrupted.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct RunArgs {
    /// A TOML file with options; the options given here win over it.
    ///
    /// Every run saves one as config.toml in its directory, with every default written out.
    #[arg(long, value_name = "FILE", help_heading = "What to run")]
    config: Option<PathBuf>,
    /// The labelled domain: a registered data set, an image folder or a file of features.
    #[arg(long, value_name = "DATA", help_heading = "What to run")]
    source: Option<String>,
    /// The domain to adapt to: as the source, but labels are optional and serve the report only.
    #[arg(long, value_name = "DATA", help_heading = "What to run")]
    target: Option<String>,
    /// The methods, joined by commas. By default source-only and dann.
    #[arg(
        long = "method",
        visible_alias = "methods",
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "What to run"
    )]
    methods: Vec<String>,
    /// The network. By default digit-net for images and mlp for features.
    #[arg(long, value_name = "NAME", help_heading = "What to run")]
    backbone: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    training: TrainingArgs,
    #[command(flatten)]
    data: DataArgs,
}

/// Where a run lives, and the options that the quick start takes too.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// How many seeds (`3` is 0, 1, 2), or which (`4,7`; a single one as `7,`).
    #[arg(long, value_name = "SEEDS", help_heading = "What to run")]
    pub(super) seeds: Option<Seeds>,
    /// The run directory, which must be empty or new, unless with --resume.
    #[arg(long, value_name = "DIR", help_heading = "What to run")]
    pub(super) out: Option<PathBuf>,
    /// Go on with the run in --out: finished parts stay, started ones continue where they stopped.
    #[arg(long, help_heading = "What to run")]
    pub(super) resume: bool,
}

#[derive(Debug, Args)]
struct TrainingArgs {
    /// Training steps, each on a batch of both domains.
    #[arg(long, value_name = "N", conflicts_with = "epochs", help_heading = "Training")]
    steps: Option<u64>,
    /// Passes over the source, instead of steps.
    #[arg(long, value_name = "N", help_heading = "Training")]
    epochs: Option<u64>,
    /// Rows of each domain in a batch.
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch_size: Option<usize>,
    /// The learning rate at the start.
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    rate: Option<f32>,
    /// How gradients change the weights: sgd, adam or adamw, with their default options.
    #[arg(long, alias = "optimizer", value_name = "NAME", help_heading = "Training")]
    optimiser: Option<String>,
    /// How the learning rate falls: constant, step, cosine or inverse-decay.
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    schedule: Option<String>,
    /// Steps between two evaluations.
    #[arg(long, value_name = "N", help_heading = "Training")]
    evaluate_every: Option<u64>,
    /// What of the backbone is not trained: nothing, everything, or a layer and all before it.
    #[arg(long, value_name = "LAYER", value_parser = freeze, help_heading = "Training")]
    freeze: Option<Freeze>,
    /// Set any key of the configuration, for instance `method.dann.weight=0.5`. Can be repeated.
    ///
    /// The keys are those of a run's config.toml. Values are written as in TOML; text needs no
    /// quotes.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment, help_heading = "Training")]
    assignments: Vec<(String, String)>,
}

#[derive(Debug, Args)]
struct DataArgs {
    /// The size that images are brought to. By default that of the source's images.
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = size, help_heading = "Data")]
    size: Option<(usize, usize)>,
    /// The channels of images: 1 for grey, 3 for colours.
    #[arg(long, value_name = "1|3", help_heading = "Data")]
    channels: Option<usize>,
    /// What is done to every row: none, z_score, l1_rows, l2_rows or per_image_mean.
    ///
    /// Those with options are written as in a config.toml, for instance
    /// `--set protocol.normalisation='{ scale = { divisor = 255.0 } }'`.
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    normalise: Option<String>,
    /// Which target rows score the models: `standard` for the data set's own test rows,
    /// `transductive` for all the rows that are adapted to, or a share to hold out, as 0.2.
    #[arg(long, value_name = "WHICH", help_heading = "Data")]
    target_test: Option<String>,
    /// The share of the source rows that is kept for validation.
    #[arg(long, value_name = "SHARE", help_heading = "Data")]
    validation: Option<f64>,
    /// The file with the labels of a source in an .npy file.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    source_labels: Option<PathBuf>,
    /// The file with the labels of a target in an .npy file, for the report only; `none` leaves
    /// labels that are there unread.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    target_labels: Option<PathBuf>,
    /// The column (of a table) or array (of an .npz or .mat file) that holds the labels.
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    label_column: Option<String>,
}
