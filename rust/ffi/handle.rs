//! Handles: numbers that stand for objects, checked on every use.
//!
//! ```text
//!   handle, u64:  kind (8 bits) | generation (32) | place + 1 (24)
//!
//!   caller                                    who frees
//!   cell = handle          (SeqCst)           entry.live = 0           (SeqCst)
//!   entry.live == handle?  (SeqCst)           wait until no cell holds the handle
//!   use the object                            drop the object
//!   cell = 0               (Release)
//! ```
//!
//! A call writes to its own thread's cells alone, so that threads that share a state share no
//! written cache line here. Store and load are sequentially consistent on both sides: either the
//! caller sees that the entry is dead, or who frees sees the caller's cell (hazard pointers,
//! Michael, 2004).
//!
//! Invariants:
//! - An entry's object is dropped only after `live` was cleared and no cell held its handle.
//! - A place's generation grows with each life, so a stale handle matches no later object, until
//!   2^32 lives of one place.

use crate::error::{Error, ErrorKind, Result};
use crate::stdx::sync::Backoff;
use parking_lot::Mutex;
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// What a handle stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    State = 1,
    Allocator = 2,
    Delta = 3,
    View = 4,
    Snapshot = 5,
    Batch = 6,
    TLog = 7,
    Reader = 8,
    Comparison = 9,
    SoftCheckpoint = 10,
    Transaction = 11,
    Partition = 12,
    Program = 13,
    Executor = 14,
    Tickets = 15,
    Events = 16,
    Explanation = 17,
}

/// A type that handles stand for.
///
/// # Safety
/// No two types have the same kind.
pub unsafe trait Object: Send + Sync + 'static {
    const KIND: Kind;
}

const KINDS: &[&str] = &[
    "nothing",
    "state",
    "allocator",
    "delta",
    "view",
    "snapshot",
    "batch",
    "log",
    "reader",
    "comparison",
    "soft checkpoint",
    "transaction",
    "partition",
    "program",
    "executor",
    "tickets",
    "subscription",
    "explanation",
];
const PLACE_BITS: u32 = 24;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;
const KIND_SHIFT: u32 = 56;
const CHUNK: usize = 1024;
const CHUNKS: usize = 1024;
/// Handles that one thread uses at the same time: a call takes at most two, a callback may call.
const DEPTH: usize = 8;

struct Entry {
    /// The live handle; 0 while there is none.
    live: AtomicU64,
    /// A box of the type of the handle's kind.
    object: AtomicPtr<()>,
    /// Lives so far; touched under the registry's lock.
    generation: AtomicU64,
}

struct Registry {
    free: Vec<usize>,
    used: usize,
}

static CHUNKS_OF_ENTRIES: [AtomicPtr<[Entry; CHUNK]>; CHUNKS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS];
static REGISTRY: Mutex<Registry> = Mutex::new(Registry { free: Vec::new(), used: 0 });

/// What one thread has here: its handles in use, and the message of its last error, with a zero at
/// its end. Passed on to another thread when it ends, never freed: a thread registers one
/// destructor, with its first call, so that a failure while the thread is ending leaks nothing.
#[repr(align(128))]
struct Cells {
    in_use: [AtomicU64; DEPTH],
    message: Mutex<Vec<u8>>,
}

struct CellList {
    all: Vec<&'static Cells>,
    free: Vec<&'static Cells>,
}

static CELLS: Mutex<CellList> = Mutex::new(CellList { all: Vec::new(), free: Vec::new() });

struct Mine {
    cells: Cell<Option<&'static Cells>>,
}

impl Drop for Mine {
    fn drop(&mut self) {
        if let Some(cells) = self.cells.take() {
            cells.message.lock().clear();
            CELLS.lock().free.push(cells);
        }
    }
}

thread_local! {
    static MINE: Mine = const { Mine { cells: Cell::new(None) } };
}

