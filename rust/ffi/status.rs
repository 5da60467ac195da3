//! Status codes, the calling thread's last error, and panics turned into codes.

use super::handle;
use super::pointer::Out;
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::state::{State, TLog};
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What every fallible call returns. Numbers are permanent and grouped by hundreds: 1xx argument,
/// 2xx transaction, 3xx capacity, 4xx input and output, 5xx corruption, 6xx internal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum MmsbStatus {
    /// The call did what it says.
    Ok = 0,
    /// A handle or a required pointer is null.
    NullHandle = 101,
    /// A handle was freed or closed before this call.
    StaleHandle = 102,
    /// A handle is of another kind than the call takes, or was never given out.
    WrongHandle = 103,
    /// An argument has no meaning here.
    InvalidArgument = 104,
    /// A page size, segment size or count is outside its limits.
    SizeOutOfRange = 105,
    /// A buffer's length differs from what the call needs.
    LengthMismatch = 106,
    /// A byte range does not lie inside its page.
    RangeOutOfBounds = 107,
    /// Runs of a delta are unsorted, overlapping or empty.
    RunsInvalid = 108,
    /// Bytes that must be UTF-8 are not.
    NotUtf8 = 109,
    /// A label, intent, key or value is longer than its limit.
    TooLong = 110,
    /// No page of that id was ever created.
    PageNotFound = 111,
    /// The page was freed.
    PageFreed = 112,
    /// The state is a read-only one.
    ReadOnly = 113,
    /// The state, view or log was closed.
    Closed = 114,
    /// An LSN lies after the last record.
    LsnInFuture = 115,
    /// History at that LSN is no longer kept.
    HistoryDropped = 116,
    /// The page has no metadata under that key.
    KeyNotFound = 117,
    /// No checkpoint of that name is kept.
    CheckpointNotFound = 118,
    /// The call's own progress callback asked it to stop: nothing was changed.
    Cancelled = 119,
    /// The snapshot was ended, as snapshots held more memory than they may: take a new one.
    SnapshotTooOld = 120,
    /// The state went back past the soft checkpoint, which ended it.
    CheckpointPassed = 121,
    /// The edge would close a cycle: pages cannot derive from themselves.
    Cycle = 123,
    /// Other pages derive from the page.
    HasChildren = 124,
    /// There is no such edge.
    EdgeNotFound = 125,
    /// The page is private, and the key that opens it was not given.
    Sealed = 126,
    /// The page was sealed with another key than the one that was given.
    WrongKey = 127,
    /// The page is computed from others: nobody writes it by hand.
    Derived = 131,
    /// The page is not computed from others.
    NotDerived = 132,
    /// No callback is registered under the name by which a page is computed.
    NoCallback = 133,
    /// A callback that computes a page failed: nothing was changed.
    CallbackFailed = 134,
    /// A callback made two contents of the same parents: nothing was changed.
    Impure = 135,
    /// A callback that computes a page called its state.
    Reentered = 136,
    /// Another thread computes a page by a callback, and callers are not to wait for that.
    Busy = 137,
    /// Another transaction changed what this one read: nothing was changed, it is to be tried again.
    Conflict = 201,
    /// A transaction met others in every one of its tries.
    RetriesExhausted = 202,
    /// The transaction was committed or given up.
    TransactionFinished = 203,
    /// The page belongs to a partition, which alone changes it.
    NotOwner = 204,
    /// The page was frozen: nobody changes it any more.
    Immutable = 205,
    /// The partition is held by somebody else.
    PartitionInUse = 206,
    /// A condition of an encoded transaction did not hold: nothing was changed.
    ConditionFailed = 207,
    /// Memory could not be had, or a memory limit is reached.
    OutOfMemory = 301,
    /// The disk is full: nothing was changed.
    NoSpace = 302,
    /// A group, delta or metadata map is larger than its limit.
    TooLarge = 303,
    /// All handles of the C interface are in use.
    TooManyHandles = 304,
    /// The operating system refused to read or write.
    Io = 401,
    /// A file or directory does not exist.
    FileNotFound = 402,
    /// Permission to a file or directory is denied, or it is on a read-only medium.
    PermissionDenied = 403,
    /// The directory is open already, in this process or another.
    Locked = 404,
    /// The path is not a directory or an image of this engine.
    Foreign = 405,
    /// Stored bytes are damaged: a checksum, a link or a length does not fit.
    Corrupt = 501,
    /// A file has a format version that this build does not know.
    UnknownFormat = 502,
    /// A panic was caught at the boundary; the state refuses writes.
    Panic = 601,
    /// The state refuses writes since an earlier failed sync or panic.
    Poisoned = 602,
    /// A broken promise inside the engine.
    Internal = 603,
}

