//! `report.html`.

use askama::Template;
use dfdx::tensor::Cpu;
use rayon::prelude::*;
use transduct_adapt::registry;

use super::{
    figure::{self, Embedding, Figure, Mark, method_colour, variable},
    headline::Headline,
    load::{Method, Run},
    samples::{Gallery, samples},
    setup::{self, Fact},
    summary::{MethodSummary, SOURCE_ONLY, Summary},
    table::{self, Column, Content, Value},
};
use crate::record::{ModelOutputs, RunRecord};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    headline: &'a Headline,
    run: &'a RunRecord,
    config: Option<&'a str>,
    facts: Vec<Fact>,
    command: String,
    started: String,
    collapsed: Vec<String>,
    notes: Vec<String>,
    columns: Vec<Column>,
    rows: Vec<Row<'a>>,
    methods: Vec<MethodView<'a>>,
    validators: Vec<(char, &'a str)>,
    /// The seed of the embeddings and samples.
    seed: u64,
    /// The methods whose predictions the samples show.
    sampled: Vec<MethodView<'a>>,
    difference: Option<Figure>,
    losses: Vec<Figure>,
    readings: Vec<Figure>,
    accuracy: Vec<Figure>,
    confusion: Vec<Figure>,
    more_confusion: Vec<Figure>,
    embeddings: Vec<Figure>,
    by_class: bool,
    samples: Option<[Gallery; 2]>,
    /// The least width of a sample in rem, by the longest class name.
    sample_width: f64,
}

struct Row<'a> {
    method: &'a str,
    colour: &'static str,
    preferred: bool,
    cells: Vec<CellView>,
    /// How many seeds it finished, unless all.
    finished: Option<usize>,
}

struct CellView {
    value: Value,
    /// The classes of the style sheet.
    class: &'static str,
}

struct MethodView<'a> {
    name: &'a str,
    colour: &'static str,
    about: &'static str,
    paper: &'static str,
}

/// The page as HTML. Figures that cannot be drawn become notes of the summary.
///
/// # Errors
/// The template cannot be rendered.
pub(crate) fn render(
    run: &Run,
    summary: &mut Summary,
    headline: &Headline,
) -> anyhow::Result<String> {
    let mut trouble = Vec::new();
    let difference = figure::difference(run, summary)
        .and_then(|figure| kept("the difference figure", figure, &mut trouble));
    let losses = kept("the learning curves", figure::losses(run), &mut trouble);
    let readings = kept("the curves of the readings", figure::readings(run), &mut trouble);
    let accuracy = kept("the accuracy curves", figure::accuracy(run), &mut trouble);

    let compared = compared(run, summary);
    let (pair, others): (Vec<&Method>, Vec<&Method>) =
        run.methods.iter().partition(|method| compared.contains(&method.name.as_str()));
    let mut confusion = |methods: &[&Method]| -> Vec<Figure> {
        let draw = |method: &&Method| {
            kept("a confusion matrix", figure::confusion(run, method)?, &mut trouble)
        };
        methods.iter().filter_map(draw).collect()
    };
    let (confusion, more_confusion) = (confusion(&pair), confusion(&others));

    let (seed, models) = same_seed(&pair);
    let classes = &run.record.classes;
    let embed = |(method, outputs): &(&Method, &ModelOutputs)| {
        let embedding = Embedding::of(outputs)?;
        embedding.map(|e| figure::embedding(&method.name, &e, classes)).transpose()
    };
    let embeddings: Vec<_> = models.par_iter().map(embed).collect();
    let embeddings = embeddings
        .into_iter()
        .filter_map(|drawn| kept("an embedding", drawn, &mut trouble)?)
        .collect();
    let outputs: Vec<&ModelOutputs> = models.iter().map(|(_, outputs)| *outputs).collect();
    let samples = kept("the sample images", samples(run, &outputs), &mut trouble).flatten();

    let longest = classes.iter().map(|name| name.chars().count()).max().unwrap_or(0);

    summary.notes.extend(trouble);
    let columns = table::columns(summary);
    let rows = summary.methods.iter().map(|method| Row {
        method: &method.method,
        colour: variable(method_colour(run, &method.method)),
        preferred: summary.preferred.as_ref() == Some(&method.method),
        cells: columns.iter().map(|column| CellView::of(method, column)).collect(),
        finished: Some(method.finished()).filter(|n| *n < summary.seeds.len()),
    });
    Ok(Page {
        headline,
        run: &run.record,
        config: run.config.as_deref(),
        facts: run.config.as_deref().map(setup::facts).unwrap_or_default(),
        command: setup::shell(&run.record.command),
        started: run.record.started.replace('T', " ").replace('Z', " UTC"),
        collapsed: table::collapsed(summary),
        notes: [table::unfinished(summary), summary.notes.clone()].concat(),
        rows: rows.collect(),
        columns,
        methods: run.methods.iter().map(|method| MethodView::of(run, method)).collect(),
        validators: run
            .record
            .validators
            .iter()
            .enumerate()
            .map(|(i, validator)| (Mark::nth(i).symbol(), validator.as_str()))
            .collect(),
        seed,
        sampled: models.iter().map(|(method, _)| MethodView::of(run, method)).collect(),
        difference,
        losses: losses.unwrap_or_default(),
        readings: readings.unwrap_or_default(),
        accuracy: accuracy.unwrap_or_default(),
        confusion,
        more_confusion,
        embeddings,
        by_class: run.record.classes.len() <= figure::CLASSES.len(),
        samples,
        sample_width: (2.4 + 0.48 * longest as f64).clamp(5.6, 9.0),
    }
    .render()?)
}

