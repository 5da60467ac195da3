//! Closing and poisoning: what is refused afterwards, and that it is refused cleanly.

use crate::{memory, ramp};
use mmsb::{Batch, Config, ErrorKind, Note, Query, State};

#[test]
fn a_poisoned_state_reads_and_refuses_to_write() {
    let state = memory();
    let page = ramp(&state, 16);
    let digest = state.digest().unwrap();
    state.poison("the test says so");
    let refused = [
        state.update(page, &[9; 16], Note::NONE).map(drop),
        state.create_page(4, Note::NONE).map(drop),
        state.free_page(page, Note::NONE).map(drop),
        state.set_meta(page, b"k", b"v", Note::NONE).map(drop),
        state.checkpoint(None).map(drop),
    ];
    for result in refused {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Poisoned);
        assert!(error.message().contains("the test says so"), "{error}");
        assert!(error.is_fatal());
    }
    assert_eq!(state.digest().unwrap(), digest);
    assert_eq!(state.read_all(page).unwrap()[3], 3);
    state.close().unwrap();
    assert!(memory().create_page(1, Note::NONE).is_ok(), "the next one is sound");
}

/// What was taken from a state is whole by itself; only what would change it is refused.
#[test]
fn snapshots_and_readers_outlive_their_state() {
    let dir = tempfile::tempdir().unwrap();
    for config in [Config::memory(), Config::durable(dir.path().join("state"))] {
        let state = State::open(config.clone()).unwrap();
        let page = ramp(&state, 100_000);
        state.checkpoint(None).unwrap();
        state.write(page, 0, b"later", Note::NONE).unwrap();
        let expected: Vec<_> = state.page_history(page).unwrap();
        let (content, digest) = (state.read_all(page).unwrap(), state.digest().unwrap());
        let snapshot = state.snapshot().unwrap();
        let mut changes = state.query(Query::default()).unwrap();
        let mut batch = Batch::new(&state);
        batch.write(page, 0, b"never").unwrap();
        let first = changes.next().unwrap().unwrap();
        state.write(page, 7, b"after the snapshot", Note::NONE).unwrap();
        state.close().unwrap();
        // Others use the memory and the threads that the state gave back.
        let other = memory();
        let other_page = ramp(&other, 100_000);
        other.update(other_page, &[0xFF; 100_000], Note::NONE).unwrap();
        assert_eq!(snapshot.read_all(page).unwrap(), content);
        assert_eq!(
            (snapshot.digest().unwrap(), snapshot.list_pages().unwrap()),
            (digest, vec![page])
        );
        let rest: Vec<_> = changes.collect::<Result<_, _>>().unwrap();
        assert_eq!([&[first], &rest[..]].concat(), expected);
        assert_eq!(batch.commit(Note::NONE).unwrap_err().kind(), ErrorKind::Closed);
        drop(snapshot);
        if config.path.is_some() {
            let state = State::open(config).unwrap();
            assert_eq!(&state.read_all(page).unwrap()[7..11], b"afte");
        }
    }
}

#[test]
fn no_file_that_waits_for_reuse_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let config = Config { segment_bytes: 64 << 10, history_bytes: 0, ..Config::durable(&path) };
    let state = State::open(config).unwrap();
    let page = state.create_page(1 << 10, Note::NONE).unwrap();
    let names = || std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name());
    let is_spare = |name: std::ffi::OsString| name.to_str().unwrap().starts_with("spare-");
    for round in 0..400u32 {
        state.update(page, &round.to_le_bytes().repeat(256), Note::NONE).unwrap();
    }
    state.checkpoint(None).unwrap();
    assert!(names().any(is_spare), "nothing was recycled");
    state.close().unwrap();
    assert!(!names().any(is_spare));
}
