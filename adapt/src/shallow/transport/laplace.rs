//! Transport after which rows that were near each other still are.
//!
//! Courty, Flamary, Tuia & Rakotomamonjy, "Optimal Transport for Domain Adaptation", TPAMI 2017,
//! Sec. 4.3 (OT-Laplace), on the graphs of nearest neighbours of both domains.
//!
//! Differences from the paper:
//! 1. The paper chooses ε and η by validation; ε = 0, exact transport in every round, and η = 1 on
//!    the scaled cost are ours.
//! 2. The source graph does not read labels.
//! 3. The penalty's distances are divided by what the cost is divided by.

use serde::{Deserialize, Serialize};

use super::{COURTY, CostScale, dense_alignment};
use crate::{
    catalogue::Described,
    check,
    domains::Domains,
    error::{Error, Result},
    math::{gram, unit::Unit},
    ot::{
        Problem, memory,
        regularised::{Laplace, Regularised, regularised},
    },
    shallow::{Align, Alignment},
};

/// The options of Laplace-regularised transport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtLaplace {
    /// ε ≥ 0, in units of the scaled cost.
    pub epsilon: f64,
    /// η ≥ 0.
    pub weight: f64,
    /// α in [0, 1]: the target's share of the penalty.
    pub target_share: f64,
    /// Nearest neighbours in each graph, at least 1.
    pub neighbours: usize,
    /// What costs are divided by.
    pub normalise_cost: CostScale,
    /// The duality gap relative to max(1, objective).
    pub tolerance: f64,
    /// The most rounds, each a transport problem.
    pub max_rounds: usize,
}

impl Default for OtLaplace {
    fn default() -> Self {
        Self {
            epsilon: 0.0,
            weight: 1.0,
            target_share: 0.5,
            neighbours: 3,
            normalise_cost: CostScale::default(),
            tolerance: 1e-4,
            max_rounds: 100,
        }
    }
}

impl Described for OtLaplace {
    const NAME: &'static str = "ot-laplace";
    const ABOUT: &'static str = "moves source rows by transport that keeps neighbours together";
    const PAPER: &'static str = COURTY;
}

impl Align for OtLaplace {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        let &Self { epsilon, weight, target_share, neighbours, tolerance, max_rounds, .. } = self;
        check::non_negative(Self::NAME, "epsilon", epsilon)?;
        check::non_negative(Self::NAME, "weight", weight)?;
        if !(0.0..=1.0).contains(&target_share) {
            let expected = "a number from 0 to 1";
            return Err(Error::config(Self::NAME, "target_share", target_share, expected));
        }
        check::at_least(Self::NAME, "neighbours", neighbours, 1)?;
        let matrices = memory::PENALISED_TWICE;
        let cost = self.normalise_cost.cost(Self::NAME, domains, matrices)?;
        let unit = Unit::of_domains(domains);
        let (xs, xt) = (unit.rows(domains.source()), unit.rows(domains.target()));
        // Both terms in the same units: the cost's scale is the ratio of plain to scaled costs.
        let plain: f64 = gram::squared_distances(xs.view(), xt.view()).sum();
        let scaled = cost.sum();
        let weight = if plain > 0.0 { weight * scaled / plain } else { weight };
        let penalty = Laplace::new(xs.view(), xt.view(), neighbours, weight, target_share);
        let options = Regularised { epsilon, tolerance, max_rounds };
        let fitted = regularised(&Problem::uniform(cost.view())?, &penalty, &options)?;
        dense_alignment(Self::NAME, domains, &fitted.plan, fitted.certificate)
    }
}
