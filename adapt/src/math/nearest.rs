//! The nearest rows of one matrix to every row of another.
//!
//! Distances to all anchors come from matrix products, in blocks of rows that keep memory at
//! O(block × m). Rounding of those products only widens the list of candidates, each by what its own
//! norm lets it lose: the candidates' distances are computed again by differences, so that the answer
//! is brute force's, ties between equal rows included, whatever the blocks and the number of threads.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};

use super::{
    distances::{self, Centred},
    linalg, parallel,
};

/// Distances that a block holds at most (32 MiB), and rows that it has at most and at least.
const VALUES: usize = 1 << 22;
const ROWS: usize = 256;
const LEAST_ROWS: usize = 16;

/// For every row its nearest anchors, the nearest first, the lowest index first of equally near
/// ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    /// Rows of the anchors, `(n, k)`.
    pub indices: Array2<usize>,
    /// ‖x − z‖², `(n, k)`.
    pub squared_distances: Array2<f64>,
}

/// The min(k, m) anchors Z `(m, d)` that are nearest to every row of X `(n, d)`. Values are finite.
///
/// Time O(n m d) in products; memory O(m d) and, for every thread, 32 MiB or 16 rows of distances.
///
/// # Panics
/// If X and Z have different numbers of columns.
pub fn nearest(x: ArrayView2<'_, f64>, anchors: ArrayView2<'_, f64>, k: usize) -> Neighbours {
    search(x, anchors, k.min(anchors.nrows()), false)
}

/// The min(k, n − 1) other rows of X `(n, d)` that are nearest to every row. Values are finite.
/// A row is not its own neighbour, but its duplicates are.
pub fn nearest_within(x: ArrayView2<'_, f64>, k: usize) -> Neighbours {
    search(x, x, k.min(x.nrows().saturating_sub(1)), true)
}

fn search(
    x: ArrayView2<'_, f64>,
    anchors: ArrayView2<'_, f64>,
    k: usize,
    others: bool,
) -> Neighbours {
    let n = x.nrows();
    if k == 0 {
        let (indices, squared_distances) = (Array2::zeros((n, 0)), Array2::zeros((n, 0)));
        return Neighbours { indices, squared_distances };
    }
    let scale = Scale::of(x, anchors);
    if scale.factor == 1.0 {
        return search_products(x, anchors, k, others, scale);
    }
    let (x, anchors) = (&x * scale.factor, &anchors * scale.factor);
    let found = search_products(x.view(), anchors.view(), k, others, scale);
    let squared_distances = found.squared_distances.mapv(|d2| d2 / scale.factor / scale.factor);
    Neighbours { squared_distances, ..found }
}

/// The units that distances are taken in: one of the usual row, in which the square of a distance to a
/// far one may be infinite, and one for those.
#[derive(Clone, Copy)]
struct Scale {
    /// Multiplies all rows.
    factor: f64,
    /// Multiplies rows in that unit again.
    far: f64,
}

impl Scale {
    fn of(x: ArrayView2<'_, f64>, anchors: ArrayView2<'_, f64>) -> Self {
        let of_row = |row: ArrayView1<'_, f64>| row.fold(0.0, |m: f64, v| m.max(v.abs()));
        let rows = x.rows().into_iter().chain(anchors.rows());
        let mut sizes: Vec<f64> = rows.map(of_row).filter(|&size| size > 0.0).collect();
        let largest = sizes.iter().fold(0.0, |m: f64, &size| m.max(size));
        let usual = match sizes.len() {
            0 => 0.0,
            n => *sizes.select_nth_unstable_by(n / 2, f64::total_cmp).1,
        };
        let factor = distances::safe_factor(usual);
        Self { factor, far: distances::safe_factor(largest) / factor }
    }
}

/// Of rows most of whose squared distances are within the numbers.
fn search_products(
    x: ArrayView2<'_, f64>,
    anchors: ArrayView2<'_, f64>,
    k: usize,
    others: bool,
    scale: Scale,
) -> Neighbours {
    let n = x.nrows();
    let anchors = Anchors::new(anchors, scale.far);
    let rows = (VALUES / anchors.rows.nrows()).clamp(LEAST_ROWS, ROWS);
    let blocks = parallel::map(n.div_ceil(rows), |block| {
        let (from, to) = (block * rows, n.min((block + 1) * rows));
        let itself = |i: usize| others.then_some(from + i);
        anchors.of_block(x.slice(s![from..to, ..]), k, itself)
    });
    let found = || blocks.iter().flatten();
    let indices = Array1::from_iter(found().map(|near| near.index));
    let distances = Array1::from_iter(found().map(|near| near.squared_distance));
    // Every row found k, so that the shapes are right.
    Neighbours {
        indices: indices.into_shape_with_order((n, k)).unwrap_or_default(),
        squared_distances: distances.into_shape_with_order((n, k)).unwrap_or_default(),
    }
}

