//! What a cell is made of, as the kernels see it.

/// An operation as the kernels see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellOperation {
    /// 3x3 maximum.
    MaxPool,
    /// 3x3 average without the padding.
    AveragePool,
    /// Identity; a factorised reduce at stride 2.
    Skip,
    /// ReLU-depthwise-pointwise-BN twice.
    Separable {
        /// 3 or 5.
        kernel: usize,
    },
    /// ReLU-depthwise-pointwise-BN with dilation 2.
    Dilated {
        /// 3 or 5.
        kernel: usize,
    },
}

impl CellOperation {
    /// Its name in DARTS spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxPool => "max_pool_3x3",
            Self::AveragePool => "avg_pool_3x3",
            Self::Skip => "skip_connect",
            Self::Separable { kernel: 3 } => "sep_conv_3x3",
            Self::Separable { .. } => "sep_conv_5x5",
            Self::Dilated { kernel: 3 } => "dil_conv_3x3",
            Self::Dilated { .. } => "dil_conv_5x5",
        }
    }
}

/// One operation of a cell: from a node, into a node, times an op weight.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Source node, 0 to 4; 0 and 1 are the cell's inputs.
    pub from: usize,
    /// Node it adds to, 2 to 5, after `from`.
    pub to: usize,
    /// What it computes.
    pub operation: CellOperation,
    /// Index into the op weights of a step.
    pub weight: usize,
}

/// A cell to be added.
#[derive(Clone, Debug)]
pub struct CellSpec<'a> {
    /// Prefix of its parameters' names.
    pub name: String,
    /// Channels of every node.
    pub channels: usize,
    /// Stride of the connections out of nodes 0 and 1: 1 or 2.
    pub stride: usize,
    /// Whether node 0 halves the resolution, as after a reduction cell.
    pub reduce_first_input: bool,
    /// Whether normalisations have scale and shift.
    pub affine: bool,
    /// Whether pools are followed by a normalisation.
    pub normalise_pools: bool,
    /// All operations alive.
    pub connections: &'a [Connection],
}
