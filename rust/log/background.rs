//! The threads of a `buffered` log: one hands lanes to the operating system, one syncs, so that a
//! slow sync never holds up a flush, and one makes the checkpoints that the log's growth asks for,
//! so that no update ever waits for one.
//!
//! An idle log costs nothing: after a while without records the flusher sleeps until a writer finds
//! [`Clock::asleep`](super::clock::Clock::asleep) set. The flusher sets the flag and then looks for
//! busy lanes, a writer enters its lane and then looks at the flag, with a barrier between the two
//! on both sides ([`Clock::barrier`](super::clock::Clock::barrier)), so one of them sees the other.

use super::Log;
use crate::stdx::canary::{Canary, sings};
use crate::stdx::sync::{Condvar, Mutex};
use crate::stdx::thread::{self, JoinHandle};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Looks without a record after which the flusher sleeps.
const IDLE_LOOKS: u32 = 200;

#[derive(Default)]
struct Signals {
    stop: bool,
    unsynced: bool,
    /// Writers wait for room: flush at once.
    hurry: bool,
    /// Writers wait for a sync, or soon will: sync at once.
    hurry_sync: bool,
    /// A checkpoint is due.
    due: bool,
}

/// What makes a checkpoint.
pub type Checkpoint = Box<dyn Fn() + Send>;

/// Where the threads wait.
#[derive(Default)]
pub struct Wake {
    signals: Mutex<Signals>,
    flusher: Condvar,
    syncer: Condvar,
    checkpointer: Condvar,
    running: AtomicBool,
}

impl Wake {
    /// Whether there is a flusher.
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Has the flusher flush at once.
    pub fn hurry(&self) {
        self.signals.lock().hurry = true;
        self.flusher.notify_all();
    }

    /// Has the syncer sync at once.
    pub fn hurry_sync(&self) {
        let mut signals = self.signals.lock();
        (signals.unsynced, signals.hurry_sync) = (true, true);
        self.syncer.notify_all();
    }
}

/// The running threads; stops and joins them on drop.
pub struct Background {
    log: Arc<Log>,
    threads: Vec<JoinHandle>,
}

impl Background {
    /// Starts the threads of `log`; the last one if there is a way to make checkpoints.
    pub fn start(
        log: &Arc<Log>,
        flush_every: Duration,
        sync_every: Duration,
        checkpoint: Option<Checkpoint>,
    ) -> io::Result<Background> {
        let mut background = Background { log: log.clone(), threads: Vec::new() };
        *log.wake.signals.lock() = Signals::default();
        log.wake.running.store(true, Ordering::Release);
        background.spawn("mmsb-flush", move |log| flush_loop(log, flush_every))?;
        background.spawn("mmsb-sync", move |log| sync_loop(log, sync_every))?;
        if let Some(checkpoint) = checkpoint {
            background.spawn("mmsb-checkpoint", move |log| checkpoint_loop(log, &checkpoint))?;
        }
        Ok(background)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce(&Log) + Send + 'static) -> io::Result<()> {
        let log = self.log.clone();
        let body = move || {
            if catch_unwind(AssertUnwindSafe(|| run(&log))).is_err() {
                log.poison("a background thread panicked");
            }
        };
        self.threads.push(thread::spawn(name, body)?);
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.log.wake.signals.lock().stop = true;
        self.log.wake.flusher.notify_all();
        self.log.wake.syncer.notify_all();
        self.log.wake.checkpointer.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        self.log.wake.running.store(false, Ordering::Release);
        self.log.wake_waiting();
        self.log.clock.asleep.store(0, Ordering::SeqCst);
    }
}

impl Log {
    #[cold]
    pub(super) fn wake_flusher(&self) {
        // Under the lock, so that the flusher is either before its last look or already waiting.
        let _signals = self.wake.signals.lock();
        self.clock.asleep.store(0, Ordering::SeqCst);
        self.wake.flusher.notify_all();
    }

    /// Whether something waits to be written. What a poisoned log has is never written.
    fn has_to_flush(&self) -> bool {
        self.is_pending() && self.check().is_ok()
    }
}

