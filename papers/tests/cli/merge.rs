//! Runs that become one.

use std::fs;

use super::{Place, TABLES, json, text};

/// Three runs that share parts: `runs/a` of seeds 0 and 1, `runs/b` of seeds 1 and 2, and `runs/c` of
/// another method.
fn place() -> Place {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --seeds 2 --out runs/a"));
    place.succeed(&format!("{TABLES} --seeds 1,2 --out runs/b"));
    place.succeed(&format!("{TABLES} --seeds 1, --method dan --out runs/c"));
    place
}

/// The numbers of a part without the time they took, and its metrics.
fn part(place: &Place, part: &str) -> (serde_json::Value, String) {
    let mut done = json(&text(place.path(&format!("{part}/done.json"))));
    done["seconds"] = 0.into();
    (done, text(place.path(&format!("{part}/metrics.jsonl"))))
}

#[test]
fn runs_of_one_configuration_become_one_that_goes_on() {
    let place = place();
    let merged = json(&place.succeed("merge runs/a runs/b runs/c --out runs/all --json"));
    assert_eq!(merged["methods"], serde_json::json!(["source-only", "dann", "dan"]));
    assert_eq!(merged["seeds"], serde_json::json!([0, 1, 2]));
    assert_eq!(merged["merged"].as_array().unwrap().len(), 7);
    let both =
        merged["merged"].as_array().unwrap().iter().filter(|part| part["also"][0] == "runs/b");
    assert_eq!(both.count(), 2);
    let missing: Vec<_> =
        merged["unfinished"].as_array().unwrap().iter().map(|p| &p["seed"]).collect();
    assert_eq!(missing, [0, 2]);
    for (from, name) in
        [("a", "dann/seed-0"), ("a", "dann/seed-1"), ("b", "dann/seed-2"), ("c", "dan/seed-1")]
    {
        let (old, new) =
            (place.path(&format!("runs/{from}/{name}")), place.path(&format!("runs/all/{name}")));
        for file in [
            "done.json",
            "metrics.jsonl",
            "outputs.npz",
            "model-final.safetensors",
            "model-im.safetensors",
        ] {
            assert!(
                fs::read(old.join(file)).unwrap() == fs::read(new.join(file)).unwrap(),
                "{name}/{file}"
            );
        }
        assert!(!new.join("claim.json").exists());
    }
    place.succeed("report runs/all");
    let results = json(&text(place.path("runs/all/results.json")));
    assert_eq!(results["methods"][1]["target_accuracy"]["n"], 3);
    assert_eq!(results["methods"][2]["target_accuracy"]["n"], 1);
    place.succeed("predict --run runs/all --method dan --input target.csv --out p.csv");

    // What is missing is done, what is there stays, and all is as one run would have had it.
    let done = place.path("runs/all/dann/seed-2/done.json");
    let before = fs::metadata(&done).unwrap().modified().unwrap();
    place.succeed("run --out runs/all --resume");
    assert_eq!(before, fs::metadata(&done).unwrap().modified().unwrap());
    place.succeed(&format!("{TABLES} --seeds 3 --method source-only,dann,dan --out runs/whole"));
    for method in ["source-only", "dann", "dan"] {
        for seed in 0..3 {
            let name = format!("{method}/seed-{seed}");
            assert_eq!(
                part(&place, &format!("runs/all/{name}")),
                part(&place, &format!("runs/whole/{name}"))
            );
        }
    }
    let configs = ["all", "whole"].map(|run| text(place.path(&format!("runs/{run}/config.toml"))));
    assert_eq!(configs[0], configs[1]);
}

