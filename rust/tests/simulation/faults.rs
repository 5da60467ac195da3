//! What can go wrong in a run: each kind with a name, a count, and what it may cost.

use mmsb::env::sim::{Fault, Fired, SimStorage};
use mmsb::stdx::prng::Prng;
use std::time::Duration;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal;)+) => {
        /// A kind of fault.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Kind { $($(#[doc = $doc])+ $kind,)+ }

        impl Kind {
            pub const ALL: &[Kind] = &[$(Kind::$kind,)+];

            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)+ }
            }
        }
    };
}

kinds! {
    /// The process dies in the middle of an operation of the disk.
    Crash = "crash";
    /// It dies while it opens a state.
    CrashInRecovery = "crash-in-recovery";
    /// It dies while it makes a checkpoint.
    CrashInCheckpoint = "crash-in-checkpoint";
    /// The power is cut.
    PowerCut = "power-cut";
    /// An unsynced write or length did not survive a power cut.
    LostWrite = "lost-write";
    /// Some sectors of an unsynced write survived.
    TornWrite = "torn-write";
    /// An unsynced write survived although one before it did not.
    ReorderedWrite = "reordered-write";
    /// A created, renamed or removed name that was not synced did not survive.
    LostName = "lost-name";
    /// An operation fails with EIO and does nothing.
    FailedOperation = "failed-operation";
    /// An operation fails with ENOSPC and does nothing, on a disk that is not full.
    NoSpace = "no-space";
    /// The disk is full: nothing can grow.
    FullDisk = "full-disk";
    /// Some bytes of a write land, and it fails.
    ShortWrite = "short-write";
    /// A sync fails, and what it was to make durable is in any state, for good.
    FailedSync = "failed-sync";
    /// A sync returns success and does nothing.
    LyingSync = "lying-sync";
    /// A sync returns success and does its work later.
    LateSync = "late-sync";
    /// A read fails with EIO.
    FailedRead = "failed-read";
    /// Some bytes of a read arrive, and it fails.
    ShortRead = "short-read";
    /// Bits of a stored byte flip while nobody has the state open.
    BitRot = "bit-rot";
    /// An operation takes seconds.
    Stall = "stall";
    /// The wall clock is set back or forward.
    ClockStep = "clock-step";
}

impl Kind {
    /// Those that a run plans by number of operation; the others come with how lives end, with
    /// what happens then, or with the workload.
    const DISK: &[Kind] = &[
        Kind::Crash,
        Kind::FailedOperation,
        Kind::NoSpace,
        Kind::FullDisk,
        Kind::ShortWrite,
        Kind::FailedSync,
        Kind::LyingSync,
        Kind::LateSync,
        Kind::FailedRead,
        Kind::ShortRead,
        Kind::Stall,
    ];

    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// One fault of a life's plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Planned {
    pub kind: Kind,
    /// Operations (or reads, or bytes for a full disk) from the life's beginning.
    pub after: u64,
    /// How many, how long.
    pub amount: u64,
}

impl Planned {
    /// The faults of one life, out of those that are `allowed`.
    pub fn draw(prng: &mut Prng, allowed: &[Kind]) -> Vec<Planned> {
        let mut drawn = Vec::new();
        for &kind in Kind::DISK.iter().filter(|kind| allowed.contains(kind)) {
            if prng.coin() {
                // As often among the first few as among the next hundreds.
                let after = match kind {
                    Kind::FullDisk => prng.below(400 << 10),
                    _ => prng.scaled(10),
                };
                drawn.push(Planned { kind, after, amount: 1 + prng.below(30) });
            }
        }
        drawn
    }

