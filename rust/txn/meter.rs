//! What transactions came to, and how long they took.

use crate::stdx::counter::Counters;
use crate::stdx::hist::{Histogram, Latency};

/// Every 64th transaction of a thread is timed: reading the clock twice takes as long as a small one.
const TIMED_EVERY: u64 = 64;

/// What became of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It committed, and all pages that it touched belong to its partition.
    Owned = 0,
    /// It committed, and touched shared pages.
    Shared = 1,
    /// It met another.
    Conflict = 2,
    /// It was tried as often as its caller allowed.
    Exhausted = 3,
    /// It committed, and touched private pages.
    Sealed = 4,
}

impl Outcome {
    const ALL: usize = 5;
}

/// A state's counts of outcomes, and the time of those that committed.
#[derive(Default)]
pub struct Meter {
    counts: Counters<{ Outcome::ALL }>,
    commit_ns: Histogram,
}

/// Counts of outcomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TransactionStats {
    /// Committed ones of a partition that touched its own pages alone.
    pub owned: u64,
    /// All other committed ones that changed something, and touched no private page.
    pub shared: u64,
    /// Committed ones that touched private pages: each of those was opened, and sealed anew if it changed.
    pub sealed: u64,
    /// Tries that met another transaction.
    pub conflicts: u64,
    /// Transactions that were given up after as many tries as they had.
    pub exhausted: u64,
    /// Time from a try's beginning to its commit, of every 64th.
    pub time: Latency,
}

impl Meter {
    /// Counts an outcome.
    #[inline]
    pub fn count(&self, outcome: Outcome) {
        let mut counts = [0; Outcome::ALL];
        counts[outcome as usize] = 1;
        self.counts.add(counts);
    }

    /// Whether the transaction that the calling thread begins is to be timed.
    #[inline]
    pub fn is_timed(&self) -> bool {
        let own = self.counts.own();
        (own[0] + own[1] + own[4]).is_multiple_of(TIMED_EVERY)
    }

    /// Adds the time of one.
    pub fn time(&self, ns: u64) {
        self.commit_ns.add(ns);
    }

    /// What there was so far.
    pub fn read(&self) -> TransactionStats {
        let [owned, shared, conflicts, exhausted, sealed] =
            std::array::from_fn(|at| self.counts.sum(at));
        let time = self.commit_ns.read();
        TransactionStats { owned, shared, sealed, conflicts, exhausted, time }
    }

    /// Forgets all.
    pub fn reset(&mut self) {
        self.counts.set([0; Outcome::ALL]);
        self.commit_ns.clear();
    }
}
