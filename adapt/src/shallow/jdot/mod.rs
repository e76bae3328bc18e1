//! JDOT: transport in features and labels together, to a classifier that the plan itself trains.
//!
//! Courty, Flamary, Habrard & Rakotomamonjy, "Joint Distribution Optimal Transportation for Domain
//! Adaptation", NIPS 2017, Sec. 3 and 4.
//! ```text
//! min_{P, f}  Σ_ij P_ij (α ‖x_i − x_j‖² / s + ‖y_i − f(x_j)‖²) + λ ‖f‖²_K
//!             [+ ε Σ_ij P_ij (log P_ij − 1)]        P ≥ 0, P 1 = 1/n_s, Pᵀ 1 = 1/n_t
//! f(x) = b + Σ_j β_j k(x_j, x)        b free of penalty
//! ```
//! X_s `(n_s, d)` with classes y_i as unit vectors of length k, X_t `(n_t, d)`. Each of P and f is
//! optimal for the other in turn, so that the objective never rises: P solves a transport problem,
//! and f is the ridge regression on the labels that P sends,
//! ```text
//! ŷ_j = n_t Σ_i P_ij y_i        (H K H + n_t λ I) β = H Ŷ        H = I − 11ᵀ/n_t
//! ```
//! The first P is that of the features alone. The problem is not convex in both: what is found is
//! a point that neither step improves. The target's classes are taken to be as frequent as the
//! source's, since every plan keeps them so.
//!
//! The ridge system is decomposed once; a round is a transport problem and O(n_t² k). Memory is two
//! `(n_s, n_t)` matrices, three with ε, and two `(n_t, n_t)` ones.
//!
//! Differences from the paper:
//! 1. For classes the paper has the hinge loss; the squared loss, its choice for regression, makes
//!    f a closed form.
//! 2. The paper finds λ by reverse validation; its default is ours, as are those of the rounds. The
//!    loss beside it is a mean over the target rows, so that λ means the same at any n_t.

use ndarray::{Array1, Array2, Axis, Zip, concatenate};
use serde::{Deserialize, Serialize};

use super::{AdaptClassifier, Affine, CostScale, Labelling, Map, transductive::MapClassifier};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::{Domains, Labels},
    error::{Error, Result},
    math::{
        gram::{self, Kernel, KernelChoice},
        linalg::{self, Cholesky},
        moments, parallel,
        unit::Unit,
    },
    ot::{Emd, Problem, Sinkhorn, emd, memory::check_memory, sinkhorn},
    progress::{Residual, report, within},
};

/// The least n_t λ beside the trace of H K H: with less, f would lose more than six digits.
const LEAST_SHRINKAGE: f64 = 1e-10;

/// The options of JDOT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jdot {
    /// α > 0, of the features against the labels.
    pub features: f64,
    /// s, what squared distances are divided by. With the largest and α = 1 they are at most 1, the
    /// paper's choice.
    pub normalise_cost: CostScale,
    /// k of f.
    pub kernel: KernelChoice,
    /// λ > 0.
    pub shrinkage: f64,
    /// ε > 0, in units of the joint cost; exact transport by default.
    pub epsilon: Option<f64>,
    /// Of the objective's relative change in a round.
    pub tolerance: f64,
    /// The most rounds, ≥ 2: the first has nothing to be compared with.
    pub rounds: usize,
}

impl Default for Jdot {
    fn default() -> Self {
        Self {
            features: 1.0,
            normalise_cost: CostScale::Max,
            kernel: KernelChoice::Linear,
            shrinkage: 0.01,
            epsilon: None,
            tolerance: 1e-6,
            rounds: 100,
        }
    }
}

impl Described for Jdot {
    const NAME: &'static str = "jdot";
    const ABOUT: &'static str = "learns a classifier by transport of features and labels together";
    const PAPER: &'static str = "Courty, Flamary, Habrard & Rakotomamonjy, Joint Distribution \
                                 Optimal Transportation for Domain Adaptation, NIPS 2017";
    const NEEDS: Needs = Needs { source_labels: true, ..Needs::ROWS };
}

impl AdaptClassifier for Jdot {
    fn fit(&self, domains: &Domains<'_>) -> Result<Labelling> {
        self.check()?;
        let labels = domains.need_two_classes(Self::NAME)?;
        let (regression, fitted, certificate) = self.descend(domains, labels)?;
        let map = regression.into_map(&fitted);
        Ok(Labelling {
            scores: fitted.values,
            classifier: Some(Box::new(MapClassifier { map, certificate: certificate.clone() })),
            certificate,
        })
    }
}

impl Jdot {
    fn check(&self) -> Result<()> {
        let epsilon = self.epsilon.unwrap_or(1.0);
        let scales =
            [("features", self.features), ("shrinkage", self.shrinkage), ("epsilon", epsilon)];
        scales.into_iter().try_for_each(|(field, v)| check::positive(Self::NAME, field, v))?;
        check::non_negative(Self::NAME, "tolerance", self.tolerance)?;
        check::at_least(Self::NAME, "rounds", self.rounds, 2)
    }

