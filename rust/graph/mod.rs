//! The graph: which page derives from which, in an order that is always topological.
//!
//! ```text
//!   order     a list of places with growing labels; who must come later is moved, no more
//!   mod       edges, cycles, walks          picture   DOT and SVG
//!   dirty     what has to be computed anew, in waves
//! ```
//!
//! It is an index: what is true stands with each page (its parents are part of it as its metadata
//! is), and the graph is built from that when a state is opened or replayed, and kept beside it
//! afterwards. It knows ids and places, no contents.
//!
//! Invariants:
//! - Along every edge labels grow.
//! - A page has a place as long as it has an edge.
//! - Nothing here is recursive: chains may be as long as there are pages.

mod dirty;
mod order;
mod picture;

use crate::error::{Error, ErrorKind, Result};
use crate::types::{EdgeKind, Link, PageId};
use order::Order;
use smallvec::SmallVec;

pub use dirty::Dirty;
pub use picture::PICTURE_PAGES_MAX;

/// The tag of a place that is not derived.
pub const NO_TAG: u32 = u32::MAX;

/// Pages whose ids share the high bits have their places in one block.
const BLOCK_BITS: u32 = 12;
const NO_PLACE: u32 = u32::MAX;
/// Pages on a cycle that an error names; the middle of a longer one is left out.
const CYCLE_NAMED_MAX: usize = 8;

/// One end of an edge in 4 bytes: the place at the other end, and the kind in the high two bits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct End(u32);

const PLACE_BITS: u32 = 30;

impl End {
    fn new(place: u32, kind: EdgeKind) -> End {
        End(place | (kind as u32) << PLACE_BITS)
    }

    #[inline]
    fn place(self) -> u32 {
        self.0 & ((1 << PLACE_BITS) - 1)
    }

    #[inline]
    fn kind(self) -> EdgeKind {
        EdgeKind::from_u8((self.0 >> PLACE_BITS) as u8).unwrap_or_default()
    }
}

type Ends = SmallVec<[End; 4]>;

struct Node {
    id: u64,
    /// The last walk that came here.
    seen: u64,
    /// What the state has of a derived page.
    tag: u32,
    parents: Ends,
    children: Ends,
}

impl Default for Node {
    fn default() -> Node {
        Node { id: 0, seen: 0, tag: NO_TAG, parents: Ends::new(), children: Ends::new() }
    }
}

/// Which way a walk goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From parents to children.
    Down,
    /// From children to parents.
    Up,
}

/// All edges between the pages of a state.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<Node>,
    order: Order,
    /// Places that are not in use.
    free: Vec<u32>,
    /// From ids to places, in blocks.
    blocks: Vec<Option<Box<[u32; 1 << BLOCK_BITS]>>>,
    edges: u64,
    /// Counts walks; see [`Node::seen`].
    walks: u64,
}

/// One direction of the search that an edge against the order asks for.
struct Search {
    way: Way,
    /// What it marks nodes with.
    mark: u64,
    found: Vec<u32>,
    /// The found node whose edges are looked at, and which of them is next.
    at: usize,
    edge: usize,
}

/// What a step of a search came to.
enum Step {
    On,
    /// It has seen all that it can reach in its range.
    Done,
    /// It met the other search.
    Met,
}

impl Graph {
    /// A graph of all these edges, each with its child first. In time linear in their number.
    ///
    /// # Errors
    /// `Cycle` if they close one.
    pub fn build(edges: impl Iterator<Item = (PageId, Link)>) -> Result<Graph> {
        let mut graph = Graph::default();
        for (child, Link { page, kind }) in edges {
            let (parent, child) = (graph.place_or_new(page)?, graph.place_or_new(child)?);
            graph.connect(parent, child, kind);
        }
        graph.sort()?;
        Ok(graph)
    }

    /// Puts all places in order: parents before children.
    fn sort(&mut self) -> Result<()> {
        let mut waiting: Vec<u32> = self.nodes.iter().map(|n| n.parents.len() as u32).collect();
        let mut ready: Vec<u32> =
            (0..waiting.len() as u32).filter(|&at| waiting[at as usize] == 0).collect();
        let mut next = 0;
        while let Some(&place) = ready.get(next) {
            next += 1;
            for child in &self.nodes[place as usize].children {
                let left = &mut waiting[child.place() as usize];
                *left -= 1;
                if *left == 0 {
                    ready.push(child.place());
                }
            }
        }
        if let Some(place) = waiting.iter().position(|&left| left > 0) {
            let id = self.nodes[place].id;
            return Err(Error::new(ErrorKind::Cycle, format!("page {id} derives from itself")));
        }
        ready.iter().for_each(|&place| self.order.append(place));
        Ok(())
    }

    /// Number of edges.
    pub fn edges(&self) -> u64 {
        self.edges
    }

