//! A state goes back to a soft checkpoint: in one group that replay, history and recovery know of.

use crate::{memory, ramp};
use mmsb::{Batch, Change, Config, Durability, ErrorKind, Location, Note, Query, State};

/// Content and metadata of all pages; epochs grow and are left out.
type Shown = Vec<(u64, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>)>;

fn shown(state: &State) -> Shown {
    let page = |id| (state.read_all(id).unwrap(), state.meta_list(id).unwrap());
    let row = |id: mmsb::PageId| {
        let (bytes, meta) = page(id);
        (id.0, bytes, meta)
    };
    state.list_pages().unwrap().into_iter().map(row).collect()
}

fn replay_agrees(state: &State) {
    let snapshot = state.snapshot().unwrap();
    let replayed = state.replay_to(snapshot.lsn()).unwrap();
    assert_eq!(replayed.digest().unwrap(), snapshot.digest().unwrap());
    for id in state.list_pages().unwrap() {
        let at = state.page_at(id, snapshot.lsn()).unwrap();
        assert_eq!((at.bytes, at.epoch), (state.read_all(id).unwrap(), state.epoch(id).unwrap()));
        assert_eq!(at.meta, state.meta_list(id).unwrap());
    }
}

#[test]
fn everything_comes_back_and_replay_agrees() {
    let state = memory();
    let pages: Vec<_> = (0..5).map(|_| ramp(&state, 300)).collect();
    state.set_meta(pages[1], b"kept", b"old", Note::NONE).unwrap();
    state.set_meta(pages[1], b"lost", b"old", Note::NONE).unwrap();
    state.set_meta(pages[2], b"of the freed", b"one", Note::NONE).unwrap();
    let zeros = state.create_page(50, Note::NONE).unwrap();
    let mut late = Batch::new(&state);
    let late_page = late.create_page(8, Location::Cpu).unwrap();
    let (before, mark) = (shown(&state), state.soft_checkpoint().unwrap());
    let epoch = state.epoch(pages[0]).unwrap();

    state.write(pages[0], 10, b"changed", Note::NONE).unwrap();
    state.set_meta(pages[1], b"kept", b"new", Note::NONE).unwrap();
    state.remove_meta(pages[1], b"lost", Note::NONE).unwrap();
    state.set_meta(pages[1], b"added", b"", Note::NONE).unwrap();
    state.write(pages[2], 0, b"and then", Note::NONE).unwrap();
    state.free_page(pages[2], Note::NONE).unwrap();
    state.free_page(zeros, Note::NONE).unwrap();
    let created = ramp(&state, 20);
    let gone = ramp(&state, 20);
    state.free_page(gone, Note::NONE).unwrap();
    late.commit(Note::NONE).unwrap();
    let between = state.snapshot().unwrap();
    let between_digest = between.digest().unwrap();

    let lsn = state.revert(&mark, Note::from("me").because("a test")).unwrap().unwrap();
    assert_eq!(shown(&state), before);
    replay_agrees(&state);
    assert_eq!(state.epoch(pages[0]).unwrap(), epoch + 2);
    assert_eq!(state.page_lsn(pages[2]).unwrap(), lsn);
    for page in [created, late_page, gone] {
        assert_eq!(state.read_all(page).unwrap_err().kind(), ErrorKind::PageFreed);
    }
    // What was seen in between stays, and the freed pages are not in it.
    assert_eq!(between.digest().unwrap(), between_digest);
    assert_eq!(between.read_all(pages[2]).unwrap_err().kind(), ErrorKind::PageNotFound);
    assert_eq!(state.replay_to(between.lsn()).unwrap().digest().unwrap(), between_digest);
    // The group is in the history, with its note.
    let history = state.page_history(pages[2]).unwrap();
    let kinds = history.iter().filter(|changed| changed.lsn == lsn).map(|changed| &changed.change);
    let kinds: Vec<_> = kinds.collect();
    let [Change::Restored { size: 300, .. }, Change::Written(_), Change::Meta { .. }] = kinds[..]
    else {
        panic!("{kinds:?}")
    };
    let group = state.query(Query { from_ms: None, source: Some("me".into()), ..Query::default() });
    assert!(group.unwrap().all(|changed| changed.unwrap().intent.as_deref() == Some("a test")));
    // Pages that came back are pages like any other.
    state.write(pages[2], 0, b"again", Note::NONE).unwrap();
    state.free_page(zeros, Note::NONE).unwrap();
    drop((mark, between));
    assert_eq!(state.stats().unwrap().versions, 0);
    state.verify().unwrap();
}

