//! One run: lives of a state on one disk, each ended in order, by a death of the process or by a
//! power cut, and everything that each of these may leave examined.

use crate::checker::{self, Loss, Survivors};
use crate::faults::{Kind, Planned, Tally};
use crate::history::History;
use crate::order;
use crate::workload::{Actor, Notes, Op, Setup, Taste, World, excused};
use mmsb::checkpoint::Manifest;
use mmsb::env::sim::{Fault, PowerLoss, SimClock, SimStorage};
use mmsb::stdx::prng::{Prng, mix};
use mmsb::stdx::sched::{self, Settings, Watch};
use mmsb::stdx::thread;
use mmsb::{Lsn, Propagation, State};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a run does, drawn from a seed; what a shrinker makes smaller.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    pub seed: u64,
    pub setup: Setup,
    /// What may go wrong at all; what a life plans of it stands there.
    pub allowed: Vec<Kind>,
    pub lives: Vec<Life>,
}

/// One life of the state: opened, worked on, ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Life {
    /// What each writer does.
    pub writers: Vec<Vec<Op>>,
    pub faults: Vec<Planned>,
    pub end: End,
    /// When derived pages follow, at its beginning.
    pub mode: Propagation,
    /// Nobody gives the key of private pages.
    pub sealed: bool,
}

/// How a life ends. If a crash was planned and struck, as that says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// Closed in order first.
    pub closed: bool,
    /// What the next life begins with.
    pub left: PowerLoss,
    /// Decides which other ends are looked at.
    pub dice: u64,
}

impl Plan {
    /// The plan of a seed, of the faults that are allowed.
    pub fn draw(seed: u64, allowed: &[Kind]) -> Plan {
        let prng = &mut Prng::new(mix(seed ^ 0x5EED));
        let mut setup = Setup::draw(prng);
        let mut taste = Taste::draw(prng, setup.plain);
        if !allowed.contains(&Kind::ClockStep) {
            taste.without("step the clock");
        }
        let allowed = allowed.to_vec();
        // Few kinds in one run, so that each gets to act; none in some.
        let rarity = 1 + prng.below(6);
        let faults: Vec<Kind> = allowed.iter().copied().filter(|_| prng.one_in(rarity)).collect();
        let faults = if prng.one_in(6) { Vec::new() } else { faults };
        // In some runs every life dies and does the same again, with no look in between: what is left
        // of one fits the next, if anything does.
        let alike = setup.plain && prng.coin();
        let mut lives: Vec<Life> = Vec::new();
        for _ in 0..1 + prng.below(4) {
            let mut life = Life::draw(prng, &taste, &faults);
            if alike {
                let (left, dice) = (PowerLoss::Random(prng.next_u64()), life.end.dice | 1);
                life.end = End { closed: false, left, dice };
            }
            // A program that died may do the same again: records of the same sizes in the places
            // of those that were lost.
            if let Some(last) = lives.last().filter(|_| alike || prng.one_in(4)) {
                life.writers.clone_from(&last.writers);
            }
            lives.push(life);
        }
        // Nothing goes without pages.
        lives[0].writers[0].insert(0, Op::CREATE);
        // Of choices of their own, so that all others are what they were without private pages.
        let prng = &mut Prng::new(mix(seed ^ 0x5EA1));
        setup.private = !setup.plain && prng.one_in(3);
        for life in &mut lives[1..] {
            life.sealed = setup.private && prng.one_in(4);
        }
        Plan { seed, setup, allowed, lives }
    }

    fn allows(&self, kind: Kind) -> bool {
        self.allowed.contains(&kind)
    }

    /// Whether the power may be cut; what may come of that cannot be chosen.
    fn allows_cuts(&self) -> bool {
        use Kind::{LostName, LostWrite, PowerCut, ReorderedWrite, TornWrite};
        let cuts = [PowerCut, LostWrite, TornWrite, ReorderedWrite, LostName];
        cuts.into_iter().any(|kind| self.allows(kind))
    }