    /// Rounds until the objective stays.
    fn descend(
        &self,
        domains: &Domains<'_>,
        labels: Labels<'_>,
    ) -> Result<(Regression, Fitted, Certificate)> {
        let (n, m) = (domains.source().nrows(), domains.target().nrows());
        // The costs of features and of both together, a kernel; H K H and its system.
        let costs = if self.epsilon.is_some() { 3 } else { 2 };
        check_memory(Self::NAME, &[(costs, n, m), (2, m, m)], "use fewer rows")?;
        let mut cost = self.normalise_cost.cost(Self::NAME, domains, costs)?;
        gram::map_inplace(&mut cost, |c| self.features * c);
        let regression = Regression::new(self, domains)?;
        let mut transported = within(|| self.transport(cost.view(), &cost, labels))?;
        let mut fitted = regression.fit(&transported);
        let mut objective = regression.objective(&transported, &fitted);
        let (mut rounds, mut change) = (1, f64::INFINITY);
        let mut joint = Array2::zeros(cost.dim());
        while rounds < self.rounds && change > self.tolerance {
            add_losses(&mut joint, &cost, labels, &fitted.values);
            transported = within(|| self.transport(joint.view(), &cost, labels))?;
            fitted = regression.fit(&transported);
            let new = regression.objective(&transported, &fitted);
            change = (objective - new).abs() / objective.abs().max(f64::MIN_POSITIVE);
            objective = new;
            rounds += 1;
            let residual = Residual { now: change, wanted: self.tolerance };
            report(Self::NAME, rounds, Some(self.rounds), Some(residual));
        }
        let solver = "block coordinate descent";
        let certificate = Certificate::new(solver, rounds, Measure::Change, change, self.tolerance);
        Ok((regression, fitted, transported.warn(certificate)))
    }

    /// The plan of the joint cost, and what the other step needs of it.
    fn transport(
        &self,
        joint: ndarray::ArrayView2<'_, f64>,
        cost: &Array2<f64>,
        labels: Labels<'_>,
    ) -> Result<Transported> {
        let problem = Problem::uniform(joint)?;
        let mut sums = Array2::zeros((joint.ncols(), labels.classes));
        let Some(epsilon) = self.epsilon else {
            let exact = emd(&problem, &Emd::default())?;
            let mut distance = 0.0;
            for entry in &exact.plan.entries {
                let (i, j) = (entry.row as usize, entry.column as usize);
                distance += entry.mass * cost[(i, j)];
                sums[(j, labels.of[i])] += entry.mass;
            }
            return Ok(Transported { sums, paid: distance, certificate: exact.certificate });
        };
        let entropic = sinkhorn(&problem, &Sinkhorn { epsilon, ..Sinkhorn::default() })?;
        let mut paid = 0.0;
        for (i, (row, costs)) in entropic.plan.rows().into_iter().zip(cost.rows()).enumerate() {
            let mut of_class = sums.column_mut(labels.of[i]);
            of_class += &row;
            let of_entry = |(&p, &c): (&f64, &f64)| match p > 0.0 {
                true => p * (c + epsilon * (p.ln() - 1.0)),
                false => 0.0,
            };
            paid += row.iter().zip(costs).map(of_entry).sum::<f64>();
        }
        Ok(Transported { sums, paid, certificate: entropic.certificate })
    }
}

/// α C + ‖y_i − f(x_j)‖² = α C + 1 + ‖f(x_j)‖² − 2 f_c(x_j), c the class of i.
fn add_losses(
    joint: &mut Array2<f64>,
    cost: &Array2<f64>,
    labels: Labels<'_>,
    values: &Array2<f64>,
) {
    let by_class = values.t().as_standard_layout().into_owned();
    let squares = values.map_axis(Axis(1), |f| 1.0 + f.dot(&f));
    let n_t = joint.ncols();
    parallel::for_each_piece(joint.as_slice_mut().unwrap_or_default(), n_t, |i, row| {
        let f = by_class.row(labels.of[i]);
        Zip::from(row).and(cost.row(i)).and(&squares).and(f).for_each(|out, c, square, f| {
            *out = c + square - 2.0 * f;
        });
    });
}

/// What f is fitted to.
struct Transported {
    /// Pᵀ Y `(n_t, k)`.
    sums: Array2<f64>,
    /// α ⟨C, P⟩, less the entropy.
    paid: f64,
    certificate: Certificate,
}

impl Transported {
    fn warn(&self, certificate: Certificate) -> Certificate {
        match self.certificate.converged {
            true => certificate,
            false => certificate.with_note(format!(
                "the last plan is not converged: its residual is {:.1e}",
                self.certificate.residual
            )),
        }
    }
}

