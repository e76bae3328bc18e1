//! DANN: features that a critic cannot tell apart.
//!
//! Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016, Sec. 4, Eqs. 9–18.
//! ```text
//! L = BCE(c(R_λ(f_s)), source) / 2 + BCE(c(R_λ(f_t)), target) / 2
//! λ(p) = 2 / (1 + e^(−γ p)) − 1
//! ```
//! f_s `(n_s, d)`, f_t `(n_t, d)` → L `()`, in nats. R_λ reverses the gradient, c is the critic,
//! p the finished share of the training (Sec. 5.2.2, γ = 10).
//!
//! Differences from the paper: none in the loss. Where the features are taken is the backbone's
//! configuration.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Dev, Error, Parameter, Pass, Result, Rng, Scalar, Taped,
    layer::{Perceptron, PerceptronConfig},
    ops::{self, Activation, CrossEntropy},
};

use super::{DomainLoss, View};

/// The paper's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DannConfig {
    /// Largest λ, finite and ≥ 0.
    pub weight: f32,
    /// γ of the schedule of λ, > 0.
    pub gamma: f32,
    /// Hidden widths of the critic (100 for the digits of the paper's Fig. 4a).
    pub critic: PerceptronConfig,
}

impl Default for DannConfig {
    fn default() -> Self {
        let critic = PerceptronConfig { hidden: vec![100], dropout: 0.0 };
        Self { weight: 1.0, gamma: 10.0, critic }
    }
}

/// The adversarial loss and its critic.
pub struct Dann<D: Dev> {
    config: DannConfig,
    critic: Perceptron<D>,
}

impl<D: Dev> Dann<D> {
    /// A critic for features of dimension `d`.
    ///
    /// # Errors
    /// [`Error::Config`] for values out of range, [`Error::Device`] when memory is short.
    pub fn new(dev: &D, d: usize, config: DannConfig, rng: &mut Rng) -> Result<Self> {
        let ranges = [("weight", config.weight, 0.0), ("gamma", config.gamma, f32::MIN_POSITIVE)];
        for (field, value, least) in ranges {
            if !(value.is_finite() && value >= least) {
                return Err(Error::config("dann", field, value, "a finite positive number"));
            }
        }
        let last = Activation::Identity;
        let critic = Perceptron::new(dev, "critic", (d, 2), &config.critic, last, rng)?;
        Ok(Self { config, critic })
    }

    /// λ at progress p: 0 at the start, `weight` at the end.
    fn lambda(&self, p: f32) -> f32 {
        self.config.weight * (2.0 / (1.0 + (-self.config.gamma * p).exp()) - 1.0)
    }

    fn domain_loss(&self, x: Taped<D>, domain: usize, rng: &mut Rng) -> Result<Scalar<D>> {
        let labels = vec![domain; x.shape().0];
        let mut pass = Pass::train(rng).with_input_gradient();
        let logits = self.critic.forward(x, &mut pass)?;
        ops::cross_entropy(logits, &labels, CrossEntropy::default())
    }
}

impl<D: Dev> DomainLoss<D> for Dann<D> {
    fn loss(&mut self, view: View<'_, D>) -> Result<Vec<(&'static str, Scalar<D>)>> {
        let lambda = self.lambda(view.progress);
        let [f_s, f_t] = view.features();
        let l_s = self.domain_loss(ops::reverse_gradient(f_s, lambda)?, 0, view.rng)?;
        let l_t = self.domain_loss(ops::reverse_gradient(f_t, lambda)?, 1, view.rng)?;
        let loss = l_s.try_add(l_t).and_then(|l| l.try_div(2.0)).map_err(Error::device)?;
        Ok(vec![("domain", loss)])
    }

    fn parameters(&self) -> Vec<Parameter<D>> {
        self.critic.parameters()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use transduct_core::{
        Input, InputShape, Labelled, Method, Step, Stream, Unlabelled,
        backbone::{Head, build_backbone},
        cpu,
        optim::{Optimiser, Sgd},
        rng,
    };

    use super::*;
    use crate::registry::{Parts, build_method};

    #[test]
    fn the_schedule_of_lambda_is_the_papers() {
        let dann = Dann::new(&cpu(), 2, DannConfig::default(), &mut rng(0, Stream::Init)).unwrap();
        assert_eq!(dann.lambda(0.0), 0.0);
        assert!((dann.lambda(0.5) - 0.986_614_3).abs() < 1e-6);
        assert!((dann.lambda(1.0) - 0.999_909_2).abs() < 1e-6);
    }

    #[test]
    fn classification_loss_falls_on_a_fixed_batch() {
        let dev = cpu();
        let mut init = rng(1, Stream::Init);
        let shape = InputShape::Images { c: 1, h: 16, w: 16 };
        let backbone = build_backbone(&dev, "digit-net", shape, &Value::Null, &mut init).unwrap();
        let head =
            Head::new(&dev, (backbone.features(), 2), &Default::default(), &mut init).unwrap();
        let parts = Parts { dev: &dev, backbone, head, classes: 2, rng: &mut init };
        let mut method: Box<dyn Method<_>> = build_method("dann", parts, &Value::Null).unwrap();
        let pixels = |offset: usize| {
            (0..4 * 256).map(|i| ((i * 7 + offset) % 13) as f32 / 13.0).collect::<Vec<_>>()
        };
        let x_s = Input::from_values(&dev, shape, pixels(0)).unwrap();
        let x_t = Input::from_values(&dev, shape, pixels(5)).unwrap();
        let mut optimiser = Optimiser::new(Sgd::default(), 0.1, method.parameters());
        let mut random = rng(1, Stream::Step);
        let mut losses = Vec::new();
        for i in 0..20 {
            let mut step =
                Step { progress: i as f32 / 20.0, rng: &mut random, optimiser: &mut optimiser };
            let source = Labelled { x: &x_s, y: &[0, 1, 0, 1] };
            losses.push(method.step(source, Unlabelled { x: &x_t }, &mut step).unwrap().0[1].1);
        }
        assert!(losses[19] < 0.8 * losses[0], "{losses:?}");
    }
}
