//! One line per row, medians, and directories to work in.

use std::time::Instant;

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Nanoseconds per operation of `count` operations in `work`.
pub fn time(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / count as f64
}

/// How a row's ratio is compared with its bar.
pub enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// Prints a row: `figures` as `name=value`, then the ratio that the bar is about.
pub fn print(id: &str, figures: &[(&str, String)], ratio: f64, bar: Bar) {
    let figures: Vec<String> =
        figures.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (bar, pass) = match bar {
        Bar::AtMost(bar) => (format!("bar<={bar}"), ratio <= bar),
        Bar::AtLeast(bar) => (format!("bar>={bar}"), ratio >= bar),
    };
    let verdict = if pass { "pass" } else { "short" };
    println!("{id} {} ratio={ratio:.3} {bar} {verdict}", figures.join(" "));
}

/// Nanoseconds with a unit.
pub fn ns(value: f64) -> String {
    match value {
        v if v < 1e4 => format!("{v:.1}ns"),
        v if v < 1e7 => format!("{:.1}us", v / 1e3),
        v => format!("{:.1}ms", v / 1e6),
    }
}

/// A fresh directory on the file system that the row is about: `MMSB_BENCH_DIR`, else the
/// system's temporary directory.
pub fn directory() -> tempfile::TempDir {
    let parent = std::env::var_os("MMSB_BENCH_DIR").unwrap_or_else(|| std::env::temp_dir().into());
    tempfile::tempdir_in(parent).expect("a directory to work in")
}
