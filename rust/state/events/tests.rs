//! Subscribing while others write, in every order of turns: what is told is what the log has above
//! the LSN at which a subscription begins, and no more.

use crate::events::{Event, EventFilter, EventKind};
use crate::state::State;
use crate::state::core::Core;
use crate::stdx::{sched, thread};
use crate::types::{Lsn, Note, PageId};
use crate::{Batch, Query};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const WRITERS: u64 = 3;
const GROUPS: u64 = 6;

/// Groups on two pages, by turns both in one.
fn write(state: &State, writer: u64) {
    for n in 1..=GROUPS {
        let mut batch = Batch::new(state);
        let value = (n << 8 | writer).to_le_bytes();
        for page in (1..=2).filter(|page| (n + writer) % 3 != *page) {
            batch.write(PageId(page), 8 * writer, &value).unwrap();
        }
        batch.commit(Note::NONE).unwrap();
    }
}

/// What a subscriber who came in the middle was told, and from where on.
fn run(seed: u64) -> (Vec<Event>, Lsn, Vec<(Lsn, PageId)>) {
    let settings = sched::Settings {
        seed,
        turns_max: 100_000,
        time_max: Duration::from_secs(600),
        watch: None,
    };
    let outcome = sched::run(settings, move || {
        let state = Arc::new(State::from_core(Arc::new(Core::blank())));
        for _ in 0..2 {
            state.create_page(64, Note::NONE).unwrap();
        }
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let state = state.clone();
                thread::spawn("writer", move || write(&state, writer)).unwrap()
            })
            .collect();
        for _ in 0..seed % 40 {
            sched::point();
        }
        let events = state.subscribe(EventFilter::default()).unwrap();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let query = Query { after: Some(events.since()), ..Query::default() };
        let logged = state.query(query).unwrap().map(|change| change.unwrap());
        let logged = logged.map(|change| (change.lsn, change.page)).collect();
        (events.poll(usize::MAX).unwrap(), events.since(), logged)
    });
    outcome.result.unwrap()
}

#[test]
fn nothing_is_missed_whenever_a_subscription_comes() {
    let mut told_in_part = 0;
    for seed in 0..400 {
        let (told, since, logged) = run(seed);
        let mut last = HashMap::new();
        for group in told.split_inclusive(|event| event.kind == EventKind::Committed) {
            for event in group {
                assert_eq!(event.lsn, group[0].lsn, "seed {seed}");
                let before = last.insert(event.page, event.lsn).unwrap_or(since);
                assert!(event.page.0 == 0 || before < event.lsn, "seed {seed}");
            }
        }
        let pages = told.iter().filter(|event| event.page.0 != 0);
        let mut pages: Vec<_> = pages.map(|event| (event.lsn, event.page)).collect();
        pages.sort();
        assert_eq!(pages, logged, "seed {seed}");
        told_in_part += u32::from(!told.is_empty() && told.len() < 30);
    }
    assert!(told_in_part > 50, "{told_in_part} of 400 came in the middle");
}
