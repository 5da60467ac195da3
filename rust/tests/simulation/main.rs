//! The whole engine under simulation: many seeds, each a run of its own (`run.rs`), with a
//! workload, faults and a model.
//!
//! `MMSB_SEEDS` sets how many, `MMSB_SEED` where they begin, `MMSB_FAULTS` what may go wrong. A
//! failure names its seed and tells its shortest history; docs/testing.md says how to read it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

#[cfg(canaries)]
mod canaries;
mod checker;
mod derived;
mod faults;
mod history;
mod model;
mod order;
mod rules;
mod run;
mod runner;
mod seals;
mod settings;
mod shrink;
mod workload;

use run::Plan;
use settings::Settings;

#[test]
fn seeds() {
    let settings = Settings::read(|name| std::env::var(name).ok()).unwrap_or_else(|wrong| {
        panic!("{wrong}");
    });
    if !runner::work(&settings) {
        runner::check(&settings);
    }
}

/// Byte for byte: the trace is of every choice, every operation of the disk with its bytes, and
/// every answer. What ran before in the same process changes nothing.
#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| run::run(&Plan::draw(seed, faults::Kind::ALL), false).trace;
    let first: Vec<u64> = (0..60).map(trace).collect();
    let again: Vec<u64> = (0..60).rev().map(trace).collect();
    assert!(first.iter().eq(again.iter().rev()), "{first:x?}\n{again:x?}");
    let told = run::run(&Plan::draw(3, faults::Kind::ALL), true);
    assert_eq!(told.trace, first[3], "telling changes the run");
    assert!(!told.story.is_empty());
}
