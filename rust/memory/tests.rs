//! The room as a whole: a shadow model beside it, threads that pass blocks on and end, limits,
//! retention, forks, misuse.

use super::arena::{Arena, Retention};
use super::cache::ThreadCache;
use super::class::{BLOCK_BYTES_MAX, SLAB_BYTES, block_bytes, class_aligned};
use super::{Reason, heap};
use crate::stdx::prng::Prng;
use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// A cache of `arena`.
fn cache_of(arena: &Arena) -> Box<ThreadCache<'_>> {
    let mut place = Box::new_uninit();
    // SAFETY: valid for a write; magazines need no content.
    unsafe {
        ThreadCache::init(place.as_mut_ptr(), arena);
        place.assume_init()
    }
}

/// A block, as its user knows it: filled with one byte all over.
struct Filled {
    block: NonNull<u8>,
    class: usize,
    len: usize,
    byte: u8,
}

// SAFETY: owned memory.
unsafe impl Send for Filled {}

impl Filled {
    fn new(cache: &ThreadCache<'_>, random: &mut Prng) -> Filled {
        let align = 1 << random.below(13);
        let len = match random.below(100) {
            0 => 1 + random.below(BLOCK_BYTES_MAX as u64) as usize,
            1..10 => 1 + random.below(32 << 10) as usize,
            _ => 1 + random.below(1024) as usize,
        };
        let class = class_aligned(len, align).unwrap();
        let zero = random.below(2) == 0;
        let block = match zero {
            true => cache.alloc_zeroed(class, len).unwrap(),
            false => cache.alloc(class).unwrap(),
        };
        assert!(block.as_ptr().addr().is_multiple_of(align), "{len} at {align}");
        // SAFETY: `len` bytes of ours.
        let bytes = unsafe { std::slice::from_raw_parts_mut(block.as_ptr(), len) };
        if zero {
            assert!(all_are(bytes, 0), "{len} bytes that are not zero");
        }
        let byte = random.below(256) as u8;
        bytes.fill(byte);
        Filled { block, class, len, byte }
    }

    fn check(&self) {
        // SAFETY: `len` bytes that nobody changes.
        let bytes = unsafe { std::slice::from_raw_parts(self.block.as_ptr(), self.len) };
        assert!(all_are(bytes, self.byte), "a block of {} changed", self.len);
    }

    fn free(self, cache: &ThreadCache<'_>) {
        self.check();
        // SAFETY: from a cache of the arena, for this class; nobody else has it.
        unsafe { cache.free(self.class, self.block) };
    }
}

/// Whether each byte is `byte`, at the speed of a comparison: the first is, and each is as the next.
fn all_are(bytes: &[u8], byte: u8) -> bool {
    match bytes {
        [first, rest @ ..] => *first == byte && bytes[..rest.len()] == *rest,
        [] => true,
    }
}

#[test]
fn one_byte_that_differs_is_seen_wherever_it_stands() {
    for len in [1, 2, 15, 16, 100] {
        let mut bytes = vec![7; len];
        assert!(all_are(&bytes, 7) && !all_are(&bytes, 8));
        for at in 0..len {
            bytes[at] = 6;
            assert!(!all_are(&bytes, 7), "{at} of {len}");
            bytes[at] = 7;
        }
    }
}

