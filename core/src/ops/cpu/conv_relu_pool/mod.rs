//! Convolution (stride 1, no padding) + bias + ReLU + 2×2 max pooling, in one pass.
//!
//! The forward pass keeps the four positions of a pooling window in registers and writes one
//! output and one byte, its *code*: the position 0..4 (row-major in the window) that won, or
//! [`DEAD`] when ReLU cut it off. The backward pass is exact and sparse: at most one of four
//! gradients of the convolution's output is not zero, and the code says which.

mod filter_grad;
mod forward;
mod input_grad;
mod sparse;
mod winograd;

pub(crate) use filter_grad::{bias_grad, filter_grad};
pub(crate) use forward::Prepared;
pub(crate) use input_grad::input_grad;

/// The code of an output that ReLU cut off.
const DEAD: u8 = 4;

/// Sizes. Input `(n, h, w, c_in)`, filter `(kh, kw, c_in, c_out)`, output `(n, ph, pw, c_out)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dims {
    /// Samples.
    pub(crate) n: usize,
    /// Input height.
    pub(crate) h: usize,
    /// Input width.
    pub(crate) w: usize,
    /// Input channels.
    pub(crate) c_in: usize,
    /// Output channels.
    pub(crate) c_out: usize,
    /// Filter height, at most `h`.
    pub(crate) kh: usize,
    /// Filter width, at most `w`.
    pub(crate) kw: usize,
}

impl Dims {
    /// Output height.
    pub(crate) fn ph(&self) -> usize {
        (self.h + 1 - self.kh) / 2
    }

    /// Output width.
    pub(crate) fn pw(&self) -> usize {
        (self.w + 1 - self.kw) / 2
    }

    /// Numbers in a sample of the input.
    fn input(&self) -> usize {
        self.h * self.w * self.c_in
    }

    /// Numbers, and codes, in a sample of the output.
    pub(crate) fn output(&self) -> usize {
        self.ph() * self.pw() * self.c_out
    }

    /// Numbers in a row of the input.
    fn input_row(&self) -> usize {
        self.w * self.c_in
    }

    /// Numbers that one row of the filter covers, which lie side by side in the input.
    fn filter_row(&self) -> usize {
        self.kw * self.c_in
    }

    /// Numbers that the filter covers.
    fn taps(&self) -> usize {
        self.kh * self.kw * self.c_in
    }

