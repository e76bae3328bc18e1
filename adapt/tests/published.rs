//! Cells of published tables, from the data they were published on: the directory that
//! `TRANSDUCT_DATA` names. Without it these tests say that they were skipped, and pass.

#![cfg(feature = "native")]
#![allow(clippy::unwrap_used)]

use ndarray::Array2;
use serde_json::{Value, json};
use transduct_adapt::{domains::Domains, math::nearest::nearest, shallow::aligner};
use transduct_core::data::{
    DataDir, NormalisedBy, Protocol, Samples, TargetTest, normalise::Normalisation,
    registry::load_pair,
};

fn data() -> Option<DataDir> {
    let root = std::env::var_os("TRANSDUCT_DATA");
    if root.is_none() {
        eprintln!("skipped: TRANSDUCT_DATA names no data directory");
    }
    root.map(|root| DataDir::at(std::path::PathBuf::from(root)))
}

/// The accuracy, in per cent, of the nearest source image's label on all target rows.
fn accuracy(
    dir: &DataDir,
    pair: [&str; 2],
    steps: &[Normalisation],
    method: &str,
    options: &Value,
) -> f64 {
    let protocol = Protocol {
        target_test: TargetTest::Transductive,
        source_validation: 0.0,
        normalisation: Normalisation::Sequence(steps.to_vec()),
        normalised_by: NormalisedBy::EachDomain,
        ..Protocol::default()
    };
    let pair = load_pair(pair[0], pair[1], dir, &protocol).unwrap();
    let rows = |samples: &Samples| -> Array2<f64> {
        let Samples::Features(x) = samples else { panic!("these sets are features") };
        x.mapv(f64::from)
    };
    let (xs, xt) = (rows(pair.source.samples()), rows(pair.target.samples()));
    let labels = pair.source.labels();
    let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(labels).unwrap();
    let aligner = (aligner(method).unwrap().build)(options).unwrap();
    let fitted = aligner.fit(&domains).unwrap();
    let (zs, zt) = (fitted.source(xs.view()).unwrap(), fitted.target(xt.view()).unwrap());
    let found = nearest(zt.view(), zs.view(), 1).indices;
    let predictions: Vec<usize> = found.iter().map(|&i| labels[i]).collect();
    100.0 * pair.target_test.accuracy(&predictions).unwrap()
}

fn jda_2013(dir: &DataDir, source: &str, target: &str, method: &str) -> f64 {
    let options = match method {
        "tca" => json!({
            "components": 100, "regularisation": 0.1, "relative": true, "representation": "primal",
        }),
        _ => Value::Null,
    };
    accuracy(dir, [source, target], &[Normalisation::L2Rows], method, &options)
}

/// Long et al., ICCV 2013, Table 2.
#[test]
fn cells_of_the_jda_paper() {
    let Some(dir) = data() else { return };
    for (source, target, method, published) in [
        ("jda/mnist", "jda/usps", "tca", 56.28),
        ("jda/mnist", "jda/usps", "jda", 67.28),
        ("jda/usps", "jda/mnist", "tca", 51.05),
        ("jda/coil1", "jda/coil2", "tca", 88.47),
    ] {
        let accuracy = jda_2013(&dir, source, target, method);
        assert!((accuracy - published).abs() < 0.006, "{method} {source} → {target}: {accuracy}");
    }
}

/// The other cells of the table, and the averages over Office-Caltech10.
#[test]
#[ignore = "a minute: run with --ignored --nocapture"]
fn the_whole_jda_paper() {
    let Some(dir) = data() else { return };
    for (source, target, published) in [
        ("jda/usps", "jda/mnist", 59.65),
        ("jda/coil1", "jda/coil2", 89.31),
        ("jda/coil2", "jda/coil1", 88.47),
    ] {
        let accuracy = jda_2013(&dir, source, target, "jda");
        println!("jda {source} → {target}: {accuracy:.2}, published {published}");
    }
    let accuracy_tca = jda_2013(&dir, "jda/coil2", "jda/coil1", "tca");
    println!("tca jda/coil2 → jda/coil1: {accuracy_tca:.2}, published 85.83");
    let steps = [Normalisation::L1Rows, Normalisation::ZScore { ddof: 0 }, Normalisation::L2Rows];
    for (method, options, published) in [
        (
            "tca",
            json!({
                "components": 20, "regularisation": 1.0, "relative": true,
                "representation": "primal", "normalise_output": true,
            }),
            46.2,
        ),
        ("jda", json!({ "components": 20, "regularisation": 1.0 }), 46.8),
    ] {
        let names = ["caltech", "amazon", "webcam", "dslr"];
        let mut all = Vec::new();
        for source in names {
            for target in names.into_iter().filter(|&target| target != source) {
                let [s, t] = [source, target].map(|name| format!("office-caltech10/{name}"));
                let cell = accuracy(&dir, [&s, &t], &steps, method, &options);
                println!("{method} {source} → {target}: {cell:.2}");
                all.push(cell);
            }
        }
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        println!("{method}: {mean:.2}, published {published}");
        assert!((mean - published).abs() < 0.5, "{method}: {mean}");
    }
}
