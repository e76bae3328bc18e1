//! Limited-memory BFGS for smooth functions of many variables.
//!
//! Nocedal & Wright, "Numerical Optimization", 2nd ed., Alg. 7.4 and 7.5, with a line search by
//! bisection for the weak Wolfe conditions (Lewis & Overton, "Nonsmooth Optimization via
//! Quasi-Newton Methods", Math. Program. 2013, Alg. 2.6):
//! ```text
//! f(x + αp) ≤ f(x) + c₁ α gᵀp        ∇f(x + αp)ᵀp ≥ c₂ gᵀp        c₁ = 10⁻⁴, c₂ = 0.9
//! ```
//! Where f no longer changes beyond rounding, the first condition is judged by slopes (Hager &
//! Zhang, "A New Conjugate Gradient Method with Guaranteed Descent", SIAM J. Optim. 2005, Eq. 4.3),
//! so that gradients far below √ε of f are reached.

use std::collections::VecDeque;

use ndarray::Array1;

use crate::progress::{Residual, report};

/// Pairs of steps and gradient changes that are kept.
const MEMORY: usize = 10;
const ARMIJO: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Trials of one line search.
const TRIALS: usize = 50;

/// Where the minimiser stopped.
#[derive(Clone, Debug)]
pub struct Minimum {
    /// x `(n,)`.
    pub x: Array1<f64>,
    /// f(x).
    pub value: f64,
    /// ‖∇f(x)‖∞ / max(1, |f(x)|).
    pub residual: f64,
    /// Iterations used.
    pub iterations: usize,
}

/// Minimises f from x, where `f` gives f(x) and ∇f(x), until ‖∇f‖∞ ≤ `tolerance` · max(1, |f|), at
/// most `iterations` steps. It also stops where no step goes down any more.
pub fn minimise(
    mut f: impl FnMut(&Array1<f64>) -> (f64, Array1<f64>),
    x: Array1<f64>,
    tolerance: f64,
    iterations: usize,
) -> Minimum {
    let (value, gradient) = f(&x);
    let mut at = Point { x, value, gradient };
    let mut history = History::default();
    let mut done = 0;
    while done < iterations && at.residual() > tolerance {
        let mut direction = history.direction(&at.gradient);
        if at.gradient.dot(&direction) >= 0.0 {
            history = History::default();
            direction = -&at.gradient;
        }
        // Before the scale of f is known, a step of length 1 at most.
        let first = match history.pairs.is_empty() {
            true => (1.0 / norm(&at.gradient)).min(1.0),
            false => 1.0,
        };
        let Some(next) = search(&mut f, &at, &direction, first) else { break };
        history.push(&next.x - &at.x, &next.gradient - &at.gradient);
        at = next;
        done += 1;
        let now = Residual { now: at.residual(), wanted: tolerance };
        report("L-BFGS", done, Some(iterations), Some(now));
    }
    let residual = at.residual();
    Minimum { x: at.x, value: at.value, residual, iterations: done }
}

struct Point {
    x: Array1<f64>,
    value: f64,
    gradient: Array1<f64>,
}

impl Point {
    fn residual(&self) -> f64 {
        largest(&self.gradient) / self.value.abs().max(1.0)
    }
}

/// A point along `direction` that meets both conditions; nothing where rounding hides all descent.
fn search(
    f: &mut impl FnMut(&Array1<f64>) -> (f64, Array1<f64>),
    from: &Point,
    direction: &Array1<f64>,
    first: f64,
) -> Option<Point> {
    let slope = from.gradient.dot(direction);
    let rounding = 1e-12 * from.value.abs();
    let (mut low, mut high, mut step) = (0.0, f64::INFINITY, first);
    for _ in 0..TRIALS {
        let mut x = from.x.clone();
        x.scaled_add(step, direction);
        let (value, gradient) = f(&x);
        let new_slope = gradient.dot(direction);
        let descends = value <= from.value + ARMIJO * step * slope;
        let flat = value <= from.value + rounding && new_slope <= (2.0 * ARMIJO - 1.0) * slope;
        // Not `value > …`: a NaN is no descent.
        if !(descends || flat) {
            high = step;
        } else if new_slope < CURVATURE * slope {
            low = step;
        } else {
            return Some(Point { x, value, gradient });
        }
        step = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * low };
    }
    None
}

