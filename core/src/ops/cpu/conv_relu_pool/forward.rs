//! The forward pass: register tiles of pooling windows × channels.

use std::fmt;

use super::{DEAD, Dims, winograd};
use crate::ops::cpu::{
    buffer::Buffer,
    parallel,
    simd::{Isa, Kernel, Simd},
};

/// A filter as the forward pass reads it, for samples of one size.
pub(crate) struct Prepared {
    isa: Isa,
    /// Of one sample.
    dims: Dims,
    form: Form,
    filter: Buffer<f32>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { isa, dims, form, .. } = self;
        f.debug_tuple("Prepared").field(isa).field(dims).field(form).finish()
    }
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// Padded with zeros to whole registers: block after block of channels, each
    /// `(kh, kw, c_in, block)`.
    Packed,
    /// See [`winograd`].
    Transformed,
    /// See [`winograd::few_channels`].
    TransformedFewChannels,
}

impl Prepared {
    /// Of a filter `(kh, kw, c_in, c_out)`; the number of samples does not matter.
    pub(crate) fn new(isa: Isa, dims: &Dims, filter: &[f32]) -> Self {
        assert_eq!(filter.len(), dims.taps() * dims.c_out);
        let form = match () {
            () if winograd::suits(isa, dims) => Form::Transformed,
            () if winograd::few_channels::suits(isa, dims) => Form::TransformedFewChannels,
            () => Form::Packed,
        };
        let filter = match form {
            Form::Packed => isa.run(Pack { dims, filter }),
            Form::Transformed => winograd::transformed(isa, filter, (dims.c_in, dims.c_out)),
            Form::TransformedFewChannels => winograd::few_channels::transformed(isa, dims, filter),
        };
        Self { isa, dims: Dims { n: 1, ..*dims }, form, filter }
    }

    /// The sizes of one sample.
    pub(crate) fn dims(&self) -> &Dims {
        &self.dims
    }

    /// Writes the outputs `y` of any number of samples, and their codes unless `codes` is empty.
    pub(crate) fn forward(&self, x: &[f32], bias: &[f32], y: &mut [f32], mut codes: &mut [u8]) {
        let Self { isa, dims: d, form, filter } = self;
        assert_eq!(bias.len(), d.c_out);
        assert!(codes.is_empty() || codes.len() == y.len());
        if y.is_empty() {
            return;
        }
        let n = y.len() / d.output();
        assert_eq!((x.len(), y.len()), (n * d.input(), n * d.output()));
        // Samples that stay together.
        let least = if let Form::Transformed = form { winograd::together(d) } else { 1 };
        let rows = parallel::rows_per_piece(n.div_ceil(least), 1, 32) * least;
        let pieces = x.chunks(rows * d.input()).zip(y.chunks_mut(rows * d.output()));
        let pieces = pieces.map(|(x, y)| {
            let len = y.len().min(codes.len());
            let (head, tail) = std::mem::take(&mut codes).split_at_mut(len);
            codes = tail;
            (x, y, head)
        });
        let padded = isa.run(Pad { bias });
        parallel::for_each(pieces.collect(), |_, (x, y, codes)| {
            let samples = Samples { d, x, filter, bias: &padded, y, codes };
            match form {
                Form::Packed => isa.run(Direct(samples)),
                Form::Transformed => isa.run(winograd::Forward(samples)),
                Form::TransformedFewChannels => isa.run(winograd::few_channels::Forward(samples)),
            }
        });
    }
}

/// What a kernel reads and writes.
pub(super) struct Samples<'a> {
    pub(super) d: &'a Dims,
    pub(super) x: &'a [f32],
    /// In the kernel's form.
    pub(super) filter: &'a [f32],
    /// Padded with zeros to whole registers.
    pub(super) bias: &'a [f32],
    pub(super) y: &'a mut [f32],
    /// Empty where nobody wants them.
    pub(super) codes: &'a mut [u8],
}

/// The bias, padded with zeros to whole registers.
struct Pad<'a> {
    bias: &'a [f32],
}

impl Kernel for Pad<'_> {
    type Output = Buffer<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Buffer<f32> {
        let mut padded = Buffer::zeroed(self.bias.len().next_multiple_of(S::LANES));
        padded[..self.bias.len()].copy_from_slice(self.bias);
        padded
    }
}

