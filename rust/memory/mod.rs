//! Memory for page frames: zeroed, 64-byte aligned blocks in size classes, kept for reuse.
//!
//! Classes are multiples of 64 bytes up to 1 KiB, then eight steps to each doubling (at most 12.5 %
//! waste) up to 1 MiB; larger blocks come from the system one by one. Freed blocks wait in a list
//! per class, up to a budget.
//!
//! Knows nothing of pages. The only room that asks the system for page memory.

use crate::stdx::lock::Lock;
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Every frame starts at a multiple of this.
pub const FRAME_ALIGN: usize = 64;
/// Blocks above this size are not kept.
const KEEP_BYTES_MAX: usize = 1 << 20;
/// Most bytes that wait in one list.
const LIST_BYTES_MAX: usize = 2 << 20;
const CLASSES: usize = 16 + 8 * 10;

/// Where frames come from and go to.
pub struct PageMemory {
    lists: [Lock<List>; CLASSES],
    /// Bytes of blocks above the largest class.
    large: Lock<u64>,
}

/// The blocks of one class. Counting under the list's own lock costs nothing more.
struct List {
    free: Vec<Block>,
    /// Blocks that are given out.
    given: u64,
}

impl List {
    /// Takes a block of `size` bytes back; returns it if enough wait already.
    #[inline]
    fn take_back(&mut self, block: NonNull<u8>, size: usize) -> Option<NonNull<u8>> {
        self.given -= 1;
        if (self.free.len() + 1) * size > LIST_BYTES_MAX {
            return Some(block);
        }
        self.free.push(Block(block));
        None
    }
}

/// A free block; the list that it stands in says its size.
struct Block(NonNull<u8>);
// SAFETY: a free block is memory that nobody else refers to.
unsafe impl Send for Block {}

/// The class of `len` bytes and the class's size; `None` for blocks that are not kept.
#[inline]
fn class_of(len: usize) -> (Option<usize>, usize) {
    if len <= 1024 {
        let steps = len.max(1).div_ceil(64);
        return (Some(steps - 1), steps * 64);
    }
    if len > KEEP_BYTES_MAX {
        return (None, len.next_multiple_of(4096));
    }
    // Sizes in (2^top, 2^(top+1)] go in eight steps.
    let top = (len - 1).ilog2();
    let step = 1 << (top - 3);
    let steps = len.div_ceil(step);
    (Some(16 + (top as usize - 10) * 8 + (steps - 9)), steps * step)
}

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size, FRAME_ALIGN).ok()
}

/// The size of a class.
fn size_of_class(class: usize) -> usize {
    match class {
        0..16 => (class + 1) * 64,
        _ => (9 + (class - 16) % 8) << (7 + (class - 16) / 8),
    }
}

impl Default for PageMemory {
    fn default() -> PageMemory {
        let list = || Lock::new(List { free: Vec::new(), given: 0 });
        PageMemory { lists: std::array::from_fn(|_| list()), large: Lock::new(0) }
    }
}

impl PageMemory {
    /// A block of at least `len` bytes, the first `len` zero. `None` where memory cannot be had.
    #[inline]
    pub fn alloc_zeroed(&self, len: usize) -> Option<NonNull<u8>> {
        let (class, size) = class_of(len);
        if let Some(block) = self.reuse(class) {
            // SAFETY: the block has at least `len` bytes and no other user.
            unsafe { block.as_ptr().write_bytes(0, len) };
            return Some(block);
        }
        // SAFETY: the layout is not empty.
        let block = NonNull::new(unsafe { alloc_zeroed(layout(size)?) });
        self.count(class, size, block)
    }

    /// A block of at least `len` bytes with any content: the caller writes before it reads.
    pub fn alloc(&self, len: usize) -> Option<NonNull<u8>> {
        let (class, size) = class_of(len);
        if let Some(block) = self.reuse(class) {
            return Some(block);
        }
        // SAFETY: the layout is not empty.
        let block = NonNull::new(unsafe { alloc(layout(size)?) });
        self.count(class, size, block)
    }

