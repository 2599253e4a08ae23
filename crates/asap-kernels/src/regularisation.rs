//! What a training step does against overfitting: smoothed labels, an auxiliary head's loss, dropped paths.

use crate::error::Error;

/// How a training step is regularised; evaluation is not. The default is plain cross-entropy, and 0.4 of the auxiliary
/// head's, if the network has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regularisation {
    /// Share of every label that is spread evenly over all classes, 0 to 1.
    pub label_smoothing: f32,
    /// What the loss of the auxiliary head counts, 0 or more (0.4: DARTS).
    pub auxiliary_weight: f32,
    /// Probability with which an image loses the output of an operation, under 1; what survives is divided by the
    /// probability of that. A `skip_connect` at stride 1 is never lost (both as DARTS has it).
    pub drop_path: f32,
    /// Chooses what is lost: the same seed, the same paths, whatever the threads.
    pub seed: u64,
}

impl Default for Regularisation {
    fn default() -> Self {
        Self {
            label_smoothing: 0.0,
            auxiliary_weight: 0.4,
            drop_path: 0.0,
            seed: 0,
        }
    }
}

impl Regularisation {
    /// What the output of an operation is multiplied by on its way to a node, for one image of the batch: 0 where it is
    /// lost. The operation is that of the op weight `weight`, see [`crate::Connection`], in cell `cell`.
    pub fn path_scale(&self, image: usize, cell: usize, weight: usize) -> f32 {
        let operation = (cell as u64) << 32 | weight as u64;
        let bits = mixed(mixed(mixed(self.seed) ^ image as u64) ^ operation);
        // 24 bits: every f32 of the grid in 0..1 is as likely.
        let share = (bits >> 40) as f32 / (1_u32 << 24) as f32;
        if share < self.drop_path {
            0.0
        } else {
            self.kept_scale()
        }
    }

    /// What survives is multiplied by.
    pub(crate) fn kept_scale(self) -> f32 {
        1.0 / (1.0 - self.drop_path)
    }

    pub(crate) fn check(self) -> Result<(), Error> {
        let fits = [
            (
                "label smoothing",
                self.label_smoothing,
                (0.0..=1.0).contains(&self.label_smoothing),
                "0 to 1",
            ),
            (
                "auxiliary weight",
                self.auxiliary_weight,
                (0.0..f32::INFINITY).contains(&self.auxiliary_weight),
                "a number, 0 or more",
            ),
            (
                "drop-path",
                self.drop_path,
                (0.0..1.0).contains(&self.drop_path),
                "0 or more, under 1",
            ),
        ];
        match fits.into_iter().find(|(_, _, fits, _)| !fits) {
            None => Ok(()),
            Some((field, found, _, expected)) => Err(Error::Regularisation {
                field,
                expected,
                found,
            }),
        }
    }
}

/// SplitMix64 of a counter: neighbouring counters give unrelated bits.
fn mixed(counter: u64) -> u64 {
    let mut bits = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropping(drop_path: f32, seed: u64) -> Regularisation {
        Regularisation {
            drop_path,
            seed,
            ..Regularisation::default()
        }
    }

    #[test]
    fn paths_are_lost_as_often_as_asked_for_and_keep_their_mean() {
        for (probability, seed) in [(0.1, 0), (0.2, 1), (0.5, 2)] {
            let regularisation = dropping(probability, seed);
            let scales: Vec<f32> = (0..100)
                .flat_map(|image| (0..20).map(move |cell| (image, cell)))
                .flat_map(|(image, cell)| {
                    (0..16).map(move |weight| regularisation.path_scale(image, cell, weight))
                })
                .collect();
            let count = scales.len() as f32;
            let lost = scales.iter().filter(|s| **s == 0.0).count() as f32 / count;
            // Four standard deviations.
            let tolerance = 4.0 * (probability * (1.0 - probability) / count).sqrt();
            assert!(
                (lost - probability).abs() < tolerance,
                "{probability}: {lost}"
            );
            let mean = scales.iter().sum::<f32>() / count;
            assert!(
                (mean - 1.0).abs() < 2.0 * tolerance,
                "{probability}: {mean}"
            );
        }
    }

    #[test]
    fn every_counter_has_a_say_in_what_is_lost() {
        let of = |seed, image, cell| -> Vec<f32> {
            let regularisation = dropping(0.5, seed);
            (0..64)
                .map(|weight| regularisation.path_scale(image, cell, weight))
                .collect()
        };
        let all = [of(0, 0, 0), of(1, 0, 0), of(0, 1, 0), of(0, 0, 1)];
        for (i, scales) in all.iter().enumerate() {
            assert!(!all[..i].contains(scales));
        }
        assert_eq!(of(0, 0, 0), all[0]);
    }

    #[test]
    fn without_drop_path_nothing_is_lost() {
        assert!((0..1000).all(|image| dropping(0.0, 3).path_scale(image, 0, 0) == 1.0));
    }
}
