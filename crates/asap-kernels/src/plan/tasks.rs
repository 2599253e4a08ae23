//! The tasks that a plan puts in order.

use super::{AuxiliaryTask, Place, Size};

/// What every thread does next, on its own images unless said otherwise.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Wait for all threads.
    Barrier,
    /// Forward coefficients of normalisations, from all threads' moments.
    Coefficients(Vec<usize>),
    Stem,
    Input(usize),
    BankFirst(usize),
    /// Pools of a bank once more, for the backward pass: they are cheap and their memory has served others since.
    Pools(usize),
    BankSecond(usize),
    Node(usize),
    Head,
    Auxiliary(AuxiliaryTask),
    /// Fills a gradient nobody wrote with zeros.
    Clear(Place, Size),
    NodeSums(usize),
    /// Backward coefficients of what ends in a node, op weight gradients.
    NodeCoefficients(usize),
    /// Backward coefficients of a bank's pools, which may end in several nodes.
    PoolCoefficients(usize),
    BankSecondBack(usize),
    /// Backward coefficients of the inner normalisations of a bank.
    InnerCoefficients(usize),
    /// Backward coefficients of a normalisation with one consumer, from sums `[g, g y]`.
    SourceCoefficients {
        norm: usize,
        sums: usize,
    },
    BankFirstBack(usize),
    InputBack(usize),
    /// Sums `[g, g y]` of an input whose output has several readers.
    InputSums(usize),
    StemSums,
    StemBack,
    /// From what is given to the source.
    Source,
    /// From the result to what is handed back.
    Result,
    /// From what is given to the gradient of the result.
    ResultGradient,
    /// From the gradient of the source to what is handed back.
    SourceGradient,
}
