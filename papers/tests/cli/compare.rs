//! Runs side by side.

use std::fs;

use super::{Place, TABLES, json, text};

#[test]
fn runs_stand_beside_each_other_with_paired_differences() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --seeds 3 --out runs/a"));
    let other = "--seeds 1,2,7 --method dann,source-only,dan --rate 0.05 --out runs/b";
    place.succeed(&format!("{TABLES} {other}"));
    let shown = json(&place.succeed("compare runs/a runs/b --json"));
    assert_eq!(shown["runs"][0]["dir"], "runs/a");
    assert_eq!(shown["runs"][1]["not_comparable"], serde_json::json!([]));
    let names: Vec<_> = shown["methods"].as_array().unwrap().iter().map(|m| &m["method"]).collect();
    assert_eq!(names, ["source-only", "dann", "dan"]);
    assert!(shown["methods"][2]["runs"][0].is_null());
    assert!(shown["methods"][0]["runs"][0]["final"]["difference"].is_null());
    let done = |run: &str, seed: u64| {
        json(&text(place.path(&format!("runs/{run}/dann/seed-{seed}/done.json"))))
    };
    let accuracy = |run: &str, seed: u64| done(run, seed)["target_accuracy"].as_f64().unwrap();
    let difference = &shown["methods"][1]["runs"][1]["final"]["difference"];
    let expected = [1, 2].map(|seed| accuracy("b", seed) - accuracy("a", seed));
    let pairs: Vec<(u64, f64)> = serde_json::from_value(difference["by_seed"].clone()).unwrap();
    assert_eq!(pairs, [(1, expected[0]), (2, expected[1])]);
    assert_eq!(difference["unpaired"], serde_json::json!([7, 0]));
    let mean = difference["mean"].as_f64().unwrap();
    assert!((mean - (expected[0] + expected[1]) / 2.0).abs() < 1e-12);
    assert!(difference["interval"].is_array());
    // The choices of the validator pair with choices, not with final models.
    let chosen = &shown["methods"][1]["runs"][1]["chosen"]["difference"]["by_seed"][0][1];
    let choice = |run| done(run, 1)["chosen"]["im"]["target_accuracy"].as_f64().unwrap();
    assert_eq!(chosen.as_f64().unwrap(), choice("b") - choice("a"));
    let keys = shown["runs"][1]["configuration"].as_array().unwrap();
    let names: Vec<_> = keys.iter().map(|key| &key["key"]).collect();
    assert_eq!(names, ["methods", "seeds", "training.rate"]);
    let rate = keys.iter().find(|key| key["key"] == "training.rate").unwrap();
    assert_eq!((&rate["first"], &rate["here"]), (&"0.01".into(), &"0.05".into()));

    let table = place.succeed("compare runs/a runs/b --method dann --csv c.csv --markdown c.md");
    assert!(table.contains("training.rate: 0.01 in A, 0.05 in B"), "{table}");
    assert!(!table.contains("source-only "), "{table}");
    let csv = text(place.path("c.csv"));
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(csv.lines().nth(2).unwrap().starts_with("dann,runs/b,true,im,3,"), "{csv}");
    let markdown = text(place.path("c.md"));
    let lines: Vec<_> = markdown.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(lines.len(), 4, "{markdown}");
    assert!(lines.iter().all(|line| line.matches('|').count() == 11), "{markdown}");
}

#[test]
fn a_part_that_is_not_finished_is_no_pair() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --seeds 2 --out runs/a"));
    place.succeed(&format!("{TABLES} --seeds 2 --out runs/b"));
    fs::remove_file(place.path("runs/b/dann/seed-1/done.json")).unwrap();
    let shown = json(&place.succeed("compare runs/a runs/b --method dann --json"));
    assert_eq!(shown["runs"][1]["finished"], 3);
    let difference = &shown["methods"][0]["runs"][1]["final"]["difference"];
    assert_eq!(difference["by_seed"], serde_json::json!([[0, 0.0]]));
    assert!(difference["interval"].is_null());
    let table = place.succeed("compare runs/a runs/b");
    assert!(table.contains("no key of the configurations differs"), "{table}");
    // A run whose configuration is lost is compared all the same.
    fs::remove_file(place.path("runs/b/config.toml")).unwrap();
    assert!(place.succeed("compare runs/a runs/b").contains("note: runs/b: config.toml: "));
}

