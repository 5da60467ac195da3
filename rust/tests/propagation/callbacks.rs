//! Callbacks: called once each, checked, refused where they break the rules.

use super::{COPY, NOTE, assert_replays, derived, get, memory, page, set};
use mmsb::{Config, Error, ErrorKind, PageId, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn double(parents: &[&[u8]], out: &mut [u8]) -> mmsb::Result<()> {
    let n = u64::from_le_bytes(parents[0].try_into().unwrap());
    out.copy_from_slice(&(2 * n).to_le_bytes());
    Ok(())
}

fn doubled(state: &State, parent: PageId) -> PageId {
    let page = page(state);
    state.register("double", double).unwrap();
    state.derive_by(page, &[parent], "double", NOTE).unwrap();
    page
}

#[test]
fn a_callback_computes_and_replay_calls_none() {
    let state = memory();
    let a = page(&state);
    let b = doubled(&state, a);
    let c = derived(&state, &[b], COPY);
    set(&state, a, 21);
    assert_eq!((get(&state, b), get(&state, c)), (42, 42));
    let calls = Arc::new(AtomicU64::new(0));
    let counted = calls.clone();
    state
        .register("double", move |parents: &[&[u8]], out: &mut [u8]| {
            counted.fetch_add(1, Ordering::Relaxed);
            double(parents, out)
        })
        .unwrap();
    set(&state, a, 22);
    assert_replays(&state);
    assert_eq!((calls.load(Ordering::Relaxed), get(&state, c)), (1, 44));
    assert_eq!(state.page_at(c, state.flush().unwrap()).unwrap().bytes, 44u64.to_le_bytes());
}

#[test]
fn a_callback_that_fails_ends_the_group() {
    let state = memory();
    let a = page(&state);
    let b = page(&state);
    state
        .register("picky", |parents: &[&[u8]], out: &mut [u8]| match parents[0][0] {
            7 => Err(Error::new(ErrorKind::InvalidArgument, "no sevens")),
            8 => panic!("eight"),
            _ => double(parents, out),
        })
        .unwrap();
    state.derive_by(b, &[a], "picky", NOTE).unwrap();
    set(&state, a, 1);
    let (digest, records) = (state.digest().unwrap(), state.stats().unwrap().records);
    for (n, said) in [(7, "no sevens"), (8, "its callback panicked: eight")] {
        let error = state.write(a, 0, &[n], NOTE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CallbackFailed);
        assert_eq!(error.message(), format!("page 2 cannot be computed: {said}"));
    }
    assert_eq!((state.digest().unwrap(), state.stats().unwrap().records), (digest, records));
    set(&state, a, 9);
    assert_eq!(get(&state, b), 18);
}

#[test]
fn a_callback_that_makes_two_contents_is_found_out() {
    let state = memory();
    let (a, b) = (page(&state), page(&state));
    let calls = AtomicU64::new(0);
    state
        .register("impure", move |_: &[&[u8]], out: &mut [u8]| {
            out[0] = calls.fetch_add(1, Ordering::Relaxed) as u8;
            Ok(())
        })
        .unwrap();
    state.derive_by(b, &[a], "impure", NOTE).unwrap();
    set(&state, a, 1);
    state.check_purity(true).unwrap();
    let error = state.write(a, 0, &[2], NOTE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Impure);
    assert!(error.message().contains("page 2"), "{error}");
    assert_eq!(get(&state, a), 1);
}

#[test]
fn a_callback_that_calls_its_state_is_refused() {
    let state = Arc::new(memory());
    let (a, b) = (page(&state), page(&state));
    let kinds = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (inner, seen) = (Arc::downgrade(&state), kinds.clone());
    state
        .register("nosy", move |_: &[&[u8]], _: &mut [u8]| {
            let state = inner.upgrade().unwrap();
            let mut seen = seen.lock().unwrap();
            let mut note = |result: mmsb::Result<()>| seen.push(result.unwrap_err().kind());
            note(state.read(a, 0, &mut [0]));
            note(state.view(a).map(drop));
            note(state.write(a, 0, &[1], NOTE).map(drop));
            note(state.create_page(1, NOTE).map(drop));
            note(state.snapshot().map(drop));
            note(state.begin().map(drop));
            note(state.derive(b, &[a], COPY, NOTE).map(drop));
            note(state.children(a).map(drop));
            note(state.propagate(NOTE).map(drop));
            Ok(())
        })
        .unwrap();
    let digest = state.digest().unwrap();
    let error = state.derive_by(b, &[a], "nosy", NOTE).unwrap_err();
    assert_eq!(*kinds.lock().unwrap(), [ErrorKind::Reentered; 9]);
    // Whatever the callback made of it.
    assert_eq!(error.kind(), ErrorKind::CallbackFailed);
    assert_eq!(error.message(), "page 2 cannot be computed: its callback calls its state");
    assert_eq!((state.digest().unwrap(), state.rule(b).unwrap()), (digest, None));
    set(&state, a, 3);
}

/// What it is given to fill does not tell what was there before.
#[test]
fn a_callback_begins_with_zeros() {
    let state = memory();
    let (a, b) = (page(&state), page(&state));
    let add = |parents: &[&[u8]], out: &mut [u8]| {
        out.iter_mut().zip(parents[0]).for_each(|(out, byte)| *out += byte);
        Ok(())
    };
    state.write(b, 0, &[9; 8], NOTE).unwrap();
    state.derive_with(b, &[a], "add", add, NOTE).unwrap();
    state.check_purity(true).unwrap();
    for n in [1, 2, 3] {
        set(&state, a, n);
        assert_eq!(get(&state, b), n);
    }
}

#[test]
fn a_callback_that_comes_with_a_page_is_that_pages() {
    let state = memory();
    let (a, b, c) = (page(&state), page(&state), page(&state));
    let times = |n: u64| {
        move |parents: &[&[u8]], out: &mut [u8]| {
            let parent = u64::from_le_bytes(parents[0].try_into().unwrap());
            match parent {
                13 => return Err(Error::new(ErrorKind::InvalidArgument, "no thirteens")),
                _ => out.copy_from_slice(&(n * parent).to_le_bytes()),
            }
            Ok(())
        }
    };
    set(&state, a, 1);
    state.derive_with(b, &[a], "times", times(2), NOTE).unwrap();
    // Neither one that comes to nothing replaces it, nor one for another page.
    let refused = |page, parent, n, kind| {
        let digest = state.digest().unwrap();
        let error = state.derive_with(page, &[parent], "times", times(n), NOTE).unwrap_err();
        assert_eq!((error.kind(), state.digest().unwrap()), (kind, digest), "{error}");
        error
    };
    refused(b, b, 3, ErrorKind::Cycle);
    refused(b, PageId(99), 4, ErrorKind::PageNotFound);
    let error = refused(c, a, 5, ErrorKind::InvalidArgument);
    assert!(error.message().contains("\"times\"") && error.message().contains("page 2"), "{error}");
    set(&state, a, 3);
    assert_eq!(get(&state, b), 6);
    // Another one for the same page does, and the page is computed anew.
    assert!(state.derive_with(b, &[a], "times", times(10), NOTE).unwrap().is_some());
    assert_eq!(get(&state, b), 30);
    set(&state, a, 4);
    assert_eq!(get(&state, b), 40);
    // One that fails at once is not registered under a new name either.
    let on_thirteen = page(&state);
    set(&state, on_thirteen, 13);
    let error = state.derive_with(c, &[on_thirteen], "new", times(1), NOTE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CallbackFailed);
    let error = state.derive_by(c, &[a], "new", NOTE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCallback);
    state.derive_by(c, &[a], "times", NOTE).unwrap();
    assert_eq!(get(&state, c), 40);
    assert_replays(&state);
}

#[test]
fn others_read_and_write_while_a_callback_runs() {
    let state = memory();
    let (a, b, other) = (page(&state), page(&state), page(&state));
    let (started, go_on) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    let (started, go_on) = (Arc::new(started), Arc::new(go_on));
    let (here, there) = (started.clone(), go_on.clone());
    state
        .register("slow", move |parents: &[&[u8]], out: &mut [u8]| {
            if parents[0][0] == 1 {
                here.wait();
                there.wait();
            }
            double(parents, out)
        })
        .unwrap();
    state.derive_by(b, &[a], "slow", NOTE).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| set(&state, a, 1));
        started.wait();
        assert_eq!((get(&state, a), get(&state, b)), (0, 0));
        set(&state, other, 5);
        let snapshot = state.snapshot().unwrap();
        assert_eq!(snapshot.read_all(b).unwrap(), [0; 8]);
        go_on.wait();
    });
    assert_eq!((get(&state, a), get(&state, b)), (1, 2));
    assert_replays(&state);
}

#[test]
fn a_callback_has_to_be_registered_again_after_opening() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(Config::durable(dir.path())).unwrap();
    let a = page(&state);
    let b = doubled(&state, a);
    set(&state, a, 4);
    let digest = state.digest().unwrap();
    state.close().unwrap();
    let state = State::open(Config::durable(dir.path())).unwrap();
    assert_eq!(state.digest().unwrap(), digest);
    let error = state.write(a, 0, &[5], NOTE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCallback);
    let said = "page 2 is computed by the callback \"double\", which is not registered";
    assert_eq!(error.message(), said);
    state.register("double", double).unwrap();
    set(&state, a, 5);
    assert_eq!(get(&state, b), 10);
}
