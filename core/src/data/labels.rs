//! The labels of the rows of a file, as text, none where one is missing.

use std::path::{Path, PathBuf};

use ndarray::ArrayViewD;

use super::table::{Table, TextOptions};
use super::{DataError, Texts, classes, npy};

/// One label a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// n labels as they are written; none where one is missing.
    pub texts: Texts,
    /// The column of the table that has them.
    pub column: Option<usize>,
    /// Where they are, in words.
    pub place: String,
    /// Their file, where they have one of their own.
    pub file: Option<PathBuf>,
}

impl Labels {
    /// Reads a file of labels, one a row: NPY, or text of one column.
    ///
    /// # Errors
    /// Those of the readers; more than one column.
    pub(super) fn read(path: &Path, bytes: &[u8], text: TextOptions) -> Result<Self, DataError> {
        let labels = |texts| {
            let (place, file) = ("it".to_owned(), Some(path.to_owned()));
            Self { texts, column: None, place, file }
        };
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) {
            return npy::parse_label_texts(bytes, path).map(labels);
        }
        let table = Table::parse(bytes, path, text)?;
        match table.columns().len() {
            1 => Ok(labels(table.labels(0))),
            n => {
                let reason = format!("{n} columns: expected one, of labels");
                Err(DataError::malformed(path, reason))
            }
        }
    }

    /// Refuses what a domain in which no label may be missing has not.
    ///
    /// # Errors
    /// The first one that is missing, by its line.
    pub fn check_complete(&self, path: &Path, table: Option<&Table>) -> Result<(), DataError> {
        let Some(row) = self.texts.first_missing() else { return Ok(()) };
        let place = match (table, self.column, &self.file) {
            (Some(table), Some(column), _) => table.place(row, column),
            (_, _, Some(_)) => format!("row {}", row + 1),
            _ => format!("{}, row {}", self.place, row + 1),
        };
        let path = self.file.as_deref().unwrap_or(path);
        let others = match self.texts.len() - self.texts.present() {
            1 => String::new(),
            n => format!(" (the first of {n})"),
        };
        let reason = format!(
            "{place}: the label is missing{others}: the source needs one in every row; fill it in \
             or leave out the row"
        );
        Err(DataError::malformed(path, reason))
    }

    /// Refuses what no training of a classifier takes for classes.
    ///
    /// # Errors
    /// A number that is not finite; so many numbers that they look like a measurement.
    pub fn check_classes(&self, path: &Path) -> Result<(), DataError> {
        let (place, path) = (&self.place, self.file.as_deref().unwrap_or(path));
        let numbers: Option<Vec<f64>> = self.texts.distinct().map(|t| t.parse().ok()).collect();
        if let Some(bad) = numbers.iter().flatten().find(|v| !v.is_finite()) {
            let reason = format!("{place}: the label `{bad}` is not a finite number");
            return Err(DataError::malformed(path, reason));
        }
        if let Some(distinct) = classes::measured(&self.texts) {
            let n = self.texts.present();
            let reason = format!(
                "{place} has {distinct} distinct numbers in {n} rows, which looks like a \
                 measurement and not like classes: name the column of the classes with --label-column"
            );
            return Err(DataError::unusable(path.display().to_string(), reason));
        }
        Ok(())
    }
}

/// Numbers of any shape of which one axis at most is longer than 1, as labels: NaN is none.
pub(super) fn of_numbers(labels: ArrayViewD<'_, f64>) -> Result<Texts, String> {
    check_shape(labels.shape())?;
    Ok(labels.iter().map(|&v| (!v.is_nan()).then(|| (v + 0.0).to_string())).collect())
}

/// Whether labels of this shape are one a row.
pub(super) fn check_shape(shape: &[usize]) -> Result<(), String> {
    if shape.iter().filter(|&&n| n != 1).count() <= 1 {
        return Ok(());
    }
    let hint = match shape {
        [_, 2..=1000] => "; of indicators, take the place of the largest, as `argmax(1)` does",
        _ => "",
    };
    Err(format!("labels of shape {shape:?}: expected one a row, (n,) or (n, 1){hint}"))
}
