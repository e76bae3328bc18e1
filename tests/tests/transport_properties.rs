//! What theory says of optimal transport, on random problems.

#![allow(clippy::unwrap_used)]

use approx::assert_abs_diff_eq;
use ndarray::{Array1, Array2, Axis};
use proptest::{collection::vec, prelude::*};
use transduct_adapt::{
    domains::Domains,
    ot::{Emd, Entropic, Exact, Problem, Sinkhorn, emd, sinkhorn},
    shallow::{Align, OtEmd},
};

/// Rows of 2 numbers.
fn rows(n: std::ops::Range<usize>) -> impl Strategy<Value = Array2<f64>> {
    n.prop_flat_map(|n| vec(-2.0..2.0f64, 2 * n))
        .prop_map(|x| Array2::from_shape_vec((x.len() / 2, 2), x).unwrap())
}

/// Positive masses of sum 1.
fn masses(x: &Array2<f64>) -> Array1<f64> {
    let masses = x.map_axis(Axis(1), |row| 0.1 + row[0].abs());
    &masses / masses.sum()
}

fn distances(x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), y.nrows()), |(i, j)| {
        (&x.row(i) - &y.row(j)).mapv(|d| d * d).sum().sqrt()
    })
}

fn exact(x: &Array2<f64>, y: &Array2<f64>) -> Exact {
    let (a, b, cost) = (masses(x), masses(y), distances(x, y));
    emd(&Problem::new(a.view(), b.view(), cost.view()).unwrap(), &Emd::default()).unwrap()
}

fn entropic(x: &Array2<f64>, y: &Array2<f64>, epsilon: f64) -> Entropic {
    let (a, b, cost) = (masses(x), masses(y), distances(x, y));
    let options = Sinkhorn { epsilon, tolerance: 1e-10, max_rounds: 100_000 };
    sinkhorn(&Problem::new(a.view(), b.view(), cost.view()).unwrap(), &options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn plans_have_their_marginals(x in rows(1..12), y in rows(1..12)) {
        let (p, q) = (exact(&x, &y).dense(), entropic(&x, &y, 0.3).plan);
        for (plan, epsilon) in [(p, 1e-14), (q, 1e-9)] {
            assert_abs_diff_eq!(plan.sum_axis(Axis(1)), masses(&x), epsilon = epsilon);
            assert_abs_diff_eq!(plan.sum_axis(Axis(0)), masses(&y), epsilon = epsilon);
            prop_assert!(plan.iter().all(|&p| p >= 0.0));
        }
    }

    /// 0 ≤ ⟨C, P_ε⟩ − OT ≤ ε log(n m), for every ε on the way to 0.
    #[test]
    fn entropic_costs_fall_to_the_exact_one(x in rows(1..8), y in rows(1..8)) {
        let exact = exact(&x, &y).cost;
        let bound = ((x.nrows() * y.nrows()) as f64).ln();
        for epsilon in [1.0, 0.3, 0.1] {
            let entropic = entropic(&x, &y, epsilon);
            prop_assert!(entropic.cost >= exact - 1e-8);
            prop_assert!(entropic.cost <= exact + epsilon * bound + 1e-8);
        }
    }

    #[test]
    fn the_exact_distance_is_a_metric(x in rows(1..9), y in rows(1..9), z in rows(1..9)) {
        let d = |x: &Array2<f64>, y: &Array2<f64>| exact(x, y).cost;
        prop_assert!(d(&x, &z) <= d(&x, &y) + d(&y, &z) + 1e-12);
        prop_assert!((d(&x, &y) - d(&y, &x)).abs() < 1e-12);
        prop_assert!(d(&x, &x).abs() < 1e-12);
    }

    #[test]
    fn entropic_plans_are_symmetric_in_their_domains(x in rows(1..9), y in rows(1..9)) {
        let (p, q) = (entropic(&x, &y, 0.5).plan, entropic(&y, &x, 0.5).plan);
        assert_abs_diff_eq!(p, q.t().to_owned(), epsilon = 1e-8);
    }

    #[test]
    fn the_order_of_rows_and_the_origin_do_not_matter(
        x in rows(2..9), y in rows(1..9), by in -5.0..5.0f64,
    ) {
        let turned = x.select(Axis(0), &(0..x.nrows()).rev().collect::<Vec<_>>());
        prop_assert!((exact(&x, &y).cost - exact(&turned, &y).cost).abs() < 1e-12);
        let (p, q) = (entropic(&x, &y, 0.5).plan, entropic(&turned, &y, 0.5).plan);
        assert_abs_diff_eq!(p.slice(ndarray::s![..;-1, ..]).to_owned(), q, epsilon = 1e-8);
        let domains = |x: &Array2<f64>, y: &Array2<f64>| {
            let domains = Domains::new(x.view(), y.view()).unwrap();
            OtEmd::default().fit(&domains).unwrap().source(x.view()).unwrap()
        };
        // Equal masses leave the plan of random rows unique.
        let moved = domains(&(&x + by), &(&y + by)) - by;
        assert_abs_diff_eq!(moved, domains(&x, &y), epsilon = 1e-9);
    }

    #[test]
    fn identical_domains_stay(x in rows(1..20)) {
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let fitted = OtEmd::default().fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.source(x.view()).unwrap(), x, epsilon = 1e-12);
    }
}
