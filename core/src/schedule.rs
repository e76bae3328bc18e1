//! How quantities change in the course of a training.
//!
//! Progress p ∈ [0, 1) is the finished share of the training, as in [`crate::Step`].

use std::f32::consts::PI;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    check::{non_negative, positive},
};

/// The learning rate's course η_p / η_0, by name: in TOML `{ name = "cosine", warm_up = 0.05 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// 1.
    Constant {},
    /// `factor`^⌊s / every⌋ after s steps.
    Step {
        /// Steps between two changes, at least 1.
        every: u64,
        /// Factor of each change, finite and > 0.
        #[serde(default = "defaults::factor")]
        factor: f32,
    },
    /// (1 + cos π p′) / 2, where p′ is the share of what follows the warm-up; before that a linear
    /// rise to 1. Loshchilov & Hutter, "SGDR", ICLR 2017, Eq. 5 without restarts.
    Cosine {
        /// Share of the training that the warm-up takes, in [0, 1).
        #[serde(default)]
        warm_up: f32,
    },
    /// (1 + α p)^(−β). Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016,
    /// Sec. 5.2.2: α = 10, β = 0.75.
    InverseDecay {
        /// α, finite and ≥ 0.
        #[serde(default = "defaults::alpha")]
        alpha: f32,
        /// β, finite and ≥ 0.
        #[serde(default = "defaults::beta")]
        beta: f32,
    },
}

mod defaults {
    pub(super) fn factor() -> f32 {
        0.1
    }

    pub(super) fn alpha() -> f32 {
        10.0
    }

    pub(super) fn beta() -> f32 {
        0.75
    }
}

impl Default for Schedule {
    /// The DANN paper's.
    fn default() -> Self {
        Self::InverseDecay { alpha: defaults::alpha(), beta: defaults::beta() }
    }
}

impl Schedule {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self) -> Result<()> {
        match *self {
            Self::Constant {} => Ok(()),
            Self::Step { every: 0, .. } => {
                Err(Error::config("schedule", "every", 0, "at least 1 step"))
            }
            Self::Step { factor, .. } => positive("schedule", "factor", factor),
            Self::Cosine { warm_up } if !(0.0..1.0).contains(&warm_up) => {
                Err(Error::config("schedule", "warm_up", warm_up, "a share in [0, 1)"))
            }
            Self::Cosine { .. } => Ok(()),
            Self::InverseDecay { alpha, beta } => {
                non_negative("schedule", "alpha", alpha)?;
                non_negative("schedule", "beta", beta)
            }
        }
    }

    /// η_p / η_0 for the step that follows `step` finished ones of `steps`.
    pub fn factor(&self, step: u64, steps: u64) -> f32 {
        match *self {
            Self::Constant {} => 1.0,
            Self::Step { every, factor } => {
                factor.powi(i32::try_from(step / every.max(1)).unwrap_or(i32::MAX))
            }
            Self::Cosine { warm_up } => {
                // The first step of a warm-up over w steps has factor 1/w, the last has 1.
                let rise = (f64::from(warm_up) * steps as f64).floor() as u64;
                match step.checked_sub(rise) {
                    None => (step + 1) as f32 / rise as f32,
                    Some(after) => (1.0 + (PI * progress(after, steps - rise)).cos()) / 2.0,
                }
            }
            Self::InverseDecay { alpha, beta } => (1.0 + alpha * progress(step, steps)).powf(-beta),
        }
    }
}

/// The share p of `steps` that `step` steps are.
pub fn progress(step: u64, steps: u64) -> f32 {
    (step as f64 / steps.max(1) as f64) as f32
}

/// λ(p) = 2 / (1 + e^(−γ p)) − 1: from 0 to nearly 1. Ganin et al., JMLR 2016, Sec. 5.2.2, γ = 10.
pub fn warm_up(p: f32, gamma: f32) -> f32 {
    2.0 / (1.0 + (-gamma * p).exp()) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(schedule: Schedule, steps: u64) -> Vec<f32> {
        (0..steps).map(|step| schedule.factor(step, steps)).collect()
    }

    fn close(got: &[f32], expected: &[f32]) {
        approx::assert_abs_diff_eq!(got, expected, epsilon = 1e-6);
    }

    #[test]
    fn courses_by_hand() {
        close(&course(Schedule::Constant {}, 3), &[1.0; 3]);
        let step = Schedule::Step { every: 2, factor: 0.5 };
        close(&course(step, 5), &[1.0, 1.0, 0.5, 0.5, 0.25]);
        // (1 + cos(kπ/4)) / 2.
        let cosine = Schedule::Cosine { warm_up: 0.0 };
        close(&course(cosine, 4), &[1.0, 0.853_553_4, 0.5, 0.146_446_6]);
        let warm = Schedule::Cosine { warm_up: 0.5 };
        close(&course(warm, 8)[..5], &[0.25, 0.5, 0.75, 1.0, 1.0]);
        // 1, 6^(−3/4): half way α p = 5.
        close(&course(Schedule::default(), 2), &[1.0, 0.260_847_4]);
    }

    #[test]
    fn a_long_warm_up_or_no_step_stays_finite() {
        for schedule in [Schedule::Cosine { warm_up: 0.99 }, Schedule::default()] {
            for steps in 0..4 {
                for step in 0..=steps {
                    assert!(schedule.factor(step, steps).is_finite());
                }
            }
        }
    }

    #[test]
    fn the_warm_up_is_the_papers() {
        close(&[0.0, 0.5, 1.0].map(|p| warm_up(p, 10.0)), &[0.0, 0.986_614_3, 0.999_909_2]);
    }

    #[test]
    fn schedules_are_tagged_by_name() {
        let read = |text: &str| serde_json::from_str::<Schedule>(text);
        let half = Schedule::InverseDecay { alpha: 10.0, beta: 0.5 };
        assert_eq!(read(r#"{"name": "inverse-decay", "beta": 0.5}"#).unwrap(), half);
        assert_eq!(read(r#"{"name": "constant"}"#).unwrap(), Schedule::Constant {});
        for schedule in [Schedule::default(), Schedule::Step { every: 3, factor: 0.1 }] {
            assert_eq!(read(&serde_json::to_string(&schedule).unwrap()).unwrap(), schedule);
        }
        assert!(read(r#"{"name": "cosine", "warmup": 0.1}"#).is_err());
    }

    #[test]
    fn ranges_are_checked() {
        let message = |schedule: Schedule| schedule.check().unwrap_err().to_string();
        assert_eq!(
            message(Schedule::Step { every: 0, factor: 0.1 }),
            "schedule.every = 0: expected at least 1 step"
        );
        assert_eq!(
            message(Schedule::Cosine { warm_up: 1.0 }),
            "schedule.warm_up = 1: expected a share in [0, 1)"
        );
        assert_eq!(
            message(Schedule::InverseDecay { alpha: -1.0, beta: 0.75 }),
            "schedule.alpha = -1: expected a finite number ≥ 0"
        );
        Schedule::default().check().unwrap();
    }
}
