//! What the benchmarks share: states to work on, contents to write, and rounds.
#![allow(dead_code, reason = "each benchmark is a program of its own and uses some of this")]

use criterion::Criterion;
use mmsb::{Config, Note, PageId, State};
use std::time::{Duration, Instant};

/// Operations between two flushes, and bytes of pages that they change, at most. What they leave to
/// be flushed is flushed outside the timing, since no file takes what memory takes; `benches/peers`
/// has the sustained figure.
const ROUND_OPS: u64 = 2000;
const ROUND_BYTES: u64 = 8 << 20;
/// Rounds between two checkpoints, also outside the timing, which let log go.
const CHECKPOINT_ROUNDS: u64 = 64;

/// Short, so that the log that a benchmark writes stays at a few GB.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500))
        .sample_size(20)
}

/// A fresh directory: under `MMSB_BENCH_DIR`, else in the system's place for temporary files.
pub fn directory() -> tempfile::TempDir {
    let parent = std::env::var_os("MMSB_BENCH_DIR").unwrap_or_else(|| std::env::temp_dir().into());
    tempfile::tempdir_in(parent).unwrap()
}

/// A durable state in a directory of its own, and pages that updates go round.
pub struct Bench {
    pub state: State,
    pub pages: Vec<PageId>,
    round: u64,
    rounds: u64,
    _dir: tempfile::TempDir,
}

impl Bench {
    /// `Buffered`, with `count` pages of `size` bytes, zeros.
    pub fn new(count: usize, size: u64) -> Bench {
        let dir = directory();
        // Without history, what a checkpoint makes needless is recycled; one is made by itself
        // only after four segments.
        let config = Config {
            history_bytes: 0,
            segment_bytes: 256 << 20,
            ..Config::durable(dir.path().join("state"))
        };
        let state = State::open(config).unwrap();
        let pages = create_pages(&state, count, size);
        let round = ROUND_OPS.min(ROUND_BYTES / size);
        Bench { state, pages, round, rounds: 0, _dir: dir }
    }

    /// The page of operation `i`.
    pub fn page(&self, i: u64) -> PageId {
        self.pages[(i % self.pages.len() as u64) as usize]
    }

    /// How often every page has had its turn before operation `i`.
    pub fn turn(&self, i: u64) -> u64 {
        i / self.pages.len() as u64
    }

    /// Time of operations `from..from + count`, without the flushes and checkpoints between them.
    pub fn rounds(&mut self, from: u64, count: u64, op: impl Fn(&Bench, u64)) -> Duration {
        let (mut took, mut at, end) = (Duration::ZERO, from, from + count);
        while at < end {
            let round = at..end.min(at + self.round);
            at = round.end;
            let start = Instant::now();
            round.for_each(|i| op(self, i));
            took += start.elapsed();
            self.settle();
        }
        took
    }

    fn settle(&mut self) {
        self.rounds += 1;
        match self.rounds % CHECKPOINT_ROUNDS {
            0 => drop(self.state.checkpoint(None).unwrap()),
            _ => drop(self.state.flush().unwrap()),
        }
    }
}

impl Drop for Bench {
    /// What was measured was really recorded: a replay of the log gives the live state.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.state.verify().unwrap();
        }
    }
}

/// A durable state with default settings.
pub fn durable() -> (tempfile::TempDir, State) {
    let dir = directory();
    let state = State::open(Config::durable(dir.path().join("state"))).unwrap();
    (dir, state)
}

pub fn create_pages(state: &State, count: usize, size: u64) -> Vec<PageId> {
    (0..count).map(|_| state.create_page(size, Note::NONE).unwrap()).collect()
}

/// Two contents that differ in every byte, and from zeros.
pub fn contents(size: usize) -> [Vec<u8>; 2] {
    let first: Vec<u8> = (0..size).map(|i| (i * 7 % 254 + 1) as u8).collect();
    let second = first.iter().map(|byte| !byte).collect();
    [first, second]
}

/// Gives every page content of its own.
pub fn fill(state: &State, pages: &[PageId]) {
    for (i, &page) in pages.iter().enumerate() {
        let size = state.page_size(page).unwrap() as usize;
        let content: Vec<u8> = (0..size).map(|k| (i * 31 + k * 7) as u8 | 1).collect();
        state.update(page, &content, Note::NONE).unwrap();
    }
}
