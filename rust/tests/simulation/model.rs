//! What the state must be: a map of pages, and the groups that make it, in the order of their LSNs.
//! What derives from what a group changes, `derived.rs` computes.

use crate::rules::Way;
use mmsb::{EdgeKind, ErrorKind, Location, Lsn, Ownership, Propagation, Rule, Staleness};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A page as it must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    pub bytes: Vec<u8>,
    pub epoch: u64,
    pub lsn: Lsn,
    pub location: Location,
    pub meta: BTreeMap<Vec<u8>, Vec<u8>>,
    pub ownership: Ownership,
    /// What it derives from, in the order in which the edges came.
    pub parents: Vec<(u64, EdgeKind)>,
    /// How it is computed, if it is.
    pub way: Option<Way>,
    /// Whether it is what that makes of its parents.
    pub staleness: Staleness,
    /// The group that sealed the content, of a private page: no other makes the same seal.
    pub sealed: Option<Lsn>,
}

impl Page {
    pub fn is_private(&self) -> bool {
        self.sealed.is_some()
    }

    pub fn bonds(&self) -> Bonds {
        let rule = self.way.map(|way| way.rule(self.bytes.len() as u64));
        let (ownership, parents) = (self.ownership, self.parents.clone());
        let (staleness, private) = (self.staleness, self.is_private());
        Bonds { ownership, parents, rule, staleness, private }
    }

    /// Whether the two are the same but for when and how often they changed.
    pub fn is_as(&self, other: &Page) -> bool {
        (&self.bytes, &self.meta, self.ownership) == (&other.bytes, &other.meta, other.ownership)
            && (&self.parents, self.way, self.staleness)
                == (&other.parents, other.way, other.staleness)
            && self.sealed == other.sealed
    }

    /// Whether the content stands as it does in the other: of private pages, under the same seal.
    fn has_content_of(&self, other: &Page) -> bool {
        (&self.bytes, self.sealed) == (&other.bytes, other.sealed)
    }

    /// Writes by hand. A group seals a page once, whatever it writes.
    fn write(&mut self, bytes: Vec<u8>, lsn: Lsn) {
        let changed = bytes != self.bytes;
        self.bytes = bytes;
        if changed && self.sealed != Some(lsn) {
            self.epoch += 1;
            self.sealed = self.sealed.map(|_| lsn);
        }
    }

    /// The pages that it is computed of, in order.
    pub fn sources(&self) -> impl Iterator<Item = u64> {
        self.parents.iter().filter(|(_, kind)| *kind == EdgeKind::Data).map(|(id, _)| *id)
    }
}

/// What a group does to one page. Kinds that a new room records stand beside these.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// The page begins. A creation whose acknowledgement failed does not know its page; its
    /// record does.
    Create { page: Option<u64>, size: u64, location: Location, private: bool },
    /// Bytes go to offsets, one piece after the other: one change of content, or none.
    Write { page: u64, pieces: Vec<(u64, Vec<u8>)> },
    /// A key has a value from then on, or none.
    Meta { page: u64, key: Vec<u8>, value: Option<Vec<u8>> },
    /// The page ends.
    Free { page: u64 },
    /// The page belongs to somebody else.
    Own { page: u64, ownership: Ownership },
    /// The page derives from a parent from then on, or no longer.
    Edge { page: u64, parent: u64, kind: EdgeKind, there: bool },
    /// The page is computed from then on, from these parents, or from those that it has; or no
    /// longer computed.
    Rule { page: u64, parents: Option<Vec<u64>>, way: Option<Way> },
    /// All that is stale is computed.
    Propagate,
    /// The page ends, and all that derives from it: these pages, if the caller was told.
    Cascade { page: u64, freed: Option<Vec<u64>> },
    /// Content, metadata and existence of all pages are what they were at an LSN.
    Revert { to: Lsn },
    /// What stands behind it in the group is done by whoever holds these partitions.
    For { partitions: Vec<u16> },
}

