//! Matrices of which most entries are 0: compressed sparse rows in double precision.
//!
//! A matrix `(n, d)` has the columns and the values of its entries, row after row, and for every row
//! the place of its first entry. Within a row columns ascend, and no entry is 0: equal matrices have
//! equal parts, however they were given. Sums are taken in the order of the rows, so that they are
//! those of the dense matrix, to which zeros add nothing.
//!
//! Sizes in files are no bound of memory: one index decides over the width of all rows, and a shape is
//! two numbers. Nothing here allocates more than the entries, the rows and one number a column, except
//! [`Sparse::to_dense`], which has a limit.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// The most columns, 2²⁵: one number a column is 256 MiB then.
pub const MAX_COLUMNS: usize = 1 << 25;

/// The most bytes of a dense matrix, 4 GiB.
pub const MAX_DENSE: u64 = 4 << 30;

/// What is wrong with a sparse matrix.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SparseError {
    /// Parts that do not fit together.
    #[error("{what}: expected {expected}, got {got}")]
    Parts {
        /// The part.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// More columns than one number a column may have.
    #[error("{columns} columns: expected at most {MAX_COLUMNS}")]
    Columns {
        /// The columns.
        columns: usize,
    },
    /// A shape with far more rows than the entries account for.
    #[error("{rows} rows for {entries} entries: nearly all rows would be empty")]
    Rows {
        /// The rows.
        rows: usize,
        /// The entries.
        entries: usize,
    },
    /// An entry outside of the matrix.
    #[error(
        "row {row} has an entry in column {column} (both from 0), beyond the {columns} columns"
    )]
    Outside {
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
        /// The columns that there are.
        columns: usize,
    },
    /// A value that is NaN or infinite.
    #[error("row {row}, column {column} (both from 0) is {value}: expected finite numbers")]
    NotFinite {
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
        /// The value.
        value: f64,
    },
    /// A dense matrix that is past the limit.
    #[error(
        "{rows} rows of {columns} columns are {} as a dense matrix: the limit is {}; select rows or \
         columns first, or use a method that takes sparse rows",
        gibibytes(dense_bytes(*.rows, *.columns)), gibibytes(*.limit)
    )]
    TooLarge {
        /// The rows.
        rows: usize,
        /// The columns.
        columns: usize,
        /// Bytes.
        limit: u64,
    },
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

fn dense_bytes(rows: usize, columns: usize) -> u64 {
    (rows as u64).saturating_mul(columns as u64).saturating_mul(8)
}

/// A sparse matrix `(n, d)` of finite numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse {
    columns: usize,
    /// Where the entries of every row begin, and where the last ones end: n + 1 of them.
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
}

/// Means and deviations of columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// `(d,)`.
    pub mean: Array1<f64>,
    /// `(d,)`; 0 for a column of one value.
    pub deviation: Array1<f64>,
}

