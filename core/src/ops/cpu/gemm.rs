//! Matrix products for linear layers: register tiles over a packed right factor.
//!
//! Why not a crate: a product is split into fixed pieces of rows, whatever the number of threads,
//! and bias and ReLU join while a tile is in registers.

use super::{
    buffer::Buffer,
    parallel,
    simd::{Isa, Kernel, Simd},
};

/// A matrix in memory: entry (i, j) lies at i · `row` + j · `column`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    values: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> View<'a> {
    /// The `(_, columns)` matrix in row-major order.
    pub(crate) fn rows(values: &'a [f32], columns: usize) -> Self {
        Self { values, row: columns, column: 1 }
    }

    /// The transpose.
    pub(crate) fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }
}

/// What happens to a finished entry.
#[derive(Clone, Copy)]
pub(crate) enum Finish<'a> {
    /// It is added to what the output holds.
    Add,
    /// The column's bias is added, and the sum is written.
    Bias(&'a [f32]),
    /// The column's bias is added, and the positive part is written.
    BiasRelu(&'a [f32]),
}

/// Rows of a piece of work.
const PIECE: usize = 32;
/// Steps of the inner dimension whose part of the right factor stays in the cache.
const DEPTH: usize = 512;
/// Registers across a tile.
const ACROSS: usize = 4;
/// Rows of A from which on packing B is worth reading it once more.
const MANY: usize = 4;

/// C = A B, finished as told: A `(m, k)`, B `(k, n)`, C `(m, n)` in row-major order.
pub(crate) fn gemm(
    isa: Isa,
    (m, n, k): (usize, usize, usize),
    a: View<'_>,
    b: View<'_>,
    c: &mut [f32],
    finish: Finish<'_>,
) {
    assert_eq!(c.len(), m * n);
    for (view, rows, columns) in [(a, m, k), (b, k, n)] {
        let last = rows.saturating_sub(1) * view.row + columns.saturating_sub(1) * view.column;
        assert!(rows * columns == 0 || last < view.values.len(), "a view beyond its values");
    }
    if let Finish::Bias(bias) | Finish::BiasRelu(bias) = finish {
        assert_eq!(bias.len(), n);
    }
    if m * n == 0 {
        return;
    }
    let b = isa.run(Pack { b, n, k, m });
    parallel::for_each(c.chunks_mut(PIECE * n).collect(), |i, c| {
        isa.run(Piece { a, b: &b, first: i * PIECE, n, k, c, finish });
    });
}

/// B as tiles read it: whole registers of a row lie in one piece.
enum Panels<'a> {
    /// Panels of `ACROSS` registers, each `(k, panel)`, zero-padded.
    Packed(Buffer<f32>),
    /// B as it is, row-major with whole registers.
    Rows(View<'a>),
}

struct Pack<'a> {
    b: View<'a>,
    n: usize,
    k: usize,
    m: usize,
}

impl<'a> Kernel for Pack<'a> {
    type Output = Panels<'a>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Panels<'a> {
        let Self { b, n, k, m } = self;
        if m < MANY && b.column == 1 && n.is_multiple_of(S::LANES) {
            return Panels::Rows(b);
        }
        let mut packed = Buffer::new(k * n.next_multiple_of(S::LANES));
        for first in (0..n).step_by(ACROSS * S::LANES) {
            let used = (n - first).min(ACROSS * S::LANES);
            let width = used.next_multiple_of(S::LANES);
            let panel = &mut packed[k * first..][..k * width];
            if b.column == 1 {
                for (i, to) in panel.chunks_exact_mut(width).enumerate() {
                    to[..used].copy_from_slice(&b.values[i * b.row + first..][..used]);
                    to[used..].fill(0.0);
                }
                continue;
            }
            // Blocks of 16 × 16, so that neither side leaves the cache.
            for i0 in (0..k).step_by(16) {
                for j0 in (0..width).step_by(16) {
                    for j in j0..(j0 + 16).min(width) {
                        for i in i0..(i0 + 16).min(k) {
                            let at = i * b.row + (first + j) * b.column;
                            panel[i * width + j] = if j < used { b.values[at] } else { 0.0 };
                        }
                    }
                }
            }
        }
        Panels::Packed(packed)
    }
}

