//! Training batches without their pixels: which images, and what each draws where it is cropped, mirrored and cut out. Whoever
//! holds the images already, such as a GPU, makes the same batches of them.

use std::sync::Arc;

use crate::augmentation::Augmentation;
use crate::batches::{Batches, Pass, Plan};
use crate::random::Purpose;

/// One image of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedImage {
    /// Which image of the data set.
    pub index: u32,
    /// Its label.
    pub label: u32,
}

/// The random numbers of a batch: image `i` draws from ChaCha with 8 rounds, nonce 0, under the key of these four numbers, each as
/// 8 bytes, little endian, with `i` added to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// Of the batches.
    pub seed: u64,
    /// What the numbers are for.
    pub purpose: u64,
    /// Which epoch.
    pub epoch: u64,
    /// Position of the batch's first image in the epoch.
    pub first: u64,
}

/// One batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedBatch {
    /// Image by image.
    pub images: Vec<IndexedImage>,
    /// What they draw from.
    pub draws: Draws,
}

/// The batches of [`Batches`], image by image.
#[derive(Clone)]
pub struct IndexedBatches {
    plan: Arc<Plan>,
    seed: u64,
    augmentation: Augmentation,
    /// The order of an epoch.
    order: Option<(usize, Vec<u32>)>,
}

impl Batches {
    /// The batches without pixels, where that is all there is to them: images in memory, which training only crops, mirrors
    /// and cuts out.
    pub fn indexed(&self) -> Option<IndexedBatches> {
        let plan = Arc::clone(&self.0);
        let Pass::Training { seed, augmentation } = plan.pass else {
            return None;
        };
        let only_placed = !augmentation.takes_long() && !plan.dataset.is_streamed();
        only_placed.then_some(IndexedBatches {
            plan,
            seed,
            augmentation,
            order: None,
        })
    }
}

impl IndexedBatches {
    /// All images of the data set, `[N, H, W, C]`.
    pub fn images(&self) -> &[u8] {
        self.plan.dataset.images().unwrap_or_default()
    }

    /// What every byte becomes, for each channel; 0 where an image is cut out.
    pub fn tables(&self) -> &[[f32; 256]] {
        &self.plan.developer.tables
    }

    /// What is varied: crop, mirroring and cutout, in the order of [`Augmentation`]'s draws.
    pub fn augmentation(&self) -> Augmentation {
        self.augmentation
    }

    /// The images of batch `step` of `epoch`.
    pub fn batch(&mut self, epoch: usize, step: usize) -> IndexedBatch {
        let order = match self.order.take() {
            Some((of, order)) if of == epoch => order,
            _ => self.plan.order(epoch),
        };
        let mut chosen = self.plan.chosen(&order, step).peekable();
        let first = chosen.peek().map_or(0, |(position, _)| *position);
        let labels = self.plan.dataset.labels();
        let images = chosen.map(|(_, index)| IndexedImage {
            index,
            label: labels[index as usize],
        });
        let batch = IndexedBatch {
            images: images.collect(),
            draws: Draws {
                seed: self.seed,
                purpose: Purpose::Augmentation as u64,
                epoch: epoch as u64,
                first,
            },
        };
        self.order = Some((epoch, order));
        batch
    }
}
