//! Snapshots: the whole state as it was at one closed LSN, while writers go on.

use super::State;
use super::allocator::no_key;
use super::commit::check_range;
use super::core::Core;
use super::digest::digest_of;
use crate::error::{Error, ErrorKind, Result};
use crate::page::pinned::{Keeper, Pinned};
use crate::page::slot::Seen;
use crate::page::table::Table;
use crate::types::{Epoch, Lsn, PageId};
use crate::version::Ticket;
use std::sync::Arc;

/// Pages above this size are pinned, not locked, while they are read.
const READ_LOCKED_BYTES_MAX: u32 = 64 << 10;

/// A read view of all pages at one closed LSN: between groups, never inside one.
///
/// While it is open, a page that changes keeps its old content beside the new, once per page and
/// snapshot. Open for long under many writes, it holds as much memory as what they change. When all
/// snapshots together hold more than [`Config::version_bytes_max`](crate::Config), the oldest that
/// hold anything are ended: reading from them fails from then on.
///
/// # Errors
/// All that reads can return `SnapshotTooOld`; it is to be taken anew then.
///
/// It stays as it is when the state is closed, and keeps the state's memory until it is dropped.
pub struct Snapshot {
    core: Arc<Core>,
    ticket: Ticket,
}

impl State {
    /// Takes a snapshot. Cost: O(lanes); stops no writer.
    ///
    /// ```
    /// # use mmsb::{Config, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let page = state.create_page(1, Note::NONE)?;
    /// let before = state.snapshot()?;
    /// state.update(page, &[9], Note::NONE)?;
    /// assert_eq!((before.read_all(page)?, state.read_all(page)?), (vec![0], vec![9]));
    /// # Ok(()) }
    /// ```
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.check_open()?;
        Ok(Snapshot::take(self.core().clone(), false))
    }
}

impl Snapshot {
    /// A snapshot; `exempt` if the bound on what snapshots hold does not end it.
    pub(super) fn take(core: Arc<Core>, exempt: bool) -> Snapshot {
        let ticket = core.snapshots.open(&core.log, &core.table, exempt);
        Snapshot { core, ticket }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Pages that may have changed since, ascending, but for those whose ids were not given out yet.
    pub(super) fn changed_after(&self) -> Result<Vec<PageId>> {
        let pages = self.core.snapshots.changed_after(&self.ticket);
        self.check()?;
        Ok(pages)
    }

    /// The closed LSN that it stands at.
    pub fn lsn(&self) -> Lsn {
        self.ticket.lsn()
    }

    /// Whether it was ended because snapshots held too much; then reading fails.
    pub fn is_too_old(&self) -> bool {
        self.ticket.is_ended()
    }

    /// Fails if it was ended. With a page locked the answer holds for that page; after what was
    /// read, for all of it.
    pub(super) fn check(&self) -> Result<()> {
        self.core.check_not_calling()?;
        match self.is_too_old() {
            false => Ok(()),
            true => Err(self.too_old()),
        }
    }

    #[cold]
    fn too_old(&self) -> Error {
        let (lsn, max) = (self.lsn(), self.core.config.version_bytes_max);
        Error::new(
            ErrorKind::SnapshotTooOld,
            format!(
                "the snapshot at {lsn} was ended: what changed since then took more than the \
                 {max} bytes that snapshots may hold"
            ),
        )
    }

    /// Calls `read` with what a page showed; `None` if it did not exist at the snapshot.
    pub(super) fn with<R>(
        &self,
        id: PageId,
        read: impl FnOnce(&Seen, &[u8]) -> R,
    ) -> Result<Option<R>> {
        let Some(mut page) = self.core.table.lock_any(id)? else { return Ok(None) };
        self.check()?;
        let Some((seen, bytes)) = page.at(self.lsn()) else { return Ok(None) };
        if seen.size <= READ_LOCKED_BYTES_MAX {
            return Ok(Some(read(&seen, bytes)));
        }
        let pinned = Pinned::at(self, id, &mut page, seen);
        drop(page);
        Ok(Some(read(pinned.seen(), pinned.bytes())))
    }

    fn get<R>(&self, id: PageId, read: impl FnOnce(&Seen, &[u8]) -> R) -> Result<R> {
        match self.with(id, read)? {
            Some(result) => Ok(result),
            None => Err(Error::new(
                ErrorKind::PageNotFound,
                format!("{id} does not exist in the snapshot at {}", self.lsn()),
            )),
        }
    }

    /// Copies `buf.len()` bytes from `offset` on.
    pub fn read(&self, id: PageId, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.get(id, |seen, bytes| {
            check_range(id, seen.open_size(), offset, buf.len())?;
            self.core.copy_open((id, seen.private), bytes, offset, buf)
        })?
    }

    /// The whole content, copied.
    pub fn read_all(&self, id: PageId) -> Result<Vec<u8>> {
        self.get(id, |seen, bytes| self.core.copy_all(id, seen.private, bytes))?
    }

    /// Bytes of a page.
    pub fn page_size(&self, id: PageId) -> Result<u64> {
        self.get(id, |seen, _| seen.open_size().into())
    }

    /// Epoch of a page's content.
    pub fn epoch(&self, id: PageId) -> Result<Epoch> {
        self.get(id, |seen, _| seen.epoch)
    }

    /// The value of a metadata key.
    ///
    /// # Errors
    /// `KeyNotFound`.
    pub fn meta(&self, id: PageId, key: &[u8]) -> Result<Vec<u8>> {
        let value = self.get(id, |seen, _| {
            seen.meta.as_ref().and_then(|meta| meta.get(key)).map(<[u8]>::to_vec)
        })?;
        match value {
            Some(value) => Ok(value),
            None => Err(no_key(id, key)),
        }
    }

    /// All metadata of a page, ascending by key.
    pub fn meta_list(&self, id: PageId) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.get(id, |seen, _| seen.meta.as_ref().map(|meta| meta.pairs()).unwrap_or_default())
    }

    /// Calls `each` with every page, ascending by id, and then `step` with the page's size and
    /// nothing locked.
    pub(super) fn for_each(
        &self,
        mut each: impl FnMut(PageId, &Seen, &[u8]) -> Result<()>,
        mut step: impl FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        for id in (1..self.next_id()).map(PageId) {
            let size = |seen: &Seen| u64::from(seen.size);
            let done = self.with(id, |seen, bytes| each(id, seen, bytes).map(|()| size(seen)))?;
            if let Some(size) = done.transpose()? {
                step(size)?;
            }
        }
        Ok(())
    }

    /// Ids of all pages, ascending.
    ///
    /// Cost: as [`State::list_pages`].
    pub fn list_pages(&self) -> Result<Vec<PageId>> {
        let ids =
            self.core.table.list_where(self.next_id(), |page| page.at(self.lsn()).is_some())?;
        self.check()?;
        Ok(ids)
    }

    /// The first id that was not given out yet.
    pub fn next_id(&self) -> u64 {
        self.ticket.next_id()
    }

    /// Digest of the content; see [`State::digest`].
    pub fn digest(&self) -> Result<[u8; 32]> {
        digest_of(self, |_| Ok(()))
    }
}

impl Keeper for &Snapshot {
    fn table(&self) -> &Table {
        &self.core.table
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let Core { snapshots, log, table, .. } = &*self.core;
        snapshots.close(&log.clock, table, &self.ticket);
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot(at {})", self.lsn())
    }
}
