//! What a network is asked, and what it answers: training steps, and logits in eval mode.

use super::Engine;
use super::engine::{Mode, Part, Writes};
use crate::error::{Error, expect_len};
use crate::regularisation::Regularisation;

/// What a pass reads.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a> {
    /// `[N, H, W, C]`, contiguous.
    pub pixels: &'a [f32],
    /// The slab of parameters.
    pub parameters: &'a [f32],
    /// One per operation, see [`crate::Connection`].
    pub op_weights: &'a [f32],
    /// Only a training step is regularised.
    pub regularisation: Regularisation,
}

/// Whose gradients a step computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Of the weights: also updates the running statistics.
    Weights,
    /// Of the op weights.
    OpWeights,
    /// Of both: also updates the running statistics.
    Both,
}

impl Wanted {
    pub(crate) fn weights(self) -> bool {
        self != Self::OpWeights
    }
    pub(crate) fn op_weights(self) -> bool {
        self != Self::Weights
    }
}

/// What a step found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The loss that was minimised, a mean over the batch.
    pub loss: f64,
    /// Images whose largest logit is their label's.
    pub correct: usize,
}

impl Engine {
    /// One forward and backward pass in training mode. Weight gradients are written to `gradients`.
    ///
    /// # Errors
    /// If an array's length, the batch, a label or the regularisation does not fit; nothing is written then.
    pub fn step(
        &mut self,
        pass: Pass<'_>,
        labels: &[u32],
        statistics: &mut [f32],
        gradients: &mut [f32],
        wanted: Wanted,
    ) -> Result<Outcome, Error> {
        let images = self.check(&pass, statistics)?;
        pass.regularisation.check()?;
        let classes = self.plan.head().classifier.classes;
        expect_len("labels", images, labels.len())?;
        expect_len("gradients", self.plan.slab_len, gradients.len())?;
        if let Some((image, &label)) = labels
            .iter()
            .enumerate()
            .find(|(_, l)| **l as usize >= classes)
        {
            return Err(Error::Label {
                image,
                label,
                classes,
            });
        }
        let mode = Mode {
            train: true,
            wanted,
            part: Part::Whole,
        };
        let writes = Writes {
            statistics,
            gradients,
        };
        self.run(pass, labels, writes, images, mode);
        let loss = self.buffers.results.iter().map(|r| r[0]).sum::<f64>() / images as f64;
        let correct = self.buffers.results.iter().map(|r| r[1]).sum::<f64>() as usize;
        Ok(Outcome { loss, correct })
    }

    /// Logits `[N, classes]` in eval mode: normalisations use the running statistics.
    ///
    /// # Errors
    /// If an array's length or the batch does not fit the plan.
    pub fn logits(&mut self, pass: Pass<'_>, statistics: &[f32]) -> Result<&[f32], Error> {
        let images = self.check(&pass, statistics)?;
        let pass = Pass {
            regularisation: Regularisation::default(),
            ..pass
        };
        let mode = Mode {
            train: false,
            wanted: Wanted::OpWeights,
            part: Part::Forward,
        };
        let writes = Writes {
            statistics: &mut statistics.to_vec(),
            gradients: &mut [],
        };
        self.run(pass, &[], writes, images, mode);
        Ok(&self.buffers.outputs[..images * self.plan.head().classifier.classes])
    }

    fn check(&self, pass: &Pass<'_>, statistics: &[f32]) -> Result<usize, Error> {
        let stem = self.plan.stem();
        let image: usize = stem.image.iter().product();
        let images = pass.pixels.len() / image;
        if images == 0 || images > self.plan.batch {
            return Err(Error::Batch {
                batch: self.plan.batch,
                found: images,
            });
        }
        expect_len("pixels", images * image, pass.pixels.len())?;
        expect_len("parameters", self.plan.slab_len, pass.parameters.len())?;
        expect_len("statistics", self.plan.statistics_len, statistics.len())?;
        expect_len("op weights", self.plan.op_weights, pass.op_weights.len())?;
        Ok(images)
    }
}
