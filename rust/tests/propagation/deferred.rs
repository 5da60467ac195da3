//! Computed on demand: what is stale is known as stale until then.

use super::{COPY, NOTE, SUM, assert_replays, counted, derived, get, memory, page, set};
use mmsb::{Config, Propagation, Staleness, State};

#[test]
fn stale_pages_are_known_and_computed_once() {
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    let c = derived(&state, &[b], COPY);
    state.set_propagation(Propagation::Deferred).unwrap();
    assert_eq!(counted(&state, || (1..10).for_each(|n| set(&state, a, n))), (0, 0));
    let marks = || (state.staleness(b).unwrap(), state.staleness(c).unwrap());
    assert_eq!(marks(), (Staleness::Stale, Staleness::Behind));
    assert_eq!((state.stale_pages().unwrap(), get(&state, c)), (vec![b, c], 0));
    assert_eq!(counted(&state, || assert!(state.propagate(NOTE).unwrap().is_some())), (2, 0));
    assert_eq!((marks(), get(&state, c)), ((Staleness::Fresh, Staleness::Fresh), 9));
    assert_eq!(state.propagate(NOTE).unwrap(), None);
    assert_replays(&state);
}

#[test]
fn a_write_to_what_is_marked_already_is_a_record_of_its_own_alone() {
    let state = memory();
    let a = page(&state);
    derived(&state, &[a], COPY);
    state.set_propagation(Propagation::Deferred).unwrap();
    set(&state, a, 1);
    let before = state.stats().unwrap();
    set(&state, a, 2);
    let after = state.stats().unwrap();
    let (records, bytes) =
        (after.records - before.records, after.record_bytes - before.record_bytes);
    assert_eq!((records, bytes), (1, 24 + 11 + 17 + 12 + 1));
}

#[test]
fn pages_behind_that_stay_the_same_are_not_computed() {
    let state = memory();
    let (a, b) = (page(&state), page(&state));
    let sum = derived(&state, &[a, b], SUM);
    let below = derived(&state, &[sum], COPY);
    set(&state, a, 1);
    state.set_propagation(Propagation::Deferred).unwrap();
    set(&state, a, 0);
    set(&state, b, 1);
    assert_eq!(counted(&state, || assert!(state.propagate(NOTE).unwrap().is_some())), (1, 1));
    assert_eq!(state.staleness(below).unwrap(), Staleness::Fresh);
    assert_replays(&state);
}

#[test]
fn what_is_stale_is_computed_with_the_next_change_once_immediate() {
    let state = memory();
    let (a, b) = (page(&state), page(&state));
    let (c, d) = (derived(&state, &[a], COPY), derived(&state, &[b], COPY));
    state.set_propagation(Propagation::Deferred).unwrap();
    set(&state, a, 1);
    state.set_propagation(Propagation::Immediate).unwrap();
    set(&state, b, 2);
    assert_eq!((get(&state, c), get(&state, d)), (1, 2));
    assert!(state.stale_pages().unwrap().is_empty());
}

#[test]
fn a_rule_set_while_deferred_makes_its_page_stale() {
    let state = memory();
    let a = page(&state);
    set(&state, a, 3);
    state.set_propagation(Propagation::Deferred).unwrap();
    let b = derived(&state, &[a], COPY);
    assert_eq!((get(&state, b), state.staleness(b).unwrap()), (0, Staleness::Stale));
    state.propagate(NOTE).unwrap();
    assert_eq!(get(&state, b), 3);
    assert_replays(&state);
}

#[test]
fn staleness_comes_back_from_disk_and_from_reverts() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(Config::durable(dir.path())).unwrap();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    let c = derived(&state, &[b], COPY);
    state.set_propagation(Propagation::Deferred).unwrap();
    let fresh = state.soft_checkpoint().unwrap();
    set(&state, a, 1);
    let stale = state.soft_checkpoint().unwrap();
    state.propagate(NOTE).unwrap();
    state.revert(&stale, NOTE).unwrap();
    assert_eq!(state.stale_pages().unwrap(), [b, c]);
    assert_eq!(state.staleness(c).unwrap(), Staleness::Behind);
    for checkpoint in [false, true] {
        assert_replays(&state);
        if checkpoint {
            state.checkpoint(None).unwrap();
        }
    }
    state.revert(&fresh, NOTE).unwrap();
    assert!(state.stale_pages().unwrap().is_empty());
    drop((fresh, stale));
    set(&state, a, 2);
    let digest = state.digest().unwrap();
    state.close().unwrap();
    let state = State::open(Config::durable(dir.path())).unwrap();
    assert_eq!((state.digest().unwrap(), state.stale_pages().unwrap()), (digest, vec![b, c]));
    // Opened as immediate: the first change computes what is stale.
    state.propagate(NOTE).unwrap();
    assert_eq!(get(&state, c), 2);
}