impl Sparse {
    /// A matrix of d `columns`: the entries of row i are those from `starts[i]` up to
    /// `starts[i + 1]`, the first of `starts` is 0, and there may be more entries than the last one
    /// says, which are left out. Columns in any order are sorted, entries of one place are added, zeros
    /// are left out.
    ///
    /// # Errors
    /// [`SparseError`]: parts that do not fit together, an entry beyond the columns, one that is not
    /// finite, too many columns.
    pub fn new(
        columns: usize,
        starts: Vec<usize>,
        mut indices: Vec<u32>,
        mut values: Vec<f64>,
    ) -> Result<Self, SparseError> {
        let parts =
            |what, expected: String, got: String| Err(SparseError::Parts { what, expected, got });
        if columns > MAX_COLUMNS {
            return Err(SparseError::Columns { columns });
        }
        if indices.len() != values.len() {
            let expected = format!("{}, one a value", values.len());
            return parts("column indices", expected, indices.len().to_string());
        }
        let (Some(&0), Some(&end)) = (starts.first(), starts.last()) else {
            let got = starts.first().map_or("none".to_owned(), ToString::to_string);
            return parts("row starts", "the first to be 0".into(), got);
        };
        if let Some(row) = starts.windows(2).position(|pair| pair[0] > pair[1]) {
            let expected = format!("at least {} after row {row}", starts[row]);
            return parts("row starts", expected, starts[row + 1].to_string());
        }
        if end > values.len() {
            let expected = format!("at most {}, the number of entries", values.len());
            return parts("row starts", expected, end.to_string());
        }
        indices.truncate(end);
        values.truncate(end);
        let mut matrix = Self { columns, starts, indices, values };
        let mut canonical = true;
        for row in 0..matrix.rows() {
            let (indices, values) = matrix.row(row);
            canonical &= indices.is_sorted_by(|a, b| a < b);
            for (&column, &value) in indices.iter().zip(values) {
                let column = column as usize;
                if column >= columns {
                    return Err(SparseError::Outside { row, column, columns });
                }
                if !value.is_finite() {
                    return Err(SparseError::NotFinite { row, column, value });
                }
                canonical &= value != 0.0;
            }
        }
        if !canonical {
            matrix.canonicalise()?;
        }
        Ok(matrix)
    }

    /// A matrix `(rows, columns)` of entries (row, column, value) in any order, as [`Sparse::new`]
    /// takes them.
    ///
    /// # Errors
    /// As [`Sparse::new`]; [`SparseError::Rows`] where next to all rows are empty.
    pub fn from_triplets(
        (rows, columns): (usize, usize),
        entries: &[(usize, usize, f64)],
    ) -> Result<Self, SparseError> {
        check_row_count(rows, entries.len())?;
        if columns > MAX_COLUMNS {
            return Err(SparseError::Columns { columns });
        }
        let mut starts = vec![0; rows + 1];
        for &(row, column, _) in entries {
            if row >= rows {
                let (what, expected) = ("row indices", format!("numbers below {rows}"));
                return Err(SparseError::Parts { what, expected, got: row.to_string() });
            }
            if column >= columns {
                return Err(SparseError::Outside { row, column, columns });
            }
            starts[row + 1] += 1;
        }
        (0..rows).for_each(|row| starts[row + 1] += starts[row]);
        let mut next = starts.clone();
        let (mut indices, mut values) = (vec![0; entries.len()], vec![0.0; entries.len()]);
        for &(row, column, value) in entries {
            // Below `MAX_COLUMNS`.
            indices[next[row]] = column as u32;
            values[next[row]] = value;
            next[row] += 1;
        }
        Self::new(columns, starts, indices, values)
    }

