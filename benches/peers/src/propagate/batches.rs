//! Row G8: a batch of deltas, each to a page of its own, by two workers and by who has it.

use super::derived::PAGE;
use crate::page::{durable, verify};
use crate::row::{Bar, median, ns, print, time};
use mmsb::{Delta, Executor, ExecutorConfig, Note, PageId, State};

/// A batch has a delta of each page, as often as this.
const ROUNDS: usize = 4;
const BATCHES: usize = 60;

/// Deltas of whole pages, each other than the one before it to its page.
fn batch(pages: &[PageId], n: usize) -> Vec<Delta> {
    let delta = |round: usize, page| {
        let content = [(n * ROUNDS + round) as u8 ^ 0xa5; PAGE];
        Delta::dense(page, content).expect("a delta")
    };
    (0..ROUNDS).flat_map(|round| pages.iter().map(move |&page| delta(round, page))).collect()
}

fn on_this_thread(state: &State, deltas: Vec<Delta>) {
    for delta in deltas {
        assert!(state.apply(&delta).expect("a delta").is_some());
    }
}

fn on_workers(executor: &Executor, deltas: Vec<Delta>) {
    for result in executor.submit_deltas(deltas).expect("a batch").wait() {
        assert!(result.expect("a delta").is_some());
    }
}

fn row(pages: usize, bar: f64) {
    let (_dir, state) = durable();
    let page = || state.create_page(PAGE as u64, Note::NONE).expect("a page");
    let ids: Vec<PageId> = (0..pages).map(|_| page()).collect();
    let executor = state
        .executor(ExecutorConfig { workers: 2, ..ExecutorConfig::default() })
        .expect("an executor");
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for n in 0..BATCHES {
        let deltas = batch(&ids, 2 * n);
        one.push(time(ROUNDS * pages, || on_this_thread(&state, deltas)));
        state.flush().expect("a flush");
        let deltas = batch(&ids, 2 * n + 1);
        two.push(time(ROUNDS * pages, || on_workers(&executor, deltas)));
        state.flush().expect("a flush");
    }
    drop(executor);
    verify(&state);
    let (one, two) = (median(one), median(two));
    let figures = [("pages", pages.to_string()), ("one", ns(one)), ("two", ns(two))];
    print("G8", &figures, one / two, Bar::AtLeast(bar));
}

pub fn g8() {
    row(1024, 1.6);
    row(32, 1.0);
}
