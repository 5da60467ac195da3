//! The writer: drains the lanes into frames, in LSN order, and frames into segments.
//!
//! One at a time (the log's `writer` lock). A flush closes an LSN, walks each lane's records up to
//! it and merges them. Long runs from one lane go to the file straight from the lane's chunk,
//! short ones are copied together first.

use super::Log;
use super::clock::Heads;
use super::lane::{Chunk, Lane};
use super::record::{self, HEADER_BYTES};
use super::segment::{
    FRAME_HEADER_BYTES, FrameHeader, INDEX_EVERY, Identity, Segment, SegmentHeader,
};
use crate::env::Storage;
use crate::error::{Error, Result};
use crate::memory::Buffer;
use crate::stdx::canary::{Canary, sings};
use crate::stdx::sched;
use crate::types::Lsn;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Records that a frame holds at most, bytes, unless one record alone is longer.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// A run at least this long is written from where it stands.
const DIRECT_BYTES_MIN: usize = 2048;
/// In `sync` mode, zeros are written this far at once.
const ZERO_AHEAD_BYTES: u64 = 1 << 20;

/// Files and names that the next sync must cover.
#[derive(Default)]
pub struct Dirty {
    segments: SmallVec<[Arc<Segment>; 2]>,
    names: bool,
}

impl Dirty {
    /// Syncs them.
    pub fn sync(&self, storage: &dyn Storage) -> Result<()> {
        for segment in self.segments.iter().filter(|_| !sings(Canary::SkippedSync)) {
            segment
                .file
                .sync()
                .map_err(|error| Error::io(format_args!("sync {}", segment.path), error))?;
        }
        if self.names && !sings(Canary::ForgottenNames) {
            let path = storage.describe("");
            storage
                .sync_dir()
                .map_err(|error| Error::io(format_args!("sync directory {path}"), error))?;
        }
        Ok(())
    }
}

/// What the writer keeps between flushes.
pub struct Writer {
    pub identity: Identity,
    /// Oldest first; the last one is written to.
    pub segments: VecDeque<Arc<Segment>>,
    /// LSN before the first segment that will be made.
    base: Lsn,
    next_number: u64,
    dirty: Dirty,
    staging: Buffer,
}

impl Writer {
    pub fn new(identity: Identity, base: Lsn) -> Writer {
        Writer::resume(identity, base, 1, VecDeque::new())
    }

    pub fn resume(
        identity: Identity,
        base: Lsn,
        next_number: u64,
        segments: VecDeque<Arc<Segment>>,
    ) -> Writer {
        Writer {
            identity,
            segments,
            base,
            next_number,
            dirty: Dirty::default(),
            staging: Buffer::new(),
        }
    }

    /// Makes it one of an empty log that begins after `base`. Keeps its identity and its buffers.
    pub fn reset(&mut self, base: Lsn) {
        self.segments.clear();
        (self.base, self.next_number, self.dirty) = (base, 1, Dirty::default());
    }

    /// `closed` of the last frame.
    pub fn closed(&self) -> Lsn {
        self.segments.back().map_or(self.base, |segment| segment.closed())
    }

    pub fn history_floor(&self) -> Lsn {
        self.segments.front().map_or(self.base, |segment| segment.header.base)
    }

    pub fn bytes_after(&self, lsn: Lsn) -> u64 {
        let after = self.segments.iter().rev().take_while(|segment| segment.closed() > lsn);
        after.map(|segment| segment.end()).sum()
    }

    /// What the next sync must cover, and up to where frames are durable then.
    pub fn take_dirty(&mut self) -> (Dirty, Lsn) {
        (std::mem::take(&mut self.dirty), self.closed())
    }

    fn mark_dirty(&mut self, segment: &Arc<Segment>) {
        if !self.dirty.segments.iter().any(|dirty| Arc::ptr_eq(dirty, segment)) {
            self.dirty.segments.push(segment.clone());
        }
    }
}

/// One lane's records between what is drained and the closed LSN.
struct Cursor<'a> {
    lane: &'a Lane,
    chunk: *mut Chunk,
    pos: usize,
    /// Bytes up to the closed LSN.
    left: u64,
    /// Length and LSN of the record at `pos`, while `left > 0`.
    len: usize,
    lsn: Lsn,
}

