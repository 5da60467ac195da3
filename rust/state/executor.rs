//! The executor: worker threads, each with a partition of its own, that run transactions in order.
//!
//! ```text
//!   submit ──> queue of partition 0 ──> worker 0, which holds partition 0     ──> ticket
//!   submit ──> queue of partition 1 ──> worker 1, which holds partition 1     ──> ticket
//!   across ──> both queues, at one place of their order: the last worker to arrive runs it for both,
//!              the others wait
//! ```
//!
//! - What one partition is given runs in the order in which it was submitted.
//! - What concerns several stands in all their queues in one order, which one lock gives: whoever
//!   waits, waits for something earlier, so there is no deadlock.
//! - A ticket always gets an answer: of the work, or that it was not begun.

use super::State;
use super::commit::Authority;
use super::core::Core;
use super::partition::Partition;
use super::transact::Transaction;
use crate::bail;
use crate::config::Durability;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::WORKERS_MAX;
use crate::page::Delta;
use crate::stdx::prefetch;
use crate::stdx::sync::{Condvar, Mutex};
use crate::stdx::thread::{self, JoinHandle};
use crate::txn::{Machine, Place, Program, Retry};
use crate::types::{Lsn, Note, Ownership, PageId};
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How an executor works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExecutorConfig {
    /// Workers, and partitions: from 0 on. 1 to [`WORKERS_MAX`].
    pub workers: usize,
    /// Bind each worker to a core of its own, as far as there are cores.
    pub pin: bool,
    /// Work that may wait for one worker, what was submitted together as one; who submits more waits
    /// for room. At least 1.
    pub queue_max: usize,
    /// How often, and with which pauses, what conflicts is tried again.
    pub retry: Retry,
}

impl Default for ExecutorConfig {
    /// One worker per core, bound; queues of 1,024.
    fn default() -> ExecutorConfig {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = cores.min(WORKERS_MAX);
        ExecutorConfig { workers, pin: true, queue_max: 1_024, retry: Retry::default() }
    }
}

/// Deltas, and bytes of them, that one thread applies in about the time that waking another takes.
const ITSELF_MAX: usize = 256;
const ITSELF_BYTES_MAX: usize = 128 << 10;
/// So many of a worker's deltas before their turn their bytes are asked for. They are in the caches of
/// whoever made them.
const AHEAD: usize = 2;

type Job = Box<dyn FnOnce(&mut Hands) + Send>;

/// What stands in a queue.
struct Work {
    task: Task,
    pieces: Pieces,
}

enum Task {
    Own(Job),
    Across(Seat),
}

/// What whoever submitted it counts it as.
enum Pieces {
    Are(usize),
    /// A worker's share of deltas.
    Share(Arc<Shares>, usize),
}

impl Pieces {
    fn count(&self) -> usize {
        match self {
            Pieces::Are(count) => *count,
            Pieces::Share(shares, owner) => shares.of(*owner).count(),
        }
    }
}

/// What a worker has to work with.
struct Hands {
    partition: Partition,
    retry: Retry,
    stopping: Arc<Stopping>,
}

/// That an executor stops, and what was not begun for it and is not counted in a queue.
#[derive(Default)]
struct Stopping {
    now: AtomicBool,
    left: AtomicUsize,
}

impl Hands {
    /// Refuses what is not begun yet, once the executor stops.
    fn check_going_on(&self) -> Result<()> {
        if self.stopping.now.load(Ordering::Relaxed) {
            self.stopping.left.fetch_add(1, Ordering::Relaxed);
            return Err(not_begun());
        }
        Ok(())
    }
}

fn not_begun() -> Error {
    Error::new(ErrorKind::Cancelled, "the executor was stopped before the work began")
}

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    /// The worker is at something.
    busy: bool,
    /// Nothing more is accepted.
    closed: bool,
    /// What waits is not begun any more.
    stopped: bool,
}

#[derive(Default)]
struct Desk {
    queue: Mutex<Queue>,
    /// There is work, or no more will come.
    work: Condvar,
    /// There is room for more work.
    room: Condvar,
}

