//! Diff: which runs of a page an update changes; and the copies that runs stand for.
//!
//! ```text
//!   up to 64 B   one mask of changed bytes, by overlapping loads; no dispatch
//!   longer       1. dense from the start on?   128 B a test; all new bytes end here: one run
//!                2. which blocks changed?      1 KiB a branch; equal bytes end here: none
//!                3. the changed blocks         one mask of 64 bytes each
//!   a mask       gaps below GAP_MERGE closed by shifts, then one bit scan a run
//! ```
//!
//! - Runs of one call ascend, have [`GAP_MERGE`] equal bytes and more between them, and start and
//!   end with a changed byte.
//! - Every instruction set gives the same runs; the tests hold each against a loop over bytes.
//! - Which of them to use is found at the first call and kept.
//!
//! Branches are what costs here: a mispredicted one takes as long as comparing 1 KiB. Hence bit
//! tricks where a byte loop would do, and 1 KiB without an early exit.
//!
//! This file does not know what a page is: only slices, and an offset to add.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, Ordering};

use super::runs::{Run, Runs};
use crate::limits;

/// Runs with less than this many equal bytes between them become one, bytes: a run costs 2 or 3
/// bytes of header in the log and about as much time as copying 8 bytes more.
pub const GAP_MERGE: u32 = 8;

/// What one mask covers, bytes.
const BLOCK: usize = 64;
/// What is tested at once for being dense, bytes: each aligned 4 of them differ.
const STEP: usize = 2 * BLOCK;
/// What is compared between two branches, in blocks and bytes.
const CHUNK_BLOCKS: usize = 16;
const CHUNK: usize = CHUNK_BLOCKS * BLOCK;

type Block = [u8; BLOCK];
type Step = [Block; 2];
type Chunk = [Block; CHUNK_BLOCKS];

// Dense bytes are one run: 3 equal ones can end 4 that differ, and 3 start the next 4.
const _: () = assert!(GAP_MERGE > 3 + 3);
// The shifts of `close` double.
const _: () = assert!(GAP_MERGE.is_power_of_two() && GAP_MERGE < u64::BITS);

/// Appends the runs in which `new` differs from `old`, two images of one page.
///
/// - `old`, `new`: shape `[n]`, the same n, at most [`PAGE_BYTES_MAX`](limits::PAGE_BYTES_MAX).
/// - `runs`: what it holds already stays as it is.
///
/// The runs cover every changed byte. Two of them with fewer than [`GAP_MERGE`] equal bytes
/// between them are one, and those bytes are part of it.
///
/// Cost: O(n + runs); with AVX-512 about 4 ns for 16 bytes, 10 ns for 1 KiB that is all equal or
/// all new, 20 ns for 1 KiB with one change, 3 ns a run from there. Allocates only where `runs`
/// grows beyond 8.
///
/// # Panics
/// If the lengths differ, or the bytes lie beyond the end of the largest page.
///
/// ```
/// use mmsb::page::{Run, Runs, diff};
/// let mut runs = Runs::new();
/// diff(b"the cat sat on the mat", b"the dog sat on the rug", &mut runs);
/// assert_eq!(runs.as_slice(), [Run { offset: 4, len: 3 }, Run { offset: 19, len: 3 }]);
/// ```
#[inline]
pub fn diff(old: &[u8], new: &[u8], runs: &mut Runs) {
    diff_at(old, new, 0, runs);
}

/// As [`diff`], for the piece of a page that starts at byte `base`: offsets count from the start
/// of the page.
///
/// Pieces do not know each other: a run that ends where the next piece starts is not merged with
/// what follows there.
///
/// # Panics
/// If the lengths differ, or the bytes lie beyond the end of the largest page.
///
/// ```
/// use mmsb::page::{Run, Runs, diff_at};
/// let mut runs = Runs::new();
/// diff_at(&[0; 4], &[0, 9, 9, 0], 100, &mut runs);
/// assert_eq!(runs.as_slice(), [Run { offset: 101, len: 2 }]);
/// ```
#[inline]
pub fn diff_at(old: &[u8], new: &[u8], base: u32, runs: &mut Runs) {
    assert!(old.len() == new.len(), "diff of {} and {} bytes", old.len(), new.len());
    assert_in_largest_page(base, old.len());
    if old.len() <= BLOCK {
        diff_short(old, new, base, runs);
    } else {
        diff_long(Path::here(), old, new, base, runs);
    }
}

/// Appends the runs of nonzero bytes of `mask`, whose first byte stands for byte `base` of the
/// page. Gaps are not merged, however short: a masked-out byte is not written.
///
/// - `mask`: shape `[n]`, at most [`PAGE_BYTES_MAX`](limits::PAGE_BYTES_MAX).
/// - `runs`: what it holds already stays as it is.
///
/// Cost: O(n + runs).
///
/// # Panics
/// If the mask reaches beyond the end of the largest page.
///
/// ```
/// use mmsb::page::{Run, Runs, mask_runs};
/// let mut runs = Runs::new();
/// mask_runs(&[1, 1, 0, 255], 0, &mut runs);
/// assert_eq!(runs.as_slice(), [Run { offset: 0, len: 2 }, Run { offset: 3, len: 1 }]);
/// ```
pub fn mask_runs(mask: &[u8], base: u32, runs: &mut Runs) {
    assert_in_largest_page(base, mask.len());
    if mask.len() <= BLOCK {
        push_mask::<EXACT>(ne_short(mask, &ZEROS[..mask.len()]), base, runs);
    } else {
        mask_long(Path::here(), mask, base, runs);
    }
}

/// Offsets in bytes that start at `base` fit the `u32` of a run, and so do their ends.
#[inline(always)]
fn assert_in_largest_page(base: u32, len: usize) {
    let end = (base as u64).saturating_add(len as u64);
    assert!(end <= limits::PAGE_BYTES_MAX, "{len} bytes at offset {base} are in no page");
}

