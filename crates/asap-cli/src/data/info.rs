//! `asap data info`: what a data set holds.

use super::{Images, default_folder};
use crate::output;
use anyhow::Result;
use asap_data::{Manifest, Part};
use clap::ValueEnum;

/// Settings of `asap data info`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    images: Images,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON line for each part
    Json,
}

/// Prints what the manifest says, and what the images are if they are here.
///
/// # Errors
/// If there is no such data, or a file of it is missing or broken; the message names it.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { images, format } = arguments;
    if *format == Format::Text
        && let Some(manifest) = images.manifest()?
    {
        output::line(about(&manifest))?;
        let name = &manifest.name;
        if images.dir.is_none() && !manifest.is_here(&default_folder(name)?) {
            return output::line(format_args!(
                "not here, or not all of it: `asap data fetch {name}`, or its folder by --dir"
            ));
        }
    }
    let source = images.source()?;
    for part in [Part::Train, Part::Test] {
        let description = source.open(part, images.load())?.describe()?;
        match format {
            Format::Text => output::line(format_args!("{part}: {description}"))?,
            Format::Json => output::line(serde_json::to_string(&description)?)?,
        }
    }
    Ok(())
}

fn about(manifest: &Manifest) -> String {
    let Manifest {
        name,
        source,
        licence,
        citation,
        note,
        ..
    } = manifest;
    let mut text = format!("{name}: from {source}\nlicence {licence}\ncite {citation}");
    if !note.is_empty() {
        text += &format!("\n{note}");
    }
    for download in &manifest.downloads {
        text += &format!(
            "\ndownload {}, checksum {}",
            download.file, download.checksum
        );
        if !download.checksum_from.is_empty() {
            text += &format!(" by {}", download.checksum_from);
        }
    }
    text
}
