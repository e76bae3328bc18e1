//! The gradient for the filters, by register tiles.
//!
//! `dw[tap, c, k] = Σ x[position + tap, c] · dy[position, k]`: a tile of `R` rows `(tap, c)` ×
//! `N` registers of output channels stays in registers while the sum runs over the positions of a
//! sample. Pieces of the batch have their own sums, which are added in the pieces' order.

use super::super::buffer::Buffer;
use super::super::parallel;
use super::super::simd::{Isa, Kernel, Simd};
use super::direct::{Run, panel_width, taps};
use super::{Conv2dDims, Padded};

/// `dw += xᵀ ∗ dy`
pub(super) fn filter_grad(isa: Isa, d: &Conv2dDims, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let (ci, co) = (d.c_in / d.groups, d.c_out / d.groups);
    let (oh, ow) = d.out_size();
    let padded = Padded::input(d);
    let row = padded.cols * d.c_in;
    let runs = taps(d, ci, |i, j| i * row + j * d.c_in);
    let width = panel_width(isa, co);
    let panels = co.div_ceil(width);
    let rows = d.kh * d.kw * ci;

    let per_piece = parallel::rows_per_piece(d.n, 1, 16);
    let pieces: Vec<_> = x
        .chunks(per_piece * padded.sample_len())
        .zip(dy.chunks(per_piece * oh * ow * d.c_out))
        .collect();
    let sums = parallel::map(pieces, |_, (x, dy)| {
        let mut sums = Buffer::zeroed(d.groups * panels * rows * width);
        let mut scratch = padded.scratch();
        let mut wide = Buffer::zeroed(if co == panels * width {
            0
        } else {
            oh * ow * d.groups * panels * width
        });
        for (x, dy) in x.chunks_exact(padded.sample_len()).zip(dy.chunks_exact(oh * ow * d.c_out)) {
            let x = padded.fill(x, &mut scratch);
            let dy = widen(dy, co, panels * width, &mut wide);
            for group in 0..d.groups {
                for panel in 0..panels {
                    let sums = &mut sums[(group * panels + panel) * rows * width..][..rows * width];
                    isa.run(SampleKernel {
                        runs: &runs,
                        x: &x[group * ci..],
                        x_row: d.stride * row,
                        x_col: d.stride * d.c_in,
                        dy: &dy[(group * panels + panel) * width..],
                        dy_col: d.groups * panels * width,
                        size: (oh, ow),
                        width,
                        sums,
                    });
                }
            }
        }
        sums
    });
    for sums in &sums {
        for (i, sums) in sums.chunks_exact(rows * width).enumerate() {
            let (group, first) = (i / panels, i % panels * width);
            let cols = (co - first).min(width);
            for (row, sums) in sums.chunks_exact(width).enumerate() {
                let dw = &mut dw[row * d.c_out + group * co + first..][..cols];
                dw.iter_mut().zip(sums).for_each(|(dw, sum)| *dw += sum);
            }
        }
    }
}

/// `dy` with each group's channels at the start of `width` zeros, so that whole registers can be
/// read; `dy` itself where they fill them already.
fn widen<'a>(dy: &'a [f32], co: usize, width: usize, wide: &'a mut [f32]) -> &'a [f32] {
    if co == width {
        return dy;
    }
    for (to, from) in wide.chunks_exact_mut(width).zip(dy.chunks_exact(co)) {
        to[..co].copy_from_slice(from);
    }
    wide
}

struct SampleKernel<'a> {
    runs: &'a [Run],
    x: &'a [f32],
    x_row: usize,
    x_col: usize,
    dy: &'a [f32],
    dy_col: usize,
    /// Height and width of `dy`.
    size: (usize, usize),
    width: usize,
    sums: &'a mut [f32],
}

impl Kernel for SampleKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match (self.width > S::LANES, S::SUMS >= 24) {
            (false, true) => self.tiles::<S, 16, 1>(s),
            (false, false) => self.tiles::<S, 8, 1>(s),
            (true, true) => self.tiles::<S, 12, 2>(s),
            (true, false) => self.tiles::<S, 4, 2>(s),
        }
    }
}

impl SampleKernel<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const R: usize, const N: usize>(mut self, s: S) {
        for run in self.runs {
            let mut r = 0;
            while r + R <= run.len {
                self.tile::<S, R, N>(s, run, r);
                r += R;
            }
            if R > 8 && r + 8 <= run.len {
                self.tile::<S, 8, N>(s, run, r);
                r += 8;
            }
            if R > 4 && r + 4 <= run.len {
                self.tile::<S, 4, N>(s, run, r);
                r += 4;
            }
            while r < run.len {
                self.tile::<S, 1, N>(s, run, r);
                r += 1;
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const N: usize>(&mut self, s: S, run: &Run, r: usize) {
        let (oh, ow) = self.size;
        let sums = &mut self.sums[(run.filter_row + r) * self.width..][..R * self.width];
        let x_at = run.input + r;
        assert!(x_at + (oh - 1) * self.x_row + (ow - 1) * self.x_col + R <= self.x.len());
        assert!((oh * ow - 1) * self.dy_col + N * S::LANES <= self.dy.len());
        assert!(N * S::LANES == self.width);
        // SAFETY: the bounds were just checked.
        unsafe {
            let at = |i: usize, v: usize| i * N * S::LANES + v * S::LANES;
            let mut acc: [[S::F; N]; R] = std::array::from_fn(|i| {
                std::array::from_fn(|v| s.load(sums.as_ptr().add(at(i, v))))
            });
            let mut b = self.dy.as_ptr();
            for oy in 0..oh {
                let mut a = self.x.as_ptr().add(x_at + oy * self.x_row);
                for _ in 0..ow {
                    let dy: [S::F; N] = std::array::from_fn(|v| s.load(b.add(v * S::LANES)));
                    for (i, acc) in acc.iter_mut().enumerate() {
                        let x = s.splat(*a.add(i));
                        for v in 0..N {
                            acc[v] = s.mul_add(x, dy[v], acc[v]);
                        }
                    }
                    a = a.wrapping_add(self.x_col);
                    b = b.wrapping_add(self.dy_col);
                }
            }
            for (i, acc) in acc.iter().enumerate() {
                for (v, &acc) in acc.iter().enumerate() {
                    s.store(sums.as_mut_ptr().add(at(i, v)), acc);
                }
            }
        }
    }
}
