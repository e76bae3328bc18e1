//! ADDA: a second encoder whose target features a critic takes for source features.
//!
//! Tzeng et al., "Adversarial Discriminative Domain Adaptation", CVPR 2017, Sec. 4, Eqs. 9–10. With
//! encoders M_s and M_t, classifier C and critic D, whose logit is that of "target":
//! ```text
//! 1: min over M_s, C   CE(C(M_s(x_s)), y_s)
//! 2: min over D        ½ BCE(D(M_s(x_s)), 0) + ½ BCE(D(M_t(x_t)), 1)
//!    min over M_t      BCE(D(M_t(x_t)), 0)
//! ```
//! f_s `(n_s, d)`, f_t `(n_t, d)`. The second phase starts from M_t = M_s, then M_s and C stay. What
//! is judged and exported is M_s with C in the first phase and M_t with C in the second.
//!
//! Differences from the paper:
//! 1. There the phases are two programs; here `pretrain` says which share of the steps is the first.
//! 2. M_s is in evaluation mode in the second phase: it is fixed, its dropout and its running moments
//!    too.
//! 3. Eq. 9 adds the domains' losses of the critic, here they are halved, as in [`super::Dann`].

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Batch, Dev, Error, InputShape, Kind, Losses, Matrix, Method, Network, Parameter, Pass,
    Readings, Recorded, Recording, Result, Rng, Scalar, Scope, Snapshot, Step, Taped,
    backbone::Backbone,
    check,
    layer::{Perceptron, PerceptronConfig},
    ops::{self, Activation, CrossEntropy},
    value,
};

use super::{
    Capabilities, MethodConfig, Parts, Range,
    aligned::need_trained_backbone,
    dann::{critic_accuracy, domain_loss},
};

/// The critic and the phases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adda {
    /// The share of the steps that trains on the source alone, 0 < share < 1. Ours.
    pub pretrain: f32,
    /// What the learning rates are multiplied by in the second phase, > 0. The paper has 0.0002 there,
    /// with Adam; 0.1 times the rate of the first phase is ours.
    pub rate: f32,
    /// Hidden widths of the critic: 500 and 500 for the paper's digits (Sec. 5.1).
    pub critic: PerceptronConfig,
}

impl Default for Adda {
    fn default() -> Self {
        let critic = PerceptronConfig { hidden: vec![500, 500], dropout: 0.0 };
        Self { pretrain: 0.5, rate: 0.1, critic }
    }
}

impl MethodConfig for Adda {
    const NAME: &'static str = "adda";
    const ABOUT: &'static str = "a target encoder that a critic takes for the fixed source encoder";
    const PAPER: &'static str =
        "Tzeng et al., Adversarial Discriminative Domain Adaptation, CVPR 2017";
    const CAPABILITIES: Capabilities = Capabilities { critic: true, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] =
        &[("rate", Range::Log(0.01, 1.0)), ("pretrain", Range::Linear(0.2, 0.8))];

    fn defaults_for(input: InputShape) -> Self {
        let mut config = Self::default();
        if let InputShape::Features { .. } = input {
            config.critic.dropout = 0.5;
        }
        config
    }

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        check::positive(Self::NAME, "rate", self.rate)?;
        if !(self.pretrain > 0.0 && self.pretrain < 1.0) {
            let expected = "a share between 0 and 1";
            return Err(Error::config(Self::NAME, "pretrain", self.pretrain, expected));
        }
        let network = parts.network;
        let why = "which is what the second phase adapts";
        need_trained_backbone(Self::NAME, &network, why)?;
        let sizes = (network.backbone.features(), 1);
        let last = Activation::Identity;
        let critic = Perceptron::new(parts.dev, "critic", sizes, &self.critic, last, parts.rng)?;
        let source = network.backbone.twin()?;
        let phase = Parameter::new(parts.dev, "second_phase", Kind::Buffer, &[1], vec![0.0])?;
        Ok(Box::new(TwoEncoders { config: self, network, source, critic, phase }))
    }
}

/// M_t (M_s in the first phase) with C; M_s in the second phase; D.
struct TwoEncoders<D: Dev> {
    config: Adda,
    network: Network<D>,
    source: Box<dyn Backbone<D>>,
    critic: Perceptron<D>,
    /// 1 in the second phase.
    phase: Parameter<D>,
}

const SOURCE: &str = "source";
const TARGET_ENCODER: &str = "backbone";
const CRITIC: &str = "critic";

