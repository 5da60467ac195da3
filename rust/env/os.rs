//! The operating system's files and clocks.
//!
//! - Every name is resolved against the directory that was opened first (`openat` and its kin),
//!   so a state goes on in its own directory when that is moved or the process changes its own.
//! - Every descriptor is closed on exec.
//! - A call that a signal interrupts is repeated; a short transfer is continued.
//! - A failed sync is reported once and never repeated here: the kernel forgets the pages that it
//!   could not write, so a second, successful sync would say nothing about them.

use std::ffi::{CStr, CString};
use std::fs::{self, File as Handle, OpenOptions, TryLockError};
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

use libc::{c_int, off_t};

use super::{
    Clock, File, LOCK_NAME, Mapping, OpenMode, Storage, check_len, check_mapping, check_name,
    end_of_write,
};

/// Parts that one `pwritev` takes: `IOV_MAX` of Linux and macOS.
const PARTS_MAX: usize = 1024;
/// Bytes that one `pwritev` is given unless its first part alone is longer; macOS refuses more
/// than 2 GiB where Linux shortens.
const BATCH_BYTES_MAX: usize = 1 << 30;
/// Rights of a new file, before the process's umask.
const FILE_RIGHTS: libc::c_uint = 0o666;

/// A directory of the operating system.
///
/// ```
/// use mmsb::env::{OpenMode, OsStorage, Storage};
/// use std::io::IoSlice;
///
/// let dir = tempfile::tempdir()?;
/// let storage = OsStorage::create(&dir.path().join("state"))?;
/// let file = storage.open("log", OpenMode::Create)?;
/// file.write_at(0, &[IoSlice::new(b"hello, "), IoSlice::new(b"disk")])?;
/// file.sync()?;
/// storage.sync_dir()?;
///
/// let mut bytes = [0; 16];
/// assert_eq!(file.read_at(7, &mut bytes)?, 4);
/// assert_eq!(&bytes[..4], b"disk");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct OsStorage {
    dir: Handle,
    /// As the caller gave it; for messages only.
    path: PathBuf,
}

impl OsStorage {
    /// The directory `path`, which must exist.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, and whatever else opening a directory can say.
    pub fn new(path: &Path) -> io::Result<OsStorage> {
        let dir = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)?;
        Ok(OsStorage { dir, path: path.to_owned() })
    }

    /// The directory `path`, created where it is missing; its parents must exist. Once this
    /// returns, the directory's name survives a power cut.
    ///
    /// # Errors
    /// As [`OsStorage::new`], and those of creating a directory.
    pub fn create(path: &Path) -> io::Result<OsStorage> {
        let made = match fs::create_dir(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        let storage = OsStorage::new(path)?;
        match storage.sync_parent() {
            // Whoever made the directory answered for its name; we may not even read there.
            Err(error) if !made && error.kind() == io::ErrorKind::PermissionDenied => {}
            // A directory that exists is synced too: a process that died between the two calls
            // leaves one whose name is not durable yet.
            result => result?,
        }
        Ok(storage)
    }

    /// Makes the name of this directory durable. `..` is the directory that holds it, whatever
    /// symbolic links its path goes through.
    fn sync_parent(&self) -> io::Result<()> {
        sync_directory(&open_at(&self.dir, c"..", libc::O_RDONLY | libc::O_DIRECTORY)?)
    }
}

