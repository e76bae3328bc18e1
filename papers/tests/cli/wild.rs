//! Weights beside one wild cell, at narrow widths, and with the classes' own names.

use super::{Place, json, text};

/// Two columns without pattern, `rows` of them, with labels `1`, `2`, `3`.
fn table(rows: usize, seed: usize, labels: bool) -> Vec<String> {
    let number = |i: usize, k: usize| {
        let mixed = (i * 2_654_435_761 + k * 40_503 + seed * 97_003) % 65_521;
        mixed as f64 / 65_521.0 * 2.0 - 1.0
    };
    let row = |i: usize| match labels {
        true => format!("{},{},{}", number(i, 1) + (i % 3) as f64, number(i, 2), i % 3 + 1),
        false => format!("{},{}", number(i, 1), number(i, 2)),
    };
    (0..rows).map(row).collect()
}

fn file(place: &Place, name: &str, header: &str, rows: &[String]) {
    place.write(name, &format!("{header}\n{}\n", rows.join("\n")));
}

fn weights(place: &Place, name: &str) -> Vec<f64> {
    let last = |line: &str| line.rsplit_once(',').unwrap().1.parse::<f64>().unwrap();
    text(place.path(name)).lines().skip(1).map(last).collect()
}

#[test]
fn one_wild_cell_is_named_and_leaves_the_other_rows_their_weights() {
    let place = Place::new();
    let (source, target) = (table(60, 1, false), table(40, 2, false));
    let with = |far: &str| {
        let (mut source, mut target) = (source.clone(), target.clone());
        source[11] = format!("0.25,{far}");
        target[7] = format!("-0.5,{far}");
        file(&place, "s.csv", "a,b", &source);
        file(&place, "t.csv", "a,b", &target);
    };
    // In the files' units any far cell is as good; in others, one that has no part in them.
    for (normalise, first) in [("none", "1000"), ("standard", "1e13")] {
        for method in ["kmm", "kliep", "ulsif", "rulsif"] {
            let command = format!(
                "weights --method {method} --source s.csv --target t.csv --out w.csv --normalise \
                 {normalise}"
            );
            with(first);
            let told = place.succeed(&command);
            assert_eq!(told.contains("missing value"), normalise == "standard", "{told}");
            let expected = weights(&place, "w.csv");
            for far in ["2147483647", "1e12", "-1e8"] {
                with(far);
                let told = place.succeed(&command);
                let got = weights(&place, "w.csv");
                let gaps = got.iter().zip(&expected).map(|(a, b)| (a - b).abs());
                let gap = gaps.fold(0.0, f64::max);
                assert!(gap < 1e-5, "{method}, {far}: {gap}");
                let named = "column `b`, source row 12 (from 1): ";
                assert!(told.contains(named) && told.contains("target row 8"), "{told}");
                assert_eq!(told.matches(named).count(), 1, "{told}");
            }
        }
    }
    // Whoever reads tables names it.
    for command in [
        "align --method coral --source s.csv --target t.csv --out a.csv",
        "diagnose --source s.csv --target t.csv --permutations 20",
    ] {
        let output = place.command(command).output().unwrap();
        let told = [output.stdout, output.stderr].map(|t| String::from_utf8(t).unwrap()).concat();
        assert!(output.status.success(), "{told}");
        assert!(told.contains("column `b`, source row 12 (from 1): -100000000 lies"), "{told}");
    }
}

#[test]
fn a_fit_names_a_wild_cell_once_by_the_row_of_its_file() {
    let place = Place::new();
    let (mut source, target) = (table(60, 1, true), table(40, 2, false));
    source[55] = "0.25,2147483647,2".to_owned();
    file(&place, "s.csv", "a,b,y", &source);
    file(&place, "t.csv", "a,b", &target);
    let told = place.succeed(
        "fit --method logistic --weights ulsif --label y --source s.csv --target t.csv --out p.csv",
    );
    assert_eq!(told.matches("a code for a missing value?").count(), 1, "{told}");
    assert!(told.contains("column `b`, source row 56 (from 1): 2147483647 lies"), "{told}");
}

#[test]
fn exact_transport_moves_ordinary_rows_as_without_the_wild_ones() {
    let place = Place::new();
    // A far target row takes the mass of two far source rows: the others are a problem of their own.
    let (mut source, mut target) = (table(80, 1, false), table(40, 2, false));
    let moved = |place: &Place| -> Vec<f64> {
        place.succeed(
            "align --method ot-emd --set normalise_cost=none --source s.csv --target t.csv \
             --out a.csv --normalise none",
        );
        let text = text(place.path("a.csv"));
        let cells = text.lines().skip(1).flat_map(|line| line.split(','));
        cells.map(|cell| cell.parse().unwrap()).collect()
    };
    file(&place, "s.csv", "a,b", &source);
    file(&place, "t.csv", "a,b", &target);
    let expected = moved(&place);
    for far in ["2147483647", "1e12"] {
        source.truncate(80);
        target.truncate(40);
        source.extend([format!("0.25,{far}"), format!("0.5,{far}")]);
        target.push(format!("-0.5,{far}"));
        file(&place, "s.csv", "a,b", &source);
        file(&place, "t.csv", "a,b", &target);
        let got = moved(&place);
        let gaps = got.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let gap = gaps.fold(0.0, f64::max);
        assert!(gap < 1e-12, "{far}: {gap}");
    }
}

#[test]
fn a_width_of_nothing_beside_the_rows_keeps_kliep_to_its_constraint() {
    let place = Place::new();
    let (source, mut target) = (table(60, 1, false), table(40, 2, false));
    target[..5].clone_from_slice(&source[..5]);
    file(&place, "s.csv", "a,b", &source);
    file(&place, "t.csv", "a,b", &target);
    for sigma in ["1e-10", "1e-9", "1e-7", "1e-5"] {
        let command = "weights --method kliep --source s.csv --target t.csv --out w.csv --json";
        let set = ["--set", &format!("sigma={{fixed=[{sigma}]}}")];
        let output = place.command(command).args(set).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let value = json(&String::from_utf8(output.stdout).unwrap());
        assert_eq!(value["certificate"]["converged"], true, "{value}");
        let w = weights(&place, "w.csv");
        let mean = w.iter().sum::<f64>() / w.len() as f64;
        assert!((mean - 1.0).abs() < 1e-9, "{sigma}: {mean}");
    }
}

#[test]
fn messages_call_classes_as_the_file_does() {
    let place = Place::new();
    let mut rows = table(60, 1, true);
    rows.retain(|row| !row.ends_with(",3"));
    rows.push("0.5,0.5,3".to_owned());
    file(&place, "s.csv", "a,b,y", &rows);
    file(&place, "t.csv", "a,b", &table(40, 2, false));
    for method in ["bbse", "rlls"] {
        let line = place.refusal(&format!(
            "weights --method {method} --label y --source s.csv --target t.csv --out w.csv"
        ));
        assert!(line.contains("class `3` has one source row"), "{line}");
    }
    rows.retain(|row| row.ends_with(",2"));
    file(&place, "s.csv", "a,b,y", &rows);
    let line = place
        .refusal("weights --method mmd-tars --label y --source s.csv --target t.csv --out w.csv");
    assert!(line.ends_with("all are of class `2`"), "{line}");
}
