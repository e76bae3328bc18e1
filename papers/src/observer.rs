//! What happens along the training of one method with one seed.

use std::time::Instant;

use anyhow::Result;
use transduct_core::{
    Dev, Error, Method,
    checkpoint::Checkpoint,
    observe::{CheckpointFile, MetricsFile, Observer, StepMeans, StepRecord},
};

use crate::{
    evaluate::Evaluator,
    progress::Progress,
    record::{Done, Line, PartDir, write_json},
    runner::Spent,
};

/// Records metrics and checkpoints, evaluates, and shows progress.
pub(crate) struct PartObserver<'a, D: Dev> {
    part: &'a PartDir,
    seed: u64,
    metrics: MetricsFile,
    checkpoint: CheckpointFile,
    evaluator: Evaluator<'a, D>,
    progress: &'a mut Progress,
    spent: Spent,
    start: Instant,
    /// The final numbers, once there are any.
    pub(crate) done: Option<Done>,
}

impl<'a, D: Dev> PartObserver<'a, D> {
    pub(crate) fn new(
        part: &'a PartDir,
        seed: u64,
        metrics: MetricsFile,
        evaluator: Evaluator<'a, D>,
        progress: &'a mut Progress,
        spent: Spent,
    ) -> Self {
        let checkpoint = CheckpointFile::new(part.checkpoint());
        let start = Instant::now();
        Self { part, seed, metrics, checkpoint, evaluator, progress, spent, start, done: None }
    }

    fn seconds(&self) -> f64 {
        self.spent.seconds + self.start.elapsed().as_secs_f64()
    }
}

fn own(error: impl Into<anyhow::Error>) -> Error {
    Error::Observer(error.into().into())
}

impl<D: Dev> Observer<D> for PartObserver<'_, D> {
    fn on_step(&mut self, _: &StepRecord<'_>) -> Result<(), Error> {
        self.progress.step();
        Ok(())
    }

    fn on_means(&mut self, means: &StepMeans) -> Result<(), Error> {
        self.progress.losses(means);
        self.metrics.write(means)
    }

    fn on_evaluation(&mut self, step: u64, method: &dyn Method<D>) -> Result<(), Error> {
        let evaluation = self.evaluator.evaluate(step, method).map_err(own)?;
        self.progress.evaluation(&evaluation);
        self.metrics.write(&Line::Evaluation(evaluation))
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        Observer::<D>::on_checkpoint(&mut self.metrics, checkpoint)?;
        write_json(&self.part.spent(), &Spent { seconds: self.seconds() }).map_err(own)?;
        Observer::<D>::on_checkpoint(&mut self.checkpoint, checkpoint)
    }

    fn on_end(&mut self, step: u64, method: &dyn Method<D>) -> Result<(), Error> {
        let seconds = self.seconds();
        let done = self.evaluator.finish(step, method, self.seed, seconds).map_err(own)?;
        self.done = Some(done);
        Ok(())
    }
}
