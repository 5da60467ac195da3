//! A slot: where a page's present stands, one cache line, behind a one-byte lock.
//!
//! ```text
//!   slot (64 B): lock, status, size, pins, epoch, newest LSN ──> frame (data, 64-byte aligned)
//!                                                        └─> Extra: metadata, older versions
//! ```
//!
//! Invariants:
//! - The body is touched only with the lock held ([`SlotGuard`]).
//! - A frame that a view pins, or that an open snapshot may read, is never written: who changes the
//!   page moves it into the chain of versions and goes on with another ([`Body::displace`]).
//! - The chain ascends by LSN; a version holds the page from its LSN up to the next version's (or
//!   the slot's). It stands there as long as a view pins it or a snapshot may read it.

use super::extra::Extra;
use super::meta::Meta;
use super::seal::SEAL_BYTES;
use crate::memory::PageMemory;
use crate::stdx::canary::{Canary, sings};
use crate::stdx::crc::crc32c;
use crate::stdx::lock::{Lock, LockGuard};
use crate::types::{Epoch, Link, Location, Lsn, Ownership};
use smallvec::SmallVec;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// Whether a slot holds a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Status {
    /// No page was ever created here, as far as this table has looked.
    Vacant = 0,
    /// A page.
    Live = 1,
    /// A page was, and was freed.
    Freed = 2,
}

/// Who owns a frame's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Owner {
    /// The table's [`PageMemory`].
    Memory = 0,
    /// A mapping that outlives the table.
    Mapping = 1,
}

/// What a slot says of its page.
pub struct Body {
    /// Whether there is a page.
    pub status: Status,
    /// Where it should live.
    pub location: Location,
    owner: Owner,
    /// The frame's bytes have not been compared with `crc` yet.
    unverified: bool,
    /// The page has, or had, parents or children: the graph has to be asked before it goes.
    pub linked: bool,
    /// Its content is, or was, computed from others or what others are computed from: who changes it
    /// propagates that.
    pub bound: bool,
    /// Its content is [sealed](super::seal), all its life long.
    pub private: bool,
    /// Who may change it.
    pub ownership: Ownership,
    /// Bytes of content.
    pub size: u32,
    /// Views of the current frame.
    pins: u32,
    crc: u32,
    /// Epoch of the content.
    pub epoch: Epoch,
    /// The record that changed the page last.
    pub lsn: Lsn,
    data: *mut u8,
    extra: Extra,
}

/// A page as it was, ascending.
#[derive(Default)]
pub struct Chain {
    versions: SmallVec<[Version; 2]>,
    /// How many of them are gone. They go in bulk, so that a long chain costs no more per version.
    gone: usize,
}

/// A page as it was.
#[derive(Debug)]
struct Version {
    lsn: Lsn,
    epoch: Epoch,
    live: bool,
    owner: Owner,
    /// Some snapshot may read it. A version that none may and no view pins is gone.
    held: bool,
    pins: u32,
    size: u32,
    data: *mut u8,
    meta: Option<Arc<Meta>>,
    ownership: Ownership,
}

/// One page's place in the table.
#[repr(align(64))]
pub struct Slot(Lock<Body>);

/// A locked slot.
pub type SlotGuard<'a> = LockGuard<'a, Body>;

const _: () = assert!(size_of::<Slot>() == 64);
// Tables allocate slots as zeroed memory: that is a vacant slot behind an open lock (`Lock` says
// so of itself; `Body` has zero for vacant, main memory, shared, null and no [`Extra`]).

// SAFETY: the raw pointers are owned memory, whichever thread uses it.
unsafe impl Send for Body {}

/// What a page showed at some LSN: a frame that stays as it is while it is pinned or the slot is
/// locked.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Epoch of the content.
    pub epoch: Epoch,
    /// The record that made it.
    pub lsn: Lsn,
    /// The content.
    pub data: NonNull<u8>,
    /// Bytes of content.
    pub size: u32,
    /// Metadata; `None` is empty.
    pub meta: Option<Arc<Meta>>,
    /// Placement.
    pub location: Location,
    /// Who may change it.
    pub ownership: Ownership,
    /// The content is sealed.
    pub private: bool,
}

impl Seen {
    /// Bytes of content, open.
    pub fn open_size(&self) -> u32 {
        open_size(self.size, self.private)
    }

