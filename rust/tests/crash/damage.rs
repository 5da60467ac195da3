//! One byte flipped anywhere: noticed, or a byte that means nothing.

use crate::common::{Prng, random_op};
use crate::open;
use mmsb::env::Storage;
use mmsb::env::sim::{PowerLoss, SimStorage};
use mmsb::{Durability, ErrorKind, Note};

/// A small state with an image, log before and after it, and the digest it was closed with.
fn closed() -> (SimStorage, [u8; 32]) {
    let disk = SimStorage::new(3);
    let state = open(&disk, Durability::Memory).unwrap();
    let (mut prng, mut pages) = (Prng(77), Vec::new());
    for step in 0..60 {
        random_op(&state, &mut prng, &mut pages).unwrap();
        if step % 10 == 0 {
            state.flush().unwrap();
        }
        if step == 30 {
            state.checkpoint(None).unwrap();
        }
    }
    let digest = state.digest().unwrap();
    state.close().unwrap();
    (disk, digest)
}

/// Opens and verifies. `Err` says how the damage was noticed.
fn examine(disk: &SimStorage, digest: [u8; 32]) -> Result<(), String> {
    let state = open(disk, Durability::Memory).map_err(|error| format!("open: {error}"))?;
    let verified = state.verify().map_err(|error| format!("verify: {error}"))?;
    assert_eq!(verified.digest, digest, "accepted in silence");
    Ok(())
}

#[test]
fn every_byte_of_a_closed_state_is_guarded() {
    let (disk, digest) = closed();
    examine(&disk.snapshot(), digest).unwrap();
    let (mut guarded, mut dead) = (0, 0);
    for name in disk.list().unwrap() {
        let bytes = disk.read_file(&name).unwrap();
        // Preallocated space after the log's end means nothing; a few of its bytes do for all.
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let places = (0..used).chain((used..bytes.len()).step_by(997));
        for at in places {
            let copy = disk.snapshot();
            copy.flip(&name, at as u64, 1 << (at % 8)).unwrap();
            match examine(&copy, digest) {
                Err(_) => guarded += 1,
                Ok(()) if at >= used => dead += 1,
                Ok(()) => panic!("{name}: a flip at {at} of {used} went unnoticed"),
            }
        }
    }
    assert!(guarded > 10_000, "{guarded} guarded, {dead} dead");
}

/// The same for a state that was not closed, where all was synced before other records followed:
/// damage there is no torn tail.
#[test]
fn damage_to_what_was_durable_is_not_cut_off_as_a_torn_tail() {
    let disk = SimStorage::new(4);
    let state = open(&disk, Durability::Memory).unwrap();
    let page = state.create_page(200, Note::NONE).unwrap();
    for i in 0..20u8 {
        state.write(page, u64::from(i) * 10, &[i + 1; 10], Note::NONE).unwrap();
        state.sync().unwrap();
    }
    let last = state.stats().unwrap().record_bytes;
    state.write(page, 0, b"not synced", Note::NONE).unwrap();
    let last = state.stats().unwrap().record_bytes - last;
    state.flush().unwrap();
    let digest = state.digest().unwrap();
    let left = disk.crash(PowerLoss::KeepAll);
    drop(state);
    let name = crate::logs(&left).pop().unwrap();
    let bytes = left.read_file(&name).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let durable = end - last as usize - 48;
    for at in 4096..durable {
        let copy = left.snapshot();
        copy.flip(&name, at as u64, 0x40).unwrap();
        let error = open(&copy, Durability::Memory).unwrap_err();
        assert!(error.is_corrupt(), "{at}: {error}");
        assert!(error.message().contains(&name), "{error}");
        assert!(error.message().contains("offset"), "{error}");
    }
    for at in durable..end {
        let copy = left.snapshot();
        copy.flip(&name, at as u64, 0x40).unwrap();
        let state = open(&copy, Durability::Memory).unwrap();
        assert_ne!(state.digest().unwrap(), digest, "{at}");
        assert!(state.recovered().torn.is_some(), "{at}");
    }
}

/// A log that was killed with its only segment, `synced` or merely flushed.
fn killed(synced: bool) -> (SimStorage, String) {
    let disk = SimStorage::new(5);
    let state = open(&disk, Durability::Memory).unwrap();
    let page = state.create_page(200, Note::NONE).unwrap();
    for i in 0..3u8 {
        state.write(page, 0, &[i + 1; 10], Note::NONE).unwrap();
        if synced { state.sync() } else { state.flush() }.unwrap();
    }
    let left = disk.crash(PowerLoss::KeepAll);
    drop(state);
    let name = crate::logs(&left).pop().unwrap();
    assert_eq!(crate::logs(&left).len(), 1);
    (left, name)
}

/// The first segment's header is the only thing that leads into a log: without it, the frames that
/// say what was durable still do.
#[test]
fn a_damaged_or_emptied_first_header_is_no_fresh_log() {
    let (left, name) = killed(true);
    open(&left.snapshot(), Durability::Memory).unwrap();
    let refused = |copy: SimStorage, what: &str| {
        let before = copy.read_file(&name).unwrap();
        let error = open(&copy, Durability::Memory).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
        assert!(error.message().contains(&name), "{what}: {error}");
        assert_eq!(copy.read_file(&name).unwrap(), before, "{what}: the file is left alone");
    };
    for at in 0..64 {
        let copy = left.snapshot();
        copy.flip(&name, at, 1 << (at % 8)).unwrap();
        refused(copy, &format!("a flip at {at}"));
    }
    let mut emptied = left.read_file(&name).unwrap();
    for bytes in [64, 4096] {
        emptied[..bytes].fill(0);
        let copy = left.snapshot();
        copy.write_file(&name, &emptied).unwrap();
        refused(copy, &format!("{bytes} zeros"));
    }
}

/// Nothing says that anything was synced: a crash may have torn the very first write.
#[test]
fn a_first_header_that_was_never_synced_is_a_torn_beginning() {
    let (left, name) = killed(false);
    let mut emptied = left.read_file(&name).unwrap();
    emptied[..4096].fill(0);
    left.write_file(&name, &emptied).unwrap();
    let state = open(&left, Durability::Memory).unwrap();
    assert_eq!((state.page_count(), state.recovered().records), (0, 0));
    let torn = state.recovered().torn.as_ref().unwrap();
    assert!(torn.path.ends_with(&name) && torn.offset == 0, "{torn:?}");
    state.create_page(8, Note::NONE).unwrap();
    let digest = state.digest().unwrap();
    state.close().unwrap();
    assert_eq!(open(&left, Durability::Memory).unwrap().digest().unwrap(), digest);
}

#[test]
fn missing_files_are_damage() {
    let (disk, _) = closed();
    for name in disk.list().unwrap() {
        let copy = disk.snapshot();
        copy.remove(&name).unwrap();
        let error = open(&copy, Durability::Memory).unwrap_err();
        assert!(error.is_corrupt(), "{name}: {error:?}");
    }
}

#[test]
fn shortened_files_are_damage() {
    let (disk, digest) = closed();
    for name in disk.list().unwrap() {
        let bytes = disk.read_file(&name).unwrap();
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        for keep in (0..used).step_by(used / 50 + 1) {
            let copy = disk.snapshot();
            copy.write_file(&name, &bytes[..keep]).unwrap();
            examine(&copy, digest).unwrap_err();
        }
    }
}
