//! Batches: many changes to many pages as one group, all or none.
//!
//! A batch is built without touching the state, except that a created page gets its id at once.
//! Committing locks all its pages in ascending order, checks everything, works out what really
//! changes, writes one record and applies it.

use super::State;
use super::allocator::no_key;
use super::apply::overwrite;
use super::commit::{Authority, Writer, add_changed, check_by_hand, check_range, wrong_length};
use super::core::Core;
use super::graph::Edges;
use super::op::{self, Pieces, kind};
use super::propagate::{Derived, Made, Propagation};
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::log::record::{self, check_note};
use crate::log::{Append, EntryHead, Log};
use crate::page::fresh::Fresh;
use crate::page::meta::Meta;
use crate::page::seal::{Plain, SEAL_BYTES};
use crate::page::slot::{Body, SlotGuard};
use crate::page::table::{check_private_size, check_size};
use crate::page::{Delta, Runs, diff_at};
use crate::stdx::canary::{Canary, sings};
use crate::types::{Link, Location, Lsn, Note, Ownership, PageId, Rule, Staleness};
use smallvec::SmallVec;
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
    pages: Vec<Change<'static>>,
    places: HashMap<PageId, usize>,
}

/// What a batch does to one page.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub id: PageId,
    pub writer: Writer,
    /// It stays as it is; its writer has read it.
    pub read_only: bool,
    /// How it begins, if it does.
    pub begin: Option<Begin>,
    pub free: bool,
    pub write: Write<'a>,
    pub meta: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Whose it becomes, if that changes.
    pub ownership: Option<Ownership>,
    /// What its parents become, if they change.
    pub parents: Option<Vec<Link>>,
    /// How it is computed from then on, if that changes.
    pub rule: Option<Option<Rule>>,
    /// What it is marked as, if that changes.
    pub staleness: Option<Staleness>,
}

/// What becomes of a page's content.
#[derive(Debug, Default)]
pub(super) enum Write<'a> {
    #[default]
    Nothing,
    /// These bytes go there.
    Piece(u32, &'a [u8]),
    Delta(Box<Delta>),
}

impl<'a> Write<'a> {
    /// Whether it writes all of a page of `size` bytes.
    fn covers(&self, size: u32) -> bool {
        match self {
            Write::Nothing => false,
            Write::Piece(offset, bytes) => *offset == 0 && bytes.len() == size as usize,
            Write::Delta(delta) => delta.is_dense(),
        }
    }

    /// What comes of it when more bytes are written after it.
    pub fn then(self, id: PageId, offset: u32, bytes: &'a [u8]) -> Result<Write<'a>> {
        let piece = |offset: u32, bytes| Delta::from_runs(id, &[(offset as usize, bytes)]);
        let earlier = match self {
            Write::Nothing => return Ok(Write::Piece(offset, bytes)),
            Write::Piece(offset, bytes) => piece(offset, bytes)?,
            Write::Delta(delta) => *delta,
        };
        Ok(Write::Delta(Box::new(earlier.merge(&piece(offset, bytes)?)?)))
    }

    /// Whether it changes a page's content, in which it lies.
    fn changes(&self, content: &[u8]) -> bool {
        let differs = |offset: usize, bytes: &[u8]| content[offset..][..bytes.len()] != *bytes;
        match self {
            Write::Nothing => false,
            &Write::Piece(offset, bytes) => differs(offset as usize, bytes),
            Write::Delta(delta) => delta.runs().any(|(offset, bytes)| differs(offset, bytes)),
        }
    }

    /// Where a page's content that it was made on differs from what it was.
    fn diff(&self, old: &[u8], new: &[u8], runs: &mut Runs) {
        let mut diff = |offset: usize, len: usize| {
            let range = offset..offset + len;
            diff_at(&old[range.clone()], &new[range], offset as u32, runs);
        };
        match self {
            Write::Nothing => {}
            &Write::Piece(offset, bytes) => diff(offset as usize, bytes.len()),
            Write::Delta(delta) => {
                delta.runs().for_each(|(offset, bytes)| diff(offset, bytes.len()));
            }
        }
    }

    /// Makes it on a page's content, where it lies inside.
    fn make(&self, content: &mut [u8]) {
        match self {
            Write::Nothing => {}
            &Write::Piece(offset, bytes) => overwrite(content, [(offset, bytes)]),
            Write::Delta(delta) => {
                overwrite(content, delta.runs().map(|(offset, bytes)| (offset as u32, bytes)));
            }
        }
    }
}

/// How a page begins: all zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Begin {
    /// Of its frame.
    pub size: u32,
    pub location: Location,
    pub private: bool,
    /// It was freed, and comes back.
    pub again: bool,
}

