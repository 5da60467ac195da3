//! `Transaction`, `Savepoint` and `Partition`: reads and writes of one moment, and whose pages are.

use crate::args::{self, DETACH_BYTES, note, page_in};
use crate::buffer::{new_bytes, with_bytes, with_bytes_mut};
use crate::delta::Delta;
use crate::errors::{self, Failure, raise};
use crate::page::Page;
use crate::shared::drop_detached;
use crate::state::State;
use crate::typed::Extent;
use mmsb::{Error, ErrorKind, Lsn, Note, Ownership, PageId, Retry};
use parking_lot::Mutex;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyType};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

type Inner = mmsb::Transaction<'static>;

/// Reads and writes that happen at one moment, as one group, or not at all.
///
/// Made by `State.transaction` and `Partition.transaction`, as a context manager, which commits at its
/// end and gives up if an exception passes; or, and better, given to a function by `State.transact`,
/// which tries again what met another transaction. That commits it, too: the function neither does
/// so nor gives it up, nor makes it a context manager, which is `InvalidArgument`.
///
/// What it reads is of one moment, with its own writes on top; what derives from those is computed when
/// it commits, and shows what it was until then. Once another has changed what it read, all methods raise `Conflict`. Pages are given as `Page` or id. All methods can raise `Conflict`,
/// `TransactionFinished`, `Closed`, `PageNotFound` and `PageFreed`; those that write also `NotOwner`,
/// `Immutable` and, if it is read-only, `ReadOnly`. One thread uses it at a time.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     a, b = state.create_page(data=b"a"), state.create_page(data=b"b")
/// ...     with state.transaction(source="swap") as t:
/// ...         left, right = t.read(a), t.read(b)
/// ...         t.write(a, 0, right)
/// ...         t.write(b, 0, left)
/// ...     a.read(), b.read(), a.lsn == b.lsn == t.lsn
/// (b'b', b'a', True)
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Transaction {
    state: Py<State>,
    /// Taken out when it is done.
    inner: Mutex<Option<Inner>>,
    end: End,
    source: String,
    intent: Option<String>,
    /// Of the commit, 0 before.
    lsn: AtomicU64,
}

/// Who ends a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Whoever began it.
    Open,
    /// `transact`, when its function returns.
    ByTransact,
}

#[cold]
fn finished() -> Error {
    Error::new(ErrorKind::TransactionFinished, "the transaction was committed or given up")
}

impl Transaction {
    fn new(
        state: &Bound<'_, State>,
        inner: Inner,
        end: End,
        source: &str,
        intent: Option<&str>,
    ) -> Transaction {
        Transaction {
            state: state.clone().unbind(),
            inner: Mutex::new(Some(inner)),
            end,
            source: source.to_owned(),
            intent: intent.map(str::to_owned),
            lsn: AtomicU64::new(0),
        }
    }

