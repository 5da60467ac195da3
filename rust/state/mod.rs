//! The state: opening, changing, reading, closing. The only room that wires the others together.
//!
//! ```text
//!   open ── core (table, log, snapshots, catalog) ── close, back to the pool
//!             |
//!   executor           workers that run transactions, each for its partition
//!   transact           reads and writes of one moment, which end as a batch
//!   commit, batch      lock pages, diff, stamp, record, apply       the live path
//!   apply              record -> table                              recovery, replay
//!   read, snapshot     copies, views, cuts, digest
//!   graph              edges between pages, and the order that they give
//!   rules, propagate   pages that are computed from others, and kept so
//!   events             what happens, told to subscriptions
//!   compare, revert    what differs between two cuts; back to a soft checkpoint
//!   history, explain   queries, page_at, replay_to; what made a page
//!   checkpoint         image + manifest, retention
//! ```
//!
//! Lock order: the edges, pages in ascending order of ids, then the lane. The catalog is taken before
//! these, the making of a checkpoint before the catalog; the soft checkpoints before all of these. A caller's progress callback is called with nothing
//! held but the making.

mod allocator;
mod apply;
mod batch;
mod checkpoint;
mod commit;
mod compare;
mod core;
mod digest;
mod events;
mod executor;
mod explain;
mod graph;
mod history;
mod op;
mod partition;
mod private;
mod propagate;
mod read;
mod revert;
mod rules;
mod snapshot;
mod stats;
mod tlog;
mod transact;

use crate::bail;
use crate::checkpoint::manifest::{Kind, MANIFEST};
use crate::checkpoint::{Image, Manifest};
use crate::config::{Config, Durability};
use crate::env::{self, Clock, OsStorage, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::log::recovery::Known;
use crate::log::segment::Segment;
use crate::log::{Background, Log, gate};
use crate::page::table::check_size;
use crate::types::Lsn;
use core::{Core, log_options};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use crate::log::{Recovered, Torn};
pub use allocator::{Allocator, AllocatorStats, ScratchView};
pub use batch::Batch;
pub use checkpoint::{CheckpointInfo, Verified};
pub use compare::{Difference, PageDifference};
pub use executor::{Executor, ExecutorConfig, Ticket, Tickets};
pub use explain::{Explanation, Origin};
pub use graph::set_patient;
pub use history::{Change, Changed, Changes, PageAt, Query};
pub use partition::Partition;
pub use propagate::{Propagation, PropagationStats};
pub use read::View;
pub use revert::SoftCheckpoint;
pub(crate) use rules::Callback;
pub use rules::Recompute;
pub use snapshot::Snapshot;
pub use stats::Stats;
pub use tlog::{TLog, TLogSummary};
pub use transact::Transaction;

/// A program's live state: pages, their history, and a log that gives them back.
///
/// Shared by reference between any number of threads. Dropping it closes it; [`close`] tells
/// whether that went well.
///
/// ```
/// use mmsb::{Config, Note, State};
/// # fn main() -> mmsb::Result<()> {
/// let state = State::open(Config::memory())?;
/// let page = state.create_page(16, Note::NONE)?;
/// state.write(page, 4, b"abc", Note::from("demo"))?;
/// let mut bytes = [0; 3];
/// state.read(page, 4, &mut bytes)?;
/// assert_eq!((&bytes, state.epoch(page)?), (b"abc", 1));
/// state.close()
/// # }
/// ```
///
/// [`close`]: State::close
pub struct State {
    /// Taken out on drop alone.
    core: Option<Arc<Core>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.core().config.path.as_deref().unwrap_or(Path::new("memory"));
        write!(f, "State({}, {} pages)", path.display(), self.page_count())
    }
}

fn check_config(config: &Config) -> Result<()> {
    let (min, max) = (limits::SEGMENT_BYTES_MIN, limits::SEGMENT_BYTES_MAX);
    if !(min..=max).contains(&config.segment_bytes) {
        let n = config.segment_bytes;
        bail!(SizeOutOfRange, "a log segment of {n} bytes; segments have {min} to {max}");
    }
    if config.path.is_none() && config.durability != Durability::Memory {
        let durability = config.durability;
        bail!(InvalidArgument, "durability {durability:?} needs a path; the state has none");
    }
    if config.flush_every.is_zero() || config.sync_every.is_zero() {
        bail!(InvalidArgument, "flush_every and sync_every must be longer than 0");
    }
    Ok(())
}

