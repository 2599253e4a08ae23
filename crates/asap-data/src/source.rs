//! Where data comes from, as one says it on a command line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::cifar::{cifar10, cifar10_folder, cifar100, is_cifar10, is_cifar100};
use crate::dataset::{Dataset, Part};
use crate::embedded::{DEFAULT, datasets_folder};
use crate::error::{Error, Result};
use crate::folder::folder;
#[cfg(feature = "hub")]
use crate::hub::{HubSet, hub};
use crate::idx::{fashion_mnist, idx, is_idx};
use crate::manifest::Manifest;
use crate::resize::resized;

/// How images are brought in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadConfig {
    /// Side in pixels of the square images that come out; without it, as they are (of a folder: as
    /// [`folder`] infers).
    pub size: Option<usize>,
    /// Whether pictures that cannot be read are left out and listed in [`Dataset::skipped`], instead
    /// of being an error.
    pub skip_bad: bool,
}

/// Where data comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// `fashion-mnist`: the default, which comes with the project.
    FashionMnist,
    /// `cifar10:DIR`: see [`cifar10`].
    Cifar10(PathBuf),
    /// `cifar100:DIR`: see [`cifar100`].
    Cifar100(PathBuf),
    /// `idx:DIR`: see [`idx`].
    Idx(PathBuf),
    /// `folder:DIR`: see [`folder`].
    Folder(PathBuf),
    /// `hub:NAME`: see [`hub`].
    #[cfg(feature = "hub")]
    Hub(HubSet),
}

/// One part of the data that `spec` names: see [`Source`] for what it can be.
///
/// # Errors
///
/// If `spec` names nothing, or what it names cannot be read.
pub fn open(spec: &str, part: Part, config: LoadConfig) -> Result<Dataset> {
    spec.parse::<Source>()?.open(part, config)
}

impl Source {
    /// One part of this data. Before the training images the test images are read through once, to find a file that
    /// is missing or broken early.
    ///
    /// # Errors
    ///
    /// If it cannot be read; the file or folder is named.
    pub fn open(&self, part: Part, config: LoadConfig) -> Result<Dataset> {
        if part == Part::Train && self.is_in_files() {
            // Better to know before hours of training that its test cannot be read; nothing of it is kept.
            self.read(Part::Test, config)?;
        }
        self.read(part, config)
    }

    /// Whether each part has files of its own on this machine. A folder of classes looks after its own parts.
    fn is_in_files(&self) -> bool {
        matches!(
            self,
            Self::FashionMnist | Self::Cifar10(_) | Self::Cifar100(_) | Self::Idx(_)
        )
    }

    fn read(&self, part: Part, config: LoadConfig) -> Result<Dataset> {
        let dataset = match self {
            Self::FashionMnist => fashion_mnist(&datasets_folder()?.join(DEFAULT), part),
            Self::Cifar10(path) => cifar10(path, part),
            Self::Cifar100(path) => cifar100(path, part),
            Self::Idx(path) => idx(path, part),
            Self::Folder(path) => return folder(path, part, config),
            #[cfg(feature = "hub")]
            Self::Hub(set) => hub(*set, part),
        }?;
        match config.size {
            Some(size) => resized(dataset, size),
            None => Ok(dataset),
        }
    }

    /// The manifest of this data, if there is one and every file is as it says.
    ///
    /// # Errors
    ///
    /// If a file is missing or differs from the manifest.
    pub fn verify(&self) -> Result<Option<Manifest>> {
        let (manifest, files) = match self {
            Self::FashionMnist => ("fashion-mnist.toml", datasets_folder()?.join(DEFAULT)),
            Self::Cifar10(path) => ("cifar-10.toml", cifar10_folder(path)),
            _ => return Ok(None),
        };
        let manifest = Manifest::read(&datasets_folder()?.join(manifest))?;
        manifest.verify(&files)?;
        Ok(Some(manifest))
    }

    /// The kind of data in the folder at `path`, by what is in it.
    fn detect(path: &Path) -> Self {
        let path_buf = path.to_owned();
        if is_cifar10(path) {
            Self::Cifar10(path_buf)
        } else if is_cifar100(path) {
            Self::Cifar100(path_buf)
        } else if is_idx(path) {
            Self::Idx(path_buf)
        } else {
            Self::Folder(path_buf)
        }
    }
}

impl FromStr for Source {
    type Err = Error;

    /// `fashion-mnist`, `cifar10:DIR`, `cifar100:DIR`, `idx:DIR`, `folder:DIR`, or the path of a
    /// folder, whose content then tells what it is.
    fn from_str(spec: &str) -> Result<Self> {
        if spec == DEFAULT {
            return Ok(Self::FashionMnist);
        }
        if let Some((kind, path)) = spec.split_once(':').filter(|(_, path)| !path.is_empty()) {
            match kind {
                "cifar10" => return Ok(Self::Cifar10(path.into())),
                "cifar100" => return Ok(Self::Cifar100(path.into())),
                "idx" => return Ok(Self::Idx(path.into())),
                "folder" => return Ok(Self::Folder(path.into())),
                "hub" => return from_hub(path),
                _ => {} // A colon may stand in the path of a folder.
            }
        }
        let path = Path::new(spec);
        if path.is_dir() {
            return Ok(Self::detect(path));
        }
        Err(Error::setting(
            "data",
            "fashion-mnist, cifar10:DIR, cifar100:DIR, idx:DIR, folder:DIR or a folder's path",
            format!("`{spec}`, which is none of them"),
        ))
    }
}

#[cfg(feature = "hub")]
fn from_hub(name: &str) -> Result<Source> {
    name.parse().map(Source::Hub)
}

#[cfg(not(feature = "hub"))]
fn from_hub(name: &str) -> Result<Source> {
    let found = format!("hub:{name} in a build without it");
    Err(Error::setting(
        "data",
        "a build with `--features hub` to download data",
        found,
    ))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FashionMnist => f.write_str(DEFAULT),
            Self::Cifar10(path) => write!(f, "cifar10:{}", path.display()),
            Self::Cifar100(path) => write!(f, "cifar100:{}", path.display()),
            Self::Idx(path) => write!(f, "idx:{}", path.display()),
            Self::Folder(path) => write!(f, "folder:{}", path.display()),
            #[cfg(feature = "hub")]
            Self::Hub(set) => write!(f, "hub:{set}"),
        }
    }
}
