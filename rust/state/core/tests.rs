//! A state from the pool is a fresh one: many random lives, each lived by both.

use super::Core;
use crate::config::Config;
use crate::state::{State, Transaction};
use crate::stdx::hist::Latency;
use crate::stdx::prng::Prng;
use crate::types::{EdgeKind, Location, Lsn, Note, Ownership, PageId};
use crate::{Delta, EventFilter, Stats, TransactionStats};
use std::sync::Arc;

/// Lives of the short form; `MMSB_LIVES` for more.
const LIVES: u64 = 10_000;

/// What a life shows to whoever lives it, in order.
#[derive(Default, PartialEq, Debug)]
struct Shown(Vec<String>);

impl Shown {
    fn note(&mut self, what: impl std::fmt::Debug) {
        self.0.push(format!("{what:?}"));
    }
}

/// One random operation, and what it answers.
fn step(state: &State, random: &mut Prng, shown: &mut Shown) {
    let note = [Note::NONE, Note::from("life")][random.below(2) as usize];
    let id = PageId(1 + random.below(state.stats().unwrap().next_page_id));
    let bytes = vec![random.below(256) as u8; 1 + random.below(200) as usize];
    let answer = |result: crate::Result<Option<Lsn>>| result.map_err(|error| error.to_string());
    match random.below(16) {
        0..3 => {
            let location = [Location::Cpu, Location::Unified][random.below(2) as usize];
            shown.note(state.create_page_at(1 + random.below(3000), location, note).ok());
        }
        3..5 => shown.note(answer(state.update(id, &bytes, note))),
        5..7 => shown.note(answer(state.write(id, random.below(100), &bytes, note))),
        7 => shown.note(answer(state.free_page(id, note).map(Some))),
        8 => shown.note(answer(state.set_meta(id, &bytes[..1], &bytes, note))),
        9 => {
            let snapshot = state.snapshot().unwrap();
            shown.note(answer(state.write(id, 0, &bytes, note)));
            shown.note((snapshot.lsn(), snapshot.digest().unwrap()));
        }
        10 => {
            let mut batch = crate::Batch::new(state);
            shown.note(batch.create_page(64, Location::Cpu).ok());
            shown.note(batch.apply(Delta::from_runs(id, &[(1, &bytes)]).unwrap()).is_ok());
            shown.note(answer(batch.commit(note)));
        }
        11 => shown.note(state.flush().unwrap()),
        12 => {
            let ownership = [Ownership::Owned(3), Ownership::Immutable, Ownership::Shared];
            let ownership = ownership[random.below(3) as usize];
            shown.note(answer(state.set_ownership(id, ownership, note)));
        }
        13 => {
            let mut partition = state.partition(3).unwrap();
            transact(partition.begin().unwrap(), id, &bytes, random, shown);
        }
        14 => {
            let other = PageId(1 + random.below(id.0));
            shown.note(answer(state.add_edge(other, id, EdgeKind::Data, note)));
            shown.note((state.topological_order(), state.parents(id).ok()));
        }
        _ => transact(state.begin().unwrap(), id, &bytes, random, shown),
    }
}

/// A random transaction, which ends as it may.
fn transact(
    mut transaction: Transaction<'_>,
    id: PageId,
    bytes: &[u8],
    random: &mut Prng,
    shown: &mut Shown,
) {
    let start = transaction.savepoint();
    for _ in 0..random.below(6) {
        let told = match random.below(6) {
            0 => transaction.create_page(64, Location::Cpu).map(|id| vec![id.0]),
            1 => transaction.read_all(id).map(|bytes| vec![bytes.len() as u64]),
            2 => transaction.list_pages().map(|ids| ids.iter().map(|id| id.0).collect()),
            3 => transaction.free_page(id).map(|()| Vec::new()),
            4 => transaction.rollback(start).map(|()| Vec::new()),
            _ => transaction.write(id, random.below(100), bytes).map(|()| Vec::new()),
        };
        shown.note(told.map_err(|error| error.to_string()));
    }
    match random.below(4) {
        0 => transaction.abort(),
        _ => shown.note(transaction.commit(Note::NONE).map_err(|error| error.to_string())),
    }
}

/// The stats without what time and the rest of the process decide.
fn counts(state: &State) -> Stats {
    let stats = state.stats().unwrap();
    let count = |latency: Latency| Latency { count: latency.count, ..Latency::default() };
    Stats {
        // Which are timed is a matter of the thread.
        transactions: TransactionStats { time: Latency::default(), ..stats.transactions },
        flush: count(stats.flush),
        sync: count(stats.sync),
        commit: count(stats.commit),
        checkpoint: count(stats.checkpoint),
        memory: Default::default(),
        // A pooled state keeps its lanes.
        lanes: 0,
        ..stats
    }
}

