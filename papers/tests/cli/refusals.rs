//! Bad input: one clear line each, exit code ≠ 0, nothing written.

use std::fs;

use super::{Place, TABLES, table, text};

/// The line, when `--out runs/a` was not even made.
fn refused(place: &Place, arguments: &str) -> String {
    let line = place.refusal(&format!("{arguments} --out runs/a"));
    assert!(!place.path("runs/a").exists(), "{arguments}");
    line
}

#[test]
fn an_instruction_set_that_is_not_there_is_refused() {
    let place = Place::new();
    let run = |name: &str| {
        let mut command = place.command("list");
        command.env("TRANSDUCT_SIMD", name).output().unwrap()
    };
    assert!(run("portable").status.success());
    let refused = run("avx3");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let start = "error: environment.TRANSDUCT_SIMD = avx3: expected one of portable";
    assert!(error.starts_with(start), "{error}");
}

#[test]
fn names_that_do_not_exist_get_the_nearest() {
    let place = Place::new();
    let line = |arguments: &str| refused(&place, &format!("{TABLES} {arguments}"));
    assert_eq!(line("--method dannn"), "unknown method `dannn`; did you mean `dann`?");
    assert_eq!(
        line("--backbone digitnet"),
        "unknown backbone `digitnet`; did you mean `digit-net`?"
    );
    assert_eq!(
        line("--set evaluation.validators=[\"entropi\"]"),
        "unknown validator `entropi`; did you mean `entropy`?"
    );
    assert_eq!(line("--method dann,dann"), "the method `dann` is named twice");
    assert_eq!(
        line("--set method.dan.wieght=1 --method dan"),
        "unknown key `method.dan.wieght`; did you mean `method.dan.weight`?"
    );
    let line = refused(&place, "run --source minst --target usps");
    assert_eq!(line, "unknown data set `minst`; did you mean `mnist`?");
    let line = refused(&place, "run --source photos/none --target usps");
    assert_eq!(line, "photos/none: no such file or folder, and no registered data set");
    let line = refused(&place, "run --source mnist --target usps --data nowhere");
    assert!(
        line.starts_with("mnist: nowhere/mnist/") && line.contains("data fetch mnist"),
        "{line}"
    );
}

#[test]
fn options_out_of_range_are_named() {
    let place = Place::new();
    let line = |arguments: &str| refused(&place, &format!("{TABLES} {arguments}"));
    let batch = line("--set training.target_batch=49");
    assert_eq!(
        batch,
        "target: 48 target rows to adapt to, fewer than a batch of 49: give --batch-size 48 or less \
         (for this domain alone --set training.target_batch=48)"
    );
    assert_eq!(line("--rate -1"), "train.rate = -1: expected a finite number > 0");
    let weight = line("--set method.dann.weight=-1 --method dann");
    assert!(weight.starts_with("dann.weight = -1: expected "), "{weight}");
    let line = line("--set training.batchsize=3");
    assert!(line.starts_with("`--set training.batchsize=3`: unknown field `batchsize`"), "{line}");
}

#[test]
fn a_wrong_command_line_is_told_apart() {
    let place = Place::new();
    let lines = place.fail(TABLES, 2);
    assert_eq!(lines, ["error: the run needs a directory: give --out DIR"]);
    let lines = place.fail("run --steps 3 --epochs 2 --out a", 2);
    assert!(lines[0].contains("cannot be used with"), "{lines:?}");
    let lines = place.fail("run --seeds none --out a", 2);
    assert!(lines[0].contains("expected a number of seeds, as 3, or a list"), "{lines:?}");
    assert_eq!(
        place.fail(&format!("{TABLES} --schedule linear --out a"), 2).len(),
        1,
        "one line without usage"
    );
    let lines = place.fail(&format!("{TABLES} --schedule step --out a"), 2);
    assert_eq!(lines, ["error: --schedule step: say how often, as step:1000"]);
    let line = refused(&place, "run --target usps");
    assert_eq!(line, "the source domain is not named: give --source");
}

#[test]
fn a_file_with_an_unknown_key_is_named() {
    let place = Place::new();
    place.write("a.toml", "source = \"source.csv\"\n[training]\nstpes = 3\n");
    let line = refused(&place, "run --config a.toml");
    assert!(line.starts_with("a.toml: line 3: unknown field `stpes`, expected "), "{line}");
    let line = refused(&place, "run --config none.toml");
    assert!(line.starts_with("none.toml: No such file or directory"), "{line}");
    place.write("b.toml", "[protocol]\nsplit = 3\n");
    let line = refused(&place, "run --config b.toml");
    assert!(line.starts_with("b.toml: `protocol`: unknown field `split`"), "{line}");
}

#[test]
fn data_that_cannot_be_used_are_refused() {
    let place = Place::new();
    place.write("nan.csv", &table(40, 0.0).replacen("0.5000,", "nan,", 1));
    let line = refused(&place, "run --source nan.csv --target target.csv --label-column species");
    assert!(line.contains("nan.csv: line 2, column `length`"), "{line}");
    let one = table(40, 0.0).replace("dog", "cat");
    place.write("one.csv", &one);
    let line = refused(&place, "run --source one.csv --target target.csv --label-column species");
    assert!(
        line.ends_with("one.csv: all labels are `cat`: expected two classes or more"),
        "{line}"
    );
    let line = refused(&place, "run --source source.csv --target target.csv --label-column sort");
    assert!(line.contains("no column `sort`"), "{line}");
    let line = refused(&place, &format!("{TABLES} --size 8x8"));
    assert!(line.contains("are for images, got feature vectors"), "{line}");
}

#[test]
fn a_directory_that_is_taken_is_left_alone() {
    let place = Place::new();
    let file = place.write("runs/a/notes.txt", "mine");
    let line = place.refusal(&format!("{TABLES} --out runs/a"));
    assert_eq!(
        line,
        "runs/a: exists and is not empty; give --resume to go on with the run in it, or another \
         --out"
    );
    let line = place.refusal("run --out runs/a --resume");
    assert_eq!(line, "runs/a: there is no run to resume");
    assert_eq!(text(file), "mine");
    assert_eq!(fs::read_dir(place.path("runs/a")).unwrap().count(), 1);
    let line = place.refusal(&format!("{TABLES} --out source.csv/a"));
    assert!(line.starts_with("source.csv/a"), "{line}");
}
