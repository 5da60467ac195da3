//! `Batch`: many changes as one group.

use crate::args::{self, DETACH_BYTES, note, page_in};
use crate::buffer::with_bytes;
use crate::delta::Delta;
use crate::errors::Failure;
use crate::page::Page;
use crate::state::State;
use crate::typed::Extent;
use mmsb::{Error, ErrorKind, PageId};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyType;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Many changes to many pages as one group, all or none. Made by `State.batch`.
///
/// Nothing is visible before `commit`, which the context manager calls at its end; an exception
/// discards the batch. Several writes to one page merge, the last one wins. What it is given is
/// copied. All methods can raise `Closed` for a batch or state that is done.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     with state.batch(source="demo") as batch:
/// ...         page = batch.create_page(4)
/// ...         batch.write(page, 0, b"new")
/// ...     page.read(), page.lsn == batch.lsn
/// (b'new\x00', True)
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Batch {
    state: Py<State>,
    /// Taken out when it is done.
    pending: Mutex<Option<mmsb::Batch>>,
    source: String,
    intent: Option<String>,
    /// Pages that exist once it commits.
    created: Mutex<Vec<Py<Page>>>,
    /// Committed or discarded.
    done: AtomicBool,
    /// Of the commit, 0 before.
    lsn: AtomicU64,
}

impl Batch {
    pub fn new(state: &Bound<'_, State>, source: &str, intent: Option<&str>) -> PyResult<Batch> {
        let shared = &state.get().shared;
        let batch = shared.short(state.py(), |state| Ok(mmsb::Batch::new(state)))?;
        Ok(Batch {
            state: state.clone().unbind(),
            pending: Mutex::new(Some(batch)),
            source: source.to_owned(),
            intent: intent.map(str::to_owned),
            created: Mutex::new(Vec::new()),
            done: AtomicBool::new(false),
            lsn: AtomicU64::new(0),
        })
    }

    /// Adds to the batch; `bytes` are copied.
    fn add<R: Send>(
        &self,
        py: Python<'_>,
        bytes: usize,
        add: impl FnOnce(&mut mmsb::Batch) -> mmsb::Result<R> + Send,
    ) -> Result<R, Failure> {
        self.state.get().shared.call(py, bytes >= DETACH_BYTES, |_| {
            match &mut *self.pending.lock() {
                Some(batch) => add(batch),
                None => Err(done()),
            }
        })
    }

    fn id(&self, page: &Bound<'_, PyAny>) -> PyResult<PageId> {
        page_in(self.state.bind(page.py()), page)
    }

    fn take(&self) -> Option<mmsb::Batch> {
        self.pending.lock().take()
    }

    /// Says to the pages that the batch was to create that they were not. A commit can fail after
    /// it made them, at the sync that it waits for.
    fn forget_pages(&self, py: Python<'_>) {
        let created = std::mem::take(&mut *self.created.lock());
        for page in &created {
            let page = page.get();
            let made = page.id().is_ok_and(|id| {
                let found = self.state.get().shared.long(py, |state| Ok(state.contains(id)));
                found.unwrap_or(false)
            });
            if !made {
                page.discard();
            }
        }
    }
}

#[cold]
fn done() -> Error {
    Error::new(ErrorKind::Closed, "the batch is committed or discarded")
}

#[pymethods]
impl Batch {
    /// Makes `data` the whole content of a page. Copied; compared when the batch commits.
    ///
    /// Raises `SizeOutOfRange`, `LengthMismatch`, `PageFreed` for what earlier changes of the batch
    /// do not allow; what the page does not allow, `commit` raises.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(2)
    /// ...     with state.batch() as batch:
    /// ...         batch.update(page, b"ab")
    /// ...     page.read()
    /// b'ab'
    fn update(&self, page: &Bound<'_, PyAny>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = self.id(page)?;
        with_bytes(data, "data", |bytes| {
            Ok(self.add(data.py(), bytes.len(), |batch| batch.update(id, bytes))?)
        })
    }

    /// Writes `data` at `offset` of a page. Copied. Raises as `update`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     with state.batch() as batch:
    /// ...         batch.write(page, 1, b"ab")
    /// ...         batch.write(page, 2, b"cd")
    /// ...     page.read()
    /// b'\x00acd'
    fn write(
        &self,
        page: &Bound<'_, PyAny>,
        offset: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (id, offset) = (self.id(page)?, args::offset(offset)?);
        with_bytes(data, "data", |bytes| {
            Ok(self.add(data.py(), bytes.len(), |batch| batch.write(id, offset, bytes))?)
        })
    }

    /// Applies a delta. The note of the batch counts, not the delta's. Raises as `update`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(2)
    /// ...     with state.batch() as batch:
    /// ...         batch.apply(mmsb.Delta.dense(page, b"ab"))
    /// ...     page.read()
    /// b'ab'
    fn apply(&self, py: Python<'_>, delta: &Bound<'_, Delta>) -> Result<(), Failure> {
        let delta = delta.get().at(self.state.get().home)?;
        self.add(py, delta.payload_len(), |batch| batch.apply(delta.clone()))
    }

