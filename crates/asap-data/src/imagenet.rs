//! ImageNet (ILSVRC 2012) and Tiny-ImageNet, from their folders; their validation images are the test part,
//! since those of the test part are published without labels.
//!
//! ImageNet: `train/WNID/*.JPEG` and `val/WNID/*.JPEG`. Tiny-ImageNet: `train/WNID/images/*.JPEG`,
//! `val/images/*.JPEG` and `val/val_annotations.txt`, with a line for each image: its name, its class and
//! four numbers of a bounding box, between tabs. Classes are called by their WordNet numbers, in order.
//! Sources: Russakovsky and others, arXiv:1409.0575; <http://cs231n.stanford.edu/tiny-imagenet-200.zip>.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dataset::{Dataset, Part};
use crate::error::{Error, Result};
use crate::folder::of_parts;
use crate::pictures::{self, Entry, Known, Listing, class_folders, has_folders};
use crate::source::LoadConfig;

/// Where Tiny-ImageNet says what its validation images show.
const ANNOTATIONS: &str = "val_annotations.txt";

/// One part of ImageNet from the folder with `train` and `val`, at 224 x 224 pixels if `config` has no size.
///
/// # Errors
///
/// If a folder is missing, the validation images are not in folders of their classes, or a picture cannot be
/// decoded; the file is named.
pub fn imagenet(folder: &Path, part: Part, config: LoadConfig) -> Result<Dataset> {
    let (train, val) = (folder.join("train"), folder.join("val"));
    if val.is_dir() && !has_folders(&val)? {
        let expected =
            "a folder for each class, as in `train`: sort the images of the published archive";
        return Err(Error::content(&val, expected, "none"));
    }
    let mut listing = of_parts("imagenet".to_owned(), &[&train], &val)?;
    listing.known = Some(Known { size: 224 });
    pictures::load(listing, part, config)
}

/// One part of Tiny-ImageNet from the folder with `train` and `val`, or the one above it.
///
/// # Errors
///
/// If a folder or the validation file is missing, a line of that file is none or names a class or an image
/// that is not there, an image is in no line, or a picture cannot be decoded; the file is named.
pub fn tiny_imagenet(folder: &Path, part: Part, config: LoadConfig) -> Result<Dataset> {
    let below = folder.join("tiny-imagenet-200");
    let folder = if below.is_dir() { &below } else { folder };
    let classes = class_folders(&folder.join("train"))?;
    let mut listing = Listing {
        name: "tiny-imagenet".to_owned(),
        place: folder.to_owned(),
        classes: classes.names(),
        entries: classes.entries(Part::Train),
        known: Some(Known { size: 64 }),
    };
    listing.check_counts(Part::Train, 2, "to train with and to choose by")?;
    let validation = validation(&folder.join("val"), &listing.classes)?;
    listing.entries.extend(validation);
    pictures::load(listing, part, config)
}

/// Whether `folder` is one for [`tiny_imagenet`].
pub(crate) fn is_tiny_imagenet(folder: &Path) -> bool {
    [folder.to_owned(), folder.join("tiny-imagenet-200")]
        .iter()
        .any(|folder| folder.join("val").join(ANNOTATIONS).is_file())
}

/// The validation images of Tiny-ImageNet, by class and name.
fn validation(val: &Path, classes: &[String]) -> Result<Vec<Entry>> {
    let path = val.join(ANNOTATIONS);
    let text = fs::read_to_string(&path).map_err(|source| Error::read(&path, source))?;
    let mut entries = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let wrong =
            |expected: &str| Error::content(&path, expected, format!("`{line}` in line {number}"));
        let mut columns = line.split('\t');
        let (Some(image), Some(class)) = (columns.next(), columns.next()) else {
            return Err(wrong("the name of an image and its class, between tabs"));
        };
        let label = classes
            .binary_search_by(|name| name.as_str().cmp(class))
            .map_err(|_| wrong("a class that `train` has"))?;
        let image = val.join("images").join(image);
        if !image.is_file() {
            return Err(wrong("an image that `images` has"));
        }
        entries.push(Entry {
            path: image,
            label: label as u32,
            part: Part::Test,
        });
    }
    entries.sort_by(|one, other| (one.label, &one.path).cmp(&(other.label, &other.path)));
    check_all_named(&path, &val.join("images"), &entries)?;
    Ok(entries)
}

/// Checks that there are as many images as lines, and none is in two.
fn check_all_named(annotations: &Path, images: &Path, entries: &[Entry]) -> Result<()> {
    let mut named: Vec<&PathBuf> = entries.iter().map(|entry| &entry.path).collect();
    named.sort_unstable();
    named.dedup();
    let read = |source| Error::read(images, source);
    let found = fs::read_dir(images).map_err(read)?.count();
    if (named.len(), entries.len()) == (found, found) {
        return Ok(());
    }
    let expected = format!("a line for each of {found} files in {}", images.display());
    let found = format!("{} lines, of {} images", entries.len(), named.len());
    Err(Error::content(annotations, expected, found))
}
