//! Aligned tables and saved maps.

use std::fs;

use ndarray::{Array2, s};
use serde_json::Value;
use transduct_adapt::{
    domains::Domains,
    shallow::{Align as _, Coral},
};

use super::{Place, json, text, with_width_times};

const TABLES: &str = "--source source.csv --target target.csv --label species";

/// The numbers of the first two columns.
fn numbers(text: &str) -> Array2<f64> {
    let rows: Vec<[f64; 2]> = text
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',').map(|cell| cell.parse().unwrap());
            [cells.next().unwrap(), cells.next().unwrap()]
        })
        .collect();
    Array2::from(rows)
}

#[test]
fn names_and_labels_stay_and_the_moments_are_the_targets() {
    let place = Place::new();
    let options = "--set regularisation=0.0 --set centre=true";
    let value = json(
        &place.succeed(&format!("align --method coral {TABLES} {options} --out a.csv --json")),
    );
    assert_eq!(value["certificate"]["converged"], true);
    assert_eq!(value["options"]["centre"], true);
    let aligned = text(place.path("a.csv"));
    assert!(aligned.starts_with("length,width,species\n"), "{aligned}");
    assert!(aligned.lines().nth(1).unwrap().ends_with(",cat"), "{aligned}");
    let (x, t) = (numbers(&aligned), numbers(&text(place.path("target.csv"))));
    let covariance = |x: &Array2<f64>| {
        let centred = x - &x.mean_axis(ndarray::Axis(0)).unwrap();
        centred.t().dot(&centred) / (x.nrows() - 1) as f64
    };
    let gap = (covariance(&x) - covariance(&t)).mapv(f64::abs);
    assert!(gap.iter().all(|g| *g < 1e-9), "{gap}");
}

#[test]
fn a_saved_map_does_to_new_rows_what_it_did_to_old_ones() {
    let place = Place::new();
    place.succeed(&format!("align --method coral {TABLES} --out a.csv --save map.safetensors"));
    let apply = "apply --map map.safetensors --input source.csv --out again.csv";
    let value = json(&place.succeed(&format!("{apply} --json")));
    assert_eq!((&value["rows"], &value["method"]), (&60.into(), &"coral".into()));
    let again = text(place.path("again.csv"));
    assert!(again.starts_with("length,width\n"), "{again}");
    assert_eq!(numbers(&again), numbers(&text(place.path("a.csv"))));
    // By name, in any order; the target stays where it is.
    place.write("new.csv", "width,length\n1,2\n");
    place.succeed("apply --map map.safetensors --domain target --input new.csv --out b.npy");
    let b: Array2<f64> = ndarray_npy::read_npy(place.path("b.npy")).unwrap();
    assert_eq!(b, ndarray::array![[2.0, 1.0]]);
}

#[test]
fn rows_come_back_in_the_units_they_came_in() {
    let place = Place::new();
    for (name, other) in [("source.csv", "s.csv"), ("target.csv", "t.csv")] {
        place.write(other, &with_width_times(1000.0, &text(place.path(name))));
    }
    let (here, there) =
        (TABLES, TABLES.replace("source.csv", "s.csv").replace("target.csv", "t.csv"));
    for method in ["coral --set centre=true", "linear-monge", "ot-sinkhorn", "location-scale-mmd"] {
        let moved = |tables: &str| {
            let arguments = format!("align --method {method} {tables} --out a.csv --json");
            let value = json(&place.succeed(&format!("{arguments} --save map.safetensors")));
            assert_eq!(value["normalise"], "standard", "{value}");
            let source = if tables == TABLES { "source.csv" } else { "s.csv" };
            place.succeed(&format!("apply --map map.safetensors --input {source} --out again.csv"));
            let aligned = numbers(&text(place.path("a.csv")));
            assert_eq!(numbers(&text(place.path("again.csv"))), aligned, "{method}");
            (aligned, value)
        };
        let ((expected, value), (got, other)) = (moved(here), moved(&there));
        let scale = ndarray::array![1.0, 1000.0];
        let gap = (got / scale - expected).mapv(f64::abs);
        assert!(gap.iter().all(|gap| *gap < 1e-9), "{method}: {gap}");
        let found = |value: &Value, what: &str, at: &str| value[what][at].as_f64().unwrap();
        for (what, at) in
            [("balance", "before"), ("balance", "after"), ("covariance_gap", "before")]
        {
            assert!((found(&value, what, at) - found(&other, what, at)).abs() < 1e-9, "{method}");
        }
        let gap = found(&value, "balance", "after");
        assert!(gap < found(&value, "balance", "before"), "{method}: {value}");
        if method == "linear-monge" {
            assert!(found(&value, "covariance_gap", "after") < 1e-9, "{value}");
        }
        assert_eq!(value["balances"][1]["name"], "width");
    }
    let told = place.succeed(&format!("align --method coral {TABLES} --out a.csv"));
    assert!(told.contains("columns: mean 0 and variance 1 over both tables"), "{told}");
    assert!(told.contains("gap between covariances"), "{told}");
}

#[test]
fn the_units_of_the_files_are_kept_when_asked() {
    let place = Place::new();
    let arguments = format!("align --method coral {TABLES} --out a.csv --normalise none");
    let value = json(&place.succeed(&format!("{arguments} --json")));
    assert_eq!(value["normalise"], "none");
    let (xs, xt) =
        (numbers(&text(place.path("source.csv"))), numbers(&text(place.path("target.csv"))));
    let domains = Domains::new(xs.view(), xt.view()).unwrap();
    let expected = Coral::default().fit(&domains).unwrap().source(xs.view()).unwrap();
    assert_eq!(numbers(&text(place.path("a.csv"))), expected);
}

