//! A disk with faults and a clock that is told the time: tests of crashes and of broken disks, each
//! a function of its seed.
//!
//! ```text
//!   sim.rs     SimStorage, its files, SimClock
//!     |__ fault.rs    which operation goes wrong, and how; what fired
//!     |__ disk.rs     names and files: cached, unsynced, durable; what a power loss leaves
//!            |__ image.rs    bytes of a file, copied on write
//! ```
//!
//! Every creation, write, allocation, sync, rename and removal whose arguments are in order is one
//! *operation*, numbered from 0; [`Fault`]s name operations by number. Reading, opening what exists
//! and listing are *reads*, which have numbers of their own. Locking is not counted.
//!
//! The same seed and the same calls in the same order give the same bytes, errors and counts.
//! Calls of several threads are atomic, but their order is the threads' own, unless they are
//! simulated ([`sched`]): then every call is a point, operations take simulated time, a sync covers
//! what was there when it began, and all that happened is part of the run's trace.
//!
//! What this disk does to unsynced bytes is worse than what real ones do in that it heeds no order
//! at all, and milder in two ways: a 512-byte sector is written whole or not at all, and what was
//! synced stays as it is unless [`SimStorage::flip`] changes it.

mod disk;
mod fault;
mod image;

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use self::disk::{Disk, Mark, NoSpace, NodeId};
pub use self::fault::{Cause, Fault, Fired};
use self::fault::{Faults, OpKind, Verdict, crash_error};
use super::mem::{LockFlag, MappingCopy};
use super::{
    Clock, File, Mapping, OpenMode, Storage, check_len, check_mapping, check_name, end_of_write,
    not_writable,
};
use crate::stdx::prng::{Prng, mix};
use crate::stdx::sched;

/// What of the unsynced changes is still there when the storage is opened again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PowerLoss {
    /// The process was killed: the operating system has all that calls returned for. It is still
    /// not durable: a later power loss can take it.
    KeepAll,
    /// The power was cut, and nothing was written but what was synced.
    DropUnsynced,
    /// The power was cut in the middle of things, by this seed: each unsynced write is there, or
    /// not, or some of its 512-byte sectors are (the first so many, or any); each length and each
    /// created, renamed or removed name is there or not. No order is kept among them. A rename
    /// happened wholly or not at all.
    Random(u64),
}

/// A simulated disk. Clones are handles of the same disk: keep one to plan faults and to look at
/// the bytes, and give the other to what is tested.
///
/// ```
/// use mmsb::env::sim::{PowerLoss, SimStorage};
/// use mmsb::env::{OpenMode, Storage};
/// use std::io::IoSlice;
///
/// let disk = SimStorage::new(42);
/// let file = disk.open("log", OpenMode::Create)?;
/// file.write_at(0, &[IoSlice::new(b"synced")])?;
/// file.sync()?;
/// disk.sync_dir()?;
/// file.write_at(6, &[IoSlice::new(b" lost")])?;
///
/// let killed = disk.crash(PowerLoss::KeepAll);
/// assert_eq!(killed.read_file("log").unwrap(), b"synced lost");
/// let cut = disk.crash(PowerLoss::DropUnsynced);
/// assert_eq!(cut.read_file("log").unwrap(), b"synced");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SimStorage {
    shared: Arc<Shared>,
}

struct Shared {
    world: Mutex<World>,
    lock: LockFlag,
}

/// Everything that a call can read or change, under one lock.
#[derive(Clone)]
struct World {
    seed: u64,
    prng: Prng,
    disk: Disk,
    faults: Faults,
    /// Syncs that returned before they did anything, each with the operation that it is due at.
    late: Vec<(u64, Synced)>,
}

/// What a sync covers.
#[derive(Clone, Copy)]
enum Synced {
    File(NodeId, Mark),
    Names(Mark),
}

impl SimStorage {
    /// An empty disk without a limit, on which nothing goes wrong until it is planned.
    pub fn new(seed: u64) -> SimStorage {
        SimStorage::from_disk(seed, Disk::new(), Faults::default())
    }