/// Copies the payload of `runs` out of `new`, the piece of a page that starts at byte `base`, one
/// run after the other into `out`. Returns the bytes written: the sum of the runs' lengths.
///
/// Cost: O(bytes + runs); one run is one copy.
///
/// # Panics
/// If a run lies outside `new`, or `out` is too short: runs that [`diff_at`] made of the same
/// piece never do.
///
/// ```
/// use mmsb::page::{Run, gather};
/// let mut out = [0; 8];
/// let runs = [Run { offset: 11, len: 2 }, Run { offset: 15, len: 1 }];
/// let len = gather(b"abcdef", 10, &runs, &mut out);
/// assert_eq!(&out[..len], b"bcf");
/// ```
#[inline]
pub fn gather(new: &[u8], base: u32, runs: &[Run], out: &mut [u8]) -> usize {
    let mut at = 0;
    for &Run { offset, len } in runs {
        let (from, len) = (offset as usize - base as usize, len as usize);
        copy(&mut out[at..at + len], &new[from..from + len]);
        at += len;
    }
    at
}

/// Copies the payload `bytes` of `runs`, one run after the other, to where the runs stand in
/// `frame`, a whole page.
///
/// Cost: O(bytes + runs); one run is one copy.
///
/// # Panics
/// If a run lies outside `frame`, or `bytes` is shorter than the runs together. Runs that come
/// from outside go through [`check_runs`](super::check_runs) first.
///
/// ```
/// use mmsb::page::{Run, apply_runs};
/// let mut frame = *b"the cat";
/// apply_runs(&mut frame, &[Run { offset: 4, len: 3 }], b"dog");
/// assert_eq!(&frame, b"the dog");
/// ```
#[inline]
pub fn apply_runs(frame: &mut [u8], runs: &[Run], bytes: &[u8]) {
    let mut at = 0;
    for &Run { offset, len } in runs {
        let (to, len) = (offset as usize, len as usize);
        copy(&mut frame[to..to + len], &bytes[at..at + len]);
        at += len;
    }
    debug_assert_eq!(at, bytes.len());
}

/// Copies between slices of one length. Short ones without a call of `memcpy`, which costs more
/// than the copy.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    debug_assert_eq!(to.len(), from.len());
    let n = to.len();
    if n > 16 {
        to.copy_from_slice(from);
    } else if n >= 8 {
        copy_ends::<8>(to, from);
    } else if n >= 4 {
        copy_ends::<4>(to, from);
    } else if n >= 2 {
        copy_ends::<2>(to, from);
    } else if n == 1 {
        to[0] = from[0];
    }
}

/// Copies slices of one length between N and 2 N, as two copies that may overlap.
#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    let tail = to.len() - N;
    let (first, last) = (*chunk::<N>(from, 0), *chunk::<N>(from, tail));
    to[..N].copy_from_slice(&first);
    to[tail..].copy_from_slice(&last);
}

/// N bytes of `bytes` from `at` on. Panics, as indexing does, if there are fewer.
#[inline(always)]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> &[u8; N] {
    // The slice has N bytes, so the other array is never taken and costs nothing.
    bytes[at..at + N].first_chunk().unwrap_or(const { &[0; N] })
}

// ---- masks to runs ------------------------------------------------------------------------------

/// A gap limit of 1: runs that touch are one, others are not.
const EXACT: u32 = 1;

/// Fills the gaps of fewer than GAP zeros between ones of `mask`; not those at its ends.
#[inline(always)]
fn close<const GAP: u32>(mask: u64) -> u64 {
    // Bit i: one of the bits [i, i + GAP) is set. Its complement marks where long gaps start...
    let mut near = mask;
    let mut shift = 1;
    while shift < GAP {
        near |= near >> shift;
        shift *= 2;
    }
    // ... and spread upwards by GAP it covers them, with the gap that reaches the top.
    let mut gap = !near;
    shift = 1;
    while shift < GAP {
        gap |= gap << shift;
        shift *= 2;
    }
    !gap & (u64::MAX << mask.trailing_zeros())
}

/// Adding its lowest one to a mask carries past its first run: zeros where the run was, a one
/// behind it.
#[inline(always)]
fn carry(mask: u64) -> u64 {
    mask.wrapping_add(mask & mask.wrapping_neg())
}

/// Whether `mask` has a one in each aligned 4 bits: then no gap in it has more than 6 zeros.
#[inline(always)]
fn is_dense(mask: u64) -> bool {
    let pairs = mask | mask >> 1;
    let nibbles = pairs | pairs >> 2;
    nibbles & 0x1111_1111_1111_1111 == 0x1111_1111_1111_1111
}

/// Appends the runs of one mask, whose bit 0 is byte `base`.
#[inline(always)]
fn push_mask<const GAP: u32>(mask: u64, base: u32, runs: &mut Runs) {
    if mask == 0 {
        return;
    }
    if mask & carry(mask) != 0 {
        return push_many::<GAP>(mask, base, runs);
    }
    let (offset, len) = (base + mask.trailing_zeros(), mask.count_ones());
    runs.push(Run { offset, len });
}

/// [`push_mask`] for more than one run: out of line, so that one run stays cheap.
#[inline(never)]
fn push_many<const GAP: u32>(mask: u64, base: u32, runs: &mut Runs) {
    let mut rest = close::<GAP>(mask);
    while rest != 0 {
        let (start, carried) = (rest.trailing_zeros(), carry(rest));
        runs.push(Run { offset: base + start, len: carried.trailing_zeros() - start });
        rest &= carried;
    }
}

/// The last run, kept back since the next block may grow it: bytes from page start; none where
/// `start == end`.
#[derive(Clone, Copy)]
struct Kept {
    start: u32,
    end: u32,
}

impl Kept {
    /// No run: an empty one so far in front of `base` that nothing joins it; wrapping, and undone
    /// by the wrapping difference in [`Joiner::add`].
    #[inline(always)]
    fn none<const GAP: u32>(base: u32) -> Kept {
        let nowhere = base.wrapping_sub(GAP);
        Kept { start: nowhere, end: nowhere }
    }

    #[inline(always)]
    fn flush(self, runs: &mut Runs) {
        if self.start != self.end {
            runs.push(Run { offset: self.start, len: self.end - self.start });
        }
    }
}

