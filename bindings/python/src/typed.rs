//! How many bytes a page needs that is to hold given content, or an array of given type and shape.

use crate::buffer::with_bytes;
use crate::errors::raise;
use mmsb::ErrorKind;
use pyo3::prelude::*;

/// What a caller says of a new page's content; all of it must agree.
pub struct Extent<'a, 'py> {
    pub size: Option<&'a Bound<'py, PyAny>>,
    pub data: Option<&'a Bound<'py, PyAny>>,
    pub dtype: Option<&'a Bound<'py, PyAny>>,
    pub shape: Option<&'a Bound<'py, PyAny>>,
}

impl Extent<'_, '_> {
    /// Calls `call` with the page's size and its first content.
    pub fn with<R>(&self, call: impl FnOnce(u64, Option<&[u8]>) -> PyResult<R>) -> PyResult<R> {
        match self.data {
            Some(data) => with_bytes(data, "data", |bytes| {
                self.check_dtype(data)?;
                call(self.bytes(Some(bytes.len() as u64))?, Some(bytes))
            }),
            None => call(self.bytes(None)?, None),
        }
    }

    /// The size, from whatever is given.
    fn bytes(&self, data: Option<u64>) -> PyResult<u64> {
        let item = self.item_bytes()?;
        let given = [
            ("size", self.size.map(crate::args::size).transpose()?),
            ("data", data),
            ("shape", self.shape.map(|shape| shape_bytes(shape, item)).transpose()?),
        ];
        let mut known = given.iter().filter_map(|&(what, bytes)| Some((what, bytes?)));
        let Some((what, bytes)) = known.next() else {
            raise!(InvalidArgument, "a page needs a size, data or a shape; none is given")
        };
        if let Some((other, n)) = known.find(|&(_, n)| n != bytes) {
            raise!(LengthMismatch, "{what} makes a page of {bytes} bytes, {other} one of {n}")
        }
        if !bytes.is_multiple_of(item) {
            raise!(LengthMismatch, "{what} makes a page of {bytes} bytes, elements have {item}")
        }
        Ok(bytes)
    }

    /// Bytes of an element.
    fn item_bytes(&self) -> PyResult<u64> {
        let Some(dtype) = self.dtype else { return Ok(1) };
        let dtype = numpy_dtype(dtype)?;
        let item: u64 = dtype.getattr("itemsize")?.extract()?;
        if item == 0 || dtype.getattr("hasobject")?.extract()? {
            raise!(InvalidArgument, "dtype {dtype} has no fixed bytes to store")
        }
        Ok(item)
    }

    /// Refuses data that says that it is of another type.
    fn check_dtype(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let (Some(want), Ok(have)) = (self.dtype, data.getattr("dtype")) else { return Ok(()) };
        let want = numpy_dtype(want)?;
        if !want.eq(&have)? {
            raise!(InvalidArgument, "data of dtype {have} for a page of dtype {want}")
        }
        Ok(())
    }
}

fn numpy_dtype<'py>(dtype: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    dtype.py().import("numpy")?.getattr("dtype")?.call1((dtype,))
}

/// Bytes of an array; `shape` is a number or a sequence of numbers.
fn shape_bytes(shape: &Bound<'_, PyAny>, item: u64) -> PyResult<u64> {
    let length = |n: &Bound<'_, PyAny>| {
        crate::args::unsigned(n, ErrorKind::SizeOutOfRange, "a length in shape")
    };
    let lengths = match shape.try_iter() {
        Ok(lengths) => lengths.map(|n| length(&n?)).collect::<PyResult<Vec<_>>>()?,
        Err(_) => vec![length(shape)?],
    };
    match lengths.iter().try_fold(item, |bytes, n| bytes.checked_mul(*n)) {
        Some(bytes) => Ok(bytes),
        None => raise!(SizeOutOfRange, "shape {shape} of {item} byte elements is no page's"),
    }
}
