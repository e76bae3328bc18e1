//! Convolution over channels-last maps: `(n, h, w, c_in)` with filters `(kh, kw, c_in/groups,
//! c_out)` to `(n, oh, ow, c_out)`.

mod direct;
mod filter_grad;
mod winograd;

use super::buffer::Buffer;
use super::parallel;
use super::simd::{Isa, Kernel, Simd};

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conv2dDims {
    /// Samples.
    pub(crate) n: usize,
    /// Height of the input.
    pub(crate) h: usize,
    /// Width of the input.
    pub(crate) w: usize,
    /// Channels of the input, a multiple of `groups`.
    pub(crate) c_in: usize,
    /// Channels of the output, a multiple of `groups`.
    pub(crate) c_out: usize,
    /// Height of the kernel, at most `h + 2·padding`.
    pub(crate) kh: usize,
    /// Width of the kernel, at most `w + 2·padding`.
    pub(crate) kw: usize,
    /// Step of the kernel, at least 1.
    pub(crate) stride: usize,
    /// Zeros around the input, on each side.
    pub(crate) padding: usize,
    /// Groups of channels that do not see each other.
    pub(crate) groups: usize,
}

impl Conv2dDims {
    /// Height and width of the output.
    pub(crate) fn out_size(&self) -> (usize, usize) {
        let out = |size, k| (size + 2 * self.padding - k) / self.stride + 1;
        (out(self.h, self.kh), out(self.w, self.kw))
    }
}

/// Numbers in a register.
fn lanes(isa: Isa) -> usize {
    struct Lanes;

    impl Kernel for Lanes {
        type Output = usize;

        #[inline(always)]
        fn run<S: Simd>(self, _: S) -> usize {
            S::LANES
        }
    }

    isa.run(Lanes)
}

/// A sample with zeros around it.
#[derive(Clone, Copy, Debug)]
struct Padded {
    /// Size of the sample.
    h: usize,
    w: usize,
    c: usize,
    /// Zeros above and left of it.
    top: usize,
    left: usize,
    /// Size with all zeros.
    rows: usize,
    cols: usize,
}

impl Padded {
    /// The input as the kernel sees it.
    fn input(d: &Conv2dDims) -> Self {
        let p = d.padding;
        Self { h: d.h, w: d.w, c: d.c_in, top: p, left: p, rows: d.h + 2 * p, cols: d.w + 2 * p }
    }

    /// The output's gradient as the transposed kernel sees it.
    fn output_grad(d: &Conv2dDims) -> Self {
        let (oh, ow) = d.out_size();
        let (top, left) = ((d.kh - 1) / d.stride, (d.kw - 1) / d.stride);
        // The last input position reads row (h − 1 + padding) / stride.
        let rows = top + oh.max((d.h - 1 + d.padding) / d.stride + 1);
        let cols = left + ow.max((d.w - 1 + d.padding) / d.stride + 1);
        Self { h: oh, w: ow, c: d.c_out, top, left, rows, cols }
    }

    fn sample_len(&self) -> usize {
        self.h * self.w * self.c
    }

    fn is_bare(&self) -> bool {
        self.rows == self.h && self.cols == self.w
    }

    /// A place for `n` samples, zero everywhere.
    fn scratch(&self, n: usize) -> Buffer<f32> {
        Buffer::zeroed(if self.is_bare() { 0 } else { n * self.rows * self.cols * self.c })
    }

    /// The samples with their zeros: `samples` itself where there are none, else copies in
    /// `scratch`, where only the samples' own places are overwritten.
    fn fill<'a>(&self, samples: &'a [f32], scratch: &'a mut [f32]) -> &'a [f32] {
        if self.is_bare() {
            return samples;
        }
        let row = self.w * self.c;
        let first = (self.top * self.cols + self.left) * self.c;
        let places = scratch.chunks_exact_mut(self.rows * self.cols * self.c);
        for (place, sample) in places.zip(samples.chunks_exact(self.sample_len())) {
            let rows = place[first..].chunks_mut(self.cols * self.c);
            for (to, from) in rows.zip(sample.chunks_exact(row)) {
                to[..row].copy_from_slice(from);
            }
        }
        scratch
    }
}

/// `y = x ∗ filter + bias`, overwriting `y`.
pub(crate) fn forward(
    isa: Isa,
    d: &Conv2dDims,
    x: &[f32],
    filter: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    if winograd::suits(isa, d) {
        winograd::forward(isa, d, x, filter, bias, y);
    } else {
        direct::forward(isa, d, x, filter, bias, y);
    }
}

/// Adds the gradient for the input to `dx`.
pub(crate) fn input_grad(isa: Isa, d: &Conv2dDims, filter: &[f32], dy: &[f32], dx: &mut [f32]) {
    if winograd::suits(isa, d) {
        winograd::input_grad(isa, d, filter, dy, dx);
    } else {
        direct::input_grad(isa, d, filter, dy, dx);
    }
}

/// Adds the gradient for the filter to `dw`.
pub(crate) fn filter_grad(isa: Isa, d: &Conv2dDims, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    if winograd::suits(isa, d) {
        winograd::filter_grad(isa, d, x, dy, dw);
    } else {
        filter_grad::filter_grad(isa, d, x, dy, dw);
    }
}

/// Adds the gradient for the bias, the sum of `dy` over positions, to `db`.
pub(crate) fn bias_grad(dy: &[f32], db: &mut [f32]) {
    let c = db.len();
    let pieces = dy.chunks(parallel::rows_per_piece(dy.len() / c, 256, 16) * c).collect();
    let sums = parallel::map(pieces, |_, dy| {
        let mut sums = vec![0.0; c];
        for dy in dy.chunks_exact(c) {
            sums.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
        }
        sums
    });
    for sums in sums {
        db.iter_mut().zip(sums).for_each(|(db, sum)| *db += sum);
    }
}
