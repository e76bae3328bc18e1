use std::{
    cell::{Cell, RefCell},
    sync::Mutex,
};

use dfdx::prelude::*;
use ndarray::Array2;

use super::*;
use crate::{
    Batch, InputShape, Kind, Network, Parameter, Pass, Scope,
    backbone::{Head, Mlp, MlpConfig},
    cpu,
    data::{Dataset, LabelledDomain, Samples},
    observe::StepMeans,
    ops::{self, CrossEntropy},
    value,
};

/// Cross-entropy on the source, which reports a NaN at one step.
struct Classifier {
    network: Network<Cpu>,
    needs: Needs,
    steps: u64,
    nan_at: u64,
    given: Arc<Mutex<Given>>,
}

/// What a method was given.
#[derive(Default)]
struct Given {
    /// Rows of source and target and views, of every step.
    steps: Vec<(usize, usize, usize)>,
    /// Passes through the target.
    passes: usize,
}

impl Method<Cpu> for Classifier {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn step(&mut self, batch: Batch<'_, Cpu>, step: &mut Step<'_, Cpu>) -> Result<Losses> {
        self.steps += 1;
        let target = batch.target.map_or((0, 0), |t| (t.x.rows(), t.views.len()));
        let source = batch.source.map_or(0, |s| s.x.rows());
        self.given.lock().unwrap().steps.push((source, target.0, target.1));
        let Some(source) = batch.source else { return Ok(Losses(vec![("total", 0.0)])) };
        let recording = self.network.record(source.x, Pass::train(step.rng))?;
        let logits = recording.logits.put_tape(recording.tape);
        let loss = ops::cross_entropy(logits, source.y, CrossEntropy::default())?;
        let total = if self.steps == self.nan_at { f32::NAN } else { value(&loss) };
        step.descend(loss)?;
        Ok(Losses(vec![("total", total)]))
    }

    fn epoch(&mut self, target: Pool<'_, Cpu>, _: &mut Step<'_, Cpu>) -> Result<()> {
        assert!(!target.is_empty());
        self.given.lock().unwrap().passes += 1;
        Ok(())
    }

    fn network(&self) -> &Network<Cpu> {
        &self.network
    }
}

fn classifier(nan_at: u64) -> Box<Classifier> {
    classifier_of(InputShape::Features { d: 2 }, nan_at)
}

fn classifier_of(input: InputShape, nan_at: u64) -> Box<Classifier> {
    let (dev, mut init) = (cpu(), rng(1, Stream::Init));
    let config = MlpConfig { hidden: vec![6], dropout: 0.5 };
    let backbone = Mlp::new(&dev, input, &config, &mut init).unwrap();
    let head = Head::new(&dev, (6, 2), &Default::default(), &mut init).unwrap();
    let network = Network::new(Box::new(backbone), head);
    let needs = Needs::BOTH;
    Box::new(Classifier { network, needs, steps: 0, nan_at, given: Arc::default() })
}

fn domains() -> TrainingData {
    let samples = |n, shift: f64| {
        let at = |(row, column)| shift + ((row * 7 + column * 3) % 5) as f64 / 5.0;
        Samples::Features(Array2::from_shape_fn((n, 2), at))
    };
    let source = Dataset {
        name: "source".into(),
        samples: samples(20, 0.0),
        labels: (0..20).map(|row| row % 2).collect(),
        classes: vec!["a".into(), "b".into()],
    };
    let target = UnlabelledDomain::new("target", samples(15, 0.5)).unwrap();
    TrainingData::new(LabelledDomain::new(source).unwrap(), target)
}

fn config() -> TrainConfig {
    TrainConfig {
        steps: 5,
        source_batch: 4,
        target_batch: 3,
        log_every: 2,
        evaluate_every: 3,
        checkpoint_every: 4,
        ..TrainConfig::default()
    }
}

/// Writes down what it is told.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    rates: Vec<f32>,
    checkpoint: Option<Checkpoint>,
}

impl Observer<Cpu> for Log {
    fn on_step(&mut self, record: &StepRecord<'_>) -> Result<()> {
        self.rates.push(record.rate);
        self.lines.push(format!("step {}/{}", record.step, record.steps));
        Ok(())
    }

    fn on_means(&mut self, means: &StepMeans) -> Result<()> {
        self.lines.push(format!("means {}", means.step));
        Ok(())
    }

    fn on_evaluation(&mut self, step: u64, _: &dyn Method<Cpu>) -> Result<()> {
        self.lines.push(format!("evaluation {step}"));
        Ok(())
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.lines.push(format!("checkpoint {}", checkpoint.step));
        self.checkpoint = Some(checkpoint.clone());
        Ok(())
    }

    fn on_end(&mut self, step: u64, _: &dyn Method<Cpu>) -> Result<()> {
        self.lines.push(format!("end {step}"));
        Ok(())
    }
}

fn run(config: TrainConfig, nan_at: u64, interrupt: &dyn Fn() -> bool) -> (Log, Result<()>) {
    let data = domains();
    let method = classifier(nan_at);
    let trainer = Trainer::new(&cpu(), config, Value::Null, method, &data);
    let mut log = Log::default();
    let result = trainer.unwrap().run(&mut [&mut log], interrupt);
    (log, result)
}

