//! Transactions: all or nothing, of one moment, and what they meet is said.

use crate::{memory, ramp};
use mmsb::{
    Batch, Config, Delta, ErrorKind, Location, Note, Ownership, PageId, Retry, State, Transaction,
};
use std::sync::atomic::{AtomicUsize, Ordering};

const NOTE: Note<'static> = Note { source: "transactions", intent: None };

fn page(state: &State, value: u64) -> PageId {
    let page = state.create_page(8, NOTE).unwrap();
    state.update(page, &value.to_le_bytes(), NOTE).unwrap();
    page
}

fn put(transaction: &mut Transaction<'_>, page: PageId, value: u64) {
    transaction.write(page, 0, &value.to_le_bytes()).unwrap();
}

fn value(state: &State, page: PageId) -> u64 {
    u64::from_le_bytes(state.read_all(page).unwrap().try_into().unwrap())
}

fn kind<R: std::fmt::Debug>(result: mmsb::Result<R>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn replay_agrees(state: &State) {
    let replayed = state.replay_to(state.snapshot().unwrap().lsn()).unwrap();
    assert_eq!(replayed.digest().unwrap(), state.digest().unwrap());
}

#[test]
fn all_of_it_is_one_group_or_nothing_happened() {
    let state = memory();
    let (a, b) = (page(&state, 1), page(&state, 2));
    let before = (state.digest().unwrap(), state.stats().unwrap().records);
    let mut given_up = state.begin().unwrap();
    put(&mut given_up, a, 7);
    let created = given_up.create_page(100, Location::Cpu).unwrap();
    given_up.free_page(b).unwrap();
    given_up.abort();
    assert_eq!((state.digest().unwrap(), state.stats().unwrap().records), before);
    assert_eq!(kind(state.read_all(created)), ErrorKind::PageNotFound);

    let mut whole = state.begin().unwrap();
    put(&mut whole, a, 7);
    let created = whole.create_page(100, Location::Cpu).unwrap();
    whole.write(created, 90, b"new").unwrap();
    whole.set_meta(created, b"key", b"value").unwrap();
    whole.free_page(b).unwrap();
    let lsn = whole.commit(NOTE.because("all")).unwrap().unwrap();
    assert_eq!(state.stats().unwrap().records, before.1 + 1);
    assert_eq!((value(&state, a), state.page_lsn(a).unwrap()), (7, lsn));
    assert_eq!(state.page_lsn(created).unwrap(), lsn);
    assert_eq!(state.meta(created, b"key").unwrap(), b"value");
    assert_eq!(kind(state.read_all(b)), ErrorKind::PageFreed);
    replay_agrees(&state);
}

#[test]
fn it_reads_its_own_writes_on_top_of_the_page() {
    let state = memory();
    let page = ramp(&state, 16);
    let mut transaction = state.begin().unwrap();
    transaction.write(page, 2, b"abcdef").unwrap();
    transaction.write(page, 4, b"XY").unwrap();
    let mut part = [0; 8];
    transaction.read(page, 1, &mut part).unwrap();
    assert_eq!(&part, b"\x01abXYef\x08");
    transaction.apply(&Delta::from_runs(page, &[(0, b"-"), (15, b"-")]).unwrap()).unwrap();
    let all = transaction.read_all(page).unwrap();
    assert_eq!(&all, b"-\x01abXYef\x08\x09\x0a\x0b\x0c\x0d\x0e-");
    transaction.update(page, &[9; 16]).unwrap();
    assert_eq!(transaction.read_all(page).unwrap(), [9; 16]);
    let new = transaction.create_page(4, Location::Cpu).unwrap();
    transaction.write(new, 1, b"n").unwrap();
    assert_eq!(transaction.read_all(new).unwrap(), b"\0n\0\0");
    assert_eq!(
        (transaction.page_size(new).unwrap(), transaction.contains(new).unwrap()),
        (4, true)
    );
    transaction.set_meta(page, b"k", b"1").unwrap();
    assert_eq!(transaction.meta(page, b"k").unwrap(), b"1");
    transaction.remove_meta(page, b"k").unwrap();
    assert_eq!(kind(transaction.meta(page, b"k")), ErrorKind::KeyNotFound);
    transaction.free_page(new).unwrap();
    assert_eq!(kind(transaction.read_all(new)), ErrorKind::PageFreed);
    assert_eq!(kind(transaction.write(new, 0, b"x")), ErrorKind::PageFreed);
    assert_eq!(transaction.list_pages().unwrap(), [page]);
    assert_eq!(state.read_all(page).unwrap()[15], 15);
    transaction.commit(NOTE).unwrap();
    assert_eq!(state.read_all(page).unwrap(), [9; 16]);
    replay_agrees(&state);
}

#[test]
fn what_was_read_and_changed_by_another_is_a_conflict() {
    let state = memory();
    let (a, b) = (page(&state, 1), page(&state, 2));
    let mut late = state.begin().unwrap();
    let read = late.read_u64(a, 0).unwrap();
    put(&mut late, b, read + 10);
    state.write(a, 0, &[5], NOTE).unwrap();
    let error = late.commit(NOTE).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Conflict, true));
    assert!(error.message().contains("page 1"), "{error}");
    assert_eq!(value(&state, b), 2);

    // Blind writes meet nobody.
    let mut blind = state.begin().unwrap();
    put(&mut blind, a, 8);
    state.write(a, 0, &[6], NOTE).unwrap();
    assert!(blind.commit(NOTE).unwrap().is_some());
    assert_eq!(value(&state, a), 8);
}

