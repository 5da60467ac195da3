//! What differs between two snapshots: found by what was kept for the older one, not by a look at
//! every page.

use super::State;
use super::core::Core;
use super::snapshot::Snapshot;
use crate::bail;
use crate::error::Result;
use crate::page::pinned::{Keeper, Pinned};
use crate::page::slot::Seen;
use crate::page::table::Table;
use crate::page::{Run, Runs, diff};
use crate::types::{Lsn, PageId};
use std::sync::Arc;

/// A page that is not the same in two snapshots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageDifference {
    /// The page.
    pub page: PageId,
    /// What differs.
    pub difference: Difference,
}

/// How a page in one snapshot differs from what it is in another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// Only the second has it.
    Created,
    /// Only the first has it.
    Freed,
    /// Both have it.
    Changed {
        /// Stretches of content that differ, ascending. Few equal bytes between two are part of a
        /// stretch, as in a delta. Of a private page, all of it. Empty if only metadata, owner, edges or rule differ.
        runs: Vec<Run>,
        /// Metadata, parents or ownership differ.
        meta: bool,
    },
}

impl Snapshot {
    /// What differs in `other`, page by page, ascending: pages, content and metadata. Pages that
    /// went there and back, whatever their epochs, do not differ.
    ///
    /// - `other`: of the same state, older or newer, else `InvalidArgument`.
    ///
    /// Cost: O(pages that changed or were created after the older one) and a comparison of each; of
    /// the versions that newer snapshots hold, each is looked at shortly.
    ///
    /// # Errors
    /// `SnapshotTooOld` of either.
    ///
    /// ```
    /// # use mmsb::{Config, Difference, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let page = state.create_page(100, Note::NONE)?;
    /// let before = state.snapshot()?;
    /// state.write(page, 7, b"abc", Note::NONE)?;
    /// let differences = before.compare(&state.snapshot()?)?;
    /// let Difference::Changed { runs, meta: false } = &differences[0].difference else { panic!() };
    /// assert_eq!((differences[0].page, runs[0].range()), (page, 7..10));
    /// # Ok(()) }
    /// ```
    pub fn compare(&self, other: &Snapshot) -> Result<Vec<PageDifference>> {
        if !Arc::ptr_eq(self.core(), other.core()) {
            bail!(InvalidArgument, "the snapshots are of two states");
        }
        let (older, newer) = if self.lsn() <= other.lsn() { (self, other) } else { (other, self) };
        let mut pages = older.changed_after()?;
        pages.extend((older.next_id()..newer.next_id()).map(PageId));
        pages.sort_unstable();
        pages.dedup();
        let mut found = Vec::new();
        for page in pages {
            if let Some(difference) = self.compare_page(other, page)? {
                found.push(PageDifference { page, difference });
            }
        }
        Ok(found)
    }

    fn compare_page(&self, other: &Snapshot, id: PageId) -> Result<Option<Difference>> {
        let Some((from, to)) = self.pin_both(other, id)? else { return Ok(None) };
        let difference = match (from, to) {
            (None, None) => None,
            (None, Some(_)) => Some(Difference::Created),
            (Some(_), None) => Some(Difference::Freed),
            (Some(from), Some(to)) => changed(&from, &to),
        };
        Ok(difference)
    }

    /// What a page showed to both, pinned; `None` if that is the same.
    #[expect(clippy::type_complexity, reason = "two of one")]
    fn pin_both(
        &self,
        other: &Snapshot,
        id: PageId,
    ) -> Result<Option<(Option<Pinned<Borrowed<'_>>>, Option<Pinned<Borrowed<'_>>>)>> {
        let core = self.core();
        let Some(mut page) = core.table.lock_any(id)? else { return Ok(None) };
        self.check()?;
        other.check()?;
        let seen_at = |lsn: Lsn| page.at(lsn).map(|(seen, _)| seen);
        let (from, to) = (seen_at(self.lsn()), seen_at(other.lsn()));
        let lsn = |seen: &Option<Seen>| seen.as_ref().map(|seen| seen.lsn);
        if lsn(&from) == lsn(&to) {
            return Ok(None);
        }
        let mut pin =
            |seen: Option<Seen>| seen.map(|seen| Pinned::at(Borrowed(core), id, &mut page, seen));
        Ok(Some((pin(from), pin(to))))
    }
}

impl State {
    /// What differs now from what `snapshot` shows; see [`Snapshot::compare`].
    pub fn compare(&self, snapshot: &Snapshot) -> Result<Vec<PageDifference>> {
        snapshot.compare(&self.snapshot()?)
    }
}

/// A core that is held by whoever pins.
#[derive(Clone, Copy)]
struct Borrowed<'a>(&'a Core);

impl Keeper for Borrowed<'_> {
    fn table(&self) -> &Table {
        &self.0.table
    }
}

fn changed<'a>(from: &Pinned<Borrowed<'a>>, to: &Pinned<Borrowed<'a>>) -> Option<Difference> {
    let mut runs = Runs::new();
    match to.seen().private {
        false => diff(from.bytes(), to.bytes(), &mut runs),
        true if from.bytes() == to.bytes() => {}
        true => runs.push(Run { offset: 0, len: to.seen().open_size() }),
    }
    let about = |seen: &Seen| (seen.meta.clone(), seen.ownership);
    let meta = about(from.seen()) != about(to.seen());
    let differs = meta || !runs.is_empty();
    differs.then(|| Difference::Changed { runs: runs.to_vec(), meta })
}
