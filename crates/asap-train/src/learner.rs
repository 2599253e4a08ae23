//! The part that search and training share: a network whose weights follow a stream of images.

use std::time::Instant;

use asap_genotype::OpWeights;
use asap_space::{Images, Network, Regularisation, Wanted};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Position, Tensors};
use crate::error::{Error, Result};
use crate::image_stream::ImageStream;
use crate::progress::Phase;
use crate::schedule::Schedule;
use crate::sgd::{Sgd, SgdConfig, gradient_norm};
use crate::step_seconds::{EpochSums, Pace, StepSeconds};

/// How far a phase goes, and the learning rate on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) phase: Phase,
    pub(crate) epochs: usize,
    /// Weight steps of an epoch.
    pub(crate) steps: usize,
    pub(crate) learning_rate: Schedule,
}

impl Plan {
    /// Weight steps done when a phase is at `position`.
    pub(crate) fn steps_done(&self, at: Position) -> usize {
        at.epoch * self.steps + at.step
    }

    /// Weight steps of the whole plan.
    pub(crate) fn all_steps(&self) -> usize {
        self.epochs * self.steps
    }
}

/// What a [`Learner`] needs to go on, besides tensors.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LearnerState {
    pub(crate) at: Position,
    pub(crate) sums: EpochSums,
    pub(crate) step_seconds: StepSeconds,
}

/// A network, the optimizer of its weights, and the images they follow.
pub(crate) struct Learner {
    pub(crate) network: Network,
    pub(crate) plan: Plan,
    pub(crate) state: LearnerState,
    sgd: Sgd,
    images: ImageStream,
    pace: Pace,
}

/// What one weight step saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WeightStep {
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
    pub(crate) images: usize,
    pub(crate) seconds: f64,
}

impl Learner {
    /// A learner at the start of `plan`.
    pub(crate) fn new(network: Network, plan: Plan, sgd: SgdConfig, images: ImageStream) -> Self {
        let sgd = Sgd::new(sgd, network.weights().len());
        let (state, pace) = (LearnerState::default(), Pace::default());
        Self {
            network,
            plan,
            state,
            sgd,
            images,
            pace,
        }
    }

    /// Puts the learner where a checkpoint was; its image stream is there already.
    pub(crate) fn restore(
        &mut self,
        state: LearnerState,
        tensors: &Tensors,
        sgd: SgdConfig,
    ) -> Result<()> {
        self.network.load_tensors(&tensors.network)?;
        let velocity = self.network.slab_from_tensors(&tensors.velocity)?;
        self.sgd = Sgd::with_velocity(sgd, velocity);
        self.state = state;
        Ok(())
    }

    /// Everything of it that is a tensor.
    pub(crate) fn tensors(&self) -> Tensors {
        Tensors {
            network: self.network.tensors(),
            velocity: self.network.slab_tensors(self.sgd.velocity()),
            average: Vec::new(),
        }
    }

    /// The velocity, to follow the weights when the network is pruned.
    pub(crate) fn velocity_mut(&mut self) -> &mut Vec<f32> {
        self.sgd.velocity_mut()
    }

    /// Learning rate of the step that comes next.
    pub(crate) fn learning_rate(&self) -> f64 {
        self.plan
            .learning_rate
            .at(self.steps_done(), self.plan.all_steps())
    }

    /// Trains the weights on the next batch.
    pub(crate) fn weight_step(
        &mut self,
        op_weights: &OpWeights,
        regularisation: Regularisation,
    ) -> Result<WeightStep> {
        let batch = self.images.next()?;
        let start = Instant::now();
        let images = Images {
            pixels: &batch.pixels,
            labels: &batch.labels,
        };
        let outcome =
            self.network
                .step_with(images, op_weights, Wanted::Weights, regularisation)?;
        let learning_rate = self.learning_rate();
        // Nothing moves on what is no number, so that every checkpoint can be gone on with.
        self.require_finite("the loss of the weights", outcome.loss)?;
        let norm = gradient_norm(self.network.gradients());
        self.require_finite("the gradient of the weights", norm)?;
        let (weights, gradients) = self.network.weights_and_gradients();
        self.sgd.step(weights, gradients, norm, learning_rate);
        let seconds = start.elapsed().as_secs_f64();
        self.state.at.step += 1;
        self.state
            .sums
            .add_weight_step(batch.labels.len(), outcome, seconds);
        self.state.step_seconds.add(seconds);
        Ok(WeightStep {
            loss: outcome.loss,
            accuracy: outcome.correct as f64 / batch.labels.len() as f64,
            images: batch.labels.len(),
            seconds,
        })
    }

    /// Weight steps done.
    pub(crate) fn steps_done(&self) -> usize {
        self.plan.steps_done(self.state.at)
    }

    /// Seconds until the plan is over, when the last step took `seconds` with all that belongs to it.
    pub(crate) fn seconds_left(&mut self, seconds: f64) -> f64 {
        let left = self.plan.all_steps() - self.steps_done();
        self.pace.after_step(seconds) * left as f64
    }

    /// An error that says where the run is, unless `value` is a number.
    pub(crate) fn require_finite(&self, what: &'static str, value: f64) -> Result<()> {
        if value.is_finite() {
            return Ok(());
        }
        Err(Error::NotFinite {
            what,
            value,
            phase: self.plan.phase.name(),
            epoch: self.state.at.epoch + 1,
            step: self.state.at.step + 1,
            learning_rate: self.learning_rate(),
            checkpoint: None,
        })
    }

    /// Moves on to the next epoch and returns the sums of the one that ended.
    pub(crate) fn next_epoch(&mut self) -> EpochSums {
        self.state.at = Position {
            epoch: self.state.at.epoch + 1,
            step: 0,
        };
        std::mem::take(&mut self.state.sums)
    }
}
