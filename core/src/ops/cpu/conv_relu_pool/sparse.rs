//! What both gradients of the block are made of: sums of rows that a short list names.

use super::{DEAD, Dims};
use crate::ops::cpu::{
    buffer::{Buffer, Element},
    simd::Simd,
};

/// One term of a sum: `scale` times the numbers from `at` on.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Term {
    pub(super) at: u32,
    pub(super) scale: f32,
}

// SAFETY: two numbers without padding.
unsafe impl Element for Term {}

/// Lists of terms, all of the same capacity.
pub(super) struct Lists {
    terms: Buffer<Term>,
    lengths: Vec<u32>,
    capacity: usize,
}

impl Lists {
    pub(super) fn new(lists: usize, capacity: usize) -> Self {
        Self { terms: Buffer::new(lists * capacity), lengths: vec![0; lists], capacity }
    }

    /// The terms of list `i`.
    #[inline(always)]
    pub(super) fn get(&self, i: usize) -> &[Term] {
        &self.terms[i * self.capacity..][..self.lengths[i] as usize]
    }

    /// Empties all lists.
    pub(super) fn clear(&mut self) {
        self.lengths.fill(0);
    }

    /// Adds to the lists, one for every output channel, where the patches of its gradients start
    /// in a sample of the input that lies from `sample` on.
    #[inline(always)]
    pub(super) fn by_channel(&mut self, d: &Dims, sample: usize, codes: &[u8], dy: &[f32]) {
        assert!(self.lengths.len() == d.c_out);
        let longest = self.lengths.iter().max().map_or(0, |length| *length as usize);
        assert!(longest + d.ph() * d.pw() <= self.capacity);
        assert!(codes.len() == d.output() && dy.len() == d.output());
        let starts = [0, 1, 2, 3, 0].map(|code| d.patch(0, 0, code) as u32);
        for py in 0..d.ph() {
            for px in 0..d.pw() {
                let window = (sample + d.patch(py, px, 0)) as u32;
                let at = (py * d.pw() + px) * d.c_out;
                let (codes, dy) = (&codes[at..][..d.c_out], &dy[at..][..d.c_out]);
                for (c, length) in self.lengths.iter_mut().enumerate() {
                    let code = codes[c].min(DEAD);
                    let term = Term { at: window + starts[code as usize], scale: dy[c] };
                    // Written in any case, counted if alive: a branch would be mispredicted.
                    // SAFETY: a list grows by at most one in each of ph · pw rounds, for which it
                    // has room.
                    unsafe {
                        let terms = self.terms.as_mut_ptr();
                        *terms.add(c * self.capacity + *length as usize) = term;
                    }
                    *length += u32::from(code < DEAD);
                }
            }
        }
    }

    /// Lists, for the four positions of a pooling window, the channels that it won and their
    /// gradients: `at` is the channel times `stride`.
    #[inline(always)]
    pub(super) fn by_position(&mut self, stride: usize, codes: &[u8], dy: &[f32]) {
        assert!(self.lengths.len() == 5 && self.capacity >= codes.len());
        let mut lengths = [0u32; 5];
        for (c, (&code, &scale)) in codes.iter().zip(dy).enumerate() {
            // The dead have a list of their own: a branch would be mispredicted.
            let code = code.min(DEAD) as usize;
            let term = Term { at: (c * stride) as u32, scale };
            // SAFETY: no list grows beyond the number of channels.
            unsafe {
                let terms = self.terms.as_mut_ptr();
                *terms.add(code * self.capacity + lengths[code] as usize) = term;
            }
            lengths[code] += 1;
        }
        self.lengths.copy_from_slice(&lengths);
    }
}

/// `to[r][j] += Σ_terms scale · from[at + r · from_row + j]` for `rows` rows of `registers`
/// registers each.
///
/// # Safety
/// `from` is valid at every term for `registers` registers of each row, `to` likewise.
#[inline(always)]
pub(super) unsafe fn accumulate<S: Simd>(
    s: S,
    (rows, registers): (usize, usize),
    terms: &[Term],
    (from, from_row): (*const f32, usize),
    (to, to_row): (*mut f32, usize),
) {
    let mut r = 0;
    while r < rows {
        let two = S::SUMS >= 24 && rows - r >= 2;
        let mut j = 0;
        while j < registers {
            // SAFETY: the tile lies within `rows` × `registers`.
            unsafe {
                let at = j * S::LANES;
                let from = (from.add(r * from_row + at), from_row);
                let to = (to.add(r * to_row + at), to_row);
                j += match (registers - j, two) {
                    (10.., true) => tile::<S, 2, 10>(s, terms, from, to),
                    (10.., false) => tile::<S, 1, 10>(s, terms, from, to),
                    (5.., true) => tile::<S, 2, 5>(s, terms, from, to),
                    (5.., false) => tile::<S, 1, 5>(s, terms, from, to),
                    (2.., true) => tile::<S, 2, 2>(s, terms, from, to),
                    (2.., false) => tile::<S, 1, 2>(s, terms, from, to),
                    (_, true) => tile::<S, 2, 1>(s, terms, from, to),
                    (_, false) => tile::<S, 1, 1>(s, terms, from, to),
                };
            }
        }
        r += 1 + usize::from(two);
    }
}

/// The sum in `R` × `J` registers; returns `J`.
#[inline(always)]
unsafe fn tile<S: Simd, const R: usize, const J: usize>(
    s: S,
    terms: &[Term],
    (from, from_row): (*const f32, usize),
    (to, to_row): (*mut f32, usize),
) -> usize {
    // SAFETY: by the contract of `accumulate`.
    unsafe {
        let mut sums: [[S::F; J]; R] = std::array::from_fn(|r| {
            std::array::from_fn(|j| s.load(to.add(r * to_row + j * S::LANES)))
        });
        for term in terms {
            let scale = s.splat(term.scale);
            let from = from.add(term.at as usize);
            for (r, sums) in sums.iter_mut().enumerate() {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = s.mul_add(scale, s.load(from.add(r * from_row + j * S::LANES)), *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                s.store(to.add(r * to_row + j * S::LANES), sum);
            }
        }
    }
    J
}
