//! Sparse rows as samples: they become dense in a batch alone.
//!
//! Normalisations that keep zeros (a scale, unit length) change the entries at once. Those that move
//! zeros (a z-score) wait, and are applied to the rows that a batch asks for: the same arithmetic on
//! the same numbers as for dense rows.

use ndarray::Array2;

use super::normalise::Fitted;
use super::sparse::{self, Moments, Sparse, SparseError};
use super::{DataError, Samples};

/// That there are sparse rows at all: files alone have them. Without `files` it has no value, and neither
/// have [`SparseRows`]: the compiler leaves out what is done with them, wherever that is.
#[cfg(feature = "files")]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Known;

#[cfg(not(feature = "files"))]
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {}

/// Rows `(n, d)` that are sparse until they are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseRows {
    known: Known,
    matrix: Sparse,
    /// Steps that give zeros another value, in their order. None is a sequence.
    waiting: Vec<Fitted>,
    /// What these make of a row of zeros, `(d,)`, where each works column by column.
    background: Option<Vec<f64>>,
}

#[cfg(feature = "files")]
impl From<Sparse> for SparseRows {
    fn from(matrix: Sparse) -> Self {
        Self::new(Known, matrix)
    }
}

impl SparseRows {
    fn new(known: Known, matrix: Sparse) -> Self {
        Self { known, matrix, waiting: Vec::new(), background: None }
    }

