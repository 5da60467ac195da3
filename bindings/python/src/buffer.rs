//! Bytes that callers pass in: any C-contiguous buffer, never copied on the way.
//!
//! The exporter keeps the bytes in place while they are borrowed. Other threads may change them
//! meanwhile, as with every call that lets the interpreter go on; the engine applies what it
//! recorded, so that a page and the log agree even then.

use crate::errors::{Failure, error, raise};
use mmsb::ErrorKind;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;

/// A filled `Py_buffer`. Exporters let it point into itself, hence it stays where it is.
struct Export<'a>(&'a mut MaybeUninit<ffi::Py_buffer>);

impl<'a> Export<'a> {
    fn of(
        object: &Bound<'_, PyAny>,
        place: &'a mut MaybeUninit<ffi::Py_buffer>,
        flags: c_int,
    ) -> PyResult<Export<'a>> {
        // SAFETY: the object is alive, the place is writable, the interpreter is locked.
        if unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), place.as_mut_ptr(), flags) } == 0 {
            return Ok(Export(place));
        }
        Err(PyErr::fetch(object.py()))
    }

    fn raw(&self) -> &ffi::Py_buffer {
        // SAFETY: `of` returns only what the exporter filled.
        unsafe { self.0.assume_init_ref() }
    }

    fn len(&self) -> usize {
        usize::try_from(self.raw().len).unwrap_or(0)
    }

    fn format(&self) -> &[u8] {
        let format = self.raw().format;
        if format.is_null() {
            return b"B";
        }
        // SAFETY: a format is a C string that lives as long as the export.
        unsafe { CStr::from_ptr(format) }.to_bytes()
    }

    fn bytes(&self) -> &[u8] {
        if self.len() == 0 {
            return &[];
        }
        // SAFETY: a C-contiguous export holds `len` bytes from `buf` on, as long as it lives.
        unsafe { std::slice::from_raw_parts(self.raw().buf.cast(), self.len()) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        if self.len() == 0 {
            return &mut [];
        }
        // SAFETY: as above; the export was asked to be writable.
        unsafe { std::slice::from_raw_parts_mut(self.raw().buf.cast(), self.len()) }
    }
}

impl Drop for Export<'_> {
    fn drop(&mut self) {
        // SAFETY: filled by the exporter and released once; the interpreter is locked, since
        // exports live inside the functions below.
        unsafe { ffi::PyBuffer_Release(self.0.as_mut_ptr()) }
    }
}

/// Calls `call` with the bytes of `object`.
///
/// - `what`: how messages call them.
///
/// # Errors
/// `InvalidArgument` for a buffer that is not C-contiguous or holds references to objects;
/// `TypeError` for what is no buffer.
#[inline]
pub fn with_bytes<R>(
    object: &Bound<'_, PyAny>,
    what: &str,
    call: impl FnOnce(&[u8]) -> PyResult<R>,
) -> PyResult<R> {
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return call(bytes.as_bytes());
    }
    let mut place = MaybeUninit::uninit();
    let flags = ffi::PyBUF_ND | ffi::PyBUF_FORMAT;
    let export = Export::of(object, &mut place, flags).map_err(|e| refused(object, what, e))?;
    check_format(object, what, &export)?;
    call(export.bytes())
}

/// Calls `call` with the writable bytes of `object`. Errors as of [`with_bytes`], and
/// `InvalidArgument` for a buffer that is read-only.
pub fn with_bytes_mut<R>(
    object: &Bound<'_, PyAny>,
    what: &str,
    call: impl FnOnce(&mut [u8]) -> PyResult<R>,
) -> PyResult<R> {
    let mut place = MaybeUninit::uninit();
    let flags = ffi::PyBUF_ND | ffi::PyBUF_FORMAT | ffi::PyBUF_WRITABLE;
    let mut export = Export::of(object, &mut place, flags).map_err(|e| refused(object, what, e))?;
    check_format(object, what, &export)?;
    call(export.bytes_mut())
}

/// New memory that nobody wrote to yet.
pub struct Blank<'a>(&'a mut [MaybeUninit<u8>]);

impl<'a> Blank<'a> {
    /// The memory, all zero. Touching it for the first time takes longer than a copy into it.
    pub fn zeroed(self) -> &'a mut [u8] {
        self.0.fill(MaybeUninit::zeroed());
        // SAFETY: initialised just now.
        unsafe { self.0.assume_init_mut() }
    }
}

/// New bytes, which `call` fills: it can do so with the interpreter unlocked.
pub fn new_bytes<'py>(
    py: Python<'py>,
    len: usize,
    call: impl FnOnce(Blank<'_>) -> Result<(), Failure>,
) -> PyResult<Bound<'py, PyBytes>> {
    // SAFETY: the interpreter is locked; the result is checked, and is bytes.
    let bytes = unsafe {
        let new = ffi::PyBytes_FromStringAndSize(std::ptr::null(), len as ffi::Py_ssize_t);
        Bound::from_owned_ptr_or_err(py, new)?.cast_into_unchecked::<PyBytes>()
    };
    // SAFETY: the object holds `len` bytes that nobody else knows of, and outlives the call.
    let blank = unsafe {
        let start = ffi::PyBytes_AsString(bytes.as_ptr()).cast();
        std::slice::from_raw_parts_mut(start, len)
    };
    call(Blank(blank))?;
    Ok(bytes)
}

#[inline]
fn check_format(object: &Bound<'_, PyAny>, what: &str, export: &Export<'_>) -> PyResult<()> {
    if !holds_objects(export.format()) {
        return Ok(());
    }
    let (name, format) = (class_name(object), String::from_utf8_lossy(export.format()));
    raise!(
        InvalidArgument,
        "{what}, {name}, holds Python objects (format {format:?}), which have no bytes to store"
    )
}

/// Whether a format has an element that is a reference. Names of fields stand between colons.
fn holds_objects(format: &[u8]) -> bool {
    let mut in_name = false;
    format.iter().any(|&c| {
        in_name ^= c == b':';
        c == b'O' && !in_name
    })
}

/// The engine's error for an object that would not export its bytes.
#[cold]
fn refused(object: &Bound<'_, PyAny>, what: &str, cause: PyErr) -> PyErr {
    let (py, name) = (object.py(), class_name(object));
    if cause.is_instance_of::<PyTypeError>(py) {
        return PyTypeError::new_err(format!(
            "{what} must be an object with the buffer protocol, not {name}"
        ));
    }
    let (shape, cause_says) = (layout(object).unwrap_or_default(), cause.value(py).to_string());
    let hint = match cause_says.contains("contiguous") {
        true => "; make it contiguous first, with numpy.ascontiguousarray for one",
        false => "",
    };
    let cause_says = cause_says.trim_end_matches('.');
    let message = format!("{what}, {name}{shape}, cannot be used in place: {cause_says}{hint}");
    let error = error(ErrorKind::InvalidArgument, message);
    error.set_cause(py, Some(cause));
    error
}

/// The name of an object's class, for messages.
pub fn class_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string())
}

/// Shape and strides, where the object tells them.
fn layout(object: &Bound<'_, PyAny>) -> Option<String> {
    let (shape, strides) = (object.getattr("shape").ok()?, object.getattr("strides").ok()?);
    Some(format!(" of shape {shape} and strides {strides}"))
}
