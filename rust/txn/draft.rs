//! What a transaction has seen, and what it is about to do: pages, and a journal of steps.
//!
//! ```text
//!   pages   7: read as of record 40, 8 bytes ──last──> step 2 ──before──> step 0
//!           9: created here                  ──last──> step 1
//!   steps   0: write 7 at 0, payload 0..8    1: create 9    2: write 7 at 4, payload 8..12
//! ```
//!
//! The journal only grows, so a savepoint is a length, and going back to it cuts the journal off
//! there. What was read stays: the transaction may have decided by it.

use crate::types::{Location, Lsn, Ownership, PageId};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// No step.
const NONE: u32 = u32::MAX;
/// Up to this many pages are looked through, more are looked up.
const LOOKED_THROUGH_MAX: usize = 16;

/// What a transaction knows of one page.
#[derive(Clone, Copy, Debug)]
pub struct Touched {
    /// Which page.
    pub id: PageId,
    /// The record that had changed it last when it was read; zero if it was not.
    pub read: Lsn,
    /// Bytes of content; 0 while nobody asked.
    pub size: u32,
    /// The transaction may change it.
    pub admitted: bool,
    /// It belongs to the transaction's partition.
    pub owned: bool,
    /// It is private.
    pub private: bool,
    /// The transaction creates it.
    pub created: bool,
    /// The newest of its steps.
    last: u32,
}

/// One thing to do to a page.
#[derive(Clone, Debug)]
pub enum What {
    /// It begins, all zero.
    Create { size: u32, location: Location, private: bool },
    /// It ends.
    Free,
    /// Bytes of the payload go to an offset.
    Write { offset: u32, payload: Range<u32> },
    /// A key becomes a value, or goes.
    Meta { key: Range<u32>, value: Option<Range<u32>> },
    /// It belongs to somebody else.
    Own(Ownership),
}

/// A step of the journal.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which of the touched pages.
    pub page: u32,
    /// What happens to it.
    pub what: What,
    before: u32,
}

/// A place in a journal that can be gone back to. No two of a process are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Savepoint(pub(crate) u64);

static SAVEPOINTS: AtomicU64 = AtomicU64::new(1);

/// A transaction's memory. No allocation as long as it is small.
#[derive(Default)]
pub struct Draft {
    pages: SmallVec<[Touched; 6]>,
    places: Option<HashMap<PageId, u32>>,
    steps: SmallVec<[Step; 4]>,
    payload: SmallVec<[u8; 64]>,
    /// Savepoints that were not taken back, and how many steps there were.
    savepoints: Vec<(Savepoint, u32)>,
}

impl Draft {
    /// The pages touched so far, in the order in which they were.
    #[inline]
    pub fn pages(&self) -> &[Touched] {
        &self.pages
    }

    /// One of them.
    #[inline]
    pub fn page(&mut self, at: usize) -> &mut Touched {
        &mut self.pages[at]
    }

    /// Where a page stands among them.
    #[inline]
    pub fn find(&self, id: PageId) -> Option<usize> {
        match &self.places {
            None => self.pages.iter().position(|page| page.id == id),
            Some(places) => places.get(&id).map(|&at| at as usize),
        }
    }

    /// Adds a page that is not there yet.
    #[inline]
    pub fn add(&mut self, id: PageId) -> usize {
        let at = self.pages.len();
        let (read, size, last) = (Lsn::ZERO, 0, NONE);
        let (admitted, owned, private, created) = (false, false, false, false);
        self.pages.push(Touched { id, read, size, admitted, owned, private, created, last });
        if at >= LOOKED_THROUGH_MAX {
            self.index(at);
        }
        at
    }

    #[cold]
    fn index(&mut self, at: usize) {
        let places = self.places.get_or_insert_with(|| {
            let places = self.pages[..at].iter().zip(0u32..).map(|(page, at)| (page.id, at));
            places.collect()
        });
        places.insert(self.pages[at].id, at as u32);
    }

    /// Whether the page has steps.
    #[inline]
    pub fn is_changed(&self, at: usize) -> bool {
        self.pages[at].last != NONE
    }

    /// Whether there are none at all.
    #[inline]
    pub fn is_unchanged(&self) -> bool {
        self.steps.is_empty()
    }

    /// All steps, oldest first.
    #[inline]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps of a page, newest first.
    pub fn steps_of(&self, at: usize) -> impl Iterator<Item = &Step> {
        let step = |at: u32| self.steps.get(at as usize);
        std::iter::successors(step(self.pages[at].last), move |last| step(last.before))
    }

    /// The page's newest step, whatever it does.
    #[inline]
    pub fn newest(&self, at: usize) -> Option<&What> {
        self.steps.get(self.pages[at].last as usize).map(|step| &step.what)
    }

    /// Bytes of the payload.
    #[inline]
    pub fn bytes(&self, range: &Range<u32>) -> &[u8] {
        &self.payload[range.start as usize..range.end as usize]
    }

    /// Puts bytes into the payload; `None` if it would grow beyond 4 GiB.
    #[inline]
    pub fn keep(&mut self, bytes: &[u8]) -> Option<Range<u32>> {
        let start = self.payload.len();
        let end = u32::try_from(start + bytes.len()).ok()?;
        self.payload.extend_from_slice(bytes);
        Some(start as u32..end)
    }

