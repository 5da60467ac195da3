//! Space on the medium, promised to records before they are accepted.
//!
//! ```text
//!   free = usable bytes of the current segment and of the spares
//!   owed = what the chunks in lanes may still need
//!   free >= owed, established by `grant` before a lane gets a chunk
//! ```
//!
//! A record of n bytes takes at most `3 n` in a segment: the shortest is 41 bytes and may get a
//! frame of its own with a header of 48. What is left unused at a segment's end is less than the
//! record that did not fit: less than a chunk for ordinary records, which is never counted as
//! free; for a longer record its own length, which it is charged for.

use super::Log;
use super::LogOptions;
use super::lane::Chunk;
use super::record::RECORD_BYTES_MIN;
use super::segment::{FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES, Segment, Spare};
use crate::bail;
use crate::env::OpenMode;
use crate::error::{Error, Result};
use crate::limits::SEGMENT_BYTES_MIN;
use crate::stdx::canary::{Canary, sings};
use parking_lot::MutexGuard;
use std::sync::Arc;

const _: () = assert!(RECORD_BYTES_MIN + FRAME_HEADER_BYTES <= 3 * RECORD_BYTES_MIN);

/// The account.
#[derive(Default)]
pub struct Space {
    spares: Vec<Spare>,
    names: u64,
    owed: u64,
    /// Usable bytes of the current segment.
    current: u64,
    /// Bytes of chunks in lanes.
    outstanding: u64,
}

impl Space {
    /// Whether files wait.
    pub fn has_spares(&self) -> bool {
        self.names > 0
    }

    fn spare_bytes(&self) -> u64 {
        self.spares.iter().map(|spare| spare.capacity).sum()
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("spare-{:04x}.log", self.names)
    }
}

/// Whether a file of that name is one that waits for reuse.
pub fn is_spare_name(name: &str) -> bool {
    name.starts_with("spare-") && name.ends_with(".log")
}

impl LogOptions {
    /// Bytes of an ordinary chunk: a few of them fit a core's second-level cache, and several of
    /// them a segment.
    pub fn chunk_bytes(&self) -> usize {
        (self.segment_bytes as usize / 16).clamp(4 << 10, 256 << 10)
    }

    /// Bytes written above which writers wait for a sync, where syncs are made in the background:
    /// what a power cut takes is bounded, however slow the medium is.
    pub fn unsynced_bytes_max(&self) -> u64 {
        self.pending_bytes_max.saturating_mul(8).max(self.segment_bytes)
    }

    /// Bytes of `room` in a segment that ordinary records can count on.
    fn usable(&self, room: u64) -> u64 {
        room.saturating_sub(self.chunk_bytes() as u64)
    }

    /// What a chunk for a record of `len` bytes may need in segments of ordinary size.
    fn owes(&self, len: usize) -> u64 {
        if len <= self.chunk_bytes() {
            3 * self.chunk_bytes() as u64
        } else if self.fits_ordinary(len) {
            2 * (len + FRAME_HEADER_BYTES) as u64
        } else {
            // It gets a segment of its own; what the one before has left is lost to others.
            self.segment_bytes
        }
    }

    fn fits_ordinary(&self, len: usize) -> bool {
        segment_need(len) <= self.segment_bytes
    }
}

const SMALLEST: LogOptions = LogOptions {
    segment_bytes: SEGMENT_BYTES_MIN,
    pending_bytes_max: 0,
    checkpoint_every: 0,
    reserve: true,
    zero_ahead: false,
};
// The smallest segment holds what one ordinary chunk may need.
const _: () = assert!(4 * (4 << 10) + SEGMENT_HEADER_BYTES <= SMALLEST.segment_bytes);

/// Bytes of a segment that holds nothing but a record of `len` bytes.
fn segment_need(len: usize) -> u64 {
    SEGMENT_HEADER_BYTES + (FRAME_HEADER_BYTES + len) as u64
}

impl Log {
    fn free(&self, space: &Space) -> u64 {
        let ordinary = self.options.segment_bytes;
        let spares = space.spares.iter().filter(|spare| spare.capacity == ordinary);
        let usable = |spare: &Spare| self.options.usable(spare.capacity - SEGMENT_HEADER_BYTES);
        space.current + spares.map(usable).sum::<u64>()
    }

    /// A chunk for a record of `len` bytes, with space reserved for what it will hold. Waits for a
    /// flush where too much is pending.
    pub(super) fn grant(&self, len: usize, lane: usize) -> Result<Box<Chunk>> {
        let capacity = len.max(self.options.chunk_bytes());
        let mut space = self.wait_for_room(capacity as u64)?;
        let owes = self.options.owes(len);
        if self.options.reserve && !sings(Canary::UnreservedSpace) {
            self.reserve(&mut space, len, owes)?;
        }
        let Some(mut chunk) = self.pool.take(capacity, lane) else {
            bail!(OutOfMemory, "no memory for {capacity} bytes of log buffer");
        };
        chunk.owes = owes;
        space.outstanding += chunk.capacity() as u64;
        space.owed += owes;
        Ok(chunk)
    }

