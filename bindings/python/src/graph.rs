//! `Graph`: what derives from what in a state.

use crate::args::{note, page_in};
use crate::errors::{Failure, raise};
use crate::page::Page;
use crate::state::State;
use mmsb::{EdgeKind, Link, PageId};
use pyo3::prelude::*;
use pyo3::types::PyList;

/// What derives from what in a state: edges from parents to children. Made by `State.graph`.
///
/// Edges are part of the child: in the log, in checkpoints, in its past. Pages are given as `Page` or id;
/// kinds are "data" (made of its content), "control" (comes after it), "device" and "compiler", and
/// between two pages there may be one of each. All methods can raise `Closed`, `PageNotFound` and
/// `PageFreed`. Notebooks show it as a picture.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     a, b, c = (state.create_page(8) for _ in range(3))
/// ...     lsns = state.graph.add(a, b, source="demo"), state.graph.add(b, c)
/// ...     state.graph.children(a) == [(b, "data")], state.graph.ancestors(c) == [a, b]
/// (True, True)
#[pyclass(frozen, module = "mmsb")]
pub struct Graph {
    state: Py<State>,
}

impl Graph {
    pub fn of(state: &Bound<'_, State>) -> Graph {
        Graph { state: state.clone().unbind() }
    }

    fn ids(
        &self,
        parent: &Bound<'_, PyAny>,
        child: &Bound<'_, PyAny>,
    ) -> PyResult<(PageId, PageId)> {
        let state = self.state.bind(parent.py());
        Ok((page_in(state, parent)?, page_in(state, child)?))
    }

    fn ask<R: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&mmsb::State) -> mmsb::Result<R> + Send,
    ) -> Result<R, Failure> {
        self.state.get().shared.long(py, |state| Ok(ask(state)?))
    }

    fn links<'py>(
        &self,
        page: &Bound<'py, PyAny>,
        ask: impl FnOnce(&mmsb::State, PageId) -> mmsb::Result<Vec<Link>> + Send,
    ) -> PyResult<Bound<'py, PyList>> {
        let (py, state) = (page.py(), self.state.bind(page.py()));
        let id = page_in(state, page)?;
        let links = self.ask(py, |state| ask(state, id))?;
        let ends =
            links.into_iter().map(|link| (Page::unsized_of(state, link.page), link.kind.name()));
        PyList::new(py, ends.collect::<Vec<_>>())
    }

    fn reach<'py>(
        &self,
        page: &Bound<'py, PyAny>,
        ask: impl FnOnce(&mmsb::State, PageId) -> mmsb::Result<Vec<PageId>> + Send,
    ) -> PyResult<Bound<'py, PyList>> {
        let (py, state) = (page.py(), self.state.bind(page.py()));
        let id = page_in(state, page)?;
        let ids = self.ask(py, |state| ask(state, id))?;
        PyList::new(py, ids.into_iter().map(|id| Page::unsized_of(state, id)))
    }
}

fn kind_of(name: &str) -> PyResult<EdgeKind> {
    match EdgeKind::ALL.into_iter().find(|kind| kind.name() == name) {
        Some(kind) => Ok(kind),
        None => raise!(
            InvalidArgument,
            "a kind of edge {name:?}; there are data, control, device and compiler"
        ),
    }
}