    /// How many parts it has: what a shrinker makes less.
    pub fn size(&self) -> usize {
        let life = |life: &Life| {
            1 + life.faults.len() + life.writers.iter().map(|ops| 1 + ops.len()).sum::<usize>()
        };
        self.lives.iter().map(life).sum()
    }

    /// The settings, readably.
    pub fn describe(&self) -> String {
        let names: Vec<_> = self.allowed.iter().map(|kind| kind.name()).collect();
        format!("{:?}\nwith {}", self.setup, names.join(", "))
    }
}

impl Life {
    fn draw(prng: &mut Prng, taste: &Taste, faults: &[Kind]) -> Life {
        let writers = 1 + prng.below(4);
        let ops = 1 + prng.scaled(8) / writers;
        let writer = |_| (0..ops).map(|_| taste.op(prng)).collect();
        let writers = (0..writers).map(writer).collect();
        let faults = Planned::draw(prng, faults);
        let left = match prng.below(4) {
            0 => PowerLoss::KeepAll,
            1 => PowerLoss::DropUnsynced,
            _ => PowerLoss::Random(prng.next_u64()),
        };
        let end = End { closed: prng.one_in(3), left, dice: prng.next_u64() };
        let mode = match prng.below(3) {
            0 => Propagation::Deferred,
            _ => Propagation::Immediate,
        };
        Life { writers, faults, end, mode, sealed: false }
    }
}

/// What came of a run.
pub struct Report {
    /// `Err` says what was wrong.
    pub result: Result<(), String>,
    pub trace: u64,
    pub turns: u64,
    pub operations: u64,
    pub observations: u64,
    pub unjudged: u64,
    pub tally: Tally,
    /// What happened, line by line, if it was to be told.
    pub story: Vec<String>,
}

/// Runs a plan. One at a time in a process: states share a pool.
pub fn run(plan: &Plan, tell: bool) -> Report {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let notes = Arc::new(Notes { story: tell.then(Mutex::default), ..Notes::default() });
    let settings = Settings {
        seed: plan.seed,
        turns_max: 500_000,
        time_max: Duration::from_secs(3_600),
        watch: (tell || plan.setup.private).then(|| watch(notes.clone())),
    };
    let history = Arc::new(Mutex::new(History::new(plan.setup.durability)));
    let body = {
        let (plan, notes, history) = (plan.clone(), notes.clone(), history.clone());
        move || Run::new(plan, notes, history).live()
    };
    let outcome = sched::run(settings, body);
    let wrong = notes.wrong.lock().take();
    let result = outcome.result.and_then(|result| result).and(wrong.map_or(Ok(()), Err));
    let mut tally = *notes.tally.lock();
    if result.is_ok() {
        tally.survive();
    }
    let story = notes.story.as_ref().map(|story| std::mem::take(&mut *story.lock()));
    let history = history.lock();
    Report {
        result,
        trace: outcome.trace,
        turns: outcome.turns,
        operations: history.operations,
        observations: history.observations,
        unjudged: history.unjudged,
        tally,
        story: story.unwrap_or_default(),
    }
}

/// Tells what the disk does, and looks at what is written for seals.
fn watch(notes: Arc<Notes>) -> Watch {
    Arc::new(move |what, numbers, bytes| {
        if what == "write"
            && let Err(wrong) = notes.seals.lock().take_in(bytes)
        {
            notes.wrong(|| wrong);
        }
        if !matches!(what, "answer" | "read" | "open" | "list") {
            let text = std::str::from_utf8(bytes).unwrap_or("").trim_end_matches('\0');
            let (task, len) = (sched::task().unwrap_or(0), bytes.len());
            notes.tell(|| {
                format!(
                    "  thread {task}: {what} {numbers:?} {len} {}",
                    if len < 40 { text } else { "" }
                )
            });
        }
    })
}

