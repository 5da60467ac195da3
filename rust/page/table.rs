//! The table: from a page's id to its slot, in chunks that double, so that a slot never moves.
//!
//! ```text
//!   id - 1 + 1024 = i    chunk = log2(i) - 10    slot = i - (1024 << chunk)
//!   chunk 0: ids 1..1024    chunk 1: 1025..3072    chunk 2: 3073..7168 ...
//! ```
//!
//! A table may be backed by an image: a vacant slot is then filled from it when its page is first
//! asked for, so that opening a large image touches almost nothing.

use super::lives::Lives;
use super::meta::Meta;
use super::seal::SEAL_BYTES;
use super::slot::{Body, Glimpse, Seen, Slot, SlotGuard, Status};
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{PAGE_BYTES_MAX, PAGE_BYTES_MIN};
use crate::memory::{self, PageMemory, Refused};
use crate::stdx::counter::Counters;
use crate::stdx::prefetch;
use crate::types::{Epoch, Link, Location, Lsn, Ownership, PageId};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

const FIRST_CHUNK_BITS: u32 = 10;
/// Chunks of 2^10 to 2^41 slots: ids up to about 4.4e12.
const CHUNKS: usize = 32;
const ID_MAX: u64 = (1 << (FIRST_CHUNK_BITS as u64 + CHUNKS as u64)) - (1 << FIRST_CHUNK_BITS);

/// A page that stands in an image.
pub struct Backed {
    /// Bytes of content.
    pub size: u32,
    /// Where it should live.
    pub location: Location,
    /// Who may change it.
    pub ownership: Ownership,
    /// Its content is sealed.
    pub private: bool,
    /// Epoch of the content.
    pub epoch: Epoch,
    /// The last record that changed it.
    pub lsn: Lsn,
    /// Its content: private memory of the mapping, 64-byte aligned.
    pub data: NonNull<u8>,
    /// Checksum of the content.
    pub crc: u32,
    /// Metadata.
    pub meta: Meta,
}

/// An image under a table.
pub trait Backing: Send + Sync {
    /// The page `id`, if the image has it.
    fn page(&self, id: PageId) -> Result<Option<Backed>>;
    /// The id of the page at `place`, below [`pages`](Self::pages): they ascend.
    fn id_at(&self, place: u64) -> Result<PageId>;
    /// Pages in the image.
    fn pages(&self) -> u64;
    /// Pages in it that have parents.
    fn linked(&self) -> u64;
    /// The first id that was not given out when the image was made.
    fn next_id(&self) -> u64;
    /// The error for a page whose content does not match its checksum.
    fn damaged(&self, id: PageId) -> Error;
}

/// All pages of a state, or of a stand-alone allocator.
pub struct Table {
    chunks: [AtomicPtr<Slot>; CHUNKS],
    /// Chunks from this one on were never there.
    chunks_end: AtomicUsize,
    /// The next id to give out.
    next: AtomicU64,
    /// Live pages, and their bytes.
    live: Counters<2>,
    /// Where frames come from.
    pub memory: PageMemory,
    backing: Option<Arc<dyn Backing>>,
    /// Counts pages that come and go.
    pub lives: Lives,
    /// Some page may have parents.
    linked: AtomicBool,
    /// Some page may belong to a partition, or be bound.
    uncommon: AtomicBool,
    /// Older versions, and bytes of their content.
    versions: AtomicU64,
    version_bytes: AtomicU64,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS],
            chunks_end: AtomicUsize::new(0),
            next: AtomicU64::new(1),
            live: Counters::default(),
            memory: PageMemory::default(),
            backing: None,
            lives: Lives::default(),
            linked: AtomicBool::new(false),
            uncommon: AtomicBool::new(false),
            versions: AtomicU64::new(0),
            version_bytes: AtomicU64::new(0),
        }
    }
}

/// Chunk and place in it.
#[inline]
fn place(id: PageId) -> (usize, usize) {
    let i = id.0 - 1 + (1 << FIRST_CHUNK_BITS);
    let chunk = i.ilog2() - FIRST_CHUNK_BITS;
    (chunk as usize, (i - (1 << (FIRST_CHUNK_BITS + chunk))) as usize)
}

