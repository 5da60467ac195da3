//! A snapshot shows all pages at one closed LSN.

use crate::{memory, ramp};
use mmsb::{ErrorKind, Note};

#[test]
fn a_snapshot_sees_nothing_of_what_comes_later() {
    let state = memory();
    let (kept, freed) = (ramp(&state, 100), ramp(&state, 50));
    state.set_meta(kept, b"k", b"old", Note::NONE).unwrap();
    let digest = state.digest().unwrap();
    let snapshot = state.snapshot().unwrap();
    state.write(kept, 0, b"changed", Note::NONE).unwrap();
    state.set_meta(kept, b"k", b"new", Note::NONE).unwrap();
    state.free_page(freed, Note::NONE).unwrap();
    let later = state.create_page(10, Note::NONE).unwrap();
    assert_eq!(snapshot.digest().unwrap(), digest);
    assert_eq!(snapshot.list_pages().unwrap(), [kept, freed]);
    assert_eq!(snapshot.meta(kept, b"k").unwrap(), b"old");
    assert_eq!(snapshot.epoch(kept).unwrap(), 1);
    assert_eq!(snapshot.read_all(later).unwrap_err().kind(), ErrorKind::PageNotFound);
    assert_eq!(state.replay_to(snapshot.lsn()).unwrap().digest().unwrap(), digest);
    drop(snapshot);
    assert_eq!(state.stats().unwrap().version_bytes, 0);
}

#[test]
fn several_snapshots_each_keep_their_own() {
    let state = memory();
    let page = state.create_page(1, Note::NONE).unwrap();
    let mut snapshots = Vec::new();
    for i in 1..=10u8 {
        state.update(page, &[i], Note::NONE).unwrap();
        snapshots.push(state.snapshot().unwrap());
        state.update(page, &[i + 100], Note::NONE).unwrap();
    }
    snapshots.remove(3);
    snapshots.remove(6);
    for snapshot in &snapshots {
        let value = snapshot.read_all(page).unwrap()[0];
        assert_eq!(u64::from(value) * 2 - 1, snapshot.epoch(page).unwrap());
    }
    assert_eq!(state.stats().unwrap().version_bytes, 8);
    drop(snapshots);
    assert_eq!(state.stats().unwrap().version_bytes, 0);
}

/// The metadata of then, of pages that changed it, lost it, never had any, and of one so large that
/// it is not locked while it is read.
#[test]
fn metadata_is_that_of_the_snapshot() {
    let state = memory();
    let (small, large, bare) = (ramp(&state, 100), ramp(&state, 100_000), ramp(&state, 50));
    for page in [small, large] {
        state.set_meta(page, b"name", b"old", Note::NONE).unwrap();
        state.set_meta(page, b"code", b"", Note::NONE).unwrap();
    }
    let then = [(b"code".to_vec(), vec![]), (b"name".to_vec(), b"old".to_vec())];
    let snapshot = state.snapshot().unwrap();
    for page in [small, large, bare] {
        state.set_meta(page, b"name", b"new", Note::NONE).unwrap();
        state.set_meta(page, b"added", b"later", Note::NONE).unwrap();
    }
    state.remove_meta(small, b"code", Note::NONE).unwrap();
    state.free_page(large, Note::NONE).unwrap();
    let created = ramp(&state, 10);
    for page in [small, large] {
        assert_eq!(snapshot.meta_list(page).unwrap(), then);
        assert_eq!(snapshot.meta(page, b"name").unwrap(), b"old");
        let missing = snapshot.meta(page, b"added").unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::KeyNotFound);
        assert!(missing.message().contains("\"added\""), "{missing}");
    }
    assert_eq!(snapshot.meta_list(bare).unwrap(), []);
    let missing = snapshot.meta_list(created).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::PageNotFound);
    assert!(missing.message().contains(&created.to_string()), "{missing}");
}

/// Four threads write, on pages of their own and on shared ones; each snapshot taken meanwhile is
/// the state that a replay to its LSN gives.
#[test]
fn every_closed_lsn_is_a_consistent_cut() {
    let state = memory();
    let pages: Vec<_> = (0..12).map(|_| state.create_page(64, Note::NONE).unwrap()).collect();
    let stop = crate::Stop::default();
    std::thread::scope(|scope| {
        for thread in 0..4usize {
            let (state, pages, stop) = (&state, &pages, &stop);
            scope.spawn(move || {
                let mut i = 0u64;
                while !stop.is_set() {
                    i += 1;
                    let own = pages[thread];
                    let shared = pages[4 + (i % 8) as usize];
                    state.write(own, i % 56, &i.to_le_bytes(), Note::NONE).unwrap();
                    let mut batch = mmsb::Batch::new(state);
                    batch.write(shared, 8 * thread as u64, &i.to_le_bytes()).unwrap();
                    batch.write(pages[4], 32, &i.to_le_bytes()).unwrap();
                    batch.commit(Note::NONE).unwrap();
                }
            });
        }
        let _stop = stop.on_drop();
        for _ in 0..12 {
            let snapshot = state.snapshot().unwrap();
            let digest = snapshot.digest().unwrap();
            let replayed = state.replay_to(snapshot.lsn()).unwrap();
            assert_eq!(replayed.digest().unwrap(), digest, "at {}", snapshot.lsn());
        }
    });
    let live = state.digest().unwrap();
    let end = state.flush().unwrap();
    assert_eq!(state.replay_to(end).unwrap().digest().unwrap(), live);
}
