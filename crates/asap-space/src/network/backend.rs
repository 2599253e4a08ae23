//! What computes a network: the processor, or a device. Slabs are laid out by the plan, and no topology is known here.

use std::borrow::Cow;

use asap_kernels::device::{
    AlphaDescent, Alphas, Descent, DeviceEngine, KeptImages, Slab, StepOpWeights,
};
use asap_kernels::{Plan, Regularisation, Wanted};

use super::{Finished, Images};
use crate::error::Result;

/// Where the images of a step come from.
#[derive(Clone, Copy, Debug)]
pub enum StepImages<'a> {
    /// From the caller.
    Given(Images<'a>),
    /// From the set that lies on the device, see [`super::Network::keep_images`].
    Kept(KeptImages<'a>),
}

impl<'a> From<Images<'a>> for StepImages<'a> {
    fn from(images: Images<'a>) -> Self {
        Self::Given(images)
    }
}

/// What is the same in all parts of a step.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) images: StepImages<'a>,
    pub(super) op_weights: StepOpWeights<'a>,
    pub(super) regularisation: Regularisation,
    pub(super) wanted: Wanted,
}

/// Runs a plan, and holds its weights, their gradients and velocity, and running statistics.
pub(super) trait Backend: Send {
    fn plan(&self) -> &Plan;
    /// Takes another plan; slabs are zeros then.
    fn replace(&mut self, plan: Plan) -> Result<()>;
    /// One of its own for another plan, with slabs of zeros.
    fn another(&self, plan: Plan) -> Result<Box<dyn Backend>>;
    fn read(&self, slab: Slab) -> Result<Cow<'_, [f32]>>;
    fn write(&mut self, slab: Slab, values: Vec<f32>) -> Result<()>;
    /// Begins a step; it may still run when this returns.
    fn start(&mut self, step: Step<'_>) -> Result<()>;
    /// Moves the weights against the gradients of the step before, unless its loss or their norm is no number.
    fn descend(&mut self, descent: Descent) -> Result<()>;
    /// Makes room for an average of the weights and running statistics, which are slabs, too.
    fn keep_average(&mut self) -> Result<()>;
    /// Puts it in their place, and them in its.
    fn exchange_with_average(&mut self) -> Result<()>;
    /// Moves it by a share of the way to them.
    fn follow(&mut self, share: f32) -> Result<()>;
    /// Puts alphas beside the network: `nodes` has, for every node, how many operations each of its edges has.
    fn set_alphas(&mut self, nodes: &[Vec<usize>], alphas: &Alphas) -> Result<()>;
    /// Moves them against the gradients of the step before, unless its loss or their norm is no number.
    fn move_alphas(&mut self, descent: AlphaDescent) -> Result<()>;
    /// What the oldest step found that they moved after, and where to; with what the steps before it found.
    fn moved_alphas(&mut self) -> Result<(Vec<Finished>, Finished, Alphas)>;
    /// What the steps since the last call found but the `newest`, oldest first; those left out that alphas moved after.
    fn outcomes_but(&mut self, newest: usize) -> Result<Vec<Finished>>;
    fn op_weight_gradients(&self) -> Result<Vec<f64>>;
    fn logits(&mut self, pixels: &[f32], op_weights: &[f32]) -> Result<Vec<f32>>;
    fn keep_images(&mut self, set: &[u8], tables: &[[f32; 256]]) -> Result<()>;
    /// What runs the plan where that is a device.
    fn engine(&mut self) -> Option<&mut DeviceEngine>;
}
