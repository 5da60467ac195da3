//! Logs by themselves.

use super::pointer::{Out, optional_out, reference, text};
use super::state::{MmsbConfig, MmsbQuery, bound, query_at, set};
use super::status::{MmsbStatus, call, call_log};
use super::{MmsbDelta, MmsbReader, MmsbTLog, ReaderObject, handle, take};
use crate::config::Config;
use crate::error::Result;
use crate::page::Delta;
use crate::state::{Query, TLog, TLogSummary};
use crate::types::Lsn;
use parking_lot::Mutex;
use std::ffi::c_char;

/// Opens or creates the log in the directory `path`, with default settings (`Buffered`).
///
/// Ownership: `out` is closed with `rust_tlog_free`.
/// Errors: Locked, Foreign, FileNotFound, PermissionDenied, Corrupt, UnknownFormat, Io.
///
/// # Safety
/// `path` is null or valid, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_new(path: *const c_char, out: *mut MmsbTLog) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (path, out) = unsafe { (text(path, "path")?, Out::new(out, "out")?) };
        out.set(MmsbTLog { id: handle::insert(TLog::open(Config::durable(path))?)? });
        Ok(())
    })
}

/// As `rust_tlog_new`, with settings.
///
/// # Safety
/// `config` is null or valid, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_open(
    config: *const MmsbConfig,
    out: *mut MmsbTLog,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise, here and below.
        let out = unsafe { Out::new(out, "out") }?;
        // SAFETY: as above.
        let config = unsafe { reference(config, "config")?.to_config() }?;
        out.set(MmsbTLog { id: handle::insert(TLog::open(config)?)? });
        Ok(())
    })
}

/// Closes a log: flushes and syncs. `*log` becomes zero. Null and zero are fine.
///
/// Errors: what the last flush and sync say; the log is closed all the same.
///
/// # Safety
/// `log` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_free(log: *mut MmsbTLog) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| match unsafe { take::<TLog>(log.cast()) }? {
        Some(log) => log.close(),
        None => Ok(()),
    })
}

/// Appends a delta as it is. `*lsn` receives its LSN, which is its id; `lsn` may be null.
///
/// # Safety
/// `lsn` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_append(
    log: MmsbTLog,
    delta: MmsbDelta,
    lsn: *mut u64,
) -> MmsbStatus {
    call_log(log.id, |log| {
        // SAFETY: the caller's promise.
        let out = unsafe { optional_out(lsn, "lsn") }?;
        set(out, handle::with::<Delta, _>(delta.id, |delta| log.append(delta))?.0);
        Ok(())
    })
}

unsafe fn settle(
    log: MmsbTLog,
    lsn: *mut u64,
    run: impl FnOnce(&TLog) -> Result<Lsn>,
) -> MmsbStatus {
    call_log(log.id, |log| {
        // SAFETY: the caller's promise.
        let out = unsafe { optional_out(lsn, "lsn") }?;
        set(out, run(log)?.0);
        Ok(())
    })
}

/// Hands everything appended before the call to the operating system. `lsn` may be null.
///
/// # Safety
/// `lsn` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_flush(log: MmsbTLog, lsn: *mut u64) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { settle(log, lsn, TLog::flush) }
}

/// Makes everything appended before the call durable. `lsn` may be null.
///
/// # Safety
/// `lsn` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_sync(log: MmsbTLog, lsn: *mut u64) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { settle(log, lsn, TLog::sync) }
}

/// What a log holds.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbTLogSummary {
    /// Deltas.
    pub deltas: u64,
    /// Pages that they change.
    pub pages: u64,
    /// Bytes of new content.
    pub payload_bytes: u64,
    /// Bytes of the log's files in use.
    pub record_bytes: u64,
    /// First LSN; 0 if there is none.
    pub first: u64,
    /// Last LSN.
    pub last: u64,
    /// Wall clock of the first record, milliseconds since 1970-01-01 UTC.
    pub first_ms: u64,
    /// Wall clock of the last record.
    pub last_ms: u64,
    /// Different source labels.
    pub sources: u64,
}

