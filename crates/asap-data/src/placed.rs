//! Training batches without their pixels: which images, and where each is cropped, mirrored and cut out. Whoever holds the
//! images already, such as a GPU, makes the same batches of them.

use std::sync::Arc;

use crate::augmentation::Placement;
use crate::batches::{Batches, Pass, Plan};
use crate::random::{Purpose, Random};

/// One image of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedImage {
    /// Which image of the data set.
    pub index: u32,
    /// Its label.
    pub label: u32,
    /// How it is shown.
    pub placement: Placement,
}

/// The batches of [`Batches`], image by image.
#[derive(Clone)]
pub struct PlacedBatches {
    plan: Arc<Plan>,
    /// The order of an epoch.
    order: Option<(usize, Vec<u32>)>,
}

impl Batches {
    /// The batches without pixels, where that is all there is to them: images in memory, which training only crops, mirrors
    /// and cuts out.
    pub fn placed(&self) -> Option<PlacedBatches> {
        let plan = Arc::clone(&self.0);
        let Pass::Training { augmentation, .. } = plan.pass else {
            return None;
        };
        let only_placed = !augmentation.takes_long() && !plan.dataset.is_streamed();
        only_placed.then_some(PlacedBatches { plan, order: None })
    }
}

impl PlacedBatches {
    /// All images of the data set, `[N, H, W, C]`.
    pub fn images(&self) -> &[u8] {
        self.plan.dataset.images().unwrap_or_default()
    }

    /// What every byte becomes, for each channel; 0 where an image is cut out.
    pub fn tables(&self) -> &[[f32; 256]] {
        &self.plan.developer.tables
    }

    /// The images of batch `step` of `epoch`.
    pub fn batch(&mut self, epoch: usize, step: usize) -> Vec<PlacedImage> {
        let order = match self.order.take() {
            Some((of, order)) if of == epoch => order,
            _ => self.plan.order(epoch),
        };
        let plan = &self.plan;
        let (height, width) = (plan.dataset.height(), plan.dataset.width());
        let placed = plan.chosen(&order, step).map(|(position, index)| {
            let placement = match plan.pass {
                Pass::Training { seed, augmentation } => {
                    let place = [epoch as u64, position];
                    let mut random = Random::new(seed, Purpose::Augmentation, place);
                    augmentation.draw(&mut random, height, width)
                }
                Pass::Evaluation => Placement::default(),
            };
            PlacedImage {
                index,
                label: plan.dataset.labels()[index as usize],
                placement,
            }
        });
        let placed = placed.collect();
        self.order = Some((epoch, order));
        placed
    }
}