impl Change<'_> {
    /// Whether edges may have to follow it, or forbid it.
    pub fn concerns_edges(&self) -> bool {
        self.free || self.parents.is_some() || self.rule.is_some() || self.staleness.is_some()
    }

    /// Whether it changes what its page is computed by, or of.
    pub fn is_computed_anew(&self) -> bool {
        (self.parents.is_some() || matches!(self.rule, Some(Some(_)))) && !self.is_of_state()
    }

    /// Whether the page derives from `parent` afterwards, as it did before.
    pub fn keeps_parent(&self, parent: PageId) -> bool {
        let stays = |parents: &Vec<Link>| parents.iter().any(|link| link.page == parent);
        !self.free && self.parents.as_ref().is_none_or(stays)
    }

    /// Whether it leaves the content as it is.
    pub fn has_no_write(&self) -> bool {
        matches!(self.write, Write::Nothing)
    }

    /// Whether the state itself makes it, going back: of derived pages, too, and as they were.
    pub fn is_of_state(&self) -> bool {
        self.writer.authority == Authority::State
    }

    /// Whether there is nothing to it but a write.
    fn only_writes(&self) -> bool {
        let goes_on = self.begin.is_none() && !self.concerns_edges();
        goes_on && self.meta.is_empty() && self.ownership.is_none()
    }

    /// The new content of a bound page that is written to by hand, in a frame of its own, and where it
    /// differs; `None` if there is no such.
    #[inline]
    pub fn preview<'f>(&self, core: &'f Core, runs: &mut Runs) -> Result<Option<Fresh<'f>>> {
        if self.has_no_write() || self.begin.is_some() || self.is_of_state() {
            return Ok(None);
        }
        let page = core.lock_for(self.writer, self.id)?;
        if !page.bound {
            return Ok(None);
        }
        self.check_write(&page)?;
        let mut fresh = Fresh::raw(&core.table, page.size)?;
        if !self.write.covers(page.size) {
            fresh.bytes_mut().copy_from_slice(page.bytes());
        }
        // From here on nobody looks at the caller's memory: another thread may write to it.
        self.write.make(fresh.bytes_mut());
        self.write.diff(page.bytes(), fresh.bytes(), runs);
        Ok((!runs.is_empty()).then_some(fresh))
    }

    /// Refuses a write that is not to be made to the page, or does not fit it.
    #[inline]
    fn check_write(&self, page: &Body) -> Result<()> {
        if page.bound && !self.has_no_write() && !self.is_of_state() {
            check_by_hand(self.id, page)?;
        }
        let (frame, open) = match self.begin {
            Some(begin) => (begin.size, begin.open_size()),
            None => (page.size, page.open_size()),
        };
        let size = if self.is_of_state() { frame } else { open };
        match &self.write {
            Write::Nothing => Ok(()),
            &Write::Piece(offset, bytes) => check_range(self.id, size, offset.into(), bytes.len()),
            Write::Delta(delta) => {
                if delta.is_dense() && delta.payload_len() != size as usize {
                    return Err(wrong_length(self.id, size, "content", delta.payload_len()));
                }
                delta.validate(size as usize)
            }
        }
    }

    /// What leaves a page as it is.
    pub fn nothing(id: PageId) -> Self {
        let (writer, begin, write, meta) = (Writer::ANYBODY, None, Write::Nothing, Vec::new());
        let (read_only, free) = (false, false);
        let (ownership, parents, rule, staleness) = (None, None, None, None);
        Change {
            id,
            writer,
            read_only,
            begin,
            free,
            write,
            meta,
            ownership,
            parents,
            rule,
            staleness,
        }
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

    fn change(&mut self, id: PageId) -> Result<&mut Change<'static>> {
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
        self.begin(check_size(size)?, location, false)
    }

    /// As [`create_page`](Batch::create_page), of a [private](State::create_private_page) one.
    pub fn create_private_page(&mut self, size: u64, location: Location) -> Result<PageId> {
        self.begin(check_private_size(size)?, location, true)
    }

    fn begin(&mut self, size: u32, location: Location, private: bool) -> Result<PageId> {
        self.core.check_open()?;
        let id = self.core.table.reserve_id();
        self.change(id)?.begin = Some(Begin { size, location, private, again: false });
        Ok(id)
    }

    /// Frees a page. Pages that derive from it have to be freed in the same batch.
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
        change.write = Write::Delta(Box::new(match &change.write {
            Write::Delta(earlier) => earlier.merge(&delta)?,
            _ => delta,
        }));
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
        let group = Group { changes: &self.pages, note, listed: None };
        let lsn = self.core.in_turn(|| self.core.commit_batch(group, Log::begin))?;
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