    /// n.
    pub fn len(&self) -> usize {
        self.matrix.rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// d.
    pub fn columns(&self) -> usize {
        self.matrix.columns()
    }

    /// The rows as a sparse matrix; none once a normalisation has moved the zeros.
    pub fn matrix(&self) -> Option<&Sparse> {
        self.waiting.is_empty().then_some(&self.matrix)
    }

    /// The rows at `index`, in that order. Panics when one is out of range.
    pub fn select(&self, index: &[usize]) -> Self {
        self.with(self.matrix.select(index))
    }

    /// Other rows that went through the same steps.
    fn with(&self, matrix: Sparse) -> Self {
        let Self { known, waiting, background, .. } = self;
        Self { known: *known, matrix, waiting: waiting.clone(), background: background.clone() }
    }

    /// The rows of `self`, then those of `other`.
    ///
    /// # Errors
    /// Other columns; zeros that normalisations have moved to different places.
    pub fn stacked(&self, other: &Self) -> Result<Self, SparseError> {
        if self.waiting != other.waiting {
            let (what, expected) = ("normalisations", "the same ones on all rows".to_owned());
            return Err(SparseError::Parts { what, expected, got: "other ones".into() });
        }
        self.matrix.stacked(&other.matrix).map(|matrix| self.with(matrix))
    }

    /// Writes a dense row to `out` `(d,)`. Panics when the row is out of range or `out` has another
    /// length.
    pub fn write_row(&self, row: usize, out: &mut [f64]) {
        match &self.background {
            Some(background) => {
                out.copy_from_slice(background);
                for (column, value) in self.matrix.iter_row(row) {
                    out[column] = through(&self.waiting, column, value);
                }
            }
            None => {
                out.fill(0.0);
                self.matrix.scatter(row, out);
                self.waiting.iter().for_each(|step| apply_to_row(step, out));
            }
        }
    }

    /// The rows at `index` in single precision, one after the other. Panics when one is out of range.
    pub fn gather(&self, index: &[usize]) -> Vec<f32> {
        let mut values = Vec::with_capacity(index.len() * self.columns());
        let mut dense = vec![0.0; self.columns()];
        for &row in index {
            self.write_row(row, &mut dense);
            values.extend(dense.iter().map(|&v| v as f32));
        }
        values
    }

    /// The dense matrix `(n, d)`.
    ///
    /// # Errors
    /// [`SparseError::TooLarge`].
    pub fn to_dense(&self) -> Result<Array2<f64>, SparseError> {
        sparse::check_dense(self.len(), self.columns(), sparse::MAX_DENSE)?;
        let mut x = Array2::zeros((self.len(), self.columns()));
        let mut dense = vec![0.0; self.columns()];
        for (row, mut out) in x.rows_mut().into_iter().enumerate() {
            self.write_row(row, &mut dense);
            out.iter_mut().zip(&dense).for_each(|(out, &v)| *out = v);
        }
        Ok(x)
    }

    /// The first number, row and column from 0, that is not finite in single precision.
    pub fn first_not_finite(&self) -> Option<(usize, usize, f32)> {
        let bad = |(column, value): (usize, f64)| {
            let value = value as f32;
            (!value.is_finite()).then_some((column, value))
        };
        if self.is_empty() {
            return None;
        }
        if self.waiting.is_empty() {
            let of_row = |row| Some((row, self.matrix.iter_row(row).find_map(bad)?));
            return (0..self.len()).find_map(of_row).map(|(row, (column, v))| (row, column, v));
        }
        let mut dense = vec![0.0; self.columns()];
        let background = self.background.iter().flatten().copied().enumerate().find_map(bad);
        (0..self.len()).find_map(|row| {
            let found = match (&self.background, background) {
                // Without bad zeros the entries decide.
                (Some(_), None) => self
                    .matrix
                    .iter_row(row)
                    .map(|(column, v)| (column, through(&self.waiting, column, v)))
                    .find_map(bad),
                _ => {
                    self.write_row(row, &mut dense);
                    dense.iter().copied().enumerate().find_map(bad)
                }
            };
            found.map(|(column, value)| (row, column, value))
        })
    }

    /// Mean and deviation of every column, with n − ddof; none unless n > ddof.
    pub fn moments(&self, ddof: u8) -> Option<Moments> {
        if self.waiting.is_empty() {
            return self.matrix.moments(None, ddof.into());
        }
        let (n, d) = (self.len(), self.columns());
        let freedom = n.checked_sub(ddof.into()).filter(|&f| f > 0)?;
        let mut dense = vec![0.0; d];
        self.write_row(0, &mut dense);
        let (first, mut constant) = (dense.clone(), vec![true; d]);
        let mut mean = ndarray::Array1::<f64>::zeros(d);
        for row in 0..n {
            self.write_row(row, &mut dense);
            for (column, &v) in dense.iter().enumerate() {
                mean[column] += v;
                constant[column] &= v == first[column];
            }
        }
        mean /= n as f64;
        let mut squares = ndarray::Array1::<f64>::zeros(d);
        for row in 0..n {
            self.write_row(row, &mut dense);
            dense.iter().enumerate().for_each(|(j, v)| squares[j] += (v - mean[j]).powi(2));
        }
        let mut deviation = (squares / freedom as f64).mapv(f64::sqrt);
        for column in (0..d).filter(|&column| constant[column]) {
            // A mean of equal numbers may be off by a rounding.
            (mean[column], deviation[column]) = (first[column], 0.0);
        }
        Some(Moments { mean, deviation })
    }

    /// The normalised rows.
    ///
    /// # Errors
    /// Another number of features than `step` was fitted on; a step for images; numbers that overflow.
    pub fn normalised(mut self, step: &Fitted) -> Result<Self, DataError> {
        let known = self.known;
        match step {
            Fitted::Sequence(steps) => steps.iter().try_fold(self, Self::normalised),
            Fitted::PerImageMean => {
                let reason = "expected images (n, c, h, w), got features";
                Err(DataError::unusable("normalisation per_image_mean", reason))
            }
            Fitted::Affine { shift, scale } => {
                let d = self.columns();
                if (shift.len() != 1 && shift.len() != d) || scale.len() != shift.len() {
                    let reason = format!("fitted on {} features, applied to {d}", shift.len());
                    return Err(DataError::unusable("normalisation affine", reason));
                }
                if self.waiting.is_empty() && shift.iter().all(|&shift| shift == 0.0) {
                    let matrix = self.matrix.divided_columns(scale);
                    let rows = matrix.map(|matrix| Self::new(known, matrix));
                    return rows.map_err(|e| overflow("affine", &e));
                }
                let elementwise = self.waiting.is_empty() || self.background.is_some();
                let zeros = self.background.take().unwrap_or_else(|| vec![0.0; d]);
                let step = step.clone();
                self.background = elementwise.then(|| {
                    let moved = zeros.into_iter().enumerate();
                    moved.map(|(column, v)| affine(shift, scale, column, v)).collect()
                });
                self.waiting.push(step);
                Ok(self)
            }
            Fitted::L1Rows | Fitted::L2Rows if self.waiting.is_empty() => {
                let norms = match step {
                    Fitted::L1Rows => self.matrix.row_sums_of_moduli(),
                    _ => self.matrix.row_norms(),
                };
                let matrix = self.matrix.divided_rows(&norms);
                let rows = matrix.map(|matrix| Self::new(known, matrix));
                rows.map_err(|e| overflow("rows", &e))
            }
            Fitted::L1Rows | Fitted::L2Rows => {
                self.background = None;
                self.waiting.push(step.clone());
                Ok(self)
            }
        }
    }
}

fn overflow(step: &str, error: &SparseError) -> DataError {
    DataError::unusable(format!("normalisation {step}"), error.to_string())
}

fn affine(shift: &[f64], scale: &[f64], column: usize, value: f64) -> f64 {
    let of = |v: &[f64]| if v.len() == 1 { v[0] } else { v[column] };
    (value - of(shift)) / of(scale)
}

/// An entry after steps that work column by column.
fn through(steps: &[Fitted], column: usize, value: f64) -> f64 {
    steps.iter().fold(value, |value, step| match step {
        Fitted::Affine { shift, scale } => affine(shift, scale, column, value),
        _ => value,
    })
}

fn apply_to_row(step: &Fitted, row: &mut [f64]) {
    let norm = match step {
        Fitted::Affine { shift, scale } => {
            let each = row.iter_mut().enumerate();
            return each.for_each(|(column, v)| *v = affine(shift, scale, column, *v));
        }
        Fitted::L1Rows => row.iter().map(|v| v.abs()).sum(),
        Fitted::L2Rows => sparse::norm(row),
        // Never waiting.
        Fitted::PerImageMean | Fitted::Sequence(_) => return,
    };
    if norm > 0.0 {
        row.iter_mut().for_each(|v| *v /= norm);
    }
}

impl Samples {
    /// Samples of a sparse matrix: sparse where that is worth it, which is when the dense matrix would
    /// have more than 2²² numbers (32 MiB) and at most a third of them are entries.
    ///
    /// # Errors
    /// None for a matrix that is worth it; [`SparseError::TooLarge`] otherwise.
    #[cfg(feature = "files")]
    pub fn from_sparse(matrix: Sparse) -> Result<Self, SparseError> {
        const SMALL: f64 = (1 << 22) as f64;
        let numbers = matrix.rows() as f64 * matrix.columns() as f64;
        if numbers > SMALL && matrix.density() <= 1.0 / 3.0 {
            return Ok(Self::Sparse(matrix.into()));
        }
        matrix.to_dense().map(Self::Features)
    }

