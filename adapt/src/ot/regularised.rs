//! Transport with a convex differentiable penalty on the plan, by generalised conditional gradient.
//!
//! ```text
//! min F(P) = ⟨C, P⟩ + ε H(P) + Ω(P)        H(P) = Σ P_ij (log P_ij − 1), P 1 = a, Pᵀ 1 = b
//! G = C + ∇Ω(P)
//! S = argmin ⟨G, S⟩ + ε H(S)               Sinkhorn, or exact transport for ε = 0
//! P ← P + t (S − P)                        t by a line search on [0, 1]
//! gap = ⟨G, P − S⟩ + ε (H(P) − H(S)) ≥ F(P) − min F
//! ```
//! Courty, Flamary, Tuia & Rakotomamonjy, "Optimal Transport for Domain Adaptation", TPAMI 2017,
//! Sec. 4 and Alg. 1. A round costs one transport problem and some gradients of Ω.
//!
//! Differences from the paper:
//! 1. It stops by the gap, which is certified, not by the objective's change.

use ndarray::{Array1, Array2, ArrayView2};

use super::{
    Emd, Problem, Sinkhorn, emd,
    memory::{self, check_memory},
    sinkhorn::{inner, sinkhorn_from},
};
use crate::{
    certificate::{Certificate, Measure},
    check,
    domains::Labels,
    error::Result,
    math::{linalg, nearest::nearest_within, parallel},
    progress::{Residual, report, within},
};

const NAME: &str = "regularised transport";

/// Ω, convex.
pub trait Penalty: Sync {
    /// Ω(P) of P `(n, m)`.
    fn value(&self, plan: &Array2<f64>) -> f64;
    /// ∇Ω(P) `(n, m)`; a subgradient where it has none.
    fn gradient(&self, plan: &Array2<f64>) -> Array2<f64>;
}

/// The options of [`regularised`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regularised {
    /// ε ≥ 0, in units of cost.
    pub epsilon: f64,
    /// The gap relative to max(1, |F|) that ends the rounds.
    pub tolerance: f64,
    /// The most rounds.
    pub max_rounds: usize,
}

impl Default for Regularised {
    fn default() -> Self {
        Self { epsilon: 1.0, tolerance: 1e-6, max_rounds: 100 }
    }
}

/// A plan of penalised transport.
#[derive(Clone, Debug)]
pub struct Penalised {
    /// P `(n, m)`.
    pub plan: Array2<f64>,
    /// ⟨C, P⟩.
    pub cost: f64,
    /// F(P).
    pub objective: f64,
    /// [`Measure::DualityGap`], up to the marginals that Sinkhorn leaves at 1e-10.
    pub certificate: Certificate,
}

/// The plan that minimises F.
///
/// # Errors
/// [`Error::Config`] for options out of range, [`Error::Degenerate`] for unequal sums,
/// [`Error::Memory`].
///
/// [`Error::Config`]: crate::error::Error::Config
/// [`Error::Degenerate`]: crate::error::Error::Degenerate
/// [`Error::Memory`]: crate::error::Error::Memory
pub fn regularised(
    problem: &Problem<'_>,
    penalty: &dyn Penalty,
    options: &Regularised,
) -> Result<Penalised> {
    let &Regularised { epsilon, tolerance, max_rounds } = options;
    check::non_negative(NAME, "epsilon", epsilon)?;
    let (n, m) = problem.dim();
    check_memory(NAME, &[(memory::PENALISED, n, m)], "use fewer rows")?;
    let mut oracle = Oracle::new(epsilon);
    let mut plan = within(|| oracle.best(problem))?;
    let mut rounds = 0;
    loop {
        let mut slope = penalty.gradient(&plan);
        slope += &problem.cost();
        let mut step = within(|| oracle.best(&problem.with_cost(slope.view())?))?;
        step -= &plan;
        let objective = inner(problem, &plan)
            + penalty.value(&plan)
            + if epsilon > 0.0 { epsilon * entropy(&plan) } else { 0.0 };
        let mut gap = -dot(&slope, &step);
        drop(slope);
        if epsilon > 0.0 {
            let best = entropy_of(plan.iter().zip(&step).map(|(p, d)| p + d));
            gap += epsilon * (entropy(&plan) - best);
        }
        let residual = gap.max(0.0) / objective.abs().max(1.0);
        report(
            "conditional gradient",
            rounds,
            Some(max_rounds),
            Some(Residual { now: residual, wanted: tolerance }),
        );
        if residual <= tolerance || rounds >= max_rounds {
            let cost = inner(problem, &plan);
            let certificate = Certificate::new(
                "generalised conditional gradient",
                rounds,
                Measure::DualityGap,
                residual,
                tolerance,
            );
            return Ok(Penalised { plan, cost, objective, certificate });
        }
        let t = line_search(|t| {
            let mut at = plan.clone();
            at.zip_mut_with(&step, |p, d| *p += d * t);
            let entropic = match epsilon > 0.0 {
                true => step.iter().zip(&at).map(|(d, p)| d * p.max(f64::MIN_POSITIVE).ln()).sum(),
                false => 0.0,
            };
            inner(problem, &step) + dot(&penalty.gradient(&at), &step) + epsilon * entropic
        });
        plan.scaled_add(t, &step);
        // Rounding of P + t (S − P).
        plan.mapv_inplace(|p| p.max(0.0));
        rounds += 1;
    }
}

