use super::*;
use std::collections::{BTreeMap, BTreeSet};

fn page(id: u64) -> PageId {
    PageId(id)
}

fn insert(graph: &mut Graph, parent: u64, child: u64) -> Result<bool> {
    graph.insert(page(parent), page(child), EdgeKind::Data)
}

/// Numbers that look random, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// Edges in a map, and whether one can reach another by a plain search.
#[derive(Default)]
struct Naive(BTreeMap<u64, BTreeSet<(u64, EdgeKind)>>);

impl Naive {
    fn reach(&self, from: u64) -> BTreeSet<u64> {
        let mut reached = BTreeSet::new();
        let mut todo = vec![from];
        while let Some(id) = todo.pop() {
            for &(child, _) in self.0.get(&id).into_iter().flatten() {
                if reached.insert(child) {
                    todo.push(child);
                }
            }
        }
        reached
    }
}

#[test]
fn random_edges_are_as_in_a_naive_graph() {
    for seed in 1..=30 {
        let mut dice = Dice(seed);
        let (mut graph, mut naive) = (Graph::default(), Naive::default());
        let ids = 2 + dice.below(60);
        for step in 0..400 {
            let (from, to) = (1 + dice.below(ids), 1 + dice.below(ids));
            let kind = EdgeKind::ALL[dice.below(2) as usize];
            if dice.below(4) == 0 {
                let was = naive.0.entry(from).or_default().remove(&(to, kind));
                assert_eq!(graph.remove(page(from), page(to), kind), was);
            } else if from == to || naive.reach(to).contains(&from) {
                let error = graph.insert(page(from), page(to), kind).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Cycle);
            } else {
                let is_new = naive.0.entry(from).or_default().insert((to, kind));
                assert_eq!(graph.insert(page(from), page(to), kind).unwrap(), is_new);
            }
            if step % 20 == 0 {
                graph.check();
                let reached: Vec<u64> =
                    graph.reach(page(from), Way::Down).iter().map(|id| id.0).collect();
                assert_eq!(reached, naive.reach(from).into_iter().collect::<Vec<_>>());
            }
        }
        assert_same_as_built(&mut graph);
    }
}

fn assert_same_as_built(graph: &mut Graph) {
    let levels = graph.levels();
    let edges = levels.iter().flat_map(|&(id, _)| {
        graph.links(id, Way::Up).into_iter().map(move |link| (id, link)).collect::<Vec<_>>()
    });
    let built = Graph::build(edges).unwrap();
    built.check();
    assert_eq!(built.levels(), levels);
    assert_eq!(built.to_dot(), graph.to_dot());
}

#[test]
fn levels_are_longest_ways() {
    let mut graph = Graph::default();
    for (parent, child) in [(9, 4), (4, 5), (9, 5), (2, 5), (5, 1)] {
        assert!(insert(&mut graph, parent, child).unwrap());
    }
    let levels: Vec<_> = graph.levels().into_iter().map(|(id, height)| (id.0, height)).collect();
    assert_eq!(levels, [(2, 0), (9, 0), (4, 1), (5, 2), (1, 3)]);
}

#[test]
fn a_cycle_is_named_and_changes_nothing() {
    let mut graph = Graph::default();
    for (parent, child) in [(1, 2), (2, 3), (3, 4)] {
        insert(&mut graph, parent, child).unwrap();
    }
    let dot = graph.to_dot();
    let error = insert(&mut graph, 4, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cycle);
    let expected = "an edge from page 4 to page 1 would close 1 -> 2 -> 3 -> 4 -> 1";
    assert_eq!(error.message(), expected);
    let error = insert(&mut graph, 3, 3).unwrap_err();
    assert_eq!(error.message(), "page 3 cannot derive from itself");
    assert_eq!(graph.to_dot(), dot);
    graph.check();
}

#[test]
fn a_long_cycle_is_named_in_part() {
    let mut graph = Graph::default();
    for id in 1..100_000 {
        insert(&mut graph, id, id + 1).unwrap();
    }
    let error = insert(&mut graph, 100_000, 1).unwrap_err();
    assert!(error.message().contains("4 -> (99992 more) -> 99997"), "{error}");
    graph.check();
}

#[test]
fn chains_in_any_order_are_cheap() {
    let count = 100_000;
    let forwards: Vec<u64> = (1..count).collect();
    let backwards: Vec<u64> = forwards.iter().rev().copied().collect();
    let mut shuffled = forwards.clone();
    Dice(7).shuffle(&mut shuffled);
    for edges in [forwards, backwards, shuffled] {
        for down in [true, false] {
            let mut graph = Graph::default();
            for &id in &edges {
                let (parent, child) = if down { (id, id + 1) } else { (id + 1, id) };
                insert(&mut graph, parent, child).unwrap();
            }
            graph.check();
            assert_eq!(graph.levels().last().unwrap().1, count as u32 - 1);
        }
    }
}

#[test]
fn edges_at_one_spot_spread_its_labels() {
    let mut graph = Graph::default();
    insert(&mut graph, 1, 2).unwrap();
    for id in 3..3_000 {
        // Each new pair is put between 1 and what stands behind it.
        insert(&mut graph, id + 10_000, id).unwrap();
        insert(&mut graph, 1, id + 10_000).unwrap();
        insert(&mut graph, id, 2).unwrap();
    }
    graph.check();
}

#[test]
fn places_are_used_again() {
    let mut graph = Graph::default();
    for round in 0..3 {
        for id in 1..100 {
            insert(&mut graph, round * 1_000 + id, round * 1_000 + id + 1).unwrap();
        }
        assert_eq!((graph.len(), graph.edges()), (100, 99));
        for id in 2..=100 {
            graph.remove_parents(page(round * 1_000 + id));
        }
        assert!(graph.is_empty() && graph.levels().is_empty());
    }
    assert_eq!(graph.nodes.len(), 100);
}

#[test]
fn edges_that_close_a_cycle_are_not_built() {
    let link = |id| Link { page: page(id), kind: EdgeKind::Data };
    let edges = [(page(1), link(2)), (page(2), link(1))];
    assert_eq!(Graph::build(edges.into_iter()).err().unwrap().kind(), ErrorKind::Cycle);
}

#[test]
fn pictures_show_every_page_and_edge() {
    let mut graph = Graph::default();
    graph.insert(page(1), page(2), EdgeKind::Data).unwrap();
    graph.insert(page(1), page(3), EdgeKind::Control).unwrap();
    let dot = "digraph mmsb {\n  node [shape=box];\n  1;\n  2;\n  3;\n  1 -> 2;\n  \
               1 -> 3 [label=control, color=\"#1565c0\"];\n}\n";
    assert_eq!(graph.to_dot(), dot);
    let svg = graph.to_svg().unwrap();
    assert_eq!((svg.matches("<text").count(), svg.matches("marker-end").count()), (3, 2));
    for id in 0..PICTURE_PAGES_MAX as u64 {
        insert(&mut graph, 10, 11 + id).unwrap();
    }
    assert_eq!(graph.to_svg().unwrap_err().kind(), ErrorKind::TooLarge);
}
