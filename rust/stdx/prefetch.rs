//! Asks for memory before it is needed. Hints: any address will do.

/// Bytes asked for at most: what is longer the processor fetches by itself, as it is gone through.
const BYTES_MAX: usize = 4096;
/// The usual length of a cache line; where lines are longer some are asked for twice.
const LINE: usize = 64;

/// Has the first bytes of the `len` from `start` on fetched to be read.
#[inline]
pub fn for_read(start: *const u8, len: usize) {
    lines(start, len).for_each(hint::read);
}

/// Has the first bytes of the `len` from `start` on fetched to be written.
#[inline]
pub fn for_write(start: *const u8, len: usize) {
    lines(start, len).for_each(hint::write);
}

#[inline]
fn lines(start: *const u8, len: usize) -> impl Iterator<Item = *const u8> {
    (0..len.min(BYTES_MAX)).step_by(LINE).map(move |at| start.wrapping_add(at))
}

#[cfg(target_arch = "x86_64")]
mod hint {
    use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};

    #[inline]
    pub fn read(at: *const u8) {
        // SAFETY: reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline]
    pub fn write(at: *const u8) {
        // SAFETY: reads nothing; processors without the instruction take it for none.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) }
    }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
mod hint {
    use std::arch::asm;

    #[inline]
    pub fn read(at: *const u8) {
        // SAFETY: reads nothing and never faults.
        unsafe { asm!("prfm pldl1keep, [{}]", in(reg) at, options(nostack, readonly)) }
    }

    #[inline]
    pub fn write(at: *const u8) {
        // SAFETY: as above.
        unsafe { asm!("prfm pstl1keep, [{}]", in(reg) at, options(nostack, readonly)) }
    }
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", not(miri)))))]
mod hint {
    #[inline]
    pub fn read(_at: *const u8) {}

    #[inline]
    pub fn write(_at: *const u8) {}
}
