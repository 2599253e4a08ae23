//! Manifests: where a data set comes from, what it may be used for, and what its files must be.

use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// What is known of a data set, from a file such as `datasets/fashion-mnist.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What it is called.
    pub name: String,
    /// Where it comes from.
    pub source: String,
    /// Under which terms it may be used.
    pub licence: String,
    /// Who is to be cited.
    pub citation: String,
    /// Number of training images.
    pub train: usize,
    /// Number of test images.
    pub test: usize,
    /// Names of the classes, in the order of the labels.
    pub classes: Vec<String>,
    /// Its files.
    pub files: Vec<ManifestFile>,
}

/// One file of a data set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its name in the data set's folder.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// The manifest in the file at `path`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is no manifest.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| Error::read(path, source))?;
        toml::from_str(&text).map_err(|source| Error::Manifest {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// Checks that the files in `folder` are, byte for byte, those of the manifest.
    ///
    /// # Errors
    ///
    /// If a file is missing, or has another length or checksum; the first such file is named.
    pub fn verify(&self, folder: &Path) -> Result<()> {
        self.files
            .iter()
            .try_for_each(|file| file.verify(&folder.join(&file.name)))
    }
}

impl ManifestFile {
    fn verify(&self, path: &Path) -> Result<()> {
        let read = |source| Error::read(path, source);
        let mut file = File::open(path).map_err(read)?;
        let bytes = file.metadata().map_err(read)?.len();
        if bytes != self.bytes {
            let expected = format!("{} bytes", self.bytes);
            return Err(Error::content(path, expected, format!("{bytes} bytes")));
        }
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut Hashing(&mut hash)).map_err(read)?;
        let found = hexadecimal(&hash.finalize());
        if found != self.sha256 {
            let expected = self.sha256.clone();
            return Err(Error::Checksum {
                path: path.to_owned(),
                expected,
                found,
            });
        }
        Ok(())
    }
}

/// A writer into a hash.
struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
