//! Batches without an end: pass after pass over the same images, each pass in an order of its own.
//!
//! Which images come, and how they are varied, is a function of the number of the batch alone. A run
//! that goes on at batch `n` sees what it would have seen.

use asap_data::{Augmentation, Batch, Batches, IndexedBatch, IndexedBatches, Prepared};
use asap_space::{Images, KeptImages, Network, Showing, StepImages, Variation};

use crate::error::Result;

/// One batch.
pub(crate) enum ImageBatch {
    /// With its pixels.
    Prepared(Batch),
    /// Of images that lie on the device.
    Kept(KeptBatch),
}

/// A batch that a device makes by itself.
pub(crate) struct KeptBatch {
    showings: Vec<Showing>,
    variation: Variation,
}

impl ImageBatch {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Prepared(batch) => batch.labels.len(),
            Self::Kept(kept) => kept.showings.len(),
        }
    }

    /// As a step takes it.
    pub(crate) fn images(&self) -> StepImages<'_> {
        match self {
            Self::Prepared(batch) => StepImages::Given(Images {
                pixels: &batch.pixels,
                labels: &batch.labels,
            }),
            Self::Kept(kept) => StepImages::Kept(KeptImages {
                showings: &kept.showings,
                variation: kept.variation,
            }),
        }
    }
}

/// Batches `first`, `first + 1`, ... of an endless series.
pub(crate) struct ImageStream {
    batches: Batches,
    per_pass: usize,
    next: usize,
    source: Source,
}

enum Source {
    /// Prepared ahead; absent before the first.
    Host(Option<Prepared>),
    Device(Box<IndexedBatches>),
}

impl ImageStream {
    /// A stream that starts at batch `first`. Where a device can make the batches of `network` by itself, it gets all images
    /// of the data set, unless an earlier stream, `beside` which this one runs, has put them there.
    pub(crate) fn new(
        network: &mut Network,
        batches: Batches,
        first: usize,
        beside: Option<&Self>,
    ) -> Result<Self> {
        let indexed = match network.device() {
            Some(_) => batches.indexed(),
            None => None,
        };
        let source = match indexed {
            Some(indexed) => {
                if !beside.is_some_and(Self::is_on_device) {
                    network.keep_images(indexed.images(), indexed.tables())?;
                }
                Source::Device(Box::new(indexed))
            }
            None => Source::Host(None),
        };
        Ok(Self {
            per_pass: batches.steps_per_epoch(),
            batches,
            next: first,
            source,
        })
    }

    /// Whether the images lie on the device.
    pub(crate) fn is_on_device(&self) -> bool {
        matches!(self.source, Source::Device(_))
    }

    /// The next batch.
    pub(crate) fn next(&mut self) -> Result<ImageBatch> {
        let (pass, position) = (self.next / self.per_pass, self.next % self.per_pass);
        let batch = match &mut self.source {
            Source::Device(indexed) => {
                let batch = indexed.batch(pass, position);
                ImageBatch::Kept(KeptBatch::new(&batch, &indexed.augmentation()))
            }
            Source::Host(prepared) => {
                if position == 0 {
                    *prepared = None;
                }
                let current = prepared.get_or_insert_with(|| self.batches.epoch(pass, position));
                ImageBatch::Prepared(current.next().expect("a pass has all its batches")?)
            }
        };
        self.next += 1;
        Ok(batch)
    }
}

impl KeptBatch {
    fn new(batch: &IndexedBatch, augmentation: &Augmentation) -> Self {
        let showings = batch.images.iter().map(|image| Showing {
            index: image.index,
            label: image.label,
        });
        let draws = batch.draws;
        Self {
            showings: showings.collect(),
            variation: Variation {
                seed: draws.seed,
                purpose: draws.purpose,
                pass: draws.epoch,
                first: draws.first,
                // Sides of images have far fewer pixels than 2^31.
                padding: augmentation.crop_padding as u32,
                flip: u32::from(augmentation.flip),
                cutout: augmentation.cutout.unwrap_or(0) as u32,
                reserved: 0,
            },
        }
    }
}
