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

use std::array::from_fn;

use super::super::buffer::Buffer;
use super::super::parallel;
use super::super::simd::{Isa, Kernel, Simd};
use super::{Conv2dDims, Padded, lanes};

/// Tiles in a block.
const TILES: usize = 16;
/// Points of the transform.
const POINTS: usize = 36;

/// Whether the kernels of this file take the convolution, and save work.
pub(super) fn suits(isa: Isa, d: &Conv2dDims) -> bool {
    let lanes = lanes(isa);
    let (oh, ow) = d.out_size();
    let tiled = 16 * oh.div_ceil(4) * ow.div_ceil(4);
    (d.kh, d.kw, d.stride, d.groups) == (3, 3, 1, 1)
        && d.padding <= 2
        && d.c_in.is_multiple_of(lanes)
        && d.c_out.is_multiple_of(lanes)
        && 2 * oh * ow >= tiled
}

/// `y = x ∗ filter + bias`, overwriting `y`.
pub(super) fn forward(
    isa: Isa,
    d: &Conv2dDims,
    x: &[f32],
    filter: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let maps = Maps::new((d.h, d.w, d.c_in), d.padding, d.out_size(), d.c_out);
    correlate(isa, &maps, x, filter, bias, y, false);
}

/// `dx += dy ∗ filterᵀ`
pub(super) fn input_grad(isa: Isa, d: &Conv2dDims, filter: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (ci, co) = (d.c_in, d.c_out);
    let mut turned = Buffer::new(filter.len());
    for (tap, out) in turned.chunks_exact_mut(ci * co).enumerate() {
        let from = &filter[(8 - tap) * ci * co..][..ci * co];
        for (o, out) in out.chunks_exact_mut(ci).enumerate() {
            out.iter_mut().zip(from[o..].iter().step_by(co)).for_each(|(to, from)| *to = *from);
        }
    }
    let (oh, ow) = d.out_size();
    let maps = Maps::new((oh, ow, co), 2 - d.padding, (d.h, d.w), ci);
    correlate(isa, &maps, dy, &turned, None, dx, true);
}

/// The maps of one side and the other, and how tiles lie on them.
struct Maps {
    input: Padded,
    output: (usize, usize, usize),
    /// Tiles on a sample: rows and columns.
    tiles: (usize, usize),
    /// Samples that are handled together, to fill a block.
    together: usize,
}

