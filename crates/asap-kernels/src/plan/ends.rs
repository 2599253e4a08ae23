//! What stands before a network's first cell and after its last, and in their place around a single operation.

use super::{Place, Size, View};

/// The first convolution.
#[derive(Clone, Debug)]
pub(crate) struct Stem {
    /// Height, width and channels of the images.
    pub(crate) image: [usize; 3],
    pub(crate) stride: usize,
    /// Rows of the im2col product, padded.
    pub(crate) inputs: usize,
    pub(crate) size: Size,
    pub(crate) kernel: usize,
    pub(crate) norm: usize,
    pub(crate) y: Place,
    pub(crate) gradient: Place,
    pub(crate) sums: usize,
}

/// Global average pool, linear layer, cross-entropy.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) source: View,
    pub(crate) size: Size,
    pub(crate) classifier: Classifier,
    pub(crate) gradient: Place,
}

/// A linear layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Classifier {
    pub(crate) classes: usize,
    pub(crate) weight: usize,
    pub(crate) bias: usize,
}

/// A tensor of others, `[N, C, H, W]` outside, and its gradient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Door {
    pub(crate) tensor: View,
    pub(crate) gradient: Place,
    pub(crate) size: Size,
    /// Without padding.
    pub(crate) channels: usize,
}

impl Door {
    /// Values of an image outside.
    pub(crate) fn len(self) -> usize {
        self.size.pixels() * self.channels
    }
}

/// What stands in the place of stem and head in the plan of a single operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doors {
    pub(crate) source: Door,
    pub(crate) result: Door,
    /// Sums `[g, g y]` that the result's own normalisation needs.
    pub(crate) result_sums: Option<usize>,
}
