//! Runs that are stopped and go on.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::{Place, TABLES, json, text};

/// A run that is long enough to be stopped in the middle.
fn arguments() -> String {
    format!("{TABLES} --method dann --set training.checkpoint_every=20 --steps 12000 --out runs/a")
}

fn start(place: &Place) -> Child {
    start_with(place, &arguments())
}

/// Starts a run of DANN into `runs/a`.
pub(super) fn start_with(place: &Place, arguments: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_transduct"))
        .current_dir(&place.0)
        .args(arguments.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(super) fn wait_for_checkpoint(place: &Place, child: &mut Child) {
    while !place.path("runs/a/dann/seed-0/checkpoint.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended without a checkpoint");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!place.path("runs/a/dann/seed-0/done.json").exists());
}

/// The final numbers without the time they took, and the metrics.
fn outcome(place: &Place) -> (serde_json::Value, String) {
    let mut done = json(&text(place.path("runs/a/dann/seed-0/done.json")));
    done["seconds"] = 0.into();
    (done, text(place.path("runs/a/dann/seed-0/metrics.jsonl")))
}

#[test]
fn a_killed_run_ends_with_the_numbers_of_an_uninterrupted_one() {
    let whole = Place::new();
    whole.succeed(&arguments());
    let place = Place::new();
    let mut child = start(&place);
    wait_for_checkpoint(&place, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    place.succeed("run --out runs/a --resume");
    assert_eq!(outcome(&place), outcome(&whole));
    let model = "runs/a/dann/seed-0/model-im.safetensors";
    let bytes = |place: &Place| fs::read(place.path(model)).unwrap();
    assert!(bytes(&place) == bytes(&whole), "the chosen models differ");
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_run_that_goes_on() {
    let whole = Place::new();
    whole.succeed(&arguments());
    let place = Place::new();
    let mut child = start(&place);
    wait_for_checkpoint(&place, &mut child);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let out = String::from_utf8(output.stdout).unwrap();
    let command = out.lines().last().unwrap().trim();
    assert!(command.ends_with(" run --out runs/a --resume"), "{out}");
    // The printed command, as a shell would run it.
    let words: Vec<_> = command.split(' ').collect();
    let status = Command::new(words[0]).args(&words[1..]).current_dir(&place.0).output().unwrap();
    assert!(status.status.success());
    assert_eq!(outcome(&place), outcome(&whole));
}

#[test]
fn a_run_under_way_is_left_alone() {
    let place = Place::new();
    let mut child = start(&place);
    wait_for_checkpoint(&place, &mut child);
    let lines = place.fail("run --out runs/a --resume", 0);
    child.kill().unwrap();
    child.wait().unwrap();
    let owner = format!("process {} on ", child.id());
    assert!(lines[0].contains(&owner) && lines[0].ends_with(" is at work on it"), "{lines:?}");
    assert!(!place.path("runs/a/dann/seed-0/done.json").exists());
}

#[test]
fn what_is_finished_stays() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --out runs/a"));
    let done = place.path("runs/a/dann/seed-0/done.json");
    let before = (text(&done), fs::metadata(&done).unwrap().modified().unwrap());
    place.succeed("run --out runs/a --resume");
    assert_eq!(before, (text(&done), fs::metadata(&done).unwrap().modified().unwrap()));
}

#[test]
fn another_configuration_is_refused_by_its_fields() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --out runs/a"));
    let before = text(place.path("runs/a/results.json"));
    let line = place.refusal("run --out runs/a --resume --steps 30 --set head.dropout=0.5");
    assert_eq!(
        line,
        "runs/a: cannot resume with another configuration: head.dropout is 0.0 there, 0.5 now; \
         training.steps is 20 there, 30 now"
    );
    let line = place.refusal("run --out runs/a --resume --method dann");
    let wanted = "methods is [\"source-only\", \"dann\"] there, [\"dann\"] now";
    assert!(line.contains(wanted), "{line}");
    assert_eq!(before, text(place.path("runs/a/results.json")));
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let place = Place::new();
    place.succeed(&format!("{TABLES} --out runs/a"));
    fs::remove_file(place.path("runs/a/dann/seed-0/done.json")).unwrap();
    place.write("runs/a/dann/seed-0/checkpoint.safetensors", "cut sho");
    let lines = place.fail("run --out runs/a --resume", 1);
    let line = lines.iter().find(|line| line.starts_with("error: ")).unwrap();
    let start = "error: dann seed 0: runs/a/dann/seed-0/checkpoint.safetensors: not a safetensors";
    assert!(line.starts_with(start), "{line}");
}
