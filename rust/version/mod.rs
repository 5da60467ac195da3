//! Snapshots: which LSNs can still be read, and so which older versions must be kept.
//!
//! ```text
//!   writer: hold ──> pending, per thread ──drain──> holding: newest snapshot that reads it -> heap
//!   close, or ended as too old:  heap's versions above the snapshot before ──> given back
//!                                the others ──> that snapshot's heap
//! ```
//!
//! A snapshot stands at a closed LSN. While it is open, whoever changes a page whose content it may
//! read keeps that content as a version (`page::slot`). Taking one costs O(lanes) and stops
//! nobody; with no snapshot open a writer pays one comparison, and never more for a thousand.
//!
//! A version is read by the snapshots from its birth on to the record that ended it. It is known to
//! the newest of them alone. When that one goes, the version goes with it, unless the snapshot
//! before was taken after its birth: then it is known to that one. So closing costs what goes, and
//! what changes hands, each at most a logarithm of times however often that happens.
//!
//! Invariants:
//! - [`Clock::newest_snapshot`] is at least the newest open snapshot's LSN, and it is set before the
//!   floor is raised, so that every writer above the snapshot sees it.
//! - It is lowered before the pending lists are looked through, and a writer looks at it with its
//!   list locked: what it still puts there is found, or some open snapshot has it found later.
//! - No snapshot is ever taken between a version's birth and its end: what none reads, none will.
//! - A snapshot is marked as ended before anything that it reads goes, and before a writer may stop
//!   keeping things for it. Who reads for it looks at the mark with the page locked.
//!
//! - A page that changes after a snapshot, and was there, has a version that the snapshot reads: so
//!   what changed since is known without a look at what did not. What came into being since has an
//!   id that was not given out yet, or came late.
//!
//! Lock order: passing, then a page, then the list or a pending one. With the list locked, pages are only tried:
//! a writer may come with some locked, and with its lane, which opening a snapshot waits for; so
//! writers only try the list.

use crate::log::Log;
use crate::log::clock::Clock;
use crate::page::slot::Body;
use crate::page::table::Table;
use crate::stdx::lock::Lock;
use crate::stdx::sync::Mutex;
use crate::stdx::thread;
use crate::types::{Lsn, PageId};
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Pending lists; threads share them by their numbers.
const PENDING: usize = 16;
/// A writer passes its list on when it has grown by so many.
const DRAIN_EVERY: usize = 256;
/// Versions that a writer beyond the bound gives back at most, besides those that it must.
const SWEEP_MAX: usize = 1024;
/// What a version counts for the bound beside content and metadata: frames are cut to multiples of
/// 64 bytes, and chain and heap have an entry each.
pub const VERSION_OVERHEAD_BYTES: u64 = 128;

/// A version that snapshots hold. Ordered by birth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Held {
    /// The record that made it.
    pub birth: Lsn,
    /// Its page.
    pub id: PageId,
    /// What it counts for the bound.
    pub bytes: u64,
}

/// The open snapshots of a state, and what they hold.
#[derive(Default)]
pub struct Snapshots {
    list: Mutex<List>,
    pending: [Pending; PENDING],
    /// What counts for the bound.
    bytes: AtomicU64,
    /// Snapshots that were ended because of the bound.
    too_old: AtomicU64,
    /// Ids below it were given out before some snapshot, which may not have their pages yet.
    given_out: AtomicU64,
    /// Pages that came into being after a snapshot though their ids were given out before, each
    /// with its record.
    late: Lock<Vec<(Lsn, PageId)>>,
    /// Held by whoever closes a snapshot, while what was known to it is known to none.
    passing: Mutex<()>,
}

/// What a thread's writers have kept and nobody has looked at yet, each with its end.
#[derive(Default)]
#[repr(align(128))]
struct Pending(Lock<Vec<(Held, Lsn)>>);

#[derive(Default)]
struct List {
    /// Whether any was ever opened.
    used: bool,
    open: BTreeMap<Lsn, Arc<AtomicBool>>,
    /// Those of them that are the engine's own and are not ended.
    exempt: Vec<Lsn>,
    /// Versions by the newest snapshot that reads them. No heap is empty.
    holding: BTreeMap<Lsn, BinaryHeap<Held>>,
    /// Versions that nobody reads and that are still to be given back, and what they count.
    garbage: Vec<Held>,
    garbage_bytes: u64,
}

