//! A one-byte lock that is given back with a plain store.
//!
//! For data that is held for tens of nanoseconds: taking it costs one locked instruction, giving it
//! back none, where a lock that parks its waiters needs a second one to learn of them (7 of 60 ns
//! of a small update). Who finds it taken pauses, then yields, then sleeps in steps of 50 µs: a
//! holder that copies a large page is waited for without burning a core.
//!
//! # Reading without the lock
//! [`Lock::peek`] is a reader that writes nothing, for values with a version that every holder changes
//! who changes anything that is read. Such a holder fences off its stores from the taking of the lock:
//!
//! ```text
//!   holder                       reader
//!   ------                       ------
//!   held = 1, fence              version
//!   stores, the version too      fence, held is 0
//!   held = 0   (Release)         reads
//!                                fence, held is 0   (Acquire)
//!                                version is the same
//! ```
//!
//! Whatever a reader sees of a holder's stores, it sees the lock taken by that holder behind its next
//! fence; or given back by it, and then all of its stores. So before the reads: the version is that of
//! a holder who is done, and what is read is not older. After them: a holder that they saw anything of
//! is there still, or has left another version. A version looked at before the lock instead would miss
//! one that stores its version, and leaves, between the two. loom finds that, and whatever else is
//! left out.

use super::sched;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{self, AtomicU8, Ordering};
use std::time::Duration;

/// The byte that says whether a lock is taken, and what belongs to it: the standard library's, or
/// `loom`'s, where schedules of a lock are explored.
pub trait Flag: Default {
    /// What the byte holds.
    fn load(&self, order: Ordering) -> u8;
    /// Has the byte hold something else.
    fn store(&self, value: u8, order: Ordering);
    /// As [`store`](Flag::store); what it held before.
    fn swap(&self, value: u8, order: Ordering) -> u8;
    /// A fence between accesses of all flags and of values.
    fn fence(order: Ordering);
    /// Passes the time between two looks at a flag, longer with each round.
    fn pause(rounds: u32);
}

impl Flag for AtomicU8 {
    #[inline]
    fn load(&self, order: Ordering) -> u8 {
        self.load(order)
    }

    #[inline]
    fn store(&self, value: u8, order: Ordering) {
        self.store(value, order);
    }

    #[inline]
    fn swap(&self, value: u8, order: Ordering) -> u8 {
        self.swap(value, order)
    }

    #[inline]
    fn fence(order: Ordering) {
        atomic::fence(order);
    }

    fn pause(rounds: u32) {
        match rounds {
            0..100 => std::hint::spin_loop(),
            100..130 => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_micros(50)),
        }
    }
}

/// A value behind a one-byte lock. All bytes zero is an unlocked one, if the value allows zeros.
///
/// `IN_TURNS`: a simulated thread that waits lets the others of its simulation run. Not for what is
/// shared with threads outside of it: whether those hold it is nothing that a seed decides.
#[derive(Default)]
#[repr(C)]
pub struct Lock<T, const IN_TURNS: bool = true, F: Flag = AtomicU8> {
    held: F,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the guard alone, and one thread at a time has it.
unsafe impl<T: Send, const IN_TURNS: bool, F: Flag + Sync> Sync for Lock<T, IN_TURNS, F> {}

/// Access to a locked value; unlocks on drop. Stays on its thread.
pub struct LockGuard<'a, T, const IN_TURNS: bool = true, F: Flag = AtomicU8> {
    lock: &'a Lock<T, IN_TURNS, F>,
    _thread: PhantomData<*mut ()>,
}

impl<T, const IN_TURNS: bool> Lock<T, IN_TURNS> {
    /// An unlocked value.
    pub const fn new(value: T) -> Lock<T, IN_TURNS> {
        Lock { held: AtomicU8::new(0), value: UnsafeCell::new(value) }
    }
}

