//! CIFAR-10 and CIFAR-100 from their binary batches.
//!
//! A record is the label (CIFAR-100: the coarse label, then the fine one, which counts) and 3 x 32 x
//! 32 bytes: all red, all green, all blue, each row by row.
//! Source: <https://www.cs.toronto.edu/~kriz/cifar.html>; Krizhevsky, "Learning multiple layers of
//! features from tiny images", 2009.

use std::fs;
use std::path::{Path, PathBuf};

use crate::classes;
use crate::dataset::{Dataset, DatasetParts, Part};
use crate::error::{Error, Result};

const SIDE: usize = 32;
const CHANNELS: usize = 3;
const IMAGE: usize = CHANNELS * SIDE * SIDE;

/// The form of one of the two sets.
struct Form {
    name: &'static str,
    /// The folder that the published archive unpacks to.
    unpacked: &'static str,
    train: &'static [&'static str],
    test: &'static [&'static str],
    /// How many labels can stand in each byte before the pixels; the last one is the label.
    labels: &'static [usize],
    classes: &'static [&'static str],
}

const CIFAR10: Form = Form {
    name: "cifar10",
    unpacked: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: &["test_batch.bin"],
    labels: &[10],
    classes: &classes::CIFAR10,
};

const CIFAR100: Form = Form {
    name: "cifar100",
    unpacked: "cifar-100-binary",
    train: &["train.bin"],
    test: &["test.bin"],
    labels: &[20, 100],
    classes: &classes::CIFAR100,
};

/// One part of CIFAR-10 from the folder with `data_batch_1.bin` to `data_batch_5.bin` and
/// `test_batch.bin`, or the one above it.
///
/// # Errors
///
/// If a file is missing, cut short, or has a label above 9.
pub fn cifar10(folder: &Path, part: Part) -> Result<Dataset> {
    CIFAR10.read(folder, part)
}

/// One part of CIFAR-100, with its 100 fine labels, from the folder with `train.bin` and `test.bin`,
/// or the one above it.
///
/// # Errors
///
/// If a file is missing, cut short, or has a coarse label above 19 or a fine one above 99.
pub fn cifar100(folder: &Path, part: Part) -> Result<Dataset> {
    CIFAR100.read(folder, part)
}

/// Whether `folder` is one for [`cifar10`].
pub(crate) fn is_cifar10(folder: &Path) -> bool {
    CIFAR10.folder(folder).join(CIFAR10.train[0]).is_file()
}

/// Whether `folder` is one for [`cifar100`].
pub(crate) fn is_cifar100(folder: &Path) -> bool {
    CIFAR100.folder(folder).join(CIFAR100.train[0]).is_file()
}

/// Where the batches of CIFAR-10 lie: in `folder` or one level below.
pub(crate) fn cifar10_folder(folder: &Path) -> PathBuf {
    CIFAR10.folder(folder)
}

impl Form {
    fn folder(&self, folder: &Path) -> PathBuf {
        let below = folder.join(self.unpacked);
        if below.is_dir() {
            below
        } else {
            folder.to_owned()
        }
    }

    fn read(&self, folder: &Path, part: Part) -> Result<Dataset> {
        let folder = self.folder(folder);
        let files = match part {
            Part::Train => self.train,
            Part::Test => self.test,
        };
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        let mut length = None;
        for file in files {
            let path = folder.join(file);
            let bytes = fs::read(&path).map_err(|source| Error::read(&path, source))?;
            self.check_length(&path, bytes.len(), length)?;
            length = Some(bytes.len());
            for (index, record) in bytes.chunks_exact(self.record()).enumerate() {
                let (numbers, pixels) = record.split_at(self.labels.len());
                labels.push(self.label(numbers).map_err(|(number, bound)| {
                    let found = format!("{number} in record {index}: {}", self.hint());
                    Error::content(&path, format!("labels below {bound}"), found)
                })?);
                interleave(pixels, &mut images);
            }
        }
        Dataset::new(DatasetParts {
            name: self.name.to_owned(),
            height: SIDE,
            width: SIDE,
            channels: CHANNELS,
            classes: classes::owned(self.classes),
            images,
            labels,
        })
    }

    /// Bytes of one record.
    fn record(&self) -> usize {
        self.labels.len() + IMAGE
    }

    /// Checks that a file has whole records, as many as the ones before it: the published batches
    /// are all of one length.
    fn check_length(&self, path: &Path, found: usize, before: Option<usize>) -> Result<()> {
        let record = self.record();
        if found == 0 || !found.is_multiple_of(record) {
            let expected = format!("whole records of {record} bytes");
            return Err(Error::content(path, expected, format!("{found} bytes")));
        }
        match before {
            Some(before) if before != found => {
                let expected = format!("{before} bytes, like the batch before it");
                Err(Error::content(path, expected, format!("{found} bytes")))
            }
            _ => Ok(()),
        }
    }

    /// The label that counts; else the number that is none, and what it should be below.
    fn label(&self, numbers: &[u8]) -> Result<u32, (u8, usize)> {
        let wrong = numbers
            .iter()
            .zip(self.labels)
            .find(|&(&n, &bound)| usize::from(n) >= bound);
        match (wrong, numbers.last()) {
            (Some((&number, &bound)), _) => Err((number, bound)),
            (None, last) => Ok(last.copied().map_or(0, u32::from)),
        }
    }

    /// What a file with impossible labels may be instead.
    fn hint(&self) -> &'static str {
        if self.labels.len() == 1 {
            "is it CIFAR-100?"
        } else {
            "is it CIFAR-10?"
        }
    }
}

/// Appends `[C, H, W]` as `[H, W, C]`.
fn interleave(planes: &[u8], images: &mut Vec<u8>) {
    let (red, rest) = planes.split_at(SIDE * SIDE);
    let (green, blue) = rest.split_at(SIDE * SIDE);
    images.extend(
        red.iter()
            .zip(green)
            .zip(blue)
            .flat_map(|((&r, &g), &b)| [r, g, b]),
    );
}
