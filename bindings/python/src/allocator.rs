//! `Allocator` and `ScratchPage`: pages without a log.

use crate::args::{self, DETACH_BYTES, Home};
use crate::block::{Block, BlockSet};
use crate::buffer::{new_bytes, with_bytes, with_bytes_mut};
use crate::delta::Delta;
use crate::errors::Failure;
use crate::memory::{DEFAULT_ALIGN, align, block_size, how_many};
use crate::page::{check_range, numpy_array};
use crate::records::{MetaPairs, meta_pairs};
use crate::shared::{Closable, Shared};
use crate::typed::Extent;
use crate::view::View;
use mmsb::PageId;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList};
use std::ffi::c_int;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

impl Closable for mmsb::Allocator {
    const NAME: &'static str = "allocator";

    fn has_files(&self) -> bool {
        false
    }

    /// Scratch pages promise nothing that could be in doubt.
    fn poison(&self, _reason: &str) {}

    fn shut(self) -> mmsb::Result<()> {
        drop(self);
        Ok(())
    }
}

/// Pages by themselves, without a log: scratch data in the same shape as a state's.
///
/// Nothing is recorded and nothing survives: no LSNs, no past, no snapshots, no sources and
/// intents. Its pages are `ScratchPage`s, with the ids, limits, views and errors of a state's.
///
/// A container of pages: `len`, `in`, iteration and `allocator[page_id]` work. May be used from any
/// thread. Closing frees all pages and blocks; views and arrays stay valid. Closing twice is
/// allowed, everything else on a closed allocator raises `Closed`.
///
/// >>> import mmsb
/// >>> with mmsb.Allocator() as scratch:
/// ...     page = scratch.allocate(4)
/// ...     page.write(1, b"ab"), page.write(1, b"ab"), page.read()
/// (True, False, b'\x00ab\x00')
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Allocator {
    shared: Shared<mmsb::Allocator>,
    blocks: Arc<BlockSet>,
    home: Home,
}

impl Allocator {
    /// The id of a page that is given as one of this allocator's, or by its number.
    fn id(slf: &Bound<'_, Self>, page: &Bound<'_, PyAny>) -> PyResult<PageId> {
        args::page_at(slf.get().home, page)
    }

    fn page(slf: &Bound<'_, Self>, id: PageId, size: u64) -> ScratchPage {
        ScratchPage { owner: slf.clone().unbind(), id, size }
    }
}

/// A new page with this content.
fn allocate(
    pages: &mmsb::Allocator,
    size: u64,
    place: mmsb::Location,
    data: Option<&[u8]>,
) -> mmsb::Result<PageId> {
    let id = pages.allocate(size, place)?;
    if let Some(data) = data
        && let Err(error) = pages.update(id, data)
    {
        pages.release(id)?;
        return Err(error);
    }
    Ok(id)
}

#[pymethods]
impl Allocator {
    #[new]
    fn new() -> Allocator {
        let shared = Shared::new(mmsb::Allocator::new());
        Allocator { shared, blocks: Arc::default(), home: Home::allocator() }
    }

    /// Allocates a page. Give its size, its content, or its shape and type.
    ///
    /// - `size`, `data`, `dtype`, `shape`, `location`: as of `State.create_page`.
    ///
    /// Raises `InvalidArgument`, `SizeOutOfRange`, `LengthMismatch` where the arguments disagree,
    /// `OutOfMemory`. Cost: O(size).
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     scratch.allocate(16).size, scratch.allocate(data=b"abc").size
    /// (16, 3)
    #[pyo3(signature = (size = None, data = None, *, dtype = None, shape = None, location = "cpu"))]
    fn allocate(
        slf: &Bound<'_, Self>,
        size: Option<&Bound<'_, PyAny>>,
        data: Option<&Bound<'_, PyAny>>,
        dtype: Option<&Bound<'_, PyAny>>,
        shape: Option<&Bound<'_, PyAny>>,
        location: &str,
    ) -> PyResult<ScratchPage> {
        let place = args::location(location)?;
        Extent { size, data, dtype, shape }.with(|size, data| {
            let detach = size >= DETACH_BYTES as u64;
            let shared = &slf.get().shared;
            let id = shared.call(slf.py(), detach, |pages| allocate(pages, size, place, data))?;
            Ok(Allocator::page(slf, id, size))
        })
    }

    /// Frees a page. Its id is never used again; views and arrays of it stay valid.
    ///
    /// Raises `PageNotFound`, `PageFreed`, `InvalidArgument` for a page of another owner.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(1)
    /// ...     scratch.release(page)
    /// ...     page in scratch
    /// False
    fn release(slf: &Bound<'_, Self>, page: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = Allocator::id(slf, page)?;
        Ok(slf.get().shared.long(slf.py(), |pages| Ok(pages.release(id)?))?)
    }

