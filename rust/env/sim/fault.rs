//! What can go wrong, when it does, and how often it did.

use crate::stdx::sched;
use std::io;
use std::time::Duration;

/// One thing that goes wrong at a planned operation.
///
/// Operations are counted from 0 ([`SimStorage::op_count`]), reads by themselves
/// ([`SimStorage::read_count`]). A fault strikes the first operation (or read, if that is what it
/// strikes) numbered `at` or later that it can strike at all, once, or with [`Fault::lasting`] every
/// such operation from there on. A crash goes before any other fault that is due; among others the
/// one planned first does.
///
/// [`SimStorage::op_count`]: super::SimStorage::op_count
/// [`SimStorage::read_count`]: super::SimStorage::read_count
///
/// ```
/// use mmsb::env::sim::{Fault, SimStorage};
/// use mmsb::env::{OpenMode, Storage};
///
/// let disk = SimStorage::new(1);
/// disk.plan(Fault::failing(1, libc::EIO));
/// assert!(disk.open("a", OpenMode::Create).is_ok());
/// let error = disk.open("b", OpenMode::Create).unwrap_err();
/// assert_eq!(error.raw_os_error(), Some(libc::EIO));
/// assert!(disk.open("b", OpenMode::Create).is_ok());
/// assert_eq!(disk.fired().failures, 1);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    at: u64,
    lasting: bool,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Crash,
    Fail(Cause),
    ShortWrite(Cause),
    FailSync,
    LieSync,
    LateSync(u64),
    FailRead(Cause),
    ShortRead(Cause),
    Stall(Duration),
    Capacity(u64),
}

/// Which error an operation fails with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A number of the operating system: `libc::EIO`, `libc::ENOSPC`, …
    Errno(i32),
    /// A kind without a number.
    Kind(io::ErrorKind),
}

impl Cause {
    fn error(self) -> io::Error {
        match self {
            Cause::Errno(code) => io::Error::from_raw_os_error(code),
            Cause::Kind(kind) => kind.into(),
        }
    }
}

impl From<i32> for Cause {
    fn from(code: i32) -> Cause {
        Cause::Errno(code)
    }
}

impl From<io::ErrorKind> for Cause {
    fn from(kind: io::ErrorKind) -> Cause {
        Cause::Kind(kind)
    }
}

impl Fault {
    /// The process dies in operation `at`: that one and every later call, reads included, fail
    /// with the message "simulated crash".
    ///
    /// What the operation had done by then is up to the seed: of a write any number of its bytes,
    /// from none to all, in the cache; a changed name or length or not. A sync had done nothing.
    pub fn crash(at: u64) -> Fault {
        Fault::once(at, What::Crash)
    }

    /// Operation `at` fails with `cause` and does nothing. A sync that fails like that keeps what
    /// it should have made durable for the next one; see [`Fault::failing_sync`] for what real
    /// disks do.
    pub fn failing(at: u64, cause: impl Into<Cause>) -> Fault {
        Fault::once(at, What::Fail(cause.into()))
    }

    /// Some bytes of a write land, from the first on and never all, and the call fails with
    /// `cause`. Strikes writes of at least one byte.
    pub fn short_write(at: u64, cause: impl Into<Cause>) -> Fault {
        Fault::once(at, What::ShortWrite(cause.into()))
    }

    /// A sync fails with `EIO` and forgets what it was to make durable. For a file each change
    /// since the last sync, by the seed, is durable, or stays in the cache only, never to be
    /// written by a later sync, or is gone from there too. Of a directory's changed names some are
    /// durable and the others wait for the next sync.
    pub fn failing_sync(at: u64) -> Fault {
        Fault::once(at, What::FailSync)
    }

    /// A sync, of a file or the directory, returns success and does nothing.
    pub fn lying_sync(at: u64) -> Fault {
        Fault::once(at, What::LieSync)
    }

    /// A sync, of a file or the directory, returns success at once; what it covers is durable only
    /// `operations` operations later.
    pub fn late_sync(at: u64, operations: u64) -> Fault {
        Fault::once(at, What::LateSync(operations))
    }

