//! What one trial looks like: points and lines of the data and of methods.

use plotters::{
    prelude::{LineSeries, Text},
    style::{Color, RGBColor},
};

use super::{
    Figure,
    chart::{mark, numbers},
    figure,
    palette::{INK, MUTED, Mark, class_colour},
    px,
    series::{extent, padded},
    text,
};

/// One of a figure's series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sketched<'a> {
    /// What it is.
    pub(crate) name: &'a str,
    /// The method's place in the legend of methods; none for the data's, which the figure names.
    pub(crate) method: Option<usize>,
    /// One line through all points, in ascending order of x, instead of a mark a point.
    pub(crate) line: bool,
    /// (x, y).
    pub(crate) points: &'a [[f64; 2]],
}

/// The height of the names of the data, in CSS pixels.
const NAMES: f64 = 20.0;

/// Draws data first, in grey, and methods over them.
pub(crate) fn sketch(
    title: &str,
    labels: [&str; 2],
    series: &[Sketched<'_>],
) -> anyhow::Result<Figure> {
    let names: Vec<&str> = series.iter().map(|s| s.name).collect();
    let [x_label, y_label] = labels;
    let alt = format!("{title}: {y_label} by {x_label} of {}.", names.join(", "));
    let drawn = looks(series);
    figure(title, &alt, (440, 320), |area| {
        let (top, below) = area.split_vertically(px(NAMES));
        let mut left = 58.0;
        for (s, look) in drawn.iter().filter(|(s, _)| s.method.is_none()) {
            let symbol = if s.line { '—' } else { look.mark.symbol() };
            let label = format!("{symbol} {}", s.name);
            let width = 7.0 * label.chars().count() as f64 + 14.0;
            top.draw(&Text::new(label, (px(left), px(5)), text(12.0, look.colour)))?;
            left += width;
        }

        let coordinate =
            |i: usize| series.iter().flat_map(move |s| s.points.iter().map(move |p| p[i]));
        let range = |i| padded(extent(coordinate(i)).unwrap_or(0.0..1.0));
        let mut chart = numbers(&below, [0, 1].map(range), labels)?;
        for (s, look) in &drawn {
            let points = || s.points.iter().map(|&[x, y]| (x, y));
            if s.line {
                let style = look.colour.stroke_width(px(1.75) as u32);
                chart.draw_series(LineSeries::new(points(), style))?;
            } else {
                points().try_for_each(|at| mark(&mut chart, at, look.mark, 2.5, look.colour))?;
            }
        }
        Ok(())
    })
}

struct Look {
    colour: RGBColor,
    mark: Mark,
}

/// Each series with its look, those of the data first.
fn looks<'a>(series: &'a [Sketched<'a>]) -> Vec<(&'a Sketched<'a>, Look)> {
    let (methods, data): (Vec<_>, Vec<_>) = series.iter().partition(|s| s.method.is_some());
    let neutral = [INK, MUTED];
    let [mut lines, mut clouds] = [0, 0];
    let data = data.into_iter().map(|s: &Sketched<'_>| {
        let nth = if s.line { &mut lines } else { &mut clouds };
        *nth += 1;
        (s, Look { colour: neutral[(*nth - 1) % 2], mark: Mark::nth(*nth + 2) })
    });
    let methods = methods.into_iter().map(|s| {
        let nth = s.method.unwrap_or_default();
        (s, Look { colour: class_colour(nth), mark: Mark::nth(nth) })
    });
    data.collect::<Vec<_>>().into_iter().chain(methods).collect()
}
