//! Where data comes from, as one says it on a command line.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::cifar::{cifar10, cifar10_folder, cifar100, is_cifar10, is_cifar100};
use crate::cinic10::cinic10;
use crate::csv_table::{csv, is_csv};
use crate::dataset::{Dataset, Part};
use crate::embedded::{DEFAULT, datasets_folder};
use crate::error::{Error, Result};
use crate::folder::folder;
use crate::freiburg::{freiburg_groceries, is_freiburg_groceries};
#[cfg(feature = "hub")]
use crate::hub::{HubSet, hub};
use crate::idx::{fashion_mnist, idx, is_idx};
use crate::imagenet::{imagenet, is_tiny_imagenet, tiny_imagenet};
use crate::manifest::Manifest;
use crate::resize::resized;
use crate::svhn::{is_svhn, svhn, svhn_extra};

/// How images are brought in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadConfig {
    /// Side in pixels of the square images that come out; without it, as they are (of pictures with a file
    /// each: as the set has them, or as [`folder`] infers).
    pub size: Option<usize>,
    /// Whether pictures that cannot be read are left out and listed in [`Dataset::skipped`], instead
    /// of being an error.
    pub skip_bad: bool,
    /// Side in pixels that the shorter side of a picture is resized to before a square of `size` is cut from its middle;
    /// without it, `size`. As networks for ImageNet are evaluated: 256 for a size of 224.
    pub resize_to: Option<usize>,
    /// The most bytes of decoded pictures that are held in memory; a set with more is decoded on the fly. Without it,
    /// a quarter of the memory available.
    pub memory: Option<u64>,
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
    /// `svhn:DIR`: see [`svhn`].
    Svhn(PathBuf),
    /// `svhn-extra:DIR`: see [`svhn_extra`].
    SvhnExtra(PathBuf),
    /// `cinic10:DIR`: see [`cinic10`].
    Cinic10(PathBuf),
    /// `freiburg-groceries:DIR`: see [`freiburg_groceries`].
    FreiburgGroceries(PathBuf),
    /// `imagenet:DIR`: see [`imagenet`].
    ImageNet(PathBuf),
    /// `tiny-imagenet:DIR`: see [`tiny_imagenet`].
    TinyImageNet(PathBuf),
    /// `idx:DIR`: see [`idx`].
    Idx(PathBuf),
    /// `folder:DIR`: see [`folder`].
    Folder(PathBuf),
    /// `csv:FILE`: see [`csv()`].
    Csv(PathBuf),
    /// `hub:NAME`: see [`hub`].
    #[cfg(feature = "hub")]
    Hub(HubSet),
}

/// Makes such data of a path.
type Kind = fn(PathBuf) -> Source;

/// The kinds of data with a path, by the word before it.
const KINDS: [(&str, Kind); 11] = [
    ("cifar10", Source::Cifar10),
    ("cifar100", Source::Cifar100),
    ("svhn", Source::Svhn),
    ("svhn-extra", Source::SvhnExtra),
    ("cinic10", Source::Cinic10),
    ("freiburg-groceries", Source::FreiburgGroceries),
    ("imagenet", Source::ImageNet),
    ("tiny-imagenet", Source::TinyImageNet),
    ("idx", Source::Idx),
    ("folder", Source::Folder),
    ("csv", Source::Csv),
];

/// One part of the data that `spec` names: see [`Source`] for what it can be.
///
/// # Errors
///
/// If `spec` names nothing, or what it names cannot be read.
pub fn open(spec: &str, part: Part, config: LoadConfig) -> Result<Dataset> {
    spec.parse::<Source>()?.open(part, config)
}

impl Source {
    /// What can be named, for messages and help.
    pub const FORMS: &'static str = "fashion-mnist, cifar10:DIR, cifar100:DIR, svhn:DIR, svhn-extra:DIR, cinic10:DIR, \
         freiburg-groceries:DIR, imagenet:DIR, tiny-imagenet:DIR, idx:DIR, folder:DIR, csv:FILE, a folder's path, or \
         the name of a set that was fetched";

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

    /// Whether each part has files of its own on this machine. Pictures with a file each look after their own parts.
    fn is_in_files(&self) -> bool {
        matches!(
            self,
            Self::FashionMnist
                | Self::Cifar10(_)
                | Self::Cifar100(_)
                | Self::Svhn(_)
                | Self::SvhnExtra(_)
                | Self::Idx(_)
        )
    }

    fn read(&self, part: Part, config: LoadConfig) -> Result<Dataset> {
        let dataset = match self {
            Self::FashionMnist => fashion_mnist(&datasets_folder()?.join(DEFAULT), part),
            Self::Cifar10(path) => cifar10(path, part),
            Self::Cifar100(path) => cifar100(path, part),
            Self::Svhn(path) => svhn(path, part),
            Self::SvhnExtra(path) => svhn_extra(path, part),
            Self::Idx(path) => idx(path, part),
            Self::Cinic10(path) => return cinic10(path, part, config),
            Self::FreiburgGroceries(path) => return freiburg_groceries(path, part, config),
            Self::ImageNet(path) => return imagenet(path, part, config),
            Self::TinyImageNet(path) => return tiny_imagenet(path, part, config),
            Self::Folder(path) => return folder(path, part, config),
            Self::Csv(path) => return csv(path, part, config),
            #[cfg(feature = "hub")]
            Self::Hub(set) => hub(*set, part),
        }?;
        match config.size {
            Some(size) => resized(dataset, size),
            None => Ok(dataset),
        }
    }

