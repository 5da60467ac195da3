//! What every storage does, checked in one place and run over each of them.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::{File, OpenMode, Storage};

/// Runs every check over an empty `storage`.
pub(super) fn check(storage: &dyn Storage) {
    assert!(storage.list().unwrap().is_empty(), "the checks start from nothing");
    for check in [
        bytes_come_back,
        empty_parts_write_nothing,
        reading_stops_at_the_end,
        a_gap_reads_as_zeros,
        allocate_extends_and_never_shortens,
        create_refuses_what_exists,
        open_refuses_what_is_missing,
        reading_handles_do_not_write,
        only_plain_names,
        lengths_have_a_limit,
        names_are_sorted_and_change,
        rename_replaces,
        removed_files_stay_readable,
        mappings_are_private_copies,
        mappings_end_with_the_file,
        the_lock_is_exclusive,
    ] {
        check(storage);
        remove_all(storage);
    }
}

fn remove_all(storage: &dyn Storage) {
    for name in storage.list().unwrap() {
        storage.remove(&name).unwrap();
    }
    storage.sync_dir().unwrap();
}

fn create(storage: &dyn Storage, name: &str, bytes: &[u8]) -> Arc<dyn File> {
    let file = storage.open(name, OpenMode::Create).unwrap();
    file.write_at(0, &[IoSlice::new(bytes)]).unwrap();
    file
}

fn content(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0xEE; file.len().unwrap() as usize];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

fn kind_of<T>(result: io::Result<T>) -> io::ErrorKind {
    result.map(|_| ()).unwrap_err().kind()
}

fn bytes_come_back(storage: &dyn Storage) {
    let file = create(storage, "file", b"0123456789");
    file.write_at(3, &[IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")]).unwrap();
    assert_eq!(content(&*file), b"012abcde89");
    file.write_at(9, &[IoSlice::new(b"XYZ")]).unwrap();
    file.sync().unwrap();
    assert_eq!(content(&*file), b"012abcde8XYZ");
    let other = storage.open("file", OpenMode::Read).unwrap();
    assert_eq!(content(&*other), b"012abcde8XYZ");
}

fn empty_parts_write_nothing(storage: &dyn Storage) {
    let file = create(storage, "file", b"abc");
    file.write_at(100, &[]).unwrap();
    file.write_at(100, &[IoSlice::new(b""), IoSlice::new(b"")]).unwrap();
    assert_eq!(file.len().unwrap(), 3);
}

fn reading_stops_at_the_end(storage: &dyn Storage) {
    let file = create(storage, "file", b"abcdef");
    let mut buf = [0xEE; 4];
    assert_eq!(file.read_at(4, &mut buf).unwrap(), 2);
    assert_eq!(&buf, b"ef\xEE\xEE");
    assert_eq!(file.read_at(6, &mut buf).unwrap(), 0);
    assert_eq!(file.read_at(1 << 40, &mut buf).unwrap(), 0);
    assert_eq!(file.read_at(0, &mut []).unwrap(), 0);
}

fn a_gap_reads_as_zeros(storage: &dyn Storage) {
    let file = create(storage, "file", b"abc");
    file.write_at(9_000, &[IoSlice::new(b"z")]).unwrap();
    let bytes = content(&*file);
    assert_eq!(bytes.len(), 9_001);
    assert!(bytes.starts_with(b"abc") && bytes.ends_with(b"z"));
    assert!(bytes[3..9_000].iter().all(|&byte| byte == 0));
}

fn allocate_extends_and_never_shortens(storage: &dyn Storage) {
    let file = create(storage, "file", b"abc");
    file.allocate(10_000).unwrap();
    assert_eq!(file.len().unwrap(), 10_000);
    file.allocate(5_000).unwrap();
    file.allocate(0).unwrap();
    assert_eq!(file.len().unwrap(), 10_000);
    file.write_at(9_998, &[IoSlice::new(b"12345")]).unwrap();
    let bytes = content(&*file);
    assert!(bytes.starts_with(b"abc\0") && bytes.ends_with(b"\x0012345"));
    assert!(bytes[3..9_998].iter().all(|&byte| byte == 0));
}

fn create_refuses_what_exists(storage: &dyn Storage) {
    create(storage, "file", b"abc");
    assert_eq!(kind_of(storage.open("file", OpenMode::Create)), io::ErrorKind::AlreadyExists);
    assert_eq!(content(&*storage.open("file", OpenMode::Read).unwrap()), b"abc");
}

fn open_refuses_what_is_missing(storage: &dyn Storage) {
    assert_eq!(kind_of(storage.open("none", OpenMode::Read)), io::ErrorKind::NotFound);
    assert_eq!(kind_of(storage.open("none", OpenMode::Write)), io::ErrorKind::NotFound);
    assert_eq!(kind_of(storage.remove("none")), io::ErrorKind::NotFound);
    assert_eq!(kind_of(storage.rename("none", "some")), io::ErrorKind::NotFound);
    assert!(storage.list().unwrap().is_empty());
}

fn reading_handles_do_not_write(storage: &dyn Storage) {
    create(storage, "file", b"abc");
    let file = storage.open("file", OpenMode::Read).unwrap();
    let refused = file.write_at(0, &[IoSlice::new(b"X")]).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EBADF));
    assert_eq!(file.allocate(100).unwrap_err().raw_os_error(), Some(libc::EBADF));
    assert_eq!(content(&*file), b"abc");
    let file = storage.open("file", OpenMode::Write).unwrap();
    file.write_at(0, &[IoSlice::new(b"X")]).unwrap();
    assert_eq!(content(&*file), b"Xbc");
}