impl<'a> Cursor<'a> {
    fn new(lane: &'a Lane, head: u64) -> Option<Cursor<'a>> {
        let left = head - lane.front.drained.load(Ordering::Relaxed);
        if left == 0 {
            return None;
        }
        let mut cursor = Cursor {
            lane,
            chunk: lane.front.chunk.load(Ordering::Acquire),
            pos: lane.front.pos.load(Ordering::Relaxed),
            left,
            len: 0,
            lsn: Lsn::ZERO,
        };
        cursor.peek();
        Some(cursor)
    }

    fn chunk(&self) -> &'a Chunk {
        // SAFETY: chunks from the front on are freed by the flusher alone, which this is, and only
        // after the cursor has passed them (`commit`).
        unsafe { &*self.chunk }
    }

    /// The bytes of the record at `pos` on.
    fn bytes(&self, from: usize, len: usize) -> &'a [u8] {
        // SAFETY: behind the head, which the writer published with release ordering, bytes are
        // written and no longer change; the closed head was read with acquire ordering.
        unsafe { std::slice::from_raw_parts(self.chunk().as_ptr().add(from), len) }
    }

    /// Reads the next record's length and LSN; goes on to the next chunk where this one ends.
    fn peek(&mut self) {
        if self.left == 0 {
            return;
        }
        loop {
            let next = self.chunk().next.load(Ordering::Acquire);
            if next.is_null() || self.pos < self.chunk().used.load(Ordering::Relaxed) {
                break;
            }
            (self.chunk, self.pos) = (next, 0);
        }
        (self.len, self.lsn) = record::peek(self.bytes(self.pos, HEADER_BYTES));
    }

    fn advance(&mut self) {
        self.pos += self.len;
        self.left -= self.len as u64;
        self.peek();
    }

    #[expect(clippy::vec_box, reason = "chunks are linked by address: they must not move")]
    /// Gives the chunks that are wholly drained to `spent` and moves the lane's front here.
    fn commit(&self, head: u64, spent: &mut Vec<Box<Chunk>>) {
        let front = &self.lane.front;
        let mut at = front.chunk.load(Ordering::Relaxed);
        while at != self.chunk {
            // SAFETY: a chunk before the cursor has a successor, so the holder is done with it,
            // and the flusher was the only one left to read it; `link` leaked it once.
            let chunk = unsafe { Box::from_raw(at) };
            at = chunk.next.load(Ordering::Relaxed);
            spent.push(chunk);
        }
        front.chunk.store(self.chunk, Ordering::Release);
        front.pos.store(self.pos, Ordering::Relaxed);
        front.drained.store(head - self.left, Ordering::Release);
    }
}

/// Bytes of a frame: a stretch of staged bytes or of a lane's chunk.
enum Part {
    Staged(usize),
    Direct(*const u8, usize),
}

/// The frame being put together.
struct Frame<'a> {
    parts: SmallVec<[Part; 16]>,
    staging: &'a mut Buffer,
    bytes: usize,
    records: u32,
    last: Lsn,
    /// LSN and offset in the frame of some records, for the index.
    places: SmallVec<[(Lsn, u64); 32]>,
}

impl Frame<'_> {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        // Without memory small ones are written from where they stand, too.
        if bytes.len() >= DIRECT_BYTES_MIN || self.staging.reserve(bytes.len()).is_err() {
            self.parts.push(Part::Direct(bytes.as_ptr(), bytes.len()));
            return;
        }
        self.staging.push_within(bytes);
        match self.parts.last_mut() {
            Some(Part::Staged(len)) => *len += bytes.len(),
            _ => self.parts.push(Part::Staged(bytes.len())),
        }
    }

    fn slices<'b>(&'b self, header: &'b [u8]) -> Vec<IoSlice<'b>> {
        let mut staged = &self.staging[..];
        let mut slices = Vec::with_capacity(1 + self.parts.len());
        slices.push(IoSlice::new(header));
        for part in &self.parts {
            slices.push(IoSlice::new(match *part {
                Part::Staged(len) => {
                    let (part, rest) = staged.split_at(len);
                    staged = rest;
                    part
                }
                // SAFETY: the bytes stay in their chunk until the cursors are committed, after
                // the write.
                Part::Direct(at, len) => unsafe { std::slice::from_raw_parts(at, len) },
            }));
        }
        slices
    }
}