impl State {
    /// Opens a state: in memory, or in a directory, which is recovered if it was not closed in
    /// order. Its memory comes from a pool and goes back there when it is closed.
    ///
    /// # Errors
    /// `InvalidArgument` and `SizeOutOfRange` for settings, `Locked` if the directory is open
    /// already, `Foreign` if it is not one of a state, `Corrupt` and `UnknownFormat` for its
    /// files, and what the operating system says.
    ///
    /// Cost: in memory about 100 ns; durable, a few ms and the replay of the log after the last
    /// checkpoint.
    pub fn open(config: Config) -> Result<State> {
        check_config(&config)?;
        let Some(path) = &config.path else {
            let mut core = Core::take();
            if config != core.config {
                let inner = exclusive(&mut core)?;
                inner.configure(config);
            }
            return Ok(State::from_core(core));
        };
        let storage = open_directory(path, config.must_exist)?;
        State::open_in(Arc::new(storage), core::wall(), config)
    }

    /// Opens a durable state over any storage: a simulated disk, for one. Starts background
    /// threads in [`Durability::Buffered`].
    pub fn open_in(
        storage: Arc<dyn Storage>,
        wall: Arc<dyn Clock>,
        config: Config,
    ) -> Result<State> {
        check_config(&config)?;
        refuse_others(&*storage, config.must_exist)?;
        let lock = lock_directory(&*storage)?;
        let (manifest, clean) = take_over(&*storage, Kind::State, config.must_exist)?;
        let mut core = Core::take();
        let inner = exclusive(&mut core)?;
        inner.storage = storage;
        inner.wall = wall;
        inner.table.memory.set_limit(config.memory_bytes_max);
        inner.config = config;
        let opened = inner.recover(manifest, clean);
        inner.catalog.get_mut().lock = Some(lock);
        opened?;
        let state = State::from_core(core);
        state.start_background()?;
        Ok(state)
    }

    fn start_background(&self) -> Result<()> {
        let Config { durability, flush_every, sync_every, .. } = self.core().config;
        if durability == Durability::Buffered {
            let core = Arc::downgrade(self.core());
            let checkpoint = Box::new(move || {
                if let Some(core) = core.upgrade() {
                    // What goes wrong is told to whoever asks for a checkpoint.
                    let _ = core.checkpoint("", |_| core.check_open());
                }
            });
            let background =
                Background::start(&self.core().log, flush_every, sync_every, Some(checkpoint))
                    .map_err(|error| Error::io("start the flusher", error))?;
            *self.core().background.lock() = Some(background);
        }
        Ok(())
    }

    /// Closes the state: flushes, syncs, releases the directory, gives the memory back to the
    /// pool. Views that are still open stay valid.
    ///
    /// # Errors
    /// What the last flush and sync say; the state is closed all the same.
    pub fn close(mut self) -> Result<()> {
        self.end()
    }

    #[inline]
    fn end(&mut self) -> Result<()> {
        match self.core.take() {
            Some(core) => core.end(),
            None => Ok(()),
        }
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        self.core().check_open()
    }

    /// What opening found: records replayed, and a torn tail that was cut off.
    pub fn recovered(&self) -> &Recovered {
        &self.core().recovered
    }

    /// The settings that the state was opened with.
    pub fn config(&self) -> &Config {
        &self.core().config
    }

    /// Whether the state shows the past and refuses writes.
    pub fn is_read_only(&self) -> bool {
        self.core().log.clock.gate.load(Ordering::Relaxed) & gate::READ_ONLY != 0
    }

    /// Refuses writes from now on, as after a failed sync: something that the caller knows of
    /// made the state doubtful. Reads go on.
    pub fn poison(&self, reason: &str) {
        self.core().log.poison(reason);
    }

    /// Hands all changes made before the call to the operating system: they survive the process.
    /// Returns the closed LSN that covers them.
    pub fn flush(&self) -> Result<Lsn> {
        self.check_open()?;
        self.core().log.flush()
    }

    /// Makes all changes made before the call durable. Returns the closed LSN that covers them.
    pub fn sync(&self) -> Result<Lsn> {
        self.check_open()?;
        self.core().log.sync()
    }

    /// States that wait in the pool.
    pub fn pooled() -> usize {
        Core::pooled()
    }

