//! `Block`: plain memory of an allocator, as a writable buffer.
//!
//! ```text
//!   there --- free, the object's end, the allocator's end or clear, unexported ---> gone
//!     |                                                                              ^
//!     +------ the allocator's end or clear, exported ---> ended --- last export -----+
//! ```
//!
//! Memory that a buffer shows is never freed, whoever asks. What is ended lends no more buffers.

use crate::allocator::Allocator;
use crate::errors::error;
use crate::shared::detach_if_many;
use mmsb::ErrorKind;
use mmsb::memory::Blocks;
use parking_lot::Mutex;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::Arc;

/// The blocks of one allocator, each by a number of its own: addresses are used again.
#[derive(Default)]
pub struct BlockSet {
    blocks: Blocks,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    last: u64,
    there: HashMap<u64, Memory>,
}

struct Memory {
    at: NonNull<u8>,
    size: usize,
    /// Buffers that show it.
    exports: usize,
    /// Goes with the last of them.
    ended: bool,
}

// SAFETY: whoever has it out of the set owns the memory; the set only keeps the address.
unsafe impl Send for Memory {}

impl BlockSet {
    /// Allocates a block; returns its number.
    pub fn alloc(&self, size: usize, align: usize, zeroed: bool) -> mmsb::Result<u64> {
        let at = self.blocks.alloc(size, align, zeroed)?;
        let mut members = self.members.lock();
        members.last += 1;
        let id = members.last;
        members.there.insert(id, Memory { at, size, exports: 0, ended: false });
        Ok(id)
    }

    /// Blocks whose memory is there, and their bytes.
    pub fn counts(&self) -> (u64, u64) {
        (self.blocks.count(), self.blocks.bytes())
    }

    /// Ends all: what no buffer shows goes now.
    pub fn clear(&self) {
        let mut members = self.members.lock();
        members.there.values_mut().for_each(|memory| memory.ended = true);
        let gone: Vec<Memory> = members
            .there
            .extract_if(|_, memory| memory.exports == 0)
            .map(|(_, gone)| gone)
            .collect();
        drop(members);
        gone.into_iter().for_each(|memory| self.free(memory));
    }

    /// Frees what the caller took out of the members, so that nobody else does.
    fn free(&self, memory: Memory) {
        let freed = self.blocks.free(memory.at.as_ptr());
        debug_assert!(freed.is_ok());
    }

    /// Asks about a block that can be used.
    fn ask<R>(&self, id: u64, ask: impl FnOnce(&mut Memory) -> R) -> PyResult<R> {
        match self.members.lock().there.get_mut(&id) {
            Some(memory) if !memory.ended => Ok(ask(memory)),
            _ => Err(freed()),
        }
    }

    /// Takes a block out, if it is there, to be freed. One that ended goes by itself.
    ///
    /// # Errors
    /// How many buffers show it.
    fn take(&self, id: u64) -> Result<Option<Memory>, usize> {
        let mut members = self.members.lock();
        match members.there.get(&id) {
            Some(memory) if memory.ended => Ok(None),
            Some(memory) if memory.exports > 0 => Err(memory.exports),
            _ => Ok(members.there.remove(&id)),
        }
    }

    /// Counts a buffer less; what ended meanwhile goes with the last.
    fn give_back(&self, id: u64) {
        let mut members = self.members.lock();
        let Some(memory) = members.there.get_mut(&id) else { return };
        memory.exports -= 1;
        if !memory.ended || memory.exports > 0 {
            return;
        }
        let gone = members.there.remove(&id);
        drop(members);
        gone.into_iter().for_each(|memory| self.free(memory));
    }
}

#[cold]
fn freed() -> PyErr {
    error(ErrorKind::Closed, "the block was freed")
}

