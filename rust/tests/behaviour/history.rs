//! The past can be read, page by page and as a whole.

use crate::memory;
use mmsb::{Change, Config, Durability, EdgeKind, ErrorKind, Lsn, Note, PageId, Query, State};

fn changes(state: &State, query: Query) -> Vec<mmsb::Changed> {
    state.query(query).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_pages_history_is_its_records_in_order() {
    let state = memory();
    let pages: Vec<_> = (0..10).map(|_| state.create_page(8, Note::NONE).unwrap()).collect();
    for i in 0..1000u64 {
        state.update(pages[(i % 10) as usize], &(i + 1).to_le_bytes(), Note::NONE).unwrap();
    }
    let history = state.page_history(pages[3]).unwrap();
    assert_eq!(history.len(), 101);
    assert!(matches!(history[0].change, Change::Created { size: 8, .. }));
    for (epoch, pair) in history.windows(2).enumerate() {
        assert_eq!((pair[1].prev, pair[1].epoch), (pair[0].lsn, epoch as u64 + 1));
    }
    let scanned = changes(&state, Query::default());
    let scanned: Vec<_> = scanned.into_iter().filter(|c| c.page == pages[3]).collect();
    assert_eq!(scanned, history);
}

#[test]
fn queries_by_range_time_source_and_number() {
    let state = memory();
    let page = state.create_page(8, Note::NONE).unwrap();
    let mut lsns = Vec::new();
    for i in 1..=20u64 {
        let source = if i % 2 == 0 { "even" } else { "odd" };
        lsns.push(state.update(page, &i.to_le_bytes(), Note::from(source)).unwrap().unwrap());
    }
    let even = Query { source: Some("even".into()), ..Query::default() };
    assert_eq!(changes(&state, even.clone()).len(), 10);
    assert_eq!(changes(&state, Query { page: Some(page), ..even }).len(), 10);
    let range = Query { after: Some(lsns[4]), to: Some(lsns[9]), ..Query::default() };
    let found: Vec<Lsn> = changes(&state, range).iter().map(|c| c.lsn).collect();
    assert_eq!(found, lsns[5..=9]);
    assert_eq!(changes(&state, Query { limit: Some(3), ..Query::default() }).len(), 3);
    let all = changes(&state, Query::default());
    let (from, to) = (all[0].time_ms, all[20].time_ms);
    assert!(from > 1_700_000_000_000 && from <= to);
    let within = Query { from_ms: Some(from), to_ms: Some(to), ..Query::default() };
    assert_eq!(changes(&state, within).len(), 21);
    assert!(changes(&state, Query { from_ms: Some(to + 60_000), ..Query::default() }).is_empty());
}

#[test]
fn a_page_as_it_was_at_each_of_its_records() {
    let state = memory();
    let page = state.create_page(8, Note::NONE).unwrap();
    let created = state.page_lsn(page).unwrap();
    let mut seen = vec![(created, 0u64)];
    for i in 1..=50u64 {
        let lsn = state.update(page, &i.to_le_bytes(), Note::NONE).unwrap().unwrap();
        seen.push((lsn, i));
        if i % 10 == 0 {
            state.set_meta(page, b"i", &i.to_le_bytes(), Note::NONE).unwrap();
        }
        if i == 25 {
            state.checkpoint(None).unwrap();
        }
    }
    for &(lsn, i) in &seen {
        let at = state.page_at(page, lsn).unwrap();
        assert_eq!((at.bytes, at.epoch), (i.to_le_bytes().to_vec(), i));
        let tens = (i / 10 * 10).min(50);
        let tens = if i % 10 == 0 { tens.saturating_sub(10) } else { tens };
        assert_eq!(at.meta.first().map_or(0, |(_, v)| u64::from(v[0])), tens, "at {i}");
    }
    let before = Lsn(created.0 - 1);
    assert_eq!(state.page_at(page, before).unwrap_err().kind(), ErrorKind::PageNotFound);
    state.free_page(page, Note::NONE).unwrap();
    assert_eq!(state.page_at(page, seen[7].0).unwrap().epoch, 7);
    assert_eq!(state.page_history(page).unwrap().len(), 1 + 50 + 5 + 1);
}

#[test]
fn the_state_as_it_was() {
    let state = memory();
    let mut cuts = Vec::new();
    for i in 0..30u64 {
        let page = state.create_page(8, Note::NONE).unwrap();
        state.update(page, &(i + 1).to_le_bytes(), Note::NONE).unwrap();
        if i % 7 == 3 {
            state.free_page(PageId(i / 2 + 1), Note::NONE).unwrap();
        }
        cuts.push((state.flush().unwrap(), state.digest().unwrap()));
        if i == 12 {
            state.checkpoint(Some("middle")).unwrap();
        }
    }
    for (lsn, digest) in &cuts {
        let past = state.replay_to(*lsn).unwrap();
        assert_eq!(past.digest().unwrap(), *digest);
        assert!(past.is_read_only());
        let refused = past.create_page(1, Note::NONE).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ReadOnly);
    }
    assert_eq!(state.replay_to(Lsn::ZERO).unwrap().page_count(), 0);
    let future = Lsn(cuts[29].0.0 + (1 << 40));
    assert_eq!(state.replay_to(future).unwrap_err().kind(), ErrorKind::LsnInFuture);
    assert_eq!(state.page_at(PageId(1), future).unwrap_err().kind(), ErrorKind::LsnInFuture);
}