    /// The entries of a dense matrix.
    ///
    /// # Errors
    /// As [`Sparse::new`].
    pub fn from_dense(x: ArrayView2<'_, f64>) -> Result<Self, SparseError> {
        if x.ncols() > MAX_COLUMNS {
            return Err(SparseError::Columns { columns: x.ncols() });
        }
        let (mut starts, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
        for row in x.rows() {
            for (column, &value) in row.iter().enumerate().filter(|(_, v)| **v != 0.0) {
                indices.push(column as u32);
                values.push(value);
            }
            starts.push(values.len());
        }
        Self::new(x.ncols(), starts, indices, values)
    }

    /// Sorts every row, adds up entries of one place, and leaves out zeros.
    fn canonicalise(&mut self) -> Result<(), SparseError> {
        let mut order: Vec<(u32, f64)> = Vec::new();
        let mut kept = 0;
        for row in 0..self.rows() {
            let (from, to) = (self.starts[row], self.starts[row + 1]);
            order.clear();
            order.extend(
                self.indices[from..to].iter().copied().zip(self.values[from..to].iter().copied()),
            );
            // A stable sort, so that equal places are added in their order.
            order.sort_by_key(|&(column, _)| column);
            self.starts[row] = kept;
            for same in order.chunk_by(|a, b| a.0 == b.0) {
                let (column, value) = (same[0].0, same.iter().map(|(_, v)| v).sum::<f64>());
                if !value.is_finite() {
                    return Err(SparseError::NotFinite { row, column: column as usize, value });
                }
                if value != 0.0 {
                    self.indices[kept] = column;
                    self.values[kept] = value;
                    kept += 1;
                }
            }
        }
        if let Some(end) = self.starts.last_mut() {
            *end = kept;
        }
        self.indices.truncate(kept);
        self.values.truncate(kept);
        Ok(())
    }

    /// n.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// d.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The number of entries that are not 0.
    pub fn entries(&self) -> usize {
        self.values.len()
    }

    /// The share of entries that are not 0; 0 for a matrix without places.
    pub fn density(&self) -> f64 {
        let places = self.rows() as f64 * self.columns as f64;
        if places > 0.0 { self.entries() as f64 / places } else { 0.0 }
    }

    /// The bytes of its parts.
    pub fn bytes(&self) -> usize {
        self.entries() * (size_of::<u32>() + size_of::<f64>())
            + self.starts.len() * size_of::<usize>()
    }

    /// The columns, ascending, and the values of the entries of a row. Panics when it is out of range.
    pub fn row(&self, row: usize) -> (&[u32], &[f64]) {
        let entries = self.starts[row]..self.starts[row + 1];
        (&self.indices[entries.clone()], &self.values[entries])
    }

    /// The entries of a row by column. Panics when it is out of range.
    pub fn iter_row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let (indices, values) = self.row(row);
        indices.iter().zip(values).map(|(&column, &value)| (column as usize, value))
    }

    /// The rows at `index`, in that order. Panics when one is out of range.
    pub fn select(&self, index: &[usize]) -> Self {
        let entries = index.iter().map(|&row| self.starts[row + 1] - self.starts[row]).sum();
        let (mut indices, mut values) = (Vec::with_capacity(entries), Vec::with_capacity(entries));
        let mut starts = Vec::with_capacity(index.len() + 1);
        starts.push(0);
        for &row in index {
            let (columns, numbers) = self.row(row);
            indices.extend_from_slice(columns);
            values.extend_from_slice(numbers);
            starts.push(values.len());
        }
        Self { columns: self.columns, starts, indices, values }
    }

    /// The rows of `self`, then those of `other`.
    ///
    /// # Errors
    /// [`SparseError::Parts`] for other columns.
    pub fn stacked(&self, other: &Self) -> Result<Self, SparseError> {
        if self.columns != other.columns {
            let (expected, got) = (self.columns.to_string(), other.columns.to_string());
            return Err(SparseError::Parts { what: "columns", expected, got });
        }
        let mut all = self.clone();
        let end = self.entries();
        all.starts.extend(other.starts[1..].iter().map(|start| end + start));
        all.indices.extend_from_slice(&other.indices);
        all.values.extend_from_slice(&other.values);
        Ok(all)
    }

    /// The same entries in a matrix of `columns` columns: two files of one data set can disagree where
    /// one of them has no entry in the last columns.
    ///
    /// # Errors
    /// [`SparseError::Outside`] when an entry would be lost; [`SparseError::Columns`].
    pub fn widen(mut self, columns: usize) -> Result<Self, SparseError> {
        if columns > MAX_COLUMNS {
            return Err(SparseError::Columns { columns });
        }
        if columns < self.columns
            && let Some(at) = self.indices.iter().position(|&index| index as usize >= columns)
        {
            let row = self.starts.partition_point(|&start| start <= at) - 1;
            return Err(SparseError::Outside { row, column: self.indices[at] as usize, columns });
        }
        self.columns = columns;
        Ok(self)
    }

