//! Runs: which bytes of a page a delta writes.
//!
//! ```text
//!   page     . . . A A A . . B C C . .      A, B, C: runs; B and C touch, which is allowed
//!   offset         3         8 9
//!   payload  A A A B C C                    runs' bytes one after the other, no gaps
//! ```
//!
//! Runs of one delta are never empty, ascend, do not overlap and end inside the page. Who makes
//! them keeps that ([`diff`](super::diff()) does); whoever takes them from outside calls
//! [`check_runs`] first. This file knows neither pages nor payloads.

use smallvec::SmallVec;

use crate::error::Result;
use crate::{bail, limits};

/// A stretch of a page, in bytes from its start.
///
/// ```
/// let run = mmsb::page::Run { offset: 8, len: 2 };
/// assert_eq!(run.range(), 8..10);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Run {
    /// First byte, from the start of the page.
    pub offset: u32,
    /// Bytes, at least 1.
    pub len: u32,
}

// Offsets and ends of runs, and sums of lengths, fit u32.
const _: () = assert!(limits::PAGE_BYTES_MAX <= u32::MAX as u64);

impl Run {
    /// One past the last byte, from the start of the page. Wide, so that it holds for runs that
    /// nobody checked yet.
    #[inline]
    pub const fn end(self) -> u64 {
        self.offset as u64 + self.len as u64
    }

    /// The bytes of the page that the run covers.
    #[inline]
    pub const fn range(self) -> std::ops::Range<usize> {
        self.offset as usize..self.end() as usize
    }
}

/// The runs of one delta; up to 8 without an allocation.
pub type Runs = SmallVec<[Run; 8]>;

/// Bytes that `runs` cover: the length of their payload. Cost: O(runs).
#[inline]
pub fn payload_len(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.len as usize).sum()
}

/// Checks that `runs` are the runs of a delta to a page of `page_size` bytes: none empty,
/// ascending, none overlapping (touching is allowed), all inside the page.
///
/// Cost: O(runs), no allocation unless it fails.
///
/// # Errors
/// - `RunsInvalid`: a run is empty, or starts before the end of the run in front of it.
/// - `RangeOutOfBounds`: a run ends after `page_size`.
///
/// The message names the run's index, its values and what they were held against.
///
/// ```
/// use mmsb::ErrorKind;
/// use mmsb::page::{Run, check_runs};
/// let runs = [Run { offset: 0, len: 4 }, Run { offset: 4, len: 2 }];
/// assert!(check_runs(&runs, 6).is_ok());
/// assert_eq!(check_runs(&runs, 5).unwrap_err().kind(), ErrorKind::RangeOutOfBounds);
/// ```
#[inline]
pub fn check_runs(runs: &[Run], page_size: usize) -> Result<()> {
    let mut free = 0;
    for (i, &run) in runs.iter().enumerate() {
        if run.len == 0 || (run.offset as u64) < free || run.end() > page_size as u64 {
            return refuse(i, run, free, page_size);
        }
        free = run.end();
    }
    Ok(())
}

/// Says what is wrong with run `i`, which stands after a run that ends at `free`.
#[cold]
fn refuse(i: usize, run: Run, free: u64, page_size: usize) -> Result<()> {
    let Run { offset, len } = run;
    if len == 0 {
        bail!(RunsInvalid, "run {i} at offset {offset} is empty");
    }
    if (offset as u64) < free {
        bail!(RunsInvalid, "run {i} starts at offset {offset}, before the end {free} of the last");
    }
    bail!(
        RangeOutOfBounds,
        "run {i} ({len} bytes at offset {offset}) ends at {}, the page has {page_size} bytes",
        run.end()
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;

    fn runs(list: &[(u32, u32)]) -> Runs {
        list.iter().map(|&(offset, len)| Run { offset, len }).collect()
    }

    #[test]
    fn runs_that_touch_and_fill_the_page_pass() {
        for list in [&[][..], &[(0, 10)], &[(0, 3), (3, 7)], &[(1, 1), (9, 1)]] {
            assert!(check_runs(&runs(list), 10).is_ok(), "{list:?}");
        }
    }

    #[test]
    fn errors_name_the_run_its_values_and_the_limit() {
        use ErrorKind::*;
        type Case = (&'static [(u32, u32)], ErrorKind, &'static [&'static str]);
        let cases: [Case; 5] = [
            (&[(0, 2), (4, 0)], RunsInvalid, &["run 1", "offset 4", "empty"]),
            (&[(0, 2), (1, 2)], RunsInvalid, &["run 1", "offset 1", "end 2"]),
            (&[(5, 1), (0, 1)], RunsInvalid, &["run 1", "offset 0", "end 6"]),
            (&[(0, 1), (8, 3)], RangeOutOfBounds, &["run 1", "3 bytes", "at 11", "10 bytes"]),
            (&[(u32::MAX, u32::MAX)], RangeOutOfBounds, &["run 0", "8589934590"]),
        ];
        for (list, kind, words) in cases {
            let error = check_runs(&runs(list), 10).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            for word in words {
                assert!(error.message().contains(word), "{word:?} is not in {error}");
            }
        }
    }

    proptest! {
        /// Valid means: walking the runs, no byte is met twice, backwards or outside.
        #[test]
        fn agrees_with_a_byte_walk(
            list in prop::collection::vec((0u32..12, 0u32..4), 0..4),
            page_size in 0usize..14,
        ) {
            let list = runs(&list);
            let bytes: Vec<u64> = list.iter().flat_map(|r| r.offset as u64..r.end()).collect();
            let valid = list.iter().all(|run| run.len > 0)
                && bytes.windows(2).all(|pair| pair[0] < pair[1])
                && bytes.iter().all(|&byte| byte < page_size as u64);
            prop_assert_eq!(check_runs(&list, page_size).is_ok(), valid);
            prop_assert_eq!(payload_len(&list), bytes.len());
        }
    }
}
