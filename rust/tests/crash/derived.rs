//! Groups with derived pages, cut at every byte, stopped at every operation of the disk, and killed:
//! all that was computed is there with what it was computed of, or none of it.

use crate::common::Prng;
use crate::every_operation::{self, Work};
use crate::{kill, logs, open};
use mmsb::env::sim::{PowerLoss, SimStorage};
use mmsb::{
    Batch, Durability, EdgeKind, Note, PageId, Propagation, Result, Rule, Staleness, State,
};

const SUM: &str = "u64: fold(real)";
const TWICE: &str = "u64: p0 * 2";
/// A callback: all bits of all parents.
const MIXED: &str = "mixed";

fn mixed(parents: &[&[u8]], out: &mut [u8]) -> Result<()> {
    out.fill(0);
    for parent in parents {
        out.iter_mut().zip(*parent).for_each(|(out, byte)| *out = out.rotate_left(1) ^ byte);
    }
    Ok(())
}

/// What a rule makes of parents, with nothing of the engine's.
fn computed(rule: &Rule, parents: &[Vec<u8>]) -> Vec<u8> {
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    match rule {
        Rule::Callback(_) => {
            let (parents, mut out) = (parents.iter().map(Vec::as_slice), vec![0; 8]);
            mixed(&parents.collect::<Vec<_>>(), &mut out).unwrap();
            out
        }
        Rule::Formula(text) if &**text == TWICE => {
            number(&parents[0]).wrapping_mul(2).to_le_bytes().to_vec()
        }
        Rule::Formula(_) => {
            let sum = parents.iter().fold(0u64, |sum, bytes| sum.wrapping_add(number(bytes)));
            sum.to_le_bytes().to_vec()
        }
    }
}

/// The pages that a page is computed of.
fn sources(state: &State, page: PageId) -> Vec<PageId> {
    let parents = state.parents(page).unwrap();
    let data = parents.iter().filter(|link| link.kind == EdgeKind::Data);
    data.map(|link| link.page).collect()
}

/// Every derived page is what its rule makes of its parents, or known as stale; how many are.
fn assert_computed(state: &State, what: &str) -> usize {
    let mut fresh = 0;
    for page in state.list_pages().unwrap() {
        let Some(rule) = state.rule(page).unwrap() else { continue };
        if state.staleness(page).unwrap() == Staleness::Fresh {
            let parents = sources(state, page);
            let parents: Vec<_> =
                parents.into_iter().map(|parent| state.read_all(parent).unwrap()).collect();
            let must = computed(&rule, &parents);
            assert_eq!(state.read_all(page).unwrap(), must, "{what}: {page}, {rule}");
            fresh += 1;
        }
    }
    fresh
}

/// Two inputs, and below them a sum, a callback's page, and what is twice that.
fn graph(state: &State) -> [PageId; 5] {
    state.register(MIXED, mixed).unwrap();
    let pages = [(); 5].map(|()| state.create_page(8, Note::NONE).unwrap());
    let [a, b, sum, mixed, twice] = pages;
    state.derive(sum, &[a, b], SUM, Note::NONE).unwrap();
    state.derive_by(mixed, &[sum, a], MIXED, Note::NONE).unwrap();
    state.derive(twice, &[mixed], TWICE, Note::NONE).unwrap();
    state.update(a, &[3; 8], Note::NONE).unwrap();
    pages
}

fn both(state: &State, [a, b, ..]: [PageId; 5]) {
    let mut batch = Batch::new(state);
    batch.update(a, &[9; 8]).unwrap();
    batch.write(b, 1, b"both").unwrap();
    batch.commit(Note::from("both").because("to be cut")).unwrap().unwrap();
}

