//! Older versions live as long as somebody may read them, and within the bound that is set.

use crate::{memory, ramp};
use mmsb::{Batch, Config, ErrorKind, Note, Snapshot, State};

fn versions(state: &State) -> u64 {
    state.stats().unwrap().versions
}

fn bounded(version_bytes_max: u64) -> State {
    State::open(Config { version_bytes_max, ..Config::memory() }).unwrap()
}

/// A page whose content is the number, and a snapshot after each: `count` versions at the end.
fn numbered(state: &State, count: u64) -> (mmsb::PageId, Vec<Snapshot>) {
    let page = state.create_page(8, Note::NONE).unwrap();
    let step = |number: u64| {
        let snapshot = state.snapshot().unwrap();
        state.update(page, &(number + 1).to_le_bytes(), Note::NONE).unwrap();
        snapshot
    };
    (page, (0..count).map(step).collect())
}

fn number(snapshot: &Snapshot, page: mmsb::PageId) -> u64 {
    u64::from_le_bytes(snapshot.read_all(page).unwrap().try_into().unwrap())
}

/// An old and a new snapshot stay; what only those between could read goes with them.
#[test]
fn versions_between_two_snapshots_go_while_both_stay() {
    let state = memory();
    let (page, mut snapshots) = numbered(&state, 100);
    assert_eq!(versions(&state), 100);
    let newest = snapshots.pop().unwrap();
    snapshots.truncate(1);
    assert_eq!(versions(&state), 2);
    assert_eq!((number(&snapshots[0], page), number(&newest, page)), (0, 99));
    drop(newest);
    assert_eq!(versions(&state), 1);
    drop(snapshots);
    assert_eq!((versions(&state), state.stats().unwrap().snapshot_bytes), (0, 0));
}

/// One old snapshot stays open, and new ones come and go: no more is held than the old one reads.
#[test]
fn an_old_snapshot_holds_what_it_reads_and_nothing_else() {
    let state = memory();
    let page = ramp(&state, 64);
    let old = state.snapshot().unwrap();
    assert_eq!(state.stats().unwrap().oldest_snapshot_lsn, old.lsn());
    for i in 0..1000u64 {
        state.write(page, 0, &i.to_le_bytes(), Note::NONE).unwrap();
        drop(state.snapshot().unwrap());
        assert!(versions(&state) <= 2);
    }
    assert_eq!(versions(&state), 1);
}

/// Closed in any order, each snapshot reads its own until then, and every version goes with the last
/// that reads it. Some versions are read by several, some pages are freed, some come later.
#[test]
fn closing_in_any_order_gives_back_what_nobody_reads() {
    let state = memory();
    let pages: Vec<_> = (0..7).map(|_| state.create_page(8, Note::NONE).unwrap()).collect();
    let mut open = Vec::new();
    for i in 1..300u64 {
        let mut batch = Batch::new(&state);
        for page in pages.iter().filter(|page| i.is_multiple_of(page.0)) {
            batch.update(*page, &i.to_le_bytes()).unwrap();
        }
        batch.commit(Note::NONE).unwrap();
        open.push((i, state.snapshot().unwrap()));
        if i % 3 == 0 {
            open.swap_remove((i as usize * 7919) % open.len());
        }
    }
    state.free_page(pages[6], Note::NONE).unwrap();
    while !open.is_empty() {
        // Of each page, one version per content that some open snapshot shows and the page no
        // longer does.
        let shown = |page: &mmsb::PageId| {
            let last = |i: u64| i / page.0 * page.0;
            let mut shown: Vec<u64> = open.iter().map(|(i, _)| last(*i)).collect();
            shown.sort_unstable();
            shown.dedup();
            shown.retain(|&i| page.0 == 7 || i != last(299));
            shown.len() as u64
        };
        assert_eq!(versions(&state), pages.iter().map(shown).sum::<u64>());
        for (i, snapshot) in open.iter().step_by(5) {
            for page in &pages {
                assert_eq!(number(snapshot, *page), i / page.0 * page.0);
            }
        }
        open.swap_remove((open.len() * 7919 / 3) % open.len());
    }
    assert_eq!(versions(&state), 0);
}