    #[inline]
    pub(crate) fn core(&self) -> &Arc<Core> {
        match &self.core {
            Some(core) => core,
            None => unreachable!("a dropped state is not used"),
        }
    }

    pub(crate) fn from_core(core: Arc<Core>) -> State {
        State { core: Some(core) }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// A caller's progress callback as the rooms below take it: a break is the error `Cancelled`.
fn ending<T>(mut progress: impl FnMut(T) -> ControlFlow<()>) -> impl FnMut(T) -> Result<()> {
    move |done| match progress(done) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => bail!(Cancelled, "stopped by the call's own progress callback"),
    }
}

fn exclusive(core: &mut Arc<Core>) -> Result<&mut Core> {
    Arc::get_mut(core)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a pooled state is in use elsewhere"))
}

impl Core {
    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            bail!(Closed, "the state is closed");
        }
        self.check_not_calling()
    }

    /// Fails as a change would: read-only, poisoned, closed.
    fn check_writable(&self) -> Result<()> {
        self.check_not_calling()?;
        match self.log.clock.gate.load(Ordering::Acquire) & !gate::HELD {
            0 => Ok(()),
            _ => Err(self.log.refusal()),
        }
    }

    fn configure(&mut self, config: Config) {
        if let Some(log) = Arc::get_mut(&mut self.log) {
            log.set_options(log_options(&config));
        }
        self.table.memory.set_limit(config.memory_bytes_max);
        self.config = config;
    }

    /// Brings the directory's content back: the newest image, then the log above it. `clean`: it
    /// was closed in order.
    fn recover(&mut self, manifest: Manifest, clean: bool) -> Result<()> {
        let mut after = Lsn::ZERO;
        if let Some(newest) = manifest.images.last() {
            let image = Image::open(&*self.storage, &newest.file_name())?;
            if image.identity != manifest.identity || image.lsn != newest.lsn {
                bail!(Foreign, "{} belongs to another state", newest.file_name());
            }
            after = image.lsn;
            self.table.back(Arc::new(image));
        }
        self.counters.checkpoint.store(after.0, Ordering::Relaxed);
        let known = Known {
            identity: manifest.identity,
            first: manifest.first,
            after,
            must: manifest.durable,
            clean,
        };
        let mut applier = apply::Applier::new(&mut self.table);
        let (log, recovered) = Log::open(
            self.storage.clone(),
            self.wall.clone(),
            known,
            log_options(&self.config),
            |record| applier.apply(&record),
        )?;
        if let Some(newest) = manifest.images.last() {
            log.note_image(newest.bytes);
        }
        self.log = Arc::new(log);
        *self.edges.get_mut() = graph::Edges::of(&self.table)?;
        let catalog = self.catalog.get_mut();
        catalog.imaged = (recovered.records == 0 && !manifest.images.is_empty()).then_some(0);
        catalog.manifest = manifest;
        self.recovered = recovered;
        Ok(())
    }

    /// Ends a state's life: what is not closed yet is closed, what nobody shares goes to the pool.
    fn end(mut self: Arc<Core>) -> Result<()> {
        // In memory and shared with no view, snapshot or batch: nothing has to be told.
        if self.config.path.is_none() && Arc::get_mut(&mut self).is_some_and(Core::reset) {
            Core::pool(self);
            return Ok(());
        }
        let result = self.shut();
        self.events.end();
        *self.background.lock() = None;
        if result.is_ok() {
            self.log.remove_spares();
        }
        self.catalog.lock().lock = None;
        if Arc::get_mut(&mut self).is_some_and(Core::reset) {
            Core::pool(self);
        }
        result
    }

    /// Ends the log and says so in the manifest.
    fn shut(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        let callbacks = self.edges.lock().rules.take_callbacks();
        drop(callbacks);
        if self.config.path.is_none() {
            self.log.clock.gate.fetch_or(gate::CLOSED, Ordering::SeqCst);
            return Ok(());
        }
        let durable = self.log.shut()?;
        let mut catalog = self.catalog.lock();
        let manifest = &mut catalog.manifest;
        if manifest.clean && manifest.durable == durable {
            return Ok(());
        }
        (manifest.clean, manifest.durable) = (true, durable);
        manifest.write(&*self.storage)
    }
}

