//! The room of the moons: a network trained on the source alone and one that adapts, side by side.
//!
//! The data are [`TwoMoons`], after Ganin et al., JMLR 2016, Sec. 5.1.1 and Fig. 2. Both learners
//! start from the same weights and see the same batches, so that all that sets them apart is the
//! method. The page decides when to step: what a step needs is kept from one call to the next.
//!
//! Differences from the paper's toy:
//! 1. Two layers of 64 ReLU units instead of one of 15 sigmoid units; the critic is the method's own
//!    default.
//! 2. Adam on batches of 64 instead of plain stochastic gradient descent. β₁ = ½, as is usual where
//!    a critic is an opponent (Radford et al., "Unsupervised Representation Learning with Deep
//!    Convolutional Generative Adversarial Networks", ICLR 2016, Sec. 3): with 0.9 the mean accuracy
//!    on the target at 45° falls from 94 to 82 %, over ten seeds.

use std::{collections::BTreeMap, sync::Arc};

use dfdx::prelude::Cpu;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transduct_adapt::{
    align::{Dan, DannConfig, DeepCoral, EntropyMinimisation, Mcc, MethodConfig, SourceOnlyConfig},
    registry::{MethodEntry, Parts, build_among, entry},
};
use transduct_core::{
    Error, Input, InputShape, Snapshot, Stream,
    backbone::{Mlp, MlpConfig},
    batch::TrainingData,
    cpu,
    data::{
        Dataset, LabelledDomain, Samples, TestSet, UnlabelledDomain,
        synthetic::{Domains, TwoMoons},
    },
    layer::PerceptronConfig,
    optim::Adam,
    rng,
    schedule::progress,
    train::{TrainConfig, Trainer},
};

use crate::Result;

/// The points are in the plane.
const PLANE: InputShape = InputShape::Features { d: 2 };
/// The upper moon and the lower.
const CLASSES: usize = 2;
/// Widths of the network's layers; the last gives the features.
const HIDDEN: [usize; 2] = [64, 64];
/// β₁ of Adam.
const MOMENTUM: f32 = 0.5;
/// Keeps the boundary smooth between the points.
const WEIGHT_DECAY: f32 = 1e-3;

/// Rows of each domain in a batch.
const BATCH: usize = 64;
/// The most rows of a domain: a scene has to stay smooth.
const MOST_ROWS: usize = 5000;
/// The finest field.
const MOST_POINTS: usize = 512;

/// What can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MoonsOptions {
    /// Of the data, the initial weights and the batches.
    pub seed: u64,
    /// The target's rotation in degrees, 0 to 180, counter-clockwise.
    pub rotation: f64,
    /// σ ≥ 0 of the points, as in [`TwoMoons`].
    pub noise: f64,
    /// Rows of a domain, 2 to 5000.
    pub rows: usize,
    /// The method of the second learner, by its name in the registry.
    pub method: String,
    /// Steps of the whole training, at least 1.
    pub steps: u64,
    /// Learning rate, > 0.
    pub rate: f32,
}

impl Default for MoonsOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            rotation: 35.0,
            noise: 0.05,
            rows: 300,
            method: "dann".to_owned(),
            steps: 3000,
            rate: 0.01,
        }
    }
}

impl MoonsOptions {
    fn check(&self) -> Result<()> {
        let wrong = |field, value: &dyn ToString, expected| {
            Err(transduct_core::Error::config("moons", field, value.to_string(), expected).into())
        };
        if !(0.0..=180.0).contains(&self.rotation) {
            return wrong("rotation", &self.rotation, "0 to 180 degrees");
        }
        if !(2..=MOST_ROWS).contains(&self.rows) {
            return wrong("rows", &self.rows, "2 to 5000 rows of a domain");
        }
        if self.steps == 0 {
            return wrong("steps", &self.steps, "at least 1");
        }
        Ok(transduct_core::check::positive("moons", "rate", self.rate)?)
    }

    fn data(&self) -> TwoMoons {
        let &Self { rows, rotation, noise, .. } = self;
        TwoMoons { n_source: rows, n_target: rows, angle: rotation, noise }
    }
}

