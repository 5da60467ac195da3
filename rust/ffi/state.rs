//! States: open, close, flush, stats, the past.

use super::memory::MmsbMemoryStats;
use super::pointer::{Out, copy_items, copy_out, note_at, optional_out, optional_text, reference};
use super::status::{MmsbStatus, call, call_state};
use super::{MmsbPage, MmsbReader, MmsbState, ReaderObject, handle, take};
use crate::config::{Config, Durability};
use crate::error::Result;
use crate::log::Recovered;
use crate::state::{Query, State, Stats, Verified};
use crate::stdx::hist::Latency;
use crate::types::{Location, Lsn, PageId};
use crate::{bail, state};
use parking_lot::Mutex;
use std::ffi::{c_char, c_int, c_void};
use std::ops::ControlFlow;
use std::time::Duration;

/// What an update waits for, and what a crash can take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub enum MmsbDurability {
    /// Nothing is written until a flush, a sync, a checkpoint or the close.
    Memory = 0,
    /// Flushed and synced in the background.
    Buffered = 1,
    /// An update returns after its record is on stable storage.
    Sync = 2,
}

/// Where a page should live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub enum MmsbLocation {
    /// Main memory.
    Cpu = 0,
    /// Device memory, where there is any.
    Gpu = 1,
    /// Either.
    Unified = 2,
}

// The numbers are the core's.
const _: () = {
    assert!(MmsbDurability::Memory as u8 == Durability::Memory as u8);
    assert!(MmsbDurability::Buffered as u8 == Durability::Buffered as u8);
    assert!(MmsbDurability::Sync as u8 == Durability::Sync as u8);
    assert!(MmsbLocation::Cpu as u8 == Location::Cpu as u8);
    assert!(MmsbLocation::Gpu as u8 == Location::Gpu as u8);
    assert!(MmsbLocation::Unified as u8 == Location::Unified as u8);
};

/// How a state or log is opened. Fill it with `rust_config_default` first.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbConfig {
    /// Directory: UTF-8, zero-terminated; null is a state in memory.
    pub path: *const c_char,
    /// An `MmsbDurability`.
    pub durability: u32,
    /// Refuse to create a directory that does not exist.
    pub must_exist: bool,
    /// `Buffered`: longest time until a record is handed to the operating system, microseconds.
    pub flush_every_us: u64,
    /// `Buffered`: time between syncs, microseconds.
    pub sync_every_us: u64,
    /// Size of a log segment, bytes.
    pub segment_bytes: u64,
    /// Bytes of records that wait to be flushed before an update has to wait. In `Buffered` an
    /// update waits, too, while eight times as many wait to be synced.
    pub pending_bytes_max: u64,
    /// History to keep, bytes of log.
    pub history_bytes: u64,
    /// Memory that pages may take, older versions included, bytes; 0 for no limit. What would take
    /// more is OutOfMemory and changes nothing.
    pub memory_bytes_max: u64,
    /// Bytes of older versions that open snapshots may hold together. Beyond it the oldest that
    /// hold anything are ended: reading from them is SnapshotTooOld. Writers never fail nor wait
    /// for it; views and checkpoints are not ended. 0 ends each snapshot at the first change of what it
    /// shows.
    pub version_bytes_max: u64,
}

impl MmsbConfig {
    /// # Safety
    /// `path` is null or a zero-terminated string.
    pub unsafe fn to_config(self) -> Result<Config> {
        // SAFETY: the caller's promise.
        let path = unsafe { optional_text(self.path, "path") }?;
        let Some(durability) = u8::try_from(self.durability).ok().and_then(Durability::from_u8)
        else {
            bail!(InvalidArgument, "durability {}; there are 0, 1 and 2", self.durability);
        };
        Ok(Config {
            path: path.map(Into::into),
            durability,
            must_exist: self.must_exist,
            flush_every: Duration::from_micros(self.flush_every_us),
            sync_every: Duration::from_micros(self.sync_every_us),
            segment_bytes: self.segment_bytes,
            pending_bytes_max: self.pending_bytes_max,
            history_bytes: self.history_bytes,
            memory_bytes_max: self.memory_bytes_max,
            version_bytes_max: self.version_bytes_max,
        })
    }
}

