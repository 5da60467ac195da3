//! Rows of the room `txn`: transactions, and the versions under them.

mod versions;

type Row = (&'static str, fn());

const ROWS: &[Row] = &[("T6", versions::t6)];

pub fn run(only: Option<&str>) {
    for (id, row) in ROWS {
        if only.is_none_or(|only| only == *id) {
            row();
        }
    }
}
