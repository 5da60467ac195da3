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

/// Rounds without a record after which the flusher sleeps.
const IDLE_ROUNDS: u32 = 100;

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
}

/// How long no record will have waited for `every` yet. Whoever flushes, flushes for all: on a busy
/// machine this thread takes the processor from a writer.
fn until_due(log: &Log, every: Duration) -> Duration {
    let since = log.wall.monotonic_ns().saturating_sub(log.flushed_at.load(Ordering::Relaxed));
    every.saturating_sub(Duration::from_nanos(since))
}

/// Errors poison the log where they arise; the threads go on to be told to stop.
fn flush_loop(log: &Log, every: Duration) {
    let mut idle = 0;
    let mut signals = log.wake.signals.lock();
    while !signals.stop {
        let hurried = std::mem::take(&mut signals.hurry);
        if hurried {
            idle = 0;
        } else if idle < IDLE_ROUNDS {
            log.wake.flusher.wait_for(&mut signals, until_due(log, every));
        } else {
            log.clock.asleep.store(1, Ordering::SeqCst);
            log.clock.barrier();
            if log.is_pending() {
                log.clock.asleep.store(0, Ordering::SeqCst);
            } else {
                log.wake.flusher.wait(&mut signals);
            }
            idle = 0;
        }
        if signals.stop {
            break;
        }
        drop(signals);
        let before = log.written();
        let due = hurried || until_due(log, every).is_zero();
        // Also of a poisoned log: it says when the next one is due.
        let flushed = due && log.flush().is_ok();
        let wrote = flushed && log.written() != before;
        idle = if wrote || !due { 0 } else { idle + 1 };
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
