//! Any folder with a folder of PNG or JPEG images for each class.
//!
//! Classes are the names of the folders in alphabetical order. With the folders `train` and `test`
//! above them, each part comes from its own; else a fifth of every class is held out as the test
//! part, the same images every time.

use std::path::Path;

use crate::dataset::{Dataset, Part};
use crate::error::{Error, Result};
use crate::pictures::{self, Listing, class_folders, has_folders, name_of};
use crate::source::LoadConfig;

/// One part of the data set in `folder`; both parts are looked at, and for [`Part::Train`] all images
/// are decoded (unless they are decoded on the fly), so that a test image which cannot be read is known
/// before the search, not after.
///
/// # Errors
///
/// If there are fewer than two classes, a class has no image or too few to divide, a picture cannot
/// be decoded (unless `config.skip_bad`), or folders and images are mixed; the file is named.
pub fn folder(folder: &Path, part: Part, config: LoadConfig) -> Result<Dataset> {
    pictures::load(listing(folder)?, part, config)
}

fn listing(folder: &Path) -> Result<Listing> {
    let train = folder.join("train");
    // A class may be called `train`: then it has images, not folders, in it.
    if train.is_dir() && has_folders(&train)? {
        let test = folder.join("test");
        if !test.is_dir() {
            let expected = "a folder `test` beside the folder `train`";
            return Err(Error::content(folder, expected, "none"));
        }
        return of_parts(name_of(folder), &[&train], &test);
    }
    let classes = class_folders(folder)?;
    let mut listing = Listing {
        name: name_of(folder),
        place: folder.to_owned(),
        classes: classes.names(),
        entries: classes.entries(Part::Train),
        known: None,
    };
    listing.hold_out()?;
    Ok(listing)
}

/// The images of the classes in each of the folders `train`, and of the same classes in `test`.
pub(crate) fn of_parts(name: String, train: &[&Path], test: &Path) -> Result<Listing> {
    let first = train[0];
    let classes = class_folders(first)?;
    let mut listing = Listing {
        name,
        place: first.to_owned(),
        classes: classes.names(),
        entries: classes.entries(Part::Train),
        known: None,
    };
    listing.check_counts(Part::Train, 2, "to train with and to choose by")?;
    let others = train[1..].iter().map(|&folder| (folder, Part::Train));
    for (folder, part) in others.chain([(test, Part::Test)]) {
        let other = class_folders(folder)?;
        other.check_same(folder, &classes, first)?;
        listing.entries.extend(other.entries(part));
    }
    Ok(listing)
}