fn live(state: State, seed: u64) -> Shown {
    let (mut random, mut shown) = (Prng::new(seed), Shown::default());
    shown.note(counts(&state));
    shown.note(state.digest().unwrap());
    let view = (random.below(8) == 0).then(|| {
        let page = state.create_page(10, Note::NONE).unwrap();
        state.view(page).unwrap()
    });
    let events = (random.below(4) == 0).then(|| {
        let capacity = 1 + random.below(30) as usize;
        state.subscribe(EventFilter { capacity, ..EventFilter::default() }).unwrap()
    });
    for _ in 0..random.below(14) {
        step(&state, &mut random, &mut shown);
    }
    if random.below(20) == 0 {
        shown.note(state.checkpoint(Some("life")).map(|made| (made.lsn, made.bytes)).ok());
    }
    if random.below(50) == 0 {
        state.poison("a life that ends badly");
        shown.note(state.create_page(1, Note::NONE).map_err(|error| error.to_string()));
    }
    shown.note(state.digest().unwrap());
    shown.note(counts(&state));
    // A state with a view that outlives it is not used again.
    let outlives = random.below(2) == 0;
    if !outlives {
        drop(view);
        state.close().unwrap();
    } else {
        state.close().unwrap();
        drop(view);
    }
    if let Some(events) = events {
        shown.note((events.since(), events.lost(), events.iter().collect::<Vec<_>>()));
    }
    shown
}

#[test]
fn a_pooled_life_shows_what_a_fresh_one_shows() {
    let lives = std::env::var("MMSB_LIVES").ok().and_then(|n| n.parse().ok()).unwrap_or(LIVES);
    let mut core = Some(Arc::new(Core::blank()));
    let mut pooled = 0;
    for seed in 0..lives {
        let fresh = live(State::from_core(Arc::new(Core::blank())), seed);
        // The pool is shared with other tests, so that this one keeps a core of its own.
        let mut mine = core.take().unwrap_or_else(|| Arc::new(Core::blank()));
        let kept = mine.clone();
        let again = live_in(mine, seed);
        assert_eq!(again, fresh, "life {seed}");
        mine = kept;
        let reset = Arc::get_mut(&mut mine).is_some_and(Core::reset);
        if reset {
            pooled += 1;
            let blank = Core::blank();
            assert_eq!(mine.table.headers(), blank.table.headers(), "life {seed}");
            assert_eq!(mine.log.headers(), blank.log.headers(), "life {seed}");
            assert_eq!(mine.config, blank.config);
            assert_eq!(mine.snapshots.count(), 0);
            assert!(!mine.events.is_watched());
            core = Some(mine);
        }
    }
    assert!(pooled > lives / 2, "{pooled} of {lives} were used again");
}

/// As [`live`], in a core that the caller keeps.
fn live_in(core: Arc<Core>, seed: u64) -> Shown {
    live(State::from_core(core), seed)
}

/// A limit of one life is none of the next.
#[test]
fn a_limit_ends_with_its_life() {
    let config = Config { memory_bytes_max: 5000, ..Config::memory() };
    let state = State::open(config.clone()).unwrap();
    let page = state.create_page(4000, Note::NONE).unwrap();
    let (before, digest) = (counts(&state), state.digest().unwrap());
    let refused = state.create_page(1001, Note::NONE).unwrap_err();
    assert_eq!(refused.kind(), crate::ErrorKind::OutOfMemory);
    for named in ["1001", "4000", "5000"] {
        assert!(refused.message().contains(named), "{refused}");
    }
    assert_eq!((counts(&state), state.digest().unwrap()), (before, digest));
    // What a snapshot reads must be kept beside what replaces it.
    let snapshot = state.snapshot().unwrap();
    let refused = state.update(page, &[1; 4000], Note::NONE).unwrap_err();
    assert_eq!(refused.kind(), crate::ErrorKind::OutOfMemory);
    assert_eq!(state.digest().unwrap(), digest);
    drop(snapshot);
    assert!(state.update(page, &[1; 4000], Note::NONE).unwrap().is_some());
    state.close().unwrap();
    for _ in 0..40 {
        let state = State::open(Config::memory()).unwrap();
        state.create_page(1 << 20, Note::NONE).unwrap();
    }
}
