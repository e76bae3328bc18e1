//! How far the first two moments of two domains lie apart, whatever the columns' units.
//!
//! ```text
//! means        ‖(x̄_s − x̄_t) / σ_t‖ / √d
//! covariances  ‖C_s − C_t‖_F / ‖C_t‖_F        C = (X − 1x̄ᵀ)ᵀ(X − 1x̄ᵀ) / n of columns divided by σ_t
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`, σ_t `(d,)` the target's deviations with n_t; columns in which the
//! target does not vary are left out. ‖C_s − C_t‖_F is what CORAL makes small (Sun, Feng & Saenko,
//! "Return of Frustratingly Easy Domain Adaptation", AAAI 2016, Eq. 1).

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::math::{
    linalg::{dot, frobenius, self_dot},
    moments,
};

/// |x̄_s − x̄_t| / σ_t of every column, `(d,)`; nothing where the target does not vary.
pub(crate) fn between_means(
    source: &Array1<f64>,
    target: &Array1<f64>,
    deviations: &Array1<f64>,
) -> Vec<Option<f64>> {
    let of =
        |j: usize| (deviations[j] > 0.0).then(|| ((source[j] - target[j]) / deviations[j]).abs());
    (0..deviations.len()).map(of).collect()
}

/// Of the gaps that there are; 0 without one.
pub(crate) fn root_mean_square(gaps: &[Option<f64>]) -> f64 {
    let squares: Vec<f64> = gaps.iter().flatten().map(|gap| gap * gap).collect();
    (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt()
}

/// The most rows and columns of a matrix of products.
const MOST: usize = 2048;

/// Distances between two domains.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// |x̄_s − x̄_t| / σ_t of every column, `(d,)`; nothing where the target does not vary.
    pub columns: Vec<Option<f64>>,
    /// Their root mean square; 0 without one.
    pub means: f64,
    /// Of the covariances; nothing past 2,048 columns and as many rows, where it would take too long.
    pub covariances: Option<f64>,
}

impl Gap {
    /// Between rows of one space, X_s and X_t.
    pub fn between(source: ArrayView2<'_, f64>, target: ArrayView2<'_, f64>) -> Self {
        let deviations = moments::deviations(target, 0);
        let varying: Vec<usize> = (0..deviations.len()).filter(|&j| deviations[j] > 0.0).collect();
        let scale = deviations.select(Axis(0), &varying);
        let columns = between_means(&moments::mean(source), &moments::mean(target), &deviations);
        let centred = |x: ArrayView2<'_, f64>| -> Array2<f64> {
            let mut x = x.select(Axis(1), &varying) / &scale;
            x -= &moments::mean(x.view());
            x
        };
        let covariances = between_covariances(&centred(source), &centred(target));
        Self { means: root_mean_square(&columns), columns, covariances }
    }
}

/// Of centred rows.
fn between_covariances(source: &Array2<f64>, target: &Array2<f64>) -> Option<f64> {
    let (n_s, n_t, d) = (source.nrows() as f64, target.nrows() as f64, source.ncols());
    if d <= MOST {
        let (c_s, c_t) = (self_dot(source) / n_s, self_dot(target) / n_t);
        return Some(
            frobenius((&c_s - &c_t).view()) / frobenius(c_t.view()).max(f64::MIN_POSITIVE),
        );
    }
    // ⟨AᵀA, BᵀB⟩ = ‖A Bᵀ‖².
    (source.nrows().max(target.nrows()) <= MOST).then(|| {
        let product = |a: &Array2<f64>, b: &Array2<f64>| frobenius(dot(a, &b.t()).view()).powi(2);
        let (s, t) = (product(source, source) / (n_s * n_s), product(target, target) / (n_t * n_t));
        let square = s - 2.0 * product(source, target) / (n_s * n_t) + t;
        (square.max(0.0) / t.max(f64::MIN_POSITIVE)).sqrt()
    })
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use ndarray::array;

    use super::*;

    #[test]
    fn moments_by_hand() {
        // The target: mean 4, deviation 2; a column of one value is left out.
        let (xs, xt) = (array![[0.0, 0.1], [4.0, 0.1]], array![[2.0, 0.1], [6.0, 0.1]]);
        let gap = Gap::between(xs.view(), xt.view());
        assert_eq!((&gap.columns[..], gap.means), (&[Some(1.0), None][..], 1.0));
        assert_eq!(gap.covariances, Some(0.0));
        // Variances 16 and 4: in the target's, 4 and 1.
        let gap = Gap::between(array![[0.0], [8.0]].view(), array![[2.0], [6.0]].view());
        assert_eq!((gap.means, gap.covariances), (0.0, Some(3.0)));
    }

    #[test]
    fn the_units_of_the_columns_change_nothing() {
        let xs = Array2::from_shape_fn((9, 3), |(i, j)| ((i * i * 7 + j * 5 + i * j) % 13) as f64);
        let xt = Array2::from_shape_fn((7, 3), |(i, j)| ((i * 5 + j * j * 3 + 2) % 11) as f64);
        let units = array![1.0, 2f64.powi(600), 2f64.powi(-30)];
        let expected = Gap::between(xs.view(), xt.view());
        assert_eq!(Gap::between((&xs * &units).view(), (&xt * &units).view()), expected);
    }

    #[test]
    fn many_columns_are_compared_by_products_of_rows() {
        let wide = |n: usize, by: usize| {
            Array2::from_shape_fn((n, MOST + 1), |(i, j)| ((i * j * by + i + j) % 17) as f64)
        };
        let (mut xs, mut xt) = (wide(5, 3), wide(4, 7));
        for x in [&mut xs, &mut xt] {
            *x -= &moments::mean(x.view());
        }
        let (c_s, c_t) = (self_dot(&xs) / 5.0, self_dot(&xt) / 4.0);
        let expected = frobenius((&c_s - &c_t).view()) / frobenius(c_t.view());
        assert_relative_eq!(between_covariances(&xs, &xt).unwrap(), expected, max_relative = 1e-9);
        assert_abs_diff_eq!(between_covariances(&xt, &xt).unwrap(), 0.0, epsilon = 1e-7);
    }
}
