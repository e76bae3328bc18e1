//! A trained model on new data.

use super::{Place, TABLES, json, text};

/// The columns of a CSV text, without its header.
fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn predictions_of_the_test_rows_have_the_recorded_accuracy() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --steps 60 --out runs/a"));
    let arguments = "predict --run runs/a --method dann --seed 0 --checkpoint final --input \
                     target.csv --out p.csv --json";
    let value = json(&place.succeed(arguments));
    assert_eq!((&value["rows"], &value["checkpoint"]), (&48.into(), &"final".into()));
    let csv = text(place.path("p.csv"));
    assert!(csv.starts_with("name,class,confidence,p_cat,p_dog\n0,"), "{csv}");
    let truth = text(place.path("target.csv"));
    let right = rows(&csv)
        .iter()
        .zip(rows(&truth))
        .filter(|(predicted, row)| predicted[1] == row[2])
        .count();
    let done = json(&text(place.path("runs/a/dann/seed-0/done.json")));
    assert_eq!(done["target_accuracy"], right as f64 / 48.0);
    for row in rows(&csv) {
        let p: Vec<f64> = row[2..].iter().map(|p| p.parse().unwrap()).collect();
        assert!((p[1] + p[2] - 1.0).abs() < 2e-6 && p[0] == p[1].max(p[2]), "{row:?}");
    }
}

#[test]
fn the_default_model_is_chosen_without_target_labels() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --seeds 2 --out runs/a"));
    let value = json(&place.succeed("predict --run runs/a --input target.csv --out p.csv --json"));
    assert_eq!((&value["method"], &value["checkpoint"]), (&"dann".into(), &"im".into()));
    // Without --out, the table itself.
    let out = place.succeed("predict --run runs/a --input target.csv");
    assert_eq!(out, text(place.path("p.csv")));
    let value =
        json(&place.succeed(
            "predict --run runs/a --input target.csv --checkpoint oracle --out o.csv --json",
        ));
    assert_eq!(value["checkpoint"], "oracle");
}

#[test]
fn what_cannot_be_predicted_is_refused() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --out runs/a"));
    let line = |arguments: &str| place.refusal(&format!("predict {arguments}"));
    let input = "--run runs/a --input target.csv";
    assert_eq!(
        line(&format!("{input} --method danm")),
        "unknown method `danm`; did you mean `dann`?"
    );
    assert_eq!(
        line(&format!("{input} --checkpoint entropi")),
        "unknown checkpoint `entropi`; did you mean `entropy`?"
    );
    assert_eq!(line(&format!("{input} --seed 5")), "the run has no seed 5, its seeds are [0]");
    let missing = line("--run runs/b --input target.csv");
    assert!(missing.starts_with("runs/b/run.json: No such file"), "{missing}");
    place.write("wide.csv", "a,b,c\n1,2,3\n");
    let wide = line("--run runs/a --input wide.csv");
    assert_eq!(wide, "wide.csv: no columns `length`, `width`, which the source has");
}

#[test]
fn pictures_are_predicted_by_their_paths() {
    let place = Place::new();
    for (folder, offset) in [("shop", 0), ("phone", 40)] {
        for (class, level) in [("light", 180), ("dark", 20)] {
            for i in 0..8u8 {
                let grey = image::Luma([level + offset + i]);
                let path = place.write(&format!("{folder}/{class}/{i}.png"), "");
                image::GrayImage::from_pixel(20, 18, grey).save(path).unwrap();
            }
        }
    }
    place.succeed(
        "run --source shop --target phone --size 16x16 --channels 1 --batch-size 4 --seeds 1 \
         --validation 0.25 --steps 2 --method source-only --out runs/a",
    );
    let run = json(&text(place.path("runs/a/run.json")));
    assert_eq!(run["input"]["images"], serde_json::json!({"c": 1, "h": 16, "w": 16}));
    let out = place.succeed("predict --run runs/a --input phone");
    let names: Vec<_> = rows(&out).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!((names.len(), names[0].as_str()), (16, "dark/0.png"));
    let one = place.succeed("predict --run runs/a --input phone/dark/3.png");
    assert_eq!(rows(&one)[0][1..], rows(&out)[3][1..]);
}

#[test]
fn an_exported_model_is_smaller_in_half_precision_and_refusals_write_nothing() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --out runs/a"));
    let value = json(&place.succeed("export runs/a --method dann --out m.safetensors --json"));
    let half =
        json(&place.succeed("export runs/a --method dann --half --out h.safetensors --json"));
    assert_eq!((&value["card"]["classes"][0], &value["checkpoint"]), (&"cat".into(), &"im".into()));
    assert!(half["bytes"].as_u64() < value["bytes"].as_u64(), "{half} {value}");
    let line = place.refusal("export runs/a --method danm --out n.safetensors");
    assert_eq!(line, "unknown method `danm`; did you mean `dann`?");
    let line = place.refusal("export runs/a --out runs");
    assert_eq!(line, "runs: is a folder, expected a file name to write");
    assert!(!place.path("n.safetensors").exists());
}
