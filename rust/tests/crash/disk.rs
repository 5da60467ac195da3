//! A disk that refuses: full, failing, lying.

use crate::open;
use mmsb::env::sim::{Fault, PowerLoss, SimStorage};
use mmsb::{Delta, Durability, ErrorKind, EventFilter, EventKind, ExecutorConfig, Note};

#[test]
fn a_full_disk_is_an_error_before_anything_changes() {
    for durability in [Durability::Sync, Durability::Memory] {
        let disk = SimStorage::new(1);
        let state = open(&disk, durability).unwrap();
        let page = state.create_page(3000, Note::NONE).unwrap();
        disk.plan(Fault::capacity(400 << 10).lasting());
        let mut i = 0u32;
        let error = loop {
            i += 1;
            let before = (state.epoch(page).unwrap(), state.digest().unwrap());
            let content: Vec<u8> = (0..3000u32).map(|k| (k * i / 3 + i) as u8).collect();
            if let Err(error) = state.update(page, &content, Note::NONE) {
                assert_eq!((state.epoch(page).unwrap(), state.digest().unwrap()), before);
                break error;
            }
            assert!(i < 1000, "the disk never fills");
        };
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{durability:?}: {error}");
        assert!(error.is_retryable() && error.message().contains("log"), "{error}");
        // What was accepted before stays, and can be made durable: its space was reserved.
        state.sync().unwrap();
        let digest = state.digest().unwrap();
        disk.plan(Fault::capacity(u64::MAX >> 1).lasting());
        state.write(page, 0, b"space again", Note::NONE).unwrap();
        assert_ne!(state.digest().unwrap(), digest);
        let digest = state.digest().unwrap();
        state.close().unwrap();
        assert_eq!(open(&disk, durability).unwrap().digest().unwrap(), digest);
    }
}

#[test]
fn a_failed_sync_poisons_and_nothing_after_it_is_acknowledged() {
    let disk = SimStorage::new(2);
    let state = open(&disk, Durability::Sync).unwrap();
    let page = state.create_page(100, Note::NONE).unwrap();
    state.write(page, 0, b"durable", Note::NONE).unwrap();
    let durable = state.digest().unwrap();
    let events = state.subscribe(EventFilter::of(&[EventKind::Poisoned])).unwrap();
    disk.plan(Fault::failing_sync(disk.op_count()));
    let error = state.write(page, 10, b"lost", Note::NONE).unwrap_err();
    assert!(error.is_fatal(), "{error:?}");
    let refused = state.write(page, 20, b"refused", Note::NONE).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Poisoned);
    assert_eq!(&state.read_all(page).unwrap()[..7], b"durable", "reads go on");
    assert_eq!(state.sync().unwrap_err().kind(), ErrorKind::Poisoned);
    let told = events.poll(10).unwrap();
    assert_eq!((told.len(), told[0].lsn), (1, state.stats().unwrap().durable_lsn));
    assert_eq!(state.close().unwrap_err().kind(), ErrorKind::Poisoned);
    let state = open(&disk.crash(PowerLoss::DropUnsynced), Durability::Sync).unwrap();
    assert_eq!(state.digest().unwrap(), durable);
}

/// What an executor's worker applies together waits for one sync, and is not there if that fails.
#[test]
fn deltas_that_go_together_share_a_sync_and_its_failure() {
    let disk = SimStorage::new(6);
    let state = open(&disk, Durability::Sync).unwrap();
    let pages: Vec<_> = (0..50).map(|_| state.create_page(8, Note::NONE).unwrap()).collect();
    let config = ExecutorConfig { workers: 1, pin: false, ..ExecutorConfig::default() };
    let executor = state.executor(config).unwrap();
    let apply = |n: u8| {
        let deltas = pages.iter().map(|&page| Delta::dense(page, [n; 8]).unwrap()).collect();
        executor.submit_deltas(deltas).unwrap().wait()
    };
    let before = disk.op_count();
    assert!(apply(1).iter().all(|done| matches!(done, Ok(Some(_)))));
    assert!(disk.op_count() - before < 10, "{} operations", disk.op_count() - before);
    let digest = state.digest().unwrap();
    let left = disk.crash(PowerLoss::DropUnsynced);
    assert_eq!(open(&left, Durability::Sync).unwrap().digest().unwrap(), digest);
    assert!(apply(1).iter().all(|done| matches!(done, Ok(None))));

    let disk = SimStorage::new(7);
    let state = open(&disk, Durability::Sync).unwrap();
    let pages: Vec<_> = (0..50).map(|_| state.create_page(8, Note::NONE).unwrap()).collect();
    let digest = state.digest().unwrap();
    let executor = state.executor(config).unwrap();
    let content = |at: usize| [(at % 2) as u8; 8];
    let deltas = pages.iter().enumerate().map(|(at, &page)| Delta::dense(page, content(at)));
    let deltas = deltas.collect::<Result<Vec<_>, _>>().unwrap();
    disk.plan(Fault::failing_sync(disk.op_count()));
    for (at, done) in executor.submit_deltas(deltas).unwrap().wait().into_iter().enumerate() {
        match done {
            Ok(lsn) => assert!(lsn.is_none() && at % 2 == 0, "{at}: {lsn:?}"),
            Err(error) => assert!(error.is_fatal() && at % 2 == 1, "{at}: {error:?}"),
        }
    }
    let left = disk.crash(PowerLoss::DropUnsynced);
    assert_eq!(open(&left, Durability::Sync).unwrap().digest().unwrap(), digest);
}

#[test]
fn a_failed_write_poisons() {
    for cause in [libc::EIO, libc::ENOSPC] {
        let disk = SimStorage::new(3);
        let state = open(&disk, Durability::Sync).unwrap();
        let page = state.create_page(100, Note::NONE).unwrap();
        let digest = state.digest().unwrap();
        disk.plan(Fault::short_write(disk.op_count(), cause));
        let error = state.write(page, 10, b"torn", Note::NONE).unwrap_err();
        assert!(error.is_fatal() && !error.is_retryable(), "{error:?}");
        let refused = state.write(page, 20, b"refused", Note::NONE).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Poisoned);
        drop(state);
        let state = open(&disk.crash(PowerLoss::KeepAll), Durability::Sync).unwrap();
        assert_eq!(state.digest().unwrap(), digest);
    }
}

#[test]
fn a_checkpoint_that_fails_leaves_the_state_as_it_was() {
    let disk = SimStorage::new(4);
    let state = open(&disk, Durability::Memory).unwrap();
    let page = state.create_page(1000, Note::NONE).unwrap();
    state.update(page, &[7; 1000], Note::NONE).unwrap();
    state.sync().unwrap();
    let digest = state.digest().unwrap();
    let operations = {
        let before = disk.op_count();
        state.checkpoint(None).unwrap();
        disk.op_count() - before
    };
    for at in 0..operations {
        state.write(page, 0, &[at as u8 + 1], Note::NONE).unwrap();
        let digest = state.digest().unwrap();
        state.sync().unwrap();
        disk.plan(Fault::failing(disk.op_count() + at, libc::ENOSPC));
        let made = state.checkpoint(None);
        assert_eq!(state.digest().unwrap(), digest, "{made:?}");
        if state.write(page, 1, &[at as u8 + 7], Note::NONE).is_err() {
            // The fault struck the log's own sync: poisoned, by design. A new life.
            break;
        }
    }
    drop(state);
    let state = open(&disk.crash(PowerLoss::KeepAll), Durability::Memory).unwrap();
    assert_eq!(state.page_count(), 1);
    assert_ne!(state.digest().unwrap(), digest);
    state.verify().unwrap();
}
