//! `TLog`: a log of deltas by itself.

use crate::args::{self, Settings};
use crate::changes::{Changes, Filter, Owner};
use crate::delta::Delta;
use crate::errors::Failure;
use crate::records::{Recovered, Summary};
use crate::shared::{Closable, Shared};
use mmsb::Durability;
use pyo3::prelude::*;
use std::path::PathBuf;

impl Closable for mmsb::TLog {
    const NAME: &'static str = "log";

    fn has_files(&self) -> bool {
        true
    }

    /// A log has no state that could be in doubt: each record stands for itself.
    fn poison(&self, reason: &str) {
        mmsb::TLog::poison(self, reason);
    }

    fn shut(self) -> mmsb::Result<()> {
        self.close()
    }
}

/// A log of deltas in a directory of its own, without a state that they change.
///
/// Settings as of `State`. Deltas are kept as they are: nothing is compared, nothing applied.
/// Iterating reads all of them back. May be used from any thread.
///
/// Raises as `State`.
///
/// >>> import mmsb, tempfile
/// >>> with tempfile.TemporaryDirectory() as folder, mmsb.TLog(folder) as log:
/// ...     lsn = log.append(mmsb.Delta.dense(1, b"abcd", source="demo"))
/// ...     [(change.lsn == lsn, change.source) for change in log]
/// [(True, 'demo')]
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct TLog {
    pub shared: Shared<mmsb::TLog>,
    is_sync: bool,
}

#[pymethods]
impl TLog {
    #[new]
    #[pyo3(signature = (
        path, durability = None, *, must_exist = false, flush_every_ms = None,
        sync_every_ms = None, segment_bytes = None, pending_bytes_max = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments, each a setting")]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        durability: Option<&str>,
        must_exist: bool,
        flush_every_ms: Option<&Bound<'_, PyAny>>,
        sync_every_ms: Option<&Bound<'_, PyAny>>,
        segment_bytes: Option<&Bound<'_, PyAny>>,
        pending_bytes_max: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<TLog> {
        let config = Settings {
            path: Some(path),
            durability,
            must_exist,
            flush_every_ms,
            sync_every_ms,
            segment_bytes,
            pending_bytes_max,
            history_bytes: None,
            memory_bytes_max: None,
            version_bytes_max: None,
        }
        .config()?;
        let is_sync = config.durability == Durability::Sync;
        let log = py.detach(|| mmsb::TLog::open(config)).map_err(Failure::from)?;
        Ok(TLog { shared: Shared::new(log), is_sync })
    }

    /// The same as `TLog(path)`, with its settings.
    ///
    /// >>> import mmsb, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder:
    /// ...     with mmsb.TLog.open(folder, "sync") as log:
    /// ...         log.recovered.records
    /// 0
    #[staticmethod]
    #[pyo3(signature = (
        path, durability = None, *, must_exist = false, flush_every_ms = None,
        sync_every_ms = None, segment_bytes = None, pending_bytes_max = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments, each a setting")]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        durability: Option<&str>,
        must_exist: bool,
        flush_every_ms: Option<&Bound<'_, PyAny>>,
        sync_every_ms: Option<&Bound<'_, PyAny>>,
        segment_bytes: Option<&Bound<'_, PyAny>>,
        pending_bytes_max: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<TLog> {
        TLog::new(
            py,
            path,
            durability,
            must_exist,
            flush_every_ms,
            sync_every_ms,
            segment_bytes,
            pending_bytes_max,
        )
    }

    /// Appends a delta. Returns its LSN, which is its id.
    ///
    /// Raises `NoSpace`, `Poisoned`. With durability "sync" it waits for the disk.
    ///
    /// >>> import mmsb, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder, mmsb.TLog(folder) as log:
    /// ...     lsn = log.append(mmsb.Delta.dense(7, b"abcd"))
    /// ...     log.last_of(7) == lsn
    /// True
    fn append(&self, py: Python<'_>, delta: &Bound<'_, Delta>) -> Result<u64, Failure> {
        let delta = &delta.get().inner;
        let detach = self.is_sync || delta.payload_len() >= args::DETACH_BYTES;
        Ok(self.shared.call(py, detach, |log| log.append(delta))?.0)
    }

