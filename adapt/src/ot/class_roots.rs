//! Entropic transport with the roots of the classes' masses as a penalty, by majorisation and
//! minimisation.
//!
//! ```text
//! F(P) = ⟨C, P⟩ + ε Σ P_ij (log P_ij − 1) + η Σ_j Σ_c (m_cj + δ)^½        P 1 = a, Pᵀ 1 = b
//! m_cj = Σ_{i ∈ I_c} P_ij,   I_c the rows of class c
//! P ← argmin ⟨C + η W, P⟩ + ε H(P)        W_ij = ½ (m_cj + δ)^(−½) of the last P, i ∈ I_c
//! ```
//! Courty, Flamary & Tuia, "Domain Adaptation with Regularized Optimal Transport", ECML PKDD 2014
//! (the ℓp–ℓ1 norm, p = ½). The root is concave: its tangent at the last plan is above it, so that F
//! never rises. It has other stationary points than its minimum; this one is reached from W = 0. A
//! round costs one transport problem.
//!
//! Differences from the paper:
//! 1. δ = 10⁻³ keeps the slope at m = 0 finite, as in the authors' code.
//! 2. It stops once the plan stays, not after 10 rounds.

use ndarray::{Array2, Zip};

use super::{
    Problem,
    memory::{self, check_memory},
    regularised::{Oracle, Penalised, Regularised, class_sums, entropy},
    sinkhorn::inner,
};
use crate::{
    certificate::{Certificate, Measure},
    check,
    domains::Labels,
    error::Result,
    progress::{Residual, report, within},
};

const NAME: &str = "transport with class roots";

/// δ, in units of mass.
const DELTA: f64 = 1e-3;

/// η Σ_j Σ_c (m_cj + δ)^½: every target row gets its mass from few classes, more sharply than by
/// [`GroupLasso`](super::regularised::GroupLasso).
#[derive(Clone, Copy, Debug)]
pub struct ClassRoots<'a> {
    /// A class for every row of the plan.
    pub labels: Labels<'a>,
    /// η ≥ 0.
    pub weight: f64,
}

impl ClassRoots<'_> {
    /// (m_cj + δ)^½, `(k, m)`.
    fn roots(&self, plan: &Array2<f64>) -> Array2<f64> {
        class_sums(self.labels, plan, |p| p).mapv(|mass| (mass + DELTA).sqrt())
    }

    /// The penalty of P `(n, m)`.
    pub fn value(&self, plan: &Array2<f64>) -> f64 {
        self.weight * self.roots(plan).sum()
    }

    /// C + η W.
    fn majorised(&self, problem: &Problem<'_>, plan: &Array2<f64>) -> Array2<f64> {
        let roots = self.roots(plan);
        let mut cost = problem.cost().to_owned();
        for (mut row, &class) in cost.rows_mut().into_iter().zip(self.labels.of) {
            row.zip_mut_with(&roots.row(class), |c, root| *c += 0.5 * self.weight / root);
        }
        cost
    }
}

