//! The commit of a transaction, in every schedule: reads without a lock, locks in ascending order, the
//! comparison of versions, the lane and its tick.
//!
//! Locks and peeking, lanes, and closing are the engine's own. What stands between them is a short
//! copy of `commit_group`: a whole state is beyond what can be explored.

use crate::log::clock::{Clock, Heads, LaneClock};
use crate::stdx::lock::loom_tests::{PageLock, glimpse};
use loom::sync::Arc;
use loom::thread;

/// Two pages, and a lane for each of two threads.
struct World {
    clock: Clock,
    lanes: [LaneClock; 2],
    pages: [PageLock; 2],
}

/// What a transaction that committed had read, each page's version, and its own tick.
struct Committed {
    read: Vec<u64>,
    tick: u64,
}

impl World {
    fn new() -> Arc<World> {
        let (lanes, pages) = Default::default();
        Arc::new(World { clock: Clock::new(0), lanes, pages })
    }

    /// Reads pages without their locks, changes another, and commits in the lane `me`; `None` if
    /// somebody was in the way.
    fn transact(&self, me: usize, reads: &[usize], written: usize) -> Option<Committed> {
        let seen = |&at: &usize| glimpse(&self.pages[at]).map(|(version, _)| version);
        let read: Vec<u64> = reads.iter().map(seen).collect::<Option<_>>()?;
        let is_concerned = |at: &usize| *at == written || reads.contains(at);
        // Waiting for a lock has schedules without end.
        let lock = |at: usize| Some((at, self.pages[at].try_lock()?));
        let guards: Vec<_> = (0..2).filter(is_concerned).map(lock).collect::<Option<_>>()?;
        let version = |of: usize| {
            guards.iter().find(|(at, _)| *at == of).map_or(0, |(_, page)| page.version())
        };
        if reads.iter().zip(&read).any(|(&at, &seen)| version(at) != seen) {
            return None;
        }
        let lane = &self.lanes[me];
        let head = lane.enter(false)?;
        let after = version(0).max(version(1));
        let tick = lane.stamp(&self.clock, head, after);
        let changed = guards.iter().filter(|(at, _)| *at == written);
        changed.for_each(|(_, page)| page.change(tick, tick));
        lane.publish(head + 1, tick);
        Some(Committed { read, tick })
    }
}

/// Runs a model with up to so many preemptions.
fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Each of two reads both pages and changes one: at most one of them has seen neither changed.
#[test]
fn loom_write_skew_is_refused() {
    explore(3, || {
        let world = World::new();
        let other = {
            let world = world.clone();
            thread::spawn(move || world.transact(1, &[0, 1], 1))
        };
        let one = world.transact(0, &[0, 1], 0);
        let other = other.join().unwrap();
        let saw_nothing = |done: &Option<Committed>| {
            done.as_ref().is_some_and(|done| done.read.iter().all(|&version| version == 0))
        };
        assert!(!(saw_nothing(&one) && saw_nothing(&other)));
        if let (Some(one), Some(other)) = (&one, &other) {
            // Whoever came second has read what the first wrote, and comes after it in the log.
            let follows = |second: &Committed, first: &Committed| {
                second.read.contains(&first.tick) && second.tick > first.tick
            };
            assert!(follows(one, other) != follows(other, one));
        }
    });
}

/// One reads a page that another changes, and changes a page that the other knows nothing of. If it
/// has seen the page as it was, it comes before: no closed tick has the other without it.
#[test]
fn loom_closed_ticks_agree_with_what_was_read() {
    explore(3, || {
        let world = World::new();
        let spawn = |me: usize, reads: &'static [usize], written| {
            let world = world.clone();
            thread::spawn(move || world.transact(me, reads, written))
        };
        let (reader, writer) = (spawn(0, &[1], 0), spawn(1, &[], 1));
        let closed = world.clock.close(|| world.lanes.iter(), |_| (), &mut Heads::new());
        let (reader, writer) = (reader.join().unwrap(), writer.join().unwrap());
        if let (Some(reader), Some(writer)) = (reader, writer) {
            let (has_reader, has_writer) = (reader.tick <= closed, writer.tick <= closed);
            match reader.read[0] == 0 {
                true => assert!(has_reader || !has_writer),
                false => assert!(has_writer || !has_reader),
            }
        }
    });
}
