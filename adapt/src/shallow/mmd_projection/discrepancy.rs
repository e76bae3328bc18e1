//! The discrepancies of means, M = E Eᵀ, as their factors E.

use ndarray::{Array1, Array2, ArrayView1, Axis, s, stack};

use crate::math::linalg::{self, dot};

/// The column of M₀: 1/n_s for source rows, −1/n_t for target rows, `(n_s + n_t,)`.
pub(in crate::shallow) fn marginal(source_rows: usize, target_rows: usize) -> Array1<f64> {
    let mut e = Array1::from_elem(source_rows + target_rows, 1.0 / source_rows as f64);
    e.slice_mut(s![source_rows..]).fill(-1.0 / target_rows as f64);
    e
}

/// The columns of M_c for the classes that rows of both domains have: 1/n_s^c for source rows of
/// class c, −1/n_t^c for target rows, 0 for the others; times `weight`(n_s^c, n_t^c) of each domain.
pub(in crate::shallow) fn conditional(
    source: &[usize],
    target: &[usize],
    classes: usize,
    weight: impl Fn(f64, f64) -> (f64, f64),
) -> Vec<Array1<f64>> {
    let count = |labels: &[usize]| -> Vec<f64> {
        counts(labels, classes).into_iter().map(|n| n as f64).collect()
    };
    let (of_source, of_target) = (count(source), count(target));
    let present = (0..classes).filter(|&c| of_source[c] > 0.0 && of_target[c] > 0.0);
    let column = |c: usize| {
        let value = |label: &usize, value: f64| if *label == c { value } else { 0.0 };
        let (w_s, w_t) = weight(of_source[c], of_target[c]);
        let (s, t) = (w_s / of_source[c], -w_t / of_target[c]);
        source.iter().map(|y| value(y, s)).chain(target.iter().map(|y| value(y, t))).collect()
    };
    present.map(column).collect()
}

/// The rows of every class.
pub(in crate::shallow) fn counts(labels: &[usize], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels.iter().for_each(|&c| counts[c] += 1);
    counts
}

/// E `(n, r)` of columns, with M = E Eᵀ divided by its Frobenius norm if asked for.
pub(in crate::shallow) fn factor(columns: &[Array1<f64>], relative: bool) -> Array2<f64> {
    let views: Vec<ArrayView1<'_, f64>> = columns.iter().map(|column| column.view()).collect();
    // All columns have n entries, and there is always that of M₀.
    let e = stack(Axis(1), &views).unwrap_or_default();
    match relative {
        // ‖E Eᵀ‖_F = ‖Eᵀ E‖_F.
        true => {
            let norm = linalg::frobenius(dot(&e.t(), &e).view());
            e / norm.sqrt().max(f64::MIN_POSITIVE)
        }
        false => e,
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn columns_by_hand() {
        assert_abs_diff_eq!(marginal(2, 4), array![0.5, 0.5, -0.25, -0.25, -0.25, -0.25]);
        // Class 1 has no target row, class 2 no row at all.
        let columns = conditional(&[0, 1, 0], &[0], 3, |n_s, n_t| (n_s, 10.0 * n_t));
        assert_eq!(columns, [array![1.0, 0.0, 1.0, -10.0]]);
        assert_eq!(counts(&[0, 2, 0], 4), [2, 0, 1, 0]);
    }

    #[test]
    fn a_relative_discrepancy_has_unit_norm() {
        let columns = [array![1.0, 2.0, -3.0], array![0.0, 1.0, -1.0]];
        let e = factor(&columns, true);
        assert_abs_diff_eq!(linalg::frobenius(dot(&e, &e.t()).view()), 1.0, epsilon = 1e-12);
        assert_eq!(factor(&columns, false).column(0), columns[0]);
    }
}
