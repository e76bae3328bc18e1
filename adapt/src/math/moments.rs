//! Means and covariances of rows.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use super::{linalg, parallel, unit::Unit};

/// Rows that are looked at together, whatever the number of threads.
const ROWS: usize = 1024;

/// x̄ = Σ_i x_i / n, `(d,)`; zeros for no rows. Finite for finite rows, whatever their sum.
pub fn mean(x: ArrayView2<'_, f64>) -> Array1<f64> {
    whatever_the_sum(x, plain_mean)
}

/// The means of `plain`, those whose sums overflow from rows in another unit.
fn whatever_the_sum(
    x: ArrayView2<'_, f64>,
    plain: impl Fn(ArrayView2<'_, f64>) -> Array1<f64>,
) -> Array1<f64> {
    let mut mean = plain(x);
    if mean.iter().any(|v| !v.is_finite()) {
        let unit = Unit::of(largest(x));
        let scaled = plain(unit.rows(x).view());
        for (mean, scaled) in mean.iter_mut().zip(scaled) {
            if !mean.is_finite() {
                *mean = unit.back(scaled);
            }
        }
    }
    mean
}

fn plain_mean(x: ArrayView2<'_, f64>) -> Array1<f64> {
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

/// Σ_i w_i x_i / Σ_i w_i, `(d,)`, finite as [`mean`] is.
pub fn weighted_mean(x: ArrayView2<'_, f64>, w: ArrayView1<'_, f64>) -> Array1<f64> {
    whatever_the_sum(x, |x| x.t().dot(&w) / w.sum())
}

/// (X − 1x̄ᵀ)ᵀ (X − 1x̄ᵀ) / (n − ddof), `(d, d)`. The caller sees to n > ddof.
pub fn covariance(x: ArrayView2<'_, f64>, ddof: usize) -> Array2<f64> {
    linalg::scatter(x, mean(x).view()) / (x.nrows() - ddof) as f64
}

/// The standard deviation of every column, with n − ddof, `(d,)`; 0 for a column of one value, whose mean
/// is rounded. Squares of columns of any size neither overflow nor vanish.
pub fn deviations(x: ArrayView2<'_, f64>, ddof: usize) -> Array1<f64> {
    let units: Vec<Unit> = x
        .columns()
        .into_iter()
        .map(|column| Unit::of(column.fold(0.0, |most: f64, v| most.max(v.abs()))))
        .collect();
    let mut centred = x.to_owned();
    for (mut column, unit) in centred.columns_mut().into_iter().zip(&units) {
        if !unit.is_one() {
            column.mapv_inplace(|v| unit.length(v));
        }
    }
    let mean = mean(centred.view());
    centred -= &mean;
    let sums = centred.mapv(|v| v * v).sum_axis(Axis(0));
    let mut deviations = (sums / (x.nrows() - ddof) as f64).mapv(f64::sqrt);
    deviations
        .iter_mut()
        .zip(&units)
        .for_each(|(deviation, unit)| *deviation = unit.back(*deviation));
    constant_columns(x).into_iter().for_each(|column| deviations[column] = 0.0);
    deviations
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
        assert_eq!(deviations(array![[0.1], [0.1], [0.1]].view(), 0), array![0.0]);
        for power in [-1000, 1000] {
            let unit = 2f64.powi(power);
            let expected = array![1.0, 0.0, 2.0] * unit;
            assert_eq!(deviations((&x * unit).view(), 0), expected, "2^{power}");
        }
        assert_eq!(constant_columns(x.view()), [1]);
    }

    #[test]
    fn moments_of_numbers_of_any_size() {
        let x = array![[0.0, 1.5e308, -3e-200], [4e200, 1.7e308, 1e-200]];
        let relative = mean(x.view()) / array![2e200, 1.6e308, -1e-200];
        assert!(relative.iter().all(|v| (v - 1.0).abs() < 1e-12), "{relative}");
        assert_eq!(weighted_mean(x.view(), array![2.0, 2.0].view()), mean(x.view()));
        let relative = deviations(x.view(), 0) / array![2e200, 0.1e308, 2e-200];
        assert!(relative.iter().all(|v| (v - 1.0).abs() < 1e-12), "{relative}");
    }
}
