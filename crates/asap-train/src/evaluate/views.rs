//! How an image is shown to a network that is tested: as it is, or mirrored too.

use asap_genotype::OpWeights;
use asap_space::Network;
use serde::{Deserialize, Serialize};

use super::probabilities::softmax;
use crate::error::Result;

/// How every image is shown to the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Views {
    /// As it is.
    #[default]
    Plain,
    /// As it is and mirrored left to right; the two softmaxes are averaged (test-time flip).
    Mirrored,
}

impl Views {
    /// What the network makes of a batch: logits or, of two views, logarithms of the mean probabilities, which are logits
    /// too. `pixels` are left as they are or mirrored.
    pub(super) fn logits(
        self,
        network: &mut Network,
        op_weights: &OpWeights,
        pixels: &mut [f32],
    ) -> Result<Vec<f32>> {
        let plain = network.logits(pixels, op_weights)?;
        if self == Self::Plain {
            return Ok(plain);
        }
        let (width, channels) = (network.config().width, network.config().image_channels);
        mirror(pixels, width, channels);
        let mirrored = network.logits(pixels, op_weights)?;
        Ok(mean(&plain, &mirrored, network.config().classes))
    }
}

/// Mirrors every row of `[N, H, W, C]`.
fn mirror(pixels: &mut [f32], width: usize, channels: usize) {
    for row in pixels.chunks_exact_mut(width * channels) {
        for column in 0..width / 2 {
            for channel in 0..channels {
                let other = (width - 1 - column) * channels + channel;
                row.swap(column * channels + channel, other);
            }
        }
    }
}

/// Logarithms of the mean of two softmaxes, row by row.
fn mean(one: &[f32], other: &[f32], classes: usize) -> Vec<f32> {
    let rows = one.chunks_exact(classes).zip(other.chunks_exact(classes));
    rows.flat_map(|(one, other)| softmax(one).zip(softmax(other)))
        // Never minus infinity: a loss stays a number.
        .map(|(one, other)| ((one + other) / 2.0).ln().max(f64::from(f32::MIN)) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_mirrored_pixel_by_pixel() {
        let mut pixels = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        mirror(&mut pixels, 3, 1);
        assert_eq!(pixels, [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
        mirror(&mut pixels, 3, 2);
        assert_eq!(pixels, [5.0, 4.0, 1.0, 6.0, 3.0, 2.0]);
    }

    /// By hand: softmaxes (1/2, 1/2) and (1/4, 3/4) have the mean (3/8, 5/8).
    #[test]
    fn two_views_have_the_mean_of_their_softmaxes() {
        let three = 3.0_f32.ln();
        let mean = mean(&[7.0, 7.0], &[0.0, three], 2);
        for (found, expected) in softmax(&mean).zip([0.375, 0.625]) {
            assert!((found - expected).abs() < 1e-7, "{found}");
        }
    }

    #[test]
    fn a_class_that_both_views_exclude_has_a_finite_logit() {
        let mean = mean(&[1e5, 0.0], &[1e5, 0.0], 2);
        assert!(mean.iter().all(|logit| logit.is_finite()), "{mean:?}");
    }
}
