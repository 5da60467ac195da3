//! Soft checkpoints: marks in memory that a state can go back to.

use super::pointer::{MmsbNote, Out, note_at, optional_out};
use super::state::set;
use super::status::{MmsbStatus, call, call_state};
use super::{MmsbSoftCheckpoint, MmsbState, handle, take};
use crate::state::SoftCheckpoint;

/// Marks the state as it is now, for `rust_state_revert`. Marks may be nested, released and gone
/// back to in any order; going back to one ends those made after it. A mark holds what changes after
/// it, as a snapshot does, and counts as one.
///
/// Ownership: `out` is freed with `rust_soft_checkpoint_release`. It is in memory alone, and keeps
/// the state's memory until then.
/// Errors: ReadOnly, Poisoned.
/// Cost: O(lanes), whatever the state's size.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_soft_checkpoint(
    state: MmsbState,
    out: *mut MmsbSoftCheckpoint,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(MmsbSoftCheckpoint { id: handle::insert(state.soft_checkpoint()?)? });
        Ok(())
    })
}

/// Makes content, metadata, owners, edges and existence of all pages what they were at a soft checkpoint: one
/// group, which is logged. Epochs go on growing, and ids given out since stay given out. The mark
/// then stands here and can be gone back to again; marks made after it are passed. Other writers
/// wait meanwhile. `*lsn` receives the group's LSN, 0 if nothing is different; `note` and `lsn` may
/// be null.
///
/// Errors: InvalidArgument for a mark of another state, CheckpointPassed, SnapshotTooOld, TooLarge
/// if more differs than one record holds, ReadOnly, NoSpace, Poisoned. Then nothing changed, and the
/// marks are as before.
/// Cost: O(pages that changed since, and their bytes).
///
/// # Safety
/// `note` is null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_revert(
    state: MmsbState,
    mark: MmsbSoftCheckpoint,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let (note, out) = unsafe { (note_at(note)?, optional_out(lsn, "lsn")?) };
        let went = handle::with::<SoftCheckpoint, _>(mark.id, |mark| state.revert(mark, note))?;
        set(out, went.map_or(0, |lsn| lsn.0));
        Ok(())
    })
}

/// The closed LSN that a soft checkpoint stands at. Going back to it moves it there.
///
/// Errors: CheckpointPassed.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_soft_checkpoint_lsn(
    mark: MmsbSoftCheckpoint,
    out: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(handle::with::<SoftCheckpoint, _>(mark.id, SoftCheckpoint::lsn)?.0);
        Ok(())
    })
}

/// Gives a soft checkpoint up: what was held for it goes, the state stays as it is. `*mark` becomes
/// zero. Null and zero are fine.
///
/// # Safety
/// `mark` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_soft_checkpoint_release(mark: *mut MmsbSoftCheckpoint) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<SoftCheckpoint>(mark.cast()) }.map(drop))
}
