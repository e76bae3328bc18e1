//! 3×3 convolution of stride 1 with a quarter of the products.
//!
//! Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, Sec. 4.3: for a
//! tile of 4×4 outputs, `F(4×4, 3×3)` with the points 0, ±1, ±2 and ∞,
//! ```text
//! Y = Aᵀ [ Σ_c (G g Gᵀ) ⊙ (Bᵀ d B) ] A        d 6×6 inputs, g 3×3 filter
//! ```
//! so that at each of the 36 points stands a product of matrices, (tiles, c_in) · (c_in, c_out).
//! The gradient for the input is the same with the filter turned around. That for the filter is the
//! adjoint, `dg = Gᵀ [ Σ_tiles (Bᵀ d B) ⊙ (A dY Aᵀ) ] G`: exact, and as cheap.
//!
//! Tiles go in blocks of [`TILES`], whose transforms stay in the second cache. Both transforms lie
//! as `[point][register of channels][tile][lane]`: register tiles of the products then find each
//! tile's numbers at a fixed distance.

mod correlate;
mod filter_grad;
mod transform;

use std::array::from_fn;

use super::super::simd::{Isa, Simd};
use super::Conv2dDims;
use transform::b_1d;

pub(super) use correlate::{forward, input_grad};
pub(super) use filter_grad::filter_grad;

/// Tiles in a block.
const TILES: usize = 16;
/// Points of the transform.
const POINTS: usize = 36;

/// Whether the kernels of this file take the convolution, and save work.
pub(super) fn suits(isa: Isa, d: &Conv2dDims) -> bool {
    let lanes = isa.lanes();
    let (oh, ow) = d.out_size();
    let tiled = 16 * oh.div_ceil(4) * ow.div_ceil(4);
    (d.kh, d.kw, d.stride, d.groups) == (3, 3, 1, 1)
        && d.padding <= 2
        && d.c_in.is_multiple_of(lanes)
        && d.c_out.is_multiple_of(lanes)
        && 2 * oh * ow >= tiled
}

/// The maps of one side and the other, and how tiles lie on them.
struct Maps {
    /// Height, width and channels.
    input: (usize, usize, usize),
    padding: usize,
    output: (usize, usize, usize),
    /// Tiles on a sample: rows and columns.
    tiles: (usize, usize),
    /// Samples that are handled together, to fill a block.
    together: usize,
}

impl Maps {
    fn new(
        input: (usize, usize, usize),
        padding: usize,
        (oh, ow): (usize, usize),
        c_out: usize,
    ) -> Self {
        let tiles = (oh.div_ceil(4), ow.div_ceil(4));
        let together = TILES.div_ceil(tiles.0 * tiles.1);
        Self { input, padding, output: (oh, ow, c_out), tiles, together }
    }

    fn input_len(&self) -> usize {
        self.input.0 * self.input.1 * self.input.2
    }

    fn output_len(&self) -> usize {
        self.output.0 * self.output.1 * self.output.2
    }

    /// Sample, row and column of a tile, counted over the samples.
    #[inline(always)]
    fn tile(&self, i: usize) -> (usize, usize, usize) {
        let (sample, i) = (i / (self.tiles.0 * self.tiles.1), i % (self.tiles.0 * self.tiles.1));
        (sample, i / self.tiles.1, i % self.tiles.1)
    }
}

/// Numbers between one point and the next for `c` channels; not a power of two, lest all points
/// fall on the same lines of a cache.
fn point_len(c: usize) -> usize {
    c * TILES + 16
}

/// Registers of a panel of output channels.
#[inline(always)]
fn panel_registers<S: Simd>(c_out: usize) -> usize {
    if c_out.is_multiple_of(2 * S::LANES) { 2 } else { 1 }
}

/// Where the numbers of one point, row (input channel) and register of output channels lie: as
/// `[point][panel][row][column]`, what a register tile reads in one sweep.
#[inline(always)]
fn filter_at<S: Simd>(
    point: usize,
    row: usize,
    register: usize,
    c_in: usize,
    c_out: usize,
) -> usize {
    let n = panel_registers::<S>(c_out);
    ((point * (c_out / (n * S::LANES)) + register / n) * c_in + row) * n * S::LANES
        + register % n * S::LANES
}

/// `Bᵀ d B` of `count` tiles of inputs `src`; what lies outside the maps is zero.
#[inline(always)]
fn transform_inputs<S: Simd>(
    s: S,
    maps: &Maps,
    src: &[f32],
    first: usize,
    count: usize,
    to: &mut [f32],
) {
    let (h, w, c) = maps.input;
    assert!(to.len() >= POINTS * point_len(c));
    for t in 0..count {
        let (sample, ty, tx) = maps.tile(first + t);
        assert!((sample + 1) * h * w * c <= src.len());
        // Rows and columns before the first wrap around to numbers far beyond the last.
        let y = (4 * ty).wrapping_sub(maps.padding);
        let x = (4 * tx).wrapping_sub(maps.padding);
        let rows: [bool; 6] = from_fn(|i| y.wrapping_add(i) < h);
        let cols: [bool; 6] = from_fn(|j| x.wrapping_add(j) < w);
        let from = (sample * h).wrapping_add(y).wrapping_mul(w).wrapping_add(x).wrapping_mul(c);
        for register in 0..c / S::LANES {
            let from = src.as_ptr().wrapping_add(from.wrapping_add(register * S::LANES));
            let to = to[(register * TILES + t) * S::LANES..].as_mut_ptr();
            let mut half = [[s.zero(); 6]; 6];
            for j in 0..6 {
                // A loop and not a closure, which would not be inlined with its branch.
                let mut d = [s.zero(); 6];
                for (i, d) in d.iter_mut().enumerate() {
                    if rows[i] && cols[j] {
                        // SAFETY: the row and the column lie in the maps, which `src` holds.
                        *d = unsafe { s.load(from.wrapping_add((i * w + j) * c)) };
                    }
                }
                for (half, d) in half.iter_mut().zip(b_1d(s, d)) {
                    half[j] = d;
                }
            }
            for (i, half) in half.into_iter().enumerate() {
                for (j, d) in b_1d(s, half).into_iter().enumerate() {
                    // SAFETY: within the length just checked.
                    unsafe { s.store(to.add((i * 6 + j) * point_len(c)), d) };
                }
            }
        }
    }
}
