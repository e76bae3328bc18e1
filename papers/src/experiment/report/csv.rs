//! `results.csv`: a row a cell, with the number of every seed.

use super::super::summary::Summary;

/// The table as CSV.
///
/// # Errors
/// None that a list in memory could cause.
pub(super) fn csv(summary: &Summary) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "task",
        "method",
        "seeds",
        "mean",
        "std",
        "paper",
        "other program",
        "source",
        "tolerance",
        "verdict",
        "seconds",
        "values",
    ])?;
    let optional = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
    for cell in &summary.cells {
        let (published, reference) = (cell.published.as_ref(), cell.reference.as_ref());
        let sources = published.map(|p| &p.source).into_iter().chain(reference.map(|r| &r.source));
        let sources: Vec<&str> = sources.map(String::as_str).collect();
        let values: Vec<String> = cell.values.iter().map(|(_, x)| x.to_string()).collect();
        writer.write_record([
            &cell.task,
            &cell.method,
            &cell.values.len().to_string(),
            &optional(cell.ours.map(|ours| ours.mean)),
            &optional(cell.ours.and_then(|ours| ours.std)),
            &optional(published.map(|published| published.value)),
            &optional(reference.map(|reference| reference.value)),
            &sources.join("; "),
            &cell.tolerance.to_string(),
            &cell.verdict.to_string(),
            &cell.seconds.to_string(),
            &values.join(" "),
        ])?;
    }
    Ok(writer.into_inner()?)
}
