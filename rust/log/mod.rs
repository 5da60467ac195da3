//! The log: records in lanes, lanes in frames, frames in segments, one total order.
//!
//! ```text
//!   threads      begin -> stamp -> write -> publish          no lock shared between threads
//!                 |          \
//!               lanes       clock                            ticks, floor, closing
//!                 |
//!              writer        closes an LSN, merges all lanes up to it, writes one frame
//!                 |
//!             segments       preallocated files; the files hold a prefix of the LSN order
//!                 |
//!              commit        group commit: the leader syncs for all who wait
//! ```
//!
//! Knows bytes, objects by number and LSNs; not what a page is. May call `env` and `stdx`.
//!
//! Invariants:
//! - Files hold records in ascending LSN order; a frame's `closed` covers all at or below it.
//! - `durable <= written <= ` the newest LSN; acknowledgement in `sync` waits for `durable`.
//! - Bytes in lanes always fit the space that is reserved on disk ([`Space`]), so that a full disk
//!   is an error before anything changed.
//! - After a failed write or sync the log is poisoned: reads go on, writes are refused.
//!
//! Lock order: `writer`, then `closing` or `space`. `commit` is never held with another.

mod background;
pub mod clock;
mod commit;
pub mod lane;
mod read_ahead;
pub mod reader;
pub mod record;
pub mod recovery;
pub mod segment;
mod space;
mod writer;

use crate::bail;
use crate::env::{Clock as WallClock, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::LANES_MAX;
use crate::stdx::hist::{Histogram, Latency};
use crate::stdx::sync::{Backoff, Condvar, Mutex};
use crate::stdx::thread;
use crate::types::Lsn;
use clock::{Clock, Heads};
use commit::Commit;
use lane::{ChunkPool, Lane};
use segment::{Identity, Segment};
use space::Space;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use writer::Writer;

pub use background::Background;
pub use reader::Reader;
pub use record::{Entry, EntryHead, Record};
pub use recovery::{Recovered, Torn};

/// Settings of a log.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Size of a segment, bytes; a record that does not fit gets a longer one.
    pub segment_bytes: u64,
    /// Bytes in lanes above which a writer flushes before it goes on.
    pub pending_bytes_max: u64,
    /// Bytes of log after which a checkpoint is due, at least.
    pub checkpoint_every: u64,
    /// Reserve space on the medium before records are accepted.
    pub reserve: bool,
    /// Write zeros ahead of the end, so that a sync finds blocks already mapped.
    pub zero_ahead: bool,
}

/// A checkpoint is overdue at that many times the growth that makes it due.
const OVERDUE: u64 = 4;
/// Threads with this number and above share the last lane.
const SHARED_LANE: usize = LANES_MAX - 1;

/// Why writes are refused; bits of [`Clock::gate`].
pub mod gate {
    /// A write or sync failed, or the state panicked.
    pub const POISONED: u32 = 1;
    /// The log is closed.
    pub const CLOSED: u32 = 2;
    /// The log belongs to a state that shows the past.
    pub const READ_ONLY: u32 = 4;
    /// One group goes alone; the others are told to come again.
    pub const HELD: u32 = 8;
}

/// Told that a log refuses writes, and what is durable.
pub type OnPoison = Box<dyn Fn(Lsn) + Send + Sync>;

/// The log. Shared by reference between any number of threads.
pub struct Log {
    /// Floor, newest snapshot, gate: read by every writer, written rarely.
    pub clock: Clock,
    lanes: Box<[AtomicPtr<Lane>; LANES_MAX]>,
    lanes_used: AtomicUsize,
    pool: ChunkPool,
    space: Mutex<Space>,
    /// Told when chunks were drained, and when there is nobody left to drain them.
    drained: Condvar,
    closing: Mutex<()>,
    writer: Mutex<Writer>,
    commit: Mutex<Commit>,
    committed: Condvar,
    written: AtomicU64,
    durable: AtomicU64,
    /// Where frames are known to be durable: the end of one, or where the log begins. An image may
    /// make more durable, up to where no frame ends.
    synced: AtomicU64,
    /// When nothing was known to wait for longer, monotonic nanoseconds: a flush began.
    flushed_at: AtomicU64,
    /// Bytes of frames written, and of those that a sync covered.
    frame_bytes: AtomicU64,
    synced_bytes: AtomicU64,
    /// Bytes of log since a checkpoint was last due, and how many make the next one due.
    grown: AtomicU64,
    due_at: AtomicU64,
    poison: Mutex<Option<String>>,
    on_poison: Mutex<Option<OnPoison>>,
    wake: background::Wake,
    storage: Arc<dyn Storage>,
    wall: Arc<dyn WallClock>,
    options: LogOptions,
    flush_ns: Histogram,
    sync_ns: Histogram,
}

