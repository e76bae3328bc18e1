//! Whole runs on small data.

use std::fs;

use super::{Place, TABLES, json, text};

/// The bytes of all metrics of a run, by method.
fn metrics(place: &Place, run: &str) -> Vec<String> {
    ["source-only", "dann"]
        .map(|method| text(place.path(&format!("{run}/{method}/seed-0/metrics.jsonl"))))
        .to_vec()
}

#[test]
fn a_run_leaves_a_complete_record() {
    let place = Place::new();
    let summary = json(&place.succeed(&format!("{TABLES} --seeds 2 --out runs/a --json")));
    assert_eq!(summary["results"]["methods"][1]["method"], "dann");
    let accuracy = summary["results"]["methods"][0]["target_accuracy"]["mean"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&accuracy));
    for file in ["config.toml", "run.json", "results.json", "results.csv", "report.html"] {
        assert!(place.path(&format!("runs/a/{file}")).is_file(), "{file}");
    }
    for file in [
        "metrics.jsonl",
        "done.json",
        "outputs.npz",
        "model-final.safetensors",
        "model-im.safetensors",
        "model-oracle.safetensors",
    ] {
        assert!(place.path(&format!("runs/a/dann/seed-1/{file}")).is_file(), "{file}");
    }
    let run = json(&text(place.path("runs/a/run.json")));
    assert_eq!(run["classes"], serde_json::json!(["cat", "dog"]));
    assert_eq!(run["target"]["evaluation_rows"], 48);
    let device = run["device"].as_str().unwrap();
    assert!(device.starts_with("cpu, "), "the instruction set is recorded: {device}");
    let last = text(place.path("runs/a/dann/seed-0/metrics.jsonl"));
    let last = json(last.lines().last().unwrap());
    assert_eq!((&last["event"], &last["step"]), (&"evaluation".into(), &20.into()));
    assert!(last["oracle"]["target_accuracy"].is_f64());
    assert!(!place.path("runs/a/samples.npz").exists());
}

#[test]
fn progress_is_plain_lines_in_a_pipe_and_quiet_is_quiet() {
    let place = Place::new();
    let output = place.command(&format!("{TABLES} --out runs/a")).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("[1/2] source-only seed 0") && error.contains("dann seed 0: source "));
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("runs/a/report.html"), "{out}");
    assert!(!out.contains('\u{1b}') && !error.contains('\u{1b}'));
    let output = place.command(&format!("{TABLES} --quiet --out runs/b")).output().unwrap();
    assert!(output.status.success());
    assert_eq!((output.stdout.len(), output.stderr.len()), (0, 0));
}

#[test]
fn the_same_seed_gives_the_same_metrics_on_any_number_of_threads() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --threads 2 --out runs/a"));
    place.succeed(&format!("{TABLES} --threads 2 --out runs/b"));
    place.succeed(&format!("{TABLES} --threads 1 --out runs/c"));
    assert_eq!(metrics(&place, "runs/a"), metrics(&place, "runs/b"));
    assert_eq!(metrics(&place, "runs/a"), metrics(&place, "runs/c"));
    place.succeed(&format!("{TABLES} --seeds 1, --out runs/d"));
    assert_ne!(
        text(place.path("runs/a/dann/seed-0/metrics.jsonl")),
        text(place.path("runs/d/dann/seed-1/metrics.jsonl"))
    );
}

#[test]
fn a_saved_configuration_reproduces_the_run_from_anywhere() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --optimiser adam --set method.dann.weight=0.5 --out runs/a"));
    let config = text(place.path("runs/a/config.toml"));
    for line in ["weight = 0.5", "steps = 20", "rate = 0.001", "name = \"mlp\"", "ddof = 0"] {
        assert!(config.contains(line), "{line}: {config}");
    }
    let elsewhere = Place::new();
    let file = place.path("runs/a/config.toml");
    elsewhere.succeed(&format!("run --config {} --out runs/b", file.display()));
    assert_eq!(metrics(&place, "runs/a"), metrics(&elsewhere, "runs/b"));
    assert_eq!(config, text(elsewhere.path("runs/b/config.toml")));
    // What is given on the command line wins over the file.
    place.succeed(&format!("run --config {} --steps 5 --out runs/c", file.display()));
    assert!(text(place.path("runs/c/config.toml")).contains("steps = 5"));
}

#[test]
fn a_target_without_labels_has_no_accuracy() {
    let place = Place::new();
    let unlabelled: String = text(place.path("target.csv"))
        .lines()
        .map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n")
        .collect();
    place.write("new.csv", &unlabelled);
    let arguments = TABLES.replace("target.csv", "new.csv").replace(" --label-column species", "");
    let arguments = format!("{arguments} --set source_files.labels=species");
    let summary = json(&place.succeed(&format!("{arguments} --out runs/a --json")));
    assert_eq!(summary["results"]["target_labelled"], false);
    assert!(summary["results"]["methods"][0]["target_accuracy"].is_null());
    let done = json(&text(place.path("runs/a/dann/seed-0/done.json")));
    assert!(done["oracle"].is_null() && done["chosen"]["im"]["score"].is_f64());
    assert!(!place.path("runs/a/dann/seed-0/model-oracle.safetensors").exists());
    // Labels that are there can be left unread: the same rows, the same training.
    place.succeed(&format!("{TABLES} --target-labels none --out runs/b"));
    assert_eq!(metrics(&place, "runs/a"), metrics(&place, "runs/b"));
    assert!(!text(place.path("runs/b/dann/seed-0/metrics.jsonl")).contains("oracle"));
}

