//! Files in plain memory: the log of a state that has no directory.
//!
//! ```text
//!   file:     | extent 0          | extent 1          | extent 2 ...     each as long as all
//!   extent:   | stripe | stripe | stripe | ...                          before it, or longer
//! ```
//!
//! - An *extent* is one zeroed allocation. Growing adds an extent and moves nothing, so a file is
//!   at most [`EXTENTS_MAX`] of them and finding one takes no lock.
//! - A *stripe* is [`STRIPE_BYTES`] of an extent under a lock of its own: a reader of earlier
//!   bytes and the writer at the end do not meet, and nobody waits for longer than one stripe
//!   takes to copy.
//! - `len <= capacity`, and bytes at and after `len` were never written unless a write that will
//!   raise `len` is under way.
//!
//! `allocate` touches none of what it reserves: the operating system hands out zeroed memory when
//! it is first used. (Memory that the allocator had before is the exception; it clears that.)

use std::alloc::{self, Layout};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};

use super::{
    File, MAPPING_ALIGN, Mapping, OpenMode, Storage, check_len, check_mapping, check_name,
    end_of_write, not_writable,
};

/// Bytes under one lock: some 50 µs to copy, against 20 ns to take the lock.
/// (Miri, which is slow, crosses smaller ones.)
const STRIPE_BYTES: usize = if cfg!(miri) { 4 << 10 } else { 1 << 20 };
/// Extents are a multiple of this many bytes, and the first is at least that.
const EXTENT_BYTES_MIN: u64 = 64 << 10;
/// Extents that one file can have.
const EXTENTS_MAX: usize = 48;
/// Alignment of an extent. No more than 16: up to there the system allocator gives zeroed memory
/// without touching it, beyond that it writes the zeros.
const EXTENT_ALIGN: usize = 16;

// Each extent at least doubles the capacity, so the longest file fits.
const _: () = assert!(EXTENT_BYTES_MIN << (EXTENTS_MAX - 1) > super::FILE_BYTES_MAX);

/// A directory of files in memory, gone when it and the last open file are dropped.
///
/// Running out of memory is an error of kind `OutOfMemory` in the call that asked for it.
///
/// ```
/// use mmsb::env::{MemStorage, OpenMode, Storage};
/// use std::io::IoSlice;
///
/// let storage = MemStorage::new();
/// let file = storage.open("log", OpenMode::Create)?;
/// file.allocate(1 << 20)?;
/// file.write_at(0, &[IoSlice::new(b"first"), IoSlice::new(b" record")])?;
///
/// let mut bytes = [0; 12];
/// file.read_at(0, &mut bytes)?;
/// assert_eq!(&bytes, b"first record");
/// assert_eq!(storage.bytes(), 1 << 20);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
pub struct MemStorage {
    files: Mutex<BTreeMap<String, Arc<Content>>>,
    /// Bytes of all extents of all files, removed ones that are still open included.
    held: Arc<AtomicU64>,
    lock: LockFlag,
}

impl MemStorage {
    /// An empty directory.
    pub fn new() -> MemStorage {
        MemStorage::default()
    }

    /// Bytes of memory that files hold: what was reserved, whether or not it was ever written,
    /// including removed files that are still open.
    pub fn bytes(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for MemStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemStorage({} files, {} bytes)", self.files.lock().len(), self.bytes())
    }
}

impl Storage for MemStorage {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        check_name(name)?;
        let mut files = self.files.lock();
        let content = match (mode, files.get(name)) {
            (OpenMode::Create, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (OpenMode::Create, None) => {
                let content = Arc::new(Content::new(self.held.clone()));
                files.insert(name.to_owned(), content.clone());
                content
            }
            (_, Some(content)) => content.clone(),
            (_, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(MemFile { content, writable: mode != OpenMode::Read }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        let mut files = self.files.lock();
        let content = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        let replaced = files.insert(to.to_owned(), content);
        // Freeing a large file takes a while: not under the lock.
        drop(files);
        drop(replaced);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        let removed = self.files.lock().remove(name);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        self.lock.take()
    }

    fn describe(&self, name: &str) -> String {
        format!("memory:{name}")
    }
}

/// A lock that one holder at a time has, for storages that live in this process only.
#[derive(Default, Debug)]
pub(super) struct LockFlag(Arc<AtomicBool>);

/// Holds a [`LockFlag`].
struct LockFlagGuard(Arc<AtomicBool>);

impl LockFlag {
    /// Takes the lock until the guard is dropped; `WouldBlock` if it is taken.
    pub(super) fn take(&self) -> io::Result<Box<dyn Send + Sync>> {
        if self.0.swap(true, Ordering::Acquire) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(LockFlagGuard(self.0.clone())))
    }
}

impl Drop for LockFlagGuard {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// An open file.
struct MemFile {
    content: Arc<Content>,
    writable: bool,
}

impl fmt::Debug for MemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemFile({} bytes)", self.content.len.load(Ordering::Relaxed))
    }
}

impl MemFile {
    fn check_writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(not_writable()) }
    }
}

