//! Changing and reading pages. Changes are logged, in a durable state; every one of them is new.
#![allow(clippy::unwrap_used, reason = "a benchmark that fails has to stop")]

mod common;

use common::{Bench, contents, criterion};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use mmsb::{Batch, Config, Delta, Location, Note, PageId, State};
use std::hint::black_box;

/// Measures `op`, the i-th change of a state, which is told the state and i.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut bench: Bench,
    op: impl Fn(&Bench, u64),
) {
    let mut done = 0;
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let took = bench.rounds(done, count, &op);
            done += count;
            took
        });
    });
}

/// Every byte of a page is new.
fn update_dense(c: &mut Criterion) {
    let mut group = c.benchmark_group("page/update_dense");
    for (name, size) in [("16B", 16), ("1KiB", 1 << 10), ("64KiB", 64 << 10)] {
        group.throughput(Throughput::Bytes(size as u64));
        let contents = contents(size);
        measure(&mut group, name, Bench::new(100, size as u64), |bench, i| {
            let content = &contents[(bench.turn(i) % 2) as usize];
            bench.state.update(bench.page(i), content, Note::NONE).unwrap();
        });
    }
}

/// 10 bytes of a 1 KiB page are new, and the engine finds them.
fn update_sparse(c: &mut Criterion) {
    let mut group = c.benchmark_group("page/update_sparse");
    let [old, mut new] = contents(1024);
    new.copy_from_slice(&old);
    new[500..510].iter_mut().for_each(|byte| *byte = !*byte);
    let contents = [new, old];
    measure(&mut group, "10_of_1024", Bench::new(100, 1024), |bench, i| {
        let content = &contents[(bench.turn(i) % 2) as usize];
        bench.state.update(bench.page(i), content, Note::NONE).unwrap();
    });
}

/// Nothing is new: compared, not recorded.
fn update_equal(c: &mut Criterion) {
    let mut group = c.benchmark_group("page/update_equal");
    let content = &contents(1024)[0];
    let bench = Bench::new(100, 1024);
    for &page in &bench.pages {
        bench.state.update(page, content, Note::NONE).unwrap();
    }
    measure(&mut group, "1KiB", bench, |bench, i| {
        assert_eq!(bench.state.update(bench.page(i), content, Note::NONE).unwrap(), None);
    });
}

/// The caller says where the new bytes go.
fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("page/write");
    for (name, len) in [("8B", 8), ("256B", 256)] {
        group.throughput(Throughput::Bytes(len as u64));
        let contents = contents(len);
        measure(&mut group, name, Bench::new(100, 1024), |bench, i| {
            let bytes = &contents[(bench.turn(i) % 2) as usize];
            bench.state.write(bench.page(i), 300, bytes, Note::NONE).unwrap();
        });
    }
}

/// A byte mask says which bytes count: one in eight, in stretches of 16.
fn write_masked(c: &mut Criterion) {
    let mut group = c.benchmark_group("page/write_masked");
    let mask: Vec<u8> = (0..1024).map(|i| u8::from(i % 128 < 16)).collect();
    let contents = contents(1024);
    measure(&mut group, "128_of_1024", Bench::new(100, 1024), |bench, i| {
        let content = &contents[(bench.turn(i) % 2) as usize];
        bench.state.write_masked(bench.page(i), &mask, content, Note::NONE).unwrap();
    });
}

/// One group over many pages, 64 bytes on each.
fn batch(c: &mut Criterion) {
    let mut group = c.benchmark_group("page/batch");
    for (name, pages) in [("8_pages", 8), ("128_pages", 128)] {
        group.throughput(Throughput::Elements(pages));
        let contents = contents(64);
        measure(&mut group, name, Bench::new(pages as usize, 1024), |bench, i| {
            let mut batch = Batch::new(&bench.state);
            for &page in &bench.pages {
                batch.write(page, 100, &contents[(i % 2) as usize]).unwrap();
            }
            batch.commit(Note::NONE).unwrap();
        });
    }
}