#[test]
fn a_method_that_fails_is_told_and_the_rest_goes_on() {
    let place = Place::new();
    let arguments = format!(
        "{TABLES} --method dann,source-only --set method.dann.weight=1e38 --set \
         method.dann.gamma=1e9 --rate 100 --out runs/a"
    );
    let lines = place.fail(&arguments, 1);
    let line = lines.iter().find(|line| line.starts_with("error: ")).unwrap();
    assert!(line.starts_with("error: dann seed 0: the loss term "), "{line}");
    let failure = json(&text(place.path("runs/a/dann/seed-0/failed.json")));
    assert!(line.ends_with(failure["message"].as_str().unwrap()));
    assert!(!place.path("runs/a/dann/seed-0/done.json").exists());
    assert!(place.path("runs/a/source-only/seed-0/done.json").exists());
    let results = json(&text(place.path("runs/a/results.json")));
    assert_eq!(results["methods"][0]["seeds"][0]["state"], "failed");
}

#[test]
fn a_place_that_cannot_be_written_costs_its_part_alone() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --out runs/a"));
    let before = text(place.path("runs/a/source-only/seed-0/done.json"));
    fs::remove_dir_all(place.path("runs/a/dann")).unwrap();
    place.write("runs/a/dann", "in the way");
    let lines = place.fail("run --out runs/a --resume", 1);
    let errors: Vec<_> = lines.iter().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{lines:?}");
    assert!(errors[0].starts_with("error: dann seed 0: runs/a/dann/seed-0: "), "{errors:?}");
    assert_eq!(before, text(place.path("runs/a/source-only/seed-0/done.json")));
}

#[test]
fn the_quick_start_runs_on_what_is_inside_the_program() {
    let place = Place::new();
    let arguments = "quickstart --steps 3 --seeds 1 --methods source-only,dann --json";
    let summary = json(&place.succeed(arguments));
    assert_eq!(summary["results"]["source"], "mnist-small");
    assert_eq!(summary["files"]["report"], "runs/quickstart/report.html");
    assert!(place.path("runs/quickstart/samples.npz").is_file());
    let again = json(&place.succeed("quickstart --resume --json"));
    assert_eq!(summary["results"], again["results"]);
}

/// A rate that changes nothing leaves a network of guesses.
#[test]
fn a_run_that_knows_nothing_of_its_source_is_called_collapsed() {
    let place = Place::new();
    let digits = "run --source mnist-small --target uci-digits --size 28x28 --method source-only \
                  --seeds 1";
    let run = format!("{digits} --steps 2 --rate 1e-7 --out runs/a");
    let output = place.command(&run).output().unwrap();
    let (out, error) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
    let (out, error) = (out.unwrap(), error.unwrap());
    assert!(error.contains("steps: collapsed, no better than guessing on the source"), "{error}");
    assert!(out.contains("source-only, seed 0 collapsed: "), "{out}");
    assert!(text(place.path("runs/a/report.html")).contains("source-only, seed 0 collapsed: "));
    let csv = text(place.path("runs/a/results.csv"));
    assert!(csv.trim_end().ends_with(",1") && csv.contains("seeds_collapsed"), "{csv}");
    let done = |run: &str| json(&text(place.path(&format!("{run}/source-only/seed-0/done.json"))));
    assert_eq!(done("runs/a")["collapsed"], true);
    let results = json(&text(place.path("runs/a/results.json")));
    assert_eq!(results["methods"][0]["collapsed"], serde_json::json!([0]));

    let out = place.succeed(&format!("{digits} --steps 100 --rate 0.05 --out runs/b"));
    assert!(!out.contains("collapsed"), "{out}");
    assert_eq!(done("runs/b")["collapsed"], false);
}

/// Features that are the inputs: everything works but a loss on them alone, which is refused before
/// anything is written.
#[test]
fn a_linear_probe_runs_predicts_and_refuses_what_would_change_nothing() {
    let place = Place::new();
    let probe = TABLES.replace("run ", "run --set backbone.options.hidden=[] ");
    let line = place.refusal(&format!("{probe} --out runs/a"));
    assert!(line.contains("dann.backbone = mlp: expected a backbone with parameters"), "{line}");
    assert!(!place.path("runs/a").exists());
    place.succeed(&format!("{probe} --method source-only,dan,entropy-minimisation --out runs/a"));
    let card = "runs/a/source-only/seed-0/model-final.safetensors";
    assert!(place.path(card).is_file());
    assert!(text(place.path("runs/a/config.toml")).contains("hidden = []"));
    place.succeed("export runs/a --method source-only --out model.safetensors");
    place.succeed("predict --run runs/a --method source-only --input target.csv --out p.csv");
    assert_eq!(text(place.path("p.csv")).lines().count(), 49);
}
