//! A graph with ten edges a page. The short form has 10,000 pages; `MMSB_GRAPH_PAGES=1000000` makes it a
//! million of them and ten million edges (`make graph`), and tells what that takes.

use crate::common::Prng;
use mmsb::{Batch, Config, EdgeKind, ErrorKind, Location, Note, PageId, State};
use std::collections::HashMap;
use std::time::Instant;

const EDGES_PER_PAGE: u64 = 10;
/// Pages that stand in another order than they were created in.
const BLOCK: u64 = 64;
/// Most parents are at most so many pages away.
const NEAR: u64 = 1_000;
const KIND: EdgeKind = EdgeKind::Data;

type Edge = (PageId, PageId);

fn page_count() -> u64 {
    std::env::var("MMSB_GRAPH_PAGES").map_or(10_000, |pages| pages.parse().unwrap())
}

/// Says how long something took, and what the process holds.
fn told<R>(what: &str, work: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = work();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
        line.split_whitespace().next().map_or(0, |kib| kib.parse::<u64>().unwrap_or(0) / 1024)
    };
    let (now, most) = (mib("VmRSS:"), mib("VmHWM:"));
    println!("{what}: {:.2} s; {now} MiB, at most {most}", start.elapsed().as_secs_f64());
    result
}

fn create(state: &State, count: u64) {
    for first in (0..count).step_by(10_000) {
        let mut batch = Batch::new(state);
        for _ in first..count.min(first + 10_000) {
            batch.create_page(8, Location::Cpu).unwrap();
        }
        batch.commit(Note::NONE).unwrap();
    }
}

/// The page that stands at a place of the order in which all edges lead forward: within a block,
/// backwards.
fn page_at(place: u64, count: u64) -> PageId {
    let first = place / BLOCK * BLOCK;
    let last = count.min(first + BLOCK) - 1;
    PageId(1 + last - (place - first))
}

/// Ten parents for each page, as far as there are so many before it: most of them near.
fn edges(count: u64, prng: &mut Prng) -> Vec<Edge> {
    let mut edges = Vec::with_capacity((count * EDGES_PER_PAGE) as usize);
    for place in 1..count {
        let mut parents: Vec<u64> = Vec::new();
        while (parents.len() as u64) < EDGES_PER_PAGE.min(place) {
            let far = parents.len() >= 8;
            let parent = match far {
                true => prng.below(place),
                false => place - 1 - prng.below(place.min(NEAR)),
            };
            if !parents.contains(&parent) {
                parents.push(parent);
            }
        }
        let child = page_at(place, count);
        edges.extend(parents.into_iter().map(|parent| (page_at(parent, count), child)));
    }
    edges
}

fn add(state: &State, &(parent, child): &Edge) {
    assert!(state.add_edge(parent, child, KIND, Note::NONE).unwrap().is_some());
}

/// The index tells these edges, in the order in which they came, and an order of pages in which none
/// leads backwards.
fn assert_has(state: &State, edges: &[Edge], prng: &mut Prng) {
    assert_eq!(state.edge_count().unwrap(), edges.len() as u64);
    let order = state.topological_order().unwrap();
    let mut heights = vec![0; order.len() + 1];
    order.iter().for_each(|(page, height)| heights[page.0 as usize] = *height);
    for (parent, child) in edges {
        assert!(heights[parent.0 as usize] < heights[child.0 as usize], "{parent} -> {child}");
    }
    let (mut parents, mut children) = (HashMap::new(), HashMap::new());
    for _ in 0..1_000 {
        let &(parent, child) = prng.pick(edges).unwrap();
        parents.insert(child, Vec::new());
        children.insert(parent, Vec::new());
    }
    for &(parent, child) in edges {
        parents.get_mut(&child).into_iter().for_each(|of: &mut Vec<PageId>| of.push(parent));
        children.get_mut(&parent).into_iter().for_each(|of: &mut Vec<PageId>| of.push(child));
    }
    for (child, must) in parents {
        let found: Vec<_> = state.parents(child).unwrap().iter().map(|link| link.page).collect();
        assert_eq!(found, must, "parents of {child}");
    }
    for (parent, mut must) in children {
        must.sort();
        let found: Vec<_> = state.children(parent).unwrap().iter().map(|link| link.page).collect();
        assert_eq!(found, must, "children of {parent}");
    }
}

/// An edge back is refused: from a child to its parent, and from far below to the first page.
fn assert_no_cycles(state: &State, edges: &[Edge], prng: &mut Prng) {
    let count = state.page_count();
    let back = |from: PageId, to: PageId| {
        let error = state.add_edge(from, to, KIND, Note::NONE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cycle, "{from} -> {to}");
    };
    for _ in 0..100 {
        let &(parent, child) = prng.pick(edges).unwrap();
        back(child, parent);
    }
    for place in [count - 1, count / 2, count / 4] {
        let page = page_at(place, count);
        let ancestors = state.ancestors(page).unwrap();
        back(page, ancestors[0]);
        assert!(state.descendants(ancestors[0]).unwrap().contains(&page));
    }
}

#[test]
fn a_graph_of_many_pages_and_edges() {
    let (count, mut prng) = (page_count(), Prng(1));
    let dir = tempfile::tempdir().unwrap();
    let open = || State::open(Config::durable(dir.path())).unwrap();
    let state = open();
    told("pages", || create(&state, count));
    let mut edges = edges(count, &mut prng);
    told("edges", || edges.iter().for_each(|edge| add(&state, edge)));
    told("order, parents, children", || assert_has(&state, &edges, &mut prng));
    told("cycles", || assert_no_cycles(&state, &edges, &mut prng));
    // Every tenth edge goes, and half of those come again.
    let gone: Vec<Edge> = edges.iter().copied().step_by(10).collect();
    told("edges that go", || {
        for &(parent, child) in &gone {
            state.remove_edge(parent, child, KIND, Note::NONE).unwrap();
        }
    });
    let (again, gone) = gone.split_at(gone.len() / 2);
    told("edges that come again", || again.iter().for_each(|edge| add(&state, edge)));
    let stay = edges.iter().enumerate().filter(|(at, _)| at % 10 != 0).map(|(_, edge)| edge);
    edges = stay.chain(again).copied().collect();
    told("order, parents, children", || assert_has(&state, &edges, &mut prng));
    let digest = told("digest", || state.digest().unwrap());
    told("checkpoint", || state.checkpoint(None).unwrap());
    told("close", || state.close().unwrap());
    let state = told("open", open);
    assert_eq!(state.digest().unwrap(), digest);
    told("order, parents, children", || assert_has(&state, &edges, &mut prng));
    told("cycles", || assert_no_cycles(&state, &edges, &mut prng));
    gone.iter().take(1_000).for_each(|edge| add(&state, edge));
    told("close", || state.close().unwrap());
}
