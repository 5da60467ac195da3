//! Row G7: what an edge costs, in the order that suits and in any other; and the order of a graph.

use crate::page::{durable, verify};
use crate::row::{Bar, median, ns, print, time};
use mmsb::{EdgeKind, Note, PageId, State};

const CHAIN: usize = 100_000;
const FAN_PAGES: usize = 10_000;
const FAN: usize = 4;
const ROUNDS: usize = 5;
/// Edges between two flushes, which are outside the timing.
const STRETCH: usize = 2_000;

pub fn g7() {
    chain("forwards", 100.0, |at| at);
    chain("backwards", 100.0, |at| CHAIN - 2 - at);
    // A stride that is prime to the length visits every edge, and no two neighbours in a row.
    chain("shuffled", 5_000.0, |at| at * 61_813 % (CHAIN - 1));
    order();
}

fn pages(state: &State, count: usize) -> Vec<PageId> {
    (0..count).map(|_| state.create_page(8, Note::NONE).expect("a page")).collect()
}

fn add(state: &State, parent: PageId, child: PageId) {
    let added = state.add_edge(parent, child, EdgeKind::Data, Note::NONE).expect("an edge");
    assert!(added.is_some());
}

/// A chain of pages, edge by edge, logged; `edge` says which one comes next.
fn chain(name: &str, bar: f64, edge: impl Fn(usize) -> usize) {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let (_dir, state) = durable();
        let pages = pages(&state, CHAIN);
        let edges: Vec<usize> = (0..CHAIN - 1).map(&edge).collect();
        let mut total = 0.0;
        for stretch in edges.chunks(STRETCH) {
            total += time(1, || {
                stretch.iter().for_each(|&at| add(&state, pages[at], pages[at + 1]));
            });
            state.flush().expect("a flush");
        }
        times.push(total / (CHAIN - 1) as f64);
        assert_eq!(state.edge_count().unwrap(), CHAIN as u64 - 1);
        let order = state.topological_order().unwrap();
        assert!(
            order
                .iter()
                .zip(0u32..)
                .all(|(&(page, height), at)| { height == at && page == pages[at as usize] })
        );
        verify(&state);
    }
    let per_edge = median(times);
    print("G7", &[("work", name.to_owned()), ("ours", ns(per_edge))], per_edge, Bar::AtMost(bar));
}

/// The order of pages, each of which four later ones derive from.
fn order() {
    let (_dir, state) = durable();
    let pages = pages(&state, FAN_PAGES);
    for (at, &parent) in pages.iter().enumerate() {
        let children = pages[at + 1..].iter().take(FAN);
        children.for_each(|&child| add(&state, parent, child));
    }
    let mut times = Vec::new();
    for _ in 0..40 {
        times.push(time(1, || assert_eq!(state.topological_order().unwrap().len(), FAN_PAGES)));
    }
    verify(&state);
    let took = median(times);
    let figures = [("work", "order".to_owned()), ("ours", ns(took))];
    print("G7", &figures, took / 1e6, Bar::AtMost(0.3));
}
