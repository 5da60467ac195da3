//! Reading ahead: a thread copies the log out of the operating system's cache, and checks records
//! while it is in front, as the caller checks and applies what came before.
//!
//! Blocks hold whole records and frame headers, in the order of the files: what a block has of the
//! next one goes in front of the next block. Whatever is not as it should be is left to the caller,
//! who reads it in the plain way and says what is wrong.

use super::record::{self, HEADER_BYTES, Record};
use super::segment::{FRAME_HEADER_BYTES, FRAME_MAGIC, Segment};
use crate::stdx::thread::{self, JoinHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Bytes that are worth a thread.
pub const READ_AHEAD_BYTES_MIN: u64 = 4 << 20;
/// Bytes read at once: what is read should still be in the core's cache when it is checked.
const BLOCK_BYTES: usize = 128 << 10;
/// Room before a block for what the last one had of its first record; longer records end the
/// reading ahead.
const LEAD_BYTES: usize = 64 << 10;
/// Blocks in flight.
const BLOCKS: usize = 6;

/// A stretch of one segment to read.
pub struct Stretch {
    /// Where to read.
    pub segment: Arc<Segment>,
    /// The first byte, of a record or a frame header.
    pub from: u64,
    /// One past the last.
    pub to: u64,
}

/// A block that was read.
pub struct Block {
    /// Number of the segment.
    pub number: u64,
    /// Offset in the segment of the first byte.
    pub start: u64,
    /// The buffer, and where the first byte stands in it.
    pub bytes: Vec<u8>,
    pub from: usize,
    /// Bytes of the block.
    pub len: usize,
    /// Whether every record in it was found sound.
    pub checked: bool,
}

impl Block {
    /// Whether the byte at `offset` of the segment `number` is in the block.
    pub fn holds(&self, number: u64, offset: u64) -> bool {
        self.number == number && (self.start..self.start + self.len as u64).contains(&offset)
    }
}

/// The thread and its blocks. Dropping it ends the thread.
pub struct ReadAhead {
    filled: Option<Receiver<Block>>,
    spent: Option<Sender<Vec<u8>>>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle>,
}

impl std::fmt::Debug for ReadAhead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReadAhead({} blocks wait)", self.waiting.load(Ordering::Relaxed))
    }
}

impl ReadAhead {
    /// Begins to read `stretches`, in order; `None` where no thread can be had.
    pub fn start(stretches: Vec<Stretch>) -> Option<ReadAhead> {
        let (give, filled) = channel();
        let (spent, take) = channel();
        for _ in 0..BLOCKS {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(LEAD_BYTES + BLOCK_BYTES).ok()?;
            bytes.resize(LEAD_BYTES + BLOCK_BYTES, 0);
            spent.send(bytes).ok()?;
        }
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut reading =
            Reading { spent: take, filled: give, waiting: waiting.clone(), rest: Vec::new() };
        let all = move || {
            let _ = stretches.iter().try_for_each(|stretch| reading.read(stretch));
        };
        let thread = thread::spawn("mmsb-read", all).ok()?;
        Some(ReadAhead { filled: Some(filled), spent: Some(spent), waiting, thread: Some(thread) })
    }

    /// The next block; `None` after the last, and where the thread could not go on.
    pub fn next(&self) -> Option<Block> {
        let block = self.filled.as_ref()?.recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(block)
    }

    /// Gives a block's bytes back to be filled again. Other buffers are too short for that.
    pub fn give_back(&self, bytes: Vec<u8>) {
        if let Some(spent) = &self.spent
            && bytes.len() >= LEAD_BYTES + BLOCK_BYTES
        {
            // The thread is gone when everything was read.
            let _ = spent.send(bytes);
        }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        (self.filled, self.spent) = (None, None);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Reading {
    spent: Receiver<Vec<u8>>,
    filled: Sender<Block>,
    /// Blocks that the caller has not taken yet.
    waiting: Arc<AtomicUsize>,
    /// What the last block had of the next record.
    rest: Vec<u8>,
}

impl Reading {
    /// Reads one stretch; `None` where it cannot go on, or need not.
    fn read(&mut self, stretch: &Stretch) -> Option<()> {
        let number = stretch.segment.header.number;
        let mut at = stretch.from;
        self.rest.clear();
        while at < stretch.to {
            let mut bytes = self.spent.recv().ok()?;
            let want = ((stretch.to - at) as usize).min(BLOCK_BYTES);
            let from = LEAD_BYTES.checked_sub(self.rest.len())?;
            bytes[from..LEAD_BYTES].copy_from_slice(&self.rest);
            let got = stretch.segment.file.read_at(at, &mut bytes[LEAD_BYTES..][..want]).ok()?;
            let start = at - self.rest.len() as u64;
            at += got as u64;
            let have = &bytes[from..LEAD_BYTES + got];
            let whole = Whole::of(have, self.waiting.load(Ordering::Relaxed) > 0);
            // At the end of a stretch the caller sees what there is.
            let len = if at < stretch.to { whole.len } else { have.len() };
            self.rest.clear();
            self.rest.extend_from_slice(&have[len..]);
            let checked = whole.checked && len == whole.len;
            self.waiting.fetch_add(1, Ordering::Relaxed);
            self.filled.send(Block { number, start, bytes, from, len, checked }).ok()?;
            if got < want || len == 0 || whole.damaged {
                return None;
            }
        }
        Some(())
    }
}

/// The whole records and frame headers at the start of some bytes.
struct Whole {
    len: usize,
    checked: bool,
    damaged: bool,
}

impl Whole {
    fn of(bytes: &[u8], check: bool) -> Whole {
        let mut whole = Whole { len: 0, checked: check, damaged: false };
        while let Some(rest) = bytes.get(whole.len..).filter(|rest| rest.len() >= HEADER_BYTES) {
            let (len, _) = record::peek(rest);
            let frame = len == FRAME_MAGIC as usize;
            let len = if frame { FRAME_HEADER_BYTES } else { len };
            whole.damaged = !frame && !record::is_len(len);
            if whole.damaged || len > rest.len() {
                break;
            }
            if check && !frame && Record::parse(&rest[..len]).is_err() {
                whole.damaged = true;
                break;
            }
            whole.len += len;
        }
        whole
    }
}