#[pymethods]
impl Graph {
    /// Adds an edge: `child` derives from `parent`. Returns the record's LSN, `None` if it is there
    /// already.
    ///
    /// Raises `Cycle`, which names the pages on it, and `InvalidArgument`. Cost: about 0.1 µs, and the
    /// call, where pages are added in an order that fits. Example: see the class.
    #[pyo3(signature = (parent, child, kind = "data", *, source = "", intent = None))]
    fn add(
        &self,
        parent: &Bound<'_, PyAny>,
        child: &Bound<'_, PyAny>,
        kind: &str,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Option<u64>> {
        let py = parent.py();
        let ((parent, child), kind) = (self.ids(parent, child)?, kind_of(kind)?);
        let lsn =
            self.ask(py, |state| state.add_edge(parent, child, kind, note(source, intent)))?;
        Ok(lsn.map(|lsn| lsn.0))
    }

    /// Takes an edge away. Returns the record's LSN. Raises `EdgeNotFound` and `InvalidArgument`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = (state.create_page(8) for _ in range(2))
    /// ...     lsns = state.graph.add(a, b), state.graph.remove(a, b)
    /// ...     len(state.graph), lsns[1] == b.lsn
    /// (0, True)
    #[pyo3(signature = (parent, child, kind = "data", *, source = "", intent = None))]
    fn remove(
        &self,
        parent: &Bound<'_, PyAny>,
        child: &Bound<'_, PyAny>,
        kind: &str,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<u64> {
        let py = parent.py();
        let ((parent, child), kind) = (self.ids(parent, child)?, kind_of(kind)?);
        let note = note(source, intent);
        Ok(self.ask(py, |state| state.remove_edge(parent, child, kind, note))?.0)
    }

    /// What a page derives from, in the order in which the edges were added: pages and kinds.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = (state.create_page(8) for _ in range(2))
    /// ...     lsn = state.graph.add(a, b, "control")
    /// ...     state.graph.parents(b) == [(a, "control")]
    /// True
    fn parents<'py>(&self, page: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        self.links(page, mmsb::State::parents)
    }

    /// What derives from a page, ascending by page and kind. Example: see the class.
    fn children<'py>(&self, page: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        self.links(page, mmsb::State::children)
    }

    /// All pages that a page derives from, over any number of edges, ascending. Example: see the class.
    fn ancestors<'py>(&self, page: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        self.reach(page, mmsb::State::ancestors)
    }

    /// All pages that derive from a page, over any number of edges, ascending.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = (state.create_page(8) for _ in range(2))
    /// ...     lsn = state.graph.add(a, b)
    /// ...     state.graph.descendants(a) == [b]
    /// True
    fn descendants<'py>(&self, page: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        self.reach(page, mmsb::State::descendants)
    }

    /// All pages with edges, parents before children, each with its height: the most edges on a way
    /// from a page without parents. Ascending by height, then by page.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = (state.create_page(8) for _ in range(2))
    /// ...     lsn = state.graph.add(b, a)
    /// ...     state.graph.order() == [(b, 0), (a, 1)]
    /// True
    fn order<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let state = self.state.bind(py);
        let order = self.ask(py, |state| state.topological_order())?;
        let ranks = order.into_iter().map(|(id, height)| (Page::unsized_of(state, id), height));
        PyList::new(py, ranks.collect::<Vec<_>>())
    }

    /// Frees a page and all that derive from it, whatever the kind of edge, as one group. Returns them,
    /// ascending.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = (state.create_page(8) for _ in range(2))
    /// ...     lsn = state.graph.add(a, b)
    /// ...     state.graph.free_cascade(a) == [a, b], len(state)
    /// (True, 0)
    #[pyo3(signature = (page, *, source = "", intent = None))]
    fn free_cascade<'py>(
        &self,
        page: &Bound<'py, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Bound<'py, PyList>> {
        let note = note(source, intent);
        self.reach(page, |state, id| Ok(state.free_cascade(id, note)?.0))
    }

    /// All edges in the DOT language.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = (state.create_page(8) for _ in range(2))
    /// ...     lsn = state.graph.add(a, b)
    /// ...     "1 -> 2" in state.graph.dot(), "<svg" in state.graph.svg()
    /// (True, True)
    fn dot(&self, py: Python<'_>) -> Result<String, Failure> {
        self.ask(py, |state| state.graph_dot())
    }

    /// All edges as an SVG picture, in layers from top to bottom. Raises `TooLarge` for more pages than
    /// a picture shows. Example: see `dot`.
    fn svg(&self, py: Python<'_>) -> Result<String, Failure> {
        self.ask(py, mmsb::State::graph_svg)
    }

    fn _repr_svg_(&self, py: Python<'_>) -> Result<String, Failure> {
        self.svg(py)
    }

    fn __len__(&self, py: Python<'_>) -> Result<usize, Failure> {
        self.ask(py, |state| Ok(state.edge_count()? as usize))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        match self.__len__(py) {
            Ok(edges) => format!("<mmsb.Graph of {edges} edges>"),
            Err(_) => "<mmsb.Graph of a closed state>".to_owned(),
        }
    }
}
