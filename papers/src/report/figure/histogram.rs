//! Where values lie: bars of counts, outlines of densities, bars of named numbers.

use std::ops::Range;

use plotters::{
    prelude::{Circle, LineSeries, PathElement, Rectangle},
    style::Color,
};

use super::{
    Figure,
    chart::{self, Axis, plane, short, thousands},
    figure,
    palette::{MUTED, class_colour},
    px,
    series::{extent, padded},
    shortened,
};

/// The bins of a histogram.
const BINS: usize = 30;

/// How many of `values` lie in each of [`BINS`] bins of equal width.
pub(crate) fn histogram(
    title: &str,
    x_label: &str,
    y_label: &str,
    values: &[f64],
) -> anyhow::Result<Figure> {
    let x = range(values.iter().copied());
    let counts = counted(values, &x);
    let most = counts.iter().copied().fold(0.0, f64::max);
    let [low, high] = [x.start, x.end].map(|v| short(v, x.end - x.start));
    let alt = format!("{title}: {} values from {low} to {high}.", values.len());
    figure(title, &alt, (440, 260), |area| {
        let (width, height) = (x.end - x.start, most.max(1.0));
        let x_axis = Axis {
            range: x.clone(),
            labels: 6,
            label: &|x| short(*x, width),
            description: x_label,
            room: 44.0,
        };
        let y_axis = Axis {
            range: 0.0..1.05 * height,
            labels: 5,
            label: &|y| thousands(*y),
            description: y_label,
            room: 56.0,
        };
        let mut chart = plane(area, x_axis, y_axis)?;
        let step = width / BINS as f64;
        chart.draw_series(counts.iter().enumerate().filter(|(_, n)| **n > 0.0).map(
            |(i, &n)| {
                let left = x.start + i as f64 * step;
                Rectangle::new(
                    [(left + 0.06 * step, 0.0), (left + 0.94 * step, n)],
                    class_colour(0).filled(),
                )
            },
        ))?;
        Ok(())
    })
}

/// The shares of the values of each group in bins of the range of all: source in the first
/// colour, target in the second.
pub(crate) fn densities(title: &str, groups: &[(&str, Vec<f64>)]) -> anyhow::Result<Figure> {
    let x = range(groups.iter().flat_map(|(_, values)| values.iter().copied()));
    let shares: Vec<Vec<f64>> = groups
        .iter()
        .map(|(_, values)| {
            let n = values.len().max(1) as f64;
            counted(values, &x).into_iter().map(|count| 100.0 * count / n).collect()
        })
        .collect();
    let names: Vec<&str> = groups.iter().map(|(name, _)| *name).collect();
    let alt = format!("{title}: how the values of {} are distributed.", names.join(" and "));
    let most = shares.iter().flatten().copied().fold(0.0, f64::max);
    figure(title, &alt, (340, 220), |area| {
        let (width, height) = (x.end - x.start, most.max(1.0));
        let x_axis = Axis {
            range: x.clone(),
            labels: 5,
            label: &|x| short(*x, width),
            description: "",
            room: 28.0,
        };
        let y_axis = Axis {
            range: 0.0..1.05 * height,
            labels: 4,
            label: &|y| short(*y, height),
            description: "% of rows",
            room: 56.0,
        };
        let mut chart = plane(area, x_axis, y_axis)?;
        let step = width / BINS as f64;
        for (nth, shares) in shares.iter().enumerate() {
            let colour = class_colour(nth);
            let outline: Vec<(f64, f64)> = shares
                .iter()
                .enumerate()
                .flat_map(|(i, &share)| {
                    let left = x.start + i as f64 * step;
                    [(left, share), (left + step, share)]
                })
                .collect();
            let bars = shares.iter().enumerate().map(|(i, &share)| {
                let left = x.start + i as f64 * step;
                Rectangle::new([(left, 0.0), (left + step, share)], colour.mix(0.16).filled())
            });
            chart.draw_series(bars)?;
            let style = colour.stroke_width(px(1.75) as u32);
            chart.draw_series(LineSeries::new(outline, style))?;
        }
        Ok(())
    })
}

