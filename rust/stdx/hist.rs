//! A latency histogram that any thread may add to: powers of two, each cut in sixteen, as in an
//! HdrHistogram of two digits.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

const PART_BITS: u32 = 4;
const PARTS: u64 = 1 << PART_BITS;
const BUCKETS: usize = 64 << PART_BITS;

/// Counts of nanoseconds, at most 6.25 % off. Takes no memory before the first.
#[derive(Default)]
pub struct Histogram {
    buckets: OnceLock<Box<[AtomicU64; BUCKETS]>>,
    sum: AtomicU64,
    max: AtomicU64,
}

/// What a histogram holds, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Latency {
    /// Samples.
    pub count: u64,
    /// Sum of all samples divided by their count.
    pub mean_ns: u64,
    /// Half of the samples are at or below it.
    pub p50_ns: u64,
    /// 99 of 100 samples are at or below it.
    pub p99_ns: u64,
    /// The largest sample.
    pub max_ns: u64,
}

impl Histogram {
    /// Adds one sample.
    pub fn add(&self, ns: u64) {
        let none = || Box::new([const { AtomicU64::new(0) }; BUCKETS]);
        self.buckets.get_or_init(none)[bucket(ns)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(ns, Ordering::Relaxed);
        self.max.fetch_max(ns, Ordering::Relaxed);
    }

    /// Takes all samples out, if there are any.
    pub fn clear(&mut self) {
        let Some(buckets) = self.buckets.get_mut() else { return };
        if *self.max.get_mut() != 0 || *buckets[0].get_mut() != 0 {
            buckets.iter_mut().for_each(|bucket| *bucket.get_mut() = 0);
            (*self.sum.get_mut(), *self.max.get_mut()) = (0, 0);
        }
    }

    /// The figures of what was added so far.
    pub fn read(&self) -> Latency {
        let buckets = self.buckets.get().into_iter().flat_map(|buckets| buckets.iter());
        let counts: Vec<u64> = buckets.map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let count: u64 = counts.iter().sum();
        let max_ns = self.max.load(Ordering::Relaxed);
        let quantile = |q: f64| {
            let rank = (count as f64 * q).ceil() as u64;
            let mut seen = 0;
            let at = counts.iter().position(|&n| {
                seen += n;
                seen >= rank.max(1)
            });
            at.map_or(0, |at| upper(at).min(max_ns))
        };
        let mean_ns = self.sum.load(Ordering::Relaxed).checked_div(count).unwrap_or(0);
        Latency { count, mean_ns, p50_ns: quantile(0.5), p99_ns: quantile(0.99), max_ns }
    }
}

/// Small values have a bucket each; from 16 on, four bits after the leading one choose.
fn bucket(ns: u64) -> usize {
    if ns < PARTS {
        return ns as usize;
    }
    let top = ns.ilog2();
    let part = (ns >> (top - PART_BITS)) & (PARTS - 1);
    ((top - PART_BITS + 1) as usize) << PART_BITS | part as usize
}

/// The largest value of a bucket.
fn upper(at: usize) -> u64 {
    if (at as u64) < PARTS {
        return at as u64;
    }
    let (top, part) = (at as u32 / PARTS as u32 + PART_BITS - 1, at as u64 % PARTS);
    (1u64 << top) + ((part + 1) << (top - PART_BITS)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_adjacent() {
        for ns in 0..100_000u64 {
            let at = bucket(ns);
            assert!(ns <= upper(at), "{ns}");
            assert!(at == 0 || ns > upper(at - 1), "{ns}");
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let hist = Histogram::default();
        (1..=1000).for_each(|ns| hist.add(ns));
        let read = hist.read();
        assert_eq!((read.count, read.mean_ns, read.max_ns), (1000, 500, 1000));
        assert!((500..=575).contains(&read.p50_ns), "{}", read.p50_ns);
        assert!((990..=1000).contains(&read.p99_ns), "{}", read.p99_ns);
    }
}