impl Effect {
    /// The page that it changes, if that is one.
    pub fn page(&self) -> Option<u64> {
        match *self {
            Effect::Create { page, .. } => page,
            Effect::Write { page, .. }
            | Effect::Meta { page, .. }
            | Effect::Own { page, .. }
            | Effect::Edge { page, .. }
            | Effect::Rule { page, .. }
            | Effect::Free { page } => Some(page),
            Effect::Cascade { .. }
            | Effect::Revert { .. }
            | Effect::Propagate
            | Effect::For { .. } => None,
        }
    }

    /// Whether it may change the page, which is not computed.
    pub fn touches(&self, page: u64) -> bool {
        match self {
            Effect::For { .. } => false,
            effect => effect.page().is_none_or(|id| id == page),
        }
    }
}

/// On whose behalf a group changes pages: anybody's, and that of partitions.
#[derive(Default)]
struct Authority(Vec<u16>);

impl Authority {
    fn check(&self, id: u64, page: &Page, lsn: Lsn) -> Result<(), String> {
        let may = match page.ownership {
            Ownership::Shared => true,
            Ownership::Immutable => false,
            Ownership::Owned(owner) => self.0.contains(&owner),
        };
        let (mine, owner) = (&self.0, page.ownership);
        if may {
            Ok(())
        } else {
            Err(format!("the group {lsn} of {mine:?} changes page {id}, {owner:?}"))
        }
    }
}

/// All pages at one LSN. Clones share the pages that did not change.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub pages: BTreeMap<u64, Arc<Page>>,
    /// Pages that ended, with their last epochs.
    pub freed: BTreeMap<u64, u64>,
    /// The last group that is in it.
    pub at: Lsn,
    /// What it was after each group, the newest first.
    past: Option<Arc<Past>>,
}

/// All pages after the group `at`.
#[derive(Debug)]
struct Past {
    at: Lsn,
    pages: BTreeMap<u64, Arc<Page>>,
    before: Option<Arc<Past>>,
}

impl Model {
    /// Lets a group happen at `lsn`. `Err` says why it cannot have.
    pub fn apply(&mut self, group: &Group, lsn: Lsn) -> Result<(), String> {
        self.apply_effects(&group.effects, group.mode, lsn)
    }

    /// Lets these effects be a group at `lsn`, with derived pages in that mode.
    pub fn apply_effects(
        &mut self,
        effects: &[Effect],
        mode: Propagation,
        lsn: Lsn,
    ) -> Result<(), String> {
        assert!(lsn > self.at, "groups come in the order of their LSNs");
        let before = self.pages.clone();
        let mut authority = Authority::default();
        for effect in effects {
            match effect {
                Effect::For { partitions } => authority = Authority(partitions.clone()),
                effect => self.apply_one(effect, lsn, &authority)?,
            }
        }
        self.check_parents(lsn)?;
        self.check_private(lsn)?;
        self.follow(&before, effects, mode, lsn)?;
        self.at = lsn;
        let (pages, before) = (self.pages.clone(), self.past.take());
        self.past = Some(Arc::new(Past { at: lsn, pages, before }));
        Ok(())
    }

    /// The pages as they were at an earlier LSN.
    fn pages_at(&self, lsn: Lsn) -> BTreeMap<u64, Arc<Page>> {
        let mut past = self.past.as_ref();
        while let Some(at) = past {
            if at.at <= lsn {
                return at.pages.clone();
            }
            past = at.before.as_ref();
        }
        BTreeMap::new()
    }

    /// Lets the pages be what they were at `to`. Epochs grow, once for a page that comes back, and
    /// once for content that is not what it was.
    fn revert(&mut self, to: Lsn, lsn: Lsn) {
        let then = self.pages_at(to);
        let gone: Vec<u64> =
            self.pages.keys().filter(|id| !then.contains_key(id)).copied().collect();
        for id in gone {
            let epoch = self.pages.remove(&id).map_or(0, |page| page.epoch);
            self.freed.insert(id, epoch);
        }
        for (id, then) in then {
            let epoch = match self.pages.get(&id) {
                Some(now) if now.is_as(&then) => continue,
                Some(now) => now.epoch + u64::from(!now.has_content_of(&then)),
                None => {
                    let written = then.is_private() || then.bytes.iter().any(|&byte| byte != 0);
                    self.freed.remove(&id).unwrap_or(0) + 1 + u64::from(written)
                }
            };
            self.pages.insert(id, Arc::new(Page { epoch, lsn, ..(*then).clone() }));
        }
    }

