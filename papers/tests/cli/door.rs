//! What comes in through files: the right value, or one line that says what is wrong and what to do.

use super::{Place, TABLES, json, table, text};

/// The target accuracy of the first method of a run.
fn accuracy(place: &Place, arguments: &str) -> f64 {
    let summary = json(&place.succeed(&format!("{arguments} --method source-only --json")));
    summary["results"]["methods"][0]["target_accuracy"]["mean"].as_f64().unwrap()
}

/// What a command that succeeds says on standard error.
fn told(place: &Place, arguments: &str) -> String {
    let output = place.command(arguments).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments}: {error}");
    error
}

/// The rows of a table with their cells in another order.
fn permuted(table: &str, order: &[usize]) -> String {
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        order.iter().map(|&i| cells[i]).collect::<Vec<_>>().join(",") + "\n"
    };
    table.lines().map(line).collect()
}

/// The lines of a table without its names.
fn nameless(table: &str) -> String {
    table.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn columns_go_by_their_names() {
    let place = Place::new();
    let right = accuracy(&place, &format!("{TABLES} --out runs/a"));
    place.write("permuted.csv", &permuted(&table(48, 0.7), &[1, 2, 0]));
    let run = TABLES.replace("target.csv", "permuted.csv");
    assert_eq!(accuracy(&place, &format!("{run} --out runs/b")), right);
    let error = told(&place, &format!("{run} --method source-only --out runs/c"));
    assert!(error.contains("permuted.csv: its columns are in another order, matched by name"));

    // A saved model remembers the names.
    let predict = |input: &str| {
        place.succeed(&format!("predict --run runs/a --checkpoint final --input {input} --quiet"))
    };
    assert_eq!(predict("permuted.csv"), predict("target.csv"));
    place.write("other.csv", &table(48, 0.7).replacen("width", "height", 1));
    let line = place.refusal("predict --run runs/a --input other.csv");
    assert_eq!(line, "other.csv: no column `width`, which the source has");
    let run = TABLES.replace("target.csv", "other.csv");
    let line = place.refusal(&format!("{run} --out runs/d"));
    assert!(line.ends_with("other.csv: no column `width`, which the source has"), "{line}");
    place.write("more.csv", &table(48, 0.7).replace(',', ",7,").replacen(",7,", ",id,", 1));
    let line = place.refusal("predict --run runs/a --input more.csv");
    assert!(line.contains("more.csv: "), "{line}");
}

#[test]
fn features_are_double_until_they_are_normalised() {
    let place = Place::new();
    let right = accuracy(&place, &format!("{TABLES} --out runs/a"));
    // Seconds since 1970 in both columns: in single precision neighbours are 128 apart.
    let moved = |table: String| -> String {
        let mut lines = table.lines();
        let mut text = lines.next().unwrap().to_owned() + "\n";
        for line in lines {
            let (numbers, label) = line.rsplit_once(',').unwrap();
            for number in numbers.split(',') {
                text += &format!("{:.4},", number.parse::<f64>().unwrap() + 1_700_000_000.0);
            }
            text += &format!("{label}\n");
        }
        text
    };
    place.write("late-source.csv", &moved(table(60, 0.0)));
    place.write("late-target.csv", &moved(table(48, 0.7)));
    let run =
        TABLES.replace("source.csv", "late-source.csv").replace("target.csv", "late-target.csv");
    assert_eq!(accuracy(&place, &format!("{run} --out runs/b")), right);
}

#[test]
fn names_that_are_numbers_are_no_row() {
    let place = Place::new();
    for (name, shift) in [("s.csv", 0.0), ("t.csv", 0.7)] {
        let rows = nameless(&table(20, shift)).replace(",cat", "").replace(",dog", "");
        place.write(name, &format!("0,1\n{rows}"));
        place.write(&format!("plain-{name}"), &rows);
    }
    let error = told(&place, "weights --method gaussian --source s.csv --target t.csv --out w.csv");
    assert!(
        error.contains("note: s.csv: the first row, `0, 1`, was taken for the names"),
        "{error}"
    );
    let weights = text(place.path("w.csv"));
    assert_eq!(weights.lines().count(), 21);
    assert!(weights.starts_with("0,1,weight\n"), "{weights}");
    place.succeed(
        "weights --method gaussian --source plain-s.csv --target plain-t.csv --out plain.csv",
    );
    assert_eq!(nameless(&weights), text(place.path("plain.csv")));
    place.succeed(
        "weights --method gaussian --source s.csv --target t.csv --header no --out all.csv",
    );
    assert_eq!(text(place.path("all.csv")).lines().count(), 21);
}

#[test]
fn a_file_without_names_keeps_its_first_row() {
    let place = Place::new();
    place.write("s.csv", &nameless(&table(60, 0.0)));
    place.write("t.csv", &nameless(&table(48, 0.7)));
    let run =
        "run --source s.csv --target t.csv --label-column 3 --batch-size 8 --seeds 1 --steps 20";
    let error = told(&place, &format!("{run} --method source-only --out runs/a"));
    assert!(error.contains("was taken for data, not names (--header yes"), "{error}");
    let record = json(&text(place.path("runs/a/run.json")));
    assert_eq!(record["target"]["training_rows"], 48);
    assert!(record["notes"].as_array().unwrap().len() >= 2, "{record}");
    let predicted = place.succeed("predict --run runs/a --input t.csv --quiet");
    assert_eq!(predicted.lines().count(), 49);
    let named = accuracy(&place, &format!("{TABLES} --out runs/b"));
    assert_eq!(accuracy(&place, &format!("{run} --out runs/c")), named);
}

#[test]
fn a_missing_label_is_no_class() {
    let place = Place::new();
    for missing in ["", "nan", "NA", "?"] {
        let line = format!("cat,{missing}").replacen("cat,", "", 1);
        let source = table(60, 0.0).replacen(",cat", &format!(",{line}"), 1);
        place.write("source.csv", &source);
        let line = place.refusal(&format!("{TABLES} --out runs/a"));
        let expected = "source.csv: line 2, column `species`: the label is missing: the source \
                        needs one in every row; fill it in or leave out the row";
        assert!(line.ends_with(expected), "{line}");
    }
    // In the target it is a row without a label.
    let place = Place::new();
    place.write("target.csv", &table(48, 0.7).replacen(",cat", ",?", 3).replacen(",dog", ",", 2));
    let error = told(&place, &format!("{TABLES} --method source-only --out runs/a"));
    assert!(
        error.contains("target: 5 of 48 test rows have no label: they are not scored"),
        "{error}"
    );
    let record = json(&text(place.path("runs/a/run.json")));
    assert_eq!(record["target"]["scored_rows"], 43);
    assert_eq!(record["classes"], serde_json::json!(["cat", "dog"]));
}

#[test]
fn labels_of_the_target_go_by_the_source_s_name() {
    let place = Place::new();
    let unlabelled = permuted(&table(48, 0.7), &[0, 1]);
    place.write("new.csv", &unlabelled);
    let run = TABLES.replace("target.csv", "new.csv");
    let summary = json(&place.succeed(&format!("{run} --method source-only --out runs/a --json")));
    assert_eq!(summary["results"]["target_labelled"], false);
    // A column of another name is no label, whatever the name.
    place.write("y.csv", &table(48, 0.7).replacen("species", "y", 1));
    let line = place.refusal(&format!("{} --out runs/b", TABLES.replace("target.csv", "y.csv")));
    assert!(
        line.ends_with(
            "the source has no column `y`; leave out what is no feature, as with --drop y"
        )
    );
    // Unread is unread: text that is no class of the source does not matter.
    place.write("odd.csv", &table(48, 0.7).replace("dog", "?!"));
    let run = TABLES.replace("target.csv", "odd.csv");
    place.succeed(&format!("{run} --target-labels none --method source-only --out runs/c"));
}

#[test]
fn measurements_are_no_classes() {
    let place = Place::new();
    let line = place.refusal(&format!("{TABLES} --label-column length --out runs/a"));
    assert!(
        line.contains("column `length` has ") && line.contains("looks like a measurement"),
        "{line}"
    );
    // Weighting needs no classes.
    let weights = "weights --source source.csv --target target.csv --label-column length \
                   --drop species --out w.csv";
    place.succeed(&format!("{weights} --method gaussian"));
    let line = place.refusal(&format!("{weights} --method bbse"));
    assert!(line.contains("column `length` holds measurements, and bbse needs classes"), "{line}");
}

#[test]
fn class_sets_may_differ() {
    let place = Place::new();
    let right = accuracy(&place, &format!("{TABLES} --out runs/a"));
    let cats: String = {
        let all = table(48, 0.7);
        all.lines().filter(|line| !line.ends_with("dog")).map(|line| format!("{line}\n")).collect()
    };
    place.write("cats.csv", &cats);
    let run = TABLES.replace("target.csv", "cats.csv");
    let error = told(&place, &format!("{run} --method source-only --out runs/b"));
    assert!(error.contains("none of its 24 test rows is of class `dog`"), "{error}");
    let report = text(place.path("runs/b/report.html"));
    assert!(report.contains("is of class `dog`"), "the report names them");
    // Told when the run began; the table of a run has them where it is shown later.
    let output =
        place.command(&format!("{run} --method source-only --out runs/quiet")).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("source-only") && !shown.contains("is of class `dog`"), "{shown}");
    assert_eq!(error.matches("is of class `dog`").count(), 1, "{error}");
    assert!(place.succeed("report runs/quiet").contains("is of class `dog`"));

    // A third class in the target is named and not scored.
    let owls = table(48, 0.7) + "9,9,owl\n9,9,owl\n";
    place.write("owls.csv", &owls);
    let run = TABLES.replace("target.csv", "owls.csv");
    let error = told(&place, &format!("{run} --method source-only --out runs/c"));
    assert!(error.contains("2 test rows are of class `owl`, which the source lacks"), "{error}");
    place.write("birds.csv", &(table(48, 0.7) + "9,9,owl\n9,9,jay\n9,9,emu\n9,9,\n"));
    let run = TABLES.replace("target.csv", "birds.csv");
    let error = told(&place, &format!("{run} --method source-only --out runs/birds"));
    for part in [
        "3 test rows are of the classes `emu`, `jay` and `owl`, which the source lacks: they are not",
        "1 of 52 test rows has no label: it is not scored",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let record = json(&text(place.path("runs/c/run.json")));
    assert_eq!(record["target"]["unknown_classes"], serde_json::json!([["owl", 2]]));
    assert_eq!(record["target"]["scored_rows"], 48);
    let results = json(&text(place.path("runs/c/results.json")));
    let scored = results["methods"][0]["target_accuracy"]["mean"].as_f64().unwrap();
    assert!((scored - right).abs() < 0.1, "{scored} {right}");

    place.write("none.csv", &table(48, 0.7).replace("dog", "ox").replace("cat", "ant"));
    let line = place.refusal(&format!("{} --out runs/d", TABLES.replace("target.csv", "none.csv")));
    assert!(
        line.contains("no class in common: the source has `cat`, `dog`, the target `ant`, `ox`")
    );
}

#[test]
fn a_run_goes_on_with_its_own_data_alone() {
    let place = Place::new();
    let run = format!("{TABLES} --method source-only,dann --out runs/a");
    place.succeed(&run);
    let before = text(place.path("runs/a/results.json"));
    std::fs::remove_dir_all(place.path("runs/a/dann")).unwrap();
    place.write("target.csv", &table(48, 5.0));
    let line = place.refusal("run --out runs/a --resume");
    assert!(
        line.contains("cannot resume with other data: ")
            && line.contains("target.csv, of the target, has changed since the run began"),
        "{line}"
    );
    // The same file in another place is the same data.
    std::fs::remove_file(place.path("target.csv")).unwrap();
    place.write("moved/target.csv", &table(48, 0.7));
    place.succeed("run --out runs/a --resume --target moved/target.csv");
    let after = text(place.path("runs/a/results.json"));
    let accuracies = |text: &str| -> Vec<_> {
        let methods = json(text)["methods"].clone();
        methods.as_array().unwrap().iter().map(|m| m["target_accuracy"].clone()).collect()
    };
    assert_eq!(accuracies(&before), accuracies(&after));
}

#[test]
fn every_command_reads_every_separator() {
    let place = Place::new();
    let semicolons = |shift| table(48, shift).replace(',', ";").replace('.', ",");
    place.write("s.csv", &semicolons(0.0));
    place.write("t.csv", &semicolons(0.7));
    place.write("s2.csv", &table(48, 0.0));
    place.write("t2.csv", &table(48, 0.7));
    let weights = |source: &str, target: &str| {
        let files = format!("--source {source} --target {target} --label-column species");
        let error = told(&place, &format!("weights --method gaussian {files} --out w.csv"));
        let last = |line: &str| line.rsplit(',').next().unwrap().to_owned();
        (error, text(place.path("w.csv")).lines().map(last).collect::<Vec<_>>())
    };
    let ((error, got), (_, expected)) = (weights("s.csv", "t.csv"), weights("s2.csv", "t2.csv"));
    assert_eq!(got, expected);
    assert!(error.contains("s.csv: cells are separated by `semicolon`"), "{error}");
    assert!(error.contains("decimal commas"), "{error}");
    let run = TABLES.replace("source.csv", "s.csv").replace("target.csv", "t.csv");
    let plain = TABLES.replace("source.csv", "s2.csv").replace("target.csv", "t2.csv");
    let right = accuracy(&place, &format!("{plain} --out runs/a"));
    assert_eq!(accuracy(&place, &format!("{run} --out runs/b")), right);
}

#[test]
fn a_batch_that_no_domain_fills_names_the_option() {
    let place = Place::new();
    let line = place.refusal(&format!("{TABLES} --batch-size 64 --out runs/a"));
    assert_eq!(
        line,
        "source: 54 source rows to train on (60 less 6 for validation), fewer than a batch of 64: \
         give --batch-size 54 or less (for this domain alone --set training.source_batch=54)"
    );
}
