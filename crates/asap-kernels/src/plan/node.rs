//! A node and its terms.

use super::{Place, Size, View};

/// Where an operation's output goes: into a node, times an op weight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) node: usize,
    /// Index of the term within the node.
    pub(crate) term: usize,
}

/// What drop-path needs to know of a term.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DropPath {
    pub(crate) cell: usize,
    /// `sum g` over the images that keep the term.
    pub(crate) sum: usize,
}

/// One term of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeTerm {
    pub(crate) y: View,
    /// Index into the op weights of a step.
    pub(crate) weight: usize,
    /// `weight * a`.
    pub(crate) scale_vector: usize,
    /// `A`, the coefficient of this node's gradient in the gradient of `y`.
    pub(crate) back_vector: usize,
    /// `sum g y`.
    pub(crate) products: usize,
    /// Whether a normalisation lies between `y` and the node, so that sums are needed for more than op weights.
    pub(crate) normalised: bool,
    /// Whether that normalisation serves other nodes too.
    pub(crate) shared: bool,
    /// `None` for what no image ever loses.
    pub(crate) drop_path: Option<DropPath>,
}

/// An intermediate node: the weighted sum of operations.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) terms: Vec<NodeTerm>,
    pub(crate) size: Size,
    pub(crate) value: Place,
    pub(crate) shift_vector: usize,
    pub(crate) gradient: Place,
    /// `sum g`.
    pub(crate) sum: usize,
}
