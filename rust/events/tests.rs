//! Rings by themselves: what passes, what is dropped, who is woken; in turns from a seed, too.

use super::*;
use crate::env::OsClock;
use crate::stdx::{sched, thread};
use crate::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

fn changed(lsn: u64, page: u64) -> Event {
    Event { page: PageId(page), ..Event::new(EventKind::Changed, Lsn(lsn)) }
}

fn group(lsn: u64, pages: &[u64]) -> Vec<Event> {
    let events = pages.iter().map(|&page| changed(lsn, page));
    events.chain([Event::new(EventKind::Committed, Lsn(lsn))]).collect()
}

fn subscribe(hub: &Hub, filter: EventFilter) -> Subscription {
    filter.check().unwrap();
    let ring = Arc::new(Ring::new(filter).unwrap());
    hub.add(ring.clone());
    Subscription::of(ring, Arc::new(OsClock))
}

fn lsns(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.lsn.0).collect()
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.map_err(|error: Error| error.kind()).unwrap_err()
}

#[test]
fn numbers_and_names_are_permanent() {
    for (at, kind) in EventKind::ALL.iter().copied().enumerate() {
        assert_eq!(kind as usize, at + 1);
        assert_eq!(EventKind::ALL.iter().filter(|other| other.name() == kind.name()).count(), 1);
    }
    assert_eq!(EventFilter::KINDS_ALL, 0x1FFE);
    assert_eq!(size_of::<Event>(), 48);
}

#[test]
fn filters_that_nothing_can_be_made_of_are_refused() {
    let refused = |filter: EventFilter| kind(filter.check());
    let filter = EventFilter::default;
    assert_eq!(refused(EventFilter::of(&[])), ErrorKind::InvalidArgument);
    assert_eq!(refused(EventFilter { kinds: 1, ..filter() }), ErrorKind::InvalidArgument);
    assert_eq!(refused(EventFilter { kinds: 1 << 13, ..filter() }), ErrorKind::InvalidArgument);
    assert_eq!(refused(EventFilter { capacity: 0, ..filter() }), ErrorKind::SizeOutOfRange);
    let capacity = EVENTS_MAX + 1;
    assert_eq!(refused(EventFilter { capacity, ..filter() }), ErrorKind::SizeOutOfRange);
    let pages = Some(vec![PageId(1); EVENT_PAGES_MAX + 1]);
    assert_eq!(refused(EventFilter { pages, ..filter() }), ErrorKind::TooLarge);
}

#[test]
fn what_does_not_fit_is_dropped_whole_and_counted_in_its_place() {
    let hub = Hub::default();
    let events = subscribe(&hub, EventFilter { capacity: 5, ..EventFilter::default() });
    hub.put(&group(10, &[1, 2])); // 3 of 5
    hub.put(&group(20, &[1, 2])); // would be 6
    hub.put(&group(15, &[3])); // fits no more either: the word of the loss has a place, too
    hub.put(&group(30, &[1, 2, 3, 4, 5])); // larger than the ring
    let lost = Event { count: 3 + 2 + 6, ..Event::new(EventKind::Lost, Lsn(15)) };
    assert_eq!(events.lost(), Lost { events: 11, groups: 3 });
    assert_eq!(events.poll(3).unwrap(), group(10, &[1, 2]));
    hub.put(&group(40, &[7]));
    assert_eq!(events.poll(1).unwrap(), [lost]);
    hub.put(&group(50, &[8, 9]));
    assert_eq!(events.poll(100).unwrap(), [group(40, &[7]), group(50, &[8, 9])].concat());
    hub.put(&group(60, &[1; 9]));
    assert!(events.wait(None).unwrap(), "a loss wakes, too");
    assert_eq!(events.poll(9).unwrap()[0].count, 10);
    assert_eq!(events.poll(9).unwrap(), []);
}

#[test]
fn a_word_of_a_loss_has_a_place_beside_a_full_ring() {
    let hub = Hub::default();
    let events =
        subscribe(&hub, EventFilter { capacity: 1, ..EventFilter::of(&[EventKind::Changed]) });
    for lsn in 1..=10 {
        hub.put(&group(lsn, &[1]));
    }
    let told = events.poll(10).unwrap();
    assert_eq!(
        (told[0], told[1].kind, told[1].lsn, told[1].count),
        (changed(1, 1), EventKind::Lost, Lsn(2), 9)
    );
    assert_eq!(told.len(), 2);
}

