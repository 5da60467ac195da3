//! Is every history serializable? Threads run random transactions, and a checker looks for a cycle.
//!
//! ```text
//!   a page is a list of the transactions that appended to it: count, id, id, …
//!   what a transaction read of a page is a length; the final lists tell the order of all appends
//!
//!   A wrote before B        B stands right after A in a list
//!   A was read by B         B read the list up to A
//!   A read before B wrote   A read a list that B was the next to grow
//!   A ended before B began  as the threads saw it
//! ```
//!
//! A history is strictly serializable if these arrows form no cycle (Adya 1999; Kingsbury, Alvaro
//! 2020, whose lists these are). `MMSB_TRANSACTIONS` sets how many run in all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

use mmsb::{
    Config, ErrorKind, Note, Ownership, PageId, Result, Retry, Snapshot, State, Transaction,
};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Room for as many ids as a round has appends.
const LIST_BYTES: u64 = 8 * 1024;
const TRANSACTIONS_OF_A_THREAD: u64 = 40;

/// What one transaction did.
#[derive(Debug, Default, Clone)]
struct Done {
    id: u64,
    began: u64,
    ended: u64,
    /// Page, and what it read of its list.
    reads: Vec<(usize, Vec<u64>)>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

fn numbers(bytes: &[u8]) -> Vec<u64> {
    let number = |chunk: &[u8]| u64::from_le_bytes(chunk.try_into().unwrap());
    let all: Vec<u64> = bytes.chunks(8).map(number).collect();
    all[1..=all[0] as usize].to_vec()
}

fn read_list(transaction: &mut Transaction<'_>, page: PageId) -> Result<Vec<u64>> {
    let count = transaction.read_u64(page, 0)?;
    let mut bytes = vec![0; 8 + 8 * count as usize];
    transaction.read(page, 0, &mut bytes)?;
    Ok(numbers(&bytes))
}

fn append(transaction: &mut Transaction<'_>, page: PageId, id: u64) -> Result<()> {
    let count = transaction.read_u64(page, 0)?;
    transaction.write(page, 8 + 8 * count, &id.to_le_bytes())?;
    transaction.write(page, 0, &(count + 1).to_le_bytes())
}

/// One round on lists of its own.
struct Round<'a> {
    state: &'a State,
    lists: Vec<PageId>,
    time: AtomicU64,
    ids: AtomicU64,
    done: Mutex<Vec<Done>>,
}

impl Round<'_> {
    fn now(&self) -> u64 {
        self.time.fetch_add(1, Ordering::SeqCst)
    }

    fn keep(&self, done: Done) {
        self.done.lock().unwrap().push(done);
    }

    /// Reads and appends, at random; sometimes given up at the end.
    fn transact(&self, random: &mut Random) {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let steps: Vec<(usize, bool)> = (0..1 + random.below(4))
            .map(|_| (random.below(self.lists.len() as u64) as usize, random.below(2) == 0))
            .collect();
        let gives_up = random.below(10) == 0;
        let mut done = Done { id, began: self.now(), ..Done::default() };
        let result = self.state.transact(Note::NONE, Retry::default(), |transaction| {
            done.reads.clear();
            let mut own = vec![0; self.lists.len()];
            for &(list, appends) in &steps {
                let mut read = read_list(transaction, self.lists[list])?;
                let others = read.len() - own[list];
                assert!(read[others..].iter().all(|&by| by == id), "not its own writes on top");
                read.truncate(others);
                done.reads.push((list, read));
                if appends {
                    append(transaction, self.lists[list], id)?;
                    own[list] += 1;
                }
            }
            match gives_up {
                true => Err(mmsb::Error::new(ErrorKind::Cancelled, "given up")),
                false => Ok(()),
            }
        });
        done.ended = self.now();
        match result {
            Ok(_) => self.keep(done),
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                // What it read was of one moment all the same.
                done.id = self.ids.fetch_add(1, Ordering::Relaxed);
                self.keep(done);
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    fn read_at_once(&self) {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut done = Done { id, began: self.now(), ..Done::default() };
        loop {
            let mut transaction = self.state.begin_read().unwrap();
            let lists = self.lists.iter().enumerate();
            let reads: Result<Vec<_>> =
                lists.map(|(at, &list)| Ok((at, read_list(&mut transaction, list)?))).collect();
            match reads {
                Ok(reads) => done.reads = reads,
                Err(error) if error.kind() == ErrorKind::Conflict => continue,
                Err(error) => panic!("{error:?}"),
            }
            break;
        }
        done.ended = self.now();
        self.keep(done);
    }

    fn read_snapshot(&self) {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut done = Done { id, began: self.now(), ..Done::default() };
        let snapshot: Snapshot = self.state.snapshot().unwrap();
        done.ended = self.now();
        let list = |(at, &list)| (at, numbers(&snapshot.read_all(list).unwrap()));
        done.reads = self.lists.iter().enumerate().map(list).collect();
        self.keep(done);
    }

    fn work(&self, seed: u64) {
        let mut random = Random(seed);
        for _ in 0..TRANSACTIONS_OF_A_THREAD {
            match random.below(8) {
                0 => self.read_at_once(),
                1 => self.read_snapshot(),
                _ => self.transact(&mut random),
            }
        }
    }

    /// A cycle of the history, by ids; `None` if there is none.
    fn check(&self) -> Option<Vec<u64>> {
        let done = self.done.lock().unwrap();
        let place = |id: u64| done.iter().position(|done| done.id == id).unwrap();
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); done.len()];
        let finals = self.lists.iter().map(|&list| numbers(&self.state.read_all(list).unwrap()));
        let finals: Vec<Vec<u64>> = finals.collect();
        let places: Vec<Vec<usize>> =
            finals.iter().map(|list| list.iter().map(|&id| place(id)).collect()).collect();
        for list in &places {
            for pair in list.windows(2).filter(|pair| pair[0] != pair[1]) {
                after[pair[0]].push(pair[1]);
            }
        }
        for (at, one) in done.iter().enumerate() {
            for (list, read) in &one.reads {
                assert_eq!(read[..], finals[*list][..read.len()], "{one:?} read what never was");
                let n = read.len();
                if n > 0 && places[*list][n - 1] != at {
                    after[places[*list][n - 1]].push(at);
                }
                // Its own appends stand right behind what it read.
                let next = places[*list][n..].iter().find(|&&next| next != at);
                after[at].extend(next);
            }
            let later = done.iter().enumerate().filter(|(_, other)| one.ended < other.began);
            after[at].extend(later.map(|(other, _)| other));
        }
        cycle(&after).map(|cycle| cycle.into_iter().map(|at| done[at].id).collect())
    }
}

