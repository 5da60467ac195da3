//! What is refused, with what is said of it; nothing changed then.

use super::{COPY, NOTE, SUM, derived, get, memory, page, set};
use mmsb::{Batch, Delta, ErrorKind, Ownership, PageId, State};

/// Asserts that the state refuses, and says so, and is as before.
fn refused<R: std::fmt::Debug>(
    state: &State,
    call: impl FnOnce() -> mmsb::Result<R>,
    kind: ErrorKind,
    said: &str,
) {
    let (digest, dot) = (state.digest().unwrap(), state.graph_dot().unwrap());
    let error = call().unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(said), "{error}");
    assert_eq!((state.digest().unwrap(), state.graph_dot().unwrap()), (digest, dot));
}

#[test]
fn derived_pages_are_not_written_by_hand() {
    let state = memory();
    let a = page(&state);
    let b = derived(&state, &[a], COPY);
    let said = "page 2 is computed (u8: p0): it is not written by hand";
    let kind = ErrorKind::Derived;
    refused(&state, || state.update(b, &[1; 8], NOTE), kind, said);
    refused(&state, || state.update(b, &[0; 8], NOTE), kind, said);
    refused(&state, || state.write(b, 0, &[1], NOTE), kind, said);
    refused(&state, || state.write_masked(b, &[1; 8], &[1; 8], NOTE), kind, said);
    refused(&state, || state.apply(&Delta::dense(b, [1; 8]).unwrap()), kind, said);
    let batch = || {
        let mut batch = Batch::new(&state);
        batch.write(a, 0, &[5]).unwrap();
        batch.write(b, 0, &[1]).unwrap();
        batch.commit(NOTE)
    };
    refused(&state, batch, kind, said);
    let transaction = || {
        let mut transaction = state.begin().unwrap();
        transaction.write(b, 0, &[1])?;
        transaction.commit(NOTE)
    };
    refused(&state, transaction, kind, said);
    refused(&state, || state.set_ownership(b, Ownership::Immutable, NOTE), kind, "page 2");
    state.set_meta(b, b"unit", b"m/s", NOTE).unwrap();
    set(&state, a, 3);
    assert_eq!((get(&state, b), state.meta(b, b"unit").unwrap()), (3, b"m/s".to_vec()));
}

#[test]
fn derivations_that_cannot_be() {
    let state = memory();
    let (a, b, wide) = (page(&state), page(&state), state.create_page(16, NOTE).unwrap());
    let c = derived(&state, &[a], COPY);
    let derive = |page, parents: &[PageId], formula| state.derive(page, parents, formula, NOTE);
    let invalid = ErrorKind::InvalidArgument;
    refused(&state, || derive(b, &[], COPY), invalid, "page 2 would be computed from nothing");
    refused(&state, || derive(b, &[a, a], SUM), invalid, "page 1 is given twice");
    refused(&state, || derive(b, &[wide], COPY), ErrorKind::LengthMismatch, "");
    refused(&state, || derive(b, &[a], "u8: what"), invalid, "");
    refused(&state, || derive(a, &[c], COPY), ErrorKind::Cycle, "1 -> 4 -> 1");
    refused(&state, || derive(b, &[b], COPY), ErrorKind::Cycle, "page 2");
    refused(&state, || derive(b, &[PageId(99)], COPY), ErrorKind::PageNotFound, "page 99");
    refused(&state, || derive(PageId(99), &[a], COPY), ErrorKind::PageNotFound, "page 99");
    refused(&state, || state.derive_by(b, &[a], "none", NOTE), ErrorKind::NoCallback, "\"none\"");
    refused(&state, || state.derive_by(b, &[a], "", NOTE), invalid, "0 bytes");
    refused(&state, || state.underive(b, NOTE), ErrorKind::NotDerived, "page 2");
    refused(&state, || state.free_page(a, NOTE), ErrorKind::HasChildren, "page 4");
    refused(&state, || state.remove_edge(a, c, mmsb::EdgeKind::Data, NOTE), invalid, "nothing");
    let edge = || state.add_edge(wide, c, mmsb::EdgeKind::Data, NOTE);
    assert!(edge().is_ok(), "a formula may leave parents out");
    state.free_page(b, NOTE).unwrap();
    refused(&state, || derive(b, &[a], COPY), ErrorKind::PageFreed, "page 2");
    state.set_ownership(wide, Ownership::Immutable, NOTE).unwrap();
    refused(&state, || derive(wide, &[a], SUM), ErrorKind::LengthMismatch, "");
    assert_eq!(state.propagation_stats().unwrap().derived, 1);
}

#[test]
fn a_frozen_page_is_not_derived() {
    let state = memory();
    let (a, b) = (page(&state), page(&state));
    state.set_ownership(b, Ownership::Immutable, NOTE).unwrap();
    refused(&state, || state.derive(b, &[a], COPY, NOTE), ErrorKind::Immutable, "page 2");
    state.set_ownership(a, Ownership::Immutable, NOTE).unwrap();
    let c = derived(&state, &[a], COPY);
    refused(&state, || state.write(a, 0, &[1], NOTE), ErrorKind::Immutable, "page 1");
    assert_eq!(get(&state, c), 0);
}
