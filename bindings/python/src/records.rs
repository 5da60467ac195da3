//! What calls return beside numbers and bytes: small records of named values.

use crate::derive::staleness_name;
use crate::transaction::ownership_of;
use mmsb::PageId;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A page's metadata as pairs of bytes.
pub type MetaPairs<'py> = Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>;

/// Copies a page's metadata for Python.
pub fn meta_pairs<'py>(py: Python<'py>, pairs: &[(Vec<u8>, Vec<u8>)]) -> MetaPairs<'py> {
    let pair = |(key, value): &(Vec<u8>, Vec<u8>)| (PyBytes::new(py, key), PyBytes::new(py, value));
    pairs.iter().map(pair).collect()
}

/// A page as it was.
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct PageAt {
    /// The page's id.
    #[pyo3(get)]
    page: u64,
    /// The content.
    #[pyo3(get)]
    data: Py<PyBytes>,
    /// Epoch of the content.
    #[pyo3(get)]
    epoch: u64,
    /// LSN of the last record that changed the page by then.
    #[pyo3(get)]
    lsn: u64,
    inner: mmsb::PageAt,
}

impl PageAt {
    pub fn new(py: Python<'_>, id: PageId, mut at: mmsb::PageAt) -> PageAt {
        let data = PyBytes::new(py, &std::mem::take(&mut at.bytes)).unbind();
        PageAt { page: id.0, data, epoch: at.epoch, lsn: at.lsn.0, inner: at }
    }
}

#[pymethods]
impl PageAt {
    /// The metadata then, a dict of str to bytes.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let metadata = PyDict::new(py);
        for (key, value) in &self.inner.meta {
            let key = PyBytes::new(py, key).call_method1("decode", ("utf-8", "surrogateescape"))?;
            metadata.set_item(key, PyBytes::new(py, value))?;
        }
        Ok(metadata)
    }

    /// Who could change it: "shared", "immutable" or a partition's number.
    #[getter]
    fn ownership(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        ownership_of(py, self.inner.ownership)
    }

    /// The pages that it derived from, in the order in which the edges were added: ids and kinds.
    #[getter]
    fn parents(&self) -> Vec<(u64, &'static str)> {
        self.inner.parents.iter().map(|link| (link.page.0, link.kind.name())).collect()
    }

    /// What it was computed by: a formula, or "callback" and a name; `None` if it was not.
    #[getter]
    fn rule(&self) -> Option<String> {
        self.inner.rule.as_ref().map(ToString::to_string)
    }

    /// Whether it was what its rule made of the parents: "fresh", "behind" or "stale".
    #[getter]
    fn staleness(&self) -> &'static str {
        staleness_name(self.inner.staleness)
    }

    fn __bytes__(&self, py: Python<'_>) -> Py<PyBytes> {
        self.data.clone_ref(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (id, epoch, lsn) = (self.page, self.epoch, self.lsn);
        let bytes = self.data.bind(py).len()?;
        Ok(format!("<mmsb.PageAt page {id} at {lsn}, {bytes} bytes, epoch {epoch}>"))
    }
}

/// A checkpoint that is kept.
#[pyclass(frozen, eq, module = "mmsb", weakref)]
#[derive(PartialEq)]
pub struct Checkpoint {
    /// The closed LSN that it stands at.
    #[pyo3(get)]
    lsn: u64,
    /// Its name; `None` if it has none.
    #[pyo3(get)]
    name: Option<String>,
    /// Bytes of its file.
    #[pyo3(get)]
    nbytes: u64,
}

impl From<&mmsb::CheckpointInfo> for Checkpoint {
    fn from(info: &mmsb::CheckpointInfo) -> Checkpoint {
        let name = Some(info.name.clone()).filter(|name| !name.is_empty());
        Checkpoint { lsn: info.lsn.0, name, nbytes: info.bytes }
    }
}

#[pymethods]
impl Checkpoint {
    fn __repr__(&self) -> String {
        let name = self.name.as_deref().unwrap_or("without a name");
        format!("<mmsb.Checkpoint {name} at {}, {} bytes>", self.lsn, self.nbytes)
    }
}

