//! What the simulation found, each told in a few lines.

use crate::open;
use mmsb::env::Storage;
use mmsb::env::sim::{Fault, PowerLoss, SimClock, SimStorage};
use mmsb::stdx::sched;
use mmsb::{Config, Durability, Lsn, Note, PageId, Query, State};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A checkpoint renames the segments that nobody needs one by one. A power cut kept some of those
/// names, and a log that lacked nothing was refused.
#[test]
fn a_power_cut_may_keep_any_of_the_names_that_a_checkpoint_recycled() {
    for seed in 0..80 {
        let disk = SimStorage::new(seed);
        let state = open(&disk, Durability::Sync).unwrap();
        let page = state.create_page(20_000, Note::NONE).unwrap();
        for round in 0..3 {
            for i in 0..20u8 {
                state.update(page, &[round * 20 + i + 1; 20_000], Note::NONE).unwrap();
            }
            state.checkpoint(None).unwrap();
        }
        let digest = state.digest().unwrap();
        let left = disk.crash(PowerLoss::Random(seed));
        let again = open(&left, Durability::Sync).unwrap_or_else(|error| panic!("{seed}: {error}"));
        assert_eq!(again.digest().unwrap(), digest, "{seed}");
        again.verify().unwrap();
    }
}

/// A manifest said that the log was durable where it was only written, and an image that the state
/// was where no frame of the log ends: after a power cut, what was whole was refused.
#[test]
fn a_manifest_promises_of_the_log_what_was_synced_and_no_more() {
    for flushed in [false, true] {
        let disk = SimStorage::new(1);
        let state = open(&disk, Durability::Memory).unwrap();
        let page = state.create_page(100, Note::NONE).unwrap();
        state.write(page, 0, b"in the image", Note::NONE).unwrap();
        if flushed {
            state.flush().unwrap();
        }
        state.checkpoint(Some("one")).unwrap();
        let digest = state.digest().unwrap();
        for after in [false, true] {
            if after {
                state.write(page, 50, b"lost", Note::NONE).unwrap();
                state.flush().unwrap();
                state.drop_checkpoint("one").unwrap();
            }
            let again = open(&disk.crash(PowerLoss::DropUnsynced), Durability::Memory).unwrap();
            assert_eq!(again.digest().unwrap(), digest);
        }
    }
}

/// A sync that failed leaves the system's memory ahead of the disk, and the next one has nothing to
/// do. Recovery took what it read there for durable.
#[test]
fn what_recovery_reads_after_a_failed_sync_is_made_durable_by_writing_it_again() {
    for seed in 0..20 {
        let disk = SimStorage::new(seed);
        let state = open(&disk, Durability::Sync).unwrap();
        let page = state.create_page(3_000, Note::NONE).unwrap();
        disk.plan(Fault::failing_sync(disk.op_count()));
        state.update(page, &[7; 3_000], Note::NONE).unwrap_err();
        drop(state);
        let disk = disk.crash(PowerLoss::KeepAll);
        let digest = open(&disk, Durability::Sync).unwrap().digest().unwrap();
        let again = open(&disk.crash(PowerLoss::DropUnsynced), Durability::Sync).unwrap();
        assert_eq!(again.digest().unwrap(), digest, "{seed}");
    }
}

/// A state that was closed in order, opened, and written to: a damaged frame after the close was
/// taken for what an earlier life had left, and cut off without a word.
#[test]
fn damage_after_a_close_in_order_is_told_of() {
    let disk = SimStorage::new(1);
    let state = open(&disk, Durability::Sync).unwrap();
    let page = state.create_page(100, Note::NONE).unwrap();
    state.close().unwrap();
    let name = crate::logs(&disk).pop().unwrap();
    let end = |disk: &SimStorage| {
        let bytes = disk.read_file(&name).unwrap();
        bytes.iter().rposition(|&byte| byte != 0).unwrap() as u64 + 1
    };
    let before = end(&disk);
    let state = open(&disk, Durability::Sync).unwrap();
    state.write(page, 0, b"acknowledged", Note::NONE).unwrap();
    let left = disk.crash(PowerLoss::DropUnsynced);
    for at in before..end(&left) {
        let rotten = left.snapshot();
        rotten.flip(&name, at, 0x10).unwrap();
        let told = match open(&rotten, Durability::Sync) {
            Ok(state) => state.recovered().torn.is_some(),
            Err(error) => error.is_corrupt(),
        };
        assert!(told, "a flip at {at} of {before}..{}", end(&left));
    }
}

