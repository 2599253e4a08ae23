//! What can go wrong with data: each message says which file, what was expected and what was found.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::checksum::Algorithm;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why data could not be read, divided or made into batches.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// File or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The operating system refused to write.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// File or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file could not be downloaded.
    #[error("{url}: expected a file to download, found: {found}")]
    Download {
        /// Where it should have been.
        url: String,
        /// What the server or the network answered.
        found: String,
    },
    /// A file or folder is not what its place promises.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Content {
        /// File or folder.
        path: PathBuf,
        /// What it should have been.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A picture that cannot be decoded.
    #[error("{}: expected a whole PNG or JPEG image, found: {source}", path.display())]
    Image {
        /// The picture's file.
        path: PathBuf,
        /// What the decoder says.
        source: image::ImageError,
    },
    /// A class has too few images for what is asked.
    #[error(
        "class `{class}` of {place}: expected at least {expected} images {purpose}, found {found}"
    )]
    FewImages {
        /// Name of the class.
        class: String,
        /// The data set or its folder.
        place: String,
        /// The fewest images that would do.
        expected: usize,
        /// What so many images are needed for.
        purpose: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A file differs from the one in the manifest.
    #[error("{}: expected {algorithm} {expected}, found {found}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// How it was digested.
        algorithm: Algorithm,
        /// As the manifest has it, in lower-case hexadecimal.
        expected: String,
        /// As the file has it.
        found: String,
    },
    /// A manifest that is no manifest.
    #[error("{}: expected the manifest of a data set, found: {source}", path.display())]
    Manifest {
        /// The manifest's file.
        path: PathBuf,
        /// What is wrong, and in which line.
        source: Box<toml::de::Error>,
    },
    /// The embedded data sets are not on this machine.
    #[error(
        "found no folder `datasets` with `fashion-mnist` in it; looked for {}",
        list(looked)
    )]
    NoDatasets {
        /// Where they could have been.
        looked: Vec<PathBuf>,
    },
    /// A setting or an argument that makes no sense.
    #[error("{what}: expected {expected}, found {found}")]
    Setting {
        /// The setting.
        what: &'static str,
        /// What would make sense.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A tensor could not be made or read.
    #[error("tensor of images: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl Error {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    #[cfg(feature = "fetch")]
    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn content(
        path: &Path,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Content {
            path: path.to_owned(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    pub(crate) fn setting(
        what: &'static str,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> Self {
        Self::Setting {
            what,
            expected: expected.into(),
            found: found.to_string(),
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .enumerate()
        .fold(String::new(), |mut text, (index, path)| {
            let comma = if index == 0 { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(text, "{comma}{}", path.display());
            text
        })
}
