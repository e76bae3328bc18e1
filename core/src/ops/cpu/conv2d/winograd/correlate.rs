//! Outputs from inputs, and the inputs' gradient from that of the outputs.

use std::array::from_fn;

use super::super::super::buffer::Buffer;
use super::super::super::parallel;
use super::super::super::simd::{Isa, Kernel, Simd};
use super::super::Conv2dDims;
use super::transform::{a_1d, g_1d};
use super::{Maps, POINTS, TILES, filter_at, panel_registers, point_len, transform_inputs};

/// `y = x ∗ filter + bias`, overwriting `y`.
pub(in super::super) fn forward(
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
pub(in super::super) fn input_grad(
    isa: Isa,
    d: &Conv2dDims,
    filter: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
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

fn correlate(
    isa: Isa,
    maps: &Maps,
    src: &[f32],
    filter: &[f32],
    bias: Option<&[f32]>,
    dst: &mut [f32],
    accumulate: bool,
) {
    let (c_in, c_out) = (maps.input.2, maps.output.2);
    let mut filters = Buffer::new(POINTS * c_in * c_out);
    isa.run(FilterTransform { filter, c_in, c_out, to: &mut filters });

    let (src_len, dst_len) = (maps.input_len(), maps.output_len());
    let groups = dst.len().div_ceil(maps.together * dst_len);
    let per_piece = parallel::rows_per_piece(groups, 1, 32) * maps.together;
    let pieces = dst.chunks_mut(per_piece * dst_len).zip(src.chunks(per_piece * src_len));
    parallel::for_each(pieces.collect(), |_, (dst, src)| {
        let mut inputs = Buffer::new(POINTS * point_len(c_in));
        let mut sums = Buffer::new(POINTS * point_len(c_out));
        let groups = dst.chunks_mut(maps.together * dst_len);
        for (dst, src) in groups.zip(src.chunks(maps.together * src_len)) {
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
            match (panel_registers::<S>(self.maps.output.2), S::SUMS >= 24) {
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
        let (c_in, c_out) = (self.maps.input.2, self.maps.output.2);
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