    pub fn begin(
        state: &Bound<'_, State>,
        read_only: bool,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Transaction> {
        let begin = |state: &mmsb::State| state.begin_held(read_only);
        let inner = state.get().shared.short(state.py(), begin)?;
        Ok(Transaction::new(state, inner, End::Open, source, intent))
    }

    /// Uses the transaction; `bytes` are copied.
    fn with<R: Send>(
        &self,
        py: Python<'_>,
        bytes: usize,
        use_it: impl FnOnce(&mut Inner) -> mmsb::Result<R> + Send,
    ) -> Result<R, Failure> {
        self.state.get().shared.call(py, bytes >= DETACH_BYTES, |_| match self.inner.try_lock() {
            Some(mut inner) => match &mut *inner {
                Some(inner) => use_it(inner),
                None => Err(finished()),
            },
            None => {
                let message = "the transaction is in use by another thread";
                Err(Error::new(ErrorKind::InvalidArgument, message))
            }
        })
    }

    fn id(&self, page: &Bound<'_, PyAny>) -> PyResult<PageId> {
        page_in(self.state.bind(page.py()), page)
    }

    fn take(&self) -> Option<Inner> {
        self.inner.lock().take()
    }

    /// Refuses to be ended by the function that `transact` calls.
    fn check_end(&self) -> PyResult<()> {
        if self.end == End::ByTransact && !self.done() {
            raise!(
                InvalidArgument,
                "transact commits when its function returns; an exception from it gives up"
            );
        }
        Ok(())
    }

    fn commit_now(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        let Some(inner) = self.take() else {
            self.state.get().shared.check_open()?;
            return Err(Failure::from(finished()).into());
        };
        let note = note(&self.source, self.intent.as_deref());
        let shared = &self.state.get().shared;
        let lsn = shared.long(py, move |_| Ok(inner.commit(note)?))?;
        self.lsn.store(lsn.map_or(0, |lsn| lsn.0), Ordering::Relaxed);
        Ok(lsn.map(|lsn| lsn.0))
    }

    /// Whether `error`, which passed through it, may be a consequence of meeting another.
    fn is_lost_by(&self, py: Python<'_>, error: &PyErr) -> bool {
        if errors::is(error, py, ErrorKind::Conflict) {
            return true;
        }
        // An interrupt ends everything.
        let lost = error.is_instance_of::<PyException>(py).then(|| self.with(py, 0, Inner::check));
        matches!(lost, Some(Err(Failure::Engine(error))) if error.kind() == ErrorKind::Conflict)
    }

    fn own(&self, page: &Bound<'_, PyAny>, ownership: Ownership) -> PyResult<()> {
        let id = self.id(page)?;
        Ok(self.with(page.py(), 0, |inner| inner.set_ownership(id, ownership))?)
    }
}

/// How often, and with which pauses.
pub struct Trying<'a> {
    pub tries: u32,
    /// As [`args::pause_max_ms`] checked it.
    pub pause_max_ms: f64,
    pub source: &'a str,
    pub intent: Option<&'a str>,
}

impl Trying<'_> {
    pub fn retry(&self) -> PyResult<Retry> {
        if self.tries == 0 {
            raise!(InvalidArgument, "0 tries; there is at least 1");
        }
        let pause_max = Duration::from_secs_f64(self.pause_max_ms / 1e3);
        Ok(Retry { tries: self.tries, pause_max })
    }

    /// Calls `function` with a transaction and commits it, anew as long as it conflicts.
    pub fn run(
        &self,
        state: &Bound<'_, State>,
        function: &Bound<'_, PyAny>,
        begin: impl Fn() -> Result<Inner, Failure>,
    ) -> PyResult<Py<PyAny>> {
        let (py, retry, mut conflicts) = (state.py(), self.retry()?, 0);
        loop {
            let (inner, end) = (begin()?, End::ByTransact);
            let transaction = Transaction::new(state, inner, end, self.source, self.intent);
            let transaction = Bound::new(py, transaction)?;
            let this = transaction.get();
            let done = function.call1((&transaction,)).and_then(|result| {
                this.commit_now(py)?;
                Ok(result.unbind())
            });
            let error = match done {
                Err(error) if this.is_lost_by(py, &error) => error,
                done => {
                    drop(this.take());
                    return done;
                }
            };
            drop(this.take());
            conflicts += 1;
            let last = error.value(py).to_string();
            let wait = |state: &mmsb::State| Ok(state.after_conflict(retry, conflicts, &last)?);
            state.get().shared.long(py, wait)?;
        }
    }
}

