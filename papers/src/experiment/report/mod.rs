//! The report of an experiment: *ours ± std | paper | verdict* for every cell, on the terminal, as
//! Markdown, as CSV and as one self-contained page. It needs no complete experiment.

mod csv;
mod figures;
mod markdown;
mod page;
mod rows;
mod terminal;

#[cfg(test)]
mod tests;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

pub use markdown::{document, section};
pub use terminal::terminal;

use super::{record::ExperimentDir, summary::Summary};
use crate::record::{write_atomic, write_json};

/// What [`write()`] wrote.
#[derive(Clone, Debug)]
pub struct Written {
    /// The numbers.
    pub summary: Summary,
    /// `results.json`.
    pub results: PathBuf,
    /// `results.csv`.
    pub table: PathBuf,
    /// `results.md`.
    pub markdown: PathBuf,
    /// `report.html`.
    pub report: PathBuf,
}

/// Writes `results.json`, `results.csv`, `results.md` and `report.html` of the experiment in `dir`,
/// each atomically.
///
/// # Errors
/// `experiment.json` is missing, malformed or of another format; or a file cannot be written.
pub fn write(dir: &Path) -> anyhow::Result<Written> {
    let dir = ExperimentDir::new(dir);
    let mut summary = Summary::read(&dir)?;
    let page = page::render(&mut summary)?;
    let written = Written {
        results: dir.file("results.json"),
        table: dir.file("results.csv"),
        markdown: dir.file("results.md"),
        report: dir.file("report.html"),
        summary,
    };
    let Written { summary, results, table, markdown, report } = &written;
    write_json(results, summary)?;
    let csv = csv::csv(summary)?;
    write_atomic(table, |file| file.write_all(&csv))?;
    write_atomic(markdown, |file| file.write_all(section(summary, 1).as_bytes()))?;
    write_atomic(report, |file| file.write_all(page.as_bytes()))?;
    Ok(written)
}