/// Changes that are to be one group.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    /// Ascending by page.
    pub changes: &'a [Change<'a>],
    pub note: Note<'a>,
    /// How many pages had come and gone when its maker listed them: none may since.
    pub listed: Option<u64>,
}

/// One locked page of a batch, and what really happens to it. Built in its place: it is large.
pub(super) struct Planned<'a> {
    change: &'a Change<'a>,
    page: SlotGuard<'a>,
    /// A new page's frame, or the copy in which a page goes on that somebody looks at.
    fresh: Option<Fresh<'a>>,
    /// The frame has the new content already, all of it written.
    is_sealed: bool,
    written: Pieces<'a>,
    /// Whose the page is after the group, if that changes.
    ownership: Option<Ownership>,
    /// What changes beside content and ownership, as little does.
    beside: Option<Box<Beside<'a>>>,
    entries: usize,
    bodies: usize,
}

/// What changes of a page's metadata, edges and rule.
#[derive(Default)]
struct Beside<'a> {
    /// Metadata and parents after the group.
    meta: Meta,
    meta_changes: Vec<(&'a [u8], Option<&'a [u8]>)>,
    /// Edges that go and come, in this order.
    edge_changes: Vec<(Link, bool)>,
    /// How the content is computed after the group, if that changes.
    rule: Option<Option<&'a Rule>>,
    staleness: Option<Staleness>,
}

