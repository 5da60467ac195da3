//! What waits for a slow medium is bounded, and what waits for a failed one is told.

use crate::Stop;
use mmsb::env::{File, Mapping, MemStorage, OpenMode, OsClock, Storage};
use mmsb::{Config, Durability, ErrorKind, Note, State};
use parking_lot::{Condvar, Mutex};
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const PENDING: u64 = 64 << 10;
const UNSYNCED: u64 = 8 * PENDING;

/// What syncs do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gate {
    Open,
    /// Syncs begin, and do not end.
    Shut,
    /// Syncs fail.
    Broken,
}

/// Memory whose files' syncs pass a gate.
#[derive(Clone, Debug)]
struct Medium {
    files: Arc<MemStorage>,
    gate: Arc<(Mutex<Gate>, Condvar)>,
}

impl Medium {
    fn new(gate: Gate) -> Medium {
        Medium { files: Arc::default(), gate: Arc::new((Mutex::new(gate), Condvar::new())) }
    }

    fn set(&self, gate: Gate) {
        *self.gate.0.lock() = gate;
        self.gate.1.notify_all();
    }

    fn pass(&self) -> io::Result<()> {
        let mut gate = self.gate.0.lock();
        while *gate == Gate::Shut {
            self.gate.1.wait(&mut gate);
        }
        match *gate {
            Gate::Broken => Err(io::Error::other("broken")),
            _ => Ok(()),
        }
    }
}

/// Opens the gate, also when an assertion fails: threads wait there.
struct OpenOnDrop<'a>(&'a Medium);

impl Drop for OpenOnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(Gate::Open);
    }
}

impl Storage for Medium {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = self.files.open(name, mode)?;
        Ok(Arc::new(Gated { file, medium: self.clone() }))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.files.sync_dir()
    }
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        self.files.lock()
    }
    fn describe(&self, name: &str) -> String {
        self.files.describe(name)
    }
}

#[derive(Debug)]
struct Gated {
    file: Arc<dyn File>,
    medium: Medium,
}

impl File for Gated {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buf)
    }
    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.file.write_at(offset, parts)
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.medium.pass()?;
        self.file.sync()
    }
    fn map_private(&self, len: usize) -> io::Result<Mapping> {
        self.file.map_private(len)
    }
}

fn open(medium: &Medium) -> State {
    let config = Config {
        durability: Durability::Buffered,
        segment_bytes: 128 << 10,
        pending_bytes_max: PENDING,
        sync_every: Duration::from_millis(1),
        ..Config::durable("")
    };
    State::open_in(Arc::new(medium.clone()), Arc::new(OsClock), config).unwrap()
}

/// Updates a page of 1 KiB, each time in all bytes, `count` times.
fn write(state: &State, count: u64, stop: &Stop) -> mmsb::Result<()> {
    let page = state.create_page(1024, Note::NONE)?;
    for i in (0..count).take_while(|_| !stop.is_set()) {
        state.update(page, &[(i % 251) as u8 + 1; 1024], Note::NONE)?;
    }
    Ok(())
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited a minute until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn writers_wait_for_a_medium_that_is_slow_to_sync() {
    let medium = Medium::new(Gate::Open);
    let state = open(&medium);
    medium.set(Gate::Shut);
    let stop = Stop::default();
    thread::scope(|scope| {
        let _open = OpenOnDrop(&medium);
        let _stop = stop.on_drop();
        let writer = scope.spawn(|| write(&state, 8 << 10, &stop));
        let unsynced = || state.stats().unwrap().unsynced_bytes;
        wait_until("much is unsynced", || unsynced() > UNSYNCED);
        // Long enough for a writer that does not wait to write everything.
        thread::sleep(Duration::from_millis(100));
        assert!(unsynced() <= UNSYNCED + 2 * PENDING, "{} bytes", unsynced());
        assert!(!writer.is_finished());
        medium.set(Gate::Open);
        writer.join().unwrap().unwrap();
    });
    state.sync().unwrap();
    assert_eq!(state.stats().unwrap().unsynced_bytes, 0);
    state.close().unwrap();
}

#[test]
fn writers_that_wait_for_a_sync_are_told_that_it_failed() {
    let medium = Medium::new(Gate::Open);
    let state = open(&medium);
    medium.set(Gate::Shut);
    let stop = Stop::default();
    let error = thread::scope(|scope| {
        let _open = OpenOnDrop(&medium);
        let _stop = stop.on_drop();
        let writer = scope.spawn(|| write(&state, u64::MAX, &stop));
        wait_until("much is unsynced", || state.stats().unwrap().unsynced_bytes > UNSYNCED);
        medium.set(Gate::Broken);
        writer.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
}