#[test]
fn a_common_space_has_distances_of_its_own() {
    let place = Place::new();
    let value = json(&place.succeed(&format!(
        "align --method subspace-alignment {TABLES} --set components=1 --out a.csv --target-out b.csv \
         --json"
    )));
    assert_eq!(value["balances"], serde_json::json!([]));
    assert!(value["balance"]["after"].as_f64().unwrap() < 1e-9, "{value}");
}

#[test]
fn what_is_no_map_is_refused() {
    let place = Place::new();
    place.succeed(&format!("align --method coral {TABLES} --out a.csv --save map.safetensors"));
    let line = |map: &str, input: &str| {
        place.refusal(&format!("apply --map {map} --input {input} --out out.csv"))
    };
    let bytes = fs::read(place.path("map.safetensors")).unwrap();
    fs::write(place.path("cut"), &bytes[..bytes.len() - 9]).unwrap();
    let cut = line("cut", "source.csv");
    assert!(cut.starts_with("cut: not a safetensors file, or damaged: "), "{cut}");
    let newer = String::from_utf8_lossy(&bytes[..600]).contains("format");
    assert!(newer, "the format is in the header");
    let at = bytes.windows(11).position(|w| w == br#""format\":1"#.as_slice());
    if let Some(at) = at.map(|at| at + 10) {
        let mut other = bytes.clone();
        other[at] = b'9';
        fs::write(place.path("other"), other).unwrap();
        let other = line("other", "source.csv");
        assert_eq!(other, "other: format 9: this program reads format 1");
    }
    assert!(line("source.csv", "source.csv").starts_with("source.csv: not a safetensors file"));
    place.write("narrow.csv", "length,species\n1,cat\n");
    let narrow = line("map.safetensors", "narrow.csv");
    assert_eq!(narrow, "narrow.csv: no column `width`, which the source has");
    place.write("more.csv", "length,width,height\n1,2,3\n");
    let more = line("map.safetensors", "more.csv");
    assert!(more.starts_with("more.csv: the source has no column `height`"), "{more}");
    place.succeed("apply --map map.safetensors --input more.csv --drop height --out out.csv");
}

#[test]
fn methods_that_move_the_target_need_a_place_for_it() {
    let place = Place::new();
    let arguments = format!("align --method subspace-alignment {TABLES} --out a.csv");
    let lines = place.fail(&arguments, 2);
    let expected = "error: subspace-alignment moves the target rows too: say where they go with \
                    --target-out FILE";
    assert_eq!(lines, [expected]);
    assert!(!place.path("a.csv").exists());
    place.succeed(&format!("{arguments} --set components=1 --target-out b.csv"));
    let (a, b) = (text(place.path("a.csv")), text(place.path("b.csv")));
    assert!(a.starts_with("z1,species\n") && b.starts_with("z1,species\n"), "{a}{b}");
    assert_eq!((a.lines().count(), b.lines().count()), (61, 49));
}

#[test]
fn methods_that_learn_from_labels_say_so() {
    let place = Place::new();
    let arguments = "align --method jda --source source.csv --target target.csv --out a.csv \
                     --target-out b.csv";
    let line = place.refusal(&format!("{arguments} --drop species"));
    assert!(line.starts_with("jda needs the labels of the source rows: "), "{line}");
    // Labels in a file of their own.
    let labels: String = (0..60).map(|row| format!("{}\n", row % 2)).collect();
    place.write("y.csv", &labels);
    place.succeed(&format!("{arguments} --drop species --source-labels y.csv --set components=1"));
    place.write("short.csv", "1\n2\n");
    let line = place.refusal(&format!("{arguments} --drop species --source-labels short.csv"));
    assert_eq!(line, "short.csv: 2 labels for 60 rows of source.csv");
}

#[test]
fn arrays_go_in_and_out() {
    let place = Place::new();
    let x = Array2::from_shape_fn((20, 3), |(i, j)| ((i * 7 + j * 3) % 11) as f64 / 3.0);
    ndarray_npy::write_npy(place.path("a.npy"), &x).unwrap();
    ndarray_npy::write_npy(place.path("b.npy"), &(&x * 2.0 + 1.0)).unwrap();
    place.succeed(
        "align --method coral --source a.npy --target b.npy --set regularisation=0.0 --out o.npy \
         --normalise none",
    );
    let out: Array2<f64> = ndarray_npy::read_npy(place.path("o.npy")).unwrap();
    assert!((out - &x * 2.0).iter().all(|gap| gap.abs() < 1e-9));
    let mut bad = x.clone();
    bad[[4, 1]] = f64::INFINITY;
    ndarray_npy::write_npy(place.path("bad.npy"), &bad).unwrap();
    let line = place.refusal("align --method coral --source bad.npy --target b.npy --out o.npy");
    assert_eq!(line, "bad.npy: row 5, column 2: `inf` is not a finite number");
    let narrow = x.slice(s![.., ..2]).to_owned();
    ndarray_npy::write_npy(place.path("narrow.npy"), &narrow).unwrap();
    let line = place.refusal("align --method coral --source a.npy --target narrow.npy --out o.npy");
    assert_eq!(line, "narrow.npy: 2 columns: expected 3, as the source has features");
}
