//! What holds for every weighted learner and for the methods that weight by class, on drawn data.

#![allow(clippy::unwrap_used)]

use ndarray::{Array1, Array2, ArrayView1, Axis};
use proptest::prelude::*;
use serde_json::{Value, json};
use transduct_adapt::{
    domains::Domains,
    error::Error,
    learn::{Classify, LeastSquares, Logistic, Regress, Ridge, Svm, classifiers, regressors},
    math::gram::KernelChoice,
    reweight::{MmdTars, Reweight, reweighter},
};

const N: usize = 14;
const D: usize = 2;
const K: usize = 3;

/// Rows, classes of which each occurs at least twice, values, and weights 1 to 3.
#[derive(Clone, Debug)]
struct Drawn {
    x: Array2<f64>,
    y: Vec<usize>,
    values: Array1<f64>,
    w: Array1<f64>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let numbers = |n| prop::collection::vec(-2.0..2.0f64, n);
    (
        numbers(N * D),
        prop::collection::vec(0..K, N - 2 * K),
        numbers(N),
        prop::collection::vec(1u8..4, N),
    )
        .prop_map(|(x, y, values, w)| Drawn {
            x: Array2::from_shape_vec((N, D), x).unwrap(),
            y: (0..2 * K).map(|i| i % K).chain(y).collect(),
            values: values.into(),
            w: w.into_iter().map(f64::from).collect(),
        })
}

impl Drawn {
    fn rows(&self, rows: &[usize]) -> Self {
        Self {
            x: self.x.select(Axis(0), rows),
            y: rows.iter().map(|&i| self.y[i]).collect(),
            values: self.values.select(Axis(0), rows),
            w: self.w.select(Axis(0), rows),
        }
    }

    /// Every row as often as its weight says.
    fn repeated(&self) -> Self {
        let rows: Vec<usize> =
            (0..self.y.len()).flat_map(|i| vec![i; self.w[i] as usize]).collect();
        self.rows(&rows)
    }

    fn class_scores(&self, learner: &dyn Classify, w: Option<ArrayView1<'_, f64>>) -> Array2<f64> {
        let model = learner.fit(self.x.view(), &self.y, K, w).unwrap();
        model.scores(queries().view()).unwrap()
    }

    fn predictions(&self, learner: &dyn Regress, w: Option<ArrayView1<'_, f64>>) -> Array1<f64> {
        let model = learner.fit(self.x.view(), self.values.view(), w).unwrap();
        model.predict(queries().view()).unwrap()
    }

    /// βᵀφ(x) of every pair, without its bias: where no support vector is free the bias is not
    /// unique.
    fn slopes(&self, learner: &Svm, w: Option<ArrayView1<'_, f64>>) -> Array2<f64> {
        let model = learner.fit_model(self.x.view(), &self.y, K, w).unwrap();
        model.decisions(queries().view()).unwrap() - &model.biases
    }
}

fn queries() -> Array2<f64> {
    Array2::from_shape_fn((9, D), |(i, j)| ((i * 5 + j * 7) % 9) as f64 / 2.0 - 2.0)
}

fn svms() -> [Svm; 2] {
    let gaussian = KernelChoice::Gaussian { sigma: Some(1.0) };
    [KernelChoice::Linear, gaussian].map(|kernel| Svm {
        c: 1.3,
        kernel,
        tolerance: 1e-9,
        ..Svm::default()
    })
}

fn close<'a>(
    a: impl IntoIterator<Item = &'a f64>,
    b: impl IntoIterator<Item = &'a f64>,
    tolerance: f64,
) -> bool {
    a.into_iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * a.abs().max(1.0))
}

