//! 5×5 blocks with a sixth of the products.
//!
//! Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, Sec. 4, with
//! `F(4×4, 5×5)` at the points 0, ±1, ±2, ±½ and ∞: for a tile of 4×4 outputs
//! ```text
//! Y = Aᵀ [ Σ_m (G g Gᵀ) ⊙ (Bᵀ d B) ] A        d 8×8 inputs, g 5×5 filter
//! ```
//! so that at each of the 64 points stands a product of matrices, (tiles, c_in) · (c_in, c_out).
//! The gradient of the input is the adjoint, read from right to left:
//! `dd = B [ Σ_o (G g Gᵀ) ⊙ (A dY Aᵀ) ] Bᵀ`. Rounding errors are some ten times those of the plain
//! sum, about 1e-6 of the largest output.
//!
//! Four pooling windows make a tile. Tiles go in blocks whose transforms stay in the second cache;
//! a transform lies as `[point][register of channels][tile][lane]`.

pub(super) mod few_channels;
mod transform;

use std::array::from_fn;

use transform::{A, ATransposed, B, BTransposed, G, Transform, twice};

use super::{
    Dims,
    forward::{Samples, pool},
};
use crate::ops::cpu::{
    buffer::Buffer,
    parallel,
    simd::{Isa, Kernel, Simd},
};

/// Tiles in a block.
const TILES: usize = 16;
/// Points of the transform in one direction, and in both.
const P: usize = 8;
const POINTS: usize = P * P;

/// Whether the kernels of this file take the block.
pub(super) fn suits(isa: Isa, d: &Dims) -> bool {
    let lanes = isa.lanes();
    (d.kh, d.kw) == (5, 5)
        && d.c_in > 0
        && d.c_in.is_multiple_of(lanes)
        && d.c_out.is_multiple_of(lanes)
        && d.ph() >= 2
        && d.pw() >= 2
}

/// How tiles lie on the samples.
#[derive(Clone, Copy)]
struct Grid<'a> {
    d: &'a Dims,
}

impl Grid<'_> {
    /// Tiles of a sample, rows and columns.
    fn tiles(self) -> (usize, usize) {
        (self.d.ph().div_ceil(2), self.d.pw().div_ceil(2))
    }

    /// Samples that together fill a block.
    fn together(self) -> usize {
        let (rows, columns) = self.tiles();
        TILES.div_ceil(rows * columns)
    }

    /// Sample and first pooling window (row, column) of tile `i`, and its first window that no
    /// tile before it has: the last tiles of a row and a column overlap those before them.
    #[inline(always)]
    fn tile(self, i: usize) -> (usize, [usize; 2], [usize; 2]) {
        let (rows, columns) = self.tiles();
        let (sample, i) = (i / (rows * columns), i % (rows * columns));
        let new = [i / columns * 2, i % columns * 2];
        (sample, [new[0].min(self.d.ph() - 2), new[1].min(self.d.pw() - 2)], new)
    }
}

/// Numbers between one point and the next for `c` channels; no multiple of a power of two, lest all
/// points fall on the same lines of a cache.
fn point_len(c: usize) -> usize {
    c * TILES + 16
}

/// The same for filters of `k` rows and `n` columns.
fn filter_len(k: usize, n: usize) -> usize {
    k * n + 16
}

/// See [`super::input_grad`].
pub(super) fn input_grad(
    isa: Isa,
    d: &Dims,
    filter: &[f32],
    codes: &[u8],
    dy: &[f32],
    dx: &mut [f32],
) {
    let (i, o) = (d.c_in, d.c_out);
    let mut turned = Buffer::new(filter.len());
    for (to, from) in turned.chunks_exact_mut(i * o).zip(filter.chunks_exact(i * o)) {
        for (m, from) in from.chunks_exact(o).enumerate() {
            to[m..].iter_mut().step_by(i).zip(from).for_each(|(to, from)| *to = *from);
        }
    }
    let filters = transformed(isa, &turned, (o, i));
    let grid = Grid { d };
    let groups = d.n.div_ceil(grid.together());
    let rows = parallel::rows_per_piece(groups, 1, 32) * grid.together();
    let gradients = codes.chunks(rows * d.output()).zip(dy.chunks(rows * d.output()));
    let pieces = dx.chunks_mut(rows * d.input()).zip(gradients).collect();
    parallel::for_each(pieces, |_, (dx, (codes, dy))| {
        isa.run(InputGrad { grid, filters: &filters, codes, dy, dx });
    });
}

/// Samples that together fill a block.
pub(super) fn together(d: &Dims) -> usize {
    Grid { d }.together()
}