/// Work of several partitions: the last of their workers to arrive does it.
struct Meeting {
    seats: Mutex<Seats>,
    over: Condvar,
    stopping: Arc<Stopping>,
}

/// One worker's place in a meeting. Given up, it ends the meeting for all.
struct Seat(Option<Arc<Meeting>>);

struct Seats {
    missing: usize,
    job: Option<Job>,
    over: bool,
}

/// Worker threads that run transactions, each for a partition of its own.
///
/// Dropping it does all that was submitted first; [`stop`](Executor::stop) does not.
///
/// ```
/// # use mmsb::{Config, ExecutorConfig, Note, Ownership, State};
/// # fn main() -> mmsb::Result<()> {
/// let state = State::open(Config::memory())?;
/// let page = state.create_page(8, Note::NONE)?;
/// state.set_ownership(page, Ownership::Owned(1), Note::NONE)?;
/// let executor = state.executor(ExecutorConfig { workers: 2, ..Default::default() })?;
/// let tickets: Vec<_> = (0..10)
///     .map(|_| executor.submit(1, "demo", move |transaction| {
///         let n = transaction.read_u64(page, 0)?;
///         transaction.write(page, 0, &(n + 1).to_le_bytes())
///     }))
///     .collect::<Result<_, _>>()?;
/// for ticket in tickets {
///     ticket.wait()?;
/// }
/// assert_eq!(state.read_all(page)?[0], 10);
/// # Ok(()) }
/// ```
pub struct Executor {
    core: Arc<Core>,
    desks: Arc<[Desk]>,
    workers: Vec<JoinHandle>,
    /// Gives work of several partitions its place in their queues.
    order: Mutex<()>,
    queue_max: usize,
    /// The cores that the first workers are bound to.
    cores: Vec<usize>,
    stopping: Arc<Stopping>,
}

/// Where the result of submitted work arrives.
#[derive(Debug)]
pub struct Ticket<R>(Arc<Answer<R>>);

#[derive(Debug)]
struct Answer<R> {
    arrived: Mutex<Option<std::thread::Result<Result<R>>>>,
    here: Condvar,
}

/// Answers a ticket, at the latest when it is dropped.
struct Answering<R>(Option<Arc<Answer<R>>>);

impl<R> Ticket<R> {
    fn new() -> (Ticket<R>, Answering<R>) {
        let answer = Arc::new(Answer { arrived: Mutex::new(None), here: Condvar::new() });
        (Ticket(answer.clone()), Answering(Some(answer)))
    }

    /// Waits for the result: what the work returned, and the LSN of its group.
    ///
    /// # Errors
    /// Those of the work; `Cancelled` if the executor was stopped before it began.
    ///
    /// # Panics
    /// As the work did: then it left nothing.
    pub fn wait(self) -> Result<R> {
        let mut arrived = self.0.arrived.lock();
        loop {
            match arrived.take() {
                Some(Ok(result)) => return result,
                Some(Err(panic)) => resume_unwind(panic),
                None => self.0.here.wait(&mut arrived),
            }
        }
    }

    /// Whether the result is there.
    pub fn is_ready(&self) -> bool {
        self.0.arrived.lock().is_some()
    }
}

impl<R> Answering<R> {
    fn answer(mut self, result: std::thread::Result<Result<R>>) {
        self.send(result);
    }

    fn send(&mut self, result: std::thread::Result<Result<R>>) {
        if let Some(answer) = self.0.take() {
            *answer.arrived.lock() = Some(result);
            answer.here.notify_all();
        }
    }
}

impl<R> Drop for Answering<R> {
    fn drop(&mut self) {
        self.send(Ok(Err(not_begun())));
    }
}

