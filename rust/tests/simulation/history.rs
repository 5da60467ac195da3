//! What happened in a run, as its callers know it: what was asked, what was answered and seen, and
//! what was promised.

use crate::checker::Survivors;
use crate::model::{Effect, Fate, Group, Model, Observation, Seen};
use mmsb::stdx::sched;
use mmsb::{Durability, Error, Lsn, PageId, Propagation};
use std::collections::btree_map::Range;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// A named checkpoint, as far as its makers know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    /// It is kept, at this LSN.
    Kept(Lsn),
    /// It was dropped, or never made.
    Gone,
    /// Nobody can tell: its making or dropping failed, or others were at it at the same time.
    Unsure,
}

/// A name of checkpoints, and who is at it.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    pub named: Named,
    busy: u32,
    /// Somebody else was at it since the first of those who are.
    mixed: bool,
}

/// What must survive: every group at or below these LSNs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Promise {
    /// A power cut.
    pub durable: Lsn,
    /// The death of the process.
    pub written: Lsn,
}

/// Something that a transaction was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read {
    /// A page's content.
    Bytes { page: u64, bytes: Vec<u8> },
    /// The value of a page's metadata key, or that there is none.
    Meta { page: u64, key: Vec<u8>, value: Option<Vec<u8>> },
    /// Whether there is such a page.
    Exists { page: u64, there: bool },
    /// All pages, but for those that it changes itself.
    Listed { pages: Vec<u64>, without: Vec<u64> },
}

/// What somebody was told of one moment.
#[derive(Clone, Debug)]
pub struct Reader {
    pub what: String,
    /// The group that it ended as, by its place in [`History::groups`].
    pub group: Option<usize>,
    /// When it began, and when it was told the last, in the order of events.
    pub began: u64,
    pub ended: u64,
    pub reads: Vec<Read>,
}

/// A snapshot: every group at or below its LSN comes before it, all others after.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub lsn: Lsn,
    pub began: u64,
    pub ended: u64,
}

/// Everything that is known of a run.
#[derive(Debug)]
pub struct History {
    pub durability: Durability,
    /// When derived pages follow, of groups that are asked for now.
    pub mode: Propagation,
    /// Every group that is known to have survived into the present life, from the first on.
    pub past: Vec<Group>,
    /// Groups that earlier lives asked for and that did not survive.
    pub ghosts: Vec<Group>,
    /// What they make: the state at the beginning of the present life.
    pub base: Model,
    /// Groups that were asked for in the present life.
    pub groups: Vec<Group>,
    pub seen: Vec<Observation>,
    /// Transactions of the present life, those that ended as groups and those that did not.
    pub readers: Vec<Reader>,
    /// Snapshots of the present life.
    pub cuts: Vec<Cut>,
    pub promise: Promise,
    pub names: BTreeMap<String, Naming>,
    /// Pages that are there as far as everybody knows.
    pub pages: Vec<PageId>,
    /// LSNs at which somebody may want to look again.
    pub targets: Vec<Lsn>,
    /// Observations made, and those that could not be judged, since a group's fate was unknown.
    pub observations: u64,
    pub unjudged: u64,
    /// Operations done.
    pub operations: u64,
    events: u64,
    tags: u64,
}

impl History {
    pub fn new(durability: Durability) -> History {
        History {
            durability,
            mode: Propagation::default(),
            past: Vec::new(),
            ghosts: Vec::new(),
            base: Model::default(),
            groups: Vec::new(),
            seen: Vec::new(),
            readers: Vec::new(),
            cuts: Vec::new(),
            promise: Promise::default(),
            names: BTreeMap::new(),
            pages: Vec::new(),
            targets: Vec::new(),
            observations: 0,
            unjudged: 0,
            operations: 0,
            events: 0,
            tags: 0,
        }
    }

    /// A moment in the order of questions and answers.
    pub fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    /// A group is asked for: its place in `groups`, and the label that it must carry.
    pub fn ask(&mut self, writer: usize, effects: Vec<Effect>) -> (usize, String) {
        self.tags += 1;
        let tag = format!("w{writer}#{:04}", self.tags);
        let asked = self.event();
        let (lsn, fate, answered, answered_ns) = (None, Fate::Pending, 0, 0);
        let (tag_of, mode) = (tag.clone(), self.mode);
        let group = Group { tag: tag_of, effects, mode, lsn, fate, asked, answered, answered_ns };
        self.groups.push(group);
        (self.groups.len() - 1, tag)
    }

    /// The answer to that.
    pub fn answer(&mut self, at: usize, answer: &Result<Option<Lsn>, Error>) {
        let answered = self.event();
        let group = &mut self.groups[at];
        group.answered = answered;
        group.answered_ns = sched::now_ns().unwrap_or(0);
        match answer {
            Ok(Some(lsn)) => {
                (group.lsn, group.fate) = (Some(*lsn), Fate::Done);
                if self.durability == Durability::Sync {
                    self.promise_durable(*lsn);
                }
            }
            Ok(None) => self.groups[at].fate = Fate::Undone,
            Err(error) => {
                let unknown = self.durability == Durability::Sync && error.is_fatal();
                self.groups[at].fate = if unknown { Fate::Unknown } else { Fate::Undone };
            }
        }
        let (lsn, kind) = match answer {
            Ok(lsn) => (lsn.unwrap_or(Lsn::ZERO), 0),
            Err(error) => (Lsn::ZERO, error.kind().code() as u64),
        };
        sched::note("answer", &[at as u64, lsn.0, kind], &[]);
    }

