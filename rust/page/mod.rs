//! Pages: frames, the table that finds them, the deltas that change them.
//!
//! ```text
//!   Table ── PageId -> Slot ── frame            what a page shows now
//!                       └──── versions          what snapshots and views still see
//!   diff(old, new) -> runs ── Delta             what changes it
//! ```
//!
//! Does not know files, logs or states. May call `memory` and `stdx`.

mod delta;
mod diff;
mod extra;
pub mod fresh;
pub mod links;
pub mod lives;
pub mod meta;
pub mod pinned;
mod runs;
pub mod seal;
pub mod slot;
pub mod table;

pub use delta::{Delta, Stamp};
pub use diff::{GAP_MERGE, apply_runs, diff, diff_at, gather, mask_runs};
pub use runs::{Run, Runs, check_runs, payload_len};