    /// Adds a step.
    #[inline]
    pub fn push(&mut self, at: usize, what: What) {
        let page = &mut self.pages[at];
        let before = std::mem::replace(&mut page.last, self.steps.len() as u32);
        self.steps.push(Step { page: at as u32, what, before });
    }

    /// The place where the journal stands.
    pub fn savepoint(&mut self) -> Savepoint {
        let savepoint = Savepoint(SAVEPOINTS.fetch_add(1, Ordering::Relaxed));
        self.savepoints.push((savepoint, self.steps.len() as u32));
        savepoint
    }

    /// Takes back all steps and savepoints after a savepoint; returns pages that are not created any
    /// more, newest first. `None` for a savepoint of another journal, or one that was taken back.
    pub fn go_back(&mut self, to: Savepoint) -> Option<Vec<PageId>> {
        let place = self.savepoints.iter().rposition(|&(savepoint, _)| savepoint == to)?;
        let (_, steps) = self.savepoints[place];
        self.savepoints.truncate(place + 1);
        let mut uncreated = Vec::new();
        while self.steps.len() > steps as usize
            && let Some(step) = self.steps.pop()
        {
            let page = &mut self.pages[step.page as usize];
            page.last = step.before;
            match step.what {
                What::Create { .. } => {
                    (page.created, page.size) = (false, 0);
                    uncreated.push(page.id);
                }
                // What a step keeps stands behind what those before it do.
                What::Write { payload: kept, .. } | What::Meta { key: kept, .. } => {
                    self.payload.truncate(kept.start as usize);
                }
                What::Free | What::Own(_) => {}
            }
        }
        Some(uncreated)
    }

    /// The pages that it creates, newest first.
    #[inline]
    pub fn created(&self) -> impl Iterator<Item = PageId> {
        let created = |step: &Step| matches!(step.what, What::Create { .. });
        let steps = self.steps.iter().rev().filter(move |step| created(step));
        steps.map(|step| self.pages[step.page as usize].id)
    }

    /// The only step, if all that was touched is the page that it changes.
    #[inline]
    pub fn only_write(&self) -> Option<(Touched, u32, &[u8])> {
        let ([page], [Step { what: What::Write { offset, payload }, .. }]) =
            (&self.pages[..], &self.steps[..])
        else {
            return None;
        };
        Some((*page, *offset, self.bytes(payload)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(draft: &mut Draft, id: u64, offset: u32, bytes: &[u8]) {
        let at = draft.find(PageId(id)).unwrap_or_else(|| draft.add(PageId(id)));
        let payload = draft.keep(bytes).unwrap();
        draft.push(at, What::Write { offset, payload });
    }

    fn offsets(draft: &Draft, id: u64) -> Vec<u32> {
        let at = draft.find(PageId(id)).unwrap();
        let offset = |step: &Step| match step.what {
            What::Write { offset, .. } => offset,
            _ => unreachable!(),
        };
        draft.steps_of(at).map(offset).collect()
    }

    #[test]
    fn many_pages_are_found_as_few_are() {
        let mut draft = Draft::default();
        for id in 1..=100 {
            write(&mut draft, id * 7, id as u32, b"x");
        }
        for id in 1..=100 {
            assert_eq!(draft.find(PageId(id * 7)), Some(id as usize - 1));
            assert_eq!(offsets(&draft, id * 7), [id as u32]);
        }
        assert_eq!(draft.find(PageId(6)), None);
    }

    #[test]
    fn going_back_cuts_the_journal_where_it_stood() {
        let mut draft = Draft::default();
        write(&mut draft, 1, 0, b"ab");
        let first = draft.savepoint();
        write(&mut draft, 2, 1, b"c");
        write(&mut draft, 1, 2, b"d");
        let second = draft.savepoint();
        write(&mut draft, 1, 3, b"e");
        assert_eq!(offsets(&draft, 1), [3, 2, 0]);
        assert_eq!(draft.go_back(second), Some(vec![]));
        assert_eq!(offsets(&draft, 1), [2, 0]);
        for _ in 0..2 {
            assert_eq!(draft.go_back(first), Some(vec![]));
            assert_eq!((offsets(&draft, 1), offsets(&draft, 2)), (vec![0], vec![]));
            assert_eq!(draft.bytes(&(0..2)), b"ab");
        }
        // It went with the first one, however much is written since.
        (0..5).for_each(|_| write(&mut draft, 1, 4, b"f"));
        assert_eq!(draft.go_back(second), None);
        assert_eq!(Draft::default().go_back(first), None);
        assert_eq!(offsets(&draft, 1).len(), 6);
    }

    #[test]
    fn pages_created_after_a_savepoint_are_given_back_newest_first() {
        let mut draft = Draft::default();
        let start = draft.savepoint();
        for id in [4, 5, 6] {
            let at = draft.add(PageId(id));
            draft.page(at).created = true;
            draft.push(at, What::Create { size: 8, location: Location::Cpu, private: false });
        }
        assert_eq!(draft.go_back(start), Some(vec![PageId(6), PageId(5), PageId(4)]));
        assert_eq!(draft.created().count(), 0);
    }
}
