//! The live path for one page: lock, diff, stamp, apply, record.
//!
//! The order matters. The page is locked first and the lane last, so that a lane is held only
//! while one record is written. The LSN is taken with both held, hence LSN order extends the
//! page's order of changes. The frame is replaced before it changes if a view or snapshot shows it.

use super::State;
use super::allocator::no_key;
use super::apply::overwrite;
use super::batch::{Change, Group, Write};
use super::core::Core;
use super::op::{self, Pieces, kind};
use crate::bail;
use crate::config::Durability;
use crate::error::{Error, ErrorKind, Result};
use crate::log::record::{self, EntryEnc, check_note};
use crate::log::{EntryHead, Log};
use crate::page::fresh::Fresh;
use crate::page::meta::Meta;
use crate::page::slot::{Body, SlotGuard};
use crate::page::table::check_size;
use crate::page::{Delta, Run, Runs, diff_at, mask_runs};
use crate::stdx::canary::{Canary, sings};
use crate::types::{Location, Lsn, Note, Ownership, PageId};
use crate::version::{Held, Keeping, VERSION_OVERHEAD_BYTES};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// On whose behalf pages change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authority {
    /// Whoever asks: shared pages.
    Anybody,
    /// Whoever holds the partition: its pages, too.
    Partition(u16),
    /// Whoever holds all of these partitions, as bits.
    Partitions(u64),
    /// The state itself, going back: all pages.
    State,
}

/// Who changes a page, and as what.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    /// On whose behalf.
    pub authority: Authority,
    /// The page's last record, as the writer has read it.
    pub read: Option<Lsn>,
}

impl Authority {
    /// Whether it may change pages of that ownership.
    #[inline]
    pub fn may_change(self, ownership: Ownership) -> bool {
        match (ownership, self) {
            (Ownership::Shared, _) | (_, Authority::State) => true,
            (Ownership::Owned(owner), Authority::Partition(me)) => owner == me,
            (Ownership::Owned(owner), Authority::Partitions(mine)) => {
                owner < 64 && mine >> owner & 1 == 1
            }
            _ => false,
        }
    }
}

impl Writer {
    /// Whoever asks, whatever the page is.
    pub const ANYBODY: Writer = Writer { authority: Authority::Anybody, read: None };

    /// Refuses a page that is not the writer's to change, or not what it has read.
    #[inline]
    pub fn check(&self, id: PageId, page: &Body) -> Result<()> {
        if !self.has_read(page) {
            return Err(conflict(id));
        }
        match self.authority.may_change(page.ownership) {
            true => Ok(()),
            false => self.refuse(id, page.ownership),
        }
    }

    /// Whether the page is as the writer has read it, if it has.
    #[inline]
    fn has_read(&self, page: &Body) -> bool {
        self.read.is_none_or(|read| read == page.lsn) || sings(Canary::UncheckedRead)
    }

    #[cold]
    fn refuse(&self, id: PageId, ownership: Ownership) -> Result<()> {
        let Ownership::Owned(owner) = ownership else {
            bail!(Immutable, "{id} was frozen: nobody changes it");
        };
        match self.authority {
            Authority::Partition(me) => {
                bail!(NotOwner, "{id} belongs to partition {owner}, not to partition {me}")
            }
            _ => bail!(NotOwner, "{id} belongs to partition {owner}, which alone changes it"),
        }
    }
}

#[cold]
pub fn conflict(id: PageId) -> Error {
    Error::new(ErrorKind::Conflict, format!("{id} was changed after the transaction read it"))
}

/// Refuses to write a page that is computed.
pub(super) fn check_by_hand(id: PageId, page: &Body) -> Result<()> {
    match page.meta().and_then(|meta| meta.rule()) {
        None => Ok(()),
        Some(rule) => bail!(Derived, "{id} is computed ({rule}): it is not written by hand"),
    }
}

