//! What weighting methods keep on sparse rows: the weights of dense ones.

#![allow(clippy::unwrap_used)]

use approx::assert_abs_diff_eq;
use ndarray::{Array1, Array2, ArrayView1};
use transduct_adapt::{
    diagnose::feature_balance,
    domains::Domains,
    reweight::{fit_rows, reweighters, sparse_reweighter},
    sparse_domains::{DomainMoments, SparseDomains},
};
use transduct_core::data::sparse::Sparse;

/// `(n, d)` of which about a quarter is not 0; the first column is full.
fn rows(n: usize, d: usize, shift: f64) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(i, j)| match (i * 31 + j * 17 + i * j) % 4 {
        _ if j == 0 => ((i * 7) % 11) as f64 / 4.0 + shift,
        0 => ((i * 13 + j * 5) % 11) as f64 - 4.0 + shift,
        _ => 0.0,
    })
}

fn labels(n: usize) -> Vec<usize> {
    (0..n).map(|i| usize::from((i * 7) % 11 > 4)).collect()
}

#[test]
fn every_method_gives_the_weights_of_dense_rows() {
    // Below and above the width up to which logistic regression is solved by dense Newton steps.
    for d in [5, 600] {
        let (xs, xt) = (rows(36, d, 0.0), rows(30, d, 0.5));
        let (s, t) =
            (Sparse::from_dense(xs.view()).unwrap(), Sparse::from_dense(xt.view()).unwrap());
        let y = labels(36);
        let dense = Domains::new(xs.view(), xt.view()).unwrap().with_classes(&y, 2).unwrap();
        let sparse = SparseDomains::new(&s, &t).unwrap().with_classes(&y, 2).unwrap();
        for entry in reweighters() {
            let method = (entry.build)(&entry.defaults).unwrap();
            let expected = method.fit(&dense);
            let got = fit_rows(entry.name, &entry.defaults, &sparse);
            let (expected, (got, note)) = match (expected, got) {
                (Ok(expected), Ok(got)) => (expected, got),
                (expected, got) => {
                    assert_eq!(expected.err(), got.err(), "{}", entry.name);
                    continue;
                }
            };
            assert_abs_diff_eq!(got.weights, expected.weights, epsilon = 1e-6);
            assert!((got.balance.after - expected.balance.after).abs() < 1e-6, "{}", entry.name);
            assert_eq!(got.certificate.converged, expected.certificate.converged);
            assert_eq!(note.is_none(), sparse_reweighter(entry.name).is_some(), "{}", entry.name);
            if let (Some(a), Some(b)) = (&got.ratio, &expected.ratio) {
                let (a, b) = (a.ratio(xt.view()).unwrap(), b.ratio(xt.view()).unwrap());
                assert_abs_diff_eq!(a, b, epsilon = 1e-6);
            }
        }
    }
}

#[test]
fn weights_are_diagnosed_alike() {
    let (xs, xt) = (rows(20, 9, 0.0), rows(14, 9, 0.5));
    let (s, t) = (Sparse::from_dense(xs.view()).unwrap(), Sparse::from_dense(xt.view()).unwrap());
    let dense = Domains::new(xs.view(), xt.view()).unwrap();
    let sparse = SparseDomains::new(&s, &t).unwrap();
    let w: Array1<f64> = (0..20).map(|i| (i % 3) as f64).collect();
    let of = |balance: Vec<Option<transduct_adapt::reweight::Balance>>| -> Vec<f64> {
        balance.into_iter().flatten().flat_map(|b| [b.before, b.after]).collect()
    };
    let balance = |w: ArrayView1<'_, f64>| {
        let (a, b) = (feature_balance(&dense, w).unwrap(), feature_balance(&sparse, w).unwrap());
        assert_eq!(a.len(), b.len());
        assert_abs_diff_eq!(of(a)[..], of(b)[..], epsilon = 1e-12);
    };
    balance(w.view());
    assert_eq!(sparse.source_rows(), 20);
    assert!(feature_balance(&sparse, w.slice(ndarray::s![..3])).is_err());
}
