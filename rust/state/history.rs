//! The past: queries over the log, a page as it was, the state as it was.
//!
//! A page's history follows the links from record to record, newest first, as long as that is less
//! work than to read the range; everything else reads a range of the log. Replay starts from the
//! newest image at or below its target, or from nothing.

use super::State;
use super::apply::{Applier, overwrite};
use super::core::Core;
use super::ending;
use super::graph::Edges;
use super::op::{Op, Written};
use super::rules::Formulas;
use crate::bail;
use crate::checkpoint::{Image, ImageCopy, ImageRef};
use crate::error::{Error, ErrorKind, Result};
use crate::log::reader::Lookup;
use crate::log::segment::{INDEX_EVERY, SEGMENT_HEADER_BYTES, Segment};
use crate::log::{EntryHead, Reader, Record, gate};
use crate::page::meta::Meta;
use crate::page::seal::SEAL_BYTES;
use crate::page::{Delta, Stamp};
use crate::types::{Epoch, Link, Location, Lsn, Ownership, PageId, Rule, Staleness};
use smallvec::SmallVec;
use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a record did to a page.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// The page began.
    Created {
        /// Bytes.
        size: u64,
        /// Where it should live.
        location: Location,
    },
    /// The page ended.
    Freed,
    /// The page, which had ended, began again, all zero: the state went back to a soft checkpoint.
    /// Content and metadata follow in the same group.
    Restored {
        /// Bytes.
        size: u64,
        /// Where it should live.
        location: Location,
    },
    /// Content changed.
    Written(Delta),
    /// A metadata key changed, or went (`None`).
    Meta {
        /// The key.
        key: Vec<u8>,
        /// Its value from then on.
        value: Option<Vec<u8>>,
    },
    /// The page belongs to somebody else from then on.
    Owned(Ownership),
    /// The page derives from another from then on.
    EdgeAdded(Link),
    /// The page derives from another no longer.
    EdgeRemoved(Link),
    /// The content is computed by this rule from then on, or no longer computed (`None`).
    Ruled(Option<Rule>),
    /// Content was computed anew by the page's formula; [`State::page_at`] tells what it came to.
    Derived,
    /// Content was computed anew by a callback; what changed.
    Computed(Delta),
    /// Content became stale, or was found not to be.
    Staled(Staleness),
    /// The content of a private page changed; [`State::page_at`] tells what it came to.
    Sealed,
}

/// One change to one page, read back from the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Changed {
    /// The record's place in the order of groups. Changes of one group share it.
    pub lsn: Lsn,
    /// Wall clock, milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// Label of who acted.
    pub source: String,
    /// Why, if they said so.
    pub intent: Option<String>,
    /// The page.
    pub page: PageId,
    /// The page's epoch after the change.
    pub epoch: Epoch,
    /// The record that changed the page before; [`Lsn::ZERO`] for none.
    pub prev: Lsn,
    /// What happened.
    pub change: Change,
}

/// Which changes to read; the default is all that are kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// Only this page: follows the page's links where they are fewer than the log is long.
    pub page: Option<PageId>,
    /// Only above this LSN. `None` begins where history begins.
    pub after: Option<Lsn>,
    /// Only up to this LSN.
    pub to: Option<Lsn>,
    /// Only at or after this wall clock, milliseconds.
    pub from_ms: Option<u64>,
    /// Only at or before this wall clock, milliseconds.
    pub to_ms: Option<u64>,
    /// Only of this source.
    pub source: Option<String>,
    /// At most so many.
    pub limit: Option<u64>,
}

impl Query {
    /// All changes of one page.
    pub fn page(id: PageId) -> Query {
        Query { page: Some(id), ..Query::default() }
    }

    fn takes(&self, change: &Record<'_>) -> bool {
        self.from_ms.is_none_or(|from| change.time_ms() >= from)
            && self.to_ms.is_none_or(|to| change.time_ms() <= to)
            && self.source.as_ref().is_none_or(|source| source == change.source())
    }
}