/// The last steps s and gradient changes y, which stand for the inverse Hessian.
#[derive(Default)]
struct History {
    pairs: VecDeque<Pair>,
}

struct Pair {
    s: Array1<f64>,
    y: Array1<f64>,
    /// 1 / sᵀy.
    rho: f64,
}

impl History {
    fn push(&mut self, s: Array1<f64>, y: Array1<f64>) {
        let curvature = s.dot(&y);
        // The inverse Hessian stays positive definite.
        if curvature > f64::EPSILON * norm(&s) * norm(&y) {
            if self.pairs.len() == MEMORY {
                self.pairs.pop_front();
            }
            self.pairs.push_back(Pair { s, y, rho: 1.0 / curvature });
        }
    }

    /// −H g by the two-loop recursion.
    fn direction(&self, gradient: &Array1<f64>) -> Array1<f64> {
        let mut q = -gradient;
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for Pair { s, y, rho } in self.pairs.iter().rev() {
            let alpha = rho * s.dot(&q);
            q.scaled_add(-alpha, y);
            alphas.push(alpha);
        }
        if let Some(Pair { y, rho, .. }) = self.pairs.back() {
            q /= rho * y.dot(y);
        }
        for (Pair { s, y, rho }, alpha) in self.pairs.iter().zip(alphas.into_iter().rev()) {
            let beta = rho * y.dot(&q);
            q.scaled_add(alpha - beta, s);
        }
        q
    }
}

fn norm(x: &Array1<f64>) -> f64 {
    x.dot(x).sqrt()
}

fn largest(x: &Array1<f64>) -> f64 {
    x.fold(0.0, |largest: f64, v| largest.max(v.abs()))
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    /// Σ 100 (x_{i+1} − x_i²)² + (1 − x_i)², least at 1 everywhere.
    fn rosenbrock(x: &Array1<f64>) -> (f64, Array1<f64>) {
        let (mut value, mut gradient) = (0.0, Array1::zeros(x.len()));
        for i in 0..x.len() - 1 {
            let (bend, gap) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
            value += 100.0 * bend * bend + gap * gap;
            gradient[i] += -400.0 * bend * x[i] - 2.0 * gap;
            gradient[i + 1] += 200.0 * bend;
        }
        (value, gradient)
    }

    #[test]
    fn the_bent_valley_is_followed_to_its_end() {
        let found = minimise(rosenbrock, Array1::from_elem(50, -1.2), 1e-10, 1000);
        assert_abs_diff_eq!(found.x, Array1::ones(50), epsilon = 1e-8);
        assert!(found.residual <= 1e-10 && found.iterations < 500, "{found:?}");
    }

    #[test]
    fn gradients_far_below_the_root_of_rounding_are_reached() {
        // f = 10⁶ + ½ Σ i x_i²: its values say nothing once x is about 10⁻⁵.
        let f = |x: &Array1<f64>| {
            let scales = Array1::from_shape_fn(x.len(), |i| (i + 1) as f64);
            (1e6 + 0.5 * (x * x).dot(&scales), x * &scales)
        };
        let found = minimise(f, Array1::from_elem(30, 3.0), 1e-15, 500);
        assert!(largest(&found.x) <= 1e-8, "{found:?}");
    }

    #[test]
    fn a_minimum_is_left_alone() {
        let found = minimise(rosenbrock, Array1::ones(3), 1e-12, 10);
        assert_eq!((found.iterations, found.value), (0, 0.0));
    }
}
