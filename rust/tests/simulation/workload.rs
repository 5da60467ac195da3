//! What writers do: every operation of a state, drawn from a seed. The one place where a room that
//! is new adds its operations: a row in [`OPERATIONS`], a function, and in `model.rs` what it does.

mod derive;
mod transact;

use crate::checker;
use crate::faults::{Kind as FaultKind, Tally};
use crate::history::{Cut, History, Named};
use crate::model::{Bonds, Effect, Seen, Shown};
use crate::seals::Seals;
use mmsb::env::sim::{SimClock, SimStorage};
use mmsb::stdx::prng::{Prng, mix};
use mmsb::stdx::sched;
use mmsb::{
    Batch, Change, Config, Delta, Durability, EdgeKind, ErrorKind, Location, Lsn, Note, Ownership,
    PageId, Query, Result, Snapshot, SoftCheckpoint, State,
};
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Settings of a run's state.
#[derive(Clone, PartialEq, Debug)]
pub struct Setup {
    pub durability: Durability,
    pub history_bytes: u64,
    pub pending_bytes_max: u64,
    pub version_bytes_max: u64,
    pub flush_every: Duration,
    pub sync_every: Duration,
    /// Pages may be larger than a segment.
    pub large: bool,
    /// All changes are alike, so that records of one life fit the places of another's.
    pub plain: bool,
    /// Some pages are private.
    pub private: bool,
}

impl Setup {
    pub fn draw(prng: &mut Prng) -> Setup {
        let durability = [Durability::Memory, Durability::Buffered, Durability::Sync];
        Setup {
            durability: durability[prng.below(3) as usize],
            history_bytes: [0, 4 << 10, 64 << 10, 1 << 30][prng.below(4) as usize],
            pending_bytes_max: [8 << 10, 64 << 10, 64 << 20][prng.below(3) as usize],
            flush_every: Duration::from_millis(1 + prng.below(10)),
            sync_every: Duration::from_millis(1 + prng.below(100)),
            version_bytes_max: [4 << 30, 4 << 30, 20_000][prng.below(3) as usize],
            large: prng.one_in(16),
            plain: prng.one_in(6),
            private: false,
        }
    }

    pub fn config(&self) -> Config {
        Config {
            durability: self.durability,
            segment_bytes: mmsb::limits::SEGMENT_BYTES_MIN,
            history_bytes: self.history_bytes,
            pending_bytes_max: self.pending_bytes_max,
            version_bytes_max: self.version_bytes_max,
            flush_every: self.flush_every,
            sync_every: self.sync_every,
            ..Config::durable("sim")
        }
    }
}

/// A kind of operation.
pub struct Operation {
    pub name: &'static str,
    /// How often, among all.
    weight: u64,
    /// Errors that it may return without any fault, since others work beside it, or the key is missing.
    may: &'static [ErrorKind],
    run: fn(&mut Actor<'_>) -> Result<()>,
}

use ErrorKind::{CheckpointNotFound, CheckpointPassed, Cycle, Derived, EdgeNotFound, HasChildren};
use ErrorKind::{
    HistoryDropped, Immutable, InvalidArgument, KeyNotFound, LengthMismatch, NotDerived,
};
use ErrorKind::{NotOwner, PageFreed, PartitionInUse, RangeOutOfBounds, Sealed, SnapshotTooOld};

/// Of a page that others may free or take.
const TAKEN: &[ErrorKind] = &[PageFreed, NotOwner, Immutable];
/// Of one that they may have computed, too.
const WRITTEN: &[ErrorKind] = &[PageFreed, NotOwner, Immutable, Derived, Sealed];
/// Of several pages that are changed, or freed.
const GROUP: &[ErrorKind] = &[PageFreed, NotOwner, Immutable, HasChildren, Derived, Sealed];

/// Of those for a partition that somebody else may hold.
const PARTITION: &[ErrorKind] =
    &[PageFreed, NotOwner, Immutable, HasChildren, Derived, Sealed, PartitionInUse];
/// Of a page that is to be computed of parents that others may change.
const RULE: &[ErrorKind] =
    &[PageFreed, NotOwner, Immutable, InvalidArgument, LengthMismatch, RangeOutOfBounds];
/// Of what is computed with the switch.
const SWITCH: &[ErrorKind] = &[
    PageFreed,
    NotOwner,
    Immutable,
    Cycle,
    Derived,
    NotDerived,
    InvalidArgument,
    LengthMismatch,
    RangeOutOfBounds,
];
/// Of an edge, over which the page may be computed.
const EDGE: &[ErrorKind] = &[
    PageFreed,
    Cycle,
    EdgeNotFound,
    NotOwner,
    Immutable,
    InvalidArgument,
    LengthMismatch,
    RangeOutOfBounds,
];

const fn row(
    name: &'static str,
    weight: u64,
    may: &'static [ErrorKind],
    run: fn(&mut Actor<'_>) -> Result<()>,
) -> Operation {
    Operation { name, weight, may, run }
}

/// All operations.
pub const OPERATIONS: &[Operation] = &[
    row("create", 6, &[Sealed], create),
    row("free", 2, &[PageFreed, NotOwner, Immutable, HasChildren], free),
    row("write", 30, WRITTEN, write),
    row("update", 8, WRITTEN, update),
    row("write masked", 4, WRITTEN, write_masked),
    row("apply a delta", 4, WRITTEN, apply_delta),
    row("set metadata", 5, TAKEN, set_meta),
    row("remove metadata", 3, &[PageFreed, NotOwner, Immutable, KeyNotFound], remove_meta),
    row("batch", 12, GROUP, batch),
    row("flush", 3, &[], flush),
    row("sync", 3, &[], sync),
    row("checkpoint", 2, &[], checkpoint),
    row("named checkpoint", 2, &[InvalidArgument], named_checkpoint),
    row("drop a checkpoint", 1, &[CheckpointNotFound], drop_checkpoint),
    row("snapshot", 3, &[PageFreed, SnapshotTooOld, Sealed], snapshot),
    row("compare", 2, &[SnapshotTooOld], compare),
    row("go back", 2, &[CheckpointPassed, SnapshotTooOld], go_back),
    row("view", 3, &[PageFreed], view),
    row("read", 3, &[PageFreed, Sealed], read),
    row("replay", 2, &[HistoryDropped], replay),
    row("page at", 3, &[HistoryDropped, Sealed], page_at),
    row("query", 2, &[HistoryDropped], query),
    row("page history", 2, &[], page_history),
    row("verify", 1, &[SnapshotTooOld], verify),
    row("pause", 8, &[], pause),
    row("step the clock", 1, &[], step_clock),
    row("transaction", 16, GROUP, transact::transaction),
    row("reading transaction", 4, &[PageFreed, Sealed], transact::read_only),
    row("increment", 6, WRITTEN, transact::increment),
    row("partition's transactions", 5, PARTITION, transact::of_a_partition),
    row("executor", 2, PARTITION, transact::executor),
    row("set ownership", 3, &[PageFreed, NotOwner, Immutable, Derived], set_ownership),
    row("add an edge", 6, EDGE, add_edge),
    row("remove an edge", 2, EDGE, remove_edge),
    row("free a cascade", 1, TAKEN, free_cascade),
    row("derive", 8, &[PageFreed, NotOwner, Immutable, Cycle], derive::derive),
    row("set a rule", 2, RULE, derive::set_rule),
    row("underive", 1, &[PageFreed, NotOwner, Immutable, NotDerived], derive::underive),
    row("propagate", 4, &[], derive::propagate),
    row("switch propagation", 3, SWITCH, derive::switch),
    row("explain", 1, &[PageFreed], derive::explain),
];

/// One operation to do: which, and what decides the rest of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Op {
    pub operation: usize,
    pub dice: u64,
}

impl Op {
    pub const CREATE: Op = Op { operation: 0, dice: 0 };
}

/// How often each operation is drawn in one run: some not at all, some more than usual.
pub struct Taste(Vec<u64>);

impl Taste {
    pub fn draw(prng: &mut Prng, plain: bool) -> Taste {
        if plain {
            let weight = |operation: &Operation| match operation.name {
                "create" => 1,
                "write" => 20,
                "flush" => 15,
                "sync" | "pause" => 2,
                _ => 0,
            };
            return Taste(OPERATIONS.iter().map(weight).collect());
        }
        let weight = |(at, operation): (usize, &Operation)| match prng.below(4) {
            // Nothing goes without pages.
            0 if at > 0 => 0,
            1 => operation.weight * 4,
            _ => operation.weight,
        };
        Taste(OPERATIONS.iter().enumerate().map(weight).collect())
    }