struct Run {
    plan: Plan,
    clock: SimClock,
    notes: Arc<Notes>,
    history: Arc<Mutex<History>>,
    /// A sync has lied, and no power cut has shown it yet.
    void: bool,
    /// A sync has failed, so that the operating system may show what the disk has, not what was
    /// written.
    bared: bool,
    /// What the end of the last life may have lost.
    left: Loss,
    /// Nothing is left that opens, and nothing has to.
    lost: bool,
}

impl Run {
    fn new(plan: Plan, notes: Arc<Notes>, history: Arc<Mutex<History>>) -> Run {
        Run {
            plan,
            clock: SimClock::new(1_700_000_000_000),
            notes,
            history,
            void: false,
            bared: false,
            left: Loss::Above(Lsn::ZERO),
            lost: false,
        }
    }

    fn tell(&self, line: impl FnOnce() -> String) {
        self.notes.tell(line);
    }

    fn live(mut self) -> Result<(), String> {
        let mut disk = SimStorage::new(self.plan.seed);
        for (number, life) in std::mem::take(&mut self.plan.lives).into_iter().enumerate() {
            self.tell(|| {
                let Life { faults, end, mode, sealed, .. } = &life;
                let key = if *sealed { ", without the key" } else { "" };
                format!("-- life {number}: {mode:?}, {faults:?}, {end:?}{key}")
            });
            for fault in &life.faults {
                fault.plan(&disk);
                self.notes.tally.lock().planned(fault.kind);
                if fault.kind == Kind::Crash {
                    self.notes.tally.lock().planned(Kind::CrashInCheckpoint);
                }
            }
            self.one_life(number as u64, &life, &disk)?;
            if self.lost {
                return Ok(());
            }
            disk = self.end(&life, &disk)?;
        }
        // Whatever went wrong, what is left is whole, and goes on.
        disk.plan(Fault::capacity(u64::MAX));
        match self.left {
            Loss::Anything => Ok(()),
            _ => checker::goes_on(&disk, &self.clock, &self.plan.setup),
        }
    }

    /// Opens, works, and perhaps closes.
    fn one_life(&mut self, number: u64, life: &Life, disk: &SimStorage) -> Result<(), String> {
        let Some(state) = self.open(disk, life.end.dice.is_multiple_of(2))? else { return Ok(()) };
        let world = Arc::new(World {
            setup: self.plan.setup.clone(),
            life: number,
            state,
            disk: disk.clone(),
            clock: self.clock.clone(),
            history: self.history.clone(),
            notes: self.notes.clone(),
            alone: Default::default(),
            writers: life.writers.len(),
            sealed: life.sealed,
        });
        Actor::new(&world, 0).begin(life.mode, life.end.dice);
        let mut writers = Vec::new();
        for (writer, ops) in life.writers.iter().enumerate() {
            let (world, ops) = (world.clone(), ops.clone());
            let body = move || Actor::new(&world, writer).work(&ops);
            writers.push(thread::spawn("writer", body).map_err(|error| error.to_string())?);
        }
        for writer in writers {
            // A panic is the run's failure by itself.
            let _ = writer.join();
        }
        if let Some(wrong) = self.notes.wrong.lock().take() {
            return Err(wrong);
        }
        let world = Arc::into_inner(world).ok_or("a writer still has the state")?;
        if life.end.closed {
            let closed = world.state.close();
            self.tell(|| format!("close -> {closed:?}"));
            match closed {
                Ok(()) => self.history.lock().promise_all(),
                Err(error) if excused(disk, &error) => {}
                Err(error) => return Err(format!("closing fails without a cause: {error:?}")),
            }
        } else {
            self.abandon(world.state, disk);
        }
        let unjudged = {
            let history = self.history.lock();
            checker::check_seen(&history)? + order::check(&history)?
        };
        self.history.lock().unjudged += unjudged;
        Ok(())
    }

    /// The process dies here: what the state does to the disk from now on never happens.
    fn abandon(&mut self, state: State, disk: &SimStorage) {
        let now = sched::now_ns().unwrap_or(0);
        let (written, durable) = checker::buffered_promise(
            &self.history.lock(),
            &self.plan.setup,
            disk.first_trouble_ns().unwrap_or(now),
            // Times out of the plan, whether they were taken or not.
            3_100_000_000 * disk.fired().stalls,
        );
        let mut history = self.history.lock();
        history.promise_durable(durable);
        history.promise_written(written);
        drop(history);
        disk.plan(Fault::crash(0));
        self.notes.tally.lock().planned(Kind::Crash);
        drop(state);
    }

