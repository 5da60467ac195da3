//! `Page`: one page of a state, by its id.

use crate::args::{self, DETACH_BYTES, Home, note};
use crate::buffer::{new_bytes, with_bytes, with_bytes_mut};
use crate::changes::Change;
use crate::derive::{Explanation, staleness_name};
use crate::errors::raise;
use crate::records::{MetaPairs, meta_pairs};
use crate::shared::Shared;
use crate::state::State;
use crate::transaction::{own, ownership_of};
use crate::view::View;
use mmsb::{Lsn, Ownership, PageId};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyType};
use std::ffi::c_int;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// The size of a page that was not asked for yet.
const UNKNOWN: u64 = 0;
/// Stands for the size of a page whose batch was discarded.
const NEVER_MADE: u64 = u64::MAX;

/// A page: a fixed number of bytes, named by its id, changed by deltas.
///
/// Made by `State.create_page` and `state[page_id]`. Two are equal if they name the same page of
/// the same state. All methods can raise `Closed`, `PageNotFound` and `PageFreed`; those that
/// change something also `ReadOnly`, `TooLong` for source and intent, `NoSpace`, `OutOfMemory`
/// and `Poisoned`, and with durability "sync" what the disk says. On error nothing changed.
///
/// Sources are any C-contiguous buffer: bytes, bytearray, memoryview, NumPy array. They are read
/// in place: one that another thread changes during the call gives a page of both contents.
///
/// A page is a read-only buffer itself: `bytes(page)`, `memoryview(page)` and `numpy.asarray(page)`
/// show the content as it is then, the last two without a copy, as `view` does.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     page = state.create_page(8)
/// ...     lsn = page.write(2, b"abc")
/// ...     page.read(), page.epoch, page.lsn == lsn
/// (b'\x00\x00abc\x00\x00\x00', 1, True)
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Page {
    state: Py<State>,
    id: PageId,
    /// Never changes in a page's life.
    size: AtomicU64,
}

impl Page {
    /// The page `id`, which has `size` bytes.
    #[inline]
    pub fn new(state: &Bound<'_, State>, id: PageId, size: u64) -> Page {
        Page { state: state.clone().unbind(), id, size: AtomicU64::new(size) }
    }

    /// The page `id`, whose size is asked for when it is needed.
    pub fn unsized_of(state: &Bound<'_, State>, id: PageId) -> Page {
        Page::new(state, id, UNKNOWN)
    }

    /// The id, unless the page was part of a batch that never happened.
    #[inline]
    pub fn id(&self) -> PyResult<PageId> {
        if self.size.load(Ordering::Relaxed) == NEVER_MADE {
            let id = self.id.0;
            raise!(PageNotFound, "page {id} was never created: its batch was discarded")
        }
        Ok(self.id)
    }

    /// The state that it is one of.
    #[inline]
    pub fn home(&self) -> Home {
        self.state.get().home
    }

    /// Says that the page's batch was discarded.
    pub fn discard(&self) {
        self.size.store(NEVER_MADE, Ordering::Relaxed);
    }

    #[inline]
    fn shared(&self) -> &Shared<mmsb::State> {
        &self.state.get().shared
    }

    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        let id = self.id()?;
        match self.size.load(Ordering::Relaxed) {
            UNKNOWN => {
                let size = self.shared().long(py, |state| Ok(state.page_size(id)?))?;
                self.size.store(size, Ordering::Relaxed);
                Ok(size)
            }
            size => Ok(size),
        }
    }

    /// Whether a call on the page may take long, its own or the one of another thread that it
    /// waits for: then other threads run meanwhile.
    #[inline]
    fn is_large(&self) -> bool {
        match self.size.load(Ordering::Relaxed) {
            UNKNOWN => true,
            size => size >= DETACH_BYTES as u64,
        }
    }

    /// Changes the page.
    #[inline]
    fn change(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&mmsb::State, PageId) -> mmsb::Result<Option<Lsn>> + Send,
    ) -> PyResult<Option<u64>> {
        let id = self.id()?;
        let detach = self.state.get().is_sync || self.is_large();
        let lsn = self.shared().change(py, detach, |state| change(state, id))?;
        Ok(lsn.map(|lsn| lsn.0))
    }

    /// What the page says of itself.
    #[inline]
    fn ask<R: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&mmsb::State, PageId) -> mmsb::Result<R> + Send,
    ) -> PyResult<R> {
        let id = self.id()?;
        Ok(self.shared().call(py, self.is_large(), |state| ask(state, id))?)
    }

    fn copy_to(&self, py: Python<'_>, offset: u64, buffer: &mut [u8]) -> PyResult<()> {
        self.ask(py, |state, id| state.read(id, offset, buffer))
    }
}

