//! What a page's content was made of.

use super::{COPY, NOTE, SUM, derived, memory, page, pages, set};
use mmsb::{Config, Lsn, Note, PageId, Propagation, Rule, State};

/// Page, epoch, source and parents of each origin.
type Told<'a> = (PageId, u64, &'a str, &'a [usize]);

fn assert_told(state: &State, page: PageId, expected: &[Told<'_>]) {
    let told = state.explain(page).unwrap();
    let seen = told.origins.iter().map(|origin| {
        (origin.page, origin.epoch, origin.source.as_str(), origin.parents.as_slice())
    });
    assert_eq!(seen.collect::<Vec<_>>(), expected);
}

#[test]
fn a_page_is_explained_back_to_its_inputs() {
    let state = memory();
    let (a, b) = (page(&state), page(&state));
    let sum = derived(&state, &[a, b], SUM);
    let top = derived(&state, &[sum, a], SUM);
    state.write(a, 0, &[1], Note::from("feed").because("quote 1")).unwrap();
    state.write(b, 0, &[2], Note::from("desk")).unwrap();
    assert_told(
        &state,
        top,
        &[
            (top, 2, "desk", &[1, 2]),
            (sum, 2, "desk", &[2, 3]),
            (a, 1, "feed", &[]),
            (b, 1, "desk", &[]),
        ],
    );
    let told = state.explain(top).unwrap();
    assert_eq!(told.origins[0].rule, Some(Rule::Formula(SUM.into())));
    assert_eq!(told.origins[2].intent.as_deref(), Some("quote 1"));
    assert_eq!((told.origins[2].rule.clone(), told.dropped), (None, 0));
    assert!(told.to_string().contains("4@2 = u64: fold(real) of 3@2 1@1"), "{told}");
}

#[test]
fn a_stale_page_is_explained_as_it_was_made() {
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    set(&state, a, 1);
    state.set_propagation(Propagation::Deferred).unwrap();
    set(&state, a, 2);
    set(&state, a, 3);
    assert_told(&state, b, &[(b, 1, "propagation", &[1]), (a, 1, "propagation", &[])]);
    // Another rule since: it tells of the one that made the content.
    state.derive(b, &[page(&state)], SUM, NOTE).unwrap();
    assert_told(&state, b, &[(b, 1, "propagation", &[1]), (a, 1, "propagation", &[])]);
}

#[test]
fn pages_written_by_hand_and_never_written_are_told() {
    let state = memory();
    let a = page(&state);
    assert_told(&state, a, &[(a, 0, "propagation", &[])]);
    state.write(a, 0, &[9], Note::from("hand")).unwrap();
    state.set_meta(a, b"k", b"v", Note::from("label")).unwrap();
    assert_told(&state, a, &[(a, 1, "hand", &[])]);
    let error = state.explain(PageId(50)).unwrap_err();
    assert_eq!(error.kind(), mmsb::ErrorKind::PageNotFound);
}

#[test]
fn levels_and_diamonds_are_told_once_each() {
    let state = memory();
    let mut level = pages(&state, 3);
    for _ in 0..32 {
        level = (0..3).map(|_| derived(&state, &level, SUM)).collect();
    }
    set(&state, PageId(1), 1);
    let told = state.explain(level[0]).unwrap();
    assert_eq!(told.origins.len(), 1 + 31 * 3 + 3);
    let lsns: Vec<Lsn> = told.origins.iter().map(|origin| origin.lsn).collect();
    assert!(lsns[..1 + 31 * 3].iter().all(|&lsn| lsn == lsns[0]));
}

/// Records may be kept longer than history is: how a page was computed then is no longer known.
#[test]
fn what_was_computed_before_history_begins_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let segment_bytes = mmsb::limits::SEGMENT_BYTES_MIN;
    let config = Config { history_bytes: 0, segment_bytes, ..Config::durable(dir.path()) };
    let state = State::open(config).unwrap();
    let large = state.create_page(segment_bytes / 2, NOTE).unwrap();
    for n in 1..6 {
        state.update(large, &vec![n; segment_bytes as usize / 2], NOTE).unwrap();
    }
    let a = page(&state);
    set(&state, a, 3);
    let b = derived(&state, &[a], COPY);
    state.underive(b, NOTE).unwrap();
    assert_eq!(state.explain(b).unwrap().origins.len(), 2);
    state.checkpoint(None).unwrap();
    let told = state.explain(b).unwrap();
    assert_eq!((told.origins.len(), told.dropped), (0, 1));
}

/// The image does not tell of them, but their records are still there.
#[test]
fn parents_that_were_freed_before_the_last_image_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(Config::durable(dir.path())).unwrap();
    let a = page(&state);
    set(&state, a, 3);
    let b = derived(&state, &[a], COPY);
    let c = derived(&state, &[b], COPY);
    set(&state, a, 4);
    let told = state.explain(c).unwrap();
    assert_eq!((told.origins.len(), told.dropped), (3, 0));
    state.underive(c, NOTE).unwrap();
    state.remove_edge(b, c, mmsb::EdgeKind::Data, NOTE).unwrap();
    state.free_cascade(a, NOTE).unwrap();
    assert_eq!(state.explain(c).unwrap(), told);
    state.checkpoint(None).unwrap();
    state.close().unwrap();
    let state = State::open(Config::durable(dir.path())).unwrap();
    assert_eq!(state.explain(c).unwrap(), told);
}
