//! Tables: rows of named or numbered columns, from any file of rows, in double precision.
//!
//! A [`Table`] is what a file says and no more: which column holds the labels and which are features
//! is decided by whoever has both domains at hand ([`Encoding`]).

mod cell;
mod encoding;
mod grid;
mod header;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, ArrayView1, Axis};
#[cfg(feature = "threads")]
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{DataError, Labels, Texts};
pub use cell::{MISSING, is_missing};
pub use encoding::{Encode, Encoding};
use grid::Grid;
pub use grid::Separator;
pub use header::Header;

/// What stands before the decimals of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decimal {
    /// A point; a comma in a file whose cells are not separated by commas and in which no number has
    /// a point.
    #[default]
    Auto,
    /// A point.
    Point,
    /// A comma.
    Comma,
}

/// How to read a text file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextOptions {
    /// Whether the first row names the columns.
    pub header: Header,
    /// What stands between the cells.
    pub separator: Separator,
    /// What stands before the decimals.
    pub decimal: Decimal,
}

/// A table of n ≥ 1 rows and at least one column.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    columns: Vec<String>,
    index: HashMap<String, usize>,
    named: bool,
    cells: Cells,
    notes: Vec<String>,
}

#[derive(Clone, Debug)]
enum Cells {
    Text(Box<Text>),
    Numbers(Array2<f64>),
}

/// The cells of a text file.
#[derive(Clone, Debug)]
struct Text {
    grid: Grid,
    /// The names of all its columns, where there are some.
    header: Option<Vec<String>>,
    /// Which of the grid's columns are the table's: those behind a column of the rows' names.
    first: usize,
    comma: bool,
    /// `(n, d)`: NaN where a cell holds no number.
    numbers: Array2<f64>,
    /// Whether each column has numbers alone.
    all_numbers: Vec<bool>,
}

