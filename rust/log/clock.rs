//! Ticks, the floor, and closing: how a prefix of the log becomes final without any cache line that
//! every writer writes.
//!
//! ```text
//!   writer (its lane)                         closer (one at a time)
//!   -----------------                         ----------------------
//!   word |= BUSY                              F = every lane's tick + slack
//!   barrier                                   floor = F
//!   read floor                                barrier
//!   first time it sees F: mark head, tick     each lane: wait until it is idle or has seen F
//!   tick = 1 + max(own, pages', floor)        heads at that moment hold exactly the ticks <= F
//!   write record, apply
//!   word = new head, idle   (Release)
//! ```
//!
//! Invariants, and who establishes them:
//! 1. Ticks grow within a lane and along every page ([`LaneClock::stamp`]).
//! 2. A group that began after the floor was raised to F has a tick above F: each side stores,
//!    passes a barrier, and loads what the other stored, so either the writer sees F or the closer
//!    sees it busy and waits. The barriers are sequentially consistent accesses, as the loom model
//!    below explores them; a thread that has its lane for itself leaves its half to the closer
//!    ([`barrier`]).
//! 3. A group that did not see F may still get a tick above F if lanes moved on between reading
//!    their ticks and raising the floor. The closer looks at the marks and then raises the floor
//!    again with more slack; it returns only an F at or above every unseeing group's tick. So what
//!    is at or below F is final, and whoever is above F has seen the floor F and everything that
//!    was stored before it (a snapshot's registration, for one).

use crate::stdx::barrier;
use crate::stdx::sync::{AtomicU32, AtomicU64, Backoff, Ordering, seq_cst_order};
use smallvec::SmallVec;

/// Set in [`LaneClock::word`] while a group is being written; the rest is the head, doubled.
const BUSY: u64 = 1;
/// Ticks by which the floor is raised above what lanes show, at first.
const SLACK: u64 = 64;

/// Read by every writer, written rarely: its cache lines stay shared.
#[repr(align(128))]
pub struct Clock {
    floor: AtomicU64,
    /// LSN of the newest open snapshot, 0 for none: older content must be kept before a change.
    pub newest_snapshot: AtomicU64,
    /// Why writes are refused; 0 when they are not. Checked by a writer after it is busy, so that
    /// whoever closes the log after setting it has seen the last write.
    pub gate: AtomicU32,
    /// Set while the flusher sleeps without a time limit: the next writer wakes it.
    pub asleep: AtomicU32,
    /// Whoever stores here what writers look at after they are busy, and then looks for busy
    /// lanes, pays for the barrier of both.
    pays: bool,
}

/// One lane's part of the clock, written by the thread that holds the lane.
#[repr(align(128))]
pub struct LaneClock {
    /// Bytes published, doubled, plus [`BUSY`].
    word: AtomicU64,
    /// Tick of the lane's last group.
    tick: AtomicU64,
    /// The last floor that the lane has seen, and its head and tick just before.
    floor_seen: AtomicU64,
    mark_head: AtomicU64,
    mark_tick: AtomicU64,
}

/// Lanes, and how much of each is closed.
pub type Heads<L> = SmallVec<[(L, u64); 16]>;

impl AsRef<LaneClock> for LaneClock {
    fn as_ref(&self) -> &LaneClock {
        self
    }
}

impl Clock {
    /// The floor.
    #[cfg(test)]
    pub fn floor(&self) -> u64 {
        self.floor.load(Ordering::Relaxed)
    }

    /// A clock whose first tick is above `floor`.
    pub fn new(floor: u64) -> Clock {
        Clock {
            floor: AtomicU64::new(floor),
            newest_snapshot: AtomicU64::new(0),
            gate: AtomicU32::new(0),
            asleep: AtomicU32::new(0),
            pays: barrier::is_available(),
        }
    }

    /// Whether a lane that one thread has for itself may be entered without a barrier.
    #[inline]
    pub fn pays(&self) -> bool {
        self.pays
    }

    /// Between a store that writers look at once they are busy and a look at their lanes.
    pub fn barrier(&self) {
        if self.pays { barrier::heavy() } else { seq_cst_order() }
    }

    /// Sets bits of the gate and waits until no group is being written that has not seen them: one
    /// that is begun later does. `lanes` is asked after they are set.
    pub fn hold<'a, I>(&self, bits: u32, lanes: impl FnOnce() -> I)
    where
        I: Iterator<Item = &'a LaneClock>,
    {
        self.gate.fetch_or(bits, Ordering::SeqCst);
        self.barrier();
        let mut backoff = Backoff::default();
        for lane in lanes() {
            while lane.is_busy() {
                backoff.wait();
            }
        }
    }

    /// Raises the floor without closing anything: ticks from now on are above `tick`.
    pub fn raise(&self, tick: u64) {
        self.floor.fetch_max(tick, Ordering::SeqCst);
    }