    /// The same matrix behind `by` new columns of zeros: what was counted from 1 and is counted from 0.
    ///
    /// # Errors
    /// [`SparseError::Columns`].
    pub fn shifted(mut self, by: usize) -> Result<Self, SparseError> {
        let columns = self.columns.saturating_add(by);
        if columns > MAX_COLUMNS {
            return Err(SparseError::Columns { columns });
        }
        // Every index stays below `columns`.
        self.indices.iter_mut().for_each(|index| *index += by as u32);
        self.columns = columns;
        Ok(self)
    }

    /// Aᵀ `(d, n)`.
    ///
    /// # Errors
    /// [`SparseError::Columns`] for more rows than a matrix may have columns.
    pub fn transposed(&self) -> Result<Self, SparseError> {
        let columns = self.rows();
        if columns > MAX_COLUMNS {
            return Err(SparseError::Columns { columns });
        }
        let mut starts = vec![0; self.columns + 1];
        self.indices.iter().for_each(|&index| starts[index as usize + 1] += 1);
        (0..self.columns).for_each(|column| starts[column + 1] += starts[column]);
        let mut next = starts.clone();
        let (mut indices, mut values) = (vec![0; self.entries()], vec![0.0; self.entries()]);
        for row in 0..columns {
            for (column, value) in self.iter_row(row) {
                let at = &mut next[column];
                indices[*at] = row as u32;
                values[*at] = value;
                *at += 1;
            }
        }
        Ok(Self { columns, starts, indices, values })
    }

    /// A B `(n, k)` for B `(d, k)`.
    ///
    /// # Panics
    /// If B has not d rows.
    pub fn dot(&self, b: ArrayView2<'_, f64>) -> Array2<f64> {
        assert_eq!(b.nrows(), self.columns, "rows of the right factor");
        let mut out = Array2::zeros((self.rows(), b.ncols()));
        for (row, mut out) in out.rows_mut().into_iter().enumerate() {
            for (column, value) in self.iter_row(row) {
                out.scaled_add(value, &b.row(column));
            }
        }
        out
    }

    /// A x `(n,)` for x `(d,)`.
    ///
    /// # Panics
    /// If x has not d numbers.
    pub fn dot_vector(&self, x: ArrayView1<'_, f64>) -> Array1<f64> {
        assert_eq!(x.len(), self.columns, "numbers of the vector");
        let of_row = |row| self.iter_row(row).map(|(column, value)| value * x[column]).sum();
        (0..self.rows()).map(of_row).collect()
    }

    /// Aᵀ B `(d, k)` for B `(n, k)`.
    ///
    /// # Panics
    /// If B has not n rows.
    pub fn t_dot(&self, b: ArrayView2<'_, f64>) -> Array2<f64> {
        assert_eq!(b.nrows(), self.rows(), "rows of the right factor");
        let mut out = Array2::zeros((self.columns, b.ncols()));
        for (row, b) in b.rows().into_iter().enumerate() {
            for (column, value) in self.iter_row(row) {
                out.row_mut(column).scaled_add(value, &b);
            }
        }
        out
    }

    /// Aᵀ y `(d,)` for y `(n,)`.
    ///
    /// # Panics
    /// If y has not n numbers.
    pub fn t_dot_vector(&self, y: ArrayView1<'_, f64>) -> Array1<f64> {
        assert_eq!(y.len(), self.rows(), "numbers of the vector");
        let mut out = Array1::zeros(self.columns);
        for (row, &y) in y.iter().enumerate() {
            self.iter_row(row).for_each(|(column, value)| out[column] += value * y);
        }
        out
    }

    /// Σ_i a_ij `(d,)`.
    pub fn column_sums(&self) -> Array1<f64> {
        self.fold_columns(0.0, |sum, value| sum + value)
    }

    /// Σ_i a_ij² `(d,)`.
    pub fn column_square_sums(&self) -> Array1<f64> {
        self.fold_columns(0.0, |sum, value| sum + value * value)
    }

    /// max_i |a_ij| `(d,)`.
    pub fn column_largest(&self) -> Array1<f64> {
        self.fold_columns(0.0, |largest, value| value.abs().max(largest))
    }

