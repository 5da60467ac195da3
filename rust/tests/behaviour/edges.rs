//! Edges between pages: kept, refused, followed through every way of coming back.

use mmsb::state::Change;
use mmsb::{Batch, Config, EdgeKind, ErrorKind, Link, Note, Ownership, PageId, State};

const NOTE: Note<'static> = Note { source: "edges", intent: None };

fn link(page: PageId) -> Link {
    Link { page, kind: EdgeKind::Data }
}

fn pages(state: &State, count: usize) -> Vec<PageId> {
    (0..count).map(|_| state.create_page(64, NOTE).unwrap()).collect()
}

fn add(state: &State, parent: PageId, child: PageId) {
    assert!(state.add_edge(parent, child, EdgeKind::Data, NOTE).unwrap().is_some());
}

/// A diamond with a tail: 1 -> 2, 1 -> 3, 2 -> 4, 3 -> 4, 4 -> 5.
fn diamond(state: &State) -> Vec<PageId> {
    let pages = pages(state, 5);
    for (parent, child) in [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)] {
        add(state, pages[parent], pages[child]);
    }
    pages
}

#[test]
fn edges_are_seen_from_both_ends() {
    let state = State::open(Config::memory()).unwrap();
    let p = diamond(&state);
    assert_eq!(state.parents(p[3]).unwrap(), [link(p[1]), link(p[2])]);
    assert_eq!(state.children(p[0]).unwrap(), [link(p[1]), link(p[2])]);
    assert_eq!(state.ancestors(p[4]).unwrap(), p[..4]);
    assert_eq!(state.descendants(p[1]).unwrap(), p[3..]);
    let heights: Vec<u32> =
        state.topological_order().unwrap().into_iter().map(|(_, h)| h).collect();
    assert_eq!(heights, [0, 1, 1, 2, 3]);
    assert_eq!(state.edge_count().unwrap(), 5);
    assert!(
        state.graph_dot().unwrap().contains("1 -> 2")
            && state.graph_svg().unwrap().contains("<svg")
    );
}

#[test]
fn an_edge_twice_changes_nothing_and_kinds_are_apart() {
    let state = State::open(Config::memory()).unwrap();
    let p = pages(&state, 2);
    add(&state, p[0], p[1]);
    let digest = state.digest().unwrap();
    assert_eq!(state.add_edge(p[0], p[1], EdgeKind::Data, NOTE).unwrap(), None);
    assert_eq!(state.digest().unwrap(), digest);
    assert!(state.add_edge(p[0], p[1], EdgeKind::Control, NOTE).unwrap().is_some());
    assert_ne!(state.digest().unwrap(), digest);
    state.remove_edge(p[0], p[1], EdgeKind::Control, NOTE).unwrap();
    assert_eq!((state.digest().unwrap(), state.epoch(p[1]).unwrap()), (digest, 0));
    let error = state.remove_edge(p[0], p[1], EdgeKind::Device, NOTE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EdgeNotFound);
    assert!(error.message().contains("no device edge from page 1 to page 2"), "{error}");
    let error = state.remove_edge(p[0], p[0], EdgeKind::Data, NOTE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EdgeNotFound, "{error}");
}

#[test]
fn what_cannot_be_is_refused_by_name_and_changes_nothing() {
    let state = State::open(Config::memory()).unwrap();
    let p = diamond(&state);
    let digest = state.digest().unwrap();
    let refused = |parent, child| {
        let error = state.add_edge(parent, child, EdgeKind::Compiler, NOTE).unwrap_err();
        (error.kind(), error.message().to_owned())
    };
    assert_eq!(refused(p[2], p[2]).0, ErrorKind::Cycle);
    let (kind, message) = refused(p[4], p[0]);
    assert_eq!(kind, ErrorKind::Cycle);
    assert!(message.contains("4 -> 5 -> 1"), "{message}");
    assert_eq!(refused(p[0], PageId(77)).0, ErrorKind::PageNotFound);
    assert_eq!(refused(PageId(u64::MAX), p[0]).0, ErrorKind::PageNotFound);
    state.free_page(p[4], NOTE).unwrap();
    assert_eq!(refused(p[0], p[4]).0, ErrorKind::PageFreed);
    let error = state.free_page(p[1], NOTE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HasChildren);
    assert!(error.message().contains("page 4 derives from it"), "{error}");
    assert_eq!(state.edge_count().unwrap(), 4);
    assert_ne!(state.digest().unwrap(), digest, "page 5 went");
}

