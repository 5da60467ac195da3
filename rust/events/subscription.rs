//! A subscription as its owner sees it.

use super::Event;
use super::ring::Ring;
use crate::env::Clock;
use crate::error::Result;
use crate::types::Lsn;
use std::sync::Arc;
use std::time::Duration;

/// What happens to a state, as a queue of [events](Event), from [`State::subscribe`] on. Dropping it
/// closes it. It may outlive its state.
///
/// Any number of threads may use one subscription; each event goes to one of them.
///
/// [`State::subscribe`]: crate::State::subscribe
pub struct Subscription {
    ring: Arc<Ring>,
    clock: Arc<dyn Clock>,
}

/// What a subscription was not told, as it was full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Events, of those that it wanted.
    pub events: u64,
    /// Groups, whole.
    pub groups: u64,
}

impl Subscription {
    /// What reads the ring.
    pub(crate) fn of(ring: Arc<Ring>, clock: Arc<dyn Clock>) -> Subscription {
        Subscription { ring, clock }
    }

    /// The closed LSN that it begins at: it is told of every group above, and of none at or below.
    pub fn since(&self) -> Lsn {
        self.ring.after()
    }

    /// Takes the oldest events that wait, `max` at most; none if none wait.
    ///
    /// # Errors
    /// `Closed` once nothing is left of a subscription that was closed, or whose state was.
    ///
    /// Cost: about 2 ns an event. Writers wait for a thousand of them at most.
    pub fn poll(&self, max: usize) -> Result<Vec<Event>> {
        let mut events = vec![Event::NONE; max.min(self.ring.len())];
        let count = self.ring.take(&mut events)?;
        events.truncate(count);
        Ok(events)
    }

    /// As [`poll`](Self::poll), into places of the caller's; returns how many were filled.
    pub fn poll_into(&self, places: &mut [Event]) -> Result<usize> {
        self.ring.take(places)
    }

    /// Waits until an event waits, for `timeout` at most, `None` for as long as it takes. Returns
    /// whether one does.
    ///
    /// # Errors
    /// `Closed` as for [`poll`](Self::poll): whoever waits is woken by it.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let now = || self.clock.monotonic_ns();
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let end = timeout.map(|timeout| now().saturating_add(nanos(timeout)));
        self.ring.wait(|| end.map(|end| Duration::from_nanos(end.saturating_sub(now()))))
    }

    /// The events, one after the other; waits for each, and ends when the subscription or its state
    /// was closed.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        std::iter::from_fn(|| {
            let mut event = [Event::NONE];
            loop {
                match self.poll_into(&mut event) {
                    Ok(0) => self.wait(None).ok().map(drop)?,
                    Ok(_) => return Some(event[0]),
                    Err(_) => return None,
                }
            }
        })
    }

    /// All that it was not told so far. Where that is in the queue, an event of the kind
    /// [`Lost`](super::EventKind::Lost) stands.
    pub fn lost(&self) -> Lost {
        self.ring.lost()
    }

    /// Whether it, or its state, was closed, and nothing is left to be had.
    pub fn is_closed(&self) -> bool {
        self.ring.is_over()
    }

    /// Ends it, and wakes whoever waits for it; what waits is dropped. Again changes nothing.
    pub fn close(&self) {
        self.ring.close();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.ring.close();
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscription({} events wait)", self.ring.len())
    }
}
