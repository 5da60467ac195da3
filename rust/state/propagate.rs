//! Propagation: derived pages are computed in the group of the change that makes them stale.
//!
//! ```text
//!   change of a bound page
//!     edges      taken: nobody else changes what is computed from, or computed
//!     inputs     their new content, in frames of their own, of which record and page are made
//!     waves      each page that a changed one feeds, parents first: computed into a new frame;
//!                equal to what it was: cut off
//!     group      pages locked, one record, frames put in their places
//! ```
//!
//! No page is locked while anything is computed: callbacks may take long, and readers go on. A page is
//! *bound* if it is computed, or something is computed from it. Bound pages change with the index of
//! edges held alone, each such group above the last in the log: what a formula read when it was
//! computed live is what it reads when the record is applied.
//!
//! Deferred, a change marks what derives from it as stale, in the same group, and
//! [`State::propagate`] computes later.

use super::State;
use super::batch::{Change, Group};
use super::core::Core;
use super::graph::Edges;
use super::op::{self, kind};
use super::private::check_computable;
use super::rules::{Callback, Computed, Derivation, Recompute, Rules, Way, no_callback};
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{CALLBACK_NAME_BYTES_MAX, PROPAGATION_THREADS_MAX};
use crate::log::record::{EntryEnc, check_note};
use crate::log::{EntryHead, Log};
use crate::page::fresh::Fresh;
use crate::page::links::Links;
use crate::page::slot::{Body, SlotGuard};
use crate::page::table::Table;
use crate::page::{Runs, diff_at, payload_len};
use crate::propagate::Formula;
use crate::stdx::canary::{Canary, sings};
use crate::stdx::{sched, thread};
use crate::types::{EdgeKind, Link, Lsn, Note, PageId, Rule, Staleness};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

/// Bytes that are read and written for each thread of a wave at least: starting one takes tens of
/// microseconds, and so do some 100 KiB.
const THREAD_BYTES_MIN: u64 = 512 << 10;
/// A thread that is through takes the next share: some pages take longer than others.
const SHARES_PER_THREAD: usize = 8;
/// Threads that it is shared by if the caller says nothing, where there are as many cores.
const THREADS_DEFAULT: usize = 8;

/// As many threads as are of use where the caller says nothing.
pub(super) fn default_threads() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    (*CORES).min(THREADS_DEFAULT)
}

/// When derived pages are computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Propagation {
    /// In the group of the change: nobody ever sees a derived page that is not what its rule makes
    /// of its parents.
    #[default]
    Immediate = 0,
    /// When [`State::propagate`] is called; until then they are known as stale.
    Deferred = 1,
}

impl Propagation {
    /// The mode with this number, as the C interface carries it.
    pub const fn from_u8(n: u8) -> Option<Propagation> {
        match n {
            0 => Some(Propagation::Immediate),
            1 => Some(Propagation::Deferred),
            _ => None,
        }
    }
}

/// What a group does to a bound page, beside changes that are planned.
pub(super) struct Made<'a> {
    pub id: PageId,
    pub what: What,
    /// Its new frame.
    pub fresh: Option<Fresh<'a>>,
    /// It was marked as stale.
    pub was_stale: bool,
    /// Once it is locked; `None` if it is one of the group's own changes.
    pub page: Option<SlotGuard<'a>>,
    /// Which of the group's own changes it is.
    pub own: Option<u32>,
}

/// What happens to a bound page.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// It is written by hand: which of [`Derived::runs`] say where it differs.
    Written(u32),
    /// A formula made another content.
    Derived,
    /// A callback made another content; as above.
    Computed(u32),
    /// It becomes stale, or is found not to be.
    Marked(Staleness),
    /// That, as part of a change of the group's own.
    Merged(Staleness),
}

/// What a group does to bound pages.
#[derive(Default)]
pub(super) struct Derived<'a> {
    /// First what is written, ascending, then what comes of it, in the order in which it is computed.
    pub made: SmallVec<[Made<'a>; 2]>,
    /// Where contents differ.
    pub runs: SmallVec<[Runs; 1]>,
}

/// Counts of what propagation did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PropagationStats {
    /// Derived pages.
    pub derived: u64,
    /// Derived pages that are not what their rules make of their parents, or may not be.
    pub stale: u64,
    /// Times that a page was computed.
    pub computed: u64,
    /// Times that it came out as it was.
    pub cut_off: u64,
    /// Times that it was computed in a wave that several threads shared.
    pub shared: u64,
}

/// What propagation counts beside pages.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    computed: u64,
    cut_off: u64,
    shared: u64,
}

/// What a group does to the page at a place, in [`Slots`].
mod slot {
    /// Nothing.
    pub const NONE: u32 = u32::MAX;
    /// It frees it, or has it no longer computed.
    pub const GONE: u32 = u32::MAX - 1;
    /// It changes its content, which is not looked at: deferred.
    pub const FED: u32 = u32::MAX - 2;
    /// It changes how it is computed.
    pub const ANEW: u32 = u32::MAX - 3;
    // Less: which of `Derived::made` has its new content.
}

/// Where a propagation puts notes about places; empty between propagations.
#[derive(Default)]
pub struct Slots {
    by_place: Vec<u32>,
    used: Vec<u32>,
}

impl Slots {
    #[inline]
    fn get(&self, place: u32) -> u32 {
        self.by_place.get(place as usize).copied().unwrap_or(slot::NONE)
    }

