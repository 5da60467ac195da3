//! Checkpoints: durable, exact, and what lets old log go.

use crate::ramp;
use mmsb::{Config, ErrorKind, Note, PageId, Query, State};
use std::fs;

#[test]
fn open_takes_the_image_and_the_log_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = || Config::durable(dir.path().join("state"));
    let state = State::open(config()).unwrap();
    for _ in 0..50 {
        ramp(&state, 300);
    }
    state.set_meta(PageId(7), b"name", b"seven", Note::NONE).unwrap();
    state.free_page(PageId(9), Note::NONE).unwrap();
    let info = state.checkpoint(None).unwrap();
    assert_eq!(state.checkpoint(None).unwrap(), info, "nothing happened since");
    state.write(PageId(3), 0, b"after", Note::NONE).unwrap();
    let last = state.create_page(5, Note::NONE).unwrap();
    let digest = state.digest().unwrap();
    state.close().unwrap();
    let state = State::open(config()).unwrap();
    assert_eq!(state.recovered().records, 2);
    assert_eq!(state.meta(PageId(7), b"name").unwrap(), b"seven");
    assert_eq!(state.epoch(PageId(9)).unwrap_err().kind(), ErrorKind::PageFreed);
    assert_eq!(state.page_count(), 50);
    assert_eq!(state.list_pages().unwrap().last(), Some(&last));
    assert_eq!(state.digest().unwrap(), digest);
    // The image is never written to.
    state.update(PageId(4), &[9; 300], Note::NONE).unwrap();
    let digest = state.digest().unwrap();
    state.verify(|_| ()).unwrap();
    state.close().unwrap();
    let state = State::open(config()).unwrap();
    assert_eq!(state.digest().unwrap(), digest);
}

#[test]
fn history_goes_back_to_what_is_kept_and_no_further() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        segment_bytes: 64 << 10,
        history_bytes: 100 << 10,
        ..Config::durable(dir.path().join("state"))
    };
    let state = State::open(config.clone()).unwrap();
    let page = state.create_page(1000, Note::NONE).unwrap();
    let begin = state.flush().unwrap();
    let mut lsns = Vec::new();
    for i in 0..2000u32 {
        let content: Vec<u8> = (0..1000).map(|k| (k * i / 7 + i) as u8).collect();
        lsns.extend(state.update(page, &content, Note::NONE).unwrap());
        if i % 50 == 49 {
            state.checkpoint(None).unwrap();
        }
    }
    let stats = state.stats().unwrap();
    assert!(stats.history_floor > begin, "{stats:?}");
    assert!(stats.log_bytes < 600 << 10, "{}", stats.log_bytes);
    let dropped = [
        state.replay_to(begin).map(drop),
        state.page_at(page, lsns[10]).map(drop),
        state.query(Query { after: Some(begin), ..Query::default() }).map(drop),
    ];
    for result in dropped {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::HistoryDropped);
    }
    let oldest = state.checkpoints().unwrap()[0].lsn;
    for &lsn in lsns.iter().filter(|&&lsn| lsn >= oldest).step_by(7) {
        let at = state.page_at(page, lsn).unwrap();
        assert_eq!(at.bytes, state.replay_to(lsn).unwrap().read_all(page).unwrap());
        assert_eq!(at.lsn, lsn);
    }
    let digest = state.digest().unwrap();
    state.close().unwrap();
    let state = State::open(config).unwrap();
    assert_eq!(state.digest().unwrap(), digest);
    state.verify(|_| ()).unwrap();
}

#[test]
fn a_named_checkpoint_keeps_history_back_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        segment_bytes: 64 << 10,
        history_bytes: 0,
        ..Config::durable(dir.path().join("state"))
    };
    let state = State::open(config).unwrap();
    let page = state.create_page(1000, Note::NONE).unwrap();
    let work = |rounds: std::ops::Range<u32>| {
        for i in rounds {
            state.update(page, &[(i % 251) as u8; 1000], Note::NONE).unwrap();
        }
    };
    work(0..300);
    let named = state.checkpoint(Some("keep")).unwrap();
    let then = state.digest().unwrap();
    work(300..900);
    state.checkpoint(None).unwrap();
    assert_eq!(state.replay_to(named.lsn).unwrap().digest().unwrap(), then);
    let error = state.checkpoint(Some("keep")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    state.drop_checkpoint("keep").unwrap();
    let gone = state.drop_checkpoint("keep").unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::CheckpointNotFound);
    work(900..1000);
    state.checkpoint(None).unwrap();
    let dropped = state.replay_to(named.lsn).unwrap_err();
    assert_eq!(dropped.kind(), ErrorKind::HistoryDropped);
    assert_eq!(state.checkpoints().unwrap().len(), 1);
}

#[test]
fn an_export_is_a_state_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup.image");
    let state = crate::memory();
    let page = ramp(&state, 5000);
    state.set_meta(page, b"k", b"v", Note::NONE).unwrap();
    let lsn = state.export_checkpoint(&file).unwrap();
    let digest = state.digest().unwrap();
    let again = state.export_checkpoint(&file).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Io, "it exists: {again}");
    let before = fs::read(&file).unwrap();
    let copy = State::load_checkpoint(&file).unwrap();
    assert_eq!(copy.digest().unwrap(), digest);
    copy.update(page, &[1; 5000], Note::NONE).unwrap();
    let after = copy.create_page(3, Note::NONE).unwrap();
    assert_eq!(after, PageId(2));
    assert!(copy.page_lsn(page).unwrap() > lsn);
    let then = copy.replay_to(lsn).unwrap();
    assert_eq!(then.digest().unwrap(), digest);
    drop(copy);
    assert_eq!(fs::read(&file).unwrap(), before);
    for missing in ["none.image", "no/such/dir"] {
        let error = State::load_checkpoint(dir.path().join(missing)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileNotFound);
    }
}

#[test]
fn writers_go_on_while_a_checkpoint_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let config = || Config::durable(dir.path().join("state"));
    let state = State::open(config()).unwrap();
    let pages: Vec<_> = (0..500).map(|_| ramp(&state, 2000)).collect();
    let stop = crate::Stop::default();
    std::thread::scope(|scope| {
        for thread in 0..2u64 {
            let (state, pages, stop) = (&state, &pages, &stop);
            scope.spawn(move || {
                let mut i = thread;
                while !stop.is_set() {
                    i += 2;
                    let page = pages[(i * 7 % 500) as usize];
                    state.write(page, i % 1990, &i.to_le_bytes(), Note::NONE).unwrap();
                }
            });
        }
        let _stop = stop.on_drop();
        for i in 0..3 {
            let info = state.checkpoint(Some(&format!("c{i}"))).unwrap();
            let past = state.replay_to(info.lsn).unwrap();
            assert_eq!(past.page_count(), 500);
        }
    });
    let digest = state.digest().unwrap();
    state.verify(|_| ()).unwrap();
    state.close().unwrap();
    assert_eq!(State::open(config()).unwrap().digest().unwrap(), digest);
}