    /// Never an operation of that name.
    pub fn without(&mut self, name: &str) {
        for (weight, operation) in self.0.iter_mut().zip(OPERATIONS) {
            *weight *= u64::from(operation.name != name);
        }
    }

    pub fn op(&self, prng: &mut Prng) -> Op {
        let mut left = prng.below(self.0.iter().sum());
        let operation = self.0.iter().position(|&weight| {
            let hit = left < weight;
            left = left.saturating_sub(weight);
            hit
        });
        Op { operation: operation.unwrap_or(0), dice: prng.next_u64() }
    }
}

/// What the threads of one life share.
pub struct World {
    pub setup: Setup,
    /// Its number.
    pub life: u64,
    pub state: State,
    pub disk: SimStorage,
    pub clock: SimClock,
    pub history: Arc<Mutex<History>>,
    pub notes: Arc<Notes>,
    /// Held by who creates a page without a batch, and by who goes back.
    pub alone: mmsb::stdx::sync::Mutex<()>,
    /// How many write in it.
    pub writers: usize,
    /// Nobody gives the key of private pages.
    pub sealed: bool,
}

/// What a run writes down beside its history.
#[derive(Default)]
pub struct Notes {
    /// The story, line by line, if somebody wants to read it.
    pub story: Option<Mutex<Vec<String>>>,
    pub tally: Mutex<Tally>,
    pub seals: Mutex<Seals>,
    /// The first thing that was not as it should be.
    pub wrong: Mutex<Option<String>>,
}

impl Notes {
    pub fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(story) = &self.story {
            let now = sched::now_ns().unwrap_or(0);
            story.lock().push(format!("{:>9.3} ms  {}", now as f64 / 1e6, line()));
        }
    }

    pub fn wrong(&self, what: impl FnOnce() -> String) {
        self.wrong.lock().get_or_insert_with(what);
    }
}

/// One writer's hands.
pub struct Actor<'a> {
    pub world: &'a World,
    writer: usize,
    dice: Prng,
    operation: &'static Operation,
    /// The last LSN that it was given: the next is above.
    last: Lsn,
    /// Errors that say that the state is of no use any more.
    fatal: u32,
}

impl<'a> Actor<'a> {
    pub fn new(world: &'a World, writer: usize) -> Actor<'a> {
        let dice = Prng::new(0);
        Actor { world, writer, dice, operation: &OPERATIONS[0], last: Lsn::ZERO, fatal: 0 }
    }

    /// Does operations until there are no more, or the state is beyond use.
    pub fn work(&mut self, ops: &[Op]) {
        for op in ops {
            (self.operation, self.dice) = (&OPERATIONS[op.operation], Prng::new(op.dice));
            let result = (self.operation.run)(self);
            self.history().operations += 1;
            if let Err(error) = result {
                self.judge(&error);
            }
            if self.fatal > 2 || self.world.notes.wrong.lock().is_some() {
                return;
            }
        }
    }

    /// Whether there is a reason for an error.
    fn judge(&mut self, error: &mmsb::Error) {
        let name = self.operation.name;
        self.tell(|| format!("{name}: {error:?}"));
        self.fatal += u32::from(error.is_fatal());
        let unlocked = error.kind() == Sealed && !self.world.sealed;
        let may = !unlocked && self.operation.may.contains(&error.kind());
        if !may && !excused(&self.world.disk, error) {
            let writer = self.writer;
            self.wrong(|| format!("w{writer}, {name}: an error without a cause: {error:?}"));
        }
        let me = sched::task();
        if me.is_some() && self.world.disk.crashed_in() == me && name.contains("checkpoint") {
            let mut tally = self.world.notes.tally.lock();
            if tally.of(FaultKind::CrashInCheckpoint).fired == 0 {
                tally.fired(FaultKind::CrashInCheckpoint, 1);
            }
        }
    }

    fn history(&self) -> MutexGuard<'a, History> {
        self.world.history.lock()
    }

