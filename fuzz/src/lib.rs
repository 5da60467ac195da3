//! The fuzz targets of `rust/tests/fuzz` as a library, for the programs of libFuzzer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is what a fuzzer looks for")]

#[path = "../../rust/tests/common/mod.rs"]
mod common;
#[path = "../../rust/tests/fuzz/targets/mod.rs"]
pub mod targets;
