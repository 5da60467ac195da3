//! Transactions as bytes, and the workers that run them.

use super::pointer::{MmsbNote, Out, copy_out, note_at, optional_out, reference, slice, slice_mut};
use super::state::set;
use super::status::{MmsbStatus, call, call_state};
use super::transact::{MmsbRetry, retry_at};
use super::{MmsbDelta, MmsbExecutor, MmsbProgram, MmsbState, MmsbTickets, handle, take};
use crate::bail;
use crate::error::Result;
use crate::page::Delta;
use crate::state::{Executor, ExecutorConfig, Tickets};
use crate::txn::{Place, Program, Relation};
use crate::types::{Lsn, PageId};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CString, c_char};

type Arriving = Mutex<Tickets<Option<Lsn>>>;

/// Where a number or some bytes stand.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbPlace {
    /// The page's id.
    pub page: u64,
    /// Bytes from its start.
    pub offset: u64,
}

/// How the number at a place has to compare with another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum MmsbRelation {
    /// Equal.
    Equal = 0,
    /// Not equal.
    NotEqual = 1,
    /// Smaller.
    Less = 2,
    /// Smaller or equal.
    LessOrEqual = 3,
    /// Larger.
    Greater = 4,
    /// Larger or equal.
    GreaterOrEqual = 5,
}

/// How an executor works. Zeros are defaults.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbExecutorConfig {
    /// Workers, and partitions, from 0 on: 1 to 64; 0 for one per core.
    pub workers: u32,
    /// Do not bind workers to cores.
    pub unpinned: bool,
    /// Work that may wait for one worker, what was submitted together as one; 0 for 1,024.
    pub queue_max: u32,
    /// How often what conflicts is tried again.
    pub retry: MmsbRetry,
}

/// What became of one program or delta.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbResult {
    /// An `MmsbStatus`: `Cancelled` for what was not begun.
    pub status: i32,
    /// LSN of its record, 0 if it changed nothing or failed.
    pub lsn: u64,
}

fn place(at: MmsbPlace) -> Place {
    Place { page: PageId(at.page), offset: at.offset }
}

/// A program of no steps. Its steps are done in order, as one transaction.
///
/// Ownership: `out` is freed with `rust_program_free`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_program_new(out: *mut MmsbProgram) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(MmsbProgram { id: handle::insert(Mutex::new(Program::new()))? });
        Ok(())
    })
}

/// A program as `rust_program_bytes` gave it.
///
/// Ownership: `out` is freed with `rust_program_free`.
/// Errors: InvalidArgument for bytes that are none.
///
/// # Safety
/// `bytes` is valid for `len` reads, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_program_from_bytes(
    bytes: *const u8,
    len: usize,
    out: *mut MmsbProgram,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (bytes, out) = unsafe { (slice(bytes, len, "bytes")?, Out::new(out, "out")?) };
        out.set(MmsbProgram { id: handle::insert(Mutex::new(Program::from_bytes(bytes)?))? });
        Ok(())
    })
}

/// Frees a program. `*program` becomes zero. Null and zero are fine.
///
/// # Safety
/// `program` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_program_free(program: *mut MmsbProgram) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Mutex<Program>>(program.cast()) }.map(drop))
}

fn build(program: MmsbProgram, step: impl FnOnce(&mut Program) -> Result<()>) -> MmsbStatus {
    call(|| handle::with::<Mutex<Program>, _>(program.id, |program| step(&mut program.lock())))
}

/// Adds a step: the 64-bit integer at a place grows, wrapping.
#[unsafe(no_mangle)]
pub extern "C" fn rust_program_add(program: MmsbProgram, at: MmsbPlace, by: i64) -> MmsbStatus {
    build(program, |program| {
        program.add(place(at), by);
        Ok(())
    })
}

/// Adds a step: the double at a place grows.
#[unsafe(no_mangle)]
pub extern "C" fn rust_program_add_float(
    program: MmsbProgram,
    at: MmsbPlace,
    by: f64,
) -> MmsbStatus {
    build(program, |program| {
        program.add_float(place(at), by);
        Ok(())
    })
}

/// Adds a step: `len` bytes at a place become those at `bytes` if they are those at `expected`; else
/// the program fails with ConditionFailed.
///
/// # Safety
/// `expected` and `bytes` are valid for `len` reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_program_compare_and_swap(
    program: MmsbProgram,
    at: MmsbPlace,
    expected: *const u8,
    bytes: *const u8,
    len: usize,
) -> MmsbStatus {
    build(program, |program| {
        // SAFETY: the caller's promise.
        let (expected, bytes) =
            unsafe { (slice(expected, len, "expected")?, slice(bytes, len, "bytes")?) };
        program.compare_and_swap(place(at), expected, bytes).map(drop)
    })
}

