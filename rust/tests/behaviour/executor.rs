//! The executor: in order within a partition, at the same time otherwise, an answer to everything.

use crate::memory;
use mmsb::{
    Delta, ErrorKind, Executor, ExecutorConfig, Note, Ownership, PageId, Place, Program, Relation,
    State,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn executor(state: &State, workers: usize) -> Executor {
    state.executor(ExecutorConfig { workers, ..ExecutorConfig::default() }).unwrap()
}

/// A page of 8 bytes for each partition.
fn owned(state: &State, partitions: u16) -> Vec<PageId> {
    let page = |partition| {
        let page = state.create_page(8, Note::NONE).unwrap();
        state.set_ownership(page, Ownership::Owned(partition), Note::NONE).unwrap();
        page
    };
    (0..partitions).map(page).collect()
}

fn value(state: &State, page: PageId) -> u64 {
    u64::from_le_bytes(state.read_all(page).unwrap().try_into().unwrap())
}

fn place(page: PageId) -> Place {
    Place { page, offset: 0 }
}

/// Keeps a worker busy until the sender is dropped.
fn block(executor: &Executor, partition: usize) -> mpsc::Sender<()> {
    let (release, blocked) = mpsc::channel::<()>();
    let (busy, is_busy) = mpsc::channel();
    executor
        .submit(partition, "blocks", move |_| {
            let _ = busy.send(());
            let _ = blocked.recv();
            Ok(())
        })
        .unwrap();
    is_busy.recv().unwrap();
    release
}

#[test]
fn a_partitions_work_runs_in_the_order_of_submission() {
    let state = memory();
    let pages = owned(&state, 3);
    let executor = executor(&state, 3);
    let mut tickets = Vec::new();
    for n in 0..300u64 {
        let (page, at) = (pages[n as usize % 3], n / 3);
        let ticket = executor.submit(n as usize % 3, "counts", move |transaction| {
            let before = transaction.read_u64(page, 0)?;
            assert_eq!(before, at, "in order");
            transaction.write(page, 0, &(before + 1).to_le_bytes())?;
            Ok(before)
        });
        tickets.push(ticket.unwrap());
    }
    for (n, ticket) in tickets.into_iter().enumerate() {
        let (before, lsn) = ticket.wait().unwrap();
        assert_eq!((before, lsn.is_some()), (n as u64 / 3, true));
    }
    assert_eq!(pages.iter().map(|&page| value(&state, page)).sum::<u64>(), 300);
    assert_eq!(state.stats().unwrap().transactions.owned, 300);
}

#[test]
fn transactions_across_partitions_are_one_group_at_one_place_of_the_order() {
    let state = memory();
    let pages = owned(&state, 4);
    let executor = executor(&state, 4);
    let mut tickets = Vec::new();
    for round in 0..50usize {
        for (partition, &page) in pages.iter().enumerate() {
            let add = move |t: &mut mmsb::Transaction<'_>| {
                let n = t.read_u64(page, 0)?;
                t.write(page, 0, &(n + 1).to_le_bytes())
            };
            tickets.push(executor.submit(partition, "adds", add).unwrap());
        }
        let (from, to) = (round % 4, (round + 1 + round / 4 % 3) % 4);
        let pages = (pages[from], pages[to]);
        let moves = move |t: &mut mmsb::Transaction<'_>| {
            let (a, b) = (t.read_u64(pages.0, 0)?, t.read_u64(pages.1, 0)?);
            assert!(a > 0, "what was submitted before is there");
            t.write(pages.0, 0, &(a - 1).to_le_bytes())?;
            t.write(pages.1, 0, &(b + 1).to_le_bytes())
        };
        tickets.push(executor.submit_across(&[to, from], "moves", moves).unwrap());
    }
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    assert_eq!(pages.iter().map(|&page| value(&state, page)).sum::<u64>(), 200);
    let replayed = state.replay_to(state.snapshot().unwrap().lsn()).unwrap();
    assert_eq!(replayed.digest().unwrap(), state.digest().unwrap());
}