/// Neither a read nor a decision ever rests on two moments.
#[test]
fn reads_are_of_one_moment_before_the_commit_too() {
    let state = memory();
    let (a, b) = (page(&state, 1), page(&state, 1));
    for read_only in [true, false] {
        let mut reader = state.begin_held(read_only).unwrap();
        assert_eq!(reader.read_u64(a, 0).unwrap(), value(&state, a));
        let mut both = Batch::new(&state);
        both.write(a, 0, &[9]).unwrap();
        both.write(b, 0, &[9]).unwrap();
        both.commit(NOTE).unwrap();
        assert_eq!(kind(reader.read_u64(b, 0)), ErrorKind::Conflict);
        assert!(reader.is_lost());
        assert_eq!(kind(reader.read_u64(a, 0)), ErrorKind::Conflict);
        assert_eq!(kind(reader.commit(NOTE)), ErrorKind::Conflict);
        state.write(a, 0, &[1], NOTE).unwrap();
        state.write(b, 0, &[1], NOTE).unwrap();
    }
}

#[test]
fn many_pages_are_read_at_one_moment() {
    let state = memory();
    let pages: Vec<PageId> = (0..200).map(|n| page(&state, n)).collect();
    let mut reader = state.begin_read().unwrap();
    let read: Vec<u64> = pages.iter().map(|&page| reader.read_u64(page, 0).unwrap()).collect();
    assert_eq!(read, (0..200).collect::<Vec<u64>>());
    state.write(pages[150], 0, &[1], NOTE).unwrap();
    let more = page(&state, 7);
    assert_eq!(kind(reader.read_u64(more, 0)), ErrorKind::Conflict);
}

#[test]
fn write_skew_is_refused() {
    let state = memory();
    let (a, b) = (page(&state, 1), page(&state, 1));
    let (mut first, mut second) = (state.begin().unwrap(), state.begin().unwrap());
    for transaction in [&mut first, &mut second] {
        let sum = transaction.read_u64(a, 0).unwrap() + transaction.read_u64(b, 0).unwrap();
        assert_eq!(sum, 2);
    }
    put(&mut first, a, 0);
    put(&mut second, b, 0);
    first.commit(NOTE).unwrap();
    assert_eq!(kind(second.commit(NOTE)), ErrorKind::Conflict);
    assert_eq!((value(&state, a), value(&state, b)), (0, 1));
}

