//! Rows of the room `propagate`: edges, and what derives along them.

mod edges;

type Row = (&'static str, fn());

const ROWS: &[Row] = &[("G7", edges::g7)];

pub fn run(only: Option<&str>) {
    for (id, row) in ROWS {
        if only.is_none_or(|only| only == *id) {
            row();
        }
    }
}
