//! Which files are the pictures of a data set, of which class and which part.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::dataset::Part;
use crate::error::{Error, Result};
use crate::random::{Purpose, Random};

/// Endings of files that are read.
const READ: [&str; 3] = ["png", "jpg", "jpeg"];
/// Endings of images that would be missed in silence if they were passed over like other files.
const NOT_READ: [&str; 9] = [
    "webp", "gif", "bmp", "tif", "tiff", "heic", "avif", "jp2", "jxl",
];
/// One in so many images of a class is held out where nothing says which.
const HELD_OUT_OF: usize = 5;
/// Fixed: the images held out must be the same in every run and every later evaluation.
const HELD_OUT_SEED: u64 = 0;

/// One image.
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) label: u32,
    pub(crate) part: Part,
}

/// What need not be inferred of the pictures of a known set; they are in colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Height and width in pixels where nobody chose others.
    pub(crate) size: usize,
}

/// All images of a data set.
pub(crate) struct Listing {
    /// What the data set is called.
    pub(crate) name: String,
    /// The folder or file that the listing was read from.
    pub(crate) place: PathBuf,
    pub(crate) classes: Vec<String>,
    /// By part, class and name.
    pub(crate) entries: Vec<Entry>,
    pub(crate) known: Option<Known>,
}

impl Listing {
    /// Makes a fifth of every class, rounded, but at least one image, the test part.
    ///
    /// # Errors
    ///
    /// If a class has fewer than three images.
    pub(crate) fn hold_out(&mut self) -> Result<()> {
        let purpose = "to train with, to choose by and to test with";
        self.check_counts(Part::Train, 3, purpose)?;
        let mut classes = vec![Vec::new(); self.classes.len()];
        for (place, entry) in (0..).zip(&self.entries) {
            classes[entry.label as usize].push(place);
        }
        for (label, mut places) in (0..).zip(classes) {
            Random::new(HELD_OUT_SEED, Purpose::Split, [label, 0]).shuffle(&mut places);
            places.truncate(((places.len() + HELD_OUT_OF / 2) / HELD_OUT_OF).max(1));
            for place in places {
                self.entries[place as usize].part = Part::Test;
            }
        }
        Ok(())
    }

    /// Checks that every class has images of `part`.
    pub(crate) fn check_counts(
        &self,
        part: Part,
        expected: usize,
        purpose: &'static str,
    ) -> Result<()> {
        let ours = self.entries.iter().filter(|entry| entry.part == part);
        let labels = ours.map(|entry| entry.label);
        check_each(&self.place, &self.classes, labels, expected, purpose)
    }
}

/// Checks that enough images of every class are there: one to train with and one to choose by, or one to
/// test with.
pub(crate) fn check_classes(
    place: &Path,
    classes: &[String],
    labels: &[u32],
    part: Part,
) -> Result<()> {
    let (expected, purpose) = match part {
        Part::Train => (2, "to search and train with"),
        Part::Test => (1, "to test with"),
    };
    check_each(place, classes, labels.iter().copied(), expected, purpose)
}

fn check_each(
    place: &Path,
    classes: &[String],
    labels: impl Iterator<Item = u32>,
    expected: usize,
    purpose: &'static str,
) -> Result<()> {
    let mut counts = vec![0; classes.len()];
    labels.for_each(|label| counts[label as usize] += 1);
    match classes
        .iter()
        .zip(counts)
        .find(|&(_, count)| count < expected)
    {
        None => Ok(()),
        Some((class, found)) => Err(Error::FewImages {
            class: class.clone(),
            place: place.display().to_string(),
            expected,
            purpose,
            found,
        }),
    }
}

/// The last part of a path, for people.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// The images of each class, by its name.
pub(crate) struct Classes(BTreeMap<String, Vec<PathBuf>>);

impl Classes {
    /// The names of the classes, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Every image, as one of `part`.
    pub(crate) fn entries(&self, part: Part) -> Vec<Entry> {
        let entry = |label, path: &PathBuf| Entry {
            path: path.clone(),
            label,
            part,
        };
        let labelled = (0..).zip(self.0.values());
        labelled
            .flat_map(|(label, files)| files.iter().map(move |path| entry(label, path)))
            .collect()
    }