/// Joins the runs of consecutive blocks and stores them. A local of one function: all of it in
/// registers, where `SmallVec::push` asks for each run where its memory is.
struct Joiner<'a, const GAP: u32> {
    /// Borrowed for `'a`. Not a reference: to pass one on ends what `items` may be used for.
    runs: *mut Runs,
    borrow: PhantomData<&'a mut Runs>,
    /// The memory of `runs`, how many runs it takes, and how many are there.
    items: *mut Run,
    capacity: usize,
    len: usize,
    kept: Kept,
}

impl<'a, const GAP: u32> Joiner<'a, GAP> {
    #[inline(always)]
    fn new(kept: Kept, runs: &'a mut Runs) -> Self {
        let (len, capacity) = (runs.len(), runs.capacity());
        let runs: *mut Runs = runs;
        // SAFETY: the borrow that `runs` was made of lasts for `'a`, and nobody else has it.
        let items = unsafe { (*runs).as_mut_ptr() };
        Joiner { runs, borrow: PhantomData, items, capacity, len, kept }
    }

    /// Adds a run behind all others.
    #[inline(always)]
    fn add(&mut self, start: u32, end: u32) {
        if start.wrapping_sub(self.kept.end) >= GAP {
            if self.kept.start != self.kept.end {
                self.store();
            }
            self.kept.start = start;
        }
        self.kept.end = end;
    }

    /// Adds the runs of a block whose bit 0 is byte `at`; `mask` is not 0.
    #[inline(always)]
    fn add_mask(&mut self, mask: u64, at: u32) {
        // New values that differ from old ones by chance are equal in a byte here and there. This
        // test is true for those blocks too, so that no mispredicted branch is paid for them.
        let whole = if GAP > EXACT { is_dense(mask) } else { mask == u64::MAX };
        if whole {
            return self.add(at + mask.trailing_zeros(), at + 64 - mask.leading_zeros());
        }
        let mut rest = mask;
        if GAP > EXACT && rest & carry(rest) != 0 {
            rest = close::<GAP>(rest);
        }
        while rest != 0 {
            let carried = carry(rest);
            self.add(at + rest.trailing_zeros(), at + carried.trailing_zeros());
            rest &= carried;
        }
    }

    /// Adds the runs of two blocks whose first byte is byte `at`.
    #[inline(always)]
    fn add_pair(&mut self, low: u64, high: u64, at: u32) {
        // A change in one of both is what there mostly is. In which cannot be predicted: hence a
        // choice of the first mask, and a branch for whether there is a second.
        let (mut mask, mut at) = if low != 0 { (low, at) } else { (high, at + BLOCK as u32) };
        let mut second = if low != 0 { high } else { 0 };
        while mask != 0 {
            self.add_mask(mask, at);
            (mask, second) = (second, 0);
            at += BLOCK as u32;
        }
    }

    /// Stores the run kept back.
    #[inline(always)]
    fn store(&mut self) {
        if self.len == self.capacity {
            // SAFETY: as in `new`; `store` filled each item below `len`. All by value: a pointer
            // to the joiner would keep it out of registers.
            (self.items, self.capacity) = unsafe { grow(self.runs, self.len) };
        }
        let Kept { start, end } = self.kept;
        // SAFETY: `items` is the memory of `runs` for `capacity` runs, taken from it in `new` or
        // `grow`, and nothing used the vector since; `len` is below `capacity`.
        unsafe { self.items.add(self.len).write(Run { offset: start, len: end - start }) };
        self.len += 1;
    }

    /// Stores the run kept back and gives the vector its length.
    #[inline(always)]
    fn finish(mut self) {
        if self.kept.start != self.kept.end {
            self.store();
        }
        // SAFETY: as in `new`; `store` filled each item below `len`, and `len <= capacity`.
        unsafe { (*self.runs).set_len(self.len) };
    }
}

/// Makes room in `runs`; gives its memory and how many runs it takes.
///
/// # Safety
/// `runs` is valid and nobody else's, and `len` runs are written to its memory.
#[cold]
#[inline(never)]
unsafe fn grow(runs: *mut Runs, len: usize) -> (*mut Run, usize) {
    // SAFETY: the caller's promise.
    let runs = unsafe { &mut *runs };
    // SAFETY: the caller's promise; what is written lies within the capacity.
    unsafe { runs.set_len(len) };
    runs.reserve(1);
    (runs.as_mut_ptr(), runs.capacity())
}

// ---- slices to masks ----------------------------------------------------------------------------

/// [`diff_at`] for slices of one length, up to a block.
#[inline(never)]
fn diff_short(old: &[u8], new: &[u8], base: u32, runs: &mut Runs) {
    push_mask::<GAP_MERGE>(ne_short(old, new), base, runs);
}

/// What a byte mask is compared with.
static ZEROS: Block = [0; BLOCK];

/// Bit i: byte i of `old` and `new`, slices of one length up to 64, differs.
#[inline(always)]
fn ne_short(old: &[u8], new: &[u8]) -> u64 {
    let n = old.len();
    let ne16 = |at| Baseline::ne16(chunk(old, at), chunk(new, at)) << at;
    let ne8 = |at| ne8(*chunk(old, at), *chunk(new, at)) << at;
    let ne4 = |at| ne4(*chunk(old, at), *chunk(new, at)) << at;
    let ne1 = |at: usize| ((old[at] != new[at]) as u64) << at;
    match n {
        33.. => ne16(0) | ne16(16) | ne16(n - 32) | ne16(n - 16),
        16.. => ne16(0) | ne16(n - 16),
        8.. => ne8(0) | ne8(n - 8),
        4.. => ne4(0) | ne4(n - 4),
        1.. => ne1(0) | ne1(n / 2) | ne1(n - 1),
        0 => 0,
    }
}

