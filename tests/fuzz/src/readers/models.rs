//! Checkpoints and models: tensors with a JSON document.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use transduct_core::{
    Input, InputShape, Network, RngState, Stream,
    backbone::{Head, build_backbone},
    checkpoint::Checkpoint,
    cpu,
    layer::PerceptronConfig,
    model::{self, Model, ModelCard},
    optim::OptimiserState,
    rng,
    tensors::{Precision, Tensors},
};

use crate::Reader;

pub(super) const SAFETENSORS: Reader =
    Reader { name: "safetensors", file: "input.safetensors", seeds, read };

fn model(backbone: &str, backbone_options: Value, input: InputShape) -> Vec<u8> {
    let (dev, mut init) = (cpu(), rng(5, Stream::Init));
    let head_config = PerceptronConfig { hidden: vec![3], dropout: 0.0 };
    let network =
        build_backbone(&dev, backbone, input, &backbone_options, &mut init).expect("options");
    let head = Head::new(&dev, (network.features(), 2), &head_config, &mut init).expect("options");
    let network = Network::new(network, head);
    let card = ModelCard {
        backbone: backbone.to_owned(),
        backbone_options,
        head: head_config,
        heads: 1,
        input,
        preprocessing: json!({"normalise": "none"}),
        classes: vec!["a".to_owned(), "b".to_owned()],
        provenance: BTreeMap::from([("method".to_owned(), "dann".to_owned())]),
    };
    model::to_bytes(&card, &network).expect("finite weights")
}

fn seeds() -> Vec<Vec<u8>> {
    let features = InputShape::Features { d: 3 };
    let mlp = model("mlp", json!({"hidden": [4, 2]}), features);
    let half = Model::from_bytes(&cpu(), "seed", &mlp).and_then(|m| m.to_bytes(Precision::Half));
    let tensor = |v: f32| ndarray::arr2(&[[v, 2.0]]).into_dyn();
    let checkpoint = Checkpoint {
        step: 7,
        config: json!({"steps": 10, "optimiser": {"name": "sgd", "momentum": 0.9}}),
        rng: RngState::from(&rng(3, Stream::Step)),
        batches: json!({"source": 4}),
        means: json!({"total": 0.5}),
        parameters: Tensors::from([("head/head.bias".to_owned(), tensor(1.0))]),
        optimiser: OptimiserState {
            updates: [("head/head.bias".to_owned(), 7)].into(),
            tensors: Tensors::from([("velocity/head/head.bias".to_owned(), tensor(3.0))]),
        },
    };
    vec![
        mlp,
        half.expect("a model"),
        model("mlp", json!({"hidden": []}), InputShape::Images { c: 1, h: 2, w: 2 }),
        model("resnet", json!({"depth": 8, "width": 1}), InputShape::Images { c: 1, h: 8, w: 8 }),
        checkpoint.to_bytes().expect("finite numbers"),
    ]
}

fn read(path: &Path) -> Result<()> {
    let dev = cpu();
    let checkpoint = Checkpoint::load(path).map(|checkpoint| {
        checkpoint.rng.restore();
        let _ = checkpoint.check_config("c", &json!({"steps": 10}));
    });
    match Model::load(&dev, path) {
        Ok(model) => {
            model.summary();
            let shape = model.card().input;
            // Its tensors have as many numbers for each of these.
            let rows = Input::from_values(&dev, shape, vec![0.5; shape.len()])?;
            model.outputs(&rows)?;
            Ok(())
        }
        Err(error) => Ok(checkpoint.map_err(|_| error)?),
    }
}
