//! What a run tells about itself while it works.
//!
//! Libraries never print: a run calls a [`Progress`], and who started it decides what to show.

use std::path::Path;

use asap_anneal::LedgerLine;
use serde::{Deserialize, Serialize};

use crate::computed_on::ComputedOn;
use crate::metrics::EpochMetrics;

/// The two long parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The supernet and its alphas are trained, and operations are pruned.
    Search,
    /// The found network is trained from fresh weights.
    Train,
}

impl Phase {
    /// The word for it in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Train => "training",
        }
    }
}

/// One step of a run, as it was just done.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Search or training.
    pub phase: Phase,
    /// Epoch the step belongs to, from 0.
    pub epoch: usize,
    /// Epochs that are planned.
    pub epochs: usize,
    /// Step in the epoch, from 0.
    pub step: usize,
    /// Steps of one epoch.
    pub steps: usize,
    /// Mean cross-entropy of the batch the weights were trained on; on a device of the last one looked at, up to 32 steps ago.
    pub weight_loss: f64,
    /// Share of that batch that was classified rightly, 0 to 1.
    pub weight_accuracy: f64,
    /// Mean cross-entropy of the batch the alphas were trained on; absent in grace and in training.
    pub alpha_loss: Option<f64>,
    /// Temperature of the op weights; absent in training.
    pub temperature: Option<f64>,
    /// Operations alive in both kinds of cell; absent in training.
    pub operations_alive: Option<usize>,
    /// Images that went through the network in a second of this step.
    pub images_per_second: f64,
    /// Seconds until the phase ends if the steps to come take as long as the last ones.
    pub seconds_left: f64,
}

/// Something that happened in a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// What computed the run so far and, at last, computes it now.
    Computing(&'a [ComputedOn]),
    /// A phase starts, or goes on from a checkpoint.
    PhaseStarted {
        /// Search or training.
        phase: Phase,
        /// Epochs that are planned.
        epochs: usize,
        /// Steps of one epoch.
        steps: usize,
        /// Whether the images that are trained on lie on the device that computes, and are varied there.
        images_on_device: bool,
        /// Steps that were done before, by the process that wrote the checkpoint.
        done: usize,
    },
    /// A step was done.
    Step(&'a StepReport),
    /// Operations or edges were removed.
    Removed(&'a [LedgerLine]),
    /// An epoch ended.
    EpochEnded(&'a EpochMetrics),
    /// A checkpoint was written.
    CheckpointSaved(&'a Path),
    /// The found network is evaluated on the test images.
    Testing {
        /// How many there are.
        images: usize,
    },
}

/// Somebody who follows a run.
pub trait Progress {
    /// Called in the order in which things happen, on the thread that runs.
    fn event(&mut self, event: &Event<'_>);
}

/// A closure follows a run.
impl<F: FnMut(&Event<'_>)> Progress for F {
    fn event(&mut self, event: &Event<'_>) {
        self(event);
    }
}

/// Follows nothing.
impl Progress for () {
    fn event(&mut self, _event: &Event<'_>) {}
}