impl<'a> Planned<'a> {
    fn new(change: &'a Change<'a>, page: SlotGuard<'a>, fresh: Option<Fresh<'a>>) -> Planned<'a> {
        let (written, ownership, beside) = (Pieces::new(), None, None);
        let (is_sealed, entries, bodies) = (false, 0, 0);
        Planned { change, page, fresh, is_sealed, written, ownership, beside, entries, bodies }
    }

    /// Locks a change's page.
    fn lock(core: &'a Core, change: &Change<'_>) -> Result<SlotGuard<'a>> {
        match change.begin {
            Some(Begin { again: false, .. }) => core.table.lock_vacant(change.id),
            Some(Begin { again: true, .. }) => core.table.lock_freed(change.id),
            None if change.read_only => core.lock_read(change.writer, change.id),
            None => core.lock_for(change.writer, change.id),
        }
    }

    /// Works out what happens to the page; `written`: beside a write, which is made already.
    fn plan(&mut self, core: &'a Core, written: bool) -> Result<()> {
        if self.change.begin.is_some() {
            self.count(op::CREATE_LEN);
        }
        match self.is_private() && !self.change.is_of_state() {
            true => self.plan_seal(core)?,
            false if written => {}
            false => self.plan_write()?,
        }
        if !self.change.meta.is_empty() {
            self.plan_meta()?;
        }
        if self.change.ownership.is_some() {
            self.plan_ownership()?;
        }
        if self.change.parents.is_some() {
            self.plan_parents();
        }
        if self.change.rule.is_some() || self.change.staleness.is_some() {
            self.plan_rule();
        }
        if self.change.free {
            self.count(0);
        }
        Ok(())
    }

    fn beside(&mut self) -> &mut Beside<'a> {
        self.beside.get_or_insert_with(|| {
            let meta = self.page.meta().cloned().unwrap_or_default();
            Box::new(Beside { meta, ..Beside::default() })
        })
    }

    fn count(&mut self, body: usize) {
        self.entries += 1;
        self.bodies += body;
    }

    fn write_len(&self) -> usize {
        let payload = self.written.iter().map(|(_, bytes)| bytes.len()).sum();
        op::write_len(self.written.len(), payload)
    }

    fn plan_write(&mut self) -> Result<()> {
        self.change.check_write(&self.page)?;
        let old = self.fresh.as_ref().map_or(self.page.bytes(), Fresh::bytes);
        match &self.change.write {
            Write::Nothing => return Ok(()),
            &Write::Piece(offset, bytes) => {
                add_changed(&mut self.written, old, (offset, bytes));
            }
            Write::Delta(delta) => {
                for (offset, bytes) in delta.runs() {
                    add_changed(&mut self.written, old, (offset as u32, bytes));
                }
            }
        }
        if !self.written.is_empty() {
            self.count(self.write_len());
        }
        Ok(())
    }

    fn is_private(&self) -> bool {
        self.change.begin.map_or(self.page.private, |begin| begin.private)
    }

    /// Plans the write of a private page, by hand: it is opened, changed, and sealed as a whole.
    fn plan_seal(&mut self, core: &'a Core) -> Result<()> {
        let (change, id) = (self.change, self.change.id);
        change.check_write(&self.page)?;
        let begins = change.begin.is_some();
        if !begins && (change.has_no_write() || change.free) {
            return Ok(());
        }
        let sealer = core.sealer(id)?;
        let mut content = match change.begin {
            Some(begin) => Plain::new(vec![0; begin.open_size() as usize]),
            None => sealer.open(id, self.page.bytes())?,
        };
        if !begins && !change.write.changes(&content) {
            return Ok(());
        }
        change.write.make(&mut content);
        let mut fresh = match self.fresh.take() {
            Some(fresh) => fresh,
            None => Fresh::raw(&core.table, self.page.size)?,
        };
        sealer.seal(id, &content, fresh.bytes_mut())?;
        self.count(op::write_len(1, fresh.bytes().len()));
        (self.fresh, self.is_sealed) = (Some(fresh), true);
        Ok(())
    }

    /// Whether the content changes.
    fn writes(&self) -> bool {
        self.is_sealed || !self.written.is_empty()
    }

    fn plan_meta(&mut self) -> Result<()> {
        let change = self.change;
        for (key, value) in &change.meta {
            let (value, meta) = (value.as_deref(), &mut self.beside().meta);
            if value.is_none() && meta.get(key).is_none() {
                return Err(no_key(change.id, key));
            }
            if meta.get(key) != value {
                meta.set(key, value);
                self.beside().meta_changes.push((key, value));
                self.count(op::meta_len(key, value));
            }
        }
        self.beside().meta.check_total()
    }

    fn plan_ownership(&mut self) -> Result<()> {
        let taken = self.change.ownership.is_some_and(|ownership| ownership != Ownership::Shared);
        if taken && self.page.bound && !self.change.is_of_state() {
            check_by_hand(self.change.id, &self.page)?;
        }
        let now = self.change.begin.map_or(self.page.ownership, |_| Ownership::Shared);
        self.ownership = self.change.ownership.filter(|&ownership| ownership != now);
        if self.ownership.is_some() {
            self.count(op::OWN_LEN);
        }
        Ok(())
    }

    /// Parents from the first on that is another go, the last one first, and come anew: they have an
    /// order.
    fn plan_parents(&mut self) {
        let coming = self.change.parents.as_deref().unwrap_or_default();
        let Beside { meta, edge_changes, .. } = self.beside();
        let same = meta.parents().iter().zip(coming).take_while(|(a, b)| a == b).count();
        edge_changes.extend(meta.parents()[same..].iter().rev().map(|&link| (link, false)));
        edge_changes.extend(coming[same..].iter().map(|&link| (link, true)));
        for &(link, there) in &*edge_changes {
            meta.set_parent(link, there);
        }
        let count = edge_changes.len();
        self.entries += count;
        self.bodies += count * op::EDGE_LEN;
    }

    fn plan_rule(&mut self) {
        let change = self.change;
        let beside = self.beside();
        if let Some(rule) = &change.rule
            && beside.meta.rule() != rule.as_ref()
        {
            beside.meta.set_rule(rule.clone());
            beside.rule = Some(rule.as_ref());
            self.count(op::rule_len(rule.as_ref()));
        }
        if let Some(staleness) = change.staleness {
            self.mark(staleness);
        }
    }

    /// Has the page marked, whatever its rule becomes.
    fn mark(&mut self, staleness: Staleness) {
        let beside = self.beside();
        if beside.meta.staleness != staleness {
            beside.meta.staleness = staleness;
            beside.staleness = Some(staleness);
            self.count(op::STALE_LEN);
        }
    }

    /// Whether metadata, parents or rule change.
    fn changes_beside(&self) -> bool {
        let changes = |beside: &Beside<'_>| {
            !beside.meta_changes.is_empty()
                || !beside.edge_changes.is_empty()
                || beside.rule.is_some()
                || beside.staleness.is_some()
        };
        self.beside.as_deref().is_some_and(changes)
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
        if let Some(Begin { size, location, again, .. }) = self.change.begin {
            epoch += u64::from(again);
            let kind = if again { kind::RESTORE } else { kind::CREATE };
            op::encode_create(entries.entry(head(kind, epoch), op::CREATE_LEN), size, location);
        }
        if !self.written.is_empty() {
            epoch += 1;
            let kind = op::write_kind(self.is_private() && !sings(Canary::OpenReturn));
            let (head, pieces) = (head(kind, epoch), self.written.iter().copied());
            op::encode_write(entries, head, self.write_len(), pieces);
        }
        if let Some(sealed) = self.fresh.as_ref().filter(|_| self.is_sealed) {
            epoch += 1;
            let (head, content) = (head(kind::SEAL, epoch), sealed.bytes());
            let piece = std::iter::once((0, content));
            op::encode_write(entries, head, op::write_len(1, content.len()), piece);
        }
        for &(key, value) in self.beside.iter().flat_map(|beside| &beside.meta_changes) {
            let enc = entries.entry(head(kind::META, epoch), op::meta_len(key, value));
            op::encode_meta(enc, key, value);
        }
        if let Some(ownership) = self.ownership {
            entries.entry(head(kind::OWN, epoch), op::OWN_LEN).u32(ownership.code());
        }
        for &(link, there) in self.beside.iter().flat_map(|beside| &beside.edge_changes) {
            let enc = entries.entry(head(op::edge_kind(there), epoch), op::EDGE_LEN);
            op::encode_edge(enc, link);
        }
        if let Some(rule) = self.beside.as_ref().and_then(|beside| beside.rule) {
            op::encode_rule(entries.entry(head(kind::RULE, epoch), op::rule_len(rule)), rule);
        }
        if let Some(staleness) = self.beside.as_ref().and_then(|beside| beside.staleness) {
            entries.entry(head(kind::STALE, epoch), op::STALE_LEN).u8(staleness as u8);
        }
        if self.change.free {
            entries.entry(head(kind::FREE, epoch), 0);
        }
    }

    fn apply(&mut self, core: &Core, lsn: Lsn) {
        if self.entries == 0 {
            return;
        }
        let (changes_beside, writes) = (self.changes_beside(), self.writes());
        let (id, page) = (self.change.id, &mut self.page);
        match (self.change.begin, self.fresh.take()) {
            (Some(begin), Some(fresh)) => begin.apply(core, id, page, fresh, lsn),
            (_, Some(fresh)) => core.displace(id, page, Some(fresh), lsn, changes_beside),
            (_, None) => {}
        }
        if self.change.free {
            core.end_page(id, page, lsn);
            page.epoch += u64::from(writes);
            return;
        }
        if writes {
            if !self.is_sealed {
                overwrite(page.bytes_mut(), self.written.iter().copied());
            }
            page.epoch += 1;
        }
        if let Some(beside) = self.beside.take().filter(|_| changes_beside) {
            page.set_meta(beside.meta);
        }
        if let Some(ownership) = self.ownership {
            core.table.note_uncommon();
            page.ownership = ownership;
        }
        page.lsn = lsn;
    }
}

