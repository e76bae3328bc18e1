//! Entropic transport in which every target row is reached from few source classes.
//!
//! Courty, Flamary, Tuia & Rakotomamonjy, "Optimal Transport for Domain Adaptation", TPAMI 2017,
//! Sec. 4.2 (OT-GL): the group lasso η Σ_j Σ_c ‖P(I_c, j)‖₂ beside the entropy, which is convex; or,
//! as `norm`, the roots of the classes' masses Σ_j Σ_c ‖P(I_c, j)‖₁^½ of the same authors' "Domain
//! Adaptation with Regularized Optimal Transport", ECML PKDD 2014, which is not.
//!
//! Differences from the paper:
//! 1. The paper chooses ε and η by validation; 0.1 of the median cost each are ours.

use serde::{Deserialize, Serialize};

use super::{COURTY, CostScale, Metric, dense_alignment};
use crate::{
    catalogue::{Described, Needs},
    check,
    domains::Domains,
    error::Result,
    ot::{
        ClassRoots, Problem, class_roots, memory,
        regularised::{GroupLasso, Regularised, regularised},
    },
    shallow::{Align, Alignment},
};

/// The options of class-regularised transport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtClass {
    /// ε > 0, in units of the scaled cost.
    pub epsilon: f64,
    /// What η multiplies.
    pub norm: ClassNorm,
    /// η ≥ 0, in units of the scaled cost.
    pub weight: f64,
    /// What costs are divided by.
    pub normalise_cost: CostScale,
    /// What a cost is.
    pub metric: Metric,
    /// The duality gap relative to max(1, objective); for `lp-l1` the share of the mass that the last
    /// round moved.
    pub tolerance: f64,
    /// The most rounds, each a transport problem.
    pub max_rounds: usize,
}

/// A penalty on the mass that a target row gets from the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassNorm {
    /// Σ_j Σ_c ‖P(I_c, j)‖₂, the group lasso.
    #[default]
    L1L2,
    /// Σ_j Σ_c ‖P(I_c, j)‖₁^½, sharper; the answer is a stationary point.
    LpL1,
}

impl Default for OtClass {
    fn default() -> Self {
        Self {
            epsilon: 0.1,
            norm: ClassNorm::default(),
            weight: 0.1,
            normalise_cost: CostScale::default(),
            metric: Metric::default(),
            tolerance: 1e-4,
            max_rounds: 100,
        }
    }
}

impl Described for OtClass {
    const NAME: &'static str = "ot-class";
    const ABOUT: &'static str = "moves source rows by transport that keeps classes apart";
    const PAPER: &'static str = COURTY;
    const NEEDS: Needs = Needs { source_labels: true, ..Needs::ROWS };
}

impl Align for OtClass {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        let &Self { epsilon, norm, weight, tolerance, max_rounds, .. } = self;
        check::positive(Self::NAME, "epsilon", epsilon)?;
        check::non_negative(Self::NAME, "weight", weight)?;
        let labels = domains.need_two_classes(Self::NAME)?;
        let matrices = match norm {
            ClassNorm::L1L2 => memory::PENALISED,
            ClassNorm::LpL1 => memory::CLASS_ROOTS,
        };
        let cost = self.normalise_cost.cost_by(self.metric, Self::NAME, domains, matrices)?;
        let problem = Problem::uniform(cost.view())?;
        let options = Regularised { epsilon, tolerance, max_rounds };
        let fitted = match norm {
            ClassNorm::L1L2 => regularised(&problem, &GroupLasso { labels, weight }, &options)?,
            ClassNorm::LpL1 => class_roots(&problem, &ClassRoots { labels, weight }, &options)?,
        };
        dense_alignment(Self::NAME, domains, &fitted.plan, fitted.certificate)
    }
}