#[pymethods]
impl Transaction {
    /// Copies `size` bytes from `offset` on; all that follow if `size` is `None`.
    ///
    /// Raises `RangeOutOfBounds`. Example: see the class.
    #[pyo3(signature = (page, offset = None, size = None))]
    fn read<'py>(
        &self,
        page: &Bound<'py, PyAny>,
        offset: Option<&Bound<'py, PyAny>>,
        size: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, id) = (page.py(), self.id(page)?);
        let offset = offset.map_or(Ok(0), args::offset)?;
        let whole = self.with(py, 0, |inner| inner.page_size(id))?;
        let size = size.map_or(Ok(whole.saturating_sub(offset)), args::size)?;
        if size > whole {
            raise!(RangeOutOfBounds, "{size} bytes of {id}, which has {whole}");
        }
        let bytes = new_bytes(py, size as usize, |blank| {
            let buf = blank.zeroed();
            self.with(py, buf.len(), |inner| inner.read(id, offset, buf))
        })?;
        Ok(bytes.into_any())
    }

    /// Copies bytes from `offset` on into a writable buffer, which they fill.
    ///
    /// Raises `RangeOutOfBounds`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page, buffer = state.create_page(data=b"abcd"), bytearray(2)
    /// ...     with state.transaction() as t:
    /// ...         t.read_into(page, buffer, 1)
    /// ...     buffer
    /// bytearray(b'bc')
    #[pyo3(signature = (page, buffer, offset = None))]
    fn read_into(
        &self,
        page: &Bound<'_, PyAny>,
        buffer: &Bound<'_, PyAny>,
        offset: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let (py, id) = (page.py(), self.id(page)?);
        let offset = offset.map_or(Ok(0), args::offset)?;
        with_bytes_mut(buffer, "buffer", |buf| {
            Ok(self.with(py, buf.len(), |inner| inner.read(id, offset, buf))?)
        })
    }

    /// Bytes of a page.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     with state.transaction() as t:
    /// ...         t.size(page)
    /// 4
    fn size(&self, page: &Bound<'_, PyAny>) -> PyResult<u64> {
        let id = self.id(page)?;
        Ok(self.with(page.py(), 0, |inner| inner.page_size(id))?)
    }

    /// Whether a page exists. The transaction depends on the answer.
    fn __contains__(&self, page: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = self.id(page)?;
        Ok(self.with(page.py(), 0, |inner| inner.contains(id))?)
    }

    /// All pages, ascending by id, with those that it creates, without those that it frees. Conflicts
    /// with whoever creates or frees a page before it commits. Cost: O(ids ever given out).
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     with state.transaction() as t:
    /// ...         page = t.create_page(4)
    /// ...         t.pages() == [page], state.pages()
    /// (True, [])
    fn pages<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let ids = self.with(py, DETACH_BYTES, Inner::list_pages)?;
        let state = self.state.bind(py);
        PyList::new(py, ids.into_iter().map(|id| Page::unsized_of(state, id)))
    }

    /// Makes `data` the whole content of a page. Copied. Raises `LengthMismatch`. Example: see
    /// `State.transact`.
    fn update(&self, page: &Bound<'_, PyAny>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = self.id(page)?;
        with_bytes(data, "data", |bytes| {
            Ok(self.with(data.py(), bytes.len(), |inner| inner.update(id, bytes))?)
        })
    }

    /// Writes `data` at `offset` of a page. Copied. Raises `RangeOutOfBounds`. Example: see the class.
    fn write(
        &self,
        page: &Bound<'_, PyAny>,
        offset: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (id, offset) = (self.id(page)?, args::offset(offset)?);
        with_bytes(data, "data", |bytes| {
            Ok(self.with(data.py(), bytes.len(), |inner| inner.write(id, offset, bytes))?)
        })
    }

    /// Applies a delta. The note of the commit counts, not the delta's.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(2)
    /// ...     with state.transaction() as t:
    /// ...         t.apply(mmsb.Delta.dense(page, b"ab"))
    /// ...     page.read()
    /// b'ab'
    fn apply(&self, py: Python<'_>, delta: &Bound<'_, Delta>) -> Result<(), Failure> {
        let delta = delta.get().at(self.state.get().home)?;
        self.with(py, delta.payload_len(), |inner| inner.apply(delta))
    }

    /// Creates a page when the transaction commits; it can be used in the transaction at once.
    /// Arguments and errors as of `State.create_page`. Example: see `pages`.
    #[pyo3(signature = (
        size = None, data = None, *, dtype = None, shape = None, location = "cpu",
        private = false
    ))]
    fn create_page(
        slf: &Bound<'_, Self>,
        size: Option<&Bound<'_, PyAny>>,
        data: Option<&Bound<'_, PyAny>>,
        dtype: Option<&Bound<'_, PyAny>>,
        shape: Option<&Bound<'_, PyAny>>,
        location: &str,
        private: bool,
    ) -> PyResult<Py<Page>> {
        let (py, this, place) = (slf.py(), slf.get(), args::location(location)?);
        let extent = Extent { size, data, dtype, shape };
        let (id, size) = extent.with(|size, data| {
            let id = this.with(py, 0, |inner| match private {
                false => inner.create_page(size, place),
                true => inner.create_private_page(size, place),
            })?;
            if let Some(data) = data {
                this.with(py, data.len(), |inner| inner.update(id, data))?;
            }
            Ok((id, size))
        })?;
        Py::new(py, Page::new(this.state.bind(py), id, size))
    }

    /// Frees a page when the transaction commits.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     with state.transaction() as t:
    /// ...         t.free_page(page)
    /// ...     len(state)
    /// 0
    fn free_page(&self, page: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = self.id(page)?;
        Ok(self.with(page.py(), 0, |inner| inner.free_page(id))?)
    }

    /// The value of a metadata key. Raises `KeyNotFound`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4, metadata={"unit": b"K"})
    /// ...     with state.transaction() as t:
    /// ...         old = t.meta(page, "unit")
    /// ...         t.set_meta(page, "unit", b"C")
    /// ...         t.remove_meta(page, "unit")
    /// ...     old, dict(page.metadata)
    /// (b'K', {})
    fn meta<'py>(
        &self,
        page: &Bound<'py, PyAny>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, id, key) = (page.py(), self.id(page)?, args::meta_key(key)?);
        let value = self.with(py, 0, |inner| inner.meta(id, &key))?;
        Ok(pyo3::types::PyBytes::new(py, &value).into_any())
    }

    /// Sets a metadata key. Example: see `meta`.
    fn set_meta(
        &self,
        page: &Bound<'_, PyAny>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (id, key) = (self.id(page)?, args::meta_key(key)?);
        with_bytes(value, "a metadata value", |value| {
            Ok(self.with(page.py(), 0, |inner| inner.set_meta(id, &key, value))?)
        })
    }

    /// Takes a metadata key away. Raises `KeyNotFound`. Example: see `meta`.
    fn remove_meta(&self, page: &Bound<'_, PyAny>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let (id, key) = (self.id(page)?, args::meta_key(key)?);
        Ok(self.with(page.py(), 0, |inner| inner.remove_meta(id, &key))?)
    }

    /// Lets anybody change a page from the commit on. Example: see `transfer`.
    fn share(&self, page: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own(page, Ownership::Shared)
    }

    /// Lets nobody change a page any more from the commit on. Example: see `transfer`.
    fn freeze(&self, page: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own(page, Ownership::Immutable)
    }

    /// Makes a page a partition's, 0 to 65,535, from the commit on.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b, c = (state.create_page(4) for _ in range(3))
    /// ...     with state.transaction() as t:
    /// ...         t.transfer(a, 7)
    /// ...         t.freeze(b)
    /// ...         t.share(c)
    /// ...     a.ownership, b.ownership, c.ownership
    /// (7, 'immutable', 'shared')
    fn transfer(&self, page: &Bound<'_, PyAny>, partition: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own(page, Ownership::Owned(args::partition(partition)?))
    }

    /// A place to go back to. As a context manager it does so if an exception passes, which goes on
    /// then: the transaction is as it was before the block.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(1)
    /// ...     with state.transaction() as t:
    /// ...         t.write(page, 0, b"a")
    /// ...         here = t.savepoint()
    /// ...         t.write(page, 0, b"b")
    /// ...         here.rollback()
    /// ...     page.read()
    /// b'a'
    fn savepoint(slf: &Bound<'_, Self>) -> PyResult<Savepoint> {
        let at = slf.get().with(slf.py(), 0, |inner| Ok(inner.savepoint()))?;
        Ok(Savepoint { transaction: slf.clone().unbind(), at })
    }

    /// Raises `Conflict` unless all that was read still holds.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page, t = state.create_page(1), state.transaction()
    /// ...     content, lsn = t.read(page), page.write(0, b"a")
    /// ...     try:
    /// ...         t.check()
    /// ...     except mmsb.Conflict as conflict:
    /// ...         print(conflict)
    /// page 1 was changed after the transaction read it
    fn check(&self, py: Python<'_>) -> Result<(), Failure> {
        self.with(py, 0, Inner::check)
    }

    /// Makes all happen at once, as one record; the transaction is done, also after an exception.
    /// Returns the record's LSN, `None` if nothing changed.
    ///
    /// Raises `Conflict`, and what the single changes would; then none of them happened.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page, t = state.create_page(1), state.transaction()
    /// ...     t.write(page, 0, b"a")
    /// ...     t.commit() == page.lsn
    /// True
    fn commit(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        self.check_end()?;
        self.commit_now(py)
    }

    /// Gives it up: it leaves nothing. Nothing if it is done.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page, t = state.create_page(1), state.transaction()
    /// ...     t.write(page, 0, b"a")
    /// ...     t.abort()
    /// ...     t.done, page.epoch
    /// (True, 0)
    fn abort(&self) -> PyResult<()> {
        self.check_end()?;
        drop(self.take());
        Ok(())
    }

    /// LSN of the commit; `None` before, or if nothing changed.
    #[getter]
    fn lsn(&self) -> Option<u64> {
        Some(self.lsn.load(Ordering::Relaxed)).filter(|&lsn| lsn != 0)
    }

    /// Whether it was committed or given up.
    #[getter]
    fn done(&self) -> bool {
        self.inner.lock().is_none()
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        slf.get().check_end()?;
        slf.get().with(slf.py(), 0, |_| Ok(()))?;
        Ok(slf.clone().unbind())
    }

    fn __exit__(
        &self,
        exc_type: Option<&Bound<'_, PyType>>,
        exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if exc_type.is_some() {
            self.abort()?;
        } else if !self.done() {
            self.commit(exc.py())?;
        }
        Ok(())
    }

    fn __repr__(&self) -> &'static str {
        if self.done() { "<mmsb.Transaction done>" } else { "<mmsb.Transaction open>" }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // Maybe the last to hold the state's memory, which takes time to give back.
        if let Some(inner) = self.inner.get_mut().take() {
            drop_detached(inner);
        }
    }
}

