//! `Change` and `Changes`: the past, change by change.

use crate::args;
use crate::delta::Delta;
use crate::derive::staleness_name;
use crate::errors::Failure;
use crate::state::State;
use crate::tlog::TLog;
use crate::transaction::ownership_of;
use mmsb::{Changed, Error, ErrorKind, PageId, Query};
use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDateTime, PyTzInfo};
use std::collections::VecDeque;

/// First and largest number of changes that are read at once.
const AHEAD_MIN: usize = 8;
const AHEAD_MAX: usize = 512;
/// Bytes of content after which a read ends early.
const AHEAD_BYTES: usize = 1 << 20;

/// Which changes to read, as keyword arguments carry it.
pub struct Filter<'a, 'py> {
    pub after: Option<&'a Bound<'py, PyAny>>,
    pub to: Option<&'a Bound<'py, PyAny>>,
    pub from_time: Option<&'a Bound<'py, PyAny>>,
    pub to_time: Option<&'a Bound<'py, PyAny>>,
    pub source: Option<String>,
    pub limit: Option<&'a Bound<'py, PyAny>>,
}

impl Filter<'_, '_> {
    pub fn query(self, page: Option<PageId>) -> PyResult<Query> {
        let limit = |n| args::unsigned(n, ErrorKind::InvalidArgument, "a limit");
        Ok(Query {
            page,
            after: self.after.map(args::lsn).transpose()?,
            to: self.to.map(args::lsn).transpose()?,
            from_ms: self.from_time.map(|time| args::time_ms(time, true)).transpose()?,
            to_ms: self.to_time.map(|time| args::time_ms(time, false)).transpose()?,
            source: self.source,
            limit: self.limit.map(limit).transpose()?,
        })
    }
}

/// One change to one page, read back from the log. Never changes.
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Change {
    changed: Changed,
    /// The content's change, taken out of `changed`.
    delta: Option<Py<Delta>>,
    /// A callback made it.
    computed: bool,
}

impl Change {
    pub fn new(py: Python<'_>, mut changed: Changed) -> PyResult<Change> {
        let computed = matches!(changed.change, mmsb::Change::Computed(_));
        let delta = match std::mem::replace(&mut changed.change, mmsb::Change::Freed) {
            mmsb::Change::Written(delta) | mmsb::Change::Computed(delta) => Some(delta),
            other => {
                changed.change = other;
                None
            }
        };
        let delta = delta.map(|delta| stamped(py, delta, &changed)).transpose()?;
        Ok(Change { changed, delta, computed })
    }

    fn created(&self) -> Option<(u64, &'static str)> {
        match &self.changed.change {
            mmsb::Change::Created { size, location }
            | mmsb::Change::Restored { size, location } => {
                Some((*size, args::location_name(*location)))
            }
            _ => None,
        }
    }
}

impl Change {
    fn link(&self) -> Option<mmsb::Link> {
        match self.changed.change {
            mmsb::Change::EdgeAdded(link) | mmsb::Change::EdgeRemoved(link) => Some(link),
            _ => None,
        }
    }
}

/// The delta with what its record says of it.
fn stamped(py: Python<'_>, delta: mmsb::Delta, changed: &Changed) -> PyResult<Py<Delta>> {
    let mut delta = delta.with_source(&changed.source).map_err(Failure::from)?;
    if let Some(intent) = &changed.intent {
        delta = delta.with_intent(intent).map_err(Failure::from)?;
    }
    let Changed { lsn, epoch, time_ms, .. } = *changed;
    let inner = delta.with_stamp(mmsb::page::Stamp { lsn, epoch, time_ms });
    Py::new(py, Delta::plain(inner))
}

#[pymethods]
impl Change {
    /// The record's place in the order of groups. Changes of one group share it.
    #[getter]
    fn lsn(&self) -> u64 {
        self.changed.lsn.0
    }

    /// Wall clock, milliseconds since 1970-01-01 UTC.
    #[getter]
    fn time_ms(&self) -> u64 {
        self.changed.time_ms
    }

