//! Deltas as callers build, inspect and merge them.
//!
//! ```text
//!   Delta::dense     all bytes of a page      one run from 0; its length is the page's
//!   Delta::sparse    a byte mask and bytes    the masked bytes, as runs; the mask's length, too
//!   Delta::from_runs pieces                   as they are
//!        |
//!   page, runs, payload, source, intent       + a stamp, if it was read back from a log
//! ```
//!
//! - The runs of a delta are checked when it is built: none is empty, they ascend, none overlap,
//!   all lie in the largest page. Whether they lie in *its* page is known where the page is:
//!   [`Delta::validate`].
//! - Applying a delta writes the bytes of its runs and no others.
//! - `a.merge(&b)` applied is `a` applied, then `b`.
//!
//! This file does not know how a delta is stored, nor that there is a log.

use super::diff::{apply_runs, gather, mask_runs};
use super::runs::{Run, Runs, check_runs, payload_len};
use crate::error::Result;
use crate::memory::Buffer;
use crate::types::{Epoch, Lsn, Note, PageId};
use crate::{bail, limits};

const PAGE_BYTES_MAX: usize = limits::PAGE_BYTES_MAX as usize;

/// An ordered change to one page: bytes, where they go, and who says so and why.
///
/// ```
/// use mmsb::PageId;
/// use mmsb::page::Delta;
/// let delta = Delta::from_runs(PageId(7), &[(0, b"ab"), (4, b"c")])?.with_source("feed")?;
/// let mut page = *b"------";
/// delta.apply_to(&mut page)?;
/// assert_eq!(&page, b"ab--c-");
/// # Ok::<(), mmsb::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delta {
    page: PageId,
    shape: Shape,
    /// Checked against the largest page.
    runs: Runs,
    /// The bytes of the runs, one run after the other.
    payload: Buffer,
    source: String,
    intent: Option<String>,
    stamp: Option<Stamp>,
}

/// What a delta says of its page's size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// One run: the page.
    Dense,
    /// The page has that many bytes.
    Masked(usize),
    /// Nothing.
    Runs,
}

/// When a delta that was read back from a log was logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Of the group that the delta is part of.
    pub lsn: Lsn,
    /// Of the page, with the delta applied.
    pub epoch: Epoch,
    /// Wall-clock time, milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
}

impl Delta {
    /// A delta that gives `page` new bytes from its first to its last.
    ///
    /// - `bytes`: shape `[n]`, where n is the size of the page,
    ///   `1..=`[`PAGE_BYTES_MAX`](limits::PAGE_BYTES_MAX). They are copied.
    ///
    /// # Errors
    /// `SizeOutOfRange`: no page has that many bytes.
    ///
    /// ```
    /// use mmsb::{ErrorKind, PageId, page::Delta};
    /// let delta = Delta::dense(PageId(1), *b"abcd")?;
    /// assert!(delta.is_dense());
    /// assert_eq!(delta.validate(5).unwrap_err().kind(), ErrorKind::LengthMismatch);
    /// # Ok::<(), mmsb::Error>(())
    /// ```
    pub fn dense(page: PageId, bytes: impl AsRef<[u8]>) -> Result<Delta> {
        check_page_size(bytes.as_ref().len())?;
        let payload = Buffer::copy_of(bytes.as_ref())?;
        let run = Run { offset: 0, len: payload.len() as u32 };
        Ok(Delta::new(page, Shape::Dense, [run].into_iter().collect(), payload))
    }

    /// A delta that gives `page` the bytes of `bytes` where `mask` is not 0.
    ///
    /// - `mask`, `bytes`: shape `[n]`, where n is the size of the page,
    ///   `1..=`[`PAGE_BYTES_MAX`](limits::PAGE_BYTES_MAX). Masked-out bytes are not kept.
    ///
    /// A mask of zeros is a delta without runs, which changes nothing.
    ///
    /// # Errors
    /// `LengthMismatch`: `mask` and `bytes` differ in length. `SizeOutOfRange`: no page has that
    /// many bytes.
    ///
    /// ```
    /// use mmsb::{PageId, page::Delta};
    /// let delta = Delta::sparse(PageId(1), &[0, 1, 1, 0], b"abcd")?;
    /// assert_eq!(delta.runs().collect::<Vec<_>>(), [(1, &b"bc"[..])]);
    /// # Ok::<(), mmsb::Error>(())
    /// ```
    pub fn sparse(page: PageId, mask: &[u8], bytes: &[u8]) -> Result<Delta> {
        let n = mask.len();
        if n != bytes.len() {
            bail!(LengthMismatch, "the mask has {n} bytes, what it masks has {}", bytes.len());
        }
        check_page_size(n)?;
        let mut runs = Runs::new();
        mask_runs(mask, 0, &mut runs);
        let mut payload = Buffer::zeroed(payload_len(&runs))?;
        gather(bytes, 0, &runs, &mut payload);
        Ok(Delta::new(page, Shape::Masked(n), runs, payload))
    }

