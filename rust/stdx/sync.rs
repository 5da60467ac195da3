//! Atomics from the standard library, or from `loom` when the crate is built to explore schedules
//! (`RUSTFLAGS="--cfg loom" cargo test --lib loom_`); and locks that wait in turns on a simulated
//! thread ([`sched`]), for everything that is held while a file, a clock or another lock is waited
//! for.

use super::sched;
use std::panic::Location;
use std::time::Duration;

pub use parking_lot::MutexGuard;

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
        match self.0 {
            rounds if sched::is_simulated() => sched::try_again(rounds == 1),
            0..64 if cfg!(not(loom)) => spin_loop(),
            _ => yield_now(),
        }
    }
}

/// A value behind a lock that parks its waiters.
#[derive(Default, Debug)]
pub struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    /// An unlocked value.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex(parking_lot::Mutex::new(value))
    }

    /// Takes the lock.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if sched::is_simulated() {
            return self.lock_in_turn();
        }
        self.0.lock()
    }

    /// Takes the lock unless somebody has it.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock()
    }

    #[cold]
    #[track_caller]
    fn lock_in_turn(&self) -> MutexGuard<'_, T> {
        sched::point();
        let mut first = true;
        loop {
            if let Some(guard) = self.0.try_lock() {
                return guard;
            }
            sched::try_again(std::mem::take(&mut first));
        }
    }

    /// The value of a lock that nobody shares.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

/// Where holders of a [`Mutex`] wait to be told of something.
#[derive(Default, Debug)]
pub struct Condvar(parking_lot::Condvar);

impl Condvar {
    /// One that nobody waits for.
    pub const fn new() -> Condvar {
        Condvar(parking_lot::Condvar::new())
    }

    /// Unlocks, waits to be told, locks again.
    #[track_caller]
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        match sched::is_simulated() {
            true => self.wait_in_turn(guard, None),
            false => self.0.wait(guard),
        }
    }

    /// As [`wait`](Self::wait), for `timeout` at most.
    #[track_caller]
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) {
        match sched::is_simulated() {
            true => self.wait_in_turn(guard, Some(timeout)),
            false => drop(self.0.wait_for(guard, timeout)),
        }
    }

    /// Tells one of those who wait.
    pub fn notify_one(&self) {
        match sched::is_simulated() {
            true => sched::notify(self.key(), false),
            false => drop(self.0.notify_one()),
        }
    }

    /// Tells all who wait.
    pub fn notify_all(&self) {
        match sched::is_simulated() {
            true => sched::notify(self.key(), true),
            false => drop(self.0.notify_all()),
        }
    }

    #[cold]
    #[track_caller]
    fn wait_in_turn<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Option<Duration>) {
        let (mutex, place) = (MutexGuard::mutex(guard), Location::caller());
        // Nobody runs between here and the wait, nor between the last look and the lock.
        MutexGuard::unlocked(guard, || {
            sched::wait_for_notice(self.key(), timeout, place);
            let mut first = true;
            while mutex.is_locked() {
                sched::try_again(std::mem::take(&mut first));
            }
        });
    }

    /// Tells simulated condition variables apart; nothing else follows from its value.
    fn key(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}
