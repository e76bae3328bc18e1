//! JCPOT: the target's class proportions, by transport from one or several labelled sources.
//!
//! Redko, Courty, Flamary & Tuia, "Optimal Transport for Multi-source Domain Adaptation under
//! Target Shift", AISTATS 2019, Sec. 4.
//! ```text
//! min_{h, P_1 … P_K}  Σ_k λ_k (⟨C_k, P_k⟩ + ε Σ P_k (log P_k − 1))        λ_k = 1/K
//! P_k 1 = D_k h, P_kᵀ 1 = 1/n_t        (D_k h)_i = h_c / n_kc, c the class of row i
//! ```
//! Sources X_k `(n_k, d)` with n_kc rows of class c, one target X_t `(n_t, d)`; C_k `(n_k, n_t)`
//! squared distances over a scale of their own. h `(classes,)` says how large the share of a class
//! must be for the sources, weighted by it, to be near the target: what only shifts the classes'
//! shares is undone, where plain transport would send mass to other classes. Large ε draws h
//! towards the sources' shares.
//!
//! The objective is the Kullback–Leibler divergence of the plans from exp(−C_k / ε), minimised by
//! projecting onto the two constraints in turn (Benamou et al., "Iterative Bregman Projections for
//! Regularized Transportation Problems", SIAM J. Scientific Computing 2015). The target's scales
//! the columns; the sources', for row sums r_k, is
//! ```text
//! log h_c = Σ_k λ_k · mean of log(n_kc r_ki) over the rows i of class c
//! ```
//! Labels are propagated, L = n_t Σ_k λ_k P_kᵀ Y_k `(n_t, classes)`, whose rows sum to 1. Plans
//! carry their potentials, so that a small ε does not underflow. A round is two products with every
//! plan; memory is two `(n_k, n_t)` matrices a source.
//!
//! Differences from the paper:
//! 1. The authors' code, and POT's, has log h_c = Σ_k λ_k log Σ_i r_ki. This is the projection
//!    only where rows of one class have equal sums; since any h whose constraints are met is a
//!    fixed point, that rule stops beside the minimum, by 0.03 and 0.04 of h in the reference test.
//! 2. The paper chooses ε by validation; 0.1 of the median cost is ours.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use super::{AdaptClassifier, CostScale, Labelling};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::{Domains, Labels},
    error::{Error, Result},
    math::{linalg, log_sum::log_sum_exp, parallel},
    ot::memory::{self, check_memory},
    progress::{Residual, report},
};

/// The largest |log| of a scale that is not absorbed into the potentials.
const LARGEST_LOG: f64 = 40.0;
/// Sums below this may have lost terms to underflow.
const TINY: f64 = 1e-200;

/// The options of JCPOT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jcpot {
    /// ε > 0, in units of the scaled cost.
    pub epsilon: f64,
    /// What costs are divided by.
    pub normalise_cost: CostScale,
    /// The largest violation of a marginal.
    pub tolerance: f64,
    /// The most rounds, ≥ 1.
    pub max_rounds: usize,
}

impl Default for Jcpot {
    fn default() -> Self {
        let normalise_cost = CostScale::default();
        Self { epsilon: 0.1, normalise_cost, tolerance: 1e-9, max_rounds: 10_000 }
    }
}

impl Described for Jcpot {
    const NAME: &'static str = "jcpot";
    const ABOUT: &'static str = "estimates the target's class proportions by transport, and labels \
                                 its rows by the plan";
    const PAPER: &'static str = "Redko, Courty, Flamary & Tuia, Optimal Transport for Multi-source \
                                 Domain Adaptation under Target Shift, AISTATS 2019";
    const NEEDS: Needs = Needs { source_labels: true, given_rows_only: true, ..Needs::ROWS };
}

