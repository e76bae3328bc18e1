//! CDAN: a critic that sees what the classifier predicts beside the features.
//!
//! Long et al., "Conditional Adversarial Domain Adaptation", NeurIPS 2018, Sec. 3, Eqs. 3–8. f are
//! features `(n, d)`, p the softmax of the logits `(n, k)`:
//! ```text
//! t(f, p) = f ⊗ p                        multilinear, (n, d k), where d k ≤ 4096
//!         = (f R_f) ⊙ (p R_p) / √r       randomised, (n, r), above it; R normal, fixed
//! L = ½ Σ_i w_i BCE(c(R_λ(t_i)), 0) + ½ Σ_j w_j BCE(c(R_λ(t_j)), 1)
//! w_i = (1 + e^(−H(p_i))) / Σ (1 + e^(−H(p)))     CDAN+E; 1/n without
//! ```
//! → L `()`, in nats. R_λ and λ(p) are those of [`super::Dann`]: λ rises from 0 to w.
//!
//! Differences from the paper:
//! 1. p is constant to the gradient, in t and in w, as in the authors' code; in Eq. 6 it is not.
//! 2. The two domains' losses are halved, as in [`super::Dann`].

use dfdx::prelude::*;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use transduct_core::{
    Dev, Error, InputShape, Kind, Matrix, Method, Outputs, Parameter, Pass, Readings, Result, Rng,
    Scalar, Snapshot, Taped, check,
    layer::{Perceptron, PerceptronConfig},
    ops::{self, Activation},
    schedule::warm_up,
};

use super::{
    Capabilities, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View,
    dann::{critic_accuracy, weighted_domain_loss},
    mcc::certainty,
};

/// The values of the authors' code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CdanConfig {
    /// w, the largest λ, finite and ≥ 0.
    pub weight: f32,
    /// γ > 0 of the schedule of λ.
    pub gamma: f32,
    /// Whether certain rows count more: CDAN+E.
    pub entropy: bool,
    /// r ≥ 1 of the randomised map.
    pub randomised: usize,
    /// Hidden widths of the critic.
    pub critic: PerceptronConfig,
}

impl Default for CdanConfig {
    fn default() -> Self {
        let critic = PerceptronConfig { hidden: vec![500, 500], dropout: 0.0 };
        Self { weight: 1.0, gamma: 10.0, entropy: true, randomised: 1024, critic }
    }
}

impl MethodConfig for CdanConfig {
    const NAME: &'static str = "cdan";
    const ABOUT: &'static str =
        "features and predictions together that a domain critic cannot tell apart";
    const PAPER: &'static str =
        "Long et al., Conditional Adversarial Domain Adaptation, NeurIPS 2018";
    const CAPABILITIES: Capabilities = Capabilities { critic: true, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] =
        &[("weight", Range::Log(0.01, 10.0)), ("gamma", Range::Log(1.0, 100.0))];

    /// 1024 units and dropout 0.5 on features, 500 units on digits: the authors' code.
    fn defaults_for(input: InputShape) -> Self {
        let mut config = Self::default();
        if let InputShape::Features { .. } = input {
            config.critic = PerceptronConfig { hidden: vec![1024, 1024], dropout: 0.5 };
        }
        config
    }

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        let sizes = (parts.network.backbone.features(), parts.classes);
        let loss = Cdan::new(parts.dev, sizes, self, parts.rng)?;
        parts.aligned(loss)
    }
}

/// The largest d k of the multilinear map, as in the paper.
const MULTILINEAR: usize = 4096;

/// The adversarial loss, its critic and its map.
pub struct Cdan<D: Dev> {
    config: CdanConfig,
    critic: Perceptron<D>,
    /// R_f `(d, r)` and R_p `(k, r)`, of the randomised map.
    random: Option<[Parameter<D>; 2]>,
}