    /// The content.
    ///
    /// # Safety
    /// The frame is pinned, or its slot locked, as long as the slice is used.
    pub unsafe fn bytes<'a>(&self) -> &'a [u8] {
        // SAFETY: frames hold `size` initialised bytes; the caller keeps it from changing.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.size as usize) }
    }
}

/// What a page is, read without its lock.
#[derive(Clone, Copy, Debug)]
pub struct Glimpse {
    /// The record that changed it last.
    pub lsn: Lsn,
    /// Bytes of content.
    pub size: u32,
    /// Who may change it.
    pub ownership: Ownership,
    /// Whether it is computed, or something is computed from it.
    pub bound: bool,
    /// Whether its content is sealed.
    pub private: bool,
}

/// Bytes of content, open, of `size` that stand in the frame.
#[inline]
fn open_size(size: u32, private: bool) -> u32 {
    if private { size.saturating_sub(SEAL_BYTES) } else { size }
}

/// Longer reads take the lock: they would often be in vain.
const GLIMPSE_BYTES_MAX: usize = 256;

impl Slot {
    /// Copies `buf.len()` bytes from `offset` on of a page with a log, without the lock: a line that
    /// many read stays in all their caches. `None` if somebody has the page locked, or changes it
    /// meanwhile, and for all but short stretches of live pages whose bytes are verified, and not
    /// sealed: those are to be asked for with the lock. `buf` is undefined then.
    #[inline]
    pub fn glimpse(&self, offset: u64, buf: &mut [u8]) -> Option<Glimpse> {
        // SAFETY: the body is there, whoever changes it, and each field is read for itself. Every change
        // of a page with a log is a record of its own.
        let lsn = |body: *const Body| unsafe { (&raw const (*body).lsn).read_volatile() };
        self.0.peek(lsn, |body, lsn| {
            // SAFETY: as above. A frame that goes meanwhile stays readable: the heap gives memory back,
            // never addresses, and a mapping stays as long as the table. All frames that a page ever
            // has are of its size.
            unsafe {
                let live = (&raw const (*body).status).cast::<u8>().read_volatile();
                let unverified = (&raw const (*body).unverified).cast::<u8>().read_volatile();
                let private = (&raw const (*body).private).cast::<u8>().read_volatile();
                let ownership = (&raw const (*body).ownership).read_volatile();
                let bound = (&raw const (*body).bound).cast::<u8>().read_volatile() != 0;
                let size = (&raw const (*body).size).read_volatile();
                let data = (&raw const (*body).data).read_volatile();
                // A page that goes at this moment may be live and have no frame any more.
                let simple =
                    live == Status::Live as u8 && unverified | private == 0 && !data.is_null();
                let inside = offset.checked_add(buf.len() as u64)? <= u64::from(size);
                if !simple || !inside || buf.len() > GLIMPSE_BYTES_MAX {
                    return None;
                }
                copy_volatile(data.add(offset as usize), buf);
                Some(Glimpse { lsn, size, ownership, bound, private: false })
            }
        })
    }

    /// Locks the slot.
    #[inline]
    pub fn lock(&self) -> SlotGuard<'_> {
        self.0.lock()
    }

    /// Locks the slot unless somebody has it locked.
    #[inline]
    pub fn try_lock(&self) -> Option<SlotGuard<'_>> {
        self.0.try_lock()
    }

    /// The body, without a lock.
    ///
    /// # Safety
    /// Nobody else reaches this slot as long as the body is borrowed.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the caller's promise stands in for the lock")]
    pub unsafe fn body_unlocked(&self) -> &mut Body {
        // SAFETY: the caller's promise.
        unsafe { self.0.get_unlocked() }
    }

    /// The page's content, without a lock.
    ///
    /// # Safety
    /// Nobody frees the page, writes to its frame or displaces it as long as the content is borrowed.
    /// What else there is to the body may change.
    #[inline]
    pub unsafe fn content_unlocked(&self) -> &[u8] {
        let body = self.0.as_ptr();
        // SAFETY: the two fields are read for themselves, and stay as they are: the caller's promise.
        let (data, size) =
            unsafe { ((&raw const (*body).data).read(), (&raw const (*body).size).read()) };
        if data.is_null() {
            return &[];
        }
        // SAFETY: frames hold `size` initialised bytes, which stay as they are: the caller's promise.
        unsafe { std::slice::from_raw_parts(data, size as usize) }
    }

    /// The body, where borrowing shows that nobody else can reach it.
    #[inline]
    pub fn get_mut(&mut self) -> &mut Body {
        self.0.get_mut()
    }
}

