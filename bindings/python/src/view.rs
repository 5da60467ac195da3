//! `View`: a page's content without a copy, as a Python buffer.

use crate::errors::error;
use mmsb::{Epoch, ErrorKind, Lsn, PageId};
use parking_lot::Mutex;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::{c_int, c_void};
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A page's content as it was when the view was made, without a copy.
///
/// A read-only buffer: `memoryview(view)`, `bytes(view)`, `numpy.frombuffer(view, dtype)`. Stays
/// valid and unchanged while writers go on, and after the state is closed. As a context manager,
/// or by `release`, it gives the memory back early.
///
/// `numpy.ndarray(buffer=view)` does not hold on to the view as the three above do; use
/// `Page.array`, or keep the view.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     view = state.create_page(data=b"abc").view()
/// >>> memoryview(view)[1:].tobytes(), len(view), view.epoch
/// (b'bc', 3, 1)
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct View {
    /// Taken out by `release`.
    view: Mutex<Option<Shown>>,
    /// Buffers that point into it; counted with the place locked.
    exports: AtomicUsize,
}

/// Content of a page of a state, or of one of an allocator.
enum Shown {
    State(mmsb::View),
    Scratch(PageId, mmsb::ScratchView),
}

impl Shown {
    fn page(&self) -> PageId {
        match self {
            Shown::State(view) => view.page(),
            Shown::Scratch(page, _) => *page,
        }
    }

    fn epoch(&self) -> Epoch {
        match self {
            Shown::State(view) => view.epoch(),
            Shown::Scratch(_, view) => view.epoch(),
        }
    }

    fn lsn(&self) -> Lsn {
        match self {
            Shown::State(view) => view.lsn(),
            Shown::Scratch(..) => Lsn::ZERO,
        }
    }
}

impl Deref for Shown {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Shown::State(view) => view,
            Shown::Scratch(_, view) => view,
        }
    }
}

impl View {
    /// What a page of a state shows.
    pub fn new(view: mmsb::View) -> View {
        View::of(Shown::State(view))
    }

    /// What the page `id` of an allocator shows.
    pub fn of_scratch(id: PageId, view: mmsb::ScratchView) -> View {
        View::of(Shown::Scratch(id, view))
    }

    fn of(shown: Shown) -> View {
        View { view: Mutex::new(Some(shown)), exports: AtomicUsize::new(0) }
    }

    /// Makes a buffer over a view of its own, which lives as long as the buffer.
    ///
    /// # Safety
    /// `place` is valid for writes.
    pub unsafe fn lend(
        py: Python<'_>,
        view: PyResult<View>,
        place: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        // SAFETY: the caller's promise; nothing is what a refusal leaves there.
        unsafe { (*place).obj = std::ptr::null_mut() };
        let view = Bound::new(py, view?)?;
        // SAFETY: as above.
        unsafe { View::__getbuffer__(&view, place, flags) }
    }

    fn ask<R>(&self, ask: impl FnOnce(&Shown) -> R) -> PyResult<R> {
        match &*self.view.lock() {
            Some(view) => Ok(ask(view)),
            None => Err(released()),
        }
    }
}

#[cold]
fn released() -> PyErr {
    error(ErrorKind::Closed, "the view is released")
}

#[pymethods]
impl View {
    /// The page's id.
    #[getter]
    fn page(&self) -> PyResult<u64> {
        self.ask(|view| view.page().0)
    }

    /// Epoch of the content.
    #[getter]
    fn epoch(&self) -> PyResult<u64> {
        self.ask(Shown::epoch)
    }

    /// LSN of the record that made the content; 0 for a page of an allocator.
    #[getter]
    fn lsn(&self) -> PyResult<u64> {
        self.ask(|view| view.lsn().0)
    }

    /// Bytes of content.
    #[getter]
    fn nbytes(&self) -> PyResult<usize> {
        self.ask(|view| view.len())
    }

    fn __len__(&self) -> PyResult<usize> {
        self.nbytes()
    }

    /// Whether the view was released.
    #[getter]
    fn released(&self) -> bool {
        self.view.lock().is_none()
    }

    /// Gives the memory back. Nothing if that was done.
    ///
    /// Raises `BufferError` while a memoryview or array still shows it.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     view = state.create_page(data=b"abc").view()
    /// ...     view.release()
    /// ...     view.released
    /// True
    fn release(&self) -> PyResult<()> {
        let mut place = self.view.lock();
        let exports = self.exports.load(Ordering::Relaxed);
        if exports > 0 {
            return Err(PyBufferError::new_err(format!("{exports} buffers still show the view")));
        }
        let view = place.take();
        drop(place);
        drop(view);
        Ok(())
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        slf.get().ask(|_| ())?;
        Ok(slf.clone().unbind())
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, _exc: &Bound<'_, PyAny>) -> PyResult<()> {
        self.release()
    }

    /// # Safety
    /// Called by the interpreter alone, with a place to fill.
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        place: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let this = slf.get();
        let view = this.view.lock();
        let Some(bytes) = view.as_deref() else {
            // SAFETY: the place is the interpreter's; nothing is what a refusal leaves in it.
            unsafe { (*place).obj = std::ptr::null_mut() };
            return Err(released());
        };
        // The bytes stay as they are as long as the view, and `release` leaves the view alone
        // while exports are counted.
        let start = bytes.as_ptr().cast::<c_void>().cast_mut();
        let len = bytes.len() as ffi::Py_ssize_t;
        // SAFETY: the place is the interpreter's; the export is read-only and holds `slf`.
        let filled = unsafe { ffi::PyBuffer_FillInfo(place, slf.as_ptr(), start, len, 1, flags) };
        if filled != 0 {
            return Err(PyErr::fetch(slf.py()));
        }
        this.exports.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// # Safety
    /// Called by the interpreter alone, once per export.
    unsafe fn __releasebuffer__(&self, _place: *mut ffi::Py_buffer) {
        self.exports.fetch_sub(1, Ordering::Relaxed);
    }

    fn __repr__(&self) -> String {
        let shown = |view: &Shown| {
            format!("<mmsb.View of {}, {} bytes, epoch {}>", view.page(), view.len(), view.epoch())
        };
        self.ask(shown).unwrap_or_else(|_| "<mmsb.View released>".to_owned())
    }
}
