//! Deltas and diffs, held against the obvious way to do the same.

use super::input::Input;
use mmsb::page::{Delta, Run, Runs, apply_runs, check_runs, diff, gather, mask_runs, payload_len};
use mmsb::{ErrorKind, PageId};

const PAGE: PageId = PageId(7);

pub fn delta(data: &[u8]) {
    let mut input = Input::new(data);
    let size = 1 + input.u16() as usize % 400;
    let [first, second] = [(); 2].map(|()| any_delta(&mut input, size));
    for delta in [&first, &second].into_iter().flatten() {
        does_what_it_says(delta, size);
    }
    if let (Some(first), Some(second)) = (&first, &second) {
        merges(first, second, size);
    }
    diffs(input.rest());
}

/// A delta by one of the ways to make one; `None` if it is refused, as it then must be.
fn any_delta(input: &mut Input<'_>, size: usize) -> Option<Delta> {
    match input.below(4) {
        0 => Delta::dense(PAGE, page(input, size)).ok(),
        1 => {
            let mask: Vec<u8> = page(input, size).iter().map(|byte| byte & 1).collect();
            let delta = Delta::sparse(PAGE, &mask, &page(input, size)).unwrap();
            assert_eq!(delta.to_masked(size).unwrap().0, mask);
            Some(delta)
        }
        2 => from_runs(input, size),
        _ => from_parts(input),
    }
}

/// The input's next bytes, repeated, as a page.
fn page(input: &mut Input<'_>, size: usize) -> Vec<u8> {
    let len = 1 + input.below(64);
    match input.bytes(len) {
        [] => vec![0; size],
        bytes => bytes.iter().copied().cycle().take(size).collect(),
    }
}

/// Pieces that mostly ascend.
fn from_runs(input: &mut Input<'_>, size: usize) -> Option<Delta> {
    let (mut pieces, mut at) = (Vec::new(), 0usize);
    for _ in 0..input.below(6) {
        let step = if input.once_in(16) { input.u64() as usize } else { input.below(size) };
        at = if input.once_in(16) { step } else { at.saturating_add(step) };
        let len = input.below(9);
        let bytes = input.bytes(len);
        pieces.push((at, bytes));
        at = at.saturating_add(bytes.len());
    }
    let in_a_page = |&(at, bytes): &(usize, &[u8])| {
        !bytes.is_empty() && at.checked_add(bytes.len()).is_some_and(|end| end <= 1 << 30)
    };
    let sound = pieces.iter().all(in_a_page)
        && pieces.windows(2).all(|pair| pair[0].0 + pair[0].1.len() <= pair[1].0);
    let delta = Delta::from_runs(PAGE, &pieces);
    assert_eq!(delta.is_ok(), sound, "{pieces:?}: {delta:?}");
    delta.ok()
}

/// Runs and payload as a log carries them.
fn from_parts(input: &mut Input<'_>) -> Option<Delta> {
    let count = input.below(5);
    let runs: Runs = (0..count)
        .map(|_| match input.once_in(8) {
            true => Run { offset: input.u64() as u32, len: input.u64() as u32 },
            false => Run { offset: input.u8().into(), len: (input.u8() % 16).into() },
        })
        .collect();
    let len = match input.once_in(8) {
        true => input.below(100),
        false => payload_len(&runs).min(1000),
    };
    let payload = vec![input.u8(); len];
    let sound = check_runs(&runs, 1 << 30).is_ok() && payload_len(&runs) == len;
    let delta = Delta::from_parts(PAGE, runs.clone(), &payload);
    assert_eq!(delta.is_ok(), sound, "{runs:?}: {delta:?}");
    delta.ok()
}

/// Applying writes the bytes of the runs and no others; a delta that does not fit writes nothing.
fn does_what_it_says(delta: &Delta, size: usize) {
    let before: Vec<u8> = (0..size).map(|i| i as u8).collect();
    let (mut got, mut want) = (before.clone(), before.clone());
    let applied = delta.apply_to(&mut got);
    assert_eq!(applied.is_ok(), delta.validate(size).is_ok());
    if applied.is_err() {
        assert_eq!(got, before);
        return;
    }
    for (offset, bytes) in delta.runs() {
        for (i, &byte) in bytes.iter().enumerate() {
            want[offset + i] = byte;
        }
    }
    assert_eq!(got, want);
    let (mask, bytes) = delta.to_masked(size).unwrap();
    let again = Delta::sparse(PAGE, &mask, &bytes).unwrap();
    let mut got = before;
    again.apply_to(&mut got).unwrap();
    assert_eq!(got, want);
}

/// A merge is the one and then the other; it is refused only where they fit no common page.
fn merges(first: &Delta, second: &Delta, size: usize) {
    let merged = first.merge(second);
    let fit = [first, second].map(|delta| delta.validate(size).is_ok());
    let Ok(merged) = merged else {
        let kind = merged.map_err(|error| error.kind()).unwrap_err();
        assert!(matches!(kind, ErrorKind::LengthMismatch | ErrorKind::RangeOutOfBounds));
        assert_ne!(fit, [true, true], "deltas that fit one page were not merged");
        return;
    };
    check_runs(merged.as_runs(), 1 << 30).unwrap();
    if fit == [true, true] {
        let (mut got, mut want) = (vec![0xA5; size], vec![0xA5; size]);
        first.apply_to(&mut want).unwrap();
        second.apply_to(&mut want).unwrap();
        merged.apply_to(&mut got).unwrap();
        assert_eq!(got, want);
    }
}

/// A diff names every byte that differs, and what it names makes the old page the new one.
fn diffs(bytes: &[u8]) {
    let (old, new) = bytes.split_at(bytes.len() / 2);
    let new = &new[..old.len()];
    let mut runs = Runs::new();
    diff(old, new, &mut runs);
    check_runs(&runs, old.len()).unwrap();
    rebuilds(old, new, &runs);
    let mask: Vec<u8> = old.iter().zip(new).map(|(a, b)| a ^ b).collect();
    let mut exact = Runs::new();
    mask_runs(&mask, 0, &mut exact);
    let named: Vec<usize> = exact.iter().flat_map(|run| run.range()).collect();
    let differ: Vec<usize> = (0..old.len()).filter(|&i| old[i] != new[i]).collect();
    assert_eq!(named, differ);
    rebuilds(old, new, &exact);
}

fn rebuilds(old: &[u8], new: &[u8], runs: &Runs) {
    let mut payload = vec![0; payload_len(runs)];
    assert_eq!(gather(new, 0, runs, &mut payload), payload.len());
    let mut page = old.to_vec();
    apply_runs(&mut page, runs, &payload);
    assert_eq!(page, new);
}
