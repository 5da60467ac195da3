//! Pages of states and allocators: read, write, metadata.

use super::pointer::{MmsbNote, Out, copy_keys, copy_out, note_at, optional_out, slice, slice_mut};
use super::state::set;
use super::status::{MmsbStatus, call, call_state};
use super::{AnyView, MmsbPage, MmsbView, handle};
use crate::error::Result;
use crate::state::{Allocator, State};
use crate::types::{Lsn, PageId};

/// Whether an owner's handle says that it is an allocator's.
fn is_allocator(page: MmsbPage) -> bool {
    (page.owner >> 56) as u8 == handle::Kind::Allocator as u8
}

/// Runs `on_state` or `on_allocator` with the page's owner.
#[inline]
fn with_owner<R>(
    page: MmsbPage,
    on_state: impl FnOnce(&State, PageId) -> Result<R>,
    on_allocator: impl FnOnce(&Allocator, PageId) -> Result<R>,
    done: impl FnOnce(R) -> Result<()>,
) -> MmsbStatus {
    let id = PageId(page.id);
    if is_allocator(page) {
        return call(|| {
            done(handle::with::<Allocator, _>(page.owner, |pages| on_allocator(pages, id))?)
        });
    }
    call_state(page.owner, |state| done(on_state(state, id)?))
}

/// As [`with_owner`], for what is recorded: the place for the LSN is known to be good before
/// anything changes.
#[inline]
fn record(
    page: MmsbPage,
    out: Result<Option<Out<'_, u64>>>,
    on_state: impl FnOnce(&State, PageId) -> Result<Option<Lsn>>,
    on_allocator: impl FnOnce(&Allocator, PageId) -> Result<Option<Lsn>>,
) -> MmsbStatus {
    match out {
        Err(error) => call(|| Err(error)),
        Ok(out) => with_owner(page, on_state, on_allocator, |recorded| {
            set_lsn(out, recorded);
            Ok(())
        }),
    }
}

/// Tells the LSN of what was recorded: 0 if the content was already so, or for an allocator's
/// page, which has no log.
fn set_lsn(out: Option<Out<'_, u64>>, lsn: Option<Lsn>) {
    set(out, lsn.map_or(0, |lsn| lsn.0));
}

/// Frees a page. Its id is never used again. `note` and `lsn` may be null.
///
/// Errors: PageNotFound, PageFreed, NoSpace, ReadOnly, Poisoned.
///
/// # Safety
/// `note` is null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_free(
    page: MmsbPage,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    let out = unsafe { optional_out(lsn, "lsn") };
    record(
        page,
        out,
        |state, id| {
            // SAFETY: the caller's promise.
            Ok(Some(state.free_page(id, unsafe { note_at(note) }?)?))
        },
        |pages, id| pages.release(id).map(|()| None),
    )
}

/// Makes the `len` bytes at `bytes`, exactly the page's size, its content; records only what
/// differs. `*lsn` receives the record's LSN, 0 if the content was already so. `note` and `lsn`
/// may be null.
///
/// Errors: LengthMismatch, PageNotFound, PageFreed, NoSpace, TooLong, NotUtf8, ReadOnly, Poisoned.
/// Then nothing changed.
/// Cost: one comparison of the page, and the record of what changed; no system call.
///
/// # Safety
/// `bytes` is valid for `len` reads, `note` null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_update(
    page: MmsbPage,
    bytes: *const u8,
    len: usize,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    let out = unsafe { optional_out(lsn, "lsn") };
    record(
        page,
        out,
        |state, id| {
            // SAFETY: the caller's promise, here and below.
            let content = unsafe { slice(bytes, len, "bytes") }?;
            // SAFETY: as above.
            state.update(id, content, unsafe { note_at(note) }?)
        },
        |pages, id| {
            // SAFETY: as above.
            pages.update(id, unsafe { slice(bytes, len, "bytes") }?).map(|_| None)
        },
    )
}

/// Writes the `len` bytes at `bytes` to the page from `offset` on; records only what differs.
/// Otherwise as `rust_page_update`.
///
/// Errors: RangeOutOfBounds, and those of `rust_page_update`.
///
/// # Safety
/// As `rust_page_update`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_write(
    page: MmsbPage,
    offset: u64,
    bytes: *const u8,
    len: usize,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    let out = unsafe { optional_out(lsn, "lsn") };
    record(
        page,
        out,
        |state, id| {
            // SAFETY: the caller's promise, here and below.
            let bytes = unsafe { slice(bytes, len, "bytes") }?;
            // SAFETY: as above.
            state.write(id, offset, bytes, unsafe { note_at(note) }?)
        },
        |pages, id| {
            // SAFETY: as above.
            pages.write(id, offset, unsafe { slice(bytes, len, "bytes") }?).map(|_| None)
        },
    )
}

