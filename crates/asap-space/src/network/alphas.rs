//! Alphas that lie beside a network on its device, so that nothing waits for the processor between the step that they learn from
//! and the step that follows with the op weights they make.

use asap_genotype::{CellKind, NODES, Topology};
use asap_kernels::device::{AlphaDescent, Alphas, StepOpWeights};
use asap_kernels::{Regularisation, Wanted};

use super::backend::{Step, StepImages};
use super::{Finished, Network};
use crate::error::Result;

impl Network {
    /// Puts alphas on the device, in the place of others: one for each operation alive, in the order of op weights, then, if
    /// edges have weights of their own, a logit for each edge alive. A pruning loses them.
    ///
    /// # Errors
    /// If there are more or fewer, the network runs on the processor, or the device fails.
    pub fn set_alphas(&mut self, alphas: &Alphas) -> Result<()> {
        let nodes = operations_into_nodes(&self.topology);
        self.backend.set_alphas(&nodes, alphas)
    }

    /// Moves the alphas against the gradients of the step before, which wanted those of op weights, and makes op weights of
    /// them, for [`Self::start_step_as_moved`]; may still run when this returns. They stay as they are if the loss of the step or
    /// the norm of the gradient is no number.
    ///
    /// # Errors
    /// If there are no alphas, or a device fails.
    pub fn move_alphas(&mut self, descent: AlphaDescent) -> Result<()> {
        self.backend.move_alphas(descent)
    }

    /// What the oldest step found that [`Self::move_alphas`] followed, and where they moved to. Waits for that alone, and for
    /// nothing begun after it.
    ///
    /// # Errors
    /// If there is no such step, or a device fails.
    pub fn moved_alphas(&mut self) -> Result<(Finished, Alphas)> {
        let (earlier, moved, alphas) = self.backend.moved_alphas()?;
        self.finished.extend(earlier);
        Ok((moved, alphas))
    }

    /// What the steps found, of those that [`Self::outcomes`] has not told of, that are known to be done: oldest first, without
    /// waiting.
    pub fn outcomes_so_far(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }

    /// [`Self::start_step`] with the op weights that [`Self::move_alphas`] has made.
    ///
    /// # Errors
    /// As [`Self::start_step`], and if there are no alphas on the device.
    pub fn start_step_as_moved(
        &mut self,
        images: StepImages<'_>,
        wanted: Wanted,
        regularisation: Regularisation,
    ) -> Result<()> {
        self.backend.start(Step {
            images,
            op_weights: StepOpWeights::Kept,
            regularisation,
            wanted,
        })
    }
}

/// For every node of both cells, how many operations each living edge into it has.
fn operations_into_nodes(topology: &Topology) -> Vec<Vec<usize>> {
    let mut nodes = Vec::new();
    for kind in CellKind::ALL {
        for node in 0..NODES {
            let edges = topology.cell(kind).edges();
            let into = edges.filter(|(edge, _)| edge.to() == node);
            let counts: Vec<usize> = into.map(|(_, alive)| alive.len()).collect();
            if !counts.is_empty() {
                nodes.push(counts);
            }
        }
    }
    nodes
}
