//! MCD: features on which two classifiers cannot disagree.
//!
//! Saito et al., "Maximum Classifier Discrepancy for Unsupervised Domain Adaptation", CVPR 2018,
//! Sec. 3.3, Eqs. 3–8. With generator G, classifiers F₁ and F₂, and p_i = softmax F_i(G(x)):
//! ```text
//! d(p₁, p₂) = (1/k) Σ_c |p₁c − p₂c|                    L_adv = (1/n_t) Σ_j d(p₁(x_j), p₂(x_j))
//! A: min over G, F₁, F₂  CE(F₁) + CE(F₂)   on the source
//! B: min over F₁, F₂     CE(F₁) + CE(F₂) − L_adv
//! C: min over G          L_adv,            n times
//! ```
//! One step is A, B and C on one batch of each domain; L_adv is between 0 and 2/k. What is judged and
//! exported has both classifiers, whose logits are averaged.
//!
//! Differences from the paper:
//! 1. Its tables are of one classifier's predictions; the authors' code also prints those of the sum of
//!    both, which are these.
//! 2. In step B features are not recorded, since G stays: the gradients of the classifiers are the same.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Batch, Dev, Error, Input, Losses, Matrix, Method, Network, Pass, Readings, Recorded, Result,
    Rng, Scalar, Snapshot, Step, Taped, check,
    ops::{self, CrossEntropy},
    taped, value,
};

use super::{Capabilities, MethodConfig, Parts, Range, aligned::need_trained_backbone};

/// The paper's choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mcd {
    /// n ≥ 1, the times that C is done in a step (Sec. 3.3; 2 to 4 there, 4 in the authors' code).
    pub generator_steps: usize,
}

impl Default for Mcd {
    fn default() -> Self {
        Self { generator_steps: 4 }
    }
}

impl MethodConfig for Mcd {
    const NAME: &'static str = "mcd";
    const ABOUT: &'static str = "features on which two classifiers cannot disagree";
    const PAPER: &'static str = "Saito et al., Maximum Classifier Discrepancy for Unsupervised \
                                 Domain Adaptation, CVPR 2018";
    const CAPABILITIES: Capabilities = Capabilities { heads: 2, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] = &[("generator_steps", Range::Whole(1, 8))];

    fn build<D: Dev>(self, mut parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        check::at_least(Self::NAME, "generator_steps", self.generator_steps, 1)?;
        let second = parts.new_head()?;
        let mut network = parts.network;
        network.heads.push(second);
        let why = "which is all that makes the classifiers agree";
        need_trained_backbone(Self::NAME, &network, why)?;
        Ok(Box::new(Discrepant { config: self, network }))
    }
}

/// G, F₁ and F₂.
struct Discrepant<D: Dev> {
    config: Mcd,
    network: Network<D>,
}

const GENERATOR: &str = "backbone";
const CLASSIFIERS: &str = "head";

impl<D: Dev> Discrepant<D> {
    /// The logits of both classifiers on features, and the tape that led to them.
    fn classify(&self, features: Taped<D>, rng: &mut Rng) -> Result<([Matrix<D>; 2], Recorded<D>)> {
        let (features, mut tape) = features.split_tape();
        let mut pass = Pass::train(rng).with_input_gradient();
        let mut logits = Vec::with_capacity(2);
        for head in &self.network.heads {
            let z = head.forward(features.clone().put_tape(tape), &mut pass)?;
            let (z, with_z) = z.split_tape();
            tape = with_z;
            logits.push(z);
        }
        let [first, second] = <[_; 2]>::try_from(logits).expect("two classifiers");
        Ok(([first, second], tape))
    }

    /// Features on a tape of their own, on which G is not.
    fn features(&self, x: &Input<D>, rng: &mut Rng) -> Result<Taped<D>> {
        Ok(self
            .network
            .backbone
            .forward(x, &mut Pass::train(rng))?
            .put_tape(Recorded::<D>::default()))
    }

    /// CE(F₁) + CE(F₂).
    fn classification(
        &self,
        features: Taped<D>,
        labels: &[usize],
        rng: &mut Rng,
    ) -> Result<Scalar<D>> {
        let ([first, second], tape) = self.classify(features, rng)?;
        let ce = |z| ops::cross_entropy(z, labels, CrossEntropy::default());
        ce(first.put_tape(tape))?.try_add(ce(taped(&second))?).map_err(Error::device)
    }

    /// L_adv.
    fn discrepancy(&self, features: Taped<D>, rng: &mut Rng) -> Result<Scalar<D>> {
        let ([first, second], tape) = self.classify(features, rng)?;
        discrepancy(first.put_tape(tape), taped(&second))
    }
}

/// The mean of d(softmax z₁, softmax z₂) over the rows: `(n, k)`, `(n, k)` → `()`.
fn discrepancy<D: Dev, T: Tape<f32, D> + Merge<R>, R: Tape<f32, D>>(
    first: Matrix<D, T>,
    second: Matrix<D, R>,
) -> Result<Tensor<Rank0, f32, D, T>> {
    let second = second.try_softmax::<Axis<1>>().map_err(Error::device)?;
    first
        .try_softmax::<Axis<1>>()
        .and_then(|first| first.try_sub(second))
        .and_then(|gap| gap.try_abs())
        .and_then(|gap| gap.try_mean::<Rank0, _>())
        .map_err(Error::device)
}

