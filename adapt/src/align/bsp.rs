//! BSP: an adversarial method whose features keep their discriminability.
//!
//! Chen et al., "Transferability vs. Discriminability: Batch Spectral Penalization for Adversarial Domain
//! Adaptation", ICML 2019, Sec. 3.3, Eq. 8.
//! ```text
//! L = L_DANN + β Σ_{i ≤ k} (σ²_{s,i} + σ²_{t,i})
//! ```
//! σ_{s,i}, σ_{t,i} are the largest singular values of the features `(n, d)` of a batch of each domain.
//! L_DANN is that of [`super::Dann`].
//!
//! The singular vectors are computed on the host and held constant: σ_i² has the gradient 2 σ_i u_i v_iᵀ.
//!
//! Differences from the paper:
//! 1. It is added to DANN and to CDAN there, here to DANN.

use dfdx::prelude::*;
use ndarray::s;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Dev, Error, InputShape, Method, Parameter, Readings, Result, Scalar, Snapshot, Taped, check,
};

use super::{
    Capabilities, Dann, DannConfig, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View,
    held::weighted_by,
};
use crate::math::linalg;

/// The paper's values, beside DANN's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BspConfig {
    /// β, finite and ≥ 0.
    pub penalty: f32,
    /// k ≥ 1.
    pub values: usize,
    /// DANN's options.
    pub dann: DannConfig,
}

impl Default for BspConfig {
    fn default() -> Self {
        Self { penalty: 1e-4, values: 1, dann: DannConfig::default() }
    }
}

impl MethodConfig for BspConfig {
    const NAME: &'static str = "bsp";
    const ABOUT: &'static str = "DANN whose features have no dominant direction";
    const PAPER: &'static str = "Chen et al., Transferability vs. Discriminability: Batch Spectral \
                                 Penalization for Adversarial Domain Adaptation, ICML 2019";
    const CAPABILITIES: Capabilities = Capabilities { critic: true, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] =
        &[("penalty", Range::Log(1e-6, 1e-2)), ("values", Range::Whole(1, 4))];

    fn defaults_for(input: InputShape) -> Self {
        Self { dann: DannConfig::defaults_for(input), ..Self::default() }
    }

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        check::non_negative(Self::NAME, "penalty", self.penalty)?;
        check::at_least(Self::NAME, "values", self.values, 1)?;
        let d = parts.network.backbone.features();
        let dann = Dann::new(parts.dev, d, self.dann.clone(), parts.rng)?;
        parts.aligned(Bsp { config: self, dann })
    }
}

/// The penalty and DANN's loss.
struct Bsp<D: Dev> {
    config: BspConfig,
    dann: Dann<D>,
}

/// Σ_{i ≤ k} σ_i² of features on a tape.
fn largest_squares<D: Dev>(features: Taped<D>, k: usize) -> Result<Scalar<D>> {
    // ⟨2 Σ σ_i u_i v_iᵀ, F⟩ is twice the sum, whose gradient it has.
    let twice = weighted_by(BspConfig::NAME, features, |f| {
        let linalg::Svd { u, singular, v } = linalg::svd(f)?;
        let k = k.min(singular.len());
        let scaled = &u.slice(s![.., ..k]) * &singular.slice(s![..k]) * 2.0;
        Ok(linalg::dot(&scaled, &v.slice(s![.., ..k]).t()))
    })?;
    let constant = transduct_core::value(&twice) / 2.0;
    twice.try_sub(constant).map_err(Error::device)
}

impl<D: Dev> DomainLoss<D> for Bsp<D> {
    fn name(&self) -> &'static str {
        BspConfig::NAME
    }

    fn layers(&self) -> &[Layer] {
        &[Layer::Features]
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let [f_s, f_t] = view.features();
        let penalty = largest_squares(f_s, self.config.values)?
            .try_add(largest_squares(f_t, self.config.values)?)
            .and_then(|sum| sum.try_mul(self.config.penalty))
            .map_err(Error::device)?;
        let mut terms = self.dann.loss(view)?;
        terms.push(("spectral-penalty", penalty));
        Ok(terms)
    }

    fn readings(&self, at: Snapshot<'_, D>) -> Result<Readings> {
        self.dann.readings(at)
    }

    fn parameters(&self) -> Vec<Parameter<D>> {
        DomainLoss::parameters(&self.dann)
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{Matrix, Recorded, cpu};

    use super::*;

    /// Singular values 4 and 3: the gradient of 4² is 8 in its place.
    #[test]
    fn the_penalty_and_its_gradient_by_hand() {
        let x: Matrix<_> = cpu().tensor([[3.0, 0.0], [0.0, 4.0]]).realize();
        let of = |k| {
            let loss = largest_squares(x.clone().put_tape(Recorded::<Cpu>::default()), k).unwrap();
            (loss.array(), loss.backward().get(&x).as_vec())
        };
        let close = |got: &[f32], expected: &[f32]| {
            got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4)
        };
        let (one, gradient) = of(1);
        assert!((one - 16.0).abs() < 1e-4 && close(&gradient, &[0.0, 0.0, 0.0, 8.0]));
        let (all, gradient) = of(9);
        assert!((all - 25.0).abs() < 1e-4 && close(&gradient, &[6.0, 0.0, 0.0, 8.0]));
    }
}
