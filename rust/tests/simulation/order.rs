//! Whether there is one order of all groups, transactions and snapshots of a life in which each was
//! told what it was told.
//!
//! ```text
//!   a page's versions stand in the order of their LSNs, each made by one group
//!
//!   A wrote before B        B made the version after one of A's
//!   A was read by B         B was told what holds from a version of A's on
//!   A read before B wrote   A was told what holds no longer with a version of B's
//!   A, then a snapshot      A's LSN is not above the snapshot's; else the other way round
//!   A ended before B began  as the writers saw it
//! ```
//!
//! There is one if these arrows make no cycle (Adya 1999). Where several stretches of versions fit
//! what was told, none of them is taken for it.

use crate::history::{Cut, History, Read, Reader, between};
use crate::model::{Fate, Group, Model, Page};
use mmsb::Lsn;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One thing that happened at one moment.
struct Event<'a> {
    what: String,
    began: u64,
    ended: u64,
    /// Its place among the groups, if it is one.
    lsn: Option<Lsn>,
    reads: &'a [Read],
}

/// A page from a group on; `None` made by what was before the life.
struct Version {
    by: Option<usize>,
    lsn: Lsn,
    page: Option<Arc<Page>>,
}

struct Order<'a> {
    history: &'a History,
    events: Vec<Event<'a>>,
    /// What must come after each event.
    after: Vec<BTreeSet<usize>>,
    versions: BTreeMap<u64, Vec<Version>>,
    unjudged: u64,
}

/// Checks a life. Returns how much of what was told could not be judged.
pub fn check(history: &History) -> Result<u64, String> {
    if history.readers.is_empty() {
        return Ok(0);
    }
    let mut order = Order::new(history);
    order.follow_versions()?;
    for at in 0..order.events.len() {
        let reads = order.events[at].reads;
        reads.iter().try_for_each(|read| order.place(at, read))?;
    }
    order.place_cuts(&history.cuts);
    order.follow_time();
    match cycle(&order.after) {
        None => Ok(order.unjudged),
        Some(cycle) => {
            let names: Vec<&str> = cycle.iter().map(|&at| &*order.events[at].what).collect();
            Err(format!("these precede each other: {}", names.join(" -> ")))
        }
    }
}