impl Storage for OsStorage {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let flags = match mode {
            // A pipe of that name must not keep the caller waiting for somebody who writes to it.
            OpenMode::Read => libc::O_RDONLY | libc::O_NONBLOCK,
            OpenMode::Write => libc::O_RDWR,
            OpenMode::Create => libc::O_RDWR | libc::O_CREAT | libc::O_EXCL,
        };
        Ok(Arc::new(OsFile { handle: open_at(&self.dir, &c_name(name)?, flags)? }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        // A descriptor of its own: the position in a listing belongs to the open directory.
        let dir = open_at(&self.dir, c".", libc::O_RDONLY | libc::O_DIRECTORY)?;
        let mut listing = Listing::new(dir)?;
        let mut names = Vec::new();
        while let Some(name) = listing.next_name()? {
            if !matches!(name.as_str(), "." | ".." | LOCK_NAME) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (c_name(from)?, c_name(to)?);
        let dir = self.dir.as_raw_fd();
        // SAFETY: both names are zero-terminated strings and `dir` an open directory, all of
        // which outlive the call.
        retry(|| unsafe { libc::renameat(dir, from.as_ptr(), dir, to.as_ptr()) })?;
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let name = c_name(name)?;
        let dir = self.dir.as_raw_fd();
        // SAFETY: `name` is a zero-terminated string and `dir` an open directory; both outlive
        // the call.
        retry(|| unsafe { libc::unlinkat(dir, name.as_ptr(), 0) })?;
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync_directory(&self.dir)
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        // `flock` belongs to the open file, not to the process: a second open here conflicts too.
        let file = open_at(&self.dir, &c_plain(LOCK_NAME)?, libc::O_RDWR | libc::O_CREAT)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(LockGuard { file, holder: std::process::id() })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn describe(&self, name: &str) -> String {
        if name.is_empty() {
            return self.path.display().to_string();
        }
        self.path.join(name).display().to_string()
    }
}

/// Holds the directory's lock.
struct LockGuard {
    file: Handle,
    /// The process that took the lock.
    holder: u32,
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        // Closing alone would leave the lock with the children that a fork gave the descriptor
        // to; unlocking in such a child would take it from the parent, which still counts on it.
        if self.holder == std::process::id() {
            // Nothing to do about a failure: the close that follows lets go as well.
            let _ = self.file.unlock();
        }
    }
}

/// An open file of the operating system.
#[derive(Debug)]
struct OsFile {
    handle: Handle,
}

impl File for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.handle.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        check_len(offset)?;
        read_full(offset, buf, |at, rest| self.handle.read_at(rest, at))
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        end_of_write(offset, parts)?;
        write_parts(offset, parts, |at, batch| match batch {
            [only] => self.handle.write_at(only, at),
            many => pwritev(&self.handle, at, many),
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        check_len(len)?;
        if len == 0 {
            return Ok(());
        }
        reserve(&self.handle, len)
    }

    /// `fdatasync` where there is one (it covers the length), `F_FULLFSYNC` on macOS.
    fn sync(&self) -> io::Result<()> {
        self.handle.sync_data()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn start_sync(&self, offset: u64, len: u64) {
        let (fd, flags) = (self.handle.as_raw_fd(), libc::SYNC_FILE_RANGE_WRITE);
        // SAFETY: the file is open; the call reads nothing of this process.
        unsafe { libc::sync_file_range(fd, offset as i64, len as i64, flags) };
    }

    fn map_private(&self, len: usize) -> io::Result<Mapping> {
        check_mapping(len, self.len()?)?;
        if len == 0 {
            return Ok(Mapping::empty());
        }
        map(&self.handle, len)
    }
}

/// The operating system's clocks.
///
/// ```
/// use mmsb::env::{Clock, OsClock};
/// let before = OsClock.monotonic_ns();
/// assert!(OsClock.monotonic_ns() >= before);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OsClock;

/// The wall clock as of the last timer tick: 4 ns to read where the exact one takes 20.
#[cfg(any(target_os = "linux", target_os = "android"))]
const WALL_CLOCK: libc::clockid_t = libc::CLOCK_REALTIME_COARSE;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const WALL_CLOCK: libc::clockid_t = libc::CLOCK_REALTIME;

impl Clock for OsClock {
    fn wall_ms(&self) -> u64 {
        let now = read_clock(WALL_CLOCK);
        from_timespec(now, 1_000, 1_000_000)
    }

    fn monotonic_ns(&self) -> u64 {
        let now = read_clock(libc::CLOCK_MONOTONIC);
        from_timespec(now, 1_000_000_000, 1)
    }
}

fn read_clock(id: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a timespec that the call may write to.
    let rc = unsafe { libc::clock_gettime(id, &mut now) };
    debug_assert_eq!(rc, 0, "both clocks exist on every system that we build for");
    now
}

/// `now` in units of `1 / per_second` seconds; before 1970 is 0.
fn from_timespec(now: libc::timespec, per_second: u64, ns_per_unit: u64) -> u64 {
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let ns = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(per_second).saturating_add(ns / ns_per_unit)
}

/// `name` as the system wants it, if a caller may use it.
fn c_name(name: &str) -> io::Result<CString> {
    check_name(name)?;
    c_plain(name)
}

fn c_plain(name: &str) -> io::Result<CString> {
    Ok(CString::new(name)?)
}

/// Opens `name` in `dir`, closed on exec.
fn open_at(dir: &Handle, name: &CStr, flags: c_int) -> io::Result<Handle> {
    let flags = flags | libc::O_CLOEXEC;
    let dir = dir.as_raw_fd();
    // SAFETY: `name` is a zero-terminated string and `dir` an open directory; both outlive the
    // call.
    let fd = retry(|| unsafe { libc::openat(dir, name.as_ptr(), flags, FILE_RIGHTS) })?;
    // SAFETY: `openat` just gave us this descriptor; nobody else owns it.
    Ok(unsafe { Handle::from_raw_fd(fd) })
}

/// Makes the names in `dir` durable.
fn sync_directory(dir: &Handle) -> io::Result<()> {
    match dir.sync_all() {
        // Some file systems have nothing to sync in a directory and say so with EINVAL.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        result => result,
    }
}

/// The entries of a directory, one after the other.
struct Listing {
    stream: NonNull<libc::DIR>,
}

impl Listing {
    fn new(dir: Handle) -> io::Result<Listing> {
        let fd = dir.into_raw_fd();
        // SAFETY: `fd` is an open directory that we own; on success the stream owns it.
        let stream = unsafe { libc::fdopendir(fd) };
        NonNull::new(stream).map(|stream| Listing { stream }).ok_or_else(|| {
            let error = io::Error::last_os_error();
            // SAFETY: the stream was not made, so `fd` is still ours alone.
            drop(unsafe { Handle::from_raw_fd(fd) });
            error
        })
    }

    /// The next name. One that is not UTF-8 cannot be a caller's; it is shown with replacement
    /// characters, so that a directory that holds it does not look empty.
    fn next_name(&mut self) -> io::Result<Option<String>> {
        clear_errno();
        // SAFETY: the stream is open until drop, and `&mut self` is its only user.
        let entry = unsafe { libc::readdir(self.stream.as_ptr()) };
        if entry.is_null() {
            // The end and a failure look alike but for errno, which was cleared above.
            let error = io::Error::last_os_error();
            return if error.raw_os_error() == Some(0) { Ok(None) } else { Err(error) };
        }
        // SAFETY: `readdir` returned an entry that stays valid until its next call on this
        // stream, and its name is zero-terminated.
        let name = unsafe { CStr::from_ptr((&raw const (*entry).d_name).cast()) };
        Ok(Some(name.to_string_lossy().into_owned()))
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        // SAFETY: the stream is open and not used afterwards.
        unsafe { libc::closedir(self.stream.as_ptr()) };
    }
}

fn clear_errno() {
    #[cfg(target_os = "linux")]
    // SAFETY: the returned pointer is this thread's own errno.
    unsafe {
        *libc::__errno_location() = 0;
    }
    #[cfg(target_vendor = "apple")]
    // SAFETY: the returned pointer is this thread's own errno.
    unsafe {
        *libc::__error() = 0;
    }
}

/// Repeats `call` while a signal interrupts it; -1 is an error.
fn retry(mut call: impl FnMut() -> c_int) -> io::Result<c_int> {
    loop {
        let rc = call();
        if rc != -1 {
            return Ok(rc);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Fills `buf` from `offset` by as many `read`s as it takes, up to the end of the file.
fn read_full(
    offset: u64,
    buf: &mut [u8],
    mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match read(offset + filled as u64, &mut buf[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes `parts` one after the other from `offset` on, by as many `write`s as it takes.
fn write_parts(
    mut offset: u64,
    parts: &[IoSlice<'_>],
    mut write: impl FnMut(u64, &[IoSlice<'_>]) -> io::Result<usize>,
) -> io::Result<()> {
    let mut rest = parts;
    // Bytes of `rest[0]` that are written already. `parts` are not ours to advance, and a copy
    // of them all would be made for nothing: a short write is rare.
    let mut done = 0;
    loop {
        (rest, done) = skip_written(rest, done);
        let Some(first) = rest.first() else { return Ok(()) };
        let written = if done == 0 {
            write(offset, batch_of(rest))
        } else {
            write(offset, &[IoSlice::new(&first[done..])])
        };
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                offset += n as u64;
                done += n;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Drops the parts that `done` bytes cover, and empty ones; returns what of `done` is left in the
/// first of the others.
fn skip_written<'p, 'b>(
    mut parts: &'p [IoSlice<'b>],
    mut done: usize,
) -> (&'p [IoSlice<'b>], usize) {
    while let Some((first, others)) = parts.split_first() {
        if done < first.len() {
            break;
        }
        done -= first.len();
        parts = others;
    }
    (parts, done)
}

/// The first of `parts`, as many as one call takes and at least one.
fn batch_of<'p, 'b>(parts: &'p [IoSlice<'b>]) -> &'p [IoSlice<'b>] {
    let mut bytes = 0usize;
    let fits = |part: &&IoSlice<'_>| {
        bytes = bytes.saturating_add(part.len());
        bytes <= BATCH_BYTES_MAX
    };
    let count = parts.iter().take(PARTS_MAX).take_while(fits).count();
    &parts[..count.max(1)]
}

fn pwritev(handle: &Handle, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let count = c_int::try_from(parts.len()).unwrap_or(c_int::MAX);
    let offset = to_off_t(offset)?;
    // SAFETY: an IoSlice has the layout of an iovec, `count` does not exceed their number, and
    // the bytes that they name stay borrowed during the call.
    let rc = unsafe { libc::pwritev(handle.as_raw_fd(), parts.as_ptr().cast(), count, offset) };
    usize::try_from(rc).map_err(|_| io::Error::last_os_error())
}

/// Offsets are checked against `FILE_BYTES_MAX` before; a 32-bit system has a smaller limit.
fn to_off_t(n: u64) -> io::Result<off_t> {
    off_t::try_from(n).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

/// Reserves space for the first `len` bytes, which become the file's length if it is shorter.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn reserve(handle: &Handle, len: u64) -> io::Result<()> {
    let (fd, bytes) = (handle.as_raw_fd(), to_off_t(len)?);
    // SAFETY: a call on an open descriptor with plain numbers.
    match retry(|| unsafe { libc::fallocate(fd, 0, 0, bytes) }) {
        Err(error) if is_unsupported(&error) => extend_with_zeros(handle, len),
        result => result.map(|_| ()),
    }
}

/// As above, in two steps: macOS reserves without changing the length.
#[cfg(target_vendor = "apple")]
fn reserve(handle: &Handle, len: u64) -> io::Result<()> {
    let have = handle.metadata()?.len();
    if len <= have {
        return Ok(());
    }
    let mut request = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: to_off_t(len - have)?,
        fst_bytesalloc: 0,
    };
    let fd = handle.as_raw_fd();
    // SAFETY: `request` is the structure that F_PREALLOCATE reads and writes.
    match retry(|| unsafe { libc::fcntl(fd, libc::F_PREALLOCATE, &raw mut request) }) {
        Err(error) if is_unsupported(&error) => extend_with_zeros(handle, len),
        result => result.and_then(|_| handle.set_len(len)),
    }
}

/// As above, where the system offers no reservation.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn reserve(handle: &Handle, len: u64) -> io::Result<()> {
    extend_with_zeros(handle, len)
}

/// Whether the file system, not the disk, is why a reservation failed.
fn is_unsupported(error: &io::Error) -> bool {
    // The first two are one number on Linux, two on macOS.
    let code = error.raw_os_error();
    [libc::EOPNOTSUPP, libc::ENOTSUP, libc::ENOSYS].iter().any(|&known| code == Some(known))
}

/// Reserves by writing. Only past the end: what is there must not be written over.
fn extend_with_zeros(handle: &Handle, len: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut at = handle.metadata()?.len();
    while at < len {
        let step = (len - at).min(ZEROS.len() as u64);
        handle.write_all_at(&ZEROS[..step as usize], at)?;
        at += step;
    }
    Ok(())
}

/// Maps the first `len` > 0 bytes. Nothing is reserved for the pages that writes will copy, so
/// that a large image can be opened on a small machine.
fn map(handle: &Handle, len: usize) -> io::Result<Mapping> {
    unsafe fn unmap(base: *mut u8, len: usize) {
        // SAFETY: the caller's contract: a mapping of `len` bytes that nobody uses any more.
        unsafe { libc::munmap(base.cast(), len) };
    }
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE;
    let fd = handle.as_raw_fd();
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
    let base = unsafe { libc::mmap(std::ptr::null_mut(), len, rights, flags, fd, 0) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
    // SAFETY: `base` is a private, writable mapping of `len` bytes, which `unmap` takes away. The
    // file reaches that far (`map_private` checked) and nothing in this room shortens files.
    Ok(unsafe { Mapping::new(base, len, unmap) })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;
    use crate::env::conformance;

    fn storage() -> (TempDir, OsStorage) {
        let dir = tempfile::tempdir().unwrap();
        let storage = OsStorage::new(dir.path()).unwrap();
        (dir, storage)
    }

    fn open_handle(dir: &TempDir, name: &str) -> Handle {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.path().join(name))
            .unwrap()
    }

    #[test]
    fn conforms() {
        let (_dir, storage) = storage();
        conformance::check(&storage);
    }

    #[test]
    fn new_wants_a_directory_and_create_makes_one_level() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let kind = |result: io::Result<OsStorage>| result.unwrap_err().kind();
        assert_eq!(kind(OsStorage::new(&path)), io::ErrorKind::NotFound);
        assert_eq!(kind(OsStorage::create(&path.join("deeper"))), io::ErrorKind::NotFound);
        let made = OsStorage::create(&path).unwrap();
        made.open("kept", OpenMode::Create).unwrap();
        assert_eq!(OsStorage::create(&path).unwrap().list().unwrap(), ["kept"]);
        assert_eq!(OsStorage::new(&path).unwrap().list().unwrap(), ["kept"]);
        let file = path.join("kept");
        assert_eq!(kind(OsStorage::new(&file)), io::ErrorKind::NotADirectory);
        assert_eq!(kind(OsStorage::create(&file)), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn a_moved_directory_stays_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        let storage = OsStorage::create(&old).unwrap();
        fs::rename(&old, &new).unwrap();
        storage.open("file", OpenMode::Create).unwrap();
        assert_eq!(storage.list().unwrap(), ["file"]);
        assert!(new.join("file").exists());
    }

    #[test]
    fn describes_paths() {
        let storage = OsStorage::new(Path::new("/")).unwrap();
        assert_eq!(storage.describe(""), "/");
        assert_eq!(storage.describe("log"), "/log");
    }

    #[test]
    fn descriptors_are_closed_on_exec() {
        let (_dir, storage) = storage();
        let handle = open_at(&storage.dir, c".", libc::O_RDONLY).unwrap();
        for handle in [&handle, &storage.dir] {
            // SAFETY: a query on an open descriptor.
            let flags = unsafe { libc::fcntl(handle.as_raw_fd(), libc::F_GETFD) };
            assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
        }
    }

    #[test]
    fn names_that_are_not_utf8_are_listed() {
        use std::os::unix::ffi::OsStrExt;
        let (dir, storage) = storage();
        fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"a\xFFb")), b"").unwrap();
        fs::create_dir(dir.path().join("below")).unwrap();
        assert_eq!(storage.list().unwrap(), ["a\u{FFFD}b", "below"]);
    }

    #[test]
    fn more_parts_than_one_call_takes() {
        let (_dir, storage) = storage();
        let file = storage.open("many", OpenMode::Create).unwrap();
        let bytes: Vec<u8> = (0..3 * PARTS_MAX + 7).map(|i| (i % 251) as u8).collect();
        // Empty parts in between, and more of them in a row than a call takes.
        let mut parts = vec![IoSlice::new(&[]); PARTS_MAX + 1];
        parts.extend(bytes.chunks(1).flat_map(|one| [IoSlice::new(one), IoSlice::new(&[])]));
        file.write_at(5, &parts).unwrap();
        let mut read = vec![0; bytes.len() + 1];
        assert_eq!(file.read_at(5, &mut read).unwrap(), bytes.len());
        assert_eq!(read[..bytes.len()], bytes);
        assert_eq!(file.len().unwrap(), 5 + bytes.len() as u64);
    }

    #[test]
    fn short_and_interrupted_writes_are_continued() {
        let pieces: [&[u8]; 6] = [b"", b"one", b"", b"three", b"x", b"fifteen"];
        let parts: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let whole = pieces.concat();
        for step in 1..=whole.len() {
            let (mut written, mut calls) = (Vec::new(), 0);
            write_parts(100, &parts, |at, batch| {
                calls += 1;
                assert_eq!(at, 100 + written.len() as u64);
                if calls % 3 == 2 {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                let bytes: Vec<u8> = batch.iter().flat_map(|part| part.iter().copied()).collect();
                let n = step.min(bytes.len());
                written.extend_from_slice(&bytes[..n]);
                Ok(n)
            })
            .unwrap();
            assert_eq!(written, whole, "{step} bytes a call");
        }
    }

    #[test]
    fn a_write_that_makes_no_progress_fails() {
        let parts = [IoSlice::new(b"abc")];
        let error = write_parts(0, &parts, |_, _| Ok(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        let full = || io::Error::from_raw_os_error(libc::ENOSPC);
        let error = write_parts(0, &parts, |_, _| Err(full())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn short_and_interrupted_reads_are_continued() {
        let content = b"0123456789";
        let mut calls = 0;
        let mut buf = [0; 8];
        let n = read_full(4, &mut buf, |at, rest| {
            calls += 1;
            if calls == 2 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let left = &content[at as usize..];
            let n = left.len().min(rest.len()).min(4);
            rest[..n].copy_from_slice(&left[..n]);
            Ok(n)
        });
        assert_eq!(n.unwrap(), 6);
        assert_eq!(&buf, b"456789\0\0");
    }

    #[test]
    fn a_batch_is_bounded_in_parts_and_bytes() {
        let (small, large) = ([0u8; 1], vec![0u8; BATCH_BYTES_MAX / 2 + 1]);
        let many = vec![IoSlice::new(&small); PARTS_MAX * 2];
        assert_eq!(batch_of(&many).len(), PARTS_MAX);
        let (small, large) = (IoSlice::new(&small), IoSlice::new(&large));
        assert_eq!(batch_of(&[large, small, large]).len(), 2);
        assert_eq!(batch_of(&[large, large]).len(), 1);
    }

    #[test]
    fn the_fallback_of_allocate_only_appends() {
        let dir = tempfile::tempdir().unwrap();
        let handle = open_handle(&dir, "file");
        handle.write_all_at(b"content", 0).unwrap();
        extend_with_zeros(&handle, 200_000).unwrap();
        assert_eq!(handle.metadata().unwrap().len(), 200_000);
        let bytes = fs::read(dir.path().join("file")).unwrap();
        assert!(bytes.starts_with(b"content") && bytes[7..].iter().all(|&byte| byte == 0));
        extend_with_zeros(&handle, 3).unwrap();
        assert_eq!(handle.metadata().unwrap().len(), 200_000);
    }

    #[test]
    fn allocate_reserves_blocks() {
        use std::os::unix::fs::MetadataExt;
        let (dir, storage) = storage();
        let file = storage.open("file", OpenMode::Create).unwrap();
        file.allocate(1 << 20).unwrap();
        let blocks = fs::metadata(dir.path().join("file")).unwrap().blocks();
        assert!(blocks * 512 >= 1 << 20, "{blocks} blocks of 512 bytes");
    }

    /// Not a test of its own: [`the_lock_holds_between_processes`] runs it in a child.
    #[test]
    fn lock_in_child() {
        let Some(path) = std::env::var_os("MMSB_TEST_LOCK_PATH") else { return };
        let result = OsStorage::new(Path::new(&path)).unwrap().lock();
        println!("lock: {:?}", result.map(|_| ()).map_err(|error| error.kind()));
    }

    fn lock_seen_by_child(dir: &TempDir) -> String {
        let here = module_path!().split_once("::").unwrap().1;
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", &format!("{here}::lock_in_child")])
            .env("MMSB_TEST_LOCK_PATH", dir.path())
            .output()
            .unwrap();
        let output = String::from_utf8(child.stdout).unwrap();
        let at = output.find("lock: ").unwrap_or_else(|| panic!("no answer in {output}"));
        output[at + 6..].lines().next().unwrap().to_owned()
    }

    #[test]
    fn the_lock_holds_between_processes() {
        let (dir, storage) = storage();
        let guard = storage.lock().unwrap();
        assert_eq!(lock_seen_by_child(&dir), "Err(WouldBlock)");
        drop(guard);
        assert_eq!(lock_seen_by_child(&dir), "Ok(())");
        storage.lock().unwrap();
    }

    #[test]
    fn the_lock_holds_between_storages_of_one_process() {
        let (dir, storage) = storage();
        let other = OsStorage::new(dir.path()).unwrap();
        let guard = storage.lock().unwrap();
        let refused = other.lock().map(|_| ()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(guard);
        other.lock().unwrap();
    }

    #[test]
    fn a_copy_in_another_process_does_not_unlock() {
        let (_dir, storage) = storage();
        let guard = storage.lock().unwrap();
        let lock = open_at(&storage.dir, c"LOCK", libc::O_RDWR).unwrap();
        drop(LockGuard { file: lock, holder: std::process::id() });
        assert!(storage.lock().is_err(), "another descriptor's unlock is not ours");
        drop(guard);
        // A guard whose descriptor a fork copied shares the lock with the original.
        let taken = open_at(&storage.dir, c"LOCK", libc::O_RDWR).unwrap();
        taken.lock().unwrap();
        let inherited = LockGuard { file: taken.try_clone().unwrap(), holder: u32::MAX };
        drop(inherited);
        assert!(storage.lock().is_err(), "the original still holds the lock");
        drop(LockGuard { file: taken, holder: std::process::id() });
        storage.lock().unwrap();
    }

    #[test]
    fn wall_clock_is_now() {
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
        let read = OsClock.wall_ms();
        assert!(read.abs_diff(now) < 1_000, "{read} against {now}");
    }

    #[test]
    fn monotonic_clock_counts_nanoseconds() {
        let (start, ours) = (std::time::Instant::now(), OsClock.monotonic_ns());
        std::thread::sleep(std::time::Duration::from_millis(20));
        let ours = OsClock.monotonic_ns() - ours;
        let real = start.elapsed().as_nanos() as u64;
        assert!((20_000_000..=real).contains(&ours), "{ours} ns of {real}");
    }

    #[test]
    fn times_before_1970_are_0() {
        let long_ago = libc::timespec { tv_sec: -5, tv_nsec: 0 };
        assert_eq!(from_timespec(long_ago, 1_000, 1_000_000), 0);
    }
}