    fn set(&mut self, place: u32, slot: u32) {
        let at = place as usize;
        if at >= self.by_place.len() {
            self.by_place.resize(at + 1, slot::NONE);
        }
        self.by_place[at] = slot;
        self.used.push(place);
    }

    fn clear(&mut self) {
        self.used.drain(..).for_each(|place| self.by_place[place as usize] = slot::NONE);
    }
}

/// A propagation on its way.
struct Run<'a, 'e> {
    core: &'a Core,
    edges: &'e mut Edges,
    derived: &'e mut Derived<'a>,
}

impl Core {
    /// Works out what `changes`, ascending, write to bound pages, and make of derived ones; immediate,
    /// also what makes all that is stale fresh.
    pub(super) fn derive<'a>(
        &'a self,
        edges: &mut Edges,
        changes: &[Change<'_>],
        mode: Propagation,
        derived: &mut Derived<'a>,
    ) -> Result<()> {
        if edges.rules.len() == 0 || changes.iter().any(Change::is_of_state) {
            return Ok(());
        }
        edges.slots.clear();
        edges.dirty.begin(&mut edges.graph);
        let mut run = Run { core: self, edges, derived };
        run.take_in(changes, mode)?;
        match mode {
            Propagation::Immediate => run.compute_all(),
            Propagation::Deferred => {
                run.mark_all();
                Ok(())
            }
        }
    }
}

