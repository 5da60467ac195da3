//! Random histories: the live state, its replay and its recovery are one state.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

#[path = "../common/mod.rs"]
mod common;

use common::{Prng, random_op};
use mmsb::{Config, Durability, Lsn, Note, PageId, State};
use std::collections::BTreeMap;

/// Operations of the threaded histories; `MMSB_OPS` sets another number.
fn operations() -> u64 {
    std::env::var("MMSB_OPS").map_or(30_000, |ops| ops.parse().unwrap())
}

fn replay_is_live(state: &State) -> [u8; 32] {
    let snapshot = state.snapshot().unwrap();
    let live = snapshot.digest().unwrap();
    assert_eq!(state.replay_to(snapshot.lsn()).unwrap().digest().unwrap(), live);
    live
}

fn on_threads(state: &State, threads: u64, seed: u64) {
    let each = operations() / threads;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let (mut prng, mut pages) = (Prng(seed * 100 + thread), Vec::new());
                for i in 0..each {
                    random_op(state, &mut prng, &mut pages).unwrap();
                    // Pages of others too, under their threads' feet.
                    let other = PageId(1 + prng.below(40));
                    let bytes = prng.bytes(1);
                    let written = state.write(other, 0, &bytes, Note::from("other"));
                    assert!(written.is_ok() || !state.contains(other), "{written:?}");
                    if i % 1000 == 500 {
                        replay_is_live(state);
                    }
                    if i % 1500 == 700 && thread == 0 {
                        state.checkpoint(None).unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn live_equals_replay_in_memory() {
    for (threads, seed) in [(1, 1), (2, 2), (4, 3)] {
        let state = State::open(Config::memory()).unwrap();
        common_history(&state, threads, seed);
        state.close().unwrap();
    }
}

fn common_history(state: &State, threads: u64, seed: u64) {
    // Freed pages would make others' writes fail half the time; the generator frees its own.
    on_threads(state, threads, seed);
    replay_is_live(state);
    state.verify().unwrap();
}

#[test]
fn live_equals_replay_equals_recovered_on_disk() {
    for (durability, threads) in
        [(Durability::Memory, 2), (Durability::Buffered, 4), (Durability::Buffered, 1)]
    {
        let dir = tempfile::tempdir().unwrap();
        let config = || Config {
            durability,
            segment_bytes: 1 << 20,
            ..Config::durable(dir.path().join("state"))
        };
        let state = State::open(config()).unwrap();
        common_history(&state, threads, 7);
        let live = replay_is_live(&state);
        state.close().unwrap();
        let state = State::open(config()).unwrap();
        assert_eq!(state.digest().unwrap(), live, "{durability:?} on {threads} threads");
        common_history(&state, threads, 8);
    }
}

/// Content and metadata of all pages; epochs grow, whatever is gone back to.
fn shown(state: &State) -> BTreeMap<PageId, (Vec<u8>, mmsb::Location, common::Pairs)> {
    let page = |id| {
        let (bytes, meta) = (state.read_all(id).unwrap(), state.meta_list(id).unwrap());
        (id, (bytes, state.location(id).unwrap(), meta))
    };
    state.list_pages().unwrap().into_iter().map(page).collect()
}

/// Random histories with soft checkpoints, gone back to in any order: the state is what it was, and
/// what there is to replay and recover agrees. Images are made in between.
#[test]
fn going_back_gives_what_was_and_replay_agrees() {
    for seed in 1..=4 {
        let dir = tempfile::tempdir().unwrap();
        let config = || Config {
            durability: Durability::Memory,
            segment_bytes: 1 << 20,
            ..Config::durable(dir.path().join("state"))
        };
        let state = State::open(config()).unwrap();
        let (mut prng, mut pages) = (Prng(seed), Vec::new());
        let mut marks: Vec<(mmsb::SoftCheckpoint, _, Vec<PageId>)> = Vec::new();
        for i in 0..operations() / 20 {
            random_op(&state, &mut prng, &mut pages).unwrap();
            match prng.below(60) {
                0 | 1 => {
                    let mark = state.soft_checkpoint().unwrap();
                    marks.push((mark, shown(&state), pages.clone()));
                }
                2 if !marks.is_empty() => {
                    let at = prng.below(marks.len() as u64) as usize;
                    marks.truncate(at + 1);
                    let (mark, then, there) = &marks[at];
                    state.revert(mark, Note::from("back")).unwrap();
                    assert_eq!(&shown(&state), then);
                    pages.clone_from(there);
                }
                3 if !marks.is_empty() => {
                    drop(marks.remove(prng.below(marks.len() as u64) as usize));
                }
                _ => {}
            }
            match i % 250 {
                100 => drop(replay_is_live(&state)),
                200 => drop(state.checkpoint(None).unwrap()),
                _ => {}
            }
        }
        drop(marks);
        assert_eq!(state.stats().unwrap().versions, 0);
        let live = replay_is_live(&state);
        state.verify().unwrap();
        state.close().unwrap();
        assert_eq!(State::open(config()).unwrap().digest().unwrap(), live, "seed {seed}");
    }
}

#[test]
fn live_equals_recovered_in_sync() {
    let dir = tempfile::tempdir().unwrap();
    let durability = Durability::Sync;
    let config = || Config { durability, ..Config::durable(dir.path().join("state")) };
    let state = State::open(config()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let state = &state;
            scope.spawn(move || {
                let (mut prng, mut pages) = (Prng(thread), Vec::new());
                for _ in 0..150 {
                    random_op(state, &mut prng, &mut pages).unwrap();
                }
            });
        }
    });
    let stats = state.stats().unwrap();
    assert!(stats.sync.count < stats.records, "syncs are shared: {stats:?}");
    assert!(stats.durable_lsn >= stats.written_lsn);
    let live = replay_is_live(&state);
    state.close().unwrap();
    assert_eq!(State::open(config()).unwrap().digest().unwrap(), live);
}

/// Two states that applied the same records have the same digest, whoever applied them.
#[test]
fn commuting_work_on_threads_gives_the_digest_of_one_thread() {
    let work = |state: &State, pages: &[PageId], thread: usize| {
        for i in 0..500u64 {
            let bytes = (i * 7 + thread as u64).to_le_bytes();
            state.write(pages[thread], i % 50, &bytes, Note::NONE).unwrap();
        }
    };
    let make = |state: &State| -> Vec<PageId> {
        (0..4).map(|_| state.create_page(64, Note::NONE).unwrap()).collect()
    };
    let alone = State::open(Config::memory()).unwrap();
    let pages = make(&alone);
    (0..4).for_each(|thread| work(&alone, &pages, thread));
    let together = State::open(Config::memory()).unwrap();
    let pages = make(&together);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (together, pages) = (&together, &pages);
            scope.spawn(move || work(together, pages, thread));
        }
    });
    assert_eq!(together.digest().unwrap(), alone.digest().unwrap());
}

