//! The Freiburg groceries: some 5,000 photographs of 25 kinds of food, 256 x 256 pixels, in five splits.
//!
//! `images/CLASS/CLASS0000.png`, and for each split `splits/train0.txt` and `splits/test0.txt` with a line
//! `CLASS/CLASS0000.png LABEL` for each image. Classes are in the order of their labels. The published training files
//! repeat images until all classes are equally frequent; here each image counts once, or it would be trained with and
//! chosen by.
//! Source: Jund and others, "The Freiburg groceries dataset", arXiv:1611.05799.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::dataset::{Dataset, Part};
use crate::error::{Error, Result};
use crate::pictures::{self, Entry, Known, Listing};
use crate::source::LoadConfig;

/// One part of the Freiburg groceries from the folder with `images` and `splits`, in the split 0; in split N if
/// the path is that of `splits/trainN.txt` in that folder.
///
/// # Errors
///
/// If a file is missing, a line is none, an image is in both parts, a class has two labels or a label two classes, or a
/// picture cannot be decoded; the file is named.
pub fn freiburg_groceries(path: &Path, part: Part, config: LoadConfig) -> Result<Dataset> {
    let (train, test) = split_files(path)?;
    let folder = train.parent().and_then(Path::parent).unwrap_or(path);
    let images = folder.join("images");
    let mut classes = BTreeMap::new();
    let mut entries = Vec::new();
    for (file, part) in [(&train, Part::Train), (&test, Part::Test)] {
        let text = fs::read_to_string(file).map_err(|source| Error::read(file, source))?;
        for (number, line) in (1..).zip(text.lines()) {
            let entry = read_line(line, part, &images, &mut classes).map_err(|expected| {
                Error::content(file, expected, format!("`{line}` in line {number}"))
            })?;
            entries.push(entry);
        }
    }
    if let Some(missing) = (0..).zip(classes.keys()).find(|&(at, &label)| at != label) {
        let expected = format!("labels from 0 on, with {}", missing.0);
        return Err(Error::content(&train, expected, "none of that number"));
    }
    entries.sort_by(|one: &Entry, other| one.path.cmp(&other.path));
    entries.dedup_by(|one, other| (&one.path, one.part) == (&other.path, other.part));
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].path == pair[1].path) {
        let expected = format!("no image that {} has", train.display());
        return Err(Error::content(
            &test,
            expected,
            pair[0].path.display().to_string(),
        ));
    }
    let listing = Listing {
        name: "freiburg-groceries".to_owned(),
        place: train.clone(),
        classes: classes.into_values().collect(),
        entries,
        known: Some(Known { size: 256 }),
    };
    listing.check_counts(Part::Train, 2, "to train with and to choose by")?;
    pictures::load(listing, part, config)
}

/// Whether `path` is one for [`freiburg_groceries`].
pub(crate) fn is_freiburg_groceries(path: &Path) -> bool {
    path.join("splits/train0.txt").is_file() && path.join("images").is_dir()
}

/// The files of the training and the test images of the split that `path` names.
fn split_files(path: &Path) -> Result<(PathBuf, PathBuf)> {
    if path.extension().is_none_or(|ending| ending != "txt") {
        let splits = path.join("splits");
        return Ok((splits.join("train0.txt"), splits.join("test0.txt")));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match name.strip_prefix("train") {
        Some(rest) => Ok((path.to_owned(), path.with_file_name(format!("test{rest}")))),
        None => Err(Error::content(
            path,
            "a file such as `splits/train0.txt`",
            name,
        )),
    }
}

/// The image in `line`; `classes` has the name of each label so far. Else what the line should have been.
fn read_line(
    line: &str,
    part: Part,
    images: &Path,
    classes: &mut BTreeMap<u32, String>,
) -> Result<Entry, &'static str> {
    let form = "a line such as `BEANS/BEANS0000.png 15`";
    let (file, label) = line.trim().rsplit_once(' ').ok_or(form)?;
    let label: u32 = label.parse().map_err(|_| form)?;
    let (class, name) = file.split_once('/').ok_or(form)?;
    if class.starts_with('.') || name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(form);
    }
    classes.entry(label).or_insert_with(|| class.to_owned());
    let fits = |(&other, name): (&u32, &String)| (other == label) == (name == class);
    if !classes.iter().all(fits) {
        return Err("one label for each class and one class for each label");
    }
    Ok(Entry {
        path: images.join(class).join(name),
        label,
        part,
    })
}