impl<'a> Order<'a> {
    fn new(history: &'a History) -> Order<'a> {
        let as_group: BTreeMap<usize, &Reader> =
            history.readers.iter().filter_map(|reader| Some((reader.group?, reader))).collect();
        let groups = history.groups.iter().enumerate().filter(|(_, group)| group.lsn.is_some());
        let mut events: Vec<Event<'a>> = Vec::new();
        for (at, group) in groups {
            let reads = as_group.get(&at).map_or(&[][..], |reader| &reader.reads);
            let (what, began, ended) = (group.tag.clone(), group.asked, group.answered);
            events.push(Event { what, began, ended, lsn: group.lsn, reads });
        }
        for reader in history.readers.iter().filter(|reader| reader.group.is_none()) {
            let Reader { what, began, ended, reads, .. } = reader;
            let what = format!("{what} at {began}");
            events.push(Event { what, began: *began, ended: *ended, lsn: None, reads });
        }
        let after = vec![BTreeSet::new(); events.len()];
        Order { history, events, after, versions: BTreeMap::new(), unjudged: 0 }
    }

    fn arrow(&mut self, before: usize, after: usize) {
        if before != after {
            self.after[before].insert(after);
        }
    }

    /// Lets the groups happen, and keeps what becomes of each page.
    fn follow_versions(&mut self) -> Result<(), String> {
        let mut model = self.history.base.clone();
        let first =
            |page: &Arc<Page>| Version { by: None, lsn: page.lsn, page: Some(page.clone()) };
        self.versions = model.pages.iter().map(|(id, page)| (*id, vec![first(page)])).collect();
        let places = self.events.iter().enumerate();
        let places: BTreeMap<Lsn, usize> =
            places.filter_map(|(at, event)| Some((event.lsn?, at))).collect();
        let known = self.history.known_groups()?;
        for (&lsn, group) in between(&known, model.at, Lsn::MAX) {
            let before = model.pages.clone();
            model.apply(group, lsn)?;
            self.keep_versions(&before, &model, places.get(&lsn).copied());
        }
        for (before, after) in self.pairs() {
            self.arrow(before, after);
        }
        Ok(())
    }

    fn keep_versions(
        &mut self,
        before: &BTreeMap<u64, Arc<Page>>,
        model: &Model,
        by: Option<usize>,
    ) {
        let ids: BTreeSet<u64> = before.keys().chain(model.pages.keys()).copied().collect();
        for id in ids {
            let (old, new) = (before.get(&id), model.pages.get(&id));
            let same = match (old, new) {
                (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                _ => false,
            };
            if !same {
                let absent = || vec![Version { by: None, lsn: Lsn::ZERO, page: None }];
                let versions = self.versions.entry(id).or_insert_with(absent);
                versions.push(Version { by, lsn: model.at, page: new.cloned() });
            }
        }
    }

    /// Makers of versions that follow each other.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let pairs = self.versions.values().flat_map(|versions| versions.windows(2));
        pairs.filter_map(|pair| Some((pair[0].by?, pair[1].by?))).collect()
    }

    fn place(&mut self, at: usize, read: &Read) -> Result<(), String> {
        // In the log a group comes after what it has read; what is absent is no such thing.
        let lsn = self.events[at].lsn;
        match read {
            Read::Bytes { page, bytes } => {
                let fits = |page: Option<&Page>| page.is_some_and(|page| page.bytes == *bytes);
                self.place_page(at, *page, lsn, fits)
            }
            Read::Meta { page, key, value } => self.place_page(at, *page, lsn, |page| {
                page.is_some_and(|page| page.meta.get(key) == value.as_ref())
            }),
            Read::Exists { page, there } => {
                self.place_page(at, *page, lsn.filter(|_| *there), |page| page.is_some() == *there)
            }
            Read::Listed { pages, without } => {
                let known = self.versions.keys().chain(pages).copied();
                let asked: BTreeSet<u64> = known.filter(|page| !without.contains(page)).collect();
                asked.into_iter().try_for_each(|page| {
                    let there = pages.contains(&page);
                    self.place_page(at, page, None, |page| page.is_some() == there)
                })
            }
        }
    }

    /// Puts an event between the makers of the versions that fit what it was told of a page, of
    /// those below `lsn`, if that is known.
    fn place_page(
        &mut self,
        at: usize,
        id: u64,
        lsn: Option<Lsn>,
        fits: impl Fn(Option<&Page>) -> bool,
    ) -> Result<(), String> {
        if self.may_show_unknown(at, id) {
            self.unjudged += 1;
            return Ok(());
        }
        let absent = [Version { by: None, lsn: Lsn::ZERO, page: None }];
        let versions = self.versions.get(&id).map_or(&absent[..], |versions| versions);
        let mut stretches = stretches(versions, fits);
        stretches.retain(|&(first, next)| {
            let above = lsn.is_some_and(|lsn| versions[first].lsn >= lsn);
            !above && self.may_stand(at, versions, first, next)
        });
        let (before, after) = match stretches[..] {
            [(first, next)] => (versions[first].by, self.next_other(at, versions, next)),
            [] => {
                let what = &self.events[at].what;
                return Err(format!("{what} was told of page {id} what never was"));
            }
            _ => {
                self.unjudged += 1;
                return Ok(());
            }
        };
        before.into_iter().for_each(|before| self.arrow(before, at));
        after.into_iter().for_each(|after| self.arrow(at, after));
        Ok(())
    }

    /// Whether somebody whose group nobody knows may have changed the page by then.
    fn may_show_unknown(&self, at: usize, id: u64) -> bool {
        let unknown = |group: &Group| {
            group.fate == Fate::Unknown
                && group.asked < self.events[at].ended
                && self.history.may_touch(group, Some(id))
        };
        self.history.groups.iter().any(unknown)
    }

    /// Whether an event may stand between two versions, by time.
    fn may_stand(&self, at: usize, versions: &[Version], first: usize, next: usize) -> bool {
        let event = &self.events[at];
        let made = |by: &usize| &self.events[*by];
        let too_late = versions[first].by.as_ref().is_some_and(|by| made(by).began > event.ended);
        let next = versions.get(next).and_then(|version| version.by.as_ref());
        let too_early = next.is_some_and(|by| *by != at && made(by).ended < event.began);
        !too_late && !too_early
    }

    /// Who ended what the event was told, but for the event itself.
    fn next_other(&self, at: usize, versions: &[Version], next: usize) -> Option<usize> {
        let mut later = versions.get(next..)?.iter().filter_map(|version| version.by);
        later.find(|&by| by != at)
    }

    fn place_cuts(&mut self, cuts: &[Cut]) {
        for cut in cuts {
            let at = self.events.len();
            let (what, lsn) = (format!("the snapshot at {}", cut.lsn), cut.lsn);
            let (began, ended) = (cut.began, cut.ended);
            self.events.push(Event { what, began, ended, lsn: None, reads: &[] });
            self.after.push(BTreeSet::new());
            for group in 0..at {
                match self.events[group].lsn {
                    Some(of) if of <= lsn => self.arrow(group, at),
                    Some(_) => self.arrow(at, group),
                    None => {}
                }
            }
        }
    }

    fn follow_time(&mut self) {
        let times: Vec<(u64, u64)> =
            self.events.iter().map(|event| (event.began, event.ended)).collect();
        for (one, (_, ended)) in times.iter().enumerate() {
            for (other, (began, _)) in times.iter().enumerate() {
                if ended < began {
                    self.arrow(one, other);
                }
            }
        }
    }
}

/// Longest stretches of versions that fit: their first, and one past their last.
fn stretches(versions: &[Version], fits: impl Fn(Option<&Page>) -> bool) -> Vec<(usize, usize)> {
    let mut stretches: Vec<(usize, usize)> = Vec::new();
    for (at, version) in versions.iter().enumerate() {
        if !fits(version.page.as_deref()) {
            continue;
        }
        match stretches.last_mut() {
            Some((_, next)) if *next == at => *next += 1,
            _ => stretches.push((at, at + 1)),
        }
    }
    stretches
}

/// Some cycle of a graph.
fn cycle(after: &[BTreeSet<usize>]) -> Option<Vec<usize>> {
    let mut done = vec![false; after.len()];
    for start in 0..after.len() {
        let mut path = vec![(start, after[start].iter())];
        while let Some((at, rest)) = path.last_mut() {
            let Some(&next) = rest.next() else {
                done[*at] = true;
                path.pop();
                continue;
            };
            if let Some(from) = path.iter().position(|(at, _)| *at == next) {
                return Some(path[from..].iter().map(|(at, _)| *at).collect());
            }
            if !done[next] {
                path.push((next, after[next].iter()));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Effect;
    use mmsb::Durability;

    fn write(page: u64, byte: u8) -> Effect {
        Effect::Write { page, pieces: vec![(0, vec![byte])] }
    }

    fn group(tag: &str, lsn: u64, effects: Vec<Effect>, times: (u64, u64)) -> Group {
        let (asked, answered) = times;
        let (tag, lsn, fate) = (tag.to_owned(), Some(Lsn(lsn)), Fate::Done);
        let mode = Default::default();
        Group { tag, effects, mode, lsn, fate, asked, answered, answered_ns: 0 }
    }

    fn read(page: u64, byte: u8) -> Read {
        Read::Bytes { page, bytes: vec![byte] }
    }

    fn reader(group: Option<usize>, times: (u64, u64), reads: Vec<Read>) -> Reader {
        let (began, ended) = times;
        Reader { what: "reader".into(), group, began, ended, reads }
    }

    /// Two pages of a byte each, and two groups at the same time.
    fn history(one: Effect, other: Effect) -> History {
        let mut history = History::new(Durability::Memory);
        let create = |page| Effect::Create {
            page: Some(page),
            size: 1,
            location: Default::default(),
            private: false,
        };
        history.groups.push(group("begin", 1, vec![create(1), create(2)], (1, 2)));
        history.groups.push(group("one", 10, vec![one], (3, 9)));
        history.groups.push(group("other", 20, vec![other], (4, 8)));
        history
    }

    #[test]
    fn write_skew_is_a_cycle() {
        let mut history = history(write(1, 5), write(2, 6));
        history.readers.push(reader(Some(1), (3, 9), vec![read(2, 0)]));
        assert_eq!(check(&history), Ok(0));
        history.readers.push(reader(Some(2), (4, 8), vec![read(1, 0)]));
        assert!(check(&history).unwrap_err().contains("one -> other"));
    }

    #[test]
    fn a_reader_of_two_moments_and_one_of_none_are_found() {
        let skewed = reader(None, (5, 6), vec![read(1, 0), read(2, 6)]);
        let mut one = history(write(1, 5), write(2, 6));
        one.readers.push(skewed.clone());
        assert_eq!(check(&one), Ok(0), "two groups in either order");
        one.cuts.push(Cut { lsn: Lsn(15), began: 7, ended: 8 });
        assert!(check(&one).is_err(), "a snapshot has the first alone");
        let mut both = history(write(1, 5), write(1, 7));
        both.groups[1].effects.push(write(2, 6));
        both.readers.push(skewed);
        assert!(check(&both).is_err(), "half of a group");
        both.readers[0].reads[0] = read(1, 9);
        assert!(check(&both).unwrap_err().contains("what never was"));
    }

    #[test]
    fn a_listing_stands_where_all_its_pages_do() {
        let mut history = history(Effect::Free { page: 1 }, Effect::Free { page: 2 });
        let listed = |pages: &[u64]| Read::Listed { pages: pages.to_vec(), without: vec![] };
        history.readers.push(reader(None, (5, 6), vec![listed(&[1])]));
        assert_eq!(check(&history), Ok(0));
        history.readers.push(reader(None, (5, 6), vec![listed(&[2])]));
        assert!(check(&history).is_err());
        history.readers.pop();
        history.readers.push(reader(None, (10, 11), vec![listed(&[2])]));
        assert!(check(&history).is_err(), "after both were answered");
    }
}