#[test]
fn programs_go_where_their_pages_are_and_answer_one_by_one() {
    let state = memory();
    let pages = owned(&state, 2);
    let shared = state.create_page(8, Note::NONE).unwrap();
    let executor = executor(&state, 2);
    let mut programs = Vec::new();
    let mut program = |build: &dyn Fn(&mut Program)| {
        let mut program = Program::new();
        build(&mut program);
        programs.push(program);
    };
    program(&|p| _ = p.add(place(pages[0]), 10));
    program(&|p| _ = p.transfer(place(pages[0]), place(pages[1]), 4));
    program(&|p| _ = p.transfer(place(pages[0]), place(pages[1]), 7));
    program(&|p| _ = p.add(place(shared), 1));
    program(&|p| _ = p.require(place(pages[1]), Relation::Equal, 4).add(place(pages[1]), 1));
    program(&|p| _ = p.add(place(PageId(99)), 1));
    program(&|p| _ = p.add(place(shared), 0));
    let results = executor.submit_programs(programs, "programs").unwrap().wait();
    let kinds: Vec<_> =
        results.iter().map(|result| result.as_ref().err().map(|error| error.kind())).collect();
    let failed = Some(ErrorKind::ConditionFailed);
    assert_eq!(kinds, [None, None, failed, None, None, Some(ErrorKind::PageNotFound), None]);
    assert_eq!(results[6].as_ref().unwrap(), &None, "nothing changed");
    assert_eq!(
        (value(&state, pages[0]), value(&state, pages[1]), value(&state, shared)),
        (6, 5, 1)
    );
}

/// A few deltas are applied by who submits them, but never before what was submitted earlier.
#[test]
fn few_deltas_are_applied_at_once_unless_something_comes_before_them() {
    let state = memory();
    let page = state.create_page(8, Note::NONE).unwrap();
    let executor = executor(&state, 2);
    let deltas = |n: u8| vec![Delta::dense(page, [n; 8]).unwrap()];
    let (release, wait) = mpsc::channel::<()>();
    let first = executor
        .submit(page.0 as usize % 2, "first", move |transaction| {
            wait.recv().unwrap();
            transaction.write(page, 0, &[1; 8])
        })
        .unwrap();
    let second = executor.submit_deltas(deltas(2)).unwrap();
    assert!(!second.is_ready());
    release.send(()).unwrap();
    let (_, lsn) = first.wait().unwrap();
    let [Ok(Some(later))] = second.wait()[..] else { panic!("a change") };
    assert!(Some(later) > lsn);
    // The worker has answered some time before it has nothing to do.
    let mut at_once = (0..100).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        (3..53).all(|n| executor.submit_deltas(deltas(n)).unwrap().is_ready())
    });
    assert!(at_once.any(|all| all));
    state.set_ownership(page, Ownership::Immutable, Note::NONE).unwrap();
    let refused = executor.submit_deltas(deltas(0)).unwrap().wait();
    assert_eq!(refused[0].as_ref().unwrap_err().kind(), ErrorKind::Immutable);
}

#[test]
fn deltas_of_a_page_keep_their_order_and_pages_go_side_by_side() {
    let state = memory();
    let pages: Vec<PageId> = (0..64).map(|_| state.create_page(64, Note::NONE).unwrap()).collect();
    let executor = executor(&state, 4);
    let delta =
        |n: usize| Delta::from_runs(pages[n % 64], &[(n / 64, &[n as u8 | 1][..])]).unwrap();
    let mut deltas: Vec<Delta> = (0..64 * 8).map(delta).collect();
    deltas.extend(pages.iter().map(|&page| Delta::dense(page, [7; 64]).unwrap()));
    deltas.push(Delta::from_runs(pages[0], &[(64, b"beyond")]).unwrap());
    let results = executor.submit_deltas(deltas).unwrap().wait();
    assert_eq!(results.len(), 64 * 9 + 1);
    assert!(results[..64 * 9].iter().all(|result| matches!(result, Ok(Some(_)))));
    assert_eq!(results[64 * 9].as_ref().unwrap_err().kind(), ErrorKind::RangeOutOfBounds);
    for &page in &pages {
        assert_eq!((state.read_all(page).unwrap(), state.epoch(page).unwrap()), (vec![7; 64], 9));
    }
}

