//! A comparison for a terminal, as Markdown and as separated values.

use std::fmt::Write as _;

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::{Accuracy, ComparedRun, Comparison, Reached};
use crate::report::{
    table::{NOT_AVAILABLE, percent, plain, points},
    terminal::RULED,
};

/// The letter by which tables call run `i`, from A; a number after Z.
fn label(i: usize) -> String {
    match u8::try_from(i).ok().filter(|&i| i < 26) {
        Some(i) => char::from(b'A' + i).to_string(),
        None => (i + 1).to_string(),
    }
}

/// The cells of a method in a run: text, and whether the difference lies clear of 0, by its sign.
struct Row {
    method: String,
    run: String,
    seeds: String,
    pairs: String,
    accuracies: [(String, String, Option<bool>); 3],
}

const HEADINGS: [&str; 10] = [
    "method",
    "run",
    "seeds",
    "pairs",
    "final %",
    "difference",
    "chosen %",
    "difference",
    "oracle %",
    "difference",
];

impl Row {
    fn of(method: &str, i: usize, reached: Option<&Reached>) -> Self {
        let run = label(i);
        let Some(reached) = reached else {
            let none = || (NOT_AVAILABLE.to_owned(), String::new(), None);
            let (seeds, pairs) = ("not run".to_owned(), String::new());
            return Self {
                method: method.to_owned(),
                run,
                seeds,
                pairs,
                accuracies: [none(), none(), none()],
            };
        };
        let pairs = match (i, &reached.last.difference) {
            (0, _) => "–".to_owned(),
            (_, Some(difference)) => difference.by_seed.len().to_string(),
            (_, None) => NOT_AVAILABLE.to_owned(),
        };
        let accuracy = |accuracy: &Accuracy| {
            let (text, clear) = difference(i, accuracy);
            (percent(accuracy.target_accuracy), text, clear)
        };
        Self {
            method: method.to_owned(),
            run,
            seeds: reached.seeds.len().to_string(),
            pairs,
            accuracies: [&reached.last, &reached.chosen, &reached.oracle].map(accuracy),
        }
    }

    fn cells(&self) -> [String; 10] {
        let [last, chosen, oracle] = self.accuracies.each_ref().map(|a| (a.0.clone(), a.1.clone()));
        let start = [&self.method, &self.run, &self.seeds, &self.pairs].map(String::clone);
        let [method, run, seeds, pairs] = start;
        [method, run, seeds, pairs, last.0, last.1, chosen.0, chosen.1, oracle.0, oracle.1]
    }
}

/// The difference to the first run as text, and its sign where the interval excludes 0.
fn difference(i: usize, accuracy: &Accuracy) -> (String, Option<bool>) {
    match &accuracy.difference {
        None if i == 0 => ("–".to_owned(), None),
        None => (NOT_AVAILABLE.to_owned(), None),
        Some(difference) => {
            let mean = points(difference.mean);
            let text = match difference.interval {
                Some([low, high]) => format!("{mean} [{}, {}]", points(low), points(high)),
                None => format!("{mean}, one pair"),
            };
            (text, difference.excludes_zero().then_some(difference.mean > 0.0))
        }
    }
}

fn rows(comparison: &Comparison) -> impl Iterator<Item = Row> + '_ {
    comparison.methods.iter().flat_map(|method| {
        let runs = method.runs.iter().enumerate();
        runs.map(|(i, reached)| Row::of(&method.method, i, reached.as_ref()))
    })
}

/// What a run is, on one line.
fn described(i: usize, run: &ComparedRun) -> String {
    let chosen = match &run.validator {
        Some(validator) => format!("chosen by {validator}"),
        None => "no validator".to_owned(),
    };
    let labels = if run.target_labelled { "" } else { ", no target labels" };
    format!(
        "{}  {}: {} → {}, {} of {} parts finished, {chosen}{labels}",
        label(i),
        run.dir.display(),
        run.source,
        run.target,
        run.finished,
        run.parts
    )
}

/// What makes runs incomparable, a run a line.
fn warnings(comparison: &Comparison) -> Vec<String> {
    let runs = comparison.runs.iter().enumerate();
    let unlike = runs.filter(|(_, run)| !run.not_comparable.is_empty());
    let warning = |(i, run): (usize, &ComparedRun)| {
        let reasons = run.not_comparable.join("; ");
        format!("{} is not comparable with A, so that no difference is shown: {reasons}", label(i))
    };
    unlike.map(warning).collect()
}

/// How the configurations differ from the first, a key a line.
fn configurations(comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    for (i, run) in comparison.runs.iter().enumerate().skip(1) {
        let label = label(i);
        for difference in &run.configuration {
            let super::Difference { key, first, here } = difference;
            lines.push(format!("{key}: {first} in A, {here} in {label}"));
        }
    }
    lines
}

