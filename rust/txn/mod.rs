//! Transactions: what they have seen and are about to do, and how often they are tried again.
//!
//! ```text
//!   draft     the pages that a transaction read, as of which record, and its steps; savepoints
//!   retry     how often, and how long in between
//!   meter     what became of them
//!   program   transactions as bytes
//! ```
//!
//! Nothing here knows a table or a log: `state/transact.rs` reads, validates and commits.

mod draft;
mod meter;
mod program;
mod retry;

pub use draft::{Draft, Savepoint, Touched, What};
pub use meter::{Meter, Outcome, TransactionStats};
pub use program::{Machine, Place, Program, Relation};
pub use retry::Retry;