#[cold]
fn take_cells(mine: &Mine) -> &'static Cells {
    let mut list = CELLS.lock();
    let cells = list.free.pop().unwrap_or_else(|| {
        let cells: &'static Cells = Box::leak(Box::new(Cells {
            in_use: [const { AtomicU64::new(0) }; DEPTH],
            message: Mutex::new(Vec::new()),
        }));
        list.all.push(cells);
        cells
    });
    mine.cells.set(Some(cells));
    cells
}

fn entry(place: usize) -> Option<&'static Entry> {
    let chunk = CHUNKS_OF_ENTRIES.get(place / CHUNK)?.load(Ordering::Acquire);
    // SAFETY: chunks are leaked once and never freed.
    unsafe { chunk.as_ref() }.map(|chunk| &chunk[place % CHUNK])
}

fn split(handle: u64) -> Option<usize> {
    ((handle & PLACE_MASK) as usize).checked_sub(1)
}

/// Puts `object` under a new handle.
pub fn insert<T: Object>(object: T) -> Result<u64> {
    let mut registry = REGISTRY.lock();
    let place = match registry.free.pop() {
        Some(place) => place,
        None => grow(&mut registry)?,
    };
    let Some(entry) = entry(place) else {
        return Err(Error::new(ErrorKind::Internal, "a handle's place is missing"));
    };
    let generation = entry.generation.fetch_add(1, Ordering::Relaxed) as u32;
    entry.object.store(Box::into_raw(Box::new(object)).cast(), Ordering::Release);
    let handle =
        (T::KIND as u64) << KIND_SHIFT | u64::from(generation) << PLACE_BITS | (place as u64 + 1);
    entry.live.store(handle, Ordering::SeqCst);
    Ok(handle)
}

fn grow(registry: &mut Registry) -> Result<usize> {
    let place = registry.used;
    let Some(slot) = CHUNKS_OF_ENTRIES.get(place / CHUNK) else {
        let most = CHUNK * CHUNKS;
        let message = format!("{most} handles are in use; that is the limit");
        return Err(Error::new(ErrorKind::TooManyHandles, message));
    };
    if slot.load(Ordering::Acquire).is_null() {
        let chunk = Box::new(
            [const {
                Entry {
                    live: AtomicU64::new(0),
                    object: AtomicPtr::new(ptr::null_mut()),
                    generation: AtomicU64::new(0),
                }
            }; CHUNK],
        );
        slot.store(Box::into_raw(chunk), Ordering::Release);
    }
    registry.used += 1;
    Ok(place)
}

/// Why a handle is of no use.
#[cold]
fn refusal(handle: u64, wanted: Kind) -> Error {
    let stale = match wanted {
        Kind::Transaction => ErrorKind::TransactionFinished,
        _ => ErrorKind::StaleHandle,
    };
    let wanted = KINDS[wanted as usize];
    if handle == 0 {
        return Error::new(
            ErrorKind::NullHandle,
            format!("a null handle where a {wanted} is wanted"),
        );
    }
    let kind = (handle >> KIND_SHIFT) as usize;
    let known = split(handle).and_then(entry).is_some_and(|entry| {
        let lives = entry.generation.load(Ordering::Relaxed);
        lives > 0 && (handle >> PLACE_BITS) as u32 <= (lives - 1) as u32
    });
    match KINDS.get(kind) {
        Some(&name) if known && name != wanted => Error::new(
            ErrorKind::WrongHandle,
            format!("the handle {handle:#x} is of a {name} where a {wanted} is wanted"),
        ),
        Some(_) if known => {
            Error::new(stale, format!("the {wanted} of handle {handle:#x} was closed or freed"))
        }
        _ => Error::new(
            ErrorKind::WrongHandle,
            format!("{handle:#x} was never given out as a handle"),
        ),
    }
}

