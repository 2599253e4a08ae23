//! What can go wrong in this crate.

/// An error of the annealing: what was expected, what was found, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is out of its range.
    #[error("annealing setting `{setting}`: expected {expected}, found {found}")]
    Setting {
        /// The name of the setting.
        setting: &'static str,
        /// The range that is allowed.
        expected: &'static str,
        /// The value as it was given.
        found: String,
    },
    /// The parameters handed back do not fit the ones that are alive.
    #[error("expected {expected} parameters (alphas, then edge logits), found {found}")]
    ParameterCount {
        /// How many are alive.
        expected: usize,
        /// How many came.
        found: usize,
    },
    /// An alpha or an edge logit is no longer a number: the search has diverged.
    #[error("expected finite alphas and edge logits, found {found} at position {position}")]
    NotFinite {
        /// Index in the flat list of parameters.
        position: usize,
        /// What stands there.
        found: f64,
    },
    /// A ledger line removes what is not there, or removes the last operation of an edge.
    #[error("ledger line {line}: {source}")]
    Ledger {
        /// Line number, from 1.
        line: usize,
        /// What the topology says about it.
        source: asap_genotype::Error,
    },
    /// A saved state contradicts itself.
    #[error("saved annealing state: expected {expected}, found {found}")]
    State {
        /// What a consistent state has.
        expected: String,
        /// What this one has.
        found: String,
    },
    /// The genotype was asked for while something is still open.
    #[error(transparent)]
    Genotype(#[from] asap_genotype::Error),
}

/// The result of a fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;
