//! Reading the present: copies, zero-copy views, and what pages say of themselves.

use super::State;
use super::allocator::no_key;
use super::commit::check_range;
use super::core::Core;
use super::private::check_shown;
use crate::error::Result;
use crate::page::pinned::Pinned;
use crate::page::table::Table;
use crate::types::{Epoch, Location, Lsn, PageId};
use std::ops::Deref;
use std::sync::Arc;

/// Up to this many bytes are copied with the page locked; more are pinned first.
const COPY_LOCKED_BYTES_MAX: usize = 32 << 10;

/// A page's content as it was when the view was made, without a copy. Stays valid and unchanged
/// while writers go on, and after the state is closed.
///
/// A writer that meets a page with a view copies the page first, so drop views early on pages that
/// change often.
#[derive(Debug)]
pub struct View {
    /// Dropped before the core that it points into.
    pinned: Pinned<Held>,
}

/// Keeps the state's memory while a view shows it.
#[derive(Clone)]
pub struct Held(Arc<Core>);

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl crate::page::pinned::Keeper for Held {
    fn table(&self) -> &Table {
        &self.0.table
    }
}

impl View {
    /// The page.
    pub fn page(&self) -> PageId {
        self.pinned.id()
    }

    /// Epoch of the content.
    pub fn epoch(&self) -> Epoch {
        self.pinned.seen().epoch
    }

    /// The record that made the content.
    pub fn lsn(&self) -> Lsn {
        self.pinned.seen().lsn
    }
}

impl Deref for View {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.pinned.bytes()
    }
}

/// All of these can return `PageNotFound` and `PageFreed`, and `Corrupt` if the page still stands
/// in a damaged image.
impl State {
    /// Copies `buf.len()` bytes from `offset` on.
    ///
    /// # Errors
    /// `RangeOutOfBounds`; then `buf` is unchanged.
    #[inline]
    pub fn read(&self, id: PageId, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.core().check_not_calling()?;
        if self.core().table.glimpse(id, offset, buf).is_some() {
            return Ok(());
        }
        let mut page = self.core().lock_page(id)?;
        if buf.len() <= COPY_LOCKED_BYTES_MAX || page.private {
            return self.core().copy_out(id, &page, offset, buf);
        }
        check_range(id, page.size, offset, buf.len())?;
        let range = offset as usize..offset as usize + buf.len();
        let view = self.pin(id, &mut page);
        drop(page);
        buf.copy_from_slice(&view[range]);
        Ok(())
    }

    /// The whole content, copied.
    pub fn read_all(&self, id: PageId) -> Result<Vec<u8>> {
        self.check_open()?;
        let mut page = self.core().lock_page(id)?;
        if page.private {
            return self.core().copy_all(id, true, page.bytes());
        }
        let view = self.pin(id, &mut page);
        drop(page);
        Ok(view.to_vec())
    }

    /// A view of the whole content, without a copy.
    ///
    /// Cost: about 20 ns, whatever the page's size.
    ///
    /// # Errors
    /// `InvalidArgument` for a private page.
    pub fn view(&self, id: PageId) -> Result<View> {
        self.check_open()?;
        let mut page = self.core().lock_page(id)?;
        check_shown(id, &page)?;
        Ok(self.pin(id, &mut page))
    }

    fn pin(&self, id: PageId, page: &mut crate::page::slot::SlotGuard<'_>) -> View {
        View { pinned: Pinned::new(Held(self.core().clone()), id, page) }
    }

    /// Bytes of a page.
    pub fn page_size(&self, id: PageId) -> Result<u64> {
        Ok(self.core().lock_page(id)?.open_size().into())
    }

    /// How often a page's content has changed.
    pub fn epoch(&self, id: PageId) -> Result<Epoch> {
        Ok(self.core().lock_page(id)?.epoch)
    }

    /// The record that changed a page last.
    pub fn page_lsn(&self, id: PageId) -> Result<Lsn> {
        match self.core().table.glimpse(id, 0, &mut []) {
            Some(page) => Ok(page.lsn),
            None => Ok(self.core().lock_page(id)?.lsn),
        }
    }

    /// Where a page should live.
    pub fn location(&self, id: PageId) -> Result<Location> {
        Ok(self.core().lock_page(id)?.location)
    }

    /// The value of a metadata key.
    ///
    /// # Errors
    /// `KeyNotFound`.
    pub fn meta(&self, id: PageId, key: &[u8]) -> Result<Vec<u8>> {
        let page = self.core().lock_page(id)?;
        match page.meta().and_then(|meta| meta.get(key)) {
            Some(value) => Ok(value.to_vec()),
            None => Err(no_key(id, key)),
        }
    }

    /// All metadata of a page, ascending by key.
    pub fn meta_list(&self, id: PageId) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(self.core().lock_page(id)?.meta_pairs())
    }

    /// Whether the page exists now.
    pub fn contains(&self, id: PageId) -> bool {
        self.core().table.contains(id)
    }

    /// Live pages.
    pub fn page_count(&self) -> u64 {
        self.core().table.live()
    }

    /// Ids of all live pages, ascending.
    ///
    /// Cost: O(ids ever given out); no content is looked at.
    pub fn list_pages(&self) -> Result<Vec<PageId>> {
        self.check_open()?;
        self.core().table.list()
    }
}
