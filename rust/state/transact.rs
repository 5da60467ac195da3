//! Transactions: many reads and writes that happen at one moment, or not at all.
//!
//! ```text
//!   read     lock the page, copy, note its last record; look whether what was read before still holds
//!   write    into the draft
//!   commit   lock all that was read or is written, ascending; compare the records; one group
//! ```
//!
//! Optimistic: nothing is locked in between, so an abandoned transaction leaves nothing, and there is
//! no deadlock, as all locks are taken at the end in one order.
//!
//! What is read is of one moment at every time, not only at the commit: code never sees half of
//! another's group. A page that did not change after the log was last closed when the transaction
//! began shows what it showed then, whenever it is read; so as long as all pages are such, nothing is
//! looked at twice. Once one is younger, each further read looks whether the earlier ones still hold.
//! When that grows to many, the log is closed anew, and all that was read counts as old again.
//!
//! # Why that is serializable
//! The moment of a transaction that writes is when it holds all its locks: what it read is as it was
//! read, and nobody changes that before it has published. That of one that only reads is just after
//! its last read, when all was as it had read it. Snapshots fit in between: a closed LSN that contains
//! a group contains every group that was published before that one entered its lane (`log/clock.rs`,
//! 2 and 3), hence every one whose locks it could have waited for.

use super::State;
use super::allocator::no_key;
use super::batch::{Begin, Change, Group, listed_no_more};
use super::commit::{Authority, Writer, check_range, conflict, wrong_length};
use super::core::Core;
use super::partition::Hold;
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::log::record::check_note;
use crate::page::Delta;
use crate::page::meta::Meta;
use crate::page::slot::{Glimpse, SlotGuard};
use crate::page::table::{check_private_size, check_size};
use crate::stdx::canary::{Canary, sings};
use crate::txn::{Draft, Outcome, Retry, Savepoint, Touched, What};
use crate::types::{Location, Lsn, Note, Ownership, PageId};
use smallvec::SmallVec;
use std::ops::Deref;
use std::sync::Arc;

/// With more pages read than this the log is closed rather than all of them looked at each time.
const LOOKED_AT_MAX: usize = 16;

/// Reads and writes that happen at one moment, as one group of the log, or not at all.
///
/// Dropped, or [given up](Transaction::abort), it leaves nothing. Whatever it reads is of one moment,
/// with its own writes on top; what derives from the pages that it writes is computed when it commits,
/// and shows what it was until then. When another changed what it has read, the next call fails with
/// `Conflict`, as do all after it: it is to be begun anew, which [`State::transact`] does.
///
/// # Errors
/// All calls can return `Conflict`, and `Closed`.
///
/// ```
/// # use mmsb::{Config, Note, State};
/// # fn main() -> mmsb::Result<()> {
/// let state = State::open(Config::memory())?;
/// let (a, b) = (state.create_page(8, Note::NONE)?, state.create_page(8, Note::NONE)?);
/// let mut transaction = state.begin()?;
/// transaction.write(a, 0, &[5])?;
/// let bytes = transaction.read_all(a)?;
/// transaction.write(b, 0, &bytes)?;
/// assert_eq!(state.read_all(b)?, [0; 8]);
/// transaction.commit(Note::from("demo"))?;
/// assert_eq!(state.read_all(b)?[0], 5);
/// # Ok(()) }
/// ```
pub struct Transaction<'a> {
    core: Holder<'a>,
    draft: Draft,
    authority: Authority,
    read_only: bool,
    /// Pages whose last record is at or below it are what they were when the log was closed there.
    closed: Lsn,
    /// A page that was read is younger.
    is_young: bool,
    /// How many pages had come and gone when pages were listed.
    listed: Option<u64>,
    /// It met another.
    lost: bool,
    committed: bool,
    /// When it began, nanoseconds, if it is timed.
    began: Option<u64>,
}

/// Filled in its place: it is large.
type Changes<'a> = SmallVec<[Change<'a>; 4]>;

/// A state, borrowed by Rust's callers, held by those of other languages.
pub(super) enum Holder<'a> {
    Borrowed(&'a Arc<Core>),
    Held(Arc<Core>),
    /// With a partition, which nobody else has meanwhile.
    Partition(Arc<Hold>),
}

