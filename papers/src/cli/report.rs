//! `transduct report`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{Output, Status};
use crate::{record::RunDir, report};

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
