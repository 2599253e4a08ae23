//! SVHN: house numbers as seen from the street, cut to single digits of 32 x 32 pixels.
//!
//! `train_32x32.mat`, `test_32x32.mat` and `extra_32x32.mat`, each with the images `X`, `[32, 32, 3, N]` (row,
//! column, channel, image), and the labels `y`, `[N, 1]`, where 10 stands for the digit 0.
//! Source: Netzer and others, "Reading digits in natural images with unsupervised feature learning", 2011,
//! <http://ufldl.stanford.edu/housenumbers>.

use std::path::Path;

use crate::dataset::{Dataset, DatasetParts, Part};
use crate::error::{Error, Result};
use crate::matlab::{Array, arrays};

const SIDE: usize = 32;
const CHANNELS: usize = 3;
const CLASSES: u8 = 10;
const TRAIN: &str = "train_32x32.mat";
const TEST: &str = "test_32x32.mat";
const EXTRA: &str = "extra_32x32.mat";

/// One part of SVHN from the folder with `train_32x32.mat` and `test_32x32.mat`.
///
/// # Errors
///
/// If a file is missing, cut short, of another kind, or has a label that is not from 1 to 10.
pub fn svhn(folder: &Path, part: Part) -> Result<Dataset> {
    match part {
        Part::Train => read("svhn", folder, &[TRAIN]),
        Part::Test => read("svhn", folder, &[TEST]),
    }
}

/// As [`svhn`], with the easier images of `extra_32x32.mat` among those to train with.
///
/// # Errors
///
/// As [`svhn`].
pub fn svhn_extra(folder: &Path, part: Part) -> Result<Dataset> {
    match part {
        Part::Train => read("svhn-extra", folder, &[TRAIN, EXTRA]),
        Part::Test => read("svhn-extra", folder, &[TEST]),
    }
}

/// Whether `folder` is one for [`svhn`].
pub(crate) fn is_svhn(folder: &Path) -> bool {
    folder.join(TRAIN).is_file()
}

fn read(name: &str, folder: &Path, files: &[&str]) -> Result<Dataset> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for file in files {
        read_file(&folder.join(file), &mut images, &mut labels)?;
    }
    Dataset::new(DatasetParts {
        name: name.to_owned(),
        height: SIDE,
        width: SIDE,
        channels: CHANNELS,
        classes: (0..CLASSES).map(|digit| digit.to_string()).collect(),
        images,
        labels,
    })
}

fn read_file(path: &Path, images: &mut Vec<u8>, labels: &mut Vec<u32>) -> Result<()> {
    let arrays = arrays(path)?;
    let pixels = named(path, &arrays, "X")?;
    let numbers = named(path, &arrays, "y")?;
    let count = match pixels.dimensions[..] {
        [SIDE, SIDE, CHANNELS, count] if count > 0 => count,
        // A trailing dimension of one image is left out.
        [SIDE, SIDE, CHANNELS] => 1,
        _ => {
            let found = format!("{:?}", pixels.dimensions);
            return Err(Error::content(path, "images `X` of [32, 32, 3, N]", found));
        }
    };
    if numbers.values.len() != count {
        let expected = format!("a label in `y` for each of {count} images");
        let found = format!("{} labels", numbers.values.len());
        return Err(Error::content(path, expected, found));
    }
    for (index, &number) in numbers.values.iter().enumerate() {
        if !(1..=CLASSES).contains(&number) {
            let found = format!("{number} at {index}");
            return Err(Error::content(path, "labels from 1 to 10 in `y`", found));
        }
        labels.push(u32::from(number % CLASSES));
    }
    images.reserve(pixels.values.len());
    for image in pixels.values.chunks_exact(SIDE * SIDE * CHANNELS) {
        for place in 0..SIDE * SIDE {
            let (row, column) = (place / SIDE, place % SIDE);
            let first = column * SIDE + row;
            images.extend((0..CHANNELS).map(|channel| image[channel * SIDE * SIDE + first]));
        }
    }
    Ok(())
}

fn named<'a>(path: &Path, arrays: &'a [Array], name: &str) -> Result<&'a Array> {
    arrays
        .iter()
        .find(|array| array.name == name)
        .ok_or_else(|| {
            let names: Vec<&str> = arrays.iter().map(|array| array.name.as_str()).collect();
            Error::content(path, format!("an array `{name}`"), format!("{names:?}"))
        })
}
