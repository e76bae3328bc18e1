//! The figures of an experiment.

use super::super::{
    Axes, Curves, Origin, Series, SeriesMark,
    summary::{CellSummary, Summary},
};
use crate::report::figure::{self, Comparison, Curve, Figure, Sketched};

/// One a task: ours beside the published numbers.
pub(super) fn comparisons(summary: &Summary) -> anyhow::Result<Vec<Figure>> {
    let description = &summary.record.description;
    let draw = |task: &str| {
        let rows: Vec<Comparison<'_>> = summary
            .cells
            .iter()
            .filter(|cell| cell.task == task)
            .filter_map(|cell| comparison(summary, cell))
            .collect();
        let heading = description.measure.heading();
        let title = summary.task_title(task);
        (!rows.is_empty()).then(|| figure::comparison(title, &heading, &rows))
    };
    summary.tasks().into_iter().filter_map(draw).collect()
}

fn comparison<'a>(summary: &'a Summary, cell: &'a CellSummary) -> Option<Comparison<'a>> {
    let ours = cell.ours?;
    let description = &summary.record.description;
    Some(Comparison {
        name: description.method_title(&cell.method),
        nth: description.methods.iter().position(|method| method.id == cell.method)?,
        mean: ours.mean,
        std: ours.std,
        paper: cell.published.as_ref().map(|published| (published.value, cell.tolerance)),
    })
}

/// What the first trial of each cell looks like, one a title, in the order of the cells.
pub(super) fn sketches(summary: &Summary) -> anyhow::Result<Vec<Figure>> {
    let description = &summary.record.description;
    let all: Vec<(&Series, Option<usize>)> = summary
        .cells
        .iter()
        .flat_map(|cell| {
            let nth = description.methods.iter().position(|method| method.id == cell.method);
            cell.series.iter().map(move |series| (series, nth))
        })
        .collect();
    let mut figures: Vec<&Axes> = Vec::new();
    for (series, _) in &all {
        if !figures.contains(&&series.figure) {
            figures.push(&series.figure);
        }
    }
    let draw = |axes: &&Axes| {
        let drawn: Vec<Sketched<'_>> = all
            .iter()
            .filter(|(series, _)| series.figure == **axes)
            .map(|(series, nth)| Sketched {
                name: &series.name,
                method: nth.filter(|_| series.of == Origin::Method),
                line: series.mark == SeriesMark::Line,
                points: &series.points,
            })
            .collect();
        figure::sketch(&axes.title, [&axes.x, &axes.y], &drawn)
    };
    figures.iter().map(draw).collect()
}

/// The figures over tasks that differ in one number.
pub(super) fn curves(summary: &Summary) -> anyhow::Result<Vec<Figure>> {
    let description = &summary.record.description;
    let draw = |curves: &Curves| {
        let line = |(nth, method): (usize, &super::super::MethodUse)| {
            let point = |(task, x): &(String, f64)| {
                let ours = summary.cell(task, &method.id)?.ours?;
                Some((*x, ours.mean, ours.std.unwrap_or(0.0) / (ours.n as f64).sqrt()))
            };
            let points: Vec<_> = curves.points.iter().filter_map(point).collect();
            (points.len() > 1).then(|| Curve { name: method.title.clone(), nth, points })
        };
        let lines: Vec<Curve> = description.methods.iter().enumerate().filter_map(line).collect();
        let heading = description.measure.heading();
        (!lines.is_empty()).then(|| figure::curves(&curves.title, &curves.x, &heading, &lines))
    };
    description.curves.iter().filter_map(draw).collect()
}
