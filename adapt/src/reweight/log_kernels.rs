//! Sums of Gaussian kernels in logarithms, which do not vanish far from the centres.

use ndarray::{Array1, ArrayView1, ArrayView2, s};

use crate::math::{distances::Anchors, log_sum::log_sum_exp, parallel};

/// Rows that are worked on together.
const BLOCK: usize = 256;

/// Σ_l exp(b_l + (m_l − ‖x − c_l‖²) / 2σ²).
///
/// A squared distance m_l is taken off before anything is divided: beside σ² both may be so large
/// that their quotients have no digits left for b_l.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogMixture<'a> {
    /// c `(m, d)`.
    pub(super) centres: ArrayView2<'a, f64>,
    /// b `(m,)`.
    pub(super) log_weights: ArrayView1<'a, f64>,
    /// m `(m,)`.
    pub(super) less: ArrayView1<'a, f64>,
    /// σ.
    pub(super) sigma: f64,
}

impl LogMixture<'_> {
    /// Its logarithm at the rows of x `(n, d)`, `(n,)`, without an `(n, m)` matrix.
    pub(super) fn at(&self, x: ArrayView2<'_, f64>) -> Array1<f64> {
        let (n, anchors) = (x.nrows(), Anchors::new(self.centres));
        let blocks = parallel::map(n.div_ceil(BLOCK), |block| {
            let rows = x.slice(s![block * BLOCK..n.min((block + 1) * BLOCK), ..]);
            let d2 = anchors.squared_distances(rows);
            d2.rows().into_iter().map(|row| self.of_distances(row)).collect::<Vec<f64>>()
        });
        blocks.concat().into()
    }

    /// Its logarithm where ‖x − c_l‖² are these `(m,)`.
    pub(super) fn of_distances(&self, d2: ArrayView1<'_, f64>) -> f64 {
        let scale = 0.5 / (self.sigma * self.sigma);
        let terms = d2.iter().zip(self.less).zip(self.log_weights);
        log_sum_exp(terms.map(|((d2, less), b)| (less - d2) * scale + b))
    }
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
        let zeros = array![0.0, 0.0];
        let mixture = LogMixture {
            centres: c.view(),
            log_weights: zeros.view(),
            less: zeros.view(),
            sigma: 1.0,
        };
        // 198² / 2, next to which the kernel at 0 is nothing.
        let expected = array![(1.0 + (-2.0f64).exp()).ln(), -19602.0];
        assert_abs_diff_eq!(mixture.at(x.view()), expected, epsilon = 1e-8);
    }

    #[test]
    fn what_is_taken_off_leaves_digits_for_the_weights() {
        let (c, less, b) = (array![[0.0]], array![1.0], array![3f64.ln()]);
        let mixture = LogMixture {
            centres: c.view(),
            log_weights: b.view(),
            less: less.view(),
            sigma: 1e-12,
        };
        assert_abs_diff_eq!(mixture.at(array![[1.0]].view())[0], 3f64.ln(), epsilon = 1e-12);
    }
}