#[test]
fn phantoms_are_refused() {
    let state = memory();
    let count = page(&state, 1);
    fn listing(state: &State) -> (Transaction<'_>, u64) {
        let mut transaction = state.begin().unwrap();
        let listed = transaction.list_pages().unwrap().len() as u64;
        (transaction, listed)
    }
    let (mut late, listed) = listing(&state);
    put(&mut late, count, listed + 100);
    let other = state.create_page(8, NOTE).unwrap();
    assert_eq!(kind(late.commit(NOTE)), ErrorKind::Conflict);

    let (mut late, listed) = listing(&state);
    put(&mut late, count, listed + 100);
    state.free_page(other, NOTE).unwrap();
    assert_eq!(kind(late.commit(NOTE)), ErrorKind::Conflict);

    // Two that list and create: one of them did not see the other's page.
    let (mut one, listed) = listing(&state);
    let (mut two, again) = listing(&state);
    assert_eq!((listed, again), (1, 1));
    one.create_page(8, Location::Cpu).unwrap();
    two.create_page(8, Location::Cpu).unwrap();
    assert!(one.commit(NOTE).unwrap().is_some());
    assert_eq!(kind(two.commit(NOTE)), ErrorKind::Conflict);

    // What is not there is read, too.
    let next = PageId(state.stats().unwrap().next_page_id);
    let mut late = state.begin().unwrap();
    assert!(!late.contains(next).unwrap());
    put(&mut late, count, 3);
    assert_eq!(state.create_page(8, NOTE).unwrap(), next);
    assert_eq!(kind(late.commit(NOTE)), ErrorKind::Conflict);
    replay_agrees(&state);
}

/// A transaction of a partition that was given back changed its pages while another held it.
#[test]
fn a_partition_is_held_as_long_as_a_transaction_of_it_goes_on() {
    let state = memory();
    let a = page(&state, 1);
    state.set_ownership(a, Ownership::Owned(3), NOTE).unwrap();
    let partition = state.partition(3).unwrap();
    let mut transaction = partition.begin_held().unwrap();
    put(&mut transaction, a, 2);
    drop(partition);
    assert_eq!(state.partition(3).unwrap_err().kind(), ErrorKind::PartitionInUse);
    transaction.commit(NOTE).unwrap();
    assert_eq!(value(&state, a), 2);
    state.partition(3).unwrap();
}

#[test]
fn savepoints_take_back_what_came_after_them() {
    let state = memory();
    let (a, b) = (page(&state, 1), page(&state, 2));
    let mut transaction = state.begin().unwrap();
    put(&mut transaction, a, 10);
    let first = transaction.savepoint();
    put(&mut transaction, a, 11);
    transaction.free_page(b).unwrap();
    let created = transaction.create_page(8, Location::Cpu).unwrap();
    let second = transaction.savepoint();
    transaction.rollback(first).unwrap();
    assert_eq!(transaction.read_u64(a, 0).unwrap(), 10);
    assert_eq!(transaction.read_u64(b, 0).unwrap(), 2);
    assert_eq!(kind(transaction.read_all(created)), ErrorKind::PageNotFound);
    // However much is written since; nor is another transaction's one.
    (20..25).for_each(|n| put(&mut transaction, a, n));
    assert_eq!(kind(transaction.rollback(second)), ErrorKind::InvalidArgument);
    assert_eq!(kind(state.begin().unwrap().rollback(first)), ErrorKind::InvalidArgument);
    assert_eq!(transaction.read_u64(a, 0).unwrap(), 24);
    transaction.rollback(first).unwrap();
    transaction.commit(NOTE).unwrap();
    assert_eq!((value(&state, a), value(&state, b)), (10, 2));
    assert_eq!(state.create_page(8, NOTE).unwrap(), created, "the id was given back");
}