impl State {
    /// Starts worker threads that each hold a partition, from 0 on, and run what they are given.
    ///
    /// # Errors
    /// `SizeOutOfRange` for no or too many workers, or no room in queues; `PartitionInUse`; what the
    /// operating system says of threads; `Closed`.
    pub fn executor(&self, config: ExecutorConfig) -> Result<Executor> {
        let ExecutorConfig { workers, queue_max, .. } = config;
        if !(1..=WORKERS_MAX).contains(&workers) {
            bail!(SizeOutOfRange, "{workers} workers; an executor has 1 to {WORKERS_MAX}");
        }
        if queue_max == 0 {
            bail!(SizeOutOfRange, "a queue of 0; work has to wait somewhere");
        }
        let partitions: Vec<Partition> =
            (0..workers as u16).map(|number| self.partition(number)).collect::<Result<_>>()?;
        let mut executor = Executor {
            core: self.core().clone(),
            desks: (0..workers).map(|_| Desk::default()).collect(),
            workers: Vec::with_capacity(workers),
            order: Mutex::default(),
            queue_max,
            cores: if config.pin { cores::allowed() } else { Vec::new() },
            stopping: Arc::default(),
        };
        executor.cores.truncate(workers);
        for (at, partition) in partitions.into_iter().enumerate() {
            let (desks, core) = (executor.desks.clone(), executor.cores.get(at).copied());
            let stopping = executor.stopping.clone();
            let hands = Hands { partition, retry: config.retry, stopping };
            let body = move || {
                core.into_iter().for_each(cores::bind);
                work(&desks[at], hands);
            };
            let started = thread::spawn(&format!("mmsb-worker-{at}"), body);
            let failed = |error| Error::io(format_args!("start worker {at}"), error);
            executor.workers.push(started.map_err(failed)?);
        }
        Ok(executor)
    }
}

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is an executor's.
pub fn is_worker() -> bool {
    IS_WORKER.get()
}

/// A worker's life.
fn work(desk: &Desk, mut hands: Hands) {
    IS_WORKER.set(true);
    loop {
        let mut queue = desk.queue.lock();
        queue.busy = false;
        let next = loop {
            if queue.stopped {
                queue.work.clear();
            }
            match queue.work.pop_front() {
                Some(next) => break next,
                None if queue.closed => return,
                None => desk.work.wait(&mut queue),
            }
        };
        queue.busy = true;
        drop(queue);
        desk.room.notify_one();
        match next.task {
            Task::Own(job) => job(&mut hands),
            Task::Across(mut seat) => {
                seat.0.take().iter().for_each(|meeting| meeting.attend(&mut hands))
            }
        }
    }
}

impl Meeting {
    fn attend(&self, hands: &mut Hands) {
        let mut seats = self.seats.lock();
        seats.missing -= 1;
        if seats.missing > 0 {
            while !seats.over {
                self.over.wait(&mut seats);
            }
            return;
        }
        let job = seats.job.take();
        drop(seats);
        if let Some(job) = job {
            job(hands);
        }
        self.end();
    }

    /// Lets all go on; work that was not begun is not.
    fn end(&self) {
        let mut seats = self.seats.lock();
        seats.over = true;
        let not_begun = seats.job.take();
        drop(seats);
        self.stopping.left.fetch_add(not_begun.iter().count(), Ordering::Relaxed);
        drop(not_begun);
        self.over.notify_all();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(meeting) = self.0.take() {
            meeting.end();
        }
    }
}

impl Executor {
    /// How many workers there are, and partitions: from 0 on.
    pub fn workers(&self) -> usize {
        self.desks.len()
    }

    /// How many of them are bound to a core of their own.
    pub fn pinned(&self) -> usize {
        self.cores.len()
    }

    /// All workers, the one that is bound to the caller's core last: it may take that as soon as it is
    /// woken, and the others would wait for their share.
    fn waking_order(&self) -> impl Iterator<Item = usize> + use<> {
        let here = cores::current();
        let own = self.cores.iter().position(|&core| Some(core) == here);
        let (first, workers) = (own.map_or(0, |at| at + 1), self.workers());
        (first..first + workers).map(move |at| at % workers)
    }

    /// Work that waits for a worker, not counting what it is at.
    ///
    /// # Errors
    /// `InvalidArgument` for a partition that there is not.
    pub fn waiting(&self, partition: usize) -> Result<usize> {
        Ok(self.desk(partition)?.queue.lock().work.len())
    }

    fn desk(&self, partition: usize) -> Result<&Desk> {
        match self.desks.get(partition) {
            Some(desk) => Ok(desk),
            None => bail!(
                InvalidArgument,
                "partition {partition}; the executor has {}, from 0 on",
                self.desks.len()
            ),
        }
    }

