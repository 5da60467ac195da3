//! Reading ahead: a thread copies the log out of the operating system's cache while the caller
//! checks and applies what it copied before. The copy is almost half of a replay of large records.
//!
//! Blocks come in the order of the files. What the thread could not read is read again by the
//! caller, in the plain way, which then says what is wrong.

use super::segment::Segment;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Bytes that are worth a thread.
pub const READ_AHEAD_BYTES_MIN: u64 = 4 << 20;
/// Bytes read at once: large enough to be worth a wake-up, small enough to stay in a shared cache.
const BLOCK_BYTES: usize = 128 << 10;
/// Room before a block for the beginning of a record that ends in it.
const LEAD_BYTES: usize = 64 << 10;
/// Blocks in flight.
const BLOCKS: usize = 6;

/// A stretch of one segment to read.
pub struct Stretch {
    /// Where to read.
    pub segment: Arc<Segment>,
    /// The first byte.
    pub from: u64,
    /// One past the last.
    pub to: u64,
}

/// A block that was read.
pub struct Block {
    /// Number of the segment.
    pub number: u64,
    /// Offset of the first byte.
    pub start: u64,
    /// [`Block::LEAD`] bytes of room, then the block.
    pub bytes: Vec<u8>,
    /// Bytes of the block.
    pub len: usize,
}

impl Block {
    /// Where the block's first byte stands in `bytes`.
    pub const LEAD: usize = LEAD_BYTES;

    /// Whether the byte at `offset` of the segment `number` is in the block.
    pub fn holds(&self, number: u64, offset: u64) -> bool {
        self.number == number && (self.start..self.start + self.len as u64).contains(&offset)
    }
}

/// The thread and its blocks. Dropping it ends the thread.
#[derive(Debug)]
pub struct ReadAhead {
    filled: Option<Receiver<Block>>,
    spent: Option<Sender<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
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
        let thread = std::thread::Builder::new().name("mmsb-read".into());
        let thread = thread.spawn(move || read(&stretches, &take, &give)).ok()?;
        Some(ReadAhead { filled: Some(filled), spent: Some(spent), thread: Some(thread) })
    }

    /// The next block; `None` after the last, and where reading failed.
    pub fn next(&self) -> Option<Block> {
        self.filled.as_ref()?.recv().ok()
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

fn read(stretches: &[Stretch], spent: &Receiver<Vec<u8>>, filled: &Sender<Block>) {
    for Stretch { segment, from, to } in stretches {
        let mut start = *from;
        while start < *to {
            let Ok(mut bytes) = spent.recv() else { return };
            let want = ((to - start) as usize).min(BLOCK_BYTES);
            let place = &mut bytes[LEAD_BYTES..LEAD_BYTES + want];
            let Ok(len) = segment.file.read_at(start, place) else { return };
            let block = Block { number: segment.header.number, start, bytes, len };
            if filled.send(block).is_err() || len < want {
                return;
            }
            start += len as u64;
        }
    }
}
