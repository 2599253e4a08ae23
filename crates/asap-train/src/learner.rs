//! The part that search and training share: a network whose weights follow a stream of images.

use std::time::Instant;

use asap_genotype::OpWeights;
use asap_space::{Finished, Network, Regularisation, StepOutcome, Wanted};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Position, Tensors};
use crate::error::{Error, Result};
use crate::image_stream::{ImageBatch, ImageStream};
use crate::progress::Phase;
use crate::schedule::Schedule;
use crate::sgd::SgdConfig;
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
    sgd: SgdConfig,
    images: ImageStream,
    pace: Pace,
    /// Weight steps that nobody has looked at yet, oldest first; on the processor none between two steps.
    pending: Vec<Begun>,
    last: Option<WeightStep>,
}

/// Where a step is in its plan.
#[derive(Clone, Copy)]
pub(crate) struct Whereabouts {
    at: Position,
    learning_rate: f64,
}

/// A weight step that was begun.
struct Begun {
    place: Whereabouts,
    images: usize,
    start: Instant,
}

/// The most weight steps that a device goes on alone where no alphas are asked for: a loss that is no number stops a run soon enough.
const MOST_PENDING: usize = 32;
/// Of these, the newest that are not waited for then, so that the device always has a step to do.
const UNDER_WAY: usize = MOST_PENDING / 2;

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
        Self {
            network,
            plan,
            state: LearnerState::default(),
            sgd,
            images,
            pace: Pace::default(),
            pending: Vec::new(),
            last: None,
        }
    }

    /// Puts the learner where a checkpoint was; its image stream is there already.
    pub(crate) fn restore(&mut self, state: LearnerState, tensors: &Tensors) -> Result<()> {
        self.network.load_tensors(&tensors.network)?;
        let velocity = self.network.slab_from_tensors(&tensors.velocity)?;
        self.network.set_velocity(velocity)?;
        self.state = state;
        Ok(())
    }

    /// Everything of it that is a tensor.
    pub(crate) fn tensors(&self) -> Result<Tensors> {
        Ok(Tensors {
            network: self.network.tensors()?,
            velocity: self.network.slab_tensors(&self.network.velocity()?),
            average: Vec::new(),
        })
    }

    /// Whether its images lie on the device.
    pub(crate) fn images_on_device(&self) -> bool {
        self.images.is_on_device()
    }

    /// Learning rate of the step that comes next.
    pub(crate) fn learning_rate(&self) -> f64 {
        self.plan
            .learning_rate
            .at(self.steps_done(), self.plan.all_steps())
    }

    /// Trains the weights on the next batch, with the op weights that moved alphas have left on the device if none are given. A
    /// device may still be at it when this returns; then what comes back is what the last step saw that was looked at.
    pub(crate) fn weight_step(
        &mut self,
        op_weights: Option<&OpWeights>,
        regularisation: Regularisation,
    ) -> Result<WeightStep> {
        let batch = self.images.next()?;
        let begun = Begun {
            place: self.here(),
            images: batch.len(),
            start: Instant::now(),
        };
        let (images, wanted) = (batch.images(), Wanted::Weights);
        match op_weights {
            Some(op_weights) => {
                self.network
                    .start_step(images, op_weights, wanted, regularisation)?;
            }
            None => self
                .network
                .start_step_as_moved(images, wanted, regularisation)?,
        }
        // Nothing moves on what is no number, so that every checkpoint can be gone on with.
        self.network
            .descend(self.sgd.descent(begun.place.learning_rate))?;
        self.pending.push(begun);
        self.state.at.step += 1;
        match self.last {
            Some(_) if self.network.device().is_none() => self.settle()?,
            Some(_) if self.pending.len() < MOST_PENDING => {}
            Some(_) => {
                let finished = self.network.outcomes_but(UNDER_WAY)?;
                self.look_at(finished)?;
            }
            None => self.settle()?,
        }
        Ok(self.last.expect("a step was begun"))
    }

    /// Waits for the steps under way and looks at what they saw.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let finished = self.network.outcomes()?;
        self.look_at(finished)
    }

    /// Looks at what the steps saw that are known to be done.
    pub(crate) fn settle_so_far(&mut self) -> Result<()> {
        let finished = self.network.outcomes_so_far();
        self.look_at(finished)
    }

    fn look_at(&mut self, finished: Vec<Finished>) -> Result<()> {
        let begun: Vec<Begun> = self.pending.drain(..finished.len()).collect();
        for (begun, finished) in begun.iter().zip(finished) {
            let Finished {
                outcome,
                gradient_norm,
                seconds,
            } = finished;
            // On the processor a step is done before anybody looks.
            let seconds = seconds.unwrap_or_else(|| begun.start.elapsed().as_secs_f64());
            self.require_finite_at(begun.place, "the loss of the weights", outcome.loss)?;
            let norm = gradient_norm.unwrap_or(f64::NAN);
            self.require_finite_at(begun.place, "the gradient of the weights", norm)?;
            self.state
                .sums
                .add_weight_step(begun.images, outcome, seconds);
            self.state.step_seconds.add(seconds);
            self.last = Some(WeightStep {
                loss: outcome.loss,
                accuracy: outcome.correct as f64 / begun.images as f64,
                images: begun.images,
                seconds,
            });
        }
        Ok(())
    }

    /// Begins to find the gradients of the op weights over a batch.
    pub(crate) fn start_alpha_step(
        &mut self,
        batch: &ImageBatch,
        op_weights: &OpWeights,
    ) -> Result<()> {
        let (wanted, regularisation) = (Wanted::OpWeights, Regularisation::default());
        Ok(self
            .network
            .start_step(batch.images(), op_weights, wanted, regularisation)?)
    }

    /// [`Self::start_alpha_step`] to its end; no weight step is under way.
    pub(crate) fn alpha_step(
        &mut self,
        batch: &ImageBatch,
        op_weights: &OpWeights,
    ) -> Result<StepOutcome> {
        self.start_alpha_step(batch, op_weights)?;
        let finished = self.network.outcomes()?;
        Ok(finished.last().expect("a step was started").outcome)
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

    /// Where the next step is.
    pub(crate) fn here(&self) -> Whereabouts {
        Whereabouts {
            at: self.state.at,
            learning_rate: self.learning_rate(),
        }
    }

    /// An error that says where the run was, unless `value` is a number.
    pub(crate) fn require_finite_at(
        &self,
        place: Whereabouts,
        what: &'static str,
        value: f64,
    ) -> Result<()> {
        if value.is_finite() {
            return Ok(());
        }
        Err(Error::NotFinite {
            what,
            value,
            phase: self.plan.phase.name(),
            epoch: place.at.epoch + 1,
            step: place.at.step + 1,
            learning_rate: place.learning_rate,
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