/// Writes the default settings to `out`: of a state in memory if `durable` is false, of a
/// `Buffered` state if it is true, whose `path` is then still to be set.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_config_default(durable: bool, out: *mut MmsbConfig) -> MmsbStatus {
    call(|| {
        let config = if durable { Config::durable("") } else { Config::memory() };
        let settings = MmsbConfig {
            path: std::ptr::null(),
            durability: config.durability as u32,
            must_exist: config.must_exist,
            flush_every_us: config.flush_every.as_micros() as u64,
            sync_every_us: config.sync_every.as_micros() as u64,
            segment_bytes: config.segment_bytes,
            pending_bytes_max: config.pending_bytes_max,
            history_bytes: config.history_bytes,
            memory_bytes_max: config.memory_bytes_max,
            version_bytes_max: config.version_bytes_max,
        };
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(settings);
        Ok(())
    })
}

/// Opens a state. `config` null is a state in memory with default settings.
///
/// Ownership: `out` is closed with `rust_state_close`.
/// Errors: InvalidArgument, SizeOutOfRange, NotUtf8, Locked, Foreign, FileNotFound,
/// PermissionDenied, NoSpace, Corrupt, UnknownFormat, Io.
/// Cost: in memory about 100 ns; durable a few ms and the replay of the log after the last
/// checkpoint.
///
/// # Safety
/// `config` is null or valid, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_open(
    config: *const MmsbConfig,
    out: *mut MmsbState,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let config = match config.is_null() {
            true => Config::memory(),
            // SAFETY: the caller's promise.
            false => unsafe { reference(config, "config")?.to_config() }?,
        };
        let id = handle::insert(State::open(config)?)?;
        out.set(MmsbState { id });
        Ok(())
    })
}

/// Closes a state: flushes, syncs, releases the directory. `*state` becomes zero. Null and zero
/// are fine. Waits for calls that use the state in other threads. Views stay valid.
///
/// Errors: what the last flush and sync say; the state is closed all the same.
///
/// # Safety
/// `state` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_close(state: *mut MmsbState) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| match unsafe { take::<State>(state.cast()) }? {
        Some(state) => state.close(),
        None => Ok(()),
    })
}

/// Hands all changes made before the call to the operating system. `lsn` may be null; it receives
/// the closed LSN that covers them.
///
/// # Safety
/// `lsn` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_flush(state: MmsbState, lsn: *mut u64) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { optional_out(lsn, "lsn") }?;
        set(out, state.flush()?.0);
        Ok(())
    })
}

/// Makes all changes made before the call durable. `lsn` may be null.
///
/// # Safety
/// `lsn` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_sync(state: MmsbState, lsn: *mut u64) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { optional_out(lsn, "lsn") }?;
        set(out, state.sync()?.0);
        Ok(())
    })
}

/// Writes a value where the caller asked for it.
pub fn set<T>(out: Option<Out<'_, T>>, value: T) {
    if let Some(out) = out {
        out.set(value);
    }
}

/// Writes the 256-bit digest of the content to the 32 bytes at `out`: pages with ids, epochs,
/// sizes, bytes and metadata.
///
/// Cost: one pass over all pages.
///
/// # Safety
/// `out` is null or valid for writes of 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_digest(state: MmsbState, out: *mut [u8; 32]) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(state.digest()?);
        Ok(())
    })
}

/// Number of live pages.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_page_count(state: MmsbState, out: *mut u64) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(state.page_count());
        Ok(())
    })
}

/// Copies the ids of all live pages, ascending, to `buf`, which has room for `capacity`; `len`
/// receives their number, also when the buffer is too small (LengthMismatch).
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_list_pages(
    state: MmsbState,
    buf: *mut u64,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call_state(state.id, |state| {
        let ids: Vec<u64> = state.list_pages()?.into_iter().map(|id| id.0).collect();
        // SAFETY: the caller's promise.
        unsafe { copy_items(&ids, buf, capacity, len, "ids") }
    })
}

/// Whether the state shows the past and refuses writes.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_is_read_only(state: MmsbState, out: *mut bool) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(state.is_read_only());
        Ok(())
    })
}

