//! What the program says when it is asked nothing.

use anyhow::Result;
use serde_json::json;

use super::{Output, Status};

const TEXT: &str = "\
Transduct trains a classifier on labelled data of one domain and adapts it to another domain that
has no labels.

See it work, on two real digit collections that are inside the program (about two minutes):

    transduct quickstart

It trains a model on one collection alone and with each adaptation method, prints what every
method gains on the other collection, and writes a report to runs/quickstart/report.html.

Then your own data:

    transduct run --source DIR --target DIR --method source-only,dann --out runs/mine
    transduct predict --run runs/mine --input DIR --out predictions.csv

    transduct list           methods, backbones, data sets, validators, experiments
    transduct data list      data sets that can be downloaded
    transduct help           all commands; `transduct COMMAND --help` has examples";

pub(super) fn execute(output: &Output) -> Result<Status> {
    let value = json!({"version": env!("CARGO_PKG_VERSION"), "start": "transduct quickstart"});
    output.answer(&value, TEXT)?;
    Ok(Status::Done)
}