/// A reader passed over records, and ended at one, without having looked whether they were what
/// they said: a damaged LSN hid what came after it.
#[test]
fn a_record_that_a_query_passes_over_is_checked() {
    let disk = SimStorage::new(1);
    let state = open(&disk, Durability::Memory).unwrap();
    let page = state.create_page(100, Note::NONE).unwrap();
    let write = |i: u8| state.write(page, 0, &[i + 1; 9], Note::NONE).unwrap().unwrap();
    let lsns: Vec<Lsn> = (0..9).map(write).collect();
    state.flush().unwrap();
    let ask = || {
        let query = Query { after: Some(lsns[2]), to: Some(lsns[6]), ..Query::default() };
        state.query(query)?.map(|change| change.map(|change| change.lsn)).collect()
    };
    let sound: mmsb::Result<Vec<Lsn>> = ask();
    assert_eq!(sound.unwrap(), lsns[3..=6]);
    let name = crate::logs(&disk).pop().unwrap();
    let bytes = disk.read_file(&name).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap() as u64;
    for at in 4096..=used {
        disk.flip(&name, at, 1 << (at % 8)).unwrap();
        match ask() {
            Ok(found) => assert_eq!(found, lsns[3..=6], "a flip at {at}"),
            Err(error) => assert!(error.is_corrupt(), "a flip at {at}: {error}"),
        }
        disk.flip(&name, at, 1 << (at % 8)).unwrap();
    }
}

/// The half-made image of a checkpoint that crashed could not be removed at the next opening; then
/// no checkpoint could be made at that LSN.
#[test]
fn what_is_left_of_a_half_made_image_does_not_bar_the_next() {
    let disk = SimStorage::new(1);
    let state = open(&disk, Durability::Sync).unwrap();
    state.create_page(100, Note::NONE).unwrap();
    disk.plan(Fault::crash(disk.op_count() + 2));
    state.checkpoint(None).unwrap_err();
    drop(state);
    let left = disk.crash(PowerLoss::KeepAll);
    assert!(left.list().unwrap().iter().any(|name| name.ends_with(".image.new")));
    let barred = (0..12).filter(|at| {
        let left = left.snapshot();
        left.plan(Fault::failing(left.op_count() + at, libc::EIO));
        let Ok(state) = open(&left, Durability::Sync) else { return false };
        let there = left.list().unwrap().iter().any(|name| name.ends_with(".image.new"));
        if there {
            state.checkpoint(None).unwrap();
        }
        there
    });
    assert!(barred.count() > 0, "the removal never failed");
}

fn buffered(flush_every: u64, sync_every: u64, pending_bytes_max: u64) -> (SimStorage, State) {
    let disk = SimStorage::new(1);
    let config = Config {
        durability: Durability::Buffered,
        segment_bytes: 64 << 10,
        flush_every: Duration::from_millis(flush_every),
        sync_every: Duration::from_millis(sync_every),
        pending_bytes_max,
        ..Config::durable("sim")
    };
    let clock = Arc::new(SimClock::new(1_700_000_000_000));
    let state = State::open_in(Arc::new(disk.clone()), clock, config).unwrap();
    (disk, state)
}

