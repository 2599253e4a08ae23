//! Images with labels, held as the bytes they were stored as.
//!
//! One byte a channel is a quarter of the memory of floats, and loses nothing: floats are made when
//! a batch is.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The two parts in which a data set comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Images to search and train with.
    Train,
    /// Images that nothing is chosen by; they are read once, after training.
    Test,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
        })
    }
}

/// What a [`Dataset`] is made of.
#[derive(Clone, Debug)]
pub struct DatasetParts {
    /// What it is called in messages.
    pub name: String,
    /// Height of every image, in pixels.
    pub height: usize,
    /// Width of every image, in pixels.
    pub width: usize,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Names of the classes, in the order of the labels.
    pub classes: Vec<String>,
    /// `[N, H, W, C]`, contiguous.
    pub images: Vec<u8>,
    /// `[N]`, each below the number of classes.
    pub labels: Vec<u32>,
}

/// Images of one size, each with the label of its class.
#[derive(Clone)]
pub struct Dataset {
    parts: DatasetParts,
    skipped: Vec<PathBuf>,
}

impl Dataset {
    /// A data set of `parts`, once they are found to fit together.
    ///
    /// # Errors
    ///
    /// If there is no image, a size is 0, the numbers of bytes and labels differ, or a label has no
    /// class.
    pub fn new(parts: DatasetParts) -> Result<Self> {
        let DatasetParts {
            height,
            width,
            channels,
            ..
        } = parts;
        if height == 0 || width == 0 || !matches!(channels, 1 | 3) {
            return Err(Error::setting(
                "shape of an image",
                "at least one pixel with 1 or 3 channels",
                format!("{height}x{width} with {channels}"),
            ));
        }
        let (images, labels) = (parts.images.len(), parts.labels.len());
        if labels == 0 || images != labels * height * width * channels {
            let bytes = height * width * channels;
            return Err(Error::setting(
                "bytes of the images",
                format!("{bytes} for each of at least one label"),
                format!("{images} for {labels}"),
            ));
        }
        let classes = parts.classes.len();
        if let Some(label) = parts
            .labels
            .iter()
            .find(|&&label| label as usize >= classes)
        {
            return Err(Error::setting(
                "label",
                format!("a number below {classes}"),
                label,
            ));
        }
        Ok(Self {
            parts,
            skipped: Vec::new(),
        })
    }

    pub(crate) fn with_skipped(mut self, skipped: Vec<PathBuf>) -> Self {
        self.skipped = skipped;
        self
    }

    pub(crate) fn into_parts(self) -> DatasetParts {
        self.parts
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// How many images there are; never 0.
    #[expect(clippy::len_without_is_empty, reason = "there is no empty data set")]
    pub fn len(&self) -> usize {
        self.parts.labels.len()
    }

    /// Height of every image, in pixels.
    pub fn height(&self) -> usize {
        self.parts.height
    }

    /// Width of every image, in pixels.
    pub fn width(&self) -> usize {
        self.parts.width
    }

    /// 1 for grey, 3 for red, green and blue.
    pub fn channels(&self) -> usize {
        self.parts.channels
    }

    /// Names of the classes, in the order of the labels.
    pub fn classes(&self) -> &[String] {
        &self.parts.classes
    }

    /// The bytes of image `index`, `[H, W, C]`.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn image(&self, index: usize) -> &[u8] {
        let bytes = self.parts.height * self.parts.width * self.parts.channels;
        &self.parts.images[index * bytes..][..bytes]
    }

    /// The bytes of all images, `[N, H, W, C]`.
    pub fn images(&self) -> &[u8] {
        &self.parts.images
    }

    /// The label of every image, `[N]`.
    pub fn labels(&self) -> &[u32] {
        &self.parts.labels
    }

    /// The indices of all images, in order.
    pub fn indices(&self) -> Vec<u32> {
        (0..).take(self.len()).collect()
    }

    /// Files that were left out because they could not be read; empty unless that was asked for.
    pub fn skipped(&self) -> &[PathBuf] {
        &self.skipped
    }

    /// Checks that `indices` are of images that exist, and that there are any.
    pub(crate) fn check_indices(&self, indices: &[u32]) -> Result<()> {
        let images = self.len();
        if indices.is_empty() {
            return Err(Error::setting("indices of images", "at least one", "none"));
        }
        match indices.iter().find(|&&index| index as usize >= images) {
            Some(index) => Err(Error::setting(
                "index of an image",
                format!("a number below {images}"),
                index,
            )),
            None => Ok(()),
        }
    }
}

/// Without the images, which would fill the screen.
impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DatasetParts {
            name,
            height,
            width,
            channels,
            classes,
            ..
        } = &self.parts;
        f.debug_struct("Dataset")
            .field("name", name)
            .field("shape", &[self.len(), *height, *width, *channels])
            .field("classes", classes)
            .finish_non_exhaustive()
    }
}
