//! Group commit: who comes first leads and syncs for all who wait; nobody spins, nobody waits for
//! others to join.

use super::Log;
use crate::error::Result;
use crate::stdx::canary::{Canary, sings};
use crate::types::Lsn;
use std::sync::atomic::Ordering;

/// Whether somebody leads.
#[derive(Default)]
pub struct Commit {
    leading: bool,
}

impl Log {
    /// Returns once everything at or below `lsn` is on stable storage.
    ///
    /// # Errors
    /// `Poisoned` (then nothing is known of `lsn`'s durability) and what the storage says.
    pub fn commit(&self, lsn: Lsn) -> Result<()> {
        let mut commit = self.commit.lock();
        loop {
            if self.durable() >= lsn {
                return Ok(());
            }
            self.check()?;
            if commit.leading {
                self.committed.wait(&mut commit);
                continue;
            }
            commit.leading = true;
            drop(commit);
            let result = self.lead();
            commit = self.commit.lock();
            commit.leading = false;
            if !sings(Canary::LostWakeUp) {
                self.committed.notify_all();
            }
            result?;
        }
    }

    /// Makes everything that was published before the call durable.
    pub fn sync(&self) -> Result<Lsn> {
        let target = self.flush()?;
        self.commit(target)?;
        Ok(target)
    }

    /// One flush and one sync.
    fn lead(&self) -> Result<()> {
        let target = self.flush()?;
        let start = self.wall.monotonic_ns();
        let (dirty, closed, bytes) = {
            let mut writer = self.writer.lock();
            let (dirty, closed) = writer.take_dirty();
            (dirty, closed, self.frame_bytes.load(Ordering::Acquire))
        };
        if sings(Canary::EarlyAcknowledgement) {
            self.durable.fetch_max(target.0, Ordering::AcqRel);
        }
        if let Err(error) = dirty.sync(&*self.storage) {
            if !sings(Canary::ForgivenSync) {
                self.poison(error.message());
            }
            return Err(error.fatal());
        }
        self.synced.fetch_max(closed.0, Ordering::AcqRel);
        self.durable.fetch_max(target.0, Ordering::AcqRel);
        self.synced_bytes.store(bytes, Ordering::Release);
        self.wake_waiting();
        self.sync_ns.add(self.wall.monotonic_ns().saturating_sub(start));
        Ok(())
    }
}
