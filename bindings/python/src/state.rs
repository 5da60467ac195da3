//! `State`: opening, pages, durability, time travel.

use crate::args::{self, DETACH_BYTES, Home, Settings, note, page_in};
use crate::batch::Batch;
use crate::buffer::with_bytes;
use crate::changes::{Change, Changes, Filter, Owner};
use crate::delta::Delta;
use crate::derive::{self, By, Function};
use crate::errors::{Failure, raise};
use crate::events::Subscription;
use crate::executor::Executor;
use crate::graph::Graph;
use crate::memory::parsed;
use crate::page::Page;
use crate::records::{Checkpoint, PageAt, Recovered, Verified, hex};
use crate::revert::{Difference, SoftCheckpoint};
use crate::shared::{Closable, Shared, call_back};
use crate::snapshot::Snapshot;
use crate::tlog::TLog;
use crate::transaction::{Partition, Transaction, Trying};
use crate::typed::Extent;
use mmsb::limits::KEY_BYTES;
use mmsb::{Durability, Location, Note, PageId};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often a long call looks for signals and tells its progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(20);

impl Closable for mmsb::State {
    const NAME: &'static str = "state";

    fn has_files(&self) -> bool {
        self.config().path.is_some()
    }

    fn may_wait(&self) -> bool {
        self.is_checkpoint_due() || self.has_callbacks()
    }

    fn poison(&self, reason: &str) {
        mmsb::State::poison(self, reason);
    }

    fn shut(self) -> mmsb::Result<()> {
        self.close()
    }
}

/// A program's live state: pages, their history, and a log that gives them back.
///
/// - `path`: the state's directory, created where it does not exist; `None` for one in memory.
/// - `durability`: "memory" (written by flush, sync, checkpoint and close), "buffered" (within
///   `flush_every_ms` to the operating system, within `sync_every_ms` to the disk; the default
///   with a path) or "sync" (each change before its call returns).
/// - `must_exist`: refuse to create the directory.
/// - `flush_every_ms`, `sync_every_ms`: more than 0, fractions allowed; 1 and 100.
/// - `segment_bytes`: of one log file, 64 KiB to 1 GiB; 16 MiB.
/// - `pending_bytes_max`: log that may wait for the disk before changes wait; 16 MiB.
/// - `history_bytes`: log to keep for the past; 256 MiB in memory, 1 GiB with a path.
/// - `memory_bytes_max`: what pages may take, older versions included; 0, for no limit. What would
///   take more raises `OutOfMemory` and changes nothing.
/// - `version_bytes_max`: what open snapshots may hold together, each version with 128 bytes more
///   than its content; 4 GiB. Beyond it the oldest are ended and raise `SnapshotTooOld` when read;
///   writers never fail nor wait for it.
/// - `key`: 32 bytes that open private pages, and seal them; see `unlock`.
///
/// A container of pages: `len`, `in`, iteration and `state[page_id]` work. May be used from any
/// thread. Closing twice is allowed; everything else on a closed state raises `Closed`.
///
/// Raises `InvalidArgument` and `SizeOutOfRange` for settings, `Locked` if the directory is open
/// already, `Foreign` if it is not one of a state, `Corrupt`, `UnknownFormat` and `IoError` for
/// its files. Cost: under 1 µs in memory; with a path a few ms and the log after the last
/// checkpoint.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     page = state.create_page(4)
/// ...     lsn = page.update(b"abcd", source="demo")
/// ...     page.read(), page.epoch
/// (b'abcd', 1)
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct State {
    pub shared: Shared<mmsb::State>,
    /// Every change waits for the disk.
    pub is_sync: bool,
    pub home: Home,
}

/// What a page is from its beginning on.
struct Shape {
    size: u64,
    place: Location,
    private: bool,
}

impl State {
    /// The name that a function is registered under for a page, if it is not given one.
    fn name_for(
        slf: &Bound<'_, Self>,
        page: &Bound<'_, PyAny>,
        function: &Bound<'_, PyAny>,
    ) -> PyResult<String> {
        let id = crate::args::page_in(slf, page)?;
        slf.py().import("mmsb._derive")?.call_method1("name_of", (function, id.0))?.extract()
    }

    fn new(state: mmsb::State) -> State {
        let is_sync = state.config().durability == Durability::Sync;
        State { shared: Shared::new(state), is_sync, home: Home::state() }
    }

    /// Whether a change of `len` bytes lets other threads run.
    #[inline]
    pub fn detaches(&self, len: usize) -> bool {
        self.is_sync || len >= DETACH_BYTES
    }

    /// Creates a page with content or metadata, all in one group.
    fn create_full(
        &self,
        py: Python<'_>,
        shape: Shape,
        data: Option<&[u8]>,
        metadata: &[(Vec<u8>, Vec<u8>)],
        note: Note<'_>,
    ) -> Result<PageId, Failure> {
        let len = data.map_or(0, <[u8]>::len);
        self.shared.change(py, self.detaches(len), |state| {
            let mut batch = mmsb::Batch::new(state);
            let Shape { size, place, private } = shape;
            let id = match private {
                false => batch.create_page(size, place)?,
                true => batch.create_private_page(size, place)?,
            };
            if let Some(data) = data {
                batch.update(id, data)?;
            }
            for (key, value) in metadata {
                batch.set_meta(id, key, value)?;
            }
            batch.commit(note)?;
            Ok(id)
        })
    }

    fn find(slf: &Bound<'_, State>, id: PageId) -> PyResult<Page> {
        // Maybe read from a file and checked, or locked by a change that takes its time.
        let size = slf.get().shared.long(slf.py(), |state| Ok(state.page_size(id)?))?;
        Ok(Page::new(slf, id, size))
    }
}

/// Metadata as keys and values.
fn pairs(metadata: &Bound<'_, PyAny>) -> PyResult<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut pairs = Vec::new();
    for item in metadata.call_method0("items")?.try_iter()? {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
        let value = with_bytes(&value, "a metadata value", |value| Ok(value.to_vec()))?;
        pairs.push((args::meta_key(&key)?, value));
    }
    Ok(pairs)
}

