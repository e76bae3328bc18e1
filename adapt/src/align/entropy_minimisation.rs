//! Entropy minimisation: decide on the target rows.
//!
//! Grandvalet & Bengio, "Semi-supervised Learning by Entropy Minimization", NIPS 2004, Sec. 2.2,
//! Eqs. 4–6.
//! ```text
//! L = λ (1/n_t) Σ_i H(softmax z_i)        H(p) = − Σ_c p_c log p_c
//! ```
//! z, the target's logits, `(n_t, k)` → L `()`, in nats, between 0 and λ log k.
//!
//! Differences from the paper:
//! 1. Its rows with and without labels come from one distribution; here those without are the
//!    target's.
//! 2. Its criterion sums over rows, this loss takes the mean: λ is the paper's times n_t / n_s.
//! 3. Its models are logistic regressions and small networks, and λ may be annealed; here λ is
//!    constant.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{Dev, Error, Method, Result, check, ops};

use super::{Capabilities, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View};

/// The weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EntropyMinimisation {
    /// λ, finite and ≥ 0. The paper chooses it by cross-validation; 0.1 is ours: with more, early
    /// mistakes on the target are made certain.
    pub weight: f32,
}

impl Default for EntropyMinimisation {
    fn default() -> Self {
        Self { weight: 0.1 }
    }
}

impl MethodConfig for EntropyMinimisation {
    const NAME: &'static str = "entropy-minimisation";
    const ABOUT: &'static str = "confident predictions on the target";
    const PAPER: &'static str =
        "Grandvalet & Bengio, Semi-supervised Learning by Entropy Minimization, NIPS 2004";
    const CAPABILITIES: Capabilities = Capabilities::ALIGNMENT;
    const RANGES: &'static [(&'static str, Range)] = &[("weight", Range::Log(0.001, 1.0))];

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        parts.aligned(self)
    }
}

impl<D: Dev> DomainLoss<D> for EntropyMinimisation {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn layers(&self) -> &[Layer] {
        &[Layer::Logits]
    }

    fn check(&self) -> Result<()> {
        check::non_negative(Self::NAME, "weight", self.weight)
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let [_, z_t] = view.logits();
        let loss = ops::entropy(z_t)?.try_mul(self.weight).map_err(Error::device)?;
        Ok(vec![("entropy", loss)])
    }
}

#[cfg(test)]
mod tests {

    use transduct_core::{Matrix, Stream, cpu, rng};

    use super::*;

    /// Target rows: uniform over 2 classes (log 2) and (1/4, 3/4). The source does not matter.
    #[test]
    fn the_mean_entropy_by_hand() {
        let z_s: Matrix<_> = cpu().tensor([[9.0, -9.0]]).realize();
        let z_t: Matrix<_> = cpu().tensor([[1.0, 1.0], [0.0, 3f32.ln()]]).realize();
        let mut rng = rng(0, Stream::Step);
        let view = View::new([z_s.clone(), z_t.clone()], [z_s, z_t], &[0], 0.0, &mut rng);
        let loss = EntropyMinimisation { weight: 0.5 }.loss(view).unwrap()[0].1.array();
        let h = -(0.25 * 0.25f32.ln() + 0.75 * 0.75f32.ln());
        assert!((loss - 0.5 * (2f32.ln() + h) / 2.0).abs() < 1e-6);
    }
}
