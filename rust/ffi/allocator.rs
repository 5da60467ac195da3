//! Allocators: pages without a log.

use super::pointer::{Out, copy_items};
use super::state::location_of;
use super::status::{MmsbStatus, call};
use super::{MmsbAllocator, MmsbPage, handle, take};
use crate::state::{Allocator, AllocatorStats};
use crate::types::PageId;
use std::ffi::c_void;

/// A new allocator without pages: for scratch data in the same shape as a state's.
///
/// Ownership: `out` is freed with `rust_allocator_free`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_allocator_new(out: *mut MmsbAllocator) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(MmsbAllocator { id: handle::insert(Allocator::new())? });
        Ok(())
    })
}

/// What an allocator's pages and blocks take.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbAllocatorStats {
    /// Live pages.
    pub pages: u64,
    /// Bytes of them.
    pub page_bytes: u64,
    /// Bytes of frames in memory: pages, and what views still show of old ones.
    pub frame_bytes: u64,
    /// Plain blocks.
    pub blocks: u64,
    /// Bytes of them.
    pub block_bytes: u64,
}

impl From<AllocatorStats> for MmsbAllocatorStats {
    fn from(stats: AllocatorStats) -> MmsbAllocatorStats {
        let AllocatorStats { pages, page_bytes, frame_bytes, blocks, block_bytes } = stats;
        MmsbAllocatorStats { pages, page_bytes, frame_bytes, blocks, block_bytes }
    }
}

/// Frees an allocator with all its pages and plain blocks. `*allocator` becomes zero. Null and zero
/// are fine. Views of pages stay valid; blocks do not.
///
/// # Safety
/// `allocator` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_allocator_free(allocator: *mut MmsbAllocator) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Allocator>(allocator.cast()) }.map(drop))
}

/// Allocates a page of `size` bytes (1 B to 1 GiB), all zero. `location` is an `MmsbLocation`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_allocator_allocate(
    allocator: MmsbAllocator,
    size: u64,
    location: u32,
    out: *mut MmsbPage,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let location = location_of(location)?;
        let id =
            handle::with::<Allocator, _>(allocator.id, |pages| pages.allocate(size, location))?;
        out.set(MmsbPage { owner: allocator.id, id: id.0 });
        Ok(())
    })
}

/// Frees a page. Its id is never used again.
///
/// Errors: PageNotFound, PageFreed.
#[unsafe(no_mangle)]
pub extern "C" fn rust_allocator_release(allocator: MmsbAllocator, page: u64) -> MmsbStatus {
    call(|| handle::with::<Allocator, _>(allocator.id, |pages| pages.release(PageId(page))))
}

/// The page of that id, for the `rust_page_` functions.
///
/// Errors: PageNotFound, PageFreed.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_allocator_get_page(
    allocator: MmsbAllocator,
    page: u64,
    out: *mut MmsbPage,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        handle::with::<Allocator, _>(allocator.id, |pages| pages.page_size(PageId(page)))?;
        out.set(MmsbPage { owner: allocator.id, id: page });
        Ok(())
    })
}

/// Number of live pages.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_allocator_page_count(
    allocator: MmsbAllocator,
    out: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let count = handle::with::<Allocator, _>(allocator.id, |pages| Ok(pages.page_count()))?;
        out.set(count);
        Ok(())
    })
}

/// Copies the ids of all live pages, ascending, to `buf`, which has room for `capacity`; `len`
/// receives their number, also when the buffer is too small (LengthMismatch).
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_allocator_list_pages(
    allocator: MmsbAllocator,
    buf: *mut u64,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        let ids = handle::with::<Allocator, _>(allocator.id, |pages| pages.list_pages())?;
        let ids: Vec<u64> = ids.into_iter().map(|id| id.0).collect();
        // SAFETY: the caller's promise.
        unsafe { copy_items(&ids, buf, capacity, len, "ids") }
    })
}

/// Frees all pages and all plain blocks.
#[unsafe(no_mangle)]
pub extern "C" fn rust_allocator_clear(allocator: MmsbAllocator) -> MmsbStatus {
    call(|| handle::with::<Allocator, _>(allocator.id, Allocator::clear))
}

/// Makes memory for `count` more pages of `size` bytes (1 B to 1 MiB) ready: allocating them asks the
/// system for nothing.
///
/// Errors: SizeOutOfRange, OutOfMemory beyond a limit: what could be made ready before stays.
#[unsafe(no_mangle)]
pub extern "C" fn rust_allocator_prewarm(
    allocator: MmsbAllocator,
    size: u64,
    count: usize,
) -> MmsbStatus {
    call(|| handle::with::<Allocator, _>(allocator.id, |pages| pages.prewarm(size, count)))
}

/// What the allocator's pages and blocks take. `rust_memory_stats` counts the heap under all of them.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_allocator_stats(
    allocator: MmsbAllocator,
    out: *mut MmsbAllocatorStats,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let stats = handle::with::<Allocator, _>(allocator.id, |pages| Ok(pages.stats()))?;
        out.set(stats.into());
        Ok(())
    })
}

/// Allocates a plain block of `size` bytes (up to 1 TiB) at a multiple of `align`, a power of two up to
/// 4,096: zero if `zeroed`, else with any content.
///
/// Ownership: the block is freed with `rust_allocator_free_block`, else with the allocator or by
/// `rust_allocator_clear`; nobody may use it after that.
///
/// Errors: SizeOutOfRange, InvalidArgument for the alignment, OutOfMemory.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_allocator_alloc_block(
    allocator: MmsbAllocator,
    size: usize,
    align: usize,
    zeroed: bool,
    out: *mut *mut c_void,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let block = handle::with::<Allocator, _>(allocator.id, |pages| {
            pages.blocks().alloc(size, align, zeroed)
        })?;
        out.set(block.as_ptr().cast());
        Ok(())
    })
}

/// Frees a plain block of this allocator.
///
/// Errors: InvalidArgument if no block of it begins there, or none does any more; nothing happened
/// then.
#[unsafe(no_mangle)]
pub extern "C" fn rust_allocator_free_block(
    allocator: MmsbAllocator,
    block: *mut c_void,
) -> MmsbStatus {
    call(|| handle::with::<Allocator, _>(allocator.id, |pages| pages.blocks().free(block.cast())))
}
