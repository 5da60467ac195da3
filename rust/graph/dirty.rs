//! What has to be computed anew, parents first, each page once.
//!
//! ```text
//!   changed page ──> its derived children ──> a wave: pages none of which derives from another
//!                          ^                      │ those that come out different
//!                          └──────────────────────┘
//! ```
//!
//! The first dirty page of the order is ready. So are those after it that stand before every child of
//! the pages taken with them: whatever those reach stands after their children. A chain gives waves
//! of one page, a fan-out one wave of them all.

use super::{Graph, NO_TAG};
use crate::types::EdgeKind;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Label and place: ascends in topological order.
type Seat = (u64, u32);

/// The dirty places of a graph.
#[derive(Default)]
pub struct Dirty {
    /// What the walk marks places with that were dirty in it.
    mark: u64,
    /// Ascending, from `next` on. Most often all that are dirty.
    run: Vec<Seat>,
    next: usize,
    /// Those that became dirty while the run was not at its end.
    rest: BinaryHeap<Reverse<Seat>>,
    /// Those that became dirty since the last wave.
    new: Vec<Seat>,
}

impl Dirty {
    /// Begins with nothing, keeping memory.
    pub fn begin(&mut self, graph: &mut Graph) {
        graph.walks += 1;
        self.mark = graph.walks;
        self.run.clear();
        self.rest.clear();
        self.new.clear();
        self.next = 0;
    }

    /// Notes that `place`, which is derived, has to be computed.
    #[inline]
    pub fn add(&mut self, graph: &mut Graph, place: u32) {
        let seen = &mut graph.nodes[place as usize].seen;
        if std::mem::replace(seen, self.mark) != self.mark {
            self.new.push((graph.order.label(place), place));
        }
    }

    /// Whether the place was dirty in this walk.
    pub fn was_dirty(&self, graph: &Graph, place: u32) -> bool {
        graph.nodes[place as usize].seen == self.mark
    }

    /// Notes that the derived children of `place` have to be computed.
    #[inline]
    pub fn add_children(&mut self, graph: &mut Graph, place: u32) {
        for at in 0..graph.nodes[place as usize].children.len() {
            let child = graph.nodes[place as usize].children[at];
            if child.kind() == EdgeKind::Data && graph.tag(child.place()) != NO_TAG {
                self.add(graph, child.place());
            }
        }
    }

    /// The next wave, in topological order; empty at the end.
    pub fn next_wave(&mut self, graph: &Graph, wave: &mut Vec<u32>) {
        wave.clear();
        self.take_in_new();
        // Whatever derives from a page of the wave stands here or after it.
        let mut end = u64::MAX;
        while let Some((label, place)) = self.first().filter(|&(label, _)| label < end) {
            debug_assert_eq!(label, graph.order.label(place));
            self.drop_first();
            wave.push(place);
            end = end.min(graph.first_derived_child(place));
        }
    }

    fn take_in_new(&mut self) {
        if self.next < self.run.len() {
            self.rest.extend(self.new.drain(..).map(Reverse));
            return;
        }
        self.run.clear();
        self.next = 0;
        std::mem::swap(&mut self.run, &mut self.new);
        self.run.sort_unstable();
    }

    fn first(&self) -> Option<Seat> {
        let (run, rest) = (self.run.get(self.next), self.rest.peek());
        match (run, rest) {
            (Some(&run), Some(&Reverse(rest))) => Some(run.min(rest)),
            (run, rest) => run.copied().or(rest.map(|seat| seat.0)),
        }
    }

    fn drop_first(&mut self) {
        let run = self.run.get(self.next);
        match (run, self.rest.peek()) {
            (Some(run), Some(Reverse(rest))) if rest < run => drop(self.rest.pop()),
            (None, Some(_)) => drop(self.rest.pop()),
            _ => self.next += 1,
        }
    }
}

impl Graph {
    /// The least label of a derived child; the highest of all if there is none.
    fn first_derived_child(&self, place: u32) -> u64 {
        let children = &self.nodes[place as usize].children;
        let derived = children.iter().filter(|end| self.tag(end.place()) != NO_TAG);
        derived.map(|end| self.order.label(end.place())).min().unwrap_or(u64::MAX)
    }
}
