//! Rows G1 to G6: a change and all that derives from it, beside salsa, which keeps derived values of
//! the same shapes up to date in memory, with nothing logged.

use super::peer::Peer;
use crate::page::{durable, verify};
use crate::row::{Bar, median, ns, print, time};
use mmsb::{Batch, Note, PageId, State};

pub const PAGE: usize = 1024;
const COPY: &str = "u8: p0";
const MAX: &str = "u64: max(p0, p1)";
const SUM: &str = "u64: fold(real)";
/// Changes of a round; what is left to flush after it is flushed outside the timing.
const ROUND: usize = 2_000;
const ROUNDS: usize = 30;

/// What derives from what: per page its parents. The first ones are inputs.
struct Shape {
    inputs: usize,
    parents: Vec<Vec<usize>>,
}

impl Shape {
    fn chain(pages: usize) -> Shape {
        Shape { inputs: 1, parents: (0..pages - 1).map(|at| vec![at]).collect() }
    }

    /// One input, and as many pages that derive from it.
    fn fan_out(pages: usize) -> Shape {
        Shape { inputs: 1, parents: vec![vec![0]; pages] }
    }

    /// As many inputs, and one page that is their sum.
    fn fan_in(inputs: usize) -> Shape {
        Shape { inputs, parents: vec![(0..inputs).collect()] }
    }

    /// Diamonds, each of which begins where the one before ends.
    fn ladder(diamonds: usize) -> Shape {
        let mut parents = Vec::new();
        for at in 0..diamonds {
            let top = 3 * at;
            parents.extend([vec![top], vec![top], vec![top + 1, top + 2]]);
        }
        Shape { inputs: 1, parents }
    }

    fn pages(&self) -> usize {
        self.inputs + self.parents.len()
    }

    /// The shape in a state.
    fn build(&self, state: &State) -> Vec<PageId> {
        let page = || state.create_page(PAGE as u64, Note::NONE).expect("a page");
        let mut pages: Vec<PageId> = (0..self.inputs).map(|_| page()).collect();
        for parents in &self.parents {
            let page = page();
            let parents: Vec<PageId> = parents.iter().map(|&at| pages[at]).collect();
            let formula = match parents.len() {
                1 => COPY,
                2 => MAX,
                _ => SUM,
            };
            state.derive(page, &parents, formula, Note::NONE).expect("a derived page");
            pages.push(page);
        }
        state.flush().expect("a flush");
        pages
    }
}

/// Contents, each other than the one before in every byte.
fn content(n: usize) -> [u8; PAGE] {
    std::array::from_fn(|at| (at / 8 * 7 + 1) as u8 ^ (n * 31) as u8)
}

/// Changes of the first input, `deltas` in a batch each, and all that derives from it; `rounds` of
/// `round` changes on both sides. Nanoseconds per change, ours and salsa's.
fn measure(shape: &Shape, deltas: usize, rounds: usize, round: usize) -> (f64, f64) {
    let (_dir, state) = durable();
    let pages = shape.build(&state);
    let mut peer = Peer::new(shape.inputs, &shape.parents);
    let contents: Vec<_> = (0..2 * deltas).map(content).collect();
    let before = state.propagation_stats().expect("stats").computed;
    let (mut ours, mut theirs, mut n) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        let from = n;
        ours.push(time(round, || {
            for _ in 0..round {
                n += 1;
                change(&state, pages[0], deltas, &contents, n);
            }
        }));
        theirs.push(time(round, || {
            for n in from + 1..=n {
                for delta in 0..deltas {
                    peer.set(&contents[(n * deltas + delta) % contents.len()]);
                }
                peer.read_leaves();
            }
        }));
        state.flush().expect("a flush");
    }
    let computed = state.propagation_stats().expect("stats").computed - before;
    assert_eq!(computed, (n * shape.parents.len()) as u64, "each derived page once per change");
    let leaf = *pages.last().expect("a page");
    assert_eq!(state.read_all(leaf).expect("a page"), peer.last(), "salsa says otherwise");
    verify(&state);
    (median(ours), median(theirs))
}

fn change(state: &State, page: PageId, deltas: usize, contents: &[[u8; PAGE]], n: usize) {
    let content = |delta: usize| &contents[(n * deltas + delta) % contents.len()][..];
    if deltas == 1 {
        state.update(page, content(0), Note::NONE).expect("an update");
        return;
    }
    let mut batch = Batch::new(state);
    for delta in 0..deltas {
        batch.update(page, content(delta)).expect("a delta");
    }
    batch.commit(Note::NONE).expect("a batch");
}

fn row(id: &str, work: &str, shape: &Shape, deltas: usize, bar: f64) {
    let round = (20 * ROUND / shape.pages()).clamp(1, ROUND);
    let rounds = if shape.pages() > 1_000 { 15 } else { ROUNDS };
    let (ours, salsa) = measure(shape, deltas, rounds, round);
    let figures = [("work", work.to_owned()), ("ours", ns(ours)), ("salsa", ns(salsa))];
    print(id, &figures, ours / salsa, Bar::AtMost(bar));
}

pub fn g1() {
    row("G1", "passthrough", &Shape::chain(2), 1, 1.5);
}

pub fn g2() {
    row("G2", "chain-10", &Shape::chain(10), 1, 1.5);
}

pub fn g3() {
    row("G3", "chain-32", &Shape::chain(32), 4, 1.5);
}

pub fn g4() {
    row("G4", "chain-128", &Shape::chain(128), 2, 1.5);
}

pub fn g5() {
    row("G5", "fan-out", &Shape::fan_out(10_000), 1, 0.7);
    row("G5", "fan-in", &Shape::fan_in(10_000), 1, 0.7);
    row("G5", "diamonds", &Shape::ladder(5_000), 1, 0.7);
}

/// An update with equal bytes: no record, nothing computed.
pub fn g6() {
    let (_dir, state) = durable();
    let pages = Shape::chain(2).build(&state);
    let content = content(1);
    state.update(pages[0], &content, Note::NONE).expect("an update");
    let before = (state.stats().expect("stats").records, state.propagation_stats().expect("stats"));
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(time(ROUND, || {
            for _ in 0..ROUND {
                let lsn = state.update(pages[0], &content, Note::NONE).expect("an update");
                assert!(lsn.is_none());
            }
        }));
    }
    let after = (state.stats().expect("stats").records, state.propagation_stats().expect("stats"));
    assert_eq!(before, after);
    let took = median(times);
    print("G6", &[("ours", ns(took))], took, Bar::AtMost(30.0));
}