/// Random allocation and freeing, of own blocks and of those that come from another thread. Leaves
/// what is left to the next thread of the ring.
fn stress(
    arena: &Arena,
    seed: u64,
    ops: usize,
    inbox: Receiver<Filled>,
    outbox: SyncSender<Filled>,
) {
    let cache = cache_of(arena);
    let mut random = Prng::new(seed);
    let mut live: Vec<Filled> = Vec::new();
    for _ in 0..ops {
        match random.below(16) {
            0..7 if live.len() < 2000 => live.push(Filled::new(&cache, &mut random)),
            7..9 if !live.is_empty() => {
                let at = random.below(live.len() as u64) as usize;
                if let Err(error) = outbox.try_send(live.swap_remove(at)) {
                    live.push(match error {
                        std::sync::mpsc::TrySendError::Full(block) => block,
                        std::sync::mpsc::TrySendError::Disconnected(block) => block,
                    });
                }
            }
            9..11 => {
                if let Ok(block) = inbox.try_recv() {
                    block.free(&cache);
                }
            }
            _ if !live.is_empty() => {
                let at = random.below(live.len() as u64) as usize;
                live.swap_remove(at).free(&cache);
            }
            _ => {}
        }
    }
    for block in live {
        match outbox.try_send(block) {
            Ok(()) => {}
            Err(std::sync::mpsc::TrySendError::Full(block))
            | Err(std::sync::mpsc::TrySendError::Disconnected(block)) => block.free(&cache),
        }
    }
    drop(outbox);
    // The last thread of the ring ends it.
    while let Ok(block) = inbox.recv() {
        block.free(&cache);
    }
    cache.drain();
}

/// Looks at an arena while others use it.
fn watch(arena: &Arena, done: &std::sync::atomic::AtomicBool) {
    while !done.load(std::sync::atomic::Ordering::Relaxed) {
        arena.invariant(false).unwrap();
        std::thread::yield_now();
    }
}

fn stress_on(threads: usize, ops: usize, seed: u64) {
    let arena = Arena::reserve(8 << 30).unwrap();
    let (mut senders, mut receivers): (Vec<_>, Vec<_>) =
        (0..threads).map(|_| sync_channel(1000)).unzip();
    senders.rotate_left(1);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| watch(&arena, &done));
        let mut stressed = Vec::new();
        for thread in 0..threads {
            let (inbox, outbox) = (receivers.remove(0), senders.remove(0));
            let arena = &arena;
            let seed = seed + thread as u64;
            // In a ring of one the own outbox would keep the inbox open.
            stressed.push(scope.spawn(move || stress(arena, seed, ops, inbox, outbox)));
        }
        let ends: Vec<_> = stressed.into_iter().map(|thread| thread.join()).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        ends.into_iter().for_each(|end| end.unwrap());
    });
    arena.invariant(true).unwrap();
    assert_eq!(in_use(&arena), 0);
}

/// Blocks of an arena whose caches are all drained.
fn in_use(arena: &Arena) -> u64 {
    let mut classes = std::array::from_fn(|class| super::ClassStats::new(block_bytes(class)));
    let counts = arena.count(&mut classes);
    let blocks: u64 = classes.iter().map(|class| class.carved - class.free).sum();
    blocks + counts.spans
}

/// `MMSB_HEAP_OPS`: operations of the long form, in each of the two tests.
fn ops(short: usize) -> usize {
    std::env::var("MMSB_HEAP_OPS").ok().and_then(|ops| ops.parse().ok()).unwrap_or(short)
}

#[test]
fn no_block_is_lost_shared_or_changed_on_1_2_and_8_threads() {
    for threads in [1, 2, 8] {
        stress_on(threads, ops(180_000) / 3 / threads, 42);
    }
}

#[test]
fn memory_stays_constant_over_many_operations() {
    const ROUNDS: usize = 10;
    let arena = Arena::reserve(1 << 30).unwrap();
    let cache = cache_of(&arena);
    let mut random = Prng::new(7);
    let mut slots: Vec<Option<Filled>> = (0..1000).map(|_| None).collect();
    let mut used = Vec::new();
    for round in 0..ROUNDS {
        for _ in 0..ops(300_000) / ROUNDS {
            let at = random.below(slots.len() as u64) as usize;
            match slots[at].take() {
                Some(block) => block.free(&cache),
                None => slots[at] = Some(Filled::new(&cache, &mut random)),
            }
        }
        let mut classes = std::array::from_fn(|class| super::ClassStats::new(block_bytes(class)));
        let counts = arena.count(&mut classes);
        used.push(counts.used + counts.retained);
        assert!(round < 3 || used[round] <= used[2] + 8, "slabs by round: {used:?}");
    }
    slots.into_iter().flatten().for_each(|block| block.free(&cache));
    cache.drain();
    assert_eq!(in_use(&arena), 0);
    arena.invariant(true).unwrap();
}