/// The one entry of a group.
pub(super) struct OneEntry {
    pub kind: u8,
    /// It changes content: the epoch grows.
    pub content: bool,
    pub body_len: usize,
    /// What it comes after in the log, beside the page's last record.
    pub after: Lsn,
}

impl Core {
    /// Changes a locked page with `change` and records that as one entry, a group of its own, which
    /// `encode` makes of the page's new content. On error nothing changed.
    #[inline]
    pub(super) fn commit_one(
        &self,
        id: PageId,
        page: &mut SlotGuard<'_>,
        note: Note<'_>,
        entry: OneEntry,
        change: impl FnOnce(&mut SlotGuard<'_>),
        encode: impl for<'s> FnOnce(&mut EntryEnc<'_, 's>, EntryHead, &'s [u8]),
    ) -> Result<Lsn> {
        let OneEntry { kind, content, body_len, after } = entry;
        let time_ms = self.wall.wall_ms();
        let len_max = record::len_max(note, 1, body_len);
        let mut fresh = None;
        let (mut append, lsn) = loop {
            let mut append = self.log.begin(len_max)?;
            let lsn = append.stamp(after.max(page.lsn));
            if fresh.is_some() || !self.must_keep(page) {
                break (append, lsn);
            }
            // Copying a page takes time: not while the lane is held.
            drop(append);
            fresh = Some(Fresh::copy_of(&self.table, page)?);
        };
        let epoch = page.epoch + u64::from(content);
        let head = EntryHead { kind, object: id.0, prev: page.lsn, epoch };
        if let Some(fresh) = fresh {
            self.displace(id, page, Some(fresh), lsn, !content);
        }
        // The record is made of the page, not of the caller's memory: whatever another thread does
        // to that meanwhile, the page and the log hold the same bytes.
        change(page);
        let len = record::write(append.buf(), lsn, time_ms, note, 1, |entries| {
            encode(entries, head, page.bytes());
        });
        (page.lsn, page.epoch) = (lsn, epoch);
        self.publish(append, len);
        Ok(lsn)
    }

    /// Whether a view or an open snapshot shows the page's frame. Called after the LSN was
    /// stamped: a snapshot that this does not see has a floor above that LSN.
    #[inline]
    pub fn must_keep(&self, page: &SlotGuard<'_>) -> bool {
        page.must_keep(Lsn(self.log.clock.newest_snapshot.load(Ordering::Acquire)))
    }

    /// Has the locked page, which the record `lsn` changes, go on in `fresh`. What it showed
    /// becomes a version if somebody may still look at it. `meta`: its metadata changes, too.
    pub fn displace(
        &self,
        id: PageId,
        page: &mut SlotGuard<'_>,
        fresh: Option<Fresh<'_>>,
        lsn: Lsn,
        meta: bool,
    ) {
        let held = self.hold(id, page, lsn, meta);
        self.table.displace(page, fresh.map(Fresh::take), held);
    }

    /// Frees the locked page by the record `lsn`.
    pub fn end_page(&self, id: PageId, page: &mut SlotGuard<'_>, lsn: Lsn) {
        let held = self.hold(id, page, lsn, true);
        self.table.free_page(page, lsn, held);
    }

    /// Has what the locked page shows kept for the snapshots that read it, if any do.
    fn hold(&self, id: PageId, page: &mut SlotGuard<'_>, end: Lsn, meta: bool) -> bool {
        if page.lsn.0 > self.log.clock.newest_snapshot.load(Ordering::Acquire) {
            return false;
        }
        let meta = page.meta().filter(|_| meta).map_or(0, |meta| meta.bytes() as u64);
        let bytes = u64::from(page.size) + meta + VERSION_OVERHEAD_BYTES;
        let held = Held { birth: page.lsn, id, bytes };
        let bytes_max = self.config.version_bytes_max;
        let keeping = Keeping { clock: &self.log.clock, table: &self.table, bytes_max };
        self.snapshots.hold(keeping, page, held, end)
    }