    /// Read `at` fails with `cause`: of a file's bytes, its length, the names, or an opening.
    pub fn failing_read(at: u64, cause: impl Into<Cause>) -> Fault {
        Fault::once(at, What::FailRead(cause.into()))
    }

    /// Some bytes of a read arrive, from the first on and never all, and the call fails with
    /// `cause`. Strikes reads of at least one byte.
    pub fn short_read(at: u64, cause: impl Into<Cause>) -> Fault {
        Fault::once(at, What::ShortRead(cause.into()))
    }

    /// Operation `at` takes `time` longer, simulated.
    pub fn stall(at: u64, time: Duration) -> Fault {
        Fault::once(at, What::Stall(time))
    }

    /// From now on the disk holds `bytes`, counted as the lengths of all files that have a name or
    /// are open. What would go beyond fails with `ENOSPC` and does nothing; bytes within a file's
    /// length can always be overwritten. `u64::MAX` takes the limit away.
    pub fn capacity(bytes: u64) -> Fault {
        Fault::once(0, What::Capacity(bytes))
    }

    /// The same fault at every operation from there on.
    pub fn lasting(self) -> Fault {
        Fault { lasting: true, ..self }
    }

    fn once(at: u64, what: What) -> Fault {
        Fault { at, lasting: false, what }
    }

    fn strikes(&self, op: OpKind) -> bool {
        match self.what {
            What::Crash | What::Fail(_) => !matches!(op, OpKind::Look | OpKind::Read),
            What::ShortWrite(_) => op == OpKind::Write,
            What::FailSync | What::LieSync | What::LateSync(_) => op == OpKind::Sync,
            What::FailRead(_) => matches!(op, OpKind::Look | OpKind::Read),
            What::ShortRead(_) => op == OpKind::Read,
            What::Stall(_) | What::Capacity(_) => false,
        }
    }
}

/// How often each fault fired: a test that plans one can check that it was not in vain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fired {
    /// Planned crashes, 0 or 1.
    pub crashes: u64,
    /// Operations that failed as planned, doing nothing.
    pub failures: u64,
    /// Those of them that failed for want of space.
    pub failures_no_space: u64,
    /// Writes of which only the first bytes landed.
    pub short_writes: u64,
    /// Syncs that failed and forgot.
    pub failed_syncs: u64,
    /// Syncs that did nothing and returned success.
    pub lying_syncs: u64,
    /// Syncs that returned success before anything was durable.
    pub late_syncs: u64,
    /// Reads that failed as planned.
    pub failed_reads: u64,
    /// Reads of which only the first bytes arrived.
    pub short_reads: u64,
    /// Operations that took longer.
    pub stalls: u64,
    /// Operations refused because the disk was full.
    pub no_space: u64,
    /// Bytes whose bits were flipped at rest.
    pub flips: u64,
    /// Unsynced writes and lengths that the power loss before this disk's life kept.
    pub changes_kept: u64,
    /// Unsynced writes and lengths that the power loss dropped.
    pub changes_dropped: u64,
    /// Unsynced writes and lengths that it kept although it took earlier ones of the same file.
    pub changes_reordered: u64,
    /// Unsynced writes of which the power loss kept some sectors.
    pub writes_torn: u64,
    /// Unsynced creations, renames and removals that the power loss kept.
    pub names_kept: u64,
    /// Unsynced creations, renames and removals that the power loss dropped.
    pub names_dropped: u64,
}

/// What faults tell operations apart by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OpKind {
    /// A write of at least one byte.
    Write,
    /// A sync of a file or of the directory.
    Sync,
    /// A read of at least one byte.
    Read,
    /// Any other question: an opening, a length, the names.
    Look,
    /// Anything else that is counted.
    Other,
}

/// What is to happen with an operation.
#[derive(Debug)]
pub(super) enum Verdict {
    /// As it should.
    Pass,
    /// It fails, doing nothing.
    Fail(io::Error),
    /// It fails after its first bytes.
    Short(io::Error),
    /// It fails and forgets.
    FailSync,
    /// It succeeds, doing nothing.
    LieSync,
    /// It succeeds, and does what it should after so many more operations.
    LateSync(u64),
    /// Everything ends in the middle of it.
    Crash,
}