impl Log {
    /// Hands everything that was published before the call to the storage; returns an LSN at or
    /// above all of it.
    ///
    /// # Errors
    /// `Poisoned`, and what the storage says, which poisons the log.
    pub fn flush(&self) -> Result<Lsn> {
        let mut writer = self.writer.lock();
        let start = self.wall.monotonic_ns();
        self.flushed_at.store(start, Ordering::Relaxed);
        if !self.is_pending() {
            return Ok(self.written());
        }
        self.check()?;
        let (closed, mut heads) = self.close_lanes();
        // Meanwhile groups begin, and lanes come.
        sched::point();
        if sings(Canary::LanesAnew) {
            heads = self.lanes().zip(heads).map(|(lane, (_, head))| (lane, head)).collect();
        }
        if let Err(error) = self.drain(&mut writer, closed, &heads) {
            self.poison(error.message());
            return Err(error.fatal());
        }
        let end = self.wall.monotonic_ns();
        if !self.is_pending() {
            // As good as a flush that begins now.
            self.flushed_at.store(end, Ordering::Relaxed);
        }
        self.flush_ns.add(end.saturating_sub(start));
        Ok(self.written())
    }

    /// Closes the log at an LSN; also returns what it closes, lane by lane.
    pub(super) fn close_lanes(&self) -> (Lsn, Heads<&Lane>) {
        let _closing = self.closing.lock();
        let mut heads = Heads::new();
        let tick = self.clock.close(|| self.lanes(), |_| (), &mut heads);
        (Lsn::end_of(tick), heads)
    }

