use approx::assert_abs_diff_eq;
use ndarray::array;

use super::*;

fn fit(penalty: f64, x: &Array2<f64>, y: &[usize], classes: usize) -> Result<LogisticModel> {
    Logistic { penalty, ..Logistic::default() }.fit_model(x.view(), y, classes, None)
}

/// On one binary column the maximum likelihood gives the classes' shares: 1 of 3 at x = 0, 3 of 4 at
/// x = 1.
#[test]
fn shares_are_met_without_penalty() {
    let x = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
    let model = fit(0.0, &x, &[0, 0, 1, 1, 1, 1, 0], 2).unwrap();
    assert_abs_diff_eq!(model.intercepts[0], 0.5f64.ln(), epsilon = 1e-9);
    assert_abs_diff_eq!(model.coefficients[(0, 0)], 6f64.ln(), epsilon = 1e-9);
    assert!(model.certificate.converged);
    let p = model.probabilities(array![[1.0]].view()).unwrap().unwrap();
    assert_abs_diff_eq!(p, array![[0.25, 0.75]], epsilon = 1e-9);
    assert_eq!(model.predict(array![[0.0], [1.0]].view()).unwrap(), [0, 1]);
}

/// Three classes on a constant column: the intercepts are the logarithms of the shares.
#[test]
fn a_constant_column_leaves_the_shares() {
    let x = array![[7.0], [7.0], [7.0], [7.0]];
    for penalty in [0.0, 1.0] {
        let model = fit(penalty, &x, &[3, 1, 3, 0], 5).unwrap();
        let p = model.probabilities(array![[7.0]].view()).unwrap().unwrap();
        assert_abs_diff_eq!(p, array![[0.25, 0.25, 0.0, 0.5, 0.0]], epsilon = 1e-9);
        assert_eq!(model.present, [0, 1, 3]);
        assert_abs_diff_eq!(model.intercepts.sum(), 0.0, epsilon = 1e-9);
    }
}

/// At the minimum λβ = Σ_i (y_i − p_i) x_i and Σ_i (y_i − p_i) = 0.
#[test]
fn the_normal_equations_hold_whatever_the_columns_units() {
    let x = array![[1e-3, 5e6], [2e-3, 5e6 + 1.0], [4e-3, 5e6 - 2.0], [0.0, 5e6 + 3.0]];
    let y = [0, 1, 0, 1];
    let model = fit(0.7, &x, &y, 2).unwrap();
    assert!(model.certificate.converged, "{:?}", model.certificate);
    let p = model.probabilities(x.view()).unwrap().unwrap();
    let rest: Array1<f64> = y.iter().zip(p.column(1)).map(|(&y, p)| y as f64 - p).collect();
    assert_abs_diff_eq!(rest.sum(), 0.0, epsilon = 1e-7);
    let centred = &x - &array![0.0, 5e6];
    let expected = centred.t().dot(&rest) / 0.7;
    assert_abs_diff_eq!(model.coefficients.row(0).to_owned(), expected, epsilon = 1e-7);
}

#[test]
fn both_solvers_agree() {
    let x = Array2::from_shape_fn((60, 4), |(i, j)| ((i * (2 * j + 3) + j) % 17) as f64 - 8.0);
    let y: Vec<usize> = (0..60).map(|i| (i * i + i / 7) % 3).collect();
    let (mean, scale) = (Array1::<f64>::zeros(4), Array1::<f64>::ones(4));
    let objective = Objective {
        x: Design::Dense(concatenate![Axis(1), (&x - &mean) / &scale, Array2::ones((60, 1))]),
        y,
        w: Array1::from_shape_fn(60, |i| 0.5 + (i % 3) as f64),
        penalty: array![0.3, 0.3, 0.3, 0.3, 0.0],
        outputs: 3,
    };
    let (theta, certificate) = solve::minimise(&objective, 1e-11, 100).unwrap();
    assert!(certificate.converged && certificate.solver == "newton", "{certificate:?}");
    let f = |theta: &Array1<f64>| {
        let at = objective.at(&theta.to_shape((3, 5)).unwrap().to_owned());
        (at.value, at.gradient.iter().copied().collect())
    };
    let found = crate::math::lbfgs::minimise(f, Array1::zeros(15), 1e-11, 1000);
    assert!(found.residual <= 1e-11, "{found:?}");
    let flat: Array1<f64> = theta.iter().copied().collect();
    assert_abs_diff_eq!(found.x, flat, epsilon = 1e-8);
}