    fn put(&self, desk: &Desk, work: Work) -> Result<()> {
        let mut queue = desk.queue.lock();
        while queue.work.len() >= self.queue_max && !queue.closed {
            desk.room.wait(&mut queue);
        }
        if queue.closed {
            bail!(Closed, "the executor was stopped");
        }
        queue.work.push_back(work);
        drop(queue);
        desk.work.notify_one();
        Ok(())
    }

    fn submit_job<R: Send + 'static>(
        &self,
        partition: usize,
        pieces: usize,
        body: impl FnOnce(&mut Hands) -> Result<R> + Send + 'static,
    ) -> Result<Ticket<R>> {
        let (ticket, answering) = Ticket::new();
        let job: Job = Box::new(move |hands| {
            answering.answer(catch_unwind(AssertUnwindSafe(|| body(hands))));
        });
        self.put(
            self.desk(partition)?,
            Work { task: Task::Own(job), pieces: Pieces::Are(pieces) },
        )?;
        Ok(ticket)
    }

    /// Has the worker of `partition` run a transaction, after all that it was given before. `source`
    /// is the label of its record. Waits for room in the queue.
    ///
    /// # Errors
    /// `InvalidArgument` for a partition that there is not; `Closed`.
    pub fn submit<R: Send + 'static>(
        &self,
        partition: usize,
        source: impl Into<String>,
        mut body: impl FnMut(&mut Transaction<'_>) -> Result<R> + Send + 'static,
    ) -> Result<Ticket<(R, Option<Lsn>)>> {
        let source = source.into();
        self.submit_job(partition, 1, move |hands| {
            hands.partition.transact(Note::from(source.as_str()), hands.retry, &mut body)
        })
    }

    /// Has several workers stop for a transaction that may change the pages of all of them, after
    /// what they were given before; one of them runs it, as one group.
    ///
    /// # Errors
    /// As [`submit`](Executor::submit); `InvalidArgument` for no partitions.
    pub fn submit_across<R: Send + 'static>(
        &self,
        partitions: &[usize],
        source: impl Into<String>,
        mut body: impl FnMut(&mut Transaction<'_>) -> Result<R> + Send + 'static,
    ) -> Result<Ticket<(R, Option<Lsn>)>> {
        let mut concerned = partitions.to_vec();
        concerned.sort_unstable();
        concerned.dedup();
        let mask = concerned.iter().fold(0u64, |mask, &at| mask | 1 << (at % WORKERS_MAX));
        let (ticket, answering) = Ticket::new();
        let (core, source) = (self.core.clone(), source.into());
        let job: Job = Box::new(move |hands| {
            let (authority, note) = (Authority::Partitions(mask), Note::from(source.as_str()));
            let mut run = || core.transact(authority, note, hands.retry, &mut body);
            answering.answer(catch_unwind(AssertUnwindSafe(&mut run)));
        });
        self.put_across(&concerned, job)?;
        Ok(ticket)
    }

    fn put_across(&self, concerned: &[usize], job: Job) -> Result<()> {
        if concerned.is_empty() {
            bail!(InvalidArgument, "a transaction across no partitions");
        }
        let desks: Vec<&Desk> = concerned.iter().map(|&at| self.desk(at)).collect::<Result<_>>()?;
        let seats = Seats { missing: desks.len(), job: Some(job), over: false };
        let (seats, stopping) = (Mutex::new(seats), self.stopping.clone());
        let meeting = Arc::new(Meeting { seats, over: Condvar::new(), stopping });
        let _in_order = self.order.lock();
        // Not begun, it is counted where it ends: once, however many wait for it.
        let seat = || Task::Across(Seat(Some(meeting.clone())));
        let work = || Work { task: seat(), pieces: Pieces::Are(0) };
        desks.into_iter().try_for_each(|desk| self.put(desk, work()))
    }

    /// Has workers run encoded transactions: those of one partition in the order in which they stand
    /// here, those whose pages belong to several across them. What belongs to nobody goes to the
    /// worker that the first page's id chooses. The results stand in the order of the programs: each
    /// its group's LSN, `None` if it changed nothing.
    ///
    /// # Errors
    /// As [`submit`](Executor::submit). A program's own error is its result.
    pub fn submit_programs(
        &self,
        programs: Vec<Program>,
        source: &str,
    ) -> Result<Tickets<Option<Lsn>>> {
        let mut tickets = Tickets::new(programs.len());
        let mut open: Vec<Vec<(usize, Program)>> = vec![Vec::new(); self.workers()];
        for (at, program) in programs.into_iter().enumerate() {
            let owners = self.owners(&program.pages());
            match owners[..] {
                [one] => open[one].push((at, program)),
                _ => {
                    // What was given to these before comes before it.
                    for &owner in &owners {
                        self.send(owner, std::mem::take(&mut open[owner]), source, &mut tickets)?;
                    }
                    let run = move |t: &mut Transaction<'_>| program.run(&mut Running(t));
                    let ticket = self.submit_across(&owners, source, run)?;
                    tickets.parts.push(Part::One(at, ticket));
                }
            }
        }
        for owner in self.waking_order() {
            self.send(owner, std::mem::take(&mut open[owner]), source, &mut tickets)?;
        }
        Ok(tickets)
    }

    fn send(
        &self,
        owner: usize,
        programs: Vec<(usize, Program)>,
        source: &str,
        tickets: &mut Tickets<Option<Lsn>>,
    ) -> Result<()> {
        if programs.is_empty() {
            return Ok(());
        }
        let source = source.to_owned();
        let ticket = self.submit_job(owner, programs.len(), move |hands| {
            let run = |(at, program): (usize, Program)| {
                let body = |t: &mut Transaction<'_>| program.run(&mut Running(t));
                let done = hands.check_going_on().and_then(|()| {
                    hands.partition.transact(source.as_str().into(), hands.retry, body)
                });
                (at, done.map(|((), lsn)| lsn))
            };
            Ok(programs.into_iter().map(run).collect())
        })?;
        tickets.parts.push(Part::Many(ticket));
        Ok(())
    }

    /// The workers whose partitions the pages belong to, ascending; at least one.
    fn owners(&self, pages: &[PageId]) -> Vec<usize> {
        let mut owners: Vec<usize> = pages.iter().filter_map(|&page| self.owner(page)).collect();
        owners.sort_unstable();
        owners.dedup();
        if owners.is_empty() {
            owners.push(pages.first().map_or(0, |page| page.0 as usize % self.workers()));
        }
        owners
    }

    fn owner(&self, page: PageId) -> Option<usize> {
        if !self.core.table.has_uncommon() {
            return None;
        }
        let ownership = match self.core.table.glimpse(page, 0, &mut []) {
            Some(page) => page.ownership,
            None => self.core.table.lock(page).ok()?.ownership,
        };
        match ownership {
            Ownership::Owned(owner) => Some(owner.into()).filter(|&at| at < self.workers()),
            _ => None,
        }
    }

    /// Has workers apply deltas: those of one page in their order, different pages at the same time.
    /// Each is a group of its own, with the note that it carries. The results stand in the order of
    /// the deltas.
    ///
    /// Where groups wait for a sync, a worker's wait together for one. If that fails, it is the error of
    /// each of them.
    ///
    /// A few deltas to pages that nobody owns, and nothing derives from, are applied by the caller
    /// while the workers have nothing to do: waking them takes longer.
    ///
    /// # Errors
    /// As [`submit`](Executor::submit). A delta's own error is its result.
    pub fn submit_deltas(&self, deltas: Vec<Delta>) -> Result<Tickets<Option<Lsn>>> {
        let mut tickets = Tickets::new(deltas.len());
        if self.applies_itself(&deltas) {
            let deltas = deltas.iter().map(|delta| ((), delta));
            let done = self.core.apply_deltas(deltas, Authority::Anybody);
            tickets.parts.push(Part::Done(done.into_iter().map(|((), done)| done).collect()));
            return Ok(tickets);
        }
        // The deltas stay where they are: a batch is as large as what it changes.
        let shares = Arc::new(Shares::new(self, deltas));
        let concerned = shares.concerned();
        for owner in self.waking_order().filter(|owner| concerned & 1 << owner != 0) {
            let pieces = Pieces::Share(shares.clone(), owner);
            let shares = shares.clone();
            let (ticket, answering) = Ticket::new();
            // The last worker to drop the deltas has all their memory to give back: not before the
            // results are out.
            let job: Job = Box::new(move |hands| {
                answering.answer(catch_unwind(AssertUnwindSafe(|| Ok(shares.apply(hands)))));
            });
            self.put(self.desk(owner)?, Work { task: Task::Own(job), pieces })?;
            tickets.parts.push(Part::Many(ticket));
        }
        Ok(tickets)
    }

    /// Whether the caller is through with `deltas` before a worker has woken up, and nobody can tell
    /// the difference: none waits for a sync, no page is a partition's, none is bound (a callback may
    /// care for the thread that calls it), and nothing that was submitted before is still to be done.
    fn applies_itself(&self, deltas: &[Delta]) -> bool {
        let is_free = |delta: &Delta| {
            let page = self.core.table.glimpse(delta.page(), 0, &mut []);
            page.is_some_and(|page| page.ownership == Ownership::Shared && !page.bound)
        };
        let is_idle = |desk: &Desk| {
            let queue = desk.queue.lock();
            queue.work.is_empty() && !queue.busy
        };
        deltas.len() <= ITSELF_MAX
            && self.core.config.durability != Durability::Sync
            && deltas.iter().map(Delta::payload_len).sum::<usize>() <= ITSELF_BYTES_MAX
            && self.desks.iter().all(is_idle)
            && (!self.core.table.has_uncommon() || deltas.iter().all(is_free))
    }

    fn close(&mut self, stop: bool) -> usize {
        let mut left = 0;
        self.stopping.now.store(stop, Ordering::Relaxed);
        for desk in &*self.desks {
            let mut queue = desk.queue.lock();
            queue.closed = true;
            if stop {
                queue.stopped = true;
                left += queue.work.iter().map(|work| work.pieces.count()).sum::<usize>();
            }
            drop(queue);
            desk.work.notify_all();
            desk.room.notify_all();
        }
        for worker in self.workers.drain(..) {
            // A worker catches what its work panics with.
            let _ = worker.join();
        }
        left + self.stopping.left.load(Ordering::Relaxed)
    }

    /// Stops: the transaction, program or deltas that a worker is at are finished, what waits is not
    /// begun, and its tickets say `Cancelled`. Returns how many transactions, programs and deltas that
    /// were.
    pub fn stop(mut self) -> usize {
        self.close(true)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.close(false);
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Executor({} workers, {} bound to cores)", self.workers(), self.pinned())
    }
}

