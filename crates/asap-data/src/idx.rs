//! Fashion-MNIST and every other data set in MNIST's four IDX files, gzipped or not.
//!
//! An IDX file begins with two zero bytes, the type of a value (8: unsigned byte) and the number of
//! dimensions, then has each dimension as a big-endian `u32`, then the values.
//! Source: <http://yann.lecun.com/exdb/mnist/>, "the IDX file format".

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::classes;
use crate::dataset::{Dataset, DatasetParts, Part};
use crate::error::{Error, Result};

/// One part of Fashion-MNIST from the folder that holds its four IDX files.
///
/// # Errors
///
/// If a file is missing, cut short, too long, of another kind, or has a label above 9.
pub fn fashion_mnist(folder: &Path, part: Part) -> Result<Dataset> {
    let files = Files::of(folder, part);
    let labels = files.labels()?;
    files.dataset(
        "fashion-mnist".into(),
        classes::owned(&classes::FASHION_MNIST),
        labels,
    )
}

/// One part of a data set in MNIST's format, from the folder that holds the four IDX files; classes
/// are named by their numbers, `0` to the highest label of the training images.
///
/// # Errors
///
/// If a file is missing, cut short, too long, of another kind, or a test image has a label that no
/// training image has.
pub fn idx(folder: &Path, part: Part) -> Result<Dataset> {
    let training = Files::of(folder, Part::Train).labels()?;
    let highest = training.iter().copied().max().unwrap_or(0);
    let names = (0..=highest).map(|label| label.to_string()).collect();
    let files = Files::of(folder, part);
    let labels = if part == Part::Train {
        training
    } else {
        files.labels()?
    };
    let name = folder
        .file_name()
        .unwrap_or(folder.as_os_str())
        .to_string_lossy()
        .into_owned();
    files.dataset(name, names, labels)
}

/// Whether `folder` has the images of the training part.
pub(crate) fn is_idx(folder: &Path) -> bool {
    Files::of(folder, Part::Train).images.is_file()
}

struct Files {
    images: PathBuf,
    labels: PathBuf,
}

impl Files {
    fn of(folder: &Path, part: Part) -> Self {
        let prefix = match part {
            Part::Train => "train",
            Part::Test => "t10k",
        };
        let file = |kind: &str| {
            let plain = folder.join(format!("{prefix}-{kind}-ubyte"));
            if plain.is_file() {
                plain
            } else {
                folder.join(format!("{prefix}-{kind}-ubyte.gz"))
            }
        };
        Self {
            images: file("images-idx3"),
            labels: file("labels-idx1"),
        }
    }

    fn labels(&self) -> Result<Vec<u8>> {
        Ok(read_idx::<1>(&self.labels, "labels")?.1)
    }

    fn dataset(&self, name: String, classes: Vec<String>, labels: Vec<u8>) -> Result<Dataset> {
        let ([count, height, width], images) = read_idx::<3>(&self.images, "images")?;
        if labels.len() != count {
            let expected = format!(
                "a label for each of {count} images in {}",
                self.images.display()
            );
            return Err(Error::content(
                &self.labels,
                expected,
                format!("{} labels", labels.len()),
            ));
        }
        if count * height * width == 0 {
            let found = format!("{count} images of {height}x{width} pixels");
            return Err(Error::content(&self.images, "images", found));
        }
        if let Some((index, label)) = labels
            .iter()
            .enumerate()
            .find(|&(_, &label)| usize::from(label) >= classes.len())
        {
            let expected = format!("labels below {}", classes.len());
            return Err(Error::content(
                &self.labels,
                expected,
                format!("{label} at {index}"),
            ));
        }
        let labels = labels.into_iter().map(u32::from).collect();
        Dataset::new(DatasetParts {
            name,
            height,
            width,
            channels: 1,
            classes,
            images,
            labels,
        })
    }
}

/// The dimensions and the values of the IDX file of bytes at `path`, which holds `what`.
fn read_idx<const DIMENSIONS: usize>(
    path: &Path,
    what: &str,
) -> Result<([usize; DIMENSIONS], Vec<u8>)> {
    let file = File::open(path).map_err(|source| Error::read(path, source))?;
    let file = BufReader::new(file);
    let gzipped = path.extension().is_some_and(|extension| extension == "gz");
    let mut reader: Box<dyn Read> = if gzipped {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let unpacks = |source: std::io::Error| {
        let expected = if gzipped {
            "a whole gzip file"
        } else {
            "a readable file"
        };
        Error::content(
            path,
            expected,
            format!("one that ends or breaks off early: {source}"),
        )
    };

    let mut header = Vec::new();
    let length = 4 + 4 * DIMENSIONS;
    reader
        .by_ref()
        .take(length as u64)
        .read_to_end(&mut header)
        .map_err(unpacks)?;
    let magic = [0, 0, 8, DIMENSIONS as u8];
    if header.len() < length || header[..4] != magic {
        let expected = format!("IDX {what} that begin with {magic:?}");
        let found = match header.get(..4) {
            Some(other) if other == magic => format!("a header of only {} bytes", header.len()),
            Some(other) => format!("{other:?}"),
            None => format!("{} bytes", header.len()),
        };
        return Err(Error::content(path, expected, found));
    }
    let mut dimensions = [0; DIMENSIONS];
    for (dimension, bytes) in dimensions.iter_mut().zip(header[4..].chunks_exact(4)) {
        *dimension = bytes
            .iter()
            .fold(0, |number, &byte| number << 8 | usize::from(byte));
    }

    let expected = dimensions
        .iter()
        .try_fold(1_usize, |size, &side| size.checked_mul(side));
    let expected = expected
        .filter(|&size| size < isize::MAX as usize)
        .ok_or_else(|| {
            Error::content(
                path,
                "sizes that fit in memory",
                format!("{dimensions:?} in the header"),
            )
        })?;
    // One byte more than there should be tells a file that is too long. Nothing is reserved on the
    // word of the header.
    let mut values = Vec::new();
    reader
        .take(expected as u64 + 1)
        .read_to_end(&mut values)
        .map_err(unpacks)?;
    if values.len() != expected {
        let promise = format!("{expected} bytes of {what}, as its header {dimensions:?} says");
        let found = if values.len() > expected {
            "more".to_owned()
        } else {
            format!("{} bytes", values.len())
        };
        return Err(Error::content(path, promise, found));
    }
    Ok((dimensions, values))
}
