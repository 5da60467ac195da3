//! What a state tells its subscriptions: the entries of its groups, as they stand in the log.

use super::State;
use super::core::Core;
use super::op::Op;
use crate::error::Result;
use crate::events::{Event, EventFilter, EventKind, Ring, Subscription};
use crate::log::{Append, Entry, Record};
use crate::types::{Lsn, Staleness};
use smallvec::SmallVec;
use std::sync::Arc;

#[cfg(test)]
mod tests;

type Told = SmallVec<[Event; 2]>;

impl State {
    /// Tells of everything that happens from now on and passes the filter.
    ///
    /// A group's events come together, in the order of its entries in the log, followed by one that
    /// says that it is committed. They tell of what can be read; whether it is durable, a
    /// [`sync`](State::sync) says. Each page's events ascend by LSN. Groups that have no page in
    /// common may come in another order than their LSNs, the same for all subscriptions.
    ///
    /// It begins at a closed LSN ([`Subscription::since`]). Whoever reads the state afterwards, by
    /// a snapshot or page by page, and then goes on with the events misses nothing.
    ///
    /// Writers never wait for a subscription. A group that does not fit what may wait is dropped
    /// whole; an event of the kind [`Lost`](EventKind::Lost) stands there instead, with the least
    /// LSN that is missing: [`query`](State::query) has what happened from there on.
    ///
    /// # Errors
    /// `InvalidArgument`, `SizeOutOfRange` and `TooLarge` for the filter, `OutOfMemory`, `Closed`.
    ///
    /// Cost: memory for all events that may wait, and closing the log once. A writer pays about
    /// 60 ns for the first subscription, and 30 for each other.
    ///
    /// ```
    /// # use mmsb::{Config, EventFilter, EventKind, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let events = state.subscribe(EventFilter::default())?;
    /// let page = state.create_page(8, Note::NONE)?;
    /// let kinds: Vec<_> = events.poll(10)?.iter().map(|event| event.kind).collect();
    /// assert_eq!(kinds, [EventKind::Created, EventKind::Committed]);
    /// # Ok(()) }
    /// ```
    pub fn subscribe(&self, filter: EventFilter) -> Result<Subscription> {
        self.check_open()?;
        filter.check()?;
        let core = self.core();
        let ring = Arc::new(Ring::new(filter)?);
        let hub = core.events.clone();
        core.log.tell_poisoned(Box::new(move |durable| hub.tell(EventKind::Poisoned, durable)));
        core.events.add(ring.clone());
        // Every group above it has seen that somebody watches.
        ring.begin_after(core.log.close_lsn(|_| ()));
        Ok(Subscription::of(ring, core.wall.clone()))
    }
}

impl Core {
    /// Publishes a group, the first `len` bytes of its buffer, and tells of it. With everything
    /// that it changes locked.
    #[inline]
    pub(super) fn publish(&self, mut append: Append<'_>, len: usize) {
        // Out of the lane before it is published: afterwards the flusher may have it.
        let told = self.events.is_watched().then(|| told(append.buf(), len));
        append.publish(len);
        if let Some(told) = told {
            self.tell(&told);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell(&self, told: &Told) {
        self.events.put(told);
    }
}

/// The events of a group, of the record in the first `len` bytes of `buf`.
#[cold]
#[inline(never)]
fn told(buf: &[u8], len: usize) -> Told {
    let mut told = Told::new();
    let Ok(record) = Record::just_written(&buf[..len]) else { return told };
    told.extend(record.entries().filter_map(|entry| event(record.lsn, &entry.ok()?)));
    let count = told.len() as u64;
    told.push(Event { count, ..Event::new(EventKind::Committed, record.lsn) });
    told
}

/// What an entry tells; `None` if that is nothing.
fn event(lsn: Lsn, entry: &Entry<'_>) -> Option<Event> {
    let mut event = Event::new(EventKind::Changed, lsn);
    (event.page.0, event.epoch) = (entry.head.object, entry.head.epoch);
    event.kind = match Op::decode(entry).ok()? {
        Op::Create { .. } | Op::Restore { .. } => EventKind::Created,
        Op::Free => EventKind::Freed,
        Op::Write(_) | Op::Seal(_) | Op::Derive | Op::Result(_) => EventKind::Changed,
        Op::Stale(Staleness::Fresh) | Op::Rule(_) => return None,
        Op::Stale(_) => EventKind::Stale,
        Op::Meta { .. } => EventKind::Metadata,
        Op::Own(_) => EventKind::Ownership,
        Op::Edge { link, there } => {
            (event.other, event.edge) = (link.page, link.kind);
            if there { EventKind::EdgeAdded } else { EventKind::EdgeRemoved }
        }
    };
    Some(event)
}
