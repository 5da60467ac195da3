//! `SoftCheckpoint` and `Difference`: the way back, and what differs between two snapshots.

use crate::errors::Failure;
use crate::shared::drop_detached;
use crate::state::State;
use mmsb::{Error, ErrorKind, Note};
use parking_lot::Mutex;
use pyo3::prelude::*;
use std::sync::Arc;

/// A page that is not the same in two snapshots.
#[pyclass(frozen, eq, module = "mmsb", weakref)]
#[derive(PartialEq)]
pub struct Difference {
    inner: mmsb::PageDifference,
}

impl From<mmsb::PageDifference> for Difference {
    fn from(inner: mmsb::PageDifference) -> Difference {
        Difference { inner }
    }
}

#[pymethods]
impl Difference {
    /// The page's id.
    #[getter]
    fn page(&self) -> u64 {
        self.inner.page.0
    }

    /// "created" (only the second snapshot has the page), "freed" (only the first) or "changed".
    #[getter]
    fn kind(&self) -> &'static str {
        match self.inner.difference {
            mmsb::Difference::Created => "created",
            mmsb::Difference::Freed => "freed",
            mmsb::Difference::Changed { .. } => "changed",
        }
    }

    /// Of "changed": stretches of content that differ, each an offset and a length. Else empty.
    #[getter]
    fn runs(&self) -> Vec<(u64, u64)> {
        match &self.inner.difference {
            mmsb::Difference::Changed { runs, .. } => {
                runs.iter().map(|run| (run.offset.into(), run.len.into())).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Of "changed": whether metadata, owner, edges or rule differ. Else False.
    #[getter]
    fn metadata(&self) -> bool {
        matches!(self.inner.difference, mmsb::Difference::Changed { meta: true, .. })
    }

    fn __repr__(&self) -> String {
        format!("<mmsb.Difference {} {}>", self.inner.page, self.kind())
    }
}

/// A moment that its state can go back to, as often as it is asked to. Made by
/// `State.soft_checkpoint`.
///
/// It is in memory alone, and holds what changes after it as a `Snapshot` does. As a context manager
/// it is closed at the end; the state stays as it is then, also if an exception passes.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     page = state.create_page(data=b"fine")
/// ...     with state.soft_checkpoint() as mark:
/// ...         lsn = page.update(b"oops")
/// ...         lsn = state.revert(mark, source="me", intent="no good")
/// ...     page.read(), page.epoch
/// (b'fine', 3)
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct SoftCheckpoint {
    state: Py<State>,
    /// Taken out by `close`.
    inner: Mutex<Option<Arc<mmsb::SoftCheckpoint>>>,
}

impl SoftCheckpoint {
    pub fn make(state: &Bound<'_, State>) -> PyResult<SoftCheckpoint> {
        let mark = state.get().shared.long(state.py(), |state| Ok(state.soft_checkpoint()?))?;
        let inner = Mutex::new(Some(Arc::new(mark)));
        Ok(SoftCheckpoint { state: state.clone().unbind(), inner })
    }

    /// The mark, if it and its state are open.
    fn open(&self) -> Result<Arc<mmsb::SoftCheckpoint>, Failure> {
        self.state.get().shared.check_open()?;
        match &*self.inner.lock() {
            Some(mark) => Ok(mark.clone()),
            None => Err(Error::new(ErrorKind::Closed, "the soft checkpoint is closed").into()),
        }
    }

    /// Takes `state` back to it.
    pub fn revert(&self, state: &Bound<'_, State>, note: Note<'_>) -> Result<Option<u64>, Failure> {
        let mark = self.open()?;
        let lsn = state.get().shared.long(state.py(), move |state| {
            let lsn = state.revert(&mark, note);
            // Maybe the last to hold it, which takes time to give up.
            drop(mark);
            Ok(lsn?)
        })?;
        Ok(lsn.map(|lsn| lsn.0))
    }
}

#[pymethods]
impl SoftCheckpoint {
    /// The closed LSN that it stands at; going back to it moves it there. Raises
    /// `CheckpointPassed`.
    #[getter]
    fn lsn(&self, py: Python<'_>) -> Result<u64, Failure> {
        let mark = self.open()?;
        // Somebody may be going back to it.
        self.state.get().shared.long(py, move |_| Ok(mark.lsn()?.0))
    }

    /// Whether the state went back to an older one, which ended this one.
    #[getter]
    fn passed(&self, py: Python<'_>) -> Result<bool, Failure> {
        let mark = self.open()?;
        self.state.get().shared.long(py, move |_| Ok(mark.is_passed()))
    }

    /// Gives it up: the state stays as it is. Nothing if that was done.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     mark = state.soft_checkpoint()
    /// ...     mark.close()
    /// ...     mark.closed
    /// True
    fn close(&self) {
        if let Some(mark) = self.inner.lock().take() {
            drop_detached(mark);
        }
    }

    /// Whether it or its state is closed.
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

    fn __repr__(&self) -> &'static str {
        match self.closed() {
            true => "<mmsb.SoftCheckpoint closed>",
            false => "<mmsb.SoftCheckpoint>",
        }
    }
}

impl Drop for SoftCheckpoint {
    fn drop(&mut self) {
        self.close();
    }
}
