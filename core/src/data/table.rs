//! Tables of numbers in CSV: one row per sample, one column per feature, at most one of labels.

use std::path::{Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use ndarray::Array2;

use super::{DataError, raw};

/// Whether the first row holds the names of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// It does if one of its cells is neither a number nor empty.
    #[default]
    Auto,
    /// It does.
    Present,
    /// It is data; the columns are named `1`, `2`, … by position.
    Absent,
}

/// How to read a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableOptions {
    /// The column of labels; without one, every column is a feature.
    pub label: Option<String>,
    /// Whether there is a header.
    pub header: Header,
}

/// What a table holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The names of the d columns of features, in the file's order.
    pub columns: Vec<String>,
    /// `(n, d)`, finite.
    pub features: Array2<f32>,
    /// n labels as they are written, not empty.
    pub labels: Option<Vec<String>>,
}

/// Reads a comma-separated table, gzipped or not.
///
/// Errors, with line (from 1) and column: a cell that is empty, no number, not finite or beyond
/// single precision; rows of different lengths; columns without a name or of one name; no such
/// label column, where the message lists the columns; no row, no feature.
pub fn read(path: &Path, options: &TableOptions) -> Result<Table, DataError> {
    parse(&raw::read(path)?, path, options)
}

/// [`read`] on bytes; `path` serves the messages only.
pub fn parse(bytes: &[u8], path: &Path, options: &TableOptions) -> Result<Table, DataError> {
    let rows = Rows::parse(bytes, path, options.header)?;
    let label = options.label.as_deref().map(|name| rows.column(name)).transpose()?;
    rows.table(label)
}

/// A table of text, before it is known what its columns hold.
#[derive(Clone, Debug)]
pub struct Rows {
    path: PathBuf,
    columns: Vec<String>,
    named: bool,
    records: Vec<StringRecord>,
}

impl Rows {
    /// Reads a comma-separated table, gzipped or not.
    ///
    /// # Errors
    /// With the line: rows of different lengths, columns without a name or of one name, no UTF-8.
    pub fn read(path: &Path, header: Header) -> Result<Self, DataError> {
        Self::parse(&raw::read(path)?, path, header)
    }

    pub(super) fn parse(bytes: &[u8], path: &Path, header: Header) -> Result<Self, DataError> {
        let bytes = raw::gunzip(bytes, path)?;
        let mut reader =
            ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(&*bytes);
        let mut records = Vec::new();
        for record in reader.records() {
            records.push(record.map_err(|e| DataError::malformed(path, explain(&e)))?);
        }
        let is_text = |cell: &str| !cell.is_empty() && cell.parse::<f64>().is_err();
        let has_header = match header {
            Header::Auto => records.first().is_some_and(|first| first.iter().any(is_text)),
            Header::Present => !records.is_empty(),
            Header::Absent => false,
        };
        let columns: Vec<String> = if has_header {
            records.remove(0).iter().map(str::to_owned).collect()
        } else {
            (1..=records.first().map_or(0, StringRecord::len)).map(|i| i.to_string()).collect()
        };
        if let Some(i) = columns.iter().position(String::is_empty) {
            return Err(DataError::malformed(
                path,
                format!(
                    "column {} of the header has no name: an index column must be left out or named",
                    i + 1
                ),
            ));
        }
        if let Some((i, name)) = (1..).zip(&columns).find(|(i, c)| columns[*i..].contains(c)) {
            return Err(DataError::malformed(
                path,
                format!("two columns of the header are named `{name}`, the first is column {i}"),
            ));
        }
        Ok(Self { path: path.to_owned(), columns, named: has_header, records })
    }

    /// The names of the columns; their numbers, from 1, without a header.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether the file names its columns.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// The number of rows n.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// What is written in a row and column, both from 0, without the space around it.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        &self.records[row][column]
    }

    /// The line of the file, from 1, in which a row begins.
    pub fn line(&self, row: usize) -> u64 {
        self.records[row].position().map_or(0, |p| p.line())
    }

    /// The position of the column `name`.
    ///
    /// # Errors
    /// There is none; the message lists the columns.
    pub fn column(&self, name: &str) -> Result<usize, DataError> {
        self.columns.iter().position(|c| c == name).ok_or_else(|| {
            DataError::malformed(
                &self.path,
                format!("no column `{name}`; the columns are: {}", self.columns.join(", ")),
            )
        })
    }

    /// The features, and the labels of the column at `label`.
    pub(super) fn table(self, label: Option<usize>) -> Result<Table, DataError> {
        let malformed = |reason: String| DataError::malformed(&self.path, reason);
        let (n, d) = (self.records.len(), self.columns.len() - usize::from(label.is_some()));
        if n == 0 || d == 0 {
            return Err(malformed(format!(
                "{n} rows of {d} features: expected at least one of each"
            )));
        }
        let mut values = Vec::with_capacity(n * d);
        let mut labels = label.map(|_| Vec::with_capacity(n));
        for record in &self.records {
            for (i, (cell, column)) in record.iter().zip(&self.columns).enumerate() {
                let at = |reason: &str| {
                    let line = record.position().map_or(0, |p| p.line());
                    malformed(format!("line {line}, column `{column}`: {reason}"))
                };
                if cell.is_empty() {
                    return Err(at("the cell is empty"));
                }
                if label == Some(i) {
                    labels.get_or_insert_default().push(cell.to_owned());
                    continue;
                }
                let value: f32 =
                    cell.parse().map_err(|_| at(&format!("`{cell}` is not a number")))?;
                if !value.is_finite() {
                    return Err(at(&format!(
                        "`{cell}` is not a finite number of single precision"
                    )));
                }
                values.push(value);
            }
        }
        let features =
            Array2::from_shape_vec((n, d), values).map_err(|e| malformed(e.to_string()))?;
        let mut columns = self.columns;
        if let Some(label) = label {
            columns.remove(label);
        }
        Ok(Table { columns, features, labels })
    }
}