    /// The rows of `self`, then those of `other`, of which one at least is sparse; dense rows become
    /// sparse where their zeros are where they were.
    pub(super) fn join_sparse(&self, other: &Self) -> Option<Result<Self, SparseError>> {
        let known = match (self, other) {
            (Self::Sparse(x), _) | (_, Self::Sparse(x)) => x.known,
            _ => return None,
        };
        let sparse = |samples: &Self| match samples {
            Self::Sparse(x) => Some(Ok(x.clone())),
            Self::Features(x) => {
                let matrix = Sparse::from_dense(x.view());
                Some(matrix.map(|matrix| SparseRows::new(known, matrix)))
            }
            _ => None,
        };
        let (a, b) = (sparse(self)?, sparse(other)?);
        Some(a.and_then(|a| a.stacked(&b?)).map(Self::Sparse))
    }
}

#[cfg(feature = "files")]
#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::data::normalise::Normalisation;

    fn rows(x: &Array2<f64>) -> SparseRows {
        Sparse::from_dense(x.view()).unwrap().into()
    }

    /// The normalised rows, sparse and dense in single precision.
    fn both(choice: &Normalisation, x: &Array2<f64>) -> [Vec<f32>; 2] {
        let sparse = Samples::Sparse(rows(x));
        let fitted = choice.fit(&sparse).unwrap();
        let Samples::Sparse(sparse) = fitted.apply(sparse).unwrap() else { panic!("dense") };
        let dense = Samples::Features(x.clone());
        let fitted = choice.fit(&dense).unwrap();
        let Samples::Features(dense) = fitted.apply(dense).unwrap() else { panic!("features") };
        let all: Vec<usize> = (0..x.nrows()).collect();
        [sparse.gather(&all), dense.iter().map(|&v| v as f32).collect()]
    }

    fn assert_close(choice: &Normalisation, x: &Array2<f64>) {
        let [sparse, dense] = both(choice, x);
        for (s, d) in sparse.iter().zip(&dense) {
            assert!((s - d).abs() <= 1e-5 * d.abs().max(1.0), "{choice:?}: {sparse:?}, {dense:?}");
        }
    }

    fn choices() -> Vec<Normalisation> {
        let z = || Normalisation::ZScore { ddof: 0 };
        let range = Normalisation::UnitRange { min: -2.0, max: 3.0 };
        vec![
            Normalisation::None,
            Normalisation::Scale { divisor: 4.0 },
            range.clone(),
            z(),
            Normalisation::L1Rows,
            Normalisation::L2Rows,
            Normalisation::Sequence(vec![range, z(), Normalisation::Scale { divisor: 3.0 }]),
        ]
    }

    #[test]
    fn a_z_score_before_and_after_unit_lengths() {
        let x = array![[0.0, 2.0, 1.0], [4.0, 0.0, 0.5], [1.0, 1.0, 0.0], [0.0, 0.0, 3.0]];
        let z = || Normalisation::ZScore { ddof: 0 };
        assert_close(&Normalisation::Sequence(vec![Normalisation::L2Rows, z()]), &x);
        assert_close(&Normalisation::Sequence(vec![z(), Normalisation::L2Rows, z()]), &x);
        assert_close(&Normalisation::Sequence(vec![z(), Normalisation::L1Rows]), &x);
    }

