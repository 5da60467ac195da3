//! Deltas: built, inspected, merged, applied.

use super::pointer::{Out, copy_items, copy_out, optional_out, optional_text, slice};
use super::state::set;
use super::status::{MmsbStatus, call, call_state};
use super::{MmsbDelta, MmsbPage, handle, take};
use crate::bail;
use crate::error::Result;
use crate::page::{Delta, Run, Runs};
use crate::state::Allocator;
use crate::types::PageId;
use std::ffi::c_char;

/// A stretch of a page, bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbRun {
    /// From the page's start.
    pub offset: u64,
    /// At least 1.
    pub len: u64,
}

impl From<&Run> for MmsbRun {
    fn from(run: &Run) -> MmsbRun {
        MmsbRun { offset: run.offset.into(), len: run.len.into() }
    }
}

unsafe fn give(out: *mut MmsbDelta, make: impl FnOnce() -> Result<Delta>) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(MmsbDelta { id: handle::insert(make()?)? });
        Ok(())
    })
}

/// A dense delta: the `len` bytes at `bytes` become the whole content of the page with the id
/// `page`, which has exactly that size. The bytes are copied.
///
/// Ownership: `out` is freed with `rust_delta_free`.
///
/// # Safety
/// `bytes` is valid for `len` reads, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_new(
    page: u64,
    bytes: *const u8,
    len: usize,
    out: *mut MmsbDelta,
) -> MmsbStatus {
    // SAFETY: the caller's promise, here and below.
    unsafe { give(out, || Delta::dense(PageId(page), slice(bytes, len, "bytes")?)) }
}

/// A sparse delta: the bytes at `bytes` where the byte of `mask` is not zero. Both have `len`
/// bytes, exactly the page's size.
///
/// # Safety
/// As `rust_delta_new`; `mask` is valid for `len` reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_new_sparse(
    page: u64,
    mask: *const u8,
    bytes: *const u8,
    len: usize,
    out: *mut MmsbDelta,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe {
        give(out, || {
            Delta::sparse(PageId(page), slice(mask, len, "mask")?, slice(bytes, len, "bytes")?)
        })
    }
}

/// A delta of `count` runs, ascending, not overlapping, none empty; `payload` holds their bytes one
/// after the other, `payload_len` in all.
///
/// Errors: RunsInvalid, RangeOutOfBounds, LengthMismatch.
///
/// # Safety
/// `runs` is valid for `count` reads, `payload` for `payload_len`, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_new_runs(
    page: u64,
    runs: *const MmsbRun,
    count: usize,
    payload: *const u8,
    payload_len: usize,
    out: *mut MmsbDelta,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe {
        give(out, || {
            let runs = slice(runs, count, "runs")?.iter().map(narrow);
            let runs = runs.collect::<Result<Runs>>()?;
            Delta::from_parts(PageId(page), runs, slice(payload, payload_len, "payload")?)
        })
    }
}

fn narrow(run: &MmsbRun) -> Result<Run> {
    match (u32::try_from(run.offset), u32::try_from(run.len)) {
        (Ok(offset), Ok(len)) => Ok(Run { offset, len }),
        _ => bail!(
            RangeOutOfBounds,
            "a run of {} bytes at {}: no page is so long",
            run.len,
            run.offset
        ),
    }
}

/// A delta like this one with another note. Both strings are UTF-8, zero-terminated; null is none.
///
/// Errors: TooLong, NotUtf8.
///
/// # Safety
/// The strings are null or valid, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_with_note(
    delta: MmsbDelta,
    source: *const c_char,
    intent: *const c_char,
    out: *mut MmsbDelta,
) -> MmsbStatus {
    let make = || {
        // SAFETY: the caller's promise.
        let (source, intent) =
            unsafe { (optional_text(source, "source")?, optional_text(intent, "intent")?) };
        let copy = handle::with::<Delta, _>(delta.id, |delta| Ok(delta.clone()))?;
        let noted = copy.with_source(source.unwrap_or(""))?;
        match intent {
            Some(intent) => noted.with_intent(intent),
            None => Ok(noted),
        }
    };
    // SAFETY: the caller's promise.
    unsafe { give(out, make) }
}

/// Frees a delta. `*delta` becomes zero. Null and zero are fine.
///
/// # Safety
/// `delta` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_free(delta: *mut MmsbDelta) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Delta>(delta.cast()) }.map(drop))
}

/// Applies a delta to the page that it names in the state or allocator `owner` (the `id` of an
/// `MmsbState` or `MmsbAllocator`), with its own note. `*lsn` receives the record's LSN, 0 if
/// nothing changed or for an allocator. `lsn` may be null.
///
/// Errors: those of `rust_page_update`, RunsInvalid, RangeOutOfBounds.
///
/// # Safety
/// `lsn` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_apply(
    delta: MmsbDelta,
    owner: u64,
    lsn: *mut u64,
) -> MmsbStatus {
    let allocator = (owner >> 56) as u8 == handle::Kind::Allocator as u8;
    if allocator {
        return call(|| {
            // SAFETY: the caller's promise.
            let out = unsafe { optional_out(lsn, "lsn") }?;
            handle::with::<Allocator, _>(owner, |pages| {
                handle::with::<Delta, _>(delta.id, |delta| pages.apply(delta).map(drop))
            })?;
            set(out, 0);
            Ok(())
        });
    }
    call_state(owner, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { optional_out(lsn, "lsn") }?;
        let written = handle::with::<Delta, _>(delta.id, |delta| state.apply(delta))?;
        set(out, written.map_or(0, |lsn| lsn.0));
        Ok(())
    })
}

