//! The gradient for the filters.

use std::array::from_fn;

use super::super::super::buffer::Buffer;
use super::super::super::parallel;
use super::super::super::simd::{Isa, Kernel, Simd};
use super::super::Conv2dDims;
use super::transform::{a_back_1d, g_back_1d};
use super::{Maps, POINTS, TILES, filter_at, panel_registers, point_len, transform_inputs};

/// `dw += xᵀ ∗ dy`
pub(in super::super) fn filter_grad(
    isa: Isa,
    d: &Conv2dDims,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let (oh, ow) = d.out_size();
    let maps = Maps::new((d.h, d.w, d.c_in), d.padding, (oh, ow), d.c_out);
    let (x_len, dy_len) = (maps.input_len(), maps.output_len());
    let groups = d.n.div_ceil(maps.together);
    let per_piece = parallel::rows_per_piece(groups, 1, 16) * maps.together;
    let pieces = x.chunks(per_piece * x_len).zip(dy.chunks(per_piece * dy_len));
    let parts = parallel::map(pieces.collect(), |_, (x, dy)| {
        let mut inputs = Buffer::new(POINTS * point_len(d.c_in));
        let mut grads = Buffer::new(POINTS * point_len(d.c_out));
        let mut sums = Buffer::zeroed(POINTS * d.c_in * d.c_out);
        let groups = x.chunks(maps.together * x_len).zip(dy.chunks(maps.together * dy_len));
        for (x, dy) in groups {
            isa.run(FilterSums {
                maps: &maps,
                tiles: x.len() / x_len * maps.tiles.0 * maps.tiles.1,
                x,
                dy,
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

/// Inputs and output gradients of some samples to the sums at the points.
struct FilterSums<'a> {
    maps: &'a Maps,
    tiles: usize,
    x: &'a [f32],
    dy: &'a [f32],
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
            match (panel_registers::<S>(self.maps.output.2), S::SUMS >= 24) {
                (1, true) => self.multiply::<S, 16, 1>(s, count),
                (1, false) => self.multiply::<S, 8, 1>(s, count),
                (_, true) => self.multiply::<S, 8, 2>(s, count),
                (_, false) => self.multiply::<S, 4, 2>(s, count),
            }
        }
    }
}

impl FilterSums<'_> {
    /// `A dY Aᵀ`; what lies outside the maps is zero.
    #[inline(always)]
    fn transform_grads<S: Simd>(&mut self, s: S, first: usize, count: usize) {
        let (oh, ow, c) = self.maps.output;
        assert!(self.grads.len() >= POINTS * point_len(c));
        for t in 0..count {
            let (sample, ty, tx) = self.maps.tile(first + t);
            let (rows, cols) = (oh - 4 * ty, ow - 4 * tx);
            let from = ((sample * oh + 4 * ty) * ow + 4 * tx) * c;
            assert!((sample + 1) * oh * ow * c <= self.dy.len());
            for register in 0..c / S::LANES {
                let from = self.dy.as_ptr().wrapping_add(from + register * S::LANES);
                let to = self.grads[(register * TILES + t) * S::LANES..].as_mut_ptr();
                let mut half = [[s.zero(); 4]; 6];
                for j in 0..4 {
                    let mut y = [s.zero(); 4];
                    for (i, y) in y.iter_mut().enumerate() {
                        if i < rows && j < cols {
                            // SAFETY: the row and the column lie in the maps, which `dy` holds.
                            *y = unsafe { s.load(from.wrapping_add((i * ow + j) * c)) };
                        }
                    }
                    for (half, y) in half.iter_mut().zip(a_back_1d(s, y)) {
                        half[j] = y;
                    }
                }
                for (i, half) in half.into_iter().enumerate() {
                    for (j, y) in a_back_1d(s, half).into_iter().enumerate() {
                        // SAFETY: within the length just checked.
                        unsafe { s.store(to.add((i * 6 + j) * point_len(c)), y) };
                    }
                }
            }
        }
    }

    /// At each point the outer products of inputs and gradients, summed over the tiles.
    #[inline(always)]
    fn multiply<S: Simd, const R: usize, const N: usize>(&mut self, s: S, count: usize) {
        let (c_in, c_out) = (self.maps.input.2, self.maps.output.2);
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
