//! Shift diagnosis.

use super::{Place, json, text};

const ARGUMENTS: &str = "diagnose --source source.csv --target target.csv --label species";

#[test]
fn a_moved_column_is_found_and_a_family_recommended() {
    let place = Place::new();
    let value = json(&place.succeed(&format!("{ARGUMENTS} --report d.html --json")));
    assert_eq!(value["features"][0]["name"], "length");
    assert!(value["features"][0]["test"]["p_adjusted"].as_f64().unwrap() < 0.01, "{value}");
    assert!(value["mmd"]["p"].as_f64().unwrap() <= 0.05, "{value}");
    assert_ne!(value["recommendation"]["family"], "none");
    assert!(value["label_shift"]["target"].is_array(), "{value}");
    let page = text(place.path("d.html"));
    for part in ["The columns one by one", "Proportions of the classes", "length", "<svg"] {
        assert!(page.contains(part), "{part}");
    }
    let told = place.succeed(ARGUMENTS);
    assert!(told.contains("classifier two-sample test") && told.contains("recommendation: "));
}

#[test]
fn a_table_against_itself_calls_for_nothing() {
    let place = Place::new();
    let arguments = "diagnose --source source.csv --target source.csv --drop species --json";
    let value = json(&place.succeed(arguments));
    assert_eq!(value["recommendation"]["family"], "none");
    assert_eq!(value["label_shift"], serde_json::Value::Null);
    assert_eq!(value["features"][0]["test"]["statistic"], 0.0);
}

#[test]
fn the_seed_decides_and_the_threads_do_not() {
    let place = Place::new();
    let run = |more: &str| place.succeed(&format!("{ARGUMENTS} --most-rows 40 --json {more}"));
    assert_eq!(run("--seed 3 --threads 1"), run("--seed 3 --threads 4"));
    assert_ne!(run("--seed 3"), run("--seed 4"));
}

#[test]
fn what_cannot_be_diagnosed_is_refused() {
    let place = Place::new();
    place.write("few.csv", "length,width\n1,2\n3,4\n");
    let line = place.refusal("diagnose --source few.csv --target target.csv --drop species");
    assert_eq!(line, "diagnose needs at least 5 source rows, got 2");
    let line = place.refusal(&format!("{ARGUMENTS} --level 2"));
    assert_eq!(line, "diagnose.level = 2: expected a number between 0 and 1");
    let line = place.refusal("diagnose --source source.csv --target target.csv");
    assert!(line.contains("column `species` is text"), "{line}");
    let line = place.refusal(&format!("{ARGUMENTS} --drop lenght"));
    assert!(line.starts_with("source.csv: no column `lenght`; the columns are: "), "{line}");
}
