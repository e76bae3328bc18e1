//! The report of a run: the summary table and one self-contained page.
//!
//! [`write()`] reads a run directory and writes `results.json`, `results.csv` and `report.html` into
//! it. It needs no complete run: what is missing or damaged is said, and the rest is shown.

pub mod compare;
pub(crate) mod diagnosis;
pub(crate) mod figure;
mod headline;
mod load;
mod page;
mod samples;
pub(crate) mod sections;
pub(crate) mod setup;
mod summary;
pub(crate) mod table;
mod terminal;
mod tsne;
pub(crate) mod weights;

#[cfg(test)]
mod tests;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

pub use headline::Headline;
pub use summary::{MethodSummary, SOURCE_ONLY, SeedState, SeedSummary, Summary};
pub use terminal::terminal;

use crate::{
    experiment::record::ExperimentDir,
    record::{RunDir, write_atomic, write_json},
};
pub(crate) use load::Run;

/// The directory of a run, finished or not.
///
/// # Errors
/// No run is recorded there.
pub(crate) fn run_dir(root: &Path) -> anyhow::Result<RunDir> {
    let dir = RunDir::new(root);
    if dir.run().exists() {
        return Ok(dir);
    }
    match ExperimentDir::new(root).exists() {
        true => anyhow::bail!(
            "{}: holds an experiment, expected a run; `transduct report` shows its table",
            root.display()
        ),
        false => anyhow::bail!("{}: no run is recorded there: run.json is missing", root.display()),
    }
}

/// What [`write()`] wrote.
#[derive(Clone, Debug)]
pub struct Written {
    /// The numbers.
    pub summary: Summary,
    /// The result in one sentence.
    pub headline: Headline,
    /// `results.json`.
    pub results: PathBuf,
    /// `results.csv`.
    pub table: PathBuf,
    /// `report.html`.
    pub report: PathBuf,
}

/// The numbers of the run in `dir`, as far as it came.
///
/// # Errors
/// `run.json` is missing, malformed or of another format.
pub fn summarise(dir: &Path) -> anyhow::Result<Summary> {
    Ok(Summary::of(&Run::read(&RunDir::new(dir))?))
}

/// Writes `results.json`, `results.csv` and `report.html` of the run in `dir`, each atomically.
///
/// # Errors
/// `run.json` is missing, malformed or of another format; or a file cannot be written.
pub fn write(dir: &Path) -> anyhow::Result<Written> {
    let dir = RunDir::new(dir);
    let run = Run::read(&dir)?;
    let mut summary = Summary::of(&run);
    let headline = Headline::of(&summary);
    let page = page::render(&run, &mut summary, &headline)?;
    write_json(&dir.results(), &summary)?;
    let table = table::csv(&summary)?;
    write_atomic(&dir.table(), |file| file.write_all(&table))?;
    write_atomic(&dir.report(), |file| file.write_all(page.as_bytes()))?;
    Ok(Written {
        summary,
        headline,
        results: dir.results(),
        table: dir.table(),
        report: dir.report(),
    })
}