impl<D: Dev> Cdan<D> {
    /// A critic for `d` features and `k` classes.
    ///
    /// # Errors
    /// [`Error::Config`] for values out of range, [`Error::Device`] when memory is short.
    pub fn new(dev: &D, (d, k): (usize, usize), config: CdanConfig, rng: &mut Rng) -> Result<Self> {
        check::non_negative(CdanConfig::NAME, "weight", config.weight)?;
        check::positive(CdanConfig::NAME, "gamma", config.gamma)?;
        check::at_least(CdanConfig::NAME, "randomised", config.randomised, 1)?;
        let r = config.randomised;
        let (width, random) = match d.saturating_mul(k) <= MULTILINEAR {
            true => (d * k, None),
            false => {
                let mut normal = |name, rows: usize| {
                    let values = (0..rows * r).map(|_| StandardNormal.sample(rng)).collect();
                    Parameter::new(dev, name, Kind::Buffer, &[rows, r], values)
                };
                (r, Some([normal("features", d)?, normal("predictions", k)?]))
            }
        };
        let last = Activation::Identity;
        let critic = Perceptron::new(dev, "critic", (width, 1), &config.critic, last, rng)?;
        Ok(Self { config, critic, random })
    }

    fn lambda_at(&self, p: f32) -> f32 {
        self.config.weight * warm_up(p, self.config.gamma)
    }

    /// t(f, p) of features `(n, d)` and predictions `(n, k)`.
    fn map<T: Tape<f32, D>>(&self, f: Matrix<D, T>, p: Matrix<D>) -> Result<Matrix<D, T>> {
        let (&(n, d), &(_, k)) = (f.shape(), p.shape());
        if let Some([of_features, of_predictions]) = &self.random {
            let root = (self.config.randomised as f32).sqrt();
            let p = p.try_matmul(of_predictions.matrix()).map_err(Error::device)?;
            return f
                .try_matmul(of_features.matrix())
                .and_then(|f| f.try_mul(p)?.try_div(root))
                .map_err(Error::device);
        }
        let p = p.try_broadcast_like::<_, Axis<1>>(&(n, d, k)).map_err(Error::device)?;
        f.try_broadcast_like::<_, Axis<2>>(&(n, d, k))
            .and_then(|f| f.try_mul(p)?.try_reshape_like(&(n, d * k)))
            .map_err(Error::device)
    }

    /// What one domain adds to 2 L: 0 source, 1 target.
    fn domain(
        &self,
        f: Taped<D>,
        logits: Matrix<D>,
        domain: f32,
        lambda: f32,
        rng: &mut Rng,
    ) -> Result<Scalar<D>> {
        let n = f.shape().0;
        let weights = match self.config.entropy {
            true => {
                let mut w = certainty(&logits)?;
                let sum: f32 = w.iter().sum();
                w.iter_mut().for_each(|w| *w /= sum);
                w
            }
            false => vec![1.0 / n as f32; n],
        };
        let p = logits.try_softmax::<Axis<1>>().map_err(Error::device)?;
        let t = ops::reverse_gradient(self.map(f, p)?, lambda)?;
        let mut pass = Pass::train(rng).with_input_gradient();
        weighted_domain_loss(self.critic.forward(t, &mut pass)?, domain, weights)
    }

    /// t of outputs, without a tape.
    fn mapped(&self, outputs: &Outputs<D>) -> Result<Matrix<D>> {
        let p = outputs.logits.clone().try_softmax::<Axis<1>>().map_err(Error::device)?;
        self.map(outputs.features.clone(), p)
    }
}

