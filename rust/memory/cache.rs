//! A thread's cache: a magazine of free blocks for each class, and the slab that it carves.
//!
//! ```text
//!   alloc:  magazine ── (empty) the slab's step, or what came back to it ── another slab
//!   free:   magazine ── (full) the older half goes back to its slabs
//! ```
//!
//! The magazine costs a few instructions and touches nothing that another thread writes, nor the
//! blocks. They go into the magazine of who frees them, whichever slab they are from (Bonwick and
//! Adams, "Magazines and Vmem", USENIX ATC 2001).
//!
//! Fresh memory is carved in steps of 64 KiB that the kernel is asked to provide at once: a fault
//! per page costs nearly twice as much.

use super::Refused;
use super::arena::Arena;
use super::class::{
    BLOCK_ALIGN_MAX, CLASSES, MAGAZINE, MAGAZINES, SLAB_BYTES, block_at, block_bytes,
    blocks_per_slab, map_blocks,
};
use super::zero;
use std::cell::{Cell, UnsafeCell};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Fresh memory that is carved at once.
const STEP_BYTES: usize = 64 << 10;
/// The same for memory that was used before and has to be made zero.
const ZERO_BYTES: usize = 256 << 10;
/// No slab.
const NONE: u32 = u32::MAX;

/// One class. What other threads read for statistics is atomic, and written with plain stores.
#[repr(C, align(64))]
struct Bin {
    /// Blocks in the magazine.
    len: AtomicU32,
    /// Most of them.
    magazine: u32,
    /// Where the magazine begins among all.
    base: u32,
    bytes: u32,
    /// Where the next block is carved, and the end of the step.
    bump: AtomicUsize,
    end: AtomicUsize,
    /// The slab that is held.
    slab: AtomicU32,
    /// The word of its map to look at next.
    word: Cell<u32>,
    /// What was never carved of the slab reads as zero.
    fresh: Cell<bool>,
    /// What is left of the step reads as zero.
    zero: Cell<bool>,
}

const _: () = assert!(size_of::<Bin>() == 64);

/// A thread's cache. Its magazines take some hundred KiB of addresses; memory as far as they were
/// filled.
pub struct ThreadCache<'a> {
    arena: &'a Arena,
    bins: [Bin; CLASSES],
    /// Blocks that went back to slabs that this cache did not hold.
    remote: AtomicU64,
    magazines: UnsafeCell<[std::mem::MaybeUninit<NonNull<u8>>; MAGAZINES]>,
}

impl Bin {
    fn new(class: usize, base: u32) -> Bin {
        Bin {
            len: AtomicU32::new(0),
            magazine: MAGAZINE[class],
            base,
            bytes: block_bytes(class) as u32,
            bump: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            slab: AtomicU32::new(NONE),
            word: Cell::new(0),
            fresh: Cell::new(false),
            zero: Cell::new(false),
        }
    }

    /// The next block of the step, and whether it reads as zero.
    fn carve(&self) -> Option<(NonNull<u8>, bool)> {
        let at = self.bump.load(Ordering::Relaxed);
        let next = at + self.bytes as usize;
        if next > self.end.load(Ordering::Relaxed) {
            return None;
        }
        self.bump.store(next, Ordering::Relaxed);
        let block = NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(at))?;
        Some((block, self.zero.get()))
    }
}

impl<'a> ThreadCache<'a> {
    /// Writes an empty cache of `arena` to `place`, but for its magazines, which have no content yet:
    /// building it elsewhere would touch all of their memory.
    ///
    /// # Safety
    /// `place` is aligned and valid for writes.
    pub unsafe fn init(place: *mut ThreadCache<'a>, arena: &'a Arena) {
        let mut base = 0;
        let bins = std::array::from_fn(|class| {
            let bin = Bin::new(class, base);
            base += MAGAZINE[class];
            bin
        });
        // SAFETY: the caller's promise.
        unsafe {
            (&raw mut (*place).arena).write(arena);
            (&raw mut (*place).bins).write(bins);
            (&raw mut (*place).remote).write(AtomicU64::new(0));
        }
    }

    /// The place of the magazine's block `at`.
    #[inline]
    fn place(&self, bin: &Bin, at: u32) -> *mut NonNull<u8> {
        // SAFETY: magazines lie one after the other, each as long as its bin says.
        unsafe { self.magazines.get().cast::<NonNull<u8>>().add((bin.base + at) as usize) }
    }