/// A place in a transaction to go back to. Made by `Transaction.savepoint`. Example: see there.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state, state.transaction() as t:
/// ...     page = t.create_page(1)
/// ...     try:
/// ...         with t.savepoint():
/// ...             t.write(page, 0, b"x")
/// ...             raise ValueError("no")
/// ...     except ValueError:
/// ...         t.read(page)
/// b'\x00'
#[pyclass(frozen, module = "mmsb")]
pub struct Savepoint {
    transaction: Py<Transaction>,
    at: mmsb::Savepoint,
}

#[pymethods]
impl Savepoint {
    /// Takes back all that was written after it, and the savepoints after it. What was read stays
    /// read. Raises `InvalidArgument` if it was taken back itself. Example: see
    /// `Transaction.savepoint`.
    fn rollback(&self, py: Python<'_>) -> Result<(), Failure> {
        let at = self.at;
        self.transaction.get().with(py, 0, |inner| inner.rollback(at))
    }

    fn __enter__(slf: &Bound<'_, Self>) -> Py<Self> {
        slf.clone().unbind()
    }

    fn __exit__(
        &self,
        exc_type: Option<&Bound<'_, PyType>>,
        exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        // What met another is lost: there is nothing to go back to.
        match exc_type.map(|_| self.rollback(exc.py())) {
            Some(Err(Failure::Engine(error))) if error.kind() == ErrorKind::Conflict => Ok(()),
            Some(done) => Ok(done?),
            None => Ok(()),
        }
    }
}

