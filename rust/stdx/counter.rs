//! Counters that many threads add to and few read: a line for each of the first threads, the last
//! one for all others.
//!
//! A thread adds to its own line with a plain store; a locked instruction would wait until all that
//! the thread stored before is in the cache, 5 to 20 ns of creating a page.

use super::thread;
use std::sync::atomic::{AtomicU64, Ordering};

const LINES: usize = 16;
const SHARED: usize = LINES - 1;

/// `N` sums that are added to together.
#[derive(Default)]
pub struct Counters<const N: usize> {
    lines: [Line<N>; LINES],
}

#[repr(align(64))]
struct Line<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Line<N> {
    fn default() -> Line<N> {
        Line([const { AtomicU64::new(0) }; N])
    }
}

impl<const N: usize> Counters<N> {
    /// Adds `changes`, some of which may be negative numbers as two's complements.
    #[inline]
    pub fn add(&self, changes: [u64; N]) {
        let index = (thread::index() as usize).min(SHARED);
        for (sum, change) in self.lines[index].0.iter().zip(changes) {
            if index == SHARED {
                sum.fetch_add(change, Ordering::Relaxed);
            } else {
                // No living thread has the same index.
                sum.store(sum.load(Ordering::Relaxed).wrapping_add(change), Ordering::Relaxed);
            }
        }
    }

    /// What the calling thread's line holds: what that thread added, and those before it that had
    /// its number.
    #[inline]
    pub fn own(&self) -> [u64; N] {
        let index = (thread::index() as usize).min(SHARED);
        std::array::from_fn(|at| self.lines[index].0[at].load(Ordering::Relaxed))
    }

    /// Takes `changes` away.
    #[inline]
    pub fn sub(&self, changes: [u64; N]) {
        self.add(changes.map(u64::wrapping_neg));
    }

    /// The sum of that number: exact for what happened before the call.
    pub fn sum(&self, which: usize) -> u64 {
        let of = |line: &Line<N>| line.0[which].load(Ordering::Relaxed);
        self.lines.iter().map(of).fold(0, u64::wrapping_add)
    }

    /// Makes the sums these.
    pub fn set(&mut self, sums: [u64; N]) {
        // No thread had the others.
        let used = (thread::numbers() as usize).clamp(1, SHARED);
        let used = |&(at, _): &(usize, &mut Line<N>)| at < used || at == SHARED;
        for (at, line) in self.lines.iter_mut().enumerate().filter(used) {
            for (sum, to) in line.0.iter_mut().zip(sums) {
                let to = if at == 0 { to } else { 0 };
                // Reading is cheaper than making lines dirty.
                if *sum.get_mut() != to {
                    *sum.get_mut() = to;
                }
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_on_more_threads_than_lines() {
        let mut counters = Counters::<2>::default();
        std::thread::scope(|scope| {
            for _ in 0..3 * LINES {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        counters.add([3, 1]);
                        counters.sub([1, 1]);
                    }
                });
            }
        });
        assert_eq!((counters.sum(0), counters.sum(1)), (2 * 2000 * 48, 0));
        counters.set([7, 9]);
        assert_eq!((counters.sum(0), counters.sum(1)), (7, 9));
    }
}
