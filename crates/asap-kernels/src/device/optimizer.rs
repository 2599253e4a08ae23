//! The optimizer of the weights, on the device.

use super::abi::{self, THREADS};
use super::launch::{Device, Launch, Work};
use super::memory::{Bases, SQUARES, Sizes};
use crate::error::Error;

/// One step of stochastic gradient descent with momentum:
/// `d = min(1, clip / |g|) g + weight_decay w`, `v = momentum v + d`, `w -= learning_rate (nesterov ? d + momentum v : v)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// How far the weights move.
    pub learning_rate: f64,
    /// Share of the last update that this one keeps.
    pub momentum: f64,
    /// Whether the update looks ahead along the momentum.
    pub nesterov: bool,
    /// L2.
    pub weight_decay: f64,
    /// Largest norm of all gradients together.
    pub clip: f64,
}

/// The launches of a descent, for slabs at these places.
pub(super) fn launches(
    device: &mut dyn Device,
    bases: &Bases,
    sizes: &Sizes,
) -> Result<(u64, [Launch; 2]), Error> {
    let (squares_at, descend_at) = (0, size_of::<abi::Squares>().next_multiple_of(16));
    let table = device.allocate(descend_at + size_of::<abi::Descend>())?;
    let len = sizes.weights as u64;
    let squares = abi::Squares {
        gradients: bases.gradients,
        partials: bases.squares,
        len,
    };
    let descend = abi::Descend {
        weights: bases.weights,
        gradients: bases.gradients,
        velocity: bases.velocity,
        partials: bases.squares,
        outcome: bases.outcome,
        len,
        splits: SQUARES,
        reserved: 0,
    };
    device.upload(table + squares_at, abi::bytes(&[squares]))?;
    device.upload(table + descend_at as u64, abi::bytes(&[descend]))?;
    let launch = |kernel, blocks, shared_bytes, jobs, passes: f64| Launch {
        kernel,
        grid: [blocks, 1, 1],
        shared_bytes,
        jobs,
        step: bases.step,
        work: Work {
            bytes: 4.0 * passes * len as f64,
            operations: 0.0,
        },
    };
    let blocks = (len / 4).div_ceil(u64::from(THREADS)).max(1) as u32;
    Ok((
        table,
        [
            launch("squares", SQUARES, 8 * THREADS, table, 1.0),
            launch("descend", blocks, 0, table + descend_at as u64, 5.0),
        ],
    ))
}
