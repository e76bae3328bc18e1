//! Means and covariances of rows.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use super::{distances, linalg, parallel};

/// Rows that are looked at together, whatever the number of threads.
const ROWS: usize = 1024;

/// x̄ = Σ_i x_i / n, `(d,)`; zeros for no rows.
pub fn mean(x: ArrayView2<'_, f64>) -> Array1<f64> {
    let n = x.nrows();
    let sums = parallel::map(n.div_ceil(ROWS), |i| {
        x.slice(s![i * ROWS..n.min((i + 1) * ROWS), ..]).sum_axis(Axis(0))
    });
    sums.into_iter().fold(Array1::zeros(x.ncols()), |sum, part| sum + part) / n.max(1) as f64
}

/// max |x_ij|; 0 for no rows.
pub fn largest(x: ArrayView2<'_, f64>) -> f64 {
    let of_row = |size: f64, row: ArrayView1<'_, f64>| row.fold(size, |m, v| m.max(v.abs()));
    let parts = parallel::map(x.nrows().div_ceil(ROWS), |i| {
        let end = x.nrows().min((i + 1) * ROWS);
        x.slice(s![i * ROWS..end, ..]).rows().into_iter().fold(0.0, of_row)
    });
    parts.into_iter().fold(0.0, f64::max)
}

/// Σ_i w_i x_i / Σ_i w_i, `(d,)`.
pub fn weighted_mean(x: ArrayView2<'_, f64>, w: ArrayView1<'_, f64>) -> Array1<f64> {
    x.t().dot(&w) / w.sum()
}

/// (X − 1x̄ᵀ)ᵀ (X − 1x̄ᵀ) / (n − ddof), `(d, d)`. The caller sees to n > ddof.
pub fn covariance(x: ArrayView2<'_, f64>, ddof: usize) -> Array2<f64> {
    linalg::scatter(x, mean(x).view()) / (x.nrows() - ddof) as f64
}

/// The standard deviation of every column, with n − ddof, `(d,)`.
pub fn deviations(x: ArrayView2<'_, f64>, ddof: usize) -> Array1<f64> {
    let mut centred = &x - &mean(x);
    // Squares of columns near either end of the numbers overflow or vanish.
    let largest = centred.fold_axis(Axis(0), 0.0, |m: &f64, v| m.max(v.abs()));
    let factors = largest.mapv(distances::safe_factor);
    if factors.iter().any(|&factor| factor != 1.0) {
        centred *= &factors;
    }
    let sums = centred.mapv(|v| v * v).sum_axis(Axis(0));
    (sums / (x.nrows() - ddof) as f64).mapv(f64::sqrt) / factors
}

/// The columns that have one value in all rows.
pub fn constant_columns(x: ArrayView2<'_, f64>) -> Vec<usize> {
    let constant = |column: ArrayView1<'_, f64>| column.iter().all(|&v| v == column[0]);
    (0..x.ncols()).filter(|&j| x.nrows() == 0 || constant(x.column(j))).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn moments_by_hand() {
        let x = array![[0.0, 1.0, 5.0], [2.0, 1.0, 1.0]];
        assert_eq!(mean(x.view()), array![1.0, 1.0, 3.0]);
        assert_eq!(largest((-&x).view()), 5.0);
        assert_eq!(weighted_mean(x.view(), array![3.0, 1.0].view()), array![0.5, 1.0, 4.0]);
        let c = array![[2.0, 0.0, -4.0], [0.0, 0.0, 0.0], [-4.0, 0.0, 8.0]];
        assert_eq!(covariance(x.view(), 1), c);
        assert_eq!(covariance(x.view(), 0), c / 2.0);
        assert_eq!(deviations(x.view(), 0), array![1.0, 0.0, 2.0]);
        for power in [-1000, 1000] {
            let unit = 2f64.powi(power);
            let expected = array![1.0, 0.0, 2.0] * unit;
            assert_eq!(deviations((&x * unit).view(), 0), expected, "2^{power}");
        }
        assert_eq!(constant_columns(x.view()), [1]);
    }
}