/// Counts and positions of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LogStats {
    /// Records appended since the log was opened.
    pub records: u64,
    /// Bytes of them.
    pub record_bytes: u64,
    /// Bytes that wait in lanes.
    pub pending_bytes: u64,
    /// Bytes of frames written and not synced.
    pub unsynced_bytes: u64,
    /// Lanes in use.
    pub lanes: u64,
    /// Segments kept.
    pub segments: u64,
    /// Bytes that they hold.
    pub segment_bytes: u64,
    /// Nothing at or below it is readable any more.
    pub history_floor: Lsn,
    /// Everything at or below it was handed to the operating system.
    pub written: Lsn,
    /// Everything at or below it is on stable storage.
    pub durable: Lsn,
    /// Time of a flush.
    pub flush: Latency,
    /// Time of a sync.
    pub sync: Latency,
}

impl Log {
    /// A log without a record, whose first LSN is above `base`. Writes nothing yet.
    pub fn create(
        storage: Arc<dyn Storage>,
        wall: Arc<dyn WallClock>,
        identity: Identity,
        base: Lsn,
        options: LogOptions,
    ) -> Log {
        Log::with(storage, wall, options, Writer::new(identity, base))
    }

    fn with(
        storage: Arc<dyn Storage>,
        wall: Arc<dyn WallClock>,
        options: LogOptions,
        writer: Writer,
    ) -> Log {
        let closed = writer.closed();
        Log {
            clock: Clock::new(closed.tick()),
            lanes: Box::new([const { AtomicPtr::new(ptr::null_mut()) }; LANES_MAX]),
            lanes_used: AtomicUsize::new(0),
            pool: ChunkPool::default(),
            space: Mutex::default(),
            drained: Condvar::new(),
            closing: Mutex::default(),
            written: AtomicU64::new(closed.0),
            durable: AtomicU64::new(closed.0),
            synced: AtomicU64::new(closed.0),
            flushed_at: AtomicU64::new(0),
            frame_bytes: AtomicU64::new(0),
            synced_bytes: AtomicU64::new(0),
            grown: AtomicU64::new(0),
            due_at: AtomicU64::new(options.checkpoint_every),
            commit: Mutex::default(),
            committed: Condvar::new(),
            writer: Mutex::new(writer),
            poison: Mutex::default(),
            on_poison: Mutex::default(),
            wake: background::Wake::default(),
            storage,
            wall,
            options,
            flush_ns: Histogram::default(),
            sync_ns: Histogram::default(),
        }
    }

    /// Takes up a log that was opened, for records above `after`.
    fn resume_after(&self, after: Lsn) {
        self.clock.raise(after.tick());
        self.written.fetch_max(after.0, Ordering::AcqRel);
        self.durable.fetch_max(after.0, Ordering::AcqRel);
        if let Some(last) = self.writer.lock().segments.back() {
            self.account_room(last.room());
        }
    }

    /// Replaces the settings of a log that nobody uses yet.
    pub fn set_options(&mut self, options: LogOptions) {
        *self.due_at.get_mut() = options.checkpoint_every;
        self.options = options;
    }

    /// Lets an empty log begin after `lsn`.
    pub fn rebase(&mut self, lsn: Lsn) {
        self.writer.get_mut().reset(lsn);
        self.clock.raise(lsn.tick());
        *self.written.get_mut() = lsn.0;
        *self.durable.get_mut() = lsn.0;
        *self.synced.get_mut() = lsn.0;
    }

    /// Whether the log has made any file.
    pub fn touched_storage(&mut self) -> bool {
        !self.writer.get_mut().segments.is_empty() || self.space.get_mut().has_spares()
    }

    /// Whether the log has grown enough for a checkpoint.
    #[inline]
    pub fn is_checkpoint_due(&self) -> bool {
        self.grown.load(Ordering::Relaxed) >= self.checkpoint_every()
    }

