//! The only door outside: files, clocks and randomness.
//!
//! ```text
//!   log, checkpoint, state
//!            |
//!      Storage  File  Clock          traits of this page
//!       /      |      \
//!    os.rs   mem.rs   sim.rs         the real ones | plain memory | memory with faults from a seed
//! ```
//!
//! A [`Storage`] is one directory. Nothing outside this room opens a file, reads a clock or asks
//! for randomness, so that a run over `sim` is a function of its seed.
//!
//! Durability, as every implementation keeps it and every caller relies on it:
//! - bytes written survive a crash of the process at once, and a power cut once [`File::sync`] of
//!   that file returned;
//! - a created, renamed or removed name survives a power cut once [`Storage::sync_dir`] returned;
//! - after a failed sync nothing may be assumed of what was written since the last good one.
//!
//! Nothing here shortens a file, retries a failed sync or knows what the bytes mean. The three
//! storages answer alike, refusals included: `conformance.rs` runs one list of checks over each.

#[cfg(test)]
mod conformance;
mod mem;
mod os;
pub mod sim;

use crate::stdx::sched;
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;

pub use mem::MemStorage;
pub use os::{OsClock, OsStorage};

/// How [`Storage::open`] opens a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// A file that must not exist yet, for reading and writing.
    Create,
}

/// The file that [`Storage::lock`] locks, where locking needs one. No caller's file has this name.
const LOCK_NAME: &str = "LOCK";

/// The longest that a file can be, bytes: what the operating system's signed offsets reach.
const FILE_BYTES_MAX: u64 = i64::MAX as u64;

/// One directory of files.
///
/// Names are plain, and checked: empty, `.`, `..`, `LOCK` and whatever holds `/` or a zero byte
/// are refused as `InvalidInput`.
pub trait Storage: Send + Sync + fmt::Debug {
    /// Opens or creates the file `name`.
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    /// The names in the directory, sorted; never `LOCK`.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Gives `from` the name `to`, replacing what had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Takes the name away; open files of it stay readable.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals up to now durable.
    fn sync_dir(&self) -> io::Result<()>;
    /// Takes the directory for this holder alone until the guard is dropped; `WouldBlock` if
    /// another holder, in this process or another, has it.
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>>;
    /// What to call the file `name` in a message: its path. `""` is the directory itself.
    fn describe(&self, name: &str) -> String;
}

/// One open file. All calls take offsets; there is no cursor. Calls may run side by side: a read
/// that meets a write of the same bytes sees old ones, new ones or a mix. Writing to a file that
/// was opened with [`OpenMode::Read`] fails.
#[allow(clippy::len_without_is_empty, reason = "nobody asks a file that")]
pub trait File: Send + Sync + fmt::Debug {
    /// Bytes in the file.
    fn len(&self) -> io::Result<u64>;
    /// Fills `buf` from `offset`; returns fewer bytes only at the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes all of `parts`, one after the other, from `offset` on.
    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()>;
    /// Reserves space so that writes below `len` cannot run out of it, and extends the file to
    /// `len` with zeros. Never shortens. Not to be run beside a write past the file's end; after
    /// an error the file may have grown in part.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Makes written bytes and the length durable.
    fn sync(&self) -> io::Result<()>;
    /// Has the device start on `[offset, offset + len)`, so that less is left to a later
    /// [`sync`](Self::sync), which reports what fails. A hint: it waits for nothing and makes
    /// nothing durable.
    fn start_sync(&self, _offset: u64, _len: u64) {}
    /// Maps `[0, len)` privately: writes to the mapping never reach the file. `len` must not
    /// exceed the file's length. What the file's bytes are overwritten with afterwards may show
    /// in the mapping or not: map files that no longer change.
    fn map_private(&self, len: usize) -> io::Result<Mapping>;
}

/// Time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Milliseconds since 1970-01-01 UTC; a coarse clock is enough (a few ms of resolution).
    fn wall_ms(&self) -> u64;
    /// Nanoseconds since some fixed moment, never going back.
    fn monotonic_ns(&self) -> u64;
}

/// Alignment of every mapping, bytes.
const MAPPING_ALIGN: usize = 4_096;

/// Private, writable memory that shows a file's content, 4,096-byte aligned. Freed on drop.
pub struct Mapping {
    base: std::ptr::NonNull<u8>,
    len: usize,
    /// Frees `base` and `len`: what made the mapping knows how.
    free: unsafe fn(*mut u8, usize),
}

// SAFETY: a mapping is owned memory like a Box<[u8]>; who writes to it through `base` answers for
// races, as with any raw pointer.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// # Safety
    /// `base` is valid for reads and writes of `len` bytes until `free(base, len)`, which may be
    /// called once, from any thread.
    unsafe fn new(
        base: std::ptr::NonNull<u8>,
        len: usize,
        free: unsafe fn(*mut u8, usize),
    ) -> Self {
        Mapping { base, len, free }
    }

    /// The mapping of no bytes.
    fn empty() -> Self {
        #[repr(align(4096))]
        struct Aligned;
        const _: () = assert!(align_of::<Aligned>() == MAPPING_ALIGN);
        unsafe fn free_nothing(_base: *mut u8, _len: usize) {}
        // SAFETY: any address but null is valid for access to no bytes.
        unsafe { Mapping::new(std::ptr::NonNull::<Aligned>::dangling().cast(), 0, free_nothing) }
    }

    /// Start of the memory.
    pub fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `new`'s contract, and drop runs once.
        unsafe { (self.free)(self.base.as_ptr(), self.len) }
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} bytes)", self.len)
    }
}

/// Fills `buf` with randomness from the operating system, for identities, not for keys; on a
/// simulated thread by the simulation's seed.
pub fn random(buf: &mut [u8]) -> io::Result<()> {
    if sched::random(buf) {
        return Ok(());
    }
    getrandom::fill(buf).map_err(|error| io::Error::other(error.to_string()))
}

/// Refuses what is not a plain name.
fn check_name(name: &str) -> io::Result<()> {
    let reserved = matches!(name, "" | "." | ".." | LOCK_NAME);
    if reserved || name.contains(['/', '\0']) {
        return Err(invalid("not a plain file name"));
    }
    Ok(())
}

/// Refuses a length that no file can have.
fn check_len(len: u64) -> io::Result<()> {
    if len > FILE_BYTES_MAX { Err(invalid("longer than a file can be")) } else { Ok(()) }
}

/// Refuses to map beyond the end of a file of `file_len` bytes.
fn check_mapping(len: usize, file_len: u64) -> io::Result<()> {
    if len as u64 > file_len {
        return Err(invalid("a mapping may not reach past the end of its file"));
    }
    Ok(())
}

/// Where a write of `parts` at `offset` ends.
fn end_of_write(offset: u64, parts: &[IoSlice<'_>]) -> io::Result<u64> {
    let end = parts.iter().try_fold(offset, |end, part| end.checked_add(part.len() as u64));
    let end = end.ok_or_else(|| invalid("longer than a file can be"))?;
    check_len(end)?;
    Ok(end)
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// What the operating system answers to a write through a handle that was opened for reading.
fn not_writable() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}
