//! Batch normalisation of `(rows, c)`, the channels last, with what follows it in a residual
//! network: `y = relu(scale · x + shift + residual)`.
//!
//! Rows go in pieces that depend on their number alone; sums over pieces are added in order. Within
//! a piece a block of rows that fits the first cache is walked once for each register of channels,
//! so that what belongs to a channel stays in registers.

use super::parallel;
use super::simd::{Isa, Kernel, Simd};

/// Numbers of each operand in a block of rows.
const BLOCK: usize = 2048;
/// At most so many pieces, of at least so many numbers.
const PIECES: usize = 32;
const LEAST: usize = 8192;

/// Mean and biased variance of each channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: Vec<f32>,
    pub(crate) var: Vec<f32>,
}

/// The moments of `x` `(rows, c)`, over its rows.
///
/// Sums run over the distances to a piece's first row, which a large mean does not spoil, and
/// pieces are joined in `f64` (Chan, Golub & LeVeque 1983, "Algorithms for computing the sample
/// variance", Eq. 2.1).
pub(crate) fn moments(isa: Isa, x: &[f32], c: usize) -> Moments {
    let pieces: Vec<_> = x.chunks(piece_len(x.len(), c)).collect();
    let sums = parallel::map(pieces, |_, x| {
        let mut sums = Sums::new(c);
        isa.run(MomentSums { x, shift: &x[..c], sums: &mut sums });
        ((x.len() / c) as f64, &x[..c], sums)
    });
    let mut rows = 0.0;
    let mut mean = vec![0.0f64; c];
    let mut square = vec![0.0f64; c];
    for (m, shift, sums) in &sums {
        let total = rows + m;
        for j in 0..c {
            let first = f64::from(sums.first[j]);
            let delta = f64::from(shift[j]) + first / m - mean[j];
            square[j] +=
                f64::from(sums.second[j]) - first * first / m + delta * delta * rows * m / total;
            mean[j] += delta * m / total;
        }
        rows = total;
    }
    Moments {
        mean: mean.iter().map(|&mean| mean as f32).collect(),
        var: square.iter().map(|&square| (square / rows).max(0.0) as f32).collect(),
    }
}

/// `y = scale · x + shift`, then `+ residual`, then relu, as asked.
pub(crate) struct Normalise<'a> {
    pub(crate) x: &'a [f32],
    /// `(c)`
    pub(crate) scale: &'a [f32],
    /// `(c)`
    pub(crate) shift: &'a [f32],
    pub(crate) residual: Option<&'a [f32]>,
    pub(crate) relu: bool,
}

impl Normalise<'_> {
    /// Overwrites `y`.
    pub(crate) fn forward(&self, isa: Isa, y: &mut [f32]) {
        let len = piece_len(y.len(), self.scale.len());
        parallel::for_each(y.chunks_mut(len).collect(), |i, y| {
            let part = |all| part(all, i * len, y.len());
            let (x, residual) = (part(self.x), self.residual.map(part));
            isa.run(ForwardKernel { of: &Self { x, residual, ..*self }, y });
        });
    }
}

/// What a backward pass reads. With `g` the gradient after the relu, it is 0 where the output was.
#[derive(Clone, Copy)]
pub(crate) struct Backward<'a> {
    pub(crate) x: &'a [f32],
    /// `(c)`
    pub(crate) mean: &'a [f32],
    pub(crate) dy: &'a [f32],
    /// The output, where a relu ended it.
    pub(crate) relu: Option<&'a [f32]>,
}

/// Two sums over rows for each channel.
pub(crate) struct Sums {
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
}

impl Sums {
    fn new(c: usize) -> Self {
        Self { first: vec![0.0; c], second: vec![0.0; c] }
    }
}

/// The gradient for the input, `slope · g + curve · (x − mean) + offset`, each `(c)`.
#[derive(Clone, Copy)]
pub(crate) struct InputGrad<'a> {
    pub(crate) slope: &'a [f32],
    pub(crate) curve: &'a [f32],
    pub(crate) offset: &'a [f32],
}

impl<'a> Backward<'a> {
    /// `Σ g` and `Σ g · (x − mean)`.
    pub(crate) fn sums(&self, isa: Isa) -> Sums {
        let c = self.mean.len();
        let len = piece_len(self.x.len(), c);
        let pieces: Vec<_> = (0..self.x.len().div_ceil(len)).collect();
        let sums = parallel::map(pieces, |i, _| {
            let mut sums = Sums::new(c);
            isa.run(GradSums { of: self.piece(i, len), sums: &mut sums });
            sums
        });
        let mut total = Sums::new(c);
        for sums in &sums {
            total.first.iter_mut().zip(&sums.first).for_each(|(a, b)| *a += b);
            total.second.iter_mut().zip(&sums.second).for_each(|(a, b)| *a += b);
        }
        total
    }

