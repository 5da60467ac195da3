//! Events: what happened to pages, told to whoever asked to be told.
//!
//! ```text
//!   writer ── group ──> hub ──> ring ──> subscription: poll, wait
//!                          \──> ring ──> subscription
//! ```
//!
//! Knows ids and LSNs, no contents; may call `env` and `stdx`. The state says what happened.
//!
//! Invariants:
//! - A group is put with all that it changes still locked, after it was published: so each page's
//!   events ascend by LSN, and what an event tells of can be read.
//! - All rings get all groups in one order. A group stands in a ring contiguously, or was dropped
//!   from it whole.
//! - Nobody who puts waits for a reader: a ring that is full drops, and counts. A reader holds a
//!   ring for [`POLLED_AT_ONCE`](ring::POLLED_AT_ONCE) events at most.
//! - With no subscription a writer pays one load of a flag that nobody writes.
//!
//! Lock order: the hub, then a ring; both after everything else of a state.

mod hub;
mod ring;
mod subscription;
#[cfg(test)]
mod tests;

pub(crate) use hub::Hub;
pub(crate) use ring::Ring;
pub use subscription::{Lost, Subscription};

use crate::bail;
use crate::error::Result;
use crate::limits::{EVENT_PAGES_MAX, EVENTS_DEFAULT, EVENTS_MAX};
use crate::types::{EdgeKind, Epoch, Lsn, PageId};

/// What happened. Permanent numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[non_exhaustive]
pub enum EventKind {
    /// A page came into being, or came back.
    Created = 1,
    /// A page's content changed.
    Changed = 2,
    /// A page was freed.
    Freed = 3,
    /// A derived page is no longer what its parents make of it.
    Stale = 4,
    /// A page derives from another from now on.
    EdgeAdded = 5,
    /// A page derives from another no longer.
    EdgeRemoved = 6,
    /// A metadata key of a page changed.
    Metadata = 7,
    /// A page belongs to somebody else.
    Ownership = 8,
    /// A group is complete: what it did stands before.
    Committed = 9,
    /// A checkpoint was made.
    Checkpoint = 10,
    /// The state refuses writes from now on.
    Poisoned = 11,
    /// Events are missing here: the subscription was full.
    Lost = 12,
}

impl EventKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: &'static [EventKind] = &[
        EventKind::Created,
        EventKind::Changed,
        EventKind::Freed,
        EventKind::Stale,
        EventKind::EdgeAdded,
        EventKind::EdgeRemoved,
        EventKind::Metadata,
        EventKind::Ownership,
        EventKind::Committed,
        EventKind::Checkpoint,
        EventKind::Poisoned,
        EventKind::Lost,
    ];

    /// The kind's bit in a mask of kinds.
    pub const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// The kind's name, the same in all languages.
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Created => "created",
            EventKind::Changed => "changed",
            EventKind::Freed => "freed",
            EventKind::Stale => "stale",
            EventKind::EdgeAdded => "edge_added",
            EventKind::EdgeRemoved => "edge_removed",
            EventKind::Metadata => "metadata",
            EventKind::Ownership => "ownership",
            EventKind::Committed => "committed",
            EventKind::Checkpoint => "checkpoint",
            EventKind::Poisoned => "poisoned",
            EventKind::Lost => "lost",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// The group that did it. Of a checkpoint: where it stands. Of a poisoned state: what is
    /// durable. Of lost events: the least of the groups that are missing.
    pub lsn: Lsn,
    /// What happened.
    pub kind: EventKind,
    /// What an edge says; of no meaning for other kinds.
    pub edge: EdgeKind,
    /// The page that it happened to, the child of an edge; 0 for none.
    pub page: PageId,
    /// The parent of an edge; 0 for other kinds.
    pub other: PageId,
    /// The page's epoch afterwards; 0 where there is none.
    pub epoch: Epoch,
    /// Of a committed group: the events that stand before it, if nothing was filtered out. Of lost
    /// ones: how many. 0 for other kinds.
    pub count: u64,
}

