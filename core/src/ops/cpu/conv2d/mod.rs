//! Convolution over channels-last maps: `(n, h, w, c_in)` with filters `(kh, kw, c_in/groups,
//! c_out)` to `(n, oh, ow, c_out)`.

mod direct;
mod filter_grad;
mod winograd;

use super::buffer::Buffer;
use super::parallel;
use super::simd::Isa;

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

    /// Whether no product is left, for want of samples or channels.
    fn is_empty(&self) -> bool {
        self.n * self.c_in * self.c_out == 0
    }
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

    /// A place for one sample, zero everywhere.
    fn scratch(&self) -> Buffer<f32> {
        Buffer::zeroed(if self.is_bare() { 0 } else { self.rows * self.cols * self.c })
    }

    /// The sample with its zeros: `sample` itself where there are none, else a copy in `scratch`,
    /// where only the sample's own place is overwritten.
    fn fill<'a>(&self, sample: &'a [f32], scratch: &'a mut [f32]) -> &'a [f32] {
        if self.is_bare() {
            return sample;
        }
        let row = self.w * self.c;
        let first = (self.top * self.cols + self.left) * self.c;
        let rows = scratch[first..].chunks_mut(self.cols * self.c);
        for (to, from) in rows.zip(sample.chunks_exact(row)) {
            to[..row].copy_from_slice(from);
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
    if d.is_empty() {
        match bias {
            Some(bias) => y.chunks_mut(d.c_out.max(1)).for_each(|y| y.copy_from_slice(bias)),
            None => y.fill(0.0),
        }
    } else if winograd::suits(isa, d) {
        winograd::forward(isa, d, x, filter, bias, y);
    } else {
        direct::forward(isa, d, x, filter, bias, y);
    }
}

/// Adds the gradient for the input to `dx`.
pub(crate) fn input_grad(isa: Isa, d: &Conv2dDims, filter: &[f32], dy: &[f32], dx: &mut [f32]) {
    if d.is_empty() {
        // Nothing to add.
    } else if winograd::suits(isa, d) {
        winograd::input_grad(isa, d, filter, dy, dx);
    } else {
        direct::input_grad(isa, d, filter, dy, dx);
    }
}

/// Adds the gradient for the filter to `dw`.
pub(crate) fn filter_grad(isa: Isa, d: &Conv2dDims, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    if d.is_empty() {
        // Nothing to add.
    } else if winograd::suits(isa, d) {
        winograd::filter_grad(isa, d, x, dy, dw);
    } else {
        filter_grad::filter_grad(isa, d, x, dy, dw);
    }
}

/// Adds the gradient for the bias, the sum of `dy` over positions, to `db`.
pub(crate) fn bias_grad(dy: &[f32], db: &mut [f32]) {
    let c = db.len().max(1);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ops::testing::{assert_close, values};

    /// y, dx and dw by the definition, in `f64`.
    fn by_definition(d: &Conv2dDims, x: &[f32], filter: &[f32], dy: &[f32]) -> [Vec<f32>; 3] {
        let (oh, ow) = d.out_size();
        let (ci, co) = (d.c_in / d.groups, d.c_out / d.groups);
        let mut y = vec![0.0f64; dy.len()];
        let (mut dx, mut dw) = (vec![0.0f64; x.len()], vec![0.0f64; filter.len()]);
        for (at, (n, oy, ox)) in (0..d.n)
            .flat_map(|n| (0..oh).flat_map(move |y| (0..ow).map(move |x| (n, y, x))))
            .enumerate()
        {
            for (tap, (i, j)) in (0..d.kh).flat_map(|i| (0..d.kw).map(move |j| (i, j))).enumerate()
            {
                let iy = (oy * d.stride + i).wrapping_sub(d.padding);
                let ix = (ox * d.stride + j).wrapping_sub(d.padding);
                if iy >= d.h || ix >= d.w {
                    continue;
                }
                for o in 0..d.c_out {
                    for c in 0..ci {
                        let x_at = ((n * d.h + iy) * d.w + ix) * d.c_in + o / co * ci + c;
                        let (f_at, y_at) = ((tap * ci + c) * d.c_out + o, at * d.c_out + o);
                        let [x, f, dy] = [x[x_at], filter[f_at], dy[y_at]].map(f64::from);
                        y[y_at] += x * f;
                        dx[x_at] += dy * f;
                        dw[f_at] += dy * x;
                    }
                }
            }
        }
        [y, dx, dw].map(|v| v.into_iter().map(|v| v as f32).collect())
    }

    fn check(d: &Conv2dDims, seed: u64, tolerance: f32) {
        let (oh, ow) = d.out_size();
        let x = values(d.n * d.h * d.w * d.c_in, seed);
        let filter = values(d.kh * d.kw * d.c_in / d.groups * d.c_out, seed + 1);
        let dy = values(d.n * oh * ow * d.c_out, seed + 2);
        let [y0, dx0, dw0] = by_definition(d, &x, &filter, &dy);
        for isa in Isa::available() {
            // `forward` overwrites, the gradients are added to what is there.
            let mut y = vec![f32::NAN; y0.len()];
            forward(isa, d, &x, &filter, None, &mut y);
            assert_close("y", &y, &y0, tolerance);
            let (mut dx, mut dw) = (vec![1.0; x.len()], vec![1.0; filter.len()]);
            input_grad(isa, d, &filter, &dy, &mut dx);
            filter_grad(isa, d, &x, &dy, &mut dw);
            let less = |v: Vec<f32>| v.iter().map(|v| v - 1.0).collect::<Vec<_>>();
            assert_close("dx", &less(dx), &dx0, tolerance);
            assert_close("dw", &less(dw), &dw0, tolerance);
        }
    }

    proptest! {
        #[test]
        fn kernels_equal_the_definition_on_every_instruction_set(
            (n, h, w) in (1..3usize, 1..10usize, 1..20usize),
            (kh, kw, stride, padding) in (1..4usize, 1..4usize, 1..4usize, 0..4usize),
            (groups, c_in, c_out) in (1..3usize, 1..20usize, 1..36usize),
            seed in any::<u32>(),
        ) {
            prop_assume!(kh <= h + 2 * padding && kw <= w + 2 * padding);
            let (c_in, c_out) = (c_in * groups, c_out * groups);
            let d = Conv2dDims { n, h, w, c_in, c_out, kh, kw, stride, padding, groups };
            check(&d, u64::from(seed), 1e-5);
        }

        // Whole registers on every instruction set; tiles that the maps do not fill.
        #[test]
        fn winograd_equals_the_definition_on_every_instruction_set(
            (n, h, w, padding) in (1..6usize, 3..14usize, 3..14usize, 0..3usize),
            (c_in, c_out) in (1..4usize, 1..4usize),
            seed in any::<u32>(),
        ) {
            let (c_in, c_out) = (16 * c_in, 16 * c_out);
            let d =
                Conv2dDims { n, h, w, c_in, c_out, kh: 3, kw: 3, stride: 1, padding, groups: 1 };
            check(&d, u64::from(seed), 2e-5);
        }
    }

    #[test]
    fn winograd_takes_the_layers_of_a_residual_network() {
        let layer = |size, c_in, c_out, kernel, stride| Conv2dDims {
            n: 2,
            h: size,
            w: size,
            c_in,
            c_out,
            kh: kernel,
            kw: kernel,
            stride,
            padding: kernel / 2,
            groups: 1,
        };
        let suits = |d: Conv2dDims| winograd::suits(Isa::best(), &d);
        assert!(suits(layer(32, 16, 16, 3, 1)) && suits(layer(8, 64, 64, 3, 1)));
        assert!(!suits(layer(32, 3, 16, 3, 1)) && !suits(layer(32, 16, 32, 3, 2)));
        assert!(!suits(layer(1, 16, 16, 3, 1)) && !suits(layer(8, 16, 16, 1, 1)));
    }
}
