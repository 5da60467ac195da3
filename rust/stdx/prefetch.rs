//! Asks for memory before it is needed.

/// Bytes asked for at most: what is longer the processor fetches by itself, as it is written.
const BYTES_MAX: usize = 4096;
/// The usual length of a cache line; where lines are longer some are asked for twice.
const LINE: usize = 64;

/// Has the cache lines of the `len` bytes from `start` on fetched to be written, at most
/// [`BYTES_MAX`] of them. A hint: any address will do.
#[inline]
pub fn for_write(start: *const u8, len: usize) {
    (0..len.min(BYTES_MAX)).step_by(LINE).for_each(|at| line(start.wrapping_add(at)));
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn line(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
    // SAFETY: reads nothing; processors without the instruction take it for none.
    unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
#[inline]
fn line(at: *const u8) {
    // SAFETY: reads nothing and never faults.
    unsafe { std::arch::asm!("prfm pstl1keep, [{}]", in(reg) at, options(nostack, readonly)) }
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", not(miri)))))]
#[inline]
fn line(_at: *const u8) {}
