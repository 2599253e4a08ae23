//! Any folder with a folder of PNG or JPEG images for each class.
//!
//! Classes are the names of the folders in alphabetical order. With the folders `train` and `test`
//! above them, each part comes from its own; else a fifth of every class is held out as the test
//! part, the same images every time.
//!
//! What is not said is inferred from the headers of all images, of both parts, so that both come out
//! alike. Channels: 3 if any image has colour, else 1. Size: if all images are equally large and no
//! side is over 32 pixels, theirs; else a square with the median of the shorter sides, but at most 32
//! pixels, the size that the presets are made for. How images are brought to it: `resize.rs`.

mod listing;
mod picture;

use std::path::Path;

use crate::dataset::{Dataset, DatasetParts, Part};
use crate::error::{Error, Result};
use crate::parallel;
use crate::random::{Purpose, Random};
use crate::resize::check_size;
use crate::source::LoadConfig;
use listing::{Entry, Listing};
use picture::Header;

/// The longest side in pixels of images whose size nobody chose.
const LARGEST_INFERRED: u32 = 32;
/// One in so many images of a class is held out where no folder says which.
const HELD_OUT_OF: usize = 5;
/// Fixed: the images held out must be the same in every run and every later evaluation.
const HELD_OUT_SEED: u64 = 0;

/// One part of the data set in `folder`; both parts are looked at, and for [`Part::Train`] all images
/// are decoded, so that a test image which cannot be read is known before the search, not after.
///
/// # Errors
///
/// If there are fewer than two classes, a class has no image or too few to divide, a picture cannot
/// be decoded (unless `config.skip_bad`), or folders and images are mixed; the file is named.
pub fn folder(folder: &Path, part: Part, config: LoadConfig) -> Result<Dataset> {
    let mut listing = Listing::of(folder)?;
    if !listing.has_parts {
        hold_out(&mut listing);
    }
    let wanted = |entry: &Entry| part == Part::Train || entry.part == Part::Test;
    let headers = parallel::for_each(&listing.entries, |entry| Header::read(&entry.path));
    let mut skipped = Vec::new();
    let mut readable = Vec::new();
    for (entry, header) in listing.entries.into_iter().zip(headers) {
        match header {
            Ok(header) => readable.push((entry, header)),
            Err(_) if config.skip_bad => skipped.push(entry.path),
            Err(error) => return Err(error),
        }
    }
    let headers: Vec<Header> = readable.iter().map(|&(_, header)| header).collect();
    let form = Form::infer(folder, &headers, config.size)?;

    readable.retain(|(entry, _)| wanted(entry));
    let decoded = parallel::for_each(&readable, |(entry, _)| {
        let bytes = picture::decode(&entry.path, form.sides, form.channels)?;
        // The others are only checked.
        Ok((entry.part == part).then_some(bytes))
    });
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for ((entry, _), bytes) in readable.into_iter().zip(decoded) {
        match bytes {
            Ok(None) => {}
            Ok(Some(bytes)) => {
                images.extend_from_slice(&bytes);
                labels.push(entry.label);
            }
            Err(_) if config.skip_bad => skipped.push(entry.path),
            Err(error) => return Err(error),
        }
    }
    check_classes(folder, &listing.classes, &labels, part)?;
    let dataset = Dataset::new(DatasetParts {
        name: listing::name_of(folder),
        height: form.sides.0 as usize,
        width: form.sides.1 as usize,
        channels: form.channels,
        classes: listing.classes,
        images,
        labels,
    })?;
    skipped.sort_unstable();
    Ok(dataset.with_skipped(skipped))
}

/// Makes a fifth of every class, rounded, but at least one image, the test part.
fn hold_out(listing: &mut Listing) {
    for label in 0..listing.classes.len() as u32 {
        let class = listing
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.label == label);
        let mut places: Vec<u32> = class.map(|(place, _)| place as u32).collect();
        let place = [u64::from(label), 0];
        Random::new(HELD_OUT_SEED, Purpose::Split, place).shuffle(&mut places);
        places.truncate(((places.len() + HELD_OUT_OF / 2) / HELD_OUT_OF).max(1));
        for place in places {
            listing.entries[place as usize].part = Part::Test;
        }
    }
}

/// Checks that enough images of every class are left: one to train with and one to choose by, or one
/// to test with.
fn check_classes(folder: &Path, classes: &[String], labels: &[u32], part: Part) -> Result<()> {
    let (expected, purpose) = match part {
        Part::Train => (2, "to search and train with"),
        Part::Test => (1, "to test with"),
    };
    for (label, class) in (0..).zip(classes) {
        let found = labels.iter().filter(|&&other| other == label).count();
        if found < expected {
            let place = folder.display().to_string();
            return Err(Error::FewImages {
                class: class.clone(),
                place,
                expected,
                purpose,
                found,
            });
        }
    }
    Ok(())
}

/// What every image is brought to.
struct Form {
    /// Height and width in pixels.
    sides: (u32, u32),
    channels: usize,
}

impl Form {
    fn infer(folder: &Path, headers: &[Header], size: Option<usize>) -> Result<Self> {
        let Some(first) = headers.first() else {
            return Err(Error::content(folder, "readable images", "none"));
        };
        let channels = if headers.iter().any(|header| header.coloured) {
            3
        } else {
            1
        };
        let alike = headers.iter().all(|header| header.sides == first.sides);
        let sides = match size {
            Some(size) => check_size(size).map(|side| (side, side))?,
            None if alike && first.longer() <= LARGEST_INFERRED => first.sides,
            None => {
                let mut shorter: Vec<u32> = headers.iter().map(|header| header.shorter()).collect();
                shorter.sort_unstable();
                let side = shorter[shorter.len() / 2].min(LARGEST_INFERRED);
                (side, side)
            }
        };
        Ok(Self { sides, channels })
    }
}