/// Bit i: byte i differs.
#[inline(always)]
fn ne8(a: [u8; 8], b: [u8; 8]) -> u64 {
    const LOW7: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let x = u64::from_le_bytes(a) ^ u64::from_le_bytes(b);
    // Bit 7 of each byte: the byte is not 0. No sum carries into the next byte.
    let nonzero = (((x & LOW7) + LOW7) | x) & !LOW7;
    // The product moves those 8 bits into the top byte, no two to one place.
    (nonzero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Bit i: byte i differs.
#[inline(always)]
fn ne4([a, b, c, d]: [u8; 4], [e, f, g, h]: [u8; 4]) -> u64 {
    ne8([a, b, c, d, 0, 0, 0, 0], [e, f, g, h, 0, 0, 0, 0])
}

/// In which of the 4 bytes from `at` on `a` and `b` differ; the first is the lowest.
#[inline(always)]
fn xor4(a: &[u8], b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*chunk(a, at)) ^ u32::from_le_bytes(*chunk(b, at))
}

/// Comparing with one instruction set. The methods may be called only where the machine has it:
/// in what starts at [`diff_long`] and [`mask_long`].
trait Isa: Copy {
    /// Bit i: byte i differs.
    fn ne(self, a: &Block, b: &Block) -> u64;
    /// Whether any byte differs.
    #[inline(always)]
    fn differ(self, a: &Block, b: &Block) -> bool {
        self.ne(a, b) != 0
    }
    /// Whether each aligned 4 bytes differ.
    fn dense(self, a: &Step, b: &Step) -> bool;
    /// [`scan_changes`], out of line: who finds all equal or all new saves none of its registers.
    fn changes(self, old: &[u8], new: &[u8], scan: &mut Scan<'_>);
}

/// Where a scan stands.
struct Scan<'a> {
    runs: &'a mut Runs,
    kept: Kept,
    /// What is not looked at starts there: bytes from page start.
    at: u32,
    /// Which blocks of the chunk there differ, if as much as a chunk is left.
    changed: u32,
}

/// [`diff_at`] for slices of one length, more than a block.
#[inline(always)]
fn scan_diff<I: Isa>(isa: I, old: &[u8], new: &[u8], base: u32, runs: &mut Runs) {
    let (mut kept, mut dense) = (Kept::none::<GAP_MERGE>(base), 0);
    let head = xor4(old, new, 0);
    if head != 0 {
        dense = dense_len(isa, old, new);
        if dense != 0 {
            // The first 4 bytes differ and so do the last: there the run starts and ends.
            let tail = xor4(old, new, dense - 4);
            kept.start = base + head.trailing_zeros() / 8;
            kept.end = base + dense as u32 - tail.leading_zeros() / 8;
        }
    }
    let (mut old, mut new) = (&old[dense..], &new[dense..]);
    let mut at = base + dense as u32;
    let mut changed = 0;
    while let (Some(old_chunk), Some(new_chunk)) = (first_chunk(old), first_chunk(new)) {
        changed = changed_in_chunk(isa, old_chunk, new_chunk);
        if changed != 0 {
            break;
        }
        (old, new) = (&old[CHUNK..], &new[CHUNK..]);
        at += CHUNK as u32;
    }
    if old.is_empty() {
        return kept.flush(runs);
    }
    isa.changes(old, new, &mut Scan { runs, kept, at, changed });
}

/// Bytes of `old` and `new`, from their start on, of which each 4 differ: full steps, or all.
#[inline(always)]
fn dense_len<I: Isa>(isa: I, old: &[u8], new: &[u8]) -> usize {
    let mut len = 0;
    for (old, new) in steps(old).iter().zip(steps(new)) {
        if !isa.dense(old, new) {
            return len;
        }
        len += STEP;
    }
    if len == 0 || len == old.len() {
        return len;
    }
    // What is left fills no step: the last STEP bytes cover it.
    let last = old.len() - STEP;
    match (steps(&old[last..]), steps(&new[last..])) {
        ([old_step], [new_step]) if isa.dense(old_step, new_step) => old.len(),
        _ => len,
    }
}

/// Goes on where [`scan_diff`] met something that is neither equal nor dense.
#[inline(always)]
fn scan_changes<I: Isa>(isa: I, old: &[u8], new: &[u8], scan: &mut Scan<'_>) {
    let mut joiner = Joiner::<GAP_MERGE>::new(scan.kept, scan.runs);
    let ((mut old, old_tail), (mut new, new_tail)) = (old.as_chunks(), new.as_chunks());
    let (mut at, mut changed) = (scan.at, scan.changed);
    while !old.is_empty() {
        let blocks = old.len().min(CHUNK_BLOCKS);
        if blocks < CHUNK_BLOCKS {
            changed = changed_in(isa, old, new);
        }
        // Not a branch for each block: which ones changed cannot be predicted.
        while changed != 0 {
            let i = changed.trailing_zeros();
            joiner.add_mask(isa.ne(&old[i as usize], &new[i as usize]), at + i * BLOCK as u32);
            changed &= changed - 1;
        }
        (old, new) = (&old[blocks..], &new[blocks..]);
        at += (blocks * BLOCK) as u32;
        if let (Some(old), Some(new)) = (old.first_chunk(), new.first_chunk()) {
            changed = changed_in_chunk(isa, old, new);
        }
    }
    let tail = ne_short(old_tail, new_tail);
    if tail != 0 {
        joiner.add_mask(tail, at);
    }
    joiner.finish();
}

/// Bit i: block i differs.
#[inline(always)]
fn changed_in_chunk<I: Isa>(isa: I, old: &Chunk, new: &Chunk) -> u32 {
    // From the last on: what grows by doubling is not turned into vectors of bits, which costs
    // twice as much.
    let mut changed = 0;
    for i in (0..CHUNK_BLOCKS).rev() {
        changed = changed * 2 + isa.differ(&old[i], &new[i]) as u32;
    }
    changed
}

/// Bit i: block i of less than a chunk differs.
#[inline(always)]
fn changed_in<I: Isa>(isa: I, old: &[Block], new: &[Block]) -> u32 {
    let mut changed = 0;
    for (old, new) in old.iter().zip(new).rev() {
        changed = changed * 2 + isa.differ(old, new) as u32;
    }
    changed
}

/// The full steps of `bytes`.
#[inline(always)]
fn steps(bytes: &[u8]) -> &[Step] {
    bytes.as_chunks::<BLOCK>().0.as_chunks().0
}

/// The chunk that `bytes` start with, if they are that long.
#[inline(always)]
fn first_chunk(bytes: &[u8]) -> Option<&Chunk> {
    bytes.as_chunks::<BLOCK>().0.first_chunk()
}

/// [`mask_runs`] for more than a block.
#[inline(always)]
fn scan_mask<I: Isa>(isa: I, mask: &[u8], base: u32, runs: &mut Runs) {
    let mut joiner = Joiner::<EXACT>::new(Kept::none::<EXACT>(base), runs);
    let (blocks, tail) = mask.as_chunks();
    let (pairs, last) = blocks.as_chunks();
    let mut at = base;
    for [low, high] in pairs {
        joiner.add_pair(isa.ne(low, &ZEROS), isa.ne(high, &ZEROS), at);
        at += 2 * BLOCK as u32;
    }
    let tail = ne_short(tail, &ZEROS[..tail.len()]);
    match last {
        [last] => joiner.add_pair(isa.ne(last, &ZEROS), tail, at),
        _ => joiner.add_pair(tail, 0, at),
    }
    joiner.finish();
}

// ---- instruction sets ---------------------------------------------------------------------------

/// The best that every machine of this target has.
#[cfg(target_arch = "x86_64")]
type Baseline = x86::Sse2;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
type Baseline = neon::Neon;
#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon", target_endian = "little")
)))]
type Baseline = Portable;

