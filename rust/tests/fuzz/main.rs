//! Fuzzing without a coverage guide: every target on its committed seeds, then on what comes of
//! them by mutation.
//!
//! `MMSB_FUZZ` sets how many inputs the cheapest targets get (dearer ones get a part of that),
//! `MMSB_SEED` where they begin. A failure names target and input; the same two give the same
//! input again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

#[path = "../common/mod.rs"]
mod common;
mod found;
mod samples;
mod targets;

use common::Prng;
use std::path::{Path, PathBuf};

/// Targets, and how many inputs of the cheapest one of theirs takes the time of.
macro_rules! targets {
    ($($name:ident $cost:literal)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name), targets::$name, $cost);
        })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! {
    codec 1
    record 1
    frame 1
    delta 1
    manifest 1
    formula 2
    log 4
    image 40
    recovery 10
    calls 20
}

fn seeds_dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rust/tests/fuzz/seeds").join(name)
}

/// Names and contents of a target's seeds: what is committed, and what this version makes.
/// `MMSB_WRITE_SAMPLES=1` writes that beside the others, for libFuzzer to begin with.
fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let dir = std::fs::read_dir(seeds_dir(name)).unwrap();
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read(&path).unwrap());
    let mut seeds: Vec<_> = dir.map(|file| read(file.unwrap().path())).collect();
    seeds.sort();
    if let Some(sample) = samples::of(name) {
        if std::env::var_os("MMSB_WRITE_SAMPLES").is_some() {
            std::fs::write(seeds_dir(name).join("sample"), &sample).unwrap();
        }
        seeds.push(("sample".to_owned(), sample));
    }
    seeds
}

fn run(name: &'static str, target: fn(&[u8]), cost: u64) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} has no seeds");
    for (path, seed) in &seeds {
        let _told = Told(|| format!("{name}, seed {path}"));
        target(seed);
    }
    let read = |name, default| std::env::var(name).map_or(default, |n| n.parse().unwrap());
    let (first, count) = (read("MMSB_SEED", 1), read("MMSB_FUZZ", 20_000));
    for input in first..first + (count / cost).max(1) {
        let _told =
            Told(|| format!("{name}: MMSB_SEED={input} MMSB_FUZZ=1 gives this input again"));
        target(&mutant(&seeds, &mut Prng(input)));
    }
}

/// Says at a panic what went in.
struct Told<F: Fn() -> String>(F);

impl<F: Fn() -> String> Drop for Told<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("fuzz target {}", (self.0)());
        }
    }
}

/// Random bytes, or a seed with damage.
fn mutant(seeds: &[(String, Vec<u8>)], prng: &mut Prng) -> Vec<u8> {
    if prng.below(16) == 0 {
        let len = prng.below(300) as usize;
        return prng.bytes(len);
    }
    let mut bytes = prng.pick(seeds).unwrap().1.clone();
    for _ in 0..1 + prng.below(4) {
        mutate(&mut bytes, seeds, prng);
    }
    bytes
}

/// Damages bytes in one of many ways.
fn mutate(bytes: &mut Vec<u8>, seeds: &[(String, Vec<u8>)], prng: &mut Prng) {
    if bytes.is_empty() {
        bytes.extend(prng.bytes(9));
        return;
    }
    let at = prng.below(bytes.len() as u64) as usize;
    let len = (1 + prng.below(64) as usize).min(bytes.len() - at);
    match prng.below(9) {
        0 => bytes[at] ^= 1 << prng.below(8),
        1 => bytes[at..at + len].fill(0),
        2 => bytes[at..at + len].fill(0xFF),
        3 => bytes.truncate(at),
        4 => {
            let from = prng.below((bytes.len() - len) as u64 + 1) as usize;
            bytes.copy_within(from..from + len, at);
        }
        5 => {
            let junk = prng.bytes(len);
            bytes[at..at + len].copy_from_slice(&junk);
        }
        6 => drop(bytes.splice(at..at, prng.bytes(len))),
        7 => drop(bytes.drain(at..at + len)),
        _ => {
            let other = &prng.pick(seeds).unwrap().1;
            let from = prng.below(other.len() as u64 + 1) as usize;
            drop(bytes.splice(at.., other[from..].iter().copied()));
        }
    }
}

#[test]
fn libfuzzer_has_every_target() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let bins: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .collect();
    assert_eq!(bins[1..], *NAMES);
}

/// Every function of the C interface is one that the fuzzer calls.
#[test]
fn calls_are_those_of_the_header() {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/mmsb.h");
    let header = std::fs::read_to_string(header).unwrap();
    let declared = header.lines().filter(|line| !line.trim_start().starts_with(['*', '/']));
    let mut declared: Vec<&str> = declared
        .filter_map(|line| {
            let name = &line[line.find("rust_")?..];
            Some(&name[..name.find('(')?])
        })
        .collect();
    let mut called: Vec<&str> = targets::CALLS.iter().map(|(name, _)| *name).collect();
    declared.sort();
    called.sort();
    assert_eq!(called, declared);
}
