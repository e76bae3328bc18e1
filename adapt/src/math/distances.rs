//! Squared distances between the rows of two matrices, each right to rounding whatever the other
//! rows are.
//!
//! ```text
//! ‖x − y‖² = ‖x − c‖² + ‖y − c‖² − 2 (x − c)ᵀ(y − c)
//! ```
//! costs one matrix product, and loses what the distance is smaller by than the norms. So c lies
//! where most rows lie, at a median that no far row drags along; and a distance below a thousandth
//! of the norms' sum is computed again as Σ (x_k − y_k)². What is left of the identity has lost
//! three digits at most. Of rows with a few columns, differences are as fast as products and are all
//! there is.

use ndarray::{Array1, Array2, ArrayView2, Axis, CowArray, Ix2, Slice};

use super::{linalg, parallel};

/// Columns up to which differences are as fast as a product.
const FEW: usize = 8;

/// The share of the norms' sum below which the identity has lost too much.
const CANCELLED: f64 = 1e-3;

/// Rows that a centre is taken from: it has to be near most rows, and need not be exact.
const SAMPLE: usize = 65;

/// Distances that are worked on together: they stay in the nearest cache.
const STRIP: usize = 1024;

/// Rows Y `(m, d)` that distances are taken to, prepared once.
pub(crate) struct Anchors<'a> {
    rows: CowArray<'a, f64, Ix2>,
    by: By,
}

/// How distances come about.
enum By {
    /// Yᵀ `(d, m)`.
    Differences(Array2<f64>),
    Products(Centred),
}

/// Rows moved to a place among them.
pub(crate) struct Centred {
    /// c `(d,)`.
    pub(crate) centre: Array1<f64>,
    /// Y − 1cᵀ `(m, d)`.
    pub(crate) rows: Array2<f64>,
    /// ‖y − c‖² `(m,)`.
    pub(crate) norms: Array1<f64>,
}

impl Centred {
    pub(crate) fn new(rows: ArrayView2<'_, f64>) -> Self {
        let centre = centre(rows);
        let rows = &rows - &centre;
        let norms = squared_norms(&rows);
        Self { centre, rows, norms }
    }
}

impl<'a> Anchors<'a> {
    pub(crate) fn new(y: ArrayView2<'a, f64>) -> Self {
        let by = match y.ncols() {
            ..=FEW => By::Differences(y.t().as_standard_layout().into_owned()),
            _ => By::Products(Centred::new(y)),
        };
        let rows = match y.is_standard_layout() {
            true => CowArray::from(y),
            false => CowArray::from(y.as_standard_layout().into_owned()),
        };
        Self { rows, by }
    }

    /// ‖x_i − y_j‖² ≥ 0 of X `(n, d)`, `(n, m)`; ∞ where it overflows.
    ///
    /// # Panics
    /// If X has another number of columns.
    pub(crate) fn squared_distances(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        assert_eq!(x.ncols(), self.rows.ncols(), "columns of rows and anchors");
        match &self.by {
            By::Differences(columns) => differences(x, columns),
            By::Products(centred) => self.products(x, centred),
        }
    }

    fn products(&self, x: ArrayView2<'_, f64>, to: &Centred) -> Array2<f64> {
        let centred = &x - &to.centre;
        let norms = squared_norms(&centred);
        let mut out = linalg::dot(&centred, &to.rows.t());
        let x = x.as_standard_layout();
        let m = out.ncols();
        parallel::for_each_piece(out.as_slice_mut().unwrap_or_default(), m, |i, row| {
            let mut all_kept = true;
            for (d2, y2) in row.iter_mut().zip(&to.norms) {
                let sum = norms[i] + y2;
                *d2 = sum - 2.0 * *d2;
                all_kept &= *d2 > CANCELLED * sum;
            }
            if all_kept {
                return;
            }
            let x = x.row(i);
            for ((d2, y2), y) in row.iter_mut().zip(&to.norms).zip(self.rows.rows()) {
                // Infinities of rows that overflow lead to NaN, which is not kept either.
                let kept = *d2 > CANCELLED * (norms[i] + y2);
                if !kept {
                    *d2 = squared_difference(x.as_slice(), y.as_slice());
                }
            }
        });
        out
    }
}