/// Writes the bytes at `bytes` where the byte of `mask` is not zero. Both have `len` bytes, exactly
/// the page's size. Otherwise as `rust_page_update`.
///
/// # Safety
/// As `rust_page_update`; `mask` is valid for `len` reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_write_masked(
    page: MmsbPage,
    mask: *const u8,
    bytes: *const u8,
    len: usize,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    let buffers = || {
        // SAFETY: the caller's promise.
        unsafe { Ok((slice(mask, len, "mask")?, slice(bytes, len, "bytes")?)) }
    };
    // SAFETY: the caller's promise.
    let out = unsafe { optional_out(lsn, "lsn") };
    record(
        page,
        out,
        |state, id| {
            let (mask, bytes) = buffers()?;
            // SAFETY: the caller's promise.
            state.write_masked(id, mask, bytes, unsafe { note_at(note) }?)
        },
        |pages, id| {
            let (mask, bytes) = buffers()?;
            pages.write_masked(id, mask, bytes).map(|_| None)
        },
    )
}

/// Copies `len` bytes of the page from `offset` on to `buf`.
///
/// Errors: RangeOutOfBounds (then `buf` is unchanged), PageNotFound, PageFreed, Corrupt.
///
/// # Safety
/// `buf` is valid for `len` writes and holds initialised bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_read(
    page: MmsbPage,
    offset: u64,
    buf: *mut u8,
    len: usize,
) -> MmsbStatus {
    with_owner(
        page,
        // SAFETY: the caller's promise, here and below.
        |state, id| state.read(id, offset, unsafe { slice_mut(buf, len, "buf") }?),
        // SAFETY: as above.
        |pages, id| pages.read(id, offset, unsafe { slice_mut(buf, len, "buf") }?),
        Ok,
    )
}

/// Writes one of a page's numbers to the caller's place.
unsafe fn number(
    page: MmsbPage,
    out: *mut u64,
    on_state: impl FnOnce(&State, PageId) -> Result<u64>,
    on_allocator: impl FnOnce(&Allocator, PageId) -> Result<u64>,
) -> MmsbStatus {
    with_owner(page, on_state, on_allocator, |value| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(value);
        Ok(())
    })
}

/// Bytes of a page.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_size(page: MmsbPage, out: *mut u64) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { number(page, out, State::page_size, Allocator::page_size) }
}

/// How often a page's content has changed.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_epoch(page: MmsbPage, out: *mut u64) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { number(page, out, State::epoch, Allocator::epoch) }
}

/// LSN of the record that changed a page last; 0 for an allocator's page.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_lsn(page: MmsbPage, out: *mut u64) -> MmsbStatus {
    let on_state = |state: &State, id| Ok(state.page_lsn(id)?.0);
    // SAFETY: the caller's promise.
    unsafe { number(page, out, on_state, |pages, id| pages.epoch(id).map(|_| 0)) }
}

/// Where a page should live: an `MmsbLocation`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_location(page: MmsbPage, out: *mut u32) -> MmsbStatus {
    with_owner(page, State::location, Allocator::location, |location| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(location as u32);
        Ok(())
    })
}

/// Whether a page is private: see `rust_page_create_private`. An allocator's never is.
///
/// Errors: PageNotFound, PageFreed.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_is_private(page: MmsbPage, out: *mut bool) -> MmsbStatus {
    let on_allocator = |pages: &Allocator, id| pages.epoch(id).map(|_| false);
    with_owner(page, State::is_private, on_allocator, |private| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(private);
        Ok(())
    })
}

/// A view of the page's whole content, without a copy: `*data` and `*len` stay valid and unchanged
/// until the view is freed, while writers go on and after the state is closed. A writer that meets
/// a page with a view copies the page first.
///
/// Ownership: `out` is freed with `rust_view_free`; `data` belongs to it. `data` is 64-byte aligned.
/// Cost: tens of ns, whatever the page's size.
///
/// # Safety
/// `out`, `data` and `len` are null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_view(
    page: MmsbPage,
    out: *mut MmsbView,
    data: *mut *const u8,
    len: *mut usize,
) -> MmsbStatus {
    with_owner(
        page,
        |state, id| state.view(id).map(AnyView::State),
        |pages, id| pages.view(id).map(AnyView::Scratch),
        |view| {
            // SAFETY: the caller's promise, here and below.
            let out = unsafe { Out::new(out, "out") }?;
            // SAFETY: as above.
            let (data, len) = unsafe { (optional_out(data, "data")?, optional_out(len, "len")?) };
            let bytes: &[u8] = &view;
            let (at, size) = (bytes.as_ptr(), bytes.len());
            out.set(MmsbView { id: handle::insert(view)? });
            set(data, at);
            set(len, size);
            Ok(())
        },
    )
}