/// The right to change the pages of one partition. Made by `State.partition`; given back by `close`,
/// or at the end of a `with` block.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     page = state.create_page(1)
/// ...     lsn = page.transfer(3)
/// ...     with state.partition(3) as mine:
/// ...         mine.transact(lambda t: t.write(page, 0, b"x"))
/// ...     page.read(), page.ownership
/// (b'x', 3)
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Partition {
    state: Py<State>,
    inner: Mutex<Option<Arc<mmsb::Partition>>>,
    number: u16,
}

impl Partition {
    pub fn open(state: &Bound<'_, State>, number: u16) -> PyResult<Partition> {
        let inner = state.get().shared.short(state.py(), |state| state.partition(number))?;
        let inner = Mutex::new(Some(Arc::new(inner)));
        Ok(Partition { state: state.clone().unbind(), inner, number })
    }

    fn get(&self) -> Result<Arc<mmsb::Partition>, Failure> {
        self.state.get().shared.check_open()?;
        match &*self.inner.lock() {
            Some(inner) => Ok(inner.clone()),
            None => Err(Error::new(ErrorKind::Closed, "the partition was given back").into()),
        }
    }
}

#[pymethods]
impl Partition {
    /// Its number.
    #[getter]
    fn number(&self) -> u16 {
        self.number
    }

