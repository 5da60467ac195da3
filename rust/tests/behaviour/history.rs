//! The past can be read, page by page and as a whole.

use crate::memory;
use mmsb::{Change, ErrorKind, Lsn, Note, PageId, Query, State};

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