/// A row of a figure of numbers from 0 on.
pub(crate) struct Bar<'a> {
    pub(crate) name: &'a str,
    /// The number, in the first colour.
    pub(crate) value: f64,
    /// A number to compare it with, in the second colour: drawn as a change from the first.
    pub(crate) then: Option<f64>,
}

/// A bar for each number; where there is a second one, a line from a ring to a filled circle.
pub(crate) fn bars(title: &str, x_label: &str, rows: &[Bar<'_>]) -> anyhow::Result<Figure> {
    let describe = |row: &Bar<'_>| match row.then {
        Some(then) => format!("{} {:.3}, then {then:.3}", row.name, row.value),
        None => format!("{} {:.3}", row.name, row.value),
    };
    let alt: Vec<String> = rows.iter().map(describe).collect();
    let alt = format!("{title}, {x_label}: {}.", alt.join("; "));
    let height = 50 + 24 * rows.len() as u32;
    figure(title, &alt, (440, height), |area| {
        let most = rows.iter().flat_map(|row| [row.value, row.then.unwrap_or(0.0)]);
        let most = most.fold(0.0, f64::max);
        let length = if most > 0.0 { 1.05 * most } else { 1.0 };
        let names: Vec<String> = rows.iter().map(|row| shortened(row.name, 24)).collect();
        let label = |x: &f64| short(*x, length);
        let mut chart = chart::rows(area, &names, 0.0..length, x_label, &label, 18)?;
        for (i, row) in rows.iter().enumerate() {
            let y = i as f64 + 0.5;
            let (first, second) = (class_colour(0), class_colour(1));
            match row.then {
                None => {
                    let bar = [(0.0, y - 0.3), (row.value, y + 0.3)];
                    chart.draw_series([Rectangle::new(bar, first.filled())])?;
                }
                Some(then) => {
                    let style = MUTED.stroke_width(px(1.25) as u32);
                    chart.draw_series([PathElement::new([(row.value, y), (then, y)], style)])?;
                    let ring = first.stroke_width(px(1.75) as u32);
                    chart.draw_series([Circle::new((row.value, y), px(3.5), ring)])?;
                    chart.draw_series([Circle::new((then, y), px(3.5), second.filled())])?;
                }
            }
        }
        Ok(())
    })
}

/// The range of the finite values, never empty.
fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    match extent(values.filter(|v| v.is_finite())) {
        Some(range) if range.end - range.start > f64::MIN_POSITIVE => range,
        Some(range) => padded(range),
        None => 0.0..1.0,
    }
}

/// The counts in bins of equal width; the last one has both its ends.
fn counted(values: &[f64], range: &Range<f64>) -> Vec<f64> {
    let mut counts = vec![0.0; BINS];
    let scale = BINS as f64 / (range.end - range.start);
    for value in values.iter().filter(|value| value.is_finite()) {
        let bin = ((value - range.start) * scale) as usize;
        counts[bin.min(BINS - 1)] += 1.0;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let values = [0.0, 0.5, 1.0, 1.0, f64::NAN];
        let counts = counted(&values, &range(values.iter().copied()));
        assert_eq!((counts[0], counts[15], counts[29]), (1.0, 1.0, 2.0));
        assert_eq!(counts.iter().sum::<f64>(), 4.0);
        assert_eq!(range([2.0, 2.0].into_iter()), 1.9..2.1);
    }

    #[test]
    fn figures_follow_light_and_dark() {
        let all = [
            histogram("Weights", "weight", "rows", &[1.0, 1.0, 2.5]).unwrap(),
            densities("a", &[("source", vec![1.0, 2.0]), ("target", vec![])]).unwrap(),
            bars("b", "gap", &[Bar { name: "<a>", value: 1.0, then: Some(0.5) }]).unwrap(),
        ];
        for figure in all {
            assert!(figure.svg.contains("var(--") && figure.svg.contains("aria-label"));
            assert!(!figure.svg.contains("<a>"));
        }
    }
}