    fn state(&self) -> &'a State {
        &self.world.state
    }

    fn tell(&self, line: impl FnOnce() -> String) {
        let writer = self.writer;
        self.world.notes.tell(|| format!("w{writer} {}", line()));
    }

    fn wrong(&self, what: impl FnOnce() -> String) {
        self.world.notes.wrong(what);
    }

    /// Fails the run if `ok` does not hold.
    fn expect(&self, ok: bool, what: impl FnOnce() -> String) {
        if !ok {
            let (writer, name) = (self.writer, self.operation.name);
            self.wrong(|| format!("w{writer}, {name}: {}", what()));
        }
    }

    /// Not what stood there before, if they are some: a life that repeats another one's operations
    /// has bytes of its own.
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Prng::new(mix(self.dice.next_u64() ^ self.world.life));
        (0..len).map(|_| bytes.next_u64() as u8).collect()
    }

    /// A page that is there as far as everybody knows.
    fn page(&mut self) -> Option<PageId> {
        let dice = self.dice.next_u64();
        let pages = &self.history().pages;
        pages.get((dice % pages.len().max(1) as u64) as usize).copied()
    }

    /// A page to write to: rarely one that is computed, which will be refused.
    fn input(&mut self) -> Option<PageId> {
        let mut page = self.page()?;
        for _ in 0..3 {
            let computed = matches!(self.state().rule(page), Ok(Some(_)));
            if !computed || self.dice.one_in(8) {
                break;
            }
            page = self.page()?;
        }
        Some(page)
    }

    /// A page to write to and its size; `PageFreed` if it went meanwhile.
    fn sized_input(&mut self) -> Result<Option<(PageId, u64)>> {
        let Some(page) = self.input() else { return Ok(None) };
        Ok(Some((page, self.state().page_size(page)?)))
    }

    /// A page and its size; `PageFreed` if it went meanwhile.
    fn sized_page(&mut self) -> Result<Option<(PageId, u64)>> {
        let Some(page) = self.page() else { return Ok(None) };
        Ok(Some((page, self.state().page_size(page)?)))
    }

    fn stretch(&mut self, size: u64, longest: u64) -> (u64, Vec<u8>) {
        let at = self.dice.below(size);
        let len = match self.world.setup.plain {
            true => (size - at).min(PLAIN_BYTES),
            false => 1 + self.dice.below((size - at).min(longest)),
        };
        (at, self.bytes(len as usize))
    }

    /// Asks for a group and keeps what was answered. A change of one page that is answered with
    /// "nothing changed", or refused to whoever asks, is checked later.
    fn change(
        &mut self,
        effects: Vec<Effect>,
        call: impl FnOnce(&State, Note<'_>) -> Result<Option<Lsn>>,
    ) -> Result<Option<Lsn>> {
        let alone = match &effects[..] {
            [effect] => effect.page().map(|page| (PageId(page), effect.clone())),
            _ => None,
        };
        let (state, mode) = (self.state(), self.history().mode);
        let from = alone.as_ref().and_then(|(page, _)| state.page_lsn(*page).ok());
        let answer = self.ask(effects, call);
        if let (Some((page, effect)), Some(from)) = (alone, from)
            && let Ok(to) = state.page_lsn(page)
        {
            let seen = match &answer {
                Ok(None) => Some(Seen::Unchanged { from, effect, mode }),
                Err(error) if matches!(error.kind(), NotOwner | Immutable | Derived | Sealed) => {
                    Some(Seen::Refused { from, effect, why: error.kind() })
                }
                _ => None,
            };
            let name = self.operation.name;
            seen.into_iter().for_each(|seen| self.history().see(to, seen, name));
        }
        answer
    }

    /// Asks for a group and keeps what was answered.
    fn ask(
        &mut self,
        effects: Vec<Effect>,
        call: impl FnOnce(&State, Note<'_>) -> Result<Option<Lsn>>,
    ) -> Result<Option<Lsn>> {
        let (name, intent) = (self.operation.name, self.dice.one_in(4).then_some("a reason"));
        let intent = intent.filter(|_| !self.world.setup.plain);
        let (at, tag) = self.history().ask(self.writer, effects);
        let answer = call(self.state(), Note { source: &tag, intent });
        self.history().answer(at, &answer);
        self.tell(|| {
            let effects = shorten(&self.history().groups[at].effects);
            match &answer {
                Ok(Some(lsn)) => format!("{name} {tag}: {effects} -> {lsn}"),
                Ok(None) => format!("{name} {tag}: {effects} -> no change"),
                Err(_) => format!("{name} {tag}: {effects} -> failed"),
            }
        });
        if let Ok(Some(lsn)) = answer {
            self.given(lsn);
        }
        answer
    }

    fn given(&mut self, lsn: Lsn) {
        let last = std::mem::replace(&mut self.last, lsn);
        self.expect(lsn > last, || format!("the LSN {lsn} follows {last} in one thread"));
        if self.dice.one_in(8) {
            self.history().targets.push(lsn);
        }
    }

    /// An LSN at which somebody wants to look again.
    fn target(&mut self) -> Option<Lsn> {
        let at = self.dice.next_u64();
        let targets = &self.history().targets;
        targets.get((at % (targets.len().max(1) as u64)) as usize).copied()
    }
}

/// Whether something that the disk did explains the error.
pub fn excused(disk: &SimStorage, error: &mmsb::Error) -> bool {
    let fired = disk.fired();
    let broken = fired.crashes + fired.failures + fired.short_writes + fired.failed_syncs > 0;
    match error.kind() {
        ErrorKind::Io => broken || fired.failed_reads + fired.short_reads > 0,
        // A full disk is no reason: space is reserved before anything needs it.
        ErrorKind::Poisoned => broken,
        ErrorKind::NoSpace => fired.no_space + fired.failures_no_space > 0,
        // The cache may have dropped what it was to write.
        ErrorKind::Corrupt => fired.failed_syncs > 0,
        _ => false,
    }
}

/// Effects, in one line.
fn shorten(effects: &[Effect]) -> String {
    let one = |effect: &Effect| match effect {
        Effect::Create { page, size, private, .. } => {
            format!("create {page:?} of {size}{}", if *private { ", private" } else { "" })
        }
        Effect::Write { page, pieces } => {
            let pieces: Vec<_> = pieces.iter().map(|(at, b)| format!("{at}+{}", b.len())).collect();
            match pieces.len() {
                0..5 => format!("page {page} at {}", pieces.join(" ")),
                n => format!("page {page} at {} ({n} pieces)", pieces[..4].join(" ")),
            }
        }
        Effect::Meta { page, key, value } => {
            let value = value.as_ref().map_or(-1, |value| value.len() as i64);
            format!("page {page} key {} ({value})", String::from_utf8_lossy(key))
        }
        Effect::Free { page } => format!("free {page}"),
        Effect::Own { page, ownership } => format!("page {page} becomes {ownership:?}"),
        Effect::Edge { page, parent, kind, there } => {
            let what = if *there { "from" } else { "no more from" };
            format!("page {page} derives {what} {parent} ({})", kind.name())
        }
        Effect::Rule { page, parents, way } => {
            let of = parents.as_ref().map_or(String::new(), |parents| format!(" of {parents:?}"));
            match way {
                Some(way) => format!("page {page} is computed{of}: {way:?}"),
                None => format!("page {page} is computed no longer"),
            }
        }
        Effect::Propagate => "propagate".to_owned(),
        Effect::Cascade { page, freed } => format!("free {page} and what derives: {freed:?}"),
        Effect::For { partitions } => format!("for {partitions:?}"),
        Effect::Revert { to } => format!("back to {to}"),
    };
    effects.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Bytes of a change, where all are alike.
const PLAIN_BYTES: u64 = 16;
const SIZES: [u64; 8] = [1, 16, 64, 300, 1_024, 5_000, 300, 70_000];
const LOCATIONS: [Location; 3] = [Location::Cpu, Location::Gpu, Location::Unified];
const KEYS: [&[u8]; 3] = [b"a", b"bc", b"a longer key"];
const NAMES: [&str; 3] = ["one", "two", "three"];
/// Runs of a delta object at most.
const RUNS_MAX: u64 = 6;

impl Actor<'_> {
    fn size(&mut self) -> u64 {
        let sizes = if self.world.setup.large { 8 } else { 7 };
        match self.world.setup.plain {
            true => 64 * PLAIN_BYTES,
            false => SIZES[self.dice.below(sizes) as usize],
        }
    }

    /// Size and place of a page to come, and whether it is to be private.
    fn begin_page(&mut self) -> (u64, Location, bool) {
        let (size, location) = (self.size(), LOCATIONS[self.dice.below(3) as usize]);
        (size, location, self.world.setup.private && self.dice.coin())
    }
}

fn create(actor: &mut Actor<'_>) -> Result<()> {
    let (size, location, private) = actor.begin_page();
    let created = |page| Effect::Create { page, size, location, private };
    let history = actor.world.history.clone();
    // Who goes back must not free it before its LSN is known.
    let _alone = actor.world.alone.lock();
    let at = history.lock().groups.len();
    actor.ask(vec![created(None)], |state, note| {
        let id = match private {
            true => state.create_private_page(size, location, note)?,
            false => state.create_page_at(size, location, note)?,
        };
        let mut history = history.lock();
        history.groups[at].effects[0] = created(Some(id.0));
        history.pages.push(id);
        drop(history);
        // Its creation: nobody else knew the page before.
        state.page_lsn(id).map(Some)
    })?;
    Ok(())
}

fn free(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.page() else { return Ok(()) };
    actor.history().pages.retain(|&other| other != page);
    let effect = Effect::Free { page: page.0 };
    actor.ask(vec![effect], |state, note| state.free_page(page, note).map(Some)).map(drop)
}

fn write(actor: &mut Actor<'_>) -> Result<()> {
    let Some((page, size)) = actor.sized_input()? else { return Ok(()) };
    let (at, bytes) = actor.stretch(size, 40);
    let effect = Effect::Write { page: page.0, pieces: vec![(at, bytes.clone())] };
    actor.change(vec![effect], |state, note| state.write(page, at, &bytes, note)).map(drop)
}

fn update(actor: &mut Actor<'_>) -> Result<()> {
    let Some((page, size)) = actor.sized_input()? else { return Ok(()) };
    // Sometimes what is there, but for a few bytes or none.
    let mut content = match actor.dice.below(3) {
        0 => actor.bytes(size as usize),
        _ => actor.state().read_all(page)?,
    };
    for _ in 0..actor.dice.below(4) {
        let at = actor.dice.below(size) as usize;
        content[at] = actor.dice.next_u64() as u8;
    }
    let effect = Effect::Write { page: page.0, pieces: vec![(0, content.clone())] };
    actor.change(vec![effect], |state, note| state.update(page, &content, note)).map(drop)
}

fn write_masked(actor: &mut Actor<'_>) -> Result<()> {
    let Some((page, size)) = actor.sized_input()? else { return Ok(()) };
    let content = actor.bytes(size as usize);
    let mask: Vec<u8> = (0..size).map(|_| u8::from(actor.dice.one_in(9))).collect();
    let picked = (0..size as usize).filter(|&at| mask[at] != 0);
    let pieces = picked.map(|at| (at as u64, vec![content[at]])).collect();
    let effect = Effect::Write { page: page.0, pieces };
    let call = |state: &State, note: Note<'_>| state.write_masked(page, &mask, &content, note);
    actor.change(vec![effect], call).map(drop)
}

/// Ascending pieces that do not overlap.
fn pieces(actor: &mut Actor<'_>, size: u64) -> Vec<(u64, Vec<u8>)> {
    let (mut pieces, mut at) = (Vec::new(), 0);
    for _ in 0..1 + actor.dice.below(RUNS_MAX) {
        at += actor.dice.below(size / 4 + 1);
        if at >= size {
            break;
        }
        let len = 1 + actor.dice.below((size - at).min(30));
        pieces.push((at, actor.bytes(len as usize)));
        at += len;
    }
    pieces
}

fn delta(page: PageId, pieces: &[(u64, Vec<u8>)]) -> Result<Delta> {
    let runs: Vec<_> = pieces.iter().map(|(at, bytes)| (*at as usize, &bytes[..])).collect();
    Delta::from_runs(page, &runs)
}

fn apply_delta(actor: &mut Actor<'_>) -> Result<()> {
    let Some((page, size)) = actor.sized_input()? else { return Ok(()) };
    let pieces = pieces(actor, size);
    let effect = Effect::Write { page: page.0, pieces: pieces.clone() };
    let call = |state: &State, note: Note<'_>| {
        let delta = delta(page, &pieces)?.with_source(note.source)?;
        state.apply(&match note.intent {
            Some(intent) => delta.with_intent(intent)?,
            None => delta,
        })
    };
    actor.change(vec![effect], call).map(drop)
}