/// A page as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageAt {
    /// Content.
    pub bytes: Vec<u8>,
    /// Epoch of the content.
    pub epoch: Epoch,
    /// The last record that changed the page by then.
    pub lsn: Lsn,
    /// Metadata, ascending by key.
    pub meta: Vec<(Vec<u8>, Vec<u8>)>,
    /// Who could change it.
    pub ownership: Ownership,
    /// Whether its content is sealed where it is kept.
    pub private: bool,
    /// The pages that it derived from, in the order in which the edges were added.
    pub parents: Vec<Link>,
    /// How its content was computed, if it was.
    pub rule: Option<Rule>,
    /// Whether it was what the rule made of the parents.
    pub staleness: Staleness,
}

/// Changes that a query found, in LSN order. An error ends it.
///
/// It reads as it goes and stays valid when the state is closed. A state that then opens the same
/// directory may reuse log files that nothing needs any more: be at the end, or drop it, before.
pub struct Changes {
    /// `None` where everything was read already, or an error ended it.
    reader: Option<Box<Reader>>,
    query: Query,
    left: u64,
    ready: VecDeque<Changed>,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Changes({:?})", self.query)
    }
}

impl Changes {
    pub(super) fn of_range(reader: Reader, query: Query) -> Changes {
        let left = query.limit.unwrap_or(u64::MAX);
        Changes { reader: Some(Box::new(reader)), query, left, ready: VecDeque::new() }
    }

    /// The next record's changes into `ready`; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        let Some(reader) = &mut self.reader else { return Ok(false) };
        let Some(record) = reader.next_record()? else { return Ok(false) };
        if self.query.takes(&record) {
            collect(&record, self.query.page, &mut self.ready)?;
        }
        Ok(true)
    }
}

impl Iterator for Changes {
    type Item = Result<Changed>;