/// argmin ⟨G, S⟩ + ε H(S), each time from the potentials of the last.
pub(super) struct Oracle {
    epsilon: f64,
    g: Option<Array1<f64>>,
}

impl Oracle {
    pub(super) fn new(epsilon: f64) -> Self {
        Self { epsilon, g: None }
    }

    pub(super) fn best(&mut self, problem: &Problem<'_>) -> Result<Array2<f64>> {
        if self.epsilon == 0.0 {
            return Ok(emd(problem, &Emd::default())?.dense());
        }
        let options = Sinkhorn { epsilon: self.epsilon, tolerance: 1e-10, max_rounds: 10_000 };
        let entropic = sinkhorn_from(problem, &options, self.g.as_ref().map(|g| g.view()))?;
        self.g = Some(entropic.g);
        Ok(entropic.plan)
    }
}

/// The root in [0, 1] of an increasing derivative, by the Illinois rule: one step where it is
/// linear.
fn line_search(derivative: impl Fn(f64) -> f64) -> f64 {
    const STEPS: usize = 20;
    let (mut low, mut high) = ((0.0, derivative(0.0)), (1.0, derivative(1.0)));
    if high.1 <= 0.0 {
        return 1.0;
    }
    let small = 1e-6 * low.1.abs();
    for _ in 0..STEPS {
        if low.1 >= 0.0 {
            break;
        }
        let t = low.0 - low.1 * (high.0 - low.0) / (high.1 - low.1);
        let slope = derivative(t);
        if slope.abs() <= small {
            return t;
        }
        if slope < 0.0 {
            low = (t, slope);
            high.1 *= 0.5;
        } else {
            high = (t, slope);
            low.1 *= 0.5;
        }
    }
    low.0
}

fn dot(x: &Array2<f64>, y: &Array2<f64>) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

pub(super) fn entropy(plan: &Array2<f64>) -> f64 {
    entropy_of(plan.iter().copied())
}

fn entropy_of(plan: impl Iterator<Item = f64>) -> f64 {
    plan.map(|p| if p > 0.0 { p * (p.ln() - 1.0) } else { 0.0 }).sum()
}

/// Σ_{i ∈ I_c} f(P_ij), `(k, m)`, I_c the rows of class c.
pub(super) fn class_sums(
    labels: Labels<'_>,
    plan: &Array2<f64>,
    f: impl Fn(f64) -> f64,
) -> Array2<f64> {
    let mut sums = Array2::zeros((labels.classes, plan.ncols()));
    for (row, &class) in plan.rows().into_iter().zip(labels.of) {
        sums.row_mut(class).zip_mut_with(&row, |sum, &p| *sum += f(p));
    }
    sums
}