/// Whatever else is wrong with a change.
#[test]
fn the_past_is_read_only_before_all() {
    let state = memory();
    let page = || state.create_page(8, Note::NONE).unwrap();
    let (a, b, c) = (page(), page(), page());
    let copy = |parents: &[&[u8]], out: &mut [u8]| {
        out.copy_from_slice(parents[0]);
        Ok(())
    };
    state.derive_with(b, &[a], "copy", copy, Note::NONE).unwrap();
    let past = state.replay_to(state.flush().unwrap()).unwrap();
    let kind = |done: mmsb::Result<()>| done.unwrap_err().kind();
    for refused in [
        kind(past.write(a, 0, &[1], Note::NONE).map(drop)),
        kind(past.write(b, 0, &[1], Note::NONE).map(drop)),
        kind(past.write(c, 9, &[1], Note::NONE).map(drop)),
        kind(past.remove_edge(a, b, EdgeKind::Data, Note::NONE).map(drop)),
        kind(past.add_edge(b, a, EdgeKind::Data, Note::NONE).map(drop)),
        kind(past.free_page(a, Note::NONE).map(drop)),
        kind(past.free_page(PageId(99), Note::NONE).map(drop)),
        kind(past.derive_by(c, &[a], "copy", Note::NONE).map(drop)),
    ] {
        assert_eq!(refused, ErrorKind::ReadOnly);
    }
}

/// A replayed state holds content, not the log that led to it: it says so instead of showing a past
/// without records.
#[test]
fn a_replayed_state_has_no_past_of_its_own() {
    let state = memory();
    let page = state.create_page(8, Note::NONE).unwrap();
    let created = state.page_lsn(page).unwrap();
    let mut last = created;
    for i in 1..=5u64 {
        last = state.update(page, &i.to_le_bytes(), Note::NONE).unwrap().unwrap();
    }
    let past = state.replay_to(last).unwrap();
    for lsn in [Lsn::ZERO, created, Lsn(last.0 - 1)] {
        let refused = [
            past.page_at(page, lsn).map(drop),
            past.replay_to(lsn).map(drop),
            past.query(Query { after: Some(lsn), ..Query::default() }).map(drop),
            past.query(Query { after: Some(lsn), ..Query::page(page) }).map(drop),
        ];
        for (way, result) in refused.into_iter().enumerate() {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::HistoryDropped, "way {way}, {lsn}: {error}");
        }
    }
    // What it shows cannot be compared with a log, nor become the beginning of one.
    let digest = past.digest().unwrap();
    let error = past.verify().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HistoryDropped, "{error}");
    assert!(error.message().contains(&last.to_string()), "{error}");
    assert_eq!(past.checkpoint(None).unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(past.checkpoint(Some("then")).unwrap_err().kind(), ErrorKind::ReadOnly);
    assert!(past.checkpoints().unwrap().is_empty());
    // A file of its own it can have.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("then.image");
    past.export_checkpoint(&file).unwrap();
    assert_eq!(State::load_checkpoint(&file).unwrap().digest().unwrap(), digest);
    assert_eq!(past.digest().unwrap(), digest);
    assert_eq!(past.stats().unwrap().history_floor, last);
    assert!(changes(&past, Query::default()).is_empty(), "history begins where it ends");
}

/// A state in which one page takes most changes and another one few, in several segments, and the
/// LSNs of the former's.
fn hot_and_cold(state: &State) -> (PageId, PageId, Vec<Lsn>) {
    let hot = state.create_page(8, Note::NONE).unwrap();
    let cold = state.create_page(8, Note::NONE).unwrap();
    let mut lsns = Vec::new();
    for i in 1..=6000u64 {
        lsns.extend(state.update(hot, &i.to_le_bytes(), Note::NONE).unwrap());
        if i % 1500 == 0 {
            state.update(cold, &i.to_le_bytes(), Note::from("cold")).unwrap();
        }
    }
    (hot, cold, lsns)
}