impl<'a> Run<'a, '_> {
    /// Takes in what changes, and what is dirty for it.
    fn take_in(&mut self, changes: &[Change<'_>], mode: Propagation) -> Result<()> {
        for change in changes {
            let Edges { graph, slots, dirty, .. } = &mut *self.edges;
            let Some(place) = graph.place(change.id) else { continue };
            if change.free || matches!(change.rule, Some(None)) {
                slots.set(place, slot::GONE);
                continue;
            }
            if change.is_computed_anew() {
                slots.set(place, slot::ANEW);
                dirty.add(graph, place);
            }
            let mut runs = Runs::new();
            let Some(fresh) = change.preview(self.core, &mut runs)? else { continue };
            dirty.add_children(graph, place);
            let Derived { made, runs: all } = &mut *self.derived;
            let slot = match mode {
                Propagation::Deferred => slot::FED,
                Propagation::Immediate => made.len() as u32,
            };
            slots.set(place, slot);
            made.push(Made::written(change.id, all.len() as u32, fresh));
            all.push(runs);
        }
        Ok(())
    }

    /// Calls `visit` with the dirty places, wave by wave, parents first, as long as there are any.
    fn waves(&mut self, mut visit: impl FnMut(&mut Self, &[u32]) -> Result<()>) -> Result<()> {
        let mut wave = std::mem::take(&mut self.edges.wave);
        let done = loop {
            self.edges.dirty.next_wave(&self.edges.graph, &mut wave);
            let visited = visit(self, &wave);
            if wave.is_empty() || visited.is_err() {
                break visited;
            }
        };
        self.edges.wave = wave;
        done
    }

    /// Marks what derives from what changed.
    fn mark_all(&mut self) {
        let marked = self.waves(|run, wave| {
            wave.iter().for_each(|&place| run.mark(place));
            Ok(())
        });
        debug_assert!(marked.is_ok());
    }

    /// Where something is marked already, all that derives from it is.
    fn mark(&mut self, place: u32) {
        let Edges { graph, rules, slots, dirty, .. } = &mut *self.edges;
        let Some(derivation) = rules.get(graph.tag(place)) else { return };
        let own = slots.get(place);
        if own == slot::GONE {
            return;
        }
        let is_fed = |&(source, _): &(u32, PageId)| slots.get(source) == slot::FED;
        let stale = own == slot::ANEW || derivation.sources.iter().any(is_fed);
        let to = if stale { Staleness::Stale } else { Staleness::Behind };
        // A new rule makes its page fresh: it is marked again.
        if to > derivation.staleness || own == slot::ANEW {
            self.derived.made.push(Made::marked(derivation.page, to));
        }
        let is_first = derivation.staleness == Staleness::Fresh && !sings(Canary::ForgottenMark);
        if is_first || own == slot::ANEW {
            dirty.add_children(graph, place);
        }
    }

    /// Computes what is dirty, and what makes all that is stale fresh.
    fn compute_all(&mut self) -> Result<()> {
        let Edges { graph, rules, dirty, .. } = &mut *self.edges;
        for place in rules.stale.iter().filter_map(|&id| graph.place(id)).collect::<Vec<_>>() {
            let derivation = rules.get(graph.tag(place));
            if derivation.is_some_and(|derivation| derivation.staleness == Staleness::Stale) {
                dirty.add(graph, place);
            }
        }
        self.waves(Run::compute_wave)?;
        for &id in &self.edges.rules.stale {
            let slot = self.edges.graph.place(id).map_or(slot::GONE, |p| self.edges.slots.get(p));
            if slot == slot::NONE || slot == slot::ANEW {
                self.derived.made.push(Made::marked(id, Staleness::Fresh));
            }
        }
        Ok(())
    }

    /// Computes pages none of which derives from another: in their order, what by formulas on several
    /// threads if that is worth it. Nobody can tell: each page is computed of the same by the same.
    fn compute_wave(&mut self, wave: &[u32]) -> Result<()> {
        let threads = self.threads_for(wave);
        let mut beside = match threads {
            1 => Vec::new(),
            _ => self.compute_beside(wave, threads)?,
        }
        .into_iter();
        let mut runs = Runs::new();
        for &place in wave {
            let Edges { graph, rules, slots, dirty, counts, .. } = &mut *self.edges;
            let Some(derivation) = rules.get(graph.tag(place)) else { continue };
            if slots.get(place) == slot::GONE {
                continue;
            }
            counts.computed += 1;
            let contents = Contents { core: self.core, made: &self.derived.made, slots };
            let fresh = match &derivation.way {
                Way::Formula(_) if threads > 1 => {
                    counts.shared += 1;
                    match beside.next() {
                        Some((fresh, done)) => done?.then_some(fresh),
                        None => bail!(Internal, "{} was left out of its wave", derivation.page),
                    }
                }
                Way::Formula(formula) => contents.evaluate(derivation, formula)?,
                Way::Callback(name) => contents.call_back(derivation, name, rules, &mut runs)?,
            };
            let Some(fresh) = fresh else {
                counts.cut_off += 1;
                continue;
            };
            let what = match &derivation.way {
                Way::Formula(_) => What::Derived,
                Way::Callback(_) => {
                    self.derived.runs.push(std::mem::take(&mut runs));
                    What::Computed(self.derived.runs.len() as u32 - 1)
                }
            };
            slots.set(place, self.derived.made.len() as u32);
            self.derived.made.push(Made::of(derivation, what, fresh));
            if !sings(Canary::ForgottenChild) {
                dirty.add_children(graph, place);
            }
        }
        Ok(())
    }

    /// The pages of a wave that formulas compute.
    fn by_formula<'w>(
        &'w self,
        wave: &'w [u32],
    ) -> impl Iterator<Item = (&'w Derivation, &'w Formula)> {
        let Edges { graph, rules, slots, .. } = &*self.edges;
        let there = wave.iter().filter(|&&place| slots.get(place) != slot::GONE);
        there.filter_map(|&place| rules.get(graph.tag(place))).filter_map(|derivation| {
            match &derivation.way {
                Way::Formula(formula) => Some((derivation, &**formula)),
                Way::Callback(_) => None,
            }
        })
    }

    /// How many threads a wave is worth.
    fn threads_for(&self, wave: &[u32]) -> usize {
        let most = self.core.threads.load(Ordering::Relaxed);
        if wave.len() < 2 || most < 2 || sched::is_simulated() {
            return 1;
        }
        let (mut pages, mut work) = (0, 0);
        for (derivation, _) in self.by_formula(wave) {
            pages += 1;
            work += derivation.work;
        }
        most.min(pages).min((work / THREAD_BYTES_MIN) as usize).max(1)
    }

    /// Computes the pages of a wave that formulas compute, on so many threads, this one among them. Their
    /// new frames, and whether they differ from what is there, in the order of the wave.
    fn compute_beside(
        &self,
        wave: &[u32],
        threads: usize,
    ) -> Result<Vec<(Fresh<'a>, Result<bool>)>> {
        let Edges { slots, .. } = &*self.edges;
        let core = self.core;
        let contents = Contents { core, made: &self.derived.made, slots };
        let mut jobs = Vec::with_capacity(wave.len());
        for (derivation, formula) in self.by_formula(wave) {
            let (id, parents) = (derivation.page, contents.parents(derivation));
            let fresh = Fresh::raw(&core.table, derivation.size)?;
            jobs.push(Job { id, formula, parents, fresh, done: Ok(false) });
        }
        let share = jobs.len().div_ceil(threads * SHARES_PER_THREAD);
        let shares = Mutex::new(jobs.chunks_mut(share));
        let next = || shares.lock().next();
        let work = || {
            while let Some(share) = next() {
                share.iter_mut().for_each(|job| job.run(&core.table));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                // Whatever a thread that cannot be had would do is done by those that are there.
                let thread = std::thread::Builder::new().name("mmsb-propagate".to_owned());
                let _ = thread.spawn_scoped(scope, work);
            }
            work();
        });
        Ok(jobs.into_iter().map(|job| (job.fresh, job.done)).collect())
    }
}

/// A page that is computed beside others of its wave.
struct Job<'w, 'a> {
    id: PageId,
    formula: &'w Formula,
    parents: Parents<'w>,
    fresh: Fresh<'a>,
    /// Whether it comes out different.
    done: Result<bool>,
}

impl Job<'_, '_> {
    fn run(&mut self, table: &Table) {
        self.done = evaluate(table, self.id, self.formula, &self.parents, &mut self.fresh);
    }
}

/// Contents of a page's parents.
type Parents<'w> = SmallVec<[&'w [u8]; 4]>;

/// Computes a page into a frame of its own; whether that differs from what is there.
#[inline]
fn evaluate(
    table: &Table,
    id: PageId,
    formula: &Formula,
    parents: &[&[u8]],
    fresh: &mut Fresh<'_>,
) -> Result<bool> {
    let done = formula.eval(parents, fresh.bytes_mut());
    done.map_err(|error| failed(id, error.kind(), &error))?;
    // SAFETY: it is computed, hence bound, and the index of edges is held as long as waves are.
    Ok(unsafe { table.bound_content(id) } != fresh.bytes())
}