fn set_meta(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.page() else { return Ok(()) };
    let (key, len) = (KEYS[actor.dice.below(3) as usize], actor.dice.below(40));
    let value = actor.bytes(len as usize);
    let (page_key, kept) = (key.to_vec(), Some(value.clone()));
    let effect = Effect::Meta { page: page.0, key: page_key, value: kept };
    actor.change(vec![effect], |state, note| state.set_meta(page, key, &value, note)).map(drop)
}

fn remove_meta(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.page() else { return Ok(()) };
    let key = KEYS[actor.dice.below(3) as usize];
    let effect = Effect::Meta { page: page.0, key: key.to_vec(), value: None };
    actor.change(vec![effect], |state, note| state.remove_meta(page, key, note)).map(drop)
}

fn set_ownership(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.page() else { return Ok(()) };
    let ownership = transact::ownership(actor);
    let effect = Effect::Own { page: page.0, ownership };
    actor.change(vec![effect], |state, note| state.set_ownership(page, ownership, note)).map(drop)
}

fn add_edge(actor: &mut Actor<'_>) -> Result<()> {
    let (Some(one), Some(other)) = (actor.page(), actor.page()) else { return Ok(()) };
    // Mostly as pages come, so that not too many close a cycle.
    let (parent, child) = match actor.dice.one_in(4) {
        true => (one, other),
        false => (one.min(other), one.max(other)),
    };
    if parent == child {
        return Ok(());
    }
    let kind = EdgeKind::ALL[actor.dice.below(4) as usize];
    let effect = Effect::Edge { page: child.0, parent: parent.0, kind, there: true };
    actor.change(vec![effect], |state, note| state.add_edge(parent, child, kind, note)).map(drop)
}

