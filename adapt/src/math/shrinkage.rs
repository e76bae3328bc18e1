//! Covariances that are shrunk towards uncorrelated columns.
//!
//! Ledoit & Wolf, "A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices", Journal of
//! Multivariate Analysis 2004, Eq. 14, of columns that are scaled to variance 1 and scaled back:
//! ```text
//! C = D ((1 − δ) S + δ m I) D        S = ZᵀZ / n,  z_i = D⁻¹ (x_i − x̄),  m = tr(S) / d
//! δ = min(b̄², d²) / d²               d² = ‖S − m I‖²_F,  b̄² = Σ_i ‖z_i z_iᵀ − S‖²_F / n²
//! ```
//! X `(n, d)`, D the columns' standard deviations, of normaliser n as S is. A column of one value has
//! D = 0, and no covariance. scikit-learn's discriminant analysis calls this `shrinkage="auto"`.

use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{linalg, moments};

/// How a covariance is shrunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shrinkage {
    /// Not at all.
    #[default]
    None,
    /// Towards uncorrelated columns, by as much as the rows' own spread asks for; with n in the
    /// denominator.
    LedoitWolf,
}

/// C `(d, d)`.
pub(crate) fn ledoit_wolf(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let deviations = moments::deviations(x, 0);
    let inverse = deviations.mapv(|s| if s > 0.0 { s.recip() } else { 0.0 });
    let z = (&x - &moments::mean(x)) * &inverse;
    let (n, d) = (x.nrows() as f64, x.ncols() as f64);
    let mut s = linalg::scatter(z.view(), Array1::zeros(x.ncols()).view()) / n;
    let mean = s.diag().sum() / d;
    // ‖S − m I‖² = ‖S‖² − d m², and Σ ‖z zᵀ − S‖² = Σ ‖z‖⁴ − n ‖S‖².
    let squares = s.iter().map(|v| v * v).sum::<f64>();
    let distance = squares - d * mean * mean;
    let fourth = z.rows().into_iter().map(|z| z.dot(&z).powi(2)).sum::<f64>();
    let spread = (fourth / n - squares) / n;
    let delta = if distance > 0.0 { (spread.max(0.0) / distance).min(1.0) } else { 0.0 };
    s.mapv_inplace(|v| (1.0 - delta) * v);
    s.diag_mut().mapv_inplace(|v| v + delta * mean);
    let column = deviations.clone().insert_axis(ndarray::Axis(1));
    s * &deviations * &column
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn a_correlation_by_hand() {
        // z = (1, 1), (1, −1), (−1, 1), (−1, −1), (1, 1), (−1, −1): S₁₂ = 1/3, ‖z‖⁴ = 4.
        // d² = 2/9, b̄² = (4 − 20/9) / 6 = 8/27: all of the correlation goes.
        let z = array![[1., 1.], [1., -1.], [-1., 1.], [-1., -1.], [1., 1.], [-1., -1.]];
        let x = &z * &array![2.0, 5.0] + &array![7.0, -3.0];
        assert_abs_diff_eq!(ledoit_wolf(x.view()), array![[4., 0.], [0., 25.]], epsilon = 1e-12);
        // Four times these rows: b̄² = 2/27, δ = 1/3.
        let rows: Vec<usize> = (0..24).map(|i| i % 6).collect();
        let x = x.select(ndarray::Axis(0), &rows);
        let expected = array![[4.0, 10.0 * 2.0 / 9.0], [10.0 * 2.0 / 9.0, 25.0]];
        assert_abs_diff_eq!(ledoit_wolf(x.view()), expected, epsilon = 1e-12);
    }

    #[test]
    fn columns_of_one_value_have_no_covariance() {
        let x = array![[1.0, 3.0], [2.0, 3.0], [4.0, 3.0]];
        let c = ledoit_wolf(x.view());
        assert_eq!((c[(0, 1)], c[(1, 1)]), (0.0, 0.0));
        assert_eq!(
            ledoit_wolf(Array2::from_elem((3, 2), 0.1).view()),
            array![[0.0, 0.0], [0.0, 0.0]]
        );
    }
}