/// An open snapshot.
#[derive(Debug)]
pub struct Ticket {
    lsn: Lsn,
    next_id: u64,
    ended: Arc<AtomicBool>,
}

impl Ticket {
    /// Where the snapshot stands.
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// The first id that was not given out yet: its page and those above came later.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Whether it was ended, so that what it reads may be gone. Asked with a page locked, the
    /// answer holds for that page.
    #[inline]
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// How much snapshots may hold, and where what they no longer do is given back.
#[derive(Clone, Copy)]
pub struct Keeping<'a> {
    /// Where the newest snapshot is announced.
    pub clock: &'a Clock,
    /// The pages.
    pub table: &'a Table,
    /// The bound, bytes.
    pub bytes_max: u64,
}

impl Snapshots {
    /// Opens a snapshot at a closed LSN above everything that was published. `exempt`: it is not
    /// ended, however much it holds.
    pub fn open(&self, log: &Log, table: &Table, exempt: bool) -> Ticket {
        let mut list = self.list.lock();
        // Whoever creates a page above the LSN finds this or what takes its place.
        let given_out = self.given_out.swap(u64::MAX, Ordering::SeqCst);
        let announce = |lsn: Lsn| log.clock.newest_snapshot.store(lsn.0, Ordering::SeqCst);
        let lsn = log.close_lsn(announce);
        let next_id = table.next_id();
        // Ids that nobody used come back: an older snapshot may have seen more of them given out.
        self.given_out.store(given_out.max(next_id), Ordering::SeqCst);
        let ended = Arc::new(AtomicBool::new(false));
        list.used = true;
        list.open.insert(lsn, ended.clone());
        if exempt {
            list.exempt.push(lsn);
        }
        Ticket { lsn, next_id, ended }
    }

    /// Closes a snapshot and gives back what only it could read.
    pub fn close(&self, clock: &Clock, table: &Table, ticket: &Ticket) {
        let passing = self.passing.lock();
        let (mut gone, heap) = {
            let mut list = self.list.lock();
            list.open.remove(&ticket.lsn);
            self.forget_late(&list);
            list.exempt.retain(|&lsn| lsn != ticket.lsn);
            list.announce(clock);
            self.drain(&mut list);
            list.garbage_bytes = 0;
            (std::mem::take(&mut list.garbage), list.holding.remove(&ticket.lsn))
        };
        if let Some(heap) = heap {
            self.pass_on(ticket.lsn, heap, &mut gone);
        }
        drop(passing);
        for held in gone {
            table.release(held.id, held.birth);
            self.bytes.fetch_sub(held.bytes, Ordering::Relaxed);
        }
    }

    /// Sorts out what was known to the snapshot at `lsn`, which is closed: `gone` receives what no
    /// snapshot reads. The list is locked only to ask for the snapshot before and to hand it the
    /// rest; if others were closed in between, once more.
    fn pass_on(&self, lsn: Lsn, mut heap: BinaryHeap<Held>, gone: &mut Vec<Held>) {
        let mut before = self.list.lock().before(lsn);
        loop {
            take_above(&mut heap, before, gone);
            let mut list = self.list.lock();
            let now = list.before(lsn);
            if now == before {
                list.give(before, heap);
                return;
            }
            before = now;
        }
    }

    /// Has the content of a page that is about to change kept for the snapshots that read it.
    /// Returns whether any does; then `held` is a version, which the table is told to release.
    ///
    /// - `page`: the page, locked until the version is in its chain.
    /// - `end`: the LSN of the change, stamped.
    ///
    /// Waits for nothing that lasts.
    pub fn hold(&self, keeping: Keeping<'_>, page: &mut Body, held: Held, end: Lsn) -> bool {
        let Pending(pending) = &self.pending[thread::index() as usize % PENDING];
        let waiting = {
            let mut pending = pending.lock();
            if keeping.clock.newest_snapshot.load(Ordering::SeqCst) < held.birth.0 {
                return false;
            }
            pending.push((held, end));
            pending.len()
        };
        let bytes = self.bytes.fetch_add(held.bytes, Ordering::Relaxed) + held.bytes;
        if bytes > keeping.bytes_max || waiting.is_multiple_of(DRAIN_EVERY) {
            return self.settle(keeping, page, held);
        }
        true
    }

