//! Random numbers that are the same on every machine and in every release.
//!
//! ChaCha with 8 rounds, keyed by the numbers themselves: what is drawn for one place depends on
//! nothing that was drawn before it, so a run can go on anywhere. The few draws needed are written
//! here, because crates change theirs.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What random numbers are for: no two uses share a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Which images of a class go where.
    Split = 1,
    /// The order of the images of one epoch.
    Order = 2,
    /// Where one image is cropped, flipped and cut out.
    Augmentation = 3,
    /// Which part of one image is seen.
    ResizedCrop = 4,
    /// What AutoAugment does to one image.
    AutoAugment = 5,
    /// How the colours of one image are varied.
    Colours = 6,
}

/// A stream of random numbers.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// The stream for `place` (an epoch and a position, say) under `seed`.
    pub(crate) fn new(seed: u64, purpose: Purpose, place: [u64; 2]) -> Self {
        let mut key = [0; 32];
        let numbers = [seed, purpose as u64, place[0], place[1]];
        for (bytes, number) in key.chunks_exact_mut(8).zip(numbers) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number from 0 to below `bound`, each as likely (Lemire, arXiv:1805.10941).
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        debug_assert!(bound > 0, "there is no number below 0");
        // The products whose low half is under this would favour some numbers.
        let unfair = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(bound);
            if product as u32 >= unfair {
                return (product >> 32) as u32;
            }
        }
    }

    /// A number from 0 to below 1, in steps of 2^-53.
    pub(crate) fn share(&mut self) -> f64 {
        const STEPS: f64 = (1_u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 / STEPS
    }

    /// Puts `items` in random order (Fisher and Yates).
    pub(crate) fn shuffle(&mut self, items: &mut [u32]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u32 + 1) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: the first words of ChaCha8 under this key, nonce 0, by the definition of the cipher
    /// (a loop over quarter rounds in Python).
    #[test]
    fn the_stream_is_that_of_the_cipher() {
        let mut random = Random::new(7, Purpose::Order, [3, 0xFFFF_FFFF_0000_0001]);
        let found: Vec<u32> = (0..4).map(|_| random.0.next_u32()).collect();
        assert_eq!(found, [0x2804_0CE4, 0x19A1_DBB0, 0x3F08_0CF8, 0x1813_753E]);
    }

    #[test]
    fn numbers_below_a_bound_are_equally_likely() {
        let mut random = Random::new(1, Purpose::Split, [0, 0]);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7) as usize] += 1;
        }
        // Six standard deviations of a count are 556.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 556),
            "{counts:?}"
        );
    }

    #[test]
    fn shares_are_spread_from_0_to_below_1() {
        let mut random = Random::new(1, Purpose::Split, [0, 0]);
        let shares: Vec<f64> = (0..10_000).map(|_| random.share()).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
        // Six standard deviations of the mean are 0.0173.
        let mean = shares.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.0173, "{mean}");
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_reaches_every_order() {
        let mut orders = std::collections::BTreeSet::new();
        for place in 0..200 {
            let mut items = [0, 1, 2, 3];
            Random::new(5, Purpose::Order, [place, 0]).shuffle(&mut items);
            orders.insert(items);
            items.sort_unstable();
            assert_eq!(items, [0, 1, 2, 3]);
        }
        assert_eq!(orders.len(), 24);
    }

    #[test]
    fn another_seed_purpose_or_place_is_another_stream() {
        let first = |seed, purpose, place| Random::new(seed, purpose, place).0.next_u64();
        let drawn = std::collections::BTreeSet::from([
            first(0, Purpose::Order, [0, 0]),
            first(1, Purpose::Order, [0, 0]),
            first(0, Purpose::Split, [0, 0]),
            first(0, Purpose::Order, [1, 0]),
            first(0, Purpose::Order, [0, 1]),
        ]);
        assert_eq!(drawn.len(), 5);
    }
}