/// Deltas that were submitted together; each worker finds its own.
struct Shares {
    core: Arc<Core>,
    deltas: Vec<Delta>,
    workers: usize,
    /// Whose each is; left empty where its page's id says so.
    owners: Vec<usize>,
}

impl Shares {
    fn new(executor: &Executor, deltas: Vec<Delta>) -> Shares {
        let (core, workers) = (executor.core.clone(), executor.workers());
        let mut shares = Shares { core, deltas, workers, owners: Vec::new() };
        if shares.core.table.has_uncommon() {
            let owner = |(at, delta): (usize, &Delta)| {
                executor.owner(delta.page()).unwrap_or_else(|| shares.owner(at))
            };
            shares.owners = shares.deltas.iter().enumerate().map(owner).collect();
        }
        shares
    }

    fn owner(&self, at: usize) -> usize {
        match self.owners.get(at) {
            Some(&owner) => owner,
            None => self.deltas[at].page().0 as usize % self.workers,
        }
    }

    /// The workers that have any, as bits. Most often the first few deltas concern all.
    fn concerned(&self) -> u64 {
        let all = u64::MAX >> (WORKERS_MAX - self.workers);
        let mut concerned = 0;
        for at in 0..self.deltas.len() {
            concerned |= 1 << self.owner(at);
            if concerned == all {
                break;
            }
        }
        concerned
    }

