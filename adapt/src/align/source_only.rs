//! Training on the source alone: what every adaptation is compared with.
//!
//! ```text
//! L = CE(source)
//! ```
//! The target batch is never looked at, so that batch normalisation sees the source only.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Dev, Group, Input, Labelled, Losses, Method, Outputs, Parameter, Result, Step, Unlabelled,
    ops::{self, CrossEntropy},
    value,
};

use super::{
    Capabilities, MethodConfig, Network, Parts,
    network::{Recording, need_rows},
};

/// There is nothing to choose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceOnlyConfig {}

impl MethodConfig for SourceOnlyConfig {
    const NAME: &'static str = "source-only";
    const ABOUT: &'static str = "cross-entropy on the source, no adaptation";
    const PAPER: &'static str = "–";
    const CAPABILITIES: Capabilities =
        Capabilities { target_rows: false, symmetric: true, ..Capabilities::ALIGNMENT };

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        Ok(Box::new(SourceOnly::new(parts.network())))
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
    fn step(
        &mut self,
        source: Labelled<'_, D>,
        _: Unlabelled<'_, D>,
        step: &mut Step<'_, D>,
    ) -> Result<Losses> {
        need_rows(SourceOnlyConfig::NAME, 1, &[("source", source.x)])?;
        let Recording { logits, tape, .. } = self.0.forward_train(source.x, step.rng)?;
        let loss = ops::cross_entropy(logits.put_tape(tape), source.y, CrossEntropy::default())?;
        let total = value(&loss);
        step.descend(loss)?;
        Ok(Losses(vec![("total", total), ("classification", total)]))
    }

    fn outputs(&self, x: &Input<D>) -> Result<Outputs<D>> {
        self.0.outputs(x)
    }

    fn parameters(&self) -> Vec<(Group, Parameter<D>)> {
        self.0.parameters()
    }
}
