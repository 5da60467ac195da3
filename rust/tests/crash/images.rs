//! What a power cut leaves of a real run: a thin layer over the real storage writes down what is
//! written, named and synced, and by that tells at each sync what a disk may hold. That is put into
//! a directory of its own and opened with the real storage.
//!
//! `MMSB_IMAGES` sets how many.

use crate::common::Prng;
use mmsb::env::{File, Mapping, OpenMode, OsClock, OsStorage, Storage};
use mmsb::{Batch, Config, Durability, Location, Note, PageId, State};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What happened, each when it was done.
#[derive(Clone, Debug)]
enum Event {
    /// A file has a name; whatever had it has none.
    Link {
        node: usize,
        name: String,
    },
    Unlink {
        node: usize,
    },
    Write {
        node: usize,
        offset: u64,
        bytes: Vec<u8>,
    },
    Grow {
        node: usize,
        len: u64,
    },
    /// What had been done with a file before event `began` is durable.
    Synced {
        node: usize,
        began: usize,
    },
    /// The same for names.
    NamesSynced {
        began: usize,
    },
    /// A writer begins a group; it is told that the group is durable.
    Begun {
        writer: usize,
        group: u64,
    },
    Acknowledged {
        writer: usize,
        group: u64,
    },
}

#[derive(Default, Debug)]
struct Journal {
    events: Vec<Event>,
    nodes: BTreeMap<String, usize>,
    made: usize,
}

/// A storage that writes down what happens.
#[derive(Clone, Debug)]
struct Recorded {
    under: Arc<OsStorage>,
    journal: Arc<Mutex<Journal>>,
}

#[derive(Debug)]
struct RecordedFile {
    under: Arc<dyn File>,
    node: usize,
    journal: Arc<Mutex<Journal>>,
}

impl Recorded {
    fn new(path: &Path) -> Recorded {
        let under = Arc::new(OsStorage::create(path).unwrap());
        Recorded { under, journal: Arc::default() }
    }

    fn note(&self, event: Event) {
        self.journal.lock().unwrap().events.push(event);
    }
}

impl Storage for Recorded {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut journal = self.journal.lock().unwrap();
        let under = self.under.open(name, mode)?;
        if mode == OpenMode::Create {
            let node = journal.made;
            journal.made += 1;
            journal.nodes.insert(name.to_owned(), node);
            journal.events.push(Event::Link { node, name: name.to_owned() });
        }
        let (node, journal) = (journal.nodes[name], self.journal.clone());
        Ok(Arc::new(RecordedFile { under, node, journal }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.under.list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut journal = self.journal.lock().unwrap();
        self.under.rename(from, to)?;
        let node = journal.nodes.remove(from).unwrap();
        journal.nodes.insert(to.to_owned(), node);
        journal.events.push(Event::Link { node, name: to.to_owned() });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut journal = self.journal.lock().unwrap();
        self.under.remove(name)?;
        let node = journal.nodes.remove(name).unwrap();
        journal.events.push(Event::Unlink { node });
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let began = self.journal.lock().unwrap().events.len();
        self.under.sync_dir()?;
        self.note(Event::NamesSynced { began });
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        self.under.lock()
    }

    fn describe(&self, name: &str) -> String {
        self.under.describe(name)
    }
}

impl File for RecordedFile {
    fn len(&self) -> io::Result<u64> {
        self.under.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.under.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.under.write_at(offset, parts)?;
        let bytes = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let event = Event::Write { node: self.node, offset, bytes };
        self.journal.lock().unwrap().events.push(event);
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.under.allocate(len)?;
        self.journal.lock().unwrap().events.push(Event::Grow { node: self.node, len });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let began = self.journal.lock().unwrap().events.len();
        self.under.sync()?;
        self.journal.lock().unwrap().events.push(Event::Synced { node: self.node, began });
        Ok(())
    }

    fn map_private(&self, len: usize) -> io::Result<Mapping> {
        self.under.map_private(len)
    }
}

/// What a disk holds for sure, and what it may hold, at some event.
#[derive(Default)]
struct Disk {
    files: BTreeMap<usize, Vec<u8>>,
    names: BTreeMap<usize, String>,
    /// Changes that no sync covered, with their places among the events.
    unsynced: Vec<(usize, Event)>,
    begun: BTreeMap<usize, u64>,
    acknowledged: BTreeMap<usize, u64>,
}

/// What survives of what is unsynced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Left {
    Nothing,
    /// Of each write any sectors, of lengths and names any.
    Some(u64),
    All,
}

const SECTOR: usize = 512;

