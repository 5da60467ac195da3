//! Reading: records in LSN order over a range, and one record by its LSN.
//!
//! A reader holds the segments that it reads: recycling one of them meanwhile removes its name
//! only. Every frame header and record is checked before it is handed out.

use super::Log;
use super::read_ahead::{READ_AHEAD_BYTES_MIN, Stretch};
use super::record::{self, HEADER_BYTES, Record};
use super::segment::{
    FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, SEGMENT_HEADER_BYTES, Segment, Window,
};
use crate::error::Result;
use crate::stdx::prefetch;
use crate::types::Lsn;
use std::sync::Arc;

/// Bytes read at once when one record is looked up: a block of the index and a little more.
const LOOKUP_BYTES: usize = 1280;
/// Records at least this long have what comes a few of them later fetched.
const LONG_BYTES_MIN: usize = 256;
/// How far after a record that is.
const AHEAD_BYTES: usize = 1 << 10;
/// Frames that are read before reading ahead: most readers want a few records.
const PATIENCE: u32 = 2;

/// Walks records in LSN order.
#[derive(Debug)]
pub struct Reader {
    segments: Vec<Arc<Segment>>,
    at: usize,
    offset: u64,
    /// End of the segment that is read.
    end: u64,
    /// `closed` of the last frame whose header was read; unknown after a jump into a frame.
    chain: Option<Lsn>,
    after: Lsn,
    to: Lsn,
    window: Window,
    /// Frames to go before it is worth to read ahead; 0 once that was decided.
    patience: u32,
}

impl Log {
    /// A reader over the records above `after`, up to and including `to`, of what is written:
    /// flush first to see everything.
    ///
    /// # Errors
    /// `HistoryDropped` if records above `after` are no longer kept.
    pub fn reader(&self, after: Lsn, to: Lsn) -> Result<Reader> {
        let segments = self.segments();
        let floor = segments.first().map_or(self.written(), |segment| segment.header.base);
        if after < floor {
            return Err(dropped(after, floor));
        }
        Reader::new(segments, after, to.min(self.written()))
    }

    /// As [`reader`](Self::reader), over all records that are kept.
    pub fn reader_of_kept(&self, to: Lsn) -> Result<Reader> {
        let segments = self.segments();
        let floor = segments.first().map_or(self.written(), |segment| segment.header.base);
        Reader::new(segments, floor, to.min(self.written()))
    }

    /// The record with the LSN `lsn`, through `window`, which keeps what it read.
    ///
    /// # Errors
    /// `HistoryDropped`; `Corrupt` if no such record stands there.
    ///
    /// Cost: a search in the index and one read of about 1.25 KiB.
    pub fn record_at<'w>(&self, cursor: &'w mut Lookup, lsn: Lsn) -> Result<Record<'w>> {
        let at = cursor.segments.partition_point(|segment| segment.header.base < lsn);
        let Some(at) = at.checked_sub(1) else {
            return Err(dropped(lsn, self.history_floor()));
        };
        let segment = cursor.segments[at].clone();
        if cursor.current != Some(at) {
            cursor.window.clear();
            (cursor.current, cursor.near, cursor.stride) = (Some(at), usize::MAX, 0);
        }
        let (mut offset, end) = (cursor.seek(&segment, lsn)?, segment.reach()?);
        loop {
            let left = end.saturating_sub(offset) as usize;
            if left < HEADER_BYTES {
                return Err(segment.corrupt(offset, &format!("no record {lsn} in this segment")));
            }
            let head = cursor.window.get_ahead(&segment, offset, HEADER_BYTES, LOOKUP_BYTES)?;
            let (len, found) = record::peek(head);
            if len == FRAME_MAGIC as usize {
                offset += FRAME_HEADER_BYTES as u64;
                continue;
            }
            if !record::is_len(len) || len > left || found > lsn {
                return Err(segment.corrupt(offset, &format!("no record {lsn} in this segment")));
            }
            if found == lsn {
                let bytes = cursor.window.get_ahead(&segment, offset, len, LOOKUP_BYTES)?;
                return Record::parse(bytes).map_err(|reason| segment.corrupt(offset, reason));
            }
            offset += len as u64;
        }
    }
}

fn dropped(lsn: Lsn, floor: Lsn) -> crate::Error {
    crate::Error::new(
        crate::ErrorKind::HistoryDropped,
        format!("the log at {lsn} is no longer kept; history begins after {floor}"),
    )
}

/// The segments and the buffer that look-ups of single records share.
#[derive(Debug)]
pub struct Lookup {
    segments: Vec<Arc<Segment>>,
    current: Option<usize>,
    /// Place in the segment's index of the last record, and its distance from the one before.
    near: usize,
    stride: usize,
    window: Window,
}

impl Lookup {
    /// Look-ups in what `log` has written by now.
    pub fn new(log: &Log) -> Lookup {
        let (segments, window) = (log.segments(), Window::default());
        Lookup { segments, current: None, near: usize::MAX, stride: 0, window }
    }

    /// Nothing at or below it is found.
    pub fn floor(&self) -> Lsn {
        self.segments.first().map_or(Lsn::MAX, |segment| segment.header.base)
    }