    /// Whether it has grown so far that it must not go on without one.
    pub fn is_checkpoint_overdue(&self) -> bool {
        self.grown.load(Ordering::Relaxed) / OVERDUE >= self.checkpoint_every()
    }

    /// Bytes of log that make a checkpoint due.
    pub fn checkpoint_every(&self) -> u64 {
        self.due_at.load(Ordering::Relaxed)
    }

    /// Says how many bytes an image takes: checkpoints shall not write more than the log.
    pub fn note_image(&self, bytes: u64) {
        self.due_at.store(self.options.checkpoint_every.max(bytes), Ordering::Relaxed);
    }

    /// Whether a checkpoint is due, or would be once `bytes` more were flushed.
    pub fn is_checkpoint_near(&self, bytes: u64) -> bool {
        self.grown.load(Ordering::Relaxed) + bytes >= self.checkpoint_every()
    }

    /// True for one caller each time a checkpoint is due.
    pub fn take_checkpoint_due(&self) -> bool {
        self.is_checkpoint_due() && self.grown.swap(0, Ordering::Relaxed) >= self.checkpoint_every()
    }

    /// Makes the log an empty one again, for an in-memory state's next life: the same object,
    /// lanes with their chunks, nothing else.
    pub fn reset(&mut self, options: LogOptions) {
        for lane in self.lanes.iter_mut().take(*self.lanes_used.get_mut()) {
            // SAFETY: lanes are leaked boxes, freed in drop alone; &mut self is the only user.
            if let Some(lane) = unsafe { lane.get_mut().as_mut() } {
                lane.reset(&self.pool);
            }
        }
        self.clock = Clock::new(0);
        self.writer.get_mut().reset(Lsn::ZERO);
        *self.space.get_mut() = Space::default();
        *self.written.get_mut() = 0;
        *self.durable.get_mut() = 0;
        *self.synced.get_mut() = 0;
        *self.flushed_at.get_mut() = 0;
        *self.frame_bytes.get_mut() = 0;
        *self.synced_bytes.get_mut() = 0;
        *self.grown.get_mut() = 0;
        *self.due_at.get_mut() = options.checkpoint_every;
        *self.commit.get_mut() = Commit::default();
        *self.poison.get_mut() = None;
        *self.on_poison.get_mut() = None;
        self.flush_ns.clear();
        self.sync_ns.clear();
        self.options = options;
    }

    /// What a fresh log differs in from one that was reset, by name. The memory that a log keeps is
    /// none of it.
    #[cfg(test)]
    pub fn headers(&self) -> Vec<(&'static str, u64)> {
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let stats = self.stats();
        let (writer, options) = (self.writer.lock(), &self.options);
        vec![
            ("floor", self.clock.floor()),
            ("newest snapshot", self.clock.newest_snapshot.load(Ordering::Relaxed)),
            ("gate", self.clock.gate.load(Ordering::Relaxed).into()),
            ("asleep", self.clock.asleep.load(Ordering::Relaxed).into()),
            ("lane words", self.lanes().map(|lane| lane.clock.head()).sum()),
            ("written", load(&self.written)),
            ("durable", load(&self.durable)),
            ("synced", load(&self.synced)),
            ("flushed at", load(&self.flushed_at)),
            ("frame bytes", load(&self.frame_bytes)),
            ("synced bytes", load(&self.synced_bytes)),
            ("grown", load(&self.grown)),
            ("due at", load(&self.due_at)),
            ("closed", writer.closed().0),
            ("history floor", writer.history_floor().0),
            ("poisoned", self.poison.lock().is_some().into()),
            ("records", stats.records),
            ("record bytes", stats.record_bytes),
            ("pending", stats.pending_bytes),
            ("flushes", stats.flush.count),
            ("syncs", stats.sync.count),
            ("checkpoint every", options.checkpoint_every),
            ("reserve", options.reserve.into()),
            ("zero ahead", options.zero_ahead.into()),
        ]
    }

    /// Where an empty log will make its files.
    pub fn set_storage(&mut self, storage: Arc<dyn Storage>) {
        self.storage = storage;
    }