    /// Waits until chunks of `bytes` more may be in lanes: for the flusher, which goes on writing
    /// while this thread fills what it has written, or by flushing where there is none; and for the
    /// syncer, if there is one. Waits for what a flush can give back alone: each lane keeps its last
    /// chunk, and those of many lanes may be more than is allowed.
    fn wait_for_room(&self, bytes: u64) -> Result<MutexGuard<'_, Space>> {
        let is_full = |space: &Space| {
            space.outstanding + bytes > self.options.pending_bytes_max && self.is_pending()
        };
        let mut space = self.space.lock();
        while self.wake.is_running() {
            if is_full(&space) {
                self.wake.hurry();
            } else if self.unsynced() > self.options.unsynced_bytes_max() {
                self.wake.hurry_sync();
            } else {
                return Ok(space);
            }
            self.check()?;
            self.drained.wait(&mut space);
        }
        if is_full(&space) {
            drop(space);
            self.flush()?;
            space = self.space.lock();
        }
        Ok(space)
    }

    fn reserve(&self, space: &mut Space, len: usize, owes: u64) -> Result<()> {
        while self.free(space) < space.owed + owes {
            let spare = self.new_spare(space.name(), self.options.segment_bytes)?;
            space.spares.push(spare);
        }
        if !self.options.fits_ordinary(len) {
            // The writer takes the smallest spare that fits: nothing else takes this one.
            let spare = self.new_spare(space.name(), segment_need(len))?;
            space.spares.push(spare);
        }
        Ok(())
    }

    /// Has a spare made before a writer needs it, which would take it as long as many records. What
    /// goes wrong is told to the writer that needs one.
    pub(super) fn stock_up(&self) {
        let capacity = self.options.segment_bytes;
        let name = {
            // No spare is on its way to become a segment.
            let writer = self.writer.lock();
            let mut space = self.space.lock();
            let enough = self.free(&space) >= space.owed + capacity / 2;
            if enough || writer.segments.is_empty() || !self.options.reserve {
                return;
            }
            space.name()
        };
        if let Ok(spare) = self.new_spare(name, capacity) {
            self.space.lock().spares.push(spare);
        }
    }

    fn new_spare(&self, name: String, capacity: u64) -> Result<Spare> {
        let path = self.storage.describe(&name);
        let file = self
            .storage
            .open(&name, OpenMode::Create)
            .map_err(|error| Error::io(format_args!("create {path}"), error))?;
        if let Err(error) = file.allocate(capacity) {
            let _ = self.storage.remove(&name);
            let what = format!("reserve {capacity} bytes for {path}");
            return Err(Error::io(what, error));
        }
        Ok(Spare { name, file, capacity, written: 0 })
    }

    /// The smallest spare in which `bytes` of frames fit, else a new one.
    pub(super) fn take_spare(&self, bytes: u64) -> Result<Spare> {
        let need = SEGMENT_HEADER_BYTES + bytes;
        let mut space = self.space.lock();
        let fits = space.spares.iter().enumerate().filter(|(_, spare)| spare.capacity >= need);
        match fits.min_by_key(|(_, spare)| spare.capacity).map(|(at, _)| at) {
            Some(at) => Ok(space.spares.remove(at)),
            None => self.new_spare(space.name(), need.max(self.options.segment_bytes)),
        }
    }

    /// Says what the current segment has left.
    pub(super) fn account_room(&self, room: u64) {
        self.space.lock().current = self.options.usable(room);
    }

    /// Takes drained chunks back.
    pub(super) fn take_back(&self, chunks: impl Iterator<Item = Box<Chunk>>) {
        let mut space = self.space.lock();
        for chunk in chunks {
            space.outstanding = space.outstanding.saturating_sub(chunk.capacity() as u64);
            space.owed = space.owed.saturating_sub(chunk.owes);
            self.pool.give(chunk);
        }
        self.drained.notify_all();
    }

    /// Makes a segment that nobody needs a spare, or removes it: until the next checkpoint frees
    /// segments, no more than what makes one due is needed.
    pub(super) fn recycle(&self, segment: Arc<Segment>) -> Result<()> {
        let mut space = self.space.lock();
        let ordinary = segment.header.capacity == self.options.segment_bytes;
        match Arc::try_unwrap(segment) {
            Ok(segment) if ordinary && space.spare_bytes() < self.checkpoint_every() => {
                let name = space.name();
                self.storage
                    .rename(&segment.name, &name)
                    .map_err(|error| Error::io(format_args!("rename {}", segment.path), error))?;
                let (capacity, file) = (segment.header.capacity, segment.file);
                space.spares.push(Spare { name, file, capacity, written: capacity });
                Ok(())
            }
            Ok(segment) => self.remove_segment(&segment),
            // A reader still has it open: the name goes, the bytes stay until it is done.
            Err(shared) => self.remove_segment(&shared),
        }
    }

    /// Removes the files that wait for reuse, once the log is shut and its threads are gone: whoever
    /// opens it does not use them. One that stays is removed then.
    pub fn remove_spares(&self) {
        for spare in self.space.lock().spares.drain(..) {
            let _ = self.storage.remove(&spare.name);
        }
    }

    fn remove_segment(&self, segment: &Segment) -> Result<()> {
        self.storage
            .remove(&segment.name)
            .map_err(|error| Error::io(format_args!("remove {}", segment.path), error))
    }
}
