//! The log cut at every byte of its last record.

use crate::{logs, open};
use mmsb::env::sim::{PowerLoss, SimStorage};
use mmsb::{Durability, Note, PageId};

/// A disk whose log ends in three records flushed together, and the digests before the last and
/// after it.
fn flushed() -> (SimStorage, [u8; 32], [u8; 32], usize) {
    let disk = SimStorage::new(1);
    let state = open(&disk, Durability::Memory).unwrap();
    let page = state.create_page(100, Note::NONE).unwrap();
    state.sync().unwrap();
    state.write(page, 3, b"first", Note::from("a")).unwrap();
    state.write(page, 50, b"second", Note::from("b")).unwrap();
    let before = state.digest().unwrap();
    let bytes = state.stats().unwrap().record_bytes;
    state.write(page, 70, b"the last one", Note::from("c").because("to be cut")).unwrap();
    let last = state.stats().unwrap().record_bytes - bytes;
    let after = state.digest().unwrap();
    state.flush().unwrap();
    let left = disk.crash(PowerLoss::KeepAll);
    drop(state);
    (left, before, after, last as usize)
}

#[test]
fn exactly_the_records_before_the_cut_come_back() {
    let (disk, before, after, last) = flushed();
    let name = logs(&disk).pop().unwrap();
    let bytes = disk.read_file(&name).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    assert_eq!(open(&disk.snapshot(), Durability::Memory).unwrap().digest().unwrap(), after);
    for cut in end - last..end {
        let mut zeroed = bytes.clone();
        zeroed[cut..].fill(0);
        for torn in [zeroed, bytes[..cut].to_vec()] {
            let disk = disk.snapshot();
            disk.write_file(&name, &torn).unwrap();
            let state = open(&disk, Durability::Memory).unwrap();
            assert_eq!(state.digest().unwrap(), before, "cut at {cut} of {end}");
            assert_eq!(state.epoch(PageId(1)).unwrap(), 2);
            let found = state.recovered();
            assert_eq!(found.records, 3);
            let torn = found.torn.as_ref().unwrap();
            assert_eq!(torn.offset, (end - last) as u64, "{torn:?}");
            state.write(PageId(1), 0, b"goes on", Note::NONE).unwrap();
            let digest = state.digest().unwrap();
            state.close().unwrap();
            let state = open(&disk, Durability::Memory).unwrap();
            assert_eq!((state.digest().unwrap(), &state.recovered().torn), (digest, &None));
        }
    }
}