impl File for MemFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content.len.load(Ordering::Acquire))
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        check_len(offset)?;
        Ok(self.content.read(offset, buf))
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.check_writable()?;
        let end = end_of_write(offset, parts)?;
        if end == offset {
            return Ok(());
        }
        self.content.write(offset, end, parts)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        check_len(len)?;
        self.content.reserve(len)?;
        self.content.len.fetch_max(len, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn map_private(&self, len: usize) -> io::Result<Mapping> {
        check_mapping(len, self.len()?)?;
        let mut copy = MappingCopy::new(len)?;
        self.content.walk(0, len as u64, |stripe, range| copy.push(&stripe.read().bytes()[range]));
        Ok(copy.finish())
    }
}

/// What a file holds; shared by its name and its open handles.
struct Content {
    len: AtomicU64,
    /// Where the last extent ends.
    capacity: AtomicU64,
    /// The first so many are set, one after the other, under `growing`.
    extents: [OnceLock<Extent>; EXTENTS_MAX],
    growing: Mutex<()>,
    /// The storage's count of bytes held.
    held: Arc<AtomicU64>,
}

impl Content {
    fn new(held: Arc<AtomicU64>) -> Content {
        Content {
            len: AtomicU64::new(0),
            capacity: AtomicU64::new(0),
            extents: [const { OnceLock::new() }; EXTENTS_MAX],
            growing: Mutex::new(()),
            held,
        }
    }

    fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let len = self.len.load(Ordering::Acquire);
        let n = len.saturating_sub(offset).min(buf.len() as u64) as usize;
        let mut rest = &mut buf[..n];
        self.walk(offset, offset + n as u64, |stripe, range| {
            let (now, later) = std::mem::take(&mut rest).split_at_mut(range.len());
            now.copy_from_slice(&stripe.read().bytes()[range]);
            rest = later;
        });
        n
    }

    fn write(&self, offset: u64, end: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.reserve(end)?;
        let mut source = Gather { parts, done: 0 };
        self.walk(offset, end, |stripe, range| source.fill(&mut stripe.write().bytes_mut()[range]));
        // After the bytes: who sees the length sees them.
        self.len.fetch_max(end, Ordering::Release);
        Ok(())
    }

    /// Visits the stripes that `[offset, end)` touches, in order, each with the range in it. The
    /// caller made sure that `end <= capacity`.
    fn walk(&self, offset: u64, end: u64, mut visit: impl FnMut(&RwLock<Stripe>, Range<usize>)) {
        let mut at = offset;
        for extent in self.extents.iter().map_while(OnceLock::get) {
            if at >= end {
                break;
            }
            if at < extent.end() {
                at = extent.walk(at, end, &mut visit);
            }
        }
        debug_assert!(at >= end, "the walk ends within the capacity");
    }

    /// Makes room for `len` bytes.
    fn reserve(&self, len: u64) -> io::Result<()> {
        if len <= self.capacity.load(Ordering::Acquire) {
            return Ok(());
        }
        let _growing = self.growing.lock();
        let start = self.capacity.load(Ordering::Acquire);
        if len <= start {
            return Ok(());
        }
        let slot = self.extents.iter().find(|slot| slot.get().is_none()).ok_or_else(no_memory)?;
        let extent = Extent::new(start, len - start)?;
        let end = extent.end();
        // Never set before: `growing` is held, and the slot was empty.
        slot.get_or_init(|| extent);
        self.held.fetch_add(end - start, Ordering::Relaxed);
        self.capacity.store(end, Ordering::Release);
        Ok(())
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.held.fetch_sub(*self.capacity.get_mut(), Ordering::Relaxed);
    }
}

/// One allocation's worth of a file.
struct Extent {
    /// Offset in the file of its first byte.
    start: u64,
    /// Bytes; all stripes together.
    len: usize,
    /// Before `_region`: they point into it.
    stripes: Box<[RwLock<Stripe>]>,
    _region: Region,
}

