//! What needs no run: help, lists, summaries.

use std::process::{Command, Stdio};

use super::{Place, json};

const COMMANDS: [&str; 24] = [
    "diagnose",
    "weights",
    "align",
    "apply",
    "fit",
    "quickstart",
    "run",
    "predict",
    "reproduce",
    "export",
    "demo",
    "report",
    "slurm",
    "sweep",
    "compare",
    "merge",
    "tensorboard",
    "list",
    "data",
    "data list",
    "data fetch",
    "data verify",
    "summary",
    "completions",
];

#[test]
fn without_arguments_it_explains_itself_on_one_screen() {
    let place = Place::new();
    let output = Command::new(env!("CARGO_BIN_EXE_transduct")).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("transduct quickstart") && text.lines().count() <= 24, "{text}");
    assert_eq!(json(&place.succeed("--json"))["start"], "transduct quickstart");
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    for command in COMMANDS {
        let help = place.succeed(&format!("{command} --help"));
        assert!(help.contains("Usage: transduct ") && help.contains("Example"), "{command}");
        assert!(!help.contains('\u{1b}'), "{command}: colours in a pipe");
    }
    assert!(place.succeed("--help").contains("Exit codes"));
}

/// The README's commands with their options, without what they are given.
fn commands_of_the_readme() -> Vec<(String, Vec<String>)> {
    let readme = include_str!("../../../README.md");
    let blocks = readme.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let code = readme.split('`').skip(1).step_by(2).map(|code| code.replace('\n', " "));
    let lines = blocks.flat_map(str::lines).map(str::to_owned).chain(code);
    let command = |line: String| {
        let words =
            line.strip_prefix("transduct ").or(line.strip_prefix("cargo run --release -- "))?;
        let mut words = words.split_whitespace().map(str::to_owned).peekable();
        let mut command = words.next()?;
        if command == "data" || command == "help" {
            command += &format!(" {}", words.next()?);
        }
        Some((command, words.filter(|word| word.starts_with("--")).collect()))
    };
    lines.filter_map(command).collect()
}

#[test]
fn every_command_and_option_that_the_readme_names_is_there() {
    let place = Place::new();
    let commands = commands_of_the_readme();
    assert!(commands.len() > 15, "{commands:?}");
    let options = |help: &str| -> Vec<String> {
        let long = |c: char| c.is_ascii_alphanumeric() || c == '-';
        help.split(|c| !long(c)).filter(|word| word.starts_with("--")).map(str::to_owned).collect()
    };
    let mut all = Vec::new();
    for command in COMMANDS {
        all.extend(options(&place.succeed(&format!("{command} --help"))));
    }
    for (command, named) in commands {
        let help = command.strip_prefix("help ").unwrap_or(&command);
        let there = options(&place.succeed(&format!("{help} --help")));
        let missing: Vec<_> = named.iter().filter(|option| !there.contains(option)).collect();
        assert!(missing.is_empty(), "transduct {command} has no {missing:?}");
    }
    // Options in running text, of whichever command.
    let readme = include_str!("../../../README.md");
    let code = readme.split('`').skip(1).step_by(2).filter(|code| code.starts_with("--"));
    for option in code.filter_map(|code| code.split_whitespace().next()) {
        assert!(all.iter().any(|o| o == option), "no command has {option}");
    }
}

#[test]
fn lists_name_what_there_is() {
    let place = Place::new();
    let all = place.succeed("list");
    for name in ["deep-coral", "digit-net", "uci-digits", "im", "weight = 1.0"] {
        assert!(all.contains(name), "{name}: {all}");
    }
    let methods = json(&place.succeed("list methods --json"));
    assert_eq!(methods["methods"][0]["name"], "source-only");
    assert!(methods.get("backbones").is_none());
    let data = json(&place.succeed("data list --json --data nowhere"));
    assert_eq!(data["directory"], "nowhere");
    let state = |name: &str| {
        let all = data["data"].as_array().unwrap();
        all.iter().find(|d| d["name"] == name).unwrap()["files"].clone()
    };
    assert_eq!((state("uci-digits"), state("mnist")), ("inside".into(), "to fetch".into()));
}

#[test]
fn a_summary_counts_the_parameters() {
    let place = Place::new();
    let text = place.succeed("summary --backbone digit-net --input 1x28x28");
    assert!(text.contains("conv1") && text.contains("trained parameters"), "{text}");
    // 800 · 256 + 256 and the head's 256 · 31 + 31.
    let value = json(&place.succeed("summary --backbone mlp --input 800 --classes 31 --json"));
    assert_eq!(value["parameters"], 213_023);
    let lines = place.fail("summary --backbone mlp --input 28x28", 2);
    assert!(lines[0].contains("1x28x28"), "{lines:?}");
    let line = place.refusal("summary --backbone digit-nat --input 1x28x28");
    assert_eq!(line, "unknown backbone `digit-nat`; did you mean `digit-net`?");
    let line = place.refusal("summary --backbone digit-net --input 1x8x8");
    assert!(line.starts_with("digit-net: expected images of 1 or 3 channels"), "{line}");
}

#[test]
fn completions_are_written_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.succeed(&format!("completions {shell}"));
        assert!(script.contains("quickstart"), "{shell}");
    }
}

#[test]
fn verifying_tells_good_files_from_others() {
    let place = Place::new();
    place.write("data/usps/usps-train-labels-idx1-ubyte.gz", "");
    place.write("data/usps/train-labels-idx1-ubyte.gz", "not digits");
    let output = place.command("data verify usps --data data --json").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let value = json(&String::from_utf8(output.stdout).unwrap());
    let states: Vec<_> =
        value["files"].as_array().unwrap().iter().map(|f| f["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"missing"), "{states:?}");
    assert!(states.iter().any(|s| s.starts_with("has SHA-256 ")), "{states:?}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    for arguments in [vec!["list"], vec!["completions", "bash"], vec!["--help"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_transduct"))
            .args(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_gpu_that_was_not_built_in_says_how_to_build_it() {
    let place = Place::new();
    let line = place.refusal(&format!("{} --device cuda:1 --out runs/a", super::TABLES));
    assert!(line.contains("cuda:1: this program was built without GPUs"), "{line}");
    assert!(line.contains("--features cuda"), "{line}");
    assert!(!place.path("runs/a").exists());
}
