//! MDD: an adversarial classifier that agrees with the first on the source and not on the target.
//!
//! Zhang et al., "Bridging Theory and Algorithm for Domain Adaptation", ICML 2019, Sec. 5.1, Eqs. 29–30.
//! f are features, ŷ the classes that the network predicts, h′ the adversarial classifier:
//! ```text
//! L = w [ γ (1/n_s) Σ_i −log σ_ŷᵢ(h′(R_λ(f_i)))  +  (1/n_t) Σ_j −log(1 − σ_ŷⱼ(h′(R_λ(f_j)))) ]
//! ```
//! σ is the softmax, R_λ reverses the gradient, ŷ is constant → L `()`, in nats. h′ minimises L, so that
//! γ is the margin's e^ρ; the features maximise it.
//!
//! Differences from the paper: none in the loss. λ rises from 0 to 0.1 as in the authors' code, by
//! λ(p) = 0.1 (2 / (1 + e^(−10 p)) − 1), there over the first thousand steps, here over the training.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Dev, Error, InputShape, Method, Outputs, Parameter, Pass, Readings, Result, Rng, Scalar,
    Snapshot, Taped, check,
    layer::{Perceptron, PerceptronConfig},
    ops::{self, Activation, CrossEntropy},
    predictions,
    schedule::warm_up,
};

use super::{Capabilities, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View};

/// The paper's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MddConfig {
    /// w, finite and ≥ 0.
    pub weight: f32,
    /// γ > 0 (3 for Office-31 and VisDA, 2 for Office-Home there; 4 in Table 4's best column).
    pub margin: f32,
    /// The largest λ, finite and ≥ 0.
    pub reversal: f32,
    /// Hidden widths of the adversarial classifier.
    pub classifier: PerceptronConfig,
}

impl Default for MddConfig {
    fn default() -> Self {
        let classifier = PerceptronConfig { hidden: vec![100], dropout: 0.0 };
        Self { weight: 1.0, margin: 4.0, reversal: 0.1, classifier }
    }
}

impl MethodConfig for MddConfig {
    const NAME: &'static str = "mdd";
    const ABOUT: &'static str = "no room for a classifier that differs on the target alone";
    const PAPER: &'static str =
        "Zhang et al., Bridging Theory and Algorithm for Domain Adaptation, ICML 2019";
    const CAPABILITIES: Capabilities = Capabilities { critic: true, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] =
        &[("weight", Range::Log(0.01, 10.0)), ("margin", Range::Linear(1.0, 8.0))];

    /// 1024 units and dropout 0.5 on features, as in the authors' code.
    fn defaults_for(input: InputShape) -> Self {
        let mut config = Self::default();
        if let InputShape::Features { .. } = input {
            config.classifier = PerceptronConfig { hidden: vec![1024], dropout: 0.5 };
        }
        config
    }

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        let sizes = (parts.network.backbone.features(), parts.classes);
        let loss = Mdd::new(parts.dev, sizes, self, parts.rng)?;
        parts.aligned(loss)
    }
}

/// The loss and its adversarial classifier.
pub struct Mdd<D: Dev> {
    config: MddConfig,
    classifier: Perceptron<D>,
}

impl<D: Dev> Mdd<D> {
    /// A classifier of `k` classes over `d` features.
    ///
    /// # Errors
    /// [`Error::Config`] for values out of range, [`Error::Device`] when memory is short.
    pub fn new(dev: &D, sizes: (usize, usize), config: MddConfig, rng: &mut Rng) -> Result<Self> {
        check::non_negative(MddConfig::NAME, "weight", config.weight)?;
        check::positive(MddConfig::NAME, "margin", config.margin)?;
        check::non_negative(MddConfig::NAME, "reversal", config.reversal)?;
        let last = Activation::Identity;
        let classifier = Perceptron::new(dev, "adversary", sizes, &config.classifier, last, rng)?;
        Ok(Self { config, classifier })
    }

    fn lambda_at(&self, p: f32) -> f32 {
        self.config.reversal * warm_up(p, 10.0)
    }

    fn adversary(&self, f: Taped<D>, lambda: f32, rng: &mut Rng) -> Result<Taped<D>> {
        let mut pass = Pass::train(rng).with_input_gradient();
        self.classifier.forward(ops::reverse_gradient(f, lambda)?, &mut pass)
    }
}