/// Outputs and codes; the filter is [`transformed`].
pub(super) struct Forward<'a>(pub(super) Samples<'a>);

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Samples { d, x, filter, bias, y, codes } = self.0;
        let grid = Grid { d };
        assert!(x.len() / d.input() * d.output() == y.len());
        assert!(codes.is_empty() || codes.len() == y.len());
        let mut inputs = Buffer::<f32>::new(POINTS * point_len(d.c_in));
        let mut sums = Buffer::<f32>::new(POINTS * point_len(d.c_out));
        let tiles = x.len() / d.input() * grid.tiles().0 * grid.tiles().1;
        for first in (0..tiles).step_by(TILES) {
            let count = TILES.min(tiles - first);
            for t in 0..count {
                let (sample, [py, px], _) = grid.tile(first + t);
                let from = sample * d.input() + d.patch(py, px, 0);
                for register in 0..d.c_in / S::LANES {
                    // SAFETY: a tile's two windows in each direction and so its 8×8 pixels lie in
                    // the sample; `inputs` holds every point.
                    unsafe {
                        let from = x.as_ptr().add(from + register * S::LANES);
                        let to = inputs.as_mut_ptr().add((register * TILES + t) * S::LANES);
                        let load = |i, j| s.load(from.add(i * d.input_row() + j * d.c_in));
                        let store = |i, j, v| s.store(to.add((i * P + j) * point_len(d.c_in)), v);
                        twice(s, BTransposed, load, store);
                    }
                }
            }
            multiply(s, count, &inputs, filter, (d.c_in, d.c_out), &mut sums);
            for t in 0..count {
                let (sample, [py, px], _) = grid.tile(first + t);
                let to = sample * d.output() + (py * d.pw() + px) * d.c_out;
                for register in 0..d.c_out / S::LANES {
                    // SAFETY: `sums` holds every point; the tile's windows lie in the sample.
                    unsafe {
                        let from = sums.as_ptr().add((register * TILES + t) * S::LANES);
                        let load = |i, j| s.load(from.add((i * P + j) * point_len(d.c_out)));
                        let mut outputs = [[s.zero(); 4]; 4];
                        twice(s, ATransposed, load, |i, j, v| outputs[i][j] = v);
                        let bias = s.load(bias.as_ptr().add(register * S::LANES));
                        for window in 0..4 {
                            let (i, j) = (window / 2, window % 2);
                            let sums = from_fn(|q| outputs[2 * i + q / 2][2 * j + q % 2]);
                            let at = to + (i * d.pw() + j) * d.c_out + register * S::LANES;
                            pool(s, sums, bias, at, y, codes);
                        }
                    }
                }
            }
        }
    }
}

struct InputGrad<'a> {
    grid: Grid<'a>,
    filters: &'a [f32],
    codes: &'a [u8],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for InputGrad<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { grid, filters, codes, dy, dx } = self;
        let d = grid.d;
        assert!(dx.len() / d.input() * d.output() == dy.len() && codes.len() == dy.len());
        let mut outputs = Buffer::<f32>::new(POINTS * point_len(d.c_out));
        let mut sums = Buffer::<f32>::new(POINTS * point_len(d.c_in));
        let tiles = dx.len() / d.input() * grid.tiles().0 * grid.tiles().1;
        for first in (0..tiles).step_by(TILES) {
            let count = TILES.min(tiles - first);
            for t in 0..count {
                let (sample, [py, px], new) = grid.tile(first + t);
                for register in 0..d.c_out / S::LANES {
                    // SAFETY: the tile's windows lie in the sample; `outputs` holds every point.
                    unsafe {
                        let mut tile = [[s.zero(); 4]; 4];
                        for window in 0..4 {
                            let (i, j) = (window / 2, window % 2);
                            if py + i < new[0] || px + j < new[1] {
                                continue;
                            }
                            let at = sample * d.output()
                                + ((py + i) * d.pw() + px + j) * d.c_out
                                + register * S::LANES;
                            let code = s.load_u8(codes.as_ptr().add(at));
                            let g = s.load(dy.as_ptr().add(at));
                            for q in 0..4 {
                                let won = s.eq_i(code, s.splat_i(q as u8));
                                tile[2 * i + q / 2][2 * j + q % 2] = s.select(won, g, s.zero());
                            }
                        }
                        let to = outputs.as_mut_ptr().add((register * TILES + t) * S::LANES);
                        let store = |i, j, v| s.store(to.add((i * P + j) * point_len(d.c_out)), v);
                        twice(s, A, |i, j| tile[i][j], store);
                    }
                }
            }
            multiply(s, count, &outputs, filters, (d.c_out, d.c_in), &mut sums);
            for t in 0..count {
                let (sample, [py, px], _) = grid.tile(first + t);
                let to = sample * d.input() + d.patch(py, px, 0);
                for register in 0..d.c_in / S::LANES {
                    // SAFETY: `sums` holds every point; the tile's pixels lie in the sample.
                    unsafe {
                        let from = sums.as_ptr().add((register * TILES + t) * S::LANES);
                        let to = dx.as_mut_ptr().add(to + register * S::LANES);
                        let load = |i, j| s.load(from.add((i * P + j) * point_len(d.c_in)));
                        let add = |i, j, v| {
                            let to = to.add(i * d.input_row() + j * d.c_in);
                            s.store(to, s.add(s.load(to), v));
                        };
                        twice(s, B, load, add);
                    }
                }
            }
        }
    }
}