/// What opening a state found.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbRecovered {
    /// Records that were replayed.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Whether a torn tail was cut off.
    pub torn: bool,
    /// Where in its file.
    pub torn_offset: u64,
    /// How many bytes.
    pub torn_bytes: u64,
}

impl From<&Recovered> for MmsbRecovered {
    fn from(found: &Recovered) -> MmsbRecovered {
        let torn = found.torn.as_ref();
        MmsbRecovered {
            records: found.records,
            bytes: found.bytes,
            torn: torn.is_some(),
            torn_offset: torn.map_or(0, |torn| torn.offset),
            torn_bytes: torn.map_or(0, |torn| torn.bytes),
        }
    }
}

/// What opening the state found.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_recovered(
    state: MmsbState,
    out: *mut MmsbRecovered,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(state.recovered().into());
        Ok(())
    })
}

/// Samples of a latency, nanoseconds.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbLatency {
    /// Samples.
    pub count: u64,
    /// Mean.
    pub mean_ns: u64,
    /// Median, at most 6.25 % off.
    pub p50_ns: u64,
    /// 99th percentile, at most 6.25 % off.
    pub p99_ns: u64,
    /// Largest.
    pub max_ns: u64,
}

impl From<Latency> for MmsbLatency {
    fn from(latency: Latency) -> MmsbLatency {
        let Latency { count, mean_ns, p50_ns, p99_ns, max_ns } = latency;
        MmsbLatency { count, mean_ns, p50_ns, p99_ns, max_ns }
    }
}

/// Counts, bytes, log positions and latencies.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbStats {
    /// Live pages.
    pub pages: u64,
    /// Bytes of live pages.
    pub page_bytes: u64,
    /// Bytes of frames in memory, older versions included.
    pub frame_bytes: u64,
    /// Older versions of pages, kept for snapshots and views.
    pub versions: u64,
    /// Bytes of their content.
    pub version_bytes: u64,
    /// Open snapshots.
    pub snapshots: u64,
    /// LSN of the oldest open snapshot, zero for none.
    pub oldest_snapshot_lsn: u64,
    /// Bytes that snapshots hold, as version_bytes_max counts them.
    pub snapshot_bytes: u64,
    /// Snapshots that were ended because they held more than that.
    pub snapshots_too_old: u64,
    /// The next page id.
    pub next_page_id: u64,
    /// Records written since the state was opened.
    pub records: u64,
    /// Bytes of those records.
    pub record_bytes: u64,
    /// Bytes that wait in lanes.
    pub pending_bytes: u64,
    /// Bytes handed to the operating system and not synced.
    pub unsynced_bytes: u64,
    /// Lanes in use.
    pub lanes: u64,
    /// Log segments kept.
    pub segments: u64,
    /// Bytes of log kept.
    pub log_bytes: u64,
    /// History is kept above this LSN.
    pub history_floor: u64,
    /// Everything at or below was handed to the operating system.
    pub written_lsn: u64,
    /// Everything at or below is on stable storage.
    pub durable_lsn: u64,
    /// LSN of the newest checkpoint, zero for none.
    pub checkpoint_lsn: u64,
    /// Checkpoints kept.
    pub checkpoints: u64,
    /// Records that opening replayed.
    pub recovered_records: u64,
    /// Bytes of a torn tail that opening cut off.
    pub torn_bytes: u64,
    /// Committed transactions of a partition that touched its own pages alone.
    pub transactions_owned: u64,
    /// All other committed transactions that changed something, and touched no private page.
    pub transactions_shared: u64,
    /// Committed transactions that touched private pages: each of those was opened, and sealed anew if it
    /// changed.
    pub transactions_sealed: u64,
    /// Tries that met another transaction.
    pub transaction_conflicts: u64,
    /// Transactions that were given up after as many tries as they had.
    pub transactions_exhausted: u64,
    /// Time of a flush.
    pub flush: MmsbLatency,
    /// Time of a sync.
    pub sync: MmsbLatency,
    /// Time that an update waited for its sync, in `Sync`.
    pub commit: MmsbLatency,
    /// Time of a checkpoint.
    pub checkpoint: MmsbLatency,
    /// Time of a transaction from its last try's beginning to its commit, of every 64th.
    pub transaction: MmsbLatency,
    /// The heap that all states and allocators of the process share.
    pub memory: MmsbMemoryStats,
}