    /// Checks that these, which are in `folder`, are the classes that `other` has in `other_folder`.
    pub(crate) fn check_same(
        &self,
        folder: &Path,
        other: &Self,
        other_folder: &Path,
    ) -> Result<()> {
        if self.0.keys().eq(other.0.keys()) {
            return Ok(());
        }
        let (names, others) = (self.names(), other.names());
        let place = other_folder.display();
        // Of a thousand classes those that differ are enough.
        let missing = others.iter().find(|name| !self.0.contains_key(*name));
        let added = names.iter().find(|name| !other.0.contains_key(*name));
        let (expected, found) = match (missing, added) {
            (Some(missing), _) => (
                format!("the classes of {place}, with `{missing}`"),
                "none of that name",
            ),
            (None, Some(added)) => (
                format!("the classes of {place}, without `{added}`"),
                "one of that name",
            ),
            (None, None) => return Ok(()),
        };
        Err(Error::content(folder, expected, found))
    }
}

/// The classes in `folder`, which has a folder for each.
pub(crate) fn class_folders(folder: &Path) -> Result<Classes> {
    let content = Content::of(folder)?;
    if let Some(image) = content.images.first() {
        let expected = "a folder for each class and no image beside them";
        return Err(Error::content(
            folder,
            expected,
            format!("the image {}", name_of(image)),
        ));
    }
    if content.folders.len() < 2 {
        let found = match content.folders.first() {
            Some(only) => format!("only {}", name_of(only)),
            None => "none".to_owned(),
        };
        return Err(Error::content(
            folder,
            "the folders of at least two classes",
            found,
        ));
    }
    let images = |class: &PathBuf| Ok((name_of(class), images_of(class)?));
    Ok(Classes(
        content.folders.iter().map(images).collect::<Result<_>>()?,
    ))
}

/// The images of one class.
fn images_of(class: &Path) -> Result<Vec<PathBuf>> {
    let content = Content::of(class)?;
    let expected = "PNG or JPEG images of one class";
    // Tiny-ImageNet has one more level.
    if let [images] = &content.folders[..]
        && content.images.is_empty()
        && images.ends_with("images")
    {
        return images_of(images);
    }
    match content.folders.first() {
        Some(folder) => Err(Error::content(
            class,
            expected,
            format!("the folder {} in it", name_of(folder)),
        )),
        None if content.images.is_empty() => Err(Error::content(class, expected, "none")),
        None => Ok(content.images),
    }
}

/// What lies in a folder, each by name. Hidden files and files of other kinds are passed over.
struct Content {
    folders: Vec<PathBuf>,
    images: Vec<PathBuf>,
}

impl Content {
    fn of(folder: &Path) -> Result<Self> {
        let (mut folders, mut images) = (Vec::new(), Vec::new());
        let read = |source| Error::read(folder, source);
        for entry in fs::read_dir(folder).map_err(read)? {
            let path = entry.map_err(read)?.path();
            let name = name_of(&path);
            // macOS leaves the second kind in archives.
            if name.starts_with('.') || name == "__MACOSX" {
                continue;
            }
            let ending = path
                .extension()
                .unwrap_or_default()
                .to_string_lossy()
                .to_lowercase();
            let is_read = READ.contains(&ending.as_str());
            // Of what a link leads to. The files of a million images are not asked what they are.
            if !is_read && path.is_dir() {
                folders.push(path);
                continue;
            }
            if NOT_READ.contains(&ending.as_str()) {
                return Err(Error::content(
                    &path,
                    "a PNG or JPEG image",
                    format!(".{ending}"),
                ));
            }
            if is_read {
                images.push(path);
            }
        }
        folders.sort_unstable();
        images.sort_unstable();
        Ok(Self { folders, images })
    }
}

/// Whether there are folders in `folder`, that is, whether it can hold classes.
pub(crate) fn has_folders(folder: &Path) -> Result<bool> {
    Ok(!Content::of(folder)?.folders.is_empty())
}
