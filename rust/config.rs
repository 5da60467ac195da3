//! Limits and settings, with units, and the relations between them checked at compile time.

use std::path::PathBuf;
use std::time::Duration;

/// Hard limits of the formats and the interface.
pub mod limits {
    /// Smallest page, bytes.
    pub const PAGE_BYTES_MIN: u64 = 1;
    /// Largest page, bytes (1 GiB).
    pub const PAGE_BYTES_MAX: u64 = 1 << 30;
    /// Longest source label, bytes of UTF-8.
    pub const SOURCE_BYTES_MAX: usize = 255;
    /// Longest intent, bytes of UTF-8.
    pub const INTENT_BYTES_MAX: usize = 65_535;
    /// Longest metadata key, bytes; the shortest is 1.
    pub const META_KEY_BYTES_MAX: usize = 255;
    /// Longest metadata value, bytes.
    pub const META_VALUE_BYTES_MAX: usize = 65_535;
    /// Most bytes of metadata that one page holds, keys and values together.
    pub const META_BYTES_MAX: usize = 1 << 20;
    /// Longest formula of a derived page, bytes of text.
    pub const FORMULA_BYTES_MAX: usize = 4096;
    /// Deepest nesting of a formula: parentheses, functions and signs within each other.
    pub const FORMULA_DEPTH_MAX: usize = 64;
    /// Longest record, bytes: a group with all its deltas.
    pub const RECORD_BYTES_MAX: u64 = 2 << 30;
    /// Longest name of a checkpoint, bytes of UTF-8.
    pub const CHECKPOINT_NAME_BYTES_MAX: usize = 64;
    /// Longest name of a callback, bytes of UTF-8.
    pub const CALLBACK_NAME_BYTES_MAX: usize = 255;
    /// Lanes of one log; threads beyond that many share the last one.
    pub const LANES_MAX: usize = 256;
    /// Smallest log segment, bytes.
    pub const SEGMENT_BYTES_MIN: u64 = 64 << 10;
    /// Largest log segment, bytes.
    pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;
    /// Most events that may wait for one subscription.
    pub const EVENTS_MAX: usize = 1 << 24;
    /// Events that may wait for one subscription, if it does not say.
    pub const EVENTS_DEFAULT: usize = 1 << 16;
    /// Most pages that a subscription names.
    pub const EVENT_PAGES_MAX: usize = 1 << 20;
    /// Most workers of one executor; one bit each where they are counted together.
    pub const WORKERS_MAX: usize = 64;
    /// Most threads that share in computing derived pages.
    pub const PROPAGATION_THREADS_MAX: usize = 64;
    /// Bytes of a key for private pages.
    pub const KEY_BYTES: usize = 32;

    const _: () = assert!(LANES_MAX == 1 << crate::Lsn::LANE_BITS);
    const _: () = assert!(PAGE_BYTES_MAX + INTENT_BYTES_MAX as u64 + 4096 < RECORD_BYTES_MAX);
    const _: () = assert!(RECORD_BYTES_MAX < u32::MAX as u64);
    const _: () = assert!(META_KEY_BYTES_MAX + META_VALUE_BYTES_MAX < META_BYTES_MAX);
}

/// What an update waits for, and what a crash can take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Durability {
    /// Nothing is written until a flush, a sync, a checkpoint or `close` asks for it, or a lane
    /// is full. The only choice for a state without a path.
    Memory = 0,
    /// A background flusher hands records to the operating system every
    /// [`Config::flush_every`] (a killed process loses at most that) and syncs them every
    /// [`Config::sync_every`] (a power cut loses at most that).
    Buffered = 1,
    /// An update returns after its record is on stable storage; concurrent updates share a sync.
    Sync = 2,
}

impl Durability {
    /// The durability with this number, as the C interface carries it.
    pub const fn from_u8(n: u8) -> Option<Durability> {
        match n {
            0 => Some(Durability::Memory),
            1 => Some(Durability::Buffered),
            2 => Some(Durability::Sync),
            _ => None,
        }
    }
}

/// How a state is opened. `Config::default()` is an in-memory state.
///
/// ```
/// use mmsb::{Config, Durability};
/// let config = Config { durability: Durability::Sync, ..Config::durable("/tmp/state") };
/// assert!(config.path.is_some());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The state's directory, created where it does not exist; `None` is a state in memory.
    pub path: Option<PathBuf>,
    /// What an update waits for.
    pub durability: Durability,
    /// Refuse to create a directory that does not exist.
    pub must_exist: bool,
    /// `Buffered`: longest time until a record is handed to the operating system.
    pub flush_every: Duration,
    /// `Buffered`: time between syncs.
    pub sync_every: Duration,
    /// Size of a log segment, bytes; a larger record gets a segment of its own.
    pub segment_bytes: u64,
    /// Bytes of records that wait to be flushed before an update has to wait. In `Buffered` an
    /// update waits, too, while eight times as many wait to be synced.
    pub pending_bytes_max: u64,
    /// History to keep, bytes of log. Log beyond it is recycled once a checkpoint makes it
    /// unnecessary. Such a checkpoint is made by itself whenever a quarter of that, and as much
    /// as an image takes, stands after the last one: by a background thread in `Buffered`, else
    /// by the update that finds it due. 0 keeps no more than recovery needs.
    pub history_bytes: u64,
    /// Memory that pages may take, older versions included, bytes; 0 for no limit. What would take
    /// more is `OutOfMemory` and changes nothing. Pages that stand untouched in an image don't
    /// count.
    pub memory_bytes_max: u64,
    /// Bytes of older versions that open snapshots may hold together; a version counts its
    /// content, its metadata if that changed, and 128 bytes for what surrounds it. Beyond it the
    /// oldest snapshots that hold anything are ended, and reading from them fails with
    /// `SnapshotTooOld`; writers never fail nor wait for it. Views and checkpoints are not ended. 0 ends
    /// each snapshot at the first change of what it shows.
    pub version_bytes_max: u64,
}

impl Config {
    /// A state in memory.
    pub fn memory() -> Config {
        Config {
            path: None,
            durability: Durability::Memory,
            must_exist: false,
            flush_every: Duration::from_millis(1),
            sync_every: Duration::from_millis(100),
            segment_bytes: 16 << 20,
            pending_bytes_max: 8 << 20,
            history_bytes: 256 << 20,
            memory_bytes_max: 0,
            version_bytes_max: 4 << 30,
        }
    }

    /// A state in the directory `path`, with [`Durability::Buffered`].
    pub fn durable(path: impl Into<PathBuf>) -> Config {
        Config {
            path: Some(path.into()),
            durability: Durability::Buffered,
            history_bytes: 1 << 30,
            ..Config::memory()
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config::memory()
    }
}
