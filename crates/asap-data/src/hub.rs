//! Known data sets by download, through candle's loaders (feature `hub`).
//!
//! They come as floats from 0 to 1 and become the bytes they were. candle-datasets 0.11.1 hands the
//! images of CIFAR-10 on as `[N, C, W, H]`, on their sides, where its own reader of the binary
//! batches has `[N, C, H, W]`: they are turned upright here, by looking at them, so that a later
//! release that has this right is right here too.

use std::fmt;
use std::str::FromStr;

use candle_core::{DType, Tensor};
use candle_datasets::vision::{self, cifar};

use crate::classes;
use crate::dataset::{Dataset, DatasetParts, Part};
use crate::error::{Error, Result};

/// A data set that can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubSet {
    /// `fashion-mnist`: the default of this project, as the hub has it.
    FashionMnist,
    /// `mnist`: handwritten digits.
    Mnist,
    /// `cifar10`: ten kinds of animals and vehicles.
    Cifar10,
}

impl HubSet {
    const ALL: [Self; 3] = [Self::FashionMnist, Self::Mnist, Self::Cifar10];
}

impl fmt::Display for HubSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FashionMnist => "fashion-mnist",
            Self::Mnist => "mnist",
            Self::Cifar10 => "cifar10",
        })
    }
}

impl FromStr for HubSet {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|set| set.to_string() == name)
            .ok_or_else(|| {
                Error::setting("data to download", "fashion-mnist, mnist or cifar10", name)
            })
    }
}

/// One part of `set`, from the Hugging Face hub or, after the first time, from its cache.
///
/// # Errors
///
/// If it cannot be downloaded or is not what it should be.
pub fn hub(set: HubSet, part: Part) -> Result<Dataset> {
    let name = format!("hub:{set}");
    match set {
        HubSet::FashionMnist => {
            let names = classes::owned(&classes::FASHION_MNIST);
            grey(name, names, &vision::fashion_mnist::load()?, part)
        }
        HubSet::Mnist => {
            let names = (0..10).map(|digit| digit.to_string()).collect();
            grey(name, names, &vision::mnist::load()?, part)
        }
        HubSet::Cifar10 => coloured(name, &cifar::load()?, part),
    }
}

fn tensors(loaded: &vision::Dataset, part: Part) -> (&Tensor, &Tensor) {
    match part {
        Part::Train => (&loaded.train_images, &loaded.train_labels),
        Part::Test => (&loaded.test_images, &loaded.test_labels),
    }
}

/// Images that came as `[N, 784]`.
fn grey(
    name: String,
    classes: Vec<String>,
    loaded: &vision::Dataset,
    part: Part,
) -> Result<Dataset> {
    let (images, labels) = tensors(loaded, part);
    let (height, width, channels) = (28, 28, 1);
    let (images, labels) = (bytes(images)?, numbers(labels)?);
    Dataset::new(DatasetParts {
        name,
        height,
        width,
        channels,
        classes,
        images,
        labels,
    })
}

/// Images that came as `[N, 3, 32, 32]`, upright or on their sides.
fn coloured(name: String, loaded: &vision::Dataset, part: Part) -> Result<Dataset> {
    let (images, labels) = tensors(loaded, part);
    let (_, channels, height, width) = images.dims4()?;
    let axes = if on_their_sides(images)? {
        (0, 3, 2, 1)
    } else {
        (0, 2, 3, 1)
    };
    let (images, labels) = (bytes(&images.permute(axes)?)?, numbers(labels)?);
    let classes = classes::owned(&classes::CIFAR10);
    Dataset::new(DatasetParts {
        name,
        height,
        width,
        channels,
        classes,
        images,
        labels,
    })
}