    /// A transaction that may change the partition's pages, and shared ones. Otherwise as
    /// `State.transaction`. Example: see `State.transaction`.
    #[pyo3(signature = (*, source = "", intent = None))]
    fn transaction(
        &self,
        py: Python<'_>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Transaction> {
        let inner = self.get()?.begin_held().map_err(Failure::from)?;
        Ok(Transaction::new(self.state.bind(py), inner, End::Open, source, intent))
    }

    /// As `State.transact`, for the partition. Example: see the class.
    #[pyo3(signature = (
        function, *, tries = 1000, pause_max_ms = 1.0, source = "", intent = None
    ))]
    fn transact(
        &self,
        function: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = args::tries)] tries: u32,
        #[pyo3(from_py_with = args::pause_max_ms)] pause_max_ms: f64,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        let state = self.state.bind(function.py());
        let trying = Trying { tries, pause_max_ms, source, intent };
        trying.run(state, function, || Ok(self.get()?.begin_held()?))
    }

    /// Gives the partition back. Nothing if that was done.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     mine = state.partition(3)
    /// ...     mine.close()
    /// ...     mine.closed
    /// True
    fn close(&self) {
        drop(self.inner.lock().take());
    }

    /// Whether it was given back.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.lock().is_none()
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        slf.get().get()?;
        Ok(slf.clone().unbind())
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
        let closed = if self.closed() { ", closed" } else { "" };
        format!("<mmsb.Partition {}{closed}>", self.number)
    }
}

/// An ownership as Python sees it.
pub fn ownership_of(py: Python<'_>, ownership: Ownership) -> PyResult<Py<PyAny>> {
    Ok(match ownership {
        Ownership::Shared => "shared".into_pyobject(py)?.into_any().unbind(),
        Ownership::Immutable => "immutable".into_pyobject(py)?.into_any().unbind(),
        Ownership::Owned(number) => number.into_pyobject(py)?.into_any().unbind(),
    })
}

/// Makes a page somebody's, as a group of its own.
pub fn own(
    state: &Bound<'_, State>,
    id: PageId,
    ownership: Ownership,
    note: Note<'_>,
) -> PyResult<Option<u64>> {
    let own = |state: &mmsb::State| state.set_ownership(id, ownership, note);
    let lsn: Option<Lsn> = state.get().shared.change(state.py(), state.get().is_sync, own)?;
    Ok(lsn.map(|lsn| lsn.0))
}
