//! Opening a log that a crash may have left: find the end, decide whether what follows it is a
//! torn tail or damage.
//!
//! A scan walks frames from a known place. Where it cannot go on, this table decides; `good` is
//! the closed LSN that the scan reached, `proof` the largest `synced` of any sound frame that
//! stands after the place, in this segment or a later one (a frame says what was durable when it
//! was written):
//!
//! ```text
//!  at the place                  | next segment's base | proof, or `must` | decision
//!  1 nothing, or anything        | = good              | any              | go on with the next
//!  2 no frame                    | no next segment     | <= good          | the end
//!  3 anything else               | no next, or > good  | <= good          | torn tail: cut here
//!  4 anything                    | any                 | > good           | damage: refuse
//! ```
//!
//! Row 4 is what tells damage from bad luck: a sync that covered the missing part did return.
//! `must` is an LSN that something outside the log (a checkpoint) knows to have been synced.
//! A torn frame keeps the records before its first bad one: they are a prefix of the LSN order.
//! Whatever stands after the end is wiped out, unless the log was closed in order there: what is
//! left of a lost frame's records could be taken for those of the next frame if that tears.
//!
//! Media assumptions are those of docs/file_format.md: a write can be torn anywhere, unsynced
//! writes can survive in any order, synced bytes stay.

use super::record::{self, HEADER_BYTES, Record};
use super::segment::{
    FORMAT_VERSION, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, HeaderError, Identity,
    SEGMENT_HEADER_BYTES, Segment, Window, corrupt,
};
use super::space::is_spare_name;
use super::writer::Writer;
use super::{Log, LogOptions};
use crate::bail;
use crate::env::{Clock, File, OpenMode, Storage};
use crate::error::{Error, Result};
use crate::stdx::canary::{Canary, sings};
use crate::types::Lsn;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// What was cut off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Torn {
    /// The file that was cut.
    pub path: String,
    /// Where.
    pub offset: u64,
    /// Bytes that were there and not zero, up to the last such byte.
    pub bytes: u64,
    /// What was wrong at that place.
    pub reason: String,
}

/// What opening a log found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// Records that were applied.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// The torn tail, if there was one.
    pub torn: Option<Torn>,
}

/// What the caller knows of a log before it is opened.
pub struct Known {
    /// Which log it must be.
    pub identity: Identity,
    /// Segments before this number are not needed: what is left of them goes.
    pub first: u64,
    /// Records at or below it are not needed.
    pub after: Lsn,
    /// The log was durable up to here.
    pub must: Lsn,
    /// The log was closed in order at `must`. Bytes after that are leftovers, not a torn tail.
    pub clean: bool,
}

/// Where a scan of one segment stopped.
struct Stop {
    /// The first byte that does not count.
    offset: u64,
    /// `closed` of what counts.
    good: Lsn,
    /// What is wrong there; `None` where zeros, or too little room for a frame, end the segment.
    reason: Option<&'static str>,
    /// What is there may have been a frame after `good`.
    followed: bool,
    /// The frame that counts in part, and where it stands.
    partial: Option<(u64, FrameHeader)>,
}

/// What stands after a [`Stop`].
#[derive(Default)]
struct Beyond {
    /// The largest `synced` of a sound frame there.
    proof: Lsn,
    /// Whether there is any sound frame.
    frames: bool,
}

impl Log {
    /// Opens the log in `storage`: hands every record above `known.after` to `apply`, cuts a torn
    /// tail, makes what it found durable.
    ///
    /// # Errors
    /// `Corrupt` with file, offset and reason; `UnknownFormat`; `Foreign` for another log's files;
    /// what `apply` and the storage say.
    pub fn open(
        storage: Arc<dyn Storage>,
        wall: Arc<dyn Clock>,
        known: Known,
        options: LogOptions,
        mut apply: impl FnMut(Record<'_>) -> Result<()>,
    ) -> Result<(Log, Recovered)> {
        let mut found = Recovered::default();
        let mut files = Files::list(&*storage, &known)?;
        let mut at = files.start(known.after)?;
        let mut good = files.segments.get(at).map_or(Lsn::ZERO, |first| first.header.base);
        let mut window = Window::default();
        let (mut scanned, mut unproven) = (Vec::new(), Unproven::default());
        while let Some(segment) = files.segments.get(at).cloned() {
            let mut taken = |record: Record<'_>| {
                if record.lsn > known.after {
                    found.records += 1;
                    found.bytes += record.len() as u64;
                    apply(record)?;
                }
                Ok(())
            };
            let stop = scan(&segment, &mut window, good, &mut unproven, &mut taken)?;
            good = stop.good;
            segment.set_reach(stop.offset, good);
            scanned.push(segment.clone());
            at += 1;
            if files.segments.get(at).is_some_and(|next| next.header.base == good) {
                continue;
            }
            files.settle(&*storage, at - 1, &stop, &known, &mut found)?;
            break;
        }
        files.check_missing(&*storage, &known, &mut found)?;
        unproven.prove(known.must);
        make_durable(&*storage, &scanned, &unproven)?;
        let next = files.segments.last().map_or(known.first, |last| last.header.number + 1);
        let segments = VecDeque::from(files.segments);
        let writer = Writer::resume(known.identity, known.after, next, segments);
        let log = Log::with(storage, wall, options, writer);
        log.resume_after(known.after);
        Ok((log, found))
    }
}

