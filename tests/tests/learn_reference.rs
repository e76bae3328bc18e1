//! Weighted learners against scikit-learn.
//!
//! `tests/reference/learn.json` was written by
//! ```text
//! python tests/reference/learn.py > tests/reference/learn.json
//! ```
//! and names the versions. The data are in it.

#![allow(clippy::unwrap_used)]

use approx::assert_abs_diff_eq;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use serde_json::Value;
use transduct_adapt::{
    learn::{
        Classifier, Classify, KNearest, LeastSquares, LinearModel, Logistic, LogisticModel,
        Regress, Ridge, Svm, SvmModel, Tree,
    },
    math::gram::KernelChoice,
    validate::{Evidence, LabelledOutputs, UnlabelledOutputs, validator},
};

struct Reference(Value);

impl Reference {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("../reference/learn.json")).unwrap())
    }

    fn vector(&self, at: &str) -> Array1<f64> {
        vector(self.0.pointer(at).unwrap())
    }

    fn matrix(&self, at: &str) -> Array2<f64> {
        let rows: Vec<_> =
            self.0.pointer(at).unwrap().as_array().unwrap().iter().map(vector).collect();
        let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
        ndarray::stack(Axis(0), &views).unwrap()
    }

    fn number(&self, at: &str) -> f64 {
        self.0.pointer(at).unwrap().as_f64().unwrap()
    }

    fn classes(&self, at: &str) -> Vec<usize> {
        self.vector(at).iter().map(|&c| c as usize).collect()
    }
}

fn vector(value: &Value) -> Array1<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn logistic(
    reference: &Reference,
    x: ArrayView2<'_, f64>,
    y: &[usize],
    k: usize,
    at: &str,
) -> LogisticModel {
    let learner = Logistic {
        penalty: reference.number(&format!("{at}/penalty")),
        tolerance: 1e-11,
        ..Logistic::default()
    };
    let w = reference.vector("/w");
    learner.fit_model(x, y, k, Some(w.view())).unwrap()
}

#[test]
fn logistic_regression() {
    let reference = Reference::read();
    let x = reference.matrix("/x");
    for (target, k, cases) in [("two", 2, 3), ("three", 3, 2)] {
        let y = reference.classes(&format!("/{target}"));
        for case in 0..cases {
            let at = format!("/logistic_{target}/{case}");
            let model = logistic(&reference, x.view(), &y, k, &at);
            assert!(model.certificate().converged, "{:?}", model.certificate());
            let coefficients = reference.matrix(&format!("{at}/coefficients"));
            assert_abs_diff_eq!(model.coefficients, coefficients, epsilon = 1e-6);
            let intercepts = reference.vector(&format!("{at}/intercepts"));
            assert_abs_diff_eq!(model.intercepts, intercepts, epsilon = 1e-6);
        }
    }
    let y = reference.classes("/three");
    let model = logistic(&reference, x.view(), &y, 3, "/logistic_three/0");
    let p = model.probabilities(reference.matrix("/queries").view()).unwrap().unwrap();
    assert_abs_diff_eq!(p, reference.matrix("/logistic_three_probabilities"), epsilon = 1e-6);
}

#[test]
fn logistic_regression_of_many_columns() {
    let reference = Reference::read();
    let number = |(i, j): (usize, usize)| (((i * 37 + j * 11 + i * j) % 101) as f64 - 50.0) / 16.0;
    let x = Array2::from_shape_fn((50, 600), number);
    let y: Vec<usize> = (0..50).map(|i| i * i / 3 % 2).collect();
    let learner = Logistic {
        penalty: reference.number("/logistic_wide/penalty"),
        tolerance: 1e-10,
        ..Logistic::default()
    };
    let model = learner.fit_model(x.view(), &y, 2, None).unwrap();
    let certificate = model.certificate();
    assert!(certificate.converged && certificate.solver == "l-bfgs", "{certificate:?}");
    let expected = reference.vector("/logistic_wide/coefficients");
    assert_abs_diff_eq!(model.coefficients.slice(s![0, ..8]), expected, epsilon = 1e-6);
    let intercept = reference.number("/logistic_wide/intercept");
    assert_abs_diff_eq!(model.intercepts[0], intercept, epsilon = 1e-6);
}

