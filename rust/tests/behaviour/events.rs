//! Events: what is told of groups, in which order, to whom, and what is not.

use crate::common::{Prng, random_op};
use crate::{Stop, memory, ramp};
use mmsb::{
    Batch, Change, Config, EdgeKind, ErrorKind, Event, EventFilter, EventKind, Location, Lsn, Note,
    PageId, Propagation, Query, State,
};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

const NOTE: Note<'static> = Note { source: "events", intent: None };

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

fn all(state: &State) -> mmsb::Subscription {
    state.subscribe(EventFilter::default()).unwrap()
}

#[test]
fn each_way_to_change_something_is_told_as_what_it_is() {
    use EventKind::*;
    let state = memory();
    let (parent, child) = (ramp(&state, 8), ramp(&state, 8));
    let events = all(&state);
    let expect = |expected: &[(EventKind, PageId)]| {
        let told = events.poll(100).unwrap();
        let seen: Vec<_> = told.iter().map(|event| (event.kind, event.page)).collect();
        assert_eq!(seen, [expected, &[(Committed, PageId(0))]].concat());
        assert!(told.iter().all(|event| event.lsn == told[0].lsn));
        assert_eq!(told.last().unwrap().count, expected.len() as u64);
        told
    };
    let page = state.create_page(4, NOTE).unwrap();
    expect(&[(Created, page)]);
    let lsn = state.write(page, 0, b"ab", NOTE).unwrap().unwrap();
    let told = expect(&[(Changed, page)]);
    assert_eq!((told[0].lsn, told[0].epoch), (lsn, 1));
    state.set_meta(page, b"k", b"v", NOTE).unwrap();
    assert_eq!(expect(&[(Metadata, page)])[0].epoch, 1);
    state.add_edge(parent, child, EdgeKind::Control, NOTE).unwrap();
    let told = expect(&[(EdgeAdded, child)]);
    assert_eq!((told[0].other, told[0].edge), (parent, EdgeKind::Control));
    state.remove_edge(parent, child, EdgeKind::Control, NOTE).unwrap();
    assert_eq!(expect(&[(EdgeRemoved, child)])[0].other, parent);
    state.free_page(page, NOTE).unwrap();
    expect(&[(Freed, page)]);
    state.set_ownership(parent, mmsb::Ownership::Immutable, NOTE).unwrap();
    expect(&[(EventKind::Ownership, parent)]);
    state.write(child, 0, &[0, 1], NOTE).unwrap();
    assert_eq!(events.poll(10).unwrap(), [], "what changes nothing is nothing");
}

#[test]
fn a_group_is_told_in_the_order_of_its_entries() {
    use EventKind::*;
    let state = memory();
    let (a, b) = (ramp(&state, 8), ramp(&state, 8));
    let events = all(&state);
    let mut batch = Batch::new(&state);
    let new = batch.create_page(8, Location::Cpu).unwrap();
    batch.write(new, 0, b"born").unwrap();
    batch.free_page(b).unwrap();
    batch.set_meta(a, b"one", b"1").unwrap();
    batch.set_meta(a, b"two", b"2").unwrap();
    batch.write(a, 0, b"x").unwrap();
    let lsn = batch.commit(NOTE).unwrap().unwrap();
    let told = events.poll(100).unwrap();
    let expected = [Changed, Metadata, Metadata, Freed, Created, Changed, Committed];
    assert_eq!(kinds(&told), expected);
    assert!(told.iter().all(|event| event.lsn == lsn));
    assert_eq!((told[4].epoch, told[5].epoch, told[6].count), (0, 1, 6));
    let mark = state.soft_checkpoint().unwrap();
    state.free_page(a, NOTE).unwrap();
    state.revert(&mark, NOTE).unwrap();
    let told = kinds(&events.poll(100).unwrap());
    assert_eq!(told, [Freed, Committed, Created, Changed, Metadata, Metadata, Committed]);
}

#[test]
fn derived_pages_are_told_with_the_group_that_makes_them_new_or_stale() {
    use EventKind::*;
    let state = memory();
    let page = || state.create_page(8, NOTE).unwrap();
    let (input, twice, four) = (page(), page(), page());
    state.derive(twice, &[input], "f64: p0 + p0", NOTE).unwrap();
    state.derive(four, &[twice], "f64: p0 + p0", NOTE).unwrap();
    let events = all(&state);
    let write = |value: f64| {
        state.update(input, &value.to_le_bytes(), NOTE).unwrap().unwrap();
        let told = events.poll(100).unwrap();
        assert!(told.iter().all(|event| event.lsn == told[0].lsn));
        told.iter().map(|event| (event.kind, event.page)).collect::<Vec<_>>()
    };
    let committed = (Committed, PageId(0));
    assert_eq!(write(1.0), [(Changed, input), (Changed, twice), (Changed, four), committed]);
    state.set_propagation(Propagation::Deferred).unwrap();
    assert_eq!(write(2.0), [(Changed, input), (Stale, twice), (Stale, four), committed]);
    assert_eq!(write(3.0), [(Changed, input), committed], "they are stale already");
    state.propagate(NOTE).unwrap();
    let told = kinds(&events.poll(100).unwrap());
    assert_eq!(told, [Changed, Changed, Committed]);
}

