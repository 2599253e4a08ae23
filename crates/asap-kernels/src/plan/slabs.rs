//! What lies in the slabs: parameters, running statistics, kernels transposed.

use crate::layout::ParameterKind;

/// A parameter by name, and where it lies in the slab.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name, unique in the plan.
    pub name: String,
    /// Shape and layout.
    pub kind: ParameterKind,
    /// First value in the slab.
    pub offset: usize,
}

/// Running statistics of a batch normalisation by name.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Name of the normalisation; its two vectors are `NAME.mean` and `NAME.variance`.
    pub name: String,
    /// Channels, without padding.
    pub channels: usize,
    /// First mean in the slab of statistics; the variances follow the padded means.
    pub offset: usize,
}

/// A matrix to be transposed before the backward pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transpose {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}