impl Table {
    /// Reads a text file of separated values, gzipped or not; `path` serves the messages. Bytes that
    /// are given away are not copied.
    ///
    /// # Errors
    /// With the line: rows of different lengths, columns without a name or of one name, no text.
    pub fn parse<'a>(
        bytes: impl Into<Cow<'a, [u8]>>,
        path: &Path,
        options: TextOptions,
    ) -> Result<Self, DataError> {
        let malformed = |reason: String| DataError::malformed(path, reason);
        let mut grid = Grid::parse(bytes.into(), path, options.separator)?;
        check_width(grid.width()).map_err(malformed)?;
        let mut notes = std::mem::take(&mut grid.notes);
        let comma_free = grid.separator != Separator::Comma;
        let may_be_comma = match options.decimal {
            Decimal::Point => false,
            Decimal::Comma => true,
            Decimal::Auto => comma_free,
        };
        let decision = options.header.decide(&grid, may_be_comma);
        notes.extend(decision.doubt);
        let header = decision.names.then(|| -> Vec<String> {
            (0..grid.width()).map(|column| grid.cell(0, column).to_owned()).collect()
        });
        let (n, width) = (grid.rows() - usize::from(header.is_some()), grid.width());
        if n == 0 || width == 0 {
            let reason = format!("{n} rows of {width} columns: expected at least one of each");
            return Err(malformed(reason));
        }
        let first = match &header {
            Some(names) if width > 1 && (names[0].is_empty() || names[0] == "Unnamed: 0") => {
                notes.push(
                    "the first column has no name and was taken for the names of the rows, not for \
                     a feature"
                        .into(),
                );
                1
            }
            _ => 0,
        };
        let names = header.as_ref().map(|names| names[first..].to_vec());
        let positions = names.as_deref().is_some_and(header::count_positions);
        let columns = names.unwrap_or_else(|| numbered(width));
        if let Some(i) = columns.iter().position(String::is_empty) {
            let reason = format!("column {} of the header has no name", i + first + 1);
            return Err(malformed(reason));
        }
        let index = index(&columns);
        if index.len() < columns.len() {
            let twice = (0..columns.len()).find(|&i| index[&columns[i]] != i).unwrap_or(0);
            let name = &columns[twice];
            let reason = format!(
                "columns {} and {} of the header are both named `{name}`",
                index[name].min(twice) + first + 1,
                index[name].max(twice) + first + 1
            );
            return Err(malformed(reason));
        }
        let mut text = Text {
            grid,
            header,
            first,
            comma: may_be_comma,
            numbers: Array2::zeros((0, 0)),
            all_numbers: Vec::new(),
        };
        let mut found = text.parse_numbers(n, columns.len());
        if options.decimal == Decimal::Auto && found.point && found.comma {
            text.comma = false;
            found = text.parse_numbers(n, columns.len());
        }
        if found.comma && options.decimal == Decimal::Auto {
            notes.push(
                "its numbers have decimal commas (--decimal point takes them for text)".into(),
            );
        }
        let named = text.header.is_some() && !positions;
        let cells = Cells::Text(Box::new(text));
        Ok(Self { path: path.to_owned(), columns, index, named, cells, notes })
    }

    /// A table of numbers without names.
    ///
    /// # Errors
    /// No row or no column.
    pub fn of_numbers(path: &Path, x: Array2<f64>) -> Result<Self, DataError> {
        let (n, d) = x.dim();
        if n == 0 || d == 0 {
            let reason = format!("{n} rows of {d} columns: expected at least one of each");
            return Err(DataError::malformed(path, reason));
        }
        check_width(d).map_err(|reason| DataError::malformed(path, reason))?;
        let columns = numbered(d);
        Ok(Self {
            path: path.to_owned(),
            index: index(&columns),
            columns,
            named: false,
            cells: Cells::Numbers(x),
            notes: Vec::new(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What rules decided in reading that a reader should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The number of rows n.
    pub fn len(&self) -> usize {
        match &self.cells {
            Cells::Text(text) => text.numbers.nrows(),
            Cells::Numbers(x) => x.nrows(),
        }
    }

    /// Never: a table has rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows in which no cell is missing, ascending.
    pub fn complete_rows(&self) -> Vec<usize> {
        let complete = |&row: &usize| !(0..self.columns.len()).any(|c| self.is_missing(row, c));
        (0..self.len()).filter(complete).collect()
    }

    /// The table of these rows, in this order. Panics when one is out of range.
    ///
    /// # Errors
    /// No row.
    pub fn select(&self, rows: &[usize]) -> Result<Self, DataError> {
        if rows.is_empty() {
            return Err(DataError::malformed(&self.path, "no row is left: expected at least one"));
        }
        let cells = match &self.cells {
            Cells::Numbers(x) => Cells::Numbers(x.select(Axis(0), rows)),
            Cells::Text(text) => Cells::Text(Box::new(text.select(rows))),
        };
        let Self { path, columns, index, named, notes, .. } = self;
        Ok(Self {
            path: path.clone(),
            columns: columns.clone(),
            index: index.clone(),
            named: *named,
            cells,
            notes: notes.clone(),
        })
    }

    /// The names of the columns; their numbers, from 1, where the file has none.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether the columns have names that say more than their position.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// Whether the file is text, whose cells can be written again as they are.
    pub fn is_text(&self) -> bool {
        matches!(self.cells, Cells::Text(_))
    }

    /// Where the column `name` is.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// That there is no column `name`, with those that there are.
    pub fn no_column(&self, name: &str) -> DataError {
        let columns = encoding::any_of(&self.columns);
        let hint = match self.named || !self.is_text() {
            true => "",
            false => "; if its first row names the columns, give --header yes",
        };
        let reason = format!("no column `{name}`; the columns are: {columns}{hint}");
        DataError::malformed(&self.path, reason)
    }

    /// A cell as it is written.
    pub fn text(&self, row: usize, column: usize) -> Cow<'_, str> {
        match &self.cells {
            Cells::Text(text) => text.cell(row, column).into(),
            Cells::Numbers(x) => shortest(x[(row, column)]).into(),
        }
    }

    /// The cells of a column as text.
    ///
    /// # Errors
    /// One is missing.
    pub fn texts(&self, column: usize) -> Result<Vec<String>, DataError> {
        (0..self.len()).map(|row| Ok(self.present(row, column)?.into_owned())).collect()
    }

    /// Adds the texts of a column that `levels` has not: most rows say again what others said.
    fn levels(&self, column: usize, levels: &mut BTreeSet<String>) -> Result<(), DataError> {
        for row in 0..self.len() {
            let text = self.present(row, column)?;
            if !levels.contains(text.as_ref()) {
                levels.insert(text.into_owned());
            }
        }
        Ok(())
    }

    /// A cell as text that is not missing.
    fn present(&self, row: usize, column: usize) -> Result<Cow<'_, str>, DataError> {
        match self.is_missing(row, column) {
            true => Err(self.missing(row, column)),
            false => Ok(self.text(row, column)),
        }
    }

    /// The cells of a column as text, none where one is missing.
    pub fn labels(&self, column: usize) -> Texts {
        let label = |row| (!self.is_missing(row, column)).then(|| self.text(row, column));
        (0..self.len()).map(label).collect()
    }

    /// The labels in the column `name`; nothing where none is named.
    ///
    /// # Errors
    /// There is no such column.
    pub fn label_column(&self, name: Option<&str>) -> Result<Option<Labels>, DataError> {
        let column = |name| self.position(name).ok_or_else(|| self.no_column(name));
        let column = name.map(column).transpose()?;
        Ok(column.map(|column| Labels {
            texts: self.labels(column),
            place: format!("column `{}`", self.columns[column]),
            column: Some(column),
            file: None,
        }))
    }

    /// The numbers of a column, `(n,)`, finite.
    ///
    /// # Errors
    /// One is missing, no number, or not finite.
    pub fn numbers(&self, column: usize) -> Result<Array1<f64>, DataError> {
        let values = self.values().column(column);
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values.to_owned()),
            Some(row) => Err(self.bad_number(row, column)),
        }
    }

    /// A place in words: the line of a text file or the row of an array, and the column.
    pub fn place(&self, row: usize, column: usize) -> String {
        let name = &self.columns[column];
        match &self.cells {
            Cells::Text(text) => {
                format!("line {}, column `{name}`", text.grid.line(row + text.below()))
            }
            Cells::Numbers(_) => format!("row {}, column {name}", row + 1),
        }
    }

    /// The names that a copy of the file begins with, if it has some: those of all its columns, of a
    /// column of the rows' names too.
    pub fn written_names(&self) -> Option<&[String]> {
        match &self.cells {
            Cells::Text(text) => text.header.as_deref(),
            Cells::Numbers(_) => None,
        }
    }

    /// The cells of a row as a copy of the file has them.
    pub fn written_row(&self, row: usize) -> Vec<Cow<'_, str>> {
        match &self.cells {
            Cells::Text(text) => {
                let row = row + text.below();
                (0..text.grid.width()).map(|column| text.grid.cell(row, column).into()).collect()
            }
            Cells::Numbers(x) => x.row(row).iter().map(|&v| shortest(v).into()).collect(),
        }
    }

    /// The features at `places`, `(n, places)`.
    fn features(&self, places: &[usize]) -> Result<Array2<f64>, DataError> {
        let x = match places.iter().copied().eq(0..self.columns.len()) {
            true => self.values().clone(),
            false => {
                // Row by row, as they lie in memory.
                let mut values = Vec::with_capacity(self.len() * places.len());
                for row in self.values().rows() {
                    values.extend(places.iter().map(|&column| row[column]));
                }
                Array2::from_shape_vec((self.len(), places.len()), values)
                    .map_err(|e| DataError::malformed(&self.path, e.to_string()))?
            }
        };
        // Without a way out of the loop, so that it is one of vectors.
        let finite = |x: &[f64]| x.iter().fold(true, |finite, value| finite & value.is_finite());
        if x.as_slice_memory_order().is_some_and(finite) {
            return Ok(x);
        }
        let bad = x.indexed_iter().find(|(_, value)| !value.is_finite());
        match bad {
            Some(((row, at), _)) => Err(self.bad_number(row, places[at])),
            None => Ok(x),
        }
    }

    fn values(&self) -> &Array2<f64> {
        match &self.cells {
            Cells::Text(text) => &text.numbers,
            Cells::Numbers(x) => x,
        }
    }

    /// The first row in which a column of text has some: one of whose cells, missing ones aside, at
    /// least half are no numbers. With fewer, those are mistakes in a column of numbers.
    fn text_in(&self, column: usize) -> Option<usize> {
        let Cells::Text(text) = &self.cells else { return None };
        if text.all_numbers[column] {
            return None;
        }
        let values = text.numbers.column(column);
        let mut first = None;
        let (mut present, mut texts) = (0, 0);
        for (row, value) in values.iter().enumerate() {
            if !value.is_nan() {
                present += 1;
            } else if !is_missing(text.cell(row, column)) {
                present += 1;
                texts += 1;
                first = first.or(Some(row));
            }
        }
        first.filter(|_| 2 * texts >= present)
    }

    /// Why a column of text may be one of numbers, as far as the form of a cell tells.
    fn text_hint(&self, row: usize, column: usize) -> &'static str {
        match &self.cells {
            Cells::Text(text) => {
                let separates = text.grid.separator == Separator::Comma;
                cell::hint(text.cell(row, column), separates)
            }
            Cells::Numbers(_) => "",
        }
    }

    fn is_missing(&self, row: usize, column: usize) -> bool {
        match &self.cells {
            Cells::Text(text) => is_missing(text.cell(row, column)),
            Cells::Numbers(x) => x[(row, column)].is_nan(),
        }
    }

    fn bad_number(&self, row: usize, column: usize) -> DataError {
        if self.is_missing(row, column) {
            return self.missing(row, column);
        }
        let (place, text) = (self.place(row, column), self.text(row, column));
        let reason = match &self.cells {
            Cells::Text(cells) if self.values()[(row, column)].is_nan() => {
                let separates = cells.grid.separator == Separator::Comma;
                format!("{place}: `{text}` is not a number{}", cell::hint(&text, separates))
            }
            _ => format!("{place}: `{text}` is not a finite number"),
        };
        DataError::malformed(&self.path, reason)
    }

    fn missing(&self, row: usize, column: usize) -> DataError {
        let count = (0..self.len()).filter(|&row| self.is_missing(row, column)).count();
        let others = match count {
            1 => String::new(),
            n => format!(" (the first of {n} in this column)"),
        };
        let (place, name) = (self.place(row, column), &self.columns[column]);
        let written = match self.text(row, column) {
            text if text.is_empty() => String::new(),
            text => format!(", `{text}`"),
        };
        let reason = format!(
            "{place}: the value is missing{written}{others}: fill it in, leave out the row, or \
             leave out the column with --drop {name}"
        );
        DataError::malformed(&self.path, reason)
    }
}

