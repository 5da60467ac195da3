//! Random graphs and updates against a model that computes everything anew.

use super::common::Prng;
use super::{COPY, NOTE, SUM, assert_replays};
use mmsb::{Batch, Config, Durability, EdgeKind, ErrorKind, PageId, Propagation, State};
use std::collections::BTreeMap;

/// Histories of the short form; `MMSB_GRAPHS` sets another number.
fn graphs() -> u64 {
    std::env::var("MMSB_GRAPHS").map_or(60, |graphs| graphs.parse().unwrap())
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Sum,
    Copy,
    /// A callback: the lowest bit of all.
    Parity,
}

#[derive(Clone, Default)]
struct Node {
    value: u64,
    how: Option<How>,
    parents: Vec<PageId>,
    /// A parent changed since it was computed.
    stale: bool,
}

#[derive(Clone, Default)]
struct Model {
    nodes: BTreeMap<PageId, Node>,
    computed: u64,
}

impl Model {
    fn compute(&self, id: PageId) -> u64 {
        let node = &self.nodes[&id];
        let mut values = node.parents.iter().map(|parent| self.nodes[parent].value);
        match node.how {
            None => node.value,
            Some(How::Sum) => values.fold(0, u64::wrapping_add),
            Some(How::Copy) => values.next().unwrap(),
            Some(How::Parity) => values.fold(0, |a, b| a ^ b) & 1,
        }
    }

    fn put(&mut self, id: PageId, value: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        node.stale = false;
        if std::mem::replace(&mut node.value, value) != value {
            for child in self.nodes.values_mut().filter(|child| child.how.is_some()) {
                child.stale |= child.parents.contains(&id);
            }
        }
    }

    /// Computes everything, parents first, and counts what has to be.
    fn propagate(&mut self) {
        for id in self.order() {
            if self.nodes[&id].how.is_none() {
                continue;
            }
            let value = self.compute(id);
            match self.nodes[&id].stale {
                true => {
                    self.computed += 1;
                    self.put(id, value);
                }
                false => assert_eq!(self.nodes[&id].value, value, "the model's own marks"),
            }
        }
    }

    fn order(&self) -> Vec<PageId> {
        let mut order: Vec<PageId> = Vec::new();
        while order.len() < self.nodes.len() {
            let ready = |(id, node): &(&PageId, &Node)| {
                !order.contains(id) && node.parents.iter().all(|parent| order.contains(parent))
            };
            let ready: Vec<_> = self.nodes.iter().filter(ready).map(|(id, _)| *id).collect();
            order.extend(ready);
        }
        order
    }

    fn reaches(&self, from: PageId, to: PageId) -> bool {
        let children = self.nodes.iter().filter(|(_, node)| node.parents.contains(&from));
        from == to || children.map(|(id, _)| *id).any(|child| self.reaches(child, to))
    }
}

struct Life {
    state: State,
    model: Model,
    prng: Prng,
    mode: Propagation,
}

fn register(state: &State) {
    state
        .register("parity", |parents: &[&[u8]], out: &mut [u8]| {
            let bits = parents.iter().fold(0, |all, parent| all ^ parent[0]) & 1;
            out.fill(0);
            out[0] = bits;
            Ok(())
        })
        .unwrap();
}

impl Life {
    fn pick(&mut self) -> PageId {
        let ids: Vec<_> = self.model.nodes.keys().copied().collect();
        ids[self.prng.below(ids.len() as u64) as usize]
    }

    /// A step of the state, and of the model.
    fn step(&mut self) {
        match self.prng.below(20) {
            0 | 1 if self.model.nodes.len() < 40 => {
                let id = self.state.create_page(8, NOTE).unwrap();
                self.model.nodes.insert(id, Node::default());
            }
            2..6 => self.derive(),
            6 | 7 => self.change_edge(),
            8 => {
                let id = self.pick();
                if self.model.nodes[&id].how.is_some() {
                    self.state.underive(id, NOTE).unwrap().unwrap();
                    let node = self.model.nodes.get_mut(&id).unwrap();
                    (node.how, node.stale) = (None, false);
                }
                self.follow();
            }
            9 => self.switch(),
            10 => self.revert(),
            11 => {
                let lsn = self.state.propagate(NOTE).unwrap();
                assert!(lsn.is_none() || self.mode == Propagation::Deferred);
                self.model.propagate();
            }
            12 => self.free(),
            _ => self.write(),
        }
    }