    /// Begins a group: takes the calling thread's lane with room for a record of `len_max` bytes.
    ///
    /// With everything that the group changes locked; the lane is the innermost lock. May wait for
    /// a flush when records pile up; fails before anything changed.
    #[inline]
    pub fn begin(&self, len_max: usize) -> Result<Append<'_>> {
        self.begin_unless(len_max, u32::MAX)
    }

    /// As [`begin`](Self::begin), of the group that goes alone while others are
    /// [held](Self::hold_writers).
    pub fn begin_alone(&self, len_max: usize) -> Result<Append<'_>> {
        self.begin_unless(len_max, !gate::HELD)
    }

    /// `closed`: the reasons to refuse that count.
    #[inline]
    fn begin_unless(&self, len_max: usize, closed: u32) -> Result<Append<'_>> {
        let index = (thread::index() as usize).min(SHARED_LANE);
        let lane = self.lanes[index].load(Ordering::Acquire);
        if lane.is_null() {
            return self.begin_slow(index, len_max, closed);
        }
        // SAFETY: lanes are never freed while the log lives.
        let lane = unsafe { &*lane };
        let Some(head) = lane.clock.enter(self.alone(index)) else {
            return self.begin_slow(index, len_max, closed);
        };
        // SAFETY: `enter` made this thread the holder.
        match unsafe { lane.room(len_max) } {
            Some(room) => self.entered((lane, index, head), (room.as_ptr(), len_max), closed),
            None => {
                lane.clock.abandon(head);
                self.begin_slow(index, len_max, closed)
            }
        }
    }

    /// Lets no group but one that goes [alone](Self::begin_alone) begin as long as the guard lives,
    /// and returns when none is being written any more. Groups that would begin fail with an error
    /// that says so ([`Error::is_held`]), before anything changed. One caller at a time.
    pub fn hold_writers(&self) -> HeldWriters<'_> {
        self.clock.hold(gate::HELD, || self.lanes().map(|lane| &lane.clock));
        HeldWriters(self)
    }

    /// Whether the lane `index`, the calling thread's, is nobody else's.
    #[inline]
    fn alone(&self, index: usize) -> bool {
        index < SHARED_LANE && self.clock.pays()
    }

    #[inline]
    fn entered<'a>(
        &'a self,
        (lane, index, head): (&'a Lane, usize, u64),
        (room, len_max): (*mut u8, usize),
        closed: u32,
    ) -> Result<Append<'a>> {
        // After `enter`: whoever set the gate and then finds the lane idle knows that no group is
        // written any more.
        if self.clock.gate.load(Ordering::SeqCst) & closed != 0 {
            lane.clock.abandon(head);
            return Err(self.refusal());
        }
        if self.clock.asleep.load(Ordering::SeqCst) != 0 {
            self.wake_flusher();
        }
        Ok(Append { lane, log: self, index: index as u8, head, tick: 0, room, len_max })
    }

    /// The lane is new, held by another thread, or out of room.
    #[cold]
    fn begin_slow(&self, index: usize, len_max: usize, closed: u32) -> Result<Append<'_>> {
        if len_max as u64 > crate::limits::RECORD_BYTES_MAX {
            bail!(
                TooLarge,
                "a group of {len_max} bytes; the limit is {}",
                crate::limits::RECORD_BYTES_MAX
            );
        }
        let lane = self.lane(index);
        let mut backoff = Backoff::default();
        loop {
            let Some(head) = lane.clock.enter(self.alone(index)) else {
                backoff.wait();
                continue;
            };
            // SAFETY: `enter` made this thread the holder.
            if let Some(room) = unsafe { lane.room(len_max) } {
                return self.entered((lane, index, head), (room.as_ptr(), len_max), closed);
            }
            lane.clock.abandon(head);
            if self.clock.gate.load(Ordering::SeqCst) & closed != 0 {
                return Err(self.refusal());
            }
            let chunk = self.grant(len_max, index)?;
            while lane.clock.enter(self.alone(index)).is_none() {
                backoff.wait();
            }
            let head = lane.clock.head();
            // SAFETY: `enter` made this thread the holder.
            unsafe { lane.link(chunk) };
            lane.clock.abandon(head);
        }
    }

    fn lane(&self, index: usize) -> &Lane {
        let slot = &self.lanes[index];
        if slot.load(Ordering::Acquire).is_null() {
            let new = Box::into_raw(Box::new(Lane::default()));
            let (ok, fail) = (Ordering::AcqRel, Ordering::Acquire);
            if slot.compare_exchange(ptr::null_mut(), new, ok, fail).is_err() {
                // SAFETY: `new` was not shared.
                drop(unsafe { Box::from_raw(new) });
            }
        }
        // Before the lane's first group: a closer must see it or be seen.
        self.lanes_used.fetch_max(index + 1, Ordering::SeqCst);
        // SAFETY: not null any more, and never freed while the log lives.
        unsafe { &*slot.load(Ordering::Acquire) }
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        let used = self.lanes_used.load(Ordering::SeqCst);
        self.lanes[..used].iter().filter_map(|lane| {
            // SAFETY: lanes are never freed while the log lives.
            unsafe { lane.load(Ordering::Acquire).as_ref() }
        })
    }

    /// Closes the log at an LSN above everything that was published, and returns it: no record at
    /// or below it can appear any more. `announce` sees each candidate before any writer does.
    ///
    /// Cost: O(lanes); waits for groups in flight, never for I/O.
    pub fn close_lsn(&self, mut announce: impl FnMut(Lsn)) -> Lsn {
        let _closing = self.closing.lock();
        let announce = |tick| announce(Lsn::end_of(tick));
        Lsn::end_of(self.clock.close(|| self.lanes(), announce, &mut Heads::new()))
    }

    /// Everything at or below it was handed to the storage.
    pub fn written(&self) -> Lsn {
        Lsn(self.written.load(Ordering::Acquire))
    }

    /// Everything at or below it is on stable storage.
    pub fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    /// Nothing at or below it is readable any more.
    pub fn history_floor(&self) -> Lsn {
        self.writer.lock().history_floor()
    }

    /// Bytes of log written after `lsn`, to within a segment.
    pub fn bytes_after(&self, lsn: Lsn) -> u64 {
        self.writer.lock().bytes_after(lsn)
    }

    /// The segments kept, oldest first.
    pub fn segments(&self) -> Vec<Arc<Segment>> {
        self.writer.lock().segments.iter().cloned().collect()
    }

    /// Records published since the log was opened.
    pub fn records(&self) -> u64 {
        self.lanes().map(|lane| lane.counters.records.load(Ordering::Acquire)).sum()
    }

    /// Bytes handed to the storage and not synced.
    fn unsynced(&self) -> u64 {
        // In this order: the other way round a sync between the two would make it negative.
        let synced = self.synced_bytes.load(Ordering::Acquire);
        self.frame_bytes.load(Ordering::Acquire) - synced
    }

    /// Whether bytes wait in a lane or a group is being written.
    pub fn is_pending(&self) -> bool {
        self.lanes().any(|lane| lane.clock.is_busy() || lane.pending() > 0)
    }

    /// Has `tell` called once when the log comes to refuse writes after a failure, with what is
    /// durable then. By whoever noticed the failure, with locks of the log held.
    pub fn tell_poisoned(&self, tell: OnPoison) {
        *self.on_poison.lock() = Some(tell);
    }

    /// Refuses writes from now on. `reason` is kept for the errors; the first one stays.
    pub fn poison(&self, reason: impl Into<String>) {
        self.poison.lock().get_or_insert(reason.into());
        let gate = self.clock.gate.fetch_or(gate::POISONED, Ordering::SeqCst);
        self.committed.notify_all();
        self.wake_waiting();
        if gate & gate::POISONED == 0
            && let Some(tell) = &*self.on_poison.lock()
        {
            tell(self.durable());
        }
    }

    /// Has writers that wait for room look again.
    fn wake_waiting(&self) {
        // Under the lock, so that each is either before its look or already waiting.
        let _space = self.space.lock();
        self.drained.notify_all();
    }

    /// Why the log refuses writes since a failure.
    pub fn poisoned(&self) -> Option<String> {
        self.poison.lock().clone()
    }

    /// Fails if the log is poisoned.
    pub fn check(&self) -> Result<()> {
        match self.clock.gate.load(Ordering::Acquire) & gate::POISONED {
            0 => Ok(()),
            _ => Err(self.refusal()),
        }
    }

    /// Whether it never takes a record.
    pub fn is_read_only(&self) -> bool {
        self.clock.gate.load(Ordering::Acquire) & gate::READ_ONLY != 0
    }

    /// Why it takes no record now.
    #[cold]
    pub fn refusal(&self) -> Error {
        let gate = self.clock.gate.load(Ordering::Acquire);
        // Also if the gate was opened meanwhile: whoever asks comes again.
        if gate & !gate::HELD == 0 {
            return Error::held();
        }
        if self.is_read_only() {
            return Error::new(ErrorKind::ReadOnly, "the state shows the past and is read-only");
        }
        match self.poisoned() {
            Some(reason) => Error::new(
                ErrorKind::Poisoned,
                format!("writes are refused since an earlier failure: {reason}"),
            ),
            None => Error::new(ErrorKind::Closed, "the state is closed"),
        }
    }

    /// Refuses new groups, waits for those in flight, makes everything durable; returns the LSN
    /// at which the log ends.
    ///
    /// # Errors
    /// `Poisoned`: what was not durable before stays so.
    pub fn shut(&self) -> Result<Lsn> {
        self.clock.gate.fetch_or(gate::CLOSED, Ordering::SeqCst);
        self.clock.barrier();
        self.check()?;
        self.sync()?;
        Ok(self.synced())
    }

    /// `closed` of the last frame in the files that is durable: what a later [`Log::open`] must
    /// find. [`Lsn::ZERO`] if no frame is.
    pub fn synced(&self) -> Lsn {
        let synced = Lsn(self.synced.load(Ordering::Acquire));
        let writer = self.writer.lock();
        let first = writer.segments.front();
        first.filter(|first| first.header.base < synced).map_or(Lsn::ZERO, |_| synced)
    }

    /// Counts and positions.
    pub fn stats(&self) -> LogStats {
        let mut stats = LogStats {
            written: self.written(),
            durable: self.durable(),
            unsynced_bytes: self.unsynced(),
            flush: self.flush_ns.read(),
            sync: self.sync_ns.read(),
            ..LogStats::default()
        };
        for lane in self.lanes() {
            stats.lanes += u64::from(lane.clock.head() > 0);
            stats.records += lane.counters.records.load(Ordering::Relaxed);
            stats.record_bytes += lane.counters.bytes.load(Ordering::Relaxed);
            stats.pending_bytes += lane.pending();
        }
        let writer = self.writer.lock();
        stats.segments = writer.segments.len() as u64;
        stats.segment_bytes = writer.segments.iter().map(|segment| segment.end()).sum();
        stats.history_floor = writer.history_floor();
        stats
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        for lane in self.lanes.iter_mut() {
            let lane = *lane.get_mut();
            if !lane.is_null() {
                // SAFETY: leaked once in `lane`, freed here alone.
                drop(unsafe { Box::from_raw(lane) });
            }
        }
    }
}

