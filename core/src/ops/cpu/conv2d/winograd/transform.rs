//! The transforms along one axis.

use super::super::super::simd::Simd;

/// `Bᵀ d`
#[inline(always)]
pub(super) fn b_1d<S: Simd>(s: S, d: [S::F; 6]) -> [S::F; 6] {
    let (four, minus_four) = (s.splat(4.0), s.splat(-4.0));
    let (minus_five, two) = (s.splat(-5.0), s.splat(2.0));
    let even = s.mul_add(minus_four, d[2], d[4]);
    let odd = s.mul_add(minus_four, d[1], d[3]);
    let outer = s.sub(d[4], d[2]);
    let inner = s.mul(two, s.sub(d[3], d[1]));
    [
        s.mul_add(four, d[0], s.mul_add(minus_five, d[2], d[4])),
        s.add(even, odd),
        s.sub(even, odd),
        s.add(outer, inner),
        s.sub(outer, inner),
        s.mul_add(four, d[1], s.mul_add(minus_five, d[3], d[5])),
    ]
}

/// `Aᵀ m`
#[inline(always)]
pub(super) fn a_1d<S: Simd>(s: S, m: [S::F; 6]) -> [S::F; 4] {
    let (a, b) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (c, d) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.add(s.add(m[0], a), c),
        s.mul_add(s.splat(2.0), d, b),
        s.mul_add(s.splat(4.0), c, a),
        s.add(s.mul_add(s.splat(8.0), d, b), m[5]),
    ]
}

/// `A y`
#[inline(always)]
pub(super) fn a_back_1d<S: Simd>(s: S, y: [S::F; 4]) -> [S::F; 6] {
    let (even, odd) = (s.add(y[0], y[2]), s.add(y[1], y[3]));
    let even_2 = s.mul_add(s.splat(4.0), y[2], y[0]);
    let odd_2 = s.mul_add(s.splat(8.0), y[3], s.add(y[1], y[1]));
    [y[0], s.add(even, odd), s.sub(even, odd), s.add(even_2, odd_2), s.sub(even_2, odd_2), y[3]]
}

/// `G g`
#[inline(always)]
pub(super) fn g_1d<S: Simd>(s: S, g: [S::F; 3]) -> [S::F; 6] {
    let sixth = s.splat(1.0 / 6.0);
    let outer = s.mul(s.splat(-1.0 / 6.0), s.add(g[0], g[2]));
    let inner = s.mul(sixth, g[1]);
    let outer_2 = s.mul_add(s.splat(1.0 / 24.0), g[0], s.mul(sixth, g[2]));
    let inner_2 = s.mul(s.splat(1.0 / 12.0), g[1]);
    [
        s.mul(s.splat(0.25), g[0]),
        s.sub(outer, inner),
        s.add(outer, inner),
        s.add(outer_2, inner_2),
        s.sub(outer_2, inner_2),
        g[2],
    ]
}

/// `Gᵀ m`
#[inline(always)]
pub(super) fn g_back_1d<S: Simd>(s: S, m: [S::F; 6]) -> [S::F; 3] {
    let sixth = s.splat(1.0 / 6.0);
    let (a, b) = (s.mul(sixth, s.add(m[1], m[2])), s.sub(m[2], m[1]));
    let (c, d) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.sub(s.mul_add(s.splat(0.25), m[0], s.mul(s.splat(1.0 / 24.0), c)), a),
        s.mul_add(s.splat(1.0 / 12.0), d, s.mul(sixth, b)),
        s.add(s.sub(s.mul(sixth, c), a), m[5]),
    ]
}