impl<D: Dev> Method<D> for Discrepant<D> {
    fn step(&mut self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses> {
        let (source, target) = batch.both(Mcd::NAME, 1)?;
        let backbone = &self.network.backbone;

        let f_s = backbone.record(source.x, &mut Pass::train(step.rng))?;
        let a = self.classification(f_s, source.y, step.rng)?;
        let classification = value(&a);
        step.descend(a)?;

        let f_s = self.features(source.x, step.rng)?;
        let f_t = self.features(target.x, step.rng)?;
        let adversarial = self.discrepancy(f_t, step.rng)?;
        let b = self
            .classification(f_s, source.y, step.rng)?
            .try_sub(adversarial)
            .map_err(Error::device)?;
        step.descend_in(b, &[CLASSIFIERS])?;

        let mut last = 0.0;
        for _ in 0..self.config.generator_steps {
            let f_t = self.network.backbone.record(target.x, &mut Pass::train(step.rng))?;
            let c = self.discrepancy(f_t, step.rng)?;
            last = value(&c);
            step.descend_in(c, &[GENERATOR])?;
        }
        let total = classification + last;
        Ok(Losses(vec![
            ("total", total),
            ("classification", classification),
            ("discrepancy", last),
        ]))
    }

    fn network(&self) -> &Network<D> {
        &self.network
    }

    /// How much the classifiers disagree on the target, d of its rows.
    fn readings(&self, at: Snapshot<'_, D>) -> Result<Readings> {
        let of =
            |i: usize| self.network.heads[i].forward(at.target.features.clone(), &mut Pass::eval());
        Ok(vec![("target-discrepancy", value(&discrepancy(of(0)?, of(1)?)?))])
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{
        InputShape, Parameter, Stream,
        backbone::{Mlp, MlpConfig},
        cpu,
        optim::{Optimiser, Sgd},
        rng,
    };

    use super::{super::testing::built, *};

    #[test]
    fn the_discrepancy_by_hand() {
        // softmax: (½, ½) and (¼, ¾); (1, 0) and (0, 1) nearly.
        let first: Matrix<_> = cpu().tensor([[0.0, 0.0], [50.0, 0.0]]).realize();
        let second: Matrix<_> = cpu().tensor([[0.0, 3f32.ln()], [0.0, 50.0]]).realize();
        let d = value(&discrepancy(first, second).unwrap());
        assert!((d - (0.25 + 1.0) / 2.0).abs() < 1e-6, "{d}");
    }

    /// B moves the classifiers apart on the target, C brings the features where they agree.
    #[test]
    fn each_part_changes_what_it_should() {
        let (dev, mut init) = (cpu(), rng(3, Stream::Init));
        let input = InputShape::Features { d: 2 };
        let mlp = MlpConfig { hidden: vec![4], dropout: 0.0 };
        let backbone = Box::new(Mlp::new(&dev, input, &mlp, &mut init).unwrap());
        let mut parts = Parts::new(&dev, backbone, &Default::default(), (2, 3), &mut init).unwrap();
        let second = parts.new_head().unwrap();
        let mut network = parts.network;
        network.heads.push(second);
        let method = Discrepant { config: Mcd::default(), network };
        let x = Input::from_values(&dev, input, vec![0.5, -1.0, 2.0, 0.3, -0.7, 1.1]).unwrap();
        let mut random = rng(0, Stream::Step);
        let mut optimiser =
            Optimiser::new(Sgd { momentum: 0.0, ..Sgd::default() }, 0.1, method.parameters());
        let now = |random: &mut Rng| {
            value(&method.discrepancy(method.features(&x, random).unwrap(), random).unwrap())
        };
        let values =
            |part: &[Parameter<Cpu>]| part.iter().map(Parameter::to_vec).collect::<Vec<_>>();
        let (generator, start) = (method.network.backbone.parameters(), now(&mut random));
        let before = values(&generator);
        let mut step = Step { progress: 0.0, rng: &mut random, optimiser: &mut optimiser };
        let f = method.features(&x, step.rng).unwrap();
        let loss = method.discrepancy(f, step.rng).unwrap();
        step.descend_in(loss.negate(), &[CLASSIFIERS]).unwrap();
        assert_eq!(values(&generator), before);
        let apart = now(step.rng);
        assert!(apart > start, "{apart} after {start}");
        let classifiers = method.network.heads[1].parameters();
        let before = values(&classifiers);
        for _ in 0..5 {
            let f = method.network.backbone.record(&x, &mut Pass::train(step.rng)).unwrap();
            let loss = method.discrepancy(f, step.rng).unwrap();
            step.descend_in(loss, &[GENERATOR]).unwrap();
        }
        assert_eq!(values(&classifiers), before);
        assert!(now(step.rng) < apart);
    }

    #[test]
    fn no_step_of_the_generator_is_an_error() {
        let error = built(Mcd { generator_steps: 0 }, vec![4]).err().unwrap().to_string();
        assert_eq!(error, "mcd.generator_steps = 0: expected at least 1");
    }
}
