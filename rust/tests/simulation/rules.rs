//! Rules that derived pages of a run are computed by, and what they make of their parents, computed
//! here by loops over bytes and numbers: nothing of the engine's evaluator is used.

use mmsb::Rule;
use mmsb::stdx::prng::Prng;

/// The name of the callback in [`Way::Mixed`].
pub const CALLBACK: &str = "mixed";

/// How a page is computed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// The first parent's bytes.
    Copy,
    /// The first parent's bytes, each with the sum of the second's added.
    Added,
    /// The higher of the first two parents' bytes.
    Higher,
    /// The sum of all parents, byte by byte.
    Summed,
    /// In `u64`: the sum of the first parent's bytes, thrice, and bytes of the second.
    Thrice,
    /// In `f64`: the mean of the first parent's bytes, and half of bytes of the second.
    Mean,
    /// In `f64`: numbers of the first parent, whatever they are, and a half.
    AndAHalf,
    /// By a callback: all bytes of all parents.
    Mixed,
}

impl Way {
    pub const ALL: [Way; 8] = [
        Way::Copy,
        Way::Added,
        Way::Higher,
        Way::Summed,
        Way::Thrice,
        Way::Mean,
        Way::AndAHalf,
        Way::Mixed,
    ];

    /// One that makes a page of `size` bytes of parents of these sizes.
    pub fn draw(prng: &mut Prng, parents: &[u64], size: u64) -> Option<Way> {
        let fitting: Vec<Way> =
            Way::ALL.into_iter().filter(|way| way.fits(parents, size)).collect();
        let at = prng.below(fitting.len().max(1) as u64) as usize;
        fitting.get(at).copied()
    }

    fn fits(self, parents: &[u64], size: u64) -> bool {
        let holds = |at: usize, bytes: u64| parents.get(at).is_some_and(|&own| own >= bytes);
        let numbers = size.is_multiple_of(8);
        match self {
            Way::Copy => holds(0, size),
            Way::Added => holds(0, size) && parents.len() > 1,
            Way::Higher => holds(0, size) && holds(1, size),
            Way::Summed => !parents.is_empty() && parents.iter().all(|&own| own == size),
            Way::Thrice | Way::Mean => numbers && holds(1, size / 8),
            Way::AndAHalf => numbers && holds(0, size) && parents[0].is_multiple_of(8),
            Way::Mixed => !parents.is_empty(),
        }
    }

    /// The rule for a page of `size` bytes.
    pub fn rule(self, size: u64) -> Rule {
        let numbers = size / 8;
        let text = match self {
            Way::Copy => format!("u8: p0[0:{size}]"),
            Way::Added => format!("u8: p0[0:{size}] + sum(p1)"),
            Way::Higher => format!("u8: max(p0[0:{size}], p1[0:{size}])"),
            Way::Summed => "u8: fold(real)".to_owned(),
            Way::Thrice => format!("u64: sum(u8(p0)) * 3 + u8(p1[0:{numbers}])"),
            Way::Mean => format!("f64: mean(u8(p0)) + u8(p1[0:{numbers}]) / 2"),
            Way::AndAHalf => format!("f64: p0[0:{numbers}] + 0.5"),
            Way::Mixed => return Rule::Callback(CALLBACK.into()),
        };
        Rule::Formula(text.into())
    }

    /// The content of a page of `size` bytes. `Err` if these parents cannot be.
    pub fn compute(self, parents: &[&[u8]], size: usize) -> Result<Vec<u8>, String> {
        let sizes: Vec<u64> = parents.iter().map(|parent| parent.len() as u64).collect();
        if !self.fits(&sizes, size as u64) {
            return Err(format!("{self:?} makes no {size} bytes of parents of {sizes:?}"));
        }
        let total = |at: usize| parents[at].iter().map(|&byte| u64::from(byte)).sum::<u64>();
        Ok(match self {
            Way::Copy => parents[0][..size].to_vec(),
            Way::Added => {
                let more = total(1) as u8;
                parents[0][..size].iter().map(|byte| byte.wrapping_add(more)).collect()
            }
            Way::Higher => (0..size).map(|at| parents[0][at].max(parents[1][at])).collect(),
            Way::Summed => {
                let sum = |at| parents.iter().fold(0u8, |sum, p| sum.wrapping_add(p[at]));
                (0..size).map(sum).collect()
            }
            Way::Thrice => {
                let thrice = total(0) * 3;
                let number = |&byte: &u8| (thrice + u64::from(byte)).to_le_bytes();
                parents[1][..size / 8].iter().flat_map(number).collect()
            }
            Way::Mean => {
                // Whole numbers below 2^53: their sum is the same in any order.
                let mean = total(0) as f64 / parents[0].len() as f64;
                let number = |&byte: &u8| float(mean + f64::from(byte) / 2.0);
                parents[1][..size / 8].iter().flat_map(number).collect()
            }
            Way::AndAHalf => {
                let (numbers, _) = parents[0][..size].as_chunks::<8>();
                numbers.iter().flat_map(|bytes| float(f64::from_le_bytes(*bytes) + 0.5)).collect()
            }
            Way::Mixed => {
                let mut out = vec![0; size];
                mix(parents, &mut out);
                out
            }
        })
    }
}

/// A result of arithmetic: all that are not numbers are one.
fn float(number: f64) -> [u8; 8] {
    let bits = if number.is_nan() { 0x7ff8_0000_0000_0000 } else { number.to_bits() };
    bits.to_le_bytes()
}

/// What the callback does: every byte, and the order of the parents, counts.
pub fn mix(parents: &[&[u8]], out: &mut [u8]) {
    out.fill(parents.len() as u8);
    for parent in parents {
        let all = parent.iter().fold(0u8, |all, byte| all.rotate_left(3) ^ byte);
        for (at, byte) in out.iter_mut().enumerate() {
            *byte = byte.rotate_left(1) ^ parent[at % parent.len()] ^ all;
        }
    }
}

/// What the loops here make is what the engine's formulas make.
#[test]
fn ways_are_as_their_formulas() {
    use mmsb::propagate::Formula;
    let prng = &mut Prng::new(5);
    let mut compared = [0; Way::ALL.len()];
    for _ in 0..4_000 {
        let sizes = [1, 16, 64, 300, 1_024];
        let size = sizes[prng.below(5) as usize] as usize;
        let parents: Vec<Vec<u8>> = (0..1 + prng.below(3))
            .map(|_| {
                let len = if prng.coin() { size } else { sizes[prng.below(5) as usize] as usize };
                (0..len).map(|_| prng.next_u64() as u8).collect()
            })
            .collect();
        let parents: Vec<&[u8]> = parents.iter().map(Vec::as_slice).collect();
        let lens: Vec<u64> = parents.iter().map(|parent| parent.len() as u64).collect();
        let Some(way) = Way::draw(prng, &lens, size as u64) else { continue };
        let Rule::Formula(text) = way.rule(size as u64) else { continue };
        let (formula, mut out) = (Formula::parse(&text).unwrap(), vec![0; size]);
        formula.eval(&parents, &mut out).unwrap();
        assert_eq!(way.compute(&parents, size).unwrap(), out, "{text}");
        compared[way as usize] += 1;
    }
    assert!(compared[..Way::Mixed as usize].iter().all(|&count| count > 30), "{compared:?}");
}
