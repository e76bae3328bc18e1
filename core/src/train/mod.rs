//! The training loop.
//!
//! A [`Trainer`] gives a method the batches that it declares to need until all steps are done, and
//! tells observers. All that
//! a run depends on is in its configuration, its data and its generators, so a trainer that is
//! restored from a [`Checkpoint`] ends with exactly the numbers of one that never stopped.

mod config;

pub use config::TrainConfig;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    Dev, Error, Losses, Method, Needs, Pool, Result, Rng, RngState, Step, Stream,
    batch::{Batches, DrawnBatch, TrainingData},
    checkpoint::Checkpoint,
    data::UnlabelledDomain,
    observe::{Means, Observer, StepRecord},
    optim::Optimiser,
    rng,
    schedule::progress,
    tensors,
};

/// A method on its way through a training.
pub struct Trainer<D: Dev> {
    dev: D,
    config: TrainConfig,
    fingerprint: Value,
    method: Box<dyn Method<D>>,
    batches: Batches<D>,
    optimiser: Optimiser<D>,
    rng: Rng,
    means: Means,
    step: u64,
}

impl<D: Dev> Trainer<D> {
    /// A training of `method` from the start, on what it declares to need of `data` and on nothing
    /// else. `about` is what else determines the numbers, for instance the method's name and
    /// options: a checkpoint of another value is refused.
    ///
    /// # Errors
    /// [`Error::Config`] for values out of range, parameters of equal paths, or a domain that the
    /// method needs and `data` lacks; [`Error::Data`] for domains that do not fit each other or the
    /// batches.
    pub fn new(
        dev: &D,
        config: TrainConfig,
        about: Value,
        method: Box<dyn Method<D>>,
        data: &TrainingData,
    ) -> Result<Self> {
        let data = needed(method.needs(), data)?;
        let rows = match (&data.source, &data.target) {
            (Some(source), _) => (source.len(), config.source_batch),
            (None, target) => (target.as_ref().map_or(0, |t| t.len()), config.target_batch),
        };
        let config = config.resolved(rows.0, rows.1)?;
        let sizes = (config.source_batch, config.target_batch);
        let batches = Batches::new(dev, &data, sizes, config.seed)?;
        let parameters = method.parameters();
        let mut paths: Vec<_> = parameters.iter().map(|(scope, p)| p.path(scope)).collect();
        paths.sort_unstable();
        if let Some(twice) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::config("method", "parameters", &twice[0], "paths of their own"));
        }
        let domain = |(name, rows): (&str, usize)| json!({"name": name, "rows": rows});
        let fingerprint = json!({
            "about": about,
            "training": document(&config)?,
            "shape": data.shape()?,
            "source": data.source.as_ref().map(|s| domain((s.name(), s.len()))),
            "target": data.target.as_ref().map(|t| domain((t.name(), t.len()))),
        });
        let optimiser = Optimiser::new(config.optimiser.clone(), config.rate(), parameters)
            .with_factors(&config.rate_factors)
            .with_clip(config.clip);
        let rng = rng(config.seed, Stream::Step);
        let means = Means::default();
        let dev = dev.clone();
        Ok(Self { dev, config, fingerprint, method, batches, optimiser, rng, means, step: 0 })
    }

    /// Goes on after the step of `checkpoint`; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::File`] for a checkpoint of another configuration, or one that does not fit.
    pub fn restore(&mut self, path: &str, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.check_config(path, &self.fingerprint)?;
        let wrong = |reason: String| Error::File { path: path.to_owned(), reason };
        let Checkpoint { step, rng, optimiser, .. } = checkpoint;
        if *step > self.config.steps {
            return Err(wrong(format!("is at step {step} of {}", self.config.steps)));
        }
        let rng = rng.restore().ok_or_else(|| wrong("its generator has no state".to_owned()))?;
        let batches = part(path, "batches", &checkpoint.batches)?;
        let means = part(path, "means", &checkpoint.means)?;
        self.batches.restore(&batches).map_err(|e| wrong(e.to_string()))?;
        self.optimiser.restore(optimiser).map_err(|e| wrong(e.to_string()))?;
        checkpoint.restore(path, &self.method.parameters())?;
        (self.step, self.rng, self.means) = (*step, rng, means);
        Ok(())
    }

    /// Where it stands.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when a parameter is not: such a state must not replace a good one.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let parameters = tensors::values(&self.method.parameters());
        for (name, array) in &parameters {
            if let Some(&value) = array.iter().find(|value| !value.is_finite()) {
                let advice = advice(&self.config);
                let (step, term) = (self.step, format!("parameter {name}"));
                return Err(Error::NonFinite { step, term, value, advice });
            }
        }
        Ok(Checkpoint {
            step: self.step,
            config: self.fingerprint.clone(),
            rng: RngState::from(&self.rng),
            batches: json!(self.batches.state()),
            means: json!(self.means),
            parameters,
            optimiser: self.optimiser.state(),
        })
    }

    /// Trains to the last step.
    ///
    /// After each step `interrupt` is asked whether to stop.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when `interrupt` said so: the observers have a checkpoint then.
    /// [`Error::NonFinite`] when a loss or the gradients' norm is NaN or infinite. What the method
    /// and the observers report.
    pub fn run(
        &mut self,
        observers: &mut [&mut dyn Observer<D>],
        interrupt: &dyn Fn() -> bool,
    ) -> Result<()> {
        while self.step < self.config.steps {
            let (losses, gradient_norm) = match self.advance() {
                Ok(advanced) => advanced,
                // A file that is mended lets the training go on from here.
                Err(error @ Error::Data(_)) if self.step > 0 => {
                    let checkpoint = self.checkpoint()?;
                    observers.iter_mut().try_for_each(|o| o.on_checkpoint(&checkpoint))?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            };
            let (step, steps) = (self.step, self.config.steps);
            let losses = &losses;
            let record =
                StepRecord { step, steps, rate: self.optimiser.rate(), losses, gradient_norm };
            self.means.add(&record);
            observers.iter_mut().try_for_each(|o| o.on_step(&record))?;

            let due = |every: u64| step == steps || (every > 0 && step.is_multiple_of(every));
            if due(self.config.log_every) {
                let means = self.means.take(&record);
                observers.iter_mut().try_for_each(|o| o.on_means(&means))?;
            }
            if due(self.config.evaluate_every) {
                let method = self.method.as_ref();
                observers.iter_mut().try_for_each(|o| o.on_evaluation(step, method))?;
            }
            let interrupted = step < steps && interrupt();
            if interrupted || due(self.config.checkpoint_every) {
                let checkpoint = self.checkpoint()?;
                observers.iter_mut().try_for_each(|o| o.on_checkpoint(&checkpoint))?;
            }
            if interrupted {
                return Err(Error::Interrupted { step });
            }
        }
        let method = self.method.as_ref();
        observers.iter_mut().try_for_each(|o| o.on_end(self.step, method))
    }

    /// One step, of a training that is not over. Gives its losses, and the norm of its gradients
    /// where they are clipped.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when a loss or the norm is NaN or infinite, [`Error::Data`] for a picture
    /// that cannot be decoded (nothing has changed then), and what the method reports.
    pub fn advance(&mut self) -> Result<(Losses, Option<f32>)> {
        let (finished, steps) = (self.step, self.config.steps);
        let begins_pass = self.batches.begins_pass();
        let batch = self.drawn()?;
        if finished + 1 < steps {
            self.batches.prepare_next();
        }
        self.optimiser.set_rate(self.config.rate() * self.config.schedule.factor(finished, steps));
        let mut step = Step {
            progress: progress(finished, steps),
            rng: &mut self.rng,
            optimiser: &mut self.optimiser,
        };
        if let (true, Some(samples)) = (begins_pass, self.batches.target()) {
            self.method.epoch(Pool::new(&self.dev, samples), &mut step)?;
        }
        let losses = self.method.step(batch.batch(), &mut step)?;
        self.step += 1;
        let norm = self.optimiser.take_gradient_norm();
        let terms = losses.0.iter().copied().chain(norm.map(|norm| ("gradient norm", norm)));
        match { terms }.find(|(_, value)| !value.is_finite()) {
            Some((term, value)) => Err(Error::NonFinite {
                step: self.step,
                term: term.to_owned(),
                value,
                advice: advice(&self.config),
            }),
            None => Ok((losses, norm)),
        }
    }

    /// The batch of the next step, with the views that the method wants.
    fn drawn(&mut self) -> Result<DrawnBatch<D>> {
        let mut batch = self.batches.next_batch()?;
        if let Some((x, _)) = &batch.target {
            let (count, seed) = (self.method.needs().views, self.config.seed);
            batch.views = self.config.augment.views(x, count, seed, self.step)?;
        }
        Ok(batch)
    }

    /// Goes on with other rows of the target, as many and of the same shape.
    ///
    /// # Errors
    /// [`Error::Shape`] for others.
    pub fn set_target(&mut self, target: Arc<UnlabelledDomain>) -> Result<()> {
        self.batches.set_target(target)
    }

    /// Finished steps.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The configuration, with every choice made.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The method as it stands.
    pub fn method(&self) -> &dyn Method<D> {
        self.method.as_ref()
    }

    /// The method, when training is over.
    pub fn into_method(self) -> Box<dyn Method<D>> {
        self.method
    }
}

