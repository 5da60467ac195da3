//! Rows T1 to T5 and T7: how many transactions a second commit, on one thread and on two.
//!
//! All of them read, write, version and log what they say; what they leave is checked, and a replay
//! gives the same digest.

use crate::page::{durable, verify};
use crate::row::{Bar, median, print, time};
use crate::scaling::{ROUND, Scaling};
use mmsb::{Location, Note, Ownership, PageId, Partition, Result, Retry, State, Transaction};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const ROUNDS: usize = 60;
const ACCOUNTS: u64 = 10_000;
const BALANCE: u64 = 1_000_000;

/// Random numbers that cost next to nothing.
struct Random(u64);

impl Random {
    /// One for each thread and round.
    fn new(thread: usize, round: usize) -> Random {
        Random((round * 2 + thread + 1) as u64 * 0x9E37_79B9_7F4A_7C15)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * u128::from(n)) >> 64) as u64
    }
}

fn create(state: &State, value: u64) -> PageId {
    let page = state.create_page(8, Note::NONE).expect("a page");
    state.update(page, &value.to_le_bytes(), Note::NONE).expect("an update");
    page
}

fn value(state: &State, page: PageId) -> u64 {
    u64::from_le_bytes(state.read_all(page).expect("a read").try_into().expect("8 bytes"))
}

fn add(transaction: &mut Transaction<'_>, page: PageId, by: i64) -> Result<()> {
    let value = transaction.read_u64(page, 0)?;
    transaction.write(page, 0, &value.wrapping_add_signed(by).to_le_bytes())
}

