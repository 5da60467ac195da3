//! Checkpoints: kept in the state's directory, or written to a file of their own.

use super::pointer::{Out, copy_items, optional_out, optional_text, text};
use super::state::{MmsbProgress, set, told};
use super::status::{MmsbStatus, call, call_state};
use super::{MmsbState, handle};
use crate::limits::CHECKPOINT_NAME_BYTES_MAX;
use crate::state::{CheckpointInfo, State};
use std::ffi::{c_char, c_void};

/// A checkpoint that is kept.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbCheckpoint {
    /// The closed LSN that it stands at.
    pub lsn: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Its name, UTF-8, zero-terminated; empty if it has none.
    pub name: [c_char; 65],
}

const _: () = assert!(CHECKPOINT_NAME_BYTES_MAX == 64);

impl From<&CheckpointInfo> for MmsbCheckpoint {
    fn from(info: &CheckpointInfo) -> MmsbCheckpoint {
        let mut name = [0; 65];
        for (to, &from) in name.iter_mut().zip(info.name.as_bytes()) {
            *to = from as c_char;
        }
        MmsbCheckpoint { lsn: info.lsn.0, bytes: info.bytes, name }
    }
}

/// Makes a durable image of the state as of now, without stopping writers, and lets log go that
/// nothing needs. `name` (UTF-8, at most 64 bytes) keeps it until it is dropped; null for one that
/// later ones replace. `lsn` may be null.
///
/// Errors: TooLong, NotUtf8, InvalidArgument for a name in use, ReadOnly for a replayed state,
/// NoSpace, Io, Poisoned. Then the state and what is kept of it are as before.
/// Cost: writing all pages once, and a few syncs.
///
/// # Safety
/// `name` is null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_checkpoint_create(
    state: MmsbState,
    name: *const c_char,
    lsn: *mut u64,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let (name, out) = unsafe { (optional_text(name, "name")?, optional_out(lsn, "lsn")?) };
        set(out, state.checkpoint(name)?.lsn.0);
        Ok(())
    })
}

/// As `rust_checkpoint_create`; `progress` is told the bytes of pages written so far. It must not
/// make another checkpoint of the state (InvalidArgument).
///
/// Errors: also Cancelled; what is kept is then as before.
///
/// # Safety
/// As `rust_checkpoint_create`; `progress` is null or may be called with `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_checkpoint_create_with(
    state: MmsbState,
    name: *const c_char,
    progress: MmsbProgress,
    context: *mut c_void,
    lsn: *mut u64,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise, here and below.
        let (name, out) = unsafe { (optional_text(name, "name")?, optional_out(lsn, "lsn")?) };
        // SAFETY: as above.
        let made = state.checkpoint_with(name, unsafe { told(progress, context) })?;
        set(out, made.lsn.0);
        Ok(())
    })
}

/// Gives a named checkpoint up.
///
/// Errors: CheckpointNotFound.
///
/// # Safety
/// `name` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_checkpoint_drop(state: MmsbState, name: *const c_char) -> MmsbStatus {
    // SAFETY: the caller's promise.
    call_state(state.id, |state| state.drop_checkpoint(unsafe { text(name, "name") }?))
}

/// Copies the checkpoints that are kept, oldest first, to `buf`, which has room for `capacity`;
/// `len` receives their number, also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_checkpoint_list(
    state: MmsbState,
    buf: *mut MmsbCheckpoint,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call_state(state.id, |state| {
        let list: Vec<_> = state.checkpoints()?.iter().map(MmsbCheckpoint::from).collect();
        // SAFETY: the caller's promise.
        unsafe { copy_items(&list, buf, capacity, len, "checkpoints") }
    })
}

/// Writes an image of the state as of now to the file `path`, which must not exist. `lsn` may be
/// null.
///
/// Errors: InvalidArgument if something of that name exists (it is left alone), FileNotFound for its
/// directory, NotUtf8, NoSpace, PermissionDenied, Io. Then no file is left behind.
///
/// # Safety
/// `path` is null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_checkpoint_write(
    state: MmsbState,
    path: *const c_char,
    lsn: *mut u64,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let (path, out) = unsafe { (text(path, "path")?, optional_out(lsn, "lsn")?) };
        set(out, state.export_checkpoint(path)?.0);
        Ok(())
    })
}

/// As `rust_checkpoint_write`; `progress` is told the bytes of pages written so far.
///
/// Errors: also Cancelled; then no file is left behind.
///
/// # Safety
/// As `rust_checkpoint_write`; `progress` is null or may be called with `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_checkpoint_write_with(
    state: MmsbState,
    path: *const c_char,
    progress: MmsbProgress,
    context: *mut c_void,
    lsn: *mut u64,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise, here and below.
        let (path, out) = unsafe { (text(path, "path")?, optional_out(lsn, "lsn")?) };
        // SAFETY: as above.
        set(out, state.export_checkpoint_with(path, unsafe { told(progress, context) })?.0);
        Ok(())
    })
}

/// Opens the image in the file `path` as a new state in memory. The file is mapped copy-on-write:
/// it never changes, and pages are read when they are first asked for.
///
/// Ownership: `out` is closed with `rust_state_close`.
/// Errors: FileNotFound, Foreign for a directory or a file that never was an image, Corrupt,
/// UnknownFormat, Io.
/// Cost: about a millisecond, whatever the size.
///
/// # Safety
/// `path` is null or valid, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_checkpoint_load(
    path: *const c_char,
    out: *mut MmsbState,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (path, out) = unsafe { (text(path, "path")?, Out::new(out, "out")?) };
        out.set(MmsbState { id: handle::insert(State::load_checkpoint(path)?)? });
        Ok(())
    })
}
