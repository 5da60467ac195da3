//! Readers: one change after the other.

use super::pointer::Out;
use super::status::{MmsbStatus, call};
use super::{Current, MmsbDelta, MmsbReader, ReaderObject, handle, take};
use crate::bail;
use crate::state::Change;
use crate::types::Rule;
use std::ffi::c_char;
use std::ptr;

/// What a change did to its page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub enum MmsbChangeKind {
    /// The page began.
    Created = 1,
    /// The page ended.
    Freed = 2,
    /// Content changed.
    Written = 3,
    /// A metadata key changed.
    Metadata = 4,
    /// The page, which had ended, began again, all zero: the state went back to a soft checkpoint.
    Restored = 5,
    /// The page belongs to somebody else from then on.
    Owned = 6,
    /// The page derives from another from then on.
    EdgeAdded = 7,
    /// The page derives from another no longer.
    EdgeRemoved = 8,
    /// The content is computed by another rule from then on, or no longer computed.
    Ruled = 9,
    /// Content was computed anew by the page's formula; `rust_page_at` tells what it came to.
    Derived = 10,
    /// Content was computed anew by a callback: the runs and bytes that changed.
    Computed = 11,
    /// Content became stale, or was found not to be.
    Staled = 12,
    /// The content of a private page changed; `rust_page_at` tells what it came to.
    Sealed = 13,
}

/// One change to one page. Pointers belong to the reader and are valid until its next change or its
/// end; strings are UTF-8 and not terminated.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbChange {
    /// The record's LSN. Changes of one group share it.
    pub lsn: u64,
    /// Wall clock, milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// The page's id.
    pub page: u64,
    /// The page's epoch after the change.
    pub epoch: u64,
    /// LSN of the record that changed the page before; 0 for none.
    pub prev: u64,
    /// What happened.
    pub kind: MmsbChangeKind,
    /// `Created`, `Restored`: an `MmsbLocation`.
    pub location: u32,
    /// `Created`, `Restored`: bytes of the page.
    pub size: u64,
    /// Label of who acted.
    pub source: *const c_char,
    /// Bytes of the label.
    pub source_len: usize,
    /// Why; null if they did not say.
    pub intent: *const c_char,
    /// Bytes of the intent.
    pub intent_len: usize,
    /// `Metadata`: the key.
    pub key: *const u8,
    /// Bytes of the key.
    pub key_len: usize,
    /// `Metadata`: the value from then on; null if the key went.
    pub value: *const u8,
    /// Bytes of the value.
    pub value_len: usize,
    /// `Written`, `Computed`: runs.
    pub runs: usize,
    /// `Written`, `Computed`: bytes of new content, one run after the other.
    pub payload: *const u8,
    /// Bytes of new content.
    pub payload_len: usize,
    /// `EdgeAdded`, `EdgeRemoved`: the parent's id.
    pub parent: u64,
    /// `EdgeAdded`, `EdgeRemoved`: an `MmsbEdgeKind`.
    pub edge: u32,
    /// `Owned`: 0 for shared, 1 for immutable, else 2 and the partition's number.
    pub ownership: u32,
    /// `Ruled`: the formula, or the callback's name; null if the page is no longer computed.
    pub rule: *const c_char,
    /// Bytes of it.
    pub rule_len: usize,
    /// `Ruled`: an `MmsbRuleKind`, 0 if the page is no longer computed.
    pub rule_kind: u32,
    /// `Staled`: an `MmsbStaleness`.
    pub staleness: u32,
}