/// Per page, the order of LSNs is the order of apply: the last record of each byte wins.
#[test]
fn lsn_order_is_apply_order_on_shared_pages() {
    let state = State::open(Config::memory()).unwrap();
    let pages: Vec<_> = (0..3).map(|_| state.create_page(64, Note::NONE).unwrap()).collect();
    let wrote = std::sync::Mutex::new(BTreeMap::<Lsn, (PageId, u64, [u8; 8])>::new());
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (state, pages, wrote) = (&state, &pages, &wrote);
            scope.spawn(move || {
                let mut prng = Prng(thread);
                for i in 0..2_000u64 {
                    let page = pages[prng.below(3) as usize];
                    let at = prng.below(56);
                    let bytes = (i << 8 | thread).to_le_bytes();
                    if let Some(lsn) = state.write(page, at, &bytes, Note::NONE).unwrap() {
                        let before = wrote.lock().unwrap().insert(lsn, (page, at, bytes));
                        assert_eq!(before, None, "an LSN was given twice");
                    }
                }
            });
        }
    });
    let mut model = vec![[0u8; 64]; 3];
    for (page, at, bytes) in wrote.into_inner().unwrap().into_values() {
        let at = at as usize;
        model[page.0 as usize - 1][at..at + 8].copy_from_slice(&bytes);
    }
    for (page, content) in pages.iter().zip(&model) {
        assert_eq!(state.read_all(*page).unwrap(), content);
    }
}
