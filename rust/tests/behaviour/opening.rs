//! Opening: what a directory must be, who may have it, what settings mean.

use mmsb::{Config, Durability, ErrorKind, Note, PageId, State};
use std::fs;
use std::path::Path;

fn kind(path: &Path) -> ErrorKind {
    State::open(Config::durable(path)).unwrap_err().kind()
}

#[test]
fn a_second_open_of_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let state = State::open(Config::durable(&path)).unwrap();
    let error = State::open(Config::durable(&path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.message().contains(path.to_str().unwrap()), "{error}");
    assert!(error.is_retryable());
    state.close().unwrap();
    State::open(Config::durable(&path)).unwrap().close().unwrap();
}

#[test]
fn what_was_closed_comes_back_in_every_durability() {
    for durability in [Durability::Memory, Durability::Buffered, Durability::Sync] {
        let dir = tempfile::tempdir().unwrap();
        let config = || Config { durability, ..Config::durable(dir.path().join("state")) };
        let state = State::open(config()).unwrap();
        let page = state.create_page(1000, Note::NONE).unwrap();
        for i in 0..100u8 {
            state.write(page, u64::from(i) * 3, &[i + 1; 5], Note::from("x")).unwrap();
        }
        let digest = state.digest().unwrap();
        state.close().unwrap();
        let state = State::open(config()).unwrap();
        assert_eq!(state.digest().unwrap(), digest, "{durability:?}");
        assert_eq!(state.recovered().records, 101);
        assert_eq!(state.recovered().torn, None);
        assert_eq!(state.create_page(1, Note::NONE).unwrap(), PageId(2));
        let verified = state.verify().unwrap();
        assert_eq!(verified.records, 102);
    }
}

#[test]
fn directories_of_something_else_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no").join("such");
    assert_eq!(kind(&missing), ErrorKind::FileNotFound);
    let file = dir.path().join("file");
    fs::write(&file, "hello").unwrap();
    assert_eq!(kind(&file), ErrorKind::Foreign);
    let foreign = dir.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("notes.txt"), "mine").unwrap();
    assert_eq!(kind(&foreign), ErrorKind::Foreign);
    let log_there = mmsb::TLog::open(Config::durable(&foreign)).unwrap_err();
    assert_eq!(log_there.kind(), ErrorKind::Foreign);
    assert_eq!(fs::read_to_string(foreign.join("notes.txt")).unwrap(), "mine");
    let names: Vec<_> = fs::read_dir(&foreign).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["notes.txt"], "nothing was made there");
    let log = dir.path().join("log");
    mmsb::TLog::open(Config::durable(&log)).unwrap().close().unwrap();
    assert_eq!(kind(&log), ErrorKind::Foreign);
    let absent = Config { must_exist: true, ..Config::durable(dir.path().join("absent")) };
    assert_eq!(State::open(absent).unwrap_err().kind(), ErrorKind::FileNotFound);
    assert!(!dir.path().join("absent").exists());
}

#[test]
fn settings_outside_their_limits_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let refused = [
        Config { segment_bytes: 1000, ..Config::durable(&path) },
        Config { segment_bytes: 2 << 30, ..Config::durable(&path) },
        Config { flush_every: std::time::Duration::ZERO, ..Config::durable(&path) },
        Config { durability: Durability::Sync, ..Config::memory() },
    ];
    for config in refused {
        let error = State::open(config.clone()).unwrap_err();
        let kinds = [ErrorKind::SizeOutOfRange, ErrorKind::InvalidArgument];
        assert!(kinds.contains(&error.kind()), "{config:?}: {error:?}");
    }
    assert!(!path.exists());
}

#[test]
fn an_unknown_format_version_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let state = State::open(Config::durable(&path)).unwrap();
    state.create_page(1, Note::NONE).unwrap();
    state.checkpoint(None).unwrap();
    state.close().unwrap();
    let files: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut tried = 0;
    for file in files {
        let sound = fs::read(&file).unwrap();
        if sound.len() < 64 || sound.starts_with(b"MMSBEND") {
            continue;
        }
        let mut bytes = sound.clone();
        bytes[8] = 99;
        let header = match file.extension().and_then(|e| e.to_str()) {
            Some("log") => 64,
            Some("image") => 4096,
            _ => bytes.len(),
        };
        bytes[12..16].fill(0);
        let crc = mmsb::stdx::crc::crc32c(&bytes[..header]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        fs::write(&file, &bytes).unwrap();
        let error = State::open(Config::durable(&path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownFormat, "{}: {error}", file.display());
        assert!(error.message().contains("99"), "{error}");
        fs::write(&file, &sound).unwrap();
        tried += 1;
    }
    assert_eq!(tried, 3, "manifest, segment and image");
    State::open(Config::durable(&path)).unwrap();
}

#[test]
fn a_path_that_names_nothing_is_refused() {
    let refused = |error: mmsb::Error, path: &str| {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{path:?}: {error}");
        assert!(error.message().contains(&format!("{path:?}")), "{error}");
    };
    let state = State::open(Config::memory()).unwrap();
    for path in ["", "\0", "some\0where", "/tmp/\0"] {
        refused(State::open(Config::durable(path)).unwrap_err(), path);
        let existing = Config { must_exist: true, ..Config::durable(path) };
        refused(State::open(existing).unwrap_err(), path);
        refused(mmsb::TLog::open(Config::durable(path)).unwrap_err(), path);
        refused(State::load_checkpoint(path).unwrap_err(), path);
        refused(state.export_checkpoint(path).unwrap_err(), path);
    }
}