impl<D: Dev> DomainLoss<D> for Cdan<D> {
    fn name(&self) -> &'static str {
        CdanConfig::NAME
    }

    fn layers(&self) -> &[Layer] {
        &[Layer::Features]
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let lambda = self.lambda_at(view.progress);
        let [f_s, f_t] = view.features();
        let [z_s, z_t] = view.logits().map(|z| z.retaped::<NoneTape>());
        let l_s = self.domain(f_s, z_s, 0.0, lambda, view.rng)?;
        let l_t = self.domain(f_t, z_t, 1.0, lambda, view.rng)?;
        let loss = l_s.try_add(l_t).and_then(|l| l.try_div(2.0)).map_err(Error::device)?;
        Ok(vec![("domain", loss)])
    }

    fn readings(&self, at: Snapshot<'_, D>) -> Result<Readings> {
        let (source, target) = (self.mapped(at.source)?, self.mapped(at.target)?);
        let accuracy = critic_accuracy(&self.critic, [&source, &target])?;
        Ok(vec![("critic-accuracy", accuracy), ("lambda", self.lambda_at(at.progress))])
    }

    fn parameters(&self) -> Vec<Parameter<D>> {
        let random = self.random.iter().flatten().cloned();
        self.critic.parameters().into_iter().chain(random).collect()
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{Stream, cpu, rng};

    use super::*;

    /// Rows of two features, uniform over two classes; a critic w = (1, 0, 0, −1) on f ⊗ p.
    #[test]
    fn the_loss_by_hand() {
        let critic = PerceptronConfig::default();
        let config = CdanConfig { critic, entropy: false, ..CdanConfig::default() };
        let mut random = rng(0, Stream::Init);
        let mut cdan = Cdan::new(&cpu(), (2, 2), config, &mut random).unwrap();
        let parameters = DomainLoss::parameters(&cdan);
        parameters[0].set(&[1.0, 0.0, 0.0, -1.0]).unwrap();
        parameters[1].set(&[0.0]).unwrap();
        let f: Matrix<_> = cpu().tensor([[6.0, 2.0]]).realize();
        let z: Matrix<_> = cpu().tensor([[1.0, 1.0]]).realize();
        // f ⊗ p = (3, 3, 1, 1): the logit is 2 in both domains.
        let view = View::new([f.clone(), f], [z.clone(), z], &[0], 0.5, &mut random);
        let loss = cdan.loss(view).unwrap()[0].1.array();
        let expected = ((1.0 + 2f32.exp()).ln() + (1.0 + (-2f32).exp()).ln()) / 2.0;
        assert!((loss - expected).abs() < 1e-6, "{loss} for {expected}");
    }

    /// An uncertain row counts 1.5, a certain one 2.
    #[test]
    fn certain_rows_count_more() {
        let critic = PerceptronConfig::default();
        let config = CdanConfig { critic, ..CdanConfig::default() };
        let mut random = rng(0, Stream::Init);
        let mut cdan = Cdan::new(&cpu(), (1, 2), config, &mut random).unwrap();
        let parameters = DomainLoss::parameters(&cdan);
        parameters[0].set(&[1.0, 1.0]).unwrap();
        parameters[1].set(&[0.0]).unwrap();
        // The logits of the critic are the features: p sums to 1.
        let f: Matrix<_> = cpu().tensor([[1.0], [-2.0]]).realize();
        let z: Matrix<_> = cpu().tensor([[0.0, 0.0], [60.0, 0.0]]).realize();
        let view = View::new([f.clone(), f], [z.clone(), z], &[0, 0], 0.5, &mut random);
        let loss = cdan.loss(view).unwrap()[0].1.array();
        let softplus = |z: f32| (1.0 + z.exp()).ln();
        let of = |sign: f32| (1.5 * softplus(sign) + 2.0 * softplus(-2.0 * sign)) / 3.5;
        let expected = (of(1.0) + of(-1.0)) / 2.0;
        assert!((loss - expected).abs() < 1e-6, "{loss} for {expected}");
    }

    /// E ⟨t(f, p), t(f′, p′)⟩ = ⟨f, f′⟩ ⟨p, p′⟩.
    #[test]
    fn the_randomised_map_keeps_inner_products_on_average() {
        let config = CdanConfig { randomised: 20_000, ..CdanConfig::default() };
        let mut random = rng(0, Stream::Init);
        let cdan = Cdan::new(&cpu(), (MULTILINEAR, 2), config, &mut random).unwrap();
        assert!(cdan.random.is_some());
        let mut features = vec![0.0; 2 * MULTILINEAR];
        (features[0], features[1], features[MULTILINEAR]) = (3.0, 4.0, 2.0);
        let f: Matrix<_> = cpu().tensor_from_vec(features, (2, MULTILINEAR));
        let p: Matrix<_> = cpu().tensor([[0.25, 0.75], [0.5, 0.5]]).realize();
        let t = cdan.map(f, p).unwrap();
        let values = t.as_vec();
        let (a, b) = values.split_at(values.len() / 2);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let (aa, ab) = (dot(a, a), dot(a, b));
        // 25 · 0.625 and 6 · 0.5, with deviations of about 2 and 0.6 %.
        assert!((aa - 15.625).abs() < 1.0 && (ab - 3.0).abs() < 0.6, "{aa} {ab}");
    }

    #[test]
    fn options_out_of_range_are_named() {
        let config = CdanConfig { randomised: 0, ..CdanConfig::default() };
        let error = Cdan::new(&cpu(), (2, 2), config, &mut rng(0, Stream::Init)).err().unwrap();
        assert_eq!(error.to_string(), "cdan.randomised = 0: expected at least 1");
    }
}
