//! Transactions, partitions, and who may change a page.

use super::pointer::{
    MmsbNote, Out, copy_items, copy_out, note_at, optional_out, reference, slice, slice_mut,
};
use super::state::{location_of, set};
use super::status::{MmsbStatus, call, call_state, guarded};
use super::{MmsbDelta, MmsbPage, MmsbPartition, MmsbState, MmsbTransaction, handle, take};
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::log::record::check_note;
use crate::page::Delta;
use crate::state::{Partition, State, Transaction};
use crate::txn::{Retry, Savepoint};
use crate::types::{Lsn, Note, Ownership, PageId};
use parking_lot::Mutex;
use std::ffi::{c_int, c_void};
use std::time::Duration;

type Held = Mutex<Transaction<'static>>;

/// How often a transaction that met another is tried again.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbRetry {
    /// Tries in all, at least 1; 0 for the default, 1,000.
    pub tries: u32,
    /// The longest pause between two, microseconds; 0 for the default, 1,000.
    pub pause_max_us: u32,
}

/// What a transaction consists of, for `rust_transact`: uses the transaction, without ending it, and
/// returns 0, or the `MmsbStatus` to give up with.
pub type MmsbBody =
    Option<unsafe extern "C" fn(context: *mut c_void, transaction: MmsbTransaction) -> c_int>;

/// A place in a transaction to go back to: a plain value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbSavepoint {
    /// Which one it is, of all in the process.
    pub id: u64,
}

/// # Safety
/// `at` is null or valid for a read.
pub(super) unsafe fn retry_at(at: *const MmsbRetry) -> Result<Retry> {
    let mut retry = Retry::default();
    if at.is_null() {
        return Ok(retry);
    }
    // SAFETY: the caller's promise.
    let given = unsafe { reference(at, "retry") }?;
    if given.tries > 0 {
        retry.tries = given.tries;
    }
    if given.pause_max_us > 0 {
        retry.pause_max = Duration::from_micros(given.pause_max_us.into());
    }
    Ok(retry)
}

/// Begins a transaction; `read_only`: one that may not write. What it reads is of one moment, with its
/// own writes on top; what derives from those is computed at the commit. What it writes happens when it commits, all or nothing. When another changed
/// what it has read, the next call is Conflict, and so are all after it: begin anew (`rust_transact`
/// does). One thread uses it at a time.
///
/// Ownership: `out` is ended with `rust_transaction_commit` or `rust_transaction_abort`; it keeps the
/// state's memory until then.
/// Errors: ReadOnly, Poisoned.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_begin(
    state: MmsbState,
    read_only: bool,
    out: *mut MmsbTransaction,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(keep(state.begin_held(read_only)?)?);
        Ok(())
    })
}

fn keep(transaction: Transaction<'static>) -> Result<MmsbTransaction> {
    Ok(MmsbTransaction { id: handle::insert(Mutex::new(transaction))? })
}

pub(super) fn with<R>(
    transaction: MmsbTransaction,
    use_it: impl FnOnce(&mut Transaction<'static>) -> Result<R>,
) -> Result<R> {
    handle::with::<Held, _>(transaction.id, |held| match held.try_lock() {
        Some(mut transaction) => use_it(&mut transaction),
        None => bail!(InvalidArgument, "the transaction is in use by another thread"),
    })
}

/// Makes all that the transaction writes happen at once, as one record; ends it, `*transaction`
/// becomes zero, also on error. `*lsn` receives the record's LSN, 0 if nothing changed. `note` and
/// `lsn` may be null.
///
/// Errors: Conflict, and those of the single changes; then none of them happened.
///
/// # Safety
/// `transaction` is null or valid for a read and a write, `note` null or valid, `lsn` null or valid
/// for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_commit(
    transaction: *mut MmsbTransaction,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: a handle is one u64; the caller's promise, here and below.
        let Some(held) = (unsafe { take::<Held>(transaction.cast()) })? else {
            bail!(NullHandle, "a null handle where a transaction is wanted");
        };
        // SAFETY: as above.
        let (note, out) = unsafe { (note_at(note)?, optional_out(lsn, "lsn")?) };
        set(out, commit(held.into_inner(), note)?.map_or(0, |lsn| lsn.0));
        Ok(())
    })
}

fn commit(transaction: Transaction<'static>, note: Note<'_>) -> Result<Option<Lsn>> {
    guarded(&*transaction.log(), || transaction.commit(note))
}

/// Gives a transaction up: it leaves nothing. `*transaction` becomes zero. Null and zero are fine.
///
/// # Safety
/// `transaction` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_abort(transaction: *mut MmsbTransaction) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Held>(transaction.cast()) }.map(drop))
}

