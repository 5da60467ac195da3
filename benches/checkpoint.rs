//! Images: written, and opened again.
#![allow(clippy::unwrap_used, reason = "a benchmark that fails has to stop")]

mod common;

use common::{create_pages, criterion, durable, fill};
use criterion::{BatchSize, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use mmsb::{Note, State};
use std::hint::black_box;

const PAGES: usize = 10_000;

/// A checkpoint of 10,000 x 1 KiB, synced; a change before each, or there is nothing to write.
fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("checkpoint/write");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes((PAGES as u64) << 10));
    let (_dir, state) = durable();
    let pages = create_pages(&state, PAGES, 1024);
    fill(&state, &pages);
    let mut last = state.checkpoint(None).unwrap().lsn;
    let mut at = 0u64;
    let mut change = || {
        at += 1;
        state.write(pages[at as usize % PAGES], 8, &at.to_le_bytes(), Note::NONE).unwrap();
        state.sync().unwrap();
    };
    group.bench_function("10k_x_1KiB", |b| {
        let checkpoint = |()| {
            let info = state.checkpoint(None).unwrap();
            assert!(info.lsn > last && info.bytes > (PAGES as u64) << 10);
            last = info.lsn;
        };
        b.iter_batched(&mut change, checkpoint, BatchSize::PerIteration);
    });
    state.verify().unwrap();
}

/// Opening that image, to the first page's content, and to all of them checked and read.
fn open(c: &mut Criterion) {
    let mut group = c.benchmark_group("checkpoint/open");
    group.sampling_mode(SamplingMode::Flat);
    let (dir, state) = durable();
    let pages = create_pages(&state, PAGES, 1024);
    fill(&state, &pages);
    let path = dir.path().join("backup.image");
    state.export_checkpoint(&path).unwrap();
    let digest = state.digest().unwrap();
    group.bench_function("first_page_of_10k", |b| {
        b.iter(|| {
            let opened = State::load_checkpoint(&path).unwrap();
            assert_ne!(black_box(opened.view(pages[7777]).unwrap()[0]), 0);
        });
    });
    group.throughput(Throughput::Bytes((PAGES as u64) << 10));
    group.bench_function("all_pages_of_10k", |b| {
        b.iter(|| {
            let opened = State::load_checkpoint(&path).unwrap();
            assert!(pages.iter().all(|&page| opened.view(page).unwrap()[0] != 0));
        });
    });
    assert_eq!(State::load_checkpoint(&path).unwrap().digest().unwrap(), digest);
}

criterion_group! {
    name = checkpoint;
    config = criterion();
    targets = write, open
}
criterion_main!(checkpoint);
