//! Private pages through crashes: after each, what stands there opens, and is one write's.

use crate::common::Prng;
use crate::every_operation::{self, Work};
use mmsb::{Batch, Durability, Location, Note, PageId, Result, State};

const KEY: [u8; 32] = [0x33; 32];
/// Three numbers, always the same.
const SIZE: u64 = 24;

fn filled(n: u64) -> Vec<u8> {
    n.to_le_bytes().repeat(3)
}

/// One group, or none, of private pages.
fn random_step(state: &State, prng: &mut Prng, pages: &mut Vec<PageId>) -> Result<()> {
    state.unlock(&KEY)?;
    let n = prng.next();
    match (prng.pick(pages).copied(), prng.below(8)) {
        (None, _) | (_, 0) => {
            pages.push(state.create_private_page(SIZE, Location::Cpu, Note::NONE)?);
        }
        (Some(page), 1) => {
            state.free_page(page, Note::NONE)?;
            pages.retain(|&other| other != page);
        }
        (Some(page), 2..5) => {
            let mut batch = Batch::new(state);
            let created = batch.create_private_page(SIZE, Location::Cpu)?;
            batch.update(created, &filled(n))?;
            batch.update(page, &filled(n + 1))?;
            batch.commit(Note::NONE)?;
            pages.push(created);
        }
        (Some(page), _) => drop(state.update(page, &filled(n), Note::NONE)?),
    }
    Ok(())
}

fn assert_whole(state: &State, what: &str) {
    state.unlock(&KEY).unwrap();
    for page in state.list_pages().unwrap() {
        assert!(state.is_private(page).unwrap(), "{what}: {page}");
        let bytes = state.read_all(page).unwrap();
        assert_eq!(bytes, bytes[..8].repeat(3), "{what}: {page}");
    }
}

/// Of what is open: two seals of the same differ.
fn digest(state: &State) -> [u8; 32] {
    state.unlock(&KEY).unwrap();
    let mut hasher = blake3::Hasher::new();
    for page in state.list_pages().unwrap() {
        hasher.update(&page.0.to_le_bytes());
        hasher.update(&state.epoch(page).unwrap().to_le_bytes());
        hasher.update(&state.read_all(page).unwrap());
    }
    hasher.finalize().into()
}

const WORK: Work = Work { step: random_step, check: assert_whole, digest };

#[test]
fn every_operation_may_be_the_last() {
    for seed in 1..4 {
        every_operation::crash_everywhere(Durability::Sync, seed, WORK);
    }
    for seed in 10..12 {
        every_operation::crash_everywhere(Durability::Memory, seed, WORK);
    }
}

#[test]
fn so_may_every_operation_of_recovery() {
    every_operation::crash_in_recovery(Durability::Sync, 6, WORK);
}
