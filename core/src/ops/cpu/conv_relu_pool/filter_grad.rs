//! The gradients of the filter and the bias.
//!
//! With many input channels the patches that one output channel's gradients belong to are summed
//! in registers. With few, a patch row is too short for that: there a register holds one tap of
//! many output channels, and each lane looks up the pixel of the position that its channel chose.

use super::{
    DEAD, Dims,
    sparse::{Lists, accumulate},
};
use crate::ops::cpu::{
    buffer::Buffer,
    parallel,
    simd::{Isa, Kernel, Simd},
};

/// Input channels below which pixels are looked up.
const FEW_CHANNELS: usize = 4;
/// Partial sums. More would serve more threads and cost more memory and time to add up.
const PARTS: usize = 8;
/// Samples whose patches are summed before the sum goes back to memory: as many as the first cache
/// holds at the sizes of digits.
const TOGETHER: usize = 2;
/// Taps that are added up together.
const TAPS: usize = 16;

/// Adds the gradient of the filter to `dw`.
pub(crate) fn filter_grad(
    isa: Isa,
    dims: &Dims,
    x: &[f32],
    codes: &[u8],
    dy: &[f32],
    dw: &mut [f32],
) {
    assert_eq!(x.len(), dims.n * dims.input());
    assert_eq!(codes.len(), dims.n * dims.output());
    assert_eq!(dy.len(), codes.len());
    assert_eq!(dw.len(), dims.taps() * dims.c_out);
    if dy.is_empty() || dims.c_in == 0 {
        return;
    }
    let rows = parallel::rows_per_piece(dims.n, 1, PARTS);
    let gradients = codes.chunks(rows * dims.output()).zip(dy.chunks(rows * dims.output()));
    let pieces = x.chunks(rows * dims.input()).zip(gradients).collect();
    let parts = parallel::map(pieces, |_, (x, (codes, dy))| {
        if dims.c_in < FEW_CHANNELS {
            isa.run(FewChannels { dims, x, codes, dy })
        } else {
            isa.run(ManyChannels { dims, x, codes, dy })
        }
    });
    let (row, parts) = (dims.filter_row(), parts.as_slice());
    let taps = dw.chunks_mut(row * dims.c_out).enumerate().flat_map(|(u, dw)| {
        let blocks = dw.chunks_mut(TAPS * dims.c_out).enumerate();
        blocks.map(move |(i, dw)| AddParts { parts, dims, u, first: i * TAPS, dw })
    });
    parallel::for_each(taps.collect(), |_, add| isa.run(add));
}

/// Adds the gradient of the bias to `db`.
pub(crate) fn bias_grad(isa: Isa, dims: &Dims, codes: &[u8], dy: &[f32], db: &mut [f32]) {
    assert_eq!(codes.len(), dims.n * dims.output());
    assert_eq!(dy.len(), codes.len());
    assert_eq!(db.len(), dims.c_out);
    if dy.is_empty() {
        return;
    }
    let rows = parallel::rows_per_piece(dims.n, 1, PARTS) * dims.output();
    let parts =
        parallel::map(codes.chunks(rows).zip(dy.chunks(rows)).collect(), |_, (codes, dy)| {
            isa.run(BiasPart { c_out: dims.c_out, codes, dy })
        });
    for part in parts {
        db.iter_mut().zip(part).for_each(|(db, part)| *db += part);
    }
}

struct BiasPart<'a> {
    c_out: usize,
    codes: &'a [u8],
    dy: &'a [f32],
}

impl Kernel for BiasPart<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Vec<f32> {
        let mut sums = vec![0.0; self.c_out];
        let rows = self.codes.chunks_exact(self.c_out).zip(self.dy.chunks_exact(self.c_out));
        for (codes, dy) in rows {
            for ((sum, &code), &dy) in sums.iter_mut().zip(codes).zip(dy) {
                *sum += if code == DEAD { 0.0 } else { dy };
            }
        }
        sums
    }
}

/// A partial sum of the filter's gradient.
struct Part {
    sum: Buffer<f32>,
    layout: Layout,
}

#[derive(Clone, Copy)]
enum Layout {
    /// `(taps, width)`
    Taps { width: usize },
    /// `(c_out, kh, width)`
    Channels { width: usize },
}