/// f's system, which is the same in all rounds.
struct Regression {
    kernel: Kernel,
    /// Of the kernel's width and the anchors.
    unit: Unit,
    /// The target rows, less `shift`.
    anchors: Array2<f64>,
    /// The target's mean where the kernel is linear, whose centring it is; else 0.
    shift: Array1<f64>,
    /// The mean of every row of K, `(n_t,)`.
    means: Array1<f64>,
    /// H K H `(n_t, n_t)`.
    centred: Array2<f64>,
    /// H K H + n_t λ I.
    system: Cholesky,
    lambda: f64,
}

/// f.
struct Fitted {
    /// β `(n_t, k)`, whose columns sum to 0.
    beta: Array2<f64>,
    /// b, since the kernel is centred the mean of the labels, `(k,)`.
    intercept: Array1<f64>,
    /// f of the target rows, `(n_t, k)`.
    values: Array2<f64>,
}

impl Regression {
    fn new(options: &Jdot, domains: &Domains<'_>) -> Result<Self> {
        let xt = domains.target();
        let both = || concatenate![Axis(0), domains.source(), xt];
        let (kernel, shift, unit) = match options.kernel {
            KernelChoice::Linear => (Kernel::Linear, moments::mean(xt), Unit::of(0.0)),
            choice => {
                let unit = Unit::of_domains(domains);
                let choice = match choice {
                    KernelChoice::Gaussian { sigma: Some(sigma) } => {
                        KernelChoice::Gaussian { sigma: Some(unit.length(sigma)) }
                    }
                    by_rows => by_rows,
                };
                let kernel = choice.resolve(Jdot::NAME, unit.rows(both().view()).view())?;
                (kernel, Array1::zeros(xt.ncols()), unit)
            }
        };
        let anchors = &unit.rows(xt) - &shift;
        let mut centred = kernel.gram(Jdot::NAME, anchors.view(), anchors.view())?;
        let means = centred.sum_axis(Axis(1)) / xt.nrows() as f64;
        gram::centre(centred.view_mut());
        linalg::symmetrise(&mut centred);
        let lambda = options.shrinkage;
        let added = lambda * xt.nrows() as f64;
        let trace = centred.diag().sum();
        if !trace.is_finite() {
            return Err(Error::out_of_range(Jdot::NAME, "the products of the target rows"));
        }
        if added < LEAST_SHRINKAGE * trace {
            let reason =
                format!("n_t λ = {added:.1e} is lost beside the kernel's trace {trace:.1e}");
            let advice = "scale the features, or raise `shrinkage`";
            return Err(Error::degenerate(Jdot::NAME, reason, advice));
        }
        let mut system = centred.clone();
        system.diag_mut().mapv_inplace(|v| v + added);
        Ok(Self {
            kernel,
            unit,
            anchors,
            shift,
            means,
            system: Cholesky::in_place(system)?,
            centred,
            lambda,
        })
    }

    /// The best f for this plan.
    fn fit(&self, transported: &Transported) -> Fitted {
        let n_t = transported.sums.nrows() as f64;
        let labels = &transported.sums * n_t;
        let intercept = labels.sum_axis(Axis(0)) / n_t;
        let beta = self.system.solve(&(labels - &intercept));
        let values = linalg::dot(&self.centred, &beta) + &intercept;
        Fitted { beta, intercept, values }
    }

    /// All of the objective; ‖y‖ = 1.
    fn objective(&self, transported: &Transported, fitted: &Fitted) -> f64 {
        let Fitted { beta, intercept, values } = fitted;
        let n_t = values.nrows() as f64;
        let squares = values.iter().map(|f| f * f).sum::<f64>() / n_t;
        let loss = 1.0 + squares - 2.0 * (&transported.sums * values).sum();
        let norm = (beta * &(values - intercept)).sum();
        transported.paid + loss + self.lambda * norm
    }

    fn into_map(self, fitted: &Fitted) -> Map {
        let (weights, offset) = (fitted.beta.clone(), fitted.intercept.clone());
        if self.kernel == Kernel::Linear {
            let matrix = linalg::dot(&self.anchors.t(), &weights);
            return Map::Affine(Affine { shift: self.shift, matrix, offset });
        }
        let intercept = Affine { offset, ..Affine::linear(Array2::eye(weights.ncols())) };
        let (unit, offset) = (self.unit, self.means);
        let kernel = match self.kernel {
            Kernel::Gaussian { sigma } => Kernel::Gaussian { sigma: unit.back(sigma) },
            Kernel::Linear => Kernel::Linear,
        };
        let anchors = self.anchors.mapv_into(|v| unit.back(v));
        let sum = Map::Kernel { kernel, anchors, offset, weights };
        Map::Sequence(vec![sum, Map::Affine(intercept)])
    }
}

#[cfg(test)]
mod tests;
