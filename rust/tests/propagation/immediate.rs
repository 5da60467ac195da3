//! Computed in the group of the change: once each, parents first, no further than something changes.

use super::{COPY, NOTE, SUM, assert_replays, counted, derived, get, memory, page, pages, set};
use mmsb::state::Change;
use mmsb::{Batch, Config, Durability, EdgeKind, Note, Query, Retry, Rule, State};

#[test]
fn a_child_is_computed_when_it_is_derived_and_with_each_change() {
    let state = memory();
    let a = page(&state);
    set(&state, a, 5);
    let b = derived(&state, &[a], COPY);
    assert_eq!((get(&state, b), state.epoch(b).unwrap()), (5, 1));
    set(&state, a, 6);
    assert_eq!((get(&state, b), state.epoch(b).unwrap()), (6, 2));
    assert_eq!(state.rule(b).unwrap(), Some(Rule::Formula(COPY.into())));
    assert_replays(&state);
}

#[test]
fn a_change_and_all_that_follows_is_one_group() {
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    let c = derived(&state, &[b], COPY);
    let lsn = state.write(a, 0, &[7], Note::from("feed")).unwrap().unwrap();
    for page in [b, c] {
        let last = state.page_history(page).unwrap().pop().unwrap();
        assert_eq!((last.lsn, last.source.as_str(), last.change), (lsn, "feed", Change::Derived));
    }
    let group = state.query(Query { to: Some(lsn), ..Query::default() }).unwrap();
    let last: Vec<_> = group.map(Result::unwrap).filter(|changed| changed.lsn == lsn).collect();
    assert_eq!(last.iter().map(|changed| changed.page).collect::<Vec<_>>(), [a, b, c]);
}

#[test]
fn no_snapshot_sees_a_child_behind_its_parent() {
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    let c = derived(&state, &[a, b], SUM);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers = [1u64, 2].map(|writer| {
            let state = &state;
            scope.spawn(move || {
                for n in 0..3_000 {
                    set(state, a, n * 2 + writer);
                }
            })
        });
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let snapshot = state.snapshot().unwrap();
                let value = |page| {
                    let bytes = snapshot.read_all(page).unwrap();
                    u64::from_le_bytes(bytes.try_into().unwrap())
                };
                let seen = value(a);
                assert_eq!((value(b), value(c)), (seen, 2 * seen));
            }
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_replays(&state);
}

#[test]
fn a_diamond_is_computed_once() {
    let state = memory();
    let a = page(&state);
    let (b, c) = (derived(&state, &[a], COPY), derived(&state, &[a], COPY));
    let d = derived(&state, &[b, c], SUM);
    let e = derived(&state, &[d, a], SUM);
    assert_eq!(counted(&state, || set(&state, a, 3)), (4, 0));
    assert_eq!((get(&state, d), get(&state, e)), (6, 9));
}

#[test]
fn what_comes_out_the_same_goes_no_further() {
    let state = memory();
    let (a, b) = (page(&state), page(&state));
    let sum = derived(&state, &[a, b], SUM);
    let below = derived(&state, &[sum], COPY);
    set(&state, a, 1);
    let epoch = state.epoch(below).unwrap();
    let both = || {
        let mut batch = Batch::new(&state);
        batch.write(a, 0, &[2]).unwrap();
        batch.write(b, 0, &[255; 8]).unwrap();
        batch.commit(NOTE).unwrap();
    };
    assert_eq!(counted(&state, both), (1, 1));
    assert_eq!((get(&state, sum), state.epoch(below).unwrap()), (1, epoch));
}

#[test]
fn equal_bytes_are_no_change_and_compute_nothing() {
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    set(&state, a, 9);
    let records = state.stats().unwrap().records;
    assert_eq!(counted(&state, || set(&state, a, 9)), (0, 0));
    assert_eq!((state.stats().unwrap().records, state.epoch(b).unwrap()), (records, 1));
}