/// The faults to come, and the count of those that were.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    plan: Vec<Fault>,
    ops: u64,
    reads: u64,
    crashed: bool,
    /// The simulated thread in whose operation that was.
    pub(super) crashed_in: Option<usize>,
    /// Simulated time when an operation first failed as planned.
    pub(super) first_trouble_ns: Option<u64>,
    pub(super) fired: Fired,
}

impl Faults {
    /// Plans `fault`; returns the disk's new capacity if that is what it says.
    pub(super) fn plan(&mut self, fault: Fault) -> Option<u64> {
        if let What::Capacity(bytes) = fault.what {
            return Some(bytes);
        }
        self.plan.push(fault);
        None
    }

    pub(super) fn op_count(&self) -> u64 {
        self.ops
    }

    pub(super) fn read_count(&self) -> u64 {
        self.reads
    }

    /// Fails after a crash.
    pub(super) fn check_alive(&self) -> io::Result<()> {
        if self.crashed { Err(crash_error()) } else { Ok(()) }
    }

    /// Counts an operation and says what happens with it.
    pub(super) fn admit(&mut self, op: OpKind) -> Verdict {
        let count = match op {
            OpKind::Look | OpKind::Read => &mut self.reads,
            _ => &mut self.ops,
        };
        let number = *count;
        *count += 1;
        let Some(index) = self.due(number, op) else { return Verdict::Pass };
        let what = self.plan[index].what;
        if !self.plan[index].lasting {
            self.plan.remove(index);
        }
        self.fire(what)
    }

    /// How much longer the next operation takes.
    pub(super) fn stall(&mut self) -> Option<Duration> {
        let due = |fault: &Fault| match fault.what {
            What::Stall(time) if fault.at <= self.ops => Some((time, fault.lasting)),
            _ => None,
        };
        let (index, (time, lasting)) =
            self.plan.iter().enumerate().find_map(|(at, fault)| Some((at, due(fault)?)))?;
        if !lasting {
            self.plan.remove(index);
        }
        self.fired.stalls += 1;
        Some(time)
    }

    /// The fault that strikes operation `number`: a crash, or else the one planned first.
    fn due(&self, number: u64, op: OpKind) -> Option<usize> {
        let is_due = |fault: &&Fault| fault.at <= number && fault.strikes(op);
        let crash = self.plan.iter().position(|f| f.what == What::Crash && is_due(&f));
        crash.or_else(|| self.plan.iter().position(|f| is_due(&f)))
    }

    fn fire(&mut self, what: What) -> Verdict {
        let (counter, verdict) = match what {
            What::Crash => (&mut self.fired.crashes, Verdict::Crash),
            What::Fail(cause) => (&mut self.fired.failures, Verdict::Fail(cause.error())),
            What::ShortWrite(cause) => {
                (&mut self.fired.short_writes, Verdict::Short(cause.error()))
            }
            What::FailSync => (&mut self.fired.failed_syncs, Verdict::FailSync),
            What::LieSync => (&mut self.fired.lying_syncs, Verdict::LieSync),
            What::LateSync(ops) => (&mut self.fired.late_syncs, Verdict::LateSync(ops)),
            What::FailRead(cause) => (&mut self.fired.failed_reads, Verdict::Fail(cause.error())),
            What::ShortRead(cause) => (&mut self.fired.short_reads, Verdict::Short(cause.error())),
            // These strike no operation: `stall` asks for the one, `plan` hands the other on.
            What::Stall(_) | What::Capacity(_) => return Verdict::Pass,
        };
        *counter += 1;
        if let Verdict::Fail(error) = &verdict
            && error.kind() == io::ErrorKind::StorageFull
        {
            self.fired.failures_no_space += 1;
        }
        if what == What::Crash {
            (self.crashed, self.crashed_in) = (true, sched::task());
        }
        let harmless = matches!(verdict, Verdict::LieSync | Verdict::LateSync(_));
        let read = matches!(what, What::FailRead(_) | What::ShortRead(_));
        if !harmless && !read {
            self.first_trouble_ns = self.first_trouble_ns.or(sched::now_ns());
        }
        verdict
    }
}

