//! The process's heap: one arena, a cache for each thread.
//!
//! A thread's cache is made at its first call and drained when the thread ends; what the thread still
//! asks for after that goes through a cache that all such threads share.
//!
//! A forked child finds the locks open and its own thread's cache; what other threads kept in their
//! caches stays unused there.
//!
//! Lock order: the shared cache, the registry, the arena's central lock.

use super::arena::Arena;
use super::cache::ThreadCache;
use super::class::{
    BLOCK_ALIGN_MAX, BLOCK_BYTES_MAX, CLASSES, SLAB_BYTES, block_bytes, class_aligned,
};
use super::stats::{ClassStats, MemoryStats};
use super::{Reason, Refused};
use crate::stdx::lock::Lock;
use crate::stdx::thread::AtEnd;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

type Cache = ThreadCache<'static>;

/// A cache's place in the registry; never moved, used by one thread after the other.
struct Entry {
    cache: Cache,
    next: Option<&'static Entry>,
    /// The next one that no thread uses.
    idle: Cell<Option<&'static Entry>>,
}

/// All caches there ever were.
#[derive(Default)]
struct Registry {
    all: Option<&'static Entry>,
    idle: Option<&'static Entry>,
    /// Memory for more of them.
    room: usize,
    room_end: usize,
}

// SAFETY: entries are used by the thread that has them and, under the lock, for their atomics.
unsafe impl Send for Registry {}

/// The process's heap.
pub struct Heap {
    pub arena: Arena,
    registry: Lock<Registry, false>,
    /// For threads that have no cache any more.
    shared: Lock<Option<&'static Entry>, false>,
}

// SAFETY: the shared entry is used under its lock, every other one by one thread.
unsafe impl Sync for Heap {}
// SAFETY: as above.
unsafe impl Send for Heap {}

static HEAP: OnceLock<Option<Heap>> = OnceLock::new();

/// The calling thread has no cache any more.
const GONE: *const Entry = ptr::without_provenance(1);

thread_local! {
    static CACHE: Cell<*const Entry> = const { Cell::new(ptr::null()) };
}

static LEAVE: AtEnd = AtEnd::new(leave);

/// Gives the calling thread's cache back: from here on the thread uses the shared one.
extern "C" fn leave(entry: *mut c_void) {
    CACHE.set(GONE);
    // SAFETY: what `with_slow` set; entries live as long as the process.
    let entry = unsafe { entry.cast::<Entry>().as_ref() };
    if let (Some(entry), Some(heap)) = (entry, heap()) {
        entry.cache.drain();
        let mut registry = heap.registry.lock();
        entry.idle.set(registry.idle);
        registry.idle = Some(entry);
    }
}

/// The process's heap; `None` where the system reserves no addresses for it.
pub fn heap() -> Option<&'static Heap> {
    HEAP.get_or_init(|| {
        let arena = Arena::for_process()?;
        watch_forks();
        let (registry, shared) = (Lock::new(Registry::default()), Lock::new(None));
        Some(Heap { arena, registry, shared })
    })
    .as_ref()
}

fn no_range(asked: usize) -> Refused {
    Refused { asked, in_use: 0, limit: 0, reason: Reason::System }
}

/// Calls `f` with the calling thread's cache.
#[inline]
fn with<R>(asked: usize, f: impl FnOnce(&Cache) -> Result<R, Refused>) -> Result<R, Refused> {
    let entry = CACHE.get();
    if entry.addr() > GONE.addr() {
        // SAFETY: an entry of the registry, which this thread alone uses.
        return f(unsafe { &(*entry).cache });
    }
    with_slow(asked, f)
}

#[cold]
#[inline(never)]
fn with_slow<R>(asked: usize, f: impl FnOnce(&Cache) -> Result<R, Refused>) -> Result<R, Refused> {
    let heap = heap().ok_or_else(|| no_range(asked))?;
    if CACHE.get() == GONE {
        let mut shared = heap.shared.lock();
        let entry = match *shared {
            Some(entry) => entry,
            None => heap.entry()?,
        };
        *shared = Some(entry);
        return f(&entry.cache);
    }
    let entry = heap.entry()?;
    // Before anything else: registering what runs at the thread's end may need memory.
    CACHE.set(entry);
    if !LEAVE.set(NonNull::from_ref(entry).cast()) {
        leave(ptr::from_ref(entry).cast_mut().cast());
        return with_slow(asked, f);
    }
    f(&entry.cache)
}

impl Heap {
    /// An entry of the registry for the caller alone.
    fn entry(&self) -> Result<&'static Entry, Refused> {
        let mut registry = self.registry.lock();
        if let Some(entry) = registry.idle {
            registry.idle = entry.idle.take();
            return Ok(entry);
        }
        let bytes = size_of::<Entry>().next_multiple_of(align_of::<Entry>());
        if registry.room_end - registry.room < bytes {
            let (span, _) = self.arena.alloc_span(SLAB_BYTES)?;
            registry.room = span.as_ptr().expose_provenance();
            registry.room_end = registry.room + SLAB_BYTES;
        }
        let place: *mut Entry = ptr::with_exposed_provenance_mut(registry.room);
        registry.room += bytes;
        // SAFETY: aligned room in a span that is never given back; the heap is never dropped.
        let entry = unsafe {
            let arena: &'static Arena = &*ptr::from_ref(&self.arena);
            ThreadCache::init(&raw mut (*place).cache, arena);
            (&raw mut (*place).next).write(registry.all);
            (&raw mut (*place).idle).write(Cell::new(None));
            &*place
        };
        registry.all = Some(entry);
        Ok(entry)
    }

    /// Calls `each` with every cache, whose atomics alone may be read.
    fn for_each_cache(&self, mut each: impl FnMut(&Cache)) {
        let mut next = self.registry.lock().all;
        while let Some(entry) = next {
            each(&entry.cache);
            next = entry.next;
        }
    }
}

