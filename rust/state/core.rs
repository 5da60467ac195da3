//! What a state is made of, and the pool that keeps it for the next one.

use super::graph::Edges;
use super::partition::Partitions;
use super::propagate::default_threads;
use super::revert::Marks;
use crate::checkpoint::Manifest;
use crate::config::{Config, Durability};
use crate::env::{Clock, MemStorage, OsClock, Storage};
use crate::events::Hub;
use crate::limits;
use crate::log::{Background, Log, LogOptions, Recovered};
use crate::page::seal::Sealer;
use crate::page::table::Table;
use crate::stdx::hist::Histogram;
use crate::stdx::lock::Lock;
use crate::stdx::sync::{Condvar, Mutex};
use crate::stdx::thread;
use crate::txn::Meter;
use crate::types::Lsn;
use crate::version::Snapshots;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};
use std::sync::{Arc, LazyLock, OnceLock};

#[cfg(test)]
mod tests;

/// States that wait for reuse; more are dropped.
const POOLED_MAX: usize = 16;

static POOL: Lock<Vec<Arc<Core>>, false> = Lock::new(Vec::new());
static WALL: LazyLock<Arc<dyn Clock>> = LazyLock::new(|| Arc::new(OsClock));

/// The process's clock.
pub fn wall() -> Arc<dyn Clock> {
    WALL.clone()
}

/// The directory of a durable state.
pub struct Catalog {
    pub manifest: Manifest,
    /// Records that this life of the state had published when the newest image was begun.
    pub imaged: Option<u64>,
    /// Holds the directory for this process alone.
    pub lock: Option<Box<dyn Send + Sync>>,
}

/// Lets one thread at a time make a checkpoint, which takes long; taken before the catalog, which
/// is held for short.
#[derive(Default)]
pub struct Making {
    maker: Mutex<Option<usize>>,
    done: Condvar,
}

/// The making of one checkpoint; ends on drop.
pub struct Made<'a>(&'a Making);

impl Making {
    /// Waits for other threads; `None` if the calling one is making a checkpoint already: it asks
    /// from its progress callback.
    pub fn enter(&self) -> Option<Made<'_>> {
        let me = thread::identity();
        let mut maker = self.maker.lock();
        while let Some(other) = *maker {
            if other == me {
                return None;
            }
            self.done.wait(&mut maker);
        }
        *maker = Some(me);
        Some(Made(self))
    }

    /// Whether a checkpoint is being made.
    pub fn is_busy(&self) -> bool {
        self.maker.lock().is_some()
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        *self.0.maker.lock() = None;
        self.0.done.notify_one();
    }
}

/// All parts of a state.
pub struct Core {
    pub table: Table,
    pub log: Arc<Log>,
    pub snapshots: Snapshots,
    pub marks: Marks,
    pub partitions: Partitions,
    /// Of transactions.
    pub meter: Meter,
    /// What derives from what. Locked before pages.
    pub edges: Mutex<Edges>,
    /// When derived pages are computed: a `Propagation`.
    pub propagation: AtomicU8,
    /// Threads that share in computing derived pages.
    pub threads: AtomicUsize,
    /// A callback was registered.
    pub has_callbacks: AtomicBool,
    /// Callbacks are called twice, and compared.
    pub check_purity: AtomicBool,
    /// The thread that a callback is called on; 0 for none.
    pub caller: AtomicUsize,
    /// That callback has called the state, and was refused.
    pub refused_caller: AtomicBool,
    pub events: Arc<Hub>,
    pub config: Config,
    /// Of the key that the caller gave.
    pub sealer: OnceLock<Arc<Sealer>>,
    pub storage: Arc<dyn Storage>,
    pub wall: Arc<dyn Clock>,
    pub catalog: Mutex<Catalog>,
    pub making: Making,
    pub background: Mutex<Option<Background>>,
    pub recovered: Recovered,
    /// The file that a state was loaded from, and its LSN.
    pub origin: Option<(Arc<dyn Storage>, String, Lsn)>,
    pub closed: AtomicBool,
    pub counters: Counters,
}

/// What a state counts beside its log.
#[derive(Default)]
pub struct Counters {
    pub checkpoint_ns: Histogram,
    pub commit_ns: Histogram,
    /// LSN of the last checkpoint.
    pub checkpoint: AtomicU64,
}

