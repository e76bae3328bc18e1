//! One register of numbers, as wide as the processor's, and the choice of processor.
//!
//! A kernel is written once over [`Simd`] and compiled for every [`Isa`]; [`Isa::best`] looks at
//! the processor when the program runs. The trait is our own, thirty one-line operations over
//! `std::arch`, and not the `pulp` crate's, for two reasons: the backward pass of max pooling
//! wants a look-up in a table of four by a lane's own index ([`Simd::lookup4`], one instruction
//! on every target, which replaces four multiplications by one), and register tiles want their size
//! as a constant ([`Simd::SUMS`]). The portable version is arrays of four,
//! which the compiler turns into SSE, NEON or WASM SIMD where the build allows them.
//!
//! Every function between [`Isa::run`] and the operations must be `#[inline(always)]`: instruction
//! sets are a property of the function that code is inlined into, and closures do not inherit it.

// The one that every processor of the target has.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[path = "portable.rs"]
mod base;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[path = "wasm.rs"]
mod base;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

use crate::{Error, Result};

/// Operations on one register of `f32`, and on as many small integers.
///
/// Implementations are tokens: a value exists only where the processor has the instructions.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// `LANES` numbers.
    type F: Copy;
    /// `LANES` integers, used as indices below 256.
    type I: Copy;
    /// `LANES` truth values.
    type M: Copy;
    /// Numbers in a register.
    const LANES: usize;
    /// Sums that a tile keeps in registers, beside its factors: 24, 12 or 8. More spill to memory.
    const SUMS: usize;

    /// `x` in every lane.
    fn splat(self, x: f32) -> Self::F;
    /// Reads `LANES` numbers.
    ///
    /// # Safety
    /// `p` is valid for reading `LANES` numbers.
    unsafe fn load(self, p: *const f32) -> Self::F;
    /// Writes `LANES` numbers.
    ///
    /// # Safety
    /// `p` is valid for writing `LANES` numbers.
    unsafe fn store(self, p: *mut f32, a: Self::F);
    /// Reads `n ≤ LANES` numbers, zeros in the other lanes.
    ///
    /// # Safety
    /// `p` is valid for reading `n` numbers.
    unsafe fn load_head(self, p: *const f32, n: usize) -> Self::F;
    /// Writes the first `n ≤ LANES` numbers.
    ///
    /// # Safety
    /// `p` is valid for writing `n` numbers.
    unsafe fn store_head(self, p: *mut f32, n: usize, a: Self::F);

    /// `a + b`
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a − b`
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a · b`
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a · b + c`, rounded once where the processor can.
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The greater one; `b` where either is NaN.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a > b`
    fn gt(self, a: Self::F, b: Self::F) -> Self::M;
    /// `a` where `m`, else `b`.
    fn select(self, m: Self::M, a: Self::F, b: Self::F) -> Self::F;

    /// `x` in every lane.
    fn splat_i(self, x: u8) -> Self::I;
    /// Reads `LANES` bytes.
    ///
    /// # Safety
    /// `p` is valid for reading `LANES` bytes.
    unsafe fn load_u8(self, p: *const u8) -> Self::I;
    /// Writes `LANES` bytes.
    ///
    /// # Safety
    /// `p` is valid for writing `LANES` bytes.
    unsafe fn store_u8(self, p: *mut u8, a: Self::I);
    /// Writes the first `n ≤ LANES` bytes.
    ///
    /// # Safety
    /// `p` is valid for writing `n` bytes.
    #[inline(always)]
    unsafe fn store_u8_head(self, p: *mut u8, n: usize, a: Self::I) {
        let mut bytes = [0; 64];
        assert!(n <= Self::LANES && Self::LANES <= bytes.len());
        // SAFETY: `bytes` holds LANES bytes, of which n are copied.
        unsafe {
            self.store_u8(bytes.as_mut_ptr(), a);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), p, n);
        }
    }
    /// `a = b`
    fn eq_i(self, a: Self::I, b: Self::I) -> Self::M;
    /// `a` where `m`, else `b`.
    fn select_i(self, m: Self::M, a: Self::I, b: Self::I) -> Self::I;
    /// In each lane the table's entry at the lane's index modulo 4.
    ///
    /// # Safety
    /// `table` is valid for reading four numbers.
    unsafe fn lookup4(self, table: *const f32, i: Self::I) -> Self::F;

    /// [`Simd::LANES`], for loops over lanes: a number that the compiler does not know where it
    /// would otherwise unroll them into more than the registers hold.
    #[inline(always)]
    fn lanes(self) -> usize {
        Self::LANES
    }
    /// Zero in every lane.
    #[inline(always)]
    fn zero(self) -> Self::F {
        self.splat(0.0)
    }
}