/// η Σ_j Σ_c ‖P(I_c, j)‖₂, I_c the rows of class c: every target row gets its mass from few
/// classes (Sec. 4.2 there, with its p = 1 and q = 2).
#[derive(Clone, Copy, Debug)]
pub struct GroupLasso<'a> {
    /// A class for every row of the plan.
    pub labels: Labels<'a>,
    /// η ≥ 0.
    pub weight: f64,
}

impl GroupLasso<'_> {
    /// ‖P(I_c, j)‖₂, `(k, m)`.
    fn norms(&self, plan: &Array2<f64>) -> Array2<f64> {
        class_sums(self.labels, plan, |p| p * p).mapv(f64::sqrt)
    }
}

impl Penalty for GroupLasso<'_> {
    fn value(&self, plan: &Array2<f64>) -> f64 {
        self.weight * self.norms(plan).sum()
    }

    fn gradient(&self, plan: &Array2<f64>) -> Array2<f64> {
        let norms = self.norms(plan);
        let mut gradient = plan * self.weight;
        for (mut row, &class) in gradient.rows_mut().into_iter().zip(self.labels.of) {
            row.zip_mut_with(&norms.row(class), |g, &norm| *g /= norm.max(f64::MIN_POSITIVE));
        }
        gradient
    }
}

/// η [(1 − α) tr(Xₜᵀ Pᵀ L_s P Xₜ) + α tr(X_sᵀ P L_t Pᵀ X_s)], L the Laplacian of the nearest
/// neighbours: rows that are near each other stay so (Sec. 4.3 there; for uniform masses the
/// traces are half the paper's sums).
#[derive(Clone, Debug)]
pub struct Laplace<'a> {
    source: ArrayView2<'a, f64>,
    target: ArrayView2<'a, f64>,
    source_laplacian: Laplacian,
    target_laplacian: Laplacian,
    weight: f64,
    share: f64,
}

impl<'a> Laplace<'a> {
    /// For X_s `(n, d)`, X_t `(m, d)`, the graph of `neighbours` nearest rows, η = `weight` ≥ 0 and
    /// α = `share` in [0, 1].
    pub fn new(
        source: ArrayView2<'a, f64>,
        target: ArrayView2<'a, f64>,
        neighbours: usize,
        weight: f64,
        share: f64,
    ) -> Self {
        Self {
            source,
            target,
            source_laplacian: Laplacian::new(source, neighbours),
            target_laplacian: Laplacian::new(target, neighbours),
            weight,
            share,
        }
    }
}

impl Penalty for Laplace<'_> {
    fn value(&self, plan: &Array2<f64>) -> f64 {
        let trace = |x: &Array2<f64>, laplacian: &Laplacian| dot(x, &laplacian.times(x));
        let moved = linalg::dot(plan, &self.target);
        let back = linalg::dot(&plan.t(), &self.source);
        let source = (1.0 - self.share) * trace(&moved, &self.source_laplacian);
        self.weight * (source + self.share * trace(&back, &self.target_laplacian))
    }

    fn gradient(&self, plan: &Array2<f64>) -> Array2<f64> {
        let moved = self.source_laplacian.times(&linalg::dot(plan, &self.target));
        let back = self.target_laplacian.times(&linalg::dot(&plan.t(), &self.source));
        let mut gradient = linalg::dot(&moved, &self.target.t());
        let target = linalg::dot(&self.source, &back.t());
        let (share, factor) = (self.share, 2.0 * self.weight);
        gradient.zip_mut_with(&target, |s, t| *s = (*s * (1.0 - share) + t * share) * factor);
        gradient
    }
}

/// D − (A + Aᵀ) / 2, where A_ij = 1 if row j is among the nearest of row i.
#[derive(Clone, Debug)]
struct Laplacian {
    /// For every row, its neighbours in ascending order and the entries of (A + Aᵀ) / 2, ½ or 1.
    edges: Vec<Vec<(usize, f64)>>,
}

