//! DANN: features that a critic cannot tell apart.
//!
//! Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016, Sec. 4, Eqs. 9–18.
//! ```text
//! L = ½ (1/n_s) Σ_i BCE(c(R_λ(f_i)), 0) + ½ (1/n_t) Σ_j BCE(c(R_λ(f_j)), 1)
//! λ(p) = w (2 / (1 + e^(−γ p)) − 1)
//! ```
//! f_s `(n_s, d)`, f_t `(n_t, d)` → L `()`, in nats: log 2 = 0.69 says that the critic guesses. R_λ
//! reverses the gradient, c is the critic, one logistic unit at its end; p is the finished share of
//! the training (Sec. 5.2.2, γ = 10). The critic itself learns at full strength, whatever λ, as in
//! the footnote there.
//!
//! Differences from the paper:
//! 1. Eq. 9 adds the two domains' losses, here they are halved. A critic's learning rate and a
//!    weight of twice the size make it the paper's.
//! 2. Where the features are taken is the backbone's configuration.
//! 3. On feature vectors the critic has dropout 0.5 by default, as in the code of Long et al.,
//!    "Conditional Adversarial Domain Adaptation", NeurIPS 2018, whose critic has two layers of 1024
//!    units; the paper's has none. Together with the dropout of the default backbone it keeps a critic
//!    from knowing every row of a small data set by heart, which drags the features about: see
//!    [`DannConfig::defaults_for`](MethodConfig::defaults_for).

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Dev, Error, InputShape, Matrix, Method, Parameter, Pass, Readings, Result, Rng, Scalar,
    Snapshot, Taped, check,
    layer::{Perceptron, PerceptronConfig},
    ops::{self, Activation},
    schedule::warm_up,
};

use super::{Capabilities, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View};

/// The paper's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DannConfig {
    /// w, the largest λ, finite and ≥ 0.
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

impl MethodConfig for DannConfig {
    const NAME: &'static str = "dann";
    const ABOUT: &'static str =
        "features that a domain critic cannot tell apart, by gradient reversal";
    const PAPER: &'static str =
        "Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016";
    const CAPABILITIES: Capabilities = Capabilities { critic: true, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] =
        &[("weight", Range::Log(0.01, 10.0)), ("gamma", Range::Log(1.0, 100.0))];

    fn defaults_for(input: InputShape) -> Self {
        let mut config = Self::default();
        if let InputShape::Features { .. } = input {
            config.critic.dropout = 0.5;
        }
        config
    }

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        let d = parts.network.backbone.features();
        let loss = Dann::new(parts.dev, d, self, parts.rng)?;
        parts.aligned(loss)
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
        check::non_negative(DannConfig::NAME, "weight", config.weight)?;
        check::positive(DannConfig::NAME, "gamma", config.gamma)?;
        let last = Activation::Identity;
        let critic = Perceptron::new(dev, "critic", (d, 1), &config.critic, last, rng)?;
        Ok(Self { config, critic })
    }

    /// λ(p): 0 at the start, nearly w at the end.
    fn lambda_at(&self, p: f32) -> f32 {
        self.config.weight * warm_up(p, self.config.gamma)
    }

    /// The mean binary cross-entropy of the critic on rows of one domain: 0 source, 1 target.
    fn domain_loss(&self, x: Taped<D>, domain: f32, rng: &mut Rng) -> Result<Scalar<D>> {
        let mut pass = Pass::train(rng).with_input_gradient();
        domain_loss(self.critic.forward(x, &mut pass)?, domain)
    }
}

impl<D: Dev> DomainLoss<D> for Dann<D> {
    fn name(&self) -> &'static str {
        DannConfig::NAME
    }

    fn layers(&self) -> &[Layer] {
        &[Layer::Features]
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let lambda = self.lambda_at(view.progress);
        let [f_s, f_t] = view.features();
        let l_s = self.domain_loss(ops::reverse_gradient(f_s, lambda)?, 0.0, view.rng)?;
        let l_t = self.domain_loss(ops::reverse_gradient(f_t, lambda)?, 1.0, view.rng)?;
        let loss = l_s.try_add(l_t).and_then(|l| l.try_div(2.0)).map_err(Error::device)?;
        Ok(vec![("domain", loss)])
    }

    fn readings(&self, at: Snapshot<'_, D>) -> Result<Readings> {
        let accuracy = critic_accuracy(&self.critic, [&at.source.features, &at.target.features])?;
        Ok(vec![("critic-accuracy", accuracy), ("lambda", self.lambda_at(at.progress))])
    }

    fn parameters(&self) -> Vec<Parameter<D>> {
        self.critic.parameters()
    }
}

/// The mean binary cross-entropy of a critic's logits `(n, 1)` against one domain: 0 source, 1 target.
pub(super) fn domain_loss<D: Dev>(logits: Taped<D>, domain: f32) -> Result<Scalar<D>> {
    let labels = vec![domain; logits.shape().0];
    let labels = logits.device().try_tensor_from_vec(labels, *logits.shape());
    labels
        .and_then(|labels| logits.try_bce_with_logits(labels))
        .and_then(|bce| bce.try_mean::<Rank0, _>())
        .map_err(Error::device)
}

