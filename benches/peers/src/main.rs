//! `mmsb-peers ROOM`: measures one room against its peers and prints one line per row:
//!
//! ```text
//! P1 ours=118ns steps=101ns ratio=1.17 bar<=1.40 pass
//! ```
//!
//! Both sides of a row run interleaved in one process; figures are medians over rounds. What a row
//! wrote is read back and checked after its timing.

mod memory;
mod page;
mod propagate;
mod row;
mod scaling;
#[path = "../../../rust/tests/common/syscalls.rs"]
mod syscalls;
mod txn;

fn main() {
    let room = std::env::args().nth(1).unwrap_or_default();
    let only = std::env::args().nth(2);
    match room.as_str() {
        "memory" => memory::run(only.as_deref()),
        "page" => page::run(only.as_deref()),
        "txn" => txn::run(only.as_deref()),
        "propagate" => propagate::run(only.as_deref()),
        _ => {
            eprintln!(
                "usage: mmsb-peers ROOM [ROW], with ROOM one of: memory, page, propagate, txn"
            );
            std::process::exit(2);
        }
    }
}