#[test]
fn spans_take_runs_of_slabs_and_neighbours_join_again() {
    let arena = Arena::reserve(64 << 20).unwrap();
    arena.set_retention(Retention { bytes: 0, age: Duration::ZERO });
    let sizes = [3 << 20, (1 << 20) + 1, 9 << 20, 2 << 20, 30 << 20];
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [1, 3, 0, 2, 4]] {
        let spans = sizes.map(|size| arena.alloc_span(size).unwrap().0);
        arena.invariant(true).unwrap();
        for (span, size) in spans.iter().zip(sizes) {
            assert!(span.as_ptr().addr().is_multiple_of(SLAB_BYTES));
            // SAFETY: `size` bytes of ours.
            let bytes = unsafe { std::slice::from_raw_parts_mut(span.as_ptr(), size) };
            assert!(bytes.iter().step_by(997).all(|&byte| byte == 0));
            bytes.fill(1);
        }
        for at in order {
            assert!(arena.free_span(spans[at]));
            assert!(!arena.free_span(spans[at]));
            arena.invariant(true).unwrap();
        }
        let whole = arena.alloc_span(64 << 20).unwrap().0;
        assert!(arena.free_span(whole));
    }
}

#[test]
fn a_full_range_and_a_limit_are_errors_that_name_them() {
    let arena = Arena::reserve(64 << 20).unwrap();
    let refused = arena.alloc_span(65 << 20).unwrap_err();
    assert_eq!((refused.reason, refused.asked, refused.in_use), (Reason::Range, 65 << 20, 0));
    for asked in [(64 << 20) + 1, 1 << 40, 1 << 62, usize::MAX] {
        assert_eq!(arena.alloc_span(asked).unwrap_err().asked, asked);
        arena.invariant(true).unwrap();
    }
    arena.set_limit(5 << 20);
    let first = arena.alloc_span(3 << 20).unwrap().0;
    let refused = arena.alloc_span(3 << 20).unwrap_err();
    assert_eq!((refused.reason, refused.in_use, refused.limit), (Reason::Limit, 4 << 20, 6 << 20));
    let cache = cache_of(&arena);
    let block = cache.alloc(60).unwrap();
    let refused = cache.alloc(61).unwrap_err();
    assert_eq!((refused.reason, refused.in_use), (Reason::Limit, 6 << 20));
    // What is retained goes before something is refused.
    assert!(arena.free_span(first));
    let second = arena.alloc_span(2 << 20).unwrap().0;
    assert!(cache.alloc(61).is_ok());
    assert!(arena.free_span(second));
    // SAFETY: of that class, unused.
    unsafe { cache.free(60, block) };
    arena.invariant(true).unwrap();
}

#[test]
fn slabs_that_come_back_are_kept_up_to_a_budget_and_an_age() {
    let arena = Arena::reserve(256 << 20).unwrap();
    let retained = |arena: &Arena| {
        let mut classes = std::array::from_fn(|class| super::ClassStats::new(block_bytes(class)));
        arena.count(&mut classes).retained
    };
    arena.set_retention(Retention { bytes: 16 << 20, age: Duration::from_secs(3600) });
    let spans: Vec<_> = (0..8).map(|_| arena.alloc_span(2 << 20).unwrap().0).collect();
    let calls = arena.kernel_calls();
    spans.into_iter().for_each(|span| assert!(arena.free_span(span)));
    assert_eq!((retained(&arena), arena.kernel_calls()), (8, calls));
    // Taken again without the kernel.
    let again: Vec<_> = (0..8).map(|_| arena.alloc_span(2 << 20).unwrap()).collect();
    assert!(again.iter().all(|(_, zero)| !zero) && arena.kernel_calls() == calls);
    let more = arena.alloc_span(2 << 20).unwrap().0;
    again.into_iter().for_each(|(span, _)| assert!(arena.free_span(span)));
    assert!(arena.free_span(more));
    assert_eq!(retained(&arena), 7);
    arena.set_retention(Retention { bytes: 16 << 20, age: Duration::ZERO });
    std::thread::sleep(Duration::from_millis(3));
    let span = arena.alloc_span(3 << 20).unwrap().0;
    assert_eq!(retained(&arena), 0);
    assert!(arena.free_span(span));
    arena.purge();
    assert_eq!(retained(&arena), 0);
    arena.invariant(true).unwrap();
}

