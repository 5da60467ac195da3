//! `Delta`: an ordered change to one page, by itself.

use crate::args::{self, Home};
use crate::buffer::{with_bytes, with_bytes_mut};
use crate::errors::Failure;
use crate::shared::detach_if_many;
use mmsb::PageId;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// An ordered change to one page: bytes, where they go, and who says so and why. Never changes.
///
/// Made by `Delta.dense`, `Delta.sparse` and `Delta.from_runs`, and read back from a log. Two are
/// equal if they do the same to the same page and have the same source and intent. One that was
/// made with a page, not with its id, is refused by all but that page's state or allocator.
///
/// >>> import mmsb
/// >>> delta = mmsb.Delta.from_runs(7, [(0, b"ab"), (4, b"c")], source="feed")
/// >>> page = bytearray(b"------")
/// >>> delta.apply_to(page)
/// >>> bytes(page), delta.nbytes
/// (b'ab--c-', 3)
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Delta {
    pub inner: mmsb::Delta,
    /// Of the page that it was made with, if not with an id.
    home: Option<Home>,
}

impl Delta {
    /// One to a page that is known by its id.
    pub fn plain(inner: mmsb::Delta) -> Delta {
        Delta { inner, home: None }
    }

    /// What is to be done in `home`; refused if it was made with a page of another.
    #[inline]
    pub fn at(&self, home: Home) -> mmsb::Result<&mmsb::Delta> {
        home.check(self.inner.page(), self.home)?;
        Ok(&self.inner)
    }
}

type Runs<'py> = Vec<(usize, Bound<'py, PyBytes>)>;

/// The delta with a note.
fn noted(delta: mmsb::Delta, source: &str, intent: Option<&str>) -> mmsb::Result<mmsb::Delta> {
    let delta = delta.with_source(source)?;
    match intent {
        Some(intent) => delta.with_intent(intent),
        None => Ok(delta),
    }
}

/// One piece: where it goes, and its bytes, copied.
fn piece(run: Bound<'_, PyAny>) -> PyResult<(usize, Vec<u8>)> {
    let Ok((offset, data)) = run.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>() else {
        return Err(PyTypeError::new_err(format!("a run must be (offset, data), not {run}")));
    };
    let offset = args::offset(&offset)?;
    let bytes = with_bytes(&data, "data of a run", |bytes| Ok(bytes.to_vec()))?;
    Ok((usize::try_from(offset).unwrap_or(usize::MAX), bytes))
}

#[pymethods]
impl Delta {
    /// A delta that gives a page new bytes from its first to its last.
    ///
    /// - `page`: a page or its id; `data`: as many bytes as the page has, copied.
    ///
    /// Raises `SizeOutOfRange`, `TooLong`.
    ///
    /// >>> import mmsb
    /// >>> mmsb.Delta.dense(1, b"abcd").is_dense
    /// True
    #[staticmethod]
    #[pyo3(signature = (page, data, *, source = "", intent = None))]
    fn dense(
        page: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Delta> {
        let (page, home) = args::page_of(page)?;
        with_bytes(data, "data", |bytes| {
            let dense = || noted(mmsb::Delta::dense(page, bytes)?, source, intent);
            let inner = detach_if_many(data.py(), bytes.len(), dense).map_err(Failure::from)?;
            Ok(Delta { inner, home })
        })
    }

    /// A delta that gives a page the bytes of `data` where `mask` is not zero.
    ///
    /// - `mask`, `data`: as many bytes as the page has. Only the masked bytes are kept.
    ///
    /// Raises `LengthMismatch`, `SizeOutOfRange`, `TooLong`.
    ///
    /// >>> import mmsb
    /// >>> mmsb.Delta.sparse(1, b"\0\1\1\0", b"abcd").runs
    /// [(1, b'bc')]
    #[staticmethod]
    #[pyo3(signature = (page, mask, data, *, source = "", intent = None))]
    fn sparse(
        page: &Bound<'_, PyAny>,
        mask: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Delta> {
        let (page, home) = args::page_of(page)?;
        with_bytes(mask, "mask", |mask| {
            with_bytes(data, "data", |bytes| {
                let sparse = || noted(mmsb::Delta::sparse(page, mask, bytes)?, source, intent);
                let inner =
                    detach_if_many(data.py(), bytes.len(), sparse).map_err(Failure::from)?;
                Ok(Delta { inner, home })
            })
        })
    }

    /// A delta that writes `runs`, pairs of offset and data.
    ///
    /// - `runs`: ascending, not empty, not overlapping; touching is allowed. Copied.
    ///
    /// Raises `RunsInvalid`, `RangeOutOfBounds`, `TooLong`.
    ///
    /// >>> import mmsb
    /// >>> mmsb.Delta.from_runs(1, [(0, b"ab"), (4, b"c")]).span
    /// (0, 5)
    #[staticmethod]
    #[pyo3(signature = (page, runs, *, source = "", intent = None))]
    fn from_runs(
        page: &Bound<'_, PyAny>,
        runs: &Bound<'_, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Delta> {
        let (page, home) = args::page_of(page)?;
        let pieces = runs.try_iter()?.map(|run| piece(run?)).collect::<PyResult<Vec<_>>>()?;
        let runs: Vec<_> = pieces.iter().map(|(at, bytes)| (*at, bytes.as_slice())).collect();
        let delta = mmsb::Delta::from_runs(page, &runs).map_err(Failure::from)?;
        let inner = noted(delta, source, intent).map_err(Failure::from)?;
        Ok(Delta { inner, home })
    }

    /// Id of the page that it changes.
    #[getter]
    fn page(&self) -> u64 {
        self.inner.page().0
    }

    /// Its pieces, ascending: bytes from the page's start, and what goes there.
    #[getter]
    fn runs<'py>(&self, py: Python<'py>) -> Runs<'py> {
        self.inner.runs().map(|(offset, bytes)| (offset, PyBytes::new(py, bytes))).collect()
    }

