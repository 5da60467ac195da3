//! Private pages: read and written as others, sealed wherever they stand.

use crate::memory;
use mmsb::{
    Batch, Change, Config, Delta, Difference, EdgeKind, ErrorKind, ExecutorConfig, Location, Lsn,
    Note, Ownership, PageId, Place, Program, Query, Retry, State,
};
use std::path::Path;

const KEY: [u8; 32] = [0x5a; 32];
/// Found nowhere but where somebody opened it.
const SECRET: &[u8] = b"the combination is 31-4-15";

fn unlocked() -> State {
    let state = memory();
    state.unlock(&KEY).unwrap();
    state
}

fn private(state: &State, size: u64) -> PageId {
    state.create_private_page(size, Location::Cpu, Note::NONE).unwrap()
}

fn replay_agrees(state: &State) {
    let snapshot = state.snapshot().unwrap();
    let replayed = state.replay_to(snapshot.lsn()).unwrap();
    assert_eq!(replayed.digest().unwrap(), snapshot.digest().unwrap());
    for id in state.list_pages().unwrap() {
        let shown = state.read_all(id).unwrap();
        assert_eq!(replayed.read_all(id).unwrap(), shown, "{id}");
        assert_eq!(snapshot.read_all(id).unwrap(), shown, "{id}");
        assert_eq!(state.page_at(id, snapshot.lsn()).unwrap().bytes, shown, "{id}");
    }
}

#[test]
fn it_is_read_and_written_as_any_page() {
    let state = unlocked();
    let page = private(&state, 100);
    assert!(state.is_private(page).unwrap());
    assert_eq!((state.page_size(page).unwrap(), state.epoch(page).unwrap()), (100, 1));
    assert_eq!(state.read_all(page).unwrap(), [0; 100]);

    let mut model = vec![0; 100];
    let mut epoch = 1;
    let mut agrees = |lsn: Option<Lsn>, model: &[u8]| {
        assert!(lsn.is_some());
        epoch += 1;
        assert_eq!(state.read_all(page).unwrap(), model);
        assert_eq!(state.epoch(page).unwrap(), epoch);
        let mut part = [0; 9];
        state.read(page, 61, &mut part).unwrap();
        assert_eq!(part, model[61..70]);
    };
    model[7..10].copy_from_slice(b"abc");
    agrees(state.write(page, 7, b"abc", Note::NONE).unwrap(), &model);
    model.fill(9);
    agrees(state.update(page, &model, Note::NONE).unwrap(), &model);
    let (mut mask, content) = (vec![0; 100], vec![1; 100]);
    (mask[3], mask[99], model[3], model[99]) = (1, 255, 1, 1);
    agrees(state.write_masked(page, &mask, &content, Note::NONE).unwrap(), &model);
    model[60..62].copy_from_slice(b"de");
    let delta = Delta::from_runs(page, &[(60, b"de")]).unwrap();
    agrees(state.apply(&delta).unwrap(), &model);
    let mut batch = Batch::new(&state);
    batch.write(page, 0, b"x").unwrap();
    batch.write(page, 98, b"y").unwrap();
    (model[0], model[98]) = (b'x', b'y');
    agrees(batch.commit(Note::NONE).unwrap(), &model);
    let ((), lsn) = state
        .transact(Note::NONE, Retry::default(), |t| {
            let n = t.read_u64(page, 8)?;
            t.write(page, 8, &(n + 1).to_le_bytes())?;
            assert_eq!(t.read_u64(page, 8)?, n + 1, "its own write");
            assert_eq!(t.page_size(page)?, 100);
            Ok(())
        })
        .unwrap();
    model[8] += 1;
    agrees(lsn, &model);
    let executor = state.executor(ExecutorConfig::default()).unwrap();
    let applied = executor.submit_deltas(vec![Delta::from_runs(page, &[(50, b"z")]).unwrap()]);
    model[50] = b'z';
    agrees(applied.unwrap().wait().remove(0).unwrap(), &model);
    let mut program = Program::new();
    program.add(Place { page, offset: 16 }, 1);
    model[16] += 1;
    let added = executor.submit_programs(vec![program], "adds").unwrap().wait().remove(0);
    agrees(added.unwrap(), &model);

    // What is so already is not recorded.
    assert_eq!(state.update(page, &model, Note::NONE).unwrap(), None);
    assert_eq!(state.write(page, 50, b"z", Note::NONE).unwrap(), None);
    replay_agrees(&state);
    let stats = state.stats().unwrap().transactions;
    assert_eq!((stats.sealed, stats.shared, stats.owned), (2, 0, 0));
}

