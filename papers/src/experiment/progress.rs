//! Progress over the trials of an experiment, on standard error.

use std::time::Instant;

use indicatif::{HumanDuration, ProgressBar};

use super::{Measure, record::TrialRecord};
use crate::progress::{LINE_INTERVAL, Style, line};

/// A bar on a terminal, else a line every so often. The remaining time is estimated from the
/// finished trials.
pub(super) struct Progress {
    style: Style,
    bar: ProgressBar,
    running: Vec<String>,
    last_line: Instant,
}

impl Progress {
    /// Over this many trials; shown unless `show` is false.
    pub(super) fn new(show: bool, trials: u64) -> Self {
        let style = Style::new(show);
        let bar = style.bar();
        bar.set_length(trials);
        bar.reset_elapsed();
        Self { style, bar, running: Vec::new(), last_line: Instant::now() }
    }

    /// A trial starts.
    pub(super) fn start(&mut self, name: String) {
        self.running.push(name);
        self.show();
    }

    /// A trial is finished.
    pub(super) fn finish(&mut self, name: &str, trial: &TrialRecord, measure: &Measure) {
        self.end(name);
        let number = format!("{} {}", measure.number(trial.value), measure.unit);
        let text = format!("{name}: {} ({:.1} s)", number.trim_end(), trial.seconds);
        // Experiments of many short trials would flood a log.
        if self.style == Style::Lines && self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
            line(&format!("[{done}/{all}] {text}  ({} left)", HumanDuration(self.bar.eta())));
        }
    }

    /// A trial failed.
    pub(super) fn fail(&mut self, name: &str, message: &str) {
        self.end(name);
        let text = format!("error: {name}: {message}");
        self.bar.suspend(|| line(&text));
    }

    /// Leaves the screen as a log, without the bar.
    pub(super) fn close(&self) {
        self.bar.finish_and_clear();
    }

    fn end(&mut self, name: &str) {
        self.running.retain(|running| running != name);
        self.bar.inc(1);
        self.show();
    }

    fn show(&self) {
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        self.bar.set_prefix(format!("[{done}/{all}]"));
        self.bar.set_message(self.running.join("  ·  "));
    }
}
