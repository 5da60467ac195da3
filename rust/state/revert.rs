//! Soft checkpoints: marks in memory that a state can go back to, at the cost of what changed since.
//!
//! ```text
//!   marks, oldest first:   A ──── B ──── C ──── now       back to A ends B and C
//! ```
//!
//! Going back is a group like any other: pages get their old bytes and metadata, those created
//! since are freed, those freed since come back. So replay, history and recovery know of it, epochs
//! grow, and snapshots taken in between stay as they are.
//!
//! It goes alone ([`Log::hold_writers`](crate::log::Log::hold_writers)): from the moment when what
//! changed since the mark is asked for, to the one when all of it was undone, nothing else changes.
//! A change that was on its way is let to its end and undone, or comes again afterwards. None is
//! undone in part.

use super::State;
use super::batch::{Begin, Change, Group, Write};
use super::commit::Authority;
use super::core::Core;
use super::snapshot::Snapshot;
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::log::record::check_note;
use crate::page::Delta;
use crate::page::meta::Meta;
use crate::page::slot::Seen;
use crate::stdx::sync::Mutex;
use crate::types::{Link, Lsn, Note, PageId};
use std::sync::{Arc, Weak};

/// A mark that its state can go back to, as often as it is asked to. Dropping it, or
/// [`release`](SoftCheckpoint::release), gives it up.
///
/// It is a snapshot, and holds what changes after it: as those it is ended when all together hold
/// more than [`Config::version_bytes_max`](crate::Config). It is in memory alone: the state's end
/// ends it.
pub struct SoftCheckpoint {
    core: Arc<Core>,
    mark: Arc<Mark>,
}

/// Where a mark stands; `None` once the state went back past it.
struct Mark(Mutex<Option<Snapshot>>);

/// A state's marks, oldest first. Locked by whoever goes back, from beginning to end.
#[derive(Default)]
pub struct Marks(Mutex<Vec<Weak<Mark>>>);

impl Marks {
    /// Waits for whoever goes back.
    #[cold]
    pub fn wait(&self) {
        drop(self.0.lock());
    }

    /// Forgets all. Nobody holds any.
    pub fn reset(&mut self) {
        self.0.get_mut().clear();
    }
}

impl SoftCheckpoint {
    /// The closed LSN that it stands at. Going back to it moves it there.
    ///
    /// # Errors
    /// `CheckpointPassed`.
    pub fn lsn(&self) -> Result<Lsn> {
        match &*self.mark.0.lock() {
            Some(snapshot) => Ok(snapshot.lsn()),
            None => Err(passed()),
        }
    }

    /// Whether the state went back past it, so that it cannot be gone back to any more.
    pub fn is_passed(&self) -> bool {
        self.mark.0.lock().is_none()
    }

    /// Gives it up: what was held for it goes, the state stays as it is.
    pub fn release(self) {}
}

#[cold]
fn passed() -> Error {
    let message = "the state went back to an older soft checkpoint, which ended this one";
    Error::new(ErrorKind::CheckpointPassed, message)
}

impl std::fmt::Debug for SoftCheckpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.lsn() {
            Ok(lsn) => write!(f, "SoftCheckpoint(at {lsn})"),
            Err(_) => f.write_str("SoftCheckpoint(passed)"),
        }
    }
}

impl State {
    /// Marks the state as it is now, to [`revert`](State::revert) to. Marks may be nested, released
    /// and gone back to in any order; going back to one ends those made after it.
    ///
    /// Cost: that of a snapshot, O(lanes).
    ///
    /// # Errors
    /// `ReadOnly`, `Closed`, `Poisoned`.
    ///
    /// ```
    /// # use mmsb::{Config, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// let page = state.create_page(4, Note::NONE)?;
    /// let mark = state.soft_checkpoint()?;
    /// state.write(page, 0, b"try", Note::NONE)?;
    /// state.revert(&mark, Note::from("no good"))?;
    /// assert_eq!((state.read_all(page)?, state.epoch(page)?), (vec![0; 4], 2));
    /// # Ok(()) }
    /// ```
    pub fn soft_checkpoint(&self) -> Result<SoftCheckpoint> {
        self.check_open()?;
        let core = self.core();
        core.check_writable()?;
        let mut marks = core.marks.0.lock();
        let snapshot = Snapshot::take(core.clone(), false);
        let mark = Arc::new(Mark(Mutex::new(Some(snapshot))));
        marks.retain(|mark| mark.strong_count() > 0);
        marks.push(Arc::downgrade(&mark));
        drop(marks);
        Ok(SoftCheckpoint { core: core.clone(), mark })
    }