/// Adds the parts to up to [`TAPS`] taps, from `first` on in row `u` of the filter.
struct AddParts<'a> {
    parts: &'a [Part],
    dims: &'a Dims,
    u: usize,
    first: usize,
    dw: &'a mut [f32],
}

impl Kernel for AddParts<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { parts, dims, u, first, dw } = self;
        let Dims { kh, c_out, .. } = *dims;
        let count = dw.len() / c_out;
        let mut channels = Buffer::<f32>::zeroed(c_out * TAPS);
        for part in parts {
            match part.layout {
                Layout::Taps { width } => {
                    let start = (u * dims.filter_row() + first) * width;
                    let rows = part.sum[start..].chunks_exact(width);
                    for (dw, sum) in dw.chunks_exact_mut(c_out).zip(rows) {
                        dw.iter_mut().zip(sum).for_each(|(dw, sum)| *dw += sum);
                    }
                }
                // Summed side by side, turned once.
                Layout::Channels { width } => {
                    let sums = part.sum.chunks_exact(kh * width);
                    for (total, sum) in channels.chunks_exact_mut(TAPS).zip(sums) {
                        let sum = &sum[u * width + first..][..count];
                        total.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum);
                    }
                }
            }
        }
        for (c, sums) in channels.chunks_exact(TAPS).enumerate() {
            let dw = dw[c..].iter_mut().step_by(c_out);
            dw.zip(sums).for_each(|(dw, sum)| *dw += sum);
        }
    }
}

struct ManyChannels<'a> {
    dims: &'a Dims,
    x: &'a [f32],
    codes: &'a [u8],
    dy: &'a [f32],
}

impl Kernel for ManyChannels<'_> {
    type Output = Part;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Part {
        let d = self.dims;
        let width = d.filter_row().next_multiple_of(S::LANES);
        let mut sum = Buffer::<f32>::zeroed(d.c_out * d.kh * width);
        let mut lists = Lists::new(d.c_out, TOGETHER * d.ph() * d.pw());
        // Aligned, and with room for registers that reach beyond the last patch.
        let mut samples = Buffer::<f32>::zeroed(TOGETHER * d.input() + S::LANES);
        let (inputs, outputs) = (TOGETHER * d.input(), TOGETHER * d.output());
        let gradients = self.codes.chunks(outputs).zip(self.dy.chunks(outputs));
        for (x, (codes, dy)) in self.x.chunks(inputs).zip(gradients) {
            samples[..x.len()].copy_from_slice(x);
            lists.clear();
            let gradients = codes.chunks_exact(d.output()).zip(dy.chunks_exact(d.output()));
            for (i, (codes, dy)) in gradients.enumerate() {
                lists.by_channel(d, i * d.input(), codes, dy);
            }
            for (c, sum) in sum.chunks_exact_mut(d.kh * width).enumerate() {
                // SAFETY: a term is the start of a patch, of which each of the kh rows and a
                // register more lie in `samples`; `sum` holds kh rows of `width`.
                unsafe {
                    let from = (samples.as_ptr(), d.input_row());
                    let to = (sum.as_mut_ptr(), width);
                    accumulate(s, (d.kh, width / S::LANES), lists.get(c), from, to);
                }
            }
        }
        Part { sum, layout: Layout::Channels { width } }
    }
}

struct FewChannels<'a> {
    dims: &'a Dims,
    x: &'a [f32],
    codes: &'a [u8],
    dy: &'a [f32],
}