    /// Number of pages with edges.
    pub fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Whether there is no edge.
    pub fn is_empty(&self) -> bool {
        self.edges == 0
    }

    /// Where a page with edges stands, as long as it has any.
    #[inline]
    pub fn place(&self, id: PageId) -> Option<u32> {
        let block = self.blocks.get((id.0 >> BLOCK_BITS) as usize)?.as_ref()?;
        let place = block[id.0 as usize & ((1 << BLOCK_BITS) - 1)];
        (place != NO_PLACE).then_some(place)
    }

    /// The page at a place.
    #[inline]
    pub fn page(&self, place: u32) -> PageId {
        PageId(self.nodes[place as usize].id)
    }

    /// What the state calls the derived page at a place, [`NO_TAG`] for other pages.
    #[inline]
    pub fn tag(&self, place: u32) -> u32 {
        self.nodes[place as usize].tag
    }

    /// Marks a place as derived, or no longer.
    pub fn set_tag(&mut self, place: u32, tag: u32) {
        self.nodes[place as usize].tag = tag;
    }

    fn seat(&mut self, id: u64) -> &mut u32 {
        let block = (id >> BLOCK_BITS) as usize;
        if block >= self.blocks.len() {
            self.blocks.resize_with(block + 1, || None);
        }
        let block = &mut self.blocks[block];
        let block = block.get_or_insert_with(|| Box::new([NO_PLACE; 1 << BLOCK_BITS]));
        &mut block[id as usize & ((1 << BLOCK_BITS) - 1)]
    }

    /// The page's place, a new one if it has none; a new one is not in order yet.
    fn place_or_new(&mut self, id: PageId) -> Result<u32> {
        match self.place(id) {
            Some(place) => Ok(place),
            None => self.new_place(id),
        }
    }

