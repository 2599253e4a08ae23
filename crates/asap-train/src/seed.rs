//! One seed per use of chance, all from the seed of the run.
//!
//! Streams that shared a seed would be correlated, and adding a use would shift the others. So each
//! use has a name here and gets its own seed by SplitMix64 (Steele, Lea and Flood, 2014).

/// What the random numbers are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Which images are held out for validation.
    Validation = 1,
    /// Which images train the weights of the supernet and which its alphas.
    Halves = 2,
    /// The first weights of the supernet.
    Supernet = 3,
    /// The first alphas.
    Alphas = 4,
    /// Order and augmentation of the images that train the supernet's weights.
    SearchWeights = 5,
    /// Order and augmentation of the images that train the alphas.
    SearchAlphas = 6,
    /// The first weights of the found network.
    Network = 7,
    /// Order and augmentation of the images that train the found network.
    Training = 8,
    /// Images made up for measuring how long a step takes.
    Measuring = 9,
    /// Which validation images networks are compared on.
    Compared = 10,
    /// Which paths are dropped while the found network trains.
    Paths = 11,
}

/// The seed of `stream` in a run with `seed`.
pub(crate) fn seed_of(seed: u64, stream: Stream) -> u64 {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut mixed = mix(seed.wrapping_add(GOLDEN));
    mixed = mix(mixed.wrapping_add(GOLDEN.wrapping_mul(stream as u64)));
    mixed
}

/// The seed of one step of what `seed` is for.
pub(crate) fn seed_of_step(seed: u64, step: usize) -> u64 {
    mix(seed.wrapping_add(mix(step as u64)))
}

fn mix(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const STREAMS: [Stream; 11] = [
        Stream::Validation,
        Stream::Halves,
        Stream::Supernet,
        Stream::Alphas,
        Stream::SearchWeights,
        Stream::SearchAlphas,
        Stream::Network,
        Stream::Training,
        Stream::Measuring,
        Stream::Compared,
        Stream::Paths,
    ];

    #[test]
    fn neighbouring_seeds_and_streams_share_no_seed() {
        let seeds: BTreeSet<u64> = (0..100)
            .flat_map(|seed| STREAMS.map(|stream| seed_of(seed, stream)))
            .collect();
        assert_eq!(seeds.len(), 100 * STREAMS.len());
    }

    #[test]
    fn neighbouring_seeds_and_steps_share_no_seed() {
        let seeds: BTreeSet<u64> = (0..100)
            .flat_map(|seed| (0..100).map(move |step| seed_of_step(seed, step)))
            .collect();
        assert_eq!(seeds.len(), 100 * 100);
    }
}
