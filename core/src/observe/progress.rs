//! Progress, with the time it takes.

use std::time::Instant;

use super::{Observer, StepRecord};
use crate::{Dev, Losses, Result};

/// Tells a closure after every step how far and how fast training is.
#[derive(Debug)]
pub struct Progress<F> {
    report: F,
    /// When this training began, and after how many steps.
    start: Option<(Instant, u64)>,
}

/// How far and how fast training is.
#[derive(Clone, Copy, Debug)]
pub struct ProgressReport<'a> {
    /// Finished steps.
    pub step: u64,
    /// All steps.
    pub steps: u64,
    /// The terms of the last step's loss.
    pub losses: &'a Losses,
    /// Steps in a second since the second one of this process, evaluations included; nothing
    /// before that.
    pub steps_per_second: Option<f64>,
}

impl ProgressReport<'_> {
    /// Seconds that the rest will take at this speed.
    pub fn seconds_left(&self) -> Option<f64> {
        self.steps_per_second.map(|speed| self.steps.saturating_sub(self.step) as f64 / speed)
    }
}

impl<F: FnMut(&ProgressReport<'_>)> Progress<F> {
    /// Reports to `report`.
    pub fn new(report: F) -> Self {
        Self { report, start: None }
    }
}

impl<D: Dev, F: FnMut(&ProgressReport<'_>)> Observer<D> for Progress<F> {
    fn on_step(&mut self, record: &StepRecord<'_>) -> Result<()> {
        // The first step also pays for memory and pages.
        let &mut (start, first) = self.start.get_or_insert_with(|| (Instant::now(), record.step));
        let (seconds, done) = (start.elapsed().as_secs_f64(), record.step - first);
        let steps_per_second = (done > 0 && seconds > 0.0).then(|| done as f64 / seconds);
        let &StepRecord { step, steps, losses, .. } = record;
        (self.report)(&ProgressReport { step, steps, losses, steps_per_second });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use dfdx::prelude::Cpu;

    use super::*;

    #[test]
    fn speed_is_known_from_the_second_step_on() {
        let losses = Losses(vec![("total", 1.0)]);
        let mut reports = Vec::new();
        let mut progress = Progress::new(|report: &ProgressReport<'_>| {
            reports.push((report.step, report.steps_per_second, report.seconds_left()));
        });
        for step in 5..8 {
            let record =
                StepRecord { step, steps: 7, rate: 0.1, losses: &losses, gradient_norm: None };
            Observer::<Cpu>::on_step(&mut progress, &record).unwrap();
        }
        assert_eq!(reports[0], (5, None, None));
        assert!(reports[1].1.is_some_and(|speed| speed > 0.0));
        assert_eq!((reports[2].0, reports[2].2), (7, Some(0.0)));
    }
}
