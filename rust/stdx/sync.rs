//! Atomics from the standard library, or from `loom` when the crate is built to explore schedules
//! (`RUSTFLAGS="--cfg loom" cargo test --lib loom_`).

#[cfg(not(loom))]
pub use std::hint::spin_loop;
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
pub use std::thread::yield_now;

#[cfg(loom)]
pub use loom::hint::spin_loop;
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(loom)]
pub use loom::thread::yield_now;

/// Between a sequentially consistent store and a sequentially consistent load of another place, in
/// program order: what their consistency promises. `loom` takes such accesses for weaker ones and
/// knows fences alone, so it gets one; everybody else has paid for it with the accesses.
#[inline]
pub fn seq_cst_order() {
    #[cfg(loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}

/// Waits a little, first by pausing the core, later by giving it away.
#[derive(Default)]
pub struct Backoff(u32);

impl Backoff {
    /// One more round of waiting.
    pub fn wait(&mut self) {
        self.0 += 1;
        if self.0 < 64 && cfg!(not(loom)) { spin_loop() } else { yield_now() }
    }
}