    /// Creates a page as one record.
    fn create_page(&self, size: u32, location: Location, note: Note<'_>) -> Result<(PageId, Lsn)> {
        let fresh = Fresh::zeroed(&self.table, size)?;
        let time_ms = self.wall.wall_ms();
        let body_len = op::CREATE_LEN;
        let id = self.table.reserve_id();
        let created = self.table.lock_vacant(id).and_then(|mut page| {
            self.table.lives.note();
            let mut append = self.log.begin(record::len_max(note, 1, body_len))?;
            let lsn = append.stamp(Lsn::ZERO);
            let head = EntryHead { kind: kind::CREATE, object: id.0, prev: Lsn::ZERO, epoch: 0 };
            let len = record::write(append.buf(), lsn, time_ms, note, 1, |entries| {
                op::encode_create(entries.entry(head, body_len), size, location);
            });
            page.create(size, location, lsn, fresh.take());
            self.note_created(id, size, lsn);
            self.publish(append, len);
            Ok(lsn)
        });
        let lsn = created.inspect_err(|_| self.table.return_id(id))?;
        Ok((id, lsn))
    }

    /// Locks a page that `writer` has read, and is to stay as it was.
    #[inline]
    pub fn lock_read(&self, writer: Writer, id: PageId) -> Result<SlotGuard<'_>> {
        let page = self.table.lock(id).map_err(|error| match error.kind() {
            ErrorKind::PageFreed => conflict(id),
            _ => error,
        })?;
        if writer.has_read(&page) { Ok(page) } else { Err(conflict(id)) }
    }

    /// Locks a page that `writer` is about to change.
    #[inline]
    pub fn lock_for(&self, writer: Writer, id: PageId) -> Result<SlotGuard<'_>> {
        let page = match self.table.lock(id) {
            Err(error) if writer.read.is_some() && error.kind() == ErrorKind::PageFreed => {
                return Err(conflict(id));
            }
            page => page?,
        };
        writer.check(id, &page)?;
        Ok(page)
    }

    /// Writes `bytes` at `offset` as one record of what differs.
    #[inline]
    pub fn write(
        &self,
        (id, offset, bytes): (PageId, u64, &[u8]),
        note: Note<'_>,
        writer: Writer,
    ) -> Result<Option<Lsn>> {
        let mut page = self.lock_for(writer, id)?;
        check_range(id, page.open_size(), offset, bytes.len())?;
        let (at, base) = (offset as usize, offset as u32);
        if page.private {
            drop(page);
            return self.write_private(id, writer, Write::Piece(base, bytes), note);
        }
        if page.bound {
            let changes = page.bytes()[at..at + bytes.len()] != *bytes;
            return self
                .write_bound(id, page, writer, changes, note, || Ok(Write::Piece(base, bytes)));
        }
        let mut runs = Runs::new();
        diff_at(&page.bytes()[at..at + bytes.len()], bytes, base, &mut runs);
        self.write_runs(id, &mut page, base, bytes, &runs, note)
    }

    /// Applies deltas one by one, and acknowledges them together: one sync is enough for all. If that
    /// fails, it is each one's error that changed something. Results keep what stands beside the deltas.
    pub fn apply_deltas<'d, T>(
        self: &Arc<Core>,
        deltas: impl Iterator<Item = (T, &'d Delta)>,
        authority: Authority,
    ) -> Vec<(T, Result<Option<Lsn>>)> {
        let mut last = None;
        let mut apply = |delta| {
            let lsn = self.apply_delta(delta, authority)?;
            match lsn {
                Some(_) => last = last.max(lsn),
                None => self.check_writable()?,
            }
            Ok(lsn)
        };
        let mut done: Vec<_> = deltas.map(|(beside, delta)| (beside, apply(delta))).collect();
        if let Err(error) = self.acknowledged(last) {
            for (_, changed) in done.iter_mut().filter(|done| matches!(done.1, Ok(Some(_)))) {
                *changed = Err(Error::new(error.kind(), error.message()));
            }
        }
        done
    }

    /// Applies a delta as one record of what differs.
    fn apply_delta(&self, delta: &Delta, authority: Authority) -> Result<Option<Lsn>> {
        let id = delta.page();
        self.in_turn(|| {
            let writer = Writer { authority, read: None };
            let mut page = self.lock_for(writer, id)?;
            if page.private {
                drop(page);
                let write = Write::Delta(Box::new(delta.clone()));
                return self.write_private(id, writer, write, delta.note());
            }
            delta.validate(page.size as usize)?;
            let pieces = delta.runs().map(|(offset, bytes)| (offset as u32, bytes));
            let changed = changed_pieces(page.bytes(), pieces);
            if page.bound {
                let note = delta.note();
                return self.write_bound(id, page, writer, !changed.is_empty(), note, || {
                    Ok(Write::Delta(Box::new(delta.clone())))
                });
            }
            self.write_pieces(id, &mut page, changed.iter().copied(), delta.note())
        })
    }

    /// Writes to a locked page that is bound, if that `changes` it.
    #[inline(never)]
    fn write_bound<'w>(
        &self,
        id: PageId,
        page: SlotGuard<'_>,
        writer: Writer,
        changes: bool,
        note: Note<'_>,
        write: impl FnOnce() -> Result<Write<'w>>,
    ) -> Result<Option<Lsn>> {
        check_by_hand(id, &page)?;
        drop(page);
        if !changes {
            return Ok(None);
        }
        let changes = [Change { writer, write: write()?, ..Change::nothing(id) }];
        self.commit_bound(Group { changes: &changes, note, listed: None }, Log::begin)
    }

    /// Writes to a private page: it is opened and sealed, which takes time.
    #[inline(never)]
    fn write_private(
        &self,
        id: PageId,
        writer: Writer,
        write: Write<'_>,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        let changes = [Change { writer, write, ..Change::nothing(id) }];
        self.commit_batch(Group { changes: &changes, note, listed: None }, Log::begin)
    }

    /// Frees a page as one record.
    fn free_page(&self, id: PageId, note: Note<'_>) -> Result<Lsn> {
        self.table.lives.note();
        let page = self.lock_for(Writer::ANYBODY, id)?;
        if page.linked {
            drop(page);
            return self.free_linked(id, note);
        }
        self.free_locked(id, page, Lsn::ZERO, note)
    }

    /// Frees a locked page as one record that comes after `after`.
    pub(super) fn free_locked(
        &self,
        id: PageId,
        mut page: SlotGuard<'_>,
        after: Lsn,
        note: Note<'_>,
    ) -> Result<Lsn> {
        let time_ms = self.wall.wall_ms();
        let mut append = self.log.begin(record::len_max(note, 1, 0))?;
        let lsn = append.stamp(after.max(page.lsn));
        let head = EntryHead { kind: kind::FREE, object: id.0, prev: page.lsn, epoch: page.epoch };
        let len = record::write(append.buf(), lsn, time_ms, note, 1, |entries| {
            entries.entry(head, 0);
        });
        self.end_page(id, &mut page, lsn);
        self.publish(append, len);
        Ok(lsn)
    }

    /// Counts a page that the record `lsn` created or brought back. Before the record is published.
    #[inline]
    pub fn note_created(&self, id: PageId, size: u32, lsn: Lsn) {
        self.table.note_created(size);
        self.snapshots.note_created(id, lsn);
    }

    /// Does what changes something, again as long as another group goes alone: it failed then
    /// before anything changed, with nothing locked any more. Of a state that cannot be changed, that is
    /// what is wrong with it, whatever else is.
    #[inline]
    pub fn in_turn<R>(&self, mut change: impl FnMut() -> Result<R>) -> Result<R> {
        self.check_not_calling()?;
        loop {
            match change() {
                Err(error) if error.is_held() => self.marks.wait(),
                Err(_) if self.log.is_read_only() => return Err(self.log.refusal()),
                done => return done,
            }
        }
    }

    /// Waits until `lsn` is as durable as the settings say; makes a checkpoint that is due.
    #[inline]
    pub fn acknowledge(self: &Arc<Core>, lsn: Lsn) -> Result<()> {
        if self.config.durability == Durability::Sync {
            let start = self.wall.monotonic_ns();
            self.log.commit(lsn)?;
            self.counters.commit_ns.add(self.wall.monotonic_ns().saturating_sub(start));
        }
        if self.log.is_checkpoint_due() {
            self.checkpoint_when_due();
        }
        Ok(())
    }

    /// Records and applies what differs between the page and `bytes`, which stand from `base` on,
    /// in the stretches that `runs` name; `None` if nothing does.
    #[inline]
    fn write_runs(
        &self,
        id: PageId,
        page: &mut SlotGuard<'_>,
        base: u32,
        bytes: &[u8],
        runs: &Runs,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        let piece = |run: &Run| {
            let from = (run.offset - base) as usize;
            (run.offset, &bytes[from..from + run.len as usize])
        };
        self.write_pieces(id, page, runs.iter().map(piece), note)
    }

    /// Records and applies pieces of new content, all of which differ; `None` if there are none.
    #[inline]
    fn write_pieces<'a>(
        &self,
        id: PageId,
        page: &mut SlotGuard<'_>,
        pieces: impl ExactSizeIterator<Item = (u32, &'a [u8])> + Clone,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        if pieces.len() == 0 {
            return Ok(None);
        }
        let payload: usize = pieces.clone().map(|(_, bytes)| bytes.len()).sum();
        let body_len = op::write_len(pieces.len(), payload);
        let change = |page: &mut SlotGuard<'_>| overwrite(page.bytes_mut(), pieces.clone());
        let entry = OneEntry { kind: kind::WRITE, content: true, body_len, after: Lsn::ZERO };
        self.commit_one(id, page, note, entry, change, |entries, head, content| {
            let changed = pieces.clone().map(|(offset, bytes)| {
                let from = offset as usize;
                (offset, &content[from..from + bytes.len()])
            });
            op::encode_write(entries, head, body_len, changed);
        })
        .map(Some)
    }
}

