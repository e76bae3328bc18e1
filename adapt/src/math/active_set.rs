//! Convex quadratic programmes of few variables, by the primal active-set method.
//!
//! Nocedal & Wright, "Numerical Optimization", 2nd ed., Alg. 16.3:
//! ```text
//! minimise  ½ xᵀH x − fᵀx        x ≥ 0,  and Σ_i x_i = 1 where asked
//! ```
//! H `(k, k)` symmetric positive semi-definite, f `(k,)`. Every step is a Cholesky decomposition of
//! the free variables: made for k up to a few hundred.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::linalg::Cholesky;
use crate::error::{Error, Result};

/// The answer.
#[derive(Clone, Debug)]
pub struct Solution {
    /// x ≥ 0 `(k,)`.
    pub x: Array1<f64>,
    /// The largest violation of the KKT conditions, relative to the largest |f| or |H|.
    pub residual: f64,
    /// Steps.
    pub iterations: usize,
}

/// x ≥ 0, free in its sum.
///
/// # Errors
/// [`Error::Numerical`] if H is not positive semi-definite.
pub fn non_negative(h: &Array2<f64>, f: ArrayView1<'_, f64>) -> Result<Solution> {
    Problem::new(h, f, false).solve(Array1::zeros(f.len()))
}

/// x ≥ 0 with Σ x = 1.
///
/// # Errors
/// [`Error::Numerical`] if H is not positive semi-definite.
pub fn simplex(h: &Array2<f64>, f: ArrayView1<'_, f64>) -> Result<Solution> {
    let k = f.len();
    Problem::new(h, f, true).solve(Array1::from_elem(k, 1.0 / k as f64))
}

struct Problem<'a> {
    h: &'a Array2<f64>,
    f: ArrayView1<'a, f64>,
    sum: bool,
    /// The problem's unit: what counts as rounding.
    scale: f64,
}

impl<'a> Problem<'a> {
    fn new(h: &'a Array2<f64>, f: ArrayView1<'a, f64>, sum: bool) -> Self {
        let largest = |m: f64, v: &f64| m.max(v.abs());
        let scale = h.iter().fold(f.iter().fold(0.0, largest), largest).max(f64::MIN_POSITIVE);
        Self { h, f, sum, scale }
    }

    fn solve(&self, mut x: Array1<f64>) -> Result<Solution> {
        let k = x.len();
        let mut free: Vec<bool> = x.iter().map(|&x| x > 0.0).collect();
        let mut iterations = 0;
        // Each round ends at the minimum of a face that is lower than the last one's.
        while iterations < 100 * (k + 10) {
            iterations += 1;
            let indices: Vec<usize> = (0..k).filter(|&i| free[i]).collect();
            let z = self.minimum_of_face(&indices)?;
            // The first bound on the way from x to z.
            let blocked = indices
                .iter()
                .filter(|&&i| z[i] <= 0.0)
                .map(|&i| (i, x[i] / (x[i] - z[i]).max(f64::MIN_POSITIVE)))
                .min_by(|a, b| a.1.total_cmp(&b.1));
            match blocked {
                Some((i, way)) => {
                    x = &x + (&z - &x) * way.min(1.0);
                    x[i] = 0.0;
                    free[i] = false;
                }
                None => {
                    x = z;
                    let multipliers = self.multipliers(&x);
                    let bound = (0..k).filter(|&i| !free[i]);
                    let worst = bound.min_by(|&a, &b| multipliers[a].total_cmp(&multipliers[b]));
                    match worst {
                        Some(i) if multipliers[i] < -1e-12 * self.scale => free[i] = true,
                        _ => break,
                    }
                }
            }
        }
        let residual = self.residual(&x);
        Ok(Solution { x, residual, iterations })
    }