/// Plain `u64` arithmetic, for targets that have nothing better here.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "where something better exists, only the tests use it")]
struct Portable {}

#[allow(dead_code, reason = "as above")]
impl Portable {
    fn ne16(a: &[u8; 16], b: &[u8; 16]) -> u64 {
        ne8(*chunk(a, 0), *chunk(b, 0)) | ne8(*chunk(a, 8), *chunk(b, 8)) << 8
    }
}

impl Isa for Portable {
    fn ne(self, a: &Block, b: &Block) -> u64 {
        (0..BLOCK).step_by(8).fold(0, |mask, at| mask | ne8(*chunk(a, at), *chunk(b, at)) << at)
    }

    fn differ(self, a: &Block, b: &Block) -> bool {
        // A call of `memcmp`.
        a != b
    }

    fn dense(self, a: &Step, b: &Step) -> bool {
        let (a, b) = (a.as_flattened(), b.as_flattened());
        (0..STEP).step_by(4).all(|at| xor4(a, b, at) != 0)
    }

    #[inline(never)]
    fn changes(self, old: &[u8], new: &[u8], scan: &mut Scan<'_>) {
        scan_changes(self, old, new, scan);
    }
}

/// Which instruction set to use for more than a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Path {
    Baseline = 1,
    #[cfg(target_arch = "x86_64")]
    Avx2 = 2,
    #[cfg(target_arch = "x86_64")]
    Avx512 = 3,
}

impl Path {
    /// The best one of this machine.
    #[inline(always)]
    fn here() -> Path {
        static HERE: AtomicU8 = AtomicU8::new(0);
        // Relaxed: whoever looks finds the same.
        match HERE.load(Ordering::Relaxed) {
            #[cfg(target_arch = "x86_64")]
            3 => Path::Avx512,
            #[cfg(target_arch = "x86_64")]
            2 => Path::Avx2,
            1 => Path::Baseline,
            _ => Path::find(&HERE),
        }
    }

    #[cold]
    fn find(here: &AtomicU8) -> Path {
        let path = Path::all().last().unwrap_or(Path::Baseline);
        here.store(path as u8, Ordering::Relaxed);
        path
    }

    /// Those that this machine has, best last.
    #[cfg(target_arch = "x86_64")]
    fn all() -> impl Iterator<Item = Path> {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        let avx512 = avx2 && is_x86_feature_detected!("avx512bw");
        [(true, Path::Baseline), (avx2, Path::Avx2), (avx512, Path::Avx512)]
            .into_iter()
            .filter_map(|(present, path)| present.then_some(path))
    }

    /// Those that this machine has, best last.
    #[cfg(not(target_arch = "x86_64"))]
    fn all() -> impl Iterator<Item = Path> {
        [Path::Baseline].into_iter()
    }
}