/// Two learners on their way through a training.
pub struct Moons {
    options: MoonsOptions,
    dev: Cpu,
    source: Arc<LabelledDomain>,
    target: Arc<UnlabelledDomain>,
    /// For the scores and the picture alone: no step sees it.
    target_labels: TestSet,
    learners: [Learner; 2],
}

/// A method in training.
struct Learner {
    name: String,
    trainer: Trainer<Cpu>,
    losses: Vec<(&'static str, f32)>,
}

/// The points of both domains, `(n, 2)` each, with their classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scene {
    /// With the labels that both learners see.
    pub source: Points,
    /// With the labels that none sees.
    pub target: Points,
}

/// Points of the plane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Points {
    /// (x, y).
    pub points: Vec<[f32; 2]>,
    /// 0 for the upper moon, 1 for the lower.
    pub labels: Vec<usize>,
}

/// Where the training stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct State {
    /// Finished steps.
    pub step: u64,
    /// Steps of the whole training.
    pub steps: u64,
    /// Finished share of the training.
    pub progress: f32,
    /// Whether the training is over.
    pub done: bool,
    /// Source-only, then the method.
    pub learners: [Scores; 2],
}

/// What a learner is worth. Accuracies are shares of all rows of a domain, in [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Its method's name.
    pub method: String,
    /// The terms of the last step's loss; empty before the first step.
    pub losses: BTreeMap<&'static str, f32>,
    /// On the source rows.
    pub source_accuracy: f64,
    /// On the target rows.
    pub target_accuracy: f64,
    /// What the method tells of itself, on all rows: its critic's accuracy, λ.
    pub readings: BTreeMap<&'static str, f32>,
}

/// A method that the second learner can have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodCard {
    /// Its name in the registry.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
}

impl Moons {
    /// A training at its start.
    ///
    /// # Errors
    /// Options out of range; a method that the registry does not have.
    pub fn new(options: MoonsOptions) -> Result<Self> {
        options.check()?;
        let dev = cpu();
        let Domains { source, target } = options.data().generate(options.seed)?;
        let source = Arc::new(LabelledDomain::new(source)?);
        let (target, target_labels) = unlabelled(target)?;
        let data = TrainingData::new(source.clone(), target.clone());
        let learners = [
            Learner::new(&dev, SourceOnlyConfig::NAME, &options, &data)?,
            Learner::new(&dev, &options.method, &options, &data)?,
        ];
        Ok(Self { options, dev, source, target, target_labels, learners })
    }

    /// The methods that adapt.
    pub fn methods() -> Vec<MethodCard> {
        let adapting = entries().into_iter().filter(|m| m.capabilities.needs.target);
        adapting.map(|m| MethodCard { name: m.name, about: m.about }).collect()
    }

    /// What was chosen.
    pub fn options(&self) -> &MoonsOptions {
        &self.options
    }

    /// The points of both domains.
    pub fn points(&self) -> Scene {
        let points = |samples: &Samples, labels: &[usize]| Points {
            points: coordinates(samples),
            labels: labels.to_vec(),
        };
        let target: Vec<usize> =
            self.target_labels.reveal_labels().iter().copied().flatten().collect();
        Scene {
            source: points(self.source.samples(), self.source.labels()),
            target: points(self.target.samples(), &target),
        }
    }

    /// `[x_min, x_max, y_min, y_max]`: a square that holds all points at any rotation.
    pub fn bounds(&self) -> [f32; 4] {
        let of = |samples| coordinates(samples).into_iter().map(|[x, y]| x.hypot(y));
        let radius = of(self.source.samples()).chain(of(self.target.samples())).fold(0.0, f32::max);
        let edge = 1.05 * radius;
        [-edge, edge, -edge, edge]
    }

    /// Finished steps.
    fn step(&self) -> u64 {
        self.learners[0].trainer.step()
    }

    /// Turns the target. The networks stay as they are.
    ///
    /// # Errors
    /// An angle out of range.
    pub fn rotate(&mut self, degrees: f64) -> Result<()> {
        let options = MoonsOptions { rotation: degrees, ..self.options.clone() };
        options.check()?;
        let Domains { target, .. } = options.data().generate(options.seed)?;
        let (target, target_labels) = unlabelled(target)?;
        // Source-only has none to turn.
        for learner in &mut self.learners {
            if learner.trainer.method().needs().target {
                learner.trainer.set_target(target.clone())?;
            }
        }
        (self.target, self.target_labels, self.options) = (target, target_labels, options);
        Ok(())
    }