#[test]
fn checkpoints_and_poison_are_told_to_all_who_ask_for_a_page_only() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(Config::durable(dir.path().join("state"))).unwrap();
    let page = ramp(&state, 8);
    let filter = EventFilter { pages: Some(vec![PageId(99)]), ..EventFilter::default() };
    let events = state.subscribe(filter).unwrap();
    let made = state.checkpoint(Some("kept")).unwrap();
    state.write(page, 0, b"told to others", NOTE).unwrap_err();
    state.write(page, 0, b"others", NOTE).unwrap();
    let synced = state.sync().unwrap();
    state.poison("the test says so");
    state.poison("again");
    let told = events.poll(10).unwrap();
    assert_eq!(kinds(&told), [EventKind::Checkpoint, EventKind::Poisoned]);
    assert_eq!(told[0].lsn, made.lsn);
    assert!(told[1].lsn >= synced);
}

/// The same as the log has, group for group, whatever was done.
#[test]
fn events_are_the_log() {
    let state = memory();
    let (mut prng, mut pages) = (Prng(11), Vec::new());
    let events = all(&state);
    let mut mark = state.soft_checkpoint().unwrap();
    for round in 1..=2000 {
        if let Err(error) = random_op(&state, &mut prng, &mut pages) {
            assert_eq!(error.kind(), ErrorKind::HasChildren);
        }
        let (parent, child) = (*prng.pick(&pages).unwrap(), *prng.pick(&pages).unwrap());
        match prng.below(8) {
            0 => drop(state.add_edge(parent, child, EdgeKind::Device, NOTE)),
            1 => drop(state.remove_edge(parent, child, EdgeKind::Device, NOTE)),
            _ => {}
        }
        if round % 100 == 50 {
            mark = state.soft_checkpoint().unwrap();
        }
        if round % 100 == 0 {
            state.revert(&mark, NOTE).unwrap();
            pages = state.list_pages().unwrap();
        }
    }
    let logged: Vec<_> = state.query(Query::default()).unwrap().map(Result::unwrap).collect();
    let told = events.poll(usize::MAX).unwrap();
    let told: Vec<_> =
        told.into_iter().filter(|event| event.kind != EventKind::Committed).collect();
    assert_eq!(told.len(), logged.len());
    let mut kinds = BTreeSet::new();
    for (event, change) in told.iter().zip(&logged) {
        assert_eq!((event.lsn, event.page, event.epoch), (change.lsn, change.page, change.epoch));
        let kind = match change.change {
            Change::Created { .. } | Change::Restored { .. } => EventKind::Created,
            Change::Written(_) => EventKind::Changed,
            Change::Freed => EventKind::Freed,
            Change::Meta { .. } => EventKind::Metadata,
            Change::Owned(_) => EventKind::Ownership,
            Change::EdgeAdded(link) | Change::EdgeRemoved(link) => {
                assert_eq!((event.other, event.edge), (link.page, link.kind));
                let added = matches!(change.change, Change::EdgeAdded(_));
                if added { EventKind::EdgeAdded } else { EventKind::EdgeRemoved }
            }
            ref other => panic!("nothing is computed here: {other:?}"),
        };
        assert_eq!(event.kind, kind);
        kinds.insert(kind);
    }
    assert_eq!(kinds.len(), 6, "{kinds:?}");
}

#[test]
fn a_full_subscription_drops_whole_groups_and_writers_go_on() {
    let state = memory();
    let pages: Vec<PageId> = (0..3).map(|_| ramp(&state, 8)).collect();
    let events = state.subscribe(EventFilter { capacity: 8, ..EventFilter::default() }).unwrap();
    let mut lsns = Vec::new();
    for round in 1..=1000u64 {
        let mut batch = Batch::new(&state);
        pages.iter().for_each(|&page| batch.write(page, 0, &round.to_le_bytes()).unwrap());
        lsns.push(batch.commit(NOTE).unwrap().unwrap());
    }
    let told = events.poll(100).unwrap();
    assert_eq!(told.len(), 9, "two groups of four, and word of the others");
    assert_eq!((told[0].lsn, told[7].lsn), (lsns[0], lsns[1]));
    let lost = told[8];
    assert_eq!((lost.kind, lost.lsn, lost.count), (EventKind::Lost, lsns[2], 998 * 4));
    assert_eq!((events.lost().events, events.lost().groups), (998 * 4, 998));
    let missing = Query { after: Some(Lsn(lost.lsn.0 - 1)), ..Query::default() };
    assert_eq!(state.query(missing).unwrap().count(), 998 * 3);
    state.write(pages[0], 0, &[0; 8], NOTE).unwrap();
    assert_eq!(events.poll(100).unwrap().len(), 2, "and it goes on");
}