fn remove_edge(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.page() else { return Ok(()) };
    let parents = actor.state().parents(page)?;
    let at = actor.dice.below(parents.len().max(1) as u64) as usize;
    let Some(link) = parents.get(at) else { return Ok(()) };
    let (parent, kind) = (link.page, link.kind);
    let effect = Effect::Edge { page: page.0, parent: parent.0, kind, there: false };
    let call =
        |state: &State, note: Note<'_>| state.remove_edge(parent, page, kind, note).map(Some);
    actor.change(vec![effect], call).map(drop)
}

fn free_cascade(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.page() else { return Ok(()) };
    let (history, at) = (&actor.world.history, actor.history().groups.len());
    actor.ask(vec![Effect::Cascade { page: page.0, freed: None }], |state, note| {
        let (freed, lsn) = state.free_cascade(page, note)?;
        let mut history = history.lock();
        history.pages.retain(|other| !freed.contains(other));
        let freed = Some(freed.into_iter().map(|page| page.0).collect());
        history.groups[at].effects = vec![Effect::Cascade { page: page.0, freed }];
        Ok(Some(lsn))
    })?;
    Ok(())
}

/// What a batch or a transaction does to one page, step by step.
#[derive(Clone, Default)]
struct Steps {
    size: u64,
    create: Option<(u64, Location, bool)>,
    pieces: Vec<(u64, Vec<u8>)>,
    meta: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    own: Option<Ownership>,
    free: bool,
}

impl Steps {
    fn into_effects(self, page: u64, effects: &mut Vec<Effect>) {
        if let Some((size, location, private)) = self.create {
            effects.push(Effect::Create { page: Some(page), size, location, private });
        }
        if !self.pieces.is_empty() {
            effects.push(Effect::Write { page, pieces: self.pieces });
        }
        let meta = |(key, value)| Effect::Meta { page, key, value };
        effects.extend(self.meta.into_iter().map(meta));
        match self.own {
            // It ends as whose it was when the group began.
            _ if self.free => effects.push(Effect::Free { page }),
            Some(ownership) => effects.push(Effect::Own { page, ownership }),
            None => {}
        }
    }

