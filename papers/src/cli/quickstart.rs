//! `transduct quickstart`: a run with a configuration of its own.

use std::{ffi::OsString, path::PathBuf};

use anyhow::Result;
use clap::Args;
use toml::Table;
use transduct_core::data::embedded::{Direction, UciFrame, digits_protocol};

use super::{
    Global, Output, Status,
    run::{Place, launch},
};
use crate::{
    config::{RunConfig, Seeds},
    runner,
};

const EXAMPLES: &str = "\
Examples:
  transduct quickstart
      Two minutes on two cores; the report is runs/quickstart/report.html.
  transduct quickstart --methods source-only,dann --seeds 1 --steps 100 --out runs/quick
      A first look.
  transduct quickstart --resume
      Go on after an interruption.";

const OUT: &str = "runs/quickstart";
const METHODS: [&str; 5] = ["source-only", "dann", "deep-coral", "dan", "entropy-minimisation"];
// The largest of 0.02, 0.03 and 0.05 at which no seed of eight of DANN collapses: at 0.05, with AVX2, one of
// three does.
const STEPS: u64 = 600;
const EVALUATE_EVERY: u64 = 100;
const RATE: f32 = 0.03;

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct QuickstartArgs {
    #[command(flatten)]
    place: Place,
    /// The methods, joined by commas. By default all that the report compares.
    #[arg(
        long = "method",
        visible_alias = "methods",
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "What to run"
    )]
    methods: Vec<String>,
    /// Training steps, each on a batch of both domains.
    #[arg(long, value_name = "N", help_heading = "Training")]
    steps: Option<u64>,
}

/// The embedded digits: MNIST's are labelled, UCI's small and blurred ones are to be adapted to.
fn base() -> Result<RunConfig> {
    let mut config = RunConfig {
        source: Some("mnist-small".to_owned()),
        target: Some("uci-digits".to_owned()),
        methods: METHODS.map(str::to_owned).to_vec(),
        protocol: Table::try_from(digits_protocol(Direction::MnistToUci, UciFrame::default()))?,
        ..RunConfig::default()
    };
    config.training.steps = STEPS;
    config.training.evaluate_every = EVALUATE_EVERY;
    config.training.rate = Some(RATE);
    Ok(config)
}

pub(super) fn execute(
    args: QuickstartArgs,
    global: &Global,
    output: &Output,
    arguments: &[OsString],
) -> Result<Status> {
    let joining = args.place.joining(output)?;
    let out = args.place.out.unwrap_or_else(|| PathBuf::from(OUT));
    let mut config = match args.place.resume {
        true => runner::saved_config(&out)?,
        false => base()?,
    };
    if let Some(Seeds(seeds)) = args.place.seeds {
        config.seeds = seeds;
    }
    if !args.methods.is_empty() {
        config.methods = args.methods;
    }
    if let Some(steps) = args.steps {
        config.training.steps = steps;
    }
    launch(config, out, joining, global, output, arguments)
}