/// Beyond the bound the oldest snapshots that hold anything end; the writer goes on, the newest
/// stay readable, and memory stays within the bound.
#[test]
fn beyond_the_bound_the_oldest_snapshots_end() {
    let state = bounded(10 * (8 + 128));
    let idle = ramp(&state, 16);
    let (page, snapshots) = numbered(&state, 100);
    let stats = state.stats().unwrap();
    assert!(stats.snapshot_bytes <= 1360, "{stats:?}");
    assert_eq!((stats.versions, stats.snapshots, stats.snapshots_too_old), (10, 10, 90));
    for (i, snapshot) in snapshots.iter().enumerate() {
        if i >= 90 {
            assert_eq!(number(snapshot, page), i as u64);
            assert_eq!(snapshot.list_pages().unwrap(), [idle, page]);
            continue;
        }
        assert!(snapshot.is_too_old());
        for error in [
            snapshot.read_all(page).unwrap_err(),
            snapshot.read_all(idle).unwrap_err(),
            snapshot.list_pages().unwrap_err(),
            snapshot.digest().unwrap_err(),
            snapshot.meta_list(page).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::SnapshotTooOld);
            assert!(error.is_retryable() && error.message().contains("1360 bytes"), "{error}");
        }
    }
    drop(snapshots);
    assert_eq!(versions(&state), 0);
}

/// A snapshot that holds nothing is not ended for others that do.
#[test]
fn a_snapshot_that_holds_nothing_stays() {
    let state = bounded(1000);
    let quiet = ramp(&state, 8);
    let idle = state.snapshot().unwrap();
    let (page, snapshots) = numbered(&state, 50);
    assert!(state.stats().unwrap().snapshots_too_old > 0);
    assert_eq!(idle.list_pages().unwrap(), [quiet]);
    assert_eq!(number(snapshots.last().unwrap(), page), 49);
}

/// With nothing allowed a snapshot ends with the first change that it would have to be kept from.
#[test]
fn a_bound_of_zero_keeps_nothing() {
    let state = bounded(0);
    let page = ramp(&state, 8);
    let snapshot = state.snapshot().unwrap();
    assert_eq!(snapshot.read_all(page).unwrap().len(), 8);
    state.write(page, 0, b"new", Note::NONE).unwrap();
    assert_eq!(snapshot.read_all(page).unwrap_err().kind(), ErrorKind::SnapshotTooOld);
    drop(snapshot);
    assert_eq!((versions(&state), state.stats().unwrap().snapshot_bytes), (0, 0));
}

/// Views pin what they show, whatever the bound; checkpoints are made, whatever they have to keep.
#[test]
fn views_and_checkpoints_are_not_ended() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { version_bytes_max: 0, ..Config::durable(dir.path().join("state")) };
    let state = State::open(config).unwrap();
    let page = ramp(&state, 100_000);
    let before = state.digest().unwrap();
    let view = state.view(page).unwrap();
    let shown = view.to_vec();
    let mut written = false;
    let made = state.checkpoint_with(None, |_| {
        written = state.write(page, 0, b"changed", Note::NONE).unwrap().is_some() || written;
        std::ops::ControlFlow::Continue(())
    });
    assert!(written);
    let then = state.replay_to(made.unwrap().lsn).unwrap();
    assert_eq!(then.digest().unwrap(), before);
    state.write(page, 10, b"again", Note::NONE).unwrap();
    assert_eq!(*view, shown[..]);
    drop(view);
    assert_eq!(versions(&state), 0);
}

/// Snapshots are taken, read and dropped, and ended by a narrow bound, while others write: whoever
/// reads gets what was there, or is told.
#[test]
fn readers_of_ended_snapshots_are_told_and_never_misled() {
    let state = bounded(20_000);
    let pages: Vec<_> = (0..8).map(|_| state.create_page(64, Note::NONE).unwrap()).collect();
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
                    // The same number in all pages: a snapshot shows one number.
                    for page in pages {
                        batch.update(*page, &[i as u8; 64]).unwrap();
                    }
                    batch.commit(Note::NONE).unwrap();
                }
            });
        }
        let (mut ended, mut read, mut kept) = (0, 0, std::collections::VecDeque::new());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        for round in 0.. {
            // As long as it takes: a busy machine may let the writers come late.
            let both = round >= 1000 && read > 0 && ended > 0;
            if both || std::time::Instant::now() > deadline {
                break;
            }
            kept.push_back(state.snapshot().unwrap());
            if kept.len() > 60 {
                kept.remove(round % 60);
            }
            let snapshot: &Snapshot = &kept[(round * 31) % kept.len()];
            let all: Result<Vec<_>, _> =
                pages.iter().map(|page| snapshot.read_all(*page)).collect();
            match all {
                Ok(all) => {
                    assert!(all.iter().flatten().all(|&byte| byte == all[0][0]), "{all:?}");
                    read += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::SnapshotTooOld);
                    ended += 1;
                }
            }
        }
        assert!(read > 0 && ended > 0, "{read} read, {ended} ended");
    });
    assert_eq!((versions(&state), state.stats().unwrap().snapshot_bytes), (0, 0));
}