/// A piece of work that is compiled for every instruction set.
pub(crate) trait Kernel {
    /// What the work returns.
    type Output;
    /// Does the work; must be `#[inline(always)]`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

impl Level {
    const ALL: &[Self] = &[
        Self::Base,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
    ];
}

/// An instruction set that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// What every processor of the target has.
    Base,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Names the instruction set to use instead of the widest.
const VARIABLE: &str = "TRANSDUCT_SIMD";

static CHOICE: OnceLock<Isa> = OnceLock::new();

impl Isa {
    /// The one that [`VARIABLE`] names, else the widest. A name that [`Isa::checked`] would refuse
    /// means the widest too.
    #[inline]
    pub(crate) fn best() -> Self {
        *CHOICE.get_or_init(|| {
            let named = std::env::var(VARIABLE).ok().and_then(|name| Self::named(&name));
            named.unwrap_or_else(Self::widest)
        })
    }

    /// What [`Isa::best`] gives, unless [`VARIABLE`] names none that this processor has.
    pub(crate) fn checked() -> Result<Self> {
        match std::env::var_os(VARIABLE) {
            Some(name) if name.to_str().and_then(Self::named).is_none() => {
                let names: Vec<_> = Self::available().map(|isa| isa.name()).collect();
                let expected = format!("one of {}, which this processor has", names.join(", "));
                Err(Error::config("environment", VARIABLE, name.display(), &expected))
            }
            _ => Ok(Self::best()),
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::available().find(|isa| isa.name() == name)
    }

    fn widest() -> Self {
        Self::available().last().unwrap_or(Self(Level::Base))
    }

    /// All that this processor has, the widest last.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        // The standard library asks the processor once and remembers.
        let has = |level: &Level| match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => x86::has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => x86::has_avx512(),
            Level::Base => true,
        };
        Level::ALL.iter().copied().filter(has).map(Self)
    }

    /// For messages and records.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Level::Base => base::NAME,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }

    /// Numbers in a register.
    pub(crate) fn lanes(self) -> usize {
        struct Lanes;

        impl Kernel for Lanes {
            type Output = usize;

            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> usize {
                S::LANES
            }
        }

        self.run(Lanes)
    }

    /// Runs the version of `kernel` for this instruction set.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Level::Base => run_apart(kernel, base::Base),
            // SAFETY: a value of this level is made only where the processor has the instructions.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::run_avx2(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { x86::run_avx512(kernel) },
        }
    }
}

