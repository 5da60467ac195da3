//! Derived pages: what is computed from others, by formulas or callbacks.

use super::MmsbState;
use super::pointer::{MmsbNote, Out, copy_items, copy_out, note_at, optional_out, slice, text};
use super::state::set;
use super::status::{MmsbStatus, call_state};
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::state::{Callback, Propagation, Recompute, State};
use crate::types::{Lsn, Note, PageId, Rule};
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// How a page is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum MmsbRuleKind {
    /// It is not.
    None = 0,
    /// By a formula.
    Formula = 1,
    /// By the callback that is registered under a name.
    Callback = 2,
}

/// Whether a derived page is what its rule makes of its parents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum MmsbStaleness {
    /// It is.
    Fresh = 0,
    /// A page further up is stale: it may change when that is computed.
    Behind = 1,
    /// A parent changed since it was computed.
    Stale = 2,
}

/// When derived pages are computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum MmsbPropagation {
    /// In the group of the change.
    Immediate = 0,
    /// When `rust_propagate_run` is called; until then they are known as stale.
    Deferred = 1,
}

/// Bytes that a callback is given.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbBytes {
    /// The first of them; not null.
    pub data: *const u8,
    /// How many.
    pub len: usize,
}

/// Computes the content of `page` from the contents of its parents: fills the `len` bytes at `out`,
/// which are zero. Pointers are valid during the call. Returns 0, or another number
/// after it put a zero-terminated sentence of at most `capacity` bytes into `message`: then the whole
/// group fails with CallbackFailed and that sentence, and nothing changed.
///
/// It depends on its parents alone: calls to the same state on the same thread fail with Reentered, and
/// the group fails with CallbackFailed, whatever the callback makes of that. It must not unwind or jump
/// out.
pub type MmsbRecompute = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        page: u64,
        parents: *const MmsbBytes,
        count: usize,
        out: *mut u8,
        len: usize,
        message: *mut c_char,
        capacity: usize,
    ) -> i32,
>;

/// Called with a callback's context once that is not used any more: when the state ends, or another
/// callback is registered under the name.
pub type MmsbRelease = Option<unsafe extern "C" fn(context: *mut c_void)>;

/// What propagation did since the state was opened.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbPropagationStats {
    /// Derived pages.
    pub derived: u64,
    /// Derived pages that are stale, or may be.
    pub stale: u64,
    /// Times that a page was computed.
    pub computed: u64,
    /// Times that it came out as it was.
    pub cut_off: u64,
    /// Times that it was computed in a wave that several threads shared.
    pub shared: u64,
}

/// Room for a callback's sentence, bytes.
const MESSAGE_BYTES: usize = 512;

/// A callback from C.
struct Foreign {
    call: unsafe extern "C" fn(
        *mut c_void,
        u64,
        *const MmsbBytes,
        usize,
        *mut u8,
        usize,
        *mut c_char,
        usize,
    ) -> i32,
    context: *mut c_void,
    release: MmsbRelease,
}

// SAFETY: whoever registers it promises that it may be called on any thread.
unsafe impl Send for Foreign {}
// SAFETY: the engine calls it on one thread at a time.
unsafe impl Sync for Foreign {}

impl Foreign {
    /// Releases `context` if there is no callback.
    fn new(callback: MmsbRecompute, context: *mut c_void, release: MmsbRelease) -> Result<Foreign> {
        match callback {
            Some(call) => Ok(Foreign { call, context, release }),
            None => {
                if let Some(release) = release {
                    // SAFETY: the promise of whoever gives it.
                    unsafe { release(context) }
                }
                bail!(NullHandle, "callback is null")
            }
        }
    }

    fn registered(self, on_any_thread: bool) -> Callback {
        Callback { call: Arc::new(self), on_any_thread }
    }
}

