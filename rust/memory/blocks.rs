//! Blocks that an owner knows one by one: what is no block of it, or is one no more, is noticed.

use super::{Refused, check_align, check_size, heap};
use crate::bail;
use crate::error::Result;
use dashmap::DashMap;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The blocks of one owner, freed with it. Shared by reference between threads.
///
/// ```
/// # fn main() -> mmsb::Result<()> {
/// let blocks = mmsb::memory::Blocks::default();
/// let block = blocks.alloc(100, 64, true)?;
/// // SAFETY: 100 bytes, zeroed, ours.
/// assert_eq!(unsafe { block.as_ptr().read() }, 0);
/// blocks.free(block.as_ptr())?;
/// assert!(blocks.free(block.as_ptr()).is_err());
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct Blocks {
    /// By address; made with the first block.
    live: OnceLock<DashMap<usize, Shape>>,
    bytes: AtomicU64,
}

#[derive(Clone, Copy)]
struct Shape {
    size: usize,
    align: usize,
}

impl Blocks {
    /// Allocates `size` bytes at a multiple of `align` (a power of two, 1 to 4,096), zero if `zeroed`,
    /// else with any content.
    ///
    /// # Errors
    /// `SizeOutOfRange`, `InvalidArgument` for the alignment, `OutOfMemory`.
    ///
    /// Cost: tens of nanoseconds, most of them for the owner's knowledge; zeroing on top.
    pub fn alloc(&self, size: usize, align: usize, zeroed: bool) -> Result<NonNull<u8>> {
        check_size(size)?;
        check_align(align)?;
        let block = if zeroed { heap::alloc_zeroed(size, align) } else { heap::alloc(size, align) };
        let block = block.map_err(Refused::error)?;
        let live = self.live.get_or_init(DashMap::new);
        live.insert(block.as_ptr().expose_provenance(), Shape { size, align });
        self.bytes.fetch_add(size as u64, Ordering::Relaxed);
        Ok(block)
    }

    /// Frees a block. Whoever still uses it is mistaken, as with every pointer; freeing by itself
    /// cannot go wrong.
    ///
    /// # Errors
    /// `InvalidArgument` if no block of this owner begins there, or none does any more; nothing
    /// happened then.
    pub fn free(&self, block: *mut u8) -> Result<()> {
        let shape = self.live.get().and_then(|live| live.remove(&block.addr()));
        let (Some((_, shape)), Some(at)) = (shape, NonNull::new(block)) else {
            bail!(InvalidArgument, "{block:p} is no block of this allocator, or was freed already");
        };
        self.bytes.fetch_sub(shape.size as u64, Ordering::Relaxed);
        // SAFETY: allocated with these, and taken out of the map by this call alone.
        unsafe { heap::free(at, shape.size, shape.align) }
        Ok(())
    }

    /// Bytes that were asked for at `block`; `None` if it is no block of this owner.
    pub fn size_of(&self, block: *const u8) -> Option<usize> {
        self.live.get()?.get(&block.addr()).map(|shape| shape.size)
    }

    /// Blocks.
    pub fn count(&self) -> u64 {
        self.live.get().map_or(0, |live| live.len() as u64)
    }

    /// Bytes of all blocks, as they were asked for.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Frees all blocks.
    pub fn clear(&self) {
        let blocks: Vec<usize> = self
            .live
            .get()
            .map_or(Vec::new(), |live| live.iter().map(|entry| *entry.key()).collect());
        for block in blocks {
            // One that another thread freed meanwhile is gone all the same.
            let _ = self.free(std::ptr::with_exposed_provenance_mut(block));
        }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn blocks_are_known_counted_and_freed_once() {
        let (blocks, others) = (Blocks::default(), Blocks::default());
        let mut mine: Vec<NonNull<u8>> = Vec::new();
        for (size, align) in [(1, 1), (100, 16), (1000, 4096), (5 << 20, 64)] {
            let block = blocks.alloc(size, align, true).unwrap();
            assert!(block.as_ptr().addr().is_multiple_of(align));
            // SAFETY: `size` bytes of ours.
            let bytes = unsafe { std::slice::from_raw_parts_mut(block.as_ptr(), size) };
            assert!(bytes.iter().all(|&byte| byte == 0));
            bytes.fill(9);
            assert_eq!(blocks.size_of(block.as_ptr()), Some(size));
            mine.push(block);
        }
        assert_eq!((blocks.count(), blocks.bytes()), (4, 1101 + (5 << 20)));
        let refused = |blocks: &Blocks, at: *mut u8| {
            assert_eq!(blocks.free(at).unwrap_err().kind(), ErrorKind::InvalidArgument);
        };
        for block in &mine {
            refused(&others, block.as_ptr());
            refused(&blocks, block.as_ptr().wrapping_add(1));
        }
        refused(&blocks, std::ptr::null_mut());
        let first = mine.remove(0).as_ptr();
        blocks.free(first).unwrap();
        refused(&blocks, first);
        blocks.clear();
        assert_eq!((blocks.count(), blocks.bytes()), (0, 0));
        refused(&blocks, mine[0].as_ptr());
    }

    #[test]
    fn sizes_and_alignments_out_of_their_limits_are_named() {
        let blocks = Blocks::default();
        for (size, align, kind, named) in [
            (0, 16, ErrorKind::SizeOutOfRange, "0 bytes"),
            ((1 << 40) + 1, 16, ErrorKind::SizeOutOfRange, "1099511627776"),
            (8, 0, ErrorKind::InvalidArgument, "alignment of 0"),
            (8, 24, ErrorKind::InvalidArgument, "alignment of 24"),
            (8, 8192, ErrorKind::InvalidArgument, "4096"),
            (1 << 40, 16, ErrorKind::OutOfMemory, "1099511627776 bytes asked for"),
        ] {
            let error = blocks.alloc(size, align, false).unwrap_err();
            assert_eq!(error.kind(), kind, "{size} at {align}");
            assert!(error.message().contains(named), "{error}");
        }
        assert_eq!(blocks.count(), 0);
    }

    #[test]
    fn of_many_threads_that_free_one_block_one_succeeds() {
        let blocks = Blocks::default();
        for _ in 0..200 {
            let block = blocks.alloc(64, 16, false).unwrap().as_ptr().expose_provenance();
            let free = || blocks.free(std::ptr::with_exposed_provenance_mut(block)).is_ok();
            let freed = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..3).map(|_| scope.spawn(free)).collect();
                threads.into_iter().map(|t| t.join().unwrap()).filter(|&ok| ok).count()
            });
            assert_eq!(freed, 1);
        }
    }
}