fn explain(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => format!(
            "line {} has {len} cells: expected {expected_len}, as in the first row",
            pos.as_ref().map_or(0, |p| p.line())
        ),
        ErrorKind::Utf8 { pos, .. } => {
            format!("line {} is not UTF-8 text", pos.as_ref().map_or(0, |p| p.line()))
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::data::testing::gzip;

    fn parse(text: &str, label: Option<&str>, header: Header) -> Result<Table, DataError> {
        let options = TableOptions { label: label.map(str::to_owned), header };
        super::parse(text.as_bytes(), Path::new("x.csv"), &options)
    }

    #[test]
    fn a_header_is_recognised_by_its_text() {
        let table = parse("\u{feff}a, y ,b\n1,cat,2\r\n3,dog,-4e-1\n", Some("y"), Header::Auto);
        let table = table.unwrap();
        assert_eq!(table.columns, ["a", "b"]);
        assert_eq!(table.features, array![[1.0, 2.0], [3.0, -0.4]]);
        assert_eq!(table.labels.unwrap(), ["cat", "dog"]);
        let table = parse("0,5\n1,6\n", Some("2"), Header::Auto).unwrap();
        assert_eq!((table.columns, table.features), (vec!["1".into()], array![[0.0], [1.0]]));
        assert_eq!(table.labels.unwrap(), ["5", "6"]);
        let table = parse("0,1\n5,6\n", None, Header::Present).unwrap();
        assert_eq!(
            (table.columns, table.features),
            (vec!["0".into(), "1".into()], array![[5.0, 6.0]])
        );
        assert_eq!(table.labels, None);
    }

    #[test]
    fn messages_name_line_and_column() {
        let fails = |text, label, part: &str| {
            let message = parse(text, label, Header::Auto).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        fails("a,b\n1,2\n3,\n", None, "x.csv: line 3, column `b`: the cell is empty");
        fails("a,b\n\n1,2\n3,x\n", None, "line 4, column `b`: `x` is not a number");
        fails("a,b\nNaN,2\n", None, "line 2, column `a`: `NaN` is not a finite number");
        fails("1,2\n3,1e39\n", None, "line 2, column `2`: `1e39` is not a finite number");
        fails("a,b\n1,2\n3\n", None, "line 3 has 1 cells: expected 2, as in the first row");
        fails("a,b\n1,2\n", Some("label"), "no column `label`; the columns are: a, b");
        fails(",b\n0,1\n", None, "column 1 of the header has no name");
        fails("a,b,a\n0,1,2\n", None, "two columns of the header are named `a`, the first is col");
        fails("a,b\n", None, "0 rows of 2 features");
        fails("", None, "0 rows of 0 features");
        fails("y\n1\n", Some("y"), "1 rows of 0 features");
        let options = TableOptions::default();
        let message = super::parse(b"a\n\xff\n", Path::new("x.csv"), &options).unwrap_err();
        assert!(message.to_string().contains("line 2 is not UTF-8 text"), "{message}");
    }

    proptest! {
        #[test]
        fn numbers_round_trip(
            values in prop::collection::vec(-1e30f32..1e30, 1..40),
            d in 1usize..6,
            header: bool,
            zipped: bool,
        ) {
            let n = values.len().div_ceil(d);
            let features = Array2::from_shape_fn((n, d), |(i, j)| values[(i * d + j) % values.len()]);
            let mut text = String::new();
            if header {
                text += &(0..d).map(|j| format!("f{j}")).collect::<Vec<_>>().join(",");
                text += "\n";
            }
            for row in features.rows() {
                text += &row.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
                text += "\n";
            }
            let bytes = if zipped { gzip(text.as_bytes()) } else { text.into_bytes() };
            let table = super::parse(&bytes, Path::new("x"), &TableOptions::default()).unwrap();
            prop_assert_eq!(table.features, features);
        }
    }
}