    /// Writes what is closed, and not yet written.
    pub(super) fn drain(
        &self,
        writer: &mut Writer,
        closed: Lsn,
        heads: &[(&Lane, u64)],
    ) -> Result<()> {
        let cursor = |&(lane, head): &(_, u64)| Some((Cursor::new(lane, head)?, head));
        let mut cursors: SmallVec<[(Cursor<'_>, u64); 4]> =
            heads.iter().filter_map(cursor).collect();
        let mut spent = Vec::new();
        while cursors.iter().any(|(cursor, _)| cursor.left > 0) {
            self.write_frame(writer, closed, &mut cursors)?;
            for (cursor, head) in &cursors {
                cursor.commit(*head, &mut spent);
            }
            self.take_back(spent.drain(..));
        }
        Ok(())
    }

    /// Writes the next frame: as many records as it and the segment hold.
    fn write_frame(
        &self,
        writer: &mut Writer,
        closed: Lsn,
        cursors: &mut [(Cursor<'_>, u64)],
    ) -> Result<()> {
        let mut staging = std::mem::take(&mut writer.staging);
        staging.clear();
        let first = cursors.iter().filter(|(cursor, _)| cursor.left > 0);
        let need = first.min_by_key(|(cursor, _)| cursor.lsn).map_or(0, |(c, _)| c.len);
        let segment = self.segment_for(writer, need)?;
        let room = segment.room() as usize - FRAME_HEADER_BYTES;
        let mut frame = Frame {
            parts: SmallVec::new(),
            staging: &mut staging,
            bytes: 0,
            records: 0,
            last: Lsn::ZERO,
            places: SmallVec::new(),
        };
        fill_frame(&mut frame, cursors, room.min(FRAME_BYTES_MAX.max(need)));
        let all = cursors.iter().all(|(cursor, _)| cursor.left == 0);
        let header = FrameHeader {
            closed: if all { closed } else { frame.last },
            prev_closed: segment.closed(),
            synced: Lsn(self.synced.load(Ordering::Acquire)),
            records: frame.records,
            bytes: frame.bytes as u64,
        };
        let encoded = header.encode(segment.header.number);
        self.append_frame(writer, &segment, &header, &frame.slices(&encoded))?;
        let start = segment.end() - header.bytes;
        segment.index_records(frame.places.iter().map(|&(lsn, at)| (lsn, start + at)));
        writer.staging = staging;
        Ok(())
    }

    /// Writes a frame at the segment's end and counts it as written.
    fn append_frame(
        &self,
        writer: &mut Writer,
        segment: &Arc<Segment>,
        header: &FrameHeader,
        slices: &[IoSlice<'_>],
    ) -> Result<()> {
        let fail = |error| Error::io(format_args!("write {}", segment.path), error);
        let end = segment.end() + FRAME_HEADER_BYTES as u64 + header.bytes;
        if self.options.zero_ahead {
            zero_ahead(segment, end).map_err(fail)?;
        }
        writer.mark_dirty(segment);
        segment.file.write_at(segment.end(), slices).map_err(fail)?;
        segment.extend(header);
        self.account_room(segment.room());
        self.written.fetch_max(header.closed.0, Ordering::AcqRel);
        self.frame_bytes.fetch_add(header.bytes, Ordering::AcqRel);
        self.grown.fetch_add(header.bytes, Ordering::Relaxed);
        Ok(())
    }

    /// The segment that the next frame goes to, with room for a record of `need` bytes.
    fn segment_for(&self, writer: &mut Writer, need: usize) -> Result<Arc<Segment>> {
        let need = (FRAME_HEADER_BYTES + need) as u64;
        if let Some(last) = writer.segments.back().filter(|last| last.room() >= need) {
            return Ok(last.clone());
        }
        let spare = self.take_spare(need)?;
        let header = SegmentHeader {
            identity: writer.identity,
            number: writer.next_number,
            base: writer.closed(),
            capacity: spare.capacity,
        };
        let segment = Arc::new(Segment::activate(&*self.storage, spare, header)?);
        writer.next_number += 1;
        writer.dirty.names = true;
        writer.mark_dirty(&segment);
        writer.segments.push_back(segment.clone());
        self.account_room(segment.room());
        Ok(segment)
    }

    /// The number of the segment from which on all records above `needed` stand. It is durable: a
    /// log whose first segment a power cut took would be none.
    pub fn first_needed(&self, needed: Lsn) -> u64 {
        let writer = self.writer.lock();
        let synced = Lsn(self.synced.load(Ordering::Acquire));
        let needed = if sings(Canary::EarlyRetirement) { Lsn::MAX } else { needed };
        let fits = |base: Lsn| base <= needed && base < synced;
        let first = writer.segments.iter().rfind(|segment| fits(segment.header.base));
        first.or(writer.segments.front()).map_or(1, |segment| segment.header.number)
    }

    /// Recycles the segments before number `first`: a manifest must say durably that they are not
    /// needed, since some of their names may survive a power cut, and others not.
    pub fn retire(&self, first: u64) -> Result<()> {
        let mut writer = self.writer.lock();
        while let Some(oldest) = writer.segments.pop_front_if(|oldest| oldest.header.number < first)
        {
            // What waits to be synced in it is no longer needed, and the list would keep it from
            // being reused.
            writer.dirty.segments.retain(|dirty| !Arc::ptr_eq(dirty, &oldest));
            writer.dirty.names = true;
            self.recycle(oldest)?;
        }
        Ok(())
    }
}

/// Merges records into `frame`, in LSN order, up to `room` bytes.
fn fill_frame<'a>(frame: &mut Frame<'_>, cursors: &mut [(Cursor<'a>, u64)], room: usize) {
    loop {
        // The lane that comes first, and the LSN up to which it may go on alone.
        let (mut first, mut until) = (None::<usize>, Lsn::MAX);
        for (at, (cursor, _)) in cursors.iter().enumerate().filter(|(_, (c, _))| c.left > 0) {
            match first {
                Some(best) if cursors[best].0.lsn < cursor.lsn => until = until.min(cursor.lsn),
                Some(best) => {
                    until = until.min(cursors[best].0.lsn);
                    first = Some(at);
                }
                None => first = Some(at),
            }
        }
        let Some(first) = first else { return };
        if !take_run(frame, &mut cursors[first].0, until, room) {
            return;
        }
    }
}

/// Takes the records of one lane below `until` that stand in one chunk; `false` once the frame is
/// full.
fn take_run(frame: &mut Frame<'_>, cursor: &mut Cursor<'_>, until: Lsn, room: usize) -> bool {
    let (chunk, start) = (cursor.chunk, cursor.pos);
    let mut end = start;
    let mut full = false;
    while cursor.left > 0 && cursor.chunk == chunk && cursor.lsn < until {
        let at = frame.bytes + (end - start);
        if at + cursor.len > room {
            full = true;
            break;
        }
        if frame.places.last().is_none_or(|&(_, last)| at as u64 - last >= INDEX_EVERY) {
            frame.places.push((cursor.lsn, at as u64));
        }
        frame.last = cursor.lsn;
        frame.records += 1;
        end += cursor.len;
        cursor.advance();
    }
    // SAFETY: as in `Cursor::bytes`: published, in a chunk that is not committed yet.
    frame.push(unsafe { std::slice::from_raw_parts((*chunk).as_ptr().add(start), end - start) });
    !full
}

fn zero_ahead(segment: &Segment, end: u64) -> std::io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut at = segment.written.load(Ordering::Relaxed);
    if end <= at {
        return Ok(());
    }
    let target = (end + ZERO_AHEAD_BYTES).min(segment.header.capacity);
    while at < target {
        let len = (target - at).min(ZEROS.len() as u64) as usize;
        segment.file.write_at(at, &[IoSlice::new(&ZEROS[..len])])?;
        at += len as u64;
    }
    segment.written.store(target, Ordering::Relaxed);
    Ok(())
}
