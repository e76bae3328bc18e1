//! TENT: a trained network that becomes certain of the target by its batch normalisations alone.
//!
//! Wang et al., "Tent: Fully Test-Time Adaptation by Entropy Minimization", ICLR 2021, Sec. 3, Algorithm 1.
//! ```text
//! L = (1/n_t) Σ_i H(softmax z_i)
//! ```
//! z, the target's logits, `(n_t, k)` → L `()`, in nats. Moments are those of the batch; the gradient moves
//! scales and shifts of the normalisations, and nothing else.
//!
//! Differences from the paper:
//! 1. There the batch that is predicted is the one that adapts, with its own moments. Here the network is
//!    adapted over many batches and judged as any other, by its running moments, which follow the target's
//!    batches.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Batch, Dev, Kind, Losses, Method, Needs, Network, Pass, Recording, Result, Step, ops, value,
};

use super::{Capabilities, MethodConfig, Parts, Trains, adabn::need_normalisation};

/// There is nothing to choose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tent {}

impl MethodConfig for Tent {
    const NAME: &'static str = "tent";
    const ABOUT: &'static str =
        "certain predictions on the target by the normalisations of a trained network";
    const PAPER: &'static str =
        "Wang et al., Tent: Fully Test-Time Adaptation by Entropy Minimization, ICLR 2021";
    const CAPABILITIES: Capabilities = Capabilities {
        least_rows: 2,
        normalised: true,
        trains: Trains::Scales,
        ..Capabilities::SOURCE_FREE
    };

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        let network = parts.network;
        need_normalisation(Self::NAME, &network)?;
        let scales = network
            .parameters()
            .iter()
            .filter(|(_, p)| p.kind() == Kind::Scale)
            .map(|(scope, p)| p.path(scope))
            .collect();
        Ok(Box::new(Certain { network, scales }))
    }
}

/// The network, and the paths of what is trained of it.
struct Certain<D: Dev> {
    network: Network<D>,
    scales: Vec<String>,
}

impl<D: Dev> Method<D> for Certain<D> {
    fn needs(&self) -> Needs {
        Tent::CAPABILITIES.needs
    }

    fn step(&mut self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses> {
        let target = batch.target(Tent::NAME, Tent::CAPABILITIES.least_rows)?;
        let pass = Pass::train(step.rng).without_dropout();
        let Recording { logits, tape, .. } = self.network.record(target.x, pass)?;
        let loss = ops::entropy(logits.put_tape(tape))?;
        let total = value(&loss);
        let scales: Vec<&str> = self.scales.iter().map(String::as_str).collect();
        step.descend_in(loss, &scales)?;
        Ok(Losses(vec![("total", total), ("entropy", total)]))
    }

    fn network(&self) -> &Network<D> {
        &self.network
    }
}
