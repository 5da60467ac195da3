//! Batches: many changes to many pages as one group, all or none.
//!
//! A batch is built without touching the state, except that a created page gets its id at once.
//! Committing locks all its pages in ascending order, checks everything, works out what really
//! changes, writes one record and applies it.

use super::State;
use super::allocator::no_key;
use super::apply::overwrite;
use super::commit::{changed_pieces, wrong_length};
use super::core::Core;
use super::op::{self, Pieces, kind};
use crate::bail;
use crate::error::Result;
use crate::log::record::{self, check_note};
use crate::log::{Append, EntryHead, Log};
use crate::page::Delta;
use crate::page::fresh::Fresh;
use crate::page::meta::Meta;
use crate::page::slot::SlotGuard;
use crate::page::table::check_size;
use crate::types::{Location, Lsn, Note, PageId};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Seat;
use std::sync::Arc;

/// Changes that are to happen together. Several writes to one page merge, the last one wins.
///
/// ```
/// # use mmsb::{Batch, Config, Note, State};
/// # fn main() -> mmsb::Result<()> {
/// let state = State::open(Config::memory())?;
/// let (a, b) = (state.create_page(8, Note::NONE)?, state.create_page(8, Note::NONE)?);
/// let mut batch = Batch::new(&state);
/// batch.write(a, 0, b"both")?;
/// batch.write(b, 4, b"none")?;
/// let lsn = batch.commit(Note::from("demo"))?;
/// assert!(lsn.is_some());
/// assert_eq!((state.epoch(a)?, state.epoch(b)?), (1, 1));
/// # Ok(()) }
/// ```
pub struct Batch {
    core: Arc<Core>,
    pages: Vec<Change>,
    places: HashMap<PageId, usize>,
}

/// What a batch does to one page.
#[derive(Debug)]
pub(super) struct Change {
    pub id: PageId,
    /// How it begins, if it does.
    pub begin: Option<Begin>,
    pub free: bool,
    pub write: Option<Delta>,
    pub meta: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// How a page begins: all zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Begin {
    pub size: u32,
    pub location: Location,
    /// It was freed, and comes back.
    pub again: bool,
}

impl Change {
    /// What leaves a page as it is.
    pub fn nothing(id: PageId) -> Change {
        Change { id, begin: None, free: false, write: None, meta: Vec::new() }
    }
}

impl Batch {
    /// A batch of nothing yet.
    pub fn new(state: &State) -> Batch {
        Batch { core: state.core().clone(), pages: Vec::new(), places: HashMap::new() }
    }

    /// Pages that the batch changes.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The log of its state.
    pub(crate) fn log(&self) -> Arc<Log> {
        self.core.log.clone()
    }

    fn change(&mut self, id: PageId) -> Result<&mut Change> {
        let at = match self.places.entry(id) {
            Seat::Occupied(seat) => *seat.get(),
            Seat::Vacant(seat) => {
                let at = self.pages.len();
                self.pages.push(Change::nothing(id));
                *seat.insert(at)
            }
        };
        let change = &mut self.pages[at];
        if change.free {
            bail!(PageFreed, "{id} is freed earlier in this batch");
        }
        Ok(change)
    }

    /// Creates a page when the batch commits; its id can be used in the batch at once.
    pub fn create_page(&mut self, size: u64, location: Location) -> Result<PageId> {
        self.core.check_open()?;
        let size = check_size(size)?;
        let id = self.core.table.reserve_id();
        self.change(id)?.begin = Some(Begin { size, location, again: false });
        Ok(id)
    }

    /// Frees a page.
    pub fn free_page(&mut self, id: PageId) -> Result<()> {
        self.change(id)?.free = true;
        Ok(())
    }

    /// Makes `content` the whole content of a page.
    pub fn update(&mut self, id: PageId, content: &[u8]) -> Result<()> {
        self.apply(Delta::dense(id, content)?)
    }

