//! The report of `transduct weights`.

use ndarray::Array1;
use serde::Serialize;
use transduct_adapt::reweight::Balance;

use super::{
    figure::{Bar, bars, histogram},
    sections::{Grid, Page, Section, legend},
};
use transduct_core::data::table::Table;

use crate::cli::brief;

/// The most rows and columns that a page shows.
const MOST: usize = 20;

/// What weights are worth.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Worth {
    /// n_eff.
    pub(crate) effective_sample_size: f64,
    /// max w / w̄.
    pub(crate) largest: f64,
    /// Of all columns.
    pub(crate) balance: Balance,
    /// By column, by its name; nothing where the target does not vary.
    pub(crate) columns: Vec<(String, Option<Balance>)>,
}

/// Columns with a balance, the farthest apart before the change first.
pub(crate) fn ranked(columns: &[(String, Option<Balance>)]) -> Vec<(&str, Balance)> {
    let known = columns.iter().filter_map(|(name, balance)| Some((name.as_str(), (*balance)?)));
    let mut ranked: Vec<_> = known.collect();
    ranked.sort_by(|a, b| b.1.before.total_cmp(&a.1.before));
    ranked
}

/// Adds the sections to a page; the rows of `table` are shown, if there is one.
pub(crate) fn sections(
    page: &mut Page,
    table: Option<&Table>,
    weights: &Array1<f64>,
    worth: &Worth,
) {
    let scaled = weights / (weights.sum() / weights.len() as f64);
    let drawn = histogram(
        "Weights, scaled to mean 1",
        "weight / mean weight",
        "source rows",
        scaled.as_slice().unwrap_or_default(),
    );
    let figures = page.keep(drawn).into_iter().collect();
    page.sections.push(Section {
        id: "weights",
        title: "Weights",
        lead: "Most rows near 1 is good; a few large weights make estimates unsteady.".to_owned(),
        figures,
        ..Section::default()
    });

    let ranked = ranked(&worth.columns);
    let shown = &ranked[..ranked.len().min(MOST)];
    let rows: Vec<Bar<'_>> =
        shown.iter().map(|(name, b)| Bar { name, value: b.before, then: Some(b.after) }).collect();
    let drawn = bars("Gap between the means", "target standard deviations", &rows);
    let figures = page.keep(drawn).into_iter().collect();
    let row =
        |(name, b): &(&str, Balance)| vec![(*name).to_owned(), brief(b.before), brief(b.after)];
    page.sections.push(Section {
        id: "balance",
        title: "Balance",
        lead: format!(
            "The gap between the source's and the target's mean of a column, in standard deviations \
             of the target, before and after weighting{}.",
            first_of(shown.len(), ranked.len())
        ),
        table: Some(Grid {
            header: ["Column", "Before", "After"].map(str::to_owned).to_vec(),
            rows: shown.iter().map(row).collect(),
        }),
        legend: legend(["○", "●"], ["before", "after"]),
        figures,
    });

    let Some(table) = table else { return };
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    order.truncate(MOST);
    page.sections.push(Section {
        id: "rows",
        title: "Most weighted rows",
        lead: "These source rows stand for the target: look at them. Rows count from 1.".to_owned(),
        table: Some(row_table(table, &order, &scaled)),
        ..Section::default()
    });
}

fn row_table(sheet: &Table, order: &[usize], scaled: &Array1<f64>) -> Grid {
    let columns = sheet.columns().len().min(MOST);
    let header = ["Row", "Weight / mean"].map(str::to_owned);
    let row = |&row: &usize| {
        let cells = (0..columns).map(|column| sheet.text(row, column).into_owned());
        [(row + 1).to_string(), brief(scaled[row])].into_iter().chain(cells).collect()
    };
    Grid {
        header: header.into_iter().chain(sheet.columns()[..columns].iter().cloned()).collect(),
        rows: order.iter().map(row).collect(),
    }
}

/// `, the first 20 of 300 columns` where not all are shown.
pub(super) fn first_of(shown: usize, all: usize) -> String {
    if shown < all { format!(", the first {shown} of {all} columns") } else { String::new() }
}
