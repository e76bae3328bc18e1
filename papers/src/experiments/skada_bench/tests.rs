//! Against searches of the benchmark's own programs that were run again.

use std::env;

use super::*;

/// Of `replayed.csv`: shift, estimator, scorer, drawing, outer split, and the inner score of every grid
/// point.
struct Replayed {
    of: [String; 3],
    at: (usize, usize),
    inner: Vec<f64>,
}

fn replayed(data: &DataDir) -> Option<Vec<Replayed>> {
    let path = data.path().join("skada_bench_simulated/replayed.csv");
    let text = std::fs::read_to_string(path).ok()?;
    let line = |line: &str| -> Option<Replayed> {
        let fields: Vec<&str> = line.split(',').collect();
        let scores = fields.get(10)?.split(' ');
        Some(Replayed {
            of: [0, 1, 2].map(|i| fields[i].to_owned()),
            at: (fields[3].parse().ok()?, fields[4].parse().ok()?),
            inner: scores.map(|s| s.parse().unwrap_or(f64::NEG_INFINITY)).collect(),
        })
    };
    Some(text.lines().skip(1).filter_map(line).collect())
}

/// The first drawing's first split of conditional shift: every inner score of every grid point.
#[test]
fn inner_scores_are_those_of_the_benchmark() {
    let Some(root) = env::var_os("TRANSDUCT_DATA") else {
        return eprintln!("skipped: TRANSDUCT_DATA names no data directory");
    };
    let data = DataDir::at(root);
    let Some(replayed) = replayed(&data) else {
        return eprintln!("skipped: no searches that were run again are there");
    };
    let problems = &Problem::all("concept", &data).unwrap()[..1];
    let names = ["supervised", "importance_weighted", "circular_validation"];
    let (mut compared, mut beyond_a_row) = (0, 0);
    // Not Dens. RW: at the smallest bandwidth its densities are decided by single precision there.
    for (id, name) in [("coral", "CORAL"), ("lin-ot", "LinOT"), ("sa", "SA"), ("jpca", "JPCA")] {
        let estimator = estimators().into_iter().find(|e| e.id == id).unwrap();
        let found = search(&estimator.grid, &SCORERS[..3], problems).unwrap();
        for (found, scorer) in found[0].iter().zip(names) {
            let of = |r: &&Replayed| r.of == ["concept_drift", name, scorer] && r.at == (0, 0);
            let theirs = &replayed.iter().find(of).unwrap().inner;
            for (ours, theirs) in found.inner.iter().zip(theirs) {
                // One row of a fold; where the model's own labels are learnt again, what one row moves.
                let rows = 640.0 * (ours - theirs).abs();
                assert!(rows < 3.01, "{id} {scorer}: {found:?}");
                beyond_a_row += usize::from(rows > 1.01);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 3 * (2 + 10 + 2 + 2));
    // A row whose label turns moves what is learnt from it.
    assert!(beyond_a_row <= 3, "{beyond_a_row} of {compared}");
}

#[test]
fn every_estimator_has_its_published_cells() {
    let description = experiment().description;
    let count = |of: &dyn Fn(&Estimator) -> usize| estimators().iter().map(of).sum::<usize>();
    let expected = count(&|estimator| match (estimator.grid.len(), estimator.corrected) {
        // The benchmark has no scorers for models that do not adapt.
        (1, _) if estimator.id.starts_with("train") => 2 * SHIFTS.len(),
        (_, true) => 3 * SHIFTS.len(),
        (_, false) => (SCORERS.len() + 1) * SHIFTS.len(),
    });
    assert_eq!(description.cells.len(), expected);
    for cell in &description.cells {
        let setting: Setting = serde_json::from_value(cell.settings.clone()).unwrap();
        assert!(!setting.grid.is_empty(), "{}", cell.id());
    }
}