impl<'a> Made<'a> {
    fn written(id: PageId, runs: u32, fresh: Fresh<'a>) -> Self {
        let what = What::Written(runs);
        Made { id, what, fresh: Some(fresh), was_stale: false, page: None, own: None }
    }

    fn of(derivation: &Derivation, what: What, fresh: Fresh<'a>) -> Self {
        let was_stale = derivation.staleness != Staleness::Fresh;
        Made { id: derivation.page, what, fresh: Some(fresh), was_stale, page: None, own: None }
    }

    /// Has the page go on in a copy.
    pub fn copy(&mut self, core: &'a Core) -> Result<()> {
        let copy = self.page.as_ref().map(|page| Fresh::copy_of(&core.table, page));
        self.fresh = copy.transpose()?;
        Ok(())
    }

    fn marked(id: PageId, staleness: Staleness) -> Self {
        let what = What::Marked(staleness);
        Made { id, what, fresh: None, was_stale: false, page: None, own: None }
    }

    /// Whether metadata change, too.
    pub fn changes_meta(&self) -> bool {
        self.was_stale || matches!(self.what, What::Marked(_))
    }

    /// Whether what it is marked as may be another than before.
    pub fn marks(&self) -> bool {
        self.changes_meta() || matches!(self.what, What::Merged(_))
    }

    /// Whether somebody writes it by hand.
    pub fn is_written(&self) -> bool {
        matches!(self.what, What::Written(_))
    }

    /// Whether it is an entry of its own.
    pub fn is_entry(&self) -> bool {
        !matches!(self.what, What::Merged(_))
    }

    /// What it is marked as, from here on by the group's own change of its page.
    pub fn merge_mark(&mut self) -> Option<Staleness> {
        let What::Marked(staleness) = self.what else { return None };
        self.what = What::Merged(staleness);
        Some(staleness)
    }

    /// What it is after the group.
    pub fn staleness(&self) -> Staleness {
        match self.what {
            What::Marked(staleness) | What::Merged(staleness) => staleness,
            _ => Staleness::Fresh,
        }
    }

    /// Whether the page's frame must be copied before its mark changes.
    pub fn needs_copy(&self, core: &Core) -> bool {
        self.fresh.is_none() && self.page.as_ref().is_some_and(|page| core.must_keep(page))
    }

    /// Bytes of its entry's body.
    pub fn body_len(&self, runs: &[Runs]) -> usize {
        match self.what {
            What::Derived | What::Merged(_) => 0,
            What::Written(at) | What::Computed(at) => {
                let runs = &runs[at as usize];
                op::write_len(runs.len(), payload_len(runs))
            }
            What::Marked(_) => op::STALE_LEN,
        }
    }

    /// Writes its entry; `page` is the page.
    pub fn encode<'s>(&'s self, entries: &mut EntryEnc<'_, 's>, runs: &[Runs], page: &Body) {
        let (object, prev) = (self.id.0, page.lsn);
        let head = |kind, grows: bool| EntryHead {
            kind,
            object,
            prev,
            epoch: page.epoch + u64::from(grows),
        };
        let mut write = |kind, at: u32| {
            let (runs, body_len) = (&runs[at as usize], self.body_len(runs));
            let content = self.fresh.as_ref().map_or(&[][..], Fresh::bytes);
            let pieces = runs.iter().map(|run| (run.offset, &content[run.range()]));
            op::encode_write(entries, head(kind, true), body_len, pieces);
        };
        match self.what {
            What::Merged(_) => {}
            What::Written(at) => write(kind::WRITE, at),
            What::Computed(at) => write(kind::RESULT, at),
            What::Derived => {
                entries.entry(head(kind::DERIVE, true), 0);
            }
            What::Marked(staleness) => {
                entries.entry(head(kind::STALE, false), op::STALE_LEN).u8(staleness as u8);
            }
        }
    }

    /// Does it to the page, in the record `lsn`.
    pub fn apply(&mut self, core: &Core, page: &mut SlotGuard<'_>, lsn: Lsn) {
        if !self.is_entry() {
            return;
        }
        let grows = !matches!(self.what, What::Marked(_));
        if let Some(fresh) = self.fresh.take() {
            core.displace(self.id, page, Some(fresh), lsn, self.changes_meta());
        }
        if self.changes_meta() {
            let staleness = self.staleness();
            page.change_meta(|meta| meta.staleness = staleness);
        }
        page.epoch += u64::from(grows);
        page.lsn = lsn;
    }
}

/// What pages hold after the group, as far as it is known.
struct Contents<'a, 'r> {
    core: &'a Core,
    made: &'r [Made<'a>],
    slots: &'r Slots,
}