    /// Passes on what waits; beyond the bound, ends the oldest snapshots that hold anything and
    /// gives back what only they could read, as much of it as the bound asks for and a little more.
    /// Returns whether `coming`, which `page` is to keep, is still wanted.
    #[cold]
    fn settle(&self, keeping: Keeping<'_>, page: &mut Body, coming: Held) -> bool {
        let Some(mut list) = self.list.try_lock() else { return true };
        self.drain(&mut list);
        let too_much = |list: &List| {
            self.bytes.load(Ordering::Relaxed).saturating_sub(list.garbage_bytes)
                > keeping.bytes_max
        };
        while too_much(&list) {
            let ended = list.end_oldest();
            if ended == 0 {
                break;
            }
            self.too_old.fetch_add(ended, Ordering::Relaxed);
        }
        list.announce(keeping.clock);
        self.sweep(&mut list, keeping, page, coming)
    }

    /// Gives garbage back of `page` and of pages that nobody has locked. Returns whether `coming`
    /// was none of it.
    fn sweep(&self, list: &mut List, keeping: Keeping<'_>, page: &mut Body, coming: Held) -> bool {
        let (mut locked, mut swept, mut wanted) = (Vec::new(), 0, true);
        while locked.len() < SWEEP_MAX
            && (swept < SWEEP_MAX || self.bytes() > keeping.bytes_max)
            && let Some(held) = list.garbage.pop()
        {
            if held == coming {
                wanted = false;
            } else if held.id == coming.id {
                keeping.table.release_locked(page, held.birth);
            } else if !keeping.table.try_release(held.id, held.birth) {
                locked.push(held);
                continue;
            }
            self.bytes.fetch_sub(held.bytes, Ordering::Relaxed);
            list.garbage_bytes -= held.bytes;
            swept += 1;
        }
        list.garbage.append(&mut locked);
        wanted
    }

    /// A page comes into being by the record `lsn`, which is not published yet.
    #[inline]
    pub fn note_created(&self, id: PageId, lsn: Lsn) {
        if id.0 < self.given_out.load(Ordering::SeqCst) {
            self.late.lock().push((lsn, id));
        }
    }

    /// Forgets what came late for no snapshot that is left.
    fn forget_late(&self, list: &List) {
        match list.open.keys().next() {
            Some(&oldest) => self.late.lock().retain(|&(lsn, _)| lsn > oldest),
            None => {
                self.given_out.store(0, Ordering::SeqCst);
                self.late.lock().clear();
            }
        }
    }

    /// Pages that may have changed after an open snapshot: all that did, some that did not, each
    /// once, ascending. Those whose ids were not given out yet then are not among them.
    ///
    /// Cost: O(versions that it and newer snapshots hold).
    pub fn changed_after(&self, ticket: &Ticket) -> Vec<PageId> {
        let _passing = self.passing.lock();
        let mut list = self.list.lock();
        self.drain(&mut list);
        let known = list.holding.range(ticket.lsn..).flat_map(|(_, heap)| heap.iter());
        let read = known.filter(|held| held.birth <= ticket.lsn).map(|held| held.id);
        let mut pages: Vec<PageId> = read.collect();
        drop(list);
        let late = self.late.lock();
        pages.extend(late.iter().filter(|(lsn, _)| *lsn > ticket.lsn).map(|(_, id)| *id));
        drop(late);
        pages.sort_unstable();
        pages.dedup();
        pages
    }

    /// Moves what writers have kept to the snapshots that know of it.
    fn drain(&self, list: &mut List) {
        for Pending(pending) in &self.pending {
            let pending = std::mem::take(&mut *pending.lock());
            list.take_in(&pending);
        }
    }

    /// Open snapshots.
    pub fn count(&self) -> usize {
        self.list.lock().open.len()
    }

