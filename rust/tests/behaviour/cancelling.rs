//! A long call ends when its progress callback says so, and leaves nothing behind.

use crate::ramp;
use mmsb::{Config, ErrorKind, Note, Result, State};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

/// A callback that breaks at its `at`th call, from 0, and how often it was called.
fn breaking<'a, T>(at: u64, calls: &'a mut u64) -> impl FnMut(T) -> ControlFlow<()> + 'a {
    move |_| {
        *calls += 1;
        if *calls > at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Breaks `call` at each of its steps in turn; `check` looks at what is left each time. Returns how
/// many steps a whole call has.
fn break_everywhere<R>(
    mut call: impl FnMut(u64, &mut u64) -> Result<R>,
    mut check: impl FnMut(u64),
) -> u64 {
    for at in 0.. {
        let mut calls = 0;
        match call(at, &mut calls) {
            Ok(_) => return calls,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "step {at}: {error}");
                assert!(!error.is_fatal() && !error.is_retryable());
                assert_eq!(calls, at + 1, "no call after the break");
                check(at);
            }
        }
    }
    unreachable!()
}

fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.ends_with(".log")).collect();
    names.sort();
    names
}

/// A durable state with an image, twenty pages, and log after the image.
fn working(dir: &Path) -> State {
    let state = State::open(Config::durable(dir)).unwrap();
    for i in 0..20 {
        let page = ramp(&state, 3000);
        if i == 9 {
            state.checkpoint(Some("half")).unwrap();
        }
        state.write(page, 0, b"later", Note::NONE).unwrap();
    }
    state
}

#[test]
fn a_verification_ends_in_each_of_its_phases() {
    let dir = tempfile::tempdir().unwrap();
    let state = working(dir.path());
    let steps = break_everywhere(
        |at, calls| state.verify_with(breaking(at, calls)),
        |_| assert_eq!(state.page_count(), 20),
    );
    // The image's pages, the records, two digests, and the records after the image once more.
    assert_eq!(steps, 10 + 60 + 20 + 20 + (60 - 29));
    let mut told = Vec::new();
    let verified = state
        .verify_with(|bytes| {
            told.push(bytes);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(told.is_sorted());
    assert_eq!(*told.last().unwrap(), 10 * 3000 + verified.record_bytes);
    let quietly = state.verify().unwrap();
    assert_eq!((quietly.digest, quietly.records), (verified.digest, verified.records));
}

#[test]
fn a_replay_ends_and_gives_its_memory_back() {
    let dir = tempfile::tempdir().unwrap();
    let state = working(dir.path());
    let end = state.flush().unwrap();
    let steps = break_everywhere(|at, calls| state.replay_with(end, breaking(at, calls)), |_| ());
    assert_eq!(steps, 60 - 29);
    let past = state.replay_to(end).unwrap();
    assert_eq!(past.digest().unwrap(), state.digest().unwrap());
}

#[test]
fn a_checkpoint_is_given_up_without_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let state = working(dir.path());
    let (before, kept) = (files(dir.path()), state.checkpoints().unwrap());
    let digest = state.digest().unwrap();
    let mut made = None;
    let steps = break_everywhere(
        |at, calls| {
            let info = state.checkpoint_with(Some("whole"), breaking(at, calls))?;
            made = Some(info);
            Ok(())
        },
        |at| {
            assert_eq!(files(dir.path()), before, "step {at}");
            assert_eq!(state.checkpoints().unwrap(), kept);
        },
    );
    assert_eq!(steps, 20, "one per page");
    assert_eq!(state.checkpoints().unwrap().last(), made.as_ref());
    assert_eq!((state.digest().unwrap(), state.verify().unwrap().images), (digest, 2));
    state.close().unwrap();
    let state = State::open(Config::durable(dir.path())).unwrap();
    assert_eq!((state.digest().unwrap(), state.recovered().records), (digest, 0));
}

#[test]
fn an_export_is_given_up_without_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let state = crate::memory();
    for _ in 0..5 {
        ramp(&state, 100_000);
    }
    let file = dir.path().join("image");
    let mut told = Vec::new();
    let steps = break_everywhere(
        |at, calls| {
            let mut end = breaking(at, calls);
            state.export_checkpoint_with(&file, |bytes| {
                told.push(bytes);
                end(bytes)
            })
        },
        |at| assert_eq!(files(dir.path()), [""; 0], "step {at}"),
    );
    assert_eq!((steps, told.last()), (5, Some(&500_000)));
    assert_eq!(State::load_checkpoint(&file).unwrap().digest().unwrap(), state.digest().unwrap());
}

/// Nothing that a call needs is held while its callback runs.
#[test]
fn a_callback_may_use_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        Config { segment_bytes: 64 << 10, history_bytes: 0, ..Config::durable(dir.path()) };
    let state = State::open(config).unwrap();
    let page = ramp(&state, 3000);
    for _ in 0..4 {
        ramp(&state, 100_000);
    }
    let mut round = 0u8;
    let mut use_it = |nested: ErrorKind| {
        round += 1;
        // Enough for a checkpoint by itself, which this one stands in for.
        for i in 0..100u8 {
            let content: Vec<u8> = (0..3000).map(|k| (k as u8) ^ i ^ round).collect();
            state.update(page, &content, Note::NONE).unwrap();
        }
        let end = state.flush().unwrap();
        assert_eq!(state.replay_to(end).unwrap().digest().unwrap(), state.digest().unwrap());
        state.checkpoints().unwrap();
        state.verify().unwrap();
        let again = state.checkpoint(None).map_or_else(|error| error.kind(), |_| ErrorKind::Io);
        assert_eq!(again, nested);
        ControlFlow::Continue(())
    };
    state.checkpoint_with(Some("used"), |_| use_it(ErrorKind::InvalidArgument)).unwrap();
    state.export_checkpoint_with(dir.path().join("x.copy"), |_| use_it(ErrorKind::Io)).unwrap();
    let (mut calls, end) = (0, state.flush().unwrap());
    let past = state.replay_with(end, |_| {
        calls += 1;
        if calls == 1 { use_it(ErrorKind::Io) } else { ControlFlow::Continue(()) }
    });
    drop(past);
    assert_eq!(state.checkpoints().unwrap()[0].name, "used");
    state.verify().unwrap();
}
