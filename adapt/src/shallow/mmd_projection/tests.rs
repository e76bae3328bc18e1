use approx::assert_abs_diff_eq;
use ndarray::{Array1, Array2, s};
use proptest::prelude::*;

use super::*;
use crate::math::gram::squared_distances_within;

const ALL: Anchors = Anchors { landmarks: None, seed: 0 };
const GAUSSIAN: Representation = Representation::Gaussian { sigma: Some(1.5) };

/// Two domains whose second one is moved.
fn domains(n_s: usize, n_t: usize, d: usize) -> (Array2<f64>, Array2<f64>) {
    let wave = |i: usize, j: usize| ((i * 7 + j * 13) as f64).sin() * 3f64.powi(-(j as i32) / 2);
    let source = Array2::from_shape_fn((n_s, d), |(i, j)| wave(i, j));
    let target = Array2::from_shape_fn((n_t, d), |(i, j)| wave(i + 1000, j) + 0.3 * j as f64);
    (source, target)
}

/// A = Φᵀ H Φ and B = λ R + Φᵀ E Eᵀ Φ with H and E Eᵀ written out, n × n.
fn matrices(
    phi: &Array2<f64>,
    e: &Array2<f64>,
    lambda: f64,
    ridge: &Array1<f64>,
) -> (Array2<f64>, Array2<f64>) {
    let n = phi.nrows();
    let h = Array2::<f64>::eye(n) - 1.0 / n as f64;
    let a = phi.t().dot(&h).dot(phi);
    let b = Array2::from_diag(ridge) * lambda + phi.t().dot(&e.dot(&e.t())).dot(phi);
    (a, b)
}

/// Directions are the leading generalised eigenvectors, to `epsilon`.
fn check_directions(found: &Directions, a: &Array2<f64>, b: &Array2<f64>, epsilon: f64) {
    let k = found.weights.ncols();
    let best = linalg::eigh_generalised(a, b).unwrap();
    let expected = best.values.slice(s![..;-1]).slice(s![..k]).to_owned();
    let w = &found.weights;
    let quotient = |j: usize| {
        let w = w.column(j);
        w.dot(&a.dot(&w)) / w.dot(&b.dot(&w))
    };
    let values = Array1::from_shape_fn(k, quotient);
    let scale = expected[0];
    assert_abs_diff_eq!(values, expected, epsilon = epsilon * scale);
    let gap = a.dot(w) - &(b.dot(w) * &expected);
    let relative = linalg::frobenius(gap.view()) / linalg::frobenius(a.view());
    assert!(relative < epsilon, "residual {relative}");
    assert!(found.certificate.converged, "{:?}", found.certificate);
}

fn gaussian(x: &Array2<f64>) -> Array2<f64> {
    squared_distances_within(x.view()).mapv(|d2| (-d2 / (2.0 * 1.5 * 1.5)).exp())
}

#[test]
fn the_primal_and_the_kernel_form_solve_their_equations() {
    let (xs, xt) = domains(9, 12, 4);
    let domains = Domains::new(xs.view(), xt.view()).unwrap();
    let x = ndarray::concatenate![Axis(0), xs, xt];
    let e = factor(&[marginal(9, 12)], true);
    for (representation, phi) in [
        (Representation::Primal, x.clone()),
        (Representation::Linear, x.dot(&x.t())),
        (GAUSSIAN, gaussian(&x)),
    ] {
        let mut rows = Rows::new("test", &domains, representation, ALL).unwrap();
        let found = rows.directions(&e, 0.3, None, 3, None).unwrap();
        let (a, b) = matrices(&phi, &e, 0.3, &Array1::ones(phi.ncols()));
        check_directions(&found, &a, &b, 1e-9);
        // Images of the rows are those of the map.
        let images = rows.images(&found);
        let mapped = rows.into_map(found, false).apply(x.view()).unwrap();
        assert_abs_diff_eq!(images, mapped, epsilon = 1e-10);
    }
}

#[test]
fn the_iteration_agrees_with_the_dense_solution() {
    let (xs, xt) = domains(60, 70, 5);
    let domains = Domains::new(xs.view(), xt.view()).unwrap();
    let x = ndarray::concatenate![Axis(0), xs, xt];
    let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let pseudo: Vec<usize> = (0..70).map(|i| i % 2).collect();
    let mut columns = vec![marginal(60, 70)];
    columns.extend(conditional(&labels, &pseudo, 3, |_, _| (1.0, 1.0)));
    let e = factor(&columns, false);
    let ridge = Array1::from_shape_fn(130, |i| 1.0 + (i % 4) as f64);
    let mut rows = Rows::new("test", &domains, GAUSSIAN, ALL).unwrap();
    let (a, b) = matrices(&gaussian(&x), &e, 0.01, &ridge);
    let found = rows.directions(&e, 0.01, Some(&ridge), 4, None).unwrap();
    assert_eq!(found.certificate.solver, "block Lanczos");
    check_directions(&found, &a, &b, 1e-9);
    // The last answer as a start gives the same, sooner; so does the operator left as products.
    let again = rows.directions(&e, 0.01, Some(&ridge), 4, Some(&found)).unwrap();
    assert!(again.certificate.iterations <= found.certificate.iterations);
    check_directions(&again, &a, &b, 1e-9);
    rows.scatter = None;
    let products = |v: &Array2<f64>| rows.scatter_times(v);
    assert_abs_diff_eq!(products(&Array2::eye(130)), a, epsilon = 1e-10);
}

