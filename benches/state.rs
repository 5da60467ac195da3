//! A state's life: opening, the first page, the digest, closing.
#![allow(clippy::unwrap_used, reason = "a benchmark that fails has to stop")]

mod common;

use common::{create_pages, criterion, directory, durable, fill};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use mmsb::{Config, Note, State};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A pooled state in memory: opened, given a page of 1 KiB, closed.
fn memory(c: &mut Criterion) {
    let mut group = c.benchmark_group("state/memory");
    group.bench_function("open_create_close", |b| {
        b.iter(|| {
            let state = State::open(Config::memory()).unwrap();
            black_box(state.create_page(1024, Note::NONE).unwrap());
            state.close().unwrap();
        });
    });
    assert!(State::pooled() > 0);
}

/// A state in a directory: one change, opened and closed around it, twice synced.
fn directory_life(c: &mut Criterion) {
    let mut group = c.benchmark_group("state/directory");
    group.sampling_mode(SamplingMode::Flat);
    let dir = directory();
    let open = || State::open(Config::durable(dir.path().join("state"))).unwrap();
    let state = open();
    let page = state.create_page(1024, Note::NONE).unwrap();
    state.close().unwrap();
    let mut changes = 0u64;
    group.bench_function("open_write_close", |b| {
        b.iter(|| {
            changes += 1;
            let state = open();
            state.write(page, 0, &changes.to_le_bytes(), Note::NONE).unwrap();
            state.close().unwrap();
        });
    });
    assert_eq!(open().epoch(page).unwrap(), changes);
}

/// A page begins and ends.
fn create_free(c: &mut Criterion) {
    let mut group = c.benchmark_group("state/page");
    for (name, size) in [("64B", 64), ("1KiB", 1024), ("64KiB", 64 << 10)] {
        let state = State::open(Config::memory()).unwrap();
        group.bench_function(format!("create_free_{name}"), |b| {
            b.iter(|| {
                let page = state.create_page(size, Note::NONE).unwrap();
                state.free_page(page, Note::NONE).unwrap();
            });
        });
        assert_eq!(state.page_count(), 0);
    }
}

/// One pass over all pages.
fn digest(c: &mut Criterion) {
    let mut group = c.benchmark_group("state/digest");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(10_000 << 10));
    let (_dir, state) = durable();
    let pages = create_pages(&state, 10_000, 1024);
    fill(&state, &pages);
    let before = state.digest().unwrap();
    group.bench_function("10k_x_1KiB", |b| {
        b.iter(|| assert_eq!(state.digest().unwrap(), before));
    });
    state.write(pages[0], 0, &[0], Note::NONE).unwrap();
    assert_ne!(state.digest().unwrap(), before);
}

/// Back to a mark, and what a comparison with it takes, of 100,000 pages of which some changed.
fn revert(c: &mut Criterion) {
    let mut group = c.benchmark_group("state/revert");
    let state = State::open(Config::memory()).unwrap();
    let pages = create_pages(&state, 100_000, 64);
    let mark = state.soft_checkpoint().unwrap();
    for count in [10, 100, 1000] {
        let step = pages.len() / count;
        let mut changes = 0u64;
        let mut change = || {
            changes += 1;
            for page in pages.iter().step_by(step) {
                state.write(*page, 0, &changes.to_le_bytes(), Note::NONE).unwrap();
            }
        };
        group.bench_function(format!("back_from_{count}"), |b| {
            b.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    change();
                    let start = Instant::now();
                    state.revert(&mark, Note::NONE).unwrap();
                    spent += start.elapsed();
                }
                spent
            });
        });
        let before = state.snapshot().unwrap();
        change();
        group.bench_function(format!("compare_{count}"), |b| {
            b.iter(|| assert_eq!(state.compare(&before).unwrap().len(), count));
        });
        state.revert(&mark, Note::NONE).unwrap();
        assert_eq!(state.compare(&before).unwrap(), []);
    }
    state.verify().unwrap();
}

/// A cut through all pages, and what reading one through it costs.
fn snapshot(c: &mut Criterion) {
    let mut group = c.benchmark_group("state/snapshot");
    let state = State::open(Config::memory()).unwrap();
    let pages = create_pages(&state, 1000, 1024);
    fill(&state, &pages);
    group.bench_function("take_drop", |b| b.iter(|| state.snapshot().unwrap()));
    let snapshot = state.snapshot().unwrap();
    let old = snapshot.read_all(pages[7]).unwrap();
    state.update(pages[7], &[0; 1024], Note::NONE).unwrap();
    let mut buf = vec![0; 1024];
    group.bench_function("read_old_1KiB", |b| {
        b.iter(|| snapshot.read(black_box(pages[7]), 0, &mut buf).unwrap());
    });
    assert_eq!(buf, old);
}

criterion_group! {
    name = state;
    config = criterion();
    targets = memory, directory_life, create_free, digest, snapshot, revert
}
criterion_main!(state);