    /// Plans it from now on.
    pub fn plan(self, disk: &SimStorage) {
        let (op, read) = (disk.op_count() + self.after, disk.read_count() + self.after);
        disk.plan(match self.kind {
            Kind::Crash => Fault::crash(op),
            Kind::FailedOperation => Fault::failing(op, libc::EIO),
            Kind::NoSpace => Fault::failing(op, libc::ENOSPC),
            Kind::FullDisk => Fault::capacity((64 << 10) + self.after),
            Kind::ShortWrite => Fault::short_write(op, libc::EIO),
            Kind::FailedSync => Fault::failing_sync(op),
            Kind::LyingSync => Fault::lying_sync(op),
            Kind::LateSync => Fault::late_sync(op, self.amount),
            Kind::FailedRead => Fault::failing_read(read, libc::EIO),
            Kind::ShortRead => Fault::short_read(read, libc::EIO),
            Kind::Stall => Fault::stall(op, self.stall()),
            _ => return,
        });
    }

    /// How much longer a stalled operation takes.
    pub fn stall(self) -> Duration {
        Duration::from_millis(100 * self.amount)
    }
}

/// How often something was planned, fired, and was survived: a run in which it fired passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    pub planned: u64,
    pub fired: u64,
    pub survived: u64,
}

/// The counts of all kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tally([Count; Kind::ALL.len()]);

impl Default for Tally {
    fn default() -> Tally {
        Tally([Count::default(); Kind::ALL.len()])
    }
}

impl Tally {
    pub fn of(&self, kind: Kind) -> Count {
        self.0[kind as usize]
    }

    pub fn planned(&mut self, kind: Kind) {
        self.0[kind as usize].planned += 1;
    }

    pub fn fired(&mut self, kind: Kind, times: u64) {
        self.0[kind as usize].fired += times;
    }

    /// What a power cut, for which they all were planned, did.
    pub fn cut(&mut self, left: &Fired) {
        self.planned(Kind::PowerCut);
        self.fired(Kind::PowerCut, 1);
        let effects = [
            (Kind::LostWrite, left.changes_dropped),
            (Kind::TornWrite, left.writes_torn),
            (Kind::ReorderedWrite, left.changes_reordered),
            (Kind::LostName, left.names_dropped),
        ];
        for (kind, times) in effects {
            self.planned(kind);
            self.fired(kind, times);
        }
    }

    /// What a disk did in its life.
    pub fn lived(&mut self, fired: &Fired) {
        let counts = [
            (Kind::Crash, fired.crashes),
            (Kind::FullDisk, fired.no_space),
            (Kind::ShortWrite, fired.short_writes),
            (Kind::FailedSync, fired.failed_syncs),
            (Kind::LyingSync, fired.lying_syncs),
            (Kind::LateSync, fired.late_syncs),
            (Kind::FailedRead, fired.failed_reads),
            (Kind::ShortRead, fired.short_reads),
            (Kind::Stall, fired.stalls),
        ];
        counts.into_iter().for_each(|(kind, times)| self.fired(kind, times));
    }

    /// The run passed: what fired in it was survived.
    pub fn survive(&mut self) {
        self.0.iter_mut().for_each(|count| count.survived = count.fired.min(1));
    }

    pub fn add(&mut self, other: &Tally) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            count.planned += more.planned;
            count.fired += more.fired;
            count.survived += more.survived;
        }
    }

    /// All counts, for [`from_numbers`](Self::from_numbers).
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.0.into_iter().flat_map(|count| [count.planned, count.fired, count.survived])
    }

    /// `None` if there are too few.
    pub fn from_numbers(mut numbers: impl Iterator<Item = u64>) -> Option<Tally> {
        let mut tally = Tally::default();
        for count in &mut tally.0 {
            let (planned, fired) = (numbers.next()?, numbers.next()?);
            *count = Count { planned, fired, survived: numbers.next()? };
        }
        Some(tally)
    }

    /// The table that the runner prints.
    pub fn table(&self) -> String {
        let mut table =
            format!("{:<22}{:>12}{:>12}{:>12}\n", "fault", "planned", "fired", "survived");
        for &kind in Kind::ALL {
            let Count { planned, fired, survived } = self.of(kind);
            table += &format!("{:<22}{planned:>12}{fired:>12}{survived:>12}\n", kind.name());
        }
        table
    }
}
