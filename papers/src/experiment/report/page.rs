//! `report.html`.

use askama::Template;

use super::{
    super::{
        Description,
        record::ExperimentRecord,
        summary::{Summary, Verdict},
    },
    figures,
    rows::{self, Row},
};
use crate::report::figure::{Figure, class_variable};

#[derive(Template)]
#[template(path = "experiment.html")]
struct Page<'a> {
    record: &'a ExperimentRecord,
    description: &'a Description,
    headline: String,
    citation: String,
    command: String,
    seeds: String,
    duration: String,
    started: String,
    heading: String,
    tolerance: String,
    trouble: Vec<String>,
    solver_notes: Vec<String>,
    sources: Vec<&'a str>,
    other_sources: Vec<&'a str>,
    meanings: Vec<&'static str>,
    rows: Vec<Row<'a>>,
    with_extras: bool,
    methods: Vec<(&'a str, &'static str)>,
    sketches: Vec<Figure>,
    curves: Vec<Figure>,
    comparisons: Vec<Figure>,
}

impl Row<'_> {
    /// The class of the style sheet.
    fn class(&self) -> &'static str {
        match self.cell.verdict {
            Verdict::Within | Verdict::Agrees => "up",
            Verdict::Better | Verdict::Worse | Verdict::NotComputed => "down",
            Verdict::Recovered(_)
            | Verdict::Deviates(_)
            | Verdict::Corrects(_)
            | Verdict::NotPublished => "",
        }
    }

    /// The number of every seed, where there are several and few.
    fn values(&self) -> Option<String> {
        let values = &self.cell.values;
        let some = (2..=10).contains(&values.len());
        some.then(|| values.iter().map(|(_, x)| format!("{x:.4}")).collect::<Vec<_>>().join(", "))
    }
}

/// The page as HTML. Figures that cannot be drawn become notes of the summary.
///
/// # Errors
/// The template cannot be rendered.
pub(super) fn render(summary: &mut Summary) -> anyhow::Result<String> {
    let mut undrawn = Vec::new();
    let mut kept = |what: &str, figures: anyhow::Result<Vec<Figure>>| {
        figures.unwrap_or_else(|e| {
            undrawn.push(format!("{what} could not be drawn: {e:#}"));
            Vec::new()
        })
    };
    let curves = kept("the curves", figures::curves(summary));
    let sketches = kept("the first trial", figures::sketches(summary));
    let comparisons = kept("the comparisons", figures::comparisons(summary));
    summary.notes.extend(undrawn);
    let summary = &*summary;
    let record = &summary.record;
    let description = &record.description;
    let rows = rows::rows(summary);
    let computed = |id: &str| rows.iter().any(|row| row.cell.method == id);
    let methods = description.methods.iter().enumerate();
    Ok(Page {
        record,
        description,
        headline: summary.headline(),
        citation: rows::citation(description),
        command: rows::command(summary),
        seeds: rows::seeds(summary),
        duration: rows::duration(summary.seconds),
        started: record.started.replace('T', " ").replace('Z', " UTC"),
        heading: description.measure.heading(),
        tolerance: description.measure.number(description.tolerance.within),
        trouble: rows::trouble(summary),
        solver_notes: rows::solver_notes(summary),
        sources: rows::sources(summary),
        other_sources: rows::other_sources(summary),
        meanings: rows::meanings(summary),
        with_extras: rows.iter().any(|row| !row.extras.is_empty()),
        methods: methods
            .filter(|(_, method)| computed(&method.id))
            .map(|(i, method)| (method.title.as_str(), class_variable(i)))
            .collect(),
        rows,
        sketches,
        curves,
        comparisons,
    }
    .render()?)
}
