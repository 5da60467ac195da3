//! The same work on one thread and on two, each on a core of its own, in rounds.

use crate::row::{median, time};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Operations of a round; what is left to flush after it is flushed outside the timing.
pub const ROUND: usize = 2000;

/// Nanoseconds per operation on one thread, and on two, where each does as many.
pub struct Scaling {
    /// Operations of a thread in a round.
    ops: usize,
    one: Vec<f64>,
    two: Vec<f64>,
}

impl Default for Scaling {
    fn default() -> Scaling {
        Scaling::of(ROUND)
    }
}

impl Scaling {
    /// With rounds of `ops` operations of each thread.
    pub fn of(ops: usize) -> Scaling {
        Scaling { ops, one: Vec::new(), two: Vec::new() }
    }

    /// A round on one thread and a round on two, each followed by `settle`.
    pub fn round(
        &mut self,
        round: usize,
        work: &(impl Fn(usize, usize) + Sync),
        settle: impl Fn(),
    ) {
        self.one.push(time(self.ops, || work(0, round)));
        settle();
        self.two.push(two_threads(|thread| work(thread, round + 1)) / (2 * self.ops) as f64);
        settle();
    }

    /// The medians, and the rate on two as a multiple of that on one.
    pub fn medians(self) -> (f64, f64, f64) {
        let (one, two) = (median(self.one), median(self.two));
        (one, two, one / two)
    }
}

/// Nanoseconds from the moment when both threads, on a core each, are ready until both are done.
/// Left to the scheduler, a thread as young as this one often shares its parent's core for the
/// whole of a round.
fn two_threads(work: impl Fn(usize) + Sync) -> f64 {
    let ready = std::sync::atomic::AtomicUsize::new(0);
    let meet = || {
        ready.fetch_add(1, Ordering::SeqCst);
        while ready.load(Ordering::SeqCst) < 2 {
            std::hint::spin_loop();
        }
    };
    let cores = cores();
    let run = |thread: usize| {
        pin(&cores[thread..=thread]);
        meet();
        let start = Instant::now();
        work(thread);
        start.elapsed().as_nanos() as f64
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(1));
        let own = run(0);
        pin(&cores);
        own.max(other.join().expect("a thread"))
    })
}

/// The cores that the calling thread may run on.
fn cores() -> Vec<usize> {
    // SAFETY: all zeros is the empty set; the kernel writes no more than the set's size.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size_of_val(&set), &mut set), 0);
        (0..libc::CPU_SETSIZE as usize).filter(|&core| libc::CPU_ISSET(core, &set)).collect()
    }
}

/// Has the calling thread run on `cores` only.
fn pin(cores: &[usize]) {
    // SAFETY: all zeros is the empty set, and each core is one that the kernel named.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cores.iter().for_each(|&core| libc::CPU_SET(core, &mut set));
        assert_eq!(libc::sched_setaffinity(0, size_of_val(&set), &set), 0);
    }
}
