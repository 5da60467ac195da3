//! Edges: what derives from what.

use super::MmsbState;
use super::pointer::{MmsbNote, Out, copy_items, copy_out, note_at, optional_out};
use super::state::set;
use super::status::{MmsbStatus, call_state};
use crate::bail;
use crate::error::Result;
use crate::state::State;
use crate::types::{EdgeKind, Link, PageId};

/// What an edge from one page to another says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum MmsbEdgeKind {
    /// The child is made of the parent's content.
    Data = 0,
    /// The child comes after the parent.
    Control = 1,
    /// The child's device work comes after the parent's.
    Device = 2,
    /// A compiler found that the child depends on the parent.
    Compiler = 3,
}

/// An edge as one of its ends sees it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbLink {
    /// The page at the other end.
    pub page: u64,
    /// An `MmsbEdgeKind`.
    pub kind: u32,
}

/// A page's place in the order of the graph.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbRank {
    /// The page.
    pub page: u64,
    /// The most edges on a way to it from a page without parents.
    pub height: u32,
}

fn kind_of(kind: u32) -> Result<EdgeKind> {
    match u8::try_from(kind).ok().and_then(EdgeKind::from_u8) {
        Some(kind) => Ok(kind),
        None => bail!(InvalidArgument, "{kind} is no kind of edge; 0 to 3 are"),
    }
}

/// Adds an edge: the page `child` derives from `parent`. `kind` is an `MmsbEdgeKind`; between two pages
/// there may be one edge of each. `*lsn` receives the record's LSN, 0 if the edge is there already;
/// `note` and `lsn` may be null.
///
/// Errors: Cycle, which names the pages on it, PageNotFound, PageFreed, InvalidArgument. Then nothing
/// changed.
/// Cost: about 0.1 us where pages are added in an order that fits.
///
/// # Safety
/// `note` is null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_add_edge(
    state: MmsbState,
    parent: u64,
    child: u64,
    kind: u32,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let (note, out) = unsafe { (note_at(note)?, optional_out(lsn, "lsn")?) };
        let done = state.add_edge(PageId(parent), PageId(child), kind_of(kind)?, note)?;
        set(out, done.map_or(0, |lsn| lsn.0));
        Ok(())
    })
}

/// Takes an edge away. `*lsn` receives the record's LSN; `note` and `lsn` may be null.
///
/// Errors: EdgeNotFound, PageNotFound, PageFreed, InvalidArgument.
///
/// # Safety
/// `note` is null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_remove_edge(
    state: MmsbState,
    parent: u64,
    child: u64,
    kind: u32,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let (note, out) = unsafe { (note_at(note)?, optional_out(lsn, "lsn")?) };
        set(out, state.remove_edge(PageId(parent), PageId(child), kind_of(kind)?, note)?.0);
        Ok(())
    })
}

/// # Safety
/// As `copy_items`.
unsafe fn links(
    state: MmsbState,
    buf: *mut MmsbLink,
    capacity: usize,
    len: *mut usize,
    ask: impl FnOnce(&State) -> Result<Vec<Link>>,
) -> MmsbStatus {
    call_state(state.id, |state| {
        let link = |link: Link| MmsbLink { page: link.page.0, kind: link.kind as u32 };
        let links: Vec<MmsbLink> = ask(state)?.into_iter().map(link).collect();
        // SAFETY: the caller's promise.
        unsafe { copy_items(&links, buf, capacity, len, "edges") }
    })
}

/// # Safety
/// As `copy_items`.
unsafe fn pages(
    state: MmsbState,
    buf: *mut u64,
    capacity: usize,
    len: *mut usize,
    ask: impl FnOnce(&State) -> Result<Vec<PageId>>,
) -> MmsbStatus {
    call_state(state.id, |state| {
        let ids: Vec<u64> = ask(state)?.into_iter().map(|id| id.0).collect();
        // SAFETY: the caller's promise.
        unsafe { copy_items(&ids, buf, capacity, len, "ids") }
    })
}

/// The pages that a page derives from, in the order in which the edges were added: copied to `buf`,
/// which has room for `capacity`; `len` receives their number, also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_parents(
    state: MmsbState,
    page: u64,
    buf: *mut MmsbLink,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { links(state, buf, capacity, len, |state| state.parents(PageId(page))) }
}

/// The pages that derive from a page, ascending by page and kind; otherwise as `rust_graph_parents`.
///
/// # Safety
/// As `rust_graph_parents`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_children(
    state: MmsbState,
    page: u64,
    buf: *mut MmsbLink,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { links(state, buf, capacity, len, |state| state.children(PageId(page))) }
}

/// All pages that a page derives from, over any number of edges, ascending: copied to `buf`, which has
/// room for `capacity`; `len` receives their number, also when the buffer is too small.
///
/// Cost: O(those pages and their edges).
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_ancestors(
    state: MmsbState,
    page: u64,
    buf: *mut u64,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { pages(state, buf, capacity, len, |state| state.ancestors(PageId(page))) }
}

/// All pages that derive from a page; otherwise as `rust_graph_ancestors`.
///
/// # Safety
/// As `rust_graph_ancestors`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_descendants(
    state: MmsbState,
    page: u64,
    buf: *mut u64,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { pages(state, buf, capacity, len, |state| state.descendants(PageId(page))) }
}

/// All pages with edges, parents before children, ascending by height, then by id: copied to `buf`,
/// which has room for `capacity`; `len` receives their number, also when the buffer is too small.
///
/// Cost: O(pages with edges + edges), about 10 ns each.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_order(
    state: MmsbState,
    buf: *mut MmsbRank,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call_state(state.id, |state| {
        let order = state.topological_order()?.into_iter();
        let ranks: Vec<MmsbRank> =
            order.map(|(page, height)| MmsbRank { page: page.0, height }).collect();
        // SAFETY: the caller's promise.
        unsafe { copy_items(&ranks, buf, capacity, len, "pages") }
    })
}

/// Number of edges.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_edge_count(state: MmsbState, out: *mut u64) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(state.edge_count()?);
        Ok(())
    })
}

/// All edges in the DOT language, UTF-8, not terminated: copied to `buf`, which has room for `capacity`
/// bytes; `len` receives the length, also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_dot(
    state: MmsbState,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { copy_out(state.graph_dot()?.as_bytes(), buf, capacity, len) }
    })
}

/// All edges as an SVG picture, in layers from top to bottom; otherwise as `rust_graph_dot`.
///
/// Errors: TooLarge for more pages with edges than a picture shows.
///
/// # Safety
/// As `rust_graph_dot`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_svg(
    state: MmsbState,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { copy_out(state.graph_svg()?.as_bytes(), buf, capacity, len) }
    })
}

/// Frees a page and all that derive from it, whatever the kind of edge, as one group. `*count` receives
/// how many those are, `*lsn` the group's LSN; both, and `note`, may be null.
///
/// Errors: those of `rust_page_free` for each; then none is freed.
///
/// # Safety
/// `note` is null or valid, `count` and `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_graph_free_cascade(
    state: MmsbState,
    page: u64,
    note: *const MmsbNote,
    count: *mut usize,
    lsn: *mut u64,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let (note, count, out) =
            unsafe { (note_at(note)?, optional_out(count, "count")?, optional_out(lsn, "lsn")?) };
        let (freed, lsn) = state.free_cascade(PageId(page), note)?;
        set(count, freed.len());
        set(out, lsn.0);
        Ok(())
    })
}