    /// Closes the log at a tick that it chooses and returns: no record at or below it can appear
    /// any more. `announce` is called with each candidate before writers can see it. `heads`
    /// receives the lanes, with the bytes that each published at or below the returned tick.
    ///
    /// One closer at a time: the caller holds the log's closing lock. `lanes` is asked again on
    /// each try, after the floor was raised, so that it may grow, at any place: who asks once more
    /// gets others.
    ///
    /// Cost: O(lanes), and waits for groups in flight.
    pub fn close<L, I>(
        &self,
        lanes: impl Fn() -> I,
        mut announce: impl FnMut(u64),
        heads: &mut Heads<L>,
    ) -> u64
    where
        L: AsRef<LaneClock>,
        I: Iterator<Item = L>,
    {
        let mut slack = SLACK;
        loop {
            let tick = |lane: L| lane.as_ref().tick.load(Ordering::Relaxed);
            let seen = lanes().map(tick).max().unwrap_or(0);
            let floor = self.floor.load(Ordering::Relaxed).max(seen) + slack;
            announce(floor);
            self.floor.store(floor, Ordering::SeqCst);
            self.barrier();
            heads.clear();
            let mut last = 0;
            for lane in lanes() {
                let (head, tick) = lane.as_ref().settle(floor);
                heads.push((lane, head));
                last = last.max(tick);
            }
            if last <= floor {
                return floor;
            }
            slack = slack.saturating_mul(4).min(1 << 32);
        }
    }
}

impl Default for LaneClock {
    /// A lane that has published nothing.
    fn default() -> LaneClock {
        LaneClock {
            word: AtomicU64::new(0),
            tick: AtomicU64::new(0),
            floor_seen: AtomicU64::new(0),
            mark_head: AtomicU64::new(0),
            mark_tick: AtomicU64::new(0),
        }
    }
}

impl LaneClock {
    /// Takes the lane; returns its head, or `None` while another thread holds it. `alone`: no
    /// other thread enters this lane, ever, and whoever looks at it [pays](Clock::pays).
    #[inline]
    pub fn enter(&self, alone: bool) -> Option<u64> {
        if alone {
            let word = self.word.load(Ordering::Relaxed);
            debug_assert!(word & BUSY == 0);
            self.word.store(word | BUSY, Ordering::Relaxed);
            barrier::light();
            return Some(word >> 1);
        }
        // Only the bit is asked for: with the whole word x86 needs a loop around `cmpxchg`.
        let taken = self.word.fetch_or(BUSY, Ordering::SeqCst) & BUSY != 0;
        seq_cst_order();
        // Nobody else changes the word while this thread holds it.
        (!taken).then(|| self.word.load(Ordering::Relaxed) >> 1)
    }

    /// The tick of the group that is about to be written, above `after` (the newest tick among
    /// what it reads or changes), the lane's last and the floor. Called once per group, by the
    /// lane's holder, with `head` as [`enter`](Self::enter) gave it and with everything that the
    /// group reads or changes locked.
    #[inline]
    pub fn stamp(&self, clock: &Clock, head: u64, after: u64) -> u64 {
        let floor = clock.floor.load(Ordering::SeqCst);
        let last = self.tick.load(Ordering::Relaxed);
        if floor != self.floor_seen.load(Ordering::Relaxed) {
            self.mark_head.store(head, Ordering::Relaxed);
            self.mark_tick.store(last, Ordering::Relaxed);
            self.floor_seen.store(floor, Ordering::Release);
        }
        1 + last.max(after).max(floor)
    }

    /// Publishes a group: its tick and the lane's new head. Gives the lane back.
    #[inline]
    pub fn publish(&self, head: u64, tick: u64) {
        self.tick.store(tick, Ordering::Relaxed);
        self.word.store(head << 1, Ordering::Release);
    }

    /// Gives the lane back with nothing published.
    #[inline]
    pub fn abandon(&self, head: u64) {
        self.word.store(head << 1, Ordering::Release);
    }

    /// Bytes published so far.
    #[inline]
    pub fn head(&self) -> u64 {
        self.word.load(Ordering::Acquire) >> 1
    }

    /// Whether a group is being written.
    pub fn is_busy(&self) -> bool {
        self.word.load(Ordering::SeqCst) & BUSY != 0
    }