    /// The number of entries that are not 0 in every column, `(d,)`.
    pub fn column_counts(&self) -> Array1<usize> {
        self.fold_columns(0, |count, _| count + 1)
    }

    fn fold_columns<T: Clone>(&self, start: T, f: impl Fn(T, f64) -> T) -> Array1<T> {
        let mut out = Array1::from_elem(self.columns, start);
        for (&column, &value) in self.indices.iter().zip(&self.values) {
            let at = &mut out[column as usize];
            *at = f(at.clone(), value);
        }
        out
    }

    /// ‖a_i‖₁ `(n,)`.
    pub fn row_sums_of_moduli(&self) -> Array1<f64> {
        (0..self.rows()).map(|row| self.row(row).1.iter().map(|v| v.abs()).sum()).collect()
    }

    /// ‖a_i‖₂ `(n,)`, without overflow of the squares.
    pub fn row_norms(&self) -> Array1<f64> {
        (0..self.rows()).map(|row| norm(self.row(row).1)).collect()
    }

    /// Mean and deviation of every column over the rows, weighted by w > 0 `(n,)` where there are
    /// weights: x̄ = Σ_i w_i x_i / Σ_i w_i and s² = Σ_i w_i (x_i − x̄)² / (Σ_i w_i − ddof). None unless
    /// Σ_i w_i > ddof.
    ///
    /// # Panics
    /// If there are weights, and not n of them.
    pub fn moments(&self, w: Option<ArrayView1<'_, f64>>, ddof: f64) -> Option<Moments> {
        if let Some(w) = w {
            assert_eq!(w.len(), self.rows(), "weights");
        }
        let weight = |row: usize| w.map_or(1.0, |w| w[row]);
        let total: f64 = w.map_or(self.rows() as f64, |w| w.sum());
        (total > ddof).then_some(())?;
        // In units of powers of two, so that squares of very large and very small numbers do not
        // overflow or vanish, and no bit changes otherwise.
        let largest = self.column_largest();
        let unit = largest.mapv(|v| if v > 0.0 { 2f64.powi(exponent(v)) } else { 1.0 });
        let mut mean = Array1::<f64>::zeros(self.columns);
        let mut covered = Array1::<f64>::zeros(self.columns);
        let mut first = Array1::from_elem(self.columns, None);
        let mut constant = Array1::from_elem(self.columns, true);
        for row in 0..self.rows() {
            for (column, value) in self.iter_row(row) {
                mean[column] += weight(row) * (value / unit[column]);
                covered[column] += weight(row);
                constant[column] &= *first[column].get_or_insert(value) == value;
            }
        }
        mean /= total;
        let counts = self.column_counts();
        let n = self.rows();
        let mut squares = Array1::<f64>::zeros(self.columns);
        for row in 0..n {
            for (column, value) in self.iter_row(row) {
                squares[column] += weight(row) * (value / unit[column] - mean[column]).powi(2);
            }
        }
        for column in 0..self.columns {
            match counts[column] {
                // A mean of equal numbers may be off by a rounding.
                count if count == n && constant[column] => {
                    mean[column] = first[column].unwrap_or_default();
                    squares[column] = 0.0;
                    continue;
                }
                count if count < n => {
                    let rest = match w {
                        Some(_) => (total - covered[column]).max(0.0),
                        None => (n - count) as f64,
                    };
                    squares[column] += rest * mean[column].powi(2);
                }
                _ => {}
            }
            mean[column] *= unit[column];
        }
        let deviation = (squares / (total - ddof)).mapv(f64::sqrt) * unit;
        Some(Moments { mean, deviation })
    }