#[test]
fn filters_choose_by_kind_and_page() {
    let hub = Hub::default();
    let of = |kinds: &[EventKind], pages: &[u64]| {
        let pages = (!pages.is_empty()).then(|| pages.iter().map(|&page| PageId(page)).collect());
        subscribe(&hub, EventFilter { pages, ..EventFilter::of(kinds) })
    };
    let commits = of(&[EventKind::Committed], &[]);
    let commits_of_7 = of(&[EventKind::Committed], &[9, 7, 7]);
    let edges_of_7 = of(&[EventKind::EdgeAdded, EventKind::Poisoned], &[7]);
    hub.put(&group(1, &[7, 8]));
    hub.put(&group(2, &[8]));
    let edge =
        Event { page: PageId(8), other: PageId(7), ..Event::new(EventKind::EdgeAdded, Lsn(3)) };
    hub.put(&[edge, Event::new(EventKind::Committed, Lsn(3))]);
    hub.tell(EventKind::Poisoned, Lsn(1));
    assert_eq!(lsns(&commits.poll(9).unwrap()), [1, 2, 3]);
    assert_eq!(lsns(&commits_of_7.poll(9).unwrap()), [1, 3]);
    let told = edges_of_7.poll(9).unwrap();
    assert_eq!((told[0], told[1].kind, told.len()), (edge, EventKind::Poisoned, 2));
}

#[test]
fn groups_at_or_below_the_beginning_are_not_told_whenever_they_come() {
    let hub = Hub::default();
    let ring = Arc::new(Ring::new(EventFilter::default()).unwrap());
    hub.add(ring.clone());
    hub.put(&group(10, &[1]));
    hub.put(&group(30, &[2]));
    hub.tell(EventKind::Checkpoint, Lsn(5));
    ring.begin_after(Lsn(20));
    hub.put(&group(20, &[3]));
    hub.put(&group(21, &[3]));
    let events = Subscription::of(ring, Arc::new(OsClock));
    assert_eq!(lsns(&events.poll(9).unwrap()), [30, 30, 5, 21, 21]);
    assert_eq!(events.since(), Lsn(20));
}

#[test]
fn the_end_leaves_what_waits_and_a_close_does_not() {
    let hub = Hub::default();
    let (ended, closed) =
        (subscribe(&hub, EventFilter::default()), subscribe(&hub, EventFilter::default()));
    hub.put(&group(1, &[1]));
    closed.close();
    assert_eq!(kind(closed.poll(1)), ErrorKind::Closed);
    assert_eq!(kind(closed.wait(None)), ErrorKind::Closed);
    hub.end();
    assert!(ended.wait(None).unwrap());
    assert!(!ended.is_closed() && closed.is_closed());
    assert_eq!(ended.iter().count(), 2);
    assert!(ended.is_closed());
    assert_eq!(kind(ended.poll(0)), ErrorKind::Closed);
    assert_eq!(kind(ended.wait(Some(Duration::ZERO))), ErrorKind::Closed);
    assert!(!hub.is_watched());
}

#[test]
fn nobody_is_told_once_all_have_gone() {
    let hub = Hub::default();
    assert!(!hub.is_watched());
    let (one, two) =
        (subscribe(&hub, EventFilter::default()), subscribe(&hub, EventFilter::default()));
    drop(one);
    hub.put(&group(1, &[1]));
    assert!(hub.is_watched());
    drop(two);
    hub.put(&group(2, &[1]));
    assert!(!hub.is_watched());
}

/// Readers with and without a limit of time, writers, and an end, in turns from a seed: a notice
/// that is lost would leave one waiting for good, which is a failure of its own.
#[test]
fn whoever_waits_is_woken_in_every_order_of_turns() {
    for seed in 0..200 {
        let settings = sched::Settings {
            seed,
            turns_max: 100_000,
            time_max: Duration::from_secs(600),
            watch: None,
        };
        let outcome = sched::run(settings, || {
            let hub = Arc::new(Hub::default());
            let filter = EventFilter { capacity: 4, ..EventFilter::default() };
            let ring = Arc::new(Ring::new(filter).unwrap());
            hub.add(ring.clone());
            let read = Arc::new(crate::stdx::sync::Mutex::new(0));
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    let (ring, read) = (ring.clone(), read.clone());
                    let body = move || {
                        let mut place = [Event::NONE; 3];
                        while ring.wait(|| None).is_ok() {
                            let taken = ring.take(&mut place).unwrap_or(0);
                            let lost = |event: &Event| event.kind == EventKind::Lost;
                            let told = place[..taken].iter().filter(|event| !lost(event)).count();
                            *read.lock() += told as u64;
                        }
                    };
                    thread::spawn("reader", body).unwrap()
                })
                .collect();
            let writers: Vec<_> = (0..2)
                .map(|writer| {
                    let hub = hub.clone();
                    let body = move || (1..=5).for_each(|n| hub.put(&group(n, &[writer])));
                    thread::spawn("writer", body).unwrap()
                })
                .collect();
            writers.into_iter().for_each(|thread| thread.join().unwrap());
            hub.end();
            readers.into_iter().for_each(|thread| thread.join().unwrap());
            let read = *read.lock();
            (read, ring.lost().events)
        });
        let (read, lost) = outcome.result.unwrap();
        assert_eq!(read + lost, 20, "seed {seed}");
    }
}