/// Registers of a panel of columns.
#[inline(always)]
fn panel_registers<S: Simd>(columns: usize) -> usize {
    let registers = columns / S::LANES;
    match S::SUMS {
        12.. if registers.is_multiple_of(3) => 3,
        _ if registers.is_multiple_of(2) => 2,
        _ => 1,
    }
}

/// At each point the first `count` tiles' numbers, `(count, k)`, times the filters, `(k, n)`.
#[inline(always)]
fn multiply<S: Simd>(
    s: S,
    count: usize,
    inputs: &[f32],
    filters: &[f32],
    (k, n): (usize, usize),
    sums: &mut [f32],
) {
    match (panel_registers::<S>(n), S::SUMS >= 24) {
        (3, true) => multiply_tiles::<S, 8, 3>(s, count, inputs, filters, (k, n), sums),
        (3, false) => multiply_tiles::<S, 4, 3>(s, count, inputs, filters, (k, n), sums),
        (2, true) => multiply_tiles::<S, 8, 2>(s, count, inputs, filters, (k, n), sums),
        (2, false) => multiply_tiles::<S, 4, 2>(s, count, inputs, filters, (k, n), sums),
        _ => multiply_tiles::<S, 8, 1>(s, count, inputs, filters, (k, n), sums),
    }
}

#[inline(always)]
fn multiply_tiles<S: Simd, const T: usize, const N: usize>(
    s: S,
    count: usize,
    inputs: &[f32],
    filters: &[f32],
    (k, n): (usize, usize),
    sums: &mut [f32],
) {
    assert!(inputs.len() >= POINTS * point_len(k) && sums.len() >= POINTS * point_len(n));
    assert!(filters.len() == POINTS * filter_len(k, n) && k.is_multiple_of(S::LANES));
    let lanes = s.lanes();
    for point in 0..POINTS {
        for panel in 0..n / (N * S::LANES) {
            for tile in (0..count).step_by(T) {
                // SAFETY: within the lengths just checked; T divides TILES, of which there are `count`.
                unsafe {
                    let at = point * filter_len(k, n) + panel * N * S::LANES * k;
                    let mut f = filters.as_ptr().add(at);
                    let mut x = inputs.as_ptr().add(point * point_len(k) + tile * S::LANES);
                    let mut acc = [[s.zero(); N]; T];
                    for _ in 0..k / S::LANES {
                        for lane in 0..lanes {
                            let f_row: [S::F; N] = from_fn(|v| s.load(f.add(v * S::LANES)));
                            for (t, acc) in acc.iter_mut().enumerate() {
                                let x = s.splat(*x.add(t * S::LANES + lane));
                                for (acc, &f) in acc.iter_mut().zip(&f_row) {
                                    *acc = s.mul_add(x, f, *acc);
                                }
                            }
                            f = f.wrapping_add(N * S::LANES);
                        }
                        x = x.wrapping_add(TILES * S::LANES);
                    }
                    let to = sums.as_mut_ptr().add(point * point_len(n));
                    for (t, acc) in acc.iter().enumerate() {
                        for (v, &acc) in acc.iter().enumerate() {
                            let at = (panel * N + v) * TILES + tile + t;
                            s.store(to.add(at * S::LANES), acc);
                        }
                    }
                }
            }
        }
    }
}

/// `G g Gᵀ` of the filter `(5, 5, k, n)`, as `[point][panel of columns][row][column]`.
pub(super) fn transformed(isa: Isa, filter: &[f32], (k, n): (usize, usize)) -> Buffer<f32> {
    isa.run(FilterTransform { filter, k, n })
}

struct FilterTransform<'a> {
    filter: &'a [f32],
    k: usize,
    n: usize,
}

impl Kernel for FilterTransform<'_> {
    type Output = Buffer<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Buffer<f32> {
        let Self { filter, k, n } = self;
        assert!(filter.len() == 25 * k * n && n.is_multiple_of(S::LANES));
        let mut filters = Buffer::<f32>::new(POINTS * filter_len(k, n));
        let width = panel_registers::<S>(n) * S::LANES;
        for row in 0..k {
            for column in (0..n).step_by(S::LANES) {
                // SAFETY: within the lengths just checked.
                unsafe {
                    let from = filter.as_ptr().add(row * n + column);
                    let at = (column / width * k + row) * width + column % width;
                    let to = filters.as_mut_ptr().add(at);
                    let load = |i, j| s.load(from.add((i * 5 + j) * k * n));
                    let store = |i, j, v| s.store(to.add((i * P + j) * filter_len(k, n)), v);
                    twice(s, G, load, store);
                }
            }
        }
        filters
    }
}
