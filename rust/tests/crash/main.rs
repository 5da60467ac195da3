//! Crashes: at every write and sync of a workload, at every byte of a record, by SIGKILL; and
//! damage at every byte.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

#[path = "../common/mod.rs"]
mod common;

mod damage;
mod derived;
mod disk;
mod every_operation;
mod found;
mod images;
mod kill;
mod kill_transfers;
mod private;
mod torn;

use mmsb::env::sim::{SimClock, SimStorage};
use mmsb::{Config, Durability, Result, State};
use std::sync::Arc;

/// A state on a simulated disk, without background threads, in small segments.
fn open(disk: &SimStorage, durability: Durability) -> Result<State> {
    let config = Config {
        durability,
        segment_bytes: 64 << 10,
        history_bytes: 16 << 10,
        ..Config::durable("sim")
    };
    State::open_in(Arc::new(disk.clone()), Arc::new(SimClock::new(1_700_000_000_000)), config)
}

/// The disk's log files, oldest first.
fn logs(disk: &SimStorage) -> Vec<String> {
    use mmsb::env::Storage;
    let names = disk.list().unwrap();
    let segment = |name: &String| name.ends_with(".log") && !name.starts_with("spare");
    names.into_iter().filter(segment).collect()
}