    fn from_disk(seed: u64, disk: Disk, faults: Faults) -> SimStorage {
        SimStorage::from_world(World {
            seed,
            prng: Prng::new(seed),
            disk,
            faults,
            late: Vec::new(),
        })
    }

    fn from_world(world: World) -> SimStorage {
        SimStorage {
            shared: Arc::new(Shared { world: Mutex::new(world), lock: LockFlag::default() }),
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock()
    }

    /// The world, unless it has crashed.
    fn alive(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.world();
        world.faults.check_alive()?;
        Ok(world)
    }

    /// Operations so far, failed ones included: the number of the next one.
    pub fn op_count(&self) -> u64 {
        self.world().faults.op_count()
    }

    /// Reads so far, failed ones included: the number of the next one.
    pub fn read_count(&self) -> u64 {
        self.world().faults.read_count()
    }

    /// The simulated thread ([`sched::task`]) in whose operation the planned crash struck.
    pub fn crashed_in(&self) -> Option<usize> {
        self.world().faults.crashed_in
    }

    /// Simulated time ([`sched::now_ns`]) when an operation first crashed or failed as planned.
    pub fn first_trouble_ns(&self) -> Option<u64> {
        self.world().faults.first_trouble_ns
    }

    /// Plans `fault`, beside those planned before.
    pub fn plan(&self, fault: Fault) {
        let mut world = self.world();
        if let Some(bytes) = world.faults.plan(fault) {
            world.disk.set_capacity(bytes);
        }
    }

    /// How often each fault fired.
    pub fn fired(&self) -> Fired {
        self.world().faults.fired
    }

    /// Changes of files and names that are not durable, as a count.
    pub fn unsynced(&self) -> usize {
        self.world().disk.unsynced()
    }

    /// The disk as it is found after a crash now, as a storage of its own, with no faults planned
    /// and counts from 0 (but for what the power loss did). It keeps the capacity. This disk stays
    /// as it is: the same moment can be crashed in many ways.
    pub fn crash(&self, style: PowerLoss) -> SimStorage {
        let world = self.world();
        let mut faults = Faults::default();
        let (disk, salt) = match style {
            PowerLoss::KeepAll => (world.disk.after_process_kill(), 1),
            PowerLoss::DropUnsynced => (world.disk.synced(), 2),
            PowerLoss::Random(seed) => {
                let mut prng = Prng::new(seed);
                let disk = world.disk.after_power_loss(&mut prng, &mut faults.fired);
                (disk, prng.next_u64())
            }
        };
        SimStorage::from_disk(mix(world.seed ^ mix(salt)), disk, faults)
    }

    /// A copy of everything, unsynced changes, planned faults and counts included, that goes its
    /// own way from here. Open files and the lock stay with the original.
    pub fn snapshot(&self) -> SimStorage {
        let mut world = self.world().clone();
        world.disk = world.disk.after_process_kill();
        SimStorage::from_world(world)
    }

    /// What reads of the file `name` see; works after a crash, too. `None` if there is no such
    /// file, or it is too long for this process's memory.
    pub fn read_file(&self, name: &str) -> Option<Vec<u8>> {
        let world = self.world();
        world.disk.image(world.disk.find(name)?)?.to_vec().ok()
    }

    /// Plants a file, durable at once, in the place of what has that name. No operation, and no
    /// fault concerns it.
    ///
    /// # Errors
    /// `InvalidInput` for what is not a plain name.
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        check_name(name)?;
        self.world().disk.plant(name, bytes);
        Ok(())
    }

    /// Rot: inverts the bits of `mask` in the byte of `name` at `offset`, wherever it stands, the
    /// cache included. No operation.
    ///
    /// # Errors
    /// `NotFound` without such a file, `InvalidInput` past its end.
    pub fn flip(&self, name: &str, offset: u64, mask: u8) -> io::Result<()> {
        let mut world = self.world();
        let node = world.disk.find(name).ok_or(io::ErrorKind::NotFound)?;
        if !world.disk.flip(node, offset, mask) {
            return Err(super::invalid("past the end of the file"));
        }
        world.faults.fired.flips += 1;
        Ok(())
    }