/// Which marks the numbers of a file have.
#[derive(Clone, Copy, Default)]
struct Marks {
    point: bool,
    comma: bool,
}

/// What some rows hold.
struct Found {
    marks: Marks,
    all_numbers: Vec<bool>,
}

impl Text {
    /// The rows of the grid above the first of the table.
    fn below(&self) -> usize {
        usize::from(self.header.is_some())
    }

    fn cell(&self, row: usize, column: usize) -> &str {
        self.grid.cell(row + self.below(), column + self.first)
    }

    /// These rows, in this order.
    fn select(&self, rows: &[usize]) -> Self {
        let below = self.below();
        let kept: Vec<usize> = (0..below).chain(rows.iter().map(|row| row + below)).collect();
        let numbers = self.numbers.select(Axis(0), rows);
        // A cell that holds no number is NaN.
        let all_numbers = |column: ArrayView1<'_, f64>| !column.iter().any(|v| v.is_nan());
        Self {
            grid: self.grid.select(&kept),
            header: self.header.clone(),
            all_numbers: numbers.columns().into_iter().map(all_numbers).collect(),
            numbers,
            ..*self
        }
    }

    /// Fills `numbers`, `(n, d)`.
    fn parse_numbers(&mut self, n: usize, d: usize) -> Marks {
        /// Rows that are parsed together.
        const ROWS: usize = 256;
        let mut values = vec![f64::NAN; n * d];
        let parse = |(piece, values): (usize, &mut [f64])| {
            let mut found = Found { marks: Marks::default(), all_numbers: vec![true; d] };
            for (i, row) in values.chunks_exact_mut(d).enumerate() {
                for (column, value) in row.iter_mut().enumerate() {
                    let cell = self.cell(piece * ROWS + i, column);
                    let Some(number) = cell::number(cell, self.comma) else {
                        found.all_numbers[column] = false;
                        continue;
                    };
                    // Where no comma is a decimal one, nobody asks.
                    if self.comma {
                        found.marks.point |= cell.contains('.');
                        found.marks.comma |= cell.contains(',');
                    }
                    *value = number;
                }
            }
            found
        };
        #[cfg(feature = "threads")]
        let pieces = values.par_chunks_mut(ROWS * d).enumerate().map(parse).collect::<Vec<_>>();
        #[cfg(not(feature = "threads"))]
        let pieces = values.chunks_mut(ROWS * d).enumerate().map(parse).collect::<Vec<_>>();
        self.numbers = Array2::from_shape_vec((n, d), values).unwrap_or_default();
        self.all_numbers = vec![true; d];
        let mut marks = Marks::default();
        for piece in pieces {
            marks.point |= piece.marks.point;
            marks.comma |= piece.marks.comma;
            self.all_numbers.iter_mut().zip(piece.all_numbers).for_each(|(all, here)| *all &= here);
        }
        marks
    }
}

/// The most columns, 2²¹: their names, which are there even in a file that has none, take a hundred
/// times the bytes of a short line.
const MAX_COLUMNS: usize = 1 << 21;

fn check_width(width: usize) -> Result<(), String> {
    match width <= MAX_COLUMNS {
        true => Ok(()),
        false => Err(format!(
            "{width} columns: expected at most {MAX_COLUMNS}; wider rows can be sparse (svmlight, or \
             `scipy.sparse.save_npz`)"
        )),
    }
}

fn numbered(width: usize) -> Vec<String> {
    (1..=width).map(|i| i.to_string()).collect()
}

/// Where each name is; of equal names the last.
fn index(columns: &[String]) -> HashMap<String, usize> {
    columns.iter().enumerate().map(|(i, name)| (name.clone(), i)).collect()
}

/// A number in the shortest form that reads back as the same one.
pub fn shortest(value: f64) -> String {
    match value.fract() == 0.0 && value.abs() < 1e15 {
        true => format!("{value}"),
        false => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests;
