//! Numbers beside published ones.

use plotters::{
    prelude::{Circle, EmptyElement, PathElement, Polygon, Rectangle},
    style::Color,
};

use super::{
    Figure,
    chart::{self, short},
    figure,
    palette::{MUTED, Mark, class_colour},
    px,
    series::{extent, padded},
    shortened,
};

/// One row of the figure.
pub(crate) struct Comparison<'a> {
    /// The method.
    pub(crate) name: &'a str,
    /// Which colour it has.
    pub(crate) nth: usize,
    /// Our mean.
    pub(crate) mean: f64,
    /// Its standard deviation over seeds.
    pub(crate) std: Option<f64>,
    /// The published number and its tolerance.
    pub(crate) paper: Option<(f64, f64)>,
}

/// A row a method: a circle for our mean with a line of one standard deviation to each side, and a
/// diamond for the published number in a band of its tolerance.
pub(crate) fn comparison(
    title: &str,
    x_label: &str,
    rows: &[Comparison<'_>],
) -> anyhow::Result<Figure> {
    let describe = |row: &Comparison<'_>| match row.paper {
        Some((paper, _)) => format!("{} {:.4}, published {paper}", row.name, row.mean),
        None => format!("{} {:.4}", row.name, row.mean),
    };
    let alt: Vec<String> = rows.iter().map(describe).collect();
    let alt = format!("{title}, {x_label}: {}.", alt.join("; "));
    let height = 50 + 26 * rows.len() as u32;
    figure(title, &alt, (440, height), |area| {
        let values = rows.iter().flat_map(|row| {
            let std = row.std.unwrap_or(0.0);
            let paper = row.paper.map(|(x, within)| [x - within, x + within]);
            [row.mean - std, row.mean + std].into_iter().chain(paper.into_iter().flatten())
        });
        let x = padded(extent(values).unwrap_or(0.0..1.0));
        let length = x.end - x.start;
        let names: Vec<String> = rows.iter().map(|row| shortened(row.name, 24)).collect();
        let mut chart = chart::rows(area, &names, x, x_label, &|x| short(*x, length), 18)?;
        for (i, row) in rows.iter().enumerate() {
            let (y, colour) = (i as f64 + 0.5, class_colour(row.nth));
            if let Some((paper, within)) = row.paper {
                let band = [(paper - within, y - 0.32), (paper + within, y + 0.32)];
                chart.draw_series([Rectangle::new(band, MUTED.mix(0.16).filled())])?;
                let corners = Mark::Diamond.corners(px(5)).unwrap_or_default();
                chart.draw_series([
                    EmptyElement::at((paper, y)) + Polygon::new(corners, MUTED.filled())
                ])?;
            }
            if let Some(std) = row.std {
                let ends = [(row.mean - std, y), (row.mean + std, y)];
                chart.draw_series([PathElement::new(ends, colour.stroke_width(px(2) as u32))])?;
            }
            chart.draw_series([Circle::new((row.mean, y), px(3.5), colour.filled())])?;
        }
        Ok(())
    })
}
