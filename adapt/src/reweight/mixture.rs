//! The maximum-likelihood proportions of a mixture of known components.
//!
//! ```text
//! max f(π) = (1/n) Σ_j log Σ_l π_l A_jl    over π ≥ 0, Σ π = 1        A (n, b) ≥ 0
//! ```
//! The same π minimises −f(π) + Σ π over π ≥ 0 alone, whose optimality conditions are
//! 1 − q_l = z_l ≥ 0, z_l π_l = 0 with q_l = (1/n) Σ_j A_jl / (Aπ)_j. For every π of the simplex
//! max_l q_l − 1 bounds how far f is below its maximum, since f is concave and Σ π_l q_l = 1.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::math::linalg::{Cholesky, self_dot};

/// A step may take this share of the way to the boundary.
const FRACTION: f64 = 0.99;

/// μ falls to this share of the mean complementarity.
const CENTRING: f64 = 0.1;

const ITERATIONS: usize = 100;

/// Proportions and how good they are.
#[derive(Clone, Debug)]
pub(super) struct Proportions {
    /// π `(b,)`, > 0, of sum 1.
    pub(super) pi: Array1<f64>,
    /// f(π) where each row of A is divided by its largest entry.
    log_likelihood: f64,
    /// max q − 1 ≥ 0, up to rounding.
    pub(super) gap: f64,
    pub(super) iterations: usize,
}

/// From log A `(n, b)`, finite; stops at a [`Proportions::relative_gap`] of `tolerance`.
///
/// A primal-dual interior point: Newton's steps for 1 − q − z = 0 and z π = μ with μ → 0.
pub(super) fn proportions(log_a: ArrayView2<'_, f64>, tolerance: f64) -> Proportions {
    // A factor for every row adds a constant to f alone.
    let scales = log_a.map_axis(Axis(1), |row| row.iter().copied().fold(f64::MIN, f64::max));
    let a = (&log_a - &scales.view().insert_axis(Axis(1))).mapv(f64::exp);

    let b = a.ncols() as f64;
    let mut pi = Array1::from_elem(a.ncols(), 1.0 / b);
    let mut z = Array1::ones(a.ncols());
    let mut best: Option<Proportions> = None;
    for iteration in 0..=ITERATIONS {
        let point = Point::new(&a, pi.view());
        let now = point.normalised(&pi, iteration);
        let done = now.relative_gap() <= tolerance;
        if best.as_ref().is_none_or(|best| now.gap < best.gap) {
            best = Some(now);
        }
        if done || iteration == ITERATIONS {
            break;
        }
        let mu = CENTRING * pi.dot(&z) / b;
        let mut newton = point.hessian(&a);
        newton.diag_mut().zip_mut_with(&(&z / &pi), |h, barrier| *h += barrier);
        let Ok(cholesky) = lifted(newton) else { break };
        let right = &point.q - 1.0 + &pi.mapv(|pi| mu / pi);
        let d_pi = cholesky.solve_vector(right.view());
        let d_z = (mu - &z * &d_pi) / &pi - &z;

        let longest = longest(&pi, &d_pi).min(longest(&z, &d_z));
        let step = search(&a, [&pi, &z], [&d_pi, &d_z], &point, mu, longest);
        pi.scaled_add(step, &d_pi);
        z.scaled_add(step, &d_z);
    }
    best.unwrap_or(Proportions { pi, log_likelihood: 0.0, gap: f64::INFINITY, iterations: 0 })
}

impl Proportions {
    /// The gap over max(1, |f|), with f of rows whose largest entry is 1: a factor of a row moves f
    /// and no proportion, and must not hide a gap.
    pub(super) fn relative_gap(&self) -> f64 {
        self.gap / self.log_likelihood.abs().max(1.0)
    }
}

/// f's derivatives at π.
struct Point {
    /// Aπ `(n,)`.
    u: Array1<f64>,
    /// `(b,)`.
    q: Array1<f64>,
}

impl Point {
    fn new(a: &Array2<f64>, pi: ndarray::ArrayView1<'_, f64>) -> Self {
        let u = a.dot(&pi);
        let q = a.t().dot(&u.mapv(f64::recip)) / u.len() as f64;
        Self { u, q }
    }

    /// π / Σ π: q is divided by the inverse, and f rises or stays.
    fn normalised(&self, pi: &Array1<f64>, iterations: usize) -> Proportions {
        let sum = pi.sum();
        let largest = self.q.iter().copied().fold(0.0, f64::max);
        let log_likelihood = self.u.mapv(|u| (u / sum).ln()).mean().unwrap_or(0.0);
        Proportions { pi: pi / sum, log_likelihood, gap: sum * largest - 1.0, iterations }
    }

