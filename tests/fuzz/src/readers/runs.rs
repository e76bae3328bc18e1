//! What the command keeps: configurations of runs and saved maps.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use safetensors::{Dtype, tensor::TensorView};
use transduct_papers::{config::RunConfig, map_file};

use crate::Reader;

pub(super) const TOML: Reader =
    Reader { name: "toml", file: "input.toml", seeds: toml_seeds, read: read_toml };
pub(super) const MAP: Reader =
    Reader { name: "map", file: "input.safetensors", seeds: map_seeds, read: read_map };

fn toml_seeds() -> Vec<Vec<u8>> {
    let run = r#"
source = "mnist"
target = "data/usps.csv" # a path
methods = ["source-only", "dann"]
seeds = [0, 1_000, 0x2a]
ignore_target_labels = false

[source_files]
labels = "class"
drop = ["id", 'x\y']
header = "yes"
svmlight = { n_features = 10, zero_based = "auto" }
pictures = { size = [28, 28], channels = 1 }

[protocol]
source_validation = 0.2

[backbone]
name = "mlp"
options = { hidden = [256, 128], dropout = 0.5 }

[head]
hidden = []

[training]
steps = 200
source_batch = 64

[evaluation]
target_rows = 500
validators = ["im"]

[method.dann]
weight = 0.5
[method."mcd"]
"#;
    let small = "seeds = [3]\nmethods = ['''dann''']\nbackbone.options.hidden = [1]\n\
                 backbone.name = \"\"\"m\\u006cp\"\"\"\n";
    let written = toml(&RunConfig::default());
    vec![run.as_bytes().to_vec(), small.as_bytes().to_vec(), written]
}

fn toml(config: &RunConfig) -> Vec<u8> {
    config.to_text().expect("a configuration").into_bytes()
}

fn read_toml(path: &Path) -> Result<()> {
    let mut config = RunConfig::read(path)?;
    // As the command line does next.
    let _ = config.set("training.steps", "3");
    Ok(())
}

fn map_seeds() -> Vec<Vec<u8>> {
    let file = |document: &str, tensors: &[(&str, &[usize])]| {
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|(_, shape)| {
                let n: usize = shape.iter().product();
                (1..=n).flat_map(|i| (0.5 * i as f64).to_le_bytes()).collect()
            })
            .collect();
        let views = tensors.iter().zip(&bytes).map(|((name, shape), bytes)| {
            (*name, TensorView::new(Dtype::F64, shape.to_vec(), bytes).expect("its size"))
        });
        let metadata = HashMap::from([("transduct-map".to_owned(), document.to_owned())]);
        safetensors::serialize(views, Some(metadata)).expect("memory")
    };
    let document = |maps: &str, outputs: &str| {
        format!(
            r#"{{"format":3,"program":"0","method":"m","options":{{"k":1}},"d":2,
            "encoding":{{"named":true,"columns":[{{"name":"a","levels":null}},
            {{"name":"b","levels":null}}],"positions":[0,1],"width":3,"excluded":["label"]}},
            "outputs":{outputs},{maps}}}"#
        )
    };
    let chain = document(
        r#""source":{"sequence":["unit-rows",{"copies":{"features":2,"factors":"f"}},
        {"affine":{"shift":"s4","matrix":"m42","offset":"s2"}},
        {"low-rank":{"shift":"s2","scale":0.5,"left":"m21","right":"m12","offset":"s2"}},
        {"standardise":{"mean":"s2","deviation":"s2"}},{"restore":{"mean":"s2","deviation":"s2"}}]},
        "target":"identity""#,
        "null",
    );
    let others = document(
        r#""source":{"kernel":{"kernel":{"gaussian":{"sigma":0.5}},"anchors":"m22","offset":"s2",
        "weights":"m22"}},"target":{"displacement":{"anchors":"m42","images":"m42"}}"#,
        r#"["a","b"]"#,
    );
    let tensors: [(&str, &[usize]); 8] = [
        ("f", &[2]),
        ("s2", &[2]),
        ("s4", &[4]),
        ("m42", &[4, 2]),
        ("m21", &[2, 1]),
        ("m12", &[1, 2]),
        ("m22", &[2, 2]),
        ("none", &[0, 3]),
    ];
    vec![file(&chain, &tensors), file(&others, &tensors)]
}

fn read_map(path: &Path) -> Result<()> {
    map_file::try_out(path)
}
