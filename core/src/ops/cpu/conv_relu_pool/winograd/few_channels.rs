//! The forward pass of a first layer, whose inputs are too few to fill a register: lanes are output
//! channels, and pixels are spread over them one by one.
//!
//! The sum over the filter's columns goes by `F(4, 5)`, that over its rows u is plain: row r of a tile
//! of 4×4 outputs is
//! ```text
//! y_r = Aᵀ [ Σ_m Σ_u (G g_m,u) ⊙ (Bᵀ d_m,r+u) ]      d_m,i row i of the 8×8 inputs
//! ```
//! With few m, the transform of outputs that `F(4, 5)` in both directions takes costs more than the
//! products it saves. In registers of 16 numbers the plain sum in both is as fast, and rounds less.

use super::{ATransposed, BTransposed, Dims, G, P, Transform};
use crate::ops::cpu::{
    buffer::Buffer,
    conv_relu_pool::forward::{Samples, pool},
    simd::{Isa, Kernel, Simd},
};

/// Outputs of a tile in one direction.
const TILE: usize = 4;
/// Rows of the filter, and columns.
const K: usize = 5;

/// Whether the kernel of this file takes the block.
pub(in super::super) fn suits(isa: Isa, d: &Dims) -> bool {
    isa.lanes() < 16
        && (d.kh, d.kw) == (K, K)
        && matches!(d.c_in, 1 | 3)
        && d.c_out.is_multiple_of(isa.lanes())
}