/// Some cycle of a graph.
fn cycle(after: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut seen = vec![0u8; after.len()];
    for start in 0..after.len() {
        let mut path = vec![(start, 0)];
        if std::mem::replace(&mut seen[start], 1) != 0 {
            seen[start] = 2;
            continue;
        }
        while let Some((at, edge)) = path.last_mut() {
            let Some(&next) = after[*at].get(*edge) else {
                seen[*at] = 2;
                path.pop();
                continue;
            };
            *edge += 1;
            match seen[next] {
                0 => {
                    seen[next] = 1;
                    path.push((next, 0));
                }
                1 => {
                    let from = path.iter().position(|&(at, _)| at == next).unwrap();
                    return Some(path[from..].iter().map(|&(at, _)| at).collect());
                }
                _ => {}
            }
        }
    }
    None
}

fn run_round(state: &State, seed: u64) -> u64 {
    let mut random = Random(seed);
    let threads = 2 + random.below(7);
    let lists = (0..1 + random.below(5))
        .map(|_| state.create_page(LIST_BYTES, Note::NONE).unwrap())
        .collect();
    let (time, ids, done) = (AtomicU64::new(0), AtomicU64::new(1), Mutex::default());
    let round = Round { state, lists, time, ids, done };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let round = &round;
            scope.spawn(move || round.work(seed << 8 | thread));
        }
    });
    if let Some(cycle) = round.check() {
        panic!("seed {seed}: the transactions {cycle:?} precede each other");
    }
    let replayed = state.replay_to(state.snapshot().unwrap().lsn());
    let check_replay = seed.is_multiple_of(16);
    if check_replay {
        assert_eq!(replayed.unwrap().digest().unwrap(), state.digest().unwrap());
    }
    round.lists.iter().for_each(|&list| {
        state.free_page(list, Note::NONE).unwrap();
    });
    threads * TRANSACTIONS_OF_A_THREAD
}

fn transactions() -> u64 {
    std::env::var("MMSB_TRANSACTIONS").map_or(20_000, |n| n.parse().unwrap())
}

#[test]
fn histories_have_no_cycles() {
    let state = State::open(Config { history_bytes: 64 << 20, ..Config::memory() }).unwrap();
    let (mut ran, mut seed) = (0, 1);
    while ran < transactions() {
        ran += run_round(&state, seed);
        seed += 1;
    }
}

