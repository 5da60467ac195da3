//! Rows P1 to P9 of the room `page`: updates, replay, checkpoint, history, durability.

use crate::row::{Bar, directory, median, ns, print, time};
use crate::scaling::{ROUND, Scaling};
use mmsb::{Config, Durability, Lsn, Note, PageId, Query, State};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 60;

type Row = (&'static str, fn());

const ROWS: &[Row] = &[
    ("P1", p1),
    ("P2", p2),
    ("P3", p3),
    ("P4", p4),
    ("P5", p5),
    ("P6", p6),
    ("P7", p7),
    ("P8", p8),
    ("P9", p9),
];

pub fn run(only: Option<&str>) {
    for (id, row) in ROWS {
        if only.is_none_or(|only| only == *id) {
            row();
        }
    }
}

/// Two contents that differ in every byte.
fn contents(size: usize) -> [Vec<u8>; 2] {
    let first: Vec<u8> = (0..size).map(|i| (i * 7 + 1) as u8).collect();
    let second = first.iter().map(|byte| !byte).collect();
    [first, second]
}

fn pages(state: &State, count: usize, size: u64) -> Vec<PageId> {
    (0..count).map(|_| state.create_page(size, Note::NONE).expect("a page")).collect()
}

/// A buffered state in a directory of its own.
pub fn durable() -> (tempfile::TempDir, State) {
    let dir = directory();
    let state = State::open(Config::durable(dir.path().join("state"))).expect("a state");
    (dir, state)
}

/// The four steps of an update, bare: compare, copy into the page, copy into a ring, checksum.
struct Bare {
    pages: Vec<Vec<u8>>,
    ring: Vec<u8>,
    at: usize,
}

impl Bare {
    fn new(count: usize, size: usize) -> Bare {
        Bare { pages: vec![vec![0; size]; count], ring: vec![1; 64 << 20], at: 0 }
    }

    fn update(&mut self, page: usize, content: &[u8]) -> u32 {
        let page = &mut self.pages[page];
        if page == content {
            return 0;
        }
        if self.at + content.len() > self.ring.len() {
            self.at = 0;
        }
        let slot = &mut self.ring[self.at..self.at + content.len()];
        slot.copy_from_slice(content);
        self.at += content.len();
        let crc = crc_fast::crc32_iscsi(slot);
        page.copy_from_slice(content);
        crc
    }
}

fn p1() {
    let (_dir, state) = durable();
    let pages = pages(&state, 100, 1024);
    let contents = contents(1024);
    let mut bare = Bare::new(100, 1024);
    let (mut ours, mut steps) = (Vec::new(), Vec::new());
    let mut sum = 0u32;
    for round in 0..ROUNDS {
        ours.push(time(ROUND, || {
            for i in 0..ROUND {
                let content = &contents[(round * ROUND + i) / 100 % 2];
                state.update(pages[i % 100], content, Note::NONE).expect("an update");
            }
        }));
        steps.push(time(ROUND, || {
            for i in 0..ROUND {
                let content = &contents[(round * ROUND + i) / 100 % 2];
                sum = sum.wrapping_add(bare.update(i % 100, content));
            }
        }));
        state.flush().expect("a flush");
    }
    std::hint::black_box(sum);
    verify(&state);
    let (ours, steps) = (median(ours), median(steps));
    print("P1", &[("ours", ns(ours)), ("steps", ns(steps))], ours / steps, Bar::AtMost(1.4));
}

fn p2() {
    let (_dir, state) = durable();
    let pages = pages(&state, 100, 1024);
    let before = state.stats().expect("stats").record_bytes;
    let mut ours = Vec::new();
    let mut content = vec![0u8; 1024];
    for round in 0..ROUNDS {
        ours.push(time(ROUND, || {
            for i in 0..ROUND {
                if i % 100 == 0 {
                    let step = (round * ROUND + i) / 100;
                    content[500..510].fill(step as u8 + 1);
                }
                state.update(pages[i % 100], &content, Note::NONE).expect("an update");
            }
        }));
        state.flush().expect("a flush");
    }
    verify(&state);
    let bytes = (state.stats().expect("stats").record_bytes - before) / (ROUND * ROUNDS) as u64;
    let ours = median(ours);
    let figures = [("ours", ns(ours)), ("log_bytes", bytes.to_string())];
    print("P2", &figures, ours, Bar::AtMost(80.0));
}

fn p3() {
    let (_dir, state) = durable();
    let pages = pages(&state, 1000, 16);
    let contents = contents(16);
    let mut ours = Vec::new();
    for round in 0..ROUNDS {
        ours.push(time(ROUND, || {
            for i in 0..ROUND {
                let content = &contents[(round * ROUND + i) / 1000 % 2];
                state.update(pages[i % 1000], content, Note::NONE).expect("an update");
            }
        }));
        state.flush().expect("a flush");
    }
    verify(&state);
    let rate = 1e3 / median(ours);
    print("P3", &[("ours", format!("{rate:.1}M/s"))], rate, Bar::AtLeast(18.0));
}

/// Replays the log and compares: what a row wrote is really there.
pub fn verify(state: &State) {
    let snapshot = state.snapshot().expect("a snapshot");
    let replayed = state.replay_to(snapshot.lsn()).expect("a replay");
    assert_eq!(
        replayed.digest().expect("a digest"),
        snapshot.digest().expect("a digest"),
        "the replay is not the live state"
    );
}

/// P1 and P3 on two threads with pages of their own, as a multiple of one thread's rate; and the
/// same multiple of the bare steps, which is what the machine has to give.
fn p4() {
    for (name, count, size) in [("1KiB", 100, 1024), ("16B", 1000, 16)] {
        let (_dir, state) = durable();
        let pages = [pages(&state, count, size as u64), pages(&state, count, size as u64)];
        let contents = contents(size);
        let work = |thread: usize, round: usize| {
            let pages = &pages[thread];
            for i in 0..ROUND {
                let content = &contents[(round * ROUND + i) / count % 2];
                state.update(pages[i % count], content, Note::NONE).expect("an update");
            }
        };
        let bare = [(); 2].map(|()| Mutex::new(Bare::new(count, size)));
        let steps = |thread: usize, round: usize| {
            let mut bare = bare[thread].lock().expect("no panic");
            for i in 0..ROUND {
                let content = &contents[(round * ROUND + i) / count % 2];
                std::hint::black_box(bare.update(i % count, content));
            }
        };
        let (mut ours, mut peer) = (Scaling::default(), Scaling::default());
        for round in 0..ROUNDS {
            ours.round(2 * round, &work, || _ = state.flush().expect("a flush"));
            peer.round(2 * round, &steps, || ());
        }
        verify(&state);
        let (one, two, ratio) = ours.medians();
        let steps = format!("{:.2}", peer.medians().2);
        let figures = [("work", name.to_owned()), ("one", ns(one)), ("two", ns(two))];
        let figures = [&figures[..], &[("steps", steps)]].concat();
        print("P4", &figures, ratio, Bar::AtLeast(1.8));
    }
}

/// Replay of 100,000 deltas over 1,000 pages of 1 KiB.
fn p5() {
    for (name, dense, bar) in [("dense", true, 15.0), ("10B", false, 5.0)] {
        let (_dir, state) = durable();
        let pages = pages(&state, 1000, 1024);
        let mut content = vec![0u8; 1024];
        for i in 0..100_000u32 {
            let byte = (i / 1000) as u8 + 1;
            if dense {
                content.fill(byte);
            } else {
                content[500..510].fill(byte);
            }
            state.update(pages[i as usize % 1000], &content, Note::NONE).expect("an update");
        }
        let lsn = state.flush().expect("a flush");
        let mut times = Vec::new();
        for _ in 0..9 {
            let start = Instant::now();
            let replayed = state.replay_to(lsn).expect("a replay");
            times.push(start.elapsed().as_secs_f64() * 1e3);
            drop(replayed);
        }
        verify(&state);
        let ms = median(times);
        let figures = [("work", name.to_owned()), ("ours", format!("{ms:.2}ms"))];
        print("P5", &figures, ms, Bar::AtMost(bar));
    }
}

/// A checkpoint of 100,000 x 1 KiB against write and fsync of the same bytes; opening it again.
fn p6() {
    let dir = directory();
    let path = dir.path().join("state");
    let state = State::open(Config::durable(&path)).expect("a state");
    let pages = pages(&state, 100_000, 1024);
    fill(&state, &pages);
    let mut bytes = Vec::new();
    for &page in &pages {
        bytes.extend_from_slice(&state.view(page).expect("a view"));
    }
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for round in 0..7u8 {
        state.write(pages[0], 0, &[round + 1], Note::NONE).expect("a write");
        state.sync().expect("a sync");
        let start = Instant::now();
        state.checkpoint(None).expect("a checkpoint");
        ours.push(start.elapsed().as_secs_f64() * 1e3);
        let file = dir.path().join(format!("plain-{round}"));
        let start = Instant::now();
        let mut out = File::create(&file).expect("a file");
        out.write_all(&bytes).expect("a write");
        out.sync_all().expect("a sync");
        plain.push(start.elapsed().as_secs_f64() * 1e3);
        std::fs::remove_file(file).expect("removal");
    }
    let digest = state.digest().expect("a digest");
    state.close().expect("a close");
    let (ours, plain) = (median(ours), median(plain));
    let figures = [("ours", format!("{ours:.1}ms")), ("write_fsync", format!("{plain:.1}ms"))];
    print("P6", &figures, ours / plain, Bar::AtMost(1.3));
    let open = reopen(&path, pages[77_777]);
    let figures = [("work", "open".to_owned()), ("ours", format!("{open:.2}ms"))];
    print("P6", &figures, open, Bar::AtMost(10.0));
    let state = State::open(Config::durable(&path)).expect("a state");
    assert_eq!(state.digest().expect("a digest"), digest);
    drop(state);
    drop(dir);
    p6_large();
}

/// 1 GiB in 1,048,576 pages: time to the first page.
fn p6_large() {
    let dir = directory();
    let path = dir.path().join("state");
    let config = Config { history_bytes: 8 << 30, ..Config::durable(&path) };
    let state = State::open(config).expect("a state");
    let pages = pages(&state, 1 << 20, 1024);
    fill(&state, &pages);
    state.checkpoint(None).expect("a checkpoint");
    state.close().expect("a close");
    let open = reopen(&path, pages[777_777]);
    let figures = [("work", "open_1GiB".to_owned()), ("ours", format!("{open:.2}ms"))];
    print("P6", &figures, open, Bar::AtMost(20.0));
}

fn fill(state: &State, pages: &[PageId]) {
    let mut content = vec![0u8; 1024];
    for (i, &page) in pages.iter().enumerate() {
        content.iter_mut().enumerate().for_each(|(k, byte)| *byte = (i * 31 + k * 7) as u8);
        state.update(page, &content, Note::NONE).expect("an update");
    }
}

/// Milliseconds from the open to one page's content in hand.
fn reopen(path: &Path, page: PageId) -> f64 {
    let mut times = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        let state = State::open(Config::durable(path)).expect("a state");
        let view = state.view(page).expect("a view");
        times.push(start.elapsed().as_secs_f64() * 1e3);
        assert!(view.iter().any(|&byte| byte != 0));
    }
    median(times)
}

