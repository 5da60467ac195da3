//! What events cost: whoever changes something, and whoever listens.
#![allow(clippy::unwrap_used, reason = "a benchmark that fails has to stop")]

mod common;

use common::{Bench, contents, criterion};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mmsb::{Event, EventFilter, EventKind, Note, PageId, Subscription};

/// Updates of 64-byte pages, all bytes new, as `filters` listen; polled by the writer's own thread
/// now and then, or never.
fn update(c: &mut Criterion, name: &str, filters: Vec<EventFilter>, polled: bool) {
    let mut bench = Bench::new(100, 64);
    let subscribe = |filter| bench.state.subscribe(filter).unwrap();
    let listening: Vec<Subscription> = filters.into_iter().map(subscribe).collect();
    let contents = contents(64);
    let mut places = vec![Event::NONE; 4096];
    let mut done = 0;
    c.bench_function(&format!("events/update/{name}"), |bencher| {
        bencher.iter_custom(|count| {
            let (mut took, end) = (std::time::Duration::ZERO, done + count);
            while done < end {
                let part = (end - done).min(1000);
                took += bench.rounds(done, part, |bench, i| {
                    let content = &contents[(bench.turn(i) % 2) as usize];
                    bench.state.update(bench.page(i), content, Note::NONE).unwrap();
                });
                done += part;
                for events in listening.iter().filter(|_| polled) {
                    while events.poll_into(&mut places).unwrap() > 0 {}
                }
            }
            took
        });
    });
}

fn updates(c: &mut Criterion) {
    let all = EventFilter::default;
    update(c, "nobody", vec![], false);
    update(c, "one", vec![all()], true);
    update(c, "four", vec![all(); 4], true);
    update(c, "full", vec![EventFilter { capacity: 16, ..all() }], false);
    let others = EventFilter { pages: Some(vec![PageId(1 << 40)]), ..all() };
    update(c, "of_other_pages", vec![others], true);
    update(c, "of_another_kind", vec![EventFilter::of(&[EventKind::Freed])], true);
}

/// 1,000 events that wait are taken.
fn poll(c: &mut Criterion) {
    let mut group = c.benchmark_group("events/poll");
    group.throughput(Throughput::Elements(1000));
    let bench = Bench::new(1, 64);
    let events = bench.state.subscribe(EventFilter::default()).unwrap();
    let mut places = vec![Event::NONE; 1000];
    let mut turn = 0u64;
    group.bench_function("1000", |bencher| {
        let write = || {
            for _ in 0..500 {
                turn += 1;
                bench.state.write(bench.pages[0], 0, &turn.to_le_bytes(), Note::NONE).unwrap();
            }
        };
        let take = |()| assert_eq!(events.poll_into(&mut places).unwrap(), 1000);
        bencher.iter_batched(write, take, BatchSize::PerIteration);
    });
}

criterion_group!(name = benches; config = criterion(); targets = updates, poll);
criterion_main!(benches);