/// Adds a step: `amount` goes from the unsigned 64-bit integer at one place to that at another; the
/// program fails with ConditionFailed if there is less.
#[unsafe(no_mangle)]
pub extern "C" fn rust_program_transfer(
    program: MmsbProgram,
    from: MmsbPlace,
    to: MmsbPlace,
    amount: u64,
) -> MmsbStatus {
    build(program, |program| {
        program.transfer(place(from), place(to), amount);
        Ok(())
    })
}

/// Adds a step: the `len` bytes at `bytes` go to a place.
///
/// # Safety
/// `bytes` is valid for `len` reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_program_write(
    program: MmsbProgram,
    at: MmsbPlace,
    bytes: *const u8,
    len: usize,
) -> MmsbStatus {
    build(program, |program| {
        // SAFETY: the caller's promise.
        program.write(place(at), unsafe { slice(bytes, len, "bytes") }?);
        Ok(())
    })
}

/// Adds a step: the program fails with ConditionFailed unless the unsigned 64-bit integer at a place
/// compares with `value` as `relation`, an `MmsbRelation`, says.
#[unsafe(no_mangle)]
pub extern "C" fn rust_program_require(
    program: MmsbProgram,
    at: MmsbPlace,
    relation: u32,
    value: u64,
) -> MmsbStatus {
    build(program, |program| {
        let Some(relation) = Relation::from_u32(relation) else {
            bail!(InvalidArgument, "{relation} is no relation; 0 to 5 are");
        };
        program.require(place(at), relation, value);
        Ok(())
    })
}

/// The program's steps as bytes: copied to `buf`, which has room for `capacity`; `len` receives
/// their number, also when the buffer is too small.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_program_bytes(
    program: MmsbProgram,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    build(program, |program| {
        // SAFETY: the caller's promise.
        unsafe { copy_out(program.as_bytes(), buf, capacity, len) }
    })
}

/// Starts workers that each hold a partition, from 0 on, and run what they are given. `config` may be
/// null.
///
/// Ownership: `out` is freed with `rust_executor_free` or `rust_executor_stop`.
/// Errors: SizeOutOfRange, PartitionInUse, Io.
///
/// # Safety
/// `config` is null or valid for a read, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_executor_new(
    state: MmsbState,
    config: *const MmsbExecutorConfig,
    out: *mut MmsbExecutor,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise, here and below.
        let out = unsafe { Out::new(out, "out") }?;
        let mut settings = ExecutorConfig::default();
        if !config.is_null() {
            // SAFETY: as above.
            let config = unsafe { reference(config, "config") }?;
            if config.workers > 0 {
                settings.workers = config.workers as usize;
            }
            if config.queue_max > 0 {
                settings.queue_max = config.queue_max as usize;
            }
            settings.pin = !config.unpinned;
            // SAFETY: a reference.
            settings.retry = unsafe { retry_at(&config.retry) }?;
        }
        out.set(MmsbExecutor { id: handle::insert(state.executor(settings)?)? });
        Ok(())
    })
}

/// Does all that was submitted, and ends the workers. `*executor` becomes zero. Null and zero are
/// fine.
///
/// # Safety
/// `executor` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_executor_free(executor: *mut MmsbExecutor) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Executor>(executor.cast()) }.map(drop))
}

/// Ends the workers after the program or deltas that they are at; what waits is not begun, and its results
/// are Cancelled. `*left` receives how many programs and deltas that were; it may be null. `*executor`
/// becomes zero.
///
/// # Safety
/// `executor` is null or valid for a read and a write, `left` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_executor_stop(
    executor: *mut MmsbExecutor,
    left: *mut usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise, here and below.
        let out = unsafe { optional_out(left, "left") }?;
        // SAFETY: a handle is one u64.
        let executor = unsafe { take::<Executor>(executor.cast()) }?;
        set(out, executor.map_or(0, Executor::stop));
        Ok(())
    })
}

/// How many workers there are, and how many of them are bound to a core of their own.
///
/// # Safety
/// `workers` and `pinned` are null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_executor_workers(
    executor: MmsbExecutor,
    workers: *mut usize,
    pinned: *mut usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (workers, pinned) =
            unsafe { (optional_out(workers, "workers")?, optional_out(pinned, "pinned")?) };
        handle::with::<Executor, _>(executor.id, |executor| {
            set(workers, executor.workers());
            set(pinned, executor.pinned());
            Ok(())
        })
    })
}