    /// A delta that writes `pieces`, each to its offset from the start of `page`.
    ///
    /// - `pieces`: ascending, not empty, not overlapping; touching is allowed. No pieces at all
    ///   are a delta that changes nothing.
    ///
    /// # Errors
    /// `RunsInvalid`: a piece is empty, overlaps the one before it, or comes before it.
    /// `RangeOutOfBounds`: a piece ends after the largest page. The message names the piece.
    pub fn from_runs(page: PageId, pieces: &[(usize, &[u8])]) -> Result<Delta> {
        let mut runs = Runs::with_capacity(pieces.len());
        let bytes = pieces.iter().map(|(_, bytes)| bytes.len()).fold(0, usize::saturating_add);
        let mut payload = Buffer::with_capacity(bytes)?;
        for (i, &(offset, bytes)) in pieces.iter().enumerate() {
            runs.push(run_of_piece(i, offset, bytes.len())?);
            payload.extend(bytes)?;
        }
        Delta::checked(page, runs, payload)
    }

    /// A delta of `runs` and their `payload`, one run after the other: the form that logs carry.
    ///
    /// # Errors
    /// As [`Delta::from_runs`]; `LengthMismatch`: the payload is not as long as the runs together.
    pub fn from_parts(page: PageId, runs: Runs, payload: &[u8]) -> Result<Delta> {
        Delta::checked(page, runs, Buffer::copy_of(payload)?)
    }

    fn checked(page: PageId, runs: Runs, payload: Buffer) -> Result<Delta> {
        check_runs(&runs, PAGE_BYTES_MAX)?;
        let (want, have) = (payload_len(&runs), payload.len());
        if want != have {
            bail!(LengthMismatch, "the runs take {want} bytes, the payload has {have}");
        }
        Ok(Delta::new(page, Shape::Runs, runs, payload))
    }

    fn new(page: PageId, shape: Shape, runs: Runs, payload: Buffer) -> Delta {
        Delta { page, shape, runs, payload, source: String::new(), intent: None, stamp: None }
    }

    /// The same delta with a label of who acts.
    ///
    /// # Errors
    /// `TooLong`: more than [`SOURCE_BYTES_MAX`](limits::SOURCE_BYTES_MAX) bytes.
    pub fn with_source(mut self, source: &str) -> Result<Delta> {
        check_label("source", source, limits::SOURCE_BYTES_MAX)?;
        self.source = source.to_owned();
        Ok(self)
    }

    /// The same delta with the reason for it.
    ///
    /// # Errors
    /// `TooLong`: more than [`INTENT_BYTES_MAX`](limits::INTENT_BYTES_MAX) bytes.
    pub fn with_intent(mut self, intent: &str) -> Result<Delta> {
        check_label("intent", intent, limits::INTENT_BYTES_MAX)?;
        self.intent = Some(intent.to_owned());
        Ok(self)
    }

    /// The same delta as it was logged.
    pub fn with_stamp(mut self, stamp: Stamp) -> Delta {
        self.stamp = Some(stamp);
        self
    }

    /// The page that it changes.
    pub fn page(&self) -> PageId {
        self.page
    }

    /// Its pieces in the order of their offsets: bytes from page start, and what goes there.
    pub fn runs(&self) -> impl Iterator<Item = (usize, &[u8])> + Clone {
        self.runs.iter().scan(&self.payload[..], |rest, run| {
            let (bytes, behind) = rest.split_at(run.len as usize);
            *rest = behind;
            Some((run.offset as usize, bytes))
        })
    }

    /// Where its bytes go, without the bytes.
    pub fn as_runs(&self) -> &[Run] {
        &self.runs
    }

    /// The bytes of all runs, one run after the other.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Bytes that it writes.
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// Whether it was built from all bytes of a page.
    pub fn is_dense(&self) -> bool {
        self.shape == Shape::Dense
    }