    /// At most `steps` steps of both learners, none past the end of the training.
    ///
    /// # Errors
    /// A batch too small for the method; a loss that is no number.
    pub fn advance(&mut self, steps: u64) -> Result<()> {
        for _ in 0..steps.min(self.options.steps - self.step()) {
            for learner in &mut self.learners {
                learner.advance()?;
            }
        }
        Ok(())
    }

    /// Where the training stands.
    ///
    /// # Errors
    /// Those of the networks.
    pub fn state(&self) -> Result<State> {
        let (step, steps) = (self.step(), self.options.steps);
        let [source_only, adapted] = &self.learners;
        Ok(State {
            step,
            steps,
            progress: progress(step, steps),
            done: step == steps,
            learners: [self.scores(source_only)?, self.scores(adapted)?],
        })
    }

    fn scores(&self, learner: &Learner) -> Result<Scores> {
        let method = learner.trainer.method();
        let source = method.outputs(&Input::all(&self.dev, self.source.samples())?)?;
        let target = method.outputs(&Input::all(&self.dev, self.target.samples())?)?;
        let right = source.predictions();
        let right = right.iter().zip(self.source.labels()).filter(|(got, label)| got == label);
        let progress = progress(self.step(), self.options.steps);
        let readings = method.readings(Snapshot { source: &source, target: &target, progress })?;
        Ok(Scores {
            method: learner.name.clone(),
            losses: learner.losses.iter().copied().collect(),
            source_accuracy: right.count() as f64 / self.source.len() as f64,
            target_accuracy: self.target_labels.accuracy(&target.predictions())?,
            readings: readings.into_iter().collect(),
        })
    }

    /// p(lower moon | x, y) of learner 0 (source-only) or 1 (the method) at the centres of
    /// `resolution`² cells of [`Moons::bounds`], row by row, the row of the largest y first.
    ///
    /// # Errors
    /// Another learner; a resolution of 0 or above 512.
    pub fn field(&self, learner: usize, resolution: usize) -> Result<Vec<f32>> {
        let wrong = |field, value: usize, expected| {
            transduct_core::Error::config("moons.field", field, value, expected)
        };
        let learner = self
            .learners
            .get(learner)
            .ok_or_else(|| wrong("learner", learner, "0 (source-only) or 1 (the method)"))?;
        if !(1..=MOST_POINTS).contains(&resolution) {
            return Err(wrong("resolution", resolution, "1 to 512").into());
        }
        let [x_min, x_max, y_min, y_max] = self.bounds();
        let share = |i: usize| (i as f32 + 0.5) / resolution as f32;
        let mut points = Vec::with_capacity(2 * resolution * resolution);
        for row in 0..resolution {
            let y = y_max - share(row) * (y_max - y_min);
            for column in 0..resolution {
                points.extend([x_min + share(column) * (x_max - x_min), y]);
            }
        }
        let points = Input::from_values(&self.dev, PLANE, points)?;
        let logits = learner.trainer.method().outputs(&points)?.logits.as_vec();
        // The softmax of two logits is the logistic function of their difference.
        Ok(logits.chunks_exact(CLASSES).map(|z| 1.0 / (1.0 + (z[0] - z[1]).exp())).collect())
    }
}

impl Learner {
    /// The initial weights of backbone and head, and the batches, depend on the seed alone.
    fn new(dev: &Cpu, name: &str, options: &MoonsOptions, data: &TrainingData) -> Result<Self> {
        let mut init = rng(options.seed, Stream::Init);
        let mlp = MlpConfig { hidden: HIDDEN.to_vec(), dropout: 0.0 };
        let backbone = Box::new(Mlp::new(dev, PLANE, &mlp, &mut init)?);
        let head = PerceptronConfig::default();
        let sizes = (CLASSES, options.rows);
        let parts = Parts::new(dev, backbone, &head, sizes, &mut init)?;
        let method = build_among(&entries(), name, parts, &Value::Null)?;
        let rows = BATCH.min(options.rows);
        let adam = Adam { beta1: MOMENTUM, weight_decay: WEIGHT_DECAY, ..Adam::default() };
        let config = TrainConfig {
            steps: options.steps,
            source_batch: rows,
            target_batch: rows,
            rate: Some(options.rate),
            seed: options.seed,
            optimiser: adam.into(),
            ..TrainConfig::default()
        };
        let trainer = Trainer::new(dev, config, Value::Null, method, data)?;
        Ok(Self { name: name.to_owned(), trainer, losses: Vec::new() })
    }

