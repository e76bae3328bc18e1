//! What an exported model file holds, and what it predicts.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::SafeTensors;
use serde_json::Value;
use transduct_core::{
    InputShape, Network, Stream,
    backbone::{Head, build_backbone},
    cpu,
    layer::PerceptronConfig,
    rng, tensors,
};

use super::{Place, TABLES, json, text};

const PAGE: &str = include_str!("../../MODEL-FILES.md");

type Shapes = BTreeMap<String, Vec<usize>>;

/// The tensors that the page lists for this backbone.
fn documented(backbone: &str) -> Shapes {
    let (_, section) = PAGE.split_once(&format!("\n### {backbone}\n")).unwrap();
    let (_, listed) = section.split_once("```text\n").unwrap();
    let (listed, _) = listed.split_once("```").unwrap();
    let line = |line: &str| {
        let (name, shape) = line.split_once(' ').unwrap();
        let shape = shape.trim().trim_matches(['(', ')']).split(", ");
        (name.to_owned(), shape.map(|d| d.parse().unwrap()).collect())
    };
    listed.lines().map(line).collect()
}

/// The tensors of this backbone, with its defaults, under a linear classifier of `k` classes.
fn built(backbone: &str, input: InputShape, k: usize) -> Shapes {
    let (dev, mut init) = (cpu(), rng(0, Stream::Init));
    let backbone = build_backbone(&dev, backbone, input, &Value::Null, &mut init).unwrap();
    let sizes = (backbone.features(), k);
    let head = Head::new(&dev, sizes, &PerceptronConfig::default(), &mut init).unwrap();
    let all = Network::new(backbone, head).parameters();
    tensors::values(&all).into_iter().map(|(name, v)| (name, v.shape().to_vec())).collect()
}

/// A place with a short run in `runs/a`, and its model exported in both precisions.
fn exported() -> Place {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --out runs/a"));
    place.succeed("export runs/a --method dann --out m.safetensors");
    place.succeed("export runs/a --method dann --half --out h.safetensors");
    place
}

/// The probabilities of a CSV text that `predict` wrote.
fn probabilities(text: &str) -> Vec<[f64; 2]> {
    let number = |row: &str, column| row.split(',').nth(column).unwrap().parse().unwrap();
    text.lines().skip(1).map(|row| [number(row, 3), number(row, 4)]).collect()
}

#[test]
fn the_page_lists_the_tensors_that_there_are() {
    let digits = built("digit-net", InputShape::Images { c: 1, h: 28, w: 28 }, 10);
    assert_eq!(documented("digit-net"), digits);
    let resnet = built("resnet", InputShape::Images { c: 3, h: 32, w: 32 }, 10);
    for (name, shape) in documented("resnet") {
        assert_eq!(resnet.get(&name), Some(&shape), "{name}");
    }

    let place = exported();
    for file in ["m.safetensors", "h.safetensors"] {
        let bytes = std::fs::read(place.path(file)).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let shapes: Shapes =
            tensors.iter().map(|(name, view)| (name.to_owned(), view.shape().to_vec())).collect();
        assert_eq!(shapes, documented("mlp"), "{file}");
    }
}