    /// Frees all pages, whose ids are not used again, and all blocks.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     first = scratch.allocate(1)
    /// ...     scratch.clear()
    /// ...     len(scratch), scratch.allocate(1).id
    /// (0, 2)
    fn clear(&self, py: Python<'_>) -> Result<(), Failure> {
        self.shared.long(py, |pages| {
            self.blocks.clear();
            Ok(pages.clear()?)
        })
    }

    /// Applies a delta to the page that it names. Returns whether anything changed.
    ///
    /// Raises `PageNotFound`, `PageFreed`, `LengthMismatch`, `RangeOutOfBounds`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(4)
    /// ...     scratch.apply(mmsb.Delta.from_runs(page, [(1, b"ab")])), page.read()
    /// (True, b'\x00ab\x00')
    fn apply(&self, py: Python<'_>, delta: &Bound<'_, Delta>) -> Result<bool, Failure> {
        let delta = delta.get().at(self.home)?;
        self.shared.long(py, |pages| Ok(pages.apply(delta)?))
    }

    /// All pages, ascending by id. Cost: O(ids ever given out).
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(4)
    /// ...     scratch.pages() == [page]
    /// True
    fn pages<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let found = slf.get().shared.long(slf.py(), |pages| {
            // Another thread may free one between the two calls.
            let sized = |id| Some((id, pages.page_size(id).ok()?));
            Ok(pages.list_pages()?.into_iter().filter_map(sized).collect::<Vec<_>>())
        })?;
        PyList::new(slf.py(), found.into_iter().map(|(id, size)| Allocator::page(slf, id, size)))
    }

    /// How many pages there are.
    #[getter]
    fn page_count(&self, py: Python<'_>) -> Result<u64, Failure> {
        self.shared.short(py, |pages| Ok(pages.page_count()))
    }

    fn __len__(&self, py: Python<'_>) -> Result<usize, Failure> {
        self.shared.short(py, |pages| Ok(pages.page_count() as usize))
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyIterator>> {
        Allocator::pages(slf)?.try_iter()
    }

    fn __contains__(slf: &Bound<'_, Self>, page: &Bound<'_, PyAny>) -> PyResult<bool> {
        slf.get().shared.check_open()?;
        let Ok(id) = Allocator::id(slf, page) else { return Ok(false) };
        Ok(slf.get().shared.long(slf.py(), |pages| Ok(pages.page_size(id).is_ok()))?)
    }

    fn __getitem__(slf: &Bound<'_, Self>, page_id: &Bound<'_, PyAny>) -> PyResult<ScratchPage> {
        let id = Allocator::id(slf, page_id)?;
        let size = slf.get().shared.long(slf.py(), |pages| Ok(pages.page_size(id)?))?;
        Ok(Allocator::page(slf, id, size))
    }

    /// Makes memory for `count` more pages of `size` bytes, 1 to 1,048,576, ready before they are
    /// allocated.
    ///
    /// Raises `SizeOutOfRange`, `OutOfMemory` beyond a limit: what could be made ready before stays.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     scratch.prewarm(1024, 100)
    /// ...     page = scratch.allocate(1024)
    fn prewarm(
        &self,
        py: Python<'_>,
        size: &Bound<'_, PyAny>,
        count: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (size, count) = (args::size(size)?, how_many(count)?);
        Ok(self.shared.long(py, |pages| Ok(pages.prewarm(size, count)?))?)
    }

    /// What pages and blocks take, by name: `pages`, `page_bytes`, `frame_bytes` (memory of pages,
    /// and of what views still show of old ones), `blocks`, `block_bytes`. `memory_stats` tells it of
    /// the whole process.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page, block = scratch.allocate(10), scratch.alloc_block(1000)
    /// ...     scratch.stats()["page_bytes"], scratch.stats()["block_bytes"]
    /// (10, 1000)
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (stats, (blocks, block_bytes)) =
            self.shared.short(py, |pages| Ok((pages.stats(), self.blocks.counts())))?;
        let by_name = PyDict::new(py);
        by_name.set_item("pages", stats.pages)?;
        by_name.set_item("page_bytes", stats.page_bytes)?;
        by_name.set_item("frame_bytes", stats.frame_bytes)?;
        by_name.set_item("blocks", blocks)?;
        by_name.set_item("block_bytes", block_bytes)?;
        Ok(by_name)
    }

    /// Allocates plain memory: `size` bytes, 1 to 2^40, at a multiple of `align`, a power of two up
    /// to 4,096; all zero, or with any content if not `zeroed`.
    ///
    /// Raises `SizeOutOfRange`, `InvalidArgument` for the alignment, `OutOfMemory`. Cost: below a
    /// microsecond, and zeroing.
    ///
    /// >>> import mmsb, numpy as np
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     block = scratch.alloc_block(800, align=64)
    /// ...     numbers = np.frombuffer(block, np.float64)
    /// ...     numbers += 1.5
    /// ...     numbers.sum().item(), memoryview(block).cast("d")[99]
    /// (150.0, 1.5)
    #[pyo3(signature = (size, *, align = None, zeroed = true))]
    fn alloc_block(
        slf: &Bound<'_, Self>,
        size: &Bound<'_, PyAny>,
        align: Option<&Bound<'_, PyAny>>,
        zeroed: bool,
    ) -> PyResult<Block> {
        let (py, this) = (slf.py(), slf.get());
        let size = block_size(size)?;
        let align = align.map_or(Ok(DEFAULT_ALIGN), self::align)?;
        let alloc = |_: &mmsb::Allocator| this.blocks.alloc(size, align, zeroed);
        let id = this.shared.call(py, size >= DETACH_BYTES, alloc)?;
        Ok(Block::new(slf.clone().unbind(), this.blocks.clone(), id, size))
    }

    /// Frees all pages and blocks and ends the allocator, after the calls of other threads. Nothing
    /// if it is closed. Memory of blocks that something still shows goes with the last of that.
    ///
    /// >>> import mmsb
    /// >>> scratch = mmsb.Allocator()
    /// >>> scratch.close()
    /// >>> scratch.closed
    /// True
    fn close(&self, py: Python<'_>) -> Result<(), Failure> {
        self.shared.close(py)?;
        py.detach(|| self.blocks.clear());
        Ok(())
    }

    /// Whether the allocator is closed.
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
        match self.shared.short(py, |pages| Ok(pages.page_count())) {
            Ok(pages) => format!("<mmsb.Allocator, {pages} pages>"),
            Err(_) => "<mmsb.Allocator closed>".to_owned(),
        }
    }
}