/// Calls `use_it` with the object of `handle`, which stays alive meanwhile.
///
/// # Errors
/// `NullHandle`, `StaleHandle`, `WrongHandle`.
///
/// Cost: about 4 ns.
#[inline]
pub fn with<T: Object, R>(handle: u64, use_it: impl FnOnce(&T) -> Result<R>) -> Result<R> {
    let mut use_it = Some(use_it);
    let mut run = |mine: &Mine| match use_it.take() {
        Some(use_it) => with_mine(mine, handle, use_it),
        None => Err(Error::new(ErrorKind::Internal, "a call ran twice")),
    };
    // A thread whose locals are already gone (it runs destructors) borrows cells for one call.
    MINE.try_with(&mut run).unwrap_or_else(|_| run(&Mine { cells: Cell::new(None) }))
}

#[inline]
fn with_mine<T: Object, R>(
    mine: &Mine,
    handle: u64,
    use_it: impl FnOnce(&T) -> Result<R>,
) -> Result<R> {
    let live =
        split(handle).and_then(entry).filter(|_| (handle >> KIND_SHIFT) as u8 == T::KIND as u8);
    // Looked at before a cell is touched: callers that try a stale handle over and over must not
    // hold up who waits for its cells to empty.
    let Some(entry) = live.filter(|entry| entry.live.load(Ordering::Relaxed) == handle) else {
        return Err(refusal(handle, T::KIND));
    };
    let _busy = Busy::with(mine, handle)?;
    if entry.live.load(Ordering::SeqCst) != handle {
        return Err(refusal(handle, T::KIND));
    }
    // SAFETY: the entry was live after this thread's cell held the handle, so `remove` waits for
    // the cell before it drops the object; the handle's kind is that of `T` alone.
    use_it(unsafe { &*entry.object.load(Ordering::Acquire).cast::<T>() })
}

/// Calls `use_it` with the calling thread's message. `None` in a thread whose locals are gone
/// already: there is no place for one any more, a status still says what happened.
pub fn with_message<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
    let run = |mine: &Mine| {
        let cells = mine.cells.get().unwrap_or_else(|| take_cells(mine));
        use_it(&mut cells.message.lock())
    };
    MINE.try_with(run).ok()
}

