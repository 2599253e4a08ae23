//! Manifests: where a data set comes from, what it may be used for, and what its files must be.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::checksum::{Algorithm, Checksum, digest_of};
use crate::embedded::datasets_folder;
use crate::error::{Error, Result};
use crate::pictures::name_of;

/// What is known of a data set, from a file such as `datasets/fashion-mnist.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The kind of data it is read as: the word before the path of a [`crate::Source`].
    pub read: String,
    /// Number of training images.
    pub train: usize,
    /// Number of test images.
    pub test: usize,
    /// Number of classes.
    pub class_count: usize,
    /// Names of the classes, in the order of the labels, where they are not in its files.
    #[serde(default)]
    pub classes: Vec<String>,
    /// What has to be known or done before it can be used.
    #[serde(default)]
    pub note: String,
    /// What can be downloaded.
    #[serde(default)]
    pub downloads: Vec<Download>,
    /// Its files, as far as they are known byte for byte.
    #[serde(default)]
    pub files: Vec<ManifestFile>,
}

/// A file that is downloaded, and unpacked if it is an archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// What the file is called.
    pub file: String,
    /// Where it can be had, the first place first.
    pub urls: Vec<String>,
    /// How long it is, where a named source states that.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// `md5:` or `sha256:` and the digest in lower-case hexadecimal, or `unknown`.
    pub checksum: Checksum,
    /// Who states the checksum.
    #[serde(default)]
    pub checksum_from: String,
    /// The files and folders that come out of the archive; none if it is no archive.
    #[serde(default)]
    pub unpacks_to: Vec<String>,
}

/// One file of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The names of the data sets with a manifest in `datasets`, in order.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn names() -> Result<Vec<String>> {
        let folder = datasets_folder()?;
        let read = |source| Error::read(&folder, source);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(read)? {
            let name = name_of(&entry.map_err(read)?.path());
            names.extend(name.strip_suffix(".toml").map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The manifest of the data set `name`.
    ///
    /// # Errors
    ///
    /// If there is none, or it is no manifest.
    pub fn named(name: &str) -> Result<Self> {
        let names = Self::names()?;
        if !names.iter().any(|known| known == name) {
            return Err(Error::setting(
                "data set",
                names.join(", "),
                format!("`{name}`"),
            ));
        }
        Self::read(&datasets_folder()?.join(format!("{name}.toml")))
    }

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

    /// Whether the data set is in `folder`: all that its downloads come to, or, without any, the folder itself.
    #[must_use]
    pub fn is_here(&self, folder: &Path) -> bool {
        folder.is_dir() && self.downloads.iter().all(|other| other.is_present(folder))
    }

    /// Checks that the files in `folder` are, byte for byte, those of the manifest or those that its source
    /// publishes; says how many were checked, 0 if none is known byte for byte.
    ///
    /// # Errors
    ///
    /// If a file is missing, or has another length or checksum; the first such file is named.
    pub fn verify(&self, folder: &Path) -> Result<usize> {
        for file in &self.files {
            let path = folder.join(&file.name);
            let published = self.downloads.iter().find(|other| other.file == file.name);
            // The same content may be packed in other ways.
            let is_published = published.is_some_and(|download| download.verify(&path).is_ok());
            if !is_published {
                file.verify(&path)?;
            }
        }
        let listed = |download: &&Download| {
            !self.files.iter().any(|file| file.name == download.file)
                && download.unpacks_to.is_empty()
                && download.checksum != Checksum::Unknown
        };
        let others: Vec<&Download> = self.downloads.iter().filter(listed).collect();
        for download in &others {
            download.verify(&folder.join(&download.file))?;
        }
        Ok(self.files.len() + others.len())
    }
}

impl Download {
    /// Whether what it comes to is in `folder`.
    pub(crate) fn is_present(&self, folder: &Path) -> bool {
        let names = match &self.unpacks_to[..] {
            [] => std::slice::from_ref(&self.file),
            names => names,
        };
        names.iter().all(|name| folder.join(name).exists())
    }

    /// Checks that the file at `path` has the checksum, if there is one.
    ///
    /// # Errors
    ///
    /// If it cannot be read or has another one.
    pub(crate) fn verify(&self, path: &Path) -> Result<()> {
        let Checksum::Known(algorithm, expected) = &self.checksum else {
            return Ok(());
        };
        let found = digest_of(path, *algorithm)?;
        if found == *expected {
            return Ok(());
        }
        Err(Error::Checksum {
            path: path.to_owned(),
            algorithm: *algorithm,
            expected: expected.clone(),
            found,
        })
    }
}

impl ManifestFile {
    fn verify(&self, path: &Path) -> Result<()> {
        let read = |source| Error::read(path, source);
        let bytes = fs::metadata(path).map_err(read)?.len();
        if bytes != self.bytes {
            let expected = format!("{} bytes", self.bytes);
            return Err(Error::content(path, expected, format!("{bytes} bytes")));
        }
        let found = digest_of(path, Algorithm::Sha256)?;
        if found == self.sha256 {
            return Ok(());
        }
        Err(Error::Checksum {
            path: path.to_owned(),
            algorithm: Algorithm::Sha256,
            expected: self.sha256.clone(),
            found,
        })
    }
}
