//! Derived pages: what they come to, how often they are computed, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

mod callbacks;
#[path = "../common/mod.rs"]
mod common;
mod deferred;
mod explain;
mod immediate;
mod model;
mod parallel;
mod refused;

use mmsb::{Config, Note, PageId, State};

const NOTE: Note<'static> = Note { source: "propagation", intent: None };
/// The sum of all parents, number by number.
const SUM: &str = "u64: fold(real)";
const COPY: &str = "u8: p0";

fn memory() -> State {
    State::open(Config::memory()).unwrap()
}

fn page(state: &State) -> PageId {
    state.create_page(8, NOTE).unwrap()
}

fn pages(state: &State, count: usize) -> Vec<PageId> {
    (0..count).map(|_| page(state)).collect()
}

/// A page that is computed from `parents`.
fn derived(state: &State, parents: &[PageId], formula: &str) -> PageId {
    let page = page(state);
    state.derive(page, parents, formula, NOTE).unwrap();
    page
}

fn set(state: &State, page: PageId, n: u64) {
    state.update(page, &n.to_le_bytes(), NOTE).unwrap();
}

fn get(state: &State, page: PageId) -> u64 {
    u64::from_le_bytes(state.read_all(page).unwrap().try_into().unwrap())
}

/// How often pages are computed by what `change` does, and how often that comes out the same.
fn counted(state: &State, change: impl FnOnce()) -> (u64, u64) {
    let before = state.propagation_stats().unwrap();
    change();
    let after = state.propagation_stats().unwrap();
    (after.computed - before.computed, after.cut_off - before.cut_off)
}

/// The log gives the same state, without a callback.
fn assert_replays(state: &State) {
    let snapshot = state.snapshot().unwrap();
    let replayed = state.replay_to(snapshot.lsn()).unwrap();
    assert_eq!(replayed.digest().unwrap(), snapshot.digest().unwrap());
}