    /// Writes `bytes` at `offset`.
    pub fn write(&mut self, id: PageId, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return self.change(id).map(drop);
        }
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.apply(Delta::from_runs(id, &[(offset, bytes)])?)
    }

    /// Applies a delta. The note of the batch counts, not the delta's.
    pub fn apply(&mut self, delta: Delta) -> Result<()> {
        let change = self.change(delta.page())?;
        // A delta that does not fit what is there leaves it as it is.
        change.write = Some(match &change.write {
            Some(earlier) => earlier.merge(&delta)?,
            None => delta,
        });
        Ok(())
    }

    /// Sets a metadata key.
    pub fn set_meta(&mut self, id: PageId, key: &[u8], value: &[u8]) -> Result<()> {
        Meta::check(key, value)?;
        self.change(id)?.meta.push((key.to_vec(), Some(value.to_vec())));
        Ok(())
    }

    /// Takes a metadata key away.
    pub fn remove_meta(&mut self, id: PageId, key: &[u8]) -> Result<()> {
        self.change(id)?.meta.push((key.to_vec(), None));
        Ok(())
    }

    /// Makes all changes at once, as one record with one LSN; `None` if nothing changes.
    ///
    /// # Errors
    /// Those of the single changes; then none of them happened.
    pub fn commit(mut self, note: Note<'_>) -> Result<Option<Lsn>> {
        check_note(note)?;
        self.core.check_open()?;
        self.pages.sort_by_key(|change| change.id);
        let lsn = self.core.in_turn(|| self.core.commit_batch(&self.pages, note, Log::begin))?;
        if lsn.is_some() {
            // From here on the ids are the state's.
            self.pages.clear();
        }
        self.core.acknowledged(lsn)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let mut created: Vec<PageId> =
            self.pages.iter().filter(|change| change.begin.is_some()).map(|c| c.id).collect();
        created.sort();
        while let Some(id) = created.pop() {
            self.core.table.return_id(id);
        }
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} pages)", self.pages.len())
    }
}

/// One locked page of a batch, and what really happens to it.
struct Planned<'a> {
    change: &'a Change,
    page: SlotGuard<'a>,
    /// A new page's frame, or the copy in which a page goes on that somebody looks at.
    fresh: Option<Fresh<'a>>,
    written: Pieces<'a>,
    /// The metadata after the group, if it changes, and the changes that count.
    meta: Option<Meta>,
    meta_changes: Vec<(&'a [u8], Option<&'a [u8]>)>,
    entries: usize,
    bodies: usize,
}

impl<'a> Planned<'a> {
    fn new(core: &'a Core, change: &'a Change) -> Result<Planned<'a>> {
        let page = match change.begin {
            Some(Begin { again: false, .. }) => core.table.lock_vacant(change.id)?,
            Some(Begin { again: true, .. }) => core.table.lock_freed(change.id)?,
            None => core.table.lock(change.id)?,
        };
        let zeroed = |begin: Begin| Fresh::zeroed(&core.table, begin.size);
        let fresh = change.begin.map(zeroed).transpose()?;
        let size = change.begin.map_or(page.size, |begin| begin.size);
        let mut planned = Planned {
            change,
            page,
            fresh,
            written: Pieces::new(),
            meta: None,
            meta_changes: Vec::new(),
            entries: 0,
            bodies: 0,
        };
        if change.begin.is_some() {
            planned.count(op::CREATE_LEN);
        }
        planned.plan_write(size)?;
        planned.plan_meta()?;
        if change.free {
            planned.count(0);
        }
        Ok(planned)
    }

    fn count(&mut self, body: usize) {
        self.entries += 1;
        self.bodies += body;
    }

    fn write_len(&self) -> usize {
        let payload = self.written.iter().map(|(_, bytes)| bytes.len()).sum();
        op::write_len(self.written.len(), payload)
    }

    fn plan_write(&mut self, size: u32) -> Result<()> {
        let Some(delta) = &self.change.write else { return Ok(()) };
        if delta.is_dense() && delta.payload_len() != size as usize {
            return Err(wrong_length(self.change.id, size, "content", delta.payload_len()));
        }
        delta.validate(size as usize)?;
        let pieces = delta.runs().map(|(offset, bytes)| (offset as u32, bytes));
        let old = self.fresh.as_ref().map_or(self.page.bytes(), Fresh::bytes);
        self.written = changed_pieces(old, pieces);
        if !self.written.is_empty() {
            self.count(self.write_len());
        }
        Ok(())
    }

    fn plan_meta(&mut self) -> Result<()> {
        if self.change.meta.is_empty() {
            return Ok(());
        }
        let mut meta = self.page.meta().map(|meta| (**meta).clone()).unwrap_or_default();
        for (key, value) in &self.change.meta {
            let value = value.as_deref();
            if value.is_none() && meta.get(key).is_none() {
                return Err(no_key(self.change.id, key));
            }
            if meta.get(key) != value {
                meta.set(key, value);
                self.meta_changes.push((key, value));
                self.count(op::meta_len(key, value));
            }
        }
        meta.check_total()?;
        self.meta = (!self.meta_changes.is_empty()).then_some(meta);
        Ok(())
    }

    /// Whether the page's frame must be copied before it changes.
    fn needs_copy(&self, core: &Core) -> bool {
        self.entries > 0 && self.fresh.is_none() && !self.change.free && core.must_keep(&self.page)
    }

    fn encode<'s>(&'s self, entries: &mut record::EntryEnc<'_, 's>) {
        let id = self.change.id;
        let prev = self.page.lsn;
        let head = |kind, epoch| EntryHead { kind, object: id.0, prev, epoch };
        let mut epoch = self.page.epoch;
        if let Some(Begin { size, location, again }) = self.change.begin {
            epoch += u64::from(again);
            let kind = if again { kind::RESTORE } else { kind::CREATE };
            op::encode_create(entries.entry(head(kind, epoch), op::CREATE_LEN), size, location);
        }
        if !self.written.is_empty() {
            epoch += 1;
            let (head, pieces) = (head(kind::WRITE, epoch), self.written.iter().copied());
            op::encode_write(entries, head, self.write_len(), pieces);
        }
        for &(key, value) in &self.meta_changes {
            let enc = entries.entry(head(kind::META, epoch), op::meta_len(key, value));
            op::encode_meta(enc, key, value);
        }
        if self.change.free {
            entries.entry(head(kind::FREE, epoch), 0);
        }
    }

    fn apply(&mut self, core: &Core, lsn: Lsn) {
        let (id, page) = (self.change.id, &mut self.page);
        if self.entries == 0 {
            return;
        }
        match (self.change.begin, self.fresh.take()) {
            (Some(begin), Some(fresh)) => begin.apply(core, id, page, fresh, lsn),
            (_, Some(fresh)) => core.displace(id, page, Some(fresh), lsn, self.meta.is_some()),
            (_, None) => {}
        }
        if self.change.free {
            core.end_page(id, page, lsn);
            page.epoch += u64::from(!self.written.is_empty());
            return;
        }
        if !self.written.is_empty() {
            overwrite(page.bytes_mut(), self.written.iter().copied());
            page.epoch += 1;
        }
        if let Some(meta) = self.meta.take() {
            page.set_meta(meta);
        }
        page.lsn = lsn;
    }
}

