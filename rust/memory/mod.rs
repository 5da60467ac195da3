//! Memory: one reserved range of addresses, slabs, size classes, a cache for each thread.
//!
//! ```text
//!   heap     the process's arena and its threads' caches; alloc, free
//!   cache    a thread's magazines and the slabs that it carves      no lock, no shared line
//!   slab     a bit for each free block, and who looks after it      atomic words
//!   arena    slabs of the range: to classes, spans, retained        one lock, seldom taken
//!   range    reserve, open, purge, populate                         the kernel
//!   class    which sizes there are
//! ```
//!
//! Page frames, old versions, deltas and log buffers live here ([`PageMemory`], [`Buffer`]); a program
//! can use the same heap for everything ([`SlabAlloc`]) or for blocks of its own ([`Blocks`]).
//!
//! A class that runs out takes a new slab; there is no other path. A steady state makes no system
//! call. Knows nothing of pages.

mod arena;
mod blocks;
mod buffer;
mod cache;
mod class;
mod heap;
mod page_memory;
mod range;
mod slab;
mod stats;
#[cfg(test)]
mod tests;
mod zero;

pub use arena::Retention;
pub use blocks::Blocks;
pub use buffer::Buffer;
pub(crate) use heap::{alloc_zeroed, free};

pub use class::{BLOCK_ALIGN_MAX, BLOCK_BYTES_MAX, SLAB_BYTES};
pub use page_memory::{FRAME_ALIGN, PageMemory};
pub use stats::{ClassStats, MemoryStats};

use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::{self, NonNull};

/// The largest block that can be asked for.
pub const ALLOC_BYTES_MAX: usize = 1 << 40;

/// Why memory could not be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Bytes asked for.
    pub asked: usize,
    /// Bytes in use.
    pub in_use: u64,
    /// Most that may be in use.
    pub limit: u64,
    /// What the limit is.
    pub reason: Reason,
}

/// What refused memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// A configured limit.
    Limit,
    /// The end of the reserved range.
    Range,
    /// The operating system.
    System,
}

impl Refused {
    /// The error that says so.
    #[cold]
    pub fn error(self) -> Error {
        let Refused { asked, in_use, limit, reason } = self;
        let whose = match reason {
            Reason::Limit => "a configured limit",
            Reason::Range => "the reserved range",
            Reason::System => "the operating system has no more; the limit",
        };
        Error::new(
            ErrorKind::OutOfMemory,
            format!("{asked} bytes asked for with {in_use} in use: {whose} is {limit}"),
        )
    }
}

/// Refuses an alignment that blocks cannot have.
fn check_align(align: usize) -> Result<()> {
    if !align.is_power_of_two() || align > BLOCK_ALIGN_MAX {
        bail!(
            InvalidArgument,
            "an alignment of {align}: blocks are aligned to powers of two up to {BLOCK_ALIGN_MAX}"
        );
    }
    Ok(())
}

fn check_size(size: usize) -> Result<()> {
    if !(1..=ALLOC_BYTES_MAX).contains(&size) {
        bail!(SizeOutOfRange, "a block of {size} bytes; blocks have 1 to {ALLOC_BYTES_MAX}");
    }
    Ok(())
}

/// Makes `count` free blocks for `size` bytes at `align`, with the memory under them: the next
/// `count` allocations of that class ask the kernel for nothing.
///
/// # Errors
/// `SizeOutOfRange` above [`BLOCK_BYTES_MAX`], `OutOfMemory` beyond the limit: what could be made
/// before stays.
pub fn prewarm(size: usize, align: usize, count: usize) -> Result<()> {
    check_align(align)?;
    if !(1..=BLOCK_BYTES_MAX).contains(&size) {
        bail!(
            SizeOutOfRange,
            "prewarming blocks of {size} bytes; classes hold 1 to {BLOCK_BYTES_MAX}"
        );
    }
    heap::prewarm(size, align, count).map_err(Refused::error)
}

/// Gives what the calling thread keeps and all retained slabs to the operating system. Returns the
/// bytes that went.
pub fn purge() -> u64 {
    heap::purge()
}

/// Limits the bytes of slabs that are in use or retained, rounded up to 2 MiB; 0 for no limit but
/// the reserved range. What is in use beyond it stays.
pub fn set_limit(bytes: u64) {
    if let Some(heap) = heap::heap() {
        heap.arena.set_limit(bytes);
    }
}

/// Says how much of the slabs that come back is kept, and how long.
pub fn set_retention(retention: Retention) {
    if let Some(heap) = heap::heap() {
        heap.arena.set_retention(retention);
    }
}

/// Asks the kernel for huge pages under the heap, or for none (the default: where memory is
/// fragmented, making one took 2 µs per KiB here, five times what small pages took).
pub fn set_huge_pages(huge: bool) {
    if let Some(heap) = heap::heap() {
        heap.arena.set_huge_pages(huge);
    }
}

/// Counts the heap.
///
/// Cost: some microseconds per hundred slabs, and a look at the kernel's list of mappings.
pub fn stats() -> MemoryStats {
    heap::stats()
}

/// Walks every slab, list and run of the heap and compares them with each other. Blocks may come and
/// go meanwhile; slabs that threads are carving are left out.
///
/// # Errors
/// `Internal` with what does not fit.
///
/// Cost: some microseconds per slab, with the central lock held.
pub fn invariant() -> Result<()> {
    heap::invariant().map_err(|what| Error::new(ErrorKind::Internal, what))
}

/// The heap as a program's allocator.
///
/// ```
/// #[global_allocator]
/// static HEAP: mmsb::memory::SlabAlloc = mmsb::memory::SlabAlloc;
/// ```
///
/// Alignments above 2 MiB are refused.
pub struct SlabAlloc;

// SAFETY: blocks are distinct, as large and aligned as asked for, and stay until they are freed; no
// call unwinds.
unsafe impl GlobalAlloc for SlabAlloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        to_raw(layout, heap::alloc)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        to_raw(layout, heap::alloc_zeroed)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller's promise.
            unsafe { heap::free(block, layout.size(), layout.align()) }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let align = layout.align();
        let same = |class: Option<usize>| {
            align <= BLOCK_ALIGN_MAX
                && class.is_some()
                && class == class::class_aligned(layout.size(), align)
        };
        if same(class::class_aligned(size, align)) {
            return block;
        }
        let Ok(new) = Layout::from_size_align(size, align) else { return ptr::null_mut() };
        // SAFETY: the caller's promises for both blocks.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[inline]
fn to_raw(
    layout: Layout,
    alloc: fn(usize, usize) -> std::result::Result<NonNull<u8>, Refused>,
) -> *mut u8 {
    if layout.align() > SLAB_BYTES {
        return ptr::null_mut();
    }
    alloc(layout.size(), layout.align()).map_or(ptr::null_mut(), NonNull::as_ptr)
}
