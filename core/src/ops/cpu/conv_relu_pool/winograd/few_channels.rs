//! The forward pass of a first layer, whose inputs are too few to fill a register: pixels of
//! neighbouring tiles lie side by side instead.
//!
//! In registers of 16 numbers the plain sum is as fast, and rounds less.

use super::{ATransposed, BTransposed, Dims, G, P, POINTS, twice};
use crate::ops::cpu::{
    buffer::Buffer,
    conv_relu_pool::forward::{Samples, code, largest},
    simd::{Isa, Kernel, Simd},
};

/// Whether the kernel of this file takes the block.
pub(in super::super) fn suits(isa: Isa, d: &Dims) -> bool {
    isa.lanes() < 16
        && (d.kh, d.kw) == (5, 5)
        && matches!(d.c_in, 1 | 3)
        && d.c_out.is_multiple_of(isa.lanes())
}

/// `G g Gᵀ` of the filter `(5, 5, c_in, c_out)`, as `[register of outputs][point][input][lane]`.
pub(in super::super) fn transformed(isa: Isa, d: &Dims, filter: &[f32]) -> Buffer<f32> {
    isa.run(FilterTransform { d, filter })
}

struct FilterTransform<'a> {
    d: &'a Dims,
    filter: &'a [f32],
}

impl Kernel for FilterTransform<'_> {
    type Output = Buffer<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Buffer<f32> {
        let Self { d: Dims { c_in, c_out, .. }, filter } = self;
        assert!(filter.len() == 25 * c_in * c_out && c_out.is_multiple_of(S::LANES));
        let mut transformed = Buffer::<f32>::new(POINTS * c_in * c_out);
        for c in (0..*c_out).step_by(S::LANES) {
            for m in 0..*c_in {
                // SAFETY: within the lengths just checked.
                unsafe {
                    let from = filter.as_ptr().add(m * c_out + c);
                    let to = transformed.as_mut_ptr().add(POINTS * c_in * c + m * S::LANES);
                    let load = |i, j| s.load(from.add((i * 5 + j) * c_in * c_out));
                    let store = |i, j, v| s.store(to.add((i * P + j) * c_in * S::LANES), v);
                    twice(s, G, load, store);
                }
            }
        }
        transformed
    }
}

/// Outputs and codes; the filter is [`transformed`].
pub(in super::super) struct Forward<'a>(pub(in super::super) Samples<'a>);

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.0.d.c_in {
            1 => self.samples::<S, 1>(s),
            _ => self.samples::<S, 3>(s),
        }
    }
}

impl Forward<'_> {
    /// `C` input channels.
    #[inline(always)]
    fn samples<S: Simd, const C: usize>(self, s: S) {
        let Samples { d, x, filter, bias, y, codes } = self.0;
        let n = x.len() / d.input();
        assert!(d.c_in == C && y.len() == n * d.output());
        assert!(filter.len() == POINTS * C * d.c_out && bias.len() == d.c_out);
        assert!(codes.is_empty() || codes.len() == y.len());
        let tiles = (d.ph().div_ceil(2), d.pw().div_ceil(2));
        let mut pixels = Pixels::new::<S>(d, tiles);
        // Of one row of tiles, as `[register of tiles][point][channel][lane]`.
        let mut inputs = Buffer::<f32>::new(POINTS * C * tiles.1.next_multiple_of(S::LANES));
        for sample in 0..n {
            pixels.fill(d, &x[sample * d.input()..][..d.input()]);
            for row in 0..tiles.0 {
                for first in (0..tiles.1).step_by(S::LANES) {
                    for m in 0..C {
                        // SAFETY: `pixels` holds 8 rows and a tile more from each tile on, `inputs`
                        // every point of whole registers of tiles.
                        unsafe {
                            let load = |i, j| s.load(pixels.at(4 * row + i, m, j, first));
                            let to = inputs.as_mut_ptr().add(POINTS * C * first + m * S::LANES);
                            let store = |i, j, v| s.store(to.add((i * P + j) * C * S::LANES), v);
                            twice(s, BTransposed, load, store);
                        }
                    }
                }
                for tile in 0..tiles.1 {
                    let lane = tile % S::LANES;
                    for c in (0..d.c_out).step_by(S::LANES) {
                        let mut outputs = [[s.zero(); 4]; 4];
                        // SAFETY: within the lengths just checked; windows that exist lie in the
                        // sample.
                        unsafe {
                            let inputs = inputs.as_ptr().add(POINTS * C * (tile - lane) + lane);
                            let filter = filter.as_ptr().add(POINTS * C * c);
                            let product = |i, j| {
                                let inputs = inputs.add((i * P + j) * C * S::LANES);
                                let filter = filter.add((i * P + j) * C * S::LANES);
                                let mut sum = s.mul(s.splat(*inputs), s.load(filter));
                                for m in 1..C {
                                    let x = s.splat(*inputs.add(m * S::LANES));
                                    sum = s.mul_add(x, s.load(filter.add(m * S::LANES)), sum);
                                }
                                sum
                            };
                            twice(s, ATransposed, product, |i, j, v| outputs[i][j] = v);
                            let bias = s.load(bias.as_ptr().add(c));
                            for window in 0..4 {
                                let (i, j) = (window / 2, window % 2);
                                let (py, px) = (2 * row + i, 2 * tile + j);
                                if py >= d.ph() || px >= d.pw() {
                                    continue;
                                }
                                let sums = |q: usize| outputs[2 * i + q / 2][2 * j + q % 2];
                                let sums = std::array::from_fn(sums);
                                let at = sample * d.output() + (py * d.pw() + px) * d.c_out + c;
                                let best = largest(s, sums, bias);
                                s.store(y.as_mut_ptr().add(at), s.max(s.zero(), best));
                                if !codes.is_empty() {
                                    s.store_u8(codes.as_mut_ptr().add(at), code(s, sums, best));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A sample as `[row][channel][column of a tile][tile]`, zeros around it: a tile's first pixels are 4
/// columns apart.
struct Pixels {
    values: Buffer<f32>,
    rows: usize,
    channels: usize,
    tiles: usize,
}

impl Pixels {
    #[inline(always)]
    fn new<S: Simd>(d: &Dims, tiles: (usize, usize)) -> Self {
        let rows = 4 * tiles.0 + 4;
        // A tile reaches into the next one.
        let tiles = tiles.1.next_multiple_of(S::LANES) + 1;
        Self { values: Buffer::zeroed(rows * d.c_in * 4 * tiles), rows, channels: d.c_in, tiles }
    }

    /// Where a row's pixels of a channel in one column of the tiles begin.
    #[inline(always)]
    fn start(&self, row: usize, channel: usize, column: usize) -> usize {
        ((row * self.channels + channel) * 4 + column) * self.tiles
    }

    /// Column `column < 8` of the tiles from `tile` on.
    #[inline(always)]
    fn at(&self, row: usize, channel: usize, column: usize, tile: usize) -> *const f32 {
        let at = self.start(row, channel, column % 4) + tile + column / 4;
        self.values.as_ptr().wrapping_add(at)
    }

    /// The pixels that some tile has.
    #[inline(always)]
    fn fill(&mut self, d: &Dims, x: &[f32]) {
        for (i, row) in x.chunks_exact(d.input_row()).take(self.rows).enumerate() {
            for m in 0..d.c_in {
                for column in 0..4.min(d.w) {
                    let start = self.start(i, m, column);
                    let pixels = row[column * d.c_in + m..].iter().step_by(4 * d.c_in);
                    let tiles = &mut self.values[start..][..self.tiles];
                    tiles.iter_mut().zip(pixels).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}