#[test]
fn linear_models() {
    let reference = Reference::read();
    let (x, y, w) = (reference.matrix("/x"), reference.vector("/values"), reference.vector("/w"));
    let agrees = |model: LinearModel, at: &str| {
        let expected = reference.vector(&format!("/{at}/coefficients"));
        assert_abs_diff_eq!(model.coefficients, expected, epsilon = 1e-10);
        let intercept = reference.number(&format!("/{at}/intercept"));
        assert_abs_diff_eq!(model.intercept, intercept, epsilon = 1e-10);
    };
    let ridge = Ridge { penalty: 0.7 };
    let weights = Some(w.view());
    agrees(LeastSquares {}.fit_model(x.view(), y.view(), weights).unwrap(), "least_squares");
    agrees(ridge.fit_model(x.view(), y.view(), weights).unwrap(), "ridge");
    let (x, y) = (x.slice(s![..3, ..]), y.slice(s![..3]));
    agrees(LeastSquares {}.fit_model(x, y, None).unwrap(), "least_squares_short");
    agrees(ridge.fit_model(x, y, None).unwrap(), "ridge_short");
}

fn svm(reference: &Reference, y: &str, k: usize, kernel: KernelChoice, at: &str) -> SvmModel {
    let learner =
        Svm { c: reference.number(&format!("/{at}/c")), kernel, tolerance: 1e-9, ..Svm::default() };
    let (x, w) = (reference.matrix("/x"), reference.vector("/w"));
    let y = reference.classes(&format!("/{y}"));
    let model = learner.fit_model(x.view(), &y, k, Some(w.view())).unwrap();
    assert!(model.certificate().converged, "{:?}", model.certificate());
    model
}

/// libsvm keeps its kernel matrix in single precision: entries of up to 60 are right to 4e-6 there.
#[test]
fn support_vector_machines() {
    let reference = Reference::read();
    let queries = reference.matrix("/queries");
    let gaussian = KernelChoice::Gaussian { sigma: Some(1.5) };
    for (kernel, at) in [(KernelChoice::Linear, "svm_linear"), (gaussian, "svm_gaussian")] {
        let model = svm(&reference, "two", 2, kernel, at);
        let decisions = model.decisions(queries.view()).unwrap();
        let expected = reference.vector(&format!("/{at}/decisions"));
        assert_abs_diff_eq!(decisions.column(0), expected, epsilon = 2e-5);
        let objective = reference.number(&format!("/{at}/objective"));
        assert_abs_diff_eq!(model.objectives[0], objective, epsilon = 2e-5);
    }
    // libsvm's decisions of a pair are for its first class, ours for its second.
    let model = svm(&reference, "three", 3, gaussian, "svm_three");
    let decisions = -model.decisions(queries.view()).unwrap();
    assert_abs_diff_eq!(decisions, reference.matrix("/svm_three/decisions"), epsilon = 2e-5);
    let predicted = reference.classes("/svm_three/predicted");
    assert_eq!(model.predict(queries.view()).unwrap(), predicted);
}

#[test]
fn nearest_neighbours_and_trees() {
    let reference = Reference::read();
    let (x, queries) = (reference.matrix("/x"), reference.matrix("/queries"));
    let (y, values) = (reference.classes("/three"), reference.vector("/values"));
    let w = reference.vector("/w");
    let (nearest, tree) = (KNearest { neighbours: 5 }, Tree { depth: 3 });
    let learners: [(&dyn Classify, _, _); 2] = [
        (&nearest, None, "/nearest_probabilities"),
        (&tree, Some(w.view()), "/tree_probabilities"),
    ];
    for (learner, weights, at) in learners {
        let model = learner.fit(x.view(), &y, 3, weights).unwrap();
        let p = model.probabilities(queries.view()).unwrap().unwrap();
        assert_abs_diff_eq!(p, reference.matrix(at), epsilon = 1e-12);
    }
    let learners: [(&dyn Regress, _, _); 2] =
        [(&nearest, None, "/nearest_values"), (&tree, Some(w.view()), "/tree_values")];
    for (learner, weights, at) in learners {
        let model = learner.fit(x.view(), values.view(), weights).unwrap();
        let predicted = model.predict(queries.view()).unwrap();
        assert_abs_diff_eq!(predicted, reference.vector(at), epsilon = 1e-12);
    }
}

#[test]
fn soft_neighbourhood_density() {
    let reference = Reference::read();
    let logits = reference.matrix("/snd/logits").mapv(|z| z as f32);
    let source =
        LabelledOutputs { features: logits.view(), logits: logits.view(), labels: &[0; 9] };
    let target = UnlabelledOutputs { features: logits.view(), logits: logits.view() };
    let score = validator("snd").unwrap().score(&Evidence::new(source, target).unwrap()).unwrap();
    // The logits were rounded to single precision, and similarities are divided by 0.05.
    assert_abs_diff_eq!(score, reference.number("/snd/score"), epsilon = 1e-5);
}
