//! Small things that the standard library lacks: no state, no knowledge of any room.

pub mod barrier;
pub mod canary;
pub mod codec;
pub mod counter;
pub mod crc;
pub mod hist;
pub mod lock;
pub mod prefetch;
pub mod prng;
pub mod sched;
pub mod sync;
pub mod thread;
