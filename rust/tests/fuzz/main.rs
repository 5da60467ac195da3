//! Fuzzing without a coverage guide: every decoder and recovery, on damaged inputs from a seed.
//!
//! `MMSB_FUZZ` sets how many inputs each target gets, `MMSB_SEED` where they begin. A failure names
//! target and input; the same two give the same input again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

#[path = "../common/mod.rs"]
mod common;

use common::{Prng, random_op};
use mmsb::checkpoint::{Image, Manifest};
use mmsb::env::Storage;
use mmsb::env::sim::{PowerLoss, SimClock, SimStorage};
use mmsb::log::Record;
use mmsb::page::table::Backing;
use mmsb::stdx::codec::Dec;
use mmsb::{Config, Durability, Note, PageId, State};
use std::sync::Arc;

fn inputs() -> std::ops::Range<u64> {
    let read = |name, default| std::env::var(name).map_or(default, |n| n.parse().unwrap());
    let (seed, count) = (read("MMSB_SEED", 1), read("MMSB_FUZZ", 20_000));
    seed..seed + count
}

fn open(disk: &SimStorage) -> mmsb::Result<State> {
    let config = Config {
        durability: Durability::Memory,
        segment_bytes: 64 << 10,
        ..Config::durable("fuzz")
    };
    State::open_in(Arc::new(disk.clone()), Arc::new(SimClock::new(1_700_000_000_000)), config)
}

/// A disk with an image, log around it, and an end that a crash left.
fn seed_disk(seed: u64) -> SimStorage {
    let disk = SimStorage::new(seed);
    let state = open(&disk).unwrap();
    let (mut prng, mut pages) = (Prng(seed), Vec::new());
    for step in 0..40 {
        random_op(&state, &mut prng, &mut pages).unwrap();
        match step {
            10 | 33 => drop(state.sync().unwrap()),
            20 => drop(state.checkpoint(Some("named")).unwrap()),
            _ => {}
        }
    }
    state.flush().unwrap();
    disk.crash(PowerLoss::KeepAll)
}

/// Damages bytes in one of many ways.
fn mutate(bytes: &mut Vec<u8>, prng: &mut Prng) {
    if bytes.is_empty() {
        bytes.extend(prng.bytes(9));
        return;
    }
    // Mostly where something stands.
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(1, |last| last + 1) as u64;
    for _ in 0..1 + prng.below(4) {
        let at = prng.below(used.min(bytes.len() as u64)) as usize;
        let len = (1 + prng.below(64) as usize).min(bytes.len() - at);
        match prng.below(8) {
            0 => bytes[at] ^= 1 << prng.below(8),
            1 => bytes[at..at + len].fill(0),
            2 => bytes[at..at + len].fill(0xFF),
            3 => bytes.truncate(at.max(1)),
            4 => {
                let from = prng.below(bytes.len() as u64) as usize;
                let len = len.min(bytes.len() - from);
                let to = at.min(bytes.len() - len);
                bytes.copy_within(from..from + len, to);
            }
            5 => {
                let junk = prng.bytes(len);
                bytes[at..at + len].copy_from_slice(&junk);
            }
            6 => {
                let junk = prng.bytes(len);
                bytes.splice(at..at, junk);
            }
            _ => drop(bytes.drain(at..at + len)),
        }
        if bytes.is_empty() {
            return;
        }
    }
}

/// Whatever stands in a directory, opening it ends in an error or in a state that is whole.
#[test]
fn recovery_of_damaged_directories() {
    let disks: Vec<SimStorage> = (1..8).map(seed_disk).collect();
    let (mut opened, mut refused) = (0, 0);
    for input in inputs() {
        let mut prng = Prng(input);
        let disk = prng.pick(&disks).unwrap().snapshot();
        let names = disk.list().unwrap();
        for _ in 0..1 + prng.below(2) {
            let name = prng.pick(&names).unwrap();
            if prng.below(12) == 0 {
                let other = prng.pick(&names).unwrap();
                let _ = disk.rename(name, other);
                continue;
            }
            let mut bytes = disk.read_file(name).unwrap_or_default();
            mutate(&mut bytes, &mut prng);
            disk.write_file(name, &bytes).unwrap();
        }
        match open(&disk) {
            Err(_) => refused += 1,
            Ok(state) => {
                opened += 1;
                exercise(&state, input);
            }
        }
    }
    assert!(opened > 0 && refused > opened, "{opened} opened, {refused} refused");
}

