//! A one-byte lock that is given back with a plain store.
//!
//! For data that is held for tens of nanoseconds: taking it costs one locked instruction, giving it
//! back none, where a lock that parks its waiters needs a second one to learn of them (7 of 60 ns
//! of a small update). Who finds it taken pauses, then yields, then sleeps in steps of 50 µs: a
//! holder that copies a large page is waited for without burning a core.

use super::sched;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU8, Ordering, fence};
use std::time::Duration;

/// A value behind a one-byte lock. All bytes zero is an unlocked one, if the value allows zeros.
///
/// `IN_TURNS`: a simulated thread that waits lets the others of its simulation run. Not for what is
/// shared with threads outside of it: whether those hold it is nothing that a seed decides.
#[derive(Default)]
#[repr(C)]
pub struct Lock<T, const IN_TURNS: bool = true> {
    held: AtomicU8,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the guard alone, and one thread at a time has it.
unsafe impl<T: Send, const IN_TURNS: bool> Sync for Lock<T, IN_TURNS> {}

/// Access to a locked value; unlocks on drop. Stays on its thread.
pub struct LockGuard<'a, T, const IN_TURNS: bool = true> {
    lock: &'a Lock<T, IN_TURNS>,
    _thread: PhantomData<*mut ()>,
}

impl<T, const IN_TURNS: bool> Lock<T, IN_TURNS> {
    /// An unlocked value.
    pub const fn new(value: T) -> Lock<T, IN_TURNS> {
        Lock { held: AtomicU8::new(0), value: UnsafeCell::new(value) }
    }

    /// Takes the lock.
    #[inline]
    pub fn lock(&self) -> LockGuard<'_, T, IN_TURNS> {
        if self.held.swap(1, Ordering::Acquire) != 0 {
            self.wait();
        }
        self.taken()
    }

    #[inline]
    fn taken(&self) -> LockGuard<'_, T, IN_TURNS> {
        // Nobody sees what the holder stores and the lock open: `peek` relies on it.
        fence(Ordering::Release);
        LockGuard { lock: self, _thread: PhantomData }
    }

    /// Calls `read` with the value as it stands there, while nobody is to have the lock. `None` if
    /// somebody had it before or after.
    ///
    /// Somebody may have it in between: what was read counts only if something in the value that
    /// every holder changes who changes what was read is the same at the end of `read`, looked at
    /// after an acquire fence.
    #[inline]
    pub fn peek<R>(&self, read: impl FnOnce(*const T) -> Option<R>) -> Option<R> {
        if cfg!(miri) || self.held.load(Ordering::Acquire) != 0 {
            return None;
        }
        let done = read(self.value.get())?;
        (self.held.load(Ordering::Relaxed) == 0).then_some(done)
    }

    /// Opens a lock whose guard was forgotten.
    ///
    /// # Safety
    /// The calling thread, or in a forked child the one that it was, holds the lock and uses the
    /// value no more.
    pub unsafe fn force_unlock(&self) {
        self.held.store(0, Ordering::Release);
    }

    /// Takes the lock unless somebody has it.
    #[inline]
    pub fn try_lock(&self) -> Option<LockGuard<'_, T, IN_TURNS>> {
        let taken = self.held.swap(1, Ordering::Acquire) != 0;
        (!taken).then(|| self.taken())
    }

    /// The value, without a lock.
    ///
    /// # Safety
    /// Nobody else reaches this value as long as it is borrowed.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the caller's promise stands in for the lock")]
    pub unsafe fn get_unlocked(&self) -> &mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.value.get() }
    }

    /// The value, where borrowing shows that nobody else can reach it.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[cold]
    fn wait(&self) {
        let mut rounds = 0u32;
        loop {
            while self.held.load(Ordering::Relaxed) != 0 {
                rounds += 1;
                match rounds {
                    _ if IN_TURNS && sched::is_simulated() => sched::try_again(rounds == 1),
                    0..100 => std::hint::spin_loop(),
                    100..130 => std::thread::yield_now(),
                    _ => std::thread::sleep(Duration::from_micros(50)),
                }
            }
            if self.held.swap(1, Ordering::Acquire) == 0 {
                return;
            }
        }
    }
}

impl<T, const IN_TURNS: bool> Deref for LockGuard<'_, T, IN_TURNS> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T, const IN_TURNS: bool> DerefMut for LockGuard<'_, T, IN_TURNS> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and there is one guard.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T, const IN_TURNS: bool> Drop for LockGuard<'_, T, IN_TURNS> {
    #[inline]
    fn drop(&mut self) {
        self.lock.held.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_increment_is_lost_and_long_holders_are_waited_for() {
        let lock: Lock<u64> = Lock::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let lock = &lock;
                scope.spawn(move || {
                    for i in 0..20_000 {
                        *lock.lock() += 1;
                        if thread == 0 && i % 5_000 == 0 {
                            let _held = lock.lock();
                            std::thread::sleep(Duration::from_millis(2));
                        }
                    }
                });
            }
        });
        assert_eq!(*lock.lock(), 80_000);
    }
}
