//! MMSB, the Memory-Mapped State Bus: an embedded engine that keeps a program's live state in one
//! place. Pages are changed by deltas, every change is one record in one log, and applying the
//! same records gives the same state, bit for bit:
//!
//! ```text
//! state' = apply(state, record)
//! ```
//!
//! Rooms, lowest first; calls go down, rooms at one height do not import each other:
//!
//! ```text
//!                      ffi                      C boundary: translates, never decides
//!                     state                     open, commit, replay, digest: the only wiring
//!   checkpoint | version | graph | txn | events images | snapshots | what derives from what | drafts | news
//!          log     |   page  |  propagate       records, lanes, files | frames, deltas, diff | formulas
//!        memory    |   env                      page memory  |  files, clock, randomness
//!            stdx, config, error, types         words everybody uses
//! ```

pub mod checkpoint;
pub mod config;
pub mod env;
pub mod error;
pub mod events;
#[doc(hidden)] // open to the fuzz target that calls it; everybody else has include/mmsb.h
pub mod ffi;
pub mod graph;
pub mod log;
pub mod memory;
pub mod page;
pub mod propagate;
pub mod state;
pub mod stdx;
mod txn;
pub mod types;
pub mod version;

/// The test suite runs on the engine's own heap (`make slab-alloc`).
#[cfg(slab_alloc)]
#[global_allocator]
static HEAP: memory::SlabAlloc = memory::SlabAlloc;

pub use config::{Config, Durability, limits};
pub use error::{Error, ErrorKind, Result};
pub use events::{Event, EventFilter, EventKind, Lost, Subscription};
pub use log::LogStats;
pub use page::{Delta, Run};
pub use propagate::{DType, Formula, Semiring};
pub use state::{
    Allocator, AllocatorStats, Batch, Change, Changed, Changes, CheckpointInfo, Difference,
    Executor, ExecutorConfig, Explanation, Origin, PageAt, PageDifference, Partition, Propagation,
    PropagationStats, Query, Recompute, Recovered, ScratchView, Snapshot, SoftCheckpoint, State,
    Stats, TLog, TLogSummary, Ticket, Tickets, Torn, Transaction, Verified, View,
};
pub use stdx::hist::Latency;
pub use txn::{Place, Program, Relation, Retry, Savepoint, TransactionStats};
pub use types::{EdgeKind, Epoch, Link, Location, Lsn, Note, Ownership, PageId, Rule, Staleness};
