//! Applying records to a table: what recovery, replay and followers do. The live path reaches the
//! same state through `commit`; tests compare the two by digest.
//!
//! Each entry is checked against the page that it changes: the record before must be the page's
//! last, the epoch must follow, ranges must lie inside. A record that does not fit is damage.

use super::op::{Op, Written};
use super::rules::Formulas;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Entry, EntryHead, Record};
use crate::page::meta::Meta;
use crate::page::slot::{Body, SlotGuard, Status};
use crate::page::table::Table;
use crate::propagate::Formula;
use crate::stdx::canary::{Canary, sings};
use crate::types::{Location, Lsn, PageId, Rule, Staleness};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;

/// Applies records to a table that nobody else uses.
pub struct Applier<'a> {
    table: &'a mut Table,
    known: Formulas,
    /// Of pages that were computed already; others' are looked up with the page.
    formulas: HashMap<PageId, Arc<Formula>>,
    /// Where content is computed.
    scratch: Vec<u8>,
}

impl<'a> Applier<'a> {
    /// What applies records to `table`.
    pub fn new(table: &'a mut Table) -> Applier<'a> {
        let (known, formulas) = (Formulas::default(), HashMap::new());
        Applier { table, known, formulas, scratch: Vec::new() }
    }

    /// Applies one record.
    #[inline]
    pub fn apply(&mut self, record: &Record<'_>) -> Result<()> {
        for entry in record.entries() {
            let entry = entry.map_err(|reason| broken(record.lsn, reason))?;
            self.apply_entry(record.lsn, &entry)?;
            if sings(Canary::HalfAGroup) {
                break;
            }
        }
        Ok(())
    }

    #[inline]
    fn apply_entry(&mut self, lsn: Lsn, entry: &Entry<'_>) -> Result<()> {
        let id = PageId(entry.head.object);
        let table = &mut *self.table;
        let op = Op::decode(entry).map_err(|reason| broken(lsn, reason))?;
        match op {
            Op::Create { size, location } => {
                return create(table, lsn, &entry.head, size, location);
            }
            Op::Restore { size, location } => {
                return restore(table, lsn, &entry.head, size, location);
            }
            Op::Derive => self.compute(id, lsn)?,
            Op::Rule(_) => drop(self.formulas.remove(&id)),
            _ => {}
        }
        let table = &mut *self.table;
        if let Op::Edge { link, there: true } = op {
            table.note_linked();
            if link.page == id || link.page.0 >= table.next_id() {
                return Err(broken(lsn, &format!("it derives {id} from {}", link.page)));
            }
        }
        if let Op::Own(_) = op {
            table.note_uncommon();
        }
        let page = table.live_mut(id).map_err(|error| no_such_page(lsn, error))?;
        let content = matches!(op, Op::Write(_) | Op::Result(_) | Op::Derive | Op::Seal(_));
        check_link(page, lsn, &entry.head, content)?;
        page.lsn = lsn;
        match op {
            Op::Write(runs) => write(page, id, lsn, runs)?,
            Op::Seal(runs) => {
                write(page, id, lsn, runs)?;
                page.private = true;
            }
            Op::Result(runs) => {
                write(page, id, lsn, runs)?;
                freshen(page);
            }
            Op::Derive => {
                page.bytes_mut().copy_from_slice(&self.scratch);
                page.epoch += 1;
                freshen(page);
            }
            Op::Meta { key, value } => page.change_meta(|meta| meta.set(key, value)),
            Op::Own(ownership) => page.ownership = ownership,
            Op::Edge { link, there } => {
                if !page.set_parent(link, there) {
                    let parent = link.page;
                    let reason = format!("it changes an edge from {parent} to {id} to what it is");
                    return Err(broken(lsn, &reason));
                }
            }
            Op::Rule(rule) => page.change_meta(|meta| meta.set_rule(rule)),
            Op::Stale(staleness) => page.change_meta(|meta| meta.staleness = staleness),
            Op::Free => {
                self.formulas.remove(&id);
                let mut page = table.lock(id)?;
                table.free_page(&mut page, lsn, false);
            }
            Op::Create { .. } | Op::Restore { .. } => {}
        }
        Ok(())
    }

    /// Computes into the scratch what the page's formula makes of its parents.
    fn compute(&mut self, id: PageId, lsn: Lsn) -> Result<()> {
        let page = self.table.lock(id).map_err(|error| no_such_page(lsn, error))?;
        let meta = page.share_meta().unwrap_or_default();
        self.scratch.resize(page.size as usize, 0);
        drop(page);
        let formula = match self.formulas.get(&id) {
            Some(formula) => formula.clone(),
            None => {
                let Some(Rule::Formula(text)) = meta.rule() else {
                    return Err(broken(lsn, &format!("it computes {id}, which has no formula")));
                };
                let formula =
                    self.known.get(text).map_err(|error| not_computed(lsn, id, &error))?;
                self.formulas.insert(id, formula.clone());
                formula
            }
        };
        self.eval(id, &formula, &meta).map_err(|error| not_computed(lsn, id, &error))
    }

    fn eval(&mut self, id: PageId, formula: &Formula, meta: &Meta) -> Result<()> {
        let table = &*self.table;
        let mut parents: SmallVec<[SlotGuard<'_>; 4]> = SmallVec::new();
        for source in meta.sources().filter(|&source| source != id) {
            parents.push(table.lock(source)?);
        }
        let bytes: SmallVec<[&[u8]; 4]> = parents.iter().map(|page| page.bytes()).collect();
        let sizes: SmallVec<[usize; 4]> = bytes.iter().map(|bytes| bytes.len()).collect();
        formula.check(&sizes, self.scratch.len())?;
        formula.eval(&bytes, &mut self.scratch)
    }
}

fn write(page: &mut Body, id: PageId, lsn: Lsn, runs: Written<'_>) -> Result<()> {
    if runs.end() > u64::from(page.size) {
        return Err(broken(lsn, &format!("it writes beyond the end of {id}")));
    }
    overwrite(page.bytes_mut(), runs);
    page.epoch += 1;
    Ok(())
}

/// The page's content was computed anew.
fn freshen(page: &mut Body) {
    if page.meta().is_some_and(|meta| meta.staleness != Staleness::Fresh) {
        page.change_meta(|meta| meta.staleness = Staleness::Fresh);
    }
}

#[cold]
fn no_such_page(lsn: Lsn, error: Error) -> Error {
    match error.kind() {
        ErrorKind::PageNotFound | ErrorKind::PageFreed => broken(lsn, error.message()),
        _ => error,
    }
}

#[cold]
fn not_computed(lsn: Lsn, id: PageId, error: &Error) -> Error {
    match error.kind() {
        ErrorKind::OutOfMemory => Error::new(error.kind(), error.message()),
        _ => broken(lsn, &format!("{id} cannot be computed: {}", error.message())),
    }
}

fn restore(
    table: &mut Table,
    lsn: Lsn,
    head: &EntryHead,
    size: u32,
    location: Location,
) -> Result<()> {
    let id = PageId(head.object);
    match table.freed_mut(id)? {
        None => return Err(broken(lsn, &format!("it brings {id} back, which was not freed"))),
        Some(page) if page.status == Status::Freed => check_link(page, lsn, head, true)?,
        // An image does not tell of pages that were freed before.
        Some(_) => {}
    }
    let frame = table.frame(size)?;
    if let Some(page) = table.freed_mut(id)? {
        page.restore((size, location), (lsn, head.epoch), frame);
        table.note_created(size);
    }
    Ok(())
}

fn create(
    table: &mut Table,
    lsn: Lsn,
    head: &EntryHead,
    size: u32,
    location: Location,
) -> Result<()> {
    let id = PageId(head.object);
    let mut page = table.lock_vacant(id)?;
    table.note_id(id);
    if page.status != Status::Vacant || head.prev != Lsn::ZERO || head.epoch != 0 {
        return Err(broken(lsn, &format!("it creates {id}, which exists")));
    }
    page.create(size, location, lsn, table.frame(size)?);
    table.note_created(size);
    Ok(())
}

/// Entries of one record on one page share their link.
#[inline]
fn check_link(page: &Body, lsn: Lsn, head: &EntryHead, write: bool) -> Result<()> {
    let follows = page.lsn == head.prev || page.lsn == lsn;
    if !follows || head.epoch != page.epoch + u64::from(write) {
        return Err(does_not_follow(page, lsn, head));
    }
    Ok(())
}

#[cold]
fn does_not_follow(page: &Body, lsn: Lsn, head: &EntryHead) -> Error {
    let reason = format!(
        "it follows record {} and makes epoch {} of page {}, which stands at record {}, epoch {}",
        head.prev, head.epoch, head.object, page.lsn, page.epoch
    );
    broken(lsn, &reason)
}

/// Copies runs into a page's bytes; the runs lie inside.
#[inline]
pub fn overwrite<'a>(page: &mut [u8], runs: impl IntoIterator<Item = (u32, &'a [u8])>) {
    for (offset, bytes) in runs {
        let offset = offset as usize;
        page[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

#[cold]
fn broken(lsn: Lsn, reason: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the record {lsn} cannot be applied: {reason}"))
}