/// Whether the photographs in `images` lie on their sides. From sky to ground the mean brightness
/// changes much, from left to right hardly: in CIFAR-10 the variances of the two are 46 to 1.
fn on_their_sides(images: &Tensor) -> Result<bool> {
    let mean = images.mean((0, 1))?;
    let along = |across: usize| -> Result<f32> { Ok(mean.mean(across)?.var(0)?.to_scalar()?) };
    let (down, right) = (along(1)?, along(0)?);
    Ok(right > down)
}

fn bytes(images: &Tensor) -> Result<Vec<u8>> {
    let images = (images * 255.0)?.round()?.to_dtype(DType::U8)?;
    Ok(images.flatten_all()?.to_vec1()?)
}

fn numbers(labels: &Tensor) -> Result<Vec<u32>> {
    Ok(labels.to_dtype(DType::U32)?.to_vec1()?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use candle_core::Device;

    use super::*;

    fn loaded(images: &Tensor, labels: &[u8]) -> vision::Dataset {
        let labels = Tensor::from_slice(labels, labels.len(), &Device::Cpu).unwrap();
        vision::Dataset {
            train_images: images.clone(),
            train_labels: labels.clone(),
            test_images: images.narrow(0, 0, 1).unwrap(),
            test_labels: labels.narrow(0, 0, 1).unwrap(),
            labels: 10,
        }
    }

    fn as_loaded(bytes: &[u8], shape: &[usize]) -> Tensor {
        let tensor = Tensor::from_slice(bytes, shape, &Device::Cpu).unwrap();
        (tensor.to_dtype(DType::F32).unwrap() / 255.0).unwrap()
    }

    #[test]
    fn grey_images_become_the_bytes_they_were() {
        let original: Vec<u8> = (0..2 * 784_u32).map(|pixel| (pixel % 256) as u8).collect();
        let loaded = loaded(&as_loaded(&original, &[2, 784]), &[9, 3]);
        let names = classes::owned(&classes::FASHION_MNIST);
        let train = grey("train".into(), names.clone(), &loaded, Part::Train).unwrap();
        assert_eq!(
            (train.images(), train.labels()),
            (&original[..], &[9, 3][..])
        );
        assert_eq!(
            (train.height(), train.width(), train.channels()),
            (28, 28, 1)
        );
        let test = grey("test".into(), names, &loaded, Part::Test).unwrap();
        assert_eq!((test.images(), test.labels()), (&original[..784], &[9][..]));
    }

    /// A photograph with a bright sky and a different value in every pixel of a row.
    fn photographs() -> Vec<u8> {
        let pixel = |index: usize| {
            let (row, column, channel) = (index / 96 % 32, index / 3 % 32, index % 3);
            (240 - 7 * row + (column * 5 + channel) % 7) as u8
        };
        (0..2 * 32 * 32 * 3).map(pixel).collect()
    }

    #[test]
    fn images_on_their_sides_are_turned_upright() {
        let original = photographs();
        // As candle-datasets 0.11.1 makes it of decoded images.
        let rows = as_loaded(&original, &[2, 32, 32, 3]);
        let loaded = loaded(&rows.permute((0, 3, 2, 1)).unwrap(), &[1, 2]);
        let dataset = coloured("cifar10".into(), &loaded, Part::Train).unwrap();
        assert_eq!(dataset.images(), original);
    }

    #[test]
    fn upright_images_stay_upright() {
        let original = photographs();
        let rows = as_loaded(&original, &[2, 32, 32, 3]);
        let loaded = loaded(&rows.permute((0, 3, 1, 2)).unwrap(), &[1, 2]);
        let dataset = coloured("cifar10".into(), &loaded, Part::Train).unwrap();
        assert_eq!(dataset.images(), original);
    }

    #[test]
    fn sets_are_called_by_their_names() {
        for set in HubSet::ALL {
            assert_eq!(set.to_string().parse::<HubSet>().unwrap(), set);
        }
        let message = "imagenet".parse::<HubSet>().unwrap_err().to_string();
        assert!(
            message.contains("fashion-mnist, mnist or cifar10"),
            "{message}"
        );
    }
}