    fn next(&mut self) -> Option<Result<Changed>> {
        self.left = self.left.checked_sub(1)?;
        loop {
            if let Some(changed) = self.ready.pop_front() {
                return Some(Ok(changed));
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.reader = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Takes the changes of a record, to one page (then in front of what `out` holds: links lead
/// backwards) or to all.
fn collect(record: &Record<'_>, page: Option<PageId>, out: &mut VecDeque<Changed>) -> Result<()> {
    let mut at: usize = 0;
    for entry in record.entries() {
        let entry = entry.map_err(|reason| unreadable(record.lsn, reason))?;
        let EntryHead { object, epoch, prev, .. } = entry.head;
        if page.is_some_and(|page| page.0 != object) {
            continue;
        }
        let id = PageId(object);
        let op = Op::decode(&entry).map_err(|reason| unreadable(record.lsn, reason))?;
        let change = match op {
            Op::Create { size, location } => Change::Created { size: size.into(), location },
            Op::Restore { size, location } => Change::Restored { size: size.into(), location },
            Op::Free => Change::Freed,
            Op::Meta { key, value } => {
                Change::Meta { key: key.to_vec(), value: value.map(<[u8]>::to_vec) }
            }
            Op::Own(ownership) => Change::Owned(ownership),
            Op::Edge { link, there: true } => Change::EdgeAdded(link),
            Op::Edge { link, there: false } => Change::EdgeRemoved(link),
            Op::Write(runs) => Change::Written(read_delta(record, id, epoch, runs)?),
            Op::Result(runs) => Change::Computed(read_delta(record, id, epoch, runs)?),
            Op::Rule(rule) => Change::Ruled(rule),
            Op::Derive => Change::Derived,
            Op::Stale(staleness) => Change::Staled(staleness),
            Op::Seal(_) => Change::Sealed,
        };
        if matches!(change, Change::Sealed) {
            let before = match page {
                Some(_) => at.checked_sub(1).and_then(|at| out.get_mut(at)),
                None => out.back_mut(),
            };
            tell_open_size(before.filter(|before| (before.lsn, before.page) == (record.lsn, id)));
        }
        let changed = Changed {
            lsn: record.lsn,
            time_ms: record.time_ms(),
            source: record.source().to_owned(),
            intent: record.intent().map(str::to_owned),
            page: id,
            epoch,
            prev,
            change,
        };
        match page {
            Some(_) => out.insert(at, changed),
            None => out.push_back(changed),
        }
        at += 1;
    }
    Ok(())
}

/// A page that begins private has the size that it shows, not that of its frame.
fn tell_open_size(begun: Option<&mut Changed>) {
    if let Some(Changed { change, .. }) = begun
        && let Change::Created { size, .. } | Change::Restored { size, .. } = change
    {
        *size = size.saturating_sub(SEAL_BYTES.into());
    }
}

/// A delta as it was recorded, with its note and its place in history.
fn read_delta(record: &Record<'_>, id: PageId, epoch: Epoch, runs: Written<'_>) -> Result<Delta> {
    let runs: SmallVec<[_; 4]> = runs.map(|(at, bytes)| (at as usize, bytes)).collect();
    let stamp = Stamp { lsn: record.lsn, epoch, time_ms: record.time_ms() };
    let delta = Delta::from_runs(id, &runs)?.with_source(record.source())?.with_stamp(stamp);
    match record.intent() {
        Some(intent) => delta.with_intent(intent),
        None => Ok(delta),
    }
}

fn unreadable(lsn: Lsn, reason: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the record {lsn} cannot be read: {reason}"))
}

/// Bytes that a scan reads in the time of one step along a page's links, about 0.5 µs: 200 where
/// records are short, 1,500 where they are long.
const STEP_BYTES: u64 = 512;

/// About how many bytes a scan of the records above `after` and up to `to` reads.
fn range_bytes(segments: &[Arc<Segment>], after: Lsn, to: Lsn) -> Result<u64> {
    let mut bytes = 0;
    let meets = |segment: &&Arc<Segment>| segment.closed() > after && segment.header.base < to;
    for segment in segments.iter().filter(meets) {
        let from = match segment.header.base < after {
            true => segment.seek(after, &mut 0)?,
            false => SEGMENT_HEADER_BYTES,
        };
        let end = match segment.closed() > to {
            true => segment.seek(to, &mut 0)? + INDEX_EVERY,
            // The end of a segment that nobody has read yet is not known.
            false if segment.end() == 0 => segment.header.capacity,
            false => segment.end(),
        };
        bytes += end.saturating_sub(from);
    }
    Ok(bytes)
}

/// The link of `page` in a record, if that changes it.
fn link(record: &Record<'_>, page: PageId) -> Result<Option<Lsn>> {
    for entry in record.entries() {
        let entry = entry.map_err(|reason| unreadable(record.lsn, reason))?;
        if entry.head.object == page.0 {
            return Ok(Some(entry.head.prev));
        }
    }
    Ok(None)
}

/// All of these flush first, so that they see every change made before the call.
///
/// # Errors
/// `HistoryDropped` for what is no longer kept, `LsnInFuture`, `Corrupt` with file, offset and
/// reason.
impl State {
    /// Reads changes back from the log, in LSN order.
    ///
    /// Cost: one pass over the range, as it is read; with [`Query::page`] about 1 µs per change of
    /// that page above `after`, where that is less.
    ///
    /// ```
    /// # use mmsb::{Config, Note, Query, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let page = state.create_page(4, Note::NONE)?;
    /// state.write(page, 0, b"a", Note::from("one").because("a test"))?;
    /// let changes: Vec<_> = state.query(Query::page(page))?.collect::<Result<_, _>>()?;
    /// assert_eq!((changes.len(), changes[1].source.as_str()), (2, "one"));
    /// # Ok(()) }
    /// ```
    pub fn query(&self, query: Query) -> Result<Changes> {
        let written = self.flush()?;
        let core = self.core();
        let (floor, to) = (core.log.history_floor(), query.to.unwrap_or(written));
        if let Some(after) = query.after.filter(|&after| after < floor) {
            bail!(
                HistoryDropped,
                "the log at {after} is no longer kept; history begins after {floor}"
            );
        }
        let scan = || match query.after {
            Some(after) => core.log.reader(after, to),
            None => core.log.reader_of_kept(to),
        };
        let Some(page) = query.page else {
            return Ok(Changes::of_range(scan()?, query));
        };
        let mut ready = VecDeque::with_capacity(core.changes_about(page));
        let walked = core.walk(page, query.after, to, |record| match query.takes(record) {
            true => collect(record, Some(page), &mut ready),
            false => Ok(()),
        })?;
        if !walked {
            return Ok(Changes::of_range(scan()?, query));
        }
        let left = query.limit.unwrap_or(u64::MAX);
        Ok(Changes { reader: None, query, left, ready })
    }

    /// All changes of a page that are kept, oldest first.
    pub fn page_history(&self, id: PageId) -> Result<Vec<Changed>> {
        let changes = self.query(Query::page(id))?;
        match changes.reader {
            Some(_) => changes.collect(),
            // The links were followed already: what was found only changes its form.
            None => Ok(changes.ready.into()),
        }
    }

    /// A page as it was when everything up to `lsn` had happened.
    ///
    /// # Errors
    /// `PageNotFound` and `PageFreed` as of then.
    ///
    /// Cost: about 1 µs per change of the page after the newest image at or below `lsn`, or a pass
    /// over the log from there to `lsn` where that is less.
    pub fn page_at(&self, id: PageId, lsn: Lsn) -> Result<PageAt> {
        self.check_past(lsn)?;
        self.core().page_at(id, lsn)
    }

    /// The state as it was when everything up to `lsn` had happened: detached, read-only, in
    /// memory. It holds content, not the log that led to it: it has no past of its own, and there
    /// is nothing to verify it by (`HistoryDropped`), but it can be exported.
    ///
    /// Cost: opening the newest image at or below `lsn`, and the records from there.
    ///
    /// ```
    /// # use mmsb::{Config, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let page = state.create_page(1, Note::NONE)?;
    /// let then = state.flush()?;
    /// state.update(page, &[1], Note::NONE)?;
    /// assert_eq!(state.replay_to(then)?.read_all(page)?, [0]);
    /// # Ok(()) }
    /// ```
    pub fn replay_to(&self, lsn: Lsn) -> Result<State> {
        self.replay_with(lsn, |_| ControlFlow::Continue(()))
    }

    /// As [`replay_to`](State::replay_to); `progress` is told the LSN of each record that is about
    /// to be applied, and may end the replay.
    ///
    /// # Errors
    /// `Cancelled` if `progress` breaks.
    pub fn replay_with(
        &self,
        lsn: Lsn,
        progress: impl FnMut(Lsn) -> ControlFlow<()>,
    ) -> Result<State> {
        self.check_past(lsn)?;
        self.core().replay_to(lsn, ending(progress))
    }

    /// Flushes, and refuses an LSN above everything that was written.
    fn check_past(&self, lsn: Lsn) -> Result<()> {
        let written = self.flush()?;
        if lsn <= written {
            return Ok(());
        }
        // Nothing need be written up to a closed LSN, a snapshot's for one.
        let closed = self.core().log.close_lsn(|_| ());
        if lsn > closed {
            bail!(LsnInFuture, "{lsn} lies after the last record; the log is closed at {closed}");
        }
        self.flush().map(drop)
    }
}

impl Core {
    /// Calls `visit` with the records of a page above `after`, or all that are kept, and up to
    /// `to`, newest first: the order of the links, which begin at the page's newest record. Gives
    /// up, with `false`, where a scan of the range is the shorter way: what was visited by then is
    /// to be forgotten.
    fn walk(
        &self,
        id: PageId,
        after: Option<Lsn>,
        to: Lsn,
        mut visit: impl FnMut(&Record<'_>) -> Result<()>,
    ) -> Result<bool> {
        let Some(mut lsn) = self.table.lock_any(id)?.map(|page| page.lsn) else {
            if self.table.is_in_image(id) {
                // It was freed before the image was made, which does not tell of its last record.
                return Ok(false);
            }
            bail!(PageNotFound, "{id} does not exist");
        };
        if lsn > self.log.written() {
            // Others may have changed the page since the caller flushed.
            self.log.flush()?;
        }
        let mut lookup = Lookup::new(&self.log);
        let after = after.unwrap_or(lookup.floor());
        let mut steps = range_bytes(&self.log.segments(), after, to)? / STEP_BYTES;
        while lsn > after {
            let Some(left) = steps.checked_sub(1) else { return Ok(false) };
            steps = left;
            let record = self.log.record_at(&mut lookup, lsn)?;
            if lsn <= to {
                visit(&record)?;
            }
            let Some(prev) = link(&record, id)? else {
                return Err(unreadable(lsn, &format!("it does not change {id}")));
            };
            lsn = prev;
        }
        Ok(true)
    }

    /// The last record of a page up to `to`, by a scan; [`Lsn::ZERO`] for none. Where links begin of a
    /// page that was freed before the image was made.
    pub(super) fn last_record(&self, id: PageId, to: Lsn) -> Result<Lsn> {
        let (mut reader, mut last) = (self.log.reader_of_kept(to)?, Lsn::ZERO);
        while let Some(record) = reader.next_record()? {
            if link(&record, id)?.is_some() {
                last = record.lsn;
            }
        }
        Ok(last)
    }

    /// About how many changes of a page a walk may find.
    fn changes_about(&self, id: PageId) -> usize {
        const MAX: u64 = 4096;
        let page = self.table.lock_any(id).ok().flatten();
        page.map_or(0, |page| page.epoch.saturating_add(1).min(MAX) as usize)
    }

    /// The newest image at or below `lsn`; `None` to begin with nothing.
    fn base(&self, lsn: Lsn) -> Result<Option<Image>> {
        let catalog = self.catalog.lock();
        let image = catalog.manifest.images.iter().rev().find(|image| image.lsn <= lsn);
        if let Some(image) = image {
            return Image::open(&*self.storage, &image.file_name()).map(Some);
        }
        if let Some((storage, name, at)) = &self.origin
            && *at <= lsn
        {
            return Image::open(&**storage, name).map(Some);
        }
        let floor = self.log.history_floor();
        if floor > Lsn::ZERO {
            return Err(not_kept(lsn, floor, catalog.manifest.images.first()));
        }
        Ok(None)
    }

    /// Up to `lsn`, which was written. An error of `progress` ends the replay.
    pub(super) fn replay_to(
        &self,
        lsn: Lsn,
        mut progress: impl FnMut(Lsn) -> Result<()>,
    ) -> Result<State> {
        let base = self.base(lsn)?;
        let after = base.as_ref().map_or(Lsn::ZERO, |image| image.lsn);
        let mut core = Core::take();
        let past = super::exclusive(&mut core)?;
        if let Some(image) = base {
            past.table.back(Arc::new(image));
        }
        past.sealer = self.sealer.clone();
        // It has no log of its own: its history is dropped, not empty.
        if let Some(log) = Arc::get_mut(&mut past.log) {
            log.rebase(lsn);
        }
        past.log.clock.gate.fetch_or(gate::READ_ONLY, Ordering::SeqCst);
        let mut reader = self.log.reader(after, lsn)?;
        let mut applier = Applier::new(&mut past.table);
        while let Some(record) = reader.next_record()? {
            progress(record.lsn)?;
            applier.apply(&record)?;
        }
        *past.edges.get_mut() = Edges::of(&past.table)?;
        Ok(State::from_core(core))
    }

    fn page_at(&self, id: PageId, lsn: Lsn) -> Result<PageAt> {
        match self.past(id, lsn)? {
            Some(past) => {
                let mut page = self.settle(id, past)?.into_page();
                if page.private {
                    page.bytes = self.copy_all(id, true, &page.bytes)?;
                }
                Ok(page)
            }
            None => bail!(PageNotFound, "{id} does not exist as of {lsn}"),
        }
    }

    /// The page as its own records tell: computed content may be [pending](Past::pending).
    fn past(&self, id: PageId, lsn: Lsn) -> Result<Option<Past>> {
        let base = self.base(lsn)?;
        let after = base.as_ref().map_or(Lsn::ZERO, |image| image.lsn);
        let mut past = match &base {
            Some(image) => image.read_page(id)?.map(Past::from),
            None => None,
        };
        // Newest first from the links; applied oldest first.
        let mut records = Vec::new();
        let walked = self.walk(id, Some(after), lsn, |record| {
            records.push(record.to_bytes());
            Ok(())
        })?;
        if walked {
            for bytes in records.iter().rev() {
                let record = Record::parse(bytes).map_err(|reason| unreadable(lsn, reason))?;
                past = Past::through(past, id, &record)?;
            }
        } else {
            let mut reader = self.log.reader(after, lsn)?;
            while let Some(record) = reader.next_record()? {
                past = Past::through(past, id, &record)?;
            }
        }
        Ok(past)
    }

    /// What a page was computed by, and from, when everything up to `lsn` had happened.
    pub(super) fn rule_at(&self, id: PageId, lsn: Lsn) -> Result<(Option<Rule>, Vec<PageId>)> {
        let meta = self.past(id, lsn)?.map(|past| past.meta).unwrap_or_default();
        Ok((meta.rule().cloned(), meta.sources().collect()))
    }

    /// Computes what is pending: from the parents as they were, which may be pending, too. Not
    /// recursive: pages may derive from each other over any number of edges.
    fn settle(&self, id: PageId, past: Past) -> Result<Past> {
        let mut known = HashMap::new();
        let mut formulas = Formulas::default();
        let mut waiting = vec![Waiting { asked: (id, past.lsn), past, next: 0 }];
        loop {
            let Some(top) = waiting.last_mut() else { bail!(Internal, "nothing was asked for") };
            if let Some(asked) = top.next_unknown(&known) {
                let (parent, at) = asked;
                let Some(past) = self.past(parent, at)? else {
                    return Err(unreadable(at, &format!("it computes from {parent}, which ended")));
                };
                match known.get(&(parent, past.lsn)) {
                    Some(bytes) => drop(known.insert(asked, Rc::clone(bytes))),
                    None => waiting.push(Waiting { asked, past, next: 0 }),
                }
                continue;
            }
            let Some(mut done) = waiting.pop() else { continue };
            done.past.compute(&known, &mut formulas)?;
            if waiting.is_empty() {
                return Ok(done.past);
            }
            let (asked, made) = (done.asked, (done.asked.0, done.past.lsn));
            let bytes: Rc<[u8]> = done.past.bytes.into();
            known.insert(asked, bytes.clone());
            known.insert(made, bytes);
        }
    }
}

/// Contents by page and LSN.
type Known = HashMap<(PageId, Lsn), Rc<[u8]>>;

/// A page whose parents, as they were, are looked for.
struct Waiting {
    asked: (PageId, Lsn),
    past: Past,
    /// The parent to look for next.
    next: usize,
}

impl Waiting {
    fn next_unknown(&mut self, known: &Known) -> Option<(PageId, Lsn)> {
        let pending = self.past.pending.as_ref()?;
        while let Some(&source) = pending.sources.get(self.next) {
            if !known.contains_key(&(source, pending.at)) {
                return Some((source, pending.at));
            }
            self.next += 1;
        }
        None
    }
}

#[cold]
fn not_kept(lsn: Lsn, floor: Lsn, oldest: Option<&ImageRef>) -> Error {
    let message = match oldest {
        Some(image) => {
            format!("the state at {lsn} is no longer kept; history begins at {}", image.lsn)
        }
        // A state that shows the past: content without the log that led to it.
        None => format!("the state at {lsn} cannot be replayed: no log is kept up to {floor}"),
    };
    Error::new(ErrorKind::HistoryDropped, message)
}

/// Content that a formula made, by the record `at`, of what its parents were then.
struct Pending {
    at: Lsn,
    formula: Arc<str>,
    sources: Vec<PageId>,
    /// What was written over it since.
    over: Vec<(u32, Box<[u8]>)>,
}

/// A page on its way through its records.
struct Past {
    bytes: Vec<u8>,
    /// What `bytes` do not show yet.
    pending: Option<Pending>,
    epoch: Epoch,
    lsn: Lsn,
    meta: Meta,
    ownership: Ownership,
    private: bool,
}

impl From<ImageCopy> for Past {
    fn from(copy: ImageCopy) -> Past {
        let ImageCopy { bytes, epoch, lsn, meta, ownership, private } = copy;
        Past { bytes, pending: None, epoch, lsn, meta, ownership, private }
    }
}

impl Past {
    /// The page after what a record does to it.
    fn through(mut past: Option<Past>, id: PageId, record: &Record<'_>) -> Result<Option<Past>> {
        for entry in record.entries() {
            let entry = entry.map_err(|reason| unreadable(record.lsn, reason))?;
            if entry.head.object != id.0 {
                continue;
            }
            let op = Op::decode(&entry).map_err(|reason| unreadable(record.lsn, reason))?;
            past = Past::after(past, op, record.lsn, entry.head.epoch)?;
        }
        Ok(past)
    }

    fn after(past: Option<Past>, op: Op<'_>, lsn: Lsn, epoch: Epoch) -> Result<Option<Past>> {
        if let Op::Create { size, .. } | Op::Restore { size, .. } = op {
            let (bytes, meta, pending) = (vec![0; size as usize], Meta::default(), None);
            let (ownership, private) = (Ownership::Shared, false);
            return Ok(Some(Past { bytes, pending, epoch, lsn, meta, ownership, private }));
        }
        let Some(mut past) = past else {
            return Err(unreadable(lsn, "it changes a page that does not exist"));
        };
        match op {
            Op::Free => return Ok(None),
            Op::Write(runs) | Op::Result(runs) | Op::Seal(runs)
                if runs.end() > past.bytes.len() as u64 =>
            {
                return Err(unreadable(lsn, "it writes beyond the page's end"));
            }
            Op::Write(runs) => past.write(runs),
            Op::Seal(runs) => {
                past.write(runs);
                past.private = true;
            }
            Op::Result(runs) => {
                past.write(runs);
                past.meta.staleness = Staleness::Fresh;
            }
            Op::Derive => past.derive(lsn)?,
            Op::Meta { key, value } => past.meta.set(key, value),
            Op::Own(ownership) => past.ownership = ownership,
            Op::Edge { link, there } => {
                past.meta.set_parent(link, there);
            }
            Op::Rule(rule) => past.meta.set_rule(rule),
            Op::Stale(staleness) => past.meta.staleness = staleness,
            Op::Create { .. } | Op::Restore { .. } => {}
        }
        (past.lsn, past.epoch) = (lsn, epoch);
        Ok(Some(past))
    }

    fn write(&mut self, runs: Written<'_>) {
        match &mut self.pending {
            Some(pending) => pending.over.extend(runs.map(|(at, bytes)| (at, bytes.into()))),
            None => overwrite(&mut self.bytes, runs),
        }
    }

    fn derive(&mut self, at: Lsn) -> Result<()> {
        let Some(Rule::Formula(formula)) = self.meta.rule() else {
            return Err(unreadable(at, "it computes a page that has no formula"));
        };
        let (formula, sources) = (formula.clone(), self.meta.sources().collect());
        self.pending = Some(Pending { at, formula, sources, over: Vec::new() });
        self.meta.staleness = Staleness::Fresh;
        Ok(())
    }

    /// Makes what is pending of parents that are all known.
    fn compute(&mut self, known: &Known, formulas: &mut Formulas) -> Result<()> {
        let Some(Pending { at, formula, sources, over }) = self.pending.take() else {
            return Ok(());
        };
        let parent = |source: &PageId| known.get(&(*source, at)).map_or(&[][..], |bytes| bytes);
        let parents: SmallVec<[&[u8]; 4]> = sources.iter().map(parent).collect();
        let sizes: SmallVec<[usize; 4]> = parents.iter().map(|bytes| bytes.len()).collect();
        let formula = formulas.get(&formula)?;
        formula.check(&sizes, self.bytes.len())?;
        formula.eval(&parents, &mut self.bytes)?;
        overwrite(&mut self.bytes, over.iter().map(|(at, bytes)| (*at, &**bytes)));
        Ok(())
    }

    fn into_page(self) -> PageAt {
        let (meta, parents) = (self.meta.pairs(), self.meta.parents().to_vec());
        let (rule, staleness) = (self.meta.rule().cloned(), self.meta.staleness);
        let Past { bytes, epoch, lsn, ownership, private, .. } = self;
        PageAt { bytes, epoch, lsn, meta, ownership, private, parents, rule, staleness }
    }
}
