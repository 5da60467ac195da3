//! One table's account of the heap: what its frames take, and how much they may.

use super::{Reason, Refused, heap};
use crate::stdx::counter::Counters;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every frame starts at a multiple of this.
pub const FRAME_ALIGN: usize = 64;
/// What unwritten memory holds in builds with debug assertions: who reads before writing finds this,
/// whatever stood there before.
const UNWRITTEN: u8 = 0xA5;

/// Where the frames of one table come from and go to.
#[derive(Default)]
pub struct PageMemory {
    in_use: Counters<1>,
    /// What `in_use` says, exact at any moment, where there is a limit.
    charged: AtomicU64,
    /// Most bytes; 0 for no limit.
    limit: u64,
}

impl PageMemory {
    /// Limits what frames take, bytes; 0 for no limit. Nothing is given out.
    pub fn set_limit(&mut self, bytes: u64) {
        debug_assert!(self.bytes_in_use() == 0);
        self.limit = bytes;
    }

    /// The limit.
    #[cfg(test)]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Counts `len` bytes more, if there may be.
    #[inline]
    fn charge(&self, len: usize) -> Result<(), Refused> {
        if self.limit != 0 {
            self.charge_limited(len as u64)?;
        }
        self.in_use.add([len as u64]);
        Ok(())
    }

    #[cold]
    fn charge_limited(&self, len: u64) -> Result<(), Refused> {
        let in_use = self.charged.fetch_add(len, Ordering::Relaxed);
        if in_use + len <= self.limit {
            return Ok(());
        }
        self.charged.fetch_sub(len, Ordering::Relaxed);
        let (asked, limit, reason) = (len as usize, self.limit, Reason::Limit);
        Err(Refused { asked, in_use, limit, reason })
    }

    #[inline]
    fn discharge(&self, len: usize) {
        if self.limit != 0 {
            self.charged.fetch_sub(len as u64, Ordering::Relaxed);
        }
        self.in_use.sub([len as u64]);
    }

    #[inline]
    fn charged(
        &self,
        len: usize,
        alloc: impl FnOnce() -> Result<NonNull<u8>, Refused>,
    ) -> Result<NonNull<u8>, Refused> {
        self.charge(len)?;
        alloc().inspect_err(|_| self.discharge(len))
    }

    /// A block of `len` bytes, all zero.
    #[inline]
    pub fn alloc_zeroed(&self, len: usize) -> Result<NonNull<u8>, Refused> {
        self.charged(len, || heap::alloc_zeroed(len, FRAME_ALIGN))
    }

    /// A block of `len` bytes with any content: the caller writes before it reads.
    #[inline]
    pub fn alloc(&self, len: usize) -> Result<NonNull<u8>, Refused> {
        let block = self.charged(len, || heap::alloc(len, FRAME_ALIGN))?;
        if cfg!(debug_assertions) {
            // SAFETY: `len` bytes that nobody else uses.
            unsafe { block.as_ptr().write_bytes(UNWRITTEN, len) };
        }
        Ok(block)
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// `block` came from this memory for `len` bytes and is not used any more.
    #[inline]
    pub unsafe fn free(&self, block: NonNull<u8>, len: usize) {
        self.discharge(len);
        // SAFETY: the caller's promise.
        unsafe { heap::free(block, len, FRAME_ALIGN) };
    }

    /// Bytes of blocks that are given out.
    pub fn bytes_in_use(&self) -> u64 {
        self.in_use.sum(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reused_blocks_are_zero_again_and_counted() {
        let memory = PageMemory::default();
        let a = memory.alloc_zeroed(1000).unwrap();
        assert_eq!(a.as_ptr() as usize % FRAME_ALIGN, 0);
        assert_eq!(memory.bytes_in_use(), 1000);
        // SAFETY: 1,000 bytes of ours, from this memory, of this length.
        unsafe {
            a.as_ptr().write_bytes(7, 1000);
            memory.free(a, 1000);
        }
        let b = memory.alloc_zeroed(980).unwrap();
        assert_eq!(a, b);
        // SAFETY: as above.
        assert!(unsafe { std::slice::from_raw_parts(b.as_ptr(), 980) }.iter().all(|&x| x == 0));
        // SAFETY: as above.
        unsafe { memory.free(b, 980) };
        assert_eq!(memory.bytes_in_use(), 0);
    }

    #[test]
    fn a_limit_is_an_error_that_names_it() {
        let mut memory = PageMemory::default();
        memory.set_limit(1000);
        let block = memory.alloc(600).unwrap();
        let refused = memory.alloc(401).unwrap_err();
        let reason = Reason::Limit;
        assert_eq!(refused, Refused { asked: 401, in_use: 600, limit: 1000, reason });
        // SAFETY: from this memory, of this length.
        unsafe {
            memory.free(memory.alloc(400).unwrap(), 400);
            memory.free(block, 600);
        }
        assert_eq!(memory.bytes_in_use(), 0);
    }
}