    /// A handle of the file `node`.
    fn handle(&self, world: &mut World, node: NodeId, mode: OpenMode) -> Arc<dyn File> {
        world.disk.opened(node);
        Arc::new(SimFile { storage: self.clone(), node, writable: mode != OpenMode::Read })
    }
}

impl fmt::Debug for SimStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = self.world();
        write!(f, "SimStorage(seed {}, {} operations)", world.seed, world.faults.op_count())
    }
}

/// Simulated time that calls take, on simulated threads: from the first to four times as much.
const OPERATION_TIME: Duration = Duration::from_micros(20);
const SYNC_TIME: Duration = Duration::from_micros(500);

impl SimStorage {
    /// Begins an operation: other threads may come first, and time passes.
    fn begin(&self, time: Duration) -> io::Result<MutexGuard<'_, World>> {
        if sched::is_simulated() {
            let (more, stall) = {
                let mut world = self.world();
                (world.prng.below(4) as u32, world.faults.stall().unwrap_or_default())
            };
            sched::sleep(time * (1 + more) + stall);
        }
        self.alive()
    }

    /// Begins a read.
    fn look(&self, kind: OpKind) -> io::Result<(MutexGuard<'_, World>, Verdict)> {
        sched::point();
        let mut world = self.alive()?;
        let verdict = world.faults.admit(kind);
        match verdict {
            Verdict::Fail(error) => Err(error),
            verdict => Ok((world, verdict)),
        }
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut world = self.begin(OPERATION_TIME)?;
        check_name(name)?;
        if world.disk.find(name).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        world.perform(Op::Create { name })?;
        let node = world.disk.find(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(&mut world, node, OpenMode::Create))
    }
}

impl Storage for SimStorage {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        if mode == OpenMode::Create {
            return self.create(name);
        }
        let (mut world, _) = self.look(OpKind::Look)?;
        check_name(name)?;
        let node = world.disk.find(name).ok_or(io::ErrorKind::NotFound)?;
        sched::note("open", &[node], name.as_bytes());
        Ok(self.handle(&mut world, node, mode))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names: Vec<String> = self.look(OpKind::Look)?.0.disk.names().cloned().collect();
        sched::note("list", &[], names.concat().as_bytes());
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.begin(OPERATION_TIME)?;
        check_name(from)?;
        check_name(to)?;
        let node = world.disk.find(from).ok_or(io::ErrorKind::NotFound)?;
        world.perform(Op::Rename { node, to })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.begin(OPERATION_TIME)?;
        check_name(name)?;
        let node = world.disk.find(name).ok_or(io::ErrorKind::NotFound)?;
        world.perform(Op::Remove { node })
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mark = self.alive()?.disk.mark_dir();
        self.begin(SYNC_TIME)?.perform(Op::Sync(Synced::Names(mark)))
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        sched::point();
        self.world().faults.check_alive()?;
        self.shared.lock.take()
    }

    fn describe(&self, name: &str) -> String {
        format!("sim:{name}")
    }
}