    /// A place for a page that has none.
    fn new_place(&mut self, id: PageId) -> Result<u32> {
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.nodes.len() >> PLACE_BITS > 0 => {
                let max = 1u32 << PLACE_BITS;
                let message = format!("{id} would be one page with edges too many; {max} may be");
                return Err(Error::new(ErrorKind::TooLarge, message));
            }
            None => {
                self.nodes.push(Node::default());
                self.nodes.len() as u32 - 1
            }
        };
        self.nodes[place as usize].id = id.0;
        *self.seat(id.0) = place;
        Ok(place)
    }

    fn connect(&mut self, parent: u32, child: u32, kind: EdgeKind) {
        self.nodes[parent as usize].children.push(End::new(child, kind));
        self.nodes[child as usize].parents.push(End::new(parent, kind));
        self.edges += 1;
    }

    /// Adds an edge; `false` if it is there already.
    ///
    /// # Errors
    /// `Cycle`, which names the pages on it; nothing has changed then.
    ///
    /// Cost: tens of ns where the order need not change. Else the smaller of two: the pages after
    /// the child and before the parent in the order, and those before the parent and after the
    /// child.
    ///
    /// # Source
    /// A search from both ends at once (Bender, Fineman, Gilbert, Tarjan, 2015) over the order of a
    /// list (Dietz, Sleator, 1987).
    pub fn insert(&mut self, parent: PageId, child: PageId, kind: EdgeKind) -> Result<bool> {
        if parent == child {
            let message = format!("{child} cannot derive from itself");
            return Err(Error::new(ErrorKind::Cycle, message));
        }
        let (from, to) = match (self.place(parent), self.place(child)) {
            (Some(from), Some(to)) => {
                if self.has(from, to, kind) {
                    return Ok(false);
                }
                if !self.order.is_before(from, to) {
                    self.reorder(from, to)?;
                }
                (from, to)
            }
            // What has no edges yet can stand at either end.
            (None, Some(to)) => {
                let from = self.new_place(parent)?;
                self.order.prepend(from);
                (from, to)
            }
            (Some(from), None) => {
                let to = self.new_place(child)?;
                self.order.append(to);
                (from, to)
            }
            (None, None) => {
                let from = self.new_place(parent)?;
                self.order.append(from);
                let to = self.new_place(child).inspect_err(|_| self.forget_lonely(from))?;
                self.order.append(to);
                (from, to)
            }
        };
        self.connect(from, to, kind);
        Ok(true)
    }

    /// Whether the edge is there: looked up at the end that has fewer.
    fn has(&self, from: u32, to: u32, kind: EdgeKind) -> bool {
        let (children, parents) =
            (&self.nodes[from as usize].children, &self.nodes[to as usize].parents);
        if children.len() < parents.len() {
            children.contains(&End::new(to, kind))
        } else {
            parents.contains(&End::new(from, kind))
        }
    }

    /// Whether the edge is there.
    pub fn contains(&self, parent: PageId, child: PageId, kind: EdgeKind) -> bool {
        match (self.place(parent), self.place(child)) {
            (Some(from), Some(to)) => self.has(from, to, kind),
            _ => false,
        }
    }

    /// Takes an edge away; `false` if it is not there.
    pub fn remove(&mut self, parent: PageId, child: PageId, kind: EdgeKind) -> bool {
        let (Some(from), Some(to)) = (self.place(parent), self.place(child)) else { return false };
        if !self.has(from, to, kind) {
            return false;
        }
        take_end(&mut self.nodes[from as usize].children, End::new(to, kind));
        take_end(&mut self.nodes[to as usize].parents, End::new(from, kind));
        self.edges -= 1;
        self.forget_lonely(from);
        self.forget_lonely(to);
        true
    }

    /// Takes the place of a page without edges away.
    fn forget_lonely(&mut self, place: u32) {
        let node = &self.nodes[place as usize];
        if node.parents.is_empty() && node.children.is_empty() {
            let id = node.id;
            *self.seat(id) = NO_PLACE;
            self.order.remove(place);
            self.nodes[place as usize] = Node::default();
            self.free.push(place);
        }
    }

    /// Takes all edges from parents to `child` away: the last one first, which is found at once.
    pub fn remove_parents(&mut self, child: PageId) {
        for link in self.links(child, Way::Up).into_iter().rev() {
            self.remove(link.page, child, link.kind);
        }
    }

    /// Makes room in the order for an edge from `from` to `to`, which stand the other way round.
    fn reorder(&mut self, from: u32, to: u32) -> Result<()> {
        self.walks += 2;
        let mut down = Search::new(Way::Down, to, self.walks - 1);
        let mut up = Search::new(Way::Up, from, self.walks);
        self.nodes[to as usize].seen = down.mark;
        self.nodes[from as usize].seen = up.mark;
        loop {
            for (search, limit) in [(&mut down, from), (&mut up, to)] {
                match self.step(search, limit) {
                    Step::On => {}
                    Step::Met => return Err(self.cycle(from, to)),
                    Step::Done => {
                        let way = search.way;
                        let mut moved = std::mem::take(&mut search.found);
                        moved.sort_unstable_by_key(|&place| self.order.label(place));
                        match way {
                            Way::Down => self.order.move_after(from, &moved),
                            Way::Up => self.order.move_before(to, &moved),
                        }
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Looks at one edge. `limit`: the node beyond which the order is right already.
    #[inline]
    fn step(&mut self, search: &mut Search, limit: u32) -> Step {
        let Some(&place) = search.found.get(search.at) else { return Step::Done };
        let node = &self.nodes[place as usize];
        let ends = if search.way == Way::Down { &node.children } else { &node.parents };
        let Some(end) = ends.get(search.edge) else {
            (search.at, search.edge) = (search.at + 1, 0);
            return if search.at < search.found.len() { Step::On } else { Step::Done };
        };
        search.edge += 1;
        let next = end.place();
        let beyond = match search.way {
            Way::Down => self.order.is_before(limit, next),
            Way::Up => self.order.is_before(next, limit),
        };
        if beyond {
            return Step::On;
        }
        let seen = &mut self.nodes[next as usize].seen;
        if *seen == search.mark {
            return Step::On;
        }
        // Both began in this walk, with marks side by side: the higher is the upward one's.
        let other = if search.way == Way::Down { search.mark + 1 } else { search.mark - 1 };
        if *seen == other {
            return Step::Met;
        }
        *seen = search.mark;
        search.found.push(next);
        Step::On
    }

    /// The error for an edge from `from` to `to`, from where a path leads back.
    #[cold]
    fn cycle(&mut self, from: u32, to: u32) -> Error {
        let path = self.path(to, from);
        let name = |place: &u32| self.nodes[*place as usize].id.to_string();
        let mut names: Vec<String> = path.iter().map(name).collect();
        if names.len() > CYCLE_NAMED_MAX {
            let left_out = names.len() - CYCLE_NAMED_MAX;
            let half = CYCLE_NAMED_MAX / 2;
            names.splice(half..half + left_out, [format!("({left_out} more)")]);
        }
        let (parent, child) = (self.nodes[from as usize].id, self.nodes[to as usize].id);
        let path = names.join(" -> ");
        let message =
            format!("an edge from page {parent} to page {child} would close {path} -> {child}");
        Error::new(ErrorKind::Cycle, message)
    }

    /// A path from `from` down to `to`, with both; there is one.
    fn path(&mut self, from: u32, to: u32) -> Vec<u32> {
        self.walks += 1;
        let mark = self.walks;
        let mut found = vec![(from, 0)];
        self.nodes[from as usize].seen = mark;
        let mut at = 0;
        while at < found.len() && found[at].0 != to {
            let place = found[at].0 as usize;
            for i in 0..self.nodes[place].children.len() {
                let child = self.nodes[place].children[i].place();
                if !self.order.is_before(to, child) && self.nodes[child as usize].seen != mark {
                    self.nodes[child as usize].seen = mark;
                    found.push((child, at));
                }
            }
            at += 1;
        }
        let mut path = Vec::new();
        while let Some(&(place, before)) = found.get(at) {
            path.push(place);
            if at == 0 {
                break;
            }
            at = before;
        }
        path.reverse();
        path
    }

    /// The edges of a page one way, ascending by page and kind.
    pub fn links(&self, id: PageId, way: Way) -> Vec<Link> {
        let Some(place) = self.place(id) else { return Vec::new() };
        let node = &self.nodes[place as usize];
        let ends = if way == Way::Down { &node.children } else { &node.parents };
        let link = |end: &End| Link {
            page: PageId(self.nodes[end.place() as usize].id),
            kind: end.kind(),
        };
        let mut links: Vec<Link> = ends.iter().map(link).collect();
        links.sort_unstable();
        links
    }

    /// Whether a page has children.
    pub fn has_children(&self, id: PageId) -> bool {
        self.place(id).is_some_and(|place| !self.nodes[place as usize].children.is_empty())
    }

    /// All pages that a walk from `id` reaches, ascending, without `id`.
    pub fn reach(&mut self, id: PageId, way: Way) -> Vec<PageId> {
        let Some(start) = self.place(id) else { return Vec::new() };
        self.walks += 1;
        let mark = self.walks;
        self.nodes[start as usize].seen = mark;
        let mut found = vec![start];
        let mut at = 0;
        while let Some(&place) = found.get(at) {
            at += 1;
            let node = &self.nodes[place as usize];
            let count = if way == Way::Down { node.children.len() } else { node.parents.len() };
            for i in 0..count {
                let node = &self.nodes[place as usize];
                let ends = if way == Way::Down { &node.children } else { &node.parents };
                let next = ends[i].place();
                let seen = &mut self.nodes[next as usize].seen;
                if std::mem::replace(seen, mark) != mark {
                    found.push(next);
                }
            }
        }
        let mut ids: Vec<PageId> =
            found[1..].iter().map(|&place| PageId(self.nodes[place as usize].id)).collect();
        ids.sort_unstable();
        ids
    }

    /// All pages with edges and their heights, the longest way from a page without parents:
    /// ascending by height, then by id. The same for the same edges, however they came to be.
    ///
    /// Cost: O(pages with edges + edges).
    pub fn levels(&self) -> Vec<(PageId, u32)> {
        let mut heights = vec![0u32; self.nodes.len()];
        let mut highest = 0;
        for place in self.order.iter() {
            let above = heights[place as usize] + 1;
            for child in &self.nodes[place as usize].children {
                let height = &mut heights[child.place() as usize];
                *height = (*height).max(above);
                highest = highest.max(above);
            }
        }
        // Counted, then placed in the order of ids: two passes instead of a sort.
        let mut ends = vec![0usize; highest as usize + 2];
        for place in self.order.iter() {
            ends[heights[place as usize] as usize + 1] += 1;
        }
        for height in 1..ends.len() {
            ends[height] += ends[height - 1];
        }
        let mut levels = vec![(PageId(0), 0); self.len()];
        for place in self.places_by_id() {
            let height = heights[place as usize];
            let seat = &mut ends[height as usize];
            levels[*seat] = (PageId(self.nodes[place as usize].id), height);
            *seat += 1;
        }
        levels
    }

    fn places_by_id(&self) -> impl Iterator<Item = u32> + '_ {
        let blocks = self.blocks.iter().flatten();
        blocks.flat_map(|block| block.iter().copied().filter(|&place| place != NO_PLACE))
    }

    /// Checks all invariants: for tests.
    #[cfg(test)]
    fn check(&self) {
        let mut edges = 0;
        let mut places = 0;
        for place in self.order.iter() {
            places += 1;
            let node = &self.nodes[place as usize];
            assert_eq!(self.place(PageId(node.id)), Some(place));
            assert!(!node.parents.is_empty() || !node.children.is_empty());
            for end in &node.children {
                edges += 1;
                assert!(self.order.is_before(place, end.place()), "against the order");
                let back = &self.nodes[end.place() as usize].parents;
                assert!(back.contains(&End::new(place, end.kind())));
            }
        }
        assert_eq!((edges, places), (self.edges, self.len()));
        self.order.check();
    }
}

impl Search {
    fn new(way: Way, start: u32, mark: u64) -> Search {
        Search { way, mark, found: vec![start], at: 0, edge: 0 }
    }
}

fn take_end(ends: &mut Ends, end: End) {
    if let Some(at) = ends.iter().rposition(|&other| other == end) {
        ends.swap_remove(at);
    }
}

#[cfg(test)]
mod tests;
