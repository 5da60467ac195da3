//! Snapshots: all pages as they were at one closed LSN.

use super::pointer::{Out, copy_items, copy_keys, copy_out, slice, slice_mut};
use super::status::{MmsbStatus, call, call_state};
use super::{MmsbSnapshot, MmsbState, handle, take};
use crate::error::Result;
use crate::state::Snapshot;
use crate::types::PageId;

/// Takes a snapshot; stops no writer. While it is open, pages that change keep their old content
/// beside the new. When open snapshots together hold more than `version_bytes_max` of the settings,
/// the oldest that hold anything are ended: all that read from them fail with SnapshotTooOld.
///
/// Ownership: `out` is freed with `rust_snapshot_free`, in any order: it stays as it is when the
/// state is closed, and keeps the state's memory until then.
/// Cost: O(lanes).
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_new(state: MmsbState, out: *mut MmsbSnapshot) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(MmsbSnapshot { id: handle::insert(state.snapshot()?)? });
        Ok(())
    })
}

/// Frees a snapshot. `*snapshot` becomes zero. Null and zero are fine.
///
/// # Safety
/// `snapshot` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_free(snapshot: *mut MmsbSnapshot) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Snapshot>(snapshot.cast()) }.map(drop))
}

unsafe fn get<T>(
    snapshot: MmsbSnapshot,
    out: *mut T,
    read: impl FnOnce(&Snapshot) -> Result<T>,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(handle::with::<Snapshot, _>(snapshot.id, read)?);
        Ok(())
    })
}

/// The closed LSN that a snapshot stands at.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_lsn(snapshot: MmsbSnapshot, out: *mut u64) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { get(snapshot, out, |snapshot| Ok(snapshot.lsn().0)) }
}

/// Digest of a snapshot's content; as `rust_state_digest`.
///
/// # Safety
/// `out` is null or valid for writes of 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_digest(
    snapshot: MmsbSnapshot,
    out: *mut [u8; 32],
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { get(snapshot, out, Snapshot::digest) }
}

/// Bytes of a page in a snapshot.
///
/// Errors: PageNotFound if it did not exist then.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_page_size(
    snapshot: MmsbSnapshot,
    page: u64,
    out: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { get(snapshot, out, |snapshot| snapshot.page_size(PageId(page))) }
}

/// Epoch of a page's content in a snapshot.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_page_epoch(
    snapshot: MmsbSnapshot,
    page: u64,
    out: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { get(snapshot, out, |snapshot| snapshot.epoch(PageId(page))) }
}

/// Copies `len` bytes of a page in a snapshot, from `offset` on, to `buf`.
///
/// # Safety
/// `buf` is valid for `len` writes and holds initialised bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_read(
    snapshot: MmsbSnapshot,
    page: u64,
    offset: u64,
    buf: *mut u8,
    len: usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let buf = unsafe { slice_mut(buf, len, "buf") }?;
        handle::with::<Snapshot, _>(snapshot.id, |snapshot| {
            snapshot.read(PageId(page), offset, buf)
        })
    })
}

/// The value of a metadata key of a page in a snapshot: copied to `buf`, which has room for
/// `capacity` bytes; `len` receives its length, also when the buffer is too small.
///
/// Errors: PageNotFound if the page did not exist then, KeyNotFound, LengthMismatch.
///
/// # Safety
/// `key` is valid for its length, `buf` null or valid for `capacity` writes, `len` null or valid
/// for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_metadata_get(
    snapshot: MmsbSnapshot,
    page: u64,
    key: *const u8,
    key_len: usize,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        let value = handle::with::<Snapshot, _>(snapshot.id, |snapshot| {
            // SAFETY: the caller's promise, here and below.
            snapshot.meta(PageId(page), unsafe { slice(key, key_len, "key") }?)
        })?;
        // SAFETY: as above.
        unsafe { copy_out(&value, buf, capacity, len) }
    })
}

/// All metadata keys of a page in a snapshot, ascending: copied to `buf` as u16 length
/// (little-endian) and key, one after the other; `len` receives the bytes, also when the buffer is
/// too small.
///
/// Errors: PageNotFound if the page did not exist then, LengthMismatch.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_metadata_keys(
    snapshot: MmsbSnapshot,
    page: u64,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        let pairs =
            handle::with::<Snapshot, _>(snapshot.id, |snapshot| snapshot.meta_list(PageId(page)))?;
        // SAFETY: the caller's promise.
        unsafe { copy_keys(&pairs, buf, capacity, len) }
    })
}

/// Copies the ids of all pages of a snapshot, ascending, to `buf`, which has room for `capacity`;
/// `len` receives their number, also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_list_pages(
    snapshot: MmsbSnapshot,
    buf: *mut u64,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        let ids = handle::with::<Snapshot, _>(snapshot.id, Snapshot::list_pages)?;
        let ids: Vec<u64> = ids.into_iter().map(|id| id.0).collect();
        // SAFETY: the caller's promise.
        unsafe { copy_items(&ids, buf, capacity, len, "ids") }
    })
}