/// Widths of the channel blocks, in registers, that make up `registers`: the four positions of a
/// window times a block are sums of one tile.
fn blocks<S: Simd>(mut registers: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let block = match registers {
            0 => return None,
            1 => 1,
            2 | 4 => 2,
            _ if S::SUMS < 12 => 2,
            _ => 3,
        };
        registers -= block;
        Some(block)
    })
}

struct Pack<'a> {
    dims: &'a Dims,
    filter: &'a [f32],
}

impl Kernel for Pack<'_> {
    type Output = Buffer<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Buffer<f32> {
        let Dims { c_out, .. } = *self.dims;
        let registers = c_out.div_ceil(S::LANES);
        let mut filter = Buffer::zeroed(self.dims.taps() * registers * S::LANES);
        let (mut start, mut c) = (0, 0);
        for block in blocks::<S>(registers) {
            let width = block * S::LANES;
            let used = width.min(c_out - c);
            for (k, row) in self.filter.chunks_exact(c_out).enumerate() {
                filter[start + k * width..][..used].copy_from_slice(&row[c..c + used]);
            }
            start += self.dims.taps() * width;
            c += width;
        }
        filter
    }
}

/// The plain sum.
struct Direct<'a>(Samples<'a>);

impl Kernel for Direct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Samples { d, x, filter: packed, bias, y, codes } = self.0;
        let samples = x.chunks_exact(d.input());
        let outputs = y.chunks_exact_mut(d.output());
        for (i, (x, y)) in samples.zip(outputs).enumerate() {
            let codes = match codes.len() {
                0 => None,
                _ => Some(codes[i * d.output()..][..d.output()].as_mut_ptr()),
            };
            let (mut filter, mut c) = (packed.as_ptr(), 0);
            for block in blocks::<S>(d.c_out.div_ceil(S::LANES)) {
                // SAFETY: `sample` reads one sample of `x` and one block of the packed filter and
                // bias, and writes one sample of outputs and codes; [`Prepared`] checked all sizes.
                unsafe {
                    let bias = bias.as_ptr().add(c);
                    // Windows × channels that fill the registers without spilling.
                    match (block, S::SUMS >= 24) {
                        (3, true) => sample::<S, 2, 3>(s, d, x, filter, bias, c, y, codes),
                        (2, true) => sample::<S, 3, 2>(s, d, x, filter, bias, c, y, codes),
                        (1, true) => sample::<S, 4, 1>(s, d, x, filter, bias, c, y, codes),
                        (3, false) => sample::<S, 1, 3>(s, d, x, filter, bias, c, y, codes),
                        (2, false) => sample::<S, 1, 2>(s, d, x, filter, bias, c, y, codes),
                        _ => sample::<S, 2, 1>(s, d, x, filter, bias, c, y, codes),
                    }
                    filter = filter.add(d.taps() * block * S::LANES);
                }
                c += block * S::LANES;
            }
        }
    }
}

/// One sample, the `C` registers of channels from `c` on, `P` windows at a time.
///
/// # Safety
/// `filter` is valid for `taps × C` registers and `bias` for `C`; the slices are one sample, and
/// `codes` is valid for one.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the operands of one inner loop")]
unsafe fn sample<S: Simd, const P: usize, const C: usize>(
    s: S,
    d: &Dims,
    x: &[f32],
    filter: *const f32,
    bias: *const f32,
    c: usize,
    y: &mut [f32],
    codes: Option<*mut u8>,
) {
    let (ph, pw) = (d.ph(), d.pw());
    for py in 0..ph {
        let mut px = 0;
        while px < pw {
            // The last tile of a row overlaps the one before it, or is narrow.
            let wide = pw >= P;
            if wide {
                px = px.min(pw - P);
            }
            let at = (py * pw + px) * d.c_out + c;
            // SAFETY: the windows px..px + P (or px alone) exist in the row, so their patches lie
            // in `x` and their outputs in `y` and `codes`.
            unsafe {
                let x = x.as_ptr().add(d.patch(py, px, 0));
                let y = y.as_mut_ptr().add(at);
                let codes = codes.map(|codes| codes.add(at));
                if wide {
                    tile::<S, P, C>(s, d, x, filter, bias, d.c_out - c, y, codes);
                } else {
                    tile::<S, 1, C>(s, d, x, filter, bias, d.c_out - c, y, codes);
                }
            }
            px += if wide { P } else { 1 };
        }
    }
}

