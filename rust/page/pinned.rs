//! A pinned frame: a page's content that stays as it is.

use super::slot::{Seen, SlotGuard};
use super::table::Table;
use crate::types::PageId;

/// Keeps the table that a pinned frame belongs to alive.
pub trait Keeper {
    /// The table.
    fn table(&self) -> &Table;
}

/// A frame that nobody writes to while this lives.
#[derive(Debug)]
pub struct Pinned<K: Keeper> {
    keeper: K,
    id: PageId,
    seen: Seen,
}

// SAFETY: the frame is only read, and pinned whichever thread holds this.
unsafe impl<K: Keeper + Send> Send for Pinned<K> {}
// SAFETY: as above.
unsafe impl<K: Keeper + Sync> Sync for Pinned<K> {}

impl<K: Keeper> Pinned<K> {
    /// Pins what the locked live page `id` shows now.
    pub fn new(keeper: K, id: PageId, page: &mut SlotGuard<'_>) -> Pinned<K> {
        let seen = match page.now() {
            Some(seen) => seen,
            None => unreachable!("a page that was locked as live"),
        };
        Pinned::at(keeper, id, page, seen)
    }

    /// Pins `seen`, which the locked page has just shown.
    pub fn at(keeper: K, id: PageId, page: &mut SlotGuard<'_>, seen: Seen) -> Pinned<K> {
        page.pin(&seen);
        Pinned { keeper, id, seen }
    }

    /// The page.
    pub fn id(&self) -> PageId {
        self.id
    }

    /// Epoch, LSN, size and metadata.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: pinned as long as `self` lives.
        unsafe { self.seen.bytes() }
    }
}

impl<K: Keeper> Drop for Pinned<K> {
    fn drop(&mut self) {
        self.keeper.table().unpin(self.id, &self.seen);
    }
}
