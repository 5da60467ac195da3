//! Private pages: the key, and their creation. All else goes as with other pages.

use super::pointer::{MmsbNote, Out, note_at, slice};
use super::state::location_of;
use super::status::{MmsbStatus, call, call_state};
use super::{MmsbBatch, MmsbPage, MmsbState, MmsbTransaction, handle, transact};
use crate::state::Batch;
use parking_lot::Mutex;

/// Gives the state the key that private pages are sealed with, for as long as it is open: `len`, which is
/// 32, bytes at `key`. They are copied, and wiped when the state is closed. States that
/// `rust_state_replay_to` makes have the key, too. Nothing of it is stored, so that a key that was mistyped
/// shows when a private page is read: WrongKey. To give it again is fine.
///
/// Errors: LengthMismatch; WrongKey if the state has another one already.
///
/// # Safety
/// `key` is valid for `len` reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_unlock(
    state: MmsbState,
    key: *const u8,
    len: usize,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        state.unlock(unsafe { slice(key, len, "key") }?)
    })
}

/// Whether the state has a key for private pages.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_is_unlocked(state: MmsbState, out: *mut bool) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(state.is_unlocked());
        Ok(())
    })
}

/// Creates a private page of `size` bytes (1 B to 1 GiB less 48), all zero. Its content is sealed wherever
/// it stands, in memory, in the log and in images: AES-256-GCM, under the key of
/// `rust_state_unlock`. Its metadata are not. It is read and written as others; it has no views, and
/// nothing is computed from it. `location` is an `MmsbLocation`; `note` may be null.
///
/// Errors: Sealed without a key, and those of `rust_page_create`.
/// Cost: each read opens the whole page, about 0.3 us and 1 ns per byte; each write opens and seals it, and
/// records all of it, about 1 us and 2.5 ns per byte.
///
/// # Safety
/// `note` is null or valid, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_create_private(
    state: MmsbState,
    size: u64,
    location: u32,
    note: *const MmsbNote,
    out: *mut MmsbPage,
) -> MmsbStatus {
    call_state(state.id, |this| {
        // SAFETY: the caller's promise, here and below.
        let out = unsafe { Out::new(out, "out") }?;
        // SAFETY: as above.
        let note = unsafe { note_at(note) }?;
        let id = this.create_private_page(size, location_of(location)?, note)?;
        out.set(MmsbPage { owner: state.id, id: id.0 });
        Ok(())
    })
}

/// As `rust_batch_create_page`, of a private page: see `rust_page_create_private`. `rust_batch_commit`
/// returns Sealed without a key.
///
/// # Safety
/// `id` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_batch_create_private_page(
    batch: MmsbBatch,
    size: u64,
    location: u32,
    id: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (out, location) = (unsafe { Out::new(id, "id") }?, location_of(location)?);
        let create = |batch: &Mutex<Batch>| batch.lock().create_private_page(size, location);
        out.set(handle::with::<Mutex<Batch>, _>(batch.id, create)?.0);
        Ok(())
    })
}

/// As `rust_transaction_create_page`, of a private page: see `rust_page_create_private`.
///
/// Errors: Sealed without a key, SizeOutOfRange, ReadOnly.
///
/// # Safety
/// `id` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_create_private_page(
    transaction: MmsbTransaction,
    size: u64,
    location: u32,
    id: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (out, location) = (unsafe { Out::new(id, "id") }?, location_of(location)?);
        let create = |t: &mut crate::Transaction<'static>| t.create_private_page(size, location);
        out.set(transact::with(transaction, create)?.0);
        Ok(())
    })
}
