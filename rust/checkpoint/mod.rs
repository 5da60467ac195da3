//! Checkpoints: a durable image of all pages at one closed LSN, and the manifest that names it.
//!
//! ```text
//!   snapshot at S ──> image, written aside, synced, renamed ──> manifest, likewise
//!   open: manifest ──> image mapped copy-on-write ──> log records above S applied
//! ```
//!
//! Invariants:
//! - An image that a manifest names is complete and durable, and the log up to what the manifest
//!   says was durable before it.
//! - Every byte of an image and of a manifest is covered by a checksum or known to be zero.
//!
//! Knows pages and files; not records, not the live state.

pub mod image;
pub mod manifest;

pub use image::{Image, ImageCopy, ImagePage, ImageWriter};
pub use manifest::{ImageRef, Manifest};