    /// The page and all that derives from it.
    pub fn descendants(&self, page: u64) -> BTreeSet<u64> {
        let mut reached = BTreeSet::from([page]);
        loop {
            let derives = |page: &Page| page.parents.iter().any(|(id, _)| reached.contains(id));
            let more: Vec<u64> = self
                .pages
                .iter()
                .filter(|(id, page)| !reached.contains(id) && derives(page))
                .map(|(id, _)| *id)
                .collect();
            if more.is_empty() {
                return reached;
            }
            reached.extend(more);
        }
    }

    /// All edges: parent, child, kind.
    pub fn edges(&self) -> impl Iterator<Item = (u64, u64, EdgeKind)> {
        let of = |(id, page): (&u64, &Arc<Page>)| {
            let id = *id;
            page.parents.clone().into_iter().map(move |(parent, kind)| (parent, id, kind))
        };
        self.pages.iter().flat_map(of)
    }

    /// Nothing derives from what is not there.
    fn check_parents(&self, lsn: Lsn) -> Result<(), String> {
        match self.edges().find(|(parent, ..)| !self.pages.contains_key(parent)) {
            Some((parent, page, _)) => {
                Err(format!("after the group {lsn} page {page} derives from {parent}, not there"))
            }
            None => Ok(()),
        }
    }

    /// Nothing is computed of what is private, nor is that computed.
    fn check_private(&self, lsn: Lsn) -> Result<(), String> {
        let is_private = |id: &u64| self.pages.get(id).is_some_and(|page| page.is_private());
        let shows = |(id, page): &(&u64, &Arc<Page>)| {
            page.way.is_some() && (is_private(id) || page.sources().any(|id| is_private(&id)))
        };
        match self.pages.iter().find(shows) {
            Some((page, _)) => {
                Err(format!("after the group {lsn} page {page} is computed of what is private"))
            }
            None => Ok(()),
        }
    }

    fn free(&mut self, page: u64, lsn: Lsn, authority: &Authority) -> Result<(), String> {
        let now = self.page_mut(page, lsn)?;
        // What ends is not sealed once more, whatever the group wrote before.
        let epoch = now.epoch - u64::from(now.sealed == Some(lsn));
        authority.check(page, now, lsn)?;
        self.pages.remove(&page);
        self.freed.insert(page, epoch);
        Ok(())
    }

    /// The page, to be changed by its owner.
    fn owned_mut(&mut self, id: u64, lsn: Lsn, by: &Authority) -> Result<&mut Page, String> {
        let page = self.page_mut(id, lsn)?;
        by.check(id, page, lsn)?;
        Ok(page)
    }