impl Disk {
    /// Takes in the next event; whether something became durable by it.
    fn step(&mut self, at: usize, event: &Event) -> bool {
        match *event {
            Event::Begun { writer, group } => _ = self.begun.insert(writer, group),
            Event::Acknowledged { writer, group } => _ = self.acknowledged.insert(writer, group),
            Event::Synced { node, began } => {
                self.settle(|at, of, named| of == node && !named && at < began);
                return true;
            }
            Event::NamesSynced { began } => {
                self.settle(|at, _, named| named && at < began);
                return true;
            }
            _ => self.unsynced.push((at, event.clone())),
        }
        false
    }

    fn settle(&mut self, covered: impl Fn(usize, usize, bool) -> bool) {
        let unsynced = std::mem::take(&mut self.unsynced);
        for (at, event) in unsynced {
            let (node, named) = match event {
                Event::Link { node, .. } | Event::Unlink { node } => (node, true),
                Event::Write { node, .. } | Event::Grow { node, .. } => (node, false),
                _ => unreachable!("not a change"),
            };
            match covered(at, node, named) {
                true => apply(&mut self.files, &mut self.names, &event, &mut |_| true),
                false => self.unsynced.push((at, event)),
            }
        }
    }

    /// Puts what a power cut may leave now into the directory `path`.
    fn put(&self, left: Left, path: &Path) {
        let (mut files, mut names) = (self.files.clone(), self.names.clone());
        let mut prng = Prng(if let Left::Some(seed) = left { seed } else { 0 });
        let mut survives = |_| match left {
            Left::Nothing => false,
            Left::Some(_) => prng.below(2) == 0,
            Left::All => true,
        };
        for (_, event) in &self.unsynced {
            apply(&mut files, &mut names, event, &mut survives);
        }
        std::fs::create_dir(path).unwrap();
        for (node, name) in names {
            let bytes = files.get(&node).map_or(&[][..], |bytes| bytes);
            std::fs::write(path.join(name), bytes).unwrap();
        }
    }
}

/// Does of a change what survives: `survives` is asked about each part of it.
fn apply(
    files: &mut BTreeMap<usize, Vec<u8>>,
    names: &mut BTreeMap<usize, String>,
    event: &Event,
    survives: &mut impl FnMut(usize) -> bool,
) {
    match event {
        Event::Link { node, name } if survives(0) => {
            names.retain(|_, other| other != name);
            names.insert(*node, name.clone());
        }
        Event::Unlink { node } if survives(0) => drop(names.remove(node)),
        Event::Grow { node, len } if survives(0) => {
            let file = files.entry(*node).or_default();
            file.resize(file.len().max(*len as usize), 0);
        }
        Event::Write { node, offset, bytes } => {
            let file = files.entry(*node).or_default();
            let (mut at, end) = (*offset as usize, *offset as usize + bytes.len());
            while at < end {
                let next = end.min((at / SECTOR + 1) * SECTOR);
                if survives(at) {
                    file.resize(file.len().max(next), 0);
                    file[at..next].copy_from_slice(&bytes[at - *offset as usize..][..next - at]);
                }
                at = next;
            }
        }
        _ => {}
    }
}

const WRITERS: usize = 3;
/// Each writer has two pages, which each of its groups writes wholly, and together.
const PAGE_BYTES: [u64; 2] = [1_500, 40];

fn page(writer: usize, which: usize) -> PageId {
    PageId((1 + 2 * writer + which) as u64)
}

fn content(writer: usize, which: usize, group: u64) -> Vec<u8> {
    let mut bytes = Prng(group << 8 | (2 * writer + which) as u64);
    let mut content = bytes.bytes(PAGE_BYTES[which] as usize);
    content[..8].copy_from_slice(&group.to_le_bytes());
    content
}

fn config(path: &Path) -> Config {
    let durability = Durability::Sync;
    let (segment_bytes, history_bytes) = (64 << 10, 16 << 10);
    Config { durability, segment_bytes, history_bytes, ..Config::durable(path) }
}

