//! Closing and poisoning: what is refused afterwards, and that it is refused cleanly.

use crate::{memory, ramp};
use mmsb::{ErrorKind, Note};

#[test]
fn a_poisoned_state_reads_and_refuses_to_write() {
    let state = memory();
    let page = ramp(&state, 16);
    let digest = state.digest().unwrap();
    state.poison("the test says so");
    let refused = [
        state.update(page, &[9; 16], Note::NONE).map(drop),
        state.create_page(4, Note::NONE).map(drop),
        state.free_page(page, Note::NONE).map(drop),
        state.set_meta(page, b"k", b"v", Note::NONE).map(drop),
        state.checkpoint(None).map(drop),
    ];
    for result in refused {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Poisoned);
        assert!(error.message().contains("the test says so"), "{error}");
        assert!(error.is_fatal());
    }
    assert_eq!(state.digest().unwrap(), digest);
    assert_eq!(state.read_all(page).unwrap()[3], 3);
    state.close().unwrap();
    assert!(memory().create_page(1, Note::NONE).is_ok(), "the next one is sound");
}