#[test]
fn every_way_of_writing_propagates() {
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    let same = || assert_eq!(get(&state, a), get(&state, b));
    state.write(a, 3, &[1, 2], NOTE).unwrap();
    same();
    state.write_masked(a, &[0, 1, 0, 0, 0, 0, 1, 1], &[8; 8], NOTE).unwrap();
    same();
    state.write_masked(a, &[0; 8], &[9; 8], NOTE).unwrap();
    same();
    state.apply(&mmsb::Delta::from_runs(a, &[(0, &[4]), (7, &[5])]).unwrap()).unwrap();
    same();
    let mut batch = Batch::new(&state);
    batch.update(a, &[3; 8]).unwrap();
    batch.commit(NOTE).unwrap();
    same();
    state
        .transact(NOTE, Retry::default(), |transaction| {
            let n = transaction.read_u64(a, 0)?;
            transaction.write(a, 0, &(n + 1).to_le_bytes())
        })
        .unwrap();
    same();
    assert_eq!(state.epoch(b).unwrap(), 5);
    let mark = state.soft_checkpoint().unwrap();
    set(&state, a, 77);
    state.revert(&mark, NOTE).unwrap();
    same();
    assert_ne!(get(&state, b), 77);
    assert_replays(&state);
}

#[test]
fn edges_that_come_and_go_compute_the_child_anew() {
    let state = memory();
    let p = pages(&state, 3);
    for (n, &page) in (1..).zip(&p) {
        set(&state, page, n);
    }
    let sum = derived(&state, &p[..2], SUM);
    let below = derived(&state, &[sum], COPY);
    assert_eq!(get(&state, below), 3);
    state.add_edge(p[2], sum, EdgeKind::Data, NOTE).unwrap().unwrap();
    assert_eq!(get(&state, below), 6);
    state.remove_edge(p[0], sum, EdgeKind::Data, NOTE).unwrap();
    assert_eq!(get(&state, below), 5);
    // What only orders is no source.
    state.add_edge(p[0], sum, EdgeKind::Control, NOTE).unwrap().unwrap();
    set(&state, p[0], 100);
    assert_eq!(get(&state, below), 5);
    assert_replays(&state);
}

#[test]
fn underived_pages_are_ordinary_again() {
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    set(&state, a, 4);
    state.underive(b, NOTE).unwrap().unwrap();
    set(&state, a, 5);
    assert_eq!((get(&state, b), state.rule(b).unwrap()), (4, None));
    set(&state, b, 6);
    assert_replays(&state);
}

#[test]
fn a_freed_page_is_no_longer_computed() {
    let state = memory();
    let a = page(&state);
    let (b, c) = (derived(&state, &[a], COPY), derived(&state, &[a], COPY));
    state.free_page(b, NOTE).unwrap();
    let mut batch = Batch::new(&state);
    batch.update(a, &[1; 8]).unwrap();
    batch.free_page(c).unwrap();
    batch.commit(NOTE).unwrap();
    assert_eq!(state.propagation_stats().unwrap().derived, 0);
    set(&state, a, 2);
    assert_replays(&state);
}

#[test]
fn a_revert_restores_rules_and_what_was_computed() {
    let state = memory();
    let (a, b) = (page(&state), page(&state));
    let c = derived(&state, &[a, b], SUM);
    set(&state, a, 1);
    let (mark, digest) = (state.soft_checkpoint().unwrap(), state.rule(c).unwrap());
    state.derive(c, &[b], COPY, NOTE).unwrap();
    set(&state, b, 8);
    state.free_page(c, NOTE).unwrap();
    state.revert(&mark, NOTE).unwrap();
    assert_eq!((get(&state, c), state.rule(c).unwrap()), (1, digest));
    set(&state, b, 5);
    assert_eq!(get(&state, c), 6);
    assert_replays(&state);
}