/// Of few features the linear kernel's problem has as many unknowns, and the same answer.
#[test]
fn directions_within_the_span_of_the_anchors_are_those_of_all() {
    let (xs, xt) = domains(30, 40, 4);
    let domains = Domains::new(xs.view(), xt.view()).unwrap();
    let labels: Vec<usize> = (0..30).map(|i| i % 3).collect();
    let pseudo: Vec<usize> = (0..40).map(|i| i % 2).collect();
    let mut columns = vec![marginal(30, 40)];
    columns.extend(conditional(&labels, &pseudo, 3, |_, _| (1.0, 1.0)));
    let e = factor(&columns, true);
    let images = |within: bool| {
        let rows = Rows::new("test", &domains, Representation::Linear, ALL).unwrap();
        let mut rows = if within { rows.within_span() } else { rows };
        assert_eq!(rows.size(), if within { 4 } else { 70 });
        let found = rows.directions(&e, 0.7, None, 3, None).unwrap();
        let images = rows.images(&found);
        let x = ndarray::concatenate![Axis(0), xs, xt];
        let mapped = rows.into_map(found, false).apply(x.view()).unwrap();
        assert_abs_diff_eq!(images, mapped, epsilon = 1e-10);
        // Unit w have their sign by their largest component, which another basis may turn.
        images.mapv(f64::abs)
    };
    assert_abs_diff_eq!(images(true), images(false), epsilon = 1e-9);
}

#[test]
fn all_rows_as_landmarks_lose_nothing() {
    let (xs, xt) = domains(9, 12, 4);
    let domains = Domains::new(xs.view(), xt.view()).unwrap();
    let e = factor(&[marginal(9, 12)], true);
    let weights = |landmarks| {
        let anchors = Anchors { landmarks, seed: 3 };
        let mut rows = Rows::new("test", &domains, GAUSSIAN, anchors).unwrap();
        rows.directions(&e, 0.3, None, 3, None).unwrap().weights
    };
    assert_eq!(weights(None), weights(Some(21)));
    assert_eq!(weights(Some(7)).dim(), (7, 3));
}

#[test]
fn a_large_mean_costs_no_digits() {
    let (xs, xt) = domains(9, 12, 4);
    let e = factor(&[marginal(9, 12)], true);
    let weights = |shift: f64| {
        let (xs, xt) = (&xs + shift, &xt + shift);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let mut rows = Rows::new("test", &domains, Representation::Primal, ALL).unwrap();
        rows.directions(&e, 0.3, None, 2, None).unwrap().weights
    };
    assert_abs_diff_eq!(weights(1e6), weights(0.0), epsilon = 1e-7);
}

#[test]
fn what_cannot_be_solved_is_an_error() {
    let same = Array2::<f64>::ones((3, 2));
    let domains = Domains::new(same.view(), same.view()).unwrap();
    let e = factor(&[marginal(3, 3)], true);
    for representation in [Representation::Primal, Representation::Linear, GAUSSIAN] {
        let mut rows = Rows::new("test", &domains, representation, ALL).unwrap();
        let error = rows.directions(&e, 0.3, None, 2, None).unwrap_err();
        assert!(matches!(error, Error::Degenerate { .. }), "{error}");
    }
    let one = Array2::<f64>::ones((1, 1));
    let domains = Domains::new(one.view(), one.view()).unwrap();
    let mut rows = Rows::new("test", &domains, Representation::Primal, ALL).unwrap();
    let error = rows.directions(&factor(&[marginal(1, 1)], true), 1.0, None, 1, None).unwrap_err();
    assert!(matches!(error, Error::Degenerate { .. }), "{error}");
}

proptest! {
    #[test]
    fn any_diagonal_and_any_factor(
        values in prop::collection::vec(-1.0..1.0f64, 12 * 5),
        factors in prop::collection::vec(-1.0..1.0f64, 12 * 3),
        ridge in prop::collection::vec(0.1..3.0f64, 5),
        lambda in 0.01..10.0f64,
    ) {
        let x = Array2::from_shape_vec((12, 5), values).unwrap();
        let e = Array2::from_shape_vec((12, 3), factors).unwrap();
        let ridge = Array1::from(ridge);
        let (xs, xt) = x.view().split_at(Axis(0), 4);
        let domains = Domains::new(xs, xt).unwrap();
        let mut rows = Rows::new("test", &domains, Representation::Primal, ALL).unwrap();
        let found = rows.directions(&e, lambda, Some(&ridge), 5, None).unwrap();
        let (a, b) = matrices(&x, &e, lambda, &ridge);
        check_directions(&found, &a, &b, 1e-8);
        let whitened = rows.whitened(&found);
        let unit = whitened.t().dot(&a).dot(&whitened);
        assert_abs_diff_eq!(unit, Array2::eye(5), epsilon = 1e-6);
    }
}
