//! Rows of the room `txn`: transactions, and the versions under them.

mod rates;
mod versions;

type Row = (&'static str, fn());

const ROWS: &[Row] = &[
    ("T1", rates::t1),
    ("T2", rates::t2),
    ("T3", rates::t3),
    ("T4", rates::t4),
    ("T5", rates::t5),
    ("T6", versions::t6),
    ("T7", rates::t7),
];

pub fn run(only: Option<&str>) {
    for (id, row) in ROWS {
        if only.is_none_or(|only| only == *id) {
            row();
        }
    }
}
