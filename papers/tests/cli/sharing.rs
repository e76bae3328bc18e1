//! Several processes at one run: each part is done once, and the result is that of one process.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::Place;

const RUN: &str = "run --source source.csv --target target.csv --label-column species --method source-only,dann,shot --seeds 2 \
                   --steps 200 --batch-size 16 --out";

/// Parts of a run directory, with the final model of each.
fn models(place: &Place, dir: &str) -> Vec<(String, Vec<u8>)> {
    let mut models = Vec::new();
    for method in ["source-only", "dann", "shot"] {
        for seed in 0..2 {
            let part = format!("{dir}/{method}/seed-{seed}");
            assert!(!place.path(&format!("{part}/claim.json")).exists(), "{part}");
            let bytes = fs::read(place.path(&format!("{part}/model-final.safetensors"))).unwrap();
            models.push((format!("{method} {seed}"), bytes));
        }
    }
    models
}

/// What a process that takes part says must be asked for: a failure shows it.
pub(crate) fn succeeds(process: Child) {
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn spawn(place: &Place, arguments: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_transduct"))
        .current_dir(place.path("."))
        .args(arguments.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A place with the run of one process in `one`, and its models.
fn place() -> (Place, Vec<(String, Vec<u8>)>) {
    let place = Place::new();
    place.succeed(&format!("{RUN} one"));
    let models = models(&place, "one");
    (place, models)
}

#[test]
fn shards_together_give_what_one_process_gives() {
    let (place, expected) = place();
    let shards: Vec<_> =
        (0..3).map(|i| spawn(&place, &format!("{RUN} shards --shard {i}/3"))).collect();
    shards.into_iter().for_each(succeeds);
    assert_eq!(models(&place, "shards"), expected);
    // Whoever asks last sees it all.
    place.succeed(&format!("{RUN} shards --shard 0/3"));
    assert!(place.path("shards/report.html").exists());
}

#[test]
fn what_a_killed_process_leaves_is_taken_over() {
    let (place, expected) = place();
    let mut first = spawn(&place, &format!("{RUN} killed"));
    // In the middle of some part.
    while !place.path("killed/source-only/seed-0/claim.json").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let others: Vec<_> = (0..2).map(|_| spawn(&place, &format!("{RUN} killed --resume"))).collect();
    others.into_iter().for_each(succeeds);
    assert_eq!(models(&place, "killed"), expected);
}

/// Cells of one experiment, some of which look at the same fits.
#[test]
fn an_experiment_is_shared_too() {
    let place = Place::new();
    let command =
        |out: &str| format!("reproduce simulated-shifts --cells covariate/* --seeds 2 --out {out}");
    place.succeed(&command("one"));
    let shards: Vec<_> =
        (0..2).map(|i| spawn(&place, &format!("{} --shard {i}/2", command("two")))).collect();
    shards.into_iter().for_each(succeeds);
    let values = |dir: &str| {
        let mut values = Vec::new();
        for method in fs::read_dir(place.path(&format!("{dir}/cells/covariate"))).unwrap() {
            for seed in 0..2 {
                let path = method.as_ref().unwrap().path().join(format!("seed-{seed}.json"));
                let trial: serde_json::Value =
                    serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
                values.push((trial["cell"].to_string(), seed, trial["value"].to_string()));
            }
        }
        values.sort();
        values
    };
    assert_eq!(values("one"), values("two"));
    place.succeed(&format!("{} --resume", command("two")));
}

#[test]
fn a_script_for_slurm_has_the_command() {
    let place = Place::new();
    let script = place.succeed("slurm --tasks 2 -- run --source a --target b --out r");
    assert!(script.contains("#SBATCH --array=0-1\n"), "{script}");
    assert!(script.trim_end().ends_with("run --source a --target b --out r"), "{script}");
}
