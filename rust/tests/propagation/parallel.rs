//! Pages that are due at once are shared by several threads, and nobody can tell.

use super::{NOTE, assert_replays, counted};
use crate::common::Prng;
use mmsb::{Batch, Config, Durability, ErrorKind, PageId, State};

/// Large enough that few pages are worth a thread.
const SIZE: usize = 32 << 10;

fn state(threads: usize) -> State {
    let state = State::open(Config::memory()).unwrap();
    state.set_propagation_threads(threads).unwrap();
    state
}

fn large(state: &State) -> PageId {
    state.create_page(SIZE as u64, NOTE).unwrap()
}

fn fill(state: &State, page: PageId, prng: &mut Prng) {
    let numbers = (0..SIZE / 8).flat_map(|_| (prng.below(1000) as f64).to_le_bytes());
    state.update(page, &numbers.collect::<Vec<u8>>(), NOTE).unwrap();
}

/// How many pages were computed in shared waves by what `change` does.
fn shared<R>(state: &State, change: impl FnOnce() -> mmsb::Result<R>) -> u64 {
    let before = state.propagation_stats().unwrap().shared;
    change().unwrap();
    state.propagation_stats().unwrap().shared - before
}

/// Wide layers over each other, of formulas of many kinds, some of which come out the same.
fn layers(threads: usize) -> ([u8; 32], Vec<(u64, u64)>) {
    let state = state(threads);
    let mut prng = Prng(7);
    let inputs: Vec<PageId> = (0..4).map(|_| large(&state)).collect();
    inputs.iter().for_each(|&page| fill(&state, page, &mut prng));
    let formulas = [
        "f64: p0 + p1",
        "f64: p0 * 0.1 - p1",
        "f64: max(p0, p1)",
        "f64: p0 / (p1 + 1)",
        "f64: select(p0 < p1, p0, p1) - mean(p0)",
        "f64: p0 * 0 + p1 * 0",
    ];
    let mut layer = inputs.clone();
    for _ in 0..4 {
        let next = (0..24).map(|i| {
            let page = large(&state);
            let parents = [layer[i % layer.len()], layer[(i * 7 + 1) % layer.len()]];
            state.derive(page, &parents, formulas[i % formulas.len()], NOTE).unwrap();
            page
        });
        layer = next.collect();
    }
    let counts = (0..6)
        .map(|round| {
            counted(&state, || {
                let mut batch = Batch::new(&state);
                for &page in &inputs[round % 2..] {
                    let offset = 8 * prng.below(SIZE as u64 / 8 - 1);
                    batch.write(page, offset, &(round as f64 + 0.5).to_le_bytes()).unwrap();
                }
                batch.commit(NOTE).unwrap();
            })
        })
        .collect();
    assert_eq!(state.propagation_stats().unwrap().shared > 0, threads > 1);
    assert_replays(&state);
    (state.digest().unwrap(), counts)
}

#[test]
fn any_number_of_threads_makes_the_same_state() {
    let alone = layers(1);
    for threads in [2, 3, 8] {
        assert_eq!(layers(threads), alone, "{threads} threads");
    }
}

#[test]
fn little_is_not_shared() {
    let state = state(8);
    let parent = state.create_page(1024, NOTE).unwrap();
    for _ in 0..100 {
        let page = state.create_page(1024, NOTE).unwrap();
        state.derive(page, &[parent], "u8: p0", NOTE).unwrap();
    }
    assert_eq!(shared(&state, || state.write(parent, 0, b"x", NOTE)), 0);
}

#[test]
fn the_first_that_fails_is_told_and_nothing_has_happened() {
    let state = state(4);
    let values = large(&state);
    let index = state.create_page(4, NOTE).unwrap();
    for at in 0..64 {
        let page = state.create_page(if at % 3 == 2 { 1 } else { SIZE as u64 }, NOTE).unwrap();
        match at % 3 {
            2 => state.derive(page, &[values, index], "u8: gather(p0, u32(p1))", NOTE).unwrap(),
            _ => state.derive(page, &[values, index], "u8: p0 + max(u8(p1))", NOTE).unwrap(),
        };
    }
    let before = (state.digest().unwrap(), state.page_lsn(index).unwrap());
    let mut said = None;
    for _ in 0..5 {
        let error = state.update(index, &u32::MAX.to_le_bytes(), NOTE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RangeOutOfBounds);
        // Pages 1 and 2 are the parents; the third that derives from them is the first to fail.
        assert!(error.message().contains("page 5 "), "{error:?}");
        assert_eq!(said.get_or_insert(error.message().to_owned()), error.message());
    }
    assert_eq!((state.digest().unwrap(), state.page_lsn(index).unwrap()), before);
    let changed = shared(&state, || state.update(index, &7u32.to_le_bytes(), NOTE));
    assert_eq!(changed, 64);
    assert_replays(&state);
}

#[test]
fn callbacks_stay_on_the_callers_thread() {
    let state = state(4);
    let parent = large(&state);
    let caller = std::thread::current().id();
    state
        .register("here", move |parents: &[&[u8]], out: &mut [u8]| {
            assert_eq!(std::thread::current().id(), caller);
            out.copy_from_slice(parents[0]);
            Ok(())
        })
        .unwrap();
    let mut pages = Vec::new();
    for at in 0..40 {
        let page = large(&state);
        match at % 2 {
            0 => state.derive(page, &[parent], "u8: p0", NOTE).unwrap(),
            _ => state.derive_by(page, &[parent], "here", NOTE).unwrap(),
        };
        pages.push(page);
    }
    assert_eq!(shared(&state, || state.write(parent, 5, b"x", NOTE)), 20);
    let bytes = state.read_all(parent).unwrap();
    assert!(pages.iter().all(|&page| state.read_all(page).unwrap() == bytes));
    assert_replays(&state);
}

#[test]
fn numbers_of_threads_that_cannot_be_are_refused() {
    let state = state(1);
    for threads in [0, 65, usize::MAX] {
        let error = state.set_propagation_threads(threads).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains(&threads.to_string()), "{error:?}");
    }
    assert_eq!(state.propagation_threads(), 1);
}

/// Parents are read without a lock while others change them in ways that leave their content.
#[test]
fn metadata_of_parents_change_meanwhile() {
    let state = state(2);
    let parents: Vec<PageId> = (0..8).map(|_| large(&state)).collect();
    let sum = large(&state);
    state.derive(sum, &parents, "u64: fold(real)", NOTE).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0u64..200 {
                state
                    .write(parents[(n % 8) as usize], 8 * (n / 8), &n.to_le_bytes(), NOTE)
                    .unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        scope.spawn(|| {
            let mut n = 0usize;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // An open snapshot has each change of metadata go on in another frame.
                let snapshot = state.snapshot().unwrap();
                for &page in &parents {
                    state.set_meta(page, b"n", &n.to_le_bytes(), NOTE).unwrap();
                }
                let view = state.view(parents[n % 8]).unwrap();
                drop(snapshot);
                drop(view);
                n += 1;
            }
        });
    });
    let mut expected = vec![0u64; SIZE / 8];
    for &page in &parents {
        let bytes = state.read_all(page).unwrap();
        for (sum, number) in expected.iter_mut().zip(bytes.chunks_exact(8)) {
            *sum += u64::from_le_bytes(number.try_into().unwrap());
        }
    }
    let bytes: Vec<u8> = expected.iter().flat_map(|n| n.to_le_bytes()).collect();
    assert_eq!(state.read_all(sum).unwrap(), bytes);
    assert_replays(&state);
    assert_eq!(state.config().durability, Durability::Memory);
}