impl From<&Stats> for MmsbStats {
    fn from(stats: &Stats) -> MmsbStats {
        MmsbStats {
            pages: stats.pages,
            page_bytes: stats.page_bytes,
            frame_bytes: stats.frame_bytes,
            versions: stats.versions,
            version_bytes: stats.version_bytes,
            snapshots: stats.snapshots,
            oldest_snapshot_lsn: stats.oldest_snapshot_lsn.0,
            snapshot_bytes: stats.snapshot_bytes,
            snapshots_too_old: stats.snapshots_too_old,
            next_page_id: stats.next_page_id,
            records: stats.records,
            record_bytes: stats.record_bytes,
            pending_bytes: stats.pending_bytes,
            unsynced_bytes: stats.unsynced_bytes,
            lanes: stats.lanes,
            segments: stats.segments,
            log_bytes: stats.log_bytes,
            history_floor: stats.history_floor.0,
            written_lsn: stats.written_lsn.0,
            durable_lsn: stats.durable_lsn.0,
            checkpoint_lsn: stats.checkpoint_lsn.0,
            checkpoints: stats.checkpoints,
            recovered_records: stats.recovered_records,
            torn_bytes: stats.torn_bytes,
            transactions_owned: stats.transactions.owned,
            transactions_shared: stats.transactions.shared,
            transactions_sealed: stats.transactions.sealed,
            transaction_conflicts: stats.transactions.conflicts,
            transactions_exhausted: stats.transactions.exhausted,
            flush: stats.flush.into(),
            sync: stats.sync.into(),
            commit: stats.commit.into(),
            checkpoint: stats.checkpoint.into(),
            transaction: stats.transactions.time.into(),
            memory: (&stats.memory).into(),
        }
    }
}

/// Counts, bytes, log positions and latencies.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_stats(state: MmsbState, out: *mut MmsbStats) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set((&state.stats()?).into());
        Ok(())
    })
}

/// The stats as one JSON object, UTF-8, not terminated: copied to `buf`, which has room for
/// `capacity` bytes; `len` receives the length, also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_stats_json(
    state: MmsbState,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call_state(state.id, |state| {
        let json = state.stats()?.to_json();
        // SAFETY: the caller's promise.
        unsafe { copy_out(json.as_bytes(), buf, capacity, len) }
    })
}

/// The stats in the text format that Prometheus reads, UTF-8, not terminated: copied to `buf`, which
/// has room for `capacity` bytes; `len` receives the length, also when the buffer is too small. `name`
/// becomes the label `state` of each line; null for none.
///
/// # Safety
/// `name` is null or a zero-terminated string, `buf` null or valid for `capacity` writes, `len` null
/// or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_prometheus(
    state: MmsbState,
    name: *const c_char,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise, here and below.
        let name = unsafe { optional_text(name, "name") }?;
        let labels: Vec<(&str, &str)> = name.map(|name| ("state", name)).into_iter().collect();
        let text = state.stats()?.to_prometheus(&labels);
        // SAFETY: as above.
        unsafe { copy_out(text.as_bytes(), buf, capacity, len) }
    })
}

/// The state as it was when everything up to `lsn` had happened: detached, read-only, in memory. It
/// holds content, not the log that led to it: it has no past of its own, nothing to verify it by,
/// and makes no checkpoint (`rust_checkpoint_write` takes it).
///
/// Ownership: `out` is closed with `rust_state_close`, in any order.
/// Errors: HistoryDropped, LsnInFuture, Corrupt.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_replay_to(
    state: MmsbState,
    lsn: u64,
    out: *mut MmsbState,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let id = handle::insert(state.replay_to(Lsn(lsn))?)?;
        out.set(MmsbState { id });
        Ok(())
    })
}