    /// Whether what is written changes the page, whatever others do beside the batch. A page that
    /// a batch leaves as it is stands in no record of it, so that nothing orders the two.
    fn may_write(&self) -> bool {
        self.create.is_some() || self.size >= 2 * SURE_BYTES
    }

    /// The last value that it gives to a key, or takes from it.
    fn own_value(&self, key: &[u8]) -> Option<Option<&Vec<u8>>> {
        let last = self.meta.iter().rev().find(|(other, _)| other == key)?;
        Some(last.1.as_ref())
    }
}

/// So many random bytes are not what stood there before.
const SURE_BYTES: u64 = 8;

fn batch(actor: &mut Actor<'_>) -> Result<()> {
    let mut batch = Batch::new(actor.state());
    let mut pages = BTreeMap::<PageId, Steps>::new();
    for _ in 0..1 + actor.dice.below(6) {
        if actor.dice.one_in(5) {
            let (size, location, private) = actor.begin_page();
            let id = match private {
                true => batch.create_private_page(size, location)?,
                false => batch.create_page(size, location)?,
            };
            let create = Some((size, location, private));
            pages.insert(id, Steps { size, create, ..Steps::default() });
        } else if let Some(page) = page_of_batch(actor, &mut pages)? {
            step(actor, &mut batch, page, pages.entry(page).or_default())?;
        }
    }
    if actor.dice.one_in(8) {
        // Given up: as if it had never been.
        return Ok(());
    }
    let made = pages.iter().filter(|(_, steps)| steps.create.is_some() && !steps.free);
    let made: Vec<PageId> = made.map(|(id, _)| *id).collect();
    let mut effects = Vec::new();
    for (id, steps) in pages {
        if steps.free {
            actor.history().pages.retain(|other| *other != id);
        }
        steps.into_effects(id.0, &mut effects);
    }
    if actor.ask(effects, |_, note| batch.commit(note))?.is_some() {
        actor.history().pages.extend(made);
    }
    Ok(())
}

/// A page that the batch has already, or another one.
fn page_of_batch(
    actor: &mut Actor<'_>,
    pages: &mut BTreeMap<PageId, Steps>,
) -> Result<Option<PageId>> {
    let at = actor.dice.below(pages.len() as u64 + 2) as usize;
    if let Some(page) = pages.keys().nth(at) {
        return Ok(Some(*page));
    }
    let Some((page, size)) = actor.sized_input()? else { return Ok(None) };
    pages.entry(page).or_insert_with(|| Steps { size, ..Steps::default() });
    Ok(Some(page))
}

fn step(actor: &mut Actor<'_>, batch: &mut Batch, page: PageId, steps: &mut Steps) -> Result<()> {
    let key = KEYS[actor.dice.below(3) as usize];
    match actor.dice.below(12) {
        _ if steps.free => {}
        0 => {
            batch.free_page(page)?;
            steps.free = true;
        }
        1 | 2 => {
            let value = actor.bytes(5);
            batch.set_meta(page, key, &value)?;
            steps.meta.push((key.to_vec(), Some(value)));
        }
        3 if steps.own_value(key).flatten().is_some() => {
            batch.remove_meta(page, key)?;
            steps.meta.push((key.to_vec(), None));
        }
        _ if !steps.may_write() => {}
        4 | 5 => {
            let content = actor.bytes(steps.size as usize);
            batch.update(page, &content)?;
            steps.pieces.push((0, content));
        }
        6 | 7 => {
            let mut pieces = pieces(actor, steps.size);
            let end = pieces.last().map_or(0, |(at, bytes)| at + bytes.len() as u64);
            if end + SURE_BYTES <= steps.size {
                pieces.push((end, actor.bytes(SURE_BYTES as usize)));
            } else {
                pieces = vec![(0, actor.bytes(steps.size as usize))];
            }
            batch.apply(delta(page, &pieces)?)?;
            steps.pieces.extend(pieces);
        }
        _ => {
            let at = actor.dice.below(steps.size.saturating_sub(SURE_BYTES).max(1));
            let len = (SURE_BYTES + actor.dice.below(50)).min(steps.size - at);
            let bytes = actor.bytes(len as usize);
            batch.write(page, at, &bytes)?;
            steps.pieces.push((at, bytes));
        }
    }
    Ok(())
}

fn flush(actor: &mut Actor<'_>) -> Result<()> {
    let lsn = actor.state().flush()?;
    actor.history().promise_written(lsn);
    actor.tell(|| format!("flush -> {lsn}"));
    Ok(())
}

fn sync(actor: &mut Actor<'_>) -> Result<()> {
    let lsn = actor.state().sync()?;
    actor.history().promise_durable(lsn);
    actor.tell(|| format!("sync -> {lsn}"));
    Ok(())
}

fn checkpoint(actor: &mut Actor<'_>) -> Result<()> {
    make_checkpoint(actor, None).map(drop)
}

fn make_checkpoint(actor: &mut Actor<'_>, name: Option<&str>) -> Result<Lsn> {
    let info = actor.state().checkpoint(name)?;
    let mut history = actor.history();
    history.promise_durable(info.lsn);
    history.targets.push(info.lsn);
    drop(history);
    actor.tell(|| format!("checkpoint {name:?} -> {}", info.lsn));
    Ok(info.lsn)
}

fn named_checkpoint(actor: &mut Actor<'_>) -> Result<()> {
    let name = NAMES[actor.dice.below(3) as usize];
    actor.history().begin_naming(name);
    let made = make_checkpoint(actor, Some(name));
    let now = match &made {
        Ok(lsn) => Some(Named::Kept(*lsn)),
        Err(error) if error.kind() == InvalidArgument => None,
        Err(_) => Some(Named::Unsure),
    };
    actor.history().end_naming(name, now);
    made.map(drop)
}