    /// Opens the state on a disk that may do anything; `None` if the process died of that, or if
    /// nothing is left, as may be. What survived is known when a state was opened, and not before:
    /// a try that fails may lose what had survived by luck.
    fn open(&mut self, disk: &SimStorage, looks: bool) -> Result<Option<State>, String> {
        for _ in 0..20 {
            match checker::open(disk, &self.clock, &self.plan.setup) {
                Ok(state) => return self.opened(state, disk, looks),
                Err(error) if self.left == Loss::Anything && error.is_corrupt() => {
                    self.lost = true;
                    return Ok(None);
                }
                Err(error) if !excused(disk, &error) => {
                    return Err(format!("opening fails without a cause: {error:?}"));
                }
                Err(error) => self.tell(|| format!("open: {error:?}")),
            }
            if disk.fired().crashes > 0 {
                self.notes.tally.lock().fired(Kind::CrashInRecovery, 1);
                return Ok(None);
            }
            if disk.fired().failed_syncs > 0 {
                self.note_syncs(disk);
                self.left = self.loss(PowerLoss::KeepAll);
            }
            // Somebody makes room, and tries again.
            disk.plan(Fault::capacity(u64::MAX));
        }
        Err("it never opens".to_owned())
    }

    /// A state was opened: what is in it is what survived, and is promised from now on.
    fn opened(
        &mut self,
        state: State,
        disk: &SimStorage,
        looks: bool,
    ) -> Result<Option<State>, String> {
        let left = disk.crash(PowerLoss::KeepAll);
        let Some(survivors) = self.look_at(&left, PowerLoss::KeepAll, self.left)? else {
            self.lost = true;
            return Ok(None);
        };
        self.left = Loss::Above(survivors.reach);
        let mut history = self.history.lock();
        history.begin_life(survivors);
        self.tell(|| format!("opened: everything up to {}", history.promise.durable));
        // A look closes an LSN; without one the next record gets the LSN of one that was lost.
        if looks {
            checker::check_content(&state, &history.base)
                .map_err(|wrong| format!("the state that was opened is another: {wrong:?}"))?;
        }
        drop(history);
        Ok(Some(state))
    }

    /// Examines what the end of a life may leave; returns what it did leave.
    fn end(&mut self, life: &Life, disk: &SimStorage) -> Result<SimStorage, String> {
        let fired = disk.fired();
        let mut tally = self.notes.tally.lock();
        tally.lived(&fired);
        tally.fired(Kind::NoSpace, fired.failures_no_space);
        tally.fired(Kind::FailedOperation, fired.failures - fired.failures_no_space);
        drop(tally);
        self.note_syncs(disk);
        let mut prng = Prng::new(life.end.dice);
        for style in self.ends(&mut prng) {
            let left = disk.crash(style);
            self.examine(&left, style, &mut prng)?;
        }
        let style = if self.plan.allows_cuts() { life.end.left } else { PowerLoss::KeepAll };
        let left = disk.crash(style);
        self.left = self.loss(style);
        if style != PowerLoss::KeepAll {
            (self.void, self.bared) = (false, false);
            self.history.lock().forget_written();
            self.notes.tally.lock().cut(&left.fired());
        }
        if let Loss::Above(bound) = self.left
            && self.plan.allows(Kind::BitRot)
        {
            self.rot(&left, bound, &mut prng)?;
        }
        Ok(left)
    }

    /// Ends that a life may have had: of each kind one.
    fn ends(&self, prng: &mut Prng) -> Vec<PowerLoss> {
        let random = PowerLoss::Random(prng.next_u64());
        match self.plan.allows_cuts() {
            true => vec![PowerLoss::KeepAll, PowerLoss::DropUnsynced, random],
            false => vec![PowerLoss::KeepAll],
        }
    }