/// The flusher told the syncer of what it had written itself. What a caller had flushed was never
/// synced as long as nobody wrote more.
#[test]
fn what_a_caller_flushed_is_synced_within_the_window() {
    let (disk, state) = buffered(20, 1, 64 << 20);
    let begun = Instant::now();
    for round in 0..10u8 {
        let page = state.create_page(100, Note::NONE).unwrap();
        state.write(page, 0, &[round + 1], Note::NONE).unwrap();
        state.flush().unwrap();
        let digest = state.digest().unwrap();
        let durable = || {
            let again = open(&disk.crash(PowerLoss::DropUnsynced), Durability::Memory).unwrap();
            again.digest().unwrap() == digest
        };
        while !durable() {
            assert!(begun.elapsed() < Duration::from_secs(30), "round {round} is never synced");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Each lane keeps its last chunk. Those of several lanes were more than may be pending, and
/// another writer waited for a flush to give them back.
#[test]
fn writers_do_not_wait_for_room_that_no_flush_can_give() {
    let (_disk, state) = buffered(1, 1, 8 << 10);
    let state = Arc::new(state);
    let page = state.create_page(5_000, Note::NONE).unwrap();
    let (tell, told) = mpsc::channel();
    let (hold, held) = mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    for writer in 0..6u8 {
        let (state, tell, held) = (state.clone(), tell.clone(), held.clone());
        std::thread::spawn(move || {
            for i in 0..20u8 {
                let content = [writer * 20 + i + 1; 4_000];
                state.write(PageId(page.0), 0, &content, Note::NONE).unwrap();
            }
            tell.send(writer).unwrap();
            // The thread keeps its lane until all are done.
            let _ = held.lock().unwrap().recv();
        });
    }
    for done in 0..6 {
        let writer = told.recv_timeout(Duration::from_secs(30));
        assert!(writer.is_ok(), "{done} of 6 writers were done, the others wait for good");
    }
    drop(hold);
}

/// Runs `look` so many times beside a thread that runs `change` over and over.
fn beside(state: &State, looks: u32, change: impl Fn(&State, u64) + Sync, look: impl Fn(&State)) {
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (change, stop) = (&change, &stop);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for round in 0.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                change(state, round);
            }
        });
        // Also if a look panics.
        struct Stop<'a>(&'a std::sync::atomic::AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let _stop = Stop(stop);
        (0..looks).for_each(|_| look(state));
    });
}

/// The links of a page begin at its newest record, which may have been written after the caller
/// flushed.
#[test]
fn the_history_of_a_page_is_read_while_others_change_it() {
    let state = State::open(Config::memory()).unwrap();
    let page = state.create_page(100, Note::NONE).unwrap();
    let change = |state: &State, round: u64| {
        state.write(page, round % 90, &round.to_le_bytes(), Note::NONE).unwrap();
    };
    beside(&state, 20_000, change, |state| {
        let newest = state.page_lsn(page).unwrap();
        let query = Query { after: Some(newest), page: Some(page), ..Query::default() };
        for change in state.query(query).unwrap() {
            assert!(change.unwrap().lsn > newest);
        }
    });
}

/// Who asks for all that is kept, and who verifies, did not ask for what a checkpoint drops.
#[test]
fn a_checkpoint_does_not_fail_those_who_ask_for_what_is_kept() {
    let state = open(&SimStorage::new(1), Durability::Memory).unwrap();
    let page = state.create_page(20_000, Note::NONE).unwrap();
    let change = |state: &State, round: u64| {
        state.update(page, &[round as u8; 20_000], Note::NONE).unwrap();
        if round.is_multiple_of(8) {
            state.checkpoint(None).unwrap();
        }
    };
    beside(&state, 400, change, |state| {
        let all = state.query(Query::default()).unwrap();
        all.for_each(|change| drop(change.unwrap()));
        state.page_history(page).unwrap();
        state.verify().unwrap();
    });
}

/// Records waited in a log that had failed, and its flusher tried for them without a pause.
#[test]
fn a_poisoned_log_does_not_keep_its_flusher_busy() {
    let time_max = Duration::from_secs(60);
    let settings = sched::Settings { seed: 1, turns_max: 20_000, time_max, watch: None };
    let outcome = sched::run(settings, || {
        let (disk, state) = buffered(5, 50, 64 << 20);
        let page = state.create_page(100, Note::NONE).unwrap();
        disk.plan(Fault::failing(disk.op_count(), libc::EIO).lasting());
        state.write(page, 0, b"waits", Note::NONE).unwrap();
        sched::sleep(Duration::from_secs(10));
        assert!(state.write(page, 0, b"refused", Note::NONE).is_err());
    });
    outcome.result.unwrap();
}

