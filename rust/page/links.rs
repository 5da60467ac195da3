//! What a page derives from: a set that keeps the order in which edges were added.

use crate::types::Link;
use smallvec::SmallVec;
use std::collections::HashSet;

/// Fewer links are looked through, which is faster and needs no memory beside them.
const INDEXED_MIN: usize = 64;

/// Edges from parents, each once. Adding one, and taking the last one away, cost the same however many
/// there are; taking another one away moves those after it.
#[derive(Clone, Debug, Default)]
pub struct Links {
    links: SmallVec<[Link; 1]>,
    /// The same links, where there are or were many.
    #[expect(clippy::box_collection, reason = "few pages have one, and metadata stay small")]
    index: Option<Box<HashSet<Link>>>,
}

impl Links {
    /// In the order in which they were added.
    pub fn as_slice(&self) -> &[Link] {
        &self.links
    }

    fn contains(&self, link: Link) -> bool {
        match &self.index {
            Some(index) => index.contains(&link),
            None => self.links.contains(&link),
        }
    }

    /// Adds or takes away an edge; whether that changed anything.
    pub fn set(&mut self, link: Link, there: bool) -> bool {
        if self.contains(link) == there {
            return false;
        }
        match there {
            true => self.links.push(link),
            false => self.remove(link),
        }
        let len = self.links.len();
        match &mut self.index {
            Some(_) if len < INDEXED_MIN / 2 => self.index = None,
            Some(index) if there => drop(index.insert(link)),
            Some(index) => drop(index.remove(&link)),
            None if len >= INDEXED_MIN => {
                self.index = Some(Box::new(self.links.iter().copied().collect()));
            }
            None => {}
        }
        true
    }

    fn remove(&mut self, link: Link) {
        if let Some(at) = self.links.iter().rposition(|&other| other == link) {
            self.links.remove(at);
        }
    }
}

impl PartialEq for Links {
    fn eq(&self, other: &Links) -> bool {
        self.links == other.links
    }
}

impl Eq for Links {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;
    use crate::types::{EdgeKind, PageId};

    #[test]
    fn few_and_many_are_the_same_ordered_set() {
        let mut prng = Prng::new(3);
        let (mut set, mut model) = (Links::default(), Vec::<Link>::new());
        let mut sizes = HashSet::new();
        for round in 0..20_000u64 {
            // It grows and shrinks, over both ends of what has an index.
            let grows = round / 500 % 2 == 0;
            let page = PageId(prng.below(2 * INDEXED_MIN as u64));
            let kind = if prng.below(8) == 0 { EdgeKind::Control } else { EdgeKind::Data };
            let link = Link { page, kind };
            let there = (prng.below(4) == 0) != grows;
            let place = model.iter().position(|&other| other == link);
            assert_eq!(set.set(link, there), place.is_some() != there);
            match place {
                None if there => model.push(link),
                Some(at) if !there => drop(model.remove(at)),
                _ => {}
            }
            assert_eq!(set.as_slice(), model);
            sizes.insert((set.index.is_some(), model.len() / (INDEXED_MIN / 2)));
        }
        for seen in [(false, 0), (false, 1), (true, 1), (true, 2)] {
            assert!(sizes.contains(&seen), "{seen:?} of {sizes:?}");
        }
    }
}
