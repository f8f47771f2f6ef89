//! Random numbers that mean the same on every machine: SplitMix64 (Steele, Lea and Flood, 2014).
//!
//! Correct means: a seed gives the published sequence, and [`SplitMix64::below`] gives every number
//! below its bound with the same probability. Walks and intervals hang on this stream, so a test
//! pins it.

/// A stream of pseudo-random numbers; equal seeds give equal streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The stream that `seed` names.
    pub fn new(seed: u64) -> SplitMix64 {
        SplitMix64 { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound` − 1, all equally likely; 0 where `bound` is 0.
    ///
    /// Lemire's multiplication ("Fast random integer generation in an interval", 2019): the high
    /// half of a 128-bit product, and another draw where the low half falls into the part that
    /// would make some numbers more likely.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let uneven = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= uneven {
                return (product >> 64) as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_is_the_published_one() {
        // The values that the reference implementation (prng.di.unimi.it/splitmix64.c) prints for
        // the seed 1234567.
        let mut random = SplitMix64::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| random.next_u64()), expected);
    }

    #[test]
    fn every_number_below_the_bound_is_equally_likely() {
        let mut random = SplitMix64::new(1);
        let mut seen = [0u32; 7];
        for _ in 0..70_000 {
            seen[random.below(7) as usize] += 1;
        }
        // Standard deviation of each is 93; five of them is a bound that a fixed seed cannot cross.
        assert!(
            seen.iter().all(|&count| count.abs_diff(10_000) < 465),
            "{seen:?}"
        );
    }

    #[test]
    fn a_bound_that_just_fits_into_64_bits_is_kept() {
        let mut random = SplitMix64::new(2);
        let bound = (1 << 63) + 1;
        assert!((0..1000).all(|_| random.below(bound) < bound));
    }

    #[test]
    fn bounds_of_none_and_one_leave_nothing_to_choose() {
        let mut random = SplitMix64::new(3);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
    }
}