    #[inline]
    fn pop(&self, bin: &Bin) -> Option<NonNull<u8>> {
        let len = bin.len.load(Ordering::Relaxed).checked_sub(1)?;
        bin.len.store(len, Ordering::Relaxed);
        // SAFETY: the first `len` places are filled.
        Some(unsafe { self.place(bin, len).read() })
    }

    /// A block of `class`, with any content.
    #[inline]
    pub fn alloc(&self, class: usize) -> Result<NonNull<u8>, Refused> {
        match self.pop(&self.bins[class]) {
            Some(block) => Ok(block),
            None => self.alloc_slow(class, false).map(|(block, _)| block),
        }
    }

    /// A block of `class` whose first `len` bytes are zero.
    #[inline]
    pub fn alloc_zeroed(&self, class: usize, len: usize) -> Result<NonNull<u8>, Refused> {
        let (block, zero) = match self.pop(&self.bins[class]) {
            Some(block) => (block, false),
            None => self.alloc_slow(class, true)?,
        };
        if !zero {
            // SAFETY: the block has at least `len` bytes and no other user.
            unsafe { block.as_ptr().write_bytes(0, len) };
        }
        Ok(block)
    }

    #[cold]
    #[inline(never)]
    fn alloc_slow(&self, class: usize, zero: bool) -> Result<(NonNull<u8>, bool), Refused> {
        let bin = &self.bins[class];
        loop {
            if let Some(carved) = bin.carve() {
                return Ok(carved);
            }
            if let Some(block) = self.refill(class, zero)? {
                return Ok((block, false));
            }
        }
    }

    /// Gets blocks that came back to the held slab, and returns one; or begins a step of it, or of
    /// another one.
    fn refill(&self, class: usize, zero: bool) -> Result<Option<NonNull<u8>>, Refused> {
        let bin = &self.bins[class];
        let slab = bin.slab.load(Ordering::Relaxed);
        if slab != NONE {
            if let Some(block) = self.take(bin, class, slab) {
                return Ok(Some(block));
            }
            if self.extend(class, slab, zero) || !self.arena.retire(class, slab) {
                return Ok(None);
            }
            self.forget_slab(bin);
        }
        let held = self.arena.acquire(class)?;
        let at = self.arena.start(held.slab).as_ptr().expose_provenance() + held.carved;
        bin.bump.store(at, Ordering::Relaxed);
        bin.end.store(at, Ordering::Relaxed);
        bin.fresh.set(held.fresh);
        bin.word.set(0);
        bin.slab.store(held.slab, Ordering::Release);
        Ok(None)
    }

    /// Fills half of an empty magazine from the held slab, and returns one more block.
    fn take(&self, bin: &Bin, class: usize, slab: u32) -> Option<NonNull<u8>> {
        let (mut first, mut len) = (None, 0);
        let most = bin.magazine / 2 + 1;
        let word = self.arena.take(class, slab, bin.word.get() as usize, most, |block| {
            if first.is_none() {
                first = Some(block);
            } else {
                // SAFETY: not more than half of the magazine.
                unsafe { self.place(bin, len).write(block) };
                len += 1;
            }
        });
        bin.len.store(len, Ordering::Relaxed);
        bin.word.set(word as u32);
        first
    }

    fn forget_slab(&self, bin: &Bin) {
        bin.slab.store(NONE, Ordering::Relaxed);
        bin.bump.store(0, Ordering::Relaxed);
        bin.end.store(0, Ordering::Relaxed);
    }

    /// Begins the next step of a held slab; `false` at its end. A step of memory that was used
    /// before is made zero at once if `zero` asks for it.
    fn extend(&self, class: usize, slab: u32, zero: bool) -> bool {
        let bin = &self.bins[class];
        let start = self.arena.start(slab).as_ptr().addr();
        let (at, bytes) = (bin.bump.load(Ordering::Relaxed) - start, bin.bytes as usize);
        let limit = blocks_per_slab(class) as usize * bytes;
        if at == limit {
            return false;
        }
        let step = if zero && !bin.fresh.get() { ZERO_BYTES } else { STEP_BYTES };
        let end = (at + bytes).next_multiple_of(step).min(limit);
        if !bin.fresh.get() {
            if zero {
                // SAFETY: uncarved memory of the held slab.
                unsafe { zero::fill_cold(self.arena.start(slab).add(at), end - at) };
            }
            bin.zero.set(zero);
        } else {
            bin.zero.set(true);
            // The first step of a slab is left to faults: a class may never need more.
            if at >= STEP_BYTES {
                let from = at & !(BLOCK_ALIGN_MAX - 1);
                let to = end.next_multiple_of(BLOCK_ALIGN_MAX).min(SLAB_BYTES);
                self.arena.range.populate(slab as usize * SLAB_BYTES + from, to - from);
            }
        }
        self.arena.slab(slab).carved.store(block_at(class, at), Ordering::Relaxed);
        bin.end.store(start + end, Ordering::Relaxed);
        true
    }