/// Deltas wait for the workers that have one of them, and for no other.
#[test]
fn deltas_do_not_wait_for_a_worker_whom_they_do_not_concern() {
    let state = memory();
    let pages: Vec<PageId> = (0..8).map(|_| state.create_page(1024, Note::NONE).unwrap()).collect();
    for owned in [false, true] {
        let executor = executor(&state, 2);
        let (busy, own) = (pages[0].0 as usize % 2, pages[1]);
        let release = block(&executor, busy);
        let delta = |n: usize| Delta::dense(own, [n as u8; 1024]).unwrap();
        let results = executor.submit_deltas((1..1_000).map(delta).collect()).unwrap().wait();
        assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))), "{owned}");
        drop((release, executor));
        if !owned {
            let ownership = Ownership::Owned((own.0 % 2) as u16);
            state.set_ownership(own, ownership, Note::NONE).unwrap();
        }
    }
}

#[test]
fn dropping_it_does_all_that_waits_and_stopping_it_says_what_was_left() {
    let state = memory();
    let pages = owned(&state, 2);
    let ran = Arc::new(AtomicU64::new(0));
    for stop in [false, true] {
        ran.store(0, Ordering::Relaxed);
        let executor = executor(&state, 2);
        let release = block(&executor, 0);
        let submit = |partition| {
            let (ran, page) = (ran.clone(), pages[partition]);
            let body = move |t: &mut mmsb::Transaction<'_>| {
                ran.fetch_add(1, Ordering::Relaxed);
                t.write(page, 0, &[1])
            };
            executor.submit(partition, "waits", body).unwrap()
        };
        let mut tickets: Vec<_> = (0..20).map(|_| submit(0)).collect();
        let across = executor.submit_across(&[0, 1], "across", |_| Ok(()));
        tickets.push(across.unwrap());
        assert!(executor.waiting(0).unwrap() >= 21);
        if stop {
            let stopping = std::thread::spawn(move || executor.stop());
            std::thread::sleep(Duration::from_millis(20));
            drop(release);
            assert_eq!(stopping.join().unwrap(), 21);
            for ticket in tickets {
                assert_eq!(ticket.wait().unwrap_err().kind(), ErrorKind::Cancelled);
            }
            assert_eq!(ran.load(Ordering::Relaxed), 0);
        } else {
            drop(release);
            drop(executor);
            assert_eq!(ran.load(Ordering::Relaxed), 20);
            for ticket in tickets {
                ticket.wait().unwrap();
            }
        }
        assert!(state.partition(0).is_ok(), "partitions are given back");
    }
}

/// Also of what was submitted together, and of what workers were at.
#[test]
fn stopping_counts_what_was_not_begun_piece_by_piece() {
    let state = memory();
    let pages = owned(&state, 2);
    for wait in [0, 1, 3] {
        let executor = executor(&state, 2);
        let add = |n: usize| {
            let mut program = Program::new();
            program.add(place(pages[n % 2]), 1);
            program
        };
        let before = value(&state, pages[0]) + value(&state, pages[1]);
        let submit =
            |count| executor.submit_programs((0..count).map(add).collect(), "adds").unwrap();
        let tickets = [submit(30_000), submit(10)];
        std::thread::sleep(Duration::from_millis(wait));
        let left = executor.stop();
        let results = tickets.into_iter().flat_map(|tickets| tickets.wait());
        let (done, not): (Vec<_>, Vec<_>) = results.partition(Result::is_ok);
        assert!(not.iter().all(|not| not.as_ref().unwrap_err().kind() == ErrorKind::Cancelled));
        assert_eq!((not.len(), done.len() + not.len()), (left, 30_010));
        let after = value(&state, pages[0]) + value(&state, pages[1]);
        assert_eq!(after - before, done.len() as u64);
    }
    let executor = executor(&state, 2);
    let shared = state.create_page(8, Note::NONE).unwrap();
    let release = block(&executor, shared.0 as usize % 2);
    let deltas = (0..7u8).map(|n| Delta::dense(shared, [n + 1; 8]).unwrap()).collect();
    let tickets = executor.submit_deltas(deltas).unwrap();
    let stopping = std::thread::spawn(move || executor.stop());
    std::thread::sleep(Duration::from_millis(20));
    drop(release);
    assert_eq!(stopping.join().unwrap(), 7);
    let cancelled = |result: &mmsb::Result<_>| {
        result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Cancelled)
    };
    assert!(tickets.wait().iter().all(cancelled));
}