#[derive(Clone, Copy)]
struct Near {
    squared_distance: f64,
    /// The squared distance in the unit of the largest row where the other is not finite, else 0.
    far: f64,
    index: usize,
}

struct Anchors<'a> {
    rows: ArrayView2<'a, f64>,
    centred: Centred,
    /// What rounding adds at most to a distance, relative to ‖x‖² + ‖z‖²: (d + c) ε (‖x‖ + ‖z‖)².
    slack: f64,
    /// ‖z‖² and what rounding adds for it.
    upper: Array1<f64>,
    /// [`Scale::far`].
    far: f64,
}

impl<'a> Anchors<'a> {
    fn new(rows: ArrayView2<'a, f64>, far: f64) -> Self {
        let centred = Centred::new(rows);
        let slack = 4.0 * (rows.ncols() + 8) as f64 * f64::EPSILON;
        let upper = &centred.norms * (1.0 + slack);
        Self { rows, centred, slack, upper, far }
    }

    /// k for every row of the block, one row after the other.
    fn of_block(
        &self,
        block: ArrayView2<'_, f64>,
        k: usize,
        itself: impl Fn(usize) -> Option<usize>,
    ) -> Vec<Near> {
        let centred = &block - &self.centred.centre;
        let mut products = linalg::dot(&centred, &self.centred.rows.t());
        let mut found = Vec::with_capacity(block.nrows() * k);
        let (mut order, mut near) = (Vec::new(), Vec::new());
        for (i, mut row) in products.rows_mut().into_iter().enumerate() {
            // ‖x − z‖² − ‖x‖², which has the same order, at most. Norms that overflow leave NaN,
            // which says nothing: infinity keeps such an anchor among the candidates.
            row.zip_mut_with(&self.upper, |xz, z2| *xz = (z2 - 2.0 * *xz).min(f64::INFINITY));
            let itself = itself(i);
            if let Some(itself) = itself {
                row[itself] = f64::INFINITY;
            }
            let norm = centred.row(i).dot(&centred.row(i));
            let limit = kth_smallest(row.view(), k, &mut order) + 2.0 * self.slack * norm;
            near.clear();
            for (index, (&most, &z2)) in row.iter().zip(&self.centred.norms).enumerate() {
                let beyond = most - 2.0 * self.slack * z2 > limit;
                if !beyond && itself != Some(index) {
                    let (x, z) = (block.row(i), self.rows.row(index));
                    let squared_distance = squared_distance(x, z);
                    let far = match squared_distance.is_finite() {
                        true => 0.0,
                        false => far_squared_distance(x, z, self.far),
                    };
                    near.push(Near { squared_distance, far, index });
                }
            }
            near.sort_unstable_by(|a, b| {
                let by_distance = a.squared_distance.total_cmp(&b.squared_distance);
                by_distance.then(a.far.total_cmp(&b.far)).then(a.index.cmp(&b.index))
            });
            found.extend_from_slice(&near[..k]);
        }
        found
    }
}

/// The k-th smallest value, 1 ≤ k ≤ length.
fn kth_smallest(values: ArrayView1<'_, f64>, k: usize, buffer: &mut Vec<f64>) -> f64 {
    if k == 1 {
        return values.fold(f64::INFINITY, |a, &b| a.min(b));
    }
    buffer.clear();
    buffer.extend(values);
    *buffer.select_nth_unstable_by(k - 1, f64::total_cmp).1
}

fn squared_distance(x: ArrayView1<'_, f64>, z: ArrayView1<'_, f64>) -> f64 {
    x.iter().zip(z).map(|(x, z)| (x - z) * (x - z)).sum()
}