/// [`diff_at`] for more than a block.
#[inline]
fn diff_long(path: Path, old: &[u8], new: &[u8], base: u32, runs: &mut Runs) {
    match path {
        Path::Baseline => diff_baseline(old, new, base, runs),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Path::all` has this path only where it found what the function enables.
        Path::Avx2 => unsafe { x86::diff_avx2(old, new, base, runs) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Path::Avx512 => unsafe { x86::diff_avx512(old, new, base, runs) },
    }
}

/// [`mask_runs`] for more than a block.
#[inline]
fn mask_long(path: Path, mask: &[u8], base: u32, runs: &mut Runs) {
    match path {
        Path::Baseline => scan_mask(Baseline {}, mask, base, runs),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Path::all` has this path only where it found what the function enables.
        Path::Avx2 => unsafe { x86::mask_avx2(mask, base, runs) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Path::Avx512 => unsafe { x86::mask_avx512(mask, base, runs) },
    }
}

#[inline(never)]
fn diff_baseline(old: &[u8], new: &[u8], base: u32, runs: &mut Runs) {
    scan_diff(Baseline {}, old, new, base, runs);
}

/// SSE2, AVX2 and AVX-512BW.
///
/// What every SAFETY comment here rests on: SSE2 is part of x86-64; an `Avx2` and an `Avx512`
/// are made only by the `target_feature` functions at the end, which the callers enter after
/// detection, and everything else is inlined into those.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Block, Isa, Runs, Scan, Step, scan_changes, scan_diff, scan_mask};

    #[derive(Clone, Copy)]
    pub(super) struct Sse2 {}

    impl Sse2 {
        #[inline(always)]
        pub(super) fn ne16(a: &[u8; 16], b: &[u8; 16]) -> u64 {
            // SAFETY: SSE2, see the module.
            let eq = unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(xmm(a), xmm(b))) };
            (eq ^ 0xffff) as u64
        }
    }

    #[inline(always)]
    fn xmm(bytes: &[u8; 16]) -> __m128i {
        // SAFETY: SSE2, see the module; an unaligned load of the array's 16 bytes.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    fn xmms(block: &Block) -> &[[u8; 16]] {
        block.as_chunks().0
    }

    impl Isa for Sse2 {
        #[inline(always)]
        fn ne(self, a: &Block, b: &Block) -> u64 {
            let (a, b) = (xmms(a), xmms(b));
            let low = Sse2::ne16(&a[0], &b[0]) | Sse2::ne16(&a[1], &b[1]) << 16;
            let high = Sse2::ne16(&a[2], &b[2]) | Sse2::ne16(&a[3], &b[3]) << 16;
            low | high << 32
        }

        #[inline(always)]
        fn dense(self, a: &Step, b: &Step) -> bool {
            // SAFETY: SSE2, see the module.
            unsafe {
                let mut eq = _mm_setzero_si128();
                for block in 0..2 {
                    for i in 0..4 {
                        let (a, b) = (xmm(&xmms(&a[block])[i]), xmm(&xmms(&b[block])[i]));
                        eq = _mm_or_si128(eq, _mm_cmpeq_epi32(a, b));
                    }
                }
                _mm_movemask_epi8(eq) == 0
            }
        }

        #[inline(never)]
        fn changes(self, old: &[u8], new: &[u8], scan: &mut Scan<'_>) {
            scan_changes(self, old, new, scan);
        }
    }

    #[derive(Clone, Copy)]
    struct Avx2 {}

    #[inline(always)]
    fn ymm(block: &Block, half: usize) -> __m256i {
        let bytes: &[u8; 32] = &block.as_chunks().0[half];
        // SAFETY: AVX2, see the module; an unaligned load of the array's 32 bytes.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    fn eq32(a: &Block, b: &Block, half: usize) -> u64 {
        // SAFETY: AVX2, see the module.
        unsafe { _mm256_movemask_epi8(_mm256_cmpeq_epi8(ymm(a, half), ymm(b, half))) as u32 as u64 }
    }

    impl Isa for Avx2 {
        #[inline(always)]
        fn ne(self, a: &Block, b: &Block) -> u64 {
            !(eq32(a, b, 0) | eq32(a, b, 1) << 32)
        }

        #[inline(always)]
        fn dense(self, a: &Step, b: &Step) -> bool {
            // SAFETY: AVX2, see the module.
            unsafe {
                let mut eq = _mm256_setzero_si256();
                for block in 0..2 {
                    for half in 0..2 {
                        let (a, b) = (ymm(&a[block], half), ymm(&b[block], half));
                        eq = _mm256_or_si256(eq, _mm256_cmpeq_epi32(a, b));
                    }
                }
                _mm256_testz_si256(eq, eq) == 1
            }
        }

        #[inline(always)]
        fn changes(self, old: &[u8], new: &[u8], scan: &mut Scan<'_>) {
            // SAFETY: AVX2, see the module.
            unsafe { changes_avx2(old, new, scan) }
        }
    }

    #[derive(Clone, Copy)]
    struct Avx512 {}

    #[inline(always)]
    fn zmm(block: &Block) -> __m512i {
        // SAFETY: AVX-512, see the module; an unaligned load of the array's 64 bytes.
        unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
    }

    impl Isa for Avx512 {
        #[inline(always)]
        fn ne(self, a: &Block, b: &Block) -> u64 {
            // SAFETY: AVX-512BW, see the module.
            unsafe { _mm512_cmpneq_epi8_mask(zmm(a), zmm(b)) }
        }

        #[inline(always)]
        fn dense(self, a: &Step, b: &Step) -> bool {
            // SAFETY: AVX-512BW, see the module.
            unsafe {
                let low = _mm512_cmpneq_epi32_mask(zmm(&a[0]), zmm(&b[0]));
                let high = _mm512_cmpneq_epi32_mask(zmm(&a[1]), zmm(&b[1]));
                low & high == u16::MAX
            }
        }

        #[inline(always)]
        fn changes(self, old: &[u8], new: &[u8], scan: &mut Scan<'_>) {
            // SAFETY: AVX-512BW, see the module.
            unsafe { changes_avx512(old, new, scan) }
        }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub(super) fn diff_avx2(old: &[u8], new: &[u8], base: u32, runs: &mut Runs) {
        scan_diff(Avx2 {}, old, new, base, runs);
    }

    #[inline(never)]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn changes_avx2(old: &[u8], new: &[u8], scan: &mut Scan<'_>) {
        scan_changes(Avx2 {}, old, new, scan);
    }

    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub(super) fn mask_avx2(mask: &[u8], base: u32, runs: &mut Runs) {
        scan_mask(Avx2 {}, mask, base, runs);
    }

    #[target_feature(enable = "avx512bw,avx2,bmi1,bmi2")]
    pub(super) fn diff_avx512(old: &[u8], new: &[u8], base: u32, runs: &mut Runs) {
        scan_diff(Avx512 {}, old, new, base, runs);
    }

    #[inline(never)]
    #[target_feature(enable = "avx512bw,avx2,bmi1,bmi2")]
    fn changes_avx512(old: &[u8], new: &[u8], scan: &mut Scan<'_>) {
        scan_changes(Avx512 {}, old, new, scan);
    }

    #[target_feature(enable = "avx512bw,avx2,bmi1,bmi2")]
    pub(super) fn mask_avx512(mask: &[u8], base: u32, runs: &mut Runs) {
        scan_mask(Avx512 {}, mask, base, runs);
    }
}

/// NEON, which every aarch64 machine that this module is built for has.
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
mod neon {
    use std::arch::aarch64::*;

    use super::{Block, Isa, Scan, Step, scan_changes};

    #[derive(Clone, Copy)]
    pub(super) struct Neon {}

    #[inline(always)]
    fn load(bytes: &[u8; 16]) -> uint8x16_t {
        // SAFETY: NEON, see the module; a load of the array's 16 bytes.
        unsafe { vld1q_u8(bytes.as_ptr()) }
    }