/// Options under which a learner's answer is unique to many digits.
fn sharp(name: &str) -> Value {
    match name {
        "k-nearest" => json!({"neighbours": 4}),
        "logistic" => json!({"tolerance": 1e-12}),
        "svm" => json!({"tolerance": 1e-9}),
        "tree" => json!({"depth": 2}),
        _ => Value::Null,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Where a penalty is weighed against the sum of the losses it grows with the rows.
    #[test]
    fn integer_weights_are_repeated_rows(data in drawn()) {
        let (all, w) = (data.repeated(), Some(data.w.view()));
        let growth = all.y.len() as f64 / N as f64;
        let logistic = |penalty| Logistic { penalty, tolerance: 1e-12, ..Logistic::default() };
        let weighted = data.class_scores(&logistic(0.8), w);
        prop_assert!(close(&weighted, &all.class_scores(&logistic(0.8 * growth), None), 1e-7));
        for svm in svms() {
            let repeated = Svm { c: svm.c / growth, ..svm.clone() };
            prop_assert!(close(&data.slopes(&svm, w), &all.slopes(&repeated, None), 1e-6));
        }
        let ridge = |penalty| Ridge { penalty };
        let weighted = data.predictions(&ridge(0.8), w);
        prop_assert!(close(&weighted, &all.predictions(&ridge(0.8 * growth), None), 1e-10));
        let least_squares = LeastSquares::default();
        let weighted = data.predictions(&least_squares, w);
        prop_assert!(close(&weighted, &all.predictions(&least_squares, None), 1e-8));
        let tree = transduct_adapt::learn::Tree { depth: 2 };
        prop_assert!(close(&data.class_scores(&tree, w), &all.class_scores(&tree, None), 1e-10));
        prop_assert!(close(&data.predictions(&tree, w), &all.predictions(&tree, None), 1e-10));
    }

    /// Rows of weight 0 may as well not be there, and only proportions of weights count.
    #[test]
    fn weight_zero_is_no_row_and_scale_is_nothing(data in drawn(), scale in 1e-6..1e6f64) {
        let kept: Vec<usize> = (0..N).filter(|&i| i < 2 * K || i % 3 != 0).collect();
        let mut w = data.w.clone();
        (0..N).filter(|i| !kept.contains(i)).for_each(|i| w[i] = 0.0);
        let (part, scaled) = (data.rows(&kept), &w * scale);
        for entry in classifiers() {
            let learner = (entry.build)(&sharp(entry.name)).unwrap();
            let zero = data.class_scores(learner.as_ref(), Some(w.view()));
            let gone = part.class_scores(learner.as_ref(), Some(part.w.view()));
            prop_assert!(close(&zero, &gone, 1e-12), "{}", entry.name);
            // Another scale rounds the weights otherwise, and the support vector machine's bias
            // need not be unique.
            if entry.name != "svm" {
                let scaled = data.class_scores(learner.as_ref(), Some(scaled.view()));
                prop_assert!(close(&zero, &scaled, 1e-7), "{}", entry.name);
            }
        }
        for svm in svms() {
            let slopes = data.slopes(&svm, Some(w.view()));
            prop_assert!(close(&slopes, &data.slopes(&svm, Some(scaled.view())), 1e-6));
        }
        for entry in regressors() {
            let learner = (entry.build)(&sharp(entry.name)).unwrap();
            let zero = data.predictions(learner.as_ref(), Some(w.view()));
            let gone = part.predictions(learner.as_ref(), Some(part.w.view()));
            let scaled = data.predictions(learner.as_ref(), Some(scaled.view()));
            prop_assert!(close(&zero, &gone, 1e-12), "{}", entry.name);
            prop_assert!(close(&zero, &scaled, 1e-8), "{}", entry.name);
        }
    }

    #[test]
    fn the_order_of_rows_is_nothing(
        data in drawn(),
        order in Just((0..N).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let shuffled = data.rows(&order);
        let (w, shuffled_w) = (Some(data.w.view()), Some(shuffled.w.view()));
        for entry in classifiers().into_iter().filter(|entry| entry.name != "svm") {
            let learner = (entry.build)(&sharp(entry.name)).unwrap();
            let (a, b) = (
                data.class_scores(learner.as_ref(), w),
                shuffled.class_scores(learner.as_ref(), shuffled_w),
            );
            prop_assert!(close(&a, &b, 1e-7), "{}", entry.name);
        }
        for svm in svms() {
            prop_assert!(close(&data.slopes(&svm, w), &shuffled.slopes(&svm, shuffled_w), 1e-6));
        }
        for entry in regressors() {
            let learner = (entry.build)(&sharp(entry.name)).unwrap();
            let (a, b) = (
                data.predictions(learner.as_ref(), w),
                shuffled.predictions(learner.as_ref(), shuffled_w),
            );
            prop_assert!(close(&a, &b, 1e-8), "{}", entry.name);
        }
    }

    /// Kernel means of classes find the mixture that the target is, whatever the order of rows.
    #[test]
    fn target_shift_of_equal_rows_is_found(data in drawn(), copies in prop::collection::vec(1usize..4, K)) {
        let rows: Vec<usize> = (0..N).flat_map(|i| vec![i; copies[data.y[i]]]).rev().collect();
        let target = data.x.select(Axis(0), &rows);
        let domains = Domains::new(data.x.view(), target.view()).unwrap();
        let domains = domains.with_labels(&data.y).unwrap();
        let kernel = KernelChoice::Gaussian { sigma: Some(0.5) };
        let shift = MmdTars { kernel }.estimate(&domains).unwrap();
        for (c, p) in shift.target_proportions.iter().enumerate() {
            let share = rows.iter().filter(|&&i| data.y[i] == c).count() as f64 / rows.len() as f64;
            prop_assert!((p - share).abs() < 1e-6, "{} for {}", p, share);
        }
        let weights = MmdTars { kernel }.fit(&domains).unwrap().weights;
        prop_assert!((weights.mean().unwrap() - 1.0).abs() < 1e-12);
    }
}

/// Every learner names what is wrong.
#[test]
fn bad_rows_and_weights_are_errors() {
    let x = Array2::from_shape_fn((4, 2), |(i, j)| (i * i + j) as f64);
    let (y, values) = ([0, 1, 0, 1], Array1::from(vec![0.0, 1.0, 3.0, 2.0]));
    let mut nan = x.clone();
    nan[(2, 1)] = f64::NAN;
    let weights = |w: [f64; 4]| Array1::from(w.to_vec());
    let bad = [
        weights([1.0, -1.0, 1.0, 1.0]),
        weights([0.0; 4]),
        weights([1.0, f64::NAN, 1.0, 1.0]),
        Array1::ones(3),
    ];
    for entry in classifiers() {
        let learner = (entry.build)(&Value::Null).unwrap();
        let fit = |x: &Array2<f64>, w: Option<&Array1<f64>>| {
            learner.fit(x.view(), &y, 2, w.map(|w| w.view())).map(|_| ())
        };
        assert!(matches!(fit(&nan, None), Err(Error::NotFinite { row: 2, column: 1, .. })));
        for w in &bad {
            assert!(
                matches!(fit(&x, Some(w)), Err(Error::Shape { .. } | Error::NotFinite { .. })),
                "{}",
                entry.name
            );
        }
        let model = learner.fit(x.view(), &y, 2, None).unwrap();
        assert!(matches!(model.scores(x.slice(ndarray::s![.., ..1])), Err(Error::Shape { .. })));
        assert!(matches!(model.scores(nan.view()), Err(Error::NotFinite { .. })));
        assert!(model.scores(x.view()).unwrap().iter().all(|s| s.is_finite()));
        // One row, and one class: a typed error, or an answer.
        let one = learner.fit(x.slice(ndarray::s![..1, ..]), &[1], 2, None);
        match one {
            Ok(model) => assert_eq!(model.predict(x.view()).unwrap(), [1; 4]),
            Err(error) => assert!(matches!(error, Error::OneClass { class: 1, .. }), "{error}"),
        }
    }
    for entry in regressors() {
        let learner = (entry.build)(&Value::Null).unwrap();
        let fit = |x: &Array2<f64>, w: Option<&Array1<f64>>| {
            learner.fit(x.view(), values.view(), w.map(|w| w.view())).map(|_| ())
        };
        assert!(matches!(fit(&nan, None), Err(Error::NotFinite { row: 2, column: 1, .. })));
        for w in &bad {
            assert!(fit(&x, Some(w)).is_err(), "{}", entry.name);
        }
        // One row, and constant columns: its value everywhere.
        let one =
            learner.fit(x.slice(ndarray::s![1..2, ..]), values.slice(ndarray::s![1..2]), None);
        let constant = one.unwrap().predict(x.view()).unwrap();
        assert!(close(&constant, &Array1::ones(4), 1e-12), "{}", entry.name);
    }
}

#[test]
fn methods_that_weight_by_class_need_two_of_them() {
    let x = Array2::from_shape_fn((6, 1), |(i, _)| i as f64);
    let domains = Domains::new(x.view(), x.view()).unwrap();
    for name in ["bbse", "rlls", "mmd-tars"] {
        let entry = reweighter(name).unwrap();
        assert!(entry.needs.source_labels);
        let method = (entry.build)(&Value::Null).unwrap();
        assert!(matches!(method.fit(&domains), Err(Error::NoLabels { .. })), "{name}");
        let one = domains.with_labels(&[1; 6]).unwrap();
        assert!(matches!(method.fit(&one), Err(Error::OneClass { class: 1, .. })), "{name}");
        // Class 1 of 3 has no source rows: it weighs nothing, and nothing is not finite.
        let two = domains.with_classes(&[0, 0, 0, 2, 2, 2], 3).unwrap();
        let weights = method.fit(&two).unwrap().weights;
        assert!(weights.iter().all(|w| w.is_finite() && *w > 0.0), "{name}: {weights}");
    }
}
