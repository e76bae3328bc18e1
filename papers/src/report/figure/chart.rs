//! Axes, curves and markers, the same in every chart.

use std::ops::Range;

use plotters::{
    coord::types::RangedCoordf64,
    prelude::{
        Cartesian2d, ChartBuilder, ChartContext, Circle, EmptyElement, LineSeries, Polygon,
        SVGBackend, Text,
    },
    style::{
        Color, RGBColor,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    Area,
    palette::{CARD, GRID, INK, MUTED, Mark},
    px,
    series::Point,
    text,
};

/// Two axes of numbers.
pub(super) type Plane<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// An axis of a [`plane`].
pub(super) struct Axis<'f> {
    /// What it shows.
    pub(super) range: Range<f64>,
    /// About how many numbers stand along it.
    pub(super) labels: usize,
    /// How they are written.
    pub(super) label: &'f dyn Fn(&f64) -> String,
    /// What they are; nothing where the figure's title says it.
    pub(super) description: &'f str,
    /// The room for all that, in CSS pixels.
    pub(super) room: f64,
}

/// Draws axes with horizontal grid lines.
pub(super) fn plane<'a, 'b>(
    area: &'a Area<'b>,
    x: Axis<'_>,
    y: Axis<'_>,
) -> anyhow::Result<Plane<'a, 'b>> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(px(8))
        .margin_right(px(22))
        .x_label_area_size(px(x.room))
        .y_label_area_size(px(y.room))
        .build_cartesian_2d(x.range, y.range)?;
    let line = GRID.stroke_width(px(1) as u32);
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .x_labels(x.labels)
        .y_labels(y.labels)
        .y_max_light_lines(0)
        .bold_line_style(line)
        .axis_style(line)
        .set_all_tick_mark_size(px(6))
        .label_style(text(12.0, MUTED))
        .x_label_formatter(&x.label)
        .y_label_formatter(&y.label);
    if !x.description.is_empty() {
        mesh.x_desc(x.description);
    }
    if !y.description.is_empty() {
        mesh.y_desc(y.description);
    }
    mesh.draw()?;
    Ok(chart)
}

/// Axes of plain numbers with a description each.
pub(super) fn numbers<'a, 'b>(
    area: &'a Area<'b>,
    [x, y]: [Range<f64>; 2],
    [x_label, y_label]: [&str; 2],
) -> anyhow::Result<Plane<'a, 'b>> {
    let [width, height] = [&x, &y].map(|range| range.end - range.start);
    let x = Axis {
        range: x,
        labels: 6,
        label: &|x| short(*x, width),
        description: x_label,
        room: 44.0,
    };
    let y = Axis {
        range: y,
        labels: 5,
        label: &|y| short(*y, height),
        description: y_label,
        room: 64.0,
    };
    plane(area, x, y)
}

/// Draws one row for each name, the first on top: row i is at height i + ½. Numbers run from left to
/// right, `margin` CSS pixels from the edge.
pub(super) fn rows<'a, 'b>(
    area: &'a Area<'b>,
    names: &[String],
    x: Range<f64>,
    x_label: &str,
    label: &dyn Fn(&f64) -> String,
    margin: u32,
) -> anyhow::Result<Plane<'a, 'b>> {
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let start = x.start;
    let mut chart = ChartBuilder::on(area)
        .margin_top(px(2))
        .margin_right(px(margin))
        .x_label_area_size(px(46))
        .y_label_area_size(px(16.0 + 6.8 * longest as f64))
        .build_cartesian_2d(x, names.len() as f64..0.0)?;
    let line = GRID.stroke_width(px(1) as u32);
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .y_labels(0)
        .x_labels(6)
        .x_max_light_lines(0)
        .bold_line_style(line)
        .axis_style(line)
        .set_all_tick_mark_size(px(6))
        .label_style(text(12.0, MUTED))
        .x_label_formatter(&label)
        .x_desc(x_label)
        .draw()?;
    for (i, name) in names.iter().enumerate() {
        let style = text(12.0, INK).pos(Pos::new(HPos::Right, VPos::Center));
        chart.draw_series([EmptyElement::at((start, i as f64 + 0.5))
            + Text::new(name.clone(), (-px(10), 0), style)])?;
    }
    Ok(chart)
}

/// A chart over training steps.
pub(super) struct Chart<'a, 'b>(Plane<'a, 'b>);

impl<'a, 'b> Chart<'a, 'b> {
    /// Draws axes and grid.
    pub(super) fn new(
        area: &'a Area<'b>,
        steps: f64,
        y: Range<f64>,
        y_label: &dyn Fn(&f64) -> String,
    ) -> anyhow::Result<Self> {
        let x = Axis {
            range: 0.0..steps.max(1.0),
            labels: 5,
            label: &|step| thousands(*step),
            description: "training step",
            room: 44.0,
        };
        let y = Axis { range: y, labels: 5, label: y_label, description: "", room: 54.0 };
        Ok(Self(plane(area, x, y)?))
    }

    /// Draws a mean line in its band.
    pub(super) fn curve(&mut self, points: &[Point], colour: RGBColor) -> anyhow::Result<()> {
        if points.iter().any(|p| p.std > 0.0) {
            let upper = points.iter().map(|p| (p.step, p.band()[1]));
            let lower = points.iter().rev().map(|p| (p.step, p.band()[0]));
            let band: Vec<_> = upper.chain(lower).collect();
            self.0.draw_series([Polygon::new(band, colour.mix(0.16))])?;
        }
        let line = points.iter().map(|p| (p.step, p.mean));
        self.0.draw_series(LineSeries::new(line, colour.stroke_width(px(1.75) as u32)))?;
        Ok(())
    }

    /// Draws a marker of radius `r` CSS pixels that stands out from what is under it.
    pub(super) fn mark(
        &mut self,
        at: (f64, f64),
        shape: Mark,
        r: f64,
        colour: RGBColor,
    ) -> anyhow::Result<()> {
        mark(&mut self.0, at, shape, r + 2.0, CARD)?;
        mark(&mut self.0, at, shape, r, colour)
    }
}

/// Draws a marker of radius `r` CSS pixels.
pub(super) fn mark(
    plane: &mut Plane<'_, '_>,
    at: (f64, f64),
    mark: Mark,
    r: f64,
    colour: RGBColor,
) -> anyhow::Result<()> {
    let (r, style) = (px(r), colour.filled());
    match mark.corners(r) {
        None => plane.draw_series([Circle::new(at, r * 4 / 5, style)])?,
        Some(corners) => {
            plane.draw_series([EmptyElement::at(at) + Polygon::new(corners, style)])?
        }
    };
    Ok(())
}

/// A whole number with thin spaces between thousands: `12 000`.
pub(super) fn thousands(x: f64) -> String {
    let digits = format!("{x:.0}");
    let n = digits.len();
    let mut text = String::with_capacity(n + n / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (n - i).is_multiple_of(3) && n > 4 {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

/// A number as short as it can be told from its neighbours on an axis of this length.
pub(super) fn short(x: f64, length: f64) -> String {
    let decimals = (1.0 - (length / 2.0).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{x:.decimals$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_labels_are_short() {
        assert_eq!(thousands(1200.0), "1200");
        assert_eq!(thousands(1_234_567.0), "1\u{2009}234\u{2009}567");
        assert_eq!(short(0.5, 2.0), "0.5");
        assert_eq!(short(0.0025, 0.01), "0.0025");
        assert_eq!(short(-3.0, 100.0), "−3");
        assert_eq!(short(-0.0, 1.0), "0");
    }
}