impl Deref for Holder<'_> {
    type Target = Arc<Core>;

    #[inline]
    fn deref(&self) -> &Arc<Core> {
        match self {
            Holder::Borrowed(core) => core,
            Holder::Held(core) => core,
            Holder::Partition(hold) => hold.core(),
        }
    }
}

impl State {
    /// Begins a transaction.
    ///
    /// Cost: about 5 ns.
    ///
    /// # Errors
    /// `Closed`, `ReadOnly`, `Poisoned`.
    #[inline]
    pub fn begin(&self) -> Result<Transaction<'_>> {
        self.core().check_writable()?;
        Ok(Transaction::new(Holder::Borrowed(self.core()), Authority::Anybody, false))
    }

    /// Begins a transaction that only reads: writes fail with `ReadOnly`, and there is nothing to
    /// commit. For reads that go on for long, a [`snapshot`](State::snapshot) never conflicts.
    ///
    /// # Errors
    /// `Closed`.
    #[inline]
    pub fn begin_read(&self) -> Result<Transaction<'_>> {
        self.check_open()?;
        Ok(Transaction::new(Holder::Borrowed(self.core()), Authority::Anybody, true))
    }

    /// As [`begin`](State::begin), or [`begin_read`](State::begin_read) if `read_only`, of a
    /// transaction that keeps the state's memory itself: for other languages.
    pub fn begin_held(&self, read_only: bool) -> Result<Transaction<'static>> {
        self.check_open()?;
        let core = self.core();
        if !read_only {
            core.check_writable()?;
        }
        Ok(Transaction::new(Holder::Held(core.clone()), Authority::Anybody, read_only))
    }

    /// Waits after the `conflicts`th conflict in a row of a transaction, from 1, the last of which said
    /// `last`: for languages that try again themselves.
    ///
    /// # Errors
    /// `RetriesExhausted` if that was the last try.
    pub fn after_conflict(&self, retry: Retry, conflicts: u32, last: &str) -> Result<()> {
        self.core().after_conflict(retry, conflicts, last)
    }

    /// Calls `attempt`, which begins a transaction and commits it, anew as long as it conflicts: for
    /// other languages.
    pub(crate) fn try_until_done<R>(
        &self,
        retry: Retry,
        attempt: impl FnMut() -> Result<R>,
    ) -> Result<R> {
        self.core().try_until_done(retry, attempt)
    }

    /// Calls `body` with a transaction and commits it, anew as long as it conflicts with others.
    /// Returns what `body` did, and the group's LSN, `None` if it changed nothing.
    ///
    /// An error of `body` gives the transaction up, and is returned, unless what it had read holds
    /// no longer: then it may be a consequence of that, and `body` is called again.
    ///
    /// # Errors
    /// Those of `body` and of [`Transaction::commit`]; `RetriesExhausted` after `retry.tries`.
    ///
    /// ```
    /// # use mmsb::{Config, Note, Retry, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let counter = state.create_page(8, Note::NONE)?;
    /// for _ in 0..3 {
    ///     state.transact(Note::NONE, Retry::default(), |transaction| {
    ///         let n = transaction.read_u64(counter, 0)?;
    ///         transaction.write(counter, 0, &(n + 1).to_le_bytes())
    ///     })?;
    /// }
    /// assert_eq!(state.read_all(counter)?[0], 3);
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn transact<R>(
        &self,
        note: Note<'_>,
        retry: Retry,
        body: impl FnMut(&mut Transaction<'_>) -> Result<R>,
    ) -> Result<(R, Option<Lsn>)> {
        self.core().check_writable()?;
        self.core().transact(Authority::Anybody, note, retry, body)
    }

    /// Who may change a page.
    ///
    /// # Errors
    /// `PageNotFound`, `PageFreed`.
    pub fn ownership(&self, id: PageId) -> Result<Ownership> {
        Ok(self.core().lock_page(id)?.ownership)
    }

    /// Makes a shared page somebody's, or nobody's: see [`Ownership`]. A partition's page is given
    /// away by the partition, in a transaction of its own. `None` if it is that already.
    ///
    /// # Errors
    /// `NotOwner`, `Immutable`, `PageNotFound`, `PageFreed`, and those of every change.
    pub fn set_ownership(
        &self,
        id: PageId,
        ownership: Ownership,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        let mut transaction = self.begin()?;
        transaction.set_ownership(id, ownership)?;
        transaction.commit(note)
    }
}

