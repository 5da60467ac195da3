//! Threads that take turns: a run of the whole engine as a function of a seed.
//!
//! ```text
//!   run(settings, body)          body is the first simulated thread; thread::spawn makes more
//!     |
//!     |__ thread A  ====|             |=====        one turn; everybody else is parked
//!     |__ thread B      |====|    |===|             a bar is a point, the seed says who is next
//!     |__ thread C           |====|
//! ```
//!
//! A *simulated* thread is a thread of the operating system that runs only while it has the turn,
//! and may lose it at *points* alone: where it takes a lock, waits, starts or joins a thread, asks
//! for the time or for randomness, or calls a simulated disk. `stdx::sync`, `stdx::lock`,
//! `stdx::thread` and `env` have these points; on a thread that is not simulated they cost one
//! load of a thread's own flag, and stand in slow paths only.
//!
//! Time is simulated: a turn takes some hundred nanoseconds, and when everybody sleeps or waits,
//! time jumps to the first deadline. When nobody can ever go on, or after too many turns or too
//! much time, the run fails and says who waits where; its threads stay parked for good, since
//! nothing can unwind them.
//!
//! The same settings and the same body give the same run: the same choices, times, thread numbers
//! and randomness, and so the same [`Outcome::trace`], if the body takes nothing else from outside.
//!
//! What it does not do: it takes nobody's turn between two points, so what happens between plain
//! atomic accesses is left to `loom`; and weak memory orders are not simulated.

use super::crc::crc32c;
use super::prng::{Prng, mix};
use super::thread::{lend_index, take_back_index};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

/// Most nanoseconds of simulated time that one turn takes.
const TURN_NS_MAX: u64 = 1_000;
/// Stack of a simulated thread, bytes.
const STACK_BYTES: usize = 1 << 20;

/// Told everything that is [`note`]d, by the thread that does so, which has the turn.
pub type Watch = Arc<dyn Fn(&str, &[u64], &[u8]) + Send + Sync>;

/// What decides a run, and what ends one that does not end by itself.
#[derive(Clone)]
pub struct Settings {
    /// Who is next, how long turns take, and what random bytes are.
    pub seed: u64,
    /// The run fails after this many turns.
    pub turns_max: u64,
    /// The run fails after this much simulated time.
    pub time_max: Duration,
    /// For who wants to see what happens. Changes nothing of it.
    pub watch: Option<Watch>,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome<T> {
    /// What the body returned; or the first panic of any simulated thread, or who waited where
    /// when nobody could go on.
    pub result: Result<T, String>,
    /// A digest of every choice that was made and of everything that was [`note`]d, in order.
    pub trace: u64,
    /// Turns taken.
    pub turns: u64,
    /// Simulated time that passed.
    pub time: Duration,
}

thread_local! {
    static SIMULATED: Cell<bool> = const { Cell::new(false) };
    static SEAT: RefCell<Option<(Arc<World>, usize)>> = const { RefCell::new(None) };
}

/// Whether the calling thread is simulated.
#[inline]
pub fn is_simulated() -> bool {
    SIMULATED.get()
}

/// Runs `body` and the threads that it starts in turns, until all have ended.
///
/// Not to be called from a simulated thread.
pub fn run<T: Send + 'static>(
    settings: Settings,
    body: impl FnOnce() -> T + Send + 'static,
) -> Outcome<T> {
    keep_panics();
    let world = Arc::new(World::new(settings));
    let returned = Arc::new(Mutex::new(None));
    let slot = returned.clone();
    let begun = world.spawn("main", Box::new(move || *slot.lock() = Some(body())));
    let first = world.schedule.lock();
    let mut ended = match begun {
        Ok(main) => {
            first.tasks[main].seat.give_turn();
            first
        }
        Err(error) => {
            let mut none = first;
            none.fail(format!("the first thread does not start: {error}"));
            none
        }
    };
    while !ended.ended {
        world.end.wait(&mut ended);
    }
    let result = match ended.failure.take() {
        Some(failure) => Err(failure),
        None => returned.lock().take().ok_or_else(|| "the body did not return".to_owned()),
    };
    let time = Duration::from_nanos(ended.now_ns);
    Outcome { result, trace: ended.trace, turns: ended.turns, time }
}

