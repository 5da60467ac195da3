//! A crash at every operation of the disk: what was acknowledged is there, and nothing in part.

use crate::common::{Prng, random_op};
use crate::open;
use mmsb::env::sim::{Fault, PowerLoss, SimStorage};
use mmsb::{Durability, PageId, Result, State};

const STEPS: u64 = 60;

/// What is done until the disk stops, and what must hold for whatever is found.
#[derive(Clone, Copy)]
pub struct Work {
    /// One group, or none: the same for the same numbers and pages.
    pub step: fn(&State, &mut Prng, &mut Vec<PageId>) -> Result<()>,
    pub check: fn(&State, &str),
    /// What tells states apart: the same for those that the same steps made.
    pub digest: fn(&State) -> [u8; 32],
}

const RANDOM: Work = Work { step: random_op, check: |_, _| (), digest };

pub fn digest(state: &State) -> [u8; 32] {
    state.digest().unwrap()
}

/// What a run over a disk that stops came to.
#[derive(Default)]
struct Run {
    /// Digest of the content after each step that was begun, the empty one first.
    digests: Vec<[u8; 32]>,
    /// Steps known to be durable.
    durable: usize,
    /// Steps known to have survived the process.
    written: usize,
}

/// Works until the disk stops. In `Sync`, each step is durable when it returns; in `Memory`, only
/// what an explicit flush or sync covered.
fn work(disk: &SimStorage, durability: Durability, seed: u64, work: Work) -> Run {
    let mut run = Run::default();
    // The content of each step, told by a twin in memory.
    let twin = State::open(mmsb::Config::memory()).unwrap();
    run.digests.push((work.digest)(&twin));
    let Ok(state) = open(disk, durability) else { return run };
    let (mut ops, mut twin_ops) = (Prng(seed), Prng(seed));
    let (mut pages, mut twin_pages) = (Vec::new(), Vec::new());
    for step in 0..STEPS {
        (work.step)(&twin, &mut twin_ops, &mut twin_pages).unwrap();
        run.digests.push((work.digest)(&twin));
        if (work.step)(&state, &mut ops, &mut pages).is_err() {
            return run;
        }
        let done = run.digests.len() - 1;
        if durability == Durability::Sync {
            (run.durable, run.written) = (done, done);
        }
        let settled = match step % 13 {
            3 if durability == Durability::Memory => state.flush().map(|_| false),
            7 => state.sync().map(|_| true),
            9 => state.checkpoint((step > 30).then_some("named")).map(|_| true),
            12 => state.drop_checkpoint("named").or(Ok(())).map(|()| false),
            _ => continue,
        };
        match settled {
            Ok(true) => (run.durable, run.written) = (done, done),
            Ok(false) => run.written = run.written.max(if step % 13 == 3 { done } else { 0 }),
            Err(_) => return run,
        }
    }
    if state.close().is_ok() {
        (run.durable, run.written) = (run.digests.len() - 1, run.digests.len() - 1);
    }
    run
}

/// Opens what a crash left and finds it among the states that the run allows.
fn check(
    (disk, durability): (&SimStorage, Durability),
    run: &Run,
    at_least: usize,
    work: Work,
    what: &str,
) {
    let state = match open(disk, durability) {
        Ok(state) => state,
        Err(error) => panic!("{what}: {error:?}"),
    };
    let digest = (work.digest)(&state);
    let found = run.digests[at_least..].iter().position(|known| *known == digest);
    assert!(
        found.is_some(),
        "{what}: the state is none of steps {at_least}..{} (it is step {:?})",
        run.digests.len(),
        run.digests.iter().position(|known| *known == digest),
    );
    state.verify().unwrap_or_else(|error| panic!("{what}: {error:?}"));
    (work.check)(&state, what);
    // It goes on from there.
    let page = state.create_page(8, mmsb::Note::NONE).unwrap();
    state.update(page, &[1; 8], mmsb::Note::NONE).unwrap();
    let digest = state.digest().unwrap();
    state.close().unwrap();
    assert_eq!(open(disk, durability).unwrap().digest().unwrap(), digest, "{what}");
}

pub fn crash_everywhere(durability: Durability, seed: u64, what: Work) {
    let whole = SimStorage::new(seed);
    let finished = work(&whole, durability, seed, what);
    assert_eq!(finished.durable, STEPS as usize);
    let operations = whole.op_count();
    assert!(operations > 60, "{operations}");
    for at in 0..operations {
        let disk = SimStorage::new(seed);
        disk.plan(Fault::crash(at));
        let run = work(&disk, durability, seed, what);
        let styles = [
            (PowerLoss::KeepAll, run.written),
            (PowerLoss::DropUnsynced, run.durable),
            (PowerLoss::Random(at), run.durable),
            (PowerLoss::Random(at + 1_000_000), run.durable),
        ];
        for (style, at_least) in styles {
            let name = format!("seed {seed}, {durability:?}, operation {at}, {style:?}");
            check((&disk.crash(style), durability), &run, at_least, what, &name);
        }
    }
}

#[test]
fn in_sync_every_step_that_returned_is_there() {
    for seed in 1..4 {
        crash_everywhere(Durability::Sync, seed, RANDOM);
    }
}

#[test]
fn in_memory_what_a_sync_covered_is_there() {
    for seed in 10..14 {
        crash_everywhere(Durability::Memory, seed, RANDOM);
    }
}

/// The disk stops during recovery too, at each of its operations; the next recovery succeeds.
pub fn crash_in_recovery(durability: Durability, seed: u64, what: Work) {
    let whole = SimStorage::new(seed);
    work(&whole, durability, seed, what);
    for at in (0..whole.op_count()).step_by(7) {
        let disk = SimStorage::new(seed);
        disk.plan(Fault::crash(at));
        let run = work(&disk, durability, seed, what);
        let left = disk.crash(PowerLoss::Random(at));
        let recovery = {
            let copy = left.snapshot();
            let before = copy.op_count();
            drop(open(&copy, durability));
            copy.op_count() - before
        };
        for stop in 0..recovery {
            let again = left.snapshot();
            again.plan(Fault::crash(again.op_count() + stop));
            drop(open(&again, durability));
            for style in [PowerLoss::KeepAll, PowerLoss::DropUnsynced, PowerLoss::Random(stop)] {
                let name = format!("operation {at}, recovery stopped at {stop}, {style:?}");
                check((&again.crash(style), durability), &run, run.durable, what, &name);
            }
        }
    }
}

#[test]
fn a_crash_during_recovery_loses_nothing() {
    crash_in_recovery(Durability::Sync, 5, RANDOM);
}