#[test]
fn prewarmed_blocks_need_no_kernel() {
    let arena = Arena::reserve(256 << 20).unwrap();
    let class = class_aligned(1000, 64).unwrap();
    arena.prewarm(class, 5000).unwrap();
    arena.invariant(true).unwrap();
    let calls = arena.kernel_calls();
    let cache = cache_of(&arena);
    let blocks: Vec<_> = (0..5000).map(|_| cache.alloc(class).unwrap()).collect();
    assert_eq!(arena.kernel_calls(), calls);
    let distinct: std::collections::HashSet<_> = blocks.iter().collect();
    assert_eq!(distinct.len(), 5000);
    // SAFETY: of that class, unused.
    blocks.into_iter().for_each(|block| unsafe { cache.free(class, block) });
    cache.drain();
    arena.invariant(true).unwrap();
    arena.set_limit(10 << 20);
    assert_eq!(arena.prewarm(class, 20_000).unwrap_err().reason, Reason::Limit);
    arena.invariant(true).unwrap();
}

#[test]
fn threads_that_end_leave_what_others_hold() {
    let kept = Mutex::new(HashMap::new());
    for round in 0..20u8 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for at in 0..200 {
                    let block = heap::alloc(200, 16).unwrap();
                    // SAFETY: 200 bytes of ours.
                    unsafe { block.as_ptr().write_bytes(round, 200) };
                    kept.lock().unwrap().insert(block.as_ptr().addr(), (round, at));
                }
            });
        });
    }
    let kept = kept.into_inner().unwrap();
    assert_eq!(kept.len(), 4000);
    for (address, (byte, _)) in kept {
        let block = NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(address)).unwrap();
        // SAFETY: 200 bytes that nobody else has.
        let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), 200) };
        assert!(bytes.iter().all(|&there| there == byte));
        // SAFETY: allocated with these, not used any more.
        unsafe { heap::free(block, 200, 16) };
    }
}

/// Locals of a thread that end after its cache may still allocate and free.
#[test]
fn destructors_of_locals_may_allocate() {
    struct Late(NonNull<u8>);
    impl Drop for Late {
        fn drop(&mut self) {
            let more = heap::alloc_zeroed(500, 16).unwrap();
            // SAFETY: allocated with these, not used any more.
            unsafe {
                heap::free(self.0, 300, 16);
                heap::free(more, 500, 16);
            }
        }
    }
    thread_local!(static LATE: Late = Late(heap::alloc(300, 16).unwrap()));
    for _ in 0..10 {
        // Registered first, so it ends last.
        std::thread::spawn(|| LATE.with(|late| late.0.addr())).join().unwrap();
    }
}

/// A child that is forked while others allocate finds a heap that works.
#[test]
fn a_forked_child_can_allocate() {
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let blocks: Vec<_> = (0..20).map(|_| heap::alloc(300 << 10, 1).unwrap()).collect();
                for block in blocks {
                    // SAFETY: allocated with these, not used any more.
                    unsafe { heap::free(block, 300 << 10, 1) };
                }
            }
        });
        for _ in 0..20 {
            // SAFETY: the child allocates from this heap alone and leaves without unwinding.
            let child = unsafe { libc::fork() };
            assert!(child >= 0);
            if child == 0 {
                let works = (0..1000usize).all(|at| {
                    let size = 1 + at * 613;
                    // SAFETY: `size` bytes of ours, freed once.
                    heap::alloc(size, 1).is_ok_and(|block| unsafe {
                        block.as_ptr().write_bytes(1, size);
                        heap::free(block, size, 1);
                        true
                    })
                });
                // SAFETY: leaves without running anything of the parent's.
                unsafe { libc::_exit(if works { 0 } else { 1 }) };
            }
            let mut status = 0;
            // SAFETY: `status` is valid for a write.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