/// What counts as an operation.
enum Op<'a> {
    Create { name: &'a str },
    Rename { node: NodeId, to: &'a str },
    Remove { node: NodeId },
    Write { node: NodeId, offset: u64, bytes: &'a [u8] },
    Allocate { node: NodeId, len: u64 },
    Sync(Synced),
}

impl Op<'_> {
    fn kind(&self) -> OpKind {
        match self {
            Op::Write { bytes, .. } if !bytes.is_empty() => OpKind::Write,
            Op::Sync(_) => OpKind::Sync,
            _ => OpKind::Other,
        }
    }

    /// Makes the operation part of the run's trace.
    fn note(&self, done: bool) {
        let done = u64::from(done);
        match *self {
            Op::Create { name } => sched::note("create", &[done], name.as_bytes()),
            Op::Rename { node, to } => sched::note("rename", &[done, node], to.as_bytes()),
            Op::Remove { node } => sched::note("remove", &[done, node], &[]),
            Op::Write { node, offset, bytes } => sched::note("write", &[done, node, offset], bytes),
            Op::Allocate { node, len } => sched::note("allocate", &[done, node, len], &[]),
            Op::Sync(Synced::File(node, _)) => sched::note("sync", &[done, node], &[]),
            Op::Sync(Synced::Names(_)) => sched::note("sync names", &[done], &[]),
        }
    }
}

impl World {
    /// Does `op`, or what the planned faults make of it.
    fn perform(&mut self, op: Op<'_>) -> io::Result<()> {
        let verdict = self.faults.admit(op.kind());
        self.catch_up();
        let result = self.judge(&op, verdict);
        op.note(result.is_ok());
        result
    }

    fn judge(&mut self, op: &Op<'_>, verdict: Verdict) -> io::Result<()> {
        match verdict {
            Verdict::Pass => self.apply(op).map_err(|NoSpace| {
                self.faults.fired.no_space += 1;
                io::Error::from_raw_os_error(libc::ENOSPC)
            }),
            Verdict::Fail(error) => Err(error),
            Verdict::Short(error) => {
                self.write_some(op, false);
                Err(error)
            }
            Verdict::FailSync => {
                self.fail_sync(op);
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
            Verdict::LieSync => Ok(()),
            Verdict::LateSync(operations) => {
                if let Op::Sync(synced) = *op {
                    self.late.push((self.faults.op_count() + operations, synced));
                }
                Ok(())
            }
            Verdict::Crash => {
                self.leave_in_flight(op);
                Err(crash_error())
            }
        }
    }

    /// Does the late syncs that are due.
    fn catch_up(&mut self) {
        let now = self.faults.op_count();
        for (_, synced) in self.late.extract_if(.., |(due, _)| *due < now) {
            self.disk.settle(synced);
        }
    }

    fn apply(&mut self, op: &Op<'_>) -> Result<(), NoSpace> {
        match *op {
            Op::Create { name } => self.disk.create(name),
            Op::Rename { node, to } => self.disk.rename(node, to),
            Op::Remove { node } => self.disk.remove(node),
            Op::Write { node, offset, bytes } => self.disk.write(node, offset, bytes.into())?,
            Op::Allocate { node, len } => self.disk.extend(node, len)?,
            Op::Sync(synced) => self.disk.settle(synced),
        }
        Ok(())
    }

    /// Writes the first bytes of a write: from none to all of them, or all but one.
    fn write_some(&mut self, op: &Op<'_>, maybe_all: bool) {
        if let Op::Write { node, offset, bytes } = *op {
            let counts = bytes.len() + usize::from(maybe_all);
            let count = self.prng.below(counts as u64) as usize;
            // A full disk takes none of them, which is one of the outcomes.
            let _ = self.disk.write(node, offset, bytes[..count].into());
        }
    }

    fn read(&self, node: NodeId, offset: u64, buf: &mut [u8]) -> usize {
        self.disk.image(node).map_or(0, |image| image.read(offset, buf))
    }

    fn fail_sync(&mut self, op: &Op<'_>) {
        match *op {
            Op::Sync(Synced::File(node, _)) => self.disk.fail_sync(node, &mut self.prng),
            Op::Sync(Synced::Names(_)) => self.disk.fail_sync_dir(&mut self.prng),
            _ => {}
        }
    }

    /// What the operation in whose middle the process dies leaves behind.
    fn leave_in_flight(&mut self, op: &Op<'_>) {
        match op.kind() {
            OpKind::Write => self.write_some(op, true),
            OpKind::Other if self.prng.coin() => {
                // As in `write_some`.
                let _ = self.apply(op);
            }
            _ => {}
        }
    }
}

impl Disk {
    fn settle(&mut self, synced: Synced) {
        match synced {
            Synced::File(node, mark) => self.sync(node, mark),
            Synced::Names(mark) => self.sync_dir(mark),
        }
    }
}

/// An open file.
struct SimFile {
    storage: SimStorage,
    node: NodeId,
    writable: bool,
}

impl SimFile {
    fn check_writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(not_writable()) }
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({})", self.node)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.storage.world().disk.closed(self.node);
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        let (world, _) = self.storage.look(OpKind::Look)?;
        Ok(world.disk.image(self.node).map_or(0, |image| image.len()))
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let kind = if buf.is_empty() { OpKind::Look } else { OpKind::Read };
        let (mut world, verdict) = self.storage.look(kind)?;
        check_len(offset)?;
        if let Verdict::Short(error) = verdict {
            let some = world.prng.below(buf.len() as u64) as usize;
            world.read(self.node, offset, &mut buf[..some]);
            return Err(error);
        }
        let read = world.read(self.node, offset, buf);
        sched::note("read", &[self.node, offset], &buf[..read]);
        Ok(read)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let mut world = self.storage.begin(OPERATION_TIME)?;
        self.check_writable()?;
        let end = end_of_write(offset, parts)?;
        let mut bytes = Vec::with_capacity((end - offset) as usize);
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        world.perform(Op::Write { node: self.node, offset, bytes: &bytes })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut world = self.storage.begin(OPERATION_TIME)?;
        self.check_writable()?;
        check_len(len)?;
        world.perform(Op::Allocate { node: self.node, len })
    }

    fn sync(&self) -> io::Result<()> {
        let mark = self.storage.alive()?.disk.mark(self.node);
        let mut world = self.storage.begin(SYNC_TIME)?;
        world.perform(Op::Sync(Synced::File(self.node, mark)))
    }

    fn map_private(&self, len: usize) -> io::Result<Mapping> {
        check_mapping(len, self.len()?)?;
        let mut copy = MappingCopy::new(len)?;
        let mut piece = [0; 64 << 10];
        let mut at = 0;
        while at < len {
            let wanted = piece.len().min(len - at);
            let n = self.read_at(at as u64, &mut piece[..wanted])?;
            debug_assert_eq!(n, wanted, "files do not get shorter");
            copy.push(&piece[..wanted]);
            at += wanted;
        }
        Ok(copy.finish())
    }
}

