//! What a run of many seeds is asked for with.

use crate::faults::Kind;
use mmsb::stdx::canary::Canary;
use std::ops::Range;

/// Seeds of a run that nobody asked anything of: what is part of all tests.
pub const SEEDS: u64 = 4_000;
/// The variable that chooses a canary.
pub const CANARY: &str = "MMSB_CANARY";
/// The most seeds of one run: years of it.
const SEEDS_MAX: u64 = 1_000_000_000_000;

/// Which seeds, and which faults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub seeds: Range<u64>,
    pub faults: Vec<Kind>,
    /// A mistake that the engine is to make.
    pub canary: Option<Canary>,
}

impl Settings {
    /// Out of `MMSB_SEEDS` (how many), `MMSB_SEED` (the first) and `MMSB_FAULTS` (names of kinds,
    /// with commas between), and, in a build that has them, `MMSB_CANARY` (one name). One that is
    /// empty is not there. A first seed alone is one seed.
    ///
    /// # Errors
    /// What is wrong with which value, and what it may be.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Settings, String> {
        let get = |name| get(name).filter(|value| !value.trim().is_empty());
        let first = number(get("MMSB_SEED"), "MMSB_SEED", 0, u64::MAX - 1)?;
        let count = number(get("MMSB_SEEDS"), "MMSB_SEEDS", 1, SEEDS_MAX)?;
        let count = count.unwrap_or(if first.is_some() { 1 } else { SEEDS });
        let first = first.unwrap_or(0);
        let Some(end) = first.checked_add(count) else {
            let last = u64::MAX;
            return Err(format!(
                "MMSB_SEED={first} and {count} seeds from there: they end at {last}"
            ));
        };
        let faults = match get("MMSB_FAULTS") {
            Some(names) => parse_faults(&names)?,
            None => Kind::ALL.to_vec(),
        };
        let canary = get(CANARY).map(|name| parse_canary(&name)).transpose()?;
        Ok(Settings { seeds: first..end, faults, canary })
    }

    /// Whether it is so much that every kind of fault must have struck.
    pub fn covers(&self) -> bool {
        let all = self.faults.len() == Kind::ALL.len() && self.canary.is_none();
        all && self.seeds.end - self.seeds.start >= 2_000
    }

    /// The command that runs `seed` again.
    pub fn again(&self, seed: u64) -> String {
        let mut said = format!("MMSB_SEED={seed} ");
        if self.faults.len() < Kind::ALL.len() {
            let names: Vec<_> = self.faults.iter().map(|kind| kind.name()).collect();
            said += &format!("MMSB_FAULTS={} ", names.join(","));
        }
        if let Some(canary) = self.canary {
            said += &format!("{CANARY}={} RUSTFLAGS='--cfg canaries' ", canary.name());
        }
        said + "cargo test --test simulation seeds -- --nocapture"
    }
}

fn number(value: Option<String>, name: &str, min: u64, max: u64) -> Result<Option<u64>, String> {
    let Some(value) = value else { return Ok(None) };
    match value.trim().parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(format!("{name}={value}: must be a whole number from {min} to {max}")),
    }
}

fn parse_canary(name: &str) -> Result<Canary, String> {
    if !cfg!(canaries) {
        let how = "RUSTFLAGS='--cfg canaries' makes one that has";
        return Err(format!("{CANARY}={name}: this build has none; {how}"));
    }
    Canary::ALL.iter().copied().find(|canary| canary.name() == name.trim()).ok_or_else(|| {
        let known: Vec<_> = Canary::ALL.iter().map(|canary| canary.name()).collect();
        format!("{CANARY}={name}: there is none of that name; there are {}", known.join(", "))
    })
}

fn parse_faults(names: &str) -> Result<Vec<Kind>, String> {
    let parse = |name: &str| {
        Kind::parse(name.trim()).ok_or_else(|| {
            let known: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            format!(
                "MMSB_FAULTS={names}: {name:?} is no kind of fault; there are {}",
                known.join(", ")
            )
        })
    };
    names.split(',').map(parse).collect()
}

#[test]
fn settings_out_of_range_are_told() {
    let read = |given: &[(&str, &str)]| {
        let given: Vec<_> = given.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        Settings::read(|name| {
            given.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone())
        })
    };
    let all = Settings { seeds: 0..SEEDS, faults: Kind::ALL.to_vec(), canary: None };
    assert_eq!(read(&[]), Ok(all.clone()));
    assert_eq!(read(&[("MMSB_SEED", ""), ("MMSB_FAULTS", " ")]), Ok(all.clone()));
    assert!(all.covers());
    assert_eq!(read(&[("MMSB_SEED", "7")]).unwrap().seeds, 7..8);
    let some = read(&[("MMSB_SEED", "7"), ("MMSB_SEEDS", "3"), ("MMSB_FAULTS", "stall, crash")]);
    let faults = vec![Kind::Stall, Kind::Crash];
    let again = "MMSB_SEED=8 MMSB_FAULTS=stall,crash cargo test --test simulation";
    assert!(some.as_ref().is_ok_and(|some| !some.covers() && some.again(8).starts_with(again)));
    assert_eq!(some, Ok(Settings { seeds: 7..10, faults, canary: None }));
    for (name, value, limit) in [
        ("MMSB_SEEDS", "0", "from 1 to 1000000000000"),
        ("MMSB_SEEDS", "1000000000001", "from 1 to 1000000000000"),
        ("MMSB_SEEDS", "many", "from 1 to 1000000000000"),
        ("MMSB_SEED", "-1", "from 0 to 18446744073709551614"),
        ("MMSB_SEED", "18446744073709551615", "from 0 to 18446744073709551614"),
        ("MMSB_FAULTS", "stall,hail", "\"hail\" is no kind of fault; there are crash,"),
        ("MMSB_FAULTS", "stall,", "\"\" is no kind of fault"),
        (CANARY, "dodo", if cfg!(canaries) { "there are skipped-sync" } else { "has none" }),
    ] {
        let error = read(&[(name, value)]).unwrap_err();
        assert!(error.contains(value) && error.contains(limit), "{error}");
    }
    let end = read(&[("MMSB_SEED", "18446744073709551614"), ("MMSB_SEEDS", "2")]).unwrap_err();
    assert!(end.contains("18446744073709551615"), "{end}");
}