/// Holds writers as long as it lives; see [`Log::hold_writers`].
pub struct HeldWriters<'a>(&'a Log);

impl Drop for HeldWriters<'_> {
    fn drop(&mut self) {
        self.0.clock.gate.fetch_and(!gate::HELD, Ordering::SeqCst);
    }
}

/// A group being written: the calling thread holds its lane. Dropped without
/// [`publish`](Append::publish), it leaves nothing.
pub struct Append<'a> {
    lane: &'a Lane,
    log: &'a Log,
    index: u8,
    head: u64,
    tick: u64,
    room: *mut u8,
    len_max: usize,
}

impl Append<'_> {
    /// The group's LSN, above `after`: the newest LSN among what the group reads or changes, all
    /// of which the caller has locked. Called once.
    #[inline]
    pub fn stamp(&mut self, after: Lsn) -> Lsn {
        self.tick = self.lane.clock.stamp(&self.log.clock, self.head, after.tick());
        Lsn::new(self.tick, self.index)
    }

    /// Where the record goes: `len_max` bytes.
    #[inline]
    pub fn buf(&mut self) -> &mut [u8] {
        // SAFETY: `room` gave `len_max` initialised bytes beyond the head, which the holder alone
        // touches until it publishes.
        unsafe { std::slice::from_raw_parts_mut(self.room, self.len_max) }
    }

    /// Makes the record, the first `len` bytes of the buffer, part of the log.
    #[inline]
    pub fn publish(self, len: usize) {
        debug_assert!(len <= self.len_max && self.tick != 0);
        // SAFETY: this thread holds the lane and filled the bytes.
        unsafe { self.lane.advance(len) };
        self.lane.clock.publish(self.head + len as u64, self.tick);
        std::mem::forget(self);
    }
}

impl Drop for Append<'_> {
    fn drop(&mut self) {
        self.lane.clock.abandon(self.head);
    }
}

#[cfg(test)]
mod tests;
