//! A training that was stopped and resumed ends with exactly the numbers of one that was not:
//! every weight, every running statistic, every byte of the metrics.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{cell::Cell, fs, path::Path};

use dfdx::prelude::Cpu;
use ndarray::{Array2, Array4};
use serde_json::{Value, json};
use transduct_adapt::registry::{Parts, build_method};
use transduct_core::{
    Error, Input, InputShape, Method, Result, Stream,
    backbone::build_backbone,
    batch::TrainingData,
    checkpoint::Checkpoint,
    cpu,
    data::{Dataset, LabelledDomain, Samples, UnlabelledDomain},
    layer::PerceptronConfig,
    observe::{CheckpointFile, MetricsFile, Observer, StepMeans, StepRecord},
    optim::{Adam, OptimiserConfig, Sgd},
    rng,
    schedule::Schedule,
    tensors,
    train::{TrainConfig, Trainer},
};

struct Case {
    backbone: (&'static str, Value),
    images: bool,
    method: (&'static str, Value),
    config: TrainConfig,
}

impl Case {
    fn data(&self) -> TrainingData {
        let samples = |n: usize, step: usize| {
            let at = |row: usize, i: usize| ((row * 31 + i * step) % 17) as f32 / 17.0;
            if self.images {
                let pixel = |(row, _, y, x)| at(row, y * 8 + x);
                Samples::Images(Array4::from_shape_fn((n, 1, 8, 8), pixel))
            } else {
                Samples::Features(Array2::from_shape_fn((n, 3), |(row, i)| at(row, i).into()))
            }
        };
        let source = Dataset {
            name: "source".into(),
            samples: samples(20, 5),
            labels: (0..20).map(|row| row % 2).collect(),
            classes: vec!["a".into(), "b".into()],
        };
        let target = UnlabelledDomain::new("target", samples(11, 7)).unwrap();
        TrainingData::new(LabelledDomain::new(source).unwrap(), target)
    }

    fn method(&self, shape: InputShape) -> Box<dyn Method<Cpu>> {
        let (dev, mut init) = (cpu(), rng(self.config.seed, Stream::Init));
        let (name, options) = &self.backbone;
        let backbone = build_backbone(&dev, name, shape, options, &mut init).unwrap();
        let head = PerceptronConfig::default();
        let parts = Parts::new(&dev, backbone, &head, (2, 11), &mut init).unwrap();
        build_method(self.method.0, parts, &self.method.1).unwrap()
    }

    /// One attempt in `folder`, from the checkpoint that is there or the start. Asked to stop
    /// after step `interrupt`, killed in the middle of step `kill`.
    fn attempt(&self, folder: &Path, interrupt: u64, kill: u64) -> Result<tensors::Tensors> {
        let data = self.data();
        let method = self.method(data.shape()?);
        let about = json!({"method": self.method.0});
        let mut trainer = Trainer::new(&cpu(), self.config.clone(), about, method, &data)?;
        let path = folder.join("checkpoint.safetensors");
        if path.exists() {
            trainer.restore(&path.display().to_string(), &Checkpoint::load(&path)?)?;
        }
        let file = MetricsFile::open(&folder.join("metrics.jsonl"), trainer.step())?;
        let target = data.target.unwrap().samples().clone();
        let mut record = Record { file, target };
        let mut checkpoints = CheckpointFile::new(path);
        let mut watch = Watch { step: trainer.step(), kill };
        let stop = Cell::new(trainer.step());
        trainer.run(&mut [&mut watch, &mut record, &mut checkpoints], &|| {
            stop.set(stop.get() + 1);
            stop.get() == interrupt
        })?;
        Ok(tensors::values(&trainer.method().parameters()))
    }

    fn check(&self) {
        let steps = self.config.steps;
        let whole = tempfile::tempdir().unwrap();
        let expected = self.attempt(whole.path(), 0, 0).unwrap();
        let metrics = |folder: &Path| fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
        let lines = metrics(whole.path());
        assert!(lines.lines().count() > 4, "{lines}");
        for stop in 1..steps {
            let folder = tempfile::tempdir().unwrap();
            let stopped = self.attempt(folder.path(), stop, 0).unwrap_err();
            assert!(matches!(stopped, Error::Interrupted { step } if step == stop), "{stopped}");
            let resumed = self.attempt(folder.path(), 0, 0).unwrap();
            assert_eq!(resumed, expected, "interrupted after step {stop}");
            assert_eq!(metrics(folder.path()), lines, "interrupted after step {stop}");

            let folder = tempfile::tempdir().unwrap();
            let killed = self.attempt(folder.path(), 0, stop).unwrap_err();
            assert!(matches!(killed, Error::Observer(_)), "{killed}");
            let resumed = self.attempt(folder.path(), 0, 0).unwrap();
            assert_eq!(resumed, expected, "killed in step {stop}");
            assert_eq!(metrics(folder.path()), lines, "killed in step {stop}");
        }
    }
}

/// Writes means, and what the model says of the target at evaluations.
struct Record {
    file: MetricsFile,
    target: Samples,
}

impl Observer<Cpu> for Record {
    fn on_means(&mut self, means: &StepMeans) -> Result<()> {
        self.file.write(means)
    }

    fn on_evaluation(&mut self, step: u64, method: &dyn Method<Cpu>) -> Result<()> {
        let logits = method.outputs(&Input::all(&cpu(), &self.target)?)?.logits.as_vec();
        self.file.write(&json!({"event": "evaluation", "step": step, "logits": logits}))
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        Observer::<Cpu>::on_checkpoint(&mut self.file, checkpoint)
    }
}

/// Ends the training without a checkpoint, as a killed process does.
struct Watch {
    step: u64,
    kill: u64,
}

impl Observer<Cpu> for Watch {
    fn on_step(&mut self, record: &StepRecord<'_>) -> Result<()> {
        self.step += 1;
        assert_eq!(record.step, self.step, "no step is done twice or left out");
        match record.step == self.kill {
            true => Err(Error::Observer("killed".into())),
            false => Ok(()),
        }
    }
}

fn config(optimiser: impl Into<OptimiserConfig>) -> TrainConfig {
    TrainConfig {
        steps: 9,
        source_batch: 6,
        target_batch: 4,
        rate: Some(0.01),
        log_every: 4,
        evaluate_every: 3,
        checkpoint_every: 5,
        seed: 7,
        optimiser: optimiser.into(),
        ..TrainConfig::default()
    }
}

#[test]
fn dropout_momentum_and_clipping() {
    let sgd = Sgd { nesterov: true, weight_decay: 1e-3, ..Sgd::default() };
    let case = Case {
        backbone: ("mlp", json!({"hidden": [8], "dropout": 0.5})),
        images: false,
        method: ("dann", json!({"critic": {"hidden": [8], "dropout": 0.5}})),
        config: TrainConfig { clip: Some(0.5), ..config(sgd) },
    };
    case.check();
}

#[test]
fn batch_normalisation_and_moments() {
    let case = Case {
        backbone: ("resnet", json!({"depth": 8, "width": 4})),
        images: true,
        method: ("dann", json!({"critic": {"hidden": [8], "dropout": 0.5}})),
        config: TrainConfig {
            schedule: Schedule::Cosine { warm_up: 0.3 },
            ..config(Adam::default())
        },
    };
    case.check();
}

#[test]
fn a_loss_without_parameters() {
    let case = Case {
        backbone: ("mlp", json!({"hidden": [8, 4], "dropout": 0.2})),
        images: true,
        method: ("deep-coral", Value::Null),
        config: config(OptimiserConfig::default()),
    };
    case.check();
}