#[test]
fn bodies_are_tried_again_and_told_when_it_is_enough() {
    let state = memory();
    let (a, b) = (page(&state, 1), page(&state, 1));
    let mut tries = 0;
    let (result, lsn) = state
        .transact(NOTE, Retry::default(), |transaction| {
            tries += 1;
            let read = transaction.read_u64(a, 0)?;
            if tries < 3 {
                state.write(a, 0, &[read as u8 + 1], NOTE)?;
            }
            transaction.write(b, 0, &[read as u8])?;
            Ok(read)
        })
        .unwrap();
    assert_eq!((tries, result, lsn.is_some(), value(&state, b)), (3, 3, true, 3));

    let error = state
        .transact(NOTE, Retry::times(4), |transaction| {
            let read = transaction.read_u64(a, 0)?;
            state.write(a, 0, &[read as u8 + 1], NOTE)?;
            transaction.write(b, 0, &[0])
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RetriesExhausted);
    assert!(error.message().contains("4 tries"), "{error}");
    assert_eq!(value(&state, b), 3);

    // An error that comes of what holds no longer is no error of the body's.
    let mut tries = 0;
    let done = state.transact(NOTE, Retry::default(), |transaction| -> mmsb::Result<()> {
        tries += 1;
        transaction.read_u64(a, 0)?;
        if tries == 1 {
            state.write(a, 0, &[0], NOTE)?;
        }
        match tries {
            1 => Err(mmsb::Error::new(ErrorKind::Internal, "divided by nothing")),
            _ => Err(mmsb::Error::new(ErrorKind::Cancelled, "meant")),
        }
    });
    assert_eq!((kind(done), tries), (ErrorKind::Cancelled, 2));
}

#[test]
fn what_became_of_transactions_is_counted() {
    let state = memory();
    let (mine, shared) = (page(&state, 1), page(&state, 2));
    state.set_ownership(mine, Ownership::Owned(0), NOTE).unwrap();
    let before = state.stats().unwrap().transactions;
    let mut partition = state.partition(0).unwrap();
    for n in 0..100 {
        partition.transact(NOTE, Retry::default(), |t| t.write(mine, 0, &[n])).unwrap();
    }
    partition
        .transact(NOTE, Retry::default(), |t| {
            t.read_u64(shared, 0)?;
            t.write(mine, 0, &[200])
        })
        .unwrap();
    let _ = state.transact(NOTE, Retry::times(3), |t| {
        let n = t.read_u64(shared, 0)?;
        state.write(shared, 0, &[n as u8 + 1], NOTE)?;
        t.write(shared, 0, &[0])
    });
    let after = state.stats().unwrap();
    let counts = after.transactions;
    assert_eq!((counts.owned, counts.shared - before.shared), (100, 1));
    assert_eq!((counts.conflicts, counts.exhausted), (3, 1));
    assert!(counts.time.count >= 1 && counts.time.max_ns > 0, "{:?}", counts.time);
    let text = after.to_prometheus(&[("state", "a \"b\"")]);
    assert!(text.contains("mmsb_transactions_owned{state=\"a \\\"b\\\"\"} 100\n"), "{text}");
    assert!(text.contains("mmsb_transaction_seconds{state=\"a \\\"b\\\"\",quantile=\"0.5\"}"));
    for line in [
        "# TYPE mmsb_transactions_owned counter",
        "# TYPE mmsb_pages gauge",
        "# TYPE mmsb_memory_in_use gauge",
        "# TYPE mmsb_transaction_seconds summary",
        "# TYPE mmsb_transaction_seconds_max gauge",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} in {text}");
    }
    assert!(after.to_json().contains("\"transactions_shared\""));
}