    pub fn promise_durable(&mut self, lsn: Lsn) {
        self.promise.durable = self.promise.durable.max(lsn);
        self.promise_written(lsn);
    }

    pub fn promise_written(&mut self, lsn: Lsn) {
        self.promise.written = self.promise.written.max(lsn);
    }

    /// Everything that was asked for and done is promised: the state was closed in order.
    pub fn promise_all(&mut self) {
        let last = self.groups.iter().filter_map(|group| group.lsn).max();
        self.promise_durable(last.unwrap_or(Lsn::ZERO));
    }

    /// Somebody saw something.
    pub fn see(&mut self, lsn: Lsn, seen: Seen, what: impl Into<String>) {
        let when = self.event();
        self.observations += 1;
        self.seen.push(Observation { lsn, seen, what: what.into(), when });
    }

    /// Somebody begins to make or drop the checkpoint `name`.
    pub fn begin_naming(&mut self, name: &str) {
        let naming = Naming { named: Named::Gone, busy: 0, mixed: false };
        let naming = self.names.entry(name.to_owned()).or_insert(naming);
        naming.mixed |= naming.busy > 0;
        naming.busy += 1;
    }

    /// The end of that: what is so from then on, as far as this caller alone can tell; `None`
    /// if it changed nothing.
    pub fn end_naming(&mut self, name: &str, now: Option<Named>) {
        let Some(naming) = self.names.get_mut(name) else { return };
        naming.busy -= 1;
        naming.named = match now {
            _ if naming.mixed => Named::Unsure,
            Some(now) => now,
            None => naming.named,
        };
        naming.mixed &= naming.busy > 0;
    }

    /// The surviving and the acknowledged groups, by LSN. `Err` if two have one LSN.
    pub fn known_groups(&self) -> Result<BTreeMap<Lsn, &Group>, String> {
        let mut known: BTreeMap<Lsn, &Group> = BTreeMap::new();
        for group in self.past.iter().chain(&self.groups) {
            if let Some(lsn) = group.lsn
                && known.insert(lsn, group).is_some()
            {
                return Err(format!("two groups have the LSN {lsn}, one of them {}", group.tag));
            }
        }
        Ok(known)
    }

    /// What happened up to and including `lsn`.
    pub fn model_at(&self, lsn: Lsn) -> Result<Model, String> {
        let (mut model, from) = match self.base.at <= lsn {
            true => (self.base.clone(), self.base.at),
            false => (Model::default(), Lsn::ZERO),
        };
        for (&at, group) in between(&self.known_groups()?, from, lsn) {
            model.apply(group, at)?;
        }
        Ok(model)
    }

    /// Whether a group may change a page, or all of them: what is computed, whatever feeds it.
    pub fn may_touch(&self, group: &Group, page: Option<u64>) -> bool {
        let computed = page.is_none_or(|page| self.was_ever_computed(page));
        let touches = |effect: &Effect| match (effect, page) {
            (Effect::For { .. }, _) => false,
            (_, Some(page)) => computed || effect.touches(page),
            (_, None) => true,
        };
        group.effects.iter().any(touches)
    }

    fn was_ever_computed(&self, id: u64) -> bool {
        let sets = |effect: &Effect| matches!(effect, Effect::Rule { page, way: Some(_), .. } if *page == id);
        let mut groups = self.past.iter().chain(&self.groups);
        groups.any(|group| group.effects.iter().any(sets))
    }

    /// A sync failed: the operating system may have dropped what nothing made durable.
    pub fn forget_written(&mut self) {
        self.promise.written = self.promise.durable;
    }

    /// A life begins with what survived; everything else is forgotten.
    pub fn begin_life(&mut self, survivors: Survivors) {
        let Survivors { model, reach, groups, names } = survivors;
        let lost =
            std::mem::replace(&mut self.past, groups).into_iter().chain(self.groups.drain(..));
        let kept: BTreeSet<&str> = self.past.iter().map(|group| &*group.tag).collect();
        self.ghosts.extend(lost);
        self.ghosts.retain(|group| !kept.contains(&*group.tag));
        self.targets.retain(|&lsn| lsn <= model.at);
        self.seen.clear();
        self.readers.clear();
        self.cuts.clear();
        self.pages = model.pages.keys().copied().map(PageId).collect();
        self.base = model;
        self.promise = Promise { durable: reach, written: reach };
        for (name, naming) in &mut self.names {
            naming.named = names.get(name).map_or(Named::Gone, |lsn| Named::Kept(*lsn));
        }
    }
}

/// The groups above `after` and up to `to`.
pub fn between<'a, 'g>(
    groups: &'a BTreeMap<Lsn, &'g Group>,
    after: Lsn,
    to: Lsn,
) -> Range<'a, Lsn, &'g Group> {
    groups.range((Bound::Excluded(after.min(to)), Bound::Included(to)))
}
