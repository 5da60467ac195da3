//! Provenance: what a page's content was made of.

use super::pointer::{Out, copy_out};
use super::status::{MmsbStatus, call, call_state};
use super::{MmsbExplanation, MmsbState, handle, take};
use crate::bail;
use crate::error::Result;
use crate::state::Explanation;
use crate::types::{PageId, Rule};
use std::ffi::c_char;
use std::ptr;

/// What made a page's content. Pointers belong to the explanation and are valid until it is freed;
/// strings are UTF-8 and not terminated.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbOrigin {
    /// The page.
    pub page: u64,
    /// Epoch of the content.
    pub epoch: u64,
    /// LSN of the record that made it.
    pub lsn: u64,
    /// Wall clock, milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// Label of who acted.
    pub source: *const c_char,
    /// Bytes of the label.
    pub source_len: usize,
    /// Why; null if they did not say.
    pub intent: *const c_char,
    /// Bytes of the intent.
    pub intent_len: usize,
    /// The formula, or the callback's name; null where the content was written.
    pub rule: *const c_char,
    /// Bytes of it.
    pub rule_len: usize,
    /// An `MmsbRuleKind`.
    pub rule_kind: u32,
    /// What it was computed of, in order: indexes of the explanation.
    pub parents: *const usize,
    /// How many.
    pub parents_len: usize,
}

fn view(explanation: &Explanation, index: usize) -> Result<MmsbOrigin> {
    let Some(origin) = explanation.origins.get(index) else {
        let n = explanation.origins.len();
        bail!(InvalidArgument, "the origin {index} of an explanation that has {n}");
    };
    let (rule_kind, rule) = origin.rule.as_ref().map_or((0, ""), Rule::parts);
    let intent = origin.intent.as_deref();
    Ok(MmsbOrigin {
        page: origin.page.0,
        epoch: origin.epoch,
        lsn: origin.lsn.0,
        time_ms: origin.time_ms,
        source: origin.source.as_ptr().cast(),
        source_len: origin.source.len(),
        intent: intent.map_or(ptr::null(), |intent| intent.as_ptr().cast()),
        intent_len: intent.map_or(0, str::len),
        rule: if rule_kind == 0 { ptr::null() } else { rule.as_ptr().cast() },
        rule_len: rule.len(),
        rule_kind: rule_kind.into(),
        parents: origin.parents.as_ptr(),
        parents_len: origin.parents.len(),
    })
}

/// Tells what made the content of a page, which parents at which epochs, and what made those, back to
/// what was written by hand. Of a stale page: what it was made of when it was computed.
///
/// Ownership: `out` is freed with `rust_explanation_free`.
/// Errors: PageNotFound, PageFreed, Corrupt with file and offset.
/// Cost: a few us for each content in the answer, and 1 us for each change of one of these pages since.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_explain(
    state: MmsbState,
    page: u64,
    out: *mut MmsbExplanation,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(MmsbExplanation { id: handle::insert(state.explain(PageId(page))?)? });
        Ok(())
    })
}

/// How many contents an explanation tells of: the page's own is the first. `*dropped` receives how many
/// it leaves out, as they were made before history begins.
///
/// # Safety
/// `count` and `dropped` are null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_explanation_len(
    explanation: MmsbExplanation,
    count: *mut usize,
    dropped: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (count, dropped) =
            unsafe { (Out::new(count, "count")?, Out::new(dropped, "dropped")?) };
        handle::with::<Explanation, _>(explanation.id, |explanation| {
            count.set(explanation.origins.len());
            dropped.set(explanation.dropped);
            Ok(())
        })
    })
}

/// The content at `index`, from 0.
///
/// Errors: InvalidArgument for an index beyond the last.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_explanation_get(
    explanation: MmsbExplanation,
    index: usize,
    out: *mut MmsbOrigin,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(handle::with::<Explanation, _>(explanation.id, |told| view(told, index))?);
        Ok(())
    })
}

/// The explanation as text, a line for each content, copied to `buf`, not terminated, which has room
/// for `capacity` bytes; `len` receives their number, also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for writes of `capacity` bytes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_explanation_text(
    explanation: MmsbExplanation,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        handle::with::<Explanation, _>(explanation.id, |explanation| {
            // SAFETY: the caller's promise.
            unsafe { copy_out(explanation.to_string().as_bytes(), buf, capacity, len) }
        })
    })
}

/// Frees an explanation. `*explanation` becomes zero. Null and zero are fine.
///
/// # Safety
/// `explanation` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_explanation_free(explanation: *mut MmsbExplanation) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Explanation>(explanation.cast()) }.map(drop))
}
