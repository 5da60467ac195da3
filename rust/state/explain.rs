//! Provenance: what a page's content was made of, back to what was written by hand.

use super::State;
use super::core::Core;
use super::op::Op;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Record;
use crate::log::reader::Lookup;
use crate::types::{Epoch, Lsn, PageId, Rule};
use std::collections::HashMap;
use std::fmt::Write;

/// What made a page's content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The page.
    pub page: PageId,
    /// Epoch of the content.
    pub epoch: Epoch,
    /// The record that made it.
    pub lsn: Lsn,
    /// Wall clock, milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// Label of who acted.
    pub source: String,
    /// Why, if they said so.
    pub intent: Option<String>,
    /// What the content was computed by; `None` where it was written.
    pub rule: Option<Rule>,
    /// What it was computed of, in order: places in the list.
    pub parents: Vec<usize>,
}

/// What a page's content was made of, each content once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Explanation {
    /// The page's own first.
    pub origins: Vec<Origin>,
    /// Contents that were made before history begins: not followed further.
    pub dropped: u64,
}

impl std::fmt::Display for Explanation {
    /// One line for each content: what it was made by, and of.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for origin in &self.origins {
            let Origin { page, epoch, lsn, source, intent, rule, parents, .. } = origin;
            let mut of = String::new();
            for parent in parents.iter().filter_map(|&at| self.origins.get(at)) {
                let _ = write!(of, " {}@{}", parent.page.0, parent.epoch);
            }
            let made = match rule {
                Some(rule) => format!("{rule} of{of}"),
                None => "written".to_owned(),
            };
            let why = intent.as_ref().map(|intent| format!(": {intent}")).unwrap_or_default();
            writeln!(f, "{}@{epoch} = {made} ({lsn}, {source:?}{why})", page.0)?;
        }
        if self.dropped > 0 {
            writeln!(f, "and {} made before history begins", self.dropped)?;
        }
        Ok(())
    }
}

/// The record that made a page's content, and what it was computed of.
struct Made {
    origin: Origin,
    sources: Vec<PageId>,
}

impl State {
    /// Tells what made the content of a page, which parents at which epochs, and what made those,
    /// back to what was written by hand. Of a stale page: what it was made of when it was computed.
    ///
    /// # Errors
    /// `PageNotFound`, `PageFreed`, and `Corrupt` with file and offset.
    ///
    /// Cost: a few us for each content in the answer, and 1 us for each change of one of these pages
    /// since; a pass over the log for each content of a page that was freed before the last image.
    ///
    /// ```
    /// # use mmsb::{Config, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let (a, b) = (state.create_page(8, Note::NONE)?, state.create_page(8, Note::NONE)?);
    /// state.derive(b, &[a], "u8: p0", Note::NONE)?;
    /// state.write(a, 0, b"quote", Note::from("feed").because("tick 17"))?;
    /// let told = state.explain(b)?;
    /// assert_eq!(told.origins[1].intent.as_deref(), Some("tick 17"));
    /// assert!(told.to_string().starts_with("2@1 = u8: p0 of 1@1"));
    /// # Ok(()) }
    /// ```
    pub fn explain(&self, page: PageId) -> Result<Explanation> {
        self.check_open()?;
        let core = self.core();
        let lsn = core.lock_page(page)?.lsn;
        core.log.flush()?;
        let mut lookup = Lookup::new(&core.log);
        let mut told = Explanation::default();
        let mut known = HashMap::new();
        let mut sources = Vec::new();
        take_in(core.made(&mut lookup, page, lsn)?, &mut told, &mut known, &mut sources);
        let mut at = 0;
        while at < told.origins.len() {
            let (lsn, mut parents) = (told.origins[at].lsn, Vec::new());
            for source in std::mem::take(&mut sources[at]) {
                let made = core.made(&mut lookup, source, lsn)?;
                parents.extend(take_in(made, &mut told, &mut known, &mut sources));
            }
            told.origins[at].parents = parents;
            at += 1;
        }
        Ok(told)
    }
}

