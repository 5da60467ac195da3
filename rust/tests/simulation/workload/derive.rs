//! Derived pages: what they are computed of, how and when.

use super::{Actor, EDGE, OPERATIONS, Operation};
use crate::checker;
use crate::model::Effect;
use crate::rules::{self, Way};
use mmsb::stdx::prng::Prng;
use mmsb::{EdgeKind, ErrorKind, Lsn, Note, PageId, Propagation, Query, Result, Rule, State};
use std::cell::Cell;

thread_local! {
    /// What this thread does reads the log.
    static READS_LOG: Cell<bool> = const { Cell::new(false) };
}

/// Does what must not call a callback.
pub fn without_callbacks<R>(read: impl FnOnce() -> R) -> R {
    READS_LOG.set(true);
    let read = read();
    READS_LOG.set(false);
    read
}

/// Parents of a page at most.
const PARENTS_MAX: u64 = 3;

impl Actor<'_> {
    /// Begins a life: gives the key, registers what pages are computed by, and says when.
    pub fn begin(&mut self, mode: Propagation, dice: u64) {
        self.operation = named("switch propagation");
        self.dice = Prng::new(dice);
        let notes = self.world.notes.clone();
        let registered =
            self.state().register(rules::CALLBACK, move |of: &[&[u8]], out: &mut _| {
                if READS_LOG.get() {
                    notes.wrong(|| "what reads the log calls a callback".to_owned());
                }
                rules::mix(of, out);
                Ok(())
            });
        let unlocked = match self.world.setup.private && !self.world.sealed {
            true => self.state().unlock(&checker::KEY),
            false => Ok(()),
        };
        if let Err(error) = unlocked.and(registered).and_then(|()| self.settle(mode)) {
            self.judge(&error);
        }
    }

    /// Has derived pages follow in that mode. Immediate, what is stale is computed with the next change
    /// of what is computed or computed from: with which, the dice decide. If none can be made, the
    /// state stays deferred, so that everybody knows what is computed when.
    fn settle(&mut self, mode: Propagation) -> Result<()> {
        self.set_mode(mode)?;
        if mode == Propagation::Deferred {
            return Ok(());
        }
        if !self.state().stale_pages()?.is_empty() {
            let done = match self.dice.below(8) {
                0 | 1 => feed(self),
                2 => derive(self),
                3 => set_rule(self),
                4 => underive(self),
                5 => rebind(self),
                _ => propagate(self),
            };
            if let Err(error) = done {
                self.judge(&error);
            }
        }
        let mut done = Ok(());
        if !self.state().stale_pages()?.is_empty() {
            done = propagate(self);
        }
        if !self.state().stale_pages()?.is_empty() {
            self.set_mode(Propagation::Deferred)?;
        }
        done
    }

    fn set_mode(&mut self, mode: Propagation) -> Result<()> {
        self.state().set_propagation(mode)?;
        self.history().mode = mode;
        self.tell(|| format!("{mode:?} propagation"));
        Ok(())
    }

    /// A page that is computed, if a few looks find one.
    fn computed(&mut self) -> Option<PageId> {
        for _ in 0..8 {
            let page = self.page()?;
            if matches!(self.state().rule(page), Ok(Some(_))) {
                return Some(page);
            }
        }
        None
    }

    /// The pages that a page has edges for data from.
    fn sources(&self, page: PageId) -> Result<Vec<PageId>> {
        let parents = self.state().parents(page)?;
        let data = parents.iter().filter(|link| link.kind == EdgeKind::Data);
        Ok(data.map(|link| link.page).collect())
    }

    /// A way to compute a page of these parents.
    fn way(&mut self, page: PageId, parents: &[PageId]) -> Result<Option<(Way, Rule)>> {
        let state = self.state();
        let sizes: Vec<u64> =
            parents.iter().map(|&parent| state.page_size(parent)).collect::<Result<_>>()?;
        let size = state.page_size(page)?;
        let way = Way::draw(&mut self.dice, &sizes, size);
        Ok(way.map(|way| (way, way.rule(size))))
    }
}

fn named(name: &str) -> &'static Operation {
    let found = OPERATIONS.iter().find(|operation| operation.name == name);
    found.unwrap_or(&OPERATIONS[0])
}