/// Copies what others may be writing.
///
/// # Safety
/// `buf.len()` bytes from `from` on are readable.
#[inline]
unsafe fn copy_volatile(from: *const u8, buf: &mut [u8]) {
    const WORD: usize = 8;
    let words = buf.len() / WORD;
    let (whole, rest) = buf.split_at_mut(words * WORD);
    for (at, word) in whole.chunks_exact_mut(WORD).enumerate() {
        // SAFETY: within the stretch; arrays of bytes have no alignment.
        word.copy_from_slice(&unsafe { from.cast::<[u8; WORD]>().add(at).read_volatile() });
    }
    for (at, byte) in rest.iter_mut().enumerate() {
        // SAFETY: within the stretch.
        *byte = unsafe { from.add(words * WORD + at).read_volatile() };
    }
}

impl Body {
    /// Bytes of content, open.
    #[inline]
    pub fn open_size(&self) -> u32 {
        open_size(self.size, self.private)
    }

    /// The page's content.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: a live page's frame holds `size` initialised bytes; the lock is held.
        unsafe { std::slice::from_raw_parts(self.data, self.size as usize) }
    }

    /// The page's content, to change. Only for a frame that [`must_keep`](Self::must_keep) does
    /// not protect.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        debug_assert!(self.pins == 0);
        if self.data.is_null() {
            return &mut [];
        }
        // SAFETY: as above; nobody pins the frame and the lock is held.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.size as usize) }
    }

    /// Whether the current frame has to stay as it is when the page changes: a view shows it, or
    /// the newest snapshot may read it.
    #[inline]
    pub fn must_keep(&self, newest_snapshot: Lsn) -> bool {
        self.pins > 0 || (self.lsn <= newest_snapshot && !sings(Canary::ForgottenSnapshot))
    }

    /// Whether a view shows the current frame.
    pub fn is_pinned(&self) -> bool {
        self.pins > 0
    }

    /// The page's metadata, copied, ascending by key.
    pub fn meta_pairs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.meta().map(|meta| meta.pairs()).unwrap_or_default()
    }

    /// The page's metadata; `None` is empty.
    #[inline]
    pub fn meta(&self) -> Option<&Meta> {
        self.extra.meta()
    }

    /// The page's metadata as they are now, to be kept.
    pub fn share_meta(&self) -> Option<Arc<Meta>> {
        self.extra.share_meta()
    }

    /// Replaces the metadata.
    pub fn set_meta(&mut self, meta: Meta) {
        self.extra.set_meta((!meta.is_empty()).then(|| Arc::new(meta)));
    }

    /// Changes the metadata in place, unless a version shares it.
    pub fn change_meta<R>(&mut self, change: impl FnOnce(&mut Meta) -> R) -> R {
        let Some(mut meta) = self.extra.take_meta() else {
            let mut meta = Meta::default();
            let changed = change(&mut meta);
            self.set_meta(meta);
            return changed;
        };
        let changed = change(Arc::make_mut(&mut meta));
        self.extra.set_meta((!meta.is_empty()).then_some(meta));
        changed
    }

    /// Adds or takes away an edge from a parent; whether that changed anything.
    pub fn set_parent(&mut self, link: Link, there: bool) -> bool {
        self.change_meta(|meta| meta.set_parent(link, there))
    }

    /// Makes a vacant slot a live page whose frame is `data`.
    pub fn create(&mut self, size: u32, location: Location, lsn: Lsn, data: NonNull<u8>) {
        debug_assert!(self.status == Status::Vacant);
        self.status = Status::Live;
        (self.size, self.location, self.owner) = (size, location, Owner::Memory);
        (self.epoch, self.lsn, self.data) = (0, lsn, data.as_ptr());
    }

    /// Makes a vacant slot a live page that stands in a mapping; its bytes are checked against
    /// `crc` when they are first asked for.
    pub fn back(&mut self, page: &super::table::Backed) {
        debug_assert!(self.status == Status::Vacant);
        self.status = Status::Live;
        (self.size, self.location, self.owner) = (page.size, page.location, Owner::Mapping);
        (self.ownership, self.private) = (page.ownership, page.private);
        (self.epoch, self.lsn, self.data) = (page.epoch, page.lsn, page.data.as_ptr());
        (self.crc, self.unverified) = (page.crc, true);
        self.set_meta(page.meta.clone());
    }

    /// Whether the frame's bytes are still to be checked.
    #[inline]
    pub fn is_unverified(&self) -> bool {
        self.unverified
    }

    /// Checks the bytes against the checksum that they were stored with.
    pub fn verify(&mut self) -> bool {
        let sound = |crc| crc == self.crc || sings(Canary::UncheckedImage);
        let ok = !self.unverified || sound(crc32c(self.bytes()));
        self.unverified &= !ok;
        ok
    }

    /// What the page shows now; `None` if it is not live.
    pub fn now(&self) -> Option<Seen> {
        (self.status == Status::Live).then(|| Seen {
            epoch: self.epoch,
            lsn: self.lsn,
            data: NonNull::new(self.data).unwrap_or(NonNull::dangling()),
            size: self.size,
            meta: self.share_meta(),
            location: self.location,
            ownership: self.ownership,
            private: self.private,
        })
    }

    /// What the page showed to a snapshot at `lsn`, and its content; `None` if it was not live
    /// then.
    pub fn at(&self, lsn: Lsn) -> Option<(Seen, &[u8])> {
        let seen = self.seen_at(lsn)?;
        // SAFETY: the frame is the slot's, which is locked as long as `self` is borrowed.
        let bytes = unsafe { seen.bytes() };
        Some((seen, bytes))
    }

    fn seen_at(&self, lsn: Lsn) -> Option<Seen> {
        if self.lsn <= lsn {
            return self.now();
        }
        let versions = &self.extra.chain()?.versions;
        let at = versions.partition_point(|version| version.lsn <= lsn);
        let version = versions.get(at.checked_sub(1)?).filter(|version| version.live)?;
        Some(Seen {
            epoch: version.epoch,
            lsn: version.lsn,
            data: NonNull::new(version.data)?,
            size: version.size,
            meta: version.meta.clone(),
            location: self.location,
            ownership: version.ownership,
            private: self.private,
        })
    }

    /// The page goes on in `fresh`, whose content the caller provides. The current frame becomes
    /// a version if a view pins it or `held` says that a snapshot reads it, else it is given back.
    /// Returns whether it became one.
    pub fn displace(
        &mut self,
        fresh: Option<NonNull<u8>>,
        held: bool,
        memory: &PageMemory,
    ) -> bool {
        let fresh = fresh.map_or(ptr::null_mut(), NonNull::as_ptr);
        if !held && self.pins == 0 {
            self.give_back(memory);
            (self.owner, self.data) = (Owner::Memory, fresh);
            return false;
        }
        let version = Version {
            lsn: self.lsn,
            epoch: self.epoch,
            live: self.status == Status::Live,
            owner: self.owner,
            held,
            pins: std::mem::take(&mut self.pins),
            size: self.size,
            data: self.data,
            meta: self.share_meta(),
            ownership: self.ownership,
        };
        (self.owner, self.data) = (Owner::Memory, fresh);
        self.extra.chain_or_new().versions.push(version);
        true
    }

    /// Ends the page's life at `lsn`; epoch and place stay. Its frame becomes a version or is given back, as
    /// [`displace`](Self::displace) says; returns whether it became one.
    pub fn free(&mut self, lsn: Lsn, held: bool, memory: &PageMemory) -> bool {
        let kept = self.displace(None, held, memory);
        self.extra.set_meta(None);
        (self.status, self.size, self.lsn, self.unverified) = (Status::Freed, 0, lsn, false);
        self.ownership = Ownership::Shared;
        kept
    }

    /// Brings a freed page back, with other content, as the record `lsn` says. What the page was
    /// between is [displaced](Self::displace) before.
    pub fn restore(
        &mut self,
        (size, location): (u32, Location),
        (lsn, epoch): (Lsn, Epoch),
        data: NonNull<u8>,
    ) {
        self.status = Status::Live;
        (self.size, self.location, self.owner) = (size, location, Owner::Memory);
        (self.epoch, self.lsn, self.data) = (epoch, lsn, data.as_ptr());
    }

    /// Gives the current frame back, which nobody pins.
    fn give_back(&mut self, memory: &PageMemory) {
        if let Some(frame) = self.take_frame() {
            // SAFETY: the frame came from `memory` for `size` bytes, and nobody pins it.
            unsafe { memory.free(frame, self.size as usize) };
        }
    }

    /// Takes the frame out; returns it if it has to be given back.
    fn take_frame(&mut self) -> Option<NonNull<u8>> {
        let data = NonNull::new(std::mem::replace(&mut self.data, ptr::null_mut()));
        data.filter(|_| self.owner == Owner::Memory)
    }

    /// Counts a view of the frame that `seen` shows, the current one or a version's.
    pub fn pin(&mut self, seen: &Seen) {
        if self.data == seen.data.as_ptr() {
            self.pins += 1;
        } else if let Some(at) = self.place_of(seen.lsn, Some(seen.data))
            && let Some(chain) = self.extra.chain_mut()
        {
            chain.versions[at].pins += 1;
        }
    }

    /// Takes a view's count back. Returns the size of a version that went with it.
    pub fn unpin(&mut self, seen: &Seen, memory: &PageMemory) -> Option<u32> {
        if self.data == seen.data.as_ptr() {
            self.pins -= 1;
            return None;
        }
        let at = self.place_of(seen.lsn, Some(seen.data))?;
        self.let_go(at, |version| version.pins -= 1, memory)
    }

    /// No snapshot reads the version that began at `birth` any more. Returns its size if it went.
    pub fn release(&mut self, birth: Lsn, memory: &PageMemory) -> Option<u32> {
        let at = self.place_of(birth, None)?;
        self.let_go(at, |version| version.held = false, memory)
    }

    /// Where in the chain the version of `lsn` stands, of several that with the frame `data`: pages
    /// without a log have versions without LSNs.
    fn place_of(&self, lsn: Lsn, data: Option<NonNull<u8>>) -> Option<usize> {
        let versions = &self.extra.chain()?.versions;
        let from = versions.partition_point(|version| version.lsn < lsn);
        let same = versions[from..].iter().take_while(|version| version.lsn == lsn);
        let is_it = |version: &Version| match data {
            Some(data) => version.data == data.as_ptr(),
            None => version.held,
        };
        let mut same = same.enumerate();
        same.find(|(_, version)| is_it(version)).map(|(at, _)| from + at)
    }

    /// Lets a reason go to keep a version, and the version with the last one.
    fn let_go(
        &mut self,
        at: usize,
        reason: impl FnOnce(&mut Version),
        memory: &PageMemory,
    ) -> Option<u32> {
        let chain = self.extra.chain_mut()?;
        let version = &mut chain.versions[at];
        reason(version);
        if !version.is_gone() {
            return None;
        }
        let size = version.size;
        version.release(memory);
        chain.gone += 1;
        if chain.gone * 2 >= chain.versions.len() {
            self.forget_gone();
        }
        Some(size)
    }

    /// Takes the versions that are gone out of the chain.
    fn forget_gone(&mut self) {
        let Some(chain) = self.extra.chain_mut() else { return };
        chain.versions.retain(|version| !version.is_gone());
        chain.gone = 0;
        if chain.versions.len() < chain.versions.capacity() / 4 {
            chain.versions.shrink_to_fit();
        }
        if chain.versions.is_empty() {
            self.extra.take_chain();
        }
    }

    /// Empties the slot for another life. No view is left.
    pub fn clear(&mut self, memory: &PageMemory) {
        if let Some(frame) = self.take_frame() {
            // SAFETY: the frame came from `memory` for `size` bytes, and nobody pins it.
            unsafe { memory.free(frame, self.size as usize) };
        }
        if let Some(chain) = self.extra.take_chain() {
            chain.versions.into_iter().for_each(|mut version| version.release(memory));
        }
        *self = Body {
            status: Status::Vacant,
            location: Location::Cpu,
            owner: Owner::Memory,
            unverified: false,
            linked: false,
            bound: false,
            private: false,
            ownership: Ownership::Shared,
            size: 0,
            pins: 0,
            crc: 0,
            epoch: 0,
            lsn: Lsn::ZERO,
            data: ptr::null_mut(),
            extra: Extra::default(),
        };
    }
}

impl Version {
    fn is_gone(&self) -> bool {
        !self.held && self.pins == 0
    }

    fn release(&mut self, memory: &PageMemory) {
        self.meta = None;
        let data = NonNull::new(std::mem::replace(&mut self.data, ptr::null_mut()));
        if let (Some(data), Owner::Memory) = (data, self.owner) {
            // SAFETY: an owned frame came from `memory` for `size` bytes; nobody pins it.
            unsafe { memory.free(data, self.size as usize) };
        }
    }
}
