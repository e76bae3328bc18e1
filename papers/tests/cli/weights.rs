//! Weights of a source table.

use ndarray::Array2;
use transduct_adapt::{
    domains::Domains,
    reweight::{GaussianRatio, Reweight as _},
};

use super::{Place, json, text, with_width_times};

const ARGUMENTS: &str =
    "weights --method gaussian --source source.csv --target target.csv --label species";

#[test]
fn the_weights_come_last_behind_the_rows_as_they_are() {
    let place = Place::new();
    let value = json(&place.succeed(&format!("{ARGUMENTS} --out w.csv --report w.html --json")));
    let source = text(place.path("source.csv"));
    let weighted = text(place.path("w.csv"));
    assert_eq!(weighted.lines().next(), Some("length,width,species,weight"));
    assert_eq!(weighted.lines().count(), source.lines().count());
    let mut weights = Vec::new();
    for (row, line) in weighted.lines().zip(source.lines()).skip(1) {
        let (kept, weight) = row.rsplit_once(',').unwrap();
        assert_eq!(kept, line);
        weights.push(weight.parse::<f64>().unwrap());
    }
    let (sum, squares) = (weights.iter().sum::<f64>(), weights.iter().map(|w| w * w).sum::<f64>());
    let n_eff = value["effective_sample_size"].as_f64().unwrap();
    assert!((n_eff - sum * sum / squares).abs() < 1e-9, "{value}");
    assert_eq!((&value["features"], &value["source_rows"]), (&2.into(), &60.into()));
    assert!(value["balance"]["after"].as_f64() < value["balance"]["before"].as_f64(), "{value}");
    assert_eq!(value["certificate"]["converged"], true);
    assert_eq!(value["columns"][0]["name"], "length");
    let page = text(place.path("w.html"));
    assert!(page.contains("Most weighted rows") && page.matches("<svg").count() == 2);
    assert!(page.contains("transduct weights --method gaussian"), "the command");
}

#[test]
fn arrays_are_read_and_written() {
    let place = Place::new();
    place.succeed(
        "align --method coral --source source.csv --target target.csv --label species --out a.npy",
    );
    let arguments = "weights --method gaussian --source a.npy --target a.npy";
    place.succeed(&format!("{arguments} --out w.npy"));
    let weights: ndarray::Array1<f64> = ndarray_npy::read_npy(place.path("w.npy")).unwrap();
    // A table against itself.
    assert!(weights.len() == 60 && weights.iter().all(|w| (w - 1.0).abs() < 1e-9), "{weights}");
    place.succeed(&format!("{arguments} --out w.csv --column importance"));
    assert!(text(place.path("w.csv")).starts_with("importance\n"));
}

/// The last column.
fn weights(place: &Place, name: &str) -> Vec<f64> {
    let last = |line: &str| line.rsplit_once(',').map_or(line, |(_, last)| last).parse().unwrap();
    text(place.path(name)).lines().skip(1).map(last).collect()
}

fn largest_gap(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let gap = |(a, b): (&f64, &f64)| (a - b).abs() / b.abs().max(f64::MIN_POSITIVE);
    a.iter().zip(b).map(gap).fold(0.0, f64::max)
}

#[test]
fn the_unit_of_a_column_changes_no_weight() {
    let place = Place::new();
    for (name, other) in [("source.csv", "s.csv"), ("target.csv", "t.csv")] {
        place.write(other, &with_width_times(1000.0, &text(place.path(name))));
    }
    for method in ["gaussian", "kde", "ulsif", "kmm", "logistic", "nearest-neighbour", "bbse"] {
        let of = |tables: &str, more: &str| {
            let arguments =
                format!("weights --method {method} {tables} --label species --out w.csv");
            let value = json(&place.succeed(&format!("{arguments} --json{more}")));
            (weights(&place, "w.csv"), value["normalise"].clone())
        };
        let (here, there) =
            ("--source source.csv --target target.csv", "--source s.csv --target t.csv");
        let (expected, normalise) = of(here, "");
        assert_eq!(normalise, "standard");
        let gap = largest_gap(&of(there, "").0, &expected);
        assert!(gap < 1e-9, "{method}: {gap:e}");
        assert_eq!(of(here, " --normalise none").1, "none");
    }
    let told = place.succeed(&format!("{ARGUMENTS} --out w.csv"));
    assert!(told.contains("columns: mean 0 and variance 1 over both tables"), "{told}");
}