#[test]
fn nothing_changed_is_no_record() {
    let state = memory();
    let page = ramp(&state, 100);
    let mark = state.soft_checkpoint().unwrap();
    assert_eq!(state.revert(&mark, Note::NONE).unwrap(), None);
    let old = state.read_all(page).unwrap();
    state.write(page, 0, b"there", Note::NONE).unwrap();
    state.write(page, 0, &old[..5], Note::NONE).unwrap();
    assert_eq!(state.revert(&mark, Note::NONE).unwrap(), None);
    assert_eq!(state.epoch(page).unwrap(), 3);
}

#[test]
fn marks_nest_and_may_be_gone_back_to_in_any_order_that_makes_sense() {
    let state = memory();
    let page = state.create_page(1, Note::NONE).unwrap();
    let set = |byte: u8| state.update(page, &[byte], Note::NONE).unwrap();
    let marks: Vec<_> = (1..=4)
        .map(|byte| {
            set(byte);
            state.soft_checkpoint().unwrap()
        })
        .collect();
    let get = || state.read_all(page).unwrap()[0];
    set(9);
    state.revert(&marks[2], Note::NONE).unwrap();
    assert_eq!(get(), 3);
    assert!(marks[3].is_passed() && !marks[2].is_passed());
    let error = state.revert(&marks[3], Note::NONE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CheckpointPassed);
    assert_eq!(marks[3].lsn().unwrap_err().kind(), ErrorKind::CheckpointPassed);
    // Again to the same, and new ones after it.
    set(8);
    state.revert(&marks[2], Note::NONE).unwrap();
    assert_eq!(get(), 3);
    set(7);
    let inner = state.soft_checkpoint().unwrap();
    set(6);
    state.revert(&inner, Note::NONE).unwrap();
    assert_eq!(get(), 7);
    // An outer one that is released ends nothing.
    let mut marks = marks.into_iter();
    let (first, second, third) = (marks.next().unwrap(), marks.next().unwrap(), marks.next());
    second.release();
    assert!(!inner.is_passed());
    state.revert(&first, Note::NONE).unwrap();
    assert_eq!(get(), 1);
    assert!(inner.is_passed() && third.unwrap().is_passed());
    drop((first, inner, marks));
    assert_eq!(state.stats().unwrap().snapshots, 0);
    replay_agrees(&state);
}

