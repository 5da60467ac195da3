//! Snapshots: which LSNs can still be read, and so which older versions must be kept.
//!
//! A snapshot stands at a closed LSN. While it is open, whoever changes a page whose content it may
//! read keeps that content as a version (`page::slot`). Taking one costs O(lanes) and stops
//! nobody; with no snapshot open a writer pays one comparison.
//!
//! Invariants:
//! - [`Clock::newest_snapshot`](crate::log::clock::Clock::newest_snapshot) is at least the newest
//!   open snapshot's LSN, and it is set before the floor is raised, so that every writer above the
//!   snapshot sees it.
//! - Versions are reclaimed with the list of open snapshots locked: one that is just being opened,
//!   for which a writer may already have kept something, is either in the list or not announced.
//!
//! Lock order: the list, then a page.

use crate::log::Log;
use crate::page::table::Table;
use crate::stdx::sync::Mutex;
use crate::types::{Lsn, PageId};
use std::sync::atomic::Ordering;

/// The open snapshots of a state.
#[derive(Default)]
pub struct Snapshots {
    /// Ascending; the same LSN may stand more than once.
    open: Mutex<Vec<Lsn>>,
}

impl Snapshots {
    /// Opens a snapshot at a closed LSN above everything that was published, and returns the LSN.
    pub fn open(&self, log: &Log) -> Lsn {
        let mut open = self.open.lock();
        let announce = |lsn: Lsn| log.clock.newest_snapshot.store(lsn.0, Ordering::SeqCst);
        let lsn = log.close_lsn(announce);
        open.push(lsn);
        lsn
    }

    /// Closes a snapshot and gives back what only it could read.
    pub fn close(&self, log: &Log, table: &Table, lsn: Lsn) {
        let mut open = self.open.lock();
        if let Some(at) = open.iter().rposition(|&other| other == lsn) {
            open.remove(at);
        }
        let newest = open.last().map_or(0, |newest| newest.0);
        log.clock.newest_snapshot.store(newest, Ordering::SeqCst);
        table.reclaim(&open);
    }

    /// Gives back the versions of a page that nobody can read any more.
    pub fn reclaim_page(&self, table: &Table, id: PageId) {
        table.reclaim_page(id, &self.open.lock());
    }

    /// Open snapshots.
    pub fn count(&self) -> usize {
        self.open.lock().len()
    }
}