/// Looks whether all that the transaction has read still holds.
///
/// Errors: Conflict.
#[unsafe(no_mangle)]
pub extern "C" fn rust_transaction_check(transaction: MmsbTransaction) -> MmsbStatus {
    call(|| with(transaction, Transaction::check))
}

/// Copies `len` bytes of a page from `offset` on to `buf`, as the transaction has written them.
///
/// Errors: PageNotFound, PageFreed, RangeOutOfBounds, Conflict.
///
/// # Safety
/// `buf` is valid for `len` writes and holds initialised bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_read(
    transaction: MmsbTransaction,
    page: u64,
    offset: u64,
    buf: *mut u8,
    len: usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let buf = unsafe { slice_mut(buf, len, "buf") }?;
        with(transaction, |transaction| transaction.read(PageId(page), offset, buf))
    })
}

/// Bytes of a page.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_page_size(
    transaction: MmsbTransaction,
    page: u64,
    out: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(with(transaction, |transaction| transaction.page_size(PageId(page)))?);
        Ok(())
    })
}

/// Whether a page exists. The transaction depends on the answer.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_contains(
    transaction: MmsbTransaction,
    page: u64,
    out: *mut bool,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(with(transaction, |transaction| transaction.contains(PageId(page)))?);
        Ok(())
    })
}

/// Ids of all pages, ascending, with those that the transaction creates, without those that it frees:
/// copied to `buf`, which has room for `capacity`; `len` receives their number, also when the buffer
/// is too small. Conflicts with whoever creates or frees a page before the commit.
///
/// # Safety
/// `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_list_pages(
    transaction: MmsbTransaction,
    buf: *mut u64,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        let ids = with(transaction, Transaction::list_pages)?;
        let ids: Vec<u64> = ids.into_iter().map(|id| id.0).collect();
        // SAFETY: the caller's promise.
        unsafe { copy_items(&ids, buf, capacity, len, "ids") }
    })
}

/// Creates a page when the transaction commits; its id can be used in the transaction at once.
///
/// Errors: SizeOutOfRange, ReadOnly.
///
/// # Safety
/// `id` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_create_page(
    transaction: MmsbTransaction,
    size: u64,
    location: u32,
    id: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (out, location) = (unsafe { Out::new(id, "id") }?, location_of(location)?);
        out.set(with(transaction, |transaction| transaction.create_page(size, location))?.0);
        Ok(())
    })
}

/// Frees a page when the transaction commits.
///
/// Errors: PageNotFound, PageFreed, NotOwner, Immutable, ReadOnly; at the commit HasChildren.
#[unsafe(no_mangle)]
pub extern "C" fn rust_transaction_free_page(
    transaction: MmsbTransaction,
    page: u64,
) -> MmsbStatus {
    call(|| with(transaction, |transaction| transaction.free_page(PageId(page))))
}

/// Writes the `len` bytes at `bytes`, which are copied, from `offset` on. What derives from the page is
/// computed when the transaction commits: until then it shows what it was.
///
/// Errors: PageNotFound, PageFreed, RangeOutOfBounds, NotOwner, Immutable, ReadOnly, TooLarge. Of a private
/// page without its key, the commit is Sealed.
///
/// # Safety
/// `bytes` is valid for `len` reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_write(
    transaction: MmsbTransaction,
    page: u64,
    offset: u64,
    bytes: *const u8,
    len: usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let bytes = unsafe { slice(bytes, len, "bytes") }?;
        with(transaction, |transaction| transaction.write(PageId(page), offset, bytes))
    })
}

/// Makes the `len` bytes at `bytes`, exactly the page's size, which are copied, its content.
///
/// Errors: LengthMismatch, and those of `rust_transaction_write`.
///
/// # Safety
/// `bytes` is valid for `len` reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_update(
    transaction: MmsbTransaction,
    page: u64,
    bytes: *const u8,
    len: usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let bytes = unsafe { slice(bytes, len, "bytes") }?;
        with(transaction, |transaction| transaction.update(PageId(page), bytes))
    })
}

/// Applies a delta, which is copied. The note of the commit counts, not the delta's.
#[unsafe(no_mangle)]
pub extern "C" fn rust_transaction_apply(
    transaction: MmsbTransaction,
    delta: MmsbDelta,
) -> MmsbStatus {
    call(|| {
        handle::with::<Delta, _>(delta.id, |delta| {
            with(transaction, |transaction| transaction.apply(delta))
        })
    })
}

