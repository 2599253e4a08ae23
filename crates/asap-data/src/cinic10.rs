//! CINIC-10: the classes of CIFAR-10 with images of ImageNet beside CIFAR's, 90,000 in each of three parts.
//!
//! `train/CLASS`, `valid/CLASS` and `test/CLASS`, PNG images of 32 x 32 pixels. `valid` joins the training
//! images, as its authors allow: a run holds out its own.
//! Source: Darlow and others, "CINIC-10 is not ImageNet or CIFAR-10", arXiv:1810.03505.

use std::path::Path;

use crate::classes;
use crate::dataset::{Dataset, Part};
use crate::error::{Error, Result};
use crate::folder::of_parts;
use crate::pictures::{self, Known};
use crate::source::LoadConfig;

/// One part of CINIC-10 from the folder with `train`, `valid` and `test`.
///
/// # Errors
///
/// If a folder is missing, a class is not one of CIFAR-10's, or a picture cannot be decoded (unless
/// `config.skip_bad`); the file is named.
pub fn cinic10(folder: &Path, part: Part, config: LoadConfig) -> Result<Dataset> {
    let [train, valid, test] = ["train", "valid", "test"].map(|name| folder.join(name));
    let mut listing = of_parts("cinic10".to_owned(), &[&train, &valid], &test)?;
    if listing.classes != classes::CIFAR10 {
        let (expected, found) = (classes::CIFAR10.join(", "), listing.classes.join(", "));
        return Err(Error::content(&train, expected, found));
    }
    listing.known = Some(Known { size: 32 });
    pictures::load(listing, part, config)
}
