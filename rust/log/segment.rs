//! A segment: one log file, preallocated, with a sparse index of where records stand.
//!
//! ```text
//!     0  segment header, 64 bytes, zeros up to 4,096
//!  4096  frame  frame  frame ...  then zeros, or leftovers of the file's earlier life
//!
//! segment header                          frame header
//!  0  "MMSBLOG\0"                          0  u32 0xF7A3E001
//!  8  u32 format version                   4  u32 checksum of bytes 8..48 and the segment's number
//! 12  u32 checksum of the other 60 bytes   8  u64 closed: every record <= this stands here or before
//! 16  [16] identity of the log            16  u64 previous frame's closed
//! 32  u64 number, from 1                  24  u64 synced: closed LSN durable when this was written
//! 40  u64 base: closed LSN before it      32  u32 records
//! 48  u64 capacity, bytes                 36  u32 zero
//! 56  u64 zero                            40  u64 bytes of records that follow
//! ```
//!
//! The frame's checksum covers the segment's number, so that a frame left over from the file's
//! earlier life is never taken for one of this life.

use super::read_ahead::{LEAD_BYTES, ReadAhead, Stretch};
use super::record::{self, HEADER_BYTES};
use crate::env::{File, OpenMode, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Buffer;
use crate::stdx::codec::{Dec, Enc};
use crate::stdx::crc::crc32c;
use crate::stdx::sync::{Mutex, MutexGuard};
use crate::types::Lsn;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The version of everything that this room writes.
pub const FORMAT_VERSION: u32 = 1;
/// Where the first frame stands.
pub const SEGMENT_HEADER_BYTES: u64 = 4096;
/// Bytes before a frame's records.
pub const FRAME_HEADER_BYTES: usize = 48;
/// First word of a frame; above every record length, so that it ends a run of records.
pub const FRAME_MAGIC: u32 = 0xF7A3_E001;

const MAGIC: &[u8; 8] = b"MMSBLOG\0";
const HEADER_USED: usize = 64;
/// A record is indexed when at least this many bytes stand between it and the last indexed one:
/// 16 bytes of index per KiB of log.
pub const INDEX_EVERY: u64 = 1024;

const _: () = assert!(FRAME_MAGIC as u64 > crate::limits::RECORD_BYTES_MAX);

/// Which log a file belongs to.
pub type Identity = [u8; 16];

/// What a segment's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    /// The log's identity.
    pub identity: Identity,
    /// The segment's number.
    pub number: u64,
    /// Every record of the segment is above this closed LSN, and none below is missing before it.
    pub base: Lsn,
    /// Bytes preallocated.
    pub capacity: u64,
}

impl SegmentHeader {
    fn encode(&self) -> [u8; HEADER_USED] {
        let mut bytes = [0; HEADER_USED];
        let mut enc = Enc::new(&mut bytes);
        enc.bytes(MAGIC);
        enc.u32(FORMAT_VERSION);
        enc.u32(0);
        enc.bytes(&self.identity);
        enc.u64(self.number);
        enc.u64(self.base.0);
        enc.u64(self.capacity);
        let crc = crc32c(&bytes);
        Enc::new(&mut bytes[12..]).u32(crc);
        bytes
    }

    /// The header in `bytes`, or why there is none. An unknown version is told apart: its file is
    /// not damaged.
    fn decode(bytes: &[u8]) -> Result<SegmentHeader, HeaderError> {
        let mut zeroed = bytes.to_vec();
        zeroed[12..16].fill(0);
        let mut dec = Dec::new(bytes);
        let bad = HeaderError::Damaged;
        if dec.bytes(8).ok_or(bad)? != MAGIC {
            return Err(bad);
        }
        let version = dec.u32().ok_or(bad)?;
        if dec.u32().ok_or(bad)? != crc32c(&zeroed) {
            return Err(bad);
        }
        if version != FORMAT_VERSION {
            return Err(HeaderError::Version(version));
        }
        let mut identity = [0; 16];
        identity.copy_from_slice(dec.bytes(16).ok_or(bad)?);
        let number = dec.u64().ok_or(bad)?;
        let base = Lsn(dec.u64().ok_or(bad)?);
        let capacity = dec.u64().ok_or(bad)?;
        if base >= Lsn::LIMIT {
            return Err(bad);
        }
        Ok(SegmentHeader { identity, number, base, capacity })
    }
}