/// A power cut took the header of a frame and left its records. The log ended before it, the next
/// frame began there, and when that tore after its header, the records left over were taken for its
/// own.
#[test]
fn what_is_left_of_a_lost_frame_is_not_taken_for_the_next_ones() {
    let disk = SimStorage::new(1);
    let state = open(&disk, Durability::Memory).unwrap();
    let page = state.create_page(100, Note::NONE).unwrap();
    state.sync().unwrap();
    let name = crate::logs(&disk).pop().unwrap();
    let used = |disk: &SimStorage| {
        let bytes = disk.read_file(&name).unwrap();
        (bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1, bytes)
    };
    let write = |state: &State, text: &[u8]| {
        state.write(page, 0, text, Note::NONE).unwrap();
        state.flush().unwrap();
        state.read_all(page).unwrap()
    };
    let (end, _) = used(&disk);
    write(&state, b"lost");
    let cut = disk.crash(PowerLoss::KeepAll);
    let (_, mut bytes) = used(&cut);
    bytes[end..end + 48].fill(0);
    cut.write_file(&name, &bytes).unwrap();

    let state = open(&cut, Durability::Memory).unwrap();
    let before = state.read_all(page).unwrap();
    let (_, old) = used(&cut);
    let after = write(&state, b"what comes next, and is longer");
    let (len, new) = used(&cut.crash(PowerLoss::KeepAll));
    for torn in end..=len {
        let left = cut.crash(PowerLoss::KeepAll);
        left.write_file(&name, &[&new[..torn], &old[torn..]].concat()).unwrap();
        let found = open(&left, Durability::Memory).unwrap().read_all(page).unwrap();
        assert!(found == before || found == after, "torn at {torn} of {end}..{len}");
    }
}

/// A disk that lies lost the manifest and kept a half-made image: the directory was taken for one
/// of something else.
#[test]
fn a_half_made_image_without_a_manifest_is_damage() {
    for name in ["00000000000040ff.image.new", "00000000000040ff.image", "0000000000000001.log"] {
        let disk = SimStorage::new(1);
        disk.write_file(name, b"any").unwrap();
        let error = open(&disk, Durability::Memory).unwrap_err();
        assert!(error.is_corrupt() && error.message().contains("MANIFEST"), "{name}: {error}");
    }
}

/// The sync of a new manifest's name failed, so that a power cut could bring the old one back. An
/// opening believed the new one and removed the image that the old one names.
#[test]
fn nothing_is_removed_for_a_manifest_that_is_not_durable() {
    let open = |disk: &SimStorage| {
        let sync = Config { durability: Durability::Sync, ..Config::durable("sim") };
        let config = Config { segment_bytes: 64 << 10, history_bytes: 0, ..sync };
        State::open_in(Arc::new(disk.clone()), Arc::new(SimClock::new(1)), config)
    };
    let mut removed = 0;
    for at in 0..40 {
        let disk = SimStorage::new(at / 20);
        let state = open(&disk).unwrap();
        let page = state.create_page(20_000, Note::NONE).unwrap();
        for round in 1..4 {
            state.checkpoint(None).unwrap();
            state.update(page, &[round; 20_000], Note::NONE).unwrap();
        }
        let digest = state.digest().unwrap();
        disk.plan(Fault::failing_sync(disk.op_count() + at % 20));
        let _ = state.checkpoint(None);
        disk.plan(Fault::crash(disk.op_count()));
        drop(state);
        let names = disk.crash(PowerLoss::KeepAll).list().unwrap();
        for stop in 0..16 {
            let left = disk.crash(PowerLoss::KeepAll);
            left.plan(Fault::crash(left.op_count() + stop));
            drop(open(&left));
            let there = left.crash(PowerLoss::KeepAll).list().unwrap();
            let gone = |name: &&String| name.ends_with(".image") && !there.contains(name);
            removed += names.iter().filter(gone).count();
            for seed in 0..8 {
                let left = left.crash(PowerLoss::Random(seed));
                let again = open(&left);
                let again = again.unwrap_or_else(|error| panic!("{at} {stop} {seed}: {error}"));
                assert_eq!(again.digest().unwrap(), digest, "{at} {stop} {seed}");
            }
        }
    }
    assert!(removed > 0, "no image was removed");
}

