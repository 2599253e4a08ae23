//! The tasks that a plan puts in order.

use std::mem::discriminant;

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

impl Task {
    /// The bank of a task that banks may go through together when they follow one another in training.
    pub(crate) fn shared_bank(&self) -> Option<usize> {
        match self {
            Self::BankFirst(bank)
            | Self::BankSecond(bank)
            | Self::Pools(bank)
            | Self::BankSecondBack(bank) => Some(*bank),
            _ => None,
        }
    }

    /// Whether the banks of this task and the next may go through them together.
    pub(crate) fn goes_with(&self, next: &Self) -> bool {
        self.shared_bank().is_some() && discriminant(self) == discriminant(next)
    }
}
