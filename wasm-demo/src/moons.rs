//! The room of the moons: a network trained on the source alone and one that adapts, side by side.
//!
//! The data are [`TwoMoons`], after Ganin et al., JMLR 2016, Sec. 5.1.1 and Fig. 2. Both learners
//! start from the same weights and see the same batches, so that all that sets them apart is the
//! method. The page decides when to step: what a step needs is kept from one call to the next.

use std::collections::BTreeMap;

use dfdx::prelude::Cpu;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transduct_adapt::{
    align::{MethodConfig, SourceOnlyConfig},
    registry::{Parts, build_method, methods},
};
use transduct_core::{
    Input, InputShape, Labelled, Method, Rng, Step, Stream, Unlabelled,
    backbone::{Head, Mlp, MlpConfig},
    batch::{Batch, Batches, BatchesState},
    cpu,
    data::{
        Dataset, LabelledDomain, Samples, TestSet, UnlabelledDomain,
        synthetic::{Domains, TwoMoons},
    },
    layer::PerceptronConfig,
    optim::{Adam, Optimiser},
    rng,
    schedule::{Schedule, progress},
};

use crate::Result;

/// The points are in the plane.
const PLANE: InputShape = InputShape::Features { d: 2 };
/// The upper moon and the lower.
const CLASSES: usize = 2;
/// Widths of the network's layers; the last gives the features.
const HIDDEN: [usize; 2] = [32, 32];

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
            steps: 1500,
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
    source: LabelledDomain,
    target: UnlabelledDomain,
    /// For the scores and the picture alone: no step sees it.
    target_labels: TestSet,
    batches: BatchesState,
    learners: [Learner; 2],
    step: u64,
}