/// Why a segment header cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderError {
    /// Magic, checksum or length do not fit.
    Damaged,
    /// A sound header of a format that this build does not know.
    Version(u32),
}

/// What stands before a frame's records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Every record at or below it stands in this frame or before.
    pub closed: Lsn,
    /// `closed` of the frame before.
    pub prev_closed: Lsn,
    /// What was durable when the frame was written.
    pub synced: Lsn,
    /// Records in the frame.
    pub records: u32,
    /// Bytes of records.
    pub bytes: u64,
}

impl FrameHeader {
    /// The header's bytes in the segment `number`.
    pub fn encode(&self, number: u64) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        let mut enc = Enc::new(&mut bytes);
        enc.u32(FRAME_MAGIC);
        enc.u32(0);
        enc.u64(self.closed.0);
        enc.u64(self.prev_closed.0);
        enc.u64(self.synced.0);
        enc.u32(self.records);
        enc.u32(0);
        enc.u64(self.bytes);
        let crc = Self::checksum(&bytes, number);
        Enc::new(&mut bytes[4..]).u32(crc);
        bytes
    }

    /// The header that stands at the start of `bytes` in the segment `number`.
    pub fn decode(bytes: &[u8], number: u64) -> Option<FrameHeader> {
        let bytes = bytes.first_chunk::<FRAME_HEADER_BYTES>()?;
        let mut dec = Dec::new(bytes);
        if dec.u32()? != FRAME_MAGIC || dec.u32()? != Self::checksum(bytes, number) {
            return None;
        }
        let (closed, prev_closed) = (Lsn(dec.u64()?), Lsn(dec.u64()?));
        let (synced, records) = (Lsn(dec.u64()?), dec.u32()?);
        dec.u32()?;
        Some(FrameHeader { closed, prev_closed, synced, records, bytes: dec.u64()? })
    }

    /// Whether bytes that are no header may once have been one of a frame after `good`. What is left
    /// of a file's earlier life names earlier LSNs.
    pub fn followed(bytes: &[u8], good: Lsn) -> bool {
        let mut dec = Dec::new(bytes);
        let magic = dec.u32() == Some(FRAME_MAGIC);
        dec.u32();
        let (closed, prev_closed) = (dec.u64().map(Lsn), dec.u64().map(Lsn));
        prev_closed == Some(good) || (magic && closed > Some(good))
    }

    fn checksum(bytes: &[u8; FRAME_HEADER_BYTES], number: u64) -> u32 {
        let mut covered = [0; FRAME_HEADER_BYTES];
        covered[..8].copy_from_slice(&number.to_le_bytes());
        covered[8..].copy_from_slice(&bytes[8..]);
        crc32c(&covered)
    }
}

/// A file with space reserved that waits to become a segment.
pub struct Spare {
    /// Its name while it waits.
    pub name: String,
    /// The open file.
    pub file: Arc<dyn File>,
    /// Bytes reserved.
    pub capacity: u64,
    /// Bytes from the start that were written before, so that overwriting them needs no change
    /// of the file system's own records.
    pub written: u64,
}

/// One log file. Appended by the log's writer, read by anybody up to [`end`](Self::end).
#[derive(Debug)]
pub struct Segment {
    /// What its header says.
    pub header: SegmentHeader,
    /// The open file.
    pub file: Arc<dyn File>,
    /// Path for messages.
    pub path: String,
    /// Name in its directory.
    pub name: String,
    /// Bytes in use.
    end: AtomicU64,
    /// `closed` of the last frame.
    closed: AtomicU64,
    /// Bytes from the start that were ever written; zeros are written ahead of it in `sync` mode.
    pub written: AtomicU64,
    index: Mutex<Index>,
}

/// `(LSN, offset)` of about one record per [`INDEX_EVERY`] bytes, ascending in both.
#[derive(Default, Debug)]
pub struct Index {
    entries: Vec<(Lsn, u32)>,
    /// Whether it covers the segment from its start.
    whole: bool,
    next_at: u64,
}

impl Segment {
    /// The name of the segment `number`.
    pub fn file_name(number: u64) -> String {
        format!("{number:016x}.log")
    }

