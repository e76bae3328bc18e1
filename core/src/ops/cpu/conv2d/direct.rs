//! Convolution by register tiles, for every kernel size, stride, padding and number of groups.
//!
//! A tile is `T` neighbouring positions × `N` registers of output channels. It stays in registers
//! while the sum runs over the taps: each step loads `N` registers of filters and multiplies them
//! by one number of each position's input. With channels last the inputs of a tap are contiguous.
//!
//! The gradient for the input of a strided convolution falls apart into `stride²` such sums: input
//! positions of equal remainder modulo the stride meet the same taps ([`Pass`]).

use super::super::buffer::Buffer;
use super::super::parallel;
use super::super::simd::{Isa, Kernel, Simd};
use super::{Conv2dDims, Padded};

/// `len` consecutive inputs, from `input` after a position's first, times as many filter rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) input: usize,
    pub(super) filter_row: usize,
    pub(super) len: usize,
}

/// Output positions on a grid that all sum over the same taps.
#[derive(Clone, Debug)]
struct Pass {
    runs: Vec<Run>,
    rows: usize,
    cols: usize,
    /// Offset of the first position's first input, and from row to row and column to column.
    input: [usize; 3],
    /// The same for the output.
    output: [usize; 3],
    /// Which filter panels and channels, of the output's.
    group: usize,
}

/// Filters of a group as `[panel][row][width]`, `width` a multiple of the register; rows are
/// `(tap, input channel)`, columns output channels, padded with zeros.
struct Panels {
    data: Buffer<f32>,
    rows: usize,
    width: usize,
    /// Panels of a group.
    count: usize,
    /// Columns of a group.
    cols: usize,
}

impl Panels {
    /// Packs `value(group, row, col)`.
    fn pack(
        isa: Isa,
        groups: usize,
        rows: usize,
        cols: usize,
        value: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let width = panel_width(isa, cols);
        let count = cols.div_ceil(width);
        let mut data = Buffer::zeroed(groups * count * rows * width);
        for (i, panel) in data.chunks_exact_mut(rows * width).enumerate() {
            let (group, first) = (i / count, i % count * width);
            for (row, out) in panel.chunks_exact_mut(width).enumerate() {
                for (col, out) in (first..cols).zip(out) {
                    *out = value(group, row, col);
                }
            }
        }
        Self { data, rows, width, count, cols }
    }
}

/// Columns of a panel for `cols` output channels: one or two registers.
pub(super) fn panel_width(isa: Isa, cols: usize) -> usize {
    let lanes = isa.lanes();
    if cols <= lanes { lanes } else { 2 * lanes }
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
    let (ci, co) = (d.c_in / d.groups, d.c_out / d.groups);
    let panels = Panels::pack(isa, d.groups, d.kh * d.kw * ci, co, |g, row, col| {
        filter[row * d.c_out + g * co + col]
    });
    let padded = Padded::input(d);
    let (oh, ow) = d.out_size();
    let row = padded.cols * d.c_in;
    let passes: Vec<Pass> = (0..d.groups)
        .map(|group| Pass {
            runs: taps(d, ci, |i, j| i * row + j * d.c_in),
            rows: oh,
            cols: ow,
            input: [group * ci, d.stride * row, d.stride * d.c_in],
            output: [group * co, ow * d.c_out, d.c_out],
            group,
        })
        .collect();
    Plan { passes, panels, padded, accumulate: false }.run(isa, x, bias, y);
}

/// `dx += dy ∗ filterᵀ`
pub(super) fn input_grad(isa: Isa, d: &Conv2dDims, filter: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (ci, co) = (d.c_in / d.groups, d.c_out / d.groups);
    let panels = Panels::pack(isa, d.groups, d.kh * d.kw * co, ci, |g, row, col| {
        filter[(row / co * ci + col) * d.c_out + g * co + row % co]
    });
    let padded = Padded::output_grad(d);
    let s = d.stride;
    let row = padded.cols * d.c_out;
    let mut passes = Vec::new();
    for group in 0..d.groups {
        for y0 in 0..s.min(d.h) {
            for x0 in 0..s.min(d.w) {
                // Position y = y0 + s·m meets tap i where s divides y + padding − i, in row
                // (y + padding − i) / s of dy.
                let (ry, rx) = ((y0 + d.padding) % s, (x0 + d.padding) % s);
                let (qy, qx) = ((y0 + d.padding) / s, (x0 + d.padding) / s);
                let mut runs = Vec::new();
                for i in (ry..d.kh).step_by(s) {
                    for j in (rx..d.kw).step_by(s) {
                        let (up, left) = ((i - ry) / s, (j - rx) / s);
                        runs.push(Run {
                            input: (padded.top + qy - up) * row
                                + (padded.left + qx - left) * d.c_out,
                            filter_row: (i * d.kw + j) * co,
                            len: co,
                        });
                    }
                }
                passes.push(Pass {
                    runs,
                    rows: (d.h - y0).div_ceil(s),
                    cols: (d.w - x0).div_ceil(s),
                    input: [group * co, row, d.c_out],
                    output: [(y0 * d.w + x0) * d.c_in + group * ci, s * d.w * d.c_in, s * d.c_in],
                    group,
                });
            }
        }
    }
    Plan { passes, panels, padded, accumulate: true }.run(isa, dy, None, dx);
}

/// The runs of a whole kernel, `at(i, j)` being the offset of tap (i, j); taps that touch in memory
/// make one run.
pub(super) fn taps(d: &Conv2dDims, len: usize, at: impl Fn(usize, usize) -> usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::with_capacity(d.kh * d.kw);
    for i in 0..d.kh {
        for j in 0..d.kw {
            let input = at(i, j);
            match runs.last_mut() {
                Some(last) if last.input + last.len == input => last.len += len,
                _ => runs.push(Run { input, filter_row: (i * d.kw + j) * len, len }),
            }
        }
    }
    runs
}

