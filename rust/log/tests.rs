//! The log by itself, over the simulated disk and plain memory.

use super::*;
use crate::env::MemStorage;
use crate::env::OsClock;
use crate::log::recovery::Known;
use crate::types::Note;

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
    let known = Known { identity: [7; 16], after: Lsn::ZERO, must, clean };
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
        log.retire(closed).unwrap();
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
    drop(log);
    let known = Known { identity: [7; 16], after: floor, must: floor, clean: false };
    let wall = Arc::new(OsClock);
    let mut seen = Lsn::ZERO;
    Log::open(storage, wall, known, options(), |record| {
        seen = record.lsn;
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, prev);
}
