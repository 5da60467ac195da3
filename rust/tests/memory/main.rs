//! A program whose allocator is the engine's heap; and what a state's life asks of heap and kernel.
// There the library brings an allocator.
#![cfg(not(slab_alloc))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

#[path = "../common/syscalls.rs"]
#[cfg(target_os = "linux")]
mod syscalls;

use mmsb::memory::{self, SlabAlloc};
use mmsb::{Config, Note, PageId, State};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard};

/// The heap, counting what each thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: passes everything on.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { SlabAlloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { SlabAlloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { SlabAlloc.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { SlabAlloc.realloc(block, layout, size) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

/// One test at a time: a fork copies whatever other threads are in the middle of.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Words of some text that each thread makes for itself.
fn words(thread: usize) -> impl Iterator<Item = String> {
    (0..20_000usize).map(move |i| {
        let length = 1 + (i * 7 + thread) % 40;
        format!("{:x}", i * i + thread % 3).repeat(length).chars().take(length).collect()
    })
}

/// Counts words on eight threads that hand strings and maps to each other, beside states that are
/// opened, written and closed; and compares with one thread.
#[test]
fn a_program_with_threads_runs_on_the_heap() {
    let _alone = alone();
    let (send, receive) = channel::<HashMap<String, usize>>();
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let send = send.clone();
            std::thread::spawn(move || {
                let mut counts: HashMap<String, usize> = HashMap::new();
                for word in words(thread) {
                    *counts.entry(word).or_default() += 1;
                }
                let state = State::open(Config::memory()).unwrap();
                for _ in 0..200 {
                    let page = state.create_page(1000, Note::NONE).unwrap();
                    state.update(page, &[thread as u8 + 1; 1000], Note::NONE).unwrap();
                }
                assert!(
                    state.read_all(PageId(200)).unwrap().iter().all(|&b| b == thread as u8 + 1)
                );
                state.close().unwrap();
                send.send(counts).unwrap();
            })
        })
        .collect();
    drop(send);
    let mut total: BTreeMap<String, usize> = BTreeMap::new();
    for counts in receive {
        for (word, n) in counts {
            *total.entry(word).or_default() += n;
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    (0..8).flat_map(words).for_each(|word| *expected.entry(word).or_default() += 1);
    assert_eq!(total, expected);
    drop((total, expected));
    let shared: Arc<Vec<u8>> = Arc::new(vec![3; 10 << 20]);
    assert!(shared.iter().all(|&byte| byte == 3));
    memory::invariant().unwrap();
}

fn life() {
    let state = State::open(Config::memory()).unwrap();
    std::hint::black_box(state.create_page(1024, Note::NONE).unwrap());
    state.close().unwrap();
}

#[test]
fn a_pooled_life_allocates_nothing() {
    let _alone = alone();
    (0..100).for_each(|_| life());
    let (before, calls) = (ALLOCATIONS.get(), memory::stats().kernel_calls);
    let counted = ALLOCATIONS.get() - before;
    let before = ALLOCATIONS.get();
    (0..10_000).for_each(|_| life());
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(memory::stats().kernel_calls, calls);
    assert!(counted > 0, "what counting itself allocates was not counted");
}

#[cfg(target_os = "linux")]
#[test]
fn a_pooled_life_makes_no_system_call() {
    let _alone = alone();
    let calls = syscalls::count(|begin| {
        (0..100).for_each(|_| life());
        begin();
        (0..10_000).for_each(|_| life());
    });
    assert_eq!(calls, 0);
}
