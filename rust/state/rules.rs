//! The rules of derived pages as they run: formulas parsed, callbacks found by name.
//!
//! What is true stands with each page, in its metadata. [`Rules`] is an index of it, beside that of
//! the edges, which is built when a state is opened and follows every group.

use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Graph, NO_TAG};
use crate::page::table::Table;
use crate::propagate::Formula;
use crate::types::{EdgeKind, Link, Lsn, PageId, Rule, Staleness};
use smallvec::SmallVec;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Computes a page's content of its parents' contents: all of `out` is to be filled, of nothing but
/// `parents`. Called on the thread that propagates alone.
///
/// - `page`: whose content it is.
/// - `parents`: contents of the parents over data edges, in the order of the edges.
/// - `out`: all zero.
pub trait Recompute: Send + Sync {
    /// Computes. An error ends the whole group: nothing is changed.
    fn compute(&self, page: PageId, parents: &[&[u8]], out: &mut [u8]) -> Result<()>;

    /// What is the same with callbacks that compute the same; without it, each is one of its own.
    fn identity(&self) -> Option<&str> {
        None
    }
}

impl<F: Fn(&[&[u8]], &mut [u8]) -> Result<()> + Send + Sync> Recompute for F {
    fn compute(&self, _page: PageId, parents: &[&[u8]], out: &mut [u8]) -> Result<()> {
        self(parents, out)
    }
}

/// A callback as it is registered.
#[derive(Clone)]
pub struct Callback {
    pub call: Arc<dyn Recompute>,
    /// It may be called on threads of the engine's own.
    pub on_any_thread: bool,
}

/// Formulas by their text: many pages share one.
#[derive(Default)]
pub struct Formulas(HashMap<Arc<str>, Arc<Formula>>);

impl Formulas {
    /// The formula of that text.
    pub fn get(&mut self, text: &Arc<str>) -> Result<Arc<Formula>> {
        if let Some(formula) = self.0.get(text) {
            return Ok(formula.clone());
        }
        let formula = Arc::new(Formula::parse(text)?);
        self.0.insert(text.clone(), formula.clone());
        Ok(formula)
    }
}

/// How a page is computed.
#[derive(Clone)]
pub enum Way {
    Formula(Arc<Formula>),
    /// By the callback of that name.
    Callback(Arc<str>),
}

/// A derived page.
pub struct Derivation {
    pub page: PageId,
    pub way: Way,
    /// The pages that it is computed from, in order, and their places.
    pub sources: SmallVec<[(u32, PageId); 2]>,
    pub size: u32,
    /// Bytes that are read and written when it is computed.
    pub work: u64,
    pub staleness: Staleness,
}

/// What a page is to be computed by, and from.
pub struct Computed<'a> {
    pub id: PageId,
    pub size: u32,
    pub way: Way,
    pub parents: &'a [Link],
}

/// All derived pages of a state.
#[derive(Default)]
pub struct Rules {
    derivations: Vec<Option<Derivation>>,
    /// Tags that are not in use.
    free: Vec<u32>,
    formulas: Formulas,
    callbacks: HashMap<Arc<str>, Callback>,
    /// Derived pages that are not fresh.
    pub stale: BTreeSet<PageId>,
}

impl Rules {
    /// Number of derived pages.
    pub fn len(&self) -> usize {
        self.derivations.len() - self.free.len()
    }

    /// The derived page with that tag.
    #[inline]
    pub fn get(&self, tag: u32) -> Option<&Derivation> {
        self.derivations.get(tag as usize)?.as_ref()
    }

    /// The derived page with that tag.
    #[inline]
    pub fn get_mut(&mut self, tag: u32) -> Option<&mut Derivation> {
        self.derivations.get_mut(tag as usize)?.as_mut()
    }

    /// Registers a callback; returns what was registered under its name, to be dropped where nothing is
    /// held.
    pub fn register(&mut self, name: &str, callback: Callback) -> Option<Callback> {
        self.callbacks.insert(name.into(), callback)
    }

    /// Registers a callback for the page `id`, as [`register`](Self::register) does.
    ///
    /// # Errors
    /// `InvalidArgument` if another one computes another page under that name.
    pub fn register_for(
        &mut self,
        id: PageId,
        name: &Arc<str>,
        callback: Callback,
    ) -> Result<Option<Callback>> {
        let is_same = |there: &Callback| {
            let identity = callback.call.identity();
            identity.is_some() && identity == there.call.identity()
        };
        let other = match self.callbacks.get(name) {
            Some(there) if !is_same(there) => self.computed_by(name).find(|&other| other != id),
            _ => None,
        };
        if let Some(other) = other {
            bail!(
                InvalidArgument,
                "a callback {name:?} for {id}: another function of that name computes {other}"
            );
        }
        Ok(self.callbacks.insert(name.clone(), callback))
    }

    /// Puts back what [`register_for`](Self::register_for) replaced; returns what it registered.
    pub fn put_back(&mut self, name: &Arc<str>, replaced: Option<Callback>) -> Option<Callback> {
        match replaced {
            Some(replaced) => self.callbacks.insert(name.clone(), replaced),
            None => self.callbacks.remove(name),
        }
    }

