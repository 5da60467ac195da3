//! Allocators: pages without a log.

use super::pointer::{Out, copy_items};
use super::state::location_of;
use super::status::{MmsbStatus, call};
use super::{MmsbAllocator, MmsbPage, handle, take};
use crate::state::Allocator;
use crate::types::PageId;

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

/// Frees an allocator with all its pages. `*allocator` becomes zero. Null and zero are fine. Views
/// stay valid.
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

/// Frees all pages.
#[unsafe(no_mangle)]
pub extern "C" fn rust_allocator_clear(allocator: MmsbAllocator) -> MmsbStatus {
    call(|| handle::with::<Allocator, _>(allocator.id, Allocator::clear))
}
