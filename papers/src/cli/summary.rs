//! `transduct summary`.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use transduct_core::{
    InputShape, Stream,
    backbone::{Head, Summary, build_backbone},
    cpu, rng,
};

use super::{Output, Status};

const EXAMPLES: &str = "\
Examples:
  transduct summary --backbone digit-net --input 1x28x28
  transduct summary --backbone mlp --input 800 --classes 31";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct SummaryArgs {
    /// The backbone, by its name in `transduct list backbones`.
    #[arg(long, value_name = "NAME")]
    backbone: String,
    /// The shape of one row: CHANNELSxHEIGHTxWIDTH for images, one number for features.
    #[arg(long, value_name = "SHAPE", value_parser = input_shape)]
    input: InputShape,
    /// The number of classes.
    #[arg(long, value_name = "K", default_value_t = 10)]
    classes: usize,
}

fn input_shape(text: &str) -> Result<InputShape, String> {
    let numbers: Option<Vec<usize>> =
        text.split(['x', '×']).map(|n| n.parse().ok().filter(|&n| n > 0)).collect();
    match numbers.as_deref() {
        Some(&[d]) => Ok(InputShape::Features { d }),
        Some(&[c, h, w]) => Ok(InputShape::Images { c, h, w }),
        _ => Err("expected CHANNELSxHEIGHTxWIDTH, as in 1x28x28, or one number".to_owned()),
    }
}

pub(super) fn execute(args: SummaryArgs, output: &Output) -> Result<Status> {
    let dev = cpu();
    let mut init = rng(0, Stream::Init);
    let backbone = build_backbone(&dev, &args.backbone, args.input, &Value::Null, &mut init)?;
    let sizes = (backbone.features(), args.classes);
    let head = Head::new(&dev, sizes, &Default::default(), &mut init)?;
    let summary = Summary::of(&*backbone, &[head]);
    let layer = |row: &transduct_core::backbone::SummaryRow| {
        json!({
            "name": row.name,
            "about": row.about,
            "output": row.output,
            "parameters": row.parameters,
            "untrained": row.untrained,
        })
    };
    let value = json!({
        "backbone": summary.name,
        "input": summary.input,
        "features": backbone.features(),
        "layers": summary.rows.iter().map(layer).collect::<Vec<_>>(),
        "parameters": summary.parameters(),
        "parameter_bytes": summary.parameter_bytes(),
        "activation_bytes_per_row": summary.activation_bytes(1),
    });
    output.answer(&value, &summary)?;
    Ok(Status::Done)
}