    /// One step.
    fn advance(&mut self) -> Result<()> {
        let (losses, _) = self.trainer.advance().map_err(|error| match error {
            Error::NonFinite { step, term, value, .. } => {
                Error::NonFinite { step, term, value, advice: "start again with a lower rate" }
            }
            other => other,
        })?;
        self.losses = losses.0;
        Ok(())
    }
}

/// The methods of this room, one or two of a kind: the page links no others.
fn entries() -> Vec<MethodEntry<Cpu>> {
    vec![
        entry::<Cpu, SourceOnlyConfig>(),
        entry::<Cpu, DannConfig>(),
        entry::<Cpu, DeepCoral>(),
        entry::<Cpu, Dan>(),
        entry::<Cpu, Mcc>(),
        entry::<Cpu, EntropyMinimisation>(),
    ]
}

/// The target as the learners have it, and as the scores do.
fn unlabelled(target: Dataset) -> Result<(Arc<UnlabelledDomain>, TestSet)> {
    let domain = UnlabelledDomain::new(target.name.clone(), target.samples.clone())?;
    Ok((Arc::new(domain), TestSet::new(target)?))
}

fn coordinates(samples: &Samples) -> Vec<[f32; 2]> {
    match samples {
        Samples::Features(x) => {
            x.rows().into_iter().map(|row| [row[0] as f32, row[1] as f32]).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moons(options: MoonsOptions) -> Moons {
        Moons::new(options).unwrap()
    }

    /// Few rows and steps.
    fn small() -> MoonsOptions {
        MoonsOptions { rows: 40, steps: 20, ..Default::default() }
    }

    #[test]
    fn the_method_reads_the_rotated_moons_and_the_source_alone_does_not() {
        let mut moons = moons(MoonsOptions::default());
        let start = moons.state().unwrap();
        assert_eq!((start.step, start.progress), (0, 0.0));
        assert_eq!(start.learners[1].readings["lambda"], 0.0);
        moons.advance(u64::MAX).unwrap();
        let State { step, steps, done, learners: [source_only, dann], .. } = moons.state().unwrap();
        assert!(done && step == steps && dann.readings["lambda"] > 0.99);
        assert!(source_only.source_accuracy > 0.98 && dann.source_accuracy > 0.98);
        assert!(source_only.target_accuracy < 0.85, "{source_only:?}");
        assert!(dann.target_accuracy > 0.92, "{dann:?}");
        // The critic is left to guess; source-only has none.
        let critic = dann.readings["critic-accuracy"];
        assert!((0.3..0.7).contains(&critic), "{critic}");
        assert!(source_only.readings.is_empty());
    }

    #[test]
    fn neither_pauses_nor_the_number_of_steps_at_once_change_the_training() {
        let (mut one, mut many) = (moons(small()), moons(small()));
        one.advance(20).unwrap();
        for _ in 0..30 {
            many.state().unwrap();
            many.field(1, 3).unwrap();
            many.advance(1).unwrap();
        }
        assert_eq!(one.state().unwrap(), many.state().unwrap());
        assert_eq!(one.field(0, 9).unwrap(), many.field(0, 9).unwrap());
        assert_eq!(one.field(1, 9).unwrap(), many.field(1, 9).unwrap());
        let mut other = moons(MoonsOptions { seed: 1, ..small() });
        other.advance(20).unwrap();
        assert_ne!(one.field(0, 9).unwrap(), other.field(0, 9).unwrap());
    }

    #[test]
    fn the_learners_start_equal_and_differ_by_the_method_alone() {
        let mut twins = moons(MoonsOptions { method: "source-only".into(), ..small() });
        let fields = |moons: &Moons| [0, 1].map(|learner| moons.field(learner, 5).unwrap());
        let [a, b] = fields(&moons(small()));
        assert_eq!(a, b);
        twins.advance(20).unwrap();
        let [a, b] = fields(&twins);
        assert_eq!(a, b);
        let mut dann = moons(small());
        dann.advance(20).unwrap();
        let [a, b] = fields(&dann);
        assert_ne!(a, b);
    }

    #[test]
    fn a_rotation_moves_the_target_alone() {
        let mut moons = moons(MoonsOptions { rotation: 0.0, ..small() });
        moons.advance(10).unwrap();
        let (before, field, bounds) = (moons.points(), moons.field(1, 5).unwrap(), moons.bounds());
        moons.rotate(90.0).unwrap();
        let after = moons.points();
        assert_eq!(before.source, after.source);
        assert_eq!(before.target.labels, after.target.labels);
        for ([x, y], [u, v]) in before.target.points.iter().zip(&after.target.points) {
            assert!((u + y).abs() < 1e-5 && (v - x).abs() < 1e-5);
        }
        assert_eq!(moons.field(1, 5).unwrap(), field);
        for (a, b) in bounds.iter().zip(moons.bounds()) {
            assert!((a - b).abs() < 1e-5);
        }
        assert_eq!(moons.options().rotation, 90.0);
        moons.advance(5).unwrap();
        assert_eq!(moons.state().unwrap().step, 15);
        assert!(moons.rotate(181.0).is_err());
        assert_eq!(moons.points(), after);
    }

    /// The first cell is the upper left one: its probability is that of the point at its centre.
    #[test]
    fn the_field_is_read_row_by_row_from_the_top() {
        let moons = moons(small());
        let [x_min, x_max, y_min, y_max] = moons.bounds();
        let at = |x: f32, y: f32| {
            let point = Input::from_values(&moons.dev, PLANE, vec![x, y]).unwrap();
            let z = moons.learners[0].trainer.method().outputs(&point).unwrap().logits.as_vec();
            z[1].exp() / (z[0].exp() + z[1].exp())
        };
        let field = moons.field(0, 2).unwrap();
        let (x, y) = ((x_max - x_min) / 4.0, (y_max - y_min) / 4.0);
        for (got, (x, y)) in field.iter().zip([(-x, y), (x, y), (-x, -y), (x, -y)]) {
            assert!((got - at(x, y)).abs() < 1e-6);
        }
    }

    #[test]
    fn every_method_that_is_offered_trains() {
        let cards = Moons::methods();
        assert!(cards.iter().any(|card| card.name == "dann"));
        for MethodCard { name, .. } in cards {
            let mut moons = moons(MoonsOptions { method: name.into(), ..small() });
            moons.advance(3).unwrap();
            let state = moons.state().unwrap();
            assert!(state.learners[1].losses["total"].is_finite());
            assert!(state.learners[1].readings.values().all(|value| value.is_finite()));
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let message = |options| Moons::new(options).err().map(|e| e.to_string());
        assert_eq!(
            message(MoonsOptions { rotation: f64::NAN, ..small() }).as_deref(),
            Some("moons.rotation = NaN: expected 0 to 180 degrees")
        );
        assert_eq!(
            message(MoonsOptions { method: "dan n".into(), ..small() }).as_deref(),
            Some("unknown method `dan n`; did you mean `dann`?")
        );
        for wrong in [
            MoonsOptions { rows: 1, ..small() },
            MoonsOptions { rows: 5001, ..small() },
            MoonsOptions { steps: 0, ..small() },
            MoonsOptions { rate: 0.0, ..small() },
            MoonsOptions { noise: -1.0, ..small() },
        ] {
            assert!(message(wrong).unwrap().contains(": expected"));
        }
        let moons = moons(small());
        assert!(moons.field(2, 5).is_err() && moons.field(0, 0).is_err());
        assert!(moons.field(0, 513).is_err());
    }

    #[test]
    fn a_training_that_diverges_says_so() {
        let mut moons = moons(MoonsOptions { rate: 1e30, ..small() });
        let error = moons.advance(20).unwrap_err().to_string();
        assert!(error.contains("start again with a lower rate"), "{error}");
    }
}