/// Recovery cut a torn tail off, and the sync of that failed. Opened again, the log ended in zeros,
/// as the system had them in memory; the disk had the tail, and a power cut brought it back.
#[test]
fn a_tail_that_was_cut_off_before_a_failed_sync_is_cut_off_again() {
    let mut failed = 0;
    for (at, seed) in (0..8).flat_map(|at| (0..12).map(move |seed| (at, seed))) {
        let disk = SimStorage::new(seed);
        let state = open(&disk, Durability::Memory).unwrap();
        let page = state.create_page(100, Note::NONE).unwrap();
        state.sync().unwrap();
        let before = state.digest().unwrap();
        state.write(page, 0, &[1; 100], Note::NONE).unwrap();
        state.flush().unwrap();
        let torn = disk.crash(PowerLoss::KeepAll);
        let name = crate::logs(&torn).pop().unwrap();
        let used = torn.read_file(&name).unwrap().iter().rposition(|&byte| byte != 0).unwrap();
        torn.flip(&name, used as u64, 1).unwrap();
        torn.plan(Fault::failing_sync(torn.op_count() + at));
        failed += u64::from(open(&torn, Durability::Memory).is_err());
        drop(open(&torn, Durability::Memory).unwrap());
        let left = torn.crash(PowerLoss::DropUnsynced);
        left.flip(&name, used as u64, 1).ok();
        let again = open(&left, Durability::Memory).unwrap();
        assert_eq!(again.digest().unwrap(), before, "{at} {seed}");
    }
    assert!(failed > 0, "no sync failed");
}

/// A frame of which recovery kept the first records, with a header that says so; the sync of that lied,
/// and the state was closed in order. The next recovery left the old header, and what was written behind
/// it did not follow.
#[test]
fn a_frame_that_was_kept_in_part_before_a_lying_sync_is_mended_after_a_close() {
    let mut opened = 0;
    for at in 0..8 {
        let disk = SimStorage::new(1);
        let state = open(&disk, Durability::Memory).unwrap();
        let page = state.create_page(100, Note::NONE).unwrap();
        state.sync().unwrap();
        state.write(page, 0, b"kept", Note::NONE).unwrap();
        state.write(page, 0, b"torn", Note::NONE).unwrap();
        state.flush().unwrap();
        let torn = disk.crash(PowerLoss::KeepAll);
        let name = crate::logs(&torn).pop().unwrap();
        let used = torn.read_file(&name).unwrap().iter().rposition(|&byte| byte != 0).unwrap();
        torn.flip(&name, used as u64, 1).unwrap();
        torn.plan(Fault::lying_sync(torn.op_count() + at));
        open(&torn, Durability::Memory).unwrap().close().unwrap();
        let left = torn.crash(PowerLoss::DropUnsynced);
        let state = match open(&left, Durability::Memory) {
            Ok(state) => state,
            // What the lie was of cannot be missed, a manifest for one.
            Err(error) if error.is_corrupt() => continue,
            Err(error) => panic!("{at}: {error:?}"),
        };
        opened += 1;
        assert_eq!(state.read_all(page).unwrap()[..4], *b"kept", "{at}");
        state.write(page, 0, b"next", Note::NONE).unwrap();
        state.verify().unwrap_or_else(|error| panic!("{at}: {error:?}"));
        drop(state);
        let again = open(&left, Durability::Memory).unwrap();
        assert_eq!(again.read_all(page).unwrap()[..4], *b"next", "{at}");
    }
    assert!(opened > 3, "{opened} of 8 open");
}