/// Bytes of a chunk.
fn chunk_bytes(chunk: usize) -> usize {
    size_of::<Slot>() << (FIRST_CHUNK_BITS as usize + chunk)
}

/// # Safety
/// `base` came from [`Table::grow`] for this chunk; its slots are not used any more.
unsafe fn free_chunk(base: NonNull<Slot>, chunk: usize) {
    // SAFETY: the caller's promise.
    unsafe { memory::free(base.cast(), chunk_bytes(chunk), align_of::<Slot>()) };
}

#[cold]
fn no_parent(child: PageId, link: Link) -> Error {
    let message = format!("{child} derives from {}, which does not exist", link.page);
    Error::new(ErrorKind::Corrupt, message)
}

/// Refuses a page size outside the limits.
pub fn check_size(size: u64) -> Result<u32> {
    if !(PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&size) {
        bail!(
            SizeOutOfRange,
            "a page of {size} bytes; pages have {PAGE_BYTES_MIN} to {PAGE_BYTES_MAX}"
        );
    }
    Ok(size as u32)
}

/// The size of the frame of a private page of `size` bytes. Refuses what is outside the limits.
pub fn check_private_size(size: u64) -> Result<u32> {
    let max = PAGE_BYTES_MAX - u64::from(SEAL_BYTES);
    if !(PAGE_BYTES_MIN..=max).contains(&size) {
        bail!(
            SizeOutOfRange,
            "a private page of {size} bytes; private pages have {PAGE_BYTES_MIN} to {max}"
        );
    }
    Ok(size as u32 + SEAL_BYTES)
}

impl Table {
    /// A table over an image.
    pub fn backed(backing: Arc<dyn Backing>) -> Table {
        let mut table = Table::default();
        table.back(backing);
        table
    }

    /// Puts an image under an empty table.
    pub fn back(&mut self, backing: Arc<dyn Backing>) {
        *self.next.get_mut() = backing.next_id();
        self.live.set([backing.pages(), 0]);
        *self.linked.get_mut() = backing.linked() > 0;
        *self.uncommon.get_mut() = backing.pages() > 0;
        self.backing = Some(backing);
    }