impl Maps {
    fn new(
        (h, w, c): (usize, usize, usize),
        padding: usize,
        (oh, ow): (usize, usize),
        c_out: usize,
    ) -> Self {
        let tiles = (oh.div_ceil(4), ow.div_ceil(4));
        let (rows, cols) = (4 * tiles.0 + 2, 4 * tiles.1 + 2);
        Self {
            input: Padded { h, w, c, top: padding, left: padding, rows, cols },
            output: (oh, ow, c_out),
            tiles,
            together: TILES.div_ceil(tiles.0 * tiles.1),
        }
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

fn correlate(
    isa: Isa,
    maps: &Maps,
    src: &[f32],
    filter: &[f32],
    bias: Option<&[f32]>,
    dst: &mut [f32],
    accumulate: bool,
) {
    let (c_in, c_out) = (maps.input.c, maps.output.2);
    let mut filters = Buffer::new(POINTS * c_in * c_out);
    isa.run(FilterTransform { filter, c_in, c_out, to: &mut filters });

    let (src_len, dst_len) = (maps.input.sample_len(), maps.output_len());
    let groups = dst.len().div_ceil(maps.together * dst_len);
    let per_piece = parallel::rows_per_piece(groups, 1, 32) * maps.together;
    let pieces = dst.chunks_mut(per_piece * dst_len).zip(src.chunks(per_piece * src_len));
    parallel::for_each(pieces.collect(), |_, (dst, src)| {
        let mut padded = maps.input.scratch(maps.together);
        let mut inputs = Buffer::new(POINTS * point_len(c_in));
        let mut sums = Buffer::new(POINTS * point_len(c_out));
        let groups = dst.chunks_mut(maps.together * dst_len);
        for (dst, src) in groups.zip(src.chunks(maps.together * src_len)) {
            let src = maps.input.fill(src, &mut padded);
            isa.run(Correlate {
                maps,
                src,
                filters: &filters,
                bias,
                accumulate,
                inputs: &mut inputs,
                sums: &mut sums,
                dst,
            });
        }
    });
}

/// `dw += xᵀ ∗ dy`
pub(super) fn filter_grad(isa: Isa, d: &Conv2dDims, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let (oh, ow) = d.out_size();
    let maps = Maps::new((d.h, d.w, d.c_in), d.padding, (oh, ow), d.c_out);
    let (rows, cols) = (4 * maps.tiles.0, 4 * maps.tiles.1);
    let outputs = Padded { h: oh, w: ow, c: d.c_out, top: 0, left: 0, rows, cols };

    let (x_len, dy_len) = (maps.input.sample_len(), maps.output_len());
    let groups = d.n.div_ceil(maps.together);
    let per_piece = parallel::rows_per_piece(groups, 1, 16) * maps.together;
    let pieces = x.chunks(per_piece * x_len).zip(dy.chunks(per_piece * dy_len));
    let parts = parallel::map(pieces.collect(), |_, (x, dy)| {
        let mut padded = (maps.input.scratch(maps.together), outputs.scratch(maps.together));
        let mut inputs = Buffer::new(POINTS * point_len(d.c_in));
        let mut grads = Buffer::new(POINTS * point_len(d.c_out));
        let mut sums = Buffer::zeroed(POINTS * d.c_in * d.c_out);
        let groups = x.chunks(maps.together * x_len).zip(dy.chunks(maps.together * dy_len));
        for (x, dy) in groups {
            isa.run(FilterSums {
                maps: &maps,
                tiles: x.len() / x_len * maps.tiles.0 * maps.tiles.1,
                x: maps.input.fill(x, &mut padded.0),
                dy: outputs.fill(dy, &mut padded.1),
                dy_size: (rows, cols),
                inputs: &mut inputs,
                grads: &mut grads,
                sums: &mut sums,
            });
        }
        let mut part = Buffer::new(dw.len());
        let (c_in, c_out) = (d.c_in, d.c_out);
        isa.run(FilterBack { sums: &sums, c_in, c_out, to: &mut part });
        part
    });
    for part in &parts {
        dw.iter_mut().zip(part.iter()).for_each(|(dw, part)| *dw += part);
    }
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

/// `G g Gᵀ`
struct FilterTransform<'a> {
    filter: &'a [f32],
    c_in: usize,
    c_out: usize,
    to: &'a mut [f32],
}

impl Kernel for FilterTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { filter, c_in, c_out, to } = self;
        assert_eq!(filter.len(), 9 * c_in * c_out);
        assert_eq!(to.len(), POINTS * c_in * c_out);
        for row in 0..c_in {
            for register in 0..c_out / S::LANES {
                let at = row * c_out + register * S::LANES;
                // SAFETY: within the lengths just checked.
                unsafe {
                    let mut half = [[s.zero(); 3]; 6];
                    for j in 0..3 {
                        let g = from_fn(|i| {
                            s.load(filter.as_ptr().add((i * 3 + j) * c_in * c_out + at))
                        });
                        for (half, g) in half.iter_mut().zip(g_1d(s, g)) {
                            half[j] = g;
                        }
                    }
                    for (i, half) in half.into_iter().enumerate() {
                        for (j, g) in g_1d(s, half).into_iter().enumerate() {
                            let at = filter_at::<S>(i * 6 + j, row, register, c_in, c_out);
                            s.store(to.as_mut_ptr().add(at), g);
                        }
                    }
                }
            }
        }
    }
}

