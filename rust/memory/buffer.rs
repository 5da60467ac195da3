//! A growable run of bytes on the heap: what `Vec<u8>` is on the program's.

use super::{Refused, heap};
use crate::error::Result;
use std::alloc::Layout;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bytes of the heap. Capacity grows to what its block holds.
pub struct Buffer {
    block: NonNull<u8>,
    len: usize,
    /// Zero for no block.
    capacity: usize,
}

// SAFETY: owned memory.
unsafe impl Send for Buffer {}
// SAFETY: shared references only read.
unsafe impl Sync for Buffer {}

const ALIGN: usize = 16;

impl Buffer {
    /// No bytes, no memory.
    pub const fn new() -> Buffer {
        Buffer { block: NonNull::dangling(), len: 0, capacity: 0 }
    }

    /// No bytes, with room for `capacity`.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn with_capacity(capacity: usize) -> Result<Buffer> {
        let mut buffer = Buffer::new();
        buffer.reserve(capacity)?;
        Ok(buffer)
    }

    /// `len` bytes, all zero.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn zeroed(len: usize) -> Result<Buffer> {
        if len == 0 {
            return Ok(Buffer::new());
        }
        let block = heap::alloc_zeroed(len, ALIGN).map_err(Refused::error)?;
        Ok(Buffer { block, len, capacity: len })
    }

    /// A copy of `bytes`.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn copy_of(bytes: &[u8]) -> Result<Buffer> {
        let mut buffer = Buffer::with_capacity(bytes.len())?;
        buffer.push_within(bytes);
        Ok(buffer)
    }

    /// Makes room for `more` bytes.
    ///
    /// # Errors
    /// `OutOfMemory`; the buffer stays.
    pub fn reserve(&mut self, more: usize) -> Result<()> {
        let needed = self.len.saturating_add(more);
        if needed <= self.capacity {
            return Ok(());
        }
        let wanted = needed.max(self.capacity.saturating_mul(2));
        self.grow(wanted).map_err(Refused::error)
    }

    fn grow(&mut self, capacity: usize) -> Result<(), Refused> {
        let block = heap::alloc(capacity, ALIGN)?;
        // SAFETY: the new block is larger, and another one.
        unsafe { block.as_ptr().copy_from_nonoverlapping(self.block.as_ptr(), self.len) };
        self.release();
        (self.block, self.capacity) = (block, capacity);
        Ok(())
    }

    fn release(&mut self) {
        if self.capacity > 0 {
            // SAFETY: allocated with this size and alignment; nobody else refers to it.
            unsafe { heap::free(self.block, self.capacity, ALIGN) };
        }
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// `OutOfMemory`; the buffer stays.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<()> {
        self.reserve(bytes.len())?;
        self.push_within(bytes);
        Ok(())
    }

    /// Appends `bytes`, for which the caller knows that there is room.
    pub fn push_within(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.capacity - self.len, "a buffer without room");
        // SAFETY: there is room; what is borrowed is not this buffer.
        unsafe {
            let end = self.block.as_ptr().add(self.len);
            end.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        self.len += bytes.len();
    }

    /// Makes it `len` bytes long, new ones `byte`.
    ///
    /// # Errors
    /// `OutOfMemory`; the buffer stays.
    pub fn resize(&mut self, len: usize, byte: u8) -> Result<()> {
        if len > self.len {
            self.reserve(len - self.len)?;
            // SAFETY: `reserve` made room.
            unsafe { self.block.as_ptr().add(self.len).write_bytes(byte, len - self.len) };
        }
        self.len = len;
        Ok(())
    }

    /// Keeps no bytes, and the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Bytes that it has room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.release();
    }
}

/// Without memory the process ends, as with a vector; [`Buffer::copy_of`] tells.
impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        match Buffer::copy_of(self) {
            Ok(copy) => copy,
            Err(_) => match Layout::from_size_align(self.len, ALIGN) {
                Ok(layout) => std::alloc::handle_alloc_error(layout),
                Err(_) => unreachable!("a buffer that is there has a layout"),
            },
        }
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Buffer) -> bool {
        self[..] == other[..]
    }
}

impl Eq for Buffer {}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer::new()
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `len` bytes were written; nobody else changes them.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_ptr(), self.len) }
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} of {} bytes)", self.len, self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_as_a_vector_does() {
        let (mut buffer, mut vector) = (Buffer::new(), Vec::new());
        for round in 0..2000usize {
            let bytes = vec![round as u8; round % 97];
            buffer.extend(&bytes).unwrap();
            vector.extend_from_slice(&bytes);
            if round % 500 == 7 {
                let len = vector.len() / 2 + round;
                buffer.resize(len, 3).unwrap();
                vector.resize(len, 3);
            }
            assert!(buffer.capacity() >= buffer.len());
        }
        assert_eq!(buffer[..], vector[..]);
        buffer.clear();
        assert!(buffer.is_empty() && buffer.capacity() > 0);
        assert_eq!(Buffer::zeroed(3 << 20).unwrap()[..], vec![0; 3 << 20][..]);
    }
}