#[test]
fn what_cannot_be_compared_is_said() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --out runs/a"));
    let renamed = text(place.path("source.csv")).replace("dog", "fox");
    place.write("foxes.csv", &renamed);
    place.succeed(&format!("{} --out runs/b", TABLES.replace("source.csv", "foxes.csv")));
    let fewer: String =
        text(place.path("target.csv")).lines().take(41).map(|l| format!("{l}\n")).collect();
    place.write("fewer.csv", &fewer);
    place.succeed(&format!("{} --out runs/c", TABLES.replace("target.csv", "fewer.csv")));
    let table = place.succeed("compare runs/a runs/b runs/c");
    let b = "warning: B is not comparable with A, so that no difference is shown: its classes lack \
             dog and have fox";
    let c = "warning: C is not comparable with A, so that no difference is shown: its target has \
             other files: the file has another content; its target rows for evaluation are 40, not 48";
    assert!(table.contains(b) && table.contains(c), "{table}");
    let shown = json(&place.succeed("compare runs/a runs/c --json"));
    assert!(shown["methods"][0]["runs"][1]["final"]["difference"].is_null());
    assert!(shown["methods"][0]["runs"][1]["final"]["target_accuracy"]["mean"].is_f64());
    // The same rows elsewhere are the same rows.
    fs::rename(place.path("target.csv"), place.path("moved.csv")).unwrap();
    place.succeed(&format!("{} --out runs/d", TABLES.replace("target.csv", "moved.csv")));
    let shown = json(&place.succeed("compare runs/a runs/d --json"));
    assert_eq!(shown["runs"][1]["not_comparable"], serde_json::json!([]));
    assert_eq!(shown["runs"][1]["configuration"][0]["key"], "target");
    // Other rows held out of the same file have other labels.
    place.succeed(&format!(
        "{} --target-test 0.5 --out runs/e",
        TABLES.replace("target.csv", "moved.csv")
    ));
    let table = place.succeed("compare runs/d runs/e");
    assert!(table.contains("its target rows for evaluation are 24, not 48"), "{table}");
}

#[test]
fn a_target_without_labels_has_nothing_to_compare() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --out runs/a"));
    place.succeed(&format!("{TABLES} --target-labels none --out runs/b"));
    let table = place.succeed("compare runs/a runs/b");
    assert!(table.contains("chosen by im, no target labels\n"), "{table}");
    assert!(table.contains("no difference is shown: its target has no labels\n"), "{table}");
    let shown = json(&place.succeed("compare runs/b runs/b --json"));
    let reached = &shown["methods"][0]["runs"][1];
    assert!(
        reached["final"]["target_accuracy"].is_null() && reached["oracle"]["difference"].is_null()
    );
    assert_eq!(reached["seeds"], serde_json::json!([0]));
}

#[test]
fn what_is_no_run_is_refused_by_name() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --out runs/a"));
    fs::create_dir(place.path("empty")).unwrap();
    let line = place.refusal("compare runs/a empty");
    assert_eq!(line, "empty: no run is recorded there: run.json is missing");
    let line = place.refusal("compare runs/a nowhere");
    assert_eq!(line, "nowhere: no run is recorded there: run.json is missing");
    place.write("old/run.json", "{\"format\": 9}");
    let line = place.refusal("compare runs/a old");
    assert_eq!(line, "old/run.json: format 9: this program reads format 1");
    place.write("experiment/experiment.json", "{}");
    let line = place.refusal("compare experiment runs/a");
    assert!(line.starts_with("experiment: holds an experiment, expected a run"), "{line}");
    let line = place.refusal("compare runs/a runs/a --method dan");
    assert_eq!(line, "--method dan: none of the runs has it; did you mean `dann`?");
    place.fail("compare runs/a", 2);
}

#[test]
fn a_run_directory_reports_and_compares_wherever_it_lies() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --seeds 2 --out runs/a"));
    let before = text(place.path("runs/a/results.json"));
    let elsewhere = Place::new();
    for file in ["source.csv", "target.csv"] {
        fs::remove_file(place.path(file)).unwrap();
        fs::remove_file(elsewhere.path(file)).unwrap();
    }
    fs::create_dir(elsewhere.path("kept")).unwrap();
    fs::rename(place.path("runs/a"), elsewhere.path("kept/renamed")).unwrap();
    for file in ["results.json", "results.csv", "report.html"] {
        fs::remove_file(elsewhere.path(&format!("kept/renamed/{file}"))).unwrap();
    }
    elsewhere.succeed("report kept/renamed");
    assert_eq!(text(elsewhere.path("kept/renamed/results.json")), before);
    assert!(elsewhere.path("kept/renamed/report.html").is_file());
    let shown = json(&elsewhere.succeed("compare kept/renamed kept/renamed --json"));
    assert_eq!(shown["methods"][1]["runs"][1]["final"]["difference"]["mean"], 0.0);
}
