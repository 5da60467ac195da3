//! Where a state's events go: to all of its subscriptions.

use super::ring::Ring;
use super::{Event, EventKind};
use crate::stdx::sync::Mutex;
use crate::types::Lsn;
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

    /// Ends all: what waits can still be had, then they are closed.
    pub fn end(&self) {
        let mut rings = self.rings.lock();
        rings.drain(..).for_each(|ring| ring.end());
        self.watched.store(false, Ordering::SeqCst);
    }
}