    /// The number in a segment's name.
    pub fn parse_name(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".log")?;
        let number = u64::from_str_radix(digits, 16).ok()?;
        (Segment::file_name(number) == name).then_some(number)
    }

    /// Makes `spare` the segment that `header` describes. The name is durable after the
    /// directory's next sync.
    pub fn activate(storage: &dyn Storage, spare: Spare, header: SegmentHeader) -> Result<Segment> {
        let name = Segment::file_name(header.number);
        let path = storage.describe(&name);
        let mut block = [0; SEGMENT_HEADER_BYTES as usize];
        block[..HEADER_USED].copy_from_slice(&header.encode());
        spare
            .file
            .write_at(0, &[IoSlice::new(&block)])
            .map_err(|error| Error::io(format_args!("write {path}"), error))?;
        storage
            .rename(&spare.name, &name)
            .map_err(|error| Error::io(format_args!("rename to {path}"), error))?;
        Ok(Segment {
            header,
            file: spare.file,
            path,
            name,
            end: AtomicU64::new(SEGMENT_HEADER_BYTES),
            closed: AtomicU64::new(header.base.0),
            written: AtomicU64::new(spare.written.max(SEGMENT_HEADER_BYTES)),
            index: Mutex::new(Index { whole: true, ..Index::default() }),
        })
    }

    /// Opens the segment `name` and reads its header.
    pub fn open(
        storage: &dyn Storage,
        name: &str,
        mode: OpenMode,
    ) -> Result<Result<Segment, HeaderError>> {
        let path = storage.describe(name);
        let fail = |error| Error::io(format_args!("read {path}"), error);
        let file = storage.open(name, mode).map_err(fail)?;
        let mut block = [0; SEGMENT_HEADER_BYTES as usize];
        let got = file.read_at(0, &mut block).map_err(fail)?;
        let (bytes, zeros) = block.split_at(HEADER_USED);
        if got < block.len() || zeros.iter().any(|&byte| byte != 0) {
            return Ok(Err(HeaderError::Damaged));
        }
        let header = match SegmentHeader::decode(bytes) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Ok(Segment {
            header,
            file,
            name: name.to_owned(),
            path,
            end: AtomicU64::new(SEGMENT_HEADER_BYTES),
            closed: AtomicU64::new(header.base.0),
            written: AtomicU64::new(SEGMENT_HEADER_BYTES),
            index: Mutex::new(Index::default()),
        }))
    }

    /// Bytes in use, frames and header.
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// `closed` of the last frame.
    pub fn closed(&self) -> Lsn {
        Lsn(self.closed.load(Ordering::Acquire))
    }

    /// Bytes left for frames.
    pub fn room(&self) -> u64 {
        self.header.capacity.saturating_sub(self.end())
    }

    /// Counts a frame that was written at the end as part of the segment.
    pub fn extend(&self, frame: &FrameHeader) {
        let end = self.end() + FRAME_HEADER_BYTES as u64 + frame.bytes;
        self.written.fetch_max(end, Ordering::Relaxed);
        self.closed.store(frame.closed.0, Ordering::Release);
        self.end.store(end, Ordering::Release);
    }

    /// Says how far a scan found the segment to reach.
    pub fn set_reach(&self, end: u64, closed: Lsn) {
        self.written.fetch_max(end, Ordering::Relaxed);
        self.closed.store(closed.0, Ordering::Release);
        self.end.store(end, Ordering::Release);
    }

    /// Says that the segment holds everything up to `closed`; where it ends is found on demand.
    pub fn set_sealed(&self, closed: Lsn) {
        self.closed.store(closed.0, Ordering::Release);
        self.end.store(0, Ordering::Release);
    }

    /// Where the segment's frames end, walking it once if that is not known yet.
    pub fn reach(&self) -> Result<u64> {
        match self.end() {
            0 => {
                self.walk(&mut self.index.lock())?;
                Ok(self.end())
            }
            end => Ok(end),
        }
    }

    /// An empty index for a scan to fill.
    pub fn rebuild_index(&self) -> MutexGuard<'_, Index> {
        let mut index = self.index.lock();
        *index = Index { whole: true, ..Index::default() };
        index
    }

    /// Takes the places of a frame's records into the index; `records` in ascending order.
    pub fn index_records(&self, records: impl Iterator<Item = (Lsn, u64)>) {
        let mut index = self.index.lock();
        for (lsn, offset) in records {
            index.note(lsn, offset);
        }
    }

    /// The offset of an indexed record at or before `lsn`, from which a scan finds it. `near` is
    /// where in the index to look first; it is set to where the place was found.
    pub fn seek(&self, lsn: Lsn, near: &mut usize) -> Result<u64> {
        let mut index = self.index.lock();
        if !index.whole {
            self.walk(&mut index)?;
        }
        *near = index.place(lsn, *near);
        Ok(match near.checked_sub(1) {
            Some(at) => index.entries[at].1.into(),
            None => SEGMENT_HEADER_BYTES,
        })
    }

    /// Fills the index and finds the end of a segment that an earlier life of the log sealed.
    /// Walks frame headers and record lengths; who reads a record checks it.
    fn walk(&self, index: &mut Index) -> Result<()> {
        let (mut window, mut at) = (Window::default(), SEGMENT_HEADER_BYTES);
        let mut closed = self.header.base;
        let mut last = closed;
        *index = Index::default();
        while closed < self.closed() {
            let head = window.get(self, at, FRAME_HEADER_BYTES)?;
            let Some(frame) = FrameHeader::decode(head, self.header.number) else {
                return Err(self.corrupt(at, "a frame header's checksum does not match"));
            };
            at += FRAME_HEADER_BYTES as u64;
            let end = at + frame.bytes;
            while at < end {
                let head = window.get(self, at, HEADER_BYTES.min((end - at) as usize))?;
                let (len, lsn) = record::peek(head);
                if !record::is_len(len) || len as u64 > end - at {
                    return Err(self.corrupt(at, "a record's length does not fit"));
                }
                // In order it may be another one, and a search still finds the right place.
                if lsn <= last || lsn > frame.closed {
                    return Err(self.corrupt(at, "a record is out of order"));
                }
                last = lsn;
                index.note(lsn, at);
                at += len as u64;
            }
            closed = frame.closed;
        }
        index.whole = true;
        self.end.store(at, Ordering::Release);
        Ok(())
    }

    /// An error that names this file and the place.
    #[cold]
    pub fn corrupt(&self, offset: u64, reason: &str) -> Error {
        corrupt(&self.path, offset, reason)
    }
}