    /// From its first byte to one past its last, in bytes from page start; `0..0` without runs.
    pub fn span(&self) -> std::ops::Range<usize> {
        match (self.runs.first(), self.runs.last()) {
            (Some(first), Some(last)) => first.offset as usize..last.range().end,
            _ => 0..0,
        }
    }

    /// Label of who acts; empty if nobody said.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Why, if somebody said.
    pub fn intent(&self) -> Option<&str> {
        self.intent.as_deref()
    }

    /// Source and intent.
    pub fn note(&self) -> Note<'_> {
        Note { source: &self.source, intent: self.intent() }
    }

    /// When it was logged, if it was read back from a log.
    pub fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// The size of its page, where the delta says it.
    fn page_size(&self) -> Option<usize> {
        match self.shape {
            Shape::Dense => Some(self.payload.len()),
            Shape::Masked(n) => Some(n),
            Shape::Runs => None,
        }
    }

    /// Checks that it is a delta to a page of `page_size` bytes. Cost: O(runs).
    ///
    /// # Errors
    /// `LengthMismatch`: it is dense or has a mask, for another size. `RangeOutOfBounds`: a run
    /// ends after the page.
    pub fn validate(&self, page_size: usize) -> Result<()> {
        match self.page_size() {
            Some(n) if n != page_size => {
                let what = if self.is_dense() { "is dense" } else { "has a mask" };
                let page = self.page;
                bail!(
                    LengthMismatch,
                    "the delta to {page} {what} with {n} bytes, the page has {page_size}"
                );
            }
            _ => check_runs(&self.runs, page_size),
        }
    }

    /// Writes its bytes into `page_bytes`, the whole page. Cost: O(bytes + runs).
    ///
    /// # Errors
    /// As [`Delta::validate`]; then nothing is written.
    pub fn apply_to(&self, page_bytes: &mut [u8]) -> Result<()> {
        self.validate(page_bytes.len())?;
        apply_runs(page_bytes, &self.runs, &self.payload);
        Ok(())
    }

    /// One delta that does what `self` and then `later` do: where both write, `later` wins.
    ///
    /// Pieces that touch become one. It is dense if one of both is. Source and intent are those of
    /// `later` if it has any of the two, else those of `self`; it has no stamp, since no log has
    /// it. Cost: O(bytes + runs) of both.
    ///
    /// # Errors
    /// `InvalidArgument`: the deltas are to different pages. `LengthMismatch`,
    /// `RangeOutOfBounds`: they cannot both be valid for one page size.
    ///
    /// ```
    /// use mmsb::{PageId, page::Delta};
    /// let first = Delta::from_runs(PageId(1), &[(0, b"aaaa")])?;
    /// let second = Delta::from_runs(PageId(1), &[(2, b"bbbb"), (9, b"c")])?;
    /// let both = first.merge(&second)?;
    /// assert_eq!(both.runs().collect::<Vec<_>>(), [(0, &b"aabbbb"[..]), (9, b"c")]);
    /// # Ok::<(), mmsb::Error>(())
    /// ```
    pub fn merge(&self, later: &Delta) -> Result<Delta> {
        if self.page != later.page {
            bail!(InvalidArgument, "a delta to {} merged with one to {}", self.page, later.page);
        }
        let shape = self.merged_shape(later)?;
        let mut out = Pieces::with_capacity(self.payload_len() + later.payload_len())?;
        let mut earlier = Cutter::new(self.runs());
        for (offset, bytes) in later.runs() {
            earlier.cut(offset, |offset, bytes| out.push(offset, bytes));
            out.push(offset, bytes);
            // What both write is the later one's.
            earlier.cut(offset + bytes.len(), |_, _| ());
        }
        earlier.cut(usize::MAX, |offset, bytes| out.push(offset, bytes));
        let noted = if later.note() == Note::NONE { self } else { later };
        Ok(Delta {
            source: noted.source.clone(),
            intent: noted.intent.clone(),
            ..Delta::new(self.page, shape, out.runs, out.payload)
        })
    }

    /// What the merge with `later` says of the page's size, if they agree.
    fn merged_shape(&self, later: &Delta) -> Result<Shape> {
        let Some(n) = self.page_size().or(later.page_size()) else {
            return Ok(Shape::Runs);
        };
        self.validate(n)?;
        later.validate(n)?;
        Ok(if self.is_dense() || later.is_dense() { Shape::Dense } else { Shape::Masked(n) })
    }

    /// The delta as a byte mask (1 where it writes, else 0) and bytes (0 where it does not write),
    /// each of shape `[page_size]`.
    ///
    /// # Errors
    /// As [`Delta::validate`].
    pub fn to_masked(&self, page_size: usize) -> Result<(Vec<u8>, Vec<u8>)> {
        self.validate(page_size)?;
        let (mut mask, mut bytes) = (vec![0; page_size], vec![0; page_size]);
        self.runs.iter().for_each(|run| mask[run.range()].fill(1));
        apply_runs(&mut bytes, &self.runs, &self.payload);
        Ok((mask, bytes))
    }
}