    /// Where the input patch of a position in a pooling window starts.
    #[inline(always)]
    fn patch(&self, py: usize, px: usize, code: usize) -> usize {
        ((2 * py + code / 2) * self.w + 2 * px + code % 2) * self.c_in
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ops::cpu::simd::Isa;

    fn values(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// Of the largest number of a tensor.
    const TOLERANCE: f64 = 5e-5;

    struct Case {
        d: Dims,
        x: Vec<f32>,
        filter: Vec<f32>,
        bias: Vec<f32>,
        dy: Vec<f32>,
    }

    impl Case {
        fn new(d: Dims, seed: u32) -> Self {
            Self {
                d,
                x: values(d.n * d.input(), seed),
                filter: values(d.taps() * d.c_out, seed + 1),
                bias: values(d.c_out, seed + 2),
                dy: values(d.n * d.output(), seed + 3),
            }
        }

        /// y, dx, dw, db by the definitions, in double precision, with the winners of `codes`: which
        /// of two equal positions wins is a matter of rounding.
        fn naive(&self, codes: &[u8]) -> [Vec<f64>; 4] {
            let d = &self.d;
            let mut y = vec![0.0; d.n * d.output()];
            let mut dx = vec![0.0; d.n * d.input()];
            let mut dw = vec![0.0; d.taps() * d.c_out];
            let mut db = vec![0.0; d.c_out];
            for (at, y) in y.iter_mut().enumerate() {
                let (c, at_window) = (at % d.c_out, at / d.c_out);
                let (px, row) = (at_window % d.pw(), at_window / d.pw());
                let (py, b) = (row % d.ph(), row / d.ph());
                // The pairs (input, filter) that the sum at a position of the window multiplies.
                let pairs = |code: usize| {
                    (0..d.taps()).map(move |k| {
                        let (m, v, u) = (k % d.c_in, k / d.c_in % d.kw, k / d.c_in / d.kw);
                        let (i, j) = (2 * py + code / 2 + u, 2 * px + code % 2 + v);
                        (((b * d.h + i) * d.w + j) * d.c_in + m, k * d.c_out + c)
                    })
                };
                let sum = |code: usize| -> f64 {
                    pairs(code).map(|(x, w)| f64::from(self.x[x]) * f64::from(self.filter[w])).sum()
                };
                let sums = [0, 1, 2, 3].map(sum);
                let largest = sums.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
                let bias = f64::from(self.bias[c]);
                *y = (largest + bias).max(0.0);
                let code = usize::from(codes[at]);
                if code == usize::from(DEAD) {
                    assert!(largest + bias < TOLERANCE, "a living output is called dead");
                    continue;
                }
                assert!(sums[code] > largest - TOLERANCE, "position {code} did not win: {sums:?}");
                let g = f64::from(self.dy[at]);
                db[c] += g;
                for (x, w) in pairs(code) {
                    dx[x] += g * f64::from(self.filter[w]);
                    dw[w] += g * f64::from(self.x[x]);
                }
            }
            [y, dx, dw, db]
        }

        fn fast(&self, isa: Isa) -> ([Vec<f32>; 4], Vec<u8>) {
            let d = &self.d;
            let mut y = vec![f32::NAN; d.n * d.output()];
            let mut codes = vec![u8::MAX; y.len()];
            let filter = Prepared::new(isa, d, &self.filter);
            filter.forward(&self.x, &self.bias, &mut y, &mut codes);
            let mut dx = vec![0.0; self.x.len()];
            let mut dw = vec![0.0; self.filter.len()];
            let mut db = vec![0.0; d.c_out];
            input_grad(isa, d, &self.filter, &codes, &self.dy, &mut dx);
            filter_grad(isa, d, &self.x, &codes, &self.dy, &mut dw);
            bias_grad(isa, d, &codes, &self.dy, &mut db);
            ([y, dx, dw, db], codes)
        }

        fn check(&self) {
            for isa in Isa::available() {
                let (got, codes) = self.fast(isa);
                let expected = self.naive(&codes);
                let names = ["y", "dx", "dw", "db"];
                for ((got, expected), name) in got.iter().zip(&expected).zip(names) {
                    let scale = expected.iter().fold(1.0f64, |m, v| m.max(v.abs()));
                    for (i, (&a, &b)) in got.iter().zip(expected).enumerate() {
                        let error = (f64::from(a) - b).abs();
                        assert!(error <= TOLERANCE * scale, "{isa:?} {name}[{i}]: {a}, not {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_blocks_of_digit_net() {
        let first = Dims { n: 3, h: 28, w: 28, c_in: 1, c_out: 32, kh: 5, kw: 5 };
        Case::new(first, 1).check();
        Case::new(Dims { c_in: 3, ..first }, 2).check();
        // Tiles of which only a part is there.
        for c_in in [1, 3] {
            Case::new(Dims { n: 2, h: 19, w: 15, c_in, c_out: 16, ..first }, 5).check();
        }
        Case::new(Dims { n: 5, h: 12, w: 12, c_in: 32, c_out: 48, kh: 5, kw: 5 }, 3).check();
        Case::new(Dims { n: 2, h: 14, w: 15, c_in: 32, c_out: 16, kh: 5, kw: 5 }, 4).check();
    }

    #[test]
    fn a_nan_stays() {
        let d = Dims { n: 1, h: 4, w: 4, c_in: 1, c_out: 5, kh: 3, kw: 3 };
        let mut case = Case::new(d, 1);
        case.x[5] = f32::NAN;
        for isa in Isa::available() {
            assert!(case.fast(isa).0[0].iter().all(|y| y.is_nan()), "{isa:?}");
        }
    }

    #[cfg(feature = "threads")]
    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let d = Dims { n: 19, h: 12, w: 12, c_in: 8, c_out: 20, kh: 5, kw: 5 };
        let case = Case::new(d, 4);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                case.fast(Isa::best())
                    .0
                    .map(|v| v.into_iter().map(f32::to_bits).collect::<Vec<_>>())
            })
        };
        assert_eq!(on(1), on(2));
        assert_eq!(on(1), on(5));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_sizes(
            (n, kh, kw) in (1usize..4, 1usize..6, 1usize..6),
            (more_h, more_w) in (0usize..9, 0usize..9),
            (c_in, c_out) in (1usize..20, 1usize..70),
            seed in 0u32..1000,
        ) {
            Case::new(Dims { n, h: kh + more_h, w: kw + more_w, c_in, c_out, kh, kw }, seed).check();
        }
    }
}