/// `Gᵀ · G`, overwriting `to` `(3, 3, c_in, c_out)`.
struct FilterBack<'a> {
    sums: &'a [f32],
    c_in: usize,
    c_out: usize,
    to: &'a mut [f32],
}

impl Kernel for FilterBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { sums, c_in, c_out, to } = self;
        assert_eq!(to.len(), 9 * c_in * c_out);
        assert_eq!(sums.len(), POINTS * c_in * c_out);
        for row in 0..c_in {
            for register in 0..c_out / S::LANES {
                // SAFETY: within the lengths just checked.
                unsafe {
                    let mut half = [[s.zero(); 6]; 3];
                    for j in 0..6 {
                        let m = from_fn(|i| {
                            let at = filter_at::<S>(i * 6 + j, row, register, c_in, c_out);
                            s.load(sums.as_ptr().add(at))
                        });
                        for (half, m) in half.iter_mut().zip(g_back_1d(s, m)) {
                            half[j] = m;
                        }
                    }
                    for (i, half) in half.into_iter().enumerate() {
                        for (j, g) in g_back_1d(s, half).into_iter().enumerate() {
                            let at = (i * 3 + j) * c_in * c_out + row * c_out + register * S::LANES;
                            s.store(to.as_mut_ptr().add(at), g);
                        }
                    }
                }
            }
        }
    }
}

/// Inputs of some samples to their outputs.
struct Correlate<'a> {
    maps: &'a Maps,
    src: &'a [f32],
    filters: &'a [f32],
    bias: Option<&'a [f32]>,
    accumulate: bool,
    inputs: &'a mut [f32],
    sums: &'a mut [f32],
    dst: &'a mut [f32],
}

impl Kernel for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let tiles = self.dst.len() / self.maps.output_len() * self.maps.tiles.0 * self.maps.tiles.1;
        for first in (0..tiles).step_by(TILES) {
            let count = TILES.min(tiles - first);
            transform_inputs(s, self.maps, self.src, first, count, self.inputs);
            match (panel_registers::<S>(self.maps.output.2), S::REGISTERS >= 32) {
                (1, true) => self.multiply::<S, 16, 1>(s),
                (1, false) => self.multiply::<S, 8, 1>(s),
                (_, true) => self.multiply::<S, 8, 2>(s),
                (_, false) => self.multiply::<S, 4, 2>(s),
            }
            self.transform_sums(s, first, count);
        }
    }
}