#[test]
fn what_it_cannot_do_is_said_and_changes_nothing() {
    let state = memory();
    let (a, freed) = (page(&state, 1), page(&state, 2));
    state.free_page(freed, NOTE).unwrap();
    let digest = state.digest().unwrap();
    let mut transaction = state.begin().unwrap();
    assert_eq!(kind(transaction.read(a, 5, &mut [0; 4])), ErrorKind::RangeOutOfBounds);
    assert_eq!(kind(transaction.write(a, 5, &[0; 4])), ErrorKind::RangeOutOfBounds);
    assert_eq!(kind(transaction.write(a, u64::MAX, &[0])), ErrorKind::RangeOutOfBounds);
    assert_eq!(kind(transaction.update(a, &[0; 4])), ErrorKind::LengthMismatch);
    assert_eq!(kind(transaction.write(freed, 0, &[0])), ErrorKind::PageFreed);
    assert_eq!(kind(transaction.read_all(PageId(99))), ErrorKind::PageNotFound);
    assert_eq!(kind(transaction.write(PageId(0), 0, &[0])), ErrorKind::PageNotFound);
    assert_eq!(kind(transaction.create_page(0, Location::Cpu)), ErrorKind::SizeOutOfRange);
    assert_eq!(kind(transaction.set_meta(a, b"", b"")), ErrorKind::InvalidArgument);
    assert_eq!(kind(transaction.remove_meta(a, b"none")), ErrorKind::KeyNotFound);
    assert_eq!(transaction.commit(NOTE).unwrap(), None);
    let mut reader = state.begin_read().unwrap();
    assert_eq!(kind(reader.write(a, 0, &[1])), ErrorKind::ReadOnly);
    assert_eq!(kind(reader.create_page(8, Location::Cpu)), ErrorKind::ReadOnly);
    assert_eq!(state.digest().unwrap(), digest);

    // A page that goes before the commit.
    let mut late = state.begin().unwrap();
    put(&mut late, a, 3);
    state.free_page(a, NOTE).unwrap();
    assert_eq!(kind(late.commit(NOTE)), ErrorKind::PageFreed);
}

#[test]
fn parents_are_not_freed_under_their_children() {
    let state = memory();
    let (parent, child) = (page(&state, 1), page(&state, 2));
    state.add_edge(parent, child, Default::default(), NOTE).unwrap();
    let mut transaction = state.begin().unwrap();
    transaction.free_page(parent).unwrap();
    assert_eq!(kind(transaction.commit(NOTE)), ErrorKind::HasChildren);
    let mut transaction = state.begin().unwrap();
    transaction.free_page(parent).unwrap();
    transaction.free_page(child).unwrap();
    transaction.commit(NOTE).unwrap();
    assert_eq!((state.page_count(), state.edge_count().unwrap()), (0, 0));
}

#[test]
fn going_back_undoes_it_and_conflicts_with_it() {
    let state = memory();
    let (a, b) = (page(&state, 1), page(&state, 2));
    let mark = state.soft_checkpoint().unwrap();
    state.write(a, 0, &[9], NOTE).unwrap();
    let mut late = state.begin().unwrap();
    assert_eq!(late.read_u64(a, 0).unwrap(), 9);
    put(&mut late, b, 9);
    state.revert(&mark, NOTE).unwrap();
    assert_eq!(kind(late.commit(NOTE)), ErrorKind::Conflict);
    assert_eq!((value(&state, a), value(&state, b)), (1, 2));
}

#[test]
fn after_the_close_nothing_happens() {
    let state = memory();
    let a = page(&state, 1);
    let mut transaction = state.begin_held(false).unwrap();
    put(&mut transaction, a, 2);
    state.close().unwrap();
    assert_eq!(kind(transaction.commit(NOTE)), ErrorKind::Closed);
}