#[test]
fn observers_hear_everything_in_order() {
    let (log, result) = run(config(), 0, &|| false);
    result.unwrap();
    let expected = [
        "step 1/5",
        "step 2/5",
        "means 2",
        "step 3/5",
        "evaluation 3",
        "step 4/5",
        "means 4",
        "checkpoint 4",
        "step 5/5",
        "means 5",
        "evaluation 5",
        "checkpoint 5",
        "end 5",
    ];
    assert_eq!(log.lines, expected);
    // 0.01 (1 + 10 k/5)^(−3/4).
    let rates = [0.01, 0.004_386_913, 0.002_990_698, 0.002_323_682, 0.001_924_5];
    approx::assert_relative_eq!(log.rates[..], rates[..], max_relative = 1e-5);
}

#[test]
fn intervals_of_zero_mean_at_the_end() {
    let config = TrainConfig { evaluate_every: 0, checkpoint_every: 0, ..config() };
    let (log, result) = run(config, 0, &|| false);
    result.unwrap();
    let rare: Vec<_> = log.lines.iter().filter(|l| l.starts_with(['e', 'c'])).collect();
    assert_eq!(rare, ["evaluation 5", "checkpoint 5", "end 5"]);
}

#[test]
fn an_interruption_finishes_the_step_and_saves() {
    let asked = Cell::new(0);
    let (log, result) = run(config(), 0, &|| {
        asked.set(asked.get() + 1);
        asked.get() == 2
    });
    assert!(matches!(result, Err(Error::Interrupted { step: 2 })), "{result:?}");
    assert_eq!(log.lines[2..], ["means 2", "checkpoint 2"]);
    // After the last step there is nothing left to stop.
    let (log, result) = run(TrainConfig { steps: 1, ..config() }, 0, &|| true);
    result.unwrap();
    assert_eq!(log.lines.last().unwrap(), "end 1");
}

#[test]
fn a_loss_that_is_not_a_number_stops_with_advice() {
    let (log, result) = run(config(), 3, &|| false);
    assert_eq!(
        result.unwrap_err().to_string(),
        "the loss term `total` is NaN at step 3; lower `rate`, set `clip` (1 is usual), or lower \
         the weight of the method's loss"
    );
    assert_eq!(log.lines, ["step 1/5", "step 2/5", "means 2"], "the record up to there is kept");
}

#[test]
fn weights_that_are_not_numbers_never_replace_a_checkpoint() {
    let data = domains();
    let method = classifier(0);
    let (_, weight) = method.parameters().remove(0);
    let trainer = Trainer::new(&cpu(), config(), Value::Null, method, &data).unwrap();
    trainer.checkpoint().unwrap();
    weight.set(&vec![f32::INFINITY; weight.len()]).unwrap();
    let error = trainer.checkpoint().unwrap_err().to_string();
    assert!(error.starts_with("the loss term `parameter backbone/fc1.weight` is inf"), "{error}");
}

#[test]
fn clipping_is_reported() {
    struct Norms(RefCell<Vec<f32>>);
    impl Observer<Cpu> for Norms {
        fn on_means(&mut self, means: &StepMeans) -> Result<()> {
            self.0.borrow_mut().push(means.gradient_norm.unwrap());
            Ok(())
        }
    }
    let data = domains();
    let config = TrainConfig { clip: Some(1e-3), ..config() };
    let mut trainer = Trainer::new(&cpu(), config, Value::Null, classifier(0), &data).unwrap();
    let mut norms = Norms(RefCell::default());
    trainer.run(&mut [&mut norms], &|| false).unwrap();
    assert!(norms.0.borrow().iter().all(|&norm| norm > 1e-3), "{:?}", norms.0);
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let data = domains();
    let (log, _) = run(config(), 0, &|| false);
    let checkpoint = log.checkpoint.unwrap();
    let message = |config: TrainConfig, about: Value| {
        let trainer = Trainer::new(&cpu(), config, about, classifier(0), &data);
        trainer.unwrap().restore("c", &checkpoint).unwrap_err().to_string()
    };
    assert_eq!(
        message(TrainConfig { seed: 3, rate: Some(0.1), ..config() }, json!({"method": "dann"})),
        "c: is of another configuration: about: null → {\"method\":\"dann\"}; \
         training.rate: 0.01 → 0.1; training.seed: 0 → 3"
    );
}

#[test]
fn a_method_is_given_what_it_declares_and_nothing_else() {
    let cases = [
        (Needs { views: 2, ..Needs::BOTH }, (4, 3, 2)),
        (Needs::SOURCE, (4, 0, 0)),
        (Needs::TARGET, (0, 3, 0)),
    ];
    for (needs, expected) in cases {
        let mut method = classifier(0);
        method.needs = needs;
        let given = method.given.clone();
        let data = domains();
        let mut trainer = Trainer::new(&cpu(), config(), Value::Null, method, &data).unwrap();
        trainer.run(&mut [], &|| false).unwrap();
        assert_eq!(given.lock().unwrap().steps, [expected; 5]);
        // 15 target rows are five batches of 3, and the sixth step would begin another pass.
        assert_eq!(given.lock().unwrap().passes, usize::from(needs.target));
    }
}

