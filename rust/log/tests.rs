//! The log by itself, over the simulated disk and plain memory.

use super::background::Background;
use super::*;
use crate::env::sim::SimClock;
use crate::env::{Clock, MemStorage, OsClock};
use crate::log::recovery::Known;
use crate::stdx::prng::Prng;
use crate::stdx::sched;
use crate::types::Note;
use std::sync::mpsc;
use std::time::Duration;

fn options() -> LogOptions {
    LogOptions {
        segment_bytes: 256 << 10,
        pending_bytes_max: 1 << 20,
        checkpoint_every: u64::MAX,
        reserve: true,
        zero_ahead: false,
    }
}

fn create(storage: &Arc<MemStorage>) -> Log {
    Log::create(storage.clone(), Arc::new(OsClock), [7; 16], Lsn::ZERO, options())
}

fn open(storage: &Arc<MemStorage>, must: Lsn, clean: bool) -> Result<(Log, Vec<Lsn>)> {
    let known = Known { identity: [7; 16], first: 1, after: Lsn::ZERO, must, clean };
    let mut seen = Vec::new();
    let wall = Arc::new(OsClock);
    let (log, _) = Log::open(storage.clone(), wall, known, options(), |record| {
        seen.push(record.lsn);
        Ok(())
    })?;
    Ok((log, seen))
}

fn append(log: &Log, object: u64, prev: Lsn, body: &[u8]) -> Result<Lsn> {
    let mut append = log.begin(record::len_max(Note::NONE, 1, body.len()))?;
    let lsn = append.stamp(prev);
    let head = EntryHead { kind: 1, object, prev, epoch: 0 };
    let len = record::write(append.buf(), lsn, 0, Note::NONE, 1, |entries| {
        entries.entry(head, body.len()).bytes(body);
    });
    append.publish(len);
    Ok(lsn)
}

fn read(log: &Log) -> Vec<Lsn> {
    log.flush().unwrap();
    let mut reader = log.reader(Lsn::ZERO, Lsn::MAX).unwrap();
    let mut seen = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        seen.push(record.lsn);
    }
    seen
}

#[test]
fn records_come_back_in_order_over_many_segments() {
    let storage = Arc::new(MemStorage::new());
    let log = create(&storage);
    let mut wrote = Vec::new();
    let mut prev = Lsn::ZERO;
    for i in 0..5_000u64 {
        prev = append(&log, i % 7, prev, &vec![i as u8; (i % 2000) as usize]).unwrap();
        wrote.push(prev);
        if i % 97 == 0 {
            log.flush().unwrap();
        }
    }
    assert_eq!(read(&log), wrote);
    assert!(log.segments().len() > 15);
    let mut lookup = reader::Lookup::new(&log);
    for &lsn in wrote.iter().rev().step_by(13) {
        assert_eq!(log.record_at(&mut lookup, lsn).unwrap().lsn, lsn);
    }
    let end = log.shut().unwrap();
    drop(log);
    let (log, seen) = open(&storage, end, true).unwrap();
    assert_eq!(seen, wrote);
    assert!(append(&log, 0, Lsn::ZERO, b"more").unwrap() > prev);
    assert_eq!(read(&log).len(), wrote.len() + 1);
}

/// A thread's number picks its lane, and who has a low one may be the last to write. Its lane then comes
/// between those that a flush has closed.
#[test]
fn a_lane_that_comes_while_others_are_drained_waits_for_the_next_time() {
    let storage = Arc::new(MemStorage::new());
    let log = create(&storage);
    let (number, numbers) = mpsc::channel();
    let (wrote, lsns) = mpsc::channel();
    std::thread::scope(|scope| {
        let mut threads: Vec<_> = (0..2)
            .map(|_| {
                let (number, wrote, log) = (number.clone(), wrote.clone(), &log);
                let (write, writes) = mpsc::channel::<usize>();
                scope.spawn(move || {
                    number.send(thread::index()).unwrap();
                    writes.iter().for_each(|len| {
                        wrote.send(append(log, 1, Lsn::ZERO, &vec![7; len]).unwrap()).unwrap();
                    });
                });
                (numbers.recv().unwrap(), write)
            })
            .collect();
        threads.sort_by_key(|&(number, _)| number);
        let [(_, low), (_, high)] = &threads[..] else { panic!("two threads") };
        let write = |thread: &mpsc::Sender<usize>, len| {
            thread.send(len).unwrap();
            lsns.recv().unwrap()
        };
        let mut all = vec![write(high, 30), write(high, 40)];
        let mut writer = log.writer.lock();
        let (closed, heads) = log.close_lanes();
        all.extend([write(low, 50), write(high, 60), write(low, 20)]);
        log.drain(&mut writer, closed, &heads).unwrap();
        drop(writer);
        all.sort();
        assert_eq!(read(&log), all);
    });
    let end = log.shut().unwrap();
    drop(log);
    assert_eq!(open(&storage, end, true).unwrap().1.len(), 5);
}

