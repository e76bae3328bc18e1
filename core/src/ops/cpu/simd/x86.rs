//! AVX2 with FMA (8 lanes, 16 registers) and AVX-512 (16 lanes, 32 registers).

use std::arch::x86_64::*;

use super::{Kernel, Simd};

/// Whether the processor runs [`run_avx2`].
#[inline]
pub(super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Whether the processor runs [`run_avx512`].
#[inline]
pub(super) fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// # Safety
/// [`has_avx2`].
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// # Safety
/// [`has_avx512`].
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

/// The token of AVX2 with FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// The token of AVX-512.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

/// An operation of one instruction.
macro_rules! op {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty = $e:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: $ty),*) -> $out {
            // SAFETY: the token exists only where the processor has the instructions.
            unsafe { $e }
        }
    )*};
}

/// An operation of one instruction on memory.
macro_rules! memory_op {
    ($($name:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)? = $e:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name(self, $($arg: $ty),*) $(-> $out)? {
            // SAFETY: the token exists only where the processor has the instructions; the memory
            // is valid by the trait's contract.
            unsafe { $e }
        }
    )*};
}

/// The mask of the first n of 8 lanes is the eight numbers that start at 8 − n.
static HEAD_8: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The mask of the first n of 16 lanes.
#[inline(always)]
fn head_16(n: usize) -> __mmask16 {
    debug_assert!(n <= 16);
    ((1u32 << n) - 1) as __mmask16
}

impl Simd for Avx2 {
    type F = __m256;
    type I = __m256i;
    type M = __m256;
    const LANES: usize = 8;
    const SUMS: usize = 12;

    op! {
        splat(x: f32) -> __m256 = _mm256_set1_ps(x);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        mul_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        gt(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_GT_OQ>(a, b);
        select(m: __m256, a: __m256, b: __m256) -> __m256 = _mm256_blendv_ps(b, a, m);
        splat_i(x: u8) -> __m256i = _mm256_set1_epi32(i32::from(x));
        eq_i(a: __m256i, b: __m256i) -> __m256 = _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
        select_i(m: __m256, a: __m256i, b: __m256i) -> __m256i =
            _mm256_blendv_epi8(b, a, _mm256_castps_si256(m));
    }

    memory_op! {
        load(p: *const f32) -> __m256 = _mm256_loadu_ps(p);
        store(p: *mut f32, a: __m256) = _mm256_storeu_ps(p, a);
        load_head(p: *const f32, n: usize) -> __m256 = _mm256_maskload_ps(p, _mm256_loadu_si256(HEAD_8[8 - n..].as_ptr().cast()));
        store_head(p: *mut f32, n: usize, a: __m256) = _mm256_maskstore_ps(p, _mm256_loadu_si256(HEAD_8[8 - n..].as_ptr().cast()), a);
        load_u8(p: *const u8) -> __m256i = _mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast()));
        store_u8(p: *mut u8, a: __m256i) = {
            let words = _mm_packus_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256::<1>(a));
            _mm_storel_epi64(p.cast(), _mm_packus_epi16(words, words));
        };
        lookup4(table: *const f32, i: __m256i) -> __m256 =
            _mm256_permutevar_ps(_mm256_broadcast_ps(&*table.cast()), i);
    }
}

impl Simd for Avx512 {
    type F = __m512;
    type I = __m512i;
    type M = __mmask16;
    const LANES: usize = 16;
    const SUMS: usize = 24;

    op! {
        splat(x: f32) -> __m512 = _mm512_set1_ps(x);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        mul_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        gt(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b);
        select(m: __mmask16, a: __m512, b: __m512) -> __m512 = _mm512_mask_blend_ps(m, b, a);
        splat_i(x: u8) -> __m512i = _mm512_set1_epi32(i32::from(x));
        eq_i(a: __m512i, b: __m512i) -> __mmask16 = _mm512_cmpeq_epi32_mask(a, b);
        select_i(m: __mmask16, a: __m512i, b: __m512i) -> __m512i =
            _mm512_mask_blend_epi32(m, b, a);
    }

    memory_op! {
        load(p: *const f32) -> __m512 = _mm512_loadu_ps(p);
        store(p: *mut f32, a: __m512) = _mm512_storeu_ps(p, a);
        load_head(p: *const f32, n: usize) -> __m512 = _mm512_maskz_loadu_ps(head_16(n), p);
        store_head(p: *mut f32, n: usize, a: __m512) = _mm512_mask_storeu_ps(p, head_16(n), a);
        load_u8(p: *const u8) -> __m512i = _mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast()));
        store_u8(p: *mut u8, a: __m512i) = _mm_storeu_si128(p.cast(), _mm512_cvtepi32_epi8(a));
        lookup4(table: *const f32, i: __m512i) -> __m512 =
            _mm512_permutevar_ps(_mm512_broadcast_f32x4(_mm_loadu_ps(table)), i);
    }
}
