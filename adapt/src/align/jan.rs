//! JAN: the joint distribution of features and predictions is the same in both domains.
//!
//! Long et al., "Deep Transfer Learning with Joint Adaptation Networks", ICML 2017, Sec. 4, Eqs. 6–9.
//! ```text
//! L = λ JMMD²        JMMD²: MMD² with the kernel Π_ℓ k^ℓ(x^ℓ, y^ℓ)
//! ```
//! over the layers ℓ: the features `(n, d)` and the softmax of the logits `(n, k)` → L `()`. The estimates
//! of MMD² are those of [`crate::mmd`].
//!
//! Differences from the paper:
//! 1. It takes the linear-time estimate, here the unbiased one over all pairs: see [`super::Dan`].
//! 2. Its kernel of the softmax has the bandwidth 2σ² with σ = 1.68 of the authors' code, which is the
//!    default; the kernels of the features are those of [`super::Dan`].
//! 3. It adapts the last layers of AlexNet or ResNet, here features and predictions.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{Dev, Error, Method, Result, check};

use super::{Capabilities, DomainLoss, MethodConfig, Parts, Range, Terms, View};
use crate::{
    kernel::{Bandwidth, GaussianFamily, Gaussians},
    mmd::{Distances, Estimator, joint_mmd},
};

/// The weight, the estimate and the kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jan {
    /// λ, finite and ≥ 0.
    pub weight: f32,
    /// `biased`, `unbiased` or `linear`.
    pub estimator: Estimator,
    /// m ≥ 1, the number of kernels on the features.
    pub kernels: usize,
    /// Ratio of neighbouring bandwidths, > 0.
    pub ratio: f32,
    /// γ of the kernel in the middle: `median` or `mean` of the squared distances.
    pub bandwidth: Bandwidth,
    /// γ > 0 of the kernel on the predictions.
    pub prediction_bandwidth: f32,
}

impl Default for Jan {
    fn default() -> Self {
        let GaussianFamily { kernels, ratio, bandwidth } = GaussianFamily::default();
        Self {
            weight: 1.0,
            estimator: Estimator::default(),
            kernels,
            ratio,
            bandwidth,
            prediction_bandwidth: 2.0 * 1.68 * 1.68,
        }
    }
}

impl MethodConfig for Jan {
    const NAME: &'static str = "jan";
    const ABOUT: &'static str = "equal joint kernel means of features and predictions";
    const PAPER: &'static str =
        "Long et al., Deep Transfer Learning with Joint Adaptation Networks, ICML 2017";
    const CAPABILITIES: Capabilities =
        Capabilities { symmetric: true, least_rows: 2, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] = &[("weight", Range::Log(0.01, 10.0))];

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        parts.aligned(self)
    }
}

impl Jan {
    fn family(&self) -> GaussianFamily {
        GaussianFamily { kernels: self.kernels, ratio: self.ratio, bandwidth: self.bandwidth }
    }
}

impl<D: Dev> DomainLoss<D> for Jan {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// A pair of distinct rows in each domain.
    fn least_rows(&self) -> usize {
        2
    }

    fn check(&self) -> Result<()> {
        check::non_negative(Self::NAME, "weight", self.weight)?;
        check::positive(Self::NAME, "prediction_bandwidth", self.prediction_bandwidth)?;
        self.family().check(Self::NAME)
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let [f_s, f_t] = view.features();
        let [z_s, z_t] = view.logits();
        let softmax =
            |z: transduct_core::Taped<D>| z.try_softmax::<Axis<1>>().map_err(Error::device);
        let features = Distances::new(f_s, f_t, self.estimator)?;
        let predictions = Distances::new(softmax(z_s)?, softmax(z_t)?, self.estimator)?;
        let kernels = [
            self.family().kernel(features.distinct()),
            Gaussians::new(vec![self.prediction_bandwidth])?,
        ];
        let loss = joint_mmd([features, predictions], kernels.each_ref())?
            .try_mul(self.weight)
            .map_err(Error::device)?;
        Ok(vec![("jmmd", loss)])
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{Matrix, Stream, cpu, rng};

    use super::*;

    /// One kernel with γ = 1 on features (0, 1 | 0, 2); the predictions of all rows are alike, so that
    /// their kernel is 1 and the joint estimate is that of the features: biased, ½ − ½ e⁻¹.
    #[test]
    fn equal_predictions_leave_the_features_estimate() {
        let x_s: Matrix<_> = cpu().tensor([[0.0], [1.0]]).realize();
        let x_t: Matrix<_> = cpu().tensor([[0.0], [2.0]]).realize();
        let z: Matrix<_> = cpu().tensor([[1.0, 2.0], [1.0, 2.0]]).realize();
        let mut rng = rng(0, Stream::Step);
        let view = View::new([x_s, x_t], [z.clone(), z], &[0, 0], 0.0, &mut rng);
        let mut jan =
            Jan { estimator: Estimator::Biased, kernels: 1, weight: 2.0, ..Jan::default() };
        let loss = jan.loss(view).unwrap()[0].1.array();
        assert!((loss - (1.0 - (-1f32).exp())).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn options_out_of_range_are_named() {
        let jan = Jan { prediction_bandwidth: 0.0, ..Jan::default() };
        let error = DomainLoss::<Cpu>::check(&jan).unwrap_err().to_string();
        assert_eq!(error, "jan.prediction_bandwidth = 0: expected a finite number > 0");
    }
}