/// The history of one page: its 1,000 deltas among 1,000,000 records.
fn p7() {
    let (_dir, state) = durable();
    let pages = pages(&state, 1000, 64);
    for i in 0..1_000_000u64 {
        let page = pages[i as usize % 1000];
        state.write(page, 8, &(i + 1).to_le_bytes(), Note::NONE).expect("a write");
    }
    let end = state.flush().expect("a flush");
    let (mut links, mut scans) = (Vec::new(), Vec::new());
    for round in 0..9usize {
        let page = pages[100 + round * 37];
        let start = Instant::now();
        let history = state.page_history(page).expect("a history");
        links.push(start.elapsed().as_secs_f64() * 1e3);
        assert_eq!(history.len(), 1001);
        if round % 3 == 0 {
            let start = Instant::now();
            let all = state.query(Query { to: Some(end), ..Query::default() }).expect("a query");
            let scanned = all.map(|change| change.expect("a change"));
            let scanned: Vec<_> = scanned.filter(|change| change.page == page).collect();
            scans.push(start.elapsed().as_secs_f64() * 1e3);
            assert_eq!(scanned, history);
        }
    }
    let (links, scan) = (median(links), median(scans));
    let figures = [("ours", format!("{links:.3}ms")), ("scan", format!("{scan:.1}ms"))];
    print("P7", &figures, links, Bar::AtMost(1.0));
}