fn view(current: &Current) -> MmsbChange {
    let changed = &current.changed;
    let intent = changed.intent.as_deref();
    let mut out = MmsbChange {
        lsn: changed.lsn.0,
        time_ms: changed.time_ms,
        page: changed.page.0,
        epoch: changed.epoch,
        prev: changed.prev.0,
        kind: MmsbChangeKind::Freed,
        location: 0,
        size: 0,
        source: changed.source.as_ptr().cast(),
        source_len: changed.source.len(),
        intent: intent.map_or(ptr::null(), |intent| intent.as_ptr().cast()),
        intent_len: intent.map_or(0, str::len),
        key: ptr::null(),
        key_len: 0,
        value: ptr::null(),
        value_len: 0,
        runs: 0,
        payload: ptr::null(),
        payload_len: 0,
        parent: 0,
        edge: 0,
        ownership: 0,
        rule: ptr::null(),
        rule_len: 0,
        rule_kind: 0,
        staleness: 0,
    };
    match &changed.change {
        Change::Freed => {}
        Change::Created { size, location } => {
            out.kind = MmsbChangeKind::Created;
            (out.size, out.location) = (*size, *location as u32);
        }
        Change::Restored { size, location } => {
            out.kind = MmsbChangeKind::Restored;
            (out.size, out.location) = (*size, *location as u32);
        }
        Change::Owned(ownership) => {
            out.kind = MmsbChangeKind::Owned;
            out.ownership = ownership.code();
        }
        Change::EdgeAdded(link) => {
            out.kind = MmsbChangeKind::EdgeAdded;
            (out.parent, out.edge) = (link.page.0, link.kind as u32);
        }
        Change::EdgeRemoved(link) => {
            out.kind = MmsbChangeKind::EdgeRemoved;
            (out.parent, out.edge) = (link.page.0, link.kind as u32);
        }
        Change::Ruled(rule) => {
            out.kind = MmsbChangeKind::Ruled;
            if let Some((kind, text)) = rule.as_ref().map(Rule::parts) {
                (out.rule, out.rule_len) = (text.as_ptr().cast(), text.len());
                out.rule_kind = kind.into();
            }
        }
        Change::Derived => out.kind = MmsbChangeKind::Derived,
        Change::Sealed => out.kind = MmsbChangeKind::Sealed,
        Change::Staled(staleness) => {
            out.kind = MmsbChangeKind::Staled;
            out.staleness = *staleness as u32;
        }
        Change::Written(delta) | Change::Computed(delta) => {
            out.kind = match &changed.change {
                Change::Computed(_) => MmsbChangeKind::Computed,
                _ => MmsbChangeKind::Written,
            };
            out.runs = delta.as_runs().len();
            (out.payload, out.payload_len) = (delta.payload().as_ptr(), delta.payload_len());
        }
        Change::Meta { key, value } => {
            out.kind = MmsbChangeKind::Metadata;
            (out.key, out.key_len) = (key.as_ptr(), key.len());
            if let Some(value) = value {
                (out.value, out.value_len) = (value.as_ptr(), value.len());
            }
        }
    }
    out
}

/// Goes on to the next change: `*more` says whether there is one, and only then `out` is written.
///
/// Errors: Corrupt with file, offset and reason; the reader is then at its end.
///
/// # Safety
/// `out` and `more` are null or valid for a write. What an earlier call wrote to `out` points to
/// memory that this call frees.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_reader_next(
    reader: MmsbReader,
    out: *mut MmsbChange,
    more: *mut bool,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (out, more) = unsafe { (Out::new(out, "out")?, Out::new(more, "more")?) };
        handle::with::<ReaderObject, _>(reader.id, |reader| {
            let mut guard = reader.changes.lock();
            let (changes, current) = &mut *guard;
            *current = changes.next().transpose()?.map(|changed| Current { changed });
            more.set(current.is_some());
            if let Some(current) = current {
                out.set(view(current));
            }
            Ok(())
        })
    })
}

/// The delta of the change that the reader stands at, as one of the caller's own.
///
/// Ownership: `out` is freed with `rust_delta_free`.
/// Errors: InvalidArgument if the reader stands at no change of content.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_reader_delta(
    reader: MmsbReader,
    out: *mut MmsbDelta,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let delta =
            handle::with::<ReaderObject, _>(reader.id, |reader| match &reader.changes.lock().1 {
                Some(Current { changed }) => match &changed.change {
                    Change::Written(delta) | Change::Computed(delta) => Ok(delta.clone()),
                    _ => bail!(InvalidArgument, "the reader stands at a change without content"),
                },
                None => bail!(InvalidArgument, "the reader stands at no change"),
            })?;
        out.set(MmsbDelta { id: handle::insert(delta)? });
        Ok(())
    })
}

/// Frees a reader. `*reader` becomes zero. Null and zero are fine.
///
/// # Safety
/// `reader` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tlog_reader_free(reader: *mut MmsbReader) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<ReaderObject>(reader.cast()) }.map(drop))
}
