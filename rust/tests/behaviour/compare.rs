//! Two snapshots compared; a snapshot written to a file.

use crate::{memory, ramp};
use mmsb::{Batch, Difference, ErrorKind, Location, Note, PageDifference, PageId, Snapshot, State};

/// What differs, by a look at every page of both.
fn naive(from: &Snapshot, to: &Snapshot) -> Vec<(PageId, Option<bool>, Option<bool>)> {
    let mut pages = from.list_pages().unwrap();
    pages.extend(to.list_pages().unwrap());
    pages.sort_unstable();
    pages.dedup();
    let both = |id: PageId| (from.read_all(id).ok(), to.read_all(id).ok());
    let metas = |id: PageId| (from.meta_list(id).ok(), to.meta_list(id).ok());
    let row = |id: PageId| {
        let ((a, b), (m, n)) = (both(id), metas(id));
        let alive = a.is_some() && b.is_some();
        (id, alive.then(|| a != b), alive.then(|| m != n))
    };
    let differs = |(_, content, meta): &(PageId, Option<bool>, Option<bool>)| {
        content.is_none_or(|differs| differs) || meta.is_none_or(|differs| differs)
    };
    pages.into_iter().map(row).filter(differs).collect()
}

fn short(found: &[PageDifference]) -> Vec<(PageId, Option<bool>, Option<bool>)> {
    let row = |found: &PageDifference| match &found.difference {
        Difference::Changed { runs, meta } => (found.page, Some(!runs.is_empty()), Some(*meta)),
        Difference::Created | Difference::Freed => (found.page, None, None),
    };
    found.iter().map(row).collect()
}

#[test]
fn each_kind_of_difference_is_told() {
    let state = memory();
    let pages: Vec<_> = (0..6).map(|_| ramp(&state, 1000)).collect();
    let large = ramp(&state, 200_000);
    let before = state.snapshot().unwrap();
    state.write(pages[0], 100, &[0; 10], Note::NONE).unwrap();
    state.write(pages[0], 900, &[0; 5], Note::NONE).unwrap();
    state.set_meta(pages[1], b"k", b"v", Note::NONE).unwrap();
    state.free_page(pages[2], Note::NONE).unwrap();
    // There and back.
    state.write(pages[3], 0, b"x", Note::NONE).unwrap();
    state.write(pages[3], 0, &before.read_all(pages[3]).unwrap()[..1], Note::NONE).unwrap();
    state.write(large, 150_000, &[7; 3], Note::NONE).unwrap();
    let created = ramp(&state, 10);
    let gone = ramp(&state, 10);
    state.free_page(gone, Note::NONE).unwrap();
    let after = state.snapshot().unwrap();
    let found = before.compare(&after).unwrap();
    assert_eq!(found, state.compare(&before).unwrap());
    let [write, meta, free, big, create] = &found[..] else { panic!("{found:?}") };
    let Difference::Changed { runs, meta: false } = &write.difference else { panic!("{write:?}") };
    assert_eq!(write.page, pages[0]);
    assert_eq!(runs.iter().map(|run| run.range()).collect::<Vec<_>>(), [100..110, 900..905]);
    let only_meta = Difference::Changed { runs: vec![], meta: true };
    assert_eq!((meta.page, &meta.difference), (pages[1], &only_meta));
    assert_eq!((free.page, &free.difference), (pages[2], &Difference::Freed));
    let Difference::Changed { runs, .. } = &big.difference else { panic!("{big:?}") };
    assert_eq!((big.page, runs[0].range()), (large, 150_000..150_003));
    assert_eq!((create.page, &create.difference), (created, &Difference::Created));
    // The other way round.
    let back = after.compare(&before).unwrap();
    assert_eq!(
        (&back[2].difference, &back[4].difference),
        (&Difference::Created, &Difference::Freed)
    );
    assert_eq!(after.compare(&after).unwrap(), []);
}

/// Ids of a batch are given out before its pages are there: a snapshot in between does not have them.
#[test]
fn a_page_that_came_late_is_noticed() {
    let state = memory();
    ramp(&state, 10);
    let mut batch = Batch::new(&state);
    let late = batch.create_page(8, Location::Cpu).unwrap();
    let early = state.snapshot().unwrap();
    let other = ramp(&state, 10);
    batch.commit(Note::NONE).unwrap();
    let created = |page| PageDifference { page, difference: Difference::Created };
    assert_eq!(state.compare(&early).unwrap(), [created(late), created(other)]);
    let later = state.snapshot().unwrap();
    drop(early);
    assert_eq!(state.compare(&later).unwrap(), []);
}

/// An id that comes back unused is given out once more, also to a page that an older snapshot, which
/// saw it given out, does not have; a newer one saw it back.
#[test]
fn an_id_that_came_back_is_noticed() {
    let state = memory();
    let mut batch = Batch::new(&state);
    batch.create_page(8, Location::Cpu).unwrap();
    let older = state.snapshot().unwrap();
    drop(batch);
    let newer = state.snapshot().unwrap();
    let page = ramp(&state, 10);
    let created = [PageDifference { page, difference: Difference::Created }];
    assert_eq!(state.compare(&older).unwrap(), created);
    assert_eq!(state.compare(&newer).unwrap(), created);
}

/// Any two of many snapshots, against a look at every page.
#[test]
fn any_two_differ_in_what_a_look_at_every_page_says() {
    let state = memory();
    let (mut prng, mut pages) = (crate::common::Prng(3), Vec::new());
    let mut open = vec![state.snapshot().unwrap()];
    for i in 0..600 {
        crate::common::random_op(&state, &mut prng, &mut pages).unwrap();
        if i % 40 == 0 {
            open.push(state.snapshot().unwrap());
        }
        if i % 200 == 199 {
            open.remove(prng.below(open.len() as u64) as usize);
        }
    }
    open.push(state.snapshot().unwrap());
    for (i, from) in open.iter().enumerate() {
        for to in &open[i..] {
            assert_eq!(short(&from.compare(to).unwrap()), naive(from, to));
        }
    }
}

#[test]
fn snapshots_of_two_states_are_not_compared() {
    let (one, two) = (memory(), memory());
    let snapshot = one.snapshot().unwrap();
    let error = snapshot.compare(&two.snapshot().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(two.compare(&snapshot).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let narrow =
        State::open(mmsb::Config { version_bytes_max: 0, ..mmsb::Config::memory() }).unwrap();
    let page = ramp(&narrow, 10);
    let old = narrow.snapshot().unwrap();
    narrow.write(page, 0, b"new", Note::NONE).unwrap();
    assert_eq!(narrow.compare(&old).unwrap_err().kind(), ErrorKind::SnapshotTooOld);
}

#[test]
fn an_exported_snapshot_opens_as_what_it_showed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("then.image");
    let state = memory();
    let page = ramp(&state, 5000);
    let snapshot = state.snapshot().unwrap();
    state.write(page, 0, b"changed", Note::NONE).unwrap();
    assert_eq!(snapshot.export(&file).unwrap(), snapshot.lsn());
    let loaded = State::load_checkpoint(&file).unwrap();
    assert_eq!(loaded.digest().unwrap(), snapshot.digest().unwrap());
    let again = snapshot.export(&file).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::InvalidArgument);
    let stop = |_| std::ops::ControlFlow::Break(());
    let other = dir.path().join("other.image");
    assert_eq!(snapshot.export_with(&other, stop).unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(!other.exists());
}
