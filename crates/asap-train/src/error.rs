//! Everything that can go wrong in a run, each with the place where it did.

use std::path::{Path, PathBuf};

use crate::image_shape::ImageShape;

/// What this crate's fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A run that could not start, go on, or be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A configuration does not parse, has unknown keys, or values out of their range.
    #[error("{place}: {message}")]
    Config {
        /// The file, or where else the configuration came from.
        place: String,
        /// The key, what was found and what was expected.
        message: String,
    },
    /// A file of a run is not what its name says.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        message: String,
    },
    /// A checkpoint of a run with other settings.
    #[error("{} was written with another configuration: {difference}", path.display())]
    OtherConfig {
        /// The checkpoint.
        path: PathBuf,
        /// The first key that differs, with both values.
        difference: String,
    },
    /// A folder that cannot take a new run.
    #[error("{} already holds a run; choose another folder or go on with it by resume", path.display())]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// A folder without a run.
    #[error("{} holds no run: it has no config.toml", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// Another process works on the run.
    #[error("{} is in use: another process is running it", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A run that has nothing left to do.
    #[error("{} is finished: there is nothing to go on with", path.display())]
    Finished {
        /// The folder.
        path: PathBuf,
    },
    /// A run whose results are needed and that has none yet.
    #[error("{} has no results yet, expected a finished run with its summary.json", path.display())]
    NotFinished {
        /// The folder.
        path: PathBuf,
    },
    /// Images that do not fit a network.
    #[error("{name}: expected images of {expected}, found {found}")]
    OtherImages {
        /// The data set.
        name: String,
        /// What the network was made for.
        expected: ImageShape,
        /// What the data set has.
        found: ImageShape,
    },
    /// Classes that are not those a network was trained on.
    #[error("{name}: expected the class {expected}, found {found}")]
    OtherClasses {
        /// The data set.
        name: String,
        /// The first class that differs, as the network knows it.
        expected: String,
        /// As the data set has it.
        found: String,
    },
    /// A loss or a gradient that is no number any more.
    #[error(
        "{what} is {value} in epoch {epoch}, step {step} of the {phase} (learning rate \
         {learning_rate:?}): start another run with a lower learning rate{}",
        last_checkpoint(checkpoint)
    )]
    NotFinite {
        /// "the loss of the weights" and the like.
        what: &'static str,
        /// What it is instead of a number.
        value: f64,
        /// "search" or "training".
        phase: &'static str,
        /// Epoch, from 1.
        epoch: usize,
        /// Step in the epoch, from 1.
        step: usize,
        /// The learning rate of the weights in that step.
        learning_rate: f64,
        /// The newest checkpoint, written before.
        checkpoint: Option<PathBuf>,
    },
    /// A plan that does not fit the machine.
    #[error(
        "the {phase} needs {needed_mib:.0} MiB of memory and {available_mib:.0} MiB are available: \
         lower channels, cells or batch"
    )]
    NotEnoughMemory {
        /// "search" or "training".
        phase: &'static str,
        /// Estimated need.
        needed_mib: f64,
        /// What the machine has left.
        available_mib: f64,
    },
    /// A budget that not even the shortest useful plan fits.
    #[error(
        "a budget of {budget_seconds:.0} s is too short: the shortest plan takes about \
         {shortest_seconds:.0} s here"
    )]
    BudgetTooShort {
        /// What was asked for.
        budget_seconds: f64,
        /// The least that makes sense.
        shortest_seconds: f64,
    },
    /// An error of the data.
    #[error(transparent)]
    Data(#[from] asap_data::Error),
    /// An error of the network.
    #[error(transparent)]
    Space(#[from] asap_space::Error),
    /// An error of the method.
    #[error(transparent)]
    Anneal(#[from] asap_anneal::Error),
    /// An error of a genotype or a topology.
    #[error(transparent)]
    Genotype(#[from] asap_genotype::Error),
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn malformed(path: &Path, message: impl Into<String>) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            message: message.into(),
        }
    }

    pub(crate) fn config(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Config {
            place: place.into(),
            message: message.into(),
        }
    }
}

fn last_checkpoint(checkpoint: &Option<PathBuf>) -> String {
    match checkpoint {
        Some(path) => format!("; the last checkpoint is {}", path.display()),
        None => String::new(),
    }
}
