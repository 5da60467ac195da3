//! Rows M1 to M6 of the room `memory`: blocks against other allocators, pages, a state's life.

use crate::row::{Bar, median, ns, print, time};
use crate::syscalls;
use jemalloc::Jemalloc;
use mimalloc::MiMalloc;
use mmsb::memory::{self, Retention, SlabAlloc};
use mmsb::{Allocator, Config, Location, Note, State};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

type Row = (&'static str, fn());

const ROWS: &[Row] = &[("M1", m1), ("M2", m2), ("M3", m3), ("M4", m4), ("M5", m5), ("M6", m6)];

pub fn run(only: Option<&str>) {
    for (id, row) in ROWS {
        if only.is_none_or(|only| only == *id) {
            row();
        }
    }
}

const SLOTS: usize = 8192;
const ROUNDS: usize = 21;
const OPS: usize = 500_000;

struct XorShift(u64);

impl XorShift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A block by address and size: it goes from one thread to another. Address 0 is none.
#[derive(Clone, Copy)]
struct Given(usize, u32);

fn layout(size: usize) -> Layout {
    // SAFETY: the alignment is a power of two, sizes are small.
    unsafe { Layout::from_size_align_unchecked(size, 8) }
}

/// Allocates and touches: the first byte and the last.
fn allocate(heap: &impl GlobalAlloc, size: usize) -> Given {
    let layout = layout(size);
    // SAFETY: the layout is not empty, and the block as large as it says.
    unsafe {
        let block = heap.alloc(layout);
        assert!(!block.is_null());
        block.write(size as u8);
        block.add(size - 1).write(size as u8);
        Given(block.expose_provenance(), size as u32)
    }
}

impl Given {
    fn block(&self) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut(self.0)
    }

    /// Whether it holds what `allocate` wrote.
    fn is_whole(&self) -> bool {
        let size = self.1 as usize;
        // SAFETY: allocated with this layout, not freed yet.
        unsafe { [self.block().read(), self.block().add(size - 1).read()] == [size as u8; 2] }
    }
}

fn release(heap: &impl GlobalAlloc, given: Given) {
    // SAFETY: allocated with this layout by the same heap, and freed once.
    unsafe { heap.dealloc(given.block(), layout(given.1 as usize)) }
}

/// The work of M1 on one heap.
struct Slots<H> {
    heap: H,
    random: XorShift,
    slots: Vec<Given>,
    sizes: (usize, usize),
}

impl<H: GlobalAlloc> Slots<H> {
    fn new(heap: H, sizes: (usize, usize)) -> Slots<H> {
        Slots { heap, random: XorShift(42), slots: vec![Given(0, 0); SLOTS], sizes }
    }

    fn run(&mut self, ops: usize) {
        let (least, most) = self.sizes;
        let span = (most - least + 1) as u64;
        for _ in 0..ops {
            let n = self.random.next();
            let slot = &mut self.slots[n as usize % SLOTS];
            if slot.0 != 0 {
                release(&self.heap, *slot);
                slot.0 = 0;
            } else {
                *slot = allocate(&self.heap, least + (((n >> 32) * span) >> 32) as usize);
            }
        }
    }

    fn clear(&mut self) {
        for slot in &mut self.slots {
            if slot.0 != 0 {
                assert!(slot.is_whole());
                release(&self.heap, *slot);
                slot.0 = 0;
            }
        }
    }
}

/// Medians of ours, mimalloc, jemalloc, glibc, in turns.
fn compare(sizes: (usize, usize)) -> [f64; 4] {
    let mut ours = Slots::new(SlabAlloc, sizes);
    let mut mimalloc = Slots::new(MiMalloc, sizes);
    let mut jemalloc = Slots::new(Jemalloc, sizes);
    let mut glibc = Slots::new(System, sizes);
    let mut times: [Vec<f64>; 4] = Default::default();
    for round in 0..ROUNDS {
        let figures = [
            time(OPS, || ours.run(OPS)),
            time(OPS, || mimalloc.run(OPS)),
            time(OPS, || jemalloc.run(OPS)),
            time(OPS, || glibc.run(OPS)),
        ];
        // The first fills the slots.
        if round > 0 {
            times.iter_mut().zip(figures).for_each(|(times, figure)| times.push(figure));
        }
    }
    ours.clear();
    mimalloc.clear();
    jemalloc.clear();
    glibc.clear();
    memory::invariant().expect("a sound heap");
    times.map(median)
}

fn print_against(id: &str, [ours, mimalloc, jemalloc, glibc]: [f64; 4], bar: f64) {
    let best = mimalloc.min(jemalloc).min(glibc);
    let figures = [
        ("ours", ns(ours)),
        ("mimalloc", ns(mimalloc)),
        ("jemalloc", ns(jemalloc)),
        ("glibc", ns(glibc)),
    ];
    print(id, &figures, ours / best, Bar::AtMost(bar));
}

fn m1() {
    print_against("M1", compare((16, 1024)), 1.0);
}

fn m2() {
    print_against("M2", compare((1024, 1024)), 0.8);
}

/// A bounded queue of batches, so that the queue is not the work.
#[derive(Default)]
struct Queue {
    batches: Mutex<VecDeque<Vec<Given>>>,
    changed: Condvar,
}

const BATCH: usize = 256;
const BATCHES_MAX: usize = 16;

impl Queue {
    fn put(&self, batch: Vec<Given>) {
        let mut batches = self.batches.lock().expect("the queue");
        while batches.len() >= BATCHES_MAX {
            batches = self.changed.wait(batches).expect("the queue");
        }
        batches.push_back(batch);
        self.changed.notify_one();
    }