/// Both deltas in one, the later one winning where they overlap. Both change the same page.
///
/// Ownership: `out` is freed with `rust_delta_free`; the two stay as they are.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_merge(
    earlier: MmsbDelta,
    later: MmsbDelta,
    out: *mut MmsbDelta,
) -> MmsbStatus {
    let make = || {
        handle::with::<Delta, _>(earlier.id, |earlier| {
            handle::with::<Delta, _>(later.id, |later| earlier.merge(later))
        })
    };
    // SAFETY: the caller's promise.
    unsafe { give(out, make) }
}

/// Checks that the delta fits a page of `page_size` bytes.
///
/// Errors: LengthMismatch, RunsInvalid, RangeOutOfBounds, each naming value and limit.
#[unsafe(no_mangle)]
pub extern "C" fn rust_delta_validate(delta: MmsbDelta, page_size: usize) -> MmsbStatus {
    call(|| handle::with::<Delta, _>(delta.id, |delta| delta.validate(page_size)))
}

/// What a delta says of itself.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbDeltaInfo {
    /// The page's id.
    pub page: u64,
    /// Whether it is the whole content of its page.
    pub dense: bool,
    /// Runs.
    pub runs: usize,
    /// Bytes of new content.
    pub payload_bytes: usize,
    /// First byte that changes.
    pub span_begin: u64,
    /// One past the last byte that changes.
    pub span_end: u64,
    /// LSN of the record that it was read from; 0 for a delta that a caller built.
    pub lsn: u64,
    /// The page's epoch after it, if it was read from a record.
    pub epoch: u64,
    /// Wall clock of its record, milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
}

/// What a delta says of itself.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_info(delta: MmsbDelta, out: *mut MmsbDeltaInfo) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        handle::with::<Delta, _>(delta.id, |delta| {
            let (span, stamp) = (delta.span(), delta.stamp());
            out.set(MmsbDeltaInfo {
                page: delta.page().0,
                dense: delta.is_dense(),
                runs: delta.as_runs().len(),
                payload_bytes: delta.payload_len(),
                span_begin: span.start as u64,
                span_end: span.end as u64,
                lsn: stamp.map_or(0, |stamp| stamp.lsn.0),
                epoch: stamp.map_or(0, |stamp| stamp.epoch),
                time_ms: stamp.map_or(0, |stamp| stamp.time_ms),
            });
            Ok(())
        })
    })
}

/// Copies the delta's runs to `buf`, which has room for `capacity`; `len` receives their number,
/// also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_runs(
    delta: MmsbDelta,
    buf: *mut MmsbRun,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        handle::with::<Delta, _>(delta.id, |delta| {
            let runs: Vec<MmsbRun> = delta.as_runs().iter().map(MmsbRun::from).collect();
            // SAFETY: the caller's promise.
            unsafe { copy_items(&runs, buf, capacity, len, "runs") }
        })
    })
}

/// Copies the bytes of all runs, one after the other, to `buf`; `len` receives how many there are,
/// also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_payload(
    delta: MmsbDelta,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        handle::with::<Delta, _>(delta.id, |delta| {
            // SAFETY: the caller's promise.
            unsafe { copy_out(delta.payload(), buf, capacity, len) }
        })
    })
}

/// Copies the delta's source label, UTF-8, not terminated, to `buf`; `len` receives its length.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_source(
    delta: MmsbDelta,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        handle::with::<Delta, _>(delta.id, |delta| {
            // SAFETY: the caller's promise.
            unsafe { copy_out(delta.source().as_bytes(), buf, capacity, len) }
        })
    })
}

/// Copies the delta's intent, UTF-8, not terminated, to `buf`; `len` receives its length and
/// `present` whether there is one.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` and `present` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_intent(
    delta: MmsbDelta,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
    present: *mut bool,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise, here and below.
        let present = unsafe { optional_out(present, "present") }?;
        handle::with::<Delta, _>(delta.id, |delta| {
            let intent = delta.intent();
            // SAFETY: as above.
            unsafe { copy_out(intent.unwrap_or("").as_bytes(), buf, capacity, len) }?;
            set(present, intent.is_some());
            Ok(())
        })
    })
}

/// As `rust_delta_apply`, for callers that keep pages by value: `page` must be the page that the
/// delta names.
///
/// Errors: those of `rust_delta_apply`; InvalidArgument if the delta names another page.
///
/// # Safety
/// `lsn` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_delta_apply_to(
    delta: MmsbDelta,
    page: MmsbPage,
    lsn: *mut u64,
) -> MmsbStatus {
    let named = handle::with::<Delta, _>(delta.id, |delta| Ok(delta.page().0));
    if let Ok(named) = named
        && named != page.id
    {
        return call(|| {
            bail!(InvalidArgument, "a delta of page {named} for page {}", page.id);
        });
    }
    // SAFETY: the caller's promise.
    unsafe { rust_delta_apply(delta, page.owner, lsn) }
}