/// What every call of a crashed process's storage returns.
pub(super) fn crash_error() -> io::Error {
    io::Error::other("simulated crash")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(plan: impl IntoIterator<Item = Fault>) -> Faults {
        let mut faults = Faults::default();
        for fault in plan {
            assert_eq!(faults.plan(fault), None);
        }
        faults
    }

    /// The numbers of the operations, of `ops`, that do not pass.
    fn struck(faults: &mut Faults, ops: &[OpKind]) -> Vec<usize> {
        let passes = |op: &OpKind| matches!(faults.admit(*op), Verdict::Pass);
        let passed: Vec<bool> = ops.iter().map(passes).collect();
        (0..ops.len()).filter(|&i| !passed[i]).collect()
    }

    #[test]
    fn a_fault_waits_for_an_operation_that_it_can_strike() {
        use OpKind::*;
        let ops = [Sync, Other, Write, Other, Sync, Write, Sync];
        let cases = [
            (Fault::failing(3, libc::EIO), vec![3]),
            (Fault::short_write(3, libc::EIO), vec![5]),
            (Fault::failing_sync(1), vec![4]),
            (Fault::lying_sync(0), vec![0]),
            (Fault::lying_sync(0).lasting(), vec![0, 4, 6]),
            (Fault::failing(5, libc::EIO).lasting(), vec![5, 6]),
            (Fault::late_sync(1, 9), vec![4]),
            (Fault::failing_read(0, libc::EIO).lasting(), vec![]),
            (Fault::stall(0, Duration::from_secs(1)), vec![]),
            (Fault::crash(2), vec![2]),
            (Fault::failing(7, libc::EIO), vec![]),
        ];
        for (fault, expected) in cases {
            assert_eq!(struck(&mut faults([fault.clone()]), &ops), expected, "{fault:?}");
        }
    }

    #[test]
    fn a_crash_goes_first_and_others_in_order() {
        let all = [Fault::failing(0, libc::EIO).lasting(), Fault::failing_sync(0), Fault::crash(1)];
        let mut faults = faults(all);
        assert!(matches!(faults.admit(OpKind::Sync), Verdict::Fail(_)));
        assert!(faults.check_alive().is_ok());
        assert!(matches!(faults.admit(OpKind::Sync), Verdict::Crash));
        assert!(faults.check_alive().is_err());
        let expected = Fired { crashes: 1, failures: 1, ..Fired::default() };
        assert_eq!(faults.fired, expected);
    }

    #[test]
    fn reads_are_counted_by_themselves() {
        use OpKind::*;
        let ops = [Look, Write, Read, Look, Sync, Read];
        let cases = [
            (Fault::failing_read(1, libc::EIO), vec![2]),
            (Fault::short_read(0, libc::EIO), vec![2]),
            (Fault::short_read(2, libc::EIO), vec![5]),
            (Fault::failing(1, libc::EIO), vec![4]),
            (Fault::crash(0), vec![1]),
        ];
        for (fault, expected) in cases {
            let mut faults = faults([fault.clone()]);
            assert_eq!(struck(&mut faults, &ops), expected, "{fault:?}");
            assert_eq!((faults.op_count(), faults.read_count()), (2, 4));
        }
    }

    #[test]
    fn a_stall_takes_the_next_operation() {
        let time = Duration::from_secs(3);
        let mut faults = faults([Fault::stall(1, time)]);
        assert_eq!(faults.stall(), None);
        assert!(matches!(faults.admit(OpKind::Write), Verdict::Pass));
        assert_eq!((faults.stall(), faults.stall()), (Some(time), None));
        assert_eq!(faults.fired.stalls, 1);
    }

    #[test]
    fn causes_become_errors() {
        assert_eq!(Cause::from(libc::ENOSPC).error().kind(), io::ErrorKind::StorageFull);
        assert_eq!(Cause::from(libc::ENOSPC).error().raw_os_error(), Some(libc::ENOSPC));
        let kind = io::ErrorKind::TimedOut;
        assert_eq!(Cause::from(kind).error().kind(), kind);
    }
}