#[test]
fn unfinished_parts_are_left_out_and_named() {
    let place = place();
    fs::remove_file(place.path("runs/b/dann/seed-2/done.json")).unwrap();
    place.write("runs/b/source-only/seed-2/failed.json", "{\"message\": \"disk full\"}");
    fs::remove_file(place.path("runs/b/source-only/seed-2/done.json")).unwrap();
    // What one run has not finished and another has, is finished.
    fs::remove_file(place.path("runs/b/dann/seed-1/done.json")).unwrap();
    let told = place.succeed("merge runs/a runs/b --into runs/all");
    assert!(
        told.contains("2 runs → runs/all: 4 of 6 parts finished (2 methods × 3 seeds)"),
        "{told}"
    );
    assert!(told.contains("1 of them in several runs, with the same results"), "{told}");
    assert!(told.contains("2 unfinished left out:"), "{told}");
    assert!(told.contains("dann seed 2: begun in runs/b\n"), "{told}");
    assert!(told.contains("source-only seed 2: failed in runs/b: disk full\n"), "{told}");
    assert!(!place.path("runs/all/dann/seed-2").exists());
}

#[test]
fn results_that_differ_are_an_error_that_names_the_part() {
    let place = place();
    let path = place.path("runs/b/dann/seed-1/done.json");
    let mut done = json(&text(&path));
    done["target_accuracy"] = 0.125.into();
    fs::write(&path, done.to_string()).unwrap();
    let line = place.refusal("merge runs/a runs/b --out runs/all");
    let start =
        "dann seed 1: runs/a and runs/b have finished it with different results: source accuracy ";
    assert!(line.starts_with(start) && line.ends_with(" and 0.125"), "{line}");
    assert!(!place.path("runs/all/dann").exists() && !place.path("runs/all/config.toml").exists());
}

#[test]
fn other_configurations_and_data_are_refused_by_their_names() {
    let place = place();
    place.succeed(&format!("{TABLES} --steps 5 --set method.dann.weight=0.5 --out runs/steps"));
    let line = place.refusal("merge runs/a runs/steps --out runs/all");
    assert_eq!(
        line,
        "runs/steps: cannot be merged with runs/a: training.steps is 20 there, 5 here; \
         method.dann.weight is 1.0 there, 0.5 here"
    );
    let changed = text(place.path("target.csv")).replacen("cat", "dog", 1);
    place.write("changed.csv", &changed);
    place.succeed(&format!("{} --out runs/data", TABLES.replace("target.csv", "changed.csv")));
    let line = place.refusal("merge runs/a runs/data --out runs/all");
    let wanted =
        "runs/data: cannot be merged with runs/a: the file of the target has another content";
    assert_eq!(line, wanted);
    let line = place.refusal("merge runs/a runs/b --out runs/c");
    assert_eq!(line, "runs/c: exists and is not empty; give another --out");
    let line = place.refusal("merge runs/a nowhere --out runs/all");
    assert_eq!(line, "nowhere: no run is recorded there: run.json is missing");
    place.fail("merge runs/a --out runs/all", 2);
    // The same data under another path are the same data.
    fs::rename(place.path("target.csv"), place.path("moved.csv")).unwrap();
    place.succeed(&format!(
        "{} --seeds 5, --out runs/moved",
        TABLES.replace("target.csv", "moved.csv")
    ));
    place.succeed("merge runs/a runs/moved --out runs/all");
}

/// Registered data have no digests in a run directory: their names count.
#[test]
fn registered_data_are_told_apart_by_name() {
    let place = Place::new();
    let digits = |target: &str, seed: u64, out: &str| {
        format!(
            "run --source mnist-small --target {target} --size 28x28 --method source-only --steps 2 \
             --seeds {seed}, --out {out}"
        )
    };
    place.succeed(&digits("uci-digits", 0, "runs/a"));
    place.succeed(&digits("uci-digits", 1, "runs/b"));
    place.succeed("merge runs/a runs/b --out runs/all");
    assert!(place.path("runs/all/samples.npz").is_file());
    place.succeed(&digits("mnist-small", 1, "runs/c"));
    let line = place.refusal("merge runs/a runs/c --out runs/d");
    assert!(line.contains("target is \"uci-digits\" there, \"mnist-small\" here"), "{line}");
    // To go on with another registered data set is no way of going on.
    let line = place.refusal("run --out runs/a --resume --target mnist-small");
    assert!(line.contains("target is \"uci-digits\" there, \"mnist-small\" now"), "{line}");
}