impl Correlate<'_> {
    /// At each point the tiles' inputs times the filters.
    #[inline(always)]
    fn multiply<S: Simd, const T: usize, const N: usize>(&mut self, s: S) {
        let (c_in, c_out) = (self.maps.input.c, self.maps.output.2);
        assert!(self.inputs.len() >= POINTS * point_len(c_in));
        assert!(self.sums.len() >= POINTS * point_len(c_out));
        assert!(self.filters.len() == POINTS * c_in * c_out);
        for point in 0..POINTS {
            for panel in 0..c_out / (N * S::LANES) {
                for tile in (0..TILES).step_by(T) {
                    // SAFETY: within the lengths just checked; T divides TILES.
                    unsafe {
                        let at = filter_at::<S>(point, 0, panel * N, c_in, c_out);
                        let mut f = self.filters.as_ptr().add(at);
                        let mut x =
                            self.inputs.as_ptr().add(point * point_len(c_in) + tile * S::LANES);
                        let mut acc = [[s.zero(); N]; T];
                        for _ in 0..c_in / S::LANES {
                            for lane in 0..S::LANES {
                                let f_row: [S::F; N] = from_fn(|v| s.load(f.add(v * S::LANES)));
                                for (t, acc) in acc.iter_mut().enumerate() {
                                    let x = s.splat(*x.add(t * S::LANES + lane));
                                    for v in 0..N {
                                        acc[v] = s.mul_add(x, f_row[v], acc[v]);
                                    }
                                }
                                f = f.wrapping_add(N * S::LANES);
                            }
                            x = x.wrapping_add(TILES * S::LANES);
                        }
                        let to = self.sums.as_mut_ptr().add(point * point_len(c_out));
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

    /// `Aᵀ · A`, into the outputs.
    #[inline(always)]
    fn transform_sums<S: Simd>(&mut self, s: S, first: usize, count: usize) {
        let (oh, ow, c) = self.maps.output;
        assert!(self.sums.len() >= POINTS * point_len(c));
        for t in 0..count {
            let (sample, ty, tx) = self.maps.tile(first + t);
            let (rows, cols) = ((oh - 4 * ty).min(4), (ow - 4 * tx).min(4));
            let to = ((sample * oh + 4 * ty) * ow + 4 * tx) * c;
            assert!(to + ((rows - 1) * ow + cols) * c <= self.dst.len());
            for register in 0..c / S::LANES {
                // SAFETY: within the lengths just checked.
                unsafe {
                    let from = self.sums.as_ptr().add((register * TILES + t) * S::LANES);
                    let mut half = [[s.zero(); 6]; 4];
                    for j in 0..6 {
                        let m = from_fn(|i| s.load(from.add((i * 6 + j) * point_len(c))));
                        for (half, m) in half.iter_mut().zip(a_1d(s, m)) {
                            half[j] = m;
                        }
                    }
                    let bias = match self.bias {
                        Some(bias) => s.load(bias[register * S::LANES..][..S::LANES].as_ptr()),
                        None => s.zero(),
                    };
                    for (i, half) in half.into_iter().enumerate().take(rows) {
                        let y = a_1d(s, half);
                        let to = self.dst.as_mut_ptr().add(to + i * ow * c + register * S::LANES);
                        for (j, y) in y.into_iter().enumerate().take(cols) {
                            let to = to.add(j * c);
                            let old = if self.accumulate { s.load(to) } else { bias };
                            s.store(to, s.add(y, old));
                        }
                    }
                }
            }
        }
    }
}

/// `Bᵀ d B` of `count` tiles.
#[inline(always)]
fn transform_inputs<S: Simd>(
    s: S,
    maps: &Maps,
    src: &[f32],
    first: usize,
    count: usize,
    to: &mut [f32],
) {
    let Padded { rows, cols, c, .. } = maps.input;
    assert!(to.len() >= POINTS * point_len(c));
    for t in 0..count {
        let (sample, ty, tx) = maps.tile(first + t);
        let from = ((sample * rows + 4 * ty) * cols + 4 * tx) * c;
        assert!(from + (5 * cols + 6) * c <= src.len());
        for register in 0..c / S::LANES {
            // SAFETY: within the lengths just checked.
            unsafe {
                let from = src.as_ptr().add(from + register * S::LANES);
                let to = to.as_mut_ptr().add((register * TILES + t) * S::LANES);
                let mut half = [[s.zero(); 6]; 6];
                for j in 0..6 {
                    let d = from_fn(|i| s.load(from.add((i * cols + j) * c)));
                    for (half, d) in half.iter_mut().zip(b_1d(s, d)) {
                        half[j] = d;
                    }
                }
                for (i, half) in half.into_iter().enumerate() {
                    for (j, d) in b_1d(s, half).into_iter().enumerate() {
                        s.store(to.add((i * 6 + j) * point_len(c)), d);
                    }
                }
            }
        }
    }
}

/// Inputs and output gradients of some samples to the sums at the points.
struct FilterSums<'a> {
    maps: &'a Maps,
    tiles: usize,
    x: &'a [f32],
    dy: &'a [f32],
    /// Rows and columns of `dy`.
    dy_size: (usize, usize),
    inputs: &'a mut [f32],
    grads: &'a mut [f32],
    sums: &'a mut [f32],
}

impl Kernel for FilterSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        for first in (0..self.tiles).step_by(TILES) {
            let count = TILES.min(self.tiles - first);
            transform_inputs(s, self.maps, self.x, first, count, self.inputs);
            self.transform_grads(s, first, count);
            match (panel_registers::<S>(self.maps.output.2), S::REGISTERS >= 32) {
                (1, true) => self.multiply::<S, 16, 1>(s, count),
                (1, false) => self.multiply::<S, 8, 1>(s, count),
                (_, true) => self.multiply::<S, 8, 2>(s, count),
                (_, false) => self.multiply::<S, 4, 2>(s, count),
            }
        }
    }
}

impl FilterSums<'_> {
    /// `A dY Aᵀ`
    #[inline(always)]
    fn transform_grads<S: Simd>(&mut self, s: S, first: usize, count: usize) {
        let (rows, cols) = self.dy_size;
        let c = self.maps.output.2;
        assert!(self.grads.len() >= POINTS * point_len(c));
        for t in 0..count {
            let (sample, ty, tx) = self.maps.tile(first + t);
            let from = ((sample * rows + 4 * ty) * cols + 4 * tx) * c;
            assert!(from + (3 * cols + 4) * c <= self.dy.len());
            for register in 0..c / S::LANES {
                // SAFETY: within the lengths just checked.
                unsafe {
                    let from = self.dy.as_ptr().add(from + register * S::LANES);
                    let to = self.grads.as_mut_ptr().add((register * TILES + t) * S::LANES);
                    let mut half = [[s.zero(); 4]; 6];
                    for j in 0..4 {
                        let y = from_fn(|i| s.load(from.add((i * cols + j) * c)));
                        for (half, y) in half.iter_mut().zip(a_back_1d(s, y)) {
                            half[j] = y;
                        }
                    }
                    for (i, half) in half.into_iter().enumerate() {
                        for (j, y) in a_back_1d(s, half).into_iter().enumerate() {
                            s.store(to.add((i * 6 + j) * point_len(c)), y);
                        }
                    }
                }
            }
        }
    }

    /// At each point the outer products of inputs and gradients, summed over the tiles.
    #[inline(always)]
    fn multiply<S: Simd, const R: usize, const N: usize>(&mut self, s: S, count: usize) {
        let (c_in, c_out) = (self.maps.input.c, self.maps.output.2);
        // Registers of the portable version are shorter than its tile.
        let r_len = if R < S::LANES { R } else { S::LANES };
        assert!(self.inputs.len() >= POINTS * point_len(c_in));
        assert!(self.grads.len() >= POINTS * point_len(c_out));
        assert!(self.sums.len() == POINTS * c_in * c_out);
        for point in 0..POINTS {
            for panel in 0..c_out / (N * S::LANES) {
                for row in (0..c_in).step_by(r_len) {
                    // SAFETY: within the lengths just checked; `r_len` divides LANES.
                    unsafe {
                        let at = filter_at::<S>(point, row, panel * N, c_in, c_out);
                        let sums = self.sums.as_mut_ptr().add(at);
                        let x = point * point_len(c_in) + row / S::LANES * TILES * S::LANES;
                        let mut x = self.inputs.as_ptr().add(x + row % S::LANES);
                        let g = point * point_len(c_out) + panel * N * TILES * S::LANES;
                        let mut g = self.grads.as_ptr().add(g);
                        let mut acc = [[s.zero(); N]; R];
                        for (r, acc) in acc.iter_mut().enumerate().take(r_len) {
                            for (v, acc) in acc.iter_mut().enumerate() {
                                *acc = s.load(sums.add((r * N + v) * S::LANES));
                            }
                        }
                        for _ in 0..count {
                            let g_row: [S::F; N] = from_fn(|v| s.load(g.add(v * TILES * S::LANES)));
                            for (r, acc) in acc.iter_mut().enumerate().take(r_len) {
                                let x = s.splat(*x.add(r));
                                for v in 0..N {
                                    acc[v] = s.mul_add(x, g_row[v], acc[v]);
                                }
                            }
                            x = x.wrapping_add(S::LANES);
                            g = g.wrapping_add(S::LANES);
                        }
                        for (r, acc) in acc.iter().enumerate().take(r_len) {
                            for (v, &acc) in acc.iter().enumerate() {
                                s.store(sums.add((r * N + v) * S::LANES), acc);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `Bᵀ d`
#[inline(always)]
fn b_1d<S: Simd>(s: S, d: [S::F; 6]) -> [S::F; 6] {
    let (four, minus_four) = (s.splat(4.0), s.splat(-4.0));
    let (minus_five, two) = (s.splat(-5.0), s.splat(2.0));
    let even = s.mul_add(minus_four, d[2], d[4]);
    let odd = s.mul_add(minus_four, d[1], d[3]);
    let outer = s.sub(d[4], d[2]);
    let inner = s.mul(two, s.sub(d[3], d[1]));
    [
        s.mul_add(four, d[0], s.mul_add(minus_five, d[2], d[4])),
        s.add(even, odd),
        s.sub(even, odd),
        s.add(outer, inner),
        s.sub(outer, inner),
        s.mul_add(four, d[1], s.mul_add(minus_five, d[3], d[5])),
    ]
}

/// `Aᵀ m`
#[inline(always)]
fn a_1d<S: Simd>(s: S, m: [S::F; 6]) -> [S::F; 4] {
    let (a, b) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (c, d) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.add(s.add(m[0], a), c),
        s.mul_add(s.splat(2.0), d, b),
        s.mul_add(s.splat(4.0), c, a),
        s.add(s.mul_add(s.splat(8.0), d, b), m[5]),
    ]
}

/// `A y`
#[inline(always)]
fn a_back_1d<S: Simd>(s: S, y: [S::F; 4]) -> [S::F; 6] {
    let (even, odd) = (s.add(y[0], y[2]), s.add(y[1], y[3]));
    let even_2 = s.mul_add(s.splat(4.0), y[2], y[0]);
    let odd_2 = s.mul_add(s.splat(8.0), y[3], s.add(y[1], y[1]));
    [y[0], s.add(even, odd), s.sub(even, odd), s.add(even_2, odd_2), s.sub(even_2, odd_2), y[3]]
}

/// `G g`
#[inline(always)]
fn g_1d<S: Simd>(s: S, g: [S::F; 3]) -> [S::F; 6] {
    let sixth = s.splat(1.0 / 6.0);
    let outer = s.mul(s.splat(-1.0 / 6.0), s.add(g[0], g[2]));
    let inner = s.mul(sixth, g[1]);
    let outer_2 = s.mul_add(s.splat(1.0 / 24.0), g[0], s.mul(sixth, g[2]));
    let inner_2 = s.mul(s.splat(1.0 / 12.0), g[1]);
    [
        s.mul(s.splat(0.25), g[0]),
        s.sub(outer, inner),
        s.add(outer, inner),
        s.add(outer_2, inner_2),
        s.sub(outer_2, inner_2),
        g[2],
    ]
}

/// `Gᵀ m`
#[inline(always)]
fn g_back_1d<S: Simd>(s: S, m: [S::F; 6]) -> [S::F; 3] {
    let sixth = s.splat(1.0 / 6.0);
    let (a, b) = (s.mul(sixth, s.add(m[1], m[2])), s.sub(m[2], m[1]));
    let (c, d) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.sub(s.mul_add(s.splat(0.25), m[0], s.mul(s.splat(1.0 / 24.0), c)), a),
        s.mul_add(s.splat(1.0 / 12.0), d, s.mul(sixth, b)),
        s.add(s.sub(s.mul(sixth, c), a), m[5]),
    ]
}