fn only_plain_names(storage: &dyn Storage) {
    create(storage, "plain", b"");
    for name in ["", ".", "..", "LOCK", "/", "a/b", "/tmp/x", "../plain", "a\0b", "plain/"] {
        for mode in [OpenMode::Read, OpenMode::Write, OpenMode::Create] {
            let kind = kind_of(storage.open(name, mode));
            assert_eq!(kind, io::ErrorKind::InvalidInput, "{name:?} {mode:?}");
        }
        assert_eq!(kind_of(storage.remove(name)), io::ErrorKind::InvalidInput, "{name:?}");
        assert_eq!(kind_of(storage.rename("plain", name)), io::ErrorKind::InvalidInput);
        assert_eq!(kind_of(storage.rename(name, "plain")), io::ErrorKind::InvalidInput);
    }
    assert_eq!(storage.list().unwrap(), ["plain"]);
}

fn lengths_have_a_limit(storage: &dyn Storage) {
    let file = create(storage, "file", b"abc");
    for offset in [u64::MAX, 1 << 63, i64::MAX as u64] {
        let result = file.write_at(offset, &[IoSlice::new(b"x")]);
        assert_eq!(kind_of(result), io::ErrorKind::InvalidInput, "{offset}");
    }
    assert_eq!(kind_of(file.allocate(u64::MAX)), io::ErrorKind::InvalidInput);
    assert_eq!(kind_of(file.read_at(u64::MAX, &mut [0])), io::ErrorKind::InvalidInput);
    assert_eq!(content(&*file), b"abc");
}

fn names_are_sorted_and_change(storage: &dyn Storage) {
    for name in ["b", "c", "a"] {
        create(storage, name, name.as_bytes());
    }
    assert_eq!(storage.list().unwrap(), ["a", "b", "c"]);
    storage.rename("b", "d").unwrap();
    storage.remove("a").unwrap();
    storage.sync_dir().unwrap();
    assert_eq!(storage.list().unwrap(), ["c", "d"]);
    assert_eq!(content(&*storage.open("d", OpenMode::Read).unwrap()), b"b");
}

fn rename_replaces(storage: &dyn Storage) {
    let old = create(storage, "file", b"old");
    create(storage, "next", b"new one");
    storage.rename("next", "file").unwrap();
    assert_eq!(storage.list().unwrap(), ["file"]);
    assert_eq!(content(&*storage.open("file", OpenMode::Read).unwrap()), b"new one");
    assert_eq!(content(&*old), b"old");
    storage.rename("file", "file").unwrap();
    assert_eq!(content(&*storage.open("file", OpenMode::Read).unwrap()), b"new one");
}

fn removed_files_stay_readable(storage: &dyn Storage) {
    let file = create(storage, "file", b"abc");
    storage.remove("file").unwrap();
    storage.sync_dir().unwrap();
    create(storage, "file", b"another");
    file.write_at(3, &[IoSlice::new(b"def")]).unwrap();
    assert_eq!(content(&*file), b"abcdef");
    assert_eq!(content(&*storage.open("file", OpenMode::Read).unwrap()), b"another");
}

fn mappings_are_private_copies(storage: &dyn Storage) {
    let bytes: Vec<u8> = (0..10_001u32).map(|i| (i % 253) as u8).collect();
    let file = create(storage, "file", &bytes);
    let mapping = file.map_private(10_001).unwrap();
    assert_eq!(mapping.len(), 10_001);
    assert_eq!(mapping.as_ptr().addr() % 4_096, 0);
    // SAFETY: the mapping is alive, `len` bytes long, and this test is its only user.
    let mapped = unsafe { std::slice::from_raw_parts_mut(mapping.as_ptr(), mapping.len()) };
    assert_eq!(mapped, bytes);
    mapped.fill(0x55);
    assert_eq!(content(&*file), bytes);
    // Outlives the file, its name and its handle.
    storage.remove("file").unwrap();
    drop(file);
    assert!(mapped.iter().all(|&byte| byte == 0x55));
}

fn mappings_end_with_the_file(storage: &dyn Storage) {
    let file = create(storage, "file", b"abc");
    assert_eq!(kind_of(file.map_private(4)), io::ErrorKind::InvalidInput);
    assert_eq!(kind_of(file.map_private(usize::MAX)), io::ErrorKind::InvalidInput);
    let part = file.map_private(2).unwrap();
    // SAFETY: as in the test above.
    assert_eq!(unsafe { std::slice::from_raw_parts(part.as_ptr(), part.len()) }, b"ab");
    let nothing = file.map_private(0).unwrap();
    assert!(nothing.is_empty());
    assert_eq!(nothing.as_ptr().addr() % 4_096, 0);
}

fn the_lock_is_exclusive(storage: &dyn Storage) {
    let guard = storage.lock().unwrap();
    assert_eq!(kind_of(storage.lock()), io::ErrorKind::WouldBlock);
    assert!(storage.list().unwrap().is_empty(), "the lock shows no file");
    drop(guard);
    drop(storage.lock().unwrap());
    storage.lock().unwrap();
}
