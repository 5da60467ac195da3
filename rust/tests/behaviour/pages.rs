//! Pages are created, listed, described and freed; unknown and freed ones are told apart.

use crate::memory;
use mmsb::{ErrorKind, Location, Note, PageId};

#[test]
fn ids_are_dense_from_one_and_never_reused() {
    let state = memory();
    let ids: Vec<PageId> = (0..5).map(|_| state.create_page(8, Note::NONE).unwrap()).collect();
    assert_eq!(ids, (1..=5).map(PageId).collect::<Vec<_>>());
    state.free_page(PageId(5), Note::NONE).unwrap();
    state.free_page(PageId(2), Note::NONE).unwrap();
    assert_eq!(state.create_page(8, Note::NONE).unwrap(), PageId(6));
    assert_eq!(state.list_pages().unwrap(), [1, 3, 4, 6].map(PageId));
    assert_eq!(state.page_count(), 4);
}

#[test]
fn a_new_page_is_zero_at_epoch_zero() {
    let state = memory();
    let page = state.create_page_at(100, Location::Unified, Note::NONE).unwrap();
    assert_eq!(state.read_all(page).unwrap(), [0; 100]);
    assert_eq!((state.epoch(page).unwrap(), state.page_size(page).unwrap()), (0, 100));
    assert_eq!(state.location(page).unwrap(), Location::Unified);
}

#[test]
fn sizes_outside_the_limits_are_refused() {
    let state = memory();
    for size in [0, (1 << 30) + 1, u64::MAX] {
        let error = state.create_page(size, Note::NONE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SizeOutOfRange);
        assert!(error.message().contains(&size.to_string()), "{error}");
    }
    assert_eq!(state.create_page(1, Note::NONE).unwrap(), PageId(1));
}

#[test]
fn unknown_and_freed_pages_are_told_apart() {
    let state = memory();
    let page = state.create_page(8, Note::NONE).unwrap();
    state.free_page(page, Note::NONE).unwrap();
    let before = state.digest().unwrap();
    for (id, kind) in [
        (page, ErrorKind::PageFreed),
        (PageId(0), ErrorKind::PageNotFound),
        (PageId(2), ErrorKind::PageNotFound),
        (PageId(u64::MAX), ErrorKind::PageNotFound),
    ] {
        assert_eq!(state.read(id, 0, &mut [0]).unwrap_err().kind(), kind);
        assert_eq!(state.update(id, &[0; 8], Note::NONE).unwrap_err().kind(), kind);
        assert_eq!(state.free_page(id, Note::NONE).unwrap_err().kind(), kind);
        assert_eq!(state.epoch(id).unwrap_err().kind(), kind);
        assert_eq!(state.view(id).unwrap_err().kind(), kind);
        assert_eq!(state.set_meta(id, b"k", b"v", Note::NONE).unwrap_err().kind(), kind);
    }
    assert_eq!(state.digest().unwrap(), before);
}

#[test]
fn metadata_is_content_but_not_an_epoch() {
    let state = memory();
    let page = state.create_page(8, Note::NONE).unwrap();
    let empty = state.digest().unwrap();
    state.set_meta(page, b"name", b"JFK", Note::NONE).unwrap().unwrap();
    assert_eq!(state.set_meta(page, b"name", b"JFK", Note::NONE).unwrap(), None);
    state.set_meta(page, b"code", b"", Note::NONE).unwrap();
    assert_eq!(state.meta(page, b"name").unwrap(), b"JFK");
    assert_eq!(state.epoch(page).unwrap(), 0);
    let pairs = state.meta_list(page).unwrap();
    assert_eq!(pairs, [(b"code".to_vec(), vec![]), (b"name".to_vec(), b"JFK".to_vec())]);
    assert_ne!(state.digest().unwrap(), empty);
    state.remove_meta(page, b"name", Note::NONE).unwrap();
    state.remove_meta(page, b"code", Note::NONE).unwrap();
    assert_eq!(state.digest().unwrap(), empty);
    let missing = state.remove_meta(page, b"code", Note::NONE).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::KeyNotFound);
    let refused = [
        (state.set_meta(page, b"", b"v", Note::NONE), ErrorKind::InvalidArgument),
        (state.set_meta(page, &[1; 256], b"v", Note::NONE), ErrorKind::TooLong),
        (state.set_meta(page, b"k", &[1; 65_536], Note::NONE), ErrorKind::TooLong),
    ];
    for (result, kind) in refused {
        assert_eq!(result.unwrap_err().kind(), kind);
    }
}
