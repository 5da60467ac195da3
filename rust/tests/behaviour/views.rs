//! A view shows the page as it was, whatever happens to the page or the state.

use crate::{memory, ramp};
use mmsb::Note;

#[test]
fn a_view_stays_while_writers_go_on() {
    let state = memory();
    let page = ramp(&state, 256);
    let view = state.view(page).unwrap();
    let before = view.to_vec();
    for i in 0..50u8 {
        state.write(page, u64::from(i), &[!i], Note::NONE).unwrap();
    }
    assert_eq!(&*view, before);
    assert_eq!((view.epoch(), state.epoch(page).unwrap()), (1, 51));
    state.free_page(page, Note::NONE).unwrap();
    assert_eq!(&*view, before);
    assert_eq!(state.stats().unwrap().version_bytes, 256);
    drop(view);
    assert_eq!(state.stats().unwrap().version_bytes, 0);
    assert_eq!(state.stats().unwrap().frame_bytes, 0);
}

#[test]
fn a_view_outlives_its_state() {
    let state = memory();
    let page = ramp(&state, 4096);
    let view = state.view(page).unwrap();
    state.close().unwrap();
    let others: Vec<_> = (0..20).map(|_| memory()).collect();
    for other in &others {
        let page = other.create_page(4096, Note::NONE).unwrap();
        other.update(page, &[0xFF; 4096], Note::NONE).unwrap();
    }
    assert!(view.iter().enumerate().all(|(i, &byte)| byte == i as u8));
}

#[test]
fn several_views_of_several_epochs() {
    let state = memory();
    let page = state.create_page(1, Note::NONE).unwrap();
    let mut views = Vec::new();
    for i in 1..=20u8 {
        state.update(page, &[i], Note::NONE).unwrap();
        views.push(state.view(page).unwrap());
        views.push(state.view(page).unwrap());
    }
    for (i, view) in views.iter().enumerate() {
        assert_eq!(view[0], i as u8 / 2 + 1);
    }
    // Dropped in an order of no system.
    while !views.is_empty() {
        let at = views.len() * 7 / 11;
        views.swap_remove(at);
        for view in &views {
            assert_eq!(u64::from(view[0]), view.epoch());
        }
    }
    assert_eq!(state.stats().unwrap().version_bytes, 0);
}

#[test]
fn views_are_aligned_for_every_type() {
    let state = memory();
    for size in [1, 16, 100, 4096, 100_000, 3 << 20] {
        let page = state.create_page(size, Note::NONE).unwrap();
        assert_eq!(state.view(page).unwrap().as_ptr() as usize % 64, 0);
    }
}