/// The error for damage in the file `path`.
#[cold]
pub fn corrupt(path: &str, offset: u64, reason: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("{path} is damaged at offset {offset}: {reason}"))
}

impl Index {
    /// How many entries stand at or before `lsn`: a search in steps that double from `near`, then
    /// by halves.
    fn place(&self, lsn: Lsn, near: usize) -> usize {
        let before = |at: usize| self.entries[at].0 <= lsn;
        let (mut low, mut high) = (0, self.entries.len());
        let (mut at, mut step) = (near.min(high), 1);
        if at < high && before(at) {
            while at < high && before(at) {
                (low, at, step) = (at + 1, at + step, 2 * step);
            }
            high = at.min(high);
        } else {
            while at > 0 && !before(at - 1) {
                (high, at, step) = (at - 1, (at - 1).saturating_sub(step), 2 * step);
            }
            low = at;
        }
        low + self.entries[low..high].partition_point(|&(first, _)| first <= lsn)
    }

    /// Takes in a record's place if it is far enough from the last one.
    #[inline]
    pub fn note(&mut self, lsn: Lsn, offset: u64) {
        if offset >= self.next_at
            && let Ok(offset32) = u32::try_from(offset)
        {
            self.entries.push((lsn, offset32));
            self.next_at = offset + INDEX_EVERY;
        }
    }
}

/// A buffer that slides over segments.
#[derive(Debug, Default)]
pub struct Window {
    bytes: Buffer,
    /// Where the byte at `start` stands in `bytes`.
    from: usize,
    /// Offset in the segment of the first byte held.
    start: u64,
    len: usize,
    ahead: Option<ReadAhead>,
}

impl Window {
    /// Bytes read at once when reading on.
    const STEP: usize = 128 << 10;

    /// Reads `stretches`, which come next, in the background.
    pub fn read_ahead(&mut self, stretches: Vec<Stretch>) {
        self.ahead = ReadAhead::start(stretches);
    }

