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
    // Three pages and two lines of the legend.
    assert_eq!((svg.matches("<text").count(), svg.matches("marker-end").count()), (5, 2));
    for id in 0..PICTURE_PAGES_MAX as u64 {
        insert(&mut graph, 10, 11 + id).unwrap();
    }
    assert_eq!(graph.to_svg().unwrap_err().kind(), ErrorKind::TooLarge);
}

/// What can be seen in an SVG picture.
struct Seen {
    /// The page, left, top, right and bottom of each box.
    boxes: Vec<(u64, [f64; 4])>,
    /// The colour of each edge and points along it, close together.
    edges: Vec<(String, Vec<(f64, f64)>)>,
}

impl Seen {
    fn new(svg: &str) -> Seen {
        let number = |line: &str, name: &str| attribute(line, name).parse::<f64>().unwrap();
        let boxes = svg.lines().filter(|line| line.starts_with("<rect x=")).map(|line| {
            let (x, y) = (number(line, "x"), number(line, "y"));
            let (width, height) = (number(line, "width"), number(line, "height"));
            let id = line.split(['<', '>']).rev().find_map(|text| text.parse().ok());
            (id.unwrap(), [x, y, x + width, y + height])
        });
        let edges = svg.lines().filter(|line| line.contains("marker-end"));
        let edges = edges
            .map(|line| (attribute(line, "stroke").to_owned(), points_along(attribute(line, "d"))));
        Seen { boxes: boxes.collect(), edges: edges.collect() }
    }

    /// The page whose box has this point on its lower or upper side.
    fn page_at(&self, (x, y): (f64, f64), side: Way) -> u64 {
        let touched = self.boxes.iter().find(|(_, [left, top, right, bottom])| {
            let edge = if side == Way::Down { bottom } else { top };
            y == *edge && *left < x && x < *right
        });
        touched.expect("an edge ends at a box").0
    }
}

fn attribute<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
    rest.split('"').next().unwrap()
}

/// Points along a path of moves (`M`), vertical lines (`V`) and cubic curves (`C`).
fn points_along(path: &str) -> Vec<(f64, f64)> {
    const STEPS: u32 = 300;
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (at, command) in path.match_indices(char::is_alphabetic) {
        let numbers = path[at + 1..].split(char::is_alphabetic).next().unwrap();
        let n: Vec<f64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        let from = points.last().copied().unwrap_or_default();
        let ends = match command {
            "M" => {
                points.push((n[0], n[1]));
                continue;
            }
            "V" => [from, from, (from.0, n[0]), (from.0, n[0])],
            "C" => [from, (n[0], n[1]), (n[2], n[3]), (n[4], n[5])],
            _ => panic!("an unknown command in {path}"),
        };
        points.extend((1..=STEPS).map(|step| {
            let t = f64::from(step) / f64::from(STEPS);
            let weights = [(1.0 - t).powi(3), 3.0 * t * (1.0 - t).powi(2), 3.0 * t * t * (1.0 - t)];
            let sum = |of: fn((f64, f64)) -> f64| {
                let inner: f64 = weights.iter().zip(ends).map(|(w, end)| w * of(end)).sum();
                inner + t.powi(3) * of(ends[3])
            };
            (sum(|end| end.0), sum(|end| end.1))
        }));
    }
    points
}

/// Where a line that only goes down is at every second height.
fn columns(points: &[(f64, f64)]) -> BTreeMap<u32, f64> {
    let mut columns = BTreeMap::new();
    for pair in points.windows(2) {
        let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
        assert!(y1 <= y2, "an edge goes up");
        for at in (y1 / 2.0).ceil() as u32..(y2 / 2.0).ceil() as u32 {
            columns.insert(at, x1 + (x2 - x1) * (f64::from(at) * 2.0 - y1) / (y2 - y1));
        }
    }
    columns
}