fn differences(x: ArrayView2<'_, f64>, columns: &Array2<f64>) -> Array2<f64> {
    let (n, m) = (x.nrows(), columns.ncols());
    let mut out = Array2::zeros((n, m));
    parallel::for_each_piece(out.as_slice_mut().unwrap_or_default(), m, |i, row| {
        for (strip, out) in row.chunks_mut(STRIP).enumerate() {
            for (x, column) in x.row(i).iter().zip(columns.rows()) {
                let column = column.to_slice().unwrap_or_default();
                for (d2, y) in out.iter_mut().zip(&column[strip * STRIP..]) {
                    let gap = x - y;
                    *d2 += gap * gap;
                }
            }
        }
    });
    out
}

/// Σ (x_k − y_k)² of contiguous rows, in a fixed order.
fn squared_difference(x: Option<&[f64]>, y: Option<&[f64]>) -> f64 {
    const LANES: usize = 8;
    let (x, y) = (x.unwrap_or_default(), y.unwrap_or_default());
    let (x, y) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest: f64 = x.remainder().iter().zip(y.remainder()).map(|(x, y)| (x - y) * (x - y)).sum();
    let mut sums = [0.0; LANES];
    for (x, y) in x.zip(y) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            let gap = x - y;
            *sum += gap * gap;
        }
    }
    sums.iter().fold(rest, |sum, part| sum + part)
}

fn squared_norms(rows: &Array2<f64>) -> Array1<f64> {
    rows.map_axis(Axis(1), |row| row.dot(&row))
}

/// A place where most rows lie, `(d,)`: the median of every column of some rows.
pub(crate) fn centre(rows: ArrayView2<'_, f64>) -> Array1<f64> {
    let step = rows.nrows().div_ceil(SAMPLE).max(1);
    let sample = rows.slice_axis(Axis(0), Slice::new(0, None, step as isize));
    let mut values = Vec::with_capacity(sample.nrows());
    let median = |column: ndarray::ArrayView1<'_, f64>| {
        values.clear();
        values.extend(column);
        match values.len() {
            0 => 0.0,
            n => *values.select_nth_unstable_by((n - 1) / 2, f64::total_cmp).1,
        }
    };
    sample.columns().into_iter().map(median).collect()
}

/// Magnitudes whose squares are far from both ends of the numbers.
const ROOM: std::ops::RangeInclusive<f64> = 1e-100..=1e140;

/// The power of two to multiply rows of this largest magnitude by, so that their squared distances
/// neither overflow nor vanish, as far as that can be had; 1 where there is room.
pub(crate) fn safe_factor(largest: f64) -> f64 {
    match largest {
        0.0 => 1.0,
        _ if ROOM.contains(&largest) => 1.0,
        // Just so far that the small numbers beside it stay.
        _ if largest > 1.0 => power_of_two(460 - exponent(largest)),
        _ => power_of_two(-exponent(largest)),
    }
}

/// The power of two that brings v > 0 near 1; 1 where there is room.
pub(crate) fn unit_factor(v: f64) -> f64 {
    if ROOM.contains(&v) { 1.0 } else { power_of_two(-exponent(v)) }
}

/// ⌊log₂ v⌋ of v > 0, to within one.
fn exponent(v: f64) -> i32 {
    v.log2().floor() as i32
}

