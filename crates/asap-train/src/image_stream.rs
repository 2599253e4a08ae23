//! Batches without an end: pass after pass over the same images, each pass in an order of its own.
//!
//! Which images come, and how they are varied, is a function of the number of the batch alone. A run
//! that goes on at batch `n` sees what it would have seen.

use asap_data::{Batch, Batches, PlacedBatches, PlacedImage, Prepared};
use asap_space::{Images, Network, Showing, StepImages};

use crate::error::Result;

/// One batch.
pub(crate) enum ImageBatch {
    /// With its pixels.
    Prepared(Batch),
    /// Of images that lie on the device.
    Kept(Vec<Showing>),
}

impl ImageBatch {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Prepared(batch) => batch.labels.len(),
            Self::Kept(showings) => showings.len(),
        }
    }

    /// As a step takes it.
    pub(crate) fn images(&self) -> StepImages<'_> {
        match self {
            Self::Prepared(batch) => StepImages::Given(Images {
                pixels: &batch.pixels,
                labels: &batch.labels,
            }),
            Self::Kept(showings) => StepImages::Kept(showings),
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
    Device(Box<PlacedBatches>),
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
        let placed = match network.device() {
            Some(_) => batches.placed(),
            None => None,
        };
        let source = match placed {
            Some(placed) => {
                if !beside.is_some_and(Self::is_on_device) {
                    network.keep_images(placed.images(), placed.tables())?;
                }
                Source::Device(Box::new(placed))
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
            Source::Device(placed) => {
                let batch = placed.batch(pass, position);
                ImageBatch::Kept(batch.iter().map(showing).collect())
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

/// An image as a device is told to show it. Sides of images have far fewer pixels than 2^15.
fn showing(image: &PlacedImage) -> Showing {
    let placement = &image.placement;
    let (rows, columns) = match &placement.cutout {
        Some(cutout) => (cutout.rows.clone(), cutout.columns.clone()),
        None => (0..0, 0..0),
    };
    Showing {
        index: image.index,
        label: image.label,
        down: placement.down as i16,
        right: placement.right as i16,
        cutout_top: rows.start as i16,
        cutout_bottom: rows.end as i16,
        cutout_left: columns.start as i16,
        cutout_right: columns.end as i16,
        mirrored: u32::from(placement.flip),
    }
}