fn transact(state: &State, body: impl FnMut(&mut Transaction<'_>) -> Result<()>) {
    state.transact(Note::NONE, Retry::default(), body).expect("a commit");
}

/// Measures `work`, which does as many transactions as a round has, and prints two rows: the rate of
/// one thread that is alone, and, in rounds that take turns, that of two as a multiple of that of one.
/// Returns how many were done.
fn measure(
    id: &str,
    state: &State,
    bars: (f64, f64),
    work: &(impl Fn(usize, usize) + Sync),
) -> usize {
    measure_rounds_of(ROUND, id, || _ = state.flush().expect("a flush"), bars, work);
    4 * ROUNDS * ROUND
}

fn measure_rounds_of(
    ops: usize,
    id: &str,
    settle: impl Fn(),
    bars: (f64, f64),
    work: &(impl Fn(usize, usize) + Sync),
) {
    let mut alone = Vec::new();
    for round in 0..ROUNDS {
        alone.push(time(ops, || work(0, round)));
        settle();
    }
    let mut scaling = Scaling::of(ops);
    (0..ROUNDS).for_each(|round| scaling.round(ROUNDS + 2 * round, work, &settle));
    let (alone, (one, two, ratio)) = (median(alone), scaling.medians());
    let rate = |ns: f64| format!("{:.2}M/s", 1e3 / ns);
    print(id, &[("alone", rate(alone))], 1e3 / alone, Bar::AtLeast(bars.0));
    print(id, &[("one", rate(one)), ("two", rate(two))], ratio, Bar::AtLeast(bars.1));
}

/// An owned object: read, add, write.
pub fn t1() {
    let (_dir, state) = durable();
    let object = |number| {
        let page = create(&state, 0);
        state.set_ownership(page, Ownership::Owned(number), Note::NONE).expect("a page of its own");
        page
    };
    let pages = [object(0), object(1)];
    let partition = |number| Mutex::new(state.partition(number).expect("a partition"));
    let partitions: [Mutex<Partition>; 2] = [partition(0), partition(1)];
    let work = |thread: usize, _| {
        let mut partition = partitions[thread].lock().expect("no panic");
        for _ in 0..ROUND {
            let body = |transaction: &mut Transaction<'_>| add(transaction, pages[thread], 1);
            partition.transact(Note::NONE, Retry::default(), body).expect("a commit");
        }
    };
    let done = measure("T1", &state, (12.0, 1.8), &work);
    assert_eq!(pages.map(|page| value(&state, page)).iter().sum::<u64>(), done as u64);
    assert_eq!(state.stats().expect("stats").transactions.owned, done as u64);
    verify(&state);
}

/// A new object: blind write, own read.
pub fn t2() {
    let (_dir, state) = durable();
    let work = |_: usize, round: usize| {
        for _ in 0..ROUND {
            transact(&state, |transaction| {
                let page = transaction.create_page(16, Location::Cpu)?;
                transaction.write(page, 0, &[round as u8 | 1; 16])?;
                let mut read = [0; 16];
                transaction.read(page, 0, &mut read)?;
                assert_eq!(read, [round as u8 | 1; 16]);
                Ok(())
            });
        }
    };
    let done = measure("T2", &state, (3.0, 1.4), &work);
    assert_eq!(state.page_count(), done as u64);
    verify(&state);
}

/// Shared accounts.
struct Bank {
    _dir: tempfile::TempDir,
    state: State,
    accounts: Vec<PageId>,
}

impl Bank {
    fn open() -> Bank {
        let (_dir, state) = durable();
        let accounts = (0..ACCOUNTS).map(|_| create(&state, BALANCE)).collect();
        Bank { _dir, state, accounts }
    }

    fn any(&self, random: &mut Random) -> PageId {
        self.accounts[random.below(ACCOUNTS) as usize]
    }

    fn transfer(&self, random: &mut Random) {
        let (from, to) = (self.any(random), self.any(random));
        transact(&self.state, |transaction| {
            add(transaction, from, -1)?;
            add(transaction, to, 1)
        });
    }

    /// The sum of all accounts in a snapshot.
    fn sum(&self) -> u64 {
        let snapshot = self.state.snapshot().expect("a snapshot");
        let balance = |&page: &PageId| {
            let mut bytes = [0; 8];
            snapshot.read(page, 0, &mut bytes).expect("a read");
            u64::from_le_bytes(bytes)
        };
        self.accounts.iter().map(balance).sum()
    }

    fn check(&self) {
        assert_eq!(self.sum(), ACCOUNTS * BALANCE);
        verify(&self.state);
        assert_eq!(self.state.stats().expect("stats").versions, 0);
    }
}

/// Transfers. Beside two more threads of them, outside the timing, every snapshot has the same sum.
pub fn t3() {
    let bank = Bank::open();
    let work = |thread: usize, round: usize| {
        let mut random = Random::new(thread, round);
        (0..ROUND).for_each(|_| bank.transfer(&mut random));
    };
    measure("T3", &bank.state, (3.0, 1.2), &work);
    std::thread::scope(|scope| {
        let movers =
            [0, 1].map(|thread| scope.spawn(move || (0..20).for_each(|r| work(thread, r))));
        while !movers.iter().all(|mover| mover.is_finished()) {
            assert_eq!(bank.sum(), ACCOUNTS * BALANCE);
        }
    });
    bank.check();
}

/// Four reads of one moment. Nothing is left to be flushed, so that rounds may be as long as it takes
/// for the caches of a second core to be warm.
pub fn t4() {
    const ROUND: usize = 20_000;
    let bank = Bank::open();
    bank.state.flush().expect("a flush");
    let work = |thread: usize, round: usize| {
        let mut random = Random::new(thread, round);
        for _ in 0..ROUND {
            let mut reader = bank.state.begin_read().expect("a transaction");
            let mut read = || reader.read_u64(bank.any(&mut random), 0).expect("a read");
            assert_eq!([read(), read(), read(), read()], [BALANCE; 4]);
        }
    };
    measure_rounds_of(ROUND, "T4", || (), (8.0, 1.8), &work);
}

/// One counter that all want.
pub fn t5() {
    let (_dir, state) = durable();
    let counter = create(&state, 0);
    let work = |_: usize, _: usize| {
        (0..ROUND).for_each(|_| transact(&state, |transaction| add(transaction, counter, 1)));
    };
    let done = measure("T5", &state, (3.0, 0.7), &work);
    assert_eq!(value(&state, counter), done as u64);
    verify(&state);
}

/// Work on owned objects and on shared ones, mixed, on one thread.
pub fn t7() {
    let earlier = [(100, 3.5), (80, 1.8), (50, 0.83), (20, 0.66), (0, 0.48)];
    for (owned, earlier) in earlier {
        let bank = Bank::open();
        let object = create(&bank.state, 0);
        let mine = Ownership::Owned(0);
        bank.state.set_ownership(object, mine, Note::NONE).expect("a page of its own");
        let mut partition = bank.state.partition(0).expect("a partition");
        let (mut times, counted) = (Vec::new(), AtomicU64::new(0));
        for round in 0..ROUNDS {
            let mut random = Random::new(0, round);
            times.push(time(ROUND, || {
                for _ in 0..ROUND {
                    if random.below(100) >= owned {
                        bank.transfer(&mut random);
                        continue;
                    }
                    let body = |transaction: &mut Transaction<'_>| add(transaction, object, 1);
                    partition.transact(Note::NONE, Retry::default(), body).expect("a commit");
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }));
            bank.state.flush().expect("a flush");
        }
        assert_eq!(value(&bank.state, object), counted.into_inner());
        bank.check();
        let rate = 1e3 / median(times);
        let figures = [
            ("owned", format!("{owned}%")),
            ("ours", format!("{rate:.2}M/s")),
            ("earlier", format!("{earlier}M/s")),
        ];
        print("T7", &figures, rate / earlier, Bar::AtLeast(4.0));
    }
}
