use approx::{assert_abs_diff_eq, assert_relative_eq};
use clarabel::{
    algebra::CscMatrix,
    solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, SupportedConeT},
};
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;

use super::{working_set::Limits, *};
use crate::math::{gram::Kernel, linalg::dot};

fn solve(p: &Array2<f64>, programme: &Programme<'_>) -> Solution {
    let solution = programme.solve(&Dense(p.view()), Stop::default()).unwrap();
    assert!(solution.certificate.converged, "{:?}", solution.certificate);
    solution
}

#[test]
fn two_variables_by_hand() {
    // ½ x² + ½ y² − 2x − y.
    let (p, linear) = (Array2::eye(2), array![-2.0, -1.0]);
    let (lower, ones) = (array![0.0, 0.0], array![1.0, 1.0]);
    let with = |upper: &Array1<f64>, range| {
        let (linear, upper) = (linear.view(), upper.view());
        let programme =
            Programme { linear, lower: lower.view(), upper, normal: ones.view(), range };
        solve(&p, &programme)
    };
    // Free; x at its bound; the sum at its bound, with multiplier 1; an equation.
    let wide = array![9.0, 9.0];
    assert_abs_diff_eq!(with(&wide, [0.0, 9.0]).x, array![2.0, 1.0], epsilon = 1e-4);
    assert_abs_diff_eq!(with(&array![0.5, 9.0], [0.0, 9.0]).x, array![0.5, 1.0], epsilon = 1e-4);
    let pressed = with(&wide, [0.0, 1.0]);
    assert_abs_diff_eq!(pressed.x, array![1.0, 0.0], epsilon = 1e-4);
    assert_abs_diff_eq!(pressed.objective, -1.5, epsilon = 1e-8);
    assert_abs_diff_eq!(pressed.multiplier, 1.0, epsilon = 1e-3);
    let equal = with(&wide, [4.0, 4.0]);
    assert_abs_diff_eq!(equal.x, array![2.5, 1.5], epsilon = 1e-4);
    assert_abs_diff_eq!(equal.multiplier, -0.5, epsilon = 1e-3);
}

#[test]
fn what_cannot_be_met_is_an_error() {
    let (p, v) = (Array2::<f64>::eye(2), array![1.0, 1.0]);
    let zero = array![0.0, 0.0];
    let programme = Programme {
        linear: v.view(),
        lower: zero.view(),
        upper: v.view(),
        normal: v.view(),
        range: [3.0, 4.0],
    };
    let fails = |p: Programme<'_>, m: &Array2<f64>| {
        p.solve(&Dense(m.view()), Stop::default()).unwrap_err().to_string()
    };
    let message = fails(programme, &p);
    assert!(message.contains("what the box allows, got 3 to 4"), "{message}");
    let message = fails(Programme { upper: zero.view(), ..programme }, &p);
    assert_eq!(message, "bounds: expected lower ones below upper ones, got 0 and 0 at 0");
    let message = fails(programme, &Array2::eye(3));
    assert_eq!(message, "linear term: expected 3 numbers, got 2");
}

