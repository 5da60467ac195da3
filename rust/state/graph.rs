//! Edges between pages: what derives from what.
//!
//! A page's parents are part of the page, as its metadata is: in its versions, in images, in the
//! digest, in records of which it is the object. [`Edges`] is the index of them all, which gives
//! children and an order; it is built when a state is opened, and follows every group afterwards.
//!
//! Whoever changes edges, or frees a page that has any, holds the index, then the page. Each such
//! group comes after the one before in the log: at no LSN does an edge lead to a page that is not
//! there.

use super::State;
use super::batch::{Change, Group};
use super::commit::{OneEntry, Writer};
use super::core::Core;
use super::op;
use super::propagate::{Counts, Made, Slots};
use super::rules::Rules;
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Dirty, Graph, NO_TAG, Way};
use crate::log::Log;
use crate::log::record::check_note;
use crate::page::table::Table;
use crate::stdx::sync::{Backoff, MutexGuard};
use crate::types::{EdgeKind, Link, Lsn, Note, PageId};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether threads wait for callbacks of other threads.
static IS_PATIENT: AtomicBool = AtomicBool::new(true);

/// Has calls that would wait for another thread's callback fail with `Busy` instead, in this process
/// from now on, or wait. For languages whose callbacks can wait for all other threads to come back to
/// the language: its collector does.
pub fn set_patient(patient: bool) {
    IS_PATIENT.store(patient, Ordering::Relaxed);
}

/// The index of a state's edges and of what is computed along them.
#[derive(Default)]
pub struct Edges {
    pub graph: Graph,
    pub rules: Rules,
    /// The last group that changed an edge or a bound page, or freed a page that had edges.
    pub last: Lsn,
    pub(super) dirty: Dirty,
    /// Room for the places of a wave.
    pub(super) wave: Vec<u32>,
    pub(super) slots: Slots,
    pub(super) counts: Counts,
}

impl Edges {
    /// The edges of a table's pages.
    pub fn of(table: &Table) -> Result<Edges> {
        let links = table.edges()?;
        let corrupt = |error: Error| Error::new(ErrorKind::Corrupt, error.message());
        let graph = Graph::build(links.iter().copied()).map_err(corrupt)?;
        let mut edges = Edges { graph, ..Edges::default() };
        let mut last = PageId(0);
        for (child, _) in links {
            if std::mem::replace(&mut last, child) != child {
                edges.rules.refresh(&mut edges.graph, table, child).map_err(corrupt)?;
            }
        }
        Ok(edges)
    }

