//! What groups make of derived pages: nothing is marked here that is not computed anew by a look at
//! all of them, and nothing of the engine's order or index is used.

use crate::model::{Effect, Model, Page};
use mmsb::{Lsn, Propagation, Staleness};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Pages = BTreeMap<u64, Arc<Page>>;

impl Model {
    /// Lets derived pages follow the effects of a group, before which the pages were these.
    pub fn follow(
        &mut self,
        before: &Pages,
        effects: &[Effect],
        mode: Propagation,
        lsn: Lsn,
    ) -> Result<(), String> {
        let goes_back = effects.iter().any(|effect| matches!(effect, Effect::Revert { .. }));
        // Going back brings everything back as it was, what was stale as well.
        if goes_back || self.derived().next().is_none() {
            return Ok(());
        }
        let computes = effects.iter().any(|effect| matches!(effect, Effect::Propagate));
        let rules = effects.iter().any(|effect| matches!(effect, Effect::Rule { .. }));
        match mode {
            Propagation::Deferred if !computes => self.mark(before, effects, lsn),
            // Groups of other pages have no order with what propagates: they compute nothing, also
            // where their LSNs fall between what makes a page stale and what computes it.
            _ if computes || rules || self.is_moved(before) => self.compute_all(before, lsn),
            _ => Ok(()),
        }
    }

    /// Whether a derived page has to be computed for what changed.
    fn is_moved(&self, before: &Pages) -> bool {
        let mut derived = self.derived();
        derived.any(|(id, page)| self.is_fed(before, page) || is_bound_anew(page, before.get(id)))
    }

    /// Whether a page is computed of what has another content than before.
    fn is_fed(&self, before: &Pages, page: &Page) -> bool {
        page.sources().any(|source| !has_content_of(&self.pages, before, source))
    }

    fn derived(&self) -> impl Iterator<Item = (&u64, &Arc<Page>)> {
        self.pages.iter().filter(|(_, page)| page.way.is_some())
    }

    /// Computes every derived page that is stale, or of which a parent, or the way, is another than
    /// before.
    fn compute_all(&mut self, before: &Pages, lsn: Lsn) -> Result<(), String> {
        for id in self.in_order() {
            let page = &self.pages[&id];
            let stale = page.staleness != Staleness::Fresh;
            if !stale && !self.is_fed(before, page) && !is_bound_anew(page, before.get(&id)) {
                continue;
            }
            let bytes = self.computed(id)?;
            let changed = bytes != page.bytes;
            if changed || stale {
                let page = self.page_mut(id, lsn)?;
                page.epoch += u64::from(changed);
                (page.bytes, page.staleness) = (bytes, Staleness::Fresh);
            }
        }
        Ok(())
    }

    /// Marks what is computed of what changed as stale, and what is computed of that as behind.
    fn mark(&mut self, before: &Pages, effects: &[Effect], lsn: Lsn) -> Result<(), String> {
        let (mut reached, mut stale) = (BTreeSet::new(), BTreeSet::new());
        for (&id, page) in self.derived() {
            // Set again as it was, a rule is new all the same.
            let set = |effect: &Effect| matches!(effect, Effect::Rule { page, way: Some(_), .. } if *page == id);
            let anew = is_bound_anew(page, before.get(&id)) || effects.iter().any(set);
            if anew || self.is_fed(before, page) {
                stale.insert(id);
            }
        }
        for &id in &stale {
            self.reach(id, &mut reached);
        }
        for id in reached {
            let to = if stale.contains(&id) { Staleness::Stale } else { Staleness::Behind };
            if to > self.pages[&id].staleness {
                self.page_mut(id, lsn)?.staleness = to;
            }
        }
        Ok(())
    }

    /// The page, and all that is computed of it.
    fn reach(&self, id: u64, reached: &mut BTreeSet<u64>) {
        if reached.insert(id) {
            let children = self.derived().filter(|(_, page)| page.sources().any(|of| of == id));
            children.for_each(|(&child, _)| self.reach(child, reached));
        }
    }

    /// Derived pages, each behind those that it is computed of.
    fn in_order(&self) -> Vec<u64> {
        fn visit(model: &Model, id: u64, order: &mut Vec<u64>) {
            let page = &model.pages[&id];
            if page.way.is_some() && !order.contains(&id) {
                page.sources().for_each(|source| visit(model, source, order));
                order.push(id);
            }
        }
        let mut order = Vec::new();
        self.derived().for_each(|(&id, _)| visit(self, id, &mut order));
        order
    }

    /// What a derived page is to be.
    fn computed(&self, id: u64) -> Result<Vec<u8>, String> {
        let page = &self.pages[&id];
        let parents: Vec<&[u8]> =
            page.sources().map(|source| &self.pages[&source].bytes[..]).collect();
        let way = page.way.ok_or_else(|| format!("page {id} is not computed"))?;
        way.compute(&parents, page.bytes.len()).map_err(|wrong| format!("page {id}: {wrong}"))
    }

    /// Every derived page that is not known as stale is what its way makes of its parents.
    pub fn check_derived(&self) -> Result<(), String> {
        for (&id, page) in self.derived() {
            if page.staleness == Staleness::Fresh && self.computed(id)? != page.bytes {
                return Err(format!("page {id} is not what {:?} makes of its parents", page.way));
            }
        }
        Ok(())
    }
}

/// Whether a page has the content that it had. What was not there has none.
fn has_content_of(now: &Pages, before: &Pages, id: u64) -> bool {
    match (now.get(&id), before.get(&id)) {
        (Some(now), Some(before)) => Arc::ptr_eq(now, before) || now.bytes == before.bytes,
        _ => false,
    }
}

/// Whether a page is computed in another way, or of others, than before.
fn is_bound_anew(page: &Page, before: Option<&Arc<Page>>) -> bool {
    before.is_none_or(|before| before.way != page.way || !before.sources().eq(page.sources()))
}