    /// Makes content, metadata, owners, edges and existence of all pages what they were at a soft
    /// checkpoint: one group, which is logged. What was frozen since is not any more. Epochs go on
    /// growing, and ids given out since stay given out.
    /// Returns the group's LSN; `None` if nothing is different. The mark then stands here: it can
    /// be gone back to again. Marks made after it are passed.
    ///
    /// Other writers wait meanwhile; readers see each page before or after it.
    ///
    /// Cost: O(pages that changed since, and their bytes); the record holds what differs.
    ///
    /// # Errors
    /// `InvalidArgument` for one of another state, `CheckpointPassed`, `SnapshotTooOld`, `TooLarge`
    /// if more differs than one record holds ([`RECORD_BYTES_MAX`]), and those of a batch. On error
    /// nothing changed, and the marks are as before.
    ///
    /// [`RECORD_BYTES_MAX`]: crate::limits::RECORD_BYTES_MAX
    pub fn revert(&self, to: &SoftCheckpoint, note: Note<'_>) -> Result<Option<Lsn>> {
        check_note(note)?;
        self.check_open()?;
        let core = self.core();
        if !Arc::ptr_eq(core, &to.core) {
            bail!(InvalidArgument, "{to:?} is of another state");
        }
        let lsn = core.revert(&to.mark, note)?;
        core.acknowledged(lsn)
    }
}

impl Core {
    fn revert(self: &Arc<Core>, to: &Arc<Mark>, note: Note<'_>) -> Result<Option<Lsn>> {
        let mut marks = self.marks.0.lock();
        let mut standing = to.0.lock();
        let Some(snapshot) = &*standing else { return Err(passed()) };
        self.check_writable()?;
        let held = self.log.hold_writers();
        // Its LSN is above all that was published, also of pages that it finds nothing to do on: as
        // of it, the state is what it was at the mark.
        self.log.close_lsn(|_| ());
        let changes = self.changes_back_to(snapshot)?;
        let group = Group { changes: &changes, note, listed: None };
        let lsn = self.commit_batch(group, Log::begin_alone)?;
        // What it shows is what the state is now; what was kept for it so far may go.
        let moved = Snapshot::take(self.clone(), false);
        drop(held);
        let left_behind = standing.replace(moved);
        drop(standing);
        let place = marks.iter().position(|mark| std::ptr::eq(mark.as_ptr(), Arc::as_ptr(to)));
        let kept = place.map_or(marks.len(), |place| place + 1);
        let later = marks.split_off(kept);
        let ended = later.iter().filter_map(Weak::upgrade).map(|mark| mark.0.lock().take());
        let ended: Vec<_> = ended.collect();
        drop(marks);
        drop((left_behind, ended));
        Ok(lsn)
    }

    /// What makes the state what `snapshot` shows. Writers are held.
    fn changes_back_to(&self, snapshot: &Snapshot) -> Result<Vec<Change<'static>>> {
        let mut pages = snapshot.changed_after()?;
        let came_later = pages.partition_point(|page| page.0 < snapshot.next_id());
        pages.truncate(came_later);
        pages.extend((snapshot.next_id()..self.table.next_id()).map(PageId));
        let mut changes = Vec::with_capacity(pages.len());
        for id in pages {
            changes.extend(self.change_back(snapshot, id)?);
        }
        Ok(changes)
    }

    fn change_back(&self, snapshot: &Snapshot, id: PageId) -> Result<Option<Change<'static>>> {
        let Some(page) = self.table.lock_any(id)? else { return Ok(None) };
        snapshot.check()?;
        let mut change = Change::nothing(id);
        change.writer.authority = Authority::State;
        match (page.at(snapshot.lsn()), page.now()) {
            (None, None) => return Ok(None),
            (None, Some(_)) => change.free = true,
            (Some((then, _)), Some(now)) if then.lsn == now.lsn => return Ok(None),
            (Some((then, bytes)), now) => {
                if now.is_none() {
                    let Seen { size, location, private, .. } = then;
                    change.begin = Some(Begin { size, location, private, again: true });
                }
                if now.is_none() || bytes != page.bytes() {
                    change.write = Write::Delta(Box::new(Delta::dense(id, bytes)?));
                }
                change.meta = meta_back(&then, now.as_ref());
                change.ownership = Some(then.ownership);
                change.parents = parents_back(&then, now.as_ref());
                let rule = |seen: &Seen| seen.meta.as_ref().and_then(|meta| meta.rule().cloned());
                let mark = |seen: &Seen| seen.meta.as_ref().map(|meta| meta.staleness);
                if rule(&then) != now.as_ref().and_then(rule) {
                    change.rule = Some(rule(&then));
                }
                if mark(&then).is_some() || now.as_ref().and_then(mark).is_some() {
                    change.staleness = Some(mark(&then).unwrap_or_default());
                }
            }
        }
        Ok(Some(change))
    }
}

/// The parents of `then`, if they are others than those of `now`.
fn parents_back(then: &Seen, now: Option<&Seen>) -> Option<Vec<Link>> {
    let parents = |seen: &Seen| seen.meta.as_ref().map(|meta| meta.parents().to_vec());
    let then = parents(then).unwrap_or_default();
    let now = now.and_then(parents).unwrap_or_default();
    (then != now).then_some(then)
}

/// The changes of metadata from `now` to `then`.
fn meta_back(then: &Seen, now: Option<&Seen>) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let none = Meta::default();
    let then = then.meta.as_deref().unwrap_or(&none);
    let now = now.and_then(|now| now.meta.as_deref()).unwrap_or(&none);
    let gone = now.iter().filter(|(key, _)| then.get(key).is_none());
    let gone = gone.map(|(key, _)| (key.to_vec(), None));
    let back = then.iter().filter(|(key, value)| now.get(key) != Some(value));
    gone.chain(back.map(|(key, value)| (key.to_vec(), Some(value.to_vec())))).collect()
}
