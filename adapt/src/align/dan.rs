//! DAN: give source and target the same mean in the space of a mixture of Gaussian kernels.
//!
//! Long et al., "Learning Transferable Features with Deep Adaptation Networks", ICML 2015,
//! Eqs. 1–5.
//! ```text
//! L = λ Σ_ℓ MMD²(X_s^ℓ, X_t^ℓ)        k(x, y) = (1/m) Σ_u exp(−‖x − y‖² / γ_u)
//! ```
//! summed over the layers ℓ: X_s `(n_s, d)`, X_t `(n_t, d)` → L `()`. The estimates of MMD² are
//! written out in [`crate::mmd`], the kernels and their bandwidths in [`crate::kernel`].
//!
//! Differences from the paper:
//! 1. The coefficients of the kernels are 1/m. There a quadratic programme chooses them.
//! 2. Its 33 kernels reach from 2⁻⁸ γ to 2⁸ γ in steps of √2 (`kernels = 33, ratio = 1.41421356`);
//!    by default there are 5, from γ/4 to 4 γ: the others are nearly constant on a batch.
//! 3. Its γ is the median squared distance on the training data; here it is that of the batch,
//!    since features change as they are learnt.
//! 4. It uses the linear-time unbiased estimate. The default here is the unbiased one over all
//!    pairs: its mean is the same and its variance much smaller, and on batches of this size it
//!    costs little more. The biased one, common in other code, adds on average
//!    (1 − E k(x, x′))/n + (1 − E k(y, y′))/m: a network lowers that by making all its features
//!    alike, until they tell no class from another.
//! 5. It adapts the last three layers of AlexNet, the classifier's output among them; here the
//!    layers are the features and the logits.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{Dev, Error, Method, Result, check};

use super::{Capabilities, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View};
use crate::{
    kernel::{Bandwidth, GaussianFamily},
    mmd::{Distances, Estimator},
};

/// The weight, the estimate, the kernels and the layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dan {
    /// λ, finite and ≥ 0. The paper chooses it by validation; 1 is ours.
    pub weight: f32,
    /// `biased`, `unbiased` or `linear`.
    pub estimator: Estimator,
    /// m ≥ 1, the number of kernels.
    pub kernels: usize,
    /// Ratio of neighbouring bandwidths, > 0.
    pub ratio: f32,
    /// γ, the bandwidth of the kernel in the middle: `median` or `mean` of the squared distances
    /// that the estimate reads.
    pub bandwidth: Bandwidth,
    /// The layers ℓ, at least one.
    pub layers: Vec<Layer>,
}

impl Default for Dan {
    fn default() -> Self {
        let GaussianFamily { kernels, ratio, bandwidth } = GaussianFamily::default();
        Self {
            weight: 1.0,
            estimator: Estimator::default(),
            kernels,
            ratio,
            bandwidth,
            layers: vec![Layer::Features, Layer::Logits],
        }
    }
}

impl MethodConfig for Dan {
    const NAME: &'static str = "dan";
    const ABOUT: &'static str = "equal kernel means of source and target, by multi-kernel MMD";
    const PAPER: &'static str =
        "Long et al., Learning Transferable Features with Deep Adaptation Networks, ICML 2015";
    const CAPABILITIES: Capabilities =
        Capabilities { symmetric: true, least_rows: 2, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] =
        &[("weight", Range::Log(0.01, 10.0)), ("kernels", Range::Whole(1, 9))];

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        parts.aligned(self)
    }
}

impl Dan {
    /// The family of kernels that these options describe.
    pub fn family(&self) -> GaussianFamily {
        GaussianFamily { kernels: self.kernels, ratio: self.ratio, bandwidth: self.bandwidth }
    }
}

impl<D: Dev> DomainLoss<D> for Dan {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// A pair of distinct rows in each domain.
    fn least_rows(&self) -> usize {
        2
    }

    fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn check(&self) -> Result<()> {
        check::non_negative(Self::NAME, "weight", self.weight)?;
        check::at_least(Self::NAME, "layers", self.layers.len(), 1)?;
        self.family().check(Self::NAME)
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let mut terms = Vec::with_capacity(self.layers.len());
        for &layer in &self.layers {
            let [x_s, x_t] = view.layer(layer);
            let distances = Distances::new(x_s, x_t, self.estimator)?;
            let kernel = self.family().kernel(distances.distinct());
            let mmd = distances.mmd(&kernel)?.try_mul(self.weight).map_err(Error::device)?;
            let name = match layer {
                Layer::Features => "mmd-features",
                Layer::Logits => "mmd-logits",
            };
            terms.push((name, mmd));
        }
        Ok(terms)
    }
}

#[cfg(test)]
mod tests {

    use transduct_core::{Matrix, Stream, cpu, rng};

    use super::*;

    /// The distances of the pooled rows 0, 1 | 0, 2 are 1, 4 | 0, 4, 1, 1: γ = 1 by the median. One
    /// kernel, biased: ½ − ½ e⁻¹, as in [`crate::mmd`]; the logits, twice the features, have γ = 4
    /// and the same kernel values.
    #[test]
    fn two_layers_by_hand() {
        let x_s: Matrix<_> = cpu().tensor([[0.0], [1.0]]).realize();
        let x_t: Matrix<_> = cpu().tensor([[0.0], [2.0]]).realize();
        let logits = [x_s.clone() * 2.0, x_t.clone() * 2.0];
        let mut rng = rng(0, Stream::Step);
        let view = View::new([x_s, x_t], logits, &[0, 0], 0.0, &mut rng);
        let estimator = Estimator::Biased;
        let mut dan = Dan { estimator, kernels: 1, weight: 2.0, ..Dan::default() };
        let terms = dan.loss(view).unwrap();
        assert_eq!((terms[0].0, terms[1].0), ("mmd-features", "mmd-logits"));
        for (name, term) in terms {
            let expected = 1.0 - (-1f32).exp();
            assert!((term.array() - expected).abs() < 1e-6, "{name}");
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        let message = |dan: Dan| DomainLoss::<Cpu>::check(&dan).unwrap_err().to_string();
        let none = Dan { layers: vec![], ..Dan::default() };
        assert_eq!(message(none), "dan.layers = 0: expected at least 1");
        let flat = Dan { ratio: 0.0, ..Dan::default() };
        assert_eq!(message(flat), "dan.ratio = 0: expected a finite number > 0");
    }
}
