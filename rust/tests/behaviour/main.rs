//! Behaviour: one claim per file, through the public interface.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

mod backlog;
mod batches;
mod cancelling;
mod checkpoints;
mod closing;
mod compare;
mod edges;
mod events;
mod executor;
mod history;
mod large_graph;
mod opening;
mod pages;
mod pool;
mod private;
mod reverts;
mod snapshots;
mod transactions;
mod updates;
mod versions;
mod views;

#[path = "../common/mod.rs"]
mod common;

use mmsb::{Config, Note, PageId, State};

/// Tells threads to stop, also when an assertion fails.
#[derive(Default)]
struct Stop(std::sync::atomic::AtomicBool);

struct OnDrop<'a>(&'a Stop);

impl Stop {
    fn is_set(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn on_drop(&self) -> OnDrop<'_> {
        OnDrop(self)
    }
}

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A state in memory.
fn memory() -> State {
    State::open(Config::memory()).unwrap()
}

/// A page of `size` bytes whose byte i is i.
fn ramp(state: &State, size: usize) -> PageId {
    let page = state.create_page(size as u64, Note::NONE).unwrap();
    let bytes: Vec<u8> = (0..size).map(|i| i as u8).collect();
    state.update(page, &bytes, Note::NONE).unwrap();
    page
}