pub fn derive(actor: &mut Actor<'_>) -> Result<()> {
    let Some(child) = actor.page() else { return Ok(()) };
    let mut parents = Vec::new();
    for _ in 0..1 + actor.dice.below(PARENTS_MAX) {
        let Some(parent) = actor.page() else { continue };
        // Mostly as pages come, so that not too many close a cycle.
        let forward = parent < child || actor.dice.one_in(8);
        if forward && parent != child && !parents.contains(&parent) {
            parents.push(parent);
        }
    }
    let Some((way, rule)) = actor.way(child, &parents)? else { return Ok(()) };
    let of = parents.iter().map(|parent| parent.0).collect();
    let effect = Effect::Rule { page: child.0, parents: Some(of), way: Some(way) };
    let call = |state: &State, note: Note<'_>| match &rule {
        Rule::Formula(text) => state.derive(child, &parents, text, note),
        Rule::Callback(name) => state.derive_by(child, &parents, name, note),
    };
    let private = |page: &PageId| actor.state().is_private(*page);
    let shows =
        private(&child)? || parents.iter().map(private).any(|known| matches!(known, Ok(true)));
    match actor.change(vec![effect], call) {
        Err(error) if shows && error.kind() == ErrorKind::InvalidArgument => Ok(()),
        done => done.map(drop),
    }
}

/// Another way, of the parents that a page has.
pub fn set_rule(actor: &mut Actor<'_>) -> Result<()> {
    let page = match actor.dice.one_in(4) {
        true => actor.page(),
        false => actor.computed(),
    };
    let Some(page) = page else { return Ok(()) };
    let parents = actor.sources(page)?;
    let Some((way, rule)) = actor.way(page, &parents)? else { return Ok(()) };
    let effect = Effect::Rule { page: page.0, parents: None, way: Some(way) };
    let call = |state: &State, note: Note<'_>| match &rule {
        Rule::Formula(text) => state.set_formula(page, text, note),
        Rule::Callback(name) => state.set_callback(page, name, note),
    };
    actor.change(vec![effect], call).map(drop)
}

pub fn underive(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.computed() else { return Ok(()) };
    let effect = Effect::Rule { page: page.0, parents: None, way: None };
    actor.change(vec![effect], |state, note| state.underive(page, note)).map(drop)
}

pub fn propagate(actor: &mut Actor<'_>) -> Result<()> {
    actor.ask(vec![Effect::Propagate], |state, note| state.propagate(note)).map(drop)
}

/// Writes to a page that another one is computed from.
fn feed(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.computed() else { return Ok(()) };
    let sources = actor.sources(page)?;
    let at = actor.dice.below(sources.len().max(1) as u64) as usize;
    let Some(&source) = sources.get(at) else { return Ok(()) };
    let size = actor.state().page_size(source)?;
    let bytes = actor.bytes(size as usize);
    let effect = Effect::Write { page: source.0, pieces: vec![(0, bytes.clone())] };
    actor.change(vec![effect], |state, note| state.update(source, &bytes, note)).map(drop)
}

/// Takes a parent from a page that is computed, or gives it one.
fn rebind(actor: &mut Actor<'_>) -> Result<()> {
    let (Some(page), Some(other)) = (actor.computed(), actor.page()) else { return Ok(()) };
    let (kind, sources) = (EdgeKind::Data, actor.sources(page)?);
    let there = !sources.contains(&other);
    if other == page {
        return Ok(());
    }
    let effect = Effect::Edge { page: page.0, parent: other.0, kind, there };
    let call = |state: &State, note: Note<'_>| match there {
        true => state.add_edge(other, page, kind, note),
        false => state.remove_edge(other, page, kind, note).map(Some),
    };
    match actor.change(vec![effect], call) {
        Err(error) if EDGE.contains(&error.kind()) => Ok(()),
        done => done.map(drop),
    }
}

/// Has derived pages follow in the other mode, where nobody else writes who would not know.
pub fn switch(actor: &mut Actor<'_>) -> Result<()> {
    if actor.world.writers > 1 {
        return Ok(());
    }
    let mode = match actor.history().mode {
        Propagation::Immediate => Propagation::Deferred,
        Propagation::Deferred => Propagation::Immediate,
    };
    actor.settle(mode)
}

/// What a page was made of, back to what was written: the page itself comes first, everything is made of
/// what was there before it, and nothing is dropped that is kept.
pub fn explain(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.page() else { return Ok(()) };
    let before = actor.state().epoch(page)?;
    let told = without_callbacks(|| actor.state().explain(page))?;
    let all = Query { after: Some(Lsn::ZERO), ..Query::default() };
    let kept = told.dropped > 0 && actor.state().query(all).is_ok();
    actor.expect(!kept, || format!("of {page} all is kept, but it is explained by {told:?}"));
    let Some(first) = told.origins.first() else { return Ok(()) };
    let right = first.page == page && first.epoch >= before;
    actor.expect(right, || format!("{page} at epoch {before} is explained by {first:?}"));
    for origin in &told.origins {
        let of = origin.parents.iter().filter_map(|&at| told.origins.get(at));
        let earlier = of.clone().all(|parent| parent.lsn <= origin.lsn);
        actor.expect(earlier, || format!("{origin:?} is made of {:?}", of.collect::<Vec<_>>()));
    }
    Ok(())
}
