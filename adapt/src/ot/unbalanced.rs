//! Unbalanced entropic transport: marginals are preferred, not demanded.
//!
//! ```text
//! min ⟨C, P⟩ + ε KL(P ‖ abᵀ) + ρ KL(P 1 ‖ a) + ρ KL(Pᵀ 1 ‖ b)
//! KL(x ‖ y) = Σ x log(x / y) − x + y
//! ```
//! Chizat, Peyré, Schmitzer & Vialard, "Scaling Algorithms for Unbalanced Optimal Transport
//! Problems", Mathematics of Computation 2018, Sec. 4.2. Mass that has far to go is left out; large
//! ρ comes back to balanced transport, where the sums of a and b are equal.
//!
//! Differences from the paper: none. The reference abᵀ is one of those it allows.

use ndarray::{Array1, Array2, Axis};

use super::{
    Problem,
    memory::{self, check_memory},
    scaling::{Scaling, Side},
    sinkhorn::{check_epsilon, inner},
};
use crate::{
    certificate::{Certificate, Measure},
    check,
    error::Result,
};

const NAME: &str = "unbalanced sinkhorn";

/// The options of [`unbalanced`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unbalanced {
    /// ε > 0, in units of cost.
    pub epsilon: f64,
    /// ρ > 0, in units of cost.
    pub marginals: f64,
    /// The largest change of a log scaling that ends the rounds.
    pub tolerance: f64,
    /// The most rounds.
    pub max_rounds: usize,
}

impl Default for Unbalanced {
    fn default() -> Self {
        Self { epsilon: 1.0, marginals: 1.0, tolerance: 1e-9, max_rounds: 10_000 }
    }
}

/// A plan whose marginals are near a and b.
#[derive(Clone, Debug)]
pub struct Relaxed {
    /// P `(n, m)`.
    pub plan: Array2<f64>,
    /// ⟨C, P⟩.
    pub cost: f64,
    /// The whole objective.
    pub objective: f64,
    /// [`Measure::Change`] of the log scalings in the last round.
    pub certificate: Certificate,
}

/// The plan that minimises the objective.
///
/// # Errors
/// [`Error::Config`] for options out of range, [`Error::Memory`].
///
/// [`Error::Config`]: crate::error::Error::Config
/// [`Error::Memory`]: crate::error::Error::Memory
pub fn unbalanced(problem: &Problem<'_>, options: &Unbalanced) -> Result<Relaxed> {
    let &Unbalanced { epsilon, marginals, tolerance, max_rounds } = options;
    check_epsilon(NAME, problem, epsilon)?;
    check::positive(NAME, "marginals", marginals)?;
    let (n, m) = problem.dim();
    check_memory(NAME, &[(memory::UNBALANCED, n, m)], "use fewer rows")?;
    let exponent = marginals / (marginals + epsilon);
    // ε KL(P ‖ abᵀ) is the entropy ε Σ P (log P − 1) at the cost C − ε log abᵀ, up to a constant.
    let (log_a, log_b) = (problem.a().mapv(f64::ln), problem.b().mapv(f64::ln));
    let mut shifted = problem.cost().to_owned();
    for ((i, j), c) in shifted.indexed_iter_mut() {
        let log = log_a[i] + log_b[j];
        *c = if log.is_finite() { *c - epsilon * log } else { 0.0 };
    }
    let side = |masses: Array1<f64>| Side { masses, exponent };
    let (a, b) = (side(problem.a().to_owned()), side(problem.b().to_owned()));
    let costs = shifted.as_slice().unwrap_or_default();
    let mut scaling = Scaling::new(costs, epsilon, a, b, None);
    let ended = scaling.run(NAME, tolerance, max_rounds);
    let (plan, ..) = scaling.finish();
    let cost = inner(problem, &plan);
    let objective = cost + penalties(problem, &plan, epsilon, marginals);
    let certificate =
        Certificate::new(NAME, ended.rounds, Measure::Change, ended.residual, tolerance);
    Ok(Relaxed { plan, cost, objective, certificate })
}

fn penalties(problem: &Problem<'_>, plan: &Array2<f64>, epsilon: f64, rho: f64) -> f64 {
    let (a, b) = (problem.a(), problem.b());
    let entropy: f64 = plan.indexed_iter().map(|((i, j), &p)| kl(p, a[i] * b[j])).sum();
    let rows: f64 = plan.sum_axis(Axis(1)).iter().zip(a).map(|(&p, &a)| kl(p, a)).sum();
    let columns: f64 = plan.sum_axis(Axis(0)).iter().zip(b).map(|(&p, &b)| kl(p, b)).sum();
    epsilon * entropy + rho * (rows + columns)
}

fn kl(x: f64, y: f64) -> f64 {
    if x > 0.0 { x * (x / y).ln() - x + y } else { y }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;
    use crate::ot::{Sinkhorn, sinkhorn};

    #[test]
    fn one_point_each_by_hand() {
        // d/dp of p c + ε p log(p/ab) + ρ p (log(p/a) + log(p/b)) − (ε + 2ρ) p is 0.
        let (a, b, c, epsilon, rho) = (2.0, 0.5, 0.7, 0.3, 1.5);
        let problem_cost = array![[c]];
        let (masses_a, masses_b) = (array![a], array![b]);
        let problem = Problem::new(masses_a.view(), masses_b.view(), problem_cost.view()).unwrap();
        let options = Unbalanced { epsilon, marginals: rho, tolerance: 1e-14, max_rounds: 10_000 };
        let relaxed = unbalanced(&problem, &options).unwrap();
        let log = ((epsilon + rho) * f64::ln(a * b) - c) / (epsilon + 2.0 * rho);
        assert_abs_diff_eq!(relaxed.plan[(0, 0)], log.exp(), epsilon = 1e-12);
        assert!(relaxed.certificate.converged);
    }

    #[test]
    fn strict_marginals_come_back_to_sinkhorn_and_small_steps_do_not_help() {
        let cost = Array2::from_shape_fn((4, 5), |(i, j)| ((i * 7 + j * 3) % 5) as f64);
        let problem = Problem::uniform(cost.view()).unwrap();
        let strict =
            Unbalanced { epsilon: 0.5, marginals: 1e7, tolerance: 1e-12, max_rounds: 10_000 };
        let balanced =
            sinkhorn(&problem, &Sinkhorn { epsilon: 0.5, ..Sinkhorn::default() }).unwrap();
        let relaxed = unbalanced(&problem, &strict).unwrap();
        assert_abs_diff_eq!(relaxed.plan, balanced.plan, epsilon = 1e-5);

        let options = Unbalanced { epsilon: 0.05, marginals: 0.5, ..strict };
        let relaxed = unbalanced(&problem, &options).unwrap();
        for i in 0..4 {
            for (j, factor) in [(0, 1.01), (1, 0.99), (4, 1.01)] {
                let mut other = relaxed.plan.clone();
                other[(i, j)] *= factor;
                let value = inner(&problem, &other) + penalties(&problem, &other, 0.05, 0.5);
                assert!(value >= relaxed.objective - 1e-12);
            }
        }
    }
}
