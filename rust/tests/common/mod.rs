//! What several test programs share: a small generator of random numbers, and random histories.
#![allow(dead_code)]

use mmsb::{Batch, Delta, Location, Note, PageId, Result, State};

/// Metadata of a page.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// SplitMix64: the same seed gives the same numbers.
pub struct Prng(pub u64);

impl Prng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { Some(&items[self.below(items.len() as u64) as usize]) }
    }
}

const SOURCES: [&str; 4] = ["", "feed", "agent-7", "a longer label of a source"];
const SIZES: [u64; 6] = [1, 16, 64, 300, 1024, 5000];

fn note<'a>(prng: &mut Prng) -> Note<'a> {
    let note = Note::from(SOURCES[prng.below(4) as usize]);
    if prng.below(4) == 0 { note.because("why not") } else { note }
}

/// One random change to a state, by any of its ways; `pages` are those it may use.
pub fn random_op(state: &State, prng: &mut Prng, pages: &mut Vec<PageId>) -> Result<()> {
    let note = note(prng);
    let Some(&page) = prng.pick(pages) else {
        pages.push(state.create_page(SIZES[prng.below(6) as usize], note)?);
        return Ok(());
    };
    let size = state.page_size(page)?;
    match prng.below(20) {
        0 if pages.len() < 40 => {
            let location = [Location::Cpu, Location::Gpu, Location::Unified];
            let size = SIZES[prng.below(6) as usize];
            pages.push(state.create_page_at(size, location[prng.below(3) as usize], note)?);
        }
        1 if pages.len() > 20 => {
            pages.retain(|&other| other != page);
            state.free_page(page, note)?;
        }
        2 | 3 => {
            let (key, len) = ([b"a", b"b", b"c"][prng.below(3) as usize], prng.below(40) as usize);
            state.set_meta(page, key, &prng.bytes(len), note)?;
        }
        4 => {
            let keys = state.meta_list(page)?;
            if let Some((key, _)) = prng.pick(&keys) {
                state.remove_meta(page, key, note)?;
            }
        }
        5..=7 => drop(state.update(page, &prng.bytes(size as usize), note)?),
        8 => {
            let mask: Vec<u8> = (0..size).map(|_| u8::from(prng.below(9) == 0)).collect();
            state.write_masked(page, &mask, &prng.bytes(size as usize), note)?;
        }
        9 => random_batch(state, prng, pages, note)?,
        10 => {
            let at = prng.below(size) as usize;
            let len = 1 + prng.below(size - at as u64) as usize;
            let bytes = prng.bytes(len);
            let delta = Delta::from_runs(page, &[(at, &bytes)])?.with_source(note.source)?;
            state.apply(&delta)?;
        }
        _ => {
            let at = prng.below(size);
            let len = 1 + prng.below((size - at).min(24)) as usize;
            state.write(page, at, &prng.bytes(len), note)?;
        }
    }
    Ok(())
}

fn random_batch(
    state: &State,
    prng: &mut Prng,
    pages: &mut Vec<PageId>,
    note: Note<'_>,
) -> Result<()> {
    let mut batch = Batch::new(state);
    for _ in 0..1 + prng.below(5) {
        let Some(&page) = prng.pick(pages) else { continue };
        let size = state.page_size(page)?;
        let at = prng.below(size);
        let len = 1 + prng.below((size - at).min(50)) as usize;
        match prng.below(4) {
            0 => batch.set_meta(page, b"batch", &prng.bytes(5))?,
            1 => batch.update(page, &prng.bytes(size as usize))?,
            _ => batch.write(page, at, &prng.bytes(len))?,
        }
    }
    let made = match prng.below(3) {
        0 => {
            let made = batch.create_page(64, Location::Cpu)?;
            batch.write(made, 3, b"born written")?;
            Some(made)
        }
        _ => None,
    };
    batch.commit(note)?;
    pages.extend(made);
    Ok(())
}