/// A place where the calling thread may lose its turn, if it is simulated.
pub fn point() {
    with_seat(|world, me| world.pass(me, Wait::Turn));
}

/// Lets simulated time pass. Returns at once on a thread that is not simulated.
pub fn sleep(time: Duration) {
    with_seat(|world, me| {
        let schedule = world.schedule.lock();
        let until = schedule.now_ns.saturating_add(nanos(time));
        world.hand_over(schedule, me, Wait::Sleep(until));
    });
}

/// Simulated time since the run began, nanoseconds; `None` on a thread that is not simulated.
pub fn now_ns() -> Option<u64> {
    with_seat(|world, _| world.schedule.lock().now_ns)
}

/// The calling thread's place among all threads of its run, from 0 in the order in which they were
/// started; `None` on a thread that is not simulated.
pub fn task() -> Option<usize> {
    with_seat(|_, me| me)
}

/// Fills `buf` by the seed; `false`, and nothing done, on a thread that is not simulated.
pub fn random(buf: &mut [u8]) -> bool {
    let filled = with_seat(|world, _| {
        let mut schedule = world.schedule.lock();
        buf.chunks_mut(8).for_each(|chunk| {
            let word = schedule.prng.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        });
    });
    filled.is_some()
}

/// Makes what happened part of the run's trace.
pub fn note(what: &str, numbers: &[u64], bytes: &[u8]) {
    with_seat(|world, _| {
        if let Some(watch) = &world.settings.watch {
            watch(what, numbers, bytes);
        }
        let mut schedule = world.schedule.lock();
        schedule.trace(u64::from(crc32c(what.as_bytes())));
        numbers.iter().for_each(|&number| schedule.trace(number));
        schedule.trace(u64::from(crc32c(bytes)) << 32 | bytes.len() as u64);
    });
}

/// One more try of something that another thread holds; the first one of its kind in a row or not.
/// The next try comes after somebody else did something.
#[track_caller]
pub(super) fn try_again(first: bool) {
    let place = Location::caller();
    with_seat(|world, me| {
        let mut schedule = world.schedule.lock();
        if first {
            schedule.progress += 1;
        }
        let seen = schedule.progress;
        world.hand_over(schedule, me, Wait::Spin { seen, place });
    });
}

/// Waits, on behalf of `place`, until `condvar` is notified or the time is over.
pub(super) fn wait_for_notice(
    condvar: usize,
    timeout: Option<Duration>,
    place: &'static Location<'static>,
) {
    with_seat(|world, me| {
        let schedule = world.schedule.lock();
        let until = timeout.map(|time| schedule.now_ns.saturating_add(nanos(time)));
        world.hand_over(schedule, me, Wait::Notice { condvar, until, place });
    });
}

/// Wakes one of those who wait for `condvar`, by the seed, or all.
pub(super) fn notify(condvar: usize, all: bool) {
    with_seat(|world, _| world.schedule.lock().notify(condvar, all));
}

/// A simulated thread to be joined.
pub(super) struct Joined {
    world: Arc<World>,
    task: usize,
}

/// Starts a thread that takes turns with the caller; `None`, and `body` untouched, on a thread that
/// is not simulated.
pub(super) fn spawn(name: &str, body: &mut Option<Body>) -> io::Result<Option<Joined>> {
    let Some(world) = with_seat(|world, _| world.clone()) else { return Ok(None) };
    let Some(body) = body.take() else { return Ok(None) };
    let task = world.spawn(name, body)?;
    point();
    Ok(Some(Joined { world, task }))
}

