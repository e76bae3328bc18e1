//! Training on the source alone: what every adaptation is compared with.
//!
//! ```text
//! L = CE(source)
//! ```
//! It is given no target row, so that batch normalisation sees the source only.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Batch, Dev, Losses, Method, Needs, Network, Pass, Recording, Result, Step,
    ops::{self, CrossEntropy},
    value,
};

use super::{Capabilities, MethodConfig, Parts};

/// There is nothing to choose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceOnlyConfig {}

impl MethodConfig for SourceOnlyConfig {
    const NAME: &'static str = "source-only";
    const ABOUT: &'static str = "cross-entropy on the source, no adaptation";
    const PAPER: &'static str = "–";
    const CAPABILITIES: Capabilities =
        Capabilities { needs: Needs::SOURCE, symmetric: true, ..Capabilities::ALIGNMENT };

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        Ok(Box::new(SourceOnly::new(parts.network)))
    }
}

/// Cross-entropy on the source.
pub struct SourceOnly<D: Dev>(Network<D>);

impl<D: Dev> SourceOnly<D> {
    /// The method that trains `network`.
    pub fn new(network: Network<D>) -> Self {
        Self(network)
    }
}

impl<D: Dev> Method<D> for SourceOnly<D> {
    fn needs(&self) -> Needs {
        SourceOnlyConfig::CAPABILITIES.needs
    }

    fn step(&mut self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses> {
        let source = batch.source(SourceOnlyConfig::NAME, 1)?;
        let Recording { logits, tape, .. } = self.0.record(source.x, Pass::train(step.rng))?;
        let loss = ops::cross_entropy(logits.put_tape(tape), source.y, CrossEntropy::default())?;
        let total = value(&loss);
        step.descend(loss)?;
        Ok(Losses(vec![("total", total), ("classification", total)]))
    }

    fn network(&self) -> &Network<D> {
        &self.0
    }
}
