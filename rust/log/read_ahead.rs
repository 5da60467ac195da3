//! Reading ahead: a thread copies the log out of the operating system's cache, block by block, while
//! the caller checks and applies what came before. A caller that finds nothing read yet reads the
//! block after those in work itself, so that neither waits for the other.
//!
//! Blocks are the bytes of the files, as they are. Where one cannot be read, reading ahead ends: the
//! caller goes on in the plain way and says what is wrong.

use super::segment::Segment;
use crate::memory::Buffer;
use crate::stdx::sync::{Condvar, Mutex};
use crate::stdx::thread::{self, JoinHandle};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes that are worth a thread.
pub const READ_AHEAD_BYTES_MIN: u64 = 4 << 20;
/// Bytes read at once: what is read should still be in the core's cache when it is checked.
const BLOCK_BYTES: usize = 128 << 10;
/// Room in front of a block for what the one before has of its first record; longer records end the
/// reading ahead.
pub const LEAD_BYTES: usize = 64 << 10;
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
    /// Offset in the segment of the first byte.
    pub start: u64,
    /// Bytes of the block; they stand at [`LEAD_BYTES`] in the buffer.
    pub len: usize,
    /// The buffer.
    pub bytes: Buffer,
}

/// The thread and its blocks. Dropping it ends the thread.
pub struct ReadAhead {
    shared: Arc<Shared>,
    thread: Option<JoinHandle>,
}

/// What the thread and the caller share.
struct Shared {
    stretches: Vec<Stretch>,
    progress: Mutex<Progress>,
    /// A block was read.
    read: Condvar,
    /// A buffer was given back, or nobody wants more.
    spent: Condvar,
}

struct Progress {
    /// Where the next block begins: which stretch, which offset.
    next: (usize, u64),
    /// Blocks in order from the next to be handed out; `None` while somebody reads them.
    blocks: VecDeque<Option<Block>>,
    /// Blocks that were handed out.
    taken: usize,
    /// Buffers.
    spent: Vec<Buffer>,
    /// A block could not be read, or nobody wants more.
    ended: bool,
}

/// A block that somebody reads.
struct Claim {
    /// Its place in the order of all blocks.
    place: usize,
    stretch: usize,
    start: u64,
    len: usize,
    bytes: Buffer,
}

impl Shared {
    /// The next block to be read; `None` if there is none, or no buffer for it.
    fn claim(&self, progress: &mut Progress) -> Option<Claim> {
        let (at, start) = progress.next;
        let stretch = self.stretches.get(at).filter(|_| !progress.ended)?;
        let bytes = progress.spent.pop()?;
        let len = (stretch.to - start).min(BLOCK_BYTES as u64);
        progress.next = match start + len < stretch.to {
            true => (at, start + len),
            false => (at + 1, self.stretches.get(at + 1).map_or(0, |next| next.from)),
        };
        let place = progress.taken + progress.blocks.len();
        progress.blocks.push_back(None);
        Some(Claim { place, stretch: at, start, len: len as usize, bytes })
    }

    /// Reads a block and puts it into its place.
    fn fulfil(&self, claim: Claim) {
        let Claim { place, stretch, start, len, mut bytes } = claim;
        let segment = &self.stretches[stretch].segment;
        let read = segment.file.read_at(start, &mut bytes[LEAD_BYTES..][..len]);
        let got = read.unwrap_or_default();
        let mut progress = self.progress.lock();
        progress.ended |= got < len;
        let at = place - progress.taken;
        progress.blocks[at] = Some(Block { number: segment.header.number, start, len: got, bytes });
        self.read.notify_one();
    }

    fn run(&self) {
        let mut progress = self.progress.lock();
        while !progress.ended && progress.next.0 < self.stretches.len() {
            match self.claim(&mut progress) {
                Some(claim) => {
                    drop(progress);
                    self.fulfil(claim);
                    progress = self.progress.lock();
                }
                None => self.spent.wait(&mut progress),
            }
        }
    }
}

impl std::fmt::Debug for ReadAhead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReadAhead({} blocks)", self.shared.progress.lock().blocks.len())
    }
}

impl ReadAhead {
    /// Begins to read `stretches`, none of them empty, in order; `None` where no thread or no
    /// memory can be had.
    pub fn start(stretches: Vec<Stretch>) -> Option<ReadAhead> {
        let buffer = || Buffer::zeroed(LEAD_BYTES + BLOCK_BYTES).ok();
        let progress = Progress {
            next: (0, stretches.first()?.from),
            blocks: VecDeque::with_capacity(BLOCKS),
            taken: 0,
            spent: (0..BLOCKS).map(|_| buffer()).collect::<Option<_>>()?,
            ended: false,
        };
        let (progress, read, spent) = (Mutex::new(progress), Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { stretches, progress, read, spent });
        let its = shared.clone();
        let thread = thread::spawn("mmsb-read", move || its.run()).ok()?;
        Some(ReadAhead { shared, thread: Some(thread) })
    }

    /// The next block; `None` after the last, and where one could not be read.
    pub fn next(&self) -> Option<Block> {
        let mut progress = self.shared.progress.lock();
        loop {
            match progress.blocks.front() {
                Some(Some(_)) => {
                    progress.taken += 1;
                    return progress.blocks.pop_front().flatten().filter(|block| block.len > 0);
                }
                reading => {
                    let none = reading.is_none();
                    if let Some(claim) = self.shared.claim(&mut progress) {
                        drop(progress);
                        self.shared.fulfil(claim);
                        progress = self.shared.progress.lock();
                    } else if none {
                        return None;
                    } else {
                        self.shared.read.wait(&mut progress);
                    }
                }
            }
        }
    }

    /// Gives a block's buffer back to be filled again. Other buffers are too short for that.
    pub fn give_back(&self, bytes: Buffer) {
        if bytes.len() >= LEAD_BYTES + BLOCK_BYTES {
            let mut progress = self.shared.progress.lock();
            progress.spent.push(bytes);
            // A thread that is far ahead is woken for several blocks at once.
            if progress.spent.len() >= BLOCKS / 2 {
                self.shared.spent.notify_one();
            }
        }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.shared.progress.lock().ended = true;
        self.shared.spent.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
