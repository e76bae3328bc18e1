//! Kernels and distances between the rows of host matrices.
//!
//! ```text
//! linear    k(x, y) = xᵀy
//! Gaussian  k(x, y) = exp(−‖x − y‖² / 2σ²)
//! ```

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis};
use serde::{Deserialize, Serialize};

use super::{
    distances::{self, Anchors},
    linalg, moments, parallel,
};
use crate::{
    check,
    error::{Error, Result},
};

/// The largest matrix that a method makes without being told to, in bytes.
pub const LIMIT: u64 = 4 << 30;

/// A kernel as a configuration names it: `"linear"`, `{ gaussian = { sigma = 1.5 } }`,
/// `{ gaussian = {} }`, `"gaussian-by-variance"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelChoice {
    /// xᵀy.
    #[default]
    Linear,
    /// exp(−‖x − y‖² / 2σ²).
    Gaussian {
        /// σ > 0; by default the median distance between distinct rows of both domains.
        #[serde(default)]
        sigma: Option<f64>,
    },
    /// exp(−‖x − y‖² / d v), where v is the variance of all numbers of the rows `(n, d)`, whichever
    /// their columns: scikit-learn's `gamma="scale"`.
    GaussianByVariance,
}

/// A kernel with all its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernel {
    /// xᵀy.
    Linear,
    /// exp(−‖x − y‖² / 2σ²).
    Gaussian {
        /// σ > 0.
        sigma: f64,
    },
}

impl KernelChoice {
    /// The kernel, its width taken from the rows of X `(n, d)` where none is given.
    ///
    /// # Errors
    /// [`Error::Config`] for σ out of range, [`Error::Degenerate`] when the median is asked for and
    /// all rows are equal, or the variance and all numbers are.
    pub fn resolve(&self, method: &'static str, x: ArrayView2<'_, f64>) -> Result<Kernel> {
        match *self {
            Self::Linear => Ok(Kernel::Linear),
            Self::Gaussian { sigma: Some(sigma) } => {
                check::positive(method, "sigma", sigma).map(|()| Kernel::Gaussian { sigma })
            }
            Self::Gaussian { sigma: None } => {
                median_distance(x).map(|sigma| Kernel::Gaussian { sigma }).ok_or_else(|| {
                    let reason = "all rows are equal, so that no kernel width follows from them";
                    Error::degenerate(method, reason, "give `sigma`, or rows that differ")
                })
            }
            Self::GaussianByVariance => match deviation(x) * (x.ncols() as f64 / 2.0).sqrt() {
                sigma if sigma > 0.0 => Ok(Kernel::Gaussian { sigma }),
                _ => {
                    let reason = "all numbers are equal, so that no kernel width follows from them";
                    Err(Error::degenerate(method, reason, "give `sigma`, or rows that differ"))
                }
            },
        }
    }
}

impl Kernel {
    /// K_ij = k(x_i, y_j): `(n, d)`, `(m, d)` → `(n, m)`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] past [`LIMIT`].
    pub fn gram(
        &self,
        method: &'static str,
        x: ArrayView2<'_, f64>,
        y: ArrayView2<'_, f64>,
    ) -> Result<Array2<f64>> {
        check_size(method, x.nrows(), y.nrows(), "use a linear kernel, landmarks or fewer rows")?;
        Ok(match *self {
            Self::Linear => linalg::dot(&x, &y.t()),
            Self::Gaussian { sigma } => {
                // In units in which σ² neither overflows nor vanishes.
                let factor = distances::unit_factor(sigma);
                let mut k = match factor {
                    1.0 => squared_distances(x, y),
                    _ => {
                        let scaled = |v: f64| (v * factor).clamp(f64::MIN, f64::MAX);
                        squared_distances(x.mapv(scaled).view(), y.mapv(scaled).view())
                    }
                };
                let scale = -0.5 / (sigma * factor).powi(2);
                map_inplace(&mut k, |d2| (scale * d2).exp());
                k
            }
        })
    }
}

/// The standard deviation of all numbers of x, with their count in the denominator.
fn deviation(x: ArrayView2<'_, f64>) -> f64 {
    let all: Array2<f64> = x.iter().copied().collect::<Array1<f64>>().insert_axis(Axis(1));
    moments::deviations(all.view(), 0).sum()
}

/// ‖x_i − y_j‖² ≥ 0: `(n, d)`, `(m, d)` → `(n, m)`, each right to about 1e-12 of itself, wherever
/// the rows are and whatever the others are; ∞ where it overflows.
pub fn squared_distances(x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>) -> Array2<f64> {
    Anchors::new(y).squared_distances(x)
}

/// ‖x_i − x_j‖² with zeros on the diagonal: `(n, d)` → `(n, n)`.
pub fn squared_distances_within(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = squared_distances(x, x);
    out.diag_mut().fill(0.0);
    out
}

/// The median of ‖x_i − x_j‖ over i < j; where more than half of these are 0, the median of the
/// others; nothing when all rows are equal. Past 2,000 rows every ⌈n/2000⌉-th is looked at.
///
/// The heuristic of Gretton et al., "A Kernel Two-Sample Test", JMLR 2012, Sec. 8.
pub fn median_distance(x: ArrayView2<'_, f64>) -> Option<f64> {
    const ROWS: usize = 2_000;
    let step = x.nrows().div_ceil(ROWS).max(1);
    let rows = x.slice_axis(Axis(0), ndarray::Slice::new(0, None, step as isize));
    let factor = distances::safe_factor(moments::largest(rows));
    let d2 = match factor {
        1.0 => squared_distances_within(rows),
        _ => squared_distances_within((&rows * factor).view()),
    };
    let mut all: Vec<f64> = (0..d2.nrows())
        .flat_map(|i| d2.row(i).to_vec().split_off(i + 1))
        .map(|d2| d2.sqrt() / factor)
        .collect();
    match median(&mut all) {
        Some(m) if m > 0.0 => Some(m),
        _ => {
            all.retain(|&d| d > 0.0);
            median(&mut all)
        }
    }
}