fn drop_checkpoint(actor: &mut Actor<'_>) -> Result<()> {
    let name = NAMES[actor.dice.below(3) as usize];
    actor.history().begin_naming(name);
    let dropped = actor.state().drop_checkpoint(name);
    actor.tell(|| format!("drop checkpoint {name} -> {dropped:?}"));
    let now = match &dropped {
        Ok(()) => Some(Named::Gone),
        Err(error) if error.kind() == CheckpointNotFound => None,
        Err(_) => Some(Named::Unsure),
    };
    actor.history().end_naming(name, now);
    dropped
}

/// Some of the time, so that others get to work; seconds, now and then.
fn wait(actor: &mut Actor<'_>) {
    let us = match actor.dice.below(16) {
        0 => 2_000_000,
        1..4 => 100_000,
        _ => 5_000,
    };
    sched::sleep(Duration::from_micros(actor.dice.below(us)));
}

/// Takes a snapshot, and notes where it stands.
fn cut(actor: &Actor<'_>) -> Result<Snapshot> {
    let began = actor.history().event();
    let snapshot = actor.state().snapshot()?;
    let mut history = actor.history();
    let ended = history.event();
    history.cuts.push(Cut { lsn: snapshot.lsn(), began, ended });
    Ok(snapshot)
}

fn snapshot(actor: &mut Actor<'_>) -> Result<()> {
    let snapshot = cut(actor)?;
    let (lsn, digest) = (snapshot.lsn(), snapshot.digest()?);
    actor.history().see(lsn, Seen::Digest(digest), "a snapshot's digest");
    see_pages(actor, &snapshot, lsn)?;
    wait(actor);
    let again = snapshot.digest()?;
    actor.expect(again == digest, || format!("the snapshot at {lsn} changed"));
    if let Some(page) = actor.page() {
        let seen = match (snapshot.read_all(page), snapshot.epoch(page)) {
            (Ok(bytes), Ok(epoch)) => Seen::Page { page: page.0, bytes, epoch },
            (Err(error), _) if error.kind() == ErrorKind::PageNotFound => {
                Seen::Absent { page: page.0 }
            }
            (bytes, epoch) => return bytes.map(drop).and(epoch.map(drop)),
        };
        actor.history().see(lsn, seen, "a page of a snapshot");
    }
    Ok(())
}

/// Looks at all pages, where the digest cannot tell.
fn see_pages(actor: &Actor<'_>, snapshot: &Snapshot, lsn: Lsn) -> Result<()> {
    if !actor.world.setup.private {
        return Ok(());
    }
    let mut pages = BTreeMap::new();
    for page in snapshot.list_pages()? {
        pages.extend(shown(actor, snapshot, page)?.map(|shown| (page.0, shown)));
    }
    actor.history().see(lsn, Seen::Pages(pages), "the pages of a snapshot");
    Ok(())
}

/// What a comparison finds is what a look at every page does; who may change a page, and what it
/// derives from, only the model can tell.
fn compare(actor: &mut Actor<'_>) -> Result<()> {
    let from = cut(actor)?;
    wait(actor);
    let to = cut(actor)?;
    let found: Vec<PageId> = from.compare(&to)?.into_iter().map(|found| found.page).collect();
    let mut pages = from.list_pages()?;
    pages.extend(to.list_pages()?);
    pages.sort_unstable();
    pages.dedup();
    let mut differ = Vec::new();
    for page in pages {
        let parts = |shown: Option<Shown>| shown.map(|Shown { bytes, meta, .. }| (bytes, meta));
        let look = |snapshot| shown(actor, snapshot, page).map(parts);
        if look(&from)? != look(&to)? {
            differ.push(page);
        }
    }
    actor.expect(differ.iter().all(|page| found.contains(page)), || {
        format!("from {} to {} differ {differ:?}, found {found:?}", from.lsn(), to.lsn())
    });
    let pages = found.into_iter().map(|page| page.0).collect();
    actor.history().see(to.lsn(), Seen::Differing { from: from.lsn(), pages }, "a comparison");
    Ok(())
}

/// What a snapshot shows of a page, if it has it.
fn shown(actor: &Actor<'_>, snapshot: &Snapshot, page: PageId) -> Result<Option<Shown>> {
    let bytes = match checker::opened(snapshot.read_all(page), actor.world.sealed) {
        Err(error) if error.kind() == ErrorKind::PageNotFound => return Ok(None),
        bytes => bytes?,
    };
    let meta = snapshot.meta_list(page)?.into_iter().collect();
    Ok(Some(Shown { bytes, epoch: snapshot.epoch(page)?, meta }))
}

/// Back to a mark, while others write; some of the time past another one.
fn go_back(actor: &mut Actor<'_>) -> Result<()> {
    let mark = actor.state().soft_checkpoint()?;
    wait(actor);
    let inner = actor.dice.coin().then(|| actor.state().soft_checkpoint()).transpose()?;
    if let Some(inner) = inner.as_ref().filter(|_| actor.dice.coin()) {
        wait(actor);
        revert(actor, inner)?;
        wait(actor);
    }
    revert(actor, &mark)?;
    if let Some(inner) = &inner {
        actor.expect(inner.is_passed(), || format!("{inner:?} was passed"));
    }
    Ok(())
}

fn revert(actor: &mut Actor<'_>, mark: &SoftCheckpoint) -> Result<()> {
    let world = actor.world;
    let _alone = world.alone.lock();
    let effect = Effect::Revert { to: mark.lsn()? };
    actor.ask(vec![effect], |state, note| state.revert(mark, note))?;
    let there = actor.state().list_pages()?;
    actor.history().pages = there;
    Ok(())
}

fn view(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.page() else { return Ok(()) };
    let private = actor.state().is_private(page)?;
    let view = match actor.state().view(page) {
        Err(error) if private && error.kind() == InvalidArgument => return Ok(()),
        view => view?,
    };
    actor.expect(!private, || format!("{page} is private, and has a view"));
    let (bytes, epoch) = (view.to_vec(), view.epoch());
    wait(actor);
    actor.expect(view[..] == bytes, || format!("the view of {page} at {} changed", view.lsn()));
    let seen = Seen::Page { page: page.0, bytes, epoch };
    actor.history().see(view.lsn(), seen, "a view");
    Ok(())
}