    /// The manifest of this data and the folder of its files, if there is one that knows them byte for byte.
    ///
    /// # Errors
    ///
    /// If the folder of manifests cannot be found or read.
    pub fn manifest(&self) -> Result<Option<(Manifest, PathBuf)>> {
        let (name, files) = match self {
            Self::FashionMnist => (DEFAULT, datasets_folder()?.join(DEFAULT)),
            Self::Cifar10(path) => ("cifar10", cifar10_folder(path)),
            Self::Svhn(path) => ("svhn", path.clone()),
            Self::SvhnExtra(path) => ("svhn-extra", path.clone()),
            _ => return Ok(None),
        };
        Ok(Some((Manifest::named(name)?, files)))
    }

    /// The data of `manifest` in the folder at `path`.
    ///
    /// # Errors
    ///
    /// If the manifest's `read` is no kind of data.
    pub fn of_manifest(manifest: &Manifest, path: &Path) -> Result<Self> {
        match KINDS.iter().find(|(kind, _)| *kind == manifest.read) {
            Some((_, of)) => Ok(of(path.to_owned())),
            None => Err(Error::setting(
                "`read` of a manifest",
                KINDS.map(|(kind, _)| kind).join(", "),
                &manifest.read,
            )),
        }
    }

    /// The same with an absolute path, so that it is found from another current folder.
    ///
    /// # Errors
    ///
    /// If the current folder cannot be found.
    pub fn absolute(self) -> io::Result<Self> {
        match self.kind_and_path() {
            None => Ok(self),
            Some((of, path)) => Ok(of(std::path::absolute(path)?)),
        }
    }

    /// Whether both are of one kind.
    fn is_alike(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// What makes such data of a path, and this one's path.
    fn kind_and_path(&self) -> Option<(Kind, &Path)> {
        match self {
            Self::FashionMnist => None,
            Self::Cifar10(path) => Some((Self::Cifar10, path)),
            Self::Cifar100(path) => Some((Self::Cifar100, path)),
            Self::Svhn(path) => Some((Self::Svhn, path)),
            Self::SvhnExtra(path) => Some((Self::SvhnExtra, path)),
            Self::Cinic10(path) => Some((Self::Cinic10, path)),
            Self::FreiburgGroceries(path) => Some((Self::FreiburgGroceries, path)),
            Self::ImageNet(path) => Some((Self::ImageNet, path)),
            Self::TinyImageNet(path) => Some((Self::TinyImageNet, path)),
            Self::Idx(path) => Some((Self::Idx, path)),
            Self::Folder(path) => Some((Self::Folder, path)),
            Self::Csv(path) => Some((Self::Csv, path)),
            #[cfg(feature = "hub")]
            Self::Hub(_) => None,
        }
    }

    /// The kind of data at `path`, by what is there.
    fn detect(path: &Path) -> Self {
        let path_buf = path.to_owned();
        if is_csv(path) {
            Self::Csv(path_buf)
        } else if is_cifar10(path) {
            Self::Cifar10(path_buf)
        } else if is_cifar100(path) {
            Self::Cifar100(path_buf)
        } else if is_svhn(path) {
            Self::Svhn(path_buf)
        } else if is_idx(path) {
            Self::Idx(path_buf)
        } else if is_freiburg_groceries(path) {
            Self::FreiburgGroceries(path_buf)
        } else if is_tiny_imagenet(path) {
            Self::TinyImageNet(path_buf)
        } else {
            Self::Folder(path_buf)
        }
    }

    /// The known set `name`, where it is fetched to; `None` if no set is called so.
    fn fetched(name: &str) -> Result<Option<Self>> {
        let Ok(folder) = datasets_folder() else {
            return Ok(None);
        };
        if !Manifest::names()?.iter().any(|known| known == name) {
            return Ok(None);
        }
        let (manifest, path) = (Manifest::named(name)?, folder.join(name));
        if manifest.is_here(&path) {
            return Self::of_manifest(&manifest, &path).map(Some);
        }
        let kind = &manifest.read;
        let expected = format!("`{kind}:DIR` with its folder, or `asap data fetch {name}` before");
        let found = format!("`{name}`, which is not, or not all, in {}", path.display());
        Err(Error::setting("data", expected, found))
    }
}

impl FromStr for Source {
    type Err = Error;

    /// See [`Source::FORMS`]; the content of a plain path tells what it is.
    fn from_str(spec: &str) -> Result<Self> {
        if spec == DEFAULT {
            return Ok(Self::FashionMnist);
        }
        if let Some((kind, path)) = spec.split_once(':').filter(|(_, path)| !path.is_empty()) {
            if kind == "hub" {
                return from_hub(path);
            }
            // A colon may stand in the path of a folder.
            if let Some((_, of)) = KINDS.iter().find(|(name, _)| *name == kind) {
                return Ok(of(path.into()));
            }
        }
        let path = Path::new(spec);
        if path.is_dir() || is_csv(path) {
            return Ok(Self::detect(path));
        }
        if let Some(source) = Self::fetched(spec)? {
            return Ok(source);
        }
        Err(Error::setting(
            "data",
            Self::FORMS,
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
        #[cfg(feature = "hub")]
        if let Self::Hub(set) = self {
            return write!(f, "hub:{set}");
        }
        let Some((_, path)) = self.kind_and_path() else {
            return f.write_str(DEFAULT);
        };
        let same = |(_, of): &&(&str, Kind)| of(PathBuf::new()).is_alike(self);
        let kind = KINDS.iter().find(same).map_or("", |(kind, _)| kind);
        write!(f, "{kind}:{}", path.display())
    }
}