/// The same with weights of the rows, `(n,)`, instead of 1/n:
/// max(z, 0) − z t + log(1 + e^(−|z|)).
pub(super) fn weighted_domain_loss<D: Dev>(
    logits: Taped<D>,
    domain: f32,
    weights: Vec<f32>,
) -> Result<Scalar<D>> {
    let shape = *logits.shape();
    let weights = logits.device().try_tensor_from_vec(weights, shape).map_err(Error::device)?;
    let linear = logits.with_empty_tape().try_mul(domain).map_err(Error::device)?;
    let soft = logits
        .with_empty_tape()
        .try_abs()
        .and_then(|z| z.try_negate()?.try_exp()?.try_add(1.0)?.try_ln())
        .map_err(Error::device)?;
    logits
        .try_relu()
        .and_then(|z| z.try_sub(linear)?.try_add(soft)?.try_mul(weights)?.try_sum::<Rank0, _>())
        .map_err(Error::device)
}

/// The share of rows, source `(n_s, d)` and target `(n_t, d)`, whose domain the critic tells, its
/// logit being that of "target".
pub(super) fn critic_accuracy<D: Dev>(
    critic: &Perceptron<D>,
    domains: [&Matrix<D>; 2],
) -> Result<f32> {
    let (mut right, mut all) = (0, 0);
    for (domain, x) in domains.into_iter().enumerate() {
        let logits = critic.forward(x.clone(), &mut Pass::eval())?.as_vec();
        right += logits.iter().filter(|z| usize::from(**z > 0.0) == domain).count();
        all += logits.len();
    }
    Ok(right as f32 / all.max(1) as f32)
}

#[cfg(test)]
mod tests {
    use transduct_core::{
        Input, Stream,
        backbone::{Mlp, MlpConfig},
        cpu, rng,
    };

    use super::*;

    #[test]
    fn the_schedule_of_lambda_is_the_papers() {
        let dann = Dann::new(&cpu(), 2, DannConfig::default(), &mut rng(0, Stream::Init)).unwrap();
        assert_eq!(dann.lambda_at(0.0), 0.0);
        assert!((dann.lambda_at(0.5) - 0.986_614_3).abs() < 1e-6);
        assert!((dann.lambda_at(1.0) - 0.999_909_2).abs() < 1e-6);
    }

    /// A critic without hidden layers, w = (1, −1), b = 0: the logit of a row is its difference.
    #[test]
    fn the_critics_loss_by_hand() {
        let critic = PerceptronConfig::default();
        let config = DannConfig { critic, ..Default::default() };
        let mut random = rng(0, Stream::Init);
        let mut dann = Dann::new(&cpu(), 2, config, &mut random).unwrap();
        for (parameter, values) in dann.parameters().iter().zip([&[1.0, -1.0][..], &[0.0]]) {
            parameter.set(values).unwrap();
        }
        let f = [cpu().tensor([[3.0, 1.0]]).realize(), cpu().tensor([[0.0, 0.0]]).realize()];
        let view = View::new(f.clone(), f, &[0], 0.5, &mut random);
        let loss = dann.loss(view).unwrap()[0].1.array();
        // −log(1 − σ(2)) = log(1 + e²) for the source, log 2 for the target.
        let expected = ((1.0 + 2f32.exp()).ln() + 2f32.ln()) / 2.0;
        assert!((loss - expected).abs() < 1e-6, "{loss} for {expected}");
    }

    /// As above, behind a network whose features are the rows themselves where those are ≥ 0.
    #[test]
    fn the_critics_accuracy_by_hand() {
        let dev = cpu();
        let mut random = rng(0, Stream::Init);
        let input = InputShape::Features { d: 2 };
        let mlp = MlpConfig { hidden: vec![2], dropout: 0.0 };
        let critic = PerceptronConfig { hidden: vec![], dropout: 0.5 };
        let backbone = Box::new(Mlp::new(&dev, input, &mlp, &mut random).unwrap());
        let head = PerceptronConfig::default();
        let parts = Parts::new(&dev, backbone, &head, (2, 9), &mut random).unwrap();
        let config = DannConfig { weight: 0.5, critic, ..Default::default() };
        let method = config.build(parts).unwrap();
        for (scope, parameter) in method.parameters() {
            match parameter.path(&scope).as_str() {
                "backbone/fc1.weight" => parameter.set(&[1.0, 0.0, 0.0, 1.0]).unwrap(),
                "critic/critic.weight" => parameter.set(&[1.0, -1.0]).unwrap(),
                _ => parameter.set(&vec![0.0; parameter.len()]).unwrap(),
            }
        }
        // Logits 2 and −1 of the source, whose first is wrong; 2 and 2 of the target.
        let outputs = [[3.0, 1.0, 0.0, 1.0], [3.0, 1.0, 2.0, -7.0]].map(|rows| {
            method.outputs(&Input::from_values(&dev, input, rows.to_vec()).unwrap()).unwrap()
        });
        let at = |progress| {
            let [source, target] = &outputs;
            method.readings(Snapshot { source, target, progress }).unwrap()
        };
        assert_eq!(at(0.0), [("critic-accuracy", 0.75), ("lambda", 0.0)]);
        assert!((at(0.5)[1].1 - 0.5 * 0.986_614_3).abs() < 1e-6);
    }

    #[test]
    fn options_out_of_range_are_named() {
        let config = DannConfig { gamma: 0.0, ..Default::default() };
        let error = Dann::new(&cpu(), 2, config, &mut rng(0, Stream::Init)).err();
        let message = error.map(|e| e.to_string());
        assert_eq!(message.as_deref(), Some("dann.gamma = 0: expected a finite number > 0"));
    }
}