/// The segments of a directory.
struct Files {
    segments: Vec<Arc<Segment>>,
    /// Where they do not go on although files follow, if so; those are not opened.
    broken: Option<Broken>,
    /// Names of the files from there on.
    rest: Vec<String>,
}

/// A file that is not the next segment.
struct Broken {
    path: String,
    offset: u64,
    reason: String,
}

impl Broken {
    fn error(&self) -> Error {
        corrupt(&self.path, self.offset, &self.reason)
    }

    fn torn(self) -> Torn {
        Torn { path: self.path, offset: self.offset, bytes: 0, reason: self.reason }
    }
}

impl Files {
    fn list(storage: &dyn Storage, known: &Known) -> Result<Files> {
        let dir = storage.describe("");
        let names = storage.list().map_err(|error| Error::io(format_args!("list {dir}"), error))?;
        for name in names.iter().filter(|name| is_spare_name(name)) {
            let _ = storage.remove(name);
        }
        let mut numbered: Vec<(u64, String)> = names
            .into_iter()
            .filter_map(|name| Some((Segment::parse_name(&name)?, name)))
            .collect();
        numbered.sort();
        let mut files = Files { segments: Vec::new(), broken: None, rest: Vec::new() };
        for (number, name) in numbered {
            if number < known.first {
                // A checkpoint began to recycle it. Its header may be that of a later segment.
                let _ = storage.remove(&name);
                continue;
            }
            if files.broken.is_some() {
                files.rest.push(name);
                continue;
            }
            files.open(storage, known, number, name)?;
        }
        Ok(files)
    }

    fn open(
        &mut self,
        storage: &dyn Storage,
        known: &Known,
        number: u64,
        name: String,
    ) -> Result<()> {
        let path = storage.describe(&name);
        match Segment::open(storage, &name, OpenMode::Write)? {
            Err(HeaderError::Version(version)) => bail!(
                UnknownFormat,
                "{path} has log format {version}; this build reads {FORMAT_VERSION}"
            ),
            Err(HeaderError::Damaged) => {
                let reason = "the segment header's checksum does not match";
                self.break_at(path, 0, reason.to_owned(), name);
            }
            Ok(segment) => {
                let last = self.segments.last();
                let next = last.map_or(known.first, |last| last.header.number + 1);
                if segment.header.identity != known.identity {
                    bail!(Foreign, "{path} belongs to another state");
                } else if segment.header.number != number {
                    // The name of a segment made of an old one's file, without its new header.
                    let reason = "its number is not the one in its name";
                    self.break_at(path, 32, reason.to_owned(), name);
                } else if number != next {
                    let reason = format!("segment {next} before it is missing");
                    self.break_at(path, 0, reason, name);
                } else {
                    if let Some(last) = last {
                        last.set_sealed(segment.header.base);
                    }
                    self.segments.push(Arc::new(segment));
                }
            }
        }
        Ok(())
    }

    /// The log does not go on with the file `name`: whether that is damage or a torn tail, what
    /// else is known decides.
    fn break_at(&mut self, path: String, offset: u64, reason: String, name: String) {
        self.broken = Some(Broken { path, offset, reason });
        self.rest.push(name);
    }

    /// Where records above `after` begin.
    fn start(&self, after: Lsn) -> Result<usize> {
        if let Some(first) = self.segments.first()
            && first.header.base > after
        {
            let base = first.header.base;
            let reason = format!("the log begins after {base}, records above {after} are needed");
            return Err(corrupt(&first.path, 40, &reason));
        }
        let upper = self.segments.partition_point(|segment| segment.header.base <= after);
        Ok(upper.saturating_sub(1))
    }