/// Checks that a picture shows each edge from its parent to its child, clear of all boxes and of
/// all other edges.
fn assert_all_is_seen(graph: &Graph) {
    let svg = graph.to_svg().unwrap();
    let seen = Seen::new(&svg);
    let mut expected = BTreeSet::new();
    for (id, _) in graph.levels() {
        for link in graph.links(id, Way::Down) {
            let (colour, _) = picture::look(link.kind);
            expected.insert((id.0, link.page.0, colour.to_owned()));
        }
    }
    let mut shown = BTreeSet::new();
    for (colour, points) in &seen.edges {
        let from = seen.page_at(points[0], Way::Down);
        let to = seen.page_at(points[points.len() - 1], Way::Up);
        shown.insert((from, to, colour.clone()));
        for (id, [left, top, right, bottom]) in &seen.boxes {
            let inside = |(x, y): &(f64, f64)| left < x && x < right && top < y && y < bottom;
            assert!(!points.iter().any(inside), "{from} -> {to} goes through {id}:\n{svg}");
        }
    }
    assert_eq!((shown, seen.edges.len()), (expected, graph.edges() as usize));
    let lines: Vec<_> = seen.edges.iter().map(|(_, points)| columns(points)).collect();
    for (i, one) in lines.iter().enumerate() {
        for (j, other) in lines[..i].iter().enumerate() {
            let near = |(at, x): &(&u32, &f64)| {
                other.get(at).is_some_and(|beside| (beside - *x).abs() < 2.0)
            };
            let hidden = one.iter().filter(near).count();
            let shorter = one.len().min(other.len());
            assert!(2 * hidden < shorter, "edges {j} and {i} are hard to tell apart:\n{svg}");
        }
    }
}

fn graph_of(edges: &[(u64, u64)], kinds: &[EdgeKind]) -> Graph {
    let mut graph = Graph::default();
    for &(parent, child) in edges {
        for &kind in kinds {
            graph.insert(page(parent), page(child), kind).unwrap();
        }
    }
    graph
}

#[test]
fn no_edge_of_a_picture_hides_behind_a_box_or_another_edge() {
    let chain: Vec<_> = (1..8).map(|id| (id, id + 1)).collect();
    let past: Vec<_> = (1..8).flat_map(|from| (from + 1..9).map(move |to| (from, to))).collect();
    let branches: Vec<_> = (2..14).map(|id| (id / 2, id)).chain([(1, 8), (1, 13)]).collect();
    let odd = [(1, 2), (1, 3), (2, 4), (2, 5), (3, 6), (4, 7), (6, 7), (1, 7), (3, 7), (1, 5)];
    for edges in [&[(1, 2), (2, 3), (3, 4), (1, 4)], &chain[..], &past, &branches, &odd] {
        assert_all_is_seen(&graph_of(edges, &EdgeKind::ALL[..1]));
        assert_all_is_seen(&graph_of(edges, &EdgeKind::ALL));
    }
    for seed in 1..=60 {
        let mut dice = Dice(seed);
        let mut graph = Graph::default();
        let pages = 3 + dice.below(25);
        for _ in 0..2 + dice.below(2 * pages) {
            let parent = 1 + dice.below(pages - 1);
            let child = parent + 1 + dice.below(pages - parent);
            let kind = EdgeKind::ALL[dice.below(4) as usize];
            graph.insert(page(parent), page(child), kind).unwrap();
        }
        assert_all_is_seen(&graph);
    }
}

#[test]
fn a_picture_names_the_kinds_that_occur() {
    let mut graph = graph_of(&[(1, 2)], &[EdgeKind::Data, EdgeKind::Device]);
    let names = |graph: &Graph| {
        let svg = graph.to_svg().unwrap();
        EdgeKind::ALL.map(|kind| svg.contains(&format!(">{}</text>", kind.name())))
    };
    assert_eq!(names(&graph), [true, false, true, false]);
    graph.remove(page(1), page(2), EdgeKind::Data);
    assert_eq!(names(&graph), [false, false, true, false]);
    graph.remove_parents(page(2));
    assert_eq!(names(&graph), [false; 4]);
}
