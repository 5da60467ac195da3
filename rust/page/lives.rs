//! Whether pages came or went meanwhile: for who has listed them.
//!
//! ```text
//!   who creates or frees a page        who has listed pages and commits
//!   ---------------------------        --------------------------------
//!   note                               count
//!   enter the lane                     list the pages
//!   page begins or ends, publish       enter the lane, note its own pages, fence
//!                                      count is as before, but for its own: commit, else try again
//! ```
//!
//! A page that comes or goes beside such a commit, and is not counted by it, is one that nobody sees
//! before that commit: who creates or frees it holds no page that the committer holds, and one that
//! published before the committer locked its pages was counted. Of two that have listed, each notes
//! its own first: at least one sees the other.

use crate::stdx::counter::Counters;
use std::sync::atomic::{Ordering, fence};

/// Counts pages that begin and end, those included whose group fails.
#[derive(Default)]
pub struct Lives(Counters<1>);

impl Lives {
    /// A page is about to begin or to end. Before its group enters a lane.
    #[inline]
    pub fn note(&self) {
        self.0.add([1]);
    }

    /// How many did so far.
    pub fn count(&self) -> u64 {
        self.0.sum(0)
    }

    /// As [`count`](Self::count), after the caller has noted its own.
    pub fn count_after_own(&self) -> u64 {
        fence(Ordering::SeqCst);
        self.count()
    }

    /// Forgets all.
    pub fn reset(&mut self) {
        self.0.set([0]);
    }
}