    #[inline]
    fn reuse(&self, class: Option<usize>) -> Option<NonNull<u8>> {
        let mut list = self.lists[class?].lock();
        let block = list.free.pop()?;
        list.given += 1;
        Some(block.0)
    }

    /// Counts a block from the system as given out, if there is one.
    fn count(
        &self,
        class: Option<usize>,
        size: usize,
        block: Option<NonNull<u8>>,
    ) -> Option<NonNull<u8>> {
        let block = block?;
        match class {
            Some(class) => self.lists[class].lock().given += 1,
            None => *self.large.lock() += size as u64,
        }
        Some(block)
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// `block` came from this memory for `len` bytes and is not used any more.
    #[inline]
    pub unsafe fn free(&self, block: NonNull<u8>, len: usize) {
        let (class, size) = class_of(len);
        let spilled = match class {
            Some(class) => self.lists[class].lock().take_back(block, size),
            None => {
                *self.large.lock() -= size as u64;
                Some(block)
            }
        };
        if let Some(block) = spilled {
            // SAFETY: the caller's promise; the layout is a function of `len`.
            unsafe { release(block, size) };
        }
    }

    /// As [`free`](Self::free), without locking.
    ///
    /// # Safety
    /// As for [`free`](Self::free).
    #[inline]
    pub unsafe fn free_mut(&mut self, block: NonNull<u8>, len: usize) {
        let (class, size) = class_of(len);
        let spilled = match class {
            Some(class) => self.lists[class].get_mut().take_back(block, size),
            None => {
                *self.large.get_mut() -= size as u64;
                Some(block)
            }
        };
        if let Some(block) = spilled {
            // SAFETY: the caller's promise; the layout is a function of `len`.
            unsafe { release(block, size) };
        }
    }

    /// Bytes of blocks that are given out.
    pub fn bytes_in_use(&self) -> u64 {
        let class =
            |(class, list): (usize, &Lock<List>)| size_of_class(class) as u64 * list.lock().given;
        *self.large.lock() + self.lists.iter().enumerate().map(class).sum::<u64>()
    }
}

/// # Safety
/// `block` came from the system with `layout(size)` and is not used any more.
unsafe fn release(block: NonNull<u8>, size: usize) {
    if let Some(layout) = layout(size) {
        // SAFETY: the caller's promise.
        unsafe { dealloc(block.as_ptr(), layout) }
    }
}

impl Drop for PageMemory {
    fn drop(&mut self) {
        for (class, list) in self.lists.iter().enumerate() {
            for block in list.lock().free.drain(..) {
                // SAFETY: blocks in a list have that class's size and no user.
                unsafe { release(block.0, size_of_class(class)) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_their_sizes_and_waste_little() {
        let mut last = (0, 0);
        for len in 1..=KEEP_BYTES_MAX {
            let (class, size) = class_of(len);
            let class = class.unwrap();
            assert!(size >= len && class < CLASSES && size.is_multiple_of(64), "{len}");
            assert!(len <= 512 || (size - len) * 8 <= size, "{len} in {size}");
            assert!((class, size) == last || (class > last.0 || last.1 == 0), "{len}");
            last = (class, size);
            assert_eq!(size_of_class(class), size, "{len}");
        }
    }

    #[test]
    fn reused_blocks_are_zero_again() {
        let memory = PageMemory::default();
        let a = memory.alloc_zeroed(1000).unwrap();
        assert_eq!(a.as_ptr() as usize % FRAME_ALIGN, 0);
        // SAFETY: 1,000 bytes of ours.
        unsafe { a.as_ptr().write_bytes(7, 1000) };
        // SAFETY: from this memory, of this length.
        unsafe { memory.free(a, 1000) };
        let b = memory.alloc_zeroed(980).unwrap();
        assert_eq!(a, b);
        // SAFETY: as above.
        assert!(unsafe { std::slice::from_raw_parts(b.as_ptr(), 980) }.iter().all(|&x| x == 0));
        // SAFETY: as above.
        unsafe { memory.free(b, 980) };
        assert_eq!(memory.bytes_in_use(), 0);
    }
}
