//! Experiments, on the one that needs no data.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::{Place, json, text};

/// A cell that draws its data, in a few seeds.
const FEW: &str = "reproduce covariate-shift-toy --cells sinc/ols --seeds 3 --out runs/a";
/// The same in so many seeds that there is time to stop it.
const MANY: &str =
    "reproduce covariate-shift-toy --cells sinc/ols --seeds 4000 --jobs 2 --out runs/a";

fn trial(place: &Place, seed: u64) -> PathBuf {
    place.path(&format!("runs/a/cells/sinc/ols/seed-{seed}.json"))
}

/// A trial without the time that it took.
fn number(place: &Place, seed: u64) -> serde_json::Value {
    let mut trial = json(&text(trial(place, seed)));
    trial["seconds"] = 0.into();
    trial
}

fn start(place: &Place) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_transduct"))
        .current_dir(&place.0)
        .args(MANY.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !trial(place, 3).exists() {
        assert!(child.try_wait().unwrap().is_none(), "the experiment ended early");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!trial(place, 3999).exists());
    child
}

#[test]
fn an_experiment_has_its_table_in_every_form() {
    let place = Place::new();
    let out = place.succeed(FEW);
    assert!(
        out.contains("Least squares") && out.contains("mean ± standard deviation over 3"),
        "{out}"
    );
    for file in ["results.json", "results.csv", "results.md", "report.html", "experiment.json"] {
        assert!(place.path("runs/a").join(file).exists(), "no {file}");
    }
    let results = json(&place.succeed("report runs/a --json"));
    assert_eq!(results["results"]["cells"][0]["values"].as_array().unwrap().len(), 3);
    place.succeed("report runs/a runs/a --markdown page.md");
    let page = text(place.path("page.md"));
    assert!(page.contains("`transduct report runs/a runs/a --markdown page.md`"), "{page}");
    let command = "transduct reproduce covariate-shift-toy --cells sinc/ols --seeds 3\n";
    assert_eq!(page.matches(command).count(), 2, "{page}");
}

#[test]
fn numbers_do_not_depend_on_how_many_are_computed_at_a_time() {
    let numbers = |jobs: &str| {
        let place = Place::new();
        place.succeed(&format!("{FEW} {jobs}"));
        [0, 1, 2].map(|seed| number(&place, seed))
    };
    assert_eq!(numbers("--jobs 1 --threads 1"), numbers("--jobs 3 --threads 2"));
}

#[test]
fn what_is_finished_stays_and_more_is_added() {
    let place = Place::new();
    place.succeed(FEW);
    let state =
        || (text(trial(&place, 0)), fs::metadata(trial(&place, 0)).unwrap().modified().unwrap());
    let before = state();
    place.succeed("reproduce covariate-shift-toy --out runs/a --resume");
    assert!(!trial(&place, 3).exists());
    place.succeed("reproduce covariate-shift-toy --cells sinc/ols --seeds 5 --out runs/a --resume");
    assert!(trial(&place, 4).exists());
    assert_eq!(before, state());
}

#[test]
fn a_killed_experiment_goes_on() {
    let place = Place::new();
    let mut child = start(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = number(&place, 3);
    // As many seeds as it takes to see it go on.
    let mut record = json(&text(place.path("runs/a/experiment.json")));
    record["seeds"] = 40.into();
    place.write("runs/a/experiment.json", &record.to_string());
    place.succeed("reproduce covariate-shift-toy --out runs/a --resume");
    let whole = Place::new();
    whole.succeed(&FEW.replace("--seeds 3", "--seeds 40"));
    assert_eq!(before, number(&whole, 3));
    assert!((0..40).all(|seed| number(&place, seed) == number(&whole, seed)));
}

#[cfg(unix)]
#[test]
fn ctrl_c_tells_how_to_go_on() {
    let place = Place::new();
    let child = start(&place);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let out = String::from_utf8(output.stdout).unwrap();
    let command = out.lines().last().unwrap().trim();
    let wanted = " reproduce covariate-shift-toy --out runs/a --resume --jobs 2";
    assert!(command.ends_with(wanted), "{out}");
}

#[test]
fn a_check_names_the_cells_that_leave_their_tolerance() {
    let place = Place::new();
    place.succeed(FEW);
    // The numbers of another program.
    for seed in 0..3 {
        let mut trial = json(&text(trial(&place, seed)));
        trial["value"] = 7.0.into();
        let path = format!("runs/a/cells/sinc/ols/seed-{seed}.json");
        place.write(&path, &trial.to_string());
    }
    let resume = "reproduce covariate-shift-toy --out runs/a --resume";
    assert!(place.succeed(resume).contains("worse"));
    let line = place.refusal(&format!("{resume} --check"));
    assert!(
        line.starts_with("1 cells leave their tolerance: sinc/ols is 7.0000, expected "),
        "{line}"
    );
}

#[test]
fn what_cannot_be_computed_is_refused_in_one_line() {
    let place = Place::new();
    let line = place.refusal("reproduce jda-2014");
    assert_eq!(line, "unknown experiment `jda-2014`; did you mean `jda-2013`?");
    let lines = place.fail("reproduce jda-2013 --cells mnist/1-nn", 2);
    assert!(lines[0].contains("no cell of jda-2013 has such a name"), "{lines:?}");
    let line = place.refusal("reproduce jda-2013 --data nowhere --cells coil1-coil2/1-nn");
    assert!(line.starts_with("data set jda/coil1: ") && line.contains("is missing"), "{line}");
    assert!(!line.contains("mnist"), "{line}");
    let line = place.refusal("report nowhere --markdown page.md");
    assert_eq!(line, "nowhere: no experiment is recorded there");
    place.succeed(FEW);
    let line = place.refusal(FEW);
    assert!(line.contains("give --resume to go on"), "{line}");
    let line = place.refusal("reproduce jda-2013 --out runs/a --resume --data nowhere");
    let wanted = "runs/a: cannot resume jda-2013: the experiment there is covariate-shift-toy";
    assert_eq!(line, wanted);
}
