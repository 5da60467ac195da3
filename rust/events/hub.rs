//! Where a state's events go: to all of its subscriptions.

use super::ring::Ring;
use super::{Event, EventKind};
use crate::stdx::sync::Mutex;
use crate::types::{Lsn, PageId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The subscriptions of a state.
#[derive(Default)]
pub struct Hub {
    /// Whether there may be any. Changed with the rings locked; writers read it with what they
    /// change still locked.
    watched: AtomicBool,
    rings: Mutex<Vec<Arc<Ring>>>,
}

impl Hub {
    /// Whether anybody may want to be told.
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Tells a ring from now on.
    pub fn add(&self, ring: Arc<Ring>) {
        let mut rings = self.rings.lock();
        rings.push(ring);
        self.watched.store(true, Ordering::SeqCst);
    }

    /// Tells all of events that belong together: each ring gets those that it wants, or, where they
    /// do not fit, none.
    pub fn put(&self, group: &[Event]) {
        let mut rings = self.rings.lock();
        rings.retain(|ring| ring.put(group));
        if rings.is_empty() {
            self.watched.store(false, Ordering::SeqCst);
        }
    }

    /// Tells of one thing.
    pub fn tell(&self, kind: EventKind, lsn: Lsn) {
        if self.is_watched() {
            self.put(&[Event::new(kind, lsn)]);
        }
    }

    /// Tells that the group `lsn` left derived pages stale. Before the group's locks are given
    /// back, or under those that whoever brings these pages up to date takes: else a page's events
    /// may come in another order than its LSNs.
    #[cfg_attr(not(test), expect(dead_code, reason = "for derived pages"))]
    pub fn stale(&self, lsn: Lsn, pages: impl Iterator<Item = PageId>) {
        if self.is_watched() {
            let stale = |page| Event { page, ..Event::new(EventKind::Stale, lsn) };
            let stale: Vec<Event> = pages.map(stale).collect();
            self.put(&stale);
        }
    }

    /// Ends all: what waits can still be had, then they are closed.
    pub fn end(&self) {
        let mut rings = self.rings.lock();
        rings.drain(..).for_each(|ring| ring.end());
        self.watched.store(false, Ordering::SeqCst);
    }
}
