//! The transforms, one instruction after another.

use std::{array::from_fn, mem::MaybeUninit};

use crate::ops::cpu::simd::Simd;

/// A linear map of `N` numbers to `M`. A type, not a function: code that is called through `Fn`
/// would lose the instruction set.
pub(super) trait Transform<const N: usize, const M: usize> {
    fn apply<S: Simd>(s: S, x: [S::F; N]) -> [S::F; M];
}

/// Transforms columns, then rows: `N` × `N` numbers to `M` × `M`.
#[inline(always)]
pub(super) fn twice<S: Simd, T: Transform<N, M>, const N: usize, const M: usize>(
    s: S,
    _: T,
    load: impl Fn(usize, usize) -> S::F,
    mut store: impl FnMut(usize, usize, S::F),
) {
    // By column. Not filled with zeros first: that is a call for each of many small tiles.
    let mut half = [const { MaybeUninit::uninit() }; N];
    for (j, half) in half.iter_mut().enumerate() {
        half.write(T::apply(s, from_fn(|i| load(i, j))));
    }
    for i in 0..M {
        // SAFETY: every column was just written.
        let row = from_fn(|j| unsafe { half[j].assume_init_ref() }[i]);
        for (j, v) in T::apply(s, row).into_iter().enumerate() {
            store(i, j, v);
        }
    }
}

/// `c x + y`
#[inline(always)]
fn scaled<S: Simd>(s: S, c: f32, x: S::F, y: S::F) -> S::F {
    s.mul_add(s.splat(c), x, y)
}

/// `(even + odd, even − odd)`: values at a point and at its negative.
#[inline(always)]
fn pair<S: Simd>(s: S, even: S::F, odd: S::F) -> [S::F; 2] {
    [s.add(even, odd), s.sub(even, odd)]
}

/// `Bᵀ d`: row i holds the coefficients of Π_{l≠i} (x − a_l).
pub(super) struct BTransposed;

impl Transform<8, 8> for BTransposed {
    #[inline(always)]
    fn apply<S: Simd>(s: S, d: [S::F; 8]) -> [S::F; 8] {
        let v0 = scaled(s, 5.25, s.sub(d[4], d[2]), s.sub(d[0], d[6]));
        let v7 = scaled(s, 5.25, s.sub(d[3], d[5]), s.sub(d[7], d[1]));
        let even = scaled(s, -4.25, d[4], s.add(d[6], d[2]));
        let [v1, v2] = pair(s, even, scaled(s, -4.25, d[3], s.add(d[5], d[1])));
        let even = scaled(s, 0.25, d[2], scaled(s, -1.25, d[4], d[6]));
        let odd = scaled(s, 0.5, d[1], scaled(s, -2.5, d[3], s.add(d[5], d[5])));
        let [v3, v4] = pair(s, even, odd);
        let even = scaled(s, 4.0, d[2], scaled(s, -5.0, d[4], d[6]));
        let odd = scaled(s, 0.5, d[5], scaled(s, -2.5, d[3], s.add(d[1], d[1])));
        let [v5, v6] = pair(s, even, odd);
        [v0, v1, v2, v3, v4, v5, v6, v7]
    }
}

/// `B v`
pub(super) struct B;

impl Transform<8, 8> for B {
    #[inline(always)]
    fn apply<S: Simd>(s: S, v: [S::F; 8]) -> [S::F; 8] {
        let [p1, q1] = pair(s, v[1], v[2]);
        let [p2, q2] = pair(s, v[3], v[4]);
        let [p3, q3] = pair(s, v[5], v[6]);
        let (q12, q13) = (scaled(s, 0.5, q2, q1), scaled(s, 2.0, q2, q1));
        let d2 = scaled(s, -5.25, v[0], scaled(s, 0.25, p2, p1));
        let d3 = scaled(s, 5.25, v[7], s.mul(s.splat(-4.25), q1));
        let d4 = scaled(s, -4.25, p1, scaled(s, -1.25, p2, s.mul(s.splat(5.25), v[0])));
        [
            v[0],
            s.sub(scaled(s, 2.0, q3, q12), v[7]),
            scaled(s, 4.0, p3, d2),
            scaled(s, -2.5, s.add(q2, q3), d3),
            scaled(s, -5.0, p3, d4),
            scaled(s, -5.25, v[7], scaled(s, 0.5, q3, q13)),
            s.add(s.sub(p1, v[0]), s.add(p2, p3)),
            v[7],
        ]
    }
}

/// `Aᵀ m`: row k holds the k-th powers of the points.
pub(super) struct ATransposed;

impl Transform<8, 4> for ATransposed {
    #[inline(always)]
    fn apply<S: Simd>(s: S, m: [S::F; 8]) -> [S::F; 4] {
        let [p1, q1] = pair(s, m[1], m[2]);
        let [p2, q2] = pair(s, m[3], m[4]);
        let [p3, q3] = pair(s, m[5], m[6]);
        [
            s.add(s.add(m[0], p1), s.add(p2, p3)),
            scaled(s, 2.0, q2, scaled(s, 0.5, q3, q1)),
            scaled(s, 4.0, p2, scaled(s, 0.25, p3, p1)),
            s.add(scaled(s, 8.0, q2, scaled(s, 0.125, q3, q1)), m[7]),
        ]
    }
}

/// `A y`
pub(super) struct A;

impl Transform<4, 8> for A {
    #[inline(always)]
    fn apply<S: Simd>(s: S, y: [S::F; 4]) -> [S::F; 8] {
        let twice = s.add(y[1], y[1]);
        let half = s.mul(s.splat(0.5), y[1]);
        let [m1, m2] = pair(s, s.add(y[0], y[2]), s.add(y[1], y[3]));
        let [m3, m4] = pair(s, scaled(s, 4.0, y[2], y[0]), scaled(s, 8.0, y[3], twice));
        let [m5, m6] = pair(s, scaled(s, 0.25, y[2], y[0]), scaled(s, 0.125, y[3], half));
        [y[0], m1, m2, m3, m4, m5, m6, y[3]]
    }
}

/// `G g`: row i holds the powers of point i over Π_{l≠i} (a_i − a_l).
pub(super) struct G;

impl Transform<5, 8> for G {
    #[inline(always)]
    fn apply<S: Simd>(s: S, g: [S::F; 5]) -> [S::F; 8] {
        let [u1, u2] = powers(s, 1.0, -2.0 / 9.0, g);
        let [u3, u4] = powers(s, 2.0, 1.0 / 90.0, g);
        let [u5, u6] = powers(s, 0.5, 32.0 / 45.0, g);
        [g[0], u1, u2, u3, u4, u5, u6, g[4]]
    }
}

/// `c Σ_j g_j x^j` at x and at −x.
#[inline(always)]
fn powers<S: Simd>(s: S, x: f32, c: f32, g: [S::F; 5]) -> [S::F; 2] {
    let even = scaled(s, c * x.powi(4), g[4], s.mul(s.splat(c), g[0]));
    let odd = scaled(s, c * x.powi(3), g[3], s.mul(s.splat(c * x), g[1]));
    pair(s, scaled(s, c * x * x, g[2], even), odd)
}
