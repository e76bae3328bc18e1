//! What a person sees while a run goes on, on standard error: a bar on a terminal, else a line
//! every so often.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use transduct_core::observe::StepMeans;

use crate::record::{Done, Evaluation};

/// Between two lines where there is no terminal.
pub(crate) const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Progress over all (method, seed) of a run. The remaining time is estimated from the steps of
/// all of them.
pub(crate) struct Progress {
    style: Style,
    bar: ProgressBar,
    part: String,
    step: u64,
    steps: u64,
    losses: String,
    evaluation: String,
    last_line: Instant,
}

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A bar at the bottom of a terminal.
    Bar,
    /// A line now and then.
    Lines,
    /// Nothing but errors.
    Nothing,
}

impl Style {
    /// The one for this standard error.
    pub(crate) fn new(show: bool) -> Self {
        match show {
            false => Self::Nothing,
            true if io::stderr().is_terminal() => Self::Bar,
            true => Self::Lines,
        }
    }

    /// A bar over a number of things that is not known yet. A hidden one still keeps the time.
    pub(crate) fn bar(self) -> ProgressBar {
        let target = match self {
            Self::Bar => ProgressDrawTarget::stderr(),
            _ => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(template) = ProgressStyle::with_template(
            "{prefix} {wide_bar:.cyan/dim} {percent:>3} %, {eta} left\n  {wide_msg:.dim}",
        ) {
            bar.set_style(template.progress_chars("━━─"));
        }
        bar
    }
}

impl Progress {
    /// Shown unless `show` is false.
    pub(crate) fn new(show: bool) -> Self {
        let style = Style::new(show);
        Self {
            style,
            bar: style.bar(),
            part: String::new(),
            step: 0,
            steps: 0,
            losses: String::new(),
            evaluation: String::new(),
            last_line: Instant::now(),
        }
    }

    /// There will be `steps` steps in all.
    pub(crate) fn expect(&mut self, steps: u64) {
        self.bar.set_length(steps);
        self.bar.reset_elapsed();
    }

    /// The training of this name starts; it is number `index` of `count`.
    pub(crate) fn start(&mut self, name: &str, (index, count): (usize, usize)) {
        name.clone_into(&mut self.part);
        (self.step, self.steps) = (0, 0);
        self.losses.clear();
        self.evaluation.clear();
        self.bar.set_prefix(format!("[{index}/{count}] {}", self.part));
        self.bar.set_message("");
        if self.style == Style::Lines {
            line(&format!("[{index}/{count}] {}", self.part));
        }
    }

    /// It has `steps` steps, of which an earlier attempt did `step`.
    pub(crate) fn resume(&mut self, step: u64, steps: u64) {
        (self.step, self.steps) = (step, steps);
        // What was done before takes no time now.
        self.shorten(step);
        if step > 0 {
            self.say(&format!("{}: going on after step {step}", self.part));
        }
    }

    /// A step is done.
    pub(crate) fn step(&mut self) {
        self.step += 1;
        self.bar.inc(1);
    }

    /// The mean losses since the last call.
    pub(crate) fn losses(&mut self, means: &StepMeans) {
        self.losses.clear();
        for (name, value) in &means.losses {
            let separator = if self.losses.is_empty() { "" } else { "  " };
            let _ = write!(self.losses, "{separator}{name} {value:.3}");
        }
        self.show();
    }

    /// What an evaluation found.
    pub(crate) fn evaluation(&mut self, evaluation: &Evaluation) {
        self.evaluation = evaluated(evaluation);
        self.show();
    }

    /// The (method, seed) is finished.
    pub(crate) fn finish(&mut self, done: &Done) {
        let accuracy = match done.target_accuracy {
            Some(accuracy) => format!(", target {:.1} %", 100.0 * accuracy),
            None => String::new(),
        };
        let collapsed = match done.collapsed {
            Some(true) => ": collapsed, no better than guessing on the source",
            _ => "",
        };
        self.say(&format!(
            "{}: source {:.1} %{accuracy} after {} steps{collapsed}",
            self.part,
            100.0 * done.source_validation_accuracy,
            done.steps
        ));
    }

    /// The (method, seed) failed.
    pub(crate) fn fail(&mut self, message: &str) {
        let text = format!("error: {}: {message}", self.part);
        self.shorten(self.steps.saturating_sub(self.step));
        match self.style {
            Style::Nothing => line(&text),
            _ => self.say(&text),
        }
    }

    /// Leaves the screen as a log, without the bar.
    pub(crate) fn close(&self) {
        self.bar.finish_and_clear();
    }

    fn shorten(&self, steps: u64) {
        self.bar.set_length(self.bar.length().unwrap_or(0).saturating_sub(steps));
    }

    fn show(&mut self) {
        let separator = if self.evaluation.is_empty() { "" } else { "  ·  " };
        let state = format!("{}{separator}{}", self.losses, self.evaluation);
        match self.style {
            Style::Lines if self.last_line.elapsed() >= LINE_INTERVAL => {
                self.last_line = Instant::now();
                let left = HumanDuration(self.bar.eta());
                let Self { part, step, steps, .. } = &self;
                line(&format!("  {part} step {step}/{steps}  {state}  ({left} left)"));
            }
            Style::Bar => self.bar.set_message(state),
            _ => {}
        }
    }

    fn say(&self, text: &str) {
        match self.style {
            Style::Bar => self.bar.suspend(|| line(text)),
            Style::Lines => line(text),
            Style::Nothing => {}
        }
    }
}

/// Accuracy and validators, and what the method tells of itself.
fn evaluated(evaluation: &Evaluation) -> String {
    let mut text = format!("source {:.1} %", 100.0 * evaluation.source_validation_accuracy);
    for (name, score) in evaluation.validators.iter() {
        let _ = write!(text, "  {name} {score:.3}");
    }
    for (i, (name, value)) in evaluation.readings.iter().enumerate() {
        let separator = if i == 0 { "  ·" } else { "" };
        let _ = write!(text, "{separator}  {name} {value:.3}");
    }
    text
}

/// Writes a line to standard error.
pub(crate) fn line(text: &str) {
    // Nobody is listening to a closed standard error.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Named;

    #[test]
    fn readings_are_shown_by_their_names() {
        let named = |values: &[(&str, f64)]| {
            Named(values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
        };
        let mut evaluation = Evaluation {
            step: 100,
            source_validation_accuracy: 0.97,
            validators: named(&[("im", 1.7)]),
            readings: Named::default(),
            oracle: None,
        };
        assert_eq!(evaluated(&evaluation), "source 97.0 %  im 1.700");
        evaluation.readings = named(&[("critic-accuracy", 0.75), ("anything", 2.0)]);
        let wanted = "source 97.0 %  im 1.700  ·  critic-accuracy 0.750  anything 2.000";
        assert_eq!(evaluated(&evaluation), wanted);
    }
}
