//! The events that wait for one subscription.

use super::{Event, EventFilter, EventKind, Lost};
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::stdx::sync::{Condvar, Mutex};
use crate::types::Lsn;
use std::collections::VecDeque;
use std::time::Duration;

/// Events that a reader takes before it lets writers have the ring: a few microseconds of copying.
pub const POLLED_AT_ONCE: usize = 1024;

/// A bounded queue of events.
pub struct Ring {
    filter: EventFilter,
    waiting: Mutex<Waiting>,
    /// Told when something waits, and when the ring ends.
    arrived: Condvar,
}

/// What waits, and what could not.
///
/// `events` holds `capacity` of them and a word that more are lost: whoever loses puts that word
/// last, or adds to the one that is there.
#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// Groups at or below it are not told.
    after: Lsn,
    lost: Lost,
    ended: bool,
}

impl Ring {
    /// A ring with room for all that the filter, which has passed its check, lets wait.
    pub fn new(mut filter: EventFilter) -> Result<Ring> {
        if let Some(pages) = &mut filter.pages {
            pages.sort_unstable();
            pages.dedup();
        }
        let mut events = VecDeque::new();
        // All of it now: a writer must not wait while a queue moves.
        let room = filter.capacity + 1;
        if events.try_reserve_exact(room).is_err() {
            bail!(OutOfMemory, "no memory for {room} events that may wait");
        }
        let waiting = Mutex::new(Waiting { events, ..Waiting::default() });
        Ok(Ring { filter, waiting, arrived: Condvar::new() })
    }

    /// Adds what passes the filter, all or none of it. `false` once the ring has ended.
    pub fn put(&self, group: &[Event]) -> bool {
        let passing = group.iter().filter(|event| self.filter.passes(event, group));
        let count = passing.clone().count();
        let mut waiting = self.waiting.lock();
        let Some(first) = group.first().filter(|_| count > 0 && !waiting.ended) else {
            return !waiting.ended;
        };
        if first.is_at_or_below(waiting.after) {
            return true;
        }
        // Nobody waits for what is there already.
        let is_awaited = waiting.events.is_empty();
        if waiting.events.len() + count > self.filter.capacity {
            waiting.lose(first.lsn, count as u64);
        } else {
            waiting.events.extend(passing);
        }
        drop(waiting);
        if is_awaited {
            self.arrived.notify_all();
        }
        true
    }

    /// Forgets what it was told of groups at or below `lsn`, and is told of none from now on.
    pub fn begin_after(&self, lsn: Lsn) {
        let mut waiting = self.waiting.lock();
        waiting.after = lsn;
        waiting.events.retain(|event| !event.is_at_or_below(lsn));
    }

    /// The LSN above which it is told of groups.
    pub fn after(&self) -> Lsn {
        self.waiting.lock().after
    }

    /// Ends the ring: what waits can still be taken.
    pub fn end(&self) {
        self.waiting.lock().ended = true;
        self.arrived.notify_all();
    }

    /// Ends the ring, and drops what waits, with its memory.
    pub fn close(&self) {
        let mut waiting = self.waiting.lock();
        waiting.ended = true;
        let events = std::mem::take(&mut waiting.events);
        drop(waiting);
        drop(events);
        self.arrived.notify_all();
    }

    /// Takes the oldest events, as many as there are and have a place; returns their number.
    pub fn take(&self, places: &mut [Event]) -> Result<usize> {
        let mut taken = 0;
        loop {
            let mut waiting = self.waiting.lock();
            if waiting.events.is_empty() && waiting.ended && taken == 0 {
                return Err(ended());
            }
            let left = places.len() - taken;
            let count = waiting.events.len().min(left).min(POLLED_AT_ONCE);
            if count == 0 {
                return Ok(taken);
            }
            let events = waiting.events.drain(..count);
            places[taken..].iter_mut().zip(events).for_each(|(place, event)| *place = event);
            taken += count;
        }
    }

    /// Waits until `is_late`, or until there is something to take; returns whether there is. Each
    /// time it asks, `left` says how long to wait yet, `None` for good.
    pub fn wait(&self, mut left: impl FnMut() -> Option<Duration>) -> Result<bool> {
        let mut waiting = self.waiting.lock();
        while waiting.events.is_empty() {
            if waiting.ended {
                return Err(ended());
            }
            match left() {
                Some(Duration::ZERO) => return Ok(false),
                Some(left) => self.arrived.wait_for(&mut waiting, left),
                None => self.arrived.wait(&mut waiting),
            }
        }
        Ok(true)
    }

    /// Whether it has ended and nothing waits.
    pub fn is_over(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.ended && waiting.events.is_empty()
    }

    /// Events that wait.
    pub fn len(&self) -> usize {
        self.waiting.lock().events.len()
    }

    /// What did not fit so far.
    pub fn lost(&self) -> Lost {
        self.waiting.lock().lost
    }
}

impl Waiting {
    /// Counts a group that does not fit, and leaves word of it.
    fn lose(&mut self, lsn: Lsn, events: u64) {
        self.lost.events += events;
        self.lost.groups += 1;
        match self.events.back_mut() {
            Some(last) if last.kind == EventKind::Lost => {
                (last.lsn, last.count) = (last.lsn.min(lsn), last.count + events);
            }
            _ => {
                let lost = Event::new(EventKind::Lost, lsn);
                self.events.push_back(Event { count: events, ..lost });
            }
        }
    }
}

#[cold]
fn ended() -> Error {
    Error::new(ErrorKind::Closed, "the subscription, or its state, was closed")
}