/// Mistakes that the engine is made to make are found.
#[cfg(canaries)]
#[test]
fn canaries_are_caught() {
    use mmsb::stdx::canary::{Canary, choose};
    for canary in [Canary::UncheckedRead, Canary::StaleRead, Canary::ForgottenSnapshot] {
        choose(Some(canary));
        let state = State::open(Config::memory()).unwrap();
        let rounds = std::panic::AssertUnwindSafe(|| {
            (1..2_000).for_each(|seed| _ = run_round(&state, seed));
        });
        let caught = std::panic::catch_unwind(rounds).is_err();
        choose(None);
        assert!(caught, "{} was not caught", canary.name());
    }
}

/// The checker itself: it must find what is wrong.
#[test]
fn a_cycle_is_found_where_there_is_one() {
    assert_eq!(cycle(&[vec![1], vec![2], vec![]]), None);
    assert_eq!(cycle(&[vec![1], vec![2], vec![3], vec![1]]), Some(vec![1, 2, 3]));
    let state = State::open(Config::memory()).unwrap();
    let lists: Vec<PageId> =
        (0..2).map(|_| state.create_page(LIST_BYTES, Note::NONE).unwrap()).collect();
    // Write skew: each read the list that the other grew, before it did.
    for (list, id) in [(0, 1u64), (1, 2)] {
        state.write(lists[list], 0, &[1], Note::NONE).unwrap();
        state.write(lists[list], 8, &id.to_le_bytes(), Note::NONE).unwrap();
    }
    let done = |id, list| Done { id, began: 0, ended: 9, reads: vec![(list, Vec::new())] };
    let done = Mutex::new(vec![done(1, 1), done(2, 0)]);
    let round = Round { state: &state, lists, time: 0.into(), ids: 0.into(), done };
    assert_eq!(round.check().map(|cycle| cycle.len()), Some(2));
}

/// Money moves between accounts, some of them a partition's; every snapshot and every reader sees
/// the same sum.
#[test]
fn sums_are_conserved_at_every_moment() {
    const ACCOUNTS: u64 = 20;
    let state = State::open(Config { history_bytes: 64 << 20, ..Config::memory() }).unwrap();
    let create = |_| state.create_page(8, Note::NONE).unwrap();
    let accounts: Vec<PageId> = (0..ACCOUNTS).map(create).collect();
    for (at, &account) in accounts.iter().enumerate() {
        state.update(account, &100u64.to_le_bytes(), Note::NONE).unwrap();
        if at.is_multiple_of(4) {
            state.set_ownership(account, Ownership::Owned(0), Note::NONE).unwrap();
        }
    }
    let moves = transactions() / 4;
    let transfer = |transaction: &mut Transaction<'_>, from, to, amount: u64| {
        let (a, b) = (transaction.read_u64(from, 0)?, transaction.read_u64(to, 0)?);
        let amount = amount.min(a);
        transaction.write(from, 0, &(a - amount).to_le_bytes())?;
        let b = if from == to { a - amount } else { b };
        transaction.write(to, 0, &(b + amount).to_le_bytes())
    };
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let (state, accounts, transfer) = (&state, &accounts, &transfer);
            scope.spawn(move || {
                let mut random = Random(thread);
                let mut partition = (thread == 0).then(|| state.partition(0).unwrap());
                for _ in 0..moves {
                    let mut any = |shared: bool| loop {
                        let at = random.below(ACCOUNTS) as usize;
                        if !shared || !at.is_multiple_of(4) {
                            return accounts[at];
                        }
                    };
                    let (from, to) = (any(thread != 0), any(thread != 0));
                    let amount = random.below(50);
                    let retry = Retry::default();
                    match &mut partition {
                        Some(partition) => partition
                            .transact(Note::NONE, retry, |t| transfer(t, from, to, amount))
                            .unwrap(),
                        None => state
                            .transact(Note::NONE, retry, |t| transfer(t, from, to, amount))
                            .unwrap(),
                    };
                }
            });
        }
        let number = |bytes: Vec<u8>| u64::from_le_bytes(bytes.try_into().unwrap());
        for _ in 0..moves / 100 {
            let snapshot = state.snapshot().unwrap();
            let sum: u64 = accounts.iter().map(|&a| number(snapshot.read_all(a).unwrap())).sum();
            assert_eq!(sum, 100 * ACCOUNTS);
            let mut reader = state.begin_read().unwrap();
            let sum: Result<u64> = accounts.iter().map(|&a| reader.read_u64(a, 0)).sum();
            assert!(sum.map_or_else(|e| e.kind() == ErrorKind::Conflict, |n| n == 100 * ACCOUNTS));
        }
    });
    let replayed = state.replay_to(state.snapshot().unwrap().lsn()).unwrap();
    assert_eq!(replayed.digest().unwrap(), state.digest().unwrap());
}
