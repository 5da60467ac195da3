//! The log: appending, handing over, reading back.
#![allow(clippy::unwrap_used, reason = "a benchmark that fails has to stop")]

mod common;

use common::{contents, create_pages, criterion, directory, durable};
use criterion::{BatchSize, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use mmsb::{Config, Delta, Durability, Lsn, Note, PageId, Query, State, TLog};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Appends between two flushes, which are not timed.
const ROUND: u64 = 2000;

/// Deltas to a log by itself, with nothing compared and nothing applied.
fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("log/append");
    for (name, len) in [("10B", 10), ("1KiB", 1024)] {
        group.throughput(Throughput::Bytes(len as u64));
        let dir = directory();
        let log = TLog::open(Config::durable(dir.path().join("log"))).unwrap();
        let delta = Delta::from_runs(PageId(1), &[(0, &contents(len)[0])]).unwrap();
        let mut appended = 0;
        group.bench_function(name, |b| {
            b.iter_custom(|count| {
                appended += count;
                let mut took = Duration::ZERO;
                for at in (0..count).step_by(ROUND as usize) {
                    let start = Instant::now();
                    for _ in at..count.min(at + ROUND) {
                        black_box(log.append(&delta).unwrap());
                    }
                    took += start.elapsed();
                    log.flush().unwrap();
                }
                took
            });
        });
        assert_eq!(log.summary().unwrap().deltas, appended);
    }
}

/// Handing 500 waiting updates of 1 KiB to the operating system, and making them durable.
fn flush(c: &mut Criterion) {
    let mut group = c.benchmark_group("log/settle_500_x_1KiB");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(500 << 10));
    let dir = directory();
    // No flusher beside the one that is measured.
    let durability = Durability::Memory;
    let config = Config { durability, ..Config::durable(dir.path().join("state")) };
    let state = State::open(config).unwrap();
    let (pages, contents) = (create_pages(&state, 500, 1024), contents(1024));
    let mut turn = 0;
    let mut change = || {
        turn += 1;
        for &page in &pages {
            state.update(page, &contents[turn % 2], Note::NONE).unwrap();
        }
        let stats = state.stats().unwrap();
        assert!(stats.pending_bytes > 500 << 10);
        stats.written_lsn
    };
    let check = |before: Lsn, after: Lsn| assert!(after > before);
    group.bench_function("flush", |b| {
        b.iter_batched(
            &mut change,
            |before| check(before, state.flush().unwrap()),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("sync", |b| {
        b.iter_batched(
            &mut change,
            |before| check(before, state.sync().unwrap()),
            BatchSize::PerIteration,
        );
    });
    state.verify().unwrap();
}

/// One update at a time that returns after its record is on stable storage.
fn commit(c: &mut Criterion) {
    let mut group = c.benchmark_group("log/commit");
    group.sampling_mode(SamplingMode::Flat);
    let dir = directory();
    let durability = Durability::Sync;
    let config = Config { durability, ..Config::durable(dir.path().join("state")) };
    let state = State::open(config).unwrap();
    let (page, contents) = (state.create_page(1024, Note::NONE).unwrap(), contents(1024));
    let mut turn = 0;
    group.bench_function("1KiB", |b| {
        b.iter(|| {
            turn += 1;
            state.update(page, &contents[turn % 2], Note::NONE).unwrap()
        });
    });
    let stats = state.stats().unwrap();
    assert!(stats.durable_lsn >= state.page_lsn(page).unwrap());
}

/// 100,000 changes of 10 bytes to 1,000 pages, by two sources.
fn history() -> (tempfile::TempDir, State, Vec<PageId>) {
    let (dir, state) = durable();
    let pages = create_pages(&state, 1000, 1024);
    for i in 0..100_000u64 {
        let (page, note) = (pages[i as usize % 1000], ["feed", "agent"][i as usize % 2]);
        state.write(page, 500, &[(i / 1000) as u8 + 1; 10], Note::from(note)).unwrap();
    }
    state.flush().unwrap();
    (dir, state, pages)
}

/// Reading back: the state as it was, one page as it was, one page's changes, everybody's.
fn read_back(c: &mut Criterion) {
    let (_dir, state, pages) = history();
    let end = state.flush().unwrap();
    let digest = state.digest().unwrap();

    let mut group = c.benchmark_group("log/replay");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(101_000));
    group.bench_function("100k_x_10B", |b| b.iter(|| state.replay_to(end).unwrap()));
    assert_eq!(state.replay_to(end).unwrap().digest().unwrap(), digest);
    group.finish();

    let mut group = c.benchmark_group("log/history");
    group.throughput(Throughput::Elements(101));
    group.bench_function("page_101_of_101k", |b| {
        b.iter(|| {
            let changes = state.page_history(black_box(pages[500])).unwrap();
            assert_eq!(changes.len(), 101);
            changes
        });
    });
    group.bench_function("page_at", |b| {
        let middle = state.page_history(pages[500]).unwrap()[50].lsn;
        b.iter(|| {
            let page = state.page_at(black_box(pages[500]), middle).unwrap();
            assert_eq!(page.epoch, 50);
            page
        });
    });
    group.finish();

    let mut group = c.benchmark_group("log/query");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(101_000));
    for (name, source, found) in [("all", None, 101_000), ("source", Some("feed"), 50_000)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let source = source.map(str::to_owned);
                let changes = state.query(Query { source, ..Query::default() }).unwrap();
                assert_eq!(changes.inspect(|change| assert!(change.is_ok())).count(), found);
            });
        });
    }
}

criterion_group! {
    name = log;
    config = criterion();
    targets = append, flush, commit, read_back
}
criterion_main!(log);
