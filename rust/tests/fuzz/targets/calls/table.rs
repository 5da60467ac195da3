//! Every function of the interface, with arguments of its kinds.
#![allow(clippy::undocumented_unsafe_blocks, reason = "Args makes only pointers that are allowed")]

use super::args::{ALLOCATOR, Args, BATCH, COMPARISON, DELTA, READER, SNAPSHOT};
use super::args::{EVENTS, EXECUTOR, EXPLANATION, PARTITION, PROGRAM, TICKETS, TRANSACTION};
use super::args::{SOFT_CHECKPOINT, STATE, TLOG, VIEW};
use mmsb::ffi::allocator::*;
use mmsb::ffi::batch::*;
use mmsb::ffi::checkpoint::*;
use mmsb::ffi::compare::*;
use mmsb::ffi::delta::*;
use mmsb::ffi::events::*;
use mmsb::ffi::executor::*;
use mmsb::ffi::explain::*;
use mmsb::ffi::graph::*;
use mmsb::ffi::log::*;
use mmsb::ffi::memory::*;
use mmsb::ffi::page::*;
use mmsb::ffi::private::*;
use mmsb::ffi::propagate::*;
use mmsb::ffi::reader::*;
use mmsb::ffi::revert::*;
use mmsb::ffi::semiring::*;
use mmsb::ffi::snapshot::*;
use mmsb::ffi::state::*;
use mmsb::ffi::status::*;
use mmsb::ffi::transact::*;
use mmsb::ffi::view::*;
use mmsb::ffi::{MmsbState, MmsbTickets, MmsbTransaction, MmsbView, rust_mmsb_version};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

