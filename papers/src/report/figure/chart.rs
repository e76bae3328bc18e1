//! Axes, curves and markers, the same in every chart.

use std::ops::Range;

use plotters::{
    coord::types::RangedCoordf64,
    prelude::{
        Cartesian2d, ChartBuilder, ChartContext, Circle, EmptyElement, LineSeries, Polygon,
        SVGBackend,
    },
    style::{Color, RGBColor},
};

use super::{
    Area,
    palette::{CARD, GRID, MUTED, Mark},
    px,
    series::Point,
    text,
};

/// A chart over training steps.
pub(super) struct Chart<'a, 'b>(
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
);

impl<'a, 'b> Chart<'a, 'b> {
    /// Draws axes and grid.
    pub(super) fn new(
        area: &'a Area<'b>,
        steps: f64,
        y: Range<f64>,
        y_label: &dyn Fn(&f64) -> String,
    ) -> anyhow::Result<Self> {
        let mut chart = ChartBuilder::on(area)
            .margin_top(px(8))
            .margin_right(px(22))
            .x_label_area_size(px(44))
            .y_label_area_size(px(48))
            .build_cartesian_2d(0.0..steps.max(1.0), y)?;
        let line = GRID.stroke_width(px(1) as u32);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(5)
            .y_labels(5)
            .y_max_light_lines(0)
            .bold_line_style(line)
            .axis_style(line)
            .set_all_tick_mark_size(px(6))
            .label_style(text(12.0, MUTED))
            .x_label_formatter(&|step| thousands(*step))
            .y_label_formatter(&y_label)
            .x_desc("training step")
            .draw()?;
        Ok(Self(chart))
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
        mark: Mark,
        r: f64,
        colour: RGBColor,
    ) -> anyhow::Result<()> {
        for (r, colour) in [(px(r + 2.0), CARD), (px(r), colour)] {
            let style = colour.filled();
            match mark.corners(r) {
                None => self.0.draw_series([Circle::new(at, r * 4 / 5, style)])?,
                Some(corners) => {
                    self.0.draw_series([EmptyElement::at(at) + Polygon::new(corners, style)])?
                }
            };
        }
        Ok(())
    }
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