impl Extent {
    /// Zeros from `start` on, for `need` more bytes: at least as many as there are before, so
    /// that a file needs few extents, or just the need if there is no memory for that.
    fn new(start: u64, need: u64) -> io::Result<Extent> {
        let need = need.next_multiple_of(EXTENT_BYTES_MIN);
        if need < start
            && let Ok(extent) = Extent::of(start, start)
        {
            return Ok(extent);
        }
        Extent::of(start, need)
    }

    fn of(start: u64, len: u64) -> io::Result<Extent> {
        let len = usize::try_from(len).map_err(|_| no_memory())?;
        let region = Region::zeroed(len, EXTENT_ALIGN)?;
        let count = len.div_ceil(STRIPE_BYTES);
        let mut stripes = Vec::new();
        stripes.try_reserve_exact(count).map_err(|_| no_memory())?;
        stripes.extend((0..count).map(|i| RwLock::new(Stripe::of(&region, i))));
        Ok(Extent { start, len, stripes: stripes.into_boxed_slice(), _region: region })
    }

    fn end(&self) -> u64 {
        self.start + self.len as u64
    }

    /// [`Content::walk`] within this extent, from `at` on; returns how far it came.
    fn walk(
        &self,
        at: u64,
        end: u64,
        visit: &mut impl FnMut(&RwLock<Stripe>, Range<usize>),
    ) -> u64 {
        let stop = (end.min(self.end()) - self.start) as usize;
        let mut inside = (at - self.start) as usize;
        while inside < stop {
            let (index, from) = (inside / STRIPE_BYTES, inside % STRIPE_BYTES);
            let to = STRIPE_BYTES.min(from + stop - inside);
            visit(&self.stripes[index], from..to);
            inside += to - from;
        }
        self.start + stop as u64
    }
}

/// Some bytes of an extent, which nothing else points to. Its lock is what makes access safe.
struct Stripe {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a stripe is used like a `&mut [u8]`, which is Send: its bytes belong to no other stripe,
// and the extent that owns them drops its stripes first.
unsafe impl Send for Stripe {}
// SAFETY: `&Stripe` gives out `&[u8]` only, as above.
unsafe impl Sync for Stripe {}

impl Stripe {
    /// The stripe `index` of `region`. Each index is used once, and the stripe not longer than
    /// the region: `Extent::of` sees to both.
    fn of(region: &Region, index: usize) -> Stripe {
        let from = index * STRIPE_BYTES;
        let len = STRIPE_BYTES.min(region.layout.size() - from);
        // SAFETY: `from` is within the region, because `index` is below its count of stripes.
        Stripe { base: unsafe { region.base.add(from) }, len }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: initialized memory (zeroed at birth) of the extent, `len` bytes inside it;
        // changed through `bytes_mut` alone, which needs the stripe mutably.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; no other stripe covers these bytes, and this one is borrowed
        // mutably.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.len) }
    }
}

/// Takes bytes from the parts of a write, one after the other.
struct Gather<'p, 'b> {
    parts: &'p [IoSlice<'b>],
    /// Bytes of the first part that were taken.
    done: usize,
}

impl Gather<'_, '_> {
    /// Fills `to` with the next bytes, of which there are that many.
    fn fill(&mut self, mut to: &mut [u8]) {
        while let Some((first, others)) = self.parts.split_first()
            && !to.is_empty()
        {
            let n = to.len().min(first.len() - self.done);
            let (now, later) = to.split_at_mut(n);
            now.copy_from_slice(&first[self.done..self.done + n]);
            to = later;
            self.done += n;
            if self.done == first.len() {
                (self.parts, self.done) = (others, 0);
            }
        }
        debug_assert!(to.is_empty(), "a write fills what it covers");
    }
}

/// Memory from the allocator, freed on drop.
struct Region {
    base: NonNull<u8>,
    /// Not of size 0.
    layout: Layout,
}

// SAFETY: owned memory, like a Box; it can be freed by any thread.
unsafe impl Send for Region {}
// SAFETY: `&Region` gives no access to the bytes.
unsafe impl Sync for Region {}

impl Region {
    /// `len` > 0 bytes of zeros.
    fn zeroed(len: usize, align: usize) -> io::Result<Region> {
        Region::from_allocator(len, align, alloc::alloc_zeroed)
    }

    /// `len` > 0 bytes that were not written yet.
    fn unwritten(len: usize, align: usize) -> io::Result<Region> {
        Region::from_allocator(len, align, alloc::alloc)
    }