#[test]
fn what_becomes_stale_and_what_is_computed_is_told() {
    use mmsb::{EventFilter, EventKind};
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    let c = derived(&state, &[b], COPY);
    let events = state.subscribe(EventFilter::default()).unwrap();
    let told = || {
        let told = events.poll(10).unwrap();
        told.iter().map(|event| (event.kind, event.page)).collect::<Vec<_>>()
    };
    let committed = (EventKind::Committed, mmsb::PageId(0));
    let changed = |page| (EventKind::Changed, page);
    set(&state, a, 1);
    assert_eq!(told(), [changed(a), changed(b), changed(c), committed]);
    state.set_propagation(Propagation::Deferred).unwrap();
    set(&state, a, 2);
    let stale = |page| (EventKind::Stale, page);
    assert_eq!(told(), [changed(a), stale(b), stale(c), committed]);
    state.propagate(NOTE).unwrap();
    assert_eq!(told(), [changed(b), changed(c), committed]);
}

/// A state that is immediate again, with something stale: `a`, what is copied from it, and from that.
fn behind_the_times(state: &State) -> [mmsb::PageId; 3] {
    let a = page(state);
    let b = derived(state, &[a], COPY);
    let c = derived(state, &[b], COPY);
    state.set_propagation(Propagation::Deferred).unwrap();
    set(state, a, 7);
    state.set_propagation(Propagation::Immediate).unwrap();
    [a, b, c]
}

#[test]
fn a_stale_page_that_is_no_longer_computed_keeps_what_it_has() {
    let state = memory();
    let [_, b, c] = behind_the_times(&state);
    state.underive(b, NOTE).unwrap().unwrap();
    assert_eq!((get(&state, b), get(&state, c)), (0, 0));
    assert_eq!((state.rule(b).unwrap(), state.stale_pages().unwrap()), (None, vec![]));
    assert_replays(&state);
}

#[test]
fn a_stale_page_that_is_derived_again_is_fresh() {
    let state = memory();
    let [a, b, c] = behind_the_times(&state);
    state.derive(b, &[a], COPY, NOTE).unwrap().unwrap();
    assert_eq!((get(&state, b), get(&state, c)), (7, 7));
    assert!(state.stale_pages().unwrap().is_empty());
    assert_eq!(state.staleness(b).unwrap(), Staleness::Fresh);
    assert_replays(&state);
}

#[test]
fn a_stale_page_that_comes_out_as_it_was_when_derived_again_is_fresh() {
    let state = memory();
    let [a, b, c] = behind_the_times(&state);
    state.set_propagation(Propagation::Deferred).unwrap();
    set(&state, a, 0);
    state.set_propagation(Propagation::Immediate).unwrap();
    state.derive(b, &[a], COPY, NOTE).unwrap().unwrap();
    assert_eq!((get(&state, b), get(&state, c)), (0, 0));
    assert!(state.stale_pages().unwrap().is_empty());
    assert_eq!(state.staleness(b).unwrap(), Staleness::Fresh);
    assert_replays(&state);
}

#[test]
fn a_stale_page_that_gets_a_parent_or_loses_one_is_fresh() {
    let state = memory();
    let [_, b, c] = behind_the_times(&state);
    let other = page(&state);
    state.add_edge(other, b, mmsb::EdgeKind::Data, NOTE).unwrap().unwrap();
    assert_eq!((get(&state, b), get(&state, c)), (7, 7));
    assert!(state.stale_pages().unwrap().is_empty());
    assert_eq!(state.staleness(b).unwrap(), Staleness::Fresh);
    assert_replays(&state);
    let state = memory();
    let [_, b, _] = behind_the_times(&state);
    let other = page(&state);
    state.set_propagation(Propagation::Deferred).unwrap();
    state.add_edge(other, b, mmsb::EdgeKind::Data, NOTE).unwrap().unwrap();
    state.set_propagation(Propagation::Immediate).unwrap();
    state.remove_edge(other, b, mmsb::EdgeKind::Data, NOTE).unwrap();
    assert_eq!((get(&state, b), state.staleness(b).unwrap()), (7, Staleness::Fresh));
    assert_replays(&state);
}
