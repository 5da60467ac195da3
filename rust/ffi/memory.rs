//! The heap under all states and allocators of the process.

use super::pointer::{Out, copy_items, copy_out, optional_out};
use super::status::{MmsbStatus, call};
use crate::memory::{self, ClassStats, MemoryStats, Retention};
use std::time::Duration;

/// The heap. Counted while others allocate, figures of the same moment differ by what was on its
/// way.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbMemoryStats {
    /// Bytes of addresses.
    pub reserved: u64,
    /// Bytes of slabs that are used or retained.
    pub committed: u64,
    /// Bytes of blocks and spans that somebody has.
    pub in_use: u64,
    /// Bytes of free blocks in threads' magazines.
    pub cached: u64,
    /// Bytes of slabs that are kept though nothing stands in them.
    pub retained: u64,
    /// Most bytes that may be committed.
    pub limit: u64,
    /// Slabs of size classes.
    pub slabs: u64,
    /// Blocks above 1 MiB.
    pub spans: u64,
    /// Blocks that were freed by a thread that did not hold their slab.
    pub remote_frees: u64,
    /// Calls of the kernel since the process began.
    pub kernel_calls: u64,
    /// Mappings that the kernel keeps for the heap.
    pub mappings: u64,
    /// The part of the slabs in use that nobody has, 0 to 1.
    pub fragmentation: f64,
}

impl From<&MemoryStats> for MmsbMemoryStats {
    fn from(stats: &MemoryStats) -> MmsbMemoryStats {
        MmsbMemoryStats {
            reserved: stats.reserved,
            committed: stats.committed,
            in_use: stats.in_use,
            cached: stats.cached,
            retained: stats.retained,
            limit: stats.limit,
            slabs: stats.slabs,
            spans: stats.spans,
            remote_frees: stats.remote_frees,
            kernel_calls: stats.kernel_calls,
            mappings: stats.mappings,
            fragmentation: stats.fragmentation(),
        }
    }
}

/// One size class of the heap.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbMemoryClass {
    /// Bytes of a block.
    pub bytes: u64,
    /// Slabs of 2 MiB.
    pub slabs: u64,
    /// Blocks that somebody has.
    pub in_use: u64,
    /// Free blocks in threads' magazines.
    pub cached: u64,
    /// Free blocks that stand in slabs.
    pub free: u64,
}

impl From<&ClassStats> for MmsbMemoryClass {
    fn from(class: &ClassStats) -> MmsbMemoryClass {
        let ClassStats { bytes, slabs, in_use, cached, free, .. } = *class;
        MmsbMemoryClass { bytes, slabs, in_use, cached, free }
    }
}

/// Counts the heap. Cost: some microseconds per hundred slabs, and a look at the kernel's list of
/// mappings.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_memory_stats(out: *mut MmsbMemoryStats) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set((&memory::stats()).into());
        Ok(())
    })
}

/// Copies the size classes that have slabs, ascending, to `buf`, which has room for `capacity`; `len`
/// receives their number, also when the buffer is too small (LengthMismatch). There are at most 112.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_memory_classes(
    buf: *mut MmsbMemoryClass,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        let classes: Vec<MmsbMemoryClass> =
            memory::stats().classes.iter().map(MmsbMemoryClass::from).collect();
        // SAFETY: the caller's promise.
        unsafe { copy_items(&classes, buf, capacity, len, "classes") }
    })
}

/// Copies a table of the heap to `buf`, which has room for `capacity` bytes: UTF-8, a row for each
/// class, no zero at the end; `len` receives its length, also when the buffer is too small
/// (LengthMismatch).
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_memory_report(
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        let report = memory::stats().to_string();
        // SAFETY: the caller's promise.
        unsafe { copy_out(report.as_bytes(), buf, capacity, len) }
    })
}

/// Makes `count` free blocks for `size` bytes (1 to 1 MiB) at multiples of `align` ready, with the
/// memory under them: the next `count` allocations of that class ask the system for nothing.
///
/// Errors: SizeOutOfRange, InvalidArgument for the alignment, OutOfMemory beyond the limit: what could
/// be made before stays.
#[unsafe(no_mangle)]
pub extern "C" fn rust_memory_prewarm(size: usize, align: usize, count: usize) -> MmsbStatus {
    call(|| memory::prewarm(size, align, count))
}

/// Gives what the calling thread keeps and all slabs without content to the operating system.
/// `bytes`, which may be null, receives how many went.
///
/// # Safety
/// `bytes` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_memory_purge(bytes: *mut u64) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { optional_out(bytes, "bytes") }?;
        let purged = memory::purge();
        if let Some(out) = out {
            out.set(purged);
        }
        Ok(())
    })
}

/// Limits the bytes of slabs that are in use or retained, rounded up to 2 MiB; 0 for no limit but
/// the reserved range. What is in use beyond it stays.
#[unsafe(no_mangle)]
pub extern "C" fn rust_memory_set_limit(bytes: u64) -> MmsbStatus {
    call(|| {
        memory::set_limit(bytes);
        Ok(())
    })
}

/// Says how many bytes of slabs that come back are kept, and how long: 256 MiB and 10 seconds
/// otherwise.
#[unsafe(no_mangle)]
pub extern "C" fn rust_memory_set_retention(bytes: u64, age_ms: u64) -> MmsbStatus {
    call(|| {
        memory::set_retention(Retention { bytes, age: Duration::from_millis(age_ms) });
        Ok(())
    })
}

/// Asks the kernel for huge pages under the heap, or for none, as it is at first.
#[unsafe(no_mangle)]
pub extern "C" fn rust_memory_set_huge_pages(huge: bool) -> MmsbStatus {
    call(|| {
        memory::set_huge_pages(huge);
        Ok(())
    })
}

/// Walks every slab of the heap and compares what they say with each other: Internal with what does
/// not fit. Blocks may come and go meanwhile; slabs that threads are carving are left out. Cost: some
/// microseconds per slab.
#[unsafe(no_mangle)]
pub extern "C" fn rust_memory_check() -> MmsbStatus {
    call(memory::invariant)
}
