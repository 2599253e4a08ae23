//! What stands in front of a cell.

use super::{Place, Reduce, Size, Task, View};

/// ReLU-1x1-BN, or a factorised reduce, in front of a cell.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) source: View,
    /// Size of the source.
    pub(crate) size: Size,
    pub(crate) kernel: InputKernel,
    pub(crate) norm: usize,
    pub(crate) y: Place,
    pub(crate) out: Size,
    /// Gradient of the normalised output, and its sums.
    pub(crate) gradient: Place,
    pub(crate) sums: usize,
    pub(crate) source_gradient: Place,
    pub(crate) source_gradient_add: bool,
}

impl Input {
    pub(crate) fn coefficients(&self) -> Task {
        let Self { norm, sums, .. } = *self;
        Task::SourceCoefficients { norm, sums }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum InputKernel {
    Pointwise {
        kernel: usize,
        transposed: usize,
    },
    Reduce(Reduce),
    /// 3x3 with stride 2.
    Dense {
        kernel: usize,
        transposed: usize,
    },
}
