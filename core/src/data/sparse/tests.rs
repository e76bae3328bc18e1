use approx::assert_relative_eq;
use ndarray::{Axis, array};
use proptest::prelude::*;

use super::*;

fn sparse(x: &Array2<f64>) -> Sparse {
    Sparse::from_dense(x.view()).unwrap()
}

fn message<T: std::fmt::Debug>(result: Result<T, SparseError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn any_order_gives_the_same_parts() {
    let x = array![[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, -3.0]];
    let expected = Sparse::new(3, vec![0, 1, 1, 3], vec![1, 0, 2], vec![2.0, 1.0, -3.0]).unwrap();
    assert_eq!(sparse(&x), expected);
    assert_eq!((expected.rows(), expected.columns(), expected.entries()), (3, 3, 3));
    // Out of order, twice the same place, a zero, and entries behind the end.
    let indices = vec![1, 0, 2, 2, 0, 1];
    let values = vec![2.0, 0.0, -4.0, 1.0, 1.0, 9.0];
    assert_eq!(Sparse::new(3, vec![0, 2, 2, 5], indices, values).unwrap(), expected);
    let triplets = [(2, 2, -3.0), (0, 1, 2.5), (2, 0, 1.0), (0, 1, -0.5)];
    assert_eq!(Sparse::from_triplets((3, 3), &triplets).unwrap(), expected);
    assert_eq!(expected.to_dense().unwrap(), x);
    assert_eq!(expected.density(), 3.0 / 9.0);
}

#[test]
fn what_does_not_fit_is_named() {
    let new = |columns, starts: &[usize], indices: &[u32], values: &[f64]| {
        message(Sparse::new(columns, starts.to_vec(), indices.to_vec(), values.to_vec()))
    };
    assert_eq!(new(2, &[], &[], &[]), "row starts: expected the first to be 0, got none");
    assert_eq!(new(2, &[1, 1], &[0], &[1.0]), "row starts: expected the first to be 0, got 1");
    let expected = "row starts: expected at least 2 after row 1, got 1";
    assert_eq!(new(2, &[0, 2, 1], &[0, 1], &[1.0, 1.0]), expected);
    let expected = "row starts: expected at most 1, the number of entries, got 5";
    assert_eq!(new(2, &[0, 5], &[0], &[1.0]), expected);
    assert_eq!(new(2, &[0, 1], &[0], &[]), "column indices: expected 0, one a value, got 1");
    let expected = "row 1 has an entry in column 2 (both from 0), beyond the 2 columns";
    assert_eq!(new(2, &[0, 0, 1], &[2], &[1.0]), expected);
    let expected = "row 0, column 1 (both from 0) is NaN: expected finite numbers";
    assert_eq!(new(2, &[0, 1], &[1], &[f64::NAN]), expected);
    assert!(new(2, &[0, 2], &[1, 1], &[1e308, 1e308]).contains("column 1 (both from 0) is inf"));
    assert_eq!(new(1 << 26, &[0], &[], &[]), "67108864 columns: expected at most 33554432");
    let rows = Sparse::from_triplets((3, 3), &[(3, 0, 1.0)]);
    assert_eq!(message(rows), "row indices: expected numbers below 3, got 3");
    let rows = Sparse::from_triplets((usize::MAX, 3), &[(3, 0, 1.0)]);
    assert!(message(rows).contains("rows for 1 entries: nearly all rows would be empty"));
}

#[test]
fn widths_can_grow_and_lose_nothing() {
    let x = sparse(&array![[0.0, 0.0, 0.0], [0.0, 5.0, 0.0]]);
    assert_eq!(x.clone().widen(5).unwrap().to_dense().unwrap().ncols(), 5);
    assert_eq!(x.clone().widen(2).unwrap().columns(), 2);
    let lost = "row 1 has an entry in column 1 (both from 0), beyond the 1 columns";
    assert_eq!(message(x.clone().widen(1)), lost);
    assert!(x.clone().widen(usize::MAX).is_err());
    let shifted = x.clone().shifted(2).unwrap();
    assert_eq!((shifted.columns(), shifted.row(1)), (5, (&[3][..], &[5.0][..])));
    assert!(x.shifted(usize::MAX).is_err());
}

#[test]
fn a_dense_matrix_past_the_limit_says_how_large_it_would_be() {
    let x = Sparse::from_triplets((1 << 16, MAX_COLUMNS), &[(0, MAX_COLUMNS - 1, 1.0)]).unwrap();
    let expected = "65536 rows of 33554432 columns are 16384.0 GiB as a dense matrix: the limit is \
                    4.0 GiB; select rows or columns first, or use a method that takes sparse rows";
    assert_eq!(message(x.to_dense()), expected);
    assert_eq!(x.entries(), 1);
}

#[test]
fn moments_by_hand() {
    let x = array![[0.0, 1.0, 5.0, 0.0, 0.1], [2.0, 1.0, 0.0, 0.0, 0.1], [0.0, 1.0, 1.0, 0.0, 0.1]];
    let Moments { mean, deviation } = sparse(&x).moments(None, 0.0).unwrap();
    assert_relative_eq!(mean, array![2.0 / 3.0, 1.0, 2.0, 0.0, 0.1], max_relative = 1e-15);
    let expected = array![(8f64 / 9.0).sqrt(), 0.0, (14f64 / 3.0).sqrt(), 0.0, 0.0];
    assert_relative_eq!(deviation, expected, max_relative = 1e-15);
    // (0, 2, 0) with weights 1, 3, 4.
    let w = array![1.0, 3.0, 4.0];
    let weighted = sparse(&x).moments(Some(w.view()), 0.0).unwrap();
    assert_relative_eq!(weighted.mean[0], 0.75, max_relative = 1e-15);
    assert_relative_eq!(weighted.deviation[0].powi(2), 0.9375, max_relative = 1e-15);
    assert!(sparse(&x).moments(None, 3.0).is_none());
    for unit in [2f64.powi(-1000), 2f64.powi(1000)] {
        let scaled = sparse(&(&x * unit)).moments(None, 1.0).unwrap();
        let plain = sparse(&x).moments(None, 1.0).unwrap();
        assert_eq!(scaled.mean, plain.mean * unit);
        assert_eq!(scaled.deviation, plain.deviation * unit);
    }
}

#[test]
fn values_far_from_zero_keep_their_spread() {
    // Seconds since 1970 in a full column, and in one that is 0 once.
    let x = array![[1.6e9, 1.6e9], [1.6e9 + 1.0, 1.6e9 + 1.0], [1.6e9 + 2.0, 0.0]];
    let Moments { deviation, .. } = sparse(&x).moments(None, 0.0).unwrap();
    assert_relative_eq!(deviation[0], (2f64 / 3.0).sqrt(), max_relative = 1e-9);
    assert_relative_eq!(deviation[1], 1.6e9 * 2f64.sqrt() / 3.0, max_relative = 1e-8);
}

#[test]
fn rows_and_columns_are_divided() {
    let x = array![[3.0, -4.0], [0.0, 0.0]];
    let norms = sparse(&x).row_norms();
    assert_eq!(norms, array![5.0, 0.0]);
    let unit = sparse(&x).divided_rows(&norms).unwrap();
    assert_eq!(unit.to_dense().unwrap(), array![[0.6, -0.8], [0.0, 0.0]]);
    assert_eq!(sparse(&x).row_sums_of_moduli(), array![7.0, 0.0]);
    let half = sparse(&x).divided_columns(&[2.0]).unwrap().to_dense().unwrap();
    assert_eq!(half, array![[1.5, -2.0], [0.0, 0.0]]);
    let each = sparse(&x).divided_columns(&[3.0, 1.0]).unwrap().to_dense().unwrap();
    assert_eq!(each, array![[1.0, -4.0], [0.0, 0.0]]);
    assert!(
        message(sparse(&x).divided_columns(&[1e-308, 1.0]))
            .contains("column 0 (both from 0) is inf")
    );
    // Underflow leaves no entry of 0 behind.
    assert_eq!(sparse(&(&x * 1e-300)).divided_columns(&[1e300]).unwrap().entries(), 0);
    assert!(sparse(&x).divided_columns(&[1.0; 3]).is_err());
    assert!(sparse(&x).divided_rows(&array![1.0]).is_err());
    let large = sparse(&array![[3e200, 4e200]]).row_norms();
    assert!((large[0] / 5e200 - 1.0).abs() < 1e-15, "{large}");
}

fn matrix() -> impl Strategy<Value = Array2<f64>> {
    (1usize..7, 1usize..7).prop_flat_map(|(n, d)| {
        let value = prop_oneof![3 => Just(0.0), 2 => -8.0..8.0f64];
        prop::collection::vec(value, n * d)
            .prop_map(move |values| Array2::from_shape_vec((n, d), values).unwrap())
    })
}

proptest! {
    #[test]
    fn everything_is_as_on_the_dense_matrix(x in matrix(), seed in prop::collection::vec(-2.0..2.0f64, 14)) {
        let s = sparse(&x);
        let (n, d) = x.dim();
        prop_assert_eq!(s.to_dense().unwrap(), &x);
        prop_assert_eq!(s.transposed().unwrap().to_dense().unwrap(), x.t());
        prop_assert_eq!(s.transposed().unwrap().transposed().unwrap(), s.clone());
        let b = Array2::from_shape_fn((d, 2), |(i, j)| seed[2 * i + j]);
        prop_assert!(s.dot(b.view()).abs_diff_eq(&x.dot(&b), 1e-12));
        prop_assert!(s.dot_vector(b.column(1)).abs_diff_eq(&x.dot(&b.column(1)), 1e-12));
        let c = Array2::from_shape_fn((n, 2), |(i, j)| seed[2 * i + j]);
        prop_assert!(s.t_dot(c.view()).abs_diff_eq(&x.t().dot(&c), 1e-12));
        prop_assert!(s.t_dot_vector(c.column(0)).abs_diff_eq(&x.t().dot(&c.column(0)), 1e-12));
        prop_assert!(s.column_sums().abs_diff_eq(&x.sum_axis(Axis(0)), 1e-12));
        let squares = x.mapv(|v| v * v);
        prop_assert!(s.column_square_sums().abs_diff_eq(&squares.sum_axis(Axis(0)), 1e-12));
        prop_assert!(s.row_norms().abs_diff_eq(&squares.sum_axis(Axis(1)).mapv(f64::sqrt), 1e-12));
        let index: Vec<usize> = (0..n).rev().chain([0]).collect();
        prop_assert_eq!(s.select(&index).to_dense().unwrap(), x.select(Axis(0), &index));
        let twice = s.stacked(&s).unwrap().to_dense().unwrap();
        prop_assert_eq!(twice, ndarray::concatenate![Axis(0), x, x]);
        let moments = s.moments(None, 0.0).unwrap();
        prop_assert!(moments.mean.abs_diff_eq(&x.mean_axis(Axis(0)).unwrap(), 1e-12));
        prop_assert!(moments.deviation.abs_diff_eq(&x.std_axis(Axis(0), 0.0), 1e-12));
    }

    #[test]
    fn hostile_parts_are_refused_or_read(
        columns in prop_oneof![0usize..5, Just(usize::MAX)],
        starts in prop::collection::vec(prop_oneof![0usize..6, Just(usize::MAX)], 0..5),
        indices in prop::collection::vec(prop_oneof![0u32..6, Just(u32::MAX)], 0..6),
        values in prop::collection::vec(prop_oneof![-1.0..1.0f64, Just(0.0), Just(f64::NAN), Just(f64::MAX)], 0..6),
    ) {
        if let Ok(matrix) = Sparse::new(columns, starts, indices, values) {
            let dense = matrix.to_dense().unwrap();
            prop_assert!(dense.iter().all(|v| v.is_finite()));
            prop_assert_eq!(sparse(&dense), matrix);
        }
    }
}
