//! `results.json` is what its page says.

use std::process::Command;

use super::{Place, TABLES, json, text};

const PAGE: &str = include_str!("../../RESULTS-FORMAT.md");

fn python() -> String {
    std::env::var("TRANSDUCT_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Three seeds of two methods, of which one failed and one was not finished.
fn place() -> Place {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --seeds 3 --out runs/a"));
    let part = |file: &str| place.path(&format!("runs/a/dann/{file}"));
    std::fs::remove_file(part("seed-1/done.json")).unwrap();
    std::fs::remove_file(part("seed-2/done.json")).unwrap();
    place.write("runs/a/dann/seed-2/failed.json", "{\"message\": \"disk full\"}");
    place.succeed("report runs/a");
    place
}

/// The keys of a value, but for names of validators.
fn keys(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                found.push(key.clone());
                match (key.as_str(), value) {
                    ("chosen" | "scores", serde_json::Value::Object(by_validator)) => {
                        by_validator.values().for_each(|value| keys(value, found));
                    }
                    _ => keys(value, found),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_is_on_the_page() {
    let place = place();
    let mut found = Vec::new();
    keys(&json(&text(place.path("runs/a/results.json"))), &mut found);
    for key in ["unpaired", "message", "step", "score"] {
        assert!(found.iter().any(|found| found == key), "{key}: {found:?}");
    }
    for key in found {
        assert!(
            PAGE.contains(&format!("`{key}`")) || PAGE.contains(&format!("\"{key}\": …")),
            "{key}"
        );
    }
}

#[test]
fn the_pages_program_reads_a_run() {
    let python = python();
    if !Command::new(&python).arg("--version").output().is_ok_and(|o| o.status.success()) {
        println!("skipped: there is no {python}");
        return;
    }
    let place = place();
    let program = PAGE.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let run = || {
        let mut command = Command::new(&python);
        command.env("PYTHONIOENCODING", "utf-8").args(["-c", program]);
        let output = command.arg(place.path("runs/a/results.json")).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    };
    let table = run();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(lines[0].ends_with("source.csv → target.csv") || lines[0].contains(" → "), "{table}");
    let results = json(&text(place.path("runs/a/results.json")));
    let spread = &results["methods"][0]["target_accuracy"];
    let [mean, std] = ["mean", "std"].map(|key| 100.0 * spread[key].as_f64().unwrap());
    assert!(lines[2].starts_with("source-only  3/3    "), "{table}");
    assert!(lines[2].contains(&format!("{mean:.1} ± {std:.1}")), "{table}");
    assert!(
        lines[3].starts_with("dann         1/3    ") && lines[3].contains("(one seed)"),
        "{table}"
    );
    // Nor does it stumble over a run that has not begun.
    for method in ["source-only", "dann"] {
        std::fs::remove_dir_all(place.path(&format!("runs/a/{method}"))).unwrap();
    }
    place.succeed("report runs/a");
    assert!(run().contains("source-only  0/3    n/a"), "{}", run());
}