#[test]
fn what_a_method_needs_must_be_there() {
    let data = TrainingData { target: None, ..domains() };
    let trainer = Trainer::new(&cpu(), config(), Value::Null, classifier(0), &data);
    let error = trainer.err().unwrap().to_string();
    assert_eq!(error, "train.data = no target: expected what the method needs");
    let mut method = classifier(0);
    method.needs = Needs::SOURCE;
    let mut alone = Trainer::new(&cpu(), config(), Value::Null, method, &data).unwrap();
    alone.run(&mut [], &|| false).unwrap();
    // A target that is there and not needed changes nothing.
    let mut method = classifier(0);
    method.needs = Needs::SOURCE;
    let mut beside = Trainer::new(&cpu(), config(), Value::Null, method, &domains()).unwrap();
    beside.run(&mut [], &|| false).unwrap();
    let parameters = |trainer: &Trainer<Cpu>| trainer.checkpoint().unwrap().parameters;
    assert_eq!(parameters(&alone), parameters(&beside));
}

#[test]
fn parameters_need_names_of_their_own() {
    struct Twice(Box<Classifier>);
    impl Method<Cpu> for Twice {
        fn step(&mut self, batch: Batch<'_, Cpu>, step: &mut Step<'_, Cpu>) -> Result<Losses> {
            self.0.step(batch, step)
        }

        fn network(&self) -> &Network<Cpu> {
            self.0.network()
        }

        fn own(&self) -> Vec<(Scope, Parameter<Cpu>)> {
            let bias = Parameter::new(&cpu(), "head.bias", Kind::Bias, &[1], vec![0.0]).unwrap();
            vec![(Scope::HEAD, bias)]
        }
    }
    let data = domains();
    let method = Box::new(Twice(classifier(0)));
    let error = Trainer::new(&cpu(), config(), Value::Null, method, &data).err();
    let expected = "method.parameters = head/head.bias: expected paths of their own";
    assert_eq!(error.unwrap().to_string(), expected);
}

#[cfg(feature = "files")]
mod pictures {
    use std::{fs, path::Path};

    use super::*;
    use crate::data::folder::{self, FolderOptions};

    fn picture(path: &Path, seed: u8) {
        image::GrayImage::from_fn(2, 2, |x, y| image::Luma([seed * 20 + (x + 2 * y) as u8]))
            .save(path)
            .unwrap();
    }

    /// Overwrites a file after the third step.
    struct Spoiler<'a>(&'a Path, Log);

    impl Observer<Cpu> for Spoiler<'_> {
        fn on_step(&mut self, record: &StepRecord<'_>) -> Result<()> {
            if record.step == 3 {
                fs::write(self.0, "no picture").unwrap();
            }
            self.1.on_step(record)
        }

        fn on_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
            self.1.on_checkpoint(checkpoint)
        }
    }

    #[test]
    fn a_picture_that_spoils_stops_the_training_until_it_is_mended() {
        let root = tempfile::tempdir().unwrap();
        for i in 0..8 {
            let class = root.path().join(["a", "b"][i % 2]);
            fs::create_dir_all(&class).unwrap();
            picture(&class.join(format!("{i}.png")), i as u8);
        }
        let spoilt = root.path().join("b/5.png");
        // Without a cache, files are decoded again in every pass.
        let options = FolderOptions { size: (2, 2), channels: 1, ..FolderOptions::default() };
        let domains = || {
            crate::data::pictures::set_limit(0);
            let source = folder::read(root.path(), &options).unwrap();
            let target = UnlabelledDomain::new("target", source.samples.clone()).unwrap();
            TrainingData::new(LabelledDomain::new(source).unwrap(), target)
        };
        let config = TrainConfig { steps: 20, checkpoint_every: 0, ..config() };
        let data = domains();
        let trainer = || {
            let method = classifier_of(InputShape::Images { c: 1, h: 2, w: 2 }, 0);
            Trainer::new(&cpu(), config.clone(), Value::Null, method, &data).unwrap()
        };
        let mut whole = trainer();
        whole.run(&mut [], &|| false).unwrap();

        let mut stopped = trainer();
        let mut spoiler = Spoiler(&spoilt, Log::default());
        let error = stopped.run(&mut [&mut spoiler], &|| false).unwrap_err();
        assert!(matches!(error, Error::Data(_)), "{error}");
        let place = spoilt.display().to_string();
        assert!(error.to_string().starts_with(&place), "{error}");
        let checkpoint = spoiler.1.checkpoint.unwrap();
        assert!(checkpoint.step >= 3 && checkpoint.step == stopped.step(), "{}", checkpoint.step);

        picture(&spoilt, 5);
        let mut resumed = trainer();
        resumed.restore("c", &checkpoint).unwrap();
        resumed.run(&mut [], &|| false).unwrap();
        assert_eq!(
            resumed.checkpoint().unwrap().parameters,
            whole.checkpoint().unwrap().parameters
        );
    }
}