/// Plain memory of an allocator, outside of Python's own heap, as a writable buffer of bytes.
///
/// Made by `Allocator.alloc_block`. `memoryview(block)` and `numpy.frombuffer(block, dtype)` show it
/// without a copy, to read and to write. `free`, the end of a `with` block, or the end of the object
/// gives the memory back. So do `close` and `clear` of the allocator, but for memory that something
/// still shows: that goes with the last memoryview or array. Use of a freed block raises `Closed`.
///
/// `numpy.ndarray(buffer=block)` does not hold on to the block as the two above do; use
/// `numpy.frombuffer`, or keep the block.
///
/// >>> import mmsb
/// >>> with mmsb.Allocator() as scratch, scratch.alloc_block(4) as block:
/// ...     with memoryview(block) as bytes_of_block:
/// ...         bytes_of_block[1:3] = b"ab"
/// ...     bytes(block), len(block)
/// (b'\x00ab\x00', 4)
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Block {
    owner: Py<Allocator>,
    set: Arc<BlockSet>,
    id: u64,
    size: usize,
}

impl Block {
    /// A Python object for a block of `owner`'s set.
    pub fn new(owner: Py<Allocator>, set: Arc<BlockSet>, id: u64, size: usize) -> Block {
        Block { owner, set, id, size }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // Buffers hold the object: none shows it here.
        if let Ok(Some(memory)) = self.set.take(self.id) {
            self.set.free(memory);
        }
    }
}

#[pymethods]
impl Block {
    /// The allocator that the block is part of.
    #[getter]
    fn allocator(&self, py: Python<'_>) -> Py<Allocator> {
        self.owner.clone_ref(py)
    }

    /// Address of the first byte, for calls of C while the block is kept.
    #[getter]
    fn address(&self) -> PyResult<usize> {
        self.set.ask(self.id, |memory| memory.at.as_ptr().expose_provenance())
    }

    /// Bytes.
    #[getter]
    fn nbytes(&self) -> PyResult<usize> {
        self.set.ask(self.id, |memory| memory.size)
    }

    fn __len__(&self) -> PyResult<usize> {
        self.nbytes()
    }

    /// Whether the block was freed.
    #[getter(freed)]
    fn is_freed(&self) -> bool {
        self.set.ask(self.id, |_| ()).is_err()
    }

    /// Gives the memory back. Nothing if that was done.
    ///
    /// Raises `BufferError` while a memoryview or array still shows it.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.Allocator() as scratch:
    /// ...     block = scratch.alloc_block(100)
    /// ...     block.free()
    /// ...     block.freed
    /// True
    fn free(&self, py: Python<'_>) -> PyResult<()> {
        match self.set.take(self.id) {
            Ok(Some(memory)) => {
                detach_if_many(py, memory.size, move || self.set.free(memory));
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(exports) => {
                Err(PyBufferError::new_err(format!("{exports} buffers still show the block")))
            }
        }
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        slf.get().nbytes()?;
        Ok(slf.clone().unbind())
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, py: Python<'_>, _exc: &Bound<'_, PyAny>) -> PyResult<()> {
        self.free(py)
    }

    /// # Safety
    /// Called by the interpreter alone, with a place to fill.
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        place: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let this = slf.get();
        // Counted first: from then on the memory stays.
        let lent = this.set.ask(this.id, |memory| {
            memory.exports += 1;
            (memory.at.as_ptr(), memory.size)
        });
        // SAFETY: the place is the interpreter's; nothing is what a refusal leaves in it.
        unsafe { (*place).obj = std::ptr::null_mut() };
        let (start, len) = lent?;
        // SAFETY: the place is the interpreter's; the export is writable and holds `slf`.
        let filled = unsafe {
            let len = len as ffi::Py_ssize_t;
            ffi::PyBuffer_FillInfo(place, slf.as_ptr(), start.cast(), len, 0, flags)
        };
        if filled != 0 {
            this.set.give_back(this.id);
            return Err(PyErr::fetch(slf.py()));
        }
        Ok(())
    }

    /// # Safety
    /// Called by the interpreter alone, once per export.
    unsafe fn __releasebuffer__(&self, _place: *mut ffi::Py_buffer) {
        self.set.give_back(self.id);
    }

    fn __repr__(&self) -> String {
        match self.is_freed() {
            false => format!("<mmsb.Block, {} bytes>", self.size),
            true => "<mmsb.Block freed>".to_owned(),
        }
    }
}
