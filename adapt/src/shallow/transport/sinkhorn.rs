//! Entropic transport of the source rows onto the target rows.
//!
//! Courty, Flamary, Tuia & Rakotomamonjy, "Optimal Transport for Domain Adaptation", TPAMI 2017,
//! Sec. 3.3 and 3.4 (OT-IT). Large ε moves every row to the target's mean.
//!
//! Differences from the paper:
//! 1. The paper chooses ε by validation; 0.1 of the median cost is ours.

use serde::{Deserialize, Serialize};

use super::{COURTY, CostScale, Metric, dense_alignment};
use crate::{
    catalogue::Described,
    check,
    domains::Domains,
    error::Result,
    ot::{Problem, Sinkhorn, memory, sinkhorn},
    shallow::{Align, Alignment},
};

/// The options of entropic transport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtSinkhorn {
    /// ε > 0, in units of the scaled cost.
    pub epsilon: f64,
    /// What costs are divided by.
    pub normalise_cost: CostScale,
    /// What a cost is.
    pub metric: Metric,
    /// The largest violation of a marginal.
    pub tolerance: f64,
    /// The most rounds.
    pub max_rounds: usize,
}

impl Default for OtSinkhorn {
    fn default() -> Self {
        let normalise_cost = CostScale::default();
        let metric = Metric::default();
        Self { epsilon: 0.1, normalise_cost, metric, tolerance: 1e-9, max_rounds: 10_000 }
    }
}

impl Described for OtSinkhorn {
    const NAME: &'static str = "ot-sinkhorn";
    const ABOUT: &'static str = "moves source rows by entropic optimal transport";
    const PAPER: &'static str = COURTY;
}

impl Align for OtSinkhorn {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        let &Self { epsilon, tolerance, max_rounds, .. } = self;
        check::positive(Self::NAME, "epsilon", epsilon)?;
        let cost =
            self.normalise_cost.cost_by(self.metric, Self::NAME, domains, memory::ENTROPIC)?;
        let options = Sinkhorn { epsilon, tolerance, max_rounds };
        let entropic = sinkhorn(&Problem::uniform(cost.view())?, &options)?;
        dense_alignment(Self::NAME, domains, &entropic.plan, entropic.certificate)
    }
}