struct Piece<'a> {
    a: View<'a>,
    b: &'a Panels<'a>,
    first: usize,
    n: usize,
    k: usize,
    c: &'a mut [f32],
    finish: Finish<'a>,
}

impl Kernel for Piece<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let m = self.c.len() / self.n;
        for first in (0..self.n).step_by(ACROSS * S::LANES) {
            let width = (self.n - first).min(ACROSS * S::LANES);
            // An empty sum still wants its bias.
            for depth in (0..self.k.max(1)).step_by(DEPTH) {
                let mut row = 0;
                while row < m {
                    let registers = width.div_ceil(S::LANES);
                    if let Panels::Rows(_) = self.b {
                        row += match registers {
                            4 => self.tile::<S, 1, 4, false>(s, row, first, depth),
                            3 => self.tile::<S, 1, 3, false>(s, row, first, depth),
                            2 => self.tile::<S, 1, 2, false>(s, row, first, depth),
                            _ => self.tile::<S, 1, 1, false>(s, row, first, depth),
                        };
                        continue;
                    }
                    // Rows × registers that fill the processor's registers without spilling.
                    row += match (m - row, registers, S::SUMS) {
                        (6.., 4, 24..) => self.tile::<S, 6, 4, true>(s, row, first, depth),
                        (8.., 3, 24..) => self.tile::<S, 8, 3, true>(s, row, first, depth),
                        (12.., 2, 24..) => self.tile::<S, 12, 2, true>(s, row, first, depth),
                        (14.., 1, 24..) => self.tile::<S, 14, 1, true>(s, row, first, depth),
                        (3.., 4, 12..) => self.tile::<S, 3, 4, true>(s, row, first, depth),
                        (4.., 3, 12..) => self.tile::<S, 4, 3, true>(s, row, first, depth),
                        (6.., 2, 12..) => self.tile::<S, 6, 2, true>(s, row, first, depth),
                        (12.., 1, 12..) => self.tile::<S, 12, 1, true>(s, row, first, depth),
                        (2.., 4, ..12) => self.tile::<S, 2, 4, true>(s, row, first, depth),
                        (3.., 3, ..12) => self.tile::<S, 3, 3, true>(s, row, first, depth),
                        (4.., 2, ..12) => self.tile::<S, 4, 2, true>(s, row, first, depth),
                        (8.., 1, ..12) => self.tile::<S, 8, 1, true>(s, row, first, depth),
                        (_, 4, _) => self.tile::<S, 1, 4, true>(s, row, first, depth),
                        (_, 3, _) => self.tile::<S, 1, 3, true>(s, row, first, depth),
                        (_, 2, _) => self.tile::<S, 1, 2, true>(s, row, first, depth),
                        _ => self.tile::<S, 1, 1, true>(s, row, first, depth),
                    };
                }
            }
        }
    }
}

