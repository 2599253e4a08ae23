//! Which files of a folder are images, of which class and which part.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::dataset::Part;
use crate::error::{Error, Result};

/// Endings of files that are read.
const READ: [&str; 3] = ["png", "jpg", "jpeg"];
/// Endings of images that would be missed in silence if they were passed over like other files.
const NOT_READ: [&str; 9] = [
    "webp", "gif", "bmp", "tif", "tiff", "heic", "avif", "jp2", "jxl",
];

/// One image.
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) label: u32,
    pub(crate) part: Part,
}

/// All images of a folder.
pub(crate) struct Listing {
    pub(crate) classes: Vec<String>,
    /// By part, class and name.
    pub(crate) entries: Vec<Entry>,
    /// Whether the folder says which images are the test part; else all are [`Part::Train`].
    pub(crate) has_parts: bool,
}

impl Listing {
    /// The images in `folder`.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let content = Content::of(folder)?;
        // A class may be called `train`: then it has images, not folders, in it.
        let (train, test) = (content.folder("train"), content.folder("test"));
        if let Some(train) = train
            && !Content::of(train)?.folders.is_empty()
        {
            let test = test.ok_or_else(|| {
                Error::content(folder, "a folder `test` beside the folder `train`", "none")
            })?;
            return Self::of_parts(train, test);
        }
        let classes = classes_of(folder, content)?;
        let entries = entries(&classes, Part::Train);
        let listing = Self {
            classes: classes.into_keys().collect(),
            entries,
            has_parts: false,
        };
        listing.check_counts(folder, 3, "to train with, to choose by and to test with")?;
        Ok(listing)
    }

    fn of_parts(train: &Path, test: &Path) -> Result<Self> {
        let train_classes = classes_of(train, Content::of(train)?)?;
        let test_classes = classes_of(test, Content::of(test)?)?;
        if !train_classes.keys().eq(test_classes.keys()) {
            let names = |classes: &Classes| classes.keys().cloned().collect::<Vec<_>>().join(", ");
            let expected = format!(
                "the classes of {}: {}",
                train.display(),
                names(&train_classes)
            );
            return Err(Error::content(test, expected, names(&test_classes)));
        }
        let training = entries(&train_classes, Part::Train);
        let classes = train_classes.into_keys().collect();
        let listing = Self {
            classes,
            entries: training,
            has_parts: true,
        };
        listing.check_counts(train, 2, "to train with and to choose by")?;
        let testing = entries(&test_classes, Part::Test);
        Ok(Self {
            entries: listing.entries.into_iter().chain(testing).collect(),
            ..listing
        })
    }

    fn check_counts(&self, folder: &Path, expected: usize, purpose: &'static str) -> Result<()> {
        for (label, class) in (0..).zip(&self.classes) {
            let found = self
                .entries
                .iter()
                .filter(|entry| entry.label == label)
                .count();
            if found < expected {
                let (class, place) = (class.clone(), folder.display().to_string());
                return Err(Error::FewImages {
                    class,
                    place,
                    expected,
                    purpose,
                    found,
                });
            }
        }
        Ok(())
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
type Classes = BTreeMap<String, Vec<PathBuf>>;

fn entries(classes: &Classes, part: Part) -> Vec<Entry> {
    let labelled = (0..).zip(classes.values());
    labelled
        .flat_map(|(label, files)| {
            files.iter().map(move |path| Entry {
                path: path.clone(),
                label,
                part,
            })
        })
        .collect()
}

fn classes_of(folder: &Path, content: Content) -> Result<Classes> {
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
    content.folders.iter().map(images).collect()
}

/// The images of one class.
fn images_of(class: &Path) -> Result<Vec<PathBuf>> {
    let content = Content::of(class)?;
    let expected = "PNG or JPEG images of one class";
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
            // Of what a link leads to.
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let ending = path
                .extension()
                .unwrap_or_default()
                .to_string_lossy()
                .to_lowercase();
            if NOT_READ.contains(&ending.as_str()) {
                return Err(Error::content(
                    &path,
                    "a PNG or JPEG image",
                    format!(".{ending}"),
                ));
            }
            if READ.contains(&ending.as_str()) {
                images.push(path);
            }
        }
        folders.sort_unstable();
        images.sort_unstable();
        Ok(Self { folders, images })
    }

    fn folder(&self, name: &str) -> Option<&Path> {
        self.folders
            .iter()
            .find(|folder| folder.ends_with(name))
            .map(PathBuf::as_path)
    }
}