/// A state that opened keeps its promises, or says that a page or the past is damaged.
fn exercise(state: &State, input: u64) {
    let Ok(digest) = state.digest() else { return };
    if let Ok(verified) = state.verify(|_| ()) {
        assert_eq!(verified.digest, digest, "input {input}");
    }
    let page = state.create_page(10, Note::NONE).unwrap();
    state.update(page, &[1; 10], Note::NONE).unwrap();
    let live = state.digest().unwrap();
    let snapshot = state.snapshot().unwrap();
    if let Ok(replayed) = state.replay_to(snapshot.lsn()) {
        assert_eq!(replayed.digest().unwrap(), live, "input {input}");
    }
}

#[test]
fn records() {
    let disk = seed_disk(3);
    let names = disk.list().unwrap();
    let log = names.iter().find(|name| name.ends_with(".log")).unwrap();
    let bytes = disk.read_file(log).unwrap();
    for input in inputs() {
        let mut prng = Prng(input);
        let at = 4096 + prng.below(4000) as usize;
        let mut bytes = bytes[at..at + 300].to_vec();
        mutate(&mut bytes, &mut prng);
        // With a length and checksum that fit, so that the fields are reached.
        if bytes.len() >= 24 {
            let len = bytes.len() as u32;
            bytes[..4].copy_from_slice(&len.to_le_bytes());
            let crc = mmsb::stdx::crc::crc32c(&bytes[8..]);
            bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        }
        if let Ok(record) = Record::parse(&bytes) {
            let _ = (record.source(), record.intent());
            assert!(record.entries().count() <= bytes.len(), "input {input}");
        }
    }
}

#[test]
fn manifests() {
    let disk = seed_disk(4);
    let sound = disk.read_file("MANIFEST").unwrap();
    for input in inputs() {
        let (mut prng, mut bytes) = (Prng(input), sound.clone());
        mutate(&mut bytes, &mut prng);
        if bytes.len() >= 16 {
            bytes[12..16].fill(0);
            let crc = mmsb::stdx::crc::crc32c(&bytes);
            bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        }
        let disk = SimStorage::new(1);
        disk.write_file("MANIFEST", &bytes).unwrap();
        let _ = Manifest::read(&disk);
    }
}

#[test]
fn images() {
    let disk = seed_disk(5);
    let names = disk.list().unwrap();
    let name = names.iter().find(|name| name.ends_with(".image")).unwrap();
    let sound = disk.read_file(name).unwrap();
    for input in inputs() {
        let (mut prng, mut bytes) = (Prng(input), sound.clone());
        mutate(&mut bytes, &mut prng);
        let disk = SimStorage::new(1);
        disk.write_file("x.image", &bytes).unwrap();
        let Ok(image) = Image::open(&disk, "x.image") else { continue };
        for id in 0..60 {
            let _ = image.read_page(PageId(id));
            let _ = image.page(PageId(id));
        }
        let _ = image.verify(|_| ());
    }
}

#[test]
fn codec() {
    for input in inputs() {
        let mut prng = Prng(input);
        let len = prng.below(40) as usize;
        let bytes = prng.bytes(len);
        let mut dec = Dec::new(&bytes);
        while !dec.is_empty() {
            let read = match prng.below(6) {
                0 => dec.u8().is_some(),
                1 => dec.u16().is_some(),
                2 => dec.u32().is_some(),
                3 => dec.u64().is_some(),
                4 => dec.varint().is_some(),
                _ => dec.bytes(prng.next() as usize).is_some(),
            };
            if !read && dec.u8().is_none() {
                break;
            }
        }
    }
}
