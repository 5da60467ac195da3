//! A frame on its way into a slot.

use super::slot::SlotGuard;
use super::table::Table;
use crate::error::Result;
use std::ptr::NonNull;

/// A frame that no slot refers to yet; given back if it never does.
pub struct Fresh<'a> {
    table: &'a Table,
    frame: NonNull<u8>,
    size: u32,
}

impl<'a> Fresh<'a> {
    /// A zeroed frame.
    #[inline]
    pub fn zeroed(table: &'a Table, size: u32) -> Result<Fresh<'a>> {
        Ok(Fresh { table, frame: table.frame(size)?, size })
    }

    /// A copy of a page's content.
    pub fn copy_of(table: &'a Table, page: &SlotGuard<'_>) -> Result<Fresh<'a>> {
        let fresh = Fresh { table, frame: table.raw_frame(page.size)?, size: page.size };
        let bytes = page.bytes();
        // SAFETY: the new frame holds at least `size` bytes and overlaps nothing.
        unsafe { fresh.frame.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(fresh)
    }

    /// A frame of any content, all of which the caller is to fill.
    #[inline]
    pub fn raw(table: &'a Table, size: u32) -> Result<Fresh<'a>> {
        Ok(Fresh { table, frame: table.raw_frame(size)?, size })
    }

    /// The frame's content, to change.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: frames are initialised memory of at least `size` bytes, and nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.frame.as_ptr(), self.size as usize) }
    }

    /// The frame's content.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: frames are initialised memory of at least `size` bytes, and nobody else has it.
        unsafe { std::slice::from_raw_parts(self.frame.as_ptr(), self.size as usize) }
    }

    /// The frame, now the caller's.
    #[inline]
    pub fn take(self) -> NonNull<u8> {
        let frame = self.frame;
        std::mem::forget(self);
        frame
    }
}

// SAFETY: owned memory, whichever thread has it; a table may be used by all.
unsafe impl Send for Fresh<'_> {}
// SAFETY: a shared one is only read.
unsafe impl Sync for Fresh<'_> {}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        // SAFETY: it came from this table for this size, and `take` was not called.
        unsafe { self.table.free_frame(self.frame, self.size) }
    }
}
