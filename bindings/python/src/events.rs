//! `Subscription` and `Event`: what happens to a state, as it happens.

use crate::args::{self, page_in};
use crate::errors::{Failure, raise};
use crate::state::State;
use mmsb::{EventFilter, EventKind};
use pyo3::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One thing that happened. Never changes. Made by a `Subscription`.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state, state.subscribe() as events:
/// ...     page = state.create_page(4)
/// ...     created, committed = events.poll()
/// ...     created.kind, created.page == page.id, committed.kind, committed.count
/// ('created', True, 'committed', 1)
#[pyclass(frozen, eq, hash, module = "mmsb", weakref)]
#[derive(PartialEq, Eq, Hash)]
pub struct Event {
    /// What happened, by its name.
    #[pyo3(get)]
    kind: &'static str,
    /// The group that did it. Of a checkpoint: where it stands. Of a poisoned state: what is durable. Of
    /// lost events: the least of the groups that are missing.
    #[pyo3(get)]
    lsn: u64,
    /// The id of the page that it happened to, the child of an edge.
    #[pyo3(get)]
    page: Option<u64>,
    /// The id of an edge's parent.
    #[pyo3(get)]
    other: Option<u64>,
    /// What an edge says.
    #[pyo3(get)]
    edge: Option<&'static str>,
    /// The page's epoch afterwards; 0 where there is none.
    #[pyo3(get)]
    epoch: u64,
    /// Of a committed group: the events that stand before it, if nothing was filtered out. Of lost ones:
    /// how many.
    #[pyo3(get)]
    count: u64,
}

impl From<mmsb::Event> for Event {
    fn from(event: mmsb::Event) -> Event {
        let id = |id: mmsb::PageId| (id.0 != 0).then_some(id.0);
        let is_edge = matches!(event.kind, EventKind::EdgeAdded | EventKind::EdgeRemoved);
        Event {
            kind: event.kind.name(),
            lsn: event.lsn.0,
            page: id(event.page),
            other: id(event.other),
            edge: is_edge.then(|| event.edge.name()),
            epoch: event.epoch,
            count: event.count,
        }
    }
}

#[pymethods]
impl Event {
    fn __repr__(&self) -> String {
        let page = self.page.map_or(String::new(), |page| format!(" page {page}"));
        format!("<mmsb.Event {}{page} at {}>", self.kind, self.lsn)
    }
}

/// What happens to a state, as a queue of `Event`. Made by `State.subscribe`; closed by `close`, or at the
/// end of a `with` block. It may outlive its state.
///
/// A group's events come together, in the order of its entries in the log, followed by one of the kind
/// "committed". Iteration, plain or with `async for`, waits for each event and ends when the subscription
/// or its state is closed. Threads that share a subscription get each event once between them.
///
/// >>> import mmsb
/// >>> state = mmsb.State()
/// >>> events = state.subscribe(kinds=["created", "changed"])
/// >>> page = state.create_page(data=b"abcd")
/// >>> state.close()
/// >>> [event.kind for event in events]
/// ['created', 'changed']
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Subscription {
    inner: Arc<mmsb::Subscription>,
}

/// How often a wait looks for signals.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Subscription {
    pub fn new(
        state: &Bound<'_, State>,
        kinds: Option<Vec<String>>,
        pages: Option<Vec<Bound<'_, PyAny>>>,
        capacity: usize,
    ) -> PyResult<Subscription> {
        let mut filter = EventFilter { capacity, ..EventFilter::default() };
        if let Some(kinds) = kinds {
            if kinds.is_empty() {
                raise!(InvalidArgument, "kinds of events: none; there are {}", kind_names())
            }
            let bit = |name: &String| kind_of(name).map(EventKind::bit);
            filter.kinds =
                kinds.iter().map(bit).try_fold(0, |bits, bit| Ok::<_, PyErr>(bits | bit?))?;
        }
        if let Some(pages) = pages {
            let ids = pages.iter().map(|page| page_in(state, page));
            filter.pages = Some(ids.collect::<PyResult<_>>()?);
        }
        let open = |state: &mmsb::State| Ok(state.subscribe(filter)?);
        let inner = state.get().shared.long(state.py(), open)?;
        Ok(Subscription { inner: Arc::new(inner) })
    }

    /// Waits until an event waits, or until `end`; whether one does. `None` if none ever will.
    fn wait_until(&self, py: Python<'_>, end: Option<Instant>) -> PyResult<Option<bool>> {
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let step = left.map_or(LOOK_EVERY, |left| left.min(LOOK_EVERY));
            match py.detach(|| self.inner.wait(Some(step))) {
                Ok(true) => return Ok(Some(true)),
                Ok(false) if left.is_some_and(|left| left <= step) => return Ok(Some(false)),
                Ok(false) => py.check_signals()?,
                Err(_) => return Ok(None),
            }
        }
    }
}