#[test]
fn batches_and_transactions_create_some() {
    let state = unlocked();
    let mut batch = Batch::new(&state);
    let (a, open) = (
        batch.create_private_page(8, Location::Cpu).unwrap(),
        batch.create_page(8, Location::Cpu).unwrap(),
    );
    batch.write(a, 1, b"a").unwrap();
    batch.write(open, 1, b"a").unwrap();
    batch.commit(Note::NONE).unwrap();
    let mut transaction = state.begin().unwrap();
    let b = transaction.create_private_page(3, Location::Gpu).unwrap();
    transaction.write(b, 0, b"b").unwrap();
    assert_eq!(transaction.read_all(b).unwrap(), b"b\0\0");
    transaction.commit(Note::NONE).unwrap();
    assert_eq!(state.read_all(a).unwrap(), b"\0a\0\0\0\0\0\0");
    assert_eq!(state.read_all(b).unwrap(), b"b\0\0");
    assert_eq!(state.location(b).unwrap(), Location::Gpu);
    assert_eq!([a, b, open].map(|page| state.is_private(page).unwrap()), [true, true, false]);
    replay_agrees(&state);
}

#[test]
fn a_transaction_goes_on_without_what_needs_a_key() {
    let state = memory();
    let mut transaction = state.begin().unwrap();
    let refused = transaction.create_private_page(8, Location::Cpu).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Sealed);
    let page = transaction.create_page(8, Location::Cpu).unwrap();
    transaction.commit(Note::NONE).unwrap();
    assert_eq!(state.list_pages().unwrap(), [page]);
}

#[test]
fn the_past_can_be_read_and_gone_back_to() {
    let state = unlocked();
    let page = private(&state, 40);
    let freed = private(&state, 5);
    state.write(page, 0, b"first", Note::NONE).unwrap();
    state.write(freed, 0, b"there", Note::NONE).unwrap();
    let (mark, before) = (state.soft_checkpoint().unwrap(), state.snapshot().unwrap());
    state.write(page, 0, b"later", Note::NONE).unwrap();
    state.free_page(freed, Note::NONE).unwrap();
    assert_eq!(before.read_all(page).unwrap()[..5], *b"first");
    assert_eq!(before.read_all(freed).unwrap(), b"there");
    assert_eq!(before.page_size(page).unwrap(), 40);
    let mut part = [0; 3];
    before.read(page, 2, &mut part).unwrap();
    assert_eq!(&part, b"rst");
    assert_eq!(state.page_at(page, before.lsn()).unwrap().bytes[..5], *b"first");

    let differences = state.compare(&before).unwrap();
    assert_eq!(differences[0].page, page);
    let Difference::Changed { runs, meta: false } = &differences[0].difference else { panic!() };
    assert_eq!((runs.len(), runs[0].range()), (1, 0..40), "nobody looks into it");
    assert_eq!(differences[1].difference, Difference::Freed);

    state.revert(&mark, Note::NONE).unwrap();
    assert_eq!(state.read_all(page).unwrap()[..5], *b"first");
    assert_eq!(state.read_all(freed).unwrap(), b"there");
    assert!(state.is_private(freed).unwrap());
    replay_agrees(&state);
    let kinds: Vec<Change> =
        state.page_history(page).unwrap().into_iter().map(|changed| changed.change).collect();
    let created = Change::Created { size: 40, location: Location::Cpu };
    assert_eq!(kinds, [created, Change::Sealed, Change::Sealed, Change::Sealed, Change::Sealed]);
    let all: Vec<_> = state.query(Query::default()).unwrap().map(Result::unwrap).collect();
    assert!(!all.iter().any(|changed| matches!(changed.change, Change::Written(_))));
    let sizes: Vec<u64> = all
        .iter()
        .filter_map(|changed| match changed.change {
            Change::Created { size, .. } | Change::Restored { size, .. } => Some(size),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [40, 5, 5]);
}

/// Whether any file holds these bytes.
fn is_found(dir: &Path, what: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(what.len()).any(|part| part == what)
    })
}

/// A durable state with a private page in an image and in the log, and an open one.
fn sealed_on_disk(dir: &Path) -> (PageId, PageId, [u8; 32]) {
    let state = State::open(Config::durable(dir)).unwrap();
    state.unlock(&KEY).unwrap();
    let (page, open) = (private(&state, 200), state.create_page(8, Note::NONE).unwrap());
    state.write(page, 11, SECRET, Note::NONE).unwrap();
    state.set_meta(page, b"owner", b"me", Note::NONE).unwrap();
    state.checkpoint(None).unwrap();
    state.write(page, 111, SECRET, Note::NONE).unwrap();
    state.update(open, b"in plain", Note::NONE).unwrap();
    let digest = state.digest().unwrap();
    state.close().unwrap();
    (page, open, digest)
}

