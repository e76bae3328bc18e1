//! A method that another crate adds is a method of the whole command: listed, run, resumed, reported,
//! exported.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use assert_cmd::Command;
use serde_json::Value;

fn transduct(place: &Path, arguments: &str) -> Vec<u8> {
    let mut command = Command::cargo_bin("transduct-cmd").unwrap();
    let output = command.current_dir(place).args(arguments.split_whitespace()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments}: {told}");
    output.stdout
}

/// Two classes a distance apart; the target is moved.
fn table(path: &Path, shift: f64) {
    let mut text = String::from("a,b,label\n");
    for i in 0..60 {
        let (class, at) = (i % 2, f64::from(i) / 60.0);
        text += &format!("{},{},{class}\n", f64::from(class) * 2.0 + at + shift, 1.0 - at);
    }
    fs::write(path, text).unwrap();
}

#[test]
fn the_whole_command_knows_the_method() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    table(&place.join("s.csv"), 0.0);
    table(&place.join("t.csv"), 0.5);
    let listed: Value = serde_json::from_slice(&transduct(place, "list methods --json")).unwrap();
    let names: Vec<_> = listed["methods"].as_array().unwrap().iter().map(|m| &m["name"]).collect();
    assert!(names.contains(&&Value::from("cmd")) && names.contains(&&Value::from("dann")));

    let run = "run --source s.csv --target t.csv --method source-only,cmd --seeds 2 --steps 30 \
               --batch-size 16 --set method.cmd.order=3 --out runs/a";
    transduct(place, run);
    let part = place.join("runs/a/cmd/seed-1");
    let metrics = fs::read_to_string(part.join("metrics.jsonl")).unwrap();
    assert!(metrics.contains("\"moments\":"), "{metrics}");
    let page = fs::read_to_string(place.join("runs/a/report.html")).unwrap();
    assert!(page.contains("Central Moment Discrepancy"));

    // The same bits once more, and from the model that was exported.
    transduct(place, &run.replace("runs/a", "runs/b"));
    let again = place.join("runs/b/cmd/seed-1/model-final.safetensors");
    let bytes = fs::read(part.join("model-final.safetensors")).unwrap();
    assert_eq!(bytes, fs::read(again).unwrap());
    transduct(place, "export runs/a --method cmd --out m.safetensors");
    transduct(place, "predict --model m.safetensors --input t.csv --out p.csv");
    assert_eq!(fs::read_to_string(place.join("p.csv")).unwrap().lines().count(), 61);
}

#[test]
fn an_option_of_the_method_is_checked_as_any_other() {
    let place = tempfile::tempdir().unwrap();
    table(&place.path().join("s.csv"), 0.0);
    let mut command = Command::cargo_bin("transduct-cmd").unwrap();
    let arguments = "run --source s.csv --target s.csv --method cmd --batch-size 16 \
                     --set method.cmd.order=0 --out r";
    command.current_dir(place.path()).args(arguments.split_whitespace());
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && told.contains("cmd.order = 0: expected at least 1"),
        "{told}"
    );
}
