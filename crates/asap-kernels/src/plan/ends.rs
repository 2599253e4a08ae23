//! What stands before a network's first cell and after its last.

use super::{Place, Size, View};

/// The first convolution.
#[derive(Clone, Debug)]
pub(crate) struct Stem {
    pub(crate) image_channels: usize,
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