impl<'a> MethodView<'a> {
    fn of(run: &Run, method: &'a Method) -> Self {
        let known = registry::methods::<Cpu>();
        let entry = known.iter().find(|entry| entry.name == method.name);
        Self {
            name: &method.name,
            colour: variable(method_colour(run, &method.name)),
            about: entry.map_or("", |entry| entry.about),
            paper: entry.map_or("", |entry| entry.paper).trim_matches('–'),
        }
    }
}

impl CellView {
    fn of(method: &MethodSummary, column: &Column) -> Self {
        let class = match (&column.content, &method.difference) {
            (Content::TargetAccuracy, _) => "main",
            (Content::Difference, Some(d)) if d.excludes_zero() && d.mean > 0.0 => "main up",
            (Content::Difference, Some(d)) if d.excludes_zero() => "main down",
            (Content::Oracle, _) => "oracle",
            (Content::SourceValidation, _) if !method.collapsed.is_empty() => "down",
            _ => "",
        };
        Self { value: table::value(method, &column.content), class }
    }
}

/// Notes an error and goes on without its figure.
fn kept<T>(what: &str, figure: anyhow::Result<T>, notes: &mut Vec<String>) -> Option<T> {
    figure.map_err(|e| notes.push(format!("{what} could not be drawn: {e:#}"))).ok()
}

/// Source-only and the preferred method.
fn compared<'a>(run: &'a Run, summary: &'a Summary) -> Vec<&'a str> {
    let names = [Some(SOURCE_ONLY), summary.preferred.as_deref()];
    let known = |name: &&str| run.methods.iter().any(|method| method.name == *name);
    names.into_iter().flatten().filter(known).collect()
}

/// The outputs of the first seed that all of these methods have; failing that, of those methods
/// that have any.
fn same_seed<'a>(methods: &[&'a Method]) -> (u64, Vec<(&'a Method, &'a ModelOutputs)>) {
    let of = |method: &'a Method, seed: u64| {
        method.outputs().find(|(s, _)| *s == seed).map(|(_, outputs)| (method, outputs))
    };
    let seeds = methods.iter().flat_map(|m| m.outputs()).map(|(seed, _)| seed);
    let mut best: (u64, Vec<_>) = (0, Vec::new());
    for seed in seeds {
        let found: Vec<_> = methods.iter().filter_map(|method| of(method, seed)).collect();
        if found.len() > best.1.len() {
            best = (seed, found);
        }
    }
    best
}