fn kind_of(name: &str) -> PyResult<EventKind> {
    match EventKind::ALL.iter().find(|kind| kind.name() == name) {
        Some(&kind) => Ok(kind),
        None => raise!(InvalidArgument, "a kind of event {name:?}; there are {}", kind_names()),
    }
}

/// What may be asked for, in words.
fn kind_names() -> String {
    let names: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

#[pymethods]
impl Subscription {
    /// Takes the oldest events that wait, `limit` at most, without waiting. Raises `Closed` once nothing is
    /// left of a subscription that was closed, or whose state was.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state, state.subscribe() as events:
    /// ...     events.poll()
    /// []
    #[pyo3(signature = (limit = 1024))]
    fn poll(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = args::limit)] limit: usize,
    ) -> Result<Vec<Event>, Failure> {
        let told = py.detach(|| self.inner.poll(limit))?;
        Ok(told.into_iter().map(Event::from).collect())
    }

    /// Waits until an event waits, for `timeout` seconds at most, `None` for as long as it takes. Returns
    /// whether one does. Raises `Closed`, as `poll`: whoever waits is woken by it.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state, state.subscribe() as events:
    /// ...     before = events.wait(0.001)
    /// ...     page = state.create_page(4)
    /// ...     before, events.wait()
    /// (False, True)
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let end = match timeout {
            Some(timeout) if timeout.is_nan() || timeout < 0.0 => {
                raise!(InvalidArgument, "a timeout of {timeout} seconds; it must be at least 0")
            }
            // What is too long for a clock is for ever.
            Some(timeout) => Duration::try_from_secs_f64(timeout)
                .ok()
                .and_then(|timeout| Instant::now().checked_add(timeout)),
            None => None,
        };
        match self.wait_until(py, end)? {
            Some(waits) => Ok(waits),
            None => raise!(Closed, "the subscription, or its state, was closed"),
        }
    }

    /// The closed LSN that it begins at: it is told of every group above, and of none at or below.
    #[getter]
    fn since(&self) -> u64 {
        self.inner.since().0
    }

    /// Events that it was not told so far, as it was full. Where they are missing, an event of the kind
    /// "lost" stands.
    #[getter]
    fn lost(&self) -> u64 {
        self.inner.lost().events
    }

    /// Groups that it was not told so far, as it was full.
    #[getter]
    fn lost_groups(&self) -> u64 {
        self.inner.lost().groups
    }

    /// Whether it, or its state, was closed, and nothing is left to be had.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Ends it, and wakes whoever waits for it; what waits is dropped. Again changes nothing.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     events = state.subscribe()
    /// ...     events.close()
    /// ...     events.closed, list(events)
    /// (True, [])
    fn close(&self) {
        self.inner.close();
    }

    fn __iter__(slf: &Bound<'_, Self>) -> Py<Self> {
        slf.clone().unbind()
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Event>> {
        while self.wait_until(py, None)?.is_some() {
            // Another thread may have taken it.
            if let Ok(Some(event)) = self.inner.poll(1).map(|told| told.into_iter().next()) {
                return Ok(Some(event.into()));
            }
        }
        Ok(None)
    }

    fn __aiter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("mmsb._events")?.getattr("AsyncEvents")?.call1((slf,))
    }

    fn __enter__(slf: &Bound<'_, Self>) -> Py<Self> {
        slf.clone().unbind()
    }

    fn __exit__(
        &self,
        _exc_type: &Bound<'_, PyAny>,
        _exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.close();
    }

    fn __repr__(&self) -> String {
        let state = if self.inner.is_closed() { "closed" } else { "open" };
        format!("<mmsb.Subscription {state}, since {}>", self.inner.since())
    }
}