/// The value of a metadata key: copied to `buf`, which has room for `capacity` bytes; `len` receives
/// its length, also when the buffer is too small.
///
/// Errors: KeyNotFound, LengthMismatch.
///
/// # Safety
/// `key` is valid for its length, `buf` null or valid for `capacity` writes, `len` null or valid for
/// a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_metadata_get(
    transaction: MmsbTransaction,
    page: u64,
    key: *const u8,
    key_len: usize,
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise, here and below.
        let key = unsafe { slice(key, key_len, "key") }?;
        let value = with(transaction, |transaction| transaction.meta(PageId(page), key))?;
        // SAFETY: as above.
        unsafe { copy_out(&value, buf, capacity, len) }
    })
}

/// Sets a metadata key of a page.
///
/// # Safety
/// `key` and `value` are valid for their lengths.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_metadata_set(
    transaction: MmsbTransaction,
    page: u64,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (key, value) =
            unsafe { (slice(key, key_len, "key")?, slice(value, value_len, "value")?) };
        with(transaction, |transaction| transaction.set_meta(PageId(page), key, value))
    })
}

/// Takes a metadata key of a page away.
///
/// Errors: KeyNotFound.
///
/// # Safety
/// `key` is valid for its length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_metadata_remove(
    transaction: MmsbTransaction,
    page: u64,
    key: *const u8,
    key_len: usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let key = unsafe { slice(key, key_len, "key") }?;
        with(transaction, |transaction| transaction.remove_meta(PageId(page), key))
    })
}

fn ownership_of(code: u32) -> Result<Ownership> {
    match Ownership::from_code(code) {
        Some(ownership) => Ok(ownership),
        None => {
            bail!(InvalidArgument, "{code} is no ownership; 0 to {} are", 2 + u32::from(u16::MAX))
        }
    }
}

/// Makes a page somebody's from the commit on: 0 shared, 1 immutable, else 2 and the partition's
/// number.
///
/// Errors: as `rust_page_set_ownership`.
#[unsafe(no_mangle)]
pub extern "C" fn rust_transaction_set_ownership(
    transaction: MmsbTransaction,
    page: u64,
    ownership: u32,
) -> MmsbStatus {
    call(|| {
        let ownership = ownership_of(ownership)?;
        with(transaction, |transaction| transaction.set_ownership(PageId(page), ownership))
    })
}

/// A place to go back to with `rust_transaction_rollback`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_savepoint(
    transaction: MmsbTransaction,
    out: *mut MmsbSavepoint,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let Savepoint(id) = with(transaction, |transaction| Ok(transaction.savepoint()))?;
        out.set(MmsbSavepoint { id });
        Ok(())
    })
}

/// Takes back all that was written after a savepoint, and the savepoints after it. What was read
/// stays read.
///
/// Errors: InvalidArgument for one that was taken back, or another transaction's.
#[unsafe(no_mangle)]
pub extern "C" fn rust_transaction_rollback(
    transaction: MmsbTransaction,
    to: MmsbSavepoint,
) -> MmsbStatus {
    call(|| with(transaction, |transaction| transaction.rollback(Savepoint(to.id))))
}

/// Begins, calls `body`, and commits, anew as long as it conflicts with others. What `body` returns
/// but 0 gives the transaction up and is the call's status, unless what it had read holds no longer:
/// then it may be a consequence of that, and `body` is called again. `*lsn` receives the record's
/// LSN, 0 if nothing changed. `retry`, `note` and `lsn` may be null.
///
/// Errors: those of `body` and of a commit; RetriesExhausted; Cancelled if `body` returns a number
/// that is no status; TransactionFinished if it ended the transaction.
///
/// # Safety
/// `retry` and `note` are null or valid, `body` is null or may be called with `context`, `lsn` null
/// or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transact(
    state: MmsbState,
    retry: *const MmsbRetry,
    note: *const MmsbNote,
    body: MmsbBody,
    context: *mut c_void,
    lsn: *mut u64,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise, here and below.
        let (retry, note, out) =
            unsafe { (retry_at(retry)?, note_at(note)?, optional_out(lsn, "lsn")?) };
        // SAFETY: as above.
        let attempt = || unsafe { attempt(state.begin_held(false)?, note, body, context) };
        let done = state.try_until_done(retry, attempt)?;
        set(out, done.map_or(0, |lsn| lsn.0));
        Ok(())
    })
}

/// Waits after the `conflicts`th conflict in a row of a transaction, from 1: for callers that try again
/// themselves, as `rust_transact` does. The thread's last message is that of the conflict. `retry` may
/// be null.
///
/// Errors: RetriesExhausted if that was the last try.
///
/// # Safety
/// `retry` is null or valid for a read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_transaction_after_conflict(
    state: MmsbState,
    retry: *const MmsbRetry,
    conflicts: u32,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let retry = unsafe { retry_at(retry) }?;
        state.after_conflict(retry, conflicts, &last_message())
    })
}