    /// Decides what stands after `stop` in segment `at`, where the log does not go on: rows 2 to 4
    /// of the table.
    fn settle(
        &mut self,
        storage: &dyn Storage,
        at: usize,
        stop: &Stop,
        known: &Known,
        found: &mut Recovered,
    ) -> Result<()> {
        let segment = self.segments[at].clone();
        let beyond = self.beyond(storage, at, stop.offset)?;
        let proof = beyond.proof.max(known.must);
        if proof > stop.good && !sings(Canary::CutDamage) {
            let reason = stop.reason.unwrap_or("records are missing");
            let reason = format!("{reason}, although it was durable up to {proof}");
            return Err(match &self.broken {
                Some(broken) if stop.reason.is_none() => broken.error(),
                _ => segment.corrupt(stop.offset, &reason),
            });
        }
        let later = at + 1 < self.segments.len() || !self.rest.is_empty();
        // A log that was closed in order ends with a whole frame, unless the header of one that was
        // kept in part was lost.
        let closed = known.clean && stop.good == known.must && stop.partial.is_none();
        let left_over = closed && !stop.followed;
        let end = stop.reason.is_none() || left_over;
        if end && !beyond.frames && !later {
            return if left_over { Ok(()) } else { wipe(&segment, stop.offset).map(drop) };
        }
        let broken = self.broken.take();
        let bytes = self.cut(storage, at, stop)?;
        let torn = stop.reason.map(|reason| {
            let (path, offset) = (segment.path.clone(), stop.offset);
            Torn { path, offset, bytes, reason: reason.to_owned() }
        });
        found.torn = torn.or(broken.map(Broken::torn));
        Ok(())
    }

    /// What sound frames after `offset` in segment `at` and in all later files say.
    fn beyond(&self, storage: &dyn Storage, at: usize, offset: u64) -> Result<Beyond> {
        let mut beyond = Beyond::default();
        for (i, segment) in self.segments.iter().enumerate().skip(at) {
            let from = if i == at { offset } else { SEGMENT_HEADER_BYTES };
            look(&*segment.file, &segment.path, segment.header.number, from, &mut beyond)?;
        }
        for name in &self.rest {
            let (path, number) = (storage.describe(name), Segment::parse_name(name).unwrap_or(0));
            let file = storage
                .open(name, OpenMode::Read)
                .map_err(|error| Error::io(format_args!("read {path}"), error))?;
            look(&*file, &path, number, 0, &mut beyond)?;
        }
        Ok(beyond)
    }

    /// Ends the log at `stop` in segment `at`: later files go, zeros follow it. Each step leaves a
    /// log that this very function would cut at the same place, so a crash between them is fine.
    fn cut(&mut self, storage: &dyn Storage, at: usize, stop: &Stop) -> Result<u64> {
        let later = self.segments.drain(at + 1..).map(|segment| segment.name.clone());
        for name in later.chain(self.rest.drain(..)).collect::<Vec<_>>().into_iter().rev() {
            let path = storage.describe(&name);
            storage
                .remove(&name)
                .map_err(|error| Error::io(format_args!("remove {path}"), error))?;
        }
        let segment = &self.segments[at];
        let fail = |error| Error::io(format_args!("cut {}", segment.path), error);
        let bytes = wipe(segment, stop.offset)?;
        if let Some((offset, frame)) = stop.partial {
            segment.file.sync().map_err(fail)?;
            let header = frame.encode(segment.header.number);
            segment.file.write_at(offset, &[IoSlice::new(&header)]).map_err(fail)?;
        }
        Ok(bytes)
    }

    /// A log whose very first header is damaged: row 4 of the table if anything that stands in it
    /// or after it says that something was synced, else a beginning that a crash tore.
    fn check_missing(
        &mut self,
        storage: &dyn Storage,
        known: &Known,
        found: &mut Recovered,
    ) -> Result<()> {
        if !self.segments.is_empty() {
            return Ok(());
        }
        let proof = self.beyond(storage, 0, 0)?.proof;
        // A log that was durable somewhere has a file, whether its records are needed or not.
        if proof > known.after || known.must > Lsn::ZERO {
            let proof = proof.max(known.must);
            return Err(match &self.broken {
                Some(broken) => broken.error(),
                None => {
                    let reason =
                        format!("its log is missing, although it was durable up to {proof}");
                    corrupt(&storage.describe(""), 0, &reason)
                }
            });
        }
        for name in std::mem::take(&mut self.rest).into_iter().rev() {
            let path = storage.describe(&name);
            storage
                .remove(&name)
                .map_err(|error| Error::io(format_args!("remove {path}"), error))?;
        }
        found.torn = self.broken.take().map(Broken::torn);
        Ok(())
    }
}

