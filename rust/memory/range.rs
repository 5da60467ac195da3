//! The reserved range of addresses: reserving, opening, purging. The room's only door to the kernel.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

/// Addresses that nobody else gets, most of them without memory.
pub struct Range {
    base: NonNull<u8>,
    len: usize,
    /// Calls of the kernel.
    pub calls: AtomicU64,
}

// SAFETY: addresses; what stands there is the business of who opened it.
unsafe impl Send for Range {}
// SAFETY: as above.
unsafe impl Sync for Range {}

fn page_bytes() -> usize {
    // SAFETY: takes a number, returns a number.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Bytes of memory that the machine has.
pub fn machine_bytes() -> usize {
    // SAFETY: takes a number, returns a number.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    usize::try_from(pages).unwrap_or(0).saturating_mul(page_bytes())
}

/// Bytes of addresses that the process may use; `None` for as many as there are.
pub fn address_limit() -> Option<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for a write.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } == 0;
    let limited = known && limit.rlim_cur != libc::RLIM_INFINITY;
    limited.then(|| usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

impl Range {
    /// Reserves `len` bytes at a multiple of `align`, both multiples of the system's page; `None`
    /// where the kernel refuses.
    pub fn reserve(len: usize, align: usize) -> Option<Range> {
        let whole = len.checked_add(align)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at no particular place touches nothing that exists.
        let at = unsafe { libc::mmap(ptr::null_mut(), whole, libc::PROT_NONE, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return None;
        }
        let at = at.cast::<u8>();
        let before = at.align_offset(align);
        // SAFETY: within the mapping just made; the ends are given back and not used any more.
        let base = unsafe {
            let base = at.add(before);
            if before > 0 {
                libc::munmap(at.cast(), before);
            }
            libc::munmap(base.add(len).cast(), whole - before - len);
            base
        };
        Some(Range { base: NonNull::new(base)?, len, calls: AtomicU64::new(3) })
    }

    /// Its start.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes reserved.
    pub fn len(&self) -> usize {
        self.len
    }

    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn at(&self, offset: usize, len: usize) -> *mut libc::c_void {
        debug_assert!(offset <= self.len && len <= self.len - offset);
        // SAFETY: within the range.
        unsafe { self.base.as_ptr().add(offset) }.cast()
    }

    /// Lets `len` bytes from `offset` on be read and written; they are zero. `false` where the
    /// kernel has no memory to promise.
    pub fn open(&self, offset: usize, len: usize) -> bool {
        self.count();
        // SAFETY: our own addresses, which nobody uses yet.
        let done = unsafe {
            libc::mprotect(self.at(offset, len), len, libc::PROT_READ | libc::PROT_WRITE)
        };
        done == 0
    }

    /// Gives the memory of `len` open bytes back to the kernel; they read as zero again. `false` if
    /// the kernel refused, and the bytes stay.
    ///
    /// # Safety
    /// Nobody uses these bytes.
    pub unsafe fn purge(&self, offset: usize, len: usize) -> bool {
        self.count();
        let at = self.at(offset, len);
        // Elsewhere the advice is not a promise: a new mapping in the old one's place is.
        #[cfg(target_os = "linux")]
        // SAFETY: our own addresses; the caller's promise.
        let done = unsafe { libc::madvise(at, len, libc::MADV_DONTNEED) } == 0;
        #[cfg(not(target_os = "linux"))]
        let done = {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE | libc::MAP_FIXED;
            // SAFETY: as above.
            unsafe { libc::mmap(at, len, access, flags, -1, 0) != libc::MAP_FAILED }
        };
        done
    }

    /// Makes the kernel provide the memory of `len` open bytes at once, for less than a fault per
    /// page costs. What it cannot do (before Linux 5.14) faults do.
    pub fn populate(&self, offset: usize, len: usize) {
        #[cfg(target_os = "linux")]
        {
            self.count();
            // SAFETY: our own addresses; content stays as it is.
            unsafe { libc::madvise(self.at(offset, len), len, libc::MADV_POPULATE_WRITE) };
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (offset, len);
    }

    /// Asks for huge pages under `len` bytes, or for none.
    pub fn advise_huge(&self, offset: usize, len: usize, huge: bool) {
        #[cfg(target_os = "linux")]
        {
            self.count();
            let advice = if huge { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
            // SAFETY: our own addresses; content stays as it is.
            unsafe { libc::madvise(self.at(offset, len), len, advice) };
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (offset, len, huge);
    }

    /// Mappings that the kernel keeps for the range; 0 where it does not tell.
    pub fn mappings(&self) -> u64 {
        let (base, end) = (self.base.as_ptr().addr(), self.base.as_ptr().addr() + self.len);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let within = |line: &&str| {
            let start = line.split('-').next().and_then(|hex| usize::from_str_radix(hex, 16).ok());
            start.is_some_and(|start| (base..end).contains(&start))
        };
        maps.lines().filter(within).count() as u64
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        // SAFETY: reserved in `reserve`; its owner lets nobody use it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}
