//! `run --freeze`: what is frozen keeps the bits that it was made with, the rest is trained.

use std::{collections::BTreeMap, fs};

use safetensors::SafeTensors;
use serde_json::json;
use transduct_core::{InputShape, Parameter, Stream, backbone::build_backbone, cpu, rng, tensors};

use super::{
    Place, TABLES,
    resume::{start_with, wait_for_checkpoint},
    text,
};

/// A run of two hidden layers, frozen as far as that.
fn arguments(method: &str, freeze: &str, steps: u64) -> String {
    format!(
        "{} --method {method} --set backbone.options.hidden=[6,5] --freeze {freeze} --steps {steps} \
         --set training.checkpoint_every=20 --out runs/a",
        TABLES.replace(" --steps 20", "")
    )
}

/// Names and bytes of the tensors of a place's model.
fn model(place: &Place, method: &str) -> BTreeMap<String, Vec<u8>> {
    let path = format!("runs/a/{method}/seed-0/model-final.safetensors");
    let bytes = fs::read(place.path(&path)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    tensors.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect()
}

/// The backbone's tensors before the first step of seed 0.
fn start() -> BTreeMap<String, Vec<u8>> {
    let (dev, mut init) = (cpu(), rng(0, Stream::Init));
    let (input, options) = (InputShape::Features { d: 2 }, json!({"hidden": [6, 5]}));
    let backbone = build_backbone(&dev, "mlp", input, &options, &mut init).unwrap();
    let all: Vec<_> = backbone
        .parameters()
        .into_iter()
        .map(|p: Parameter<_>| (transduct_core::Scope::BACKBONE, p))
        .collect();
    let bytes = |v: ndarray::ArrayD<f32>| v.iter().flat_map(|x| x.to_le_bytes()).collect();
    tensors::values(&all).into_iter().map(|(name, v)| (name, bytes(v))).collect()
}

/// Which of the backbone's tensors a run has left as they were made.
fn unchanged(method: &str, freeze: &str) -> Vec<String> {
    let place = Place::new();
    place.succeed(&arguments(method, freeze, 20));
    let (before, after) = (start(), model(&place, method));
    assert_eq!(before.len(), 4, "{:?}", before.keys());
    let same = before.into_iter().filter(|(name, bytes)| after[name] == *bytes);
    same.map(|(name, _)| name).collect()
}

#[test]
fn what_is_frozen_keeps_its_bits_and_the_rest_is_trained() {
    let names = |layers: &[&str]| -> Vec<String> {
        let of = |layer: &&str| ["bias", "weight"].map(|part| format!("backbone/{layer}.{part}"));
        layers.iter().flat_map(of).collect()
    };
    for method in ["source-only", "dann"] {
        assert_eq!(unchanged(method, "nothing"), names(&[]), "{method}");
        assert_eq!(unchanged(method, "fc1"), names(&["fc1"]), "{method}");
    }
    // A loss on features would change nothing here, and is refused.
    assert_eq!(unchanged("source-only", "fc2"), names(&["fc1", "fc2"]));
    assert_eq!(unchanged("source-only", "everything"), names(&["fc1", "fc2"]));
}

#[test]
fn the_head_over_a_frozen_backbone_is_trained() {
    let heads = [20, 40].map(|steps| {
        let place = Place::new();
        place.succeed(&arguments("source-only", "everything", steps));
        let mut model = model(&place, "source-only");
        model.retain(|name, _| name.starts_with("head/"));
        assert!(!model.is_empty());
        model
    });
    for (name, bytes) in &heads[0] {
        assert_ne!(&heads[1][name], bytes, "{name}");
    }
}

#[test]
fn a_killed_run_with_a_frozen_layer_goes_on_with_it_frozen() {
    let whole = Place::new();
    whole.succeed(&arguments("dann", "fc1", 12_000));
    let place = Place::new();
    let mut child = start_with(&place, &arguments("dann", "fc1", 12_000));
    wait_for_checkpoint(&place, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    place.succeed("run --out runs/a --resume");
    assert_eq!(model(&place, "dann"), model(&whole, "dann"));
    assert_eq!(model(&place, "dann")["backbone/fc1.weight"], start()["backbone/fc1.weight"]);
    let metrics = |place: &Place| text(place.path("runs/a/dann/seed-0/metrics.jsonl"));
    assert_eq!(metrics(&place), metrics(&whole));
}

#[test]
fn a_layer_that_there_is_not_is_refused_before_anything_is_written() {
    let place = Place::new();
    let line = place.refusal(&arguments("dann", "fc9", 20));
    assert_eq!(line, "--freeze fc9: unknown stage `fc9`; did you mean `fc1`, `fc2`?");
    assert!(!place.path("runs").exists());
    // What is frozen belongs to the run: it cannot be resumed with something else.
    place.succeed(&arguments("dann", "fc1", 20));
    let line = place.refusal("run --out runs/a --resume --freeze nothing");
    assert!(line.contains("backbone.freeze is "), "{line}");
    assert!(text(place.path("runs/a/config.toml")).contains("up-to = \"fc1\""));
}
