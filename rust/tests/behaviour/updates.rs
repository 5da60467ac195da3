//! An update records what differs and nothing else.

use crate::{memory, ramp};
use mmsb::{Change, Delta, ErrorKind, Note};

fn records(state: &mmsb::State) -> u64 {
    state.stats().unwrap().records
}

#[test]
fn only_what_differs_is_recorded() {
    let state = memory();
    let page = ramp(&state, 1024);
    let mut content = state.read_all(page).unwrap();
    content[500..510].fill(0xEE);
    let lsn = state.update(page, &content, Note::from("test")).unwrap().unwrap();
    assert_eq!(state.read_all(page).unwrap(), content);
    let last = state.page_history(page).unwrap().pop().unwrap();
    assert_eq!((last.lsn, last.epoch, last.source.as_str()), (lsn, 2, "test"));
    let Change::Written(delta) = last.change else { panic!("{last:?}") };
    let runs: Vec<_> = delta.runs().map(|(at, bytes)| (at, bytes.to_vec())).collect();
    assert_eq!(runs, [(500, vec![0xEE; 10])]);
}

#[test]
fn equal_content_records_nothing_by_any_way() {
    let state = memory();
    let page = ramp(&state, 64);
    let content = state.read_all(page).unwrap();
    let before = (records(&state), state.epoch(page).unwrap(), state.digest().unwrap());
    assert_eq!(state.update(page, &content, Note::NONE).unwrap(), None);
    assert_eq!(state.write(page, 8, &content[8..20], Note::NONE).unwrap(), None);
    assert_eq!(state.write_masked(page, &[1; 64], &content, Note::NONE).unwrap(), None);
    assert_eq!(state.apply(&Delta::dense(page, &content[..]).unwrap()).unwrap(), None);
    assert_eq!(state.write(page, 64, &[], Note::NONE).unwrap(), None);
    let after = (records(&state), state.epoch(page).unwrap(), state.digest().unwrap());
    assert_eq!(before, after);
}

#[test]
fn a_mask_chooses_bytes() {
    let state = memory();
    let page = ramp(&state, 16);
    let mut mask = [0; 16];
    (mask[1], mask[2], mask[15]) = (1, 255, 7);
    state.write_masked(page, &mask, &[0xAA; 16], Note::NONE).unwrap();
    let mut expected: Vec<u8> = (0..16).collect();
    (expected[1], expected[2], expected[15]) = (0xAA, 0xAA, 0xAA);
    assert_eq!(state.read_all(page).unwrap(), expected);
}

#[test]
fn deltas_apply_with_the_note_that_they_carry() {
    let state = memory();
    let page = ramp(&state, 16);
    let delta = Delta::from_runs(page, &[(0, b"ab"), (10, b"cd")]).unwrap();
    let delta = delta.with_source("feed").unwrap().with_intent("late").unwrap();
    state.apply(&delta).unwrap().unwrap();
    let last = state.page_history(page).unwrap().pop().unwrap();
    assert_eq!((last.source.as_str(), last.intent.as_deref()), ("feed", Some("late")));
    assert_eq!(&state.read_all(page).unwrap()[9..13], [9, b'c', b'd', 12]);
}

#[test]
fn wrong_lengths_ranges_and_notes_change_nothing() {
    let state = memory();
    let page = ramp(&state, 16);
    let before = (records(&state), state.digest().unwrap());
    let long = "x".repeat(256);
    let refused = [
        (state.update(page, &[0; 15], Note::NONE), ErrorKind::LengthMismatch, "15"),
        (state.update(page, &[], Note::NONE), ErrorKind::LengthMismatch, "16"),
        (state.write(page, 15, &[1, 2], Note::NONE), ErrorKind::RangeOutOfBounds, "15"),
        (state.write(page, u64::MAX, &[1], Note::NONE), ErrorKind::RangeOutOfBounds, "16"),
        (state.write_masked(page, &[1; 17], &[0; 16], Note::NONE), ErrorKind::LengthMismatch, "17"),
        (state.write_masked(page, &[1; 16], &[0; 9], Note::NONE), ErrorKind::LengthMismatch, "9"),
        (state.write(page, 0, &[9], Note::from(long.as_str())), ErrorKind::TooLong, "256"),
        (state.apply(&Delta::dense(page, [0; 17]).unwrap()), ErrorKind::LengthMismatch, "17"),
    ];
    for (result, kind, named) in refused {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(named), "{error}");
    }
    assert_eq!((records(&state), state.digest().unwrap()), before);
}

#[test]
fn a_page_of_one_byte_and_a_large_one() {
    let state = memory();
    let small = state.create_page(1, Note::NONE).unwrap();
    let large = state.create_page(40 << 20, Note::NONE).unwrap();
    state.update(small, &[7], Note::NONE).unwrap();
    let content = vec![3; 40 << 20];
    state.update(large, &content, Note::NONE).unwrap();
    state.write(large, (40 << 20) - 1, &[4], Note::NONE).unwrap();
    let replayed = state.replay_to(state.flush().unwrap()).unwrap();
    assert_eq!(replayed.digest().unwrap(), state.digest().unwrap());
    assert_eq!(replayed.epoch(large).unwrap(), 2);
}