#[test]
fn nothing_of_it_is_in_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let (page, _, digest) = sealed_on_disk(dir.path());
    assert!(!is_found(dir.path(), &SECRET[..8]), "sealed");
    assert!(!is_found(dir.path(), &KEY[..8]), "the key");
    assert!(is_found(dir.path(), b"in plain") && is_found(dir.path(), b"owner"), "what is not");
    let state = State::open(Config::durable(dir.path())).unwrap();
    state.unlock(&KEY).unwrap();
    assert_eq!(state.digest().unwrap(), digest);
    let bytes = state.read_all(page).unwrap();
    assert_eq!((&bytes[11..37], &bytes[111..137]), (SECRET, SECRET));
    replay_agrees(&state);
}

#[test]
fn without_the_key_it_stays_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let (page, open, digest) = sealed_on_disk(dir.path());
    let state = State::open(Config::durable(dir.path())).unwrap();
    assert!(!state.is_unlocked());
    let lsn = state.flush().unwrap();
    let mut buf = [7; 4];
    let executor = state.executor(ExecutorConfig::default()).unwrap();
    let delta = Delta::from_runs(page, &[(1, b"a")]).unwrap();
    let mut batch = Batch::new(&state);
    batch.write(open, 0, b"x").unwrap();
    batch.write(page, 0, b"x").unwrap();
    let mut created = Batch::new(&state);
    created.create_private_page(8, Location::Cpu).unwrap();
    let refused = [
        state.read(page, 0, &mut buf).unwrap_err(),
        state.read_all(page).unwrap_err(),
        state.snapshot().unwrap().read_all(page).unwrap_err(),
        state.page_at(page, lsn).unwrap_err(),
        state.replay_to(lsn).unwrap().read_all(page).unwrap_err(),
        state.write(page, 0, b"x", Note::NONE).unwrap_err(),
        state.update(page, &[1; 200], Note::NONE).unwrap_err(),
        state.write_masked(page, &[1; 200], &[1; 200], Note::NONE).unwrap_err(),
        state.apply(&delta).unwrap_err(),
        batch.commit(Note::NONE).unwrap_err(),
        created.commit(Note::NONE).unwrap_err(),
        state.begin().unwrap().read_all(page).unwrap_err(),
        state.begin().unwrap().create_private_page(8, Location::Cpu).unwrap_err(),
        state.create_private_page(8, Location::Cpu, Note::NONE).unwrap_err(),
        executor.submit_deltas(vec![delta.clone()]).unwrap().wait().remove(0).unwrap_err(),
    ];
    for (at, error) in refused.iter().enumerate() {
        assert_eq!(error.kind(), ErrorKind::Sealed, "{at}: {error:?}");
        assert!(error.message().contains("page"), "{at}: {error:?}");
    }
    assert_eq!(buf, [7; 4]);
    assert_eq!(state.digest().unwrap(), digest, "nothing changed");
    assert_eq!(state.read_all(open).unwrap(), b"in plain");

    // All that needs no look inside works.
    assert_eq!(state.meta(page, b"owner").unwrap(), b"me");
    assert_eq!((state.page_size(page).unwrap(), state.is_private(page).unwrap()), (200, true));
    state.set_meta(page, b"owner", b"you", Note::NONE).unwrap();
    state.checkpoint(Some("sealed")).unwrap();
    state.verify().unwrap();
    let (mark, digest) = (state.soft_checkpoint().unwrap(), state.digest().unwrap());
    state.free_page(page, Note::NONE).unwrap();
    state.revert(&mark, Note::NONE).unwrap();
    drop((executor, mark));
    state.close().unwrap();
    let state = State::open(Config::durable(dir.path())).unwrap();
    assert_ne!(state.digest().unwrap(), digest, "its epoch has grown");
    state.unlock(&KEY).unwrap();
    assert_eq!(state.read_all(page).unwrap()[111..137], *SECRET);
}