    /// The minimum over the free variables, the others 0.
    fn minimum_of_face(&self, free: &[usize]) -> Result<Array1<f64>> {
        let mut z = Array1::zeros(self.f.len());
        if free.is_empty() {
            return Ok(z);
        }
        let mut h = self.h.select(Axis(0), free).select(Axis(1), free);
        let cholesky = Cholesky::new(&h).or_else(|_| {
            // Makes a semi-definite H definite, far below what the data can tell.
            h.diag_mut().mapv_inplace(|v| v + 1e-13 * self.scale);
            Cholesky::new(&h).map_err(|_| Error::Numerical {
                what: "active-set method",
                reason: "the quadratic form is not positive semi-definite".to_owned(),
            })
        })?;
        let mut part = cholesky.solve_vector(self.f.select(Axis(0), free).view());
        if self.sum {
            let direction = cholesky.solve_vector(Array1::ones(free.len()).view());
            let multiplier = (part.sum() - 1.0) / direction.sum();
            part.scaled_add(-multiplier, &direction);
        }
        free.iter().zip(&part).for_each(|(&i, &value)| z[i] = value);
        Ok(z)
    }

    /// H x − f + ν: the bounds' multipliers, 0 on free variables at the minimum of a face.
    fn multipliers(&self, x: &Array1<f64>) -> Array1<f64> {
        let gradient = self.h.dot(x) - self.f;
        match self.sum {
            // ν from xᵀ(H x − f + ν) = 0 and Σ x = 1.
            true => &gradient - gradient.dot(x),
            false => gradient,
        }
    }

    fn residual(&self, x: &Array1<f64>) -> f64 {
        let multipliers = self.multipliers(x);
        let worst = multipliers.iter().zip(x).map(|(&m, &x)| match x > 0.0 {
            true => m.abs(),
            false => (-m).max(0.0),
        });
        worst.fold(0.0, f64::max) / self.scale
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn projections_by_hand() {
        let eye = Array2::eye(3);
        let on_orthant = non_negative(&eye, array![1.0, -2.0, 3.0].view()).unwrap();
        assert_abs_diff_eq!(on_orthant.x, array![1.0, 0.0, 3.0], epsilon = 1e-12);
        let on_simplex = simplex(&eye, array![0.9, 0.5, -1.0].view()).unwrap();
        assert_abs_diff_eq!(on_simplex.x, array![0.7, 0.3, 0.0], epsilon = 1e-12);
    }

    #[test]
    fn directions_without_curvature_do_no_harm() {
        let ones = Array2::ones((3, 3));
        let solution = simplex(&ones, array![1.0, 1.0, 0.0].view()).unwrap();
        assert_abs_diff_eq!(solution.x, array![0.5, 0.5, 0.0], epsilon = 1e-6);
        assert!(solution.residual <= 1e-9, "{solution:?}");
        assert!(non_negative(&array![[-1.0]], array![1.0].view()).is_err());
    }

    proptest! {
        /// The minimum over all faces, one after the other.
        #[test]
        fn the_answer_is_brute_forces(
            a in prop::collection::vec(-1.0..1.0f64, 16),
            f in prop::collection::vec(-1.0..1.0f64, 4),
            sum in any::<bool>(),
        ) {
            let a = Array2::from_shape_vec((4, 4), a).unwrap();
            let h = a.t().dot(&a) + Array2::<f64>::eye(4) * 0.1;
            let f = Array1::from(f);
            let problem = Problem::new(&h, f.view(), sum);
            let value = |x: &Array1<f64>| 0.5 * x.dot(&h.dot(x)) - f.dot(x);
            let best = (0..16usize)
                .filter(|&face| !sum || face > 0)
                .map(|face| {
                    let free: Vec<usize> = (0..4).filter(|i| face >> i & 1 == 1).collect();
                    problem.minimum_of_face(&free).unwrap()
                })
                .filter(|x| x.iter().all(|&x| x >= 0.0))
                .map(|x| value(&x))
                .fold(f64::INFINITY, f64::min);
            let solve = if sum { simplex } else { non_negative };
            let got = solve(&h, f.view()).unwrap();
            prop_assert!((value(&got.x) - best).abs() <= 1e-9);
            prop_assert!(got.residual <= 1e-9);
        }
    }
}