/// Runs and payload under construction, in the order of their offsets.
struct Pieces {
    runs: Runs,
    payload: Buffer,
}

impl Pieces {
    fn with_capacity(bytes: usize) -> Result<Pieces> {
        Ok(Pieces { runs: Runs::new(), payload: Buffer::with_capacity(bytes)? })
    }

    /// Appends a piece of a delta behind all others, to the last one if they touch. Offsets and
    /// lengths of pieces of deltas fit a run.
    fn push(&mut self, offset: usize, bytes: &[u8]) {
        let (offset, len) = (offset as u32, bytes.len() as u32);
        match self.runs.last_mut() {
            Some(last) if last.offset + last.len == offset => last.len += len,
            _ => self.runs.push(Run { offset, len }),
        }
        self.payload.push_within(bytes);
    }
}

/// Hands out the pieces of a delta up to one offset after the other.
struct Cutter<'a, I> {
    /// What is left of the piece in hand; `None` after the last.
    head: Option<(usize, &'a [u8])>,
    rest: I,
}

impl<'a, I: Iterator<Item = (usize, &'a [u8])>> Cutter<'a, I> {
    fn new(mut pieces: I) -> Self {
        Cutter { head: pieces.next(), rest: pieces }
    }

    /// Takes everything below byte `limit` of the page.
    fn cut(&mut self, limit: usize, mut take: impl FnMut(usize, &'a [u8])) {
        while let Some((offset, bytes)) = self.head.filter(|&(offset, _)| offset < limit) {
            let (below, above) = bytes.split_at(bytes.len().min(limit - offset));
            take(offset, below);
            self.head = match above {
                [] => self.rest.next(),
                _ => Some((limit, above)),
            };
        }
    }
}

fn check_page_size(n: usize) -> Result<()> {
    if !(limits::PAGE_BYTES_MIN..=limits::PAGE_BYTES_MAX).contains(&(n as u64)) {
        bail!(SizeOutOfRange, "no page has {n} bytes, which are 1 to {PAGE_BYTES_MAX}");
    }
    Ok(())
}

fn check_label(what: &str, label: &str, max: usize) -> Result<()> {
    if label.len() > max {
        bail!(TooLong, "the {what} has {} bytes, at most {max} are kept", label.len());
    }
    Ok(())
}

