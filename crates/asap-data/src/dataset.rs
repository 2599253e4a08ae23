//! Images with labels, held as the bytes they were stored as, or decoded from their files when they
//! are needed.
//!
//! One byte a channel is a quarter of the memory of floats, and loses nothing: floats are made when
//! a batch is.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::parallel;
use crate::pictures::{Files, Picture};

/// Images that are read together when all are looked at.
const BLOCK: usize = 4096;

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
    /// Without images, if they are decoded on the fly.
    parts: DatasetParts,
    /// Where every image comes from, if each has a file of its own.
    files: Option<Files>,
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
            files: None,
            skipped: Vec::new(),
        })
    }

    /// Pictures from `files`, one for each label, without those that were `skipped`. Without images in `parts` they
    /// are decoded on the fly; with them they are what the files hold.
    pub(crate) fn of_files(parts: DatasetParts, files: Files, skipped: Vec<PathBuf>) -> Self {
        debug_assert_eq!(parts.labels.len(), files.len(), "a label for each file");
        Self {
            parts,
            files: Some(files),
            skipped,
        }
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
    /// # Errors
    ///
    /// If it is decoded on the fly and its file cannot be read any more.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn image(&self, index: usize) -> Result<Cow<'_, [u8]>> {
        match &self.files {
            Some(files) if self.is_streamed() => files.decode(index).map(Cow::Owned),
            _ => {
                let bytes = self.image_bytes();
                Ok(Cow::Borrowed(&self.parts.images[index * bytes..][..bytes]))
            }
        }
    }

    /// Image `index` in the size in which it was stored: that of its file, if it has one.
    pub(crate) fn picture(&self, index: usize) -> Result<Picture> {
        if let Some(files) = &self.files {
            return files.picture(index);
        }
        Ok(Picture {
            height: self.parts.height,
            width: self.parts.width,
            channels: self.parts.channels,
            bytes: self.image(index)?.into_owned(),
        })
    }

    /// The bytes of all images, `[N, H, W, C]`; `None` if they are decoded on the fly.
    pub fn images(&self) -> Option<&[u8]> {
        (!self.is_streamed()).then_some(&self.parts.images)
    }

    /// Whether images are decoded from their files when they are needed, because they would take too much of
    /// the memory.
    pub fn is_streamed(&self) -> bool {
        self.parts.images.is_empty()
    }

    /// Whether each image has a file of its own.
    pub(crate) fn has_files(&self) -> bool {
        self.files.is_some()
    }

    /// Reads every image once, on all cores, to find one that cannot be read.
    ///
    /// # Errors
    ///
    /// If images are decoded on the fly and a file cannot be read; the first is named.
    pub fn read_through(&self) -> Result<()> {
        if !self.is_streamed() {
            return Ok(());
        }
        self.indices().chunks(BLOCK).try_for_each(|block| {
            let read = |&index: &u32| self.image(index as usize).map(|_| ());
            parallel::for_each(block, read).into_iter().collect()
        })
    }

    /// Bytes of one image.
    pub(crate) fn image_bytes(&self) -> usize {
        self.parts.height * self.parts.width * self.parts.channels
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