/// The minimum by clarabel.
fn by_clarabel(p: &Array2<f64>, programme: &Programme<'_>) -> f64 {
    let n = p.nrows();
    let dense = |a: &Array2<f64>| {
        let rows: Vec<Vec<f64>> = a.rows().into_iter().map(|r| r.to_vec()).collect();
        CscMatrix::from(&rows)
    };
    let upper_triangle =
        Array2::from_shape_fn((n, n), |(i, j)| if i <= j { p[(i, j)] } else { 0.0 });
    let normal = programme.normal.insert_axis(Axis(0));
    let eye = Array2::<f64>::eye(n);
    let minus = -&eye;
    let rows = [eye.view(), minus.view(), normal];
    let negative = -&normal;
    let a = ndarray::concatenate(Axis(0), &[rows[0], rows[1], rows[2], negative.view()]).unwrap();
    let mut b: Vec<f64> = programme.upper.to_vec();
    b.extend(programme.lower.iter().map(|l| -l));
    b.extend([programme.range[1], -programme.range[0]]);
    let settings = DefaultSettingsBuilder::default()
        .verbose(false)
        .tol_gap_abs(1e-11)
        .tol_gap_rel(1e-11)
        .tol_feas(1e-11)
        .build()
        .unwrap();
    let q = programme.linear.to_vec();
    let cones = [SupportedConeT::NonnegativeConeT(2 * n + 2)];
    let mut solver =
        DefaultSolver::new(&dense(&upper_triangle), &q, &dense(&a), &b, &cones, settings).unwrap();
    solver.solve();
    solver.solution.obj_val
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_minimum_is_clarabels(
        y in prop::collection::vec(-1.0..1.0f64, 40),
        linear in prop::collection::vec(-3.0..3.0f64, 10),
        normal in prop::collection::vec(0.1..2.0f64, 10),
        low in -4.0..4.0f64,
        width in 0.0..3.0f64,
        equation in any::<bool>(),
    ) {
        // Rank 4 of 10: the minimiser need not be unique, its value is.
        let y = Array2::from_shape_vec((10, 4), y).unwrap();
        let p = dot(&y, &y.t());
        let (lower, upper) = (Array1::from_elem(10, -1.0), Array1::from_elem(10, 2.0));
        let (linear, normal) = (Array1::from(linear), Array1::from(normal));
        // The box allows at least ±1 in all: 10 variables of a normal of at least 0.1.
        let low = low * normal.sum() / 10.0;
        let range = [low, low + if equation { 0.0 } else { width + 1e-3 }];
        let programme = Programme {
            linear: linear.view(),
            lower: lower.view(),
            upper: upper.view(),
            normal: normal.view(),
            range,
        };
        let solution = solve(&p, &programme);
        assert_relative_eq!(
            solution.objective, by_clarabel(&p, &programme), epsilon = 1e-7, max_relative = 1e-7
        );
    }
}

fn columns(p: &Array2<f64>) -> impl Fn(&[usize]) -> Result<Array2<f64>> {
    |set| Ok(p.select(Axis(0), set))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn working_sets_reach_the_minimum_of_the_whole(
        rows in prop::collection::vec(-1.0..1.0f64, 120),
        linear in prop::collection::vec(0.5..1.0f64, 60),
        repeats in 1..4usize,
        sigma in prop::sample::select(vec![1e-3, 0.1, 0.5, 2.0, 1e3]),
        bound in prop::sample::select(vec![1.1, 2.0, 1e3]),
        epsilon in prop::sample::select(vec![0.0, 0.01, 0.9]),
    ) {
        // Rows repeat, and with them columns of P.
        let x = Array2::from_shape_vec((60, 2), rows).unwrap();
        let x = Array2::from_shape_fn((60, 2), |(i, j)| x[(i / repeats, j)]);
        let p = Kernel::Gaussian { sigma }.gram("test", x.view(), x.view()).unwrap();
        let linear = -60.0 * Array1::from(linear);
        let (lower, ones) = (Array1::zeros(60), Array1::ones(60));
        let upper = &ones * bound;
        let programme = Programme {
            linear: linear.view(),
            lower: lower.view(),
            upper: upper.view(),
            normal: ones.view(),
            range: [60.0 * (1.0 - epsilon), 60.0 * (1.0 + epsilon)],
        };
        let exact = solve(&p, &programme);
        // Sets of few variables, and the whole once they have more than 30.
        let limits = Limits { first: 4, most: 30, whole: 60, rounds: 100 };
        let stop = Stop::default();
        let solution = working_set::solve(&programme, &columns(&p), stop, limits).unwrap();
        prop_assert!(solution.certificate.converged, "{:?}", solution.certificate);
        assert_relative_eq!(solution.objective, exact.objective, max_relative = 2e-9);
    }
}

#[test]
fn variables_that_do_not_fit_in_the_set_take_turns() {
    // x = −q where P = I: all variables leave their bounds.
    let p = Array2::<f64>::eye(60);
    let linear = Array1::from_shape_fn(60, |i| -1.0 - (i as f64) / 60.0);
    let (lower, ones) = (Array1::zeros(60), Array1::ones(60));
    let upper = &ones * 9.0;
    let programme = Programme {
        linear: linear.view(),
        lower: lower.view(),
        upper: upper.view(),
        normal: ones.view(),
        range: [0.0, 540.0],
    };
    let limits = |rounds| Limits { first: 4, most: 10, whole: 0, rounds };
    let run = |rounds| {
        working_set::solve(&programme, &columns(&p), Stop::default(), limits(rounds)).unwrap()
    };
    let solution = run(100);
    assert!(solution.certificate.converged, "{:?}", solution.certificate);
    assert_abs_diff_eq!(solution.x, -&linear, epsilon = 1e-4);
    // Stopped early, the certificate says so and why.
    let early = run(5).certificate;
    assert!(!early.converged && early.notes.len() == 1, "{early:?}");
}