    /// Takes a block of `class` back.
    ///
    /// # Safety
    /// `block` came from a cache of the same arena, for `class`, and is not used any more.
    #[inline]
    pub unsafe fn free(&self, class: usize, block: NonNull<u8>) {
        let bin = &self.bins[class];
        let len = bin.len.load(Ordering::Relaxed);
        if len == bin.magazine {
            return self.free_slow(class, block);
        }
        // SAFETY: below the magazine's end.
        unsafe { self.place(bin, len).write(block) };
        bin.len.store(len + 1, Ordering::Relaxed);
    }

    /// Makes room in a full magazine for `block`: the older half goes.
    #[cold]
    #[inline(never)]
    fn free_slow(&self, class: usize, block: NonNull<u8>) {
        let bin = &self.bins[class];
        if bin.magazine == 0 {
            return self.give_back(class, &[block]);
        }
        let (half, len) = (bin.magazine.div_ceil(2), bin.magazine);
        self.give_back_places(class, half);
        // SAFETY: both within the magazine.
        unsafe { self.place(bin, 0).copy_from(self.place(bin, half), (len - half) as usize) };
        // SAFETY: below the magazine's end.
        unsafe { self.place(bin, len - half).write(block) };
        bin.len.store(len - half + 1, Ordering::Relaxed);
    }

    /// Gives the first `len` blocks of the magazine back to their slabs.
    fn give_back_places(&self, class: usize, len: u32) {
        let bin = &self.bins[class];
        // SAFETY: filled places, which nothing writes to meanwhile.
        let blocks = unsafe { std::slice::from_raw_parts(self.place(bin, 0), len as usize) };
        self.give_back(class, blocks);
    }

    fn give_back(&self, class: usize, blocks: &[NonNull<u8>]) {
        let held = self.bins[class].slab.load(Ordering::Relaxed);
        let count = |slab, n: u32| {
            if slab != held {
                let remote = self.remote.load(Ordering::Relaxed) + u64::from(n);
                self.remote.store(remote, Ordering::Relaxed);
            }
        };
        // SAFETY: free blocks of this class that nobody else has.
        unsafe { self.arena.give_back(class, blocks, count) };
    }

    /// Gives everything back: magazines, then slabs.
    pub fn drain(&self) {
        for (class, bin) in self.bins.iter().enumerate() {
            self.give_back_places(class, bin.len.load(Ordering::Relaxed));
            bin.len.store(0, Ordering::Relaxed);
            let slab = bin.slab.load(Ordering::Relaxed);
            if slab != NONE {
                let start = self.arena.start(slab).as_ptr().addr();
                let carved = bin.bump.load(Ordering::Relaxed) - start;
                self.forget_slab(bin);
                self.arena.give_up(class, slab, carved);
            }
        }
    }

    /// Blocks that this cache keeps of a class.
    pub fn cached(&self, class: usize) -> u64 {
        self.bins[class].len.load(Ordering::Relaxed).into()
    }

    /// Blocks of the held slab of a class that were carved since its own count was written.
    pub fn carved(&self, class: usize) -> u64 {
        let bin = &self.bins[class];
        let slab = bin.slab.load(Ordering::Acquire);
        if slab == NONE {
            return 0;
        }
        let start = self.arena.start(slab).as_ptr().addr();
        let carved = bin.bump.load(Ordering::Relaxed).saturating_sub(start).min(SLAB_BYTES);
        let known = self.arena.slab(slab).carved.load(Ordering::Relaxed).max(map_blocks(class));
        u64::from(block_at(class, carved).saturating_sub(known))
    }

    /// Blocks that went back to slabs of others.
    pub fn remote_frees(&self) -> u64 {
        self.remote.load(Ordering::Relaxed)
    }
}