/// The Python class of `metadata`.
static METADATA: PyOnceLock<Py<PyType>> = PyOnceLock::new();
/// The Python function behind `array`.
static ARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// What a view shows as a NumPy array.
pub fn numpy_array<'py>(
    py: Python<'py>,
    id: PageId,
    view: View,
    dtype: &Bound<'py, PyAny>,
    shape: Option<&Bound<'py, PyAny>>,
    offset: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let array = ARRAY.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("mmsb._typed")?.getattr("array")?.unbind())
    })?;
    array.bind(py).call1((id.0, view, dtype, shape, offset))
}

#[pymethods]
impl Page {
    /// The page's id: from 1 on, never used twice in a state's life.
    #[getter(id)]
    fn get_id(&self) -> u64 {
        self.id.0
    }

    /// The state that the page is part of.
    #[getter]
    fn state(&self, py: Python<'_>) -> Py<State> {
        self.state.clone_ref(py)
    }

    /// Bytes of content.
    #[getter(size)]
    fn get_size(&self, py: Python<'_>) -> PyResult<u64> {
        // Not the remembered one: the page may be freed.
        self.ask(py, mmsb::State::page_size)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.get_size(py)? as usize)
    }

    /// How often the content has changed.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask(py, mmsb::State::epoch)
    }

    /// LSN of the record that changed the page last.
    #[getter]
    fn lsn(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.ask(py, mmsb::State::page_lsn)?.0)
    }

    /// Where the page should live: "cpu", "gpu" or "unified".
    #[getter]
    fn location(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(args::location_name(self.ask(py, mmsb::State::location)?))
    }

    /// Whether the content is sealed wherever it stands, and only the state's key opens it: see
    /// `State.unlock`. A private page has no views.
    #[getter]
    fn private(&self, py: Python<'_>) -> PyResult<bool> {
        self.ask(py, mmsb::State::is_private)
    }

    /// Who may change the page: "shared" (anybody), "immutable" (nobody, ever again), or the number of
    /// the partition that may.
    #[getter]
    fn ownership(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        ownership_of(py, self.ask(py, mmsb::State::ownership)?)
    }

    /// Lets anybody change the page. What belongs to a partition is given away by a transaction of it.
    /// Returns the LSN, `None` if it is shared already. Raises `NotOwner` and `Immutable`. Example: see
    /// `transfer`.
    #[pyo3(signature = (*, source = "", intent = None))]
    fn share(&self, py: Python<'_>, source: &str, intent: Option<&str>) -> PyResult<Option<u64>> {
        own(self.state.bind(py), self.id()?, Ownership::Shared, note(source, intent))
    }

    /// Lets nobody change the page any more. Otherwise as `share`. Example: see `transfer`.
    #[pyo3(signature = (*, source = "", intent = None))]
    fn freeze(&self, py: Python<'_>, source: &str, intent: Option<&str>) -> PyResult<Option<u64>> {
        own(self.state.bind(py), self.id()?, Ownership::Immutable, note(source, intent))
    }

    /// Makes the page a partition's, 0 to 65,535. Otherwise as `share`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(1)
    /// ...     page.share(), page.transfer(7) == page.lsn, page.ownership
    /// (None, True, 7)
    #[pyo3(signature = (partition, *, source = "", intent = None))]
    fn transfer(
        &self,
        partition: &Bound<'_, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Option<u64>> {
        let ownership = Ownership::Owned(args::partition(partition)?);
        own(self.state.bind(partition.py()), self.id()?, ownership, note(source, intent))
    }

    /// Makes `data` the page's content; records only the bytes that differ.
    ///
    /// - `data`: exactly the page's size, else `LengthMismatch`.
    /// - `source`, `intent`: who changes it and why, kept with the record.
    ///
    /// Returns the LSN, `None` if the content was the same. Raises `InvalidArgument` for a buffer
    /// that is not C-contiguous. Cost: one comparison of the page, and the record of what changed.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     page.update(b"abcd") is None, page.update(bytearray(b"abcd")) is None
    /// (False, True)
    #[pyo3(signature = (data, *, source = "", intent = None))]
    fn update(
        &self,
        data: &Bound<'_, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Option<u64>> {
        let note = note(source, intent);
        with_bytes(data, "data", |bytes| {
            self.change(data.py(), |state, id| state.update(id, bytes, note))
        })
    }

    /// Writes `data` at `offset`; records only the bytes that differ.
    ///
    /// - `offset`: bytes from the page's start; the data must end inside, else `RangeOutOfBounds`.
    ///
    /// Returns the LSN, `None` if the content was the same.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4)
    /// ...     lsn = page.write(1, b"ab")
    /// ...     page.read()
    /// b'\x00ab\x00'
    #[pyo3(signature = (offset, data, *, source = "", intent = None))]
    fn write(
        &self,
        offset: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Option<u64>> {
        let (offset, note) = (args::offset(offset)?, note(source, intent));
        with_bytes(data, "data", |bytes| {
            self.change(data.py(), |state, id| state.write(id, offset, bytes, note))
        })
    }

    /// Writes the bytes of `data` where `mask` is not zero.
    ///
    /// - `mask`, `data`: exactly the page's size, else `LengthMismatch`. A mask of NumPy booleans
    ///   has one per byte.
    ///
    /// Returns the LSN, `None` if the content was the same.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(data=b"abcd")
    /// ...     lsn = page.write_masked(b"\0\1\0\1", b"ABCD")
    /// ...     page.read()
    /// b'aBcD'
    #[pyo3(signature = (mask, data, *, source = "", intent = None))]
    fn write_masked(
        &self,
        mask: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Option<u64>> {
        let note = note(source, intent);
        with_bytes(mask, "mask", |mask| {
            with_bytes(data, "data", |bytes| {
                self.change(data.py(), |state, id| state.write_masked(id, mask, bytes, note))
            })
        })
    }

    /// Copies `size` bytes from `offset` on; all that follow without a size.
    ///
    /// Raises `RangeOutOfBounds`. Cost: the copy.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(data=b"abcd")
    /// ...     page.read(), page.read(2), page.read(1, 2)
    /// (b'abcd', b'cd', b'bc')
    #[pyo3(signature = (offset = None, size = None), text_signature = "($self, offset=0, size=None)")]
    fn read<'py>(
        &self,
        py: Python<'py>,
        offset: Option<&Bound<'py, PyAny>>,
        size: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let offset = offset.map_or(Ok(0), args::offset)?;
        let whole = self.size(py)?;
        let size = match size {
            Some(size) => args::size(size)?,
            None => whole.saturating_sub(offset),
        };
        check_range(self.id, whole, offset, size)?;
        let (id, size) = (self.id, size as usize);
        if size < DETACH_BYTES {
            return PyBytes::new_with(py, size, |bytes| self.copy_to(py, offset, bytes));
        }
        new_bytes(py, size, |blank| {
            self.shared().long(py, |state| Ok(state.read(id, offset, blank.zeroed())?))
        })
    }

    /// Copies bytes from `offset` on into `buffer`, as many as it holds.
    ///
    /// - `buffer`: writable and C-contiguous, else `InvalidArgument`.
    ///
    /// Raises `RangeOutOfBounds`; then the buffer is unchanged.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page, buffer = state.create_page(data=b"abcd"), bytearray(2)
    /// ...     page.read_into(buffer, 1)
    /// ...     buffer
    /// bytearray(b'bc')
    #[pyo3(signature = (buffer, offset = None), text_signature = "($self, buffer, offset=0)")]
    fn read_into(
        &self,
        buffer: &Bound<'_, PyAny>,
        offset: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let offset = offset.map_or(Ok(0), args::offset)?;
        with_bytes_mut(buffer, "buffer", |bytes| self.copy_to(buffer.py(), offset, bytes))
    }

    /// A view of the whole content as it is now, without a copy: a read-only buffer that stays
    /// valid and unchanged while writers go on, and after the state is closed.
    ///
    /// A writer that meets a page with a view copies the page first: release views early on pages
    /// that change often. Cost: well under 1 µs, whatever the page's size.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(data=b"old")
    /// ...     with page.view() as view:
    /// ...         lsn = page.update(b"new")
    /// ...         bytes(view), page.read()
    /// (b'old', b'new')
    fn view(&self, py: Python<'_>) -> PyResult<View> {
        Ok(View::new(self.ask(py, mmsb::State::view)?))
    }

    /// # Safety
    /// Called by the interpreter alone, with a place to fill.
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        place: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        // SAFETY: the caller's promise.
        unsafe { View::lend(slf.py(), slf.get().view(slf.py()), place, flags) }
    }

    /// The content as a read-only NumPy array, without a copy, over a view of its own.
    ///
    /// - `dtype`: what NumPy takes as one, of fixed size, without objects.
    /// - `shape`: a number or a tuple; all elements that fit without it.
    /// - `offset`: bytes from the page's start, a multiple of the type's alignment.
    ///
    /// Raises `InvalidArgument` for dtype and alignment, `RangeOutOfBounds` for what ends after
    /// the page, `LengthMismatch` for a rest without a shape. Needs NumPy.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(dtype="<i4", shape=(2, 3))
    /// ...     page.array("<i4", (2, 3)).sum(axis=0).tolist()
    /// [0, 0, 0]
    #[pyo3(
        signature = (dtype, shape = None, offset = None),
        text_signature = "($self, dtype, shape=None, offset=0)"
    )]
    fn array<'py>(
        slf: &Bound<'py, Self>,
        dtype: &Bound<'py, PyAny>,
        shape: Option<&Bound<'py, PyAny>>,
        offset: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let offset = offset.map_or(Ok(0), args::offset)?;
        let view = slf.get().view(slf.py())?;
        numpy_array(slf.py(), slf.get().id, view, dtype, shape, offset)
    }

    /// The metadata: a mutable mapping of str to bytes. Each change is a record; `update` is one
    /// for all.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(4, metadata={"unit": b"K"})
    /// ...     page.metadata["name"] = b"temperature"
    /// ...     dict(page.metadata)
    /// {'name': b'temperature', 'unit': b'K'}
    #[getter]
    fn metadata<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        METADATA.import(slf.py(), "mmsb._metadata", "Metadata")?.call1((slf,))
    }

    /// Sets a metadata key, with a note. Content and epoch stay.
    ///
    /// - `key`: str or bytes, 1 to 255 bytes; `value`: bytes, up to 65,535. A page holds up to
    ///   1 MiB of both.
    ///
    /// Returns the LSN, `None` if it was so. Raises `TooLong`, `TooLarge`, `InvalidArgument`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(2)
    /// ...     lsn = page.set_meta("unit", b"K", source="demo")
    /// ...     page.get_meta("unit"), page.lsn == lsn
    /// (b'K', True)
    #[pyo3(signature = (key, value, *, source = "", intent = None))]
    fn set_meta(
        &self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Option<u64>> {
        let (key, note) = (args::meta_key(key)?, note(source, intent));
        with_bytes(value, "a metadata value", |bytes| {
            self.change(value.py(), |state, id| state.set_meta(id, &key, bytes, note))
        })
    }

    /// Takes a metadata key away, with a note. Returns the LSN. Raises `KeyNotFound`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(2, metadata={"unit": b"K"})
    /// ...     lsn = page.remove_meta("unit", intent="it was wrong")
    /// ...     page.list_meta()
    /// []
    #[pyo3(signature = (key, *, source = "", intent = None))]
    fn remove_meta(
        &self,
        key: &Bound<'_, PyAny>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Option<u64>> {
        let (name, note) = (args::meta_key(key)?, note(source, intent));
        self.change(key.py(), |state, id| state.remove_meta(id, &name, note))
    }

    /// The value of a metadata key. Raises `KeyNotFound`. Example: see `set_meta`.
    fn get_meta<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let name = args::meta_key(key)?;
        let value = self.ask(key.py(), |state, id| state.meta(id, &name))?;
        Ok(PyBytes::new(key.py(), &value))
    }

    /// All metadata as pairs of bytes, ascending by key. Example: see `remove_meta`.
    fn list_meta<'py>(&self, py: Python<'py>) -> PyResult<MetaPairs<'py>> {
        Ok(meta_pairs(py, &self.ask(py, mmsb::State::meta_list)?))
    }

    /// Frees the page; see `State.free_page`. Views and arrays stay valid. Returns the LSN.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     page = state.create_page(2)
    /// ...     lsn = page.free(source="demo")
    /// ...     page in state
    /// False
    #[pyo3(signature = (*, source = "", intent = None))]
    fn free(&self, py: Python<'_>, source: &str, intent: Option<&str>) -> PyResult<u64> {
        let note = note(source, intent);
        let lsn = self.change(py, |state, id| state.free_page(id, note).map(Some))?;
        Ok(lsn.unwrap_or(0))
    }

    /// What the page is computed by: a formula, or "callback" and a name; `None` if it is not. Example: see
    /// `State.register`.
    #[getter]
    fn rule(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.ask(py, mmsb::State::rule)?.map(|rule| rule.to_string()))
    }

    /// Whether the page is what its rule makes of its parents: "fresh"; "stale" if a parent changed since
    /// it was computed, "behind" if a page further up is stale. Example: see `State.propagate`.
    #[getter]
    fn staleness(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(staleness_name(self.ask(py, mmsb::State::staleness)?))
    }

    /// Makes the page an ordinary one, with the content that it has. Its edges stay. Returns the LSN.
    /// Raises `NotDerived`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     a, b = state.create_page(1), state.create_page(1)
    /// ...     lsn = state.derive(b, [a], "u8: p0 + 7")
    /// ...     lsn = b.underive()
    /// ...     b.rule, b.read()
    /// (None, b'\x07')
    #[pyo3(signature = (*, source = "", intent = None))]
    fn underive(
        &self,
        py: Python<'_>,
        source: &str,
        intent: Option<&str>,
    ) -> PyResult<Option<u64>> {
        let note = note(source, intent);
        self.change(py, |state, id| state.underive(id, note))
    }

    /// Tells what made the content, which parents at which epochs, and what made those, back to what was
    /// written by hand. Of a stale page: what it was made of when it was computed. Cost: a few µs for each
    /// content in the answer. Example: see `Explanation`.
    fn explain(slf: &Bound<'_, Self>) -> PyResult<Explanation> {
        let page = slf.get();
        Ok(Explanation::of(page.state.bind(slf.py()), page.id()?)?)
    }

    /// All changes of the page that are kept, oldest first. Example: see `State.history`.
    fn history(slf: &Bound<'_, Self>) -> PyResult<Vec<Change>> {
        State::history(slf.get().state.bind(slf.py()), slf.as_any())
    }

    fn __eq__(&self, other: &Bound<'_, Page>) -> bool {
        self.id == other.get().id && self.state.is(&other.get().state)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.id.0, self.state.as_ptr() as usize).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        match self.ask(py, |state, id| Ok((state.page_size(id)?, state.epoch(id)?))) {
            Ok((size, epoch)) => {
                format!("<mmsb.Page {}, {size} bytes, epoch {epoch}>", self.id.0)
            }
            Err(error) => format!("<mmsb.Page {}: {}>", self.id.0, error.value(py)),
        }
    }
}

/// Refuses what does not lie inside a page of `whole` bytes.
pub fn check_range(id: PageId, whole: u64, offset: u64, size: u64) -> PyResult<()> {
    match offset.checked_add(size) {
        Some(end) if end <= whole => Ok(()),
        _ => {
            raise!(RangeOutOfBounds, "{size} bytes at offset {offset} of {id}, which has {whole}")
        }
    }
}