#[test]
fn a_mark_that_cannot_be_gone_back_to_says_why_and_nothing_changes() {
    let (state, other) = (memory(), memory());
    let page = ramp(&state, 100);
    let mark = state.soft_checkpoint().unwrap();
    let error = other.revert(&mark, Note::NONE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("another state"), "{error}");
    state.write(page, 0, b"new", Note::NONE).unwrap();
    let long = "x".repeat(300);
    assert_eq!(state.revert(&mark, Note::from(&*long)).unwrap_err().kind(), ErrorKind::TooLong);
    state.poison("a test");
    assert_eq!(state.revert(&mark, Note::NONE).unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(state.soft_checkpoint().unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(&state.read_all(page).unwrap()[..3], b"new");
    assert!(!mark.is_passed());

    let narrow = State::open(Config { version_bytes_max: 0, ..Config::memory() }).unwrap();
    let page = ramp(&narrow, 10);
    let mark = narrow.soft_checkpoint().unwrap();
    narrow.write(page, 0, b"new", Note::NONE).unwrap();
    let error = narrow.revert(&mark, Note::NONE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SnapshotTooOld);
    assert_eq!(&narrow.read_all(page).unwrap()[..3], b"new");
    let past = narrow.replay_to(narrow.flush().unwrap()).unwrap();
    assert_eq!(past.soft_checkpoint().unwrap_err().kind(), ErrorKind::ReadOnly);
}

/// Also what was freed before the image that recovery begins with comes back after it.
#[test]
fn recovery_and_images_know_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        || Config { durability: Durability::Memory, ..Config::durable(dir.path().join("state")) };
    let state = State::open(config()).unwrap();
    let pages: Vec<_> = (0..4).map(|_| ramp(&state, 300)).collect();
    state.set_meta(pages[1], b"k", b"v", Note::NONE).unwrap();
    let (before, mark) = (shown(&state), state.soft_checkpoint().unwrap());
    state.free_page(pages[1], Note::NONE).unwrap();
    state.write(pages[0], 0, b"new", Note::NONE).unwrap();
    state.checkpoint(None).unwrap();
    state.revert(&mark, Note::NONE).unwrap();
    let digest = state.digest().unwrap();
    replay_agrees(&state);
    drop(mark);
    state.close().unwrap();
    let state = State::open(config()).unwrap();
    assert_eq!((shown(&state), state.digest().unwrap()), (before, digest));
    replay_agrees(&state);
    state.verify().unwrap();
}

/// Writers go on meanwhile. Each writes the same number to all pages in one group: a revert that
/// undid a group in part would leave pages that differ.
#[test]
fn no_group_of_another_writer_is_undone_in_part() {
    for buffered in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let state = match buffered {
            true => State::open(Config::durable(dir.path().join("state"))).unwrap(),
            false => memory(),
        };
        let pages: Vec<_> = (0..8).map(|_| state.create_page(64, Note::NONE).unwrap()).collect();
        let alike = |state: &State| {
            let snapshot = state.snapshot().unwrap();
            let all: Vec<_> = pages.iter().map(|page| snapshot.read_all(*page).unwrap()).collect();
            assert!(all.iter().flatten().all(|&byte| byte == all[0][0]), "{all:?}");
        };
        let stop = crate::Stop::default();
        std::thread::scope(|scope| {
            let _stop = stop.on_drop();
            for thread in 0..3u64 {
                let (state, pages, stop) = (&state, &pages, &stop);
                scope.spawn(move || {
                    let mut i = thread;
                    while !stop.is_set() {
                        i += 3;
                        let mut batch = Batch::new(state);
                        for page in pages {
                            batch.update(*page, &[i as u8; 64]).unwrap();
                        }
                        let made =
                            (i % 16 == 0).then(|| batch.create_page(32, Location::Cpu).unwrap());
                        batch.commit(Note::NONE).unwrap();
                        // The page may be gone: reverted.
                        if let Some(page) = made
                            && let Err(error) = state.write(page, 0, b"own", Note::NONE)
                        {
                            assert_eq!(error.kind(), ErrorKind::PageFreed);
                        }
                    }
                });
            }
            for round in 0..200 {
                let outer = state.soft_checkpoint().unwrap();
                let then = state.snapshot().unwrap();
                if round % 3 == 0 {
                    std::thread::yield_now();
                }
                let inner = state.soft_checkpoint().unwrap();
                state.revert(&inner, Note::NONE).unwrap();
                alike(&state);
                state.revert(&outer, Note::NONE).unwrap();
                assert!(inner.is_passed());
                alike(&state);
                drop(then);
            }
        });
        replay_agrees(&state);
        state.verify().unwrap();
        assert_eq!(state.stats().unwrap().versions, 0);
    }
}

/// Going back costs what changed since, not what there is.
#[test]
fn only_what_changed_is_looked_at() {
    let state = memory();
    let pages: Vec<_> = (0..20_000).map(|_| state.create_page(16, Note::NONE).unwrap()).collect();
    let mark = state.soft_checkpoint().unwrap();
    let records = state.stats().unwrap().record_bytes;
    for page in pages.iter().step_by(2_000) {
        state.update(*page, &[1; 16], Note::NONE).unwrap();
    }
    let wrote = state.stats().unwrap().record_bytes - records;
    state.revert(&mark, Note::NONE).unwrap();
    let group = state.stats().unwrap().record_bytes - records - wrote;
    assert!(group < wrote, "{group} bytes for what {wrote} did");
    assert_eq!(state.read_all(pages[0]).unwrap(), [0; 16]);
}