/// Three writers that share syncs, and now and then a checkpoint, which recycles segments.
fn record(path: &Path, groups: u64) -> Vec<Event> {
    let storage = Recorded::new(path);
    let clock = Arc::new(OsClock);
    let state = State::open_in(Arc::new(storage.clone()), clock, config(path)).unwrap();
    let mut batch = Batch::new(&state);
    for writer in 0..WRITERS {
        for (which, bytes) in PAGE_BYTES.into_iter().enumerate() {
            let id = batch.create_page(bytes, Location::Cpu).unwrap();
            assert_eq!(id, page(writer, which));
            batch.update(id, &content(writer, which, 0)).unwrap();
        }
    }
    batch.commit(Note::NONE).unwrap();
    (0..WRITERS).for_each(|writer| storage.note(Event::Acknowledged { writer, group: 0 }));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (state, storage) = (&state, &storage);
            scope.spawn(move || {
                for group in 1..=groups {
                    storage.note(Event::Begun { writer, group });
                    let mut batch = Batch::new(state);
                    for which in 0..2 {
                        batch.update(page(writer, which), &content(writer, which, group)).unwrap();
                    }
                    batch.commit(Note::from("group")).unwrap();
                    storage.note(Event::Acknowledged { writer, group });
                    if writer == 0 && group % 16 == 0 {
                        state.checkpoint(None).unwrap();
                    }
                }
            });
        }
    });
    state.close().unwrap();
    let journal = std::mem::take(&mut *storage.journal.lock().unwrap());
    journal.events
}

/// Opens what a power cut left and compares it with what was acknowledged.
fn examine(path: &Path, disk: &Disk, verify: bool, what: &str) {
    let state = State::open(config(path)).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    if state.page_count() == 0 {
        assert!(disk.acknowledged.is_empty(), "{what}: nothing is there");
        return;
    }
    for writer in 0..WRITERS {
        let read = |which| state.read_all(page(writer, which)).unwrap();
        let found = u64::from_le_bytes(*read(0).first_chunk().unwrap());
        let known = |told: &BTreeMap<usize, u64>| told.get(&writer).copied().unwrap_or(0);
        let (least, most) = (known(&disk.acknowledged), known(&disk.begun));
        assert!(least <= found && found <= most, "{what}: {found} is not {least}..={most}");
        for which in 0..2 {
            let whole = read(which) == content(writer, which, found);
            assert!(whole, "{what}: {} is not as group {found} left it", page(writer, which));
        }
    }
    if verify {
        state.verify().unwrap_or_else(|error| panic!("{what}: {error:?}"));
        state.write(page(0, 0), 0, b"it goes on", Note::NONE).unwrap();
        let digest = state.digest().unwrap();
        state.close().unwrap();
        assert_eq!(State::open(config(path)).unwrap().digest().unwrap(), digest, "{what}");
    }
}

/// A directory whose syncs cost little, where there is one.
fn quick_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn what_was_acknowledged_is_in_every_image_that_a_power_cut_may_leave() {
    let images = std::env::var("MMSB_IMAGES").map_or(1_000, |images| images.parse().unwrap());
    make_images(images);
}

/// Mistakes that a build with `--cfg canaries` can make must be seen in images, too.
#[cfg(canaries)]
#[test]
fn canaries_are_caught_in_images() {
    use mmsb::stdx::canary::{Canary, choose};
    for canary in [
        Canary::SkippedSync,
        Canary::ForgottenNames,
        Canary::EarlyAcknowledgement,
        Canary::UnsyncedManifest,
        Canary::UnsyncedImage,
        Canary::UncheckedRecord,
    ] {
        choose(Some(canary));
        let caught = std::panic::catch_unwind(|| make_images(10_000));
        choose(None);
        assert!(caught.is_err(), "{} is not caught", canary.name());
    }
}

/// Makes so many images at least, and looks at each.
fn make_images(images: u64) {
    let (mut made, mut round) = (0, 0);
    while made < images {
        let dir = tempfile::tempdir().unwrap();
        let events = record(&dir.path().join("state"), 96);
        let mut disk = Disk::default();
        let (images_dir, mut places) = (quick_dir(), 0);
        for (at, event) in events.iter().enumerate() {
            // Before a sync, where most is at stake, and after it.
            let sync = matches!(event, Event::Synced { .. } | Event::NamesSynced { .. });
            let look = |disk: &Disk, left: Left, when: &str, made: &mut u64| {
                let path = images_dir.path().join("image");
                disk.put(left, &path);
                let what = format!("round {round}, {when} event {at}, {left:?} of the unsynced");
                examine(&path, disk, made.is_multiple_of(8), &what);
                std::fs::remove_dir_all(&path).unwrap();
                *made += 1;
            };
            if sync {
                look(&disk, Left::Some(at as u64), "before", &mut made);
            }
            if disk.step(at, event) {
                places += 1;
                for left in [Left::Nothing, Left::Some(at as u64), Left::All] {
                    look(&disk, left, "after", &mut made);
                }
            }
        }
        assert!(places > 100, "only {places} syncs");
        round += 1;
    }
}