impl Recompute for Foreign {
    fn compute(&self, page: PageId, parents: &[&[u8]], out: &mut [u8]) -> Result<()> {
        let bytes = |parent: &&[u8]| MmsbBytes { data: parent.as_ptr(), len: parent.len() };
        let parents: Vec<MmsbBytes> = parents.iter().map(bytes).collect();
        let (count, len) = (parents.len(), out.len());
        let mut message = [0u8; MESSAGE_BYTES];
        let said = message.as_mut_ptr().cast();
        // SAFETY: the promise of whoever registered it; all pointers are valid during the call.
        let code = unsafe {
            let (parents, out) = (parents.as_ptr(), out.as_mut_ptr());
            (self.call)(self.context, page.0, parents, count, out, len, said, MESSAGE_BYTES)
        };
        if code == 0 {
            return Ok(());
        }
        let end = message.iter().position(|&byte| byte == 0).unwrap_or(MESSAGE_BYTES);
        let sentence = match end {
            0 => format!("its callback returned {code}"),
            _ => String::from_utf8_lossy(&message[..end]).into_owned(),
        };
        Err(Error::new(ErrorKind::CallbackFailed, sentence))
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the promise of whoever registered it; nobody calls it any more.
            unsafe { release(self.context) }
        }
    }
}

/// # Safety
/// `parents` is null or points to `count` ids, `note` is null or valid, `lsn` null or valid for a
/// write.
unsafe fn derive(
    state: MmsbState,
    (parents, count): (*const u64, usize),
    note: *const MmsbNote,
    lsn: *mut u64,
    derive: impl FnOnce(&State, &[PageId], Note<'_>) -> Result<Option<Lsn>>,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let (parents, note, out) = unsafe {
            (slice(parents, count, "parents")?, note_at(note)?, optional_out(lsn, "lsn")?)
        };
        let parents: Vec<PageId> = parents.iter().map(|&id| PageId(id)).collect();
        set(out, derive(state, &parents, note)?.map_or(0, |lsn| lsn.0));
        Ok(())
    })
}

/// Has `page` computed by a formula (docs/formulas.md) from the `count` pages at `parents`, from now on
/// and at once. They become its parents over edges for data. `*lsn` receives the group's LSN, 0 if all
/// is so already; `note` and `lsn` may be null.
///
/// Errors: InvalidArgument for the formula, with the place in it; LengthMismatch for sizes that do not
/// fit it, Cycle, PageNotFound, PageFreed, NotOwner, Immutable. Then nothing changed.
///
/// # Safety
/// `parents` is null or points to `count` ids, `formula` is null or zero-terminated, `note` is null or
/// valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_derive(
    state: MmsbState,
    page: u64,
    parents: *const u64,
    count: usize,
    formula: *const c_char,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise, here and below.
    unsafe {
        derive(state, (parents, count), note, lsn, |state, parents, note| {
            state.derive(PageId(page), parents, text(formula, "formula")?, note)
        })
    }
}

/// As `rust_propagate_derive`, by the callback that is registered under `name`.
///
/// Errors: NoCallback, CallbackFailed, and those of `rust_propagate_derive`.
///
/// # Safety
/// As `rust_propagate_derive`, with `name` in the formula's place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_derive_by(
    state: MmsbState,
    page: u64,
    parents: *const u64,
    count: usize,
    name: *const c_char,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise, here and below.
    unsafe {
        derive(state, (parents, count), note, lsn, |state, parents, note| {
            state.derive_by(PageId(page), parents, text(name, "name")?, note)
        })
    }
}

/// As `rust_propagate_derive_by`, by a callback that is registered under `name` for it. If it fails, what
/// was registered under that name before still is. For more pages by the same callback:
/// `rust_propagate_derive_by`.
///
/// - `context`, `release`, `any_thread`: as in `rust_propagate_register`.
///
/// Errors: InvalidArgument if another callback of that name computes another page, NullHandle for
/// `callback`, and those of `rust_propagate_derive_by`.
///
/// # Safety
/// As `rust_propagate_derive_by` and `rust_propagate_register`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_derive_with(
    state: MmsbState,
    page: u64,
    parents: *const u64,
    count: usize,
    name: *const c_char,
    callback: MmsbRecompute,
    context: *mut c_void,
    release: MmsbRelease,
    any_thread: bool,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    let foreign = Foreign::new(callback, context, release);
    // SAFETY: the caller's promise, here and below.
    unsafe {
        derive(state, (parents, count), note, lsn, |state, parents, note| {
            let callback = foreign?.registered(any_thread);
            state.derive_as(PageId(page), parents, (text(name, "name")?, callback), note)
        })
    }
}