/// # Safety
/// `body` is null or may be called with `context`.
unsafe fn attempt(
    transaction: Transaction<'static>,
    note: Note<'_>,
    body: MmsbBody,
    context: *mut c_void,
) -> Result<Option<Lsn>> {
    let Some(body) = body else { bail!(NullHandle, "body is null") };
    check_note(note)?;
    let transaction = keep(transaction)?;
    // What stands there after the body is of a call of its own.
    let before = handle::with_message(std::mem::take).unwrap_or_default();
    // SAFETY: the caller's promise.
    let status = unsafe { body(context, transaction) };
    let error = (status != 0).then(|| said(status));
    let _ = handle::with_message(|last| {
        if last.is_empty() {
            *last = before;
        }
    });
    let mut transaction = handle::remove::<Held>(transaction.id)?.into_inner();
    match error {
        None => commit(transaction, note),
        Some(error) => Err(transaction.blame(error)),
    }
}

/// The error that a body's status stands for, with the message of the call that it comes from.
#[cold]
fn said(status: c_int) -> Error {
    let kind = ErrorKind::from_code(status);
    let message = Some(last_message()).filter(|message| kind.is_some() && !message.is_empty());
    let message = message.unwrap_or_else(|| format!("the transaction's body returned {status}"));
    Error::new(kind.unwrap_or(ErrorKind::Cancelled), message)
}

fn last_message() -> String {
    let last = handle::with_message(|last| String::from_utf8_lossy(last).into_owned());
    last.unwrap_or_default().trim_end_matches('\0').to_owned()
}

/// Takes a partition, 0 to 65,535, until what is returned is freed: its pages are changed in its
/// transactions alone.
///
/// Ownership: `out` is freed with `rust_partition_free`.
/// Errors: PartitionInUse.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_partition_open(
    state: MmsbState,
    number: u32,
    out: *mut MmsbPartition,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        let Ok(number) = u16::try_from(number) else {
            bail!(InvalidArgument, "partition {number}; they end at {}", u16::MAX);
        };
        out.set(MmsbPartition { id: handle::insert(state.partition(number)?)? });
        Ok(())
    })
}

/// Gives a partition back. `*partition` becomes zero. Null and zero are fine.
///
/// # Safety
/// `partition` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_partition_free(partition: *mut MmsbPartition) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<Partition>(partition.cast()) }.map(drop))
}

/// As `rust_transaction_begin`, of one that may change the partition's pages, too.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_partition_begin(
    partition: MmsbPartition,
    out: *mut MmsbTransaction,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(keep(handle::with::<Partition, _>(partition.id, Partition::begin_held)?)?);
        Ok(())
    })
}

/// As `rust_transact`, for a partition.
///
/// # Safety
/// As `rust_transact`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_partition_transact(
    partition: MmsbPartition,
    retry: *const MmsbRetry,
    note: *const MmsbNote,
    body: MmsbBody,
    context: *mut c_void,
    lsn: *mut u64,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise, here and below.
        let (retry, note, out) =
            unsafe { (retry_at(retry)?, note_at(note)?, optional_out(lsn, "lsn")?) };
        let done = handle::with::<Partition, _>(partition.id, |partition| {
            // SAFETY: as above.
            let attempt = || unsafe { attempt(partition.begin_held()?, note, body, context) };
            partition.try_until_done(retry, attempt)
        })?;
        set(out, done.map_or(0, |lsn| lsn.0));
        Ok(())
    })
}

/// Who may change a page: 0 anybody, 1 nobody ever again, else 2 and the number of the partition that
/// may.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_ownership(page: MmsbPage, out: *mut u32) -> MmsbStatus {
    call_state(page.owner, |state: &State| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(state.ownership(PageId(page.id))?.code());
        Ok(())
    })
}

/// Makes a shared page somebody's, or nobody's: 0 shared, 1 immutable, else 2 and the partition's
/// number. A partition's page is given away in a transaction of the partition. `note` and `lsn` may
/// be null; `*lsn` receives 0 if it is that already.
///
/// Errors: NotOwner, Immutable, PageNotFound, PageFreed, InvalidArgument.
///
/// # Safety
/// `note` is null or valid, `lsn` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_page_set_ownership(
    page: MmsbPage,
    ownership: u32,
    note: *const MmsbNote,
    lsn: *mut u64,
) -> MmsbStatus {
    call_state(page.owner, |state: &State| {
        let ownership = ownership_of(ownership)?;
        // SAFETY: the caller's promise.
        let (note, out) = unsafe { (note_at(note)?, optional_out(lsn, "lsn")?) };
        let done = state.set_ownership(PageId(page.id), ownership, note)?;
        set(out, done.map_or(0, |lsn| lsn.0));
        Ok(())
    })
}
