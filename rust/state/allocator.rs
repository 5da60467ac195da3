//! Pages by themselves: a table without a log, for scratch data in the same shape.

use super::apply::overwrite;
use super::commit::{changed_pieces, check_range, wrong_length};
use crate::error::Result;
use crate::memory::{self, Blocks, FRAME_ALIGN};
use crate::page::fresh::Fresh;
use crate::page::meta::Meta;
use crate::page::pinned::{Keeper, Pinned};
use crate::page::slot::SlotGuard;
use crate::page::table::{Table, check_size};
use crate::page::{Delta, Runs, mask_runs};
use crate::types::{Epoch, Location, Lsn, PageId};
use std::ops::Deref;
use std::sync::Arc;

/// Pages without history: nothing is logged, nothing survives. Shared by reference between
/// threads.
///
/// ```
/// # use mmsb::{Allocator, Location};
/// # fn main() -> mmsb::Result<()> {
/// let pages = Allocator::new();
/// let page = pages.allocate(1024, Location::Cpu)?;
/// pages.write(page, 10, b"scratch")?;
/// assert_eq!(&pages.view(page)?[10..17], b"scratch");
/// pages.release(page)
/// # }
/// ```
#[derive(Default)]
pub struct Allocator {
    table: Arc<Table>,
    blocks: Blocks,
}

/// What an allocator's pages and blocks take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AllocatorStats {
    /// Live pages.
    pub pages: u64,
    /// Bytes of them.
    pub page_bytes: u64,
    /// Bytes of frames in memory: pages, and what views still show of old ones.
    pub frame_bytes: u64,
    /// Plain blocks.
    pub blocks: u64,
    /// Bytes of them.
    pub block_bytes: u64,
}

#[derive(Clone)]
struct Held(Arc<Table>);

impl Keeper for Held {
    fn table(&self) -> &Table {
        &self.0
    }
}

/// A page's content as it was when the view was made. Stays valid and unchanged, also after the
/// allocator is gone.
pub struct ScratchView(Pinned<Held>);

impl ScratchView {
    /// Epoch of the content.
    pub fn epoch(&self) -> Epoch {
        self.0.seen().epoch
    }
}

impl Deref for ScratchView {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// Page errors are those of [`State`](crate::State).
impl Allocator {
    /// An allocator without pages.
    pub fn new() -> Allocator {
        Allocator::default()
    }

    /// A page of `size` bytes, all zero.
    pub fn allocate(&self, size: u64, location: Location) -> Result<PageId> {
        let size = check_size(size)?;
        let fresh = Fresh::zeroed(&self.table, size)?;
        let id = self.table.reserve_id();
        let mut page = self.table.lock_vacant(id)?;
        page.create(size, location, Lsn::ZERO, fresh.take());
        self.table.note_created(size);
        Ok(id)
    }

    /// Frees a page; its id is never used again.
    pub fn release(&self, id: PageId) -> Result<()> {
        let mut page = self.table.lock(id)?;
        self.table.free_page(&mut page, Lsn::ZERO, false);
        Ok(())
    }

    /// Frees all pages, and all plain blocks.
    pub fn clear(&self) -> Result<()> {
        for id in self.table.list()? {
            self.release(id)?;
        }
        self.blocks.clear();
        Ok(())
    }

    /// Plain blocks of memory, freed one by one or with the allocator.
    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// Makes memory for `count` more pages of `size` bytes ready: creating them asks the system for
    /// nothing.
    ///
    /// # Errors
    /// `SizeOutOfRange` for pages above 1 MiB, which have memory of their own each; `OutOfMemory`
    /// beyond a limit: what could be made ready before stays.
    ///
    /// ```
    /// # use mmsb::{Allocator, Location};
    /// # fn main() -> mmsb::Result<()> {
    /// let pages = Allocator::new();
    /// pages.prewarm(1024, 100)?;
    /// pages.allocate(1024, Location::Cpu)?;
    /// # Ok(()) }
    /// ```
    pub fn prewarm(&self, size: u64, count: usize) -> Result<()> {
        memory::prewarm(check_size(size)? as usize, FRAME_ALIGN, count)
    }

    /// What pages and blocks take. The memory under all allocators and states is counted by
    /// [`memory::stats`](crate::memory::stats).
    pub fn stats(&self) -> AllocatorStats {
        AllocatorStats {
            pages: self.table.live(),
            page_bytes: self.table.live_bytes(),
            frame_bytes: self.table.memory.bytes_in_use(),
            blocks: self.blocks.count(),
            block_bytes: self.blocks.bytes(),
        }
    }

    /// Live pages.
    pub fn page_count(&self) -> u64 {
        self.table.live()
    }

    /// Ids of live pages, ascending.
    pub fn list_pages(&self) -> Result<Vec<PageId>> {
        self.table.list()
    }