#[test]
fn the_units_of_the_files_are_kept_when_asked() {
    let place = Place::new();
    place.succeed(&format!("{ARGUMENTS} --out w.csv --normalise none"));
    let read = |name: &str| {
        let rows: Vec<[f64; 2]> = text(place.path(name))
            .lines()
            .skip(1)
            .map(|line| {
                let mut cells = line.split(',').map(|cell| cell.parse().unwrap_or(f64::NAN));
                [cells.next().unwrap(), cells.next().unwrap()]
            })
            .collect();
        Array2::from(rows)
    };
    let (xs, xt) = (read("source.csv"), read("target.csv"));
    let domains = Domains::new(xs.view(), xt.view()).unwrap();
    let expected = GaussianRatio::default().fit(&domains).unwrap().weights;
    assert_eq!(weights(&place, "w.csv"), expected.to_vec());
}

#[test]
fn sparse_rows_have_the_weights_of_a_table_and_say_what_was_done() {
    let place = Place::new();
    for name in ["source", "target"] {
        let table = with_width_times(50.0, &text(place.path(&format!("{name}.csv"))));
        let rows: String = table
            .lines()
            .skip(1)
            .map(|line| {
                let cells: Vec<&str> = line.split(',').collect();
                format!("{} 1:{} 2:{}\n", u8::from(cells[2] == "cat"), cells[0], cells[1])
            })
            .collect();
        place.write(&format!("{name}.svmlight"), &rows);
        place.write(&format!("{name}-50.csv"), &table);
    }
    for method in ["logistic", "nearest-neighbour", "bbse", "gaussian", "ulsif"] {
        let of = |source: &str, target: &str, label: &str| {
            let value = json(&place.succeed(&format!(
                "weights --method {method} --source {source} --target {target}{label} --out w.csv \
                 --json"
            )));
            (weights(&place, "w.csv"), value["normalise"].clone())
        };
        let (sparse, done) = of("source.svmlight", "target.svmlight", "");
        assert_eq!(done, "scale");
        let (dense, done) = of("source-50.csv", "target-50.csv", " --label species");
        assert_eq!(done, "standard");
        let gap = largest_gap(&sparse, &dense);
        assert!(gap < 1e-6, "{method}: {gap:e}");
    }
    let sparse = "weights --method logistic --source source.svmlight --target target.svmlight";
    let told = place.succeed(&format!("{sparse} --out w.csv"));
    assert!(told.contains("and not centred, since the rows are sparse"), "{told}");
    let told = place.succeed(&format!("{sparse} --out w.csv --normalise none"));
    assert!(told.contains("columns: as in the files"), "{told}");
}

#[test]
fn a_collapse_is_told_with_a_remedy() {
    let place = Place::new();
    let line = |x: usize| format!("{}\n", x as f64 / 10.0);
    place.write("a.csv", &format!("x\n{}", (0..60).map(line).collect::<String>()));
    place.write("b.csv", "x\n5.9\n6.0\n5.95\n5.97\n");
    let arguments = "weights --method gaussian --source a.csv --target b.csv --out w.csv";
    let told = place.succeed(arguments);
    assert!(told.contains("note: the effective sample size is"), "{told}");
    assert!(told.contains("--flatten 0.5"), "{told}");
    let n_eff = |arguments: &str| {
        json(&place.succeed(arguments))["effective_sample_size"].as_f64().unwrap()
    };
    let steep = n_eff(&format!("{arguments} --json"));
    let flat = n_eff(&format!("{arguments} --flatten 0.1 --json"));
    assert!(flat > steep, "{flat} {steep}");
    assert!((n_eff(&format!("{arguments} --flatten 0 --json")) - 60.0).abs() < 1e-9);
}

