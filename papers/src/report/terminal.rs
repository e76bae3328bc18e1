//! The summary table for a terminal.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle,
};

use super::{
    summary::{MethodSummary, Summary},
    table::{self, Content, Value},
};

pub(super) const RULED: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The table, what its columns mean, what is missing, and the notes but for those that were told
/// before. On a terminal it is no wider than that
/// and has colours; elsewhere it is plain text.
pub fn terminal(summary: &Summary, told: &[String]) -> String {
    let mut columns = vec![
        ("target %".to_owned(), Content::TargetAccuracy),
        ("difference [95 %]".to_owned(), Content::Difference),
    ];
    columns
        .extend(summary.validators.iter().map(|v| (format!("by {v}"), Content::Chosen(v.clone()))));
    columns.extend([
        ("oracle".to_owned(), Content::Oracle),
        ("source %".to_owned(), Content::SourceValidation),
        ("seconds".to_owned(), Content::Seconds),
    ]);

    let mut table = Table::new();
    table.load_style(RULED).set_content_arrangement(ContentArrangement::Dynamic);
    let heading = |text: &str, alignment| {
        Cell::new(text).set_alignment(alignment).add_attribute(Attribute::Bold)
    };
    let headings = columns.iter().map(|(text, _)| heading(text, CellAlignment::Right));
    table.set_header([heading("method", CellAlignment::Left)].into_iter().chain(headings));
    for method in &summary.methods {
        let cells = columns.iter().map(|(_, content)| cell(method, content));
        table.add_row([Cell::new(&method.method)].into_iter().chain(cells));
    }

    let mut lines = vec![table.trim_fmt(), String::new(), meaning(summary)];
    lines.extend(table::collapsed(summary));
    lines.extend(table::unfinished(summary));
    let notes = summary.notes.iter().filter(|note| !told.contains(note));
    lines.extend(notes.map(|note| format!("note: {note}")));
    lines.join("\n")
}

fn cell(method: &MethodSummary, content: &Content) -> Cell {
    let Value { text, detail } = table::value(method, content);
    let text = detail.map(|d| format!("{text} {d}")).unwrap_or(text);
    let cell = Cell::new(text).set_alignment(CellAlignment::Right);
    match &method.difference {
        Some(d) if *content == Content::Difference && d.excludes_zero() => {
            cell.fg(if d.mean > 0.0 { Color::Green } else { Color::Red })
        }
        _ => cell,
    }
}

fn meaning(summary: &Summary) -> String {
    let seeds = match summary.seeds.len() {
        1 => "one seed".to_owned(),
        n => format!("mean ± standard deviation over {n} seeds"),
    };
    let mut text = format!(
        "target %: accuracy of the final model on the target, {seeds}\n\
         difference: to source-only on the same seeds, in points, with its 95 % t interval"
    );
    if !summary.validators.is_empty() {
        let names: Vec<_> = summary.validators.iter().map(|v| format!("by {v}")).collect();
        text += &format!(
            "\n{}: target % at the checkpoint which that validator chose without target labels",
            names.join(", ")
        );
    }
    text + "\noracle: target % at the checkpoint chosen by target labels, which no user has"
}