#[test]
fn a_prediction_by_the_page_is_that_of_the_command() {
    let place = exported();
    let bytes = std::fs::read(place.path("m.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let document = json(&header.metadata().as_ref().unwrap()["transduct"]);
    let card = &document["card"];

    // Every key that the page's example has is there.
    let (_, example) = PAGE.split_once("```json\n").unwrap();
    let example = json(example.split_once("```").unwrap().0);
    assert_eq!(example["format"], document["format"]);
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(&example["card"]), keys(card));
    assert_eq!(keys(&example["card"]["provenance"]), keys(&card["provenance"]));
    for field in ["backbone", "backbone_options", "head", "input", "classes"] {
        assert_eq!(example["card"][field], card[field], "{field}");
    }

    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let values = |name: &str| -> Vec<f64> {
        let data = tensors.tensor(name).unwrap().data().to_vec();
        let number = |b: &[u8]| f64::from(f32::from_le_bytes(b.try_into().unwrap()));
        data.chunks(4).map(number).collect()
    };
    let linear = |x: &[f64], layer: &str| -> Vec<f64> {
        let (w, b) = (values(&format!("{layer}.weight")), values(&format!("{layer}.bias")));
        let (w, columns) = (&w, b.len());
        let column = |j: usize| x.iter().enumerate().map(move |(i, x)| x * w[i * columns + j]);
        (0..columns).map(|j| b[j] + column(j).sum::<f64>()).collect()
    };
    let affine = &card["preprocessing"]["preparation"]["normalisation"]["affine"];
    let number = |field: &str, j: usize| affine[field][j].as_f64().unwrap();
    let by_hand = |row: &str| -> Vec<f64> {
        let x = row.split(',').take(2).map(|v| v.parse::<f64>().unwrap()).enumerate();
        let x: Vec<_> = x.map(|(j, v)| (v - number("shift", j)) / number("scale", j)).collect();
        let x: Vec<_> = linear(&x, "backbone/fc1").into_iter().map(|v| v.max(0.0)).collect();
        let z: Vec<_> = linear(&x, "head/head").into_iter().map(f64::exp).collect();
        z.iter().map(|e| e / z.iter().sum::<f64>()).collect()
    };
    let out = place.succeed("predict --model m.safetensors --input target.csv");
    let rows = text(place.path("target.csv"));
    let predicted = probabilities(&out);
    assert_eq!(predicted.len(), 48);
    for (row, p) in rows.lines().skip(1).zip(predicted) {
        for (a, b) in by_hand(row).iter().zip(p) {
            assert!((a - b).abs() < 3e-6, "{row}: {a} {b}");
        }
    }
}

#[test]
fn an_exported_model_predicts_without_its_run() {
    let place = exported();
    let by_run = place.succeed("predict --run runs/a --method dann --input target.csv");
    std::fs::remove_dir_all(place.path("runs")).unwrap();
    let value =
        json(&place.succeed("predict --model m.safetensors --input target.csv --out p.csv --json"));
    assert_eq!((&value["method"], &value["seed"]), (&"dann".into(), &0.into()));
    assert_eq!((&value["checkpoint"], &value["rows"]), (&"im".into(), &48.into()));
    assert_eq!(value["provenance"]["program"], concat!("transduct ", env!("CARGO_PKG_VERSION")));
    assert_eq!(text(place.path("p.csv")), by_run);

    let half = place.succeed("predict --model h.safetensors --input target.csv");
    for (a, b) in probabilities(&half).iter().zip(probabilities(&by_run)) {
        assert!((a[0] - b[0]).abs() < 1e-2, "{a:?} {b:?}");
    }
    assert_ne!(half, by_run);
}

#[test]
fn what_is_no_model_is_refused_in_one_line() {
    let place = exported();
    let line = |model: &str| place.refusal(&format!("predict --model {model} --input target.csv"));
    assert!(line("nowhere.safetensors").starts_with("nowhere.safetensors: No such file"));
    let table = line("source.csv");
    assert!(table.starts_with("source.csv: not a safetensors file, or damaged"), "{table}");
    let checkpoint = line("runs/a/dann/seed-0/checkpoint.safetensors");
    assert!(checkpoint.contains("its description cannot be read"), "{checkpoint}");
    place.write("wide.csv", "a,b,c\n1,2,3\n");
    let wide = place.refusal("predict --model m.safetensors --input wide.csv");
    assert_eq!(wide, "wide.csv: no columns `length`, `width`, which the source has");
    // One model, not two: the command line itself is wrong.
    for model in ["--run runs/a --model m.safetensors", "--model m.safetensors --seed 0", ""] {
        let words = format!("predict {model} --input target.csv").replace("  ", " ");
        let lines = place.fail(&words, 2).join("\n");
        assert!(lines.contains("--model") && lines.contains("--run"), "{lines}");
    }
}
