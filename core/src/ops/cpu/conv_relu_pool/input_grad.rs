//! The gradient of the input: at each position of the convolution's output, the filters of the
//! channels that it won, scaled and summed in registers, join the input's gradient once.

use super::{
    Dims,
    sparse::{Lists, accumulate},
    winograd,
};
use crate::ops::cpu::{
    buffer::Buffer,
    parallel,
    simd::{Isa, Kernel, Simd},
};

/// Adds the gradient of the input to `dx`.
pub(crate) fn input_grad(
    isa: Isa,
    dims: &Dims,
    filter: &[f32],
    codes: &[u8],
    dy: &[f32],
    dx: &mut [f32],
) {
    assert_eq!(filter.len(), dims.taps() * dims.c_out);
    assert_eq!(codes.len(), dims.n * dims.output());
    assert_eq!(dy.len(), codes.len());
    assert_eq!(dx.len(), dims.n * dims.input());
    if dy.is_empty() {
        return;
    }
    if winograd::suits(isa, dims) {
        return winograd::input_grad(isa, dims, filter, codes, dy, dx);
    }
    let packed = isa.run(Pack { dims, filter });
    let rows = parallel::rows_per_piece(dims.n, 1, 32);
    let gradients = codes.chunks(rows * dims.output()).zip(dy.chunks(rows * dims.output()));
    let pieces = dx.chunks_mut(rows * dims.input()).zip(gradients).collect();
    parallel::for_each(pieces, |_, (dx, (codes, dy))| {
        isa.run(Piece { dims, packed: &packed, codes, dy, dx });
    });
}

/// The filter as `(kh, c_out, kw · c_in)`, rows zero-padded to whole registers.
struct Pack<'a> {
    dims: &'a Dims,
    filter: &'a [f32],
}

impl Kernel for Pack<'_> {
    type Output = Buffer<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Buffer<f32> {
        let Dims { kh, c_out, .. } = *self.dims;
        let row = self.dims.filter_row();
        let padded = row.next_multiple_of(S::LANES);
        let mut packed = Buffer::zeroed(kh * c_out * padded);
        for (u, filter) in self.filter.chunks_exact(row * c_out).enumerate() {
            // Blocks of 16 × 16, so that neither side leaves the cache.
            for k0 in (0..row).step_by(16) {
                for c0 in (0..c_out).step_by(16) {
                    for c in c0..(c0 + 16).min(c_out) {
                        for k in k0..(k0 + 16).min(row) {
                            packed[(u * c_out + c) * padded + k] = filter[k * c_out + c];
                        }
                    }
                }
            }
        }
        packed
    }
}

struct Piece<'a> {
    dims: &'a Dims,
    packed: &'a [f32],
    codes: &'a [u8],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Piece<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let d = self.dims;
        let padded = d.filter_row().next_multiple_of(S::LANES);
        let mut lists = Lists::new(5, d.c_out);
        // Registers reach beyond a patch, with zeros: the last patch needs room.
        let mut sum = Buffer::<f32>::new(d.input() + S::LANES);
        let samples = self.dx.chunks_exact_mut(d.input());
        let gradients = self.codes.chunks_exact(d.output()).zip(self.dy.chunks_exact(d.output()));
        for (dx, (codes, dy)) in samples.zip(gradients) {
            sum.fill(0.0);
            for window in 0..d.ph() * d.pw() {
                let (py, px) = (window / d.pw(), window % d.pw());
                let channels = window * d.c_out..(window + 1) * d.c_out;
                lists.by_position(padded, &codes[channels.clone()], &dy[channels]);
                for code in 0..4 {
                    let patch = d.patch(py, px, code);
                    for u in 0..d.kh {
                        // SAFETY: a term is a channel times `padded`, and row u of the packed
                        // filter holds `padded` numbers for each; row u of the patch and a
                        // register more lie in `sum`.
                        unsafe {
                            let from = self.packed.as_ptr().add(u * d.c_out * padded);
                            let to = sum.as_mut_ptr().add(patch + u * d.input_row());
                            let size = (1, padded / S::LANES);
                            accumulate(s, size, lists.get(code), (from, 0), (to, 0));
                        }
                    }
                }
            }
            for (dx, sum) in dx.iter_mut().zip(sum.iter()) {
                *dx += sum;
            }
        }
    }
}