/// The parts of `pieces` that differ from `old`; pieces lie inside.
pub fn changed_pieces<'a>(old: &[u8], pieces: impl Iterator<Item = (u32, &'a [u8])>) -> Pieces<'a> {
    let mut changed = Pieces::new();
    pieces.for_each(|piece| add_changed(&mut changed, old, piece));
    changed
}

/// Adds the parts of a piece that differ from `old`, in which it lies.
#[inline]
pub fn add_changed<'a>(changed: &mut Pieces<'a>, old: &[u8], (offset, bytes): (u32, &'a [u8])) {
    let mut runs = Runs::new();
    let at = offset as usize;
    diff_at(&old[at..at + bytes.len()], bytes, offset, &mut runs);
    changed.extend(runs.iter().map(|run| {
        let from = (run.offset - offset) as usize;
        (run.offset, &bytes[from..from + run.len as usize])
    }));
}

/// Refuses a range that does not lie inside a page of `size` bytes.
#[inline]
pub fn check_range(id: PageId, size: u32, offset: u64, len: usize) -> Result<()> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= u64::from(size) => Ok(()),
        _ => Err(out_of_range(id, size, offset, len)),
    }
}

#[cold]
fn out_of_range(id: PageId, size: u32, offset: u64, len: usize) -> Error {
    Error::new(
        ErrorKind::RangeOutOfBounds,
        format!("{len} bytes at offset {offset} of {id}, which has {size} bytes"),
    )
}