fn fdatasync(file: &File) {
    // SAFETY: the file is open.
    assert_eq!(unsafe { libc::fdatasync(file.as_raw_fd()) }, 0);
}

/// A file of zeros that is written over: what a commit costs at the least.
fn zeroed(path: &Path, len: usize) -> File {
    let file = OpenOptions::new().create_new(true).read(true).write(true).open(path);
    let file = file.expect("a file");
    file.write_all_at(&vec![0; len], 0).expect("zeros");
    file.sync_all().expect("a sync");
    file
}

/// One commit at a time in `sync`, on one thread.
fn p8() {
    let dir = directory();
    let durability = Durability::Sync;
    let config = Config { durability, ..Config::durable(dir.path().join("state")) };
    let state = State::open(config).expect("a state");
    let page = state.create_page(1024, Note::NONE).expect("a page");
    let plain = zeroed(&dir.path().join("plain"), 8 << 20);
    let mut content = vec![0u8; 1024];
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for i in 0..1500u64 {
        content.fill((i + 1) as u8);
        ours.push(time(1, || {
            state.update(page, &content, Note::NONE).expect("an update");
        }));
        bare.push(time(1, || {
            plain.write_all_at(&content, i * 1100).expect("a write");
            fdatasync(&plain);
        }));
    }
    verify(&state);
    let (ours, bare) = (median(ours), median(bare));
    let figures = [("ours", ns(ours)), ("overwrite_fdatasync", ns(bare))];
    print("P8", &figures, ours / bare, Bar::AtMost(1.15));
}

