//! A phase of a run, step by step: what the search and the training have in common to whoever drives
//! them.

use crate::checkpoint::{PhaseState, Tensors};
use crate::error::Result;
use crate::learner::Plan;
use crate::metrics::EpochMetrics;
use crate::progress::{Progress, StepReport};
use crate::run_folder::RunFolder;

/// A phase under way. Between two calls of [`Work::step`] it can be saved and gone on with.
pub(crate) trait Work {
    /// How far it goes.
    fn plan(&self) -> &Plan;
    /// Whether the images that are trained on lie on the device.
    fn images_on_device(&self) -> bool;
    /// Weight steps done.
    fn steps_done(&self) -> usize;
    /// Whether nothing is left to do.
    fn is_over(&self) -> bool;
    /// Whether the epoch has no further step.
    fn epoch_is_over(&self) -> bool;
    /// Does one step.
    fn step(&mut self, progress: &mut dyn Progress) -> Result<StepReport>;
    /// Moves on to the next epoch and returns the figures of the one that ended.
    fn end_epoch(&mut self) -> Result<EpochMetrics>;
    /// Writes the files that people read while it goes on, metrics apart.
    fn write_files(&self, folder: &RunFolder) -> Result<()>;
    /// Everything it needs to go on that is no tensor.
    fn state(&self) -> PhaseState;
    /// Everything it needs to go on that is a tensor.
    fn tensors(&mut self) -> Result<Tensors>;
    /// Waits for what a device still does, and looks at what came of it.
    fn settle(&mut self) -> Result<()>;
}