/// A cell that holds a handle. Cells are given back in any order, by any thread: a callback may be a
/// coroutine of its host, which others overtake and which goes on elsewhere.
struct Busy(&'static AtomicU64);

impl Busy {
    #[inline]
    fn with(mine: &Mine, handle: u64) -> Result<Busy> {
        let cells = mine.cells.get().unwrap_or_else(|| take_cells(mine));
        // Who waits for a cell to empty reads it; none but its own thread fills it.
        let Some(cell) = cells.in_use.iter().find(|cell| cell.load(Ordering::Relaxed) == 0) else {
            let message = format!("{DEPTH} handles in use by one thread; that is the limit");
            return Err(Error::new(ErrorKind::TooManyHandles, message));
        };
        cell.store(handle, Ordering::SeqCst);
        Ok(Busy(cell))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

/// Takes the object of `handle` out, once nobody uses it any more.
///
/// # Errors
/// Those of [`with`]; `InvalidArgument` if the calling thread itself is using it.
pub fn remove<T: Object>(handle: u64) -> Result<T> {
    with::<T, ()>(handle, |_| Ok(()))?;
    let holds_it = |mine: &Mine| mine.cells.get().is_some_and(|cells| holds(cells, handle));
    if MINE.try_with(holds_it).unwrap_or(false) {
        let message = format!("the handle {handle:#x} is in use by the calling thread");
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    let place = split(handle).unwrap_or(0);
    let Some(entry) = entry(place) else { return Err(refusal(handle, T::KIND)) };
    let (ok, fail) = (Ordering::SeqCst, Ordering::SeqCst);
    if entry.live.compare_exchange(handle, 0, ok, fail).is_err() {
        return Err(refusal(handle, T::KIND));
    }
    let mut backoff = Backoff::default();
    let users = || CELLS.lock().all.iter().any(|cells| holds(cells, handle));
    while users() {
        backoff.wait();
    }
    let object = entry.object.swap(ptr::null_mut(), Ordering::AcqRel);
    // SAFETY: the exchange above makes this the only caller that gets here for this life; no cell
    // holds the handle, and no later caller finds the entry live. `with` above found the kind of `T`.
    let object = *unsafe { Box::from_raw(object.cast::<T>()) };
    REGISTRY.lock().free.push(place);
    Ok(object)
}

fn holds(cells: &Cells, handle: u64) -> bool {
    cells.in_use.iter().any(|cell| cell.load(Ordering::SeqCst) == handle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

    struct Thing(Arc<AtomicU32>);
    // SAFETY: these tests make no views.
    unsafe impl Object for Thing {
        const KIND: Kind = Kind::View;
    }
    impl Drop for Thing {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    struct Other;
    // SAFETY: nor batches.
    unsafe impl Object for Other {
        const KIND: Kind = Kind::Batch;
    }

    fn kind<R>(result: Result<R>) -> ErrorKind {
        result.err().unwrap().kind()
    }

    #[test]
    fn stale_null_foreign_and_wrong_handles_are_told_apart() {
        let drops = Arc::new(AtomicU32::new(0));
        let handle = insert(Thing(drops.clone())).unwrap();
        assert!(with::<Thing, _>(handle, |_| Ok(())).is_ok());
        assert_eq!(kind(with::<Other, _>(handle, |_| Ok(()))), ErrorKind::WrongHandle);
        assert_eq!(kind(with::<Thing, _>(0, |_| Ok(()))), ErrorKind::NullHandle);
        assert_eq!(kind(with::<Thing, _>(0xDEAD, |_| Ok(()))), ErrorKind::WrongHandle);
        assert_eq!(kind(with::<Thing, _>(u64::MAX, |_| Ok(()))), ErrorKind::WrongHandle);
        let own = with::<Thing, _>(handle, |_| remove::<Thing>(handle).map(drop));
        assert_eq!(kind(own), ErrorKind::InvalidArgument);
        drop(remove::<Thing>(handle).unwrap());
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        assert_eq!(kind(remove::<Thing>(handle)), ErrorKind::StaleHandle);
        let next = insert(Thing(drops)).unwrap();
        assert_ne!(next, handle);
        assert_eq!(kind(with::<Thing, _>(handle, |_| Ok(()))), ErrorKind::StaleHandle);
        remove::<Thing>(next).unwrap();
    }

    #[test]
    fn cells_are_given_back_in_any_order() {
        let mine = Mine { cells: Cell::new(None) };
        let first = Busy::with(&mine, 1).unwrap();
        let second = Busy::with(&mine, 2).unwrap();
        std::thread::spawn(move || drop(first)).join().unwrap();
        let third = Busy::with(&mine, 3).unwrap();
        let cells = mine.cells.get().unwrap();
        assert!(!holds(cells, 1) && holds(cells, 2) && holds(cells, 3));
        let rest: Vec<_> = (3..=DEPTH as u64).map(|n| Busy::with(&mine, n + 10).unwrap()).collect();
        assert_eq!(kind(Busy::with(&mine, 99)), ErrorKind::TooManyHandles);
        drop((second, third, rest));
        assert!(cells.in_use.iter().all(|cell| cell.load(Ordering::SeqCst) == 0));
    }

    #[test]
    fn nobody_uses_what_was_removed() {
        for _ in 0..200 {
            let drops = Arc::new(AtomicU32::new(0));
            let handle = insert(Thing(drops.clone())).unwrap();
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    let drops = &drops;
                    scope.spawn(move || {
                        while with::<Thing, _>(handle, |_| {
                            assert_eq!(drops.load(Ordering::SeqCst), 0);
                            Ok(())
                        })
                        .is_ok()
                        {}
                    });
                }
                std::thread::yield_now();
                remove::<Thing>(handle).unwrap();
            });
            assert_eq!(drops.load(Ordering::SeqCst), 1);
        }
    }
}