/// All passes over a sample.
struct Plan {
    passes: Vec<Pass>,
    panels: Panels,
    padded: Padded,
    /// Add to the output, or overwrite it.
    accumulate: bool,
}

impl Plan {
    fn run(&self, isa: Isa, src: &[f32], bias: Option<&[f32]>, dst: &mut [f32]) {
        let Self { passes, panels, padded, accumulate } = self;
        let src_len = padded.sample_len();
        let dst_len = dst.len() / (src.len() / src_len);
        let per_piece = parallel::rows_per_piece(src.len() / src_len, 1, 32);
        let pieces = dst.chunks_mut(per_piece * dst_len).zip(src.chunks(per_piece * src_len));
        parallel::for_each(pieces.collect(), |_, (dst, src)| {
            let mut scratch = padded.scratch();
            for (dst, src) in dst.chunks_exact_mut(dst_len).zip(src.chunks_exact(src_len)) {
                let src = padded.fill(src, &mut scratch);
                for pass in passes {
                    let accumulate = *accumulate;
                    isa.run(PassKernel { pass, panels, src, bias, dst, accumulate });
                }
            }
        });
    }
}

struct PassKernel<'a> {
    pass: &'a Pass,
    panels: &'a Panels,
    src: &'a [f32],
    bias: Option<&'a [f32]>,
    dst: &'a mut [f32],
    accumulate: bool,
}

impl Kernel for PassKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // Accumulators, a register for each panel column and one for the input must fit.
        match (self.panels.width > S::LANES, S::SUMS >= 24) {
            (false, true) => self.rows::<S, 16, 1>(s),
            (false, false) => self.rows::<S, 8, 1>(s),
            (true, true) => self.rows::<S, 8, 2>(s),
            (true, false) => self.rows::<S, 4, 2>(s),
        }
    }
}

impl PassKernel<'_> {
    #[inline(always)]
    fn rows<S: Simd, const T: usize, const N: usize>(mut self, s: S) {
        for panel in 0..self.panels.count {
            for row in 0..self.pass.rows {
                let mut col = 0;
                while col + T <= self.pass.cols {
                    self.tile::<S, T, N>(s, panel, row, col);
                    col += T;
                }
                if T > 8 && col + 8 <= self.pass.cols {
                    self.tile::<S, 8, N>(s, panel, row, col);
                    col += 8;
                }
                if T > 4 && col + 4 <= self.pass.cols {
                    self.tile::<S, 4, N>(s, panel, row, col);
                    col += 4;
                }
                while col < self.pass.cols {
                    self.tile::<S, 1, N>(s, panel, row, col);
                    col += 1;
                }
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const T: usize, const N: usize>(
        &mut self,
        s: S,
        panel: usize,
        row: usize,
        col: usize,
    ) {
        let (pass, panels) = (self.pass, self.panels);
        let [src_start, src_row, src_col] = pass.input;
        let [dst_start, dst_row, dst_col] = pass.output;
        let src_at = src_start + row * src_row + col * src_col;
        let dst_at = dst_start + row * dst_row + col * dst_col + panel * panels.width;
        let cols = (panels.cols - panel * panels.width).min(panels.width);
        let filter =
            &panels.data[(pass.group * panels.count + panel) * panels.rows * panels.width..];

        let mut acc = [[s.zero(); N]; T];
        if let Some(bias) = self.bias {
            let bias = &bias[pass.group * panels.cols + panel * panels.width..][..cols];
            for v in 0..N {
                let n = cols.saturating_sub(v * S::LANES).min(S::LANES);
                // SAFETY: `bias` holds `cols` numbers, `n` of them from `v·LANES` on.
                let b = unsafe { s.load_head(bias.as_ptr().wrapping_add(v * S::LANES), n) };
                for acc in &mut acc {
                    acc[v] = b;
                }
            }
        }
        for run in &pass.runs {
            let last = src_at + (T - 1) * src_col + run.input + run.len;
            assert!(last <= self.src.len());
            let rows = &filter[run.filter_row * panels.width..][..run.len * panels.width];
            // SAFETY: the bounds were just checked.
            unsafe {
                let mut a = self.src.as_ptr().add(src_at + run.input);
                let mut b = rows.as_ptr();
                for _ in 0..run.len {
                    let f: [S::F; N] = std::array::from_fn(|v| s.load(b.add(v * S::LANES)));
                    for (t, acc) in acc.iter_mut().enumerate() {
                        let x = s.splat(*a.add(t * src_col));
                        for v in 0..N {
                            acc[v] = s.mul_add(x, f[v], acc[v]);
                        }
                    }
                    a = a.add(1);
                    b = b.add(panels.width);
                }
            }
        }
        let dst = &mut self.dst[dst_at..][..(T - 1) * dst_col + cols];
        for (t, acc) in acc.iter().enumerate() {
            for (v, &acc) in acc.iter().enumerate() {
                let n = cols.saturating_sub(v * S::LANES).min(S::LANES);
                let at = dst.as_mut_ptr().wrapping_add(t * dst_col + v * S::LANES);
                // SAFETY: `dst` holds `n` numbers from there: `cols` of each of the T positions.
                unsafe {
                    let sum = if self.accumulate { s.add(s.load_head(at, n), acc) } else { acc };
                    s.store_head(at, n, sum);
                }
            }
        }
    }
}
