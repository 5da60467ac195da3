//! Handing work over to workers, in many orders of turns: each ticket is answered once, whatever
//! becomes of the executor, and what one partition is given is done in order.
//!
//! The executor's threads meet in locks and condition variables alone, and the simulated threads take
//! turns at each of these: these orders are all that there are, and a wait that nobody ends is found.

use crate::state::core::Core;
use crate::state::{Executor, ExecutorConfig, State, Ticket, Transaction};
use crate::stdx::prng::Prng;
use crate::stdx::{sched, thread};
use crate::txn::Retry;
use crate::types::{Location, Lsn, Note, Ownership, PageId};
use crate::{Error, ErrorKind};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Orders of the short form; `MMSB_ORDERS` for more.
const ORDERS: u64 = 1_500;
const WORKERS: usize = 2;
const SUBMITTERS: u64 = 2;

/// How a piece of work is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Done,
    Fails,
    Panics,
}

/// How the executor ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Over {
    Dropped,
    Stopped,
    /// After all answers were taken.
    Served,
}

/// Work that was done: for which partition, by whom it was submitted, and as which.
type Log = Arc<Mutex<Vec<(Option<usize>, u64, u64)>>>;

/// A piece of work that was submitted.
struct Submitted {
    end: End,
    ticket: Ticket<(u64, Option<Lsn>)>,
    number: u64,
    /// Places of the pages that it changes.
    pages: Vec<u64>,
}

/// Submits some work for one partition or across both; each adds one to the pages that it is for.
fn submit(executor: &Executor, submitter: u64, random: &mut Prng, log: &Log) -> Vec<Submitted> {
    let submit_one = |number: u64| {
        let worker = (!random.one_in(3)).then(|| random.below(WORKERS as u64) as usize);
        let end = [End::Done, End::Done, End::Done, End::Fails, End::Panics];
        let (end, log) = (end[random.below(5) as usize], log.clone());
        let pages: Vec<u64> = worker.map_or((0..WORKERS as u64).collect(), |at| vec![at as u64]);
        let changed = pages.clone();
        let body = move |transaction: &mut Transaction<'_>| {
            log.lock().push((worker, submitter, number));
            for page in changed.iter().map(|at| PageId(at + 1)) {
                let count = transaction.read_u64(page, 0)?;
                sched::point();
                transaction.write(page, 0, &(count + 1).to_le_bytes())?;
            }
            match end {
                End::Done => Ok(number),
                End::Fails => Err(Error::new(ErrorKind::InvalidArgument, "as it is to be")),
                // Past the hook, which would have the run fail.
                End::Panics => resume_unwind(Box::new("as it is to be")),
            }
        };
        let ticket = match worker {
            Some(worker) => executor.submit(worker, "own", body),
            None => executor.submit_across(&[1, 0], "across", body),
        };
        Submitted { end, ticket: ticket.unwrap(), number, pages }
    };
    (0..4).map(submit_one).collect()
}

/// Whether the work was done; fails unless the answer is one that it may have.
fn check_answer(submitted: Submitted, over: Over) -> bool {
    let Submitted { end, ticket, number, .. } = submitted;
    let answer = catch_unwind(AssertUnwindSafe(|| ticket.wait()));
    match answer {
        Ok(Ok((told, Some(_)))) => assert_eq!((told, end), (number, End::Done)),
        Ok(Err(error)) if error.kind() == ErrorKind::Cancelled => {
            assert_eq!(over, Over::Stopped);
            return false;
        }
        Ok(Err(error)) => assert_eq!((error.kind(), end), (ErrorKind::InvalidArgument, End::Fails)),
        Ok(Ok(told)) => panic!("it answers {told:?}"),
        Err(_) => assert_eq!(end, End::Panics),
    }
    end == End::Done
}