#[cold]
pub fn wrong_length(id: PageId, size: u32, what: &str, len: usize) -> Error {
    Error::new(
        ErrorKind::LengthMismatch,
        format!("{what} of {len} bytes for {id}, which has {size} bytes"),
    )
}

/// Everything here returns the LSN of the record that it wrote, or `None` if the content was
/// already so: then nothing is recorded and the epoch stays.
///
/// # Errors
/// All of these can return `PageNotFound`, `PageFreed`, `TooLong` for the note, `NoSpace`,
/// `OutOfMemory`, `ReadOnly`, `Closed`, `Poisoned`; in [`Durability::Sync`] also what the storage
/// says. On error nothing changed, except that after a failed sync it is not known whether the
/// change is durable; the state is then poisoned.
impl State {
    /// Creates a page of `size` bytes, all zero, in main memory.
    ///
    /// - `size`: 1 B to 1 GiB, else `SizeOutOfRange`.
    ///
    /// Cost: O(size) for clearing.
    pub fn create_page(&self, size: u64, note: Note<'_>) -> Result<PageId> {
        self.create_page_at(size, Location::Cpu, note)
    }

    /// As [`create_page`](State::create_page), with a wish where the page should live.
    pub fn create_page_at(&self, size: u64, location: Location, note: Note<'_>) -> Result<PageId> {
        check_note(note)?;
        let size = check_size(size)?;
        let core = self.core();
        let (id, lsn) = core.in_turn(|| core.create_page(size, location, note))?;
        core.acknowledge(lsn)?;
        Ok(id)
    }