impl<'a, 'r> Contents<'a, 'r> {
    /// The content that the group gives the page at a place.
    #[inline]
    fn content(&self, place: u32) -> Option<&'r [u8]> {
        if sings(Canary::OldParent) {
            return None;
        }
        // What is said of other places is more than there is.
        self.made.get(self.slots.get(place) as usize)?.fresh.as_ref().map(Fresh::bytes)
    }

    /// What a page's parents hold.
    #[inline]
    fn parents(&self, derivation: &Derivation) -> Parents<'r> {
        let shown = |&(place, id): &(u32, PageId)| match self.content(place) {
            Some(bytes) => bytes,
            // SAFETY: what a page is computed from is bound, and the index of edges is held alone as
            // long as it is borrowed here.
            None => unsafe { self.core.table.bound_content(id) },
        };
        derivation.sources.iter().map(shown).collect()
    }

    /// The page's new frame; `None` if it stays as it is.
    #[inline]
    fn evaluate(&self, derivation: &Derivation, formula: &Formula) -> Result<Option<Fresh<'a>>> {
        let table = &self.core.table;
        let parents = self.parents(derivation);
        let mut fresh = Fresh::raw(table, derivation.size)?;
        let differs = evaluate(table, derivation.page, formula, &parents, &mut fresh)?;
        Ok(differs.then_some(fresh))
    }

    /// As [`evaluate`](Self::evaluate), by a callback; where it differs becomes `runs`.
    fn call_back(
        &self,
        derivation: &Derivation,
        name: &Arc<str>,
        rules: &Rules,
        runs: &mut Runs,
    ) -> Result<Option<Fresh<'a>>> {
        let table = &self.core.table;
        let (id, parents) = (derivation.page, self.parents(derivation));
        let callback = rules.callback(name).ok_or_else(|| no_callback(id, name))?;
        if !callback.on_any_thread && super::executor::is_worker() {
            bail!(CallbackFailed, "{}", not_here(id, name));
        }
        let mut fresh = Fresh::raw(table, derivation.size)?;
        self.call(id, &*callback.call, &parents, &mut fresh)?;
        // SAFETY: it is computed, hence bound, and the index of edges is held alone.
        diff_at(unsafe { table.bound_content(id) }, fresh.bytes(), 0, runs);
        Ok((!runs.is_empty()).then_some(fresh))
    }

    /// Calls a callback for the page `id`.
    fn call(
        &self,
        id: PageId,
        callback: &dyn Recompute,
        parents: &[&[u8]],
        out: &mut Fresh<'_>,
    ) -> Result<()> {
        let core = self.core;
        // What was there before is nothing that the content may depend on.
        out.bytes_mut().fill(0);
        core.call(id, callback, parents, out.bytes_mut())?;
        if core.check_purity.load(Ordering::Relaxed) {
            let mut again = vec![0; out.bytes().len()];
            core.call(id, callback, parents, &mut again)?;
            if again != out.bytes() {
                bail!(Impure, "the callback of {id} made two contents of the same parents");
            }
        }
        Ok(())
    }
}

impl Core {
    /// Calls a callback, with all calls of this thread to the state refused meanwhile.
    fn call(
        &self,
        id: PageId,
        callback: &dyn Recompute,
        parents: &[&[u8]],
        out: &mut [u8],
    ) -> Result<()> {
        let calling = Calling::begin(self);
        let done = catch_unwind(AssertUnwindSafe(|| callback.compute(id, parents, out)));
        drop(calling);
        let was_refused = self.refused_caller.swap(false, Ordering::Relaxed);
        match done {
            Ok(Ok(())) if was_refused => {
                bail!(CallbackFailed, "{id} cannot be computed: its callback calls its state")
            }
            Ok(done) => done.map_err(|error| failed(id, ErrorKind::CallbackFailed, &error)),
            Err(panic) => {
                let said = panic.downcast_ref::<&str>().copied().map(str::to_owned);
                let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
                let said = said.unwrap_or_else(|| "no message".to_owned());
                bail!(CallbackFailed, "{id} cannot be computed: its callback panicked: {said}")
            }
        }
    }

    /// Locks a page that a caller asks about.
    #[inline]
    pub fn lock_page(&self, id: PageId) -> Result<SlotGuard<'_>> {
        self.check_not_calling()?;
        self.table.lock(id)
    }

    /// Refuses calls from inside a callback: what it computes may depend on its arguments alone.
    #[inline]
    pub fn check_not_calling(&self) -> Result<()> {
        match self.caller.load(Ordering::Relaxed) {
            0 => Ok(()),
            caller => self.refuse_caller(caller),
        }
    }

    /// What a callback makes of an error is its own affair: that it was refused is kept.
    #[cold]
    fn refuse_caller(&self, caller: usize) -> Result<()> {
        if caller == thread::identity() {
            self.refused_caller.store(true, Ordering::Relaxed);
            bail!(Reentered, "a callback that computes a page calls its state");
        }
        Ok(())
    }
}

/// A callback on its way: which thread it is called on.
struct Calling<'a>(&'a Core);

impl Calling<'_> {
    fn begin(core: &Core) -> Calling<'_> {
        core.refused_caller.store(false, Ordering::Relaxed);
        core.caller.store(thread::identity(), Ordering::Relaxed);
        Calling(core)
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.0.caller.store(0, Ordering::Relaxed);
    }
}

fn not_here(id: PageId, name: &str) -> String {
    format!("{id} cannot be computed: its callback {name:?} is not called on an executor's workers")
}

#[cold]
fn failed(id: PageId, kind: ErrorKind, error: &Error) -> Error {
    Error::new(kind, format!("{id} cannot be computed: {}", error.message()))
}

