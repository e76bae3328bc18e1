//! The table for a terminal.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle,
};

use super::{
    super::summary::{Summary, Verdict},
    rows::{Row, command, duration, meanings, other_sources, rows, seeds, sources, trouble},
};

const RULED: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The table, what it shows, and what is missing. On a terminal it is no wider than that and has
/// colours; elsewhere it is plain text.
pub fn terminal(summary: &Summary) -> String {
    let description = &summary.record.description;
    let mut table = Table::new();
    table.load_style(RULED).set_content_arrangement(ContentArrangement::Dynamic);
    let bold = |text: &str| Cell::new(text).add_attribute(Attribute::Bold);
    let right = |cell: Cell| cell.set_alignment(CellAlignment::Right);
    table.set_header([
        bold("task"),
        bold("method"),
        right(bold(&format!("ours, {}", description.measure.heading()))),
        right(bold("paper")),
        right(bold("difference")),
        bold("verdict"),
    ]);
    let mut previous = "";
    for Row { task, method, ours, paper, difference, verdict, cell, .. } in &rows(summary) {
        let shown = if previous == *task { "" } else { task };
        previous = task;
        let verdict = Cell::new(verdict);
        table.add_row([
            Cell::new(shown),
            Cell::new(method),
            right(Cell::new(ours)),
            right(Cell::new(paper)),
            right(Cell::new(difference)),
            match cell.verdict {
                Verdict::Within | Verdict::Agrees => verdict.fg(Color::Green),
                Verdict::Better | Verdict::Worse => verdict.fg(Color::Yellow),
                Verdict::NotComputed => verdict.fg(Color::Red),
                Verdict::Recovered(_)
                | Verdict::Deviates(_)
                | Verdict::Corrects(_)
                | Verdict::NotPublished => verdict,
            },
        ]);
    }
    let mut lines = vec![table.trim_fmt(), String::new()];
    lines.push(format!("{}; {}.", seeds(summary), duration(summary.seconds)));
    lines.push(format!("{}.", summary.headline()));
    lines.extend(meanings(summary).iter().map(|meaning| (*meaning).to_owned()));
    lines.extend(sources(summary).iter().map(|source| format!("paper: {source}")));
    lines.extend(other_sources(summary).iter().map(|source| format!("another program: {source}")));
    let differences = description.differences.iter().enumerate();
    lines.extend(differences.map(|(i, text)| format!("difference {}: {text}", i + 1)));
    lines.extend(trouble(summary).iter().map(|line| format!("note: {line}")));
    lines.push(format!("again: {}", command(summary)));
    lines.join("\n")
}