const SUSTAINED: Duration = Duration::from_secs(10);

/// Sustained for 10 s: all-new 1 KiB updates against `write` of the same bytes, at first into files
/// that grow, then over what was written before; 10-byte updates.
fn p9() {
    let (dir, state) = durable();
    let ours = [sustained(&state, true), sustained(&state, true)];
    let floor = state.stats().expect("stats").history_floor;
    assert!(floor > Lsn::ZERO, "the log did not come round to its first segment");
    verify(&state);
    drop((state, dir));
    let (growing, over) = (directory(), directory());
    let files = zeroed_files(over.path());
    let plain = [
        [false, true].map(|sync| plain_write(&[grown(growing.path())], u64::MAX, sync)),
        [false, true].map(|sync| plain_write(&files, SEGMENT_BYTES, sync)),
    ];
    for (work, ours, [plain, synced]) in
        [("1KiB", ours[0].0, plain[0]), ("1KiB_over", ours[1].0, plain[1])]
    {
        let mbs = |rate: f64| format!("{:.0}MB/s", rate / 1e6);
        let figures = [
            ("work", work.to_owned()),
            ("ours", mbs(ours)),
            ("write", mbs(plain)),
            ("write_synced", mbs(synced)),
        ];
        print("P9", &figures, ours / plain, Bar::AtLeast(0.8));
    }
    drop((files, growing, over));
    let (_dir, state) = durable();
    let (_, rate) = sustained(&state, false);
    verify(&state);
    let figures = [("work", "10B".to_owned()), ("ours", format!("{:.2}M/s", rate / 1e6))];
    print("P9", &figures, rate / 1e6, Bar::AtLeast(5.0));
}

/// Log bytes and updates per second, `dense` or of 10 bytes, the flush at the end included.
fn sustained(state: &State, dense: bool) -> (f64, f64) {
    let pages = pages(state, 1000, 1024);
    let contents = contents(1024);
    let mut sparse = vec![0u8; 1024];
    let before = state.stats().expect("stats").record_bytes;
    let (start, mut updates) = (Instant::now(), 0usize);
    while start.elapsed() < SUSTAINED {
        for (i, &page) in pages.iter().cycle().take(10_000).enumerate() {
            let step = (updates + i) / 1000;
            if i % 1000 == 0 {
                sparse[500..510].fill(step as u8 + 1);
            }
            let content = if dense { &contents[step % 2] } else { &sparse };
            state.update(page, content, Note::NONE).expect("an update");
        }
        updates += 10_000;
    }
    state.flush().expect("a flush");
    let took = start.elapsed().as_secs_f64();
    let bytes = state.stats().expect("stats").record_bytes - before;
    (bytes as f64 / took, updates as f64 / took)
}

/// Size of a log's segments, bytes.
const SEGMENT_BYTES: u64 = 16 << 20;

/// As many files of zeros as the segments that a log keeps, to be written over.
fn zeroed_files(path: &Path) -> Vec<File> {
    (0..64).map(|i: usize| zeroed(&path.join(i.to_string()), SEGMENT_BYTES as usize)).collect()
}

/// An empty file.
fn grown(path: &Path) -> File {
    File::create(path.join("grown")).expect("a file")
}

/// Bytes per second that `write` takes for 10 s, 1 MiB at a time: `len` bytes into each file, and
/// round. `synced`: with what was written made durable every 100 ms beside it, as `buffered` does.
fn plain_write(files: &[File], len: u64, synced: bool) -> f64 {
    let done = AtomicBool::new(!synced);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
                files.iter().for_each(fdatasync);
            }
        });
        let block = vec![7u8; 1 << 20];
        let (start, mut written) = (Instant::now(), 0u64);
        'time: for file in files.iter().cycle() {
            for at in (0..len).step_by(block.len()) {
                if start.elapsed() >= SUSTAINED {
                    break 'time;
                }
                file.write_all_at(&block, at).expect("a write");
                written += block.len() as u64;
            }
        }
        done.store(true, Ordering::Relaxed);
        written as f64 / start.elapsed().as_secs_f64()
    })
}