/// Runs `kernel` in a function of its own, as those of x86-64 have one: several in one function, each
/// inlined to the last operation, are more than compilers treat well.
#[inline(never)]
fn run_apart<K: Kernel, S: Simd>(kernel: K, simd: S) -> K::Output {
    kernel.run(simd)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs every operation on `a`, `b`, `c` and compares with the same done lane by lane.
    struct Compare {
        a: Vec<f32>,
        b: Vec<f32>,
        c: Vec<f32>,
        codes: Vec<u8>,
    }

    impl Kernel for Compare {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let n = S::LANES;
            assert!(n <= self.a.len());
            let get = |x: S::F| {
                let mut out = vec![0.0; n];
                // SAFETY: `out` holds LANES numbers.
                unsafe { s.store(out.as_mut_ptr(), x) };
                out
            };
            let each = |f: &dyn Fn(usize) -> f32| (0..n).map(f).collect::<Vec<_>>();
            let (a, b, c) = (&self.a, &self.b, &self.c);
            // SAFETY: each array holds at least LANES elements.
            let (va, vb, vc, vi) = unsafe {
                (
                    s.load(a.as_ptr()),
                    s.load(b.as_ptr()),
                    s.load(c.as_ptr()),
                    s.load_u8(self.codes.as_ptr()),
                )
            };
            assert_eq!(get(s.add(va, vb)), each(&|i| a[i] + b[i]));
            assert_eq!(get(s.sub(va, vb)), each(&|i| a[i] - b[i]));
            assert_eq!(get(s.mul(va, vb)), each(&|i| a[i] * b[i]));
            assert_eq!(get(s.max(va, vb)), each(&|i| a[i].max(b[i])));
            for (x, y) in get(s.mul_add(va, vb, vc)).iter().zip(each(&|i| a[i] * b[i] + c[i])) {
                approx::assert_abs_diff_eq!(*x, y, epsilon = 1e-5);
            }
            let m = s.gt(va, vb);
            assert_eq!(get(s.select(m, va, vc)), each(&|i| if a[i] > b[i] { a[i] } else { c[i] }));
            let nan = get(s.max(s.zero(), s.splat(f32::NAN)));
            assert!(nan.iter().all(|x| x.is_nan()), "a NaN in the second operand must stay");

            let two = s.eq_i(vi, s.splat_i(2));
            let mut codes = vec![0u8; n];
            // SAFETY: `codes` holds LANES bytes.
            unsafe { s.store_u8(codes.as_mut_ptr(), s.select_i(two, s.splat_i(9), vi)) };
            let want = self.codes[..n].iter().map(|&k| if k == 2 { 9 } else { k });
            assert_eq!(codes, want.collect::<Vec<_>>());
            for k in 0..=n {
                let mut head = vec![7; n];
                // SAFETY: `head` holds at least k bytes.
                unsafe { s.store_u8_head(head.as_mut_ptr(), k, vi) };
                assert_eq!((&head[..k], &head[k..]), (&self.codes[..k], &vec![7; n - k][..]));
            }
            // SAFETY: `a` holds at least four numbers.
            let found = unsafe { s.lookup4(a.as_ptr(), vi) };
            assert_eq!(get(found), each(&|i| a[self.codes[i] as usize % 4]));

            for k in 0..=n {
                let mut out = vec![7.0; n];
                // SAFETY: `a` and `out` hold at least k numbers.
                unsafe { s.store_head(out.as_mut_ptr(), k, va) };
                assert_eq!(out, each(&|i| if i < k { a[i] } else { 7.0 }));
                // SAFETY: as above.
                let head = unsafe { s.load_head(a[..k].as_ptr(), k) };
                assert_eq!(get(head), each(&|i| if i < k { a[i] } else { 0.0 }));
            }
        }
    }

    #[test]
    fn operations_equal_scalar_arithmetic_on_every_instruction_set() {
        for isa in Isa::available() {
            let a = (0..16).map(|i| ((i * 7 + 3) % 16) as f32 - 7.5).collect();
            let b = (0..16).map(|i| ((i * 5 + 1) % 16) as f32 - 6.25).collect();
            let c = (0..16).map(|i| i as f32 * 0.125).collect();
            isa.run(Compare { a, b, c, codes: (0..16).map(|i| (i * 3 % 5) as u8).collect() });
        }
    }

    #[test]
    fn names_are_those_of_the_available() {
        for isa in Isa::available() {
            assert_eq!(Isa::named(isa.name()), Some(isa));
        }
        assert_eq!(Isa::named("sse9"), None);
        assert_eq!(Isa::available().last(), Some(Isa::widest()));
    }
}