    /// Frees a page. Its id is never used again; its history stays readable as long as the log.
    ///
    /// # Errors
    /// `HasChildren` if pages derive from it: [`free_cascade`](State::free_cascade) frees them,
    /// too.
    pub fn free_page(&self, id: PageId, note: Note<'_>) -> Result<Lsn> {
        check_note(note)?;
        let core = self.core();
        let lsn = core.in_turn(|| core.free_page(id, note))?;
        core.acknowledge(lsn)?;
        Ok(lsn)
    }

    /// Makes `content` the page's content; records only the bytes that differ.
    ///
    /// - `content`: exactly the page's size, else `LengthMismatch`.
    ///
    /// Cost: one comparison of the page, and the record of what changed.
    ///
    /// ```
    /// # use mmsb::{Config, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let page = state.create_page(4, Note::NONE)?;
    /// assert!(state.update(page, &[1, 2, 3, 4], Note::from("sensor"))?.is_some());
    /// assert!(state.update(page, &[1, 2, 3, 4], Note::from("sensor"))?.is_none());
    /// assert_eq!(state.epoch(page)?, 1);
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn update(&self, id: PageId, content: &[u8], note: Note<'_>) -> Result<Option<Lsn>> {
        check_note(note)?;
        let core = self.core();
        let lsn = core.in_turn(|| {
            let mut page = core.lock_for(Writer::ANYBODY, id)?;
            if content.len() != page.open_size() as usize {
                return Err(wrong_length(id, page.open_size(), "content", content.len()));
            }
            if page.private {
                drop(page);
                return core.write_private(id, Writer::ANYBODY, Write::Piece(0, content), note);
            }
            if page.bound {
                let changes = page.bytes() != content;
                return core.write_bound(id, page, Writer::ANYBODY, changes, note, || {
                    Ok(Write::Piece(0, content))
                });
            }
            let mut runs = Runs::new();
            diff_at(page.bytes(), content, 0, &mut runs);
            core.write_runs(id, &mut page, 0, content, &runs, note)
        })?;
        core.acknowledged(lsn)
    }

    /// Writes `bytes` at `offset`; records only the bytes that differ.
    ///
    /// - `offset`: bytes from the page's start; `offset + bytes.len()` at most its size, else
    ///   `RangeOutOfBounds`.
    #[inline]
    pub fn write(
        &self,
        id: PageId,
        offset: u64,
        bytes: &[u8],
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        check_note(note)?;
        let core = self.core();
        let lsn = core.in_turn(|| core.write((id, offset, bytes), note, Writer::ANYBODY))?;
        core.acknowledged(lsn)
    }

