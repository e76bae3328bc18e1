//! AFN: features of both domains that grow to the same, large norms.
//!
//! Xu et al., "Larger Norm More Transferable: An Adaptive Feature Norm Approach for Unsupervised Domain
//! Adaptation", ICCV 2019, Sec. 3.3–3.4, Eqs. 4–7. h_i is the norm of row i of the features `(n, d)`:
//! ```text
//! hard      L = λ Σ_dom ((1/n) Σ_i h_i − R)²
//! stepwise  L = λ Σ_dom (1/n) Σ_i (h_i − (h_i′ + Δr))²        h′ = h, held constant
//! ```
//! L `()`, in (unit of the features)². The value of the stepwise loss is 2 λ Δr² throughout; its gradient
//! makes every norm grow.
//!
//! Differences from the paper:
//! 1. Its norms are those of a bottleneck with dropout, rescaled by √(1 − p); here those of the run's
//!    features.
//! 2. λ is 0.05 there, on networks that were trained before, and here on feature vectors. A network that
//!    is trained from the start on images with it grows without bound and collapses, by momentum of 0.9 at
//!    rates of 0.01 and 0.03: there it is 0.005.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{Dev, Error, InputShape, Method, Result, Scalar, Taped, check};

use super::{Capabilities, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View};

/// What the norms should become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureNorm {
    /// R on average.
    Hard,
    /// Δr larger than it is, row by row.
    #[default]
    Stepwise,
}

/// The weight and the norms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Afn {
    /// λ, finite and ≥ 0; ours on images, the paper's on feature vectors.
    pub weight: f32,
    /// `stepwise` or `hard`.
    pub norm: FeatureNorm,
    /// R > 0.
    pub radius: f32,
    /// Δr > 0.
    pub step: f32,
}

impl Default for Afn {
    fn default() -> Self {
        Self { weight: 0.005, norm: FeatureNorm::default(), radius: 25.0, step: 1.0 }
    }
}

impl MethodConfig for Afn {
    const NAME: &'static str = "afn";
    const ABOUT: &'static str = "features of both domains that grow to large norms";
    const PAPER: &'static str = "Xu et al., Larger Norm More Transferable: An Adaptive Feature Norm \
                                 Approach for Unsupervised Domain Adaptation, ICCV 2019";
    const CAPABILITIES: Capabilities = Capabilities { symmetric: true, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] =
        &[("weight", Range::Log(0.001, 1.0)), ("step", Range::Log(0.1, 10.0))];

    fn defaults_for(input: InputShape) -> Self {
        match input {
            InputShape::Features { .. } => Self { weight: 0.05, ..Self::default() },
            _ => Self::default(),
        }
    }

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        parts.aligned(self)
    }
}

/// Keeps the gradient of a norm of zero finite.
const EPSILON: f32 = 1e-12;

impl Afn {
    /// What one domain adds to L / λ.
    fn domain<D: Dev>(&self, features: Taped<D>) -> Result<Scalar<D>> {
        let norms = features
            .try_square()
            .and_then(|f| f.try_sum::<(usize,), Axis<1>>())
            .and_then(|squares| squares.try_add(EPSILON)?.try_sqrt())
            .map_err(Error::device)?;
        match self.norm {
            FeatureNorm::Hard => norms
                .try_mean::<Rank0, _>()
                .and_then(|mean| mean.try_sub(self.radius)?.try_square())
                .map_err(Error::device),
            FeatureNorm::Stepwise => {
                let wanted = norms.retaped::<NoneTape>().try_add(self.step);
                wanted
                    .and_then(|wanted| norms.try_sub(wanted)?.try_square()?.try_mean::<Rank0, _>())
                    .map_err(Error::device)
            }
        }
    }
}

impl<D: Dev> DomainLoss<D> for Afn {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn layers(&self) -> &[Layer] {
        &[Layer::Features]
    }

    fn check(&self) -> Result<()> {
        check::non_negative(Self::NAME, "weight", self.weight)?;
        check::positive(Self::NAME, "radius", self.radius)?;
        check::positive(Self::NAME, "step", self.step)
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let [f_s, f_t] = view.features();
        let loss = self
            .domain(f_s)?
            .try_add(self.domain(f_t)?)
            .and_then(|loss| loss.try_mul(self.weight))
            .map_err(Error::device)?;
        Ok(vec![("feature-norm", loss)])
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{Matrix, Recorded, cpu};

    use super::*;

    /// Norms 5 and 13.
    #[test]
    fn both_kinds_by_hand() {
        let x: Matrix<_> = cpu().tensor([[3.0, 4.0], [5.0, 12.0]]).realize();
        let of = |norm| {
            let afn = Afn { norm, radius: 10.0, step: 0.5, ..Afn::default() };
            let loss = afn.domain(x.clone().put_tape(Recorded::<Cpu>::default())).unwrap();
            (loss.array(), loss.backward().get(&x).as_vec())
        };
        let (hard, gradient) = of(FeatureNorm::Hard);
        assert!((hard - 1.0).abs() < 1e-5);
        // 2 (9 − 10) · ½ · (3/5, 4/5).
        assert!((gradient[0] + 0.6).abs() < 1e-5 && (gradient[1] + 0.8).abs() < 1e-5);
        let (stepwise, gradient) = of(FeatureNorm::Stepwise);
        assert!((stepwise - 0.25).abs() < 1e-5);
        // −2 Δr / n along the row: a step against it makes the norm grow.
        assert!((gradient[0] + 0.3).abs() < 1e-5 && (gradient[1] + 0.4).abs() < 1e-5);
    }

    #[test]
    fn a_feature_of_zero_has_a_gradient() {
        let x: Matrix<_> = cpu().tensor([[0.0, 0.0]]).realize();
        let loss = Afn::default().domain(x.clone().put_tape(Recorded::<Cpu>::default())).unwrap();
        assert!(loss.backward().get(&x).as_vec().iter().all(|g| g.is_finite()));
    }

    #[test]
    fn options_out_of_range_are_named() {
        let afn = Afn { step: 0.0, ..Afn::default() };
        let error = DomainLoss::<Cpu>::check(&afn).unwrap_err().to_string();
        assert_eq!(error, "afn.step = 0: expected a finite number > 0");
    }
}
