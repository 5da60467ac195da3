//! SIGKILL at random moments of a real process on a real file system.
//!
//! The child works in `Sync` on two pages that each group writes together, and tells on its
//! standard output which group was acknowledged. `MMSB_KILLS` sets how often it is killed.

use crate::common::Prng;
use mmsb::{Batch, Config, Durability, Note, PageId, State};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const CHILD: &str = "MMSB_KILL_CHILD";

/// Opens a state whose groups are durable when they are acknowledged.
pub fn open(path: &Path) -> State {
    let durability = Durability::Sync;
    let config = Config { durability, history_bytes: 1 << 20, ..Config::durable(path) };
    State::open(config).unwrap()
}

/// The group that both pages agree on.
fn group(state: &State) -> u64 {
    let read =
        |id| u64::from_le_bytes(state.read_all(PageId(id)).unwrap()[..8].try_into().unwrap());
    assert_eq!(read(1), read(2), "a group is there in part");
    read(1)
}

/// What the child does: three threads would share syncs, so it has three.
fn work(path: &Path) {
    let state = open(path);
    if state.page_count() == 0 {
        let mut batch = Batch::new(&state);
        batch.create_page(4096, mmsb::Location::Cpu).unwrap();
        batch.create_page(64, mmsb::Location::Cpu).unwrap();
        batch.create_page(1024, mmsb::Location::Cpu).unwrap();
        batch.commit(Note::NONE).unwrap();
    }
    std::thread::scope(|scope| {
        let state = &state;
        for _ in 0..2 {
            scope.spawn(move || {
                for i in 0u64.. {
                    state.write(PageId(3), i % 1000, &i.to_le_bytes(), Note::NONE).unwrap();
                }
            });
        }
        for i in group(state) + 1.. {
            let mut batch = Batch::new(state);
            batch.write(PageId(1), 0, &i.to_le_bytes()).unwrap();
            batch.write(PageId(1), 8 + i % 4000, &[i as u8; 80]).unwrap();
            batch.write(PageId(2), 0, &i.to_le_bytes()).unwrap();
            batch.commit(Note::from("child")).unwrap();
            println!("{i}");
            if i % 500 == 0 {
                state.checkpoint(None).unwrap();
            }
        }
    });
}

/// How often a child is killed.
pub fn kills() -> u64 {
    std::env::var("MMSB_KILLS").map_or(20, |kills| kills.parse().unwrap())
}

/// Where the child works, in the child.
pub fn is_child() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Has this program's test `test` work at `path` for some time, and kills it. Returns what it said.
pub fn killed(test: &str, path: &Path, prng: &mut Prng) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let wait = Duration::from_micros(20_000 + prng.below(80_000));
    let killer = std::thread::spawn(move || {
        std::thread::sleep(wait);
        child.kill().unwrap();
        child.wait().unwrap()
    });
    let said = lines.map_while(Result::ok).collect();
    assert!(killer.join().unwrap().code().is_none(), "the child ended by itself");
    said
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    if let Some(path) = is_child() {
        work(&path);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let mut prng = Prng(std::process::id().into());
    let mut last = 0;
    for round in 0..kills() {
        let said = killed("kill::what_was_acknowledged_survives_sigkill", &path, &mut prng);
        let mut acknowledged = said.iter().rev().filter_map(|line| line.parse().ok());
        let acknowledged = acknowledged.next().unwrap_or(last);
        let state = open(&path);
        if state.page_count() > 0 {
            let found = group(&state);
            assert!(found >= acknowledged, "round {round}: {found} < {acknowledged}");
            assert!(found <= acknowledged + 1, "round {round}: {found} > {acknowledged} + 1");
            last = found;
        }
        if round % 5 == 0 {
            state.verify().unwrap();
        }
        state.close().unwrap();
    }
    assert!(last > 0, "the child never got to work");
}