#[test]
fn what_cannot_be_is_said() {
    let state = memory();
    let kind = |config| state.executor(config).unwrap_err();
    let error = kind(ExecutorConfig { workers: 0, ..ExecutorConfig::default() });
    assert_eq!(error.kind(), ErrorKind::SizeOutOfRange);
    let error = kind(ExecutorConfig { workers: 65, ..ExecutorConfig::default() });
    assert!(error.message().contains("65 workers; an executor has 1 to 64"), "{error}");
    let error = kind(ExecutorConfig { queue_max: 0, ..ExecutorConfig::default() });
    assert_eq!(error.kind(), ErrorKind::SizeOutOfRange);
    let held = state.partition(1).unwrap();
    let error = kind(ExecutorConfig { workers: 2, ..ExecutorConfig::default() });
    assert_eq!(error.kind(), ErrorKind::PartitionInUse);
    drop(held);
    let executor = executor(&state, 2);
    let nothing = |_: &mut mmsb::Transaction<'_>| Ok(());
    assert_eq!(executor.submit(2, "", nothing).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let error = executor.submit_across(&[], "", nothing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let error = executor.submit_across(&[0, 7], "", nothing).unwrap_err();
    assert!(error.message().contains("partition 7; the executor has 2"), "{error}");
    let pages = owned(&state, 2);
    let writes = move |t: &mut mmsb::Transaction<'_>| t.write(pages[1], 0, &[1]);
    let error = executor.submit(0, "", writes).unwrap().wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotOwner);
    let long = "x".repeat(300);
    let error = executor.submit(0, long, nothing).unwrap().wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLong);
}

#[test]
fn work_that_panics_leaves_nothing_and_the_worker_goes_on() {
    let state = memory();
    let pages = owned(&state, 1);
    let executor = executor(&state, 1);
    let page = pages[0];
    let panics = move |t: &mut mmsb::Transaction<'_>| -> mmsb::Result<()> {
        t.write(page, 0, &[9])?;
        panic!("on purpose")
    };
    let ticket = executor.submit(0, "panics", panics).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ticket.wait()));
    assert!(caught.is_err());
    let after = executor.submit(0, "goes on", move |t| t.read_u64(page, 0)).unwrap();
    assert_eq!(after.wait().unwrap().0, 0);
    state.close().unwrap();
    let late = executor.submit(0, "late", move |t| t.write(page, 0, &[1])).unwrap();
    assert_eq!(late.wait().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn who_submits_more_than_there_is_room_for_waits() {
    let state = memory();
    let executor =
        state.executor(ExecutorConfig { workers: 1, queue_max: 2, ..Default::default() }).unwrap();
    let release = block(&executor, 0);
    let tickets = std::thread::scope(|scope| {
        let submitting = scope.spawn(|| {
            let submit = |n: u64| executor.submit(0, "", move |_| Ok(n)).unwrap();
            (0..5).map(submit).collect::<Vec<_>>()
        });
        std::thread::sleep(Duration::from_millis(20));
        assert!(!submitting.is_finished());
        drop(release);
        submitting.join().unwrap()
    });
    let results: Vec<u64> = tickets.into_iter().map(|ticket| ticket.wait().unwrap().0).collect();
    assert_eq!(results, [0, 1, 2, 3, 4]);
}
