//! Sets of images that lie on the device, and the batches made of them there.

use super::abi::{self, Showing, Variation};
use super::engine::DeviceEngine;
use super::launch::Launch;
use crate::error::{Error, expect_len};

/// Bytes of how an image is shown: numbers of 4 bytes, how far down and right, mirrored or not, and four edges.
const PLACEMENT: u32 = 28;

/// The images of so many pixels that a block has pixels of, at most.
const fn placements(pixels: usize) -> u32 {
    (abi::THREADS - 1).div_ceil(pixels as u32) + 1
}

/// A batch out of a set of images that lies on a device: which, and how they are varied there.
#[derive(Clone, Copy, Debug)]
pub struct KeptImages<'a> {
    /// Image by image.
    pub showings: &'a [Showing],
    /// The same for all, but for what each draws.
    pub variation: Variation,
}

/// A set of images on the device.
pub(super) struct ImageSet {
    /// Bytes, then what they become, then the showings of a batch.
    pub(super) block: u64,
    job: abi::Images,
    /// The launch's table.
    table: u64,
    len: usize,
    /// What makes a batch, of the plan that had the last one.
    pub(super) launch: Option<Launch>,
}

impl DeviceEngine {
    /// Puts a set of images, `[N, H, W, C]` bytes, on the device, in the place of another; `tables` say for each channel what a
    /// byte becomes.
    ///
    /// # Errors
    /// If the set is not of images that the plan takes, or the device fails.
    pub fn keep_images(&mut self, set: &[u8], tables: &[[f32; 256]]) -> Result<(), Error> {
        let [height, width, channels] = self.plan.stem().image;
        let image = height * width * channels;
        let len = set.len() / image;
        expect_len("bytes of images", len * image, set.len())?;
        expect_len("tables", channels, tables.len())?;
        let set_bytes = set.len().next_multiple_of(256);
        let table_bytes = 1024 * channels;
        let showings = self.plan.batch * size_of::<Showing>();
        let bytes = set_bytes + table_bytes + showings.next_multiple_of(256);
        self.hand_over()?;
        self.shown = false;
        if let Some(old) = self.images.take() {
            self.forget_graphs();
            self.device.free(old.block);
        }
        let block = self.device.allocate(bytes + size_of::<abi::Images>())?;
        self.device.upload(block, set)?;
        let normalised = block + set_bytes as u64;
        self.device
            .upload(normalised, abi::bytes(tables.as_flattened()))?;
        let job = abi::Images {
            set: block,
            normalised,
            showings: normalised + table_bytes as u64,
            height: height as u32,
            width: width as u32,
            channels: channels as u32,
            ..Default::default()
        };
        self.images = Some(ImageSet {
            block,
            job,
            table: block + bytes as u64,
            len,
            launch: None,
        });
        Ok(())
    }

    /// Makes a batch for the next steps out of the images kept here, when the next one runs.
    ///
    /// # Errors
    /// If there are none, one is asked for that is not there, or the device fails.
    pub fn show(&mut self, kept: KeptImages<'_>) -> Result<(), Error> {
        let KeptImages {
            showings,
            variation,
        } = kept;
        self.check_batch(showings.len())?;
        self.check_labels(showings.iter().map(|showing| showing.label))?;
        self.hand_over()?;
        let batch = self.plan.batch;
        let Some(set) = &mut self.images else {
            return Err(Error::Device {
                what: "a batch of images".to_owned(),
                problem: "no images lie on the device".to_owned(),
            });
        };
        if let Some(showing) = showings.iter().find(|s| s.index as usize >= set.len) {
            return Err(Error::Device {
                what: format!("image {}", showing.index),
                problem: format!("{} images lie on the device", set.len),
            });
        }
        let bases = &self.built.bases;
        let job = abi::Images {
            pixels: bases.pixels,
            labels: bases.labels,
            ..set.job
        };
        // A plan that has taken the place of another has another place for its batch.
        if job != set.job {
            self.device.upload(set.table, abi::bytes(&[job]))?;
            set.job = job;
        }
        self.step.images = showings.len() as u32;
        self.step.variation = variation;
        self.device.upload(job.showings, abi::bytes(showings))?;
        let image = (job.height * job.width) as usize;
        let pixels = batch * image;
        set.launch = Some(Launch {
            kernel: "images",
            grid: [pixels.div_ceil(abi::THREADS as usize) as u32, 1, 1],
            shared_bytes: placements(image) * PLACEMENT,
            jobs: set.table,
            step: bases.step,
            work: Default::default(),
        });
        self.shown = true;
        Ok(())
    }
}