/// Edges are part of the child, and a computed page is nobody's.
#[test]
fn edges_to_what_is_owned_or_frozen_are_refused() {
    let state = State::open(Config::memory()).unwrap();
    let p = pages(&state, 4);
    add(&state, p[0], p[1]);
    state.derive(p[3], &[p[0]], "u8: p0", Note::NONE).unwrap();
    let refused = |done: mmsb::Result<()>| done.unwrap_err().kind();
    let own = |page, ownership| state.set_ownership(page, ownership, Note::NONE).map(drop);
    assert_eq!(refused(own(p[3], Ownership::Owned(1))), ErrorKind::Derived);
    for (ownership, kind) in
        [(Ownership::Owned(1), ErrorKind::NotOwner), (Ownership::Immutable, ErrorKind::Immutable)]
    {
        let p = pages(&state, 3);
        add(&state, p[0], p[1]);
        own(p[1], ownership).unwrap();
        let digest = state.digest().unwrap();
        let (data, note) = (EdgeKind::Data, Note::NONE);
        assert_eq!(refused(state.add_edge(p[2], p[1], data, note).map(drop)), kind);
        assert_eq!(refused(state.remove_edge(p[0], p[1], data, note).map(drop)), kind);
        assert_eq!(state.digest().unwrap(), digest);
        assert_eq!(
            (state.children(p[0]).unwrap(), state.children(p[2]).unwrap()),
            (vec![link(p[1])], vec![])
        );
        // What derives from it is others'.
        add(&state, p[1], p[2]);
    }
}

#[test]
fn pages_go_with_all_that_derive_from_them_if_asked_to() {
    let state = State::open(Config::memory()).unwrap();
    let p = diamond(&state);
    let (freed, _) = state.free_cascade(p[1], NOTE).unwrap();
    assert_eq!(freed, [p[1], p[3], p[4]]);
    assert_eq!((state.list_pages().unwrap(), state.edge_count().unwrap()), (vec![p[0], p[2]], 1));
    let mut batch = Batch::new(&state);
    batch.free_page(p[0]).unwrap();
    assert_eq!(batch.commit(NOTE).unwrap_err().kind(), ErrorKind::HasChildren);
    let mut batch = Batch::new(&state);
    batch.free_page(p[0]).unwrap();
    batch.free_page(p[2]).unwrap();
    assert!(batch.commit(NOTE).unwrap().is_some());
    assert_eq!((state.edge_count().unwrap(), state.topological_order().unwrap()), (0, vec![]));
}

#[test]
fn edges_come_back_from_the_log_from_images_and_from_both() {
    let dir = tempfile::tempdir().unwrap();
    let open = || State::open(Config::durable(dir.path())).unwrap();
    let state = open();
    let p = diamond(&state);
    state.set_meta(p[3], b"key", b"value", NOTE).unwrap();
    let told = |state: &State| {
        (state.digest().unwrap(), state.topological_order().unwrap(), state.graph_dot().unwrap())
    };
    let first = told(&state);
    state.close().unwrap();
    let state = open();
    assert_eq!(told(&state), first, "from the log");
    state.checkpoint(None).unwrap();
    state.close().unwrap();
    let state = open();
    assert_eq!(told(&state), first, "from an image");
    assert_eq!(state.free_page(p[0], NOTE).unwrap_err().kind(), ErrorKind::HasChildren);
    state.remove_edge(p[3], p[4], EdgeKind::Data, NOTE).unwrap();
    add(&state, p[0], p[4]);
    let second = told(&state);
    state.close().unwrap();
    let state = open();
    assert_eq!(told(&state), second, "from an image and the log above it");
    state.verify().unwrap();
}

#[test]
fn edges_are_part_of_the_past() {
    let state = State::open(Config::memory()).unwrap();
    let p = diamond(&state);
    let then = state.flush().unwrap();
    let (digest, order) = (state.digest().unwrap(), state.topological_order().unwrap());
    state.remove_edge(p[1], p[3], EdgeKind::Data, NOTE).unwrap();
    let past = state.replay_to(then).unwrap();
    assert_eq!((past.digest().unwrap(), past.topological_order().unwrap()), (digest, order));
    assert_eq!(past.children(p[1]).unwrap(), [link(p[3])]);
    assert_eq!(state.page_at(p[3], then).unwrap().parents, [link(p[1]), link(p[2])]);
    let changes = state.page_history(p[3]).unwrap();
    assert_eq!(changes[1].change, Change::EdgeAdded(link(p[1])));
    assert_eq!(changes[3].change, Change::EdgeRemoved(link(p[1])));
    assert_eq!((changes[3].source.as_str(), changes[3].epoch), ("edges", 0));
}

#[test]
fn going_back_brings_edges_back() {
    let state = State::open(Config::memory()).unwrap();
    let p = diamond(&state);
    let (dot, digest) = (state.graph_dot().unwrap(), state.snapshot().unwrap());
    let mark = state.soft_checkpoint().unwrap();
    // The other way round between the same two pages, and a page that goes.
    state.remove_edge(p[3], p[4], EdgeKind::Data, NOTE).unwrap();
    add(&state, p[4], p[3]);
    state.free_cascade(p[2], NOTE).unwrap();
    state.revert(&mark, NOTE).unwrap();
    assert_eq!(state.graph_dot().unwrap(), dot);
    assert!(digest.compare(&state.snapshot().unwrap()).unwrap().is_empty());
    assert_eq!(state.parents(p[3]).unwrap(), [link(p[1]), link(p[2])]);
    let error = state.add_edge(p[4], p[0], EdgeKind::Data, NOTE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cycle);
    state.verify().unwrap();
}
