//! Batches: many changes as one group, all or none.

use super::pointer::{MmsbNote, Out, note_at, optional_out, slice};
use super::state::{location_of, set};
use super::status::{MmsbStatus, call, call_state, guarded};
use super::{MmsbBatch, MmsbDelta, MmsbState, handle, take};
use crate::error::Result;
use crate::page::Delta;
use crate::state::Batch;
use crate::types::PageId;
use parking_lot::Mutex;

/// A batch of nothing yet.
///
/// Ownership: `out` is ended with `rust_batch_commit` or `rust_batch_free`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_batch_new(state: MmsbState, out: *mut MmsbBatch) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(MmsbBatch { id: handle::insert(Mutex::new(Batch::new(state)))? });
        Ok(())
    })
}

/// Gives a batch up: none of its changes happens. `*batch` becomes zero. Null and zero are fine.
///
/// # Safety
/// `batch` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_batch_free(batch: *mut MmsbBatch) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Mutex<Batch>>(batch.cast()) }.map(drop))
}

/// Makes all changes at once, as one record; ends the batch, `*batch` becomes zero, also on error.
/// `*lsn` receives the record's LSN, 0 if nothing changes. `note` and `lsn` may be null.
///
/// Errors: those of the single changes; then none of them happened.
///
/// # Safety
/// `batch` is null or valid for a read and a write, `note` null or valid, `lsn` null or valid for
/// a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_batch_commit(
    batch: *mut MmsbBatch,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: a handle is one u64; the caller's promise, here and below.
        let Some(batch) = (unsafe { take::<Mutex<Batch>>(batch.cast()) })? else {
            crate::bail!(NullHandle, "a null handle where a batch is wanted");
        };
        // SAFETY: as above.
        let (note, out) = unsafe { (note_at(note)?, optional_out(lsn, "lsn")?) };
        let batch = batch.into_inner();
        let written = guarded(&*batch.log(), || batch.commit(note))?;
        set(out, written.map_or(0, |lsn| lsn.0));
        Ok(())
    })
}

fn with_batch(batch: MmsbBatch, change: impl FnOnce(&mut Batch) -> Result<()>) -> MmsbStatus {
    call(|| handle::with::<Mutex<Batch>, _>(batch.id, |batch| change(&mut batch.lock())))
}

/// Creates a page when the batch commits; its id can be used in the batch at once.
///
/// # Safety
/// `id` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_batch_create_page(
    batch: MmsbBatch,
    size: u64,
    location: u32,
    id: *mut u64,
) -> MmsbStatus {
    with_batch(batch, |batch| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(id, "id") }?;
        out.set(batch.create_page(size, location_of(location)?)?.0);
        Ok(())
    })
}

/// Frees a page when the batch commits.
#[unsafe(no_mangle)]
pub extern "C" fn rust_batch_free_page(batch: MmsbBatch, page: u64) -> MmsbStatus {
    with_batch(batch, |batch| batch.free_page(PageId(page)))
}

/// Makes the `len` bytes at `bytes`, which are copied, the whole content of a page.
///
/// # Safety
/// `bytes` is valid for `len` reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_batch_update(
    batch: MmsbBatch,
    page: u64,
    bytes: *const u8,
    len: usize,
) -> MmsbStatus {
    with_batch(batch, |batch| {
        // SAFETY: the caller's promise.
        batch.update(PageId(page), unsafe { slice(bytes, len, "bytes") }?)
    })
}

/// Writes the `len` bytes at `bytes`, which are copied, from `offset` on. Several writes to one
/// page merge, the last one wins.
///
/// # Safety
/// `bytes` is valid for `len` reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_batch_write(
    batch: MmsbBatch,
    page: u64,
    offset: u64,
    bytes: *const u8,
    len: usize,
) -> MmsbStatus {
    with_batch(batch, |batch| {
        // SAFETY: the caller's promise.
        batch.write(PageId(page), offset, unsafe { slice(bytes, len, "bytes") }?)
    })
}

/// Applies a delta, which is copied. The note of the batch counts, not the delta's.
#[unsafe(no_mangle)]
pub extern "C" fn rust_batch_apply(batch: MmsbBatch, delta: MmsbDelta) -> MmsbStatus {
    with_batch(batch, |batch| {
        handle::with::<Delta, _>(delta.id, |delta| batch.apply(delta.clone()))
    })
}

/// Sets a metadata key of a page.
///
/// # Safety
/// `key` and `value` are valid for their lengths.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_batch_metadata_set(
    batch: MmsbBatch,
    page: u64,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
) -> MmsbStatus {
    with_batch(batch, |batch| {
        // SAFETY: the caller's promise.
        let (key, value) =
            unsafe { (slice(key, key_len, "key")?, slice(value, value_len, "value")?) };
        batch.set_meta(PageId(page), key, value)
    })
}

/// Takes a metadata key of a page away.
///
/// # Safety
/// `key` is valid for its length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_batch_metadata_remove(
    batch: MmsbBatch,
    page: u64,
    key: *const u8,
    key_len: usize,
) -> MmsbStatus {
    with_batch(batch, |batch| {
        // SAFETY: the caller's promise.
        batch.remove_meta(PageId(page), unsafe { slice(key, key_len, "key") }?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::state::{rust_state_close, rust_state_open};

    /// A commit ends its batch whatever it was given, so that a caller frees it once.
    #[test]
    fn a_commit_that_fails_ends_the_batch_too() {
        let mut state = MmsbState { id: 0 };
        // SAFETY: null is a state in memory; here and below all places are locals.
        assert_eq!(unsafe { rust_state_open(std::ptr::null(), &mut state) }, MmsbStatus::Ok);
        let not_utf8 = MmsbNote { source: c"\xff".as_ptr(), intent: std::ptr::null() };
        let mut words = [7u64; 2];
        // SAFETY: within `words`.
        let misaligned = unsafe { words.as_mut_ptr().byte_add(1) };
        let failing: [(*const MmsbNote, *mut u64, MmsbStatus); 2] = [
            (&not_utf8, std::ptr::null_mut(), MmsbStatus::NotUtf8),
            (std::ptr::null(), misaligned, MmsbStatus::InvalidArgument),
        ];
        for (note, lsn, expected) in failing {
            let mut batch = MmsbBatch { id: 0 };
            // SAFETY: as above.
            unsafe {
                assert_eq!(rust_batch_new(state, &mut batch), MmsbStatus::Ok);
                let (given, mut page) = (batch, 0);
                assert_eq!(rust_batch_create_page(given, 8, 0, &mut page), MmsbStatus::Ok);
                assert_eq!(rust_batch_commit(&mut batch, note, lsn), expected);
                assert_eq!(batch.id, 0);
                assert_eq!(rust_batch_free_page(given, page), MmsbStatus::StaleHandle);
                // Both times: nothing of the first batch happened, its id came back.
                assert_eq!(page, 1);
            }
        }
        assert_eq!(words, [7; 2]);
        // SAFETY: as above.
        assert_eq!(unsafe { rust_state_close(&mut state) }, MmsbStatus::Ok);
    }
}