/// A group, made last in a state with a graph; whether another one stands before it, of its own.
type Last = (&'static str, fn(&State, [PageId; 5]), fn(&State, [PageId; 5]));

fn nothing(_: &State, _: [PageId; 5]) {}

fn defer(state: &State, pages: [PageId; 5]) {
    state.set_propagation(Propagation::Deferred).unwrap();
    state.update(pages[1], &[1; 8], Note::NONE).unwrap();
}

const LAST: &[Last] = &[
    ("inputs and all below", nothing, both),
    ("stale marks", |state, _| state.set_propagation(Propagation::Deferred).unwrap(), both),
    ("propagation", defer, |state, _| {
        state.propagate(Note::NONE).unwrap().unwrap();
    }),
    ("a rule", nothing, |state, [_, _, sum, ..]| {
        state.set_formula(sum, TWICE, Note::NONE).unwrap().unwrap();
    }),
    ("parents", nothing, |state, [a, b, _, _, twice]| {
        state.derive(twice, &[b, a], SUM, Note::NONE).unwrap().unwrap();
    }),
    ("an edge less", nothing, |state, [a, _, sum, ..]| {
        state.remove_edge(a, sum, EdgeKind::Data, Note::NONE).unwrap();
    }),
    ("no rule", defer, |state, [_, _, sum, ..]| {
        state.set_propagation(Propagation::Immediate).unwrap();
        state.underive(sum, Note::NONE).unwrap().unwrap();
    }),
    ("a cascade", nothing, |state, [_, _, sum, ..]| {
        state.free_cascade(sum, Note::NONE).unwrap();
    }),
    ("back to a mark", nothing, |state, pages| {
        let mark = state.soft_checkpoint().unwrap();
        both(state, pages);
        state.free_cascade(pages[2], Note::NONE).unwrap();
        state.revert(&mark, Note::NONE).unwrap().unwrap();
    }),
];

/// A disk with the group at the end of its log, the digests before and after it, and its bytes.
fn flushed(
    before: fn(&State, [PageId; 5]),
    last: fn(&State, [PageId; 5]),
) -> (SimStorage, [[u8; 32]; 2], usize) {
    let disk = SimStorage::new(1);
    let state = open(&disk, Durability::Memory).unwrap();
    let pages = graph(&state);
    before(&state, pages);
    state.sync().unwrap();
    let bytes = || state.stats().unwrap().record_bytes;
    let (digest, from) = (state.digest().unwrap(), bytes());
    last(&state, pages);
    let (len, after) = (bytes() - from, state.digest().unwrap());
    state.flush().unwrap();
    let left = disk.crash(PowerLoss::KeepAll);
    drop(state);
    (left, [digest, after], len as usize)
}

#[test]
fn a_group_cut_anywhere_is_whole_or_absent() {
    for &(what, before, last) in LAST {
        let (disk, digests, len) = flushed(before, last);
        let name = logs(&disk).pop().unwrap();
        let bytes = disk.read_file(&name).unwrap();
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
        let mut found = Vec::new();
        // The end of a record may be zeros, and more than one record may stand there.
        for cut in end - len..=end {
            let disk = disk.snapshot();
            let mut torn = bytes.clone();
            torn[cut..].fill(0);
            disk.write_file(&name, &torn).unwrap();
            let state = open(&disk, Durability::Memory).unwrap();
            let digest = state.digest().unwrap();
            assert_computed(&state, &format!("{what}, cut at {cut} of {end}"));
            state.verify().unwrap();
            found.push(digest);
        }
        assert_eq!(found[found.len() - 1], digests[1], "{what}");
        found.dedup();
        assert_eq!(found[0], digests[0], "{what}");
        // Whole groups alone: one, or the three that lead back.
        let most = if what == "back to a mark" { 4 } else { 2 };
        assert_eq!(found.len(), most, "{what}");
    }
}

/// One group, or none, that changes inputs, rules or edges; edges lead from lower ids to higher ones.
fn random_step(state: &State, prng: &mut Prng, pages: &mut Vec<PageId>) -> Result<()> {
    state.register(MIXED, mixed)?;
    if pages.len() < 4 || (pages.len() < 14 && prng.below(8) == 0) {
        pages.push(state.create_page(8, Note::NONE)?);
        return Ok(());
    }
    let at = 1 + prng.below(pages.len() as u64 - 1) as usize;
    let (page, is_derived) = (pages[at], state.rule(pages[at])?.is_some());
    let other = pages[prng.below(at as u64) as usize];
    match prng.below(16) {
        0..4 => {
            let mut parents: Vec<PageId> =
                (0..3).map(|_| pages[prng.below(at as u64) as usize]).collect();
            parents.sort();
            parents.dedup();
            match prng.below(3) {
                0 => state.derive(page, &parents, SUM, Note::NONE)?,
                1 => state.derive(page, &parents, TWICE, Note::NONE)?,
                _ => state.derive_by(page, &parents, MIXED, Note::NONE)?,
            };
        }
        4 if is_derived => drop(state.set_formula(page, SUM, Note::NONE)?),
        5 if is_derived => drop(state.underive(page, Note::NONE)?),
        6 | 7 if is_derived => {
            let sources = sources(state, page);
            match sources.contains(&other) {
                true if sources.len() > 1 => {
                    state.remove_edge(other, page, EdgeKind::Data, Note::NONE)?;
                }
                _ => drop(state.add_edge(other, page, EdgeKind::Data, Note::NONE)?),
            }
        }
        8 => state.set_propagation(match state.propagation() {
            Propagation::Immediate => Propagation::Deferred,
            Propagation::Deferred => Propagation::Immediate,
        })?,
        9 => drop(state.propagate(Note::NONE)?),
        _ => write_inputs(state, prng, pages)?,
    }
    Ok(())
}

fn write_inputs(state: &State, prng: &mut Prng, pages: &[PageId]) -> Result<()> {
    let mut batch = Batch::new(state);
    for _ in 0..3 {
        let page = pages[prng.below(pages.len() as u64) as usize];
        let bytes = prng.bytes(8);
        if state.rule(page)?.is_none() {
            batch.update(page, &bytes)?;
        }
    }
    batch.commit(Note::NONE).map(drop)
}

const WORK: Work = Work {
    step: random_step,
    check: |state, what| {
        assert_computed(state, what);
    },
    digest: every_operation::digest,
};

#[test]
fn every_operation_may_be_the_last() {
    for seed in 1..5 {
        every_operation::crash_everywhere(Durability::Sync, seed, WORK);
    }
    for seed in 10..13 {
        every_operation::crash_everywhere(Durability::Memory, seed, WORK);
    }
}

#[test]
fn so_may_every_operation_of_recovery() {
    every_operation::crash_in_recovery(Durability::Sync, 6, WORK);
}

/// Inputs of the child that is killed.
const INPUTS: u64 = 8;

/// What the child does: three threads write to the inputs of one graph, sum, mixed and twice it.
fn work(path: &std::path::Path) {
    let state = kill::open(path);
    state.register(MIXED, mixed).unwrap();
    if state.page_count() == 0 {
        let mut batch = Batch::new(&state);
        let pages: Vec<PageId> =
            (0..INPUTS + 3).map(|_| batch.create_page(8, mmsb::Location::Cpu).unwrap()).collect();
        batch.commit(Note::NONE).unwrap();
        let (inputs, below) = pages.split_at(INPUTS as usize);
        state.derive(below[0], inputs, SUM, Note::NONE).unwrap();
        state.derive_by(below[1], &[below[0], inputs[0]], MIXED, Note::NONE).unwrap();
        state.derive(below[2], &[below[1]], TWICE, Note::NONE).unwrap();
    }
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let state = &state;
            scope.spawn(move || {
                let mut prng = Prng(thread);
                for n in 1u64.. {
                    let input = PageId(1 + prng.below(INPUTS));
                    state.update(input, &n.to_le_bytes(), Note::NONE).unwrap();
                    if n.is_multiple_of(300) {
                        state.checkpoint(None).unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn sigkill_leaves_no_parent_without_what_derives() {
    if let Some(path) = kill::is_child() {
        work(&path);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let mut prng = Prng(std::process::id().into());
    let mut computed = 0;
    for round in 0..kill::kills().div_ceil(2) {
        let test = "derived::sigkill_leaves_no_parent_without_what_derives";
        kill::killed(test, &path, &mut prng);
        let state = kill::open(&path);
        computed += assert_computed(&state, &format!("round {round}"));
        if round % 5 == 0 {
            state.verify().unwrap();
        }
        state.close().unwrap();
    }
    assert!(computed > 0, "the child never got to work");
}