/// A clock that moves when it is told to, and with simulated time: what a simulated thread reads is
/// [`sched::now_ns`] later. Clones show the same time.
///
/// ```
/// use mmsb::env::{Clock, sim::SimClock};
/// use std::time::Duration;
///
/// let clock = SimClock::new(1_000_000);
/// clock.advance(Duration::from_millis(5));
/// assert_eq!(clock.wall_ms(), 1_000_005);
/// assert_eq!(clock.monotonic_ns(), 5_000_000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SimClock {
    time: Arc<SimTime>,
}

#[derive(Debug, Default)]
struct SimTime {
    monotonic_ns: AtomicU64,
    /// What the wall clock shows when the other shows 0.
    wall_start_ms: AtomicI64,
}

impl SimClock {
    /// A clock whose wall time is `wall_ms` since 1970 and whose monotonic time is 0.
    pub fn new(wall_ms: u64) -> SimClock {
        let clock = SimClock::default();
        let start = i64::try_from(wall_ms).unwrap_or(i64::MAX);
        clock.time.wall_start_ms.store(start, Ordering::Relaxed);
        clock
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.time.monotonic_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// Sets the wall clock by `ms`, forward or back, as an administrator does; monotonic time does
    /// not notice.
    pub fn step_wall(&self, ms: i64) {
        self.time.wall_start_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn wall_ms(&self) -> u64 {
        let passed_ms = self.monotonic_ns() / 1_000_000;
        passed_ms.saturating_add_signed(self.time.wall_start_ms.load(Ordering::Relaxed))
    }

    fn monotonic_ns(&self) -> u64 {
        sched::point();
        self.time.monotonic_ns.load(Ordering::Relaxed) + sched::now_ns().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
