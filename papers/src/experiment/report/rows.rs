//! The table as text cells, the same in every form of the report.

use super::super::{
    Description, Seeds,
    summary::{AVERAGE, CellSummary, Summary, Verdict},
};

use crate::stats::Spread;

/// What a cell says when there is no number to show.
pub(super) const NONE: &str = "–";

/// One row of the table.
pub(super) struct Row<'a> {
    pub(super) cell: &'a CellSummary,
    pub(super) task: &'a str,
    pub(super) method: &'a str,
    /// `65.94`, with `± 0.12` over several seeds.
    pub(super) ours: String,
    pub(super) paper: String,
    pub(super) difference: String,
    pub(super) verdict: String,
    /// `another program 0.0133, effective sample size 31.2`.
    pub(super) extras: String,
}

impl<'a> Row<'a> {
    pub(super) fn new(summary: &'a Summary, cell: &'a CellSummary) -> Self {
        let description = &summary.record.description;
        let measure = &description.measure;
        let ours = match cell.ours {
            None => NONE.to_owned(),
            Some(ours) => match ours.std {
                None => measure.number(ours.mean),
                Some(std) => format!("{} ± {}", measure.number(ours.mean), measure.number(std)),
            },
        };
        let published = cell.published.as_ref();
        let difference = cell.difference().map(|x| measure.signed(x));
        let other = cell.reference.as_ref();
        let other = other.map(|other| format!("another program {}", measure.number(other.value)));
        let extras: Vec<String> = other.into_iter().chain(extras(cell)).collect();
        Self {
            cell,
            task: summary.task_title(&cell.task),
            method: description.method_title(&cell.method),
            ours,
            paper: published.map_or(NONE.to_owned(), |p| measure.number(p.value)),
            difference: difference.unwrap_or(NONE.to_owned()),
            verdict: cell.verdict.to_string(),
            extras: extras.join(", "),
        }
    }

    /// Whether it is a mean over tasks.
    pub(super) fn is_average(&self) -> bool {
        self.cell.task == AVERAGE
    }

    /// Whether its task looks back at all the others.
    pub(super) fn is_overall(&self, summary: &Summary) -> bool {
        let tasks = &summary.record.description.tasks;
        tasks.iter().any(|task| task.overall && task.id == self.cell.task)
    }
}

/// What else was measured, with the number of seeds where it is not that of the others.
fn extras(cell: &CellSummary) -> Vec<String> {
    let all = cell.values.len();
    let mut before = all;
    let mut of = |(name, spread): &(String, Spread)| {
        let number = format!("{:.1}", spread.mean);
        // What rounds to zero has no sign.
        let number = if number == "-0.0" { "0.0".to_owned() } else { number.replace('-', "−") };
        let told = match spread.n == before {
            true => String::new(),
            false => format!(" ({} of {all} seeds)", spread.n),
        };
        before = spread.n;
        format!("{name} {number}{told}")
    };
    cell.extras.iter().map(&mut of).collect()
}

/// All rows, in the order of the table.
pub(super) fn rows(summary: &Summary) -> Vec<Row<'_>> {
    summary.cells.iter().map(|cell| Row::new(summary, cell)).collect()
}

/// What is missing and what failed, a sentence each, then the notes.
pub(super) fn trouble(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for cell in &summary.cells {
        let name = format!("{}/{}", cell.task, cell.method);
        for (seed, message) in &cell.failures {
            lines.push(match cell.seeds {
                1 => format!("{name} failed: {message}"),
                _ => format!("{name}, seed {seed}, failed: {message}"),
            });
        }
        let missing = (cell.seeds as usize).saturating_sub(cell.values.len() + cell.failures.len());
        match missing {
            0 => {}
            1 if cell.seeds == 1 => lines.push(format!("{name} has not been computed")),
            n => lines.push(format!("{name}: {n} of {} seeds have not been computed", cell.seeds)),
        }
    }
    lines.extend(summary.notes.iter().cloned());
    lines
}

/// What solvers said of their answers: the cell, the note and the number of its trials.
pub(super) fn solver_notes(summary: &Summary) -> Vec<String> {
    let of = |cell: &CellSummary| -> Vec<String> {
        let name = format!("{}/{}", cell.task, cell.method);
        let line = |(note, n): &(String, usize)| match cell.values.len() {
            1 => format!("{name}: {note}"),
            all => format!("{name}, {n} of {all} seeds, for instance: {note}"),
        };
        cell.notes.iter().map(line).collect()
    };
    summary.cells.iter().flat_map(of).collect()
}

/// The command that computes it again.
pub(super) fn command(summary: &Summary) -> String {
    let record = &summary.record;
    let description = &record.description;
    let mut command = format!("transduct reproduce {}", description.name);
    if !record.selection().is_whole(description) {
        for id in &record.cells {
            command += &format!(" --cells {id}");
        }
    }
    match description.seeds {
        Seeds::Random(default) if default != record.seeds => {
            command += &format!(" --seeds {}", record.seeds);
        }
        _ => {}
    }
    command
}

/// `mean ± standard deviation over 5 seeds`.
pub(super) fn seeds(summary: &Summary) -> String {
    match (summary.record.description.seeds, summary.record.seeds) {
        (Seeds::Deterministic, _) => "one computation: nothing is drawn at random".to_owned(),
        (_, 1) => "one seed".to_owned(),
        (_, n) => format!("mean ± standard deviation over {n} seeds"),
    }
}

/// `3.2 seconds`, `4 minutes`.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} seconds"),
        s => format!("{:.1} minutes", s / 60.0),
    }
}

/// The citation on one line.
pub(super) fn citation(description: &Description) -> String {
    let paper = &description.paper;
    format!("{}: “{}”, {}. {}", paper.authors, paper.title, paper.venue, paper.table)
}

/// Where the published numbers stand: each source once.
pub(super) fn sources(summary: &Summary) -> Vec<&str> {
    once(summary.cells.iter().filter_map(|cell| Some(cell.published.as_ref()?.source.as_str())))
}

/// The programs that gave what nobody published: each once.
pub(super) fn other_sources(summary: &Summary) -> Vec<&str> {
    once(summary.cells.iter().filter_map(|cell| Some(cell.reference.as_ref()?.source.as_str())))
}

/// What the verdicts mean that do not say it themselves.
pub(super) fn meanings(summary: &Summary) -> Vec<&'static str> {
    once(summary.cells.iter().filter_map(|cell| match cell.verdict {
        Verdict::Recovered(_) => Some(
            "recovered protocol: within tolerance of the published number, by settings that were \
             tried until such numbers came out. The match says that they are found, not that the \
             method was predicted to give it.",
        ),
        Verdict::Deviates(_) => Some(
            "known deviation: the published number is not met; ours is the one that the experiment \
             knows of. The difference says what was tried.",
        ),
        Verdict::Corrects(_) => Some(
            "differs: the reference is wrong: the program behind the published number computes something \
             else than it names, as the difference says; ours is what it names, and no number to be met.",
        ),
        Verdict::Agrees => Some(
            "agrees with another program: nobody published a number; ours is within tolerance of \
             what a program written apart from this one gives.",
        ),
        _ => None,
    }))
}

fn once<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once: Vec<&str> = Vec::new();
    all.for_each(|text| {
        if !once.contains(&text) {
            once.push(text)
        }
    });
    once
}