/// `G g` of the rows of the filter `(5, 5, c_in, c_out)`, as
/// `[register of outputs][point][input][row][lane]`.
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
        assert!(filter.len() == K * K * c_in * c_out && c_out.is_multiple_of(S::LANES));
        let mut transformed = Buffer::<f32>::new(P * c_in * K * c_out);
        for c in (0..*c_out).step_by(S::LANES) {
            for m in 0..*c_in {
                for u in 0..K {
                    // SAFETY: within the lengths just checked.
                    unsafe {
                        let from = filter.as_ptr().add((u * K * c_in + m) * c_out + c);
                        let to = P * c_in * K * c + (m * K + u) * S::LANES;
                        let to = transformed.as_mut_ptr().add(to);
                        let mut row = [s.zero(); K];
                        for (v, g) in row.iter_mut().enumerate() {
                            *g = s.load(from.add(v * c_in * c_out));
                        }
                        for (point, g) in G::apply(s, row).into_iter().enumerate() {
                            s.store(to.add(point * c_in * K * S::LANES), g);
                        }
                    }
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
        assert!(filter.len() == P * C * K * d.c_out && bias.len() == d.c_out);
        assert!(codes.is_empty() || codes.len() == y.len());
        let tiles = (d.ph().div_ceil(2), d.pw().div_ceil(2));
        let mut inputs = Inputs::<C>::new::<S>(tiles);
        // Of one column of tiles, as `[tile][point][row][lane]`.
        let mut sums = Buffer::<f32>::new(tiles.0 * P * TILE * S::LANES);
        for sample in 0..n {
            inputs.fill(s, d, &x[sample * d.input()..][..d.input()]);
            for c in (0..d.c_out).step_by(S::LANES) {
                // SAFETY: within the lengths just checked.
                let bias = unsafe { s.load(bias.as_ptr().add(c)) };
                for column in 0..tiles.1 {
                    for point in 0..P {
                        // SAFETY: `filter` holds every point of every register, `sums` every tile.
                        unsafe {
                            let filter = filter.as_ptr().add((P * c + point * S::LANES) * C * K);
                            let sums = sums.as_mut_ptr().add(point * TILE * S::LANES);
                            inputs.multiply(s, (column, point), filter, sums);
                        }
                    }
                    for tile in 0..tiles.0 {
                        // A tile has its first window of each row, and its first row, always.
                        let (last_row, last_column) =
                            (2 * tile + 1 == d.ph(), 2 * column + 1 == d.pw());
                        for i in 0..2 {
                            if i == 1 && last_row {
                                break;
                            }
                            let at = (sample * d.ph() + 2 * tile + i) * d.pw() + 2 * column;
                            let at = at * d.c_out + c;
                            // SAFETY: `sums` holds every point; windows that exist lie in the sample.
                            unsafe {
                                let from = sums.as_ptr().add((tile * P * TILE + 2 * i) * S::LANES);
                                let a = outputs(s, from);
                                let b = outputs(s, from.add(S::LANES));
                                pool(s, [a[0], a[1], b[0], b[1]], bias, at, y, codes);
                                if !last_column {
                                    let at = at + d.c_out;
                                    pool(s, [a[2], a[3], b[2], b[3]], bias, at, y, codes);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A row of a tile's outputs from its sums, `[point][row][lane]` from that row on.
///
/// # Safety
/// `sums` is valid for all points.
#[inline(always)]
unsafe fn outputs<S: Simd>(s: S, sums: *const f32) -> [S::F; TILE] {
    let mut points = [s.zero(); P];
    for (point, sum) in points.iter_mut().enumerate() {
        // SAFETY: by this function's contract.
        *sum = unsafe { s.load(sums.add(point * TILE * S::LANES)) };
    }
    ATransposed::apply(s, points)
}

/// The transformed rows of a sample.
struct Inputs<const C: usize> {
    /// As `[column of tiles][point][channel][row]`.
    rows: Buffer<f32>,
    /// The sample as `[channel][column][row]`, zeros around it.
    pixels: Buffer<f32>,
    tiles: (usize, usize),
    /// Rows of the sample and zeros below, whole registers.
    height: usize,
}

impl<const C: usize> Inputs<C> {
    #[inline(always)]
    fn new<S: Simd>(tiles: (usize, usize)) -> Self {
        let height = (TILE * tiles.0 + K - 1).next_multiple_of(S::LANES);
        let rows = Buffer::new(tiles.1 * P * C * height);
        let pixels = Buffer::zeroed(C * (TILE * tiles.1 + K - 1) * height);
        Self { rows, pixels, tiles, height }
    }

    #[inline(always)]
    fn fill<S: Simd>(&mut self, s: S, d: &Dims, x: &[f32]) {
        let (width, height) = (TILE * self.tiles.1 + K - 1, self.height);
        for (i, row) in x.chunks_exact(d.input_row()).take(height).enumerate() {
            for (j, pixel) in row.chunks_exact(C).take(width).enumerate() {
                for (m, &value) in pixel.iter().enumerate() {
                    self.pixels[(m * width + j) * height + i] = value;
                }
            }
        }
        for column in 0..self.tiles.1 {
            for m in 0..C {
                for row in (0..height).step_by(S::LANES) {
                    // SAFETY: a tile reaches K − 1 columns into the next; `rows` holds every point.
                    unsafe {
                        let from = (m * width + TILE * column) * height + row;
                        let from = self.pixels.as_ptr().add(from);
                        let to = (column * P * C + m) * height + row;
                        let to = self.rows.as_mut_ptr().add(to);
                        let mut pixels = [s.zero(); P];
                        for (j, pixels) in pixels.iter_mut().enumerate() {
                            *pixels = s.load(from.add(j * height));
                        }
                        for (point, d) in BTransposed::apply(s, pixels).into_iter().enumerate() {
                            s.store(to.add(point * C * height), d);
                        }
                    }
                }
            }
        }
    }

    /// The sums at a point of a column of tiles, for a register of outputs.
    ///
    /// # Safety
    /// `filter` is valid for a point's rows of every channel, `sums` for those of every tile.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(
        &self,
        s: S,
        (column, point): (usize, usize),
        filter: *const f32,
        sums: *mut f32,
    ) {
        let mut g = [[s.zero(); K]; C];
        for (i, g) in g.as_flattened_mut().iter_mut().enumerate() {
            // SAFETY: by this function's contract.
            *g = unsafe { s.load(filter.add(i * S::LANES)) };
        }
        let rows = &self.rows[(column * P + point) * C * self.height..];
        for tile in 0..self.tiles.0 {
            let mut y = [s.zero(); TILE];
            for (m, g) in g.iter().enumerate() {
                // SAFETY: a channel has K − 1 rows more than outputs, so that a tile has P. An array:
                // offsets that are known become parts of WebAssembly's instructions.
                let d: &[f32; P] =
                    unsafe { &*rows.as_ptr().add(m * self.height + TILE * tile).cast() };
                for (i, &d) in d.iter().enumerate() {
                    let d = s.splat(d);
                    for (r, y) in y.iter_mut().enumerate() {
                        if r <= i && i < r + K {
                            *y = s.mul_add(d, g[i - r], *y);
                        }
                    }
                }
            }
            for (r, y) in y.into_iter().enumerate() {
                // SAFETY: by this function's contract.
                unsafe { s.store(sums.add((tile * P * TILE + r) * S::LANES), y) };
            }
        }
    }
}