impl Piece<'_> {
    /// `R` rows × `C` registers of the piece, one part of the inner dimension; returns `R`. `PACKED`
    /// says what B is once more, for a step that the compiler knows.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const C: usize, const PACKED: bool>(
        &mut self,
        s: S,
        row: usize,
        column: usize,
        depth: usize,
    ) -> usize {
        let Self { a, b, first, n, k, finish, .. } = *self;
        let end = (depth + DEPTH).min(k);
        let mut sums = [[s.zero(); C]; R];
        let (panel, row_len) = match b {
            Panels::Packed(b) => (b.as_ptr().wrapping_add(k * column), C * S::LANES),
            Panels::Rows(b) => (b.values.as_ptr().wrapping_add(column), b.row),
        };
        let step = if PACKED { C * S::LANES } else { row_len };
        // SAFETY: `gemm` checked that A holds rows `first + row` to `+ R` up to k; from the start of
        // the panel on B holds C registers for each of k steps.
        unsafe {
            let mut b = panel.wrapping_add(depth * step);
            let mut from = a.values.as_ptr().wrapping_add((first + row) * a.row + depth * a.column);
            for _ in depth..end {
                let b_row: [S::F; C] = std::array::from_fn(|j| s.load(b.add(j * S::LANES)));
                for (i, sums) in sums.iter_mut().enumerate() {
                    let a = s.splat(*from.add(i * a.row));
                    for (sum, &b) in sums.iter_mut().zip(&b_row) {
                        *sum = s.mul_add(a, b, *sum);
                    }
                }
                b = b.wrapping_add(step);
                from = from.wrapping_add(a.column);
            }
        }
        let last = end == k;
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                let at = column + j * S::LANES;
                let used = (n - at).min(S::LANES);
                let c = &mut self.c[(row + i) * n + at..][..used];
                // SAFETY: `c` holds `used` numbers, and so does the bias from `at` on.
                unsafe {
                    let old = |s: S| s.load_head(c.as_ptr(), used);
                    let sum = match finish {
                        Finish::Add => s.add(sum, old(s)),
                        _ if depth > 0 => s.add(sum, old(s)),
                        _ => sum,
                    };
                    let sum = match finish {
                        Finish::Bias(bias) | Finish::BiasRelu(bias) if last => {
                            s.add(sum, s.load_head(bias[at..].as_ptr(), used))
                        }
                        _ => sum,
                    };
                    let sum = match finish {
                        Finish::BiasRelu(_) if last => s.max(s.zero(), sum),
                        _ => sum,
                    };
                    s.store_head(c.as_mut_ptr(), used, sum);
                }
            }
        }
        R
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    fn check(m: usize, n: usize, k: usize, transpose_a: bool, transpose_b: bool) {
        let (a, b, bias) = (values(m * k, 1), values(k * n, 2), values(n, 3));
        let view_a = if transpose_a { View::rows(&a, m).transposed() } else { View::rows(&a, k) };
        let view_b = if transpose_b { View::rows(&b, k).transposed() } else { View::rows(&b, n) };
        let product = |i: usize, j: usize| -> f64 {
            let at = |v: View<'_>, i, j| f64::from(v.values[i * v.row + j * v.column]);
            (0..k).map(|l| at(view_a, i, l) * at(view_b, l, j)).sum()
        };
        for isa in Isa::available() {
            for finish in [Finish::Add, Finish::Bias(&bias), Finish::BiasRelu(&bias)] {
                let mut c = vec![0.5; m * n];
                gemm(isa, (m, n, k), view_a, view_b, &mut c, finish);
                for (at, &got) in c.iter().enumerate() {
                    let (i, j) = (at / n, at % n);
                    let expected = match finish {
                        Finish::Add => 0.5 + product(i, j),
                        Finish::Bias(b) => product(i, j) + f64::from(b[j]),
                        Finish::BiasRelu(b) => (product(i, j) + f64::from(b[j])).max(0.0),
                    };
                    let error = (f64::from(got) - expected).abs();
                    assert!(
                        error < 1e-5 * (1.0 + k as f64),
                        "{isa:?} ({i}, {j}): {got}, {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn long_inner_dimension() {
        check(70, 100, 768, false, false);
        check(3, 5, 1100, true, true);
        check(4, 3, 0, false, false);
        check(1, 128, 0, false, false);
        check(3, 128, 700, false, false);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_sizes(m in 1usize..60, n in 1usize..150, k in 1usize..40, t in 0..4) {
            check(m, n, k, t & 1 == 1, t & 2 == 2);
        }
    }
}
