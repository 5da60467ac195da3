//! `Snapshot`: the whole state at one LSN.

use crate::args::{self, page_in};
use crate::buffer::new_bytes;
use crate::errors::{Failure, raise};
use crate::records::{MetaPairs, hex, meta_pairs};
use crate::revert::Difference;
use crate::shared::drop_detached;
use crate::state::{State, Ticker};
use mmsb::{Error, ErrorKind, PageId};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use std::sync::Arc;

/// A read view of all pages at one closed LSN: between groups, never inside one. Made by
/// `State.snapshot`.
///
/// While it is open, a page that changes keeps its old content beside the new: close it early. It
/// ends with its state: all methods can raise `Closed`, for the snapshot or the state, and
/// `PageNotFound` for a page that did not exist then. When open snapshots together hold more than
/// the setting `version_bytes_max`, the oldest that hold anything are ended: reading from them
/// raises `SnapshotTooOld`, and they are to be taken anew.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     page = state.create_page(data=b"old")
/// ...     with state.snapshot() as snapshot:
/// ...         lsn = page.update(b"new")
/// ...         snapshot.read(page), snapshot.epoch(page), snapshot.list()
/// (b'old', 1, [1])
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Snapshot {
    state: Py<State>,
    /// Taken out by `close`.
    inner: Mutex<Option<Arc<mmsb::Snapshot>>>,
    lsn: u64,
}

impl Snapshot {
    pub fn take(state: &Bound<'_, State>) -> PyResult<Snapshot> {
        let snapshot = state.get().shared.long(state.py(), |state| Ok(state.snapshot()?))?;
        let (lsn, inner) = (snapshot.lsn().0, Mutex::new(Some(Arc::new(snapshot))));
        Ok(Snapshot { state: state.clone().unbind(), inner, lsn })
    }

    /// The snapshot, if it and its state are open.
    pub fn open(&self) -> Result<Arc<mmsb::Snapshot>, Failure> {
        self.state.get().shared.check_open()?;
        match &*self.inner.lock() {
            Some(snapshot) => Ok(snapshot.clone()),
            None => Err(Error::new(ErrorKind::Closed, "the snapshot is closed").into()),
        }
    }

    fn ask<R: Send>(
        &self,
        page: &Bound<'_, PyAny>,
        ask: impl FnOnce(&mmsb::Snapshot, PageId) -> mmsb::Result<R> + Send,
    ) -> PyResult<R> {
        let id = page_in(self.state.bind(page.py()), page)?;
        Ok(self.long(page.py(), |snapshot| ask(snapshot, id))?)
    }

    /// Calls `call` while other threads run.
    fn long<R: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mmsb::Snapshot) -> mmsb::Result<R> + Send,
    ) -> Result<R, Failure> {
        let snapshot = self.open()?;
        self.state.get().shared.long(py, move |_| {
            let result = call(&snapshot);
            // Maybe the last to hold it, which takes time to give up.
            drop(snapshot);
            Ok(result?)
        })
    }
}

#[pymethods]
impl Snapshot {
    /// The closed LSN that it stands at.
    #[getter]
    fn lsn(&self) -> u64 {
        self.lsn
    }