/// Registers a callback that pages can be computed by, under a name of 1 to 255 bytes that stands in the
/// log, until the state is closed. A state that is opened again needs it before a parent of such a page
/// changes; replay does not. What was registered under the name goes, for all pages that are computed by
/// it; they are computed anew when a parent changes.
///
/// - `context`: given to each call.
/// - `release`: null, or called with `context` once that is not used any more, on any thread; also if
///   this call fails.
/// - `any_thread`: whether it may be called on threads of the engine's own, an executor's workers. If
///   not, work there that would call it fails.
///
/// Ownership: `context` stays the caller's until `release` is called.
/// Errors: NullHandle for `callback`, InvalidArgument for the name, Reentered, Closed.
///
/// # Safety
/// `name` is null or zero-terminated; `callback` and `release` may be called with `context` as said, by
/// the threads that write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_register(
    state: MmsbState,
    name: *const c_char,
    callback: MmsbRecompute,
    context: *mut c_void,
    release: MmsbRelease,
    any_thread: bool,
) -> MmsbStatus {
    let foreign = Foreign::new(callback, context, release);
    call_state(state.id, move |state| {
        // SAFETY: the caller's promise.
        state.register_as(unsafe { text(name, "name") }?, foreign?.registered(any_thread))
    })
}

/// Has `page` computed by a formula from the parents that it has over edges for data. `*lsn` receives
/// the group's LSN, 0 if it is so already; `note` and `lsn` may be null.
///
/// Errors: those of `rust_propagate_derive`.
///
/// # Safety
/// `formula` is null or zero-terminated, `note` is null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_set_formula(
    state: MmsbState,
    page: u64,
    formula: *const c_char,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise, here and below.
    unsafe {
        derive(state, (std::ptr::null(), 0), note, lsn, |state, _, note| {
            state.set_formula(PageId(page), text(formula, "formula")?, note)
        })
    }
}

/// As `rust_propagate_set_formula`, by the callback that is registered under `name`.
///
/// Errors: those of `rust_propagate_derive_by`.
///
/// # Safety
/// As `rust_propagate_set_formula`, with `name` in the formula's place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_set_callback(
    state: MmsbState,
    page: u64,
    name: *const c_char,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise, here and below.
    unsafe {
        derive(state, (std::ptr::null(), 0), note, lsn, |state, _, note| {
            state.set_callback(PageId(page), text(name, "name")?, note)
        })
    }
}

/// Makes a page an ordinary one, with the content that it has. Its edges stay. `*lsn` receives the
/// record's LSN; `note` and `lsn` may be null.
///
/// Errors: NotDerived, PageNotFound, PageFreed.
///
/// # Safety
/// `note` is null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_underive(
    state: MmsbState,
    page: u64,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise, here and below.
    unsafe {
        derive(state, (std::ptr::null(), 0), note, lsn, |state, _, note| {
            state.underive(PageId(page), note)
        })
    }
}

/// What a page is computed by: `*kind` receives an `MmsbRuleKind`; the formula, or the callback's name,
/// is copied to `buf`, not terminated, which has room for `capacity` bytes; `len` receives their
/// number, also when the buffer is too small.
///
/// Errors: PageNotFound, PageFreed; LengthMismatch if the buffer is too small.
///
/// # Safety
/// `kind` and `len` are null or valid for a write, `buf` is null or valid for writes of `capacity`
/// bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_rule(
    state: MmsbState,
    page: u64,
    kind: *mut u32,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(kind, "kind") }?;
        let rule = state.rule(PageId(page))?;
        let (kind, rule_text) = rule.as_ref().map_or((0, ""), Rule::parts);
        // SAFETY: the caller's promise.
        unsafe { copy_out(rule_text.as_bytes(), buf, capacity, len) }?;
        out.set(kind.into());
        Ok(())
    })
}

