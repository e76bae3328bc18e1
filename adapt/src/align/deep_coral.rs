//! Deep CORAL: give source and target the same second moments.
//!
//! Sun & Saenko, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation", ECCV Workshops
//! 2016, Sec. 3.1, Eqs. 1–3; trade-off λ: Eq. 6.
//! ```text
//! L = λ ‖C_s − C_t‖²_F / (4 d²)        C = (X − 1x̄ᵀ)ᵀ (X − 1x̄ᵀ) / (n − 1)
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`, n_s ≠ n_t allowed → L `()`, ≥ 0, in (unit of X)⁴.
//!
//! Differences from the paper:
//! 1. It aligns the classifier's output, its layer fc8; here `layer` chooses, and by default it is
//!    the features.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{Dev, Error, Method, Result, check, ops::covariance};

use super::{Capabilities, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View};

/// The weight and the place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepCoral {
    /// λ, finite and ≥ 0. The paper prints none (classification and CORAL loss should end about
    /// equal); 1 is ours.
    pub weight: f32,
    /// What is aligned.
    pub layer: Layer,
}

impl Default for DeepCoral {
    fn default() -> Self {
        Self { weight: 1.0, layer: Layer::Features }
    }
}

impl MethodConfig for DeepCoral {
    const NAME: &'static str = "deep-coral";
    const ABOUT: &'static str = "equal covariances of source and target features";
    const PAPER: &'static str = "Sun & Saenko, Deep CORAL: Correlation Alignment for Deep Domain \
                                 Adaptation, ECCV Workshops 2016";
    const CAPABILITIES: Capabilities =
        Capabilities { symmetric: true, least_rows: 2, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] = &[("weight", Range::Log(0.01, 100.0))];

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        parts.aligned(self)
    }
}

impl<D: Dev> DomainLoss<D> for DeepCoral {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// n − 1 must not be 0.
    fn least_rows(&self) -> usize {
        2
    }

    fn layers(&self) -> &[Layer] {
        std::slice::from_ref(&self.layer)
    }

    fn check(&self) -> Result<()> {
        check::non_negative(Self::NAME, "weight", self.weight)
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let [x_s, x_t] = view.layer(self.layer);
        let d = x_s.shape().1 as f32;
        let gap = covariance(x_s)?.try_sub(covariance(x_t)?).map_err(Error::device)?;
        let loss = gap
            .try_square()
            .and_then(|gap| gap.try_sum::<Rank0, _>())
            .and_then(|norm| norm.try_mul(self.weight / (4.0 * d * d)))
            .map_err(Error::device)?;
        Ok(vec![("coral", loss)])
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{Matrix, Stream, cpu, rng};

    use super::*;

    fn loss(config: DeepCoral, source: [[f32; 2]; 4], target: [[f32; 2]; 4]) -> f32 {
        let mut config = config;
        let mut rng = rng(0, Stream::Step);
        let x = [source, target].map(|x| -> Matrix<_> { cpu().tensor(x).realize() });
        let z = x.each_ref().map(|x| x.clone() * 2.0);
        config.loss(View::new(x, z, &[], 0.0, &mut rng)).unwrap()[0].1.array()
    }

    const CORNERS: [[f32; 2]; 4] = [[0., 0.], [0., 2.], [2., 0.], [2., 2.]];

    /// C_s = 4/3·I, C_t = 16/3·I, ‖C_s − C_t‖² = 32, over 4 d² = 16.
    #[test]
    fn corners_of_a_square_by_hand() {
        let double = CORNERS.map(|x| x.map(|v| 2.0 * v));
        assert!((loss(DeepCoral::default(), CORNERS, double) - 2.0).abs() < 1e-6);
        // The logits are twice as large: 2⁴ times the loss.
        let logits = DeepCoral { layer: Layer::Logits, weight: 0.5 };
        assert!((loss(logits, CORNERS, double) - 16.0).abs() < 1e-5);
    }

    #[test]
    fn a_negative_weight_is_an_error() {
        let config = DeepCoral { weight: -1.0, ..Default::default() };
        let error = DomainLoss::<Cpu>::check(&config).unwrap_err().to_string();
        assert_eq!(error, "deep-coral.weight = -1: expected a finite number ≥ 0");
    }
}
