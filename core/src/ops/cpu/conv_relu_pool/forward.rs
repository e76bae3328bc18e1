//! The forward pass: register tiles of pooling windows × channels.

use super::{DEAD, Dims, winograd};
use crate::ops::cpu::{
    buffer::Buffer,
    parallel,
    simd::{Isa, Kernel, Simd},
};

/// Writes the outputs `y` and their codes.
pub(crate) fn forward(
    isa: Isa,
    dims: &Dims,
    x: &[f32],
    filter: &[f32],
    bias: &[f32],
    y: &mut [f32],
    codes: &mut [u8],
) {
    assert_eq!(x.len(), dims.n * dims.input());
    assert_eq!(filter.len(), dims.taps() * dims.c_out);
    assert_eq!(bias.len(), dims.c_out);
    assert_eq!(y.len(), dims.n * dims.output());
    assert_eq!(codes.len(), y.len());
    if y.is_empty() {
        return;
    }
    if winograd::suits(isa, dims) {
        return winograd::forward(isa, dims, x, filter, bias, y, codes);
    }
    let packed = isa.run(Pack { dims, filter, bias });
    let rows = parallel::rows_per_piece(dims.n, 1, 32);
    let outputs = y.chunks_mut(rows * dims.output()).zip(codes.chunks_mut(rows * dims.output()));
    let pieces = x.chunks(rows * dims.input()).zip(outputs).collect();
    parallel::for_each(pieces, |_, (x, (y, codes))| {
        isa.run(Piece { dims, x, packed: &packed, y, codes });
    });
}

/// The filter and the bias, zero-padded to whole registers.
struct Packed {
    /// Block after block of channels, each `(kh, kw, c_in, block)`.
    filter: Buffer<f32>,
    bias: Buffer<f32>,
}

/// Widths of the channel blocks, in registers, that make up `registers`.
fn blocks(mut registers: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let block = match registers {
            0 => return None,
            1 => 1,
            2 | 4 => 2,
            _ => 3,
        };
        registers -= block;
        Some(block)
    })
}

struct Pack<'a> {
    dims: &'a Dims,
    filter: &'a [f32],
    bias: &'a [f32],
}

impl Kernel for Pack<'_> {
    type Output = Packed;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Packed {
        let Dims { c_out, .. } = *self.dims;
        let registers = c_out.div_ceil(S::LANES);
        let mut filter = Buffer::zeroed(self.dims.taps() * registers * S::LANES);
        let mut bias = Buffer::zeroed(registers * S::LANES);
        bias[..c_out].copy_from_slice(self.bias);
        let (mut start, mut c) = (0, 0);
        for block in blocks(registers) {
            let width = block * S::LANES;
            let used = width.min(c_out - c);
            for (k, row) in self.filter.chunks_exact(c_out).enumerate() {
                filter[start + k * width..][..used].copy_from_slice(&row[c..c + used]);
            }
            start += self.dims.taps() * width;
            c += width;
        }
        Packed { filter, bias }
    }
}

struct Piece<'a> {
    dims: &'a Dims,
    x: &'a [f32],
    packed: &'a Packed,
    y: &'a mut [f32],
    codes: &'a mut [u8],
}

impl Kernel for Piece<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let d = self.dims;
        let samples = self.x.chunks_exact(d.input());
        let outputs = self.y.chunks_exact_mut(d.output());
        let codes = self.codes.chunks_exact_mut(d.output());
        for ((x, y), codes) in samples.zip(outputs).zip(codes) {
            let (mut filter, mut c) = (self.packed.filter.as_ptr(), 0);
            for block in blocks(d.c_out.div_ceil(S::LANES)) {
                // SAFETY: `sample` reads one sample of `x` and one block of the packed filter and
                // bias, and writes one sample of outputs and codes; `forward` checked all sizes.
                unsafe {
                    let bias = self.packed.bias.as_ptr().add(c);
                    // Windows × channels that fill the registers without spilling.
                    match (block, S::REGISTERS >= 32) {
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
/// `filter` is valid for `taps × C` registers and `bias` for `C`; the slices are one sample.
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
    codes: &mut [u8],
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
                let (y, codes) = (y.as_mut_ptr().add(at), codes.as_mut_ptr().add(at));
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
    codes: *mut u8,
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
            let (best, code) = pool(s, window.map(|position| position[i]), bias);
            let at = p * d.c_out + i * S::LANES;
            // SAFETY: `channels` numbers exist from `at` of the first register on.
            unsafe {
                if channels >= (i + 1) * S::LANES {
                    s.store(y.add(at), best);
                    s.store_u8(codes.add(at), code);
                } else {
                    let rest = channels - i * S::LANES;
                    s.store_head(y.add(at), rest, best);
                    let mut bytes = [0; 64];
                    s.store_u8(bytes.as_mut_ptr(), code);
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), codes.add(at), rest);
                }
            }
        }
    }
}

/// The output and the code of one window from the sums at its four positions.
#[inline(always)]
pub(super) fn pool<S: Simd>(s: S, [mut best, rest @ ..]: [S::F; 4], bias: S::F) -> (S::F, S::I) {
    let mut code = s.splat_i(0);
    for (q, sum) in (1..).zip(rest) {
        let greater = s.gt(sum, best);
        best = s.select(greater, sum, best);
        code = s.select_i(greater, s.splat_i(q), code);
    }
    best = s.add(best, bias);
    code = s.select_i(s.gt(best, s.zero()), code, s.splat_i(DEAD));
    (s.max(s.zero(), best), code)
}