#[test]
fn owned_pages_are_changed_by_their_partition_alone() {
    let state = memory();
    let (mine, shared) = (page(&state, 1), page(&state, 2));
    let lsn = state.set_ownership(mine, Ownership::Owned(7), NOTE).unwrap().unwrap();
    assert_eq!(state.set_ownership(shared, Ownership::Shared, NOTE).unwrap(), None);
    assert_eq!(state.page_lsn(mine).unwrap(), lsn);
    let digest = state.digest().unwrap();

    let message = state.write(mine, 0, &[5], NOTE).unwrap_err();
    assert_eq!(message.kind(), ErrorKind::NotOwner);
    assert!(message.message().contains("page 1 belongs to partition 7"), "{message}");
    assert_eq!(kind(state.update(mine, &[0; 8], NOTE)), ErrorKind::NotOwner);
    assert_eq!(kind(state.write_masked(mine, &[1; 8], &[5; 8], NOTE)), ErrorKind::NotOwner);
    let delta = Delta::from_runs(mine, &[(0, b"x")]).unwrap();
    assert_eq!(kind(state.apply(&delta)), ErrorKind::NotOwner);
    assert_eq!(kind(state.set_meta(mine, b"k", b"v", NOTE)), ErrorKind::NotOwner);
    assert_eq!(kind(state.free_page(mine, NOTE)), ErrorKind::NotOwner);
    assert_eq!(kind(state.free_cascade(mine, NOTE)), ErrorKind::NotOwner);
    assert_eq!(kind(state.set_ownership(mine, Ownership::Shared, NOTE)), ErrorKind::NotOwner);
    let mut batch = Batch::new(&state);
    batch.write(shared, 0, &[9]).unwrap();
    batch.write(mine, 0, &[9]).unwrap();
    assert_eq!(kind(batch.commit(NOTE)), ErrorKind::NotOwner);
    let mut transaction = state.begin().unwrap();
    assert_eq!(kind(transaction.write(mine, 0, &[9])), ErrorKind::NotOwner);
    let mut other = state.partition(8).unwrap();
    let message = other.begin().unwrap().write(mine, 0, &[9]).unwrap_err();
    assert!(message.message().contains("not to partition 8"), "{message}");
    assert_eq!(state.digest().unwrap(), digest);

    let mut partition = state.partition(7).unwrap();
    assert_eq!(kind(state.partition(7)), ErrorKind::PartitionInUse);
    partition
        .transact(NOTE, Retry::default(), |transaction| {
            let n = transaction.read_u64(mine, 0)?;
            transaction.write(mine, 0, &[n as u8 + 1])?;
            transaction.write(shared, 0, &[n as u8 + 1])
        })
        .unwrap();
    assert_eq!((value(&state, mine), value(&state, shared)), (2, 2));
    let mut gives_away = partition.begin().unwrap();
    gives_away.set_ownership(mine, Ownership::Owned(8)).unwrap();
    gives_away.set_ownership(shared, Ownership::Immutable).unwrap();
    gives_away.commit(NOTE).unwrap();
    let refused = partition.begin().unwrap().write(mine, 0, &[3]);
    assert_eq!(kind(refused), ErrorKind::NotOwner);
    drop(partition);
    assert!(state.partition(7).is_ok());
    other.transact(NOTE, Retry::default(), |t| t.write(mine, 0, &[4])).unwrap();
    for ownership in [Ownership::Shared, Ownership::Owned(8)] {
        assert_eq!(kind(state.set_ownership(shared, ownership, NOTE)), ErrorKind::Immutable);
    }
    assert_eq!(kind(state.write(shared, 0, &[1], NOTE)), ErrorKind::Immutable);
    replay_agrees(&state);
}

#[test]
fn ownership_is_part_of_the_past_and_comes_back() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("state");
    let state = State::open(Config::durable(&path)).unwrap();
    let (a, b) = (page(&state, 1), page(&state, 2));
    let before = state.snapshot().unwrap();
    state.set_ownership(a, Ownership::Owned(65_535), NOTE).unwrap();
    state.checkpoint(Some("one")).unwrap();
    state.set_ownership(b, Ownership::Immutable, NOTE).unwrap();
    let changes = before.compare(&state.snapshot().unwrap()).unwrap();
    assert_eq!(changes.len(), 2);
    let lsn = state.page_lsn(b).unwrap();
    assert_eq!(state.page_at(b, lsn).unwrap().ownership, Ownership::Immutable);
    let old = state.page_at(a, before.lsn()).unwrap();
    assert_eq!(old.ownership, Ownership::Shared);
    drop(before);
    let digest = state.digest().unwrap();
    state.close().unwrap();
    for _ in 0..2 {
        let state = State::open(Config::durable(&path)).unwrap();
        assert_eq!(state.digest().unwrap(), digest);
        assert_eq!(state.ownership(a).unwrap(), Ownership::Owned(65_535));
        assert_eq!(state.ownership(b).unwrap(), Ownership::Immutable);
        assert_eq!(kind(state.write(b, 0, &[3], NOTE)), ErrorKind::Immutable);
        state.close().unwrap();
    }
    let state = memory();
    let a = page(&state, 1);
    let mark = state.soft_checkpoint().unwrap();
    let mut partition = state.partition(1).unwrap();
    state.set_ownership(a, Ownership::Owned(1), NOTE).unwrap();
    partition.transact(NOTE, Retry::default(), |t| t.write(a, 0, &[3])).unwrap();
    state.revert(&mark, NOTE).unwrap();
    assert_eq!((state.ownership(a).unwrap(), value(&state, a)), (Ownership::Shared, 1));
    replay_agrees(&state);
}

