//! Bytes to floats: `x = (byte / 255 - mean) / std`, mean and std of each channel.
//!
//! The figures come from histograms of the bytes, so they are exact and do not depend on the order
//! in which images are read. Only images that are trained with may enter them. Of many pictures that have a
//! file each some are enough, the same whether they are decoded on the fly or not.

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::parallel;

/// How many values a byte has.
const LEVELS: usize = 256;
/// The most pictures with a file each that are looked at, evenly from all: their mean is as good as sure.
const MOST_PICTURES: usize = 16_384;
/// Images that are held at a time.
const BLOCK: usize = 256;

/// Mean and standard deviation of each channel, of pixels from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel, above 0.
    pub std: Vec<f64>,
}

impl Normalisation {
    /// The normalisation after which the images at `indices` have mean 0 and standard deviation 1
    /// in each channel; of more than 16,384 pictures with a file each, as many of them, evenly from all. A channel
    /// that never varies is only shifted.
    ///
    /// # Errors
    ///
    /// If there are no `indices`, one is of no image, or a file cannot be read any more.
    pub fn of(dataset: &Dataset, indices: &[u32]) -> Result<Self> {
        dataset.check_indices(indices)?;
        let count = match dataset.has_files() {
            true => indices.len().min(MOST_PICTURES),
            false => indices.len(),
        };
        let chosen: Vec<u32> = (0..count)
            .map(|number| indices[(number as u64 * indices.len() as u64 / count as u64) as usize])
            .collect();
        let mut histograms = vec![[0_u64; LEVELS]; dataset.channels()];
        for block in chosen.chunks(BLOCK) {
            let image = |&index: &u32| dataset.image(index as usize);
            let images = match dataset.is_streamed() {
                true => parallel::for_each(block, image),
                false => block.iter().map(image).collect(),
            };
            for image in images {
                count_levels(&image?, &mut histograms);
            }
        }
        let (mean, std) = histograms.iter().map(mean_and_std).unzip();
        Ok(Self { mean, std })
    }

    /// Checks that there are figures for each of `channels`.
    pub(crate) fn check(&self, channels: usize) -> Result<()> {
        let finite = self
            .mean
            .iter()
            .chain(&self.std)
            .all(|number| number.is_finite());
        let positive = self.std.iter().all(|&std| std > 0.0);
        if self.mean.len() == channels && self.std.len() == channels && finite && positive {
            return Ok(());
        }
        Err(Error::setting(
            "normalisation",
            format!("mean and std above 0 of each of {channels} channels"),
            format!("mean {:?}, std {:?}", self.mean, self.std),
        ))
    }

    /// What every byte becomes, for each channel.
    pub(crate) fn tables(&self) -> Vec<[f32; LEVELS]> {
        let table = |(mean, std): (&f64, &f64)| {
            std::array::from_fn(|byte| ((byte as f64 / 255.0 - mean) / std) as f32)
        };
        self.mean.iter().zip(&self.std).map(table).collect()
    }
}

fn count_levels(image: &[u8], histograms: &mut [[u64; LEVELS]]) {
    for pixel in image.chunks_exact(histograms.len()) {
        for (histogram, &byte) in histograms.iter_mut().zip(pixel) {
            histogram[byte as usize] += 1;
        }
    }
}

fn mean_and_std(histogram: &[u64; LEVELS]) -> (f64, f64) {
    let levels = || (0_u64..).zip(histogram);
    let count = histogram.iter().sum::<u64>() as f64;
    let sum: u64 = levels().map(|(level, &times)| level * times).sum();
    let mean = sum as f64 / count;
    // Around the mean, not from the sum of squares: that would cancel.
    let squares = levels().map(|(level, &times)| times as f64 * (level as f64 - mean).powi(2));
    let variance = squares.sum::<f64>() / count;
    let std = if variance > 0.0 {
        variance.sqrt() / 255.0
    } else {
        1.0
    };
    (mean / 255.0, std)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::dataset::DatasetParts;

    fn two_pixels(channels: usize, images: Vec<u8>) -> Dataset {
        let labels = vec![0; images.len() / (2 * channels)];
        Dataset::new(DatasetParts {
            name: "pixels".into(),
            height: 1,
            width: 2,
            channels,
            classes: vec!["only".into()],
            images,
            labels,
        })
        .unwrap()
    }

    #[test]
    fn each_channel_has_its_own_mean_and_deviation() {
        let dataset = two_pixels(3, vec![0, 51, 7, 255, 153, 7]);
        let normalisation = Normalisation::of(&dataset, &[0]).unwrap();
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
        close(normalisation.mean[0], 0.5);
        close(normalisation.std[0], 0.5);
        close(normalisation.mean[1], 0.4);
        close(normalisation.std[1], 0.2);
        close(normalisation.mean[2], 7.0 / 255.0);
        close(normalisation.std[2], 1.0);
        let tables = normalisation.tables();
        assert_eq!((tables[0][0], tables[0][255]), (-1.0, 1.0));
        assert_eq!(tables[2][7], 0.0);
    }

    #[test]
    fn only_the_images_asked_for_count() {
        let dataset = two_pixels(1, vec![0, 0, 255, 255, 0, 255]);
        assert_eq!(Normalisation::of(&dataset, &[2]).unwrap().mean, [0.5]);
        assert_eq!(Normalisation::of(&dataset, &[1]).unwrap().mean, [1.0]);
        assert!(Normalisation::of(&dataset, &[]).is_err());
        assert!(Normalisation::of(&dataset, &[3]).is_err());
    }

    #[test]
    fn figures_that_cannot_be_used_are_refused() {
        let grey = |mean: f64, std: f64| Normalisation {
            mean: vec![mean],
            std: vec![std],
        };
        assert!(grey(0.5, 0.2).check(1).is_ok());
        assert!(grey(0.5, 0.2).check(3).is_err());
        assert!(grey(0.5, 0.0).check(1).is_err());
        assert!(grey(f64::NAN, 0.2).check(1).is_err());
    }
}
