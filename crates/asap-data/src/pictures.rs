//! Data sets of pictures with a file each: brought to one form, and held in memory or, where that would
//! take too much of it, decoded on the fly.
//!
//! What is not said is inferred from the headers of all images, of both parts, so that both come out
//! alike. Channels: 3 if any image has colour, else 1. Size: if all images are equally large and no
//! side is over 32 pixels, theirs; else a square with the median of the shorter sides, but at most 32
//! pixels, the size that the presets are made for. Of known sets size and channels are known, and no
//! header is read. How images are brought to their form: `resize.rs`.

mod files;
mod listing;
mod picture;

use std::path::PathBuf;

pub(crate) use files::Files;
pub(crate) use listing::{Entry, Known, Listing, class_folders, has_folders, name_of};
pub(crate) use picture::Picture;

use crate::dataset::{Dataset, DatasetParts, Part};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel;
use crate::resize::{Form, check_size};
use crate::source::LoadConfig;
use picture::Header;

/// The longest side in pixels of images whose size nobody chose.
const LARGEST_INFERRED: usize = 32;
/// Pictures that are decoded together: enough for every core, few enough that what is kept counts alone.
const BLOCK: usize = 4096;

/// One part of the pictures in `listing`.
///
/// Held in memory, for [`Part::Train`] those of the test part are decoded too, so that one which cannot be read is
/// known before the search, not after. Decoded on the fly, a picture that cannot be read is known when it is
/// needed, unless all are looked at first to leave those out.
pub(crate) fn load(listing: Listing, part: Part, config: LoadConfig) -> Result<Dataset> {
    let mut skipped = Vec::new();
    let Listing {
        name,
        place,
        classes,
        mut entries,
        known,
    } = listing;
    let form = match known {
        Some(known) => known.form(config)?,
        None => {
            let (readable, headers) = with_headers(entries, config.skip_bad, &mut skipped)?;
            entries = readable;
            infer(&place, &headers, config)?
        }
    };
    let ours = entries.iter().filter(|entry| entry.part == part).count();
    let image = form.sides.0 * form.sides.1 * form.channels;
    let streamed = ours as u64 * image as u64 > config.memory.unwrap_or_else(memory::share);

    let (mut images, mut kept) = (Vec::new(), Vec::new());
    if streamed && !config.skip_bad {
        entries.retain(|entry| entry.part == part);
        kept = entries;
    } else {
        entries.retain(|entry| part == Part::Train || entry.part == Part::Test);
        for block in blocks(entries) {
            let decoded = parallel::for_each(&block, |entry| {
                let bytes = form.fit(Picture::read(&entry.path, form.channels)?);
                // Those of the other part are only checked.
                Ok((entry.part == part && !streamed).then_some(bytes))
            });
            for (entry, bytes) in block.into_iter().zip(decoded) {
                match bytes {
                    Ok(bytes) if entry.part == part => {
                        images.extend_from_slice(&bytes.unwrap_or_default());
                        kept.push(entry);
                    }
                    Ok(_) => {}
                    Err(_) if config.skip_bad => skipped.push(entry.path),
                    Err(error) => return Err(error),
                }
            }
        }
    }
    skipped.sort_unstable();
    let (paths, labels): (Vec<PathBuf>, Vec<u32>) = kept
        .into_iter()
        .map(|entry| (entry.path, entry.label))
        .unzip();
    listing::check_classes(&place, &classes, &labels, part)?;
    let parts = DatasetParts {
        name,
        height: form.sides.0,
        width: form.sides.1,
        channels: form.channels,
        classes,
        images,
        labels,
    };
    Ok(Dataset::of_files(parts, Files::new(paths, form), skipped))
}

/// The entries whose pictures have a header, and it.
fn with_headers(
    entries: Vec<Entry>,
    skip_bad: bool,
    skipped: &mut Vec<PathBuf>,
) -> Result<(Vec<Entry>, Vec<Header>)> {
    let headers = parallel::for_each(&entries, |entry| Header::read(&entry.path));
    let mut readable = (Vec::new(), Vec::new());
    for (entry, header) in entries.into_iter().zip(headers) {
        match header {
            Ok(header) => {
                readable.0.push(entry);
                readable.1.push(header);
            }
            Err(_) if skip_bad => skipped.push(entry.path),
            Err(error) => return Err(error),
        }
    }
    Ok(readable)
}

fn blocks(entries: Vec<Entry>) -> impl Iterator<Item = Vec<Entry>> {
    let mut rest = entries.into_iter();
    std::iter::from_fn(move || {
        let block: Vec<Entry> = rest.by_ref().take(BLOCK).collect();
        (!block.is_empty()).then_some(block)
    })
}

impl Known {
    fn form(self, config: LoadConfig) -> Result<Form> {
        let side = check_size(config.size.unwrap_or(self.size))?;
        checked(Form {
            sides: (side, side),
            channels: 3,
            resize_to: config.resize_to,
        })
    }
}

fn infer(place: &std::path::Path, headers: &[Header], config: LoadConfig) -> Result<Form> {
    let Some(first) = headers.first() else {
        return Err(Error::content(place, "readable images", "none"));
    };
    let coloured = headers.iter().any(|header| header.coloured);
    let alike = headers.iter().all(|header| header.sides == first.sides);
    let sides = match config.size {
        Some(size) => check_size(size).map(|side| (side, side))?,
        None if alike && first.longer() <= LARGEST_INFERRED => first.sides,
        None => {
            let mut shorter: Vec<usize> = headers.iter().map(|header| header.shorter()).collect();
            shorter.sort_unstable();
            let side = shorter[shorter.len() / 2].min(LARGEST_INFERRED);
            (side, side)
        }
    };
    checked(Form {
        sides,
        channels: if coloured { 3 } else { 1 },
        resize_to: config.resize_to,
    })
}

/// `form`, if what it cuts out is a square of no more than it resizes to.
fn checked(form: Form) -> Result<Form> {
    let (height, width) = form.sides;
    match form.resize_to {
        Some(resize_to) if resize_to < height || height != width => {
            let expected = format!("at least the {height}x{width} pixels of the images, squares");
            Err(Error::setting(
                "shorter side to resize to",
                expected,
                resize_to,
            ))
        }
        _ => Ok(form),
    }
}