/// (1/n) Σ_i −log(1 − σ_ŷᵢ(z_i)) of logits `(n, k)`: log Σ_c e^z_c − log Σ_{c ≠ ŷ} e^z_c.
fn against<D: Dev>(z: Taped<D>, labels: &[usize]) -> Result<Scalar<D>> {
    let &(n, k) = z.shape();
    // A logit so low that its exponential is 0: the class is left out of the second sum.
    let mut mask = vec![0.0; n * k];
    labels.iter().enumerate().for_each(|(i, &y)| mask[i * k + y] = -1e9);
    let mask = z.device().try_tensor_from_vec(mask, (n, k)).map_err(Error::device)?;
    let all = z.with_empty_tape().try_logsumexp::<(usize,), Axis<1>>().map_err(Error::device)?;
    let others = z
        .try_add(mask)
        .and_then(|z| z.try_logsumexp::<(usize,), Axis<1>>())
        .map_err(Error::device)?;
    all.try_sub(others).and_then(|gap| gap.try_mean::<Rank0, _>()).map_err(Error::device)
}

impl<D: Dev> DomainLoss<D> for Mdd<D> {
    fn name(&self) -> &'static str {
        MddConfig::NAME
    }

    fn layers(&self) -> &[Layer] {
        &[Layer::Features]
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let lambda = self.lambda_at(view.progress);
        let [f_s, f_t] = view.features();
        let [y_s, y_t] = view.logits().map(|z| predictions(&z.retaped::<NoneTape>()));
        let z_s = self.adversary(f_s, lambda, view.rng)?;
        let z_t = self.adversary(f_t, lambda, view.rng)?;
        let agree = ops::cross_entropy(z_s, &y_s, CrossEntropy::default())?;
        let differ = against(z_t, &y_t)?;
        let loss = agree
            .try_mul(self.config.margin)
            .and_then(|agree| agree.try_add(differ)?.try_mul(self.config.weight))
            .map_err(Error::device)?;
        Ok(vec![("margin-disparity", loss)])
    }

    /// The share of rows of either domain on which the adversary agrees with the network: 1 on the
    /// source and less on the target while there is room for it.
    fn readings(&self, at: Snapshot<'_, D>) -> Result<Readings> {
        let agreement = |outputs: &Outputs<D>| {
            let logits = self.classifier.forward(outputs.features.clone(), &mut Pass::eval())?;
            let adversary = predictions(&logits);
            let ours = outputs.predictions();
            let alike = adversary.iter().zip(&ours).filter(|(a, b)| a == b).count();
            Ok::<_, Error>(alike as f32 / ours.len().max(1) as f32)
        };
        Ok(vec![
            ("source-agreement", agreement(at.source)?),
            ("target-agreement", agreement(at.target)?),
            ("lambda", self.lambda_at(at.progress)),
        ])
    }

    fn parameters(&self) -> Vec<Parameter<D>> {
        self.classifier.parameters()
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{Matrix, Recorded, Stream, cpu, rng};

    use super::*;

    #[test]
    fn disagreement_by_hand() {
        // σ = (¼, ¾) and (½, ½): −log(1 − ¾) and −log(1 − ½).
        let z: Matrix<_> = cpu().tensor([[0.0, 3f32.ln()], [1.0, 1.0]]).realize();
        let loss = against(z.put_tape(Recorded::<Cpu>::default()), &[1, 0]).unwrap().array();
        assert!((loss - (4f32.ln() + 2f32.ln()) / 2.0).abs() < 1e-6, "{loss}");
    }

    /// Very certain adversaries have finite losses.
    #[test]
    fn certainty_is_finite() {
        let z: Matrix<_> = cpu().tensor([[200.0, 0.0]]).realize();
        let loss = against(z.clone().put_tape(Recorded::<Cpu>::default()), &[0]).unwrap();
        assert!((loss.array() - 200.0).abs() < 1e-3);
        assert!(loss.backward().get(&z).as_vec().iter().all(|g| g.is_finite()));
    }

    #[test]
    fn options_out_of_range_are_named() {
        let config = MddConfig { margin: 0.0, ..MddConfig::default() };
        let error = Mdd::new(&cpu(), (2, 2), config, &mut rng(0, Stream::Init)).err().unwrap();
        assert_eq!(error.to_string(), "mdd.margin = 0: expected a finite number > 0");
    }
}