    /// What immediate propagation does after a change.
    fn follow(&mut self) {
        if self.mode == Propagation::Immediate {
            self.model.propagate();
        }
    }

    fn write(&mut self) {
        let mut batch = Batch::new(&self.state);
        let mut model = self.model.clone();
        let mut changed = false;
        for _ in 0..1 + self.prng.below(4) {
            let (id, value) = (self.pick(), self.prng.below(3));
            if model.nodes[&id].how.is_some() {
                let error = self.state.update(id, &value.to_le_bytes(), NOTE).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Derived);
                continue;
            }
            batch.update(id, &value.to_le_bytes()).unwrap();
            model.put(id, value);
            changed = true;
        }
        if changed {
            batch.commit(NOTE).unwrap();
        }
        let inputs = |model: &Model| {
            let inputs = model.nodes.values().filter(|node| node.how.is_none());
            inputs.map(|node| node.value).collect::<Vec<_>>()
        };
        // Merged writes: only what differs at the end makes anything stale.
        if inputs(&model) != inputs(&self.model) {
            for (id, node) in &model.nodes {
                if node.how.is_none() {
                    self.model.put(*id, node.value);
                }
            }
            self.follow();
        }
    }

    fn derive(&mut self) {
        let id = self.pick();
        let mut parents = Vec::new();
        for _ in 0..1 + self.prng.below(3) {
            let parent = self.pick();
            if !parents.contains(&parent) {
                parents.push(parent);
            }
        }
        let how = [How::Sum, How::Copy, How::Parity][self.prng.below(3) as usize];
        let done = match how {
            How::Sum => self.state.derive(id, &parents, SUM, NOTE),
            How::Copy => self.state.derive(id, &parents, COPY, NOTE),
            How::Parity => self.state.derive_by(id, &parents, "parity", NOTE),
        };
        let mut without = self.model.clone();
        without.nodes.get_mut(&id).unwrap().parents.clear();
        let cycle = parents.iter().any(|&parent| self.model.reaches(id, parent));
        match done {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cycle, "{error}");
                assert!(cycle);
            }
            Ok(_) => {
                assert!(!cycle, "a cycle was accepted");
                let node = self.model.nodes.get_mut(&id).unwrap();
                (node.how, node.parents, node.stale) = (Some(how), parents, true);
                self.follow();
            }
        }
    }

    fn change_edge(&mut self) {
        let (parent, child) = (self.pick(), self.pick());
        let node = &self.model.nodes[&child];
        let derived = node.how.is_some();
        if node.parents.contains(&parent) {
            let last = node.parents.len() == 1;
            let gone = self.state.remove_edge(parent, child, EdgeKind::Data, NOTE);
            if derived && last {
                assert_eq!(gone.unwrap_err().kind(), ErrorKind::InvalidArgument);
                return;
            }
            gone.unwrap();
            let node = self.model.nodes.get_mut(&child).unwrap();
            node.parents.retain(|&other| other != parent);
            node.stale |= derived;
        } else if self.model.reaches(child, parent) {
            let error = self.state.add_edge(parent, child, EdgeKind::Data, NOTE).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Cycle);
            return;
        } else {
            self.state.add_edge(parent, child, EdgeKind::Data, NOTE).unwrap().unwrap();
            let node = self.model.nodes.get_mut(&child).unwrap();
            node.parents.push(parent);
            node.stale |= derived;
        }
        if derived {
            self.follow();
        }
    }

    fn switch(&mut self) {
        self.mode = match self.mode {
            Propagation::Immediate => Propagation::Deferred,
            Propagation::Deferred => Propagation::Immediate,
        };
        self.state.set_propagation(self.mode).unwrap();
        self.state.propagate(NOTE).unwrap();
        self.model.propagate();
    }

    fn revert(&mut self) {
        let (mark, model) = (self.state.soft_checkpoint().unwrap(), self.model.clone());
        let computed = {
            for _ in 0..self.prng.below(4) {
                match self.prng.below(3) {
                    0 => self.derive(),
                    1 => self.change_edge(),
                    _ => self.write(),
                }
            }
            self.model.computed
        };
        self.state.revert(&mark, NOTE).unwrap();
        self.model = Model { computed, ..model };
    }

    fn free(&mut self) {
        let id = self.pick();
        let child = self.model.nodes.values().any(|node| node.parents.contains(&id));
        let freed = self.state.free_page(id, NOTE);
        match child {
            true => assert_eq!(freed.unwrap_err().kind(), ErrorKind::HasChildren),
            false => {
                freed.unwrap();
                self.model.nodes.remove(&id);
            }
        }
        if self.model.nodes.is_empty() {
            let id = self.state.create_page(8, NOTE).unwrap();
            self.model.nodes.insert(id, Node::default());
        }
    }

    fn compare(&self) {
        for (&id, node) in &self.model.nodes {
            let bytes = self.state.read_all(id).unwrap();
            assert_eq!(bytes, node.value.to_le_bytes(), "{id}");
            let stale = self.state.staleness(id).unwrap() == mmsb::Staleness::Stale;
            assert_eq!(stale, node.stale, "{id} is stale");
        }
        let computed = self.state.propagation_stats().unwrap().computed;
        assert_eq!(computed, self.model.computed, "times that pages were computed");
    }

    /// Some page as it was at some time is what replay says.
    fn look_back(&mut self) {
        let last = self.state.flush().unwrap();
        let lsn = mmsb::Lsn(1 + self.prng.below(last.0));
        let past = self.state.replay_to(lsn).unwrap();
        for id in past.list_pages().unwrap() {
            let page = self.state.page_at(id, lsn).unwrap();
            assert_eq!(page.bytes, past.read_all(id).unwrap(), "{id} at {lsn}");
            assert_eq!(page.rule, past.rule(id).unwrap());
            assert_eq!(page.staleness, past.staleness(id).unwrap());
        }
    }
}