    /// Every column divided by its number of `scale` `(d,)`, or all by one.
    ///
    /// # Errors
    /// [`SparseError::NotFinite`] where that overflows, [`SparseError::Parts`] for another length.
    pub fn divided_columns(self, scale: &[f64]) -> Result<Self, SparseError> {
        if scale.len() != 1 && scale.len() != self.columns {
            let expected = format!("{}, one a column", self.columns);
            let got = scale.len().to_string();
            return Err(SparseError::Parts { what: "scales", expected, got });
        }
        let by = |column: usize| if scale.len() == 1 { scale[0] } else { scale[column] };
        self.mapped(|_, column, value| value / by(column))
    }

    /// Every row divided by its number of `norms` `(n,)`; those of norm 0 stay.
    ///
    /// # Errors
    /// [`SparseError::NotFinite`] where that overflows, [`SparseError::Parts`] for another length.
    pub fn divided_rows(self, norms: &Array1<f64>) -> Result<Self, SparseError> {
        if norms.len() != self.rows() {
            let (expected, got) = (format!("{}, one a row", self.rows()), norms.len().to_string());
            return Err(SparseError::Parts { what: "norms", expected, got });
        }
        self.mapped(|row, _, value| if norms[row] > 0.0 { value / norms[row] } else { value })
    }

    /// f(row, column, value) in place of every entry; f(…, 0) is 0.
    fn mapped(mut self, f: impl Fn(usize, usize, f64) -> f64) -> Result<Self, SparseError> {
        for row in 0..self.rows() {
            for at in self.starts[row]..self.starts[row + 1] {
                self.values[at] = f(row, self.indices[at] as usize, self.values[at]);
            }
        }
        let Self { columns, starts, indices, values } = self;
        // What became 0 goes, and what is not finite is found.
        Self::new(columns, starts, indices, values)
    }

    /// Adds the entries of a row to `out` `(d,)`. Panics when the row is out of range or `out` shorter.
    pub fn scatter(&self, row: usize, out: &mut [f64]) {
        self.iter_row(row).for_each(|(column, value)| out[column] += value);
    }

    /// The rows `from..to` as a dense matrix, for loops over blocks of rows. Panics when one is out of
    /// range.
    pub fn dense_rows(&self, from: usize, to: usize) -> Array2<f64> {
        let mut out = Array2::zeros((to - from, self.columns));
        for (row, mut out) in (from..to).zip(out.rows_mut()) {
            self.iter_row(row).for_each(|(column, value)| out[column] = value);
        }
        out
    }

    /// The dense matrix `(n, d)`.
    ///
    /// # Errors
    /// [`SparseError::TooLarge`] past [`MAX_DENSE`].
    pub fn to_dense(&self) -> Result<Array2<f64>, SparseError> {
        check_dense(self.rows(), self.columns, MAX_DENSE)?;
        Ok(self.dense_rows(0, self.rows()))
    }
}

/// Whether a dense matrix of so many rows and columns has at most `limit` bytes.
///
/// # Errors
/// [`SparseError::TooLarge`].
pub fn check_dense(rows: usize, columns: usize, limit: u64) -> Result<(), SparseError> {
    match dense_bytes(rows, columns) <= limit {
        true => Ok(()),
        false => Err(SparseError::TooLarge { rows, columns, limit }),
    }
}

/// Whether the entries account for so many rows: a shape alone must not ask for memory.
pub(super) fn check_row_count(rows: usize, entries: usize) -> Result<(), SparseError> {
    const FEW: usize = 1 << 16;
    match rows <= entries.saturating_mul(64).saturating_add(FEW) {
        true => Ok(()),
        false => Err(SparseError::Rows { rows, entries }),
    }
}

/// ⌊log₂ v⌋ of a positive number, within the range of normal numbers.
fn exponent(v: f64) -> i32 {
    (((v.to_bits() >> 52) & 0x7ff) as i32 - 1023).max(-1022)
}

/// ‖v‖₂ without overflow or underflow of the squares.
pub(super) fn norm(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let unit = 2f64.powi(exponent(largest));
    values.iter().map(|v| (v / unit).powi(2)).sum::<f64>().sqrt() * unit
}

#[cfg(test)]
mod tests;
