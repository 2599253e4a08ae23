//! What can go wrong at the door of the kernels.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Threads could not be started.
    #[error("could not start {threads} threads: {source}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// An array has another length than the plan asks for.
    #[error("{what}: expected {expected} values, found {found}")]
    Length {
        /// Which array.
        what: &'static str,
        /// Length in the plan.
        expected: usize,
        /// Length given.
        found: usize,
    },
    /// Buffers larger than the system gives.
    #[error("no memory for {} MiB of activations: {source}", bytes >> 20)]
    Memory {
        /// Bytes asked for.
        bytes: u64,
        /// What the system said.
        source: std::io::Error,
    },
    /// More images than the plan was made for, or none.
    #[error("a step takes 1 to {batch} images, found {found}")]
    Batch {
        /// Largest batch of the plan.
        batch: usize,
        /// Images given.
        found: usize,
    },
    /// A label that is no class.
    #[error("label {label} of image {image}: there are {classes} classes")]
    Label {
        /// Position in the batch.
        image: usize,
        /// Label given.
        label: u32,
        /// Classes of the network.
        classes: usize,
    },
    /// A regularisation that is none.
    #[error("{field}: expected {expected}, found {found}")]
    Regularisation {
        /// Which part of it.
        field: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What it was given.
        found: f32,
    },
    /// An operation was asked for, or given, what it does not take.
    #[error("{operation}: expected {expected}, found {found}")]
    Argument {
        /// The operation.
        operation: &'static str,
        /// What it takes.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// The processor lacks the instruction set asked for.
    #[error("this processor has no {level} instructions")]
    Level {
        /// The level asked for.
        level: crate::Level,
    },
    /// A device cannot do what is asked, or has failed.
    #[error("{what}: {problem}")]
    Device {
        /// What was to be done, or where.
        what: String,
        /// What is in the way.
        problem: String,
    },
    /// From candle.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// # Errors
/// If an array has another length than it must have.
pub(crate) fn expect_len(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Length {
            what,
            expected,
            found,
        })
    }
}