    /// The oldest open snapshot: nothing older can be read. [`Lsn::ZERO`] for none.
    pub fn watermark(&self) -> Lsn {
        self.list.lock().open.keys().next().copied().unwrap_or(Lsn::ZERO)
    }

    /// What snapshots hold, as the bound counts it.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Snapshots that were ended because of the bound.
    pub fn too_old(&self) -> u64 {
        self.too_old.load(Ordering::Relaxed)
    }

    /// Forgets everything, for another life of the state. No snapshot is open, and the table is
    /// empty.
    pub fn reset(&mut self) {
        if self.list.get_mut().used {
            *self = Snapshots::default();
        }
    }
}

/// Moves what was born after the snapshot at `before`, or everything if there is none, to `gone`.
fn take_above(heap: &mut BinaryHeap<Held>, before: Option<Lsn>, gone: &mut Vec<Held>) {
    let Some(before) = before else {
        gone.extend(std::mem::take(heap));
        return;
    };
    while heap.peek().is_some_and(|held| held.birth > before)
        && let Some(held) = heap.pop()
    {
        gone.push(held);
    }
}

impl List {
    /// Says which snapshot is the newest.
    fn announce(&self, clock: &Clock) {
        let newest = self.open.keys().next_back().map_or(0, |newest| newest.0);
        clock.newest_snapshot.store(newest, Ordering::SeqCst);
    }

    /// The newest open snapshot below `lsn`.
    fn before(&self, lsn: Lsn) -> Option<Lsn> {
        self.open.range(..lsn).next_back().map(|(&before, _)| before)
    }

    /// Makes versions known to a snapshot that reads them. There is one, unless they are none.
    fn give(&mut self, to: Option<Lsn>, mut heap: BinaryHeap<Held>) {
        if let (Some(to), false) = (to, heap.is_empty()) {
            self.holding.entry(to).or_default().append(&mut heap);
        }
    }

    /// Takes in what writers have kept, with its ends; most of it has the same snapshot before.
    fn take_in(&mut self, pending: &[(Held, Lsn)]) {
        let mut rest = pending;
        while let Some(&(_, end)) = rest.first() {
            let before = self.before(end);
            let above = self.open.range(end..).next().map_or(Lsn::MAX, |(&above, _)| above);
            let same = |end: Lsn| before.is_none_or(|before| before < end) && end <= above;
            let run = rest.iter().take_while(|(_, end)| same(*end)).count();
            let (run, later) = rest.split_at(run);
            let run = run.iter().map(|(held, _)| *held);
            let (known, gone): (Vec<_>, _) = run.partition(|held| before >= Some(held.birth));
            self.give(before, known.into());
            self.discard(gone);
            rest = later;
        }
    }

    /// Takes in what nobody reads any more.
    fn discard(&mut self, mut gone: Vec<Held>) {
        self.garbage_bytes += gone.iter().map(|held| held.bytes).sum::<u64>();
        self.garbage.append(&mut gone);
    }

    /// Ends the snapshots that read the newest version which the oldest snapshot that knows of any
    /// knows of, and so are the only ones to read it. Returns how many; 0 if nothing can be given
    /// back so.
    fn end_oldest(&mut self) -> u64 {
        let exempt = &self.exempt;
        let free = |newest: Lsn, birth: Lsn| !exempt.iter().any(|&at| birth <= at && at <= newest);
        let found = self.holding.iter().find_map(|(&newest, heap)| {
            heap.peek().filter(|held| free(newest, held.birth)).map(|held| (held.birth, newest))
        });
        let Some((birth, newest)) = found else { return 0 };
        let ended: Vec<Lsn> = self.open.range(birth..=newest).map(|(&lsn, _)| lsn).collect();
        for lsn in &ended {
            if let Some(mark) = self.open.remove(lsn) {
                mark.store(true, Ordering::SeqCst);
            }
        }
        let mut heap = self.holding.remove(&newest).unwrap_or_default();
        let (before, mut gone) = (self.before(newest), Vec::new());
        take_above(&mut heap, before, &mut gone);
        self.discard(gone);
        self.give(before, heap);
        ended.len() as u64
    }
}