impl Laplacian {
    fn new(x: ArrayView2<'_, f64>, neighbours: usize) -> Self {
        let near = nearest_within(x, neighbours).indices;
        let mut edges = vec![Vec::new(); x.nrows()];
        for (i, row) in near.rows().into_iter().enumerate() {
            for &j in row {
                edges[i].push((j, 0.5));
                edges[j].push((i, 0.5));
            }
        }
        for row in &mut edges {
            row.sort_unstable_by_key(|&(j, _)| j);
            row.dedup_by(|next, first| {
                let same = next.0 == first.0;
                first.1 += if same { next.1 } else { 0.0 };
                same
            });
        }
        Self { edges }
    }

    /// L X `(n, d)`.
    fn times(&self, x: &Array2<f64>) -> Array2<f64> {
        let mut out = Array2::zeros(x.dim());
        let d = x.ncols();
        parallel::for_each_piece(out.as_slice_mut().unwrap_or_default(), d, |i, row| {
            for &(j, weight) in &self.edges[i] {
                for ((out, own), other) in row.iter_mut().zip(x.row(i)).zip(x.row(j)) {
                    *out += weight * (own - other);
                }
            }
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Axis, array};

    use super::*;

    fn rows(n: usize, a: usize, b: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, 2), |(i, j)| ((i * a + j * b) % 11) as f64 / 4.0)
    }

    /// ∇Ω against central differences.
    fn check_gradient(penalty: &dyn Penalty, plan: &Array2<f64>) {
        let gradient = penalty.gradient(plan);
        for at in [(0, 0), (2, 1), (4, 3)] {
            let value = |h: f64| {
                let mut plan = plan.clone();
                plan[at] += h;
                penalty.value(&plan)
            };
            let numeric = (value(1e-5) - value(-1e-5)) / 2e-5;
            assert_abs_diff_eq!(gradient[at], numeric, epsilon = 1e-6);
        }
    }

    #[test]
    fn gradients_and_optima() {
        let (xs, xt) = (rows(6, 3, 5), rows(4, 7, 2));
        let cost = crate::math::gram::squared_distances(xs.view(), xt.view());
        let problem = Problem::uniform(cost.view()).unwrap();
        let plan = Array2::from_shape_fn((6, 4), |(i, j)| (1 + (i + 2 * j) % 5) as f64 / 60.0);
        let labels = Labels { of: &[0, 1, 0, 1, 2, 2], classes: 3 };
        let lasso = GroupLasso { labels, weight: 0.7 };
        let laplace = Laplace::new(xs.view(), xt.view(), 2, 0.5, 0.3);
        check_gradient(&lasso, &plan);
        check_gradient(&laplace, &plan);
        for (penalty, epsilon) in [(&lasso as &dyn Penalty, 0.5), (&laplace, 0.5), (&laplace, 0.0)]
        {
            let options = Regularised { epsilon, tolerance: 1e-5, max_rounds: 2_000 };
            let penalised = regularised(&problem, penalty, &options).unwrap();
            assert!(penalised.certificate.converged, "{:?}", penalised.certificate);
            let masses = Array1::from_elem(6, 1.0 / 6.0);
            assert_abs_diff_eq!(penalised.plan.sum_axis(Axis(1)), masses, epsilon = 1e-8);
        }
    }

    #[test]
    fn a_laplacian_by_hand() {
        // 0 and 1 are nearest to each other; 1 is the nearest of 5, which is nobody's.
        let x = array![[0.0], [1.0], [5.0]];
        let laplacian = Laplacian::new(x.view(), 1);
        let whole = laplacian.times(&Array2::eye(3));
        assert_eq!(whole, array![[1.0, -1.0, 0.0], [-1.0, 1.5, -0.5], [0.0, -0.5, 0.5]]);
    }

    #[test]
    fn no_penalty_is_plain_transport() {
        let cost = array![[0.0, 2.0], [3.0, 1.0]];
        let problem = Problem::uniform(cost.view()).unwrap();
        let lasso = GroupLasso { labels: Labels { of: &[0, 1], classes: 2 }, weight: 0.0 };
        let options = Regularised { epsilon: 0.0, ..Regularised::default() };
        let penalised = regularised(&problem, &lasso, &options).unwrap();
        assert_eq!(penalised.plan, array![[0.5, 0.0], [0.0, 0.5]]);
        assert_eq!((penalised.objective, penalised.certificate.iterations), (0.5, 0));
    }
}