impl Begin {
    /// Bytes of content, open.
    fn open_size(self) -> u32 {
        self.size - if self.private { SEAL_BYTES } else { 0 }
    }

    fn apply(self, core: &Core, id: PageId, page: &mut SlotGuard<'_>, fresh: Fresh<'_>, lsn: Lsn) {
        let Begin { size, location, private, again } = self;
        if again {
            // Snapshots taken since it was freed do not have it.
            core.displace(id, page, None, lsn, false);
            let epoch = page.epoch + 1;
            page.restore((size, location), (lsn, epoch), fresh.take());
        } else {
            page.create(size, location, lsn, fresh.take());
        }
        page.private = private;
        core.note_created(id, size, lsn);
    }
}

#[cold]
pub(super) fn listed_no_more() -> Error {
    let message = "pages came or went after the transaction listed them";
    Error::new(ErrorKind::Conflict, message)
}

impl Core {
    /// Makes all changes, ascending by page, as one group, which `begin` lets begin, with all that
    /// has to be computed for it.
    pub(super) fn commit_batch<'a>(
        &'a self,
        group: Group<'_>,
        begin: impl Fn(&'a Log, usize) -> Result<Append<'a>>,
    ) -> Result<Option<Lsn>> {
        if !group.changes.iter().any(Change::concerns_edges) {
            match self.commit_group(group, None, &begin) {
                Err(error) if error.is_bound() => {}
                done => return done,
            }
        }
        self.commit_bound(group, begin)
    }