impl Kernel for FewChannels<'_> {
    type Output = Part;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Part {
        let d = self.dims;
        let windows = d.ph() * d.pw();
        let width = d.c_out.next_multiple_of(S::LANES);
        let mut sum = Buffer::<f32>::zeroed(d.taps() * width);
        let mut tables = Tables::new(d);
        // Zero gradients for the dead and for channels that do not exist.
        let mut g = Buffer::<f32>::zeroed(windows * width);
        let mut winners = Buffer::<u8>::zeroed(windows * width);
        let gradients = self.codes.chunks_exact(d.output()).zip(self.dy.chunks_exact(d.output()));
        for (x, (codes, dy)) in self.x.chunks_exact(d.input()).zip(gradients) {
            tables.fill(d, x);
            for window in 0..windows {
                let to = window * width..window * width + d.c_out;
                let from = window * d.c_out..(window + 1) * d.c_out;
                winners[to.clone()].copy_from_slice(&codes[from.clone()]);
                let rows = g[to].iter_mut().zip(&dy[from.clone()]).zip(&codes[from]);
                for ((g, &dy), &code) in rows {
                    *g = if code == DEAD { 0.0 } else { dy };
                }
            }
            for m in 0..d.c_in {
                let table = tables.channel(m);
                for c in (0..width).step_by(S::LANES) {
                    let gradients = (&winners[c..], &g[c..]);
                    let mut u = 0;
                    while u < d.kh {
                        let to = ((u * d.kw) * d.c_in + m) * width + c;
                        let to = (&mut sum[to..], d.c_in * width, d.kw * d.c_in * width);
                        // SAFETY: the rows from u on exist in the filter; `taps` reads the
                        // table of one channel and writes one register a tap.
                        unsafe {
                            u += match (d.kh - u, d.kw) {
                                (5.., 5) if S::SUMS >= 24 => {
                                    taps::<S, 5, 5>(s, d, u, 0, table, gradients, width, to)
                                }
                                (_, 5) => taps::<S, 1, 5>(s, d, u, 0, table, gradients, width, to),
                                _ => {
                                    let (to, tap, row) = to;
                                    for v in 0..d.kw {
                                        let to = (&mut to[v * tap..], tap, row);
                                        taps::<S, 1, 1>(s, d, u, v, table, gradients, width, to);
                                    }
                                    1
                                }
                            };
                        }
                    }
                }
            }
        }
        Part { sum, layout: Layout::Taps { width } }
    }
}

/// For every pixel the four pixels of the pooling window that starts there, a table a channel.
struct Tables {
    values: Buffer<f32>,
    channel: usize,
}

impl Tables {
    fn new(d: &Dims) -> Self {
        let channel = 4 * (d.h - 1) * (d.w - 1);
        Self { values: Buffer::new(d.c_in * channel), channel }
    }

    #[inline(always)]
    fn fill(&mut self, d: &Dims, x: &[f32]) {
        for (m, table) in self.values.chunks_exact_mut(self.channel).enumerate() {
            for (y, row) in table.chunks_exact_mut(4 * (d.w - 1)).enumerate() {
                let upper = &x[y * d.input_row()..][..d.input_row()];
                let lower = &x[(y + 1) * d.input_row()..][..d.input_row()];
                for (i, entry) in row.chunks_exact_mut(4).enumerate() {
                    let (at, next) = (i * d.c_in + m, (i + 1) * d.c_in + m);
                    entry.copy_from_slice(&[upper[at], upper[next], lower[at], lower[next]]);
                }
            }
        }
    }

    fn channel(&self, m: usize) -> &[f32] {
        &self.values[m * self.channel..][..self.channel]
    }
}

/// Adds the gradients of `U` × `V` taps from row u and column v on, for one register of channels;
/// returns `U`. Taps of a row are `tap` apart in `to`, rows `row`.
///
/// # Safety
/// The taps exist, the slices hold what [`FewChannels`] makes of them.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the operands of one inner loop")]
unsafe fn taps<S: Simd, const U: usize, const V: usize>(
    s: S,
    d: &Dims,
    u: usize,
    v: usize,
    table: &[f32],
    (codes, g): (&[u8], &[f32]),
    width: usize,
    (to, tap, row): (&mut [f32], usize, usize),
) -> usize {
    let table_row = 4 * (d.w - 1);
    let to = to.as_mut_ptr();
    // SAFETY: windows, their taps and their channels exist, see above.
    unsafe {
        let mut sums: [[S::F; V]; U] =
            std::array::from_fn(|i| std::array::from_fn(|j| s.load(to.add(i * row + j * tap))));
        let (mut codes, mut g) = (codes.as_ptr(), g.as_ptr());
        for py in 0..d.ph() {
            let mut entry = table.as_ptr().add((2 * py + u) * table_row + 4 * v);
            for _ in 0..d.pw() {
                let (code, gradient) = (s.load_u8(codes), s.load(g));
                for (i, sums) in sums.iter_mut().enumerate() {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        let pixel = s.lookup4(entry.add(i * table_row + 4 * j), code);
                        *sum = s.mul_add(pixel, gradient, *sum);
                    }
                }
                entry = entry.add(8);
                codes = codes.wrapping_add(width);
                g = g.wrapping_add(width);
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                s.store(to.add(i * row + j * tap), sum);
            }
        }
    }
    U
}
