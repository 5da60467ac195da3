//! A lane: one thread's append buffer, a chain of chunks that the writer fills and the flusher
//! drains without meeting.
//!
//! ```text
//!   cursor (flusher)                       tail (holder)
//!      v                                     v
//!   [chunk ....]--next-->[chunk ........]-->[chunk ...........      ]
//!    drained chunks go to the pool, a lane's hottest is used first
//! ```
//!
//! Invariants:
//! - Only the lane's holder ([`LaneClock::enter`]) touches `tail` and bytes beyond the head.
//! - Only the flusher (the log's writer lock) follows the chain behind the head and takes chunks
//!   off it, and never the last one, which is the holder's.
//! - A record never spans chunks; `used` is final before `next` is set.

use super::clock::LaneClock;
use crate::memory;
use parking_lot::Mutex;
use std::cell::UnsafeCell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

const CHUNK_ALIGN: usize = 64;

/// A piece of a lane's buffer.
pub struct Chunk {
    /// The chunk after this one, null for the last.
    pub next: AtomicPtr<Chunk>,
    /// Bytes filled, once `next` is set.
    pub used: AtomicUsize,
    /// Space on the medium that is promised to what it holds.
    pub owes: u64,
    /// The lane that it was in last: its bytes are in the caches of that lane's core, if of any.
    lane: usize,
    bytes: NonNull<u8>,
    capacity: usize,
}

impl Chunk {
    /// A chunk of `len` bytes, `None` where memory cannot be had.
    pub fn new(len: usize) -> Option<Box<Chunk>> {
        let bytes = memory::alloc_zeroed(len, CHUNK_ALIGN).ok()?;
        let (next, used) = (AtomicPtr::default(), AtomicUsize::new(0));
        Some(Box::new(Chunk { next, used, owes: 0, lane: 0, bytes, capacity: len }))
    }

    /// Bytes that it holds.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Start of its bytes.
    pub fn as_ptr(&self) -> *mut u8 {
        self.bytes.as_ptr()
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with these, freed once.
        unsafe { memory::free(self.bytes, self.capacity, CHUNK_ALIGN) }
    }
}

// SAFETY: the bytes are shared under the module's invariants: beyond the head the holder alone
// writes, behind it everybody only reads.
unsafe impl Sync for Chunk {}
// SAFETY: owned memory.
unsafe impl Send for Chunk {}

/// The holder's end of the chain.
struct Tail {
    chunk: *mut Chunk,
    pos: usize,
}

/// What a lane counts; written by its holder alone, read by `stats`.
#[derive(Default)]
pub struct Counters {
    /// Records published.
    pub records: AtomicU64,
    /// Bytes of them.
    pub bytes: AtomicU64,
}

impl Counters {
    /// Adds without a locked instruction: the holder is the only writer.
    #[inline]
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }
}

/// The flusher's end of the chain, on cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
pub struct Front {
    /// The first chunk that is not wholly drained; set by the holder once, for the first chunk,
    /// then moved by the flusher alone.
    pub chunk: AtomicPtr<Chunk>,
    /// Bytes of that chunk that are drained.
    pub pos: AtomicUsize,
    /// Bytes of the lane that are drained.
    pub drained: AtomicU64,
}

/// One append buffer with its clock.
pub struct Lane {
    /// The lane's part of the log's clock.
    pub clock: LaneClock,
    tail: UnsafeCell<Tail>,
    /// What the lane's holders have written.
    pub counters: Counters,
    /// Where the flusher stands.
    pub front: Front,
}

// SAFETY: `tail` is touched by the holder alone, and holding is exclusive (LaneClock::enter).
unsafe impl Sync for Lane {}
// SAFETY: the raw chunk pointers are owned by the lane's chain, whoever's thread it is.
unsafe impl Send for Lane {}

impl AsRef<LaneClock> for Lane {
    fn as_ref(&self) -> &LaneClock {
        &self.clock
    }
}

impl Default for Lane {
    /// A lane without a chunk.
    fn default() -> Lane {
        Lane {
            clock: LaneClock::default(),
            tail: UnsafeCell::new(Tail { chunk: ptr::null_mut(), pos: 0 }),
            counters: Counters::default(),
            front: Front::default(),
        }
    }
}

