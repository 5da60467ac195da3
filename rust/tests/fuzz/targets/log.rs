//! A log of one segment, with lengths and checksums that fit: opened, read, appended to.
//!
//! The input is a flag, the segment header's 64 bytes, and everything after the header block.

use super::mend;
use super::state::{clock, config};
use mmsb::checkpoint::Manifest;
use mmsb::checkpoint::manifest::Kind;
use mmsb::env::sim::{PowerLoss, SimStorage};
use mmsb::log::segment::{SEGMENT_HEADER_BYTES, Segment};
use mmsb::{Changed, Delta, PageId, Query, Result, TLog};
use std::sync::Arc;

const IDENTITY: [u8; 16] = *b"the fuzzed log..";
const FIELDS_BYTES: usize = 64;
const CAPACITY: u64 = 64 << 10;

pub fn log(data: &[u8]) {
    let Some((&flags, data)) = data.split_first() else { return };
    let (fields, rest) = data.split_at(data.len().min(FIELDS_BYTES));
    let mut bytes = fields.to_vec();
    bytes.resize(SEGMENT_HEADER_BYTES as usize, 0);
    bytes.extend_from_slice(rest);
    if flags & 1 == 0 {
        mend::segment(&mut bytes);
    }
    bytes.resize(bytes.len().max(CAPACITY as usize), 0);
    let disk = SimStorage::new(1);
    disk.write_file(&Segment::file_name(1), &bytes).unwrap();
    Manifest::new(IDENTITY, Kind::Log).write(&disk).unwrap();
    if let Ok(log) = open(&disk) {
        exercise(&disk, log);
    }
}

fn open(disk: &SimStorage) -> Result<TLog> {
    TLog::open_in(Arc::new(disk.clone()), clock(), config())
}

fn read(log: &TLog) -> Result<Vec<Changed>> {
    log.query(Query::default())?.collect()
}

/// What was read stays, and what is appended comes after it.
fn exercise(disk: &SimStorage, log: TLog) {
    let before = read(&log);
    if let Ok(summary) = log.summary() {
        assert_eq!(summary.deltas, before.as_ref().unwrap().len() as u64);
    }
    let delta = Delta::from_runs(PageId(1), &[(3, b"appended")]).unwrap();
    let Ok(lsn) = log.append(&delta) else { return };
    log.close().unwrap();
    let again = open(&disk.crash(PowerLoss::DropUnsynced)).unwrap();
    match (before, read(&again)) {
        (Ok(before), Ok(after)) => {
            let (last, rest) = after.split_last().unwrap();
            assert_eq!((rest, last.lsn), (&before[..], lsn));
        }
        (before, after) => assert_eq!(before.is_err(), after.is_err()),
    }
}