/// When the flusher flushes: when something may have waited for `every`, and not much before. On a busy
/// machine it takes the processor from a writer, and a burst is written at once when it is over.
struct Pace {
    every: u64,
    /// When nothing was seen to wait, monotonic nanoseconds.
    seen_clean: u64,
}

impl Pace {
    fn new(log: &Log, every: Duration) -> Self {
        Pace { every: every.as_nanos() as u64, seen_clean: log.wall.monotonic_ns() }
    }

    /// What waits has not waited for longer. Whoever flushes, flushes for all.
    fn waited_max(&self, log: &Log, now: u64) -> u64 {
        now.saturating_sub(self.seen_clean.max(log.flushed_at.load(Ordering::Relaxed)))
    }

    /// How long until the next look: twice in `every` it is seen whether anything waits.
    fn until_look(&self, log: &Log) -> Duration {
        let waited = self.waited_max(log, log.wall.monotonic_ns());
        Duration::from_nanos(self.every.saturating_sub(waited).min(self.every / 2))
    }

    /// Looks whether something waits, and whether it is time to flush.
    fn look(&mut self, log: &Log) -> (bool, bool) {
        let now = log.wall.monotonic_ns();
        let waits = log.has_to_flush();
        if !waits {
            self.seen_clean = now;
        }
        (waits, waits && self.waited_max(log, now) >= self.every)
    }
}

/// Errors poison the log where they arise; the threads go on to be told to stop.
fn flush_loop(log: &Log, every: Duration) {
    let mut pace = Pace::new(log, every);
    let mut idle = 0;
    let mut signals = log.wake.signals.lock();
    while !signals.stop {
        let hurried = std::mem::take(&mut signals.hurry);
        if hurried {
            idle = 0;
        } else if idle < IDLE_LOOKS {
            log.wake.flusher.wait_for(&mut signals, pace.until_look(log));
        } else {
            log.clock.asleep.store(1, Ordering::SeqCst);
            log.clock.barrier();
            if log.has_to_flush() {
                log.clock.asleep.store(0, Ordering::SeqCst);
            } else {
                log.wake.flusher.wait(&mut signals);
            }
            pace = Pace::new(log, every);
            idle = 0;
        }
        if signals.stop {
            break;
        }
        drop(signals);
        let before = log.written();
        let (waits, due) = pace.look(log);
        let wrote = (due || hurried) && log.flush().is_ok() && log.written() != before;
        idle = if waits { 0 } else { idle + 1 };
        log.stock_up();
        if hurried {
            // Also if there was nothing to write: then waiting for it is in vain.
            log.wake_waiting();
        }
        signals = log.wake.signals.lock();
        // Whoever wrote it: others flush, too.
        if !signals.unsynced && log.written() > log.durable() && !sings(Canary::ForgottenWindow) {
            signals.unsynced = true;
            log.wake.syncer.notify_one();
        }
        // Early enough that no writer waits if the medium keeps up.
        if !signals.hurry_sync && log.unsynced() > log.options.unsynced_bytes_max() / 2 {
            signals.hurry_sync = true;
            log.wake.syncer.notify_one();
        }
        if wrote && log.take_checkpoint_due() {
            signals.due = true;
            log.wake.checkpointer.notify_one();
        }
    }
}

fn sync_loop(log: &Log, every: Duration) {
    let mut signals = log.wake.signals.lock();
    while !signals.stop {
        if !signals.unsynced {
            log.wake.syncer.wait(&mut signals);
            continue;
        }
        if !signals.hurry_sync {
            // Woken early only to hurry, or to stop.
            log.wake.syncer.wait_for(&mut signals, every);
        }
        if signals.stop {
            break;
        }
        (signals.unsynced, signals.hurry_sync) = (false, false);
        drop(signals);
        let _ = log.check().and_then(|()| log.sync().map(drop));
        signals = log.wake.signals.lock();
    }
}

/// What goes wrong is told to whoever asks for a checkpoint; the log only grows longer.
fn checkpoint_loop(log: &Log, checkpoint: &Checkpoint) {
    let mut signals = log.wake.signals.lock();
    while !signals.stop {
        if !std::mem::take(&mut signals.due) {
            log.wake.checkpointer.wait(&mut signals);
            continue;
        }
        drop(signals);
        checkpoint();
        signals = log.wake.signals.lock();
    }
}
