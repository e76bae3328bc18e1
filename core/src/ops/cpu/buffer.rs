//! Buffers that outlive a training step: what an operation saves for its backward pass, and its
//! scratch.
//!
//! Fresh memory costs a page fault every 4 KiB, more than many kernels cost. A dropped [`Buffer`]
//! goes to a pool and the next one of like size takes it over. The pool is bounded by the program's
//! own demand: buffers in use and at rest together exceed the most that was ever in use at once by an
//! eighth at most, which lets small ones of one layer rest while another has its large ones.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A cache line, and the widest register: aligned loads never straddle two lines.
const ALIGN: usize = 64;

/// Element types for which every bit pattern is a value.
///
/// # Safety
/// Zero bytes, and the bytes of any other element type, are a value of this type.
pub(crate) unsafe trait Element: Copy {}
// SAFETY: every bit pattern is a number.
unsafe impl Element for f32 {}
// SAFETY: every bit pattern is a number.
unsafe impl Element for u8 {}

/// `len` elements at an address that is a multiple of 64; goes back to the pool when dropped.
pub(crate) struct Buffer<T: Element> {
    block: Block,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Element> Buffer<T> {
    /// A buffer of arbitrary content, to be overwritten.
    pub(crate) fn new(len: usize) -> Self {
        let block = pool().take((len * size_of::<T>()).next_multiple_of(ALIGN));
        Self { block, len, element: PhantomData }
    }

    /// A buffer of zeros.
    pub(crate) fn zeroed(len: usize) -> Self {
        let mut buffer = Self::new(len);
        // SAFETY: the block holds at least `len` elements, for which zero bytes are a value.
        unsafe { buffer.block.start.cast::<T>().write_bytes(0, len) };
        debug_assert_eq!(buffer.deref_mut().len(), len);
        buffer
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the block holds at least `len` elements, aligned to 64 bytes and initialised:
        // blocks are zero when made and only ever written as elements.
        unsafe { std::slice::from_raw_parts(self.block.start.cast().as_ptr(), self.len) }
    }
}

impl<T: Element> DerefMut for Buffer<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the buffer owns its block.
        unsafe { std::slice::from_raw_parts_mut(self.block.start.cast().as_ptr(), self.len) }
    }
}

impl<T: Element> Drop for Buffer<T> {
    fn drop(&mut self) {
        let block = std::mem::replace(&mut self.block, Block::EMPTY);
        pool().give(block);
    }
}

/// Memory from the allocator, of a fixed size.
struct Block {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a block is plain memory with one owner.
unsafe impl Send for Block {}
// SAFETY: a shared block is only read.
unsafe impl Sync for Block {}

impl Block {
    const EMPTY: Self = Self { start: NonNull::<Line>::dangling().cast(), bytes: 0 };

    fn new(bytes: usize) -> Self {
        if bytes == 0 {
            return Self::EMPTY;
        }
        let layout = Self::layout(bytes);
        // SAFETY: the layout's size is not zero.
        let Some(start) = NonNull::new(unsafe { alloc_zeroed(layout) }) else {
            handle_alloc_error(layout)
        };
        Self { start, bytes }
    }

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, ALIGN).expect("a buffer is smaller than the address space")
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: allocated with this layout in `new`.
            unsafe { dealloc(self.start.as_ptr(), Self::layout(self.bytes)) }
        }
    }
}

/// Gives an empty block its alignment.
#[repr(align(64))]
struct Line;

struct Pool {
    /// Blocks that nobody uses, the one that rests longest first.
    resting: Vec<Block>,
    /// Bytes in buffers that live.
    in_use: usize,
    /// The most bytes that were in use at once.
    most: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { resting: Vec::new(), in_use: 0, most: 0 });

fn pool() -> MutexGuard<'static, Pool> {
    // A panic elsewhere leaves the lists whole.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// A block of at least `bytes`, at most a quarter larger.
    fn take(&mut self, bytes: usize) -> Block {
        let fits = |block: &Block| block.bytes >= bytes && block.bytes <= bytes + bytes / 4;
        // The one that rests shortest is the likeliest to be in the processor's caches.
        let block = match self.resting.iter().rposition(fits) {
            Some(i) => self.resting.remove(i),
            None => Block::new(bytes),
        };
        self.in_use += block.bytes;
        self.most = self.most.max(self.in_use);
        self.shrink();
        block
    }

    fn give(&mut self, block: Block) {
        self.in_use -= block.bytes;
        if block.bytes > 0 {
            self.resting.push(block);
        }
    }

    fn bound(&self) -> usize {
        self.most + self.most / 8
    }

    /// Frees blocks until the pool keeps its bound.
    fn shrink(&mut self) {
        let mut resting: usize = self.resting.iter().map(|block| block.bytes).sum();
        let mut excess = 0;
        while self.in_use + resting > self.bound() {
            resting -= self.resting[excess].bytes;
            excess += 1;
        }
        self.resting.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Pool {
        Pool { resting: Vec::new(), in_use: 0, most: 0 }
    }

    #[test]
    fn buffers_are_aligned_and_hold_what_was_written() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let zeros = Buffer::<f32>::zeroed(len);
            assert_eq!(*zeros, vec![0.0; len]);
            assert_eq!(zeros.as_ptr().addr() % ALIGN, 0);
        }
    }

    #[test]
    fn a_block_of_like_size_is_used_again() {
        let mut pool = empty();
        let block = pool.take(1024);
        let start = block.start;
        pool.give(block);
        let again = pool.take(960);
        assert_eq!(again.start, start);
        pool.give(again);
        let small = pool.take(512);
        assert_ne!(small.start, start, "half the size would waste the rest");
        pool.give(small);
    }

    #[test]
    fn the_pool_hardly_exceeds_the_largest_demand() {
        let mut pool = empty();
        for bytes in [4096, 64, 8192, 1024, 2048, 8192, 64] {
            let block = pool.take(bytes);
            let resting: usize = pool.resting.iter().map(|b| b.bytes).sum();
            assert!(pool.in_use + resting <= pool.bound());
            pool.give(block);
        }
        assert_eq!(pool.most, 8192);
        assert_eq!(pool.in_use, 0);
    }

    #[test]
    fn layers_of_different_size_do_not_push_each_other_out() {
        let mut pool = empty();
        let weights = pool.take(4096);
        let mut layers = || {
            [&[192, 320][..], &[1024, 2048]].map(|sizes| {
                let blocks: Vec<_> = sizes.iter().map(|&bytes| pool.take(bytes)).collect();
                let starts: Vec<_> = blocks.iter().map(|block| block.start).collect();
                blocks.into_iter().for_each(|block| pool.give(block));
                starts
            })
        };
        let first = layers();
        assert_eq!(layers(), first);
        pool.give(weights);
    }
}