/// Whether a request is one for a block, not for a span.
#[inline]
fn is_block(size: usize, align: usize) -> bool {
    size <= BLOCK_BYTES_MAX && align <= BLOCK_ALIGN_MAX
}

#[inline]
fn class_for(size: usize, align: usize) -> usize {
    match class_aligned(size, align) {
        Some(class) => class,
        None => unreachable!("the largest class is a multiple of every alignment"),
    }
}

/// Allocates `size` bytes at a multiple of `align`, a power of two up to [`SLAB_BYTES`]; content is
/// undefined.
#[inline]
pub fn alloc(size: usize, align: usize) -> Result<NonNull<u8>, Refused> {
    if !is_block(size, align) {
        return alloc_span(size).map(|(span, _)| span);
    }
    with(size, |cache| cache.alloc(class_for(size, align)))
}

/// As [`alloc`], all `size` bytes zero.
#[inline]
pub fn alloc_zeroed(size: usize, align: usize) -> Result<NonNull<u8>, Refused> {
    if !is_block(size, align) {
        let (span, zero) = alloc_span(size)?;
        if !zero {
            // SAFETY: the span has `size` bytes and no other user.
            unsafe { super::zero::fill_cold(span, size) };
        }
        return Ok(span);
    }
    with(size, |cache| cache.alloc_zeroed(class_for(size, align), size))
}

#[cold]
fn alloc_span(size: usize) -> Result<(NonNull<u8>, bool), Refused> {
    heap().ok_or_else(|| no_range(size))?.arena.alloc_span(size)
}

/// Takes a block back.
///
/// # Safety
/// `block` came from this heap for `size` and `align`, and is not used any more.
#[inline]
pub unsafe fn free(block: NonNull<u8>, size: usize, align: usize) {
    if !is_block(size, align) {
        return free_span(block);
    }
    let freed = with(size, |cache| {
        // SAFETY: the caller's promise.
        unsafe { cache.free(class_for(size, align), block) };
        Ok(())
    });
    // Without memory for a cache the block stays where it is.
    debug_assert!(freed.is_ok());
}

#[cold]
fn free_span(span: NonNull<u8>) {
    let freed = heap().is_some_and(|heap| heap.arena.free_span(span));
    debug_assert!(freed, "no span begins at {span:p}");
}

/// Gives back what the calling thread keeps, then what is retained. Returns the bytes that went to
/// the system.
pub fn purge() -> u64 {
    let Some(heap) = heap() else { return 0 };
    let drained = with(0, |cache| {
        cache.drain();
        Ok(())
    });
    // Without a cache there is nothing to drain.
    let _ = drained;
    heap.arena.purge()
}

/// Makes `count` blocks for `size` bytes at `align` ready.
pub fn prewarm(size: usize, align: usize, count: usize) -> Result<(), Refused> {
    let heap = heap().ok_or_else(|| no_range(size))?;
    heap.arena.prewarm(class_for(size, align), count)
}

/// Counts everything.
pub fn stats() -> MemoryStats {
    let Some(heap) = heap() else { return MemoryStats::default() };
    let mut classes: [ClassStats; CLASSES] =
        std::array::from_fn(|class| ClassStats::new(block_bytes(class)));
    let counts = heap.arena.count(&mut classes);
    let mut remote_frees = 0;
    heap.for_each_cache(|cache| {
        remote_frees += cache.remote_frees();
        for (class, stats) in classes.iter_mut().enumerate() {
            stats.cached += cache.cached(class);
            stats.carved += cache.carved(class);
        }
    });
    MemoryStats::new(&heap.arena, counts, &classes, remote_frees)
}

/// Walks every slab; see [`Arena::invariant`].
pub fn invariant() -> Result<(), String> {
    heap().map_or(Ok(()), |heap| heap.arena.invariant(false))
}

/// Makes forked children find the locks open.
fn watch_forks() {
    extern "C" fn prepare() {
        if let Some(Some(heap)) = HEAP.get() {
            std::mem::forget(heap.shared.lock());
            std::mem::forget(heap.registry.lock());
            heap.arena.lock_for_fork();
        }
    }
    extern "C" fn release() {
        if let Some(Some(heap)) = HEAP.get() {
            // SAFETY: `prepare` took them, on this thread or the one that this is a copy of.
            unsafe {
                heap.arena.unlock_after_fork();
                heap.registry.force_unlock();
                heap.shared.force_unlock();
            }
        }
    }
    // SAFETY: functions of this library, which touch the heap alone.
    unsafe { libc::pthread_atfork(Some(prepare), Some(release), Some(release)) };
}
