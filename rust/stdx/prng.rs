//! Choices from a seed.

/// SplitMix64: one word of state, every seed as good as another.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Clone, Debug)]
pub struct Prng(u64);

impl Prng {
    /// The choices of `seed`.
    pub fn new(seed: u64) -> Prng {
        Prng(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `n`, or 0 if there is none. (Biased by less than `n / 2^64`.)
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// One of two.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// A number below `2^bits`, as often one of few bits as one of many.
    pub fn scaled(&mut self, bits: u64) -> u64 {
        let n = 2 << self.below(bits);
        self.below(n)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Spreads `n` over all 64 bits, one to one.
pub fn mix(mut n: u64) -> u64 {
    n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_values() {
        let mut prng = Prng::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!([(); 5].map(|()| prng.next_u64()), expected);
    }

    #[test]
    fn below_covers_its_range() {
        let (mut prng, mut seen) = (Prng::new(3), [0u32; 5]);
        for _ in 0..1_000 {
            seen[prng.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| count > 150), "{seen:?}");
        assert_eq!(prng.below(0), 0);
        assert_eq!(prng.below(1), 0);
    }
}