#[test]
fn a_wait_ends_with_its_time_an_event_or_the_end() {
    let state = memory();
    let page = ramp(&state, 8);
    let events = all(&state);
    let start = Instant::now();
    assert!(!events.wait(Some(Duration::from_millis(20))).unwrap());
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(!events.wait(Some(Duration::ZERO)).unwrap());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| events.wait(Some(Duration::MAX)).unwrap());
        state.write(page, 0, b"z", NOTE).unwrap();
        assert!(waiter.join().unwrap());
    });
    let mut place = [events.poll(1).unwrap()[0]; 5];
    assert_eq!(events.poll_into(&mut place).unwrap(), 1);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| events.wait(None).unwrap_err().kind());
        let second = scope.spawn(|| events.iter().count());
        std::thread::yield_now();
        events.close();
        assert_eq!(waiter.join().unwrap(), ErrorKind::Closed);
        assert_eq!(second.join().unwrap(), 0);
    });
}

#[test]
fn a_closed_state_leaves_what_waits_and_then_the_end() {
    let dir = tempfile::tempdir().unwrap();
    for config in [Config::memory(), Config::durable(dir.path().join("state"))] {
        let state = State::open(config).unwrap();
        let events = all(&state);
        let waiting = all(&state);
        let waiter = std::thread::spawn(move || waiting.iter().count());
        let page = ramp(&state, 8);
        let view = state.view(page).unwrap();
        state.close().unwrap();
        assert_eq!(waiter.join().unwrap(), 4);
        drop(view);
        let next = memory();
        ramp(&next, 8);
        assert_eq!(events.iter().count(), 4, "what the next state does is its own");
        assert_eq!(events.poll(1).unwrap_err().kind(), ErrorKind::Closed);
        drop((next, events));
    }
}

/// Four writers on shared pages, two who listen from the start and one from the middle.
#[test]
fn whatever_threads_do_each_page_ascends_and_nothing_is_missed() {
    let state = memory();
    let pages: Vec<PageId> = (0..6).map(|_| ramp(&state, 64)).collect();
    let (one, two) = (all(&state), all(&state));
    let stop = Stop::default();
    let (late, seen) = std::thread::scope(|scope| {
        let _stop = stop.on_drop();
        let writers: Vec<_> = (0..4u64)
            .map(|writer| {
                let (state, pages) = (&state, &pages);
                scope.spawn(move || {
                    let mut prng = Prng(writer);
                    for round in 0..1500u64 {
                        let value = (round << 8 | writer).to_le_bytes();
                        let mut batch = Batch::new(state);
                        for _ in 0..1 + prng.below(3) {
                            batch.write(*prng.pick(pages).unwrap(), 8 * writer, &value).unwrap();
                        }
                        batch.commit(NOTE).unwrap();
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut seen: Vec<Event> = Vec::new();
            loop {
                let ended = stop.is_set();
                let told = one.poll(100).unwrap();
                for event in told.iter().filter(|event| event.kind == EventKind::Changed) {
                    // What an event tells of is there.
                    assert!(state.epoch(event.page).unwrap() >= event.epoch);
                }
                seen.extend(&told);
                if ended && told.is_empty() {
                    return seen;
                }
            }
        });
        let late = all(&state);
        let snapshot = state.snapshot().unwrap();
        assert!(snapshot.lsn() > late.since());
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        drop(_stop);
        (late, reader.join().unwrap())
    });
    assert_eq!(two.poll(usize::MAX).unwrap(), seen, "the same order for all");
    let mut last: HashMap<PageId, (Lsn, u64)> = HashMap::new();
    for group in seen.split_inclusive(|event| event.kind == EventKind::Committed) {
        let committed = group.last().unwrap();
        assert_eq!(committed.count + 1, group.len() as u64);
        for event in group {
            assert_eq!(event.lsn, committed.lsn, "a group is in one piece");
            let before = last.insert(event.page, (event.lsn, event.epoch)).unwrap_or_default();
            if event.page.0 != 0 {
                assert!(before.0 < event.lsn && before.1 < event.epoch);
            }
        }
    }
    // The late one has exactly what the log has above its beginning.
    let mut told: Vec<_> = late.poll(usize::MAX).unwrap();
    told.retain(|event| event.kind != EventKind::Committed);
    let mut told: Vec<_> = told.iter().map(|event| (event.lsn, event.page)).collect();
    told.sort();
    let query = Query { after: Some(late.since()), ..Query::default() };
    let logged = state.query(query).unwrap().map(|change| change.unwrap());
    assert_eq!(told, logged.map(|change| (change.lsn, change.page)).collect::<Vec<_>>());
    assert_eq!((one.lost().groups, two.lost().groups), (0, 0));
}