    fn from_allocator(
        len: usize,
        align: usize,
        allocate: unsafe fn(Layout) -> *mut u8,
    ) -> io::Result<Region> {
        let layout = Layout::from_size_align(len, align).map_err(|_| no_memory())?;
        if len == 0 {
            return Err(super::invalid("a region of no bytes"));
        }
        // SAFETY: the layout is not empty, checked above.
        let base = NonNull::new(unsafe { allocate(layout) }).ok_or_else(no_memory)?;
        Ok(Region { base, layout })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and dropped once.
        unsafe { alloc::dealloc(self.base.as_ptr(), self.layout) }
    }
}

/// A mapping in the making: a copy that is filled from its start. What is not filled is zeros.
pub(super) struct MappingCopy {
    /// Absent for a mapping of no bytes.
    region: Option<Region>,
    len: usize,
    /// Bytes from the start that are initialized.
    filled: usize,
}

impl MappingCopy {
    /// Room for `len` bytes.
    pub(super) fn new(len: usize) -> io::Result<MappingCopy> {
        let region = match len {
            0 => None,
            _ => Some(Region::unwritten(len, MAPPING_ALIGN)?),
        };
        Ok(MappingCopy { region, len, filled: 0 })
    }

    /// Copies `bytes` behind what is there, as many as there is room for.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Some(region) = &self.region else { return };
        let n = bytes.len().min(self.len - self.filled);
        // SAFETY: the region has `len` bytes, of which `[filled, filled + n)` are in it and
        // nobody else's: `bytes` is memory that was there before, and so elsewhere.
        unsafe { region.base.add(self.filled).copy_from_nonoverlapping(to_ptr(bytes), n) };
        self.filled += n;
    }

    /// The mapping.
    pub(super) fn finish(self) -> Mapping {
        unsafe fn free(base: *mut u8, len: usize) {
            // SAFETY: the caller's contract, and the layout that `MappingCopy::new` used for
            // this length.
            unsafe { alloc::dealloc(base, Layout::from_size_align_unchecked(len, MAPPING_ALIGN)) }
        }
        let Some(region) = self.region else { return Mapping::empty() };
        // SAFETY: `[filled, len)` is the rest of the region, which nobody else has.
        unsafe { region.base.add(self.filled).write_bytes(0, self.len - self.filled) };
        // From here on the mapping frees it.
        let region = std::mem::ManuallyDrop::new(region);
        // SAFETY: all `len` bytes are initialized and owned; `free` gives them back.
        unsafe { Mapping::new(region.base, self.len, free) }
    }
}

fn to_ptr(bytes: &[u8]) -> NonNull<u8> {
    NonNull::from(bytes).cast()
}