    /// The places of a worker's deltas.
    fn of(&self, owner: usize) -> impl Iterator<Item = usize> {
        (0..self.deltas.len()).filter(move |&at| self.owner(at) == owner)
    }

    fn apply(&self, hands: &Hands) -> Numbered<Option<Lsn>> {
        let number = hands.partition.number();
        let is_mine = |at: usize| self.owner(at) == usize::from(number);
        let ahead = AHEAD * self.workers;
        let share = (0..self.deltas.len()).filter_map(|at| {
            if let Some(delta) = self.deltas.get(at + 2 * ahead) {
                prefetch::for_read(ptr::from_ref(delta).cast(), size_of::<Delta>());
            }
            if let Some(delta) = self.deltas.get(at + ahead)
                && is_mine(at + ahead)
            {
                prefetch::for_read(delta.payload().as_ptr(), delta.payload_len());
            }
            is_mine(at).then(|| (at, &self.deltas[at]))
        });
        self.core.apply_deltas(share, Authority::Partition(number))
    }
}

/// A transaction as programs see it.
struct Running<'a, 'b>(&'a mut Transaction<'b>);

impl Machine for Running<'_, '_> {
    fn read(&mut self, at: Place, buf: &mut [u8]) -> Result<()> {
        self.0.read(at.page, at.offset, buf)
    }

