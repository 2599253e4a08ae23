//! Batches, prepared ahead on a thread of their own.
//!
//! What a batch holds is a pure function of the seed, the epoch and the step. So a run that goes on
//! at some step sees what it would have seen, and how far the thread is ahead never matters. Where an
//! image takes long, because it is decoded from its file or repainted, all cores share a batch: what is held is
//! never more than a few batches, however large the data set is.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::augmentation::Augmentation;
use crate::dataset::Dataset;
use crate::develop::{Developer, window};
use crate::error::{Error, Result};
use crate::normalisation::Normalisation;
use crate::parallel;
use crate::pictures::Picture;
use crate::random::{Purpose, Random};
use crate::resized_crop::resized_crop;

/// How many batches wait for their turn: enough to bridge a step that is faster than the others,
/// few enough that their memory does not matter.
const AHEAD: usize = 2;

/// What the images are for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// In another order every epoch, varied; a last batch that is not full is left out.
    Training {
        /// Decides order and variation.
        seed: u64,
        /// What is varied.
        augmentation: Augmentation,
    },
    /// In the order of the indices, as they are, every image once.
    Evaluation,
}

/// How batches are made.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchConfig {
    /// Images in a batch, above 0; no more than there are images are taken.
    pub batch: usize,
    /// From bytes to floats: that of the images trained with, in evaluation too.
    pub normalisation: Normalisation,
    /// What the batches are for.
    pub pass: Pass,
}

/// Images and labels for one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `[N, H, W, C]`, normalised.
    pub pixels: Vec<f32>,
    /// `[N]`.
    pub labels: Vec<u32>,
    shape: [usize; 3],
}

impl Batch {
    /// The images as candle's convolutions take them, `[N, C, H, W]`, contiguous.
    ///
    /// # Errors
    ///
    /// If the device has no room for it.
    pub fn to_tensor(&self, device: &Device) -> Result<Tensor> {
        let [height, width, channels] = self.shape;
        let shape = (self.labels.len(), height, width, channels);
        let tensor = Tensor::from_slice(&self.pixels, shape, device)?;
        Ok(tensor.permute((0, 3, 1, 2))?.contiguous()?)
    }
}

/// The batches of a set of images, epoch by epoch. A clone is cheap.
#[derive(Clone)]
pub struct Batches(pub(crate) Arc<Plan>);

pub(crate) struct Plan {
    pub(crate) dataset: Arc<Dataset>,
    indices: Arc<[u32]>,
    batch: usize,
    pub(crate) pass: Pass,
    pub(crate) developer: Developer,
    /// How many prepare a batch.
    threads: usize,
}

impl Batches {
    /// Batches of the images of `dataset` at `indices`.
    ///
    /// # Errors
    ///
    /// If there are no `indices` or one is of no image, the batch is 0, the normalisation is of
    /// other channels, or the augmentation would leave nothing of an image.
    pub fn new(
        dataset: Arc<Dataset>,
        indices: impl Into<Arc<[u32]>>,
        config: &BatchConfig,
    ) -> Result<Self> {
        let indices = indices.into();
        dataset.check_indices(&indices)?;
        config.normalisation.check(dataset.channels())?;
        if let Pass::Training { augmentation, .. } = config.pass {
            augmentation.check(dataset.height(), dataset.width())?;
        }
        if config.batch == 0 {
            return Err(Error::setting("images in a batch", "at least 1", 0));
        }
        let batch = config.batch.min(indices.len());
        let developer = Developer {
            width: dataset.width(),
            tables: config.normalisation.tables(),
        };
        let takes_long = match config.pass {
            Pass::Training { augmentation, .. } => augmentation.takes_long(),
            Pass::Evaluation => false,
        };
        let threads = match takes_long || dataset.is_streamed() {
            true => parallel::cores(),
            false => 1,
        };
        let plan = Plan {
            dataset,
            indices,
            batch,
            pass: config.pass,
            developer,
            threads,
        };
        Ok(Self(Arc::new(plan)))
    }

    /// How many batches an epoch has; never 0.
    pub fn steps_per_epoch(&self) -> usize {
        let images = self.0.indices.len();
        match self.0.pass {
            Pass::Training { .. } => images / self.0.batch,
            Pass::Evaluation => images.div_ceil(self.0.batch),
        }
    }

    /// How many images the batches are made of.
    pub fn images(&self) -> usize {
        self.0.indices.len()
    }

