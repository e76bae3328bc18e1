//! One table as it is in its file.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use ndarray::Array2;
use transduct_core::data::{
    npy,
    table::{Header, Rows},
};

/// How a missing value is written, besides an empty cell.
const MISSING: [&str; 7] = ["NA", "N/A", "NaN", "nan", "null", "NULL", "None"];

/// A CSV or NPY table of n ≥ 1 rows and at least one column.
#[derive(Debug)]
pub(crate) struct Sheet {
    path: PathBuf,
    columns: Vec<String>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(Rows),
    Numbers(Array2<f64>),
}

/// Whether a file is an NPY array, by its name.
pub(super) fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

impl Sheet {
    /// Reads a `.npy`, `.csv` or `.csv.gz` file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Self::read_with(path, Header::Auto)
    }

    pub(super) fn read_with(path: &Path, header: Header) -> Result<Self> {
        let name = path.to_string_lossy().to_lowercase();
        let content = if is_npy(path) {
            Content::Numbers(npy::read_matrix(path)?)
        } else if name.ends_with(".csv") || name.ends_with(".csv.gz") {
            Content::Text(Rows::read(path, header)?)
        } else {
            bail!("{}: expected a .csv, .csv.gz or .npy file", path.display());
        };
        let columns = match &content {
            Content::Text(rows) => rows.columns().to_vec(),
            Content::Numbers(x) => (1..=x.ncols()).map(|column| column.to_string()).collect(),
        };
        let sheet = Self { path: path.to_owned(), columns, content };
        if sheet.rows() == 0 || sheet.columns.is_empty() {
            let (n, d) = (sheet.rows(), sheet.columns.len());
            bail!("{}: {n} rows of {d} columns: expected at least one of each", path.display());
        }
        Ok(sheet)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// n.
    pub(crate) fn rows(&self) -> usize {
        match &self.content {
            Content::Text(rows) => rows.len(),
            Content::Numbers(x) => x.nrows(),
        }
    }

    /// The names of the columns; their numbers, from 1, where the file has none.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether the file names its columns.
    pub(crate) fn is_named(&self) -> bool {
        matches!(&self.content, Content::Text(rows) if rows.is_named())
    }

    /// Where the column `name` is.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// A cell as it is written.
    pub(crate) fn text(&self, row: usize, column: usize) -> Cow<'_, str> {
        match &self.content {
            Content::Text(rows) => rows.cell(row, column).into(),
            Content::Numbers(x) => super::number(x[(row, column)]).into(),
        }
    }

    /// A cell as a number.
    ///
    /// # Errors
    /// It is missing, no number or not finite.
    pub(super) fn number(&self, row: usize, column: usize) -> Result<f64> {
        if self.is_missing(row, column) {
            return Err(self.missing(row, column));
        }
        let value = match &self.content {
            Content::Numbers(x) => Some(x[(row, column)]),
            Content::Text(rows) => rows.cell(row, column).parse().ok(),
        };
        let text = self.text(row, column);
        match value {
            Some(value) if value.is_finite() => Ok(value),
            Some(_) => bail!("{}: `{text}` is not a finite number", self.place(row, column)),
            None => bail!("{}: `{text}` is not a number", self.place(row, column)),
        }
    }

    /// The cells of a column as text.
    ///
    /// # Errors
    /// One is missing.
    pub(super) fn texts(&self, column: usize) -> Result<Vec<String>> {
        let text = |row| match self.is_missing(row, column) {
            true => Err(self.missing(row, column)),
            false => Ok(self.text(row, column).into_owned()),
        };
        (0..self.rows()).map(text).collect()
    }

    /// The first row in which a column of text has some: one of whose cells, missing ones aside,
    /// at least half are no numbers. With fewer, those are mistakes in a column of numbers.
    pub(super) fn text_in(&self, column: usize) -> Option<usize> {
        let Content::Text(rows) = &self.content else { return None };
        let present: Vec<usize> =
            (0..rows.len()).filter(|&row| !self.is_missing(row, column)).collect();
        let is_text = |row: &&usize| rows.cell(**row, column).parse::<f64>().is_err();
        let n_text = present.iter().filter(is_text).count();
        let first = present.iter().find(is_text).copied();
        first.filter(|_| 2 * n_text >= present.len())
    }

    /// A place in words: the file, the line of a text file or the row of an array, the column.
    pub(super) fn place(&self, row: usize, column: usize) -> String {
        let (path, name) = (self.path.display(), &self.columns[column]);
        match &self.content {
            Content::Text(rows) => format!("{path}: line {}, column `{name}`", rows.line(row)),
            Content::Numbers(_) => format!("{path}: row {}, column {name}", row + 1),
        }
    }

    fn is_missing(&self, row: usize, column: usize) -> bool {
        match &self.content {
            Content::Text(rows) => {
                let cell = rows.cell(row, column);
                cell.is_empty() || MISSING.contains(&cell)
            }
            Content::Numbers(x) => x[(row, column)].is_nan(),
        }
    }

    fn missing(&self, row: usize, column: usize) -> anyhow::Error {
        let count = (0..self.rows()).filter(|&row| self.is_missing(row, column)).count();
        let others = match count {
            1 => String::new(),
            n => format!(" (the first of {n} in this column)"),
        };
        let (place, name) = (self.place(row, column), &self.columns[column]);
        anyhow::anyhow!(
            "{place}: the value is missing{others}: fill it in, leave out the row, or leave out \
             the column with --drop {name}"
        )
    }
}