impl Begin {
    fn apply(self, core: &Core, id: PageId, page: &mut SlotGuard<'_>, fresh: Fresh<'_>, lsn: Lsn) {
        let Begin { size, location, again } = self;
        if again {
            // Snapshots taken since it was freed do not have it.
            core.displace(id, page, None, lsn, false);
            let epoch = page.epoch + 1;
            page.restore((size, location), (lsn, epoch), fresh.take());
        } else {
            page.create(size, location, lsn, fresh.take());
        }
        core.note_created(id, size, lsn);
    }
}

impl Core {
    /// Makes all changes, ascending by page, as one group, which `begin` lets begin.
    pub(super) fn commit_batch<'a>(
        &'a self,
        changes: &[Change],
        note: Note<'_>,
        begin: impl Fn(&'a Log, usize) -> Result<Append<'a>>,
    ) -> Result<Option<Lsn>> {
        let mut plan = Vec::with_capacity(changes.len());
        for change in changes {
            plan.push(Planned::new(self, change)?);
        }
        let entries: usize = plan.iter().map(|planned| planned.entries).sum();
        if entries == 0 {
            return Ok(None);
        }
        let bodies: usize = plan.iter().map(|planned| planned.bodies).sum();
        let after = plan.iter().map(|planned| planned.page.lsn).max().unwrap_or(Lsn::ZERO);
        let (time_ms, len_max) = (self.wall.wall_ms(), record::len_max(note, entries, bodies));
        let (mut append, lsn) = loop {
            let mut append = begin(&self.log, len_max)?;
            let lsn = append.stamp(after);
            if !plan.iter().any(|planned| planned.needs_copy(self)) {
                break (append, lsn);
            }
            drop(append);
            for planned in plan.iter_mut().filter(|planned| planned.needs_copy(self)) {
                planned.fresh = Some(Fresh::copy_of(&self.table, &planned.page)?);
            }
        };
        let len = record::write(append.buf(), lsn, time_ms, note, entries, |enc| {
            plan.iter().for_each(|planned| planned.encode(enc));
        });
        // Before the group is published: a snapshot above it finds what it displaced.
        plan.iter_mut().for_each(|planned| planned.apply(self, lsn));
        append.publish(len);
        Ok(Some(lsn))
    }
}
