//! A bank and its operations: everything that leaves one source node.

use super::{Place, Size, Target, View};
use crate::depthwise::Taps;
use crate::pool::PoolKind;

/// Depthwise then pointwise, `y = pw(dw(relu(x)))`, normalised afterwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    pub(crate) taps: Taps,
    pub(crate) depthwise: usize,
    pub(crate) pointwise: usize,
    /// `[outputs, inputs]` copy of the pointwise kernel, in the slab of transposes.
    pub(crate) transposed: usize,
    pub(crate) norm: usize,
    pub(crate) y: Place,
}

/// One chain (dilated) or two (separable).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Convolution {
    pub(crate) first: Chain,
    pub(crate) second: Option<Chain>,
    /// Sums `[g, g y]` of the normalisation between the two chains.
    pub(crate) inner_sums: usize,
    pub(crate) target: Target,
}

/// A pool of the source, shared by all edges that use it.
#[derive(Clone, Debug)]
pub(crate) struct SharedPool {
    pub(crate) kind: PoolKind,
    pub(crate) y: View,
    pub(crate) targets: Vec<Target>,
}

/// Two 1x1 convolutions with stride 2 on inputs one pixel apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reduce {
    pub(crate) kernels: [usize; 2],
    pub(crate) transposed: [usize; 2],
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) norm: usize,
    pub(crate) y: Place,
}

/// Everything that leaves one source node.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    pub(crate) source: View,
    pub(crate) size: Size,
    pub(crate) stride: usize,
    /// Zeros around the tile.
    pub(crate) halo: usize,
    pub(crate) convolutions: Vec<Convolution>,
    pub(crate) pools: Vec<SharedPool>,
    pub(crate) reduces: Vec<(Reduce, Target)>,
    pub(crate) skips: Vec<Target>,
    /// Gradient of the source.
    pub(crate) gradient: Place,
    /// Whether another task has written to `gradient` before.
    pub(crate) gradient_add: bool,
    /// Sums `[g, g y]` that the source's own normalisation needs.
    pub(crate) source_sums: Option<usize>,
}

impl Bank {
    /// Without operations; the first to write to `gradient`.
    pub(crate) fn new(source: View, size: Size, stride: usize, gradient: Place) -> Self {
        Self {
            source,
            size,
            stride,
            halo: 1,
            convolutions: Vec::new(),
            pools: Vec::new(),
            reduces: Vec::new(),
            skips: Vec::new(),
            gradient,
            gradient_add: false,
            source_sums: None,
        }
    }
}
