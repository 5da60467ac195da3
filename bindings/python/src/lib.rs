//! The Python module of MMSB: translates, never decides.
//!
//! ```text
//!   state  page  batch  snapshot  tlog     one file per Python class
//!   events  view  delta  changes  records  revert  allocator  block  memory  derive
//!      |
//!   args  buffer  typed                    what comes in
//!   errors  shared                         what goes wrong, who may use what until when
//! ```
//!
//! The interpreter is unlocked around whatever may block or take long; see [`shared`]. Python code
//! stands in `python/mmsb`: the mapping of metadata, the arrays of NumPy,
//! and what asyncio asks for.

mod allocator;
mod args;
mod batch;
mod block;
mod buffer;
mod changes;
mod delta;
mod derive;
mod errors;
mod events;
mod executor;
mod graph;
mod memory;
mod page;
mod records;
mod revert;
mod shared;
mod snapshot;
mod state;
mod tlog;
mod transaction;
mod typed;
mod view;

use mmsb::limits;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The compiled part of `mmsb`.
#[pymodule(gil_used = true)]
fn _mmsb(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<state::State>()?;
    module.add_class::<page::Page>()?;
    module.add_class::<batch::Batch>()?;
    module.add_class::<graph::Graph>()?;
    module.add_class::<derive::Explanation>()?;
    module.add_class::<derive::Origin>()?;
    module.add_class::<derive::Semiring>()?;
    module.add_class::<events::Subscription>()?;
    module.add_class::<events::Event>()?;
    module.add_class::<transaction::Transaction>()?;
    module.add_class::<transaction::Savepoint>()?;
    module.add_class::<transaction::Partition>()?;
    module.add_class::<executor::Program>()?;
    module.add_class::<executor::Executor>()?;
    module.add_class::<executor::Tickets>()?;
    module.add_class::<snapshot::Snapshot>()?;
    module.add_class::<revert::SoftCheckpoint>()?;
    module.add_class::<revert::Difference>()?;
    module.add_class::<view::View>()?;
    module.add_class::<delta::Delta>()?;
    module.add_class::<changes::Change>()?;
    module.add_class::<changes::Changes>()?;
    module.add_class::<tlog::TLog>()?;
    module.add_class::<allocator::Allocator>()?;
    module.add_class::<allocator::ScratchPage>()?;
    module.add_class::<records::PageAt>()?;
    module.add_class::<records::Checkpoint>()?;
    module.add_class::<records::Verified>()?;
    module.add_class::<records::Recovered>()?;
    module.add_class::<records::Summary>()?;
    module.add_class::<block::Block>()?;
    errors::add_to(module)?;
    memory::add_to(module)?;
    module.add("LIMITS", limits_of(module.py())?)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(state::_panic, module)?)?;
    // What is public is said by the package.
    module.delattr("__all__")?;
    watch_forks(module)
}

/// The limits of the engine by name, in bytes.
fn limits_of(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let all = PyDict::new(py);
    let rows = [
        ("page_bytes_min", limits::PAGE_BYTES_MIN),
        ("page_bytes_max", limits::PAGE_BYTES_MAX),
        ("source_bytes_max", limits::SOURCE_BYTES_MAX as u64),
        ("intent_bytes_max", limits::INTENT_BYTES_MAX as u64),
        ("meta_key_bytes_max", limits::META_KEY_BYTES_MAX as u64),
        ("meta_value_bytes_max", limits::META_VALUE_BYTES_MAX as u64),
        ("meta_bytes_max", limits::META_BYTES_MAX as u64),
        ("record_bytes_max", limits::RECORD_BYTES_MAX),
        ("checkpoint_name_bytes_max", limits::CHECKPOINT_NAME_BYTES_MAX as u64),
        ("segment_bytes_min", limits::SEGMENT_BYTES_MIN),
        ("segment_bytes_max", limits::SEGMENT_BYTES_MAX),
    ];
    for (name, limit) in rows {
        all.set_item(name, limit)?;
    }
    py.import("types")?.getattr("MappingProxyType")?.call1((all,))
}

/// Has forked processes keep off the files of this one.
fn watch_forks(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let os = module.py().import("os")?;
    if !os.hasattr("register_at_fork")? {
        return Ok(());
    }
    let arguments = PyDict::new(module.py());
    arguments.set_item("after_in_child", wrap_pyfunction!(shared::_forked, module)?)?;
    os.getattr("register_at_fork")?.call((), Some(&arguments)).map(drop)
}