/// A plan at which F is stationary. `tolerance` is the share of the mass that the last round moved.
///
/// # Errors
/// Those of [`regularised`](super::regularised::regularised), and [`Error::Config`] for a weight
/// below 0.
///
/// [`Error::Config`]: crate::error::Error::Config
pub fn class_roots(
    problem: &Problem<'_>,
    penalty: &ClassRoots<'_>,
    options: &Regularised,
) -> Result<Penalised> {
    let &Regularised { epsilon, tolerance, max_rounds } = options;
    check::non_negative(NAME, "epsilon", epsilon)?;
    check::non_negative(NAME, "weight", penalty.weight)?;
    let (n, m) = problem.dim();
    check_memory(NAME, &[(memory::CLASS_ROOTS, n, m)], "use fewer rows")?;
    let mut oracle = Oracle::new(epsilon);
    let mut plan = within(|| oracle.best(problem))?;
    let (mut rounds, mut moved) = (0, f64::INFINITY);
    while rounds < max_rounds && moved > tolerance {
        let cost = penalty.majorised(problem, &plan);
        let next = within(|| oracle.best(&problem.with_cost(cost.view())?))?;
        // What leaves an entry enters another.
        let change = Zip::from(&next).and(&plan).fold(0.0, |sum, a, b| sum + (a - b).abs());
        moved = change / (2.0 * problem.a().sum());
        plan = next;
        rounds += 1;
        let residual = Residual { now: moved, wanted: tolerance };
        report(NAME, rounds, Some(max_rounds), Some(residual));
    }
    let cost = inner(problem, &plan);
    let entropic = if epsilon > 0.0 { epsilon * entropy(&plan) } else { 0.0 };
    let objective = cost + entropic + penalty.value(&plan);
    let solver = "majorisation and minimisation";
    let certificate = Certificate::new(solver, rounds, Measure::Change, moved, tolerance);
    Ok(Penalised { plan, cost, objective, certificate })
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{array, s};
    use proptest::prelude::*;

    use super::*;
    use crate::ot::{Sinkhorn, sinkhorn};

    const LABELS: Labels<'_> = Labels { of: &[0, 0, 1, 1], classes: 2 };

    #[test]
    fn classes_share_a_target_row_by_hand() {
        // Masses of class 0 in the columns: 0.4 and 0.1; of class 1: 0.1 and 0.4.
        let plan = array![[0.3, 0.0], [0.1, 0.1], [0.1, 0.2], [0.0, 0.2]];
        let penalty = ClassRoots { labels: LABELS, weight: 2.0 };
        let roots = [0.401f64, 0.101, 0.101, 0.401].map(f64::sqrt);
        assert_abs_diff_eq!(penalty.value(&plan), 2.0 * roots.iter().sum::<f64>(), epsilon = 1e-14);
        let cost = Array2::ones((4, 2));
        let problem = Problem::uniform(cost.view()).unwrap();
        let slopes = penalty.majorised(&problem, &plan) - 1.0;
        assert_abs_diff_eq!(slopes[(0, 0)], 1.0 / roots[0], epsilon = 1e-14);
        assert_abs_diff_eq!(slopes[(3, 1)], 1.0 / roots[3], epsilon = 1e-14);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_objective_falls_and_the_plan_solves_its_own_tangent(
            cost in prop::collection::vec(0.0..4.0f64, 20),
            weight in 0.0..0.5f64,
        ) {
            let cost = Array2::from_shape_vec((4, 5), cost).unwrap();
            let problem = Problem::uniform(cost.view()).unwrap();
            let penalty = ClassRoots { labels: LABELS, weight };
            let run = |max_rounds| {
                let options = Regularised { epsilon: 0.5, tolerance: 1e-10, max_rounds };
                class_roots(&problem, &penalty, &options).unwrap()
            };
            let objectives: Vec<f64> = (0..6).map(|rounds| run(rounds).objective).collect();
            prop_assert!(objectives.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9));
            let ended = run(2_000);
            prop_assert!(ended.certificate.converged, "{:?}", ended.certificate);
            let tangent = penalty.majorised(&problem, &ended.plan);
            let own = Problem::uniform(tangent.view()).unwrap();
            let options = Sinkhorn { epsilon: 0.5, tolerance: 1e-12, max_rounds: 10_000 };
            let own = sinkhorn(&own, &options).unwrap().plan;
            assert_abs_diff_eq!(own, ended.plan, epsilon = 1e-7);
        }
    }

    #[test]
    fn a_large_weight_leaves_a_class_a_target_row() {
        let cost = array![[0.0, 1.0], [0.5, 1.0], [1.0, 0.5], [1.0, 0.0]];
        let problem = Problem::uniform(cost.view()).unwrap();
        let of = |weight| {
            let penalty = ClassRoots { labels: LABELS, weight };
            let options = Regularised { epsilon: 0.5, tolerance: 1e-9, max_rounds: 1_000 };
            class_roots(&problem, &penalty, &options).unwrap().plan
        };
        let astray = |plan: Array2<f64>| plan.slice(s![2.., 0]).sum();
        assert!(astray(of(0.0)) > 0.09);
        assert!(astray(of(1.0)) < 1e-9);
    }
}