#[test]
fn options_come_from_a_file_and_the_command_line() {
    let place = Place::new();
    place.write("o.toml", "ridge = 0.5\n");
    let ridge = |more: &str| {
        let arguments = format!("{ARGUMENTS} --out w.csv --json {more}");
        json(&place.succeed(arguments.trim_end()))["options"]["ridge"].clone()
    };
    assert_eq!(ridge(""), 1e-6);
    assert_eq!(ridge("--options o.toml"), 0.5);
    assert_eq!(ridge("--options o.toml --set ridge=0.25"), 0.25);
}

#[test]
fn what_cannot_be_weighted_is_refused() {
    let place = Place::new();
    let line = |arguments: &str| {
        let line = place.refusal(&format!("weights {arguments} --out w.csv"));
        assert!(!place.path("w.csv").exists(), "{arguments}");
        line
    };
    let tables = "--source source.csv --target target.csv";
    assert_eq!(
        line(&format!("--method gausian {tables}")),
        "unknown weighting method `gausian`; did you mean `gaussian`?"
    );
    let text = line(&format!("--method gaussian {tables}"));
    assert!(text.starts_with("source.csv: line 2, column `species` is text, `cat`: "), "{text}");
    assert!(text.contains("--encode one-hot") && text.contains("--drop species"), "{text}");
    let labels = line(&format!("--method bbse {tables} --drop species"));
    assert!(labels.starts_with("bbse needs the labels of the source rows"), "{labels}");
    let option = line(&format!("--method gaussian {tables} --label species --set rigde=1"));
    assert!(option.starts_with("options of gaussian: unknown field `rigde`"), "{option}");
    place.write("gap.csv", "length,width\n1,2\n3,\n");
    let gap = line("--method gaussian --source gap.csv --target target.csv --drop species");
    assert!(gap.starts_with("gap.csv: line 3, column `width`: the value is missing: "), "{gap}");
    place.write("wide.csv", "length,height\n1,2\n");
    let wide = line("--method gaussian --source source.csv --target wide.csv --label species");
    assert_eq!(wide, "wide.csv: no column `width`, which the source has");
    place.write("taken.csv", "length,weight\n1,2\n2,3\n3,5\n");
    let taken = line("--method gaussian --source taken.csv --target taken.csv");
    assert!(taken.contains("has a column `weight` already"), "{taken}");
    let missing = line("--method gaussian --source none.csv --target target.csv");
    assert!(missing.starts_with("none.csv: No such file"), "{missing}");
    place.write("empty.csv", "");
    let empty = line("--method gaussian --source empty.csv --target target.csv");
    assert_eq!(empty, "empty.csv: 0 rows of 0 columns: expected at least one of each");
    let lines = place.fail(&format!("{ARGUMENTS} --out w.csv --flatten 2"), 2);
    assert_eq!(lines, ["error: --flatten 2: expected a number between 0 and 1"]);
    let own = place.refusal(&format!("{ARGUMENTS} --out source.csv"));
    assert_eq!(own, "source.csv: is an input, and would be replaced");
    let kind = place.refusal(&format!("{ARGUMENTS} --out w.txt"));
    assert_eq!(kind, "w.txt: expected a name that ends in .csv or .npy");
}

#[test]
fn text_columns_become_indicators_when_asked() {
    let place = Place::new();
    let value = json(&place.succeed(
        "weights --method gaussian --source source.csv --target target.csv --encode one-hot \
         --set ridge=0.01 --out w.csv --json",
    ));
    let names: Vec<_> = value["columns"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["length", "width", "species=cat", "species=dog"]);
}