    /// Writes the bytes of `content` where `mask` is not zero.
    ///
    /// - `mask`, `content`: exactly the page's size, else `LengthMismatch`.
    pub fn write_masked(
        &self,
        id: PageId,
        mask: &[u8],
        content: &[u8],
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        check_note(note)?;
        let core = self.core();
        let lsn = core.in_turn(|| {
            let mut page = core.lock_for(Writer::ANYBODY, id)?;
            for (what, bytes) in [("a mask", mask), ("content", content)] {
                if bytes.len() != page.open_size() as usize {
                    return Err(wrong_length(id, page.open_size(), what, bytes.len()));
                }
            }
            if page.private {
                drop(page);
                let write = Write::Delta(Box::new(Delta::sparse(id, mask, content)?));
                return core.write_private(id, Writer::ANYBODY, write, note);
            }
            let mut runs = Runs::new();
            mask_runs(mask, 0, &mut runs);
            let pieces = runs.iter().map(|run| (run.offset, &content[run.range()]));
            let changed = changed_pieces(page.bytes(), pieces);
            if page.bound {
                let pieces: Vec<_> =
                    changed.iter().map(|&(at, bytes)| (at as usize, bytes)).collect();
                return core.write_bound(
                    id,
                    page,
                    Writer::ANYBODY,
                    !changed.is_empty(),
                    note,
                    || Ok(Write::Delta(Box::new(Delta::from_runs(id, &pieces)?))),
                );
            }
            core.write_pieces(id, &mut page, changed.iter().copied(), note)
        })?;
        core.acknowledged(lsn)
    }

    /// Applies a delta, with the note that it carries; records only the bytes that differ.
    ///
    /// # Errors
    /// Also what [`Delta::validate`] says for the page's size.
    pub fn apply(&self, delta: &Delta) -> Result<Option<Lsn>> {
        let core = self.core();
        core.acknowledged(core.apply_delta(delta, Authority::Anybody)?)
    }

    /// Sets a metadata key of a page. Content and epoch stay.
    ///
    /// - `key`: 1 to 255 bytes; `value`: up to 65,535; a page holds up to 1 MiB of both.
    pub fn set_meta(
        &self,
        id: PageId,
        key: &[u8],
        value: &[u8],
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        Meta::check(key, value)?;
        self.change_meta(id, key, Some(value), note)
    }

    /// Takes a metadata key away.
    ///
    /// # Errors
    /// `KeyNotFound`.
    pub fn remove_meta(&self, id: PageId, key: &[u8], note: Note<'_>) -> Result<Option<Lsn>> {
        self.change_meta(id, key, None, note)
    }

    fn change_meta(
        &self,
        id: PageId,
        key: &[u8],
        value: Option<&[u8]>,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        check_note(note)?;
        let core = self.core();
        let lsn = core.in_turn(|| {
            let mut page = core.lock_for(Writer::ANYBODY, id)?;
            if page.bound {
                drop(page);
                let meta = vec![(key.to_vec(), value.map(<[u8]>::to_vec))];
                let changes = [Change { meta, ..Change::nothing(id) }];
                let group = Group { changes: &changes, note, listed: None };
                return core.commit_bound(group, Log::begin);
            }
            let mut meta = page.meta().cloned().unwrap_or_default();
            match (meta.get(key), value) {
                (None, None) => return Err(no_key(id, key)),
                (old, value) if old == value => return Ok(None),
                _ => meta.set(key, value),
            }
            meta.check_total()?;
            let body_len = op::meta_len(key, value);
            let change = |page: &mut SlotGuard<'_>| page.set_meta(meta);
            let entry = OneEntry { kind: kind::META, content: false, body_len, after: Lsn::ZERO };
            let changed =
                core.commit_one(id, &mut page, note, entry, change, |entries, head, _| {
                    op::encode_meta(entries.entry(head, body_len), key, value);
                });
            changed.map(Some)
        })?;
        core.acknowledged(lsn)
    }
}

impl Core {
    #[inline]
    pub fn acknowledged(self: &Arc<Core>, lsn: Option<Lsn>) -> Result<Option<Lsn>> {
        if let Some(lsn) = lsn {
            self.acknowledge(lsn)?;
        } else {
            self.check_writable()?;
        }
        Ok(lsn)
    }
}