/// Whether the id was asked for before, or given out and taken back.
#[test]
fn a_page_is_created_under_an_id_that_the_transaction_knows_already() {
    let state = memory();
    let next = PageId(state.stats().unwrap().next_page_id);
    let mut transaction = state.begin().unwrap();
    let start = transaction.savepoint();
    assert!(!transaction.contains(next).unwrap());
    assert_eq!(kind(transaction.write(next, 0, &[1])), ErrorKind::PageNotFound);
    let create = |transaction: &mut mmsb::Transaction<'_>| {
        let id = transaction.create_page(8, Location::Cpu).unwrap();
        transaction.write(id, 0, &[9]).unwrap();
        assert_eq!((id, transaction.read_u64(id, 0).unwrap()), (next, 9));
        assert_eq!(transaction.list_pages().unwrap(), [next]);
    };
    create(&mut transaction);
    transaction.rollback(start).unwrap();
    assert!(!transaction.contains(next).unwrap());
    create(&mut transaction);
    transaction.commit(NOTE).unwrap();
    assert_eq!(value(&state, next), 9);
    replay_agrees(&state);
}

#[test]
fn ids_of_pages_that_are_not_created_are_given_out_again() {
    let state = memory();
    let next = state.stats().unwrap().next_page_id;
    let mut transaction = state.begin().unwrap();
    // Asked for in another order than that in which they are created.
    for ahead in [1, 0, 2] {
        assert!(!transaction.contains(PageId(next + ahead)).unwrap());
    }
    for ahead in 0..3 {
        let id = transaction.create_page(8, Location::Cpu).unwrap();
        assert_eq!(id, PageId(next + ahead));
    }
    transaction.abort();
    assert_eq!(state.stats().unwrap().next_page_id, next);
}

#[test]
fn that_a_page_is_gone_is_of_the_moment_of_all_that_was_read() {
    let state = memory();
    let (kept, gone) = (page(&state, 1), page(&state, 2));
    let mut reader = state.begin_read().unwrap();
    assert_eq!(reader.read_u64(kept, 0).unwrap(), 1);
    state.update(kept, &3u64.to_le_bytes(), NOTE).unwrap();
    state.free_page(gone, NOTE).unwrap();
    assert_eq!(kind(reader.contains(gone)), ErrorKind::Conflict);
    let mut writer = state.begin().unwrap();
    assert_eq!(writer.read_u64(kept, 0).unwrap(), 3);
    assert!(!writer.contains(gone).unwrap());
    writer.check().unwrap();
}

/// Short reads take no lock: what they look at may go under them.
#[test]
fn pages_go_while_they_are_read() {
    let state = memory();
    let pages: Vec<PageId> = (1..=20_000).map(|value| page(&state, value)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(&page) = pages.get(next.load(Ordering::Relaxed)) {
                    let mut reader = state.begin_read().unwrap();
                    match reader.read_u64(page, 0) {
                        Ok(value) => assert_eq!(value, page.0),
                        Err(error) => assert!(error.kind() == ErrorKind::PageFreed, "{error}"),
                    }
                }
            });
        }
        for &page in &pages {
            next.store(page.0 as usize - 1, Ordering::Relaxed);
            (0..page.0 % 50).for_each(|_| std::hint::spin_loop());
            state.free_page(page, NOTE).unwrap();
        }
        next.store(pages.len(), Ordering::Relaxed);
    });
}
