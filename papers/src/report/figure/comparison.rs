//! Numbers beside published ones.

use plotters::{
    prelude::{ChartBuilder, Circle, EmptyElement, PathElement, Polygon, Rectangle, Text},
    style::{
        Color,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    Figure,
    chart::short,
    figure,
    palette::{GRID, INK, MUTED, Mark, class_colour},
    px,
    series::{extent, padded},
    shortened, text,
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
        let (n, length) = (rows.len() as f64, x.end - x.start);
        let names: Vec<String> = rows.iter().map(|row| shortened(row.name, 24)).collect();
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(area)
            .margin_top(px(2))
            .margin_right(px(18))
            .x_label_area_size(px(46))
            .y_label_area_size(px(16.0 + 6.8 * longest as f64))
            .build_cartesian_2d(x.clone(), n..0.0)?;
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
            .x_label_formatter(&|x| short(*x, length))
            .x_desc(x_label)
            .draw()?;
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
            let label = text(12.0, INK).pos(Pos::new(HPos::Right, VPos::Center));
            chart
                .draw_series([EmptyElement::at((x.start, y))
                    + Text::new(names[i].clone(), (-px(10), 0), label)])?;
        }
        Ok(())
    })
}
