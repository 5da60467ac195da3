//! How often a transaction that met another is tried again, and how long it waits in between.

use crate::error::{Error, ErrorKind, Result};
use crate::stdx::prng::mix;
use crate::stdx::thread;
use std::time::Duration;

/// A limit of tries, and of the pause between two.
///
/// In the first pauses a thread keeps its core; from the fifth conflict in a row on it sleeps, and
/// pauses double from 2 µs up to `pause_max`, each shortened by a random part, so that two that met
/// once do not meet again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retry {
    /// Tries in all, at least 1.
    pub tries: u32,
    /// The longest pause.
    pub pause_max: Duration,
}

impl Default for Retry {
    /// 1,000 tries, pauses of up to 1 ms.
    fn default() -> Retry {
        Retry { tries: 1_000, pause_max: Duration::from_millis(1) }
    }
}

/// Conflicts in a row up to which a thread keeps its core.
const SPINS: u32 = 4;

impl Retry {
    /// As [`default`](Retry::default), with so many tries.
    pub fn times(tries: u32) -> Retry {
        Retry { tries, ..Retry::default() }
    }

    /// Tries something until it does not conflict.
    ///
    /// # Errors
    /// Its own; `RetriesExhausted`.
    #[inline]
    pub(crate) fn run<R>(&self, mut attempt: impl FnMut() -> Result<R>) -> Result<R> {
        let mut conflicts = 0;
        loop {
            match attempt() {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    conflicts += 1;
                    self.after(conflicts, error.message())?;
                }
                done => return done,
            }
        }
    }

    /// Waits after the `conflicts`th conflict in a row, from 1, the last of which said `last`.
    ///
    /// # Errors
    /// `RetriesExhausted` if that was the last try.
    #[cold]
    pub(crate) fn after(&self, conflicts: u32, last: &str) -> Result<()> {
        if conflicts >= self.tries {
            let message = format!("{conflicts} tries met other transactions; the last: {last}");
            return Err(Error::new(ErrorKind::RetriesExhausted, message));
        }
        self.wait(conflicts);
        Ok(())
    }

    /// Waits after the `conflicts`th conflict in a row, from 1.
    fn wait(&self, conflicts: u32) {
        if conflicts <= SPINS {
            return thread::pause(16 << conflicts);
        }
        let doublings = (conflicts - SPINS).min(20);
        let longest = Duration::from_micros(1 << doublings).min(self.pause_max);
        let part = mix(u64::from(thread::index()) << 32 | u64::from(conflicts)) % 1_000;
        thread::sleep(longest.mul_f64(1.0 - part as f64 / 2_000.0));
    }
}