/// Sets a metadata key of a page: 1 to 255 bytes; the value up to 65,535. `note` and `lsn` may be
/// null.
///
/// # Safety
/// `key` and `value` are valid for their lengths, `note` null or valid, `lsn` null or valid for a
/// write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_metadata_set(
    page: MmsbPage,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    let pair = || {
        // SAFETY: the caller's promise.
        unsafe { Ok((slice(key, key_len, "key")?, slice(value, value_len, "value")?)) }
    };
    // SAFETY: the caller's promise.
    let out = unsafe { optional_out(lsn, "lsn") };
    record(
        page,
        out,
        |state, id| {
            let (key, value) = pair()?;
            // SAFETY: the caller's promise.
            state.set_meta(id, key, value, unsafe { note_at(note) }?)
        },
        |pages, id| {
            let (key, value) = pair()?;
            pages.set_meta(id, key, Some(value)).map(|()| None)
        },
    )
}

/// Takes a metadata key away. `note` and `lsn` may be null.
///
/// Errors: KeyNotFound.
///
/// # Safety
/// `key` is valid for its length, `note` null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_metadata_remove(
    page: MmsbPage,
    key: *const u8,
    key_len: usize,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    let out = unsafe { optional_out(lsn, "lsn") };
    record(
        page,
        out,
        |state, id| {
            // SAFETY: the caller's promise, here and below.
            let key = unsafe { slice(key, key_len, "key") }?;
            // SAFETY: as above.
            state.remove_meta(id, key, unsafe { note_at(note) }?)
        },
        |pages, id| {
            // SAFETY: as above.
            let key = unsafe { slice(key, key_len, "key") }?;
            pages.set_meta(id, key, None).map(|()| None)
        },
    )
}

/// The value of a metadata key: copied to `buf`, which has room for `capacity` bytes; `len` receives
/// its length, also when the buffer is too small.
///
/// Errors: KeyNotFound, LengthMismatch.
///
/// # Safety
/// `key` is valid for its length, `buf` null or valid for `capacity` writes, `len` null or valid
/// for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_metadata_get(
    page: MmsbPage,
    key: *const u8,
    key_len: usize,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    with_owner(
        page,
        // SAFETY: the caller's promise, here and below.
        |state, id| state.meta(id, unsafe { slice(key, key_len, "key") }?),
        // SAFETY: as above.
        |pages, id| pages.meta(id, unsafe { slice(key, key_len, "key") }?),
        // SAFETY: as above.
        |value| unsafe { copy_out(&value, buf, capacity, len) },
    )
}

/// All metadata keys of a page, ascending: copied to `buf` as u16 length (little-endian) and key,
/// one after the other; `len` receives the bytes, also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_metadata_keys(
    page: MmsbPage,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    with_owner(page, State::meta_list, Allocator::meta_list, |pairs| {
        // SAFETY: the caller's promise.
        unsafe { copy_keys(&pairs, buf, capacity, len) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::MmsbState;
    use crate::ffi::state::{
        rust_page_create, rust_state_close, rust_state_digest, rust_state_open,
    };
    use std::ptr::{null, null_mut};

    /// A place for the LSN that cannot be written to is refused before the change, not after it.
    #[test]
    fn a_misaligned_lsn_is_refused_before_anything_changes() {
        let (mut state, mut page) = (MmsbState { id: 0 }, MmsbPage { owner: 0, id: 0 });
        // SAFETY: here and below, all places are locals and lengths are theirs.
        unsafe {
            assert_eq!(rust_state_open(null(), &mut state), MmsbStatus::Ok);
            assert_eq!(rust_page_create(state, 4, 0, null(), &mut page), MmsbStatus::Ok);
            let (key, value) = (b"k".as_ptr(), b"v".as_ptr());
            let set = rust_page_metadata_set(page, key, 1, value, 1, null(), null_mut());
            assert_eq!(set, MmsbStatus::Ok);
        }
        let digest = || {
            let mut digest = [0; 32];
            // SAFETY: as above.
            assert_eq!(unsafe { rust_state_digest(state, &mut digest) }, MmsbStatus::Ok);
            digest
        };
        let before = digest();
        let mut words = [7u64; 2];
        // SAFETY: within `words`.
        let lsn = unsafe { words.as_mut_ptr().byte_add(1) };
        let (bytes, key) = (b"abcd".as_ptr(), b"k".as_ptr());
        // SAFETY: as above.
        let refused = unsafe {
            [
                rust_page_update(page, bytes, 4, null(), lsn),
                rust_page_write(page, 0, bytes, 4, null(), lsn),
                rust_page_write_masked(page, bytes, bytes, 4, null(), lsn),
                rust_page_metadata_set(page, key, 1, bytes, 4, null(), lsn),
                rust_page_metadata_remove(page, key, 1, null(), lsn),
                rust_page_free(page, null(), lsn),
            ]
        };
        assert_eq!(refused, [MmsbStatus::InvalidArgument; 6]);
        assert_eq!((digest(), words), (before, [7; 2]));
        // SAFETY: as above.
        assert_eq!(unsafe { rust_state_close(&mut state) }, MmsbStatus::Ok);
    }
}