/// Whether a page is what its rule makes of its parents: `*out` receives an `MmsbStaleness`.
///
/// Errors: PageNotFound, PageFreed.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_staleness(
    state: MmsbState,
    page: u64,
    out: *mut u32,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(state.staleness(PageId(page))? as u32);
        Ok(())
    })
}

/// The pages that are stale, or may be, ascending: copied to `buf`, which has room for `capacity`;
/// `len` receives their number, also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_stale_pages(
    state: MmsbState,
    buf: *mut u64,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call_state(state.id, |state| {
        let pages: Vec<u64> = state.stale_pages()?.into_iter().map(|page| page.0).collect();
        // SAFETY: the caller's promise.
        unsafe { copy_items(&pages, buf, capacity, len, "pages") }
    })
}

/// Computes all that is stale, each page once, parents first, as one group. `*lsn` receives its LSN, 0
/// if nothing is stale; `note` and `lsn` may be null.
///
/// Errors: those of computing: NoCallback, CallbackFailed, Impure, RangeOutOfBounds of a formula's
/// indexes. Then nothing changed.
///
/// # Safety
/// `note` is null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_run(
    state: MmsbState,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    // SAFETY: the caller's promise, here and below.
    unsafe {
        derive(state, (std::ptr::null(), 0), note, lsn, |state, _, note| state.propagate(note))
    }
}

/// When derived pages are computed: `*out` receives an `MmsbPropagation`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_mode(state: MmsbState, out: *mut u32) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(state.propagation() as u32);
        Ok(())
    })
}

/// Sets when derived pages are computed, an `MmsbPropagation`, until the state is closed. What is stale
/// by then is computed with the next change of a page that others are computed from, or by
/// `rust_propagate_run`.
///
/// Errors: InvalidArgument, Reentered.
#[unsafe(no_mangle)]
pub extern "C" fn rust_propagate_set_mode(state: MmsbState, mode: u32) -> MmsbStatus {
    call_state(state.id, |state| match u8::try_from(mode).ok().and_then(Propagation::from_u8) {
        Some(mode) => state.set_propagation(mode),
        None => bail!(InvalidArgument, "{mode} is no mode of propagation; 0 and 1 are"),
    })
}

/// Threads that share in computing pages by formulas, where many are due at once that do not derive from
/// each other: with so many bytes that it is worth it.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_threads(state: MmsbState, out: *mut usize) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(state.propagation_threads());
        Ok(())
    })
}

/// Sets how many threads, 1 to 64, share in computing pages, the caller among them, until the state is
/// closed. At first as many as there are cores, 8 at most. The outcome is the same with any number.
/// Callbacks are called on the caller's thread alone.
///
/// Errors: InvalidArgument.
#[unsafe(no_mangle)]
pub extern "C" fn rust_propagate_set_threads(state: MmsbState, threads: usize) -> MmsbStatus {
    call_state(state.id, |state| state.set_propagation_threads(threads))
}

/// Has each callback called twice from now on, and compared, or no longer: a difference is Impure.
#[unsafe(no_mangle)]
pub extern "C" fn rust_propagate_check_purity(state: MmsbState, check: bool) -> MmsbStatus {
    call_state(state.id, |state| state.check_purity(check))
}

/// What propagation did since the state was opened.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_propagate_stats(
    state: MmsbState,
    out: *mut MmsbPropagationStats,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let stats = state.propagation_stats()?;
        out.set(MmsbPropagationStats {
            derived: stats.derived,
            stale: stats.stale,
            computed: stats.computed,
            cut_off: stats.cut_off,
            shared: stats.shared,
        });
        Ok(())
    })
}

/// Has calls that would wait for another thread's callback fail with Busy instead, in this process from
/// now on, or wait, as they do at first. For languages whose collector waits for all threads to come
/// back to the language: they try again.
#[unsafe(no_mangle)]
pub extern "C" fn rust_propagate_set_patient(patient: bool) -> MmsbStatus {
    crate::state::set_patient(patient);
    MmsbStatus::Ok
}