impl Event {
    /// What stands in places that no event has come to yet.
    pub const NONE: Event = Event::new(EventKind::Committed, Lsn::ZERO);

    /// An event that is not of a page.
    pub(crate) const fn new(kind: EventKind, lsn: Lsn) -> Event {
        let (edge, page, other) = (EdgeKind::Data, PageId(0), PageId(0));
        Event { lsn, kind, edge, page, other, epoch: 0, count: 0 }
    }

    /// Whether it is of a group at or below `lsn`.
    fn is_at_or_below(&self, lsn: Lsn) -> bool {
        use EventKind::{Checkpoint, Lost, Poisoned};
        self.lsn <= lsn && !matches!(self.kind, Checkpoint | Lost | Poisoned)
    }
}

/// Which events a subscription wants, and how many of them may wait for it.
///
/// ```
/// use mmsb::{EventFilter, EventKind};
/// let filter = EventFilter { capacity: 1024, ..EventFilter::of(&[EventKind::Changed]) };
/// assert_eq!(filter.kinds, EventKind::Changed.bit());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventFilter {
    /// The kinds, as [bits](EventKind::bit). [`EventKind::Lost`] is always told.
    pub kinds: u64,
    /// The pages; `None` for all. Of an edge either end counts, a committed group is told if it
    /// did anything to one of them, and what is not of a page is told always. At most
    /// [`EVENT_PAGES_MAX`].
    pub pages: Option<Vec<PageId>>,
    /// Events that may wait: 1 to [`EVENTS_MAX`], [`EVENTS_DEFAULT`] by default. Each takes 48
    /// bytes.
    pub capacity: usize,
}

impl EventFilter {
    /// All kinds, as bits.
    pub const KINDS_ALL: u64 = {
        let (mut bits, mut at) = (0, 0);
        while at < EventKind::ALL.len() {
            bits |= EventKind::ALL[at].bit();
            at += 1;
        }
        bits
    };

    /// These kinds, of all pages.
    pub fn of(kinds: &[EventKind]) -> EventFilter {
        let kinds = kinds.iter().fold(0, |bits, kind| bits | kind.bit());
        EventFilter { kinds, ..EventFilter::default() }
    }

    /// Refuses more pages than a filter may name.
    pub(crate) fn check_pages(count: usize) -> Result<()> {
        if count > EVENT_PAGES_MAX {
            bail!(TooLarge, "a filter of {count} pages; the limit is {EVENT_PAGES_MAX}");
        }
        Ok(())
    }

    /// Refuses what no subscription can be made of.
    pub(crate) fn check(&self) -> Result<()> {
        let (kinds, capacity) = (self.kinds, self.capacity);
        if kinds == 0 || kinds & !Self::KINDS_ALL != 0 {
            let all = Self::KINDS_ALL;
            bail!(InvalidArgument, "kinds {kinds:#x} of events; bits of {all:#x}, at least one");
        }
        if !(1..=EVENTS_MAX).contains(&capacity) {
            bail!(SizeOutOfRange, "room for {capacity} events; 1 to {EVENTS_MAX} can be had");
        }
        Self::check_pages(self.pages.as_ref().map_or(0, Vec::len))
    }

    /// Whether an event of a page concerns one that is asked for.
    fn concerns(&self, event: &Event) -> bool {
        let Some(pages) = &self.pages else { return true };
        let is_asked_for = |id: PageId| id.0 != 0 && pages.binary_search(&id).is_ok();
        is_asked_for(event.page) || is_asked_for(event.other)
    }

    /// Whether the event, one of `group`, is told.
    fn passes(&self, event: &Event, group: &[Event]) -> bool {
        self.kinds & event.kind.bit() != 0
            && match event.kind {
                EventKind::Committed => group.iter().any(|event| self.concerns(event)),
                EventKind::Checkpoint | EventKind::Poisoned => true,
                _ => self.concerns(event),
            }
    }
}

impl Default for EventFilter {
    /// Everything.
    fn default() -> EventFilter {
        EventFilter { kinds: Self::KINDS_ALL, pages: None, capacity: EVENTS_DEFAULT }
    }
}