    /// The bytes of all runs, one run after the other.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.payload())
    }

    /// Bytes that it writes.
    #[getter]
    fn nbytes(&self) -> usize {
        self.inner.payload_len()
    }

    /// Whether it was built from all bytes of a page.
    #[getter]
    fn is_dense(&self) -> bool {
        self.inner.is_dense()
    }

    /// From its first byte to one past its last; (0, 0) without runs.
    #[getter]
    fn span(&self) -> (usize, usize) {
        let span = self.inner.span();
        (span.start, span.end)
    }

    /// Label of who acts; empty if nobody said.
    #[getter]
    fn source(&self) -> &str {
        self.inner.source()
    }

    /// Why, if somebody said.
    #[getter]
    fn intent(&self) -> Option<&str> {
        self.inner.intent()
    }

    /// LSN of the group that it was logged in; `None` if it was not read back from a log.
    #[getter]
    fn lsn(&self) -> Option<u64> {
        self.inner.stamp().map(|stamp| stamp.lsn.0)
    }

    /// Epoch of the page with it applied; `None` if it was not read back from a log.
    #[getter]
    fn epoch(&self) -> Option<u64> {
        self.inner.stamp().map(|stamp| stamp.epoch)
    }

    /// Wall clock of its record, milliseconds; `None` if it was not read back from a log.
    #[getter]
    fn time_ms(&self) -> Option<u64> {
        self.inner.stamp().map(|stamp| stamp.time_ms)
    }

    /// One delta that does what this one and then `later` do: where both write, `later` wins.
    ///
    /// Raises `InvalidArgument` for different pages or states, `LengthMismatch` and `RangeOutOfBounds` if no
    /// page can take both. Cost: O(bytes) of both.
    ///
    /// >>> import mmsb
    /// >>> first = mmsb.Delta.from_runs(1, [(0, b"aaaa")])
    /// >>> first.merge(mmsb.Delta.from_runs(1, [(2, b"bbbb")])).runs
    /// [(0, b'aabbbb')]
    fn merge(&self, py: Python<'_>, later: &Bound<'_, Delta>) -> Result<Delta, Failure> {
        let later = later.get();
        if let Some(home) = self.home {
            later.at(home)?;
        }
        let home = self.home.or(later.home);
        let (earlier, later) = (&self.inner, &later.inner);
        let bytes = earlier.payload_len() + later.payload_len();
        let inner = detach_if_many(py, bytes, || earlier.merge(later))?;
        Ok(Delta { inner, home })
    }

    /// Checks that it is a delta to a page of `page_size` bytes.
    ///
    /// Raises `LengthMismatch` if it is dense or has a mask, for another size;
    /// `RangeOutOfBounds` if a run ends after the page.
    ///
    /// >>> import mmsb
    /// >>> mmsb.Delta.dense(1, b"abcd").validate(4)
    fn validate(&self, page_size: &Bound<'_, PyAny>) -> PyResult<()> {
        let size = usize::try_from(args::size(page_size)?).unwrap_or(usize::MAX);
        Ok(self.inner.validate(size).map_err(Failure::from)?)
    }

    /// Writes its bytes into `page_bytes`, a writable buffer that holds a whole page.
    ///
    /// Raises as `validate`; then nothing is written. Example: see the class.
    fn apply_to(&self, page_bytes: &Bound<'_, PyAny>) -> PyResult<()> {
        with_bytes_mut(page_bytes, "page_bytes", |bytes| {
            let apply = || self.inner.apply_to(bytes);
            Ok(detach_if_many(page_bytes.py(), self.inner.payload_len(), apply)
                .map_err(Failure::from)?)
        })
    }

    /// The delta as a mask (1 where it writes, else 0) and bytes (0 where it does not write), as
    /// long as the page.
    ///
    /// >>> import mmsb
    /// >>> mmsb.Delta.from_runs(1, [(1, b"a")]).to_masked(3)
    /// (b'\x00\x01\x00', b'\x00a\x00')
    fn to_masked<'py>(
        &self,
        page_size: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let (py, size) = (page_size.py(), args::size(page_size)?);
        if size > mmsb::limits::PAGE_BYTES_MAX {
            let max = mmsb::limits::PAGE_BYTES_MAX;
            crate::errors::raise!(SizeOutOfRange, "a page of {size} bytes; the limit is {max}")
        }
        let (mask, bytes) = self.inner.to_masked(size as usize).map_err(Failure::from)?;
        Ok((PyBytes::new(py, &mask), PyBytes::new(py, &bytes)))
    }

    fn __eq__(&self, other: &Bound<'_, Delta>) -> bool {
        let (one, other) = (&self.inner, &other.get().inner);
        let content = |delta: &mmsb::Delta| -> (PageId, Vec<(usize, usize)>) {
            (delta.page(), delta.runs().map(|(at, bytes)| (at, bytes.len())).collect())
        };
        content(one) == content(other)
            && one.payload() == other.payload()
            && one.note() == other.note()
    }

    fn __repr__(&self) -> String {
        let (page, runs) = (self.inner.page(), self.inner.as_runs().len());
        format!("<mmsb.Delta to {page}, {} bytes in {runs} runs>", self.inner.payload_len())
    }
}