fn read(actor: &mut Actor<'_>) -> Result<()> {
    let Some((page, size)) = actor.sized_page()? else { return Ok(()) };
    let state = actor.state();
    let before = state.page_lsn(page)?;
    let (mut bytes, epoch) = (vec![0; size as usize], state.epoch(page)?);
    state.read(page, 0, &mut bytes)?;
    let meta = state.meta_list(page)?.into_iter().collect();
    let bonds = checker::bonds(state, page)?;
    let opened = bonds.private && actor.world.sealed;
    actor.expect(!opened, || format!("{page} is read without its key"));
    if state.page_lsn(page)? == before {
        let mut history = actor.history();
        history.see(before, Seen::Page { page: page.0, bytes, epoch }, "a read");
        history.see(before, Seen::Meta { page: page.0, meta }, "a read of metadata");
        history.see(before, Seen::Bonds { page: page.0, bonds }, "a read of bonds");
    }
    Ok(())
}

fn replay(actor: &mut Actor<'_>) -> Result<()> {
    let lsn = match actor.target() {
        Some(lsn) if !actor.dice.one_in(4) => lsn,
        _ => actor.state().flush()?,
    };
    let kept = actor.history().names.values().any(|name| name.named == Named::Kept(lsn));
    let past = match derive::without_callbacks(|| actor.state().replay_to(lsn)) {
        Err(error) if error.kind() == HistoryDropped => {
            actor.expect(!kept, || format!("a named checkpoint is kept at {lsn}, but {error}"));
            return Err(error);
        }
        past => past?,
    };
    let digest = past.digest()?;
    actor.tell(|| format!("replay to {lsn}"));
    actor.history().see(lsn, Seen::Digest(digest), "a replay");
    see_pages(actor, &past.snapshot()?, lsn)
}

fn page_at(actor: &mut Actor<'_>) -> Result<()> {
    let (Some(lsn), Some(page)) = (actor.target(), actor.page()) else { return Ok(()) };
    let seen = match derive::without_callbacks(|| actor.state().page_at(page, lsn)) {
        Ok(at) => {
            let meta = at.meta.into_iter().collect();
            actor.history().see(lsn, Seen::Meta { page: page.0, meta }, "page_at's metadata");
            let parents = at.parents.iter().map(|link| (link.page.0, link.kind)).collect();
            let (ownership, rule, staleness) = (at.ownership, at.rule, at.staleness);
            let bonds = Bonds { ownership, parents, rule, staleness, private: at.private };
            actor.history().see(lsn, Seen::Bonds { page: page.0, bonds }, "page_at's bonds");
            Seen::Page { page: page.0, bytes: at.bytes, epoch: at.epoch }
        }
        Err(error) if error.kind() == ErrorKind::PageNotFound => Seen::Absent { page: page.0 },
        Err(error) => return Err(error),
    };
    actor.history().see(lsn, seen, "page_at");
    Ok(())
}

/// The groups of a range of the log, each with its label.
pub fn groups_of(state: &State, query: Query) -> Result<Vec<(Lsn, String, Vec<PageId>)>> {
    let mut groups: Vec<(Lsn, String, Vec<PageId>)> = Vec::new();
    for changed in state.query(query)? {
        let changed = changed?;
        match groups.last_mut().filter(|(lsn, ..)| *lsn == changed.lsn) {
            Some((_, _, pages)) => pages.push(changed.page),
            None => groups.push((changed.lsn, changed.source, vec![changed.page])),
        }
    }
    Ok(groups)
}

fn query(actor: &mut Actor<'_>) -> Result<()> {
    let (state, to) = (actor.state(), actor.state().flush()?);
    let after = actor.target().filter(|&after| after < to && actor.dice.coin());
    let found = groups_of(state, Query { after, to: Some(to), ..Query::default() })?;
    // Without a beginning it begins with what is kept.
    let first = found.first().map_or(to, |(lsn, ..)| Lsn(lsn.0 - 1));
    let found = found.into_iter().map(|(lsn, tag, _)| (lsn, tag)).collect();
    let after = after.unwrap_or(first);
    actor.history().see(to, Seen::Groups { after, found }, "a query");
    Ok(())
}

fn page_history(actor: &mut Actor<'_>) -> Result<()> {
    let Some(page) = actor.page() else { return Ok(()) };
    let mut last = None;
    for changed in actor.state().page_history(page)? {
        let written = match changed.change {
            Change::Written(_) | Change::Restored { .. } | Change::Sealed => 1,
            Change::Derived | Change::Computed(_) => 1,
            _ => 0,
        };
        if let Some((lsn, epoch)) = last {
            let follows = changed.lsn >= lsn && changed.epoch == epoch + written;
            actor.expect(follows, || {
                format!(
                    "{page}: epoch {} after {epoch}, {} after {lsn}",
                    changed.epoch, changed.lsn
                )
            });
        }
        last = Some((changed.lsn, changed.epoch));
    }
    Ok(())
}

fn verify(actor: &mut Actor<'_>) -> Result<()> {
    let verified = derive::without_callbacks(|| actor.state().verify())?;
    actor.history().see(verified.lsn, Seen::Digest(verified.digest), "verify");
    Ok(())
}

fn pause(actor: &mut Actor<'_>) -> Result<()> {
    wait(actor);
    Ok(())
}

fn step_clock(actor: &mut Actor<'_>) -> Result<()> {
    let ms = actor.dice.below(20_000_000) as i64 - 10_000_000;
    actor.world.clock.step_wall(ms);
    let mut tally = actor.world.notes.tally.lock();
    tally.planned(FaultKind::ClockStep);
    tally.fired(FaultKind::ClockStep, 1);
    Ok(())
}