    /// Waits until no group in this lane can be unaware of `floor`; returns head and tick of the
    /// last unaware one.
    fn settle(&self, floor: u64) -> (u64, u64) {
        let mut backoff = Backoff::default();
        loop {
            let word = self.word.load(Ordering::SeqCst);
            if self.floor_seen.load(Ordering::Acquire) == floor {
                return (
                    self.mark_head.load(Ordering::Relaxed),
                    self.mark_tick.load(Ordering::Relaxed),
                );
            }
            if word & BUSY == 0 {
                let tick = self.tick.load(Ordering::Acquire);
                if self.floor_seen.load(Ordering::Acquire) != floor
                    && self.word.load(Ordering::SeqCst) == word
                {
                    return (word >> 1, tick);
                }
            }
            backoff.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_tick_splits_each_lane() {
        let clock = Clock::new(0);
        let lanes = [LaneClock::default(), LaneClock::default()];
        for (lane, groups) in lanes.iter().zip([3, 5]) {
            for _ in 0..groups {
                let head = lane.enter(false).unwrap();
                let tick = lane.stamp(&clock, head, 0);
                lane.publish(head + 10, tick);
            }
        }
        let mut heads = Heads::new();
        let closed = clock.close(|| lanes.iter(), |_| (), &mut heads);
        assert_eq!(heads.iter().map(|&(_, head)| head).collect::<Vec<_>>(), [30, 50]);
        let head = lanes[0].enter(false).unwrap();
        assert!(lanes[0].enter(false).is_none());
        assert!(lanes[0].stamp(&clock, head, 0) > closed);
        lanes[0].abandon(head);
    }

    /// Two threads write as fast as they can on lanes of their own and share one "page" (a tick
    /// under a lock); a third closes. What a close returns must hold every tick at or below it.
    #[test]
    fn no_tick_appears_below_a_closed_one() {
        use std::sync::Mutex;
        use std::sync::atomic::AtomicUsize;
        for pays in [barrier::is_available(), false] {
            let clock = &Clock { pays, ..Clock::new(0) };
            let lanes = [LaneClock::default(), LaneClock::default()];
            let ticks = [Mutex::new(Vec::new()), Mutex::new(Vec::new())];
            let page = Mutex::new(0);
            let working = AtomicUsize::new(2);
            std::thread::scope(|scope| {
                for (lane, ticks) in lanes.iter().zip(&ticks) {
                    let (page, working) = (&page, &working);
                    scope.spawn(move || {
                        for _ in 0..20_000 {
                            let mut last = page.lock().unwrap();
                            let head = lane.enter(clock.pays()).unwrap();
                            let tick = lane.stamp(clock, head, *last);
                            assert!(tick > *last);
                            *last = tick;
                            ticks.lock().unwrap().push(tick);
                            lane.publish(head + 1, tick);
                        }
                        working.fetch_sub(1, Ordering::Relaxed);
                    });
                }
                let mut heads = Heads::new();
                while working.load(Ordering::Relaxed) > 0 {
                    let closed = clock.close(|| lanes.iter(), |_| (), &mut heads);
                    for (ticks, &(_, head)) in ticks.iter().zip(&heads) {
                        let ticks = ticks.lock().unwrap();
                        let below = ticks.iter().filter(|&&tick| tick <= closed).count() as u64;
                        assert_eq!(below, head, "closed {closed}");
                    }
                }
            });
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    /// Every schedule with up to three preemptions of two writers that share a page and one closer:
    /// what was published at or below the closed tick is exactly what the heads say, and nothing
    /// at or below comes later.
    #[test]
    fn loom_close_is_a_cut() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let clock = Arc::new(Clock::new(0));
            let lanes = Arc::new([LaneClock::default(), LaneClock::default()]);
            let page = Arc::new(Mutex::new(0));
            let writers: Vec<_> = (0..2)
                .map(|i| {
                    let (clock, lanes, page) = (clock.clone(), lanes.clone(), page.clone());
                    thread::spawn(move || {
                        let mut last = page.lock().unwrap();
                        let lane = &lanes[i];
                        let head = lane.enter(false).unwrap();
                        let tick = lane.stamp(&clock, head, *last);
                        *last = tick;
                        lane.publish(head + 1, tick);
                        tick
                    })
                })
                .collect();
            let mut heads = Heads::new();
            let closed = clock.close(|| lanes.iter(), |_| (), &mut heads);
            for (i, writer) in writers.into_iter().enumerate() {
                let tick = writer.join().unwrap();
                assert_eq!(u64::from(tick <= closed), heads[i].1);
            }
        });
    }

    /// A writer that looks at the gate with its lane entered, and somebody who shuts it and then
    /// changes things alone: nothing of the writer happens meanwhile.
    #[test]
    fn loom_who_goes_alone_meets_nobody() {
        const SHUT: u32 = 8;
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let clock = Arc::new(Clock::new(0));
            let lanes = Arc::new([LaneClock::default(), LaneClock::default()]);
            let written = Arc::new(AtomicU32::new(0));
            let writers: Vec<_> = (0..2)
                .map(|i| {
                    let (clock, lanes, written) = (clock.clone(), lanes.clone(), written.clone());
                    thread::spawn(move || {
                        let lane = &lanes[i];
                        let head = lane.enter(false).unwrap();
                        if clock.gate.load(Ordering::SeqCst) & SHUT != 0 {
                            lane.abandon(head);
                            return 0;
                        }
                        written.fetch_add(1, Ordering::Relaxed);
                        lane.publish(head + 1, 1);
                        1
                    })
                })
                .collect();
            clock.hold(SHUT, || lanes.iter());
            let before = written.load(Ordering::Relaxed);
            let count: u32 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
            assert_eq!((before, written.load(Ordering::Relaxed)), (count, count));
        });
    }
}