impl Lane {
    /// The free bytes at the tail, if there are at least `len`.
    ///
    /// # Safety
    /// The caller holds the lane, and keeps it while it uses the pointer.
    #[inline]
    pub unsafe fn room(&self, len: usize) -> Option<NonNull<u8>> {
        // SAFETY: the holder alone touches the tail.
        let tail = unsafe { &*self.tail.get() };
        // SAFETY: a tail chunk is never freed while it is the tail.
        let chunk = unsafe { tail.chunk.as_ref()? };
        if chunk.capacity() - tail.pos < len {
            return None;
        }
        // SAFETY: `pos` is within the chunk's bytes.
        NonNull::new(unsafe { chunk.as_ptr().add(tail.pos) })
    }

    /// Counts `len` bytes at the tail as written.
    ///
    /// # Safety
    /// The caller holds the lane and filled `len` bytes of [`room`](Self::room).
    #[inline]
    pub unsafe fn advance(&self, len: usize) {
        // SAFETY: the holder alone touches the tail.
        unsafe { (*self.tail.get()).pos += len };
        Counters::add(&self.counters.records, 1);
        Counters::add(&self.counters.bytes, len as u64);
    }

    /// Puts `chunk` at the end of the chain.
    ///
    /// # Safety
    /// The caller holds the lane.
    pub unsafe fn link(&self, chunk: Box<Chunk>) {
        // SAFETY: the holder alone touches the tail.
        let tail = unsafe { &mut *self.tail.get() };
        let chunk = Box::into_raw(chunk);
        // SAFETY: the old tail stays allocated until `next` is set, which happens here, last.
        match unsafe { tail.chunk.as_ref() } {
            None => self.front.chunk.store(chunk, Ordering::Release),
            Some(old) => {
                old.used.store(tail.pos, Ordering::Relaxed);
                old.next.store(chunk, Ordering::Release);
            }
        }
        *tail = Tail { chunk, pos: 0 };
    }

    /// Bytes published and not yet drained.
    pub fn pending(&self) -> u64 {
        self.clock.head() - self.front.drained.load(Ordering::Acquire)
    }

    /// Empties the lane for another life: keeps the tail chunk, gives the others to `pool`.
    pub fn reset(&mut self, pool: &ChunkPool) {
        let tail = self.tail.get_mut();
        let mut at = *self.front.chunk.get_mut();
        while !at.is_null() && at != tail.chunk {
            // SAFETY: &mut self: nobody else follows the chain; `link` leaked each chunk once.
            let mut chunk = unsafe { Box::from_raw(at) };
            at = *chunk.next.get_mut();
            pool.give(chunk);
        }
        tail.pos = 0;
        self.front = Front { chunk: AtomicPtr::new(tail.chunk), ..Front::default() };
        self.counters = Counters::default();
        self.clock = LaneClock::default();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.reset(&ChunkPool::default());
        let tail = self.tail.get_mut().chunk;
        if !tail.is_null() {
            // SAFETY: after `reset` the tail is the only chunk left, leaked once by `link`.
            drop(unsafe { Box::from_raw(tail) });
        }
    }
}

/// Chunks that wait for a lane, the hottest on top.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "chunks are linked by address: they must not move")]
pub struct ChunkPool(Mutex<Vec<Box<Chunk>>>);

impl ChunkPool {
    /// Idle chunks beyond this many bytes go back to the system.
    const IDLE_BYTES_MAX: usize = 16 << 20;

    /// A chunk of at least `len` bytes for the lane `lane`, but no wasteful one: one that it had
    /// before, if there is any.
    pub fn take(&self, len: usize, lane: usize) -> Option<Box<Chunk>> {
        let mut chunk = self.reuse(len, lane).or_else(|| Chunk::new(len))?;
        chunk.lane = lane;
        Some(chunk)
    }

    fn reuse(&self, len: usize, lane: usize) -> Option<Box<Chunk>> {
        let mut idle = self.0.lock();
        let fits = |chunk: &Chunk| (len..=len.saturating_mul(4)).contains(&chunk.capacity());
        let own = idle.iter().rposition(|chunk| chunk.lane == lane && fits(chunk));
        let at = own.or_else(|| idle.iter().rposition(|chunk| fits(chunk)))?;
        Some(idle.remove(at))
    }

    /// Takes a drained chunk back.
    pub fn give(&self, mut chunk: Box<Chunk>) {
        *chunk.next.get_mut() = ptr::null_mut();
        let mut idle = self.0.lock();
        let bytes: usize = idle.iter().map(|chunk| chunk.capacity()).sum();
        if bytes + chunk.capacity() <= Self::IDLE_BYTES_MAX {
            idle.push(chunk);
        }
    }
}