    /// Adds the input's gradient to `dx`, and `g` to that of the residual.
    pub(crate) fn input_grad(
        &self,
        isa: Isa,
        coefficients: InputGrad<'_>,
        dx: &mut [f32],
        residual: Option<&mut [f32]>,
    ) {
        let len = piece_len(dx.len(), self.mean.len());
        let residuals: Vec<Option<&mut [f32]>> = match residual {
            Some(all) => all.chunks_mut(len).map(Some).collect(),
            None => (0..dx.len().div_ceil(len)).map(|_| None).collect(),
        };
        let pieces: Vec<_> = dx.chunks_mut(len).zip(residuals).collect();
        parallel::for_each(pieces, |i, (dx, residual)| {
            isa.run(BackwardKernel { of: self.piece(i, len), coefficients, dx, residual });
        });
    }

    fn piece(&self, i: usize, len: usize) -> Self {
        let n = len.min(self.x.len() - i * len);
        let part = |all: &'a [f32]| part(all, i * len, n);
        Self { x: part(self.x), mean: self.mean, dy: part(self.dy), relu: self.relu.map(part) }
    }
}

fn piece_len(len: usize, c: usize) -> usize {
    parallel::rows_per_piece(len / c, LEAST.div_ceil(c), PIECES) * c
}

fn part(all: &[f32], start: usize, len: usize) -> &[f32] {
    &all[start..][..len]
}

/// A register of channels in one block of rows: where its first number is, how many rows follow at
/// distance `c`, and how many of its lanes are channels.
#[derive(Clone, Copy)]
struct Column {
    start: usize,
    rows: usize,
    channel: usize,
    lanes: usize,
}

/// The columns of all blocks of `len` numbers.
#[inline(always)]
fn columns(len: usize, c: usize, lanes: usize) -> impl Iterator<Item = Column> {
    let rows = (BLOCK / c).max(1);
    (0..len / c).step_by(rows).flat_map(move |row| {
        let rows = rows.min(len / c - row);
        (0..c).step_by(lanes).map(move |channel| Column {
            start: row * c + channel,
            rows,
            channel,
            lanes: lanes.min(c - channel),
        })
    })
}

struct MomentSums<'a> {
    x: &'a [f32],
    shift: &'a [f32],
    sums: &'a mut Sums,
}

impl Kernel for MomentSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let c = self.shift.len();
        for column in columns(self.x.len(), c, S::LANES) {
            let Column { start, rows, channel, lanes } = column;
            // SAFETY: `column` lies in `x`, its channels in the arrays of length `c`.
            unsafe {
                let shift = s.load_head(self.shift.as_ptr().add(channel), lanes);
                let (mut first, mut second) = ([s.zero(); 4], [s.zero(); 4]);
                for row in (0..rows).step_by(4) {
                    for i in 0..4 {
                        if row + i < rows {
                            let d = s.sub(load(s, self.x, start + (row + i) * c, lanes), shift);
                            first[i] = s.add(first[i], d);
                            second[i] = s.mul_add(d, d, second[i]);
                        }
                    }
                }
                add_to(s, &mut self.sums.first, channel, lanes, first);
                add_to(s, &mut self.sums.second, channel, lanes, second);
            }
        }
    }
}

struct ForwardKernel<'a, 'b> {
    of: &'a Normalise<'b>,
    y: &'a mut [f32],
}

impl Kernel for ForwardKernel<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Normalise { x, scale, shift, residual, relu } = *self.of;
        let c = scale.len();
        for Column { start, rows, channel, lanes } in columns(self.y.len(), c, S::LANES) {
            // SAFETY: `column` lies in `x`, `residual` and `y`, its channels in the coefficients.
            unsafe {
                let scale = s.load_head(scale.as_ptr().add(channel), lanes);
                let shift = s.load_head(shift.as_ptr().add(channel), lanes);
                for row in 0..rows {
                    let at = start + row * c;
                    let mut y = s.mul_add(load(s, x, at, lanes), scale, shift);
                    if let Some(residual) = residual {
                        y = s.add(y, load(s, residual, at, lanes));
                    }
                    if relu {
                        y = s.max(s.zero(), y);
                    }
                    store(s, self.y, at, lanes, y);
                }
            }
        }
    }
}

struct GradSums<'a> {
    of: Backward<'a>,
    sums: &'a mut Sums,
}

impl Kernel for GradSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let c = self.of.mean.len();
        for Column { start, rows, channel, lanes } in columns(self.of.x.len(), c, S::LANES) {
            // SAFETY: `column` lies in the operands, its channels in the arrays of length `c`.
            unsafe {
                let mean = s.load_head(self.of.mean.as_ptr().add(channel), lanes);
                let (mut first, mut second) = ([s.zero(); 4], [s.zero(); 4]);
                for row in (0..rows).step_by(4) {
                    for i in 0..4 {
                        if row + i < rows {
                            let at = start + (row + i) * c;
                            let g = after_relu(s, &self.of, at, lanes);
                            let x = s.sub(load(s, self.of.x, at, lanes), mean);
                            first[i] = s.add(first[i], g);
                            second[i] = s.mul_add(g, x, second[i]);
                        }
                    }
                }
                add_to(s, &mut self.sums.first, channel, lanes, first);
                add_to(s, &mut self.sums.second, channel, lanes, second);
            }
        }
    }
}

