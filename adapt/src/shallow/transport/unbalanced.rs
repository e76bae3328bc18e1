//! Unbalanced entropic transport of the source rows onto the target rows: rows that have no
//! counterpart send little and are not torn to the other end of the target.
//!
//! Chizat, Peyré, Schmitzer & Vialard, "Scaling Algorithms for Unbalanced Optimal Transport
//! Problems", Mathematics of Computation 2018, with the barycentric map of Courty et al., TPAMI
//! 2017.
//!
//! Differences from the papers:
//! 1. Neither prints ε and ρ for adaptation; 0.1 and 1 of the median cost are ours.

use serde::{Deserialize, Serialize};

use super::{CostScale, dense_alignment};
use crate::{
    catalogue::Described,
    check,
    domains::Domains,
    error::Result,
    ot::{Problem, Unbalanced, memory, unbalanced},
    shallow::{Align, Alignment},
};

/// The options of unbalanced transport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtUnbalanced {
    /// ε > 0, in units of the scaled cost.
    pub epsilon: f64,
    /// ρ > 0, in units of the scaled cost: how far a row's mass may be from 1/n.
    pub marginals: f64,
    /// What costs are divided by.
    pub normalise_cost: CostScale,
    /// The largest change of a log scaling.
    pub tolerance: f64,
    /// The most rounds.
    pub max_rounds: usize,
}

impl Default for OtUnbalanced {
    fn default() -> Self {
        Self {
            epsilon: 0.1,
            marginals: 1.0,
            normalise_cost: CostScale::default(),
            tolerance: 1e-9,
            max_rounds: 10_000,
        }
    }
}

impl Described for OtUnbalanced {
    const NAME: &'static str = "ot-unbalanced";
    const ABOUT: &'static str = "moves source rows by transport that may leave mass out";
    const PAPER: &'static str = "Chizat, Peyré, Schmitzer & Vialard, Scaling Algorithms for \
                                 Unbalanced Optimal Transport Problems, Math. Comp. 2018";
}

impl Align for OtUnbalanced {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        let &Self { epsilon, marginals, tolerance, max_rounds, .. } = self;
        check::positive(Self::NAME, "epsilon", epsilon)?;
        check::positive(Self::NAME, "marginals", marginals)?;
        let cost = self.normalise_cost.cost(Self::NAME, domains, memory::UNBALANCED)?;
        let options = Unbalanced { epsilon, marginals, tolerance, max_rounds };
        let relaxed = unbalanced(&Problem::uniform(cost.view())?, &options)?;
        dense_alignment(Self::NAME, domains, &relaxed.plan, relaxed.certificate)
    }
}
