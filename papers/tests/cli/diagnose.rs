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
    assert_ne!(value["recommendation"]["basis"], "no-difference");
    assert_eq!(value["learner"], "logistic");
    assert_eq!(value["gains"].as_array().unwrap().len(), 6, "{value}");
    let page = text(place.path("d.html"));
    for part in ["The columns one by one", "What methods would gain", "length", "<svg"] {
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
    let line = place.refusal(&format!("{ARGUMENTS} --learner trees"));
    assert_eq!(line, "unknown classifier `trees`; did you mean `tree`?");
    let line = place.refusal(&format!("{ARGUMENTS} --level 2"));
    assert_eq!(line, "diagnose.level = 2: expected a number between 0 and 1");
    let line = place.refusal("diagnose --source source.csv --target target.csv");
    assert!(line.contains("column `species` is text"), "{line}");
    let line = place.refusal(&format!("{ARGUMENTS} --drop lenght"));
    assert!(line.starts_with("source.csv: no column `lenght`; the columns are: "), "{line}");
}

/// Two tables of 60 rows in which `sex` is what they were made by, and `row` counts on.
fn by_sex(place: &Place) {
    for (file, sex, shift, from) in [("m.csv", "m", 0, 0), ("f.csv", "f", 3, 60)] {
        let mut text = "row,age,sex,y\n".to_owned();
        for i in 0..60 {
            let age = (i * 37 + 11) % 60 + shift;
            text += &format!("{},{age},{sex},{}\n", from + i, u8::from(age > 30));
        }
        place.write(file, &text);
    }
}

#[test]
fn what_the_domains_were_made_by_is_named_first_and_set_aside() {
    let place = Place::new();
    by_sex(&place);
    let arguments = "diagnose --source m.csv --target f.csv --label y --encode one-hot";
    let value = json(&place.succeed(&format!("{arguments} --json")));
    assert_eq!(value["set_aside"], serde_json::json!(["row", "sex=f", "sex=m"]));
    let notes: Vec<&str> =
        value["notes"].as_array().unwrap().iter().filter_map(|note| note.as_str()).collect();
    let told = |part: &str| notes.iter().any(|note| note.contains(part));
    assert!(told("each of `sex=f`, `sex=m` alone tells the domains apart"), "{notes:?}");
    assert!(told("(--drop sex)") && told("(--drop row)"), "{notes:?}");
}

/// Codes 1, 3, 5 beside 2, 4, 6: their distributions are near, and no value is in both.
#[test]
fn codes_that_lie_between_each_other_are_named() {
    let place = Place::new();
    for (file, first) in [("s.csv", 1), ("t.csv", 2)] {
        let line = |i: usize| format!("{},{}\n", (i * 37 + 11) % 60, first + 2 * (i * 5 % 3));
        place.write(file, &format!("age,code\n{}", (0..60).map(line).collect::<String>()));
    }
    let value = json(&place.succeed("diagnose --source s.csv --target t.csv --json"));
    assert_eq!(value["features"][0]["name"], "code");
    assert_eq!(value["features"][0]["test"]["separation"], "codes");
    // It may be a measurement: it is named, and looked at.
    assert_eq!(value["set_aside"], serde_json::json!([]));
    let note = value["notes"][0].as_str().unwrap();
    assert!(note.starts_with("`code` alone tells the domains apart: hardly one of its"), "{note}");
    assert!(note.ends_with("leave it out (--drop code)"), "{note}");
}

#[test]
fn a_measurement_has_its_own_learner_and_gains() {
    let place = Place::new();
    for (file, shift) in [("s.csv", 0), ("t.csv", 9)] {
        let rows = (0..80).map(|i| (i * 29 + 7) % 80 + shift);
        let lines = rows.map(|x| format!("{x},{}\n", 0.5 * f64::from(x) + f64::from(x % 7) / 3.0));
        place.write(file, &format!("x,y\n{}", lines.collect::<String>()));
    }
    let arguments = "diagnose --source s.csv --target t.csv --label y --json";
    let value = json(&place.succeed(arguments));
    assert_eq!(value["learner"], "ridge");
    assert_eq!(value["gains"].as_array().unwrap().len(), 5, "{value}");
    let line = place.refusal(&format!("{arguments} --learner svm"));
    assert!(line.starts_with("unknown regressor `svm`"), "{line}");
}

/// What weighting leaves is what `weights` then gives, row for row.
#[test]
fn the_share_of_effective_rows_is_that_of_the_weighting() {
    let place = Place::new();
    let value = json(&place.succeed(&format!("{ARGUMENTS} --json")));
    let rows = value["source_rows"].as_f64().unwrap();
    for method in ["logistic", "rulsif"] {
        let gains = value["gains"].as_array().unwrap();
        let predicted = gains.iter().find(|gain| gain["method"] == method).unwrap();
        let share = predicted["effective_share"].as_f64().unwrap();
        let files = "--source source.csv --target target.csv --label species --out w.csv --json";
        let given = json(&place.succeed(&format!("weights --method {method} {files}")));
        let effective = given["effective_sample_size"].as_f64().unwrap();
        assert!(
            (share * rows - effective).abs() < 1e-9 * effective,
            "{method}: {share} {effective}"
        );
    }
}