    /// Wall clock as a datetime in UTC.
    #[getter]
    fn time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        let utc = PyTzInfo::utc(py)?.to_owned();
        PyDateTime::from_timestamp(py, self.changed.time_ms as f64 / 1e3, Some(&utc))
    }

    /// Label of who acted.
    #[getter]
    fn source(&self) -> &str {
        &self.changed.source
    }

    /// Why, if they said so.
    #[getter]
    fn intent(&self) -> Option<&str> {
        self.changed.intent.as_deref()
    }

    /// The page's id.
    #[getter]
    fn page(&self) -> u64 {
        self.changed.page.0
    }

    /// The page's epoch after the change.
    #[getter]
    fn epoch(&self) -> u64 {
        self.changed.epoch
    }

    /// LSN of the record that changed the page before; 0 for none.
    #[getter]
    fn prev(&self) -> u64 {
        self.changed.prev.0
    }

    /// "created", "written", "freed", "meta"; "restored": the page, which had ended, began again, all
    /// zero, as the state went back to a soft checkpoint; "owned": it belongs to somebody else;
    /// "edge_added", "edge_removed": it derives from another page, or no longer; "ruled": it is computed by
    /// another rule, or no longer; "derived", "computed": its formula, or a callback, made another
    /// content; "staled": it became stale, or was found not to be; "sealed": the content of a private page
    /// changed, and `page_at` tells what it came to.
    #[getter]
    fn kind(&self) -> &'static str {
        match (&self.delta, &self.changed.change) {
            (Some(_), _) if self.computed => "computed",
            (Some(_), _) | (None, mmsb::Change::Written(_)) => "written",
            (None, mmsb::Change::Computed(_)) => "computed",
            (None, mmsb::Change::Derived) => "derived",
            (None, mmsb::Change::Ruled(_)) => "ruled",
            (None, mmsb::Change::Staled(_)) => "staled",
            (None, mmsb::Change::Sealed) => "sealed",
            (None, mmsb::Change::Created { .. }) => "created",
            (None, mmsb::Change::Freed) => "freed",
            (None, mmsb::Change::Restored { .. }) => "restored",
            (None, mmsb::Change::Meta { .. }) => "meta",
            (None, mmsb::Change::Owned(_)) => "owned",
            (None, mmsb::Change::EdgeAdded(_)) => "edge_added",
            (None, mmsb::Change::EdgeRemoved(_)) => "edge_removed",
        }
    }

    /// Of "written" and "computed": what changed. Else `None`.
    #[getter]
    fn delta(&self, py: Python<'_>) -> Option<Py<Delta>> {
        self.delta.as_ref().map(|delta| delta.clone_ref(py))
    }

    /// Of "created" and "restored": bytes of the page. Else `None`.
    #[getter]
    fn size(&self) -> Option<u64> {
        self.created().map(|(size, _)| size)
    }

    /// Of "created" and "restored": where the page should live. Else `None`.
    #[getter]
    fn location(&self) -> Option<&'static str> {
        self.created().map(|(_, location)| location)
    }

    /// Of "meta": the key. Else `None`.
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.changed.change {
            mmsb::Change::Meta { key, .. } => Some(PyBytes::new(py, key)),
            _ => None,
        }
    }

    /// Of "meta": the key's value from then on, `None` if it went. Else `None`.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.changed.change {
            mmsb::Change::Meta { value, .. } => value.as_ref().map(|value| PyBytes::new(py, value)),
            _ => None,
        }
    }

    /// Of "owned": whose it is from then on, "shared", "immutable" or a partition's number. Else `None`.
    #[getter]
    fn ownership(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.changed.change {
            mmsb::Change::Owned(ownership) => ownership_of(py, ownership).map(Some),
            _ => Ok(None),
        }
    }

    /// Of "edge_added" and "edge_removed": the parent's id. Else `None`.
    #[getter]
    fn parent(&self) -> Option<u64> {
        self.link().map(|link| link.page.0)
    }

    /// Of "edge_added" and "edge_removed": the kind of the edge. Else `None`.
    #[getter]
    fn edge(&self) -> Option<&'static str> {
        self.link().map(|link| link.kind.name())
    }

    /// Of "ruled": the formula, or "callback" and its name, `None` if the page is no longer computed. Else
    /// `None`.
    #[getter]
    fn rule(&self) -> Option<String> {
        match &self.changed.change {
            mmsb::Change::Ruled(rule) => rule.as_ref().map(ToString::to_string),
            _ => None,
        }
    }

    /// Of "staled": "fresh", "behind" or "stale". Else `None`.
    #[getter]
    fn staleness(&self) -> Option<&'static str> {
        match self.changed.change {
            mmsb::Change::Staled(staleness) => Some(staleness_name(staleness)),
            _ => None,
        }
    }

    fn __repr__(&self) -> String {
        let Changed { lsn, page, epoch, .. } = self.changed;
        format!("<mmsb.Change {lsn}: {page} {}, epoch {epoch}>", self.kind())
    }
}