type Call = fn(&mut Args<'_>) -> MmsbStatus;
type Free = fn(*mut u64) -> MmsbStatus;

/// How each kind of object ends.
pub const FREES: &[(u8, Free)] = &[
    (VIEW, |at| unsafe { rust_view_free(at.cast()) }),
    (READER, |at| unsafe { rust_tlog_reader_free(at.cast()) }),
    (SNAPSHOT, |at| unsafe { rust_snapshot_free(at.cast()) }),
    (COMPARISON, |at| unsafe { rust_comparison_free(at.cast()) }),
    (SOFT_CHECKPOINT, |at| unsafe { rust_soft_checkpoint_release(at.cast()) }),
    (BATCH, |at| unsafe { rust_batch_free(at.cast()) }),
    (TICKETS, |at| unsafe { rust_tickets_free(at.cast()) }),
    (EVENTS, |at| unsafe { rust_events_free(at.cast()) }),
    (EXPLANATION, |at| unsafe { rust_explanation_free(at.cast()) }),
    (EXECUTOR, |at| unsafe { rust_executor_free(at.cast()) }),
    (PROGRAM, |at| unsafe { rust_program_free(at.cast()) }),
    (TRANSACTION, |at| unsafe { rust_transaction_abort(at.cast()) }),
    (PARTITION, |at| unsafe { rust_partition_free(at.cast()) }),
    (DELTA, |at| unsafe { rust_delta_free(at.cast()) }),
    (TLOG, |at| unsafe { rust_tlog_free(at.cast()) }),
    (ALLOCATOR, |at| unsafe { rust_allocator_free(at.cast()) }),
    (STATE, |at| unsafe { rust_state_close(at.cast()) }),
];

/// A call that makes an object of a kind, unless there are enough.
fn make<T>(a: &mut Args<'_>, kind: u8, call: impl FnOnce(*mut T) -> MmsbStatus) -> MmsbStatus {
    if !a.has_room(kind) {
        return MmsbStatus::Ok;
    }
    let out = a.out::<T>();
    let status = call(out);
    a.made(status, out.cast())
}

/// A call that may tell an LSN.
fn tell(a: &mut Args<'_>, call: impl FnOnce(*mut u64) -> MmsbStatus) -> MmsbStatus {
    let lsn = a.out();
    let status = call(lsn);
    a.told(status, lsn)
}

/// A call that copies to a buffer, and says how much there is.
fn copy<T>(
    a: &mut Args<'_>,
    call: impl FnOnce(*mut T, usize, *mut usize) -> MmsbStatus,
) -> MmsbStatus {
    let ((buf, capacity), len) = (a.buffer::<T>(), a.len());
    let status = call(buf, capacity, len);
    if status == MmsbStatus::Ok {
        assert!(a.value(len).unwrap() <= capacity);
    }
    status
}

/// Two arrays of one length.
fn pair(a: &mut Args<'_>) -> (*const u8, *const u8, usize) {
    let (first, len) = a.bytes();
    (first, a.bytes_of(len), len)
}

/// Checks that what is told of a view can be read and is what it always was.
fn viewed(
    a: &mut Args<'_>,
    status: MmsbStatus,
    view: MmsbView,
    data: *const *const u8,
    len: *const usize,
) -> MmsbStatus {
    if status == MmsbStatus::Ok
        && let (Some(data), Some(len)) = (a.value(data), a.value(len))
    {
        a.check_view(view.id, data, len);
    }
    status
}

/// Looks at all that a change points to.
fn look(a: &Args<'_>, change: MmsbChange) {
    let parts = [
        (change.source.cast(), change.source_len),
        (change.intent.cast(), change.intent_len),
        (change.key, change.key_len),
        (change.value, change.value_len),
        (change.payload, change.payload_len),
    ];
    for (at, len) in parts {
        a.look(at, len);
    }
}

/// Calls back into the interface: reading is fine, closing is refused. Ends some calls.
unsafe extern "C" fn call_back(context: *mut c_void, done: u64) -> c_int {
    let mut state = unsafe { context.cast::<MmsbState>().read() };
    let mut count = 0;
    unsafe { rust_state_page_count(state, &mut count) };
    assert_ne!(unsafe { rust_state_close(&mut state) }, MmsbStatus::Ok);
    c_int::from(done % 5 == 1)
}

/// What a transaction's body does: a page's first byte grows, and the body returns a number.
struct Body {
    page: u64,
    returns: c_int,
    /// The state itself is used, too, which may meet the transaction.
    state: Option<MmsbState>,
}

unsafe extern "C" fn body(context: *mut c_void, transaction: MmsbTransaction) -> c_int {
    let body = unsafe { &*context.cast::<Body>() };
    let mut byte = 0;
    let status = unsafe { rust_transaction_read(transaction, body.page, 0, &mut byte, 1) };
    if status != MmsbStatus::Ok {
        return status as c_int;
    }
    if let Some(state) = body.state {
        let mut count = 0;
        unsafe { rust_state_page_count(state, &mut count) };
    }
    let byte = byte.wrapping_add(1);
    let status = unsafe { rust_transaction_write(transaction, body.page, 0, &byte, 1) };
    if status == MmsbStatus::Ok { body.returns } else { status as c_int }
}

/// A call that calls a body.
fn with_body(
    a: &mut Args<'_>,
    state: Option<MmsbState>,
    call: impl FnOnce(&mut Args<'_>, MmsbBody, *mut c_void) -> MmsbStatus,
) -> MmsbStatus {
    let returns = match a.input.u8() {
        255 => 12345,
        254 => -1,
        253 => MmsbStatus::Conflict as c_int,
        252 => MmsbStatus::InvalidArgument as c_int,
        _ => 0,
    };
    let mut context = Body { page: a.page_id(), returns, state };
    let function: MmsbBody = if a.input.once_in(32) { None } else { Some(body) };
    call(a, function, (&raw mut context).cast())
}

/// A call that gives workers something to do, which is done when it is over: what a later call leaves
/// as it was can be said.
fn submit(a: &mut Args<'_>, call: impl FnOnce(*mut MmsbTickets) -> MmsbStatus) -> MmsbStatus {
    if !a.has_room(TICKETS) {
        return MmsbStatus::Ok;
    }
    let out = a.out::<MmsbTickets>();
    let status = call(out);
    if status == MmsbStatus::Ok
        && let Some(tickets) = a.value(out)
    {
        let mut ready = false;
        while !ready {
            if unsafe { rust_tickets_ready(tickets, &mut ready) } != MmsbStatus::Ok {
                break;
            }
            std::thread::yield_now();
        }
    }
    a.made(status, out.cast())
}

/// A call that tells its progress, or not.
fn long(
    a: &mut Args<'_>,
    mut state: MmsbState,
    call: impl FnOnce(&mut Args<'_>, MmsbProgress, *mut c_void) -> MmsbStatus,
) -> MmsbStatus {
    match a.input.once_in(2) {
        true => call(a, Some(call_back), (&raw mut state).cast()),
        false => call(a, None, ptr::null_mut()),
    }
}

/// A callback of a derived page: the state at `context` refuses it, and it fails now and then.
unsafe extern "C" fn recompute(
    context: *mut c_void,
    page: u64,
    parents: *const MmsbBytes,
    count: usize,
    out: *mut u8,
    len: usize,
    message: *mut c_char,
    capacity: usize,
) -> i32 {
    let state = MmsbState { id: context as u64 };
    let status = unsafe { rust_propagate_run(state, ptr::null(), ptr::null_mut()) };
    assert_ne!(status, MmsbStatus::Ok, "a callback called its state");
    let parents = unsafe { std::slice::from_raw_parts(parents, count) };
    let out = unsafe { std::slice::from_raw_parts_mut(out, len) };
    let mut sum = page as u8;
    for parent in parents {
        let bytes = unsafe { std::slice::from_raw_parts(parent.data, parent.len) };
        sum = bytes.iter().fold(sum, |sum, byte| sum.wrapping_add(*byte));
    }
    out.fill(sum);
    if sum.is_multiple_of(16) {
        assert!(capacity > 4);
        unsafe { message.copy_from_nonoverlapping(c"sum".as_ptr(), 4) };
    }
    (sum.is_multiple_of(16)).into()
}

/// Name and call of every function.
pub const CALLS: &[(&str, Call)] = &[
    ("rust_state_open", |a| {
        let config = a.config();
        make(a, STATE, |out| unsafe { rust_state_open(config, out) })
    }),
    ("rust_state_close", |a| {
        let at = a.handle_place(STATE);
        unsafe { rust_state_close(at.cast()) }
    }),
    ("rust_state_flush", |a| {
        let state = a.state();
        tell(a, |lsn| unsafe { rust_state_flush(state, lsn) })
    }),
    ("rust_state_sync", |a| {
        let state = a.state();
        tell(a, |lsn| unsafe { rust_state_sync(state, lsn) })
    }),
    ("rust_state_digest", |a| {
        let (state, out) = (a.state(), a.out());
        unsafe { rust_state_digest(state, out) }
    }),
    ("rust_state_page_count", |a| {
        let (state, out) = (a.state(), a.out());
        unsafe { rust_state_page_count(state, out) }
    }),
    ("rust_state_list_pages", |a| {
        let state = a.state();
        copy(a, |buf, n, len| unsafe { rust_state_list_pages(state, buf, n, len) })
    }),
    ("rust_state_is_read_only", |a| {
        let (state, out) = (a.state(), a.out());
        unsafe { rust_state_is_read_only(state, out) }
    }),
    ("rust_state_recovered", |a| {
        let (state, out) = (a.state(), a.out());
        unsafe { rust_state_recovered(state, out) }
    }),
    ("rust_state_stats", |a| {
        let (state, out) = (a.state(), a.out());
        unsafe { rust_state_stats(state, out) }
    }),
    ("rust_state_stats_json", |a| {
        let state = a.state();
        copy(a, |buf, n, len| unsafe { rust_state_stats_json(state, buf, n, len) })
    }),
    ("rust_state_replay_to", |a| {
        let (state, lsn) = (a.state(), a.lsn());
        make(a, STATE, |out| unsafe { rust_state_replay_to(state, lsn, out) })
    }),
    ("rust_state_replay_with", |a| {
        let (state, lsn) = (a.state(), a.lsn());
        long(a, state, |a, progress, context| {
            make(a, STATE, |out| unsafe {
                rust_state_replay_with(state, lsn, progress, context, out)
            })
        })
    }),
    ("rust_state_verify", |a| {
        let (state, out) = (a.state(), a.out());
        long(a, state, |_, progress, context| unsafe {
            rust_state_verify(state, progress, context, out)
        })
    }),
    ("rust_state_query", |a| {
        let (state, query) = (a.state(), a.query());
        make(a, READER, |out| unsafe { rust_state_query(state, query, out) })
    }),
    ("rust_state_pooled", |_| {
        assert!(rust_state_pooled() <= 1000);
        MmsbStatus::Ok
    }),
    ("rust_config_default", |a| {
        let (durable, out) = (a.input.once_in(2), a.out());
        unsafe { rust_config_default(durable, out) }
    }),
    ("rust_query_default", |a| {
        let out = a.out();
        unsafe { rust_query_default(out) }
    }),
    ("rust_page_create", |a| {
        let (state, size, location, note, out) =
            (a.state(), a.size(), a.location(), a.note(), a.out());
        unsafe { rust_page_create(state, size, location, note, out) }
    }),
    ("rust_page_create_private", |a| {
        let (state, size, location, note, out) =
            (a.state(), a.size(), a.location(), a.note(), a.out());
        unsafe { rust_page_create_private(state, size, location, note, out) }
    }),
    ("rust_page_is_private", |a| {
        let (page, out) = (a.page(), a.out());
        unsafe { rust_page_is_private(page, out) }
    }),
    ("rust_state_unlock", |a| {
        let (state, key) = (a.state(), a.bytes_of(32));
        unsafe { rust_state_unlock(state, key, 32) }
    }),
    ("rust_state_is_unlocked", |a| {
        let (state, out) = (a.state(), a.out());
        unsafe { rust_state_is_unlocked(state, out) }
    }),
    ("rust_batch_create_private_page", |a| {
        let (batch, size, location, out) = (a.batch(), a.size(), a.location(), a.out());
        unsafe { rust_batch_create_private_page(batch, size, location, out) }
    }),
    ("rust_transaction_create_private_page", |a| {
        let (transaction, size, location, out) = (a.transaction(), a.size(), a.location(), a.out());
        unsafe { rust_transaction_create_private_page(transaction, size, location, out) }
    }),
    ("rust_page_free", |a| {
        let (page, note) = (a.page(), a.note());
        tell(a, |lsn| unsafe { rust_page_free(page, note, lsn) })
    }),
    ("rust_page_update", |a| {
        let (page, note, (bytes, len)) = (a.page(), a.note(), a.any_bytes());
        tell(a, |lsn| unsafe { rust_page_update(page, bytes, len, note, lsn) })
    }),
    ("rust_page_write", |a| {
        let (page, offset, note, (bytes, len)) = (a.page(), a.offset(), a.note(), a.any_bytes());
        tell(a, |lsn| unsafe { rust_page_write(page, offset, bytes, len, note, lsn) })
    }),
    ("rust_page_write_masked", |a| {
        let (page, note, (mask, bytes, len)) = (a.page(), a.note(), pair(a));
        tell(a, |lsn| unsafe { rust_page_write_masked(page, mask, bytes, len, note, lsn) })
    }),
    ("rust_page_read", |a| {
        let (page, offset, (buf, len)) = (a.page(), a.offset(), a.buffer());
        unsafe { rust_page_read(page, offset, buf, len) }
    }),
    ("rust_page_size", |a| {
        let (page, out) = (a.page(), a.out());
        unsafe { rust_page_size(page, out) }
    }),
    ("rust_page_epoch", |a| {
        let (page, out) = (a.page(), a.out());
        unsafe { rust_page_epoch(page, out) }
    }),
    ("rust_page_lsn", |a| {
        let page = a.page();
        tell(a, |lsn| unsafe { rust_page_lsn(page, lsn) })
    }),
    ("rust_page_location", |a| {
        let (page, out) = (a.page(), a.out());
        unsafe { rust_page_location(page, out) }
    }),
    ("rust_page_view", |a| {
        let (page, data, len) = (a.page(), a.out(), a.out());
        let mut view = MmsbView { id: 0 };
        let status = make(a, VIEW, |out: *mut MmsbView| {
            let status = unsafe { rust_page_view(page, out, data, len) };
            if status == MmsbStatus::Ok {
                view = unsafe { out.read() };
            }
            status
        });
        if view.id == 0 { status } else { viewed(a, status, view, data, len) }
    }),
    ("rust_page_metadata_set", |a| {
        let (page, (key, key_len), (value, len), note) =
            (a.page(), a.key(), a.any_bytes(), a.note());
        tell(a, |lsn| unsafe { rust_page_metadata_set(page, key, key_len, value, len, note, lsn) })
    }),
    ("rust_page_metadata_remove", |a| {
        let (page, (key, len), note) = (a.page(), a.key(), a.note());
        tell(a, |lsn| unsafe { rust_page_metadata_remove(page, key, len, note, lsn) })
    }),
    ("rust_page_metadata_get", |a| {
        let (page, (key, key_len)) = (a.page(), a.key());
        copy(a, |buf, n, len| unsafe { rust_page_metadata_get(page, key, key_len, buf, n, len) })
    }),
    ("rust_page_metadata_keys", |a| {
        let page = a.page();
        copy(a, |buf, n, len| unsafe { rust_page_metadata_keys(page, buf, n, len) })
    }),
    ("rust_page_at", |a| {
        let (page, lsn, epoch) = (a.page(), a.lsn(), a.out());
        copy(a, |buf, n, len| unsafe { rust_page_at(page, lsn, buf, n, len, epoch) })
    }),
    ("rust_view_free", |a| {
        let at = a.handle_place(VIEW);
        unsafe { rust_view_free(at.cast()) }
    }),
    ("rust_view_data", |a| {
        let (view, data, len) = (a.view(), a.out(), a.out());
        let status = unsafe { rust_view_data(view, data, len) };
        viewed(a, status, view, data, len)
    }),
    ("rust_view_epoch", |a| {
        let (view, out) = (a.view(), a.out());
        unsafe { rust_view_epoch(view, out) }
    }),
    ("rust_allocator_new", |a| make(a, ALLOCATOR, |out| unsafe { rust_allocator_new(out) })),
    ("rust_allocator_free", |a| {
        let at = a.handle_place(ALLOCATOR);
        unsafe { rust_allocator_free(at.cast()) }
    }),
    ("rust_allocator_allocate", |a| {
        let (pages, size, location, out) = (a.allocator(), a.size(), a.location(), a.out());
        unsafe { rust_allocator_allocate(pages, size, location, out) }
    }),
    ("rust_allocator_release", |a| {
        let (pages, id) = (a.allocator(), a.page_id());
        rust_allocator_release(pages, id)
    }),
    ("rust_allocator_get_page", |a| {
        let (pages, id, out) = (a.allocator(), a.page_id(), a.out());
        unsafe { rust_allocator_get_page(pages, id, out) }
    }),
    ("rust_allocator_page_count", |a| {
        let (pages, out) = (a.allocator(), a.out());
        unsafe { rust_allocator_page_count(pages, out) }
    }),
    ("rust_allocator_list_pages", |a| {
        let pages = a.allocator();
        copy(a, |buf, n, len| unsafe { rust_allocator_list_pages(pages, buf, n, len) })
    }),
    ("rust_allocator_prewarm", |a| {
        let (pages, size) = (a.allocator(), a.size());
        rust_allocator_prewarm(pages, size, usize::from(a.input.u8() % 8))
    }),
    ("rust_allocator_stats", |a| {
        let (pages, out) = (a.allocator(), a.out());
        unsafe { rust_allocator_stats(pages, out) }
    }),
    // Blocks are freed with their allocator: what their address is told to is not looked at again.
    ("rust_allocator_alloc_block", |a| {
        let (pages, size, out) = (a.allocator(), a.size() as usize, a.out());
        let (align, zeroed) = (usize::from(a.input.u8()), a.input.once_in(2));
        unsafe { rust_allocator_alloc_block(pages, size.min(1 << 20), align, zeroed, out) }
    }),
    ("rust_allocator_free_block", |a| {
        let (pages, (at, _)) = (a.allocator(), a.bytes());
        rust_allocator_free_block(pages, at.cast_mut().cast())
    }),
    ("rust_memory_stats", |a| {
        let out = a.out();
        unsafe { rust_memory_stats(out) }
    }),
    ("rust_memory_classes", |a| copy(a, |buf, n, len| unsafe { rust_memory_classes(buf, n, len) })),
    ("rust_memory_report", |a| copy(a, |buf, n, len| unsafe { rust_memory_report(buf, n, len) })),
    ("rust_memory_prewarm", |a| {
        let (size, align) = (a.size() as usize, usize::from(a.input.u8()));
        rust_memory_prewarm(size, align, usize::from(a.input.u8() % 8))
    }),
    ("rust_memory_purge", |a| {
        let out = a.out();
        unsafe { rust_memory_purge(out) }
    }),
    // All that runs in the process shares it: a limit that hurts would hurt others.
    ("rust_memory_set_limit", |a| rust_memory_set_limit(u64::from(a.input.u8()) << 40)),
    ("rust_memory_set_retention", |a| {
        rust_memory_set_retention(u64::from(a.input.u8()) << 20, a.input.u8().into())
    }),
    ("rust_memory_set_huge_pages", |a| rust_memory_set_huge_pages(a.input.once_in(2))),
    ("rust_memory_check", |_| rust_memory_check()),
    ("rust_allocator_clear", |a| {
        let pages = a.allocator();
        rust_allocator_clear(pages)
    }),
    ("rust_batch_new", |a| {
        let state = a.state();
        make(a, BATCH, |out| unsafe { rust_batch_new(state, out) })
    }),
    ("rust_batch_free", |a| {
        let at = a.handle_place(BATCH);
        unsafe { rust_batch_free(at.cast()) }
    }),
    ("rust_batch_commit", |a| {
        let (at, note) = (a.handle_place(BATCH), a.note());
        tell(a, |lsn| unsafe { rust_batch_commit(at.cast(), note, lsn) })
    }),
    ("rust_batch_create_page", |a| {
        let (batch, size, location, out) = (a.batch(), a.size(), a.location(), a.out());
        unsafe { rust_batch_create_page(batch, size, location, out) }
    }),
    ("rust_batch_free_page", |a| {
        let (batch, id) = (a.batch(), a.page_id());
        rust_batch_free_page(batch, id)
    }),
    ("rust_batch_update", |a| {
        let (batch, id, (bytes, len)) = (a.batch(), a.page_id(), a.any_bytes());
        unsafe { rust_batch_update(batch, id, bytes, len) }
    }),
    ("rust_batch_write", |a| {
        let (batch, id, offset, (bytes, len)) = (a.batch(), a.page_id(), a.offset(), a.any_bytes());
        unsafe { rust_batch_write(batch, id, offset, bytes, len) }
    }),
    ("rust_batch_apply", |a| {
        let (batch, delta) = (a.batch(), a.delta());
        rust_batch_apply(batch, delta)
    }),
    ("rust_batch_metadata_set", |a| {
        let (batch, id, (key, key_len), (value, len)) =
            (a.batch(), a.page_id(), a.key(), a.any_bytes());
        unsafe { rust_batch_metadata_set(batch, id, key, key_len, value, len) }
    }),
    ("rust_batch_metadata_remove", |a| {
        let (batch, id, (key, len)) = (a.batch(), a.page_id(), a.key());
        unsafe { rust_batch_metadata_remove(batch, id, key, len) }
    }),
    ("rust_checkpoint_create", |a| {
        let (state, name) = (a.state(), a.text());
        tell(a, |lsn| unsafe { rust_checkpoint_create(state, name, lsn) })
    }),
    ("rust_checkpoint_create_with", |a| {
        let (state, name) = (a.state(), a.text());
        long(a, state, |a, progress, context| {
            tell(a, |lsn| unsafe {
                rust_checkpoint_create_with(state, name, progress, context, lsn)
            })
        })
    }),
    ("rust_checkpoint_drop", |a| {
        let (state, name) = (a.state(), a.text());
        unsafe { rust_checkpoint_drop(state, name) }
    }),
    ("rust_checkpoint_list", |a| {
        let state = a.state();
        copy(a, |buf, n, len| unsafe { rust_checkpoint_list(state, buf, n, len) })
    }),
    ("rust_checkpoint_write", |a| {
        let (state, path) = (a.state(), a.path());
        tell(a, |lsn| unsafe { rust_checkpoint_write(state, path, lsn) })
    }),
    ("rust_checkpoint_write_with", |a| {
        let (state, path) = (a.state(), a.path());
        long(a, state, |a, progress, context| {
            tell(a, |lsn| unsafe {
                rust_checkpoint_write_with(state, path, progress, context, lsn)
            })
        })
    }),
    ("rust_checkpoint_load", |a| {
        let path = a.path();
        make(a, STATE, |out| unsafe { rust_checkpoint_load(path, out) })
    }),
    ("rust_delta_new", |a| {
        let (id, (bytes, len)) = (a.page_id(), a.any_bytes());
        make(a, DELTA, |out| unsafe { rust_delta_new(id, bytes, len, out) })
    }),
    ("rust_delta_new_sparse", |a| {
        let (id, (mask, bytes, len)) = (a.page_id(), pair(a));
        make(a, DELTA, |out| unsafe { rust_delta_new_sparse(id, mask, bytes, len, out) })
    }),
    ("rust_delta_new_runs", |a| {
        let (id, (runs, count), (bytes, len)) = (a.page_id(), a.runs(), a.payload());
        make(a, DELTA, |out| unsafe { rust_delta_new_runs(id, runs, count, bytes, len, out) })
    }),
    ("rust_delta_with_note", |a| {
        let (delta, source, intent) = (a.delta(), a.text(), a.text());
        make(a, DELTA, |out| unsafe { rust_delta_with_note(delta, source, intent, out) })
    }),
    ("rust_delta_free", |a| {
        let at = a.handle_place(DELTA);
        unsafe { rust_delta_free(at.cast()) }
    }),
    ("rust_delta_apply", |a| {
        let (delta, owner) = (a.delta(), a.owner());
        tell(a, |lsn| unsafe { rust_delta_apply(delta, owner, lsn) })
    }),
    ("rust_delta_apply_to", |a| {
        let (delta, page) = (a.delta(), a.page());
        tell(a, |lsn| unsafe { rust_delta_apply_to(delta, page, lsn) })
    }),
    ("rust_delta_merge", |a| {
        let (earlier, later) = (a.delta(), a.delta());
        make(a, DELTA, |out| unsafe { rust_delta_merge(earlier, later, out) })
    }),
    ("rust_delta_validate", |a| {
        let (delta, size) = (a.delta(), a.size());
        rust_delta_validate(delta, size as usize)
    }),
    ("rust_delta_info", |a| {
        let (delta, out) = (a.delta(), a.out());
        unsafe { rust_delta_info(delta, out) }
    }),
    ("rust_delta_runs", |a| {
        let delta = a.delta();
        copy(a, |buf, n, len| unsafe { rust_delta_runs(delta, buf, n, len) })
    }),
    ("rust_delta_payload", |a| {
        let delta = a.delta();
        copy(a, |buf, n, len| unsafe { rust_delta_payload(delta, buf, n, len) })
    }),
    ("rust_delta_source", |a| {
        let delta = a.delta();
        copy(a, |buf, n, len| unsafe { rust_delta_source(delta, buf, n, len) })
    }),
    ("rust_delta_intent", |a| {
        let (delta, present) = (a.delta(), a.out());
        copy(a, |buf, n, len| unsafe { rust_delta_intent(delta, buf, n, len, present) })
    }),
    ("rust_snapshot_new", |a| {
        let state = a.state();
        make(a, SNAPSHOT, |out| unsafe { rust_snapshot_new(state, out) })
    }),
    ("rust_snapshot_free", |a| {
        let at = a.handle_place(SNAPSHOT);
        unsafe { rust_snapshot_free(at.cast()) }
    }),
    ("rust_snapshot_lsn", |a| {
        let snapshot = a.snapshot();
        tell(a, |lsn| unsafe { rust_snapshot_lsn(snapshot, lsn) })
    }),
    ("rust_snapshot_digest", |a| {
        let (snapshot, out) = (a.snapshot(), a.out());
        unsafe { rust_snapshot_digest(snapshot, out) }
    }),
    ("rust_snapshot_page_size", |a| {
        let (snapshot, id, out) = (a.snapshot(), a.page_id(), a.out());
        unsafe { rust_snapshot_page_size(snapshot, id, out) }
    }),
    ("rust_snapshot_page_epoch", |a| {
        let (snapshot, id, out) = (a.snapshot(), a.page_id(), a.out());
        unsafe { rust_snapshot_page_epoch(snapshot, id, out) }
    }),
    ("rust_snapshot_read", |a| {
        let (snapshot, id, offset, (buf, len)) =
            (a.snapshot(), a.page_id(), a.offset(), a.buffer());
        unsafe { rust_snapshot_read(snapshot, id, offset, buf, len) }
    }),
    ("rust_snapshot_metadata_get", |a| {
        let (snapshot, id, (key, key_len)) = (a.snapshot(), a.page_id(), a.key());
        copy(a, |buf, n, len| unsafe {
            rust_snapshot_metadata_get(snapshot, id, key, key_len, buf, n, len)
        })
    }),
    ("rust_snapshot_metadata_keys", |a| {
        let (snapshot, id) = (a.snapshot(), a.page_id());
        copy(a, |buf, n, len| unsafe { rust_snapshot_metadata_keys(snapshot, id, buf, n, len) })
    }),
    ("rust_snapshot_list_pages", |a| {
        let snapshot = a.snapshot();
        copy(a, |buf, n, len| unsafe { rust_snapshot_list_pages(snapshot, buf, n, len) })
    }),
    ("rust_snapshot_compare", |a| {
        let (from, to) = (a.snapshot(), a.snapshot());
        make(a, COMPARISON, |out| unsafe { rust_snapshot_compare(from, to, out) })
    }),
    ("rust_state_compare", |a| {
        let (state, from) = (a.state(), a.snapshot());
        make(a, COMPARISON, |out| unsafe { rust_state_compare(state, from, out) })
    }),
    ("rust_comparison_len", |a| {
        let (comparison, out) = (a.comparison(), a.out());
        unsafe { rust_comparison_len(comparison, out) }
    }),
    ("rust_comparison_get", |a| {
        let (comparison, index, out) = (a.comparison(), a.input.u8() as usize, a.out());
        let status = unsafe { rust_comparison_get(comparison, index, out) };
        if status == MmsbStatus::Ok
            && let Some(difference) = a.value::<MmsbDifference>(out)
        {
            a.look(difference.runs.cast(), difference.runs_len * size_of::<MmsbRun>());
        }
        status
    }),
    ("rust_comparison_free", |a| {
        let at = a.handle_place(COMPARISON);
        unsafe { rust_comparison_free(at.cast()) }
    }),
    ("rust_snapshot_write", |a| {
        let (snapshot, state, path) = (a.snapshot(), a.state(), a.path());
        long(a, state, |a, progress, context| {
            tell(a, |lsn| unsafe { rust_snapshot_write(snapshot, path, progress, context, lsn) })
        })
    }),
    ("rust_state_soft_checkpoint", |a| {
        let state = a.state();
        make(a, SOFT_CHECKPOINT, |out| unsafe { rust_state_soft_checkpoint(state, out) })
    }),
    ("rust_state_revert", |a| {
        let (state, mark, note) = (a.state(), a.soft_checkpoint(), a.note());
        tell(a, |lsn| unsafe { rust_state_revert(state, mark, note, lsn) })
    }),
    ("rust_soft_checkpoint_lsn", |a| {
        let mark = a.soft_checkpoint();
        tell(a, |lsn| unsafe { rust_soft_checkpoint_lsn(mark, lsn) })
    }),
    ("rust_soft_checkpoint_release", |a| {
        let at = a.handle_place(SOFT_CHECKPOINT);
        unsafe { rust_soft_checkpoint_release(at.cast()) }
    }),
    ("rust_transaction_begin", |a| {
        let (state, read_only) = (a.state(), a.input.once_in(4));
        make(a, TRANSACTION, |out| unsafe { rust_transaction_begin(state, read_only, out) })
    }),
    ("rust_transaction_commit", |a| {
        let (at, note) = (a.handle_place(TRANSACTION), a.note());
        tell(a, |lsn| unsafe { rust_transaction_commit(at.cast(), note, lsn) })
    }),
    ("rust_transaction_abort", |a| {
        let at = a.handle_place(TRANSACTION);
        unsafe { rust_transaction_abort(at.cast()) }
    }),
    ("rust_transaction_check", |a| {
        let transaction = a.transaction();
        rust_transaction_check(transaction)
    }),
    ("rust_transaction_read", |a| {
        let (transaction, id, offset, (buf, len)) =
            (a.transaction(), a.page_id(), a.offset(), a.buffer());
        unsafe { rust_transaction_read(transaction, id, offset, buf, len) }
    }),
    ("rust_transaction_page_size", |a| {
        let (transaction, id, out) = (a.transaction(), a.page_id(), a.out());
        unsafe { rust_transaction_page_size(transaction, id, out) }
    }),
    ("rust_transaction_contains", |a| {
        let (transaction, id, out) = (a.transaction(), a.page_id(), a.out());
        unsafe { rust_transaction_contains(transaction, id, out) }
    }),
    ("rust_transaction_list_pages", |a| {
        let transaction = a.transaction();
        copy(a, |buf, capacity, len| unsafe {
            rust_transaction_list_pages(transaction, buf, capacity, len)
        })
    }),
    ("rust_transaction_create_page", |a| {
        let (transaction, size, location, out) = (a.transaction(), a.size(), a.location(), a.out());
        unsafe { rust_transaction_create_page(transaction, size, location, out) }
    }),
    ("rust_transaction_free_page", |a| {
        let (transaction, id) = (a.transaction(), a.page_id());
        rust_transaction_free_page(transaction, id)
    }),
    ("rust_transaction_write", |a| {
        let (transaction, id, offset, (bytes, len)) =
            (a.transaction(), a.page_id(), a.offset(), a.any_bytes());
        unsafe { rust_transaction_write(transaction, id, offset, bytes, len) }
    }),
    ("rust_transaction_update", |a| {
        let (transaction, id, (bytes, len)) = (a.transaction(), a.page_id(), a.any_bytes());
        unsafe { rust_transaction_update(transaction, id, bytes, len) }
    }),
    ("rust_transaction_apply", |a| {
        let (transaction, delta) = (a.transaction(), a.delta());
        rust_transaction_apply(transaction, delta)
    }),
    ("rust_transaction_metadata_get", |a| {
        let (transaction, id, (key, key_len)) = (a.transaction(), a.page_id(), a.key());
        copy(a, |buf, capacity, len| unsafe {
            rust_transaction_metadata_get(transaction, id, key, key_len, buf, capacity, len)
        })
    }),
    ("rust_transaction_metadata_set", |a| {
        let (transaction, id, (key, key_len), (value, len)) =
            (a.transaction(), a.page_id(), a.key(), a.any_bytes());
        unsafe { rust_transaction_metadata_set(transaction, id, key, key_len, value, len) }
    }),
    ("rust_transaction_metadata_remove", |a| {
        let (transaction, id, (key, len)) = (a.transaction(), a.page_id(), a.key());
        unsafe { rust_transaction_metadata_remove(transaction, id, key, len) }
    }),
    ("rust_transaction_set_ownership", |a| {
        let (transaction, id, ownership) = (a.transaction(), a.page_id(), a.ownership());
        rust_transaction_set_ownership(transaction, id, ownership)
    }),
    ("rust_transaction_savepoint", |a| {
        let (transaction, out) = (a.transaction(), a.out());
        unsafe { rust_transaction_savepoint(transaction, out) }
    }),
    ("rust_transaction_rollback", |a| {
        // Some of those before this one are the transaction's, too.
        let (transaction, before) = (a.transaction(), u64::from(a.input.u8()) % 8);
        let mut here = MmsbSavepoint { id: 0 };
        let _ = unsafe { rust_transaction_savepoint(transaction, &mut here) };
        let id = here.id.wrapping_sub(before);
        rust_transaction_rollback(transaction, MmsbSavepoint { id })
    }),
    ("rust_transaction_after_conflict", |a| {
        let (state, retry, conflicts) = (a.state(), a.retry(), u32::from(a.input.u8()) % 6);
        unsafe { rust_transaction_after_conflict(state, retry, conflicts) }
    }),
    ("rust_transact", |a| {
        let (state, retry, note) = (a.state(), a.retry(), a.note());
        with_body(a, Some(state), |a, body, context| {
            tell(a, |lsn| unsafe { rust_transact(state, retry, note, body, context, lsn) })
        })
    }),
    ("rust_partition_open", |a| {
        let (state, number) = (a.state(), a.ownership());
        make(a, PARTITION, |out| unsafe { rust_partition_open(state, number, out) })
    }),
    ("rust_partition_free", |a| {
        let at = a.handle_place(PARTITION);
        unsafe { rust_partition_free(at.cast()) }
    }),
    ("rust_partition_begin", |a| {
        let partition = a.partition();
        make(a, TRANSACTION, |out| unsafe { rust_partition_begin(partition, out) })
    }),
    ("rust_partition_transact", |a| {
        let (partition, retry, note) = (a.partition(), a.retry(), a.note());
        with_body(a, None, |a, body, context| {
            tell(a, |lsn| unsafe {
                rust_partition_transact(partition, retry, note, body, context, lsn)
            })
        })
    }),
    ("rust_page_ownership", |a| {
        let (page, out) = (a.page(), a.out());
        unsafe { rust_page_ownership(page, out) }
    }),
    ("rust_page_set_ownership", |a| {
        let (page, ownership, note) = (a.page(), a.ownership(), a.note());
        tell(a, |lsn| unsafe { rust_page_set_ownership(page, ownership, note, lsn) })
    }),
    ("rust_program_new", |a| make(a, PROGRAM, |out| unsafe { rust_program_new(out) })),
    ("rust_program_from_bytes", |a| {
        let (bytes, len) = a.any_bytes();
        make(a, PROGRAM, |out| unsafe { rust_program_from_bytes(bytes, len, out) })
    }),
    ("rust_program_free", |a| {
        let at = a.handle_place(PROGRAM);
        unsafe { rust_program_free(at.cast()) }
    }),
    ("rust_program_add", |a| {
        let (program, at, by) = (a.program(), a.place_in_page(), a.input.u64() as i64);
        rust_program_add(program, at, by)
    }),
    ("rust_program_add_float", |a| {
        let (program, at, by) = (a.program(), a.place_in_page(), f64::from_bits(a.input.u64()));
        rust_program_add_float(program, at, by)
    }),
    ("rust_program_compare_and_swap", |a| {
        let (program, at, (expected, bytes, len)) = (a.program(), a.place_in_page(), pair(a));
        unsafe { rust_program_compare_and_swap(program, at, expected, bytes, len) }
    }),
    ("rust_program_transfer", |a| {
        let (program, from, to) = (a.program(), a.place_in_page(), a.place_in_page());
        rust_program_transfer(program, from, to, u64::from(a.input.u8()))
    }),
    ("rust_program_write", |a| {
        let (program, at, (bytes, len)) = (a.program(), a.place_in_page(), a.any_bytes());
        unsafe { rust_program_write(program, at, bytes, len) }
    }),
    ("rust_program_require", |a| {
        let (program, at, relation) = (a.program(), a.place_in_page(), u32::from(a.input.u8()) % 7);
        rust_program_require(program, at, relation, u64::from(a.input.u8()))
    }),
    ("rust_program_bytes", |a| {
        let program = a.program();
        copy(a, |buf, capacity, len| unsafe { rust_program_bytes(program, buf, capacity, len) })
    }),
    ("rust_executor_new", |a| {
        let (state, config) = (a.state(), a.executor_config());
        make(a, EXECUTOR, |out| unsafe { rust_executor_new(state, config, out) })
    }),
    ("rust_executor_free", |a| {
        let at = a.handle_place(EXECUTOR);
        unsafe { rust_executor_free(at.cast()) }
    }),
    ("rust_executor_stop", |a| {
        let (at, left) = (a.handle_place(EXECUTOR), a.out());
        unsafe { rust_executor_stop(at.cast(), left) }
    }),
    ("rust_executor_workers", |a| {
        let (executor, workers, pinned) = (a.executor(), a.out(), a.out());
        unsafe { rust_executor_workers(executor, workers, pinned) }
    }),
    ("rust_executor_submit", |a| {
        let (executor, (programs, count), source) = (a.executor(), a.handles(PROGRAM), a.text());
        submit(a, |out| unsafe { rust_executor_submit(executor, programs, count, source, out) })
    }),
    ("rust_executor_apply", |a| {
        let (executor, (deltas, count)) = (a.executor(), a.handles(DELTA));
        submit(a, |out| unsafe { rust_executor_apply(executor, deltas, count, out) })
    }),
    ("rust_tickets_ready", |a| {
        let (tickets, out) = (a.tickets(), a.out());
        unsafe { rust_tickets_ready(tickets, out) }
    }),
    ("rust_tickets_wait", |a| {
        let (at, (results, count)) = (a.handle_place(TICKETS), a.buffer());
        unsafe { rust_tickets_wait(at.cast(), results, count % 5) }
    }),
    ("rust_tickets_free", |a| {
        let at = a.handle_place(TICKETS);
        unsafe { rust_tickets_free(at.cast()) }
    }),
    ("rust_state_prometheus", |a| {
        let (state, name) = (a.state(), a.text());
        copy(a, |buf, capacity, len| unsafe {
            rust_state_prometheus(state, name, buf, capacity, len)
        })
    }),
    ("rust_graph_add_edge", |a| {
        let (state, parent, child, kind, note) =
            (a.state(), a.page_id(), a.page_id(), u32::from(a.input.u8()) % 5, a.note());
        tell(a, |lsn| unsafe { rust_graph_add_edge(state, parent, child, kind, note, lsn) })
    }),
    ("rust_graph_remove_edge", |a| {
        let (state, parent, child, kind, note) =
            (a.state(), a.page_id(), a.page_id(), u32::from(a.input.u8()) % 5, a.note());
        tell(a, |lsn| unsafe { rust_graph_remove_edge(state, parent, child, kind, note, lsn) })
    }),
    ("rust_graph_parents", |a| {
        let (state, id) = (a.state(), a.page_id());
        copy(a, |buf, capacity, len| unsafe { rust_graph_parents(state, id, buf, capacity, len) })
    }),
    ("rust_graph_children", |a| {
        let (state, id) = (a.state(), a.page_id());
        copy(a, |buf, capacity, len| unsafe { rust_graph_children(state, id, buf, capacity, len) })
    }),
    ("rust_graph_ancestors", |a| {
        let (state, id) = (a.state(), a.page_id());
        copy(a, |buf, capacity, len| unsafe { rust_graph_ancestors(state, id, buf, capacity, len) })
    }),
    ("rust_graph_descendants", |a| {
        let (state, id) = (a.state(), a.page_id());
        copy(a, |buf, capacity, len| unsafe {
            rust_graph_descendants(state, id, buf, capacity, len)
        })
    }),
    ("rust_graph_order", |a| {
        let state = a.state();
        copy(a, |buf, capacity, len| unsafe { rust_graph_order(state, buf, capacity, len) })
    }),
    ("rust_graph_edge_count", |a| {
        let (state, out) = (a.state(), a.out());
        unsafe { rust_graph_edge_count(state, out) }
    }),
    ("rust_graph_dot", |a| {
        let state = a.state();
        copy(a, |buf, capacity, len| unsafe { rust_graph_dot(state, buf, capacity, len) })
    }),
    ("rust_graph_svg", |a| {
        let state = a.state();
        copy(a, |buf, capacity, len| unsafe { rust_graph_svg(state, buf, capacity, len) })
    }),
    ("rust_graph_free_cascade", |a| {
        let (state, id, note, count) = (a.state(), a.page_id(), a.note(), a.out());
        tell(a, |lsn| unsafe { rust_graph_free_cascade(state, id, note, count, lsn) })
    }),
    ("rust_propagate_derive", |a| {
        let (state, id, (parents, count)) = (a.state(), a.page_id(), a.page_ids());
        let (formula, note) = (a.formula(), a.note());
        tell(a, |lsn| unsafe {
            rust_propagate_derive(state, id, parents, count, formula, note, lsn)
        })
    }),
    ("rust_propagate_derive_by", |a| {
        let (state, id, (parents, count)) = (a.state(), a.page_id(), a.page_ids());
        let (name, note) = (a.text(), a.note());
        tell(a, |lsn| unsafe {
            rust_propagate_derive_by(state, id, parents, count, name, note, lsn)
        })
    }),
    ("rust_propagate_derive_with", |a| {
        let (state, id, (parents, count)) = (a.state(), a.page_id(), a.page_ids());
        let (name, note, any_thread) = (a.text(), a.note(), a.input.once_in(2));
        let callback: MmsbRecompute = if a.input.once_in(8) { None } else { Some(recompute) };
        let context = state.id as *mut c_void;
        tell(a, |lsn| unsafe {
            rust_propagate_derive_with(
                state, id, parents, count, name, callback, context, None, any_thread, note, lsn,
            )
        })
    }),
    ("rust_propagate_register", |a| {
        let (state, name, any_thread) = (a.state(), a.text(), a.input.once_in(2));
        let callback: MmsbRecompute = if a.input.once_in(8) { None } else { Some(recompute) };
        let context = state.id as *mut c_void;
        unsafe { rust_propagate_register(state, name, callback, context, None, any_thread) }
    }),
    ("rust_propagate_set_formula", |a| {
        let (state, id, formula, note) = (a.state(), a.page_id(), a.formula(), a.note());
        tell(a, |lsn| unsafe { rust_propagate_set_formula(state, id, formula, note, lsn) })
    }),
    ("rust_propagate_set_callback", |a| {
        let (state, id, name, note) = (a.state(), a.page_id(), a.text(), a.note());
        tell(a, |lsn| unsafe { rust_propagate_set_callback(state, id, name, note, lsn) })
    }),
    ("rust_propagate_underive", |a| {
        let (state, id, note) = (a.state(), a.page_id(), a.note());
        tell(a, |lsn| unsafe { rust_propagate_underive(state, id, note, lsn) })
    }),
    ("rust_propagate_rule", |a| {
        let (state, id, kind) = (a.state(), a.page_id(), a.out());
        copy(a, |buf, capacity, len| unsafe {
            rust_propagate_rule(state, id, kind, buf, capacity, len)
        })
    }),
    ("rust_propagate_staleness", |a| {
        let (state, id, out) = (a.state(), a.page_id(), a.out());
        unsafe { rust_propagate_staleness(state, id, out) }
    }),
    ("rust_propagate_stale_pages", |a| {
        let state = a.state();
        copy(a, |buf, capacity, len| unsafe {
            rust_propagate_stale_pages(state, buf, capacity, len)
        })
    }),
    ("rust_propagate_run", |a| {
        let (state, note) = (a.state(), a.note());
        tell(a, |lsn| unsafe { rust_propagate_run(state, note, lsn) })
    }),
    ("rust_propagate_mode", |a| {
        let (state, out) = (a.state(), a.out());
        unsafe { rust_propagate_mode(state, out) }
    }),
    ("rust_propagate_set_mode", |a| {
        let state = a.state();
        rust_propagate_set_mode(state, u32::from(a.input.u8()) % 3)
    }),
    ("rust_propagate_set_threads", |a| {
        let state = a.state();
        rust_propagate_set_threads(state, usize::from(a.input.u8()) % 80)
    }),
    ("rust_propagate_threads", |a| {
        let (state, out) = (a.state(), a.out());
        unsafe { rust_propagate_threads(state, out) }
    }),
    ("rust_propagate_check_purity", |a| {
        let state = a.state();
        rust_propagate_check_purity(state, a.input.once_in(2))
    }),
    ("rust_propagate_stats", |a| {
        let (state, out) = (a.state(), a.out());
        unsafe { rust_propagate_stats(state, out) }
    }),
    ("rust_propagate_set_patient", |a| rust_propagate_set_patient(!a.input.once_in(8))),
    ("rust_propagate_explain", |a| {
        let (state, id) = (a.state(), a.page_id());
        make(a, EXPLANATION, |out| unsafe { rust_propagate_explain(state, id, out) })
    }),
    ("rust_explanation_len", |a| {
        let (explanation, count, dropped) = (a.explanation(), a.out(), a.out());
        unsafe { rust_explanation_len(explanation, count, dropped) }
    }),
    ("rust_explanation_get", |a| {
        let (explanation, index, out) = (a.explanation(), a.input.u8() as usize % 9, a.out());
        unsafe { rust_explanation_get(explanation, index, out) }
    }),
    ("rust_explanation_text", |a| {
        let explanation = a.explanation();
        copy(a, |buf, capacity, len| unsafe {
            rust_explanation_text(explanation, buf, capacity, len)
        })
    }),
    ("rust_explanation_free", |a| {
        let at = a.handle_place(EXPLANATION);
        unsafe { rust_explanation_free(at.cast()) }
    }),
    ("rust_semiring_add", |a| {
        let (semiring, out) = (u32::from(a.input.u8()) % 6, a.out());
        unsafe { rust_semiring_add(semiring, 1.0, f64::NAN, out) }
    }),
    ("rust_semiring_mul", |a| {
        let (semiring, out) = (u32::from(a.input.u8()) % 6, a.out());
        unsafe { rust_semiring_mul(semiring, 2.0, 3.0, out) }
    }),
    ("rust_semiring_fold_add", |a| {
        let (semiring, (values, count), out) = (u32::from(a.input.u8()) % 6, a.numbers(), a.out());
        unsafe { rust_semiring_fold_add(semiring, values, count, out) }
    }),
    ("rust_semiring_fold_mul", |a| {
        let (semiring, (values, count), out) = (u32::from(a.input.u8()) % 6, a.numbers(), a.out());
        unsafe { rust_semiring_fold_mul(semiring, values, count, out) }
    }),
    ("rust_semiring_accumulate", |a| {
        let (semiring, (values, count), out) = (u32::from(a.input.u8()) % 6, a.numbers(), a.out());
        unsafe { rust_semiring_accumulate(semiring, 1.5, values, count, out) }
    }),
    ("rust_events_subscribe", |a| {
        let (state, filter) = (a.state(), a.event_filter());
        make(a, EVENTS, |out| unsafe { rust_events_subscribe(state, filter, out) })
    }),
    ("rust_events_poll", |a| {
        let (events, (buf, capacity), count) = (a.events(), a.buffer(), a.out::<usize>());
        let status = unsafe { rust_events_poll(events, buf, capacity, count) };
        if status == MmsbStatus::Ok {
            assert!(a.value(count).unwrap() <= capacity);
        }
        status
    }),
    ("rust_events_wait", |a| {
        let (events, timeout_us, ready) = (a.events(), a.input.u8().into(), a.out());
        unsafe { rust_events_wait(events, timeout_us, ready) }
    }),
    ("rust_events_since", |a| {
        let events = a.events();
        tell(a, |lsn| unsafe { rust_events_since(events, lsn) })
    }),
    ("rust_events_lost", |a| {
        let (events, lost, groups) = (a.events(), a.out(), a.out());
        unsafe { rust_events_lost(events, lost, groups) }
    }),
    ("rust_events_close", |a| rust_events_close(a.events())),
    ("rust_events_free", |a| {
        let at = a.handle_place(EVENTS);
        unsafe { rust_events_free(at.cast()) }
    }),
    ("rust_tlog_new", |a| {
        let path = a.path();
        make(a, TLOG, |out| unsafe { rust_tlog_new(path, out) })
    }),
    ("rust_tlog_open", |a| {
        let config = a.config();
        make(a, TLOG, |out| unsafe { rust_tlog_open(config, out) })
    }),
    ("rust_tlog_free", |a| {
        let at = a.handle_place(TLOG);
        unsafe { rust_tlog_free(at.cast()) }
    }),
    ("rust_tlog_append", |a| {
        let (log, delta) = (a.tlog(), a.delta());
        tell(a, |lsn| unsafe { rust_tlog_append(log, delta, lsn) })
    }),
    ("rust_tlog_flush", |a| {
        let log = a.tlog();
        tell(a, |lsn| unsafe { rust_tlog_flush(log, lsn) })
    }),
    ("rust_tlog_sync", |a| {
        let log = a.tlog();
        tell(a, |lsn| unsafe { rust_tlog_sync(log, lsn) })
    }),
    ("rust_tlog_summary", |a| {
        let (log, out) = (a.tlog(), a.out());
        unsafe { rust_tlog_summary(log, out) }
    }),
    ("rust_tlog_reader_new", |a| {
        let (log, after, to) = (a.tlog(), a.lsn(), a.lsn());
        make(a, READER, |out| unsafe { rust_tlog_reader_new(log, after, to, out) })
    }),
    ("rust_tlog_query", |a| {
        let (log, query) = (a.tlog(), a.query());
        make(a, READER, |out| unsafe { rust_tlog_query(log, query, out) })
    }),
    ("rust_tlog_reader_next", |a| {
        let (reader, out, more) = (a.reader(), a.out(), a.out());
        let status = unsafe { rust_tlog_reader_next(reader, out, more) };
        if status == MmsbStatus::Ok && a.value(more) == Some(true) {
            look(a, a.value(out).unwrap());
        }
        status
    }),
    ("rust_tlog_reader_delta", |a| {
        let reader = a.reader();
        make(a, DELTA, |out| unsafe { rust_tlog_reader_delta(reader, out) })
    }),
    ("rust_tlog_reader_free", |a| {
        let at = a.handle_place(READER);
        unsafe { rust_tlog_reader_free(at.cast()) }
    }),
    ("rust_error_count", |_| {
        assert!(rust_error_count() > 0);
        MmsbStatus::Ok
    }),
    ("rust_error_info", |a| {
        let (row, out) = (a.input.u8() as usize, a.out());
        unsafe { rust_error_info(row, out) }
    }),
    ("rust_error_is_retryable", |a| {
        rust_error_is_retryable(a.input.u64() as i32);
        MmsbStatus::Ok
    }),
    ("rust_error_is_fatal", |a| {
        rust_error_is_fatal(a.input.u64() as i32);
        MmsbStatus::Ok
    }),
    ("rust_error_message", |_| {
        assert!(!unsafe { CStr::from_ptr(rust_error_message()) }.is_empty());
        MmsbStatus::Ok
    }),
    ("rust_result_message", |a| {
        let at = usize::from(a.input.u8());
        assert!(unsafe { CStr::from_ptr(rust_result_message(at)) }.to_str().is_ok());
        MmsbStatus::Ok
    }),
    ("rust_mmsb_version", |_| {
        assert!(!unsafe { CStr::from_ptr(rust_mmsb_version()) }.is_empty());
        MmsbStatus::Ok
    }),
];
