//! Checkpoints: durable, exact, and what lets old log go.

use crate::ramp;
use mmsb::{Config, ErrorKind, Lsn, Note, PageId, Query, State};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

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
    state.verify().unwrap();
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
    state.verify().unwrap();
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
fn a_checkpoint_by_itself_is_announced() {
    let config = Config { segment_bytes: 1 << 20, history_bytes: 0, ..Config::memory() };
    let state = State::open(config).unwrap();
    let page = state.create_page(1000, Note::NONE).unwrap();
    assert!(!state.is_checkpoint_due());
    let made = |state: &State| state.stats().unwrap().checkpoint.count;
    let mut unannounced = 0;
    for i in 0..20_000u32 {
        let (due, before) = (state.is_checkpoint_due(), made(&state));
        state.update(page, &[(i % 251) as u8 + 1; 1000], Note::NONE).unwrap();
        assert!(due || made(&state) == before, "change {i} made a checkpoint");
        unannounced += u32::from(!due);
    }
    assert!(made(&state) > 2, "{}", made(&state));
    assert!(unannounced > 10_000, "{unannounced}");
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
fn an_export_replaces_nothing_and_leaves_nothing_when_it_fails() {
    let dir = tempfile::tempdir().unwrap();
    let state = crate::memory();
    let page = ramp(&state, 100);
    let digest = state.digest().unwrap();
    let file = dir.path().join("taken");
    fs::write(&file, "mine").unwrap();
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    for taken in [&file, &folder] {
        let error = state.export_checkpoint(taken).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.message().contains(&format!("{taken:?} exists")), "{error}");
        assert!(!error.is_fatal() && !error.is_retryable());
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    for (path, kind, named) in [
        ("", ErrorKind::InvalidArgument, r#""" does not name a file"#),
        ("/", ErrorKind::InvalidArgument, r#""/""#),
        ("/nowhere/at/all", ErrorKind::FileNotFound, "/nowhere/at/all"),
    ] {
        let error = state.export_checkpoint(path).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(named), "{error}");
    }
    use std::os::unix::ffi::OsStrExt;
    let not_utf8 = dir.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
    let error = state.export_checkpoint(not_utf8).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotUtf8, "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    assert_eq!(state.digest().unwrap(), digest);
    state.write(page, 0, b"goes on", Note::NONE).unwrap();
}

fn load_kind(path: &Path) -> ErrorKind {
    State::load_checkpoint(path).unwrap_err().kind()
}

#[test]
fn what_never_was_an_image_is_foreign() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(load_kind(dir.path()), ErrorKind::Foreign);
    let file = dir.path().join("file");
    let texts = [b"notes".to_vec(), vec![0; 10_000], b"MMSBMAN\0".repeat(1000), vec![b'x'; 8]];
    for bytes in texts {
        fs::write(&file, &bytes).unwrap();
        let error = State::load_checkpoint(&file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Foreign, "{error}");
        assert!(error.message().contains(&format!("{file:?}")), "{error}");
        assert!(!error.is_fatal());
    }
    let pipe = std::ffi::CString::new(dir.path().join("pipe").to_str().unwrap()).unwrap();
    // SAFETY: a zero-terminated string.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    assert_eq!(load_kind(&dir.path().join("pipe")), ErrorKind::Foreign);
}

/// An image has two marks that stand apart: no single damage, and no end that is missing, makes it
/// look like somebody else's file.
#[test]
fn every_damaged_byte_of_an_export_is_corrupt_and_not_foreign() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("image");
    let state = crate::memory();
    for size in [1, 70, 300] {
        let page = ramp(&state, size);
        state.set_meta(page, b"key", b"value", Note::NONE).unwrap();
    }
    state.export_checkpoint(&file).unwrap();
    let digest = state.digest().unwrap();
    let verified = State::load_checkpoint(&file).unwrap().verify().unwrap();
    assert_eq!((verified.digest, verified.images), (digest, 1));
    let sound = fs::read(&file).unwrap();
    let find = || State::load_checkpoint(&file)?.verify().map(drop);
    // Changed in place: a file system may write a file that was emptied to disk when it is closed.
    let image = fs::File::options().write(true).open(&file).unwrap();
    for (at, byte) in (0..).zip(&sound) {
        image.write_all_at(&[byte ^ 1 << (at % 8)], at).unwrap();
        let error = find().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "a flip at {at}: {error}");
        assert!(error.message().contains("image"), "{error}");
        image.write_all_at(&[*byte], at).unwrap();
    }
    find().unwrap();
    let end = sound.len() as u64;
    for len in (0..end).step_by(61).chain([1, 7, 8, 9, end - 1]) {
        image.write_all_at(&sound, 0).unwrap();
        image.set_len(len).unwrap();
        let error = find().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {len}: {error}");
    }
    image.write_all_at(&sound, 0).unwrap();
    find().unwrap();
}

