//! Exact transport of the source rows onto the target rows.
//!
//! Courty, Flamary, Tuia & Rakotomamonjy, "Optimal Transport for Domain Adaptation", TPAMI 2017,
//! Sec. 3.2 and 3.4 (OT-exact). Differences from the paper: none.

use serde::{Deserialize, Serialize};

use super::{COURTY, CostScale, Metric, alignment};
use crate::{
    catalogue::Described,
    domains::Domains,
    error::Result,
    ot::{Emd, Problem, emd, memory},
    shallow::{Align, Alignment},
};

/// The options of exact transport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtEmd {
    /// What costs are divided by; it changes the certificate's scale alone.
    pub normalise_cost: CostScale,
    /// What a cost is.
    pub metric: Metric,
}

impl Default for OtEmd {
    fn default() -> Self {
        Self { normalise_cost: CostScale::None, metric: Metric::default() }
    }
}

impl Described for OtEmd {
    const NAME: &'static str = "ot-emd";
    const ABOUT: &'static str = "moves source rows by exact optimal transport";
    const PAPER: &'static str = COURTY;
}

impl Align for OtEmd {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        let &Self { normalise_cost, metric } = self;
        let (cost, _) = normalise_cost.cost_in_unit(metric, Self::NAME, domains, memory::EXACT)?;
        let exact = emd(&Problem::uniform(cost.view())?, &Emd::default())?;
        let (masses, _) = exact.plan.marginals();
        let sums = exact.plan.dot(domains.target());
        alignment(Self::NAME, domains, sums, masses, exact.certificate)
    }
}
