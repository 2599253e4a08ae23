//! Images made up for a benchmark: normal pixels, uniform labels.

use anyhow::Result;
use asap_space::{Images, KeptImages, Network, Showing, StepImages, Variation};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One batch.
pub(super) struct Batch {
    /// `[N, H, W, C]`.
    pub(super) pixels: Vec<f32>,
    pub(super) labels: Vec<u32>,
}

impl Batch {
    pub(super) fn images(&self) -> Images<'_> {
        Images {
            pixels: &self.pixels,
            labels: &self.labels,
        }
    }
}

/// How a batch comes to a network.
pub(super) enum Shown {
    /// With every step.
    Given(Batch),
    /// It lies on the device, to be shown as it is.
    Kept(Vec<Showing>),
}

impl Shown {
    pub(super) fn images(&self) -> StepImages<'_> {
        match self {
            Self::Given(batch) => StepImages::Given(batch.images()),
            Self::Kept(showings) => StepImages::Kept(KeptImages {
                showings,
                variation: Variation::default(),
            }),
        }
    }
}

/// Seeded numbers.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A normal number, by Box and Muller.
    pub(super) fn normal(&mut self) -> f64 {
        let (first, second) = (self.uniform(), self.uniform());
        (-2.0 * (1.0 - first).ln()).sqrt() * (std::f64::consts::TAU * second).cos()
    }

    /// A batch of `images` images of `values` numbers each, in `classes` classes.
    pub(super) fn batch(&mut self, images: usize, values: usize, classes: usize) -> Batch {
        let pixels = (0..images * values).map(|_| self.normal() as f32).collect();
        let labels = (0..images).map(|_| self.label(classes)).collect();
        Batch { pixels, labels }
    }

    /// Two batches that lie on the network's device, of random bytes, each spread over -1.7 to 1.7.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn kept(&mut self, network: &mut Network, classes: usize) -> Result<[Shown; 2]> {
        let (config, batch) = (network.config(), network.execution().batch);
        let values = config.height * config.width * config.image_channels;
        let tables =
            vec![std::array::from_fn(|byte| (byte as f32 - 127.5) / 75.0); config.image_channels];
        let set = self.bytes(2 * batch * values);
        network.keep_images(&set, &tables)?;
        Ok([0, batch].map(|first| {
            let showing = |index: usize| Showing {
                index: index as u32,
                label: self.label(classes),
            };
            Shown::Kept((first..first + batch).map(showing).collect())
        }))
    }

    fn label(&mut self, classes: usize) -> u32 {
        (self.uniform() * classes as f64) as u32
    }

    /// That many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// From 0 to below 1.
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_normal_and_labels_are_classes() {
        let batch = Random::new(0).batch(100, 300, 10);
        let count = batch.pixels.len() as f64;
        let mean = batch.pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / count;
        let square = batch
            .pixels
            .iter()
            .map(|&p| f64::from(p).powi(2))
            .sum::<f64>()
            / count;
        assert!(
            mean.abs() < 0.02 && (square - 1.0).abs() < 0.05,
            "{mean} {square}"
        );
        assert_eq!(batch.labels.iter().max(), Some(&9));
        assert_eq!(batch.pixels, Random::new(0).batch(100, 300, 10).pixels);
    }
}