/// What a method needs of `data`.
fn needed(needs: Needs, data: &TrainingData) -> Result<TrainingData> {
    let missing = |domain| {
        Err(Error::config("train", "data", format!("no {domain}"), "what the method needs"))
    };
    match (&data.source, &data.target) {
        (None, _) if needs.source => missing("source"),
        (_, None) if needs.target => missing("target"),
        (source, target) => Ok(TrainingData {
            source: source.clone().filter(|_| needs.source),
            target: target.clone().filter(|_| needs.target),
        }),
    }
}

/// A configuration as JSON, its numbers as a file would have them: `json!` alone makes 0.01 a
/// 0.009999999776482582.
fn document(config: &TrainConfig) -> Result<Value> {
    serde_json::to_string(config)
        .and_then(|text| serde_json::from_str(&text))
        .map_err(|e| Error::config("train", "values", e, "what JSON can hold"))
}

/// A part of a checkpoint's JSON.
fn part<T: DeserializeOwned>(path: &str, name: &str, value: &Value) -> Result<T> {
    serde_json::from_value(value.clone())
        .map_err(|e| Error::File { path: path.to_owned(), reason: format!("`{name}`: {e}") })
}

/// What to try when numbers run away.
fn advice(config: &TrainConfig) -> &'static str {
    match config.clip {
        Some(_) => "lower `rate`, or the weight of the method's loss",
        None => "lower `rate`, set `clip` (1 is usual), or lower the weight of the method's loss",
    }
}

#[cfg(test)]
mod tests;