/// As `rust_state_replay_to`; `progress` is told the LSN of each record that is about to be applied.
///
/// Errors: also Cancelled.
///
/// # Safety
/// `progress` is null or may be called with `context`; `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_replay_with(
    state: MmsbState,
    lsn: u64,
    progress: MmsbProgress,
    context: *mut c_void,
    out: *mut MmsbState,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise, here and below.
        let out = unsafe { Out::new(out, "out") }?;
        // SAFETY: as above.
        let mut told = unsafe { told(progress, context) };
        let past = state.replay_with(Lsn(lsn), |lsn| told(lsn.0))?;
        out.set(MmsbState { id: handle::insert(past)? });
        Ok(())
    })
}

/// A page's content when everything up to `lsn` had happened: copied to `buf`, which has room for
/// `capacity` bytes; `len` receives the page's size, also when the buffer is too small. `epoch`
/// may be null.
///
/// Errors: HistoryDropped, LsnInFuture, PageNotFound (as of then), Corrupt.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` and `epoch` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_at(
    page: MmsbPage,
    lsn: u64,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
    epoch: *mut u64,
) -> MmsbStatus {
    call_state(page.owner, |state| {
        // SAFETY: the caller's promise, here and below.
        let epoch = unsafe { optional_out(epoch, "epoch") }?;
        let at = state.page_at(PageId(page.id), Lsn(lsn))?;
        // SAFETY: as above.
        unsafe { copy_out(&at.bytes, buf, capacity, len) }?;
        set(epoch, at.epoch);
        Ok(())
    })
}

/// Told how far a long call has come, on the calling thread; `context` is the caller's own. Returns 0
/// to go on; anything else stops the call, which then returns Cancelled and has changed nothing.
///
/// It may call the engine, but not end the object that it is called for, and must not leave by an
/// exception or `longjmp`.
pub type MmsbProgress = Option<unsafe extern "C" fn(context: *mut c_void, done: u64) -> c_int>;

/// A caller's progress callback as the engine takes it.
///
/// # Safety
/// `progress` is null or may be called with `context` as long as the result is.
pub unsafe fn told(
    progress: MmsbProgress,
    context: *mut c_void,
) -> impl FnMut(u64) -> ControlFlow<()> {
    move |done| match progress {
        // SAFETY: the caller's promise.
        Some(progress) if unsafe { progress(context, done) } != 0 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

/// What a verification looked at.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbVerified {
    /// Records whose checksums, links and order were checked.
    pub records: u64,
    /// Bytes of them.
    pub record_bytes: u64,
    /// Images whose every byte was checked.
    pub images: u64,
    /// The closed LSN of the comparison.
    pub lsn: u64,
    /// Digest of the live state and of its replay, which are equal.
    pub digest: [u8; 32],
}

impl From<Verified> for MmsbVerified {
    fn from(verified: Verified) -> MmsbVerified {
        let Verified { records, record_bytes, images, lsn, digest } = verified;
        MmsbVerified { records, record_bytes, images, lsn: lsn.0, digest }
    }
}

/// Checks everything that is stored: each record of the kept log, each byte of the images, and
/// that a replay of the log gives the live state. `progress` may be null; it is told the bytes of
/// images and log checked so far. `out` may be null.
///
/// Errors: Corrupt with file, offset and reason. Cancelled by `progress`. HistoryDropped for a replayed state, which has no
/// log to be compared with.
///
/// # Safety
/// `progress` is null or may be called with `context`; `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_verify(
    state: MmsbState,
    progress: MmsbProgress,
    context: *mut c_void,
    out: *mut MmsbVerified,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise, here and below.
        let out = unsafe { optional_out(out, "out") }?;
        // SAFETY: as above.
        set(out, state.verify_with(unsafe { told(progress, context) })?.into());
        Ok(())
    })
}

/// Which changes to read. Fill it with `rust_query_default` first.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbQuery {
    /// Only this page; 0 for all.
    pub page: u64,
    /// Only above this LSN: 0 is before the very first record, which is HistoryDropped once that is
    /// no longer kept. `UINT64_MAX`, which no record's LSN reaches, begins where history begins.
    pub after: u64,
    /// Only up to this LSN.
    pub to: u64,
    /// Only at or after this wall clock, milliseconds since 1970-01-01 UTC.
    pub from_ms: u64,
    /// Only at or before this wall clock.
    pub to_ms: u64,
    /// Only of this source: UTF-8, zero-terminated; null for all.
    pub source: *const c_char,
    /// At most so many.
    pub limit: u64,
}