    /// Bytes that differ, as the bit that each has in its byte of a mask.
    #[inline(always)]
    fn bits(a: &[u8; 16], b: &[u8; 16]) -> uint8x16_t {
        const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
        // SAFETY: NEON, see the module.
        unsafe { vbicq_u8(load(&BITS), vceqq_u8(load(a), load(b))) }
    }

    #[inline(always)]
    fn quarters(block: &Block) -> &[[u8; 16]] {
        block.as_chunks().0
    }

    impl Neon {
        #[inline(always)]
        pub(super) fn ne16(a: &[u8; 16], b: &[u8; 16]) -> u64 {
            // SAFETY: NEON, see the module.
            unsafe {
                // Three pairwise sums bring 8 bits each together.
                let bits = bits(a, b);
                let sum = vpaddq_u8(bits, bits);
                let sum = vpaddq_u8(sum, sum);
                let sum = vpaddq_u8(sum, sum);
                vgetq_lane_u16::<0>(vreinterpretq_u16_u8(sum)) as u64
            }
        }
    }

    impl Isa for Neon {
        #[inline(always)]
        fn ne(self, a: &Block, b: &Block) -> u64 {
            let (a, b) = (quarters(a), quarters(b));
            // SAFETY: NEON, see the module.
            unsafe {
                let low = vpaddq_u8(bits(&a[0], &b[0]), bits(&a[1], &b[1]));
                let high = vpaddq_u8(bits(&a[2], &b[2]), bits(&a[3], &b[3]));
                let sum = vpaddq_u8(low, high);
                let sum = vpaddq_u8(sum, sum);
                vgetq_lane_u64::<0>(vreinterpretq_u64_u8(sum))
            }
        }