/// Where the content stands among the origins; `None` if history does not reach back to it.
fn take_in(
    made: Option<Made>,
    told: &mut Explanation,
    known: &mut HashMap<(PageId, Lsn), usize>,
    sources: &mut Vec<Vec<PageId>>,
) -> Option<usize> {
    let Some(Made { origin, sources: of }) = made else {
        told.dropped += 1;
        return None;
    };
    let next = told.origins.len();
    let at = *known.entry((origin.page, origin.lsn)).or_insert(next);
    if at == next {
        told.origins.push(origin);
        sources.push(of);
    }
    Some(at)
}

impl Core {
    /// What made the content that a page had when everything up to `to` had happened; `None` if that
    /// is no longer kept.
    fn made(&self, lookup: &mut Lookup, page: PageId, to: Lsn) -> Result<Option<Made>> {
        let now = self.table.lock_any(page)?.map(|slot| (slot.lsn, slot.share_meta()));
        // What the page is computed by is what it was, as long as no record says otherwise.
        let mut is_as_now = now.is_some();
        let (mut lsn, meta) = match now {
            Some(now) => now,
            None => (self.last_record(page, to)?, None),
        };
        if lsn > self.log.written() {
            self.log.flush()?;
            *lookup = Lookup::new(&self.log);
        }
        while lsn > lookup.floor() {
            let record = self.log.record_at(lookup, lsn)?;
            let (looked, prev) = look(&record, page)?;
            if lsn <= to
                && let Some((epoch, computed)) = looked.content
            {
                let origin = Origin {
                    page,
                    epoch,
                    lsn,
                    time_ms: record.time_ms(),
                    source: record.source().to_owned(),
                    intent: record.intent().map(str::to_owned),
                    rule: None,
                    parents: Vec::new(),
                };
                let (rule, sources) = match (computed, is_as_now) {
                    (false, _) => (None, Vec::new()),
                    (true, true) => {
                        let meta = meta.unwrap_or_default();
                        (meta.rule().cloned(), meta.sources().collect())
                    }
                    (true, false) => match self.rule_at(page, lsn) {
                        // Records may be kept longer than history is.
                        Err(error) if error.kind() == ErrorKind::HistoryDropped => return Ok(None),
                        known => known?,
                    },
                };
                return Ok(Some(Made { origin: Origin { rule, ..origin }, sources }));
            }
            is_as_now &= !looked.origin_changed;
            lsn = prev;
        }
        Ok(None)
    }
}

/// What a record does to a page's content.
#[derive(Default)]
struct Looked {
    /// The epoch that it makes, and whether by a rule.
    content: Option<(Epoch, bool)>,
    /// It changes how the page is computed, or whether it is there.
    origin_changed: bool,
}

fn look(record: &Record<'_>, page: PageId) -> Result<(Looked, Lsn)> {
    let (mut looked, mut prev) = (Looked::default(), Lsn::ZERO);
    let broken = |reason: &str| {
        let message = format!("the record {} cannot be read: {reason}", record.lsn);
        Error::new(ErrorKind::Corrupt, message)
    };
    for entry in record.entries() {
        let entry = entry.map_err(broken)?;
        if entry.head.object != page.0 {
            continue;
        }
        prev = entry.head.prev;
        match Op::decode(&entry).map_err(broken)? {
            Op::Create { .. } | Op::Write(_) | Op::Seal(_) => {
                looked.content = Some((entry.head.epoch, false));
            }
            Op::Derive | Op::Result(_) => looked.content = Some((entry.head.epoch, true)),
            Op::Restore { .. } => {
                looked.content = Some((entry.head.epoch, false));
                looked.origin_changed = true;
            }
            Op::Rule(_) | Op::Edge { .. } | Op::Free => looked.origin_changed = true,
            Op::Meta { .. } | Op::Own(_) | Op::Stale(_) => {}
        }
    }
    Ok((looked, prev))
}
