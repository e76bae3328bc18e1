//! How a method is trained.

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    augment::Augment,
    check::{at_least, non_negative, positive},
    optim::{OptimiserConfig, RateFactors},
    schedule::Schedule,
};

/// How a method is trained. Batches, optimiser and schedule are the DANN paper's by default
/// (Ganin et al., JMLR 2016, Sec. 5.2.2); the number of steps and the intervals are ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Steps, at least 1.
    pub steps: u64,
    /// Passes through the source (through the target, of a training without a source), at least 1,
    /// from which `steps` is then computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Source rows in a batch, at least 1.
    pub source_batch: usize,
    /// Target rows in a batch, at least 1.
    pub target_batch: usize,
    /// η_0 > 0; without one, [`OptimiserConfig::default_rate`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f32>,
    /// The largest norm of the gradients, > 0; without one they are not clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f32>,
    /// Steps between two evaluations; 0 evaluates at the end only.
    pub evaluate_every: u64,
    /// Steps whose losses are averaged for the record, at least 1.
    pub log_every: u64,
    /// Steps between two checkpoints; 0 saves at the end and at an interruption only.
    pub checkpoint_every: u64,
    /// Of batches, dropout and all else that is drawn in training.
    pub seed: u64,
    /// How views of target rows are made, for methods that want some.
    pub augment: Augment,
    /// What the learning rate is multiplied by.
    pub rate_factors: RateFactors,
    /// How gradients change parameters.
    pub optimiser: OptimiserConfig,
    /// The course of the learning rate.
    pub schedule: Schedule,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: 2000,
            epochs: None,
            source_batch: 64,
            target_batch: 64,
            rate: None,
            clip: None,
            evaluate_every: 100,
            log_every: 10,
            checkpoint_every: 100,
            seed: 0,
            augment: Augment::default(),
            rate_factors: RateFactors::default(),
            optimiser: OptimiserConfig::default(),
            schedule: Schedule::default(),
        }
    }
}

impl TrainConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self) -> Result<()> {
        for (field, value) in [("steps", Some(self.steps)), ("epochs", self.epochs)] {
            if value == Some(0) {
                return Err(Error::config("train", field, 0, "at least 1"));
            }
        }
        if self.log_every == 0 {
            return Err(Error::config("train", "log_every", 0, "at least 1"));
        }
        at_least("train", "source_batch", self.source_batch, 1)?;
        at_least("train", "target_batch", self.target_batch, 1)?;
        for (field, value) in [("rate", self.rate), ("clip", self.clip)] {
            value.map_or(Ok(()), |value| positive("train", field, value))?;
        }
        for (path, factor) in self.rate_factors.iter() {
            non_negative("train", &format!("rate_factors.{path}"), factor)?;
        }
        self.augment.check()?;
        self.optimiser.check()?;
        self.schedule.check()
    }

    /// With every choice made for passes through `rows` rows in batches of `batch`: the learning
    /// rate, and the steps that `epochs` are.
    ///
    /// # Errors
    /// As [`TrainConfig::check`].
    pub fn resolved(mut self, rows: usize, batch: usize) -> Result<Self> {
        self.check()?;
        if let Some(epochs) = self.epochs {
            self.steps = epochs.saturating_mul((rows / batch).max(1) as u64);
        }
        self.rate = Some(self.rate());
        Ok(self)
    }

    /// η_0.
    pub fn rate(&self) -> f32 {
        self.rate.unwrap_or(self.optimiser.default_rate())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Adam;

    #[test]
    fn epochs_and_the_rate_are_resolved() {
        let config = TrainConfig {
            epochs: Some(3),
            source_batch: 32,
            optimiser: Adam::default().into(),
            ..TrainConfig::default()
        };
        let resolved = config.resolved(100, 32).unwrap();
        assert_eq!((resolved.steps, resolved.rate), (9, Some(0.001)));
        assert_eq!(resolved.clone().resolved(100, 32).unwrap(), resolved);
    }

    #[test]
    fn what_is_not_given_keeps_its_default() {
        let text = r#"{"steps": 5, "optimiser": {"name": "adam"}, "schedule": {"name": "cosine"}}"#;
        let config: TrainConfig = serde_json::from_str(text).unwrap();
        let expected = TrainConfig {
            steps: 5,
            optimiser: Adam::default().into(),
            schedule: Schedule::Cosine { warm_up: 0.0 },
            ..TrainConfig::default()
        };
        assert_eq!(config, expected);
        assert_eq!(
            serde_json::from_str::<TrainConfig>(&serde_json::to_string(&config).unwrap()).unwrap(),
            config
        );
        assert!(serde_json::from_str::<TrainConfig>(r#"{"stesp": 5}"#).is_err());
    }

    #[test]
    fn ranges_are_checked() {
        let message = |change: &dyn Fn(&mut TrainConfig)| {
            let mut config = TrainConfig::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert_eq!(message(&|c| c.steps = 0), "train.steps = 0: expected at least 1");
        assert_eq!(message(&|c| c.epochs = Some(0)), "train.epochs = 0: expected at least 1");
        assert_eq!(message(&|c| c.target_batch = 0), "train.target_batch = 0: expected at least 1");
        assert_eq!(
            message(&|c| c.rate = Some(-0.1)),
            "train.rate = -0.1: expected a finite number > 0"
        );
        assert_eq!(
            message(&|c| c.rate_factors = RateFactors::new([("critic", f32::NAN)])),
            "train.rate_factors.critic = NaN: expected a finite number ≥ 0"
        );
        TrainConfig::default().check().unwrap();
    }
}
