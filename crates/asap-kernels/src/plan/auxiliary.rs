//! A second classifier in the middle of a network, which is there only while the network trains.
//!
//! `source -> relu -> 5x5 average -> 1x1 (norm) -> relu -> 2x2 (norm) -> relu -> mean -> linear layer`, no padding
//! anywhere. As DARTS has it, but for the mean: that is ours, where more than one pixel is left.

use super::{Classifier, Place, Plan, Size, View};

/// The head and its parts, first to last.
#[derive(Clone, Debug)]
pub(crate) struct Auxiliary {
    pub(crate) source: View,
    pub(crate) size: Size,
    pub(crate) source_gradient: Place,
    pub(crate) source_gradient_add: bool,
    /// Stride of the pool.
    pub(crate) stride: usize,
    /// The pool's output, in the backward pass its gradient.
    pub(crate) pooled: Place,
    pub(crate) pooled_size: Size,
    pub(crate) first: Stage,
    pub(crate) second: Stage,
    pub(crate) classifier: Classifier,
}

/// A convolution and what follows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage {
    /// Rows of the product.
    pub(crate) inputs: usize,
    pub(crate) kernel: usize,
    pub(crate) transposed: usize,
    pub(crate) out: Size,
    pub(crate) y: Place,
    pub(crate) norm: Option<usize>,
    /// Gradient of what is normalised.
    pub(crate) gradient: Place,
    /// Sums `[g, g y]` of the normalisation.
    pub(crate) sums: usize,
}

impl Stage {
    pub(crate) fn view(&self) -> View {
        View {
            place: self.y,
            norm: self.norm,
        }
    }
}

/// What every thread does next for its images.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AuxiliaryTask {
    /// Pool and first convolution.
    First,
    Second,
    /// The classifier, its loss, and the gradient of what it reads.
    Classifier,
    SecondBack,
    FirstBack,
}

/// Pixels that pass through a product together.
pub(crate) const AUXILIARY_ROWS: usize = 16;
/// Width and height of the pool's window.
pub(crate) const AUXILIARY_POOL: usize = 5;

impl Plan {
    /// The auxiliary head; only its own tasks ask for it.
    pub(crate) fn auxiliary(&self) -> &Auxiliary {
        self.auxiliary
            .as_ref()
            .expect("a plan with such tasks has an auxiliary head")
    }
}
