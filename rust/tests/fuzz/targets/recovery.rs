//! Recovery of a directory that was damaged: a sound one, and edits of its files.

use super::input::Input;
use super::mend;
use super::state::{exercise, open};
use crate::common::{Prng, random_op};
use mmsb::checkpoint::manifest::MANIFEST;
use mmsb::env::Storage;
use mmsb::env::sim::{PowerLoss, SimStorage};
use mmsb::log::segment::Segment;
use std::collections::HashSet;
use std::sync::OnceLock;

const BASES: u64 = 8;
const EDITS_MAX: usize = 6;

/// A disk with an image, log around it, and an end that a crash left.
struct Base {
    disk: SimStorage,
    /// Digests of the state after each of its records, and before the first.
    digests: HashSet<[u8; 32]>,
}

fn base(seed: u64) -> Base {
    let disk = SimStorage::new(seed);
    let state = open(&disk).unwrap();
    let mut digests = HashSet::from([state.digest().unwrap()]);
    let (mut prng, mut pages) = (Prng(seed), Vec::new());
    for step in 0..40 {
        random_op(&state, &mut prng, &mut pages).unwrap();
        digests.insert(state.digest().unwrap());
        match step {
            10 | 33 => drop(state.sync().unwrap()),
            20 => drop(state.checkpoint(Some("named")).unwrap()),
            _ => {}
        }
    }
    state.flush().unwrap();
    Base { disk: disk.crash(PowerLoss::KeepAll), digests }
}

fn bases() -> &'static [Base] {
    static BASE: OnceLock<Vec<Base>> = OnceLock::new();
    BASE.get_or_init(|| (0..BASES).map(base).collect())
}

/// Whatever stands in a directory, opening it ends in an error or in a state that is whole; and
/// without forged checksums, in one that there was.
pub fn recovery(data: &[u8]) {
    let mut input = Input::new(data);
    let (base, forge) = (&bases()[input.below(BASES as usize)], input.u8() & 1 == 1);
    let disk = base.disk.snapshot();
    for _ in 0..EDITS_MAX {
        if input.is_empty() {
            break;
        }
        edit(&disk, &mut input, forge);
    }
    let Ok(state) = open(&disk) else { return };
    let found = exercise(&disk, state);
    if let (Some(found), false) = (found, forge) {
        assert!(base.digests.contains(&found), "a state that there never was");
    }
}

fn edit(disk: &SimStorage, input: &mut Input<'_>, forge: bool) {
    let names = disk.list().unwrap();
    if names.is_empty() {
        return;
    }
    let name = &names[input.below(names.len())];
    match input.below(16) {
        0 => drop(disk.remove(name)),
        1 => drop(disk.rename(name, &names[input.below(names.len())])),
        2 => {
            // A file with another's content, or none, under a name that means something.
            let known = ["0000000000000009.log", "spare-0001.log", "MANIFEST.new", "x.image", "x"];
            let bytes = disk.read_file(name).unwrap_or_default();
            let len = if input.once_in(2) { bytes.len() } else { input.below(bytes.len().max(1)) };
            disk.write_file(input.pick(&known), &bytes[..len]).unwrap();
        }
        _ => {
            let mut bytes = disk.read_file(name).unwrap_or_default();
            damage(&mut bytes, input);
            if forge {
                mend_file(name, &mut bytes);
            }
            disk.write_file(name, &bytes).unwrap();
        }
    }
}

fn mend_file(name: &str, bytes: &mut [u8]) {
    if Segment::parse_name(name).is_some() {
        mend::segment(bytes);
    } else if name.ends_with(".image") {
        mend::image(bytes);
    } else if name == MANIFEST {
        mend::manifest(bytes);
    }
}

/// Damages bytes in one of many ways, where something stands.
fn damage(bytes: &mut Vec<u8>, input: &mut Input<'_>) {
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    if used == 0 {
        bytes.extend(input.bytes(64));
        return;
    }
    let at = input.below(used.min(1 << 16));
    let len = (1 + input.below(64)).min(bytes.len() - at);
    match input.below(8) {
        0 => bytes[at] ^= 1 << input.below(8),
        1 => bytes[at..at + len].fill(0),
        2 => bytes[at..at + len].fill(0xFF),
        3 => bytes.truncate(at),
        4 => {
            let from = input.below(used.min(1 << 16)).min(bytes.len() - len);
            bytes.copy_within(from..from + len, at);
        }
        5 => drop(bytes.splice(at..at, input.bytes(len).iter().copied())),
        6 => drop(bytes.drain(at..at + len)),
        _ => {
            let new = input.bytes(len);
            bytes[at..at + new.len()].copy_from_slice(new);
        }
    }
}