#[test]
fn threads_interleave_and_every_record_stands_once() {
    let storage = Arc::new(MemStorage::new());
    let log = create(&storage);
    let wrote: Vec<Lsn> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let log = &log;
                scope.spawn(move || {
                    let mut prev = Lsn::ZERO;
                    let step = |i: u64| {
                        prev = append(log, thread, prev, &[thread as u8; 100]).unwrap();
                        if i % 1000 == 999 {
                            log.flush().unwrap();
                        }
                        prev
                    };
                    (0..20_000).map(step).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut sorted = wrote;
    sorted.sort();
    assert_eq!(read(&log), sorted);
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let storage = Arc::new(MemStorage::new());
    let log = create(&storage);
    let first = append(&log, 1, Lsn::ZERO, b"small").unwrap();
    let big = append(&log, 2, Lsn::ZERO, &vec![9; 5 << 20]).unwrap();
    let last = append(&log, 1, first, b"small").unwrap();
    assert_eq!(read(&log), [first, big, last]);
    let end = log.shut().unwrap();
    drop(log);
    assert_eq!(open(&storage, end, true).unwrap().1, [first, big, last]);
}

#[test]
fn what_was_durable_must_be_there() {
    let storage = Arc::new(MemStorage::new());
    let log = create(&storage);
    append(&log, 1, Lsn::ZERO, b"one").unwrap();
    let end = log.shut().unwrap();
    drop(log);
    assert!(open(&storage, Lsn(end.0 + 1), false).err().unwrap().is_corrupt());
    assert_eq!(open(&storage, end, false).unwrap().1.len(), 1);
}

#[test]
fn recycled_segments_do_not_bring_old_records_back() {
    let storage = Arc::new(MemStorage::new());
    let log = create(&storage);
    let mut prev = Lsn::ZERO;
    for round in 0..200 {
        for _ in 0..100 {
            prev = append(&log, 1, prev, &[round; 1000]).unwrap();
        }
        let closed = log.sync().unwrap();
        log.retire(log.first_needed(closed)).unwrap();
    }
    let floor = log.history_floor();
    assert!(floor > Lsn::ZERO);
    assert!(log.reader(Lsn::ZERO, Lsn::MAX).is_err());
    let mut reader = log.reader(floor, Lsn::MAX).unwrap();
    let mut last = floor;
    while let Some(record) = reader.next_record().unwrap() {
        assert!(record.lsn > last);
        last = record.lsn;
    }
    assert_eq!(last, prev);
    let first = log.first_needed(Lsn::ZERO);
    drop(log);
    let known = Known { identity: [7; 16], first, after: floor, must: floor, clean: false };
    let wall = Arc::new(OsClock);
    let mut seen = Lsn::ZERO;
    Log::open(storage, wall, known, options(), |record| {
        seen = record.lsn;
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, prev);
}

#[test]
fn what_writers_were_told_before_a_close_is_there_after_it() {
    for _ in 0..200 {
        let storage = Arc::new(MemStorage::new());
        let log = create(&storage);
        let ready = std::sync::Barrier::new(3);
        let (mut wrote, end) = std::thread::scope(|scope| {
            let write = |thread| {
                let (log, ready) = (&log, &ready);
                move || {
                    let (mut wrote, mut prev) = (Vec::new(), Lsn::ZERO);
                    ready.wait();
                    while let Ok(lsn) = append(log, thread, prev, &[1; 16]) {
                        (prev, _) = (lsn, wrote.push(lsn));
                    }
                    wrote
                }
            };
            let threads = [scope.spawn(write(0)), scope.spawn(write(1))];
            ready.wait();
            let end = log.shut().unwrap();
            (threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>(), end)
        });
        wrote.sort();
        drop(log);
        assert_eq!(open(&storage, end, true).unwrap().1, wrote);
    }
}

/// A log that is long enough to be read ahead, with records of every size: some span blocks, some
/// are longer than one.
fn long_log(storage: &Arc<MemStorage>) -> (Log, Vec<Lsn>) {
    let log = create(storage);
    let (mut wrote, mut prev) = (Vec::new(), Lsn::ZERO);
    for i in 0..3_000u64 {
        let len = match i % 100 {
            7 => 70_000,
            50 => 200_000,
            _ => i * 37 % 3_000,
        };
        prev = append(&log, 1, prev, &vec![i as u8; len as usize]).unwrap();
        wrote.push(prev);
        if i % 61 == 0 {
            log.flush().unwrap();
        }
    }
    log.sync().unwrap();
    (log, wrote)
}

#[test]
fn a_log_that_is_read_ahead_comes_back_whole_and_from_any_place() {
    let storage = Arc::new(MemStorage::new());
    let (log, wrote) = long_log(&storage);
    assert!(log.stats().segment_bytes > 2 * read_ahead::READ_AHEAD_BYTES_MIN);
    assert_eq!(read(&log), wrote);
    for from in [1, 700, 1_500] {
        let mut reader = log.reader(wrote[from], wrote[2_900]).unwrap();
        for &lsn in &wrote[from + 1..=2_900] {
            assert_eq!(reader.next_record().unwrap().unwrap().lsn, lsn);
        }
        assert!(reader.next_record().unwrap().is_none());
    }
    let end = log.shut().unwrap();
    drop(log);
    let (log, seen) = open(&storage, end, true).unwrap();
    assert_eq!(seen, wrote);
    assert_eq!(read(&log), wrote);
}

#[test]
fn damage_is_reported_at_its_place_though_it_was_read_ahead() {
    let storage = Arc::new(MemStorage::new());
    let (log, wrote) = long_log(&storage);
    let segment = log.segments()[20].clone();
    let offset = segment.reach().unwrap() / 2;
    let mut byte = [0];
    segment.file.read_at(offset, &mut byte).unwrap();
    segment.file.write_at(offset, &[std::io::IoSlice::new(&[!byte[0]])]).unwrap();
    let mut reader = log.reader(Lsn::ZERO, Lsn::MAX).unwrap();
    let mut good = 0;
    let error = loop {
        match reader.next_record() {
            Ok(record) => good += usize::from(record.is_some()),
            Err(error) => break error,
        }
    };
    assert!(error.is_corrupt() && error.message().contains(&segment.path), "{error}");
    assert!(wrote[good] > segment.header.base && wrote[good] <= segment.closed());
    assert!(reader.next_record().unwrap_err().is_corrupt());
}

/// A flusher that had nothing to write looked again after `flush_every`, and wrote what it met, which
/// was in the middle of bursts.
#[test]
fn a_burst_is_written_when_it_is_over_and_nothing_waits_for_too_long() {
    let every = Duration::from_millis(10);
    let (burst, slack) = (Duration::from_micros(4_500), Duration::from_micros(500));
    let time_max = Duration::from_secs(1_000);
    let settings = sched::Settings { seed: 1, turns_max: 10_000_000, time_max, watch: None };
    let outcome = sched::run(settings, move || {
        let clock = Arc::new(SimClock::new(0));
        let storage = Arc::new(MemStorage::new());
        let log = Arc::new(Log::create(storage, clock.clone(), [7; 16], Lsn::ZERO, options()));
        // Who syncs, flushes.
        let _background = Background::start(&log, every, time_max, None).unwrap();
        let mut prng = Prng::new(1);
        for n in 0..200u32 {
            // Now and then so long that the flusher sleeps.
            let pause_ms = if n.is_multiple_of(10) { 3_000 } else { prng.below(30) };
            sched::sleep(Duration::from_millis(pause_ms));
            let begun = clock.monotonic_ns();
            let passed = || Duration::from_nanos(clock.monotonic_ns() - begun);
            let first = append(&log, 1, Lsn::ZERO, b"first").unwrap();
            while passed() < burst {
                assert!(log.written() < first, "burst {n}, after {:?}", passed());
                append(&log, 1, Lsn::ZERO, b"more").unwrap();
                sched::sleep(Duration::from_micros(200));
            }
            let mut last = passed();
            while log.is_pending() {
                assert!(log.written() >= first || last <= every + slack, "burst {n}: {last:?}");
                sched::sleep(Duration::from_micros(50));
                last = passed();
            }
            assert!(last <= every + burst + slack, "burst {n}, all of it: {last:?}");
        }
    });
    outcome.result.unwrap();
}