#[test]
fn shapes_that_are_deep_or_wide() {
    const COUNT: usize = 100_000;
    let state = memory();
    let top = page(&state);
    let mut chain = vec![top];
    for _ in 0..COUNT {
        let below = derived(&state, &chain[chain.len() - 1..], COPY);
        chain.push(below);
    }
    assert_eq!(counted(&state, || set(&state, top, 1)), (COUNT as u64, 0));
    assert_eq!(get(&state, chain[COUNT]), 1);
    let wide: Vec<_> = (0..COUNT).map(|_| derived(&state, &[chain[1]], COPY)).collect();
    let all = derived(&state, &wide, SUM);
    assert_eq!(counted(&state, || set(&state, top, 2)), (2 * COUNT as u64 + 1, 0));
    assert_eq!(get(&state, all), 2 * COUNT as u64);
    assert_replays(&state);
}

#[test]
fn ladders_of_diamonds_are_computed_once_each() {
    let state = memory();
    let top = page(&state);
    let mut last = top;
    for _ in 0..5_000 {
        let (left, right) = (derived(&state, &[last], COPY), derived(&state, &[last], COPY));
        last = derived(&state, &[left, right], COPY);
    }
    assert_eq!(counted(&state, || set(&state, top, 1)), (15_000, 0));
    assert_eq!(get(&state, last), 1);
}

#[test]
fn derived_pages_come_back_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let config = || Config { durability: Durability::Buffered, ..Config::durable(dir.path()) };
    let state = State::open(config()).unwrap();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    let c = derived(&state, &[a, b], SUM);
    set(&state, a, 3);
    let digest = state.digest().unwrap();
    state.checkpoint(None).unwrap();
    set(&state, a, 4);
    state.close().unwrap();
    let state = State::open(config()).unwrap();
    assert_ne!(state.digest().unwrap(), digest);
    assert_eq!((get(&state, b), get(&state, c)), (4, 8));
    set(&state, a, 5);
    assert_eq!((get(&state, b), get(&state, c)), (5, 10));
    assert_replays(&state);
}

#[test]
fn a_page_is_told_as_it_was() {
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    let c = derived(&state, &[a, b], SUM);
    let mut then = Vec::new();
    for n in 0..20 {
        set(&state, a, n);
        then.push((state.flush().unwrap(), n));
    }
    state.underive(c, NOTE).unwrap();
    state.write(c, 7, &[1], NOTE).unwrap();
    let now = state.flush().unwrap();
    for (lsn, n) in then {
        let number = |page| {
            let bytes = state.page_at(page, lsn).unwrap().bytes;
            u64::from_le_bytes(bytes.try_into().unwrap())
        };
        assert_eq!((number(a), number(b), number(c)), (n, n, 2 * n));
    }
    assert_eq!(state.page_at(c, now).unwrap().bytes, state.read_all(c).unwrap());
}

#[test]
fn what_is_written_and_freed_at_once_stays_in_snapshots_as_it_was() {
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    set(&state, a, 5);
    let before = state.snapshot().unwrap();
    let mut batch = Batch::new(&state);
    batch.write(a, 0, &[9]).unwrap();
    batch.free_page(a).unwrap();
    batch.free_page(b).unwrap();
    batch.commit(NOTE).unwrap();
    assert_eq!(before.read_all(a).unwrap(), 5u64.to_le_bytes());
    assert_eq!(before.read_all(b).unwrap(), 5u64.to_le_bytes());
    assert!(!state.contains(a) && !state.contains(b));
    assert_replays(&state);
}

/// Pages may be written while they are bound for the first time: what is computed of them stands behind
/// that in the log, too.
#[test]
fn a_page_that_is_written_while_the_first_is_derived_from_it_is_followed() {
    let (state, rounds, meet) = (memory(), 400, std::sync::Barrier::new(2));
    let all: Vec<_> = (0..rounds).map(|_| pages(&state, 100)).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (round, sources) in all.iter().enumerate() {
                meet.wait();
                // The last write may come at any moment of the other thread's call.
                (1..20 * (round as u64 % 20) + 2).for_each(|n| set(&state, sources[0], n));
            }
        });
        for sources in &all {
            meet.wait();
            while get(&state, sources[0]) == 0 {
                std::hint::spin_loop();
            }
            derived(&state, sources, SUM);
        }
    });
    assert_replays(&state);
}