impl From<ErrorKind> for MmsbStatus {
    fn from(kind: ErrorKind) -> MmsbStatus {
        use MmsbStatus as S;
        match kind {
            ErrorKind::NullHandle => S::NullHandle,
            ErrorKind::StaleHandle => S::StaleHandle,
            ErrorKind::WrongHandle => S::WrongHandle,
            ErrorKind::InvalidArgument => S::InvalidArgument,
            ErrorKind::SizeOutOfRange => S::SizeOutOfRange,
            ErrorKind::LengthMismatch => S::LengthMismatch,
            ErrorKind::RangeOutOfBounds => S::RangeOutOfBounds,
            ErrorKind::RunsInvalid => S::RunsInvalid,
            ErrorKind::NotUtf8 => S::NotUtf8,
            ErrorKind::TooLong => S::TooLong,
            ErrorKind::PageNotFound => S::PageNotFound,
            ErrorKind::PageFreed => S::PageFreed,
            ErrorKind::ReadOnly => S::ReadOnly,
            ErrorKind::Closed => S::Closed,
            ErrorKind::LsnInFuture => S::LsnInFuture,
            ErrorKind::HistoryDropped => S::HistoryDropped,
            ErrorKind::KeyNotFound => S::KeyNotFound,
            ErrorKind::CheckpointNotFound => S::CheckpointNotFound,
            ErrorKind::Cancelled => S::Cancelled,
            ErrorKind::SnapshotTooOld => S::SnapshotTooOld,
            ErrorKind::CheckpointPassed => S::CheckpointPassed,
            ErrorKind::Cycle => S::Cycle,
            ErrorKind::HasChildren => S::HasChildren,
            ErrorKind::EdgeNotFound => S::EdgeNotFound,
            ErrorKind::Sealed => S::Sealed,
            ErrorKind::WrongKey => S::WrongKey,
            ErrorKind::Derived => S::Derived,
            ErrorKind::NotDerived => S::NotDerived,
            ErrorKind::NoCallback => S::NoCallback,
            ErrorKind::CallbackFailed => S::CallbackFailed,
            ErrorKind::Impure => S::Impure,
            ErrorKind::Reentered => S::Reentered,
            ErrorKind::Busy => S::Busy,
            ErrorKind::Conflict => S::Conflict,
            ErrorKind::RetriesExhausted => S::RetriesExhausted,
            ErrorKind::TransactionFinished => S::TransactionFinished,
            ErrorKind::NotOwner => S::NotOwner,
            ErrorKind::Immutable => S::Immutable,
            ErrorKind::PartitionInUse => S::PartitionInUse,
            ErrorKind::ConditionFailed => S::ConditionFailed,
            ErrorKind::OutOfMemory => S::OutOfMemory,
            ErrorKind::NoSpace => S::NoSpace,
            ErrorKind::TooLarge => S::TooLarge,
            ErrorKind::TooManyHandles => S::TooManyHandles,
            ErrorKind::Io => S::Io,
            ErrorKind::FileNotFound => S::FileNotFound,
            ErrorKind::PermissionDenied => S::PermissionDenied,
            ErrorKind::Locked => S::Locked,
            ErrorKind::Foreign => S::Foreign,
            ErrorKind::Corrupt => S::Corrupt,
            ErrorKind::UnknownFormat => S::UnknownFormat,
            ErrorKind::Panic => S::Panic,
            ErrorKind::Poisoned => S::Poisoned,
            ErrorKind::Internal => S::Internal,
        }
    }
}

#[cold]
fn fail(error: &Error) -> MmsbStatus {
    set_message(error.message());
    error.kind().into()
}

fn set_message(message: &str) {
    handle::with_message(|last| {
        last.clear();
        last.extend(message.bytes().filter(|&byte| byte != 0));
        last.push(0);
    });
}

#[cold]
fn panicked(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    format!("a panic was caught: {}", text.unwrap_or_else(|| "no message".to_owned()))
}

/// Runs the body of a call: errors and panics become status codes.
#[inline]
pub fn call(body: impl FnOnce() -> Result<()>) -> MmsbStatus {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => MmsbStatus::Ok,
        Ok(Err(error)) => fail(&error),
        Err(payload) => {
            set_message(&panicked(&*payload));
            MmsbStatus::Panic
        }
    }
}

/// What a panic leaves in doubt, so that it refuses writes from then on.
pub trait Poison {
    fn poison(&self, reason: &str);
}

impl Poison for State {
    fn poison(&self, reason: &str) {
        State::poison(self, reason);
    }
}

impl Poison for TLog {
    fn poison(&self, reason: &str) {
        TLog::poison(self, reason);
    }
}

