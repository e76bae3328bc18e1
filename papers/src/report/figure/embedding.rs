//! Features of both domains in two dimensions.

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use plotters::{
    prelude::{Circle, EmptyElement, Polygon, Text},
    style::{
        Color,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    Figure, figure,
    palette::{CLASSES, INK, Mark, class_colour},
    px, shortened, text,
};
use crate::{
    record::{DomainOutputs, ModelOutputs},
    report::tsne::{LEAST_POINTS, tsne},
};

/// The most points a domain.
pub(crate) const MOST_POINTS: usize = 600;

/// Points of both domains with their classes.
pub(crate) struct Embedding {
    /// `(n, 2)`, scaled into the unit square.
    at: Array2<f32>,
    /// Source rows come first.
    sources: usize,
    /// By row: the true class or, where that is unknown, the predicted one.
    class: Vec<usize>,
}

impl Embedding {
    /// Embeds up to [`MOST_POINTS`] rows of each domain together. None when there are too few.
    pub(crate) fn of(outputs: &ModelOutputs) -> anyhow::Result<Option<Self>> {
        let (source, mut class) = rows(&outputs.source);
        let (target, target_class) = rows(&outputs.target);
        let sources = class.len();
        class.extend(target_class);
        if class.len() < LEAST_POINTS || source.ncols() != target.ncols() {
            return Ok(None);
        }
        let at = tsne(concatenate(Axis(0), &[source.view(), target.view()])?.view())?;
        Ok(Some(Self { at: into_unit_square(at.view()), sources, class }))
    }
}

/// Evenly spaced rows with finite features, and their classes.
fn rows(domain: &DomainOutputs) -> (Array2<f32>, Vec<usize>) {
    let m = domain.features.nrows();
    let kept = m.min(MOST_POINTS);
    let rows: Vec<usize> = (0..kept)
        .map(|i| i * m / kept)
        .filter(|&i| domain.features.row(i).iter().all(|x| x.is_finite()))
        .collect();
    // A row without a label has the colour of what it is predicted as.
    let class = |row: usize| {
        let label = domain.labels.as_ref().and_then(|labels| labels[row]);
        label.unwrap_or(domain.predictions[row])
    };
    let class = rows.iter().map(|&i| class(domain.feature_rows[i])).collect();
    (domain.features.select(Axis(0), &rows), class)
}

/// Keeps the aspect, so that distances can be compared.
fn into_unit_square(points: ArrayView2<'_, f32>) -> Array2<f32> {
    let bounds = |axis: usize| {
        let column = points.column(axis);
        let low = column.fold(f32::INFINITY, |a, &b| a.min(b));
        (low, column.fold(f32::NEG_INFINITY, |a, &b| a.max(b)))
    };
    let (x, y) = (bounds(0), bounds(1));
    let length = (x.1 - x.0).max(y.1 - y.0).max(f32::MIN_POSITIVE);
    let centre = [(x.0 + x.1) / 2.0, (y.0 + y.1) / 2.0];
    Array2::from_shape_fn(points.dim(), |(i, j)| (points[[i, j]] - centre[j]) / length + 0.5)
}

/// The embedding of a method's features: colour by class, shape by domain. With more classes than
/// colours, by domain alone.
pub(crate) fn embedding(
    title: &str,
    embedding: &Embedding,
    classes: &[String],
) -> anyhow::Result<Figure> {
    let size = 400;
    let n = embedding.class.len();
    let alt = format!(
        "t-SNE of {} source and {} target features of {title}.",
        embedding.sources,
        n - embedding.sources
    );
    let by_class = classes.len() <= CLASSES.len();
    figure(title, &alt, (size, size), |area| {
        let (margin, inside) = (f64::from(px(10)), f64::from(px(size - 20)));
        let at = |i: usize| {
            let place = |x: f32| (margin + inside * f64::from(x)).round() as i32;
            (place(embedding.at[[i, 0]]), place(embedding.at[[i, 1]]))
        };
        for i in 0..n {
            let source = i < embedding.sources;
            let colour = match (by_class, source) {
                (true, _) => class_colour(embedding.class[i]),
                (false, true) => CLASSES[0],
                (false, false) => CLASSES[1],
            };
            if source {
                area.draw(&Circle::new(at(i), px(2.4), colour.mix(0.55).filled()))?;
            } else {
                let corners = Mark::Triangle.corners(px(3.4)).unwrap_or_default();
                let style = colour.mix(0.85).filled();
                area.draw(&(EmptyElement::at(at(i)) + Polygon::new(corners, style)))?;
            }
        }
        if by_class {
            for (class, name) in classes.iter().enumerate() {
                if let Some(i) = medoid(embedding, class) {
                    let name = shortened(name, 12);
                    let half = px(name.chars().count() as f64 * 4.2);
                    let (x, y) = at(i);
                    let x = x.clamp(half, px(size) - half);
                    let style = text(13.0, INK).pos(Pos::new(HPos::Center, VPos::Center));
                    area.draw(&Text::new(name, (x, y), style))?;
                }
            }
        }
        Ok(())
    })
}

/// The source row of this class that is nearest to all others of it.
fn medoid(embedding: &Embedding, class: usize) -> Option<usize> {
    let rows: Vec<usize> =
        (0..embedding.sources).filter(|&i| embedding.class[i] == class).collect();
    let total = |i: usize| -> f32 {
        let distance = |j: &usize| {
            let gap = &embedding.at.row(i) - &embedding.at.row(*j);
            gap.dot(&gap).sqrt()
        };
        rows.iter().map(distance).sum()
    };
    rows.iter().copied().min_by(|&a, &b| total(a).total_cmp(&total(b)))
}