    /// Where to look for `lsn` in `segment`. Links of a page often lead back in even steps.
    fn seek(&mut self, segment: &Segment, lsn: Lsn) -> Result<u64> {
        let last = self.near;
        self.near = last.saturating_sub(self.stride);
        let offset = segment.seek(lsn, &mut self.near)?;
        self.stride = last.saturating_sub(self.near).min(last.min(1 << 16));
        Ok(offset)
    }
}

impl Reader {
    /// A reader over `segments`, in order, without gaps.
    pub fn new(segments: Vec<Arc<Segment>>, after: Lsn, to: Lsn) -> Result<Reader> {
        let at = segments.partition_point(|segment| segment.header.base <= after);
        let mut reader = Reader {
            segments,
            at: at.saturating_sub(1),
            offset: 0,
            end: 0,
            chain: None,
            after,
            to,
            window: Window::default(),
            patience: PATIENCE,
        };
        reader.enter(after)?;
        Ok(reader)
    }

    /// Starts on the segment `at`, at the record after `after`.
    fn enter(&mut self, after: Lsn) -> Result<()> {
        let Some(segment) = self.segments.get(self.at) else { return Ok(()) };
        self.window.clear();
        self.end = segment.reach()?;
        if after > segment.header.base {
            (self.offset, self.chain) = (segment.seek(after, &mut 0)?, None);
        } else {
            (self.offset, self.chain) = (SEGMENT_HEADER_BYTES, Some(segment.header.base));
        }
        Ok(())
    }

    /// The next record, `None` after the last.
    ///
    /// # Errors
    /// `Corrupt` with file, offset and reason; the reader stays where it is.
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        let Some((lsn, len)) = self.find()? else { return Ok(None) };
        let segment = &self.segments[self.at];
        let bytes = self.window.get(segment, self.offset, len)?;
        if len >= LONG_BYTES_MIN {
            // It may be in the cache of the core that read it ahead.
            prefetch::for_read(bytes.as_ptr_range().end.wrapping_add(AHEAD_BYTES), len);
        }
        match Record::parse(bytes) {
            Ok(record) => {
                self.after = lsn;
                self.offset += len as u64;
                Ok(Some(record))
            }
            // Whoever asks again is told again.
            Err(reason) => Err(segment.corrupt(self.offset, reason)),
        }
    }

    /// LSN and length of the next record in range, which then stands at `offset`.
    fn find(&mut self) -> Result<Option<(Lsn, usize)>> {
        while let Some(segment) = self.segments.get(self.at) {
            if self.offset >= self.end {
                self.at += 1;
                self.enter(Lsn::ZERO)?;
                continue;
            }
            let left = (self.end - self.offset) as usize;
            let head = self.window.get(segment, self.offset, HEADER_BYTES.min(left))?;
            let (len, lsn) = record::peek(head);
            if len == FRAME_MAGIC as usize {
                self.frame(left)?;
                continue;
            }
            if !record::is_len(len) || len > left {
                return Err(segment.corrupt(self.offset, "a record's length does not fit"));
            }
            if lsn > self.after && lsn <= self.to {
                return Ok(Some((lsn, len)));
            }
            // What ends the walk, or is passed over, must be what it says.
            let bytes = self.window.get(segment, self.offset, len)?;
            Record::parse(bytes).map_err(|reason| segment.corrupt(self.offset, reason))?;
            if lsn > self.to {
                return Ok(None);
            }
            self.offset += len as u64;
        }
        Ok(None)
    }

    /// Checks a frame header and steps over it.
    fn frame(&mut self, left: usize) -> Result<()> {
        let segment = &self.segments[self.at];
        let bytes = self.window.get(segment, self.offset, FRAME_HEADER_BYTES.min(left))?;
        let Some(frame) = FrameHeader::decode(bytes, segment.header.number) else {
            return Err(segment.corrupt(self.offset, "a frame header's checksum does not match"));
        };
        if self.chain.is_some_and(|chain| chain != frame.prev_closed) {
            return Err(segment.corrupt(self.offset, "a frame does not follow the one before it"));
        }
        self.chain = Some(frame.closed);
        self.offset += FRAME_HEADER_BYTES as u64;
        if self.patience > 0 {
            self.patience -= 1;
            if self.patience == 0 {
                self.read_ahead();
            }
        }
        Ok(())
    }

    /// Reads what is left of the range in the background, if it is long.
    #[cold]
    fn read_ahead(&mut self) {
        let mut stretches = Vec::new();
        for (at, segment) in self.segments.iter().enumerate().skip(self.at) {
            let current = at == self.at;
            if !current && segment.header.base >= self.to {
                break;
            }
            let (from, to) = match current {
                true => (self.offset, self.end),
                // A segment that nobody walked yet does not know its end.
                false if segment.end() == 0 => (SEGMENT_HEADER_BYTES, segment.header.capacity),
                false => (SEGMENT_HEADER_BYTES, segment.end()),
            };
            if from < to {
                stretches.push(Stretch { segment: segment.clone(), from, to });
            }
        }
        let bytes: u64 = stretches.iter().map(|stretch| stretch.to - stretch.from).sum();
        if bytes >= READ_AHEAD_BYTES_MIN {
            self.window.read_ahead(stretches);
        }
    }
}
