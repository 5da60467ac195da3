//! A state from the pool is a fresh one.

use crate::memory;
use mmsb::{Note, PageId};

#[test]
fn a_reused_state_is_a_fresh_one() {
    let first = memory();
    let empty = first.digest().unwrap();
    first.close().unwrap();
    let mut digests = Vec::new();
    for life in 0..1000u64 {
        let state = memory();
        assert_eq!((state.digest().unwrap(), state.page_count()), (empty, 0), "life {life}");
        let stats = state.stats().unwrap();
        assert_eq!((stats.records, stats.next_page_id, stats.written_lsn.0), (0, 1, 0));
        assert_eq!((stats.frame_bytes, stats.snapshots, stats.pending_bytes), (0, 0, 0));
        let pages = 1 + life % 5;
        for id in 1..=pages {
            assert_eq!(state.create_page(100, Note::NONE).unwrap(), PageId(id));
            let content = [(id * 31) as u8; 100];
            state.update(PageId(id), &content, Note::from("life")).unwrap();
        }
        if life % 50 == 0 {
            state.checkpoint(Some("kept")).unwrap();
            state.flush().unwrap();
        }
        if life % 7 == 0 {
            let replayed = state.replay_to(state.flush().unwrap()).unwrap();
            assert_eq!(replayed.digest().unwrap(), state.digest().unwrap());
        }
        if life < 5 {
            digests.push(state.digest().unwrap());
        }
        assert_eq!(state.digest().unwrap(), digests[life as usize % 5], "life {life}");
        let first_lsn = state.page_history(PageId(1)).unwrap()[0].lsn;
        assert!(first_lsn.tick() < 1000, "{first_lsn}");
        state.close().unwrap();
    }
    assert!(mmsb::State::pooled() > 0);
}