    /// Takes in what syncs did not do although they said so, and what they failed to do.
    fn note_syncs(&mut self, disk: &SimStorage) {
        let fired = disk.fired();
        self.void |= fired.lying_syncs + fired.late_syncs > 0;
        self.bared |= fired.failed_syncs > 0;
        if fired.failed_syncs > 0 {
            self.history.lock().forget_written();
        }
    }

    fn loss(&self, style: PowerLoss) -> Loss {
        let promise = self.history.lock().promise;
        match style {
            // Nobody has opened it since.
            _ if self.left == Loss::Anything => Loss::Anything,
            _ if self.void && self.bared => Loss::Anything,
            PowerLoss::KeepAll => Loss::Above(promise.written),
            _ if self.void => Loss::Anything,
            _ => Loss::Above(promise.durable),
        }
    }

    fn look_at(
        &self,
        left: &SimStorage,
        style: PowerLoss,
        loss: Loss,
    ) -> Result<Option<Survivors>, String> {
        let (clock, setup) = (&self.clock, &self.plan.setup);
        // Nobody else is there to want it.
        let history = self.history.lock();
        let copy = left.snapshot();
        copy.plan(Fault::capacity(u64::MAX));
        checker::examine(&copy, clock, setup, &history, loss)
            .map_err(|wrong| format!("{style:?}: {wrong}"))
    }

    /// Examines one of the ends that a life could have had; sometimes after a crash of recovery.
    fn examine(&self, left: &SimStorage, style: PowerLoss, prng: &mut Prng) -> Result<(), String> {
        let loss = self.loss(style);
        self.look_at(left, style, loss)?;
        if style != PowerLoss::KeepAll {
            self.notes.tally.lock().cut(&left.fired());
        }
        if !prng.one_in(3) || !self.plan.allows(Kind::CrashInRecovery) {
            return Ok(());
        }
        let again = left.snapshot();
        again.plan(Fault::crash(again.op_count() + prng.below(12)));
        self.notes.tally.lock().planned(Kind::CrashInRecovery);
        drop(checker::open(&again, &self.clock, &self.plan.setup));
        self.notes.tally.lock().fired(Kind::CrashInRecovery, again.fired().crashes);
        for style in self.ends(prng) {
            let loss = if style == PowerLoss::KeepAll { loss } else { self.loss(style) };
            let left = again.crash(style);
            self.look_at(&left, style, loss).map_err(|wrong| format!("in recovery, {wrong}"))?;
        }
        Ok(())
    }

    /// Flips bits of what was left and looks at that.
    fn rot(&self, left: &SimStorage, bound: Lsn, prng: &mut Prng) -> Result<(), String> {
        use mmsb::env::Storage;
        let rotten = left.snapshot();
        let Ok(manifest) = Manifest::read(left) else { return Ok(()) };
        let proven = manifest.map_or(Lsn::ZERO, |manifest| manifest.durable);
        let loss = Loss::Rotten { promised: bound, proven: proven.min(bound) };
        let names = rotten.list().map_err(|error| error.to_string())?;
        if names.is_empty() {
            return Ok(());
        }
        let name = &names[prng.below(names.len() as u64) as usize];
        let bytes = rotten.read_file(name).unwrap_or_default();
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        if used == 0 {
            return Ok(());
        }
        for _ in 0..1 + prng.below(2) {
            let (at, mask) = (prng.below(used as u64), 1 << prng.below(8));
            rotten.flip(name, at, mask).map_err(|error| error.to_string())?;
            self.tell(|| format!("rot: {name} at {at}, bits {mask:#x}"));
        }
        self.notes.tally.lock().planned(Kind::BitRot);
        self.notes.tally.lock().fired(Kind::BitRot, 1);
        self.look_at(&rotten, PowerLoss::KeepAll, loss)
            .map(drop)
            .map_err(|wrong| format!("after rot in {name}, {wrong}"))
    }
}
