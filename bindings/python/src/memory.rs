//! The heap under all states and allocators of the process.

use crate::args::unsigned;
use crate::errors::Failure;
use mmsb::ErrorKind;
use mmsb::memory::{self, Retention};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::time::Duration;

/// The object that a JSON text describes.
pub fn parsed<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyDict>> {
    Ok(py.import("json")?.call_method1("loads", (json,))?.cast_into()?)
}

/// A number that fits this machine's addresses, or the largest that does.
fn fitting(number: &Bound<'_, PyAny>, kind: ErrorKind, what: &str) -> PyResult<usize> {
    Ok(usize::try_from(unsigned(number, kind, what)?).unwrap_or(usize::MAX))
}

/// An alignment.
pub fn align(number: &Bound<'_, PyAny>) -> PyResult<usize> {
    fitting(number, ErrorKind::InvalidArgument, "an alignment")
}

/// Where blocks are aligned to if nobody says.
pub const DEFAULT_ALIGN: usize = 16;

/// A size of a block.
pub fn block_size(size: &Bound<'_, PyAny>) -> PyResult<usize> {
    fitting(size, ErrorKind::SizeOutOfRange, "a size")
}

/// How many blocks or pages.
pub fn how_many(number: &Bound<'_, PyAny>) -> PyResult<usize> {
    fitting(number, ErrorKind::InvalidArgument, "a count")
}

/// What the memory of all states and allocators of the process takes, by name; bytes unless said.
///
/// - `reserved`: addresses; `committed`: slabs that are used or kept; `limit`: most that may be.
/// - `in_use`: blocks that somebody has; `cached`: free ones that threads keep; `retained`: slabs
///   that are kept though nothing stands in them.
/// - `slabs`: slabs of 2 MiB of size classes, a count; `spans`: blocks above 1 MiB, a count.
/// - `remote_frees`: blocks that were freed by a thread that did not hold their slab.
/// - `kernel_calls`, `mappings`: calls of the operating system so far, what it keeps for the heap.
/// - `fragmentation`: the part of the slabs in use that nobody has, 0 to 1.
/// - `classes`: for each size class with slabs the `bytes` of a block, its `slabs`, and how many
///   blocks are `in_use`, `cached` and `free`.
///
/// Counted while others allocate, figures differ by what was on its way. Cost: some microseconds
/// per hundred slabs, and parsing.
///
/// >>> import mmsb
/// >>> with mmsb.Allocator() as scratch:
/// ...     block = scratch.alloc_block(100_000)
/// ...     mmsb.memory_stats()["in_use"] >= 100_000
/// True
#[pyfunction]
pub fn memory_stats(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    parsed(py, &py.detach(|| memory::stats().to_json().to_string()))
}

/// `memory_stats` as a table, a row for each size class.
///
/// >>> import mmsb
/// >>> "committed" in mmsb.memory_report()
/// True
#[pyfunction]
pub fn memory_report(py: Python<'_>) -> String {
    py.detach(|| memory::stats().to_string())
}

/// Makes `count` free blocks for `size` bytes, 1 to 1,048,576, at multiples of `align` ready, so
/// that allocations to come ask the operating system for nothing. Pages are aligned to 64:
/// `Allocator.prewarm` does it for them.
///
/// Raises `SizeOutOfRange`, `InvalidArgument` for the alignment, `OutOfMemory` beyond a limit: what
/// could be made ready before stays.
///
/// >>> import mmsb
/// >>> mmsb.memory_prewarm(4096, 100)
#[pyfunction]
#[pyo3(signature = (size, count, *, align = None))]
pub fn memory_prewarm(
    py: Python<'_>,
    size: &Bound<'_, PyAny>,
    count: &Bound<'_, PyAny>,
    align: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let (size, count) = (block_size(size)?, how_many(count)?);
    let align = align.map_or(Ok(DEFAULT_ALIGN), self::align)?;
    py.detach(|| memory::prewarm(size, align, count)).map_err(|error| Failure::from(error).into())
}

/// Gives what the calling thread keeps, and all memory that nothing stands in, back to the
/// operating system. Returns the bytes that went.
///
/// >>> import mmsb
/// >>> purged = mmsb.memory_purge()
/// >>> mmsb.memory_stats()["retained"]
/// 0
#[pyfunction]
pub fn memory_purge(py: Python<'_>) -> u64 {
    py.detach(memory::purge)
}

/// Limits `committed` of `memory_stats` to `size` bytes, rounded up to 2 MiB; 0 for no limit but the reserved
/// addresses. What is in use beyond it stays; what would take more raises `OutOfMemory` and changes
/// nothing. A single state is limited by its setting `memory_bytes_max`.
///
/// >>> import mmsb
/// >>> mmsb.memory_limit(mmsb.memory_stats()["committed"] + (1 << 20))
/// >>> with mmsb.Allocator() as scratch:
/// ...     scratch.alloc_block(1 << 28)
/// Traceback (most recent call last):
/// mmsb.OutOfMemory: 268435456 bytes asked for ...
/// >>> mmsb.memory_limit(0)
#[pyfunction]
pub fn memory_limit(py: Python<'_>, size: &Bound<'_, PyAny>) -> PyResult<()> {
    let bytes = unsigned(size, ErrorKind::SizeOutOfRange, "a limit")?;
    py.detach(|| memory::set_limit(bytes));
    Ok(())
}

/// Says how many bytes (`size`) of slabs that come back are kept for reuse, and for how many milliseconds:
/// 256 MiB and 10 seconds unless given.
///
/// >>> import mmsb
/// >>> mmsb.memory_retention(64 << 20)
/// >>> mmsb.memory_retention()
#[pyfunction]
#[pyo3(signature = (size = None, *, age_ms = None))]
pub fn memory_retention(
    py: Python<'_>,
    size: Option<&Bound<'_, PyAny>>,
    age_ms: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let mut retention = Retention::default();
    if let Some(size) = size {
        retention.bytes = unsigned(size, ErrorKind::SizeOutOfRange, "bytes to keep")?;
    }
    if let Some(age_ms) = age_ms {
        let age_ms = unsigned(age_ms, ErrorKind::InvalidArgument, "age_ms")?;
        retention.age = Duration::from_millis(age_ms);
    }
    py.detach(|| memory::set_retention(retention));
    Ok(())
}

/// Asks the operating system for huge pages under the heap, or for none, as it is at first: fewer
/// misses of the address cache in states of gigabytes, more time and memory for the first touch.
///
/// >>> import mmsb
/// >>> mmsb.memory_huge_pages(True)
/// >>> mmsb.memory_huge_pages(False)
#[pyfunction]
pub fn memory_huge_pages(py: Python<'_>, huge: bool) {
    py.detach(|| memory::set_huge_pages(huge));
}

/// Adds the functions of this file to the module.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(memory_stats, module)?)?;
    module.add_function(wrap_pyfunction!(memory_report, module)?)?;
    module.add_function(wrap_pyfunction!(memory_prewarm, module)?)?;
    module.add_function(wrap_pyfunction!(memory_purge, module)?)?;
    module.add_function(wrap_pyfunction!(memory_limit, module)?)?;
    module.add_function(wrap_pyfunction!(memory_retention, module)?)?;
    module.add_function(wrap_pyfunction!(memory_huge_pages, module)?)
}