/// Deltas by themselves: built from a mask, merged, applied to bytes and to a state.
fn delta(c: &mut Criterion) {
    let mut group = c.benchmark_group("page/delta");
    let (page, size) = (PageId(1), 1024);
    let mask: Vec<u8> = (0..size).map(|i| u8::from(i % 128 < 16)).collect();
    let contents = contents(size);
    group.bench_function("build_dense", |b| {
        b.iter(|| Delta::dense(page, black_box(&contents[0][..])).unwrap());
    });
    group.bench_function("build_masked", |b| {
        b.iter(|| Delta::sparse(page, black_box(&mask), &contents[0]).unwrap());
    });
    let early = Delta::sparse(page, &mask, &contents[0]).unwrap();
    let shifted: Vec<u8> = (0..size).map(|i| u8::from(i % 96 < 16)).collect();
    let late = Delta::sparse(page, &shifted, &contents[1]).unwrap();
    group.bench_function("merge", |b| b.iter(|| black_box(&early).merge(&late).unwrap()));
    let mut bytes = vec![0; size];
    group.bench_function("apply_to_bytes", |b| {
        b.iter(|| black_box(&early).apply_to(black_box(&mut bytes)).unwrap());
    });
    let bench = Bench::new(100, size as u64);
    let build = |page, content: &Vec<u8>| Delta::sparse(page, &mask, content).unwrap();
    let deltas: Vec<[Delta; 2]> =
        bench.pages.iter().map(|&page| [0, 1].map(|k| build(page, &contents[k]))).collect();
    measure(&mut group, "apply_to_state", bench, |bench, i| {
        let delta = &deltas[i as usize % deltas.len()][(bench.turn(i) % 2) as usize];
        bench.state.apply(delta).unwrap();
    });
}

/// Reading: a copy, and a view without one.
fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("page/read");
    let bench = Bench::new(100, 1024);
    common::fill(&bench.state, &bench.pages);
    let mut at = 0..;
    let mut next = || bench.page(at.next().unwrap_or(0));
    let mut buf = vec![0; 1024];
    group.bench_function("copy_1KiB", |b| {
        b.iter(|| {
            bench.state.read(next(), 0, &mut buf).unwrap();
            black_box(&buf);
        });
    });
    group.bench_function("view_1KiB", |b| {
        b.iter(|| black_box(bench.state.view(next()).unwrap()[77]));
    });
    assert!(buf.iter().all(|&byte| byte != 0));
}

/// An update of a page that somebody views: the old content stays, the new goes elsewhere.
fn update_viewed(c: &mut Criterion) {
    let mut group = c.benchmark_group("page/update_viewed");
    let contents = contents(1024);
    measure(&mut group, "1KiB", Bench::new(100, 1024), |bench, i| {
        let view = bench.state.view(bench.page(i)).unwrap();
        let content = &contents[(bench.turn(i) % 2) as usize];
        bench.state.update(bench.page(i), content, Note::NONE).unwrap();
        assert_ne!(view[0], content[0]);
    });
}

/// Private pages: opened to be read, opened and sealed to be written.
fn private(c: &mut Criterion) {
    let mut group = c.benchmark_group("page/private");
    for (name, size) in [("64B", 64), ("1KiB", 1 << 10), ("64KiB", 64 << 10)] {
        group.throughput(Throughput::Bytes(size as u64));
        let mut bench = Bench::new(0, size as u64);
        bench.state.unlock(&[7; 32]).unwrap();
        let create = |_| bench.state.create_private_page(size as u64, Location::Cpu, Note::NONE);
        bench.pages = (0..100).map(|i| create(i).unwrap()).collect();
        let contents = contents(size);
        measure(&mut group, &format!("update_{name}"), bench, |bench, i| {
            let content = &contents[(bench.turn(i) % 2) as usize];
            assert!(bench.state.update(bench.page(i), content, Note::NONE).unwrap().is_some());
        });
        let state = State::open(Config::memory()).unwrap();
        state.unlock(&[7; 32]).unwrap();
        let page = state.create_private_page(size as u64, Location::Cpu, Note::NONE).unwrap();
        let mut buf = vec![1; size];
        group.bench_function(format!("read_{name}"), |b| {
            b.iter(|| {
                state.read(page, 0, &mut buf).unwrap();
                black_box(&buf);
            });
        });
        assert!(buf.iter().all(|&byte| byte == 0));
    }
}

criterion_group! {
    name = page;
    config = criterion();
    targets = update_dense, update_sparse, update_equal, update_viewed, write, write_masked,
        batch, delta, read, private
}
criterion_main!(page);