    fn apply_one(&mut self, effect: &Effect, lsn: Lsn, by: &Authority) -> Result<(), String> {
        match effect {
            Effect::Create { page: None, .. } => {
                return Err(format!("the group {lsn} creates a page of unknown id"));
            }
            Effect::Create { page: Some(id), size, location, private } => {
                let (bytes, meta) = (vec![0; *size as usize], BTreeMap::new());
                let (ownership, parents) = (Ownership::Shared, Vec::new());
                let (location, way, staleness) = (*location, None, Staleness::Fresh);
                let page = Page {
                    bytes,
                    epoch: u64::from(*private),
                    lsn,
                    location,
                    meta,
                    ownership,
                    parents,
                    way,
                    staleness,
                    sealed: private.then_some(lsn),
                };
                if self.freed.contains_key(id) || self.pages.insert(*id, Arc::new(page)).is_some() {
                    return Err(format!("the group {lsn} creates page {id} once more"));
                }
            }
            Effect::Write { page, pieces } => {
                let (id, page) = (*page, self.owned_mut(*page, lsn, by)?);
                if page.way.is_some() {
                    return Err(format!("the group {lsn} writes page {id}, which is computed"));
                }
                let mut bytes = page.bytes.clone();
                for (at, piece) in pieces {
                    let at = *at as usize;
                    bytes[at..at + piece.len()].copy_from_slice(piece);
                }
                page.write(bytes, lsn);
            }
            Effect::Meta { page, key, value } => {
                let meta = &mut self.owned_mut(*page, lsn, by)?.meta;
                match value {
                    Some(value) => drop(meta.insert(key.clone(), value.clone())),
                    None => drop(meta.remove(key)),
                }
            }
            Effect::Free { page } => self.free(*page, lsn, by)?,
            Effect::Own { page, ownership } => {
                let (id, page) = (*page, self.owned_mut(*page, lsn, by)?);
                if page.way.is_some() && *ownership == Ownership::Immutable {
                    return Err(format!("the group {lsn} freezes page {id}, which is computed"));
                }
                page.ownership = *ownership;
            }
            Effect::Edge { page, parent, kind, there } => {
                if *there {
                    self.check_cycle(*page, *parent, lsn)?;
                }
                let edge = (*parent, *kind);
                let parents = &mut self.page_mut(*page, lsn)?.parents;
                let was_there = parents.contains(&edge);
                match there {
                    true if !was_there => parents.push(edge),
                    true => {}
                    false => parents.retain(|other| *other != edge),
                }
                if *kind == EdgeKind::Data && was_there != *there {
                    self.compute_anew(*page, lsn, by)?;
                }
            }
            Effect::Rule { page, parents, way } => {
                for parent in parents.iter().flatten() {
                    self.check_cycle(*page, *parent, lsn)?;
                }
                self.set_rule(*page, parents.as_deref(), *way, (lsn, by))?;
            }
            Effect::Propagate => {}
            Effect::Cascade { page, freed } => {
                let reached = self.descendants(*page);
                if freed.as_ref().is_some_and(|told| !told.iter().eq(&reached)) {
                    return Err(format!("the group {lsn} frees {freed:?}, not {reached:?}"));
                }
                for page in reached {
                    self.free(page, lsn, by)?;
                }
            }
            Effect::Revert { to } => self.revert(*to, lsn),
            Effect::For { .. } => {}
        }
        Ok(())
    }

    fn check_cycle(&self, page: u64, parent: u64, lsn: Lsn) -> Result<(), String> {
        match self.descendants(page).contains(&parent) {
            true => Err(format!("the group {lsn} derives page {page} from {parent}, a cycle")),
            false => Ok(()),
        }
    }

    /// A page that is computed has an owner who may have it computed in another way.
    fn compute_anew(&mut self, id: u64, lsn: Lsn, by: &Authority) -> Result<(), String> {
        match self.pages.get(&id).is_some_and(|page| page.way.is_some()) {
            true => self.owned_mut(id, lsn, by).map(drop),
            false => Ok(()),
        }
    }

    fn set_rule(
        &mut self,
        id: u64,
        sources: Option<&[u64]>,
        way: Option<Way>,
        (lsn, by): (Lsn, &Authority),
    ) -> Result<(), String> {
        let page = self.owned_mut(id, lsn, by)?;
        if let Some(sources) = sources {
            let others = page.parents.iter().filter(|(_, kind)| *kind != EdgeKind::Data);
            let sources = sources.iter().map(|&source| (source, EdgeKind::Data));
            page.parents = sources.chain(others.copied()).collect();
        }
        if page.way != way {
            (page.way, page.staleness) = (way, Staleness::Fresh);
        }
        Ok(())
    }

    /// The page, to be changed.
    pub fn page_mut(&mut self, id: u64, lsn: Lsn) -> Result<&mut Page, String> {
        let page = self.pages.get_mut(&id);
        let page = page.ok_or_else(|| format!("the group {lsn} changes page {id}, not there"))?;
        let page = Arc::make_mut(page);
        page.lsn = lsn;
        Ok(page)
    }

