//! Rows of the room `propagate`: edges, what derives along them, batches of deltas.

mod batches;
mod derived;
mod edges;
mod peer;

type Row = (&'static str, fn());

const ROWS: &[Row] = &[
    ("G1", derived::g1),
    ("G2", derived::g2),
    ("G3", derived::g3),
    ("G4", derived::g4),
    ("G5", derived::g5),
    ("G6", derived::g6),
    ("G7", edges::g7),
    ("G8", batches::g8),
];

pub fn run(only: Option<&str>) {
    // A peer goes as deep into the stack as the graph is deep.
    let rows = ROWS.iter().filter(|(id, _)| only.is_none_or(|only| only == *id));
    for &(_, row) in rows {
        let run = std::thread::Builder::new().stack_size(1 << 30).spawn(row);
        run.expect("a thread").join().expect("a row");
    }
}