    /// Locks the live page `id`.
    ///
    /// # Errors
    /// `PageNotFound`, `PageFreed`, and `Corrupt` if it stands damaged in an image.
    ///
    /// Cost: a few ns when nobody else holds it.
    #[inline]
    pub fn lock(&self, id: PageId) -> Result<SlotGuard<'_>> {
        let Some(slot) = self.slot(id) else { return Err(self.missing(id)) };
        let mut page = slot.lock();
        if page.status != Status::Live || page.is_unverified() {
            self.settle(id, &mut page)?;
        }
        Ok(page)
    }

    /// What a live page is, and a short stretch of its content, without the lock; see
    /// [`Slot::glimpse`].
    #[inline]
    pub fn glimpse(&self, id: PageId, offset: u64, buf: &mut [u8]) -> Option<Glimpse> {
        self.slot_there(id)?.glimpse(offset, buf)
    }

    /// The live page `id`, without a lock: for a table that nobody else uses.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn live_mut(&mut self, id: PageId) -> Result<&mut Body> {
        let Some(slot) = self.slot(id) else { return Err(self.missing(id)) };
        // SAFETY: the borrow of the table is exclusive, and slots are reached through it alone.
        let page = unsafe { slot.body_unlocked() };
        if page.status != Status::Live || page.is_unverified() {
            self.settle(id, page)?;
        }
        Ok(page)
    }

    /// Locks the slot `id`, live or not, filled from the image if there is one. `None` if no page
    /// of that id was ever created.
    ///
    /// # Errors
    /// `Corrupt` if it stands damaged in an image.
    pub fn lock_any(&self, id: PageId) -> Result<Option<SlotGuard<'_>>> {
        let Some(slot) = self.slot(id) else { return Ok(None) };
        let mut page = slot.lock();
        self.fill(id, &mut page)?;
        if !page.verify() {
            return Err(self.damaged(id));
        }
        Ok((page.status != Status::Vacant).then_some(page))
    }

    /// Locks the slot of a page that was freed.
    ///
    /// # Errors
    /// `Internal` if it is live or never was.
    pub fn lock_freed(&self, id: PageId) -> Result<SlotGuard<'_>> {
        let page = self.lock_any(id)?.filter(|page| page.status == Status::Freed);
        page.ok_or_else(|| Error::new(ErrorKind::Internal, format!("{id} was not freed")))
    }

    /// The page `id`, if it was freed, also before the image was made, which then tells nothing
    /// else of it: for a table that nobody else uses.
    pub fn freed_mut(&mut self, id: PageId) -> Result<Option<&mut Body>> {
        let Some(slot) = self.slot(id) else { return Ok(None) };
        // SAFETY: the borrow of the table is exclusive, and slots are reached through it alone.
        let page = unsafe { slot.body_unlocked() };
        self.fill(id, page)?;
        let freed = match page.status {
            Status::Freed => true,
            Status::Vacant => self.is_in_image(id),
            Status::Live => false,
        };
        Ok(freed.then_some(page))
    }

    /// Locks the slot of an id that [`reserve_id`](Self::reserve_id) gave out, for creation.
    pub fn lock_vacant(&self, id: PageId) -> Result<SlotGuard<'_>> {
        if id.0 == 0 || id.0 > ID_MAX {
            bail!(OutOfMemory, "{id}: ids end at {ID_MAX}");
        }
        let (chunk, at) = place(id);
        let base = match self.chunks[chunk].load(Ordering::Acquire) {
            base if base.is_null() => self.grow(chunk)?,
            base => base,
        };
        // Pages are created one after the other; the lock waits for the slot to be there.
        let ahead = base.wrapping_add(at + 8).cast_const().cast();
        prefetch::for_write(ahead, size_of::<Slot>());
        // SAFETY: `at` is within the chunk; chunks are never freed while the table is shared.
        Ok(unsafe { &*base.add(at) }.lock())
    }

    #[inline]
    fn slot(&self, id: PageId) -> Option<&Slot> {
        self.slot_there(id).or_else(|| self.slot_in_image(id))
    }

    /// The slot, if its chunk is there already.
    #[inline]
    fn slot_there(&self, id: PageId) -> Option<&Slot> {
        if id.0.wrapping_sub(1) >= ID_MAX {
            return None;
        }
        let (chunk, at) = place(id);
        let base = self.chunks[chunk].load(Ordering::Acquire);
        // SAFETY: `at` is within the chunk; chunks are never freed while the table is shared.
        (!base.is_null()).then(|| unsafe { &*base.add(at) })
    }

    /// An image may hold pages whose chunk is not there yet.
    #[cold]
    fn slot_in_image(&self, id: PageId) -> Option<&Slot> {
        if id.0.wrapping_sub(1) >= ID_MAX || !self.is_in_image(id) {
            return None;
        }
        let (chunk, at) = place(id);
        let base = self.grow(chunk).ok()?;
        // SAFETY: as in `slot_there`.
        Some(unsafe { &*base.add(at) })
    }

    /// Whether the id was given out before the image was made.
    pub fn is_in_image(&self, id: PageId) -> bool {
        self.backing.as_ref().is_some_and(|backing| id.0 < backing.next_id())
    }

    #[cold]
    fn grow(&self, chunk: usize) -> Result<*mut Slot> {
        // Zeroed memory is a vacant slot (slot.rs asserts it).
        let new = memory::alloc_zeroed(chunk_bytes(chunk), align_of::<Slot>());
        let new = new.map_err(Refused::error)?.cast::<Slot>();
        let (ok, fail) = (Ordering::AcqRel, Ordering::Acquire);
        self.chunks_end.fetch_max(chunk + 1, Ordering::Relaxed);
        match self.chunks[chunk].compare_exchange(ptr::null_mut(), new.as_ptr(), ok, fail) {
            Ok(_) => Ok(new.as_ptr()),
            Err(other) => {
                // SAFETY: `new` was not shared.
                unsafe { free_chunk(new, chunk) };
                Ok(other)
            }
        }
    }

    /// What `lock` does when the slot is not simply live.
    #[cold]
    fn settle(&self, id: PageId, page: &mut Body) -> Result<()> {
        self.fill(id, page)?;
        if !page.verify() {
            return Err(self.damaged(id));
        }
        match page.status {
            Status::Live => Ok(()),
            // An image knows the ids that were given out before it, and the pages left of them.
            Status::Vacant if !self.is_in_image(id) => Err(self.missing(id)),
            Status::Vacant | Status::Freed => {
                Err(Error::new(ErrorKind::PageFreed, format!("{id} was freed")))
            }
        }
    }

    fn fill(&self, id: PageId, page: &mut Body) -> Result<()> {
        if page.status == Status::Vacant
            && self.is_in_image(id)
            && let Some(backing) = &self.backing
            && let Some(backed) = backing.page(id)?
        {
            self.live.add([0, backed.size.into()]);
            page.back(&backed);
        }
        Ok(())
    }

    #[cold]
    fn missing(&self, id: PageId) -> Error {
        let last = self.next_id() - 1;
        Error::new(
            ErrorKind::PageNotFound,
            format!("{id} does not exist; ids up to {last} were given out"),
        )
    }

    fn damaged(&self, id: PageId) -> Error {
        match &self.backing {
            Some(backing) => backing.damaged(id),
            None => Error::new(ErrorKind::Internal, format!("{id} has no image to be checked by")),
        }
    }

    /// The first id not given out.
    pub fn next_id(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Gives out an id.
    pub fn reserve_id(&self) -> PageId {
        PageId(self.next.fetch_add(1, Ordering::AcqRel))
    }

    /// Takes an id back that was not used, if it is still the newest.
    pub fn return_id(&self, id: PageId) {
        let (ok, fail) = (Ordering::AcqRel, Ordering::Relaxed);
        let _ = self.next.compare_exchange(id.0 + 1, id.0, ok, fail);
    }

    /// Counts `id` as given out: a record that is replayed says so.
    pub fn note_id(&self, id: PageId) {
        self.next.fetch_max(id.0 + 1, Ordering::AcqRel);
    }

    /// Counts a page that was created.
    pub fn note_created(&self, size: u32) {
        self.live.add([1, size.into()]);
    }

    /// Counts a page that was freed.
    pub fn note_freed(&self, size: u32) {
        self.live.sub([1, size.into()]);
    }

    /// Live pages.
    pub fn live(&self) -> u64 {
        self.live.sum(0)
    }

    /// Bytes of live pages; those of an image count once they were asked for.
    pub fn live_bytes(&self) -> u64 {
        self.live.sum(1)
    }

    /// A zeroed frame of `size` bytes.
    pub fn frame(&self, size: u32) -> Result<NonNull<u8>> {
        self.memory.alloc_zeroed(size as usize).map_err(Refused::error)
    }

    /// A frame of `size` bytes with any content.
    pub fn raw_frame(&self, size: u32) -> Result<NonNull<u8>> {
        self.memory.alloc(size as usize).map_err(Refused::error)
    }

    /// Gives back a frame that no slot refers to.
    ///
    /// # Safety
    /// `frame` came from this table for `size` bytes and nobody uses it.
    pub unsafe fn free_frame(&self, frame: NonNull<u8>, size: u32) {
        // SAFETY: the caller's promise.
        unsafe { self.memory.free(frame, size as usize) }
    }

    /// Has the locked page go on in `fresh`; see [`Body::displace`].
    pub fn displace(&self, page: &mut Body, fresh: Option<NonNull<u8>>, held: bool) {
        if page.displace(fresh, held, &self.memory) {
            self.count_version(page.size);
        }
    }

    /// Ends the locked page's life; see [`Body::free`].
    pub fn free_page(&self, page: &mut Body, lsn: Lsn, held: bool) {
        let size = page.size;
        if page.free(lsn, held, &self.memory) {
            self.count_version(size);
        }
        self.note_freed(size);
    }

    fn count_version(&self, size: u32) {
        self.versions.fetch_add(1, Ordering::Relaxed);
        self.version_bytes.fetch_add(size.into(), Ordering::Relaxed);
    }

    fn count_gone(&self, size: Option<u32>) {
        if let Some(size) = size {
            self.versions.fetch_sub(1, Ordering::Relaxed);
            self.version_bytes.fetch_sub(size.into(), Ordering::Relaxed);
        }
    }

    /// No snapshot reads the version of `id` that began at `birth` any more.
    pub fn release(&self, id: PageId, birth: Lsn) {
        if let Some(slot) = self.slot(id) {
            self.release_locked(&mut slot.lock(), birth);
        }
    }

    /// As [`release`](Self::release), of a page that the caller has locked.
    pub fn release_locked(&self, page: &mut Body, birth: Lsn) {
        self.count_gone(page.release(birth, &self.memory));
    }

    /// As [`release`](Self::release), unless somebody has the page locked: then `false`.
    pub fn try_release(&self, id: PageId, birth: Lsn) -> bool {
        let Some(slot) = self.slot(id) else { return true };
        let Some(mut page) = slot.try_lock() else { return false };
        self.release_locked(&mut page, birth);
        true
    }

    /// What a bound page's frame holds, without a lock.
    ///
    /// # Safety
    /// The page is bound, and the caller has the index of edges alone, as long as it uses the content:
    /// who bound it has locked it, so that it is there and verified, and nobody else frees it, writes to
    /// its frame or displaces that.
    #[inline]
    pub unsafe fn bound_content(&self, id: PageId) -> &[u8] {
        // SAFETY: the caller's promise.
        self.slot_there(id).map_or(&[], |slot| unsafe { slot.content_unlocked() })
    }

    /// Takes a view's count back.
    pub fn unpin(&self, id: PageId, seen: &Seen) {
        if let Some(slot) = self.slot(id) {
            self.count_gone(slot.lock().unpin(seen, &self.memory));
        }
    }

    /// Ids of live pages, ascending; see [`list_where`](Self::list_where).
    pub fn list(&self) -> Result<Vec<PageId>> {
        self.list_where(self.next_id(), |page| page.status == Status::Live)
    }

    /// Ids below `next` of the pages that `lives` accepts, and of those that stand in the image
    /// untouched, ascending. Looks at no content and fills no slot.
    ///
    /// # Errors
    /// `Corrupt` for a damaged entry of the image.
    pub fn list_where(&self, next: u64, lives: impl Fn(&Body) -> bool) -> Result<Vec<PageId>> {
        let mut imaged = self.imaged();
        let mut in_image = imaged.next().transpose()?;
        let mut ids = Vec::new();
        for id in (1..next).map(PageId) {
            while in_image.is_some_and(|at| at < id) {
                in_image = imaged.next().transpose()?;
            }
            let lives = match self.slot_there(id).map(Slot::lock) {
                Some(page) if page.status != Status::Vacant => lives(&page),
                _ => in_image == Some(id),
            };
            if lives {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Ids of the pages in the image, ascending.
    fn imaged(&self) -> impl Iterator<Item = Result<PageId>> + '_ {
        let backing = self.backing.iter();
        backing.flat_map(|backing| (0..backing.pages()).map(|place| backing.id_at(place)))
    }

    /// Whether the page is live. As [`list`](Self::list), looks at no content.
    pub fn contains(&self, id: PageId) -> bool {
        let Some(slot) = self.slot(id) else { return false };
        let mut page = slot.lock();
        self.fill(id, &mut page).is_ok() && page.status == Status::Live
    }

    /// Notes that a page has parents.
    pub fn note_linked(&self) {
        self.linked.store(true, Ordering::Relaxed);
    }

    /// Notes that a page belongs to somebody, or is bound. Before it does.
    pub fn note_uncommon(&self) {
        self.uncommon.store(true, Ordering::Relaxed);
    }

    /// Whether any page may belong to somebody, or be bound.
    #[inline]
    pub fn has_uncommon(&self) -> bool {
        self.uncommon.load(Ordering::Relaxed)
    }

    /// All edges, each with its child first, and marks the pages that have any. Looks at no
    /// content; at nothing, if no page has parents.
    ///
    /// # Errors
    /// `Corrupt` for a damaged entry of the image, and for a parent that there is not.
    pub fn edges(&self) -> Result<Vec<(PageId, Link)>> {
        let mut edges = Vec::new();
        let next = if self.linked.load(Ordering::Relaxed) { self.next_id() } else { 0 };
        for id in (1..next).map(PageId) {
            let Some(slot) = self.slot(id) else { continue };
            let mut page = slot.lock();
            self.fill(id, &mut page)?;
            let parents = page.meta().map(|meta| meta.parents()).unwrap_or_default();
            edges.extend(parents.iter().map(|&link| (id, link)));
            page.linked |= !parents.is_empty();
        }
        for &(child, link) in &edges {
            let Some(slot) = self.slot(link.page) else { return Err(no_parent(child, link)) };
            let mut page = slot.lock();
            if page.status != Status::Live {
                return Err(no_parent(child, link));
            }
            page.linked = true;
        }
        Ok(edges)
    }

    /// Older versions that are kept.
    pub fn versions(&self) -> u64 {
        self.versions.load(Ordering::Relaxed)
    }

    /// Bytes of their content.
    pub fn version_bytes(&self) -> u64 {
        self.version_bytes.load(Ordering::Relaxed)
    }

    /// Empties the table for another life, in time that what it held takes; the first chunk of
    /// slots and a budget of frames stay. No view is left.
    pub fn reset(&mut self) {
        let next = std::mem::replace(self.next.get_mut(), 1);
        self.clear_slots(next);
        self.live.set([0, 0]);
        *self.versions.get_mut() = 0;
        *self.version_bytes.get_mut() = 0;
        self.lives.reset();
        *self.linked.get_mut() = false;
        *self.uncommon.get_mut() = false;
        self.backing = None;
        self.free_chunks(1);
    }

    /// Clears the slots of ids below `next`, chunk by chunk: an image may end far beyond the last
    /// page that anybody asked for.
    fn clear_slots(&mut self, next: u64) {
        let end = *self.chunks_end.get_mut();
        for (chunk, base) in self.chunks[..end].iter_mut().enumerate() {
            let base = *base.get_mut();
            let slots = 1 << (FIRST_CHUNK_BITS as usize + chunk);
            let first = slots - (1 << FIRST_CHUNK_BITS) + 1;
            let used = if base.is_null() { 0 } else { next.saturating_sub(first).min(slots) };
            for at in 0..used {
                // SAFETY: within the chunk; `&mut self` is the only user.
                unsafe { &mut *base.add(at as usize) }.get_mut().clear(&self.memory);
            }
        }
    }

    /// What a fresh table differs in from one that was reset, by name; the bytes of all slots that
    /// are there among it. The memory that a table keeps is none of it.
    #[cfg(test)]
    pub fn headers(&self) -> Vec<(&'static str, u64)> {
        let bytes_set = |chunk: usize| {
            let base = self.chunks[chunk].load(Ordering::Relaxed).cast::<u8>();
            let len = if base.is_null() { 0 } else { chunk_bytes(chunk) };
            // SAFETY: a chunk that is there has that many bytes, and nobody writes to it.
            (0..len).filter(|&at| unsafe { base.add(at).read() } != 0).count() as u64
        };
        vec![
            ("slot bytes set", (0..CHUNKS).map(bytes_set).sum()),
            ("next", self.next_id()),
            ("live", self.live()),
            ("live bytes", self.live_bytes()),
            ("versions", self.versions()),
            ("version bytes", self.version_bytes()),
            ("frame bytes", self.memory.bytes_in_use()),
            ("memory limit", self.memory.limit()),
            ("backed", self.backing.is_some().into()),
        ]
    }

    fn free_chunks(&mut self, from: usize) {
        let end = std::mem::replace(self.chunks_end.get_mut(), from);
        for (chunk, base) in self.chunks[..end].iter_mut().enumerate().skip(from) {
            if let Some(base) = NonNull::new(std::mem::replace(base.get_mut(), ptr::null_mut())) {
                // SAFETY: allocated in `grow` for this chunk; its slots were cleared.
                unsafe { free_chunk(base, chunk) };
            }
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let next = *self.next.get_mut();
        self.clear_slots(next);
        self.free_chunks(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_adjacent() {
        let mut expected = (0, 0);
        for id in 1..10_000 {
            assert_eq!(place(PageId(id)), expected, "{id}");
            expected.1 += 1;
            if expected.1 == 1024 << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        assert_eq!(place(PageId(ID_MAX)).0, CHUNKS - 1);
    }

    #[test]
    fn unknown_and_freed_pages_are_told_apart() {
        let table = Table::default();
        for id in [0, 1, 5_000, u64::MAX] {
            let error = table.lock(PageId(id)).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::PageNotFound, "{id}");
        }
        let id = table.reserve_id();
        let frame = table.frame(100).unwrap();
        table.lock_vacant(id).unwrap().create(100, Location::Cpu, Lsn(1), frame);
        assert_eq!(table.lock(id).unwrap().bytes(), [0; 100]);
        table.free_page(&mut table.lock(id).unwrap(), Lsn(2), false);
        assert_eq!(table.lock(id).err().unwrap().kind(), ErrorKind::PageFreed);
        assert_eq!(table.memory.bytes_in_use(), 0);
    }

    #[test]
    fn versions_serve_snapshots_and_views_and_go_when_unused() {
        let mut table = Table::default();
        let id = table.reserve_id();
        let frame = table.frame(8).unwrap();
        table.lock_vacant(id).unwrap().create(8, Location::Cpu, Lsn(10), frame);
        let view = {
            let mut page = table.lock(id).unwrap();
            let seen = page.now().unwrap();
            page.pin(&seen);
            assert!(page.must_keep(Lsn::ZERO));
            table.displace(&mut page, Some(table.frame(8).unwrap()), true);
            page.bytes_mut().fill(7);
            (page.lsn, page.epoch) = (Lsn(20), 1);
            assert!(!page.must_keep(Lsn(15)) && page.must_keep(Lsn(20)));
            seen
        };
        let page = table.lock(id).unwrap();
        assert!(page.at(Lsn(9)).is_none());
        let epoch = |lsn| page.at(Lsn(lsn)).unwrap().0.epoch;
        assert_eq!((epoch(19), epoch(20)), (0, 1));
        // SAFETY: pinned.
        assert_eq!(unsafe { view.bytes() }, [0; 8]);
        drop(page);
        assert_eq!((table.versions(), table.version_bytes()), (1, 8));
        table.release(id, Lsn(10));
        assert_eq!(table.version_bytes(), 8);
        table.unpin(id, &view);
        assert_eq!((table.versions(), table.version_bytes()), (0, 0));
        table.reset();
        assert_eq!(table.memory.bytes_in_use(), 0);
    }

    /// A chain loses versions in any order; those left are found, and memory goes at once.
    #[test]
    fn versions_go_in_any_order() {
        let table = Table::default();
        let id = table.reserve_id();
        let frame = table.frame(64).unwrap();
        table.lock_vacant(id).unwrap().create(64, Location::Cpu, Lsn(1), frame);
        for lsn in 2..=100 {
            let mut page = table.lock(id).unwrap();
            table.displace(&mut page, Some(table.frame(64).unwrap()), true);
            page.bytes_mut().fill(lsn as u8);
            page.lsn = Lsn(lsn);
        }
        let mut left: Vec<u64> = (1..100).collect();
        let mut prng = crate::stdx::prng::Prng::new(7);
        while !left.is_empty() {
            let lsn = left.swap_remove(prng.below(left.len() as u64) as usize);
            table.release(id, Lsn(lsn));
            assert_eq!(table.versions(), left.len() as u64);
            assert_eq!(table.memory.bytes_in_use(), 64 * (left.len() as u64 + 1));
            let page = table.lock(id).unwrap();
            for &lsn in &left {
                assert_eq!(page.at(Lsn(lsn)).unwrap().0.lsn, Lsn(lsn));
            }
        }
    }
}
