//! Learners, their predictions of the target, and what is said of them.

use super::{Place, json, text, with_width_times};

const ARGUMENTS: &str = "fit --source source.csv --target target.csv --label species --out p.csv";

/// The summary of a fit and the rows of its predictions, without the header, which is checked.
fn fitted(place: &Place, arguments: &str, header: &str) -> (serde_json::Value, Vec<Vec<String>>) {
    let value = json(&place.succeed(&format!("{arguments} --json --quiet")));
    let predictions = text(place.path("p.csv"));
    let mut lines = predictions.lines();
    assert_eq!(lines.next(), Some(header), "{arguments}");
    let cells = |line: &str| line.split(',').map(str::to_owned).collect();
    let rows: Vec<Vec<String>> = lines.map(cells).collect();
    assert_eq!(value["target_rows"], rows.len(), "{arguments}");
    assert!(rows.iter().enumerate().all(|(i, row)| row[0] == i.to_string()), "{predictions}");
    (value, rows)
}

/// The classes of the rows of a table, or of predictions.
fn column(rows: &[Vec<String>], at: usize) -> Vec<&str> {
    rows.iter().map(|row| row[at].as_str()).collect()
}

#[test]
fn every_target_row_gets_a_class_and_a_score_for_each() {
    let place = Place::new();
    let truth: Vec<&str> = (0..48).map(|row| ["cat", "dog"][row % 2]).collect();
    for (method, certificates) in [
        ("logistic", vec!["logistic"]),
        // By the penalty in the files' units.
        ("logistic --weights gaussian --normalise none", vec!["gaussian", "logistic"]),
        ("svm --align coral", vec!["coral", "svm"]),
        ("meda", vec!["meda"]),
        ("jdot", vec!["jdot"]),
        ("jcpot", vec!["jcpot"]),
    ] {
        let arguments = format!("{ARGUMENTS} --method {method}");
        let (value, rows) = fitted(&place, &arguments, "row,class,score_cat,score_dog");
        assert_eq!((column(&rows, 1), rows.len()), (truth.clone(), 48), "{method}");
        assert_eq!(value["classes"], serde_json::json!(["cat", "dog"]));
        assert_eq!((&value["predicted"][0], &value["target_accuracy"]), (&24.into(), &1.0.into()));
        let names: Vec<_> = value["certificates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, certificates, "{value}");
        for row in &rows {
            let [cat, dog] = [&row[2], &row[3]].map(|score| score.parse::<f64>().unwrap());
            assert_eq!(cat > dog, row[1] == "cat", "{method}: {row:?}");
            if method.starts_with("logistic") {
                assert!((cat + dog - 1.0).abs() < 1e-12, "{row:?}");
            }
        }
        // It labels the given rows alone.
        let judged = method != "jcpot";
        assert_eq!(value["source_accuracy"].is_null(), !judged, "{value}");
        assert_eq!(value["validators"].as_array().unwrap().len(), if judged { 3 } else { 0 });
    }
}

#[test]
fn target_labels_are_not_needed_and_change_nothing() {
    let place = Place::new();
    let without = |line: &str| line.rsplit_once(',').unwrap().0.to_owned() + "\n";
    let bare: String = text(place.path("target.csv")).lines().map(without).collect();
    place.write("bare.csv", &bare);
    for method in ["logistic", "jdot"] {
        let arguments = format!("{ARGUMENTS} --method {method}");
        let header = "row,class,score_cat,score_dog";
        let (_, right) = fitted(&place, &arguments, header);
        let unlabelled = arguments.replace("target.csv", "bare.csv");
        let (value, rows) = fitted(&place, &unlabelled, header);
        assert_eq!(rows, right, "{method}");
        assert!(value["target_accuracy"].is_null(), "{value}");
    }
}

#[test]
fn the_unit_of_a_column_changes_no_prediction() {
    let place = Place::new();
    for (name, other) in [("source.csv", "s.csv"), ("target.csv", "t.csv")] {
        place.write(other, &with_width_times(1e-4, &text(place.path(name))));
    }
    let elsewhere = ARGUMENTS.replace("source.csv", "s.csv").replace("target.csv", "t.csv");
    let header = "row,class,score_cat,score_dog";
    for method in
        ["logistic", "svm", "k-nearest", "meda", "svm --align coral", "tree --weights ulsif"]
    {
        let of =
            |arguments: &str| fitted(&place, &format!("{arguments} --method {method}"), header);
        let ((value, expected), (_, got)) = (of(ARGUMENTS), of(&elsewhere));
        assert_eq!(value["normalise"], "standard");
        assert_eq!(column(&got, 1), column(&expected, 1), "{method}");
        for (got, expected) in got.iter().zip(&expected) {
            let [got, expected] = [got, expected].map(|row| row[2].parse::<f64>().unwrap());
            // As near as solvers come.
            let gap = (got - expected).abs() / expected.abs().max(1.0);
            assert!(gap < 1e-3, "{method}: {got} {expected}");
        }
    }
    let of = |more: &str| fitted(&place, &format!("{elsewhere} --method logistic{more}"), header);
    let ((value, raw), (_, standard)) = (of(" --normalise none"), of(""));
    assert_eq!(value["normalise"], "none");
    assert_ne!(column(&raw, 2), column(&standard, 2));
}

#[test]
fn all_rows_train_without_a_validation_share() {
    let place = Place::new();
    let told = place.succeed(&format!("{ARGUMENTS} --method logistic"));
    assert!(told.contains("source accuracy 100 % on 6 rows that were not trained on"), "{told}");
    let told = place.succeed(&format!("{ARGUMENTS} --method logistic --validation 0"));
    assert!(told.contains("no source rows judge logistic"), "{told}");
    assert!(!told.contains("validator"), "{told}");
}

/// A plane over rows in the unit square, moved by `shift`.
fn plane(rows: usize, shift: f64) -> String {
    let row = |i: usize| {
        let (x, z) = ((i * 7 % 23) as f64 / 23.0 + shift, (i * 5 % 19) as f64 / 19.0);
        format!("{x:.4},{z:.4},{:.6}\n", 2.0 * x - 3.0 * z + 0.5)
    };
    format!("x,z,y\n{}", (0..rows).map(row).collect::<String>())
}

#[test]
fn a_label_that_is_a_measurement_is_predicted_as_one() {
    let place = Place::new();
    place.write("s.csv", &plane(60, 0.0));
    place.write("t.csv", &plane(30, 0.2));
    let arguments = "fit --source s.csv --target t.csv --label y --out p.csv";
    for method in ["least-squares", "least-squares --weights gaussian"] {
        let arguments = format!("{arguments} --method {method}");
        let (value, rows) = fitted(&place, &arguments, "row,prediction");
        let truth = text(place.path("t.csv"));
        for (row, line) in rows.iter().zip(truth.lines().skip(1)) {
            let y = line.rsplit_once(',').unwrap().1.parse::<f64>().unwrap();
            assert!((row[1].parse::<f64>().unwrap() - y).abs() < 1e-3, "{row:?}: {line}");
        }
        assert!(value["source_mean_absolute_error"].as_f64().unwrap() < 1e-3, "{value}");
        assert!(value["notes"][0].as_str().unwrap().contains("holds measurements"), "{value}");
    }
    let line = place.refusal(&format!("{arguments} --method logistic --quiet"));
    assert_eq!(
        line,
        "s.csv: column `y` holds measurements, and logistic needs classes: name the column of the \
         classes with --label-column"
    );
    let line = place.refusal(&format!("{ARGUMENTS} --method ridge"));
    assert_eq!(line, "ridge predicts measurements, and the labels are classes");
}

#[test]
fn what_cannot_be_fitted_is_one_line() {
    let place = Place::new();
    place.write("one.csv", &text(place.path("source.csv")).replace("dog", "cat"));
    place.write("gap.csv", &text(place.path("source.csv")).replacen(",cat", ",", 1));
    for (change, expected) in [
        ("--method logistc", "unknown learner `logistc`; did you mean `logistic`?"),
        (
            "--method svm --weights gausian",
            "unknown weighting method `gausian`; did you mean `gaussian`?",
        ),
        ("--method svm --validators imm", "unknown validator `imm`; did you mean `im`?"),
    ] {
        assert_eq!(place.refusal(&format!("{ARGUMENTS} {change}")), expected);
    }
    for method in ["logistic", "meda"] {
        let line = place.refusal(
            &ARGUMENTS
                .replace("source.csv", "one.csv")
                .replace("fit", &format!("fit --method {method}")),
        );
        assert_eq!(
            line,
            format!(
                "one.csv: column `species`: every row is of class `cat`: {method} needs at least \
                 two classes"
            )
        );
    }
    let line =
        place.refusal(&format!("{} --method svm", ARGUMENTS.replace("source.csv", "gap.csv")));
    assert!(line.starts_with("gap.csv: line 2, column `species`: the label is missing"), "{line}");
    let line = place.refusal(&format!("{} --method svm", ARGUMENTS.replace("species", "specie")));
    let columns = "the columns are: `length`, `width`, `species`";
    assert_eq!(line, format!("source.csv: no column `specie`; {columns}"));
    assert!(!place.path("p.csv").exists());
}

#[test]
fn what_is_asked_wrongly_is_told() {
    let place = Place::new();
    for (change, expected) in [
        ("--method svm --validation 1", "expected a share from 0 to below 1"),
        ("--method svm --adapt-set ridge=1", "needs --weights or --align"),
        ("--method meda --align coral", "meda adapts by itself: it takes no coral"),
        ("--method meda --adapt-set ridge=1", "takes its options with --set"),
        ("--method svm --weights ulsif --align coral", "cannot be used with"),
    ] {
        let lines = place.fail(&format!("{ARGUMENTS} {change}"), 2);
        assert!(lines.iter().any(|line| line.contains(expected)), "{change}: {lines:?}");
    }
}

/// Of a target of one class, `bbse` gives the other classes no weight: what is left is learned, and said.
#[test]
fn weights_that_leave_one_class_teach_it() {
    let place = Place::new();
    let cats: Vec<String> = text(place.path("target.csv"))
        .lines()
        .filter(|line| !line.ends_with("dog"))
        .map(|line| format!("{line}\n"))
        .collect();
    place.write("target.csv", &cats.concat());
    for method in ["logistic", "svm", "k-nearest", "tree"] {
        let arguments = format!("{ARGUMENTS} --method {method} --weights bbse");
        let (value, rows) = fitted(&place, &arguments, "row,class,score_cat,score_dog");
        assert_eq!(column(&rows, 1), vec!["cat"; 24], "{method}");
        assert_eq!(value["target_accuracy"], 1.0, "{method}");
        let note = value["certificates"][1]["certificate"]["notes"][0].as_str().unwrap();
        // Of 60 source rows 6 judge, and 27 of the others are dogs.
        assert_eq!(
            note,
            "the weights leave rows of one class alone (27 of 54 rows have weight 0): that class is \
             predicted for every row",
            "{method}"
        );
        let told = place.succeed(&arguments);
        assert!(told.contains(&format!("{method} note: {note}")), "{told}");
    }
}