/// A page of an `Allocator`: as a `Page`, but nothing of it is recorded.
///
/// Made by `Allocator.allocate` and `allocator[page_id]`. Two are equal if they name the same page
/// of the same allocator. All methods can raise `Closed` and `PageFreed`; those that change
/// something `OutOfMemory`. On error nothing changed.
///
/// >>> import mmsb
/// >>> with mmsb.Allocator() as scratch:
/// ...     page = scratch.allocate(dtype="<i4", shape=3)
/// ...     with page.view() as view:
/// ...         changed = page.write(4, (7).to_bytes(4, "little"))
/// ...         bytes(view) == bytes(12), page.array("<i4").tolist(), page.epoch
/// (True, [0, 7, 0], 1)
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct ScratchPage {
    owner: Py<Allocator>,
    id: PageId,
    /// Never changes in a page's life.
    size: u64,
}

impl ScratchPage {
    /// The page's id.
    pub fn id(&self) -> PageId {
        self.id
    }

    /// The allocator that it is one of.
    #[inline]
    pub fn home(&self) -> Home {
        self.owner.get().home
    }

    /// Calls `call` on the page; other threads run meanwhile if the page is large.
    fn call<R: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mmsb::Allocator, PageId) -> mmsb::Result<R> + Send,
    ) -> PyResult<R> {
        let (id, detach) = (self.id, self.size >= DETACH_BYTES as u64);
        Ok(self.owner.get().shared.call(py, detach, |pages| call(pages, id))?)
    }
}

#[pymethods]
impl ScratchPage {
    /// The page's id: from 1 on, never used twice in an allocator's life.
    #[getter(id)]
    fn get_id(&self) -> u64 {
        self.id.0
    }

    /// The allocator that the page is part of.
    #[getter]
    fn allocator(&self, py: Python<'_>) -> Py<Allocator> {
        self.owner.clone_ref(py)
    }