#[test]
fn separable_classes_need_a_penalty() {
    let x = array![[0.0], [1.0], [2.0], [3.0]];
    let error = fit(0.0, &x, &[0, 0, 1, 1], 2).unwrap_err().to_string();
    assert!(error.contains("set `penalty` above 0"), "{error}");
    let error = fit(0.0, &x, &[0, 0, 1, 2], 3).unwrap_err();
    assert!(matches!(error, Error::Degenerate { .. }), "{error}");
    assert!(fit(1e-9, &x, &[0, 0, 1, 1], 2).unwrap().certificate.converged);
}

#[test]
fn bad_input_is_an_error() {
    let x = array![[0.0], [1.0]];
    assert!(matches!(fit(1.0, &x, &[1, 1], 2), Err(Error::OneClass { class: 1, .. })));
    assert!(matches!(fit(-1.0, &x, &[0, 1], 2), Err(Error::Config { .. })));
    assert!(matches!(fit(1.0, &x, &[0], 2), Err(Error::Shape { .. })));
    assert!(matches!(
        fit(1.0, &array![[0.0], [f64::NAN]], &[0, 1], 2),
        Err(Error::NotFinite { .. })
    ));
    let weights = array![1.0, 0.0];
    let one = Logistic::default().fit_model(x.view(), &[0, 1], 2, Some(weights.view()));
    assert!(matches!(one, Err(Error::OneClass { class: 0, .. })));
    let model = fit(1.0, &x, &[0, 1], 2).unwrap();
    assert!(matches!(model.predict(array![[0.0, 1.0]].view()), Err(Error::Shape { .. })));
}

/// Fewer and more parameters than Newton's method takes, two classes and three, with weights of which
/// some are 0, and a column that is far from 0 in every row.
#[test]
fn sparse_rows_give_what_dense_ones_do() {
    for (d, classes) in [(6, 2), (6, 3), (700, 2), (300, 3)] {
        let x = Array2::from_shape_fn((40, d), |(i, j)| match (i * 31 + j * 17 + i * j) % 7 {
            _ if j == 1 => 50.0 + (i % 5) as f64,
            0 => ((i * 13 + j * 5) % 11) as f64 - 5.0,
            _ => 0.0,
        });
        let y: Vec<usize> = (0..40).map(|i| (i * i + i / 7) % classes).collect();
        let w = Array1::from_shape_fn(40, |i| (i % 4) as f64);
        let sparse = Sparse::from_dense(x.view()).unwrap();
        let learner = Logistic { penalty: 0.5, tolerance: 1e-12, iterations: 5000 };
        for w in [None, Some(w.view())] {
            let a = learner.fit_model(x.view(), &y, classes, w).unwrap();
            let b = learner.fit_sparse(&sparse, &y, classes, w).unwrap();
            assert_abs_diff_eq!(a.coefficients, b.coefficients, epsilon = 1e-9);
            assert_abs_diff_eq!(a.intercepts, b.intercepts, epsilon = 1e-8);
            let scores = a.scores(x.view()).unwrap();
            assert_abs_diff_eq!(scores, b.scores_sparse(&sparse).unwrap(), epsilon = 1e-9);
        }
    }
    let x = Sparse::from_dense(array![[0.0], [1.0]].view()).unwrap();
    let fit = |y: &[usize]| Logistic::default().fit_sparse(&x, y, 2, None);
    assert!(matches!(fit(&[1, 1]), Err(Error::OneClass { class: 1, .. })));
    assert!(matches!(fit(&[0]), Err(Error::Shape { .. })));
    let wide = Sparse::from_dense(array![[0.0, 1.0]].view()).unwrap();
    assert!(matches!(fit(&[0, 1]).unwrap().scores_sparse(&wide), Err(Error::Shape { .. })));
}