    /// Creates a page when the batch commits; it can be used in the batch at once. Arguments and
    /// errors as of `State.create_page`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     with state.batch() as batch:
    /// ...         page = batch.create_page(data=b"ab")
    /// ...         batch.set_meta(page, "unit", b"K")
    /// ...     page.read(), page.metadata["unit"]
    /// (b'ab', b'K')
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
            let id = this.add(py, 0, |batch| match private {
                false => batch.create_page(size, place),
                true => batch.create_private_page(size, place),
            })?;
            if let Some(data) = data {
                this.add(py, data.len(), |batch| batch.update(id, data))?;
            }
            Ok((id, size))
        })?;
        let page = Py::new(py, Page::new(this.state.bind(py), id, size))?;
        this.created.lock().push(page.clone_ref(py));
        Ok(page)
    }

    /// Frees a page. Nothing more can be done to it in the batch.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(2)
    /// ...     with state.batch() as batch:
    /// ...         batch.free_page(page)
    /// ...     len(state)
    /// 0
    fn free_page(&self, page: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = self.id(page)?;
        Ok(self.add(page.py(), 0, |batch| batch.free_page(id))?)
    }

    /// Sets a metadata key of a page; see `Page.set_meta`. Example: see `create_page`.
    fn set_meta(
        &self,
        page: &Bound<'_, PyAny>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (id, key) = (self.id(page)?, args::meta_key(key)?);
        with_bytes(value, "a metadata value", |value| {
            Ok(self.add(page.py(), 0, |batch| batch.set_meta(id, &key, value))?)
        })
    }

    /// Takes a metadata key of a page away. `commit` raises `KeyNotFound` if there is none.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(2, metadata={"k": b"v"})
    /// ...     with state.batch() as batch:
    /// ...         batch.remove_meta(page, "k")
    /// ...     "k" in page.metadata
    /// False
    fn remove_meta(&self, page: &Bound<'_, PyAny>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let (id, key) = (self.id(page)?, args::meta_key(key)?);
        Ok(self.add(page.py(), 0, |batch| batch.remove_meta(id, &key))?)
    }

    /// Makes all changes at once, as one record. Returns its LSN, `None` if nothing changed.
    ///
    /// Raises what the single changes would; then none of them happened and the batch is
    /// discarded. Cost: that of the changes.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page, batch = state.create_page(2), state.batch()
    /// ...     batch.write(page, 0, b"a")
    /// ...     batch.commit() == page.lsn
    /// True
    fn commit(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        let Some(pending) = self.take() else {
            self.state.get().shared.check_open()?;
            return Err(Failure::from(done()).into());
        };
        let note = note(&self.source, self.intent.as_deref());
        let shared = &self.state.get().shared;
        self.done.store(true, Ordering::Relaxed);
        let committed = shared.long(py, move |_| Ok(pending.commit(note)?));
        match committed {
            Ok(lsn) => {
                self.created.lock().clear();
                self.lsn.store(lsn.map_or(0, |lsn| lsn.0), Ordering::Relaxed);
                Ok(lsn.map(|lsn| lsn.0))
            }
            Err(failure) => {
                self.forget_pages(py);
                Err(failure.into())
            }
        }
    }

    /// Gives all changes up. Nothing if the batch is done.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page, batch = state.create_page(2), state.batch()
    /// ...     batch.write(page, 0, b"a")
    /// ...     batch.discard()
    /// ...     batch.done, page.epoch
    /// (True, 0)
    fn discard(&self, py: Python<'_>) {
        self.done.store(true, Ordering::Relaxed);
        if self.take().is_some() {
            self.forget_pages(py);
        }
    }

    /// LSN of the commit; `None` before, or if nothing changed.
    #[getter]
    fn lsn(&self) -> Option<u64> {
        Some(self.lsn.load(Ordering::Relaxed)).filter(|&lsn| lsn != 0)
    }

    /// Whether the batch is committed or discarded.
    #[getter(done)]
    fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }

    /// Pages that the batch changes.
    fn __len__(&self, py: Python<'_>) -> Result<usize, Failure> {
        self.add(py, 0, |batch| Ok(batch.len()))
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        slf.get().add(slf.py(), 0, |_| Ok(()))?;
        Ok(slf.clone().unbind())
    }

    fn __exit__(
        &self,
        exc_type: Option<&Bound<'_, PyType>>,
        exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if exc_type.is_some() {
            self.discard(exc.py());
        } else if !self.done.load(Ordering::Relaxed) {
            // Says so if the state ended first.
            self.commit(exc.py())?;
        }
        Ok(())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        match self.add(py, 0, |batch| Ok(batch.len())) {
            Ok(pages) => format!("<mmsb.Batch of {pages} pages>"),
            Err(_) => "<mmsb.Batch done>".to_owned(),
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        Python::try_attach(|py| self.discard(py));
    }
}
