//! Numbers along a parameter of the data.

use plotters::{
    prelude::{Circle, LineSeries, PathElement},
    style::Color,
};

use super::{
    Figure,
    chart::numbers,
    figure,
    palette::class_colour,
    px,
    series::{extent, padded},
};

/// The line of one method.
pub(crate) struct Curve {
    /// The method.
    pub(crate) name: String,
    /// Which colour it has.
    pub(crate) nth: usize,
    /// (x, mean, standard error of the mean), in ascending order of x.
    pub(crate) points: Vec<(f64, f64, f64)>,
}

/// Means with one standard error to each side.
pub(crate) fn curves(
    title: &str,
    x_label: &str,
    y_label: &str,
    lines: &[Curve],
) -> anyhow::Result<Figure> {
    let describe = |curve: &Curve| {
        let points: Vec<String> =
            curve.points.iter().map(|(x, y, _)| format!("{y:.4} at {x}")).collect();
        format!("{}: {}", curve.name, points.join(", "))
    };
    let alt: Vec<String> = lines.iter().map(describe).collect();
    let alt = format!("{y_label} by {x_label}. {}.", alt.join("; "));
    figure(title, &alt, (440, 300), |area| {
        let points = || lines.iter().flat_map(|curve| &curve.points);
        let x = extent(points().map(|p| p.0)).unwrap_or(0.0..1.0);
        let y = points().flat_map(|p| [p.1 - p.2, p.1 + p.2]);
        let ranges = [padded(x), padded(extent(y).unwrap_or(0.0..1.0))];
        let mut chart = numbers(area, ranges, [x_label, y_label])?;
        for curve in lines {
            let colour = class_colour(curve.nth);
            let style = colour.stroke_width(px(1.75) as u32);
            chart.draw_series(LineSeries::new(curve.points.iter().map(|p| (p.0, p.1)), style))?;
            for &(x, y, error) in &curve.points {
                chart.draw_series([PathElement::new([(x, y - error), (x, y + error)], style)])?;
                chart.draw_series([Circle::new((x, y), px(2.5), colour.filled())])?;
            }
        }
        Ok(())
    })
}