    fn computed_by<'a>(&'a self, name: &'a Arc<str>) -> impl Iterator<Item = PageId> + 'a {
        let is_it = move |derivation: &&Derivation| match &derivation.way {
            Way::Callback(other) => other == name,
            Way::Formula(_) => false,
        };
        self.derivations.iter().flatten().filter(is_it).map(|derivation| derivation.page)
    }

    /// Forgets all callbacks: to be dropped where nothing is held.
    pub fn take_callbacks(&mut self) -> HashMap<Arc<str>, Callback> {
        std::mem::take(&mut self.callbacks)
    }

    /// The callback of that name.
    pub fn callback(&self, name: &Arc<str>) -> Option<&Callback> {
        self.callbacks.get(name)
    }

    /// How `rule` is computed, if it fits parents and page of these sizes.
    ///
    /// # Errors
    /// Those of a formula; `NoCallback`.
    pub fn way(&mut self, id: PageId, rule: &Rule, parents: &[usize], size: u32) -> Result<Way> {
        match rule {
            Rule::Formula(text) => {
                let formula = self.formulas.get(text)?;
                formula.check(parents, size as usize)?;
                Ok(Way::Formula(formula))
            }
            Rule::Callback(name) if self.callbacks.contains_key(name) => {
                Ok(Way::Callback(name.clone()))
            }
            Rule::Callback(name) => Err(no_callback(id, name)),
        }
    }

    /// Has the index say of a page what its metadata say.
    ///
    /// # Errors
    /// `Corrupt` for a rule that cannot be.
    pub fn refresh(&mut self, graph: &mut Graph, table: &Table, id: PageId) -> Result<()> {
        self.forget(graph, id);
        let page = table.lock(id)?;
        let (size, meta) = (page.size, page.share_meta().unwrap_or_default());
        drop(page);
        let way = match meta.rule() {
            None => return Ok(()),
            Some(Rule::Formula(text)) => Way::Formula(self.formulas.get(text)?),
            Some(Rule::Callback(name)) => Way::Callback(name.clone()),
        };
        self.put(graph, table, Computed { id, size, way, parents: meta.parents() })?;
        self.mark(graph, id, meta.staleness);
        Ok(())
    }

    /// Has the index say that a page is computed so. Whoever changes it, or what it is computed from,
    /// propagates that from here on. Returns the newest record of what it is computed from: written
    /// before that, it is read, but nobody followed it.
    pub fn put(&mut self, graph: &mut Graph, table: &Table, computed: Computed<'_>) -> Result<Lsn> {
        let Computed { id: page, size, way, parents } = computed;
        self.forget(graph, page);
        table.note_uncommon();
        let (mut sources, mut work, mut last) = (SmallVec::new(), u64::from(size), Lsn::ZERO);
        for link in parents.iter().filter(|link| link.kind == EdgeKind::Data) {
            let Some(source) = graph.place(link.page) else { return Err(no_edge(page, link.page)) };
            let mut parent = table.lock(link.page)?;
            parent.bound = true;
            last = last.max(parent.lsn);
            work += u64::from(parent.size);
            sources.push((source, link.page));
        }
        let Some(place) = graph.place(page) else { return Err(no_edge(page, page)) };
        table.lock(page)?.bound = true;
        let staleness = Staleness::Fresh;
        let tag = self.keep(Derivation { page, way, sources, size, work, staleness });
        graph.set_tag(place, tag);
        Ok(last)
    }

    /// Notes what a page is marked as.
    pub fn mark(&mut self, graph: &Graph, id: PageId, staleness: Staleness) {
        let tag = graph.place(id).map_or(NO_TAG, |place| graph.tag(place));
        let Some(derivation) = self.get_mut(tag) else { return };
        if std::mem::replace(&mut derivation.staleness, staleness) == staleness {
            return;
        }
        match staleness {
            Staleness::Fresh => self.stale.remove(&id),
            _ => self.stale.insert(id),
        };
    }

    fn keep(&mut self, derivation: Derivation) -> u32 {
        match self.free.pop() {
            Some(tag) => {
                self.derivations[tag as usize] = Some(derivation);
                tag
            }
            None => {
                self.derivations.push(Some(derivation));
                self.derivations.len() as u32 - 1
            }
        }
    }

    /// The page is not derived any more. Before its edges go.
    pub fn forget(&mut self, graph: &mut Graph, id: PageId) {
        let Some(place) = graph.place(id) else { return };
        let tag = graph.tag(place);
        if tag != NO_TAG {
            graph.set_tag(place, NO_TAG);
            self.derivations[tag as usize] = None;
            self.free.push(tag);
            self.stale.remove(&id);
        }
    }
}

#[cold]
fn no_edge(page: PageId, source: PageId) -> Error {
    let message = format!("{page} is computed from {source}, from which no edge leads");
    Error::new(ErrorKind::Corrupt, message)
}

#[cold]
pub fn no_callback(id: PageId, name: &str) -> Error {
    let message = format!("{id} is computed by the callback {name:?}, which is not registered");
    Error::new(ErrorKind::NoCallback, message)
}
