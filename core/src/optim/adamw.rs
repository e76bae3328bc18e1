//! Adam with decoupled weight decay.

use serde::{Deserialize, Serialize};

use super::AdamRule;

/// Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, Algorithm 2, with the
/// decay multiplied by the learning rate, as in PyTorch.
///
/// ```text
/// p ← p − η wd p,  then as Adam without decay
/// ```
/// Defaults are Adam's, and PyTorch's wd = 0.01; the paper's depends on the task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    /// β₁, 0 ≤ β₁ < 1.
    pub beta1: f32,
    /// β₂, 0 ≤ β₂ < 1.
    pub beta2: f32,
    /// ε > 0.
    pub epsilon: f32,
    /// wd ≥ 0.
    pub weight_decay: f32,
    /// Whether biases, scales and shifts decay too.
    pub decay_biases: bool,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01, decay_biases: true }
    }
}

impl AdamW {
    pub(super) fn rule(&self) -> AdamRule {
        let &Self { beta1, beta2, epsilon, .. } = self;
        AdamRule { beta1, beta2, epsilon, decoupled: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::testing::steps_on_cubes;

    #[test]
    fn values_are_pytorchs() {
        let close = |config, expected: [f32; 3]| {
            let got = steps_on_cubes::<AdamW>(config, None);
            approx::assert_relative_eq!(got[..], expected[..], max_relative = 1e-6);
        };
        // torch.optim.AdamW, torch 2.15; the second with betas (0.8, 0.9), eps 1e-3, decay 0.1.
        close(AdamW::default(), [0.750_364_2, -2.245_117_4, 0.257_350_27]);
        let config =
            AdamW { beta1: 0.8, beta2: 0.9, epsilon: 1e-3, weight_decay: 0.1, ..AdamW::default() };
        close(config, [0.730_527_76, -2.198_734, 0.249_568_42]);
    }
}