/// Frames of which nothing says that they are durable, in order: the end of each, the segment's
/// number and the offset in it.
#[derive(Default)]
struct Unproven(VecDeque<(Lsn, u64, u64)>);

impl Unproven {
    /// Frames up to `synced` are durable.
    fn prove(&mut self, synced: Lsn) {
        while self.0.front().is_some_and(|(closed, ..)| *closed <= synced) {
            self.0.pop_front();
        }
    }
}

/// What was read may stand only in the operating system's memory: new records must not become
/// durable before it. Where nothing says that it is durable, a sync is not enough: if one failed
/// before, the system may take for written what is not. So that is written once more.
fn make_durable(
    storage: &dyn Storage,
    scanned: &[Arc<Segment>],
    unproven: &Unproven,
) -> Result<()> {
    let (number, offset) =
        unproven.0.front().map_or((u64::MAX, 0), |&(_, number, at)| (number, at));
    for segment in scanned {
        let fail = |error| Error::io(format_args!("sync {}", segment.path), error);
        let bare = segment.end() <= SEGMENT_HEADER_BYTES;
        let from = match segment.header.number.cmp(&number) {
            Ordering::Less if !bare => segment.end(),
            Ordering::Equal if offset > SEGMENT_HEADER_BYTES => offset,
            // Not even the header of a segment without a frame that is known to be durable.
            _ => 0,
        };
        let from = if sings(Canary::NotWrittenAgain) { segment.end() } else { from };
        write_again(segment, from).map_err(fail)?;
        segment.file.sync().map_err(fail)?;
    }
    let dir = storage.describe("");
    storage.sync_dir().map_err(|error| Error::io(format_args!("sync directory {dir}"), error))
}

/// Writes what stands in a segment from `offset` on where it stands.
fn write_again(segment: &Segment, offset: u64) -> io::Result<()> {
    const BLOCK: u64 = 64 << 10;
    let (mut at, end) = (offset, segment.end());
    let mut block = vec![0; BLOCK.min(end.saturating_sub(at)) as usize];
    while at < end {
        let len = BLOCK.min(end - at) as usize;
        let got = segment.file.read_at(at, &mut block[..len])?;
        segment.file.write_at(at, &[IoSlice::new(&block[..got])])?;
        at += len as u64;
    }
    Ok(())
}

/// Walks the frames of a segment from its start, as far as they are sound and follow `good`.
fn scan(
    segment: &Segment,
    window: &mut Window,
    good: Lsn,
    unproven: &mut Unproven,
    take: &mut impl FnMut(Record<'_>) -> Result<()>,
) -> Result<Stop> {
    window.clear();
    let mut places = segment.rebuild_index();
    let offset = SEGMENT_HEADER_BYTES;
    let mut stop = Stop { offset, good, reason: None, followed: false, partial: None };
    loop {
        let frame = match next_frame(segment, window, &mut stop)? {
            Ok(frame) => frame,
            Err(reason) => {
                stop.reason = reason;
                return Ok(stop);
            }
        };
        let start = stop.offset;
        unproven.prove(frame.synced);
        unproven.0.push_back((frame.closed, segment.header.number, start));
        let (mut at, mut last, mut records) = (start + FRAME_HEADER_BYTES as u64, stop.good, 0);
        let end = at + frame.bytes;
        while at < end {
            let bytes = record_bytes(segment, window, at, end)?;
            let record = match bytes.and_then(Record::parse) {
                Ok(record) if record.lsn > last && record.lsn <= frame.closed => Ok(record),
                Ok(_) => Err("a record is out of order"),
                Err(reason) => Err(reason),
            };
            if record.is_err()
                && sings(Canary::PassedOver)
                && let Ok(bytes) = bytes
            {
                at += bytes.len() as u64;
                continue;
            }
            let record = match record {
                Ok(record) => record,
                Err(reason) => {
                    stop.reason = Some(reason);
                    if records > 0 {
                        let bytes = at - start - FRAME_HEADER_BYTES as u64;
                        let kept = FrameHeader { closed: last, records, bytes, ..frame };
                        (stop.offset, stop.good) = (at, last);
                        stop.partial = Some((start, kept));
                    }
                    return Ok(stop);
                }
            };
            (last, records) = (record.lsn, records + 1);
            places.note(last, at);
            at += record.len() as u64;
            take(record)?;
        }
        (stop.offset, stop.good) = (end, frame.closed);
    }
}

/// The frame header that stands at `stop`, or why none does.
fn next_frame(
    segment: &Segment,
    window: &mut Window,
    stop: &mut Stop,
) -> Result<Result<FrameHeader, Option<&'static str>>> {
    let left = segment.header.capacity.saturating_sub(stop.offset);
    if left < FRAME_HEADER_BYTES as u64 {
        return Ok(Err(None));
    }
    let Some(head) = window.try_get(segment, stop.offset, FRAME_HEADER_BYTES)? else {
        return Ok(Err(Some("the file ends before its capacity")));
    };
    let Some(frame) = FrameHeader::decode(head, segment.header.number) else {
        let zeros = head.iter().all(|&byte| byte == 0);
        stop.followed = FrameHeader::followed(head, stop.good);
        let reason = "a frame header's checksum does not match";
        return Ok(Err((!zeros).then_some(reason)));
    };
    let follows = frame.closed >= stop.good && frame.closed < Lsn::LIMIT;
    if frame.prev_closed != stop.good || !follows {
        return Ok(Err(Some("a frame does not follow the one before it")));
    }
    if frame.bytes > left - FRAME_HEADER_BYTES as u64 {
        return Ok(Err(Some("a frame does not fit its segment")));
    }
    Ok(Ok(frame))
}

