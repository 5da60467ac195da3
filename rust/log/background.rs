//! The two threads of a `buffered` log: one hands lanes to the operating system, one syncs, so
//! that a slow sync never holds up a flush.
//!
//! An idle log costs nothing: after a while without records the flusher sleeps until a writer finds
//! [`Clock::asleep`](super::clock::Clock::asleep) set. The flusher sets the flag and then looks for
//! busy lanes, a writer enters its lane and then looks at the flag, with a barrier between the two
//! on both sides ([`Clock::barrier`](super::clock::Clock::barrier)), so one of them sees the other.

use super::Log;
use crate::stdx::sync::{Condvar, Mutex};
use crate::stdx::thread::{self, JoinHandle};
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
}

/// Where the two threads wait.
#[derive(Default)]
pub struct Wake {
    signals: Mutex<Signals>,
    flusher: Condvar,
    syncer: Condvar,
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
}

/// The running threads; stops and joins them on drop.
pub struct Background {
    log: Arc<Log>,
    threads: Vec<JoinHandle>,
}

impl Background {
    /// Starts the threads of `log`.
    pub fn start(
        log: &Arc<Log>,
        flush_every: Duration,
        sync_every: Duration,
    ) -> std::io::Result<Background> {
        let mut background = Background { log: log.clone(), threads: Vec::new() };
        log.wake.signals.lock().stop = false;
        log.wake.running.store(true, Ordering::Release);
        type Run = fn(&Log, Duration);
        let threads: [(&str, Run, Duration); 2] =
            [("mmsb-flush", flush_loop, flush_every), ("mmsb-sync", sync_loop, sync_every)];
        for (name, run, every) in threads {
            let log = log.clone();
            let body = move || {
                let caught =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&log, every)));
                if caught.is_err() {
                    log.poison("a background thread panicked");
                }
            };
            background.threads.push(thread::spawn(name, body)?);
        }
        Ok(background)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.log.wake.signals.lock().stop = true;
        self.log.wake.flusher.notify_all();
        self.log.wake.syncer.notify_all();
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

/// Errors poison the log where they arise; the threads go on to be told to stop.
fn flush_loop(log: &Log, every: Duration) {
    let mut idle = 0;
    let mut signals = log.wake.signals.lock();
    while !signals.stop {
        if std::mem::take(&mut signals.hurry) {
            idle = 0;
        } else if idle < IDLE_ROUNDS {
            log.wake.flusher.wait_for(&mut signals, every);
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
        let flushed = log.check().and_then(|()| log.flush());
        let wrote = flushed.is_ok() && log.written() != before;
        idle = if wrote { 0 } else { idle + 1 };
        signals = log.wake.signals.lock();
        if wrote && !signals.unsynced {
            signals.unsynced = true;
            log.wake.syncer.notify_one();
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
        // Woken early only to stop.
        log.wake.syncer.wait_for(&mut signals, every);
        if signals.stop {
            break;
        }
        signals.unsynced = false;
        drop(signals);
        let _ = log.check().and_then(|()| log.sync().map(drop));
        signals = log.wake.signals.lock();
    }
}