    /// As [`commit_batch`](Self::commit_batch), where edges are concerned.
    pub(super) fn commit_bound<'a>(
        &'a self,
        group: Group<'_>,
        begin: impl Fn(&'a Log, usize) -> Result<Append<'a>>,
    ) -> Result<Option<Lsn>> {
        let mut edges = self.lock_edges()?;
        edges.check_frees(group.changes)?;
        self.commit_held(&mut edges, group, begin)
    }

    /// As [`commit_bound`](Self::commit_bound), with the edges held.
    pub(super) fn commit_held<'a>(
        &'a self,
        edges: &mut Edges,
        group: Group<'_>,
        begin: impl Fn(&'a Log, usize) -> Result<Append<'a>>,
    ) -> Result<Option<Lsn>> {
        self.commit_as(edges, group, self.propagation(), begin)
    }

    /// As [`commit_held`](Self::commit_held), whatever the state's mode of propagation is.
    pub(super) fn commit_as<'a>(
        &'a self,
        edges: &mut Edges,
        group: Group<'_>,
        mode: Propagation,
        begin: impl Fn(&'a Log, usize) -> Result<Append<'a>>,
    ) -> Result<Option<Lsn>> {
        let mut derived = Derived::default();
        self.derive(edges, group.changes, mode, &mut derived)?;
        let done = self.commit_group(group, Some((edges.last, &mut derived)), begin)?;
        if let Some(lsn) = done {
            edges.follow(self, group.changes, &derived.made, lsn)?;
        }
        Ok(done)
    }