struct BackwardKernel<'a> {
    of: Backward<'a>,
    coefficients: InputGrad<'a>,
    dx: &'a mut [f32],
    residual: Option<&'a mut [f32]>,
}

impl Kernel for BackwardKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let InputGrad { slope, curve, offset } = self.coefficients;
        let c = self.of.mean.len();
        for Column { start, rows, channel, lanes } in columns(self.of.x.len(), c, S::LANES) {
            // SAFETY: `column` lies in the operands, its channels in the arrays of length `c`.
            unsafe {
                let mean = s.load_head(self.of.mean.as_ptr().add(channel), lanes);
                let slope = s.load_head(slope.as_ptr().add(channel), lanes);
                let curve = s.load_head(curve.as_ptr().add(channel), lanes);
                let offset = s.load_head(offset.as_ptr().add(channel), lanes);
                for row in 0..rows {
                    let at = start + row * c;
                    let g = after_relu(s, &self.of, at, lanes);
                    let x = s.sub(load(s, self.of.x, at, lanes), mean);
                    let dx = s.mul_add(slope, g, s.mul_add(curve, x, offset));
                    store(s, self.dx, at, lanes, s.add(load(s, self.dx, at, lanes), dx));
                    if let Some(residual) = &mut self.residual {
                        store(s, residual, at, lanes, s.add(load(s, residual, at, lanes), g));
                    }
                }
            }
        }
    }
}

/// `g` in one register.
///
/// # Safety
/// As [`load`], in the operands.
#[inline(always)]
unsafe fn after_relu<S: Simd>(s: S, of: &Backward<'_>, at: usize, lanes: usize) -> S::F {
    // SAFETY: by the caller's promise.
    unsafe {
        let dy = load(s, of.dy, at, lanes);
        match of.relu {
            Some(y) => s.select(s.gt(load(s, y, at, lanes), s.zero()), dy, s.zero()),
            None => dy,
        }
    }
}

/// The `lanes` numbers from `at` on.
///
/// # Safety
/// They lie in `x`.
#[inline(always)]
unsafe fn load<S: Simd>(s: S, x: &[f32], at: usize, lanes: usize) -> S::F {
    debug_assert!(at + lanes <= x.len());
    // SAFETY: by the caller's promise.
    unsafe {
        let p = x.as_ptr().add(at);
        if lanes == S::LANES { s.load(p) } else { s.load_head(p, lanes) }
    }
}

/// Writes the `lanes` numbers from `at` on.
///
/// # Safety
/// They lie in `y`.
#[inline(always)]
unsafe fn store<S: Simd>(s: S, y: &mut [f32], at: usize, lanes: usize, value: S::F) {
    debug_assert!(at + lanes <= y.len());
    // SAFETY: by the caller's promise.
    unsafe {
        let p = y.as_mut_ptr().add(at);
        if lanes == S::LANES { s.store(p, value) } else { s.store_head(p, lanes, value) }
    }
}

/// Adds four partial sums to those of the channels.
///
/// # Safety
/// `channel + lanes` is at most the number of sums.
#[inline(always)]
unsafe fn add_to<S: Simd>(s: S, sums: &mut [f32], channel: usize, lanes: usize, parts: [S::F; 4]) {
    let [a, b, c, d] = parts;
    let sum = s.add(s.add(a, b), s.add(c, d));
    // SAFETY: by the caller's promise.
    unsafe {
        let old = load(s, sums, channel, lanes);
        store(s, sums, channel, lanes, s.add(old, sum));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{assert_close, values};

    /// Channels that fill registers, that do not, and more rows than a block holds.
    const SHAPES: [(usize, usize); 6] =
        [(2, 1), (7, 3), (700, 16), (333, 64), (2500, 10), (9, 300)];

    #[test]
    fn every_instruction_set_gives_the_same() {
        for (rows, c) in SHAPES {
            let [x, dy, residual] = [1, 2, 3].map(|seed| values(rows * c, seed));
            let [scale, shift] = [4, 5].map(|seed| values(c, seed));
            let results = Isa::available().map(|isa| {
                let Moments { mean, var } = moments(isa, &x, c);
                let mut y = vec![f32::NAN; x.len()];
                let residual = Some(&residual[..]);
                Normalise { x: &x, scale: &scale, shift: &shift, residual, relu: true }
                    .forward(isa, &mut y);
                let of = Backward { x: &x, mean: &mean, dy: &dy, relu: Some(&y) };
                let Sums { first, second } = of.sums(isa);
                let (mut dx, mut dr) = (vec![1.0; x.len()], vec![2.0; x.len()]);
                let coefficients = InputGrad { slope: &scale, curve: &shift, offset: &var };
                of.input_grad(isa, coefficients, &mut dx, Some(&mut dr));
                [mean.clone(), var.clone(), y.clone(), first, second, dx, dr]
            });
            let results: Vec<_> = results.collect();
            for other in &results[1..] {
                for (a, b) in other.iter().zip(&results[0]) {
                    assert_close("result", a, b, 1e-5);
                }
            }
        }
    }
}