/// Listing reads the image's entries alone: what a page holds is looked at when the page is asked
/// for, and by `verify`.
#[test]
fn listing_touches_no_content() {
    let dir = tempfile::tempdir().unwrap();
    let config = || Config::durable(dir.path().join("state"));
    let state = State::open(config()).unwrap();
    let marked = [0xC5; 300];
    for i in 0..2500 {
        let page = ramp(&state, 40);
        if i == 1200 {
            state.free_page(page, Note::NONE).unwrap();
            let damaged = state.create_page(300, Note::NONE).unwrap();
            state.update(damaged, &marked, Note::NONE).unwrap();
        }
    }
    let info = state.checkpoint(None).unwrap();
    let expected = state.list_pages().unwrap();
    let (freed, damaged) = (PageId(1201), PageId(1202));
    state.close().unwrap();
    let file = dir.path().join("state").join(format!("{:016x}.image", info.lsn.0));
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(300).position(|window| window == marked).unwrap();
    bytes[at + 100] ^= 1;
    fs::write(&file, bytes).unwrap();
    let state = State::open(config()).unwrap();
    assert_eq!(state.list_pages().unwrap(), expected);
    assert!(state.contains(damaged) && !state.contains(freed) && !state.contains(PageId(9999)));
    let snapshot = state.snapshot().unwrap();
    assert_eq!(snapshot.list_pages().unwrap(), expected);
    // Pages that were freed, changed or created since; the snapshot does not see it.
    state.free_page(PageId(2500), Note::NONE).unwrap();
    state.write(PageId(7), 0, b"x", Note::NONE).unwrap();
    let created = state.create_page(8, Note::NONE).unwrap();
    let mut now = expected.clone();
    now.retain(|&id| id != PageId(2500));
    now.push(created);
    assert_eq!(state.list_pages().unwrap(), now);
    assert_eq!(snapshot.list_pages().unwrap(), expected);
    for error in [
        state.read_all(damaged).unwrap_err(),
        snapshot.read_all(damaged).unwrap_err(),
        state.verify().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    assert_eq!(state.read_all(PageId(1)).unwrap()[3], 3);
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
    state.verify().unwrap();
    state.close().unwrap();
    assert_eq!(State::open(config()).unwrap().digest().unwrap(), digest);
}

#[test]
fn a_buffered_state_makes_its_checkpoints_in_the_background() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        segment_bytes: 64 << 10,
        history_bytes: 0,
        ..Config::durable(dir.path().join("s"))
    };
    let state = State::open(config.clone()).unwrap();
    let page = state.create_page(4096, Note::NONE).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut round = 0u8;
    while state.stats().unwrap().checkpoint.count < 3 {
        assert!(Instant::now() < deadline, "no checkpoint after 60 s: {:?}", state.stats());
        for _ in 0..100 {
            round = round.wrapping_add(1);
            state.update(page, &[round; 4096], Note::NONE).unwrap();
        }
    }
    assert!(state.stats().unwrap().history_floor > Lsn::ZERO);
    let digest = state.digest().unwrap();
    state.close().unwrap();
    let state = State::open(config).unwrap();
    assert_eq!(state.digest().unwrap(), digest);
    assert!(state.recovered().torn.is_none());
}