/// What JCPOT finds.
#[derive(Clone, Debug)]
pub struct ClassProportions {
    /// h `(classes,)`, with sum 1.
    pub proportions: Array1<f64>,
    /// P_k `(n_k, n_t)`, one a source.
    pub couplings: Vec<Array2<f64>>,
    /// L `(n_t, classes)`: the share of every class in what a target row receives.
    pub labels: Array2<f64>,
    /// [`Measure::Marginals`]: of the target; the sources' are met to rounding.
    pub certificate: Certificate,
}

impl AdaptClassifier for Jcpot {
    fn fit(&self, domains: &Domains<'_>) -> Result<Labelling> {
        domains.need_two_classes(Self::NAME)?;
        let found = self.estimate(&[*domains])?;
        Ok(Labelling { scores: found.labels, classifier: None, certificate: found.certificate })
    }
}

impl Jcpot {
    /// The class proportions of the target that all `sources` share.
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range, [`Error::NoLabels`], [`Error::Shape`] without
    /// sources or for targets that differ, [`Error::Degenerate`] for a class that one source has
    /// and another has not, and the errors of the costs: [`Error::TooLarge`],
    /// [`Error::Degenerate`].
    pub fn estimate(&self, sources: &[Domains<'_>]) -> Result<ClassProportions> {
        self.check()?;
        let Some(first) = sources.first() else {
            return Err(Error::shape("sources", "at least 1", 0));
        };
        if sources.iter().any(|source| source.target() != first.target()) {
            return Err(Error::shape("sources", "one target", "targets that differ"));
        }
        let labels: Vec<Labels<'_>> =
            sources.iter().map(|s| s.need_labels(Self::NAME)).collect::<Result<_>>()?;
        let sizes = class_sizes(&labels)?;
        let mut plans = Vec::with_capacity(sources.len());
        let matrices: Vec<_> = sources
            .iter()
            .map(|source| (memory::ENTROPIC, source.source().nrows(), source.target().nrows()))
            .collect();
        check_memory(Self::NAME, &matrices, "use fewer rows")?;
        for ((domains, labels), sizes) in sources.iter().zip(&labels).zip(sizes) {
            let cost = self.normalise_cost.cost(Self::NAME, domains, memory::ENTROPIC)?;
            plans.push(Plan::new(self.over_epsilon(cost)?, labels.of, sizes));
        }
        let (proportions, certificate) = self.project(&mut plans);

        let (n_t, share) = (first.target().nrows() as f64, 1.0 / plans.len() as f64);
        let mut propagated = Array2::zeros((first.target().nrows(), proportions.len()));
        for plan in &plans {
            for (&c, row) in plan.labels.iter().zip(plan.kernel.rows()) {
                propagated.column_mut(c).scaled_add(n_t * share, &row);
            }
        }
        let couplings = plans.into_iter().map(|plan| plan.kernel).collect();
        Ok(ClassProportions { proportions, couplings, labels: propagated, certificate })
    }

    fn check(&self) -> Result<()> {
        check::positive(Self::NAME, "epsilon", self.epsilon)?;
        check::non_negative(Self::NAME, "tolerance", self.tolerance)?;
        check::at_least(Self::NAME, "max_rounds", self.max_rounds, 1)
    }

    /// C / ε, refused where its differences would be rounding.
    fn over_epsilon(&self, cost: Array2<f64>) -> Result<Array2<f64>> {
        let largest = cost.iter().copied().fold(0.0, f64::max);
        match largest / self.epsilon < 1e12 {
            true => Ok(cost / self.epsilon),
            false => {
                let expected = format!("more than 1e-12 of the largest cost, which is {largest}");
                Err(Error::config(Self::NAME, "epsilon", self.epsilon, expected))
            }
        }
    }

    /// Rounds until the target's marginals hold; h.
    fn project(&self, plans: &mut [Plan<'_>]) -> (Array1<f64>, Certificate) {
        let mut rounds = 0;
        let (log_h, residual) = loop {
            rounds += 1;
            let log_sums: Vec<Array1<f64>> = plans.iter().map(Plan::log_row_sums).collect();
            let log_h = log_proportions(plans, &log_sums);
            let mut residual = 0f64;
            let mut columns = Vec::with_capacity(plans.len());
            for (plan, log_sums) in plans.iter_mut().zip(&log_sums) {
                plan.scale_rows(&log_h, log_sums);
                let log_sums = plan.log_column_sums();
                residual = residual.max(plan.violation(&log_sums));
                columns.push(log_sums);
            }
            let now = Residual { now: residual, wanted: self.tolerance };
            report(Self::NAME, rounds, Some(self.max_rounds), Some(now));
            if residual <= self.tolerance || rounds == self.max_rounds {
                break (log_h, residual);
            }
            for (plan, log_sums) in plans.iter_mut().zip(&columns) {
                plan.scale_columns(log_sums);
            }
        };
        plans.iter_mut().for_each(Plan::absorb);
        let h = log_h.mapv(f64::exp);
        let solver = "alternating Bregman projections";
        let certificate = Certificate::new(
            solver,
            rounds,
            Measure::Marginals,
            residual,
            self.tolerance.max(1e-14),
        );
        (&h / h.sum(), certificate)
    }
}

/// n_kc of every source.
fn class_sizes(sources: &[Labels<'_>]) -> Result<Vec<Vec<f64>>> {
    let classes = sources.iter().map(|labels| labels.classes).max().unwrap_or(0);
    let of_source = |labels: &Labels<'_>| {
        let mut sizes = vec![0.0; classes];
        labels.of.iter().for_each(|&c| sizes[c] += 1.0);
        sizes
    };
    let sizes: Vec<Vec<f64>> = sources.iter().map(of_source).collect();
    for c in 0..classes {
        let lacking = sizes.iter().position(|sizes| sizes[c] == 0.0);
        let having = sizes.iter().position(|sizes| sizes[c] > 0.0);
        if let (Some(lacking), Some(having)) = (lacking, having) {
            let reason =
                format!("source {having} has rows of class {c}, and source {lacking} has none");
            let advice = "leave the class or the source out";
            return Err(Error::degenerate(Jcpot::NAME, reason, advice));
        }
    }
    Ok(sizes)
}

/// log h `(classes,)` of the projection onto the sources' constraints, −∞ for classes without rows.
fn log_proportions(plans: &[Plan<'_>], log_sums: &[Array1<f64>]) -> Array1<f64> {
    let share = 1.0 / plans.len() as f64;
    let classes = plans.first().map_or(0, |plan| plan.sizes.len());
    let mut log_h = Array1::zeros(classes);
    for (plan, log_sums) in plans.iter().zip(log_sums) {
        for (&c, log_sum) in plan.labels.iter().zip(log_sums) {
            let size = plan.sizes[c];
            log_h[c] += share * (size.ln() + log_sum) / size;
        }
    }
    let empty = |c: usize| plans.iter().all(|plan| plan.sizes[c] == 0.0);
    (0..classes).filter(|&c| empty(c)).for_each(|c| log_h[c] = f64::NEG_INFINITY);
    log_h
}

/// P_ij = x_i K_ij y_j with K_ij = exp(α_i + β_j − C_ij / ε).
///
/// α + log x is orthogonal, class by class and summed over the sources, to what h can change: this
/// makes the limit the minimum. It is 0 at first, and every projection keeps it so, for which
/// reason row sums are taken as if x and α were not there.
struct Plan<'a> {
    labels: &'a [usize],
    /// n_c.
    sizes: Vec<f64>,
    /// C / ε `(n, n_t)`.
    costs: Array2<f64>,
    kernel: Array2<f64>,
    alpha: Array1<f64>,
    beta: Array1<f64>,
    log_x: Array1<f64>,
    log_y: Array1<f64>,
}

impl<'a> Plan<'a> {
    fn new(costs: Array2<f64>, labels: &'a [usize], sizes: Vec<f64>) -> Self {
        let (n, n_t) = costs.dim();
        let kernel = Array2::zeros(costs.dim());
        let (rows, columns) = (Array1::zeros(n), Array1::zeros(n_t));
        let (log_x, log_y) = (rows.clone(), columns.clone());
        let mut plan =
            Self { labels, sizes, costs, kernel, alpha: rows, beta: columns, log_x, log_y };
        plan.absorb();
        plan
    }

    /// log Σ_j exp(β_j + log y_j − C_ij / ε).
    fn log_row_sums(&self) -> Array1<f64> {
        let y = self.log_y.mapv(f64::exp).insert_axis(Axis(1));
        let sums = linalg::dot(&self.kernel, &y).remove_axis(Axis(1));
        let exponents = &self.beta + &self.log_y;
        log_sums(&sums, &self.alpha, |i| {
            log_sum_exp((&exponents - &self.costs.row(i)).iter().copied())
        })
    }

    /// log Σ_i exp(α_i + log x_i − C_ij / ε).
    fn log_column_sums(&self) -> Array1<f64> {
        let x = self.log_x.mapv(f64::exp).insert_axis(Axis(1));
        let sums = linalg::dot(&self.kernel.t(), &x).remove_axis(Axis(1));
        let exponents = &self.alpha + &self.log_x;
        log_sums(&sums, &self.beta, |j| {
            log_sum_exp((&exponents - &self.costs.column(j)).iter().copied())
        })
    }

    /// Rows to h_c / n_c.
    fn scale_rows(&mut self, log_h: &Array1<f64>, log_sums: &Array1<f64>) {
        for (i, &c) in self.labels.iter().enumerate() {
            self.log_x[i] = log_h[c] - self.sizes[c].ln() - log_sums[i] - self.alpha[i];
        }
        self.tame();
    }

    /// Columns to 1 / n_t.
    fn scale_columns(&mut self, log_sums: &Array1<f64>) {
        let log_mass = -(log_sums.len() as f64).ln();
        self.log_y = log_mass - log_sums - &self.beta;
        self.tame();
    }

    /// max_j |Σ_i P_ij − 1/n_t|.
    fn violation(&self, log_sums: &Array1<f64>) -> f64 {
        let mass = 1.0 / log_sums.len() as f64;
        let sums = (log_sums + &self.beta + &self.log_y).mapv(f64::exp);
        sums.iter().fold(0.0, |worst, sum| (sum - mass).abs().max(worst))
    }

    fn tame(&mut self) {
        if self.log_x.iter().chain(&self.log_y).any(|log| log.abs() > LARGEST_LOG) {
            self.absorb();
        }
    }

    /// x and y into α and β: K becomes P.
    fn absorb(&mut self) {
        self.alpha += &self.log_x;
        self.beta += &self.log_y;
        self.log_x.fill(0.0);
        self.log_y.fill(0.0);
        let (alpha, beta, costs) = (&self.alpha, &self.beta, &self.costs);
        let kernel = self.kernel.as_slice_mut().unwrap_or_default();
        parallel::for_each_piece(kernel, beta.len(), |i, row| {
            for ((k, beta), cost) in row.iter_mut().zip(beta).zip(costs.row(i)) {
                *k = (alpha[i] + beta - cost).exp();
            }
        });
    }
}

/// log of the sums less what K has of the other side's potential; by `anew` where they underflow.
fn log_sums(
    sums: &Array1<f64>,
    absorbed: &Array1<f64>,
    anew: impl Fn(usize) -> f64 + Sync + Send,
) -> Array1<f64> {
    let of = |i: usize| match sums[i] >= TINY {
        true => sums[i].ln() - absorbed[i],
        false => anew(i),
    };
    match sums.iter().all(|&sum| sum >= TINY) {
        true => (0..sums.len()).map(of).collect(),
        false => Array1::from(parallel::map(sums.len(), of)),
    }
}

#[cfg(test)]
mod tests;