    fn write(&mut self, at: Place, bytes: &[u8]) -> Result<()> {
        self.0.write(at.page, at.offset, bytes)
    }
}

type Numbered<R> = Vec<(usize, Result<R>)>;

enum Part<R> {
    /// All of it.
    Done(Vec<Result<R>>),
    One(usize, Ticket<((), R)>),
    Many(Ticket<Numbered<R>>),
}

/// Where the results of work that was submitted together arrive.
pub struct Tickets<R> {
    len: usize,
    parts: Vec<Part<R>>,
}

impl<R> Tickets<R> {
    fn new(len: usize) -> Tickets<R> {
        Tickets { len, parts: Vec::new() }
    }

    /// How much was submitted.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether all results are there.
    pub fn is_ready(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Done(_) => true,
            Part::One(_, ticket) => ticket.is_ready(),
            Part::Many(ticket) => ticket.is_ready(),
        })
    }

    /// Waits for all results, which stand in the order of the work: `Cancelled` for what was not
    /// begun.
    pub fn wait(self) -> Vec<Result<R>> {
        let mut results: Vec<Option<Result<R>>> = (0..self.len).map(|_| None).collect();
        // The worker that was woken last may have the caller's core: until it is through, the caller
        // sleeps.
        for part in self.parts.into_iter().rev() {
            match part {
                Part::Done(all) => return all,
                Part::One(at, ticket) => results[at] = Some(ticket.wait().map(|((), done)| done)),
                Part::Many(ticket) => {
                    for (at, done) in ticket.wait().unwrap_or_default() {
                        results[at] = Some(done);
                    }
                }
            }
        }
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(not_begun()))).collect()
    }
}

/// Cores, and threads on them.
#[cfg(target_os = "linux")]
mod cores {
    use std::mem;

    /// The cores that the process may use.
    pub fn allowed() -> Vec<usize> {
        // SAFETY: a set of cores is plain bits, and the kernel fills it.
        let set = unsafe {
            let mut set: libc::cpu_set_t = mem::zeroed();
            libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
            set
        };
        let max = libc::CPU_SETSIZE as usize;
        // SAFETY: within the set.
        (0..max).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect()
    }

    /// The core that the calling thread is on.
    pub fn current() -> Option<usize> {
        // SAFETY: a question.
        usize::try_from(unsafe { libc::sched_getcpu() }).ok()
    }

    /// Binds the calling thread to a core. The system may refuse: then it runs anywhere.
    pub fn bind(core: usize) {
        // SAFETY: a set of cores is plain bits; `core` is within it.
        unsafe {
            let mut set: libc::cpu_set_t = mem::zeroed();
            libc::CPU_SET(core, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
        }
    }
}

/// Where threads cannot be bound.
#[cfg(not(target_os = "linux"))]
mod cores {
    pub fn allowed() -> Vec<usize> {
        Vec::new()
    }

    pub fn current() -> Option<usize> {
        None
    }

    pub fn bind(_core: usize) {}
}

#[cfg(test)]
mod tests;
