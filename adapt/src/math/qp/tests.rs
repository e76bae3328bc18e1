use approx::{assert_abs_diff_eq, assert_relative_eq};
use clarabel::{
    algebra::CscMatrix,
    solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, SupportedConeT},
};
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;

use super::{hessian::LowRank, *};
use crate::math::linalg::dot;

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
        // The same matrix by its factor.
        let low_rank = LowRank { factor: y, diagonal: 0.0 };
        let other = programme.solve(&low_rank, Stop::default()).unwrap();
        assert!(other.certificate.residual < 1e-7, "{:?}", other.certificate);
        assert_relative_eq!(
            solution.objective, other.objective, epsilon = 1e-6, max_relative = 1e-6
        );
    }
}
