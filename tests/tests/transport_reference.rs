//! Optimal transport against POT.
//!
//! `tests/reference/transport.json` was written by
//! ```text
//! python tests/reference/transport.py > tests/reference/transport.json
//! ```
//! and names the versions of the packages. Plans are compared where they are unique; penalised
//! problems by their objective, which may be lower than POT's.

#![allow(clippy::unwrap_used)]

use ndarray::{Array1, Array2};
use serde_json::Value;
use transduct_adapt::{
    domains::Labels,
    ot::{
        ClassRoots, Emd, Problem, Sinkhorn, Unbalanced, class_roots, emd,
        regularised::{GroupLasso, Laplace, Penalty, Regularised, regularised},
        sinkhorn, unbalanced,
    },
};

struct Case {
    xs: Array2<f64>,
    xt: Array2<f64>,
    a: Array1<f64>,
    b: Array1<f64>,
    cost: Array2<f64>,
    expected: Value,
}

impl Case {
    fn problem(&self) -> Problem<'_> {
        Problem::new(self.a.view(), self.b.view(), self.cost.view()).unwrap()
    }

    fn number(&self, name: &str) -> f64 {
        self.expected[name].as_f64().unwrap()
    }

    /// Our objective is at most POT's and what our gap allows.
    fn check_penalised(&self, name: &str, penalty: &dyn Penalty, epsilon: f64) {
        let options = Regularised { epsilon, tolerance: 1e-6, max_rounds: 5_000 };
        let ours = regularised(&self.problem(), penalty, &options).unwrap();
        assert!(ours.certificate.converged, "{name}: {:?}", ours.certificate);
        let theirs = self.number(name);
        let allowed = 1e-6 * theirs.abs().max(1.0);
        assert!(ours.objective <= theirs + allowed, "{name}: {} > {theirs}", ours.objective);
    }
}

fn cases() -> [Case; 2] {
    let document: Value =
        serde_json::from_str(include_str!("../reference/transport.json")).unwrap();
    ["weighted", "uniform"].map(|name| {
        let expected = document[name].clone();
        let (xs, xt) = (matrix(&expected["source"]), matrix(&expected["target"]));
        let cost = Array2::from_shape_fn((xs.nrows(), xt.nrows()), |(i, j)| {
            (&xs.row(i) - &xt.row(j)).mapv(|d| d * d).sum()
        });
        let (a, b) = (vector(&expected["a"]), vector(&expected["b"]));
        Case { xs, xt, a, b, cost, expected }
    })
}

fn vector(value: &Value) -> Array1<f64> {
    serde_json::from_value::<Vec<f64>>(value.clone()).unwrap().into()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    let shape = (rows.len(), rows[0].len());
    Array2::from_shape_vec(shape, rows.concat()).unwrap()
}

fn assert_close(name: &str, got: &Array2<f64>, expected: &Array2<f64>) {
    let worst = (got - expected).iter().fold(0.0, |worst: f64, d| worst.max(d.abs()));
    assert!(worst < 1e-9, "{name}: {worst}");
}

#[test]
fn exact_transport() {
    for case in cases() {
        let exact = emd(&case.problem(), &Emd::default()).unwrap();
        assert!((exact.cost - case.number("emd cost")).abs() < 1e-9);
        assert_close("emd", &exact.dense(), &matrix(&case.expected["emd"]));
        assert!(exact.certificate.converged);
    }
}

#[test]
fn entropic_transport() {
    for case in cases() {
        let epsilons = vector(&case.expected["epsilons"]);
        for (i, &epsilon) in epsilons.iter().enumerate() {
            let options = Sinkhorn { epsilon, tolerance: 1e-14, max_rounds: 200_000 };
            let entropic = sinkhorn(&case.problem(), &options).unwrap();
            let expected = matrix(&case.expected["sinkhorn"][i]);
            assert_close("sinkhorn", &entropic.plan, &expected);
        }
    }
}

#[test]
fn unbalanced_transport() {
    for case in cases() {
        let options =
            Unbalanced { epsilon: 0.5, marginals: 2.0, tolerance: 1e-13, max_rounds: 100_000 };
        let relaxed = unbalanced(&case.problem(), &options).unwrap();
        let expected = &case.expected["unbalanced"];
        assert_close("unbalanced", &relaxed.plan, &matrix(&expected["plan"]));
        assert!(relaxed.objective <= expected["objective"].as_f64().unwrap() + 1e-9);
    }
}

#[test]
fn penalised_transport() {
    for case in cases() {
        let of: Vec<usize> = serde_json::from_value(case.expected["labels"].clone()).unwrap();
        let lasso = GroupLasso { labels: Labels { of: &of, classes: 3 }, weight: 0.3 };
        case.check_penalised("class", &lasso, 0.5);
        let laplace = Laplace::new(case.xs.view(), case.xt.view(), 3, 0.2, 0.5);
        case.check_penalised("laplace", &laplace, 0.0);
    }
}

#[test]
fn roots_of_class_masses() {
    for case in cases() {
        let of: Vec<usize> = serde_json::from_value(case.expected["labels"].clone()).unwrap();
        let penalty = ClassRoots { labels: Labels { of: &of, classes: 3 }, weight: 0.05 };
        let options = Regularised { epsilon: 0.5, tolerance: 1e-10, max_rounds: 1_000 };
        let ours = class_roots(&case.problem(), &penalty, &options).unwrap();
        assert!(ours.certificate.converged, "{:?}", ours.certificate);
        let apart = (&ours.plan - &matrix(&case.expected["class roots"])).mapv(f64::abs);
        assert!(apart.iter().all(|&d| d <= 1e-8), "{apart}");
    }
}
