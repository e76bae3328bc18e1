//! Arrays of four, for every processor.

use super::Simd;

/// The name of the instruction set.
pub(super) const NAME: &str = "portable";

const N: usize = 4;

/// The token of the portable version.
#[derive(Clone, Copy)]
pub(super) struct Base;

#[inline(always)]
fn map2(a: [f32; N], b: [f32; N], f: impl Fn(f32, f32) -> f32) -> [f32; N] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Simd for Base {
    type F = [f32; N];
    type I = [u8; N];
    type M = [bool; N];
    const LANES: usize = N;
    const SUMS: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; N] {
        [x; N]
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> [f32; N] {
        // SAFETY: by the trait's contract; an array has the alignment of its elements.
        unsafe { p.cast::<[f32; N]>().read() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, a: [f32; N]) {
        // SAFETY: as in `load`.
        unsafe { p.cast::<[f32; N]>().write(a) }
    }
    #[inline(always)]
    unsafe fn load_head(self, p: *const f32, n: usize) -> [f32; N] {
        // SAFETY: reads only the first n, which the contract allows.
        std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_head(self, p: *mut f32, n: usize, a: [f32; N]) {
        for (i, x) in a.into_iter().enumerate().take(n) {
            // SAFETY: writes only the first n, which the contract allows.
            unsafe { *p.add(i) = x }
        }
    }

    #[inline(always)]
    fn add(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        map2(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        map2(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        map2(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; N], b: [f32; N], c: [f32; N]) -> [f32; N] {
        // Without the instruction `f32::mul_add` is a slow library call.
        if cfg!(target_arch = "aarch64") {
            std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            std::array::from_fn(|i| a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    fn max(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        map2(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn gt(self, a: [f32; N], b: [f32; N]) -> [bool; N] {
        std::array::from_fn(|i| a[i] > b[i])
    }
    #[inline(always)]
    fn select(self, m: [bool; N], a: [f32; N], b: [f32; N]) -> [f32; N] {
        std::array::from_fn(|i| if m[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn splat_i(self, x: u8) -> [u8; N] {
        [x; N]
    }
    #[inline(always)]
    unsafe fn load_u8(self, p: *const u8) -> [u8; N] {
        // SAFETY: by the trait's contract.
        unsafe { p.cast::<[u8; N]>().read() }
    }
    #[inline(always)]
    unsafe fn store_u8(self, p: *mut u8, a: [u8; N]) {
        // SAFETY: by the trait's contract.
        unsafe { p.cast::<[u8; N]>().write(a) }
    }
    #[inline(always)]
    fn eq_i(self, a: [u8; N], b: [u8; N]) -> [bool; N] {
        std::array::from_fn(|i| a[i] == b[i])
    }
    #[inline(always)]
    fn select_i(self, m: [bool; N], a: [u8; N], b: [u8; N]) -> [u8; N] {
        std::array::from_fn(|i| if m[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn lookup4(self, table: *const f32, i: [u8; N]) -> [f32; N] {
        // SAFETY: indices are below 4, and the contract allows reading four numbers.
        i.map(|i| unsafe { *table.add(usize::from(i % 4)) })
    }
}