        #[inline(always)]
        fn dense(self, a: &Step, b: &Step) -> bool {
            // SAFETY: NEON, see the module.
            unsafe {
                let mut eq = vdupq_n_u32(0);
                for block in 0..2 {
                    for i in 0..4 {
                        let (a, b) = (load(&quarters(&a[block])[i]), load(&quarters(&b[block])[i]));
                        let same = vceqq_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b));
                        eq = vorrq_u32(eq, same);
                    }
                }
                vmaxvq_u32(eq) == 0
            }
        }

        #[inline(never)]
        fn changes(self, old: &[u8], new: &[u8], scan: &mut Scan<'_>) {
            scan_changes(self, old, new, scan);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::runs::{check_runs, payload_len};
    use proptest::prelude::*;

    /// The runs of `changed` bytes with fewer than `gap` others between them joined.
    fn naive(changed: impl Iterator<Item = bool>, gap: u32, base: u32) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (at, _) in changed.enumerate().filter(|&(_, changed)| changed) {
            let at = base + at as u32;
            match runs.last_mut() {
                Some(run) if at - (run.offset + run.len) < gap => run.len = at + 1 - run.offset,
                _ => runs.push(Run { offset: at, len: 1 }),
            }
        }
        runs
    }

    type DiffFn = Box<dyn Fn(&[u8], &[u8], u32, &mut Runs)>;

    /// What callers get, and each way to it that this machine has.
    fn diffs(len: usize) -> Vec<(String, DiffFn)> {
        let mut all: Vec<(String, DiffFn)> = vec![("diff_at".into(), Box::new(diff_at))];
        if len > BLOCK {
            let portable = |old: &[u8], new: &[u8], base, runs: &mut Runs| {
                scan_diff(Portable {}, old, new, base, runs)
            };
            all.push(("portable".into(), Box::new(portable)));
            for path in Path::all() {
                let on_path = move |old: &[u8], new: &[u8], base, runs: &mut Runs| {
                    diff_long(path, old, new, base, runs)
                };
                all.push((format!("{path:?}"), Box::new(on_path)));
            }
        }
        all
    }

    fn masks(len: usize) -> Vec<(String, DiffFn)> {
        let api = |mask: &[u8], _: &[u8], base, runs: &mut Runs| mask_runs(mask, base, runs);
        let mut all: Vec<(String, DiffFn)> = vec![("mask_runs".into(), Box::new(api))];
        if len > BLOCK {
            let portable = |mask: &[u8], _: &[u8], base, runs: &mut Runs| {
                scan_mask(Portable {}, mask, base, runs)
            };
            all.push(("portable".into(), Box::new(portable)));
            for path in Path::all() {
                let on_path = move |mask: &[u8], _: &[u8], base, runs: &mut Runs| {
                    mask_long(path, mask, base, runs)
                };
                all.push((format!("{path:?}"), Box::new(on_path)));
            }
        }
        all
    }

    fn check_diff(old: &[u8], new: &[u8], base: u32) {
        let want = naive(old.iter().zip(new).map(|(a, b)| a != b), GAP_MERGE, base);
        for (name, diff) in diffs(old.len()) {
            let before = Run { offset: 7, len: 9 };
            let mut runs: Runs = [before].into_iter().collect();
            diff(old, new, base, &mut runs);
            assert_eq!(runs[0], before);
            assert_eq!(runs[1..], want, "{name}, {} bytes", old.len());
        }
    }

    fn check_mask(mask: &[u8], base: u32) {
        let want = naive(mask.iter().map(|&byte| byte != 0), 1, base);
        for (name, mask_runs) in masks(mask.len()) {
            let mut runs = Runs::new();
            mask_runs(mask, &[], base, &mut runs);
            assert_eq!(runs.as_slice(), want, "{name}, {} bytes", mask.len());
        }
    }

    #[test]
    fn every_length_with_changes_at_ends_and_at_every_stride() {
        let lens = if cfg!(miri) { vec![0, 1, 5, 16, 64, 65, 300] } else { (0..300).collect() };
        for len in lens.into_iter().chain([1023, 1024, 1025, 1151, 1152, 2048, 2111]) {
            let old: Vec<u8> = (0..len).map(|i| i as u8).collect();
            check_diff(&old, &old, 0);
            check_mask(&vec![0; len], 0);
            let strides = if cfg!(miri) { vec![1, 8] } else { (1..20).chain([63, 64]).collect() };
            for (stride, first) in strides.into_iter().flat_map(|s| [(s, 0), (s, s / 2)]) {
                let (mut new, mut mask) = (old.clone(), vec![0; len]);
                for i in (first..len).step_by(stride) {
                    (new[i], mask[i]) = (!old[i], 0x10);
                }
                check_diff(&old, &new, 64);
                check_mask(&mask, 64);
            }
            for at in [0, len.saturating_sub(1)].into_iter().filter(|&at| at < len) {
                let mut new = old.clone();
                new[at] ^= 0x80;
                check_diff(&old, &new, 3);
            }
        }
    }

    #[test]
    fn every_pattern_of_16_bytes() {
        let old = [0x55; 16];
        for pattern in (0u32..1 << 16).step_by(if cfg!(miri) { 1009 } else { 1 }) {
            let new: [u8; 16] = std::array::from_fn(|i| 0x55 ^ (pattern >> i & 1) as u8);
            let want = naive((0..16).map(|i| pattern >> i & 1 != 0), GAP_MERGE, 0);
            let mut runs = Runs::new();
            diff(&old, &new, &mut runs);
            assert_eq!(runs.as_slice(), want, "{pattern:016b}");
        }
    }

    #[test]
    fn dense_changes_end_exactly_where_the_bytes_do() {
        // Up to 3 equal bytes at both ends of what is dense, for all that the end can lie at.
        for len in (129..(if cfg!(miri) { 133 } else { 400 })).chain([1024, 1027]) {
            for (head, tail) in (0..4).flat_map(|head| (0..4).map(move |tail| (head, tail))) {
                let old = vec![1; len];
                let mut new = vec![2; len];
                new[..head].fill(1);
                new[len - tail..].fill(1);
                check_diff(&old, &new, 0);
                new[len / 2..len - len / 4].fill(1);
                check_diff(&old, &new, 0);
            }
        }
    }

    #[test]
    fn eight_runs_need_no_allocation_and_more_are_kept() {
        let (old, mut new) = ([0; 1024], [0; 1024]);
        new.iter_mut().step_by(64).take(8).for_each(|byte| *byte = 1);
        let mut runs = Runs::new();
        diff(&old, &new, &mut runs);
        assert_eq!((runs.len(), runs.spilled()), (8, false));
        let new: Vec<u8> = (0..1024).map(|i| (i % 9 == 0) as u8).collect();
        check_diff(&old, &new, 0);
    }

    #[test]
    #[should_panic(expected = "diff of 3 and 4 bytes")]
    fn lengths_must_agree() {
        diff(&[0; 3], &[0; 4], &mut Runs::new());
    }

    #[test]
    #[should_panic(expected = "in no page")]
    fn offsets_must_fit_a_page() {
        diff_at(&[0; 2], &[1; 2], (limits::PAGE_BYTES_MAX - 1) as u32, &mut Runs::new());
    }

    #[test]
    fn copies_of_every_length() {
        let bytes: Vec<u8> = (1..=200).collect();
        for len in 1..70 {
            let runs = [Run { offset: 3, len }, Run { offset: 3 + len, len: 2 }];
            let mut payload = vec![0; len as usize + 2];
            assert_eq!(gather(&bytes, 0, &runs, &mut payload), payload.len());
            assert_eq!(payload, bytes[3..5 + len as usize]);
            let mut frame = vec![0; 200];
            apply_runs(&mut frame, &runs, &payload);
            let (before, rest) = frame.split_at(3);
            let (written, after) = rest.split_at(payload.len());
            assert_eq!(written, payload);
            assert!(before.iter().chain(after).all(|&byte| byte == 0));
        }
    }

    /// A page and what an update makes of it: stretches of it new, and some bytes equal by chance.
    fn images() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let near = |unit: usize| (0usize..6, 0usize..5).prop_map(move |(n, d)| n * unit + d);
        let len = prop_oneof![0usize..300, near(64), near(128), near(1024)];
        let stretch = (any::<u16>(), prop_oneof![1usize..12, 1usize..200, Just(5000)]);
        (len, prop::collection::vec(stretch, 0..8), 0usize..300, any::<u64>()).prop_map(
            |(len, stretches, chance, mut seed)| {
                let mut random = || {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 33) as usize
                };
                let old: Vec<u8> = (0..len).map(|_| random() as u8).collect();
                let mut new = old.clone();
                for (start, length) in stretches {
                    let start = start as usize % (len + 1);
                    for byte in new.iter_mut().skip(start).take(length) {
                        let equal = chance > 0 && random() % 300 < chance / 8;
                        *byte = if equal { *byte } else { byte.wrapping_add(1) };
                    }
                }
                (old, new)
            },
        )
    }

    proptest! {
        #[test]
        fn runs_are_those_of_a_byte_loop(
            (old, new) in images(),
            (skew_old, skew_new) in (0usize..66, 0usize..66),
            base in 0u32..1 << 29,
        ) {
            // Neither slice is aligned to anything.
            let old = [vec![0; skew_old], old].concat();
            let new = [vec![0; skew_new], new].concat();
            check_diff(&old[skew_old..], &new[skew_new..], base);
        }

        #[test]
        fn mask_runs_are_those_of_a_byte_loop((old, new) in images(), skew in 0usize..66) {
            let mask: Vec<u8> = old.iter().zip(&new).map(|(a, b)| a ^ b).collect();
            let mask = [vec![1; skew], mask].concat();
            check_mask(&mask[skew..], 0);
        }

        #[test]
        fn applying_the_runs_to_old_gives_new((old, new) in images(), base in 0u32..100) {
            let mut runs = Runs::new();
            diff_at(&old, &new, base, &mut runs);
            let page_size = base as usize + old.len();
            check_runs(&runs, page_size).unwrap();
            let mut payload = vec![0; payload_len(&runs)];
            prop_assert_eq!(gather(&new, base, &runs, &mut payload), payload.len());
            let mut frame = [vec![0xEE; base as usize], old].concat();
            apply_runs(&mut frame, &runs, &payload);
            prop_assert!(frame[..base as usize].iter().all(|&byte| byte == 0xEE));
            prop_assert_eq!(&frame[base as usize..], &new[..]);
        }
    }
}