impl<T, const IN_TURNS: bool, F: Flag> Lock<T, IN_TURNS, F> {
    /// Takes the lock.
    #[inline]
    pub fn lock(&self) -> LockGuard<'_, T, IN_TURNS, F> {
        if self.held.swap(1, Ordering::Acquire) != 0 {
            self.wait();
        }
        self.taken()
    }

    #[inline]
    fn taken(&self) -> LockGuard<'_, T, IN_TURNS, F> {
        // Nobody sees what the holder stores and the lock open: `peek` relies on it.
        F::fence(Ordering::Release);
        LockGuard { lock: self, _thread: PhantomData }
    }

    /// Calls `read` with the value as it stands there, without the lock. `None` if somebody has the
    /// lock, or had it meanwhile and changed the version.
    ///
    /// Somebody may have it while `read` reads. Only where every holder who changes what is read also
    /// changes the version, which never comes back, is what `read` returns worth anything, and only if
    /// `peek` returns it.
    #[inline]
    pub fn peek<V: Copy + PartialEq, R>(
        &self,
        version: impl Fn(*const T) -> V,
        read: impl FnOnce(*const T, V) -> Option<R>,
    ) -> Option<R> {
        let value = self.value.get();
        if cfg!(miri) {
            return None;
        }
        let before = version(value);
        F::fence(Ordering::Acquire);
        if self.held.load(Ordering::Acquire) != 0 {
            return None;
        }
        let done = read(value, before)?;
        F::fence(Ordering::Acquire);
        let is_open = self.held.load(Ordering::Acquire) == 0;
        (is_open && version(value) == before).then_some(done)
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
    pub fn try_lock(&self) -> Option<LockGuard<'_, T, IN_TURNS, F>> {
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

    /// Where the value is.
    #[inline]
    pub fn as_ptr(&self) -> *const T {
        self.value.get()
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
                match IN_TURNS && sched::is_simulated() {
                    true => sched::try_again(rounds == 1),
                    false => F::pause(rounds),
                }
            }
            if self.held.swap(1, Ordering::Acquire) == 0 {
                return;
            }
        }
    }
}

impl<T, const IN_TURNS: bool, F: Flag> Deref for LockGuard<'_, T, IN_TURNS, F> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T, const IN_TURNS: bool, F: Flag> DerefMut for LockGuard<'_, T, IN_TURNS, F> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and there is one guard.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T, const IN_TURNS: bool, F: Flag> Drop for LockGuard<'_, T, IN_TURNS, F> {
    #[inline]
    fn drop(&mut self) {
        self.lock.held.store(0, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
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

#[cfg(all(test, loom))]
#[allow(missing_docs, reason = "for tests alone")]
pub mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU64;
    use loom::thread;

    impl Flag for loom::sync::atomic::AtomicU8 {
        fn load(&self, order: Ordering) -> u8 {
            self.load(order)
        }

        fn store(&self, value: u8, order: Ordering) {
            self.store(value, order);
        }

        fn swap(&self, value: u8, order: Ordering) -> u8 {
            self.swap(value, order)
        }

        fn fence(order: Ordering) {
            loom::sync::atomic::fence(order);
        }

        fn pause(_rounds: u32) {
            thread::yield_now();
        }
    }

    /// A page's slot and frame, as far as reading without the lock goes. Its fields are plain memory
    /// there, so any value that anybody stores may be read, in any order: as relaxed atomics.
    #[derive(Default)]
    pub struct Page {
        version: AtomicU64,
        words: [AtomicU64; 2],
    }

    /// A lock whose schedules are explored.
    pub type PageLock = Lock<Page, true, loom::sync::atomic::AtomicU8>;

    impl Page {
        /// The version. With the lock held, or in a peek.
        pub fn version(&self) -> u64 {
            self.version.load(Ordering::Relaxed)
        }

        /// Changes the content, then the version, as a commit does. With the lock held.
        pub fn change(&self, word: u64, version: u64) {
            self.words.iter().for_each(|there| there.store(word, Ordering::Relaxed));
            self.version.store(version, Ordering::Relaxed);
        }
    }

    /// Version and content, without the lock.
    pub fn glimpse(page: &PageLock) -> Option<(u64, [u64; 2])> {
        // SAFETY: atomics that live as long as the lock.
        let at = |page: *const Page| unsafe { &*page };
        page.peek(
            |page| at(page).version(),
            |page, version| {
                let word = |at: &AtomicU64| at.load(Ordering::Relaxed);
                let words = &at(page).words;
                Some((version, [word(&words[0]), word(&words[1])]))
            },
        )
    }

    /// Every schedule of one who peeks and two who change the page one after the other: what is seen
    /// is what some of them left, whole. Who finds the lock taken gives up: waiting for it has
    /// schedules without end.
    #[test]
    fn loom_a_peek_sees_what_a_holder_left_or_nothing() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let page = Arc::new(PageLock::default());
            let change = |word: u64| {
                let page = page.clone();
                move || {
                    if let Some(page) = page.try_lock() {
                        page.change(word, page.version() + word);
                    }
                }
            };
            let (one, other) = (thread::spawn(change(1)), thread::spawn(change(2)));
            if let Some((version, words)) = glimpse(&page) {
                match version {
                    0..3 => assert_eq!(words, [version; 2]),
                    _ => assert!(words == [1, 1] || words == [2, 2]),
                }
            }
            one.join().unwrap();
            other.join().unwrap();
        });
    }
}