/// Without a flusher a lane is flushed by its writer: often, while its chunks are warm.
pub const EAGER_FLUSH_BYTES: u64 = 1 << 20;

/// The log's settings of a state with these settings.
pub fn log_options(config: &Config) -> LogOptions {
    let pending_bytes_max = match config.durability {
        Durability::Memory => config.pending_bytes_max.min(EAGER_FLUSH_BYTES),
        _ => config.pending_bytes_max,
    };
    LogOptions {
        segment_bytes: config.segment_bytes,
        pending_bytes_max,
        checkpoint_every: (config.history_bytes / 4).max(4 * config.segment_bytes),
        reserve: config.path.is_some(),
        zero_ahead: config.durability == Durability::Sync,
    }
}

impl Core {
    pub(super) fn blank() -> Core {
        let storage: Arc<dyn Storage> = Arc::new(MemStorage::new());
        let config = Config::memory();
        let identity = [0; 16];
        let options = log_options(&config);
        Core {
            table: Table::default(),
            log: Arc::new(Log::create(storage.clone(), wall(), identity, Lsn::ZERO, options)),
            snapshots: Snapshots::default(),
            marks: Marks::default(),
            partitions: Partitions::default(),
            meter: Meter::default(),
            edges: Mutex::default(),
            propagation: AtomicU8::new(0),
            threads: AtomicUsize::new(default_threads()),
            has_callbacks: AtomicBool::new(false),
            check_purity: AtomicBool::new(false),
            caller: AtomicUsize::new(0),
            refused_caller: AtomicBool::new(false),
            events: Arc::default(),
            config,
            sealer: OnceLock::new(),
            storage,
            wall: wall(),
            catalog: Mutex::new(Catalog {
                manifest: Manifest::new(identity, crate::checkpoint::manifest::Kind::State),
                imaged: None,
                lock: None,
            }),
            making: Making::default(),
            background: Mutex::new(None),
            recovered: Recovered::default(),
            origin: None,
            closed: AtomicBool::new(false),
            counters: Counters::default(),
        }
    }

    /// A core like a new one, from the pool if it has one.
    pub fn take() -> Arc<Core> {
        POOL.lock().pop().unwrap_or_else(Core::build)
    }

    /// Not part of its callers: a core on their stack would have them touch all of its pages.
    #[cold]
    #[inline(never)]
    fn build() -> Arc<Core> {
        Arc::new(Core::blank())
    }

    /// Puts a core that was reset into the pool.
    pub fn pool(core: Arc<Core>) {
        let mut pool = POOL.lock();
        if pool.len() < POOLED_MAX {
            pool.push(core);
        }
    }

    /// Makes the core what `blank` returns, with memory that it keeps; `false` if it cannot be
    /// used again.
    pub fn reset(&mut self) -> bool {
        *self.background.get_mut() = None;
        self.events.end();
        let Some(log) = Arc::get_mut(&mut self.log) else { return false };
        self.table.reset();
        let catalog = self.catalog.get_mut();
        let memory = self.config.path.is_none();
        if !memory || log.touched_storage() || !catalog.manifest.images.is_empty() {
            self.storage = Arc::new(MemStorage::new());
            log.set_storage(self.storage.clone());
        }
        self.config = Config::memory();
        self.sealer.take();
        self.table.memory.set_limit(0);
        (catalog.lock, catalog.imaged) = (None, None);
        catalog.manifest = Manifest::new([0; 16], catalog.manifest.kind);
        log.reset(log_options(&self.config));
        self.snapshots.reset();
        self.marks.reset();
        self.partitions.reset();
        self.meter.reset();
        *self.edges.get_mut() = Edges::default();
        *self.propagation.get_mut() = 0;
        *self.threads.get_mut() = default_threads();
        *self.has_callbacks.get_mut() = false;
        *self.check_purity.get_mut() = false;
        if !memory {
            self.wall = wall();
        }
        self.recovered = Recovered::default();
        self.origin = None;
        *self.closed.get_mut() = false;
        self.counters.clear();
        true
    }

    /// States that wait in the pool.
    pub fn pooled() -> usize {
        POOL.lock().len()
    }
}

impl Counters {
    fn clear(&mut self) {
        self.checkpoint_ns.clear();
        self.commit_ns.clear();
        *self.checkpoint.get_mut() = 0;
    }
}

const _: () = assert!(limits::SEGMENT_BYTES_MIN <= limits::SEGMENT_BYTES_MAX);
