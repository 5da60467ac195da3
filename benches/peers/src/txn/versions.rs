//! Row T6: what open snapshots cost writers, and what a long chain of versions costs who reads.

use crate::page::{durable, verify};
use crate::row::{Bar, median, ns, print, time};
use mmsb::{Batch, Location, Note, PageId, Snapshot, State};

/// Operations of a round; what is left to flush after it is flushed outside the timing.
const ROUND: usize = 2000;
const ROUNDS: usize = 40;
/// Snapshots that are open while others write.
const OPEN: usize = 10_000;
/// Versions of a page above the one that is read.
const NEWER: u64 = 100_000;

pub fn t6() {
    unique();
    update();
    old_read();
}

/// A state, and snapshots of it between which a page changes: each reads a version of its own.
struct Watched {
    _dir: tempfile::TempDir,
    state: State,
    page: PageId,
    open: Vec<Snapshot>,
}

impl Watched {
    fn new(open: usize) -> Watched {
        let (_dir, state) = durable();
        let page = state.create_page(16, Note::NONE).expect("a page");
        let mut watched = Watched { _dir, state, page, open: Vec::with_capacity(open) };
        (0..open as u64).for_each(|i| watched.look(i));
        watched
    }

    /// One more snapshot, which shows the number in the page, and a change after it.
    fn look(&mut self, i: u64) {
        let Watched { state, page, open, .. } = self;
        state.write(*page, 0, &i.to_le_bytes(), Note::NONE).expect("an update");
        open.push(state.snapshot().expect("a snapshot"));
        state.write(*page, 0, &u64::MAX.to_le_bytes(), Note::NONE).expect("an update");
    }

    /// Each snapshot shows what was there when it was taken, and all that they held goes with them.
    fn check(self) {
        for (i, snapshot) in self.open.iter().enumerate() {
            assert_eq!(number(snapshot, self.page), i as u64);
        }
        verify(&self.state);
        drop(self.open);
        let stats = self.state.stats().expect("stats");
        assert_eq!((stats.versions, stats.snapshot_bytes), (0, 0));
    }
}

fn number(snapshot: &Snapshot, page: PageId) -> u64 {
    let mut bytes = [0; 8];
    snapshot.read(page, 0, &mut bytes).expect("a read");
    u64::from_le_bytes(bytes)
}

/// The work of T2: a new page of 16 bytes, written blindly and read back.
fn create(state: &State, i: usize) {
    let content = [i as u8 | 1; 16];
    let mut batch = Batch::new(state);
    let page = batch.create_page(16, Location::Cpu).expect("a page");
    batch.write(page, 0, &content).expect("a write");
    batch.commit(Note::NONE).expect("a commit");
    let mut read = [0; 16];
    state.read(page, 0, &mut read).expect("a read");
    assert_eq!(read, content);
}

/// T2 with snapshots open, against T2 with none.
fn unique() {
    let (none, many) = (Watched::new(0), Watched::new(OPEN));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (watched, times) in [(&none, &mut without), (&many, &mut with)] {
            times.push(time(ROUND, || (0..ROUND).for_each(|i| create(&watched.state, i))));
            watched.state.flush().expect("a flush");
        }
    }
    many.check();
    none.check();
    report("unique", without, with);
}

/// Updates of pages that the newest snapshot shows, so that each keeps a version, with many older
/// ones open, against the same with none older. Opening and closing the newest is part of it.
fn update() {
    let (none, many) = (Watched::new(0), Watched::new(OPEN));
    let page = |state: &State| state.create_page(16, Note::NONE).expect("a page");
    let pages = |watched: &Watched| (0..ROUND).map(|_| page(&watched.state)).collect::<Vec<_>>();
    let sides = [(&none, pages(&none)), (&many, pages(&many))];
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for ((watched, pages), times) in sides.iter().zip(&mut times) {
            times.push(time(ROUND, || {
                let newest = watched.state.snapshot().expect("a snapshot");
                let content = [round as u8 + 1; 16];
                for page in pages {
                    watched.state.update(*page, &content, Note::NONE).expect("an update");
                }
                drop(newest);
            }));
            watched.state.flush().expect("a flush");
        }
    }
    many.check();
    none.check();
    let [without, with] = times;
    report("update", without, with);
}

fn report(work: &str, without: Vec<f64>, with: Vec<f64>) {
    let (without, with) = (median(without), median(with));
    let figures = [("work", work.to_owned()), ("ours", ns(with)), ("no_snapshots", ns(without))];
    print("T6", &figures, with / without, Bar::AtMost(1.2));
}

/// The oldest of many snapshots reads a page that has a version for each of them.
fn old_read() {
    let watched = Watched::new(NEWER as usize);
    assert_eq!(watched.state.stats().expect("stats").versions, NEWER);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(time(ROUND, || {
            for _ in 0..ROUND {
                assert_eq!(number(&watched.open[0], watched.page), 0);
            }
        }));
    }
    watched.check();
    let us = median(times) / 1e3;
    print(
        "T6",
        &[("work", "old_read".to_owned()), ("us", format!("{us:.3}"))],
        us,
        Bar::AtMost(0.3),
    );
}