    /// The digest that the engine documents, computed by itself; `None` where there are private pages:
    /// nobody can foretell a seal.
    pub fn digest(&self) -> Option<[u8; 32]> {
        if self.pages.values().any(|page| page.is_private()) {
            return None;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"MMSB state digest 1\n");
        for (id, page) in &self.pages {
            hasher.update(&id.to_le_bytes());
            hasher.update(&page.epoch.to_le_bytes());
            hasher.update(&(page.bytes.len() as u32).to_le_bytes());
            hasher.update(&page.ownership.code().to_le_bytes());
            let has_origin = !page.parents.is_empty() || page.way.is_some();
            hasher.update(&(page.meta.len() as u32 + u32::from(has_origin)).to_le_bytes());
            if has_origin {
                let rule = page.way.map(|way| way.rule(page.bytes.len() as u64));
                let (kind, text) = rule.as_ref().map_or((0, ""), Rule::parts);
                let len = 4 + text.len() + 9 * page.parents.len();
                hasher.update(&0u32.to_le_bytes());
                hasher.update(&(len as u32).to_le_bytes());
                hasher.update(&[page.staleness as u8, kind]);
                hasher.update(&(text.len() as u16).to_le_bytes());
                hasher.update(text.as_bytes());
            }
            for (parent, kind) in &page.parents {
                hasher.update(&parent.to_le_bytes());
                hasher.update(&[*kind as u8]);
            }
            for bytes in page.meta.iter().flat_map(|(key, value)| [key, value]) {
                hasher.update(&(bytes.len() as u32).to_le_bytes());
                hasher.update(bytes);
            }
            hasher.update(&page.bytes);
        }
        Some(hasher.finalize().into())
    }
}

/// A group that was asked for.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its source label: unique in a run.
    pub tag: String,
    pub effects: Vec<Effect>,
    /// When derived pages followed, at that time.
    pub mode: Propagation,
    /// Its place, once the engine or the log said it.
    pub lsn: Option<Lsn>,
    pub fate: Fate,
    /// When it was asked for and when it was answered, in the order of such events.
    pub asked: u64,
    pub answered: u64,
    /// Simulated time of the answer.
    pub answered_ns: u64,
}

/// What the caller was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Nothing yet.
    Pending,
    /// It happened.
    Done,
    /// It did not happen, or changed nothing.
    Undone,
    /// It failed when it was to be made durable: it happened, and may survive or not.
    Unknown,
}

/// What somebody saw during a life; compared with the model when all groups are known.
#[derive(Clone, Debug)]
pub enum Seen {
    /// The whole state at an LSN.
    Digest([u8; 32]),
    /// All pages at an LSN.
    Pages(BTreeMap<u64, Shown>),
    /// A page's content, and epoch, at an LSN.
    Page { page: u64, bytes: Vec<u8>, epoch: u64 },
    /// Metadata of a page at an LSN.
    Meta { page: u64, meta: BTreeMap<Vec<u8>, Vec<u8>> },
    /// Who could change a page at an LSN, and what it derived from, and how.
    Bonds { page: u64, bonds: Bonds },
    /// The pages that are not what they were at an earlier LSN.
    Differing { from: Lsn, pages: Vec<u64> },
    /// No such page at an LSN.
    Absent { page: u64 },
    /// The groups in the log above an LSN and up to this one, each with its label.
    Groups { after: Lsn, found: Vec<(Lsn, String)> },
    /// A change that was answered with "nothing changed", asked for when the page stood at `from`
    /// or later, and answered when it stood at the observation's LSN or before.
    Unchanged { from: Lsn, effect: Effect, mode: Propagation },
    /// A change that was refused, since the page is not everybody's to change, or is computed; asked
    /// for and answered as above.
    Refused { from: Lsn, effect: Effect, why: ErrorKind },
}

/// What a snapshot shows of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// `None` where it is sealed.
    pub bytes: Option<Vec<u8>>,
    pub epoch: u64,
    pub meta: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Shown {
    /// Whether the page is as it was shown.
    pub fn is_of(&self, page: &Page) -> bool {
        let content = match &self.bytes {
            Some(bytes) => *bytes == page.bytes,
            None => page.is_private(),
        };
        content && (self.epoch, &self.meta) == (page.epoch, &page.meta)
    }
}

/// Who may change a page, and what it derives from, and how, and whether it is private.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bonds {
    pub ownership: Ownership,
    pub parents: Vec<(u64, EdgeKind)>,
    pub rule: Option<Rule>,
    pub staleness: Staleness,
    pub private: bool,
}

/// One observation.
#[derive(Clone, Debug)]
pub struct Observation {
    pub lsn: Lsn,
    pub seen: Seen,
    /// How it was seen.
    pub what: String,
    /// When, in the order of events.
    pub when: u64,
}