impl Core {
    /// How derived pages follow `changes`.
    pub(super) fn propagation(&self) -> Propagation {
        Propagation::from_u8(self.propagation.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Has `id` computed by `rule` from `parents`, or no longer computed, in one group with what it
    /// comes to and all that derives from it. On error nothing changed.
    pub(super) fn commit_rule(
        &self,
        edges: &mut Edges,
        id: PageId,
        parents: Vec<Link>,
        rule: Option<Rule>,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        let mut inserted = Vec::new();
        let tried = self.try_rule(edges, id, &parents, rule.as_ref(), &mut inserted);
        let done = tried.and_then(|before| {
            let parents = (before != parents).then_some(parents);
            let changes = [Change { parents, rule: Some(rule), ..Change::nothing(id) }];
            self.commit_held(edges, Group { changes: &changes, note, listed: None }, Log::begin)
        });
        if !matches!(done, Ok(Some(_))) {
            edges.rules.forget(&mut edges.graph, id);
            for link in inserted {
                edges.graph.remove(link.page, id, link.kind);
            }
            edges.rules.refresh(&mut edges.graph, &self.table, id)?;
        }
        done
    }

    /// Has the index say that `id` is computed by `rule` from `parents`; notes the edges that come for
    /// it. Returns the page's parents so far.
    fn try_rule(
        &self,
        edges: &mut Edges,
        id: PageId,
        parents: &[Link],
        rule: Option<&Rule>,
        inserted: &mut Vec<Link>,
    ) -> Result<Vec<Link>> {
        let page = self.table.lock(id)?;
        let size = page.size;
        if rule.is_some() {
            check_computable(id, &page)?;
        }
        let before = page.meta().map(|meta| meta.parents().to_vec()).unwrap_or_default();
        let staleness = page.meta().map(|meta| meta.staleness).unwrap_or_default();
        drop(page);
        let mut sizes = Vec::new();
        for link in parents {
            let page = self.table.lock(link.page)?;
            if link.kind == EdgeKind::Data {
                if rule.is_some() {
                    check_computable(link.page, &page)?;
                }
                sizes.push(page.size as usize);
            }
        }
        let Some(rule) = rule else { return Ok(before) };
        if sizes.is_empty() {
            bail!(
                InvalidArgument,
                "{id} would be computed from nothing: it has no parent for data"
            );
        }
        let way = edges.rules.way(id, rule, &sizes, size)?;
        for &link in parents {
            edges.last = edges.last.max(self.mark_linked(link.page)?);
            if edges.graph.insert(link.page, id, link.kind)? {
                inserted.push(link);
            }
        }
        edges.last = edges.last.max(self.mark_linked(id)?);
        let Edges { graph, rules, last, .. } = edges;
        let written = rules.put(graph, &self.table, Computed { id, size, way, parents })?;
        *last = written.max(*last);
        rules.mark(graph, id, staleness);
        Ok(before)
    }

    fn derive_page(
        &self,
        id: PageId,
        sources: &[PageId],
        rule: Rule,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        self.derive_held(&mut *self.lock_edges()?, id, sources, rule, note)
    }

    /// As [`derive_page`](Self::derive_page), by a callback that is registered for it: if that comes to
    /// nothing, what was registered before is.
    fn derive_page_with(
        &self,
        id: PageId,
        sources: &[PageId],
        (name, callback): (&Arc<str>, Callback),
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        let mut edges = self.lock_edges()?;
        let replaced = edges.rules.register_for(id, name, callback)?;
        self.has_callbacks.store(true, Ordering::Relaxed);
        let rule = Rule::Callback(name.clone());
        let done = self.derive_held(&mut edges, id, sources, rule, note);
        let gone = match done {
            Ok(_) => replaced,
            Err(_) => edges.rules.put_back(name, replaced),
        };
        drop(edges);
        drop(gone);
        done
    }

    fn derive_held(
        &self,
        edges: &mut Edges,
        id: PageId,
        sources: &[PageId],
        rule: Rule,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        let meta = self.table.lock(id)?.share_meta().unwrap_or_default();
        let mut parents = Links::default();
        for &page in sources {
            if !parents.set(Link { page, kind: EdgeKind::Data }, true) {
                bail!(InvalidArgument, "{page} is given twice as a parent of {id}");
            }
        }
        for &link in meta.parents().iter().filter(|link| link.kind != EdgeKind::Data) {
            parents.set(link, true);
        }
        let parents = parents.as_slice().to_vec();
        self.commit_rule(edges, id, parents, Some(rule), note)
    }

    fn set_rule(&self, id: PageId, rule: Option<Rule>, note: Note<'_>) -> Result<Option<Lsn>> {
        let mut edges = self.lock_edges()?;
        let meta = self.table.lock(id)?.share_meta().unwrap_or_default();
        if rule.is_none() && meta.rule().is_none() {
            bail!(NotDerived, "{id} is not computed from others");
        }
        self.commit_rule(&mut edges, id, meta.parents().to_vec(), rule, note)
    }

    fn propagate(&self, note: Note<'_>) -> Result<Option<Lsn>> {
        let mut edges = self.lock_edges()?;
        let group = Group { changes: &[], note, listed: None };
        self.commit_as(&mut edges, group, Propagation::Immediate, Log::begin)
    }
}

/// Pages that are computed from others, by formulas (docs/formulas.md) or callbacks. They are pages
/// like all: in snapshots, history, images and the digest; but they are not written by hand.
///
/// # Errors
/// A write to a page that others are computed from can fail with what computing them says:
/// `NoCallback`, `CallbackFailed`, `Impure`, `RangeOutOfBounds` of a formula's indexes. Then nothing
/// changed.
impl State {
    /// Has `page` computed by a formula from `parents`, from now on and at once. They become its
    /// parents over edges for data; `None` if all is so already.
    ///
    /// # Errors
    /// `InvalidArgument` for the formula, with the place in it; `LengthMismatch` for sizes that do not
    /// fit it, `Cycle`, `PageNotFound`, `PageFreed`, `NotOwner`, `Immutable`. Then nothing changed.
    ///
    /// ```
    /// # use mmsb::{Config, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let page = |n| state.create_page(n, Note::NONE);
    /// let (sum, count, mean) = (page(8)?, page(8)?, page(8)?);
    /// state.update(count, &4f64.to_le_bytes(), Note::NONE)?;
    /// state.derive(mean, &[sum, count], "f64: p0 / max(p1, 1)", Note::NONE)?;
    /// state.update(sum, &10f64.to_le_bytes(), Note::from("feed"))?;
    /// assert_eq!(state.read_all(mean)?, 2.5f64.to_le_bytes());
    /// # Ok(()) }
    /// ```
    pub fn derive(
        &self,
        page: PageId,
        parents: &[PageId],
        formula: &str,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        check_note(note)?;
        let core = self.core();
        let rule = || Rule::Formula(formula.into());
        let lsn = core.in_turn(|| core.derive_page(page, parents, rule(), note))?;
        core.acknowledged(lsn)
    }

    /// As [`derive`](State::derive), by the callback that is registered under `name`.
    ///
    /// # Errors
    /// `NoCallback`, and those of `derive`.
    pub fn derive_by(
        &self,
        page: PageId,
        parents: &[PageId],
        name: &str,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        check_note(note)?;
        check_name(name)?;
        let core = self.core();
        let rule = || Rule::Callback(name.into());
        let lsn = core.in_turn(|| core.derive_page(page, parents, rule(), note))?;
        core.acknowledged(lsn)
    }

    /// As [`derive_by`](State::derive_by), by a function that is registered under `name` for it. If it
    /// fails, what was registered under that name before still is.
    ///
    /// # Errors
    /// Those of `derive_by`; `InvalidArgument` if another function of that name computes another page:
    /// [`register`](State::register) replaces it for all.
    ///
    /// ```
    /// # use mmsb::{Config, ErrorKind, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let page = || state.create_page(1, Note::NONE);
    /// let (a, b, c) = (page()?, page()?, page()?);
    /// let plus = |n: u8| move |parents: &[&[u8]], out: &mut [u8]| {
    ///     out[0] = parents[0][0] + n;
    ///     Ok(())
    /// };
    /// state.derive_with(b, &[a], "plus", plus(1), Note::NONE)?;
    /// let refused = state.derive_with(c, &[b], "plus", plus(2), Note::NONE).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    /// state.derive_by(c, &[b], "plus", Note::NONE)?;
    /// assert_eq!((state.read_all(b)?, state.read_all(c)?), (vec![1], vec![2]));
    /// # Ok(()) }
    /// ```
    pub fn derive_with(
        &self,
        page: PageId,
        parents: &[PageId],
        name: &str,
        callback: impl Recompute + 'static,
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        let callback = Callback { call: Arc::new(callback), on_any_thread: true };
        self.derive_as(page, parents, (name, callback), note)
    }

    /// As [`derive_with`](State::derive_with), for other languages: see
    /// [`register_as`](State::register_as).
    pub(crate) fn derive_as(
        &self,
        page: PageId,
        parents: &[PageId],
        (name, callback): (&str, Callback),
        note: Note<'_>,
    ) -> Result<Option<Lsn>> {
        check_note(note)?;
        check_name(name)?;
        let (core, name) = (self.core(), Arc::from(name));
        let by = || (&name, callback.clone());
        let lsn = core.in_turn(|| core.derive_page_with(page, parents, by(), note))?;
        core.acknowledged(lsn)
    }

    /// Registers a function that pages can be computed by, under a name that stands in the log, until
    /// the state is closed. What was registered under it goes, for all pages that are computed by it;
    /// they are computed anew when a parent changes. A state that is opened again needs it before a parent of such a page
    /// changes; replay does not.
    ///
    /// - `name`: 1 to 255 bytes.
    ///
    /// ```
    /// # use mmsb::{Config, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let (a, b) = (state.create_page(4, Note::NONE)?, state.create_page(4, Note::NONE)?);
    /// state.register("reversed", |parents: &[&[u8]], out: &mut [u8]| {
    ///     out.copy_from_slice(parents[0]);
    ///     out.reverse();
    ///     Ok(())
    /// })?;
    /// state.derive_by(b, &[a], "reversed", Note::NONE)?;
    /// state.write(a, 0, b"live", Note::NONE)?;
    /// assert_eq!(state.read_all(b)?, b"evil");
    /// # Ok(()) }
    /// ```
    pub fn register(&self, name: &str, callback: impl Recompute + 'static) -> Result<()> {
        self.register_as(name, Callback { call: Arc::new(callback), on_any_thread: true })
    }

    /// As [`register`](State::register), for other languages: some of their functions must not be
    /// called on threads of the engine's own, as executors have.
    pub(crate) fn register_as(&self, name: &str, callback: Callback) -> Result<()> {
        self.check_open()?;
        check_name(name)?;
        let core = self.core();
        let replaced = core.lock_edges()?.rules.register(name, callback);
        drop(replaced);
        core.has_callbacks.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a write may call a callback, or wait for one.
    pub fn has_callbacks(&self) -> bool {
        self.core().has_callbacks.load(Ordering::Relaxed)
    }

    /// Has `page` computed by a formula from the parents that it has over edges for data.
    ///
    /// # Errors
    /// As [`derive`](State::derive).
    pub fn set_formula(&self, page: PageId, formula: &str, note: Note<'_>) -> Result<Option<Lsn>> {
        check_note(note)?;
        let core = self.core();
        let rule = || Some(Rule::Formula(formula.into()));
        let lsn = core.in_turn(|| core.set_rule(page, rule(), note))?;
        core.acknowledged(lsn)
    }

    /// As [`set_formula`](State::set_formula), by a callback.
    ///
    /// # Errors
    /// As [`derive_by`](State::derive_by).
    pub fn set_callback(&self, page: PageId, name: &str, note: Note<'_>) -> Result<Option<Lsn>> {
        check_note(note)?;
        check_name(name)?;
        let core = self.core();
        let rule = || Some(Rule::Callback(name.into()));
        let lsn = core.in_turn(|| core.set_rule(page, rule(), note))?;
        core.acknowledged(lsn)
    }

    /// Makes a page an ordinary one, with the content that it has. Its edges stay.
    ///
    /// # Errors
    /// `NotDerived`.
    pub fn underive(&self, page: PageId, note: Note<'_>) -> Result<Option<Lsn>> {
        check_note(note)?;
        let core = self.core();
        let lsn = core.in_turn(|| core.set_rule(page, None, note))?;
        core.acknowledged(lsn)
    }

    /// What a page is computed by; `None` for one that is not.
    pub fn rule(&self, page: PageId) -> Result<Option<Rule>> {
        Ok(self.core().lock_page(page)?.meta().and_then(|meta| meta.rule().cloned()))
    }

    /// Whether a page is what its rule makes of its parents.
    pub fn staleness(&self, page: PageId) -> Result<Staleness> {
        let page = self.core().lock_page(page)?;
        Ok(page.meta().map(|meta| meta.staleness).unwrap_or_default())
    }

    /// The pages that are stale, or may be, ascending.
    pub fn stale_pages(&self) -> Result<Vec<PageId>> {
        Ok(self.core().lock_edges()?.rules.stale.iter().copied().collect())
    }

    /// Computes all that is stale, each page once, parents first, as one group. `None` if nothing is
    /// stale.
    ///
    /// # Errors
    /// Those of computing; then nothing changed.
    pub fn propagate(&self, note: Note<'_>) -> Result<Option<Lsn>> {
        check_note(note)?;
        let core = self.core();
        let lsn = core.in_turn(|| core.propagate(note))?;
        core.acknowledged(lsn)
    }

    /// When derived pages are computed.
    pub fn propagation(&self) -> Propagation {
        self.core().propagation()
    }

    /// Sets when derived pages are computed, until the state is closed. What is stale by then is
    /// computed with the next change of a bound page, or by [`propagate`](State::propagate).
    pub fn set_propagation(&self, mode: Propagation) -> Result<()> {
        self.check_open()?;
        // Held: nobody goes by the mode meanwhile.
        let _edges = self.core().lock_edges()?;
        self.core().propagation.store(mode as u8, Ordering::Relaxed);
        Ok(())
    }

    /// Threads that share in computing pages by formulas, where many are due at once that do not derive
    /// from each other: with so many bytes that it is worth it.
    pub fn propagation_threads(&self) -> usize {
        self.core().threads.load(Ordering::Relaxed)
    }

    /// Sets how many threads share in computing pages, this state's callers among them, until it is closed.
    /// At first as many as there are cores, 8 at most. The outcome is the same with any number. Callbacks
    /// are called on the caller's thread alone.
    ///
    /// - `threads`: 1 to 64, else `InvalidArgument`.
    pub fn set_propagation_threads(&self, threads: usize) -> Result<()> {
        self.check_open()?;
        if !(1..=PROPAGATION_THREADS_MAX).contains(&threads) {
            bail!(
                InvalidArgument,
                "{threads} threads to compute pages; there are 1 to {PROPAGATION_THREADS_MAX}"
            );
        }
        self.core().threads.store(threads, Ordering::Relaxed);
        Ok(())
    }

    /// Has each callback called twice from now on, and compared, or no longer.
    pub fn check_purity(&self, check: bool) -> Result<()> {
        self.check_open()?;
        self.core().check_purity.store(check, Ordering::Relaxed);
        Ok(())
    }

    /// What propagation did since the state was opened.
    pub fn propagation_stats(&self) -> Result<PropagationStats> {
        let edges = self.core().lock_edges()?;
        let (derived, stale) = (edges.rules.len() as u64, edges.rules.stale.len() as u64);
        let Counts { computed, cut_off, shared } = edges.counts;
        Ok(PropagationStats { derived, stale, computed, cut_off, shared })
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > CALLBACK_NAME_BYTES_MAX {
        let (n, max) = (name.len(), CALLBACK_NAME_BYTES_MAX);
        bail!(InvalidArgument, "a callback's name of {n} bytes; names have 1 to {max}");
    }
    Ok(())
}
