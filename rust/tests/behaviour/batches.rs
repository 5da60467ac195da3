//! A batch happens wholly or not at all.

use crate::{memory, ramp};
use mmsb::{Batch, Delta, ErrorKind, Location, Note, PageId};

#[test]
fn one_record_for_all_of_it() {
    let state = memory();
    let (a, b, c) = (ramp(&state, 64), ramp(&state, 64), ramp(&state, 64));
    let before = state.stats().unwrap().records;
    let mut batch = Batch::new(&state);
    batch.update(a, &[1; 64]).unwrap();
    batch.write(b, 60, b"tail").unwrap();
    batch.set_meta(b, b"k", b"v").unwrap();
    batch.free_page(c).unwrap();
    let made = batch.create_page(10, Location::Cpu).unwrap();
    batch.write(made, 0, b"new").unwrap();
    let lsn = batch.commit(Note::from("all")).unwrap().unwrap();
    assert_eq!(state.stats().unwrap().records, before + 1);
    assert_eq!(state.read_all(a).unwrap(), [1; 64]);
    assert_eq!(&state.read_all(b).unwrap()[60..], b"tail");
    assert_eq!(state.epoch(c).unwrap_err().kind(), ErrorKind::PageFreed);
    assert_eq!((state.epoch(made).unwrap(), state.page_lsn(made).unwrap()), (1, lsn));
    let replayed = state.replay_to(state.flush().unwrap()).unwrap();
    assert_eq!(replayed.digest().unwrap(), state.digest().unwrap());
}

#[test]
fn one_bad_change_undoes_all() {
    let state = memory();
    let (a, b) = (ramp(&state, 64), ramp(&state, 8));
    let before = (state.digest().unwrap(), state.stats().unwrap().records);
    let mut batch = Batch::new(&state);
    batch.write(a, 0, b"changed").unwrap();
    let made = batch.create_page(10, Location::Cpu).unwrap();
    batch.write(b, 7, b"too long").unwrap();
    let error = batch.commit(Note::NONE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RangeOutOfBounds, "{error}");
    assert_eq!((state.digest().unwrap(), state.stats().unwrap().records), before);
    assert_eq!(state.create_page(10, Note::NONE).unwrap(), made, "its id was given back");
    let mut batch = Batch::new(&state);
    batch.write(a, 0, b"changed").unwrap();
    batch.write(PageId(99), 0, b"x").unwrap();
    assert_eq!(batch.commit(Note::NONE).unwrap_err().kind(), ErrorKind::PageNotFound);
    assert_eq!(state.read_all(a).unwrap()[0], 0);
}

#[test]
fn writes_to_one_page_merge_the_last_wins() {
    let state = memory();
    let page = ramp(&state, 16);
    let mut batch = Batch::new(&state);
    batch.write(page, 0, b"aaaa").unwrap();
    batch.write(page, 2, b"bbbb").unwrap();
    batch.apply(Delta::from_runs(page, &[(3, b"c")]).unwrap()).unwrap();
    batch.commit(Note::NONE).unwrap();
    assert_eq!(&state.read_all(page).unwrap()[..8], b"aabcbb\x06\x07");
    assert_eq!(state.epoch(page).unwrap(), 2);
}

#[test]
fn a_refused_change_leaves_what_the_batch_holds() {
    let state = memory();
    let page = ramp(&state, 8);
    let mut batch = Batch::new(&state);
    batch.update(page, b"12345678").unwrap();
    let error = batch.update(page, b"1234").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LengthMismatch, "{error}");
    let other = Delta::dense(page, [0; 9]).unwrap();
    assert_eq!(batch.apply(other).unwrap_err().kind(), ErrorKind::LengthMismatch);
    assert!(batch.commit(Note::NONE).unwrap().is_some());
    assert_eq!(state.read_all(page).unwrap(), b"12345678");
}

#[test]
fn nothing_changed_is_no_record() {
    let state = memory();
    let page = ramp(&state, 16);
    let before = state.stats().unwrap().records;
    assert_eq!(Batch::new(&state).commit(Note::NONE).unwrap(), None);
    let mut batch = Batch::new(&state);
    batch.write(page, 3, &[3, 4, 5]).unwrap();
    assert_eq!(batch.commit(Note::NONE).unwrap(), None);
    assert_eq!(state.stats().unwrap().records, before);
}

#[test]
fn a_page_freed_in_the_batch_takes_no_more() {
    let state = memory();
    let page = ramp(&state, 16);
    let mut batch = Batch::new(&state);
    batch.free_page(page).unwrap();
    assert_eq!(batch.write(page, 0, b"x").unwrap_err().kind(), ErrorKind::PageFreed);
    drop(batch);
    assert_eq!(state.epoch(page).unwrap(), 1);
}

#[test]
fn batches_from_many_threads_never_show_in_part() {
    let state = memory();
    let pages: Vec<_> = (0..6).map(|_| state.create_page(8, Note::NONE).unwrap()).collect();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (state, pages) = (&state, &pages);
            scope.spawn(move || {
                for i in 0..500u64 {
                    let value = (i * 4 + thread + 1).to_le_bytes();
                    let mut batch = Batch::new(state);
                    // In an order of their own: commit sorts.
                    for k in 0..6 {
                        let page = pages[(k + thread as usize) % 6];
                        batch.update(page, &value).unwrap();
                    }
                    batch.commit(Note::NONE).unwrap();
                }
            });
        }
        for _ in 0..200 {
            let snapshot = state.snapshot().unwrap();
            let seen: Vec<_> = pages.iter().map(|&p| snapshot.read_all(p).unwrap()).collect();
            assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
        }
    });
}