/// Has workers run `count` programs, which are copied: those of one partition in the order in which
/// they stand here, those whose pages belong to several across them. `source` labels their records;
/// null is empty. Waits for room in the queues.
///
/// Ownership: `out` is ended with `rust_tickets_wait` or `rust_tickets_free`.
/// Errors: Closed if the executor is. A program's own error is its result, Closed if the state is.
///
/// # Safety
/// `programs` is valid for `count` reads, `source` null or a zero-terminated string, `out` null or
/// valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_executor_submit(
    executor: MmsbExecutor,
    programs: *const MmsbProgram,
    count: usize,
    source: *const c_char,
    out: *mut MmsbTickets,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise, here and below.
        let (out, programs) =
            unsafe { (Out::new(out, "out")?, slice(programs, count, "programs")?) };
        let note = MmsbNote { source, intent: std::ptr::null() };
        // SAFETY: as above.
        let note = unsafe { note_at(&note) }?;
        let copy = |program: &MmsbProgram| {
            handle::with::<Mutex<Program>, _>(program.id, |program| Ok(program.lock().clone()))
        };
        let programs = programs.iter().map(copy).collect::<Result<Vec<_>>>()?;
        let tickets = handle::with::<Executor, _>(executor.id, |executor| {
            executor.submit_programs(programs, note.source)
        })?;
        out.set(MmsbTickets { id: handle::insert(Mutex::new(tickets))? });
        Ok(())
    })
}

/// Has workers apply `count` deltas, which are copied: those of one page in their order, different
/// pages at the same time. Each is a group of its own, with the note that it carries. A few deltas to
/// shared pages that nothing derives from are applied by the caller while the workers have nothing to
/// do: waking them takes longer.
///
/// Where groups wait for a sync, a worker's wait together for one. If that fails, it is the error of
/// each of them.
///
/// Ownership and errors: as `rust_executor_submit`.
///
/// # Safety
/// `deltas` is valid for `count` reads, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_executor_apply(
    executor: MmsbExecutor,
    deltas: *const MmsbDelta,
    count: usize,
    out: *mut MmsbTickets,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (out, deltas) = unsafe { (Out::new(out, "out")?, slice(deltas, count, "deltas")?) };
        let copy =
            |delta: &MmsbDelta| handle::with::<Delta, _>(delta.id, |delta| Ok(delta.clone()));
        let deltas = deltas.iter().map(copy).collect::<Result<Vec<_>>>()?;
        let submit = |executor: &Executor| executor.submit_deltas(deltas);
        let tickets = handle::with::<Executor, _>(executor.id, submit)?;
        out.set(MmsbTickets { id: handle::insert(Mutex::new(tickets))? });
        Ok(())
    })
}

/// Whether all results are there.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tickets_ready(tickets: MmsbTickets, out: *mut bool) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(handle::with::<Arriving, _>(tickets.id, |tickets| Ok(tickets.lock().is_ready()))?);
        Ok(())
    })
}

/// Waits for all results, which are written to `results` in the order of what was submitted; `count`
/// is how many that was. `rust_result_message` tells more of those that failed. Ends the tickets,
/// `*tickets` becomes zero.
///
/// Errors: LengthMismatch if `count` is another number; then nothing is ended.
///
/// # Safety
/// `tickets` is null or valid for a read and a write, `results` valid for `count` writes and
/// initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tickets_wait(
    tickets: *mut MmsbTickets,
    results: *mut MmsbResult,
    count: usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise, here and below.
        let (results, id) =
            unsafe { (slice_mut(results, count, "results")?, reference(tickets, "tickets")?.id) };
        let len = handle::with::<Arriving, _>(id, |tickets| Ok(tickets.lock().len()))?;
        if len != count {
            bail!(LengthMismatch, "room for {count} results; there are {len}");
        }
        // SAFETY: a handle is one u64.
        let Some(arriving) = (unsafe { take::<Arriving>(tickets.cast()) })? else { return Ok(()) };
        let mut messages = HashMap::new();
        for (at, done) in arriving.into_inner().wait().into_iter().enumerate() {
            results[at] = match done {
                Ok(lsn) => MmsbResult { status: 0, lsn: lsn.map_or(0, |lsn| lsn.0) },
                Err(error) => {
                    let bytes = error.message().replace('\0', " ");
                    messages.insert(at, CString::new(bytes).unwrap_or_default());
                    MmsbResult { status: error.kind().code(), lsn: 0 }
                }
            };
        }
        MESSAGES.set(messages);
        Ok(())
    })
}

thread_local! {
    /// Of what failed, by place, in the thread's last wait.
    static MESSAGES: RefCell<HashMap<usize, CString>> = RefCell::default();
}

/// The message of the result at place `at` of the calling thread's last `rust_tickets_wait`: one sentence
/// that names the value and the limit. Never null; empty for what succeeded. Valid until the thread's next
/// wait; not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn rust_result_message(at: usize) -> *const c_char {
    let message = |messages: &RefCell<HashMap<usize, CString>>| {
        messages.borrow().get(&at).map(|message| message.as_ptr())
    };
    MESSAGES.try_with(message).ok().flatten().unwrap_or(c"".as_ptr())
}

/// Gives tickets up: what was submitted is done all the same. `*tickets` becomes zero. Null and zero
/// are fine.
///
/// # Safety
/// `tickets` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_tickets_free(tickets: *mut MmsbTickets) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Arriving>(tickets.cast()) }.map(drop))
}