#[test]
fn random_graphs_are_as_computed_anew() {
    for seed in 1..=graphs() {
        let state = State::open(Config::memory()).unwrap();
        register(&state);
        let first = state.create_page(8, NOTE).unwrap();
        let nodes = BTreeMap::from([(first, Node::default())]);
        let model = Model { nodes, computed: 0 };
        let mode = Propagation::Immediate;
        let mut life = Life { state, model, prng: Prng(seed), mode };
        for step in 0..300 {
            life.step();
            life.compare();
            if step % 100 == 50 {
                assert_replays(&life.state);
                life.look_back();
            }
        }
        assert_replays(&life.state);
    }
}

#[test]
fn random_graphs_come_back_from_disk() {
    for seed in 1..=5 {
        let dir = tempfile::tempdir().unwrap();
        let config = || Config { durability: Durability::Memory, ..Config::durable(dir.path()) };
        let state = State::open(config()).unwrap();
        register(&state);
        let first = state.create_page(8, NOTE).unwrap();
        let nodes = BTreeMap::from([(first, Node::default())]);
        let model = Model { nodes, computed: 0 };
        let mode = Propagation::Immediate;
        let mut life = Life { state, model, prng: Prng(seed * 1000), mode };
        for _ in 0..6 {
            for _ in 0..60 {
                life.step();
            }
            life.compare();
            if life.prng.below(2) == 0 {
                life.state.checkpoint(None).unwrap();
                life.write();
            }
            let digest = life.state.digest().unwrap();
            let stale = life.state.stale_pages().unwrap();
            life.state.close().unwrap();
            life.state = State::open(config()).unwrap();
            assert_eq!(life.state.digest().unwrap(), digest);
            assert_eq!(life.state.stale_pages().unwrap(), stale);
            register(&life.state);
            life.state.set_propagation(life.mode).unwrap();
            life.model.computed = 0;
        }
    }
}
