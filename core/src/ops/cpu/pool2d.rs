//! Pooling of channels-last maps `(n, h, w, c)` to `(n, oh, ow, c)`.
//!
//! Samples are the pieces of work. Inner loops run over the channels of a pixel, which the compiler
//! vectorises.

use super::parallel;
use crate::ops::Window;

/// The sizes of a pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pool2dDims {
    /// Height, width and channels of the input.
    pub(crate) size: (usize, usize, usize),
    /// Height and width of the output, as the window gives them.
    pub(crate) output: (usize, usize),
    pub(crate) window: Window,
}

impl Pool2dDims {
    fn input_len(&self) -> usize {
        let (h, w, c) = self.size;
        h * w * c
    }

    fn output_len(&self) -> usize {
        self.output.0 * self.output.1 * self.size.2
    }

    /// Taps of the window, at most so many as a byte can number.
    pub(crate) fn taps(&self) -> usize {
        self.window.kernel.0 * self.window.kernel.1
    }

    /// For every output position, and every tap of it that lies in the input: offsets of the
    /// output's and the input's first channel, and the tap's number.
    fn for_each_tap(&self, mut f: impl FnMut(usize, usize, usize)) {
        let ((h, w, c), (oh, ow)) = (self.size, self.output);
        let Window { kernel: (kh, kw), stride, padding } = self.window;
        for oy in 0..oh {
            for ox in 0..ow {
                for i in 0..kh {
                    // Rows above the input wrap around to numbers far below it.
                    let y = (oy * stride + i).wrapping_sub(padding);
                    for j in 0..kw {
                        let x = (ox * stride + j).wrapping_sub(padding);
                        if y < h && x < w {
                            f((oy * ow + ox) * c, (y * w + x) * c, i * kw + j);
                        }
                    }
                }
            }
        }
    }
}

/// Overwrites `y` with the maxima, and `winner` with the tap that each came from: of equal ones
/// the first, of several NaNs the last.
pub(crate) fn max(d: &Pool2dDims, x: &[f32], y: &mut [f32], winner: &mut [u8]) {
    let len = d.output_len();
    let samples = x.chunks_exact(d.input_len()).zip(y.chunks_exact_mut(len));
    let samples = samples.zip(winner.chunks_exact_mut(len));
    parallel::for_each(samples.collect(), |_, ((x, y), winner)| {
        y.fill(f32::NEG_INFINITY);
        winner.fill(0);
        let c = d.size.2;
        d.for_each_tap(|out, at, tap| {
            let (y, winner) = (&mut y[out..][..c], &mut winner[out..][..c]);
            for ((y, winner), &x) in y.iter_mut().zip(winner).zip(&x[at..][..c]) {
                let wins = x > *y || x.is_nan();
                *y = if wins { x } else { *y };
                *winner = if wins { tap as u8 } else { *winner };
            }
        });
    });
}

/// Adds each output's gradient to that of the input that won.
pub(crate) fn max_backward(d: &Pool2dDims, winner: &[u8], dy: &[f32], dx: &mut [f32]) {
    let len = d.output_len();
    let samples = dx.chunks_exact_mut(d.input_len()).zip(dy.chunks_exact(len));
    let samples = samples.zip(winner.chunks_exact(len));
    parallel::for_each(samples.collect(), |_, ((dx, dy), winner)| {
        let c = d.size.2;
        d.for_each_tap(|out, at, tap| {
            let (dy, winner) = (&dy[out..][..c], &winner[out..][..c]);
            for ((dx, &dy), &winner) in dx[at..][..c].iter_mut().zip(dy).zip(winner) {
                *dx += if winner == tap as u8 { dy } else { 0.0 };
            }
        });
    });
}

/// Overwrites `y` with the means, padding counted as zeros.
pub(crate) fn average(d: &Pool2dDims, x: &[f32], y: &mut [f32]) {
    let share = 1.0 / d.taps() as f32;
    let samples = x.chunks_exact(d.input_len()).zip(y.chunks_exact_mut(d.output_len()));
    parallel::for_each(samples.collect(), |_, (x, y)| {
        y.fill(0.0);
        d.for_each_tap(|out, at, _| add_scaled(&mut y[out..], &x[at..], d.size.2, share));
    });
}

/// Adds each output's gradient, divided by the taps, to those of its inputs.
pub(crate) fn average_backward(d: &Pool2dDims, dy: &[f32], dx: &mut [f32]) {
    let share = 1.0 / d.taps() as f32;
    let samples = dx.chunks_exact_mut(d.input_len()).zip(dy.chunks_exact(d.output_len()));
    parallel::for_each(samples.collect(), |_, (dx, dy)| {
        d.for_each_tap(|out, at, _| add_scaled(&mut dx[at..], &dy[out..], d.size.2, share));
    });
}

/// Overwrites `y` `(n, c)` with the means of `x` `(n, pixels, c)`.
pub(crate) fn global_average(c: usize, x: &[f32], y: &mut [f32]) {
    let len = x.len() / (y.len() / c);
    let share = c as f32 / len as f32;
    let samples = x.chunks_exact(len).zip(y.chunks_exact_mut(c));
    parallel::for_each(samples.collect(), |_, (x, y)| {
        y.fill(0.0);
        x.chunks_exact(c).for_each(|x| add_scaled(y, x, c, 1.0));
        y.iter_mut().for_each(|y| *y *= share);
    });
}

/// Adds each mean's gradient, divided by the pixels, to those of its inputs.
pub(crate) fn global_average_backward(c: usize, dy: &[f32], dx: &mut [f32]) {
    let len = dx.len() / (dy.len() / c);
    let share = c as f32 / len as f32;
    let samples = dx.chunks_exact_mut(len).zip(dy.chunks_exact(c));
    parallel::for_each(samples.collect(), |_, (dx, dy)| {
        dx.chunks_exact_mut(c).for_each(|dx| add_scaled(dx, dy, c, share));
    });
}

fn add_scaled(to: &mut [f32], from: &[f32], c: usize, factor: f32) {
    for (to, from) in to[..c].iter_mut().zip(&from[..c]) {
        *to += factor * from;
    }
}
