//! FixMatch: what the network is certain of on a target row it should say of a changed copy.
//!
//! Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence", NeurIPS
//! 2020, Sec. 2.2, Eqs. 3–4. p is the softmax on the rows as they are, z the logits on their copies:
//! ```text
//! L = w (1/n_t) Σ_i [max_c p_ic > τ] CE(z_i, argmax_c p_ic)
//! ```
//! beside the cross-entropy on the source; `(n_t, k)` → L `()`, in nats. p is constant. The domains pass
//! through the network one after the other.
//!
//! Differences from the paper:
//! 1. Its rows without labels come from one distribution with those that have some; here they are the
//!    target's.
//! 2. Its weak views are flipped and moved and its strong ones changed by RandAugment; here the weak view is
//!    the row, and the strong one changed as the run's `training.augment` says.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Batch, Dev, Error, Losses, Method, Needs, Network, Pass, Recording, Result, Step, check,
    ops::{self, CrossEntropy},
    value,
};

use super::{
    Capabilities, MethodConfig, Parts, Range,
    pseudo_labels::{certain, masked_cross_entropy},
};

/// The paper's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FixMatch {
    /// w, finite and ≥ 0.
    pub weight: f32,
    /// τ, 0 ≤ τ < 1.
    pub confidence: f32,
}

impl Default for FixMatch {
    fn default() -> Self {
        Self { weight: 1.0, confidence: 0.95 }
    }
}

impl MethodConfig for FixMatch {
    const NAME: &'static str = "fixmatch";
    const ABOUT: &'static str = "the same prediction for a target row and a changed copy of it";
    const PAPER: &'static str = "Sohn et al., FixMatch: Simplifying Semi-Supervised Learning with \
                                 Consistency and Confidence, NeurIPS 2020";
    const CAPABILITIES: Capabilities =
        Capabilities { needs: Needs { views: 1, ..Needs::BOTH }, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] =
        &[("weight", Range::Log(0.01, 10.0)), ("confidence", Range::Linear(0.7, 0.99))];

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        check::non_negative(Self::NAME, "weight", self.weight)?;
        if !(0.0..1.0).contains(&self.confidence) {
            return Err(Error::config(Self::NAME, "confidence", self.confidence, "0 ≤ τ < 1"));
        }
        Ok(Box::new(Consistent { config: self, network: parts.network }))
    }
}

/// The network.
struct Consistent<D: Dev> {
    config: FixMatch,
    network: Network<D>,
}

impl<D: Dev> Method<D> for Consistent<D> {
    fn needs(&self) -> Needs {
        FixMatch::CAPABILITIES.needs
    }

    fn step(&mut self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses> {
        let (source, target) = batch.both(FixMatch::NAME, 1)?;
        let [strong] = target.views else {
            return Err(Error::shape(FixMatch::NAME, "1 view", target.views.len()));
        };
        let Recording { logits, tape, .. } =
            self.network.record(source.x, Pass::train(step.rng))?;
        let mut total =
            ops::cross_entropy(logits.put_tape(tape), source.y, CrossEntropy::default())?;
        let mut losses = vec![("total", 0.0), ("classification", value(&total))];
        let weak = self.network.outputs_in(target.x, &mut Pass::train(step.rng))?;
        let labels = certain(&weak.logits, self.config.confidence)?;
        let Recording { logits, tape, .. } = self.network.record(strong, Pass::train(step.rng))?;
        if let Some(loss) = masked_cross_entropy(logits.put_tape(tape), &labels)? {
            let loss = loss.try_mul(self.config.weight).map_err(Error::device)?;
            losses.push(("consistency", value(&loss)));
            total = total.try_add(loss).map_err(Error::device)?;
        }
        losses[0].1 = value(&total);
        step.descend(total)?;
        Ok(Losses(losses))
    }

    fn network(&self) -> &Network<D> {
        &self.network
    }
}
