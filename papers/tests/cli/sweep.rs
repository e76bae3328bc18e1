//! Sweeps: the same numbers however many processes take part, and what they say of themselves.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{
    Place, json,
    sharing::{spawn, succeeds},
    text,
};

const DATA: &str = "--source source.csv --target target.csv --label-column species --steps 60 \
                    --batch-size 16 --set training.evaluate_every=20";

fn grid(out: &str) -> String {
    format!(
        "sweep {DATA} --method dann,mcc --seeds 3 --search grid --over weight=0.1,1.5,3 --out {out}"
    )
}

fn results(place: &Place, dir: &str) -> Value {
    json(&text(place.path(&format!("{dir}/results.json"))))
}

/// Two methods, three values and the defaults, three seeds: 24 trainings, by one process and by three of
/// which one is killed in the middle and started again.
#[test]
fn a_sweep_is_shared_number_for_number() {
    let place = Place::new();
    place.succeed(&grid("one"));
    let one = results(&place, "one");
    let trials = |method: usize| one["methods"][method]["trials"].as_array().unwrap().len();
    assert_eq!(trials(0) + trials(1), 24);
    let shard = |i: usize| spawn(&place, &format!("{} --shard {i}/3", grid("three")));
    let (first, mut second, third) = (shard(0), shard(1), shard(2));
    while !place.path("three/sweep.json").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(150));
    second.kill().unwrap();
    second.wait().unwrap();
    succeeds(first);
    succeeds(third);
    succeeds(shard(1));
    assert_eq!(results(&place, "three"), one);
    // A search that is there is not mixed with another.
    let again = grid("three").replace("1.5", "2.5");
    let message = place.refusal(&format!("{again} --resume"));
    assert!(message.contains("--over is `weight=0.1,1.5,3` there"), "{message}");
    place.succeed("sweep --out three --resume");
    assert_eq!(results(&place, "three"), one);
    // Every candidate is a run of its own.
    place.succeed("report three/candidates/dann/2");
    let config = text(place.path("three/candidates/dann/2/config.toml"));
    assert!(config.contains("weight = 1.5"), "{config}");
}

/// Every repeat draws its own candidates, and the winner of the first is trained with all seeds. A method
/// that begins with a trained network finds the baseline's.
#[test]
fn a_random_search_is_repeated_whole() {
    let place = Place::new();
    let command =
        format!("sweep {DATA} --method shot --seeds 2 --candidates 2 --out random --json");
    let summary = &json(&place.succeed(&command))["results"];
    let methods = summary["methods"].as_array().unwrap();
    assert_eq!([&methods[0]["method"], &methods[1]["method"]], ["source-only", "shot"]);
    let shot = &methods[1];
    assert_eq!(shot["candidates"], 3);
    assert_eq!(shot["repeats"].as_array().unwrap().len(), 2);
    assert_eq!(shot["winner"]["chosen"]["n"], 2);
    let sweep = json(&text(place.path("random/sweep.json")));
    let candidates = sweep["methods"][1]["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 5, "the defaults and two in each repeat");
    assert_eq!(candidates[0]["seeds"].as_array().unwrap().len(), 2);
    let again = place.succeed("report random --json");
    assert_eq!(json(&again)["results"], *summary);
    assert!(place.path("random/results.md").exists() && place.path("random/results.csv").exists());
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let place = Place::new();
    let refusal = |more: &str| place.refusal(&format!("sweep {DATA} --method dann --out r {more}"));
    assert!(refusal("--over wieght=1,2").contains("did you mean `weight`?"));
    assert!(refusal("--over weight=-1,2 --search grid").contains("dann with weight -1"));
    assert!(refusal("--choose-by nobody").contains("nobody"));
    assert!(!place.path("r").exists(), "nothing is left of what cannot begin");
    let lines = place.fail(&format!("sweep {DATA} --method dann --out r --over weight"), 2);
    assert!(lines.iter().any(|line| line.contains("expected KEY=VALUE")), "{lines:?}");
    fs::create_dir(place.path("r")).unwrap();
    fs::write(place.path("r/mine"), "").unwrap();
    assert!(refusal("--seeds 1").contains("exists and is not empty"));
    let output = Command::new(env!("CARGO_BIN_EXE_transduct"))
        .args(["sweep", "--resume", "--out", "nowhere"])
        .current_dir(place.path("."))
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no run to resume"));
}