    #[test]
    fn zeros_that_move_wait_and_others_do_not() {
        let x = array![[0.0, 2.0, 0.0], [4.0, 0.0, 0.0]];
        let all = |rows: &SparseRows| rows.gather(&[1, 0]);
        let scaled = Fitted::Affine { shift: vec![0.0; 3], scale: vec![2.0, 4.0, 1.0] };
        let scaled = rows(&x).normalised(&scaled).unwrap();
        assert!(scaled.matrix().is_some());
        assert_eq!(all(&scaled), [2.0, 0.0, 0.0, 0.0, 0.5, 0.0]);
        let moved = Fitted::Affine { shift: vec![1.0], scale: vec![2.0] };
        let moved = scaled.normalised(&moved).unwrap();
        assert!(moved.matrix().is_none());
        assert_eq!(all(&moved), [0.5, -0.5, -0.5, -0.5, -0.25, -0.5]);
        assert_eq!(moved.select(&[1]).gather(&[0]), [0.5, -0.5, -0.5]);
        assert_eq!(moved.to_dense().unwrap(), array![[-0.5, -0.25, -0.5], [0.5, -0.5, -0.5]]);
        let unit = moved.clone().normalised(&Fitted::L1Rows).unwrap();
        assert_eq!(all(&unit)[..3], [1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0].map(|v: f64| v as f32));
        assert_eq!(moved.stacked(&moved.select(&[0])).unwrap().len(), 3);
        assert!(moved.stacked(&rows(&x)).is_err());
        let other = Fitted::Affine { shift: vec![1.0; 2], scale: vec![2.0; 2] };
        let message = rows(&x).normalised(&other).unwrap_err().to_string();
        assert_eq!(message, "normalisation affine: fitted on 2 features, applied to 3");
        let message = rows(&x).normalised(&Fitted::PerImageMean).unwrap_err().to_string();
        assert!(message.contains("expected images"), "{message}");
    }

    #[test]
    fn what_single_precision_does_not_hold_is_found() {
        let x = array![[0.0, 1.0], [0.0, 1e39]];
        assert_eq!(rows(&x).first_not_finite(), Some((1, 1, f32::INFINITY)));
        let smaller = Fitted::Affine { shift: vec![1.0], scale: vec![1e10] };
        let smaller = rows(&x).normalised(&smaller).unwrap();
        assert_eq!(smaller.first_not_finite(), None);
        let larger = Fitted::Affine { shift: vec![1.0, 0.0], scale: vec![1e-40, 1.0] };
        let larger = smaller.normalised(&larger).unwrap();
        assert_eq!(larger.first_not_finite(), Some((0, 0, f32::NEG_INFINITY)));
    }

    #[test]
    fn small_and_full_matrices_become_dense() {
        let small = Sparse::from_triplets((3, 3), &[(1, 1, 5.0)]).unwrap();
        assert!(matches!(Samples::from_sparse(small), Ok(Samples::Features(_))));
        let wide = Sparse::from_triplets((3, 1 << 24), &[(1, 1, 5.0)]).unwrap();
        assert!(matches!(Samples::from_sparse(wide), Ok(Samples::Sparse(_))));
    }

    #[test]
    fn a_column_of_one_value_becomes_zeros() {
        let x = array![[0.1, 0.0, 1.0], [0.1, 0.0, 0.0], [0.1, 0.0, 0.0]];
        let [sparse, _] = both(&Normalisation::ZScore { ddof: 1 }, &x);
        assert!(sparse.chunks(3).all(|row| row[0] == 0.0 && row[1] == 0.0));
        let again = Normalisation::Sequence(vec![Normalisation::ZScore { ddof: 1 }; 2]);
        assert_close(&again, &x);
        let one = Samples::Sparse(rows(&array![[1.0, 0.0]]));
        let message = Normalisation::ZScore { ddof: 1 }.fit(&one).unwrap_err().to_string();
        assert!(message.contains("1 rows with ddof = 1: expected more"), "{message}");
        let message = Normalisation::channel_stats(&one).unwrap_err().to_string();
        assert!(message.contains("got features"), "{message}");
    }

    proptest! {
        #[test]
        fn normalised_as_dense_rows_are(
            values in prop::collection::vec(prop_oneof![2 => Just(0i8), 1 => -9i8..9], 12..30),
        ) {
            let x = Array2::from_shape_fn((values.len() / 3, 3), |(i, j)| f64::from(values[3 * i + j]) / 4.0);
            for choice in choices() {
                assert_close(&choice, &x);
            }
        }
    }
}
