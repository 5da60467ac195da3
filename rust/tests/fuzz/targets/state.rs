//! States on simulated disks, for targets that damage what they stand on.

use mmsb::env::sim::{PowerLoss, SimClock, SimStorage};
use mmsb::{Config, Durability, Location, Note, Query, State};
use std::sync::Arc;

/// Ids and bytes of pages up to which a state is walked. A checksum stands between a flipped bit
/// and a page of 1 GiB or the id 2^40; behind it both are what they say.
pub const SMALL: u64 = 500;
const SMALL_BYTES: u64 = 1 << 20;

pub fn config() -> Config {
    let durability = Durability::Memory;
    Config { durability, segment_bytes: 64 << 10, ..Config::durable("fuzz") }
}

pub fn clock() -> Arc<SimClock> {
    Arc::new(SimClock::new(1_700_000_000_000))
}

pub fn open(disk: &SimStorage) -> mmsb::Result<State> {
    State::open_in(Arc::new(disk.clone()), clock(), config())
}

/// A state that opened keeps its promises, or says that a page or the past is damaged. Returns its
/// digest before anything was changed, if it has one.
pub fn exercise(disk: &SimStorage, state: State) -> Option<[u8; 32]> {
    let stats = state.stats().unwrap();
    if stats.next_page_id > SMALL || stats.page_bytes > SMALL_BYTES {
        return None;
    }
    let found = state.digest().ok();
    reads(&state);
    if let Ok(verified) = state.verify() {
        assert_eq!(Some(verified.digest), found);
    }
    let changed = changes(&state)?;
    // Closed in order, then the power goes: everything is there.
    if state.close().is_ok() {
        let again = open(&disk.crash(PowerLoss::DropUnsynced)).unwrap();
        assert_eq!(again.digest().ok(), changed);
    }
    found
}

/// Whatever is asked of a page has an answer, unless it stands damaged in an image.
fn reads(state: &State) {
    let Ok(pages) = state.list_pages() else { return };
    for &page in pages.iter().take(50) {
        let size = match state.page_size(page) {
            Ok(size) => size,
            Err(error) => {
                assert!(error.is_corrupt(), "{error}");
                continue;
            }
        };
        assert_eq!(state.view(page).unwrap().len() as u64, size);
        state.meta_list(page).unwrap();
        let _ = state.page_at(page, state.page_lsn(page).unwrap());
        let _ = state.page_history(page);
    }
    if let Ok(changes) = state.query(Query::default()) {
        changes.for_each(drop);
    }
}

/// Changes the state in each of the ways; returns the digest after them. `None` if it takes none.
fn changes(state: &State) -> Option<Option<[u8; 32]>> {
    let page = state.create_page_at(10, Location::Unified, Note::NONE).ok()?;
    state.update(page, &[1; 10], Note::NONE).unwrap();
    state.set_meta(page, b"key", b"value", Note::NONE).unwrap();
    let old = *state.list_pages().ok()?.first()?;
    if let Ok(size) = state.page_size(old) {
        let _ = state.update(old, &vec![7; size as usize], Note::from("fuzz"));
        let _ = state.free_page(old, Note::NONE);
    }
    let live = state.digest().ok();
    let snapshot = state.snapshot().unwrap();
    if let Ok(replayed) = state.replay_to(snapshot.lsn()) {
        assert_eq!(replayed.digest().ok(), live);
    }
    let _ = state.checkpoint(None);
    assert_eq!(state.digest().ok(), live);
    Some(live)
}