    fn take(&self) -> Vec<Given> {
        let mut batches = self.batches.lock().expect("the queue");
        loop {
            if let Some(batch) = batches.pop_front() {
                self.changed.notify_one();
                return batch;
            }
            batches = self.changed.wait(batches).expect("the queue");
        }
    }
}

/// ns per block that one thread allocates and another frees.
fn pass_on<H: GlobalAlloc + Sync>(heap: &H) -> f64 {
    const BLOCKS: usize = 400 * BATCH;
    let (full, empty) = (Queue::default(), Queue::default());
    for _ in 0..BATCHES_MAX {
        empty.put(Vec::with_capacity(BATCH));
    }
    time(BLOCKS, || {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..BLOCKS / BATCH {
                    let mut batch = full.take();
                    assert!(batch[0].is_whole());
                    batch.drain(..).for_each(|given| release(heap, given));
                    empty.put(batch);
                }
            });
            let mut random = XorShift(42);
            for _ in 0..BLOCKS / BATCH {
                let mut batch = empty.take();
                batch.extend(
                    (0..BATCH).map(|_| allocate(heap, 16 + (random.next() % 1009) as usize)),
                );
                full.put(batch);
            }
        });
    })
}

fn m3() {
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        let figures =
            [pass_on(&SlabAlloc), pass_on(&MiMalloc), pass_on(&Jemalloc), pass_on(&System)];
        times.iter_mut().zip(figures).for_each(|(times, figure)| times.push(figure));
    }
    memory::invariant().expect("a sound heap");
    print_against("M3", times.map(median), 1.0);
}

/// System calls of 10 million operations of M1, counted by tracing a child.
fn m4() {
    const OPS: usize = 10_000_000;
    let calls = syscalls::count(|begin| {
        for size in (16..=1024).step_by(16) {
            memory::prewarm(size, 8, SLOTS / 8).expect("warm blocks");
        }
        let mut slots = Slots::new(SlabAlloc, (16, 1024));
        // The thread's cache, and what the classes hold at once.
        slots.run(4 * SLOTS);
        begin();
        slots.run(OPS);
        slots
    });
    let figures = [("calls", calls.to_string()), ("ops", OPS.to_string())];
    print("M4", &figures, calls as f64, Bar::AtMost(0.0));
}

const PAGES: usize = 1_000_000;

/// Exact, unlike `statm`, whose counters lag behind.
fn resident_bytes() -> f64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("smaps_rollup");
    let line = rollup.lines().find(|line| line.starts_with("Rss:")).expect("a line of it");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kib * 1024.0
}

/// A million pages of 1 KiB in a fresh allocator, all of them written after the timing; ns per page,
/// bytes per page.
fn create_pages() -> (f64, f64) {
    let before = resident_bytes();
    let pages = Allocator::new();
    let spent = time(PAGES, || {
        for _ in 0..PAGES {
            pages.allocate(1024, Location::Cpu).expect("a page");
        }
    });
    let ids = pages.list_pages().expect("ids");
    assert_eq!(ids.len(), PAGES);
    for id in ids {
        let zero = |page: &[u8]| page.iter().all(|&byte| byte == 0);
        assert!(zero(&pages.view(id).expect("a view")));
        // Memory that nothing was written to need not be there.
        pages.write(id, 0, &[1; 1024]).expect("a write");
    }
    (spent, (resident_bytes() - before) / PAGES as f64)
}

/// ns per KiB: first touch of fresh memory, and zeroing it then.
fn bare_pages() -> (f64, f64) {
    let len = PAGES << 10;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping of our own.
    let base = unsafe {
        libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
    };
    assert_ne!(base, libc::MAP_FAILED);
    let fill = || {
        time(PAGES, || {
            for page in 0..PAGES {
                // SAFETY: within the mapping.
                unsafe { base.cast::<u8>().add(page << 10).write_bytes(0, 1024) };
            }
        })
    };
    let figures = (fill(), fill());
    // SAFETY: mapped above, not used any more.
    unsafe { libc::munmap(base, len) };
    figures
}

fn m5() {
    memory::set_retention(Retention { bytes: 4 << 30, age: Duration::from_secs(600) });
    let (mut cold, mut warm, mut touch, mut zero) = Default::default();
    let mut bytes: Vec<f64> = Vec::new();
    for _ in 0..3 {
        memory::purge();
        let push = |times: &mut Vec<f64>, figure| times.push(figure);
        let (first, resident) = create_pages();
        push(&mut cold, first);
        push(&mut bytes, resident);
        push(&mut warm, create_pages().0);
        memory::purge();
        let (first, again) = bare_pages();
        push(&mut touch, first);
        push(&mut zero, again);
    }
    memory::set_retention(Retention::default());
    let bytes = bytes.into_iter().fold(0.0, f64::max);
    let [cold, warm, touch, zero] = [cold, warm, touch, zero].map(median);
    let figures = [("cold", ns(cold)), ("touch", ns(touch))];
    print("M5", &figures, cold / touch, Bar::AtMost(1.15));
    print("M5", &[("warm", ns(warm)), ("zeroing", ns(zero))], warm, Bar::AtMost(60.0));
    print("M5", &[("resident", format!("{bytes:.1}B"))], bytes, Bar::AtMost(1090.0));
}

/// Open a pooled state in memory, create a 1 KiB page, close.
fn m6() {
    let life = || {
        let state = State::open(Config::memory()).expect("a state");
        let page = state.create_page(1024, Note::NONE).expect("a page");
        std::hint::black_box(page);
        state.close().expect("a close");
    };
    (0..1000).for_each(|_| life());
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(time(2000, || (0..2000).for_each(|_| life())));
    }
    let ours = median(times);
    print("M6", &[("ours", ns(ours))], ours, Bar::AtMost(150.0));
}
