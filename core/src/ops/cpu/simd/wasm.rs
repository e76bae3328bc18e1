//! WebAssembly's vectors of 128 bits, in builds with the feature `simd128`: a module cannot ask its
//! engine what it has, so the page picks the build.
//!
//! With the feature `relaxed-simd` too, `a · b + c` is one instruction, which engines round once where
//! the processor can and twice where it cannot: the same module computes the same numbers on one machine,
//! not on all. Without, it computes the same on all.

use std::arch::wasm32::*;

use super::Simd;

/// The name of the instruction set.
pub(super) const NAME: &str =
    if cfg!(target_feature = "relaxed-simd") { "relaxed-simd" } else { "simd128" };

/// The token of WebAssembly's SIMD.
#[derive(Clone, Copy)]
pub(super) struct Base;

/// The first `n < 4` numbers. A call: it is rare, and a page wants little code.
///
/// # Safety
/// `p` is valid for reading `n` numbers.
#[inline(never)]
unsafe fn load_part(p: *const f32, n: usize) -> v128 {
    // SAFETY: reads only the first n.
    unsafe {
        match n {
            0 => f32x4_splat(0.0),
            1 => v128_load32_zero(p.cast()),
            2 => v128_load64_zero(p.cast()),
            _ => v128_load32_lane::<2>(v128_load64_zero(p.cast()), p.add(2).cast()),
        }
    }
}

/// Writes the first `n < 4` numbers; see [`load_part`].
///
/// # Safety
/// `p` is valid for writing `n` numbers.
#[inline(never)]
unsafe fn store_part(p: *mut f32, n: usize, a: v128) {
    // SAFETY: writes only the first n.
    unsafe {
        match n {
            0 => {}
            1 => v128_store32_lane::<0>(a, p.cast()),
            2 => v128_store64_lane::<0>(a, p.cast()),
            _ => {
                v128_store64_lane::<0>(a, p.cast());
                v128_store32_lane::<2>(a, p.add(2).cast());
            }
        }
    }
}

/// Writes the first `n < 4` bytes; see [`load_part`].
///
/// # Safety
/// `p` is valid for writing `n` bytes.
#[inline(never)]
unsafe fn store_u8_part(p: *mut u8, n: usize, a: v128) {
    let mut bytes = [0; 4];
    // SAFETY: `bytes` holds four, of which n are copied.
    unsafe {
        Base.store_u8(bytes.as_mut_ptr(), a);
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), p, n);
    }
}

impl Simd for Base {
    type F = v128;
    type I = v128;
    type M = v128;
    const LANES: usize = 4;
    /// Engines translate to the 16 registers of x86-64, of which V8 keeps one, and a product that is
    /// not fused with its sum needs one more.
    const SUMS: usize = 8;

    #[inline(always)]
    fn lanes(self) -> usize {
        std::hint::black_box(Self::LANES)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> v128 {
        f32x4_splat(x)
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> v128 {
        // SAFETY: by the trait's contract; no alignment is asked for.
        unsafe { v128_load(p.cast()) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, a: v128) {
        // SAFETY: as in `load`.
        unsafe { v128_store(p.cast(), a) }
    }
    #[inline(always)]
    unsafe fn load_head(self, p: *const f32, n: usize) -> v128 {
        // SAFETY: by the trait's contract.
        unsafe { if n == 4 { self.load(p) } else { load_part(p, n) } }
    }
    #[inline(always)]
    unsafe fn store_head(self, p: *mut f32, n: usize, a: v128) {
        // SAFETY: by the trait's contract.
        unsafe { if n == 4 { self.store(p, a) } else { store_part(p, n, a) } }
    }

    #[inline(always)]
    fn add(self, a: v128, b: v128) -> v128 {
        f32x4_add(a, b)
    }
    #[inline(always)]
    fn sub(self, a: v128, b: v128) -> v128 {
        f32x4_sub(a, b)
    }
    #[inline(always)]
    fn mul(self, a: v128, b: v128) -> v128 {
        f32x4_mul(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: v128, b: v128, c: v128) -> v128 {
        #[cfg(target_feature = "relaxed-simd")]
        let sum = f32x4_relaxed_madd(a, b, c);
        #[cfg(not(target_feature = "relaxed-simd"))]
        let sum = f32x4_add(f32x4_mul(a, b), c);
        sum
    }
    #[inline(always)]
    fn max(self, a: v128, b: v128) -> v128 {
        // `a` where `a > b`, else `b`: one instruction of x86-64, unlike `f32x4_max`.
        f32x4_pmax(b, a)
    }
    #[inline(always)]
    fn gt(self, a: v128, b: v128) -> v128 {
        f32x4_gt(a, b)
    }
    #[inline(always)]
    fn select(self, m: v128, a: v128, b: v128) -> v128 {
        v128_bitselect(a, b, m)
    }
    #[inline(always)]
    fn splat_i(self, x: u8) -> v128 {
        i32x4_splat(i32::from(x))
    }
    #[inline(always)]
    unsafe fn load_u8(self, p: *const u8) -> v128 {
        // SAFETY: by the trait's contract.
        let bytes = unsafe { v128_load32_zero(p.cast()) };
        u32x4_extend_low_u16x8(u16x8_extend_low_u8x16(bytes))
    }
    #[inline(always)]
    unsafe fn store_u8(self, p: *mut u8, a: v128) {
        // Narrowing instructions would clamp first.
        let bytes = i8x16_shuffle::<0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>(a, a);
        // SAFETY: by the trait's contract.
        unsafe { v128_store32_lane::<0>(bytes, p.cast()) }
    }
    #[inline(always)]
    unsafe fn store_u8_head(self, p: *mut u8, n: usize, a: v128) {
        // SAFETY: by the trait's contract.
        unsafe { if n == 4 { self.store_u8(p, a) } else { store_u8_part(p, n, a) } }
    }
    #[inline(always)]
    fn eq_i(self, a: v128, b: v128) -> v128 {
        i32x4_eq(a, b)
    }
    #[inline(always)]
    fn select_i(self, m: v128, a: v128, b: v128) -> v128 {
        v128_bitselect(a, b, m)
    }
    #[inline(always)]
    unsafe fn lookup4(self, table: *const f32, i: v128) -> v128 {
        // Where the four bytes of entry i of the table lie.
        let first = i32x4_mul(v128_and(i, i32x4_splat(3)), i32x4_splat(0x0404_0404));
        let bytes = i32x4_add(first, i32x4_splat(0x0302_0100));
        // SAFETY: by the trait's contract.
        i8x16_swizzle(unsafe { self.load(table) }, bytes)
    }
}