    /// Bytes of content.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        // Not the remembered one: the page may be freed.
        self.call(py, mmsb::Allocator::page_size)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.size(py)? as usize)
    }

    /// How often the content has changed.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        self.call(py, mmsb::Allocator::epoch)
    }

    /// Where the page should live: "cpu", "gpu" or "unified".
    #[getter]
    fn location(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(args::location_name(self.call(py, mmsb::Allocator::location)?))
    }

    /// Makes `data`, exactly the page's size, its content. Returns whether that changed anything.
    ///
    /// Raises `LengthMismatch`, and `InvalidArgument` for a buffer that is not C-contiguous.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(4)
    /// ...     page.update(b"abcd"), page.update(b"abcd")
    /// (True, False)
    fn update(&self, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        with_bytes(data, "data", |bytes| self.call(data.py(), |pages, id| pages.update(id, bytes)))
    }

    /// Writes `data` at `offset`, bytes from the page's start. Returns whether that changed
    /// anything.
    ///
    /// Raises `RangeOutOfBounds` for what ends after the page.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(4)
    /// ...     page.write(1, b"ab"), page.read()
    /// (True, b'\x00ab\x00')
    fn write(&self, offset: &Bound<'_, PyAny>, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        let offset = args::offset(offset)?;
        with_bytes(data, "data", |bytes| {
            self.call(data.py(), |pages, id| pages.write(id, offset, bytes))
        })
    }

    /// Writes the bytes of `data` where `mask` is not zero; both are as long as the page. Returns
    /// whether that changed anything.
    ///
    /// Raises `LengthMismatch`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(data=b"abcd")
    /// ...     page.write_masked(b"\0\1\0\1", b"ABCD"), page.read()
    /// (True, b'aBcD')
    fn write_masked(&self, mask: &Bound<'_, PyAny>, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        with_bytes(mask, "mask", |mask| {
            with_bytes(data, "data", |bytes| {
                self.call(data.py(), |pages, id| pages.write_masked(id, mask, bytes))
            })
        })
    }

    /// Copies `size` bytes from `offset` on; all that follow without a size.
    ///
    /// Raises `RangeOutOfBounds`. Cost: the copy.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(data=b"abcd")
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
        let size = size.map_or(Ok(self.size.saturating_sub(offset)), args::size)?;
        check_range(self.id, self.size, offset, size)?;
        let (id, detach) = (self.id, size >= DETACH_BYTES as u64);
        new_bytes(py, size as usize, |blank| {
            let owner = &self.owner.get().shared;
            owner.call(py, detach, |pages| pages.read(id, offset, blank.zeroed()))
        })
    }

    /// Copies bytes from `offset` on into `buffer`, as many as it holds.
    ///
    /// - `buffer`: writable and C-contiguous, else `InvalidArgument`.
    ///
    /// Raises `RangeOutOfBounds`; then the buffer is unchanged.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page, buffer = scratch.allocate(data=b"abcd"), bytearray(2)
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
        with_bytes_mut(buffer, "buffer", |bytes| {
            self.call(buffer.py(), |pages, id| pages.read(id, offset, bytes))
        })
    }

    /// A view of the whole content as it is now, without a copy; as `Page.view`. It stays valid
    /// and unchanged when the page is written or freed and the allocator closed.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(data=b"old")
    /// ...     with page.view() as view:
    /// ...         changed = page.update(b"new")
    /// ...         bytes(view), page.read()
    /// (b'old', b'new')
    fn view(&self, py: Python<'_>) -> PyResult<View> {
        Ok(View::of_scratch(self.id, self.call(py, mmsb::Allocator::view)?))
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

    /// The content as a read-only NumPy array, without a copy; as `Page.array`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(dtype="<i4", shape=(2, 3))
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

    /// Sets a metadata key; limits as of `Page.set_meta`.
    ///
    /// Raises `TooLong`, `TooLarge`, `InvalidArgument`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(2)
    /// ...     page.set_meta("unit", b"K")
    /// ...     page.get_meta("unit")
    /// b'K'
    fn set_meta(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let key = args::meta_key(key)?;
        with_bytes(value, "a metadata value", |bytes| {
            self.call(value.py(), |pages, id| pages.set_meta(id, &key, Some(bytes)))
        })
    }

    /// Takes a metadata key away. Raises `KeyNotFound`.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(2)
    /// ...     page.set_meta("unit", b"K")
    /// ...     page.remove_meta("unit")
    /// ...     page.list_meta()
    /// []
    fn remove_meta(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let name = args::meta_key(key)?;
        self.call(key.py(), |pages, id| pages.set_meta(id, &name, None))
    }

    /// The value of a metadata key. Raises `KeyNotFound`. Example: see `set_meta`.
    fn get_meta<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let name = args::meta_key(key)?;
        let value = self.call(key.py(), |pages, id| pages.meta(id, &name))?;
        Ok(PyBytes::new(key.py(), &value))
    }

    /// All metadata as pairs of bytes, ascending by key. Example: see `remove_meta`.
    fn list_meta<'py>(&self, py: Python<'py>) -> PyResult<MetaPairs<'py>> {
        Ok(meta_pairs(py, &self.call(py, mmsb::Allocator::meta_list)?))
    }

    /// Frees the page; see `Allocator.release`. Views and arrays stay valid.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     page = scratch.allocate(2)
    /// ...     page.free()
    /// ...     page in scratch
    /// False
    fn free(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, mmsb::Allocator::release)
    }

    fn __eq__(&self, other: &Bound<'_, ScratchPage>) -> bool {
        self.id == other.get().id && self.owner.is(&other.get().owner)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.id.0, self.owner.as_ptr() as usize).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        match self.call(py, mmsb::Allocator::epoch) {
            Ok(epoch) => {
                format!("<mmsb.ScratchPage {}, {} bytes, epoch {epoch}>", self.id.0, self.size)
            }
            Err(error) => format!("<mmsb.ScratchPage {}: {}>", self.id.0, error.value(py)),
        }
    }
}
