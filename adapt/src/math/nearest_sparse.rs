//! The nearest sparse row to every row of another sparse matrix.
//!
//! As [`super::nearest`]: products narrow the anchors down to those that rounding cannot tell apart, and
//! the distances of these are computed again by differences, so that the answer is brute force's. A row
//! costs as many products as the anchors have entries.

use transduct_core::data::sparse::Sparse;

use super::parallel;

/// Rows that are looked at together, whatever the number of threads.
const ROWS: usize = 16;

/// The row of Z `(m, d)`, m ≥ 1, that is nearest to every row of X `(n, d)`, the lowest of equally near
/// ones, `(n,)`.
///
/// # Panics
/// If X and Z have different numbers of columns, or Z has no row.
pub fn nearest(x: &Sparse, anchors: &Sparse) -> Vec<usize> {
    assert!(x.columns() == anchors.columns() && anchors.rows() > 0, "anchors of d columns");
    let norms: Vec<f64> = (0..anchors.rows()).map(|row| square(anchors, row)).collect();
    let largest = norms.iter().copied().fold(0.0, f64::max).sqrt();
    let n = x.rows();
    let blocks = parallel::map(n.div_ceil(ROWS), |block| {
        let mut dense = vec![0.0; x.columns()];
        let mut shifted = vec![0.0; anchors.rows()];
        (block * ROWS..n.min((block + 1) * ROWS))
            .map(|row| {
                x.scatter(row, &mut dense);
                for (z, shifted) in shifted.iter_mut().enumerate() {
                    let product: f64 =
                        anchors.iter_row(z).map(|(column, value)| value * dense[column]).sum();
                    // ‖x − z‖² − ‖x‖², which has the same order.
                    *shifted = norms[z] - 2.0 * product;
                }
                x.iter_row(row).for_each(|(column, _)| dense[column] = 0.0);
                // Twice what rounding adds at most, for each of two values.
                let factor = 4.0 * (x.columns() + 8) as f64 * f64::EPSILON;
                let slack = factor * (square(x, row).sqrt() + largest).powi(2);
                let limit = shifted.iter().copied().fold(f64::INFINITY, f64::min) + slack;
                let near = (0..anchors.rows()).filter(|&z| shifted[z] <= limit);
                let distances = near.map(|z| (squared_distance(x, row, anchors, z), z));
                let none = (f64::INFINITY, 0);
                distances.fold(none, |best, next| if next.0 < best.0 { next } else { best }).1
            })
            .collect::<Vec<usize>>()
    });
    blocks.into_iter().flatten().collect()
}

fn square(x: &Sparse, row: usize) -> f64 {
    x.row(row).1.iter().map(|v| v * v).sum()
}

/// ‖x_i − z_j‖², added up column by column.
fn squared_distance(x: &Sparse, i: usize, z: &Sparse, j: usize) -> f64 {
    let mut sum = 0.0;
    merged(x, i, z, j, |a, b| {
        sum += (a - b) * (a - b);
        true
    });
    sum
}

/// Calls `f` with both values of every column in which either row has an entry, from left to right,
/// until it is false.
pub(crate) fn merged(
    x: &Sparse,
    i: usize,
    z: &Sparse,
    j: usize,
    mut f: impl FnMut(f64, f64) -> bool,
) {
    let ((xc, xv), (zc, zv)) = (x.row(i), z.row(j));
    let (mut a, mut b) = (0, 0);
    while a < xc.len() || b < zc.len() {
        let left = xc.get(a).copied().unwrap_or(u32::MAX);
        let right = zc.get(b).copied().unwrap_or(u32::MAX);
        let column = left.min(right);
        let (mut p, mut q) = (0.0, 0.0);
        if left == column {
            p = xv[a];
            a += 1;
        }
        if right == column {
            q = zv[b];
            b += 1;
        }
        if !f(p, q) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::math::nearest as dense;

    fn sparse(x: &Array2<f64>) -> Sparse {
        Sparse::from_dense(x.view()).unwrap()
    }

    #[test]
    fn by_hand() {
        let anchors = array![[0.0, 0.0, 3.0], [1.0, 0.0, 0.0], [0.0, 0.0, 3.0]];
        let x = array![[0.0, 0.0, 2.0], [1.0, 5.0, 0.0], [0.0, 0.0, 0.0]];
        assert_eq!(nearest(&sparse(&x), &sparse(&anchors)), [0, 1, 1]);
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_dense_rows(
            x in prop::collection::vec(-2i8..2, 60),
            z in prop::collection::vec(-2i8..2, 24),
            scale in 0.1..3.0f64,
        ) {
            let rows = |v: &[i8]| -> Array2<f64> {
                let values = v.iter().map(|&v| f64::from(v.max(0)) * scale).collect();
                Array2::from_shape_vec((v.len() / 3, 3), values).unwrap()
            };
            let (x, z) = (rows(&x), rows(&z));
            let expected = dense::nearest(x.view(), z.view(), 1).indices;
            prop_assert_eq!(nearest(&sparse(&x), &sparse(&z)), expected.iter().copied().collect::<Vec<_>>());
        }
    }
}
