//! SIGKILL at random moments of a process that moves money between accounts, in `Sync`.
//!
//! Three threads transact on shared accounts, a fourth has an executor's workers do it, on accounts of
//! their partitions and across them. Which transfer a thread does as its n-th is a function of both,
//! and accounts may be overdrawn: so what each account must hold follows from how far each thread came,
//! which stands in a page of its own that every transfer of it writes, too. A thread tells on the
//! child's standard output how far it came once that was acknowledged.

use crate::common::Prng;
use crate::kill::{is_child, killed, kills, open};
use mmsb::{
    Executor, ExecutorConfig, Location, Note, Ownership, PageId, Result, Retry, State, Transaction,
};
use std::path::Path;

const TEST: &str = "kill_transfers::every_acknowledged_transfer_is_whole_after_sigkill";
const ACCOUNTS: u64 = 12;
/// The first accounts belong to the executor's two partitions in turn.
const OWNED: u64 = 4;
const WORKERS: usize = 2;
const SHARED_THREADS: u64 = 3;
const THREADS: u64 = SHARED_THREADS + 1;
const BEGINNING: i64 = 1_000;

/// A page of an account: balance, and how many transfers changed it.
fn account(at: u64) -> PageId {
    PageId(1 + at)
}

/// The page that says how far a thread came.
fn progress(thread: u64) -> PageId {
    PageId(1 + ACCOUNTS + thread)
}

fn owner(at: u64) -> Option<usize> {
    (at < OWNED).then_some(at as usize % WORKERS)
}

/// A transfer between two accounts.
struct Transfer {
    from: u64,
    to: u64,
    amount: i64,
}

impl Transfer {
    /// The `n`-th of a thread.
    fn of(thread: u64, n: u64) -> Transfer {
        let mut prng = Prng(thread << 48 | n);
        let first = if thread < SHARED_THREADS { OWNED } else { 0 };
        let from = first + prng.below(ACCOUNTS - first);
        let to = first + (from - first + 1 + prng.below(ACCOUNTS - first - 1)) % (ACCOUNTS - first);
        Transfer { from, to, amount: prng.below(100) as i64 }
    }

    fn run(&self, thread: u64, n: u64, transaction: &mut Transaction<'_>) -> Result<()> {
        assert_eq!(transaction.read_u64(progress(thread), 0)?, n - 1);
        for (at, amount) in [(self.from, -self.amount), (self.to, self.amount)] {
            let balance = transaction.read_u64(account(at), 0)?.wrapping_add_signed(amount);
            let count = transaction.read_u64(account(at), 8)? + 1;
            transaction.write(account(at), 0, &balance.to_le_bytes())?;
            transaction.write(account(at), 8, &count.to_le_bytes())?;
        }
        transaction.write(progress(thread), 0, &n.to_le_bytes())
    }
}

fn begin(state: &State) {
    let mut transaction = state.begin().unwrap();
    for at in 0..ACCOUNTS + THREADS {
        let page = transaction.create_page(16, Location::Cpu).unwrap();
        assert_eq!(page, account(at));
        if at < ACCOUNTS {
            transaction.write(page, 0, &BEGINNING.to_le_bytes()).unwrap();
        }
        if let Some(worker) = owner(at) {
            transaction.set_ownership(page, Ownership::Owned(worker as u16)).unwrap();
        }
    }
    transaction.commit(Note::from("begin")).unwrap();
}

/// Has the workers do a transfer: those whose partitions it concerns.
fn work(executor: &Executor, thread: u64, n: u64) {
    let transfer = Transfer::of(thread, n);
    let mut workers: Vec<usize> =
        [transfer.from, transfer.to].into_iter().filter_map(owner).collect();
    workers.dedup();
    let body = move |transaction: &mut Transaction<'_>| transfer.run(thread, n, transaction);
    let ticket = match workers[..] {
        [] => executor.submit(n as usize % WORKERS, "transfer", body),
        [worker] => executor.submit(worker, "transfer", body),
        _ => executor.submit_across(&workers, "transfer", body),
    };
    ticket.unwrap().wait().unwrap();
}

/// What the child does.
fn transfer(path: &Path) {
    let state = &open(path);
    if state.page_count() == 0 {
        begin(state);
    }
    let config = ExecutorConfig { workers: WORKERS, pin: false, ..ExecutorConfig::default() };
    let executor = &state.executor(config).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for n in number(state, progress(thread), 0) + 1.. {
                    if thread < SHARED_THREADS {
                        let body =
                            |t: &mut Transaction<'_>| Transfer::of(thread, n).run(thread, n, t);
                        state.transact(Note::from("transfer"), Retry::default(), body).unwrap();
                    } else {
                        work(executor, thread, n);
                    }
                    println!("{thread} {n}");
                    if thread == 0 && n % 200 == 0 {
                        state.checkpoint(None).unwrap();
                    }
                }
            });
        }
    });
}

fn number(state: &State, page: PageId, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    state.read(page, offset, &mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}

/// Compares the accounts with what they must hold after so many transfers of each thread.
fn check(state: &State, done: &[u64]) {
    let (mut balances, mut counts) = ([BEGINNING; ACCOUNTS as usize], [0; ACCOUNTS as usize]);
    for (thread, &last) in (0..).zip(done) {
        for transfer in (1..=last).map(|n| Transfer::of(thread, n)) {
            balances[transfer.from as usize] -= transfer.amount;
            balances[transfer.to as usize] += transfer.amount;
            counts[transfer.from as usize] += 1;
            counts[transfer.to as usize] += 1;
        }
    }
    assert_eq!(balances.iter().sum::<i64>(), BEGINNING * ACCOUNTS as i64);
    for at in 0..ACCOUNTS {
        let there = [0, 8].map(|offset| number(state, account(at), offset));
        let must = [balances[at as usize] as u64, counts[at as usize]];
        assert_eq!(there, must, "account {at} after {done:?}");
        let owned = owner(at).map_or(Ownership::Shared, |worker| Ownership::Owned(worker as u16));
        assert_eq!(state.ownership(account(at)).unwrap(), owned);
    }
}

#[test]
fn every_acknowledged_transfer_is_whole_after_sigkill() {
    if let Some(path) = is_child() {
        transfer(&path);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let mut prng = Prng(u64::from(std::process::id()) << 1 | 1);
    let mut done = [0; THREADS as usize];
    for round in 0..kills() {
        let mut acknowledged = done;
        for line in killed(TEST, &path, &mut prng) {
            let told = line.split_once(' ').map(|(thread, n)| (thread.parse(), n.parse::<u64>()));
            if let Some((Ok::<usize, _>(thread), Ok(n))) = told {
                acknowledged[thread] = acknowledged[thread].max(n);
            }
        }
        let state = open(&path);
        if state.page_count() > 0 {
            for (thread, (done, told)) in (0..).zip(done.iter_mut().zip(acknowledged)) {
                *done = number(&state, progress(thread), 0);
                let one_more = told..=told + 1;
                assert!(one_more.contains(done), "round {round}: {told} told, {done} there");
            }
            check(&state, &done);
            let replayed = state.replay_to(state.flush().unwrap()).unwrap();
            assert_eq!(replayed.digest().unwrap(), state.digest().unwrap());
        }
        if round % 5 == 0 {
            state.verify().unwrap();
        }
        state.close().unwrap();
    }
    assert!(done.iter().all(|&done| done > 0), "threads never got to work: {done:?}");
}
