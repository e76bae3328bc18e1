//! The paired differences to source-only, with their intervals.

use plotters::{
    prelude::{Circle, EmptyElement, PathElement, Rectangle},
    style::Color,
};

use super::{
    Figure, chart, figure,
    palette::{MUTED, method_colour},
    px,
    series::{extent, padded},
    shortened,
};
use crate::{
    report::{load::Run, summary::Summary, table::points},
    stats::PairedDifference,
};

/// A row a method: the mean difference, its interval, and the seeds. None without a difference.
pub(crate) fn difference(run: &Run, summary: &Summary) -> Option<anyhow::Result<Figure>> {
    let rows: Vec<_> = summary
        .methods
        .iter()
        .filter_map(|method| Some((method.method.as_str(), method.difference.as_ref()?)))
        .collect();
    (!rows.is_empty()).then(|| draw(run, &rows))
}

fn draw(run: &Run, rows: &[(&str, &PairedDifference)]) -> anyhow::Result<Figure> {
    let alt: Vec<String> = rows
        .iter()
        .map(|(name, d)| match d.interval {
            Some([low, high]) => {
                format!("{name} {} [{}, {}]", points(d.mean), points(low), points(high))
            }
            None => format!("{name} {}", points(d.mean)),
        })
        .collect();
    let alt = format!("Difference to source-only in percentage points: {}.", alt.join("; "));
    let height = 50 + 30 * rows.len() as u32;
    figure("Difference to source-only", &alt, (440, height), |area| {
        let values = rows.iter().flat_map(|(_, d)| {
            let seeds = d.by_seed.iter().map(|d| d.1);
            seeds.chain(d.interval.into_iter().flatten()).chain([0.0])
        });
        let x = padded(extent(values).unwrap_or(-1.0..1.0));
        let n = rows.len() as f64;
        let names: Vec<String> = rows.iter().map(|(name, _)| shortened(name, 22)).collect();
        let points = "percentage points of target accuracy";
        let mut chart = chart::rows(area, &names, x, points, &|x| tick(*x), 16)?;
        let zero = PathElement::new([(0.0, 0.0), (0.0, n)], MUTED.stroke_width(px(1.25) as u32));
        chart.draw_series([zero])?;
        for (i, (name, d)) in rows.iter().enumerate() {
            let (y, colour) = (i as f64 + 0.5, method_colour(run, name));
            if let Some([low, high]) = d.interval {
                let bar =
                    PathElement::new([(low, y), (high, y)], colour.stroke_width(px(2) as u32));
                chart.draw_series([bar])?;
            }
            let seeds = d.by_seed.iter();
            chart.draw_series(seeds.map(|&(_, x)| {
                Circle::new((x, y), px(3.5), colour.stroke_width(px(1.25) as u32))
            }))?;
            chart.draw_series([EmptyElement::at((d.mean, y))
                + Rectangle::new([(-px(2), -px(8)), (px(2), px(8))], colour.filled())])?;
        }
        Ok(())
    })
}

/// Percentage points without a sign for 0.
fn tick(x: f64) -> String {
    let text = points(x);
    text.strip_suffix(".0").unwrap_or(if text == "0.0" { "0" } else { &text }).to_owned()
}
