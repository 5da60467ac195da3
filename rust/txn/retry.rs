//! How often a transaction that met another is tried again, and how long it waits in between.

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

    /// Waits after the `conflicts`th conflict in a row, from 1.
    pub(crate) fn wait(&self, conflicts: u32) {
        if conflicts <= SPINS {
            return thread::pause(16 << conflicts);
        }
        let doublings = (conflicts - SPINS).min(20);
        let longest = Duration::from_micros(1 << doublings).min(self.pause_max);
        let part = mix(u64::from(thread::index()) << 32 | u64::from(conflicts)) % 1_000;
        thread::sleep(longest.mul_f64(1.0 - part as f64 / 2_000.0));
    }
}
