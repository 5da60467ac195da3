//! Sound inputs in this version's formats, made by the engine.

use crate::common::{Prng, random_op};
use mmsb::checkpoint::Manifest;
use mmsb::checkpoint::manifest::{Kind, MANIFEST};
use mmsb::env::Storage;
use mmsb::env::sim::{SimClock, SimStorage};
use mmsb::{Config, Delta, Durability, PageId, State, TLog};
use std::sync::Arc;

/// Taken, not random, so that samples are the same bytes every time.
const IDENTITY: [u8; 16] = *b"the fuzz samples";

/// A sound input for a target whose inputs have a format.
pub fn of(target: &str) -> Option<Vec<u8>> {
    let flag = [0];
    Some(match target {
        "record" => {
            let log = tlog();
            let record = u32::from_le_bytes(*log[4144..].first_chunk()?) as usize;
            log[4144..4144 + record].to_vec()
        }
        "frame" => [&flag, &tlog()[4095..4144]].concat(),
        "log" => [&flag, &tlog()[..64], &tlog()[4096..]].concat(),
        "manifest" => [&flag, &state().read_file(MANIFEST)?[..]].concat(),
        "image" => {
            let disk = state();
            let names = disk.list().ok()?;
            let image = names.iter().find(|name| name.ends_with(".image"))?;
            let image = disk.read_file(image)?;
            [&flag, &image[..32], &image[4096..]].concat()
        }
        _ => return None,
    })
}

fn disk(kind: Kind) -> SimStorage {
    let disk = SimStorage::new(1);
    Manifest::new(IDENTITY, kind).write(&disk).unwrap();
    disk
}

fn config() -> Config {
    let durability = Durability::Memory;
    Config { durability, segment_bytes: 64 << 10, ..Config::durable("samples") }
}

/// A state with a named checkpoint.
fn state() -> SimStorage {
    let disk = disk(Kind::State);
    let clock = Arc::new(SimClock::new(1_700_000_000_000));
    let state = State::open_in(Arc::new(disk.clone()), clock, config()).unwrap();
    let (mut prng, mut pages) = (Prng(2), Vec::new());
    for _ in 0..25 {
        random_op(&state, &mut prng, &mut pages).unwrap();
    }
    state.checkpoint(Some("sample")).unwrap();
    state.close().unwrap();
    disk
}

/// The segment of a log of a few deltas in two frames, without the zeros at its end.
fn tlog() -> Vec<u8> {
    let disk = disk(Kind::Log);
    let clock = Arc::new(SimClock::new(1_700_000_000_000));
    let log = TLog::open_in(Arc::new(disk.clone()), clock, config()).unwrap();
    let sparse = Delta::from_runs(PageId(7), &[(1, b"some"), (90, b"bytes")]).unwrap();
    let noted = sparse.with_source("feed").unwrap().with_intent("late").unwrap();
    log.append(&noted).unwrap();
    log.append(&Delta::dense(PageId(8), *b"a whole page").unwrap()).unwrap();
    log.sync().unwrap();
    log.append(&noted).unwrap();
    log.close().unwrap();
    let mut segment = disk.read_file("0000000000000001.log").unwrap();
    let used = segment.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    segment.truncate(used);
    segment
}