    /// Refuses changes that free a page and leave a child of it.
    pub(super) fn check_frees(&self, changes: &[Change<'_>]) -> Result<()> {
        for change in changes.iter().filter(|change| change.free) {
            let keeps = |child: &Link| match changes.binary_search_by_key(&child.page, |c| c.id) {
                Ok(at) => changes[at].keeps_parent(change.id),
                Err(_) => true,
            };
            let children = self.graph.links(change.id, Way::Down);
            if let Some(child) = children.iter().find(|child| keeps(child)) {
                return Err(has_children(change.id, child.page, children.len()));
            }
        }
        Ok(())
    }

    /// Follows changes, and what was made of them, which were the group `lsn`.
    pub(super) fn follow(
        &mut self,
        core: &Core,
        changes: &[Change<'_>],
        made: &[Made<'_>],
        lsn: Lsn,
    ) -> Result<()> {
        self.last = lsn;
        // All that go first: on the way there may be what would be cycles.
        for change in changes.iter().filter(|change| change.free || change.parents.is_some()) {
            self.rules.forget(&mut self.graph, change.id);
            self.graph.remove_parents(change.id);
        }
        for change in changes {
            for link in change.parents.iter().flatten() {
                // The edges were there together before, or were tried: they close no cycle.
                let _ = self.graph.insert(link.page, change.id, link.kind);
            }
        }
        for change in changes.iter().filter(|change| !change.free && change.concerns_edges()) {
            self.rules.refresh(&mut self.graph, &core.table, change.id)?;
        }
        for made in made.iter().filter(|made| made.marks()) {
            self.rules.mark(&self.graph, made.id, made.staleness());
        }
        Ok(())
    }
}

#[cold]
fn has_children(id: PageId, child: PageId, count: usize) -> Error {
    let message = format!("{id} cannot be freed: {child} derives from it, one of {count} edges");
    Error::new(ErrorKind::HasChildren, message)
}

impl Edges {
    /// Whether the child is computed, and the edge one for data.
    fn is_source(&self, child: PageId, link: Link) -> bool {
        let place = self.graph.place(child).filter(|_| link.kind == EdgeKind::Data);
        place.is_some_and(|place| self.graph.tag(place) != NO_TAG)
    }
}

impl Core {
    /// The edges, held alone.
    ///
    /// # Errors
    /// `Reentered` on a thread that computes a page by a callback; `Busy` while another one does, if
    /// callers are not to wait for that.
    pub(super) fn lock_edges(&self) -> Result<MutexGuard<'_, Edges>> {
        self.check_not_calling()?;
        if IS_PATIENT.load(Ordering::Relaxed) {
            return Ok(self.edges.lock());
        }
        let mut backoff = Backoff::default();
        loop {
            if let Some(edges) = self.edges.try_lock() {
                return Ok(edges);
            }
            if self.caller.load(Ordering::Relaxed) != 0 {
                bail!(Busy, "another thread computes a page by a callback");
            }
            backoff.wait();
        }
    }

    fn add_edge(
        &self,
        parent: PageId,
        child: PageId,
        kind: EdgeKind,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        let mut edges = self.lock_edges()?;
        // Pages that have edges are there, and marked; their records up to then stand before the last
        // group that changed an edge.
        let has_edges = |id| edges.graph.place(id).is_some();
        let after = if has_edges(parent) { Lsn::ZERO } else { self.mark_linked(parent)? };
        // Its own lock is taken once, to record the edge; somebody may free it before that.
        if !has_edges(child) && self.table.glimpse(child, 0, &mut []).is_none() {
            drop(self.table.lock(child)?);
        }
        if !edges.graph.insert(parent, child, kind)? {
            return Ok(None);
        }
        edges.last = edges.last.max(after);
        let link = Link { page: parent, kind };
        if edges.is_source(child, link) {
            let recorded = self.rebind(&mut edges, child, (link, true), note);
            if recorded.is_err() {
                edges.graph.remove(parent, child, kind);
            }
            return recorded;
        }
        let recorded = self.record_edge(&mut edges, child, (link, true), after, note);
        if recorded.is_err() {
            edges.graph.remove(parent, child, kind);
        }
        recorded.map(Some)
    }

    fn remove_edge(
        &self,
        parent: PageId,
        child: PageId,
        kind: EdgeKind,
        note: Note<'_>,
    ) -> Result<Lsn> {
        let mut edges = self.lock_edges()?;
        // One after the other: they may be one page.
        drop(self.table.lock(parent)?);
        drop(self.table.lock(child)?);
        let link = Link { page: parent, kind };
        if !edges.graph.contains(parent, child, kind) {
            bail!(EdgeNotFound, "there is no {} edge from {parent} to {child}", kind.name());
        }
        if edges.is_source(child, link) {
            let recorded = self.rebind(&mut edges, child, (link, false), note)?;
            return recorded.ok_or_else(|| Error::new(ErrorKind::Internal, "an edge stayed"));
        }
        edges.graph.remove(parent, child, kind);
        let recorded = self.record_edge(&mut edges, child, (link, false), Lsn::ZERO, note);
        if recorded.is_err() {
            // It was there: it closes no cycle.
            let _ = edges.graph.insert(parent, child, kind);
        }
        recorded
    }

    /// Adds an edge to a page that is computed over it, or takes it away: it is computed anew in the
    /// same group.
    fn rebind(
        &self,
        edges: &mut Edges,
        child: PageId,
        (link, there): (Link, bool),
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        let meta = self.table.lock(child)?.share_meta().unwrap_or_default();
        let mut parents = meta.parents().to_vec();
        match there {
            true => parents.push(link),
            false => parents.retain(|&other| other != link),
        }
        self.commit_rule(edges, child, parents, meta.rule().cloned(), note)
    }

    /// Has whoever frees the page look at its edges first. Returns its last record.
    pub(super) fn mark_linked(&self, id: PageId) -> Result<Lsn> {
        let mut page = self.table.lock(id)?;
        page.linked = true;
        Ok(page.lsn)
    }

    fn record_edge(
        &self,
        edges: &mut Edges,
        child: PageId,
        (link, there): (Link, bool),
        after: Lsn,
        note: Note<'_>,
    ) -> Result<Lsn> {
        let mut page = self.lock_for(Writer::ANYBODY, child)?;
        page.linked = true;
        let after = after.max(edges.last);
        let (kind, body_len) = (op::edge_kind(there), op::EDGE_LEN);
        let entry = OneEntry { kind, content: false, body_len, after };
        edges.last = self.commit_one(
            child,
            &mut page,
            note,
            entry,
            |page| {
                page.set_parent(link, there);
            },
            |entries, head, _| op::encode_edge(entries.entry(head, body_len), link),
        )?;
        Ok(edges.last)
    }

    /// Frees a page that has or had edges.
    pub(super) fn free_linked(&self, id: PageId, note: Note<'_>) -> Result<Lsn> {
        let mut edges = self.lock_edges()?;
        let page = self.lock_for(Writer::ANYBODY, id)?;
        let children = edges.graph.links(id, Way::Down);
        if let Some(child) = children.first() {
            return Err(has_children(id, child.page, children.len()));
        }
        let lsn = self.free_locked(id, page, edges.last, note)?;
        let Edges { graph, rules, .. } = &mut *edges;
        rules.forget(graph, id);
        graph.remove_parents(id);
        edges.last = lsn;
        Ok(lsn)
    }

    fn free_cascade(&self, id: PageId, note: Note<'_>) -> Result<(Vec<PageId>, Lsn)> {
        let mut edges = self.lock_edges()?;
        drop(self.table.lock(id)?);
        let mut pages = edges.graph.reach(id, Way::Down);
        let place = pages.partition_point(|&page| page < id);
        pages.insert(place, id);
        let freed = |&page: &PageId| Change { free: true, ..Change::nothing(page) };
        let changes: Vec<Change<'_>> = pages.iter().map(freed).collect();
        let group = Group { changes: &changes, note, listed: None };
        match self.commit_held(&mut edges, group, Log::begin)? {
            Some(lsn) => Ok((pages, lsn)),
            None => bail!(Internal, "freeing {id} changed nothing"),
        }
    }

    /// Asks the edges of a page that exists.
    fn ask<R>(&self, id: PageId, question: impl FnOnce(&mut Graph) -> R) -> Result<R> {
        let mut edges = self.lock_edges()?;
        drop(self.table.lock(id)?);
        Ok(question(&mut edges.graph))
    }
}

/// Pages derive from pages: a page's parents are part of it, in the log, in images and in the
/// digest, as its metadata is.
impl State {
    /// Adds an edge: `child` derives from `parent`. `None` if it is there already.
    ///
    /// Between two pages there may be one edge of each kind. A page's parents keep the order in
    /// which their edges were added.
    ///
    /// # Errors
    /// `Cycle`, which names the pages on it, `PageNotFound`, `PageFreed`, and those of every
    /// change. Then nothing changed.
    ///
    /// Cost: about 0.1 µs where pages are added in an order that fits; else what
    /// [`Graph::insert`](crate::graph::Graph::insert) says.
    ///
    /// ```
    /// # use mmsb::{Config, EdgeKind, ErrorKind, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let (a, b) = (state.create_page(8, Note::NONE)?, state.create_page(8, Note::NONE)?);
    /// assert!(state.add_edge(a, b, EdgeKind::Data, Note::NONE)?.is_some());
    /// assert_eq!(state.children(a)?[0].page, b);
    /// let error = state.add_edge(b, a, EdgeKind::Data, Note::NONE).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Cycle);
    /// # Ok(()) }
    /// ```
    pub fn add_edge(
        &self,
        parent: PageId,
        child: PageId,
        kind: EdgeKind,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        check_note(note)?;
        let core = self.core();
        let lsn = core.in_turn(|| core.add_edge(parent, child, kind, note))?;
        core.acknowledged(lsn)
    }

    /// Takes an edge away.
    ///
    /// # Errors
    /// `EdgeNotFound`, `PageNotFound`, `PageFreed`, and those of every change.
    ///
    /// Cost: that of looking through the edges of both pages.
    pub fn remove_edge(
        &self,
        parent: PageId,
        child: PageId,
        kind: EdgeKind,
        note: Note<'_>,
    ) -> Result<Lsn> {
        check_note(note)?;
        let core = self.core();
        let lsn = core.in_turn(|| core.remove_edge(parent, child, kind, note))?;
        core.acknowledge(lsn)?;
        Ok(lsn)
    }

    /// Frees a page and all that derive from it, whatever the kind of edge, as one group. Returns
    /// them, ascending, and the group's LSN.
    ///
    /// # Errors
    /// Those of a batch; then nothing changed.
    pub fn free_cascade(&self, id: PageId, note: Note<'_>) -> Result<(Vec<PageId>, Lsn)> {
        check_note(note)?;
        let core = self.core();
        let (pages, lsn) = core.in_turn(|| core.free_cascade(id, note))?;
        core.acknowledge(lsn)?;
        Ok((pages, lsn))
    }

    /// The pages that a page derives from, in the order in which the edges were added.
    pub fn parents(&self, id: PageId) -> Result<Vec<Link>> {
        let page = self.core().lock_page(id)?;
        Ok(page.meta().map(|meta| meta.parents().to_vec()).unwrap_or_default())
    }

    /// The pages that derive from a page, ascending by page and kind.
    pub fn children(&self, id: PageId) -> Result<Vec<Link>> {
        self.core().ask(id, |graph| graph.links(id, Way::Down))
    }

    /// All pages that a page derives from, over any number of edges, ascending.
    ///
    /// Cost: O(those pages and their edges).
    pub fn ancestors(&self, id: PageId) -> Result<Vec<PageId>> {
        self.core().ask(id, |graph| graph.reach(id, Way::Up))
    }

    /// All pages that derive from a page, over any number of edges, ascending.
    ///
    /// Cost: O(those pages and their edges).
    pub fn descendants(&self, id: PageId) -> Result<Vec<PageId>> {
        self.core().ask(id, |graph| graph.reach(id, Way::Down))
    }

    /// All pages with edges, parents before children, with their heights: the most edges on a way
    /// from a page without parents. Ascending by height, then by id, so that the order is the same
    /// for the same edges.
    ///
    /// Cost: O(pages with edges + edges), about 10 ns each.
    pub fn topological_order(&self) -> Result<Vec<(PageId, u32)>> {
        Ok(self.core().lock_edges()?.graph.levels())
    }

    /// Number of edges.
    pub fn edge_count(&self) -> Result<u64> {
        Ok(self.core().lock_edges()?.graph.edges())
    }

    /// All edges in the DOT language.
    pub fn graph_dot(&self) -> Result<String> {
        Ok(self.core().lock_edges()?.graph.to_dot())
    }

    /// All edges as an SVG picture, in layers from top to bottom.
    ///
    /// # Errors
    /// `TooLarge` for more than [`PICTURE_PAGES_MAX`](crate::graph::PICTURE_PAGES_MAX) pages with
    /// edges.
    pub fn graph_svg(&self) -> Result<String> {
        self.core().lock_edges()?.graph.to_svg()
    }
}