impl<D: Dev> TwoEncoders<D> {
    fn classify(&self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses> {
        let source = batch.source(Adda::NAME, 1)?;
        let Recording { logits, tape, .. } =
            self.network.record(source.x, Pass::train(step.rng))?;
        let loss = ops::cross_entropy(logits.put_tape(tape), source.y, CrossEntropy::default())?;
        let total = value(&loss);
        step.descend_in(loss, &[TARGET_ENCODER, "head"])?;
        Ok(Losses(vec![("total", total), ("classification", total)]))
    }

    /// M_s becomes what the first phase has trained.
    fn begin_second_phase(&self) -> Result<()> {
        let trained = self.network.backbone.parameters();
        for (source, trained) in self.source.parameters().iter().zip(trained) {
            source.set(&trained.to_vec())?;
        }
        self.phase.set(&[1.0])
    }

    fn adapt(&self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses> {
        let (source, target) = batch.both(Adda::NAME, 1)?;
        let rate = step.optimiser.rate();
        step.optimiser.set_rate(rate * self.config.rate);

        let fixed = |x: Matrix<D>| x.put_tape(Recorded::<D>::default());
        let f_s = self.source.forward(source.x, &mut Pass::eval())?;
        let (f_t, tape) =
            self.network.backbone.record(target.x, &mut Pass::train(step.rng))?.split_tape();
        let of_source = self.domain_loss(fixed(f_s), 0.0, step.rng)?;
        let of_target = self.domain_loss(fixed(f_t.clone()), 1.0, step.rng)?;
        let critic = of_source
            .try_add(of_target)
            .and_then(|loss| loss.try_div(2.0))
            .map_err(Error::device)?;
        let l_critic = value(&critic);
        step.descend_in(critic, &[CRITIC])?;

        let encoder = self.domain_loss(f_t.put_tape(tape), 0.0, step.rng)?;
        let l_encoder = value(&encoder);
        step.descend_in(encoder, &[TARGET_ENCODER])?;
        step.optimiser.set_rate(rate);
        let total = l_critic + l_encoder;
        Ok(Losses(vec![("total", total), ("critic", l_critic), ("encoder", l_encoder)]))
    }

    /// The mean binary cross-entropy of the critic against one domain: 0 source, 1 target.
    fn domain_loss(&self, f: Taped<D>, domain: f32, rng: &mut Rng) -> Result<Scalar<D>> {
        let mut pass = Pass::train(rng).with_input_gradient();
        domain_loss(self.critic.forward(f, &mut pass)?, domain)
    }

    fn in_second_phase(&self) -> bool {
        self.phase.to_vec() == [1.0]
    }
}

impl<D: Dev> Method<D> for TwoEncoders<D> {
    fn step(&mut self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses> {
        batch.both(Adda::NAME, 1)?;
        if step.progress < self.config.pretrain {
            return self.classify(batch, step);
        }
        if !self.in_second_phase() {
            self.begin_second_phase()?;
        }
        self.adapt(batch, step)
    }

    fn network(&self) -> &Network<D> {
        &self.network
    }

    fn own(&self) -> Vec<(Scope, Parameter<D>)> {
        let source = Scope::BACKBONE.below(SOURCE);
        let source = self.source.parameters().into_iter().map(move |p| (source.clone(), p));
        let critic = self.critic.parameters().into_iter().map(|p| (Scope::CRITIC, p));
        source.chain(critic).chain([(Scope::CRITIC, self.phase.clone())]).collect()
    }

    /// The critic's accuracy, once it is trained. Source rows count by the features of M_t too.
    fn readings(&self, at: Snapshot<'_, D>) -> Result<Readings> {
        if !self.in_second_phase() {
            return Ok(Readings::new());
        }
        let accuracy = critic_accuracy(&self.critic, [&at.source.features, &at.target.features])?;
        Ok(vec![("critic-accuracy", accuracy)])
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{
        Input, Labelled, Stream, Unlabelled, cpu,
        optim::{Optimiser, Sgd},
        rng,
    };

    use super::{
        super::testing::{INPUT, built},
        *,
    };

    /// The source encoder, and with it the classifier, is what the first phase left; the target
    /// encoder starts there and moves.
    #[test]
    fn the_second_phase_starts_from_the_first_and_moves_the_target_alone() {
        let mut method = built(Adda::default(), vec![4]).unwrap();
        let x = |v: Vec<f32>| Input::from_values(&cpu(), INPUT, v).unwrap();
        let (x_s, x_t) = (x(vec![0.5, -1.0, 2.0, 0.3]), x(vec![-0.7, 1.1, 0.2, 0.9]));
        let batch = Batch {
            source: Some(Labelled { x: &x_s, y: &[0, 1] }),
            target: Some(Unlabelled { x: &x_t, rows: &[0, 1], views: &[] }),
        };
        let mut optimiser = Optimiser::new(Sgd::default(), 0.1, method.parameters());
        let mut random = rng(0, Stream::Step);
        let values = |method: &dyn Method<Cpu>, scope: &str| -> Vec<Vec<f32>> {
            let all = method.parameters().into_iter();
            all.filter(|(s, _)| s.path() == scope).map(|(_, p)| p.to_vec()).collect()
        };
        let initial = values(&*method, "source/backbone");
        assert_eq!(values(&*method, "backbone"), initial);
        let mut at = |method: &mut dyn Method<Cpu>, progress| {
            let mut step = Step { progress, rng: &mut random, optimiser: &mut optimiser };
            method.step(batch, &mut step).unwrap().0.iter().map(|term| term.0).collect::<Vec<_>>()
        };
        assert_eq!(at(&mut *method, 0.49), ["total", "classification"]);
        let (trained, head) = (values(&*method, "backbone"), values(&*method, "head"));
        assert_ne!(trained, initial);
        for progress in [0.5, 0.6] {
            assert_eq!(at(&mut *method, progress), ["total", "critic", "encoder"]);
            assert_eq!(values(&*method, "source/backbone"), trained);
            assert_eq!(values(&*method, "head"), head);
        }
        assert_ne!(values(&*method, "backbone"), trained);
    }

    #[test]
    fn options_out_of_range_are_named() {
        for pretrain in [0.0, 1.0, f32::NAN] {
            let config = Adda { pretrain, ..Adda::default() };
            let error = built(config, vec![4]).err().unwrap();
            let expected = format!("adda.pretrain = {pretrain}: expected a share between 0 and 1");
            assert_eq!(error.to_string(), expected);
        }
    }
}
