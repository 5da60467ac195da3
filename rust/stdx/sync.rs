//! Atomics from the standard library, or from `loom` when the crate is built to explore schedules
//! (`RUSTFLAGS="--cfg loom" cargo test --lib loom_`).

#[cfg(not(loom))]
pub use std::hint::spin_loop;
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub use std::thread::yield_now;

#[cfg(loom)]
pub use loom::hint::spin_loop;
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub use loom::thread::yield_now;

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
