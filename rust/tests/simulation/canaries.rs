//! Whether the simulation finds mistakes: each that a build with `--cfg canaries` can make is made,
//! until a seed fails.

use crate::faults::Kind;
use crate::runner;
use crate::settings::Settings;
use mmsb::stdx::canary::Canary;
use std::time::Instant;

/// Seeds within which each must be caught.
const SEEDS_MAX: u64 = 10_000;

#[test]
fn every_canary_is_caught() {
    let mut missed = Vec::new();
    for &canary in Canary::ALL {
        let faults = Kind::ALL.to_vec();
        let settings = Settings { seeds: 0..SEEDS_MAX, faults, canary: Some(canary) };
        let start = Instant::now();
        let (totals, failed) = runner::run_all(&settings, false);
        let (name, time) = (canary.name(), start.elapsed().as_secs_f64());
        match failed {
            Some(failed) => {
                let wrong = failed.wrong.unwrap_or_else(|| "the process died".to_owned());
                println!("{name}: caught in {time:.1} s, at seed {}: {wrong}", failed.seed);
            }
            None => {
                println!("{name}: not caught by {} seeds in {time:.1} s", totals.seeds);
                missed.push(name);
            }
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