/// ‖f x − f z‖².
fn far_squared_distance(x: ArrayView1<'_, f64>, z: ArrayView1<'_, f64>, f: f64) -> f64 {
    x.iter().zip(z).map(|(x, z)| (x * f - z * f).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    fn brute(x: &Array2<f64>, anchors: &Array2<f64>, k: usize, others: bool) -> Vec<Vec<usize>> {
        let of_row = |(i, row): (usize, ArrayView1<'_, f64>)| {
            let mut all: Vec<_> = (0..anchors.nrows()).filter(|&j| !others || i != j).collect();
            let distance = |j: usize| squared_distance(row, anchors.row(j));
            all.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            all.truncate(k);
            all
        };
        x.rows().into_iter().enumerate().map(of_row).collect()
    }

    fn indices(found: &Neighbours) -> Vec<Vec<usize>> {
        found.indices.rows().into_iter().map(|row| row.to_vec()).collect()
    }

    #[test]
    fn neighbours_by_hand() {
        let anchors = array![[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [1.0, 0.0]];
        let found = nearest(array![[0.0, 0.0], [3.0, 3.0]].view(), anchors.view(), 3);
        assert_eq!(indices(&found), [[0, 2, 3], [1, 3, 0]]);
        assert_eq!(found.squared_distances, array![[0.0, 0.0, 1.0], [1.0, 13.0, 18.0]]);
        let within = nearest_within(anchors.view(), 9);
        assert_eq!(indices(&within), [[2, 3, 1], [3, 0, 2], [0, 3, 1], [0, 2, 1]]);
    }

    #[test]
    fn nothing_to_find() {
        let x = array![[1.0], [2.0]];
        assert_eq!(nearest(x.view(), Array2::zeros((0, 1)).view(), 2).indices.dim(), (2, 0));
        assert_eq!(nearest(Array2::zeros((0, 1)).view(), x.view(), 1).indices.dim(), (0, 1));
        assert_eq!(nearest_within(array![[1.0]].view(), 1).indices.dim(), (1, 0));
    }

    #[test]
    fn ties_far_from_the_origin_and_across_blocks_go_to_the_lowest_index() {
        let x = Array2::from_shape_fn((600, 3), |(i, j)| 1e6 + ((i * 7 + j) % 5) as f64 / 3.0);
        let found = nearest(x.view(), x.view(), 4);
        assert_eq!(indices(&found), brute(&x, &x, 4, false));
    }

    /// The same neighbours at either end of the numbers, and beside a row that lies far off.
    #[test]
    fn neither_scale_nor_a_far_row_changes_who_is_near() {
        let x = Array2::from_shape_fn((90, 11), |(i, j)| ((i * 37 + j * 11) % 101) as f64 / 7.0);
        let expected = brute(&x, &x, 3, true);
        for power in [-1000, -560, 50, 530, 1000] {
            let scaled = &x * 2f64.powi(power);
            assert_eq!(indices(&nearest_within(scaled.view(), 3)), expected, "2^{power}");
        }
        for far in [1e9, 1e150] {
            let mut wild = x.clone();
            wild[(40, 2)] = far;
            let found = nearest_within(wild.view(), 3);
            assert_eq!(indices(&found), brute(&wild, &wild, 3, true), "{far:e}");
        }
        // Squares of the far cells overflow: they are far all the same, the farther the later.
        for far in [1e155, 1e200, 1e300] {
            let mut wild = x.clone();
            wild[(40, 2)] = far;
            wild[(3, 0)] = 4.0 * far;
            wild[(7, 0)] = 5.0 * far;
            let found = indices(&nearest_within(wild.view(), 89));
            let ordinary = |rows: &[usize]| -> Vec<usize> {
                rows.iter().copied().filter(|i| ![40, 3, 7].contains(i)).collect()
            };
            for (i, expected) in brute(&x, &x, 89, true).iter().enumerate() {
                match i {
                    3 => assert_eq!(found[i][0], 7, "{far:e}"),
                    7 => assert_eq!(found[i][0], 3, "{far:e}"),
                    // All ordinary rows are equally far from it, in any unit that holds it.
                    40 => assert_eq!(found[i][87..], [3, 7], "{far:e}"),
                    _ => {
                        assert_eq!(found[i][..86], ordinary(expected), "{far:e}");
                        assert_eq!(found[i][86..], [40, 3, 7], "{far:e}");
                    }
                }
            }
        }
        // Rows that are not finite have no nearest one, and end nothing.
        let mut bad = x.clone();
        bad.row_mut(0).fill(f64::NAN);
        assert_eq!(nearest(bad.view(), bad.view(), 2).indices.dim(), (90, 2));
    }

    proptest! {
        #[test]
        fn the_answer_is_brute_forces(
            x in prop::collection::vec(-2i8..2, 15),
            z in prop::collection::vec(-2i8..2, 24),
            scale in 0.1..3.0f64,
            k in 1usize..8,
        ) {
            let rows = |v: &[i8]| -> Array2<f64> {
                let values = v.iter().map(|&v| f64::from(v) * scale).collect();
                Array2::from_shape_vec((v.len() / 3, 3), values).unwrap()
            };
            let (x, z) = (rows(&x), rows(&z));
            let found = nearest(x.view(), z.view(), k);
            prop_assert_eq!(indices(&found), brute(&x, &z, k, false));
            let within = nearest_within(z.view(), k);
            prop_assert_eq!(indices(&within), brute(&z, &z, k, true));
        }
    }
}