    /// Copies `size` bytes of a page from `offset` on; all that follow without a size.
    ///
    /// Raises `RangeOutOfBounds`. Cost: the copy.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(data=b"abcd")
    /// ...     with state.snapshot() as snapshot:
    /// ...         snapshot.read(page), snapshot.read(page, 1, 2)
    /// (b'abcd', b'bc')
    #[pyo3(
        signature = (page, offset = None, size = None),
        text_signature = "($self, page, offset=0, size=None)"
    )]
    fn read<'py>(
        &self,
        py: Python<'py>,
        page: &Bound<'py, PyAny>,
        offset: Option<&Bound<'py, PyAny>>,
        size: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let id = page_in(self.state.bind(py), page)?;
        let offset = offset.map_or(Ok(0), args::offset)?;
        let whole = self.ask(page, mmsb::Snapshot::page_size)?;
        let size = size.map_or(Ok(whole.saturating_sub(offset)), args::size)?;
        if offset.checked_add(size).is_none_or(|end| end > whole) {
            raise!(RangeOutOfBounds, "{size} bytes at offset {offset} of {id}, which has {whole}")
        }
        let size = size as usize;
        new_bytes(py, size, |blank| {
            self.long(py, |snapshot| snapshot.read(id, offset, blank.zeroed()))
        })
    }

    /// Ids of all pages, ascending. Cost: O(ids given out by then). Example: see the class.
    fn list(&self, py: Python<'_>) -> Result<Vec<u64>, Failure> {
        let ids = self.long(py, mmsb::Snapshot::list_pages)?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    /// Bytes of a page. Example: see `get_meta`.
    fn size(&self, page: &Bound<'_, PyAny>) -> PyResult<u64> {
        self.ask(page, mmsb::Snapshot::page_size)
    }

    /// Epoch of a page's content. Example: see the class.
    fn epoch(&self, page: &Bound<'_, PyAny>) -> PyResult<u64> {
        self.ask(page, mmsb::Snapshot::epoch)
    }

    /// The value of a metadata key of a page. Raises `KeyNotFound`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(2, metadata={"unit": b"K"})
    /// ...     with state.snapshot() as snapshot:
    /// ...         snapshot.get_meta(page, "unit"), snapshot.size(page)
    /// (b'K', 2)
    fn get_meta<'py>(
        &self,
        page: &Bound<'py, PyAny>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let name = args::meta_key(key)?;
        let value = self.ask(page, |snapshot, id| snapshot.meta(id, &name))?;
        Ok(PyBytes::new(page.py(), &value))
    }

    /// All metadata of a page as pairs of bytes, ascending by key.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(2, metadata={"unit": b"K", "name": b"T"})
    /// ...     with state.snapshot() as snapshot:
    /// ...         lsn = page.remove_meta("unit")
    /// ...         snapshot.list_meta(page)
    /// [(b'name', b'T'), (b'unit', b'K')]
    fn list_meta<'py>(&self, page: &Bound<'py, PyAny>) -> PyResult<MetaPairs<'py>> {
        Ok(meta_pairs(page.py(), &self.ask(page, mmsb::Snapshot::meta_list)?))
    }

    fn __contains__(&self, page: &Bound<'_, PyAny>) -> PyResult<bool> {
        match self.ask(page, mmsb::Snapshot::page_size) {
            Ok(_) => Ok(true),
            Err(error) if crate::errors::is(&error, page.py(), ErrorKind::PageNotFound) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Digest of the content, 32 bytes; see `State.digest`. Cost: one pass over all pages.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     with state.snapshot() as snapshot:
    /// ...         snapshot.digest() == state.digest()
    /// True
    fn digest<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, Failure> {
        Ok(PyBytes::new(py, &self.long(py, mmsb::Snapshot::digest)?))
    }

    /// The digest as 64 hexadecimal digits. Example: see `digest`.
    fn hexdigest(&self, py: Python<'_>) -> Result<String, Failure> {
        Ok(hex(&self.long(py, mmsb::Snapshot::digest)?))
    }

    /// What differs in `other` from what this one shows: a `Difference` per page, ascending, of
    /// content, metadata and existence. Pages that went there and back do not differ.
    ///
    /// Raises `InvalidArgument` for a snapshot of another state, `SnapshotTooOld`. Cost: that of
    /// what changed after the older one.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state, state.snapshot() as before:
    /// ...     page = state.create_page(4)
    /// ...     with state.snapshot() as after:
    /// ...         before.compare(after)
    /// [<mmsb.Difference page 1 created>]
    fn compare(
        &self,
        py: Python<'_>,
        other: &Bound<'_, Snapshot>,
    ) -> Result<Vec<Difference>, Failure> {
        let to = other.get().open()?;
        let found = self.long(py, move |from| {
            let found = from.compare(&to);
            drop(to);
            found
        })?;
        Ok(found.into_iter().map(Difference::from).collect())
    }

    /// Writes what the snapshot shows to the file `path`, as `State.export_checkpoint` does of the
    /// present. Raises `SnapshotTooOld`, too.
    ///
    /// >>> import mmsb, os, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder, mmsb.State() as state:
    /// ...     page = state.create_page(data=b"old")
    /// ...     with state.snapshot() as snapshot:
    /// ...         lsn = page.update(b"new")
    /// ...         lsn = snapshot.export(os.path.join(folder, "old.image"))
    /// ...     with mmsb.State.load_checkpoint(os.path.join(folder, "old.image")) as past:
    /// ...         past[page.id].read()
    /// b'old'
    #[pyo3(signature = (path, progress = None))]
    fn export(
        &self,
        py: Python<'_>,
        path: PathBuf,
        progress: Option<Py<PyAny>>,
    ) -> Result<u64, Failure> {
        let snapshot = self.open()?;
        self.state.get().shared.long(py, move |_| {
            let mut ticker = Ticker::new(progress.as_ref());
            let written = snapshot.export_with(path, |bytes| ticker.step(bytes));
            drop(snapshot);
            Ok(ticker.finish(written)?.0)
        })
    }

    /// Gives up what the snapshot holds. Nothing if that was done.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     snapshot = state.snapshot()
    /// ...     snapshot.close()
    /// ...     snapshot.closed
    /// True
    fn close(&self) {
        if let Some(snapshot) = self.inner.lock().take() {
            drop_detached(snapshot);
        }
    }

    /// Whether the snapshot or its state is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.state.get().shared.is_closed() || self.inner.lock().is_none()
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        drop(slf.get().open()?);
        Ok(slf.clone().unbind())
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, _exc: &Bound<'_, PyAny>) {
        self.close();
    }

    fn __repr__(&self) -> String {
        match self.closed() {
            true => "<mmsb.Snapshot closed>".to_owned(),
            false => format!("<mmsb.Snapshot at {}>", self.lsn),
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.close();
    }
}