/// The bytes of the record at `at` in a frame that ends at `end`.
fn record_bytes<'w>(
    segment: &Segment,
    window: &'w mut Window,
    at: u64,
    end: u64,
) -> Result<Result<&'w [u8], &'static str>> {
    const SHORT: &str = "a record does not fit its frame";
    if end - at < HEADER_BYTES as u64 {
        return Ok(Err(SHORT));
    }
    let Some(head) = window.try_get(segment, at, HEADER_BYTES)? else {
        return Ok(Err("the file ends before its capacity"));
    };
    let (len, _) = record::peek(head);
    if !record::is_len(len) || len as u64 > end - at {
        return Ok(Err(SHORT));
    }
    Ok(window.try_get(segment, at, len)?.ok_or("the file ends before its capacity"))
}

/// Finds the sound frame headers of segment `number` that stand at or after `from` in `file`.
fn look(file: &dyn File, path: &str, number: u64, from: u64, beyond: &mut Beyond) -> Result<()> {
    const BLOCK: usize = 128 << 10;
    let magic = FRAME_MAGIC.to_le_bytes();
    let mut block = vec![0; BLOCK + FRAME_HEADER_BYTES];
    let mut at = from;
    loop {
        let got = file
            .read_at(at, &mut block)
            .map_err(|error| Error::io(format_args!("read {path}"), error))?;
        let bytes = &block[..got];
        let mut from = 0;
        while let Some(hit) = find(&bytes[from..], &magic) {
            if let Some(frame) = FrameHeader::decode(&bytes[from + hit..], number) {
                beyond.proof = beyond.proof.max(frame.synced);
                beyond.frames = true;
            }
            from += hit + 1;
        }
        if got < block.len() {
            return Ok(());
        }
        at += BLOCK as u64;
    }
}

/// Where `magic` stands first. The first byte is rare, so that zeros are skipped fast.
fn find(bytes: &[u8], magic: &[u8; 4]) -> Option<usize> {
    let mut from = 0;
    loop {
        let hit = from + memchr::memchr(magic[0], bytes.get(from..)?)?;
        if bytes[hit..].starts_with(magic) {
            return Some(hit);
        }
        from = hit + 1;
    }
}

/// Overwrites what stands after `offset` with zeros; returns how much was not zero. What is read
/// as zeros is written, too: after a sync that failed, the disk may hold something else.
fn wipe(segment: &Segment, offset: u64) -> Result<u64> {
    zero_tail(segment, offset)
        .map_err(|error| Error::io(format_args!("cut {}", segment.path), error))
}

fn zero_tail(segment: &Segment, offset: u64) -> io::Result<u64> {
    const BLOCK: usize = 256 << 10;
    let zeros = vec![0; BLOCK];
    let mut block = vec![0; BLOCK];
    let (mut at, mut end) = (offset, offset);
    while at < segment.header.capacity {
        let got = segment.file.read_at(at, &mut block)?;
        if let Some(last) = block[..got].iter().rposition(|&byte| byte != 0) {
            end = at + last as u64 + 1;
        }
        let len = (segment.header.capacity - at).min(BLOCK as u64);
        if !sings(Canary::LeftTail) {
            segment.file.write_at(at, &[IoSlice::new(&zeros[..len as usize])])?;
        }
        at += len;
    }
    Ok(end - offset)
}