    /// Makes all changes, with what they make of derived pages, above an LSN; with neither, of pages
    /// that are not bound.
    fn commit_group<'a>(
        &'a self,
        group: Group<'_>,
        bound: Option<(Lsn, &mut Derived<'a>)>,
        begin: impl Fn(&'a Log, usize) -> Result<Append<'a>>,
    ) -> Result<Option<Lsn>> {
        let Group { changes, note, listed } = group;
        let is_bound = bound.is_some();
        let (after, made, runs): (_, &mut [Made<'a>], &[Runs]) = match bound {
            Some((after, Derived { made, runs })) => (after, made, runs),
            None => (Lsn::ZERO, &mut [], &[]),
        };
        let mut plan: SmallVec<[Planned<'_>; 4]> = SmallVec::with_capacity(changes.len());
        let mut locking = Locking::new(made);
        for change in changes {
            let (at, written) = (plan.len(), locking.is_written(change.id));
            if written && change.only_writes() {
                continue;
            }
            locking.lock_below(self, change.id, at)?;
            let zeroed = |begin: Begin| Fresh::zeroed(&self.table, begin.size);
            let (page, fresh) = (Planned::lock(self, change)?, change.begin.map(zeroed));
            plan.push(Planned::new(change, page, fresh.transpose()?));
            let Some(planned) = plan.last_mut() else { continue };
            planned.plan(self, written)?;
            // Nobody else displaces the frame of a bound page: who computes reads it without a lock.
            let follows = planned.page.bound && !sings(Canary::UnfollowedGroup);
            if follows && !is_bound && planned.entries > 0 {
                return Err(Error::bound());
            }
            if let Some(staleness) = locking.mark_of(at) {
                planned.mark(staleness);
            }
        }
        locking.lock_below(self, PageId(u64::MAX), changes.len())?;
        let (mut own, mut entries, mut bodies, mut after) = (0, 0, 0, after);
        for planned in &plan {
            if planned.change.begin.is_some() || planned.change.free {
                self.table.lives.note();
                own += 1;
            }
            (entries, bodies) = (entries + planned.entries, bodies + planned.bodies);
            after = after.max(planned.page.lsn);
        }
        for made in &*made {
            entries += usize::from(made.is_entry());
            bodies += made.body_len(runs);
            after = made.page.as_ref().map_or(after, |page| after.max(page.lsn));
        }
        if entries == 0 {
            return Ok(None);
        }
        let (time_ms, len_max) = (self.wall.wall_ms(), record::len_max(note, entries, bodies));
        let (mut append, lsn) = loop {
            let mut append = begin(&self.log, len_max)?;
            let lsn = append.stamp(after);
            if listed.is_some_and(|n| self.table.lives.count_after_own() != n + own) {
                return Err(listed_no_more());
            }
            let needs_copy = plan.iter().any(|planned| planned.needs_copy(self))
                || made.iter().any(|made| made.needs_copy(self));
            if !needs_copy {
                break (append, lsn);
            }
            drop(append);
            for planned in plan.iter_mut().filter(|planned| planned.needs_copy(self)) {
                planned.fresh = Some(Fresh::copy_of(&self.table, &planned.page)?);
            }
            for made in made.iter_mut().filter(|made| made.needs_copy(self)) {
                made.copy(self)?;
            }
        };
        let len = record::write(append.buf(), lsn, time_ms, note, entries, |enc| {
            plan.iter().for_each(|planned| planned.encode(enc));
            for made in &*made {
                let own = made.own.and_then(|at| plan.get(at as usize)).map(|own| &own.page);
                if let Some(page) = own.or(made.page.as_ref()) {
                    made.encode(enc, runs, page);
                }
            }
        });
        // Before the group is published: a snapshot above it finds what it displaced.
        plan.iter_mut().for_each(|planned| planned.apply(self, lsn));
        for made in &mut *made {
            match (made.own.and_then(|at| plan.get_mut(at as usize)), made.page.take()) {
                (Some(own), _) => made.apply(self, &mut own.page, lsn),
                (None, Some(mut page)) => {
                    made.apply(self, &mut page, lsn);
                    made.page = Some(page);
                }
                (None, None) => {}
            }
        }
        self.publish(append, len);
        made.iter_mut().for_each(|made| made.page = None);
        Ok(Some(lsn))
    }
}

/// Locks the bound pages of a group, ascending, between those that are planned.
struct Locking<'m, 'a> {
    made: &'m mut [Made<'a>],
    /// Ascending by page; left empty where they are so.
    order: SmallVec<[u32; 8]>,
    next: usize,
    /// The next that is written, if it is.
    written: usize,
}

impl<'m, 'a> Locking<'m, 'a> {
    #[inline]
    fn new(made: &'m mut [Made<'a>]) -> Self {
        let mut order = SmallVec::new();
        if !made.is_sorted_by_key(|made| made.id) {
            order.extend(0..made.len() as u32);
            order.sort_unstable_by_key(|&at: &u32| made[at as usize].id);
        }
        Locking { made, order, next: 0, written: 0 }
    }

    /// The one of `made` that comes at a place of the order.
    fn at(&mut self, place: usize) -> Option<&mut Made<'a>> {
        let at = if self.order.is_empty() { place } else { *self.order.get(place)? as usize };
        self.made.get_mut(at)
    }

    /// Whether the write of a change to `id` is one of `made`. Asked of all changes, ascending.
    fn is_written(&mut self, id: PageId) -> bool {
        let next = self.made.get(self.written);
        let is_written = next.is_some_and(|made| made.is_written() && made.id == id);
        self.written += usize::from(is_written);
        is_written
    }

    /// Locks what comes before `id`. If that is one of `made` itself, it is locked as the plan's page
    /// that stands at `own`.
    #[inline]
    fn lock_below(&mut self, core: &'a Core, id: PageId, own: usize) -> Result<()> {
        if self.next == self.made.len() {
            return Ok(());
        }
        self.lock_next_below(core, id, own)
    }

    fn lock_next_below(&mut self, core: &'a Core, id: PageId, own: usize) -> Result<()> {
        while let Some(made) = self.at(self.next).filter(|made| made.id <= id) {
            match made.id == id {
                true => made.own = Some(own as u32),
                false => made.page = Some(core.table.lock(made.id)?),
            }
            self.next += 1;
        }
        Ok(())
    }

    /// What the plan's page at `own`, which was locked last, is marked as.
    fn mark_of(&mut self, own: usize) -> Option<Staleness> {
        let made = self.at(self.next.checked_sub(1)?)?;
        if made.own == Some(own as u32) { made.merge_mark() } else { None }
    }
}
