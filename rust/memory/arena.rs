//! The arena: slabs of one reserved range, given to classes and spans, kept when they come back.
//!
//! ```text
//!   range   [ slab 0 | slab 1 | ...            opened |      reserved, without memory       ]
//!   a slab: of a class | part of a span | retained (its memory is kept) | clean (it has none)
//! ```
//!
//! The range is opened from its start, in steps, so the kernel keeps two mappings for it, however
//! much is used. A slab that comes back is retained, up to a budget of bytes and an age; what is
//! beyond goes back to the kernel and is clean: it reads as zero.
//!
//! Invariants, all but the first under the central lock:
//! - Whoever holds a slab ([`Keeper::Held`]) alone carves it and takes its free blocks.
//! - A slab stands in its class's list only if it is `Listed`, and once.
//! - A clean or retained run says its length in its first and its last slab.
//! - `used + retained <= limit`.
//! - A set bit in a slab's map is a free block below `carved`; there are as many as its word counts.

use super::class::{
    BLOCK_ALIGN_MAX, CLASSES, SLAB_BYTES, block_at, block_bytes, blocks_per_slab, map_blocks,
    map_words,
};
use super::range::{self, Range};
use super::slab::{Custody, Keeper, set_bits, take_bits};
use super::stats::ClassStats;
use super::{Reason, Refused};
use crate::stdx::lock::{Lock, LockGuard};
use crate::stdx::sync::AtomicU64;
use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Slabs that are opened at once.
const OPEN_SLABS: u32 = 32;
/// The smallest range that is tried.
const RANGE_BYTES_MIN: usize = 64 << 20;
const RANGE_BYTES_MAX: usize = 16 << 40;
/// Runs are kept in lists by the logarithm of their length.
const RUN_LISTS: usize = 24;
/// No slab.
const NONE: u32 = u32::MAX;

const _: () = assert!(RANGE_BYTES_MAX / SLAB_BYTES <= 1 << (RUN_LISTS - 1));

/// What a slab is for; for a class its number plus [`kind::CLASS`].
pub(super) mod kind {
    /// Memory that the kernel has; zero is what was not opened yet.
    pub const CLEAN: u8 = 1;
    /// Memory that is kept.
    pub const RETAINED: u8 = 2;
    /// The first slab of a span.
    pub const SPAN: u8 = 3;
    /// Another slab of a run.
    pub const INNER: u8 = 4;
    /// The first class.
    pub const CLASS: u8 = 16;
}

/// What is known of one slab.
#[repr(C, align(64))]
pub struct Slab {
    /// How many blocks are free, and who looks after it.
    pub custody: Custody,
    /// The map of free blocks, where it is one word.
    map: AtomicU64,
    /// Places for blocks that are not memory never used, the map's included; exact unless it is
    /// held, and then not more than are.
    pub carved: AtomicU32,
    entry: UnsafeCell<Entry>,
}

/// The part that the central lock protects.
#[derive(Clone, Copy)]
struct Entry {
    prev: u32,
    next: u32,
    /// Slabs of the run that begins or ends here.
    run: u32,
    /// It stands in its class's list.
    listed: bool,
    /// What was not carved yet reads as zero.
    fresh: bool,
    /// Bytes of a span.
    bytes: u64,
    /// When it was retained, ms.
    since: u64,
}

/// A doubly linked list of slabs.
#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

impl List {
    const EMPTY: List = List { first: NONE, last: NONE };
}

/// A slab that the caller now holds.
pub struct Held {
    /// Its number.
    pub slab: u32,
    /// Bytes that were carved.
    pub carved: usize,
    /// What was not carved reads as zero.
    pub fresh: bool,
}

/// How long and how much of what comes back is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Most bytes.
    pub bytes: u64,
    /// Longest time; looked at when slabs come and go.
    pub age: Duration,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { bytes: 256 << 20, age: Duration::from_secs(10) }
    }
}

/// What the central lock protects beside the slabs' entries.
pub struct Central {
    partial: [List; CLASSES],
    clean: [List; RUN_LISTS],
    /// Single slabs, the one that came last in front.
    retained: List,
    /// Longer runs, in the same order.
    retained_runs: List,
    retained_slabs: u32,
    opened: u32,
    used: u32,
    /// Most slabs that are used or retained.
    limit: u32,
    retention: Retention,
    huge: bool,
}

type CentralGuard<'a> = LockGuard<'a, Central, false>;