/// Calls `tell` at most every [`PROGRESS_EVERY`] with how far a call has come, and lets signals in.
/// An exception of either ends the call.
pub struct Ticker<'a> {
    last: Instant,
    done: u64,
    tell: Option<&'a Py<PyAny>>,
    raised: Option<PyErr>,
}

impl<'a> Ticker<'a> {
    pub fn new(tell: Option<&'a Py<PyAny>>) -> Ticker<'a> {
        Ticker { last: Instant::now(), done: 0, tell, raised: None }
    }

    pub fn step(&mut self, done: u64) -> ControlFlow<()> {
        self.done = done;
        if self.last.elapsed() < PROGRESS_EVERY {
            return ControlFlow::Continue(());
        }
        self.last = Instant::now();
        self.raised = self.tell(done).err();
        match self.raised {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn tell(&self, done: u64) -> PyResult<()> {
        call_back(|py| {
            py.check_signals()?;
            self.tell.map_or(Ok(()), |tell| tell.call1(py, (done,)).map(drop))
        })
    }

    /// What the call came to. Its end is told, too.
    pub fn finish<R>(self, result: mmsb::Result<R>) -> Result<R, Failure> {
        // What ended it is the error, not that it was ended.
        if let Some(raised) = self.raised {
            return Err(raised.into());
        }
        let result = result?;
        self.tell(self.done)?;
        Ok(result)
    }
}

#[pymethods]
impl State {
    #[new]
    #[pyo3(signature = (
        path = None, durability = None, *, must_exist = false, flush_every_ms = None,
        sync_every_ms = None, segment_bytes = None, pending_bytes_max = None, history_bytes = None,
        memory_bytes_max = None, version_bytes_max = None, key = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments, each a setting")]
    fn open(
        py: Python<'_>,
        path: Option<PathBuf>,
        durability: Option<&str>,
        must_exist: bool,
        flush_every_ms: Option<&Bound<'_, PyAny>>,
        sync_every_ms: Option<&Bound<'_, PyAny>>,
        segment_bytes: Option<&Bound<'_, PyAny>>,
        pending_bytes_max: Option<&Bound<'_, PyAny>>,
        history_bytes: Option<&Bound<'_, PyAny>>,
        memory_bytes_max: Option<&Bound<'_, PyAny>>,
        version_bytes_max: Option<&Bound<'_, PyAny>>,
        key: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<State> {
        let config = Settings {
            path,
            durability,
            must_exist,
            flush_every_ms,
            sync_every_ms,
            segment_bytes,
            pending_bytes_max,
            history_bytes,
            memory_bytes_max,
            version_bytes_max,
        }
        .config()?;
        // Before anything is made for a state that it does not open.
        if let Some(key) = key {
            with_bytes(key, "a key", |key| match key.len() {
                KEY_BYTES => Ok(()),
                n => raise!(LengthMismatch, "a key of {n} bytes; keys have {KEY_BYTES}"),
            })?;
        }
        let has_path = config.path.is_some();
        let open = move || mmsb::State::open(config).map_err(Failure::from);
        let state = State::new(if has_path { py.detach(open) } else { open() }?);
        if let Some(key) = key {
            // A key that it does not take closes it.
            state.unlock(py, key)?;
        }
        Ok(state)
    }

    /// Gives the state the key that private pages are sealed with, for as long as it is open; so does
    /// `State(key=...)`. States that `replay_to` makes have it, too.
    ///
    /// - `key`: 32 bytes, random or made of a password by a function for that. To give it again is fine.
    ///   Nothing of it is stored, so that a key that was mistyped shows when a private page is read:
    ///   `WrongKey`.
    ///
    /// A page that was created with `private=True` is sealed (AES-256-GCM) wherever it stands: in
    /// memory, in the log, in checkpoints. It is read and written as others. Its metadata are not sealed.
    /// What it cannot have is views, and pages that are computed from it, as both would show what is
    /// sealed. Each read opens the whole page, about 0.3 µs and 1 ns per byte; each write opens and seals
    /// it, and records all of it, about 1 µs and 2.5 ns per byte.
    ///
    /// Raises `LengthMismatch`; `WrongKey` if the state has another key already.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     state.unlock(bytes(range(32)))
    /// ...     page = state.create_page(data=b"account", private=True)
    /// ...     state.unlocked, page.private, page.read()
    /// (True, True, b'account')
    fn unlock(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        with_bytes(key, "a key", |key| Ok(self.shared.short(py, |state| state.unlock(key))?))
    }

    /// Whether the state has a key for private pages: see `unlock`.
    #[getter]
    fn unlocked(&self, py: Python<'_>) -> Result<bool, Failure> {
        self.shared.short(py, |state| Ok(state.is_unlocked()))
    }

    /// Opens the image in the file `path` as a new state in memory. The file is mapped and never
    /// changes; pages are read when they are first asked for.
    ///
    /// Raises `FileNotFound`, `Foreign` for a folder or a file that never was an image, `Corrupt`,
    /// `UnknownFormat`. Cost: about a millisecond, whatever the size.
    ///
    /// >>> import mmsb, os, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder, mmsb.State() as state:
    /// ...     page = state.create_page(data=b"abc")
    /// ...     file = os.path.join(folder, "backup.image")
    /// ...     lsn = state.export_checkpoint(file)
    /// ...     with mmsb.State.load_checkpoint(file) as copy:
    /// ...         copy.digest() == state.digest(), copy[1].read()
    /// (True, b'abc')
    #[staticmethod]
    fn load_checkpoint(py: Python<'_>, path: PathBuf) -> Result<State, Failure> {
        let state = py.detach(|| mmsb::State::load_checkpoint(path))?;
        Ok(State::new(state))
    }

    /// Closes the state: flushes, syncs, releases the directory. Waits for calls of other threads;
    /// open batches can no longer commit; views and arrays stay valid. Nothing if it is closed.
    ///
    /// Raises what the last flush and sync say (`IoError`, `NoSpace`); it is closed all the same.
    ///
    /// >>> import mmsb
    /// >>> state = mmsb.State()
    /// >>> state.close()
    /// >>> state.closed
    /// True
    fn close(&self, py: Python<'_>) -> Result<(), Failure> {
        self.shared.close(py)
    }

    /// Whether the state is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.shared.is_closed()
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        slf.get().shared.check_open()?;
        Ok(slf.clone().unbind())
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, py: Python<'_>, _exc: &Bound<'_, PyAny>) -> Result<(), Failure> {
        self.close(py)
    }

    /// The state's directory as it was given; `None` for one in memory.
    #[getter]
    fn path(&self, py: Python<'_>) -> Result<Option<PathBuf>, Failure> {
        self.shared.short(py, |state| Ok(state.config().path.clone()))
    }

    /// "memory", "buffered" or "sync".
    #[getter]
    fn durability(&self, py: Python<'_>) -> Result<&'static str, Failure> {
        self.shared.short(py, |state| Ok(args::durability_name(state.config().durability)))
    }

    /// Whether the state shows the past and refuses changes, as `replay_to` makes it.
    #[getter]
    fn read_only(&self, py: Python<'_>) -> Result<bool, Failure> {
        self.shared.short(py, |state| Ok(state.is_read_only()))
    }

    /// What opening found: records replayed, and a torn tail that was cut off.
    #[getter]
    fn recovered(&self, py: Python<'_>) -> Result<Recovered, Failure> {
        self.shared.short(py, |state| Ok(Recovered::from(state.recovered())))
    }

    /// Creates a page. Give its size, its content, or its shape and type.
    ///
    /// - `size`: bytes, 1 to 1 GiB; without `data` all are zero.
    /// - `data`: any C-contiguous buffer, the page's first content.
    /// - `dtype`, `shape`: as of NumPy; the page holds such an array. `shape` alone counts bytes.
    /// - `location`: "cpu", "gpu" or "unified".
    /// - `metadata`: a mapping of str to bytes.
    /// - `private`: the content is sealed wherever it stands, and only the state's key opens it: see
    ///   `unlock`. Then `size` is at most 1 GiB less 48 bytes.
    /// - `source`, `intent`: who creates it and why, kept with the record.
    ///
    /// One record, whatever is given. Raises `InvalidArgument`, `SizeOutOfRange`,
    /// `LengthMismatch` where the arguments disagree, `Sealed` (private, without a key), `TooLong`,
    /// `TooLarge`, `ReadOnly`, `OutOfMemory`, `NoSpace`. Cost: O(size).
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     state.create_page(16).size, state.create_page(data=b"abc").size
    /// (16, 3)
    #[pyo3(signature = (
        size = None, data = None, *, dtype = None, shape = None, location = "cpu",
        metadata = None, private = false, source = "", intent = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn create_page(
        slf: &Bound<'_, Self>,
        size: Option<&Bound<'_, PyAny>>,
        data: Option<&Bound<'_, PyAny>>,
        dtype: Option<&Bound<'_, PyAny>>,
        shape: Option<&Bound<'_, PyAny>>,
        location: &str,
        metadata: Option<&Bound<'_, PyAny>>,
        private: bool,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Page> {
        let (py, this) = (slf.py(), slf.get());
        let (place, note) = (args::location(location)?, note(source, intent));
        let plain = (data, dtype, shape, metadata, private);
        if let (Some(size), (None, None, None, None, false)) = (size, plain) {
            let size = args::size(size)?;
            let detach = this.detaches(usize::try_from(size).unwrap_or(usize::MAX));
            let create = |state: &mmsb::State| state.create_page_at(size, place, note);
            let id = this.shared.change(py, detach, create)?;
            return Ok(Page::new(slf, id, size));
        }
        let extent = Extent { size, data, dtype, shape };
        let metadata = metadata.map_or(Ok(Vec::new()), pairs)?;
        extent.with(|size, data| {
            let shape = Shape { size, place, private };
            let id = this.create_full(py, shape, data, &metadata, note)?;
            Ok(Page::new(slf, id, size))
        })
    }

    /// Frees a page. Its id is never used again; its history stays readable as long as the log.
    ///
    /// Returns the record's LSN. Raises `PageNotFound`, `PageFreed`, `ReadOnly`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(1)
    /// ...     lsn = state.free_page(page)
    /// ...     page in state
    /// False
    #[pyo3(signature = (page, *, source = "", intent = None))]
    fn free_page(
        slf: &Bound<'_, Self>,
        page: &Bound<'_, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<u64> {
        let (id, note) = (page_in(slf, page)?, note(source, intent));
        Ok(slf.get().shared.long(slf.py(), |state| Ok(state.free_page(id, note)?.0))?)
    }

    /// Applies a delta, with the source and intent that it carries; records only the bytes that
    /// differ.
    ///
    /// Returns the LSN, `None` if nothing changed. Raises `PageNotFound`, `PageFreed`,
    /// `LengthMismatch`, `RangeOutOfBounds`, `ReadOnly`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     lsn = state.apply(mmsb.Delta.from_runs(page, [(1, b"ab")]))
    /// ...     page.read()
    /// b'\x00ab\x00'
    fn apply(&self, py: Python<'_>, delta: &Bound<'_, Delta>) -> Result<Option<u64>, Failure> {
        let delta = delta.get().at(self.home)?;
        let lsn = self.shared.long(py, |state| Ok(state.apply(delta)?))?;
        Ok(lsn.map(|lsn| lsn.0))
    }

    /// A batch: many changes to many pages as one group, all or none.
    ///
    /// As a context manager it commits at the end, and discards if an exception passes.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = state.create_page(4), state.create_page(4)
    /// ...     with state.batch(source="demo") as batch:
    /// ...         batch.write(a, 0, b"both")
    /// ...         batch.write(b, 0, b"both")
    /// ...     a.lsn == b.lsn == batch.lsn
    /// True
    #[pyo3(signature = (*, source = "", intent = None))]
    fn batch(slf: &Bound<'_, Self>, source: &str, intent: Option<&str>) -> PyResult<Batch> {
        Batch::new(slf, source, intent)
    }

    /// What derives from what. Example: see `Graph`.
    #[getter]
    fn graph(slf: &Bound<'_, Self>) -> Graph {
        Graph::of(slf)
    }

    /// Has a page computed from others, from now on and at once: they become its parents.
    ///
    /// - `parents`: pages or ids, in the order in which the rule names them.
    /// - `rule`: a formula (docs/formulas.md), such as "f64: p0 / max(p1, 1)"; or a function that is
    ///   given a read-only array of `dtype` for each parent, a copy, and returns what fills the page. It
    ///   is called in the thread that changes a parent, and depends on its arguments alone; its exception
    ///   ends the whole change as `CallbackFailed`, with the exception as cause.
    /// - `name`: under which a function stands in the log; its own name and the page's id, if not given,
    ///   such as "spread_of/3". Another function of that name must not compute another page. When the state
    ///   is opened again, `derive` or `register` it again before a parent changes.
    ///
    /// On a page that is derived already it replaces the rule, and the data edges by those to the new
    /// parents.
    /// Whoever changes a parent changes the page in the same group: nobody ever sees one without the
    /// other. It is not written by hand any more (`Derived`). Returns the group's LSN, `None` if all is so
    /// already. Raises `InvalidArgument` for the formula, `LengthMismatch`, `Cycle`, `CallbackFailed`.
    ///
    /// >>> import mmsb
    /// >>> import numpy as np
    /// >>> with mmsb.State() as state:
    /// ...     total, count, mean, low = (state.create_page(8) for _ in range(4))
    /// ...     lsn = state.derive(mean, [total, count], "f64: p0 / max(p1, 1)")
    /// ...     lsn = state.derive(low, [mean], lambda mean: mean < 3, dtype="f8", name="low")
    /// ...     with state.batch() as batch:
    /// ...         batch.update(total, np.array([10.0]))
    /// ...         batch.update(count, np.array([4.0]))
    /// ...     mean.array("f8"), low.array("f8")
    /// (array([2.5]), array([1.]))
    #[pyo3(signature = (page, parents, rule, *, dtype = None, name = None, source = "", intent = None))]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    fn derive(
        slf: &Bound<'_, Self>,
        page: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = args::parents)] parents: Vec<Bound<'_, PyAny>>,
        rule: &Bound<'_, PyAny>,
        dtype: Option<&Bound<'_, PyAny>>,
        name: Option<&str>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Option<u64>> {
        let by = match (derive::formula(rule)?, name) {
            (Some(formula), _) => By::Formula(formula),
            (None, Some(name)) => By::Function(name.to_owned(), Function::new(rule, dtype)?),
            (None, None) => {
                let function = Function::new(rule, dtype)?;
                By::Function(Self::name_for(slf, page, rule)?, function)
            }
        };
        derive::derive(slf, page, &parents, by, (source, intent))
    }

    /// Has a page computed by the function below, from the pages given: a decorator.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     bid, ask, spread = (state.create_page(8) for _ in range(3))
    /// ...     @state.derives(spread, bid, ask, dtype="i8")
    /// ...     def spread_of(bid, ask):
    /// ...         return ask - bid
    /// ...     lsn = ask.update((25).to_bytes(8, "little"))
    /// ...     spread.array("i8")
    /// array([25])
    #[pyo3(signature = (page, *parents, dtype = None, name = None))]
    fn derives<'py>(
        slf: &Bound<'py, Self>,
        page: &Bound<'py, PyAny>,
        parents: Vec<Bound<'py, PyAny>>,
        dtype: Option<Bound<'py, PyAny>>,
        name: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let keywords = PyDict::new(slf.py());
        keywords.set_item("dtype", dtype)?;
        keywords.set_item("name", name)?;
        let helper = slf.py().import("mmsb._derive")?.getattr("decorator")?;
        helper.call((slf, page, parents), Some(&keywords))
    }

    /// Registers a function that pages can be computed by, under a name, until the state is closed. What
    /// was registered under it goes, for all pages that are computed by it; they are computed anew when a
    /// parent changes.
    ///
    /// - `function`, `dtype`: as in `derive`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = state.create_page(4), state.create_page(4)
    /// ...     state.register("reversed", lambda content: content[::-1])
    /// ...     lsn = state.derive(b, [a], lambda content: content[::-1], name="reversed")
    /// ...     lsn = a.update(b"live")
    /// ...     b.read(), b.rule
    /// (b'evil', 'callback reversed')
    #[pyo3(signature = (name, function, *, dtype = None))]
    fn register(
        slf: &Bound<'_, Self>,
        name: &str,
        function: &Bound<'_, PyAny>,
        dtype: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Ok(derive::register(slf, name, Function::new(function, dtype)?)?)
    }

    /// Computes all that is stale, each page once, parents first, as one group. Returns its LSN, `None` if
    /// nothing is stale.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = state.create_page(1), state.create_page(1)
    /// ...     lsn = state.derive(b, [a], "u8: p0 + 1")
    /// ...     state.propagation = "deferred"
    /// ...     lsn = a.update(b"a")
    /// ...     before = b.read(), b.staleness, state.stale_pages() == [b]
    /// ...     lsn = state.propagate(source="demo")
    /// ...     before, b.read()
    /// ((b'\x01', 'stale', True), b'b')
    #[pyo3(signature = (*, source = "", intent = None))]
    fn propagate(
        &self,
        py: Python<'_>,
        source: &str,
        intent: Option<&str>,
    ) -> Result<Option<u64>, Failure> {
        let note = note(source, intent);
        let lsn = self.shared.long(py, |state| Ok(state.propagate(note)?))?;
        Ok(lsn.map(|lsn| lsn.0))
    }

    /// When derived pages are computed: "immediate", in the group of the change, or "deferred", when
    /// `propagate` is called; until then they are known as stale. Until the state is closed.
    #[getter]
    fn propagation(&self, py: Python<'_>) -> Result<&'static str, Failure> {
        self.shared.short(py, |state| Ok(derive::mode_name(state.propagation())))
    }

    #[setter]
    fn set_propagation(&self, py: Python<'_>, mode: &str) -> PyResult<()> {
        let mode = derive::mode_of(mode)?;
        Ok(self.shared.long(py, |state| Ok(state.set_propagation(mode)?))?)
    }

    /// Threads, 1 to 64, that share in computing pages by formulas, where many are due at once that do not
    /// derive from each other, with so many bytes that it is worth it: until the state is closed. At first as
    /// many as there are cores, 8 at most. The outcome is the same with any number. Python functions are called
    /// on the calling thread alone. Setting it raises `InvalidArgument`.
    #[getter]
    fn propagation_threads(&self, py: Python<'_>) -> Result<usize, Failure> {
        self.shared.short(py, |state| Ok(state.propagation_threads()))
    }

    #[setter]
    fn set_propagation_threads(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = args::propagation_threads)] threads: usize,
    ) -> Result<(), Failure> {
        self.shared.short(py, |state| state.set_propagation_threads(threads))
    }

    /// The pages that are stale, or may be, ascending. Example: see `propagate`.
    fn stale_pages<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        derive::stale_pages(slf)
    }