impl Core {
    pub(super) fn transact<R>(
        self: &Arc<Core>,
        authority: Authority,
        note: Note<'_>,
        retry: Retry,
        mut body: impl FnMut(&mut Transaction<'_>) -> Result<R>,
    ) -> Result<(R, Option<Lsn>)> {
        check_note(note)?;
        self.try_until_done(retry, || {
            let mut transaction = Transaction::new(Holder::Borrowed(self), authority, false);
            match body(&mut transaction) {
                Ok(result) => transaction.commit_draft(note).map(|lsn| (result, lsn)),
                Err(error) => Err(transaction.blame(error)),
            }
        })
    }

    /// Tries a transaction until it does not conflict, or has been tried often enough.
    #[inline]
    pub(super) fn try_until_done<R>(
        &self,
        retry: Retry,
        attempt: impl FnMut() -> Result<R>,
    ) -> Result<R> {
        retry.run(attempt).inspect_err(|error| {
            if error.kind() == ErrorKind::RetriesExhausted {
                self.meter.count(Outcome::Exhausted);
            }
        })
    }

    fn after_conflict(&self, retry: Retry, conflicts: u32, last: &str) -> Result<()> {
        retry.after(conflicts, last).inspect_err(|_| self.meter.count(Outcome::Exhausted))
    }
}

impl<'a> Transaction<'a> {
    #[inline]
    pub(super) fn new(core: Holder<'a>, authority: Authority, read_only: bool) -> Transaction<'a> {
        let closed = core.log.written();
        let timed = !read_only && core.meter.is_timed();
        let began = timed.then(|| core.wall.monotonic_ns());
        Transaction {
            core,
            draft: Draft::default(),
            authority,
            read_only,
            closed,
            is_young: false,
            listed: None,
            lost: false,
            committed: false,
            began,
        }
    }

    /// Whether it met another, so that all its calls fail from here on.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// The log of its state.
    pub(crate) fn log(&self) -> Arc<Log> {
        self.core.log.clone()
    }

    /// Looks whether all that it has read still holds.
    ///
    /// # Errors
    /// `Conflict`; it is lost then.
    pub fn check(&mut self) -> Result<()> {
        self.check_going_on()?;
        self.check_reads(usize::MAX)
    }

    /// An error of the caller's that happened in this transaction, or `Conflict` if what it was told
    /// holds no longer.
    pub fn blame(&mut self, error: Error) -> Error {
        if error.kind() == ErrorKind::Conflict {
            return error;
        }
        match self.check() {
            Err(conflict) => conflict,
            Ok(()) => error,
        }
    }

    #[inline]
    fn check_going_on(&self) -> Result<()> {
        match self.lost {
            false => Ok(()),
            true => Err(lost()),
        }
    }

    #[inline]
    fn check_writing(&self) -> Result<()> {
        if self.read_only {
            bail!(ReadOnly, "the transaction was begun to read alone");
        }
        self.check_going_on()
    }

    #[cold]
    fn lose<R>(&mut self, conflict: Error) -> Result<R> {
        self.lost = true;
        self.core.meter.count(Outcome::Conflict);
        Err(conflict)
    }

    fn writer(&self, page: &Touched) -> Writer {
        Writer { authority: self.authority, read: (page.read != Lsn::ZERO).then_some(page.read) }
    }

    /// Where the page stands in the draft, if that can answer for it: it is not freed there.
    #[inline]
    fn find(&mut self, id: PageId) -> Result<usize> {
        let at = match self.draft.find(id) {
            Some(at) => at,
            None => self.draft.add(id),
        };
        if let Some(What::Free) = self.draft.newest(at) {
            bail!(PageFreed, "{id} is freed earlier in this transaction");
        }
        Ok(at)
    }

    /// Calls `read` with the page as it is, and depends on that from here on.
    #[inline]
    fn observe<R>(
        &mut self,
        at: usize,
        read: impl FnOnce(&Core, &SlotGuard<'_>) -> Result<R>,
    ) -> Result<R> {
        let seen = self.draft.pages()[at];
        let (page, done) = match self.look(seen.id, read) {
            Ok(looked) => looked,
            Err(error) => return self.observe_absence(seen, error),
        };
        self.depend(at, page)?;
        done
    }

    /// Depends on a page's being what was seen of it.
    #[inline]
    fn depend(&mut self, at: usize, page: Glimpse) -> Result<()> {
        let seen = self.draft.pages()[at];
        if seen.read != Lsn::ZERO {
            return match seen.read == page.lsn {
                true => Ok(()),
                false => self.lose(conflict(seen.id)),
            };
        }
        self.note(at, page).read = page.lsn;
        self.is_young |= page.lsn > self.closed;
        let is_alone = self.draft.pages().len() == 1 && self.listed.is_none();
        match self.is_young && !is_alone && !sings(Canary::StaleRead) {
            true => self.check_reads(at),
            false => Ok(()),
        }
    }

    /// Notes what does not change without a conflict.
    #[inline]
    fn note(&mut self, at: usize, page: Glimpse) -> &mut Touched {
        let admitted = self.authority.may_change(page.ownership);
        let seen = self.draft.page(at);
        (seen.size, seen.admitted) = (page.size, admitted);
        seen.owned = admitted && page.ownership != Ownership::Shared;
        seen.private = page.private;
        seen
    }

    /// The page as it is, and what `read` makes of it.
    #[inline]
    fn look<R>(
        &self,
        id: PageId,
        read: impl FnOnce(&Core, &SlotGuard<'_>) -> R,
    ) -> Result<(Glimpse, R)> {
        let page = self.core.table.lock(id)?;
        let (lsn, size, private) = (page.lsn, page.open_size(), page.private);
        let (ownership, bound) = (page.ownership, page.bound);
        let glimpse = Glimpse { lsn, size, ownership, bound, private };
        Ok((glimpse, read(&self.core, &page)))
    }

    /// The page is not there, and is to be absent at the commit, too.
    #[cold]
    fn observe_absence<R>(&mut self, page: Touched, error: Error) -> Result<R> {
        if page.read != Lsn::ZERO {
            return self.lose(conflict(page.id));
        }
        let has_read = |page: &Touched| page.read != Lsn::ZERO;
        let is_first = self.listed.is_none() && !self.draft.pages().iter().any(has_read);
        self.list_from_here();
        if self.core.table.contains(page.id) {
            return self.lose(conflict(page.id));
        }
        // What it has read and that the page is not there are to be of one moment.
        if !is_first {
            self.check_reads(usize::MAX)?;
        }
        Err(error)
    }

    fn list_from_here(&mut self) {
        self.listed.get_or_insert(self.core.table.lives.count());
    }

    /// Looks whether all pages that were read, but for that at `newest`, still are what they were.
    #[cold]
    fn check_reads(&mut self, newest: usize) -> Result<()> {
        let core = &*self.core;
        let pages = self.draft.pages();
        let many = pages.len() > LOOKED_AT_MAX;
        if many {
            self.closed = core.log.close_lsn(|_| ());
        }
        let holds = |(at, page): (usize, &Touched)| {
            let is_known = page.read == Lsn::ZERO || (at == newest && !many);
            let lsn = || match core.table.glimpse(page.id, 0, &mut []) {
                Some(now) => Some(now.lsn),
                None => core.table.lock(page.id).ok().map(|now| now.lsn),
            };
            is_known || lsn() == Some(page.read)
        };
        let broken = pages.iter().enumerate().find(|&seen| !holds(seen)).map(|(_, page)| page.id);
        if let Some(id) = broken {
            return self.lose(conflict(id));
        }
        if self.listed.is_some_and(|count| core.table.lives.count() != count) {
            return self.lose(listed_no_more());
        }
        self.is_young &= !many;
        Ok(())
    }

    /// Bytes of a page.
    pub fn page_size(&mut self, id: PageId) -> Result<u64> {
        self.check_going_on()?;
        let at = self.find(id)?;
        Ok(self.size(at)?.into())
    }

    /// The page's size, which it keeps for life; not a dependency.
    #[inline]
    fn size(&mut self, at: usize) -> Result<u32> {
        let seen = self.draft.pages()[at];
        if seen.size > 0 {
            return Ok(seen.size);
        }
        let now = match self.core.table.glimpse(seen.id, 0, &mut []) {
            Some(now) => now,
            None => match self.look(seen.id, |_, _| ()) {
                Ok((now, ())) => now,
                Err(error) => return self.observe_absence(seen, error),
            },
        };
        self.note(at, now);
        Ok(now.size)
    }

    /// Copies `buf.len()` bytes from `offset` on, as the transaction has written them.
    ///
    /// # Errors
    /// `PageNotFound`, `PageFreed`, `RangeOutOfBounds`.
    #[inline]
    pub fn read(&mut self, id: PageId, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.check_going_on()?;
        let at = self.find(id)?;
        if self.draft.is_changed(at) {
            return self.read_changed(at, offset, buf);
        }
        self.observe_bytes(at, offset, buf)
    }

    /// Copies from the page as it is, and depends on that from here on.
    #[inline]
    fn observe_bytes(&mut self, at: usize, offset: u64, buf: &mut [u8]) -> Result<()> {
        let id = self.draft.pages()[at].id;
        match self.core.table.glimpse(id, offset, buf) {
            Some(page) => self.depend(at, page),
            None => self.observe(at, |core, page| core.copy_out(id, page, offset, buf)),
        }
    }

    fn read_changed(&mut self, at: usize, offset: u64, buf: &mut [u8]) -> Result<()> {
        let Touched { id, created, .. } = self.draft.pages()[at];
        let end = offset.saturating_add(buf.len() as u64);
        let covers = |what: Option<&What>| match what {
            Some(What::Write { offset: from, payload }) => {
                u64::from(*from) <= offset && end <= u64::from(*from + payload.len() as u32)
            }
            _ => false,
        };
        if created || covers(self.draft.newest(at)) {
            check_range(id, self.size(at)?, offset, buf.len())?;
            buf.fill(0);
        } else {
            self.observe_bytes(at, offset, buf)?;
        }
        let steps: SmallVec<[&What; 8]> = self.draft.steps_of(at).map(|step| &step.what).collect();
        for what in steps.into_iter().rev() {
            if let What::Write { offset: from, payload } = what {
                overlay(buf, offset, (*from).into(), self.draft.bytes(payload));
            }
        }
        Ok(())
    }

    /// The whole content, copied.
    pub fn read_all(&mut self, id: PageId) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.page_size(id)? as usize];
        self.read(id, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// The little-endian number of 8 bytes at `offset`.
    #[inline]
    pub fn read_u64(&mut self, id: PageId, offset: u64) -> Result<u64> {
        let mut bytes = [0; 8];
        self.read(id, offset, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// The value of a metadata key.
    ///
    /// # Errors
    /// `KeyNotFound`, `PageNotFound`, `PageFreed`.
    pub fn meta(&mut self, id: PageId, key: &[u8]) -> Result<Vec<u8>> {
        match self.find_meta(id, key)? {
            Some(value) => Ok(value),
            None => Err(no_key(id, key)),
        }
    }

    fn find_meta(&mut self, id: PageId, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.check_going_on()?;
        let at = self.find(id)?;
        let own = self.draft.steps_of(at).find_map(|step| match &step.what {
            What::Meta { key: other, value } if self.draft.bytes(other) == key => {
                Some(value.as_ref().map(|value| self.draft.bytes(value).to_vec()))
            }
            _ => None,
        });
        match own {
            Some(value) => Ok(value),
            None if self.draft.pages()[at].created => Ok(None),
            None => self.observe(at, |_, page| {
                Ok(page.meta().and_then(|meta| meta.get(key)).map(<[u8]>::to_vec))
            }),
        }
    }

    /// Whether the page exists. Depends on the answer.
    ///
    /// Cost: as [`list_pages`](Transaction::list_pages) at the commit if it does not.
    pub fn contains(&mut self, id: PageId) -> Result<bool> {
        self.check_going_on()?;
        let Ok(at) = self.find(id) else { return Ok(false) };
        if self.draft.pages()[at].created {
            return Ok(true);
        }
        match self.observe(at, |_, _| Ok(())) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Conflict => Err(error),
            Err(error) if error.is_corrupt() => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Ids of all pages, ascending, with those that the transaction creates, without those that it
    /// frees. Conflicts with whoever creates or frees a page before it commits.
    ///
    /// Cost: O(ids ever given out).
    pub fn list_pages(&mut self) -> Result<Vec<PageId>> {
        self.check_going_on()?;
        self.list_from_here();
        let mut ids = self.core.table.list()?;
        self.check_reads(usize::MAX)?;
        let is_freed = |id: &PageId| {
            let at = self.draft.find(*id);
            matches!(at.and_then(|at| self.draft.newest(at)), Some(What::Free))
        };
        ids.retain(|id| !is_freed(id));
        ids.extend(self.draft.created().filter(|id| !is_freed(id)));
        ids.sort_unstable();
        Ok(ids)
    }

    /// The page in the draft, if the transaction may change it.
    #[inline]
    fn change(&mut self, id: PageId) -> Result<usize> {
        self.check_writing()?;
        let at = self.find(id)?;
        if !self.draft.pages()[at].admitted {
            self.admit(at)?;
        }
        Ok(at)
    }

    /// Refuses a page that is not the transaction's to change, or not there.
    fn admit(&mut self, at: usize) -> Result<()> {
        let seen = self.draft.pages()[at];
        self.draft.page(at).size = 0;
        self.size(at)?;
        if self.draft.pages()[at].admitted {
            return Ok(());
        }
        let page = self.core.table.lock(seen.id)?;
        Writer { authority: self.authority, read: None }.check(seen.id, &page)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<std::ops::Range<u32>> {
        match self.draft.keep(bytes) {
            Some(range) => Ok(range),
            None => bail!(TooLarge, "a transaction writes more than {} bytes", u32::MAX),
        }
    }

    /// Creates a page of `size` bytes, all zero; its id can be used in the transaction at once.
    ///
    /// # Errors
    /// `SizeOutOfRange`.
    pub fn create_page(&mut self, size: u64, location: Location) -> Result<PageId> {
        self.check_writing()?;
        let frame = check_size(size)?;
        self.create(What::Create { size: frame, location, private: false }, frame)
    }

    /// As [`create_page`](Transaction::create_page), of a [private](State::create_private_page) one.
    ///
    /// # Errors
    /// `SizeOutOfRange`, `Sealed`.
    pub fn create_private_page(&mut self, size: u64, location: Location) -> Result<PageId> {
        self.check_writing()?;
        let frame = check_private_size(size)?;
        self.create(What::Create { size: frame, location, private: true }, size as u32)
    }

    /// Creates a page that shows `size` bytes.
    fn create(&mut self, what: What, size: u32) -> Result<PageId> {
        let private = matches!(what, What::Create { private: true, .. });
        let id = self.core.table.reserve_id();
        if private && let Err(sealed) = self.core.sealer(id) {
            self.core.table.return_id(id);
            return Err(sealed);
        }
        // It may have been asked for when it was not there, or created before and taken back.
        let at = self.draft.find(id).unwrap_or_else(|| self.draft.add(id));
        let page = self.draft.page(at);
        (page.size, page.private, page.admitted, page.created) = (size, private, true, true);
        self.draft.push(at, what);
        Ok(id)
    }

    /// Frees a page.
    ///
    /// # Errors
    /// `PageNotFound`, `PageFreed`, `NotOwner`, `Immutable`; at the commit `HasChildren`.
    pub fn free_page(&mut self, id: PageId) -> Result<()> {
        let at = self.change(id)?;
        self.draft.push(at, What::Free);
        Ok(())
    }

    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// `PageNotFound`, `PageFreed`, `RangeOutOfBounds`, `NotOwner`, `Immutable`; `TooLarge` beyond
    /// 4 GiB in all; at the commit `Sealed`, of a private page without its key.
    #[inline]
    pub fn write(&mut self, id: PageId, offset: u64, bytes: &[u8]) -> Result<()> {
        let at = self.change(id)?;
        check_range(id, self.draft.pages()[at].size, offset, bytes.len())?;
        if bytes.is_empty() {
            return Ok(());
        }
        let payload = self.keep(bytes)?;
        self.draft.push(at, What::Write { offset: offset as u32, payload });
        Ok(())
    }

    /// Makes `content` the whole content of a page.
    ///
    /// # Errors
    /// As [`write`](Transaction::write), and `LengthMismatch`.
    pub fn update(&mut self, id: PageId, content: &[u8]) -> Result<()> {
        let at = self.change(id)?;
        let size = self.draft.pages()[at].size;
        if content.len() != size as usize {
            return Err(wrong_length(id, size, "content", content.len()));
        }
        self.write(id, 0, content)
    }

    /// Applies a delta; its note is not used, that of the commit counts.
    ///
    /// # Errors
    /// As [`write`](Transaction::write), and what [`Delta::validate`] says for the page's size.
    pub fn apply(&mut self, delta: &Delta) -> Result<()> {
        let at = self.change(delta.page())?;
        delta.validate(self.draft.pages()[at].size as usize)?;
        delta.runs().try_for_each(|(offset, bytes)| self.write(delta.page(), offset as u64, bytes))
    }

    /// Sets a metadata key.
    ///
    /// # Errors
    /// As [`State::set_meta`].
    pub fn set_meta(&mut self, id: PageId, key: &[u8], value: &[u8]) -> Result<()> {
        Meta::check(key, value)?;
        let at = self.change(id)?;
        let (key, value) = (self.keep(key)?, self.keep(value)?);
        self.draft.push(at, What::Meta { key, value: Some(value) });
        Ok(())
    }

    /// Takes a metadata key away.
    ///
    /// # Errors
    /// As [`State::remove_meta`].
    pub fn remove_meta(&mut self, id: PageId, key: &[u8]) -> Result<()> {
        let at = self.change(id)?;
        if self.find_meta(id, key)?.is_none() {
            return Err(no_key(id, key));
        }
        let key = self.keep(key)?;
        self.draft.push(at, What::Meta { key, value: None });
        Ok(())
    }

    /// Makes a page somebody's, or nobody's, from the commit on.
    ///
    /// # Errors
    /// As [`State::set_ownership`].
    pub fn set_ownership(&mut self, id: PageId, ownership: Ownership) -> Result<()> {
        let at = self.change(id)?;
        self.draft.push(at, What::Own(ownership));
        Ok(())
    }

    /// A place to [go back](Transaction::rollback) to: what is written after it can be taken back.
    pub fn savepoint(&mut self) -> Savepoint {
        self.draft.savepoint()
    }

    /// Takes back all that was written after a savepoint, and the savepoints after it. What was read
    /// stays read.
    ///
    /// # Errors
    /// `InvalidArgument` for one that was taken back, or another transaction's.
    pub fn rollback(&mut self, to: Savepoint) -> Result<()> {
        self.check_going_on()?;
        let Some(uncreated) = self.draft.go_back(to) else {
            bail!(InvalidArgument, "a savepoint that was taken back, or is another transaction's");
        };
        uncreated.into_iter().for_each(|id| self.core.table.return_id(id));
        Ok(())
    }

    /// Gives it up, as dropping it does.
    pub fn abort(self) {}

    /// Makes all that it writes happen at once, as one record with one LSN; `None` if that changes
    /// nothing, or if it only reads.
    ///
    /// # Errors
    /// `Conflict` if another changed what it read, and those of the single changes. Then nothing
    /// happened.
    #[inline]
    pub fn commit(mut self, note: Note<'_>) -> Result<Option<Lsn>> {
        check_note(note)?;
        self.commit_draft(note)
    }

    /// Commits what the draft holds, which is done with then.
    #[inline]
    fn commit_draft(&mut self, note: Note<'_>) -> Result<Option<Lsn>> {
        self.check_going_on()?;
        if self.draft.is_unchanged() {
            return Ok(None);
        }
        let lsn = match self.commit_steps(note) {
            Err(error) if error.kind() == ErrorKind::Conflict => return self.lose(error),
            done => done?,
        };
        // From here on the ids that it gave out are the state's.
        self.committed = true;
        let core = &*self.core;
        core.meter.count(self.way());
        if let Some(began) = self.began {
            core.meter.time(core.wall.monotonic_ns().saturating_sub(began));
        }
        core.acknowledged(lsn)
    }

    /// Which way it went.
    #[inline]
    fn way(&self) -> Outcome {
        let pages = self.draft.pages();
        if pages.iter().any(|page| page.private) {
            return Outcome::Sealed;
        }
        match pages.iter().all(|page| page.owned) {
            true => Outcome::Owned,
            false => Outcome::Shared,
        }
    }

    #[inline]
    fn commit_steps(&self, note: Note<'_>) -> Result<Option<Lsn>> {
        let core = &*self.core;
        match self.draft.only_write() {
            Some((page, offset, bytes)) if self.listed.is_none() => {
                let write = (page.id, u64::from(offset), bytes);
                core.in_turn(|| core.write(write, note, self.writer(&page)))
            }
            _ => {
                let mut changes = Changes::new();
                self.describe_all(&mut changes)?;
                let group = Group { changes: &changes, note, listed: self.listed };
                core.in_turn(|| core.commit_batch(group, Log::begin))
            }
        }
    }

    /// What it does to each page, ascending; to pages that it only read, nothing.
    fn describe_all<'s>(&'s self, changes: &mut Changes<'s>) -> Result<()> {
        let pages = self.draft.pages();
        // Left empty where they are in order.
        let mut order: SmallVec<[u32; 8]> = SmallVec::new();
        if !pages.is_sorted_by_key(|page| page.id) {
            order.extend(0..pages.len() as u32);
            order.sort_unstable_by_key(|&at| pages[at as usize].id);
        }
        for place in 0..pages.len() {
            let at = order.get(place).map_or(place, |&at| at as usize);
            if pages[at].read == Lsn::ZERO && !self.draft.is_changed(at) {
                continue;
            }
            changes.push(Change::nothing(pages[at].id));
            changes.last_mut().map_or(Ok(()), |change| self.describe(at, change))?;
        }
        Ok(())
    }

    /// Makes `change` what is to happen to the page at `at`.
    fn describe<'s>(&'s self, at: usize, change: &mut Change<'s>) -> Result<()> {
        let page = &self.draft.pages()[at];
        change.writer = self.writer(page);
        // A page that is only read may be anybody's.
        change.read_only = !self.draft.is_changed(at);
        let steps: SmallVec<[&What; 4]> = self.draft.steps_of(at).map(|step| &step.what).collect();
        for what in steps.into_iter().rev() {
            match what {
                &What::Create { size, location, private } => {
                    change.begin = Some(Begin { size, location, private, again: false });
                }
                What::Free => change.free = true,
                What::Write { offset, payload } => {
                    let bytes = self.draft.bytes(payload);
                    change.write =
                        std::mem::take(&mut change.write).then(page.id, *offset, bytes)?;
                }
                What::Meta { key, value } => {
                    let value = value.as_ref().map(|value| self.draft.bytes(value).to_vec());
                    change.meta.push((self.draft.bytes(key).to_vec(), value));
                }
                &What::Own(ownership) => change.ownership = Some(ownership),
            }
        }
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.committed {
            self.draft.created().for_each(|id| self.core.table.return_id(id));
        }
    }
}

impl std::fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (pages, steps) = (self.draft.pages().len(), self.draft.steps().len());
        write!(f, "Transaction({pages} pages, {steps} steps)")
    }
}

#[cold]
fn lost() -> Error {
    let message = "the transaction met another before; it is to be begun anew";
    Error::new(ErrorKind::Conflict, message)
}

/// Copies what `bytes`, which go to `from`, have in common with `buf`, which shows the page from
/// `offset` on.
fn overlay(buf: &mut [u8], offset: u64, from: u64, bytes: &[u8]) {
    let start = offset.max(from);
    let end = (offset + buf.len() as u64).min(from + bytes.len() as u64);
    if start < end {
        let part = &bytes[(start - from) as usize..(end - from) as usize];
        buf[(start - offset) as usize..(end - offset) as usize].copy_from_slice(part);
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