/// A bound of a range; `UINT64_MAX` is none.
pub fn bound(lsn: u64) -> Option<Lsn> {
    (lsn != u64::MAX).then_some(Lsn(lsn))
}

impl MmsbQuery {
    /// # Safety
    /// `source` is null or a zero-terminated string.
    pub unsafe fn to_query(self) -> Result<Query> {
        let some = |value: u64| (value != u64::MAX).then_some(value);
        // SAFETY: the caller's promise.
        let source = unsafe { optional_text(self.source, "source") }?;
        Ok(Query {
            page: (self.page != 0).then_some(PageId(self.page)),
            after: bound(self.after),
            to: bound(self.to),
            from_ms: (self.from_ms != 0).then_some(self.from_ms),
            to_ms: some(self.to_ms),
            source: source.map(str::to_owned),
            limit: some(self.limit),
        })
    }
}

/// Writes a query for all changes that are kept to `out`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_query_default(out: *mut MmsbQuery) -> MmsbStatus {
    call(|| {
        let (after, to, to_ms, limit) = (u64::MAX, u64::MAX, u64::MAX, u64::MAX);
        let source = std::ptr::null();
        let query = MmsbQuery { page: 0, after, to, from_ms: 0, to_ms, source, limit };
        // SAFETY: the caller's promise.
        unsafe { Out::new(out, "out") }?.set(query);
        Ok(())
    })
}

/// Reads changes back from the log, in LSN order. `query` null is for all.
///
/// Ownership: `out` is freed with `rust_tlog_reader_free`, in any order. It reads as it goes and
/// stays valid when the state is closed; be at its end before the directory is opened again, which
/// may reuse log files that nothing needs any more.
/// Errors: HistoryDropped, PageNotFound, Corrupt.
///
/// # Safety
/// `query` is null or valid, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_state_query(
    state: MmsbState,
    query: *const MmsbQuery,
    out: *mut MmsbReader,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise, here and below.
        let out = unsafe { Out::new(out, "out") }?;
        // SAFETY: as above.
        let query = unsafe { query_at(query) }?;
        let changes = Mutex::new((state.query(query)?, None));
        out.set(MmsbReader { id: handle::insert(ReaderObject { changes })? });
        Ok(())
    })
}

/// # Safety
/// `query` is null or valid.
pub unsafe fn query_at(query: *const MmsbQuery) -> Result<Query> {
    if query.is_null() {
        return Ok(Query::default());
    }
    // SAFETY: the caller's promise.
    unsafe { reference(query, "query")?.to_query() }
}

/// The location with this number.
pub fn location_of(location: u32) -> Result<Location> {
    match u8::try_from(location).ok().and_then(Location::from_u8) {
        Some(location) => Ok(location),
        None => bail!(InvalidArgument, "location {location}; there are 0, 1 and 2"),
    }
}

/// Creates a page of `size` bytes (1 B to 1 GiB), all zero. `location` is an `MmsbLocation`; `note`
/// may be null.
///
/// Errors: SizeOutOfRange, InvalidArgument, OutOfMemory, NoSpace, TooLong, NotUtf8, ReadOnly,
/// Poisoned.
/// Cost: O(size) for clearing.
///
/// # Safety
/// `note` is null or valid, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_create(
    state: MmsbState,
    size: u64,
    location: u32,
    note: *const super::MmsbNote,
    out: *mut MmsbPage,
) -> MmsbStatus {
    call_state(state.id, |this| {
        // SAFETY: the caller's promise, here and below.
        let out = unsafe { Out::new(out, "out") }?;
        // SAFETY: as above.
        let note = unsafe { note_at(note) }?;
        let id = this.create_page_at(size, location_of(location)?, note)?;
        out.set(MmsbPage { owner: state.id, id: id.0 });
        Ok(())
    })
}

/// States that wait in the pool for reuse.
#[unsafe(no_mangle)]
pub extern "C" fn rust_state_pooled() -> usize {
    state::State::pooled()
}
