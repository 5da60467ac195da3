//! Comparisons: what differs between two snapshots, page by page; and snapshots as files.

use super::delta::MmsbRun;
use super::pointer::{Out, optional_out, text};
use super::state::{MmsbProgress, set, told};
use super::status::{MmsbStatus, call, call_state};
use super::{MmsbComparison, MmsbSnapshot, MmsbState, handle, take};
use crate::bail;
use crate::error::Result;
use crate::state::{Difference, PageDifference, Snapshot};
use std::ffi::{c_char, c_void};

/// How a page differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub enum MmsbDifferenceKind {
    /// Only the second snapshot has the page.
    Created = 1,
    /// Only the first has it.
    Freed = 2,
    /// Both have it, with other content or metadata.
    Changed = 3,
}

/// A page that differs. The runs belong to the comparison and are valid until it is freed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbDifference {
    /// The page's id.
    pub page: u64,
    /// How it differs.
    pub kind: MmsbDifferenceKind,
    /// `Changed`: metadata differs, or owner, edges or rule.
    pub metadata: bool,
    /// `Changed`: stretches of content that differ, ascending; null for none.
    pub runs: *const MmsbRun,
    /// Number of runs.
    pub runs_len: usize,
}

/// A comparison, with its runs as C sees them.
pub struct Comparison(Vec<(PageDifference, Vec<MmsbRun>)>);

impl From<Vec<PageDifference>> for Comparison {
    fn from(found: Vec<PageDifference>) -> Comparison {
        let with_runs = |page: PageDifference| {
            let runs = match &page.difference {
                Difference::Changed { runs, .. } => runs.iter().map(MmsbRun::from).collect(),
                Difference::Created | Difference::Freed => Vec::new(),
            };
            (page, runs)
        };
        Comparison(found.into_iter().map(with_runs).collect())
    }
}

impl Comparison {
    fn get(&self, index: usize) -> Result<MmsbDifference> {
        let Some((page, runs)) = self.0.get(index) else {
            let n = self.0.len();
            bail!(InvalidArgument, "the difference {index} of a comparison that has {n}");
        };
        let (kind, metadata) = match page.difference {
            Difference::Created => (MmsbDifferenceKind::Created, false),
            Difference::Freed => (MmsbDifferenceKind::Freed, false),
            Difference::Changed { meta, .. } => (MmsbDifferenceKind::Changed, meta),
        };
        let at = if runs.is_empty() { std::ptr::null() } else { runs.as_ptr() };
        Ok(MmsbDifference { page: page.page.0, kind, metadata, runs: at, runs_len: runs.len() })
    }
}

unsafe fn give(
    out: *mut MmsbComparison,
    compare: impl FnOnce() -> Result<Vec<PageDifference>>,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let out = unsafe { Out::new(out, "out") }?;
    out.set(MmsbComparison { id: handle::insert(Comparison::from(compare()?))? });
    Ok(())
}

/// What differs in the snapshot `to` from what `from` shows: pages, content and metadata. Pages that
/// went there and back do not differ, whatever their epochs.
///
/// Ownership: `out` is freed with `rust_comparison_free`.
/// Errors: InvalidArgument for snapshots of two states, SnapshotTooOld.
/// Cost: O(pages that changed after the older one) and a comparison of each.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_compare(
    from: MmsbSnapshot,
    to: MmsbSnapshot,
    out: *mut MmsbComparison,
) -> MmsbStatus {
    call(|| {
        handle::with::<Snapshot, _>(from.id, |from| {
            handle::with::<Snapshot, _>(to.id, |to| {
                // SAFETY: the caller's promise.
                unsafe { give(out, || from.compare(to)) }
            })
        })
    })
}

/// What differs in a state as of now from what the snapshot `from` shows; as
/// `rust_snapshot_compare`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_compare(
    state: MmsbState,
    from: MmsbSnapshot,
    out: *mut MmsbComparison,
) -> MmsbStatus {
    call_state(state.id, |state| {
        handle::with::<Snapshot, _>(from.id, |from| {
            // SAFETY: the caller's promise.
            unsafe { give(out, || state.compare(from)) }
        })
    })
}

/// How many pages differ.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_comparison_len(
    comparison: MmsbComparison,
    out: *mut usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(handle::with::<Comparison, _>(comparison.id, |comparison| Ok(comparison.0.len()))?);
        Ok(())
    })
}

/// The page that differs at `index`, from 0; they ascend by id.
///
/// Errors: InvalidArgument for an index beyond the last.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_comparison_get(
    comparison: MmsbComparison,
    index: usize,
    out: *mut MmsbDifference,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(handle::with::<Comparison, _>(comparison.id, |comparison| comparison.get(index))?);
        Ok(())
    })
}

/// Frees a comparison. `*comparison` becomes zero. Null and zero are fine.
///
/// # Safety
/// `comparison` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_comparison_free(comparison: *mut MmsbComparison) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Comparison>(comparison.cast()) }.map(drop))
}

/// Writes what a snapshot shows to the file `path`, which must not exist: an image that
/// `rust_checkpoint_load` opens. `progress`, which may be null, is told the bytes of pages written
/// so far; `lsn` may be null.
///
/// Errors: SnapshotTooOld, Cancelled, and those of `rust_checkpoint_write`. Then no file is left
/// behind.
///
/// # Safety
/// `path` is null or valid, `lsn` null or valid for a write; `progress` is null or may be called
/// with `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_snapshot_write(
    snapshot: MmsbSnapshot,
    path: *const c_char,
    progress: MmsbProgress,
    context: *mut c_void,
    lsn: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise, here and below.
        let (path, out) = unsafe { (text(path, "path")?, optional_out(lsn, "lsn")?) };
        let written = handle::with::<Snapshot, _>(snapshot.id, |snapshot| {
            // SAFETY: as above.
            snapshot.export_with(path, unsafe { told(progress, context) })
        })?;
        set(out, written.0);
        Ok(())
    })
}
