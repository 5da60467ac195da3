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
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Graph, Way};
use crate::log::Log;
use crate::log::record::check_note;
use crate::page::table::Table;
use crate::types::{EdgeKind, Link, Lsn, Note, PageId};

/// The index of a state's edges.
#[derive(Default)]
pub struct Edges {
    pub graph: Graph,
    /// The last group that changed an edge, or freed a page that had any.
    pub last: Lsn,
}

impl Edges {
    /// The edges of a table's pages.
    pub fn of(table: &Table) -> Result<Edges> {
        let graph = Graph::build(table.edges()?.into_iter());
        let graph = graph.map_err(|error| Error::new(ErrorKind::Corrupt, error.message()))?;
        Ok(Edges { graph, last: Lsn::ZERO })
    }

    /// Refuses changes that free a page and leave a child of it.
    pub(super) fn check_frees(&self, changes: &[Change<'_>]) -> Result<()> {
        let is_freed = |id: PageId| match changes.binary_search_by_key(&id, |change| change.id) {
            Ok(at) => changes[at].free || changes[at].parents.is_some(),
            Err(_) => false,
        };
        for change in changes.iter().filter(|change| change.free) {
            let children = self.graph.links(change.id, Way::Down);
            if let Some(child) = children.iter().find(|child| !is_freed(child.page)) {
                return Err(has_children(change.id, child.page, children.len()));
            }
        }
        Ok(())
    }

    /// Follows changes that were made as the group `lsn`.
    pub(super) fn follow(&mut self, changes: &[Change<'_>], lsn: Lsn) {
        self.last = lsn;
        // All that go first: on the way there may be what would be cycles.
        for change in changes.iter().filter(|change| change.free || change.parents.is_some()) {
            self.graph.remove_parents(change.id);
        }
        for change in changes {
            for link in change.parents.iter().flatten() {
                // The edges were there together before: they close no cycle.
                let _ = self.graph.insert(link.page, change.id, link.kind);
            }
        }
    }
}

#[cold]
fn has_children(id: PageId, child: PageId, count: usize) -> Error {
    let message = format!("{id} cannot be freed: {child} derives from it, one of {count} edges");
    Error::new(ErrorKind::HasChildren, message)
}

impl Core {
    fn add_edge(
        &self,
        parent: PageId,
        child: PageId,
        kind: EdgeKind,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        let mut edges = self.edges.lock();
        let after = self.mark_linked(parent)?.max(self.mark_linked(child)?);
        if !edges.graph.insert(parent, child, kind)? {
            return Ok(None);
        }
        let link = Link { page: parent, kind };
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
        let mut edges = self.edges.lock();
        // One after the other: they may be one page.
        drop(self.table.lock(parent)?);
        drop(self.table.lock(child)?);
        if !edges.graph.remove(parent, child, kind) {
            bail!(EdgeNotFound, "there is no {} edge from {parent} to {child}", kind.name());
        }
        let link = Link { page: parent, kind };
        let recorded = self.record_edge(&mut edges, child, (link, false), Lsn::ZERO, note);
        if recorded.is_err() {
            // It was there: it closes no cycle.
            let _ = edges.graph.insert(parent, child, kind);
        }
        recorded
    }

    /// Has whoever frees the page look at its edges first. Returns its last record.
    fn mark_linked(&self, id: PageId) -> Result<Lsn> {
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
        let mut page = self.table.lock(child)?;
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
        let mut edges = self.edges.lock();
        let page = self.lock_for(Writer::ANYBODY, id)?;
        let children = edges.graph.links(id, Way::Down);
        if let Some(child) = children.first() {
            return Err(has_children(id, child.page, children.len()));
        }
        let lsn = self.free_locked(id, page, edges.last, note)?;
        edges.graph.remove_parents(id);
        edges.last = lsn;
        Ok(lsn)
    }

    fn free_cascade(&self, id: PageId, note: Note<'_>) -> Result<(Vec<PageId>, Lsn)> {
        let mut edges = self.edges.lock();
        drop(self.table.lock(id)?);
        let mut pages = edges.graph.reach(id, Way::Down);
        let place = pages.partition_point(|&page| page < id);
        pages.insert(place, id);
        let freed = |&page: &PageId| Change { free: true, ..Change::nothing(page) };
        let changes: Vec<Change<'_>> = pages.iter().map(freed).collect();
        match self.commit_group(
            Group { changes: &changes, note, listed: None },
            edges.last,
            Log::begin,
        )? {
            Some(lsn) => {
                edges.follow(&changes, lsn);
                Ok((pages, lsn))
            }
            None => bail!(Internal, "freeing {id} changed nothing"),
        }
    }

    /// Asks the edges of a page that exists.
    fn ask<R>(&self, id: PageId, question: impl FnOnce(&mut Graph) -> R) -> Result<R> {
        let mut edges = self.edges.lock();
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
        let page = self.core().table.lock(id)?;
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
    pub fn topological_order(&self) -> Vec<(PageId, u32)> {
        self.core().edges.lock().graph.levels()
    }

    /// Number of edges.
    pub fn edge_count(&self) -> u64 {
        self.core().edges.lock().graph.edges()
    }

    /// All edges in the DOT language.
    pub fn graph_dot(&self) -> String {
        self.core().edges.lock().graph.to_dot()
    }

    /// All edges as an SVG picture, in layers from top to bottom.
    ///
    /// # Errors
    /// `TooLarge` for more than [`PICTURE_PAGES_MAX`](crate::graph::PICTURE_PAGES_MAX) pages with
    /// edges.
    pub fn graph_svg(&self) -> Result<String> {
        self.core().edges.lock().graph.to_svg()
    }
}