/// `P` neighbouring windows × `C` registers of channels, of which `channels` numbers exist.
///
/// # Safety
/// `x` is valid for the patches of the windows, `filter` and `bias` as in [`sample`], `y` and
/// `codes` for the windows' outputs.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the operands of one inner loop")]
unsafe fn tile<S: Simd, const P: usize, const C: usize>(
    s: S,
    d: &Dims,
    x: *const f32,
    filter: *const f32,
    bias: *const f32,
    channels: usize,
    y: *mut f32,
    codes: Option<*mut u8>,
) {
    let mut sums = [[[s.zero(); C]; 4]; P];
    let mut weights = filter;
    for u in 0..d.kh {
        // SAFETY: rows u and u + 1 below the window's top belong to its patches; each holds the
        // patches' `filter_row` numbers from every position of every window.
        unsafe {
            let mut upper = x.add(u * d.input_row());
            let mut lower = upper.add(d.input_row());
            for _ in 0..d.filter_row() {
                let w: [S::F; C] = std::array::from_fn(|i| s.load(weights.add(i * S::LANES)));
                for (p, sums) in sums.iter_mut().enumerate() {
                    for (q, sums) in sums.iter_mut().enumerate() {
                        let row = if q < 2 { upper } else { lower };
                        let pixel = s.splat(*row.add((2 * p + q % 2) * d.c_in));
                        for i in 0..C {
                            sums[i] = s.mul_add(w[i], pixel, sums[i]);
                        }
                    }
                }
                weights = weights.add(C * S::LANES);
                upper = upper.add(1);
                lower = lower.add(1);
            }
        }
    }
    for (p, window) in sums.iter().enumerate() {
        for i in 0..C {
            // SAFETY: the bias is padded to whole registers.
            let bias = unsafe { s.load(bias.add(i * S::LANES)) };
            let window = window.map(|position| position[i]);
            let best = largest(s, window, bias);
            let at = p * d.c_out + i * S::LANES;
            let used = (channels - i * S::LANES).min(S::LANES);
            // SAFETY: `channels` numbers exist from the first register on, `used` from `at` on.
            unsafe {
                s.store_head(y.add(at), used, s.max(s.zero(), best));
                if let Some(codes) = codes {
                    s.store_u8_head(codes.add(at), used, code(s, window, best));
                }
            }
        }
    }
}

/// The largest of the sums at a window's four positions, and the bias: the output before ReLU.
#[inline(always)]
fn largest<S: Simd>(s: S, [a, b, c, d]: [S::F; 4], bias: S::F) -> S::F {
    // A NaN that is met stays, see `Simd::max`.
    s.add(s.max(d, s.max(c, s.max(b, a))), bias)
}

/// The code of a window whose [`largest`] is `best`.
#[inline(always)]
fn code<S: Simd>(s: S, [mut max, rest @ ..]: [S::F; 4], best: S::F) -> S::I {
    let mut code = s.splat_i(0);
    for (q, sum) in (1..).zip(rest) {
        code = s.select_i(s.gt(sum, max), s.splat_i(q), code);
        max = s.max(sum, max);
    }
    s.select_i(s.gt(best, s.zero()), code, s.splat_i(DEAD))
}

/// Writes the output of a window, and its code unless nobody wants them.
///
/// # Safety
/// A register of outputs lies at `at`.
#[inline(always)]
pub(super) unsafe fn pool<S: Simd>(
    s: S,
    window: [S::F; 4],
    bias: S::F,
    at: usize,
    y: &mut [f32],
    codes: &mut [u8],
) {
    let best = largest(s, window, bias);
    // SAFETY: by this function's contract; there are as many codes as outputs, or none.
    unsafe {
        s.store(y.as_mut_ptr().add(at), s.max(s.zero(), best));
        if !codes.is_empty() {
            s.store_u8(codes.as_mut_ptr().add(at), code(s, window, best));
        }
    }
}