impl From<&TLogSummary> for MmsbTLogSummary {
    fn from(summary: &TLogSummary) -> MmsbTLogSummary {
        MmsbTLogSummary {
            deltas: summary.deltas,
            pages: summary.pages,
            payload_bytes: summary.payload_bytes,
            record_bytes: summary.record_bytes,
            first: summary.first.0,
            last: summary.last.0,
            first_ms: summary.first_ms,
            last_ms: summary.last_ms,
            sources: summary.sources.len() as u64,
        }
    }
}

/// Reads the whole log, checking every record, and counts.
///
/// Errors: Corrupt with file, offset and reason.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_summary(log: MmsbTLog, out: *mut MmsbTLogSummary) -> MmsbStatus {
    call_log(log.id, |log| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set((&log.summary()?).into());
        Ok(())
    })
}

/// A reader over the records above `after` and up to `to`; both as in `MmsbQuery`: `UINT64_MAX`
/// begins where history begins, and reads all that are written.
///
/// Ownership: `out` is freed with `rust_tlog_reader_free`, in any order: it stays valid when the log
/// is closed.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_reader_new(
    log: MmsbTLog,
    after: u64,
    to: u64,
    out: *mut MmsbReader,
) -> MmsbStatus {
    let [after, to] = [after, to].map(bound);
    let query = Query { after, to, ..Query::default() };
    // SAFETY: the caller's promise.
    unsafe { open_reader(log, out, || Ok(query)) }
}

/// A reader over the records that a query asks for; `query` null is for all.
///
/// Ownership: `out` is freed with `rust_tlog_reader_free`, in any order: it stays valid when the log
/// is closed.
///
/// # Safety
/// `query` is null or valid, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_query(
    log: MmsbTLog,
    query: *const MmsbQuery,
    out: *mut MmsbReader,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { open_reader(log, out, || query_at(query)) }
}

unsafe fn open_reader(
    log: MmsbTLog,
    out: *mut MmsbReader,
    query: impl FnOnce() -> Result<Query>,
) -> MmsbStatus {
    call_log(log.id, |log| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let changes = Mutex::new((log.query(query()?)?, None));
        out.set(MmsbReader { id: handle::insert(ReaderObject { changes })? });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PageId;

    /// As a state: what a panic left in doubt is not written to any more, and still read.
    #[test]
    fn a_panic_poisons_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = TLog::open(Config::durable(dir.path().join("log"))).unwrap();
        let mut log = MmsbTLog { id: handle::insert(log).unwrap() };
        let delta = Delta::dense(PageId(1), [1; 8]).unwrap();
        let mut delta = MmsbDelta { id: handle::insert(delta).unwrap() };
        let (mut lsn, mut summary) = (0, std::mem::MaybeUninit::uninit());
        // SAFETY: here and below, all places are locals.
        unsafe {
            assert_eq!(rust_tlog_append(log, delta, &mut lsn), MmsbStatus::Ok);
            assert_eq!(rust_tlog_sync(log, std::ptr::null_mut()), MmsbStatus::Ok);
            assert_eq!(call_log(log.id, |_| panic!("in the middle")), MmsbStatus::Panic);
            assert_eq!(rust_tlog_append(log, delta, &mut lsn), MmsbStatus::Poisoned);
            let message = std::ffi::CStr::from_ptr(super::super::status::rust_error_message());
            assert!(message.to_str().unwrap().contains("in the middle"), "{message:?}");
            assert_eq!(rust_tlog_summary(log, summary.as_mut_ptr()), MmsbStatus::Ok);
            assert_eq!(summary.assume_init().deltas, 1);
            assert_eq!(super::super::delta::rust_delta_free(&mut delta), MmsbStatus::Ok);
            assert_eq!(rust_tlog_free(&mut log), MmsbStatus::Poisoned);
        }
        assert_eq!(log.id, 0, "closed all the same");
        let log = TLog::open(Config::durable(dir.path().join("log"))).unwrap();
        assert_eq!(log.summary().unwrap().deltas, 1);
    }
}
