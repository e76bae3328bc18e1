//! Those who watch a training: metrics, checkpoints, progress.

#[cfg(feature = "files")]
mod files;
mod means;
#[cfg(feature = "files")]
mod progress;

#[cfg(feature = "files")]
pub use files::{CheckpointFile, MetricsFile};
pub use means::{Mean, Means, StepMeans};
#[cfg(feature = "files")]
pub use progress::{Progress, ProgressReport};

use crate::{Dev, Losses, Method, Result, checkpoint::Checkpoint};

/// One finished step.
#[derive(Clone, Copy, Debug)]
pub struct StepRecord<'a> {
    /// Steps finished with it, from 1.
    pub step: u64,
    /// Steps of the whole training.
    pub steps: u64,
    /// The learning rate η, before the groups' factors.
    pub rate: f32,
    /// The terms of its loss.
    pub losses: &'a Losses,
    /// The norm of its gradients before clipping; nothing when they are not clipped.
    pub gradient_norm: Option<f32>,
}

/// Watches a training. After a step the calls come in the order of the methods here, each to all
/// observers in turn; an error stops the training ([`crate::Error::Observer`] is for errors of the
/// observer's own kind).
///
/// What an observer must remember after a stop it derives from what it wrote.
pub trait Observer<D: Dev> {
    /// After every step.
    ///
    /// # Errors
    /// The observer's own.
    fn on_step(&mut self, _record: &StepRecord<'_>) -> Result<()> {
        Ok(())
    }

    /// Every `log_every` steps and after the last: the means since the previous call.
    ///
    /// # Errors
    /// The observer's own.
    fn on_means(&mut self, _means: &StepMeans) -> Result<()> {
        Ok(())
    }

    /// Every `evaluate_every` steps and after the last: time to judge the model.
    ///
    /// # Errors
    /// The observer's own.
    fn on_evaluation(&mut self, _step: u64, _method: &dyn Method<D>) -> Result<()> {
        Ok(())
    }

    /// Every `checkpoint_every` steps, after the last and before an interrupted training returns.
    /// Whoever records what must not be lost makes it durable here, before the checkpoint is:
    /// so [`MetricsFile`] stands before [`CheckpointFile`] among the observers.
    ///
    /// # Errors
    /// The observer's own.
    fn on_checkpoint(&mut self, _checkpoint: &Checkpoint) -> Result<()> {
        Ok(())
    }

    /// Once, when all steps are done.
    ///
    /// # Errors
    /// The observer's own.
    fn on_end(&mut self, _step: u64, _method: &dyn Method<D>) -> Result<()> {
        Ok(())
    }
}
