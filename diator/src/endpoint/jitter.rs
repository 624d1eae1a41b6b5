use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The one source of randomness of an endpoint: with one seed, the same numbers.
///
/// # Source
///
/// `SplitMix64` of G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators".
#[derive(Clone, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One that nobody can foresee.
    pub(super) fn random() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    /// Takes up to a half off, so that many do not come at the same time.
    pub(super) fn take_off(&mut self, pause: Duration) -> Duration {
        let share = f64::from(u32::try_from(self.next() >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        pause.mul_f64(1.0 - share / 2.0)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_half_is_taken_off_and_a_seed_repeats_it() {
        let pause = Duration::from_secs(10);
        let of = |seed| {
            let mut jitter = Jitter::new(seed);
            (0..100).map(|_| jitter.take_off(pause)).collect::<Vec<_>>()
        };
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        assert!(of(7).iter().all(|&taken| taken >= pause / 2 && taken <= pause));
    }
}