    /// Bytes of a page.
    pub fn page_size(&self, id: PageId) -> Result<u64> {
        Ok(self.table.lock(id)?.size.into())
    }

    /// How often a page's content has changed.
    pub fn epoch(&self, id: PageId) -> Result<Epoch> {
        Ok(self.table.lock(id)?.epoch)
    }

    /// Where a page should live.
    pub fn location(&self, id: PageId) -> Result<Location> {
        Ok(self.table.lock(id)?.location)
    }

    /// Copies `buf.len()` bytes from `offset` on.
    pub fn read(&self, id: PageId, offset: u64, buf: &mut [u8]) -> Result<()> {
        let page = self.table.lock(id)?;
        check_range(id, page.size, offset, buf.len())?;
        let at = offset as usize;
        buf.copy_from_slice(&page.bytes()[at..at + buf.len()]);
        Ok(())
    }

    /// A view of the whole content, without a copy.
    pub fn view(&self, id: PageId) -> Result<ScratchView> {
        let mut page = self.table.lock(id)?;
        Ok(ScratchView(Pinned::new(Held(self.table.clone()), id, &mut page)))
    }

    /// Makes `content` the page's content. Returns whether anything changed.
    pub fn update(&self, id: PageId, content: &[u8]) -> Result<bool> {
        let mut page = self.table.lock(id)?;
        if content.len() != page.size as usize {
            return Err(wrong_length(id, page.size, "content", content.len()));
        }
        self.change(&mut page, std::iter::once((0, content)))
    }

    /// Writes `bytes` at `offset`. Returns whether anything changed.
    pub fn write(&self, id: PageId, offset: u64, bytes: &[u8]) -> Result<bool> {
        let mut page = self.table.lock(id)?;
        check_range(id, page.size, offset, bytes.len())?;
        self.change(&mut page, std::iter::once((offset as u32, bytes)))
    }

    /// Writes the bytes of `content` where `mask` is not zero. Returns whether anything changed.
    pub fn write_masked(&self, id: PageId, mask: &[u8], content: &[u8]) -> Result<bool> {
        let mut page = self.table.lock(id)?;
        for (what, bytes) in [("a mask", mask), ("content", content)] {
            if bytes.len() != page.size as usize {
                return Err(wrong_length(id, page.size, what, bytes.len()));
            }
        }
        let mut runs = Runs::new();
        mask_runs(mask, 0, &mut runs);
        let pieces = runs.iter().map(|run| (run.offset, &content[run.range()]));
        self.change(&mut page, pieces)
    }

    /// Applies a delta. Returns whether anything changed.
    pub fn apply(&self, delta: &Delta) -> Result<bool> {
        let id = delta.page();
        let mut page = self.table.lock(id)?;
        delta.validate(page.size as usize)?;
        let pieces = delta.runs().map(|(offset, bytes)| (offset as u32, bytes));
        self.change(&mut page, pieces)
    }

    fn change<'a>(
        &self,
        page: &mut SlotGuard<'_>,
        pieces: impl Iterator<Item = (u32, &'a [u8])>,
    ) -> Result<bool> {
        let changed = changed_pieces(page.bytes(), pieces);
        if changed.is_empty() {
            return Ok(false);
        }
        if page.is_pinned() {
            let fresh = Fresh::copy_of(&self.table, page)?;
            self.table.displace(page, Some(fresh.take()), false);
        }
        overwrite(page.bytes_mut(), changed.iter().copied());
        page.epoch += 1;
        Ok(true)
    }

    /// Sets a metadata key of a page, or takes it away.
    pub fn set_meta(&self, id: PageId, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let mut page = self.table.lock(id)?;
        let mut meta = page.meta().cloned().unwrap_or_default();
        match value {
            Some(value) => Meta::check(key, value)?,
            None if meta.get(key).is_none() => return Err(no_key(id, key)),
            None => {}
        }
        meta.set(key, value);
        meta.check_total()?;
        page.set_meta(meta);
        Ok(())
    }

    /// All metadata of a page, ascending by key.
    pub fn meta_list(&self, id: PageId) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(self.table.lock(id)?.meta_pairs())
    }

    /// The value of a metadata key.
    pub fn meta(&self, id: PageId, key: &[u8]) -> Result<Vec<u8>> {
        let page = self.table.lock(id)?;
        match page.meta().and_then(|meta| meta.get(key)) {
            Some(value) => Ok(value.to_vec()),
            None => Err(no_key(id, key)),
        }
    }
}

/// The error for a metadata key that a page does not have.
#[cold]
pub fn no_key(id: PageId, key: &[u8]) -> crate::Error {
    let key = String::from_utf8_lossy(key);
    crate::Error::new(crate::ErrorKind::KeyNotFound, format!("{id} has no metadata under {key:?}"))
}
