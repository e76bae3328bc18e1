//! Accuracies along training, with the evaluations that the validators chose.

use std::ops::Range;

use super::{
    Figure,
    chart::Chart,
    figure,
    palette::{MUTED, Mark, method_colour},
    series::{Point, extent, over_seeds, padded},
};
use crate::{
    record::Evaluation,
    report::load::{Method, Part, Run},
};

/// A panel a method that was evaluated, all on the same scale.
pub(crate) fn accuracy(run: &Run) -> anyhow::Result<Vec<Figure>> {
    let panels: Vec<_> =
        run.methods.iter().map(Panel::of).filter(|p| !p.source.is_empty()).collect();
    let points = || panels.iter().flat_map(|p| p.source.iter().chain(&p.target));
    let y = extent(points().flat_map(Point::band)).unwrap_or(0.0..1.0);
    let y = padded(y.start.max(0.0)..y.end.min(1.0));
    let steps = points().map(|p| p.step).fold(0.0, f64::max);
    panels.iter().map(|panel| panel.draw(run, steps, y.clone())).collect()
}

struct Panel<'a> {
    method: &'a Method,
    source: Vec<Point>,
    target: Vec<Point>,
}

impl<'a> Panel<'a> {
    fn of(method: &'a Method) -> Self {
        let along = |value: fn(&Evaluation) -> Option<f64>| {
            let evaluations = method.parts.iter().flat_map(|part| &part.evaluations);
            over_seeds(evaluations.filter_map(|e| Some((e.step, value(e)?))))
        };
        Self {
            method,
            source: along(|e| Some(e.source_validation_accuracy)),
            target: along(|e| Some(e.oracle?.target_accuracy)),
        }
    }

    fn draw(&self, run: &Run, steps: f64, y: Range<f64>) -> anyhow::Result<Figure> {
        let name = &self.method.name;
        let end = |points: &[Point]| points.last().map(|p| format!("{:.1} %", 100.0 * p.mean));
        let mut alt = format!(
            "Accuracy of {name} over training steps; at the end {} on source validation",
            end(&self.source).unwrap_or_default()
        );
        if let Some(target) = end(&self.target) {
            alt += &format!(", {target} on the target");
        }
        figure(name, &(alt + "."), (320, 210), |area| {
            let mut chart = Chart::new(area, steps, y, &|y| format!("{:.0} %", 100.0 * y))?;
            let colour = method_colour(run, name);
            chart.curve(&self.source, MUTED)?;
            chart.curve(&self.target, colour)?;
            // The first validator's are larger, so that they show under those of the next.
            for (i, validator) in run.record.validators.iter().enumerate() {
                for part in &self.method.parts {
                    if let Some(at) = choice(part, validator) {
                        chart.mark(at, Mark::nth(i), if i == 0 { 7.0 } else { 4.5 }, colour)?;
                    }
                }
            }
            Ok(())
        })
    }
}

/// Where this validator would have stopped: the step, and the target accuracy there or, without
/// target labels, that on source validation.
fn choice(part: &Part, validator: &str) -> Option<(f64, f64)> {
    let chosen = part.done()?.chosen.get(validator)?;
    let source = || {
        let evaluation = part.evaluations.iter().find(|e| e.step == chosen.step)?;
        Some(evaluation.source_validation_accuracy)
    };
    Some((chosen.step as f64, chosen.target_accuracy.or_else(source)?))
}