impl Joined {
    /// Waits for the thread's end.
    pub(super) fn join(self) -> thread::Result<()> {
        with_seat(|world, me| world.pass(me, Wait::End(self.task)));
        self.world.schedule.lock().tasks[self.task].result.take().unwrap_or(Ok(()))
    }
}

/// What a thread does.
pub(super) type Body = Box<dyn FnOnce() + Send>;

fn with_seat<R>(use_it: impl FnOnce(&Arc<World>, usize) -> R) -> Option<R> {
    if !is_simulated() {
        return None;
    }
    SEAT.with_borrow(|seat| seat.as_ref().map(|(world, me)| use_it(world, *me)))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What a thread waits for before it can have the turn.
#[derive(Clone, Copy, Debug)]
enum Wait {
    /// Nothing.
    Turn,
    Sleep(u64),
    /// Anybody's doing something, since the count of that was `seen`.
    Spin {
        seen: u64,
        place: &'static Location<'static>,
    },
    Notice {
        condvar: usize,
        until: Option<u64>,
        place: &'static Location<'static>,
    },
    /// The end of another thread.
    End(usize),
    /// It has ended.
    Over,
}

/// Where a thread waits for its turn.
#[derive(Default)]
struct Seat {
    turn: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Seat {
    fn give_turn(&self) {
        self.turn.store(true, Ordering::Release);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn await_turn(&self) {
        while !self.turn.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

struct Task {
    name: String,
    seat: Arc<Seat>,
    wait: Wait,
    /// For [`Policy::Priorities`].
    priority: u64,
    /// The number of its lane, distinct among living threads.
    index: u32,
    result: Option<thread::Result<()>>,
}

/// How the next thread is chosen among those that can go on.
#[derive(Clone, Copy, Debug)]
enum Policy {
    /// Any.
    Uniform,
    /// The same, but for once in so many times.
    Sticky(u64),
    /// The one of the highest priority; priorities change now and then, as in PCT (Burckhardt et
    /// al., "A randomized scheduler with probabilistic guarantees of finding bugs", 2010), and
    /// nobody starves: one turn in 32 is anybody's.
    Priorities,
}

struct World {
    settings: Settings,
    schedule: Mutex<Schedule>,
    /// Told when `ended` is set.
    end: Condvar,
}

struct Schedule {
    prng: Prng,
    policy: Policy,
    now_ns: u64,
    turns: u64,
    trace: u64,
    tasks: Vec<Task>,
    /// Tasks that have not ended.
    live: Vec<usize>,
    /// Grows with everything but vain tries: what a vain try waits for.
    progress: u64,
    /// Scratch.
    ready: Vec<usize>,
    failure: Option<String>,
    ended: bool,
}

impl World {
    fn new(settings: Settings) -> World {
        let mut prng = Prng::new(mix(settings.seed ^ 0x7C4E_D01E));
        let policy = match prng.below(4) {
            0 => Policy::Uniform,
            1 => Policy::Priorities,
            _ => Policy::Sticky(2 << prng.below(6)),
        };
        let schedule = Schedule {
            prng,
            policy,
            now_ns: 0,
            turns: 0,
            trace: 0,
            tasks: Vec::new(),
            live: Vec::new(),
            progress: 0,
            ready: Vec::new(),
            failure: None,
            ended: false,
        };
        World { settings, schedule: Mutex::new(schedule), end: Condvar::new() }
    }

    /// Starts a thread that waits for its first turn.
    fn spawn(self: &Arc<World>, name: &str, body: Body) -> io::Result<usize> {
        let (task, seat) = self.schedule.lock().add(name);
        let (world, own) = (self.clone(), seat.clone());
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || world.live(task, &own, body))
            .inspect_err(|_| self.schedule.lock().end(task, Ok(())))?;
        // Nobody unparks it before the caller gives up its turn.
        let _ = seat.thread.set(thread.thread().clone());
        Ok(task)
    }

    /// A simulated thread's life.
    fn live(self: Arc<World>, me: usize, seat: &Seat, body: Body) {
        seat.await_turn();
        lend_index(self.schedule.lock().tasks[me].index);
        SEAT.set(Some((self.clone(), me)));
        SIMULATED.set(true);
        let result = catch_unwind(AssertUnwindSafe(body));
        SIMULATED.set(false);
        SEAT.set(None);
        take_back_index();
        let mut schedule = self.schedule.lock();
        schedule.end(me, result);
        match schedule.next(me, &self.settings) {
            Ok(Some(next)) => schedule.tasks[next].seat.give_turn(),
            Ok(None) => self.finish(schedule),
            Err(stuck) => self.abandon(schedule, stuck),
        }
    }

    fn pass(&self, me: usize, wait: Wait) {
        self.hand_over(self.schedule.lock(), me, wait);
    }

    /// Gives the turn to the next thread; returns with it, when it is the caller's again.
    fn hand_over(&self, mut schedule: MutexGuard<'_, Schedule>, me: usize, wait: Wait) {
        if !matches!(wait, Wait::Spin { .. }) {
            schedule.progress += 1;
        }
        schedule.tasks[me].wait = wait;
        let seat = match schedule.next(me, &self.settings) {
            Ok(Some(next)) if next == me => return,
            Ok(next) => {
                if let Some(next) = next {
                    schedule.tasks[next].seat.give_turn();
                }
                let seat = schedule.tasks[me].seat.clone();
                drop(schedule);
                seat
            }
            Err(stuck) => {
                self.abandon(schedule, stuck);
                // Nobody is ever given the turn again.
                Arc::default()
            }
        };
        seat.await_turn();
    }

    fn finish(&self, mut schedule: MutexGuard<'_, Schedule>) {
        schedule.ended = true;
        self.end.notify_all();
    }

    fn abandon(&self, mut schedule: MutexGuard<'_, Schedule>, stuck: String) {
        schedule.fail(stuck);
        self.end.notify_all();
    }
}

impl Schedule {
    fn add(&mut self, name: &str) -> (usize, Arc<Seat>) {
        let held = |index: &u32| self.live.iter().any(|&live| self.tasks[live].index == *index);
        let index = (0..).find(|index| !held(index)).unwrap_or(0);
        let (task, seat, name) = (self.tasks.len(), Arc::new(Seat::default()), name.to_owned());
        let priority = self.prng.next_u64();
        let (wait, result) = (Wait::Turn, None);
        self.tasks.push(Task { name, seat: seat.clone(), wait, priority, index, result });
        self.live.push(task);
        (task, seat)
    }

    fn end(&mut self, task: usize, result: thread::Result<()>) {
        if let Err(panic) = &result {
            let said =
                format!("thread {task} ({}) panicked: {}", self.tasks[task].name, say(panic));
            self.failure.get_or_insert(said);
        }
        self.progress += 1;
        self.live.retain(|&live| live != task);
        (self.tasks[task].wait, self.tasks[task].result) = (Wait::Over, Some(result));
    }

    fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
        self.ended = true;
    }

    fn trace(&mut self, word: u64) {
        self.trace = mix(self.trace.rotate_left(1) ^ word);
    }

    /// Who has the next turn; `None` if all have ended.
    fn next(&mut self, me: usize, settings: &Settings) -> Result<Option<usize>, String> {
        self.turns += 1;
        self.now_ns += 1 + self.prng.below(TURN_NS_MAX);
        while !self.live.is_empty() {
            let (turns, time) = (settings.turns_max, settings.time_max);
            if self.turns > turns || self.now_ns > nanos(time) {
                return Err(self.stuck(&format!("no end after {turns} turns or {time:?}")));
            }
            let mut ready = std::mem::take(&mut self.ready);
            ready.clear();
            ready.extend(self.live.iter().copied().filter(|&task| self.can_go_on(task)));
            let chosen = self.choose(&ready, me);
            self.ready = ready;
            if let Some(task) = chosen {
                self.tasks[task].wait = Wait::Turn;
                self.trace(task as u64);
                return Ok(Some(task));
            }
            let deadline = self.live.iter().filter_map(|&task| self.tasks[task].wait.deadline());
            match deadline.min() {
                Some(deadline) => self.now_ns = self.now_ns.max(deadline),
                None => return Err(self.stuck("nobody can go on")),
            }
        }
        Ok(None)
    }

    fn can_go_on(&self, task: usize) -> bool {
        let wait = self.tasks[task].wait;
        match wait {
            Wait::Turn => true,
            Wait::Spin { seen, .. } => self.progress > seen,
            Wait::End(other) => matches!(self.tasks[other].wait, Wait::Over),
            Wait::Sleep(_) | Wait::Notice { .. } => {
                wait.deadline().is_some_and(|deadline| deadline <= self.now_ns)
            }
            Wait::Over => false,
        }
    }

    fn choose(&mut self, ready: &[usize], me: usize) -> Option<usize> {
        match *ready {
            [] => return None,
            [only] => return Some(only),
            _ => {}
        }
        let any = ready[self.prng.below(ready.len() as u64) as usize];
        Some(match self.policy {
            Policy::Uniform => any,
            Policy::Sticky(often) if ready.contains(&me) && !self.prng.one_in(often) => me,
            Policy::Sticky(_) => any,
            Policy::Priorities if self.prng.one_in(32) => {
                self.tasks[any].priority = self.prng.next_u64();
                any
            }
            Policy::Priorities => {
                ready.iter().copied().max_by_key(|&task| self.tasks[task].priority).unwrap_or(any)
            }
        })
    }

    fn notify(&mut self, condvar: usize, all: bool) {
        let waits = |task: &usize| {
            matches!(self.tasks[*task].wait, Wait::Notice { condvar: waits_for, .. }
                if waits_for == condvar)
        };
        let mut waiting: Vec<usize> = self.live.iter().copied().filter(waits).collect();
        if !all && !waiting.is_empty() {
            let lucky = self.prng.below(waiting.len() as u64) as usize;
            waiting = vec![waiting[lucky]];
        }
        for task in waiting {
            self.tasks[task].wait = Wait::Turn;
        }
    }

    /// Who waits where.
    fn stuck(&self, why: &str) -> String {
        let mut said = format!("{why}, {} of simulated time:", Seconds(self.now_ns));
        for &task in &self.live {
            let _ = write!(said, "\n  thread {task} ({})", self.tasks[task].name);
            let _ = match self.tasks[task].wait {
                Wait::Turn => write!(said, " runs"),
                Wait::Sleep(until) => write!(said, " sleeps until {}", Seconds(until)),
                Wait::Spin { place, .. } => write!(said, " wants what another holds, at {place}"),
                Wait::Notice { until: None, place, .. } => {
                    write!(said, " waits for a notice, at {place}")
                }
                Wait::Notice { until: Some(until), place, .. } => {
                    write!(said, " waits for a notice until {}, at {place}", Seconds(until))
                }
                Wait::End(other) => write!(said, " joins thread {other}"),
                Wait::Over => Ok(()),
            };
        }
        said
    }
}

impl Wait {
    fn deadline(&self) -> Option<u64> {
        match *self {
            Wait::Sleep(until) => Some(until),
            Wait::Notice { until, .. } => until,
            _ => None,
        }
    }
}

/// Nanoseconds, shown as seconds.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09} s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

fn say(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text")
}

/// From now on a panic of a simulated thread is kept as its run's failure, with its place, even if
/// somebody catches it, and is not printed.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let kept = with_seat(|world, me| {
                let said = format!("thread {me} panicked: {info}");
                // Not locked by anybody else; by this thread, if the scheduler itself panicked.
                if let Some(mut schedule) = world.schedule.try_lock() {
                    schedule.failure.get_or_insert(said);
                }
            });
            if kept.is_none() {
                others(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests;
