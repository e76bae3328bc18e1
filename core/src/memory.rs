//! An allocator that keeps large blocks for the next step.
//!
//! A training step allocates the same tensors as the one before. The system takes large blocks back
//! when they are freed and hands them out again page by page, each page cleared by the kernel at
//! its first use: a quarter of the time of a step of ResNet-20. A program that trains declares
//! ```
//! #[global_allocator]
//! static ALLOCATOR: transduct_core::memory::Recycler = transduct_core::memory::Recycler::new();
//! ```
//! Small blocks are the system's business. Of large ones the allocator never holds more, in use and
//! at rest together, than the program once had in use.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes from which on a block is large: where the C library starts to map blocks one by one.
const LARGE: usize = 128 << 10;
/// Large blocks are this much aligned, so that any of them serves.
const ALIGN: usize = 64;
/// Blocks that can rest at once; more go back to the system.
const PLACES: usize = 512;

/// The system's allocator, with a shelf for large blocks.
#[derive(Debug)]
pub struct Recycler {
    shelf: Mutex<Shelf>,
}

impl Recycler {
    /// An allocator with nothing on its shelf.
    pub const fn new() -> Self {
        let shelf = Shelf { blocks: [Block::NONE; PLACES], count: 0, resting: 0, used: 0, most: 0 };
        Self { shelf: Mutex::new(shelf) }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // A panic elsewhere leaves the shelf whole.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block from the shelf, or nothing where the system has to give one.
    fn take(&self, bytes: usize) -> Option<*mut u8> {
        let mut shelf = self.shelf();
        let block = shelf.take(bytes);
        shelf.used += bytes;
        shelf.most = shelf.most.max(shelf.used);
        while shelf.used + shelf.resting > shelf.most {
            shelf.free_oldest();
        }
        block
    }
}

impl Default for Recycler {
    fn default() -> Self {
        Self::new()
    }
}

/// The layout in which the system gives a large block for `layout`; nothing for a small one. Sizes
/// have three significant bits, so that blocks of like size serve for each other.
fn large(layout: Layout) -> Option<Layout> {
    if layout.size() < LARGE || layout.align() > ALIGN {
        return None;
    }
    let step = layout.size().next_power_of_two() / 8;
    let size = layout.size().checked_next_multiple_of(step)?;
    Layout::from_size_align(size, ALIGN).ok()
}

// SAFETY: every block comes from the system in the layout that `layout` determines, and goes back in
// the same; one that rests is held by nobody else.
unsafe impl GlobalAlloc for Recycler {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(block) = large(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        };
        // SAFETY: the size of a large block is not zero.
        self.take(block.size()).unwrap_or_else(|| unsafe { System.alloc(block) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(block) = large(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc_zeroed(layout) };
        };
        match self.take(block.size()) {
            Some(start) => {
                // SAFETY: the block is at least as large as the layout.
                unsafe { start.write_bytes(0, layout.size()) };
                start
            }
            // SAFETY: the size of a large block is not zero.
            None => unsafe { System.alloc_zeroed(block) },
        }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        let Some(block) = large(layout) else {
            // SAFETY: the caller's promise; a small block came from the system as it is.
            return unsafe { System.dealloc(start, layout) };
        };
        let mut shelf = self.shelf();
        shelf.used = shelf.used.saturating_sub(block.size());
        shelf.put(Block { start, size: block.size() });
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises a valid size for this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (large(layout), large(new)) {
            // SAFETY: the caller's promise; both are the system's business.
            (None, None) => unsafe { System.realloc(start, layout, size) },
            (Some(old), Some(new)) if old == new => start,
            // SAFETY: both blocks hold the smaller of the sizes; a failed allocation is null, and
            // then the old block stays.
            _ => unsafe {
                let to = self.alloc(new);
                if !to.is_null() {
                    ptr::copy_nonoverlapping(start, to, layout.size().min(size));
                    self.dealloc(start, layout);
                }
                to
            },
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Block {
    start: *mut u8,
    size: usize,
}

impl Block {
    const NONE: Self = Self { start: ptr::null_mut(), size: 0 };
}

/// Blocks at rest, the oldest first, and how much is in use.
#[derive(Debug)]
struct Shelf {
    blocks: [Block; PLACES],
    count: usize,
    resting: usize,
    used: usize,
    most: usize,
}

// SAFETY: blocks at rest are plain memory that belongs to the shelf alone.
unsafe impl Send for Shelf {}

impl Shelf {
    /// The block of this size that rests shortest: it is likeliest to be in the processor's caches.
    fn take(&mut self, size: usize) -> Option<*mut u8> {
        let i = self.blocks[..self.count].iter().rposition(|block| block.size == size)?;
        Some(self.remove(i).start)
    }

    fn put(&mut self, block: Block) {
        if self.count == PLACES {
            self.free_oldest();
        }
        self.blocks[self.count] = block;
        self.count += 1;
        self.resting += block.size;
    }

    fn free_oldest(&mut self) {
        let block = self.remove(0);
        // SAFETY: large blocks come from the system in this layout.
        unsafe {
            System.dealloc(block.start, Layout::from_size_align_unchecked(block.size, ALIGN));
        }
    }

    fn remove(&mut self, i: usize) -> Block {
        let block = self.blocks[i];
        self.blocks.copy_within(i + 1..self.count, i);
        self.count -= 1;
        self.resting -= block.size;
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 4).unwrap()
    }

    #[test]
    fn a_large_block_of_like_size_is_used_again() {
        let recycler = Recycler::new();
        // SAFETY: every block is freed once, in its layout.
        unsafe {
            let a = recycler.alloc(layout(1 << 20));
            assert_eq!(a.addr() % ALIGN, 0);
            a.write_bytes(7, 1 << 20);
            recycler.dealloc(a, layout(1 << 20));
            let b = recycler.alloc_zeroed(layout((1 << 20) - 100));
            assert_eq!(a, b);
            let zeros = std::slice::from_raw_parts(b, (1 << 20) - 100);
            assert!(zeros.iter().all(|x| *x == 0));
            recycler.dealloc(b, layout((1 << 20) - 100));
        }
    }

    #[test]
    fn it_never_holds_more_than_was_in_use() {
        let recycler = Recycler::new();
        for size in [300_000, 200_000, 900_000, 150_000, 700_000, 3_000_000, 200_000] {
            // SAFETY: every block is freed once, in its layout.
            unsafe {
                let block = recycler.alloc(layout(size));
                let shelf = recycler.shelf();
                assert!(shelf.used + shelf.resting <= shelf.most);
                drop(shelf);
                recycler.dealloc(block, layout(size));
            }
        }
        assert_eq!(recycler.shelf().used, 0);
        assert!(recycler.shelf().most < 3_500_000);
    }

    #[test]
    fn contents_survive_a_change_of_size() {
        let recycler = Recycler::new();
        // SAFETY: each size is the block's own, and the last block is freed.
        unsafe {
            let mut size = 100_000;
            let mut block = recycler.alloc(layout(size));
            block.write_bytes(5, 90_000);
            for new in [200_000, 210_000, 5_000_000, 90_000] {
                block = recycler.realloc(block, layout(size), new);
                size = new;
                assert!(std::slice::from_raw_parts(block, 90_000).iter().all(|x| *x == 5));
            }
            recycler.dealloc(block, layout(size));
        }
    }
}