const MEANING: [&str; 3] = [
    "final, chosen: target accuracy of the final model, and of the one that the run's default validator chose",
    "oracle: of the one that target labels chose, which no user has; mean ± standard deviation over seeds",
    "difference: to A on the seeds that both have (pairs), in points, with its 95 % t interval",
];

/// The table, what its columns mean, and how the configurations differ.
pub fn terminal(comparison: &Comparison) -> String {
    let mut table = Table::new();
    table.load_style(RULED).set_content_arrangement(ContentArrangement::Dynamic);
    let alignment = |i: usize| if i < 2 { CellAlignment::Left } else { CellAlignment::Right };
    table.set_header(HEADINGS.iter().enumerate().map(|(i, heading)| {
        Cell::new(heading).set_alignment(alignment(i)).add_attribute(Attribute::Bold)
    }));
    let mut last = String::new();
    for row in rows(comparison) {
        let mut cells = row.cells();
        // A method's name stands once.
        if cells[0] == last {
            cells[0].clear();
        } else {
            last.clone_from(&cells[0]);
        }
        table.add_row(cells.into_iter().enumerate().map(|(i, text)| {
            let cell = Cell::new(text).set_alignment(alignment(i));
            let clear = match i {
                5 | 7 | 9 => row.accuracies[(i - 5) / 2].2,
                _ => None,
            };
            match clear {
                Some(true) => cell.fg(Color::Green),
                Some(false) => cell.fg(Color::Red),
                None => cell,
            }
        }));
    }
    let mut lines: Vec<_> =
        comparison.runs.iter().enumerate().map(|(i, run)| described(i, run)).collect();
    lines.extend([String::new(), table.trim_fmt(), String::new()]);
    lines.extend(MEANING.map(str::to_owned));
    lines.extend(warnings(comparison).into_iter().map(|line| format!("warning: {line}")));
    lines.push(String::new());
    match configurations(comparison) {
        keys if keys.is_empty() => lines.push("no key of the configurations differs".to_owned()),
        keys => {
            lines.push("the configurations differ in".to_owned());
            lines.extend(keys.into_iter().map(|line| format!("  {line}")));
        }
    }
    lines.extend(comparison.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n")
}

/// The same as Markdown.
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = String::new();
    for (i, run) in comparison.runs.iter().enumerate() {
        let _ = writeln!(text, "- {}", plain(&described(i, run)));
    }
    let _ = writeln!(text, "\n| {} |\n|---|---|{}", HEADINGS.join(" | "), "--:|".repeat(8));
    for row in rows(comparison) {
        let _ = writeln!(text, "| {} |", row.cells().map(|cell| plain(&cell)).join(" | "));
    }
    let _ = writeln!(text, "\n{}.", plain(&MEANING.join(".\n")));
    for line in warnings(comparison) {
        let _ = writeln!(text, "\n**{}**", plain(&line));
    }
    let keys = configurations(comparison);
    if !keys.is_empty() {
        text += "\nThe configurations differ in\n\n";
        for line in keys {
            let _ = writeln!(text, "- {}", plain(&line));
        }
    }
    for note in &comparison.notes {
        let _ = writeln!(text, "\nNote: {}", plain(note));
    }
    text
}

/// A row for each method and run, shares in [0, 1], empty where there is no number.
///
/// # Errors
/// None that memory does not make.
pub fn csv(comparison: &Comparison) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> =
        ["method", "run", "comparable", "validator", "seeds_finished"].map(str::to_owned).into();
    for kind in ["final", "chosen", "oracle"] {
        for number in [
            "mean",
            "std",
            "difference_mean",
            "difference_low",
            "difference_high",
            "difference_pairs",
        ] {
            header.push(format!("target_accuracy_{kind}_{number}"));
        }
    }
    csv.write_record(&header)?;
    let number = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
    for method in &comparison.methods {
        for (run, reached) in comparison.runs.iter().zip(&method.runs) {
            let Some(reached) = reached else { continue };
            let mut row = vec![
                method.method.clone(),
                run.dir.display().to_string(),
                run.not_comparable.is_empty().to_string(),
                run.validator.clone().unwrap_or_default(),
                reached.seeds.len().to_string(),
            ];
            for Accuracy { target_accuracy, difference } in
                [&reached.last, &reached.chosen, &reached.oracle]
            {
                let interval = difference.as_ref().and_then(|d| d.interval);
                row.extend([
                    number(target_accuracy.map(|s| s.mean)),
                    number(target_accuracy.and_then(|s| s.std)),
                    number(difference.as_ref().map(|d| d.mean)),
                    number(interval.map(|i| i[0])),
                    number(interval.map(|i| i[1])),
                    difference.as_ref().map(|d| d.by_seed.len().to_string()).unwrap_or_default(),
                ]);
            }
            csv.write_record(&row)?;
        }
    }
    Ok(csv.into_inner()?)
}