    /// Hands everything appended before the call to the operating system. Returns the closed LSN
    /// that covers it. Raises `IoError`, `NoSpace`.
    ///
    /// >>> import mmsb, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder, mmsb.TLog(folder) as log:
    /// ...     lsn = log.append(mmsb.Delta.dense(7, b"abcd"))
    /// ...     log.flush() >= lsn
    /// True
    fn flush(&self, py: Python<'_>) -> Result<u64, Failure> {
        self.shared.long(py, |log| Ok(log.flush()?.0))
    }

    /// Makes everything appended before the call durable. Returns the closed LSN that covers it.
    /// Raises as `flush`.
    ///
    /// >>> import mmsb, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder, mmsb.TLog(folder) as log:
    /// ...     lsn = log.append(mmsb.Delta.dense(7, b"abcd"))
    /// ...     log.sync() >= lsn
    /// True
    fn sync(&self, py: Python<'_>) -> Result<u64, Failure> {
        self.shared.long(py, |log| Ok(log.sync()?.0))
    }

    /// What opening found.
    #[getter]
    fn recovered(&self, py: Python<'_>) -> Result<Recovered, Failure> {
        self.shared.short(py, |log| Ok(Recovered::from(log.recovered())))
    }

    /// Reads deltas back, in LSN order; arguments as of `State.query`.
    ///
    /// >>> import mmsb, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder, mmsb.TLog(folder) as log:
    /// ...     for page in (7, 8, 7):
    /// ...         lsn = log.append(mmsb.Delta.dense(page, b"abcd"))
    /// ...     [change.epoch for change in log.query(page=7)]
    /// [1, 2]
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
        let page = page.map(args::page_id).transpose()?;
        let query = Filter { after, to, from_time, to_time, source, limit }.query(page)?;
        let changes = slf.get().shared.long(slf.py(), |log| Ok(log.query(query)?))?;
        Ok(Changes::new(Owner::TLog(slf.clone().unbind()), changes))
    }

    fn __iter__(slf: &Bound<'_, Self>) -> PyResult<Changes> {
        TLog::query(slf, None, None, None, None, None, None, None)
    }

    /// Reads the whole log, checking every record, and counts. Raises `Corrupt`.
    ///
    /// >>> import mmsb, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder, mmsb.TLog(folder) as log:
    /// ...     lsn = log.append(mmsb.Delta.dense(7, b"abcd", source="feed"))
    /// ...     log.summary().payload_bytes, log.summary().sources
    /// (4, {'feed': 1})
    fn summary(&self, py: Python<'_>) -> Result<Summary, Failure> {
        self.shared.long(py, |log| Ok(Summary::from(log.summary()?)))
    }

    /// LSN of a page's last record; 0 if there is none. Example: see `append`.
    fn last_of(&self, page: &Bound<'_, PyAny>) -> PyResult<u64> {
        let id = args::page_id(page)?;
        Ok(self.shared.short(page.py(), |log| Ok(log.last_of(id).0))?)
    }

    /// Closes the log: flushes, syncs, releases the directory. Nothing if it is closed.
    ///
    /// Raises what the last flush and sync say; it is closed all the same.
    ///
    /// >>> import mmsb, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder:
    /// ...     log = mmsb.TLog(folder)
    /// ...     log.close()
    /// ...     log.closed
    /// True
    fn close(&self, py: Python<'_>) -> Result<(), Failure> {
        self.shared.close(py)
    }

    /// Whether the log is closed.
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

    fn __repr__(&self, py: Python<'_>) -> String {
        match self.shared.short(py, |log| Ok(format!("<mmsb.{log:?}>"))) {
            Ok(shown) => shown,
            Err(_) => "<mmsb.TLog closed>".to_owned(),
        }
    }
}
