//! Probabilities of a support vector machine: a sigmoid of its decisions, fitted to decisions on rows
//! that were left out.
//!
//! Platt, "Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized Likelihood
//! Methods", in "Advances in Large Margin Classifiers", 1999; minimised as in Lin, Lin & Weng, "A Note on
//! Platt's Probabilistic Outputs for Support Vector Machines", Machine Learning 2007:
//! ```text
//! p(second class | f) = 1 / (1 + exp(A f + B))
//! min_{A, B} − Σ_i (t_i log p_i + (1 − t_i) log(1 − p_i))
//! t_i = (n₊ + 1) / (n₊ + 2) for the n₊ rows of the second class, 1 / (n₋ + 2) for the others
//! ```
//! More classes are coupled from the pairs' r_ab = p(a | a or b), Wu, Lin & Weng, "Probability Estimates
//! for Multi-class Classification by Pairwise Coupling", JMLR 2004, second method:
//! ```text
//! min_p Σ_a Σ_{b ≠ a} (r_ba p_a − r_ab p_b)²        Σ_a p_a = 1
//! ```
//! Such probabilities need not agree with the machine's own votes, nor with the sign of f.

use ndarray::{Array1, Array2, ArrayView1};

/// Iterations of either fit.
const MOST: usize = 1000;

/// A and B.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sigmoid {
    a: f64,
    b: f64,
}

impl Sigmoid {
    /// Of decisions and whether each row is of the second class.
    pub(super) fn fit(decisions: &[f64], second: &[bool]) -> Self {
        let positive = second.iter().filter(|&&second| second).count() as f64;
        let negative = second.len() as f64 - positive;
        let targets: Vec<f64> = second
            .iter()
            .map(|&s| if s { (positive + 1.0) / (positive + 2.0) } else { 1.0 / (negative + 2.0) })
            .collect();
        let rows = || decisions.iter().copied().zip(targets.iter().copied());
        let loss = |s: Self| rows().map(|(f, t)| s.loss(f, t)).sum::<f64>();
        let mut now = Self { a: 0.0, b: ((negative + 1.0) / (positive + 1.0)).ln() };
        let mut value = loss(now);
        for _ in 0..MOST {
            let (mut g, mut h) = ([0.0; 2], [1e-12, 0.0, 1e-12]);
            for (f, t) in rows() {
                let p = now.probability(f);
                let (slope, curvature) = (t - p, p * (1.0 - p));
                g = [g[0] + f * slope, g[1] + slope];
                h = [h[0] + f * f * curvature, h[1] + f * curvature, h[2] + curvature];
            }
            if g.iter().all(|g| g.abs() < 1e-10) {
                break;
            }
            let determinant = h[0] * h[2] - h[1] * h[1];
            let da = -(h[2] * g[0] - h[1] * g[1]) / determinant;
            let db = -(h[0] * g[1] - h[1] * g[0]) / determinant;
            let fall = g[0] * da + g[1] * db;
            let mut step = 1.0;
            loop {
                let next = Self { a: now.a + step * da, b: now.b + step * db };
                let new = loss(next);
                if new < value + 1e-4 * step * fall {
                    (now, value) = (next, new);
                    break;
                }
                step /= 2.0;
                // No further down than rounding lets.
                if step < 1e-10 {
                    return now;
                }
            }
        }
        now
    }

    /// p(second class | f).
    pub(super) fn probability(self, f: f64) -> f64 {
        let z = self.a * f + self.b;
        if z >= 0.0 { (-z).exp() / (1.0 + (-z).exp()) } else { 1.0 / (1.0 + z.exp()) }
    }

    /// −t log p − (1 − t) log(1 − p).
    fn loss(self, f: f64, t: f64) -> f64 {
        let z = self.a * f + self.b;
        t * z + if z >= 0.0 { (-z).exp().ln_1p() } else { z.exp().ln_1p() - z }
    }
}

/// p `(m,)` of m classes from r_ab, in which p(b | a or b) of the pairs a < b is given.
pub(super) fn couple(
    m: usize,
    pairs: &[(usize, usize)],
    second: ArrayView1<'_, f64>,
) -> Array1<f64> {
    let mut r = Array2::<f64>::zeros((m, m));
    for (&(a, b), &p) in pairs.iter().zip(second) {
        // As libsvm has it: no pair is certain.
        let p = p.clamp(1e-7, 1.0 - 1e-7);
        (r[(b, a)], r[(a, b)]) = (p, 1.0 - p);
    }
    let q = Array2::from_shape_fn((m, m), |(a, b)| match a == b {
        true => (0..m).filter(|&c| c != a).map(|c| r[(c, a)] * r[(c, a)]).sum::<f64>(),
        false => -r[(b, a)] * r[(a, b)],
    });
    let mut p = Array1::from_elem(m, 1.0 / m as f64);
    for _ in 0..MOST {
        let qp = q.dot(&p);
        let mean = p.dot(&qp);
        if qp.iter().all(|v| (v - mean).abs() < 1e-13) {
            break;
        }
        for a in 0..m {
            // Exact along p_a, and scaled to sum 1.
            let qp = q.dot(&p);
            let step = (p.dot(&qp) - qp[a]) / q[(a, a)];
            p[a] += step;
            p /= 1.0 + step;
        }
    }
    p
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn a_sigmoid_through_two_places_by_hand() {
        // Two decisions, each with its share of rows: p is that share of the smoothed targets.
        let decisions = [1.0, 1.0, 1.0, 1.0, -1.0, -1.0];
        let second = [true, true, true, false, false, true];
        let sigmoid = Sigmoid::fit(&decisions, &second);
        let (high, low) = (5.0 / 6.0, 0.25);
        assert_abs_diff_eq!(sigmoid.probability(1.0), (3.0 * high + low) / 4.0, epsilon = 1e-9);
        assert_abs_diff_eq!(sigmoid.probability(-1.0), (high + low) / 2.0, epsilon = 1e-9);
    }

    #[test]
    fn decisions_that_tell_all_and_nothing_end() {
        let sigmoid = Sigmoid::fit(&[1e3, 2e3, -1e3], &[true, true, false]);
        assert!(sigmoid.probability(1e3) > 0.5 && sigmoid.probability(-1e3) < 0.5);
        let flat = Sigmoid::fit(&[0.0, 0.0, 0.0], &[true, false, false]);
        assert_abs_diff_eq!(flat.probability(0.0), (2.0 / 3.0 + 0.5) / 3.0, epsilon = 1e-6);
    }

    #[test]
    fn pairs_that_agree_couple_to_the_classes() {
        let p = array![0.5, 0.2, 0.3];
        let pairs = [(0, 1), (0, 2), (1, 2)];
        let second: Array1<f64> = pairs.iter().map(|&(a, b)| p[b] / (p[a] + p[b])).collect();
        assert_abs_diff_eq!(couple(3, &pairs, second.view()), p, epsilon = 1e-9);
        assert_abs_diff_eq!(
            couple(2, &[(0, 1)], array![0.8].view()),
            array![0.2, 0.8],
            epsilon = 1e-9
        );
    }
}