/// Refuses a path that names nothing.
fn check_path(path: &Path) -> Result<()> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() {
        bail!(InvalidArgument, "the path {path:?} is empty");
    }
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        bail!(InvalidArgument, "the path {path:?} has a zero byte, at {at}");
    }
    Ok(())
}

fn open_directory(path: &Path, must_exist: bool) -> Result<OsStorage> {
    check_path(path)?;
    let opened = if must_exist { OsStorage::new(path) } else { OsStorage::create(path) };
    opened.map_err(|error| Error::io(format_args!("open {path:?}"), error))
}

fn lock_directory(storage: &dyn Storage) -> Result<Box<dyn Send + Sync>> {
    let path = storage.describe("");
    storage.lock().map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => {
            Error::new(ErrorKind::Locked, format!("{path:?} is open already, here or elsewhere"))
        }
        _ => Error::io(format_args!("lock {path:?}"), error),
    })
}

/// Refuses a directory of something else before anything is made in it, the lock's file included.
/// What it lets through is looked at again under the lock.
fn refuse_others(storage: &dyn Storage, must_exist: bool) -> Result<()> {
    let path = storage.describe("");
    let names = storage.list().map_err(|error| Error::io(format_args!("list {path:?}"), error))?;
    let ours = |name: &String| name == MANIFEST || holds_state(name) || is_scaffold(name);
    if !names.is_empty() && !names.iter().any(ours) {
        bail!(Foreign, "{path:?} is not a directory of this engine: it holds {:?}", names[0]);
    }
    if must_exist && names.is_empty() {
        bail!(FileNotFound, "{path:?} holds no state");
    }
    Ok(())
}

/// The directory's manifest; a new one for a directory with nothing in it.
fn read_manifest(storage: &dyn Storage, kind: Kind, must_exist: bool) -> Result<Manifest> {
    let path = storage.describe("");
    if let Some(manifest) = Manifest::read(storage)? {
        if manifest.kind != kind {
            bail!(Foreign, "{path:?} holds a {:?}, not a {kind:?}", manifest.kind);
        }
        return Ok(manifest);
    }
    let names = storage.list().map_err(|error| Error::io(format_args!("list {path:?}"), error))?;
    if names.iter().any(|name| holds_state(name)) {
        bail!(Corrupt, "{path:?} is damaged: {MANIFEST} is missing");
    }
    if let Some(name) = names.iter().find(|name| !is_scaffold(name)) {
        bail!(Foreign, "{path:?} is not a directory of this engine: it holds {name:?}");
    }
    if must_exist {
        bail!(FileNotFound, "{path:?} holds no state");
    }
    let mut identity = [0; 16];
    env::random(&mut identity).map_err(|error| Error::io("get randomness", error))?;
    let manifest = Manifest::new(identity, kind);
    manifest.write(storage)?;
    Ok(manifest)
}

/// Whether a file is part of a state, or was to be: then there was a manifest.
fn holds_state(name: &str) -> bool {
    [".log", ".image", ".image.new"].iter().any(|end| name.ends_with(end))
}

/// What a directory may hold before its first manifest.
fn is_scaffold(name: &str) -> bool {
    name == "LOCK" || (name.starts_with(MANIFEST) && name != MANIFEST)
}

/// Reads the directory's manifest and takes out what earlier lives left behind: what a crash left
/// half made, images and segments that nothing needs any more. Says, too, whether the directory was
/// closed in order; from here on it is not.
///
/// The manifest that says what is not needed may be there by luck, after a sync that failed: it is
/// made durable before anything goes that an older one names.
fn take_over(storage: &dyn Storage, kind: Kind, must_exist: bool) -> Result<(Manifest, bool)> {
    let mut manifest = read_manifest(storage, kind, must_exist)?;
    let clean = std::mem::replace(&mut manifest.clean, false);
    let names = storage.list().unwrap_or_default();
    for name in names.iter().filter(|name| name.ends_with(".image.new")) {
        let _ = storage.remove(name);
    }
    let unneeded = |name: &&String| match Segment::parse_name(name) {
        Some(number) => number < manifest.first,
        None => name.ends_with(".image") && !manifest.names(name),
    };
    let unneeded: Vec<&String> = names.iter().filter(unneeded).collect();
    if clean || !unneeded.is_empty() {
        manifest.write(storage)?;
    }
    for name in unneeded {
        let _ = storage.remove(name);
    }
    Ok((manifest, clean))
}