    /// Has each function that computes pages called twice from now on, and compared, or no longer: a
    /// difference is `Impure`.
    ///
    /// >>> import itertools
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = state.create_page(1), state.create_page(1)
    /// ...     count = itertools.count()
    /// ...     lsn = state.derive(b, [a], lambda content: next(count))
    /// ...     state.check_purity()
    /// ...     try:
    /// ...         a.update(b"x")
    /// ...     except mmsb.Impure as error:
    /// ...         print(error)
    /// the callback of page 2 made two contents of the same parents
    #[pyo3(signature = (check = true))]
    fn check_purity(&self, py: Python<'_>, check: bool) -> Result<(), Failure> {
        self.shared.long(py, |state| Ok(state.check_purity(check)?))
    }

    /// What propagation did since the state was opened: a dict of `derived` pages, `stale` ones, how often
    /// one was `computed`, how often that came out as it was (`cut_off`), and how often several threads shared
    /// in it (`shared`).
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = state.create_page(1), state.create_page(1)
    /// ...     lsn = state.derive(b, [a], "u8: p0")
    /// ...     state.propagation_stats()
    /// {'derived': 1, 'stale': 0, 'computed': 1, 'cut_off': 1, 'shared': 0}
    fn propagation_stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        derive::stats(slf)
    }

    /// Tells of everything that happens from now on, as a queue of `Event`.
    ///
    /// They tell of what can be read; `sync` says what is durable. Each page's events ascend by LSN;
    /// groups that have no page in common may come in another order than their LSNs.
    ///
    /// - `kinds`: those that are wanted; `None` is all. Lost events are always told of. There are
    ///   "created", "changed", "freed", "stale", "edge_added", "edge_removed", "metadata", "ownership",
    ///   "committed", "checkpoint", "poisoned" and "lost".
    /// - `pages`: as `Page` or id; `None` is all. Of an edge either end counts, a committed group is told
    ///   if it did anything to one of them, and what is not of a page is told always.
    /// - `capacity`: events that may wait, 48 bytes each. Writers never wait for a subscription: a group
    ///   that does not fit is dropped whole, and an event of the kind "lost" stands there instead.
    ///
    /// Raises `InvalidArgument`, `SizeOutOfRange`, `TooLarge` and `OutOfMemory`. Example: see
    /// `Subscription`.
    #[pyo3(signature = (*, kinds = None, pages = None, capacity = 65_536))]
    fn subscribe(
        slf: &Bound<'_, Self>,
        #[pyo3(from_py_with = args::kinds)] kinds: Option<Vec<String>>,
        #[pyo3(from_py_with = args::pages)] pages: Option<Vec<Bound<'_, PyAny>>>,
        #[pyo3(from_py_with = args::capacity)] capacity: usize,
    ) -> PyResult<Subscription> {
        Subscription::new(slf, kinds, pages, capacity)
    }

    /// A transaction: reads of one moment, and writes that happen at its end, as one group, or not at
    /// all. For a `with` block that does not try again if it meets another; `transact` does.
    ///
    /// - `read_only`: it may not write.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(1)
    /// ...     with state.transaction(source="demo") as t:
    /// ...         t.write(page, 0, bytes([t.read(page)[0] + 1]))
    /// ...     page.read()
    /// b'\x01'
    #[pyo3(signature = (*, read_only = false, source = "", intent = None))]
    fn transaction(
        slf: &Bound<'_, Self>,
        read_only: bool,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Transaction> {
        Transaction::begin(slf, read_only, source, intent)
    }

    /// Calls `function` with a `Transaction` and commits it, anew as long as it conflicts with others.
    /// Returns what `function` returned.
    ///
    /// What `function` raises gives the transaction up and is raised from here, unless what it had read
    /// holds no longer: then it may be a consequence of that, and `function` is called again.
    ///
    /// It is this call that commits, at the end: the transaction's own `commit`, `abort` and `with`
    /// raise `InvalidArgument` in `function`.
    ///
    /// - `tries`: how often in all; `RetriesExhausted` after that.
    /// - `pause_max_ms`: the longest pause between two tries.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     counter = state.create_page(8)
    /// ...     def count(t):
    /// ...         n = int.from_bytes(t.read(counter), "little") + 1
    /// ...         t.update(counter, n.to_bytes(8, "little"))
    /// ...         return n
    /// ...     [state.transact(count, source="demo") for _ in range(3)]
    /// [1, 2, 3]
    #[pyo3(signature = (
        function, *, tries = 1000, pause_max_ms = 1.0, source = "", intent = None
    ))]
    fn transact(
        slf: &Bound<'_, Self>,
        function: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = args::tries)] tries: u32,
        #[pyo3(from_py_with = args::pause_max_ms)] pause_max_ms: f64,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        let trying = Trying { tries, pause_max_ms, source, intent };
        let begin = || slf.get().shared.short(slf.py(), |state| state.begin_held(false));
        trying.run(slf, function, begin)
    }

    /// Takes a partition, 0 to 65,535, until it is closed: its pages (`Page.transfer`) are changed in
    /// its transactions alone. Raises `PartitionInUse`. Example: see `Partition`.
    fn partition(slf: &Bound<'_, Self>, number: &Bound<'_, PyAny>) -> PyResult<Partition> {
        Partition::open(slf, args::partition(number)?)
    }

    /// Starts worker threads that each hold a partition, from 0 on.
    ///
    /// - `workers`: 1 to 64; `None` is one per core. `pin`: bind each to a core of its own.
    /// - `queue_max`: how much may wait for one worker; who submits more waits.
    /// - `tries`, `pause_max_ms`: for what conflicts, as of `transact`.
    ///
    /// Raises `SizeOutOfRange` and `PartitionInUse`. Example: see `Executor`.
    #[pyo3(signature = (
        workers = None, *, pin = true, queue_max = 1024, tries = 1000, pause_max_ms = 1.0
    ))]
    fn executor(
        slf: &Bound<'_, Self>,
        #[pyo3(from_py_with = args::workers)] workers: Option<usize>,
        pin: bool,
        #[pyo3(from_py_with = args::queue_max)] queue_max: usize,
        #[pyo3(from_py_with = args::tries)] tries: u32,
        #[pyo3(from_py_with = args::pause_max_ms)] pause_max_ms: f64,
    ) -> PyResult<Executor> {
        let trying = Trying { tries, pause_max_ms, source: "", intent: None };
        Executor::start(slf, workers, pin, queue_max, trying)
    }

    /// The stats in the text format that Prometheus reads; `name` becomes the label `state` of each
    /// line.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     'mmsb_pages{state="demo"} 0' in state.prometheus("demo").splitlines()
    /// True
    #[pyo3(signature = (name = None))]
    fn prometheus(&self, py: Python<'_>, name: Option<&str>) -> Result<String, Failure> {
        let labels: Vec<(&str, &str)> = name.map(|name| ("state", name)).into_iter().collect();
        self.shared.long(py, |state| Ok(state.stats()?.to_prometheus(&labels)))
    }

    /// All pages, ascending by id. Cost: O(ids ever given out).
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     state.pages() == [page]
    /// True
    fn pages<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let ids = slf.get().shared.long(slf.py(), |state| Ok(state.list_pages()?))?;
        PyList::new(slf.py(), ids.into_iter().map(|id| Page::unsized_of(slf, id)))
    }

    /// How many pages there are.
    #[getter]
    fn page_count(&self, py: Python<'_>) -> Result<u64, Failure> {
        self.shared.short(py, |state| Ok(state.page_count()))
    }

    fn __len__(&self, py: Python<'_>) -> Result<usize, Failure> {
        self.shared.short(py, |state| Ok(state.page_count() as usize))
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyIterator>> {
        State::pages(slf)?.try_iter()
    }

    fn __contains__(slf: &Bound<'_, Self>, page: &Bound<'_, PyAny>) -> PyResult<bool> {
        slf.get().shared.check_open()?;
        let Ok(id) = page_in(slf, page) else { return Ok(false) };
        Ok(slf.get().shared.long(slf.py(), |state| Ok(state.contains(id)))?)
    }

    fn __getitem__(slf: &Bound<'_, Self>, page_id: &Bound<'_, PyAny>) -> PyResult<Page> {
        State::find(slf, page_in(slf, page_id)?)
    }

    /// Hands all changes made before the call to the operating system: they survive the process.
    /// Returns the closed LSN that covers them.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     state.flush() >= page.lsn
    /// True
    fn flush(&self, py: Python<'_>) -> Result<u64, Failure> {
        self.shared.long(py, |state| Ok(state.flush()?.0))
    }

    /// Makes all changes made before the call durable. Returns the closed LSN that covers them.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     state.sync() >= page.lsn
    /// True
    fn sync(&self, py: Python<'_>) -> Result<u64, Failure> {
        self.shared.long(py, |state| Ok(state.sync()?.0))
    }

    /// Makes a durable image of the state as of now, without stopping writers. Log that neither
    /// recovery, `history_bytes` nor a named checkpoint needs is recycled.
    ///
    /// - `name`: keeps this checkpoint, and history back to it, until `drop_checkpoint`; at most
    ///   64 bytes. `None` for one that later ones replace.
    /// - `progress`: called now and then, and at the end, with the bytes of pages written so far; an
    ///   exception gives the checkpoint up, as does Ctrl-C: what is kept is then as before. One that
    ///   is raised at the end comes after the checkpoint.
    ///
    /// Raises `TooLong`, `InvalidArgument` for a name that is taken, `ReadOnly` for a replayed
    /// state, `NoSpace`, `IoError`. Cost: writing all pages once, and a few syncs.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     state.checkpoint("before").name
    /// 'before'
    #[pyo3(signature = (name = None, progress = None))]
    fn checkpoint(
        &self,
        py: Python<'_>,
        name: Option<&str>,
        progress: Option<Py<PyAny>>,
    ) -> Result<Checkpoint, Failure> {
        self.shared.long(py, |state| {
            let mut ticker = Ticker::new(progress.as_ref());
            let made = state.checkpoint_with(name, |bytes| ticker.step(bytes));
            Ok(Checkpoint::from(&ticker.finish(made)?))
        })
    }

    /// The checkpoints that are kept, oldest first.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     state.checkpoints()
    /// []
    fn checkpoints(&self, py: Python<'_>) -> Result<Vec<Checkpoint>, Failure> {
        self.shared
            .long(py, |state| Ok(state.checkpoints()?.iter().map(Checkpoint::from).collect()))
    }

    /// Gives a named checkpoint up. Its files go with the next checkpoint.
    ///
    /// Raises `CheckpointNotFound`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     kept = state.checkpoint("before")
    /// ...     state.drop_checkpoint("before")
    fn drop_checkpoint(&self, py: Python<'_>, name: &str) -> Result<(), Failure> {
        self.shared.long(py, |state| Ok(state.drop_checkpoint(name)?))
    }

    /// Writes an image of the state as of now to the file `path`, which must not exist: a backup
    /// that `load_checkpoint` opens. Returns the LSN that it stands at. `progress` is as of
    /// `checkpoint`.
    ///
    /// Raises `InvalidArgument` for a file that exists (it is left alone), `FileNotFound` for the
    /// folder, `NoSpace`; then no file is left behind.
    /// Example: see `load_checkpoint`.
    #[pyo3(signature = (path, progress = None))]
    fn export_checkpoint(
        &self,
        py: Python<'_>,
        path: PathBuf,
        progress: Option<Py<PyAny>>,
    ) -> Result<u64, Failure> {
        self.shared.long(py, |state| {
            let mut ticker = Ticker::new(progress.as_ref());
            let written = state.export_checkpoint_with(path, |bytes| ticker.step(bytes));
            Ok(ticker.finish(written)?.0)
        })
    }

    /// 256-bit digest of the content: 32 bytes, the same for all states that applied the same
    /// records, whatever the threads. Writers may go on. Cost: one pass over all pages.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as one, mmsb.State() as other:
    /// ...     one.digest() == other.digest(), len(one.digest())
    /// (True, 32)
    fn digest<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, Failure> {
        let digest = self.shared.long(py, |state| Ok(state.digest()?))?;
        Ok(PyBytes::new(py, &digest))
    }

    /// The digest as 64 hexadecimal digits. Example: see `digest`.
    fn hexdigest(&self, py: Python<'_>) -> Result<String, Failure> {
        Ok(hex(&self.shared.long(py, |state| Ok(state.digest()?))?))
    }

    /// Counts, bytes, log positions and latencies by name; under "memory" the heap that all states
    /// and allocators of the process share, as of `memory_stats`. Cost: tens of microseconds.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     state.stats()["pages"], state.stats()["page_bytes"]
    /// (1, 4)
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        parsed(py, &self.stats_json(py)?)
    }

    /// The same as one JSON object. Example: see `stats`.
    fn stats_json(&self, py: Python<'_>) -> Result<String, Failure> {
        self.shared.long(py, |state| Ok(state.stats()?.to_json()))
    }

    /// Takes a snapshot: a read view of all pages at one closed LSN. Stops no writer.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(data=b"old")
    /// ...     with state.snapshot() as snapshot:
    /// ...         lsn = page.update(b"new")
    /// ...         snapshot.read(page), page.read()
    /// (b'old', b'new')
    fn snapshot(slf: &Bound<'_, Self>) -> PyResult<Snapshot> {
        Snapshot::take(slf)
    }

    /// What differs now from what a snapshot shows: a `Difference` per page, ascending. See
    /// `Snapshot.compare`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(100)
    /// ...     with state.snapshot() as before:
    /// ...         lsn = page.write(7, b"abc")
    /// ...         [(found.page, found.runs) for found in state.compare(before)]
    /// [(1, [(7, 3)])]
    fn compare(
        &self,
        py: Python<'_>,
        snapshot: &Bound<'_, Snapshot>,
    ) -> Result<Vec<Difference>, Failure> {
        let from = snapshot.get().open()?;
        let found = self.shared.long(py, move |state| {
            let found = state.compare(&from);
            drop(from);
            Ok(found?)
        })?;
        Ok(found.into_iter().map(Difference::from).collect())
    }

    /// Marks the state as it is now, to go back to with `revert`. Marks may be nested, closed and
    /// gone back to in any order; going back to one ends those made after it.
    ///
    /// Raises `ReadOnly`, `Poisoned`. Cost: that of a snapshot. Example: see `SoftCheckpoint`.
    fn soft_checkpoint(slf: &Bound<'_, Self>) -> PyResult<SoftCheckpoint> {
        SoftCheckpoint::make(slf)
    }

    /// Makes content, metadata, owners, edges and existence of all pages what they were at a soft
    /// checkpoint: one
    /// group, which is in the log. Epochs go on growing, and ids given out since stay given out.
    /// The mark then stands here and can be gone back to again; marks made after it are passed.
    ///
    /// Returns the group's LSN, `None` if nothing is different. Raises `InvalidArgument` for a mark
    /// of another state, `CheckpointPassed`, `SnapshotTooOld`, `TooLarge` if more differs than one
    /// record holds, `NoSpace`; then nothing changed. Cost: that of what changed since. Example: see
    /// `SoftCheckpoint`.
    #[pyo3(signature = (mark, *, source = "", intent = None))]
    fn revert(
        slf: &Bound<'_, Self>,
        mark: &Bound<'_, SoftCheckpoint>,
        source: &str,
        intent: Option<&str>,
    ) -> Result<Option<u64>, Failure> {
        mark.get().revert(slf, note(source, intent))
    }

    /// The state as it was when everything up to `lsn` had happened: detached, read-only, in
    /// memory. It holds content, not the log that led to it: it has no past of its own, nothing to
    /// verify it by, and makes no checkpoint; `export_checkpoint` takes it.
    ///
    /// - `progress`: called now and then, and at the end, with the LSN replayed to; an exception
    ///   ends the replay, as does Ctrl-C.
    ///
    /// Raises `HistoryDropped`, `LsnInFuture`. Cost: opening the newest image at or below `lsn`,
    /// and the records from there.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(data=b"old")
    /// ...     then = page.lsn
    /// ...     lsn = page.update(b"new")
    /// ...     with state.replay_to(then) as past:
    /// ...         past[page.id].read()
    /// b'old'
    #[pyo3(signature = (lsn, progress = None))]
    fn replay_to(
        &self,
        py: Python<'_>,
        lsn: &Bound<'_, PyAny>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<State> {
        let lsn = args::lsn(lsn)?;
        let past = self.shared.long(py, |state| {
            let mut ticker = Ticker::new(progress.as_ref());
            let past = state.replay_with(lsn, |lsn| ticker.step(lsn.0));
            ticker.done = lsn.0;
            ticker.finish(past)
        })?;
        Ok(State::new(past))
    }

    /// A page as it was when everything up to `lsn` had happened.
    ///
    /// Raises `PageNotFound` as of then, `HistoryDropped`, `LsnInFuture`. Cost: about 1 µs per
    /// change of the page after the newest image at or below `lsn`, or a pass over the log from
    /// there to `lsn` where that is less.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(data=b"old")
    /// ...     then = page.lsn
    /// ...     lsn = page.update(b"new")
    /// ...     state.page_at(page, then).data
    /// b'old'
    fn page_at(
        slf: &Bound<'_, Self>,
        page: &Bound<'_, PyAny>,
        lsn: &Bound<'_, PyAny>,
    ) -> PyResult<PageAt> {
        let (id, lsn) = (page_in(slf, page)?, args::lsn(lsn)?);
        let at = slf.get().shared.long(slf.py(), |state| Ok(state.page_at(id, lsn)?))?;
        Ok(PageAt::new(slf.py(), id, at))
    }

    /// All changes of a page that are kept, oldest first.
    ///
    /// Raises `PageNotFound`. Cost: about 1 µs per change.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(data=b"old")
    /// ...     lsn = page.update(b"new")
    /// ...     [change.kind for change in state.history(page)]
    /// ['created', 'written', 'written']
    pub fn history(slf: &Bound<'_, Self>, page: &Bound<'_, PyAny>) -> PyResult<Vec<Change>> {
        let id = page_in(slf, page)?;
        let changes = slf.get().shared.long(slf.py(), |state| Ok(state.page_history(id)?))?;
        changes.into_iter().map(|changed| Change::new(slf.py(), changed)).collect()
    }

    /// Reads changes back from the log, in LSN order.
    ///
    /// - `page`: only of this page, by its links.
    /// - `after`, `to`: only above, and up to, these LSNs.
    /// - `from_time`, `to_time`: only within; datetimes, or milliseconds since 1970-01-01 UTC.
    /// - `source`: only of this source.
    /// - `limit`: at most so many.
    ///
    /// Returns an iterator of `Change`. Raises `HistoryDropped`, `PageNotFound`, while iterating
    /// `Corrupt`. Cost: one pass over the range; with `page` about 1 µs per change of it above
    /// `after`, where that is less.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     lsn = page.write(0, b"a", source="one", intent="a test")
    /// ...     [(change.lsn == lsn, change.intent) for change in state.query(source="one")]
    /// [(True, 'a test')]
    #[pyo3(signature = (
        *, page = None, after = None, to = None, from_time = None, to_time = None, source = None,
        limit = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn query(
        slf: &Bound<'_, Self>,
        page: Option<&Bound<'_, PyAny>>,
        after: Option<&Bound<'_, PyAny>>,
        to: Option<&Bound<'_, PyAny>>,
        from_time: Option<&Bound<'_, PyAny>>,
        to_time: Option<&Bound<'_, PyAny>>,
        source: Option<String>,
        limit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Changes> {
        let page = page.map(|page| page_in(slf, page)).transpose()?;
        let filter = Filter { after, to, from_time, to_time, source, limit };
        let query = filter.query(page)?;
        let changes = slf.get().shared.long(slf.py(), |state| Ok(state.query(query)?))?;
        Ok(Changes::new(Owner::State(slf.clone().unbind()), changes))
    }

    /// Checks everything that is stored: each record of the kept log, each byte of the images, and
    /// that a replay gives the live state.
    ///
    /// - `progress`: called now and then, and at the end, with the bytes of images and log checked
    ///   so far; an exception ends the check, as does Ctrl-C.
    ///
    /// Raises `Corrupt` with file, offset and reason; `HistoryDropped` for a replayed state, which
    /// has no log to be compared with.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(data=b"abc")
    /// ...     state.verify().records
    /// 1
    #[pyo3(signature = (progress = None))]
    fn verify(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> Result<Verified, Failure> {
        self.shared.long(py, |state| {
            let mut ticker = Ticker::new(progress.as_ref());
            let verified = state.verify_with(|bytes| ticker.step(bytes));
            Ok(Verified::from(ticker.finish(verified)?))
        })
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let shown = self.shared.short(py, |state| {
            let path = state.config().path.as_ref().map(|path| path.display().to_string());
            let pages = state.page_count();
            Ok(format!("<mmsb.State {}, {pages} pages>", path.as_deref().unwrap_or("in memory")))
        });
        shown.unwrap_or_else(|_| "<mmsb.State closed>".to_owned())
    }
}

/// Panics inside the engine's boundary, to test what becomes of a state or log.
#[pyfunction]
#[expect(clippy::panic, reason = "it is what the function is for")]
pub fn _panic(owner: &Bound<'_, PyAny>, detach: bool) -> PyResult<()> {
    let py = owner.py();
    Ok(match owner.cast::<TLog>() {
        Ok(log) => log.get().shared.call(py, detach, |_| panic!("as asked for")),
        Err(_) => owner.cast::<State>()?.get().shared.call(py, detach, |_| panic!("as asked for")),
    }?)
}