#[test]
fn wrong_keys_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (page, ..) = sealed_on_disk(dir.path());
    let state = State::open(Config::durable(dir.path())).unwrap();
    for len in [0, 16, 31, 33] {
        let error = state.unlock(&vec![1; len]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LengthMismatch);
        assert!(error.message().contains(&format!("{len} bytes")), "{error:?}");
        assert!(!state.is_unlocked());
    }
    state.unlock(&[1; 32]).unwrap();
    state.unlock(&[1; 32]).unwrap();
    assert_eq!(state.unlock(&KEY).unwrap_err().kind(), ErrorKind::WrongKey);
    let digest = state.digest().unwrap();
    for error in [
        state.read_all(page).unwrap_err(),
        state.write(page, 0, b"x", Note::NONE).unwrap_err(),
        state.update(page, &[0; 200], Note::NONE).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::WrongKey, "{error:?}");
        assert!(error.message().contains("fingerprint"), "{error:?}");
    }
    assert_eq!(state.digest().unwrap(), digest);
    // It goes with the state.
    drop(state);
    assert!(!memory().is_unlocked());
}

#[test]
fn what_would_show_it_is_refused() {
    let state = unlocked();
    let (page, open) = (private(&state, 8), state.create_page(8, Note::NONE).unwrap());
    let error = state.view(page).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("private"), "{error:?}");
    for (parent, child) in [(page, open), (open, page)] {
        let error = state.derive(child, &[parent], "u8: p0", Note::NONE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error:?}");
        assert!(error.message().contains("private"), "{error:?}");
    }
    // An edge that says nothing of content is fine.
    state.add_edge(page, open, EdgeKind::Control, Note::NONE).unwrap();
    state.update(page, b"12345678", Note::NONE).unwrap();
    assert_eq!(state.read_all(open).unwrap(), [0; 8]);
    replay_agrees(&state);
}

#[test]
fn its_owners_are_its_owners() {
    let state = unlocked();
    let (frozen, owned) = (private(&state, 8), private(&state, 8));
    state.update(frozen, b"for ever", Note::NONE).unwrap();
    state.set_ownership(frozen, Ownership::Immutable, Note::NONE).unwrap();
    state.set_ownership(owned, Ownership::Owned(3), Note::NONE).unwrap();
    let kind = |page| state.write(page, 0, b"x", Note::NONE).unwrap_err().kind();
    assert_eq!((kind(frozen), kind(owned)), (ErrorKind::Immutable, ErrorKind::NotOwner));
    assert_eq!(state.read_all(frozen).unwrap(), b"for ever");
    let mut partition = state.partition(3).unwrap();
    partition.transact(Note::NONE, Retry::default(), |t| t.write(owned, 0, b"x")).unwrap();
    assert_eq!(state.read_all(owned).unwrap()[0], b'x');
    replay_agrees(&state);
}

#[test]
fn sizes_are_told_as_they_are_seen() {
    let state = unlocked();
    let max = mmsb::config::limits::PAGE_BYTES_MAX - 48;
    for size in [0, max + 1, u64::MAX] {
        let error = state.create_private_page(size, Location::Cpu, Note::NONE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SizeOutOfRange);
        assert!(error.message().contains(&max.to_string()), "{error:?}");
    }
    let page = private(&state, 8);
    let (mut nine, mut one) = ([0; 9], [0; 1]);
    for (error, kind) in [
        (state.read(page, 0, &mut nine).unwrap_err(), ErrorKind::RangeOutOfBounds),
        (state.read(page, 8, &mut one).unwrap_err(), ErrorKind::RangeOutOfBounds),
        (state.read(page, u64::MAX, &mut one).unwrap_err(), ErrorKind::RangeOutOfBounds),
        (state.write(page, 8, b"x", Note::NONE).unwrap_err(), ErrorKind::RangeOutOfBounds),
        (state.update(page, &[1; 56], Note::NONE).unwrap_err(), ErrorKind::LengthMismatch),
        (state.begin().unwrap().read(page, 3, &mut nine).unwrap_err(), ErrorKind::RangeOutOfBounds),
        (
            state.snapshot().unwrap().read(page, 0, &mut nine).unwrap_err(),
            ErrorKind::RangeOutOfBounds,
        ),
    ] {
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.message().contains("8 bytes"), "{error:?}");
    }
    let mut batch = Batch::new(&state);
    batch.write(page, 4, b"12345").unwrap();
    assert_eq!(batch.commit(Note::NONE).unwrap_err().kind(), ErrorKind::RangeOutOfBounds);
    assert_eq!(state.epoch(page).unwrap(), 1);
}

#[test]
fn transactions_meet_over_it() {
    let state = unlocked();
    let page = private(&state, 8);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..250 {
                    state
                        .transact(Note::NONE, Retry { tries: u32::MAX, ..Retry::default() }, |t| {
                            let n = t.read_u64(page, 0)?;
                            t.write(page, 0, &(n + 1).to_le_bytes())
                        })
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(state.read_all(page).unwrap(), 1000u64.to_le_bytes());
    replay_agrees(&state);
}
