//! Partial Cholesky decomposition of a kernel matrix that is never held.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use super::gram::{self, Kernel};
use crate::error::Result;

/// F with K = F Fᵀ + E, E positive semi-definite.
#[derive(Clone, Debug)]
pub struct PivotedCholesky {
    /// F `(n, r)`.
    pub factor: Array2<f64>,
    /// tr E.
    pub left: f64,
}

/// Takes in the column of largest remaining diagonal (Fine & Scheinberg, "Efficient SVM Training
/// Using Low-Rank Kernel Representations", JMLR 2001, Sec. 4) until tr E ≤ `tolerance` · tr K or
/// `rank` columns are there. X `(n, d)`; O(n r (r + d)) time, O(n r) memory.
///
/// # Errors
/// [`crate::error::Error::TooLarge`] when F is past the limit of memory.
pub fn pivoted_cholesky(
    method: &'static str,
    kernel: Kernel,
    x: ArrayView2<'_, f64>,
    rank: usize,
    tolerance: f64,
) -> Result<PivotedCholesky> {
    let n = x.nrows();
    let rank = rank.min(n);
    gram::check_size(method, n, rank, "lower `rank`")?;
    let mut left: Array1<f64> = match kernel {
        Kernel::Linear => x.map_axis(Axis(1), |row| row.dot(&row)),
        Kernel::Gaussian { .. } => Array1::ones(n),
    };
    let enough = tolerance * left.sum();
    // Rows of Fᵀ, so that every new one is contiguous.
    let mut rows = Array2::zeros((rank, n));
    let mut done = 0;
    while done < rank && left.sum() > enough {
        let start = (0, 0.0);
        let largest = |best: (usize, f64), (i, &v)| if v > best.1 { (i, v) } else { best };
        let (pivot, value) = left.iter().enumerate().fold(start, largest);
        if value <= 0.0 {
            break;
        }
        let column = kernel.gram(method, x, x.slice(s![pivot..=pivot, ..]))?.remove_axis(Axis(1));
        let known = rows.slice(s![..done, ..]);
        let new = (column - known.t().dot(&known.column(pivot))) / value.sqrt();
        left.zip_mut_with(&new, |left, new| *left = (*left - new * new).max(0.0));
        left[pivot] = 0.0;
        rows.row_mut(done).assign(&new);
        done += 1;
    }
    let factor = rows.slice(s![..done, ..]).t().as_standard_layout().into_owned();
    Ok(PivotedCholesky { factor, left: left.sum() })
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;
    use crate::math::linalg::{dot, eigh};

    #[test]
    fn what_is_left_is_positive_semi_definite_and_counted() {
        let x = Array2::from_shape_fn((30, 2), |(i, j)| ((i * 7 + j * 3) % 13) as f64 / 4.0);
        let kernel = Kernel::Gaussian { sigma: 1.0 };
        let k = kernel.gram("test", x.view(), x.view()).unwrap();
        for rank in [1, 5, 30] {
            let partial = pivoted_cholesky("test", kernel, x.view(), rank, 1e-12).unwrap();
            let e = &k - &dot(&partial.factor, &partial.factor.t());
            assert_abs_diff_eq!(e.diag().sum(), partial.left, epsilon = 1e-9);
            assert!(eigh(&e).unwrap().values[0] > -1e-9);
        }
        // Rows repeat: the rank is below 30, and columns stop where nothing is left.
        let whole = pivoted_cholesky("test", kernel, x.view(), 30, 1e-12).unwrap();
        assert!(whole.factor.ncols() < 30 && whole.left < 1e-10);
    }
}
