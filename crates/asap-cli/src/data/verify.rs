//! `asap data verify`: whether the files of a data set are whole.

use super::Images;
use crate::{output, quantities};
use anyhow::Result;
use asap_data::{Manifest, Part, Source};
use std::path::PathBuf;

/// Settings of `asap data verify`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    images: Images,
}

/// Checks and prints what was checked.
///
/// # Errors
/// If a file is missing, broken, or other than the manifest says; the message names it.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let images = &arguments.images;
    let source = images.source()?;
    if let Some((manifest, folder)) = manifest(images, &source)? {
        let files = manifest.verify(&folder)?;
        if files > 0 {
            return output::line(format_args!(
                "{source}: {files} files are as the manifest says (licence {}, from {})",
                manifest.licence, manifest.source
            ));
        }
    }
    for part in [Part::Train, Part::Test] {
        let dataset = source.open(part, images.load())?;
        dataset.read_through()?;
        let count = quantities::count(dataset.len() as u64);
        output::line(format_args!("{source}: {count} {part} images can be read"))?;
        for path in dataset.skipped() {
            output::line(format_args!("{source}: left out {}", path.display()))?;
        }
    }
    Ok(())
}

/// What is known of the files of `source`, and where they are.
fn manifest(images: &Images, source: &Source) -> Result<Option<(Manifest, PathBuf)>> {
    if let Some(known) = source.manifest()? {
        return Ok(Some(known));
    }
    let folder = match &images.dir {
        Some(folder) => folder.clone(),
        None => super::default_folder(&images.data).unwrap_or_default(),
    };
    Ok(images.manifest()?.map(|manifest| (manifest, folder)))
}