/// What `State.verify` looked at.
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Verified {
    /// Records whose checksums, links and order were checked.
    #[pyo3(get)]
    records: u64,
    /// Bytes of them.
    #[pyo3(get)]
    record_bytes: u64,
    /// Images whose every byte was checked.
    #[pyo3(get)]
    images: u64,
    /// The closed LSN of the comparison.
    #[pyo3(get)]
    lsn: u64,
    digest: [u8; 32],
}

impl From<mmsb::Verified> for Verified {
    fn from(verified: mmsb::Verified) -> Verified {
        let mmsb::Verified { records, record_bytes, images, lsn, digest } = verified;
        Verified { records, record_bytes, images, lsn: lsn.0, digest }
    }
}

#[pymethods]
impl Verified {
    /// Digest of the live state and of its replay, which are equal; 32 bytes.
    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.digest)
    }

    fn __repr__(&self) -> String {
        let Verified { records, record_bytes, images, .. } = self;
        format!("<mmsb.Verified {records} records, {record_bytes} bytes, {images} images>")
    }
}

/// What opening found.
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Recovered {
    /// Records that were applied.
    #[pyo3(get)]
    records: u64,
    /// Bytes of them.
    #[pyo3(get)]
    nbytes: u64,
    /// Bytes of a torn tail that were cut off: a record that a crash left unfinished.
    #[pyo3(get)]
    torn_bytes: u64,
    /// File, offset and reason of the torn tail; `None` if there was none.
    #[pyo3(get)]
    torn: Option<String>,
}

impl From<&mmsb::Recovered> for Recovered {
    fn from(recovered: &mmsb::Recovered) -> Recovered {
        let torn = recovered.torn.as_ref();
        Recovered {
            records: recovered.records,
            nbytes: recovered.bytes,
            torn_bytes: torn.map_or(0, |torn| torn.bytes),
            torn: torn.map(|torn| format!("{torn:?}")),
        }
    }
}

#[pymethods]
impl Recovered {
    fn __repr__(&self) -> String {
        format!("<mmsb.Recovered {} records, {} torn bytes>", self.records, self.torn_bytes)
    }
}

/// What a log holds.
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Summary {
    inner: mmsb::TLogSummary,
}

impl From<mmsb::TLogSummary> for Summary {
    fn from(inner: mmsb::TLogSummary) -> Summary {
        Summary { inner }
    }
}

#[pymethods]
impl Summary {
    /// Deltas.
    #[getter]
    fn deltas(&self) -> u64 {
        self.inner.deltas
    }

    /// Pages that they change.
    #[getter]
    fn pages(&self) -> u64 {
        self.inner.pages
    }

    /// Bytes of new content.
    #[getter]
    fn payload_bytes(&self) -> u64 {
        self.inner.payload_bytes
    }

    /// Bytes of the records that hold them.
    #[getter]
    fn record_bytes(&self) -> u64 {
        self.inner.record_bytes
    }

    /// The first LSN; 0 if there is none.
    #[getter]
    fn first(&self) -> u64 {
        self.inner.first.0
    }

    /// The last LSN; 0 if there is none.
    #[getter]
    fn last(&self) -> u64 {
        self.inner.last.0
    }

    /// Wall clock of the first record, milliseconds since 1970-01-01 UTC.
    #[getter]
    fn first_ms(&self) -> u64 {
        self.inner.first_ms
    }

    /// Wall clock of the last record, milliseconds since 1970-01-01 UTC.
    #[getter]
    fn last_ms(&self) -> u64 {
        self.inner.last_ms
    }

    /// Deltas per source label.
    #[getter]
    fn sources(&self) -> std::collections::BTreeMap<String, u64> {
        self.inner.sources.clone()
    }

    fn __repr__(&self) -> String {
        format!("<mmsb.Summary {} deltas to {} pages>", self.inner.deltas, self.inner.pages)
    }
}