    /// `len` bytes of `segment` at `offset`; reads ahead. The caller knows that they lie within
    /// the segment's end; a shorter file is damage.
    #[inline]
    pub fn get(&mut self, segment: &Segment, offset: u64, len: usize) -> Result<&[u8]> {
        self.get_ahead(segment, offset, len, Self::STEP)
    }

    /// As [`get`](Self::get), reading `ahead` bytes at once.
    #[inline]
    pub fn get_ahead(
        &mut self,
        segment: &Segment,
        offset: u64,
        len: usize,
        ahead: usize,
    ) -> Result<&[u8]> {
        if !self.holds(offset, len) && !self.fill(segment, offset, len, ahead)? {
            let end = offset + self.len as u64;
            return Err(segment.corrupt(end, "the file ends here"));
        }
        Ok(self.slice(offset, len))
    }

    /// As [`get`](Self::get); `None` where the file is too short.
    pub fn try_get(&mut self, segment: &Segment, offset: u64, len: usize) -> Result<Option<&[u8]>> {
        if !self.holds(offset, len) && !self.fill(segment, offset, len, Self::STEP)? {
            return Ok(None);
        }
        Ok(Some(self.slice(offset, len)))
    }

    #[inline]
    fn holds(&self, offset: u64, len: usize) -> bool {
        offset >= self.start && offset + len as u64 <= self.start + self.len as u64
    }

    #[inline]
    fn slice(&self, offset: u64, len: usize) -> &[u8] {
        let at = self.from + (offset - self.start) as usize;
        &self.bytes[at..at + len]
    }

    /// Forgets what it holds: another segment comes next, or the file changed.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Reads `len` bytes at `offset` and up to `ahead`; `false` where the file is too short.
    #[cold]
    fn fill(&mut self, segment: &Segment, offset: u64, len: usize, ahead: usize) -> Result<bool> {
        if self.ahead.is_some() && self.advance(segment.header.number, offset, len) {
            return Ok(true);
        }
        (self.from, self.len) = (0, 0);
        let limit = segment.header.capacity.max(segment.end());
        let want = ahead.min(limit.saturating_sub(offset) as usize).max(len);
        if self.bytes.len() < want {
            self.bytes.resize(want, 0)?;
        }
        let got = segment
            .file
            .read_at(offset, &mut self.bytes[..want])
            .map_err(|error| Error::io(format_args!("read {}", segment.path), error))?;
        (self.start, self.len) = (offset, got);
        Ok(got >= len)
    }

    /// Goes on to the blocks that were read ahead and hold `len` bytes at `offset`; `false` if they
    /// do not.
    fn advance(&mut self, number: u64, offset: u64, len: usize) -> bool {
        while let Some(ahead) = self.ahead.take() {
            let Some(mut block) = ahead.next() else { break };
            // Up to where bytes from `offset` on are held already.
            let end = self.start + self.len as u64;
            let end = if self.holds(offset, 1) { end } else { offset };
            let place = (block.number, block.start);
            if place > (number, end) {
                break;
            }
            if block.number < number || block.start + block.len as u64 <= end {
                ahead.give_back(block.bytes);
                self.ahead = Some(ahead);
                continue;
            }
            let lead = block.start.saturating_sub(offset) as usize;
            let Some(from) = LEAD_BYTES.checked_sub(lead) else { break };
            if lead > 0 {
                block.bytes[from..LEAD_BYTES].copy_from_slice(self.slice(offset, lead));
            }
            (self.from, self.start, self.len) = (from, block.start - lead as u64, block.len + lead);
            ahead.give_back(std::mem::replace(&mut self.bytes, block.bytes));
            self.ahead = Some(ahead);
            if self.holds(offset, len) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_from_anywhere() {
        let mut index = Index::default();
        for at in 0..100 {
            index.note(Lsn(10 + at * 10), at * INDEX_EVERY);
        }
        for lsn in 0..1_100 {
            let expected = index.entries.partition_point(|&(first, _)| first <= Lsn(lsn));
            for near in (0..105).chain([usize::MAX]) {
                assert_eq!(index.place(Lsn(lsn), near), expected, "{lsn} from {near}");
            }
        }
        assert_eq!(Index::default().place(Lsn(5), 3), 0);
    }
}