/// Slabs, and where they come from. Shared by reference between threads.
pub struct Arena {
    pub range: Range,
    /// Of the slabs' descriptions.
    notes: Range,
    slabs: NonNull<Slab>,
    kinds: NonNull<AtomicU8>,
    count: u32,
    central: Lock<Central, false>,
    born: Instant,
}

// SAFETY: the pointers lead to the arena's own mapping; entries are reached under the central lock.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena for a process: twice the machine's memory, or less where addresses are limited.
    pub fn for_process() -> Option<Arena> {
        let wanted = range::machine_bytes().saturating_mul(2).next_power_of_two();
        let mut len = wanted.clamp(64 << 30, RANGE_BYTES_MAX);
        if let Some(limit) = range::address_limit() {
            // The rest is the host's.
            len = len.min((limit / 4).max(RANGE_BYTES_MIN));
        }
        let mut len = len.next_multiple_of(SLAB_BYTES);
        while len >= RANGE_BYTES_MIN {
            if let Some(arena) = Arena::reserve(len) {
                return Some(arena);
            }
            len = (len / 2).next_multiple_of(SLAB_BYTES);
        }
        None
    }

    /// An arena of `len` bytes, a multiple of [`SLAB_BYTES`]; `None` where the kernel refuses.
    pub fn reserve(len: usize) -> Option<Arena> {
        let count = u32::try_from(len / SLAB_BYTES).ok()?;
        let range = Range::reserve(len, SLAB_BYTES)?;
        let slab_bytes = size_of::<Slab>() * count as usize;
        let notes_bytes = (slab_bytes + count as usize).next_multiple_of(SLAB_BYTES);
        let notes = Range::reserve(notes_bytes, SLAB_BYTES)?;
        if !notes.open(0, notes_bytes) {
            return None;
        }
        let slabs = notes.base().cast::<Slab>();
        // SAFETY: the mapping has room for both arrays.
        let kinds = unsafe { notes.base().add(slab_bytes) }.cast::<AtomicU8>();
        let central = Central {
            partial: [List::EMPTY; CLASSES],
            clean: [List::EMPTY; RUN_LISTS],
            retained: List::EMPTY,
            retained_runs: List::EMPTY,
            retained_slabs: 0,
            opened: 0,
            used: 0,
            limit: count,
            retention: Retention::default(),
            huge: false,
        };
        let (central, born) = (Lock::new(central), Instant::now());
        Some(Arena { range, notes, slabs, kinds, count, central, born })
    }

    /// The slab of that number.
    #[inline]
    pub fn slab(&self, index: u32) -> &Slab {
        debug_assert!(index < self.count);
        // SAFETY: within the array; zeroed memory is an idle slab.
        unsafe { self.slabs.add(index as usize).as_ref() }
    }

    fn kind(&self, index: u32) -> &AtomicU8 {
        // SAFETY: within the array.
        unsafe { self.kinds.add(index as usize).as_ref() }
    }

    fn set_kind(&self, index: u32, kind: u8) {
        self.kind(index).store(kind, Ordering::Release);
    }

    /// Start of a slab.
    pub fn start(&self, index: u32) -> NonNull<u8> {
        // SAFETY: within the range.
        unsafe { self.range.base().add(index as usize * SLAB_BYTES) }
    }

    /// The slab that an address stands in, and what that is for; `None` outside the range.
    #[inline]
    pub fn find(&self, block: NonNull<u8>) -> Option<(u32, u8)> {
        let offset = block.as_ptr().addr().wrapping_sub(self.range.base().as_ptr().addr());
        if offset >= self.range.len() {
            return None;
        }
        let index = (offset / SLAB_BYTES) as u32;
        Some((index, self.kind(index).load(Ordering::Relaxed)))
    }

    fn now(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }

    /// A slab of `class` with free or uncarved blocks, for the caller to hold.
    pub fn acquire(&self, class: usize) -> Result<Held, Refused> {
        let mut central = self.central.lock();
        let listed = central.partial[class].first;
        if listed != NONE {
            self.unlist(&mut central, class, listed);
            self.slab(listed).custody.pass_to(Keeper::Held);
            let carved = self.slab(listed).carved.load(Ordering::Relaxed) as usize;
            let fresh = self.entry(&mut central, listed).fresh;
            return Ok(Held { slab: listed, carved: carved * block_bytes(class), fresh });
        }
        let (slab, fresh) = self.take_run(&mut central, 1, block_bytes(class))?;
        self.entry(&mut central, slab).fresh = fresh;
        drop(central);
        Ok(self.make_class_slab(class, slab, fresh))
    }

    /// Gives a slab that the caller has alone to `class`, with an empty map.
    fn make_class_slab(&self, class: usize, slab: u32, fresh: bool) -> Held {
        let first = map_blocks(class);
        let here = self.slab(slab);
        here.carved.store(first, Ordering::Relaxed);
        here.map.store(0, Ordering::Relaxed);
        if first > 0 && !fresh {
            let bytes = map_words(class) * size_of::<u64>();
            // SAFETY: the first blocks of a slab that the caller has alone.
            unsafe { self.start(slab).as_ptr().write_bytes(0, bytes) };
        }
        here.custody.pass_to(Keeper::Held);
        self.set_kind(slab, kind::CLASS + class as u8);
        Held { slab, carved: first as usize * block_bytes(class), fresh }
    }

    /// A word of the map of a slab of `class`: in its first blocks, or beside it.
    fn map(&self, class: usize, slab: u32, word: usize) -> &AtomicU64 {
        if map_blocks(class) == 0 {
            return &self.slab(slab).map;
        }
        // SAFETY: the map stands at the slab's start, which is aligned and never given out.
        unsafe { self.start(slab).cast::<AtomicU64>().add(word).as_ref() }
    }

    /// Takes back a slab that the caller held, of which `carved` bytes were given out at least once.
    pub fn give_up(&self, class: usize, slab: u32, carved: usize) {
        let carved = block_at(class, carved);
        let mut central = self.central.lock();
        self.slab(slab).carved.store(carved, Ordering::Relaxed);
        if carved == blocks_per_slab(class) && self.slab(slab).custody.retire() {
            return;
        }
        self.slab(slab).custody.pass_to(Keeper::Listed);
        self.enlist(&mut central, class, slab);
        self.free_if_whole(&mut central, class, slab);
    }

    /// Lets go of a slab that the caller held and of which everything is given out; `false` if a
    /// block came back just now, and the caller goes on holding it.
    pub fn retire(&self, class: usize, slab: u32) -> bool {
        self.slab(slab).carved.store(blocks_per_slab(class), Ordering::Relaxed);
        self.slab(slab).custody.retire()
    }

    /// Takes up to `most` free blocks of a slab that the caller holds, looking from the word `from`
    /// of its map on. Calls `each` with their addresses; returns where it stopped.
    pub fn take(
        &self,
        class: usize,
        slab: u32,
        from: usize,
        most: u32,
        mut each: impl FnMut(NonNull<u8>),
    ) -> usize {
        let (words, bytes) = (map_words(class), block_bytes(class));
        let (mut taken, mut at) = (0, from % words);
        if self.slab(slab).custody.read().free <= 0 {
            return at;
        }
        for _ in 0..words {
            let mut bits = take_bits(self.map(class, slab, at), most - taken);
            taken += bits.count_ones();
            while bits != 0 {
                let block = at * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                // SAFETY: within the slab.
                each(unsafe { self.start(slab).add(block * bytes) });
            }
            if taken == most {
                break;
            }
            at = (at + 1) % words;
        }
        self.slab(slab).custody.sub(taken);
        at
    }

    /// Gives free blocks back to their slabs, whichever those are; many of one slab together cost
    /// little. `remote` is told how many went to which.
    ///
    /// # Safety
    /// Blocks of `class` of this arena that nobody uses any more.
    pub unsafe fn give_back(
        &self,
        class: usize,
        blocks: &[NonNull<u8>],
        mut remote: impl FnMut(u32, u32),
    ) {
        let mut pile = Pile::default();
        for &block in blocks {
            let offset = block.as_ptr().addr() - self.range.base().as_ptr().addr();
            let slab = (offset / SLAB_BYTES) as u32;
            let index = block_at(class, offset % SLAB_BYTES) as usize;
            if pile.slab != slab {
                self.count_back(class, &mut pile, &mut remote);
                pile = Pile { slab, word: index / 64, ..Pile::default() };
            } else if pile.word != index / 64 {
                self.set_back(class, &mut pile);
                pile.word = index / 64;
            }
            pile.bits |= 1 << (index % 64);
        }
        self.count_back(class, &mut pile, &mut remote);
    }

    fn set_back(&self, class: usize, pile: &mut Pile) {
        let bits = std::mem::take(&mut pile.bits);
        let twice = set_bits(self.map(class, pile.slab, pile.word), bits);
        // A block that was freed twice is free once.
        debug_assert!(twice == 0, "blocks {twice:b} were freed twice");
        pile.count += (bits & !twice).count_ones();
    }

    fn count_back(&self, class: usize, pile: &mut Pile, remote: &mut impl FnMut(u32, u32)) {
        if pile.bits == 0 {
            return;
        }
        self.set_back(class, pile);
        let Pile { slab, count, .. } = *pile;
        remote(slab, count);
        let here = self.slab(slab);
        let (old, new) = here.custody.add(count);
        let whole = || new.free as u32 + map_blocks(class) == here.carved.load(Ordering::Relaxed);
        if old.keeper == Keeper::Idle {
            let mut central = self.central.lock();
            self.enlist(&mut central, class, slab);
            self.free_if_whole(&mut central, class, slab);
        } else if new.keeper == Keeper::Listed && whole() {
            self.free_if_whole(&mut self.central.lock(), class, slab);
        }
    }

    /// A slab whose blocks are all free goes back, if it stands in its class's list: whoever is
    /// about to enter it looks again.
    fn free_if_whole(&self, central: &mut CentralGuard<'_>, class: usize, slab: u32) {
        let here = self.slab(slab);
        let word = here.custody.read();
        let whole = word.free as u32 + map_blocks(class) == here.carved.load(Ordering::Relaxed);
        // It may have gone back and come to another class since the caller looked.
        let same = self.kind(slab).load(Ordering::Relaxed) == kind::CLASS + class as u8;
        if same && self.entry(central, slab).listed && word.keeper == Keeper::Listed && whole {
            self.unlist(central, class, slab);
            here.custody.clear();
            self.give_run(central, slab, 1);
        }
    }

    /// A span of `bytes`, 2 MiB aligned, and whether it reads as zero.
    pub fn alloc_span(&self, bytes: usize) -> Result<(NonNull<u8>, bool), Refused> {
        let mut central = self.central.lock();
        let slabs = u32::try_from(bytes.div_ceil(SLAB_BYTES)).unwrap_or(u32::MAX);
        let (first, fresh) = self.take_run(&mut central, slabs, bytes)?;
        self.set_kind(first, kind::SPAN);
        let entry = self.entry(&mut central, first);
        (entry.run, entry.bytes) = (slabs, bytes as u64);
        Ok((self.start(first), fresh))
    }

    /// Takes a span back; `false` if there is none that begins there.
    pub fn free_span(&self, span: NonNull<u8>) -> bool {
        let mut central = self.central.lock();
        let Some((first, kind::SPAN)) = self.find(span) else { return false };
        if self.start(first) != span {
            return false;
        }
        let slabs = self.entry(&mut central, first).run;
        self.give_run(&mut central, first, slabs);
        true
    }

    /// Takes `slabs` slabs in a row for a request of `asked` bytes; says whether they read as zero.
    /// Their kind is `INNER`.
    fn take_run(
        &self,
        central: &mut CentralGuard<'_>,
        slabs: u32,
        asked: usize,
    ) -> Result<(u32, bool), Refused> {
        let refused = |central: &Central, reason| {
            let bytes = |slabs: u32| u64::from(slabs) * SLAB_BYTES as u64;
            Refused { asked, in_use: bytes(central.used), limit: bytes(central.limit), reason }
        };
        if slabs > central.limit - central.used.min(central.limit) {
            let reason = if central.limit == self.count { Reason::Range } else { Reason::Limit };
            return Err(refused(central, reason));
        }
        let retained = self.take_retained(central, slabs);
        if retained.is_none() {
            let keep = central.limit - central.used - slabs;
            self.purge_to(central, keep);
        }
        let (first, fresh) = match retained {
            Some(first) => (first, false),
            None => match self.take_clean(central, slabs) {
                Ok(first) => (first, true),
                Err(reason) => return Err(refused(central, reason)),
            },
        };
        central.used += slabs;
        for index in first..first + slabs {
            self.set_kind(index, kind::INNER);
        }
        self.drop_aged(central);
        Ok((first, fresh))
    }

    fn take_retained(&self, central: &mut CentralGuard<'_>, slabs: u32) -> Option<u32> {
        let mut at = match slabs {
            1 => central.retained.first,
            _ => central.retained_runs.first,
        };
        while at != NONE && self.entry(central, at).run != slabs {
            at = self.entry(central, at).next;
        }
        (at != NONE).then(|| {
            self.unretain(central, at);
            at
        })
    }

    /// The best run among the clean ones, cut to size; opens more of the range where none fits.
    fn take_clean(&self, central: &mut CentralGuard<'_>, slabs: u32) -> Result<u32, Reason> {
        loop {
            if let Some(run) = self.fitting_run(central, slabs) {
                let len = self.remove_clean(central, run);
                if len > slabs {
                    self.add_clean(central, run + slabs, len - slabs);
                }
                return Ok(run);
            }
            match self.open_more(central, slabs) {
                Ok(()) => {}
                Err(_) if central.retained_slabs > 0 => self.purge_to(central, 0),
                Err(reason) => return Err(reason),
            }
        }
    }

    fn fitting_run(&self, central: &mut CentralGuard<'_>, slabs: u32) -> Option<u32> {
        for list in slabs.ilog2() as usize..RUN_LISTS {
            let mut at = central.clean[list].first;
            while at != NONE {
                let Entry { run, next, .. } = *self.entry(central, at);
                if run >= slabs {
                    return Some(at);
                }
                at = next;
            }
        }
        None
    }

    fn open_more(&self, central: &mut CentralGuard<'_>, slabs: u32) -> Result<(), Reason> {
        let left = self.count - central.opened;
        let tail = self.clean_before(central, central.opened).map_or(0, |(_, len)| len);
        let needed = slabs - tail;
        if needed > left {
            return Err(Reason::Range);
        }
        let (first, len) = (central.opened, needed.max(OPEN_SLABS).min(left));
        if !self.range.open(first as usize * SLAB_BYTES, len as usize * SLAB_BYTES) {
            return Err(Reason::System);
        }
        if central.huge {
            self.range.advise_huge(0, (first + len) as usize * SLAB_BYTES, true);
        }
        central.opened += len;
        self.join_clean(central, first, len);
        Ok(())
    }

    /// Takes a run back that was taken, and keeps its memory as long as the budget allows.
    fn give_run(&self, central: &mut CentralGuard<'_>, first: u32, slabs: u32) {
        central.used -= slabs;
        central.retained_slabs += slabs;
        let since = self.now();
        self.tag(central, first, slabs, kind::RETAINED);
        self.entry(central, first).since = since;
        let mut list = *retained_list(central, slabs);
        self.push_front(central, &mut list, first);
        *retained_list(central, slabs) = list;
        let budget = central.retention.bytes / SLAB_BYTES as u64;
        if u64::from(central.retained_slabs) > budget {
            // Some room, so that the next ones don't need the kernel.
            self.purge_to(central, (budget - budget / 8) as u32);
        }
        self.drop_aged(central);
    }

    fn unretain(&self, central: &mut CentralGuard<'_>, first: u32) -> u32 {
        let slabs = self.entry(central, first).run;
        let mut list = *retained_list(central, slabs);
        self.remove(central, &mut list, first);
        *retained_list(central, slabs) = list;
        central.retained_slabs -= slabs;
        slabs
    }

    /// Gives the oldest retained runs to the kernel until at most `slabs` are kept.
    fn purge_to(&self, central: &mut CentralGuard<'_>, slabs: u32) {
        while central.retained_slabs > slabs {
            let oldest = [central.retained.last, central.retained_runs.last]
                .into_iter()
                .filter(|&last| last != NONE)
                .min_by_key(|&last| self.entry(central, last).since);
            let Some(oldest) = oldest else { return };
            self.purge_run(central, oldest);
        }
    }

    fn drop_aged(&self, central: &mut CentralGuard<'_>) {
        let age = central.retention.age.as_millis() as u64;
        let now = self.now();
        for list in [central.retained, central.retained_runs] {
            let mut at = list.last;
            while at != NONE && now.saturating_sub(self.entry(central, at).since) > age {
                let newer = self.entry(central, at).prev;
                self.purge_run(central, at);
                at = newer;
            }
        }
    }

    fn purge_run(&self, central: &mut CentralGuard<'_>, first: u32) {
        let slabs = self.unretain(central, first);
        let (offset, len) = (first as usize * SLAB_BYTES, slabs as usize * SLAB_BYTES);
        // SAFETY: nobody uses a retained run.
        if !unsafe { self.range.purge(offset, len) } {
            // SAFETY: as above. The kernel keeps it, so it is made what clean memory is.
            unsafe { self.start(first).as_ptr().write_bytes(0, len) };
        }
        self.join_clean(central, first, slabs);
    }

    /// Adds a clean run, one with its clean neighbours.
    fn join_clean(&self, central: &mut CentralGuard<'_>, first: u32, slabs: u32) {
        let (mut first, mut slabs) = (first, slabs);
        if let Some((before, len)) = self.clean_before(central, first) {
            self.remove_clean(central, before);
            (first, slabs) = (before, slabs + len);
        }
        let after = first + slabs;
        if after < central.opened && self.kind(after).load(Ordering::Relaxed) == kind::CLEAN {
            slabs += self.remove_clean(central, after);
        }
        self.add_clean(central, first, slabs);
    }

    /// The clean run that ends before `index`.
    fn clean_before(&self, central: &mut CentralGuard<'_>, index: u32) -> Option<(u32, u32)> {
        let last = index.checked_sub(1)?;
        if self.kind(last).load(Ordering::Relaxed) != kind::CLEAN {
            return None;
        }
        let run = self.entry(central, last).run;
        Some((index - run, run))
    }

    fn add_clean(&self, central: &mut CentralGuard<'_>, first: u32, slabs: u32) {
        self.tag(central, first, slabs, kind::CLEAN);
        let mut list = central.clean[slabs.ilog2() as usize];
        self.push_front(central, &mut list, first);
        central.clean[slabs.ilog2() as usize] = list;
    }

    fn remove_clean(&self, central: &mut CentralGuard<'_>, first: u32) -> u32 {
        let slabs = self.entry(central, first).run;
        let mut list = central.clean[slabs.ilog2() as usize];
        self.remove(central, &mut list, first);
        central.clean[slabs.ilog2() as usize] = list;
        self.set_kind(first + slabs - 1, kind::INNER);
        self.set_kind(first, kind::INNER);
        slabs
    }

    /// Writes a run's length and kind into its first and its last slab.
    fn tag(&self, central: &mut CentralGuard<'_>, first: u32, slabs: u32, kind: u8) {
        for index in [first, first + slabs - 1] {
            self.set_kind(index, kind);
            self.entry(central, index).run = slabs;
        }
    }

    /// Enters a slab into its class's list; at the end if some of it was never carved: memory that
    /// was in use before comes first.
    fn enlist(&self, central: &mut CentralGuard<'_>, class: usize, slab: u32) {
        let mut list = central.partial[class];
        match self.slab(slab).carved.load(Ordering::Relaxed) == blocks_per_slab(class) {
            true => self.push_front(central, &mut list, slab),
            false => self.push_back(central, &mut list, slab),
        }
        central.partial[class] = list;
        self.entry(central, slab).listed = true;
    }

    fn unlist(&self, central: &mut CentralGuard<'_>, class: usize, slab: u32) {
        let mut list = central.partial[class];
        self.remove(central, &mut list, slab);
        central.partial[class] = list;
        self.entry(central, slab).listed = false;
    }

    fn push_front(&self, central: &mut CentralGuard<'_>, list: &mut List, index: u32) {
        let next = std::mem::replace(&mut list.first, index);
        match next {
            NONE => list.last = index,
            next => self.entry(central, next).prev = index,
        }
        let entry = self.entry(central, index);
        (entry.prev, entry.next) = (NONE, next);
    }

    fn push_back(&self, central: &mut CentralGuard<'_>, list: &mut List, index: u32) {
        let prev = std::mem::replace(&mut list.last, index);
        match prev {
            NONE => list.first = index,
            prev => self.entry(central, prev).next = index,
        }
        let entry = self.entry(central, index);
        (entry.prev, entry.next) = (prev, NONE);
    }

    fn remove(&self, central: &mut CentralGuard<'_>, list: &mut List, index: u32) {
        let Entry { prev, next, .. } = *self.entry(central, index);
        match prev {
            NONE => list.first = next,
            prev => self.entry(central, prev).next = next,
        }
        match next {
            NONE => list.last = prev,
            next => self.entry(central, next).prev = prev,
        }
    }

    fn entry<'a>(&self, _central: &'a mut CentralGuard<'_>, index: u32) -> &'a mut Entry {
        // SAFETY: entries are reached with the central lock held, which the guard proves, and one
        // at a time, as it is borrowed for as long.
        unsafe { &mut *self.slab(index).entry.get() }
    }

    /// Gives everything that is retained to the kernel. Returns the bytes.
    pub fn purge(&self) -> u64 {
        let mut central = self.central.lock();
        let slabs = central.retained_slabs;
        self.purge_to(&mut central, 0);
        u64::from(slabs) * SLAB_BYTES as u64
    }

    /// Makes `count` blocks of `class` that are in memory and free, beside those in use.
    pub fn prewarm(&self, class: usize, count: usize) -> Result<(), Refused> {
        let mut missing = count;
        let mut held = Vec::new();
        let mut refused = Ok(());
        while missing > 0 {
            match self.acquire(class) {
                Ok(slab) => {
                    missing = missing.saturating_sub(self.fill(class, &slab, missing));
                    held.push(slab.slab);
                }
                Err(error) => {
                    refused = Err(error);
                    break;
                }
            }
        }
        for slab in held {
            let carved = self.slab(slab).carved.load(Ordering::Relaxed) as usize;
            self.give_up_filled(class, slab, carved);
        }
        refused
    }

    /// Carves up to `missing` more blocks of a held slab and makes them free ones; returns how many
    /// are free there now.
    fn fill(&self, class: usize, held: &Held, missing: usize) -> usize {
        let (here, bytes) = (self.slab(held.slab), block_bytes(class));
        let there = here.custody.read().free.max(0) as usize;
        let first = block_at(class, held.carved) as usize;
        let left = blocks_per_slab(class) as usize - first;
        let carve = left.min(missing.saturating_sub(there));
        if carve == 0 {
            return there;
        }
        let from = held.carved & !(BLOCK_ALIGN_MAX - 1);
        let to = (held.carved + carve * bytes).next_multiple_of(BLOCK_ALIGN_MAX).min(SLAB_BYTES);
        self.range.populate(held.slab as usize * SLAB_BYTES + from, to - from);
        for block in first..first + carve {
            set_bits(self.map(class, held.slab, block / 64), 1 << (block % 64));
        }
        here.carved.store((first + carve) as u32, Ordering::Relaxed);
        here.custody.add(carve as u32);
        there + carve
    }

    /// Lists a held slab that was filled, whole or not: it was asked for.
    fn give_up_filled(&self, class: usize, slab: u32, carved: usize) {
        let mut central = self.central.lock();
        self.slab(slab).carved.store(carved as u32, Ordering::Relaxed);
        self.slab(slab).custody.pass_to(Keeper::Listed);
        self.enlist(&mut central, class, slab);
    }

    /// Limits what is used and retained to `bytes`, rounded up to slabs; 0 is no limit but the
    /// range.
    pub fn set_limit(&self, bytes: u64) {
        let slabs = u32::try_from(bytes.div_ceil(SLAB_BYTES as u64)).unwrap_or(u32::MAX);
        let mut central = self.central.lock();
        central.limit = if slabs == 0 { self.count } else { slabs.min(self.count) };
        let keep = central.limit.saturating_sub(central.used);
        self.purge_to(&mut central, keep);
    }

    /// Says what is kept of what comes back.
    pub fn set_retention(&self, retention: Retention) {
        let mut central = self.central.lock();
        central.retention = retention;
        let keep = retention.bytes / SLAB_BYTES as u64;
        self.purge_to(&mut central, keep.min(u32::MAX.into()) as u32);
    }

    /// Whether huge pages are asked for.
    pub fn set_huge_pages(&self, huge: bool) {
        let mut central = self.central.lock();
        central.huge = huge;
        self.range.advise_huge(0, central.opened as usize * SLAB_BYTES, huge);
    }

    /// Takes the central lock, so that a process that is forked finds it free.
    pub fn lock_for_fork(&self) {
        std::mem::forget(self.central.lock());
    }

    /// Gives the central lock back that [`lock_for_fork`](Self::lock_for_fork) took.
    ///
    /// # Safety
    /// The calling thread took it.
    pub unsafe fn unlock_after_fork(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.central.force_unlock() };
    }

    /// Calls of the kernel since the arena was made.
    pub fn kernel_calls(&self) -> u64 {
        self.range.calls.load(Ordering::Relaxed) + self.notes.calls.load(Ordering::Relaxed)
    }

    /// Counts slabs and blocks. Blocks in threads' magazines count as in use here.
    pub fn count(&self, classes: &mut [ClassStats; CLASSES]) -> ArenaStats {
        let mut central = self.central.lock();
        let mut stats = ArenaStats {
            used: central.used,
            retained: central.retained_slabs,
            limit: central.limit,
            slabs: self.count,
            ..ArenaStats::default()
        };
        for index in 0..central.opened {
            match self.kind(index).load(Ordering::Relaxed) {
                kind::SPAN => {
                    stats.spans += 1;
                    stats.span_bytes += self.entry(&mut central, index).bytes;
                }
                class @ kind::CLASS.. => {
                    let (here, number) = (self.slab(index), class - kind::CLASS);
                    let places = here.carved.load(Ordering::Relaxed);
                    let map = map_blocks(usize::from(number));
                    let class = &mut classes[usize::from(number)];
                    class.slabs += 1;
                    class.free += here.custody.read().free.max(0) as u64;
                    class.carved += u64::from(places.saturating_sub(map));
                }
                _ => {}
            }
        }
        stats
    }

    /// Walks every slab, list and run and compares them with each other. `still`: no block comes or
    /// goes meanwhile, so that counts must agree to the block.
    ///
    /// # Errors
    /// What does not fit.
    pub fn invariant(&self, still: bool) -> Result<(), String> {
        let mut central = self.central.lock();
        self.check_lists(&mut central)?;
        let (mut used, mut retained, mut at) = (0, 0, 0);
        while at < central.opened {
            let kind = self.kind(at).load(Ordering::Acquire);
            let run = match kind {
                // On its way to a class.
                kind::INNER if !still => 1,
                kind::CLEAN | kind::RETAINED | kind::SPAN => self.entry(&mut central, at).run,
                kind::CLASS.. => 1,
                _ => return Err(format!("slab {at} has the kind {kind}, at the start of a run")),
            };
            let last = at + run - 1;
            let tail =
                (self.kind(last).load(Ordering::Relaxed), self.entry(&mut central, last).run);
            if run > 1 && kind != kind::SPAN && tail != (kind, run) {
                return Err(format!("a run of {run} slabs at {at}, which ends as {tail:?}"));
            }
            match kind {
                kind::CLEAN => {}
                kind::RETAINED => retained += run,
                kind::SPAN | kind::INNER => used += run,
                class => {
                    used += 1;
                    self.check_slab(&mut central, at, usize::from(class - kind::CLASS), still)?;
                }
            }
            at += run;
        }
        let counted = (central.used, central.retained_slabs);
        if (used, retained) != counted {
            return Err(format!("{used} slabs used and {retained} retained, not {counted:?}"));
        }
        Ok(())
    }

    /// A slab's map against its own counts.
    fn check_slab(
        &self,
        central: &mut CentralGuard<'_>,
        slab: u32,
        class: usize,
        still: bool,
    ) -> Result<(), String> {
        let here = self.slab(slab);
        let word = here.custody.read();
        if !still && word.keeper != Keeper::Listed {
            // Whoever holds it, or gives a block back to it, is in the middle of something.
            return Ok(());
        }
        let listed = self.entry(central, slab).listed;
        // Who made it `Listed` may be about to enter it.
        if listed != (word.keeper == Keeper::Listed) && (still || listed) {
            return Err(format!("slab {slab} is {word:?}, its place in the list is another"));
        }
        let carved = here.carved.load(Ordering::Relaxed);
        let most = if word.keeper == Keeper::Held { blocks_per_slab(class) } else { carved };
        let mut free = 0;
        for at in 0..map_words(class) {
            let bits = self.map(class, slab, at).load(Ordering::Relaxed);
            free += bits.count_ones();
            let (low, high) = (at * 64 + bits.trailing_zeros() as usize, bits.checked_ilog2());
            let within = high.is_none_or(|high| {
                low >= map_blocks(class) as usize && at * 64 + (high as usize) < most as usize
            });
            if !within {
                return Err(format!(
                    "slab {slab}: {bits:b} are no blocks of {most}, from {at} * 64"
                ));
            }
        }
        // Bits are set before they are counted.
        if i64::from(free) != i64::from(word.free)
            && (still || i64::from(free) < i64::from(word.free))
        {
            return Err(format!("slab {slab}: {free} free blocks, not {word:?}"));
        }
        Ok(())
    }

    /// Lists against their links.
    fn check_lists(&self, central: &mut CentralGuard<'_>) -> Result<(), String> {
        let lists = central.partial.into_iter().chain(central.clean);
        for list in lists.chain([central.retained, central.retained_runs]) {
            let (mut before, mut at) = (NONE, list.first);
            while at != NONE {
                let entry = *self.entry(central, at);
                if entry.prev != before {
                    return Err(format!("slab {at} follows {before}, and says {}", entry.prev));
                }
                (before, at) = (at, entry.next);
            }
            if list.last != before {
                return Err(format!("a list ends at slab {before}, and says {}", list.last));
            }
        }
        Ok(())
    }
}

fn retained_list<'a>(central: &'a mut CentralGuard<'_>, slabs: u32) -> &'a mut List {
    if slabs == 1 { &mut central.retained } else { &mut central.retained_runs }
}

/// What [`Arena::count`] counts, in slabs.
#[derive(Clone, Copy, Default)]
pub struct ArenaStats {
    pub slabs: u32,
    pub used: u32,
    pub retained: u32,
    pub limit: u32,
    pub spans: u64,
    pub span_bytes: u64,
}

/// Blocks of one slab, while they are given back.
struct Pile {
    slab: u32,
    word: usize,
    bits: u64,
    /// Blocks of the words before.
    count: u32,
}

impl Default for Pile {
    fn default() -> Pile {
        Pile { slab: NONE, word: 0, bits: 0, count: 0 }
    }
}