impl Poison for Log {
    fn poison(&self, reason: &str) {
        Log::poison(self, reason);
    }
}

/// Runs what changes `owner`, which a panic poisons.
#[inline]
pub fn guarded<R>(owner: &impl Poison, body: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        let message = panicked(&*payload);
        owner.poison(&message);
        Err(Error::new(ErrorKind::Panic, message))
    })
}

/// As [`call`], with the state behind `handle`, which a panic poisons.
#[inline]
pub fn call_state(handle: u64, body: impl FnOnce(&State) -> Result<()>) -> MmsbStatus {
    call(|| handle::with::<State, _>(handle, |state| guarded(state, || body(state))))
}

/// As [`call_state`], for a log by itself.
pub fn call_log(handle: u64, body: impl FnOnce(&TLog) -> Result<()>) -> MmsbStatus {
    call(|| handle::with::<TLog, _>(handle, |log| guarded(log, || body(log))))
}

/// The message of the calling thread's last failed call: one sentence that names the value and the
/// limit. Never null; empty before the first failure. Valid until the thread's next failed call;
/// not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn rust_error_message() -> *const c_char {
    let last = handle::with_message(|last| match last.is_empty() {
        true => c"".as_ptr(),
        false => last.as_ptr().cast(),
    });
    last.unwrap_or(c"".as_ptr())
}

/// Number of rows in the table of errors.
#[unsafe(no_mangle)]
pub extern "C" fn rust_error_count() -> usize {
    ErrorKind::ALL.len()
}

/// One row of the table of errors, in ascending order of codes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbErrorInfo {
    /// The status code.
    pub code: i32,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Whether the state should be closed and opened again.
    pub fatal: bool,
    /// Its name; UTF-8, `name_len` bytes, not terminated, valid for ever.
    pub name: *const c_char,
    /// Bytes of the name.
    pub name_len: usize,
    /// What it means, in one sentence; UTF-8, `meaning_len` bytes, valid for ever.
    pub meaning: *const c_char,
    /// Bytes of the meaning.
    pub meaning_len: usize,
}

/// Writes row `index` of the table of errors to `out`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_error_info(index: usize, out: *mut MmsbErrorInfo) -> MmsbStatus {
    call(|| {
        let Some(kind) = ErrorKind::ALL.get(index) else {
            let count = ErrorKind::ALL.len();
            bail!(InvalidArgument, "row {index} of the error table, which has {count}");
        };
        let (name, meaning) = (kind.name(), kind.meaning());
        let info = MmsbErrorInfo {
            code: kind.code(),
            retryable: kind.is_retryable(),
            fatal: kind.is_fatal(),
            name: name.as_ptr().cast(),
            name_len: name.len(),
            meaning: meaning.as_ptr().cast(),
            meaning_len: meaning.len(),
        };
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(info);
        Ok(())
    })
}

/// Whether the same call may succeed later without the caller changing it. False for codes that
/// are no errors.
#[unsafe(no_mangle)]
pub extern "C" fn rust_error_is_retryable(code: i32) -> bool {
    ErrorKind::from_code(code).is_some_and(ErrorKind::is_retryable)
}

/// Whether the state that the code came from should be closed and opened again.
#[unsafe(no_mangle)]
pub extern "C" fn rust_error_is_fatal(code: i32) -> bool {
    ErrorKind::from_code(code).is_some_and(ErrorKind::is_fatal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_number_as_a_status() {
        for &kind in ErrorKind::ALL {
            assert_eq!(MmsbStatus::from(kind) as i32, kind.code(), "{}", kind.name());
        }
    }

    #[test]
    fn a_panic_is_a_code_with_its_message() {
        let status = call(|| panic!("at the disco"));
        assert_eq!(status, MmsbStatus::Panic);
        // SAFETY: terminated, and this thread makes no other call meanwhile.
        let message = unsafe { std::ffi::CStr::from_ptr(rust_error_message()) };
        assert!(message.to_str().unwrap().contains("at the disco"));
    }

    fn message() -> String {
        // SAFETY: terminated, and this thread makes no other call meanwhile.
        let message = unsafe { std::ffi::CStr::from_ptr(rust_error_message()) };
        message.to_str().unwrap().to_owned()
    }

    /// A thread's place for a message is passed on; what stood there is not.
    #[test]
    fn a_thread_begins_without_a_message() {
        call(|| bail!(InvalidArgument, "of the first thread"));
        for round in 0..20 {
            let other = std::thread::spawn(move || {
                let before = message();
                call(|| bail!(InvalidArgument, "of thread {round}"));
                (before, message())
            });
            let expected = (String::new(), format!("of thread {round}"));
            assert_eq!(other.join().unwrap(), expected);
        }
        assert_eq!(message(), "of the first thread");
    }
}
