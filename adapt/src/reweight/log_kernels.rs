//! Sums of Gaussian kernels in logarithms, which do not vanish far from the centres.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use crate::math::{gram, log_sum::log_sum_exp, parallel};

/// Rows that are worked on together.
const BLOCK: usize = 256;

/// log Σ_l exp(b_l − ‖x_i − c_l‖² / 2σ²) of x `(n, d)`, c `(m, d)` and b `(m,)`, `(n,)`, without an
/// `(n, m)` matrix.
pub(super) fn log_mixture(
    x: ArrayView2<'_, f64>,
    centres: ArrayView2<'_, f64>,
    log_weights: ArrayView1<'_, f64>,
    sigma: f64,
) -> Array1<f64> {
    let n = x.nrows();
    let blocks = parallel::map(n.div_ceil(BLOCK), |block| {
        let rows = x.slice(s![block * BLOCK..n.min((block + 1) * BLOCK), ..]);
        let exponents = exponents(gram::squared_distances(rows, centres), sigma) + log_weights;
        exponents.map_axis(Axis(1), |row| log_sum_exp(row.iter().copied())).to_vec()
    });
    blocks.concat().into()
}

/// −‖x − c‖² / 2σ² from squared distances.
pub(super) fn exponents(mut d2: Array2<f64>, sigma: f64) -> Array2<f64> {
    d2 *= -0.5 / (sigma * sigma);
    d2
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn sums_by_hand() {
        let sum = |v: &[f64]| log_sum_exp(v.iter().copied());
        assert_abs_diff_eq!(sum(&[0.0, 3f64.ln()]), 4f64.ln(), epsilon = 1e-12);
        assert_abs_diff_eq!(sum(&[-9000.0, -9000.0]), 2f64.ln() - 9000.0, epsilon = 1e-9);
        assert_eq!(sum(&[f64::NEG_INFINITY; 2]), f64::NEG_INFINITY);
        let (x, c) = (array![[0.0], [200.0]], array![[0.0], [2.0]]);
        let got = log_mixture(x.view(), c.view(), array![0.0, 0.0].view(), 1.0);
        // 198² / 2, next to which the kernel at 0 is nothing.
        let expected = array![(1.0 + (-2.0f64).exp()).ln(), -19602.0];
        assert_abs_diff_eq!(got, expected, epsilon = 1e-8);
    }
}
