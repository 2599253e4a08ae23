//! What can go wrong between a topology and a network.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting of a network that makes none.
    #[error("{field}: expected {expected}, found {found}")]
    Config {
        /// The setting.
        field: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What it was given.
        found: usize,
    },
    /// Op weights that belong to another topology.
    #[error("op weights: expected one for each of the {alive} operations alive, edge by edge")]
    OpWeights {
        /// Operations alive.
        alive: usize,
    },
    /// A topology that is no part of the network's own.
    #[error(
        "a network can only lose operations: the new topology has some that the network has not"
    )]
    NotASubset,
    /// A tensor that the network has no place for, or has and was not given.
    #[error("tensor `{name}`: {problem}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A state dict that does not fit, or a network that the reference implementation of DARTS has not.
    #[error("state dict of DARTS: {problems}")]
    StateDict {
        /// What is wrong, by key.
        problems: String,
    },
    /// From the kernels.
    #[error(transparent)]
    Kernels(#[from] asap_kernels::Error),
}