/// By links or by a scan, whichever is shorter: the same is found.
#[test]
fn a_pages_changes_are_those_of_a_scan_in_every_range() {
    let config = Config { segment_bytes: 64 << 10, ..Config::memory() };
    let state = State::open(config).unwrap();
    let (hot, cold, lsns) = hot_and_cold(&state);
    let all = changes(&state, Query::default());
    assert!(state.stats().unwrap().segments > 3);
    let bounds = [0, 1, 700, 2999, 3000, 5990, 5999].map(|at| Some(lsns[at]));
    for page in [hot, cold] {
        for after in bounds.into_iter().chain([None]) {
            for to in bounds.into_iter().chain([None]) {
                for limit in [None, Some(3)] {
                    let query = Query { after, to, limit, ..Query::page(page) };
                    let expected = all.iter().filter(|change| {
                        change.page == page
                            && after.is_none_or(|after| change.lsn > after)
                            && to.is_none_or(|to| change.lsn <= to)
                    });
                    let expected = expected.take(limit.unwrap_or(u64::MAX) as usize);
                    assert!(changes(&state, query.clone()).iter().eq(expected), "{query:?}");
                }
            }
        }
    }
    for at in (0..6000).step_by(333) {
        let page = state.page_at(hot, lsns[at]).unwrap();
        assert_eq!(
            (page.bytes, page.epoch),
            ((at as u64 + 1).to_le_bytes().to_vec(), at as u64 + 1)
        );
        assert_eq!(state.page_at(cold, lsns[at]).unwrap().epoch, (at as u64) / 1500);
    }
}

/// Damage in what came later is met only by who goes there.
#[test]
fn an_early_part_of_a_pages_past_does_not_read_what_followed() {
    let dir = tempfile::tempdir().unwrap();
    let durability = Durability::Memory;
    let state = State::open(Config { durability, ..Config::durable(dir.path()) }).unwrap();
    let (hot, cold, lsns) = hot_and_cold(&state);
    state.flush().unwrap();
    let log = dir.path().join("0000000000000001.log");
    let mut bytes = std::fs::read(&log).unwrap();
    let damaged = lsns[4000].0.to_le_bytes();
    let at = bytes.windows(8).position(|window| window == damaged).unwrap();
    bytes[at + 40] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let early = Query { to: Some(lsns[100]), ..Query::page(hot) };
    assert_eq!(changes(&state, early).len(), 102);
    assert_eq!(state.page_at(hot, lsns[100]).unwrap().epoch, 101);
    let first = Query { limit: Some(2), ..Query::page(hot) };
    assert_eq!(changes(&state, first).len(), 2);
    let late = Query { after: Some(lsns[5000]), ..Query::page(hot) };
    assert_eq!(changes(&state, late).len(), 999);
    assert_eq!(changes(&state, Query::page(cold)).len(), 5, "it has its own links");
    let whole: mmsb::Result<Vec<_>> = state.query(Query::page(hot)).unwrap().collect();
    assert_eq!(whole.unwrap_err().kind(), ErrorKind::Corrupt);
}

/// An image does not list pages that were freed before it; the log still tells of them.
#[test]
fn the_past_of_a_page_that_was_freed_before_the_last_image_is_still_there() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(Config::durable(dir.path())).unwrap();
    let (a, b) =
        (state.create_page(4, Note::NONE).unwrap(), state.create_page(4, Note::NONE).unwrap());
    state.write(a, 0, b"live", Note::NONE).unwrap();
    state.derive(b, &[a], "u8: p0", Note::NONE).unwrap();
    let then = state.flush().unwrap();
    state.underive(b, Note::NONE).unwrap();
    state.remove_edge(a, b, mmsb::EdgeKind::Data, Note::NONE).unwrap();
    state.free_page(a, Note::NONE).unwrap();
    let history = state.page_history(a).unwrap();
    state.checkpoint(None).unwrap();
    state.close().unwrap();
    let state = State::open(Config::durable(dir.path())).unwrap();
    for page in [a, b] {
        assert_eq!(state.page_at(page, then).unwrap().bytes, b"live", "{page}");
    }
    assert_eq!(state.page_history(a).unwrap(), history);
    let error = state.page_at(a, state.flush().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PageNotFound);
    assert_eq!(state.page_history(PageId(3)).unwrap_err().kind(), ErrorKind::PageNotFound);
}