fn no_memory() -> io::Error {
    io::ErrorKind::OutOfMemory.into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;
    use crate::env::conformance;

    fn create(storage: &MemStorage) -> Arc<dyn File> {
        storage.open("file", OpenMode::Create).unwrap()
    }

    /// A byte that depends on its offset, with no period that a block size could hide.
    fn byte_at(offset: usize) -> u8 {
        ((offset.wrapping_mul(0x9E37_79B9)) >> 13) as u8
    }

    fn pattern(range: Range<usize>) -> Vec<u8> {
        range.map(byte_at).collect()
    }

    #[test]
    fn conforms() {
        conformance::check(&MemStorage::new());
    }

    #[test]
    fn bytes_come_back_across_stripes_and_extents() {
        let storage = MemStorage::new();
        let file = create(&storage);
        let len = EXTENT_BYTES_MIN as usize + 3 * STRIPE_BYTES + 12_345;
        let bytes = pattern(0..len);
        // Steps that are no divisor of anything; the file grows through several extents.
        for (i, chunk) in bytes.chunks(77_777).enumerate() {
            let (head, tail) = chunk.split_at(chunk.len() / 3);
            let parts = [IoSlice::new(head), IoSlice::new(&[]), IoSlice::new(tail)];
            file.write_at(i as u64 * 77_777, &parts).unwrap();
        }
        assert_eq!(file.len().unwrap(), len as u64);
        let mut read = vec![0; len];
        assert_eq!(file.read_at(0, &mut read).unwrap(), len);
        assert!(read == bytes);
        for from in [1, EXTENT_BYTES_MIN as usize - 1, STRIPE_BYTES - 3, 2 * STRIPE_BYTES + 1] {
            let mut some = vec![0; STRIPE_BYTES + 7];
            let n = file.read_at(from as u64, &mut some).unwrap();
            assert!(some[..n] == bytes[from..from + n] && n == some.len().min(len - from));
        }
        let mapping = file.map_private(len).unwrap();
        // SAFETY: the mapping is alive and nobody writes to it.
        assert!(unsafe { std::slice::from_raw_parts(mapping.as_ptr(), len) } == bytes);
    }

    #[test]
    fn one_write_may_cover_several_extents() {
        let storage = MemStorage::new();
        let file = create(&storage);
        file.allocate(EXTENT_BYTES_MIN).unwrap();
        file.allocate(3 * EXTENT_BYTES_MIN).unwrap();
        let bytes = pattern(0..5 * EXTENT_BYTES_MIN as usize);
        file.write_at(11, &[IoSlice::new(&bytes)]).unwrap();
        let mut read = vec![0; bytes.len()];
        file.read_at(11, &mut read).unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn growing_moves_nothing() {
        let content = Content::new(Arc::default());
        content.write(0, 5, &[IoSlice::new(b"hello")]).unwrap();
        let first = content.extents[0].get().unwrap().stripes[0].read().base;
        content.reserve(64 << 20).unwrap();
        assert_eq!(content.extents[0].get().unwrap().stripes[0].read().base, first);
        let mut read = [0; 5];
        content.read(0, &mut read);
        assert_eq!(&read, b"hello");
    }

    #[test]
    fn small_steps_need_few_extents() {
        let content = Content::new(Arc::default());
        for len in (0..(64u64 << 20)).step_by(4_096) {
            content.reserve(len).unwrap();
        }
        let extents = content.extents.iter().filter(|slot| slot.get().is_some()).count();
        assert!(extents <= 11, "{extents} extents for 64 MiB");
    }

    /// Bytes of the extent's memory that the kernel has backed with pages.
    #[cfg(all(target_os = "linux", not(miri)))]
    fn resident(extent: &Extent) -> usize {
        const OS_PAGE: usize = 4_096;
        let base = extent._region.base;
        let skip = base.align_offset(OS_PAGE);
        let mut pages = vec![0u8; (extent.len - skip) / OS_PAGE];
        // SAFETY: the range lies within the extent's allocation and starts on a page; `pages` has
        // a byte for each of its pages.
        let rc = unsafe {
            let from = base.add(skip).as_ptr().cast();
            libc::mincore(from, pages.len() * OS_PAGE, pages.as_mut_ptr())
        };
        assert_eq!(rc, 0);
        pages.iter().filter(|&&page| page & 1 == 1).count() * OS_PAGE
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn allocate_touches_nothing() {
        let (held, len) = (Arc::<AtomicU64>::default(), 1u64 << 30);
        let content = Content::new(held.clone());
        content.reserve(len).unwrap();
        content.write(len / 2, len / 2 + 1, &[IoSlice::new(b"x")]).unwrap();
        let resident = resident(content.extents[0].get().unwrap());
        // One page for the byte, or a huge one.
        assert!((1..=4 << 20).contains(&resident), "{resident} bytes are resident");
        assert_eq!(held.load(Ordering::Relaxed), len);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri stops where an allocator refuses")]
    fn too_much_is_an_error_and_changes_nothing() {
        let storage = MemStorage::new();
        let file = create(&storage);
        file.write_at(0, &[IoSlice::new(b"abc")]).unwrap();
        let held = storage.bytes();
        for len in [1 << 62, i64::MAX as u64, 1 << 50] {
            assert_eq!(file.allocate(len).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
            let far = file.write_at(len - 1, &[IoSlice::new(b"x")]);
            assert_eq!(far.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        }
        assert_eq!((storage.bytes(), file.len().unwrap()), (held, 3));
        file.write_at(3, &[IoSlice::new(b"def")]).unwrap();
        let mut read = [0; 6];
        file.read_at(0, &mut read).unwrap();
        assert_eq!(&read, b"abcdef");
    }

    #[test]
    fn bytes_are_held_until_name_and_handles_are_gone() {
        let storage = MemStorage::new();
        assert_eq!(storage.bytes(), 0);
        let file = create(&storage);
        assert_eq!(storage.bytes(), 0);
        file.allocate(16 << 20).unwrap();
        assert_eq!(storage.bytes(), 16 << 20);
        storage.remove("file").unwrap();
        assert_eq!(storage.bytes(), 16 << 20);
        let other = create(&storage);
        other.write_at(0, &[IoSlice::new(b"x")]).unwrap();
        drop(file);
        assert_eq!(storage.bytes(), EXTENT_BYTES_MIN);
        storage.remove("file").unwrap();
        drop(other);
        assert_eq!(storage.bytes(), 0);
    }

    #[test]
    fn files_outlive_their_storage() {
        let storage = MemStorage::new();
        let file = create(&storage);
        drop(storage);
        file.write_at(0, &[IoSlice::new(b"abc")]).unwrap();
        assert_eq!(file.len().unwrap(), 3);
    }

    #[test]
    fn the_lock_is_the_storages_own() {
        let (one, two) = (MemStorage::new(), MemStorage::new());
        let _one = one.lock().unwrap();
        let _two = two.lock().unwrap();
        assert!(one.lock().is_err());
    }

    /// Ends the readers when the appender is done, or panics.
    struct Finish<'a>(&'a AtomicUsize);

    impl Drop for Finish<'_> {
        fn drop(&mut self) {
            self.0.store(usize::MAX, Ordering::Release);
        }
    }

    /// One thread appends, others read what it says is there.
    #[test]
    fn readers_run_beside_an_appender() {
        let total = if cfg!(miri) { 60_000 } else { 6 * STRIPE_BYTES };
        let (storage, written) = (MemStorage::new(), AtomicUsize::new(0));
        let file = create(&storage);
        thread::scope(|scope| {
            for reader in 0..2 {
                let (file, written) = (&file, &written);
                scope.spawn(move || check_while_appended(&**file, written, reader));
            }
            let _finish = Finish(&written);
            for from in (0..total).step_by(9_973) {
                let to = total.min(from + 9_973);
                let bytes = pattern(from..to);
                let (head, tail) = bytes.split_at(bytes.len() / 2);
                let parts = [IoSlice::new(head), IoSlice::new(tail)];
                file.write_at(from as u64, &parts).unwrap();
                written.store(to, Ordering::Release);
            }
        });
        assert_eq!(file.len().unwrap(), total as u64);
    }

    fn check_while_appended(file: &dyn File, written: &AtomicUsize, seed: usize) {
        let (mut buf, mut round) = (vec![0; if cfg!(miri) { 300 } else { 20_000 }], seed);
        loop {
            let there = written.load(Ordering::Acquire);
            if there == usize::MAX {
                return;
            }
            let from = if there == 0 { 0 } else { round.wrapping_mul(7_919) % there };
            let n = file.read_at(from as u64, &mut buf).unwrap();
            let sure = n.min(there - from);
            assert!(n >= (there - from).min(buf.len()), "the length covers what was written");
            assert!(buf[..sure] == pattern(from..from + sure), "{sure} bytes from {from}");
            round += 1;
        }
    }

    /// Nothing to compare but that each byte is one of those written: for Miri and the sanitizer.
    #[test]
    fn overlapping_writes_are_no_data_race() {
        let (storage, rounds) = (MemStorage::new(), if cfg!(miri) { 5 } else { 200 });
        let file = create(&storage);
        thread::scope(|scope| {
            for value in 1..=2u8 {
                let file = &file;
                scope.spawn(move || {
                    for round in 0..rounds {
                        let at = EXTENT_BYTES_MIN - 50 + round * 1_000;
                        file.write_at(at, &[IoSlice::new(&[value; 5_000])]).unwrap();
                    }
                });
            }
            for round in 0..rounds {
                let mut buf = [0; 3_000];
                let n = file.read_at(round * 1_000, &mut buf).unwrap();
                assert!(buf[..n].iter().all(|&byte| byte <= 2));
            }
        });
    }

    #[test]
    fn concurrent_growth_keeps_every_write() {
        let (storage, threads, each) = (MemStorage::new(), 4, if cfg!(miri) { 3 } else { 40usize });
        let file = create(&storage);
        thread::scope(|scope| {
            for thread in 0..threads {
                let file = &file;
                scope.spawn(move || {
                    for i in 0..each {
                        let at = (i * threads + thread) * 10_007;
                        let bytes = pattern(at..at + 10_007);
                        file.write_at(at as u64, &[IoSlice::new(&bytes)]).unwrap();
                    }
                });
            }
        });
        let mut read = vec![0; threads * each * 10_007];
        assert_eq!(file.read_at(0, &mut read).unwrap(), read.len());
        assert!(read == pattern(0..read.len()));
    }
}