/// The median, the mean of the middle two for an even number; nothing of nothing.
pub fn median(values: &mut [f64]) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, |a, b| a.total_cmp(b));
    match (n % 2, below.iter().copied().max_by(f64::total_cmp)) {
        (0, Some(lower)) => Some(f64::midpoint(lower, upper)),
        _ => Some(upper),
    }
}

/// Refuses a matrix past [`LIMIT`].
///
/// # Errors
/// [`Error::TooLarge`].
pub fn check_size(
    method: &'static str,
    rows: usize,
    columns: usize,
    advice: &'static str,
) -> Result<()> {
    let bytes = (rows as u64).saturating_mul(columns as u64).saturating_mul(8);
    match bytes <= LIMIT {
        true => Ok(()),
        false => Err(Error::TooLarge { method, rows, columns, limit: LIMIT, advice }),
    }
}

/// x ← f(x) for every entry, on all threads.
pub fn map_inplace(a: &mut Array2<f64>, f: impl Fn(f64) -> f64 + Sync + Send) {
    match a.as_slice_memory_order_mut() {
        Some(values) => parallel::for_each_piece(values, 1 << 14, |_, piece| {
            piece.iter_mut().for_each(|x| *x = f(*x));
        }),
        None => a.mapv_inplace(f),
    }
}

/// K ← H K H with H = I − 11ᵀ/n, of a square matrix.
pub fn centre(mut k: ArrayViewMut2<'_, f64>) {
    let n = k.nrows().max(1) as f64;
    let (rows, columns) = (k.sum_axis(Axis(1)) / n, k.sum_axis(Axis(0)) / n);
    let mean = rows.sum() / n;
    for (mut row, row_mean) in k.rows_mut().into_iter().zip(&rows) {
        for (value, column_mean) in row.iter_mut().zip(&columns) {
            *value += mean - row_mean - column_mean;
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn distances_by_hand_even_far_from_the_origin() {
        let x = array![[0.0, 0.0], [3.0, 4.0]];
        let d2 = array![[0.0, 25.0], [25.0, 0.0]];
        assert_abs_diff_eq!(squared_distances_within(x.view()), d2, epsilon = 1e-12);
        let far = x + 1e6;
        assert_abs_diff_eq!(squared_distances(far.view(), far.view()), d2, epsilon = 1e-8);
    }

    #[test]
    fn the_median_distance_overlooks_duplicates() {
        assert_eq!(median_distance(array![[0.0], [1.0], [3.0]].view()), Some(2.0));
        assert_eq!(median_distance(array![[0.0], [0.0], [0.0], [0.0], [3.0]].view()), Some(3.0));
        assert_eq!(median_distance(array![[0.1, 0.7], [0.1, 0.7]].view()), None);
        assert_eq!(median_distance(array![[1.0]].view()), None);
    }

    #[test]
    fn kernels_by_hand() {
        let (x, y) = (array![[0.0], [2.0]], array![[1.0]]);
        let gram = |kernel: Kernel| kernel.gram("test", x.view(), y.view()).unwrap();
        assert_eq!(gram(Kernel::Linear), array![[0.0], [2.0]]);
        let k = (-0.5f64).exp();
        assert_abs_diff_eq!(gram(Kernel::Gaussian { sigma: 1.0 }), array![[k], [k]]);
    }

    #[test]
    fn the_width_by_the_variance_of_all_numbers_by_hand() {
        // 0, 2, 4, 6: variance 5, so that γ = 1/10 in two columns and σ² = 5.
        let x = array![[0.0, 2.0], [4.0, 6.0]];
        let resolve = |x: &Array2<f64>| KernelChoice::GaussianByVariance.resolve("test", x.view());
        let Ok(Kernel::Gaussian { sigma }) = resolve(&x) else { panic!("a width") };
        assert_abs_diff_eq!(sigma, 5f64.sqrt(), epsilon = 1e-15);
        let Ok(Kernel::Gaussian { sigma }) = resolve(&(x * 1e-200)) else { panic!("a width") };
        assert_abs_diff_eq!(sigma * 1e200, 5f64.sqrt(), epsilon = 1e-15);
        assert!(matches!(resolve(&array![[3.0, 3.0]]), Err(Error::Degenerate { .. })));
    }

    #[test]
    fn a_matrix_past_the_limit_is_refused() {
        assert!(check_size("tca", 1 << 14, 1 << 14, "").is_ok());
        assert!(matches!(check_size("tca", 1 << 20, 1 << 20, ""), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn centring_takes_both_means_away() {
        let x = array![[1.0, 4.0, 2.0], [0.0, 3.0, 9.0], [5.0, 1.0, 1.0]];
        let h = Array2::<f64>::eye(3) - 1.0 / 3.0;
        let mut k = x.clone();
        centre(k.view_mut());
        assert_abs_diff_eq!(k, h.dot(&x).dot(&h), epsilon = 1e-12);
    }
}
