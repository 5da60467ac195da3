//! Fuzz targets: functions of bytes that hold for all bytes, or panic.
//!
//! The plain test gives each its committed seeds and what comes of them by mutation (`make fuzz`);
//! the crate `fuzz/` gives them to libFuzzer, which looks for new paths through the code
//! (`make fuzz-coverage`).
//!
//! ```text
//!   codec record frame delta manifest    one decoder each, held against its encoder
//!   formula                              texts, and what they compute
//!   log image                            a file with checksums that fit, opened and used
//!   recovery                             a directory whose files were damaged in a few places
//!   calls                                the C interface
//! ```

mod calls;
mod codec;
mod delta;
mod formula;
mod frame;
mod image;
mod input;
mod log;
mod manifest;
mod mend;
mod record;
mod recovery;
pub mod state;

pub use calls::{CALLS, calls};
pub use codec::codec;
pub use delta::delta;
pub use formula::formula;
pub use frame::frame;
pub use image::image;
pub use log::log;
pub use manifest::manifest;
pub use record::record;
pub use recovery::recovery;
