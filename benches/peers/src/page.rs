//! Rows P1 to P9 and M6 of the room `page`: updates, replay, checkpoint, history, durability.

use crate::row::{Bar, directory, median, ns, print, time};
use mmsb::{Config, Note, PageId, State};

/// Operations of a round; what is left to flush after it is flushed outside the timing.
const ROUND: usize = 2000;
const ROUNDS: usize = 60;

type Row = (&'static str, fn());

const ROWS: &[Row] = &[("P1", p1), ("P2", p2), ("P3", p3)];

pub fn run(only: Option<&str>) {
    for (id, row) in ROWS {
        if only.is_none_or(|only| only == *id) {
            row();
        }
    }
}

/// Two contents that differ in every byte.
fn contents(size: usize) -> [Vec<u8>; 2] {
    let first: Vec<u8> = (0..size).map(|i| (i * 7 + 1) as u8).collect();
    let second = first.iter().map(|byte| !byte).collect();
    [first, second]
}

fn pages(state: &State, count: usize, size: u64) -> Vec<PageId> {
    (0..count).map(|_| state.create_page(size, Note::NONE).expect("a page")).collect()
}

fn durable() -> (tempfile::TempDir, State) {
    let dir = directory();
    let state = State::open(Config::durable(dir.path().join("state"))).expect("a state");
    (dir, state)
}

/// The four steps of an update, bare: compare, copy into the page, copy into a ring, checksum.
struct Bare {
    pages: Vec<Vec<u8>>,
    ring: Vec<u8>,
    at: usize,
}

impl Bare {
    fn new(count: usize, size: usize) -> Bare {
        Bare { pages: vec![vec![0; size]; count], ring: vec![1; 64 << 20], at: 0 }
    }

    fn update(&mut self, page: usize, content: &[u8]) -> u32 {
        let page = &mut self.pages[page];
        if page == content {
            return 0;
        }
        if self.at + content.len() > self.ring.len() {
            self.at = 0;
        }
        let slot = &mut self.ring[self.at..self.at + content.len()];
        slot.copy_from_slice(content);
        self.at += content.len();
        let crc = crc_fast::crc32_iscsi(slot);
        page.copy_from_slice(content);
        crc
    }
}

fn p1() {
    let (_dir, state) = durable();
    let pages = pages(&state, 100, 1024);
    let contents = contents(1024);
    let mut bare = Bare::new(100, 1024);
    let (mut ours, mut steps) = (Vec::new(), Vec::new());
    let mut sum = 0u32;
    for round in 0..ROUNDS {
        ours.push(time(ROUND, || {
            for i in 0..ROUND {
                let content = &contents[(round * ROUND + i) / 100 % 2];
                state.update(pages[i % 100], content, Note::NONE).expect("an update");
            }
        }));
        steps.push(time(ROUND, || {
            for i in 0..ROUND {
                let content = &contents[(round * ROUND + i) / 100 % 2];
                sum = sum.wrapping_add(bare.update(i % 100, content));
            }
        }));
        state.flush().expect("a flush");
    }
    std::hint::black_box(sum);
    let (ours, steps) = (median(ours), median(steps));
    print("P1", &[("ours", ns(ours)), ("steps", ns(steps))], ours / steps, Bar::AtMost(1.4));
}

fn p2() {
    let (_dir, state) = durable();
    let pages = pages(&state, 100, 1024);
    let before = state.stats().expect("stats").record_bytes;
    let mut ours = Vec::new();
    let mut content = vec![0u8; 1024];
    for round in 0..ROUNDS {
        ours.push(time(ROUND, || {
            for i in 0..ROUND {
                if i % 100 == 0 {
                    let step = (round * ROUND + i) / 100;
                    content[500..510].fill(step as u8 + 1);
                }
                state.update(pages[i % 100], &content, Note::NONE).expect("an update");
            }
        }));
        state.flush().expect("a flush");
    }
    let bytes = (state.stats().expect("stats").record_bytes - before) / (ROUND * ROUNDS) as u64;
    let ours = median(ours);
    let figures = [("ours", ns(ours)), ("log_bytes", bytes.to_string())];
    print("P2", &figures, ours, Bar::AtMost(80.0));
}

fn p3() {
    let (_dir, state) = durable();
    let pages = pages(&state, 1000, 16);
    let contents = contents(16);
    let mut ours = Vec::new();
    for round in 0..ROUNDS {
        ours.push(time(ROUND, || {
            for i in 0..ROUND {
                let content = &contents[(round * ROUND + i) / 1000 % 2];
                state.update(pages[i % 1000], content, Note::NONE).expect("an update");
            }
        }));
        state.flush().expect("a flush");
    }
    let rate = 1e3 / median(ours);
    print("P3", &[("ours", format!("{rate:.1}M/s"))], rate, Bar::AtLeast(18.0));
}