/// A method in training.
struct Learner {
    name: String,
    method: Box<dyn Method<Cpu>>,
    optimiser: Optimiser<Cpu>,
    rng: Rng,
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
    /// The method's λ, of methods that have one.
    pub lambda: Option<f32>,
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
    /// The critic's, in telling the domains of all rows; of methods that have a critic.
    pub critic_accuracy: Option<f64>,
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
        let source = LabelledDomain::new(source)?;
        let (target, target_labels) = unlabelled(target)?;
        let learners = [
            Learner::new(&dev, SourceOnlyConfig::NAME, &options)?,
            Learner::new(&dev, &options.method, &options)?,
        ];
        let batches = batches(&dev, &source, &target, options.seed)?.state();
        Ok(Self { options, dev, source, target, target_labels, batches, learners, step: 0 })
    }

    /// The methods that adapt.
    pub fn methods() -> Vec<MethodCard> {
        let adapting = methods::<Cpu>().into_iter().filter(|m| m.capabilities.target_rows);
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
        Scene {
            source: points(self.source.samples(), self.source.labels()),
            target: points(self.target.samples(), self.target_labels.reveal_labels()),
        }
    }

    /// `[x_min, x_max, y_min, y_max]`: a square that holds all points at any rotation.
    pub fn bounds(&self) -> [f32; 4] {
        let of = |samples| coordinates(samples).into_iter().map(|[x, y]| x.hypot(y));
        let radius = of(self.source.samples()).chain(of(self.target.samples())).fold(0.0, f32::max);
        let edge = 1.05 * radius;
        [-edge, edge, -edge, edge]
    }

    /// Turns the target. The networks stay as they are.
    ///
    /// # Errors
    /// An angle out of range.
    pub fn rotate(&mut self, degrees: f64) -> Result<()> {
        let options = MoonsOptions { rotation: degrees, ..self.options.clone() };
        options.check()?;
        let Domains { target, .. } = options.data().generate(options.seed)?;
        (self.target, self.target_labels) = unlabelled(target)?;
        self.options = options;
        Ok(())
    }

    /// At most `steps` steps of both learners, none past the end of the training.
    ///
    /// # Errors
    /// A batch too small for the method; a loss that is no number.
    pub fn advance(&mut self, steps: u64) -> Result<()> {
        let mut batches = batches(&self.dev, &self.source, &self.target, self.options.seed)?;
        batches.restore(&self.batches)?;
        for _ in 0..steps.min(self.options.steps - self.step) {
            let batch = batches.next_batch()?;
            for learner in &mut self.learners {
                learner.advance(&batch, self.step, &self.options)?;
            }
            self.step += 1;
        }
        self.batches = batches.state();
        Ok(())
    }

    /// Where the training stands.
    ///
    /// # Errors
    /// Those of the networks.
    pub fn state(&self) -> Result<State> {
        let progress = progress(self.step, self.options.steps);
        let [source_only, adapted] = &self.learners;
        Ok(State {
            step: self.step,
            steps: self.options.steps,
            progress,
            lambda: adapted.method.lambda(progress),
            done: self.step == self.options.steps,
            learners: [self.scores(source_only)?, self.scores(adapted)?],
        })
    }

    fn scores(&self, learner: &Learner) -> Result<Scores> {
        let method = &learner.method;
        let source = Input::all(&self.dev, self.source.samples())?;
        let target = Input::all(&self.dev, self.target.samples())?;
        let right = method.outputs(&source)?.predictions();
        let right = right.iter().zip(self.source.labels()).filter(|(got, label)| got == label);
        let critic_accuracy = match (method.critic(&source)?, method.critic(&target)?) {
            (Some(source), Some(target)) => {
                let right = source.iter().filter(|z| **z <= 0.0).count()
                    + target.iter().filter(|z| **z > 0.0).count();
                Some(right as f64 / (source.len() + target.len()) as f64)
            }
            _ => None,
        };
        Ok(Scores {
            method: learner.name.clone(),
            losses: learner.losses.iter().copied().collect(),
            source_accuracy: right.count() as f64 / self.source.len() as f64,
            target_accuracy: self
                .target_labels
                .accuracy(&method.outputs(&target)?.predictions())?,
            critic_accuracy,
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
        let logits = learner.method.outputs(&points)?.logits.as_vec();
        // The softmax of two logits is the logistic function of their difference.
        Ok(logits.chunks_exact(CLASSES).map(|z| 1.0 / (1.0 + (z[0] - z[1]).exp())).collect())
    }
}

impl Learner {
    /// The initial weights of backbone and head depend on the seed alone.
    fn new(dev: &Cpu, name: &str, options: &MoonsOptions) -> Result<Self> {
        let mut init = rng(options.seed, Stream::Init);
        let mlp = MlpConfig { hidden: HIDDEN.to_vec(), dropout: 0.0 };
        let head = PerceptronConfig::default();
        let parts = Parts {
            dev,
            backbone: Box::new(Mlp::new(dev, PLANE, &mlp, &mut init)?),
            head: Head::new(dev, (HIDDEN[HIDDEN.len() - 1], CLASSES), &head, &mut init)?,
            classes: CLASSES,
            rng: &mut init,
        };
        let method = build_method(name, parts, &Value::Null)?;
        let optimiser = Optimiser::new(Adam::default(), options.rate, method.parameters());
        let rng = rng(options.seed, Stream::Step);
        Ok(Self { name: name.to_owned(), method, optimiser, rng, losses: Vec::new() })
    }

    /// The step that follows `finished` ones.
    fn advance(&mut self, batch: &Batch<Cpu>, finished: u64, options: &MoonsOptions) -> Result<()> {
        let rate = options.rate * Schedule::default().factor(finished, options.steps);
        self.optimiser.set_rate(rate);
        let mut step = Step {
            progress: progress(finished, options.steps),
            rng: &mut self.rng,
            optimiser: &mut self.optimiser,
        };
        let source = Labelled { x: &batch.source, y: &batch.labels };
        let target = Unlabelled { x: &batch.target };
        self.losses = self.method.step(source, target, &mut step)?.0;
        match self.losses.iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(()),
            Some(&(term, value)) => Err(transduct_core::Error::NonFinite {
                step: finished + 1,
                term: term.to_owned(),
                value,
                advice: "start again with a lower rate",
            }
            .into()),
        }
    }
}

fn batches<'a>(
    dev: &Cpu,
    source: &'a LabelledDomain,
    target: &'a UnlabelledDomain,
    seed: u64,
) -> Result<Batches<'a, Cpu>> {
    let rows = BATCH.min(source.len());
    Ok(Batches::new(dev, (source, rows), (target, rows), seed)?)
}

/// The target as the learners have it, and as the scores do.
fn unlabelled(target: Dataset) -> Result<(UnlabelledDomain, TestSet)> {
    let domain = UnlabelledDomain::new(target.name.clone(), target.samples.clone())?;
    Ok((domain, TestSet::new(target)?))
}

fn coordinates(samples: &Samples) -> Vec<[f32; 2]> {
    match samples {
        Samples::Features(x) => x.rows().into_iter().map(|row| [row[0], row[1]]).collect(),
        Samples::Images(_) => Vec::new(),
    }
}
