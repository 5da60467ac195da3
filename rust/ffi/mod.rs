//! The C interface: translates, never decides.
//!
//! ```text
//!   pointer   checked once, then references         status   errors and panics as codes
//!   handle    numbers for objects, checked on use   one file per noun for the rest
//! ```
//!
//! Rules, the same for every function:
//! - A fallible call returns [`MmsbStatus`](status::MmsbStatus); results leave through out-pointers, which are written
//!   only when it is `Ok`. `rust_error_message` has the sentence.
//! - Handles are values. Zero is null. A stale, null or foreign handle is a status, never undefined
//!   behaviour. Functions that free take the handle's address and zero it; a null handle is fine.
//! - Memory that a call hands out belongs to the object that it came from, and says how long.
//! - Any function may be called from any thread. A panic becomes a status and poisons its state.

pub mod allocator;
pub mod batch;
pub mod checkpoint;
pub mod compare;
pub mod delta;
pub mod events;
pub mod executor;
pub mod explain;
pub mod graph;
mod handle;
pub mod log;
pub mod memory;
pub mod page;
mod pointer;
pub mod private;
pub mod propagate;
pub mod reader;
pub mod revert;
pub mod semiring;
pub mod snapshot;
pub mod state;
pub mod status;
pub mod transact;
pub mod view;

pub use pointer::MmsbNote;

use crate::events::Subscription;
use crate::state::{
    Allocator, Batch, Changes, Executor, Explanation, Partition, ScratchView, Snapshot,
    SoftCheckpoint, State, TLog, Tickets, Transaction, View,
};
use crate::txn::Program;
use crate::types::Lsn;
use crate::{Changed, Delta};
use handle::{Kind, Object};
use parking_lot::Mutex;

/// A state. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbState {
    /// The handle's bits.
    pub id: u64,
}

/// Pages without a log. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbAllocator {
    /// The handle's bits.
    pub id: u64,
}

/// A page of a state or of an allocator: a plain value, not to be freed. Page ids are never
/// reused, so a value that outlives its page is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbPage {
    /// Bits of the handle of the state or allocator.
    pub owner: u64,
    /// The page's id in it, from 1.
    pub id: u64,
}

/// A change to one page, as callers build and inspect it. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbDelta {
    /// The handle's bits.
    pub id: u64,
}

/// A page's content as it was. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbView {
    /// The handle's bits.
    pub id: u64,
}

/// All pages as they were. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbSnapshot {
    /// The handle's bits.
    pub id: u64,
}

/// What differs between two snapshots. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbComparison {
    /// The handle's bits.
    pub id: u64,
}

/// What a page's content was made of. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbExplanation {
    /// The handle's bits.
    pub id: u64,
}

/// A mark that a state can go back to. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbSoftCheckpoint {
    /// The handle's bits.
    pub id: u64,
}

/// Changes that are to happen together. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbBatch {
    /// The handle's bits.
    pub id: u64,
}

/// A log by itself. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbTLog {
    /// The handle's bits.
    pub id: u64,
}

/// Walks changes in a log. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbReader {
    /// The handle's bits.
    pub id: u64,
}

/// Reads and writes that happen at one moment. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbTransaction {
    /// The handle's bits.
    pub id: u64,
}

/// The right to change the pages of a partition. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbPartition {
    /// The handle's bits.
    pub id: u64,
}

/// A transaction as bytes. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbProgram {
    /// The handle's bits.
    pub id: u64,
}

/// Worker threads that run transactions. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbExecutor {
    /// The handle's bits.
    pub id: u64,
}

/// Where the results of what workers were given arrive. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbTickets {
    /// The handle's bits.
    pub id: u64,
}

/// Events of a state, as they come. Zero is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct MmsbEvents {
    /// The handle's bits.
    pub id: u64,
}

/// A view of either kind of page.
pub enum AnyView {
    State(View),
    Scratch(ScratchView),
}

/// A reader and the change that it stands at.
pub struct ReaderObject {
    pub changes: Mutex<(Changes, Option<Current>)>,
}

/// A change, with its strings and bytes as C sees them.
pub struct Current {
    pub changed: Changed,
}

// SAFETY: the only type of its kind.
unsafe impl Object for State {
    const KIND: Kind = Kind::State;
}
// SAFETY: the only type of its kind.
unsafe impl Object for Allocator {
    const KIND: Kind = Kind::Allocator;
}
// SAFETY: the only type of its kind.
unsafe impl Object for Delta {
    const KIND: Kind = Kind::Delta;
}
// SAFETY: the only type of its kind.
unsafe impl Object for AnyView {
    const KIND: Kind = Kind::View;
}
// SAFETY: the only type of its kind.
unsafe impl Object for Snapshot {
    const KIND: Kind = Kind::Snapshot;
}
// SAFETY: the only type of its kind.
unsafe impl Object for compare::Comparison {
    const KIND: Kind = Kind::Comparison;
}
// SAFETY: the only type of its kind.
unsafe impl Object for SoftCheckpoint {
    const KIND: Kind = Kind::SoftCheckpoint;
}
// SAFETY: the only type of its kind.
unsafe impl Object for Mutex<Batch> {
    const KIND: Kind = Kind::Batch;
}
// SAFETY: the only type of its kind.
unsafe impl Object for TLog {
    const KIND: Kind = Kind::TLog;
}
// SAFETY: the only type of its kind.
unsafe impl Object for ReaderObject {
    const KIND: Kind = Kind::Reader;
}

// SAFETY: the only type of its kind.
unsafe impl Object for Mutex<Transaction<'static>> {
    const KIND: Kind = Kind::Transaction;
}
// SAFETY: the only type of its kind.
unsafe impl Object for Partition {
    const KIND: Kind = Kind::Partition;
}
// SAFETY: the only type of its kind.
unsafe impl Object for Mutex<Program> {
    const KIND: Kind = Kind::Program;
}
// SAFETY: the only type of its kind.
unsafe impl Object for Executor {
    const KIND: Kind = Kind::Executor;
}
// SAFETY: the only type of its kind.
unsafe impl Object for Mutex<Tickets<Option<Lsn>>> {
    const KIND: Kind = Kind::Tickets;
}
// SAFETY: the only type of its kind.
unsafe impl Object for Subscription {
    const KIND: Kind = Kind::Events;
}

// SAFETY: the only type of its kind.
unsafe impl Object for Explanation {
    const KIND: Kind = Kind::Explanation;
}

/// Takes the object behind a caller's handle out and zeroes the handle; null and zero are fine.
///
/// # Safety
/// `at` is null or valid for a read and a write of a handle.
unsafe fn take<T: Object>(at: *mut u64) -> crate::Result<Option<T>> {
    if at.is_null() {
        return Ok(None);
    }
    if !at.is_aligned() {
        crate::bail!(InvalidArgument, "the place of a handle is not aligned");
    }
    // SAFETY: the caller's promise.
    let id = unsafe { at.read() };
    if id == 0 {
        return Ok(None);
    }
    let object = handle::remove::<T>(id)?;
    // SAFETY: the caller's promise.
    unsafe { at.write(0) };
    Ok(Some(object))
}

/// The library's version, as "major.minor.patch", zero-terminated, valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn rust_mmsb_version() -> *const std::ffi::c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