/// 2^e within the normal numbers.
fn power_of_two(e: i32) -> f64 {
    2f64.powi(e.clamp(-1022, 1023))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, array};
    use proptest::prelude::*;

    use super::*;

    fn distances(x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
        Anchors::new(y.view()).squared_distances(x.view())
    }

    fn by_definition(x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
        let of = |(i, j)| {
            x.row(i).iter().zip(y.row(j)).map(|(a, b): (&f64, &f64)| (a - b).powi(2)).sum::<f64>()
        };
        Array2::from_shape_fn((x.nrows(), y.nrows()), of)
    }

    /// The largest error relative to each distance itself.
    fn error(got: &Array2<f64>, expected: &Array2<f64>) -> f64 {
        let errors =
            got.iter().zip(expected).map(|(g, e)| (g - e).abs() / e.max(f64::MIN_POSITIVE));
        errors.fold(0.0, f64::max)
    }

    /// Numbers in [-1, 1) without pattern.
    fn rows(n: usize, d: usize, seed: u64) -> Array2<f64> {
        use rand::Rng;
        let mut rng = transduct_core::rng(seed, transduct_core::Stream::Init);
        Array::from_shape_simple_fn((n, d), || rng.gen_range(-1.0..1.0))
    }

    #[test]
    fn distances_by_hand() {
        let (x, y) = (array![[0.0, 0.0], [3.0, 4.0]], array![[0.0, 1.0], [3.0, 4.0]]);
        assert_eq!(distances(&x, &y), array![[1.0, 25.0], [18.0, 0.0]]);
        assert_eq!(distances(&Array2::zeros((0, 2)), &y).dim(), (0, 2));
        assert_eq!(distances(&x, &Array2::zeros((0, 2))).dim(), (2, 0));
    }

    #[test]
    fn far_cells_leave_all_other_distances_as_they_are() {
        for d in [2, 30] {
            for far in [1e8, 2_147_483_647.0, 1e12, -1e150, 1e300] {
                let (mut x, mut y) = (rows(40, d, 1), rows(300, d, 2));
                y.row_mut(7).assign(&x.row(3));
                x[(11, 1)] = far;
                y[(5, 1)] = far;
                y[(6, 0)] = -far;
                let (got, expected) = (distances(&x, &y), by_definition(&x, &y));
                let finite = |d2: &Array2<f64>| d2.mapv(|v| v.min(f64::MAX));
                let error = error(&finite(&got), &finite(&expected));
                assert!(error < 1e-11, "{d} columns, {far:e}: {error:e}");
                assert_eq!(got[(3, 7)], 0.0);
            }
        }
    }

    #[test]
    fn half_of_the_rows_may_lie_far_off() {
        let mut x = rows(120, 20, 3);
        for i in (0..120).step_by(2) {
            x[(i, 4)] = 1e9;
        }
        let error = error(&distances(&x, &x), &by_definition(&x, &x));
        assert!(error < 1e-11, "{error:e}");
    }

    #[test]
    fn any_layout_and_any_thread_count() {
        let (x, y) = (rows(50, 12, 4), rows(70, 12, 5));
        let flipped = |a: &Array2<f64>| a.t().as_standard_layout().into_owned().reversed_axes();
        let strange = distances(&flipped(&x), &flipped(&y));
        assert!(error(&strange, &distances(&x, &y)) < 1e-12);
    }

    proptest! {
        /// What is near is right to its own size, in any place and beside anything.
        #[test]
        fn every_distance_is_right_to_its_own_size(
            seed in 0u64..1000,
            d in 1usize..24,
            shift in -9i32..10,
            far in 0i32..14,
            close in -9i32..0,
        ) {
            let mut y = rows(30, d, seed) + 10f64.powi(shift);
            y[(4, 0)] += 10f64.powi(far);
            let mut x = rows(20, d, seed + 1) + 10f64.powi(shift);
            x.row_mut(2).assign(&(&y.row(9) + 10f64.powi(close)));
            x.row_mut(3).assign(&(&y.row(4) + 10f64.powi(close)));
            let error = error(&distances(&x, &y), &by_definition(&x, &y));
            prop_assert!(error < 1e-11, "{error:e}");
        }
    }
}