/// The run of piece `i`, if its numbers fit one.
fn run_of_piece(i: usize, offset: usize, len: usize) -> Result<Run> {
    match (u32::try_from(offset), u32::try_from(len)) {
        (Ok(offset), Ok(len)) => Ok(Run { offset, len }),
        _ => bail!(
            RangeOutOfBounds,
            "run {i} ({len} bytes at offset {offset}) is in no page, which ends at {PAGE_BYTES_MAX}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;

    const P: PageId = PageId(3);

    fn pieces(delta: &Delta) -> Vec<(usize, &[u8])> {
        delta.runs().collect()
    }

    fn assert_refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, words: &[&str]) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        for word in words {
            assert!(error.message().contains(word), "{word:?} is not in {error}");
        }
    }

    #[test]
    fn dense_is_one_run_and_knows_its_page_size() {
        let delta = Delta::dense(P, *b"abc").unwrap();
        assert_eq!((pieces(&delta), delta.span()), (vec![(0, &b"abc"[..])], 0..3));
        assert!(delta.is_dense() && delta.validate(3).is_ok());
        let words = ["page 3", "dense", "3 bytes", "has 4"];
        assert_refused(delta.validate(4), ErrorKind::LengthMismatch, &words);
        assert_refused(Delta::dense(P, []), ErrorKind::SizeOutOfRange, &["0 bytes"]);
    }

    #[test]
    fn sparse_keeps_masked_bytes_and_remembers_the_size() {
        let delta = Delta::sparse(P, &[1, 0, 0, 2, 3, 0], b"abcdef").unwrap();
        assert_eq!(pieces(&delta), [(0, &b"a"[..]), (3, b"de")]);
        assert_eq!((delta.payload_len(), delta.span(), delta.is_dense()), (3, 0..5, false));
        assert_refused(delta.validate(5), ErrorKind::LengthMismatch, &["6 bytes", "has 5"]);
        let refused = Delta::sparse(P, &[1; 3], b"ab");
        assert_refused(refused, ErrorKind::LengthMismatch, &["3 bytes", "has 2"]);
        assert_refused(Delta::sparse(P, &[], &[]), ErrorKind::SizeOutOfRange, &["0 bytes"]);
        // All of a page by mask is not dense: how it was built is what callers ask.
        assert!(!Delta::sparse(P, &[1; 2], b"ab").unwrap().is_dense());
    }

    #[test]
    fn pieces_must_be_runs() {
        let refused = |list: &[(usize, &[u8])], kind, words: &[&str]| {
            assert_refused(Delta::from_runs(P, list), kind, words);
        };
        refused(&[(0, b"ab"), (1, b"c")], ErrorKind::RunsInvalid, &["run 1", "offset 1"]);
        refused(&[(5, b"ab"), (0, b"c")], ErrorKind::RunsInvalid, &["run 1", "offset 0"]);
        refused(&[(5, b"")], ErrorKind::RunsInvalid, &["run 0", "empty"]);
        let far = [(PAGE_BYTES_MAX, &b"a"[..])];
        refused(&far, ErrorKind::RangeOutOfBounds, &["run 0", "1073741824"]);
        let farther = [(1 << 40, &b"a"[..])];
        refused(&farther, ErrorKind::RangeOutOfBounds, &["run 0", "1099511627776"]);
        let touching = Delta::from_runs(P, &[(0, b"ab"), (2, b"c")]).unwrap();
        assert_eq!(pieces(&touching), [(0, &b"ab"[..]), (2, b"c")]);
        assert_refused(touching.validate(2), ErrorKind::RangeOutOfBounds, &["run 1", "2 bytes"]);
    }

    #[test]
    fn parts_must_fit_each_other() {
        let runs: Runs = [Run { offset: 4, len: 2 }].into_iter().collect();
        let delta = Delta::from_parts(P, runs.clone(), b"ab").unwrap();
        assert_eq!((delta.as_runs(), delta.payload()), (&runs[..], &b"ab"[..]));
        let refused = Delta::from_parts(P, runs, b"abc");
        assert_refused(refused, ErrorKind::LengthMismatch, &["take 2", "has 3"]);
    }

    #[test]
    fn nothing_is_a_delta_too() {
        for delta in [Delta::from_runs(P, &[]), Delta::sparse(P, &[0; 4], b"abcd")] {
            let (delta, mut page) = (delta.unwrap(), *b"abcd");
            delta.apply_to(&mut page).unwrap();
            assert_eq!((page, delta.payload_len(), delta.span()), (*b"abcd", 0, 0..0));
        }
    }

    #[test]
    fn labels_are_limited_in_bytes() {
        let delta = Delta::dense(P, *b"a").unwrap();
        let (source, intent) = ("é".repeat(127), "x".repeat(limits::INTENT_BYTES_MAX));
        let noted = delta.clone().with_source(&source).unwrap().with_intent(&intent).unwrap();
        assert_eq!(noted.note(), Note { source: &source, intent: Some(&intent) });
        let words = ["source", "256 bytes", "255"];
        assert_refused(delta.clone().with_source(&"é".repeat(128)), ErrorKind::TooLong, &words);
        let words = ["intent", "65536", "65535"];
        assert_refused(delta.with_intent(&(intent + "y")), ErrorKind::TooLong, &words);
    }

    #[test]
    fn a_refused_apply_writes_nothing() {
        let delta = Delta::from_runs(P, &[(0, b"ab"), (3, b"cd")]).unwrap();
        let mut page = *b"----";
        assert_refused(delta.apply_to(&mut page), ErrorKind::RangeOutOfBounds, &["run 1"]);
        assert_eq!(&page, b"----");
    }

    #[test]
    fn masked_form_and_back() {
        let delta = Delta::from_runs(P, &[(1, b"ab"), (3, b"c"), (5, b"d")]).unwrap();
        let (mask, bytes) = delta.to_masked(6).unwrap();
        assert_eq!((&mask[..], &bytes[..]), (&[0, 1, 1, 1, 0, 1][..], &b"\0abc\0d"[..]));
        let back = Delta::sparse(P, &mask, &bytes).unwrap();
        assert_eq!(pieces(&back), [(1, &b"abc"[..]), (5, b"d")]);
        assert_refused(delta.to_masked(5), ErrorKind::RangeOutOfBounds, &["run 2"]);
    }

    #[test]
    fn merge_refuses_what_cannot_be_one_page() {
        let dense = Delta::dense(P, *b"abcd").unwrap();
        let elsewhere = Delta::dense(PageId(4), *b"abcd").unwrap();
        let words = ["page 3", "page 4"];
        assert_refused(dense.merge(&elsewhere), ErrorKind::InvalidArgument, &words);
        let masked = Delta::sparse(P, &[1; 5], b"abcde").unwrap();
        let words = ["4 bytes", "5 bytes"];
        let refused = dense.merge(&masked).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::LengthMismatch, "{words:?} {refused}");
        let beyond = Delta::from_runs(P, &[(3, b"xy")]).unwrap();
        assert_refused(dense.merge(&beyond), ErrorKind::RangeOutOfBounds, &["run 0"]);
        assert_refused(beyond.merge(&dense), ErrorKind::RangeOutOfBounds, &["run 0"]);
    }

    #[test]
    fn merge_takes_the_later_note_as_a_whole() {
        let plain = Delta::dense(P, *b"a").unwrap();
        let stamp = Stamp { lsn: Lsn(256), epoch: 1, time_ms: 9 };
        let first = plain.clone().with_source("s").unwrap().with_intent("i").unwrap();
        let second = plain.clone().with_source("t").unwrap().with_stamp(stamp);
        assert_eq!(first.merge(&plain).unwrap().note(), Note::from("s").because("i"));
        let merged = first.merge(&second).unwrap();
        assert_eq!((merged.note(), merged.stamp()), (Note::from("t"), None));
        assert_eq!(second.stamp(), Some(stamp));
    }

    /// Deltas of all shapes to a page of 40 bytes.
    fn delta() -> impl Strategy<Value = Delta> {
        let bytes = || prop::collection::vec(any::<u8>(), 40);
        let mask = prop::collection::vec(prop_oneof![2 => Just(0u8), 1 => any::<u8>()], 40);
        let cuts = prop::collection::btree_set(0usize..41, 0..10);
        prop_oneof![
            1 => bytes().prop_map(|bytes| Delta::dense(P, bytes).unwrap()),
            3 => (mask, bytes()).prop_map(|(mask, b)| Delta::sparse(P, &mask, &b).unwrap()),
            6 => (cuts, bytes(), any::<u16>()).prop_map(|(cuts, bytes, keep)| {
                let cuts: Vec<usize> = cuts.into_iter().collect();
                let stretches = cuts.windows(2).enumerate().filter(|(i, _)| keep >> i & 1 != 0);
                let pieces: Vec<_> = stretches.map(|(_, s)| (s[0], &bytes[s[0]..s[1]])).collect();
                Delta::from_runs(P, &pieces).unwrap()
            }),
        ]
    }

    fn write_bytewise(delta: &Delta, map: &mut [Option<u8>]) {
        for (offset, bytes) in delta.runs() {
            for (i, &byte) in bytes.iter().enumerate() {
                map[offset + i] = Some(byte);
            }
        }
    }

    proptest! {
        #[test]
        fn merge_is_a_map_of_bytes_where_the_later_wins(a in delta(), b in delta()) {
            let merged = a.merge(&b).unwrap();
            let (mut want, mut have) = ([None; 40], [None; 40]);
            write_bytewise(&a, &mut want);
            write_bytewise(&b, &mut want);
            write_bytewise(&merged, &mut have);
            prop_assert_eq!(have, want);
            merged.validate(40).unwrap();
            prop_assert!(merged.as_runs().windows(2).all(|w| w[0].end() < w[1].offset as u64));
            prop_assert_eq!(merged.is_dense(), a.is_dense() || b.is_dense());
            let (mut one, mut two) = ([0x5a; 40], [0x5a; 40]);
            a.apply_to(&mut one).unwrap();
            b.apply_to(&mut one).unwrap();
            merged.apply_to(&mut two).unwrap();
            prop_assert_eq!(one, two);
        }

        #[test]
        fn masked_form_says_the_same(delta in delta()) {
            let (mask, bytes) = delta.to_masked(40).unwrap();
            let back = Delta::sparse(P, &mask, &bytes).unwrap();
            let (mut want, mut have) = ([None; 40], [None; 40]);
            write_bytewise(&delta, &mut want);
            write_bytewise(&back, &mut have);
            prop_assert_eq!(have, want);
        }
    }
}