    /// (1/n) Σ_j A_j A_jᵀ / u_j² `(b, b)`.
    fn hessian(&self, a: &Array2<f64>) -> Array2<f64> {
        let scale = self.u.mapv(|u| 1.0 / (u * (self.u.len() as f64).sqrt()));
        let scaled = a * &scale.insert_axis(Axis(1));
        self_dot(&scaled)
    }

    /// The norm of what is left of the perturbed optimality conditions.
    fn residual(&self, pi: &Array1<f64>, z: &Array1<f64>, mu: f64) -> f64 {
        let dual = 1.0 - &self.q - z;
        let centring = pi * z - mu;
        (dual.dot(&dual) + centring.dot(&centring)).sqrt()
    }
}

/// The step that the residual falls for, by halving.
fn search(
    a: &Array2<f64>,
    [pi, z]: [&Array1<f64>; 2],
    [d_pi, d_z]: [&Array1<f64>; 2],
    from: &Point,
    mu: f64,
    longest: f64,
) -> f64 {
    let start = from.residual(pi, z, mu);
    let mut step = longest;
    for _ in 0..30 {
        let (next_pi, next_z) = (pi + &(d_pi * step), z + &(d_z * step));
        let next = Point::new(a, next_pi.view()).residual(&next_pi, &next_z, mu);
        if next <= (1.0 - 0.01 * step) * start {
            break;
        }
        step /= 2.0;
    }
    step
}

/// The longest step ≤ 1 that keeps v positive.
fn longest(v: &Array1<f64>, d: &Array1<f64>) -> f64 {
    let steps = v.iter().zip(d).filter(|(_, d)| **d < 0.0).map(|(v, d)| -FRACTION * v / d);
    steps.fold(1.0, f64::min)
}

/// Decomposes, with as small a multiple of the diagonal added as it takes.
fn lifted(mut h: Array2<f64>) -> crate::error::Result<Cholesky> {
    for _ in 0..6 {
        if let Ok(cholesky) = Cholesky::new(&h) {
            return Ok(cholesky);
        }
        h.diag_mut().mapv_inplace(|v| v * (1.0 + 1e-10) + f64::MIN_POSITIVE);
    }
    Cholesky::new(&h)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn proportions_by_hand() {
        let minus = f64::NEG_INFINITY;
        let apart = array![[0.0, minus], [0.0, minus], [0.0, minus], [minus, 0.0]];
        let fitted = proportions(apart.view(), 1e-10);
        assert_abs_diff_eq!(fitted.pi, array![0.75, 0.25], epsilon = 1e-8);
        // A dominated component has nothing.
        let dominated = array![[0.0, -1.0], [2.0, 1.5]];
        let fitted = proportions(dominated.view(), 1e-10);
        assert_abs_diff_eq!(fitted.pi, array![1.0, 0.0], epsilon = 1e-8);
        assert_abs_diff_eq!(fitted.log_likelihood, 0.0, epsilon = 1e-8);
    }

    /// A row's factor is as large as a narrow kernel's exponents are, and hides no gap.
    #[test]
    fn factors_of_rows_move_no_proportions() {
        let log_a = array![[0.0, -0.3], [-0.7, 0.0], [0.0, -1.5]];
        let expected = proportions(log_a.view(), 1e-10);
        let moved = &log_a + &array![[1e12], [-1e12], [0.0]];
        let fitted = proportions(moved.view(), 1e-10);
        assert!(fitted.relative_gap() <= 1e-10, "{}", fitted.gap);
        assert_abs_diff_eq!(fitted.pi, expected.pi, epsilon = 1e-3);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_gap_closes_and_expectation_maximisation_does_not_get_higher(
            log_a in prop::collection::vec(-8.0..8.0f64, 20 * 6),
        ) {
            let log_a = Array2::from_shape_vec((20, 6), log_a).unwrap();
            let fitted = proportions(log_a.view(), 1e-10);
            prop_assert!(fitted.relative_gap() <= 1e-10);
            prop_assert!(fitted.gap > -1e-12);
            assert_abs_diff_eq!(fitted.pi.sum(), 1.0, epsilon = 1e-12);

            let a = log_a.mapv(f64::exp);
            let mut pi = Array1::from_elem(6, 1.0 / 6.0);
            for _ in 0..500 {
                pi = &pi * &Point::new(&a, pi.view()).q;
            }
            let log_likelihood =
                |pi: &Array1<f64>| a.dot(pi).mapv(f64::ln).mean().unwrap();
            prop_assert!(log_likelihood(&fitted.pi) >= log_likelihood(&pi) - 1e-9);
        }
    }
}
