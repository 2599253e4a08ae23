//! Parameters, multiply-accumulates and memory, computed before anything runs.

use asap_genotype::Topology;

use crate::config::{Execution, NetworkConfig};
use crate::error::Result;
use crate::lower;

/// Trainable values, without padding, those of the auxiliary head too, if there is one. BN running statistics are none.
///
/// # Errors
/// If the configuration makes no network.
pub fn parameter_count(config: &NetworkConfig, topology: &Topology) -> Result<usize> {
    let plan = lower::plan(config, topology, 1)?;
    Ok(plan.parameters().iter().map(|p| p.kind.count()).sum())
}

/// Values of a saved network, without padding: what is trainable, and the running means and variances of BN.
///
/// # Errors
/// If the configuration makes no network.
pub fn stored_values(config: &NetworkConfig, topology: &Topology) -> Result<usize> {
    let plan = lower::plan(config, topology, 1)?;
    let statistics: usize = plan.statistics().iter().map(|s| 2 * s.channels).sum();
    Ok(statistics
        + plan
            .parameters()
            .iter()
            .map(|p| p.kind.count())
            .sum::<usize>())
}

/// Multiply-accumulates of the forward pass of one image in training: convolutions and classifier, the auxiliary head's
/// too, if there is one.
///
/// # Errors
/// If the configuration makes no network.
pub fn macs_per_image(config: &NetworkConfig, topology: &Topology) -> Result<u64> {
    Ok(lower::plan(config, topology, 1)?.macs_per_image())
}

/// Bytes that a training step holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// Weights, their gradients and their momentum, running statistics and transposed kernels.
    pub weights: u64,
    /// Activations and gradients of activations.
    pub activations: u64,
    /// What every thread needs for itself, over all threads.
    pub scratch: u64,
}

impl MemoryEstimate {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.activations + self.scratch
    }
}

/// Bytes of activations when `images` are classified together: tensors share memory as soon as nothing reads them again.
///
/// # Errors
/// If the configuration makes no network.
pub fn inference_activations(
    config: &NetworkConfig,
    topology: &Topology,
    images: usize,
) -> Result<u64> {
    Ok(lower::plan(config, topology, images)?.inference_arena_bytes())
}

/// Memory of a training step with momentum.
///
/// # Errors
/// If the configuration makes no network.
pub fn training_memory(
    config: &NetworkConfig,
    topology: &Topology,
    execution: Execution,
) -> Result<MemoryEstimate> {
    let plan = lower::plan(config, topology, execution.batch)?;
    Ok(MemoryEstimate {
        weights: plan.shared_bytes() + 2 * 4 * plan.slab_len() as u64,
        activations: plan.arena_bytes(),
        scratch: execution.threads.max(1) as u64 * plan.thread_bytes(),
    })
}