/// What one partition was given by one submitter was begun in order.
fn check_order(log: &Log) {
    let log = log.lock();
    for partition in 0..WORKERS {
        for submitter in 0..SUBMITTERS {
            let concerns = |worker: Option<usize>| worker.is_none_or(|at| at == partition);
            let mine = log.iter().filter(|(worker, by, _)| concerns(*worker) && *by == submitter);
            assert!(mine.map(|(.., number)| number).is_sorted(), "{log:?}");
        }
    }
}

/// Lets others go on for a while.
fn dawdle(random: &mut Prng) {
    (0..random.scaled(7)).for_each(|_| sched::point());
}

/// Has threads submit work, and returns all of it.
fn submit_all(executor: &Arc<Executor>, seed: u64, log: &Log) -> Vec<Submitted> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let submitters: Vec<_> = (0..SUBMITTERS)
        .map(|submitter| {
            let (executor, log, all) = (executor.clone(), log.clone(), all.clone());
            let body = move || {
                let mut random = Prng::new(seed << 8 | submitter);
                let submitted = submit(&executor, submitter, &mut random, &log);
                all.lock().extend(submitted);
            };
            thread::spawn("submitter", body).unwrap()
        })
        .collect();
    submitters.into_iter().for_each(|submitter| submitter.join().unwrap());
    std::mem::take(&mut *all.lock())
}

/// Ends the executor. Returns how much was not begun.
fn end(executor: Executor, over: Over, submitted: &[Submitted], random: &mut Prng) -> usize {
    match over {
        Over::Dropped => drop(executor),
        Over::Stopped => {
            dawdle(random);
            return executor.stop();
        }
        Over::Served => {
            let is_ready = |one: &Submitted| one.ticket.is_ready();
            while !submitted.iter().all(is_ready) {
                sched::sleep(Duration::from_micros(10));
            }
        }
    }
    0
}

fn live(seed: u64) -> Over {
    let mut random = Prng::new(seed);
    let state = State::from_core(Arc::new(Core::blank()));
    for worker in 0..WORKERS {
        let page = state.create_page_at(8, Location::Cpu, Note::NONE).unwrap();
        state.set_ownership(page, Ownership::Owned(worker as u16), Note::NONE).unwrap();
    }
    let over = [Over::Dropped, Over::Stopped, Over::Served][random.below(3) as usize];
    let queue_max = 1 + random.below(5) as usize;
    let (pin, retry) = (false, Retry::default());
    let config = ExecutorConfig { workers: WORKERS, pin, queue_max, retry };
    let (executor, log) = (Arc::new(state.executor(config).unwrap()), Log::default());
    let submitted = submit_all(&executor, seed, &log);
    let left = end(Arc::into_inner(executor).unwrap(), over, &submitted, &mut random);
    let (count, mut sums) = (submitted.len(), [0; WORKERS]);
    for one in submitted {
        let pages = one.pages.clone();
        if check_answer(one, over) {
            pages.into_iter().for_each(|at| sums[at as usize] += 1);
        }
    }
    check_order(&log);
    let begun = log.lock().len();
    assert_eq!(begun + left, count, "{begun} begun, {left} left");
    for (at, sum) in (0..).zip(sums) {
        let content = state.read_all(PageId(at + 1)).unwrap();
        assert_eq!(content, u64::to_le_bytes(sum));
        assert!(state.partition(at as u16).is_ok(), "a worker holds partition {at}");
    }
    over
}

#[test]
fn each_ticket_is_answered_once_in_every_order_of_turns() {
    let orders = std::env::var("MMSB_ORDERS").ok().and_then(|n| n.parse().ok()).unwrap_or(ORDERS);
    for seed in 0..orders {
        let settings = sched::Settings {
            seed,
            turns_max: 100_000,
            time_max: Duration::from_secs(600),
            watch: None,
        };
        if let Err(wrong) = sched::run(settings, move || live(seed)).result {
            panic!("seed {seed}: {wrong}");
        }
    }
}