/// What changes are read from: it must be open.
pub enum Owner {
    State(Py<State>),
    TLog(Py<TLog>),
}

impl Owner {
    /// Calls `call` while other threads run and nobody closes the owner.
    fn long<R: Send>(&self, py: Python<'_>, call: impl FnOnce() -> R + Send) -> Result<R, Failure> {
        match self {
            Owner::State(state) => state.get().shared.long(py, |_| Ok(call())),
            Owner::TLog(log) => log.get().shared.long(py, |_| Ok(call())),
        }
    }

    fn check_open(&self) -> Result<(), Failure> {
        match self {
            Owner::State(state) => state.get().shared.check_open(),
            Owner::TLog(log) => log.get().shared.check_open(),
        }
    }
}

/// Changes that a query found, in LSN order; an iterator of `Change`. An error ends it. Once the
/// state or log is closed, a step raises `Closed`.
///
/// Reads ahead, so that a step costs little more than the change itself. One thread at a time.
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Changes {
    owner: Owner,
    /// Taken out while a thread steps.
    stream: Mutex<Option<Stream>>,
}

struct Stream {
    /// `None` at the end.
    source: Option<mmsb::Changes>,
    ready: VecDeque<Changed>,
    /// What ends the stream after `ready`.
    error: Option<Error>,
    ahead: usize,
}

impl Stream {
    /// Reads some changes.
    fn fill(mut self) -> Stream {
        let Some(source) = &mut self.source else { return self };
        let mut bytes = 0;
        while self.ready.len() < self.ahead && bytes < AHEAD_BYTES {
            match source.next() {
                Some(Ok(changed)) => {
                    bytes += weight(&changed);
                    self.ready.push_back(changed);
                }
                Some(Err(error)) => {
                    (self.error, self.source) = (Some(error), None);
                    break;
                }
                None => {
                    self.source = None;
                    break;
                }
            }
        }
        self.ahead = (self.ahead * 2).min(AHEAD_MAX);
        self
    }
}

fn weight(changed: &Changed) -> usize {
    match &changed.change {
        mmsb::Change::Written(delta) | mmsb::Change::Computed(delta) => delta.payload_len(),
        _ => 0,
    }
}

impl Changes {
    pub fn new(owner: Owner, source: mmsb::Changes) -> Changes {
        let (ready, error) = (VecDeque::new(), None);
        let stream = Stream { source: Some(source), ready, error, ahead: AHEAD_MIN };
        Changes { owner, stream: Mutex::new(Some(stream)) }
    }
}

#[pymethods]
impl Changes {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Change>> {
        self.owner.check_open()?;
        let Some(mut stream) = self.stream.lock().take() else {
            return Err(PyValueError::new_err("another thread is stepping these changes"));
        };
        if stream.ready.is_empty() && stream.source.is_some() {
            stream = self.owner.long(py, || stream.fill())?;
        }
        let (next, error) = match stream.ready.pop_front() {
            Some(changed) => (Some(changed), None),
            None => (None, stream.error.take()),
        };
        *self.stream.lock() = Some(stream);
        match (next, error) {
            (Some(changed), _) => Change::new(py, changed).map(Some),
            (None, Some(error)) => Err(Failure::from(error).into()),
            (None, None) => Ok(None),
        }
    }

    fn __repr__(&self) -> &'static str {
        "<mmsb.Changes>"
    }
}