    /// The batches of `epoch` from `first_step` on, prepared ahead on a thread.
    ///
    /// The thread ends when the iterator is dropped.
    pub fn epoch(&self, epoch: usize, first_step: usize) -> Prepared {
        let (plan, steps) = (Arc::clone(&self.0), first_step..self.steps_per_epoch());
        let (sender, receiver) = sync_channel(AHEAD);
        let worker = thread::spawn(move || {
            let order = plan.order(epoch);
            for step in steps {
                let batch = plan.prepare(&order, epoch, step);
                let is_last = batch.is_err();
                if sender.send(batch).is_err() || is_last {
                    return; // Nobody waits for the rest.
                }
            }
        });
        Prepared {
            receiver: Some(receiver),
            worker: Some(worker),
        }
    }
}

impl Plan {
    /// The indices in the order in which `epoch` takes them.
    pub(crate) fn order(&self, epoch: usize) -> Vec<u32> {
        let mut order = self.indices.to_vec();
        if let Pass::Training { seed, .. } = self.pass {
            Random::new(seed, Purpose::Order, [epoch as u64, 0]).shuffle(&mut order);
        }
        order
    }

    /// The images of batch `step` in this order of an epoch, each with its position in it.
    pub(crate) fn chosen(
        &self,
        order: &[u32],
        step: usize,
    ) -> impl ExactSizeIterator<Item = (u64, u32)> {
        let first = step * self.batch;
        let chosen = &order[first..order.len().min(first + self.batch)];
        let positions = first as u64;
        chosen
            .iter()
            .enumerate()
            .map(move |(at, &index)| (positions + at as u64, index))
    }

    fn prepare(&self, order: &[u32], epoch: usize, step: usize) -> Result<Batch> {
        let (height, width) = (self.dataset.height(), self.dataset.width());
        let shape = [height, width, self.dataset.channels()];
        let image = shape.iter().product::<usize>();
        let mut pixels = vec![0.0; self.chosen(order, step).len() * image];
        let mut images: Vec<([u64; 2], u32, &mut [f32])> = self
            .chosen(order, step)
            .zip(pixels.chunks_exact_mut(image))
            .map(|((position, index), pixels)| ([epoch as u64, position], index, pixels))
            .collect();
        parallel::try_each(&mut images, self.threads, |(place, index, pixels)| {
            self.prepare_image(*place, *index as usize, pixels)
        })?;
        let labels = self
            .chosen(order, step)
            .map(|(_, index)| self.dataset.labels()[index as usize])
            .collect();
        Ok(Batch {
            pixels,
            labels,
            shape,
        })
    }

    /// Writes image `index`, which stands at `place`, to `pixels`.
    fn prepare_image(&self, place: [u64; 2], index: usize, pixels: &mut [f32]) -> Result<()> {
        let Pass::Training { seed, augmentation } = self.pass else {
            self.developer
                .develop(&self.dataset.image(index)?, None, pixels);
            return Ok(());
        };
        let (height, width) = (self.dataset.height(), self.dataset.width());
        let channels = self.dataset.channels();
        let bytes = match augmentation.resized_crop {
            None => self.dataset.image(index)?,
            Some(least_share) => {
                let mut random = Random::new(seed, Purpose::ResizedCrop, place);
                let picture = self.dataset.picture(index)?;
                Cow::Owned(resized_crop(
                    &picture,
                    least_share,
                    &mut random,
                    (height, width),
                ))
            }
        };
        let mut random = Random::new(seed, Purpose::Augmentation, place);
        let placement = augmentation.draw(&mut random, height, width);
        let mut shown = window(bytes, width, channels, &placement);
        if augmentation.repaints() {
            let mut picture = Picture {
                height,
                width,
                channels,
                bytes: shown.into_owned(),
            };
            augmentation.repaint(&mut picture, seed, place);
            shown = picture.bytes.into();
        }
        self.developer
            .develop(&shown, placement.cutout.as_ref(), pixels);
        Ok(())
    }
}

/// Batches of one epoch, in order, as they become ready; one that cannot be made, because a file cannot be read any
/// more, is the last.
pub struct Prepared {
    receiver: Option<Receiver<Result<Batch>>>,
    worker: Option<JoinHandle<()>>,
}

impl Iterator for Prepared {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        if let Some(batch) = self
            .receiver
            .as_ref()
            .and_then(|receiver| receiver.recv().ok())
        {
            return Some(batch);
        }
        self.receiver = None;
        // An epoch that ends because its thread panicked must not look like a short epoch.
        if let Some(Err(panic)) = self.worker.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        None
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // In this order: the thread stops because nobody listens, within one batch.
        self.receiver = None;
        if let Some(worker) = self.worker.take() {
            // A panic in the thread has nobody to tell any more.
            let _ = worker.join();
        }
    }
}
